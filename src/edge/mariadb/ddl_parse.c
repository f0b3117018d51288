/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/ddl_parse.h"

#include "edge/mariadb/ddl_token.h"

#include <string.h>

const char *sl_ddl_kind_text(enum sl_ddl_kind kind)
{
    static const char *const texts[] = {
#define SL_DDL_TEXT(name, text) text,
        SL_DDL_KINDS(SL_DDL_TEXT)
#undef SL_DDL_TEXT
    };
    SL_REQUIRE(kind < SL_DDL_KIND_COUNT);
    return texts[kind];
}

struct ddl {
    struct sl_ddl_info *out;
    struct sl_ddl_lexer x;
    struct sl_str database;
};

/* ---- names ---- */

static bool ddl_put_name(char *out, struct sl_str text, char quote)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (len == SL_DDL_NAME_MAX || text.ptr[i] == 0)
            return false;
        out[len++] = text.ptr[i];
        i += quote && text.ptr[i] == quote ? 1 : 0; /* a doubled quote is one */
    }
    out[len] = 0;
    return len > 0;
}

static bool ddl_read_word(struct ddl *d, char *out)
{
    const struct sl_ddl_token *token = &d->x.token;
    if (token->kind != SL_DDL_TOKEN_WORD && token->kind != SL_DDL_TOKEN_QUOTED)
        return false;
    bool is_good = ddl_put_name(out, token->text, token->quote);
    sl_ddl_next(&d->x);
    return is_good;
}

/* table, or schema.table */
static bool ddl_read_name(struct ddl *d, struct sl_ddl_name *out)
{
    char first[SL_DDL_NAME_MAX + 1];
    if (!ddl_read_word(d, first))
        return false;
    if (!sl_ddl_take_sign(&d->x, '.')) {
        memcpy(out->table, first, sizeof first);
        return ddl_put_name(out->schema, d->database, 0);
    }
    memcpy(out->schema, first, sizeof first);
    return ddl_read_word(d, out->table);
}

static struct sl_ddl_table *ddl_add_table(struct ddl *d)
{
    if (d->out->table_count == SL_DDL_TABLES_MAX)
        return NULL;
    struct sl_ddl_table *table = &d->out->tables[d->out->table_count++];
    table->has_new_name = false;
    return table;
}

static bool ddl_read_table(struct ddl *d)
{
    struct sl_ddl_table *table = ddl_add_table(d);
    return table && ddl_read_name(d, &table->name);
}

static bool ddl_read_tables(struct ddl *d)
{
    do {
        if (!ddl_read_table(d))
            return false;
    } while (sl_ddl_take_sign(&d->x, ','));
    return true;
}

static bool ddl_read_schema(struct ddl *d)
{
    struct sl_ddl_table *table = ddl_add_table(d);
    if (!table)
        return false;
    table->name.table[0] = 0;
    return ddl_read_word(d, table->name.schema);
}

static void ddl_take_exists(struct ddl *d)
{
    if (sl_ddl_take(&d->x, "IF")) {
        sl_ddl_take(&d->x, "NOT");
        sl_ddl_take(&d->x, "EXISTS");
    }
}

static void ddl_take_wait(struct ddl *d)
{
    if (sl_ddl_take(&d->x, "WAIT"))
        sl_ddl_next(&d->x);
    else
        sl_ddl_take(&d->x, "NOWAIT");
}

static bool ddl_is(struct ddl *d, enum sl_ddl_kind kind, bool is_good)
{
    d->out->kind = kind;
    return is_good;
}

/* ---- statements ---- */

/* Up to the word ON, then the table. */
static bool ddl_read_index(struct ddl *d, enum sl_ddl_kind kind)
{
    while (d->x.token.kind != SL_DDL_TOKEN_END && !sl_ddl_is(&d->x, "ON"))
        sl_ddl_next(&d->x);
    return ddl_is(d, kind, sl_ddl_take(&d->x, "ON") && ddl_read_table(d));
}

