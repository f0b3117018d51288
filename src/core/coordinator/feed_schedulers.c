/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

/*
 * Who goes where. Three schedulers, each with its own limit of operators in flight, so that none starves another:
 *
 *   basic     absent feeds, oldest first, each to the eligible node with the least feeds at that moment
 *   drain     off every draining node: one feed of each origin per round, to the eligible node with the least feeds
 *   balance   every balance_ns, when nothing else goes on, until no eligible node is below the average
 *
 * Only draining nodes are excluded while something drains; the rest of the cluster goes on being scheduled (the
 * reference freezes it). Balance waits: it would undo what a drain does.
 */
#define SCHEDULERS_ROOM_MIN 16u /* messages an outbox must have left to begin one more */

/* ---- destinations ---- */

/* F6. A node that holds another target than the current ones has not acknowledged a clear yet (drains.h N5). */
bool sl__feeds_will_place(const struct sl_feeds *f, sl_ns now, sl_node_ref node)
{
    return !f->is_halting && sl_members_is_alive(f->opts.members, node) && !f->nodes[node].draining &&
           sl_nodes_at(f->opts.nodes, node)->liveness == SL_LIVENESS_ALIVE &&
           !sl_nodes_is_unknown(f->opts.nodes, now, node);
}

bool sl__feeds_may_place_at(const struct sl_feeds *f, sl_ns now, sl_node_ref node)
{
    if (!sl__feeds_will_place(f, now, node))
        return false;
    const struct sl_observed *o = sl_nodes_at(f->opts.nodes, node);
    if (!o->bootstrapped || o->is_held_back)
        return false;
    for (uint32_t i = 0; i < f->target_count; i++) {
        if (!sl_nodes_has_acked(f->opts.nodes, node, &f->targets[i]))
            return false;
    }
    return o->acked_count <= f->target_count;
}

bool sl__feeds_may_place(const struct sl_feeds *f, sl_node_ref node)
{
    return sl__feeds_may_place_at(f, f->now, node);
}

uint32_t sl__feeds_load(const struct sl_feeds *f, sl_node_ref node)
{
    return f->nodes[node].bound.count + f->nodes[node].incoming;
}

sl_node_ref sl__feeds_choose(const struct sl_feeds *f, sl_node_ref except, sl_node_ref avoid)
{
    sl_node_ref best = SL_NODE_NONE;
    for (sl_node_ref node = SL_NODE_NONE; (node = sl_members_next(f->opts.members, node)) != SL_NODE_NONE;) {
        bool better = best == SL_NODE_NONE || sl__feeds_load(f, node) < sl__feeds_load(f, best);
        if (better && node != except && node != avoid && sl__feeds_may_place(f, node))
            best = node;
    }
    return best;
}

/* ---- helpers ---- */

static void schedulers_look_again(struct sl_feeds *f, sl_ns delay)
{
    f->schedule_at = sl_ns_min(f->schedule_at, sl_ns_after(f->now, delay));
}

static bool schedulers_has_room(struct sl_feeds *f, const struct sl_outbox *out)
{
    if (sl_outbox_room(out) >= SCHEDULERS_ROOM_MIN)
        return true;
    schedulers_look_again(f, SL__FEEDS_ROOM_NS);
    return false;
}

static void schedulers_on_nowhere(struct sl_feeds *f, const struct sl__feed *feed, struct sl_outbox *out)
{
    if (!f->said_no_destination)
        sl_out_event(out, SL_EV_FEED_NO_DESTINATION, sl__feed_field(feed), sl__node_field(f, "node", feed->node));
    f->said_no_destination = true;
    schedulers_look_again(f, SL__FEED_RETRY_NS);
}

static bool schedulers_is_movable(const struct sl__feed *feed)
{
    return feed->place == SL__PLACE_REPLICATING && feed->op.kind == SL__OP_IDLE && feed->stop == SL__STOP_NONE &&
           sl__feed_is_runnable(feed);
}

/* The one that was bound longest, so that the same inputs give the same moves. */
static struct sl__feed *schedulers_first_movable(const struct sl_feeds *f, sl_node_ref node)
{
    for (uint32_t h = f->nodes[node].bound.head; h != 0;
         h = sl_list_next(&f->slab, offsetof(struct sl__feed, of_node), h)) {
        struct sl__feed *feed = sl__feed_at(f, h);
        if (schedulers_is_movable(feed))
            return feed;
    }
    return NULL;
}

static void schedulers_move(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref dest, enum sl__slot slot,
                            struct sl_outbox *out)
{
    sl__op_move(f, feed, dest, slot, out);
    sl__feed_react(f, feed, out);
    f->said_no_destination = false;
}

/* ---- basic ---- */

static void basic_run(struct sl_feeds *f, struct sl_outbox *out)
{
    while (f->ready.count > 0 && f->slots[SL__SLOT_BASIC] < f->opts.batch && schedulers_has_room(f, out)) {
        struct sl__feed *feed = sl__feed_at(f, f->ready.head);
        sl_node_ref dest = sl__feeds_choose(f, SL_NODE_NONE, feed->avoid);
        if (dest == SL_NODE_NONE && feed->avoid != SL_NODE_NONE)
            dest = sl__feeds_choose(f, SL_NODE_NONE, SL_NODE_NONE);
        if (dest == SL_NODE_NONE) {
            schedulers_on_nowhere(f, feed, out);
            return;
        }
        sl__op_add(f, feed, dest, SL__SLOT_BASIC, out);
        sl__feed_react(f, feed, out);
        f->said_no_destination = false;
    }
}

