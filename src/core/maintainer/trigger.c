/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "core/maintainer/maintainer_internal.h"

/*
 * The table-trigger dispatcher: runs the feed's DDL stream, always on the maintainer's node. It is created by the
 * bootstrap request that names its id, told the tables by the post-bootstrap request, and ends before a hand-over does,
 * because the successor brings its own. It is no span: nothing places, counts or moves it.
 */

/* Streams of the maintainer's seed; dispatcher ids of spans come from others. */
enum { TRIGGER_STREAM_HIGH = 2, TRIGGER_STREAM_LOW = 3 };

void sl__trigger_init(struct sl_maintainer *m)
{
    uint64_t seed = m->opts.seed;
    m->trigger = (struct sl__trigger){
        .id = { .high = sl_prng_at(seed, TRIGGER_STREAM_HIGH, 0), .low = sl_prng_at(seed, TRIGGER_STREAM_LOW, 0) | 1 },
        .is_stopped = m->opts.remove_only,
        .is_removed = m->opts.remove_only,
        .post_at = SL_NEVER,
        .remove_at = SL_NEVER,
    };
}

/* ---- messages ---- */

/* The tables travel without names: those come with each Create, and the rest is told by the barrier. */
static void trigger_send_post_bootstrap(const struct sl_maintainer *m, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(&m->id);
    Pb__DispatcherID id = sl_dispatcher_id_pb(m->trigger.id);
    Pb__MaintainerPostBootstrapRequest request = PB__MAINTAINER_POST_BOOTSTRAP_REQUEST__INIT;
    request.changefeed = &feed;
    request.table_trigger_id = &id;
    request.maintainer_epoch = m->opts.epoch;
    (void)sl_out_send(out, sl__maintainer_self(m), SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST, &request.base);
}

static void trigger_send_remove(const struct sl_maintainer *m, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(&m->id);
    Pb__DispatcherID id = sl_dispatcher_id_pb(m->trigger.id);
    Pb__DispatcherConfig config = PB__DISPATCHER_CONFIG__INIT;
    Pb__ScheduleDispatcherRequest request = PB__SCHEDULE_DISPATCHER_REQUEST__INIT;
    config.dispatcher_id = &id;
    request.changefeed = &feed;
    request.config = &config;
    request.action = PB__SCHEDULE_ACTION__REMOVE;
    request.operator_type = PB__OPERATOR_TYPE__O_REMOVE;
    request.maintainer_epoch = m->opts.epoch;
    (void)sl_out_send(out, sl__maintainer_self(m), SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
}

/*
 * Only the state counts. A dispatch manager that does not know the trigger says Stopped with checkpoint 0; to wait for
 * a better checkpoint would be to wait for ever.
 *
 * A hand-over believes only what is said after its Remove has left: a trigger that ended before that is made again by the
 * bootstrap request that this maintainer has sent since, and would run on beside the one of the successor.
 */
void sl__trigger_on_status(struct sl_maintainer *m, Pb__ComponentState state)
{
    if (state != PB__COMPONENT_STATE__STOPPED && state != PB__COMPONENT_STATE__REMOVED)
        return;
    m->trigger.is_stopped = true;
    m->trigger.is_removed |= m->closing.phase == SL__CLOSE_TRIGGER;
}

enum sl_refusal sl__trigger_on_post_response(struct sl_maintainer *m, sl_node_ref from,
                                             const Pb__MaintainerPostBootstrapResponse *r, struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_RUNNING)
        return SL_REFUSE_NOT_HANDLED;
    if (from != sl__maintainer_self(m))
        return SL_REFUSE_WRONG_SENDER;
    if (!sl__maintainer_response_fits(m, r->maintainer_epoch))
        return SL_REFUSE_STALE_VERSION;
    if (r->err)
        sl__status_note_peer_error(m, from, r->err, out);
    else
        m->trigger.post_at = SL_NEVER;
    return SL_REFUSE_NONE;
}

/* ---- time ---- */

/* A trigger that ended although nobody removed it comes back with the next bootstrap request to the own node. */
static void trigger_run_running(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->trigger.is_stopped)
        sl_bootstrap_ask_again(&m->bootstrap, m->now, sl__maintainer_self(m));
    if (m->trigger.post_at > m->now)
        return;
    m->trigger.post_at = sl_ns_after(m->now, m->opts.limits.bootstrap_resend_ns);
    trigger_send_post_bootstrap(m, out);
}

static void trigger_run_closing(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->closing.phase != SL__CLOSE_TRIGGER || m->trigger.remove_at > m->now)
        return;
    m->trigger.remove_at = sl_ns_after(m->now, m->opts.limits.operator_resend_ns);
    trigger_send_remove(m, out);
}

void sl__trigger_run(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->state == SL__MAINTAINER_RUNNING)
        trigger_run_running(m, out);
    if (m->state == SL__MAINTAINER_CLOSING)
        trigger_run_closing(m, out);
}

sl_ns sl__trigger_deadline(const struct sl_maintainer *m)
{
    if (m->state == SL__MAINTAINER_RUNNING)
        return m->trigger.post_at;
    bool removes = m->state == SL__MAINTAINER_CLOSING && m->closing.phase == SL__CLOSE_TRIGGER;
    return removes ? m->trigger.remove_at : SL_NEVER;
}
