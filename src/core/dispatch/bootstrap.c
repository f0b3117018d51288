/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/dm.h"

#include "base/check.h"
#include "wire/feed_config.h"

/*
 * A maintainer takes a feed over: it learns what runs here and owns it from now on. The sink is opened by the data
 * plane, so the answer to the first request waits for it; requests that arrive meanwhile only move the ownership, and
 * the owner of that moment gets the one answer.
 */

/* ---- the table trigger ---- */

/* Whether a request that wants this trigger (or none) fits to the one that is there. */
static enum sl_code trigger_check(const struct sl_orchestrator *o, const struct sl_dm *dm,
                                  const struct sl_trigger *wanted)
{
    bool wants_none = sl_dispatcher_id_is_none(wanted->id);
    if (dm->trigger_handle == 0) {
        bool is_taken = !wants_none && sl__dm_find_dispatcher(o, dm, wanted->id) != 0;
        return is_taken ? SL_BUSY : SL_OK;
    }
    const struct sl_dispatcher *trigger = sl__dm_trigger(o, dm);
    if (!trigger)
        return wants_none ? SL_OK : SL_BUSY;
    return sl_dispatcher_id_eq(trigger->id, wanted->id) ? SL_OK : SL_EXISTS;
}

/* Makes the wanted trigger if it is missing. A STOPPING node makes none (D7). */
static enum sl_code trigger_open(struct sl_orchestrator *o, struct sl_dm *dm, const struct sl_trigger *wanted,
                                 uint64_t epoch, struct sl_outbox *out)
{
    if (sl_dispatcher_id_is_none(wanted->id) || dm->trigger_handle != 0 || o->liveness == SL_LIVENESS_STOPPING)
        return SL_OK;
    struct sl_command command = {
        .id = wanted->id,
        .start_ts = wanted->start_ts,
        .span = { .keyspace_id = wanted->keyspace_id },
        .placement = { .maintainer_epoch = epoch },
        .is_table_trigger = true,
    };
    enum sl_code code = sl__dm_open_dispatcher(o, dm, &command, out);
    if (code == SL_OK)
        dm->trigger = *wanted;
    return code;
}

/* ---- requests ---- */

struct bootstrap {
    sl_node_ref from;
    const struct sl_feed_id *feed;
    uint64_t epoch;
    struct sl_trigger trigger;
    struct sl_secret config, source;
};

static void bootstrap_refuse(struct sl_orchestrator *o, const struct bootstrap *b, enum sl_code code,
                             struct sl_outbox *out)
{
    sl__bootstrap_respond_error(o, b->feed, b->from, b->epoch, sl_code_name(code), sl_code_text(code), out);
}

static enum sl_refusal bootstrap_no_room(struct sl_orchestrator *o, const struct bootstrap *b, struct sl_outbox *out)
{
    bool is_full = o->dms.count >= o->dms.count_max;
    bootstrap_refuse(o, b, is_full ? SL_LIMIT : SL_NOMEM, out);
    return SL_REFUSE_OUT_OF_MEMORY;
}

static void bootstrap_hollow(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    sl_tombstones_forget(&o->tombstones, &dm->feed);
    if (dm->owner.node != SL_NODE_NONE)
        sl__bootstrap_respond(o, dm, out);
    sl__dm_finish(o, dm, out);
}

static enum sl_refusal bootstrap_new(struct sl_orchestrator *o, const struct bootstrap *b, struct sl_outbox *out)
{
    if (sl_tombstones_refuse(&o->tombstones, b->feed, b->epoch))
        return SL_REFUSE_STALE_VERSION;
    bool is_hollow = o->liveness == SL_LIVENESS_STOPPING;
    struct sl_bootstrap_config config;
    if (!is_hollow && sl_bootstrap_config_parse(&config, b->config, o->opts.config_bytes_max) != SL_REFUSE_NONE) {
        bootstrap_refuse(o, b, SL_BAD_CONFIG, out);
        return SL_REFUSE_BAD_CONFIG;
    }
    struct sl_dm *dm = sl__dm_new(o, b->feed, is_hollow ? SL_DM_HOLLOW : SL_DM_OPENING);
    if (!dm)
        return bootstrap_no_room(o, b, out);
    struct sl_command command = { .verb = SL_COMMAND_OPEN_FEED,
                                  .feed = sl__dm_token(dm),
                                  .feed_id = b->feed,
                                  .config = b->config,
                                  .source = b->source };
    if (!is_hollow && !sl_out_command(out, &command)) {
        sl__dm_free(o, dm);
        return bootstrap_no_room(o, b, out);
    }
    sl__dm_take(o, dm, b->from, b->epoch, out);
    if (is_hollow)
        bootstrap_hollow(o, dm, out);
    else
        dm->trigger = b->trigger;
    return SL_REFUSE_NONE;
}

