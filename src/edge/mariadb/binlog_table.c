/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_table.h"

#include <stdlib.h>

/* Optional metadata: type, length, value. */
enum table_tlv {
    TABLE_SIGNEDNESS = 1,
    TABLE_DEFAULT_CHARSET = 2,
    TABLE_COLUMN_CHARSET = 3,
    TABLE_COLUMN_NAME = 4,
    TABLE_SET_MEMBERS = 5,
    TABLE_ENUM_MEMBERS = 6,
    TABLE_PRIMARY_KEY = 8,
    TABLE_PRIMARY_KEY_PREFIX = 9,
};

struct table_parts { /* of the body */
    struct sl_bytes types, metas, nullable, optional;
    uint64_t id;
    struct sl_str schema, name;
    uint32_t column_count;
};

static struct sl_str table_name_of(struct sl_cursor *c)
{
    struct sl_bytes b = sl_cursor_bytes(c, sl_cursor_u8(c));
    sl_cursor_skip(c, 1);
    return (struct sl_str){ (const char *)b.ptr, b.len };
}

static enum sl_code table_split(struct table_parts *p, struct sl_bytes body, struct sl_err *err)
{
    struct sl_cursor c = sl_cursor_of(body);
    p->id = sl_cursor_le(&c, 6);
    sl_cursor_skip(&c, 2);
    p->schema = table_name_of(&c);
    p->name = table_name_of(&c);
    uint64_t count = sl_binlog_lenenc(&c);
    if (!c.failed && count > SL_BINLOG_COLUMNS_MAX)
        return sl_err_set(err, SL_LIMIT, "binlog: a table of %llu columns (at most %u)", (unsigned long long)count,
                          SL_BINLOG_COLUMNS_MAX);
    if (!c.failed && count == 0) /* its rows would have no bytes, and no end */
        return sl_err_set(err, SL_MALFORMED, "binlog: a table without columns");
    p->column_count = (uint32_t)count;
    p->types = sl_cursor_bytes(&c, p->column_count);
    uint64_t meta_len = sl_binlog_lenenc(&c);
    p->metas = sl_cursor_bytes(&c, (size_t)meta_len);
    p->nullable = sl_cursor_bytes(&c, (p->column_count + 7) / 8);
    if (c.failed || p->schema.len == 0 || p->name.len == 0)
        return sl_err_set(err, SL_TRUNCATED, "binlog: a table map ends too early");
    p->optional = (struct sl_bytes){ c.at, sl_cursor_left(&c) };
    return SL_OK;
}

/* A STRING's metadata hides its real type, or the upper bits of its length. */
static void column_set_string(struct sl_binlog_column *col, uint8_t b0, uint8_t b1)
{
    if ((b0 & 0x30) != 0x30) {
        col->type = (uint8_t)(b0 | 0x30);
        col->size = (uint16_t)(b1 | (((b0 & 0x30) ^ 0x30) << 4));
    } else {
        col->type = b0;
        col->size = b1;
    }
    col->meta = (uint16_t)(b0 << 8 | b1);
}

static void column_read_meta(struct sl_binlog_column *col, struct sl_cursor *c)
{
    uint8_t b0, b1;
    switch (col->type) {
    case SL_MYSQL_STRING:
    case SL_MYSQL_ENUM:
    case SL_MYSQL_SET:
        b0 = sl_cursor_u8(c);
        b1 = sl_cursor_u8(c);
        column_set_string(col, b0, b1);
        return;
    case SL_MYSQL_VARCHAR:
    case SL_MYSQL_VAR_STRING:
    case SL_MYSQL_VARCHAR_COMPRESSED:
        col->meta = col->size = sl_cursor_le16(c);
        return;
    case SL_MYSQL_BIT:
    case SL_MYSQL_DECIMAL:
        b0 = sl_cursor_u8(c);
        b1 = sl_cursor_u8(c);
        col->meta = (uint16_t)(b0 << 8 | b1);
        return;
    case SL_MYSQL_JSON:
        col->meta = sl_cursor_u8(c);
        col->collation = SL_COLLATION_UTF8MB4_BIN; /* of the text that is made of it */
        return;
    case SL_MYSQL_FLOAT:
    case SL_MYSQL_DOUBLE:
    case SL_MYSQL_BLOB:
    case SL_MYSQL_BLOB_COMPRESSED:
    case SL_MYSQL_GEOMETRY:
    case SL_MYSQL_TIMESTAMP:
    case SL_MYSQL_DATETIME:
    case SL_MYSQL_TIME:
        col->meta = sl_cursor_u8(c);
        return;
    default:
        return;
    }
}

