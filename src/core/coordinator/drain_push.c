/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains_internal.h"

/*
 * Pushing targets. What every node must hold is the set of targets of the open sessions; who does not hold it, by its
 * own word in its present process, is sent the set again. Acknowledged nodes are left in peace.
 *
 * A foreign node knows one target: it is sent the oldest alone, and a later drain waits for it (sl__drain_may_push).
 */

uint64_t sl__drain_next_epoch(struct sl_drains *d, sl_ns now)
{
    uint64_t epoch = (uint64_t)now + d->opts.wall_offset_ns;
    uint64_t seen = sl_nodes_epoch_seen_max(d->opts.nodes);
    if (epoch <= seen)
        epoch = seen;
    if (epoch <= d->epoch_issued_max)
        epoch = d->epoch_issued_max;
    if (epoch == UINT64_MAX)
        return 0;
    d->epoch_issued_max = epoch + 1;
    return epoch + 1;
}

uint32_t sl__drain_targets(const struct sl_drains *d, struct sl_drain_target *targets)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->session_count && count < SL_TARGETS_MAX; i++) {
        const struct drain_session *s = &d->sessions[i];
        if (sl__drain_is_pushed(s))
            targets[count++] = (struct sl_drain_target){ s->durable.target, s->durable.epoch };
    }
    return count;
}

/* What a node that understands sets should hold. */
static struct sl_target_set drain_set(const struct sl_drains *d)
{
    struct sl_target_set set = { 0 };
    set.count = sl__drain_targets(d, set.targets);
    set.version = d->epoch_pushed_max;
    /* An empty target of an epoch that we never pushed clears what a predecessor left behind. */
    uint64_t seen = sl_nodes_epoch_seen_max(d->opts.nodes);
    if (seen > set.version)
        set.version = seen;
    return set;
}

void sl__drain_targets_changed(struct sl_drains *d)
{
    struct sl_drain_target targets[SL_TARGETS_MAX];
    uint32_t count = sl__drain_targets(d, targets);
    for (uint32_t i = 0; i < count; i++) {
        if (targets[i].epoch > d->epoch_pushed_max)
            d->epoch_pushed_max = targets[i].epoch;
    }
    sl_feeds_set_targets(d->opts.feeds, targets, count);
    d->round++;
}

static bool drain_knows_sets(const struct sl_drains *d, sl_node_ref ref)
{
    return (sl_nodes_at(d->opts.nodes, ref)->capabilities & SL_CAP_TARGET_SET) != 0;
}

/* What this node should hold: the set, or the oldest target of it. */
static struct sl_target_set drain_wanted(const struct sl_drains *d, sl_node_ref ref, const struct sl_target_set *set)
{
    if (drain_knows_sets(d, ref))
        return *set;
    struct sl_drain_target oldest = sl_target_set_oldest(set);
    return sl_target_set_of(&oldest);
}

static bool drain_is_synced(const struct sl_drains *d, sl_node_ref ref, const struct sl_target_set *wanted)
{
    const struct sl_observed *o = sl_nodes_at(d->opts.nodes, ref);
    if (o->acked_count != wanted->count)
        return false;
    for (uint32_t i = 0; i < wanted->count; i++) {
        if (!sl_nodes_has_acked(d->opts.nodes, ref, &wanted->targets[i]))
            return false;
    }
    /* A version that the node has not seen matters only where a clear is waited for. */
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *s = &d->sessions[i];
        struct sl_drain_target cleared = { s->durable.target, s->durable.epoch };
        if (sl__drain_phase(s) == SL_DRAIN_CLEARING && s->durable.ended_from >= SL_DRAIN_EVACUATING &&
            !sl_nodes_has_cleared(d->opts.nodes, ref, &cleared))
            return false;
    }
    return true;
}

