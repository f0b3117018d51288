/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_format.h"

#include <string.h>

#define FORMAT_TYPE_FLOAT 4u

const char *sl_file_format_suffix(enum sl_file_protocol protocol)
{
    return protocol == SL_FILE_CSV ? ".csv" : ".json";
}

static void format_key(struct sl_file_format *f, const char *key)
{
    sl_file_json_key(f->out, sl_str_of(key));
}

static void format_number(struct sl_file_format *f, const char *key, uint64_t v)
{
    format_key(f, key);
    sl_file_json_value(f->out);
    sl_file_out_u64(f->out, v);
}

static void format_text(struct sl_file_format *f, const char *key, struct sl_str v)
{
    format_key(f, key);
    sl_file_json_str(f->out, v);
}

static void format_raw(struct sl_file_format *f, const char *key, const char *literal)
{
    format_key(f, key);
    sl_file_json_raw(f->out, literal);
}

/* ---- values ---- */

/* *text is what to write; false: the bytes are no text of the column's charset. */
static bool format_convert(struct sl_file_format *f, struct sl_str *text, const struct sl_column *c,
                           const struct sl_value *v)
{
    enum sl_file_text result = sl_file_charset_text(f->charsets, text, v, c->charset);
    f->is_out_of_memory = f->is_out_of_memory || result == SL_FILE_TEXT_NO_MEMORY;
    return result == SL_FILE_TEXT_GOOD;
}

static bool format_is_odd(struct sl_file_format *f, const struct sl_column *c, const struct sl_value *image, uint32_t i)
{
    struct sl_str text;
    return image && image[i].kind == SL_VALUE_TEXT &&
           (i >= SL_FILE_COLUMNS_MAX || !format_convert(f, &text, c, &image[i]));
}

/* A text of the column that is none: then both images show the column in base64, and the line says so. */
static void format_find_marks(struct sl_file_format *f, const struct sl_table_def *def, const struct sl_row *row)
{
    uint32_t count = sl_u32_min(def->column_count, SL_FILE_COLUMNS_MAX);
    memset(f->marks, 0, (count + 63) / 64 * sizeof *f->marks);
    f->has_marks = def->column_count > SL_FILE_COLUMNS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const struct sl_column *c = &def->columns[i];
        if (!format_is_odd(f, c, row->before, i) && !format_is_odd(f, c, row->after, i))
            continue;
        f->marks[i / 64] |= UINT64_C(1) << i % 64;
        f->has_marks = true;
    }
}

static bool format_is_marked(const struct sl_file_format *f, uint32_t i)
{
    return f->has_marks && (i >= SL_FILE_COLUMNS_MAX || (f->marks[i / 64] >> i % 64 & 1) != 0);
}

static void format_base64(struct sl_file_format *f, const struct sl_value *v)
{
    sl_file_json_value(f->out);
    sl_file_out_put(f->out, "\"", 1);
    sl_file_out_base64(f->out, v->v.ptr, v->len);
    sl_file_out_put(f->out, "\"", 1);
}

static void format_scalar(struct sl_file_format *f, const struct sl_column *c, const struct sl_value *v)
{
    if (v->kind == SL_VALUE_INT)
        sl_file_out_i64(f->out, v->v.i);
    else if (v->kind == SL_VALUE_UINT)
        sl_file_out_u64(f->out, v->v.u);
    else
        sl_file_out_double(f->out, v->v.d, c->type_code == FORMAT_TYPE_FLOAT);
}

static void format_json_value(struct sl_file_format *f, const struct sl_column *c, const struct sl_value *v,
                              bool is_marked)
{
    const char *quote = f->protocol == SL_FILE_CANAL_JSON ? "\"" : "";
    struct sl_str text;
    switch ((enum sl_value_kind)v->kind) {
    case SL_VALUE_ABSENT:
    case SL_VALUE_NULL:
        sl_file_json_raw(f->out, "null");
        return;
    case SL_VALUE_INT:
    case SL_VALUE_UINT:
    case SL_VALUE_DOUBLE:
        sl_file_json_value(f->out);
        sl_file_out_cstr(f->out, quote);
        format_scalar(f, c, v);
        sl_file_out_cstr(f->out, quote);
        return;
    case SL_VALUE_TEXT:
        if (is_marked || !format_convert(f, &text, c, v))
            format_base64(f, v);
        else
            sl_file_json_utf8(f->out, text);
        return;
    case SL_VALUE_BYTES:
        format_base64(f, v);
        return;
    }
}

static void format_image(struct sl_file_format *f, const struct sl_table_def *def, const struct sl_value *image)
{
    if (!image) {
        sl_file_json_raw(f->out, "null");
        return;
    }
    sl_file_json_open(f->out, '{');
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (image[i].kind == SL_VALUE_ABSENT)
            continue;
        sl_file_json_key(f->out, def->columns[i].name);
        format_json_value(f, &def->columns[i], &image[i], format_is_marked(f, i));
    }
    sl_file_json_close(f->out, '}');
}

