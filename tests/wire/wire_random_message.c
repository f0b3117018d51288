/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire/wire_random_message.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

enum { TEXT_CHARS_MAX = 12, BYTES_MAX = 24, UTF8_BYTES_MAX = 4 };

static void *random_alloc(struct sl_wire_random *r, size_t size)
{
    void *ptr = sl_arena_alloc(r->arena, size);
    SL_REQUIRE(ptr != NULL);
    return ptr;
}

/* Small, at an edge, or anything. */
static uint64_t random_u64(struct sl_prng *p)
{
    static const uint64_t edges[] = { 1,
                                      127,
                                      128,
                                      16383,
                                      16384,
                                      INT32_MAX,
                                      (uint64_t)INT32_MAX + 1,
                                      UINT32_MAX,
                                      (uint64_t)UINT32_MAX + 1,
                                      INT64_MAX,
                                      (uint64_t)INT64_MAX + 1,
                                      UINT64_MAX };
    switch (sl_prng_below(p, 3)) {
    case 0:
        return sl_prng_below(p, 256);
    case 1:
        return edges[sl_prng_below(p, sizeof edges / sizeof edges[0])];
    default:
        return sl_prng_u64(p);
    }
}

static float random_float(struct sl_prng *p)
{
    static const float some[] = { 1.5F, -0.0F, 1e-40F, 3.4e38F, (float)INFINITY, -(float)INFINITY };
    return sl_prng_chance(p, 1, 3) ? some[sl_prng_below(p, sizeof some / sizeof some[0])]
                                   : (float)sl_prng_below(p, 1000000) / 7.0F;
}

static double random_double(struct sl_prng *p)
{
    return (double)sl_prng_u64(p) / 3.0;
}

static size_t random_char(struct sl_prng *p, char *out)
{
    static const char *const chars[] = { "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x98", "\"", "\\", "%", "'", " " };
    if (sl_prng_chance(p, 1, 4)) {
        const char *c = chars[sl_prng_below(p, sizeof chars / sizeof chars[0])];
        size_t len = strlen(c);
        memcpy(out, c, len);
        return len;
    }
    *out = (char)('a' + (int)sl_prng_below(p, 26));
    return 1;
}

static char *random_text(struct sl_wire_random *r)
{
    char *text = random_alloc(r, TEXT_CHARS_MAX * UTF8_BYTES_MAX + 1);
    size_t chars = 1 + sl_prng_below(&r->prng, TEXT_CHARS_MAX);
    size_t len = 0;
    for (size_t i = 0; i < chars; i++) {
        len += random_char(&r->prng, text + len);
    }
    text[len] = '\0';
    return text;
}

static ProtobufCBinaryData random_bytes(struct sl_wire_random *r)
{
    ProtobufCBinaryData bytes = { .len = sl_prng_below(&r->prng, BYTES_MAX), .data = random_alloc(r, BYTES_MAX) };
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] = (uint8_t)sl_prng_below(&r->prng, 256);
    }
    return bytes;
}

static size_t random_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(uint32_t);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_FLOAT:
        return sizeof(float);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    }
    SL_UNREACHABLE();
}

#define PUT(out, type, value)              \
    do {                                   \
        type put = (value);                \
        memcpy((out), &put, sizeof(type)); \
    } while (0)

/* One value of the field's type, of random_size bytes, to *out. */
static void random_value(struct sl_wire_random *r, const ProtobufCFieldDescriptor *f, void *out)
{
    const ProtobufCEnumDescriptor *values = f->descriptor;
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        PUT(out, uint32_t, (uint32_t)random_u64(&r->prng));
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        PUT(out, uint64_t, random_u64(&r->prng));
        return;
    case PROTOBUF_C_TYPE_ENUM:
        PUT(out, int, values->values[sl_prng_below(&r->prng, values->n_values)].value);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
        PUT(out, float, random_float(&r->prng));
        return;
    case PROTOBUF_C_TYPE_DOUBLE:
        PUT(out, double, random_double(&r->prng));
        return;
    case PROTOBUF_C_TYPE_BOOL:
        PUT(out, protobuf_c_boolean, 1);
        return;
    case PROTOBUF_C_TYPE_STRING:
        PUT(out, char *, random_text(r));
        return;
    case PROTOBUF_C_TYPE_BYTES:
        PUT(out, ProtobufCBinaryData, random_bytes(r));
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        PUT(out, const ProtobufCMessage *, sl_wire_random_message(r, f->descriptor));
        return;
    }
    SL_UNREACHABLE();
}

static void random_repeated(struct sl_wire_random *r, const ProtobufCFieldDescriptor *f, uint8_t *message)
{
    size_t count = sl_prng_below(&r->prng, r->repeated_max + 1);
    size_t size = random_size(f->type);
    uint8_t *elements = random_alloc(r, count * size);
    for (size_t i = 0; i < count; i++) {
        random_value(r, f, elements + i * size);
    }
    PUT(message + f->quantifier_offset, size_t, count);
    PUT(message + f->offset, uint8_t *, elements);
}

/* Ids may not be zero and a feed must have a name, so the messages that are identities are always full. */
static bool random_is_identity(const ProtobufCMessageDescriptor *d)
{
    return d == &pb__changefeed_id__descriptor || d == &pb__dispatcher_id__descriptor;
}

const ProtobufCMessage *sl_wire_random_message(struct sl_wire_random *r, const ProtobufCMessageDescriptor *d)
{
    ProtobufCMessage *message = random_alloc(r, d->sizeof_message);
    protobuf_c_message_init(d, message);
    uint8_t *bytes = (uint8_t *)message;
    for (uint32_t i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        bool full = random_is_identity(d) || f->type == PROTOBUF_C_TYPE_MESSAGE || sl_prng_chance(&r->prng, 3, 4);
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            random_repeated(r, f, bytes);
        } else if (full) {
            random_value(r, f, bytes + f->offset);
        }
    }
    if (d == &pb__dispatcher_id__descriptor) {
        ((Pb__DispatcherID *)(void *)message)->low |= 1;
    }
    if (d == &pb__changefeed_id__descriptor) {
        ((Pb__ChangefeedID *)(void *)message)->low |= 1;
    }
    return message;
}
