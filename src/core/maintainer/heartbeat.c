/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/maintainer_internal.h"

/*
 * Heartbeats of dispatch managers. The order within one is strict (reference behaviour): watermark, error, statuses. A
 * status may say that a dispatcher started; from then on the node's watermark speaks for it, so the watermark that was
 * computed with it must be in place before the span stops limiting the checkpoint by itself.
 */

#define HEARTBEAT_MODE_DEFAULT 0

static void heartbeat_take_watermark(struct sl_maintainer *m, sl_node_ref from, const Pb__Watermark *pb)
{
    if (!pb)
        return;
    const struct sl_mark said = { .checkpoint = pb->checkpoint_ts, .resolved = pb->resolved_ts, .seq = pb->seq };
    m->round.is_wanted |= sl_mark_apply(&m->nodes[from].mark, &said);
    m->last_synced = sl_ts_max(m->last_synced, pb->last_synced_ts);
}

static struct sl_span_report heartbeat_report(const Pb__TableSpanStatus *s)
{
    return (struct sl_span_report){
        .id = sl_dispatcher_id_of(s->id),
        .state = s->state,
        .checkpoint = s->checkpoint_ts,
        .placement_seq = s->placement_seq,
    };
}

/* Not while closing: then it is somebody else's to clean up. Without memory it is left to the next full list. */
static void heartbeat_remove_orphan(struct sl_maintainer *m, sl_node_ref from, const struct sl_span_report *report,
                                    struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_RUNNING)
        return;
    struct sl_dispatcher_id id = report->id;
    if (sl_control_remove_dispatcher(m->control, m->now, from, report, false, out) == SL_OK)
        sl_out_event(out, SL_EV_ORPHAN_REMOVED, sl_f_str("feed", sl_feed_id_name(&m->id)),
                     sl_f_str("node", sl__maintainer_node_str(m, from)), sl_f_id128("dispatcher", id.high, id.low));
}

/*
 * Unknown, and it works: an orphan. Unknown, and it ended somewhere: its node keeps that in mind, and holds its watermark
 * back, until it is told to forget. A node that answers about a dispatcher it never had says checkpoint 0.
 */
static void heartbeat_take_unknown(struct sl_maintainer *m, sl_node_ref from, const struct sl_span_report *report,
                                   struct sl_outbox *out)
{
    bool works = report->state == PB__COMPONENT_STATE__WORKING;
    bool has_ended = report->state == PB__COMPONENT_STATE__STOPPED && report->checkpoint != SL_TS_NONE;
    if (!works)
        sl__unlisted_forget(m, from, report->id);
    if (has_ended || (works && !sl__unlisted_has(m, from, report->id)))
        heartbeat_remove_orphan(m, from, report, out);
}

/*
 * A heartbeat without a watermark, or with an old one, may bring the first word of a dispatcher that the stored
 * watermark does not know: the dispatcher's own position counts until a newer watermark includes it.
 */
static void heartbeat_take_report(struct sl_maintainer *m, sl_node_ref from, const struct sl_span_report *report,
                                  struct sl_outbox *out)
{
    switch (sl_control_on_status(m->control, m->now, from, report, out)) {
    case SL_STATUS_IGNORED:
        break;
    case SL_STATUS_APPLIED:
        if (report->state == PB__COMPONENT_STATE__WORKING)
            m->round.is_wanted |= sl_mark_lower(&m->nodes[from].mark, report->checkpoint);
        break;
    case SL_STATUS_UNKNOWN:
        heartbeat_take_unknown(m, from, report, out);
        break;
    case SL_STATUS_LOST:
        m->round.is_wanted = true;
        break;
    }
}

static void heartbeat_take_status(struct sl_maintainer *m, sl_node_ref from, const Pb__TableSpanStatus *s,
                                  struct sl_outbox *out)
{
    const struct sl_span_report report = heartbeat_report(s);
    heartbeat_take_report(m, from, &report, out);
}

void sl__maintainer_take_end(struct sl_maintainer *m, sl_node_ref from, const Pb__BootstrapTableSpan *span,
                             struct sl_outbox *out)
{
    const struct sl_span_report report = sl__answer_report(span);
    heartbeat_take_report(m, from, &report, out);
}

