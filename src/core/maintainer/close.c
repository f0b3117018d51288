/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/maintainer_internal.h"

/*
 * The end of a maintainer, in one of two ways:
 *
 *   hand-over  MOVES -> TRIGGER -> closed    the dispatchers stay and go on; a successor adopts them. Moves in flight
 * come to their end first, because a half-moved span would have to be placed anew. cascade    DISPATCHERS -> closed the
 * feed is paused or gone: every dispatch manager closes.
 *
 * Both end by events, not by the coordinator asking again, and neither can wait for ever on the own node: a step of a
 * hand-over has a time limit, after which the successor has to cope with what is left (it can: see adopt.c).
 * A cascade waits for every member, however long; leaving the membership counts as closed.
 */

#define CLOSE_RESEND_NS (100 * SL_MS)

static void close_enter(struct sl_maintainer *m, enum sl__close_phase phase, sl_ns give_up_at)
{
    m->closing.phase = phase;
    m->closing.give_up_at = give_up_at;
}

/* ---- hand-over ---- */

static void close_begin_handover(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->control)
        sl_control_quiesce(m->control);
    close_enter(m, SL__CLOSE_MOVES, sl_ns_after(m->now, m->opts.limits.handover_timeout_ns));
    sl__maintainer_set_state(m, SL__MAINTAINER_CLOSING, out);
}

static void close_note_timeout(const struct sl_maintainer *m, const char *phase, struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_HANDOVER_TIMED_OUT, sl_f_str("feed", sl_feed_id_name(&m->id)),
                 sl_f_str("phase", sl_str_of(phase)),
                 sl_f_u64("moves", m->control ? sl_control_move_count(m->control) : 0));
}

static void close_run_moves(struct sl_maintainer *m, struct sl_outbox *out)
{
    bool moves = m->control && sl_control_move_count(m->control) > 0;
    if (moves && m->now < m->closing.give_up_at)
        return;
    if (moves)
        close_note_timeout(m, "moves", out);
    m->trigger.remove_at = m->now;
    close_enter(m, SL__CLOSE_TRIGGER, sl_ns_after(m->now, m->opts.limits.handover_timeout_ns));
}

static void close_run_trigger(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (!m->trigger.is_removed && m->now < m->closing.give_up_at)
        return;
    if (!m->trigger.is_removed)
        close_note_timeout(m, "trigger", out);
    sl__maintainer_set_state(m, SL__MAINTAINER_CLOSED, out);
}

/* ---- cascade ---- */

/* Also over a hand-over, even a finished one that nobody was told of, and again when the feed turns out to be gone for
 * good. */
static void close_begin_cascade(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->control)
        sl_control_freeze(m->control);
    for (sl_node_ref ref = 1; ref <= sl_members_ref_max(m->opts.members); ref++)
        m->nodes[ref].is_closed = false;
    close_enter(m, SL__CLOSE_DISPATCHERS, SL_NEVER);
    m->closing.cascade = true;
    m->closing.resend_at = m->now;
    if (m->state != SL__MAINTAINER_CLOSING)
        sl__maintainer_set_state(m, SL__MAINTAINER_CLOSING, out);
}

static sl_node_ref close_next_open(const struct sl_maintainer *m, sl_node_ref ref)
{
    do
        ref = sl_members_next(m->opts.members, ref);
    while (ref != SL_NODE_NONE && m->nodes[ref].is_closed);
    return ref;
}

static void close_send(const struct sl_maintainer *m, sl_node_ref to, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(&m->id);
    Pb__MaintainerCloseRequest request = PB__MAINTAINER_CLOSE_REQUEST__INIT;
    request.changefeed = &feed;
    request.removed = m->closing.removed;
    request.maintainer_epoch = m->opts.epoch;
    request.capabilities = SL__CAPABILITIES;
    (void)sl_out_send(out, to, SL_MSG_MAINTAINER_CLOSE_REQUEST, &request.base);
}

static void close_run_dispatchers(struct sl_maintainer *m, struct sl_outbox *out)
{
    sl_node_ref open = close_next_open(m, SL_NODE_NONE);
    if (open == SL_NODE_NONE && m->has_members) {
        sl__maintainer_set_state(m, SL__MAINTAINER_CLOSED, out);
        return;
    }
    if (m->now < m->closing.resend_at)
        return;
    m->closing.resend_at = sl_ns_after(m->now, CLOSE_RESEND_NS);
    for (; open != SL_NODE_NONE; open = close_next_open(m, open))
        close_send(m, open, out);
}

