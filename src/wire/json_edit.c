/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_edit.h"

#include <string.h>

/* The text is known to be well-formed: what is checked here only keeps the scan inside it. */
struct edit_scan {
    struct sl_bytes text;
    size_t at;
};

struct edit_range { /* of a value; to = 0: the member is not there */
    size_t from, to;
};

static uint8_t edit_peek(const struct edit_scan *s)
{
    return s->at < s->text.len ? s->text.ptr[s->at] : 0;
}

static void edit_skip_space(struct edit_scan *s)
{
    while (edit_peek(s) == ' ' || edit_peek(s) == '\t' || edit_peek(s) == '\n' || edit_peek(s) == '\r')
        s->at++;
}

/* What stands between the quotes, escapes and all. */
static struct sl_str edit_string(struct edit_scan *s)
{
    size_t from = ++s->at;
    while (s->at < s->text.len && edit_peek(s) != '"')
        s->at += edit_peek(s) == '\\' ? 2 : 1;
    SL_REQUIRE(s->at < s->text.len);
    return (struct sl_str){ (const char *)s->text.ptr + from, s->at++ - from };
}

/* The character of four hexadecimal digits. */
static uint32_t edit_hex(const char *digits)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = (uint8_t)digits[i];
        value = value * 16 + (c <= '9' ? c - 48u : (c | 32u) - 87u); /* ASCII: '0' is 48, 'a' - 10 is 87 */
    }
    return value;
}

/* The next character of a key as it is written, 0 at its end. Of all escapes only \u can write a letter of a word. */
static uint32_t edit_char(struct sl_str written, size_t *at)
{
    if (*at >= written.len)
        return 0;
    bool escaped = written.len - *at >= 6 && written.ptr[*at] == '\\' && written.ptr[*at + 1] == 'u';
    uint32_t c = escaped ? edit_hex(written.ptr + *at + 2) : (uint8_t)written.ptr[*at];
    *at += escaped ? 6 : 1;
    return c;
}

/* A NUL ends the key, because it does so for json-c. */
static bool edit_key_is(struct sl_str written, const char *word)
{
    size_t at = 0;
    while (*word != '\0') {
        if (edit_char(written, &at) != (uint8_t)*word++)
            return false;
    }
    return edit_char(written, &at) == 0;
}

static bool edit_is_end_of_scalar(uint8_t c)
{
    return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void edit_skip_value(struct edit_scan *s)
{
    uint32_t depth = 0;
    do {
        SL_REQUIRE(s->at < s->text.len);
        uint8_t c = edit_peek(s);
        if (c == '"') {
            (void)edit_string(s);
        } else if (c == '{' || c == '[') {
            depth++;
            s->at++;
        } else if (c == '}' || c == ']') {
            depth--;
            s->at++;
        } else if (depth > 0) {
            s->at++;
        } else {
            while (s->at < s->text.len && !edit_is_end_of_scalar(edit_peek(s)))
                s->at++;
        }
    } while (depth > 0);
}

/* The next member of the outermost object, at its opening brace or at a comma; false at its end. */
static bool edit_next(struct edit_scan *s, struct sl_str *key, struct edit_range *value)
{
    s->at++;
    edit_skip_space(s);
    if (edit_peek(s) == '}')
        return false;
    *key = edit_string(s);
    edit_skip_space(s);
    s->at++; /* the colon */
    edit_skip_space(s);
    value->from = s->at;
    edit_skip_value(s);
    value->to = s->at;
    edit_skip_space(s);
    return true;
}

static void edit_find(struct edit_range *ranges, struct sl_bytes text, const struct sl__json_change *changes,
                      uint32_t count, size_t *last)
{
    struct edit_scan s = { .text = text };
    struct sl_str key;
    struct edit_range value;
    edit_skip_space(&s);
    *last = s.at + 1;
    bool more = true;
    while (more && edit_next(&s, &key, &value)) {
        *last = value.to;
        for (uint32_t i = 0; i < count; i++) {
            if (edit_key_is(key, changes[i].key))
                ranges[i] = value;
        }
        more = edit_peek(&s) == ',';
    }
}

struct edit_out {
    uint8_t *ptr;
    size_t len;
};

static void edit_put(struct edit_out *out, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(out->ptr + out->len, bytes, len);
    out->len += len;
}

/* The change that stands first in the text at or after "from"; count if there is none. */
static uint32_t edit_first(const struct edit_range *ranges, uint32_t count, size_t from)
{
    uint32_t first = count;
    for (uint32_t i = 0; i < count; i++) {
        if (ranges[i].to > 0 && ranges[i].from >= from && (first == count || ranges[i].from < ranges[first].from))
            first = i;
    }
    return first;
}

static void edit_append(struct edit_out *out, const struct sl__json_change *change, bool comma)
{
    edit_put(out, ",", comma ? 1 : 0);
    edit_put(out, "\"", 1);
    edit_put(out, change->key, strlen(change->key));
    edit_put(out, "\":", 2);
    edit_put(out, change->value.ptr, change->value.len);
}

static void edit_write(struct edit_out *out, struct sl_bytes text, const struct sl__json_change *changes,
                       uint32_t count)
{
    struct edit_range ranges[SL__JSON_CHANGES_MAX] = { { 0 } };
    size_t last = 0, at = 0;
    edit_find(ranges, text, changes, count, &last);
    bool comma = text.ptr[last - 1] != '{';
    for (uint32_t i = edit_first(ranges, count, at); i < count; i = edit_first(ranges, count, at)) {
        edit_put(out, text.ptr + at, ranges[i].from - at);
        edit_put(out, changes[i].value.ptr, changes[i].value.len);
        at = ranges[i].to;
    }
    edit_put(out, text.ptr + at, last - at);
    for (uint32_t i = 0; i < count; i++) {
        if (ranges[i].to > 0 || changes[i].only_if_there)
            continue;
        edit_append(out, &changes[i], comma);
        comma = true;
    }
    edit_put(out, text.ptr + last, text.len - last);
}

enum sl_code sl__json_edit(struct sl_secret *out, struct sl_secret json, const struct sl__json_change *changes,
                           uint32_t count, struct sl_arena *arena)
{
    SL_REQUIRE(count <= SL__JSON_CHANGES_MAX);
    struct sl_bytes text = sl_secret_reveal(json);
    size_t size_max = text.len;
    for (uint32_t i = 0; i < count; i++)
        size_max += changes[i].value.len + strlen(changes[i].key) + 4;
    struct edit_out written = { .ptr = sl_arena_alloc(arena, size_max) };
    *out = (struct sl_secret){ 0 };
    if (!written.ptr)
        return SL_NOMEM;
    edit_write(&written, text, changes, count);
    *out = sl_secret_of((struct sl_bytes){ written.ptr, written.len });
    return SL_OK;
}
