/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"

#include "core/common/mem_tags.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_COUNT = 8192, OUT_BYTES = 8 << 20, DECODED_BYTES = 16 << 20, STEPS_MAX = 200000 };
#define CD_START_NS (1000 * SL_S)
#define CD_LATE_NS (20 * SL_S)

sl_node_ref cd_ref(const struct cd *c, const char *name)
{
    sl_node_ref ref = sl_members_find_str(c->members, sl_str_of(name));
    assert_true(ref != SL_NODE_NONE);
    return ref;
}

/* ---- making ---- */

static void cd_put(struct cd *c, const struct sl_key *key, struct sl_bytes value)
{
    struct sl_store_action put = { .kind = SL_ACTION_PUT, .key = sl_key_str(key), .value = value };
    struct sl_store_op op = { .id = 1, .verb = SL_STORE_TXN, .then = &put, .then_count = 1 };
    struct sl_store_result r;
    sl_store_model_perform(c->store, c->now, &op, &r);
    sl_assert_i64(r.outcome, SL_STORE_OK);
}

static void cd_put_feed(struct cd *c, uint32_t feed)
{
    struct sl_key key;
    char name[8], text[1024];
    (void)snprintf(name, sizeof name, "f%u", (unsigned)feed);
    (void)snprintf(text, sizeof text,
                   "{\"id\":{\"id\":{\"low\":%u,\"high\":7},\"display\":{\"name\":\"%s\",\"keyspace\":\"default\"}},"
                   "\"sink-uri\":\"blackhole://\",\"start-ts\":100,\"target-ts\":0,"
                   "\"config\":{\"filter\":{\"rules\":[\"*.*\"]},\"sink\":{},\"consistent\":{\"level\":\"none\"},"
                   "\"scheduler\":{\"enable-table-across-nodes\":false}},\"state\":\"normal\",\"epoch\":%u}",
                   (unsigned)feed + 1, name, (unsigned)CD_FEED_EPOCH);
    assert_true(sl_key_feed_info(&key, SL_STR(CD_CLUSTER), SL_STR("default"), sl_str_of(name)));
    cd_put(c, &key, (struct sl_bytes){ (const uint8_t *)text, strlen(text) });
    static const char status[] =
        "{\"checkpoint-ts\":100,\"progress\":1,\"min-table-barrier-ts\":100,\"admin-job-type\":0}";
    assert_true(sl_key_feed_status(&key, SL_STR(CD_CLUSTER), SL_STR("default"), sl_str_of(name)));
    cd_put(c, &key, (struct sl_bytes){ (const uint8_t *)status, sizeof status - 1 });
}

struct cd *cd_new(uint32_t node_count, uint32_t feed_count)
{
    const struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct cd *c = calloc(1, sizeof *c);
    assert_non_null(c);
    sl_mem_init(&c->mem, &mem_opts);
    sl_mem_init(&c->out_mem, &mem_opts);
    sl_mem_init(&c->store_mem, &mem_opts);
    sl_assert_i64(sl_outbox_init(&c->out, &c->out_mem, SL_TAG_OUTBOX, OUT_COUNT, OUT_BYTES), SL_OK);
    sl_arena_init(&c->decoded, &c->out_mem, SL_TAG_DECODE, DECODED_BYTES);
    struct sl_store_model_opts store_opts = SL_STORE_MODEL_OPTS_DEFAULT;
    store_opts.mem = &c->store_mem;
    sl_assert_i64(sl_store_model_new(&c->store, &store_opts), SL_OK);
    c->now = c->ticked_at = CD_START_NS;
    c->node_count = CD_NODES_MAX;
    c->feed_count = feed_count;
    for (uint32_t i = 0; i < CD_NODES_MAX; i++) {
        struct cd_node *n = &c->nodes[i];
        (void)snprintf(n->name, sizeof n->name, "n%u", (unsigned)i + 1);
        n->is_member = i < node_count;
        n->node_epoch = 1000 * (i + 1);
    }
    for (uint32_t feed = 0; feed < feed_count; feed++)
        cd_put_feed(c, feed);
    c->opts = SL_COORDINATOR_OPTS_DEFAULT;
    c->opts.mem = &c->mem;
    c->opts.cluster = SL_STR(CD_CLUSTER);
    c->opts.version = 10;
    c->opts.seed = 42;
    c->opts.balance_ns = 3600 * SL_S; /* not the subject */
    c->opts.wall_offset_ns = UINT64_C(1700000000) * (uint64_t)SL_S;
    return c;
}

