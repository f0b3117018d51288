/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole node as its peers, its data plane and its clock can drive it: the input is a list of operations, each a byte
 * that says which, then its arguments. What a node sends and commands is remembered, so that an input can answer it,
 * late, twice or with a byte changed, and so reaches states that random bytes never would.
 *
 * What must hold: the invariants that the node checks after each step, no report of a sanitizer, nothing leaked,
 * liveness and the epoch of the drain target never go back, and every refused message is counted once and is one event;
 * that a node without its lease refuses work is no news, so it is counted and not told.
 */
#include "core/common/mem_tags.h"
#include "core/node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 2000, KEPT_MAX = 32, PAYLOAD_BYTES_MAX = 4096, TABLES_MAX = 8, FEEDS_MAX = 4 };

static const char *const fuzz_nodes[] = { "n1", "n2", "c1", "stranger" };
enum { FUZZ_NODES = 4, FUZZ_MEMBERS = 3 };

struct kept_message {
    enum sl_msg_type type;
    enum sl_topic topic;
    size_t len;
    uint8_t payload[PAYLOAD_BYTES_MAX];
};

struct fuzz {
    const uint8_t *data;
    size_t size;
    struct sl_mem mem, out_mem;
    struct sl_node *node;
    struct sl_outbox out;
    sl_ns now;
    uint32_t steps, refused_events;
    bool lease_lost;
    struct kept_message messages[KEPT_MAX]; /* that the node sent to anybody */
    struct sl_command commands[KEPT_MAX];   /* without what they point to */
    struct sl_out_schema_load loads[KEPT_MAX];
    uint32_t message_count, command_count, load_count; /* ever; the last KEPT_MAX are kept */
};

/* ---- input ---- */

static uint8_t fuzz_u8(struct fuzz *f)
{
    if (f->size == 0)
        return 0;
    f->size--;
    return *f->data++;
}

static struct sl_bytes fuzz_bytes(struct fuzz *f, size_t len)
{
    struct sl_bytes b = { f->data, len < f->size ? len : f->size };
    f->data += b.len;
    f->size -= b.len;
    return b;
}

/* Which of the kept ones: the newest for 0. */
static uint32_t fuzz_choose(struct fuzz *f, uint32_t count)
{
    uint32_t back = fuzz_u8(f) % (count < KEPT_MAX ? count : KEPT_MAX);
    return (count - 1 - back) % KEPT_MAX;
}

/* ---- outputs ---- */

static void fuzz_keep(struct fuzz *f, const struct sl_output *o)
{
    if (o->kind == SL_OUT_SEND && o->u.send.payload.len <= PAYLOAD_BYTES_MAX) {
        struct kept_message *k = &f->messages[f->message_count++ % KEPT_MAX];
        k->type = o->u.send.type;
        k->topic = o->u.send.topic;
        k->len = o->u.send.payload.len;
        memcpy(k->payload, o->u.send.payload.ptr, k->len);
    } else if (o->kind == SL_OUT_COMMAND) {
        f->commands[f->command_count++ % KEPT_MAX] = o->u.command;
    } else if (o->kind == SL_OUT_SCHEMA_LOAD) {
        f->loads[f->load_count++ % KEPT_MAX] = o->u.schema_load;
    } else if (o->kind == SL_OUT_EVENT) {
        f->refused_events += o->u.event.id == SL_EV_MESSAGE_REFUSED;
    }
}

static uint64_t fuzz_refusals(const struct fuzz *f)
{
    uint64_t total = 0;
    for (int r = 0; r < SL_REFUSAL_COUNT; r++)
        total += sl_node_refusal_count(f->node, (enum sl_refusal)r);
    return total;
}

/* Those of which nothing is said. */
static uint64_t fuzz_quiet_refusals(const struct fuzz *f)
{
    return f->lease_lost ? sl_node_refusal_count(f->node, SL_REFUSE_STOPPING) : 0;
}

