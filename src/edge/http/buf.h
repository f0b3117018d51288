/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_BUF_H
#define SL_EDGE_HTTP_BUF_H

#include "base/check.h"
#include "base/str.h"
#include "wire/json_out.h"

/* Bytes on the heap that grow up to a maximum. Zero it and set bytes_max. */
struct sl__buf {
    char *ptr;
    size_t len, cap, bytes_max;
};
/* False: over the maximum or no memory; the content is unchanged then. */
SL_CHECKED bool sl__buf_add(struct sl__buf *b, const void *bytes, size_t len);
SL_CHECKED bool sl__buf_reserve(struct sl__buf *b, size_t cap); /* room for cap bytes in all */
void sl__buf_deinit(struct sl__buf *b);
/* What it holds; valid until the next change. */
static inline struct sl_str sl__buf_str(const struct sl__buf *b)
{
    return (struct sl_str){ b->ptr, b->len };
}

/*
 * Renders JSON whose size nobody knows before: into b, from its start, and again with twice the room as long as it is
 * cut, up to the maximum. So render must be a function of ctx alone. False: over the maximum, no memory, or a text that
 * is not UTF-8.
 */
typedef void sl__render(struct sl_json_out *j, const void *ctx);
SL_CHECKED bool sl__buf_render(struct sl__buf *b, sl__render *render, const void *ctx);

/* ---- what wire/json_out.h does not have ---- */
void sl__json_i64(struct sl_json_out *j, int64_t v);
void sl__json_raw(struct sl_json_out *j, struct sl_str json); /* a whole value, JSON already */
/* As sl_json_str, but bytes that are not UTF-8 and NUL become '?': for what came from outside. */
void sl__json_text(struct sl_json_out *j, struct sl_str s);
void sl__json_cstr(struct sl_json_out *j, const char *s);

/* A key and its value. */
void sl__put_text(struct sl_json_out *j, const char *key, struct sl_str s);
void sl__put_cstr(struct sl_json_out *j, const char *key, const char *s);
void sl__put_u64(struct sl_json_out *j, const char *key, uint64_t v);
void sl__put_i64(struct sl_json_out *j, const char *key, int64_t v);
void sl__put_bool(struct sl_json_out *j, const char *key, bool v);
void sl__put_null(struct sl_json_out *j, const char *key);

#endif
