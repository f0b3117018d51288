/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/block.h"

#include "base/check.h"

/*
 * Statuses to the owner. One message serves all that is due: what changed, the periodic watermark, an error. The full
 * list goes beside it, one message per turn, so that a step's output stays bounded however many dispatchers there are.
 *
 * What was not sent stays due: a stopped dispatcher is forgotten only when its Stopped status found room in the outbox.
 */
struct status_item {
    Pb__TableSpanStatus status;
    Pb__DispatcherID id;
};

_Static_assert(sizeof(struct status_item) + sizeof(void *) <= SL_DISPATCH_SCRATCH_BYTES_PER_DISPATCHER,
               "one status fits into its share");

struct status_batch {
    struct status_item *items;
    Pb__TableSpanStatus **list;
    uint32_t count;
};

/* False without memory. */
static bool batch_begin(struct sl_orchestrator *o, struct status_batch *batch, uint32_t count_max)
{
    sl_arena_reset(&o->scratch);
    batch->count = 0;
    batch->items = sl_arena_alloc(&o->scratch, count_max * sizeof *batch->items);
    batch->list = sl_arena_alloc(&o->scratch, count_max * sizeof(Pb__TableSpanStatus *));
    return batch->items && batch->list;
}

static void status_fill(struct status_item *item, struct sl_dispatcher_id id, Pb__ComponentState state,
                        sl_ts checkpoint, uint64_t placement_seq)
{
    pb__table_span_status__init(&item->status);
    item->id = sl_dispatcher_id_pb(id);
    item->status.id = &item->id;
    item->status.state = state;
    item->status.checkpoint_ts = checkpoint;
    item->status.placement_seq = placement_seq;
}

static void batch_add(struct status_batch *batch, const struct sl_dm *dm, const struct sl_dispatcher *d)
{
    struct status_item *item = &batch->items[batch->count];
    status_fill(item, d->id, sl__dispatcher_state_pb((enum sl_dispatcher_state)d->state), sl__dm_checkpoint_of(dm, d),
                d->placement_seq);
    batch->list[batch->count++] = &item->status;
}

static void watermark_fill(Pb__Watermark *pb, struct sl_watermark mark)
{
    pb__watermark__init(pb);
    pb->checkpoint_ts = mark.checkpoint;
    pb->resolved_ts = mark.resolved;
    pb->seq = mark.seq;
}

/* Without a DM there is no incarnation: nothing is said of dispatchers. */
static void heartbeat_sign(const struct sl_orchestrator *o, const struct sl_dm *dm, Pb__HeartBeatRequest *heartbeat,
                           uint64_t epoch)
{
    heartbeat->incarnation = dm ? sl__dm_incarnation(o, dm) : 0;
    heartbeat->node_liveness = sl_liveness_pb(o->liveness);
    heartbeat->capabilities = SL_DISPATCH_CAPABILITIES;
    heartbeat->maintainer_epoch = epoch;
}

Pb__RunningError sl__error_pb(const struct sl_orchestrator *o, const char *code, const char *text)
{
    const struct sl_node_id *self = sl_members_id(o->opts.members, sl_members_self(o->opts.members));
    Pb__RunningError error = PB__RUNNING_ERROR__INIT;
    /* protobuf-c has no const for strings; encoding only reads them. */
    error.node = (char *)self->text;
    error.code = (char *)code;
    error.message = (char *)text;
    return error;
}

static bool heartbeat_send(struct sl_orchestrator *o, struct sl_dm *dm, const struct status_batch *batch,
                           bool is_complete, struct sl_outbox *out)
{
    struct sl_watermark mark = sl__dm_watermark(o, dm);
    SL_REQUIRE(mark.seq > dm->sent.seq || mark.checkpoint >= dm->sent.checkpoint); /* D5, D6 */
    Pb__ChangefeedID feed = sl_feed_id_pb(&dm->feed);
    Pb__Watermark watermark;
    watermark_fill(&watermark, mark);
    Pb__RunningError error = sl__error_pb(o, dm->error.code, dm->error.text);
    bool tells_error = dm->has_error && o->now >= dm->error_at;

    Pb__HeartBeatRequest heartbeat = PB__HEART_BEAT_REQUEST__INIT;
    heartbeat_sign(o, dm, &heartbeat, dm->owner.epoch);
    heartbeat.changefeed = &feed;
    heartbeat.lag_ms = sl__dm_lag_ms(o, dm);
    heartbeat.copy_tables = dm->copy.tables;
    heartbeat.copy_rows = dm->copy.rows;
    heartbeat.copy_rows_about = dm->copy.rows_about;
    heartbeat.watermark = &watermark;
    heartbeat.n_statuses = batch->count;
    heartbeat.statuses = batch->list;
    heartbeat.complete_status = is_complete;
    heartbeat.err = tells_error ? &error : NULL;
    if (!sl_out_send(out, dm->owner.node, SL_MSG_HEART_BEAT_REQUEST, &heartbeat.base))
        return false;
    dm->sent = mark;
    if (tells_error)
        dm->error_at = sl_ns_after(o->now, o->opts.error_resend_ns);
    return true;
}

