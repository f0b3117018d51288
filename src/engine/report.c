/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "engine/engine_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_BATCH 128u /* flows told of between two looks at the hub */
#define REPORT_ROUNDS_MAX 4096u
#define REPORTS_PER_FLOW_MAX 3u

/*
 * What the loop hears. Reports are made under the hub's mutex and delivered outside of it, in order; the progress of a
 * feed is computed only when no flow has anything to say, so that who has left its followers was told of before.
 */
struct report_batch {
    struct sl_report reports[REPORT_BATCH];
    struct sl_flow *over[REPORT_BATCH]; /* reported for the last time, or without a word */
    struct sl_block blocks[REPORT_BATCH];
    struct sl_batch *block_batches[REPORT_BATCH]; /* what blocks point to */
    uint32_t report_count, over_count, block_count;
};

static struct sl_str report_text(const char *text)
{
    return sl_str_of(text);
}

static struct sl_report report_of(const struct sl_flow *f, enum sl_report_kind kind)
{
    const struct sl_reader_slot *r = f->reader;
    sl_ts checkpoint = sl_ts_max(f->start_ts, sl__flow_durable(f));
    return (struct sl_report){ .kind = kind,
                               .feed = f->feed->token,
                               .dispatcher = f->token,
                               .checkpoint = checkpoint,
                               .resolved = sl_ts_max(checkpoint, r ? r->routed : SL_TS_NONE),
                               .follows = f->state == SL_FLOW_FOLLOWING };
}

static sl_ns report_age(const struct sl_parcel *oldest, sl_ns now)
{
    return oldest ? now - sl_batch_arrived(oldest->cargo->batch) : 0;
}

static const struct sl_parcel *report_oldest(const struct sl_plane_lane *l)
{
    return l->in_flight.head ? l->in_flight.head : l->queue.head;
}

/* One that stops without having been asked to follows nobody from now on, though its end may take a while. */
static void report_unfollow(struct report_batch *b, struct sl_flow *f)
{
    if (!f->is_told_following || f->end == SL_FLOW_END_SILENT)
        return;
    f->is_told_following = false;
    b->reports[b->report_count++] = report_of(f, SL_REPORT_PROGRESS);
}

static void report_end(struct report_batch *b, struct sl_flow *f)
{
    if (!sl__flow_is_free(f)) { /* comes again when it is */
        report_unfollow(b, f);
        return;
    }
    b->over[b->over_count++] = f;
    if (f->end == SL_FLOW_END_SILENT)
        return;
    bool is_closed = f->end == SL_FLOW_END_CLOSED;
    struct sl_report *r = &b->reports[b->report_count++];
    *r = report_of(f, is_closed ? SL_REPORT_CLOSED : SL_REPORT_FAILED);
    if (is_closed)
        return;
    r->code = f->trouble ? report_text(f->trouble->code) : SL_STR("FAILED");
    r->text = f->trouble ? report_text(f->trouble->text) : SL_STR("no memory to say why");
}

/* A change of the schema is behind it. */
static void report_unblocked(struct report_batch *b, struct sl_flow *f)
{
    if (f->passed_ts == SL_TS_NONE)
        return;
    struct sl_report *r = &b->reports[b->report_count++];
    *r = report_of(f, SL_REPORT_UNBLOCKED);
    r->checkpoint = f->passed_ts;
    f->passed_ts = SL_TS_NONE;
}

static void report_blocked(struct report_batch *b, struct sl_flow *f)
{
    if (f->state != SL_FLOW_BLOCKED || f->stop_stage != SL_STOP_STANDS || f->is_stop_told)
        return;
    f->is_stop_told = true;
    b->blocks[b->block_count] = sl__flow_block(f);
    b->block_batches[b->block_count] = sl_batch_ref(f->stop);
    struct sl_report *r = &b->reports[b->report_count++];
    *r = report_of(f, SL_REPORT_BLOCKED);
    r->block = &b->blocks[b->block_count++];
}

static void report_flow(struct report_batch *b, struct sl_flow *f, sl_ns now)
{
    switch ((enum sl_flow_state)f->state) {
    case SL_FLOW_OVER:
        report_end(b, f);
        return;
    case SL_FLOW_COPYING:
    case SL_FLOW_WAITING:
    case SL_FLOW_CATCHING:
    case SL_FLOW_JOINING:
    case SL_FLOW_FOLLOWING:
    case SL_FLOW_BLOCKED:
        report_unblocked(b, f);
        b->reports[b->report_count] = report_of(f, f->is_told_ready ? SL_REPORT_PROGRESS : SL_REPORT_READY);
        b->reports[b->report_count].age_ns = f->pending > 0 ? report_age(report_oldest(f->lane), now) : 0;
        f->checkpoint = b->reports[b->report_count++].checkpoint;
        f->is_told_ready = true;
        f->is_told_following = f->state == SL_FLOW_FOLLOWING;
        report_blocked(b, f);
        return;
    case SL_FLOW_CLOSING:
        report_unfollow(b, f);
        return;
    case SL_FLOW_CLAIMING: /* nothing yet */
    case SL_FLOW_STATE_COUNT:
        return;
    }
    SL_UNREACHABLE();
}

