/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/node_fixture.h"

#include "core/common/mem_tags.h"
#include "tests/support/manager_fixture.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_COUNT = 4096, OUT_BYTES = 4 << 20 };

static struct sl_node_id node_id(const char *name)
{
    struct sl_node_id id;
    assert_true(sl_node_id_set(&id, sl_str_of(name)));
    return id;
}

void nf_init(struct node_fixture *f)
{
    struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    memset(f, 0, sizeof *f);
    sl_mem_init(&f->mem, &mem_opts);
    sl_mem_init(&f->out_mem, &mem_opts);
    sl_assert_i64(sl_outbox_init(&f->out, &f->out_mem, SL_TAG_OUTBOX, OUT_COUNT, OUT_BYTES), SL_OK);
    sl_node_opts_default(&f->opts);
    f->opts.mem = &f->mem;
    f->opts.id = node_id("n1");
    f->opts.node_epoch = MF_NODE_EPOCH;
    f->opts.seed = 11;
    f->opts.node_count_max = NF_NODES_MAX;
    f->now = 1 * SL_S;
}

void nf_step(struct node_fixture *f, const struct sl_input *in)
{
    sl_outbox_reset(&f->out);
    sl_node_step(f->node, f->now, in, &f->out);
}

void nf_members(struct node_fixture *f, const char *const *names, uint32_t count)
{
    struct sl_node_id ids[16];
    for (uint32_t i = 0; i < count; i++)
        ids[i] = node_id(names[i]);
    nf_step(f, &(struct sl_input){ .kind = SL_IN_MEMBERS, .u.members = { ids, count } });
}

void nf_setup(struct node_fixture *f)
{
    static const char *const names[] = { "n1", "c1" };
    nf_init(f);
    f->coordinator = "c1";
    sl_assert_i64(sl_node_new(&f->node, &f->opts, f->now), SL_OK);
    nf_members(f, names, 2);
}

void nf_setup_alone(struct node_fixture *f)
{
    nf_init(f);
    f->coordinator = "n1";
    sl_assert_i64(sl_node_new(&f->node, &f->opts, f->now), SL_OK);
}

void nf_teardown(struct node_fixture *f)
{
    for (; f->queue_count > 0; f->queue_count--)
        free(f->queue[f->queue_head++ % NF_QUEUE_MAX].bytes);
    sl_node_free(f->node);
    sl_outbox_deinit(&f->out);
    sl_mem_deinit(&f->out_mem);
    sl_mem_deinit(&f->mem);
}

/* ---- envelopes ---- */

struct sl_envelope nf_envelope(const char *from, enum sl_msg_type type, const struct sl_bytes *payloads, uint32_t count)
{
    struct sl_envelope e = { .type = type, .from = sl_str_of(from), .to = SL_STR("n1"), .payload_count = count };
    e.topic = sl_str_of(sl_topic_text(sl_msg_row((int32_t)type)->topic));
    for (uint32_t i = 0; i < count; i++)
        e.payload[i] = payloads[i];
    return e;
}

/* Gives the node a block of exactly the size of the message, so that a read beyond it is seen. */
void nf_step_envelope(struct node_fixture *f, const struct sl_envelope *e)
{
    size_t size = sl_envelope_size(e);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    sl_assert_u64(sl_envelope_encode(e, bytes), size);
    nf_step(f, &(struct sl_input){ .kind = SL_IN_MESSAGE, .u.message = { bytes, size } });
    free(bytes);
}

struct sl_bytes nf_pack(uint8_t *room, enum sl_msg_type type, const ProtobufCMessage *message)
{
    return (struct sl_bytes){ room, sl_payload_encode(type, message, room) };
}

void nf_step_message(struct node_fixture *f, const char *from, enum sl_msg_type type, const ProtobufCMessage *message)
{
    uint8_t room[4096];
    assert_true(sl_payload_size(type, message) <= sizeof room);
    struct sl_bytes payload = nf_pack(room, type, message);
    struct sl_envelope e = nf_envelope(from, type, &payload, 1);
    nf_step_envelope(f, &e);
}

