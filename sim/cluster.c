/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster.h"

#include "core/common/mem_tags.h"
#include "sim/sim.h"

#include <string.h>

#define CLUSTER_DELIVERIES_MAX (1u << 20)
#define CLUSTER_CAP_MIN 16u
#define CLUSTER_EXIT_NS (200 * SL_MS) /* from a fence to the end of the process */

struct cluster_delivery {
    bool is_batch;
    union {
        struct sl_store_result result;
        struct sl_store_watch_batch batch;
    } u;
    void *memory;
    size_t memory_size;
};

void sl_sim_cluster_init(struct sl_sim *sim, uint32_t host_cap)
{
    struct sl_sim_engine *e = &sim->engine;
    struct sl_sim_cluster *c = sl_sim_alloc(e, sizeof *c);
    struct sl_store_sim_opts opts = sim->opts.meta;
    opts.mem = &e->mem;
    opts.seed = sl_sim_draw(e, SL_SIM_DRAW_STORE, 0, 0);
    opts.host_count_max = host_cap;
    *c = (struct sl_sim_cluster){ .host_cap = host_cap, .due_at = SL_NEVER, .spared_host = SL_SIM_HOST_NONE };
    c->store = sl_store_sim_new(&opts);
    sl_slab_init(&c->deliveries, &e->mem, SL_TAG_SIM, sizeof(struct cluster_delivery), CLUSTER_DELIVERIES_MAX);
    c->hosts = sl_sim_alloc(e, host_cap * sizeof *c->hosts);
    sim->cluster = c;
}

static void cluster_free_delivery(struct sl_sim *sim, uint32_t handle)
{
    struct cluster_delivery *d = sl_slab_at(&sim->cluster->deliveries, handle);
    sl_sim_free(&sim->engine, d->memory, d->memory_size);
    sl_slab_free(&sim->cluster->deliveries, handle);
}

void sl_sim_cluster_deinit(struct sl_sim *sim)
{
    struct sl_sim_cluster *c = sim->cluster;
    struct sl_sim_engine *e = &sim->engine;
    if (!c)
        return;
    for (uint32_t i = 0; i < c->host_cap; i++) {
        struct sl_sim_cluster_host *ch = &c->hosts[i];
        sl_sim_free(e, ch->waiting, ch->waiting_cap * sizeof *ch->waiting);
        for (uint32_t k = 0; k < SL_SIM_BEATS_MAX; k++)
            sl_sim_free(e, ch->beats[k].bytes, ch->beats[k].size);
    }
    for (uint32_t d = sl_slab_next(&c->deliveries, 0); d != 0; d = sl_slab_next(&c->deliveries, d))
        cluster_free_delivery(sim, d);
    sl_slab_deinit(&c->deliveries);
    sl_store_sim_free(c->store);
    sl_sim_free(e, c->hosts, c->host_cap * sizeof *c->hosts);
    sl_sim_free(e, c->client.wishes, c->client.wish_cap * sizeof *c->client.wishes);
    sl_sim_free(e, c->judge.targets, c->judge.target_cap * sizeof *c->judge.targets);
    sl_sim_free(e, c->judge.drains, c->judge.drain_cap * sizeof *c->judge.drains);
    sl_sim_free(e, c->judge.feeds, c->judge.feed_cap * sizeof *c->judge.feeds);
    for (uint32_t i = 0; i < SL_SIM_ECHOES_MAX; i++)
        sl_sim_free(e, c->echoes[i].bytes, c->echoes[i].size);
    for (uint32_t i = 0; i < SL_SIM_BLOCKS_MAX; i++)
        sl_sim_free(e, c->blocks[i].bytes, c->blocks[i].size);
    sl_sim_free(e, c, sizeof *c);
    sim->cluster = NULL;
}

/* ---- the store ---- */

static void cluster_arm(struct sl_sim *sim)
{
    struct sl_sim_cluster *c = sim->cluster;
    sl_ns due = sl_store_sim_next_due(c->store);
    if (due >= c->due_at)
        return;
    c->due_at = due;
    sl_sim_engine_push(&sim->engine, due,
                       (struct sl_sim_event){ .kind = SL_SIM_EVENT_STORE_DUE, .a = ++c->due_serial });
}

void sl_sim_cluster_submit(struct sl_sim_host *h, const struct sl_store_op *op)
{
    struct sl_sim *sim = h->sim;
    sl_sim_digest_u64(&sim->engine, op->id, (uint64_t)op->verb);
    sl_store_sim_submit(sim->cluster->store, sim->engine.now, h->index, h->process, op);
    cluster_arm(sim);
}

