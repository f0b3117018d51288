/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

static _Noreturn void text_no_memory(void)
{
    fputs("sluice: no memory\n", stderr);
    exit(1);
}

void *sl_cli_alloc(size_t size)
{
    void *p = calloc(1, size > 0 ? size : 1);
    if (!p)
        text_no_memory();
    return p;
}

char *sl_cli_copy(const char *text)
{
    size_t len = strlen(text);
    char *copy = sl_cli_alloc(len + 1);
    memcpy(copy, text, len);
    return copy;
}

/* ---- buffer ---- */

void sl_cli_buf_free(struct sl_cli_buf *b)
{
    free(b->ptr);
    *b = (struct sl_cli_buf){ 0 };
}

void sl_cli_buf_clear(struct sl_cli_buf *b)
{
    b->len = 0;
    if (b->ptr)
        b->ptr[0] = '\0';
}

void sl_cli_add_bytes(struct sl_cli_buf *b, const char *ptr, size_t len)
{
    if (b->cap - b->len <= len) {
        size_t cap = (b->cap + len + 128) * 2;
        char *grown = realloc(b->ptr, cap);
        if (!grown)
            text_no_memory();
        b->ptr = grown;
        b->cap = cap;
    }
    if (len > 0)
        memcpy(b->ptr + b->len, ptr, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

void sl_cli_add(struct sl_cli_buf *b, const char *text)
{
    sl_cli_add_bytes(b, text, strlen(text));
}

void sl_cli_addf(struct sl_cli_buf *b, const char *fmt, ...)
{
    char small[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    SL_REQUIRE(len >= 0);
    if ((size_t)len < sizeof small) {
        sl_cli_add_bytes(b, small, (size_t)len);
        return;
    }
    char *large = sl_cli_alloc((size_t)len + 1);
    va_start(args, fmt);
    (void)vsnprintf(large, (size_t)len + 1, fmt, args);
    va_end(args);
    sl_cli_add_bytes(b, large, (size_t)len);
    free(large);
}

void sl_cli_add_fill(struct sl_cli_buf *b, char c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sl_cli_add_bytes(b, &c, 1);
}

/* ---- text of others ---- */

/* Bytes of the well-formed UTF-8 character at s, 0 if it is none. */
static size_t text_utf8_len(const unsigned char *s)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = s[0] < 0x80 ? 1 : 0;
    uint32_t code = s[0];
    if (s[0] >= 0xc2 && s[0] < 0xf5) {
        len = s[0] < 0xe0 ? 2 : 3;
        len += s[0] >= 0xf0;
        code = s[0] & (0xffu >> (len + 1));
    }
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    bool is_surrogate = code >= 0xd800 && code < 0xe000;
    return len > 1 && (code < least[len] || is_surrogate || code > 0x10ffff) ? 0 : len;
}

/* Control characters, and the ones that turn the direction of text, which can make a line read as another. */
static bool text_is_control(const unsigned char *s, size_t len)
{
    if (len == 1)
        return s[0] < 0x20 || s[0] == 0x7f;
    if (len == 2)
        return s[0] == 0xc2 && s[1] < 0xa0;
    bool is_bidi = len == 3 && s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae;
    bool is_isolate = len == 3 && s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9;
    return is_bidi || is_isolate;
}

void sl_cli_clean(char *to, size_t size, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;
    while (*s != '\0') {
        size_t len = text_utf8_len(s);
        bool is_plain = len > 0 && !text_is_control(s, len);
        size_t needed = is_plain ? len : 4;
        if (at + needed >= size)
            break;
        if (is_plain) {
            memcpy(to + at, s, len);
        } else {
            const char escape[4] = { '\\', 'x', digits[*s >> 4], digits[*s & 15] };
            memcpy(to + at, escape, sizeof escape);
        }
        at += needed;
        s += is_plain ? len : 1;
    }
    to[at] = '\0';
}

static const char *text_skip_colour(const char *p)
{
    if (p[0] != '\033' || p[1] != '[')
        return p;
    p += 2;
    while (*p != '\0' && *p != 'm')
        p++;
    return *p == 'm' ? p + 1 : p;
}

static bool text_begins_column(unsigned char c)
{
    return (c & 0xc0) != 0x80;
}

size_t sl_cli_width(const char *text)
{
    size_t width = 0;
    const char *p = text_skip_colour(text);
    while (*p != '\0') {
        width += text_begins_column((unsigned char)*p);
        p = text_skip_colour(p + 1);
    }
    return width;
}

void sl_cli_add_cut(struct sl_cli_buf *b, const char *text, size_t width)
{
    size_t all = sl_cli_width(text), column = 0;
    bool is_colour = false;
    for (const char *p = text; *p != '\0'; p++) {
        is_colour = is_colour || (p[0] == '\033' && p[1] == '[');
        if (is_colour) {
            sl_cli_add_bytes(b, p, 1);
            is_colour = *p != 'm';
            continue;
        }
        column += text_begins_column((unsigned char)*p);
        if (all <= width || column < width)
            sl_cli_add_bytes(b, p, 1);
        else if (column == width && text_begins_column((unsigned char)*p))
            sl_cli_add(b, "~");
    }
}

/* ---- numbers ---- */

void sl_cli_add_count(struct sl_cli_buf *b, uint64_t v)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, v);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            sl_cli_add(b, ",");
        sl_cli_add_bytes(b, &digits[i], 1);
    }
}

