/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

struct sl_feeds_opts fd_opts(void)
{
    return (struct sl_feeds_opts){
        .cluster = SL_STR("c1"),
        .seed = 7,
        .feed_count_max = 2000,
        .batch = 10,
        .operator_resend_ns = 500 * SL_MS,
        .balance_ns = 15 * SL_S,
        .operator_timeout_ns = 60 * SL_S,
        .stuck_ns = 1800 * SL_S,
        .backoff_min_ns = 10 * SL_S,
        .backoff_max_ns = 600 * SL_S,
        .wall_offset_ns = FD_WALL_NS,
        .config_bytes_max = 64u << 10,
    };
}

static struct sl_node_id driver_node_id(uint32_t number)
{
    char text[16];
    struct sl_node_id id;
    int length = snprintf(text, sizeof text, "n%u", number);
    SL_REQUIRE(length > 0 && sl_node_id_set(&id, (struct sl_str){ text, (size_t)length }));
    return id;
}

sl_node_ref fd_ref(const struct feeds_driver *d, uint32_t number)
{
    struct sl_node_id id = driver_node_id(number);
    return sl_members_find(d->members, &id);
}

static const struct sl_members_change *driver_apply_members(struct feeds_driver *d)
{
    struct sl_node_id ids[FD_NODES_MAX];
    uint32_t count = 0;
    for (uint32_t number = 1; number <= FD_NODES_MAX; number++) {
        if (d->alive[number])
            ids[count++] = driver_node_id(number);
    }
    const struct sl_members_change *change;
    sl_assert_u64(sl_members_apply(d->members, ids, count, &change), 0);
    return change;
}

static void driver_new_feeds(struct feeds_driver *d)
{
    assert_int_equal(sl_nodes_new(&d->nodes, &d->env_mem, d->members, 30 * SL_S), SL_OK);
    d->opts.mem = &d->mem;
    d->opts.members = d->members;
    d->opts.nodes = d->nodes;
    d->opts.op_next = &d->op_next;
    assert_int_equal(sl_feeds_new(&d->feeds, &d->opts, d->now), SL_OK);
    for (uint32_t number = 1; number <= FD_NODES_MAX; number++) {
        if (!d->alive[number])
            continue;
        sl_nodes_add(d->nodes, d->now, fd_ref(d, number));
        fd_bootstrapped(d, number);
    }
}

void fd_open(struct feeds_driver *d, uint32_t node_count, const struct sl_feeds_opts *opts)
{
    const struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    const struct sl_node_id self = driver_node_id(1);
    struct sl_store_model_opts store_opts = SL_STORE_MODEL_OPTS_DEFAULT;
    memset(d, 0, sizeof *d);
    d->now = FD_START_NS;
    d->opts = opts ? *opts : fd_opts();
    sl_mem_init(&d->mem, &mem_opts);
    sl_mem_init(&d->env_mem, &mem_opts);
    store_opts.mem = &d->env_mem;
    assert_int_equal(sl_store_model_new(&d->store, &store_opts), SL_OK);
    assert_int_equal(sl_members_new(&d->members, &d->env_mem, &self, FD_NODES_MAX, 1), SL_OK);
    for (uint32_t number = 1; number <= node_count; number++)
        d->alive[number] = true;
    driver_apply_members(d);
    assert_int_equal(sl_outbox_init(&d->out, &d->env_mem, SL_TAG_OUTBOX, 65536, 64u << 20), SL_OK);
    driver_new_feeds(d);
}

static void driver_make_late(struct feeds_driver *d, struct fd_op op)
{
    if (d->late_count < FD_LATE_MAX)
        d->late[d->late_count++] = op;
    else
        free(op.memory);
}

static void driver_free_feeds(struct feeds_driver *d)
{
    sl_feeds_free(d->feeds);
    sl_nodes_free(d->nodes);
    for (uint32_t i = 0; i < d->op_count; i++)
        driver_make_late(d, d->ops[i]);
    d->op_count = d->held_count = 0;
}

