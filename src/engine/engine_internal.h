/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_ENGINE_ENGINE_INTERNAL_H
#define SL_ENGINE_ENGINE_INTERNAL_H

#include "base/map.h"
#include "base/slab.h"
#include "engine/mailbox.h"
#include "engine/plane.h"
#include "engine/spread.h"

/*
 * The inside of a plane. Shared by the files of this folder.
 *
 *   hub      one per source URI and filter: its readers, the window of recent batches, who takes which table. One mutex guards all of
 *            it and all that hangs on it (feeds, lanes, flows); it is never held during a call into a source or a sink.
 *   reader   a thread that reads the source: the shared one, or one that catches up.
 *   feed     the opened sink of one feed on this node, and its lanes.
 *   lane     a thread of a feed with a writer of its own. A table belongs to one lane, so its order is kept.
 *   flow     the rows of one dispatcher.
 *   cargo    a batch on its way to lanes; parcel: the part of it that goes to one lane.
 *
 * A flow is a state machine with one setter (flow.c):
 *
 *   OPEN          raised               caught up          replay done
 *   -----> CLAIMING ------> CATCHING -----------> JOINING ------------> FOLLOWING
 *             |    \           |  ^                  |                     |
 *             |     \-> WAITING --+--- lane too slow +---------------------+
 *             |            |   |                     |                     |
 *             +------------+---+--- CLOSE -----------+---------------------+--> CLOSING --flushed--> OVER
 *                                   any --- failed, fenced, feed dropped ---------------------------> OVER
 *
 * With a copy of the rows that are there already (copy.c): CLAIMING -> COPYING -> as one that starts behind the copy. A
 * copy that begins again leads back to COPYING from wherever rows flow.
 *
 * In front of a change of the schema that concerns it (ddl.c), from any of the states before CLOSING:
 *
 *               +-- performed, or told PASS: goes on behind it, as one that starts there (WAITING ... FOLLOWING, BLOCKED)
 *   BLOCKED ----+-- CLOSE -> CLOSING, with all before the change and nothing behind it
 *               +-- the change cannot be performed -> OVER
 *
 * What may be trusted, by state (durable and pending at all times, as E2 says; what the sink holds only after CLAIMING):
 *   CLAIMING   the placement alone. What the sink holds of the table is not known, nor whether an older owner still writes.
 *   COPYING    from, and the chunks that the sink has counted. What is in the table is not at one ts yet.
 *   WAITING    from: everything up to it is durable or pending, and nothing after it was given to this flow.
 *   CATCHING,
 *   FOLLOWING  its reader's routed: everything up to max(from, routed) is durable or pending (E3).
 *   JOINING    as FOLLOWING; but what came from the window lies in front of the shared parcels, so these do not speak for it.
 *   BLOCKED    everything in front of the change is durable or pending, nothing behind it is (E7). Whether the change was
 *              performed is the sink's to say: what is_stop_done tells may be younger than a crash.
 *   CLOSING    no row comes any more; durable still grows until pending is 0. It may still write.
 *   OVER       durable is final. It writes nothing; a worker that still had rows of it was told to drop them.
 *
 * Invariants (under the hub's mutex):
 *   E1  A flow is in the routing table and in the list of a reader iff it is CATCHING, JOINING or FOLLOWING.
 *   E2  Entries of a flow lie in its lane in order of ts; pending counts those not yet durable, in the queue or in flight.
 *   E3  Everything of the flow up to max(from, reader.routed) is durable or pending; nothing after it is.
 *   E4  A FOLLOWING flow has nothing pending that is older than an entry of the shared reader in its lane, so what
 *       holds back the lane's shared parcels holds back it.
 *   E5  The window holds all batches of the shared reader in (window_from, routed].
 *   E6  A flow's memory goes back when it is OVER, nothing is pending and no worker has it in hands.
 *   E8  COPYING: copy is set; it is in the hub's list of copies, or with a copier, or all of it is read. Nothing of it is in
 *       the routing table, and from is where it was before.
 *   E7  BLOCKED: from is one below the ts of the change; nothing at or behind that ts is pending. What is done in front of
 *       the change is done when nothing is pending any more.
 */

