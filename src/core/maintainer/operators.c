/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/operators.h"

#include "base/hash.h"
#include "core/common/mem_tags.h"
#include "core/maintainer/operators_internal.h"

#define OPERATORS_BEYOND_SPANS_MAX (1u << 16) /* removals of dispatchers that belong to no span */
#define OPERATORS_TIMERS_CAP_MIN 64u
#define OPERATORS_LINK(field) offsetof(struct sl_operator, field)

struct operator_row {
    enum sl_operator_side side;
    enum sl_operator_order order;
    const char *phase;
    uint32_t next; /* bit per legal next state */
};

#define GO(name) (1u << SL_OPERATOR_##name)
static const struct operator_row operator_rows[] = {
#define OPERATOR_ROW(name, side, order, phase, next) \
    [SL_OPERATOR_##name] = { SL_SIDE_##side, SL_ORDER_##order, phase, next },
    SL_OPERATOR_STATES(OPERATOR_ROW)
#undef OPERATOR_ROW
};
#undef GO

static const struct operator_row *operator_row(const struct sl_operator *op)
{
    return &operator_rows[op->state];
}

static struct sl_operator *operator_at(const struct sl_control *c, uint32_t handle)
{
    return sl_slab_at(&c->operators.slab, handle);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

struct remove_key {
    struct sl_dispatcher_id id;
    sl_node_ref node;
};

static bool operators_has_remove(const void *ctx, uint32_t handle, const void *key)
{
    const struct remove_key *k = key;
    const struct sl_operator *op = operator_at(ctx, handle);
    return sl_dispatcher_id_eq(op->id, k->id) && op->origin == k->node;
}

static uint64_t operators_hash_remove(const struct sl_control *c, struct sl_dispatcher_id id, sl_node_ref node)
{
    return sl_hash_u64x2(c->seed, id.high ^ node, id.low);
}

static void operators_on_timer_moved(void *ctx, uint32_t handle, uint32_t position)
{
    operator_at(ctx, handle)->timer_position = position;
}

void sl__operators_init(struct sl_control *c)
{
    struct sl_operators *o = &c->operators;
    uint32_t count_max = c->limits.span_count_max + OPERATORS_BEYOND_SPANS_MAX;
    sl_slab_init(&o->slab, c->mem, SL_TAG_OPERATORS, sizeof(struct sl_operator), count_max);
    sl_heap_init(&o->timers, c->mem, SL_TAG_OPERATORS, count_max, operators_on_timer_moved, c);
    sl_map_init(&o->removes, c->mem, SL_TAG_OPERATORS, count_max, operators_has_remove, c);
}

void sl__operators_deinit(struct sl_control *c)
{
    sl_map_deinit(&c->operators.removes);
    sl_heap_deinit(&c->operators.timers);
    sl_slab_deinit(&c->operators.slab);
}

size_t sl__operators_bytes(const struct sl_control *c)
{
    const struct sl_operators *o = &c->operators;
    return sl_slab_bytes(&o->slab) + sl_heap_bytes(&o->timers) + sl_map_bytes(&o->removes);
}

uint32_t sl__operator_find_remove(const struct sl_control *c, struct sl_dispatcher_id id, sl_node_ref node)
{
    struct remove_key key = { .id = id, .node = node };
    return sl_map_find(&c->operators.removes, operators_hash_remove(c, id, node), &key);
}

/* ---- counters, links --------------------------------------------------------------------------------------------- */

static sl_node_ref operator_waits_for(const struct sl_operator *op)
{
    switch (operator_row(op)->side) {
    case SL_SIDE_NONE:
        return SL_NODE_NONE;
    case SL_SIDE_ORIGIN:
        return op->origin;
    case SL_SIDE_DEST:
        return op->dest;
    }
    SL_UNREACHABLE();
}

struct sl_stuck sl__operator_stuck(const struct sl_control *c, uint32_t handle)
{
    const struct sl_operator *op = operator_at(c, handle);
    return (struct sl_stuck){
        .id = op->id, .phase = operator_row(op)->phase, .waits_for = operator_waits_for(op), .since = op->started_at
    };
}

/* Adds what the operator means to its nodes (O4), or with -1 takes it away again. Every change of state or side is
 * between two calls. */
static void operator_count(struct sl_control *c, const struct sl_operator *op, int32_t by)
{
    sl_node_ref waits_for = operator_waits_for(op);
    if (waits_for != SL_NODE_NONE) {
        struct control_node *node = control_node_at(c, waits_for);
        if (operator_row(op)->order == SL_ORDER_CREATE)
            node->starting += (uint32_t)by;
        else
            node->stopping += (uint32_t)by;
    }
    if (op->state == SL_OPERATOR_MOVE_REMOVE_ORIGIN && op->dest != SL_NODE_NONE)
        sl_load_change(&c->load, op->dest, by);
}

static void operator_name_sides(struct sl_control *c, struct sl_operator *op)
{
    const struct sl_slab *slab = &c->operators.slab;
    if (op->origin != SL_NODE_NONE) {
        struct control_node *node = control_node_at(c, op->origin);
        sl_list_push_back(&node->of_origin, slab, OPERATORS_LINK(of_origin), op->handle);
        node->moves_from += op->kind == SL_OPERATOR_MOVE;
    }
    if (op->dest != SL_NODE_NONE)
        sl_list_push_back(&control_node_at(c, op->dest)->of_dest, slab, OPERATORS_LINK(of_dest), op->handle);
}

static void operator_forget_origin(struct sl_control *c, struct sl_operator *op)
{
    if (op->origin == SL_NODE_NONE)
        return;
    const struct sl_slab *slab = &c->operators.slab;
    struct control_node *node = control_node_at(c, op->origin);
    operator_count(c, op, -1);
    sl_list_remove(&node->of_origin, slab, OPERATORS_LINK(of_origin), op->handle);
    if (op->stuck)
        sl_list_remove(&node->stuck, slab, OPERATORS_LINK(in_stuck), op->handle);
    if (op->kind == SL_OPERATOR_MOVE)
        node->moves_from--;
    if (op->kind == SL_OPERATOR_REMOVE)
        sl_map_remove(&c->operators.removes, operators_hash_remove(c, op->id, op->origin), op->handle);
    op->origin = SL_NODE_NONE;
    operator_count(c, op, 1);
}

static void operator_forget_dest(struct sl_control *c, struct sl_operator *op)
{
    if (op->dest == SL_NODE_NONE)
        return;
    operator_count(c, op, -1);
    sl_list_remove(&control_node_at(c, op->dest)->of_dest, &c->operators.slab, OPERATORS_LINK(of_dest), op->handle);
    op->dest = SL_NODE_NONE;
    operator_count(c, op, 1);
}

static void operator_dequeue(struct sl_control *c, struct sl_operator *op)
{
    if (!op->queued)
        return;
    sl_list_remove(&c->operators.queue, &c->operators.slab, OPERATORS_LINK(in_queue), op->handle);
    op->queued = false;
}

/* ---- beginning and end ------------------------------------------------------------------------------------------- */

static bool operators_reserve_timer(struct sl_operators *o)
{
    if (o->timers.count < o->timers.cap)
        return true;
    uint64_t cap = o->timers.cap > 0 ? (uint64_t)o->timers.cap * 2 : OPERATORS_TIMERS_CAP_MIN;
    return sl_heap_reserve(&o->timers, cap < o->timers.count_max ? (uint32_t)cap : o->timers.count_max);
}

struct sl_operator *sl__operator_new(struct sl_control *c, enum sl_operator_kind kind, struct sl_dispatcher_id id,
                                     uint32_t span, sl_node_ref origin, sl_node_ref dest)
{
    SL_REQUIRE(origin != dest);
    struct sl_operators *o = &c->operators;
    uint32_t handle = 0;
    struct sl_operator *op = operators_reserve_timer(o) ? sl_slab_new(&o->slab, &handle) : NULL;
    if (!op)
        return NULL;
    *op = (struct sl_operator){ .id = id,
                                .handle = handle,
                                .span = span,
                                .origin = origin,
                                .dest = dest,
                                .kind = (uint8_t)kind,
                                .state = SL_OPERATOR_NEW,
                                .started_at = c->now,
                                .since = c->now };
    if (kind == SL_OPERATOR_REMOVE && !sl_map_add(&o->removes, operators_hash_remove(c, id, origin), handle)) {
        sl_slab_free(&o->slab, handle);
        return NULL;
    }
    if (!sl_heap_push(&o->timers, (uint64_t)SL_NEVER, handle))
        SL_UNREACHABLE(); /* reserved above */
    operator_name_sides(c, op);
    o->move_count += kind == SL_OPERATOR_MOVE;
    if (span != 0)
        sl_spans_set_operator(&c->spans, span, handle);
    return op;
}

static void operator_return_slot(struct sl_control *c, struct sl_operator *op, enum sl_move_end end)
{
    if (!op->paced)
        return;
    op->paced = false;
    c->operators.paced_count--;
    sl_pacer_end(c->pacer, c->now, c->now - op->started_at, end);
}

static void operator_set_state(struct sl_control *c, struct sl_operator *op, enum sl_operator_state state)
{
    SL_REQUIRE((operator_row(op)->next & (1u << state)) != 0);
    operator_count(c, op, -1);
    op->state = (uint8_t)state;
    op->since = c->now;
    operator_count(c, op, 1);
}

static void operator_settle_span(struct sl_control *c, uint32_t span, enum sl_operator_outcome outcome)
{
    if (span == 0)
        return;
    sl_spans_set_operator(&c->spans, span, 0);
    switch (outcome) {
    case SL_OUTCOME_REPLICATING:
        sl_spans_mark_replicating(&c->spans, span);
        return;
    case SL_OUTCOME_ABSENT:
        sl_spans_mark_absent(&c->spans, span);
        return;
    case SL_OUTCOME_DROPPED:
        sl_spans_drop(&c->spans, span);
        return;
    case SL_OUTCOME_LEFT:
        return;
    }
    SL_UNREACHABLE();
}

void sl__operator_end(struct sl_control *c, struct sl_operator *op, enum sl_operator_outcome outcome)
{
    bool arrived = outcome == SL_OUTCOME_REPLICATING;
    uint32_t span = op->span;
    if (op->kind == SL_OPERATOR_MOVE) {
        c->operators.move_count--;
        c->operators.moves_done += arrived;
    }
    operator_return_slot(c, op, arrived ? SL_MOVE_ARRIVED : SL_MOVE_ABANDONED);
    operator_set_state(c, op, SL_OPERATOR_ENDED);
    operator_dequeue(c, op);
    operator_forget_origin(c, op);
    operator_forget_dest(c, op);
    sl_heap_remove(&c->operators.timers, op->timer_position);
    sl_slab_free(&c->operators.slab, op->handle);
    operator_settle_span(c, span, outcome);
}

/* ---- orders ------------------------------------------------------------------------------------------------------ */

static void operator_arm(struct sl_control *c, const struct sl_operator *op)
{
    sl_ns due = op->queued ? SL_NEVER : op->send_at;
    if (op->kind == SL_OPERATOR_MOVE && !op->stuck)
        due = sl_ns_min(due, sl_ns_after(op->started_at, c->limits.move_timeout_ns));
    if (operator_row(op)->order == SL_ORDER_CREATE)
        due = sl_ns_min(due, sl_ns_after(op->since, c->limits.move_timeout_ns));
    sl_heap_update(&c->operators.timers, op->timer_position, (uint64_t)due);
}

/*
 * The type tells a successor, which finds an unfinished Remove in a dispatch manager, what becomes of the span: MOVE,
 * it lives on elsewhere; REMOVE, it ends.
 */
static Pb__OperatorType operator_type(const struct sl_operator *op)
{
    if (operator_row(op)->order == SL_ORDER_CREATE && op->kind == SL_OPERATOR_ADD)
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
    bool create = operator_row(op)->order == SL_ORDER_CREATE;
    if (create)
        order->config.start_ts = sl_ts_max(sl_spans_at(&c->spans, op->span)->checkpoint, c->committed);
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
    (void)sl_out_send(out, operator_waits_for(op), SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &order.request.base);
}

static void operator_send(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    if (operator_row(op)->order == SL_ORDER_CREATE && !sl__control_may_place(c, op->id, op->dest)) {
        sl__operator_give_up_dest(c, op, out);
        return;
    }
    /* When several nodes are lost at once, a move may turn to one of which this was not said yet. */
    if (sl_members_is_alive(c->members, operator_waits_for(op)))
        operator_send_order(c, op, out);
    op->send_at = operator_resend_at(c, op);
    operator_arm(c, op);
}

static void operator_request(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    if (!op->queued && sl__control_can_send(c, out)) {
        operator_send(c, op, out);
        return;
    }
    if (!op->queued) {
        sl_list_push_back(&c->operators.queue, &c->operators.slab, OPERATORS_LINK(in_queue), op->handle);
        c->operators.queue_at = sl__control_retry_at(c);
        op->queued = true;
    }
    operator_arm(c, op);
}

void sl__operator_enter(struct sl_control *c, struct sl_operator *op, enum sl_operator_state state, bool was_sent,
                        struct sl_outbox *out)
{
    operator_set_state(c, op, state);
    op->sent = was_sent;
    op->send_at = c->limits.reference_pacing ? sl__reference_send_at(op->started_at, c->now) : c->now;
    if (c->mode == CONTROL_FROZEN || op->send_at > c->now)
        operator_arm(c, op);
    else
        operator_request(c, op, out);
}

void sl__operator_give_up_dest(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    if (!op->sent)
        sl__operator_end(c, op, SL_OUTCOME_ABSENT);
    else if (op->kind == SL_OPERATOR_MOVE)
        sl__operator_enter(c, op, SL_OPERATOR_MOVE_ABORT_DEST, false, out);
    else
        sl__operator_enter(c, op, SL_OPERATOR_ADD_ABORT, false, out);
}

void sl__operator_blame_dest(struct sl_control *c, const struct sl_operator *op, const char *cause,
                             struct sl_outbox *out)
{
    sl_spans_at(&c->spans, op->span)->avoid = control_node_at(c, op->dest)->incarnation;
    sl_out_event(out, SL_EV_OPERATOR_FAILED, sl__control_field_feed(c), sl__control_field_id(op->id),
                 sl_f_str("phase", sl_str_of(operator_row(op)->phase)), sl__control_field_node(c, "node", op->dest),
                 sl_f_str("cause", sl_str_of(cause)), sl_f_i64("age_ms", (c->now - op->started_at) / SL_MS));
}

void sl__operator_next_placement(struct sl_span *span)
{
    /* A number that wraps came from a peer of an earlier epoch, and the epoch is compared first. */
    span->placement_seq++;
    if (span->placement_seq == 0)
        span->placement_seq = 1;
}

/* ---- what happens to them ---------------------------------------------------------------------------------------- */

bool sl__operator_on_status(struct sl_control *c, uint32_t handle, const struct sl_span_report *report,
                            struct sl_outbox *out)
{
    struct sl_operator *op = operator_at(c, handle);
    switch ((enum sl_operator_kind)op->kind) {
    case SL_OPERATOR_ADD:
        return sl__op_add_on_status(c, op, report->state, out);
    case SL_OPERATOR_MOVE:
        return sl__op_move_on_status(c, op, report->state, out);
    case SL_OPERATOR_REMOVE:
        return sl__op_remove_on_status(c, op, report->state);
    }
    SL_UNREACHABLE();
}

static void operator_on_lost(struct sl_control *c, struct sl_operator *op, enum sl_operator_side side,
                             struct sl_outbox *out)
{
    switch ((enum sl_operator_kind)op->kind) {
    case SL_OPERATOR_ADD:
        sl__op_add_on_lost(c, op);
        return;
    case SL_OPERATOR_MOVE:
        sl__op_move_on_lost(c, op, side, out);
        return;
    case SL_OPERATOR_REMOVE:
        sl__op_remove_on_lost(c, op);
        return;
    }
    SL_UNREACHABLE();
}

void sl__operators_on_node_lost(struct sl_control *c, sl_node_ref node, struct sl_outbox *out)
{
    struct control_node *n = control_node_at(c, node);
    while (n->of_origin.head != 0) {
        struct sl_operator *op = operator_at(c, n->of_origin.head);
        operator_forget_origin(c, op);
        operator_on_lost(c, op, SL_SIDE_ORIGIN, out);
    }
    while (n->of_dest.head != 0) {
        struct sl_operator *op = operator_at(c, n->of_dest.head);
        operator_forget_dest(c, op);
        operator_on_lost(c, op, SL_SIDE_DEST, out);
    }
}

void sl__operator_release_span(struct sl_control *c, uint32_t span, struct sl_outbox *out)
{
    const struct sl_span *s = sl_spans_at(&c->spans, span);
    struct sl_operator_removal removal = { .id = s->id,
                                           .table_id = s->table_id,
                                           .schema_id = s->schema_id,
                                           .keyspace_id = s->keyspace_id,
                                           .placement_seq = s->placement_seq,
                                           .node = s->node };
    if (s->operator_handle != 0) {
        struct sl_operator *op = operator_at(c, s->operator_handle);
        if (operator_row(op)->order == SL_ORDER_CREATE && !op->sent)
            removal.node = SL_NODE_NONE;
        sl__operator_end(c, op, SL_OUTCOME_LEFT);
    }
    if (removal.node == SL_NODE_NONE || c->mode == CONTROL_FROZEN)
        return;
    /* Without memory the dispatcher becomes an orphan: its next report gets it removed. */
    if (sl__operator_remove_unknown(c, &removal, out) != SL_OK)
        sl_out_event(out, SL_EV_OPERATOR_FAILED, sl__control_field_feed(c), sl__control_field_id(removal.id),
                     sl__control_field_node(c, "node", removal.node), sl_f_str("cause", SL_STR("no_memory")));
}

bool sl__operator_take_back(struct sl_control *c, uint32_t handle, struct sl_outbox *out)
{
    struct sl_operator *op = operator_at(c, handle);
    if (operator_row(op)->order != SL_ORDER_CREATE)
        return false;
    op->sent = true; /* somebody may have: the caller knows of a dispatcher there */
    sl__operator_give_up_dest(c, op, out);
    return true;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static void operator_mark_stuck(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    op->stuck = true;
    c->operators.moves_timed_out++;
    operator_return_slot(c, op, SL_MOVE_TIMED_OUT);
    if (op->origin != SL_NODE_NONE)
        sl_list_push_back(&control_node_at(c, op->origin)->stuck, &c->operators.slab, OPERATORS_LINK(in_stuck),
                          op->handle);
    sl_out_event(out, SL_EV_MOVE_STUCK, sl__control_field_feed(c), sl__control_field_id(op->id),
                 sl_f_str("phase", sl_str_of(operator_row(op)->phase)),
                 sl__control_field_node(c, "node", operator_waits_for(op)),
                 sl_f_i64("age_ms", (c->now - op->started_at) / SL_MS));
}

static void operator_on_time(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    sl_ns limit_ns = c->limits.move_timeout_ns;
    if (op->kind == SL_OPERATOR_MOVE && !op->stuck && c->now >= sl_ns_after(op->started_at, limit_ns))
        operator_mark_stuck(c, op, out);
    if (operator_row(op)->order == SL_ORDER_CREATE && c->now >= sl_ns_after(op->since, limit_ns)) {
        sl__operator_blame_dest(c, op, "timeout", out);
        sl__operator_give_up_dest(c, op, out);
    } else if (!op->queued && c->now >= op->send_at) {
        operator_request(c, op, out);
    } else {
        operator_arm(c, op);
    }
}

void sl__operators_on_tick(struct sl_control *c, struct sl_outbox *out)
{
    struct sl_operators *o = &c->operators;
    while (o->queue.head != 0 && sl__control_can_send(c, out)) {
        struct sl_operator *op = operator_at(c, o->queue.head);
        operator_dequeue(c, op);
        operator_send(c, op, out);
    }
    o->queue_at = sl__control_retry_at(c);
    const struct sl_heap_item *first;
    while ((first = sl_heap_peek(&o->timers)) && first->key <= (uint64_t)c->now)
        operator_on_time(c, operator_at(c, first->value), out);
}

sl_ns sl__operators_deadline(const struct sl_control *c)
{
    const struct sl_heap_item *first = sl_heap_peek(&c->operators.timers);
    sl_ns due = first ? (sl_ns)first->key : SL_NEVER;
    return c->operators.queue.count > 0 ? sl_ns_min(due, c->operators.queue_at) : due;
}

void sl__operators_freeze(struct sl_control *c)
{
    for (uint32_t h = 0; (h = sl_slab_next(&c->operators.slab, h)) != 0;)
        operator_return_slot(c, operator_at(c, h), SL_MOVE_ABANDONED);
}

/* ---- recount ----------------------------------------------------------------------------------------------------- */

static void operators_check_one(const struct sl_control *c, const struct sl_operator *op)
{
    const struct sl_heap_item *timer = &c->operators.timers.items[op->timer_position];
    SL_REQUIRE(op->timer_position < c->operators.timers.count && timer->value == op->handle);
    SL_REQUIRE(op->state != SL_OPERATOR_NEW && op->state != SL_OPERATOR_ENDED);
    SL_REQUIRE(op->kind == SL_OPERATOR_MOVE || (!op->paced && !op->stuck));
    sl_node_ref waits_for = operator_waits_for(op);
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
        const struct sl_operator *op = operator_at(c, h);
        bool waits = operator_waits_for(op) == node, from = op->origin == node, move = op->kind == SL_OPERATOR_MOVE;
        is.starting += waits && operator_row(op)->order == SL_ORDER_CREATE;
        is.stopping += waits && operator_row(op)->order == SL_ORDER_REMOVE;
        is.moves_from += from && move;
        is.of_origin.count += from;
        is.of_dest.count += op->dest == node;
        is.stuck.count += from && op->stuck;
        incoming += op->dest == node && op->state == SL_OPERATOR_MOVE_REMOVE_ORIGIN;
    }
    const struct control_node *n = control_node_at(c, node);
    SL_REQUIRE(is.starting == n->starting && is.stopping == n->stopping && is.moves_from == n->moves_from);
    SL_REQUIRE(is.of_origin.count == operators_list_count(c, &n->of_origin, OPERATORS_LINK(of_origin)));
    SL_REQUIRE(is.of_dest.count == operators_list_count(c, &n->of_dest, OPERATORS_LINK(of_dest)));
    SL_REQUIRE(is.stuck.count == operators_list_count(c, &n->stuck, OPERATORS_LINK(in_stuck)));
    SL_REQUIRE(sl_load_of(&c->load, node) == sl_spans_bound_count(&c->spans, node) + incoming);
}

void sl__operators_check(const struct sl_control *c)
{
    const struct sl_operators *o = &c->operators;
    uint32_t moves = 0, removes = 0, paced = 0, queued = 0, with_span = 0;
    for (uint32_t h = 0; (h = sl_slab_next(&o->slab, h)) != 0;) {
        const struct sl_operator *op = operator_at(c, h);
        operators_check_one(c, op);
        moves += op->kind == SL_OPERATOR_MOVE;
        removes += op->kind == SL_OPERATOR_REMOVE;
        paced += op->paced;
        queued += op->queued;
        with_span += op->span != 0;
    }
    SL_REQUIRE(moves == o->move_count && removes == o->removes.count && paced == o->paced_count);
    SL_REQUIRE(queued == operators_list_count(c, &o->queue, OPERATORS_LINK(in_queue)));
    SL_REQUIRE(o->timers.count == o->slab.count);
    for (uint32_t h = 0; (h = sl_slab_next(&c->spans.slab, h)) != 0;)
        with_span -= sl_spans_at(&c->spans, h)->operator_handle != 0;
    SL_REQUIRE(with_span == 0);
    for (sl_node_ref node = 1; node <= c->ref_max; node++)
        operators_check_node(c, node);
}
