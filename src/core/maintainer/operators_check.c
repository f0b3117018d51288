/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/operators_internal.h"

/* The recount: what operators.h promises (O1 to O5), computed anew from all operators. */

static void operators_check_one(const struct sl_control *c, const struct sl_operator *op)
{
    const struct sl_heap_item *timer = &c->operators.timers.items[op->timer_position];
    SL_REQUIRE(op->timer_position < c->operators.timers.count && timer->value == op->handle);
    SL_REQUIRE(op->state != SL_OPERATOR_NEW && op->state != SL_OPERATOR_ENDED);
    SL_REQUIRE(op->kind == SL_OPERATOR_MOVE || (!op->paced && !op->stuck));
    sl_node_ref waits_for = sl__operator_waits_for(op);
    SL_REQUIRE(waits_for != SL_NODE_NONE);
    if (op->kind == SL_OPERATOR_REMOVE)
        SL_REQUIRE(sl__operator_find_remove(c, op->id, op->origin) == op->handle);
    else
        SL_REQUIRE(op->span != 0);
    if (op->span == 0)
        return;
    const struct sl_span *span = sl_spans_at(&c->spans, op->span);
    SL_REQUIRE(span->operator_handle == op->handle && sl_dispatcher_id_eq(span->id, op->id));
    SL_REQUIRE(span->node == waits_for); /* O3 */
    bool lives_on = op->kind != SL_OPERATOR_REMOVE || op->keep_span;
    SL_REQUIRE(span->state == (lives_on ? SL_SPAN_SCHEDULING : SL_SPAN_REPLICATING));
}

static uint32_t operators_list_count(const struct sl_control *c, const struct sl_list *list, size_t link)
{
    uint32_t count = 0;
    for (uint32_t h = list->head; h != 0; h = sl_list_next(&c->operators.slab, link, h)) {
        SL_REQUIRE(sl_slab_is_live(&c->operators.slab, h));
        count++;
    }
    SL_REQUIRE(count == list->count);
    return count;
}

static void operators_check_node(const struct sl_control *c, sl_node_ref node)
{
    struct control_node is = { 0 };
    uint32_t incoming = 0;
    for (uint32_t h = 0; (h = sl_slab_next(&c->operators.slab, h)) != 0;) {
        const struct sl_operator *op = sl__operator_at(c, h);
        bool waits = sl__operator_waits_for(op) == node, from = op->origin == node, move = op->kind == SL_OPERATOR_MOVE;
        is.starting += waits && sl__operator_row(op)->order == SL_ORDER_CREATE;
        is.stopping += waits && sl__operator_row(op)->order == SL_ORDER_REMOVE;
        is.moves_from += from && move;
        is.of_origin.count += from;
        is.of_dest.count += op->dest == node;
        is.stuck.count += from && op->stuck;
        incoming += op->dest == node && op->state == SL_OPERATOR_MOVE_REMOVE_ORIGIN;
    }
    const struct control_node *n = control_node_at(c, node);
    SL_REQUIRE(is.starting == n->starting && is.stopping == n->stopping && is.moves_from == n->moves_from);
    SL_REQUIRE(is.of_origin.count == operators_list_count(c, &n->of_origin, SL_OPERATOR_LINK(of_origin)));
    SL_REQUIRE(is.of_dest.count == operators_list_count(c, &n->of_dest, SL_OPERATOR_LINK(of_dest)));
    SL_REQUIRE(is.stuck.count == operators_list_count(c, &n->stuck, SL_OPERATOR_LINK(in_stuck)));
    SL_REQUIRE(sl_load_of(&c->load, node) == sl_spans_bound_count(&c->spans, node) + incoming);
}

void sl__operators_check(const struct sl_control *c)
{
    const struct sl_operators *o = &c->operators;
    uint32_t moves = 0, removes = 0, paced = 0, queued = 0, with_span = 0;
    for (uint32_t h = 0; (h = sl_slab_next(&o->slab, h)) != 0;) {
        const struct sl_operator *op = sl__operator_at(c, h);
        operators_check_one(c, op);
        moves += op->kind == SL_OPERATOR_MOVE;
        removes += op->kind == SL_OPERATOR_REMOVE;
        paced += op->paced;
        queued += op->queued;
        with_span += op->span != 0;
    }
    SL_REQUIRE(moves == o->move_count && removes == o->removes.count && paced == o->paced_count);
    SL_REQUIRE(queued == operators_list_count(c, &o->queue, SL_OPERATOR_LINK(in_queue)));
    SL_REQUIRE(o->timers.count == o->slab.count);
    for (uint32_t h = 0; (h = sl_slab_next(&c->spans.slab, h)) != 0;)
        with_span -= sl_spans_at(&c->spans, h)->operator_handle != 0;
    SL_REQUIRE(with_span == 0);
    for (sl_node_ref node = 1; node <= c->ref_max; node++)
        operators_check_node(c, node);
}