#define SL_FLOW_STATES(X)                                                                                            \
    /* name, legal next states */                                                                                    \
    X(CLAIMING,                                                                                                      \
      GO(WAITING) | GO(CATCHING) | GO(JOINING) | GO(FOLLOWING) | GO(BLOCKED) | GO(COPYING) | GO(CLOSING) | GO(OVER)) \
    X(COPYING, GO(WAITING) | GO(CATCHING) | GO(JOINING) | GO(BLOCKED) | GO(COPYING) | GO(CLOSING) | GO(OVER))        \
    X(WAITING, GO(CATCHING) | GO(JOINING) | GO(FOLLOWING) | GO(BLOCKED) | GO(COPYING) | GO(CLOSING) | GO(OVER))      \
    X(CATCHING, GO(WAITING) | GO(JOINING) | GO(FOLLOWING) | GO(BLOCKED) | GO(COPYING) | GO(CLOSING) | GO(OVER))      \
    X(JOINING, GO(FOLLOWING) | GO(WAITING) | GO(BLOCKED) | GO(COPYING) | GO(CLOSING) | GO(OVER))                     \
    X(FOLLOWING, GO(WAITING) | GO(BLOCKED) | GO(COPYING) | GO(CLOSING) | GO(OVER))                                   \
    X(BLOCKED, GO(WAITING) | GO(CATCHING) | GO(JOINING) | GO(BLOCKED) | GO(COPYING) | GO(CLOSING) | GO(OVER))        \
    X(CLOSING, GO(OVER))                                                                                             \
    X(OVER, 0u)

enum sl_flow_state {
#define SL_FLOW_ENUM(name, next) SL_FLOW_##name,
    SL_FLOW_STATES(SL_FLOW_ENUM)
#undef SL_FLOW_ENUM
        SL_FLOW_STATE_COUNT
};

/* What a BLOCKED flow waits for. */
enum sl_stop_stage {
    SL_STOP_DRAINS, /* what is pending */
    SL_STOP_ACTS,   /* its lane: performs a change of its own, or asks the sink whether it knows this one */
    SL_STOP_STANDS, /* the word of the core */
    SL_STOP_WRITES, /* its lane: performs what the core told it to */
};

/* How a flow ended, for its last report. */
enum sl_flow_end { SL_FLOW_END_NONE, SL_FLOW_END_CLOSED, SL_FLOW_END_FAILED, SL_FLOW_END_SILENT };

struct sl_hub;
struct sl_plane_lane;
struct sl_plane_feed;

struct sl_flow_trouble {
    char code[32];
    char text[408]; /* what happened, and what to do about it */
};

struct sl_copy_slot;

/* A copy that goes on. */
struct sl_flow_copy {
    struct sl_copy_slot *slot; /* whose turn it is, or null */
    uint64_t number;           /* of the last chunk read */
    sl_ts low, not_before;
    uint64_t rows, rows_read, rows_about; /* durable; handed to the lane; of the whole table */
    bool is_read;                         /* the last chunk is with the lane */
    size_t place_len, place_cap;
    uint8_t place[];
};

struct sl_flow {
    /* -- fixed when it is made -- */
    sl_dispatcher_token token;
    struct sl_plane_feed *feed;
    struct sl_plane_lane *lane;
    struct sl_placement placement;
    int64_t table_id;
    int64_t schema_id;
    sl_ts start_ts;
    uint32_t handle; /* in the plane's slab */
    uint32_t keyspace_id;
    bool is_table_trigger;

    /* -- under the hub's mutex -- */
    uint8_t state;                   /* enum sl_flow_state; sl__flow_go */
    uint8_t end;                     /* enum sl_flow_end, when OVER */
    uint8_t stop_stage;              /* enum sl_stop_stage, when BLOCKED */
    bool is_raising;                 /* in the hands of its lane, to be raised */
    bool is_acting;                  /* likewise, for what stands in stop */
    bool is_stop_told, is_stop_done; /* the change: reported; known to the sink as performed */
    bool is_close_asked, is_told_ready, is_told_following;
    bool is_abandoned; /* CLOSING, and will have failed when all is flushed */
    bool is_dirty, is_ahead;
    sl_ts from;       /* rows up to it are not for this flow, or done */
    sl_ts durable;    /* of entries that are done */
    sl_ts checkpoint; /* last reported */
    uint32_t pending;
    uint32_t join_count; /* JOINING: entries that must be done before it follows */
    struct sl_reader_slot *reader;
    struct sl_batch *stop;           /* BLOCKED: ends with the change; counted */
    struct sl_flow_copy *copy;       /* COPYING, or about to be; owned */
    sl_ts copied_high;               /* up to it the log is applied to rows that may be newer */
    bool is_copied_partly;           /* the table went away while it was copied */
    sl_ts passed_ts;                 /* of a change that is behind it, still to be told; or none */
    struct sl_flow_trouble *trouble; /* FAILED: why; owned */
    struct sl_flow *bucket_next;
    struct sl_flow *next, *prev; /* in the reader's members, or the hub's waiting list */
    struct sl_flow *dirty_next;
    struct sl_flow *claim_next; /* in the claims of its lane, or in its stops */
    struct sl_flow *ahead_next, *ahead_prev;
    struct sl_flow *feed_next, *feed_prev;
};

