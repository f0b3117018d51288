/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/manager_fixture.h"

#include "core/common/mem_tags.h"
#include "tests/support/sl_test.h"
#include "wire/feed_config.h"

#include <stdio.h>
#include <string.h>

enum { OUT_COUNT = 4096, OUT_BYTES = 4 << 20, DECODED_BYTES = 64 << 20, NODES_MAX = 8 };

static struct sl_node_id mf_node(const char *name)
{
    struct sl_node_id id;
    assert_true(sl_node_id_set(&id, sl_str_of(name)));
    return id;
}

void mf_init(struct manager_fixture *f)
{
    struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    memset(f, 0, sizeof *f);
    sl_mem_init(&f->mem, &mem_opts);
    sl_mem_init(&f->out_mem, &mem_opts);
    sl_assert_i64(sl_outbox_init(&f->out, &f->out_mem, SL_TAG_OUTBOX, OUT_COUNT, OUT_BYTES), SL_OK);
    sl_arena_init(&f->decoded, &f->out_mem, SL_TAG_DECODE, DECODED_BYTES);
    struct sl_node_id self = mf_node("n1");
    const struct sl_members_change *change;
    struct sl_node_id all[] = { self, mf_node("n2"), mf_node("c1"), mf_node("c2") };
    sl_assert_i64(sl_members_new(&f->members, &f->mem, &self, NODES_MAX, 1), SL_OK);
    sl_assert_u64(sl_members_apply(f->members, all, 4, &change), 0);
    f->opts = (struct sl_manager_opts){ .mem = &f->mem,
                                        .members = f->members,
                                        .node_epoch = MF_NODE_EPOCH,
                                        .seed = 42,
                                        .feed_count_max = MF_FEEDS_MAX,
                                        .config_bytes_max = 1 << 16,
                                        .enforce_self_guard = true,
                                        .tick_ns = SL_MANAGER_TICK_NS,
                                        .heartbeat_ns = SL_MANAGER_HEARTBEAT_NS,
                                        .heartbeat_min_ns = SL_MANAGER_HEARTBEAT_MIN_NS,
                                        .status_resend_ns = SL_MANAGER_STATUS_RESEND_NS,
                                        .maintainer = SL_MAINTAINER_LIMITS_DEFAULT,
                                        .pacer = SL_PACER_OPTS_DEFAULT };
    f->now = 1 * SL_S;
}

void mf_start(struct manager_fixture *f)
{
    sl_assert_i64(sl_manager_new(&f->manager, &f->opts, f->now), SL_OK);
}

void mf_setup(struct manager_fixture *f)
{
    mf_init(f);
    mf_start(f);
    sl_assert_i64(mf_bootstrap(f, "c1", 1), SL_REFUSE_NONE);
}

void mf_teardown(struct manager_fixture *f)
{
    sl_manager_free(f->manager);
    sl_members_free(f->members);
    sl_arena_deinit(&f->decoded);
    sl_outbox_deinit(&f->out);
    sl_mem_deinit(&f->out_mem);
    sl_mem_deinit(&f->mem);
}

sl_node_ref mf_ref(const struct manager_fixture *f, const char *node)
{
    sl_node_ref ref = sl_members_find_str(f->members, sl_str_of(node));
    assert_true(ref != SL_NODE_NONE);
    return ref;
}

/* ---- inputs ---- */

enum sl_refusal mf_message(struct manager_fixture *f, const char *from, enum sl_msg_type type,
                           const ProtobufCMessage *message)
{
    sl_outbox_reset(&f->out);
    return sl_manager_on_message(f->manager, f->now, mf_ref(f, from), type, message, &f->hosted, &f->out);
}

enum sl_refusal mf_bootstrap(struct manager_fixture *f, const char *from, int64_t version)
{
    Pb__CoordinatorBootstrapRequest req = PB__COORDINATOR_BOOTSTRAP_REQUEST__INIT;
    req.version = version;
    return mf_message(f, from, SL_MSG_COORDINATOR_BOOTSTRAP_REQUEST, &req.base);
}

enum sl_refusal mf_target(struct manager_fixture *f, const char *from, const char *node, uint64_t epoch)
{
    char text[SL_NODE_ID_MAX + 1];
    Pb__SetDispatcherDrainTargetRequest req = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    snprintf(text, sizeof text, "%s", node);
    req.target_node_id = text;
    req.target_epoch = epoch;
    return mf_message(f, from, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &req.base);
}

struct sl_drain_target mf_target_of(const char *node, uint64_t epoch)
{
    struct sl_drain_target target = { .epoch = epoch };
    assert_true(sl_node_id_set(&target.node, sl_str_of(node)));
    return target;
}

