/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

/* What drains ask: exact for what was reported; what is not known counts as not drained. */

uint32_t sl_feeds_maintainers_on(const struct sl_feeds *f, sl_node_ref node)
{
    return f->nodes[node].bound.count;
}

bool sl_feeds_has_destination(const struct sl_feeds *f, sl_ns now, sl_node_ref except)
{
    for (sl_node_ref node = SL_NODE_NONE; (node = sl_members_next(f->opts.members, node)) != SL_NODE_NONE;) {
        if (node != except && sl__feeds_may_place_at(f, now, node))
            return true;
    }
    return false;
}

/* ---- counts ---- */

static const struct sl__progress *counts_progress(const struct sl__feed *feed, sl_node_ref node, uint64_t epoch)
{
    for (uint32_t i = 0; i < feed->drain_count; i++) {
        if (feed->drains[i].target == node && feed->drains[i].epoch == epoch)
            return &feed->drains[i];
    }
    return NULL;
}

/* Why the feed is not settled for the target, or NONE. Feeds that no maintainer speaks for, because they are paused,
 * failed or wait for the end of a backoff, are settled by what the target says of itself. */
static enum sl_blocker counts_unsettled(const struct sl_feeds *f, const struct sl__feed *feed,
                                        const struct sl__progress *p)
{
    bool stopping = feed->op.kind == SL__OP_STOP || feed->stop != SL__STOP_NONE;
    if (stopping)
        return SL_BLOCKED_FEED_NOT_REPORTED;
    if (!sl__feed_is_runnable(feed) || sl__feed_is_backing_off(f, feed))
        return SL_BLOCKED_NONE;
    if (feed->place != SL__PLACE_REPLICATING || !feed->bootstrapped)
        return SL_BLOCKED_FEED_NOT_BOOTSTRAPPED;
    if (!p)
        return SL_BLOCKED_FEED_NOT_REPORTED;
    return p->bootstrapped ? SL_BLOCKED_NONE : SL_BLOCKED_FEED_NOT_BOOTSTRAPPED;
}

static enum sl_blocker counts_busy(const struct sl__progress *p)
{
    if (!p || (p->dispatchers == 0 && p->moves == 0 && p->stuck == 0))
        return SL_BLOCKED_NONE;
    if (p->stuck > 0)
        return SL_BLOCKED_MOVE_STUCK;
    return p->dispatchers > 0 ? SL_BLOCKED_DISPATCHERS_LEFT : SL_BLOCKED_MOVES_IN_FLIGHT;
}

/* The order in which causes block (core/coordinator/drain_proof.c): the example is of the first one. */
static uint32_t counts_severity(enum sl_blocker b)
{
    switch (b) {
    case SL_BLOCKED_MAINTAINER_ON_TARGET:
        return 6;
    case SL_BLOCKED_OPERATOR_ON_TARGET:
        return 5;
    case SL_BLOCKED_FEED_NOT_BOOTSTRAPPED:
    case SL_BLOCKED_FEED_NOT_REPORTED:
        return 4;
    case SL_BLOCKED_MOVE_STUCK:
        return 3;
    case SL_BLOCKED_DISPATCHERS_LEFT:
        return 2;
    case SL_BLOCKED_MOVES_IN_FLIGHT:
        return 1;
    case SL_BLOCKED_NONE:
    case SL_BLOCKED_COORDINATOR_STARTING:
    case SL_BLOCKED_NOT_DURABLE:
    case SL_BLOCKED_NO_DESTINATION:
    case SL_BLOCKED_WAITS_FOR_DRAIN:
    case SL_BLOCKED_TARGET_UNKNOWN:
    case SL_BLOCKED_PEER_NOT_ACKED:
    case SL_BLOCKED_PEER_LEGACY:
    case SL_BLOCKED_OWNER_RESIGNING:
    case SL_BLOCKED_LIVENESS:
    case SL_BLOCKED_SELF_REPORT:
    case SL_BLOCKER_COUNT:
        return 0;
    }
    SL_UNREACHABLE();
}

