/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "engine/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#define HUB_BUCKETS_MIN 64u
#define HUB_CATCH_UP_SHARE 4u /* a reader that catches up may queue this part of what the shared one may */

/* ---- making ---- */

static void hub_init_reader(struct sl_hub *h, uint32_t i)
{
    struct sl_reader_slot *r = &h->readers[i];
    const struct sl_plane_opts *opts = &h->plane->opts;
    *r = (struct sl_reader_slot){ .hub = h, .is_shared = i == 0 };
    r->queued_bytes_max = i == 0 ? opts->queue_bytes_max : opts->queue_bytes_max / HUB_CATCH_UP_SHARE;
    sl__cond_init(&r->changed);
}

static struct sl_bytes hub_copy(struct sl_bytes b)
{
    uint8_t *copy = malloc(b.len + 1);
    if (copy && b.len > 0)
        memcpy(copy, b.ptr, b.len);
    return (struct sl_bytes){ copy, b.len };
}

static void hub_release(struct sl_hub *h)
{
    sl__copy_deinit(h);
    free(h->readers);
    free(h->buckets);
    free((void *)(uintptr_t)h->uri.ptr);
    free((void *)(uintptr_t)h->filter.ptr);
    free(h);
}

struct sl_hub *sl__hub_new(struct sl_plane *p, struct sl_bytes uri, struct sl_bytes filter)
{
    struct sl_hub *h = calloc(1, sizeof *h);
    uint32_t reader_count = 1 + p->opts.catch_up_count_max;
    struct sl_trouble t;
    if (!h)
        return NULL;
    *h = (struct sl_hub){ .plane = p,
                          .next = p->hubs,
                          .driver = sl_source_find(p->opts.sources, sl_secret_of(uri), &t),
                          .uri = hub_copy(uri),
                          .filter = hub_copy(filter),
                          .readers = calloc(reader_count, sizeof *h->readers),
                          .reader_count = reader_count,
                          .buckets = calloc(HUB_BUCKETS_MIN, sizeof(struct sl_flow *)),
                          .bucket_count = HUB_BUCKETS_MIN };
    if (!sl__copy_init(h) || !h->readers || !h->buckets || !h->uri.ptr || !h->filter.ptr) {
        hub_release(h);
        return NULL;
    }
    pthread_mutex_init(&h->mutex, NULL);
    for (uint32_t i = 0; i < reader_count; i++)
        hub_init_reader(h, i);
    p->hubs = h;
    return h;
}

void sl__hub_free(struct sl_hub *h)
{
    SL_REQUIRE(h->feed_count == 0 && h->routed_count == 0 && h->waiting.count == 0 && h->readers_active == 0);
    struct sl_hub **link = &h->plane->hubs;
    while (*link != h)
        link = &(*link)->next;
    *link = h->next;
    for (uint32_t i = 0; i < h->reader_count; i++)
        pthread_cond_destroy(&h->readers[i].changed);
    pthread_mutex_destroy(&h->mutex);
    hub_release(h);
}

/* ---- who takes which table ---- */

static struct sl_flow **hub_bucket(const struct sl_hub *h, int64_t table_id)
{
    return &h->buckets[sl_hash_mix((uint64_t)table_id) & (h->bucket_count - 1)];
}

struct sl_flow *sl__hub_bucket(const struct sl_hub *h, int64_t table_id)
{
    return *hub_bucket(h, table_id);
}

/* Without memory the chains just get longer. */
static void hub_grow_buckets(struct sl_hub *h)
{
    if (h->routed_count < h->bucket_count || h->bucket_count > UINT32_MAX / 2)
        return;
    uint32_t old_count = h->bucket_count;
    struct sl_flow **old = h->buckets;
    struct sl_flow **buckets = calloc((size_t)old_count * 2, sizeof(struct sl_flow *));
    if (!buckets)
        return;
    h->buckets = buckets;
    h->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct sl_flow *f = old[i];
            old[i] = f->bucket_next;
            struct sl_flow **bucket = hub_bucket(h, f->table_id);
            f->bucket_next = *bucket;
            *bucket = f;
        }
    }
    free(old);
}

