/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SINK_STATEMENT_H
#define SL_EDGE_MARIADB_SINK_STATEMENT_H

#include "edge/mariadb/sink_apply.h"

/* The prepared statements of one definition of a table, kept by the apply that made them. Private to the sink. */
struct sl_apply_column {
    bool is_key, is_written; /* generated columns are not written */
};

struct sl_apply_statement {
    const struct sl_table_def *def; /* only compared; with its version, as memory may be used again */
    int64_t table_id;
    uint64_t version, used;
    MYSQL_STMT *replace, *del;
    MYSQL_STMT *del_in; /* of SL_APPLY_IN_COUNT keys at once; null: not prepared yet */
    bool has_in;        /* the key is one column that is compared as it is bound */
    uint32_t column_count;
    struct sl_apply_column columns[];
};

/* Prepares them if they are not there yet; the ones that were not used for long may go. Null: *t says why. */
struct sl_apply_statement *sl_statement_of(struct sl_apply *a, const struct sl_table_def *def, struct sl_trouble *t);
void sl_statement_free(struct sl_apply_statement *s);
/* Prepares del_in; has_in. */
SL_CHECKED bool sl_statement_prepare_in(struct sl_apply *a, struct sl_apply_statement *s, struct sl_trouble *t);

/* The statement's last error, without values of rows. Returns false. */
bool sl_statement_trouble(struct sl_trouble *t, MYSQL_STMT *stmt);

/* Adds `name`, quoted, to SQL under construction. */
void sl_statement_name(struct sl_text *sql, struct sl_str name);

#endif
