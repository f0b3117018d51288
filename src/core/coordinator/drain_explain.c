/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

/*
 * Always one line that says why a drain is not safe yet: what blocks, who or which feed, and how much. The line changes
 * as often as it likes; the event tells only when the kind of blocker does.
 */

void sl__drain_blocked(struct drain_session *s, enum sl_blocker why, const char *detail, struct sl_outbox *out)
{
    bool is_news = s->blocker != why && why != SL_BLOCKED_NONE;
    struct sl_text t;
    sl_text_init(&t, s->detail, sizeof s->detail);
    sl_text_cstr(&t, detail);
    s->blocker = why;
    if (is_news)
        sl_out_event(out, SL_EV_DRAIN_BLOCKED, sl_f_str("drain", sl_str_of(s->intent.id)),
                     sl_f_str("node", sl_node_id_str(&s->intent.target)),
                     sl_f_str("phase", sl_str_of(sl_drain_phase_name(sl__drain_phase(s)))),
                     sl_f_str("blocker", sl_str_of(sl_blocker_name(why))), sl_f_str("detail", sl_str_of(s->detail)));
}

struct sl_str sl__drain_name_of(const struct sl_drains *d, const struct sl_node_id *id)
{
    struct sl_membership_view view = { 0 };
    if (d->opts.membership)
        sl_membership_view(d->opts.membership, &view);
    for (uint32_t i = 0; i < view.member_count; i++) {
        if (sl_node_id_eq(&view.members[i].id, id))
            return sl_str_of(view.members[i].name);
    }
    return SL_STR("");
}

static void explain_node(const struct sl_drains *d, struct sl_text *t, sl_node_ref node)
{
    const struct sl_node_id *id = sl_members_id(d->opts.members, node);
    struct sl_str name = sl__drain_name_of(d, id);
    sl_text_cstr(t, "node ");
    sl_text_str(t, name.len > 0 ? name : sl_node_id_str(id));
}

void sl__drain_blocked_by(const struct sl_drains *d, struct drain_session *s, enum sl_blocker why, sl_node_ref who,
                          struct sl_outbox *out)
{
    char detail[DRAIN_DETAIL_MAX];
    struct sl_text t;
    sl_text_init(&t, detail, sizeof detail);
    if (who != SL_NODE_NONE)
        explain_node(d, &t, who);
    sl__drain_blocked(s, why, detail, out);
}

static void explain_count(struct sl_text *t, uint64_t count, const char *one, const char *many)
{
    if (count == 0)
        return;
    if (t->len > 0)
        sl_text_cstr(t, ", ");
    sl_text_u64(t, count);
    sl_text_cstr(t, count == 1 ? one : many);
}

static void explain_feeds(struct sl_text *t, const struct sl_feeds_on_node *f)
{
    char totals[DRAIN_DETAIL_MAX];
    struct sl_text all;
    sl_text_init(&all, totals, sizeof totals);
    explain_count(&all, f->bound, " maintainer there", " maintainers there");
    explain_count(&all, f->operators, " being moved", " being moved");
    explain_count(&all, f->unsettled, " feed not settled", " feeds not settled");
    explain_count(&all, f->dispatchers, " dispatcher left", " dispatchers left");
    explain_count(&all, f->moves, " moving", " moving");
    explain_count(&all, f->stuck, " stuck", " stuck");
    sl_text_cstr(t, f->example);
    sl_text_cstr(t, f->example[0] != '\0' ? "; in all " : "");
    sl_text_cstr(t, totals);
}

static void explain_self(struct sl_text *t, const struct sl_self_report *self)
{
    if (!self->valid) {
        sl_text_cstr(t, "no report yet");
        return;
    }
    explain_count(t, self->maintainers, " maintainer", " maintainers");
    explain_count(t, self->dispatchers, " dispatcher", " dispatchers");
    explain_count(t, self->readers, " source reader", " source readers");
    explain_count(t, self->unflushed_rows, " unflushed row", " unflushed rows");
    if (t->len == 0)
        sl_text_cstr(t, "waits for the report of the stopping node");
}

static void explain_liveness(struct sl_text *t, const struct sl_proof_facts *f)
{
    if (!f->target_observed)
        sl_text_cstr(t, "the process has not answered yet");
    else
        sl_text_cstr(t, f->draining_seen ? "it drains" : "it is alive");
}