/* It comes as an event, so that a process that sleeps finds it later. */
static void cluster_keep(struct sl_sim *sim, const struct sl_store_sim_due *due)
{
    struct sl_sim_engine *e = &sim->engine;
    uint32_t handle;
    struct cluster_delivery *d = sl_slab_new(&sim->cluster->deliveries, &handle);
    SL_REQUIRE(d != NULL);
    *d = (struct cluster_delivery){ .is_batch = due->is_batch };
    d->memory_size = due->is_batch ? sl_store_batch_bytes(&due->batch) : sl_store_result_bytes(&due->result);
    d->memory = d->memory_size > 0 ? sl_sim_alloc(e, d->memory_size) : NULL;
    if (due->is_batch)
        sl_store_batch_copy(&d->u.batch, &due->batch, d->memory);
    else
        sl_store_result_copy(&d->u.result, &due->result, d->memory);
    sl_sim_engine_push(e, e->now,
                       (struct sl_sim_event){
                           .kind = SL_SIM_EVENT_STORE, .host = (uint16_t)due->host, .life = due->life, .a = handle });
}

void sl_sim_cluster_on_due(struct sl_sim *sim, uint32_t serial)
{
    struct sl_sim_cluster *c = sim->cluster;
    struct sl_store_sim_due due;
    if (serial != c->due_serial)
        return;
    c->due_at = SL_NEVER;
    while (sl_store_sim_take_due(c->store, sim->engine.now, &due))
        cluster_keep(sim, &due);
    sl_sim_judge_store(sim);
    cluster_arm(sim);
}

/* ---- what waits ---- */

void sl_sim_cluster_wait(struct sl_sim_host *h, const struct sl_output *out)
{
    struct sl_sim_engine *e = &h->sim->engine;
    struct sl_sim_cluster_host *ch = &h->sim->cluster->hosts[h->index];
    SL_REQUIRE(out->kind == SL_OUT_SEND); /* nothing else waits */
    const struct sl_out_send *send = &out->u.send;
    if (ch->waiting_count == ch->waiting_cap) {
        uint32_t cap = ch->waiting_cap > 0 ? ch->waiting_cap * 2 : CLUSTER_CAP_MIN;
        ch->waiting = sl_sim_resize(e, ch->waiting, ch->waiting_cap * sizeof *ch->waiting, cap * sizeof *ch->waiting);
        ch->waiting_cap = cap;
    }
    struct sl_sim_waiting *w = &ch->waiting[ch->waiting_count++];
    *w = (struct sl_sim_waiting){ .op = out->after,
                                  .to = *sl_members_id(sl_node_members(h->node), send->to),
                                  .type = send->type,
                                  .topic = send->topic,
                                  .size = send->payload.len + 1 }; /* never empty */
    w->bytes = sl_sim_alloc(e, w->size);
    if (send->payload.len > 0)
        memcpy(w->bytes, send->payload.ptr, send->payload.len);
}

static void cluster_send(struct sl_sim_host *h, const struct sl_sim_waiting *w)
{
    struct sl_sim *sim = h->sim;
    struct sl_out_send send = { .type = w->type, .topic = w->topic, .payload = { w->bytes, w->size - 1 } };
    sl_sim_observe_send(sim, h, &send);
    sl_sim_post(sim, h, &w->to, sl_sim_members_find(sim, &w->to), w->type, w->topic, send.payload);
}

/* C1. */
static void cluster_end_wait(struct sl_sim_host *h, const struct sl_store_result *r)
{
    struct sl_sim_cluster_host *ch = &h->sim->cluster->hosts[h->index];
    bool is_done = r->outcome == SL_STORE_OK && (r->verb != SL_STORE_TXN || r->succeeded);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ch->waiting_count; i++) {
        struct sl_sim_waiting *w = &ch->waiting[i];
        if (w->op != r->id) {
            ch->waiting[kept++] = *w;
            continue;
        }
        if (is_done)
            cluster_send(h, w);
        sl_sim_free(&h->sim->engine, w->bytes, w->size);
    }
    ch->waiting_count = kept;
}

void sl_sim_cluster_host_dies(struct sl_sim_host *h)
{
    struct sl_sim_cluster *c = h->sim->cluster;
    struct sl_sim_cluster_host *ch = &c->hosts[h->index];
    for (uint32_t i = 0; i < ch->waiting_count; i++)
        sl_sim_free(&h->sim->engine, ch->waiting[i].bytes, ch->waiting[i].size);
    ch->waiting_count = 0;
    ch->lease = 0;
    ch->targets = (struct sl_target_set){ 0 };
    sl_store_sim_drop(c->store, h->index, h->process);
}

/* ---- deliveries ---- */

void sl_sim_cluster_drop(struct sl_sim *sim, uint32_t delivery)
{
    cluster_free_delivery(sim, delivery);
}

/* A process that has not joined yet may lose its lease and take another one. */
static void cluster_take_lease(struct sl_sim_host *h, sl_lease_id lease)
{
    h->sim->cluster->hosts[h->index].lease = lease;
    if (h->is_exiting || h->is_leaving)
        return;
    h->is_unleased = false;
    sl_sim_sink_process_leased(&h->sim->sink, h->process);
}

