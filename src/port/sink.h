/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_SINK_H
#define SL_PORT_SINK_H

#include "core/common/data_plane.h"
#include "port/marks.h"
#include "port/rows.h"
#include "port/trouble.h"

/*
 * A sink as the engine sees it: one sl_sink per feed and node, one writer (a connection) per worker thread of the feed.
 * A driver is a static table of functions, chosen by the scheme of the URI. All calls may block and are made in threads
 * of the engine, never in the loop thread; calls on one writer come from one thread, but for interrupt. Functions are
 * true on success; otherwise they fill *t.
 *
 *                 raise            append (first)           commit
 *   open_writer --------> IDLE ------------------> FILLING ---------> IDLE       discard: FILLING -> IDLE
 *
 * Contract:
 *   K1  All rows of a table go through one writer at a time, in order. What commit has accepted is durable.
 *   K2  Fencing (docs/invariants.md I1, I6): a dispatcher first raises the placement of its table at the sink, then the
 *       ts stored there is read back, then it writes. A smaller placement than the stored one is refused, in raise and
 *       in commit. A sink that cannot (has_fencing false) accepts all; then only the control plane keeps order.
 *   K3  Exactly once (is_exact): (placement, ts) of each table is stored in the same transaction as its rows, so raise
 *       answers exactly what is durable. Otherwise raise answers SL_TS_NONE and rows may come twice after a crash.
 *   K4  A commit that fails with PASSING may have happened (the connection broke). The engine repeats raise and the same
 *       rows; an exact sink is asked for the stored ts first, and rows up to it are left out.
 *   K5  Chunks of a copy (rows.h) are appended as rows are, alone in their batch. With the rows of a chunk, in the same
 *       transaction, its place is stored, and with the last one low as the ts of the table; raise answers what is stored.
 *       Chunk 1 finds the table empty: made if it is not there, emptied if it was asked for (SL_COPY_AGAIN), refused
 *       (COPY_NOT_EMPTY) otherwise.
 *   K6  After interrupt no call on the writer changes the sink any more, but for the one in flight, which may or may
 *       not have.
 */
struct sl_sink_open {
    const struct sl_feed_id *feed;
    struct sl_secret uri;
    struct sl_secret config; /* the feed's flattened configuration */
    uint32_t writer_count;   /* how many writers will be opened */
};

/* One table (or key range of one) of the feed and who writes it. */
struct sl_sink_span {
    struct sl_span_key key;
    struct sl_placement placement;
    bool is_table_trigger;
};

enum sl_copy_state {
    SL_COPY_NONE,   /* nobody ever wanted one */
    SL_COPY_WANTED, /* nothing is done */
    SL_COPY_AGAIN,  /* likewise, but what is in the table may go */
    SL_COPY_BEGUN,  /* number, place, low, high, row counts */
    SL_COPY_DONE,   /* low, high, is_partly */
};

struct sl_copy_stored {
    enum sl_copy_state state;
    uint64_t number; /* of the last chunk */
    sl_ts low, high;
    bool is_partly;            /* the table went away in the middle of it */
    uint64_t rows, rows_about; /* copied; of the whole table, about */
    uint8_t *place;            /* malloc'd, or null; whoever asked frees it */
    size_t place_len;
};

struct sl_sink_claim {
    struct sl_sink_span span;   /* in */
    sl_ts start_ts;             /* in: from where its owner was told to go on; none: not to be judged by it */
    bool wants_copy;            /* in: one is wanted, if none was before */
    sl_ts stored_ts;            /* out: everything up to it is durable in the sink; SL_TS_NONE if it does not know */
    bool is_refused;            /* out: a larger placement owns the span */
    struct sl_copy_stored copy; /* out */
};

struct sl_sink { /* the first member of a driver's own struct */
    const struct sl_sink_driver *driver;
    bool has_fencing, is_exact;
};

struct sl_writer { /* likewise */
    const struct sl_sink_driver *driver;
};

