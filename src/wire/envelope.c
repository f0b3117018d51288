/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outer Message, by hand: five flat fields are read as views, without an allocation and without a copy of the
 * payload.
 */
#include "wire/ids.h"
#include "wire/reader.h"

#include <string.h>

enum { FIELD_TYPE = 1, FIELD_FROM = 2, FIELD_TO = 3, FIELD_TOPIC = 4, FIELD_PAYLOAD = 5 };

/* ---- decoding ---- */

/* What was read, before anything is believed. */
struct envelope_raw {
    uint64_t type;
    struct sl_envelope fields;
};

static struct sl_str envelope_text(struct sl_bytes b)
{
    return (struct sl_str){ (const char *)b.ptr, b.len };
}

/* The wire type each field must have; unknown fields may have any. */
static bool envelope_wire_type_fits(const struct sl__field *f)
{
    bool known = f->number <= FIELD_PAYLOAD;
    enum sl__wire_type wanted = f->number == FIELD_TYPE ? SL__WIRE_VARINT : SL__WIRE_BYTES;
    return !known || f->wire_type == wanted;
}

static enum sl_refusal envelope_take_field(struct envelope_raw *raw, const struct sl__field *f,
                                           uint32_t payload_count_max)
{
    struct sl_envelope *e = &raw->fields;
    if (!envelope_wire_type_fits(f)) {
        return SL_REFUSE_MALFORMED;
    }
    switch (f->number) {
    case FIELD_TYPE:
        raw->type = f->varint;
        break;
    case FIELD_FROM:
        e->from = envelope_text(f->bytes);
        break;
    case FIELD_TO:
        e->to = envelope_text(f->bytes);
        break;
    case FIELD_TOPIC:
        e->topic = envelope_text(f->bytes);
        break;
    case FIELD_PAYLOAD:
        if (e->payload_count == payload_count_max) {
            return SL_REFUSE_TOO_MANY_PAYLOADS;
        }
        e->payload[e->payload_count++] = f->bytes;
        break;
    default: /* a number of a later version: skipped */
        break;
    }
    return SL_REFUSE_NONE;
}

static enum sl_refusal envelope_read(struct envelope_raw *raw, struct sl_bytes bytes, uint32_t payload_count_max)
{
    struct sl__reader reader = { bytes, 0 };
    while (!sl__reader_done(&reader)) {
        struct sl__field field;
        enum sl_refusal refusal = sl__reader_field(&reader, &field);
        if (refusal == SL_REFUSE_NONE) {
            refusal = envelope_take_field(raw, &field, payload_count_max);
        }
        if (refusal != SL_REFUSE_NONE) {
            return refusal;
        }
    }
    return SL_REFUSE_NONE;
}

static enum sl_refusal envelope_check_id(struct sl_str id)
{
    if (id.len == 0 || id.len > SL_NODE_ID_MAX) {
        return SL_REFUSE_BAD_ID;
    }
    return sl_str_is_printable_utf8(id) ? SL_REFUSE_NONE : SL_REFUSE_BAD_TEXT;
}

static bool envelope_topic_fits(struct sl_str topic, const struct sl_msg_row *row)
{
    bool second = row->topic2 != SL_TOPIC_NONE && sl_str_eq(topic, sl_str_of(sl_topic_text(row->topic2)));
    return second || sl_str_eq(topic, sl_str_of(sl_topic_text(row->topic)));
}

static const struct sl_msg_row *envelope_row(const struct envelope_raw *raw)
{
    return raw->type < SL_MSG_COUNT ? sl_msg_row((int32_t)raw->type) : NULL;
}

static enum sl_refusal envelope_check(const struct envelope_raw *raw, enum sl_refusal from_refusal)
{
    const struct sl_envelope *e = &raw->fields;
    const struct sl_msg_row *row = envelope_row(raw);
    if (row == NULL) {
        return SL_REFUSE_UNKNOWN_TYPE;
    }
    if (!envelope_topic_fits(e->topic, row)) {
        return SL_REFUSE_WRONG_TOPIC;
    }
    enum sl_refusal refusal = from_refusal;
    if (refusal == SL_REFUSE_NONE) {
        refusal = envelope_check_id(e->to);
    }
    if (refusal == SL_REFUSE_NONE && e->payload_count == 0) {
        refusal = SL_REFUSE_NO_PAYLOAD;
    }
    return refusal;
}

