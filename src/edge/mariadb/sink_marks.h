/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SINK_MARKS_H
#define SL_EDGE_MARIADB_SINK_MARKS_H

#include "edge/mariadb/sink_state.h"

/* What the sink holds in positions of the source, read and replaced as port/sink.h says. Connection with autocommit off. */
SL_CHECKED bool sl_sink_marks_read(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_marks *out,
                                   struct sl_trouble *t);
SL_CHECKED bool sl_sink_marks_move(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_marks *marks,
                                   struct sl_trouble *t);

#endif
