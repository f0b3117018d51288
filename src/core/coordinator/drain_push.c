/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

/*
 * Pushing targets. What every node must hold is the set of targets of the open sessions; who does not hold it, by its
 * own word in its present process, is sent the set again. Acknowledged nodes are left in peace.
 *
 * A foreign node knows one target: it is sent the oldest alone, and a later drain waits for it (sl__drain_may_push). A
 * node of before the drain protocol is sent nothing, and is no destination while there is a target.
 */

/* ---- epochs ---- */

/*
 * One at a time: were a higher epoch durable and pushed while a lower one is still being written, nodes would refuse the
 * lower one for ever (core/drain/target_set.h).
 */
static bool push_may_issue(const struct sl_drains *d)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        uint64_t durable = s->mod_revision > 0 ? s->durable.epoch : 0;
        if (s->intent.epoch != durable)
            return false;
    }
    return true;
}

bool sl__drain_issue_epoch(struct sl_drains *d, sl_ns now, struct drain_session *s, bool *is_exhausted)
{
    uint64_t above = (uint64_t)now + d->opts.wall_offset_ns;
    uint64_t seen = sl_nodes_epoch_seen_max(d->opts.nodes);
    if (above < seen)
        above = seen;
    if (above < d->epoch_issued_max)
        above = d->epoch_issued_max;
    *is_exhausted = above == UINT64_MAX;
    if (*is_exhausted || !push_may_issue(d))
        return false;
    s->intent.epoch = d->epoch_issued_max = above + 1;
    s->must_raise = false;
    return true;
}

/* ---- the set ---- */

static struct sl_drain_target push_target_of(const struct drain_session *s)
{
    return (struct sl_drain_target){ .node = s->durable.target, .epoch = s->durable.epoch };
}

bool sl__drain_is_pushed(const struct drain_session *s)
{
    enum sl_drain_phase phase = sl__drain_phase(s);
    return phase >= SL_DRAIN_EVACUATING && phase <= SL_DRAIN_SAFE;
}

/* What a node that understands sets should hold. */
static struct sl_target_set push_set(const struct sl_drains *d)
{
    struct sl_target_set set = { .version = d->epoch_pushed_max };
    for (uint32_t i = 0; i < d->session_count && set.count < SL_TARGETS_MAX; i++) {
        if (sl__drain_is_pushed(&d->sessions[i]))
            set.targets[set.count++] = push_target_of(&d->sessions[i]);
    }
    return set;
}

static const struct sl_observed *push_observed(const struct sl_drains *d, sl_node_ref ref)
{
    return sl_nodes_at(d->opts.nodes, ref);
}

bool sl__drain_is_legacy(const struct sl_drains *d, sl_node_ref ref)
{
    const struct sl_observed *o = push_observed(d, ref);
    return o->bootstrapped && o->drain_protocol == 0;
}

bool sl__drain_is_peer(const struct sl_drains *d, sl_node_ref ref)
{
    const struct sl_observed *o = push_observed(d, ref);
    return (o->observed || o->bootstrapped) && !sl__drain_is_legacy(d, ref);
}

static bool push_is_possible(const struct sl_drains *d, sl_node_ref ref)
{
    return push_observed(d, ref)->bootstrapped && !sl__drain_is_legacy(d, ref);
}

static bool push_knows_sets(const struct sl_drains *d, sl_node_ref ref)
{
    return (push_observed(d, ref)->capabilities & SL_CAP_TARGET_SET) != 0;
}

struct push_plan { /* made once per look at all nodes */
    struct sl_target_set set, oldest;
};

static struct push_plan push_plan(const struct sl_drains *d)
{
    struct push_plan plan = { .set = push_set(d) };
    struct sl_drain_target oldest = sl_target_set_oldest(&plan.set);
    plan.oldest = sl_target_set_of(&oldest);
    return plan;
}

/* What this node should hold: the set, or the oldest target of it. */
static const struct sl_target_set *push_wanted(const struct sl_drains *d, sl_node_ref ref, const struct push_plan *plan)
{
    return push_knows_sets(d, ref) ? &plan->set : &plan->oldest;
}

/* ---- who is in step ---- */

/* By its own word; or because it does not hold the target and was never sent it: only this coordinator is heard. */
static bool push_has_cleared(const struct sl_drains *d, sl_node_ref ref, const struct sl_drain_target *target)
{
    if (sl_nodes_has_cleared(d->opts.nodes, ref, target))
        return true;
    return !sl_nodes_has_acked(d->opts.nodes, ref, target) && d->peers[ref].sent_epoch_max < target->epoch;
}

static bool push_is_clearing(const struct drain_session *s)
{
    return sl__drain_phase(s) == SL_DRAIN_CLEARING && s->durable.ended_from >= SL_DRAIN_EVACUATING;
}