void sl_sim_cluster_deliver(struct sl_sim_host *h, uint32_t delivery)
{
    struct sl_sim *sim = h->sim;
    const struct cluster_delivery *d = sl_slab_at(&sim->cluster->deliveries, delivery);
    struct sl_input in = { .kind = d->is_batch ? SL_IN_WATCH : SL_IN_STORE };
    if (d->is_batch) {
        in.u.watch = d->u.batch;
    } else {
        in.u.store = d->u.result;
        if (in.u.store.verb == SL_STORE_GRANT && in.u.store.outcome == SL_STORE_OK)
            cluster_take_lease(h, in.u.store.lease);
        cluster_end_wait(h, &in.u.store);
    }
    sl_sim_host_step(h, &in);
    cluster_free_delivery(sim, delivery);
}

/* ---- steps ---- */

/* A node that fences itself does so before the store gives its keys away, and says so before it says what follows. */
void sl_sim_cluster_before_outputs(struct sl_sim_host *h)
{
    const struct sl_outbox *out = &h->sim->outbox;
    for (uint32_t i = 0; i < out->count && !h->is_exiting; i++) {
        if (out->items[i].kind != SL_OUT_EVENT || out->items[i].u.event.id != SL_EV_SESSION_FENCED)
            continue;
        h->is_unleased = h->is_exiting = true;
        sl_sim_engine_push(&h->sim->engine, h->sim->engine.now + CLUSTER_EXIT_NS,
                           (struct sl_sim_event){ .kind = SL_SIM_EVENT_EXIT, .host = h->index, .life = h->process });
    }
}

/* ---- views ---- */

uint32_t sl_sim_cluster_owner(struct sl_sim *sim, uint32_t feed)
{
    uint32_t owner = SL_SIM_HOST_NONE;
    uint64_t epoch = 0;
    for (uint32_t i = 0; i < sim->host_count; i++) {
        const struct sl_sim_host *h = &sim->hosts[i];
        if (h->state == SL_SIM_HOST_DOWN)
            continue;
        const struct sl_maintainer *m = sl_manager_find(sl_node_manager(h->node), &sim->catalog.feeds[feed].id);
        if (m && sl_maintainer_is_bootstrapped(m) && sl_maintainer_epoch(m) > epoch) {
            epoch = sl_maintainer_epoch(m);
            owner = i;
        }
    }
    return owner;
}

/* Past the fence a process does nothing more before it fences itself, however late it wakes up. */
bool sl_sim_cluster_believes(const struct sl_sim_host *h, struct sl_membership_view *view)
{
    if (h->state == SL_SIM_HOST_DOWN)
        return false;
    const struct sl_membership *m = sl_node_membership(h->node);
    sl_membership_view(m, view);
    return sl_membership_lease_until(m) > sl_sim_host_now(h) + SL_MEMBERSHIP_OPTS_DEFAULT.fence_margin_ns;
}

static bool cluster_leads(const struct sl_sim_host *h)
{
    struct sl_membership_view view;
    return sl_sim_cluster_believes(h, &view) && view.leader;
}

uint32_t sl_sim_cluster_leader(const struct sl_sim *sim)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (cluster_leads(&sim->hosts[i]))
            return i;
    }
    return SL_SIM_HOST_NONE;
}

bool sl_sim_cluster_is_led(const struct sl_sim *sim)
{
    uint32_t leader = sl_sim_cluster_leader(sim);
    if (leader == SL_SIM_HOST_NONE || !sl_sim_host_is_up(&sim->hosts[leader]))
        return false;
    const struct sl_coordinator *c = sl_node_coordinator(sim->hosts[leader].node);
    return c && sl_coordinator_is_running(c);
}

void sl_sim_cluster_faults_end(struct sl_sim *sim)
{
    struct sl_store_sim_opts *o = sl_store_sim_opts(sim->cluster->store);
    o->slow_ppm = o->refuse_ppm = o->lose_request_ppm = o->lose_answer_ppm = o->outage_ppm = o->break_watch_ppm =
        o->compact_ppm = o->new_leader_ppm = 0;
}

/* ---- a node ------------------------------------------------------------------------------------------------ */

void sl_sim_cluster_node_opts(const struct sl_sim_host *h, struct sl_node_opts *opts)
{
    struct sl_capture *self = &opts->membership.self;
    opts->membership.cluster = SL_STR(SL_SIM_CLUSTER_ID);
    opts->coordinator.wall_offset_ns = opts->node_epoch - (uint64_t)sl_sim_host_now(h);
    snprintf(self->name, sizeof self->name, "%s", h->id.text);
    snprintf(self->address, sizeof self->address, "%s:8300", h->id.text);
    snprintf(self->version, sizeof self->version, "v8.5.4-sluice.0.1.0");
    self->is_sluice = !h->is_foreign;
    self->is_new_arch = true;
    opts->interop = h->sim->opts.foreign_hosts != 0;
    self->start_timestamp_s = opts->node_epoch / SL_S;
}