struct sl_flow_list {
    struct sl_flow *head, *tail;
    uint32_t count;
};

/* ---- readers ---- */

enum sl_reader_state {
    SL_READER_OFF,
    SL_READER_STARTING, /* the thread runs; from where it will read can still be lowered */
    SL_READER_RUNNING,
    SL_READER_STOPPING, /* asked to end */
    SL_READER_OVER,     /* its thread has nothing more to do and waits to be joined */
};

struct sl_reader_slot {
    struct sl_hub *hub;
    pthread_t thread;
    pthread_cond_t changed;   /* room, stop */
    struct sl_reader *source; /* the driver's; null while it is opened or closed */
    enum sl_reader_state state;
    bool is_shared;
    sl_ts routed; /* everything up to it has been handed out */
    size_t queued_bytes;
    size_t queued_bytes_max;
    struct sl_flow_list members;
};

struct sl_cargo {
    struct sl_batch *batch;
    struct sl_reader_slot *reader;
    struct sl_cargo *window_next;
    size_t size;
    sl_ts from;             /* what was routed before it */
    uint32_t refs, parcels; /* parcels of refs */
};

struct sl_entry {
    struct sl_flow *flow; /* null: the flow is over, nobody wants it */
    uint32_t table;       /* in the batch */
    sl_ts after;
};

struct sl_parcel {
    struct sl_parcel *next, *shared_next;
    struct sl_cargo *cargo;
    uint64_t row_count;
    uint32_t count, cap;
    bool is_shared; /* from the shared reader in its course, no replay */
    struct sl_entry entries[];
};

struct sl_parcel_list {
    struct sl_parcel *head, *tail;
};

/* A thread that copies. base: its thread, state and quota; it reads no log. */
struct sl_copy_slot {
    struct sl_reader_slot base;
    struct sl_copier *source; /* the driver's; null while it is opened or closed */
    struct sl_flow *flow;     /* null: it left */
    uint8_t place[SL_COPY_PLACE_MAX];
};

struct sl_hub {
    struct sl_plane *plane;
    struct sl_hub *next;
    const struct sl_source_driver *driver; /* null if there is none for the URI */
    struct sl_bytes uri;                   /* owned; secret */
    struct sl_bytes filter;                /* owned: what of a feed's configuration its readers need */
    uint32_t feed_count;                   /* loop thread */

    pthread_mutex_t mutex;
    struct sl_reader_slot *readers; /* [0] is the shared one */
    uint32_t reader_count, readers_active;
    struct sl_flow **buckets; /* by table id */
    uint32_t bucket_count, routed_count;
    struct sl_cargo *window_head, *window_tail;
    size_t window_bytes;
    sl_ts window_from;
    struct sl_flow *ahead; /* JOINING, and the shared reader has not come to sl__flow_joins_at yet */
    struct sl_flow_list waiting;
    uint32_t stopped_count; /* flows in front of a change of the schema */
    struct sl_flow *dirty_head, *dirty_tail;
    struct sl_plane_feed *feeds, *dirty_feeds;
    struct sl_copy_slot *copiers;
    struct sl_flow_list copies; /* COPYING, and no copier has taken them yet */
    uint32_t copier_count, copying_count;
    uint64_t rows_read, rows_durable, rows_unflushed, detached, rows_copied;
};

/* ---- feeds and lanes ---- */

enum sl_plane_feed_state {
    SL_PLANE_FEED_OPENING,
    SL_PLANE_FEED_OPEN,
    SL_PLANE_FEED_FAILED,  /* it could not be opened */
    SL_PLANE_FEED_DROPPED, /* CLOSE_FEED */
};

