/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_CURSOR_H
#define SL_BASE_CURSOR_H

#include "base/str.h"

#include <string.h>

/*
 * Reads a run of bytes from front to back. A read past the end gives zero (or the empty view) and sets "failed", which
 * stays set: a parser reads a whole structure and asks once. Never reads outside of the view it was given.
 */
struct sl_cursor {
    const uint8_t *at, *end;
    bool failed;
};

static inline struct sl_cursor sl_cursor_of(struct sl_bytes b)
{
    return (struct sl_cursor){ .at = b.ptr, .end = b.ptr ? b.ptr + b.len : b.ptr };
}

static inline size_t sl_cursor_left(const struct sl_cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* The next len bytes; a null view with failed set if there are fewer. */
static inline struct sl_bytes sl_cursor_bytes(struct sl_cursor *c, size_t len)
{
    if (c->failed || sl_cursor_left(c) < len) {
        c->failed = true;
        c->at = c->end;
        return (struct sl_bytes){ 0 };
    }
    struct sl_bytes b = { c->at, len };
    c->at += len;
    return b;
}

static inline void sl_cursor_skip(struct sl_cursor *c, size_t len)
{
    (void)sl_cursor_bytes(c, len);
}

/*
 * Readers of logs spend their time here, so eight bytes are taken at once where there are eight; the rest is cut off.
 */
static inline uint64_t sl_cursor_le(struct sl_cursor *c, size_t width) /* width 0..8 */
{
    uint64_t v = 0;
    if (c->failed || sl_cursor_left(c) < width) {
        c->failed = true;
        c->at = c->end;
        return 0;
    }
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sl_cursor_left(c) >= sizeof v && width > 0) {
        memcpy(&v, c->at, sizeof v);
        v &= UINT64_MAX >> (64 - 8 * width);
    } else {
        for (size_t i = width; i > 0; i--)
            v = v << 8 | c->at[i - 1];
    }
    c->at += width;
    return v;
}

static inline uint64_t sl_cursor_be(struct sl_cursor *c, size_t width) /* width 0..8 */
{
    struct sl_bytes b = sl_cursor_bytes(c, width);
    uint64_t v = 0;
    for (size_t i = 0; i < b.len; i++)
        v = v << 8 | b.ptr[i];
    return v;
}

static inline uint8_t sl_cursor_u8(struct sl_cursor *c)
{
    return (uint8_t)sl_cursor_le(c, 1);
}

static inline uint16_t sl_cursor_le16(struct sl_cursor *c)
{
    return (uint16_t)sl_cursor_le(c, 2);
}

static inline uint32_t sl_cursor_le32(struct sl_cursor *c)
{
    return (uint32_t)sl_cursor_le(c, 4);
}

#endif
