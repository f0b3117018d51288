/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/orchestrator.h"

#include "base/check.h"
#include "core/common/mem_tags.h"
#include "core/dispatch/block.h"

#define ORCHESTRATOR_TURNS_PER_STEP 16u /* DMs served per tick; the rest is due at once again */
#define ORCHESTRATOR_FENCES_PER_STEP (SL_OUTBOX_COMMANDS_MAX / 2)
#define ORCHESTRATOR_SCRATCH_BYTES_MIN 65536u

static size_t scratch_bytes_max(const struct sl_orchestrator_opts *opts)
{
    size_t items = (size_t)opts->dispatcher_count_max + opts->statuses_per_message;
    return ORCHESTRATOR_SCRATCH_BYTES_MIN + items * SL_DISPATCH_SCRATCH_BYTES_PER_DISPATCHER;
}

enum sl_code sl_orchestrator_new(struct sl_orchestrator **out, const struct sl_orchestrator_opts *opts, sl_ns now)
{
    SL_REQUIRE(opts->statuses_per_message > 0 && opts->status_batch_ns > 0);
    SL_REQUIRE(opts->heartbeat_ns > 0 && opts->full_status_ns > 0 && opts->error_resend_ns > 0);
    *out = NULL;
    struct sl_orchestrator *o = sl_mem_alloc(opts->mem, SL_TAG_ORCHESTRATOR, sizeof *o);
    if (!o)
        return SL_NOMEM;
    o->opts = *opts;
    o->now = now;
    o->liveness = SL_LIVENESS_ALIVE;
    sl__dms_init(o);
    sl__dispatchers_init(o);
    sl_tombstones_init(&o->tombstones, opts->mem, opts->tombstone_count_max, opts->seed);
    sl__floors_init(&o->floors, opts->mem, opts->floor_count_max, opts->seed);
    sl_arena_init(&o->scratch, opts->mem, SL_TAG_ORCHESTRATOR, scratch_bytes_max(opts));
    *out = o;
    return SL_OK;
}

void sl_orchestrator_free(struct sl_orchestrator *o)
{
    if (!o)
        return;
    sl__dms_deinit(o);
    sl__dispatchers_deinit(o);
    sl_tombstones_deinit(&o->tombstones);
    sl__floors_deinit(&o->floors);
    sl_arena_deinit(&o->scratch);
    sl_mem_free(o->opts.mem, SL_TAG_ORCHESTRATOR, o, sizeof *o);
}

static struct sl_dm *orchestrator_dm(const struct sl_orchestrator *o, uint32_t handle)
{
    return sl_slab_at(&o->dms, handle);
}

static void orchestrator_advance(struct sl_orchestrator *o, sl_ns now)
{
    SL_REQUIRE(now >= o->now);
    o->now = now;
}

/* ---- messages ---- */

struct address {
    const Pb__ChangefeedID *feed;
    uint64_t epoch;
};

/* Which feed a message is about and in whose name; false for types that are not handled here. */
static bool message_address(struct address *to, enum sl_msg_type type, const void *message)
{
    if (type == SL_MSG_HEART_BEAT_RESPONSE) {
        const Pb__HeartBeatResponse *m = message;
        *to = (struct address){ m->changefeed, m->maintainer_epoch };
    } else if (type == SL_MSG_SCHEDULE_DISPATCHER_REQUEST) {
        const Pb__ScheduleDispatcherRequest *m = message;
        *to = (struct address){ m->changefeed, m->maintainer_epoch };
    } else if (type == SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST) {
        const Pb__MaintainerBootstrapRequest *m = message;
        *to = (struct address){ m->changefeed, m->maintainer_epoch };
    } else if (type == SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST) {
        const Pb__MaintainerPostBootstrapRequest *m = message;
        *to = (struct address){ m->changefeed, m->maintainer_epoch };
    } else if (type == SL_MSG_MAINTAINER_CLOSE_REQUEST) {
        const Pb__MaintainerCloseRequest *m = message;
        *to = (struct address){ m->changefeed, m->maintainer_epoch };
    } else {
        return false;
    }
    return true;
}

