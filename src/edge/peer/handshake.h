/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_PEER_HANDSHAKE_H
#define SL_EDGE_PEER_HANDSHAKE_H

#include "wire/message.h"

/* The first message of a stream (type 36): JSON that says which lane the stream is. And addresses. Pure functions. */

#define SL_HANDSHAKE_BYTES_MAX 128

/* The payload for a lane; returns its length, at most SL_HANDSHAKE_BYTES_MAX. */
size_t sl_handshake_format(enum sl_lane lane, int64_t unix_seconds, char out[SL_HANDSHAKE_BYTES_MAX]);

/* False: not a JSON object as a handshake has. Any lane name but "command" means the event lane (reference behaviour). */
bool sl_handshake_parse(struct sl_bytes payload, enum sl_lane *lane);

/* Splits "host:port" or "[v6]:port"; host without brackets. False (nothing written): not that, or host is longer than cap. */
bool sl_address_split(struct sl_str address, char *host, size_t cap, uint16_t *port);

#endif