static void hub_add_route(struct sl_hub *h, struct sl_flow *f)
{
    hub_grow_buckets(h);
    struct sl_flow **bucket = hub_bucket(h, f->table_id);
    f->bucket_next = *bucket;
    *bucket = f;
    h->routed_count++;
}

static void hub_remove_route(struct sl_hub *h, struct sl_flow *f)
{
    struct sl_flow **link = hub_bucket(h, f->table_id);
    while (*link != f)
        link = &(*link)->bucket_next;
    *link = f->bucket_next;
    h->routed_count--;
}

static void hub_add_member(struct sl_reader_slot *r, struct sl_flow *f)
{
    f->reader = r;
    sl__flow_list_add(&r->members, f);
    hub_add_route(r->hub, f);
}

static void hub_remove_member(struct sl_flow *f)
{
    hub_remove_route(f->reader->hub, f);
    sl__flow_list_remove(&f->reader->members, f);
    f->reader = NULL;
}

/* The shared one also serves those that will join it, and those that will go on behind a change of the schema. */
void sl__hub_stop_idle(struct sl_hub *h)
{
    for (uint32_t i = 1; i < h->reader_count; i++)
        if (h->readers[i].members.count == 0)
            sl__reader_stop(&h->readers[i]);
    if (h->routed_count == 0 && h->waiting.count == 0 && h->stopped_count == 0)
        sl__reader_stop(&h->readers[0]);
}

void sl__hub_detach(struct sl_flow *f)
{
    struct sl_hub *h = f->feed->hub;
    sl__flow_leave_ahead(f);
    sl__flow_drop_stop(f);
    if (f->copy)
        sl__copy_leave(f);
    f->join_count = 0;
    if (f->reader) {
        f->from = sl_ts_max(f->from, f->reader->routed);
        hub_remove_member(f);
    } else if (f->state == SL_FLOW_WAITING) {
        sl__flow_list_remove(&h->waiting, f);
    }
}

/* ---- where a flow begins ---- */

static void hub_wait(struct sl_flow *f)
{
    if (f->state != SL_FLOW_WAITING)
        sl__flow_go(f, SL_FLOW_WAITING);
    sl__flow_list_add(&f->feed->hub->waiting, f);
    sl__flow_touch(f);
}

enum hub_replay { HUB_REPLAY_DONE, HUB_REPLAY_STOPPED, HUB_REPLAY_NO_MEMORY };

/* What the window holds of the flow's rows goes into its lane. Without memory: from is what it came to. */
static enum hub_replay hub_replay(struct sl_hub *h, struct sl_flow *f)
{
    for (struct sl_cargo *c = h->window_head; c; c = c->window_next) {
        if (sl_batch_through(c->batch) <= f->from)
            continue;
        uint32_t table = sl_batch_find_table(c->batch, f->table_id);
        if (table != SL_ROW_NONE && !sl__plane_lane_add(f->lane, c, f, table)) {
            f->from = sl_ts_max(f->from, c->from);
            return HUB_REPLAY_NO_MEMORY;
        }
        sl__plane_lane_push(f->lane, false);
        if (sl__flow_must_stop(f, c->batch)) {
            sl__flow_stop(f, c->batch);
            return HUB_REPLAY_STOPPED;
        }
    }
    return HUB_REPLAY_DONE;
}

static void hub_join_shared(struct sl_hub *h, struct sl_flow *f)
{
    switch (hub_replay(h, f)) {
    case HUB_REPLAY_DONE:
        hub_add_member(&h->readers[0], f);
        sl__flow_join(f);
        return;
    case HUB_REPLAY_NO_MEMORY:
        hub_wait(f);
        return;
    case HUB_REPLAY_STOPPED:
        return;
    }
    SL_UNREACHABLE();
}

/* Somebody who reads from below, as near as possible; or one that has not begun; or a new one. Null: wait. */
static struct sl_reader_slot *hub_choose_catch_up(struct sl_hub *h, sl_ts from)
{
    struct sl_reader_slot *best = NULL, *early = NULL, *idle = NULL;
    for (uint32_t i = 1; i < h->reader_count; i++) {
        struct sl_reader_slot *r = &h->readers[i];
        if (r->state == SL_READER_OVER)
            sl__reader_join(r);
        if (r->state == SL_READER_OFF)
            idle = idle ? idle : r;
        else if (r->state == SL_READER_STARTING && from < r->routed)
            early = r;
        else if (r->state != SL_READER_STOPPING && r->routed <= from && (!best || best->routed < r->routed))
            best = r;
    }
    if (best)
        return best;
    if (early) {
        early->routed = from;
        return early;
    }
    return idle && sl__reader_start(idle, from) ? idle : NULL;
}