enum sl_refusal mf_targets(struct manager_fixture *f, const char *from, uint64_t version,
                           const struct sl_drain_target *targets, uint32_t count)
{
    Pb__SetDispatcherDrainTargetRequest req = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    Pb__DrainTarget items[SL_TARGETS_MAX + 1], *list[SL_TARGETS_MAX + 1];
    assert_true(count <= SL_TARGETS_MAX + 1);
    for (uint32_t i = 0; i < count; i++) {
        pb__drain_target__init(&items[i]);
        items[i].node_id = (char *)targets[i].node.text;
        items[i].epoch = targets[i].epoch;
        list[i] = &items[i];
    }
    req.target_epoch = version;
    req.has_target_set = true;
    req.n_targets = count;
    req.targets = list;
    return mf_message(f, from, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &req.base);
}

static enum sl_refusal fixture_liveness(struct manager_fixture *f, const char *from, Pb__NodeLiveness target,
                                        uint64_t node_epoch, bool undrain, bool stop)
{
    Pb__SetNodeLivenessRequest req = PB__SET_NODE_LIVENESS_REQUEST__INIT;
    req.target = target;
    req.node_epoch = node_epoch;
    req.undrain = undrain;
    req.stop = stop;
    return mf_message(f, from, SL_MSG_SET_NODE_LIVENESS_REQUEST, &req.base);
}

enum sl_refusal mf_liveness(struct manager_fixture *f, const char *from, Pb__NodeLiveness target, uint64_t node_epoch)
{
    return fixture_liveness(f, from, target, node_epoch, false, false);
}

enum sl_refusal mf_undrain(struct manager_fixture *f, const char *from, Pb__NodeLiveness target, uint64_t node_epoch)
{
    return fixture_liveness(f, from, target, node_epoch, true, false);
}

enum sl_refusal mf_stop(struct manager_fixture *f, const char *from, Pb__NodeLiveness target, uint64_t node_epoch)
{
    return fixture_liveness(f, from, target, node_epoch, false, true);
}

struct sl_feed_id mf_feed(uint32_t feed)
{
    struct sl_feed_id id = { .high = 7, .low = feed };
    int len = snprintf(id.name, sizeof id.name, "feed-%u", (unsigned)feed);
    id.name_len = (uint8_t)len;
    id.keyspace_len = 7;
    memcpy(id.keyspace, "default", 7);
    return id;
}

const char *mf_config(uint32_t feed)
{
    static char text[1024];
    snprintf(text, sizeof text,
             "{\"id\":{\"id\":{\"low\":%u,\"high\":7},\"display\":{\"name\":\"feed-%u\",\"keyspace\":\"default\"}},"
             "\"sink-uri\":\"mysql://root:" MF_PASSWORD "@db:3306/\",\"start-ts\":100,\"target-ts\":0,"
             "\"config\":{\"filter\":{\"rules\":[\"*.*\"]},\"sink\":{},\"consistent\":{\"level\":\"none\"},"
             "\"scheduler\":{\"enable-table-across-nodes\":false}},\"state\":\"normal\",\"epoch\":3}",
             (unsigned)feed, (unsigned)feed);
    return text;
}

enum sl_refusal mf_add_config(struct manager_fixture *f, const char *from, uint32_t feed, uint64_t epoch,
                              sl_ts checkpoint, const char *config)
{
    struct sl_feed_id id = mf_feed(feed);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__AddMaintainerRequest req = PB__ADD_MAINTAINER_REQUEST__INIT;
    uint8_t bytes[1024];
    size_t len = strlen(config);
    assert_true(len <= sizeof bytes);
    memcpy(bytes, config, len);
    req.changefeed = &changefeed;
    req.config.data = bytes;
    req.config.len = len;
    req.checkpoint_ts = checkpoint;
    req.maintainer_epoch = epoch;
    req.node_epoch = f->add_node_epoch;
    return mf_message(f, from, SL_MSG_ADD_MAINTAINER_REQUEST, &req.base);
}

enum sl_refusal mf_add(struct manager_fixture *f, const char *from, uint32_t feed, uint64_t epoch, sl_ts checkpoint)
{
    return mf_add_config(f, from, feed, epoch, checkpoint, mf_config(feed));
}

enum sl_refusal mf_remove(struct manager_fixture *f, const char *from, uint32_t feed, uint64_t epoch, bool cascade,
                          bool removed)
{
    struct sl_feed_id id = mf_feed(feed);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__RemoveMaintainerRequest req = PB__REMOVE_MAINTAINER_REQUEST__INIT;
    req.changefeed = &changefeed;
    req.cascade = cascade;
    req.removed = removed;
    req.maintainer_epoch = epoch;
    return mf_message(f, from, SL_MSG_REMOVE_MAINTAINER_REQUEST, &req.base);
}