static void cd_apply_members(struct cd *c, const struct sl_members_change **change)
{
    struct sl_node_id ids[CD_NODES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].is_member)
            ids[count++] = cd_id(c->nodes[i].name);
    }
    sl_assert_u64(sl_members_apply(c->members, ids, count, change), 0);
}

void cd_start(struct cd *c)
{
    const struct sl_members_change *change;
    struct sl_node_id self = cd_id(c->nodes[c->owner].name);
    sl_assert_i64(sl_members_new(&c->members, &c->out_mem, &self, CD_NODES_MAX, 1), SL_OK);
    cd_apply_members(c, &change);
    c->opts.members = c->members;
    sl_assert_i64(sl_coordinator_new(&c->coordinator, &c->opts, c->now), SL_OK);
    sl_outbox_reset(&c->out);
    sl_coordinator_start(c->coordinator, c->now, &c->out);
    cd_settle(c);
}

struct cd *cd_setup(uint32_t node_count, uint32_t feed_count)
{
    struct cd *c = cd_new(node_count, feed_count);
    for (uint32_t feed = 0; feed < feed_count; feed++)
        cd_host(c, feed, "n1");
    cd_start(c);
    assert_true(sl_coordinator_is_running(c->coordinator));
    cd_run(c, 1100 * SL_MS);
    cd_forget(c);
    return c;
}

static void cd_free_message(struct cd *c, struct cd_message *m)
{
    sl_mem_free(&c->out_mem, SL_TAG_NODE, m->bytes, m->len);
}

static void cd_free_op(struct cd *c, struct cd_op *op)
{
    sl_mem_free(&c->out_mem, SL_TAG_STORE, op->memory, op->bytes);
}

/* What was on its way to or from the coordinator's process is gone with it. */
void cd_kill(struct cd *c)
{
    for (; c->inbox_count > 0; c->inbox_count--, c->inbox_head = (c->inbox_head + 1) % CD_QUEUE_MAX)
        cd_free_message(c, &c->inbox[c->inbox_head]);
    for (; c->op_count > 0; c->op_count--, c->op_head = (c->op_head + 1) % CD_QUEUE_MAX)
        cd_free_op(c, &c->ops[c->op_head]);
    for (; c->waiting_count > 0; c->waiting_count--)
        cd_free_message(c, &c->waiting[c->waiting_count - 1]);
    sl_coordinator_free(c->coordinator);
    sl_members_free(c->members);
    c->coordinator = NULL;
    c->members = NULL;
    for (uint32_t i = 0; i < c->node_count; i++)
        c->nodes[i].heard_epoch = 0;
    c->holds_store = false;
    c->fault_count = 0;
}

void cd_elect(struct cd *c, const char *name)
{
    c->owner = cd_index(c, name);
    c->opts.version++;
    c->opts.seed++;
    cd_start(c);
}

void cd_free(struct cd *c)
{
    if (c->coordinator)
        cd_kill(c);
    for (uint32_t i = 0; i < c->late_count; i++)
        cd_free_op(c, &c->late[i]);
    sl_store_model_free(c->store);
    sl_arena_deinit(&c->decoded);
    sl_outbox_deinit(&c->out);
    sl_mem_deinit(&c->store_mem);
    sl_mem_deinit(&c->out_mem);
    sl_mem_deinit(&c->mem);
    free(c);
}

void cd_host(struct cd *c, uint32_t feed, const char *name)
{
    cd_node(c, name)->feeds[feed] =
        (struct cd_hosted){ .is_here = true, .is_bootstrapped = true, .epoch = CD_FEED_EPOCH };
}

/* ---- the shell ---- */

static uint32_t cd_index_of_ref(const struct cd *c, sl_node_ref ref)
{
    return cd_index(c, sl_members_id(c->members, ref)->text);
}

static void cd_keep_send(struct cd *c, const struct sl_output *o)
{
    struct sl_bytes payload = o->u.send.payload;
    struct cd_message m = { .from = cd_index_of_ref(c, o->u.send.to), .type = o->u.send.type, .len = payload.len };
    m.bytes = sl_mem_alloc(&c->out_mem, SL_TAG_NODE, m.len);
    assert_non_null(m.bytes);
    memcpy(m.bytes, payload.ptr, payload.len);
    assert_true(c->waiting_count < CD_QUEUE_MAX);
    c->waits_for[c->waiting_count] = o->after;
    c->waiting[c->waiting_count++] = m;
}

