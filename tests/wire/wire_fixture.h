/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_WIRE_WIRE_FIXTURE_H
#define SL_TESTS_WIRE_WIRE_FIXTURE_H

#include "wire/message.h"

/* What tests of src/wire share: memory with a cap, bytes written as hexadecimal text, the schema as a list. */

enum { SL_WIRE_ARENA_BYTES = 8 << 20, SL_WIRE_HEX_BYTES_MAX = 1024 };

struct sl_wire_fixture {
    struct sl_mem mem;
    struct sl_arena arena;
    struct sl_wire_limits limits;
};

void sl_wire_fixture_init(struct sl_wire_fixture *f, size_t arena_bytes_max);

/* Fails the test if anything is still allocated. */
void sl_wire_fixture_deinit(struct sl_wire_fixture *f);

/* Bytes from hexadecimal digits; spaces are ignored. At most SL_WIRE_HEX_BYTES_MAX. */
struct sl_wire_hex {
    uint8_t bytes[SL_WIRE_HEX_BYTES_MAX];
    size_t len;
};
struct sl_wire_hex sl_wire_hex(const char *digits);
struct sl_bytes sl_wire_hex_bytes(const struct sl_wire_hex *hex);

/* sl_payload_decode with the fixture's limits and arena, which is reset before. */
enum sl_refusal sl_wire_decode(struct sl_wire_fixture *f, enum sl_msg_type type, struct sl_bytes bytes,
                               const ProtobufCMessage **out);

/* Every type whose payload is a protobuf message, in the order of the table. */
#define SL_WIRE_PB_TYPES_MAX SL_MSG_COUNT
uint32_t sl_wire_pb_types(enum sl_msg_type out[SL_WIRE_PB_TYPES_MAX]);

/* The protobuf message of such a type. */
const ProtobufCMessageDescriptor *sl_wire_descriptor(enum sl_msg_type type);

#endif