static enum sl_code table_read_columns(struct sl_binlog_table *t, const struct table_parts *p, struct sl_err *err)
{
    struct sl_cursor metas = sl_cursor_of(p->metas);
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct sl_binlog_column *col = &t->columns[i];
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the table was split without fault */
        col->type = p->types.ptr[i];
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the table was split without fault */
        col->is_nullable = (p->nullable.ptr[i / 8] >> (i % 8) & 1) != 0;
        column_read_meta(col, &metas);
    }
    if (metas.failed || sl_cursor_left(&metas) > 0)
        return sl_err_set(err, SL_MALFORMED, "binlog: column metadata of %.*s.%.*s does not fit its columns",
                          (int)t->schema.len, t->schema.ptr, (int)t->name.len, t->name.ptr);
    return SL_OK;
}

/* MariaDB counts YEAR among the columns with a sign, MySQL does not. */
static bool column_is_numeric(const struct sl_binlog_column *col, bool is_mariadb)
{
    switch (col->type) {
    case SL_MYSQL_TINY:
    case SL_MYSQL_SHORT:
    case SL_MYSQL_INT24:
    case SL_MYSQL_LONG:
    case SL_MYSQL_LONGLONG:
    case SL_MYSQL_FLOAT:
    case SL_MYSQL_DOUBLE:
    case SL_MYSQL_DECIMAL:
        return true;
    case SL_MYSQL_YEAR:
        return is_mariadb;
    default:
        return false;
    }
}

/* MariaDB says a charset of geometries, MySQL does not. */
static bool column_is_text(const struct sl_binlog_column *col, bool is_mariadb)
{
    switch (col->type) {
    case SL_MYSQL_STRING:
    case SL_MYSQL_VAR_STRING:
    case SL_MYSQL_VARCHAR:
    case SL_MYSQL_VARCHAR_COMPRESSED:
    case SL_MYSQL_BLOB:
    case SL_MYSQL_BLOB_COMPRESSED:
        return true;
    case SL_MYSQL_GEOMETRY:
        return is_mariadb;
    default:
        return false;
    }
}

static void table_read_signs(struct sl_binlog_table *t, struct sl_cursor c, bool is_mariadb)
{
    uint32_t bit = 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (!column_is_numeric(&t->columns[i], is_mariadb))
            continue;
        if (bit / 8 >= sl_cursor_left(&c))
            return;
        t->columns[i].is_unsigned = (c.at[bit / 8] >> (7 - bit % 8) & 1) != 0;
        bit++;
    }
    t->has_signs = true;
}

static void table_read_column_charsets(struct sl_binlog_table *t, struct sl_cursor *c, bool is_mariadb)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (column_is_text(&t->columns[i], is_mariadb))
            t->columns[i].collation = (uint32_t)sl_binlog_lenenc(c);
    }
}

static struct sl_binlog_column *table_nth_text(struct sl_binlog_table *t, uint64_t nth, bool is_mariadb)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (column_is_text(&t->columns[i], is_mariadb) && nth-- == 0)
            return &t->columns[i];
    }
    return NULL;
}

