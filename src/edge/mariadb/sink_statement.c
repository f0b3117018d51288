/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/sink_statement.h"

#include "base/array.h"
#include "edge/mariadb/binlog_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT_SQL_MAX ((size_t)1 << 20)
#define STATEMENT_NAME_BYTES_MAX 256u
#define STATEMENT_KEY_MAX 16384u /* of 32 parts, each with its name, charset and collation */

const uint32_t sl_statement_rows[SL_STATEMENT_STEPS] = { SL_STATEMENT_ROWS_MAX, 8, 1 };

void sl_statement_name(struct sl_text *sql, struct sl_str name)
{
    sl_text_cstr(sql, "`");
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`')
            sl_text_cstr(sql, "`");
        sl_text_str(sql, (struct sl_str){ name.ptr + i, 1 });
    }
    sl_text_cstr(sql, "`");
}

bool sl_statement_trouble(struct sl_trouble *t, MYSQL_STMT *stmt)
{
    return sl_mariadb_error_trouble(t, mysql_stmt_errno(stmt), "sink", mysql_stmt_sqlstate(stmt),
                                    mysql_stmt_error(stmt));
}

static void statement_table(struct sl_text *sql, const struct sl_table_def *def)
{
    sl_statement_name(sql, def->schema);
    sl_text_cstr(sql, ".");
    sl_statement_name(sql, def->table);
}

/* Of the table as it is at the sink: it has the shape of the rows that come now, when the source's may be years ahead. */
static bool statement_ask_columns(MYSQL_RES **out, struct sl_apply *a, const struct sl_table_def *def, const char *what,
                                  const char *rest, struct sl_trouble *t)
{
    char names[2][2 * STATEMENT_NAME_BYTES_MAX + 1], sql[2048];
    const struct sl_str of[] = { def->schema, def->table };
    for (size_t i = 0; i < 2; i++) {
        if (of[i].len > STATEMENT_NAME_BYTES_MAX)
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "TABLE_NAME", "", "a name is too long");
        mysql_hex_string(names[i], of[i].ptr, (unsigned long)of[i].len);
    }
    int len = snprintf(sql, sizeof sql,
                       "SELECT %s FROM information_schema.columns WHERE table_schema = CONVERT(0x%s USING utf8mb4) AND "
                       "table_name = CONVERT(0x%s USING utf8mb4) AND %s",
                       what, names[0], names[1], rest);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof sql);
    return sl_mariadb_select(out, a->db, sql, t);
}

/* What the sink computes by itself cannot be written, and a column of MySQL's type JSON takes no bytes without a charset. */
static bool statement_ask_odd(struct sl_apply_statement *s, struct sl_apply *a, const struct sl_table_def *def,
                              struct sl_trouble *t)
{
    static const char generated[] = "(extra LIKE '%VIRTUAL%' OR extra LIKE '%STORED%' OR extra LIKE '%PERSISTENT%')";
    char what[256], rest[256];
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    snprintf(what, sizeof what, "column_name, data_type = 'json', %s", generated);
    snprintf(rest, sizeof rest, "(data_type = 'json' OR %s)", generated);
    if (!statement_ask_columns(&result, a, def, what, rest, t))
        return false;
    while ((row = mysql_fetch_row(result))) {
        for (uint32_t i = 0; i < def->column_count; i++) {
            if (!row[0] || !row[1] || !row[2] || !sl_str_eq(def->columns[i].name, sl_str_of(row[0])))
                continue;
            s->columns[i].is_json = row[1][0] == '1';
            s->columns[i].is_written = row[2][0] != '1';
        }
    }
    mysql_free_result(result);
    return true;
}

static void statement_repeat(struct sl_text *sql, struct sl_str once, const char *between, uint32_t times)
{
    for (uint32_t i = 0; i < times && !sql->cut; i++) {
        sl_text_cstr(sql, between);
        sl_text_str(sql, once);
    }
}

static void statement_spell_marks(struct sl_text *sql, const struct sl_apply_statement *s)
{
    const char *between = "(";
    for (uint32_t i = 0; i < s->column_count; i++) {
        if (!s->columns[i].is_written)
            continue;
        sl_text_cstr(sql, between);
        sl_text_cstr(sql, s->columns[i].is_json ? "CONVERT(? USING utf8mb4)" : "?");
        between = ", ";
    }
    sl_text_cstr(sql, ")");
}

static void statement_spell_replace(struct sl_text *sql, const struct sl_apply_statement *s,
                                    const struct sl_table_def *def, uint32_t rows)
{
    const char *between = "";
    sl_text_cstr(sql, "REPLACE INTO ");
    statement_table(sql, def);
    sl_text_cstr(sql, " (");
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (!s->columns[i].is_written)
            continue;
        sl_text_cstr(sql, between);
        sl_statement_name(sql, def->columns[i].name);
        between = ", ";
    }
    sl_text_cstr(sql, ") VALUES ");
    size_t start = sql->len;
    statement_spell_marks(sql, s);
    statement_repeat(sql, (struct sl_str){ sql->ptr + start, sql->len - start }, ", ", rows - 1);
}

