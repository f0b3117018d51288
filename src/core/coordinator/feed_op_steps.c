/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

/* What ends the waiting of an operator, and what becomes of its feed (drawing in feed_operators.h). */
#define OP_REFUSALS_MAX 3u /* in a row, then it is an error of the feed */

/* ---- what happens ---- */

/* The origin is gone, in whatever way: from here on only dest counts. */
static void op_origin_gone(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    sl_node_ref dest = op->dest;
    if (!sl__feeds_may_place(f, dest))
        dest = sl__feeds_choose(f, SL_NODE_NONE, SL_NODE_NONE);
    if (dest == SL_NODE_NONE || feed->record.epoch != op->epoch) {
        sl__op_end_absent(f, feed, SL_NODE_NONE, out);
        return;
    }
    sl__op_enter(f, op, SL__OP_MOVE_DEST);
    sl__op_set_sides(f, op, SL_NODE_NONE, dest);
    sl__feed_place(f, feed, SL__PLACE_SCHEDULING, dest, op->epoch, out);
    sl__feed_new_owner(feed);
    sl__op_send(f, feed, out);
}

/* The move has told nobody anything yet. Behind the others of its node, which are not to wait for it again. */
static void op_cancel_move(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    sl__op_end(f, feed);
    sl__feed_move_back(f, feed);
    sl__feed_place(f, feed, SL__PLACE_REPLICATING, feed->node, feed->epoch, out);
}

static void op_stopped(struct sl_feeds *f, struct sl__feed *feed)
{
    enum sl__stop stop = (enum sl__stop)feed->op.stop;
    sl__op_end(f, feed);
    if (stop == SL__STOP_HALT)
        feed->want.progress = SL_PROGRESS_NONE;
    else if (stop == SL__STOP_REMOVE)
        feed->want.deleted = true;
}

void sl__op_on_epoch(struct sl_feeds *f, struct sl__feed *feed, uint64_t epoch, bool sent, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    if (!sl__op_waits_for_epoch(feed))
        return;
    op->epoch = epoch;
    if (op->kind == SL__OP_ADD) {
        sl__feed_place(f, feed, SL__PLACE_SCHEDULING, feed->node, epoch, out);
        op->sent = sent;
        sl__op_enter(f, op, SL__OP_ADD_DEST);
        if (sent)
            op->send_at = sl_ns_after(f->now, f->opts.operator_resend_ns);
        else
            sl__op_send(f, feed, out);
    } else if (op->kind == SL__OP_STOP) {
        sl__op_enter_and_send(f, feed, SL__OP_STOP_NODE, out);
    } else if (sl__feeds_may_place(f, op->dest)) {
        sl__op_enter_and_send(f, feed, SL__OP_MOVE_ORIGIN, out);
    } else {
        op_cancel_move(f, feed, out);
    }
}

void sl__op_on_no_epoch(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    if (feed->op.state == SL__OP_MOVE_STORE) {
        op_cancel_move(f, feed, out);
    } else if (feed->op.state == SL__OP_ADD_STORE) {
        feed->retry_at = sl_ns_after(f->now, SL__FEED_RETRY_NS);
        sl__op_end_absent(f, feed, SL_NODE_NONE, out);
    } /* a STOP has nothing better to do than to wait */
}

/*
 * Not proof that nothing will start: an Add that was sent again may be on its way, and be taken. The answer to a Remove
 * is, for what was sent before it has arrived before it.
 */
static void op_on_not_started(struct sl_feeds *f, struct sl__feed *feed, const Pb__MaintainerStatus *s,
                              struct sl_outbox *out)
{
    struct sl_str why = s->n_errors > 0 ? sl_str_of(s->errors[0]->message) : SL_STR("-");
    sl_out_event(out, SL_EV_FEED_NOT_STARTED, sl__feed_field(feed), sl__node_field(f, "node", feed->op.dest),
                 sl_f_u64("epoch", feed->op.epoch), sl_f_str("text", why));
    feed->refusals++;
    sl__op_abort(f, feed, out);
}

/* One node may have its reasons. When several say no, asking faster does not help. */
static void op_on_aborted(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    const struct sl_feed_error error = { .present = true,
                                         .code = "CDC:ErrSluiceNotStarted",
                                         .message = "several nodes in a row did not start the maintainer" };
    sl__op_end_absent(f, feed, feed->op.dest, out);
    if (feed->refusals >= OP_REFUSALS_MAX)
        sl__feed_back_off(f, feed, &error, out);
}

static void op_on_dest_status(struct sl_feeds *f, struct sl__feed *feed, const Pb__MaintainerStatus *s, bool stopped,
                              struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    bool aborts = sl__op_order(op) == SL__ORDER_ABORT;
    if (stopped && aborts) {
        op_on_aborted(f, feed, out);
    } else if (stopped && !aborts) {
        op_on_not_started(f, feed, s, out);
    } else if (s->state == PB__COMPONENT_STATE__WORKING && !aborts) {
        op->seen = true;
        if (!s->bootstrap_done)
            return;
        sl__op_end(f, feed);
        feed->is_new = false;
        feed->refusals = 0;
        feed->avoid = SL_NODE_NONE;
        sl__feed_place(f, feed, SL__PLACE_REPLICATING, feed->node, feed->epoch, out);
    }
}

/*
 * The end of a hand-over that was asked for earlier, by this coordinator or by another one, is not what a cascade waits
 * for: the dispatchers still run. It is asked again, and who has no maintainer any more makes one that closes them.
 */
