/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COORDINATOR_FEED_TABLE_H
#define SL_CORE_COORDINATOR_FEED_TABLE_H

#include "base/arena.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "core/coordinator/feed_operators.h"

/*
 * What the files of the feed table share.
 *
 * A feed has three layers: what the store holds (info, status_value), what it should hold (want), and what runs
 * (place, node, op). Decisions change want; feed_store.c makes it durable, for as long as that takes; sl__feed_react
 * then does what the durable state allows. So nothing is acted on that a later coordinator would not find.
 *
 *                 resumed, created              placed               reports from there
 *   STOPPED <-------------------> ABSENT <---------------> SCHEDULING -----------------> REPLICATING
 *      ^       paused, removed       ^      took too long       |  ^                          |
 *      |                             +------- node lost --------+--)--------------------------+
 *      +----------------- paused, failed, removed: the stop has ended -----------------------+
 *
 * Per place, what may be trusted:
 *   STOPPED      no maintainer of it runs, or will be added. The stored checkpoint is all that is known.
 *   ABSENT       no maintainer that this coordinator knows of runs; one of a node that was lost may, until its lease is over,
 *                but its epoch is below any that is given out from here on, so its words are refused.
 *   SCHEDULING   node is where one was added, or is being moved to; op says whether the origin may still work. Only
 *                reports with the epoch of the info value count.
 *   REPLICATING  node runs it with that epoch; its status is at most as old as its last report.
 */
#define SL__FEED_KEYSPACE "default"
#define SL__FEEDS_REQUESTS_MAX 32u     /* open at once; the outbox keeps room for 64 answers */
#define SL__FEEDS_WRITES_MAX 64u       /* per-feed operations in flight */
#define SL__FEEDS_SAVES_MAX 4u         /* checkpoint transactions in flight */
#define SL__FEED_WRITE_TRIES_MAX 10u   /* then an operator that waits for an epoch gives up */
#define SL__FEED_RETRY_NS (1 * SL_S)   /* what could not be placed is tried again */
#define SL__FEEDS_ROOM_NS (10 * SL_MS) /* what found no room in an outbox or no memory is tried again */

/* ---- one feed ---- */

/* place, legal next places */
#define SL__FEED_PLACES(X)                                                                   \
    X(STOPPED, "stopped", GO(ABSENT))                                                        \
    X(ABSENT, "absent", GO(SCHEDULING) | GO(STOPPED))                                        \
    X(SCHEDULING, "scheduling", GO(SCHEDULING) | GO(REPLICATING) | GO(ABSENT) | GO(STOPPED)) \
    X(REPLICATING, "replicating", GO(SCHEDULING) | GO(ABSENT) | GO(STOPPED))
enum sl__feed_place {
#define SL__FEED_PLACE_ENUM(name, text, next) SL__PLACE_##name,
    SL__FEED_PLACES(SL__FEED_PLACE_ENUM)
#undef SL__FEED_PLACE_ENUM
};
const char *sl__feed_place_name(enum sl__feed_place place);

struct sl__value {  /* of one key, owned */
    uint8_t *bytes; /* and a NUL behind them */
    size_t len;
    sl_revision revision; /* 0 = the key does not exist */
};

struct sl__feed_want {
    enum sl_feed_state state;
    enum sl_feed_progress progress;
    struct sl_feed_error error;
    bool bump;                 /* a new epoch, whatever its number */
    bool deleted;              /* both keys */
    sl_ts checkpoint;          /* not 0: an operator's word, the one thing that may take it back */
    struct sl__value info;     /* with bytes: the value to begin with instead of the durable one */
    struct sl__value source;   /* with bytes: a new URI, written with that info */
    sl_ts start_ts, target_ts; /* of that */
};

/* IDLE --wanted--> QUEUED --> WRITING --durable--> IDLE; anything else --> PAUSED --> QUEUED, reading first if the fate
 * of the write is not known or somebody else wrote: QUEUED --> READING_INFO --> READING_SOURCE --> READING_STATUS -->
 * QUEUED. */