static bool push_is_synced(const struct sl_drains *d, sl_node_ref ref, const struct sl_target_set *wanted)
{
    if (push_observed(d, ref)->acked_count != wanted->count)
        return false;
    for (uint32_t i = 0; i < wanted->count; i++) {
        if (!sl_nodes_has_acked(d->opts.nodes, ref, &wanted->targets[i]))
            return false;
    }
    /* A version that the node has not seen matters only where a clear is waited for. */
    for (uint32_t i = 0; i < d->session_count; i++) {
        struct sl_drain_target cleared = push_target_of(&d->sessions[i]);
        if (push_is_clearing(&d->sessions[i]) && !push_has_cleared(d, ref, &cleared))
            return false;
    }
    return true;
}

static bool push_is_held_back(const struct sl_drains *d, sl_node_ref ref, const struct push_plan *plan)
{
    if (!d->is_settled || !push_observed(d, ref)->bootstrapped)
        return false;
    if (sl__drain_is_legacy(d, ref))
        return plan->set.count > 0;
    const struct sl_target_set *wanted = push_wanted(d, ref, plan);
    /* The oldest alone is not all that a destination has to know. */
    return wanted->count != plan->set.count || !push_is_synced(d, ref, wanted);
}

/* What a predecessor left behind is cleared with the version that this node has seen, and with no higher one: an absurd
 * number shall not spread. */
static uint64_t push_epoch_of(const struct sl_drains *d, sl_node_ref ref, const struct push_plan *plan)
{
    if (!push_knows_sets(d, ref) && plan->oldest.count > 0)
        return plan->oldest.version;
    uint64_t seen = push_observed(d, ref)->acked_epoch_max;
    return seen > plan->set.version ? seen : plan->set.version;
}

/* When to send the node what it should hold; SL_NEVER if it does. */
static sl_ns push_due(const struct sl_drains *d, sl_node_ref ref, const struct push_plan *plan)
{
    const struct drain_peer *peer = &d->peers[ref];
    if (!push_is_possible(d, ref) || push_is_synced(d, ref, push_wanted(d, ref, plan)))
        return SL_NEVER;
    bool is_new = peer->pushed_round != d->round || peer->pushed_version < push_epoch_of(d, ref, plan);
    return is_new ? peer->pushed_at : sl_ns_after(peer->pushed_at, d->opts.target_resend_ns);
}

static void push_judge(struct sl_drains *d, sl_node_ref ref, const struct push_plan *plan)
{
    sl_nodes_hold_back(d->opts.nodes, ref, push_is_held_back(d, ref, plan));
    d->push_at = sl_ns_min(d->push_at, push_due(d, ref, plan));
}

void sl__drain_judge_peer(struct sl_drains *d, sl_node_ref ref)
{
    const struct push_plan plan = push_plan(d);
    push_judge(d, ref, &plan);
}

static sl_node_ref push_next(const struct sl_drains *d, sl_node_ref ref)
{
    return sl_members_next(d->opts.members, ref);
}

static void push_judge_all(struct sl_drains *d)
{
    const struct push_plan plan = push_plan(d);
    for (sl_node_ref ref = push_next(d, SL_NODE_NONE); ref != SL_NODE_NONE; ref = push_next(d, ref))
        push_judge(d, ref, &plan);
}

void sl__drain_targets_changed(struct sl_drains *d)
{
    struct sl_target_set set = push_set(d);
    for (uint32_t i = 0; i < set.count; i++) {
        if (set.targets[i].epoch > d->epoch_pushed_max)
            d->epoch_pushed_max = set.targets[i].epoch;
    }
    sl_feeds_set_targets(d->opts.feeds, set.targets, set.count);
    d->round++;
    push_judge_all(d);
}

sl_node_ref sl__drain_first_uncleared(const struct sl_drains *d, const struct drain_session *s)
{
    struct sl_drain_target cleared = push_target_of(s);
    if (s->durable.ended_from < SL_DRAIN_EVACUATING)
        return SL_NODE_NONE; /* it was never pushed */
    for (sl_node_ref ref = push_next(d, SL_NODE_NONE); ref != SL_NODE_NONE; ref = push_next(d, ref)) {
        /* A process of which nothing is known yet but that it lives must answer first: it may be the old one. */
        bool is_cleared = push_observed(d, ref)->bootstrapped && push_has_cleared(d, ref, &cleared);
        if (sl__drain_is_peer(d, ref) && !is_cleared)
            return ref;
    }
    return SL_NODE_NONE;
}

bool sl__drain_is_told(const struct sl_drains *d, const struct drain_session *s, sl_node_ref ref)
{
    const struct push_plan plan = push_plan(d);
    return sl_target_set_find(push_wanted(d, ref, &plan), &s->durable.target) != NULL;
}

bool sl__drain_is_refused(const struct sl_drains *d, const struct drain_session *s)
{
    const struct push_plan plan = push_plan(d);
    struct sl_drain_target target = push_target_of(s);
    if (!sl__drain_is_pushed(s))
        return false;
    for (sl_node_ref ref = push_next(d, SL_NODE_NONE); ref != SL_NODE_NONE; ref = push_next(d, ref)) {
        if (!push_is_possible(d, ref) || sl_nodes_has_acked(d->opts.nodes, ref, &target))
            continue;
        bool is_wanted = sl_target_set_find(push_wanted(d, ref, &plan), &target.node) != NULL;
        if (is_wanted && push_observed(d, ref)->acked_epoch_max >= target.epoch)
            return true;
    }
    return false;
}