static void format_marks(struct sl_file_format *f, const struct sl_table_def *def)
{
    bool is_begun = false;
    for (uint32_t i = 0; f->has_marks && i < def->column_count; i++) {
        if (!format_is_marked(f, i))
            continue;
        if (!is_begun) {
            format_key(f, "base64");
            sl_file_json_open(f->out, '[');
        }
        is_begun = true;
        sl_file_json_str(f->out, def->columns[i].name);
    }
    if (is_begun)
        sl_file_json_close(f->out, ']');
}

static void format_end_line(struct sl_file_format *f)
{
    sl_file_out_put(f->out, "\n", 1);
    f->out->comma = false;
}

/* That of the table which it changes, or in which it was given. */
static struct sl_str format_ddl_schema(const struct sl_ddl *ddl)
{
    return ddl->table.len > 0 ? ddl->table_schema : ddl->schema;
}

/* ---- canal-json ---- */

/* java.sql.Types by type code of the log; 0 = not known. */
static int format_sql_type(uint16_t code)
{
    static const struct {
        uint8_t code;
        int16_t type;
    } types[] = { { 0, 3 },      { 1, -6 },     { 2, 5 },      { 3, 4 },    { 4, 7 },    { 5, 8 },
                  { 7, 93 },     { 8, -5 },     { 9, 4 },      { 10, 91 },  { 11, 92 },  { 12, 93 },
                  { 13, 12 },    { 14, 91 },    { 15, 12 },    { 16, -7 },  { 17, 93 },  { 18, 93 },
                  { 19, 92 },    { 245, 12 },   { 246, 3 },    { 247, 4 },  { 248, -7 }, { 249, 2004 },
                  { 250, 2004 }, { 251, 2004 }, { 252, 2004 }, { 253, 12 }, { 254, 1 },  { 255, 2004 } };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].code == code)
            return types[i].type;
    }
    return 0;
}

static void canal_types(struct sl_file_format *f, const struct sl_table_def *def)
{
    format_key(f, "sqlType");
    sl_file_json_open(f->out, '{');
    for (uint32_t i = 0; i < def->column_count; i++) {
        int type = format_sql_type(def->columns[i].type_code);
        if (type == 0)
            continue;
        sl_file_json_key(f->out, def->columns[i].name);
        sl_file_json_value(f->out);
        sl_file_out_i64(f->out, type);
    }
    sl_file_json_close(f->out, '}');
    format_key(f, "mysqlType");
    sl_file_json_open(f->out, '{');
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (def->columns[i].type.len == 0)
            continue;
        sl_file_json_key(f->out, def->columns[i].name);
        sl_file_json_str(f->out, def->columns[i].type);
    }
    sl_file_json_close(f->out, '}');
}

static void canal_times(struct sl_file_format *f, sl_ts ts)
{
    format_number(f, "es", f->now_ms);
    format_number(f, "ts", f->now_ms);
    format_number(f, "commitTs", ts);
}

static void canal_row(struct sl_file_format *f, const struct sl_table_def *def, const struct sl_row *row)
{
    static const char *const types[] = { "INSERT", "UPDATE", "DELETE" };
    sl_file_json_open(f->out, '{');
    format_raw(f, "id", "0");
    format_text(f, "database", def->schema);
    format_text(f, "table", def->table);
    format_key(f, "pkNames");
    sl_file_json_open(f->out, '[');
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (def->columns[i].flags & SL_COLUMN_KEY)
            sl_file_json_str(f->out, def->columns[i].name);
    }
    sl_file_json_close(f->out, ']');
    format_raw(f, "isDdl", "false");
    format_text(f, "type", sl_str_of(types[row->op]));
    canal_times(f, row->ts);
    format_raw(f, "sql", "\"\"");
    canal_types(f, def);
    format_key(f, "data");
    sl_file_json_open(f->out, '[');
    format_image(f, def, row->after ? row->after : row->before);
    sl_file_json_close(f->out, ']');
    format_key(f, "old");
    if (row->op == SL_ROW_UPDATE) {
        sl_file_json_open(f->out, '[');
        format_image(f, def, row->before);
        sl_file_json_close(f->out, ']');
    } else {
        sl_file_json_raw(f->out, "null");
    }
    format_marks(f, def);
    sl_file_json_close(f->out, '}');
}

