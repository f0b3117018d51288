/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/hash.h"
#include "core/coordinator/feed_table.h"

/*
 * Makes what is wanted of one feed durable, in one transaction of its own that compares the revisions last seen: state,
 * error, epoch, progress, a new configuration, creation, deletion. Level-triggered: whatever differs is written again
 * until it does not. A write whose fate is not known, or that met another writer's, is followed by a read
 * (feed_reread.c).
 *
 * An epoch counts only if the write of it was answered OK. One that is found by reading is not used, even if it looks
 * like ours: a second coordinator may have chosen the same number at the same moment (F3).
 */
#define WRITE_LINK offsetof(struct sl__feed, write.link)
#define WRITE_PAUSE_NS (25 * SL_MS)
#define WRITE_PAUSE_DOUBLINGS 5u /* up to 800 ms */

/* ---- the queue ---- */

static void write_queue(struct sl_feeds *f, struct sl__feed *feed)
{
    SL_REQUIRE(feed->write.phase != SL__WRITE_QUEUED && feed->write.op == 0);
    feed->write.phase = SL__WRITE_QUEUED;
    sl_list_push_back(&f->writes, &f->slab, WRITE_LINK, feed->handle);
}

static void write_unqueue(struct sl_feeds *f, struct sl__feed *feed, enum sl__write_phase phase)
{
    SL_REQUIRE(feed->write.phase == SL__WRITE_QUEUED);
    sl_list_remove(&f->writes, &f->slab, WRITE_LINK, feed->handle);
    feed->write.phase = phase;
}

void sl__write_want(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl__feed_write *w = &feed->write;
    bool needed = w->must_read || sl__feed_needs_write(feed);
    if (w->phase == SL__WRITE_IDLE && needed)
        write_queue(f, feed);
    else if (w->phase == SL__WRITE_QUEUED && !needed)
        write_unqueue(f, feed, SL__WRITE_IDLE);
}

void sl__write_pause(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl__feed_write *w = &feed->write;
    w->tries++;
    w->phase = SL__WRITE_PAUSED;
    w->retry_at = sl_ns_after(f->now, WRITE_PAUSE_NS << sl_u32_min(w->tries, WRITE_PAUSE_DOUBLINGS));
}

void sl__write_on_due(struct sl_feeds *f, struct sl__feed *feed)
{
    if (feed->write.phase != SL__WRITE_PAUSED || f->now < feed->write.retry_at)
        return;
    feed->write.phase = SL__WRITE_IDLE;
    sl__write_want(f, feed);
}

static uint64_t write_hash_op(const struct sl_feeds *f, sl_op_id op)
{
    return sl_hash_u64(f->opts.seed, op);
}

static bool write_register(struct sl_feeds *f, struct sl__feed *feed)
{
    feed->write.op = ++*f->opts.op_next;
    if (!sl_map_add(&f->by_op, write_hash_op(f, feed->write.op), feed->handle)) {
        feed->write.op = 0;
        return false;
    }
    f->writes_in_flight++;
    return true;
}

static void write_unregister(struct sl_feeds *f, struct sl__feed *feed)
{
    sl_map_remove(&f->by_op, write_hash_op(f, feed->write.op), feed->handle);
    feed->write.op = 0;
    f->writes_in_flight--;
}

void sl__write_forget_bytes(struct sl_feeds *f, struct sl__feed *feed)
{
    sl__value_clear(f, &feed->write.info);
    sl__value_clear(f, &feed->write.status);
    sl__value_clear(f, &feed->write.source);
}

void sl__write_drop(struct sl_feeds *f, struct sl__feed *feed)
{
    if (feed->write.phase == SL__WRITE_QUEUED)
        write_unqueue(f, feed, SL__WRITE_IDLE);
    if (feed->write.op != 0)
        write_unregister(f, feed);
    sl__write_forget_bytes(f, feed);
    feed->write = (struct sl__feed_write){ .phase = SL__WRITE_IDLE };
}

