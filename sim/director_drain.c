/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/director_internal.h"

#include <inttypes.h>
#include <stdarg.h>

#define DIRECTOR_DRAIN_STREAM (UINT64_C(1) << 40)
#define DIRECTOR_EXIT_NS (100 * SL_MS)

static const char *const director_phase_texts[] = {
#define DIRECTOR_PHASE_TEXT(name, text) text,
    SL_SIM_DRAIN_PHASES(DIRECTOR_PHASE_TEXT)
#undef DIRECTOR_PHASE_TEXT
};

const char *sl_sim_drain_phase_text(enum sl_sim_drain_phase phase)
{
    return director_phase_texts[phase];
}

/* ---- the store ---- */

struct sl_sim_drain *sl_sim_drain_of(struct sl_sim *sim, struct sl_str target)
{
    for (uint32_t i = sim->store.drain_count; i > 0; i--) {
        if (sl_str_eq(sl_node_id_str(&sim->store.drains[i - 1].target), target))
            return &sim->store.drains[i - 1];
    }
    return NULL;
}

/* One at a time, oldest first: the protocol's peers know one target. */
struct sl_sim_drain *sl_sim__director_drain(struct sl_sim *sim)
{
    for (uint32_t i = 0; i < sim->store.drain_count; i++) {
        if (sim->store.drains[i].phase != SL_SIM_DRAIN_DONE)
            return &sim->store.drains[i];
    }
    return NULL;
}

bool sl_sim_drain_ask(struct sl_sim *sim, const struct sl_node_id *target)
{
    uint32_t member = sl_sim_members_find(sim, target);
    if (member == SL_SIM_MEMBER_NONE || !sim->members.items[member].is_registered)
        return false;
    const struct sl_sim_drain *running = sl_sim_drain_of(sim, sl_node_id_str(target));
    if (running && running->phase != SL_SIM_DRAIN_DONE)
        return true;
    struct sl_sim_store *s = &sim->store;
    if (s->drain_count == s->drain_cap) {
        uint32_t cap = s->drain_cap > 0 ? s->drain_cap * 2 : 8;
        s->drains = sl_sim_resize(&sim->engine, s->drains, s->drain_cap * sizeof *s->drains, cap * sizeof *s->drains);
        s->drain_cap = cap;
    }
    SL_REQUIRE(s->drains != NULL);
    s->drains[s->drain_count++] = (struct sl_sim_drain){ .target = *target, .asked_at = sim->engine.now };
    return true;
}

static void director_write_phase(struct sl_sim *sim, struct sl_sim_director *d, const struct sl_sim_drain *drain,
                                 enum sl_sim_drain_phase phase)
{
    if (d->write.is_pending || d->version != sim->store.version)
        return;
    d->write.is_pending = true;
    d->write.drain = (uint32_t)(drain - sim->store.drains);
    d->write.phase = phase;
    d->write.durable_at =
        sim->engine.now + sl_sim__director_store_delay(sim, DIRECTOR_DRAIN_STREAM ^ d->write.drain, phase);
}

static void director_judge_safe(struct sl_sim *sim, struct sl_sim_drain *drain)
{
    drain->was_safe = true;
    drain->safe_at = sim->engine.now;
    sim->stats.drains_safe++;
    uint32_t host = sl_sim_find_host(sim, sl_node_id_str(&drain->target));
    if (host == SL_SIM_HOST_NONE || sim->hosts[host].process == 0)
        return;
    struct sl_sim_host *h = &sim->hosts[host];
    sl_sim_oracle_safe(&sim->oracle, h->process, sl_sim_host_work(h));
}

/* A write that became durable takes effect, unless somebody else was elected meanwhile. */
static void director_commit(struct sl_sim *sim, struct sl_sim_director *d)
{
    if (!d->write.is_pending || sim->engine.now < d->write.durable_at)
        return;
    d->write.is_pending = false;
    if (d->version != sim->store.version)
        return;
    struct sl_sim_drain *drain = &sim->store.drains[d->write.drain];
    drain->phase = d->write.phase;
    if (drain->phase == SL_SIM_DRAIN_EVACUATING) {
        drain->epoch = ++sim->store.drain_epoch;
        sl_sim_oracle_drain_epoch_durable(&sim->oracle, drain->epoch);
    } else if (drain->phase == SL_SIM_DRAIN_SAFE) {
        director_judge_safe(sim, drain);
    } else if (drain->phase == SL_SIM_DRAIN_DONE) {
        drain->ended_at = sim->engine.now;
        sim->stats.drains_done++;
    }
    drain->why[0] = 0;
}

static SL_PRINTF(2, 3) void director_say(struct sl_sim_drain *drain, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(drain->why, sizeof drain->why, fmt, args);
    va_end(args);
}

/* ---- target and liveness ---- */

