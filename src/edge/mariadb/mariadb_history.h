/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_MARIADB_HISTORY_H
#define SL_EDGE_MARIADB_MARIADB_HISTORY_H

#include "port/source.h"

/*
 * Which tables there were at a past place of the log. The server only knows those of now; the log since then tells the
 * rest, by what it says of a table first:
 *
 *   rows, or a change or end of it      it was there         (its rows are wanted under the name of then)
 *   that it is made, or named so        it was not           (the table trigger adds it at that place)
 *   nothing                             as it is now; one that went with its whole database, without a word of it, has no
 *                                       rows that anybody could miss
 *
 * The list of now may be younger or older than the end of what is read: what happened in between is in what is read.
 */
struct sl_history_entry {
    int64_t table_id; /* 0: a free place */
    bool was_there;
    struct sl_str schema, table; /* owned, one allocation that begins at schema.ptr */
};

struct sl_history {
    struct sl_history_entry *entries; /* open addressing by table id */
    uint32_t count, cap;
};

/* SL_TROUBLE_PASSING without memory. */
SL_CHECKED bool sl_history_init(struct sl_history *h, struct sl_trouble *t);
void sl_history_deinit(struct sl_history *h);

/* Only what is said first counts. */
SL_CHECKED bool sl_history_note(struct sl_history *h, struct sl_str schema, struct sl_str table, bool was_there,
                                struct sl_trouble *t);
/* What a statement says of tables. Filters are the caller's. */
SL_CHECKED bool sl_history_note_statement(struct sl_history *h, struct sl_str database, struct sl_str statement,
                                          uint64_t sql_mode, struct sl_trouble *t);

/*
 * Reads the log behind o->from up to end by a reader of its own. What cannot be replicated ends it early without trouble:
 * no feed gets beyond that place, and who is told to begin behind it asks again.
 */
SL_CHECKED bool sl_history_read(struct sl_history *h, const struct sl_source_driver *driver,
                                const struct sl_source_open *o, sl_ts end, struct sl_trouble *t);

/* Null: nothing was said of it. */
const struct sl_history_entry *sl_history_find(const struct sl_history *h, int64_t table_id);

#endif