struct sl_plane_lane {
    struct sl_plane_feed *feed;
    pthread_t thread;
    pthread_cond_t changed; /* work, end */
    uint32_t index;
    struct sl_writer *writer;
    bool is_running, is_calling; /* a thread exists; it is inside a call of the driver */
    bool asks_copies;            /* it is time to ask the sink which tables are to be copied again */
    struct sl_flow *claims_head, *claims_tail;
    struct sl_flow *stops_head, *stops_tail; /* changes of the schema to be seen to */
    struct sl_parcel_list queue, in_flight;
    struct sl_parcel *shared_head, *shared_tail; /* of both */
    struct sl_parcel *building;                  /* while a batch is routed */
    struct sl_plane_lane *touched_next;
    uint64_t row_count;         /* queued and in flight */
    sl_ns trouble_ns, retry_ns; /* since when; how long to wait next */
    sl_ns trouble_last_ns;      /* when it was there last */
    sl_ns tend_ns;              /* when the writer has something to do by itself; 0: ask it */
    bool is_in_doubt;           /* the last commit may have happened */
};

struct sl_plane_feed {
    sl_feed_token token;
    struct sl_plane *plane;
    struct sl_hub *hub;
    struct sl_feed_id id;
    struct sl_bytes config;   /* owned; secret */
    struct sl_bytes sink_uri; /* owned; secret */
    uint32_t handle, lane_count;
    struct sl_copy_progress copy, copy_told;
    bool wants_copy; /* of the tables that were there at start_ts */
    sl_ts start_ts;
    struct sl_sink *sink;
    struct sl_plane_lane *lanes;
    struct sl_spread spread; /* of tables over the lanes; loop thread */
    _Atomic bool is_fenced;

    /* -- under the hub's mutex -- */
    struct sl_plane_feed *next, *dirty_next;
    struct sl_flow *flows;
    enum sl_plane_feed_state state;
    uint32_t lanes_opened, lanes_running, follower_count;
    sl_ts checkpoint, resolved; /* last reported */
    sl_ts told_checkpoint;      /* of the whole feed, as the core said */
    struct sl_place place;      /* of a moment ago; kept by the sink when the checkpoint has passed it. ts none: none */
    sl_ts place_kept;           /* the last one that the sink was given */
    sl_ns place_due_ns;         /* when it may be bothered with the next one */
    struct sl_trouble trouble;  /* FAILED, or a note */
    bool is_dirty, is_told, is_noted, is_removed;
};

/* ---- the plane ---- */

struct sl_refused {
    sl_feed_token feed;
    sl_dispatcher_token dispatcher; /* 0: the feed itself */
    sl_ts start_ts;
};

struct sl_plane {
    struct sl_plane_opts opts;
    struct sl_plane_client client;
    struct sl_mem mem;
    struct sl_slab feeds, flows;
    struct sl_map feed_by_token, flow_by_token;
    struct sl_hub *hubs;
    _Atomic bool is_woken;
    sl_ns progress_due_ns, copies_due_ns;
    uint32_t readers_told;
    uint64_t unflushed_told;

    struct sl_refused *refused; /* OPENs without memory */
    uint32_t refused_count, refused_cap;

    pthread_t ticker, loader;
    struct sl_mailbox ticks; /* nothing is ever put: its end is the ticker's */
    bool has_ticker, has_loader;
    struct sl_mailbox asked, answered; /* of the loader */
};

sl_ns sl__now(void);
/* Waits are on CLOCK_MONOTONIC. */
void sl__cond_init(pthread_cond_t *c);
void sl__cond_wait(pthread_cond_t *c, pthread_mutex_t *m, sl_ns at_most_ns);
/* Tells the client, once until the next poll. Any thread, with or without a hub's mutex. */
void sl__plane_wake(struct sl_plane *p);

/* ---- flow.c; all under the hub's mutex ---- */

bool sl__flow_may_go(enum sl_flow_state from, enum sl_flow_state to);
void sl__flow_go(struct sl_flow *f, enum sl_flow_state to);
/* It has something to report. */
void sl__flow_touch(struct sl_flow *f);
/* Ends it: out of all lists; its entries are skipped. trouble (copied) for FAILED. */
void sl__flow_end(struct sl_flow *f, enum sl_flow_end end, const struct sl_trouble *trouble);
/* Its reader has failed: what was taken is flushed, then it fails. */
void sl__flow_abandon(struct sl_flow *f, const struct sl_trouble *trouble);
/* CLOSE. */
void sl__flow_close(struct sl_flow *f);
/* CLOSING, with nothing pending and in nobody's hands. */
void sl__flow_end_flushed(struct sl_flow *f);
/* One entry less; what follows from that. */
void sl__flow_entry_done(struct sl_flow *f, sl_ts through, bool is_durable);
/* It is a member of the shared reader: follows once all that is pending now is done and the reader has come to from. */
void sl__flow_join(struct sl_flow *f);
/*
 * Who follows is said to be where the feed's last progress was, so a shared reader that began anew, further back, has to
 * come there first.
 */