void fd_stop(struct feeds_driver *d)
{
    driver_free_feeds(d);
    for (uint32_t i = 0; i < d->late_count; i++)
        free(d->late[i].memory);
    sl_outbox_deinit(&d->out);
    sl_members_free(d->members);
    sl_store_model_free(d->store);
    sl_mem_deinit(&d->env_mem);
    sl_mem_deinit(&d->mem);
}

void fd_failover(struct feeds_driver *d)
{
    driver_free_feeds(d);
    driver_new_feeds(d);
}

/* ---- outputs ---- */

static uint32_t driver_feed_number(const Pb__ChangefeedID *id)
{
    sl_assert_u64(id->high, 7);
    sl_assert_str(id->keyspace, "default");
    return (uint32_t)id->low;
}

static uint64_t driver_config_epoch(ProtobufCBinaryData config, const char *name)
{
    struct sl_feed_record record;
    const struct sl_secret json = sl_secret_of((struct sl_bytes){ config.data, config.len });
    assert_int_equal(sl_feed_record_parse(&record, SL_STR("default"), sl_str_of(name), json), SL_OK);
    return record.epoch;
}

static struct fd_sent driver_decode(const struct sl_out_send *send)
{
    struct fd_sent s = { .to = send->to, .type = send->type };
    size_t len = send->payload.len;
    const uint8_t *bytes = send->payload.ptr;
    if (send->type == SL_MSG_ADD_MAINTAINER_REQUEST) {
        Pb__AddMaintainerRequest *m = pb__add_maintainer_request__unpack(NULL, len, bytes);
        assert_non_null(m);
        s.feed = driver_feed_number(m->changefeed);
        s.epoch = m->maintainer_epoch;
        s.config_epoch = driver_config_epoch(m->config, m->changefeed->name);
        s.checkpoint = m->checkpoint_ts;
        s.is_new = m->is_new_changefeed;
        s.node_epoch = m->node_epoch;
        snprintf(s.source, sizeof s.source, "%s", m->source_uri);
        pb__add_maintainer_request__free_unpacked(m, NULL);
    } else if (send->type == SL_MSG_REMOVE_MAINTAINER_REQUEST) {
        Pb__RemoveMaintainerRequest *m = pb__remove_maintainer_request__unpack(NULL, len, bytes);
        assert_non_null(m);
        s.feed = driver_feed_number(m->changefeed);
        s.epoch = m->maintainer_epoch;
        s.cascade = m->cascade;
        s.removed = m->removed;
        pb__remove_maintainer_request__free_unpacked(m, NULL);
    } else {
        assert_int_equal(send->type, SL_MSG_CHECKPOINT_TS_MESSAGE);
        Pb__CheckpointTsMessage *m = pb__checkpoint_ts_message__unpack(NULL, len, bytes);
        assert_non_null(m);
        s.feed = driver_feed_number(m->changefeed);
        s.checkpoint = m->checkpoint_ts;
        pb__checkpoint_ts_message__free_unpacked(m, NULL);
    }
    return s;
}

static void driver_send(struct feeds_driver *d, const struct fd_sent *sent)
{
    if (!sl_members_is_alive(d->members, sent->to))
        return;
    if (d->sent_count == FD_SENT_MAX) { /* the older half is no longer of interest */
        memmove(d->sent, d->sent + FD_SENT_MAX / 2, FD_SENT_MAX / 2 * sizeof *d->sent);
        d->sent_count = FD_SENT_MAX / 2;
    }
    d->sent[d->sent_count++] = *sent;
}

static void driver_take_op(struct feeds_driver *d, const struct sl_store_op *op)
{
    assert_true(d->op_count < FD_OPS_MAX);
    struct fd_op *slot = &d->ops[d->op_count++];
    slot->size = sl_store_op_bytes(op);
    slot->memory = malloc(slot->size + 1);
    sl_store_op_copy(&slot->op, op, slot->memory);
}

