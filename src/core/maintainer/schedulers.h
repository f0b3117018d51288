/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_SCHEDULERS_H
#define SL_CORE_MAINTAINER_SCHEDULERS_H

#include "core/maintainer/control.h"

/*
 * Schedulers make operators. They run at the end of every call of span control while it is RUNNING, in this order, and
 * cost O(1) when there is nothing to do. Private to src/core/maintainer.
 *
 *   basic    absent spans -> least loaded eligible node; at most create_batch operators in flight        sched_basic.c
 *   drain    idle spans of the targets, in turns -> least loaded eligible node, as fast as the pacer     sched_drain.c
 *            allows
 *            (limits.reference_pacing: in rounds of 200 ms and a fixed number, see sched_reference.c)
 *   balance  every balance_ns, from the most to the least loaded nodes, when nothing else is going on sched_balance.c
 *
 * Eligible: ready, ALIVE, no drain target, member. A reason to stop that time alone can end (no room in the outbox, no
 * memory, no slot of the pacer) sets retry_at; everything else that can end it arrives as a call.
 */
struct sl_drain {
    sl_node_ref node;
    uint64_t epoch;
    uint32_t limit;                                      /* reference pacing: fixed for the epoch; 0 = not yet */
    bool had_spans, said_evacuated, said_no_destination; /* in this epoch */
};

struct sl_drain_state {
    struct sl_drain targets[SL_TARGETS_MAX];
    uint32_t count; /* 0: inactive */
    uint32_t turn;  /* the place whose turn it is; may be past the end */
    sl_ns retry_at;
    bool joined; /* the pacer */
};

struct sl_schedulers {
    sl_ns basic_retry_at;
    struct sl_drain_state drain;
    sl_ns balance_at, balance_blocked_until;
};

void sl__schedulers_start(struct sl_control *c);
void sl__schedulers_run(struct sl_control *c, struct sl_outbox *out);
sl_ns sl__schedulers_deadline(const struct sl_control *c);

/*
 * Where to put a span: the least loaded eligible node that may take it, but not the one that failed to run it last;
 * that one only with last_resort, when there is no other. SL_NODE_NONE if none may.
 */
sl_node_ref sl__schedulers_choose(const struct sl_control *c, uint32_t span, bool last_resort);

void sl__basic_run(struct sl_control *c, struct sl_outbox *out);
sl_ns sl__basic_deadline(const struct sl_control *c);

/* All targets: those that are new, or have a new epoch, begin; those that are not named any more, or no member, end. */
void sl__drain_set_targets(struct sl_control *c, const struct sl_control_target *targets, uint32_t count);
/* Ends this one, if it is one. */
void sl__drain_drop_target(struct sl_control *c, sl_node_ref node);
bool sl__drain_is_target(const struct sl_control *c, sl_node_ref node);
/* Joins or leaves the pacer as the state demands; leaves for good when the schedulers have stopped. */
void sl__drain_join_or_leave(struct sl_control *c);
void sl__drain_run(struct sl_control *c, struct sl_outbox *out);
sl_ns sl__drain_deadline(const struct sl_control *c);
/* Starts at most max moves off the first target_count targets, in turns; returns how many. Sets retry_at if it stopped for
 * want of room or memory. */
uint32_t sl__drain_start_moves(struct sl_control *c, uint32_t target_count, uint32_t max, struct sl_outbox *out);

void sl__balance_run(struct sl_control *c, struct sl_outbox *out);
sl_ns sl__balance_deadline(const struct sl_control *c);

/* sched_reference.c: the pacing of the reference, for comparison runs. */
uint32_t sl__reference_limit(uint32_t spans_on_target);
void sl__reference_drain_run(struct sl_control *c, struct sl_outbox *out);
/* When the executor of the reference would send the order of a state entered now, for an operator made at started_at.
 */
sl_ns sl__reference_send_at(sl_ns started_at, sl_ns now);

#endif
