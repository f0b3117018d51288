/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/swarm.h"

#include "base/prng.h"
#include "sim/progress.h"

#include <inttypes.h>
#include <stdio.h>

#define SWARM_TROUBLE_NS (90 * SL_S)
#define SWARM_SETTLE_NS (180 * SL_S)
#define SWARM_OBJECT_KNOBS 1u
#define SWARM_OBJECT_PLAN 2u
#define SWARM_OBJECT_MISCHIEF 3u
#define SWARM_OBJECT_LATER_KNOBS 4u /* so that the earlier ones draw what they always drew */

/* Draws in a fixed order: what is drawn later does not depend on what was chosen before. */
struct swarm_dice {
    uint64_t seed, object, n;
};

static uint64_t swarm_below(struct swarm_dice *d, uint64_t bound)
{
    return sl_prng_at(d->seed, ((uint64_t)SL_SIM_DRAW_SWARM << 48) ^ d->object, d->n++) % bound;
}

/* 0 in about half of the runs, else up to max. */
static uint32_t swarm_knob(struct swarm_dice *d, uint32_t max)
{
    bool is_on = swarm_below(d, 2) == 1;
    uint32_t value = (uint32_t)swarm_below(d, max) + 1;
    return is_on ? value : 0;
}

void sl_sim_swarm_draw(struct sl_sim_opts *out, uint64_t seed, const struct sl_sim_swarm_opts *opts)
{
    struct swarm_dice d = { .seed = seed, .object = SWARM_OBJECT_KNOBS };
    sl_sim_opts_default(out);
    out->seed = seed;
    uint32_t nodes = 3 + (uint32_t)swarm_below(&d, 5);
    out->host_count = opts->node_count > 0 ? opts->node_count : nodes;
    out->net.delay_ns = (sl_ns)(1 + swarm_below(&d, 5)) * SL_MS;
    out->net.jitter_ns = swarm_knob(&d, 20) * SL_MS;
    out->net.loss_ppm = swarm_knob(&d, 50000);
    out->net.copy_ppm = swarm_knob(&d, 20000);
    out->net.spike_ppm = swarm_knob(&d, 10000);
    out->net.break_ppm = swarm_knob(&d, 2000);
    out->plane.open_jitter_ns = swarm_knob(&d, 300) * SL_MS;
    out->plane.close_jitter_ns = swarm_knob(&d, 300) * SL_MS;
    out->plane.lag_ppm = swarm_knob(&d, 400000);
    out->plane.fail_ppm = swarm_knob(&d, 5000);
    out->plane.feed_fail_ppm = swarm_knob(&d, 20000);
    out->plane.slow_ppm = swarm_knob(&d, 30000);
    out->plane.hang_open_ppm = swarm_knob(&d, 3000);
    out->plane.hang_close_ppm = swarm_knob(&d, 3000);
    out->schema_fail_ppm = swarm_knob(&d, 300000);
    out->schema_ns = (sl_ns)(1 + swarm_below(&d, 300)) * SL_MS;
    out->tick_late_ns = swarm_knob(&d, 50) * SL_MS;
    out->store_ns = (sl_ns)(1 + swarm_below(&d, 20)) * SL_MS;
    d = (struct swarm_dice){ .seed = seed, .object = SWARM_OBJECT_LATER_KNOBS };
    out->plane.crawl_ppm = swarm_knob(&d, 500000);
}

/* ---- the plan ---- */

static sl_ns swarm_time(struct swarm_dice *d)
{
    return SL_S + (sl_ns)swarm_below(d, (uint64_t)(SWARM_TROUBLE_NS / SL_MS)) * SL_MS;
}

static enum sl_sim_action swarm_action(struct swarm_dice *d)
{
    static const enum sl_sim_action actions[] = {
        SL_SIM_ACTION_CRASH,      SL_SIM_ACTION_CRASH,         SL_SIM_ACTION_PAUSE,        SL_SIM_ACTION_PAUSE,
        SL_SIM_ACTION_CUT,        SL_SIM_ACTION_CUT,           SL_SIM_ACTION_RESTART_SAME, SL_SIM_ACTION_RESTART_NEW,
        SL_SIM_ACTION_STALL,      SL_SIM_ACTION_HANG_OPEN,     SL_SIM_ACTION_HANG_CLOSE,   SL_SIM_ACTION_SLOW,
        SL_SIM_ACTION_LOSE_LEASE, SL_SIM_ACTION_KILL_DIRECTOR,
    };
    return actions[swarm_below(d, sizeof actions / sizeof actions[0])];
}