/*
 * A newer owner runs the feed there, and what it runs is not ours to close: the node is done. An owner that is not
 * newer is a predecessor whose end the node has not noticed; to call that closed would leave its dispatchers running
 * for ever.
 */
static bool close_is_done_when_stale(struct sl_maintainer *m, sl_node_ref from, uint64_t owner_epoch,
                                     struct sl_outbox *out)
{
    sl__status_note_error(m, from, SL_STR(""), SL_STR("CDC:ErrSluiceOwnerChanged"),
                          SL_STR("another maintainer owns the dispatchers of this node"), out);
    return owner_epoch > m->opts.epoch;
}

enum sl_refusal sl__close_on_response(struct sl_maintainer *m, sl_node_ref from, const Pb__MaintainerCloseResponse *r,
                                      struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_CLOSING || m->closing.phase != SL__CLOSE_DISPATCHERS)
        return SL_REFUSE_NOT_HANDLED;
    if (!sl__maintainer_response_fits(m, r->maintainer_epoch))
        return SL_REFUSE_STALE_VERSION;
    struct sl__node *node = sl__maintainer_node(m, from);
    switch (r->outcome) {
    case PB__CLOSE_OUTCOME__UNSPECIFIED: /* a foreign node: all it says */
        node->is_closed |= r->success != 0;
        break;
    case PB__CLOSE_OUTCOME__CLOSED:
        node->is_closed = true;
        break;
    case PB__CLOSE_OUTCOME__CLOSING:
        break;
    case PB__CLOSE_OUTCOME__STALE:
        node->is_closed |= close_is_done_when_stale(m, from, r->owner_epoch, out);
        break;
    case _PB__CLOSE_OUTCOME_IS_INT_SIZE:
        break;
    }
    return SL_REFUSE_NONE;
}

/* ---- the request ---- */

/* Rule Q of the reference: a request names the epoch it means; only a maintainer without one takes any. */
static enum sl_refusal close_check_epoch(const struct sl_maintainer *m, uint64_t epoch)
{
    if (epoch == 0 && m->opts.epoch != 0)
        return m->opts.interop ? SL_REFUSE_STALE_VERSION : SL_REFUSE_ZERO_EPOCH;
    return m->opts.epoch == 0 || epoch == m->opts.epoch ? SL_REFUSE_NONE : SL_REFUSE_STALE_VERSION;
}

enum sl_refusal sl__close_on_remove(struct sl_maintainer *m, bool cascade, bool removed, uint64_t epoch,
                                    struct sl_outbox *out)
{
    enum sl_refusal refusal = close_check_epoch(m, epoch);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    /* A bootstrap is not broken off for a move of the maintainer: the coordinator asks again. */
    if (!cascade && !removed && m->state == SL__MAINTAINER_BOOTSTRAPPING)
        return SL_REFUSE_NOT_BOOTSTRAPPED;
    bool removed_now = removed && !m->closing.removed && m->state != SL__MAINTAINER_CLOSED;
    m->closing.removed |= removed;
    m->report.is_dirty = true;
    if (cascade && (!m->closing.cascade || removed_now))
        close_begin_cascade(m, out);
    else if (m->state == SL__MAINTAINER_BOOTSTRAPPING || m->state == SL__MAINTAINER_RUNNING)
        close_begin_handover(m, out);
    return SL_REFUSE_NONE;
}

/* ---- time ---- */

void sl__close_run(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_CLOSING)
        return;
    if (m->closing.phase == SL__CLOSE_MOVES)
        close_run_moves(m, out);
    if (m->closing.phase == SL__CLOSE_TRIGGER)
        close_run_trigger(m, out);
    else if (m->closing.phase == SL__CLOSE_DISPATCHERS)
        close_run_dispatchers(m, out);
}

sl_ns sl__close_deadline(const struct sl_maintainer *m)
{
    if (m->state != SL__MAINTAINER_CLOSING)
        return SL_NEVER;
    return m->closing.phase == SL__CLOSE_DISPATCHERS ? m->closing.resend_at : m->closing.give_up_at;
}
