/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_OPERATORS_H
#define SL_CORE_MAINTAINER_OPERATORS_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slab.h"
#include "core/maintainer/control.h"

/*
 * Operators: each changes where one dispatcher runs, and ends. Private to src/core/maintainer.
 *
 *   ADD(dest)           ADD_CREATE ------------ Working ------------------------------------> span replicating on dest
 *                         |  |  +-------------- Removed, dest lost, never sent -------------> span absent
 *                         |  +-- too long, dest not eligible --> ADD_ABORT -- stopped, lost -> span absent
 *
 *   MOVE(origin,dest)   MOVE_REMOVE_ORIGIN -- origin stopped or lost --> MOVE_ADD_DEST -- Working --> replicating on dest
 *                         |      |                                         |  |
 *                         |      |                                         |  +-- Removed, dest lost, never sent --> absent
 *                         |      |                                         |
 *                         |      |                                         +-- too long, dest not eligible
 *                         |      |                                               |
 *                         |      |                                          MOVE_ABORT_DEST -- stopped, lost --> absent
 *                         |      |
 *                         |      +-- origin stopped, dest not eligible --> absent
 *                         |
 *                         +-- dest lost --> MOVE_ABORT_ORIGIN -- origin stopped, lost --> absent
 *
 *   REMOVE(node)        REMOVE_STOP -- stopped, node lost --> span absent (keep_span), span dropped, or no span concerned
 *
 * "stopped" is Stopped or Removed, no other state. "absent" means that the basic scheduler finds a place at once. Any
 * operator may also be replaced (its table was dropped) or discarded (the feed is closing).
 *
 * What may be trusted about the dispatcher, by state:
 *   ADD_CREATE, MOVE_ADD_DEST     none runs but possibly the one being made on dest, whose placement_seq is the span's
 *   ADD_ABORT, MOVE_ABORT_DEST    the same; whether it ever started is not known
 *   MOVE_REMOVE_ORIGIN,
 *   MOVE_ABORT_ORIGIN             it may still write on origin; nothing was created on dest
 *   REMOVE_STOP                   it may still write on origin
 *
 * Invariants (sl__operators_check recounts what can be counted):
 *   O1  at most one operator per span, and at most one REMOVE per (dispatcher id, node).
 *   O2  Create leaves for dest only after the origin reported Stopped or Removed, or left the membership (T3); and only
 *       while dest is eligible (T5) and no REMOVE of the same id runs there.
 *   O3  the span is bound to the node that is waited for; so only reports of the bound node concern its operator.
 *   O4  starting and stopping of a node count the operators that wait for it, by what their state waits for.
 *   O5  a pacer slot is given back exactly once: on arrival, after move_timeout_ns, or when the move ends otherwise.
 *
 * MOVE_REMOVE_ORIGIN has no way back: once Remove was sent the origin stops at some time, and nobody can tell whether
 * it has stopped already. So a move that waits longer than move_timeout_ns returns its slot, is named, and goes on
 * waiting.
 */
enum sl_operator_kind { SL_OPERATOR_ADD, SL_OPERATOR_MOVE, SL_OPERATOR_REMOVE };
enum sl_operator_side { SL_SIDE_NONE, SL_SIDE_ORIGIN, SL_SIDE_DEST };
enum sl_operator_order { SL_ORDER_NONE, SL_ORDER_CREATE, SL_ORDER_REMOVE };

/* state, side waited for, order sent to that side, phase as operators read it, legal next states */
#define SL_OPERATOR_STATES(X)                                                                                     \
    X(NEW, NONE, NONE, "new", GO(ADD_CREATE) | GO(MOVE_REMOVE_ORIGIN) | GO(REMOVE_STOP))                          \
    X(ADD_CREATE, DEST, CREATE, "create", GO(ADD_ABORT) | GO(ENDED))                                              \
    X(ADD_ABORT, DEST, REMOVE, "abort_create", GO(ENDED))                                                         \
    X(MOVE_REMOVE_ORIGIN, ORIGIN, REMOVE, "remove_origin", GO(MOVE_ADD_DEST) | GO(MOVE_ABORT_ORIGIN) | GO(ENDED)) \
    X(MOVE_ABORT_ORIGIN, ORIGIN, REMOVE, "abort_remove_origin", GO(ENDED))                                        \
    X(MOVE_ADD_DEST, DEST, CREATE, "add_dest", GO(MOVE_ABORT_DEST) | GO(ENDED))                                   \
    X(MOVE_ABORT_DEST, DEST, REMOVE, "abort_dest", GO(ENDED))                                                     \
    X(REMOVE_STOP, ORIGIN, REMOVE, "remove", GO(ENDED))                                                           \
    X(ENDED, NONE, NONE, "ended", 0u)

