/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SINK_STATEMENT_H
#define SL_EDGE_MARIADB_SINK_STATEMENT_H

#include "edge/mariadb/sink_apply.h"

/* The prepared statements of one definition of a table, kept by the apply that made them. Private to the sink. */
struct sl_apply_column {
    bool is_key, is_written; /* generated columns are not written */
    bool is_json;            /* MySQL's own type */
};

/* A statement is prepared for one row, which an array of rows can be bound to; where there are no arrays for more too. */
enum sl_statement_step { SL_STATEMENT_64, SL_STATEMENT_8, SL_STATEMENT_1 };
#define SL_STATEMENT_STEPS 3
#define SL_STATEMENT_ROWS_MAX 64u /* with the 1017 columns of InnoDB fewer parameters than the 65535 of a statement */
extern const uint32_t sl_statement_rows[SL_STATEMENT_STEPS];

struct sl_apply_statement {
    const struct sl_table_def *def; /* only compared; with its version, as memory may be used again */
    int64_t table_id;
    uint64_t version, used;
    MYSQL_STMT *replace[SL_STATEMENT_STEPS], *del[SL_STATEMENT_STEPS]; /* null: not prepared yet */
    MYSQL_STMT *del_in; /* of SL_APPLY_IN_COUNT keys at once; null: not prepared yet */
    bool has_in;        /* the key is one column that is compared as it is bound */
    uint32_t column_count;
    struct sl_apply_column columns[];
};

/* Those for one row are prepared if they are not there yet; the ones that were not used for long may go. Null: *t says why. */
struct sl_apply_statement *sl_statement_of(struct sl_apply *a, const struct sl_table_def *def, struct sl_trouble *t);
void sl_statement_free(struct sl_apply_statement *s);
/* That of a step, prepared if it is not yet. Null: *t says why. */
MYSQL_STMT *sl_statement_step(struct sl_apply *a, struct sl_apply_statement *s, bool is_delete,
                              enum sl_statement_step step, struct sl_trouble *t);
/* Prepares del_in; has_in. */
SL_CHECKED bool sl_statement_prepare_in(struct sl_apply *a, struct sl_apply_statement *s, struct sl_trouble *t);

/* The statement's last error, without values of rows. Returns false. */
bool sl_statement_trouble(struct sl_trouble *t, MYSQL_STMT *stmt);

/* Adds `name`, quoted, to SQL under construction. */
void sl_statement_name(struct sl_text *sql, struct sl_str name);

#endif