enum sl__write_phase {
    SL__WRITE_IDLE,
    SL__WRITE_QUEUED,
    SL__WRITE_PAUSED,
    SL__WRITE_WRITING,
    SL__WRITE_READING_INFO,
    SL__WRITE_READING_SOURCE,
    SL__WRITE_READING_STATUS,
};
struct sl__feed_write {
    enum sl__write_phase phase;
    sl_op_id op;
    sl_ns retry_at;
    uint32_t tries;
    bool must_read, info_is_read, source_is_read, info_is_missing;
    bool in_doubt; /* a write of it may have been done, or may still be */
    /* Of the write in flight: */
    bool has_info, has_status, has_source, deletes;
    bool bumps;               /* the epoch below is new */
    bool claims;              /* and is for whoever waits for one */
    bool sends_add;           /* the Add waits for it in the shell */
    struct sl__feed_want put; /* what the write in flight writes; info and status as bytes: */
    uint64_t epoch;
    sl_ts checkpoint;
    struct sl__value info, status, source;
    struct sl_link link; /* in sl_feeds.writes while QUEUED */
};

struct sl__progress { /* how far the maintainer is with one drain target */
    sl_node_ref target;
    uint64_t epoch;
    uint32_t dispatchers, moves, stuck;
    bool bootstrapped;
    uint64_t lag_ms;
    struct { /* the move that takes longest; id none: not told */
        struct sl_dispatcher_id id;
        sl_node_ref waits_for;
        sl_ns since;
        char phase[24];
    } slowest;
};

struct sl__feed {
    uint32_t handle;
    struct sl_feed_record record; /* durable, but for the id: that is the identity in any case */
    struct sl__value info, status_value;
    struct sl__value source;      /* URI, durable; without a revision: each write of it is one of the info */
    struct sl_feed_status status; /* durable */
    struct sl__feed_want want;
    struct sl__feed_write write;
    bool creating;      /* not in the store yet, as far as is known */
    bool unreadable;    /* a value of it cannot be read: it is left alone, and so are its maintainers */
    bool said_conflict; /* that a value read again could not be read */

    enum sl__feed_place place;
    sl_node_ref node;
    uint64_t epoch;     /* of the maintainer that is bound; 0: not durable yet */
    enum sl__stop stop; /* to begin when what is wanted is durable */
    struct sl__op op;
    sl_node_ref avoid; /* did not start it last time */
    sl_ns retry_at;    /* absent: not placed before */
    uint32_t refusals; /* Adds in a row that came to nothing */

    sl_ns heard_at;   /* of the owner */
    sl_ts checkpoint; /* of the owner; >= the durable one */
    bool bootstrapped, is_new;
    struct sl_copy_progress copy; /* of the owner */
    bool saving;                  /* its checkpoint is in a transaction in flight */
    bool save_alone;              /* somebody else writes its status too */
    sl_ts saved_last;             /* last checkpoint in such a transaction */
    uint32_t mark;
    struct { /* of errors; delay_ns 0: none since the feed last made progress */
        sl_ns delay_ns, since;
        sl_ts checkpoint;
    } backoff;
    struct sl__progress *drains;
    uint32_t drain_count, drain_cap;

    uint32_t best_report; /* settle: index + 1 */
    uint32_t timer_position;
    uint32_t open_requests;
    bool in_ready, in_dirty;
    struct sl_link of_all, of_node, of_ready, of_dirty;
};

/* ---- all of them ---- */

struct sl__feeds_node {
    struct sl_list bound; /* in the order of binding */
    uint32_t operators, incoming;
    bool draining;
};

struct sl__report { /* of a bootstrap answer */
    struct sl_feed_id id;
    sl_node_ref node;
    uint64_t epoch;
    sl_ts checkpoint;
    bool bootstrapped, is_remover, used;
};

struct sl__save { /* one checkpoint transaction in flight; op 0: free */
    sl_op_id op;
    uint32_t count;
    uint32_t feeds[SL_STORE_ACTIONS_MAX];
    sl_ts checkpoints[SL_STORE_ACTIONS_MAX];
};

struct sl__open_request {
    uint64_t ticket; /* 0: free */
    enum sl_request_verb verb;
    uint32_t feed;
    sl_node_ref dest;  /* MOVE */
    sl_ns waits_until; /* MOVE: the feed is on its way to run, or the node to take work, then it is moved; 0: it is */
};

enum sl__load { SL__LOAD_IDLE, SL__LOAD_INFOS, SL__LOAD_STATUSES, SL__LOAD_SOURCES, SL__LOAD_DONE };

struct sl_feeds {
    struct sl_feeds_opts opts;
    char cluster[128];
    sl_ns now;
    struct sl_prng prng;
    struct sl_arena scratch; /* of one small piece of work; reset before it */

