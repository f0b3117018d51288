/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_OPERATORS_INTERNAL_H
#define SL_CORE_MAINTAINER_OPERATORS_INTERNAL_H

#include "core/maintainer/control_internal.h"

/*
 *   operators.c         the state table and its one setter, counters and lists, beginning and end, time
 *   operator_orders.c   what is sent, when, and what waits for room
 *   op_add.c, op_move.c, op_remove.c    what each kind makes of reports and losses
 *   operators_check.c   the recount
 */
struct sl_operator_row {
    enum sl_operator_side side;   /* which node is waited for */
    enum sl_operator_order order; /* what it is told */
    const char *phase;
    uint32_t next; /* bit per legal next state */
};
const struct sl_operator_row *sl__operator_row(const struct sl_operator *op);

#define SL_OPERATOR_LINK(field) offsetof(struct sl_operator, field)
struct sl_operator *sl__operator_at(const struct sl_control *c, uint32_t handle);
/* The node whose answer ends the state; SL_NODE_NONE if that node was just forgotten. */
sl_node_ref sl__operator_waits_for(const struct sl_operator *op);

/* The order of its state, now or when there is room. The operator may have ended afterwards. */
void sl__operator_request(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out);
/* Sets its timer to whatever is due first. */
void sl__operator_arm(struct sl_control *c, const struct sl_operator *op);
/* Out of the line of those that wait for room, if it is there. */
void sl__operator_dequeue(struct sl_control *c, struct sl_operator *op);
void sl__operators_send_queued(struct sl_control *c, struct sl_outbox *out);

/* In state NEW, named by its nodes; null without memory (nothing changed). A span must have no operator. */
struct sl_operator *sl__operator_new(struct sl_control *c, enum sl_operator_kind kind, struct sl_dispatcher_id id,
                                     uint32_t span, sl_node_ref origin, sl_node_ref dest);

/* The one setter of states; sends the new state's order, now or when there is room. was_sent: it was sent already, by a
 * predecessor. The operator may have ended afterwards. */
void sl__operator_enter(struct sl_control *c, struct sl_operator *op, enum sl_operator_state state, bool was_sent,
                        struct sl_outbox *out);

enum sl_operator_outcome {
    SL_OUTCOME_REPLICATING,
    SL_OUTCOME_ABSENT,
    SL_OUTCOME_DROPPED, /* the span */
    SL_OUTCOME_LEFT,    /* the span stays as it is: the caller decides */
};
/* Ends and frees the operator, frees its span for others. */
void sl__operator_end(struct sl_control *c, struct sl_operator *op, enum sl_operator_outcome outcome);

/* Nothing shall be created on dest any more: takes back what was sent, if anything was. May end the operator. */
void sl__operator_give_up_dest(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out);

/* dest would not or could not start the span: tells why, and the next place shall be another one, if there is one. */
void sl__operator_blame_dest(struct sl_control *c, const struct sl_operator *op, const char *cause,
                             struct sl_outbox *out);

/* The number of the next placement; never 0. */
void sl__operator_next_placement(struct sl_span *span);

/* By kind. on_status: true if the state means something; gone = Stopped or Removed. on_lost: the side was just
 * forgotten. */
bool sl__op_add_on_status(struct sl_control *c, struct sl_operator *op, Pb__ComponentState state,
                          struct sl_outbox *out);
bool sl__op_move_on_status(struct sl_control *c, struct sl_operator *op, Pb__ComponentState state,
                           struct sl_outbox *out);
bool sl__op_remove_on_status(struct sl_control *c, struct sl_operator *op, Pb__ComponentState state);
void sl__op_add_on_lost(struct sl_control *c, struct sl_operator *op);
void sl__op_move_on_lost(struct sl_control *c, struct sl_operator *op, enum sl_operator_side side,
                         struct sl_outbox *out);
void sl__op_remove_on_lost(struct sl_control *c, struct sl_operator *op);

#endif
