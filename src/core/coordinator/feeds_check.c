/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

/* F1, and that the lists say the same. */
static void check_place(const struct sl_feeds *f, const struct sl__feed *feed)
{
    bool is_bound = feed->place == SL__PLACE_SCHEDULING || feed->place == SL__PLACE_REPLICATING;
    SL_REQUIRE(is_bound == (feed->node != SL_NODE_NONE));
    SL_REQUIRE(is_bound || feed->epoch == 0);
    SL_REQUIRE(!feed->in_ready || feed->place == SL__PLACE_ABSENT);
    SL_REQUIRE(!f->settled || feed->in_dirty == sl__save_is_dirty(feed));
    SL_REQUIRE(sl__feed_named(f, sl_feed_id_name(&feed->record.id)) == feed);
    /* Whoever runs, or is to run, has a state that says so; what must end is on its way there. */
    bool ends = feed->stop != SL__STOP_NONE || feed->op.kind == SL__OP_STOP || feed->unreadable;
    SL_REQUIRE(!is_bound || sl__feed_is_runnable(feed) || ends);
}

/* F4 and P1: what an operator waits for is where the feed is bound. */
static void check_op(const struct sl__feed *feed)
{
    const struct sl__op *op = &feed->op;
    switch ((enum sl__op_state)op->state) {
    case SL__OP_NONE:
        SL_REQUIRE(op->kind == SL__OP_IDLE && op->origin == SL_NODE_NONE && op->dest == SL_NODE_NONE);
        SL_REQUIRE(feed->place != SL__PLACE_SCHEDULING);
        return;
    case SL__OP_ADD_STORE:
    case SL__OP_ADD_DEST:
    case SL__OP_ADD_ABORT:
    case SL__OP_MOVE_DEST:
    case SL__OP_MOVE_ABORT:
        SL_REQUIRE(op->kind != SL__OP_STOP && feed->place == SL__PLACE_SCHEDULING);
        SL_REQUIRE(op->origin == SL_NODE_NONE && op->dest == feed->node && feed->epoch == op->epoch);
        SL_REQUIRE((op->state == SL__OP_ADD_STORE) == (op->epoch == 0));
        return;
    case SL__OP_MOVE_STORE:
    case SL__OP_MOVE_ORIGIN:
        SL_REQUIRE(op->kind == SL__OP_MOVE && feed->place == SL__PLACE_SCHEDULING);
        SL_REQUIRE(op->origin == feed->node && op->origin_epoch == feed->epoch && !op->sent);
        return;
    case SL__OP_STOP_STORE:
    case SL__OP_STOP_NODE:
        SL_REQUIRE(op->kind == SL__OP_STOP && op->origin != SL_NODE_NONE && op->dest == SL_NODE_NONE);
        SL_REQUIRE(op->stop == SL__STOP_STALE || feed->node == SL_NODE_NONE);
        return;
    }
    SL_UNREACHABLE();
}

/* F3 and F5 as far as memory knows the store. */
static void check_durable(const struct sl__feed *feed)
{
    const struct sl__op *op = &feed->op;
    SL_REQUIRE(op->kind == SL__OP_STOP || op->epoch <= feed->record.epoch);
    SL_REQUIRE(feed->unreadable || feed->creating || feed->write.must_read || feed->want.checkpoint != SL_TS_NONE ||
               feed->checkpoint >= feed->status.checkpoint);
    SL_REQUIRE(!sl__op_waits_for_epoch(feed) || feed->want.bump);
}

static void check_write(const struct sl__feed *feed)
{
    const struct sl__feed_write *w = &feed->write;
    bool in_flight = w->phase == SL__WRITE_WRITING || w->phase == SL__WRITE_READING_INFO ||
                     w->phase == SL__WRITE_READING_SOURCE || w->phase == SL__WRITE_READING_STATUS;
    SL_REQUIRE(in_flight == (w->op != 0));
    /* Level-triggered: what differs is on its way. */
    SL_REQUIRE(w->phase != SL__WRITE_IDLE || !(sl__feed_needs_write(feed) || w->must_read));
}

struct check_counts {
    uint32_t bound, operators, incoming;
};

static struct check_counts check_count(const struct sl_feeds *f, sl_node_ref node)
{
    struct check_counts c = { 0 };
    for (const struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        const struct sl__op *op = &feed->op;
        bool comes = op->state == SL__OP_MOVE_STORE || op->state == SL__OP_MOVE_ORIGIN;
        c.bound += feed->node == node;
        c.operators += sl__op_names(feed, node);
        c.incoming += comes && op->dest == node && op->origin != node;
    }
    return c;
}

void sl__feeds_check(const struct sl_feeds *f)
{
    uint32_t ops = 0, ready = 0, dirty = 0, in_flight = 0, requests = 0, slots[SL__SLOT_COUNT] = { 0 };
    for (const struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        check_place(f, feed);
        check_op(feed);
        if (f->settled) {
            check_durable(feed);
            check_write(feed);
        }
        ops += feed->op.kind != SL__OP_IDLE;
        slots[feed->op.slot] += feed->op.kind != SL__OP_IDLE;
        ready += feed->in_ready;
        dirty += feed->in_dirty;
        in_flight += feed->write.op != 0;
        requests += feed->open_requests;
    }
    SL_REQUIRE(ops == f->ops.count && ready == f->ready.count && dirty == f->dirty.count);
    SL_REQUIRE(in_flight == f->writes_in_flight);
    for (uint32_t slot = 0; slot < SL__SLOT_COUNT; slot++)
        SL_REQUIRE(slots[slot] == f->slots[slot]);
    for (uint32_t i = 0; i < SL__FEEDS_REQUESTS_MAX; i++)
        requests -= f->requests[i].ticket != 0;
    SL_REQUIRE(requests == 0);
    for (sl_node_ref node = 1; node <= f->ref_max; node++) {
        struct check_counts c = check_count(f, node);
        SL_REQUIRE(c.bound == f->nodes[node].bound.count && c.operators == f->nodes[node].operators);
        SL_REQUIRE(c.incoming == f->nodes[node].incoming);
    }
}
