/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/copy_table.h"

#include "base/hash.h"
#include "edge/mariadb/sink_statement.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_HASH_BYTES 8u
#define PLACE_LENGTH_BYTES 4u
#define VALUE_TEXT_MAX 64u

/* ---- values ---- */

struct copy_class_name {
    const char *name;
    enum sl_copy_class class;
    uint32_t bytes;
};

static const struct copy_class_name copy_classes[] = {
    { "tinyint", SL_COPY_INTEGER, 0 },    { "smallint", SL_COPY_INTEGER, 0 },
    { "mediumint", SL_COPY_INTEGER, 0 },  { "int", SL_COPY_INTEGER, 0 },
    { "bigint", SL_COPY_INTEGER, 0 },     { "year", SL_COPY_INTEGER, 0 },
    { "bit", SL_COPY_BITS, 0 },           { "enum", SL_COPY_BITS, 0 },
    { "set", SL_COPY_BITS, 0 },           { "float", SL_COPY_REAL, 0 },
    { "double", SL_COPY_REAL, 0 },        { "decimal", SL_COPY_DECIMAL, 0 },
    { "date", SL_COPY_TIME, 0 },          { "time", SL_COPY_TIME, 0 },
    { "datetime", SL_COPY_TIME, 0 },      { "timestamp", SL_COPY_TIME, 0 },
    { "char", SL_COPY_TEXT, 0 },          { "varchar", SL_COPY_TEXT, 0 },
    { "tinytext", SL_COPY_TEXT, 0 },      { "text", SL_COPY_TEXT, 0 },
    { "mediumtext", SL_COPY_TEXT, 0 },    { "longtext", SL_COPY_TEXT, 0 },
    { "json", SL_COPY_TEXT, 0 },          { "binary", SL_COPY_BYTES, 0 },
    { "varbinary", SL_COPY_BYTES, 0 },    { "tinyblob", SL_COPY_BYTES, 0 },
    { "blob", SL_COPY_BYTES, 0 },         { "mediumblob", SL_COPY_BYTES, 0 },
    { "longblob", SL_COPY_BYTES, 0 },     { "inet6", SL_COPY_ADDRESS, 16 },
    { "inet4", SL_COPY_ADDRESS, 4 },      { "uuid", SL_COPY_ADDRESS, 16 },
    { "geometry", SL_COPY_BYTES, 0 },     { "point", SL_COPY_BYTES, 0 },
    { "linestring", SL_COPY_BYTES, 0 },   { "polygon", SL_COPY_BYTES, 0 },
    { "multipoint", SL_COPY_BYTES, 0 },   { "multilinestring", SL_COPY_BYTES, 0 },
    { "multipolygon", SL_COPY_BYTES, 0 }, { "geometrycollection", SL_COPY_BYTES, 0 },
};

bool sl_copy_class_of(struct sl_copy_column *out, const char *data_type)
{
    for (size_t i = 0; i < sizeof copy_classes / sizeof copy_classes[0]; i++) {
        if (strcmp(copy_classes[i].name, data_type) != 0)
            continue;
        out->class = copy_classes[i].class;
        out->bytes = copy_classes[i].bytes;
        snprintf(out->type_name, sizeof out->type_name, "%s", out->class == SL_COPY_ADDRESS ? data_type : "");
        return true;
    }
    return false;
}

static bool copy_digits(uint64_t *out, const uint8_t *at, size_t len)
{
    uint64_t v = 0;
    if (len == 0 || len > 20)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(at[i] - '0');
    }
    *out = v;
    return true;
}

static bool copy_integer(struct sl_value *out, bool is_unsigned, struct sl_bytes text)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t v;
    if (!copy_digits(&v, text.ptr + is_negative, text.len - is_negative))
        return false;
    if (is_unsigned)
        *out = (struct sl_value){ .kind = SL_VALUE_UINT, .v.u = v };
    else
        *out = (struct sl_value){ .kind = SL_VALUE_INT, .v.i = (int64_t)(is_negative ? 0 - v : v) };
    return !is_negative || !is_unsigned;
}

static bool copy_real(struct sl_value *out, struct sl_bytes text)
{
    char copy[VALUE_TEXT_MAX * 8], *end;
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    *out = (struct sl_value){ .kind = SL_VALUE_DOUBLE, .v.d = strtod(copy, &end) };
    return *end == 0;
}

