/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/dm.h"

/*
 * The journal of the protocol (requests begun and not ended) needs no storage of its own here: a Create is done when it
 * returns, and a Remove is a dispatcher in state CLOSING, which knows the epoch and the kind of the request. So an
 * entry is reported exactly while its dispatcher is in the same answer, whoever asked for it.
 */
struct span_item {
    Pb__BootstrapTableSpan span;
    Pb__DispatcherID id;
    Pb__TableSpan table;
};

struct journal_item {
    Pb__ScheduleDispatcherRequest request;
    Pb__DispatcherConfig config;
};

struct snapshot {
    struct span_item *items;
    struct journal_item *journal_items;
    Pb__BootstrapTableSpan **spans;
    Pb__ScheduleDispatcherRequest **journal;
    uint32_t span_count, journal_count;
};

_Static_assert(sizeof(struct span_item) + sizeof(struct journal_item) + 2 * sizeof(void *) <=
                   SL_DISPATCH_SCRATCH_BYTES_PER_DISPATCHER,
               "a full node fits into one answer");

static ProtobufCBinaryData key_pb(struct sl_bytes key)
{
    return (ProtobufCBinaryData){ .len = key.len, .data = (uint8_t *)(uintptr_t)key.ptr };
}

static struct span_item *snapshot_add_span(struct snapshot *s, const struct sl_dm *dm, const struct sl_dispatcher *d)
{
    struct span_item *item = &s->items[s->span_count];
    struct sl_span_key key = sl__dispatcher_span(d);
    item->id = sl_dispatcher_id_pb(d->id);
    pb__table_span__init(&item->table);
    item->table.table_id = key.table_id;
    item->table.keyspace_id = key.keyspace_id;
    item->table.start_key = key_pb(key.start_key);
    item->table.end_key = key_pb(key.end_key);
    pb__bootstrap_table_span__init(&item->span);
    item->span.id = &item->id;
    item->span.span = &item->table;
    item->span.schema_id = d->schema_id;
    item->span.state = sl__dispatcher_state_pb((enum sl_dispatcher_state)d->state);
    item->span.checkpoint_ts = sl__dm_checkpoint_of(dm, d);
    item->span.placement_seq = d->placement_seq;
    s->spans[s->span_count++] = &item->span;
    return item;
}

static void snapshot_add_remove(struct snapshot *s, Pb__ChangefeedID *feed, struct span_item *of,
                                const struct sl_dispatcher *d)
{
    struct journal_item *item = &s->journal_items[s->journal_count];
    pb__dispatcher_config__init(&item->config);
    item->config.dispatcher_id = &of->id;
    item->config.span = &of->table;
    item->config.start_ts = of->span.checkpoint_ts;
    item->config.schema_id = d->schema_id;
    pb__schedule_dispatcher_request__init(&item->request);
    item->request.changefeed = feed;
    item->request.config = &item->config;
    item->request.action = PB__SCHEDULE_ACTION__REMOVE;
    item->request.operator_type = (Pb__OperatorType)d->remove_type;
    item->request.maintainer_epoch = d->request_epoch;
    item->request.placement_seq = d->placement_seq;
    s->journal[s->journal_count++] = &item->request;
}

static bool snapshot_alloc(struct sl_orchestrator *o, struct snapshot *s, uint32_t count)
{
    *s = (struct snapshot){ 0 };
    sl_arena_reset(&o->scratch);
    s->items = sl_arena_alloc(&o->scratch, count * sizeof *s->items);
    s->journal_items = sl_arena_alloc(&o->scratch, count * sizeof *s->journal_items);
    s->spans = sl_arena_alloc(&o->scratch, count * sizeof(Pb__BootstrapTableSpan *));
    s->journal = sl_arena_alloc(&o->scratch, count * sizeof(Pb__ScheduleDispatcherRequest *));
    return s->items && s->journal_items && s->spans && s->journal;
}

/* What may still write, and what has failed. One that was removed is reported by its Stopped status alone. False without
 * memory. */
static bool snapshot_fill(struct sl_orchestrator *o, struct snapshot *s, const struct sl_dm *dm, Pb__ChangefeedID *feed)
{
    if (!snapshot_alloc(o, s, sl__dm_dispatcher_count(dm)))
        return false;
    uint32_t handle = 0;
    while ((handle = sl__dm_next_dispatcher(o, dm, handle)) != 0) {
        const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
        if (d->state == SL_DISPATCHER_CLOSED)
            continue;
        struct span_item *item = snapshot_add_span(s, dm, d);
        if (d->state == SL_DISPATCHER_CLOSING)
            snapshot_add_remove(s, feed, item, d);
    }
    return true;
}

static void response_sign(const struct sl_orchestrator *o, Pb__MaintainerBootstrapResponse *response, uint64_t epoch)
{
    response->maintainer_epoch = epoch;
    response->capabilities = SL_DISPATCH_CAPABILITIES;
    response->node_liveness = sl_liveness_pb(o->liveness);
    response->protocol_version = SL_PROTOCOL_VERSION;
}

const struct sl_dispatcher *sl__dm_trigger(const struct sl_orchestrator *o, const struct sl_dm *dm)
{
    const struct sl_dispatcher *d = dm->trigger_handle != 0 ? sl__dispatcher_at(o, dm->trigger_handle) : NULL;
    return d && d->state != SL_DISPATCHER_CLOSING ? d : NULL;
}

static bool snapshot_send(struct sl_orchestrator *o, const struct sl_dm *dm, const struct snapshot *s,
                          Pb__ChangefeedID *feed, struct sl_outbox *out)
{
    Pb__MaintainerBootstrapResponse response = PB__MAINTAINER_BOOTSTRAP_RESPONSE__INIT;
    response_sign(o, &response, dm->owner.epoch);
    response.incarnation = sl__dm_incarnation(o, dm);
    response.changefeed = feed;
    response.n_spans = s->span_count;
    response.spans = s->spans;
    response.n_operators = s->journal_count;
    response.operators = s->journal;
    response.checkpoint_ts = sl__dm_trigger(o, dm) ? dm->trigger.start_ts : 0;
    return sl_out_send(out, dm->owner.node, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, &response.base);
}

void sl__bootstrap_respond_error(struct sl_orchestrator *o, const struct sl_feed_id *feed_id, sl_node_ref to,
                                 uint64_t epoch, const char *code, const char *text, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(feed_id);
    Pb__RunningError error = sl__error_pb(o, code, text);
    Pb__MaintainerBootstrapResponse response = PB__MAINTAINER_BOOTSTRAP_RESPONSE__INIT;
    response_sign(o, &response, epoch);
    response.changefeed = &feed;
    response.err = &error;
    (void)sl_out_send(out, to, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, &response.base);
}

void sl__bootstrap_respond(struct sl_orchestrator *o, const struct sl_dm *dm, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(&dm->feed);
    struct snapshot s;
    enum sl_code code = snapshot_fill(o, &s, dm, &feed) ? SL_OK : SL_NOMEM;
    if (code == SL_OK && !snapshot_send(o, dm, &s, &feed, out))
        code = SL_LIMIT;
    if (code != SL_OK)
        sl__bootstrap_respond_error(o, &dm->feed, dm->owner.node, dm->owner.epoch, sl_code_name(code),
                                    sl_code_text(code), out);
}