static void fuzz_step(struct fuzz *f, const struct sl_input *in)
{
    struct sl_manager *manager = sl_node_manager(f->node);
    enum sl_liveness liveness = sl_manager_liveness(manager);
    uint64_t node_epoch = sl_manager_node_epoch(manager);
    struct sl_drain_target target = *sl_manager_target(manager);
    f->lease_lost |= in->kind == SL_IN_LEASE_LOST;
    uint64_t refusals = fuzz_refusals(f), quiet = fuzz_quiet_refusals(f);
    if (f->steps++ >= STEPS_MAX)
        return;
    f->refused_events = 0;
    sl_outbox_reset(&f->out);
    sl_node_step(f->node, f->now, in, &f->out);
    for (uint32_t i = 0; i < f->out.count; i++)
        fuzz_keep(f, &f->out.items[i]);
    if (sl_manager_node_epoch(manager) == node_epoch)
        SL_REQUIRE(sl_manager_liveness(manager) >= liveness);
    else
        SL_REQUIRE(sl_manager_node_epoch(manager) == node_epoch + 1 && liveness != SL_LIVENESS_STOPPING);
    SL_REQUIRE(sl_manager_target(manager)->epoch >= target.epoch);
    refusals = fuzz_refusals(f) - refusals;
    quiet = fuzz_quiet_refusals(f) - quiet;
    SL_REQUIRE(refusals <= (in->kind == SL_IN_MESSAGE));
    SL_REQUIRE(f->out.dropped_count > 0 || refusals - quiet == f->refused_events);
}

/* In a block of exactly its size, so that a read beyond it is seen. */
static void fuzz_deliver(struct fuzz *f, const char *from, const struct kept_message *k)
{
    struct sl_envelope e = { .type = k->type, .from = sl_str_of(from), .to = SL_STR("n1"), .payload_count = 1 };
    e.topic = sl_str_of(sl_topic_text(k->topic));
    e.payload[0] = (struct sl_bytes){ k->payload, k->len };
    size_t size = sl_envelope_size(&e);
    uint8_t *bytes = malloc(size);
    SL_REQUIRE(bytes != NULL && sl_envelope_encode(&e, bytes) == size);
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_MESSAGE, .u.message = { bytes, size } });
    free(bytes);
}

static const char *fuzz_node(struct fuzz *f)
{
    return fuzz_nodes[fuzz_u8(f) % FUZZ_NODES];
}

/* ---- operations ---- */

static void op_envelope(struct fuzz *f)
{
    struct sl_bytes bytes = fuzz_bytes(f, fuzz_u8(f));
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_MESSAGE, .u.message = bytes });
}

static void op_payload(struct fuzz *f)
{
    struct kept_message k = { .len = 0 };
    const struct sl_msg_row *row = sl_msg_row(fuzz_u8(f) % SL_MSG_COUNT);
    const char *from = fuzz_node(f);
    struct sl_bytes bytes = fuzz_bytes(f, fuzz_u8(f));
    if (!row)
        return;
    k.type = row->type;
    k.topic = row->topic;
    k.len = bytes.len;
    if (bytes.len > 0)
        memcpy(k.payload, bytes.ptr, bytes.len);
    fuzz_deliver(f, from, &k);
}

/* Anything the node ever sent comes back to it, from anybody, whole or with one byte changed. */
static void op_echo(struct fuzz *f)
{
    if (f->message_count == 0)
        return;
    struct kept_message k = f->messages[fuzz_choose(f, f->message_count)];
    const char *from = fuzz_node(f);
    uint8_t at = fuzz_u8(f), change = fuzz_u8(f);
    if (k.len > 0)
        k.payload[at % k.len] ^= change;
    fuzz_deliver(f, from, &k);
}

static void op_tick(struct fuzz *f)
{
    f->now += (sl_ns)fuzz_u8(f) * 10 * SL_MS;
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_TICK });
}

static void op_deadline(struct fuzz *f)
{
    sl_ns deadline = sl_node_deadline(f->node);
    if (deadline == SL_NEVER)
        return;
    f->now = deadline > f->now ? deadline : f->now;
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_TICK });
}

static void op_members(struct fuzz *f)
{
    struct sl_node_id ids[FUZZ_NODES];
    uint32_t count = 0;
    uint8_t bits = fuzz_u8(f);
    for (uint32_t i = 0; i < FUZZ_NODES; i++) {
        if (bits & (1u << i) && sl_node_id_set(&ids[count], sl_str_of(fuzz_nodes[i])))
            count++;
    }
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_MEMBERS, .u.members = { ids, count } });
}

static void op_report(struct fuzz *f)
{
    struct sl_report r = { .kind = (enum sl_report_kind)(fuzz_u8(f) % (SL_REPORT_HOSTED + 1)) };
    if (f->command_count > 0) {
        const struct sl_command *c = &f->commands[fuzz_choose(f, f->command_count)];
        r.feed = c->feed;
        r.dispatcher = c->dispatcher;
    }
    uint8_t change = fuzz_u8(f);
    r.feed ^= change & 1;
    r.dispatcher ^= change >> 1 & 1;
    r.follows = change >> 2 & 1;
    r.checkpoint = fuzz_u8(f);
    r.resolved = r.checkpoint + (change >> 3 & 1);
    r.readers = r.kind == SL_REPORT_HOSTED ? change : 0;
    r.code = SL_STR("CDC:ErrFuzz");
    r.text = SL_STR("fuzzed");
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_REPORT, .u.report = r });
}

