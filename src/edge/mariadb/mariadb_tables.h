/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_MARIADB_TABLES_H
#define SL_EDGE_MARIADB_MARIADB_TABLES_H

#include "edge/mariadb/binlog_table.h"
#include "edge/mariadb/mariadb_conn.h"
#include "port/source.h"

/*
 * Definitions of tables as sinks see them, made from the maps of the log. What a map does not say (unique keys,
 * generated columns, declared types) is asked of the server once per definition, by a connection of its own.
 *
 * The id of a table is a hash of its schema and name, below 2^56, so every node knows it without asking. A table that is
 * dropped and made again has the same id: the two lives follow each other in the log and are not mixed
 * (docs/decisions/0006-table-ids.md).
 */
int64_t sl_mariadb_table_id(struct sl_str schema, struct sl_str table);
int64_t sl_mariadb_schema_id(struct sl_str schema);

/* The server's own tables, and those in which Sluice keeps its state: never replicated. */
bool sl_mariadb_schema_is_private(struct sl_str schema);

/*
 * A definition with one reference. details: a connection to the server, or null (then only what the map says).
 * LASTING if the map lacks what an exact copy needs, and names the setting to change.
 */
SL_CHECKED bool sl_mariadb_table_def(struct sl_table_def **out, const struct sl_binlog_table *map, uint64_t version,
                                     MYSQL *details, struct sl_trouble *t);

#endif
