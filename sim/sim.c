/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "core/common/mem_tags.h"
#include "sim/strip.h"

#define SIM_OUTBOX_COUNT 20000u
#define SIM_OUTBOX_BYTES ((size_t)256 << 20)
#define SIM_SCHEMA_LOADS_MAX 65536u
#define SIM_SAMPLE_NS (100 * SL_MS)
#define SIM_SPARE_HOSTS 28u

void sl_sim_opts_default(struct sl_sim_opts *opts)
{
    *opts = (struct sl_sim_opts){ .seed = 1,
                                  .host_count = 3,
                                  .net = SL_SIM_NET_OPTS_DEFAULT,
                                  .plane = SL_SIM_PLANE_OPTS_DEFAULT,
                                  .schema_ns = 5 * SL_MS,
                                  .meta = SL_STORE_SIM_OPTS_DEFAULT,
                                  .balances = true };
}

static uint32_t sim_host_cap(const struct sl_sim *sim)
{
    uint32_t wanted = sim->opts.host_count + SIM_SPARE_HOSTS;
    return wanted < SL_SIM_HOST_MAX ? wanted : SL_SIM_HOST_MAX;
}

static void sim_start_all(struct sl_sim *sim)
{
    for (uint32_t i = 0; i < sim->opts.host_count; i++) {
        sl_sim_host_init(&sim->hosts[i], sim, (uint16_t)i);
        sim->host_count++;
        sl_sim_host_start(&sim->hosts[i], false);
    }
    for (uint32_t i = 0; i < sim->host_count; i++)
        sl_sim_host_meet(&sim->hosts[i]);
}

void sl_sim_init(struct sl_sim *sim, const struct sl_sim_opts *opts)
{
    *sim = (struct sl_sim){ .opts = *opts };
    struct sl_sim_engine *e = &sim->engine;
    SL_REQUIRE(opts->host_count > 0 && opts->host_count <= SL_SIM_HOST_MAX);
    sl_sim_engine_init(e, opts->seed);
    sl_sim_log_init(&sim->log, e, opts->keeps_log, opts->trace);
    sl_sim_oracle_init(&sim->oracle, e);
    sl_sim_sink_init(&sim->sink, e, &sim->oracle);
    sl_sim_catalog_init(&sim->catalog, e, &sim->sink);
    sl_sim_net_init(&sim->net, e, &opts->net, sim_host_cap(sim));
    sl_slab_init(&sim->schema_loads, &e->mem, SL_TAG_SIM, sizeof(struct sl_out_schema_load), SIM_SCHEMA_LOADS_MAX);
    sl_arena_init(&sim->arena, &e->mem, SL_TAG_SIM, (size_t)1 << 30);
    enum sl_code code = sl_outbox_init(&sim->outbox, &e->mem, SL_TAG_SIM, SIM_OUTBOX_COUNT, SIM_OUTBOX_BYTES);
    SL_REQUIRE(code == SL_OK);
    sim->hosts = sl_sim_alloc(e, sim_host_cap(sim) * sizeof *sim->hosts);
    sl_sim_cluster_init(sim, sim_host_cap(sim));
    sim->oracle.has_foreign = opts->foreign_hosts != 0;
    sim_start_all(sim);
}

void sl_sim_deinit(struct sl_sim *sim)
{
    struct sl_sim_engine *e = &sim->engine;
    for (uint32_t i = 0; i < sim->host_count; i++)
        sl_sim_host_deinit(&sim->hosts[i]);
    sl_sim_free(e, sim->hosts, sim_host_cap(sim) * sizeof *sim->hosts);
    sl_sim_free(e, sim->members.items, sim->members.cap * sizeof *sim->members.items);
    sl_sim_cluster_deinit(sim);
    sl_sim_faults_deinit(sim);
    sl_outbox_deinit(&sim->outbox);
    sl_arena_deinit(&sim->arena);
    sl_slab_deinit(&sim->schema_loads);
    sl_sim_net_deinit(&sim->net);
    sl_sim_catalog_deinit(&sim->catalog);
    sl_sim_sink_deinit(&sim->sink);
    sl_sim_oracle_deinit(&sim->oracle);
    sl_sim_log_deinit(&sim->log);
    sl_sim_engine_deinit(e);
}

