/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/faults.h"

#include "sim/sim.h"

#define FAULTS_CAP_MIN 16u
#define FAULTS_SLOW_NS (3 * SL_S)

static const char *const action_texts[SL_SIM_ACTION_COUNT] = {
#define ACTION_TEXT(name, text) text,
    SL_SIM_ACTIONS(ACTION_TEXT)
#undef ACTION_TEXT
};

static const char *const moment_texts[SL_SIM_MOMENT_COUNT] = {
#define MOMENT_TEXT(name, text) text,
    SL_SIM_MOMENTS(MOMENT_TEXT)
#undef MOMENT_TEXT
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
                    sl_sim_between(&sim->engine, SL_SIM_DRAW_FAULT, i, moment, sim->engine.now + fault->delay_ns,
                                   fault->delay_width_ns));
    }
}

/* What takes a fault back after a while. */
static enum sl_sim_action faults_undo_of(enum sl_sim_action action)
{
    switch (action) {
    case SL_SIM_ACTION_CRASH:
    case SL_SIM_ACTION_LOSE_LEASE:
        return SL_SIM_ACTION_START;
    case SL_SIM_ACTION_PAUSE:
        return SL_SIM_ACTION_RESUME;
    case SL_SIM_ACTION_CUT:
        return SL_SIM_ACTION_HEAL;
    case SL_SIM_ACTION_HANG_OPEN:
    case SL_SIM_ACTION_HANG_CLOSE:
    case SL_SIM_ACTION_SLOW:
        return SL_SIM_ACTION_RELEASE;
    case SL_SIM_ACTION_STALL:
    case SL_SIM_ACTION_RESTART_SAME:
    case SL_SIM_ACTION_RESTART_NEW:
    case SL_SIM_ACTION_KILL_DIRECTOR:
    case SL_SIM_ACTION_ECHO:
    case SL_SIM_ACTION_HASTE:
    case SL_SIM_ACTION_LATE_ADD:
    case SL_SIM_ACTION_START:
    case SL_SIM_ACTION_RESUME:
    case SL_SIM_ACTION_HEAL:
    case SL_SIM_ACTION_RELEASE:
    case SL_SIM_ACTION_COUNT:
        break;
    }
    return SL_SIM_ACTION_COUNT;
}

static void faults_start(struct sl_sim_host *h, bool with_new_id)
{
    if (h->state != SL_SIM_HOST_DOWN)
        return;
    sl_sim_host_start(h, with_new_id);
    sl_sim_host_meet(h);
}

static void faults_act_on_host(struct sl_sim *sim, enum sl_sim_action action, struct sl_sim_host *h)
{
    switch (action) {
    case SL_SIM_ACTION_CRASH:
        sl_sim_host_kill(h);
        return;
    case SL_SIM_ACTION_PAUSE:
        sl_sim_host_pause(h);
        return;
    case SL_SIM_ACTION_RESUME:
        sl_sim_host_resume(h);
        return;
    case SL_SIM_ACTION_RESTART_SAME:
    case SL_SIM_ACTION_RESTART_NEW:
        sl_sim_host_kill(h);
        faults_start(h, action == SL_SIM_ACTION_RESTART_NEW);
        return;
    case SL_SIM_ACTION_START:
        faults_start(h, true);
        return;
    case SL_SIM_ACTION_LOSE_LEASE:
        if (sl_sim_host_is_up(h))
            sl_sim_members_expire(sim, h->member);
        return;
    case SL_SIM_ACTION_HANG_OPEN:
        h->plane.mood.hangs_open = true;
        return;
    case SL_SIM_ACTION_HANG_CLOSE:
        h->plane.mood.hangs_close = true;
        return;
    case SL_SIM_ACTION_SLOW:
        h->plane.mood.slow_open_ns = h->plane.mood.slow_close_ns = FAULTS_SLOW_NS;
        return;
    case SL_SIM_ACTION_RELEASE:
        if (h->state != SL_SIM_HOST_DOWN)
            sl_sim_plane_release(&h->plane);
        return;
    case SL_SIM_ACTION_CUT:
    case SL_SIM_ACTION_STALL:
    case SL_SIM_ACTION_HEAL:
    case SL_SIM_ACTION_KILL_DIRECTOR:
    case SL_SIM_ACTION_ECHO:
    case SL_SIM_ACTION_HASTE:
    case SL_SIM_ACTION_LATE_ADD:
    case SL_SIM_ACTION_COUNT:
        break;
    }
    SL_UNREACHABLE();
}

