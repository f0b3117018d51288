/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/mariadb_tables.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_ID_MASK ((UINT64_C(1) << 56) - 1)

static uint64_t table_hash(struct sl_str schema, struct sl_str table)
{
    const char between = '.';
    uint64_t h = sl_hash_bytes(0, schema.ptr, schema.len);
    h = sl_hash_bytes(h, &between, 1);
    return sl_hash_bytes(h, table.ptr, table.len) & TABLE_ID_MASK;
}

int64_t sl_mariadb_table_id(struct sl_str schema, struct sl_str table)
{
    uint64_t id = table_hash(schema, table);
    return (int64_t)(id ? id : 1);
}

int64_t sl_mariadb_schema_id(struct sl_str schema)
{
    return sl_mariadb_table_id(schema, (struct sl_str){ "", 0 });
}

bool sl_mariadb_schema_is_private(struct sl_str schema)
{
    static const char *const names[] = { "mysql", "information_schema", "performance_schema", "sys", "sluice" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (sl_str_eq(schema, sl_str_of(names[i])))
            return true;
    }
    return false;
}

/* ---- definitions ---- */

struct table_copy { /* one allocation: definition, columns, texts */
    struct sl_table_def def;
    struct sl_column columns[];
};

static struct sl_str table_keep(char **at, struct sl_str s)
{
    struct sl_str kept = { *at, s.len };
    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    *at += s.len;
    return kept;
}

static void table_free(struct sl_table_def *def)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        free((void *)(uintptr_t)def->columns[i].type.ptr);
    free(def);
}

static size_t table_text_bytes(const struct sl_binlog_table *map)
{
    size_t size = map->schema.len + map->name.len;
    for (uint32_t i = 0; i < map->column_count; i++)
        size += map->columns[i].name.len;
    return size;
}

static struct table_copy *table_copy_of(const struct sl_binlog_table *map, uint64_t version)
{
    size_t head = sizeof(struct table_copy) + map->column_count * sizeof(struct sl_column);
    struct table_copy *copy = calloc(1, head + table_text_bytes(map));
    if (!copy)
        return NULL;
    char *at = (char *)copy + head;
    copy->def = (struct sl_table_def){ .table_id = sl_mariadb_table_id(map->schema, map->name),
                                       .schema_id = sl_mariadb_schema_id(map->schema),
                                       .version = version,
                                       .schema = table_keep(&at, map->schema),
                                       .table = table_keep(&at, map->name),
                                       .column_count = map->column_count,
                                       .columns = copy->columns,
                                       .free = table_free };
    atomic_init(&copy->def.refs, 1);
    for (uint32_t i = 0; i < map->column_count; i++) {
        const struct sl_binlog_column *from = &map->columns[i];
        copy->columns[i] = (struct sl_column){ .name = table_keep(&at, from->name),
                                               .charset = from->collation,
                                               .type_code = from->type,
                                               .meta = from->meta,
                                               .flags = (from->key_part ? (uint32_t)SL_COLUMN_KEY : 0) |
                                                        (from->is_nullable ? (uint32_t)SL_COLUMN_NULLABLE : 0) |
                                                        (from->is_unsigned ? (uint32_t)SL_COLUMN_UNSIGNED : 0) };
    }
    return copy;
}

static struct sl_column *table_find_column(struct table_copy *copy, const char *name)
{
    for (uint32_t i = 0; i < copy->def.column_count; i++) {
        if (sl_str_eq(copy->columns[i].name, sl_str_of(name)))
            return &copy->columns[i];
    }
    return NULL;
}

static void table_forget_types(struct table_copy *copy)
{
    for (uint32_t i = 0; i < copy->def.column_count; i++) {
        struct sl_column *col = &copy->columns[i];
        free((void *)(uintptr_t)col->type.ptr);
        col->type = (struct sl_str){ 0 };
        col->flags &= ~(uint32_t)SL_COLUMN_GENERATED;
    }
}

/* Names go into statements as hexadecimal literals: nothing in them can be taken for SQL. */
static void table_hex(char *out, struct sl_str name)
{
    mysql_hex_string(out, name.ptr, (unsigned long)name.len);
}

