/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

/*
 * The phases of a session (drawing in drains.h). advance looks at what is durable and at what was observed, and either
 * asks for the next phase, which then has to become durable first, or sends what the present one allows.
 */

uint64_t sl__drain_wall_ms(const struct sl_drains *d, sl_ns now)
{
    return ((uint64_t)now + d->opts.wall_offset_ns) / (uint64_t)SL_MS;
}

/* ---- facts ---- */

static void phase_count_peers(const struct sl_drains *d, const struct drain_session *s, struct sl_proof_facts *f)
{
    struct sl_drain_target target = { .node = s->durable.target, .epoch = s->durable.epoch };
    for (sl_node_ref ref = sl_members_next(d->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(d->opts.members, ref)) {
        if (ref == s->node)
            continue;
        /* A legacy node that joined late is sent no target and gets no maintainer: only those that it had count. */
        if (sl__drain_is_legacy(d, ref))
            f->peers_legacy += sl_feeds_maintainers_on(d->opts.feeds, ref) > 0;
        /* One that has not said a word hosts no maintainer of this coordinator, so it cannot place anything. */
        if (!sl__drain_is_peer(d, ref))
            continue;
        f->peers++;
        f->peers_acked += sl_nodes_has_acked(d->opts.nodes, ref, &target);
    }
}

void sl__drain_facts(const struct sl_drains *d, sl_ns now, const struct drain_session *s, struct sl_proof_facts *f)
{
    struct sl_drain_target target = { .node = s->durable.target, .epoch = s->durable.epoch };
    *f = (struct sl_proof_facts){ .target_unknown = s->node == SL_NODE_NONE };
    f->intent_durable = s->mod_revision > 0 && s->durable.epoch == s->intent.epoch && !s->must_raise;
    if (s->node == SL_NODE_NONE)
        return;
    const struct sl_observed *o = sl_nodes_at(d->opts.nodes, s->node);
    /* What is known of a process before it answered says nothing of what it understands. */
    f->target_observed = o->observed && o->bootstrapped && o->node_epoch == s->durable.target_node_epoch;
    f->target_unknown = sl_nodes_is_unknown(d->opts.nodes, now, s->node);
    f->target_is_sluice = o->protocol_version > 0;
    f->is_owner = s->node == sl_members_self(d->opts.members);
    f->draining_seen = o->observed && o->liveness >= SL_LIVENESS_DRAINING;
    f->stopping_seen = o->observed && o->liveness >= SL_LIVENESS_STOPPING;
    f->self = o->self;
    phase_count_peers(d, s, f);
    sl_feeds_count(d->opts.feeds, s->node, &target, &f->feeds);
}

/* Another process has the target's id now. */
static bool phase_is_reborn(const struct sl_drains *d, const struct drain_session *s)
{
    const struct sl_observed *o = sl_nodes_at(d->opts.nodes, s->node);
    return o->observed && o->node_epoch != s->intent.target_node_epoch;
}

bool sl__drain_is_safe(const struct sl_drains *d, const struct drain_session *s)
{
    enum sl_drain_phase phase = sl__drain_phase(s);
    bool was_proved = phase == SL_DRAIN_SAFE || (phase > SL_DRAIN_SAFE && s->durable.ended_from == SL_DRAIN_SAFE);
    if (!was_proved || s->is_superseded)
        return false;
    return s->node == SL_NODE_NONE || phase > SL_DRAIN_SAFE || !phase_is_reborn(d, s);
}

/* ---- requests to the node ---- */

enum phase_order { PHASE_NO_ORDER, PHASE_UNDRAIN, PHASE_STOP };

static void phase_ask(struct sl_drains *d, sl_ns now, struct drain_session *s, enum sl_liveness wanted,
                      enum phase_order order, sl_ns *sent_at, struct sl_outbox *out)
{
    /* Epoch 0 before the process has spoken: it is refused, and the refusal tells the epoch. */
    uint64_t node_epoch = sl_nodes_at(d->opts.nodes, s->node)->node_epoch;
    bool is_again = *sent_at != 0 && s->asked_epoch == node_epoch;
    if (is_again && now - *sent_at < d->opts.liveness_resend_ns)
        return;
    Pb__SetNodeLivenessRequest m = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    m.target = sl_liveness_pb(wanted);
    m.node_epoch = node_epoch;
    m.undrain = order == PHASE_UNDRAIN;
    m.stop = order == PHASE_STOP;
    (void)sl_out_send(out, s->node, SL_MSG_SET_NODE_LIVENESS_REQUEST, &m.base);
    *sent_at = now;
    s->asked_epoch = node_epoch;
}

static void phase_ask_to_leave(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_proof_facts *f,
                               enum sl_drain_phase phase, struct sl_outbox *out)
{
    if (f->is_owner)
        return; /* it resigns first; its successor asks */
    bool may_stop = phase == SL_DRAIN_STOPPING && sl_drain_proof(f, false) == SL_BLOCKED_NONE;
    if (!f->draining_seen)
        phase_ask(d, now, s, SL_LIVENESS_DRAINING, PHASE_NO_ORDER, &s->draining_sent_at, out);
    else if (may_stop && !f->stopping_seen)
        phase_ask(d, now, s, SL_LIVENESS_STOPPING, PHASE_NO_ORDER, &s->stopping_sent_at, out);
}

/* N7. The process ends by itself: nobody has to wait for the drain, and a coordinator that took over says it again. */
static void phase_order_stop(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_proof_facts *f,
                             struct sl_outbox *out)
{
    bool understands = (sl_nodes_at(d->opts.nodes, s->node)->capabilities & SL_CAP_STOP_ORDER) != 0;
    bool is_the_one = f->target_observed && f->stopping_seen && !f->is_owner;
    if (s->durable.stop_node && sl__drain_is_in_step(s) && understands && is_the_one)
        phase_ask(d, now, s, SL_LIVENESS_STOPPING, PHASE_STOP, &s->stop_sent_at, out);
}

static const char phase_exhausted[] = "a node reports the last drain epoch there is: restart it";

/* ---- PENDING ---- */

static void drain_advance_pending(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    enum sl_blocker why = SL_BLOCKED_NONE;
    sl_node_ref who = SL_NODE_NONE;
    bool is_exhausted = false;
    if (!sl__drain_is_in_step(s))
        sl__drain_blocked(s, SL_BLOCKED_NOT_DURABLE, "", out);
    else if (s->node == sl_members_self(d->opts.members))
        sl__drain_blocked(s, SL_BLOCKED_OWNER_RESIGNING, "", out);
    else if (!sl__drain_may_push(d, s, &why, &who))
        sl__drain_blocked_by(d, s, why, who, out);
    /* Issued here and not earlier, so that targets are pushed in the order of their epochs. */
    else if (sl__drain_issue_epoch(d, now, s, &is_exhausted)) {
        s->intent.target_node_epoch = sl_nodes_at(d->opts.nodes, s->node)->node_epoch;
        sl__drain_set_phase(s, SL_DRAIN_EVACUATING);
    } else if (is_exhausted)
        sl__drain_blocked(s, SL_BLOCKED_PEER_NOT_ACKED, phase_exhausted, out);
}

/* ---- EVACUATING to SAFE ---- */

/* N1: an epoch that a predecessor issued, or that a peer cannot accept any more. True: there is no higher one. */
static bool phase_raise_epoch(struct sl_drains *d, sl_ns now, struct drain_session *s)
{
    bool may_raise_again = s->raised_at == 0 || now - s->raised_at >= DRAIN_RAISE_NS;
    if (!s->must_raise && may_raise_again && sl__drain_is_refused(d, s)) {
        s->must_raise = true;
        s->raised_at = now;
    }
    bool is_exhausted = false;
    if (s->must_raise && sl__drain_is_in_step(s))
        (void)sl__drain_issue_epoch(d, now, s, &is_exhausted);
    return is_exhausted;
}

/* False: what follows is about another process than the one that is there. */
static bool phase_is_same_life(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    if (!phase_is_reborn(d, s))
        return true;
    if (s->intent.phase == SL_DRAIN_SAFE) /* the process that was safe to stop has stopped */
        sl__drain_lose_target(d, now, s, out);
    else if (sl__drain_is_in_step(s))
        s->intent.target_node_epoch = sl_nodes_at(d->opts.nodes, s->node)->node_epoch;
    return false;
}

static void phase_note_progress(struct drain_session *s, sl_ns now, const struct sl_proof_facts *f)
{
    uint32_t left = sl_drain_remaining(f, false);
    s->dispatchers_at_start = sl_u32_max(s->dispatchers_at_start, sl_drain_dispatchers_left(f));
    if (s->progress_at == 0 || left < s->left)
        s->progress_at = now;
    s->left = left;
}

static void drain_advance_work(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    struct sl_proof_facts f;
    enum sl_drain_phase phase = sl__drain_phase(s);
    bool is_exhausted = phase_is_same_life(d, now, s, out) && phase_raise_epoch(d, now, s);
    if (s->node == SL_NODE_NONE)
        return;
    sl__drain_facts(d, now, s, &f);
    phase_note_progress(s, now, &f);
    if (phase == SL_DRAIN_SAFE) {
        phase_order_stop(d, now, s, &f, out);
        return;
    }
    phase_ask_to_leave(d, now, s, &f, phase, out);
    enum sl_blocker stop = sl_drain_proof(&f, false), safe = sl_drain_proof(&f, true);
    bool is_in_step = sl__drain_is_in_step(s);
    if (phase == SL_DRAIN_EVACUATING && is_in_step && stop == SL_BLOCKED_NONE)
        sl__drain_set_phase(s, SL_DRAIN_STOPPING);
    if (phase == SL_DRAIN_STOPPING && is_in_step && safe == SL_BLOCKED_NONE) {
        s->intent.proof_reference = !f.target_is_sluice;
        sl__drain_set_phase(s, SL_DRAIN_SAFE);
    }
    if (is_exhausted)
        sl__drain_blocked(s, SL_BLOCKED_PEER_NOT_ACKED, phase_exhausted, out);
    else
        sl__drain_explain(d, now, s, &f, stop != SL_BLOCKED_NONE ? stop : safe, out);
}

/* ---- CLEARING ---- */

const char *sl__drain_why_no_cancel(const struct sl_drains *d, const struct drain_session *s, bool *is_transient)
{
    *is_transient = false;
    if (!sl__drain_is_open(s))
        return "the drain has ended";
    if (s->intent.phase == SL_DRAIN_CLEARING)
        return "the node has left";
    if (s->intent.phase >= SL_DRAIN_STOPPING)
        return "too late: the node was told, or is about to be told, to stop";
    if (s->intent.phase == SL_DRAIN_PENDING || s->node == SL_NODE_NONE)
        return NULL; /* the node was told nothing */
    const struct sl_observed *o = sl_nodes_at(d->opts.nodes, s->node);
    *is_transient = !o->bootstrapped;
    if (!o->bootstrapped)
        return "the node has not answered yet: try again";
    if ((o->capabilities & SL_CAP_TARGET_SET) == 0)
        return "the node is foreign: it cannot become alive again in the same process";
    return NULL;
}

void sl__drain_cancel(struct drain_session *s)
{
    SL_REQUIRE(s->intent.phase < SL_DRAIN_STOPPING);
    s->intent.cancelled = true;
    /* A process that came meanwhile may have been asked to drain: it too has to take a new epoch. */
    if (s->asked_epoch > s->intent.target_node_epoch)
        s->intent.target_node_epoch = s->asked_epoch;
    sl__drain_set_phase(s, SL_DRAIN_CLEARING);
}

static enum sl_drain_phase phase_end_of(const struct drain_session *s)
{
    if (s->intent.cancelled)
        return SL_DRAIN_CANCELLED;
    return s->intent.ended_from == SL_DRAIN_SAFE ? SL_DRAIN_DONE : SL_DRAIN_FAILED;
}

/* A node may be drained again while a drain of it that was cancelled is still being cleared. */
static bool phase_node_drains(const struct sl_drains *d, sl_node_ref node)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        if (s->node == node && s->mod_revision > 0 && s->durable.phase <= SL_DRAIN_SAFE)
            return true;
    }
    return false;
}

