/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/operators.h"

#include "base/hash.h"
#include "core/common/mem_tags.h"
#include "core/maintainer/operators_internal.h"

#define OPERATORS_BEYOND_SPANS_MAX (1u << 16) /* removals of dispatchers that belong to no span */
#define OPERATORS_TIMERS_CAP_MIN 64u

#define GO(name) (1u << SL_OPERATOR_##name)
static const struct sl_operator_row operator_rows[] = {
#define OPERATOR_ROW(name, side, order, phase, next) \
    [SL_OPERATOR_##name] = { SL_SIDE_##side, SL_ORDER_##order, phase, next },
    SL_OPERATOR_STATES(OPERATOR_ROW)
#undef OPERATOR_ROW
};
#undef GO

const struct sl_operator_row *sl__operator_row(const struct sl_operator *op)
{
    return &operator_rows[op->state];
}

struct sl_operator *sl__operator_at(const struct sl_control *c, uint32_t handle)
{
    return sl_slab_at(&c->operators.slab, handle);
}

/* ---- all of them ---- */

struct remove_key {
    struct sl_dispatcher_id id;
    sl_node_ref node;
};

static bool operators_has_remove(const void *ctx, uint32_t handle, const void *key)
{
    const struct remove_key *k = key;
    const struct sl_operator *op = sl__operator_at(ctx, handle);
    return sl_dispatcher_id_eq(op->id, k->id) && op->origin == k->node;
}

static uint64_t operators_hash_remove(const struct sl_control *c, struct sl_dispatcher_id id, sl_node_ref node)
{
    return sl_hash_u64x2(c->seed, id.high ^ node, id.low);
}

static void operators_on_timer_moved(void *ctx, uint32_t handle, uint32_t position)
{
    sl__operator_at(ctx, handle)->timer_position = position;
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

/* ---- counters, links ---- */

sl_node_ref sl__operator_waits_for(const struct sl_operator *op)
{
    switch (sl__operator_row(op)->side) {
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
    const struct sl_operator *op = sl__operator_at(c, handle);
    return (struct sl_stuck){ .id = op->id,
                              .phase = sl__operator_row(op)->phase,
                              .waits_for = sl__operator_waits_for(op),
                              .since = op->started_at };
}

/* Adds what the operator means to its nodes (O4), or with -1 takes it away again. Every change of state or side is
 * between two calls. */
static void operator_count(struct sl_control *c, const struct sl_operator *op, int32_t by)
{
    sl_node_ref waits_for = sl__operator_waits_for(op);
    if (waits_for != SL_NODE_NONE) {
        struct control_node *node = control_node_at(c, waits_for);
        if (sl__operator_row(op)->order == SL_ORDER_CREATE)
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
        sl_list_push_back(&node->of_origin, slab, SL_OPERATOR_LINK(of_origin), op->handle);
        node->moves_from += op->kind == SL_OPERATOR_MOVE;
    }
    if (op->dest != SL_NODE_NONE)
        sl_list_push_back(&control_node_at(c, op->dest)->of_dest, slab, SL_OPERATOR_LINK(of_dest), op->handle);
}

static void operator_forget_origin(struct sl_control *c, struct sl_operator *op)
{
    if (op->origin == SL_NODE_NONE)
        return;
    const struct sl_slab *slab = &c->operators.slab;
    struct control_node *node = control_node_at(c, op->origin);
    operator_count(c, op, -1);
    sl_list_remove(&node->of_origin, slab, SL_OPERATOR_LINK(of_origin), op->handle);
    if (op->stuck)
        sl_list_remove(&node->stuck, slab, SL_OPERATOR_LINK(in_stuck), op->handle);
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
    sl_list_remove(&control_node_at(c, op->dest)->of_dest, &c->operators.slab, SL_OPERATOR_LINK(of_dest), op->handle);
    op->dest = SL_NODE_NONE;
    operator_count(c, op, 1);
}

/* ---- beginning and end ---- */

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
    SL_REQUIRE((sl__operator_row(op)->next & (1u << state)) != 0);
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
    sl__operator_dequeue(c, op);
    operator_forget_origin(c, op);
    operator_forget_dest(c, op);
    sl_heap_remove(&c->operators.timers, op->timer_position);
    sl_slab_free(&c->operators.slab, op->handle);
    operator_settle_span(c, span, outcome);
}

/* ---- orders ---- */

void sl__operator_enter(struct sl_control *c, struct sl_operator *op, enum sl_operator_state state, bool was_sent,
                        struct sl_outbox *out)
{
    operator_set_state(c, op, state);
    op->sent = was_sent;
    op->send_at = c->limits.reference_pacing ? sl__reference_send_at(op->started_at, c->now) : c->now;
    if (c->mode == CONTROL_FROZEN || op->send_at > c->now)
        sl__operator_arm(c, op);
    else
        sl__operator_request(c, op, out);
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
                 sl_f_str("phase", sl_str_of(sl__operator_row(op)->phase)), sl__control_field_node(c, "node", op->dest),
                 sl_f_str("cause", sl_str_of(cause)), sl_f_i64("age_ms", (c->now - op->started_at) / SL_MS));
}

void sl__operator_next_placement(struct sl_span *span)
{
    /* A number that wraps came from a peer of an earlier epoch, and the epoch is compared first. */
    span->placement_seq++;
    if (span->placement_seq == 0)
        span->placement_seq = 1;
}

/* ---- what happens to them ---- */

bool sl__operator_on_status(struct sl_control *c, uint32_t handle, const struct sl_span_report *report,
                            struct sl_outbox *out)
{
    struct sl_operator *op = sl__operator_at(c, handle);
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
        struct sl_operator *op = sl__operator_at(c, n->of_origin.head);
        operator_forget_origin(c, op);
        operator_on_lost(c, op, SL_SIDE_ORIGIN, out);
    }
    while (n->of_dest.head != 0) {
        struct sl_operator *op = sl__operator_at(c, n->of_dest.head);
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
        struct sl_operator *op = sl__operator_at(c, s->operator_handle);
        if (sl__operator_row(op)->order == SL_ORDER_CREATE && !op->sent)
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
    struct sl_operator *op = sl__operator_at(c, handle);
    if (sl__operator_row(op)->order != SL_ORDER_CREATE)
        return false;
    op->sent = true; /* somebody may have: the caller knows of a dispatcher there */
    sl__operator_give_up_dest(c, op, out);
    return true;
}

/* ---- time ---- */

static void operator_mark_stuck(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    op->stuck = true;
    c->operators.moves_timed_out++;
    operator_return_slot(c, op, SL_MOVE_TIMED_OUT);
    if (op->origin != SL_NODE_NONE)
        sl_list_push_back(&control_node_at(c, op->origin)->stuck, &c->operators.slab, SL_OPERATOR_LINK(in_stuck),
                          op->handle);
    sl_out_event(out, SL_EV_MOVE_STUCK, sl__control_field_feed(c), sl__control_field_id(op->id),
                 sl_f_str("phase", sl_str_of(sl__operator_row(op)->phase)),
                 sl__control_field_node(c, "node", sl__operator_waits_for(op)),
                 sl_f_i64("age_ms", (c->now - op->started_at) / SL_MS));
}

static void operator_on_time(struct sl_control *c, struct sl_operator *op, struct sl_outbox *out)
{
    sl_ns limit_ns = c->limits.move_timeout_ns;
    if (op->kind == SL_OPERATOR_MOVE && !op->stuck && c->now >= sl_ns_after(op->started_at, limit_ns))
        operator_mark_stuck(c, op, out);
    if (sl__operator_row(op)->order == SL_ORDER_CREATE && c->now >= sl_ns_after(op->since, limit_ns)) {
        sl__operator_blame_dest(c, op, "timeout", out);
        sl__operator_give_up_dest(c, op, out);
    } else if (!op->queued && c->now >= op->send_at) {
        sl__operator_request(c, op, out);
    } else {
        sl__operator_arm(c, op);
    }
}

void sl__operators_on_tick(struct sl_control *c, struct sl_outbox *out)
{
    sl__operators_send_queued(c, out);
    const struct sl_heap_item *first;
    while ((first = sl_heap_peek(&c->operators.timers)) && first->key <= (uint64_t)c->now)
        operator_on_time(c, sl__operator_at(c, first->value), out);
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
        operator_return_slot(c, sl__operator_at(c, h), SL_MOVE_ABANDONED);
}