static void drain_push_to(struct sl_drains *d, sl_ns now, sl_node_ref ref, const struct sl_target_set *wanted,
                          struct sl_outbox *out)
{
    Pb__SetDispatcherDrainTargetRequest m = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    Pb__DrainTarget items[SL_TARGETS_MAX];
    Pb__DrainTarget *refs[SL_TARGETS_MAX];
    struct sl_drain_target oldest = sl_target_set_oldest(wanted);
    m.target_node_id = oldest.node.text;
    m.target_epoch = oldest.epoch;
    if (drain_knows_sets(d, ref)) {
        for (uint32_t i = 0; i < wanted->count; i++) {
            pb__drain_target__init(&items[i]);
            items[i].node_id = (char *)(uintptr_t)wanted->targets[i].node.text;
            items[i].epoch = wanted->targets[i].epoch;
            refs[i] = &items[i];
        }
        m.targets = refs;
        m.n_targets = wanted->count;
        m.has_target_set = true;
        m.target_epoch = wanted->version;
    }
    (void)sl_out_send(out, ref, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &m.base);
    d->peers[ref] = (struct drain_peer){ .pushed_at = now, .pushed_round = d->round };
}

void sl__drain_push(struct sl_drains *d, sl_ns now, struct sl_outbox *out)
{
    const struct sl_target_set set = drain_set(d);
    for (sl_node_ref ref = sl_members_next(d->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(d->opts.members, ref)) {
        const struct sl_observed *o = sl_nodes_at(d->opts.nodes, ref);
        struct sl_target_set wanted = drain_wanted(d, ref, &set);
        if (!o->bootstrapped || drain_is_synced(d, ref, &wanted))
            continue;
        bool due = d->peers[ref].pushed_round != d->round || now - d->peers[ref].pushed_at >= d->opts.target_resend_ns;
        if (due)
            drain_push_to(d, now, ref, &wanted, out);
    }
}

sl_ns sl__drain_push_deadline(const struct sl_drains *d)
{
    const struct sl_target_set set = drain_set(d);
    sl_ns at = SL_NEVER;
    for (sl_node_ref ref = sl_members_next(d->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(d->opts.members, ref)) {
        struct sl_target_set wanted = drain_wanted(d, ref, &set);
        if (sl_nodes_at(d->opts.nodes, ref)->bootstrapped && !drain_is_synced(d, ref, &wanted))
            at = sl_ns_min(at, sl_ns_after(d->peers[ref].pushed_at, d->opts.target_resend_ns));
    }
    return at;
}

bool sl__drain_all_cleared(const struct sl_drains *d, const struct drain_session *s)
{
    struct sl_drain_target cleared = { s->durable.target, s->durable.epoch };
    if (s->durable.ended_from < SL_DRAIN_EVACUATING)
        return true; /* it was never pushed */
    for (sl_node_ref ref = sl_members_next(d->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(d->opts.members, ref)) {
        const struct sl_observed *o = sl_nodes_at(d->opts.nodes, ref);
        /* A process that has not answered this coordinator holds no target of it: it is pushed what it must hold then.
         */
        if (o->bootstrapped && !sl_nodes_has_cleared(d->opts.nodes, ref, &cleared))
            return false;
    }
    return true;
}

static bool drain_another_is_open(const struct sl_drains *d, const struct drain_session *s)
{
    for (uint32_t i = 0; i < d->session_count; i++) {
        const struct drain_session *other = &d->sessions[i];
        enum sl_drain_phase phase = sl__drain_phase(other);
        if (other != s && phase >= SL_DRAIN_EVACUATING && phase <= SL_DRAIN_CLEARING)
            return true;
    }
    return false;
}

bool sl__drain_may_push(const struct sl_drains *d, const struct drain_session *s, enum sl_blocker *why)
{
    bool sets = true;
    for (sl_node_ref ref = sl_members_next(d->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(d->opts.members, ref)) {
        const struct sl_observed *o = sl_nodes_at(d->opts.nodes, ref);
        *why = SL_BLOCKED_PEER_NOT_ACKED;
        if (!o->bootstrapped)
            return false; /* what it understands is not known yet */
        *why = SL_BLOCKED_PEER_LEGACY;
        if (o->drain_protocol == 0)
            return false;
        sets = sets && drain_knows_sets(d, ref);
    }
    *why = SL_BLOCKED_WAITS_FOR_DRAIN;
    if (!sets && drain_another_is_open(d, s))
        return false;
    *why = SL_BLOCKED_NONE;
    return true;
}
