/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COORDINATOR_FEED_OPERATORS_H
#define SL_CORE_COORDINATOR_FEED_OPERATORS_H

#include "base/list.h"
#include "core/coordinator/feeds.h"

/*
 * Operators: each changes where the maintainer of one feed runs, and ends. Private to the feed files. The operator is a
 * part of its feed, so that there cannot be two (F2) and none needs memory.
 *
 *   ADD(dest)          ADD_STORE --epoch durable--> ADD_DEST ----Working, bootstrapped----> feed replicating on dest
 *                         |                          |   |
 *                         |                          |   +--refused, silent too long, not eligible--> ADD_ABORT
 *                         |                          +--dest lost--> absent                               |
 *                         +--dest lost, store fails--> absent                    absent <--Stopped, lost--+
 *
 *   MOVE(origin,dest)  MOVE_STORE --epoch durable--> MOVE_ORIGIN --origin Stopped, lost--> MOVE_DEST --> replicating
 *                         |                             |  |                                |    |
 *                         +--dest lost, store fails     |  +--no destination--> absent      |    +--> MOVE_ABORT
 *                         |     --> stays on origin     |                                   |             |
 *                         +--origin gone--> absent      +--dest lost: dest := origin        +--> absent <-+
 *
 *   STOP(node)         STOP_STORE --epoch durable--> STOP_NODE ------Stopped------> as its purpose says
 *                         ^                              |
 *                         +--node lost (a remover elsewhere needs a newer epoch; a stale maintainer is gone with it)
 *
 * The epoch of a placement is durable before anything of it leaves (F3). A move makes it durable first, so that an
 * origin that was told to stop is stale for a later coordinator too. "Stopped" is the state Stopped or Removed, with
 * the epoch that is waited for; no other state.
 *
 * What may be trusted about the maintainer, by state:
 *   ADD_STORE              none runs
 *   ADD_DEST, MOVE_DEST    none runs but possibly the one on dest, with the operator's epoch
 *   ADD_ABORT, MOVE_ABORT  the same; whether it ever started is not known
 *   MOVE_STORE             it runs on origin and was told nothing
 *   MOVE_ORIGIN            it may still run on origin, with the origin's epoch; nothing was sent to dest
 *   STOP_STORE             none runs; dispatchers may
 *   STOP_NODE              it may still run on the node, with the operator's epoch
 *
 * Invariants (sl__feeds_check recounts what can be counted):
 *   P1  in the states of ADD and in MOVE_DEST, MOVE_ABORT the feed is bound to dest; in MOVE_STORE, MOVE_ORIGIN to the
 *       origin, until that is lost.
 *   P2  Add leaves only in ADD_STORE (after the store operation), ADD_DEST and MOVE_DEST, with the durable epoch, while
 *       dest is eligible (F6).
 *   P3  a slot of a scheduler is given back exactly once: when the operator ends or exceeds its time limit.
 *   P4  "operators" of a node counts the operators that name it; "incoming" those that will bring a maintainer there.
 */
enum sl__op_kind { SL__OP_IDLE, SL__OP_ADD, SL__OP_MOVE, SL__OP_STOP };
enum sl__op_order { SL__ORDER_NONE, SL__ORDER_ADD, SL__ORDER_ABORT, SL__ORDER_HAND_OVER, SL__ORDER_STOP };

/* state, order that is sent (again) in it, phase as operators read it, legal next states */
#define SL__OP_STATES(X)                                                                   \
    X(NONE, NONE, "none", GO(ADD_STORE) | GO(MOVE_STORE) | GO(STOP_STORE) | GO(STOP_NODE)) \
    X(ADD_STORE, NONE, "store_epoch", GO(ADD_DEST) | GO(NONE))                             \
    X(ADD_DEST, ADD, "add", GO(ADD_ABORT) | GO(NONE))                                      \
    X(ADD_ABORT, ABORT, "abort_add", GO(NONE))                                             \
    X(MOVE_STORE, NONE, "store_epoch", GO(MOVE_ORIGIN) | GO(NONE))                         \
    X(MOVE_ORIGIN, HAND_OVER, "remove_origin", GO(MOVE_DEST) | GO(NONE))                   \
    X(MOVE_DEST, ADD, "add_dest", GO(MOVE_ABORT) | GO(NONE))                               \
    X(MOVE_ABORT, ABORT, "abort_dest", GO(NONE))                                           \
    X(STOP_STORE, NONE, "store_epoch", GO(STOP_NODE) | GO(NONE))                           \
    X(STOP_NODE, STOP, "stop", GO(STOP_STORE) | GO(NONE))

enum sl__op_state {
#define SL__OP_STATE_ENUM(name, order, phase, next) SL__OP_##name,
    SL__OP_STATES(SL__OP_STATE_ENUM)
#undef SL__OP_STATE_ENUM
};

/* Who started it, for the limit of operators in flight. */
enum sl__slot { SL__SLOT_NONE, SL__SLOT_BASIC, SL__SLOT_DRAIN, SL__SLOT_BALANCE, SL__SLOT_COUNT };

