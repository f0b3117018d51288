/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

/*
 * After a write of one feed met another writer's value, or its fate is not known: both keys are read again, and what
 * is found is the new base. What another writer changed and we did not want to change is taken over; the rest of what
 * we want is written again on top of it. So a late write of a deposed coordinator is neither lost nor undone.
 */

/* ---- taking over ---- */

/* Somebody else's word may stop a feed, too. */
static void reread_stop_if_told(struct sl__feed *feed)
{
    bool removes = feed->want.progress == SL_PROGRESS_REMOVING;
    bool runs = feed->place != SL__PLACE_STOPPED || feed->op.kind != SL__OP_IDLE;
    enum sl__stop stop = removes ? SL__STOP_REMOVE : SL__STOP_HALT;
    if (!sl__feed_is_runnable(feed) && (runs || feed->want.progress != SL_PROGRESS_NONE) && feed->stop < stop)
        feed->stop = stop;
}

static void reread_merge_info(struct sl__feed *feed, const struct sl_feed_record *before, struct sl_outbox *out)
{
    bool ours = feed->want.state != before->state || !sl__feed_error_eq(&feed->want.error, &before->error);
    if (ours)
        return;
    const struct sl_feed_error error = feed->record.error;
    sl__feed_want_state(feed, feed->record.state, error.present ? &error : NULL, out);
    reread_stop_if_told(feed);
}

void sl__reread_merge_status(struct sl_feeds *f, struct sl__feed *feed, const struct sl_feed_status *before)
{
    (void)f;
    /* A checkpoint in the store was an owner's word, whoever wrote it. */
    if (feed->want.checkpoint == SL_TS_NONE)
        feed->checkpoint = sl_ts_max(feed->checkpoint, feed->status.checkpoint);
    if (feed->want.progress != before->progress || feed->want.deleted)
        return;
    feed->want.progress = feed->status.progress;
    reread_stop_if_told(feed);
}

/* ---- gone ---- */

/* Where a maintainer may be running: told once; it is told again whenever it shows. */
static void reread_remove_maintainers(struct sl_feeds *f, const struct sl__feed *feed, struct sl_outbox *out)
{
    const struct sl__op *op = &feed->op;
    const struct sl_feed_id *id = &feed->record.id;
    if (feed->node != SL_NODE_NONE && feed->epoch != 0)
        sl__feeds_send_remove(f, feed->node, id, feed->epoch, true, true, out);
    if (op->state == SL__OP_STOP_NODE && op->origin != feed->node)
        sl__feeds_send_remove(f, op->origin, id, op->epoch, true, true, out);
}

static void reread_end(struct sl_feeds *f, struct sl__feed *feed, const char *why, struct sl_outbox *out)
{
    reread_remove_maintainers(f, feed, out);
    sl__op_drop(f, feed);
    if (feed->place != SL__PLACE_STOPPED)
        sl__feed_place(f, feed, SL__PLACE_STOPPED, SL_NODE_NONE, 0, out);
    sl__requests_end(f, feed, SL_NOT_FOUND, why, out);
    sl_out_event(out, SL_EV_FEED_GONE, sl__feed_field(feed), sl_f_str("cause", sl_str_of(why)));
    sl__save_forget(f, feed);
}

void sl__feed_gone(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    reread_end(f, feed, feed->want.deleted ? "removed" : "another writer deleted it", out);
    sl__feed_drop(f, feed);
}

/* ---- reading ---- */

/* Kept as it was and read again: an operator of the cluster may repair it. */
static void reread_on_unreadable(struct sl_feeds *f, struct sl__feed *feed, struct sl_str key, enum sl_code code,
                                 struct sl_outbox *out)
{
    if (!feed->said_conflict && code != SL_NOMEM)
        sl__feed_refuse_value(key, code, out);
    feed->said_conflict = code != SL_NOMEM;
    sl__write_pause(f, feed);
}

/*
 * The value is not what this feed was: found by a creation, or made anew by somebody else after ours was deleted. It is
 * a feed like any other from here on. A creation found its own value if that is to the byte what it wrote: then only
 * the answer was lost.
 */
