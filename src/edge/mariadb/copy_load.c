/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "edge/mariadb/copy_table.h"
#include "edge/mariadb/sink_statement.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

#define LOAD_SQL_MAX 4096u
#define LOAD_NAME_MAX 256u
#define LOAD_VERSION_OF_COPIES (UINT64_C(1) << 63) /* no version of a definition from the log is so large */

/* ---- how the server spells the table ---- */

/* The counter of AUTO_INCREMENT changes with every row. It is among the options, behind the last column; in place. */
static void load_drop_counter(char *sql)
{
    static const char word[] = " AUTO_INCREMENT=", behind[] = "\n) ENGINE=";
    char *options = NULL;
    for (char *at = strstr(sql, behind); at; at = strstr(at + 1, behind))
        options = at;
    char *at = options ? strstr(options, word) : NULL;
    if (!at)
        return;
    char *end = at + sizeof word - 1;
    while (isdigit((unsigned char)*end))
        end++;
    memmove(at, end, strlen(end) + 1);
}

static bool load_is_gone(unsigned error)
{
    return error == ER_NO_SUCH_TABLE || error == ER_BAD_DB_ERROR || error == ER_BAD_TABLE_ERROR;
}

/* The second column of SHOW CREATE; malloc'd. Null without a trouble: it is gone. */
static char *load_show(MYSQL *db, const char *sql, bool *is_gone, struct sl_trouble *t)
{
    MYSQL_RES *result = NULL;
    char *text = NULL;
    *is_gone = false;
    if (!sl_mariadb_select(&result, db, sql, t)) {
        *is_gone = load_is_gone(mysql_errno(db));
        return NULL;
    }
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row && mysql_num_fields(result) >= 2 && row[1])
        text = strdup(row[1]);
    mysql_free_result(result);
    if (!text)
        sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a table's definition");
    return text;
}

static char *load_show_table(MYSQL *db, struct sl_str schema, struct sl_str table, bool *is_gone, struct sl_trouble *t)
{
    char memory[LOAD_SQL_MAX];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "SHOW CREATE TABLE ");
    sl_statement_name(&sql, schema);
    sl_text_cstr(&sql, ".");
    sl_statement_name(&sql, table);
    char *text = load_show(db, memory, is_gone, t);
    if (text)
        load_drop_counter(text);
    return text;
}

static uint64_t load_hash(const char *text)
{
    uint64_t hash = sl_hash_bytes(0, text, strlen(text));
    return hash ? hash : 1;
}

bool sl_copy_table_hash(uint64_t *out, MYSQL *db, struct sl_str schema, struct sl_str table, bool *is_gone,
                        struct sl_trouble *t)
{
    char *text = load_show_table(db, schema, table, is_gone, t);
    if (!text)
        return false;
    *out = load_hash(text);
    free(text);
    return true;
}

/* ---- columns ---- */

struct load_def { /* a definition and what it points to */
    struct sl_table_def def;
    MYSQL_RES *columns_result;
    char *names;
    struct sl_column columns[];
};

static void load_def_free(struct sl_table_def *def)
{
    struct load_def *d = (struct load_def *)def;
    if (d->columns_result)
        mysql_free_result(d->columns_result);
    free(d->names);
    free(d);
}

static bool load_nomem(struct sl_trouble *t)
{
    return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a table's definition");
}

static bool load_ask(MYSQL_RES **out, MYSQL *db, struct sl_str schema, struct sl_str table, const char *select,
                     const char *rest, struct sl_trouble *t)
{
    char names[2][2 * LOAD_NAME_MAX + 1], sql[LOAD_SQL_MAX];
    if (schema.len > LOAD_NAME_MAX || table.len > LOAD_NAME_MAX)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "TABLE_NAME", "", "the name of a table is too long");
    mysql_hex_string(names[0], schema.ptr, (unsigned long)schema.len);
    mysql_hex_string(names[1], table.ptr, (unsigned long)table.len);
    int len = snprintf(sql, sizeof sql,
                       "SELECT %s WHERE table_schema = CONVERT(0x%s USING utf8mb4) AND "
                       "table_name = CONVERT(0x%s USING utf8mb4) %s",
                       select, names[0], names[1], rest);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof sql);
    return sl_mariadb_select(out, db, sql, t);
}

static struct load_def *load_def_new(struct sl_str schema, struct sl_str table, uint32_t column_count)
{
    struct load_def *d = calloc(1, sizeof *d + column_count * sizeof d->columns[0]);
    if (!d)
        return NULL;
    d->names = malloc(schema.len + table.len + 1);
    if (!d->names) {
        free(d);
        return NULL;
    }
    memcpy(d->names, schema.ptr, schema.len);
    memcpy(d->names + schema.len, table.ptr, table.len);
    d->def = (struct sl_table_def){ .schema = { d->names, schema.len },
                                    .table = { d->names + schema.len, table.len },
                                    .column_count = column_count,
                                    .columns = d->columns,
                                    .free = load_def_free };
    atomic_init(&d->def.refs, 1);
    return d;
}

enum load_field { LOAD_NAME, LOAD_TYPE, LOAD_DATA_TYPE, LOAD_CHARSET, LOAD_COLLATION, LOAD_NULLABLE, LOAD_GENERATED };