enum sl_refusal sl_envelope_decode(struct sl_envelope *out, struct sl_bytes bytes, const struct sl_wire_limits *limits)
{
    SL_REQUIRE(limits->payload_count_max >= 1 && limits->payload_count_max <= SL_PAYLOADS_MAX);
    *out = (struct sl_envelope){ 0 };
    if (bytes.len > limits->message_bytes_max) {
        return SL_REFUSE_OVERSIZED;
    }
    struct envelope_raw raw = { 0 };
    enum sl_refusal refusal = envelope_read(&raw, bytes, limits->payload_count_max);
    enum sl_refusal from_refusal = envelope_check_id(raw.fields.from);
    if (refusal == SL_REFUSE_NONE) {
        refusal = envelope_check(&raw, from_refusal);
    }
    if (refusal == SL_REFUSE_NONE) {
        *out = raw.fields;
    }
    const struct sl_msg_row *row = envelope_row(&raw);
    out->type = row == NULL ? SL_MSG_INVALID : row->type;
    out->from = from_refusal == SL_REFUSE_NONE ? raw.fields.from : (struct sl_str){ 0 };
    return refusal;
}

/* ---- encoding ---- */

static size_t varint_size(uint64_t v)
{
    size_t size = 1;
    while (v >= 0x80) {
        v >>= 7;
        size++;
    }
    return size;
}

static uint8_t *varint_put(uint8_t *at, uint64_t v)
{
    while (v >= 0x80) {
        *at++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *at++ = (uint8_t)v;
    return at;
}

static uint8_t *key_put(uint8_t *at, uint32_t number, enum sl__wire_type wire_type)
{
    return varint_put(at, number << 3 | (uint32_t)wire_type);
}

static size_t bytes_size(size_t len)
{
    return 1 + varint_size(len) + len;
}

static uint8_t *bytes_put(uint8_t *at, uint32_t number, const void *ptr, size_t len)
{
    at = varint_put(key_put(at, number, SL__WIRE_BYTES), len);
    if (len > 0) {
        memcpy(at, ptr, len);
    }
    return at + len;
}

static size_t text_size(struct sl_str s)
{
    return s.len == 0 ? 0 : bytes_size(s.len);
}

static uint8_t *text_put(uint8_t *at, uint32_t number, struct sl_str s)
{
    return s.len == 0 ? at : bytes_put(at, number, s.ptr, s.len);
}

size_t sl_envelope_size(const struct sl_envelope *e)
{
    SL_REQUIRE(e->payload_count <= SL_PAYLOADS_MAX);
    size_t size = e->type == SL_MSG_INVALID ? 0 : 1 + varint_size((uint64_t)e->type);
    size += text_size(e->from) + text_size(e->to) + text_size(e->topic);
    for (uint32_t i = 0; i < e->payload_count; i++) {
        size += bytes_size(e->payload[i].len);
    }
    return size;
}

size_t sl_envelope_encode(const struct sl_envelope *e, uint8_t *out)
{
    SL_REQUIRE(e->payload_count <= SL_PAYLOADS_MAX);
    uint8_t *at = out;
    if (e->type != SL_MSG_INVALID) {
        at = varint_put(key_put(at, FIELD_TYPE, SL__WIRE_VARINT), (uint64_t)e->type);
    }
    at = text_put(at, FIELD_FROM, e->from);
    at = text_put(at, FIELD_TO, e->to);
    at = text_put(at, FIELD_TOPIC, e->topic);
    /* Empty elements too: a foreign receiver dies on a message whose payload list is empty. */
    for (uint32_t i = 0; i < e->payload_count; i++) {
        at = bytes_put(at, FIELD_PAYLOAD, e->payload[i].ptr, e->payload[i].len);
    }
    return (size_t)(at - out);
}
