/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "sim/progress.h"
#include "sim/swarm.h"

#include <inttypes.h>
#include <stdio.h>

#define SCENES_LOOK_NS (200 * SL_MS)
#define SCENES_STEP_NS (1 * SL_MS)
#define SCENES_WITHIN_NS (300 * SL_S)
#define SCENES_TROUBLE_NS (90 * SL_S)
#define SCENES_SETTLE_NS (400 * SL_S)
#define SCENES_RESTART_NS (3 * SL_S)
#define SCENES_OBJECT_KNOBS 16u
#define SCENES_OBJECT_PLAN 17u

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static bool scenes_is_content(struct sl_sim *sim, sl_ts mark, char why[SL_SIM_WHY])
{
    if (!sl_sim_cluster_is_led(sim)) {
        snprintf(why, SL_SIM_WHY, "no coordinator works");
        return false;
    }
    return sl_sim_client_is_content(sim, why, SL_SIM_WHY) && sl_sim_is_replicating(sim, mark, why);
}

/* Whoever supervises processes starts those that have ended, as new ones. */
static void scenes_restart(struct sl_sim *sim)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        struct sl_sim_fault start = { .action = SL_SIM_ACTION_START, .host = i };
        if (sim->hosts[i].state == SL_SIM_HOST_DOWN)
            sl_sim_faults_do(sim, &start);
    }
}

/* ENDS: until nothing is left to wish for and every feed has got beyond this moment. */
static bool scenes_settle(struct sl_sim *sim, sl_ns within)
{
    char why[SL_SIM_WHY] = "";
    sl_ts mark = sl_sim_head(sim->engine.now);
    sl_ns until = sim->engine.now + within, restart_at = sim->engine.now + SCENES_RESTART_NS;
    sim->oracle.check_counts[SL_SIM_ORACLE_PROGRESS]++;
    while (sim->engine.now < until) {
        if (!sl_sim_run_until(sim, sim->engine.now + SCENES_LOOK_NS))
            return false;
        if (scenes_is_content(sim, mark, why))
            return true;
        if (sim->engine.now < restart_at)
            continue;
        restart_at = sim->engine.now + SCENES_RESTART_NS;
        scenes_restart(sim);
    }
    sl_sim_violate(&sim->engine, sl_sim_oracle_name(SL_SIM_ORACLE_PROGRESS), "%s", why);
    return false;
}

static void scenes_drain(struct sl_sim *sim, uint32_t host)
{
    if (sim->cluster->client.wish_count == SL_SIM_WISHES_MAX)
        return;
    sl_sim_client_drain(sim, &sim->hosts[host].id);
}

/* A host that runs, from a number on, and does or does not lead. */
static uint32_t scenes_host(const struct sl_sim *sim, uint32_t from, bool leads)
{
    uint32_t leader = sl_sim_cluster_leader(sim);
    if (leads)
        return leader;
    for (uint32_t i = 0; i < sim->host_count; i++) {
        uint32_t host = (from + i) % sim->host_count;
        if (host != leader && sl_sim_host_is_up(&sim->hosts[host]))
            return host;
    }
    return leader;
}

/* ---- basic ------------------------------------------------------------------------------------------------------- */

static bool scenes_drain_one(struct sl_sim *sim, bool leads)
{
    scenes_drain(sim, scenes_host(sim, 1, leads));
    return scenes_settle(sim, SCENES_WITHIN_NS);
}

static bool scenes_undrain(struct sl_sim *sim)
{
    uint32_t host = scenes_host(sim, 2, false);
    const struct sl_node_id id = sim->hosts[host].id;
    scenes_drain(sim, host);
    if (!sl_sim_run_until(sim, sim->engine.now + 30 * SL_MS))
        return false;
    sl_sim_client_undrain(sim, &id);
    return scenes_settle(sim, SCENES_WITHIN_NS);
}

static bool scenes_two_drains(struct sl_sim *sim)
{
    uint32_t first = scenes_host(sim, 0, false);
    uint32_t second = scenes_host(sim, first + 1, false);
    scenes_drain(sim, first);
    scenes_drain(sim, second);
    return scenes_settle(sim, SCENES_WITHIN_NS);
}

