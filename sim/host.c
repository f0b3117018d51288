/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/host.h"

#include "core/common/mem_tags.h"
#include "sim/sim.h"

#define HOST_CAP_MIN 16u
#define HOST_TICK_COST_NS (10 * SL_US) /* work that is due at once still takes time */
#define HOST_LEAVE_NS (15 * SL_S)      /* whoever asked it to leave ends it then */
#define HOST_WALL_EPOCH UINT64_C(1700000000000000000)
#define HOST_PPM 1000000

static void host_arm_tick(struct sl_sim_host *h);
static void host_report(void *ctx, const struct sl_report *report);
static bool host_has_lease(void *ctx);

/* ---- clocks ---- */

/* Every other one is slow. A run without drift has clocks that all read the time of the simulation. */
static void host_set_clock(struct sl_sim_host *h)
{
    const struct sl_sim *sim = h->sim;
    sl_ns now = sim->engine.now;
    h->clock = (struct sl_sim_clock){ .base = now, .local = now };
    if (sim->opts.drift_ppm > 0) {
        uint64_t draw = sl_sim_draw(&sim->engine, SL_SIM_DRAW_CLOCK, h->index, 0);
        int32_t drift = (int32_t)(draw % (sim->opts.drift_ppm + 1));
        h->clock.drift_ppm = draw >> 32 & 1 ? -drift : drift;
        h->clock.local += (sl_ns)(draw >> 40 & 0xff) * SL_S;
    }
    if (sim->opts.skew_ns > 0)
        h->clock.wall_skew_ns = sl_sim_between(&sim->engine, SL_SIM_DRAW_CLOCK, h->index, 1, 0, sim->opts.skew_ns);
}

sl_ns sl_sim_host_now(const struct sl_sim_host *h)
{
    sl_ns passed = h->sim->engine.now - h->clock.base;
    return h->clock.local + passed + passed / HOST_PPM * h->clock.drift_ppm +
           passed % HOST_PPM * h->clock.drift_ppm / HOST_PPM;
}

/* When its clock will have reached a time: not earlier. */
static sl_ns host_when(const struct sl_sim_host *h, sl_ns local)
{
    sl_ns left = local - sl_sim_host_now(h);
    if (left <= 0)
        return h->sim->engine.now;
    if (h->clock.drift_ppm == 0)
        return h->sim->engine.now + left;
    sl_ns rate = HOST_PPM + h->clock.drift_ppm;
    return h->sim->engine.now + left / rate * HOST_PPM + left % rate * HOST_PPM / rate + 1;
}

void sl_sim_host_jump(struct sl_sim_host *h, sl_ns by)
{
    h->clock.local = sl_sim_host_now(h) + by;
    h->clock.base = h->sim->engine.now;
    if (h->state != SL_SIM_HOST_UP)
        return;
    h->tick_at = SL_NEVER;
    host_arm_tick(h);
}

void sl_sim_host_init(struct sl_sim_host *h, struct sl_sim *sim, uint16_t index)
{
    *h = (struct sl_sim_host){ .sim = sim, .index = index, .tick_at = SL_NEVER };
    snprintf(h->name, sizeof h->name, "n%u", index + 1u);
    h->is_foreign = index < 32 && (sim->opts.foreign_hosts >> index & 1) != 0;
    host_set_clock(h);
    sl_sim_plane_init(&h->plane, &sim->engine, &sim->sink, &sim->catalog, &sim->opts.plane);
}

void sl_sim_host_deinit(struct sl_sim_host *h)
{
    struct sl_sim_engine *e = &h->sim->engine;
    sl_sim_host_kill(h);
    sl_sim_free(e, h->peers, h->peer_cap * sizeof *h->peers);
    sl_sim_free(e, h->held, h->held_cap * sizeof *h->held);
}

/* ---- life ---- */

static void host_name_process(struct sl_sim_host *h, bool with_new_id)
{
    if (h->lives > 0 && !with_new_id)
        return;
    char text[32];
    int len = h->lives == 0 ? snprintf(text, sizeof text, "%s", h->name)
                            : snprintf(text, sizeof text, "%s-%u", h->name, h->lives + 1);
    bool fits = sl_node_id_set(&h->id, (struct sl_str){ text, (size_t)len });
    SL_REQUIRE(fits);
}

