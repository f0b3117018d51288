/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_json.h"

#include "edge/mariadb/binlog_table.h"
#include "edge/mariadb/binlog_temporal.h"

#include <inttypes.h>
#include <stdio.h>

enum json_type {
    JSON_SMALL_OBJECT = 0x00,
    JSON_LARGE_OBJECT = 0x01,
    JSON_SMALL_ARRAY = 0x02,
    JSON_LARGE_ARRAY = 0x03,
    JSON_LITERAL = 0x04,
    JSON_INT16 = 0x05,
    JSON_UINT16 = 0x06,
    JSON_INT32 = 0x07,
    JSON_UINT32 = 0x08,
    JSON_INT64 = 0x09,
    JSON_UINT64 = 0x0a,
    JSON_DOUBLE = 0x0b,
    JSON_STRING = 0x0c,
    JSON_OPAQUE = 0x0f,
};

#define JSON_TEXT_MIN 64u        /* the smallest documents are those that grow most */
#define JSON_LINE_BASE64 76u     /* the server breaks lines there, and spells the break as \n */
#define JSON_LENGTH_BYTES_MAX 5u /* of 7 bits */

struct json_container {
    struct sl_bytes bytes; /* all of it, from its count on */
    uint32_t count, next;
    uint32_t keys_at, values_at, data_at;
    uint8_t width; /* of a count, a size, an offset */
    bool is_object;
};

struct json_writer {
    struct sl_inflate_buffer *b;
    struct sl_err *err;
    enum sl_code code; /* the first thing that went wrong; nothing is written after it */
    size_t len, max;
    uint32_t depth;
    struct json_container open[SL_JSON_DEPTH_MAX];
};

static void json_fail(struct json_writer *w, enum sl_code code, const char *text)
{
    if (w->code == SL_OK)
        w->code = sl_err_set(w->err, code, "binary JSON %s", text);
}

/* ---- text ---- */

static bool json_make_room(struct json_writer *w, size_t len)
{
    if (w->code != SL_OK)
        return false;
    if (len > w->max - w->len) {
        json_fail(w, SL_MALFORMED, "has values that share their bytes");
        return false;
    }
    size_t needed = w->len + len;
    if (needed <= w->b->cap)
        return true;
    size_t wanted = needed < w->max / 2 ? 2 * needed : w->max;
    if (wanted > w->b->bytes_max)
        wanted = needed;
    w->code = sl_inflate_buffer_reserve(w->b, wanted, w->err);
    return w->code == SL_OK;
}

static void json_put(struct json_writer *w, const void *text, size_t len)
{
    if (len == 0 || !json_make_room(w, len))
        return;
    memcpy(w->b->ptr + w->len, text, len);
    w->len += len;
}

static void json_put_cstr(struct json_writer *w, const char *text)
{
    json_put(w, text, strlen(text));
}

/* The two characters of an escape that has a name; other control characters have their number. */
static void json_put_escape(struct json_writer *w, uint8_t c)
{
    static const char named[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    char text[8] = "\\";
    for (size_t i = 0; i < sizeof named - 1; i += 2) {
        if ((uint8_t)named[i] == c)
            text[1] = named[i + 1];
    }
    if (text[1] == 0)
        snprintf(text, sizeof text, "\\u%04x", c);
    json_put_cstr(w, text);
}

static void json_put_string(struct json_writer *w, struct sl_bytes s)
{
    size_t from = 0;
    json_put(w, "\"", 1);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= 0x20 && s.ptr[i] != '"' && s.ptr[i] != '\\')
            continue;
        json_put(w, s.ptr + from, i - from);
        json_put_escape(w, s.ptr[i]);
        from = i + 1;
    }
    if (s.len > 0)
        json_put(w, s.ptr + from, s.len - from);
    json_put(w, "\"", 1);
}

static void json_put_base64(struct json_writer *w, struct sl_bytes data)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t line = 0;
    for (size_t i = 0; i < data.len && w->code == SL_OK; i += 3, line += 4) {
        size_t left = data.len - i;
        uint32_t v = (uint32_t)data.ptr[i] << 16 | (left > 1 ? (uint32_t)data.ptr[i + 1] << 8 : 0) |
                     (left > 2 ? data.ptr[i + 2] : 0u);
        const char four[] = { digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                              left > 2 ? digits[v & 63] : '=' };
        if (line == JSON_LINE_BASE64) {
            json_put_cstr(w, "\\n");
            line = 0;
        }
        json_put(w, four, sizeof four);
    }
}

/* ---- scalars ---- */

static void json_put_literal(struct json_writer *w, uint64_t v)
{
    static const char *const names[] = { "null", "true", "false" };
    if (v < sizeof names / sizeof names[0])
        json_put_cstr(w, names[v]);
    else
        json_fail(w, SL_MALFORMED, "has a literal that is not known");
}

static void json_put_signed(struct json_writer *w, uint64_t v, size_t width)
{
    char text[24];
    unsigned shift = (unsigned)(64 - 8 * width);
    snprintf(text, sizeof text, "%" PRId64, (int64_t)(v << shift) >> shift);
    json_put_cstr(w, text);
}