/* ---- drain ---- */

/* The draining node after this one with something to move, around the end; or none. */
static sl_node_ref drain_next_origin(const struct sl_feeds *f, sl_node_ref after)
{
    for (uint32_t step = 1; step <= f->ref_max; step++) {
        sl_node_ref node = (after + step - 1) % f->ref_max + 1;
        if (f->nodes[node].draining && schedulers_first_movable(f, node))
            return node;
    }
    return SL_NODE_NONE;
}

static void drain_run(struct sl_feeds *f, struct sl_outbox *out)
{
    while (f->draining_count > 0 && f->slots[SL__SLOT_DRAIN] < f->opts.batch && schedulers_has_room(f, out)) {
        sl_node_ref origin = drain_next_origin(f, f->drain_cursor);
        if (origin == SL_NODE_NONE)
            return;
        struct sl__feed *feed = schedulers_first_movable(f, origin);
        sl_node_ref dest = sl__feeds_choose(f, origin, SL_NODE_NONE);
        if (dest == SL_NODE_NONE) {
            schedulers_on_nowhere(f, feed, out);
            return;
        }
        schedulers_move(f, feed, dest, SL__SLOT_DRAIN, out);
        f->drain_cursor = origin;
    }
}

/* ---- balance ---- */

uint32_t sl__balance_needed(const uint32_t *loads, uint32_t count)
{
    uint64_t total = 0;
    uint32_t needed = 0;
    for (uint32_t i = 0; i < count; i++)
        total += loads[i];
    uint32_t floor = count > 0 ? (uint32_t)(total / count) : 0;
    for (uint32_t i = 0; i < count; i++)
        needed += loads[i] < floor ? floor - loads[i] : 0;
    return needed;
}

struct balance_nodes { /* eligible ones */
    uint32_t count;
    sl_node_ref *refs;
    uint32_t *loads;
};

void sl__balance_look_at_nodes(struct sl_feeds *f)
{
    bool any = false;
    for (sl_node_ref node = SL_NODE_NONE; !any && (node = sl_members_next(f->opts.members, node)) != SL_NODE_NONE;)
        any = f->nodes[node].draining || sl_nodes_at(f->opts.nodes, node)->liveness != SL_LIVENESS_ALIVE;
    if (any)
        f->balance_blocked_until = sl_ns_after(f->now, f->opts.balance_ns);
}

static bool balance_collect(struct sl_feeds *f, struct balance_nodes *n)
{
    sl_arena_reset(&f->scratch);
    n->count = 0;
    n->refs = sl_arena_alloc(&f->scratch, f->ref_max * sizeof *n->refs);
    n->loads = sl_arena_alloc(&f->scratch, f->ref_max * sizeof *n->loads);
    if (!n->refs || !n->loads)
        return false;
    for (sl_node_ref node = SL_NODE_NONE; (node = sl_members_next(f->opts.members, node)) != SL_NODE_NONE;) {
        if (!sl__feeds_may_place(f, node))
            continue;
        n->refs[n->count] = node;
        n->loads[n->count++] = sl__feeds_load(f, node);
    }
    return true;
}

/* False: it would help nobody, or nothing can be moved. */
static bool balance_move_one(struct sl_feeds *f, struct balance_nodes *n, struct sl_outbox *out)
{
    uint32_t most = 0, least = 0;
    for (uint32_t i = 1; i < n->count; i++) {
        most = n->loads[i] > n->loads[most] ? i : most;
        least = n->loads[i] < n->loads[least] ? i : least;
    }
    struct sl__feed *feed = n->loads[most] > n->loads[least] + 1 ? schedulers_first_movable(f, n->refs[most]) : NULL;
    if (!feed)
        return false;
    n->loads[most]--;
    n->loads[least]++;
    schedulers_move(f, feed, n->refs[least], SL__SLOT_BALANCE, out);
    return true;
}

static void balance_run(struct sl_feeds *f, struct sl_outbox *out)
{
    struct balance_nodes n;
    if (f->now < f->balance_at)
        return;
    f->balance_at = sl_ns_after(f->now, f->opts.balance_ns);
    sl__balance_look_at_nodes(f);
    bool quiet = f->ops.count == 0 && f->ready.count == 0 && f->now >= f->balance_blocked_until;
    if (!quiet || !balance_collect(f, &n))
        return;
    uint32_t left = sl_u32_min(sl__balance_needed(n.loads, n.count), f->opts.batch);
    while (left > 0 && schedulers_has_room(f, out) && balance_move_one(f, &n, out))
        left--;
}

/* ---- all ---- */

void sl__feed_schedulers_start(struct sl_feeds *f)
{
    f->schedule_at = f->now;
    f->balance_at = sl_ns_after(f->now, f->opts.balance_ns);
}

void sl__feeds_schedule(struct sl_feeds *f, struct sl_outbox *out)
{
    if (f->now >= f->schedule_at) {
        f->schedule_at = SL_NEVER;
        basic_run(f, out);
        drain_run(f, out);
    }
    balance_run(f, out);
}

sl_ns sl__feed_schedulers_deadline(const struct sl_feeds *f)
{
    return sl_ns_min(f->schedule_at, f->balance_at);
}