static void reread_start_over(struct sl_feeds *f, struct sl__feed *feed, struct sl_bytes found, struct sl_outbox *out)
{
    bool ours = feed->creating && sl_bytes_eq(found, sl__value_bytes(&feed->write.info));
    if (feed->creating && !ours)
        sl__requests_end(f, feed, SL_EXISTS, "a feed of this name is in the metadata store already", out);
    if (!ours)
        feed->checkpoint = SL_TS_NONE;
    feed->is_new = feed->is_new && ours;
    feed->creating = false;
    feed->stop = SL__STOP_NONE;
    feed->backoff.delay_ns = 0;
    sl__write_forget_bytes(f, feed);
    sl__feed_want_what_is(f, feed);
}

/* SL_OK, or why the value cannot be read. */
static enum sl_code reread_take_info(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_pair *pair,
                                     struct sl_outbox *out)
{
    const struct sl_feed_record before = feed->record;
    struct sl_feed_record found;
    enum sl_code code = sl__feed_parse_info(&found, feed, pair);
    if (code != SL_OK)
        return code;
    bool replaced = !feed->creating && !sl_feed_id_eq(&before.id, &found.id);
    if (replaced) /* while it still has its own id */
        reread_end(f, feed, "another feed of this name took its place", out);
    code = sl__feed_take_info(f, feed, &found, pair);
    if (code != SL_OK)
        return code;
    if (feed->creating || replaced)
        reread_start_over(f, feed, pair->value, out);
    else
        reread_merge_info(feed, &before, out);
    return SL_OK;
}

static void reread_on_info(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_result *r,
                           struct sl_outbox *out)
{
    struct sl__feed_write *w = &feed->write;
    w->info_is_missing = r->pair_count == 0;
    enum sl_code code = w->info_is_missing ? SL_OK : reread_take_info(f, feed, &r->pairs[0], out);
    if (code != SL_OK) {
        reread_on_unreadable(f, feed, r->pairs[0].key, code, out);
        return;
    }
    w->info_is_read = true;
    w->phase = SL__WRITE_IDLE;
}

/* Both were read, the info is not there. False: the feed is gone. */
static bool reread_on_missing(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    bool has_status = feed->status_value.revision != 0;
    feed->info.revision = 0;
    if (feed->creating && has_status) {
        sl__requests_end(f, feed, SL_EXISTS, "a status of this name is left in the metadata store: delete its key",
                         out);
        sl__feed_drop(f, feed);
        return false;
    }
    if (feed->creating || (feed->want.deleted && has_status))
        return true;
    sl__feed_gone(f, feed, out);
    return false;
}

static void reread_on_source(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_result *r,
                             struct sl_outbox *out)
{
    enum sl_code code = SL_OK;
    if (r->pair_count == 0)
        sl__value_clear(f, &feed->source);
    else
        code = sl__feed_take_source(f, feed, &r->pairs[0]);
    if (code != SL_OK) {
        reread_on_unreadable(f, feed, r->pairs[0].key, code, out);
        return;
    }
    feed->write.source_is_read = true;
    feed->write.phase = SL__WRITE_IDLE;
}

static bool reread_on_status(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_result *r,
                             struct sl_outbox *out)
{
    struct sl__feed_write *w = &feed->write;
    const struct sl_feed_status before = feed->status;
    if (r->pair_count == 0) {
        sl__value_clear(f, &feed->status_value);
        feed->status = (struct sl_feed_status){ .progress = SL_PROGRESS_NONE };
    } else {
        enum sl_code code = sl__feed_take_status(f, feed, &r->pairs[0]);
        if (code != SL_OK) {
            reread_on_unreadable(f, feed, r->pairs[0].key, code, out);
            return true;
        }
    }
    w->must_read = w->info_is_read = w->source_is_read = false;
    if (w->info_is_missing && !reread_on_missing(f, feed, out))
        return false;
    if (!w->info_is_missing)
        sl__reread_merge_status(f, feed, &before);
    if (feed->checkpoint == SL_TS_NONE)
        feed->checkpoint = feed->record.start_ts;
    feed->said_conflict = false;
    if (sl__feed_needs_write(feed) && w->tries > 1)
        sl__write_pause(f, feed);
    else
        w->phase = SL__WRITE_IDLE;
    return true;
}

bool sl__reread_on_result(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_result *r,
                          struct sl_outbox *out)
{
    if (r->outcome != SL_STORE_OK) {
        sl__write_pause(f, feed);
        return true;
    }
    if (feed->write.phase == SL__WRITE_READING_STATUS)
        return reread_on_status(f, feed, r, out);
    if (feed->write.phase == SL__WRITE_READING_SOURCE)
        reread_on_source(f, feed, r, out);
    else
        reread_on_info(f, feed, r, out);
    return true;
}
