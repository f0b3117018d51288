/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/dm.h"

#include "base/check.h"

/*
 * Create and Remove. Every request of the owner is answered: by the READY or CLOSED that it leads to, or at once with
 * the state that holds. Removed means "not here and will not be", so the maintainer places the span elsewhere; Stopped
 * with checkpoint 0 means "was not here".
 */
struct schedule {
    sl_node_ref from;
    const struct sl_feed_id *feed;
    const Pb__ScheduleDispatcherRequest *request;
    struct sl_dispatcher_id id;
};

/*
 * About an id that is no dispatcher here, and after this answer never will be in this placement: its Create may still be
 * on the way, in a stream that broke.
 */
static void schedule_answer_absent(struct sl_orchestrator *o, struct sl_dm *dm, const struct schedule *s,
                                   struct sl_outbox *out)
{
    bool is_create = s->request->action == PB__SCHEDULE_ACTION__CREATE;
    struct sl_answer answer = {
        .feed = s->feed,
        .to = s->from,
        .epoch = s->request->maintainer_epoch,
        .id = s->id,
        .state = is_create ? PB__COMPONENT_STATE__REMOVED : PB__COMPONENT_STATE__STOPPED,
        .placement_seq = s->request->placement_seq,
    };
    sl__floors_put(&o->floors, s->id, s->request->maintainer_epoch, s->request->placement_seq);
    sl__dm_answer(o, dm, &answer, out);
}

/* About a dispatcher that exists: with the next statuses, or at once where there will be none. */
static void schedule_answer_state(struct sl_orchestrator *o, struct sl_dm *dm, const struct schedule *s,
                                  uint32_t handle, struct sl_outbox *out)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    if (dm->state == SL_DM_OPEN) {
        sl__dispatcher_touch(o, dm, handle);
        sl__dm_finish(o, dm, out);
        return;
    }
    struct sl_answer answer = {
        .feed = s->feed,
        .to = s->from,
        .epoch = s->request->maintainer_epoch,
        .id = s->id,
        .state = sl__dispatcher_state_pb((enum sl_dispatcher_state)d->state),
        .checkpoint = sl__dm_checkpoint_of(dm, d),
        .placement_seq = d->placement_seq,
    };
    sl__dm_answer(o, dm, &answer, out);
}

static struct sl_span_key span_of(const Pb__TableSpan *pb)
{
    return (struct sl_span_key){
        .table_id = pb->table_id,
        .keyspace_id = pb->keyspace_id,
        .start_key = { pb->start_key.data, pb->start_key.len },
        .end_key = { pb->end_key.data, pb->end_key.len },
    };
}

static enum sl_code schedule_open(struct sl_orchestrator *o, struct sl_dm *dm, const struct schedule *s,
                                  struct sl_outbox *out)
{
    const Pb__DispatcherConfig *config = s->request->config;
    struct sl_command command = {
        .id = s->id,
        .span = span_of(config->span),
        .placement = { s->request->maintainer_epoch, s->request->placement_seq },
        .start_ts = config->start_ts,
        .schema_id = config->schema_id,
        .skip_dml_at_start_ts = config->skip_dml_as_start_ts,
        .schema_name = sl_str_of(s->request->schema_name),
        .table_name = sl_str_of(s->request->table_name),
    };
    return sl__dm_open_dispatcher(o, dm, &command, out);
}

/* A Create of a later placement, where an earlier one has failed: its maintainer knows, and wants to try again here. */
static bool schedule_is_successor(const struct sl_dispatcher *d, const Pb__ScheduleDispatcherRequest *request)
{
    return d->state == SL_DISPATCHER_FAILED && request->placement_seq > d->placement_seq;
}

/* Of a placement that is over: it was overtaken by the Create of the present one, in a stream that broke. */
static bool schedule_is_old(const struct sl_dispatcher *d, const Pb__ScheduleDispatcherRequest *request)
{
    return request->placement_seq != 0 && request->placement_seq < d->placement_seq;
}