static void counts_describe(struct sl_feeds_on_node *c, const struct sl__feed *feed, enum sl_blocker why,
                            const struct sl__progress *p)
{
    struct sl_text t;
    if (counts_severity(why) <= counts_severity(c->why))
        return;
    c->why = why;
    sl_text_init(&t, c->example, sizeof c->example);
    sl_text_str(&t, sl_feed_id_name(&feed->record.id));
    sl_text_cstr(&t, ": ");
    if (feed->op.kind != SL__OP_IDLE) {
        sl_text_cstr(&t, sl__op_phase(feed));
    } else if (p && counts_severity(why) <= counts_severity(SL_BLOCKED_MOVE_STUCK)) {
        sl_text_u64(&t, p->dispatchers);
        sl_text_cstr(&t, " dispatchers, ");
        sl_text_u64(&t, p->moves);
        sl_text_cstr(&t, " moving, ");
        sl_text_u64(&t, p->stuck);
        sl_text_cstr(&t, " stuck");
    } else {
        sl_text_cstr(&t, sl__feed_place_name(feed->place));
    }
}

static void counts_add(const struct sl_feeds *f, const struct sl__feed *feed, sl_node_ref node, uint64_t epoch,
                       struct sl_feeds_on_node *c)
{
    /* Only the owner's word counts; what an owner said before it closed is void. */
    bool speaks = feed->place == SL__PLACE_REPLICATING || feed->place == SL__PLACE_SCHEDULING;
    const struct sl__progress *p = speaks ? counts_progress(feed, node, epoch) : NULL;
    enum sl_blocker why = counts_unsettled(f, feed, p);
    c->unsettled += why != SL_BLOCKED_NONE;
    if (p) {
        c->dispatchers += p->dispatchers;
        c->moves += p->moves;
        c->stuck += p->stuck;
        bool has_lag = p->bootstrapped && (p->dispatchers > 0 || p->moves > 0);
        c->lag_ms = has_lag && p->lag_ms > c->lag_ms ? p->lag_ms : c->lag_ms;
        c->is_lag_known |= has_lag;
    }
    if (sl__op_names(feed, node))
        why = SL_BLOCKED_OPERATOR_ON_TARGET;
    if (feed->node == node)
        why = SL_BLOCKED_MAINTAINER_ON_TARGET;
    counts_describe(c, feed, why != SL_BLOCKED_NONE ? why : counts_busy(p), p);
}

void sl_feeds_count(const struct sl_feeds *f, sl_node_ref node, const struct sl_drain_target *target,
                    struct sl_feeds_on_node *counts)
{
    *counts = (struct sl_feeds_on_node){ .bound = f->nodes[node].bound.count,
                                         .operators = f->nodes[node].operators,
                                         .why = SL_BLOCKED_NONE };
    for (const struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        if (!feed->unreadable)
            counts_add(f, feed, node, target->epoch, counts);
    }
}

/* ---- what takes longest ---- */

static void counts_fill_slow(const struct sl_feeds *f, sl_ns now, const struct sl__feed *feed,
                             const struct sl__progress *p, struct sl_drain_slow *row)
{
    struct sl_text t;
    *row = (struct sl_drain_slow){ .span = p->slowest.id, .age_ms = (uint64_t)((now - p->slowest.since) / SL_MS) };
    sl_text_init(&t, row->feed, sizeof row->feed);
    sl_text_cstr(&t, SL__FEED_KEYSPACE "/");
    sl_text_str(&t, sl_feed_id_name(&feed->record.id));
    sl_text_init(&t, row->phase, sizeof row->phase);
    sl_text_cstr(&t, p->slowest.phase);
    if (p->slowest.waits_for != SL_NODE_NONE)
        row->waits_for = *sl_members_id(f->opts.members, p->slowest.waits_for);
}