static void driver_take_send(struct feeds_driver *d, const struct sl_output *item)
{
    struct fd_sent sent = driver_decode(&item->u.send);
    assert_true(sl_members_is_alive(d->members, sent.to));
    if (item->after == 0) {
        driver_send(d, &sent);
        return;
    }
    assert_true(d->held_count < FD_HELD_MAX);
    d->held[d->held_count++] = (struct fd_held){ item->after, sent };
}

static void driver_take_reply(struct feeds_driver *d, const struct sl_reply *reply)
{
    assert_null(fd_reply_to(d, reply->ticket)); /* each is answered once */
    assert_true(d->reply_count < FD_REPLIES_MAX);
    struct fd_reply *r = &d->replies[d->reply_count++];
    *r = (struct fd_reply){ .ticket = reply->ticket, .code = reply->code, .feed_count = reply->feed_count };
    memcpy(r->detail, reply->detail, sizeof r->detail);
    if (reply->feed_count == 0)
        return;
    snprintf(r->placement, sizeof r->placement, "%s", reply->feeds[0].placement);
    r->state = reply->feeds[0].record.state;
    struct sl_bytes source = sl_secret_reveal(reply->feeds[0].source);
    memcpy(r->source, source.ptr ? source.ptr : (const uint8_t *)"", source.len);
}

static void driver_begin(struct feeds_driver *d)
{
    sl_outbox_reset(&d->out);
}

static void driver_end(struct feeds_driver *d)
{
    for (uint32_t i = 0; i < d->out.count; i++) {
        const struct sl_output *item = &d->out.items[i];
        if (item->kind == SL_OUT_EVENT)
            d->event_count[item->u.event.id]++;
        else if (item->kind == SL_OUT_SEND)
            driver_take_send(d, item);
        else if (item->kind == SL_OUT_STORE)
            driver_take_op(d, &item->u.store);
        else if (item->kind == SL_OUT_REPLY)
            driver_take_reply(d, &item->u.reply);
    }
    if (!d->skips_check)
        sl__feeds_check(d->feeds);
    if (!d->holds_store)
        fd_store_run(d);
}

/* ---- the store ---- */

static void driver_release(struct feeds_driver *d, sl_op_id op, bool durable)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->held_count; i++) {
        if (d->held[i].after != op)
            d->held[kept++] = d->held[i];
        else if (durable)
            driver_send(d, &d->held[i].sent);
    }
    d->held_count = kept;
}

static enum fd_fate driver_perform(struct feeds_driver *d, const struct sl_store_op *op, struct sl_store_result *result)
{
    enum fd_fate fate = d->fate_count > 0 ? d->fate : FD_DONE;
    d->fate_count -= d->fate_count > 0;
    *result = (struct sl_store_result){ .id = op->id, .verb = op->verb };
    if (fate == FD_DONE || fate == FD_UNKNOWN_DONE)
        sl_store_model_perform(d->store, d->now, op, result);
    if (fate == FD_REFUSED)
        result->outcome = SL_STORE_REFUSED;
    else if (fate != FD_DONE)
        *result = (struct sl_store_result){ .id = op->id, .verb = op->verb, .outcome = SL_STORE_UNKNOWN };
    return fate;
}

bool fd_store_step(struct feeds_driver *d)
{
    struct sl_store_result result;
    if (d->op_count == 0)
        return false;
    struct fd_op op = d->ops[0];
    memmove(d->ops, d->ops + 1, --d->op_count * sizeof *d->ops);
    bool is_late = driver_perform(d, &op.op, &result) == FD_UNKNOWN_LATE;
    bool durable = result.outcome == SL_STORE_OK && (result.verb != SL_STORE_TXN || result.succeeded);
    driver_release(d, op.op.id, durable);
    driver_begin(d);
    assert_true(sl_feeds_on_store(d->feeds, d->now, &result, &d->out));
    bool holds = d->holds_store;
    d->holds_store = true;
    driver_end(d);
    d->holds_store = holds;
    if (is_late)
        driver_make_late(d, op);
    else
        free(op.memory);
    return true;
}