/*
 * All readers that catch up are ahead of from, and none of them need ever end: a backlog may grow as fast as it is read.
 * Who is furthest behind holds the feed's checkpoint back, so the reader that is furthest ahead gives way: its flows wait
 * where it was, and go on with the next one that comes by from below.
 */
static void hub_make_room(struct sl_hub *h, sl_ts from)
{
    struct sl_reader_slot *first = NULL;
    for (uint32_t i = 1; i < h->reader_count; i++) {
        struct sl_reader_slot *r = &h->readers[i];
        if (r->state != SL_READER_STARTING && r->state != SL_READER_RUNNING)
            return; /* there will be room, or no thread could be had */
        if (!first || first->routed < r->routed)
            first = r;
    }
    if (!first || first->routed <= from)
        return;
    while (first->members.head) {
        struct sl_flow *f = first->members.head;
        f->from = sl_ts_max(f->from, first->routed);
        hub_remove_member(f);
        hub_wait(f);
    }
    sl__reader_stop(first);
}

static void hub_catch_up(struct sl_hub *h, struct sl_flow *f)
{
    struct sl_reader_slot *r = hub_choose_catch_up(h, f->from);
    if (!r) {
        hub_make_room(h, f->from);
        hub_wait(f);
        return;
    }
    hub_add_member(r, f);
    sl__flow_go(f, SL_FLOW_CATCHING);
    sl__flow_touch(f);
}

/* What is left of the shared reader's last life belongs to nobody who follows, and may be newer than what comes now. */
static void hub_forget_shared(struct sl_hub *h)
{
    for (struct sl_plane_feed *feed = h->feeds; feed; feed = feed->next)
        for (uint32_t i = 0; i < feed->lane_count; i++)
            sl__plane_lane_forget_shared(&feed->lanes[i]);
}

void sl__hub_attach(struct sl_flow *f)
{
    struct sl_hub *h = f->feed->hub;
    struct sl_reader_slot *shared = &h->readers[0];
    if (shared->state == SL_READER_OVER)
        sl__reader_join(shared);
    if (shared->state == SL_READER_OFF && sl__reader_start(shared, f->from)) {
        h->window_from = f->from;
        hub_forget_shared(h);
    }
    if (shared->state == SL_READER_OFF || shared->state == SL_READER_STOPPING) {
        hub_wait(f);
        return;
    }
    if (shared->state == SL_READER_STARTING && f->from < shared->routed)
        shared->routed = h->window_from = f->from;
    if (f->from >= h->window_from)
        hub_join_shared(h, f);
    else
        hub_catch_up(h, f);
}

void sl__hub_retry(struct sl_hub *h)
{
    uint32_t count = h->waiting.count;
    for (; count > 0 && h->waiting.head; count--) {
        struct sl_flow *f = h->waiting.head;
        sl__flow_list_remove(&h->waiting, f);
        if (f->lane->row_count > h->plane->opts.commit_rows_max)
            sl__flow_list_add(&h->waiting, f);
        else
            sl__hub_attach(f);
    }
}

/* ---- batches ---- */

static void hub_keep(struct sl_hub *h, struct sl_cargo *c)
{
    c->refs++;
    c->window_next = NULL;
    if (h->window_head)
        h->window_tail->window_next = c;
    else
        h->window_head = c;
    h->window_tail = c;
    h->window_bytes += c->size;
    while (h->window_bytes > h->plane->opts.window_bytes_max) {
        struct sl_cargo *oldest = h->window_head;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): window_bytes is the sum of what is in the window */
        h->window_head = oldest->window_next;
        h->window_bytes -= oldest->size;
        h->window_from = sl_batch_through(oldest->batch);
        sl__cargo_unref(oldest);
    }
}