/* What a STOP is for, and so what becomes of the feed. A stronger one takes over a running one. */
enum sl__stop {
    SL__STOP_NONE,
    SL__STOP_STALE,   /* a maintainer that should not be: the feed stays as it is */
    SL__STOP_RESTART, /* after an error: absent until the backoff ends */
    SL__STOP_HALT,    /* paused, failed, finished: progress becomes none */
    SL__STOP_REMOVE,  /* then the feed's keys are deleted */
};

struct sl__op {
    uint8_t kind, state, slot, stop; /* enums above */
    bool sent;                       /* Add, at least once */
    bool seen;                       /* dest said that it runs the maintainer */
    bool named;                      /* as hanging, in this state */
    bool cascade;                    /* STOP: close the dispatchers everywhere too */
    bool of_owner;                   /* STOP: what is stopped was the owner, and its last word counts */
    sl_node_ref origin, dest;        /* STOP: origin is the node that is told */
    uint64_t origin_epoch;           /* MOVE */
    uint64_t epoch;                  /* of the Add, or of the maintainer to be stopped; 0: not durable yet */
    sl_ns since, send_at;
    struct sl_link link; /* in sl_feeds.ops */
};

struct sl__feed;

/* Begin; the feed has no operator. ADD: it is absent. MOVE: it replicates; to its own node is a new start there. dest is
 * eligible. */
void sl__op_add(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref dest, enum sl__slot slot, struct sl_outbox *out);
void sl__op_move(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref dest, enum sl__slot slot,
                 struct sl_outbox *out);
/* Whatever operator there is gives way, but a STOP: that goes on where it aims, for the stronger of both purposes. */
void sl__op_stop(struct sl_feeds *f, struct sl__feed *feed, enum sl__stop stop, struct sl_outbox *out);
/* A maintainer that is not the feed's: told to hand over (cascade: to close everything); the feed has no operator. */
void sl__op_stop_stale(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref node, uint64_t epoch, bool cascade,
                       enum sl__stop stop, struct sl_outbox *out);
/* The feed goes away: its operator ends without effect. */
void sl__op_drop(struct sl_feeds *f, struct sl__feed *feed);

/* The epoch is durable; sent: the Add went out with it. */
void sl__op_on_epoch(struct sl_feeds *f, struct sl__feed *feed, uint64_t epoch, bool sent, struct sl_outbox *out);
/* The epoch cannot be made durable for now. */
void sl__op_on_no_epoch(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out);
/* A maintainer's status. True if it is about the maintainer that the operator waits for. */
bool sl__op_on_status(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref from, const Pb__MaintainerStatus *s,
                      struct sl_outbox *out);
/* The node has left. Afterwards the operator does not name it. */
void sl__op_on_lost(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref node, struct sl_outbox *out);
void sl__op_on_due(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out);
sl_ns sl__op_deadline(const struct sl_feeds *f, const struct sl__feed *feed);

bool sl__op_waits_for_epoch(const struct sl__feed *feed);
/* ADD_STORE and dest is still eligible: the Add may be sent after the operation that stores the epoch. */
bool sl__op_wants_add(const struct sl_feeds *f, const struct sl__feed *feed);
/* The Add of this epoch, once operation after is durable (0: now). config is the info value that holds the epoch. */
bool sl__op_send_add(struct sl_feeds *f, struct sl__feed *feed, sl_op_id after, uint64_t epoch, struct sl_bytes config,
                     struct sl_outbox *out);
bool sl__op_names(const struct sl__feed *feed, sl_node_ref node);
/* A status of the owner that is being stopped. */
bool sl__op_is_last_word(const struct sl_feeds *f, const struct sl__feed *feed, sl_node_ref from, uint64_t epoch);
const char *sl__op_phase(const struct sl__feed *feed);

/* ---- shared by feed_operators.c and feed_op_steps.c ---- */

/* The one setter of states; the timer of the state's order begins anew. */
void sl__op_enter(struct sl_feeds *f, struct sl__op *op, enum sl__op_state state);
void sl__op_enter_and_send(struct sl_feeds *f, struct sl__feed *feed, enum sl__op_state state, struct sl_outbox *out);
void sl__op_set_sides(struct sl_feeds *f, struct sl__op *op, sl_node_ref origin, sl_node_ref dest);
/* Sends the order of the state. An operator that adds may end or abort instead. */
void sl__op_send(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out);
/* Nothing shall start on dest; ends at once if nothing was sent. */
void sl__op_abort(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out);
void sl__op_end(struct sl_feeds *f, struct sl__feed *feed);
/* The basic scheduler finds another place at once; avoid (none allowed) only if there is no other. */
void sl__op_end_absent(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref avoid, struct sl_outbox *out);
enum sl__op_order sl__op_order(const struct sl__op *op);
/* Where a maintainer is made that does nothing but close: the own node (reference behaviour), unless it drains. */
sl_node_ref sl__op_remover_node(const struct sl_feeds *f);

/* A remove of a maintainer that no operator waits for; sent once, and again when it shows again. */
void sl__feeds_send_remove(struct sl_feeds *f, sl_node_ref node, const struct sl_feed_id *id, uint64_t epoch,
                           bool cascade, bool removed, struct sl_outbox *out);

#endif
