/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SINK_COPY_H
#define SL_EDGE_MARIADB_SINK_COPY_H

#include "edge/mariadb/sink_state.h"

/*
 * What the sink knows of copies: one row per (feed, table) of sluice.copy, changed in the same transaction as the rows of
 * a chunk. A copy that was begun goes on behind its last chunk, on whatever node.
 *
 *   wanted --(the table is empty, or is made)--> again --chunk 1--> begun --last chunk--> done
 *                                                  ^                  |                     |
 *                                                  +-- redefined -----+---- asked for ------+
 */
SL_CHECKED bool sl_sink_copy_schema(MYSQL *db, struct sl_trouble *t);

/* Within raise: what is stored for each claim, and `wanted` for those that want a copy and never had one. */
SL_CHECKED bool sl_sink_copy_raise(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_sink_claim *claims,
                                   uint32_t count, struct sl_trouble *t);

/*
 * Before chunk 1, with no transaction open: the table is there, as it is defined at the source, and empty. guard is a
 * connection of its own, which holds the span's placement for as long as the table is changed, so that an owner that was
 * replaced cannot empty the table of its successor. LASTING COPY_NOT_EMPTY, STALE.
 */
SL_CHECKED bool sl_sink_copy_prepare(MYSQL *db, MYSQL *guard, const struct sl_sink_feed_key *feed,
                                     const struct sl_sink_span *span, const struct sl_batch *batch,
                                     struct sl_trouble *t);

/* Within the transaction of a chunk's rows. */
SL_CHECKED bool sl_sink_copy_store(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span,
                                   const struct sl_batch *batch, struct sl_trouble *t);

SL_CHECKED bool sl_sink_copy_asked(MYSQL *db, const struct sl_sink_feed_key *feed, int64_t *table_ids, uint32_t *count,
                                   struct sl_trouble *t);
/* LASTING COPY_NO_TABLE: the feed has no such table at this sink. */
SL_CHECKED bool sl_sink_copy_ask(MYSQL *db, const struct sl_sink_feed_key *feed, int64_t table_id,
                                 struct sl_trouble *t);

/*
 * A change of several tables that is older than the copies of some: *is_past if it is older than all of them, so there is
 * nothing left to do. LASTING COPY_SCHEMA_CHANGED if only of some.
 */
SL_CHECKED bool sl_sink_copy_is_past(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_ddl *ddl,
                                     bool *is_past, struct sl_trouble *t);

SL_CHECKED bool sl_sink_copy_forget(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_trouble *t);

#endif
