/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

#define OP_LINK offsetof(struct sl__feed, op.link)

struct op_row {
    enum sl__op_order order;
    const char *phase;
    uint32_t next; /* bit per legal next state */
};

#define GO(name) (1u << SL__OP_##name)
static const struct op_row op_rows[] = {
#define OP_ROW(name, order, phase, next) [SL__OP_##name] = { SL__ORDER_##order, phase, next },
    SL__OP_STATES(OP_ROW)
#undef OP_ROW
};
#undef GO

const char *sl__op_phase(const struct sl__feed *feed)
{
    return op_rows[feed->op.state].phase;
}

enum sl__op_order sl__op_order(const struct sl__op *op)
{
    return op_rows[op->state].order;
}

bool sl__op_wants_add(const struct sl_feeds *f, const struct sl__feed *feed)
{
    return feed->op.state == SL__OP_ADD_STORE && feed->stop == SL__STOP_NONE && sl__feeds_may_place(f, feed->op.dest);
}

bool sl__op_is_last_word(const struct sl_feeds *f, const struct sl__feed *feed, sl_node_ref from, uint64_t epoch)
{
    const struct sl__op *op = &feed->op;
    return op->state == SL__OP_STOP_NODE && op->of_owner && from == op->origin &&
           sl__feeds_epoch_fits(f, op->epoch, epoch);
}

bool sl__op_names(const struct sl__feed *feed, sl_node_ref node)
{
    return node != SL_NODE_NONE && (feed->op.origin == node || feed->op.dest == node);
}

bool sl__op_waits_for_epoch(const struct sl__feed *feed)
{
    return feed->op.state == SL__OP_ADD_STORE || feed->op.state == SL__OP_MOVE_STORE ||
           feed->op.state == SL__OP_STOP_STORE;
}

/* ---- counters, the setter ---- */

/* A move that has not bound its destination yet will bring it one more; one that goes back to its origin will not. */
static bool op_is_incoming(const struct sl__op *op)
{
    return (op->state == SL__OP_MOVE_STORE || op->state == SL__OP_MOVE_ORIGIN) && op->dest != op->origin;
}

/* Adds what the operator means to its nodes (P4), or with -1 takes it away: around every change of state or sides. */
static void op_count(struct sl_feeds *f, const struct sl__op *op, int32_t by)
{
    if (op->origin != SL_NODE_NONE)
        f->nodes[op->origin].operators += (uint32_t)by;
    if (op->dest != SL_NODE_NONE && op->dest != op->origin)
        f->nodes[op->dest].operators += (uint32_t)by;
    if (op_is_incoming(op) && op->dest != SL_NODE_NONE)
        f->nodes[op->dest].incoming += (uint32_t)by;
}

void sl__op_enter(struct sl_feeds *f, struct sl__op *op, enum sl__op_state state)
{
    SL_REQUIRE((op_rows[op->state].next & (1u << state)) != 0);
    op_count(f, op, -1);
    op->state = (uint8_t)state;
    op->since = op->send_at = f->now;
    op->named = false;
    op_count(f, op, 1);
}

void sl__op_set_sides(struct sl_feeds *f, struct sl__op *op, sl_node_ref origin, sl_node_ref dest)
{
    op_count(f, op, -1);
    op->origin = origin;
    op->dest = dest;
    op_count(f, op, 1);
}

static void op_begin(struct sl_feeds *f, struct sl__feed *feed, const struct sl__op *op, enum sl__op_state state)
{
    SL_REQUIRE(feed->op.kind == SL__OP_IDLE);
    feed->op = *op;
    op_count(f, &feed->op, 1);
    sl_list_push_back(&f->ops, &f->slab, OP_LINK, feed->handle);
    f->slots[op->slot]++;
    sl__op_enter(f, &feed->op, state);
}

void sl__op_end(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl__op *op = &feed->op;
    if (sl__op_waits_for_epoch(feed)) { /* one that is on its way becomes nobody's */
        feed->want.bump = feed->stop == SL__STOP_RESTART;
        feed->write.claims = false;
    }
    sl__op_enter(f, op, SL__OP_NONE);
    sl__op_set_sides(f, op, SL_NODE_NONE, SL_NODE_NONE);
    f->slots[op->slot]--;
    sl_list_remove(&f->ops, &f->slab, OP_LINK, feed->handle);
    *op = (struct sl__op){ .kind = SL__OP_IDLE };
    f->schedule_at = f->now;
}

void sl__op_drop(struct sl_feeds *f, struct sl__feed *feed)
{
    if (feed->op.kind != SL__OP_IDLE)
        sl__op_end(f, feed);
}

/* ---- orders ---- */

