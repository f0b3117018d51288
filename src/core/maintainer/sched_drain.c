/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/control_internal.h"

#define DRAIN_POLL_NS (50 * SL_MS) /* others may free room of the shared pacer, which makes no call here */

static bool drain_has_work(const struct sl_control *c)
{
    sl_node_ref target = c->schedulers.drain.target;
    return target != SL_NODE_NONE && sl_spans_idle_count(&c->spans, target) > 0;
}

void sl__drain_set_target(struct sl_control *c, sl_node_ref target, uint64_t epoch)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    sl_node_ref old = d->target;
    if (target == old && epoch == d->epoch)
        return;
    *d = (struct sl_drain_state){ .target = target, .epoch = epoch, .retry_at = SL_NEVER, .joined = d->joined };
    if (old != SL_NODE_NONE && target == SL_NODE_NONE)
        c->schedulers.balance_blocked_until = sl_ns_after(c->now, c->limits.balance_pause_ns);
}

void sl__drain_join_or_leave(struct sl_control *c)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    bool wanted = c->mode == CONTROL_RUNNING && !c->limits.reference_pacing && d->target != SL_NODE_NONE &&
                  sl_spans_bound_count(&c->spans, d->target) > 0;
    if (wanted == d->joined)
        return;
    d->joined = wanted;
    if (wanted)
        sl_pacer_join(c->pacer);
    else
        sl_pacer_leave(c->pacer);
}

static void drain_say(const struct sl_control *c, enum sl_event_id id, struct sl_outbox *out)
{
    const struct sl_drain_state *d = &c->schedulers.drain;
    sl_out_event_fields(out, id,
                        (const struct sl_field[]){ sl__control_field_feed(c),
                                                   sl__control_field_node(c, "target", d->target),
                                                   sl_f_u64("epoch", d->epoch),
                                                   sl_f_u64("spans", sl_spans_bound_count(&c->spans, d->target)) },
                        4);
}

/* Evacuated: nothing is bound to the target, and nothing that was dropped still runs there. */
static void drain_report(struct sl_control *c, struct sl_outbox *out)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    bool has_spans = sl_spans_bound_count(&c->spans, d->target) > 0;
    d->had_spans |= has_spans;
    if (d->had_spans && !has_spans && !d->said_evacuated && control_node_at(c, d->target)->stopping == 0) {
        d->said_evacuated = true;
        drain_say(c, SL_EV_DRAIN_EVACUATED, out);
    }
    if (!d->said_no_destination && drain_has_work(c) && sl_load_eligible_count(&c->load) == 0) {
        d->said_no_destination = true;
        drain_say(c, SL_EV_DRAIN_NO_DESTINATION, out);
    }
}

uint32_t sl__drain_start_moves(struct sl_control *c, uint32_t max, struct sl_outbox *out)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    bool paced = !c->limits.reference_pacing;
    uint32_t started = 0;
    for (uint32_t left = sl_spans_idle_count(&c->spans, d->target); left > 0 && started < max; left--) {
        if (!sl__control_can_send(c, out)) {
            d->retry_at = sl__control_retry_at(c);
            break;
        }
        uint32_t span = sl_spans_first_idle(&c->spans, d->target);
        sl_node_ref dest = sl__schedulers_choose(c, span, true);
        if (dest == SL_NODE_NONE)
            sl_spans_move_back(&c->spans, span); /* no node may take it now: it shall not hold up the others */
        else if (sl__operator_move(c, span, dest, paced, "drain", out) != SL_OK)
            break;
        else
            started++;
    }
    return started;
}

static uint32_t drain_room(const struct sl_control *c)
{
    return sl_pacer_room(c->pacer, c->operators.paced_count);
}

void sl__drain_run(struct sl_control *c, struct sl_outbox *out)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    sl__drain_join_or_leave(c);
    if (d->target == SL_NODE_NONE)
        return;
    drain_report(c, out);
    if (c->limits.reference_pacing) {
        sl__reference_drain_run(c, out);
        return;
    }
    d->retry_at = SL_NEVER;
    if (!drain_has_work(c) || sl_load_eligible_count(&c->load) == 0)
        return;
    d->retry_at = sl_ns_after(c->now, DRAIN_POLL_NS);
    sl__drain_start_moves(c, drain_room(c), out);
}

sl_ns sl__drain_deadline(const struct sl_control *c)
{
    const struct sl_drain_state *d = &c->schedulers.drain;
    if (!drain_has_work(c) || sl_load_eligible_count(&c->load) == 0)
        return SL_NEVER;
    /* Work that the last run did not see came by a call that had no outbox. */
    return d->retry_at == SL_NEVER ? c->now : d->retry_at;
}
