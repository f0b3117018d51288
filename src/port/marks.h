/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_MARKS_H
#define SL_PORT_MARKS_H

#include "base/check.h"
#include "base/units.h"
#include "port/trouble.h"

/*
 * What a sink holds that is said in positions of the source, for who moves a feed to another server with the same data
 * (docs/decisions/0009-repoint.md). A sink lists them, a source finds them in its own log, the sink takes them over.
 */
#define SL_GTIDS_LEN_MAX 1023u

/* A position of the source, and what it is called on every server that has its data; gtids empty: not known. */
struct sl_place {
    sl_ts ts;
    char gtids[SL_GTIDS_LEN_MAX + 1];
};

enum sl_mark_kind {
    SL_MARK_BASE,   /* a place at or before the feed's checkpoint: everything up to it is durable. The first, and one */
    SL_MARK_SPAN,   /* how far a span is durable */
    SL_MARK_CHANGE, /* a change of the schema in the sink's journal; gtids is its own alone */
};

struct sl_mark {
    enum sl_mark_kind kind;
    bool is_void; /* SPAN: the table is copied again, nobody asks how far it was */
    int64_t table_id;
    uint64_t range_id;
    sl_ts ts;
    char *gtids; /* owned, never null */
    sl_ts moved; /* on the other server; SL_TS_NONE: at or before the base, stays as it is */
};

struct sl_marks {
    struct sl_mark *list; /* owned */
    uint32_t count, cap;
    uint32_t copies; /* tables that will be copied again */
};

/* Adds a mark, copies gtids. False: no memory, nothing was added. */
SL_CHECKED bool sl_marks_add(struct sl_marks *m, const struct sl_mark *mark, const char *gtids);
void sl_marks_deinit(struct sl_marks *m);

#endif
