/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_MYSQL_PAYLOAD_H
#define SL_TESTS_SUPPORT_MYSQL_PAYLOAD_H

#include "base/str.h"

/* Makes the body of a TRANSACTION_PAYLOAD_EVENT as a server of MySQL 8 does. */

/* A field: type, length, and the number; lengths and numbers as the client protocol has them. How many bytes. */
size_t mysql_payload_field(uint8_t *out, uint8_t type, uint64_t number);

/* All of bytes as one zstd frame, which says nothing of its size; how many bytes. */
size_t mysql_payload_compress(uint8_t *out, size_t cap, struct sl_bytes bytes, int level);

/* Header and frame; how many bytes. */
size_t mysql_payload_write(uint8_t *out, size_t cap, struct sl_bytes events, int level);

/* An event without checksum that says no place, as those inside are; how many bytes. */
size_t mysql_payload_event(uint8_t *out, size_t cap, uint8_t type, const void *body, size_t size);

#endif