void sl__feeds_send_remove(struct sl_feeds *f, sl_node_ref node, const struct sl_feed_id *id, uint64_t epoch,
                           bool cascade, bool removed, struct sl_outbox *out)
{
    Pb__ChangefeedID changefeed = sl_feed_id_pb(id);
    Pb__RemoveMaintainerRequest m = PB__REMOVE_MAINTAINER_REQUEST__INIT;
    m.changefeed = &changefeed;
    m.cascade = cascade;
    m.removed = removed;
    m.maintainer_epoch = epoch;
    /* When several nodes are lost at once, one may be named of which this was not said yet. */
    if (sl_members_is_alive(f->opts.members, node))
        (void)sl_out_send(out, node, SL_MSG_REMOVE_MAINTAINER_REQUEST, &m.base);
}

bool sl__op_send_add(struct sl_feeds *f, struct sl__feed *feed, sl_op_id after, uint64_t epoch, struct sl_bytes config,
                     struct sl_outbox *out)
{
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&feed->record.id);
    Pb__AddMaintainerRequest m = PB__ADD_MAINTAINER_REQUEST__INIT;
    SL_REQUIRE(sl__feeds_may_place(f, feed->op.dest) && feed->checkpoint != SL_TS_NONE && epoch != 0);
    m.changefeed = &changefeed;
    m.config = (ProtobufCBinaryData){ .len = config.len, .data = (uint8_t *)(uintptr_t)config.ptr };
    const struct sl__value *source = feed->want.source.bytes ? &feed->want.source : &feed->source;
    if (source->bytes)
        m.source_uri = (char *)source->bytes;
    m.checkpoint_ts = feed->checkpoint;
    m.is_new_changefeed = feed->is_new;
    m.maintainer_epoch = epoch;
    m.node_epoch = sl_nodes_at(f->opts.nodes, feed->op.dest)->node_epoch;
    if (after != 0)
        return sl_out_send_after(out, after, feed->op.dest, SL_MSG_ADD_MAINTAINER_REQUEST, &m.base);
    return sl_out_send(out, feed->op.dest, SL_MSG_ADD_MAINTAINER_REQUEST, &m.base);
}

/* Absent: the basic scheduler finds a place at once, elsewhere if it can. */
void sl__op_end_absent(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref avoid, struct sl_outbox *out)
{
    sl__op_end(f, feed);
    feed->avoid = avoid;
    sl__feed_place(f, feed, SL__PLACE_ABSENT, SL_NODE_NONE, 0, out);
}

/* Once dest said that it runs the maintainer, the Add has done its work. A dest that may not take work any more shall
 * not be given it by a resend. */
static void op_send_to_dest(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    if (op->seen)
        return;
    if (!sl__feeds_may_place(f, op->dest) || feed->record.epoch != op->epoch) {
        sl__op_abort(f, feed, out);
        return;
    }
    op->sent |= sl__op_send_add(f, feed, 0, op->epoch, sl__value_bytes(&feed->info), out);
}

void sl__op_send(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    const struct sl_feed_id *id = &feed->record.id;
    op->send_at = sl_ns_after(f->now, f->opts.operator_resend_ns);
    switch (sl__op_order(op)) {
    case SL__ORDER_NONE:
        return;
    case SL__ORDER_ADD:
        op_send_to_dest(f, feed, out);
        return;
    case SL__ORDER_ABORT:
        sl__feeds_send_remove(f, op->dest, id, op->epoch, op->cascade, false, out);
        return;
    case SL__ORDER_HAND_OVER:
        sl__feeds_send_remove(f, op->origin, id, op->origin_epoch, false, false, out);
        return;
    case SL__ORDER_STOP:
        sl__feeds_send_remove(f, op->origin, id, op->epoch, op->cascade, op->stop == SL__STOP_REMOVE, out);
        return;
    }
    SL_UNREACHABLE();
}

void sl__op_enter_and_send(struct sl_feeds *f, struct sl__feed *feed, enum sl__op_state state, struct sl_outbox *out)
{
    sl__op_enter(f, &feed->op, state);
    sl__op_send(f, feed, out);
}

/*
 * Nothing shall start on dest. Asked to hand over, not to close everywhere: the dispatchers of the feed may be running
 * under its predecessor, and shall go on.
 */
void sl__op_abort(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    if (!op->sent)
        sl__op_end_absent(f, feed, op->dest, out);
    else
        sl__op_enter_and_send(f, feed, op->kind == SL__OP_ADD ? SL__OP_ADD_ABORT : SL__OP_MOVE_ABORT, out);
}

/* ---- beginnings ---- */

void sl__op_add(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref dest, enum sl__slot slot, struct sl_outbox *out)
{
    SL_REQUIRE(feed->place == SL__PLACE_ABSENT && sl__feeds_may_place(f, dest));
    struct sl__op op = { .kind = SL__OP_ADD, .slot = (uint8_t)slot, .dest = dest };
    sl__feed_place(f, feed, SL__PLACE_SCHEDULING, dest, 0, out);
    sl__feed_new_owner(feed);
    op_begin(f, feed, &op, SL__OP_ADD_STORE);
    feed->want.bump = true;
}

