/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_DATA_PLANE_H
#define SL_CORE_COMMON_DATA_PLANE_H

#include "base/secret.h"
#include "base/units.h"
#include "wire/ids.h"

/*
 * The port between the control plane and the data plane of one node, as plain data. The core emits commands; whoever
 * runs the rows (the engine, or a model in the simulator) performs them in order and answers with reports. Tokens name
 * things over the port: an unknown or old token in a report is ignored, so reports may cross commands.
 *
 * Progress scales because it is shared: a dispatcher that has caught up "follows" its feed, and one FEED_PROGRESS moves
 * all followers of the feed on this node. Only those that start, lag or stop report by themselves.
 */

/* Owner epoch of a placement, compared lexicographically: a smaller one never writes after a larger one. */
struct sl_placement {
    uint64_t maintainer_epoch;
    uint64_t seq;
};
int sl_placement_cmp(struct sl_placement a, struct sl_placement b);

/* A table, or a key range of one (then both keys are set). Views valid during the call they travel in. */
struct sl_span_key {
    int64_t table_id;
    uint32_t keyspace_id;
    struct sl_bytes start_key, end_key;
};

typedef uint64_t sl_feed_token;       /* generation:32 | slot:32 of a dispatch manager; 0 = none */
typedef uint64_t sl_dispatcher_token; /* generation:32 | slot:32 of a dispatcher; 0 = none */

enum sl_command_verb {
    SL_COMMAND_OPEN_FEED,  /* connect the sink, prepare queues -> FEED_OPENED or FEED_FAILED */
    SL_COMMAND_CLOSE_FEED, /* drop all dispatchers of the feed without waiting for the sink, release everything ->
                              FEED_CLOSED */
    SL_COMMAND_FENCE_FEED, /* lease lost: from now on nothing of this feed may reach the sink; no report */
    SL_COMMAND_OPEN,       /* start replicating a span after start_ts -> READY or FAILED */
    SL_COMMAND_CLOSE,      /* stop input, flush what was taken, then stop -> CLOSED with the final checkpoint */
    SL_COMMAND_WRITE, /* perform the schema change at start_ts in front of which the dispatcher stands -> UNBLOCKED */
    SL_COMMAND_PASS,  /* somebody has performed it: go on behind it -> UNBLOCKED */
    SL_COMMAND_TELL_CHECKPOINT, /* of the whole feed, durable: start_ts. For sinks that show it; no report */
};

struct sl_command {
    enum sl_command_verb verb;
    sl_feed_token feed;
    sl_dispatcher_token dispatcher;        /* OPEN, CLOSE, WRITE, PASS */
    const struct sl_feed_id *feed_id;      /* OPEN_FEED; valid during the call */
    struct sl_secret config;               /* OPEN_FEED: the flattened configuration */
    struct sl_secret source;               /* OPEN_FEED: URI of the source; empty: the feed has none */
    struct sl_dispatcher_id id;            /* OPEN, CLOSE */
    struct sl_span_key span;               /* OPEN */
    struct sl_str schema_name, table_name; /* OPEN: at start_ts; empty if not known */
    struct sl_placement placement;         /* OPEN */
    sl_ts start_ts; /* OPEN: the first row wanted is the first one after this; WRITE, PASS, TELL_CHECKPOINT */
    int64_t schema_id;
    bool skip_dml_at_start_ts;
    bool is_table_trigger;   /* the feed's DDL dispatcher; its span is the whole feed's DDL stream */
    bool cleanup_downstream; /* CLOSE_FEED: the feed was removed for good */
};

enum sl_report_kind {
    SL_REPORT_FEED_OPENED,
    SL_REPORT_FEED_FAILED,   /* code, text */
    SL_REPORT_FEED_PROGRESS, /* checkpoint, resolved: every follower has reached them */
    SL_REPORT_FEED_CLOSED,
    SL_REPORT_READY,    /* checkpoint (>= start_ts); follows or not */
    SL_REPORT_PROGRESS, /* of one dispatcher: checkpoint, resolved; follows or not from now on */
    SL_REPORT_CLOSED,   /* checkpoint: everything up to it, and nothing after it, is durable in the sink */
    SL_REPORT_FAILED, /* code, text; the dispatcher has stopped, its checkpoint is final. Empty code: a larger placement
                            owns the span at the sink, which is no error of the feed */
    SL_REPORT_HOSTED, /* node-wide counts for the self report: readers, unflushed_rows */
    SL_REPORT_BLOCKED,   /* block: it stands in front of a schema change, with everything before it durable */
    SL_REPORT_COPY,      /* of a feed on this node: copy; again whenever it has changed */
    SL_REPORT_UNBLOCKED, /* checkpoint: the schema change of this ts is behind it */
};

/* How far a schema change reaches. */
enum sl_influence { SL_INFLUENCE_NORMAL, SL_INFLUENCE_DB, SL_INFLUENCE_ALL };

/* Names are views, as everything here. */
struct sl_added_table {
    int64_t table_id, schema_id;
    struct sl_str schema_name, table_name;
};

/*
 * A schema change in front of which a dispatcher stands. A change of one table that makes and drops none is not reported:
 * the table's own dispatcher performs it in the order of its rows. All others come to the table trigger, which performs
 * them, and those that touch tables with rows also to the dispatchers of these tables, which wait:
 *
 *   is_blocking      nobody has performed it. The maintainer waits for all that the change reaches, has the table trigger
 *                    write it, and lets the others pass.
 *   not is_blocking  it has been performed by the trigger alone (a table was made). The trigger waits until the maintainer
 *                    knows the tables, and is then told to pass.
 *   is_done          the sink knows that it was performed before: only the passing is left.
 */
struct sl_block {
    sl_ts commit_ts;
    bool is_blocking, is_done;
    enum sl_influence influence;
    int64_t schema_id;     /* DB */
    const int64_t *tables; /* NORMAL: those that have to wait; 0 stands for the table trigger */
    const int64_t *dropped;
    const struct sl_added_table *added;
    uint32_t table_count, dropped_count, added_count;
    bool drops_schema; /* DB: all of its tables go */
};

/* Initial copies that go on. */
struct sl_copy_progress {
    uint32_t tables;
    uint64_t rows, rows_about; /* durable; of those tables together, as far as the source guesses */
};

struct sl_report {
    enum sl_report_kind kind;
    sl_feed_token feed;
    sl_dispatcher_token dispatcher;
    sl_ts checkpoint, resolved;
    bool follows;
    uint32_t readers;
    uint64_t unflushed_rows;
    sl_ns age_ns; /* FEED_PROGRESS (of all followers), PROGRESS: how long ago the oldest change that was read and
                                 is not durable was read; 0 if there is none */
    struct sl_copy_progress copy; /* COPY */
    const struct sl_block *block; /* BLOCKED; valid during the call */
    struct sl_str code, text;     /* printable, no secrets; valid during the call */
};

#endif