/* One message with what changed, the oldest change first. The watermark still counts those that end with it. */
static bool heartbeat_flush(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    uint32_t count = sl_u32_min(dm->changed.count, o->opts.statuses_per_message);
    struct status_batch batch;
    if (!batch_begin(o, &batch, count))
        return false;
    uint32_t handle = dm->changed.head;
    while (batch.count < count) {
        const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
        batch_add(&batch, dm, d);
        handle = d->link.next;
    }
    if (!heartbeat_send(o, dm, &batch, false, out))
        return false;
    for (uint32_t i = 0; i < count; i++)
        sl__dispatcher_settle(o, dm, dm->changed.head);
    return true;
}

static bool heartbeat_is_due(const struct sl_orchestrator *o, const struct sl_dm *dm)
{
    bool begins_sweep = !dm->sweeping && o->now >= dm->sweep_at && dm->changed.count > 0;
    return o->now >= dm->heartbeat_at || (dm->has_error && o->now >= dm->error_at) || begins_sweep ||
           (dm->changed.count > 0 && (o->now >= dm->status_at || dm->changed.count >= o->opts.statuses_per_message));
}

/* A DM that never had a dispatcher sends no periodic ones: whoever wanted this one is served. */
static void heartbeat_next(const struct sl_orchestrator *o, struct sl_dm *dm)
{
    if (o->now >= dm->heartbeat_at)
        dm->heartbeat_at = dm->sweep_at == SL_NEVER ? SL_NEVER : sl_ns_after(o->now, o->opts.heartbeat_ns);
    dm->status_at = o->now; /* what is left after a full message follows in the next turn */
}

static void heartbeat_postpone(const struct sl_orchestrator *o, struct sl_dm *dm)
{
    sl_ns retry = sl_ns_after(o->now, o->opts.status_batch_ns);
    dm->status_at = retry;
    if (o->now >= dm->heartbeat_at)
        dm->heartbeat_at = retry;
    if (dm->has_error && o->now >= dm->error_at)
        dm->error_at = retry;
}

/*
 * The next message of the full list: looks at so many dispatchers as fit into one. Those that open are left out, as in
 * the reference: a maintainer learns of them when they work. Who changes meanwhile may be reported twice, but nobody is
 * missed.
 */
static void sweep_turn(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    if (!dm->sweeping) {
        dm->sweeping = true;
        dm->sweep_next = dm->quiet.head;
    }
    struct status_batch batch;
    uint32_t looked_at = 0, handle = dm->sweep_next;
    bool ok = batch_begin(o, &batch, sl_u32_min(dm->quiet.count, o->opts.statuses_per_message));
    while (ok && handle != 0 && looked_at < o->opts.statuses_per_message) {
        const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
        if (d->state != SL_DISPATCHER_OPENING)
            batch_add(&batch, dm, d);
        handle = d->link.next;
        looked_at++;
    }
    if (!ok || !heartbeat_send(o, dm, &batch, handle == 0, out)) {
        dm->sweep_at = sl_ns_after(o->now, o->opts.status_batch_ns);
        return;
    }
    dm->sweep_next = handle;
    dm->sweeping = handle != 0;
    dm->sweep_at = dm->sweeping ? o->now : sl_ns_after(o->now, o->opts.full_status_ns);
}

void sl__dm_run(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    SL_REQUIRE(dm->state == SL_DM_OPEN && dm->owner.node != SL_NODE_NONE);
    if (heartbeat_is_due(o, dm)) {
        if (heartbeat_flush(o, dm, out))
            heartbeat_next(o, dm);
        else
            heartbeat_postpone(o, dm);
    }
    if (o->now >= dm->sweep_at)
        sweep_turn(o, dm, out);
    sl__blocks_run(o, dm, out);
    sl__dm_arm(o, dm);
}

void sl__dm_finish(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    bool is_full = dm->changed.count >= o->opts.statuses_per_message;
    if (is_full && dm->state == SL_DM_OPEN && dm->owner.node != SL_NODE_NONE)
        sl__dm_run(o, dm, out);
    sl__dm_arm(o, dm);
    sl__dm_check(o, dm);
}

void sl__dm_answer(struct sl_orchestrator *o, struct sl_dm *dm, const struct sl_answer *answer, struct sl_outbox *out)
{
    struct status_item item;
    status_fill(&item, answer->id, answer->state, answer->checkpoint, answer->placement_seq);
    Pb__TableSpanStatus *list = &item.status;
    Pb__ChangefeedID feed = sl_feed_id_pb(answer->feed);
    Pb__Watermark watermark;
    /* Only an open DM may say anything of "all dispatchers here": the asker may believe that some run. */
    bool speaks = dm && dm->state == SL_DM_OPEN;
    if (speaks)
        watermark_fill(&watermark, sl__dm_watermark(o, dm));

    Pb__HeartBeatRequest heartbeat = PB__HEART_BEAT_REQUEST__INIT;
    heartbeat_sign(o, dm, &heartbeat, answer->epoch);
    heartbeat.changefeed = &feed;
    heartbeat.watermark = speaks ? &watermark : NULL;
    heartbeat.n_statuses = 1;
    heartbeat.statuses = &list;
    (void)sl_out_send(out, answer->to, SL_MSG_HEART_BEAT_REQUEST, &heartbeat.base);
}
