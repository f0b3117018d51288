/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRIVER_RECORD_HEAD                                                                            \
    "{\"id\":{\"id\":{\"low\":1,\"high\":2},\"display\":{\"name\":\"cf\",\"keyspace\":\"default\"}}," \
    "\"sink-uri\":\"blackhole://\",\"start-ts\":1000,\"target-ts\":0,\"config\":{\"performance-mode\":"
#define DRIVER_RECORD_TAIL                                                                                 \
    ",\"filter\":{\"rules\":[\"*.*\"]},\"sink\":{},\"consistent\":{\"level\":\"none\"},\"scheduler\":{}}," \
    "\"state\":\"normal\",\"epoch\":7}"

static const char driver_record[] = DRIVER_RECORD_HEAD "\"throughput\"" DRIVER_RECORD_TAIL;

/* ---- life ---- */

static void driver_init_nodes(struct driver *d, uint32_t node_count)
{
    struct sl_node_id ids[DRIVER_NODES_MAX];
    const struct sl_members_change *change;
    d->node_count = DRIVER_NODES_MAX;
    for (uint32_t i = 0; i < DRIVER_NODES_MAX; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "n%u", i);
        assert_true(sl_node_id_set(&d->nodes[i].id, sl_str_of(text)));
        d->nodes[i].close_outcome = PB__CLOSE_OUTCOME__CLOSED;
        ids[i] = d->nodes[i].id;
    }
    sl_assert_i64(sl_members_new(&d->members, &d->mem, &ids[0], DRIVER_NODES_MAX, 1), SL_OK);
    sl_assert_u64(sl_members_apply(d->members, ids, node_count, &change), 0u);
    for (uint32_t i = 0; i < node_count; i++)
        d->nodes[i].ref = sl_members_find(d->members, &ids[i]);
}

void driver_init(struct driver *d, uint32_t node_count)
{
    *d = (struct driver){ .now = SL_S };
    struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    sl_mem_init(&d->mem, &mem_opts);
    sl_mem_init(&d->own, &mem_opts);
    sl_arena_init(&d->arena, &d->mem, SL_TAG_SIM, (size_t)16 << 20);
    sl_arena_init(&d->status_arena, &d->mem, SL_TAG_SIM, (size_t)16 << 20);
    sl_assert_i64(sl_outbox_init(&d->out, &d->mem, SL_TAG_OUTBOX, 4096, (size_t)16 << 20), SL_OK);
    sl_pacer_init(&d->pacer, &SL_PACER_OPTS_DEFAULT);
    driver_init_nodes(d, node_count);
    Pb__ChangefeedID feed = PB__CHANGEFEED_ID__INIT;
    feed.high = 2;
    feed.low = 1;
    feed.name = (char *)(uintptr_t)"cf";
    feed.keyspace = (char *)(uintptr_t)"default";
    assert_true(sl_feed_id_set(&d->feed, &feed));
    d->opts = (struct sl_maintainer_opts){
        .mem = &d->own,
        .members = d->members,
        .pacer = &d->pacer,
        .id = &d->feed,
        .config = sl_secret_of((struct sl_bytes){ (const uint8_t *)driver_record, sizeof driver_record - 1 }),
        .config_bytes_max = 1u << 16,
        .checkpoint = DRIVER_START_TS,
        .epoch = DRIVER_EPOCH,
        .seed = 42,
        .is_new = true,
        .limits = SL_MAINTAINER_LIMITS_DEFAULT,
    };
}

void driver_deinit(struct driver *d)
{
    driver_lose(d);
    sl_maintainer_free(d->m);
    sl_outbox_deinit(&d->out);
    sl_arena_deinit(&d->status_arena);
    sl_arena_deinit(&d->arena);
    sl_members_free(d->members);
    sl_mem_deinit(&d->own);
    sl_mem_deinit(&d->mem);
}

void driver_set_tables(struct driver *d, uint32_t count)
{
    assert_true(count <= DRIVER_TABLES_MAX);
    d->table_count = count;
    for (uint32_t i = 0; i < count; i++)
        d->tables[i] = (struct sl_table){ .table_id = (int64_t)i + 1, .schema_id = 1 };
}

void driver_new(struct driver *d)
{
    sl_assert_i64(sl_maintainer_new(&d->m, &d->opts, d->now), SL_OK);
}