#define TABLE_NAME_BYTES_MAX 256u /* 64 characters of at most 4 bytes */
#define TABLE_SQL_MAX (1024u + 4 * TABLE_NAME_BYTES_MAX)

static bool table_ask(MYSQL_RES **out, const struct table_copy *copy, MYSQL *details, const char *select,
                      const char *rest, struct sl_trouble *t)
{
    char schema[2 * TABLE_NAME_BYTES_MAX + 1], table[2 * TABLE_NAME_BYTES_MAX + 1], sql[TABLE_SQL_MAX];
    if (copy->def.schema.len > TABLE_NAME_BYTES_MAX || copy->def.table.len > TABLE_NAME_BYTES_MAX)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "TABLE_NAME", "", "the name of a table is too long");
    table_hex(schema, copy->def.schema);
    table_hex(table, copy->def.table);
    int len = snprintf(sql, sizeof sql,
                       "SELECT %s WHERE table_schema = CONVERT(0x%s USING utf8mb4) AND "
                       "table_name = CONVERT(0x%s USING utf8mb4) %s",
                       select, schema, table, rest);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof sql);
    return sl_mariadb_select(out, details, sql, t);
}

/*
 * The server tells how the table is now, the map how it was when the rows were written. *agrees: these are the same
 * columns; otherwise nothing of now is taken over.
 */
static bool table_ask_columns(struct table_copy *copy, MYSQL *details, bool *agrees, struct sl_trouble *t)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    if (!table_ask(&result, copy, details,
                   "column_name, column_type, extra LIKE '%VIRTUAL%' OR extra LIKE '%STORED%' OR "
                   "extra LIKE '%PERSISTENT%' FROM information_schema.columns",
                   "ORDER BY ordinal_position", t))
        return false;
    bool is_good = true;
    *agrees = mysql_num_rows(result) == copy->def.column_count;
    for (uint32_t i = 0; is_good && *agrees && (row = mysql_fetch_row(result)); i++) {
        struct sl_column *col = &copy->columns[i];
        *agrees = row[0] && row[1] && sl_str_eq(col->name, sl_str_of(row[0]));
        char *type = *agrees ? strdup(row[1]) : NULL;
        is_good = !*agrees || type != NULL;
        col->type = sl_str_of(type);
        if (*agrees && row[2] && row[2][0] == '1')
            col->flags |= SL_COLUMN_GENERATED;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the column has it, table_free frees it */
    if (!*agrees)
        table_forget_types(copy);
    mysql_free_result(result);
    return is_good || sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a table's definition");
}

static bool table_ask_keys(struct table_copy *copy, MYSQL *details, struct sl_trouble *t)
{
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    if (!table_ask(&result, copy, details, "column_name FROM information_schema.statistics",
                   "AND non_unique = 0 AND index_name <> 'PRIMARY'", t))
        return false;
    while ((row = mysql_fetch_row(result))) {
        struct sl_column *col = row[0] ? table_find_column(copy, row[0]) : NULL;
        if (col)
            col->flags |= SL_COLUMN_UNIQUE;
    }
    mysql_free_result(result);
    return true;
}

bool sl_mariadb_table_def(struct sl_table_def **out, const struct sl_binlog_table *map, uint64_t version,
                          MYSQL *details, struct sl_trouble *t)
{
    *out = NULL;
    if (!map->has_names)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "BINLOG_METADATA",
                              "SET GLOBAL binlog_row_metadata=FULL on the source, then copy the table anew",
                              "the log does not name the columns of %.*s.%.*s", (int)map->schema.len, map->schema.ptr,
                              (int)map->name.len, map->name.ptr);
    struct table_copy *copy = table_copy_of(map, version);
    if (!copy)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a table's definition");
    bool agrees = false;
    if (details && (!table_ask_columns(copy, details, &agrees, t) || (agrees && !table_ask_keys(copy, details, t)))) {
        table_free(&copy->def);
        return false;
    }
    *out = &copy->def;
    return true;
}
