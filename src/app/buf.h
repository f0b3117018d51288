/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_BUF_H
#define SL_APP_BUF_H

#include "base/str.h"

/*
 * Bytes that grow, for what is built piece by piece. Without memory, or beyond the limit, it stops growing and is
 * "failed": one look at the end is enough. Zero is an empty one without a limit.
 */
struct sl_buf {
    uint8_t *ptr;
    size_t len, cap, bytes_max; /* 0: none */
    bool failed;
};

void sl_buf_deinit(struct sl_buf *b);
void sl_buf_reset(struct sl_buf *b);               /* empty again, memory kept */
void sl_buf_reserve(struct sl_buf *b, size_t len); /* room for len more bytes at ptr + len */
void sl_buf_add(struct sl_buf *b, const void *bytes, size_t len);
void sl_buf_u32(struct sl_buf *b, uint32_t v); /* 4 bytes, little end first */
void sl_buf_varint(struct sl_buf *b, uint64_t v);

static inline struct sl_bytes sl_buf_bytes(const struct sl_buf *b)
{
    return (struct sl_bytes){ b->ptr, b->len };
}

#endif