sl_ts sl__flow_joins_at(const struct sl_flow *f);
/* The shared reader has come there. */
void sl__flow_come(struct sl_flow *f);
void sl__flow_leave_ahead(struct sl_flow *f); /* no effect if it is not ahead */
/* Everything up to it is durable. */
sl_ts sl__flow_durable(const struct sl_flow *f);
bool sl__flow_is_free(const struct sl_flow *f);
void sl__flow_list_add(struct sl_flow_list *l, struct sl_flow *f);
void sl__flow_list_remove(struct sl_flow_list *l, struct sl_flow *f);

/* ---- ddl.c; under the hub's mutex ---- */

/* Whether the batch ends with a change of the schema in front of which the flow has to stop. */
bool sl__flow_must_stop(const struct sl_flow *f, const struct sl_batch *batch);
/* -> BLOCKED. It is with no reader and in no list, and has all rows of the batch. */
void sl__flow_stop(struct sl_flow *f, struct sl_batch *batch);
/* It does not stand there any more. No effect on one that does not. */
void sl__flow_drop_stop(struct sl_flow *f);
/* A BLOCKED flow has nothing pending. */
void sl__flow_drained(struct sl_flow *f);
/* Its lane has done what the stage asks for, or could not (then the flow has ended or the feed is over). */
void sl__flow_acted(struct sl_flow *f, const struct sl_ddl *ddl, bool is_done, bool was_executed);
/* WRITE, PASS. */
void sl__flow_told(struct sl_flow *f, sl_ts ts, bool writes);
/* The members of a reader that a batch stops; after its rows have been handed out. */
void sl__hub_stop_members(struct sl_reader_slot *r, struct sl_batch *batch);
/* What is said of a flow that stands. Views into its batch. */
struct sl_block sl__flow_block(const struct sl_flow *f);

/* ---- hub.c; under the hub's mutex but new and free ---- */

struct sl_hub *sl__hub_new(struct sl_plane *p, struct sl_bytes uri, struct sl_bytes filter);
/* The first of a bucket in which all flows of the table are, that are routed. */
struct sl_flow *sl__hub_bucket(const struct sl_hub *h, int64_t table_id);
void sl__hub_free(struct sl_hub *h); /* no feeds, no threads */
/* Gives a flow to the reader that can serve it, or lets it wait. Its from says from where. */
void sl__hub_attach(struct sl_flow *f);
/* Takes it off its reader or the waiting list; from becomes what was taken. */
void sl__hub_detach(struct sl_flow *f);
/* Readers that nobody needs end. After flows have left. */
void sl__hub_stop_idle(struct sl_hub *h);
/* Hands a batch out; consumes the reference. False without memory: nothing of it was handed out. */
SL_CHECKED bool sl__hub_route(struct sl_reader_slot *r, struct sl_batch *batch);
/* Flows that wait and could go on. */
void sl__hub_retry(struct sl_hub *h);
/* A reader that catches up has come into the window: its members join the shared one. */
void sl__hub_merge(struct sl_reader_slot *r);
bool sl__hub_can_merge(const struct sl_reader_slot *r);
/* The shared reader has ended: nothing is known of what comes next. */
void sl__hub_drop_window(struct sl_hub *h);
/* The lane for which the shared reader waits while others have nothing to do, or null. */
struct sl_plane_lane *sl__hub_slow_lane(struct sl_hub *h);

/* ---- reader.c; under the hub's mutex ---- */

/* OFF -> STARTING; false: no thread. */
SL_CHECKED bool sl__reader_start(struct sl_reader_slot *r, sl_ts from);
void sl__reader_stop(struct sl_reader_slot *r);
void sl__reader_join(struct sl_reader_slot *r); /* OVER -> OFF */
SL_CHECKED bool sl__thread_start(pthread_t *thread, void *(*main)(void *), void *arg);

/* ---- parcels (parcel.c); under the hub's mutex ---- */

