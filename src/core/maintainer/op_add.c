/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/operators_internal.h"

enum sl_code sl__operator_add(struct sl_control *c, uint32_t span, sl_node_ref dest, bool was_sent,
                              struct sl_outbox *out)
{
    struct sl_span *s = sl_spans_at(&c->spans, span);
    SL_REQUIRE(s->state == SL_SPAN_ABSENT);
    struct sl_operator *op = sl__operator_new(c, SL_OPERATOR_ADD, s->id, span, SL_NODE_NONE, dest);
    if (!op)
        return SL_NOMEM;
    /* What a predecessor asked for keeps its number: it is the one the dispatcher will report. */
    if (!was_sent || s->placement_seq == 0)
        sl__operator_next_placement(s);
    sl_spans_bind(&c->spans, span, dest);
    sl__operator_enter(c, op, SL_OPERATOR_ADD_CREATE, was_sent, out);
    return SL_OK;
}

/* Stopped is no answer to a Create: it may be the late answer to an earlier Remove of the same id (reference
 * behaviour). */
static bool add_on_create_status(struct sl_control *c, struct sl_operator *op, Pb__ComponentState state,
                                 struct sl_outbox *out)
{
    if (state == PB__COMPONENT_STATE__WORKING) {
        sl__operator_end(c, op, SL_OUTCOME_REPLICATING);
        return true;
    }
    if (state == PB__COMPONENT_STATE__REMOVED) {
        sl__operator_blame_dest(c, op, "refused", out);
        sl__operator_end(c, op, SL_OUTCOME_ABSENT);
        return true;
    }
    return false;
}

bool sl__op_add_on_status(struct sl_control *c, struct sl_operator *op, Pb__ComponentState state, struct sl_outbox *out)
{
    if (op->state == SL_OPERATOR_ADD_CREATE)
        return add_on_create_status(c, op, state, out);
    if (!control_is_gone(state))
        return false;
    sl__operator_end(c, op, SL_OUTCOME_ABSENT);
    return true;
}

void sl__op_add_on_lost(struct sl_control *c, struct sl_operator *op)
{
    sl__operator_end(c, op, SL_OUTCOME_ABSENT);
}