/* What can fail comes before the owner changes. */
static enum sl_refusal bootstrap_open(struct sl_orchestrator *o, struct sl_dm *dm, const struct bootstrap *b,
                                      struct sl_outbox *out)
{
    enum sl_code code = trigger_check(o, dm, &b->trigger);
    if (code == SL_OK)
        code = trigger_open(o, dm, &b->trigger, b->epoch, out);
    if (code != SL_OK) {
        bootstrap_refuse(o, b, code, out);
        return code == SL_NOMEM || code == SL_LIMIT ? SL_REFUSE_OUT_OF_MEMORY : SL_REFUSE_NONE;
    }
    sl__dm_take(o, dm, b->from, b->epoch, out);
    sl__bootstrap_respond(o, dm, out);
    sl__dm_finish(o, dm, out);
    return SL_REFUSE_NONE;
}

static enum sl_refusal bootstrap_known(struct sl_orchestrator *o, struct sl_dm *dm, const struct bootstrap *b,
                                       struct sl_outbox *out)
{
    enum sl_refusal refusal = sl__dm_may_become(o, dm, b->from, b->epoch);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    switch ((enum sl_dm_state)dm->state) {
    case SL_DM_OPENING: /* answered when the sink is there */
        sl__dm_take(o, dm, b->from, b->epoch, out);
        dm->trigger = b->trigger;
        return SL_REFUSE_NONE;
    case SL_DM_OPEN:
        return bootstrap_open(o, dm, b, out);
    case SL_DM_HOLLOW:
        sl__dm_take(o, dm, b->from, b->epoch, out);
        sl__bootstrap_respond(o, dm, out);
        return SL_REFUSE_NONE;
    case SL_DM_CLOSING: /* adopting it would lose it again in a moment */
        sl__bootstrap_respond_error(o, b->feed, b->from, b->epoch, sl_code_name(SL_BUSY), "closing, retry", out);
        return SL_REFUSE_NONE;
    case SL_DM_FENCED:
    case SL_DM_STATE_COUNT:
        break;
    }
    SL_UNREACHABLE();
}

enum sl_refusal sl__on_bootstrap(struct sl_orchestrator *o, sl_node_ref from, const struct sl_feed_id *feed,
                                 const Pb__MaintainerBootstrapRequest *request, struct sl_outbox *out)
{
    struct bootstrap b = {
        .from = from,
        .feed = feed,
        .epoch = request->maintainer_epoch,
        .trigger = { sl_dispatcher_id_of(request->table_trigger_id), request->start_ts, request->keyspace_id },
        .config = sl_secret_of((struct sl_bytes){ request->config.data, request->config.len }),
        .source = sl_source_uri_of(request->source_uri),
    };
    if (!sl_dispatcher_id_is_none(b.trigger.id) && b.trigger.start_ts == SL_TS_NONE)
        return SL_REFUSE_ZERO_CHECKPOINT;
    struct sl_dm *dm = sl__dm_find(o, feed);
    return dm ? bootstrap_known(o, dm, &b, out) : bootstrap_new(o, &b, out);
}

static enum sl_code post_bootstrap_check(const struct sl_orchestrator *o, const struct sl_dm *dm,
                                         struct sl_dispatcher_id id)
{
    switch ((enum sl_dm_state)dm->state) {
    case SL_DM_OPENING:
        return SL_NOT_READY;
    case SL_DM_OPEN: {
        const struct sl_dispatcher *trigger = sl__dm_trigger(o, dm);
        bool has_none = !trigger && o->liveness == SL_LIVENESS_STOPPING;
        return has_none || (trigger && sl_dispatcher_id_eq(trigger->id, id)) ? SL_OK : SL_NOT_FOUND;
    }
    case SL_DM_HOLLOW:
        return SL_OK;
    case SL_DM_CLOSING:
        return SL_BUSY;
    case SL_DM_FENCED:
    case SL_DM_STATE_COUNT:
        break;
    }
    SL_UNREACHABLE();
}