    struct sl_slab slab;
    struct sl_map by_id, by_name, by_op;
    struct sl_heap timers;
    struct sl_list all, ready, dirty, ops, writes;
    struct sl__feeds_node *nodes; /* by ref */
    uint32_t ref_max, draining_count;
    struct sl_drain_target targets[SL_TARGETS_MAX];
    uint32_t target_count;

    enum sl__load load;
    sl_op_id load_op;
    sl_ns load_at;
    bool settled;
    bool is_partial; /* the store holds feeds that found no room here: what is not known must be left alone */
    struct sl__report *reports;
    uint32_t report_count, report_cap;
    bool reports_lost;

    uint32_t writes_in_flight;
    sl_ns write_at;      /* not before */
    uint64_t epoch_seen; /* highest that a maintainer reported at the start */
    struct sl__save saves[SL__FEEDS_SAVES_MAX];
    sl_ns save_at;
    sl_op_id reread_op; /* of all statuses, after a conflict */
    bool must_reread;
    uint32_t mark;

    uint32_t slots[SL__SLOT_COUNT]; /* in use */
    sl_node_ref drain_cursor;
    sl_ns schedule_at; /* a scheduler that could not do all looks again */
    sl_ns balance_at, balance_blocked_until;
    bool said_no_destination;
    bool is_halting;      /* the cluster is being stopped: nothing is placed */
    uint64_t halt_ticket; /* whoever asked for it and waits; 0: nobody */
    struct sl__open_request requests[SL__FEEDS_REQUESTS_MAX];
};

/* ---- feeds.c ---- */
void sl__feeds_begin(struct sl_feeds *f, sl_ns now);
/* What follows from a step: schedulers, store operations, invariants. */
void sl__feeds_end(struct sl_feeds *f, struct sl_outbox *out);
/* Does what the durable state of the feed allows, and keeps its place in lists and timers. After each change. */
void sl__feed_react(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out);
uint64_t sl__feeds_wall_ns(const struct sl_feeds *f);
bool sl__feeds_epoch_fits(const struct sl_feeds *f, uint64_t held, uint64_t reported);
/* Aborts unless F1 to F6 and every counter and list hold, by looking at everything. For tests. */
void sl__feeds_check(const struct sl_feeds *f);

/* ---- feed_table.c ---- */
void sl__table_init(struct sl_feeds *f);
void sl__table_deinit(struct sl_feeds *f);
/* STOPPED, unknown to the store. Null (nothing changed): no memory or too many. */
struct sl__feed *sl__feed_new(struct sl_feeds *f, const struct sl_feed_id *id);
void sl__feed_drop(struct sl_feeds *f, struct sl__feed *feed); /* unbound, without operator */
/* False: no memory, unchanged. */
SL_CHECKED bool sl__feed_set_id(struct sl_feeds *f, struct sl__feed *feed, const struct sl_feed_id *id);
struct sl__feed *sl__feed_at(const struct sl_feeds *f, uint32_t handle);
struct sl__feed *sl__feed_find(const struct sl_feeds *f, const struct sl_feed_id *id); /* or null */
struct sl__feed *sl__feed_named(const struct sl_feeds *f, struct sl_str name);         /* or null */
/* Walks all, oldest first; null = start, null = end. The one returned last may be dropped before the next call only by
 * whoever has asked for the next one first. */
struct sl__feed *sl__feed_next(const struct sl_feeds *f, const struct sl__feed *feed);
/* The one setter of place and node. */
void sl__feed_place(struct sl_feeds *f, struct sl__feed *feed, enum sl__feed_place place, sl_node_ref node,
                    uint64_t epoch, struct sl_outbox *out);
/* Behind the other feeds of its node. */
void sl__feed_move_back(struct sl_feeds *f, struct sl__feed *feed);
void sl__feed_list(struct sl_feeds *f, struct sl__feed *feed); /* lists of ready and dirty ones, timer */
bool sl__feed_is_runnable(const struct sl__feed *feed);
bool sl__feed_is_backing_off(const struct sl_feeds *f, const struct sl__feed *feed);
/* What is wanted of state and error changes; says so. error may be null: none. */
void sl__feed_want_state(struct sl__feed *feed, enum sl_feed_state state, const struct sl_feed_error *error,
                         struct sl_outbox *out);
