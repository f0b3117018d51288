/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_READER_H
#define SL_WIRE_READER_H

#include "wire/message.h"

/*
 * Reads protobuf's outermost layer: one field after the other, without a schema. Internal to src/wire.
 *
 * Stricter than most decoders, because a sender that needs leniency is broken or hostile: a field number is 1 or more,
 * keys and lengths take at most 5 bytes, varints at most 10 and 64 bits, and groups (wire types 3 and 4) do not exist.
 */
struct sl__reader {
    struct sl_bytes bytes;
    size_t at;
};

enum sl__wire_type { SL__WIRE_VARINT = 0, SL__WIRE_FIXED64 = 1, SL__WIRE_BYTES = 2, SL__WIRE_FIXED32 = 5 };

struct sl__field {
    uint32_t number;
    enum sl__wire_type wire_type;
    uint64_t varint;       /* SL__WIRE_VARINT only */
    struct sl_bytes bytes; /* SL__WIRE_BYTES only: a view into the reader's bytes */
};

static inline bool sl__reader_done(const struct sl__reader *r)
{
    return r->at == r->bytes.len;
}

/* Reads the next field. Refuses with TRUNCATED or MALFORMED; the reader may not be used after that. Not when done. */
SL_CHECKED enum sl_refusal sl__reader_field(struct sl__reader *r, struct sl__field *out);

/* Reads one varint, as in a packed field. Same refusals. */
SL_CHECKED enum sl_refusal sl__reader_varint(struct sl__reader *r, uint64_t *out);

/* Steps over a fixed-size value. TRUNCATED if fewer bytes are left. */
SL_CHECKED enum sl_refusal sl__reader_skip(struct sl__reader *r, size_t size);

#endif