/* The coordinator dies as soon as the store says that the drain is in this phase. */
static bool scenes_kill_in(struct sl_sim *sim, enum sl_drain_phase phase)
{
    uint32_t host = scenes_host(sim, (uint32_t)phase, false);
    const struct sl_node_id id = sim->hosts[host].id;
    struct sl_sim_fault kill = { .action = SL_SIM_ACTION_KILL_DIRECTOR };
    sl_ns until = sim->engine.now + SCENES_WITHIN_NS;
    enum sl_drain_phase is;
    sl_revision seen = 0;
    bool is_news;
    scenes_drain(sim, host);
    do {
        if (!sl_sim_run_until(sim, sim->engine.now + SCENES_STEP_NS))
            return false;
        if (sim->engine.now > until) {
            sl_sim_violate(&sim->engine, sl_sim_oracle_name(SL_SIM_ORACLE_PROGRESS), "the drain of %s is never %s",
                           id.text, sl_drain_phase_name(phase));
            return false;
        }
        is_news = sim->cluster->judge.revision != seen;
        seen = sim->cluster->judge.revision;
    } while (!is_news || !sl_sim_judge_phase(sim, &id, &is) || is < phase);
    sl_sim_faults_do(sim, &kill);
    return scenes_settle(sim, SCENES_WITHIN_NS);
}

void sl_sim_cluster_basic(struct sl_sim *sim, uint64_t seed, FILE *trace)
{
    struct sl_sim_opts opts;
    sl_sim_opts_default(&opts);
    opts.seed = seed;
    opts.whole = true;
    opts.host_count = 3 + (uint32_t)(sl_prng_at(seed, SCENES_OBJECT_KNOBS, 0) % 3);
    opts.trace = trace;
    sl_sim_init(sim, &opts);
    sl_sim_client_create(sim, sl_sim_create_feed(sim, SL_STR("orders"), 20));
    bool is_good = scenes_settle(sim, SCENES_WITHIN_NS) && scenes_drain_one(sim, false) &&
                   scenes_drain_one(sim, true) && scenes_undrain(sim) && scenes_two_drains(sim);
    for (enum sl_drain_phase phase = SL_DRAIN_PENDING; is_good && phase <= SL_DRAIN_DONE; phase++)
        is_good = scenes_kill_in(sim, phase);
}

/* ---- swarm ------------------------------------------------------------------------------------------------------- */

struct scenes_dice {
    uint64_t seed, object, n;
};

static uint64_t scenes_below(struct scenes_dice *d, uint64_t bound)
{
    return sl_prng_at(d->seed, ((uint64_t)SL_SIM_DRAW_SWARM << 48) ^ d->object, d->n++) % bound;
}

/* 0 in about two of three runs, else up to max. */
static uint32_t scenes_knob(struct scenes_dice *d, uint32_t max)
{
    bool is_on = scenes_below(d, 3) == 0;
    uint32_t value = (uint32_t)scenes_below(d, max) + 1;
    return is_on ? value : 0;
}

static void scenes_draw(struct sl_sim_opts *out, uint64_t seed)
{
    const struct sl_sim_swarm_opts sizes = { 0 };
    struct scenes_dice d = { .seed = seed, .object = SCENES_OBJECT_KNOBS };
    sl_sim_swarm_draw(out, seed, &sizes);
    out->whole = true;
    struct sl_store_sim_opts *o = &out->meta;
    o->delay_ns = (sl_ns)(1 + scenes_below(&d, 5)) * SL_MS;
    o->jitter_ns = scenes_knob(&d, 100) * SL_MS;
    o->slow_ppm = scenes_knob(&d, 50000);
    o->refuse_ppm = scenes_knob(&d, 50000);
    o->lose_request_ppm = scenes_knob(&d, 50000);
    o->lose_answer_ppm = scenes_knob(&d, 50000);
    o->outage_ppm = scenes_knob(&d, 1000);
    o->break_watch_ppm = scenes_knob(&d, 50000);
    o->compact_ppm = scenes_knob(&d, 10000);
    o->new_leader_ppm = scenes_knob(&d, 5000);
}

static sl_ns scenes_time(struct scenes_dice *d)
{
    return 5 * SL_S + (sl_ns)scenes_below(d, (uint64_t)((SCENES_TROUBLE_NS - 5 * SL_S) / SL_MS)) * SL_MS;
}

