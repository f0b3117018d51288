/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_value.h"

#include "edge/mariadb/binlog_json.h"
#include "edge/mariadb/binlog_temporal.h"

struct value_in {
    const struct sl_binlog_column *column;
    struct sl_cursor *c;
    const struct sl_value_memory *memory;
};

static enum sl_code value_text(struct sl_value *out, const struct value_in *in, const char *text, size_t len)
{
    uint8_t *copy = in->memory->alloc(in->memory->ctx, len);
    if (!copy)
        return SL_NOMEM;
    memcpy(copy, text, len);
    *out = (struct sl_value){ .kind = SL_VALUE_TEXT, .len = (uint32_t)len, .v.ptr = copy };
    return SL_OK;
}

static void value_integer(struct sl_value *out, const struct value_in *in, size_t width)
{
    uint64_t raw = sl_cursor_le(in->c, width);
    if (in->column->is_unsigned) {
        *out = (struct sl_value){ .kind = SL_VALUE_UINT, .v.u = raw };
        return;
    }
    unsigned shift = (unsigned)(64 - 8 * width);
    *out = (struct sl_value){ .kind = SL_VALUE_INT, .v.i = (int64_t)(raw << shift) >> shift };
}

static void value_unsigned(struct sl_value *out, uint64_t v)
{
    *out = (struct sl_value){ .kind = SL_VALUE_UINT, .v.u = v };
}

static void value_floating(struct sl_value *out, const struct value_in *in, bool is_double)
{
    uint64_t raw = sl_cursor_le(in->c, is_double ? 8 : 4);
    *out = (struct sl_value){ .kind = SL_VALUE_DOUBLE };
    if (is_double) {
        memcpy(&out->v.d, &raw, sizeof out->v.d);
    } else {
        uint32_t bits = (uint32_t)raw;
        float f;
        memcpy(&f, &bits, sizeof f);
        out->v.d = f;
    }
}

static enum sl_code value_decimal(struct sl_value *out, const struct value_in *in)
{
    char text[SL_DECIMAL_TEXT_MAX];
    unsigned precision = in->column->meta >> 8, scale = in->column->meta & 0xff;
    if (precision == 0 || precision > 65 || scale > precision)
        return SL_MALFORMED;
    struct sl_bytes packed = sl_cursor_bytes(in->c, sl_decimal_bytes(precision, scale));
    if (in->c->failed)
        return SL_OK; /* the caller sees it */
    size_t len = sl_decimal_format(text, packed, precision, scale);
    return len > 0 ? value_text(out, in, text, len) : SL_MALFORMED;
}

static enum sl_code value_temporal(struct sl_value *out, const struct value_in *in)
{
    char text[SL_TEMPORAL_TEXT_MAX];
    size_t len = 0;
    unsigned digits = in->column->meta;
    if (digits > 6)
        return SL_MALFORMED;
    switch (in->column->type) {
    case SL_MYSQL_DATE:
    case SL_MYSQL_NEWDATE:
        len = sl_date_format(text, (uint32_t)sl_cursor_le(in->c, 3));
        break;
    case SL_MYSQL_TIME:
        len = sl_time_format(text, in->c, digits);
        break;
    case SL_MYSQL_DATETIME:
        len = sl_datetime_format(text, in->c, digits);
        break;
    default:
        len = sl_timestamp_format(text, in->c, digits);
        break;
    }
    return in->c->failed ? SL_OK : value_text(out, in, text, len);
}

static void value_of_bytes(struct sl_value *out, const struct value_in *in, struct sl_bytes bytes)
{
    bool is_binary = in->column->collation == SL_COLLATION_BINARY || in->column->type == SL_MYSQL_GEOMETRY;
    *out = (struct sl_value){ .kind = is_binary ? SL_VALUE_BYTES : SL_VALUE_TEXT,
                              .len = (uint32_t)bytes.len,
                              .v.ptr = bytes.ptr };
}

/* The log leaves out the zero bytes at the end of a BINARY. */
static enum sl_code value_fixed(struct sl_value *out, const struct value_in *in)
{
    size_t size = in->column->size;
    struct sl_bytes bytes = sl_cursor_bytes(in->c, (size_t)sl_cursor_le(in->c, size < 256 ? 1 : 2));
    value_of_bytes(out, in, bytes);
    if (in->c->failed || in->column->collation != SL_COLLATION_BINARY || bytes.len >= size)
        return SL_OK;
    uint8_t *padded = in->memory->alloc(in->memory->ctx, size);
    if (!padded)
        return SL_NOMEM;
    memcpy(padded, bytes.ptr, bytes.len);
    memset(padded + bytes.len, 0, size - bytes.len);
    value_of_bytes(out, in, (struct sl_bytes){ padded, size });
    return SL_OK;
}