static bool heartbeat_is_of_trigger(const struct sl_maintainer *m, sl_node_ref from, const Pb__TableSpanStatus *s)
{
    return from == sl__maintainer_self(m) && s->mode == HEARTBEAT_MODE_DEFAULT &&
           sl_dispatcher_id_eq(sl_dispatcher_id_of(s->id), m->trigger.id);
}

/* Its end is said once, and may come before all nodes have answered. */
static void heartbeat_take_trigger(struct sl_maintainer *m, sl_node_ref from, const Pb__HeartBeatRequest *h)
{
    for (size_t i = 0; i < h->n_statuses; i++) {
        if (heartbeat_is_of_trigger(m, from, h->statuses[i]))
            sl__trigger_on_status(m, h->statuses[i]->state);
    }
}

static void heartbeat_take_statuses(struct sl_maintainer *m, sl_node_ref from, const Pb__HeartBeatRequest *h,
                                    struct sl_outbox *out)
{
    heartbeat_take_trigger(m, from, h);
    for (size_t i = 0; i < h->n_statuses; i++) {
        const Pb__TableSpanStatus *s = h->statuses[i];
        if (s->mode != HEARTBEAT_MODE_DEFAULT || heartbeat_is_of_trigger(m, from, s))
            continue;
        if (m->control)
            heartbeat_take_status(m, from, s, out);
    }
}

/* A span that started or moved on may have been all that held the checkpoint back; low-latency feeds never wait. */
static void heartbeat_round(struct sl_maintainer *m, sl_ts limit_before)
{
    bool unblocked = sl_control_checkpoint_limit(m->control) > limit_before;
    if (unblocked || (m->low_latency && m->round.is_wanted))
        sl__maintainer_round_now(m);
}

/*
 * A dispatch manager that was opened anew runs other dispatchers than those that were taken over: nothing it says may
 * count before it has listed them, or the checkpoint would pass what its predecessor did not write. One that is gone
 * speaks from a stream that broke. A node without one, which answers an order by 0, is asked too: that makes one. Its
 * answer to the order counts, but it has no watermark.
 */
static bool heartbeat_is_of_known(struct sl_maintainer *m, sl_node_ref from, uint64_t incarnation)
{
    uint64_t known = sl__maintainer_node(m, from)->incarnation;
    if (known == 0 || incarnation == known)
        return true;
    if (incarnation == 0 || incarnation > known)
        sl_bootstrap_ask_again(&m->bootstrap, m->now, from);
    return incarnation == 0;
}

/*
 * While bootstrapping, heartbeats of nodes that were taken over already are nothing to wonder at, and of spans they say
 * nothing that the next one does not. A maintainer that closes without having bootstrapped waits for one word only: that its trigger
 * has ended.
 */
enum sl_refusal sl__maintainer_on_heartbeat(struct sl_maintainer *m, sl_node_ref from, const Pb__HeartBeatRequest *h,
                                            struct sl_outbox *out)
{
    if (h->maintainer_epoch != 0 && h->maintainer_epoch != m->opts.epoch)
        return SL_REFUSE_STALE_VERSION;
    if (!heartbeat_is_of_known(m, from, h->incarnation))
        return SL_REFUSE_STALE_VERSION;
    if (m->state == SL__MAINTAINER_BOOTSTRAPPING) {
        heartbeat_take_trigger(m, from, h);
        return SL_REFUSE_NONE;
    }
    bool speaks_for_spans = h->incarnation != 0 || sl__maintainer_node(m, from)->incarnation == 0;
    if (speaks_for_spans)
        sl__maintainer_heard(m, from);
    sl__maintainer_note_liveness(m, from, h->node_liveness);
    sl_ts limit_before = m->control ? sl_control_checkpoint_limit(m->control) : SL_TS_MAX;
    if (speaks_for_spans) {
        heartbeat_take_watermark(m, from, h->watermark);
        sl__lag_note(m, from, h->lag_ms);
        sl__maintainer_node(m, from)->copy =
            (struct sl_copy_progress){ h->copy_tables, h->copy_rows, h->copy_rows_about };
    }
    if (h->err)
        sl__status_note_peer_error(m, from, h->err, out);
    heartbeat_take_statuses(m, from, h, out);
    if (m->control)
        heartbeat_round(m, limit_before);
    return SL_REFUSE_NONE;
}