bool fd_late_step(struct feeds_driver *d)
{
    struct sl_store_result result;
    if (d->late_count == 0)
        return false;
    struct fd_op op = d->late[0];
    memmove(d->late, d->late + 1, --d->late_count * sizeof *d->late);
    sl_store_model_perform(d->store, d->now, &op.op, &result);
    free(op.memory);
    return true;
}

void fd_store_run(struct feeds_driver *d)
{
    uint32_t left = 100000;
    while (fd_store_step(d))
        assert_true(left-- > 0);
}

void fd_fail_store(struct feeds_driver *d, enum fd_fate fate, uint32_t count)
{
    d->fate = fate;
    d->fate_count = count;
}

struct sl_feed_id fd_feed_id(uint32_t feed)
{
    struct sl_feed_id id = { .high = 7, .low = feed, .keyspace = "default", .keyspace_len = 7 };
    id.name_len = (uint8_t)snprintf(id.name, sizeof id.name, "f%u", feed);
    return id;
}

const char *fd_info(uint32_t feed, const char *state, uint64_t epoch, sl_ts target)
{
    static char text[1024];
    (void)snprintf(text, sizeof text,
                   "{\"id\":{\"id\":{\"low\":%u,\"high\":7},\"display\":{\"name\":\"f%u\",\"keyspace\":\"default\"}},"
                   "\"sink-uri\":\"blackhole://\",\"start-ts\":100,\"target-ts\":%llu,\"theirs\":1e-7,"
                   "\"config\":{\"filter\":{},\"sink\":{},\"consistent\":{},\"scheduler\":{}},"
                   "\"state\":\"%s\",\"epoch\":%llu}",
                   feed, feed, (unsigned long long)target, state, (unsigned long long)epoch);
    return text;
}

void fd_put_key(struct feeds_driver *d, const char *key, const char *value)
{
    struct sl_store_action action = { .kind = value ? SL_ACTION_PUT : SL_ACTION_DELETE, .key = sl_str_of(key) };
    action.value = (struct sl_bytes){ (const uint8_t *)value, value ? strlen(value) : 0 };
    const struct sl_store_op op = { .id = 1, .verb = SL_STORE_TXN, .then = &action, .then_count = 1 };
    struct sl_store_result result;
    sl_store_model_perform(d->store, d->now, &op, &result);
    assert_int_equal(result.outcome, SL_STORE_OK);
}

static void driver_key(char *key, size_t cap, const char *kind, uint32_t feed)
{
    (void)snprintf(key, cap, "/tidb/cdc/c1/default/changefeed/%s/f%u", kind, feed);
}

void fd_put(struct feeds_driver *d, uint32_t feed, const char *state, uint64_t epoch, sl_ts checkpoint,
            enum sl_feed_progress progress)
{
    char key[128], value[128];
    driver_key(key, sizeof key, "info", feed);
    fd_put_key(d, key, fd_info(feed, state, epoch, 0));
    driver_key(key, sizeof key, "status", feed);
    (void)snprintf(value, sizeof value, "{\"checkpoint-ts\":%llu,\"progress\":%d,\"theirs\":1e-7}",
                   (unsigned long long)checkpoint, (int)progress);
    fd_put_key(d, key, value);
}

static struct sl_bytes driver_value(struct feeds_driver *d, const char *kind, uint32_t feed)
{
    char key[128];
    struct sl_store_pair pair;
    driver_key(key, sizeof key, kind, feed);
    assert_true(sl_store_model_get(d->store, sl_str_of(key), &pair));
    return pair.value;
}

