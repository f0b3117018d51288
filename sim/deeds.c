/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/actions.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>

/* What an operator does: wishes (client.h) and changes of the source. */

#define DEEDS_LAG_BUDGET_MS 500
#define DEEDS_KEPT_NS (5 * SL_S)
#define DEEDS_MORE_HOSTS_MAX 8u

static uint32_t deeds_feed(const struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    return fault->feed % sim->catalog.feed_count;
}

static void deeds_wish(struct sl_sim *sim, enum sl_sim_wish_kind kind, uint32_t feed, uint32_t host)
{
    struct sl_sim_wish w = { .kind = kind, .feed = feed };
    if (host != SL_SIM_HOST_NONE)
        w.target = sim->hosts[host].id;
    (void)sl_sim_client_wish(sim, &w);
}

/* ---- drains ---- */

static void deeds_drain_one(struct sl_sim *sim, const struct sl_sim_fault *fault, uint32_t host)
{
    struct sl_sim_wish w = { .kind = SL_SIM_WISH_DRAIN, .target = sim->hosts[host].id };
    if (fault->options & SL_SIM_OPTION_DEADLINE)
        w.deadline_ms = (uint64_t)(fault->lasts_ns / SL_MS) + 1;
    w.cancel_at_deadline = (fault->options & SL_SIM_OPTION_CANCEL) != 0 && w.deadline_ms > 0;
    w.lag_budget_ms = fault->options & SL_SIM_OPTION_LAG_BUDGET ? DEEDS_LAG_BUDGET_MS : 0;
    w.stop_node = (fault->options & SL_SIM_OPTION_STOP_NODE) != 0;
    w.kept_ns = fault->options & SL_SIM_OPTION_KEPT ? DEEDS_KEPT_NS : 0;
    (void)sl_sim_client_wish(sim, &w);
}

/* The spared host always stays, so that there is a destination. */
void sl_sim__do_drain(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    for (uint32_t i = 0; i < fault->count || i == 0; i++) {
        uint32_t host = (fault->host + i) % sim->host_count;
        if (host != sim->cluster->spared_host)
            deeds_drain_one(sim, fault, host);
    }
}

void sl_sim__do_old_drain(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    if (fault->host != sim->cluster->spared_host)
        deeds_wish(sim, SL_SIM_WISH_OLD_DRAIN, 0, fault->host);
}

void sl_sim__do_dry_run(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    deeds_wish(sim, SL_SIM_WISH_DRY_RUN, 0, fault->host);
}

void sl_sim__do_undrain(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    deeds_wish(sim, SL_SIM_WISH_UNDRAIN, 0, fault->host);
}

/* ---- nodes ---- */

void sl_sim__do_resign(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    deeds_wish(sim, SL_SIM_WISH_RESIGN, 0, fault->host);
}

void sl_sim__do_leave(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    sl_sim_host_leave(&sim->hosts[fault->host]);
}

void sl_sim__do_join(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    (void)fault;
    if (sim->host_count < sim->opts.host_count + DEEDS_MORE_HOSTS_MAX)
        sl_sim_add_host(sim);
}

void sl_sim__do_start_all(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_fault start = *fault;
    for (start.host = 0; start.host < sim->host_count; start.host++)
        sl_sim__do_start(sim, &start);
}

/* ---- feeds ---- */

void sl_sim__do_create_feed(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    char name[16];
    if (sim->catalog.feed_count >= sim->opts.feed_count_max)
        return;
    int len = snprintf(name, sizeof name, "feed%" PRIu32, sim->catalog.feed_count + 1);
    deeds_wish(sim, SL_SIM_WISH_CREATE, sl_sim_create_feed(sim, (struct sl_str){ name, (size_t)len }, fault->count),
               SL_SIM_HOST_NONE);
}

void sl_sim__do_pause_feed(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    deeds_wish(sim, SL_SIM_WISH_PAUSE, deeds_feed(sim, fault), SL_SIM_HOST_NONE);
}

/* One that has failed at a change of a schema he has read about, and seen to. */
void sl_sim__do_resume_feed(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    uint32_t feed = deeds_feed(sim, fault);
    if (sl_sim_judge_feed(sim, feed)->state == SL_FEED_FAILED)
        sl_sim_catalog_skip_refused(&sim->catalog, feed);
    deeds_wish(sim, SL_SIM_WISH_RESUME, deeds_feed(sim, fault), SL_SIM_HOST_NONE);
}

void sl_sim__do_remove_feed(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    deeds_wish(sim, SL_SIM_WISH_REMOVE, deeds_feed(sim, fault), SL_SIM_HOST_NONE);
}

void sl_sim__do_update_feed(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    deeds_wish(sim, SL_SIM_WISH_UPDATE, deeds_feed(sim, fault), SL_SIM_HOST_NONE);
}

void sl_sim__do_move_feed(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    deeds_wish(sim, SL_SIM_WISH_MOVE, deeds_feed(sim, fault), fault->host);
}

void sl_sim__do_add_tables(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    (void)sl_sim_catalog_ddl(&sim->catalog, deeds_feed(sim, fault), SL_SIM_DDL_CREATE, fault->count, 0);
}

void sl_sim__do_drop_tables(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    (void)sl_sim_catalog_ddl(&sim->catalog, deeds_feed(sim, fault), SL_SIM_DDL_DROP, fault->count, 0);
}

void sl_sim__do_ddl(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    uint64_t draw = fault->draw == 0 ? 0 : sl_sim_draw(&sim->engine, SL_SIM_DRAW_FAULT, fault->draw, fault->count);
    (void)sl_sim_catalog_ddl(&sim->catalog, deeds_feed(sim, fault), (enum sl_sim_ddl_kind)fault->options, fault->count,
                             draw);
}

/* Of the tables that are there now. */
void sl_sim__do_move_table(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    const struct sl_sim_feed *f = &sim->catalog.feeds[deeds_feed(sim, fault)];
    struct sl_sim_wish w = { .kind = SL_SIM_WISH_MOVE_TABLE,
                             .feed = deeds_feed(sim, fault),
                             .target = sim->hosts[fault->host].id };
    for (uint32_t i = 0, left = fault->count; i < f->table_count && w.table_id == 0; i++) {
        const struct sl_sim_table *t = &f->tables[i];
        if (t->dropped == SL_TS_MAX && left-- % f->live_count == 0)
            w.table_id = t->table_id;
    }
    if (w.table_id != 0)
        (void)sl_sim_client_wish(sim, &w);
}

/* ---- looking, and what has to be refused ---- */

void sl_sim__do_look(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    static const enum sl_sim_wish_kind kinds[] = { SL_SIM_WISH_LIST_DRAINS, SL_SIM_WISH_LIST_NODES,
                                                   SL_SIM_WISH_LIST_FEEDS, SL_SIM_WISH_SHOW_FEED };
    for (uint32_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        deeds_wish(sim, kinds[i], deeds_feed(sim, fault), fault->host);
}

void sl_sim__do_bad_request(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_wish w = { .kind = SL_SIM_WISH_BAD, .feed = deeds_feed(sim, fault), .bad = fault->count };
    w.target = sim->hosts[fault->host].id;
    (void)sl_sim_client_wish(sim, &w);
}