static void host_new_node(struct sl_sim_host *h)
{
    struct sl_sim *sim = h->sim;
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    struct sl_node_opts opts;
    sl_mem_init(&h->mem, &mem);
    sl_node_opts_default(&opts);
    opts.mem = &h->mem;
    opts.id = h->id;
    opts.node_epoch = HOST_WALL_EPOCH + (uint64_t)(sl_sim_host_now(h) + h->clock.wall_skew_ns);
    opts.seed = sl_sim_draw(&sim->engine, SL_SIM_DRAW_NODE, h->index, h->lives);
    opts.node_count_max = SL_SIM_HOST_MAX;
    opts.manager.maintainer.reference_pacing = sim->opts.reference_pacing;
    if (!sim->opts.balances)
        opts.manager.maintainer.balance_ns = SL_NEVER;
    sl_sim_cluster_node_opts(h, &opts);
    h->node_epoch = opts.node_epoch;
    enum sl_code code = sl_node_new(&h->node, &opts, sl_sim_host_now(h));
    SL_REQUIRE(code == SL_OK);
}

void sl_sim_host_start(struct sl_sim_host *h, bool with_new_id)
{
    struct sl_sim *sim = h->sim;
    SL_REQUIRE(h->state == SL_SIM_HOST_DOWN);
    host_name_process(h, with_new_id);
    h->process = ++sim->process_count;
    h->state = SL_SIM_HOST_UP;
    h->is_unleased = h->is_exiting = h->is_leaving = h->is_frozen = false;
    host_new_node(h);
    struct sl_sim_plane_port port = { .ctx = h, .report = host_report, .has_lease = host_has_lease };
    sl_sim_plane_start(&h->plane, h->index, h->process, &port);
    h->lives++;
    h->member = sl_sim_members_join(sim, &h->id, h->index, h->process);
}

/* Some events own what they name. */
static void host_drop_event(struct sl_sim_host *h, const struct sl_sim_event *event)
{
    if (event->kind == SL_SIM_EVENT_DELIVER)
        sl_sim_net_free(&h->sim->net, event->a);
    else if (event->kind == SL_SIM_EVENT_SCHEMA)
        sl_slab_free(&h->sim->schema_loads, event->a);
    else if (event->kind == SL_SIM_EVENT_STORE)
        sl_sim_cluster_drop(h->sim, event->a);
}

void sl_sim_host_kill(struct sl_sim_host *h)
{
    struct sl_sim *sim = h->sim;
    if (h->state == SL_SIM_HOST_DOWN)
        return;
    sl_sim_cluster_host_dies(h);
    sl_sim_plane_kill(&h->plane);
    sl_sim_sink_process_dies(&sim->sink, h->process);
    sl_node_free(h->node);
    sl_mem_deinit(&h->mem);
    h->node = NULL;
    h->process = 0;
    h->state = SL_SIM_HOST_DOWN;
    for (uint32_t i = 0; i < h->held_count; i++)
        host_drop_event(h, &h->held[i]);
    h->held_count = 0;
    h->tick_at = SL_NEVER;
}

void sl_sim_host_pause(struct sl_sim_host *h)
{
    if (h->state != SL_SIM_HOST_UP)
        return;
    h->state = SL_SIM_HOST_PAUSED;
}

/* What waited comes now, in the order in which it would have come. */
void sl_sim_host_resume(struct sl_sim_host *h)
{
    if (h->state != SL_SIM_HOST_PAUSED)
        return;
    struct sl_sim_engine *e = &h->sim->engine;
    h->state = SL_SIM_HOST_UP;
    for (uint32_t i = 0; i < h->held_count; i++)
        sl_sim_engine_push(e, e->now, h->held[i]);
    h->held_count = 0;
}

static void host_hold(struct sl_sim_host *h, const struct sl_sim_event *event)
{
    if (h->held_count == h->held_cap) {
        uint32_t cap = h->held_cap > 0 ? h->held_cap * 2 : HOST_CAP_MIN;
        h->held = sl_sim_resize(&h->sim->engine, h->held, h->held_cap * sizeof *h->held, cap * sizeof *h->held);
        h->held_cap = cap;
    }
    h->held[h->held_count++] = *event;
}

/* ---- a step ---- */

static void host_arm_tick(struct sl_sim_host *h)
{
    struct sl_sim *sim = h->sim;
    sl_ns due = sl_node_deadline(h->node);
    if (due == SL_NEVER)
        return;
    due = host_when(h, due);
    due = due > sim->engine.now + HOST_TICK_COST_NS ? due : sim->engine.now + HOST_TICK_COST_NS;
    if (sim->opts.tick_late_ns > 0)
        due = sl_sim_between(&sim->engine, SL_SIM_DRAW_TICK, h->index, h->tick_serial, due, sim->opts.tick_late_ns);
    if (h->tick_at <= due)
        return;
    h->tick_at = due;
    sl_sim_engine_push(&sim->engine, due,
                       (struct sl_sim_event){
                           .kind = SL_SIM_EVENT_TICK, .host = h->index, .life = h->process, .a = ++h->tick_serial });
}