static void cd_keep_reply(struct cd *c, const struct sl_reply *r)
{
    if (r->ticket == c->drain_node_ticket && r->code == SL_OK && r->remaining == 0)
        assert_true(cd_is_safe(c, c->drain_node, c->nodes[c->drain_node].heard_epoch));
    assert_true(c->reply_count < CD_REPLIES_MAX);
    assert_null(cd_reply(c, r->ticket));
    struct cd_reply *to = &c->replies[c->reply_count++];
    *to = (struct cd_reply){ .ticket = r->ticket,
                             .code = r->code,
                             .remaining = r->remaining,
                             .drain_count = r->drain_count,
                             .plan_count = r->plan_count,
                             .node_count = r->node_count };
    memcpy(to->detail, r->detail, sizeof to->detail);
    if (r->drain_count > 0)
        to->drain = r->drains[0];
    for (uint32_t i = 0; i < r->node_count && i < CD_NODES_MAX; i++)
        to->nodes[i] = r->nodes[i];
    for (uint32_t i = 0; i < r->plan_count && i < CD_NODES_MAX; i++)
        to->plan[i] = r->plan[i];
}

static struct cd_op cd_copy_op(struct cd *c, const struct sl_store_op *op)
{
    struct cd_op copy = { .bytes = sl_store_op_bytes(op) };
    copy.memory = copy.bytes > 0 ? sl_mem_alloc(&c->out_mem, SL_TAG_STORE, copy.bytes) : NULL;
    sl_store_op_copy(&copy.op, op, copy.memory);
    return copy;
}

static void cd_perform_outputs(struct cd *c)
{
    for (uint32_t i = 0; i < c->out.count; i++) {
        const struct sl_output *o = &c->out.items[i];
        switch (o->kind) {
        case SL_OUT_SEND:
            if (o->after != 0)
                cd_keep_send(c, o);
            else
                cd_obey(c, cd_index_of_ref(c, o->u.send.to), o->u.send.type, o->u.send.payload);
            break;
        case SL_OUT_STORE:
            assert_true(c->op_count < CD_QUEUE_MAX);
            c->ops[(c->op_head + c->op_count++) % CD_QUEUE_MAX] = cd_copy_op(c, &o->u.store);
            break;
        case SL_OUT_REPLY:
            cd_keep_reply(c, &o->u.reply);
            break;
        case SL_OUT_EVENT:
            c->events[o->u.event.id]++;
            break;
        case SL_OUT_COMMAND:
        case SL_OUT_SCHEMA_LOAD:
            fail_msg("a coordinator has no data plane");
        }
    }
    sl_outbox_reset(&c->out);
    sl_arena_reset(&c->decoded);
}

static bool cd_is_intent_write(const struct sl_store_op *op)
{
    struct sl_key prefix;
    assert_true(sl_key_drains(&prefix, SL_STR(CD_CLUSTER)));
    return op->verb == SL_STORE_TXN && op->then_count > 0 && sl_key_tail(op->then[0].key, sl_key_str(&prefix)).len > 0;
}

static enum cd_fault cd_take_fault(struct cd *c, const struct sl_store_op *op)
{
    if (c->fault_count == 0 || !cd_is_intent_write(op))
        return CD_FAULT_NONE;
    enum cd_fault fault = c->faults[0];
    memmove(c->faults, c->faults + 1, --c->fault_count * sizeof c->faults[0]);
    return fault;
}

/* Outputs that waited for the operation are performed, or dropped, before the coordinator learns of it. */
static void cd_release_waiting(struct cd *c, const struct sl_store_result *r)
{
    uint32_t kept = 0;
    bool is_done = r->outcome == SL_STORE_OK && (r->verb != SL_STORE_TXN || r->succeeded);
    for (uint32_t i = 0; i < c->waiting_count; i++) {
        struct cd_message m = c->waiting[i];
        if (c->waits_for[i] != r->id) {
            c->waits_for[kept] = c->waits_for[i];
            c->waiting[kept++] = m;
            continue;
        }
        if (is_done)
            cd_obey(c, m.from, m.type, (struct sl_bytes){ m.bytes, m.len });
        cd_free_message(c, &m);
    }
    c->waiting_count = kept;
}