static bool op_is_closed(const struct sl_feeds *f, const struct sl__op *op, const Pb__MaintainerStatus *s)
{
    bool says_what = (sl_nodes_at(f->opts.nodes, op->origin)->capabilities & SL_CAP_CLOSE_SCOPE) != 0;
    return !op->cascade || !says_what || s->closed_everywhere;
}

bool sl__op_on_status(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref from, const Pb__MaintainerStatus *s,
                      struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    bool stopped = s->state == PB__COMPONENT_STATE__STOPPED || s->state == PB__COMPONENT_STATE__REMOVED;
    bool of_dest = from == op->dest && op->epoch != 0 && sl__feeds_epoch_fits(f, op->epoch, s->maintainer_epoch);
    bool of_origin =
        op->kind == SL__OP_MOVE && from == op->origin && sl__feeds_epoch_fits(f, op->origin_epoch, s->maintainer_epoch);
    switch ((enum sl__op_state)op->state) {
    case SL__OP_NONE:
    case SL__OP_ADD_STORE:
    case SL__OP_STOP_STORE:
        return false;
    case SL__OP_ADD_DEST:
    case SL__OP_ADD_ABORT:
    case SL__OP_MOVE_DEST:
    case SL__OP_MOVE_ABORT:
        if (of_dest)
            op_on_dest_status(f, feed, s, stopped, out);
        return of_dest;
    case SL__OP_MOVE_STORE:
        if (of_origin && stopped)
            sl__op_end_absent(f, feed, SL_NODE_NONE, out);
        return of_origin;
    case SL__OP_MOVE_ORIGIN:
        if (of_origin && stopped)
            op_origin_gone(f, feed, out);
        return of_origin;
    case SL__OP_STOP_NODE:
        if (from != op->origin || !sl__feeds_epoch_fits(f, op->epoch, s->maintainer_epoch))
            return false;
        if (stopped && op_is_closed(f, op, s))
            op_stopped(f, feed);
        return true;
    }
    SL_UNREACHABLE();
}

static void op_on_stop_lost(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl__op *op = &feed->op;
    if (op->stop == SL__STOP_STALE) {
        sl__op_end(f, feed);
        return;
    }
    if (op->state == SL__OP_STOP_NODE)
        sl__op_enter(f, op, SL__OP_STOP_STORE);
    sl__op_set_sides(f, op, sl__op_remover_node(f), SL_NODE_NONE);
    op->epoch = 0;
    op->of_owner = false;
    op->cascade = true;
    feed->want.bump = true;
}

void sl__op_on_lost(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref node, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    SL_REQUIRE(sl__op_names(feed, node));
    if (op->kind == SL__OP_STOP) {
        op_on_stop_lost(f, feed);
    } else if (op->state == SL__OP_MOVE_STORE && node != op->origin) {
        op_cancel_move(f, feed, out);
    } else if (op->state == SL__OP_MOVE_ORIGIN && node != op->origin) {
        sl__op_set_sides(f, op, op->origin, op->origin); /* the origin will stop: it may take the feed again */
    } else if (op->state == SL__OP_MOVE_ORIGIN && node != op->dest) {
        op_origin_gone(f, feed, out);
    } else {
        sl__op_end_absent(f, feed, SL_NODE_NONE, out);
    }
}

/* ---- time ---- */

sl_ns sl__op_deadline(const struct sl_feeds *f, const struct sl__feed *feed)
{
    const struct sl__op *op = &feed->op;
    sl_ns late_at = op->named ? SL_NEVER : sl_ns_after(op->since, f->opts.operator_timeout_ns);
    return sl__op_order(op) == SL__ORDER_NONE ? late_at : sl_ns_min(late_at, op->send_at);
}

static void op_return_slot(struct sl_feeds *f, struct sl__op *op)
{
    f->slots[op->slot]--;
    f->slots[SL__SLOT_NONE]++;
    op->slot = SL__SLOT_NONE;
    f->schedule_at = f->now;
}

/*
 * Too long in one state. A dest that never showed the maintainer may drop what it is sent: another one is tried, after
 * this one says that it has none. One that asks to hand over in vain (a maintainer that cannot bootstrap does not) is
 * asked to close.
 */
static void op_on_late(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    bool by_dest = op->dest != SL_NODE_NONE && sl__op_order(op) != SL__ORDER_HAND_OVER;
    op->named = true;
    sl_out_event(out, SL_EV_FEED_OPERATOR_LATE, sl__feed_field(feed), sl_f_str("phase", sl_str_of(sl__op_phase(feed))),
                 sl__node_field(f, "node", by_dest ? op->dest : op->origin), sl_f_u64("epoch", op->epoch));
    op_return_slot(f, op);
    if (sl__op_order(op) == SL__ORDER_ADD && !op->seen)
        sl__op_abort(f, feed, out);
    else if (sl__op_order(op) == SL__ORDER_ABORT || sl__op_order(op) == SL__ORDER_STOP)
        op->cascade = true;
}

void sl__op_on_due(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    struct sl__op *op = &feed->op;
    if (!op->named && f->now >= sl_ns_after(op->since, f->opts.operator_timeout_ns))
        op_on_late(f, feed, out);
    if (op->kind != SL__OP_IDLE && sl__op_order(op) != SL__ORDER_NONE && f->now >= op->send_at)
        sl__op_send(f, feed, out);
}
