/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/buf.h"

#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 1024 };

bool sl__buf_reserve(struct sl__buf *b, size_t cap)
{
    if (cap <= b->cap)
        return true;
    if (cap > b->bytes_max)
        return false;
    size_t grown = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap * 2;
    if (grown > b->bytes_max)
        grown = b->bytes_max;
    if (grown < cap)
        grown = cap;
    char *ptr = realloc(b->ptr, grown);
    if (!ptr)
        return false;
    b->ptr = ptr;
    b->cap = grown;
    return true;
}

bool sl__buf_add(struct sl__buf *b, const void *bytes, size_t len)
{
    if (len > b->bytes_max - b->len || !sl__buf_reserve(b, b->len + len))
        return false;
    if (len > 0)
        memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
    return true;
}

void sl__buf_deinit(struct sl__buf *b)
{
    free(b->ptr);
    *b = (struct sl__buf){ .bytes_max = b->bytes_max };
}

bool sl__buf_render(struct sl__buf *b, sl__render *render, const void *ctx)
{
    size_t cap = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap;
    while (sl__buf_reserve(b, cap)) {
        struct sl_text text;
        struct sl_json_out j;
        sl_text_init(&text, b->ptr, b->cap);
        sl_json_out_init(&j, &text);
        render(&j, ctx);
        if (j.bad)
            return false;
        if (!text.cut) {
            b->len = text.len;
            return true;
        }
        if (b->cap >= b->bytes_max)
            return false;
        cap = b->cap > b->bytes_max / 2 ? b->bytes_max : b->cap * 2;
    }
    return false;
}

/* The same beginning as every value of wire/json_out.c has. */
static void buf_begin(struct sl_json_out *j)
{
    if (j->comma)
        sl_text_cstr(j->text, ",");
    j->comma = true;
}

void sl__json_i64(struct sl_json_out *j, int64_t v)
{
    buf_begin(j);
    sl_text_i64(j->text, v);
}

void sl__json_raw(struct sl_json_out *j, struct sl_str json)
{
    buf_begin(j);
    sl_text_str(j->text, json);
}

/* Whether sl_json_str can write it: control characters are escaped, the rest has to be UTF-8. */
static bool buf_is_text(struct sl_str s)
{
    for (size_t at = 0; at < s.len;) {
        size_t end = at;
        while (end < s.len && (unsigned char)s.ptr[end] >= 0x20)
            end++;
        if (end > at && !sl_str_is_printable_utf8((struct sl_str){ s.ptr + at, end - at }))
            return false;
        at = end + 1;
    }
    return true;
}

void sl__json_text(struct sl_json_out *j, struct sl_str s)
{
    char clean[512];
    if (buf_is_text(s)) {
        sl_json_str(j, s);
        return;
    }
    /* Rare: shown without what cannot be shown, cut to what a person reads. */
    size_t len = s.len < sizeof clean ? s.len : sizeof clean;
    for (size_t i = 0; i < len; i++)
        clean[i] = s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f ? s.ptr[i] : '?';
    sl_json_str(j, (struct sl_str){ clean, len });
}

void sl__json_cstr(struct sl_json_out *j, const char *s)
{
    sl__json_text(j, sl_str_of(s));
}

void sl__put_text(struct sl_json_out *j, const char *key, struct sl_str s)
{
    sl_json_key(j, key);
    sl__json_text(j, s);
}

void sl__put_cstr(struct sl_json_out *j, const char *key, const char *s)
{
    sl__put_text(j, key, sl_str_of(s));
}

void sl__put_u64(struct sl_json_out *j, const char *key, uint64_t v)
{
    sl_json_key(j, key);
    sl_json_u64(j, v);
}

void sl__put_i64(struct sl_json_out *j, const char *key, int64_t v)
{
    sl_json_key(j, key);
    sl__json_i64(j, v);
}

void sl__put_bool(struct sl_json_out *j, const char *key, bool v)
{
    sl_json_key(j, key);
    sl_json_bool(j, v);
}

void sl__put_null(struct sl_json_out *j, const char *key)
{
    sl_json_key(j, key);
    sl_json_null(j);
}
