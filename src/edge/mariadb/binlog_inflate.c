/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_inflate.h"

#include <stdlib.h>
#include <zlib.h>

#define INFLATE_MARK 0x80u
#define INFLATE_RAW 0x08u /* of a column: a bare deflate stream, without the zlib wrapper */
#define INFLATE_WIDTH 0x07u

void sl_inflate_buffer_deinit(struct sl_inflate_buffer *b)
{
    free(b->ptr);
    b->ptr = NULL;
    b->cap = 0;
}

enum sl_code sl_inflate_buffer_reserve(struct sl_inflate_buffer *b, uint64_t size, struct sl_err *err)
{
    if (size > b->bytes_max)
        return sl_err_set(err, SL_LIMIT, "binlog: %llu bytes inflated, at most %zu are allowed",
                          (unsigned long long)size, b->bytes_max);
    if (b->cap >= size && b->ptr)
        return SL_OK;
    uint8_t *grown = realloc(b->ptr, size > 0 ? (size_t)size : 1);
    if (!grown)
        return sl_err_set(err, SL_NOMEM, "binlog: no memory to inflate %llu bytes", (unsigned long long)size);
    b->ptr = grown;
    b->cap = (size_t)size;
    return SL_OK;
}

static bool inflate_all(struct sl_bytes packed, struct sl_inflate_buffer *b, size_t size, int window_bits)
{
    z_stream z = { 0 };
    if (inflateInit2(&z, window_bits) != Z_OK)
        return false;
    z.next_in = (Bytef *)(uintptr_t)packed.ptr;
    z.avail_in = (uInt)packed.len;
    z.next_out = b->ptr;
    z.avail_out = (uInt)size;
    int result = inflate(&z, Z_FINISH);
    bool is_whole = result == Z_STREAM_END && z.total_out == size;
    inflateEnd(&z);
    return is_whole;
}

static enum sl_code inflate_stream(struct sl_bytes *out, struct sl_cursor c, size_t width, int window_bits,
                                   struct sl_inflate_buffer *b, struct sl_err *err)
{
    uint64_t size = sl_cursor_be(&c, width);
    if (c.failed)
        return sl_err_set(err, SL_TRUNCATED, "binlog: compressed bytes end too early");
    if (sl_cursor_left(&c) > UINT32_MAX)
        return sl_err_set(err, SL_LIMIT, "binlog: more than 4 GiB of compressed bytes");
    enum sl_code code = sl_inflate_buffer_reserve(b, size, err);
    if (code != SL_OK)
        return code;
    if (!inflate_all((struct sl_bytes){ c.at, sl_cursor_left(&c) }, b, (size_t)size, window_bits))
        return sl_err_set(err, SL_MALFORMED, "binlog: compressed bytes are broken");
    *out = (struct sl_bytes){ b->ptr, (size_t)size };
    return SL_OK;
}

enum sl_code sl_inflate_event(struct sl_bytes *out, struct sl_bytes packed, struct sl_inflate_buffer *b,
                              struct sl_err *err)
{
    struct sl_cursor c = sl_cursor_of(packed);
    uint8_t head = sl_cursor_u8(&c);
    if (!(head & INFLATE_MARK))
        return sl_err_set(err, SL_MALFORMED, "binlog: a compression this reader does not know");
    return inflate_stream(out, c, head & INFLATE_WIDTH, MAX_WBITS, b, err);
}

enum sl_code sl_inflate_column(struct sl_bytes *out, struct sl_bytes packed, struct sl_inflate_buffer *b,
                               struct sl_err *err)
{
    struct sl_cursor c = sl_cursor_of(packed);
    if (packed.len == 0) {
        *out = packed;
        return SL_OK;
    }
    uint8_t head = sl_cursor_u8(&c);
    if (head == 0) {
        *out = (struct sl_bytes){ c.at, sl_cursor_left(&c) };
        return SL_OK;
    }
    if (!(head & INFLATE_MARK))
        return sl_err_set(err, SL_MALFORMED, "binlog: a compressed column of a kind this reader does not know");
    int window_bits = head & INFLATE_RAW ? -MAX_WBITS : MAX_WBITS;
    return inflate_stream(out, c, head & INFLATE_WIDTH, window_bits, b, err);
}