/* ---- keys ---- */

struct statement_charset { /* of a key column at the sink; empty: it has none */
    char charset[64], collation[64];
};

/*
 * Parameters are bytes without a charset. Compared as such with a text column they would cost the index; so they are
 * said to be of the column's own charset, whose bytes they are.
 */
static bool statement_ask_charset(struct statement_charset *out, struct sl_apply *a, const struct sl_table_def *def,
                                  const struct sl_column *column, struct sl_trouble *t)
{
    char name[2 * STATEMENT_NAME_BYTES_MAX + 1], rest[sizeof name + 64];
    MYSQL_RES *result = NULL;
    *out = (struct statement_charset){ { 0 }, { 0 } };
    if (column->name.len > STATEMENT_NAME_BYTES_MAX)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "TABLE_NAME", "", "a name is too long");
    mysql_hex_string(name, column->name.ptr, (unsigned long)column->name.len);
    snprintf(rest, sizeof rest, "column_name = CONVERT(0x%s USING utf8mb4)", name);
    if (!statement_ask_columns(&result, a, def, "character_set_name, collation_name", rest, t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    if (row && row[0] && row[1]) {
        snprintf(out->charset, sizeof out->charset, "%s", row[0]);
        snprintf(out->collation, sizeof out->collation, "%s", row[1]);
    }
    mysql_free_result(result);
    return true;
}

static void statement_spell_key(struct sl_text *sql, const struct sl_column *column, const struct statement_charset *c)
{
    sl_statement_name(sql, column->name);
    if (c->charset[0]) {
        sl_text_cstr(sql, " = CONVERT(? USING ");
        sl_text_cstr(sql, c->charset);
        sl_text_cstr(sql, ") COLLATE ");
        sl_text_cstr(sql, c->collation);
    } else {
        sl_text_cstr(sql, " = ?");
    }
}

static bool statement_spell_delete(struct sl_text *sql, struct sl_apply *a, const struct sl_table_def *def,
                                   uint32_t rows, struct sl_trouble *t)
{
    char row[STATEMENT_KEY_MAX];
    struct sl_text key;
    const char *between = "(";
    sl_text_init(&key, row, sizeof row);
    for (uint32_t i = 0; i < def->column_count; i++) {
        const struct sl_column *column = &def->columns[i];
        struct statement_charset charset;
        if (!(column->flags & SL_COLUMN_KEY))
            continue;
        if (!statement_ask_charset(&charset, a, def, column, t))
            return false;
        sl_text_cstr(&key, between);
        statement_spell_key(&key, column, &charset);
        between = " AND ";
    }
    sl_text_cstr(&key, ")");
    sl_text_cstr(sql, "DELETE FROM ");
    statement_table(sql, def);
    sl_text_cstr(sql, " WHERE ");
    sql->cut = sql->cut || key.cut;
    sl_text_str(sql, (struct sl_str){ row, key.len });
    statement_repeat(sql, (struct sl_str){ row, key.len }, " OR ", rows - 1);
    return true;
}

/* Texts are compared by collation, and a list of rows of columns is not looked up in an index. */
static bool statement_can_in(const struct sl_table_def *def)
{
    uint32_t keys = 0, numbers = 0;
    for (uint32_t i = 0; i < def->column_count; i++) {
        bool is_key = (def->columns[i].flags & SL_COLUMN_KEY) != 0;
        keys += is_key;
        numbers += is_key && sl_binlog_type_is_integer(def->columns[i].type_code);
    }
    return keys == 1 && numbers == 1;
}

static void statement_spell_in(struct sl_text *sql, const struct sl_table_def *def)
{
    sl_text_cstr(sql, "DELETE FROM ");
    statement_table(sql, def);
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (def->columns[i].flags & SL_COLUMN_KEY) {
            sl_text_cstr(sql, " WHERE ");
            sl_statement_name(sql, def->columns[i].name);
        }
    }
    sl_text_cstr(sql, " IN (?");
    for (uint32_t i = 1; i < SL_APPLY_IN_COUNT; i++)
        sl_text_cstr(sql, ", ?");
    sl_text_cstr(sql, ")");
}

/* ---- preparing ---- */

static bool statement_prepare(MYSQL_STMT **out, struct sl_apply *a, const struct sl_text *sql, struct sl_trouble *t)
{
    *out = mysql_stmt_init(a->db);
    if (!*out || sql->cut)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a statement");
    return mysql_stmt_prepare(*out, sql->ptr, sql->len) == 0 || sl_statement_trouble(t, *out);
}

