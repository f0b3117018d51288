/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/actions.h"

#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>

/* Faults: what is done to processes, links, clocks, the store, the sink. */

#define ACTIONS_SLOW_NS (3 * SL_S)
#define ACTIONS_RESTART_NS (3 * SL_S)
#define ACTIONS_BEAT_NS (40 * SL_MS) /* between two of a row */

static struct sl_sim_host *actions_host(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    return &sim->hosts[fault->host];
}

/* ---- processes ---- */

static void actions_start(struct sl_sim_host *h, bool with_new_id)
{
    if (h->state != SL_SIM_HOST_DOWN)
        return;
    sl_sim_host_start(h, with_new_id);
    sl_sim_host_meet(h);
}

void sl_sim__do_crash(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_host_kill(actions_host(sim, fault));
}

void sl_sim__do_pause(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_host_pause(actions_host(sim, fault));
}

void sl_sim__do_resume(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_host *h = actions_host(sim, fault);
    if (!h->is_frozen)
        sl_sim_host_resume(h);
}

void sl_sim__do_freeze(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_host *h = actions_host(sim, fault);
    sl_sim_host_pause(h);
    h->is_frozen = h->state == SL_SIM_HOST_PAUSED;
}

void sl_sim__do_restart_same(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_host *h = actions_host(sim, fault);
    sl_sim_host_kill(h);
    /* Peers without extensions rely on ids that are always new: they cannot tell two processes of one id apart. */
    actions_start(h, sim->opts.foreign_hosts != 0);
}

/* Its first answers to maintainers get lost, so that its heartbeats come before them. */
void sl_sim__do_restart_unheard(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    for (uint32_t i = 0; i < sim->host_count; i++)
        (void)sl_sim_net_lose(&sim->net, fault->host, i, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, 1 + fault->count % 4);
    sl_sim__do_restart_same(sim, fault);
}

void sl_sim__do_restart_new(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_host_kill(actions_host(sim, fault));
    actions_start(actions_host(sim, fault), true);
}

void sl_sim__do_start(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    actions_start(actions_host(sim, fault), true);
}

void sl_sim__do_clock_jump(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_host_jump(actions_host(sim, fault), fault->lasts_ns);
}

void sl_sim__do_lose_lease(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_store_sim_outage(sim->cluster->store, fault->host, sim->engine.now + fault->lasts_ns);
}

/* ---- links ---- */

void sl_sim__do_cut(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_net_cut(&sim->net, fault->host, fault->peer, true);
}

void sl_sim__do_heal(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_net_cut(&sim->net, fault->host, fault->peer, false);
}

void sl_sim__do_stall(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_net_stall(&sim->net, fault->host, fault->peer, sim->engine.now + fault->lasts_ns);
}

/* ---- dispatchers and the sink ---- */

void sl_sim__do_hang_open(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    actions_host(sim, fault)->plane.mood.hangs_open = true;
}

void sl_sim__do_hang_close(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    actions_host(sim, fault)->plane.mood.hangs_close = true;
}

void sl_sim__do_wedge(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_plane_mood *mood = &actions_host(sim, fault)->plane.mood;
    mood->hangs_close = mood->is_wedged = true;
}

void sl_sim__do_slow(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_plane_mood *mood = &actions_host(sim, fault)->plane.mood;
    mood->slow_open_ns = mood->slow_close_ns = ACTIONS_SLOW_NS;
}

void sl_sim__do_release(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_host *h = actions_host(sim, fault);
    if (h->state != SL_SIM_HOST_DOWN && !h->plane.mood.is_wedged)
        sl_sim_plane_release(&h->plane);
}

/* Some that write notice at once. */
void sl_sim__do_sink_away(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sim->sink.away_until = sim->engine.now + fault->lasts_ns;
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (sl_sim_host_is_up(&sim->hosts[i]))
            (void)sl_sim_plane_fail_one(&sim->hosts[i].plane);
    }
}

/* Block statuses go there, acknowledgements and actions come from there; not those of its own dispatchers. */
void sl_sim__do_lose_blocks(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (i == fault->host)
            continue;
        (void)sl_sim_net_lose(&sim->net, i, fault->host, SL_MSG_BLOCK_STATUS_REQUEST, 1 + fault->count % 4);
        (void)sl_sim_net_lose(&sim->net, fault->host, i, SL_MSG_HEART_BEAT_RESPONSE, 1 + fault->count % 4);
    }
}

void sl_sim__do_late_block(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_cluster_late_block(sim, fault->host,
                              sl_sim_draw(&sim->engine, SL_SIM_DRAW_FAULT, fault->draw, fault->count));
}

/* ---- the store ---- */

void sl_sim__do_store_away(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_store_sim_outage(sim->cluster->store, SL_STORE_SIM_ALL, sim->engine.now + fault->lasts_ns);
}

void sl_sim__do_bad_value(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_cluster_plant(sim, fault->count);
}

/* ---- the coordinator ---- */

void sl_sim__do_kill_coordinator(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    (void)fault;
    uint32_t leader = sl_sim_cluster_leader(sim);
    if (leader == SL_SIM_HOST_NONE)
        return;
    sl_sim_host_kill(&sim->hosts[leader]);
    struct sl_sim_fault start = { .action = SL_SIM_ACTION_START, .host = leader };
    sl_sim_faults_at(sim, sim->engine.now + ACTIONS_RESTART_NS, &start);
}

void sl_sim__do_echo(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_cluster_echo(sim, fault->host, sl_sim_draw(&sim->engine, SL_SIM_DRAW_FAULT, fault->draw, fault->count));
}

/* A row of them: each counts only while what it says is wrong, which is not for long. */
void sl_sim__do_late_beat(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_fault again = *fault;
    sl_sim_cluster_late_beat(sim, fault->host, sl_sim_draw(&sim->engine, SL_SIM_DRAW_FAULT, fault->draw, fault->count));
    if (again.count-- > 0)
        sl_sim_faults_at(sim, sim->engine.now + ACTIONS_BEAT_NS, &again);
}

void sl_sim__do_haste(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_cluster_haste(sim, fault->host);
}

void sl_sim__do_late_add(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_cluster_late_add(sim, fault->host, fault->feed);
}