static void swarm_plan_fault(struct sl_sim *sim, struct swarm_dice *d)
{
    struct sl_sim_fault fault = { .action = swarm_action(d) };
    uint32_t hosts = sim->host_count;
    fault.host = (uint32_t)swarm_below(d, hosts);
    fault.peer = (fault.host + 1 + (uint32_t)swarm_below(d, hosts - 1)) % hosts;
    fault.lasts_ns = (sl_ns)(1 + swarm_below(d, 30000)) * SL_MS;
    bool is_aimed = swarm_below(d, 2) == 1;
    fault.moment = (enum sl_sim_moment)(1 + swarm_below(d, SL_SIM_MOMENT_COUNT - 1));
    bool is_at_same = swarm_below(d, 2) == 1;
    fault.at_host = SL_SIM_HOST_NONE;
    fault.skip = (uint32_t)swarm_below(d, 20);
    fault.delay_width_ns = 20 * SL_MS;
    sl_ns at = swarm_time(d);
    if (!is_aimed) {
        sl_sim_faults_at(sim, at, &fault);
        return;
    }
    if (is_at_same && fault.action != SL_SIM_ACTION_CUT && fault.action != SL_SIM_ACTION_STALL &&
        fault.action != SL_SIM_ACTION_KILL_DIRECTOR)
        fault.host = SL_SIM_HOST_NONE; /* whoever the moment happens to */
    sl_sim_faults_aim(sim, &fault);
}

/*
 * Old requests and hasty ones of the coordinator, mostly at the moments at which they could do harm: an old target
 * after a newer one or after its clear, a request to stop while a node is being emptied, a feed for one that stops. And
 * processes that start again under their id while others still rely on what they were told by the one before.
 */
static void swarm_plan_mischief(struct sl_sim *sim)
{
    static const struct {
        enum sl_sim_action action;
        enum sl_sim_moment moment;
        uint32_t skip_max;
    } kinds[] = {
        { SL_SIM_ACTION_ECHO, SL_SIM_MOMENT_TARGET_CLEARED, 12 },
        { SL_SIM_ACTION_ECHO, SL_SIM_MOMENT_TARGET_APPLIED, 12 },
        { SL_SIM_ACTION_HASTE, SL_SIM_MOMENT_DRAINING, 2 },
        { SL_SIM_ACTION_LATE_ADD, SL_SIM_MOMENT_STOPPING, 2 },
        { SL_SIM_ACTION_RESTART_SAME, SL_SIM_MOMENT_BOOTSTRAPPED, 8 },
        { SL_SIM_ACTION_RESTART_SAME, SL_SIM_MOMENT_DESTINATION_READY, 200 },
    };
    struct swarm_dice d = { .seed = sim->opts.seed, .object = SWARM_OBJECT_MISCHIEF };
    uint32_t count = (uint32_t)swarm_below(&d, 8);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t kind = swarm_below(&d, sizeof kinds / sizeof kinds[0]);
        bool is_aimed = swarm_below(&d, 4) > 0;
        sl_ns at = swarm_time(&d);
        struct sl_sim_fault fault = { .action = kinds[kind].action,
                                      .moment = kinds[kind].moment,
                                      .at_host = SL_SIM_HOST_NONE,
                                      .host = (uint32_t)swarm_below(&d, sim->host_count),
                                      .skip = (uint32_t)swarm_below(&d, kinds[kind].skip_max),
                                      .delay_width_ns = (sl_ns)(1 + swarm_below(&d, 2000)) * SL_MS };
        if (!is_aimed) {
            sl_sim_faults_at(sim, at, &fault);
            continue;
        }
        fault.host = SL_SIM_HOST_NONE; /* whoever the moment happens to */
        sl_sim_faults_aim(sim, &fault);
    }
}

