/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/strip.h"

#include "base/check.h"
#include "wire/validate.h"

#include <string.h>

#define STRIP_DEPTH_MAX 16
#define STRIP_LENGTH_BYTES_MAX 5u

enum strip_wire { STRIP_VARINT = 0, STRIP_FIXED64 = 1, STRIP_BYTES = 2, STRIP_FIXED32 = 5 };

struct strip_in {
    const uint8_t *at, *end;
};

static uint64_t strip_varint(struct strip_in *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        SL_REQUIRE(in->at < in->end);
        uint8_t byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    SL_UNREACHABLE();
}

static size_t strip_put_varint(uint8_t *out, uint64_t value)
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (uint8_t)(value | 0x80);
    out[len++] = (uint8_t)value;
    return len;
}

/* Passes over a field's value; of STRIP_BYTES the content is in *inner. */
static void strip_skip(struct strip_in *in, enum strip_wire kind, struct strip_in *inner)
{
    size_t len = 0;
    switch (kind) {
    case STRIP_VARINT:
        (void)strip_varint(in);
        return;
    case STRIP_FIXED64:
        len = 8;
        break;
    case STRIP_FIXED32:
        len = 4;
        break;
    case STRIP_BYTES:
        len = (size_t)strip_varint(in);
        break;
    }
    SL_REQUIRE(len <= (size_t)(in->end - in->at));
    *inner = (struct strip_in){ in->at, in->at + len };
    in->at += len;
}

static size_t strip_message(const ProtobufCMessageDescriptor *d, struct strip_in in, uint8_t *out, unsigned depth)
{
    uint8_t *to = out;
    SL_REQUIRE(depth < STRIP_DEPTH_MAX);
    while (in.at < in.end) {
        const uint8_t *field_at = in.at;
        struct strip_in inner = { 0 };
        uint64_t tag = strip_varint(&in);
        strip_skip(&in, (enum strip_wire)(tag & 7), &inner);
        if (tag >> 3 >= SL_SIM_EXTENSION_MIN)
            continue;
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, (unsigned)(tag >> 3));
        if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE) {
            memcpy(to, field_at, (size_t)(in.at - field_at));
            to += in.at - field_at;
            continue;
        }
        /* The shorter content may need a shorter length; never a longer one. */
        to += strip_put_varint(to, tag);
        uint8_t length[2 * STRIP_LENGTH_BYTES_MAX];
        size_t room = strip_put_varint(length, (uint64_t)(inner.end - inner.at));
        size_t len = strip_message(f->descriptor, inner, to + room, depth + 1);
        size_t used = strip_put_varint(length, len);
        memmove(to + used, to + room, len);
        memcpy(to, length, used);
        to += used + len;
    }
    return (size_t)(to - out);
}

size_t sl_sim_strip(enum sl_msg_type type, struct sl_bytes payload, uint8_t *out)
{
    struct strip_in in = { payload.ptr, payload.ptr + payload.len };
    return payload.len > 0 ? strip_message(sl__msg_descriptor(type), in, out, 0) : 0;
}