static void director_send_target(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member,
                                 const struct sl_node_id *node, uint64_t epoch)
{
    struct sl_node_id copy = *node; /* the message type wants a pointer it could write to */
    Pb__SetDispatcherDrainTargetRequest request = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    request.target_node_id = copy.text;
    request.target_epoch = epoch;
    sl_sim__director_node(sim, d, member)->target_sent_at = sim->engine.now;
    sl_sim__director_send(sim, d, member, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &request.base);
}

/* Sends the target (none when clearing) to whoever has not acknowledged it. True if everybody has. */
static bool director_push_target(struct sl_sim *sim, struct sl_sim_director *d, struct sl_sim_drain *drain,
                                 bool is_clear, bool sends)
{
    struct sl_drain_target target = { .epoch = drain->epoch };
    if (!is_clear)
        target.node = drain->target;
    bool all_acked = true;
    for (uint32_t member = 0; member < sim->members.count; member++) {
        struct director_node *n = sl_sim__director_node(sim, d, member);
        if (!n->is_tracked || (n->target.epoch == target.epoch && sl_node_id_eq(&n->target.node, &target.node)))
            continue;
        if (all_acked)
            director_say(drain, "%s has not acknowledged epoch %" PRIu64, sim->members.items[member].id.text,
                         drain->epoch);
        all_acked = false;
        if (!sends || !n->is_answered || !sl_sim__director_is_due(sim, n->target_sent_at, DIRECTOR_TARGET_RESEND_NS))
            continue;
        director_send_target(sim, d, member, &target.node, target.epoch);
    }
    return all_acked;
}

static void director_push_liveness(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member, int wanted)
{
    struct director_node *n = sl_sim__director_node(sim, d, member);
    if (n->liveness >= wanted || !n->is_answered ||
        !sl_sim__director_is_due(sim, n->liveness_sent_at, DIRECTOR_LIVENESS_RESEND_NS))
        return;
    n->liveness_sent_at = sim->engine.now;
    Pb__SetNodeLivenessRequest request = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    request.target = wanted == SL_LIVENESS_DRAINING ? PB__NODE_LIVENESS__DRAINING : PB__NODE_LIVENESS__STOPPING;
    request.node_epoch = n->node_epoch;
    sl_sim__director_send(sim, d, member, SL_MSG_SET_NODE_LIVENESS_REQUEST, &request.base);
}

/* ---- zero work ---- */

/* Says in why what the feed still has to do for the drain. True if that is nothing. */
static bool director_feed_is_settled(struct sl_sim *sim, struct sl_sim_director *d, struct sl_sim_drain *drain,
                                     uint32_t feed)
{
    const struct director_feed *f = sl_sim__director_feed(sim, d, feed);
    const struct director_progress *p = &f->progress;
    const char *name = sim->catalog.feeds[feed].id.name;
    if (sim->store.feeds[feed].is_closed)
        return true;
    if (f->state != DIRECTOR_FEED_RUNNING)
        director_say(drain, "feed %s: its maintainer is being moved", name);
    else if (sl_node_id_eq(&sim->members.items[f->owner].id, &drain->target))
        director_say(drain, "feed %s: no node can take its maintainer", name);
    else if (p->epoch != drain->epoch || !p->is_bootstrapped)
        director_say(drain, "feed %s: its maintainer has not reported for epoch %" PRIu64, name, drain->epoch);
    else if (p->dispatchers + p->moves + p->bound + p->stopping + p->starting + p->unknown > 0)
        director_say(drain, "feed %s: %" PRIu32 " dispatchers, %" PRIu32 " moves, %" PRIu32 " unknown left%s%s", name,
                     p->dispatchers, p->moves, p->unknown, p->has_stuck ? "; stuck: " : "",
                     p->has_stuck ? p->stuck_text : "");
    else
        return true;
    return false;
}

/* Any target request is answered by a heartbeat with the node's own counts; the next one by itself may be 5 s away. */
static void director_poll_self(struct sl_sim *sim, struct sl_sim_director *d, struct sl_sim_drain *drain,
                               uint32_t target)
{
    struct director_node *n = sl_sim__director_node(sim, d, target);
    if ((n->has_self && n->self_work == 0) || !sl_sim__director_is_due(sim, n->target_sent_at, DIRECTOR_RESEND_NS))
        return;
    director_send_target(sim, d, target, &drain->target, drain->epoch);
}

static bool director_is_evacuated(struct sl_sim *sim, struct sl_sim_director *d, struct sl_sim_drain *drain,
                                  uint32_t target)
{
    const struct director_node *n = sl_sim__director_node(sim, d, target);
    for (uint32_t feed = 0; feed < sim->store.feed_count; feed++) {
        if (!director_feed_is_settled(sim, d, drain, feed))
            return false;
    }
    director_poll_self(sim, d, drain, target);
    if (n->liveness < SL_LIVENESS_DRAINING)
        director_say(drain, "%s has not confirmed that it drains", drain->target.text);
    else if (!n->has_self || n->self_work > 0)
        director_say(drain, "%s itself reports %" PRIu32 " maintainers, %" PRIu32 " dispatchers", drain->target.text,
                     n->maintainers, n->dispatchers);
    else
        return true;
    return false;
}