static bool ddl_take_database(struct ddl *d)
{
    return sl_ddl_take(&d->x, "DATABASE") || sl_ddl_take(&d->x, "SCHEMA");
}

static bool ddl_create(struct ddl *d)
{
    if (sl_ddl_take(&d->x, "OR"))
        d->out->replaces = sl_ddl_take(&d->x, "REPLACE");
    if (sl_ddl_take(&d->x, "TEMPORARY"))
        return true;
    if (sl_ddl_take(&d->x, "TABLE")) {
        ddl_take_exists(d);
        return ddl_is(d, SL_DDL_KIND_CREATE_TABLE, ddl_read_table(d));
    }
    if (ddl_take_database(d)) {
        ddl_take_exists(d);
        return ddl_is(d, SL_DDL_KIND_CREATE_DATABASE, ddl_read_schema(d));
    }
    if (sl_ddl_take(&d->x, "UNIQUE") || sl_ddl_take(&d->x, "FULLTEXT") || sl_ddl_take(&d->x, "SPATIAL"))
        return sl_ddl_take(&d->x, "INDEX") && ddl_read_index(d, SL_DDL_KIND_CREATE_INDEX);
    return !sl_ddl_take(&d->x, "INDEX") ||
           ddl_read_index(d, SL_DDL_KIND_CREATE_INDEX); /* else views, triggers, users ... */
}

static bool ddl_drop(struct ddl *d)
{
    if (sl_ddl_take(&d->x, "TEMPORARY"))
        return true;
    if (sl_ddl_take(&d->x, "TABLE") || sl_ddl_take(&d->x, "TABLES")) {
        ddl_take_exists(d);
        return ddl_is(d, SL_DDL_KIND_DROP_TABLE, ddl_read_tables(d));
    }
    if (ddl_take_database(d)) {
        ddl_take_exists(d);
        return ddl_is(d, SL_DDL_KIND_DROP_DATABASE, ddl_read_schema(d));
    }
    return !sl_ddl_take(&d->x, "INDEX") || ddl_read_index(d, SL_DDL_KIND_DROP_INDEX);
}

static bool ddl_truncate(struct ddl *d)
{
    sl_ddl_take(&d->x, "TABLE");
    return ddl_is(d, SL_DDL_KIND_TRUNCATE_TABLE, ddl_read_table(d));
}

static bool ddl_rename(struct ddl *d)
{
    if (!sl_ddl_take(&d->x, "TABLE") && !sl_ddl_take(&d->x, "TABLES"))
        return true; /* RENAME USER */
    ddl_take_exists(d);
    do {
        struct sl_ddl_table *table = ddl_add_table(d);
        if (!table || !ddl_read_name(d, &table->name))
            return false;
        ddl_take_wait(d);
        if (!sl_ddl_take(&d->x, "TO") || !ddl_read_name(d, &table->new_name))
            return false;
        table->has_new_name = true;
    } while (sl_ddl_take_sign(&d->x, ','));
    return ddl_is(d, SL_DDL_KIND_RENAME_TABLE, true);
}

/* ALTER ... RENAME [TO|AS|=] name, but not RENAME COLUMN, INDEX or KEY. */
static bool ddl_alter_rename(struct ddl *d)
{
    struct sl_ddl_table *table = &d->out->tables[0];
    if (sl_ddl_is(&d->x, "COLUMN") || sl_ddl_is(&d->x, "INDEX") || sl_ddl_is(&d->x, "KEY"))
        return true;
    if (!sl_ddl_take(&d->x, "TO") && !sl_ddl_take(&d->x, "AS"))
        sl_ddl_take_sign(&d->x, '=');
    table->has_new_name = ddl_read_name(d, &table->new_name);
    return table->has_new_name;
}

static bool ddl_alter_exchange(struct ddl *d)
{
    while (d->x.token.kind != SL_DDL_TOKEN_END && !sl_ddl_is(&d->x, "TABLE"))
        sl_ddl_next(&d->x);
    d->out->exchanges = true;
    return sl_ddl_take(&d->x, "TABLE") && ddl_read_table(d);
}

