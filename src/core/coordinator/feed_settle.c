/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

/*
 * The end of the coordinator's bootstrap: the store is read, all nodes have said which maintainers they run. Per feed
 * the owner is the one whose epoch is the durable one (with interop, else one without an epoch); of several equals, the
 * one on the lowest ref, for a second one is somebody's mistake and no reason to stop (reference weakness W27). All
 * others are stale and are told to stop; what is in nobody's table is removed.
 */
#define SETTLE_REPORTS_CAP_MIN 64u
#define SETTLE_HOLD_NS (5 * SL_S) /* reports were lost: maintainers show by their statuses, one each second */

enum settle_rank { RANK_STALE, RANK_COMPATIBLE, RANK_EXACT };

/* ---- reports ---- */

static bool settle_reserve(struct sl_feeds *f)
{
    if (f->report_count < f->report_cap)
        return true;
    uint32_t cap = sl_u32_max(f->report_cap * 2, SETTLE_REPORTS_CAP_MIN);
    struct sl__report *reports = sl_mem_resize(f->opts.mem, SL_TAG_COORDINATOR, f->reports,
                                               f->report_cap * sizeof *reports, (size_t)cap * sizeof *reports);
    if (!reports)
        return false;
    f->reports = reports;
    f->report_cap = cap;
    return true;
}

void sl_feeds_reported(struct sl_feeds *f, sl_node_ref node, const Pb__MaintainerStatus *status)
{
    struct sl__report report = { .node = node,
                                 .epoch = status->maintainer_epoch,
                                 .checkpoint = status->checkpoint_ts,
                                 .bootstrapped = status->bootstrap_done,
                                 .is_remover = sl__status_is_remover(status) };
    bool runs = status->state != PB__COMPONENT_STATE__STOPPED && status->state != PB__COMPONENT_STATE__REMOVED;
    if (f->settled || !runs || !sl_feed_id_set(&report.id, status->changefeed))
        return;
    if (settle_reserve(f))
        f->reports[f->report_count++] = report;
    else
        f->reports_lost = true;
}

static void settle_forget_reports(struct sl_feeds *f)
{
    sl_mem_free(f->opts.mem, SL_TAG_COORDINATOR, f->reports, f->report_cap * sizeof *f->reports);
    f->reports = NULL;
    f->report_count = f->report_cap = 0;
}

/* ---- owners ---- */

static enum settle_rank settle_rank(const struct sl_feeds *f, const struct sl__feed *feed, const struct sl__report *r)
{
    if (r->is_remover)
        return RANK_STALE;
    if (r->epoch == feed->record.epoch)
        return RANK_EXACT;
    return sl__feeds_epoch_fits(f, feed->record.epoch, r->epoch) ? RANK_COMPATIBLE : RANK_STALE;
}

static void settle_consider(struct sl_feeds *f, uint32_t index)
{
    const struct sl__report *r = &f->reports[index];
    struct sl__feed *feed = sl__feed_find(f, &r->id);
    if (!feed || r->used)
        return;
    if (r->epoch > f->epoch_seen && r->epoch <= INT64_MAX) /* beyond: nobody's clock */
        f->epoch_seen = r->epoch;
    enum settle_rank rank = settle_rank(f, feed, r);
    if (rank == RANK_STALE)
        return;
    const struct sl__report *best = feed->best_report > 0 ? &f->reports[feed->best_report - 1] : NULL;
    enum settle_rank best_rank = best ? settle_rank(f, feed, best) : RANK_STALE;
    if (rank > best_rank || (rank == best_rank && r->node < best->node))
        feed->best_report = index + 1;
}

static enum sl__stop settle_stop_of(const struct sl__feed *feed)
{
    return feed->want.progress == SL_PROGRESS_REMOVING ? SL__STOP_REMOVE : SL__STOP_HALT;
}

static void settle_adopt(struct sl_feeds *f, struct sl__feed *feed, struct sl__report *r, struct sl_outbox *out)
{
    r->used = true;
    sl__feed_advance(feed, r->checkpoint);
    feed->bootstrapped = r->bootstrapped;
    sl__feed_place(f, feed, SL__PLACE_ABSENT, SL_NODE_NONE, 0, out);
    sl__feed_place(f, feed, SL__PLACE_SCHEDULING, r->node, r->epoch, out);
    sl__feed_place(f, feed, SL__PLACE_REPLICATING, r->node, r->epoch, out);
}

