/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/control_internal.h"

/*
 * The pacing of the reference control plane, so that a comparison runs in the same simulator with the same faults: a
 * fixed number of moves in flight, started in rounds; operators polled by an executor every 200 ms, and each again
 * only 500 ms after its last poll (so every 600 ms); a maintainer on the target leaves the dispatchers alone. It knows one
 * target at a time: of several the first is served.
 * Operators end when the report arrives, not at the next poll: a little faster than the reference.
 */
#define REFERENCE_ROUND_NS (200 * SL_MS)
#define REFERENCE_EXECUTOR_NS (200 * SL_MS)
#define REFERENCE_NOTIFY_NS (600 * SL_MS)
#define REFERENCE_LIMIT_MIN 10u

uint32_t sl__reference_limit(uint32_t spans_on_target)
{
    return sl_u32_max(REFERENCE_LIMIT_MIN, spans_on_target / 100 + (spans_on_target % 100 != 0));
}

sl_ns sl__reference_send_at(sl_ns started_at, sl_ns now)
{
    sl_ns first = (started_at / REFERENCE_EXECUTOR_NS + 1) * REFERENCE_EXECUTOR_NS;
    if (now < first)
        return first;
    return first + ((now - first) / REFERENCE_NOTIFY_NS + 1) * REFERENCE_NOTIFY_NS;
}

void sl__reference_drain_run(struct sl_control *c, struct sl_outbox *out)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    struct sl_drain *first = &d->targets[0];
    if (d->retry_at != SL_NEVER && c->now < d->retry_at)
        return;
    d->retry_at = sl_ns_after(c->now, REFERENCE_ROUND_NS);
    if (first->node == sl_members_self(c->members) || sl_load_eligible_count(&c->load) == 0)
        return;
    if (first->limit == 0)
        first->limit = sl__reference_limit(sl_spans_bound_count(&c->spans, first->node));
    uint32_t in_flight = control_node_at(c, first->node)->moves_from;
    uint32_t slots = first->limit > in_flight ? first->limit - in_flight : 0;
    sl__drain_start_moves(c, 1, sl_u32_min(slots, c->limits.create_batch), out);
}