/* One for all, and the exceptions by their number among the character columns. */
static void table_read_default_charset(struct sl_binlog_table *t, struct sl_cursor *c, bool is_mariadb)
{
    uint32_t usual = (uint32_t)sl_binlog_lenenc(c);
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (column_is_text(&t->columns[i], is_mariadb))
            t->columns[i].collation = usual;
    }
    while (!c->failed && sl_cursor_left(c) > 0) {
        struct sl_binlog_column *col = table_nth_text(t, sl_binlog_lenenc(c), is_mariadb);
        uint32_t collation = (uint32_t)sl_binlog_lenenc(c);
        if (col)
            col->collation = collation;
    }
}

static void table_read_names(struct sl_binlog_table *t, struct sl_cursor *c)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct sl_bytes b = sl_cursor_bytes(c, (size_t)sl_binlog_lenenc(c));
        t->columns[i].name = (struct sl_str){ (const char *)b.ptr, b.len };
    }
    t->has_names = !c->failed;
}

static void table_read_members(struct sl_binlog_table *t, struct sl_cursor *c, uint8_t type)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (t->columns[i].type != type)
            continue;
        const uint8_t *start = c->at;
        uint64_t count = sl_binlog_lenenc(c);
        for (uint64_t n = 0; n < count && !c->failed; n++)
            sl_cursor_skip(c, (size_t)sl_binlog_lenenc(c));
        if (!c->failed)
            t->columns[i].members = (struct sl_bytes){ start, (size_t)(c->at - start) };
    }
}

static void table_read_key(struct sl_binlog_table *t, struct sl_cursor *c, bool has_prefixes)
{
    while (!c->failed && sl_cursor_left(c) > 0) {
        uint64_t column = sl_binlog_lenenc(c);
        uint64_t prefix = has_prefixes ? sl_binlog_lenenc(c) : 0;
        if (c->failed || column >= t->column_count) {
            c->failed = true;
            return;
        }
        t->columns[column].key_part = (uint16_t)++t->key_part_count;
        t->columns[column].is_key_prefix = prefix > 0;
    }
    t->has_key = true;
}

static bool table_read_one(struct sl_binlog_table *t, uint8_t type, struct sl_cursor c, bool is_mariadb)
{
    switch (type) {
    case TABLE_SIGNEDNESS:
        table_read_signs(t, c, is_mariadb);
        break;
    case TABLE_DEFAULT_CHARSET:
        table_read_default_charset(t, &c, is_mariadb);
        break;
    case TABLE_COLUMN_CHARSET:
        table_read_column_charsets(t, &c, is_mariadb);
        break;
    case TABLE_COLUMN_NAME:
        table_read_names(t, &c);
        break;
    case TABLE_SET_MEMBERS:
        table_read_members(t, &c, SL_MYSQL_SET);
        break;
    case TABLE_ENUM_MEMBERS:
        table_read_members(t, &c, SL_MYSQL_ENUM);
        break;
    case TABLE_PRIMARY_KEY:
    case TABLE_PRIMARY_KEY_PREFIX:
        table_read_key(t, &c, type == TABLE_PRIMARY_KEY_PREFIX);
        break;
    default: /* newer or of no use here */
        break;
    }
    return !c.failed;
}

static enum sl_code table_read_optional(struct sl_binlog_table *t, struct sl_bytes optional, bool is_mariadb,
                                        struct sl_err *err)
{
    struct sl_cursor c = sl_cursor_of(optional);
    while (!c.failed && sl_cursor_left(&c) > 0) {
        uint8_t type = sl_cursor_u8(&c);
        struct sl_bytes value = sl_cursor_bytes(&c, (size_t)sl_binlog_lenenc(&c));
        if (!c.failed && !table_read_one(t, type, sl_cursor_of(value), is_mariadb))
            c.failed = true;
    }
    return c.failed ? sl_err_set(err, SL_MALFORMED, "binlog: optional metadata of %.*s.%.*s is broken",
                                 (int)t->schema.len, t->schema.ptr, (int)t->name.len, t->name.ptr)
                    : SL_OK;
}