struct sl_sink_driver {
    const char *schemes; /* separated by spaces */
    bool (*check)(struct sl_secret uri, struct sl_trouble *t);
    /*
     * Before a feed is made, on the node that is asked for it: makes the sink ready, and writes the URI that is stored for
     * all nodes. Null: nothing to do, the URI stays as it is.
     */
    bool (*settle)(struct sl_secret uri, char *out, size_t size, struct sl_trouble *t);
    bool (*open)(struct sl_sink **out, const struct sl_sink_open *o, struct sl_trouble *t);
    bool (*open_writer)(struct sl_writer **out, struct sl_sink *s, uint32_t index, struct sl_trouble *t);
    /* All or none, in one transaction where there are transactions. A refused claim is no failure. */
    bool (*raise)(struct sl_writer *w, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t);
    /* Takes rows of one table, all that have their ts, into the open batch. The run is valid until commit or
     * discard. */
    bool (*append)(struct sl_writer *w, const struct sl_sink_span *span, const struct sl_row_run *run,
                   struct sl_trouble *t);
    /* Makes what was appended durable, with its ts per span (run.through of the last append). STALE: t->table_id was
     * refused and nothing of the batch was written. */
    bool (*commit)(struct sl_writer *w, struct sl_trouble *t);
    void (*discard)(struct sl_writer *w);
    /*
     * Does what has to be done because time has passed, between commits; may be null. checkpoint: of the whole feed, if
     * this writer is to show it. *next_ns: how long until there is more, SL_NEVER: not before the next commit or checkpoint.
     * After a failure the writer goes on; it is tried again.
     */
    bool (*tend)(struct sl_writer *w, sl_ts checkpoint, sl_ns *next_ns, struct sl_trouble *t);
    /*
     * Performs a schema change in the name of a span (the table's own, or the table trigger's), between commits; nothing
     * is appended. Null: the sink has no tables of its own. A change that the sink knows to be performed already is not
     * performed again. LASTING: it cannot be, or nobody knows whether it was; then the detail names both possibilities.
     */
    bool (*execute)(struct sl_writer *w, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                    struct sl_trouble *t);
    /* *out: the sink knows that the change of this ts was performed for this span. Null: it never knows. */
    bool (*was_executed)(struct sl_writer *w, const struct sl_sink_span *span, sl_ts ts, bool *out,
                         struct sl_trouble *t);
    /*
     * Tables of the feed in state AGAIN, up to *count; *count becomes how many there are. Null: the sink takes no copies,
     * and a feed that begins with one fails.
     */
    bool (*copies_asked)(struct sl_writer *w, int64_t *table_ids, uint32_t *count, struct sl_trouble *t);
    /* In any thread, without a writer: the state of a table that the feed has becomes AGAIN. */
    bool (*ask_copy)(struct sl_secret uri, const struct sl_feed_id *feed, int64_t table_id, struct sl_trouble *t);
    /*
     * Keeps a place of the source at or before the feed's checkpoint, between commits; one that is further replaces it. Null:
     * a feed with this sink stays with its source's server.
     */
    bool (*keep_place)(struct sl_writer *w, const struct sl_place *place, struct sl_trouble *t);
    /*
     * In any thread, without a writer, while the feed is stopped. read_marks: all that is said in positions of the source.
     * move_marks: marks[i].moved instead of what was read, all or none (STALE: it is not what was read any more), and no owner
     * of before may write after it. Both null, if keep_place is.
     */
    bool (*read_marks)(struct sl_secret uri, const struct sl_feed_id *feed, struct sl_marks *out, struct sl_trouble *t);
    bool (*move_marks)(struct sl_secret uri, const struct sl_feed_id *feed, const struct sl_marks *marks,
                       struct sl_trouble *t);
    /* Any thread; may be null if no call ever blocks for long. */
    void (*interrupt)(struct sl_writer *w);
    void (*close_writer)(struct sl_writer *w);
    /* After all writers are closed. is_removed: the feed is gone for good, what the sink keeps for it may go too. */
    void (*close)(struct sl_sink *s, bool is_removed);
};

/* The driver of the URI's scheme; null (trouble UNKNOWN_SCHEME, BAD_URI) if there is none. drivers ends in null. */
const struct sl_sink_driver *sl_sink_find(const struct sl_sink_driver *const *drivers, struct sl_secret uri,
                                          struct sl_trouble *t);

#endif