static void cd_perform_op(struct cd *c)
{
    struct cd_op op = c->ops[c->op_head];
    c->op_head = (c->op_head + 1) % CD_QUEUE_MAX;
    c->op_count--;
    enum cd_fault fault = cd_take_fault(c, &op.op);
    struct sl_store_result r = { .id = op.op.id, .verb = op.op.verb };
    if (fault == CD_FAULT_NONE || fault == CD_FAULT_LOST_ANSWER)
        sl_store_model_perform(c->store, c->now, &op.op, &r);
    c->store_ops++;
    c->intent_writes += r.outcome == SL_STORE_OK && r.succeeded && cd_is_intent_write(&op.op);
    c->holds_store |= c->hold_at_write > 0 && c->intent_writes == c->hold_at_write;
    if (fault == CD_FAULT_REFUSED)
        r.outcome = SL_STORE_REFUSED;
    else if (fault != CD_FAULT_NONE)
        r = (struct sl_store_result){ .id = op.op.id, .verb = op.op.verb, .outcome = SL_STORE_UNKNOWN };
    cd_release_waiting(c, &r);
    assert_true(sl_coordinator_on_store(c->coordinator, c->now, &r, &c->out));
    if (fault != CD_FAULT_LATE) {
        cd_free_op(c, &op);
        return;
    }
    c->late_since[c->late_count] = c->now;
    c->late[c->late_count++] = op;
}

static void cd_deliver(struct cd *c)
{
    struct cd_message m = c->inbox[c->inbox_head];
    c->inbox_head = (c->inbox_head + 1) % CD_QUEUE_MAX;
    c->inbox_count--;
    sl_node_ref from = sl_members_find_str(c->members, sl_str_of(c->nodes[m.from].name));
    const ProtobufCMessage *message = NULL;
    if (from != SL_NODE_NONE) {
        sl_assert_i64(sl_payload_decode(m.type, (struct sl_bytes){ m.bytes, m.len }, &SL_WIRE_LIMITS_DEFAULT,
                                        &c->decoded, &message),
                      SL_REFUSE_NONE);
        c->refusals[sl_coordinator_on_message(c->coordinator, c->now, from, m.type, message, &c->out)]++;
        if (m.type != SL_MSG_MAINTAINER_HEARTBEAT_REQUEST && m.node_epoch > c->nodes[m.from].heard_epoch)
            c->nodes[m.from].heard_epoch = m.node_epoch;
    }
    cd_free_message(c, &m);
}

void cd_settle(struct cd *c)
{
    for (uint32_t steps = 0; c->coordinator; steps++) {
        assert_true(steps < STEPS_MAX);
        cd_perform_outputs(c);
        if (c->inbox_count > 0)
            cd_deliver(c);
        else if (c->op_count > 0 && !c->holds_store)
            cd_perform_op(c);
        else if (sl_coordinator_deadline(c->coordinator) <= c->now)
            sl_coordinator_on_tick(c->coordinator, c->now, &c->out);
        else
            return;
    }
}

/* What is that old arrives. */
static void cd_perform_late(struct cd *c, sl_ns age)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->late_count; i++) {
        struct sl_store_result r;
        if (c->now - c->late_since[i] < age) {
            c->late_since[kept] = c->late_since[i];
            c->late[kept++] = c->late[i];
            continue;
        }
        sl_store_model_perform(c->store, c->now, &c->late[i].op, &r);
        cd_free_op(c, &c->late[i]);
    }
    c->late_count = kept;
}

void cd_run(struct cd *c, sl_ns ns)
{
    sl_ns until = c->now + ns;
    cd_settle(c);
    while (c->now < until) {
        sl_ns at = c->coordinator ? sl_coordinator_deadline(c->coordinator) : SL_NEVER;
        sl_ns second = c->ticked_at + SL_S;
        at = sl_ns_min(sl_ns_min(at, second), until);
        c->now = at > c->now ? at : c->now;
        if (c->now >= second) {
            c->ticked_at = second;
            cd_perform_late(c, CD_LATE_NS);
            cd_second(c);
        }
        cd_settle(c);
    }
}

/* ---- what happens ---- */

static void cd_members_changed(struct cd *c)
{
    const struct sl_members_change *change;
    if (!c->coordinator)
        return;
    cd_apply_members(c, &change);
    sl_coordinator_on_members(c->coordinator, c->now, change, &c->out);
    cd_settle(c);
}

void cd_leave(struct cd *c, const char *name)
{
    uint32_t node = cd_index(c, name);
    c->nodes[node].is_member = false;
    memset(c->nodes[node].feeds, 0, sizeof c->nodes[node].feeds);
    for (uint32_t feed = 0; feed < c->feed_count; feed++)
        c->dispatchers[feed][node] = c->moves[feed][node] = 0;
    cd_members_changed(c);
}

