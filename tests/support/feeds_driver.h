/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_FEEDS_DRIVER_H
#define SL_TESTS_SUPPORT_FEEDS_DRIVER_H

#include "core/common/mem_tags.h"
#include "core/coordinator/feed_table.h"
#include "port/store_model.h"
#include "tests/support/sl_test.h"

/*
 * The feed table with hands on its wires. The test is the nodes, or lets well-behaved ones answer; the store is the
 * model, asked by a shell that keeps outputs until what they wait for is durable. Each call that steps performs one
 * step; everything is recounted after it. Nodes are n1 (the coordinator's own), n2 ...; a node's ref is its number as
 * long as none left. Feeds are f1, f2 ...; a feed's id is {7, its number}.
 */
enum {
    FD_NODES_MAX = 16,
    FD_SENT_MAX = 8192,
    FD_REPLIES_MAX = 256,
    FD_OPS_MAX = 256,
    FD_LATE_MAX = 512,
    FD_HELD_MAX = 1024
};
#define FD_WALL_NS UINT64_C(1700000000000000000) /* the wall clock when now is 0 */
#define FD_START_NS (10 * SL_S)

struct fd_sent {
    sl_node_ref to;
    enum sl_msg_type type;
    uint32_t feed; /* number */
    uint64_t epoch, config_epoch;
    uint64_t node_epoch; /* of an Add: the process that is meant */
    sl_ts checkpoint;
    bool cascade, removed, is_new;
    bool answered;
    char source[64];
};

struct fd_reply {
    uint64_t ticket;
    enum sl_code code;
    uint32_t feed_count;
    char detail[200];
    char placement[16]; /* of the first feed */
    enum sl_feed_state state;
    char source[64];
};

/* What becomes of the next operations. */
enum fd_fate { FD_DONE, FD_REFUSED, FD_UNKNOWN_DONE, FD_UNKNOWN_NOT_DONE, FD_UNKNOWN_LATE /* done by fd_late_step */ };

struct fd_op {
    struct sl_store_op op;
    void *memory;
    size_t size;
};

struct fd_held { /* a message that waits for an operation */
    sl_op_id after;
    struct fd_sent sent;
};

struct feeds_driver {
    struct sl_mem mem, env_mem; /* apart, so that the table's allocations can be counted and failed */
    struct sl_members *members;
    struct sl_nodes *nodes;
    struct sl_store_model *store;
    struct sl_outbox out;
    struct sl_feeds *feeds;
    struct sl_feeds_opts opts;
    sl_op_id op_next;
    sl_ns now;
    bool alive[FD_NODES_MAX + 1];
    bool skips_check;
    uint64_t capabilities; /* that nodes advertise when they answer */
    bool holds_store;      /* operations wait for fd_store_step */
    struct fd_op ops[FD_OPS_MAX];
    uint32_t op_count;
    struct fd_op late[FD_LATE_MAX]; /* nobody waits for them any more, but they may be performed */
    uint32_t late_count;
    enum fd_fate fate;
    uint32_t fate_count; /* how many operations it applies to */
    struct fd_held held[FD_HELD_MAX];
    uint32_t held_count;
    struct fd_sent sent[FD_SENT_MAX];
    uint32_t sent_count;
    struct fd_reply replies[FD_REPLIES_MAX];
    uint32_t reply_count;
    uint32_t event_count[SL_EVENT_COUNT];
    uint64_t ticket;
};

struct sl_feeds_opts fd_opts(void);
/* opened: members that have answered, an empty store, a table that knows nothing. opts null: fd_opts(). */
void fd_open(struct feeds_driver *d, uint32_t node_count, const struct sl_feeds_opts *opts);
/* opened, loaded and settled. */
void fd_start(struct feeds_driver *d, uint32_t node_count);
void fd_load(struct feeds_driver *d);
void fd_settle(struct feeds_driver *d);
/* The coordinator ends: open requests are answered. */
void fd_end(struct feeds_driver *d);
void fd_stop(struct feeds_driver *d);
/* A new coordinator on the same store and nodes: opened; what is in flight may still be performed, by fd_late_step. */
void fd_failover(struct feeds_driver *d);

/* ---- the store ---- */
struct sl_feed_id fd_feed_id(uint32_t feed);
/* An info value; valid until the next call. */
const char *fd_info(uint32_t feed, const char *state, uint64_t epoch, sl_ts target);
void fd_put(struct feeds_driver *d, uint32_t feed, const char *state, uint64_t epoch, sl_ts checkpoint,
            enum sl_feed_progress progress);