static bool statement_prepare_step(struct sl_apply_statement *s, struct sl_apply *a, bool is_delete,
                                   enum sl_statement_step step, struct sl_trouble *t)
{
    char *memory = malloc(STATEMENT_SQL_MAX);
    struct sl_text sql;
    if (!memory)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a statement");
    sl_text_init(&sql, memory, STATEMENT_SQL_MAX);
    bool is_good = true;
    if (is_delete)
        is_good = statement_spell_delete(&sql, a, s->def, sl_statement_rows[step], t);
    else
        statement_spell_replace(&sql, s, s->def, sl_statement_rows[step]);
    is_good = is_good && statement_prepare(is_delete ? &s->del[step] : &s->replace[step], a, &sql, t);
    free(memory);
    return is_good;
}

MYSQL_STMT *sl_statement_step(struct sl_apply *a, struct sl_apply_statement *s, bool is_delete,
                              enum sl_statement_step step, struct sl_trouble *t)
{
    MYSQL_STMT **stmt = is_delete ? &s->del[step] : &s->replace[step];
    return *stmt || statement_prepare_step(s, a, is_delete, step, t) ? *stmt : NULL;
}

bool sl_statement_prepare_in(struct sl_apply *a, struct sl_apply_statement *s, struct sl_trouble *t)
{
    char memory[4096]; /* two names and the marks */
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    statement_spell_in(&sql, s->def);
    return s->del_in || statement_prepare(&s->del_in, a, &sql, t);
}

void sl_statement_free(struct sl_apply_statement *s)
{
    if (!s)
        return;
    for (uint32_t step = 0; step < SL_STATEMENT_STEPS; step++) {
        if (s->replace[step])
            mysql_stmt_close(s->replace[step]);
        if (s->del[step])
            mysql_stmt_close(s->del[step]);
    }
    if (s->del_in)
        mysql_stmt_close(s->del_in);
    free(s);
}

static struct sl_apply_statement *statement_new(struct sl_apply *a, const struct sl_table_def *def,
                                                struct sl_trouble *t)
{
    struct sl_apply_statement *s = calloc(1, sizeof *s + def->column_count * sizeof s->columns[0]);
    bool is_good = s != NULL;
    if (s) {
        *s = (struct sl_apply_statement){
            .def = def, .table_id = def->table_id, .version = def->version, .column_count = def->column_count
        };
        for (uint32_t i = 0; i < def->column_count; i++) {
            s->columns[i].is_key = (def->columns[i].flags & SL_COLUMN_KEY) != 0;
            s->columns[i].is_written = true;
        }
        s->has_in = statement_can_in(def);
        is_good = statement_ask_odd(s, a, def, t) && sl_statement_step(a, s, false, SL_STATEMENT_1, t) &&
                  sl_statement_step(a, s, true, SL_STATEMENT_1, t);
    } else {
        sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a statement");
    }
    if (is_good)
        return s;
    sl_statement_free(s);
    return NULL;
}

/* ---- keeping ---- */

static void statement_drop_oldest(struct sl_apply *a)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < a->statement_count; i++) {
        if (a->statements[i]->used < a->statements[oldest]->used)
            oldest = i;
    }
    sl_statement_free(a->statements[oldest]);
    a->statements[oldest] = a->statements[--a->statement_count];
}

static bool statement_keep(struct sl_apply *a, struct sl_apply_statement *s)
{
    if (a->statement_count == (a->has_bulk ? SL_APPLY_STATEMENTS_MAX : SL_APPLY_STATEMENTS_MAX / SL_STATEMENT_STEPS))
        statement_drop_oldest(a);
    struct sl_apply_statement **statements =
        sl_array_room(a->statements, a->statement_count, &a->statement_cap, 16, sizeof(struct sl_apply_statement *));
    if (!statements)
        return false;
    a->statements = statements;
    a->statements[a->statement_count++] = s;
    return true;
}

struct sl_apply_statement *sl_statement_of(struct sl_apply *a, const struct sl_table_def *def, struct sl_trouble *t)
{
    for (uint32_t i = 0; i < a->statement_count; i++) {
        struct sl_apply_statement *s = a->statements[i];
        if (s->def == def && s->table_id == def->table_id && s->version == def->version) {
            s->used = ++a->use_last;
            return s;
        }
    }
    if (!sl_table_def_has_key(def)) {
        sl_trouble_set(t, SL_TROUBLE_LASTING, "NO_PRIMARY_KEY",
                       "add a primary key, or leave the table out by a filter rule", "%.*s.%.*s has no primary key",
                       (int)def->schema.len, def->schema.ptr, (int)def->table.len, def->table.ptr);
        t->table_id = def->table_id;
        return NULL;
    }
    struct sl_apply_statement *s = statement_new(a, def, t);
    if (s && !statement_keep(a, s)) {
        sl_statement_free(s);
        sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a statement");
        return NULL;
    }
    if (s)
        s->used = ++a->use_last;
    return s;
}
