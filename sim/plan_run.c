/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plan.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

#define RUN_SETTLE_NS (400 * SL_S)

static void run_turn(struct sl_sim_opts *o, enum sl_sim_knob knob, uint64_t value)
{
    switch (knob) {
#define RUN_TURN(name, text, member, unit, max)                     \
    case SL_SIM_KNOB_##name:                                        \
        o->member = (__typeof__(o->member))((sl_ns)value * (unit)); \
        return;
        SL_SIM_KNOBS(RUN_TURN)
#undef RUN_TURN
    case SL_SIM_KNOB_COUNT:
        break;
    }
    SL_UNREACHABLE();
}

static bool run_is_set(const struct sl_sim_opts *o, enum sl_sim_knob knob)
{
    switch (knob) {
#define RUN_IS_SET(name, text, member, unit, max) \
    case SL_SIM_KNOB_##name:                      \
        return o->member != 0;
        SL_SIM_KNOBS(RUN_IS_SET)
#undef RUN_IS_SET
    case SL_SIM_KNOB_COUNT:
        break;
    }
    SL_UNREACHABLE();
}

uint64_t sl_sim_knob_count(const struct sl_sim *sim, enum sl_sim_knob knob)
{
    const struct sl_store_sim_counts *store = sl_store_sim_counts(sim->cluster->store);
    const uint64_t counts[SL_SIM_KNOB_COUNT] = {
        [SL_SIM_KNOB_LOSS] = sim->net.lost_count,
        [SL_SIM_KNOB_COPY] = sim->net.copy_count,
        [SL_SIM_KNOB_SPIKE] = sim->net.spike_count,
        [SL_SIM_KNOB_BREAK] = sim->net.break_count,
        [SL_SIM_KNOB_GARBAGE] = sim->net.garbage_count,
        [SL_SIM_KNOB_STORE_SLOW] = store->slow,
        [SL_SIM_KNOB_STORE_REFUSES] = store->refused,
        [SL_SIM_KNOB_STORE_LOSES] = store->lost_requests,
        [SL_SIM_KNOB_STORE_FORGETS] = store->lost_answers,
        [SL_SIM_KNOB_STORE_OUTAGES] = store->outages,
        [SL_SIM_KNOB_STORE_WATCHES] = store->broken_watches,
        [SL_SIM_KNOB_STORE_COMPACTS] = store->compactions,
        [SL_SIM_KNOB_STORE_LEADERS] = store->new_leaders,
    };
    if ((sim->knobs >> knob & 1) == 0)
        return 0;
    return counts[knob] > 0 ? counts[knob] : 1;
}

static bool run_keeps(const struct sl_sim_plan_run *run, const struct sl_sim_plan *p, uint32_t item)
{
    bool is_kept = !run->keep || sl_sim_is_kept(run->keep, item);
    return is_kept && (!p->items[item].is_knob || p->items[item].value > 0);
}

/*
 * A peer without extensions relies on streams that never repeat themselves: it has no placements by which to know a
 * late order, and neither has who is ordered by it.
 */
static void run_respect_foreign(struct sl_sim_opts *o)
{
    if (o->foreign_hosts == 0)
        return;
    o->net.copy_ppm = o->net.break_ppm = 0;
}

static void run_set_opts(struct sl_sim_opts *o, const struct sl_sim_plan *p, const struct sl_sim_plan_opts *opts,
                         const struct sl_sim_plan_run *run)
{
    sl_sim_opts_default(o);
    o->seed = run->variant == 0 ? opts->seed : sl_hash_u64x2(0, opts->seed, run->variant);
    o->feed_count_max = p->feed_count + 3;
    o->trace = run->trace;
    o->host_count = p->host_count;
    o->net.delay_ns = p->net_delay_ns;
    o->meta.delay_ns = p->meta_delay_ns;
    o->meta.jitter_ns = 0;
    o->schema_ns = p->schema_ns;
    for (uint32_t i = 0; i < p->item_count; i++) {
        if (p->items[i].is_knob && run_keeps(run, p, i))
            run_turn(o, p->items[i].knob, p->items[i].value);
    }
    run_respect_foreign(o);
}

static void run_create_feeds(struct sl_sim *sim, const struct sl_sim_plan *p)
{
    for (uint32_t i = 0; i < p->feed_count; i++) {
        uint32_t kind = i % (sizeof p->table_counts / sizeof p->table_counts[0]);
        struct sl_sim_fault create = { .action = SL_SIM_ACTION_CREATE_FEED, .count = p->table_counts[kind] };
        sl_sim_faults_do(sim, &create);
    }
}

static void run_plan_actions(struct sl_sim *sim, const struct sl_sim_plan *p, const struct sl_sim_plan_run *run)
{
    for (uint32_t i = 0; i < p->item_count; i++) {
        const struct sl_sim_item *item = &p->items[i];
        if (item->is_knob || !run_keeps(run, p, i))
            continue;
        if (item->fault.moment == SL_SIM_MOMENT_TIME)
            sl_sim_faults_at(sim, item->at, &item->fault);
        else
            sl_sim_faults_aim(sim, &item->fault);
    }
}

/* A wedged dispatcher never ends; and who was made to stop in haste cannot be undrained. */
static bool run_may_block(const struct sl_sim *sim)
{
    return sim->faults.done_counts[SL_SIM_ACTION_WEDGE] + sim->faults.done_counts[SL_SIM_ACTION_HASTE] > 0;
}

void sl_sim_plan_run(struct sl_sim *sim, const struct sl_sim_plan_opts *opts, const struct sl_sim_plan_run *run)
{
    struct sl_sim_plan plan;
    struct sl_sim_opts sim_opts;
    sl_sim_plan_draw(&plan, opts);
    run_set_opts(&sim_opts, &plan, opts, run);
    sl_sim_init(sim, &sim_opts);
    for (uint32_t i = 0; i < SL_SIM_KNOB_COUNT; i++)
        sim->knobs |= (uint64_t)run_is_set(&sim_opts, (enum sl_sim_knob)i) << i;
    sim->cluster->spared_host = plan.spared_host;
    run_create_feeds(sim, &plan);
    run_plan_actions(sim, &plan, run);
    if (!sl_sim_run_until(sim, plan.trouble_ns + 5 * SL_S))
        return;
    if (plan.mode == SL_SIM_MODE_LIVENESS) {
        sl_sim_faults_end(sim, false);
        if (!sl_sim_settle(sim, RUN_SETTLE_NS, run_may_block(sim)))
            return;
    }
    sl_sim_judge_planted(sim);
}