static const char *canal_ddl_type(const char *kind)
{
    static const struct {
        const char *kind, *type;
    } types[] = { { "create table", "CREATE" }, { "drop table", "ERASE" },  { "truncate table", "TRUNCATE" },
                  { "rename table", "RENAME" }, { "alter table", "ALTER" }, { "create index", "CINDEX" },
                  { "drop index", "DINDEX" } };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].kind, kind) == 0)
            return types[i].type;
    }
    return "QUERY";
}

static void canal_ddl(struct sl_file_format *f, const struct sl_ddl *ddl)
{
    sl_file_json_open(f->out, '{');
    format_raw(f, "id", "0");
    format_text(f, "database", format_ddl_schema(ddl));
    format_text(f, "table", ddl->table);
    format_raw(f, "pkNames", "null");
    format_raw(f, "isDdl", "true");
    format_text(f, "type", sl_str_of(canal_ddl_type(ddl->kind)));
    canal_times(f, ddl->ts);
    format_text(f, "sql", ddl->statement);
    format_raw(f, "sqlType", "null");
    format_raw(f, "mysqlType", "null");
    format_raw(f, "data", "null");
    format_raw(f, "old", "null");
    sl_file_json_close(f->out, '}');
}

/* ---- debezium ---- */

static void debezium_source(struct sl_file_format *f, sl_ts ts, struct sl_str schema, struct sl_str table)
{
    char pos[24];
    struct sl_text text;
    sl_text_init(&text, pos, sizeof pos);
    sl_text_u64(&text, ts);
    format_key(f, "source");
    sl_file_json_open(f->out, '{');
    format_raw(f, "connector", "\"sluice\"");
    format_text(f, "name", f->feed);
    format_number(f, "ts", ts);
    format_text(f, "db", schema);
    format_text(f, "table", table);
    format_text(f, "pos", (struct sl_str){ pos, text.len });
    sl_file_json_close(f->out, '}');
}

static void debezium_row(struct sl_file_format *f, const struct sl_table_def *def, const struct sl_row *row)
{
    static const char *const ops[] = { "c", "u", "d" };
    sl_file_json_open(f->out, '{');
    format_key(f, "before");
    format_image(f, def, row->before);
    format_key(f, "after");
    format_image(f, def, row->after);
    debezium_source(f, row->ts, def->schema, def->table);
    format_text(f, "op", sl_str_of(ops[row->op]));
    format_number(f, "ts_ms", f->now_ms);
    format_marks(f, def);
    sl_file_json_close(f->out, '}');
}

static void debezium_ddl(struct sl_file_format *f, const struct sl_ddl *ddl)
{
    sl_file_json_open(f->out, '{');
    debezium_source(f, ddl->ts, format_ddl_schema(ddl), ddl->table);
    format_raw(f, "op", "\"DDL\"");
    format_number(f, "ts_ms", f->now_ms);
    format_text(f, "kind", sl_str_of(ddl->kind));
    format_text(f, "databaseName", format_ddl_schema(ddl));
    format_text(f, "ddl", ddl->statement);
    sl_file_json_close(f->out, '}');
}

/* ---- CSV (RFC 4180) ---- */

static void csv_text(struct sl_file_format *f, struct sl_str s)
{
    sl_file_out_put(f->out, "\"", 1);
    for (size_t at = 0; at < s.len;) {
        const char *quote = memchr(s.ptr + at, '"', s.len - at);
        size_t end = quote ? (size_t)(quote - s.ptr) + 1 : s.len;
        sl_file_out_put(f->out, s.ptr + at, end - at);
        if (quote)
            sl_file_out_put(f->out, "\"", 1);
        at = end;
    }
    sl_file_out_put(f->out, "\"", 1);
}

static void csv_value(struct sl_file_format *f, const struct sl_column *c, const struct sl_value *v, bool is_marked)
{
    struct sl_str text;
    switch ((enum sl_value_kind)v->kind) {
    case SL_VALUE_ABSENT:
        return;
    case SL_VALUE_NULL:
        sl_file_out_cstr(f->out, "\\N");
        return;
    case SL_VALUE_INT:
    case SL_VALUE_UINT:
    case SL_VALUE_DOUBLE:
        format_scalar(f, c, v);
        return;
    case SL_VALUE_TEXT:
        if (!is_marked && format_convert(f, &text, c, v)) {
            csv_text(f, text);
            return;
        }
        sl_file_out_base64(f->out, v->v.ptr, v->len);
        return;
    case SL_VALUE_BYTES:
        sl_file_out_base64(f->out, v->v.ptr, v->len);
        return;
    }
}

static void csv_head(struct sl_file_format *f, const char *op, struct sl_str table, struct sl_str schema, sl_ts ts)
{
    sl_file_out_cstr(f->out, op);
    sl_file_out_put(f->out, ",", 1);
    csv_text(f, table);
    sl_file_out_put(f->out, ",", 1);
    csv_text(f, schema);
    sl_file_out_put(f->out, ",", 1);
    sl_file_out_u64(f->out, ts);
    sl_file_out_put(f->out, ",", 1);
}