static void director_work_on(struct sl_sim *sim, struct sl_sim_director *d, struct sl_sim_drain *drain, uint32_t target)
{
    const struct director_node *n = sl_sim__director_node(sim, d, target);
    bool has_acks = director_push_target(sim, d, drain, false, true);
    if (drain->phase == SL_SIM_DRAIN_EVACUATING) {
        director_push_liveness(sim, d, target, SL_LIVENESS_DRAINING);
        if (has_acks && director_is_evacuated(sim, d, drain, target))
            director_write_phase(sim, d, drain, SL_SIM_DRAIN_STOPPING);
    } else if (drain->phase == SL_SIM_DRAIN_STOPPING) {
        director_push_liveness(sim, d, target,
                               n->liveness < SL_LIVENESS_DRAINING ? SL_LIVENESS_DRAINING : SL_LIVENESS_STOPPING);
        if (n->liveness != SL_LIVENESS_STOPPING)
            director_say(drain, "%s has not confirmed that it stops", drain->target.text);
        else if (n->has_self && n->self_work == 0 && director_is_evacuated(sim, d, drain, target))
            director_write_phase(sim, d, drain, SL_SIM_DRAIN_SAFE);
    }
}

/* What `--stop` means: the drained process ends by itself. The shortcut through the host stands for its own loop. */
static void director_end_target(struct sl_sim *sim, const struct sl_sim_drain *drain)
{
    uint32_t host = sl_sim_find_host(sim, sl_node_id_str(&drain->target));
    if (!sim->store.stops_when_safe || host == SL_SIM_HOST_NONE ||
        sim->engine.now - drain->safe_at < DIRECTOR_EXIT_NS || !sl_sim_host_is_up(&sim->hosts[host]))
        return;
    sl_sim_host_exit(&sim->hosts[host]);
}

/* Phases of a drain whose target is still a member. */
static void director_run_present(struct sl_sim *sim, struct sl_sim_director *d, struct sl_sim_drain *drain,
                                 uint32_t target)
{
    switch (drain->phase) {
    case SL_SIM_DRAIN_REQUESTED:
        director_write_phase(sim, d, drain, SL_SIM_DRAIN_EVACUATING);
        return;
    case SL_SIM_DRAIN_EVACUATING:
    case SL_SIM_DRAIN_STOPPING:
        director_work_on(sim, d, drain, target);
        return;
    case SL_SIM_DRAIN_SAFE:
        director_push_target(sim, d, drain, false, true);
        director_end_target(sim, drain);
        director_say(drain, "%s is safe to stop and has not left yet", drain->target.text);
        return;
    case SL_SIM_DRAIN_CLEARING:
    case SL_SIM_DRAIN_DONE:
        break;
    }
    SL_UNREACHABLE();
}

void sl_sim__director_run_drains(struct sl_sim *sim, struct sl_sim_director *d)
{
    director_commit(sim, d);
    struct sl_sim_drain *drain = sl_sim__director_drain(sim);
    if (!drain)
        return;
    uint32_t target = sl_sim_members_find(sim, &drain->target);
    bool is_present = sl_sim__director_node(sim, d, target)->is_tracked;
    if (drain->phase == SL_SIM_DRAIN_CLEARING) {
        if (director_push_target(sim, d, drain, true, true))
            director_write_phase(sim, d, drain, SL_SIM_DRAIN_DONE);
    } else if (is_present) {
        director_run_present(sim, d, drain, target);
    } else {
        director_write_phase(sim, d, drain, drain->epoch == 0 ? SL_SIM_DRAIN_DONE : SL_SIM_DRAIN_CLEARING);
    }
}

bool sl_sim_drain_is_acknowledged(struct sl_sim *sim, const struct sl_sim_drain *drain)
{
    struct sl_sim_director *d = sl_sim_director_in_charge(sim);
    struct sl_sim_drain copy = *drain;
    bool is_clear = drain->phase == SL_SIM_DRAIN_CLEARING || drain->phase == SL_SIM_DRAIN_DONE;
    return d && d->is_ready && drain->epoch != 0 && director_push_target(sim, d, &copy, is_clear, false);
}

bool sl_sim_director_send_target(struct sl_sim *sim, const struct sl_node_id *to, const struct sl_drain_target *target)
{
    struct sl_sim_director *d = sl_sim_director_in_charge(sim);
    uint32_t member = sl_sim_members_find(sim, to);
    if (!d || member == SL_SIM_MEMBER_NONE)
        return false;
    director_send_target(sim, d, member, &target->node, target->epoch);
    return true;
}
