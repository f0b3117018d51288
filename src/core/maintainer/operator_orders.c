/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/operators_internal.h"

/* What operators send: one Create or Remove for each state, now or when there is room, and again until it is answered. */

void sl__operator_arm(struct sl_control *c, const struct sl_operator *op)
{
    sl_ns due = op->queued ? SL_NEVER : op->send_at;
    if (op->kind == SL_OPERATOR_MOVE && !op->stuck)
        due = sl_ns_min(due, sl_ns_after(op->started_at, c->limits.move_timeout_ns));
    if (sl__operator_row(op)->order == SL_ORDER_CREATE)
        due = sl_ns_min(due, sl_ns_after(op->since, c->limits.move_timeout_ns));
    sl_heap_update(&c->operators.timers, op->timer_position, (uint64_t)due);
}

/*
 * The type tells a successor, which finds an unfinished Remove in a dispatch manager, what becomes of the span: MOVE,
 * it lives on elsewhere; REMOVE, it ends.
 */
static Pb__OperatorType operator_type(const struct sl_operator *op)
{
    if (sl__operator_row(op)->order == SL_ORDER_CREATE && op->kind == SL_OPERATOR_ADD)
        return PB__OPERATOR_TYPE__O_ADD;
    bool ends = op->kind == SL_OPERATOR_REMOVE && !(op->span != 0 && op->keep_span);
    return ends ? PB__OPERATOR_TYPE__O_REMOVE : PB__OPERATOR_TYPE__O_MOVE;
}

struct operator_order {
    Pb__ChangefeedID feed;
    Pb__DispatcherID id;
    Pb__TableSpan span;
    Pb__DispatcherConfig config;
    Pb__ScheduleDispatcherRequest request;
};

static ProtobufCBinaryData operator_bytes(struct sl_bytes bytes)
{
    return (ProtobufCBinaryData){ .len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.ptr };
}

static void operator_fill_span(const struct sl_control *c, const struct sl_operator *op, struct operator_order *order)
{
    const struct sl_span *span = sl_spans_at(&c->spans, op->span);
    struct sl_span_key key = sl_spans_key(&c->spans, span);
    order->span.table_id = key.table_id;
    order->span.keyspace_id = key.keyspace_id;
    order->span.start_key = operator_bytes(key.start_key);
    order->span.end_key = operator_bytes(key.end_key);
    order->config.schema_id = span->schema_id;
    order->request.placement_seq = span->placement_seq;
}

/* The names are NUL-terminated where they are kept. */
static void operator_fill_names(const struct sl_control *c, int64_t table_id, struct operator_order *order)
{
    const struct sl_table_name name = sl_names_find(&c->names, table_id);
    if (name.schema.len > 0)
        order->request.schema_name = (char *)(uintptr_t)name.schema.ptr;
    if (name.table.len > 0)
        order->request.table_name = (char *)(uintptr_t)name.table.ptr;
}

static bool operator_fill(const struct sl_control *c, const struct sl_operator *op, struct operator_order *order)
{
    *order = (struct operator_order){ .feed = sl_feed_id_pb(c->feed),
                                      .id = sl_dispatcher_id_pb(op->id),
                                      .span = PB__TABLE_SPAN__INIT,
                                      .config = PB__DISPATCHER_CONFIG__INIT,
                                      .request = PB__SCHEDULE_DISPATCHER_REQUEST__INIT };
    if (op->span != 0) {
        operator_fill_span(c, op, order);
    } else {
        order->span.table_id = op->table_id;
        order->span.keyspace_id = op->keyspace_id;
        order->config.schema_id = op->schema_id;
        order->request.placement_seq = op->seq;
    }
    order->config.dispatcher_id = &order->id;
    order->config.span = op->span != 0 || op->table_id != 0 ? &order->span : NULL;
    bool create = sl__operator_row(op)->order == SL_ORDER_CREATE;
    if (create) {
        order->config.start_ts = sl_ts_max(sl_spans_at(&c->spans, op->span)->checkpoint, c->committed);
        operator_fill_names(c, order->span.table_id, order);
    }
    order->request.changefeed = &order->feed;
    order->request.config = &order->config;
    order->request.action = create ? PB__SCHEDULE_ACTION__CREATE : PB__SCHEDULE_ACTION__REMOVE;
    order->request.operator_type = operator_type(op);
    order->request.maintainer_epoch = c->epoch;
    return create;
}

static sl_ns operator_resend_at(const struct sl_control *c, const struct sl_operator *op)
{
    sl_ns at = sl_ns_after(c->now, c->limits.operator_resend_ns);
    return c->limits.reference_pacing ? sl__reference_send_at(op->started_at, at) : at;
}

static void operator_send_order(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    struct operator_order order;
    bool create = operator_fill(c, op, &order);
    SL_REQUIRE(!create || order.config.start_ts != SL_TS_NONE);
    c->sends_left--;
    op->sent = true;
    /* One that finds no room in spite of sl__control_can_send is lost, as on the wire, and sent again. */
    (void)sl_out_send(out, sl__operator_waits_for(op), SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &order.request.base);
}

static void operator_send(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    if (sl__operator_row(op)->order == SL_ORDER_CREATE && !sl__control_may_place(c, op->id, op->dest)) {
        sl__operator_give_up_dest(c, op, out);
        return;
    }
    /* When several nodes are lost at once, a move may turn to one of which this was not said yet. */
    if (sl_members_is_alive(c->members, sl__operator_waits_for(op)))
        operator_send_order(c, op, out);
    op->send_at = operator_resend_at(c, op);
    sl__operator_arm(c, op);
}

void sl__operator_request(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    if (!op->queued && sl__control_can_send(c, out)) {
        operator_send(c, op, out);
        return;
    }
    if (!op->queued) {
        sl_list_push_back(&c->operators.queue, &c->operators.slab, SL_OPERATOR_LINK(in_queue), op->handle);
        c->operators.queue_at = sl__control_retry_at(c);
        op->queued = true;
    }
    sl__operator_arm(c, op);
}

void sl__operator_dequeue(struct sl_control *c, struct sl_operator *op)
{
    if (!op->queued)
        return;
    sl_list_remove(&c->operators.queue, &c->operators.slab, SL_OPERATOR_LINK(in_queue), op->handle);
    op->queued = false;
}

void sl__operators_send_queued(struct sl_control *c, struct sl_outbox *out)
{
    struct sl_operators *o = &c->operators;
    while (o->queue.head != 0 && sl__control_can_send(c, out)) {
        struct sl_operator *op = sl__operator_at(c, o->queue.head);
        sl__operator_dequeue(c, op);
        operator_send(c, op, out);
    }
    o->queue_at = sl__control_retry_at(c);
}