void driver_start(struct driver *d)
{
    if (!d->m)
        driver_new(d);
    sl_maintainer_start(d->m, d->now, &d->out);
    driver_collect(d);
}

void driver_bootstrap(struct driver *d)
{
    driver_start(d);
    driver_deliver(d);
    assert_true(sl_maintainer_is_bootstrapped(d->m));
}

/* ---- outputs ---- */

static uint32_t driver_index(const struct driver *d, sl_node_ref ref)
{
    for (uint32_t i = 0; i < DRIVER_NODES_MAX; i++) {
        if (d->nodes[i].ref == ref)
            return i;
    }
    fail_msg("no node has ref %u", ref);
    return 0;
}

static void driver_queue(struct driver *d, const struct sl_out_send *send)
{
    assert_true(d->queue_count < DRIVER_QUEUE_MAX);
    struct driver_sent *s = &d->queue[(d->queue_head + d->queue_count++) % DRIVER_QUEUE_MAX];
    *s = (struct driver_sent){ .to = send->to, .type = send->type, .topic = send->topic, .len = send->payload.len };
    s->bytes = malloc(s->len + 1);
    assert_non_null(s->bytes);
    if (s->len > 0)
        memcpy(s->bytes, send->payload.ptr, s->len);
    d->sent[send->type][driver_index(d, send->to)]++;
    d->sent_to_hc += send->type == SL_MSG_CHECKPOINT_TS_MESSAGE && send->topic == SL_TOPIC_HC;
}

void driver_collect(struct driver *d)
{
    for (uint32_t i = 0; i < d->out.count; i++) {
        const struct sl_output *o = &d->out.items[i];
        if (o->kind == SL_OUT_SEND)
            driver_queue(d, &o->u.send);
        if (o->kind == SL_OUT_EVENT)
            d->events[o->u.event.id]++;
        if (o->kind == SL_OUT_SCHEMA_LOAD) {
            d->load = o->u.schema_load;
            d->load.source = (struct sl_secret){ 0 }; /* its bytes end with the step */
            d->load_source_len = sl_secret_reveal(o->u.schema_load.source).len;
            d->has_load = true;
            d->load_count++;
        }
    }
    sl_outbox_reset(&d->out);
}

static struct driver_sent driver_take(struct driver *d)
{
    struct driver_sent s = d->queue[d->queue_head];
    d->queue_head = (d->queue_head + 1) % DRIVER_QUEUE_MAX;
    d->queue_count--;
    return s;
}

void driver_lose(struct driver *d)
{
    while (d->queue_count > 0)
        free(driver_take(d).bytes);
}

void driver_forget(struct driver *d)
{
    memset(d->sent, 0, sizeof d->sent);
    memset(d->events, 0, sizeof d->events);
    d->sent_to_hc = d->load_count = 0;
}

uint32_t driver_sent(const struct driver *d, enum sl_msg_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < DRIVER_NODES_MAX; i++)
        count += d->sent[type][i];
    return count;
}

static const void *driver_decode(struct driver *d, const struct driver_sent *s)
{
    const struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    const ProtobufCMessage *message;
    struct sl_bytes bytes = { s->bytes, s->len };
    sl_assert_i64(sl_payload_decode(s->type, bytes, &limits, &d->arena, &message), SL_REFUSE_NONE);
    return message;
}

const void *driver_peek(struct driver *d, enum sl_msg_type type, uint32_t node)
{
    const void *found = NULL;
    for (uint32_t i = 0; i < d->queue_count; i++) {
        const struct driver_sent *s = &d->queue[(d->queue_head + i) % DRIVER_QUEUE_MAX];
        if (s->type == type && s->to == d->nodes[node].ref)
            found = driver_decode(d, s);
    }
    return found;
}

/* ---- what the fakes say ---- */

static enum sl_refusal driver_say(struct driver *d, uint32_t node, enum sl_msg_type type,
                                  const ProtobufCMessage *message)
{
    enum sl_refusal refusal = sl_maintainer_on_message(d->m, d->now, d->nodes[node].ref, type, message, &d->out);
    driver_collect(d);
    return refusal;
}

static Pb__RunningError driver_error(const char *code)
{
    Pb__RunningError error = PB__RUNNING_ERROR__INIT;
    error.code = (char *)(uintptr_t)code;
    error.message = (char *)(uintptr_t)"told by a test";
    return error;
}