static void json_put_unsigned(struct json_writer *w, uint64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    json_put_cstr(w, text);
}

static void json_put_double(struct json_writer *w, uint64_t bits)
{
    char text[SL_JSON_DOUBLE_MAX];
    double v;
    memcpy(&v, &bits, sizeof v);
    size_t len = sl_binlog_json_double(text, v);
    if (len == 0)
        json_fail(w, SL_MALFORMED, "has a number that is none");
    json_put(w, text, len);
}

static struct sl_bytes json_read_run(struct sl_cursor *c)
{
    uint64_t len = 0;
    for (unsigned i = 0; i < JSON_LENGTH_BYTES_MAX; i++) {
        uint8_t byte = sl_cursor_u8(c);
        len |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80))
            return sl_cursor_bytes(c, (size_t)len);
    }
    c->failed = true;
    return (struct sl_bytes){ 0 };
}

static void json_put_decimal(struct json_writer *w, struct sl_bytes data)
{
    struct sl_cursor c = sl_cursor_of(data);
    unsigned precision = sl_cursor_u8(&c), scale = sl_cursor_u8(&c);
    char text[SL_DECIMAL_TEXT_MAX];
    bool is_good = !c.failed && precision > 0 && precision <= 65 && scale <= precision;
    struct sl_bytes packed = { c.at, sl_cursor_left(&c) };
    size_t len = is_good && packed.len == sl_decimal_bytes(precision, scale)
                     ? sl_decimal_format(text, packed, precision, scale)
                     : 0;
    if (len == 0)
        json_fail(w, SL_MALFORMED, "has a decimal that is none");
    json_put(w, text, len);
}

static void json_put_temporal(struct json_writer *w, uint8_t type, struct sl_bytes data)
{
    struct sl_cursor c = sl_cursor_of(data);
    int64_t packed = (int64_t)sl_cursor_le(&c, 8);
    char text[SL_TEMPORAL_TEXT_MAX];
    size_t len = 0;
    if (!c.failed && sl_cursor_left(&c) == 0)
        len = type == SL_MYSQL_TIME_OLD ? sl_packed_time_format(text, packed)
                                        : sl_packed_datetime_format(text, packed, type == SL_MYSQL_DATE);
    if (len == 0)
        json_fail(w, SL_MALFORMED, "has a date or time that is none");
    json_put_string(w, (struct sl_bytes){ (const uint8_t *)text, len });
}

static void json_put_opaque(struct json_writer *w, struct sl_cursor *c)
{
    uint8_t type = sl_cursor_u8(c);
    struct sl_bytes data = json_read_run(c);
    char text[32];
    if (c->failed)
        return;
    switch (type) {
    case SL_MYSQL_DECIMAL:
        json_put_decimal(w, data);
        return;
    case SL_MYSQL_DATE:
    case SL_MYSQL_TIME_OLD: /* types of columns, whose names here are those of their old format */
    case SL_MYSQL_DATETIME_OLD:
    case SL_MYSQL_TIMESTAMP_OLD:
        json_put_temporal(w, type, data);
        return;
    case SL_MYSQL_VAR_STRING:
        json_put_string(w, data);
        return;
    default:
        snprintf(text, sizeof text, "\"base64:type%u:", type);
        json_put_cstr(w, text);
        json_put_base64(w, data);
        json_put(w, "\"", 1);
        return;
    }
}

/* bytes: at least those of the value. */
static void json_put_scalar(struct json_writer *w, uint8_t type, struct sl_bytes bytes)
{
    struct sl_cursor c = sl_cursor_of(bytes);
    switch (type) {
    case JSON_LITERAL:
        json_put_literal(w, sl_cursor_u8(&c));
        break;
    case JSON_INT16:
        json_put_signed(w, sl_cursor_le16(&c), 2);
        break;
    case JSON_UINT16:
        json_put_unsigned(w, sl_cursor_le16(&c));
        break;
    case JSON_INT32:
        json_put_signed(w, sl_cursor_le32(&c), 4);
        break;
    case JSON_UINT32:
        json_put_unsigned(w, sl_cursor_le32(&c));
        break;
    case JSON_INT64:
        json_put_signed(w, sl_cursor_le(&c, 8), 8);
        break;
    case JSON_UINT64:
        json_put_unsigned(w, sl_cursor_le(&c, 8));
        break;
    case JSON_DOUBLE:
        json_put_double(w, sl_cursor_le(&c, 8));
        break;
    case JSON_STRING: {
        struct sl_bytes s = json_read_run(&c);
        if (!c.failed)
            json_put_string(w, s);
        break;
    }
    case JSON_OPAQUE:
        json_put_opaque(w, &c);
        break;
    default:
        json_fail(w, SL_MALFORMED, "has a value of a type that is not known");
    }
    if (c.failed)
        json_fail(w, SL_TRUNCATED, "ends too early");
}

/* ---- containers ---- */

