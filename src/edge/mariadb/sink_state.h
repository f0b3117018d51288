/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SINK_STATE_H
#define SL_EDGE_MARIADB_SINK_STATE_H

#include "edge/mariadb/mariadb_conn.h"
#include "port/sink.h"

/*
 * What the sink itself knows of each span: who may write it, and up to which ts its rows are durable. One row per (feed,
 * span) of sluice.progress, changed in the same transaction as the rows: that is what makes a replay exact and stops a
 * writer that was replaced (docs/invariants.md I1, I3, I6).
 *
 *   placement grows only; ts grows only; a write carries the placement it was made under and finds its row, or fails.
 *
 * Beside ts stands what other servers with the source's data call it (gtids, true of gtids_ts: a node of an older version
 * moves ts alone). sluice.source has one place of each feed at or before its checkpoint, likewise. Both are for who moves a
 * feed to another server (docs/decisions/0009-repoint.md).
 */
struct sl_sink_feed_key {
    uint8_t bytes[16]; /* id of the feed */
};
struct sl_sink_feed_key sl_sink_feed_key_of(const struct sl_feed_id *feed);

/* Makes schema and table if they are not there. */
SL_CHECKED bool sl_sink_state_prepare(MYSQL *db, struct sl_trouble *t);

/* Raises each claim's placement and reads its ts, in one transaction; connection with autocommit off. */
SL_CHECKED bool sl_sink_state_raise(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_sink_claim *claims,
                                    uint32_t count, struct sl_trouble *t);

/*
 * Within the transaction of the rows: ts of a span, if its placement is still ours. gtids: of through; empty: not known.
 * STALE with t->table_id.
 */
SL_CHECKED bool sl_sink_state_advance(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span,
                                      sl_ts through, struct sl_str gtids, struct sl_trouble *t);

/* A place at or before the feed's checkpoint; one that is further replaces it. Commits. */
SL_CHECKED bool sl_sink_state_keep_place(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_place *place,
                                         struct sl_trouble *t);

/*
 * A table that an older version made gets the columns that it does not have, whoever else does the same at this moment.
 * look fails without them.
 */
SL_CHECKED bool sl_sink_add_columns(MYSQL *db, const char *look, const char *add, struct sl_trouble *t);
/* Adds text of GTIDs as a literal; one that holds anything else is as good as none. */
void sl_sink_put_gtids(struct sl_text *sql, struct sl_str gtids);
/* Adds a feed's key as a literal. */
void sl_sink_put_feed(struct sl_text *sql, const struct sl_sink_feed_key *feed);

/* The feed is gone. */
SL_CHECKED bool sl_sink_state_forget(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_trouble *t);

#endif