static void report_collect(struct sl_hub *h, struct report_batch *b)
{
    sl_ns now = sl__now();
    b->report_count = b->over_count = b->block_count = 0;
    while (h->dirty_head && b->report_count + REPORTS_PER_FLOW_MAX <= REPORT_BATCH && b->over_count < REPORT_BATCH) {
        struct sl_flow *f = h->dirty_head;
        h->dirty_head = f->dirty_next;
        f->is_dirty = false;
        report_flow(b, f, now);
    }
    for (uint32_t i = 0; i < b->over_count; i++) {
        struct sl_flow *f = b->over[i];
        if (f->feed_prev)
            f->feed_prev->feed_next = f->feed_next;
        else
            f->feed->flows = f->feed_next;
        if (f->feed_next)
            f->feed_next->feed_prev = f->feed_prev;
        if (!f->feed->flows && f->feed->state == SL_PLANE_FEED_DROPPED)
            sl__plane_feed_touch(f->feed);
    }
}

/* Outside of the mutex: the client may perform commands meanwhile. A flow is forgotten before its end is told. */
static void report_deliver(struct sl_plane *p, struct report_batch *b)
{
    struct sl_flow_trouble *troubles[REPORT_BATCH];
    for (uint32_t i = 0; i < b->over_count; i++) {
        struct sl_flow *f = b->over[i];
        troubles[i] = f->trouble;
        sl_map_remove(&p->flow_by_token, sl_hash_u64(0, f->token), f->handle);
        sl_spread_give_back(&f->feed->spread, f->table_id);
        sl_slab_free(&p->flows, f->handle);
    }
    for (uint32_t i = 0; i < b->report_count; i++)
        p->client.on_report(p->client.ctx, &b->reports[i]);
    for (uint32_t i = 0; i < b->over_count; i++)
        free(troubles[i]); /* NOLINT(clang-analyzer-core.CallAndMessage) the client cannot change over_count */
    for (uint32_t i = 0; i < b->block_count; i++)
        sl_batch_unref(b->block_batches[i]);
}

/* Returns with the mutex held and nothing left to tell of flows; or false, without it, if there is no end. */
static bool report_flows(struct sl_plane *p, struct sl_hub *h)
{
    struct report_batch b;
    for (uint32_t round = 0; round < REPORT_ROUNDS_MAX; round++) {
        pthread_mutex_lock(&h->mutex);
        if (!h->dirty_head)
            return true;
        report_collect(h, &b);
        pthread_mutex_unlock(&h->mutex);
        report_deliver(p, &b);
    }
    sl__plane_wake(p);
    return false;
}

/* ---- feeds ---- */

static sl_ts report_feed_checkpoint(const struct sl_plane_feed *f)
{
    sl_ts checkpoint = f->hub->readers[0].routed;
    for (uint32_t i = 0; i < f->lane_count; i++)
        if (f->lanes[i].shared_head)
            checkpoint = sl_ts_min(checkpoint, f->lanes[i].shared_head->cargo->from);
    return checkpoint;
}

/* Under the mutex, with no flow left to tell of. False: nothing new. */
static bool report_feed_progress(struct sl_plane_feed *f, struct sl_report *r)
{
    sl_ts checkpoint = report_feed_checkpoint(f), resolved = f->hub->readers[0].routed;
    bool is_new = checkpoint > f->checkpoint || (checkpoint == f->checkpoint && resolved > f->resolved);
    if (f->follower_count == 0 || !is_new)
        return false;
    f->checkpoint = checkpoint;
    f->resolved = sl_ts_max(f->resolved, resolved);
    *r = (struct sl_report){
        .kind = SL_REPORT_FEED_PROGRESS, .feed = f->token, .checkpoint = checkpoint, .resolved = f->resolved
    };
    sl_ns now = sl__now();
    for (uint32_t i = 0; i < f->lane_count; i++) {
        sl_ns age = report_age(f->lanes[i].shared_head, now);
        r->age_ns = age > r->age_ns ? age : r->age_ns;
    }
    return true;
}