enum sl_refusal driver_beat(struct driver *d, uint32_t node, const struct driver_beat *b)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(&d->feed);
    Pb__Watermark mark = PB__WATERMARK__INIT;
    Pb__DispatcherID id = sl_dispatcher_id_pb(b->id);
    Pb__TableSpanStatus status = PB__TABLE_SPAN_STATUS__INIT, *statuses = &status;
    Pb__RunningError error = driver_error(b->error_code);
    Pb__HeartBeatRequest beat = PB__HEART_BEAT_REQUEST__INIT;
    mark.checkpoint_ts = b->checkpoint;
    mark.resolved_ts = b->resolved ? b->resolved : b->checkpoint;
    mark.seq = b->seq ? b->seq : ++d->nodes[node].mark_seq;
    mark.last_synced_ts = b->last_synced;
    status.id = &id;
    status.state = b->state;
    status.checkpoint_ts = b->status_checkpoint;
    status.placement_seq = b->placement_seq;
    beat.changefeed = &feed;
    beat.watermark = b->no_watermark ? NULL : &mark;
    beat.err = b->error_code ? &error : NULL;
    beat.n_statuses = !sl_dispatcher_id_is_none(b->id);
    beat.statuses = &statuses;
    beat.maintainer_epoch = b->epoch;
    beat.incarnation = d->nodes[node].incarnation;
    beat.node_liveness = b->liveness;
    beat.lag_ms = b->lag_ms;
    return driver_say(d, node, SL_MSG_HEART_BEAT_REQUEST, &beat.base);
}

static sl_ts driver_position(const struct driver_node *n, sl_ts start)
{
    return sl_ts_max(n->checkpoint, start);
}

/* The smallest position of what the node runs, the trigger included. */
static sl_ts driver_mark(const struct driver_node *n)
{
    sl_ts mark = sl_dispatcher_id_is_none(n->trigger) ? SL_TS_MAX : driver_position(n, DRIVER_START_TS);
    for (uint32_t i = 0; i < n->dispatcher_count; i++)
        mark = sl_ts_min(mark, driver_position(n, n->dispatchers[i].checkpoint));
    return mark;
}

static void driver_say_state(struct driver *d, uint32_t node, struct sl_dispatcher_id id, Pb__ComponentState state,
                             sl_ts checkpoint, uint64_t placement_seq)
{
    struct driver_beat beat = { .checkpoint = driver_mark(&d->nodes[node]),
                                .id = id,
                                .state = state,
                                .status_checkpoint = checkpoint,
                                .placement_seq = placement_seq,
                                .liveness = sl_liveness_pb(d->nodes[node].liveness) };
    (void)driver_beat(d, node, &beat);
}

void driver_heartbeat(struct driver *d, uint32_t node)
{
    struct driver_node *n = &d->nodes[node];
    struct driver_beat beat = { .checkpoint = driver_mark(n), .liveness = sl_liveness_pb(n->liveness) };
    (void)driver_beat(d, node, &beat);
    for (uint32_t i = 0; i < n->dispatcher_count; i++) {
        const struct driver_dispatcher *x = &n->dispatchers[i];
        driver_say_state(d, node, x->id, x->state, driver_position(n, x->checkpoint), x->placement_seq);
    }
}

