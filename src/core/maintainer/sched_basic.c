/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/control_internal.h"

#define BASIC_RETRY_NS (100 * SL_MS)

static bool basic_has_work(const struct sl_control *c)
{
    return c->spans.absent.count > 0 && c->operators.slab.count < c->limits.create_batch &&
           sl_load_eligible_count(&c->load) > 0;
}

/*
 * Absent spans, oldest first: each on the node that has least at that moment, so that a batch is spread evenly. The
 * node that just failed to run a span gets it again only by the retry timer: else the two would toss it to and fro as
 * fast as messages travel.
 */
void sl__basic_run(struct sl_control *c, struct sl_outbox *out)
{
    bool last_resort = c->now >= c->schedulers.basic_retry_at;
    sl_ns retry_at = SL_NEVER;
    for (uint32_t left = c->spans.absent.count; left > 0 && basic_has_work(c); left--) {
        if (!sl__control_can_send(c, out)) {
            retry_at = sl__control_retry_at(c);
            break;
        }
        uint32_t span = c->spans.absent.head;
        sl_node_ref dest = sl__schedulers_choose(c, span, last_resort);
        if (dest == SL_NODE_NONE) {
            sl_spans_move_back(&c->spans, span); /* no node may take it now: it shall not hold up the others */
            retry_at = sl_ns_after(c->now, BASIC_RETRY_NS);
        } else if (sl__operator_add(c, span, dest, false, out) != SL_OK) {
            retry_at = sl_ns_after(c->now, BASIC_RETRY_NS);
            break;
        }
    }
    /* A timer that runs is not put off by what happens meanwhile. */
    if (!last_resort && retry_at != SL_NEVER)
        retry_at = sl_ns_min(retry_at, c->schedulers.basic_retry_at);
    c->schedulers.basic_retry_at = retry_at;
}

sl_ns sl__basic_deadline(const struct sl_control *c)
{
    if (!basic_has_work(c))
        return SL_NEVER;
    /* Work that the last run did not see came by a call that had no outbox. */
    return c->schedulers.basic_retry_at == SL_NEVER ? c->now : c->schedulers.basic_retry_at;
}