struct sl_cargo *sl__cargo_new(struct sl_reader_slot *r, struct sl_batch *batch); /* takes the batch */
void sl__cargo_unref(struct sl_cargo *c);
/* Adds the rows of a table to what the lane gets of this cargo. False without memory. */
bool sl__plane_lane_add(struct sl_plane_lane *l, struct sl_cargo *c, struct sl_flow *f, uint32_t table);
/* What was added goes into the queue. */
void sl__plane_lane_push(struct sl_plane_lane *l, bool is_shared);
/* Entries of flows that are over are done. */
void sl__parcel_skip_over(struct sl_parcel *p);
/* Takes from the queue what one transaction may hold. */
void sl__plane_lane_take(struct sl_plane_lane *l);
/* What is in flight is durable, or nobody wants it. */
void sl__plane_lane_finish(struct sl_plane_lane *l, bool is_durable);
/* Drops the queue: its flows wait until the lane has room again. False: nothing in it can be dropped. */
bool sl__plane_lane_detach(struct sl_plane_lane *l);
/* No parcel counts as one of the shared reader any more. */
void sl__plane_lane_forget_shared(struct sl_plane_lane *l);
/* Drops the queue of a feed that is dropped or fenced. */
void sl__plane_lane_clear(struct sl_plane_lane *l);

/* A chunk of a copy. False without memory. */
SL_CHECKED bool sl__plane_lane_add_chunk(struct sl_plane_lane *l, struct sl_cargo *c, struct sl_flow *f);

/* ---- copy.c; under the hub's mutex ---- */

SL_CHECKED bool sl__copy_init(struct sl_hub *h);
void sl__copy_deinit(struct sl_hub *h);
bool sl__copy_is_idle(struct sl_hub *h); /* no threads; joins those that are over */
void sl__copy_stop(struct sl_copy_slot *s);
void sl__copy_retry(struct sl_hub *h);
bool sl__copy_is_wanted(const struct sl_flow *f);
/* What the sink knows of the flow's copy when it is claimed; takes stored->place. The flow has copy, or not, or is OVER. */
void sl__copy_note(struct sl_flow *f, struct sl_copy_stored *stored);
/* The chunk is in the sink. */
bool sl__copy_covers(const struct sl_copy_stored *stored, const struct sl_chunk *chunk);
void sl__copy_start(struct sl_flow *f); /* -> COPYING; copy is set, and it is in no list */
void sl__copy_leave(struct sl_flow *f); /* it has a copy: not any more */
/* The sink says that somebody asked for a copy. No effect on a flow that is not served by readers. */
void sl__copy_ask_again(struct sl_flow *f);
/* Whether a change of the schema cannot be performed, because rows of the copy are newer. */
bool sl__copy_is_in_the_way(const struct sl_flow *f, const struct sl_ddl *ddl);
/* If so, and the table is the same afterwards: the copy begins again behind the change. In no list. */
bool sl__copy_restart_behind(struct sl_flow *f, const struct sl_ddl *ddl);
void sl__copy_refuse(struct sl_flow *f, const struct sl_ddl *ddl);         /* otherwise it fails */
void sl__copy_chunk_done(struct sl_flow *f, const struct sl_batch *batch); /* it is durable */

/* ---- place.c; under the hub's mutex ---- */

/* What the source says of a batch of the shared reader, for feeds that wait for a place; lanes that can keep one wake up. */
void sl__place_note(struct sl_hub *h, const struct sl_batch *batch);
/* The lane is the one that keeps it, and it is time. */
bool sl__place_is_due(const struct sl_plane_lane *l);
/* A copy for the sink, and the feed waits for another one. */
struct sl_place sl__place_take(struct sl_plane_feed *f);

/* ---- lane.c ---- */

void *sl__plane_lane_main(void *arg);

/* ---- feed.c; loop thread ---- */

/* False without memory. */
SL_CHECKED bool sl__plane_feed_open(struct sl_plane *p, const struct sl_command *c);
/* Under the hub's mutex: ends all flows without a word. */
void sl__plane_feed_silence(struct sl_plane_feed *f);
void sl__plane_feed_drop(struct sl_plane_feed *f, bool is_removed);
void sl__plane_feed_touch(struct sl_plane_feed *f);
/* After its threads have ended. */
void sl__plane_feed_free(struct sl_plane_feed *f);

/* ---- loader.c ---- */

void *sl__loader_main(void *arg);
void sl__loader_deliver(struct sl_plane *p);
void sl__loader_drop(struct sl_plane *p);

#endif