/* ---- sending ---- */

static uint64_t push_lag_budget(const struct sl_drains *d, const struct sl_drain_target *target)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        if (sl__drain_is_pushed(s) && sl_node_id_eq(&s->durable.target, &target->node))
            return s->durable.lag_budget_ms;
    }
    return 0;
}

static void push_to(struct sl_drains *d, sl_ns now, sl_node_ref ref, const struct push_plan *plan,
                    struct sl_outbox *out)
{
    Pb__SetDispatcherDrainTargetRequest m = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    Pb__DrainTarget items[SL_TARGETS_MAX], *refs[SL_TARGETS_MAX];
    const struct sl_target_set *set = &plan->set;
    struct sl_drain_target oldest = sl_target_set_oldest(set);
    m.target_node_id = oldest.node.text;
    m.target_epoch = push_epoch_of(d, ref, plan);
    m.has_target_set = push_knows_sets(d, ref);
    for (uint32_t i = 0; i < set->count && m.has_target_set; i++) {
        pb__drain_target__init(&items[i]);
        items[i].node_id = (char *)set->targets[i].node.text;
        items[i].epoch = set->targets[i].epoch;
        items[i].lag_budget_ms = push_lag_budget(d, &set->targets[i]);
        refs[m.n_targets++] = &items[i];
    }
    m.targets = refs;
    struct drain_peer *peer = &d->peers[ref];
    if (sl_out_send(out, ref, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &m.base) &&
        peer->sent_epoch_max < m.target_epoch)
        peer->sent_epoch_max = m.target_epoch;
    peer->pushed_at = now;
    peer->pushed_round = d->round;
    peer->pushed_version = m.target_epoch;
}

void sl__drain_push(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    if (now < d->push_at)
        return;
    const struct push_plan plan = push_plan(d);
    d->push_at = SL_NEVER;
    for (sl_node_ref ref = push_next(d, SL_NODE_NONE); ref != SL_NODE_NONE; ref = push_next(d, ref)) {
        if (now >= push_due(d, ref, &plan))
            push_to(d, now, ref, &plan, out);
        d->push_at = sl_ns_min(d->push_at, push_due(d, ref, &plan));
    }
}

/* ---- whether to begin ---- */

static uint32_t push_count(const struct sl_drains *d)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->session_count; i++)
        count += d->sessions[i].intent.phase > SL_DRAIN_PENDING && sl__drain_phase(&d->sessions[i]) <= SL_DRAIN_SAFE;
    return count;
}

/* The session that this one has to wait for if there is a peer that knows one target at a time: the first come. */
static const struct drain_session *push_session_before(const struct sl_drains *d, const struct drain_session *s)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *other = &d->sessions[i];
        bool has_begun = other->intent.phase > SL_DRAIN_PENDING && sl__drain_phase(other) <= SL_DRAIN_CLEARING;
        bool is_first = other < s && other->intent.phase == SL_DRAIN_PENDING;
        if (other != s && (has_begun || is_first))
            return other;
    }
    return NULL;
}

/* The first member of which it is (not) known what it understands; with_protocol: that is too old. */
static sl_node_ref push_first(const struct sl_drains *d,
                              bool (*is_obstacle)(const struct sl_drains *d, sl_node_ref ref))
{
    sl_node_ref ref = push_next(d, SL_NODE_NONE);
    while (ref != SL_NODE_NONE && !is_obstacle(d, ref))
        ref = push_next(d, ref);
    return ref;
}

static bool push_is_not_known(const struct sl_drains *d, sl_node_ref ref)
{
    return !push_observed(d, ref)->bootstrapped;
}

static bool push_knows_one(const struct sl_drains *d, sl_node_ref ref)
{
    return !push_knows_sets(d, ref);
}

bool sl__drain_may_push(const struct sl_drains *d, const struct drain_session *s, enum sl_blocker *why,
                        sl_node_ref *who)
{
    *why = SL_BLOCKED_PEER_NOT_ACKED;
    *who = push_first(d, push_is_not_known);
    if (*who != SL_NODE_NONE)
        return false;
    *why = SL_BLOCKED_PEER_LEGACY;
    *who = push_first(d, sl__drain_is_legacy);
    if (*who != SL_NODE_NONE)
        return false;
    *why = SL_BLOCKED_WAITS_FOR_DRAIN;
    *who = push_first(d, push_knows_one);
    if ((*who != SL_NODE_NONE && push_session_before(d, s)) || push_count(d) >= SL_TARGETS_MAX)
        return false;
    *why = SL_BLOCKED_NONE;
    *who = SL_NODE_NONE;
    return true;
}