/* What a value of the column becomes if nothing has to be computed or filled up; ABSENT: something has. */
static void column_set_plain(struct sl_binlog_column *col)
{
    const uint8_t view = col->collation == SL_COLLATION_BINARY ? SL_VALUE_BYTES : SL_VALUE_TEXT;
    const uint8_t number = col->is_unsigned ? SL_VALUE_UINT : SL_VALUE_INT;
    static const uint8_t widths[] = {
        [SL_MYSQL_TINY] = 1, [SL_MYSQL_SHORT] = 2, [SL_MYSQL_INT24] = 3, [SL_MYSQL_LONG] = 4, [SL_MYSQL_LONGLONG] = 8
    };
    const uint8_t length = col->size < 256 ? 1 : 2;
    if (sl_binlog_type_is_integer(col->type)) {
        col->kind = number;
        col->width = widths[col->type];
    } else if (col->type == SL_MYSQL_VARCHAR || col->type == SL_MYSQL_VAR_STRING ||
               (col->type == SL_MYSQL_STRING && view == SL_VALUE_TEXT)) {
        col->kind = view;
        col->width = length;
    } else if (col->type == SL_MYSQL_BLOB && col->meta > 0 && col->meta <= 4) {
        col->kind = view;
        col->width = (uint8_t)col->meta;
    }
}

static void table_set_plain(struct sl_binlog_table *t)
{
    t->is_plain = true;
    for (uint32_t i = 0; i < t->column_count; i++) {
        column_set_plain(&t->columns[i]);
        t->is_plain = t->is_plain && t->columns[i].kind != SL_VALUE_ABSENT;
    }
}

enum sl_code sl_binlog_table_new(struct sl_binlog_table **out, struct sl_bytes body, bool is_mariadb,
                                 struct sl_err *err)
{
    struct table_parts p = { 0 };
    *out = NULL;
    enum sl_code code = table_split(&p, body, err);
    if (code != SL_OK)
        return code;
    size_t head = sizeof(struct sl_binlog_table) + p.column_count * sizeof(struct sl_binlog_column);
    struct sl_binlog_table *t = calloc(1, head + body.len);
    if (!t)
        return sl_err_set(err, SL_NOMEM, "binlog: no memory for a table map");
    uint8_t *copy = (uint8_t *)t + head;
    memcpy(copy, body.ptr, body.len);
    t->map = (struct sl_bytes){ copy, body.len };
    code = table_split(&p, t->map, err); /* the same views, into the copy */
    SL_REQUIRE(code == SL_OK);
    t->id = p.id;
    t->schema = p.schema;
    t->name = p.name;
    t->column_count = p.column_count;
    code = table_read_columns(t, &p, err);
    if (code == SL_OK)
        code = table_read_optional(t, p.optional, is_mariadb, err);
    if (code == SL_OK) {
        table_set_plain(t);
        *out = t;
    } else {
        free(t);
    }
    return code;
}

void sl_binlog_table_free(struct sl_binlog_table *t)
{
    free(t);
}

uint64_t sl_binlog_table_id(struct sl_bytes body)
{
    struct sl_cursor c = sl_cursor_of(body);
    return sl_cursor_le(&c, 6);
}

bool sl_binlog_member(const struct sl_binlog_column *column, uint32_t index, struct sl_str *out)
{
    struct sl_cursor c = sl_cursor_of(column->members);
    uint64_t count = column->members.len > 0 ? sl_binlog_lenenc(&c) : 0;
    if (index == 0 || index > count)
        return false;
    struct sl_bytes text = { 0 };
    for (uint32_t i = 0; i < index; i++)
        text = sl_cursor_bytes(&c, (size_t)sl_binlog_lenenc(&c));
    *out = (struct sl_str){ (const char *)text.ptr, text.len };
    return !c.failed;
}
