/* SPDX-License-Identifier: Apache-2.0 */
#include "app/buf.h"

#include <stdlib.h>
#include <string.h>

enum { BUF_CAP_MIN = 256 };

void sl_buf_deinit(struct sl_buf *b)
{
    free(b->ptr);
    *b = (struct sl_buf){ .bytes_max = b->bytes_max };
}

void sl_buf_reset(struct sl_buf *b)
{
    b->len = 0;
    b->failed = false;
}

static bool buf_grow(struct sl_buf *b, size_t len)
{
    size_t cap = b->cap > 0 ? b->cap : BUF_CAP_MIN;
    if (b->failed || len > SIZE_MAX / 4 - b->len || (b->bytes_max > 0 && len > b->bytes_max - b->len))
        return false;
    while (cap - b->len < len)
        cap *= 2;
    if (cap == b->cap)
        return true;
    uint8_t *ptr = realloc(b->ptr, cap);
    if (!ptr)
        return false;
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

void sl_buf_reserve(struct sl_buf *b, size_t len)
{
    if (!buf_grow(b, len))
        b->failed = true;
}

void sl_buf_add(struct sl_buf *b, const void *bytes, size_t len)
{
    if (!buf_grow(b, len)) {
        b->failed = true;
        return;
    }
    if (len > 0)
        memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
}

void sl_buf_u32(struct sl_buf *b, uint32_t v)
{
    uint8_t bytes[4];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(v >> 8 * i);
    sl_buf_add(b, bytes, sizeof bytes);
}

void sl_buf_varint(struct sl_buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t len = 0;
    while (v >= 0x80) {
        bytes[len++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[len++] = (uint8_t)v;
    sl_buf_add(b, bytes, len);
}
