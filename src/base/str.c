/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "base/check.h"

#include <string.h>

struct sl_str sl_str_of(const char *nul_terminated)
{
    if (!nul_terminated)
        return (struct sl_str){ 0 };
    return (struct sl_str){ nul_terminated, strlen(nul_terminated) };
}

/* memcmp may not be given NULL, and an empty view may be NULL. */
static int str_memcmp(const void *a, const void *b, size_t len)
{
    return len ? memcmp(a, b, len) : 0;
}

bool sl_str_eq(struct sl_str a, struct sl_str b)
{
    return a.len == b.len && str_memcmp(a.ptr, b.ptr, a.len) == 0;
}

int sl_str_cmp(struct sl_str a, struct sl_str b)
{
    int order = str_memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool sl_bytes_eq(struct sl_bytes a, struct sl_bytes b)
{
    return a.len == b.len && str_memcmp(a.ptr, b.ptr, a.len) == 0;
}

static bool utf8_is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/*
 * Bytes of the character that a lead byte announces; 0 if it cannot be one. 0xc0, 0xc1 could only start overlong
 * forms.
 */
static size_t utf8_announced(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2)
        return 0;
    if (lead < 0xe0)
        return 2;
    if (lead < 0xf0)
        return 3;
    return lead < 0xf5 ? 4 : 0;
}

/* Overlong forms, surrogates and what lies above U+10FFFF all show in the second byte (Unicode 15, table 3-7). */
static bool utf8_second_fits(uint8_t lead, uint8_t second)
{
    if (lead == 0xe0)
        return second >= 0xa0;
    if (lead == 0xed)
        return second < 0xa0;
    if (lead == 0xf0)
        return second >= 0x90;
    if (lead == 0xf4)
        return second < 0x90;
    return true;
}

/* Bytes of the valid character at p (len > 0 bytes follow), or 0. */
static size_t utf8_size(const char *p, size_t len)
{
    uint8_t lead = (uint8_t)p[0];
    size_t size = utf8_announced(lead);
    if (size == 0 || size > len)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if (!utf8_is_continuation((uint8_t)p[i]))
            return 0;
    }
    return size == 1 || utf8_second_fits(lead, (uint8_t)p[1]) ? size : 0;
}

bool sl_str_is_printable_utf8(struct sl_str s)
{
    for (size_t at = 0; at < s.len;) {
        size_t size = utf8_size(s.ptr + at, s.len - at);
        if (size == 0 || (uint8_t)s.ptr[at] < 0x20)
            return false;
        at += size;
    }
    return true;
}

static bool str_is_layout(char c)
{
    return c == '\n' || c == '\r' || c == '\t';
}

void sl_str_clean(char *text)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t size = utf8_size(text + at, len - at);
        bool is_bad = size == 0 || ((uint8_t)text[at] < 0x20 && !str_is_layout(text[at]));
        if (is_bad)
            text[at] = ' ';
        at += is_bad ? 1 : size;
    }
}

void sl_text_init(struct sl_text *t, char *memory, size_t cap)
{
    SL_REQUIRE(memory || cap == 0);
    *t = (struct sl_text){ .ptr = memory, .cap = cap };
    if (cap > 0)
        memory[0] = '\0';
}

static size_t text_room(const struct sl_text *t)
{
    if (t->cut || t->cap == 0)
        return 0;
    SL_REQUIRE(t->len < t->cap);
    return t->cap - 1 - t->len; /* one for the NUL */
}

/* len must fit. */
static void text_put(struct sl_text *t, const char *bytes, size_t len)
{
    memcpy(t->ptr + t->len, bytes, len);
    t->len += len;
    t->ptr[t->len] = '\0';
}

/* All or nothing: half a number or half an escape would be a lie. */
static void text_put_whole(struct sl_text *t, const char *bytes, size_t len)
{
    if (len > text_room(t))
        t->cut = true;
    else if (len > 0)
        text_put(t, bytes, len);
}

void sl_text_str(struct sl_text *t, struct sl_str s)
{
    size_t room = text_room(t);
    size_t len = s.len;
    if (len > room) {
        t->cut = true;
        len = room;
        while (len > 0 && utf8_is_continuation((uint8_t)s.ptr[len]))
            len--;
    }
    if (len > 0)
        text_put(t, s.ptr, len);
}

void sl_text_cstr(struct sl_text *t, const char *s)
{
    sl_text_str(t, sl_str_of(s));
}

/* Writes digits so that they end before "end"; gives the first. */
static char *text_digits(char *end, uint64_t v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return end;
}

void sl_text_u64(struct sl_text *t, uint64_t v)
{
    char digits[20];
    char *end = digits + sizeof digits;
    char *first = text_digits(end, v);
    text_put_whole(t, first, (size_t)(end - first));
}

void sl_text_i64(struct sl_text *t, int64_t v)
{
    char digits[20];
    char *end = digits + sizeof digits;
    char *first = text_digits(end, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    if (v < 0)
        *--first = '-';
    text_put_whole(t, first, (size_t)(end - first));
}

static const char text_hex[] = "0123456789abcdef";

void sl_text_hex64(struct sl_text *t, uint64_t v)
{
    char digits[16];
    for (size_t i = sizeof digits; i-- > 0; v >>= 4)
        digits[i] = text_hex[v & 15];
    text_put_whole(t, digits, sizeof digits);
}

/* Bytes of the character at p that may be shown as it is, or 0: control characters (C0, DEL, C1) and invalid UTF-8. */
static size_t logfmt_shown(const char *p, size_t len)
{
    size_t size = utf8_size(p, len);
    uint8_t lead = (uint8_t)p[0];
    bool is_c1 = size == 2 && lead == 0xc2 && (uint8_t)p[1] < 0xa0;
    return lead < 0x20 || lead == 0x7f || is_c1 ? 0 : size;
}

static bool logfmt_needs_quotes(struct sl_str s)
{
    for (size_t at = 0; at < s.len;) {
        size_t size = logfmt_shown(s.ptr + at, s.len - at);
        char c = s.ptr[at];
        if (size == 0 || c == ' ' || c == '"' || c == '=')
            return true;
        at += size;
    }
    return s.len == 0;
}

static void logfmt_escape_byte(struct sl_text *t, uint8_t byte)
{
    char escape[4] = { '\\', 'x', text_hex[byte >> 4], text_hex[byte & 15] };
    if (byte == '\n')
        text_put_whole(t, "\\n", 2);
    else if (byte == '\t')
        text_put_whole(t, "\\t", 2);
    else
        text_put_whole(t, escape, sizeof escape);
}

void sl_text_logfmt(struct sl_text *t, struct sl_str s)
{
    if (!logfmt_needs_quotes(s)) {
        sl_text_str(t, s);
        return;
    }
    text_put_whole(t, "\"", 1);
    for (size_t at = 0; at < s.len && !t->cut;) {
        size_t size = logfmt_shown(s.ptr + at, s.len - at);
        if (size == 0) {
            logfmt_escape_byte(t, (uint8_t)s.ptr[at]);
            at++;
            continue;
        }
        if (s.ptr[at] == '"' || s.ptr[at] == '\\')
            text_put_whole(t, "\\", 1);
        text_put_whole(t, s.ptr + at, size);
        at += size;
    }
    text_put_whole(t, "\"", 1);
}