uint32_t sl_sim_add_host(struct sl_sim *sim)
{
    SL_REQUIRE(sim->host_count < sim_host_cap(sim));
    struct sl_sim_host *h = &sim->hosts[sim->host_count];
    sl_sim_host_init(h, sim, (uint16_t)sim->host_count);
    sim->host_count++;
    sl_sim_host_start(h, false);
    sl_sim_host_meet(h);
    return h->index;
}

uint32_t sl_sim_find_host(const struct sl_sim *sim, struct sl_str id)
{
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (sl_str_eq(sl_node_id_str(&sim->hosts[i].id), id) || sl_str_eq(sl_str_of(sim->hosts[i].name), id))
            return i;
    }
    return SL_SIM_HOST_NONE;
}

uint32_t sl_sim_create_feed(struct sl_sim *sim, struct sl_str name, uint32_t table_count)
{
    return sl_sim_catalog_add_feed(&sim->catalog, name, table_count);
}

/* ---- messages ---- */

static bool sim_is_stripped(const struct sl_sim *sim, const struct sl_sim_host *from, uint32_t to_member,
                            enum sl_msg_type type)
{
    const struct sl_sim_host *to = &sim->hosts[sim->members.items[to_member].host];
    return from != to && (from->is_foreign || to->is_foreign) && sl_msg_row((int32_t)type)->kind == SL_PAYLOAD_PB;
}

void sl_sim_post(struct sl_sim *sim, const struct sl_sim_host *from, const struct sl_node_id *to, uint32_t to_member,
                 enum sl_msg_type type, enum sl_topic topic, struct sl_bytes payload)
{
    bool is_stripped = to_member != SL_SIM_MEMBER_NONE && sim_is_stripped(sim, from, to_member, type);
    uint8_t *stripped = is_stripped ? sl_sim_alloc(&sim->engine, payload.len + 1) : NULL;
    size_t room = payload.len + 1;
    if (is_stripped)
        payload = (struct sl_bytes){ stripped, sl_sim_strip(type, payload, stripped) };
    struct sl_envelope e = { .type = type,
                             .from = sl_node_id_str(&from->id),
                             .to = sl_node_id_str(to),
                             .topic = sl_str_of(sl_topic_text(topic)),
                             .payload_count = 1 };
    e.payload[0] = payload;
    uint32_t message;
    size_t size = sl_envelope_size(&e);
    uint8_t *bytes = sl_sim_net_new(&sim->net, (uint32_t)size, &message);
    sl_envelope_encode(&e, bytes);
    if (is_stripped)
        sl_sim_free(&sim->engine, stripped, room);
    sl_sim_digest_bytes(&sim->engine, (struct sl_bytes){ bytes, size });
    struct sl_sim_route route = { .from = from->index,
                                  .to = from->index,
                                  .from_process = from->process,
                                  .type = type,
                                  .lane = sl_msg_row((int32_t)type)->lane };
    if (to_member != SL_SIM_MEMBER_NONE) {
        const struct sl_sim_member *m = &sim->members.items[to_member];
        route.to = m->host;
        route.to_process = sim->hosts[m->host].process == m->process ? m->process : 0;
    }
    struct sl_sim_echo echo = { .from = route.from,
                                .to = route.to,
                                .from_process = route.from_process,
                                .to_process = route.to_process,
                                .type = type,
                                .bytes = bytes,
                                .size = (uint32_t)size };
    sl_sim_cluster_keep_echo(sim, &echo);
    sl_sim_log_note(&sim->log, from->id.text, "-> %s %s, %zu bytes", to->text, sl_msg_row((int32_t)type)->name, size);
    sl_sim_net_send(&sim->net, message, &route);
}

void sl_sim_post_message(struct sl_sim *sim, const struct sl_sim_host *from, uint32_t to_member, enum sl_msg_type type,
                         const ProtobufCMessage *message)
{
    uint8_t payload[SL_SIM_PAYLOAD_BYTES];
    size_t size = sl_payload_size(type, message);
    SL_REQUIRE(size <= sizeof payload);
    sl_payload_encode(type, message, payload);
    struct sl_node_id to = sim->members.items[to_member].id;
    sl_sim_post(sim, from, &to, to_member, type, sl_msg_row((int32_t)type)->topic, (struct sl_bytes){ payload, size });
}

/* ---- schema ---- */