bool sl_copy_value(struct sl_value *out, const struct sl_copy_column *column, bool is_unsigned, struct sl_bytes text)
{
    switch (column->class) {
    case SL_COPY_INTEGER:
        return copy_integer(out, is_unsigned, text);
    case SL_COPY_BITS:
        return copy_integer(out, true, text);
    case SL_COPY_REAL:
        return copy_real(out, text);
    case SL_COPY_DECIMAL:
    case SL_COPY_TIME:
    case SL_COPY_TEXT:
        *out = (struct sl_value){ .kind = SL_VALUE_TEXT, .len = (uint32_t)text.len, .v.ptr = text.ptr };
        return true;
    case SL_COPY_BYTES:
    case SL_COPY_ADDRESS:
        *out = (struct sl_value){ .kind = SL_VALUE_BYTES, .len = (uint32_t)text.len, .v.ptr = text.ptr };
        return true;
    }
    SL_UNREACHABLE();
}

/* ---- places ---- */

static void place_put_le(uint8_t *out, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t place_le(const uint8_t *at, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v |= (uint64_t)at[i] << (8 * i);
    return v;
}

/* Numbers as text, everything else as it is. */
static struct sl_bytes place_text(char number[VALUE_TEXT_MAX], const struct sl_value *v)
{
    if (v->kind == SL_VALUE_TEXT || v->kind == SL_VALUE_BYTES)
        return (struct sl_bytes){ v->v.ptr, v->len };
    int len = 0;
    if (v->kind == SL_VALUE_INT)
        len = snprintf(number, VALUE_TEXT_MAX, "%lld", (long long)v->v.i);
    else if (v->kind == SL_VALUE_UINT)
        len = snprintf(number, VALUE_TEXT_MAX, "%llu", (unsigned long long)v->v.u);
    else if (v->kind == SL_VALUE_DOUBLE)
        len = snprintf(number, VALUE_TEXT_MAX, "%.17e", v->v.d);
    return (struct sl_bytes){ (const uint8_t *)number, (size_t)len };
}

size_t sl_copy_place_write(uint8_t *out, size_t size, const struct sl_copy_table *table, const struct sl_value *row)
{
    size_t at = PLACE_HASH_BYTES;
    if (size < at)
        return 0;
    place_put_le(out, table->hash, PLACE_HASH_BYTES);
    for (uint32_t i = 0; i < table->key_count; i++) {
        char number[VALUE_TEXT_MAX];
        struct sl_bytes text = place_text(number, &row[table->key[i]]);
        if (size - at < PLACE_LENGTH_BYTES || size - at - PLACE_LENGTH_BYTES < text.len)
            return 0;
        place_put_le(out + at, text.len, PLACE_LENGTH_BYTES);
        if (text.len > 0)
            memcpy(out + at + PLACE_LENGTH_BYTES, text.ptr, text.len);
        at += PLACE_LENGTH_BYTES + text.len;
    }
    return at;
}

uint64_t sl_copy_place_hash(struct sl_bytes place)
{
    return place.len >= PLACE_HASH_BYTES ? place_le(place.ptr, PLACE_HASH_BYTES) : 0;
}

static bool place_values(struct sl_bytes out[SL_COPY_KEY_PARTS_MAX], const struct sl_copy_table *table,
                         struct sl_bytes place)
{
    size_t at = PLACE_HASH_BYTES;
    for (uint32_t i = 0; i < table->key_count; i++) {
        if (place.len < at + PLACE_LENGTH_BYTES)
            return false;
        size_t len = (size_t)place_le(place.ptr + at, PLACE_LENGTH_BYTES);
        at += PLACE_LENGTH_BYTES;
        if (len > place.len - at)
            return false;
        out[i] = (struct sl_bytes){ place.ptr + at, len };
        at += len;
    }
    return at == place.len;
}

/* A place comes from the sink, so nothing of it is believed to be what it should be. */
static bool place_is_made_of(struct sl_bytes text, const char *allowed)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == 0 || !strchr(allowed, text.ptr[i]))
            return false;
    }
    return text.len > 0 && text.len < (size_t)VALUE_TEXT_MAX * 2;
}

static void place_put_hex(struct sl_text *sql, struct sl_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    sl_text_cstr(sql, bytes.len > 0 ? "0x" : "''");
    for (size_t i = 0; i < bytes.len; i++) {
        const char pair[2] = { digits[bytes.ptr[i] >> 4], digits[bytes.ptr[i] & 15] };
        sl_text_str(sql, (struct sl_str){ pair, 2 });
    }
}

static bool place_put_plain(struct sl_text *sql, struct sl_bytes text, const char *allowed, const char *quote)
{
    sl_text_cstr(sql, quote);
    sl_text_str(sql, (struct sl_str){ (const char *)text.ptr, text.len });
    sl_text_cstr(sql, quote);
    return place_is_made_of(text, allowed);
}

