/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SINK_DDL_H
#define SL_EDGE_MARIADB_SINK_DDL_H

#include "edge/mariadb/sink_state.h"

/*
 * Schema changes at the sink, each performed once. A statement that changes the schema commits by itself, so it cannot
 * share a transaction with a note that it was done; instead there is a journal, sluice.ddl, one row per (feed, span, ts):
 *
 *     begun, with what the tables looked like  ->  the statement  ->  done
 *
 * Whoever finds "begun" after a crash compares: if the tables that the statement names look different now, it was performed;
 * if they look the same, it was not (or changes nothing), and is performed. A statement that still runs for somebody who
 * is gone is waited for: its connection holds a lock of the server.
 */
SL_CHECKED bool sl_sink_ddl_prepare(MYSQL *db, struct sl_trouble *t);

/*
 * Moves the progress of the span to the ts of the change. db: a connection of its own, to be closed afterwards, without a
 * limit on the time of an answer: a change of a large table takes hours. It waits for one that an earlier owner has begun.
 */
SL_CHECKED bool sl_sink_ddl_execute(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span,
                                    const struct sl_ddl *ddl, struct sl_trouble *t);
SL_CHECKED bool sl_sink_ddl_was_executed(MYSQL *db, const struct sl_sink_feed_key *feed,
                                         const struct sl_sink_span *span, sl_ts ts, bool *out, struct sl_trouble *t);

#endif