void nf_bootstrap(struct node_fixture *f, int64_t version)
{
    Pb__CoordinatorBootstrapRequest req = PB__COORDINATOR_BOOTSTRAP_REQUEST__INIT;
    req.version = version;
    nf_step_message(f, f->coordinator, SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &req.base);
}

Pb__SetDispatcherDrainTargetRequest nf_target_request(char *node, uint64_t epoch)
{
    Pb__SetDispatcherDrainTargetRequest req = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    req.target_node_id = node;
    req.target_epoch = epoch;
    return req;
}

void nf_send_target(struct node_fixture *f, const char *from, uint64_t epoch)
{
    char node[] = "n2";
    Pb__SetDispatcherDrainTargetRequest req = nf_target_request(node, epoch);
    nf_step_message(f, from, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &req.base);
}

void nf_send_liveness(struct node_fixture *f, Pb__NodeLiveness target)
{
    Pb__SetNodeLivenessRequest req = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    req.target = target;
    req.node_epoch = MF_NODE_EPOCH;
    nf_step_message(f, f->coordinator, SL_MSG_SET_NODE_LIVENESS_REQUEST, &req.base);
}

void nf_send_add(struct node_fixture *f, const char *from, uint64_t epoch, sl_ts checkpoint, const char *config)
{
    struct sl_feed_id id = mf_feed(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__AddMaintainerRequest req = PB__ADD_MAINTAINER_REQUEST__INIT;
    uint8_t bytes[2048];
    req.config.len = strlen(config);
    assert_true(req.config.len <= sizeof bytes);
    memcpy(bytes, config, req.config.len);
    req.changefeed = &changefeed;
    req.config.data = bytes;
    req.checkpoint_ts = checkpoint;
    req.maintainer_epoch = epoch;
    req.is_new_changefeed = true;
    nf_step_message(f, from, SL_MSG_ADD_MAINTAINER_REQUEST, &req.base);
}

/* ---- what came out ---- */

uint32_t nf_sent_count(const struct node_fixture *f, enum sl_msg_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->out.count; i++)
        count += f->out.items[i].kind == SL_OUT_SEND && f->out.items[i].u.send.type == type;
    return count;
}

const char *nf_refused(const struct node_fixture *f, const char *key)
{
    static char text[128];
    uint32_t found = 0;
    memcpy(text, "-", 2);
    for (uint32_t i = 0; i < f->out.count; i++) {
        const struct sl_event *e = &f->out.items[i].u.event;
        if (f->out.items[i].kind != SL_OUT_EVENT || e->id != SL_EV_MESSAGE_REFUSED)
            continue;
        found++;
        for (uint32_t k = 0; k < e->field_count; k++) {
            if (strcmp(e->fields[k].key, key) == 0)
                snprintf(text, sizeof text, "%.*s", (int)e->fields[k].str.len, e->fields[k].str.ptr);
        }
    }
    assert_true(found <= 1);
    return text;
}

uint64_t nf_refused_total(const struct node_fixture *f)
{
    uint64_t total = 0;
    for (int r = 0; r < SL_REFUSAL_COUNT; r++)
        total += sl_node_refusal_count(f->node, (enum sl_refusal)r);
    return total;
}

void nf_expect_refused(const struct node_fixture *f, enum sl_refusal reason, uint64_t count)
{
    sl_assert_str(nf_refused(f, "reason"), sl_refusal_name(reason));
    sl_assert_u64(sl_node_refusal_count(f->node, reason), count);
    sl_assert_u64(f->out.count, 1);
}

/* ---- the shell ---- */

static void queue_put(struct node_fixture *f, struct nf_pending p)
{
    assert_true(f->queue_count < NF_QUEUE_MAX);
    f->queue[(f->queue_head + f->queue_count++) % NF_QUEUE_MAX] = p;
}

