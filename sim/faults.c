/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/actions.h"
#include "sim/sim.h"

#define FAULTS_CAP_MIN 16u

static const char *const action_texts[SL_SIM_ACTION_COUNT] = {
#define ACTION_TEXT(name, text, handler, undo) text,
    SL_SIM_ACTIONS(ACTION_TEXT)
#undef ACTION_TEXT
};

static const char *const moment_texts[SL_SIM_MOMENT_COUNT] = {
#define MOMENT_TEXT(name, text) text,
    SL_SIM_MOMENTS(MOMENT_TEXT)
#undef MOMENT_TEXT
};

static sl_sim_action_handler *const action_handlers[SL_SIM_ACTION_COUNT] = {
#define ACTION_HANDLER(name, text, handler, undo) sl_sim__do_##handler,
    SL_SIM_ACTIONS(ACTION_HANDLER)
#undef ACTION_HANDLER
};

/* What takes a fault back after a while. */
static const enum sl_sim_action action_undos[SL_SIM_ACTION_COUNT] = {
#define ACTION_UNDO(name, text, handler, undo) SL_SIM_ACTION_##undo,
    SL_SIM_ACTIONS(ACTION_UNDO)
#undef ACTION_UNDO
};

const char *sl_sim_action_text(enum sl_sim_action action)
{
    return action_texts[action];
}

const char *sl_sim_moment_text(enum sl_sim_moment moment)
{
    return moment_texts[moment];
}

void sl_sim_faults_deinit(struct sl_sim *sim)
{
    struct sl_sim_faults *f = &sim->faults;
    sl_sim_free(&sim->engine, f->items, f->cap * sizeof *f->items);
    *f = (struct sl_sim_faults){ 0 };
}

static uint32_t faults_add(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    struct sl_sim_faults *f = &sim->faults;
    if (f->count == f->cap) {
        uint32_t cap = f->cap > 0 ? f->cap * 2 : FAULTS_CAP_MIN;
        f->items = sl_sim_resize(&sim->engine, f->items, f->cap * sizeof *f->items, cap * sizeof *f->items);
        f->cap = cap;
    }
    f->items[f->count] = *fault;
    return f->count++;
}

static void faults_push(struct sl_sim *sim, uint32_t fault, sl_ns at)
{
    sl_sim_engine_push(&sim->engine, at, (struct sl_sim_event){ .kind = SL_SIM_EVENT_FAULT, .a = fault });
}

void sl_sim_faults_at(struct sl_sim *sim, sl_ns at, const struct sl_sim_fault *fault)
{
    faults_push(sim, faults_add(sim, fault), at);
}

void sl_sim_faults_aim(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    uint32_t i = faults_add(sim, fault);
    sim->faults.items[i].is_armed = true;
    if (fault->draw == 0)
        sim->faults.items[i].draw = i;
    sim->faults.armed_counts[fault->moment]++;
}

void sl_sim_faults_on_moment(struct sl_sim *sim, enum sl_sim_moment moment, uint32_t host)
{
    struct sl_sim_faults *f = &sim->faults;
    if (f->armed_counts[moment] == 0)
        return;
    for (uint32_t i = 0; i < f->count; i++) {
        struct sl_sim_fault *fault = &f->items[i];
        if (!fault->is_armed || fault->moment != moment ||
            (fault->at_host != SL_SIM_HOST_NONE && fault->at_host != host))
            continue;
        if (fault->skip > 0) {
            fault->skip--;
            continue;
        }
        fault->is_armed = false;
        f->armed_counts[moment]--;
        if (fault->host == SL_SIM_HOST_NONE)
            fault->host = host;
        faults_push(sim, i,
                    sl_sim_between(&sim->engine, SL_SIM_DRAW_FAULT, fault->draw, moment,
                                   sim->engine.now + fault->delay_ns, fault->delay_width_ns));
    }
}

/* False: it is aimed at somebody who is not there. */
static bool faults_find_host(const struct sl_sim *sim, struct sl_sim_fault *fault)
{
    if (fault->host == SL_SIM_HOST_LEADER)
        fault->host = sl_sim_cluster_leader(sim);
    if (fault->host >= sim->host_count)
        return false;
    if (fault->peer == fault->host || fault->peer >= sim->host_count)
        fault->peer = (fault->host + 1) % sim->host_count;
    return true;
}

void sl_sim_faults_do(struct sl_sim *sim, const struct sl_sim_fault *planned)
{
    struct sl_sim_fault fault = *planned;
    if (!faults_find_host(sim, &fault) && fault.action != SL_SIM_ACTION_KILL_COORDINATOR)
        return;
    sim->faults.done_counts[fault.action]++;
    sl_sim_log_note(&sim->log, fault.host < sim->host_count ? sim->hosts[fault.host].name : "-", "does %s",
                    sl_sim_action_text(fault.action));
    action_handlers[fault.action](sim, &fault);
    enum sl_sim_action undo = action_undos[fault.action];
    if (fault.lasts_ns > 0 && undo != SL_SIM_ACTION_NONE) {
        struct sl_sim_fault later = { .action = undo, .host = fault.host, .peer = fault.peer };
        sl_sim_faults_at(sim, sim->engine.now + fault.lasts_ns, &later);
    }
}

void sl_sim_faults_on_event(struct sl_sim *sim, uint32_t fault)
{
    if (sim->faults.is_over)
        return;
    struct sl_sim_fault copy = sim->faults.items[fault]; /* doing it may plan another one */
    sl_sim_faults_do(sim, &copy);
}

static void faults_end_on_host(struct sl_sim *sim, struct sl_sim_host *h, bool down_stays)
{
    struct sl_sim_fault start = { .action = SL_SIM_ACTION_START, .host = h->index };
    if (h->is_frozen)
        return;
    sl_sim_host_resume(h);
    if (h->state == SL_SIM_HOST_DOWN && !down_stays)
        sl_sim__do_start(sim, &start);
    else if (h->state != SL_SIM_HOST_DOWN && !h->plane.mood.is_wedged)
        sl_sim_plane_release(&h->plane);
}

void sl_sim_faults_end(struct sl_sim *sim, bool down_stays)
{
    sim->faults.is_over = true;
    for (uint32_t i = 0; i < SL_SIM_MOMENT_COUNT; i++)
        sim->faults.armed_counts[i] = 0;
    struct sl_sim_net_opts *net = &sim->net.opts;
    net->loss_ppm = net->copy_ppm = net->spike_ppm = net->break_ppm = net->garbage_ppm = 0;
    struct sl_sim_plane_opts *plane = &sim->opts.plane;
    plane->fail_ppm = plane->feed_fail_ppm = plane->slow_ppm = plane->hang_open_ppm = plane->hang_close_ppm = 0;
    sim->opts.schema_fail_ppm = 0;
    sim->sink.away_until = 0;
    sl_sim_net_heal(&sim->net);
    sl_sim_cluster_faults_end(sim);
    for (uint32_t i = 0; i < sim->host_count; i++)
        faults_end_on_host(sim, &sim->hosts[i], down_stays);
}
