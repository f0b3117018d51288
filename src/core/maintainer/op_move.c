/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/operators_internal.h"

enum sl_code sl__operator_move(struct sl_control *c, uint32_t span, sl_node_ref dest, bool paced, const char *cause,
                               struct sl_outbox *out)
{
    const struct sl_span *s = sl_spans_at(&c->spans, span);
    SL_REQUIRE(s->state == SL_SPAN_REPLICATING && s->node != dest);
    struct sl_operator *op = sl__operator_new(c, SL_OPERATOR_MOVE, s->id, span, s->node, dest);
    if (!op)
        return SL_NOMEM;
    if (paced) {
        op->paced = true;
        c->operators.paced_count++;
        sl_pacer_begin(c->pacer);
    }
    sl_spans_mark_scheduling(&c->spans, span);
    sl_out_event(out, SL_EV_MOVE_STARTED, sl__control_field_feed(c), sl__control_field_id(op->id),
                 sl__control_field_node(c, "from", op->origin), sl__control_field_node(c, "to", dest),
                 sl_f_str("cause", sl_str_of(cause)));
    sl__operator_enter(c, op, SL_OPERATOR_MOVE_REMOVE_ORIGIN, false, out);
    return SL_OK;
}

/*
 * The origin is gone. Its last checkpoint was stored before this is called, so that the destination starts there and
 * the feed does not wait for an older one. A destination that may not take the span any more is not tried.
 */
static void move_on_origin_gone(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    if (op->state == SL_OPERATOR_MOVE_ABORT_ORIGIN || c->mode == CONTROL_FROZEN ||
        !sl__control_may_place(c, op->id, op->dest)) {
        sl__operator_end(c, op, SL_OUTCOME_ABSENT);
        return;
    }
    sl_spans_bind(&c->spans, op->span, op->dest);
    sl__operator_next_placement(sl_spans_at(&c->spans, op->span));
    sl__operator_enter(c, op, SL_OPERATOR_MOVE_ADD_DEST, false, out);
}

static void move_on_arrived(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_MOVE_DONE, sl__control_field_feed(c), sl__control_field_id(op->id),
                 sl__control_field_node(c, "to", op->dest), sl_f_i64("took_ms", (c->now - op->started_at) / SL_MS));
    sl__operator_end(c, op, SL_OUTCOME_REPLICATING);
}

/* As for a plain Create, Stopped is no answer here. */
static bool move_on_dest_status(struct sl_control *c, struct sl_operator *op, Pb__ComponentState state,
                                struct sl_outbox *out)
{
    if (state == PB__COMPONENT_STATE__WORKING) {
        move_on_arrived(c, op, out);
        return true;
    }
    if (state == PB__COMPONENT_STATE__REMOVED) {
        sl__operator_blame_dest(c, op, "refused", out);
        sl__operator_end(c, op, SL_OUTCOME_ABSENT);
        return true;
    }
    return false;
}

bool sl__op_move_on_status(struct sl_control *c, struct sl_operator *op, Pb__ComponentState state,
                           struct sl_outbox *out)
{
    if (op->state == SL_OPERATOR_MOVE_ADD_DEST)
        return move_on_dest_status(c, op, state, out);
    if (!control_is_gone(state))
        return false;
    if (op->state == SL_OPERATOR_MOVE_ABORT_DEST)
        sl__operator_end(c, op, SL_OUTCOME_ABSENT);
    else
        move_on_origin_gone(c, op, out);
    return true;
}

void sl__op_move_on_lost(struct sl_control *c, struct sl_operator *op, enum sl_operator_side side,
                         struct sl_outbox *out)
{
    bool at_origin = op->state == SL_OPERATOR_MOVE_REMOVE_ORIGIN || op->state == SL_OPERATOR_MOVE_ABORT_ORIGIN;
    if (side == SL_SIDE_ORIGIN) {
        if (at_origin) /* afterwards the origin does not matter any more */
            move_on_origin_gone(c, op, out);
        return;
    }
    if (at_origin)
        sl__operator_enter(c, op, SL_OPERATOR_MOVE_ABORT_ORIGIN, op->sent, out);
    else
        sl__operator_end(c, op, SL_OUTCOME_ABSENT);
}