/*
 * A cancelled drain has ended when its target is ALIVE in a new node epoch. Also when it never became DRAINING as far
 * as we know: a request that is still on its way then names an epoch that is gone. And when a later drain has the node:
 * to ask for ALIVE would undo it. That drain is not always known, as its key may have become unreadable; but a node that
 * is STOPPING in an epoch after ours was brought there by one, and would refuse for ever.
 */
static bool phase_is_undrained(const struct sl_drains *d, const struct drain_session *s)
{
    if (!s->intent.cancelled || s->node == SL_NODE_NONE || s->intent.ended_from < SL_DRAIN_EVACUATING)
        return true;
    bool is_draining = sl_nodes_at(d->opts.nodes, s->node)->liveness == SL_LIVENESS_DRAINING;
    return phase_is_reborn(d, s) && (!is_draining || phase_node_drains(d, s->node));
}

static void drain_advance_clearing(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    if (!phase_is_undrained(d, s)) {
        sl__drain_blocked_by(d, s, SL_BLOCKED_LIVENESS, s->node, out);
        phase_ask(d, now, s, SL_LIVENESS_ALIVE, PHASE_UNDRAIN, &s->undrain_sent_at, out);
        return;
    }
    sl_node_ref holder = sl__drain_first_uncleared(d, s);
    if (holder != SL_NODE_NONE) {
        sl__drain_blocked_by(d, s, SL_BLOCKED_PEER_NOT_ACKED, holder, out);
    } else if (sl__drain_is_in_step(s)) {
        s->intent.ended_wall_ms = sl__drain_wall_ms(d, now);
        sl__drain_set_phase(s, phase_end_of(s));
    }
}

