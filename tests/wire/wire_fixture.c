/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire/wire_fixture.h"

#include "wire/validate.h"

#include <string.h>

void sl_wire_fixture_init(struct sl_wire_fixture *f, size_t arena_bytes_max)
{
    static const char *const tags[] = { "wire" };
    sl_mem_init(&f->mem, &(struct sl_mem_opts){ .tag_names = tags, .tag_count = 1 });
    sl_arena_init(&f->arena, &f->mem, 0, arena_bytes_max);
    f->limits = SL_WIRE_LIMITS_DEFAULT;
}

void sl_wire_fixture_deinit(struct sl_wire_fixture *f)
{
    sl_arena_deinit(&f->arena);
    sl_mem_deinit(&f->mem);
}

static uint8_t hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, c);
    SL_REQUIRE(at != NULL && c != '\0');
    return (uint8_t)(at - digits);
}

struct sl_wire_hex sl_wire_hex(const char *digits)
{
    struct sl_wire_hex hex = { .len = 0 };
    for (const char *c = digits; *c != '\0'; c++) {
        if (*c != ' ') {
            SL_REQUIRE(hex.len < SL_WIRE_HEX_BYTES_MAX);
            hex.bytes[hex.len++] = (uint8_t)(hex_digit(c[0]) << 4 | hex_digit(c[1]));
            c++;
        }
    }
    return hex;
}

struct sl_bytes sl_wire_hex_bytes(const struct sl_wire_hex *hex)
{
    return (struct sl_bytes){ hex->bytes, hex->len };
}

enum sl_refusal sl_wire_decode(struct sl_wire_fixture *f, enum sl_msg_type type, struct sl_bytes bytes,
                               const ProtobufCMessage **out)
{
    sl_arena_reset(&f->arena);
    return sl_payload_decode(type, bytes, &f->limits, &f->arena, out);
}

uint32_t sl_wire_pb_types(enum sl_msg_type out[SL_WIRE_PB_TYPES_MAX])
{
    uint32_t count = 0;
    for (int32_t number = 1; number < SL_MSG_COUNT; number++) {
        const struct sl_msg_row *row = sl_msg_row(number);
        if (row->kind == SL_PAYLOAD_PB) {
            out[count++] = row->type;
        }
    }
    return count;
}

const ProtobufCMessageDescriptor *sl_wire_descriptor(enum sl_msg_type type)
{
    const ProtobufCMessageDescriptor *d = sl__msg_descriptor(type);
    SL_REQUIRE(d != NULL);
    return d;
}