static void shell_send(struct node_fixture *f, const struct sl_out_send *send)
{
    if (send->type == SL_MSG_MAINTAINER_HEARTBEAT_REQUEST)
        f->statuses++;
    if (send->to != sl_members_self(sl_node_members(f->node)) || send->topic == SL_TOPIC_CO)
        return;
    struct sl_envelope e = nf_envelope("n1", send->type, &send->payload, 1);
    e.topic = sl_str_of(sl_topic_text(send->topic));
    size_t size = sl_envelope_size(&e);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    sl_envelope_encode(&e, bytes);
    queue_put(f, (struct nf_pending){ { .kind = SL_IN_MESSAGE, .u.message = { bytes, size } }, bytes });
}

static void shell_command(struct node_fixture *f, const struct sl_command *c)
{
    static const enum sl_report_kind answers[] = {
        [SL_COMMAND_OPEN_FEED] = SL_REPORT_FEED_OPENED,
        [SL_COMMAND_CLOSE_FEED] = SL_REPORT_FEED_CLOSED,
        [SL_COMMAND_OPEN] = SL_REPORT_READY,
        [SL_COMMAND_CLOSE] = SL_REPORT_CLOSED,
    };
    if (c->verb == SL_COMMAND_FENCE_FEED)
        return;
    f->opened += c->verb == SL_COMMAND_OPEN;
    struct sl_report r = { .kind = answers[c->verb], .feed = c->feed, .dispatcher = c->dispatcher };
    r.checkpoint = r.resolved = c->start_ts;
    r.follows = true;
    queue_put(f, (struct nf_pending){ { .kind = SL_IN_REPORT, .u.report = r }, NULL });
}

static void shell_schema(struct node_fixture *f, const struct sl_out_schema_load *load)
{
    static const struct sl_table tables[NF_TABLES] = { { .table_id = 1, .schema_id = 1 },
                                                       { .table_id = 2, .schema_id = 1 },
                                                       { .table_id = 3, .schema_id = 1 },
                                                       { .table_id = 4, .schema_id = 1 } };
    struct sl_in_schema s = { load->feed, load->request, SL_OK, tables, NF_TABLES };
    queue_put(f, (struct nf_pending){ { .kind = SL_IN_SCHEMA, .u.schema = s }, NULL });
}

static void shell_perform(struct node_fixture *f)
{
    for (uint32_t i = 0; i < f->out.count; i++) {
        const struct sl_output *o = &f->out.items[i];
        f->digest = f->digest * 31 + (uint64_t)o->kind;
        if (o->kind == SL_OUT_SEND) {
            shell_send(f, &o->u.send);
            for (size_t k = 0; k < o->u.send.payload.len; k++)
                f->digest = f->digest * 31 + o->u.send.payload.ptr[k];
        } else if (o->kind == SL_OUT_COMMAND) {
            shell_command(f, &o->u.command);
        } else if (o->kind == SL_OUT_SCHEMA_LOAD) {
            shell_schema(f, &o->u.schema_load);
        }
    }
}

void nf_shell_run(struct node_fixture *f, sl_ns until)
{
    shell_perform(f);
    for (;;) {
        while (f->queue_count > 0) {
            struct nf_pending p = f->queue[f->queue_head++ % NF_QUEUE_MAX];
            f->queue_count--;
            nf_step(f, &p.input);
            free(p.bytes);
            shell_perform(f);
        }
        sl_ns deadline = sl_node_deadline(f->node);
        if (deadline > until)
            break;
        f->now = deadline > f->now ? deadline : f->now;
        nf_step(f, &(struct sl_input){ .kind = SL_IN_TICK });
        shell_perform(f);
    }
    f->now = until;
}

struct sl_maintainer_stats nf_stats(struct node_fixture *f)
{
    struct sl_feed_id id = mf_feed(1);
    struct sl_maintainer_stats s;
    sl_maintainer_stats(sl_manager_find(sl_node_manager(f->node), &id), &s);
    return s;
}

void nf_setup_running(struct node_fixture *f, const char *config)
{
    nf_setup_alone(f);
    nf_bootstrap(f, 1);
    nf_send_add(f, f->coordinator, 1, 100, config);
    sl_assert_str(nf_refused(f, "reason"), "-");
    nf_shell_run(f, f->now + 2 * SL_S);
    sl_assert_u64(nf_stats(f).replicating, NF_TABLES);
}