/* ---- all ---- */

static void phase_check_deadline(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    bool has_passed = s->intent.deadline_wall_ms != 0 && sl__drain_wall_ms(d, now) >= s->intent.deadline_wall_ms;
    bool is_transient = false;
    if (s->deadline_told || !has_passed || s->intent.phase >= SL_DRAIN_SAFE)
        return;
    bool may_cancel = s->intent.cancel_at_deadline && !sl__drain_why_no_cancel(d, s, &is_transient);
    if (is_transient)
        return;
    s->deadline_told = true;
    sl_out_event(out, SL_EV_DRAIN_LATE, sl_f_str("drain", sl_str_of(s->intent.id)),
                 sl_f_str("node", sl_node_id_str(&s->intent.target)),
                 sl_f_str("blocker", sl_str_of(sl_blocker_name(s->blocker))), sl_f_str("detail", sl_str_of(s->detail)));
    if (may_cancel)
        sl__drain_cancel(s);
}

/* What waits for its write does nothing but that; what is durable goes on. */
void sl__drain_advance(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    phase_check_deadline(d, now, s, out);
    switch (sl__drain_phase(s)) {
    case SL_DRAIN_PENDING:
        if (s->node != SL_NODE_NONE && s->intent.phase == SL_DRAIN_PENDING)
            drain_advance_pending(d, now, s, out);
        return;
    case SL_DRAIN_EVACUATING:
    case SL_DRAIN_STOPPING:
    case SL_DRAIN_SAFE:
        if (s->node != SL_NODE_NONE && s->intent.phase <= SL_DRAIN_SAFE)
            drain_advance_work(d, now, s, out);
        return;
    case SL_DRAIN_CLEARING:
        if (s->intent.phase == SL_DRAIN_CLEARING)
            drain_advance_clearing(d, now, s, out);
        return;
    case SL_DRAIN_DONE:
    case SL_DRAIN_CANCELLED:
    case SL_DRAIN_FAILED:
        return;
    }
    SL_UNREACHABLE();
}

void sl__drain_became_durable(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_intent *before,
                              struct sl_outbox *out)
{
    enum sl_drain_phase phase = s->durable.phase;
    bool is_news = !before || before->phase != phase || before->epoch != s->durable.epoch;
    if (s->node != SL_NODE_NONE)
        sl_feeds_set_draining(d->opts.feeds, now, s->node, phase_node_drains(d, s->node), out);
    if (is_news) {
        sl_out_event(out, phase == SL_DRAIN_SAFE ? SL_EV_DRAIN_SAFE : SL_EV_DRAIN_PHASE,
                     sl_f_str("drain", sl_str_of(s->intent.id)), sl_f_str("node", sl_node_id_str(&s->intent.target)),
                     sl_f_str("phase", sl_str_of(sl_drain_phase_name(phase))), sl_f_u64("epoch", s->durable.epoch),
                     sl_f_str("proof", sl_str_of(s->durable.proof_reference ? "reference" : "self")));
        if (phase > SL_DRAIN_PENDING)
            sl__drain_targets_changed(d);
    }
    if (sl__drain_is_in_step(s))
        sl__drain_answer_waiting(d, now, s, SL_OK, "", out);
    sl__drain_check_now(d, now);
}
