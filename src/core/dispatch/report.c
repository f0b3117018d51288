/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/block.h"

#include "base/check.h"

/*
 * What the data plane says. Reports may cross commands: an unknown token, and a report that does not fit the state any
 * more, change nothing.
 */

static void dispatch_note_age(const struct sl_orchestrator *o, struct sl_dm *dm, sl_ns age_ns)
{
    struct sl_dm_lag *lag = &dm->lag;
    if (o->now >= lag->turn_at) {
        bool is_next = o->now < sl_ns_after(lag->turn_at, SL_DM_LAG_WINDOW_NS);
        lag->before_ns = is_next ? lag->worst_ns : 0;
        lag->worst_ns = 0;
        lag->turn_at = sl_ns_after(o->now, SL_DM_LAG_WINDOW_NS);
    }
    lag->worst_ns = age_ns > lag->worst_ns ? age_ns : lag->worst_ns;
}

uint64_t sl__dm_lag_ms(const struct sl_orchestrator *o, const struct sl_dm *dm)
{
    const struct sl_dm_lag *lag = &dm->lag;
    sl_ns worst = lag->worst_ns;
    if (o->now >= sl_ns_after(lag->turn_at, SL_DM_LAG_WINDOW_NS))
        return 0; /* nothing was said for long */
    if (o->now < lag->turn_at && lag->before_ns > worst)
        worst = lag->before_ns;
    return (uint64_t)(worst / SL_MS) + (worst % SL_MS != 0);
}

static void dispatch_on_feed_progress(struct sl_orchestrator *o, struct sl_dm *dm, const struct sl_report *report)
{
    if (dm->state != SL_DM_OPEN)
        return;
    dm->progress = sl_ts_max(dm->progress, report->checkpoint);
    dm->resolved = sl_ts_max(dm->resolved, report->resolved);
    dispatch_note_age(o, dm, report->age_ns);
    sl__dm_check(o, dm);
}

static void dispatch_on_feed(struct sl_orchestrator *o, const struct sl_report *report, struct sl_outbox *out)
{
    struct sl_dm *dm = sl__dm_of_token(o, report->feed);
    if (!dm)
        return;
    if (report->kind == SL_REPORT_FEED_OPENED)
        sl__on_feed_opened(o, dm, out);
    else if (report->kind == SL_REPORT_FEED_FAILED)
        sl__on_feed_failed(o, dm, report, out);
    else if (report->kind == SL_REPORT_FEED_CLOSED)
        sl__on_feed_closed(o, dm, out);
    else if (report->kind == SL_REPORT_COPY)
        dm->copy = report->copy;
    else
        dispatch_on_feed_progress(o, dm, report);
}

static void dispatch_on_ready(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle,
                              const struct sl_report *report, struct sl_outbox *out)
{
    if (sl__dispatcher_at(o, handle)->state != SL_DISPATCHER_OPENING)
        return;
    sl__dispatcher_advance(o, dm, handle, report->checkpoint, report->follows);
    sl__dispatcher_go(o, dm, handle, SL_DISPATCHER_WORKING, out);
    sl__dispatcher_touch(o, dm, handle);
}

/* One that opens or closes may report how far it is, but follows nobody. */
static void dispatch_on_progress(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle,
                                 const struct sl_report *report)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    dispatch_note_age(o, dm, report->age_ns);
    if (!sl__dispatcher_is_hosted(d))
        return;
    sl_ts checkpoint = sl__block_clamp(dm, handle, report->checkpoint, report->follows);
    bool follows = report->follows && d->state == SL_DISPATCHER_WORKING && checkpoint == report->checkpoint;
    sl__dispatcher_advance(o, dm, handle, checkpoint, follows);
}

static void dispatch_on_end(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle,
                            const struct sl_report *report, struct sl_outbox *out)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    if (!sl__dispatcher_is_hosted(d))
        return;
    bool is_known = d->state == SL_DISPATCHER_CLOSING || dm->trigger_handle == handle;
    sl__block_forget(o, dm, handle);
    sl__dispatcher_advance(o, dm, handle, report->checkpoint, false);
    sl__dispatcher_go(o, dm, handle, is_known ? SL_DISPATCHER_CLOSED : SL_DISPATCHER_FAILED, out);
    sl__dispatcher_touch(o, dm, handle);
    if (report->kind == SL_REPORT_FAILED && report->code.len > 0)
        sl__dm_set_error(o, dm, report->code, report->text);
}

static void dispatch_on_dispatcher(struct sl_orchestrator *o, const struct sl_report *report, struct sl_outbox *out)
{
    uint32_t handle = sl__dispatcher_of_token(o, report->dispatcher);
    struct sl_dm *dm = handle != 0 ? sl_slab_at(&o->dms, sl__dispatcher_at(o, handle)->dm) : NULL;
    if (!dm || dm->state != SL_DM_OPEN)
        return;
    if (report->kind == SL_REPORT_READY)
        dispatch_on_ready(o, dm, handle, report, out);
    else if (report->kind == SL_REPORT_PROGRESS)
        dispatch_on_progress(o, dm, handle, report);
    else if (report->kind == SL_REPORT_BLOCKED || report->kind == SL_REPORT_UNBLOCKED)
        sl__block_on_report(o, dm, handle, report, out);
    else
        dispatch_on_end(o, dm, handle, report, out);
    sl__dm_finish(o, dm, out);
}

void sl__on_report(struct sl_orchestrator *o, const struct sl_report *report, struct sl_outbox *out)
{
    switch (report->kind) {
    case SL_REPORT_FEED_OPENED:
    case SL_REPORT_FEED_FAILED:
    case SL_REPORT_FEED_PROGRESS:
    case SL_REPORT_FEED_CLOSED:
    case SL_REPORT_COPY:
        dispatch_on_feed(o, report, out);
        return;
    case SL_REPORT_READY:
    case SL_REPORT_PROGRESS:
    case SL_REPORT_CLOSED:
    case SL_REPORT_FAILED:
    case SL_REPORT_BLOCKED:
    case SL_REPORT_UNBLOCKED:
        dispatch_on_dispatcher(o, report, out);
        return;
    case SL_REPORT_HOSTED:
        o->readers = report->readers;
        o->unflushed_rows = report->unflushed_rows;
        return;
    }
}
