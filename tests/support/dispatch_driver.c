/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dispatch_driver.h"

#include <stdio.h>
#include <string.h>

#define DRIVER_FEED_HIGH 7u
#define DRIVER_DISPATCHER_HIGH 9u
#define DRIVER_NODES_MAX 8u

struct sl_orchestrator_opts dispatch_opts(void)
{
    struct sl_orchestrator_opts opts = SL_ORCHESTRATOR_OPTS_DEFAULT;
    opts.dispatcher_count_max = 1000;
    opts.feed_count_max = 200;
    opts.seed = 0x5eed;
    return opts;
}

static struct sl_node_id node_id_of(const char *text)
{
    struct sl_node_id id;
    SL_REQUIRE(sl_node_id_set(&id, sl_str_of(text)));
    return id;
}

void dispatch_start(struct dispatch_driver *d, const struct sl_orchestrator_opts *opts)
{
    *d = (struct dispatch_driver){
        .now = SL_S,
        .placement_seq = 1,
        .capabilities = SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME,
        .remove_type = PB__OPERATOR_TYPE__O_REMOVE,
        .config = SL_STR("{\"filter\":{},\"sink_config\":{},\"consistent\":{}}"),
    };
    struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct sl_node_id self = node_id_of("n1");
    sl_mem_init(&d->mem, &mem_opts);
    assert_int_equal(sl_members_new(&d->members, &d->mem, &self, DRIVER_NODES_MAX, 1), SL_OK);
    assert_int_equal(sl_outbox_init(&d->out, &d->mem, SL_TAG_OUTBOX, 1024, 16u << 20), SL_OK);
    sl_arena_init(&d->decode, &d->mem, SL_TAG_DECODE, 64u << 20);
    struct sl_orchestrator_opts filled = opts ? *opts : dispatch_opts();
    filled.mem = &d->mem;
    filled.members = d->members;
    assert_int_equal(sl_orchestrator_new(&d->o, &filled, d->now), SL_OK);
    dispatch_members(d, (const char *const[]){ "n2", "n3" }, 2);
}

void dispatch_stop(struct dispatch_driver *d)
{
    sl_orchestrator_free(d->o);
    sl_outbox_deinit(&d->out);
    sl_arena_deinit(&d->decode);
    sl_members_free(d->members);
    sl_mem_deinit(&d->mem);
}

/* ---- steps ---- */

static void step_begin(struct dispatch_driver *d)
{
    sl_outbox_reset(&d->out);
    sl_arena_reset(&d->decode);
}

static void step_end(struct dispatch_driver *d)
{
    if (!d->skips_audit)
        dispatch_audit(d->o);
    assert_true(d->out.command_count <= SL_OUTBOX_COMMANDS_MAX);
}

void dispatch_message(struct dispatch_driver *d, sl_node_ref from, enum sl_msg_type type,
                      const ProtobufCMessage *message)
{
    step_begin(d);
    d->refusal = sl_orchestrator_on_message(d->o, d->now, from, type, message, &d->out);
    step_end(d);
}

Pb__ChangefeedID dispatch_feed_pb(struct dispatch_driver *d, uint32_t feed)
{
    Pb__ChangefeedID id = PB__CHANGEFEED_ID__INIT;
    snprintf(d->feed_name, sizeof d->feed_name, "f%u", feed);
    id.high = DRIVER_FEED_HIGH;
    id.low = feed;
    id.name = d->feed_name;
    id.keyspace = (char *)"default";
    return id;
}

static Pb__DispatcherID dispatcher_pb(uint64_t id)
{
    return sl_dispatcher_id_pb((struct sl_dispatcher_id){ id != 0 ? DRIVER_DISPATCHER_HIGH : 0, id });
}

void dispatch_bootstrap(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch, uint64_t trigger,
                        sl_ts start_ts)
{
    Pb__MaintainerBootstrapRequest request = PB__MAINTAINER_BOOTSTRAP_REQUEST__INIT;
    Pb__ChangefeedID feed_pb = dispatch_feed_pb(d, feed);
    Pb__DispatcherID trigger_pb = dispatcher_pb(trigger);
    request.changefeed = &feed_pb;
    request.config = (ProtobufCBinaryData){ d->config.len, (uint8_t *)(uintptr_t)d->config.ptr };
    request.start_ts = start_ts;
    request.table_trigger_id = trigger != 0 ? &trigger_pb : NULL;
    request.maintainer_epoch = epoch;
    if (d->source)
        request.source_uri = (char *)(uintptr_t)d->source;
    dispatch_message(d, from, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST, &request.base);
}