static void scenes_plan_fault(struct sl_sim *sim, struct scenes_dice *d)
{
    static const enum sl_sim_action actions[] = {
        SL_SIM_ACTION_CRASH,        SL_SIM_ACTION_PAUSE,       SL_SIM_ACTION_PAUSE,      SL_SIM_ACTION_CUT,
        SL_SIM_ACTION_CUT,          SL_SIM_ACTION_RESTART_NEW, SL_SIM_ACTION_STALL,      SL_SIM_ACTION_HANG_OPEN,
        SL_SIM_ACTION_HANG_CLOSE,   SL_SIM_ACTION_SLOW,        SL_SIM_ACTION_LOSE_LEASE, SL_SIM_ACTION_KILL_DIRECTOR,
        SL_SIM_ACTION_RESTART_SAME,
    };
    struct sl_sim_fault fault = { .action = actions[scenes_below(d, sizeof actions / sizeof actions[0])] };
    fault.host = (uint32_t)scenes_below(d, sim->host_count);
    fault.peer = (fault.host + 1 + (uint32_t)scenes_below(d, sim->host_count - 1)) % sim->host_count;
    fault.lasts_ns = (sl_ns)(1 + scenes_below(d, 30000)) * SL_MS;
    bool is_aimed = scenes_below(d, 2) == 1, is_at_same = scenes_below(d, 2) == 1;
    fault.moment = (enum sl_sim_moment)(1 + scenes_below(d, SL_SIM_MOMENT_COUNT - 1));
    fault.at_host = SL_SIM_HOST_NONE;
    fault.skip = (uint32_t)scenes_below(d, 10);
    fault.delay_width_ns = 20 * SL_MS;
    sl_ns at = scenes_time(d);
    if (!is_aimed) {
        sl_sim_faults_at(sim, at, &fault);
        return;
    }
    if (is_at_same && fault.action != SL_SIM_ACTION_CUT && fault.action != SL_SIM_ACTION_STALL &&
        fault.action != SL_SIM_ACTION_KILL_DIRECTOR)
        fault.host = SL_SIM_HOST_NONE; /* whoever the moment happens to */
    sl_sim_faults_aim(sim, &fault);
}

/* What the operator does next. One host is never drained, so that there always is a destination. */
static void scenes_deed(struct sl_sim *sim, struct scenes_dice *d, uint32_t spared)
{
    uint64_t kind = scenes_below(d, 10), object = scenes_below(d, 1000), count = 1 + scenes_below(d, 8);
    uint32_t feed = (uint32_t)object % sim->store.feed_count;
    uint32_t host = (uint32_t)object % sim->host_count;
    if (sim->cluster->client.wish_count + 2 > SL_SIM_WISHES_MAX)
        return;
    if (kind < 5 && host != spared) {
        scenes_drain(sim, host);
    } else if (kind < 6) {
        sl_sim_client_undrain(sim, &sim->hosts[host].id);
    } else if (kind == 6) {
        sl_sim_catalog_add_tables(&sim->catalog, feed, (uint32_t)count);
    } else if (kind == 7) {
        sl_sim_catalog_drop_tables(&sim->catalog, feed, (uint32_t)count);
    } else if (kind == 8) {
        sl_sim_client_resign(sim);
    } else {
        scenes_restart(sim);
    }
}

static void scenes_create_feeds(struct sl_sim *sim, struct scenes_dice *d)
{
    uint32_t feeds = 1 + (uint32_t)scenes_below(d, 4);
    for (uint32_t i = 0; i < feeds; i++) {
        char name[16];
        int len = snprintf(name, sizeof name, "feed%" PRIu32, i + 1);
        uint32_t feed =
            sl_sim_create_feed(sim, (struct sl_str){ name, (size_t)len }, 1 + (uint32_t)scenes_below(d, 30));
        sl_sim_client_create(sim, feed);
    }
}

void sl_sim_cluster_swarm(struct sl_sim *sim, uint64_t seed, FILE *trace)
{
    struct scenes_dice d = { .seed = seed, .object = SCENES_OBJECT_PLAN };
    struct sl_sim_opts opts;
    scenes_draw(&opts, seed);
    opts.trace = trace;
    sl_sim_init(sim, &opts);
    scenes_create_feeds(sim, &d);
    uint32_t faults = (uint32_t)scenes_below(&d, 10), deeds = 1 + (uint32_t)scenes_below(&d, 8);
    uint32_t spared = (uint32_t)scenes_below(&d, sim->host_count);
    for (uint32_t i = 0; i < faults; i++)
        scenes_plan_fault(sim, &d);
    for (uint32_t i = 0; i < deeds; i++) {
        sl_ns at = (sl_ns)(i + 1) * (SCENES_TROUBLE_NS / (deeds + 1)) + (sl_ns)scenes_below(&d, 5000) * SL_MS;
        if (!sl_sim_run_until(sim, at))
            return;
        scenes_deed(sim, &d, spared);
    }
    if (!sl_sim_run_until(sim, SCENES_TROUBLE_NS + 10 * SL_S))
        return;
    sl_sim_faults_end(sim, false);
    scenes_settle(sim, SCENES_SETTLE_NS);
}