static bool load_column(struct sl_copy_table *out, struct load_def *d, uint32_t i, MYSQL_ROW row, struct sl_trouble *t)
{
    struct sl_copy_column *c = &out->columns[i];
    if (!sl_copy_class_of(c, row[LOAD_DATA_TYPE]))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_TYPE", "leave the table out by a filter rule",
                              "%.*s.%.*s has a column of type %.32s, which cannot be copied", (int)d->def.schema.len,
                              d->def.schema.ptr, (int)d->def.table.len, d->def.table.ptr, row[LOAD_DATA_TYPE]);
    snprintf(c->charset, sizeof c->charset, "%s", row[LOAD_CHARSET] ? row[LOAD_CHARSET] : "binary");
    snprintf(c->collation, sizeof c->collation, "%s", row[LOAD_COLLATION] ? row[LOAD_COLLATION] : "binary");
    bool is_unsigned = strstr(row[LOAD_TYPE], "unsigned") != NULL || strcmp(row[LOAD_DATA_TYPE], "year") == 0;
    d->columns[i] = (struct sl_column){ .name = sl_str_of(row[LOAD_NAME]),
                                        .type = sl_str_of(row[LOAD_TYPE]),
                                        .charset = row[LOAD_COLLATION] ? 0 : 63,
                                        .flags = (row[LOAD_NULLABLE][0] == 'Y' ? (uint32_t)SL_COLUMN_NULLABLE : 0) |
                                                 (row[LOAD_GENERATED][0] == '1' ? (uint32_t)SL_COLUMN_GENERATED : 0) |
                                                 (is_unsigned ? (uint32_t)SL_COLUMN_UNSIGNED : 0) };
    return true;
}

static bool load_columns(struct sl_copy_table *out, MYSQL *db, struct sl_str schema, struct sl_str table,
                         struct sl_trouble *t)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    if (!load_ask(&result, db, schema, table,
                  "column_name, column_type, data_type, character_set_name, collation_name, is_nullable, "
                  "extra LIKE '%VIRTUAL%' OR extra LIKE '%STORED%' OR extra LIKE '%PERSISTENT%' "
                  "FROM information_schema.columns",
                  "ORDER BY ordinal_position", t))
        return false;
    uint32_t count = (uint32_t)mysql_num_rows(result), i = 0;
    struct load_def *d = load_def_new(schema, table, count);
    out->columns = calloc(count + 1, sizeof *out->columns);
    if (!d || !out->columns) {
        mysql_free_result(result);
        if (d)
            load_def_free(&d->def);
        return load_nomem(t);
    }
    d->columns_result = result;
    out->def = &d->def;
    bool is_good = true;
    while (is_good && (row = mysql_fetch_row(result)))
        is_good = load_column(out, d, i++, row, t);
    return is_good;
}

static bool load_key_part(struct sl_copy_table *out, const char *name)
{
    struct load_def *d = (struct load_def *)out->def;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): load_columns came before and set it */
    for (uint32_t i = 0; i < d->def.column_count; i++) {
        if (!sl_str_eq(d->columns[i].name, sl_str_of(name)) || out->key_count == SL_COPY_KEY_PARTS_MAX)
            continue;
        out->key[out->key_count++] = i;
        d->columns[i].flags |= SL_COLUMN_KEY;
        return true;
    }
    return false;
}

static bool load_key(struct sl_copy_table *out, MYSQL *db, struct sl_str schema, struct sl_str table,
                     struct sl_trouble *t)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    if (!load_ask(&result, db, schema, table, "column_name FROM information_schema.statistics",
                  "AND index_name = 'PRIMARY' ORDER BY seq_in_index", t))
        return false;
    bool is_good = true;
    while (is_good && (row = mysql_fetch_row(result)))
        is_good = load_key_part(out, row[0]);
    mysql_free_result(result);
    if (is_good && out->key_count > 0)
        return true;
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "NO_PRIMARY_KEY",
                          "add a primary key, or leave the table out by a filter rule", "%.*s.%.*s has no primary key",
                          (int)schema.len, schema.ptr, (int)table.len, table.ptr);
}

static bool load_count(struct sl_copy_table *out, MYSQL *db, struct sl_str schema, struct sl_str table,
                       struct sl_trouble *t)
{
    MYSQL_RES *result = NULL;
    if (!load_ask(&result, db, schema, table, "table_rows FROM information_schema.tables", "", t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    out->rows_about = row && row[0] ? strtoull(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    return true;
}

static bool load_schema(struct sl_copy_table *out, MYSQL *db, struct sl_str schema, bool *is_gone, struct sl_trouble *t)
{
    char memory[LOAD_SQL_MAX];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "SHOW CREATE DATABASE IF NOT EXISTS ");
    sl_statement_name(&sql, schema);
    out->make_schema = load_show(db, memory, is_gone, t);
    return out->make_schema != NULL;
}

bool sl_copy_table_load(struct sl_copy_table *out, MYSQL *db, struct sl_str schema, struct sl_str table,
                        int64_t table_id, int64_t schema_id, bool *is_gone, struct sl_trouble *t)
{
    *out = (struct sl_copy_table){ 0 };
    out->make_table = load_show_table(db, schema, table, is_gone, t);
    bool is_good = out->make_table && load_schema(out, db, schema, is_gone, t) &&
                   load_columns(out, db, schema, table, t) && load_key(out, db, schema, table, t) &&
                   load_count(out, db, schema, table, t);
    if (!is_good) {
        sl_copy_table_free(out);
        return false;
    }
    out->hash = load_hash(out->make_table);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): load_columns has set it, or is_good is false */
    out->def->table_id = table_id;
    out->def->schema_id = schema_id;
    out->def->version = out->hash | LOAD_VERSION_OF_COPIES;
    return true;
}

void sl_copy_table_free(struct sl_copy_table *table)
{
    sl_table_def_unref(table->def);
    free(table->columns);
    free(table->make_schema);
    free(table->make_table);
    *table = (struct sl_copy_table){ 0 };
}