void sl_sim_load_schema(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_out_schema_load *load)
{
    uint32_t handle;
    struct sl_out_schema_load *pending = sl_slab_new(&sim->schema_loads, &handle);
    SL_REQUIRE(pending != NULL);
    *pending = *load;
    sl_sim_engine_push(
        &sim->engine, sim->engine.now + sim->opts.schema_ns,
        (struct sl_sim_event){ .kind = SL_SIM_EVENT_SCHEMA, .host = h->index, .life = h->process, .a = handle });
}

void sl_sim_answer_schema(struct sl_sim *sim, struct sl_sim_host *h, uint32_t handle)
{
    const struct sl_out_schema_load load = *(const struct sl_out_schema_load *)sl_slab_at(&sim->schema_loads, handle);
    sl_slab_free(&sim->schema_loads, handle);
    uint32_t feed = sl_sim_catalog_find(&sim->catalog, &load.feed);
    SL_REQUIRE(feed != SL_SIM_FEED_NONE);
    struct sl_input in = { .kind = SL_IN_SCHEMA };
    in.u.schema = (struct sl_in_schema){ .feed = load.feed, .request = load.request, .code = SL_NOT_READY };
    if (!sl_sim_chance(&sim->engine, SL_SIM_DRAW_SCHEMA, feed, sim->engine.event_count, sim->opts.schema_fail_ppm)) {
        in.u.schema.code = SL_OK;
        in.u.schema.tables = sl_sim_catalog_tables(&sim->catalog, feed, load.ts, &in.u.schema.table_count);
    }
    sl_sim_host_step(h, &in);
}

/* ---- running ---- */

static void sim_dispatch(struct sl_sim *sim, const struct sl_sim_event *event)
{
    switch ((enum sl_sim_event_kind)event->kind) {
    case SL_SIM_EVENT_FAULT:
        sl_sim_faults_on_event(sim, event->a);
        return;
    case SL_SIM_EVENT_STORE_DUE:
        sl_sim_cluster_on_due(sim, event->a);
        return;
    case SL_SIM_EVENT_CLIENT:
        sl_sim_client_on_tick(sim);
        return;
    case SL_SIM_EVENT_SINK:
        if (sl_sim_sink_on_event(&sim->sink, event))
            sl_sim_faults_on_moment(sim, SL_SIM_MOMENT_DDL_PERFORMED, event->host);
        return;
    case SL_SIM_EVENT_STORE:
    case SL_SIM_EVENT_REQUEST:
    case SL_SIM_EVENT_DELIVER:
    case SL_SIM_EVENT_TICK:
    case SL_SIM_EVENT_EXIT:
    case SL_SIM_EVENT_PLANE_FEED:
    case SL_SIM_EVENT_PLANE_GROUP:
    case SL_SIM_EVENT_PLANE_SPAN:
    case SL_SIM_EVENT_PLANE_HOSTED:
    case SL_SIM_EVENT_SCHEMA:
        sl_sim_host_on_event(&sim->hosts[event->host], event);
        return;
    }
    SL_UNREACHABLE();
}

static void sim_sample(struct sl_sim *sim)
{
    if (sim->engine.now < sim->sample_at)
        return;
    sim->sample_at = sim->engine.now + SIM_SAMPLE_NS;
    size_t maintainers = 0, dispatchers = 0;
    for (uint32_t i = 0; i < sim->host_count; i++) {
        const size_t *bytes = sim->hosts[i].mem.tag_bytes;
        if (sim->hosts[i].state == SL_SIM_HOST_DOWN)
            continue;
        maintainers += bytes[SL_TAG_SPANS] + bytes[SL_TAG_SPAN_INDEX] + bytes[SL_TAG_OPERATORS];
        dispatchers += bytes[SL_TAG_DISPATCHERS];
    }
    if (maintainers > sim->stats.maintainer_bytes_peak)
        sim->stats.maintainer_bytes_peak = maintainers;
    if (maintainers + dispatchers > sim->stats.control_bytes_peak)
        sim->stats.control_bytes_peak = maintainers + dispatchers;
}

bool sl_sim_run_until(struct sl_sim *sim, sl_ns at)
{
    struct sl_sim_event event;
    while (!sim->engine.violation.oracle && sl_sim_engine_take(&sim->engine, at, &event)) {
        sim_sample(sim);
        sim_dispatch(sim, &event);
    }
    if (sim->engine.violation.oracle)
        return false;
    sl_sim_engine_advance(&sim->engine, at);
    return true;
}