void sl__op_move(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref dest, enum sl__slot slot, struct sl_outbox *out)
{
    SL_REQUIRE(feed->place == SL__PLACE_REPLICATING && sl__feeds_may_place(f, dest));
    struct sl__op op = {
        .kind = SL__OP_MOVE, .slot = (uint8_t)slot, .origin = feed->node, .dest = dest, .origin_epoch = feed->epoch
    };
    sl__feed_place(f, feed, SL__PLACE_SCHEDULING, feed->node, feed->epoch, out);
    op_begin(f, feed, &op, SL__OP_MOVE_STORE);
    feed->want.bump = true;
}

/* Where a maintainer is made that does nothing but close: the own node (reference behaviour), unless it drains. */
sl_node_ref sl__op_remover_node(const struct sl_feeds *f)
{
    sl_node_ref self = sl_members_self(f->opts.members);
    sl_node_ref other = f->nodes[self].draining ? sl__feeds_choose(f, self, SL_NODE_NONE) : SL_NODE_NONE;
    return other != SL_NODE_NONE ? other : self;
}

/* The maintainer that may be running, for a STOP that takes over from another operator; node none if there is none. */
struct op_aim {
    sl_node_ref node;
    uint64_t epoch;
    bool is_owner;
};

static struct op_aim op_aim_of(const struct sl__feed *feed)
{
    const struct sl__op *op = &feed->op;
    switch ((enum sl__op_state)op->state) {
    case SL__OP_ADD_STORE:
    case SL__OP_STOP_STORE:
        return (struct op_aim){ SL_NODE_NONE, 0, false };
    case SL__OP_ADD_DEST:
    case SL__OP_ADD_ABORT:
    case SL__OP_MOVE_DEST:
    case SL__OP_MOVE_ABORT:
        return (struct op_aim){ op->dest, op->epoch, true };
    case SL__OP_MOVE_STORE:
    case SL__OP_MOVE_ORIGIN:
        return (struct op_aim){ op->origin, op->origin_epoch, true };
    case SL__OP_NONE:
    case SL__OP_STOP_NODE:
        return (struct op_aim){ feed->node, feed->epoch, true };
    }
    SL_UNREACHABLE();
}

static void op_begin_stop(struct sl_feeds *f, struct sl__feed *feed, struct op_aim aim, enum sl__stop stop,
                          bool cascade, struct sl_outbox *out)
{
    struct sl__op op = { .kind = SL__OP_STOP, .stop = (uint8_t)stop, .cascade = cascade, .epoch = aim.epoch };
    op.of_owner = aim.is_owner;
    op.origin = aim.node != SL_NODE_NONE ? aim.node : sl__op_remover_node(f);
    if (aim.node == SL_NODE_NONE) {
        op_begin(f, feed, &op, SL__OP_STOP_STORE);
        feed->want.bump = true;
        return;
    }
    op_begin(f, feed, &op, SL__OP_STOP_NODE);
    sl__op_send(f, feed, out);
}

static void op_place_stopped(struct sl_feeds *f, struct sl__feed *feed, enum sl__stop stop, struct sl_outbox *out)
{
    if (stop == SL__STOP_RESTART)
        sl__feed_place(f, feed, SL__PLACE_ABSENT, SL_NODE_NONE, 0, out);
    else if (stop != SL__STOP_STALE)
        sl__feed_place(f, feed, SL__PLACE_STOPPED, SL_NODE_NONE, 0, out);
}

/* It goes on where it aims: a repeated request must not point it elsewhere (reference weakness W17). */
static void op_strengthen(struct sl_feeds *f, struct sl__feed *feed, enum sl__stop stop, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    if (stop <= (enum sl__stop)op->stop)
        return;
    op->stop = (uint8_t)stop;
    op->cascade = true;
    if (op->state == SL__OP_STOP_NODE)
        sl__op_send(f, feed, out);
}

void sl__op_stop(struct sl_feeds *f, struct sl__feed *feed, enum sl__stop stop, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    bool is_elsewhere = op->stop == SL__STOP_STALE && feed->node != SL_NODE_NONE;
    if (op->kind == SL__OP_STOP && !is_elsewhere) {
        op_strengthen(f, feed, stop, out);
        stop = (enum sl__stop)op->stop;
    } else {
        struct op_aim aim = op_aim_of(feed);
        sl__op_drop(f, feed);
        if (aim.node != SL_NODE_NONE || stop != SL__STOP_RESTART) /* that has ended by itself */
            op_begin_stop(f, feed, aim, stop, true, out);
    }
    op_place_stopped(f, feed, stop, out);
}

void sl__op_stop_stale(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref node, uint64_t epoch, bool cascade,
                       enum sl__stop stop, struct sl_outbox *out)
{
    op_begin_stop(f, feed, (struct op_aim){ node, epoch, false }, stop, cascade || stop != SL__STOP_STALE, out);
}