static enum sl_refusal orchestrator_on_heartbeat_response(struct sl_orchestrator *o, sl_node_ref from,
                                                          const struct sl_feed_id *feed,
                                                          const Pb__HeartBeatResponse *response, struct sl_outbox *out)
{
    struct sl_dm *dm = sl__dm_find(o, feed);
    enum sl_refusal refusal = dm ? sl__dm_may_use(dm, from, response->maintainer_epoch) : SL_REFUSE_UNKNOWN_FEED;
    return refusal == SL_REFUSE_NONE ? sl__block_on_response(o, dm, response, out) : refusal;
}

enum sl_refusal sl_orchestrator_on_message(struct sl_orchestrator *o, sl_ns now, sl_node_ref from,
                                           enum sl_msg_type type, const ProtobufCMessage *message,
                                           struct sl_outbox *out)
{
    const void *payload = message;
    struct address to;
    struct sl_feed_id feed;
    orchestrator_advance(o, now);
    if (!message_address(&to, type, payload))
        return SL_REFUSE_NOT_HANDLED;
    if (!to.feed || !sl_feed_id_set(&feed, to.feed))
        return SL_REFUSE_BAD_ID;
    if (to.epoch == 0 && !o->opts.interop)
        return SL_REFUSE_ZERO_EPOCH;
    if (o->is_fenced)
        return SL_REFUSE_STOPPING;
    if (type == SL_MSG_SCHEDULE_DISPATCHER_REQUEST)
        return sl__on_schedule(o, from, &feed, payload, out);
    if (type == SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST)
        return sl__on_bootstrap(o, from, &feed, payload, out);
    if (type == SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST)
        return sl__on_post_bootstrap(o, from, &feed, payload, out);
    if (type == SL_MSG_MAINTAINER_CLOSE_REQUEST)
        return sl__on_close(o, from, &feed, payload, out);
    return orchestrator_on_heartbeat_response(o, from, &feed, payload, out);
}

/* ---- reports, membership, time ---- */

void sl_orchestrator_on_report(struct sl_orchestrator *o, sl_ns now, const struct sl_report *report,
                               struct sl_outbox *out)
{
    orchestrator_advance(o, now);
    if (!o->is_fenced || report->kind == SL_REPORT_HOSTED)
        sl__on_report(o, report, out);
}

/* The ref may go to another node from now on; the owner's id and epoch stay, so that nobody can take its place. */
static void dm_on_node_removed(struct sl_orchestrator *o, struct sl_dm *dm, sl_node_ref node)
{
    if (dm->closer.node == node)
        dm->closer.node = SL_NODE_NONE;
    if (dm->owner.node != node)
        return;
    dm->owner.node = SL_NODE_NONE;
    sl__dm_arm(o, dm);
}

void sl_orchestrator_on_members(struct sl_orchestrator *o, sl_ns now, const struct sl_members_change *change,
                                struct sl_outbox *out)
{
    (void)out;
    orchestrator_advance(o, now);
    uint32_t handle = 0;
    while (change->removed_count > 0 && (handle = sl_slab_next(&o->dms, handle)) != 0) {
        for (uint32_t i = 0; i < change->removed_count; i++)
            dm_on_node_removed(o, orchestrator_dm(o, handle), change->removed[i]);
    }
}

/* A part of the DMs per call, because a step has room for so many commands only. */
static void orchestrator_fence_some(struct sl_orchestrator *o, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < ORCHESTRATOR_FENCES_PER_STEP && o->is_fencing; i++) {
        uint32_t handle = sl_slab_next(&o->dms, o->fence_next);
        o->is_fencing = handle != 0;
        if (!o->is_fencing)
            return;
        o->fence_next = handle;
        struct sl_dm *dm = orchestrator_dm(o, handle);
        if (dm->state != SL_DM_HOLLOW) /* that has nothing to write with */
            sl_out_command(out, &(struct sl_command){ .verb = SL_COMMAND_FENCE_FEED, .feed = sl__dm_token(dm) });
        sl_out_event(out, SL_EV_FEED_FENCED, sl_f_str("feed", sl_feed_id_name(&dm->feed)),
                     sl_f_u64("epoch", dm->owner.epoch));
        sl__dm_go(dm, SL_DM_FENCED);
        sl__dm_arm(o, dm);
    }
}