static void faults_act(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    if (sim->cluster && sl_sim_cluster_fault(sim, fault))
        return;
    switch (fault->action) {
    case SL_SIM_ACTION_CUT:
    case SL_SIM_ACTION_HEAL:
        sl_sim_net_cut(&sim->net, fault->host, fault->peer, fault->action == SL_SIM_ACTION_CUT);
        return;
    case SL_SIM_ACTION_STALL:
        sl_sim_net_stall(&sim->net, fault->host, fault->peer, sim->engine.now + fault->lasts_ns);
        return;
    case SL_SIM_ACTION_KILL_DIRECTOR:
        sl_sim_director_resign(sim, fault->host);
        return;
    case SL_SIM_ACTION_ECHO:
        sl_sim_director_echo(sim, fault->host);
        return;
    case SL_SIM_ACTION_HASTE:
        sl_sim_director_haste(sim, fault->host);
        return;
    case SL_SIM_ACTION_LATE_ADD:
        sl_sim_director_late_add(sim, fault->host);
        return;
    case SL_SIM_ACTION_CRASH:
    case SL_SIM_ACTION_PAUSE:
    case SL_SIM_ACTION_RESTART_SAME:
    case SL_SIM_ACTION_RESTART_NEW:
    case SL_SIM_ACTION_HANG_OPEN:
    case SL_SIM_ACTION_HANG_CLOSE:
    case SL_SIM_ACTION_SLOW:
    case SL_SIM_ACTION_LOSE_LEASE:
    case SL_SIM_ACTION_START:
    case SL_SIM_ACTION_RESUME:
    case SL_SIM_ACTION_RELEASE:
        faults_act_on_host(sim, fault->action, &sim->hosts[fault->host]);
        return;
    case SL_SIM_ACTION_COUNT:
        break;
    }
    SL_UNREACHABLE();
}

void sl_sim_faults_do(struct sl_sim *sim, const struct sl_sim_fault *fault)
{
    SL_REQUIRE(fault->host < sim->host_count || fault->action == SL_SIM_ACTION_KILL_DIRECTOR);
    sim->faults.done_counts[fault->action]++;
    sl_sim_log_note(&sim->log, fault->host < sim->host_count ? sim->hosts[fault->host].name : "-", "fault %s",
                    sl_sim_action_text(fault->action));
    faults_act(sim, fault);
    enum sl_sim_action undo = faults_undo_of(fault->action);
    if (fault->lasts_ns > 0 && undo != SL_SIM_ACTION_COUNT) {
        struct sl_sim_fault later = { .action = undo, .host = fault->host, .peer = fault->peer };
        sl_sim_faults_at(sim, sim->engine.now + fault->lasts_ns, &later);
    }
}

void sl_sim_faults_on_event(struct sl_sim *sim, uint32_t fault)
{
    if (sim->faults.is_over)
        return;
    struct sl_sim_fault copy = sim->faults.items[fault]; /* doing it may plan another one */
    sl_sim_faults_do(sim, &copy);
}

void sl_sim_faults_end(struct sl_sim *sim, bool down_stays)
{
    sim->faults.is_over = true;
    for (uint32_t i = 0; i < SL_SIM_MOMENT_COUNT; i++)
        sim->faults.armed_counts[i] = 0;
    struct sl_sim_net_opts *net = &sim->net.opts;
    net->loss_ppm = net->copy_ppm = net->spike_ppm = net->break_ppm = 0;
    struct sl_sim_plane_opts *plane = &sim->opts.plane;
    plane->fail_ppm = plane->feed_fail_ppm = plane->slow_ppm = plane->hang_open_ppm = plane->hang_close_ppm = 0;
    sim->opts.schema_fail_ppm = 0;
    sl_sim_net_heal(&sim->net);
    if (sim->cluster)
        sl_sim_cluster_faults_end(sim);
    for (uint32_t i = 0; i < sim->host_count; i++) {
        struct sl_sim_host *h = &sim->hosts[i];
        sl_sim_host_resume(h);
        if (h->state != SL_SIM_HOST_DOWN)
            sl_sim_plane_release(&h->plane);
        else if (!down_stays)
            faults_start(h, true);
    }
}