static bool report_is_same_copy(const struct sl_copy_progress *a, const struct sl_copy_progress *b)
{
    return a->tables == b->tables && a->rows == b->rows && a->rows_about == b->rows_about;
}

static bool report_feed_copy(struct sl_plane_feed *f, struct sl_report *r)
{
    bool is_new = !report_is_same_copy(&f->copy, &f->copy_told);
    f->copy_told = f->copy;
    *r = (struct sl_report){ .kind = SL_REPORT_COPY, .feed = f->token, .copy = f->copy };
    return is_new && f->state == SL_PLANE_FEED_OPEN;
}

static void report_progress(struct sl_plane *p, struct sl_hub *h)
{
    for (struct sl_plane_feed *f = h->feeds, *next = NULL; f; f = next) {
        struct sl_report r, copy;
        next = f->next;
        if (!report_flows(p, h))
            return;
        bool has_progress = f->state == SL_PLANE_FEED_OPEN && report_feed_progress(f, &r);
        bool has_copy = report_feed_copy(f, &copy);
        pthread_mutex_unlock(&h->mutex);
        if (has_copy)
            p->client.on_report(p->client.ctx, &copy);
        if (has_progress)
            p->client.on_report(p->client.ctx, &r);
    }
}

/* What became of a feed; sets *is_over if it is to be freed. */
static bool report_feed(struct sl_plane_feed *f, struct sl_report *r, bool *is_over)
{
    *r = (struct sl_report){ .feed = f->token };
    *is_over = false;
    switch (f->state) {
    case SL_PLANE_FEED_OPENING:
        return false;
    case SL_PLANE_FEED_OPEN:
        if (f->is_told)
            return false;
        f->is_told = true;
        r->kind = SL_REPORT_FEED_OPENED;
        return true;
    case SL_PLANE_FEED_FAILED:
        r->kind = SL_REPORT_FEED_FAILED;
        r->code = report_text(f->trouble.code);
        r->text = report_text(f->trouble.detail);
        return *is_over = f->lanes_running == 0;
    case SL_PLANE_FEED_DROPPED:
        r->kind = SL_REPORT_FEED_CLOSED;
        return *is_over = f->lanes_running == 0 && !f->flows;
    }
    SL_UNREACHABLE();
}

static void report_note(struct sl_plane *p, struct sl_plane_feed *f, const struct sl_trouble *t)
{
    if (p->client.on_note)
        p->client.on_note(p->client.ctx, &f->id, t);
}

static void report_feeds(struct sl_plane *p, struct sl_hub *h)
{
    for (;;) {
        struct sl_report r;
        bool is_over;
        pthread_mutex_lock(&h->mutex);
        struct sl_plane_feed *f = h->dirty_feeds;
        if (!f) {
            pthread_mutex_unlock(&h->mutex);
            return;
        }
        h->dirty_feeds = f->dirty_next;
        f->is_dirty = false;
        bool has_report = report_feed(f, &r, &is_over);
        struct sl_trouble trouble = f->trouble;
        bool is_noted = f->is_noted && !is_over;
        f->is_noted = false;
        pthread_mutex_unlock(&h->mutex);
        if (is_noted)
            report_note(p, f, &trouble);
        char text[sizeof trouble.detail + sizeof trouble.remedy + 2];
        if (has_report && r.kind == SL_REPORT_FEED_FAILED) {
            snprintf(text, sizeof text, "%s%s%s", trouble.detail, trouble.remedy[0] ? "; " : "", trouble.remedy);
            r.code = report_text(trouble.code);
            r.text = report_text(text);
        }
        if (is_over)
            sl__plane_feed_free(f);
        if (has_report)
            p->client.on_report(p->client.ctx, &r);
    }
}

/* ---- the node ---- */

/* Lagging flows have progress of their own; who waits may go on. */
static void report_tick_hub(struct sl_hub *h)
{
    pthread_mutex_lock(&h->mutex);
    sl__hub_retry(h);
    sl__copy_retry(h);
    for (uint32_t i = 0; i < h->reader_count; i++) {
        if (i > 0 && h->readers[i].state == SL_READER_OVER)
            sl__reader_join(&h->readers[i]);
        for (struct sl_flow *f = i > 0 ? h->readers[i].members.head : NULL; f; f = f->next)
            if (sl__flow_durable(f) > f->checkpoint)
                sl__flow_touch(f);
    }
    for (struct sl_flow *f = h->waiting.head; f; f = f->next)
        if (sl__flow_durable(f) > f->checkpoint)
            sl__flow_touch(f);
    pthread_mutex_unlock(&h->mutex);
}

