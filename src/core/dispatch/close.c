/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/dm.h"

#include "base/check.h"

/*
 * A feed leaves this node. The sink is closed by the data plane, without waiting for what it has not written; the
 * answer "closed" is sent when that is done, unasked, to whoever asked last.
 *
 * Who may close: the owner, and a newer maintainer. The latter never bootstrapped here, but it could, and then close: a
 * remover whose feed's owner died must not be told "closed" while the dispatchers go on. An older one is told "stale";
 * if it does not know that word, it hears "closed" as in the reference, because it would ask for ever otherwise.
 */
static void close_respond(const struct sl_feed_id *feed_id, const struct sl_closer *to, Pb__CloseOutcome outcome,
                          uint64_t owner_epoch, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(feed_id);
    Pb__MaintainerCloseResponse response = PB__MAINTAINER_CLOSE_RESPONSE__INIT;
    response.changefeed = &feed;
    response.maintainer_epoch = to->epoch;
    response.success = outcome == PB__CLOSE_OUTCOME__CLOSED;
    if (to->knows_outcome) {
        response.outcome = outcome;
        response.owner_epoch = owner_epoch;
    } else if (outcome == PB__CLOSE_OUTCOME__STALE) {
        response.success = true;
    }
    (void)sl_out_send(out, to->node, SL_MSG_MAINTAINER_CLOSE_RESPONSE, &response.base);
}

/* A closer of epoch 0 that only stops the feed leaves no trace: the next maintainer may have epoch 0 too. */
static void close_bury(struct sl_orchestrator *o, const struct sl_feed_id *feed, uint64_t epoch, bool removed)
{
    if (epoch > 0 || removed)
        sl_tombstones_put(&o->tombstones, feed, epoch);
}

static void close_end(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    close_bury(o, &dm->feed, dm->owner.epoch, dm->removed);
    if (dm->closer.node != SL_NODE_NONE)
        close_respond(&dm->feed, &dm->closer, PB__CLOSE_OUTCOME__CLOSED, 0, out);
    sl_out_event(out, SL_EV_FEED_CLOSED, sl_f_str("feed", sl_feed_id_name(&dm->feed)),
                 sl_f_u64("epoch", dm->owner.epoch), sl_f_u64("dispatchers", sl__dm_dispatcher_count(dm)));
    sl__dm_free(o, dm);
}

void sl__on_feed_closed(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    if (dm->state == SL_DM_CLOSING)
        close_end(o, dm, out);
}

static void close_command(const struct sl_dm *dm, struct sl_outbox *out)
{
    sl_out_command(out, &(struct sl_command){ .verb = SL_COMMAND_CLOSE_FEED,
                                              .feed = sl__dm_token(dm),
                                              .cleanup_downstream = dm->removed });
}

static void close_begin(struct sl_orchestrator *o, struct sl_dm *dm, bool removed, struct sl_outbox *out)
{
    switch ((enum sl_dm_state)dm->state) {
    case SL_DM_HOLLOW:
        dm->removed = removed;
        close_end(o, dm, out);
        return;
    case SL_DM_OPENING:
    case SL_DM_OPEN:
        dm->removed = removed;
        sl__dm_go(dm, SL_DM_CLOSING);
        close_command(dm, out);
        break;
    case SL_DM_CLOSING:
        if (removed && !dm->removed) { /* sticky; the data plane hears of the cleanup although it closes already */
            dm->removed = true;
            close_command(dm, out);
        }
        break;
    case SL_DM_FENCED:
    case SL_DM_STATE_COUNT:
        SL_UNREACHABLE();
    }
    close_respond(&dm->feed, &dm->closer, PB__CLOSE_OUTCOME__CLOSING, 0, out);
    sl__dm_finish(o, dm, out);
}

/* The owner, or one that may become it by a larger epoch. */
static enum sl_refusal close_check(const struct sl_orchestrator *o, const struct sl_dm *dm,
                                   const struct sl_closer *closer)
{
    if (closer->epoch > dm->owner.epoch)
        return sl__dm_may_become(o, dm, closer->node, closer->epoch);
    return sl__dm_may_use(dm, closer->node, closer->epoch);
}

enum sl_refusal sl__on_close(struct sl_orchestrator *o, sl_node_ref from, const struct sl_feed_id *feed,
                             const Pb__MaintainerCloseRequest *request, struct sl_outbox *out)
{
    struct sl_closer closer = {
        .node = from,
        .epoch = request->maintainer_epoch,
        .knows_outcome = (request->capabilities & SL_CAP_CLOSE_OUTCOME) != 0,
    };
    struct sl_dm *dm = sl__dm_find(o, feed);
    if (!dm) {
        close_bury(o, feed, closer.epoch, request->removed);
        close_respond(feed, &closer, PB__CLOSE_OUTCOME__CLOSED, 0, out);
        return SL_REFUSE_NONE;
    }
    enum sl_refusal refusal = close_check(o, dm, &closer);
    if (refusal != SL_REFUSE_NONE) {
        close_respond(feed, &closer, PB__CLOSE_OUTCOME__STALE, dm->owner.epoch, out);
        return refusal;
    }
    sl__dm_take(o, dm, from, closer.epoch, out);
    dm->closer = closer;
    close_begin(o, dm, request->removed, out);
    return SL_REFUSE_NONE;
}
