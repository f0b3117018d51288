/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COORDINATOR_FEEDS_H
#define SL_CORE_COORDINATOR_FEEDS_H

#include "core/common/request.h"
#include "core/common/store.h"
#include "core/coordinator/nodes.h"

/*
 * The feed table of the coordinator, the operators that place maintainers, their schedulers, and what of it is durable.
 * Private to src/core/coordinator.
 *
 *   feed_table.c       feeds: absent / scheduling / replicating / stopped, bound node, status, error backoff
 *   feed_operators.c   add, move, stop as state tables; one per feed; epoch durable before any Add leaves
 *   feed_schedulers.c  basic, balance, drain
 *   feed_store.c       info and status values: compare-and-swap always, never backwards, never over another writer's
 *   feed_admin.c       create, pause, resume, remove, update, list, show
 *
 * Invariants (checked after every step):
 *   F1  a feed is in exactly one of absent, scheduling, replicating, stopped; bound to a node iff scheduling or
 *       replicating.
 *   F2  at most one operator per feed.
 *   F3  an AddMaintainer carries an epoch that is durable in the info value (output.after), and that no other Add
 *       used.
 *   F4  a target is added only after the origin reported not-Working with the origin's epoch, or left.
 *   F5  a persisted checkpoint never decreases, and comes only from the current owner epoch (or from an owner that
 *       is being moved or stopped; only an operator's word takes one back).
 *   F6  nothing is placed on: a drain target of any intent, a node that is not ALIVE or UNKNOWN, one that has not
 *       bootstrapped, one that has not acknowledged the current targets with its current node epoch.
 */
struct sl_feeds_opts {
    struct sl_mem *mem;
    const struct sl_members *members;
    struct sl_nodes *nodes;
    struct sl_str cluster; /* copied */
    uint64_t seed;
    uint32_t feed_count_max, batch; /* operators in flight by a scheduler; 10 in the reference */
    sl_ns operator_resend_ns, balance_ns, operator_timeout_ns, stuck_ns /* 30 min: give up a feed in error */;
    sl_ns backoff_min_ns, backoff_max_ns; /* 10 s, 10 min */
    bool interop;
    sl_op_id *op_next;       /* shared counter of the coordinator */
    uint64_t wall_offset_ns; /* wall clock = now + this */
    size_t config_bytes_max;
};

struct sl_feeds;
SL_CHECKED enum sl_code sl_feeds_new(struct sl_feeds **out, const struct sl_feeds_opts *opts, sl_ns now);
void sl_feeds_free(struct sl_feeds *f);

/* ---- loading and bootstrap ---- */
/* Reads infos and statuses from the store. */
void sl_feeds_load(struct sl_feeds *f, sl_ns now, struct sl_outbox *out);
bool sl_feeds_is_loaded(const struct sl_feeds *f);
/* One maintainer that a node reported in its bootstrap answer; collected until settle. */
void sl_feeds_reported(struct sl_feeds *f, sl_node_ref node, const Pb__MaintainerStatus *status);
/* All nodes answered and the store is read: choose owners by epoch, stop stale ones, queue the rest. Schedulers run
 * from here on. */
void sl_feeds_settle(struct sl_feeds *f, sl_ns now, struct sl_outbox *out);

/* Answers every open request with SL_NOT_OWNER: the coordinator ends. */
void sl_feeds_stop(struct sl_feeds *f, struct sl_outbox *out);

/* ---- inputs ---- */
void sl_feeds_on_status(struct sl_feeds *f, sl_ns now, sl_node_ref from, const Pb__MaintainerStatus *status,
                        struct sl_outbox *out);
void sl_feeds_on_node_lost(struct sl_feeds *f, sl_ns now, sl_node_ref node, struct sl_outbox *out);
/* Another process under the same id, which runs nothing: what was bound there is absent, a drain of the node goes on. */
void sl_feeds_on_node_replaced(struct sl_feeds *f, sl_ns now, sl_node_ref node, struct sl_outbox *out);
bool sl_feeds_on_store(struct sl_feeds *f, sl_ns now, const struct sl_store_result *r,
                       struct sl_outbox *out); /* false: not ours */
void sl_feeds_on_request(struct sl_feeds *f, sl_ns now, const struct sl_request *r, struct sl_outbox *out); /* FEED_* */
void sl_feeds_on_tick(struct sl_feeds *f, sl_ns now, struct sl_outbox *out);
sl_ns sl_feeds_deadline(const struct sl_feeds *f);
/* A node became or ceased to be a possible destination: schedulers look again. */
void sl_feeds_nodes_changed(struct sl_feeds *f, sl_ns now, struct sl_outbox *out);

/* ---- drains ask ---- */
/* Marks a node as target of an intent (or no more): no destination, its maintainers move away. */
void sl_feeds_set_draining(struct sl_feeds *f, sl_ns now, sl_node_ref node, bool draining, struct sl_outbox *out);
bool sl_feeds_is_draining(const struct sl_feeds *f, sl_node_ref node);
/* The targets every destination must have acknowledged (F6). Copied. */
void sl_feeds_set_targets(struct sl_feeds *f, const struct sl_drain_target *targets, uint32_t count);

struct sl_feeds_on_node {               /* exact for what was reported; "unsettled" says what is not known */
    uint32_t bound;                     /* maintainers bound to the node */
    uint32_t operators;                 /* operators that touch it */
    uint32_t dispatchers, moves, stuck; /* sums over feeds that report (target, epoch) */
    uint64_t lag_ms;                    /* the largest of those that have something left to move */
    bool is_lag_known;                  /* false: nothing moves, or no feed that moves has said its lag */
    uint32_t unsettled;  /* feeds whose maintainer must report (target, epoch), bootstrapped, and has not: absent and
                            starting ones included */
    char example[96];    /* name of one unsettled or busy feed and what is the matter */
    enum sl_blocker why; /* for the example */
};
void sl_feeds_count(const struct sl_feeds *f, sl_node_ref node, const struct sl_drain_target *target,
                    struct sl_feeds_on_node *counts);
/* The moves off the node that take longest, by what feeds told of this epoch; at most max; returns how many. */
uint32_t sl_feeds_slowest(const struct sl_feeds *f, sl_ns now, sl_node_ref node, uint64_t epoch,
                          struct sl_drain_slow *rows, uint32_t max);
bool sl_feeds_has_destination(const struct sl_feeds *f, sl_ns now, sl_node_ref except);
/* Dry run: load before and after; at most max rows; returns how many. */
uint32_t sl_feeds_plan(const struct sl_feeds *f, sl_ns now, sl_node_ref target, struct sl_plan_move *rows,
                       uint32_t max);
uint32_t sl_feeds_maintainers_on(const struct sl_feeds *f, sl_node_ref node);

#endif