static enum sl_code value_variable(struct sl_value *out, const struct value_in *in, size_t length_bytes)
{
    if (length_bytes > 4)
        return SL_MALFORMED;
    value_of_bytes(out, in, sl_cursor_bytes(in->c, (size_t)sl_cursor_le(in->c, length_bytes)));
    return SL_OK;
}

/* The buffer that it is in is used by the next column too. */
static enum sl_code value_keep(struct sl_bytes *kept, const struct value_in *in, struct sl_bytes bytes)
{
    uint8_t *copy = in->memory->alloc(in->memory->ctx, bytes.len);
    if (!copy)
        return SL_NOMEM;
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    *kept = (struct sl_bytes){ copy, bytes.len };
    return SL_OK;
}

static enum sl_code value_compressed(struct sl_value *out, const struct value_in *in, size_t length_bytes,
                                     struct sl_err *err)
{
    if (length_bytes > 4)
        return SL_MALFORMED;
    struct sl_bytes plain, packed = sl_cursor_bytes(in->c, (size_t)sl_cursor_le(in->c, length_bytes));
    if (in->c->failed)
        return SL_OK;
    enum sl_code code = sl_inflate_column(&plain, packed, in->memory->inflated, err);
    if (code == SL_OK)
        code = value_keep(&plain, in, plain);
    if (code == SL_OK)
        value_of_bytes(out, in, plain);
    return code;
}

static enum sl_code value_json(struct sl_value *out, const struct value_in *in, size_t length_bytes, struct sl_err *err)
{
    if (length_bytes > 4)
        return SL_MALFORMED;
    struct sl_bytes text, document = sl_cursor_bytes(in->c, (size_t)sl_cursor_le(in->c, length_bytes));
    if (in->c->failed)
        return SL_OK;
    enum sl_code code = sl_binlog_json_format(&text, document, in->memory->inflated, err);
    if (code == SL_OK && text.len > UINT32_MAX)
        return SL_LIMIT;
    if (code == SL_OK)
        code = value_keep(&text, in, text);
    if (code == SL_OK)
        *out = (struct sl_value){ .kind = SL_VALUE_TEXT, .len = (uint32_t)text.len, .v.ptr = text.ptr };
    return code;
}

static enum sl_code value_read(struct sl_value *out, const struct value_in *in, struct sl_err *err)
{
    const struct sl_binlog_column *col = in->column;
    switch (col->type) {
    case SL_MYSQL_TINY:
        value_integer(out, in, 1);
        return SL_OK;
    case SL_MYSQL_SHORT:
        value_integer(out, in, 2);
        return SL_OK;
    case SL_MYSQL_INT24:
        value_integer(out, in, 3);
        return SL_OK;
    case SL_MYSQL_LONG:
        value_integer(out, in, 4);
        return SL_OK;
    case SL_MYSQL_LONGLONG:
        value_integer(out, in, 8);
        return SL_OK;
    case SL_MYSQL_YEAR: {
        uint8_t year = sl_cursor_u8(in->c);
        value_unsigned(out, year ? year + 1900u : 0);
        return SL_OK;
    }
    case SL_MYSQL_FLOAT:
    case SL_MYSQL_DOUBLE:
        value_floating(out, in, col->type == SL_MYSQL_DOUBLE);
        return SL_OK;
    case SL_MYSQL_DECIMAL:
        return value_decimal(out, in);
    case SL_MYSQL_DATE:
    case SL_MYSQL_NEWDATE:
    case SL_MYSQL_TIME:
    case SL_MYSQL_DATETIME:
    case SL_MYSQL_TIMESTAMP:
        return value_temporal(out, in);
    case SL_MYSQL_BIT: {
        size_t size = (col->meta & 0xffu) + (col->meta >> 8 ? 1 : 0);
        value_unsigned(out, size <= 8 ? sl_cursor_be(in->c, size) : 0);
        return size <= 8 ? SL_OK : SL_MALFORMED;
    }
    case SL_MYSQL_ENUM:
    case SL_MYSQL_SET:
        value_unsigned(out, col->size <= 8 ? sl_cursor_le(in->c, col->size) : 0);
        return col->size <= 8 ? SL_OK : SL_MALFORMED;
    case SL_MYSQL_STRING:
        return value_fixed(out, in);
    case SL_MYSQL_VARCHAR:
    case SL_MYSQL_VAR_STRING:
        return value_variable(out, in, col->size < 256 ? 1 : 2);
    case SL_MYSQL_BLOB:
    case SL_MYSQL_GEOMETRY:
        return value_variable(out, in, col->meta);
    case SL_MYSQL_VARCHAR_COMPRESSED:
        return value_compressed(out, in, col->size < 256 ? 1 : 2, err);
    case SL_MYSQL_BLOB_COMPRESSED:
        return value_compressed(out, in, col->meta, err);
    case SL_MYSQL_JSON:
        return value_json(out, in, col->meta, err);
    case SL_MYSQL_TIMESTAMP_OLD:
    case SL_MYSQL_DATETIME_OLD:
    case SL_MYSQL_TIME_OLD:
        return sl_err_set(err, SL_REFUSED,
                          "temporal column of the old format: ALTER TABLE ... FORCE with "
                          "mysql56_temporal_format=ON");
    default:
        return sl_err_set(err, SL_REFUSED, "column type %u is not supported", col->type);
    }
}