enum sl_refusal driver_answer(struct driver *d, uint32_t node, uint64_t epoch)
{
    struct driver_node *n = &d->nodes[node];
    Pb__ChangefeedID feed = sl_feed_id_pb(&d->feed);
    Pb__DispatcherID ids[DRIVER_DISPATCHERS_MAX], journal_ids[DRIVER_JOURNAL_MAX];
    Pb__TableSpan keys[DRIVER_DISPATCHERS_MAX], journal_keys[DRIVER_JOURNAL_MAX];
    Pb__BootstrapTableSpan spans[DRIVER_DISPATCHERS_MAX], *span_list[DRIVER_DISPATCHERS_MAX];
    Pb__DispatcherConfig configs[DRIVER_JOURNAL_MAX];
    Pb__ScheduleDispatcherRequest operators[DRIVER_JOURNAL_MAX], *operator_list[DRIVER_JOURNAL_MAX];
    Pb__RunningError error = driver_error(n->error);
    Pb__MaintainerBootstrapResponse r = PB__MAINTAINER_BOOTSTRAP_RESPONSE__INIT;
    for (uint32_t i = 0; i < n->dispatcher_count; i++) {
        const struct driver_dispatcher *x = &n->dispatchers[i];
        pb__bootstrap_table_span__init(&spans[i]);
        pb__table_span__init(&keys[i]);
        ids[i] = sl_dispatcher_id_pb(x->id);
        keys[i].table_id = x->table_id;
        spans[i].id = &ids[i];
        spans[i].span = &keys[i];
        spans[i].schema_id = 1;
        spans[i].state = x->state;
        spans[i].checkpoint_ts = x->checkpoint;
        spans[i].placement_seq = x->placement_seq;
        span_list[i] = &spans[i];
    }
    for (uint32_t i = 0; i < n->journal_count; i++) {
        pb__schedule_dispatcher_request__init(&operators[i]);
        pb__dispatcher_config__init(&configs[i]);
        pb__table_span__init(&journal_keys[i]);
        journal_ids[i] = sl_dispatcher_id_pb(n->journal[i].id);
        journal_keys[i].table_id = n->journal[i].table_id;
        configs[i].dispatcher_id = &journal_ids[i];
        configs[i].span = &journal_keys[i];
        configs[i].start_ts = DRIVER_START_TS;
        configs[i].schema_id = 1;
        operators[i].changefeed = &feed;
        operators[i].config = &configs[i];
        operators[i].action = n->journal[i].action;
        operators[i].operator_type = n->journal[i].type;
        operator_list[i] = &operators[i];
    }
    r.changefeed = &feed;
    r.n_spans = n->dispatcher_count;
    r.spans = span_list;
    r.n_operators = n->journal_count;
    r.operators = operator_list;
    r.err = n->error ? &error : NULL;
    r.checkpoint_ts = n->hides_checkpoint || sl_dispatcher_id_is_none(n->trigger) ? 0 : DRIVER_START_TS;
    r.maintainer_epoch = epoch;
    r.incarnation = n->incarnation;
    r.node_liveness = sl_liveness_pb(n->liveness);
    return driver_say(d, node, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, &r.base);
}

enum sl_refusal driver_answer_post(struct driver *d, uint32_t node, uint64_t epoch)
{
    struct driver_node *n = &d->nodes[node];
    Pb__ChangefeedID feed = sl_feed_id_pb(&d->feed);
    Pb__DispatcherID id = sl_dispatcher_id_pb(n->trigger);
    Pb__RunningError error = driver_error(n->error);
    Pb__MaintainerPostBootstrapResponse r = PB__MAINTAINER_POST_BOOTSTRAP_RESPONSE__INIT;
    r.changefeed = &feed;
    r.table_trigger_id = &id;
    r.maintainer_epoch = epoch;
    r.err = n->error ? &error : NULL;
    return driver_say(d, node, SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, &r.base);
}

enum sl_refusal driver_answer_close(struct driver *d, uint32_t node, uint64_t epoch)
{
    struct driver_node *n = &d->nodes[node];
    Pb__ChangefeedID feed = sl_feed_id_pb(&d->feed);
    Pb__MaintainerCloseResponse r = PB__MAINTAINER_CLOSE_RESPONSE__INIT;
    r.changefeed = &feed;
    r.success = !n->close_fails;
    r.maintainer_epoch = epoch;
    r.outcome = n->close_outcome;
    r.owner_epoch = n->close_owner_epoch;
    return driver_say(d, node, SL_MSG_MAINTAINER_CLOSE_RESPONSE, &r.base);
}

/* ---- what the fakes do ---- */

struct driver_dispatcher *driver_find(struct driver *d, uint32_t node, struct sl_dispatcher_id id)
{
    struct driver_node *n = &d->nodes[node];
    for (uint32_t i = 0; i < n->dispatcher_count; i++) {
        if (sl_dispatcher_id_eq(n->dispatchers[i].id, id))
            return &n->dispatchers[i];
    }
    return NULL;
}

static struct driver_dispatcher *driver_append(struct driver *d, uint32_t node, const struct driver_dispatcher *x)
{
    struct driver_node *n = &d->nodes[node];
    assert_true(n->dispatcher_count < DRIVER_DISPATCHERS_MAX);
    n->has_manager = true;
    n->dispatchers[n->dispatcher_count] = *x;
    return &n->dispatchers[n->dispatcher_count++];
}