bool sl__feed_error_eq(const struct sl_feed_error *a, const struct sl_feed_error *b);
struct sl_field sl__feed_field(const struct sl__feed *feed);
struct sl_field sl__node_field(const struct sl_feeds *f, const char *key, sl_node_ref node);
/* False: no memory, unchanged. */
SL_CHECKED bool sl__value_set(struct sl_feeds *f, struct sl__value *v, struct sl_bytes bytes, sl_revision revision);
void sl__value_clear(struct sl_feeds *f, struct sl__value *v);
struct sl_bytes sl__value_bytes(const struct sl__value *v);

/* ---- feed_load.c, feed_settle.c ---- */
bool sl__load_on_store(struct sl_feeds *f, const struct sl_store_result *r, struct sl_outbox *out);
/* SL_OK, or why the value cannot be read. */
SL_CHECKED enum sl_code sl__feed_parse_info(struct sl_feed_record *out, const struct sl__feed *feed,
                                            const struct sl_store_pair *pair);
/* Makes what was read the durable value of the feed. Unchanged unless SL_OK. */
SL_CHECKED enum sl_code sl__feed_take_info(struct sl_feeds *f, struct sl__feed *feed,
                                           const struct sl_feed_record *record, const struct sl_store_pair *pair);
SL_CHECKED enum sl_code sl__feed_take_status(struct sl_feeds *f, struct sl__feed *feed,
                                             const struct sl_store_pair *pair);
/* Nothing is wanted but what the store holds. */
void sl__feed_want_what_is(struct sl_feeds *f, struct sl__feed *feed);
/* A maintainer of a feed that is in no table, unless it may be somebody else's. */
void sl__settle_remove_unknown(struct sl_feeds *f, sl_node_ref node, const struct sl_feed_id *id, uint64_t epoch,
                               struct sl_outbox *out);
/* The URI of a value that was read; nothing of a value that another feed of this name left behind. */
SL_CHECKED enum sl_code sl__feed_take_source(struct sl_feeds *f, struct sl__feed *feed,
                                             const struct sl_store_pair *pair);
void sl__feed_refuse_value(struct sl_str key, enum sl_code code, struct sl_outbox *out);

/* ---- feed_write.c ---- */
struct sl__write_txn {
    struct sl_key info_key, status_key, source_key;
    struct sl_store_compare compares[2];
    struct sl_store_action actions[3];
    struct sl_store_op op;
};
bool sl__write_touches_info(const struct sl__feed *feed);
bool sl__write_touches_status(const struct sl__feed *feed);
/* New values of both keys into feed->write; what is there already is kept. SL_OK, or why it cannot be. */
SL_CHECKED enum sl_code sl__write_build(struct sl_feeds *f, struct sl__feed *feed);
void sl__write_fill(const struct sl_feeds *f, const struct sl__feed *feed, struct sl__write_txn *t);
bool sl__feed_needs_write(const struct sl__feed *feed);
bool sl__feed_writes_status(const struct sl__feed *feed); /* in flight or about to be read again */
void sl__feed_keys(const struct sl_feeds *f, const struct sl__feed *feed, struct sl_key *info, struct sl_key *status);
void sl__feed_source_key(const struct sl_feeds *f, const struct sl__feed *feed, struct sl_key *source);

/* ---- feed_store.c ---- */
void sl__write_want(struct sl_feeds *f, struct sl__feed *feed); /* queues it if there is something to write */
void sl__write_run(struct sl_feeds *f, struct sl_outbox *out);
void sl__write_on_due(struct sl_feeds *f, struct sl__feed *feed);
void sl__write_drop(struct sl_feeds *f, struct sl__feed *feed);
bool sl__write_on_store(struct sl_feeds *f, const struct sl_store_result *r, struct sl_outbox *out);
sl_ns sl__write_deadline(const struct sl_feeds *f);
void sl__write_pause(struct sl_feeds *f, struct sl__feed *feed);
void sl__write_forget_bytes(struct sl_feeds *f, struct sl__feed *feed);

/* ---- feed_reread.c ---- */
/* The result of a read. False: the feed is gone. */
bool sl__reread_on_result(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_result *r,
                          struct sl_outbox *out);
/* What another writer changed, and we did not want to change, is taken over. before: what want was based on. */
void sl__reread_merge_status(struct sl_feeds *f, struct sl__feed *feed, const struct sl_feed_status *before);
/* The keys are gone: stops what runs, answers who waits, forgets the feed. */
void sl__feed_gone(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out);