void sl__hub_drop_window(struct sl_hub *h)
{
    while (h->window_head) {
        struct sl_cargo *c = h->window_head;
        h->window_head = c->window_next;
        sl__cargo_unref(c);
    }
    h->window_bytes = 0;
}

/* The members of r that take this table. One for which there is no memory waits, as if it were slow. */
static struct sl_plane_lane *hub_route_table(struct sl_reader_slot *r, struct sl_cargo *c, uint32_t table,
                                             struct sl_plane_lane *touched)
{
    int64_t table_id = sl_batch_table(c->batch, table)->def->table_id;
    struct sl_flow *next = NULL;
    for (struct sl_flow *f = *hub_bucket(r->hub, table_id); f; f = next) {
        next = f->bucket_next;
        if (f->table_id != table_id || f->reader != r)
            continue;
        bool was_touched = f->lane->building != NULL;
        if (!sl__plane_lane_add(f->lane, c, f, table)) {
            sl__hub_detach(f);
            hub_wait(f);
        } else if (!was_touched && f->lane->building) {
            f->lane->touched_next = touched;
            touched = f->lane;
        }
    }
    return touched;
}

static void hub_come(struct sl_hub *h, sl_ts routed)
{
    struct sl_flow *next = NULL;
    for (struct sl_flow *f = h->ahead; f; f = next) {
        next = f->ahead_next;
        if (sl__flow_joins_at(f) <= routed)
            sl__flow_come(f);
    }
}

static bool hub_route_batch(struct sl_reader_slot *r, struct sl_batch *batch)
{
    struct sl_cargo *c = sl__cargo_new(r, batch);
    if (!c)
        return false;
    struct sl_plane_lane *touched = NULL;
    for (uint32_t i = 0; i < sl_batch_table_count(batch); i++)
        if (sl_batch_table(batch, i)->count > 0)
            touched = hub_route_table(r, c, i, touched);
    for (; touched; touched = touched->touched_next)
        sl__plane_lane_push(touched, r->is_shared);
    r->hub->rows_read += sl_batch_row_count(batch);
    sl__hub_stop_members(r, batch);
    if (r->is_shared)
        hub_keep(r->hub, c);
    sl__cargo_unref(c);
    return true;
}

bool sl__hub_route(struct sl_reader_slot *r, struct sl_batch *batch)
{
    sl_ts through = sl_ts_max(r->routed, sl_batch_through(batch));
    if (r->is_shared)
        sl__place_note(r->hub, batch);
    if (sl_batch_row_count(batch) == 0 && !sl_batch_ddl(batch))
        sl_batch_unref(batch);
    else if (!hub_route_batch(r, batch))
        return false;
    r->routed = through;
    if (r->is_shared)
        hub_come(r->hub, through);
    else if (r->members.count == 0)
        sl__hub_stop_idle(r->hub); /* a change of the schema has stopped them all */
    return true;
}

bool sl__hub_can_merge(const struct sl_reader_slot *r)
{
    const struct sl_reader_slot *shared = &r->hub->readers[0];
    bool is_there = shared->state == SL_READER_STARTING || shared->state == SL_READER_RUNNING;
    return !r->is_shared && is_there && r->routed >= r->hub->window_from;
}

void sl__hub_merge(struct sl_reader_slot *r)
{
    while (r->members.head) {
        struct sl_flow *f = r->members.head;
        f->from = sl_ts_max(f->from, r->routed);
        hub_remove_member(f);
        hub_join_shared(r->hub, f);
    }
    sl__reader_stop(r);
}

struct sl_plane_lane *sl__hub_slow_lane(struct sl_hub *h)
{
    struct sl_plane_lane *slowest = NULL;
    bool others_wait = false;
    for (struct sl_plane_feed *feed = h->feeds; feed; feed = feed->next) {
        if (feed->state != SL_PLANE_FEED_OPEN || !feed->flows)
            continue;
        for (uint32_t i = 0; i < feed->lane_count; i++) {
            struct sl_plane_lane *l = &feed->lanes[i];
            if (!l->shared_head)
                others_wait = true;
            else if (l->queue.head && (!slowest || l->shared_head->cargo->from < slowest->shared_head->cargo->from))
                slowest = l;
        }
    }
    return others_wait ? slowest : NULL;
}
