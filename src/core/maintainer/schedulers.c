/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/control_internal.h"

void sl__schedulers_start(struct sl_control *c)
{
    c->schedulers.basic_retry_at = c->schedulers.drain.retry_at = SL_NEVER;
    c->schedulers.balance_at = sl_ns_after(c->now, c->limits.balance_ns);
}

void sl__schedulers_run(struct sl_control *c, struct sl_outbox *out)
{
    if (c->mode != CONTROL_RUNNING)
        return;
    sl__basic_run(c, out);
    sl__drain_run(c, out);
    sl__balance_run(c, out);
}

sl_ns sl__schedulers_deadline(const struct sl_control *c)
{
    if (c->mode != CONTROL_RUNNING)
        return SL_NEVER;
    return sl_ns_min(sl__basic_deadline(c), sl_ns_min(sl__drain_deadline(c), sl__balance_deadline(c)));
}

static bool schedulers_may_take(const struct sl_control *c, const struct sl_span *span, sl_node_ref node, bool any)
{
    bool avoided = span->avoid != 0 && span->avoid == control_node_at(c, node)->incarnation;
    return (any || !avoided) && sl__control_may_place(c, span->id, node);
}

/* All nodes, one by one: only when the least loaded one will not do, which is rare. */
static sl_node_ref schedulers_search(const struct sl_control *c, const struct sl_span *span, bool any)
{
    sl_node_ref best = SL_NODE_NONE;
    for (sl_node_ref node = SL_NODE_NONE; (node = sl_members_next(c->members, node)) != SL_NODE_NONE;) {
        bool better = best == SL_NODE_NONE || sl_load_of(&c->load, node) < sl_load_of(&c->load, best);
        if (better && schedulers_may_take(c, span, node, any))
            best = node;
    }
    return best;
}

sl_node_ref sl__schedulers_choose(const struct sl_control *c, uint32_t span, bool last_resort)
{
    const struct sl_span *s = sl_spans_at(&c->spans, span);
    sl_node_ref least = sl_load_least(&c->load);
    if (least == SL_NODE_NONE || schedulers_may_take(c, s, least, false))
        return least;
    sl_node_ref node = schedulers_search(c, s, false);
    return node == SL_NODE_NONE && last_resort ? schedulers_search(c, s, true) : node;
}