struct driver_dispatcher *driver_add_dispatcher(struct driver *d, uint32_t node, uint64_t id, int64_t table_id)
{
    const struct driver_dispatcher x = {
        .id = { .high = 9, .low = id }, .table_id = table_id, .checkpoint = DRIVER_START_TS, .placement_seq = 1
    };
    return driver_append(d, node, &x);
}

uint32_t driver_table_count(const struct driver *d, int64_t table_id)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < DRIVER_NODES_MAX; i++) {
        for (uint32_t k = 0; k < d->nodes[i].dispatcher_count; k++)
            count += d->nodes[i].dispatchers[k].table_id == table_id;
    }
    return count;
}

static void driver_create(struct driver *d, uint32_t node, const Pb__ScheduleDispatcherRequest *r)
{
    struct sl_dispatcher_id id = sl_dispatcher_id_of(r->config->dispatcher_id);
    if (!driver_find(d, node, id)) {
        const struct driver_dispatcher x = { .id = id,
                                             .table_id = r->config->span->table_id,
                                             .checkpoint = r->config->start_ts,
                                             .placement_seq = r->placement_seq };
        driver_append(d, node, &x);
    }
    driver_say_state(d, node, id, PB__COMPONENT_STATE__WORKING, r->config->start_ts, r->placement_seq);
}

static void driver_stop(struct driver *d, uint32_t node, const Pb__ScheduleDispatcherRequest *r)
{
    struct driver_node *n = &d->nodes[node];
    struct sl_dispatcher_id id = sl_dispatcher_id_of(r->config->dispatcher_id);
    struct driver_dispatcher *x = driver_find(d, node, id);
    sl_ts checkpoint = x ? driver_position(n, x->checkpoint) : 0;
    uint64_t placement_seq = x ? x->placement_seq : r->placement_seq;
    if (x)
        *x = n->dispatchers[--n->dispatcher_count];
    if (sl_dispatcher_id_eq(n->trigger, id))
        n->trigger = (struct sl_dispatcher_id){ 0 };
    driver_say_state(d, node, id, PB__COMPONENT_STATE__STOPPED, checkpoint, placement_seq);
}

static void driver_on_schedule(struct driver *d, uint32_t node, const Pb__ScheduleDispatcherRequest *r)
{
    if (d->nodes[node].ignores_schedules)
        return;
    if (r->action == PB__SCHEDULE_ACTION__CREATE)
        driver_create(d, node, r);
    else
        driver_stop(d, node, r);
}

static void driver_on_bootstrap(struct driver *d, uint32_t node, const Pb__MaintainerBootstrapRequest *r)
{
    struct driver_node *n = &d->nodes[node];
    n->has_manager = true;
    if (r->table_trigger_id && sl_dispatcher_id_is_none(n->trigger))
        n->trigger = sl_dispatcher_id_of(r->table_trigger_id);
    (void)driver_answer(d, node, r->maintainer_epoch);
}

static void driver_on_close(struct driver *d, uint32_t node, const Pb__MaintainerCloseRequest *r)
{
    struct driver_node *n = &d->nodes[node];
    if (n->close_outcome == PB__CLOSE_OUTCOME__CLOSED && !n->close_fails) {
        n->dispatcher_count = 0;
        n->trigger = (struct sl_dispatcher_id){ 0 };
        n->has_manager = false;
    }
    (void)driver_answer_close(d, node, r->maintainer_epoch);
}

static void driver_on_sent(struct driver *d, const struct driver_sent *s)
{
    uint32_t node = driver_index(d, s->to);
    sl_arena_reset(&d->arena);
    const void *message = driver_decode(d, s);
    if (d->nodes[node].is_silent)
        return;
    if (s->type == SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST)
        driver_on_bootstrap(d, node, message);
    if (s->type == SL_MSG_SCHEDULE_DISPATCHER_REQUEST)
        driver_on_schedule(d, node, message);
    if (s->type == SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST)
        (void)driver_answer_post(d, node, DRIVER_EPOCH);
    if (s->type == SL_MSG_MAINTAINER_CLOSE_REQUEST)
        driver_on_close(d, node, message);
}

