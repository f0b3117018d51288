/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_CAP_MIN 256u
#define BUFFER_READ_BYTES 4096u

void sl_sim_buffer_deinit(struct sl_sim_buffer *b)
{
    free(b->ptr);
    *b = (struct sl_sim_buffer){ 0 };
}

void sl_sim_buffer_clear(struct sl_sim_buffer *b)
{
    b->len = 0;
    if (b->ptr)
        b->ptr[0] = 0;
}

static void buffer_reserve(struct sl_sim_buffer *b, size_t more)
{
    size_t cap = b->cap > 0 ? b->cap : BUFFER_CAP_MIN;
    while (cap < b->len + more + 1)
        cap *= 2;
    if (cap == b->cap)
        return;
    char *ptr = realloc(b->ptr, cap);
    SL_REQUIRE(ptr != NULL);
    b->ptr = ptr;
    b->cap = cap;
}

void sl_sim_buffer_add(struct sl_sim_buffer *b, struct sl_str s)
{
    buffer_reserve(b, s.len);
    if (s.len > 0)
        memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
    b->ptr[b->len] = 0;
}

void sl_sim_buffer_format(struct sl_sim_buffer *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    SL_REQUIRE(len >= 0);
    buffer_reserve(b, (size_t)len);
    vsnprintf(b->ptr + b->len, (size_t)len + 1, fmt, again);
    va_end(again);
    b->len += (size_t)len;
}

struct sl_str sl_sim_buffer_text(const struct sl_sim_buffer *b)
{
    return (struct sl_str){ b->ptr ? b->ptr : "", b->len };
}

bool sl_sim_buffer_read(struct sl_sim_buffer *b, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    size_t len;
    do {
        char chunk[BUFFER_READ_BYTES];
        len = fread(chunk, 1, sizeof chunk, file);
        sl_sim_buffer_add(b, (struct sl_str){ chunk, len });
    } while (len > 0 && !feof(file) && !ferror(file));
    bool is_good = !ferror(file);
    return fclose(file) == 0 && is_good;
}

bool sl_sim_buffer_write(const struct sl_sim_buffer *b, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    bool is_good = fwrite(b->ptr ? b->ptr : "", 1, b->len, file) == b->len;
    return fclose(file) == 0 && is_good;
}

bool sl_sim_next_line(struct sl_str *rest, struct sl_str *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    *line = (struct sl_str){ rest->ptr, len };
    size_t used = end ? len + 1 : len;
    rest->ptr += used;
    rest->len -= used;
    return true;
}