static void cd_new_process(struct cd_node *n, uint64_t node_epoch)
{
    struct cd_node fresh = {
        .kind = n->kind, .is_member = true, .node_epoch = node_epoch, .is_mute = n->is_mute, .is_deaf = n->is_deaf
    };
    memcpy(fresh.name, n->name, sizeof fresh.name);
    *n = fresh;
}

void cd_join(struct cd *c, const char *name, uint64_t node_epoch)
{
    cd_new_process(cd_node(c, name), node_epoch);
    cd_members_changed(c);
}

void cd_restart(struct cd *c, const char *name)
{
    struct cd_node *n = cd_node(c, name);
    int64_t version = n->version;
    char coordinator[sizeof n->coordinator];
    memcpy(coordinator, n->coordinator, sizeof coordinator);
    cd_new_process(n, n->node_epoch + 1000000);
    /* A process without a coordinator says nothing; this one was found by its predecessor's. */
    n->version = version;
    memcpy(n->coordinator, coordinator, sizeof coordinator);
    cd_heartbeat(c, name);
    cd_settle(c);
}

void cd_release_store(struct cd *c)
{
    c->hold_at_write = 0;
    c->holds_store = false;
    cd_settle(c);
}

void cd_fault(struct cd *c, enum cd_fault fault)
{
    assert_true(c->fault_count < CD_FAULTS_MAX && c->late_count < CD_FAULTS_MAX);
    c->faults[c->fault_count++] = fault;
}

void cd_late(struct cd *c)
{
    cd_perform_late(c, 0);
}

void cd_forget(struct cd *c)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        struct cd_node *n = &c->nodes[i];
        n->bootstrap_requests = n->target_requests = n->draining_requests = n->stopping_requests = 0;
        n->stop_orders = n->undrain_requests = n->adds = n->removes = 0;
    }
    memset(c->events, 0, sizeof c->events);
    memset(c->refusals, 0, sizeof c->refusals);
    c->reply_count = 0;
}

/* ---- requests ---- */

uint64_t cd_ask(struct cd *c, struct sl_request *r)
{
    r->ticket = ++c->ticket;
    if (r->verb == SL_REQUEST_DRAIN_NODE) {
        c->drain_node_ticket = r->ticket;
        c->drain_node = cd_index(c, r->node.ptr);
    }
    sl_coordinator_on_request(c->coordinator, c->now, r, &c->out);
    cd_settle(c);
    return r->ticket;
}

const struct cd_reply *cd_reply(const struct cd *c, uint64_t ticket)
{
    for (uint32_t i = 0; i < c->reply_count; i++) {
        if (c->replies[i].ticket == ticket)
            return &c->replies[i];
    }
    return NULL;
}

const struct cd_reply *cd_request(struct cd *c, enum sl_request_verb verb, const char *node)
{
    struct sl_request r = { .verb = verb, .node = sl_str_of(node) };
    if (c->reply_count == CD_REPLIES_MAX)
        c->reply_count = 0;
    const struct cd_reply *reply = cd_reply(c, cd_ask(c, &r));
    assert_non_null(reply);
    return reply;
}

uint32_t cd_drain_node(struct cd *c, const char *node)
{
    const struct cd_reply *r = cd_request(c, SL_REQUEST_DRAIN_NODE, node);
    sl_assert_str(sl_code_name(r->code), "OK");
    return r->remaining;
}

enum sl_code cd_drain(struct cd *c, const char *node)
{
    return cd_request(c, SL_REQUEST_DRAIN, node)->code;
}

enum sl_code cd_undrain(struct cd *c, const char *node)
{
    return cd_request(c, SL_REQUEST_UNDRAIN, node)->code;
}

/* ---- what holds ---- */

uint32_t cd_intent_count(struct cd *c)
{
    struct sl_store_result r;
    cd_range(c, &r);
    return r.pair_count;
}

const char *cd_phase(struct cd *c, const char *node)
{
    struct sl_intent intent;
    return cd_intent(c, node, &intent) ? sl_drain_phase_name(intent.phase) : "-";
}

uint64_t cd_epoch(struct cd *c, const char *node)
{
    struct sl_intent intent;
    return cd_intent(c, node, &intent) ? intent.epoch : 0;
}

const char *cd_blocker(struct cd *c, const char *node)
{
    return sl_blocker_name(cd_request(c, SL_REQUEST_DRAIN_SHOW, node)->drain.blocker);
}

bool cd_holds(struct cd *c, const char *node, const char *target)
{
    const struct sl_target_set *set = &cd_node(c, node)->set;
    if (target[0] == '\0')
        return set->count == 0;
    return set->count == 1 && strcmp(set->targets[0].node.text, target) == 0;
}
