/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/maintainer_internal.h"

/*
 * The lag of a feed: the age of the oldest change that any of its nodes has read and not made durable. While spans move
 * it may grow, up to a budget; beyond that the node's pacer is told, and fewer spans move at a time. One may always
 * move: a feed whose lag has another cause must not keep a node from being stopped.
 */
#define LAG_BUDGET_MIN_MS 1000u
#define LAG_BUDGET_FACTOR 2u /* of the lag when the drain began */

uint64_t sl__lag_worst_ms(const struct sl_maintainer *m)
{
    uint64_t worst = 0;
    for (sl_node_ref ref = sl_members_next(m->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(m->opts.members, ref))
        worst = m->nodes[ref].lag_ms > worst ? m->nodes[ref].lag_ms : worst;
    return worst;
}

static uint64_t lag_default_budget_ms(const struct sl_maintainer *m)
{
    uint64_t at_start = m->lag_at_start_ms;
    uint64_t grown = at_start > UINT64_MAX / LAG_BUDGET_FACTOR ? UINT64_MAX : at_start * LAG_BUDGET_FACTOR;
    return grown > LAG_BUDGET_MIN_MS ? grown : LAG_BUDGET_MIN_MS;
}

/* Of all drains the strictest. */
static uint64_t lag_budget_ms(const struct sl_maintainer *m)
{
    uint64_t budget = UINT64_MAX;
    for (uint32_t i = 0; i < m->targets.count; i++) {
        uint64_t wanted = m->targets.targets[i].lag_budget_ms;
        wanted = wanted != 0 ? wanted : lag_default_budget_ms(m);
        budget = wanted < budget ? wanted : budget;
    }
    return budget;
}

void sl__lag_begin(struct sl_maintainer *m)
{
    m->lag_at_start_ms = sl__lag_worst_ms(m);
}

void sl__lag_note(struct sl_maintainer *m, sl_node_ref from, uint64_t lag_ms)
{
    sl__maintainer_node(m, from)->lag_ms = lag_ms;
    if (m->targets.count > 0 && m->control && lag_ms > lag_budget_ms(m))
        sl_control_over_budget(m->control, m->now);
}