/* ---- feed_save.c ---- */
bool sl__save_is_dirty(const struct sl__feed *feed);
void sl__save_run(struct sl_feeds *f, struct sl_outbox *out);
bool sl__save_on_store(struct sl_feeds *f, const struct sl_store_result *r, struct sl_outbox *out);
sl_ns sl__save_deadline(const struct sl_feeds *f);
void sl__save_forget(struct sl_feeds *f, struct sl__feed *feed);

/* ---- feed_status.c ---- */
/* An owner's checkpoint; never takes it back. */
void sl__feed_advance(struct sl__feed *feed, sl_ts checkpoint);
/* An Add was refused; only a Sluice node says so (core/manager). */
bool sl__status_is_refusal(const Pb__MaintainerStatus *s);
/* It was made only to close dispatchers, owns nothing, and ends by itself. To tell it to close could make another one. */
bool sl__status_is_remover(const Pb__MaintainerStatus *s);
/* What a peer says, as it will read in the store: cut, without secrets. */
struct sl_feed_error sl__feed_error_of(struct sl_feeds *f, const struct sl__feed *feed, const Pb__RunningError *e);
/* Warning, everything closed, and a new start later; or failed, when that has gone on for too long. */
void sl__feed_back_off(struct sl_feeds *f, struct sl__feed *feed, const struct sl_feed_error *error,
                       struct sl_outbox *out);
void sl__feed_forget_target(struct sl__feed *feed, sl_node_ref node);
/* A new owner begins: what the old one said of itself is void. */
void sl__feed_new_owner(struct sl__feed *feed);
/* SL_NEVER unless the feed has an owner that should speak. */
sl_ns sl__feed_silence_at(const struct sl_feeds *f, const struct sl__feed *feed);
void sl__feed_on_silence(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out);

/* ---- feed_schedulers.c ---- */
/* Takes work, or will when it has answered what it was asked. */
bool sl__feeds_will_place(const struct sl_feeds *f, sl_ns now, sl_node_ref node);
bool sl__feeds_may_place(const struct sl_feeds *f, sl_node_ref node);
bool sl__feeds_may_place_at(const struct sl_feeds *f, sl_ns now, sl_node_ref node);
uint32_t sl__feeds_load(const struct sl_feeds *f, sl_node_ref node);
/* The least loaded eligible node but these two (none allowed), or none. */
sl_node_ref sl__feeds_choose(const struct sl_feeds *f, sl_node_ref except, sl_node_ref avoid);
void sl__feed_schedulers_start(struct sl_feeds *f);
void sl__feeds_schedule(struct sl_feeds *f, struct sl_outbox *out);
sl_ns sl__feed_schedulers_deadline(const struct sl_feeds *f);
/* While a node drains, and one interval after, nothing is balanced. */
void sl__balance_look_at_nodes(struct sl_feeds *f);
/* Moves until no eligible node is below the average. */
uint32_t sl__balance_needed(const uint32_t *loads, uint32_t count);

/* ---- feed_admin.c ---- */
/* May begin a move. */
void sl__requests_check(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out);
/* Begins the moves that waited for a node, gives up those that waited too long. */
void sl__requests_retry(struct sl_feeds *f, struct sl_outbox *out);
sl_ns sl__requests_deadline(const struct sl_feeds *f);
/* Answers every open request of the feed; REMOVE with SL_OK if the code is SL_NOT_FOUND. */
void sl__requests_end(struct sl_feeds *f, const struct sl__feed *feed, enum sl_code code, const char *detail,
                      struct sl_outbox *out);

/* ---- feed_halt.c ---- */
void sl__halt_request(struct sl_feeds *f, const struct sl_request *r, struct sl_outbox *out);
/* Answers when no feed runs anywhere and what was reached is durable. */
void sl__halt_check(struct sl_feeds *f, struct sl_outbox *out);
void sl__halt_end(struct sl_feeds *f, enum sl_code code, const char *detail, struct sl_outbox *out);

/* ---- feed_views.c ---- */
void sl__view_show(const struct sl_feeds *f, const struct sl__feed *feed, uint64_t ticket, struct sl_outbox *out);
void sl__view_list(struct sl_feeds *f, uint64_t ticket, struct sl_outbox *out);

#endif