/* The answer a working data plane gives to the newest commands. */
static void op_obey(struct fuzz *f)
{
    static const enum sl_report_kind answers[] = {
        [SL_COMMAND_OPEN_FEED] = SL_REPORT_FEED_OPENED, [SL_COMMAND_CLOSE_FEED] = SL_REPORT_FEED_CLOSED,
        [SL_COMMAND_FENCE_FEED] = SL_REPORT_HOSTED,     [SL_COMMAND_OPEN] = SL_REPORT_READY,
        [SL_COMMAND_CLOSE] = SL_REPORT_CLOSED,
    };
    if (f->command_count == 0)
        return;
    const struct sl_command *c = &f->commands[fuzz_choose(f, f->command_count)];
    struct sl_report r = { .kind = answers[c->verb], .feed = c->feed, .dispatcher = c->dispatcher };
    r.checkpoint = r.resolved = c->start_ts;
    r.follows = true;
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_REPORT, .u.report = r });
}

static void op_schema(struct fuzz *f)
{
    struct sl_table tables[TABLES_MAX];
    if (f->load_count == 0)
        return;
    const struct sl_out_schema_load *load = &f->loads[fuzz_choose(f, f->load_count)];
    uint8_t choice = fuzz_u8(f);
    uint32_t count = choice % (TABLES_MAX + 1);
    for (uint32_t i = 0; i < count; i++)
        tables[i] = (struct sl_table){ .table_id = 1 + i, .schema_id = 1 };
    struct sl_in_schema s = { load->feed, load->request + (choice >> 6 == 3), SL_OK, tables, count };
    s.code = choice >> 6 == 2 ? SL_NOT_READY : SL_OK;
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_SCHEMA, .u.schema = s });
}

static void op_schema_change(struct fuzz *f)
{
    if (f->load_count == 0)
        return;
    struct sl_in_schema_change change = { .feed = f->loads[fuzz_choose(f, f->load_count)].feed };
    struct sl_table added = { .table_id = fuzz_u8(f), .schema_id = 1 };
    int64_t dropped = fuzz_u8(f);
    change.commit_ts = fuzz_u8(f);
    change.added = &added;
    change.added_count = added.table_id > 0;
    change.dropped = &dropped;
    change.dropped_count = dropped > 0;
    fuzz_step(f, &(struct sl_input){ .kind = SL_IN_SCHEMA_CHANGE, .u.schema_change = change });
}

static void fuzz_request(struct fuzz *f, enum sl_msg_type type, const ProtobufCMessage *message)
{
    struct kept_message k = { .type = type, .topic = sl_msg_row((int32_t)type)->topic };
    k.len = sl_payload_size(type, message);
    SL_REQUIRE(k.len <= PAYLOAD_BYTES_MAX);
    sl_payload_encode(type, message, k.payload);
    fuzz_deliver(f, fuzz_nodes[fuzz_u8(f) % FUZZ_MEMBERS], &k);
}

static void op_bootstrap(struct fuzz *f)
{
    Pb__CoordinatorBootstrapRequest req = PB__COORDINATOR_BOOTSTRAP_REQUEST__INIT;
    req.version = fuzz_u8(f);
    fuzz_request(f, SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &req.base);
}

static void op_target(struct fuzz *f)
{
    char node[16];
    Pb__SetDispatcherDrainTargetRequest req = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    uint8_t choice = fuzz_u8(f);
    snprintf(node, sizeof node, "%s", choice & 4 ? "" : fuzz_nodes[choice % FUZZ_NODES]);
    req.target_node_id = node;
    req.target_epoch = choice >> 3;
    fuzz_request(f, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &req.base);
}

static void op_liveness(struct fuzz *f)
{
    Pb__SetNodeLivenessRequest req = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    uint8_t choice = fuzz_u8(f);
    req.target = (Pb__NodeLiveness)(choice % 4);
    req.node_epoch = choice >> 2 & 1 ? 2 : 1;
    fuzz_request(f, SL_MSG_SET_NODE_LIVENESS_REQUEST, &req.base);
}