static void json_open(struct json_writer *w, uint8_t type, struct sl_bytes bytes)
{
    struct sl_cursor c = sl_cursor_of(bytes);
    struct json_container o = { .is_object = type == JSON_SMALL_OBJECT || type == JSON_LARGE_OBJECT };
    o.width = type == JSON_LARGE_OBJECT || type == JSON_LARGE_ARRAY ? 4 : 2;
    o.count = (uint32_t)sl_cursor_le(&c, o.width);
    uint64_t size = sl_cursor_le(&c, o.width);
    o.keys_at = 2u * o.width;
    uint64_t values_at = o.keys_at + (o.is_object ? (uint64_t)o.count * (o.width + 2u) : 0);
    uint64_t data_at = values_at + (uint64_t)o.count * (o.width + 1u);
    if (c.failed || size > bytes.len) {
        json_fail(w, SL_TRUNCATED, "ends too early");
        return;
    }
    if (data_at > size) {
        json_fail(w, SL_MALFORMED, "has more members than it has room for");
        return;
    }
    if (w->depth == SL_JSON_DEPTH_MAX) {
        json_fail(w, SL_LIMIT, "has more than 100 levels");
        return;
    }
    o.bytes = (struct sl_bytes){ bytes.ptr, (size_t)size };
    o.values_at = (uint32_t)values_at;
    o.data_at = (uint32_t)data_at;
    w->open[w->depth++] = o;
    json_put(w, o.is_object ? "{" : "[", 1);
}

static void json_put_value(struct json_writer *w, uint8_t type, struct sl_bytes bytes)
{
    if (type <= JSON_LARGE_ARRAY)
        json_open(w, type, bytes);
    else
        json_put_scalar(w, type, bytes);
}

/* From an offset to the end of the container; it may not point at what is in front of the data. */
static struct sl_bytes json_data(struct json_writer *w, const struct json_container *o, uint64_t offset)
{
    if (offset < o->data_at || offset > o->bytes.len) {
        json_fail(w, SL_MALFORMED, "points to where no data can be");
        return (struct sl_bytes){ 0 };
    }
    return (struct sl_bytes){ o->bytes.ptr + offset, o->bytes.len - (size_t)offset };
}

static void json_put_key(struct json_writer *w, const struct json_container *o, uint32_t i)
{
    size_t entry_bytes = o->width + 2u;
    struct sl_cursor c = sl_cursor_of((struct sl_bytes){ o->bytes.ptr + o->keys_at + i * entry_bytes, entry_bytes });
    uint64_t offset = sl_cursor_le(&c, o->width);
    size_t len = sl_cursor_le16(&c);
    struct sl_bytes key = json_data(w, o, offset);
    if (len > key.len)
        json_fail(w, SL_TRUNCATED, "ends too early");
    if (w->code != SL_OK)
        return;
    json_put_string(w, (struct sl_bytes){ key.ptr, len });
    json_put_cstr(w, ": ");
}

static bool json_is_inlined(uint8_t type, uint8_t width)
{
    return type == JSON_LITERAL || type == JSON_INT16 || type == JSON_UINT16 ||
           (width == 4 && (type == JSON_INT32 || type == JSON_UINT32));
}

static void json_put_member(struct json_writer *w, struct json_container *o)
{
    uint32_t i = o->next++;
    size_t entry_bytes = o->width + 1u;
    struct sl_cursor c = sl_cursor_of((struct sl_bytes){ o->bytes.ptr + o->values_at + i * entry_bytes, entry_bytes });
    uint8_t type = sl_cursor_u8(&c);
    struct sl_bytes inlined = { c.at, o->width };
    if (i > 0)
        json_put_cstr(w, ", ");
    if (o->is_object)
        json_put_key(w, o, i);
    if (json_is_inlined(type, o->width)) {
        json_put_scalar(w, type, inlined);
        return;
    }
    struct sl_bytes bytes = json_data(w, o, sl_cursor_le(&c, o->width));
    if (w->code == SL_OK)
        json_put_value(w, type, bytes);
}

enum sl_code sl_binlog_json_format(struct sl_bytes *out, struct sl_bytes document, struct sl_inflate_buffer *b,
                                   struct sl_err *err)
{
    struct json_writer w;
    w.b = b;
    w.err = err;
    w.code = SL_OK;
    w.len = 0;
    w.max = document.len * SL_JSON_TEXT_TIMES + JSON_TEXT_MIN;
    w.depth = 0;
    if (document.len == 0)
        json_put_literal(&w, 0);
    else
        json_put_value(&w, document.ptr[0], (struct sl_bytes){ document.ptr + 1, document.len - 1 });
    while (w.code == SL_OK && w.depth > 0) {
        struct json_container *o = &w.open[w.depth - 1];
        if (o->next < o->count) {
            json_put_member(&w, o);
        } else {
            json_put(&w, o->is_object ? "}" : "]", 1);
            w.depth--;
        }
    }
    *out = (struct sl_bytes){ b->ptr, w.len };
    return w.code;
}