struct sl_feed_record fd_record(struct feeds_driver *d, uint32_t feed)
{
    struct sl_feed_record record;
    struct sl_feed_id id = fd_feed_id(feed);
    const struct sl_secret json = sl_secret_of(driver_value(d, "info", feed));
    assert_int_equal(sl_feed_record_parse(&record, SL_STR("default"), sl_feed_id_name(&id), json), SL_OK);
    return record;
}

struct sl_feed_status fd_status_value(struct feeds_driver *d, uint32_t feed)
{
    struct sl_feed_status status;
    assert_int_equal(sl_feed_status_parse(&status, driver_value(d, "status", feed)), SL_OK);
    return status;
}

bool fd_is_stored(struct feeds_driver *d, uint32_t feed)
{
    char key[128];
    struct sl_store_pair pair;
    driver_key(key, sizeof key, "info", feed);
    bool has_info = sl_store_model_get(d->store, sl_str_of(key), &pair);
    driver_key(key, sizeof key, "status", feed);
    assert_int_equal(has_info, sl_store_model_get(d->store, sl_str_of(key), &pair));
    return has_info;
}

const char *fd_text(struct feeds_driver *d, const char *key, char *room, size_t cap)
{
    struct sl_store_pair pair;
    if (!sl_store_model_get(d->store, sl_str_of(key), &pair))
        return "-";
    assert_true(pair.value.len < cap);
    memcpy(room, pair.value.ptr, pair.value.len);
    room[pair.value.len] = '\0';
    return room;
}

/* ---- inputs ---- */

void fd_load(struct feeds_driver *d)
{
    driver_begin(d);
    sl_feeds_load(d->feeds, d->now, &d->out);
    driver_end(d);
}

void fd_settle(struct feeds_driver *d)
{
    assert_true(sl_feeds_is_loaded(d->feeds));
    driver_begin(d);
    sl_feeds_settle(d->feeds, d->now, &d->out);
    driver_end(d);
}

void fd_end(struct feeds_driver *d)
{
    driver_begin(d);
    sl_feeds_stop(d->feeds, &d->out);
    driver_end(d);
}

void fd_start(struct feeds_driver *d, uint32_t node_count)
{
    fd_open(d, node_count, NULL);
    fd_load(d);
    fd_settle(d);
}

void fd_bootstrapped(struct feeds_driver *d, uint32_t number)
{
    Pb__CoordinatorBootstrapResponse r = PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT;
    r.protocol_version = 1;
    r.drain_protocol_version = 1;
    r.node_epoch = 40 + number;
    r.capabilities = d->capabilities;
    assert_true(sl_nodes_on_bootstrap(d->nodes, d->now, fd_ref(d, number), &r));
}

static void driver_nodes_changed(struct feeds_driver *d)
{
    driver_begin(d);
    sl_feeds_nodes_changed(d->feeds, d->now, &d->out);
    driver_end(d);
}

static void driver_heartbeat(struct feeds_driver *d, uint32_t number, enum sl_liveness liveness,
                             const struct sl_drain_target *targets, uint32_t count)
{
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    Pb__DrainTarget items[SL_TARGETS_MAX], *refs[SL_TARGETS_MAX];
    hb.node_epoch = 40 + number;
    hb.liveness = sl_liveness_pb(liveness);
    for (uint32_t i = 0; i < count; i++) {
        pb__drain_target__init(&items[i]);
        items[i].node_id = (char *)(uintptr_t)targets[i].node.text;
        items[i].epoch = targets[i].epoch;
        refs[i] = &items[i];
        hb.drain_target_epoch = targets[i].epoch;
    }
    hb.targets = refs;
    hb.n_targets = count;
    assert_true(sl_nodes_on_heartbeat(d->nodes, d->now, fd_ref(d, number), &hb));
}