/* Compared as the column's own type, so that the order is that of the index. */
static bool place_put_value(struct sl_text *sql, const struct sl_copy_column *c, struct sl_bytes value)
{
    switch (c->class) {
    case SL_COPY_INTEGER:
    case SL_COPY_BITS:
    case SL_COPY_REAL:
    case SL_COPY_DECIMAL:
        return place_put_plain(sql, value, "0123456789+-.e", "");
    case SL_COPY_TIME:
        return place_put_plain(sql, value, "0123456789:-. ", "'");
    case SL_COPY_TEXT:
        sl_text_cstr(sql, "CONVERT(");
        place_put_hex(sql, value);
        sl_text_cstr(sql, " USING ");
        sl_text_cstr(sql, c->charset);
        sl_text_cstr(sql, ") COLLATE ");
        sl_text_cstr(sql, c->collation);
        return true;
    case SL_COPY_BYTES:
        place_put_hex(sql, value);
        return true;
    case SL_COPY_ADDRESS:
        sl_text_cstr(sql, "CAST(");
        place_put_hex(sql, value);
        sl_text_cstr(sql, " AS ");
        sl_text_cstr(sql, c->type_name);
        sl_text_cstr(sql, ")");
        return value.len == c->bytes;
    }
    SL_UNREACHABLE();
}

static bool place_put_compare(struct sl_text *sql, const struct sl_copy_table *table, const struct sl_bytes *values,
                              uint32_t part, const char *sign)
{
    uint32_t column = table->key[part];
    sl_statement_name(sql, table->def->columns[column].name);
    sl_text_cstr(sql, sign);
    return place_put_value(sql, &table->columns[column], values[part]);
}

/* (a > 1) OR (a = 1 AND b > 2) OR ...: what the optimizer takes for ranges of the index. */
bool sl_copy_place_spell(struct sl_text *sql, const struct sl_copy_table *table, struct sl_bytes place)
{
    struct sl_bytes values[SL_COPY_KEY_PARTS_MAX];
    bool is_good = sl_copy_place_hash(place) == table->hash && place_values(values, table, place);
    for (uint32_t last = 0; is_good && last < table->key_count; last++) {
        sl_text_cstr(sql, last > 0 ? " OR (" : "(");
        for (uint32_t i = 0; is_good && i < last; i++) {
            is_good = place_put_compare(sql, table, values, i, " = ");
            sl_text_cstr(sql, " AND ");
        }
        is_good = is_good && place_put_compare(sql, table, values, last, " > ");
        sl_text_cstr(sql, ")");
    }
    return is_good;
}

/* ---- select ---- */

static void copy_put_column(struct sl_text *sql, const struct sl_copy_column *c, struct sl_str name)
{
    bool is_cast = c->class == SL_COPY_BITS || c->class == SL_COPY_REAL || c->class == SL_COPY_ADDRESS;
    if (is_cast)
        sl_text_cstr(sql, "CAST(");
    sl_statement_name(sql, name);
    if (c->class == SL_COPY_BITS)
        sl_text_cstr(sql, " AS UNSIGNED)");
    if (c->class == SL_COPY_REAL)
        sl_text_cstr(sql, " AS DOUBLE)");
    if (c->class == SL_COPY_ADDRESS) {
        sl_text_cstr(sql, " AS BINARY(");
        sl_text_u64(sql, c->bytes);
        sl_text_cstr(sql, "))");
    }
}

bool sl_copy_select_spell(struct sl_text *sql, const struct sl_copy_table *table, struct sl_bytes place,
                          uint32_t rows_max)
{
    const struct sl_table_def *def = table->def;
    for (uint32_t i = 0; i < def->column_count; i++) {
        sl_text_cstr(sql, i > 0 ? ", " : "SELECT ");
        copy_put_column(sql, &table->columns[i], def->columns[i].name);
    }
    sl_text_cstr(sql, " FROM ");
    sl_statement_name(sql, def->schema);
    sl_text_cstr(sql, ".");
    sl_statement_name(sql, def->table);
    sl_text_cstr(sql, " FORCE INDEX (PRIMARY)");
    if (place.len > 0) {
        sl_text_cstr(sql, " WHERE ");
        if (!sl_copy_place_spell(sql, table, place))
            return false;
    }
    for (uint32_t i = 0; i < table->key_count; i++) {
        sl_text_cstr(sql, i > 0 ? ", " : " ORDER BY ");
        sl_statement_name(sql, def->columns[table->key[i]].name);
    }
    sl_text_cstr(sql, " LIMIT ");
    sl_text_u64(sql, rows_max);
    return !sql->cut;
}
