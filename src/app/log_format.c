/* SPDX-License-Identifier: Apache-2.0 */
#include "app/log.h"

#include "base/check.h"

#include <stdio.h>
#include <time.h>

static const char *const log_levels[] = { "debug", "info", "warn", "error" };

bool sl_log_level_of(struct sl_str name, enum sl_event_level *out)
{
    for (size_t i = 0; i < sizeof log_levels / sizeof log_levels[0]; i++) {
        if (sl_str_eq(name, sl_str_of(log_levels[i]))) {
            *out = (enum sl_event_level)i;
            return true;
        }
    }
    return false;
}

/* RFC 3339 in UTC, milliseconds. */
static void log_time(struct sl_text *line, uint64_t wall)
{
    char text[96];
    struct tm tm;
    time_t seconds = (time_t)(wall / UINT64_C(1000000000));
    if (!gmtime_r(&seconds, &tm))
        return;
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(wall / 1000000 % 1000));
    sl_text_cstr(line, text);
}

/* ---- logfmt ---- */

static void logfmt_value(struct sl_text *line, const struct sl_field *f)
{
    switch (f->kind) {
    case SL_FIELD_STR:
        sl_text_logfmt(line, f->str);
        return;
    case SL_FIELD_U64:
        sl_text_u64(line, f->u64);
        return;
    case SL_FIELD_I64:
        sl_text_i64(line, (int64_t)f->u64);
        return;
    case SL_FIELD_HEX128:
        sl_text_hex64(line, f->u64);
        sl_text_hex64(line, f->u64_low);
        return;
    }
    SL_UNREACHABLE();
}

/* ---- JSON ---- */

/* Length of the UTF-8 character at the beginning of s, 0 if there is none. */
static size_t json_character(struct sl_str s)
{
    for (size_t len = 1; len <= 4 && len <= s.len; len++) {
        /* What is printable here is whole UTF-8 without control characters. */
        if (sl_str_is_printable_utf8((struct sl_str){ s.ptr, len }))
            return len;
    }
    return 0;
}

static void json_string(struct sl_text *line, struct sl_str s)
{
    sl_text_cstr(line, "\"");
    while (s.len > 0) {
        char escape[8];
        size_t len = json_character(s);
        if (len == 0) {
            /* A byte that is no text is shown as the code point of its number. */
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)s.ptr[0]);
            sl_text_cstr(line, escape);
            len = 1;
        } else if (s.ptr[0] == '"' || s.ptr[0] == '\\') {
            snprintf(escape, sizeof escape, "\\%c", s.ptr[0]);
            sl_text_cstr(line, escape);
        } else {
            sl_text_str(line, (struct sl_str){ s.ptr, len });
        }
        s.ptr += len;
        s.len -= len;
    }
    sl_text_cstr(line, "\"");
}

static void json_member(struct sl_text *line, const char *key, struct sl_str value)
{
    sl_text_cstr(line, ",\"");
    sl_text_cstr(line, key);
    sl_text_cstr(line, "\":");
    json_string(line, value);
}

static void json_value(struct sl_text *line, const struct sl_field *f)
{
    switch (f->kind) {
    case SL_FIELD_STR:
        json_string(line, f->str);
        return;
    case SL_FIELD_U64:
        sl_text_u64(line, f->u64);
        return;
    case SL_FIELD_I64:
        sl_text_i64(line, (int64_t)f->u64);
        return;
    case SL_FIELD_HEX128:
        sl_text_cstr(line, "\"");
        sl_text_hex64(line, f->u64);
        sl_text_hex64(line, f->u64_low);
        sl_text_cstr(line, "\"");
        return;
    }
    SL_UNREACHABLE();
}

/* ---- a line ---- */

static void log_json(struct sl_text *line, uint64_t wall, struct sl_str node, enum sl_event_level level,
                     const char *name, const char *text, const struct sl_field *fields, uint32_t count)
{
    sl_text_cstr(line, "{\"time\":\"");
    log_time(line, wall);
    sl_text_cstr(line, "\"");
    json_member(line, "self", node);
    json_member(line, "level", sl_str_of(log_levels[level]));
    json_member(line, "event", sl_str_of(name));
    for (uint32_t i = 0; i < count; i++) {
        sl_text_cstr(line, ",\"");
        sl_text_cstr(line, fields[i].key);
        sl_text_cstr(line, "\":");
        json_value(line, &fields[i]);
    }
    json_member(line, "msg", sl_str_of(text));
    sl_text_cstr(line, "}");
}

void sl_log_format(struct sl_text *line, enum sl_log_format format, uint64_t wall, struct sl_str node,
                   enum sl_event_level level, const char *name, const char *text, const struct sl_field *fields,
                   uint32_t count)
{
    if (format == SL_LOG_JSON) {
        log_json(line, wall, node, level, name, text, fields, count);
        return;
    }
    sl_text_cstr(line, "time=");
    log_time(line, wall);
    sl_text_cstr(line, " self=");
    sl_text_logfmt(line, node);
    sl_text_cstr(line, " level=");
    sl_text_cstr(line, log_levels[level]);
    sl_text_cstr(line, " event=");
    sl_text_cstr(line, name);
    for (uint32_t i = 0; i < count; i++) {
        sl_text_cstr(line, " ");
        sl_text_cstr(line, fields[i].key);
        sl_text_cstr(line, "=");
        logfmt_value(line, &fields[i]);
    }
    sl_text_cstr(line, " msg=");
    sl_text_logfmt(line, sl_str_of(text));
}