void fd_seen(struct feeds_driver *d, uint32_t number)
{
    const struct sl_observed o = *sl_nodes_at(d->nodes, fd_ref(d, number));
    driver_heartbeat(d, number, o.liveness, o.acked, o.acked_count);
}

void fd_seen_all(struct feeds_driver *d)
{
    for (uint32_t number = 1; number <= FD_NODES_MAX; number++) {
        if (d->alive[number])
            fd_seen(d, number);
    }
    driver_nodes_changed(d);
}

void fd_liveness(struct feeds_driver *d, uint32_t number, enum sl_liveness liveness)
{
    const struct sl_observed o = *sl_nodes_at(d->nodes, fd_ref(d, number));
    driver_heartbeat(d, number, liveness, o.acked, o.acked_count);
    driver_nodes_changed(d);
}

static void driver_fill_targets(struct sl_drain_target *out, const char *const *nodes, const uint64_t *epochs,
                                uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_true(sl_node_id_set(&out[i].node, sl_str_of(nodes[i])));
        out[i].epoch = epochs[i];
    }
}

void fd_ack(struct feeds_driver *d, uint32_t number, const char *const *nodes, const uint64_t *epochs, uint32_t count)
{
    struct sl_drain_target targets[SL_TARGETS_MAX];
    driver_fill_targets(targets, nodes, epochs, count);
    driver_heartbeat(d, number, sl_nodes_at(d->nodes, fd_ref(d, number))->liveness, targets, count);
    driver_nodes_changed(d);
}

void fd_targets(struct feeds_driver *d, const char *const *nodes, const uint64_t *epochs, uint32_t count)
{
    struct sl_drain_target targets[SL_TARGETS_MAX];
    driver_fill_targets(targets, nodes, epochs, count);
    sl_feeds_set_targets(d->feeds, targets, count);
}

void fd_join(struct feeds_driver *d, uint32_t number)
{
    d->alive[number] = true;
    driver_apply_members(d);
    sl_nodes_add(d->nodes, d->now, fd_ref(d, number));
    fd_bootstrapped(d, number);
    driver_nodes_changed(d);
}

void fd_lost(struct feeds_driver *d, uint32_t number)
{
    d->alive[number] = false;
    const struct sl_members_change *change = driver_apply_members(d);
    sl_assert_u64(change->removed_count, 1);
    sl_node_ref ref = change->removed[0];
    driver_begin(d);
    sl_feeds_on_node_lost(d->feeds, d->now, ref, &d->out);
    sl_nodes_remove(d->nodes, ref);
    driver_end(d);
}

void fd_tick(struct feeds_driver *d, sl_ns delay)
{
    d->now += delay;
    for (uint32_t number = 1; number <= FD_NODES_MAX; number++) {
        if (d->alive[number])
            fd_seen(d, number);
    }
    driver_begin(d);
    sl_feeds_on_tick(d->feeds, d->now, &d->out);
    driver_end(d);
}

void fd_run(struct feeds_driver *d, sl_ns duration)
{
    sl_ns end = d->now + duration, due;
    uint32_t left = 100000; /* one that asks for ever is a bug */
    while ((due = sl_feeds_deadline(d->feeds)) <= end) {
        assert_true(left-- > 0);
        fd_tick(d, due > d->now ? due - d->now : 0);
    }
    fd_tick(d, end - d->now);
}

struct driver_status {
    Pb__ChangefeedID changefeed;
    struct sl_feed_id id;
    Pb__MaintainerStatus status;
};

static void driver_fill_status(struct driver_status *s, uint32_t feed, uint64_t epoch, sl_ts checkpoint)
{
    s->id = fd_feed_id(feed);
    s->changefeed = sl_feed_id_pb(&s->id);
    pb__maintainer_status__init(&s->status);
    s->status.changefeed = &s->changefeed;
    s->status.maintainer_epoch = epoch;
    s->status.checkpoint_ts = checkpoint;
    s->status.bootstrap_done = true;
}

