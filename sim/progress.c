/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/progress.h"

#include <inttypes.h>
#include <stdarg.h>

static SL_PRINTF(2, 3) bool progress_no(char why[SL_SIM_WHY], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, SL_SIM_WHY, fmt, args);
    va_end(args);
    return false;
}

static struct sl_maintainer *progress_maintainer(struct sl_sim *sim, uint32_t feed)
{
    uint32_t owner = sl_sim_cluster_owner(sim, feed);
    if (owner == SL_SIM_HOST_NONE)
        return NULL;
    return sl_manager_find(sl_node_manager(sim->hosts[owner].node), &sim->catalog.feeds[feed].id);
}

bool sl_sim_feed_stats(struct sl_sim *sim, uint32_t feed, struct sl_maintainer_stats *stats, uint64_t *epoch)
{
    const struct sl_maintainer *m = progress_maintainer(sim, feed);
    if (!m)
        return false;
    sl_maintainer_stats(m, stats);
    *epoch = sl_maintainer_epoch(m);
    return true;
}

/* *from: where to begin to look, and where it was found; tables lie on the nodes by turns. */
static const struct sl_sim_host *progress_host_of(const struct sl_sim *sim, uint32_t process, uint32_t *from)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        uint32_t at = (*from + i) % sim->host_count;
        if (process != 0 && sim->hosts[at].process == process) {
            *from = at;
            return &sim->hosts[at];
        }
    }
    return NULL;
}

static bool progress_tables(const struct sl_sim *sim, uint32_t feed, char why[SL_SIM_WHY])
{
    const struct sl_sim_feed *f = &sim->catalog.feeds[feed];
    uint32_t last_process = 0, at = 0; /* tables of one node come in rows */
    for (uint32_t i = 0; i < f->table_count; i++) {
        const struct sl_sim_table *t = &f->tables[i];
        if (t->dropped != SL_TS_MAX)
            continue;
        uint32_t process = sl_sim_sink_writer(&sim->sink, feed, t->table_id);
        if (process != 0 && process == last_process)
            continue;
        const struct sl_sim_host *h = progress_host_of(sim, process, &at);
        if (!h || !sl_sim_host_is_up(h) || h->is_unleased)
            return progress_no(why, "feed %s: nobody alive writes table %" PRId64, f->id.name, t->table_id);
        last_process = process;
    }
    return true;
}

/* The counters of the maintainer first: they cost nothing and mostly say no. */
static bool progress_feed(struct sl_sim *sim, uint32_t feed, char why[SL_SIM_WHY])
{
    const struct sl_sim_feed *f = &sim->catalog.feeds[feed];
    struct sl_maintainer_stats stats;
    const struct sl_maintainer *m = progress_maintainer(sim, feed);
    if (!m)
        return progress_no(why, "feed %s: no maintainer works", f->id.name);
    sl_maintainer_stats(m, &stats);
    if (stats.absent + stats.scheduling + stats.operators > 0 || stats.replicating != f->live_count)
        return progress_no(why,
                           "feed %s: %" PRIu32 " absent, %" PRIu32 " scheduling, %" PRIu32 " replicating, %" PRIu32
                           " operators; tables: %" PRIu32,
                           f->id.name, stats.absent, stats.scheduling, stats.replicating, stats.operators,
                           f->live_count);
    return progress_tables(sim, feed, why);
}

/* It is stopped in the store, or was removed: then nothing has to run. */
static bool progress_rests(struct sl_sim *sim, uint32_t feed)
{
    const struct sl_sim_seen_feed *f = sl_sim_judge_feed(sim, feed);
    return f->info_revision != 0 ? f->state == SL_FEED_STOPPED : sl_sim_client_asked(sim, SL_SIM_WISH_REMOVE, feed);
}

bool sl_sim_is_replicating(struct sl_sim *sim, char why[SL_SIM_WHY])
{
    for (uint32_t feed = 0; feed < sim->catalog.feed_count; feed++) {
        if (!progress_rests(sim, feed) && !progress_feed(sim, feed, why))
            return false;
    }
    return true;
}

bool sl_sim_is_empty(struct sl_sim *sim, struct sl_str id, char why[SL_SIM_WHY])
{
    uint32_t host = sl_sim_find_host(sim, id);
    if (host == SL_SIM_HOST_NONE || sim->hosts[host].state == SL_SIM_HOST_DOWN)
        return true;
    const struct sl_sim_host *h = &sim->hosts[host];
    struct sl_hosted hosted;
    sl_node_hosted(h->node, &hosted);
    uint32_t dispatchers = sl_sim_plane_dispatcher_count(&h->plane);
    if (hosted.maintainers + hosted.dispatchers + dispatchers + h->plane.readers == 0)
        return true;
    return progress_no(why, "%s: %" PRIu32 " maintainers, %" PRIu32 " dispatchers (%" PRIu32 " in its data plane)",
                       h->name, hosted.maintainers, hosted.dispatchers, dispatchers);
}

bool sl_sim_is_balanced(struct sl_sim *sim, char why[SL_SIM_WHY])
{
    for (uint32_t feed = 0; feed < sim->catalog.feed_count; feed++) {
        const struct sl_sim_feed *f = &sim->catalog.feeds[feed];
        uint32_t counts[SL_SIM_HOST_MAX] = { 0 }, low = UINT32_MAX, high = 0, at = 0;
        for (uint32_t i = 0; i < f->table_count; i++) {
            const struct sl_sim_host *h =
                progress_host_of(sim, sl_sim_sink_writer(&sim->sink, feed, f->tables[i].table_id), &at);
            if (h && f->tables[i].dropped == SL_TS_MAX)
                counts[h->index]++;
        }
        for (uint32_t i = 0; i < sim->host_count; i++) {
            if (!sl_sim_host_is_up(&sim->hosts[i]))
                continue;
            low = sl_u32_min(low, counts[i]);
            high = sl_u32_max(high, counts[i]);
        }
        if (high > low + 1)
            return progress_no(why, "feed %s: between %" PRIu32 " and %" PRIu32 " tables on a node", f->id.name, low,
                               high);
    }
    return true;
}
