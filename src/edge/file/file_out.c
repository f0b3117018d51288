/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_out.h"

#include "base/hash.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void sl_file_out_init(struct sl_file_out *o, int fd, uint64_t length)
{
    o->fd = fd;
    o->error = 0;
    o->length = length;
    o->hash = 0;
    o->used = 0;
    o->comma = false;
}

bool sl_file_out_flush(struct sl_file_out *o)
{
    uint64_t at = o->length - o->used;
    if (o->fd < 0)
        o->hash = sl_hash_bytes(o->hash, o->buffer, o->used);
    for (size_t done = 0; o->fd >= 0 && done < o->used && o->error == 0;) {
        ssize_t n = pwrite(o->fd, o->buffer + done, o->used - done, (off_t)(at + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            o->error = n == 0 ? EIO : errno;
    }
    o->used = 0;
    return o->error == 0;
}

void sl_file_out_put(struct sl_file_out *o, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0 && o->error == 0) {
        size_t room = sizeof o->buffer - o->used;
        size_t part = size < room ? size : room;
        memcpy(o->buffer + o->used, at, part);
        o->used += part;
        o->length += part;
        at += part;
        size -= part;
        if (o->used == sizeof o->buffer)
            sl_file_out_flush(o);
    }
}

void sl_file_out_cstr(struct sl_file_out *o, const char *text)
{
    sl_file_out_put(o, text, strlen(text));
}

void sl_file_out_u64(struct sl_file_out *o, uint64_t v)
{
    char text[20];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    sl_file_out_put(o, text + at, sizeof text - at);
}

void sl_file_out_i64(struct sl_file_out *o, int64_t v)
{
    if (v < 0)
        sl_file_out_put(o, "-", 1);
    sl_file_out_u64(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

/* As many digits as give the same number back. */
void sl_file_out_double(struct sl_file_out *o, double v, bool is_float)
{
    char text[40];
    snprintf(text, sizeof text, is_float ? "%.9g" : "%.17g", v);
    sl_file_out_cstr(o, isfinite(v) ? text : "null");
}

void sl_file_out_base64(struct sl_file_out *o, const uint8_t *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                        (left > 2 ? (uint32_t)data[i + 2] : 0);
        char text[4] = { digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                         left > 2 ? digits[bits & 63] : '=' };
        sl_file_out_put(o, text, sizeof text);
    }
}

/* ---- JSON ---- */

void sl_file_json_value(struct sl_file_out *o)
{
    if (o->comma)
        sl_file_out_put(o, ",", 1);
    o->comma = true;
}

void sl_file_json_open(struct sl_file_out *o, char bracket)
{
    sl_file_json_value(o);
    sl_file_out_put(o, &bracket, 1);
    o->comma = false;
}

void sl_file_json_close(struct sl_file_out *o, char bracket)
{
    sl_file_out_put(o, &bracket, 1);
    o->comma = true;
}

static bool out_is_plain(char c)
{
    return (uint8_t)c >= 0x20 && c != '"' && c != '\\';
}

static void out_escape(struct sl_file_out *o, char c)
{
    char text[8];
    if (c == '"' || c == '\\')
        snprintf(text, sizeof text, "\\%c", c);
    else
        snprintf(text, sizeof text, "\\u%04x", (unsigned)(uint8_t)c);
    sl_file_out_cstr(o, text);
}

static void out_quoted(struct sl_file_out *o, struct sl_str s, bool is_valid)
{
    sl_file_json_value(o);
    sl_file_out_put(o, "\"", 1);
    for (size_t at = 0; at < s.len;) {
        size_t end = at;
        while (end < s.len && out_is_plain(s.ptr[end]) && (is_valid || (uint8_t)s.ptr[end] < 0x80))
            end++;
        sl_file_out_put(o, s.ptr + at, end - at);
        if (end < s.len && (uint8_t)s.ptr[end] >= 0x80)
            sl_file_out_put(o, "?", 1);
        else if (end < s.len)
            out_escape(o, s.ptr[end]);
        at = end + 1;
    }
    sl_file_out_put(o, "\"", 1);
}

void sl_file_json_str(struct sl_file_out *o, struct sl_str s)
{
    out_quoted(o, s, sl_file_is_utf8(s));
}

void sl_file_json_utf8(struct sl_file_out *o, struct sl_str s)
{
    out_quoted(o, s, true);
}

void sl_file_json_key(struct sl_file_out *o, struct sl_str key)
{
    sl_file_json_str(o, key);
    sl_file_out_put(o, ":", 1);
    o->comma = false;
}

void sl_file_json_raw(struct sl_file_out *o, const char *literal)
{
    sl_file_json_value(o);
    sl_file_out_cstr(o, literal);
}

bool sl_file_is_utf8(struct sl_str s)
{
    for (size_t at = 0; at < s.len;) {
        /* A run ends at a control character, so never inside of another one. */
        size_t end = at;
        while (end < s.len && (uint8_t)s.ptr[end] >= 0x20 && s.ptr[end] != 0x7f)
            end++;
        if (!sl_str_is_printable_utf8((struct sl_str){ s.ptr + at, end - at }))
            return false;
        at = end + 1;
    }
    return true;
}
