/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"

enum { VARINT_BYTES_MAX = 10, KEY_BYTES_MAX = 5, FIELD_NUMBER_SHIFT = 3, WIRE_TYPE_MASK = 7 };

static enum sl_refusal reader_varint(struct sl__reader *r, uint32_t bytes_max, uint64_t *out)
{
    uint64_t value = 0;
    if (!sl__reader_done(r) && r->bytes.ptr[r->at] < 0x80) {
        *out = r->bytes.ptr[r->at++];
        return SL_REFUSE_NONE;
    }
    for (uint32_t i = 0; i < bytes_max; i++) {
        if (sl__reader_done(r)) {
            return SL_REFUSE_TRUNCATED;
        }
        uint8_t byte = r->bytes.ptr[r->at++];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            bool fits = i < VARINT_BYTES_MAX - 1 || byte <= 1; /* the tenth byte holds bit 63 alone */
            *out = value;
            return fits ? SL_REFUSE_NONE : SL_REFUSE_MALFORMED;
        }
    }
    return SL_REFUSE_MALFORMED;
}

enum sl_refusal sl__reader_varint(struct sl__reader *r, uint64_t *out)
{
    return reader_varint(r, VARINT_BYTES_MAX, out);
}

enum sl_refusal sl__reader_skip(struct sl__reader *r, size_t size)
{
    if (r->bytes.len - r->at < size) {
        return SL_REFUSE_TRUNCATED;
    }
    r->at += size;
    return SL_REFUSE_NONE;
}

static enum sl_refusal reader_bytes(struct sl__reader *r, struct sl_bytes *out)
{
    uint64_t size = 0;
    enum sl_refusal refusal = reader_varint(r, KEY_BYTES_MAX, &size);
    if (refusal != SL_REFUSE_NONE) {
        return refusal;
    }
    *out = (struct sl_bytes){ &r->bytes.ptr[r->at], (size_t)size };
    return sl__reader_skip(r, (size_t)size);
}

static enum sl_refusal reader_value(struct sl__reader *r, struct sl__field *out)
{
    switch (out->wire_type) {
    case SL__WIRE_VARINT:
        return sl__reader_varint(r, &out->varint);
    case SL__WIRE_FIXED64:
        return sl__reader_skip(r, sizeof(uint64_t));
    case SL__WIRE_BYTES:
        return reader_bytes(r, &out->bytes);
    case SL__WIRE_FIXED32:
        return sl__reader_skip(r, sizeof(uint32_t));
    }
    return SL_REFUSE_MALFORMED;
}

enum sl_refusal sl__reader_field(struct sl__reader *r, struct sl__field *out)
{
    uint64_t key = 0;
    enum sl_refusal refusal = reader_varint(r, KEY_BYTES_MAX, &key);
    if (refusal != SL_REFUSE_NONE) {
        return refusal;
    }
    /* protobuf-c accepts field number 0 in a long key and then packs what it cannot read back. */
    if (key > UINT32_MAX || key >> FIELD_NUMBER_SHIFT == 0) {
        return SL_REFUSE_MALFORMED;
    }
    *out = (struct sl__field){ .number = (uint32_t)(key >> FIELD_NUMBER_SHIFT),
                               .wire_type = (enum sl__wire_type)(key & WIRE_TYPE_MASK) };
    return reader_value(r, out);
}