/* The first lane of each feed asks its sink. */
static void report_ask_copies(struct sl_plane *p, sl_ns now)
{
    if (now < p->copies_due_ns)
        return;
    p->copies_due_ns = now + p->opts.copy_poll_ns;
    for (struct sl_hub *h = p->hubs; h; h = h->next) {
        pthread_mutex_lock(&h->mutex);
        for (struct sl_plane_feed *f = h->feeds; f; f = f->next) {
            bool can_copy = f->state == SL_PLANE_FEED_OPEN && f->flows && f->sink && f->sink->is_exact;
            if (!can_copy || !f->sink->driver->copies_asked || !h->driver || !h->driver->copy_open)
                continue;
            f->lanes[0].asks_copies = true;
            pthread_cond_signal(&f->lanes[0].changed);
        }
        pthread_mutex_unlock(&h->mutex);
    }
}

static void report_hosted(struct sl_plane *p, bool is_tick)
{
    struct sl_report r = { .kind = SL_REPORT_HOSTED };
    for (struct sl_hub *h = p->hubs; h; h = h->next) {
        pthread_mutex_lock(&h->mutex);
        r.readers += h->readers_active;
        r.unflushed_rows += h->rows_unflushed;
        pthread_mutex_unlock(&h->mutex);
    }
    bool is_new = r.readers != p->readers_told || (r.unflushed_rows == 0) != (p->unflushed_told == 0);
    if (!is_new && (!is_tick || r.unflushed_rows == p->unflushed_told))
        return;
    p->readers_told = r.readers;
    p->unflushed_told = r.unflushed_rows;
    p->client.on_report(p->client.ctx, &r);
}

static bool report_hub_is_idle(struct sl_hub *h)
{
    bool is_idle = h->feed_count == 0;
    pthread_mutex_lock(&h->mutex);
    for (uint32_t i = 0; i < h->reader_count; i++) {
        if (h->readers[i].state == SL_READER_OVER)
            sl__reader_join(&h->readers[i]);
        is_idle = is_idle && h->readers[i].state == SL_READER_OFF;
    }
    is_idle = sl__copy_is_idle(h) && is_idle;
    pthread_mutex_unlock(&h->mutex);
    return is_idle;
}

static void report_refused(struct sl_plane *p)
{
    for (uint32_t i = 0; i < p->refused_count; i++) {
        struct sl_refused refused = p->refused[i];
        struct sl_report r = { .kind = refused.dispatcher != 0 ? SL_REPORT_FAILED : SL_REPORT_FEED_FAILED,
                               .feed = refused.feed,
                               .dispatcher = refused.dispatcher,
                               .checkpoint = refused.start_ts,
                               .code = SL_STR("NO_MEMORY"),
                               .text = SL_STR("no memory, or too many feeds or dispatchers on this node") };
        p->client.on_report(p->client.ctx, &r);
    }
    p->refused_count = 0;
}

void sl_plane_poll(struct sl_plane *p)
{
    sl_ns now = sl__now();
    bool is_tick = p->opts.is_manual || now >= p->progress_due_ns;
    atomic_store(&p->is_woken, false);
    if (is_tick)
        p->progress_due_ns = now + p->opts.progress_ns;
    report_refused(p);
    for (struct sl_hub *h = p->hubs, *next = NULL; h; h = next) {
        next = h->next;
        if (is_tick)
            report_tick_hub(h);
        if (report_flows(p, h))
            pthread_mutex_unlock(&h->mutex);
        if (is_tick)
            report_progress(p, h);
        report_feeds(p, h);
        if (report_hub_is_idle(h))
            sl__hub_free(h);
    }
    report_ask_copies(p, now);
    sl__loader_deliver(p);
    report_hosted(p, is_tick);
}

void sl_plane_stats(struct sl_plane *p, struct sl_plane_stats *out)
{
    *out = (struct sl_plane_stats){ .feeds = p->feeds.count, .dispatchers = p->flows.count };
    for (struct sl_hub *h = p->hubs; h; h = h->next) {
        pthread_mutex_lock(&h->mutex);
        out->readers += h->readers_active;
        out->rows_read += h->rows_read;
        out->rows_durable += h->rows_durable;
        out->rows_unflushed += h->rows_unflushed;
        out->detached += h->detached;
        out->copying += h->copying_count;
        out->rows_copied += h->rows_copied;
        for (uint32_t i = 0; i < h->reader_count; i++)
            out->bytes_queued += h->readers[i].queued_bytes;
        for (struct sl_plane_feed *f = h->feeds; f; f = f->next)
            out->followers += f->follower_count;
        pthread_mutex_unlock(&h->mutex);
    }
}