void dispatch_post_bootstrap(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch,
                             uint64_t trigger)
{
    Pb__MaintainerPostBootstrapRequest request = PB__MAINTAINER_POST_BOOTSTRAP_REQUEST__INIT;
    Pb__ChangefeedID feed_pb = dispatch_feed_pb(d, feed);
    Pb__DispatcherID trigger_pb = dispatcher_pb(trigger);
    request.changefeed = &feed_pb;
    request.table_trigger_id = &trigger_pb;
    request.maintainer_epoch = epoch;
    dispatch_message(d, from, SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST, &request.base);
}

static void schedule(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch,
                     Pb__DispatcherConfig *config, Pb__ScheduleAction action)
{
    Pb__ScheduleDispatcherRequest request = PB__SCHEDULE_DISPATCHER_REQUEST__INIT;
    Pb__ChangefeedID feed_pb = dispatch_feed_pb(d, feed);
    request.changefeed = &feed_pb;
    request.config = config;
    request.action = action;
    request.operator_type = action == PB__SCHEDULE_ACTION__CREATE ? PB__OPERATOR_TYPE__O_ADD : d->remove_type;
    request.maintainer_epoch = epoch;
    request.placement_seq = d->placement_seq;
    dispatch_message(d, from, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
}

void dispatch_create(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch, uint64_t id,
                     sl_ts start_ts)
{
    Pb__DispatcherConfig config = PB__DISPATCHER_CONFIG__INIT;
    Pb__DispatcherID id_pb = dispatcher_pb(id);
    Pb__TableSpan span = PB__TABLE_SPAN__INIT;
    span.table_id = (int64_t)id;
    config.dispatcher_id = &id_pb;
    config.span = &span;
    config.start_ts = start_ts;
    config.schema_id = 5;
    schedule(d, from, feed, epoch, &config, PB__SCHEDULE_ACTION__CREATE);
}

void dispatch_remove(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch, uint64_t id)
{
    Pb__DispatcherConfig config = PB__DISPATCHER_CONFIG__INIT;
    Pb__DispatcherID id_pb = dispatcher_pb(id);
    config.dispatcher_id = &id_pb;
    schedule(d, from, feed, epoch, &config, PB__SCHEDULE_ACTION__REMOVE);
}

void dispatch_close(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch, bool removed)
{
    Pb__MaintainerCloseRequest request = PB__MAINTAINER_CLOSE_REQUEST__INIT;
    Pb__ChangefeedID feed_pb = dispatch_feed_pb(d, feed);
    request.changefeed = &feed_pb;
    request.removed = removed;
    request.maintainer_epoch = epoch;
    request.capabilities = d->capabilities;
    dispatch_message(d, from, SL_MSG_MAINTAINER_CLOSE_REQUEST, &request.base);
}

static void report(struct dispatch_driver *d, const struct sl_report *report)
{
    step_begin(d);
    sl_orchestrator_on_report(d->o, d->now, report, &d->out);
    step_end(d);
}

void dispatch_report_feed(struct dispatch_driver *d, enum sl_report_kind kind, sl_feed_token feed, sl_ts checkpoint)
{
    report(d, &(struct sl_report){ .kind = kind,
                                   .feed = feed,
                                   .checkpoint = checkpoint,
                                   .resolved = checkpoint,
                                   .code = SL_STR("SINK"),
                                   .text = SL_STR("sink is away") });
}

void dispatch_report(struct dispatch_driver *d, enum sl_report_kind kind, sl_dispatcher_token dispatcher,
                     sl_ts checkpoint, bool follows)
{
    report(d, &(struct sl_report){ .kind = kind,
                                   .dispatcher = dispatcher,
                                   .checkpoint = checkpoint,
                                   .resolved = checkpoint,
                                   .follows = follows,
                                   .code = SL_STR("ROW"),
                                   .text = SL_STR("row does not fit") });
}

void dispatch_report_refused(struct dispatch_driver *d, sl_dispatcher_token dispatcher, sl_ts checkpoint)
{
    report(d, &(struct sl_report){ .kind = SL_REPORT_FAILED,
                                   .dispatcher = dispatcher,
                                   .checkpoint = checkpoint,
                                   .text = SL_STR("a larger placement owns the span at the sink") });
}

void dispatch_members(struct dispatch_driver *d, const char *const *ids, uint32_t count)
{
    struct sl_node_id nodes[DRIVER_NODES_MAX];
    const struct sl_members_change *change = NULL;
    assert_true(count <= DRIVER_NODES_MAX);
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = node_id_of(ids[i]);
    assert_int_equal(sl_members_apply(d->members, nodes, count, &change), 0);
    step_begin(d);
    sl_orchestrator_on_members(d->o, d->now, change, &d->out);
    step_end(d);
}

void dispatch_liveness(struct dispatch_driver *d, enum sl_liveness liveness)
{
    step_begin(d);
    sl_orchestrator_set_liveness(d->o, d->now, liveness, &d->out);
    step_end(d);
}

void dispatch_fence(struct dispatch_driver *d)
{
    step_begin(d);
    sl_orchestrator_fence(d->o, &d->out);
    step_end(d);
}

void dispatch_tick(struct dispatch_driver *d, sl_ns delay)
{
    d->now += delay;
    step_begin(d);
    sl_orchestrator_on_tick(d->o, d->now, &d->out);
    step_end(d);
}

void dispatch_tick_due(struct dispatch_driver *d)
{
    sl_ns at = sl_orchestrator_deadline(d->o);
    assert_true(at < d->now + 3600 * SL_S);
    dispatch_tick(d, at > d->now ? at - d->now : 0);
}

sl_feed_token dispatch_open_feed(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch)
{
    dispatch_bootstrap(d, from, feed, epoch, 0, 1);
    const struct sl_command *command = dispatch_command(d, SL_COMMAND_OPEN_FEED, 0);
    assert_non_null(command);
    sl_feed_token token = command->feed;
    dispatch_report_feed(d, SL_REPORT_FEED_OPENED, token, 0);
    return token;
}

sl_dispatcher_token dispatch_open(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch,
                                  uint64_t id, sl_ts start_ts, bool follows)
{
    dispatch_create(d, from, feed, epoch, id, start_ts);
    const struct sl_command *command = dispatch_command(d, SL_COMMAND_OPEN, 0);
    assert_non_null(command);
    sl_dispatcher_token token = command->dispatcher;
    dispatch_report(d, SL_REPORT_READY, token, start_ts, follows);
    dispatch_tick(d, 2 * SL_MS);
    return token;
}

/* ---- what a step put out ---- */

static const struct sl_out_send *sent_at(const struct dispatch_driver *d, enum sl_msg_type type, uint32_t index)
{
    for (uint32_t i = 0; i < d->out.count; i++) {
        const struct sl_output *item = &d->out.items[i];
        if (item->kind == SL_OUT_SEND && item->u.send.type == type && index-- == 0)
            return &item->u.send;
    }
    return NULL;
}

uint32_t dispatch_sent_count(const struct dispatch_driver *d, enum sl_msg_type type)
{
    uint32_t count = 0;
    while (sent_at(d, type, count))
        count++;
    return count;
}

sl_node_ref dispatch_sent_to(const struct dispatch_driver *d, enum sl_msg_type type, uint32_t index)
{
    const struct sl_out_send *send = sent_at(d, type, index);
    return send ? send->to : SL_NODE_NONE;
}

const void *dispatch_sent(struct dispatch_driver *d, enum sl_msg_type type, uint32_t index)
{
    const struct sl_out_send *send = sent_at(d, type, index);
    if (!send)
        return NULL;
    const struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    const ProtobufCMessage *message = NULL;
    assert_int_equal(sl_payload_decode(type, send->payload, &limits, &d->decode, &message), SL_REFUSE_NONE);
    return message;
}

const struct sl_command *dispatch_command(const struct dispatch_driver *d, enum sl_command_verb verb, uint32_t index)
{
    for (uint32_t i = 0; i < d->out.count; i++) {
        const struct sl_output *item = &d->out.items[i];
        if (item->kind == SL_OUT_COMMAND && item->u.command.verb == verb && index-- == 0)
            return &item->u.command;
    }
    return NULL;
}

uint32_t dispatch_command_count(const struct dispatch_driver *d, enum sl_command_verb verb)
{
    uint32_t count = 0;
    while (dispatch_command(d, verb, count))
        count++;
    return count;
}

uint32_t dispatch_event_count(const struct dispatch_driver *d, enum sl_event_id id)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->out.count; i++)
        count += d->out.items[i].kind == SL_OUT_EVENT && d->out.items[i].u.event.id == id;
    return count;
}