/* What operators do while there is trouble, in the order of time. */
enum swarm_deed_kind { SWARM_DRAIN, SWARM_ADD_TABLES, SWARM_DROP_TABLES, SWARM_STOP_FEED, SWARM_JOIN };
struct swarm_deed {
    sl_ns at;
    enum swarm_deed_kind kind;
    uint32_t object, count;
};
#define SWARM_DEEDS_MAX 16

static uint32_t swarm_plan_deeds(struct sl_sim *sim, struct swarm_dice *d, struct swarm_deed deeds[SWARM_DEEDS_MAX])
{
    uint32_t count = 0;
    uint32_t drains = 1 + (uint32_t)swarm_below(d, 3), others = (uint32_t)swarm_below(d, 6);
    for (uint32_t i = 0; i < drains + others; i++) {
        struct swarm_deed deed = { .kind = SWARM_DRAIN };
        uint32_t kind = (uint32_t)swarm_below(d, 4);
        deed.at = swarm_time(d);
        deed.object = (uint32_t)swarm_below(d, (uint64_t)sim->host_count * 12u);
        deed.count = 1 + (uint32_t)swarm_below(d, 8);
        if (i >= drains)
            deed.kind = (enum swarm_deed_kind)(SWARM_ADD_TABLES + kind);
        uint32_t at = count++;
        while (at > 0 && deeds[at - 1].at > deed.at) {
            deeds[at] = deeds[at - 1];
            at--;
        }
        deeds[at] = deed;
    }
    return count;
}

static void swarm_do(struct sl_sim *sim, const struct swarm_deed *deed)
{
    uint32_t feed = deed->object % sim->store.feed_count;
    const struct sl_sim_host *h = &sim->hosts[deed->object % sim->host_count];
    switch (deed->kind) {
    case SWARM_DRAIN:
        if (h->lives > 0)
            sl_sim_drain_ask(sim, &h->id);
        return;
    case SWARM_ADD_TABLES:
        sl_sim_catalog_add_tables(&sim->catalog, feed, deed->count);
        return;
    case SWARM_DROP_TABLES:
        sl_sim_catalog_drop_tables(&sim->catalog, feed, deed->count);
        return;
    case SWARM_STOP_FEED:
        sim->store.feeds[feed].is_stopped = !sim->store.feeds[feed].is_stopped;
        return;
    case SWARM_JOIN:
        sl_sim_add_host(sim);
        return;
    }
    SL_UNREACHABLE();
}

static void swarm_create_feeds(struct sl_sim *sim, struct swarm_dice *d, const struct sl_sim_swarm_opts *opts)
{
    uint32_t feeds = 1 + (uint32_t)swarm_below(d, 4);
    if (opts->feed_count > 0)
        feeds = opts->feed_count;
    for (uint32_t i = 0; i < feeds; i++) {
        char name[16];
        int len = snprintf(name, sizeof name, "feed%" PRIu32, i + 1);
        uint32_t tables = 1 + (uint32_t)swarm_below(d, swarm_below(d, 4) == 0 ? 200 : 30);
        if (opts->dispatcher_count > 0)
            tables = opts->dispatcher_count / feeds;
        sl_sim_create_feed(sim, (struct sl_str){ name, (size_t)len }, tables);
    }
}

bool sl_sim_swarm_run(struct sl_sim *sim, const struct sl_sim_swarm_opts *opts)
{
    struct swarm_dice d = { .seed = sim->opts.seed, .object = SWARM_OBJECT_PLAN };
    struct swarm_deed deeds[SWARM_DEEDS_MAX];
    swarm_create_feeds(sim, &d, opts);
    uint32_t deed_count = swarm_plan_deeds(sim, &d, deeds);
    uint32_t faults = (uint32_t)swarm_below(&d, 10);
    for (uint32_t i = 0; i < faults; i++)
        swarm_plan_fault(sim, &d);
    swarm_plan_mischief(sim);
    for (uint32_t i = 0; i < deed_count; i++) {
        if (!sl_sim_run_until(sim, deeds[i].at))
            return false;
        swarm_do(sim, &deeds[i]);
    }
    if (!sl_sim_run_until(sim, SWARM_TROUBLE_NS + 2 * SL_S))
        return false;
    sl_sim_faults_end(sim, false);
    return sl_sim_settle(sim, SWARM_SETTLE_NS);
}