/* What a predecessor began to stop goes on being stopped; without an owner only after stale ones had their turn. */
static void settle_feed(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    bool runnable = sl__feed_is_runnable(feed);
    bool owned = feed->best_report > 0 && !feed->unreadable;
    if (owned)
        settle_adopt(f, feed, &f->reports[feed->best_report - 1], out);
    else if (runnable)
        sl__feed_place(f, feed, SL__PLACE_ABSENT, SL_NODE_NONE, 0, out);
    if (!runnable && owned)
        sl__op_stop(f, feed, settle_stop_of(feed), out);
    if (f->reports_lost)
        feed->retry_at = sl_ns_after(f->now, SETTLE_HOLD_NS);
    feed->best_report = 0;
}

/* ---- the rest ---- */

static void settle_stale(struct sl_feeds *f, struct sl__feed *feed, const struct sl__report *r, struct sl_outbox *out)
{
    bool halts = !sl__feed_is_runnable(feed);
    /* One that has not bootstrapped does not hand over; but one with the owner's epoch may hold the owner's dispatchers. */
    bool cascade = !r->is_remover && (halts || (!r->bootstrapped && r->epoch != feed->epoch));
    if (feed->unreadable)
        return;
    if (feed->op.kind != SL__OP_IDLE && !r->is_remover) {
        sl__feeds_send_remove(f, r->node, &r->id, r->epoch, cascade, false, out);
        return;
    }
    if (feed->op.kind != SL__OP_IDLE)
        return;
    sl__op_stop_stale(f, feed, r->node, r->epoch, cascade, halts ? settle_stop_of(feed) : SL__STOP_STALE, out);
}

static bool settle_is_foreign(const struct sl_feeds *f, const struct sl_feed_id *id)
{
    struct sl_str space = { id->keyspace, id->keyspace_len };
    const struct sl__feed *feed = sl__feed_named(f, sl_feed_id_name(id));
    return f->is_partial || !sl_str_eq(space, SL_STR(SL__FEED_KEYSPACE)) || (feed && feed->unreadable);
}

void sl__settle_remove_unknown(struct sl_feeds *f, sl_node_ref node, const struct sl_feed_id *id, uint64_t epoch,
                               struct sl_outbox *out)
{
    if (settle_is_foreign(f, id))
        return;
    sl_out_event(out, SL_EV_FEED_UNKNOWN, sl_f_str("feed", sl_feed_id_name(id)), sl__node_field(f, "node", node),
                 sl_f_u64("epoch", epoch));
    sl__feeds_send_remove(f, node, id, epoch, true, true, out);
}

static void settle_report(struct sl_feeds *f, const struct sl__report *r, struct sl_outbox *out)
{
    struct sl__feed *feed = sl__feed_find(f, &r->id);
    if (r->used)
        return;
    if (feed)
        settle_stale(f, feed, r, out);
    else if (!r->is_remover)
        sl__settle_remove_unknown(f, r->node, &r->id, r->epoch, out);
}

void sl_feeds_settle(struct sl_feeds *f, sl_ns now, struct sl_outbox *out)
{
    sl__feeds_begin(f, now);
    SL_REQUIRE(f->load == SL__LOAD_DONE && !f->settled);
    f->settled = true;
    for (uint32_t i = 0; i < f->report_count; i++)
        settle_consider(f, i);
    for (struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed))
        settle_feed(f, feed, out);
    for (uint32_t i = 0; i < f->report_count; i++)
        settle_report(f, &f->reports[i], out);
    settle_forget_reports(f);
    sl__feed_schedulers_start(f);
    for (struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        bool unfinished = feed->want.progress != SL_PROGRESS_NONE && !feed->unreadable;
        if (unfinished && feed->op.kind == SL__OP_IDLE)
            feed->stop = settle_stop_of(feed);
        sl__feed_react(f, feed, out);
    }
    sl__feeds_end(f, out);
}