const Pb__TableSpanStatus *dispatch_status(struct dispatch_driver *d, uint64_t id)
{
    const Pb__TableSpanStatus *found = NULL;
    uint32_t count = dispatch_sent_count(d, SL_MSG_HEART_BEAT_REQUEST);
    for (uint32_t i = 0; i < count; i++) {
        const Pb__HeartBeatRequest *heartbeat = dispatch_sent(d, SL_MSG_HEART_BEAT_REQUEST, i);
        for (size_t k = 0; k < heartbeat->n_statuses; k++) {
            if (heartbeat->statuses[k]->id->low == id)
                found = heartbeat->statuses[k];
        }
    }
    return found;
}

uint32_t dispatch_output_count(const struct dispatch_driver *d)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->out.count; i++)
        count += d->out.items[i].kind != SL_OUT_EVENT;
    return count;
}

/* ---- all invariants ---- */

/* What the naive way of keeping a minimum would give. */
struct audit {
    uint32_t count, changed_count, lagging_count, hosted_count;
    sl_ts checkpoint;
    bool met_trigger, met_sweep;
};

static void audit_dispatcher(const struct sl_orchestrator *o, const struct sl_dm *dm, uint32_t handle, struct audit *a)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    SL_REQUIRE(d->dm == dm->handle && d->state < SL_DISPATCHER_STATE_COUNT);
    SL_REQUIRE(sl__dm_find_dispatcher(o, dm, d->id) == handle); /* D2: nobody else has its id */
    if (d->lagging_position != SL_HEAP_NOWHERE) {
        const struct sl_heap_item *item = &dm->lagging.items[d->lagging_position];
        SL_REQUIRE(d->lagging_position < dm->lagging.count && item->value == handle && item->key == d->checkpoint);
        a->lagging_count++;
    } else {
        SL_REQUIRE(d->follows && d->state == SL_DISPATCHER_WORKING && d->checkpoint <= dm->progress);
    }
    SL_REQUIRE(d->state != SL_DISPATCHER_CLOSED || d->is_changed); /* it waits for nothing but its status */
    a->count++;
    a->changed_count += d->is_changed;
    a->hosted_count += sl__dispatcher_is_hosted(d);
    a->checkpoint = sl_ts_min(a->checkpoint, sl__dm_checkpoint_of(dm, d));
    a->met_trigger = a->met_trigger || handle == dm->trigger_handle;
    a->met_sweep = a->met_sweep || (handle == dm->sweep_next && !d->is_changed);
}