enum sl_refusal mf_close_response(struct manager_fixture *f, const char *from, uint32_t feed, uint64_t epoch)
{
    struct sl_feed_id id = mf_feed(feed);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__MaintainerCloseResponse response = PB__MAINTAINER_CLOSE_RESPONSE__INIT;
    response.changefeed = &changefeed;
    response.success = true;
    response.maintainer_epoch = epoch;
    response.outcome = PB__CLOSE_OUTCOME__CLOSED;
    return mf_message(f, from, SL_MSG_MAINTAINER_CLOSE_RESPONSE, &response.base);
}

void mf_close(struct manager_fixture *f, uint32_t feed, uint64_t epoch)
{
    sl_assert_i64(mf_remove(f, "c1", feed, epoch, true, true), SL_REFUSE_NONE);
    for (sl_node_ref ref = sl_members_next(f->members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(f->members, ref))
        sl_assert_i64(mf_close_response(f, sl_members_id(f->members, ref)->text, feed, epoch), SL_REFUSE_NONE);
    assert_true(sl_maintainer_is_closed(mf_find(f, feed)));
}

void mf_tick(struct manager_fixture *f, sl_ns passed)
{
    f->now += passed;
    sl_outbox_reset(&f->out);
    sl_manager_on_tick(f->manager, f->now, &f->hosted, &f->out);
}

void mf_members(struct manager_fixture *f, const char *const *names, uint32_t count)
{
    struct sl_node_id ids[NODES_MAX];
    const struct sl_members_change *change;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = mf_node(names[i]);
    sl_outbox_reset(&f->out);
    sl_assert_u64(sl_members_apply(f->members, ids, count, &change), 0);
    sl_manager_on_members(f->manager, f->now, change, &f->out);
}

/* ---- state and outputs ---- */

struct sl_maintainer *mf_find(struct manager_fixture *f, uint32_t feed)
{
    struct sl_feed_id id = mf_feed(feed);
    return sl_manager_find(f->manager, &id);
}

uint32_t mf_sent_count(const struct manager_fixture *f, enum sl_msg_type type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->out.count; i++)
        count += f->out.items[i].kind == SL_OUT_SEND && f->out.items[i].u.send.type == type;
    return count;
}

const struct sl_output *mf_output(const struct manager_fixture *f, enum sl_msg_type type, uint32_t nth)
{
    for (uint32_t i = 0; i < f->out.count; i++) {
        const struct sl_output *o = &f->out.items[i];
        if (o->kind == SL_OUT_SEND && o->u.send.type == type && nth-- == 0)
            return o;
    }
    fail_msg("no such message was sent");
    return NULL;
}

const void *mf_sent(struct manager_fixture *f, enum sl_msg_type type, uint32_t nth)
{
    const ProtobufCMessage *message = NULL;
    const struct sl_output *o = mf_output(f, type, nth);
    sl_assert_i64(sl_payload_decode(type, o->u.send.payload, &SL_WIRE_LIMITS_DEFAULT, &f->decoded, &message),
                  SL_REFUSE_NONE);
    return message;
}

uint32_t mf_event_count(const struct manager_fixture *f, enum sl_event_id id)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->out.count; i++)
        count += f->out.items[i].kind == SL_OUT_EVENT && f->out.items[i].u.event.id == id;
    return count;
}

const Pb__MaintainerStatus *mf_status(struct manager_fixture *f, uint32_t feed)
{
    const Pb__MaintainerStatus *found = NULL;
    for (uint32_t i = 0; i < mf_sent_count(f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST); i++) {
        const Pb__MaintainerHeartbeat *message = mf_sent(f, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, i);
        for (size_t k = 0; k < message->n_statuses; k++) {
            if (message->statuses[k]->changefeed->low != feed)
                continue;
            assert_null(found);
            found = message->statuses[k];
        }
    }
    return found;
}

static bool mf_bytes_hold(struct sl_bytes bytes, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= bytes.len; i++) {
        if (memcmp(bytes.ptr + i, text, len) == 0)
            return true;
    }
    return false;
}

bool mf_out_holds(const struct sl_outbox *out, const char *text)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct sl_output *o = &out->items[i];
        if (o->kind == SL_OUT_SEND && mf_bytes_hold(o->u.send.payload, text))
            return true;
        if (o->kind != SL_OUT_EVENT)
            continue;
        char line[4096];
        struct sl_text t;
        sl_text_init(&t, line, sizeof line);
        sl_event_format(&t, &o->u.event);
        if (mf_bytes_hold((struct sl_bytes){ (const uint8_t *)line, t.len }, text))
            return true;
    }
    return false;
}