/* An operator does not wait for its epoch for ever. */
static void write_give_up_epoch(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    if (feed->write.tries > SL__FEED_WRITE_TRIES_MAX)
        sl__op_on_no_epoch(f, feed, out);
}

/* ---- issuing ---- */

enum write_issue { ISSUE_DONE, ISSUE_WAITS, ISSUE_NO_ROOM, ISSUE_FAILED };

static enum write_issue write_give_back(struct sl_feeds *f, struct sl__feed *feed, enum write_issue why)
{
    if (feed->write.op != 0)
        write_unregister(f, feed);
    if (!feed->creating)
        sl__write_forget_bytes(f, feed);
    return why;
}

static enum write_issue write_issue_txn(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    struct sl__feed_write *w = &feed->write;
    struct sl__write_txn t;
    if (feed->saving && sl__write_touches_status(feed))
        return ISSUE_WAITS;
    if (sl__write_build(f, feed) != SL_OK)
        return write_give_back(f, feed, ISSUE_FAILED);
    if (!write_register(f, feed))
        return write_give_back(f, feed, ISSUE_NO_ROOM);
    sl__write_fill(f, feed, &t);
    if (!sl_out_store(out, &t.op))
        return write_give_back(f, feed, ISSUE_NO_ROOM);
    write_unqueue(f, feed, SL__WRITE_WRITING);
    w->sends_add = w->claims && sl__op_wants_add(f, feed) &&
                   sl__op_send_add(f, feed, w->op, w->epoch, sl__value_bytes(&w->info), out);
    return ISSUE_DONE;
}

static enum write_issue write_issue_read(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    const struct sl__feed_write *w = &feed->write;
    struct sl_key info, status, source;
    enum sl__write_phase phase = SL__WRITE_READING_INFO;
    if (w->info_is_read)
        phase = w->source_is_read ? SL__WRITE_READING_STATUS : SL__WRITE_READING_SOURCE;
    sl__feed_keys(f, feed, &info, &status);
    sl__feed_source_key(f, feed, &source);
    if (!write_register(f, feed))
        return ISSUE_NO_ROOM;
    const struct sl_key *key = phase == SL__WRITE_READING_SOURCE ? &source : &info;
    if (phase == SL__WRITE_READING_STATUS)
        key = &status;
    const struct sl_store_op op = { .id = w->op, .verb = SL_STORE_RANGE, .key = sl_key_str(key), .exact = true };
    if (!sl_out_store(out, &op)) {
        write_unregister(f, feed);
        return ISSUE_NO_ROOM;
    }
    write_unqueue(f, feed, phase);
    return ISSUE_DONE;
}

static void write_on_failed(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    write_unqueue(f, feed, SL__WRITE_IDLE);
    sl__write_pause(f, feed);
    write_give_up_epoch(f, feed, out);
    sl__feed_react(f, feed, out);
}

void sl__write_run(struct sl_feeds *f, struct sl_outbox *out)
{
    if (f->write_at != SL_NEVER && f->now < f->write_at)
        return;
    f->write_at = SL_NEVER;
    enum write_issue issue = ISSUE_DONE;
    for (uint32_t left = f->writes.count; left > 0 && issue != ISSUE_NO_ROOM; left--) {
        struct sl__feed *feed = sl__feed_at(f, f->writes.head);
        if (f->writes_in_flight == SL__FEEDS_WRITES_MAX)
            return; /* the next result goes on */
        issue = feed->write.must_read ? write_issue_read(f, feed, out) : write_issue_txn(f, feed, out);
        if (issue == ISSUE_FAILED) {
            write_on_failed(f, feed, out);
        } else if (issue != ISSUE_DONE) { /* behind the others, which may be smaller, or have nothing to wait for */
            write_unqueue(f, feed, SL__WRITE_IDLE);
            write_queue(f, feed);
        }
    }
    if (issue == ISSUE_NO_ROOM)
        f->write_at = sl_ns_after(f->now, SL__FEEDS_ROOM_NS);
}

sl_ns sl__write_deadline(const struct sl_feeds *f)
{
    return f->writes.count > 0 ? f->write_at : SL_NEVER;
}

