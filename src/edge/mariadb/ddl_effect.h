/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_DDL_EFFECT_H
#define SL_EDGE_MARIADB_DDL_EFFECT_H

#include "edge/mariadb/ddl_parse.h"
#include "engine/table_filter.h"
#include "port/rows.h"

/*
 * What a statement means for the tables of a feed: from what it names and from the filter to the effect (port/rows.h).
 *
 *   its only table is wanted, and stays            OWN
 *   makes a table or a schema                      MAKES
 *   drops, renames, exchanges                      JOINT
 *   names only tables that are not wanted          NOTHING
 *   names wanted and unwanted ones together        REFUSED: what would be left of it is another statement
 *   cannot be understood                           REFUSED
 */
#define SL_DDL_IDS_MAX (2 * SL_DDL_TABLES_MAX + 1)

struct sl_ddl_effects { /* memory of one result */
    struct sl_ddl_info info;
    int64_t tables[SL_DDL_IDS_MAX], dropped[SL_DDL_IDS_MAX];
    struct sl_added_table added[SL_DDL_IDS_MAX];
    struct sl_ddl ddl; /* without ts; points into this struct and to the statement */
};

void sl_ddl_effect(struct sl_ddl_effects *out, struct sl_str database, struct sl_str statement, uint64_t sql_mode,
                   const struct sl_table_filter *filter);

#endif