/* The first peer that has not acknowledged, or is too old to. */
static sl_node_ref explain_peer(const struct sl_drains *d, const struct drain_session *s, enum sl_blocker why)
{
    struct sl_drain_target target = { .node = s->durable.target, .epoch = s->durable.epoch };
    sl_node_ref ref = SL_NODE_NONE;
    while ((ref = sl_members_next(d->opts.members, ref)) != SL_NODE_NONE) {
        bool is_late = sl__drain_is_peer(d, ref) && !sl_nodes_has_acked(d->opts.nodes, ref, &target);
        if (ref != s->node && (why == SL_BLOCKED_PEER_LEGACY ? sl__drain_is_legacy(d, ref) : is_late))
            return ref;
    }
    return SL_NODE_NONE;
}

static void explain_silence(const struct sl_drains *d, sl_ns now, const struct drain_session *s, struct sl_text *t)
{
    sl_text_cstr(t, "silent for ");
    sl_text_i64(t, s->node != SL_NODE_NONE ? (now - sl_nodes_at(d->opts.nodes, s->node)->last_seen) / SL_S : 0);
    sl_text_cstr(t, " s");
}

static void explain_detail(const struct sl_drains *d, sl_ns now, const struct drain_session *s,
                           const struct sl_proof_facts *f, enum sl_blocker why, struct sl_text *t)
{
    switch (why) {
    case SL_BLOCKED_TARGET_UNKNOWN:
        explain_silence(d, now, s, t);
        return;
    case SL_BLOCKED_LIVENESS:
        explain_liveness(t, f);
        return;
    case SL_BLOCKED_SELF_REPORT:
        explain_self(t, &f->self);
        return;
    case SL_BLOCKED_NO_DESTINATION:
    case SL_BLOCKED_MAINTAINER_ON_TARGET:
    case SL_BLOCKED_OPERATOR_ON_TARGET:
    case SL_BLOCKED_FEED_NOT_REPORTED:
    case SL_BLOCKED_FEED_NOT_BOOTSTRAPPED:
    case SL_BLOCKED_DISPATCHERS_LEFT:
    case SL_BLOCKED_MOVES_IN_FLIGHT:
    case SL_BLOCKED_MOVE_STUCK:
        explain_feeds(t, &f->feeds);
        return;
    case SL_BLOCKED_NONE:
    case SL_BLOCKED_COORDINATOR_STARTING:
    case SL_BLOCKED_NOT_DURABLE:
    case SL_BLOCKED_WAITS_FOR_DRAIN:
    case SL_BLOCKED_PEER_NOT_ACKED:
    case SL_BLOCKED_PEER_LEGACY:
    case SL_BLOCKED_OWNER_RESIGNING:
    case SL_BLOCKER_COUNT:
        return;
    }
    SL_UNREACHABLE();
}

/* Work that only another node can take. */
static bool explain_needs_destination(enum sl_blocker why)
{
    return why == SL_BLOCKED_MAINTAINER_ON_TARGET || why == SL_BLOCKED_DISPATCHERS_LEFT;
}

void sl__drain_explain(const struct sl_drains *d, sl_ns now, struct drain_session *s, const struct sl_proof_facts *f,
                       enum sl_blocker why, struct sl_outbox *out)
{
    char detail[DRAIN_DETAIL_MAX];
    struct sl_text t;
    if (why == SL_BLOCKED_PEER_NOT_ACKED || why == SL_BLOCKED_PEER_LEGACY) {
        sl_node_ref peer = explain_peer(d, s, why);
        bool waits = why == SL_BLOCKED_PEER_NOT_ACKED && peer != SL_NODE_NONE && !sl__drain_is_told(d, s, peer);
        sl__drain_blocked_by(d, s, waits ? SL_BLOCKED_WAITS_FOR_DRAIN : why, peer, out);
        return;
    }
    sl_text_init(&t, detail, sizeof detail);
    if (explain_needs_destination(why) && !sl_feeds_has_destination(d->opts.feeds, now, s->node))
        why = SL_BLOCKED_NO_DESTINATION;
    explain_detail(d, now, s, f, why, &t);
    sl__drain_blocked(s, why, detail, out);
}