void sl_orchestrator_on_checkpoint(struct sl_orchestrator *o, const struct sl_feed_id *feed, sl_ts checkpoint,
                                   struct sl_outbox *out)
{
    const struct sl_dm *dm = o->is_fenced ? NULL : sl__dm_find(o, feed);
    if (!dm || dm->state != SL_DM_OPEN || out->command_count >= SL_OUTBOX_COMMANDS_MAX)
        return;
    (void)sl_out_command(
        out,
        &(struct sl_command){ .verb = SL_COMMAND_TELL_CHECKPOINT, .feed = sl__dm_token(dm), .start_ts = checkpoint });
}

void sl_orchestrator_fence(struct sl_orchestrator *o, struct sl_outbox *out)
{
    if (o->is_fenced)
        return;
    o->is_fenced = o->is_fencing = true;
    orchestrator_fence_some(o, out);
}

void sl_orchestrator_on_tick(struct sl_orchestrator *o, sl_ns now, struct sl_outbox *out)
{
    orchestrator_advance(o, now);
    orchestrator_fence_some(o, out);
    for (uint32_t i = 0; i < ORCHESTRATOR_TURNS_PER_STEP && !o->is_fenced; i++) {
        const struct sl_heap_item *top = sl_heap_peek(&o->due);
        if (!top || top->key > (uint64_t)now || sl_outbox_room(out) == 0)
            return;
        struct sl_dm *dm = orchestrator_dm(o, top->value);
        sl__dm_run(o, dm, out);
        sl__dm_check(o, dm);
    }
}

sl_ns sl_orchestrator_deadline(const struct sl_orchestrator *o)
{
    if (o->is_fenced)
        return o->is_fencing ? o->now : SL_NEVER;
    const struct sl_heap_item *top = sl_heap_peek(&o->due);
    return top ? (sl_ns)top->key : SL_NEVER;
}

/* A maintainer must know soon that nothing may be placed here any more, so every owner hears of it with the next tick.
 */
void sl_orchestrator_set_liveness(struct sl_orchestrator *o, sl_ns now, enum sl_liveness liveness,
                                  struct sl_outbox *out)
{
    (void)out;
    orchestrator_advance(o, now);
    if (o->liveness == liveness)
        return;
    o->liveness = liveness;
    uint32_t handle = 0;
    while ((handle = sl_slab_next(&o->dms, handle)) != 0) {
        struct sl_dm *dm = orchestrator_dm(o, handle);
        dm->heartbeat_at = now;
        sl__dm_arm(o, dm);
    }
}

uint32_t sl_orchestrator_dispatcher_count(const struct sl_orchestrator *o)
{
    return o->hosted_count;
}

uint32_t sl_orchestrator_next(const struct sl_orchestrator *o, uint32_t after, struct sl_orchestrator_feed *feed)
{
    uint32_t handle = sl_slab_next(&o->dms, after);
    *feed = (struct sl_orchestrator_feed){ 0 };
    if (handle != 0) {
        const struct sl_dm *dm = sl_slab_at(&o->dms, handle);
        feed->feed = &dm->feed;
        feed->dispatchers = dm->quiet.count + dm->changed.count - (dm->trigger_handle != 0 ? 1 : 0);
    }
    return handle;
}

uint32_t sl_orchestrator_reader_count(const struct sl_orchestrator *o)
{
    return o->readers;
}

uint64_t sl_orchestrator_unflushed_rows(const struct sl_orchestrator *o)
{
    return o->unflushed_rows;
}

size_t sl_orchestrator_bytes(const struct sl_orchestrator *o)
{
    return o->opts.mem->tag_bytes[SL_TAG_ORCHESTRATOR] + o->opts.mem->tag_bytes[SL_TAG_DISPATCHERS];
}