/* The id behind a ref; refs keep their meaning for long, so the last answer is tried first. */
static uint32_t host_peer(struct sl_sim_host *h, sl_node_ref ref, const struct sl_node_id **id)
{
    struct sl_sim *sim = h->sim;
    *id = sl_members_id(sl_node_members(h->node), ref);
    if (ref >= h->peer_cap) {
        uint32_t cap = h->peer_cap > 0 ? h->peer_cap : HOST_CAP_MIN;
        while (cap <= ref)
            cap *= 2;
        h->peers = sl_sim_resize(&sim->engine, h->peers, h->peer_cap * sizeof *h->peers, cap * sizeof *h->peers);
        h->peer_cap = cap;
    }
    uint32_t member = h->peers[ref];
    if (member >= sim->members.count || !sl_node_id_eq(&sim->members.items[member].id, *id))
        h->peers[ref] = sl_sim_members_find(sim, *id);
    return h->peers[ref];
}

static void host_send(struct sl_sim_host *h, const struct sl_out_send *send)
{
    const struct sl_node_id *to;
    uint32_t member = host_peer(h, send->to, &to);
    sl_sim_observe_send(h->sim, h, send);
    sl_sim_post(h->sim, h, to, member, send->type, send->topic, send->payload);
}

static void host_digest_command(struct sl_sim_engine *e, const struct sl_command *c)
{
    sl_sim_digest_u64(e, (uint64_t)c->verb, c->feed);
    sl_sim_digest_u64(e, c->dispatcher, c->start_ts);
    sl_sim_digest_u64(e, c->placement.maintainer_epoch, c->placement.seq);
}

static void host_perform_one(struct sl_sim_host *h, const struct sl_output *out)
{
    struct sl_sim *sim = h->sim;
    sl_sim_digest_u64(&sim->engine, (uint64_t)out->kind, out->after);
    if (out->after != 0) {
        sl_sim_cluster_wait(h, out);
        return;
    }
    switch (out->kind) {
    case SL_OUT_SEND:
        host_send(h, &out->u.send);
        return;
    case SL_OUT_COMMAND:
        host_digest_command(&sim->engine, &out->u.command);
        sl_sim_observe_command(sim, h, &out->u.command);
        sl_sim_plane_perform(&h->plane, &out->u.command);
        return;
    case SL_OUT_SCHEMA_LOAD:
        sl_sim_digest_u64(&sim->engine, out->u.schema_load.request, out->u.schema_load.ts);
        sl_sim_load_schema(sim, h, &out->u.schema_load);
        return;
    case SL_OUT_EVENT:
        sl_sim_digest_u64(&sim->engine, (uint64_t)out->u.event.id, out->u.event.field_count);
        sl_sim_observe_event(sim, h, &out->u.event);
        return;
    case SL_OUT_STORE:
        sl_sim_cluster_submit(h, &out->u.store);
        return;
    case SL_OUT_REPLY:
        sl_sim_client_on_reply(h, &out->u.reply);
        return;
    }
    SL_UNREACHABLE();
}

static void host_digest_input(struct sl_sim_host *h, const struct sl_input *in)
{
    struct sl_sim_engine *e = &h->sim->engine;
    sl_sim_digest_u64(e, (uint64_t)e->now, (uint64_t)h->process << 8 ^ (uint64_t)in->kind);
    if (in->kind == SL_IN_MESSAGE) {
        sl_sim_digest_bytes(e, in->u.message);
    } else if (in->kind == SL_IN_REPORT) {
        sl_sim_digest_u64(e, (uint64_t)in->u.report.kind << 1 ^ in->u.report.follows, in->u.report.feed);
        sl_sim_digest_u64(e, in->u.report.dispatcher, in->u.report.checkpoint);
    }
}

static void host_exit_after(struct sl_sim_host *h, sl_ns delay)
{
    sl_sim_engine_push(&h->sim->engine, h->sim->engine.now + delay,
                       (struct sl_sim_event){ .kind = SL_SIM_EVENT_EXIT, .host = h->index, .life = h->process });
}

void sl_sim_host_step(struct sl_sim_host *h, const struct sl_input *in)
{
    struct sl_sim *sim = h->sim;
    SL_REQUIRE(h->state == SL_SIM_HOST_UP);
    host_digest_input(h, in);
    sl_sim_observe_input(sim, h, in);
    sl_outbox_reset(&sim->outbox);
    sl_node_step(h->node, sl_sim_host_now(h), in, &sim->outbox);
    sl_sim_cluster_before_outputs(h);
    for (uint32_t i = 0; i < sim->outbox.count; i++)
        host_perform_one(h, &sim->outbox.items[i]);
    host_arm_tick(h);
    sl_sim_judge_leader(sim, h);
    if (h->is_leaving && !h->is_exiting && sl_node_has_left(h->node))
        host_exit_after(h, 0);
}