void fd_report(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint)
{
    struct driver_status s;
    driver_fill_status(&s, feed, epoch, checkpoint);
    sl_feeds_reported(d->feeds, fd_ref(d, node), &s.status);
}

void fd_status(struct feeds_driver *d, uint32_t node, const Pb__MaintainerStatus *s)
{
    driver_begin(d);
    sl_feeds_on_status(d->feeds, d->now, fd_ref(d, node), s, &d->out);
    driver_end(d);
}

void fd_working(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint)
{
    struct driver_status s;
    driver_fill_status(&s, feed, epoch, checkpoint);
    fd_status(d, node, &s.status);
}

void fd_booting(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint)
{
    struct driver_status s;
    driver_fill_status(&s, feed, epoch, checkpoint);
    s.status.bootstrap_done = false;
    fd_status(d, node, &s.status);
}

void fd_ended(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint, bool everywhere)
{
    struct driver_status s;
    driver_fill_status(&s, feed, epoch, checkpoint);
    s.status.state = PB__COMPONENT_STATE__STOPPED;
    s.status.closed_everywhere = everywhere;
    fd_status(d, node, &s.status);
}

static void driver_error(struct feeds_driver *d, uint32_t node, struct driver_status *s, const char *code)
{
    Pb__RunningError error = PB__RUNNING_ERROR__INIT, *errors = &error;
    char addr[] = "h:1", message[] = "cannot reach mysql://u:secret@h/ now", text[64];
    (void)snprintf(text, sizeof text, "%s", code);
    error.code = text;
    error.message = message;
    error.node = addr;
    s->status.errors = &errors;
    s->status.n_errors = 1;
    fd_status(d, node, &s->status);
}

void fd_error(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch, sl_ts checkpoint, const char *code)
{
    struct driver_status s;
    driver_fill_status(&s, feed, epoch, checkpoint);
    driver_error(d, node, &s, code);
}

void fd_refused(struct feeds_driver *d, uint32_t node, uint32_t feed, uint64_t epoch)
{
    struct driver_status s;
    driver_fill_status(&s, feed, epoch, 0);
    s.status.state = PB__COMPONENT_STATE__STOPPED;
    s.status.bootstrap_done = false;
    driver_error(d, node, &s, "CDC:ErrSluiceRefused");
}

void fd_drained(struct feeds_driver *d, uint32_t node, uint32_t feed, const Pb__DrainProgress *p)
{
    struct driver_status s;
    const struct sl__feed *held = fd_feed(d, feed);
    driver_fill_status(&s, feed, held->epoch, held->checkpoint);
    s.status.drain_progress = (Pb__DrainProgress *)(uintptr_t)p;
    fd_status(d, node, &s.status);
}

void fd_draining(struct feeds_driver *d, uint32_t number, bool draining)
{
    driver_begin(d);
    sl_feeds_set_draining(d->feeds, d->now, fd_ref(d, number), draining, &d->out);
    driver_end(d);
}

uint64_t fd_request_of(struct feeds_driver *d, struct sl_request *r)
{
    r->ticket = ++d->ticket;
    driver_begin(d);
    sl_feeds_on_request(d->feeds, d->now, r, &d->out);
    driver_end(d);
    return r->ticket;
}

uint64_t fd_request(struct feeds_driver *d, enum sl_request_verb verb, uint32_t feed)
{
    const char *info = fd_info(feed, "normal", 0, 0);
    struct sl_feed_id id = fd_feed_id(feed);
    struct sl_request r = { .verb = verb, .feed = sl_feed_id_name(&id) };
    r.config = sl_secret_of((struct sl_bytes){ (const uint8_t *)info, strlen(info) });
    return fd_request_of(d, &r);
}

