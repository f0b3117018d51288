/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SINK_APPLY_H
#define SL_EDGE_MARIADB_SINK_APPLY_H

#include "edge/mariadb/mariadb_conn.h"
#include "edge/mariadb/sink_changes.h"

/*
 * Writes the changes of a batch into tables of a server: first all deletes of a table, then all writes (REPLACE). Values
 * are always bound, never spelled into a statement; names are quoted. Statements are prepared once per definition of a
 * table and kept. Within the caller's transaction, on the caller's connection.
 */
struct sl_apply_statement;

struct sl_apply {
    MYSQL *db;
    bool has_bulk; /* the server takes arrays of parameters (MariaDB) */
    struct sl_apply_statement **statements;
    uint32_t statement_count, statement_cap;
    uint64_t use_last;
    size_t bytes_max; /* of one bound array; below max_allowed_packet */
    struct sl_apply_arrays *arrays;
};

#define SL_APPLY_ROWS_MAX 1024u
#define SL_APPLY_IN_COUNT 64u /* keys of one DELETE ... IN */
#define SL_APPLY_STATEMENTS_MAX 1024u

/*
 * Asks the server for its limits. Without takes_arrays it is treated as one that has none, such as MySQL. To be
 * deinitialised in any case.
 */
SL_CHECKED bool sl_apply_init(struct sl_apply *a, MYSQL *db, bool takes_arrays, struct sl_trouble *t);
void sl_apply_deinit(struct sl_apply *a); /* before the connection is closed */
/* A table of the sink has changed: its statements are made anew. */
void sl_apply_forget(struct sl_apply *a);

SL_CHECKED bool sl_apply_table(struct sl_apply *a, const struct sl_table_changes *changes, struct sl_trouble *t);
/* Rows of which no two have the same key, all to be written: those of a chunk. */
SL_CHECKED bool sl_apply_run(struct sl_apply *a, const struct sl_row_run *run, struct sl_trouble *t);

#endif