static void driver_answer_load(struct driver *d)
{
    const struct sl_in_schema schema = { .feed = d->feed,
                                         .request = d->load.request,
                                         .code = d->schema_code,
                                         .tables = d->tables,
                                         .table_count = d->table_count };
    d->has_load = false;
    sl_maintainer_on_schema(d->m, d->now, &schema, &d->out);
    driver_collect(d);
}

void driver_deliver(struct driver *d)
{
    while (d->queue_count > 0 || (d->has_load && !d->holds_schema)) {
        if (d->has_load && !d->holds_schema)
            driver_answer_load(d);
        if (d->queue_count == 0)
            continue;
        struct driver_sent s = driver_take(d);
        if (sl_members_is_alive(d->members, s.to))
            driver_on_sent(d, &s);
        free(s.bytes);
    }
}

/* ---- time ---- */

static void driver_heartbeats(struct driver *d)
{
    d->heartbeat_at = d->now + DRIVER_HEARTBEAT_NS;
    for (uint32_t i = 0; i < DRIVER_NODES_MAX; i++) {
        const struct driver_node *n = &d->nodes[i];
        if (n->has_manager && !n->is_silent && sl_members_is_alive(d->members, n->ref))
            driver_heartbeat(d, i);
    }
}

static void driver_pass(struct driver *d, sl_ns ns, bool talks)
{
    sl_ns end = d->now + ns;
    driver_deliver(d);
    for (;;) {
        sl_ns due = sl_maintainer_deadline(d->m);
        sl_ns next = talks ? sl_ns_min(due, d->heartbeat_at) : due;
        if (next > end)
            break;
        d->now = next > d->now ? next : d->now + 1;
        if (talks && d->now >= d->heartbeat_at)
            driver_heartbeats(d);
        sl_maintainer_on_tick(d->m, d->now, &d->out);
        driver_collect(d);
        driver_deliver(d);
    }
    d->now = end > d->now ? end : d->now;
}

void driver_run(struct driver *d, sl_ns ns)
{
    driver_pass(d, ns, true);
}

void driver_run_alone(struct driver *d, sl_ns ns)
{
    driver_pass(d, ns, false);
}

/* ---- what happens to the maintainer ---- */

void driver_members(struct driver *d, uint32_t mask)
{
    struct sl_node_id ids[DRIVER_NODES_MAX];
    uint32_t count = 0;
    const struct sl_members_change *change;
    for (uint32_t i = 0; i < DRIVER_NODES_MAX; i++) {
        if (mask & (1u << i))
            ids[count++] = d->nodes[i].id;
    }
    (void)sl_members_apply(d->members, ids, count, &change);
    for (uint32_t i = 0; i < DRIVER_NODES_MAX; i++)
        d->nodes[i].ref = sl_members_find(d->members, &d->nodes[i].id);
    sl_maintainer_on_members(d->m, d->now, change, &d->out);
    driver_collect(d);
}

sl_node_ref driver_ref(struct driver *d, uint32_t node)
{
    return d->nodes[node].ref;
}

enum sl_refusal driver_remove(struct driver *d, bool cascade, bool removed, uint64_t epoch)
{
    enum sl_refusal refusal = sl_maintainer_remove(d->m, d->now, cascade, removed, epoch, &d->out);
    driver_collect(d);
    return refusal;
}

void driver_set_target(struct driver *d, uint32_t node, uint64_t epoch)
{
    struct sl_drain_target target = { .epoch = epoch };
    if (node < DRIVER_NODES_MAX)
        target.node = d->nodes[node].id;
    sl_maintainer_set_target(d->m, d->now, &target, &d->out);
    driver_collect(d);
}

void driver_set_targets(struct driver *d, const struct sl_target_set *targets)
{
    sl_maintainer_set_targets(d->m, d->now, targets, &d->out);
    driver_collect(d);
}

const Pb__MaintainerStatus *driver_status(struct driver *d)
{
    sl_arena_reset(&d->status_arena);
    const Pb__MaintainerStatus *s = sl_maintainer_status_fill(d->m, d->now, &d->status_arena);
    assert_non_null(s);
    return s;
}

struct sl_maintainer_stats driver_stats(const struct driver *d)
{
    struct sl_maintainer_stats stats;
    sl_maintainer_stats(d->m, &stats);
    return stats;
}