static void csv_row(struct sl_file_format *f, const struct sl_table_def *def, const struct sl_row *row, const char *op,
                    const struct sl_value *image)
{
    const char *between = "";
    csv_head(f, op, def->table, def->schema, row->ts);
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (!format_is_marked(f, i))
            continue;
        sl_file_out_cstr(f->out, between);
        sl_file_out_u64(f->out, i + 1);
        between = " ";
    }
    for (uint32_t i = 0; i < def->column_count; i++) {
        sl_file_out_put(f->out, ",", 1);
        csv_value(f, &def->columns[i], &image[i], format_is_marked(f, i));
    }
    sl_file_out_cstr(f->out, "\r\n");
}

static bool format_is_same(const struct sl_value *a, const struct sl_value *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == SL_VALUE_TEXT || a->kind == SL_VALUE_BYTES)
        return sl_bytes_eq((struct sl_bytes){ a->v.ptr, a->len }, (struct sl_bytes){ b->v.ptr, b->len });
    return a->kind == SL_VALUE_NULL || a->kind == SL_VALUE_ABSENT || a->v.u == b->v.u;
}

/* An update has one image only, so one that changes the key, by which the row is found, is two lines. */
static void csv_change(struct sl_file_format *f, const struct sl_table_def *def, const struct sl_row *row)
{
    static const char *const ops[] = { "I", "U", "D" };
    bool is_moved = false, has_key = false;
    for (uint32_t i = 0; i < def->column_count && row->op == SL_ROW_UPDATE; i++) {
        has_key = has_key || (def->columns[i].flags & SL_COLUMN_KEY);
        is_moved =
            is_moved || ((def->columns[i].flags & SL_COLUMN_KEY) && !format_is_same(&row->before[i], &row->after[i]));
    }
    if (row->op == SL_ROW_UPDATE && (is_moved || !has_key)) {
        csv_row(f, def, row, "D", row->before);
        csv_row(f, def, row, "I", row->after);
        return;
    }
    csv_row(f, def, row, ops[row->op], row->after ? row->after : row->before);
}

/* ---- all ---- */

void sl_file_format_row(struct sl_file_format *f, const struct sl_table_def *def, const struct sl_row *row)
{
    format_find_marks(f, def, row);
    switch (f->protocol) {
    case SL_FILE_CANAL_JSON:
        canal_row(f, def, row);
        format_end_line(f);
        return;
    case SL_FILE_DEBEZIUM:
        debezium_row(f, def, row);
        format_end_line(f);
        return;
    case SL_FILE_CSV:
        csv_change(f, def, row);
        return;
    }
}

void sl_file_format_ddl(struct sl_file_format *f, const struct sl_ddl *ddl)
{
    switch (f->protocol) {
    case SL_FILE_CANAL_JSON:
        canal_ddl(f, ddl);
        format_end_line(f);
        return;
    case SL_FILE_DEBEZIUM:
        debezium_ddl(f, ddl);
        format_end_line(f);
        return;
    case SL_FILE_CSV:
        csv_head(f, "DDL", ddl->table, format_ddl_schema(ddl), ddl->ts);
        sl_file_out_cstr(f->out, ddl->kind);
        sl_file_out_put(f->out, ",", 1);
        csv_text(f, ddl->statement);
        sl_file_out_cstr(f->out, "\r\n");
        return;
    }
}

void sl_file_format_schema(struct sl_file_out *o, const struct sl_table_def *def)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } flags[] = { { "key", SL_COLUMN_KEY },
                  { "nullable", SL_COLUMN_NULLABLE },
                  { "unsigned", SL_COLUMN_UNSIGNED },
                  { "generated", SL_COLUMN_GENERATED },
                  { "unique", SL_COLUMN_UNIQUE } };
    struct sl_file_format f = { .out = o };
    sl_file_json_open(o, '{');
    format_text(&f, "schema", def->schema);
    format_text(&f, "table", def->table);
    format_key(&f, "columns");
    sl_file_json_open(o, '[');
    for (uint32_t i = 0; i < def->column_count; i++) {
        const struct sl_column *c = &def->columns[i];
        sl_file_json_open(o, '{');
        format_text(&f, "name", c->name);
        format_text(&f, "type", c->type);
        format_number(&f, "typeCode", c->type_code);
        format_number(&f, "collation", c->charset);
        for (size_t k = 0; k < sizeof flags / sizeof flags[0]; k++)
            format_raw(&f, flags[k].name, c->flags & flags[k].flag ? "true" : "false");
        sl_file_json_close(o, '}');
    }
    sl_file_json_close(o, ']');
    sl_file_json_close(o, '}');
    format_end_line(&f);
}