#define TEXT_MINUTE_MS (60 * UINT64_C(1000))
#define TEXT_HOUR_MS (60 * TEXT_MINUTE_MS)
#define TEXT_DAY_MS (24 * TEXT_HOUR_MS)

void sl_cli_add_ms(struct sl_cli_buf *b, uint64_t ms)
{
    if (ms < 1000)
        sl_cli_addf(b, "%" PRIu64 " ms", ms);
    else if (ms < 10000)
        sl_cli_addf(b, "%" PRIu64 ".%" PRIu64 " s", ms / 1000, ms % 1000 / 100);
    else if (ms < TEXT_MINUTE_MS)
        sl_cli_addf(b, "%" PRIu64 " s", ms / 1000);
    else if (ms < TEXT_HOUR_MS)
        sl_cli_addf(b, "%" PRIu64 " m %02" PRIu64 " s", ms / TEXT_MINUTE_MS, ms % TEXT_MINUTE_MS / 1000);
    else if (ms < TEXT_DAY_MS)
        sl_cli_addf(b, "%" PRIu64 " h %02" PRIu64 " m", ms / TEXT_HOUR_MS, ms % TEXT_HOUR_MS / TEXT_MINUTE_MS);
    else
        sl_cli_addf(b, "%" PRIu64 " d %02" PRIu64 " h", ms / TEXT_DAY_MS, ms % TEXT_DAY_MS / TEXT_HOUR_MS);
}

void sl_cli_add_age(struct sl_cli_buf *b, uint64_t ms)
{
    struct sl_cli_buf spaced = { 0 };
    sl_cli_add_ms(&spaced, ms);
    for (const char *p = spaced.ptr; *p != '\0'; p++) {
        if (*p != ' ')
            sl_cli_add_bytes(b, p, 1);
    }
    sl_cli_buf_free(&spaced);
}

static uint64_t text_unit_ms(const char *unit, size_t len)
{
    if (len == 2 && memcmp(unit, "ms", 2) == 0)
        return 1;
    if (len > 1)
        return 0;
    switch (len == 0 ? 's' : *unit) {
    case 's':
        return 1000;
    case 'm':
        return TEXT_MINUTE_MS;
    case 'h':
        return TEXT_HOUR_MS;
    case 'd':
        return TEXT_DAY_MS;
    default:
        return 0;
    }
}

bool sl_cli_parse_ms(const char *text, uint64_t *ms)
{
    const uint64_t max = 3660 * TEXT_DAY_MS;
    *ms = 0;
    if (*text == '\0')
        return false;
    for (const char *p = text; *p != '\0';) {
        uint64_t v = 0;
        const char *digits = p;
        for (; *p >= '0' && *p <= '9' && v <= max; p++)
            v = v * 10 + (uint64_t)(*p - '0');
        const char *unit = p;
        while (*p >= 'a' && *p <= 'z')
            p++;
        uint64_t unit_ms = text_unit_ms(unit, (size_t)(p - unit));
        bool is_bare_part = p == unit && digits != text;
        if (digits == unit || unit_ms == 0 || is_bare_part || v > max / unit_ms || *ms + v * unit_ms > max)
            return false;
        *ms += v * unit_ms;
    }
    return true;
}

bool sl_cli_parse_u64(const char *text, uint64_t *v)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *v = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}
