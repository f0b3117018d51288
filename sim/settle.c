/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plan.h"
#include "sim/progress.h"

#include <inttypes.h>

/*
 * What "everything is in order" means at the end of a run. It is read from the sink and from the store: which feeds there
 * are and how far they are said to be, who writes their tables, and what is durable.
 */
#define SETTLE_LOOK_NS (200 * SL_MS)
#define SETTLE_RESTART_NS (3 * SL_S)

static const struct sl_sim_host *settle_host_of(const struct sl_sim *sim, uint32_t process)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (process != 0 && sim->hosts[i].process == process)
            return &sim->hosts[i];
    }
    return NULL;
}

/* WRITTEN: every table by a live process with its lease. Otherwise: by nobody. */
static bool settle_tables(const struct sl_sim *sim, uint32_t feed, bool is_written, char why[SL_SIM_WHY])
{
    const struct sl_sim_feed *f = &sim->catalog.feeds[feed];
    for (uint32_t i = 0; i < f->table_count; i++) {
        if (f->tables[i].dropped != SL_TS_MAX)
            continue;
        uint32_t process = sl_sim_sink_writer(&sim->sink, feed, f->tables[i].table_id);
        const struct sl_sim_host *h = settle_host_of(sim, process);
        bool is_alive = h && sl_sim_host_is_up(h) && !h->is_unleased;
        if (is_alive == is_written)
            continue;
        snprintf(why, SL_SIM_WHY, "feed %s: %s writes table %" PRId64, f->id.name,
                 is_written ? "nobody alive" : h->id.text, f->tables[i].table_id);
        return false;
    }
    return true;
}

static bool settle_feed(struct sl_sim *sim, uint32_t feed, sl_ts mark, char why[SL_SIM_WHY])
{
    const struct sl_sim_seen_feed *f = sl_sim_judge_feed(sim, feed);
    bool is_running = f->info_revision != 0 &&
                      (f->state == SL_FEED_NORMAL || f->state == SL_FEED_WARNING || f->state == SL_FEED_PENDING);
    if (f->info_revision != 0 && !is_running && f->state != SL_FEED_STOPPED) {
        snprintf(why, SL_SIM_WHY, "feed %s is %s", sim->catalog.feeds[feed].id.name, sl_feed_state_name(f->state));
        return false;
    }
    if (!is_running)
        return settle_tables(sim, feed, false, why);
    sl_ts durable = sl_sim_sink_feed_durable(&sim->sink, feed);
    if (durable <= mark || f->checkpoint <= mark) {
        snprintf(why, SL_SIM_WHY,
                 "feed %s, %s: durable %" PRIu64 ", stored checkpoint %" PRIu64 ", both should pass %" PRIu64,
                 sim->catalog.feeds[feed].id.name, sl_feed_state_name(f->state), durable, f->checkpoint, mark);
        return false;
    }
    return settle_tables(sim, feed, true, why);
}

static bool settle_has_hung(const struct sl_sim *sim)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (sim->hosts[i].state != SL_SIM_HOST_DOWN && sim->hosts[i].plane.mood.is_wedged &&
            sim->hosts[i].plane.hung_count > 0)
            return true;
    }
    return false;
}

static bool settle_is_content(struct sl_sim *sim, sl_ts mark, bool may_block, char why[SL_SIM_WHY])
{
    if (!sl_sim_cluster_is_led(sim)) {
        snprintf(why, SL_SIM_WHY, "no coordinator works");
        return false;
    }
    if (!sl_sim_client_is_content(sim, may_block, why, SL_SIM_WHY))
        return false;
    /* A dispatcher that never ends holds its feed back, and its move with it. */
    bool is_held = may_block && settle_has_hung(sim);
    for (uint32_t feed = 0; feed < sim->catalog.feed_count && !is_held; feed++) {
        if (!settle_feed(sim, feed, mark, why))
            return false;
    }
    return true;
}

/* Whoever supervises processes starts those that have ended, as new ones; the operator resumes what has failed. */
static void settle_mend(struct sl_sim *sim)
{
    struct sl_sim_fault mend = { .action = SL_SIM_ACTION_START_ALL };
    sl_sim_faults_do(sim, &mend);
    mend.action = SL_SIM_ACTION_RESUME_FEED;
    for (mend.feed = 0; mend.feed < sim->catalog.feed_count; mend.feed++) {
        const struct sl_sim_seen_feed *f = sl_sim_judge_feed(sim, mend.feed);
        if (f->info_revision != 0 && f->state == SL_FEED_FAILED)
            sl_sim_faults_do(sim, &mend);
    }
}

bool sl_sim_settle(struct sl_sim *sim, sl_ns within, bool may_block)
{
    char why[SL_SIM_WHY] = "";
    sl_ts mark = sl_sim_head(sim->engine.now);
    sl_ns until = sim->engine.now + within, mend_at = sim->engine.now + SETTLE_RESTART_NS;
    sim->oracle.check_counts[SL_SIM_ORACLE_PROGRESS]++;
    while (sim->engine.now < until) {
        if (!sl_sim_run_until(sim, sim->engine.now + SETTLE_LOOK_NS))
            return false;
        if (settle_is_content(sim, mark, may_block, why))
            return true;
        if (sim->engine.now < mend_at)
            continue;
        mend_at = sim->engine.now + SETTLE_RESTART_NS;
        settle_mend(sim);
    }
    sl_sim_violate(&sim->engine, sl_sim_oracle_name(SL_SIM_ORACLE_PROGRESS), "%s", why);
    return false;
}