/* What follows the name, outside of parentheses, for the few forms that concern other tables. */
static bool ddl_alter_specs(struct ddl *d)
{
    uint32_t depth = 0;
    bool at_start = true; /* of one specification */
    while (d->x.token.kind != SL_DDL_TOKEN_END) {
        bool is_first = at_start && depth == 0;
        at_start = sl_ddl_is_sign(&d->x, ',');
        if (sl_ddl_is_sign(&d->x, '('))
            depth++;
        else if (sl_ddl_is_sign(&d->x, ')') && depth > 0)
            depth--;
        if (is_first && sl_ddl_take(&d->x, "RENAME")) {
            if (!ddl_alter_rename(d))
                return false;
        } else if (is_first && sl_ddl_take(&d->x, "EXCHANGE")) {
            if (!ddl_alter_exchange(d))
                return false;
        } else {
            sl_ddl_next(&d->x);
        }
    }
    return true;
}

/* Without a name it is the database in which it was given. */
static bool ddl_alter_database(struct ddl *d)
{
    static const char *const options[] = { "DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "COMMENT" };
    d->out->kind = SL_DDL_KIND_ALTER_DATABASE;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (sl_ddl_is(&d->x, options[i])) {
            struct sl_ddl_table *table = ddl_add_table(d);
            table->name.table[0] = 0;
            return ddl_put_name(table->name.schema, d->database, 0);
        }
    }
    return ddl_read_schema(d);
}

static bool ddl_alter(struct ddl *d)
{
    sl_ddl_take(&d->x, "ONLINE");
    sl_ddl_take(&d->x, "IGNORE");
    if (ddl_take_database(d))
        return ddl_alter_database(d);
    if (!sl_ddl_take(&d->x, "TABLE"))
        return true; /* users, views ... */
    ddl_take_exists(d);
    if (!ddl_read_table(d))
        return false;
    ddl_take_wait(d);
    return ddl_is(d, SL_DDL_KIND_ALTER_TABLE, ddl_alter_specs(d));
}

/* SET STATEMENT ... FOR statement */
static bool ddl_take_set(struct ddl *d)
{
    if (!sl_ddl_take(&d->x, "SET"))
        return true;
    if (!sl_ddl_take(&d->x, "STATEMENT"))
        return false;
    while (d->x.token.kind != SL_DDL_TOKEN_END && !sl_ddl_is(&d->x, "FOR"))
        sl_ddl_next(&d->x);
    return sl_ddl_take(&d->x, "FOR");
}

static bool ddl_is_harmless(const struct ddl *d)
{
    static const char *const words[] = { "ANALYZE", "OPTIMIZE", "REPAIR",    "FLUSH", "GRANT", "REVOKE",
                                         "CHECK",   "INSTALL",  "UNINSTALL", "CACHE", "RESET", "BACKUP" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (sl_ddl_is(&d->x, words[i]))
            return true;
    }
    return false;
}

static bool ddl_statement(struct ddl *d)
{
    if (!ddl_take_set(d))
        return false;
    if (sl_ddl_take(&d->x, "CREATE"))
        return ddl_create(d);
    if (sl_ddl_take(&d->x, "DROP"))
        return ddl_drop(d);
    if (sl_ddl_take(&d->x, "ALTER"))
        return ddl_alter(d);
    if (sl_ddl_take(&d->x, "TRUNCATE"))
        return ddl_truncate(d);
    if (sl_ddl_take(&d->x, "RENAME"))
        return ddl_rename(d);
    return ddl_is_harmless(d);
}

void sl_ddl_parse(struct sl_ddl_info *out, struct sl_str database, struct sl_str statement, bool is_ansi)
{
    struct ddl d = { .out = out, .database = database };
    out->kind = SL_DDL_KIND_IGNORED;
    out->table_count = 0;
    out->exchanges = out->replaces = false;
    sl_ddl_lexer_init(&d.x, statement, is_ansi);
    if (!ddl_statement(&d)) {
        out->kind = SL_DDL_KIND_UNKNOWN;
        out->table_count = 0;
    }
}
