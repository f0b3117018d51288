/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SOURCE_PLACE_H
#define SL_EDGE_MARIADB_SOURCE_PLACE_H

#include "edge/mariadb/gtids.h"
#include "edge/mariadb/mariadb_source_internal.h"

/*
 * The GTID position of a reader that was opened by file and offset. The log itself only says what is new in it, so the
 * server is asked once (BINLOG_GTID_POS) for the position of a place that the reader has passed, over a connection of its
 * own: the server reads the file from its beginning for that, and rows do not wait for it. Until the answer is there
 * nothing is known; then it is completed by the transactions that were read since. One thread.
 */
struct sl_source_place {
    const struct sl__source_opts *opts; /* the caller's */
    MYSQL *asker;                       /* null: nothing is asked */
    int fd;
    sl_ns ask_ns;           /* not before; CLOCK_MONOTONIC; SL_NEVER: the server has no such positions */
    bool is_known, is_open; /* is_open: a group has begun and has not ended */
    struct sl_gtids seen;   /* since the place that is asked about; when known: all */
    struct sl_gtid group;   /* the open one */
};

void sl_source_place_init(struct sl_source_place *p, const struct sl__source_opts *opts);
void sl_source_place_deinit(struct sl_source_place *p);
/* A group begins at file:pos, or nothing does yet and file:pos is the end of the log (group null). */
void sl_source_place_begin(struct sl_source_place *p, sl_ns now, const char *file, uint32_t pos,
                           const struct sl_gtid *group);
/* The open group has ended. */
void sl_source_place_end(struct sl_source_place *p);
/* Behind the last group that has ended. Empty: not known. out: SL_GTIDS_TEXT_MAX bytes. */
struct sl_str sl_source_place_text(struct sl_source_place *p, sl_ns now, char *out);

/* The answer of the server for a place; false: it has none, or the connection failed (mysql_errno). Blocks. */
SL_CHECKED bool sl_source_place_ask(struct sl_gtids *out, MYSQL *db, const char *file, uint32_t pos);

#endif
