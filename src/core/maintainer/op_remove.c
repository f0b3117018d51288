/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/operators_internal.h"

enum sl_code sl__operator_remove_span(struct sl_control *c, uint32_t span, bool keep_span, struct sl_outbox *out)
{
    const struct sl_span *s = sl_spans_at(&c->spans, span);
    SL_REQUIRE(s->state == SL_SPAN_REPLICATING);
    struct sl_operator *op = sl__operator_new(c, SL_OPERATOR_REMOVE, s->id, span, s->node, SL_NODE_NONE);
    if (!op)
        return SL_NOMEM;
    op->keep_span = keep_span;
    /*
     * A span that lives on limits the feed's checkpoint from now on: the watermark of its node passes it as soon as the
     * dispatcher has stopped, which may be long before that is known here.
     */
    if (keep_span)
        sl_spans_mark_scheduling(&c->spans, span);
    sl__operator_enter(c, op, SL_OPERATOR_REMOVE_STOP, false, out);
    return SL_OK;
}

enum sl_code sl__operator_remove_unknown(struct sl_control *c, const struct sl_operator_removal *removal,
                                         struct sl_outbox *out)
{
    struct sl_operator *op = sl__operator_new(c, SL_OPERATOR_REMOVE, removal->id, 0, removal->node, SL_NODE_NONE);
    if (!op)
        return SL_NOMEM;
    op->table_id = removal->table_id;
    op->schema_id = removal->schema_id;
    op->keyspace_id = removal->keyspace_id;
    op->seq = removal->placement_seq;
    sl__operator_enter(c, op, SL_OPERATOR_REMOVE_STOP, false, out);
    return SL_OK;
}

bool sl__op_remove_on_status(struct sl_control *c, struct sl_operator *op, Pb__ComponentState state)
{
    if (!control_is_gone(state))
        return false;
    sl__op_remove_on_lost(c, op);
    return true;
}

void sl__op_remove_on_lost(struct sl_control *c, struct sl_operator *op)
{
    sl__operator_end(c, op, op->keep_span ? SL_OUTCOME_ABSENT : SL_OUTCOME_DROPPED);
}
