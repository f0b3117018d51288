/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"
#include "wire/validate.h"

/* What a peer says of an error, for people: cleaned after it was decoded (validate.c), whatever bytes it has. Everything
 * else of type string is a name or an id. */
static bool scan_is_free_text(const ProtobufCMessageDescriptor *d)
{
    return d == &pb__running_error__descriptor;
}

static enum sl_refusal scan_text(struct sl_bytes bytes, bool free_text, uint32_t text_bytes_max)
{
    struct sl_str s = { (const char *)bytes.ptr, bytes.len };
    if (s.len > text_bytes_max) {
        return SL_REFUSE_BAD_TEXT;
    }
    return free_text || sl_str_is_printable_utf8(s) ? SL_REFUSE_NONE : SL_REFUSE_BAD_TEXT;
}

/* An unknown value may not pass as a number: a liveness from a later version must not read as "alive" somewhere. */
static enum sl_refusal scan_enum(uint64_t value, const ProtobufCEnumDescriptor *d)
{
    bool known = value <= INT32_MAX && protobuf_c_enum_descriptor_get_value(d, (int)value) != NULL;
    return known ? SL_REFUSE_NONE : SL_REFUSE_BAD_ENUM;
}

static enum sl__wire_type scan_wire_type(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        return SL__WIRE_VARINT;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return SL__WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return SL__WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return SL__WIRE_BYTES;
    }
    SL_UNREACHABLE();
}

static enum sl_refusal scan_packed(struct sl_bytes bytes, const ProtobufCFieldDescriptor *field)
{
    struct sl__reader reader = { bytes, 0 };
    enum sl__wire_type wire_type = scan_wire_type(field->type);
    enum sl_refusal refusal = SL_REFUSE_NONE;
    while (refusal == SL_REFUSE_NONE && !sl__reader_done(&reader)) {
        uint64_t value = 0;
        if (wire_type == SL__WIRE_VARINT) {
            refusal = sl__reader_varint(&reader, &value);
        } else {
            refusal = sl__reader_skip(&reader, wire_type == SL__WIRE_FIXED32 ? sizeof(uint32_t) : sizeof(uint64_t));
        }
        if (refusal == SL_REFUSE_NONE && field->type == PROTOBUF_C_TYPE_ENUM) {
            refusal = scan_enum(value, field->descriptor);
        }
    }
    return refusal;
}

static enum sl_refusal scan_field(const struct sl__field *f, const ProtobufCMessageDescriptor *d,
                                  const ProtobufCFieldDescriptor *known, const struct sl_wire_limits *limits)
{
    enum sl__wire_type wanted = scan_wire_type(known->type);
    bool repeated = known->label == PROTOBUF_C_LABEL_REPEATED;
    if (repeated && wanted != SL__WIRE_BYTES && f->wire_type == SL__WIRE_BYTES) {
        return scan_packed(f->bytes, known);
    }
    if (f->wire_type != wanted) {
        return SL_REFUSE_MALFORMED;
    }
    if (known->type == PROTOBUF_C_TYPE_ENUM) {
        return scan_enum(f->varint, known->descriptor);
    }
    if (known->type == PROTOBUF_C_TYPE_STRING) {
        return scan_text(f->bytes, scan_is_free_text(d), limits->text_bytes_max);
    }
    return known->type == PROTOBUF_C_TYPE_MESSAGE ? sl__scan(f->bytes, known->descriptor, limits) : SL_REFUSE_NONE;
}

/*
 * A single sub-message that comes twice is to be merged field by field, says protobuf; protobuf-c 1.4 loses the numbers
 * of the first. No encoder writes it, so it is refused rather than read in a way of our own.
 */
static bool scan_is_first(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *known, uint64_t *seen)
{
    SL_REQUIRE(d->n_fields <= 64);
    if (known->type != PROTOBUF_C_TYPE_MESSAGE || known->label == PROTOBUF_C_LABEL_REPEATED) {
        return true;
    }
    uint64_t bit = UINT64_C(1) << (known - d->fields);
    bool first = (*seen & bit) == 0;
    *seen |= bit;
    return first;
}

/* Senders write fields in order, so the field after the last one is nearly always the one looked for. */
static const ProtobufCFieldDescriptor *scan_lookup(const ProtobufCMessageDescriptor *d, uint32_t number, uint32_t *next)
{
    const ProtobufCFieldDescriptor *known = NULL;
    if (*next < d->n_fields && d->fields[*next].id == number) {
        known = &d->fields[*next];
    } else {
        known = protobuf_c_message_descriptor_get_field(d, number);
    }
    if (known != NULL) {
        *next = (uint32_t)(known - d->fields) + (known->label == PROTOBUF_C_LABEL_REPEATED ? 0 : 1);
    }
    return known;
}

enum sl_refusal sl__scan(struct sl_bytes bytes, const ProtobufCMessageDescriptor *d,
                         const struct sl_wire_limits *limits)
{
    struct sl__reader reader = { bytes, 0 };
    uint64_t seen = 0;
    uint32_t next = 0;
    enum sl_refusal refusal = SL_REFUSE_NONE;
    while (refusal == SL_REFUSE_NONE && !sl__reader_done(&reader)) {
        struct sl__field field;
        refusal = sl__reader_field(&reader, &field);
        if (refusal != SL_REFUSE_NONE) {
            break;
        }
        const ProtobufCFieldDescriptor *known = scan_lookup(d, field.number, &next);
        if (known != NULL) {
            bool first = scan_is_first(d, known, &seen);
            refusal = first ? scan_field(&field, d, known, limits) : SL_REFUSE_MALFORMED;
        }
    }
    return refusal;
}
