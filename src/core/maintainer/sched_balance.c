/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/control_internal.h"

/*
 * Levels the number of spans per eligible node, when nothing else is going on in the feed. Spans are taken from the
 * head of the largest node's idle list instead of at random: which one moves does not matter to the counts, the head is
 * the one that has been there longest, and equal inputs give equal moves.
 */
static bool balance_is_quiet(const struct sl_control *c)
{
    return c->schedulers.drain.count == 0 && c->now >= c->schedulers.balance_blocked_until &&
           c->operators.slab.count == 0 && sl_spans_absent_count(&c->spans) == 0;
}

/* Until no eligible node is below their average, rounded down. */
static uint32_t balance_moves_needed(const struct sl_control *c)
{
    uint64_t total = 0;
    for (sl_node_ref node = 1; node <= c->ref_max; node++)
        total += sl_load_is_eligible(&c->load, node) ? sl_load_of(&c->load, node) : 0;
    uint32_t count = sl_load_eligible_count(&c->load), needed = 0;
    uint32_t floor = count > 0 ? (uint32_t)(total / count) : 0;
    for (sl_node_ref node = 1; node <= c->ref_max; node++) {
        uint32_t load = sl_load_of(&c->load, node);
        needed += sl_load_is_eligible(&c->load, node) && load < floor ? floor - load : 0;
    }
    return needed;
}

/* The eligible node with most idle spans: these shrink with every move that starts, unlike what is bound. */
static sl_node_ref balance_largest(const struct sl_control *c)
{
    sl_node_ref largest = SL_NODE_NONE;
    uint32_t most = 0;
    for (sl_node_ref node = 1; node <= c->ref_max; node++) {
        uint32_t idle = sl_spans_idle_count(&c->spans, node);
        if (sl_load_is_eligible(&c->load, node) && idle > most) {
            largest = node;
            most = idle;
        }
    }
    return largest;
}

/* From the largest to the least loaded, which counts what is on the way already. */
static bool balance_move_one(struct sl_control *c, struct sl_outbox *out)
{
    sl_node_ref origin = balance_largest(c), dest = sl_load_least(&c->load);
    if (origin == SL_NODE_NONE || origin == dest)
        return false;
    uint32_t span = sl_spans_first_idle(&c->spans, origin);
    return sl__control_may_place(c, sl_spans_at(&c->spans, span)->id, dest) &&
           sl__operator_move(c, span, dest, false, "balance", out) == SL_OK;
}

void sl__balance_run(struct sl_control *c, struct sl_outbox *out)
{
    if (c->now < c->schedulers.balance_at)
        return;
    c->schedulers.balance_at = sl_ns_after(c->now, c->limits.balance_ns);
    if (!balance_is_quiet(c))
        return;
    uint32_t left = sl_u32_min(balance_moves_needed(c), c->limits.balance_batch);
    while (left > 0 && balance_move_one(c, out))
        left--;
}

sl_ns sl__balance_deadline(const struct sl_control *c)
{
    return c->schedulers.balance_at;
}