void sl_sim_host_leave(struct sl_sim_host *h)
{
    if (h->state != SL_SIM_HOST_UP || h->is_leaving)
        return;
    h->is_leaving = h->is_unleased = true; /* it fences itself first, and gives its lease back */
    host_exit_after(h, HOST_LEAVE_NS);
    sl_sim_host_step(h, &(struct sl_input){ .kind = SL_IN_LEAVE });
}

uint64_t sl_sim_host_work(const struct sl_sim_host *h)
{
    return (uint64_t)sl_sim_plane_dispatcher_count(&h->plane) + h->plane.readers +
           sl_manager_maintainer_count(sl_node_manager(h->node));
}

void sl_sim_host_meet(struct sl_sim_host *h)
{
    sl_sim_host_step(h, &(struct sl_input){ .kind = SL_IN_TICK });
}

/* ---- what comes from the plane ---- */

static void host_report(void *ctx, const struct sl_report *report)
{
    struct sl_input in = { .kind = SL_IN_REPORT, .u.report = *report };
    sl_sim_host_step(ctx, &in);
}

static bool host_has_lease(void *ctx)
{
    const struct sl_sim_host *h = ctx;
    const struct sl_membership *m = sl_node_membership(h->node);
    return !m || sl_membership_lease_until(m) > sl_sim_host_now(h);
}

/* ---- events ---- */

static void host_on_message(struct sl_sim_host *h, uint32_t handle)
{
    struct sl_sim *sim = h->sim;
    const struct sl_sim_message *m = sl_sim_net_arrive(&sim->net, handle);
    if (!m)
        return;
    if (m->to_process == h->process) {
        struct sl_bytes bytes = { m->bytes, m->size };
        sl_sim_log_note(&sim->log, h->id.text, "<- %s %s%s", sim->hosts[m->from].name,
                        sl_msg_row((int32_t)m->type)->name, m->is_stale ? ", stale" : "");
        sl_sim_host_step(h, &(struct sl_input){ .kind = SL_IN_MESSAGE, .u.message = bytes });
    }
    sl_sim_net_free(&sim->net, handle);
}

static void host_on_tick(struct sl_sim_host *h, uint32_t serial)
{
    if (serial != h->tick_serial)
        return;
    h->tick_at = SL_NEVER;
    if (sl_sim_host_now(h) < sl_node_deadline(h->node)) {
        host_arm_tick(h);
        return;
    }
    struct sl_input in = { .kind = SL_IN_TICK };
    sl_sim_host_step(h, &in);
}

static void host_dispatch(struct sl_sim_host *h, const struct sl_sim_event *event)
{
    switch ((enum sl_sim_event_kind)event->kind) {
    case SL_SIM_EVENT_DELIVER:
        host_on_message(h, event->a);
        return;
    case SL_SIM_EVENT_TICK:
        host_on_tick(h, event->a);
        return;
    case SL_SIM_EVENT_EXIT:
        sl_sim_host_kill(h);
        return;
    case SL_SIM_EVENT_PLANE_FEED:
        sl_sim_plane_on_feed(&h->plane, event->a, event->b);
        return;
    case SL_SIM_EVENT_PLANE_GROUP:
        sl_sim_plane_on_group(&h->plane, event->a, event->b);
        return;
    case SL_SIM_EVENT_PLANE_SPAN:
        sl_sim_plane_on_span(&h->plane, event->a, event->b);
        return;
    case SL_SIM_EVENT_PLANE_HOSTED:
        sl_sim_plane_on_hosted(&h->plane);
        return;
    case SL_SIM_EVENT_SCHEMA:
        sl_sim_answer_schema(h->sim, h, event->a);
        return;
    case SL_SIM_EVENT_STORE:
        sl_sim_cluster_deliver(h, event->a);
        return;
    case SL_SIM_EVENT_REQUEST:
        sl_sim_client_arrive(h, event->a, event->b);
        return;
    case SL_SIM_EVENT_FAULT:
    case SL_SIM_EVENT_STORE_DUE:
    case SL_SIM_EVENT_CLIENT:
    case SL_SIM_EVENT_SINK:
        break;
    }
    SL_UNREACHABLE();
}

/* A message is for whoever runs here when it comes; its own process number is checked then. */
void sl_sim_host_on_event(struct sl_sim_host *h, const struct sl_sim_event *event)
{
    bool is_message = event->kind == SL_SIM_EVENT_DELIVER;
    if (h->state == SL_SIM_HOST_DOWN || (!is_message && event->life != h->process))
        host_drop_event(h, event);
    else if (h->state == SL_SIM_HOST_PAUSED)
        host_hold(h, event);
    else
        host_dispatch(h, event);
}
