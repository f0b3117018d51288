/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_COPY_TABLE_H
#define SL_EDGE_MARIADB_COPY_TABLE_H

#include "base/str.h"
#include "edge/mariadb/mariadb_conn.h"
#include "port/rows.h"

/*
 * A table as the copier of its rows needs it: its definition, how each column is selected so that its value is the one
 * that the log would have given, and where in the order of the key a chunk begins. The part that talks to no server is
 * tested without one.
 */
enum sl_copy_class {
    SL_COPY_INTEGER, /* and YEAR */
    SL_COPY_BITS,    /* BIT, ENUM, SET: as numbers */
    SL_COPY_REAL,    /* FLOAT, DOUBLE: all digits */
    SL_COPY_DECIMAL,
    SL_COPY_TIME, /* dates and times, as text */
    SL_COPY_TEXT,
    SL_COPY_BYTES,
    SL_COPY_ADDRESS, /* INET4, INET6, UUID: their bytes */
};

struct sl_copy_column {
    enum sl_copy_class class;
    uint32_t bytes;                  /* ADDRESS */
    char type_name[16];              /* ADDRESS: as declared */
    char charset[64], collation[64]; /* TEXT */
};

#define SL_COPY_KEY_PARTS_MAX 32u

struct sl_copy_table {
    struct sl_table_def *def; /* one reference */
    uint64_t hash;            /* of the definition as the server spells it, without counters */
    char *make_schema, *make_table;
    struct sl_copy_column *columns;
    uint32_t key[SL_COPY_KEY_PARTS_MAX], key_count; /* columns, in the order of the primary key */
    uint64_t rows_about;
};

/* The class of a column by the name of its type ("int", "varchar"). False: a type that is not known. */
bool sl_copy_class_of(struct sl_copy_column *out, const char *data_type);

/* A text of the server as the value that the log would have given. False: it is not of that class. */
bool sl_copy_value(struct sl_value *out, const struct sl_copy_column *column, bool is_unsigned, struct sl_bytes text);

/* Where the rows behind this one begin: the definition's hash and the values of its key. 0: too large. */
size_t sl_copy_place_write(uint8_t *out, size_t size, const struct sl_copy_table *table, const struct sl_value *row);
/* The hash in a place; 0: it is none. */
uint64_t sl_copy_place_hash(struct sl_bytes place);
/* Adds the condition for rows behind a place. False: the place does not fit the table. */
bool sl_copy_place_spell(struct sl_text *sql, const struct sl_copy_table *table, struct sl_bytes place);

/* SELECT ... FROM ... WHERE ... ORDER BY ... LIMIT; place may be empty. False: the place does not fit. */
bool sl_copy_select_spell(struct sl_text *sql, const struct sl_copy_table *table, struct sl_bytes place,
                          uint32_t rows_max);

/*
 * Asks the server for the definition of a table. *is_gone: there is no such table (then false without a trouble). LASTING
 * for what cannot be copied: no primary key, an unknown type.
 */
SL_CHECKED bool sl_copy_table_load(struct sl_copy_table *out, MYSQL *db, struct sl_str schema, struct sl_str table,
                                   int64_t table_id, int64_t schema_id, bool *is_gone, struct sl_trouble *t);
/* The hash of what SHOW CREATE TABLE says now; false without a trouble if the table is gone. */
SL_CHECKED bool sl_copy_table_hash(uint64_t *out, MYSQL *db, struct sl_str schema, struct sl_str table, bool *is_gone,
                                   struct sl_trouble *t);
void sl_copy_table_free(struct sl_copy_table *table);

#endif