enum sl_refusal sl__on_post_bootstrap(struct sl_orchestrator *o, sl_node_ref from, const struct sl_feed_id *feed,
                                      const Pb__MaintainerPostBootstrapRequest *request, struct sl_outbox *out)
{
    const struct sl_dm *dm = sl__dm_find(o, feed);
    if (!dm)
        return SL_REFUSE_UNKNOWN_FEED;
    enum sl_refusal refusal = sl__dm_may_use(dm, from, request->maintainer_epoch);
    if (refusal != SL_REFUSE_NONE)
        return refusal;
    enum sl_code code = post_bootstrap_check(o, dm, sl_dispatcher_id_of(request->table_trigger_id));
    Pb__ChangefeedID feed_pb = sl_feed_id_pb(feed);
    bool has_reason = code == SL_NOT_FOUND && dm->has_error; /* the trigger has failed since: what of is worth more */
    Pb__RunningError error = has_reason ? sl__error_pb(o, dm->error.code, dm->error.text)
                                        : sl__error_pb(o, sl_code_name(code), sl_code_text(code));
    Pb__MaintainerPostBootstrapResponse response = PB__MAINTAINER_POST_BOOTSTRAP_RESPONSE__INIT;
    response.changefeed = &feed_pb;
    response.table_trigger_id = request->table_trigger_id;
    response.maintainer_epoch = request->maintainer_epoch;
    response.err = code == SL_OK ? NULL : &error;
    (void)sl_out_send(out, from, SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, &response.base);
    return SL_REFUSE_NONE;
}

/* ---- the sink is there, or not ---- */

void sl__on_feed_opened(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    dm->was_open = true; /* also when it is being closed already: then only FEED_CLOSED ends it */
    if (dm->state != SL_DM_OPENING)
        return;
    if (o->liveness == SL_LIVENESS_STOPPING) { /* the node began to stop meanwhile: give the sink back */
        sl_out_command(out, &(struct sl_command){ .verb = SL_COMMAND_CLOSE_FEED, .feed = sl__dm_token(dm) });
        sl__dm_go(dm, SL_DM_HOLLOW);
        bootstrap_hollow(o, dm, out);
        return;
    }
    sl__dm_go(dm, SL_DM_OPEN);
    sl_tombstones_forget(&o->tombstones, &dm->feed);
    sl_out_event(out, SL_EV_FEED_OPENED, sl_f_str("feed", sl_feed_id_name(&dm->feed)),
                 sl_f_u64("epoch", dm->owner.epoch), sl_f_str("owner", sl_node_id_str(&dm->owner.id)));
    if (dm->owner.node == SL_NODE_NONE)
        return;
    struct sl_trigger wanted = dm->trigger;
    enum sl_code code = trigger_open(o, dm, &wanted, dm->owner.epoch, out);
    if (code == SL_OK)
        sl__bootstrap_respond(o, dm, out);
    else
        sl__bootstrap_respond_error(o, &dm->feed, dm->owner.node, dm->owner.epoch, sl_code_name(code),
                                    sl_code_text(code), out);
    sl__dm_finish(o, dm, out);
}

static void bootstrap_failed(struct sl_orchestrator *o, struct sl_dm *dm, const struct sl_report *report,
                             struct sl_outbox *out)
{
    if (o->liveness == SL_LIVENESS_STOPPING) {
        sl__dm_go(dm, SL_DM_HOLLOW);
        bootstrap_hollow(o, dm, out);
        return;
    }
    sl__dm_set_error(o, dm, report->code, report->text);
    if (dm->owner.node != SL_NODE_NONE)
        sl__bootstrap_respond_error(o, &dm->feed, dm->owner.node, dm->owner.epoch, dm->error.code, dm->error.text, out);
    sl__dm_free(o, dm);
}

void sl__on_feed_failed(struct sl_orchestrator *o, struct sl_dm *dm, const struct sl_report *report,
                        struct sl_outbox *out)
{
    switch ((enum sl_dm_state)dm->state) {
    case SL_DM_OPENING:
        bootstrap_failed(o, dm, report, out);
        return;
    case SL_DM_OPEN:
        sl__dm_set_error(o, dm, report->code, report->text);
        sl__dm_finish(o, dm, out);
        return;
    case SL_DM_CLOSING: /* it was closed before it opened: there is nothing left to close */
        if (!dm->was_open)
            sl__on_feed_closed(o, dm, out);
        return;
    case SL_DM_HOLLOW:
    case SL_DM_FENCED:
    case SL_DM_STATE_COUNT:
        return;
    }
}