void fd_put_key(struct feeds_driver *d, const char *key, const char *value); /* null deletes */
/* What the store holds; the feed must be there. */
struct sl_feed_record fd_record(struct feeds_driver *d, uint32_t feed);
struct sl_feed_status fd_status_value(struct feeds_driver *d, uint32_t feed);
bool fd_is_stored(struct feeds_driver *d, uint32_t feed);
/* Whole text of a key, or "-". In memory of the store, valid until it changes. */
const char *fd_text(struct feeds_driver *d, const char *key, char *room, size_t cap);
void fd_fail_store(struct feeds_driver *d, enum fd_fate fate, uint32_t count);
/* Performs the oldest operation and steps with its result. False: there is none. */
bool fd_store_step(struct feeds_driver *d);
/* Performs the oldest operation whose answer is no longer waited for. */
bool fd_late_step(struct feeds_driver *d);
void fd_store_run(struct feeds_driver *d);

/* ---- inputs ---- */
sl_node_ref fd_ref(const struct feeds_driver *d, uint32_t number);
void fd_seen(struct feeds_driver *d, uint32_t number); /* a heartbeat of the node, as it is now */
void fd_seen_all(struct feeds_driver *d);              /* and the table is told */
void fd_liveness(struct feeds_driver *d, uint32_t number, enum sl_liveness liveness);
void fd_bootstrapped(struct feeds_driver *d, uint32_t number);
void fd_join(struct feeds_driver *d, uint32_t number); /* and it has answered */
void fd_lost(struct feeds_driver *d, uint32_t number);
void fd_tick(struct feeds_driver *d, sl_ns delay);   /* nodes are heard of meanwhile */
void fd_run(struct feeds_driver *d, sl_ns duration); /* ticks at each deadline on the way */
void fd_report(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint);
/* A maintainer's status; the variants are bootstrapped. */
void fd_status(struct feeds_driver *d, uint32_t node, const Pb__MaintainerStatus *s);
void fd_working(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint);
void fd_booting(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint);
void fd_ended(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint, bool everywhere);
static inline void fd_stopped(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint)
{
    fd_ended(d, node, feed, epoch, checkpoint, false);
}
static inline void fd_closed(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint)
{
    fd_ended(d, node, feed, epoch, checkpoint, true);
}
void fd_error(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint, const char *code);
void fd_refused(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch); /* an Add */
void fd_drained(struct feeds_driver *d, uint32_t node, uint32_t feed, const Pb__DrainProgress *p);
void fd_draining(struct feeds_driver *d, uint32_t number, bool draining);
/* The set that destinations must hold; acknowledged by the nodes listed (0-terminated). */
void fd_targets(struct feeds_driver *d, const char *const *nodes, const uint64_t *epochs, uint32_t count);
void fd_ack(struct feeds_driver *d, uint32_t number, const char *const *nodes, const uint64_t *epochs, uint32_t count);
/* Returns the ticket. */
uint64_t fd_request(struct feeds_driver *d, enum sl_request_verb verb, uint32_t feed);
uint64_t fd_request_of(struct feeds_driver *d, struct sl_request *r); /* fills in the ticket */
/* Well-behaved nodes answer every message sent so far, and what it leads to, at once. */
void fd_answer(struct feeds_driver *d);

/* ---- what there is ---- */
struct sl__feed *fd_feed(const struct feeds_driver *d, uint32_t feed); /* or null */
void fd_assert_replicating(const struct feeds_driver *d, uint32_t feed, uint32_t node);
void fd_assert_place(const struct feeds_driver *d, uint32_t feed, enum sl__feed_place place);
/* f<feed> runs on n<node>, as after a settle with that report. Epoch 5, checkpoint 100. */
void fd_start_running(struct feeds_driver *d, uint32_t node_count, uint32_t feed_count, uint32_t node);

/* Messages since the last fd_forget. */
void fd_forget(struct feeds_driver *d);
uint32_t fd_sent_count(const struct feeds_driver *d, enum sl_msg_type type, sl_node_ref to, uint32_t feed); /* 0: any */
const struct fd_sent *fd_last(const struct feeds_driver *d, enum sl_msg_type type); /* fails if there is none */
/* The answer to the ticket, or null. */
const struct fd_reply *fd_reply_to(const struct feeds_driver *d, uint64_t ticket);
void fd_assert_reply(const struct feeds_driver *d, uint64_t ticket, enum sl_code code);

/* An administrator moves the feed's maintainer to a node. */
void fd_move(struct feeds_driver *d, uint32_t feed, uint32_t node);
/* f1 runs on n2 with epoch 5 and moves to n3; the epoch is durable, the origin was told. Returns the new epoch. */
static inline uint64_t fd_start_moving(struct feeds_driver *d)
{
    fd_start_running(d, 4, 1, 2);
    fd_move(d, 1, 3);
    sl_assert_i64(fd_feed(d, 1)->op.state, SL__OP_MOVE_ORIGIN);
    return fd_record(d, 1).epoch;
}

#endif