/* ---- results ---- */

static void write_apply_info(struct sl_feeds *f, struct sl__feed *feed, sl_revision revision)
{
    struct sl__feed_write *w = &feed->write;
    sl__value_clear(f, &feed->info);
    feed->info = w->info;
    feed->info.revision = revision;
    w->info = (struct sl__value){ 0 };
    feed->record.state = w->put.state;
    feed->record.error = w->put.error;
    feed->record.epoch = w->epoch;
    if (w->put.info.bytes) {
        feed->record.start_ts = w->put.start_ts;
        feed->record.target_ts = w->put.target_ts;
    }
    sl__value_clear(f, &feed->want.info);
    if (!w->put.source.bytes)
        return;
    sl__value_clear(f, &feed->source);
    feed->source = feed->want.source;
    feed->want.source = (struct sl__value){ 0 };
    sl__value_clear(f, &w->source);
}

static void write_apply_status(struct sl_feeds *f, struct sl__feed *feed, sl_revision revision)
{
    struct sl__feed_write *w = &feed->write;
    sl__value_clear(f, &feed->status_value);
    feed->status_value = w->status;
    feed->status_value.revision = revision;
    w->status = (struct sl__value){ 0 };
    feed->status = (struct sl_feed_status){ w->checkpoint, w->put.progress };
    if (w->put.checkpoint == SL_TS_NONE)
        return;
    feed->checkpoint = w->put.checkpoint;
    feed->is_new = true;
    if (feed->want.checkpoint == w->put.checkpoint)
        feed->want.checkpoint = SL_TS_NONE;
}

static void write_on_done(struct sl_feeds *f, struct sl__feed *feed, sl_revision revision, struct sl_outbox *out)
{
    struct sl__feed_write *w = &feed->write;
    w->phase = SL__WRITE_IDLE;
    w->tries = 0;
    feed->creating = false;
    if (w->has_info)
        write_apply_info(f, feed, revision);
    if (w->has_status)
        write_apply_status(f, feed, revision);
    if (!w->claims)
        return;
    feed->want.bump = false;
    sl__op_on_epoch(f, feed, w->epoch, w->sends_add, out);
}

/* Certainly not done. A creation is refused then; everything else goes on until it succeeds. */
static bool write_on_refused(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    if (feed->creating && !feed->write.in_doubt) {
        sl__requests_end(f, feed, SL_NOT_READY, "the metadata store does not take it now", out);
        sl__feed_drop(f, feed);
        return false;
    }
    sl__write_pause(f, feed);
    return true;
}

/* False: the feed is gone. */
static bool write_on_result(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_result *r,
                            struct sl_outbox *out)
{
    struct sl__feed_write *w = &feed->write;
    bool done = r->outcome == SL_STORE_OK && r->succeeded;
    if (done && w->deletes) {
        sl__feed_gone(f, feed, out);
        return false;
    }
    if (done) {
        write_on_done(f, feed, r->revision, out);
        return true;
    }
    if (!feed->creating)
        sl__write_forget_bytes(f, feed);
    if (r->outcome == SL_STORE_REFUSED)
        return write_on_refused(f, feed, out);
    w->in_doubt = w->in_doubt || r->outcome != SL_STORE_OK;
    w->must_read = true;
    w->info_is_read = w->source_is_read = false;
    w->tries++;
    w->phase = SL__WRITE_IDLE;
    return true;
}

bool sl__write_on_store(struct sl_feeds *f, const struct sl_store_result *r, struct sl_outbox *out)
{
    uint32_t handle = sl_map_find(&f->by_op, write_hash_op(f, r->id), &r->id);
    if (handle == 0)
        return false;
    struct sl__feed *feed = sl__feed_at(f, handle);
    bool wrote = feed->write.phase == SL__WRITE_WRITING;
    write_unregister(f, feed);
    if (!(wrote ? write_on_result(f, feed, r, out) : sl__reread_on_result(f, feed, r, out)))
        return true;
    write_give_up_epoch(f, feed, out);
    sl__feed_react(f, feed, out);
    return true;
}