static uint32_t driver_number(const struct feeds_driver *d, sl_node_ref ref)
{
    for (uint32_t number = 1; number <= FD_NODES_MAX; number++) {
        if (d->alive[number] && fd_ref(d, number) == ref)
            return number;
    }
    return 0;
}

void fd_answer(struct feeds_driver *d)
{
    for (uint32_t i = 0; i < d->sent_count; i++) {
        const struct fd_sent s = d->sent[i];
        uint32_t node = driver_number(d, s.to);
        if (s.answered || node == 0)
            continue;
        d->sent[i].answered = true;
        if (s.type == SL_MSG_ADD_MAINTAINER_REQUEST)
            fd_working(d, node, s.feed, s.epoch, s.checkpoint);
        else if (s.type == SL_MSG_REMOVE_MAINTAINER_REQUEST)
            fd_stopped(d, node, s.feed, s.epoch, 0);
    }
}

/* ---- what there is ---- */

struct sl__feed *fd_feed(const struct feeds_driver *d, uint32_t feed)
{
    struct sl_feed_id id = fd_feed_id(feed);
    return sl__feed_named(d->feeds, sl_feed_id_name(&id));
}

void fd_assert_place(const struct feeds_driver *d, uint32_t feed, enum sl__feed_place place)
{
    const struct sl__feed *held = fd_feed(d, feed);
    assert_non_null(held);
    sl_assert_str(sl__feed_place_name(held->place), sl__feed_place_name(place));
}

void fd_assert_replicating(const struct feeds_driver *d, uint32_t feed, uint32_t node)
{
    fd_assert_place(d, feed, SL__PLACE_REPLICATING);
    sl_assert_u64(fd_feed(d, feed)->node, fd_ref(d, node));
}

void fd_start_running(struct feeds_driver *d, uint32_t node_count, uint32_t feed_count, uint32_t node)
{
    fd_open(d, node_count, NULL);
    for (uint32_t feed = 1; feed <= feed_count; feed++) {
        fd_put(d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_report(d, node, feed, 5, 100);
    }
    fd_load(d);
    fd_settle(d);
    for (uint32_t feed = 1; feed <= feed_count; feed++)
        fd_assert_replicating(d, feed, node);
}

void fd_forget(struct feeds_driver *d)
{
    d->sent_count = 0;
}

uint32_t fd_sent_count(const struct feeds_driver *d, enum sl_msg_type type, sl_node_ref to, uint32_t feed)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->sent_count; i++) {
        const struct fd_sent *s = &d->sent[i];
        count += s->type == type && (to == SL_NODE_NONE || s->to == to) && (feed == 0 || s->feed == feed);
    }
    return count;
}

const struct fd_sent *fd_last(const struct feeds_driver *d, enum sl_msg_type type)
{
    for (uint32_t i = d->sent_count; i > 0; i--) {
        if (d->sent[i - 1].type == type)
            return &d->sent[i - 1];
    }
    fail_msg("no %s was sent", sl_msg_row((int32_t)type)->name);
    return NULL;
}

const struct fd_reply *fd_reply_to(const struct feeds_driver *d, uint64_t ticket)
{
    for (uint32_t i = 0; i < d->reply_count; i++) {
        if (d->replies[i].ticket == ticket)
            return &d->replies[i];
    }
    return NULL;
}

void fd_assert_reply(const struct feeds_driver *d, uint64_t ticket, enum sl_code code)
{
    const struct fd_reply *r = fd_reply_to(d, ticket);
    assert_non_null(r);
    sl_assert_str(sl_code_name(r->code), sl_code_name(code));
}

void fd_move(struct feeds_driver *d, uint32_t feed, uint32_t node)
{
    char text[8] = { 'n', (char)('0' + node), '\0' };
    struct sl_feed_id id = fd_feed_id(feed);
    struct sl_request r = { .verb = SL_REQUEST_FEED_MOVE, .feed = sl_feed_id_name(&id), .node = sl_str_of(text) };
    fd_request_of(d, &r);
}
