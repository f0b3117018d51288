/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/control_internal.h"

/* What span control tells about itself. */

void sl_control_node_counts(const struct sl_control *c, sl_node_ref node, struct sl_node_counts *counts)
{
    const struct control_node *n = control_node_at(c, node);
    *counts = (struct sl_node_counts){ .bound = sl_spans_bound_count(&c->spans, node),
                                       .idle = sl_spans_idle_count(&c->spans, node),
                                       .stopping = n->stopping,
                                       .starting = n->starting,
                                       .moves_from = n->moves_from,
                                       .stuck = n->stuck.count };
}

uint32_t sl_control_stuck(const struct sl_control *c, sl_node_ref node, struct sl_stuck *out, uint32_t max)
{
    const struct sl_slab *slab = &c->operators.slab;
    uint32_t count = 0;
    for (uint32_t h = control_node_at(c, node)->stuck.head; h != 0 && count < max;
         h = sl_list_next(slab, offsetof(struct sl_operator, in_stuck), h))
        out[count++] = sl__operator_stuck(c, h);
    return count;
}

/* Operators stand in the list of their origin in the order in which they began. */
uint32_t sl_control_oldest_moves(const struct sl_control *c, sl_node_ref node, struct sl_stuck *out, uint32_t max)
{
    const struct sl_slab *slab = &c->operators.slab;
    uint32_t count = sl_control_stuck(c, node, out, max), looked_at = 0;
    for (uint32_t h = control_node_at(c, node)->of_origin.head; h != 0 && count < max && looked_at++ < 4 * max;
         h = sl_list_next(slab, offsetof(struct sl_operator, of_origin), h)) {
        const struct sl_operator *op = sl_slab_at(slab, h);
        if (op->kind == SL_OPERATOR_MOVE && !op->stuck)
            out[count++] = sl__operator_stuck(c, h);
    }
    return count;
}

uint32_t sl_control_span_count(const struct sl_control *c)
{
    return c->spans.slab.count;
}

uint32_t sl_control_operator_count(const struct sl_control *c)
{
    return c->operators.slab.count;
}

uint32_t sl_control_move_count(const struct sl_control *c)
{
    return c->operators.move_count;
}

bool sl_control_node_is_used(const struct sl_control *c, sl_node_ref node)
{
    const struct control_node *n = control_node_at(c, node);
    return sl_spans_bound_count(&c->spans, node) > 0 || n->starting > 0 || n->stopping > 0;
}

void sl_control_stats(const struct sl_control *c, struct sl_maintainer_stats *stats)
{
    *stats = (struct sl_maintainer_stats){
        .spans = c->spans.slab.count,
        .absent = sl_spans_absent_count(&c->spans),
        .scheduling = c->spans.scheduling_count,
        .replicating = c->spans.replicating_count,
        .operators = c->operators.slab.count,
        .moves = c->operators.move_count,
        .moves_done = c->operators.moves_done,
        .moves_timed_out = c->operators.moves_timed_out,
        .span_bytes = sl_spans_bytes(&c->spans) + sl_names_bytes(&c->names) + sl__operators_bytes(c) +
                      sl_load_bytes(&c->load) + ((size_t)c->ref_max + 1) * sizeof(struct control_node),
    };
}

enum sl_code sl_control_view(const struct sl_control *c, struct sl_dispatcher_id id, struct sl_span_view *view)
{
    uint32_t handle = sl_spans_find(&c->spans, id);
    if (handle == 0)
        return SL_NOT_FOUND;
    const struct sl_span *span = sl_spans_at(&c->spans, handle);
    *view = (struct sl_span_view){ .state = (enum sl_span_state)span->state,
                                   .node = span->node,
                                   .table_id = span->table_id,
                                   .checkpoint = span->checkpoint,
                                   .placement_seq = span->placement_seq,
                                   .has_operator = span->operator_handle != 0 };
    return SL_OK;
}

uint32_t sl_control_table_spans(const struct sl_control *c, int64_t table_id, struct sl_dispatcher_id *ids,
                                uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t span = sl_spans_of_table(&c->spans, table_id); span != 0;
         span = sl_spans_next_of_table(&c->spans, span)) {
        if (count < max)
            ids[count] = sl_spans_at(&c->spans, span)->id;
        count++;
    }
    return count;
}

bool sl_control_table_leaves(const struct sl_control *c, int64_t table_id)
{
    const struct sl_slab *operators = &c->operators.slab;
    for (uint32_t h = sl_slab_next(operators, 0); h != 0; h = sl_slab_next(operators, h)) {
        const struct sl_operator *op = sl_slab_at(operators, h);
        if (op->kind == SL_OPERATOR_REMOVE && op->span == 0 && op->table_id == table_id)
            return true;
    }
    return false;
}

void sl__control_check(const struct sl_control *c)
{
    sl_spans_check(&c->spans);
    sl__operators_check(c);
}