enum sl_operator_state {
#define SL_OPERATOR_STATE_ENUM(name, side, order, phase, next) SL_OPERATOR_##name,
    SL_OPERATOR_STATES(SL_OPERATOR_STATE_ENUM)
#undef SL_OPERATOR_STATE_ENUM
};

struct sl_operator {
    struct sl_dispatcher_id id;
    int64_t table_id, schema_id; /* of a REMOVE without span: what is known of what it removes */
    uint64_t seq;                /* of a REMOVE without span: the placement it removes; 0 = not known */
    sl_ns started_at;
    sl_ns since;   /* this state */
    sl_ns send_at; /* when the order of this state is due (again) */
    struct sl_link of_origin, of_dest, in_queue, in_stuck;
    uint32_t handle, span; /* span 0: none is concerned */
    sl_node_ref origin, dest;
    uint32_t timer_position;
    uint32_t keyspace_id;
    uint8_t kind, state;
    bool sent;   /* the order of this state, at least once, by us or by a predecessor */
    bool queued; /* waits for room in an outbox */
    bool paced;  /* holds a slot of the pacer */
    bool stuck;
    bool keep_span; /* REMOVE with a span */
};

struct sl_operators {
    struct sl_slab slab;
    struct sl_heap timers; /* all of them, by when something is due */
    struct sl_map removes; /* REMOVE by (id, node) */
    struct sl_list queue;  /* orders that found no room, oldest first */
    sl_ns queue_at;        /* when to try again */
    uint32_t move_count;
    uint32_t paced_count;
    uint64_t moves_done, moves_timed_out;
};

void sl__operators_init(struct sl_control *c);
void sl__operators_deinit(struct sl_control *c);

/*
 * New operators; the first order leaves at once if there is room. The span has none yet. SL_NOMEM, SL_LIMIT: nothing
 * changed. cause is static, for the event.
 */
SL_CHECKED enum sl_code sl__operator_add(struct sl_control *c, uint32_t span, sl_node_ref dest, bool was_sent,
                                         struct sl_outbox *out);
SL_CHECKED enum sl_code sl__operator_move(struct sl_control *c, uint32_t span, sl_node_ref dest, bool paced,
                                          const char *cause, struct sl_outbox *out);
SL_CHECKED enum sl_code sl__operator_remove_span(struct sl_control *c, uint32_t span, bool keep_span,
                                                 struct sl_outbox *out);
struct sl_operator_removal {
    struct sl_dispatcher_id id;
    int64_t table_id, schema_id;
    uint64_t placement_seq;
    sl_node_ref node;
    uint32_t keyspace_id;
};
SL_CHECKED enum sl_code sl__operator_remove_unknown(struct sl_control *c, const struct sl_operator_removal *removal,
                                                    struct sl_outbox *out);

/* The REMOVE of a dispatcher on a node, or 0. */
uint32_t sl__operator_find_remove(const struct sl_control *c, struct sl_dispatcher_id id, sl_node_ref node);

/* A status of the node that the operator waits for (O3), not stale. True if it meant something to the operator, which
 * may have ended. */
bool sl__operator_on_status(struct sl_control *c, uint32_t handle, const struct sl_span_report *report,
                            struct sl_outbox *out);
/* The node has left the membership and is not eligible any more. Afterwards no operator refers to it. */
void sl__operators_on_node_lost(struct sl_control *c, sl_node_ref node, struct sl_outbox *out);

/* The span is going to be dropped. Afterwards it has no operator, and its dispatcher, if there may be one, is being
 * removed. */
void sl__operator_release_span(struct sl_control *c, uint32_t span, struct sl_outbox *out);

/* What is being created shall not be: it is removed, and the span becomes absent. False if it is being removed anyway.
 */
bool sl__operator_take_back(struct sl_control *c, uint32_t handle, struct sl_outbox *out);

/* Sends what waits for room, then what is due. */
void sl__operators_on_tick(struct sl_control *c, struct sl_outbox *out);
sl_ns sl__operators_deadline(const struct sl_control *c);
/* Gives all slots back to the pacer: nothing will end these moves any more. */
void sl__operators_freeze(struct sl_control *c);

/* How a move shows among the stuck ones. */
struct sl_stuck sl__operator_stuck(const struct sl_control *c, uint32_t handle);
size_t sl__operators_bytes(const struct sl_control *c);
/* Aborts unless every counter and list is as a full count gives it. For tests: O(operators * nodes). */
void sl__operators_check(const struct sl_control *c);

#endif
