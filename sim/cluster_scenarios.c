/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "sim/plan.h"

#include <inttypes.h>
#include <stdio.h>

#define SCENES_STEP_NS (1 * SL_MS)
#define SCENES_WITHIN_NS (300 * SL_S)
#define SCENES_OBJECT_KNOBS 16u

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static bool scenes_settle(struct sl_sim *sim, sl_ns within)
{
    return sl_sim_settle(sim, within, false);
}

static void scenes_drain(struct sl_sim *sim, uint32_t host)
{
    struct sl_sim_wish w = { .kind = SL_SIM_WISH_DRAIN, .target = sim->hosts[host].id };
    (void)sl_sim_client_wish(sim, &w);
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
    struct sl_sim_wish undrain = { .kind = SL_SIM_WISH_UNDRAIN, .target = id };
    (void)sl_sim_client_wish(sim, &undrain);
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
    struct sl_sim_fault kill = { .action = SL_SIM_ACTION_KILL_COORDINATOR };
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
    opts.host_count = 3 + (uint32_t)(sl_prng_at(seed, SCENES_OBJECT_KNOBS, 0) % 3);
    opts.trace = trace;
    sl_sim_init(sim, &opts);
    struct sl_sim_wish create = { .kind = SL_SIM_WISH_CREATE };
    create.feed = sl_sim_create_feed(sim, SL_STR("orders"), 20);
    (void)sl_sim_client_wish(sim, &create);
    bool is_good = scenes_settle(sim, SCENES_WITHIN_NS) && scenes_drain_one(sim, false) &&
                   scenes_drain_one(sim, true) && scenes_undrain(sim) && scenes_two_drains(sim);
    for (enum sl_drain_phase phase = SL_DRAIN_PENDING; is_good && phase <= SL_DRAIN_DONE; phase++)
        is_good = scenes_kill_in(sim, phase);
}