static void op_add(struct fuzz *f)
{
    char json[512], name[16], keyspace[] = "default";
    uint8_t choice = fuzz_u8(f);
    Pb__ChangefeedID id = PB__CHANGEFEED_ID__INIT;
    Pb__AddMaintainerRequest req = PB__ADD_MAINTAINER_REQUEST__INIT;
    id.high = 7;
    id.low = 1 + choice % FEEDS_MAX;
    snprintf(name, sizeof name, "feed-%u", (unsigned)id.low);
    id.name = name;
    id.keyspace = keyspace;
    int len =
        snprintf(json, sizeof json,
                 "{\"id\":{\"id\":{\"low\":%u,\"high\":7},\"display\":{\"name\":\"%s\",\"keyspace\":\"default\"}},"
                 "\"sink-uri\":\"%s://\",\"config\":{\"performance-mode\":\"%s\",\"filter\":{},\"sink\":{},"
                 "\"consistent\":{},\"scheduler\":{\"enable-table-across-nodes\":%s}}}",
                 (unsigned)id.low, name, choice & 32 ? "blackhole" : "kafka",
                 choice & 64 ? "low-latency" : "throughput", choice & 128 ? "true" : "false");
    req.changefeed = &id;
    req.config.data = (uint8_t *)json;
    req.config.len = (size_t)len;
    req.maintainer_epoch = choice >> 2 & 7;
    req.checkpoint_ts = fuzz_u8(f);
    req.is_new_changefeed = req.checkpoint_ts & 1;
    fuzz_request(f, SL_MSG_ADD_MAINTAINER_REQUEST, &req.base);
}

static void op_remove(struct fuzz *f)
{
    char name[16], keyspace[] = "default";
    uint8_t choice = fuzz_u8(f);
    Pb__ChangefeedID id = PB__CHANGEFEED_ID__INIT;
    Pb__RemoveMaintainerRequest req = PB__REMOVE_MAINTAINER_REQUEST__INIT;
    id.high = 7;
    id.low = 1 + choice % FEEDS_MAX;
    snprintf(name, sizeof name, "feed-%u", (unsigned)id.low);
    id.name = name;
    id.keyspace = keyspace;
    req.changefeed = &id;
    req.maintainer_epoch = choice >> 2 & 7;
    req.cascade = choice >> 5 & 1;
    req.removed = choice >> 6 & 1;
    fuzz_request(f, SL_MSG_REMOVE_MAINTAINER_REQUEST, &req.base);
}

static void op_lease_lost(struct fuzz *f)
{
    if (fuzz_u8(f) == 0xff)
        fuzz_step(f, &(struct sl_input){ .kind = SL_IN_LEASE_LOST });
}

static void op_fail_memory(struct fuzz *f)
{
    f->mem.fail_at = fuzz_u8(f);
}

static void (*const fuzz_ops[])(struct fuzz *f) = {
    op_envelope, op_payload, op_echo,   op_tick,          op_deadline,    op_members,
    op_report,   op_obey,    op_schema, op_schema_change, op_bootstrap,   op_target,
    op_liveness, op_add,     op_remove, op_lease_lost,    op_fail_memory,
};

/* ---- run ---- */

static void fuzz_init(struct fuzz *f, uint8_t switches)
{
    struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct sl_node_opts opts;
    sl_mem_init(&f->mem, &mem_opts);
    sl_mem_init(&f->out_mem, &mem_opts);
    SL_REQUIRE(sl_outbox_init(&f->out, &f->out_mem, SL_TAG_OUTBOX, switches & 2 ? 160 : 4096, 1 << 20) == SL_OK);
    sl_node_opts_default(&opts);
    opts.mem = &f->mem;
    opts.node_epoch = 1;
    opts.seed = 3;
    opts.node_count_max = FUZZ_NODES;
    opts.interop = switches & 1;
    opts.decode_bytes_max = 1 << 20;
    opts.manager.feed_count_max = FEEDS_MAX - 1;
    opts.orchestrator.feed_count_max = FEEDS_MAX - 1;
    opts.orchestrator.dispatcher_count_max = 64;
    opts.orchestrator.tombstone_count_max = 4;
    opts.manager.maintainer.span_count_max = 64;
    SL_REQUIRE(sl_node_id_set(&opts.id, SL_STR("n1")));
    SL_REQUIRE(sl_node_new(&f->node, &opts, f->now) == SL_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz fuzz;
    struct fuzz *f = &fuzz;
    *f = (struct fuzz){ .data = data, .size = size, .now = 1 * SL_S };
    fuzz_init(f, fuzz_u8(f));
    while (f->size > 0 && f->steps < STEPS_MAX)
        fuzz_ops[fuzz_u8(f) % (sizeof fuzz_ops / sizeof fuzz_ops[0])](f);
    sl_node_free(f->node);
    sl_outbox_deinit(&f->out);
    sl_mem_deinit(&f->out_mem);
    sl_mem_deinit(&f->mem);
    return 0;
}