uint32_t sl_feeds_slowest(const struct sl_feeds *f, sl_ns now, sl_node_ref node, uint64_t epoch,
                          struct sl_drain_slow *rows, uint32_t max)
{
    uint32_t count = 0;
    for (const struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        const struct sl__progress *p = counts_progress(feed, node, epoch);
        if (!p || sl_dispatcher_id_is_none(p->slowest.id))
            continue;
        struct sl_drain_slow row;
        counts_fill_slow(f, now, feed, p, &row);
        uint32_t at = count < max ? count++ : max;
        for (; at > 0 && rows[at - 1].age_ms < row.age_ms; at--) {
            if (at < max)
                rows[at] = rows[at - 1];
        }
        if (at < max)
            rows[at] = row;
    }
    return count;
}

/* ---- plan ---- */

/* Spreads "amount" so that the least loaded get most: fills them up to one level, the rest one by one from the first. */
static uint32_t plan_level(const struct sl_plan_move *rows, uint32_t count, bool dispatchers, uint64_t amount)
{
    uint64_t low = 0, high = UINT32_MAX;
    while (low < high) { /* the highest level that amount can fill */
        uint64_t level = low + (high - low + 1) / 2, needed = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t load = dispatchers ? rows[i].dispatchers_before : rows[i].maintainers_before;
            needed += rows[i].is_eligible && load < level ? level - load : 0;
        }
        if (needed <= amount)
            low = level;
        else
            high = level - 1;
    }
    return (uint32_t)low;
}

static void plan_spread(struct sl_plan_move *rows, uint32_t count, bool dispatchers, uint64_t amount)
{
    uint32_t level = plan_level(rows, count, dispatchers, amount);
    for (uint32_t pass = 0; pass < 2; pass++) { /* up to the level, then the rest */
        for (uint32_t i = 0; i < count && amount > 0; i++) {
            uint32_t *after = dispatchers ? &rows[i].dispatchers_after : &rows[i].maintainers_after;
            uint32_t wanted = pass == 0 ? level : level + 1;
            if (!rows[i].is_eligible || *after >= wanted)
                continue;
            amount -= wanted - *after;
            *after = wanted;
        }
    }
}

static struct sl_plan_move plan_row(const struct sl_feeds *f, sl_ns now, sl_node_ref node, sl_node_ref target)
{
    const struct sl_self_report *self = &sl_nodes_at(f->opts.nodes, node)->self;
    uint32_t maintainers = f->nodes[node].bound.count, dispatchers = self->valid ? self->dispatchers : 0;
    bool is_target = node == target;
    return (struct sl_plan_move){ .node = *sl_members_id(f->opts.members, node),
                                  .maintainers_before = maintainers,
                                  .maintainers_after = is_target ? 0 : maintainers,
                                  .dispatchers_before = dispatchers,
                                  .dispatchers_after = is_target ? 0 : dispatchers,
                                  .is_target = is_target,
                                  .is_eligible = !is_target && sl__feeds_may_place_at(f, now, node) };
}

uint32_t sl_feeds_plan(const struct sl_feeds *f, sl_ns now, sl_node_ref target, struct sl_plan_move *rows, uint32_t max)
{
    uint32_t count = 0, eligible = 0;
    uint64_t maintainers = 0, dispatchers = 0;
    for (sl_node_ref node = SL_NODE_NONE; (node = sl_members_next(f->opts.members, node)) != SL_NODE_NONE;) {
        if (count == max)
            break;
        rows[count] = plan_row(f, now, node, target);
        eligible += rows[count].is_eligible;
        maintainers += rows[count].is_target ? rows[count].maintainers_before : 0;
        dispatchers += rows[count].is_target ? rows[count].dispatchers_before : 0;
        count++;
    }
    if (eligible > 0) {
        plan_spread(rows, count, false, maintainers);
        plan_spread(rows, count, true, dispatchers);
    }
    return count;
}
