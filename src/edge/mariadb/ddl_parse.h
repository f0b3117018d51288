/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_DDL_PARSE_H
#define SL_EDGE_MARIADB_DDL_PARSE_H

#include "base/err.h"
#include "base/str.h"

/*
 * What a schema change of the log concerns: its kind and the tables that it names. Not a parser of SQL: it reads as far
 * as it must to know these, and says UNKNOWN where it cannot be sure. The statement itself is executed as it was written.
 */
#define SL_DDL_KINDS(X)                      \
    X(IGNORED, "changes no table of a feed") \
    X(UNKNOWN, "cannot be understood")       \
    X(CREATE_TABLE, "create table")          \
    X(DROP_TABLE, "drop table")              \
    X(TRUNCATE_TABLE, "truncate table")      \
    X(RENAME_TABLE, "rename table")          \
    X(ALTER_TABLE, "alter table")            \
    X(CREATE_INDEX, "create index")          \
    X(DROP_INDEX, "drop index")              \
    X(CREATE_DATABASE, "create database")    \
    X(DROP_DATABASE, "drop database")        \
    X(ALTER_DATABASE, "alter database")
enum sl_ddl_kind {
#define SL_DDL_ENUM(name, text) SL_DDL_KIND_##name,
    SL_DDL_KINDS(SL_DDL_ENUM)
#undef SL_DDL_ENUM
        SL_DDL_KIND_COUNT
};
const char *sl_ddl_kind_text(enum sl_ddl_kind kind);

#define SL_DDL_NAME_MAX 256u
#define SL_DDL_TABLES_MAX 256u

struct sl_ddl_name { /* decoded, NUL-terminated */
    char schema[SL_DDL_NAME_MAX + 1], table[SL_DDL_NAME_MAX + 1];
};

/* One table that a statement names. RENAME_TABLE, and ALTER TABLE that renames: new_name is set. */
struct sl_ddl_table {
    struct sl_ddl_name name, new_name;
    bool has_new_name;
};

struct sl_ddl_info {
    enum sl_ddl_kind kind;
    uint32_t table_count;
    struct sl_ddl_table tables[SL_DDL_TABLES_MAX]; /* of database statements: schema only */
    bool replaces;                                 /* CREATE OR REPLACE TABLE: one of that name is dropped before */
    bool exchanges;                                /* ALTER TABLE ... EXCHANGE PARTITION: tables[1] is the other one */
};

/*
 * database: in which the statement was given. is_ansi: double quotes are quotes of names (sql_mode ANSI_QUOTES).
 * Statements with more than SL_DDL_TABLES_MAX tables, names that are too long and everything that is not understood are
 * UNKNOWN.
 */
void sl_ddl_parse(struct sl_ddl_info *out, struct sl_str database, struct sl_str statement, bool is_ansi);

#endif