static void audit_dm(struct sl_orchestrator *o, struct sl_dm *dm, struct audit *all)
{
    struct audit a = { .checkpoint = SL_TS_MAX };
    uint32_t handle = 0;
    SL_REQUIRE(sl__dm_find(o, &dm->feed) == dm);
    SL_REQUIRE(o->due.items[dm->due_position].value == dm->handle);
    while ((handle = sl__dm_next_dispatcher(o, dm, handle)) != 0)
        audit_dispatcher(o, dm, handle, &a);
    SL_REQUIRE(a.count == sl__dm_dispatcher_count(dm) && a.changed_count == dm->changed.count);
    SL_REQUIRE(a.lagging_count == dm->lagging.count);
    SL_REQUIRE(a.met_trigger == (dm->trigger_handle != 0) && a.met_sweep == (dm->sweep_next != 0));
    SL_REQUIRE(sl__dm_watermark(o, dm).checkpoint == a.checkpoint); /* D6 */
    sl__dm_check(o, dm);
    all->count += a.count;
    all->hosted_count += a.hosted_count;
}

void dispatch_audit(struct sl_orchestrator *o)
{
    struct audit all = { 0 };
    uint32_t handle = 0;
    while ((handle = sl_slab_next(&o->dms, handle)) != 0)
        audit_dm(o, sl_slab_at(&o->dms, handle), &all);
    SL_REQUIRE(all.count == o->dispatchers.count && all.count == o->dispatcher_index.count);
    SL_REQUIRE(all.hosted_count == o->hosted_count);
    SL_REQUIRE(o->due.count == o->dms.count && o->feed_index.count == o->dms.count);
}