static enum sl_refusal schedule_create(struct sl_orchestrator *o, struct sl_dm *dm, const struct schedule *s,
                                       struct sl_outbox *out)
{
    uint32_t handle = sl__dm_find_dispatcher(o, dm, s->id);
    if (handle != 0 && schedule_is_successor(sl__dispatcher_at(o, handle), s->request)) {
        sl__dispatcher_go(o, dm, handle, SL_DISPATCHER_CLOSED, out);
        sl__dispatcher_settle(o, dm, handle);
        handle = 0;
    }
    if (handle != 0) { /* D3 */
        schedule_answer_state(o, dm, s, handle, out);
        return SL_REFUSE_NONE;
    }
    bool is_over = sl__floors_refuse(&o->floors, s->id, s->request->maintainer_epoch, s->request->placement_seq);
    bool takes_work = !is_over && dm->state == SL_DM_OPEN && o->liveness != SL_LIVENESS_STOPPING;
    enum sl_code code = takes_work ? schedule_open(o, dm, s, out) : SL_NOT_READY;
    if (code != SL_OK)
        schedule_answer_absent(o, dm, s, out);
    sl__dm_finish(o, dm, out);
    return code == SL_NOMEM || code == SL_LIMIT ? SL_REFUSE_OUT_OF_MEMORY : SL_REFUSE_NONE;
}

/* It does not follow any more: its last progress may be older than the feed's next one. */
static void schedule_begin_close(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, struct sl_outbox *out)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    sl_out_command(out, &(struct sl_command){ .verb = SL_COMMAND_CLOSE,
                                              .feed = sl__dm_token(dm),
                                              .dispatcher = sl__dispatcher_token(d, handle),
                                              .id = d->id });
    sl__dispatcher_advance(o, dm, handle, d->checkpoint, false);
    sl__dispatcher_go(o, dm, handle, SL_DISPATCHER_CLOSING, out);
}

static void schedule_remove(struct sl_orchestrator *o, struct sl_dm *dm, const struct schedule *s,
                            struct sl_outbox *out)
{
    uint32_t handle = sl__dm_find_dispatcher(o, dm, s->id);
    if (handle == 0) {
        schedule_answer_absent(o, dm, s, out);
        return;
    }
    struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    bool is_old = schedule_is_old(d, s->request);
    if (d->state == SL_DISPATCHER_FAILED && dm->state == SL_DM_OPEN && !is_old)
        sl__dispatcher_dismiss(o, dm, handle, out);
    if (dm->state != SL_DM_OPEN || !sl__dispatcher_is_hosted(d) || is_old) {
        schedule_answer_state(o, dm, s, handle, out);
        return;
    }
    /* The journal entry is the newest request's: one of an owner before is replaced. */
    d->remove_type = (uint8_t)s->request->operator_type;
    d->request_epoch = s->request->maintainer_epoch;
    if (d->state == SL_DISPATCHER_CLOSING) {
        schedule_answer_state(o, dm, s, handle, out);
        return;
    }
    schedule_begin_close(o, dm, handle, out);
    sl__dm_finish(o, dm, out);
}

/* What no node can do anything with, whoever asks. */
static enum sl_refusal schedule_check(const Pb__ScheduleDispatcherRequest *request)
{
    const Pb__DispatcherConfig *config = request->config;
    if (!config || sl_dispatcher_id_is_none(sl_dispatcher_id_of(config->dispatcher_id)))
        return SL_REFUSE_BAD_ID;
    if (config->mode != 0) /* only the default pipeline exists */
        return SL_REFUSE_NOT_HANDLED;
    if (request->action != PB__SCHEDULE_ACTION__CREATE)
        return SL_REFUSE_NONE;
    if (!config->span)
        return SL_REFUSE_MISSING_FIELD;
    return config->start_ts == SL_TS_NONE ? SL_REFUSE_ZERO_CHECKPOINT : SL_REFUSE_NONE;
}

enum sl_refusal sl__on_schedule(struct sl_orchestrator *o, sl_node_ref from, const struct sl_feed_id *feed,
                                const Pb__ScheduleDispatcherRequest *request, struct sl_outbox *out)
{
    enum sl_refusal refusal = schedule_check(request);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    struct schedule s = { from, feed, request, sl_dispatcher_id_of(request->config->dispatcher_id) };
    struct sl_dm *dm = sl__dm_find(o, feed);
    if (!dm) { /* a maintainer that believes to own something here learns better */
        schedule_answer_absent(o, NULL, &s, out);
        return SL_REFUSE_UNKNOWN_FEED;
    }
    refusal = sl__dm_may_use(dm, from, request->maintainer_epoch);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    if (request->action == PB__SCHEDULE_ACTION__CREATE)
        return schedule_create(o, dm, &s, out);
    schedule_remove(o, dm, &s, out);
    return SL_REFUSE_NONE;
}