static enum sl_code image_fail(enum sl_code code, const struct sl_binlog_table *t, uint32_t column, struct sl_err *err)
{
    struct sl_err why = { 0 };
    if (err)
        why = *err;
    const char *text = why.code == code && why.text[0] ? why.text : sl_code_text(code);
    return sl_err_set(err, code, "%.*s.%.*s column %u: %s", (int)t->schema.len, t->schema.ptr, (int)t->name.len,
                      t->name.ptr, column + 1, text);
}

static bool image_bit(struct sl_bytes bitmap, uint32_t i)
{
    return (bitmap.ptr[i / 8] >> (i % 8) & 1) != 0;
}

/* The next eight bytes as a little-endian number, or as many as there are. */
static uint64_t image_word(const uint8_t *at, const uint8_t *end)
{
    uint64_t word = 0;
    size_t left = (size_t)(end - at);
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && left >= sizeof word) {
        memcpy(&word, at, sizeof word);
        return word;
    }
    for (size_t i = left < sizeof word ? left : sizeof word; i > 0; i--)
        word = word << 8 | at[i - 1];
    return word;
}

/*
 * The same as the general way below, for tables whose values are all plain, in less than half of the time: most tables are
 * such. False: the row ends too early, and c is where it was.
 */
static bool image_read_plain(struct sl_value *out, struct sl_cursor *c, const struct sl_binlog_table *table)
{
    struct sl_cursor rest = *c;
    struct sl_bytes nulls = sl_cursor_bytes(&rest, (table->column_count + 7) / 8);
    const uint8_t *at = rest.at, *end = rest.end;
    for (uint32_t i = 0; i < table->column_count && !rest.failed; i++) {
        const struct sl_binlog_column *col = &table->columns[i];
        const unsigned shift = 64 - 8u * col->width; /* width is 1 to 8 */
        if (image_bit(nulls, i)) {
            out[i] = (struct sl_value){ .kind = SL_VALUE_NULL };
            continue;
        }
        uint64_t raw = image_word(at, end) << shift;
        struct sl_value v = { .kind = col->kind, .v.u = raw >> shift };
        if (col->width > (size_t)(end - at))
            return false;
        at += col->width;
        if (col->kind == SL_VALUE_INT) {
            v.v.i = (int64_t)raw >> shift;
        } else if (col->kind != SL_VALUE_UINT) {
            v.len = (uint32_t)v.v.u;
            if (v.len > (size_t)(end - at))
                return false;
            v.v.ptr = at;
            at += v.len;
        }
        out[i] = v;
    }
    if (!rest.failed)
        c->at = at;
    return !rest.failed;
}

enum sl_code sl_binlog_image_read(struct sl_value *out, struct sl_cursor *c, const struct sl_binlog_table *table,
                                  struct sl_bytes present, uint32_t present_count, const struct sl_value_memory *memory,
                                  struct sl_err *err)
{
    if (table->is_plain && present_count == table->column_count && image_read_plain(out, c, table))
        return SL_OK;
    struct sl_bytes nulls = sl_cursor_bytes(c, (present_count + 7) / 8);
    uint32_t nth = 0;
    for (uint32_t i = 0; i < table->column_count && !c->failed; i++) {
        out[i] = (struct sl_value){ .kind = SL_VALUE_ABSENT };
        if (!image_bit(present, i))
            continue;
        if (image_bit(nulls, nth++)) {
            out[i].kind = SL_VALUE_NULL;
            continue;
        }
        struct value_in in = { .column = &table->columns[i], .c = c, .memory = memory };
        enum sl_code code = value_read(&out[i], &in, err);
        if (code != SL_OK)
            return image_fail(code, table, i, err);
    }
    return c->failed ? sl_err_set(err, SL_TRUNCATED, "binlog: a row of %.*s.%.*s ends too early",
                                  (int)table->schema.len, table->schema.ptr, (int)table->name.len, table->name.ptr)
                     : SL_OK;
}
