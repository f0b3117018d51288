/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

/*
 * The phases of a session (drawing in drains.h). advance looks at what is durable and at what was observed, and either
 * asks for the next phase, which then has to become durable first, or sends what the present one allows.
 */

void sl__drain_check_soon(struct sl_drains *d, sl_ns now)
{
    sl_ns at = sl_ns_after(d->checked_at, DRAIN_CHECK_NS);
    d->check_at = sl_ns_min(d->check_at, at > now ? at : now);
}

static void drain_count_peers(const struct sl_drains *d, const struct drain_session *s, struct sl_proof_facts *f)
{
    struct sl_drain_target target = { s->durable.target, s->durable.epoch };
    for (sl_node_ref ref = sl_members_next(d->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(d->opts.members, ref)) {
        const struct sl_observed *o = sl_nodes_at(d->opts.nodes, ref);
        /* A process that has not answered this coordinator hosts no maintainer: it cannot place anything. */
        if (ref == s->node || !o->bootstrapped)
            continue;
        f->peers++;
        f->peers_legacy += o->drain_protocol == 0;
        f->peers_acked += sl_nodes_has_acked(d->opts.nodes, ref, &target);
    }
}

void sl__drain_facts(const struct sl_drains *d, sl_ns now, const struct drain_session *s, struct sl_proof_facts *f)
{
    *f = (struct sl_proof_facts){ .intent_durable = s->mod_revision > 0 };
    struct sl_drain_target target = { s->durable.target, s->durable.epoch };
    if (s->node == SL_NODE_NONE) {
        f->target_unknown = true;
        return;
    }
    const struct sl_observed *o = sl_nodes_at(d->opts.nodes, s->node);
    f->target_observed = o->observed;
    f->target_unknown = sl_nodes_is_unknown(d->opts.nodes, now, s->node);
    f->target_is_sluice = o->protocol_version > 0;
    f->is_owner = s->node == sl_members_self(d->opts.members);
    f->draining_seen = o->observed && o->liveness >= SL_LIVENESS_DRAINING;
    f->stopping_seen = o->observed && o->liveness >= SL_LIVENESS_STOPPING;
    f->self = o->self;
    drain_count_peers(d, s, f);
    sl_feeds_count(d->opts.feeds, s->node, &target, &f->feeds);
}

static void drain_send_liveness(struct sl_drains *d, sl_ns now, struct drain_session *s, enum sl_liveness wanted,
                                bool undrain, sl_ns *sent_at, struct sl_outbox *out)
{
    if (*sent_at != 0 && now - *sent_at < d->opts.liveness_resend_ns)
        return;
    Pb__SetNodeLivenessRequest m = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    m.target = sl_liveness_pb(wanted);
    /* Epoch 0 before the process has spoken: it is refused, and the refusal tells the epoch. */
    m.node_epoch = sl_nodes_at(d->opts.nodes, s->node)->node_epoch;
    m.undrain = undrain;
    (void)sl_out_send(out, s->node, SL_MSG_SET_NODE_LIVENESS_REQUEST, &m.base);
    *sent_at = now;
}

static void drain_blocked(struct sl_drains *d, struct drain_session *s, enum sl_blocker why, const char *detail,
                          struct sl_outbox *out)
{
    bool same = s->blocker == why;
    s->blocker = why;
    struct sl_text t;
    sl_text_init(&t, s->detail, sizeof s->detail);
    sl_text_cstr(&t, detail);
    if (!same)
        sl_out_event(out, SL_EV_DRAIN_BLOCKED, sl_f_str("drain", sl_str_of(s->intent.id)),
                     sl_f_str("node", sl_node_id_str(&s->intent.target)),
                     sl_f_str("phase", sl_str_of(sl_drain_phase_name(sl__drain_phase(s)))),
                     sl_f_str("blocker", sl_str_of(sl_blocker_name(why))), sl_f_str("detail", sl_str_of(detail)));
    (void)d;
}

static void drain_note_progress(struct drain_session *s, sl_ns now, uint32_t left)
{
    if (s->left_at_start < left)
        s->left_at_start = left;
    if (s->progress_at == 0 || left < s->left)
        s->progress_at = now;
    s->left = left;
}

static void drain_ask_node(struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_proof_facts *f,
                           bool may_stop, struct sl_outbox *out)
{
    if (f->is_owner)
        return; /* it resigns first; its successor asks */
    if (!f->draining_seen)
        drain_send_liveness(d, now, s, SL_LIVENESS_DRAINING, false, &s->draining_sent_at, out);
    else if (may_stop && !f->stopping_seen)
        drain_send_liveness(d, now, s, SL_LIVENESS_STOPPING, false, &s->stopping_sent_at, out);
}

/* PENDING to SAFE, with the target still a member. */
static void drain_advance_work(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    struct sl_proof_facts f;
    sl__drain_facts(d, now, s, &f);
    enum sl_drain_phase phase = sl__drain_phase(s);
    enum sl_blocker stop = sl_drain_proof(&f, false), safe = sl_drain_proof(&f, true);
    bool settled = s->write == 0 && s->read == 0 && !s->differs;
    drain_note_progress(s, now, sl_drain_remaining(&f, phase == SL_DRAIN_SAFE));
    if (phase == SL_DRAIN_EVACUATING || phase == SL_DRAIN_STOPPING)
        drain_ask_node(d, now, s, &f, phase == SL_DRAIN_STOPPING && stop == SL_BLOCKED_NONE, out);
    if (phase == SL_DRAIN_EVACUATING && settled && stop == SL_BLOCKED_NONE)
        sl__drain_set_phase(s, SL_DRAIN_STOPPING);
    if (phase == SL_DRAIN_STOPPING && settled && safe == SL_BLOCKED_NONE) {
        s->intent.proof_reference = !f.target_is_sluice;
        sl__drain_set_phase(s, SL_DRAIN_SAFE);
    }
    if (phase != SL_DRAIN_SAFE) {
        bool nowhere = safe != SL_BLOCKED_NONE && !sl_feeds_has_destination(d->opts.feeds, now, s->node);
        drain_blocked(d, s, nowhere ? SL_BLOCKED_NO_DESTINATION : safe, f.feeds.example, out);
    }
}

static void drain_advance_pending(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    enum sl_blocker why = SL_BLOCKED_NOT_DURABLE;
    bool is_owner = s->node == sl_members_self(d->opts.members);
    if (s->mod_revision == 0)
        drain_blocked(d, s, why, "", out);
    else if (is_owner)
        drain_blocked(d, s, SL_BLOCKED_OWNER_RESIGNING, "", out);
    else if (!sl__drain_may_push(d, s, &why))
        drain_blocked(d, s, why, "", out);
    else if (s->write == 0 && s->read == 0 && !s->differs && s->intent.phase == SL_DRAIN_PENDING) {
        /* Issued here and not earlier, so that targets are pushed in the order of their epochs. */
        s->intent.epoch = sl__drain_next_epoch(d, now);
        s->intent.target_node_epoch = sl_nodes_at(d->opts.nodes, s->node)->node_epoch;
        sl__drain_set_phase(s, SL_DRAIN_EVACUATING);
    }
}

static enum sl_drain_phase drain_end_of(const struct drain_session *s)
{
    if (s->intent.cancelled)
        return SL_DRAIN_CANCELLED;
    return s->intent.ended_from == SL_DRAIN_SAFE ? SL_DRAIN_DONE : SL_DRAIN_FAILED;
}

/*
 * A cancelled drain has ended when its target is ALIVE in a new node epoch. Also when it never became DRAINING as far
 * as we know: a request that is still on its way then names an epoch that is gone.
 */
static bool drain_is_undrained(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    if (!s->intent.cancelled || s->node == SL_NODE_NONE || s->intent.ended_from < SL_DRAIN_EVACUATING)
        return true;
    const struct sl_observed *o = sl_nodes_at(d->opts.nodes, s->node);
    if (o->observed && o->liveness == SL_LIVENESS_ALIVE && o->node_epoch != s->intent.target_node_epoch)
        return true;
    drain_send_liveness(d, now, s, SL_LIVENESS_ALIVE, true, &s->undrain_sent_at, out);
    return false;
}

static void drain_advance_clearing(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    bool settled = s->write == 0 && s->read == 0 && !s->differs;
    bool undrained = drain_is_undrained(d, now, s, out);
    if (!settled || !undrained || !sl__drain_all_cleared(d, s))
        return;
    s->intent.ended_wall_ms = ((uint64_t)now + d->opts.wall_offset_ns) / (uint64_t)SL_MS;
    sl__drain_set_phase(s, drain_end_of(s));
}

static void drain_deadline(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    uint64_t wall_ms = ((uint64_t)now + d->opts.wall_offset_ns) / (uint64_t)SL_MS;
    bool working = s->intent.phase < SL_DRAIN_SAFE;
    if (s->deadline_told || s->intent.deadline_wall_ms == 0 || wall_ms < s->intent.deadline_wall_ms || !working)
        return;
    s->deadline_told = true;
    sl_out_event(out, SL_EV_DRAIN_LATE, sl_f_str("drain", sl_str_of(s->intent.id)),
                 sl_f_str("blocker", sl_str_of(sl_blocker_name(s->blocker))), sl_f_str("detail", sl_str_of(s->detail)));
    if (s->intent.cancel_at_deadline && s->intent.phase < SL_DRAIN_STOPPING) {
        s->intent.cancelled = true;
        sl__drain_set_phase(s, SL_DRAIN_CLEARING);
    }
}

void sl__drain_advance(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    if (!sl__drain_is_open(s))
        return;
    drain_deadline(d, now, s, out);
    switch (sl__drain_phase(s)) {
    case SL_DRAIN_PENDING:
        if (s->node != SL_NODE_NONE && s->intent.phase == SL_DRAIN_PENDING)
            drain_advance_pending(d, now, s, out);
        break;
    case SL_DRAIN_EVACUATING:
    case SL_DRAIN_STOPPING:
    case SL_DRAIN_SAFE:
        if (s->node != SL_NODE_NONE && s->intent.phase <= SL_DRAIN_SAFE)
            drain_advance_work(d, now, s, out);
        break;
    case SL_DRAIN_CLEARING:
        if (s->intent.phase == SL_DRAIN_CLEARING)
            drain_advance_clearing(d, now, s, out);
        break;
    case SL_DRAIN_DONE:
    case SL_DRAIN_CANCELLED:
    case SL_DRAIN_FAILED:
        break;
    }
}

void sl__drain_became_durable(struct sl_drains *d, sl_ns now, struct drain_session *s, struct sl_outbox *out)
{
    enum sl_drain_phase phase = s->durable.phase;
    bool works = phase >= SL_DRAIN_EVACUATING && phase <= SL_DRAIN_SAFE;
    if (s->node != SL_NODE_NONE)
        sl_feeds_set_draining(d->opts.feeds, now, s->node, phase <= SL_DRAIN_SAFE, out);
    sl_out_event(out, phase == SL_DRAIN_SAFE ? SL_EV_DRAIN_SAFE : SL_EV_DRAIN_PHASE,
                 sl_f_str("drain", sl_str_of(s->intent.id)), sl_f_str("node", sl_node_id_str(&s->intent.target)),
                 sl_f_str("phase", sl_str_of(sl_drain_phase_name(phase))), sl_f_u64("epoch", s->durable.epoch),
                 sl_f_str("proof", sl_str_of(s->durable.proof_reference ? "reference" : "self")));
    if (works || phase == SL_DRAIN_CLEARING)
        sl__drain_targets_changed(d);
    sl__drain_answer_waiting(d, now, s, SL_OK, "", out);
    sl__drain_check_soon(d, now);
}
