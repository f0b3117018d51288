/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/control_internal.h"

#define DRAIN_POLL_NS (50 * SL_MS) /* others may free room of the shared pacer, which makes no call here */

static bool drain_has_work_at(const struct sl_control *c, const struct sl_drain *drain)
{
    return sl_spans_idle_count(&c->spans, drain->node) > 0;
}

static bool drain_has_work(const struct sl_control *c)
{
    const struct sl_drain_state *d = &c->schedulers.drain;
    for (uint32_t i = 0; i < d->count; i++) {
        if (drain_has_work_at(c, &d->targets[i]))
            return true;
    }
    return false;
}

/* ---- the targets ---- */

static const struct sl_drain *drain_find(const struct sl_drain_state *d, sl_node_ref node)
{
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->targets[i].node == node)
            return &d->targets[i];
    }
    return NULL;
}

bool sl__drain_is_target(const struct sl_control *c, sl_node_ref node)
{
    return drain_find(&c->schedulers.drain, node) != NULL;
}

static void drain_changed(struct sl_control *c)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    d->retry_at = SL_NEVER;
    if (d->count == 0)
        c->schedulers.balance_blocked_until = sl_ns_after(c->now, c->limits.balance_pause_ns);
}

void sl__drain_set_targets(struct sl_control *c, const struct sl_control_target *targets, uint32_t count)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    const struct sl_drain_state old = *d;
    uint32_t held_count = 0;
    SL_REQUIRE(count <= SL_TARGETS_MAX);
    d->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!sl_members_is_alive(c->members, targets[i].node))
            continue;
        const struct sl_drain *held = drain_find(&old, targets[i].node);
        bool is_held = held && held->epoch == targets[i].epoch;
        held_count += is_held;
        d->targets[d->count++] =
            is_held ? *held : (struct sl_drain){ .node = targets[i].node, .epoch = targets[i].epoch };
    }
    if (held_count != d->count || held_count != old.count)
        drain_changed(c);
}

void sl__drain_drop_target(struct sl_control *c, sl_node_ref node)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    const struct sl_drain *dropped = drain_find(d, node);
    if (!dropped)
        return;
    d->count--;
    for (size_t i = (size_t)(dropped - d->targets); i < d->count; i++)
        d->targets[i] = d->targets[i + 1];
    drain_changed(c);
}

/* ---- the pacer ---- */

static bool drain_has_spans(const struct sl_control *c)
{
    const struct sl_drain_state *d = &c->schedulers.drain;
    for (uint32_t i = 0; i < d->count; i++) {
        if (sl_spans_bound_count(&c->spans, d->targets[i].node) > 0)
            return true;
    }
    return false;
}

void sl__drain_join_or_leave(struct sl_control *c)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    bool wanted = c->mode == CONTROL_RUNNING && !c->limits.reference_pacing && drain_has_spans(c);
    if (wanted == d->joined)
        return;
    d->joined = wanted;
    if (wanted)
        sl_pacer_join(c->pacer);
    else
        sl_pacer_leave(c->pacer);
}

/* ---- news ---- */

static void drain_say(const struct sl_control *c, const struct sl_drain *drain, enum sl_event_id id,
                      struct sl_outbox *out)
{
    sl_out_event_fields(out, id,
                        (const struct sl_field[]){ sl__control_field_feed(c),
                                                   sl__control_field_node(c, "target", drain->node),
                                                   sl_f_u64("epoch", drain->epoch),
                                                   sl_f_u64("spans", sl_spans_bound_count(&c->spans, drain->node)) },
                        4);
}

/* Evacuated: nothing is bound to the target, and nothing that was dropped still runs there. */
static void drain_report(struct sl_control *c, struct sl_drain *drain, struct sl_outbox *out)
{
    bool has_spans = sl_spans_bound_count(&c->spans, drain->node) > 0;
    drain->had_spans |= has_spans;
    if (drain->had_spans && !has_spans && !drain->said_evacuated && control_node_at(c, drain->node)->stopping == 0) {
        drain->said_evacuated = true;
        drain_say(c, drain, SL_EV_DRAIN_EVACUATED, out);
    }
    if (!drain->said_no_destination && drain_has_work_at(c, drain) && sl_load_eligible_count(&c->load) == 0) {
        drain->said_no_destination = true;
        drain_say(c, drain, SL_EV_DRAIN_NO_DESTINATION, out);
    }
}

/* ---- moves ---- */

/* The next in turn with spans left to look at, or target_count. */
static uint32_t drain_next(struct sl_drain_state *d, uint32_t target_count, const uint32_t left[])
{
    for (uint32_t tried = 0; tried < target_count; tried++) {
        uint32_t i = d->turn % target_count;
        d->turn = i + 1;
        if (left[i] > 0)
            return i;
    }
    return target_count;
}

uint32_t sl__drain_start_moves(struct sl_control *c, uint32_t target_count, uint32_t max, struct sl_outbox *out)
{
    struct sl_drain_state *d = &c->schedulers.drain;
    bool paced = !c->limits.reference_pacing;
    uint32_t left[SL_TARGETS_MAX]; /* idle spans of each that were not looked at in this call */
    uint32_t started = 0, i;
    SL_REQUIRE(target_count <= d->count);
    for (i = 0; i < target_count; i++)
        left[i] = sl_spans_idle_count(&c->spans, d->targets[i].node);
    while (started < max && (i = drain_next(d, target_count, left)) < target_count) {
        if (!sl__control_can_send(c, out)) {
            d->retry_at = sl__control_retry_at(c);
            break;
        }
        left[i]--;
        uint32_t span = sl_spans_first_idle(&c->spans, d->targets[i].node);
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
    if (d->count == 0)
        return;
    for (uint32_t i = 0; i < d->count; i++)
        drain_report(c, &d->targets[i], out);
    if (c->limits.reference_pacing) {
        sl__reference_drain_run(c, out);
        return;
    }
    d->retry_at = SL_NEVER;
    if (!drain_has_work(c) || sl_load_eligible_count(&c->load) == 0)
        return;
    d->retry_at = sl_ns_after(c->now, DRAIN_POLL_NS);
    sl__drain_start_moves(c, d->count, drain_room(c), out);
}

sl_ns sl__drain_deadline(const struct sl_control *c)
{
    const struct sl_drain_state *d = &c->schedulers.drain;
    if (!drain_has_work(c) || sl_load_eligible_count(&c->load) == 0)
        return SL_NEVER;
    /* Work that the last run did not see came by a call that had no outbox. */
    return d->retry_at == SL_NEVER ? c->now : d->retry_at;
}
