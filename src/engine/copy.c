/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * Initial copies. A flow that is COPYING is in the hub's list of copies until a copier takes it; the copier reads one
 * chunk after the other and hands them to the flow's lane, which writes them in order. When the last one is durable the
 * flow goes on as one that starts at low.
 *
 *     h->copies  -->  copier: chunk 1, 2, ... n  -->  lane  -->  sink: rows and place in one transaction
 *                        ^                              |
 *                        +--- room for more chunks -----+
 *
 * From low to high the log is applied to rows that may be newer already; at high the table is as at the source. A change
 * of the schema in between cannot be performed on such a table: the copy begins again behind it
 * (docs/decisions/0007-initial-copy.md).
 */

#define COPY_WAIT_NS (10 * SL_MS)
#define COPY_ROWS_MAX 8192u /* of a chunk */

/* ---- whether ---- */

bool sl__copy_is_wanted(const struct sl_flow *f)
{
    return f->feed->wants_copy && !f->is_table_trigger && f->start_ts <= f->feed->start_ts;
}

static bool copy_is_possible(const struct sl_flow *f)
{
    const struct sl_sink *sink = f->feed->sink;
    const struct sl_source_driver *source = f->feed->hub->driver;
    return sink->is_exact && sink->driver->copies_asked && source && source->copy_open;
}

static bool copy_new(struct sl_flow *f, const struct sl_copy_stored *stored)
{
    struct sl_flow_copy *c = calloc(1, sizeof *c + stored->place_len);
    if (!c)
        return false;
    *c = (struct sl_flow_copy){ .number = stored->number,
                                .low = stored->low,
                                .rows = stored->rows,
                                .rows_read = stored->rows,
                                .rows_about = stored->rows_about,
                                .place_len = stored->place_len,
                                .place_cap = stored->place_len };
    if (stored->place_len > 0)
        memcpy(c->place, stored->place, stored->place_len);
    f->copy = c;
    return true;
}

/* In CLAIMING. The copy that stored speaks of goes on, or begins. */
static void copy_prepare(struct sl_flow *f, const struct sl_copy_stored *stored)
{
    struct sl_trouble t;
    const struct sl_copy_stored fresh = { .state = SL_COPY_WANTED };
    if (!copy_is_possible(f)) {
        sl_trouble_set(
            &t, SL_TROUBLE_LASTING, "COPY_NOT_POSSIBLE",
            "copy from a mysql:// source into a mysql:// sink with exactly-once=true, or start without a snapshot",
            "this source or this sink cannot take part in an initial copy");
        sl__flow_end(f, SL_FLOW_END_FAILED, &t);
    } else if (!copy_new(f, stored->state == SL_COPY_BEGUN ? stored : &fresh)) {
        sl_trouble_set(&t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "no memory for a copy");
        sl__flow_end(f, SL_FLOW_END_FAILED, &t);
    }
}

void sl__copy_note(struct sl_flow *f, struct sl_copy_stored *stored)
{
    switch (stored->state) {
    case SL_COPY_NONE:
        if (sl__copy_is_wanted(f))
            copy_prepare(f, stored);
        break;
    case SL_COPY_WANTED:
    case SL_COPY_AGAIN:
    case SL_COPY_BEGUN:
        copy_prepare(f, stored);
        break;
    case SL_COPY_DONE:
        f->copied_high = stored->high;
        f->is_copied_partly = stored->is_partly;
        break;
    }
    free(stored->place);
    stored->place = NULL;
}

bool sl__copy_covers(const struct sl_copy_stored *stored, const struct sl_chunk *chunk)
{
    return (stored->state == SL_COPY_BEGUN || stored->state == SL_COPY_DONE) && stored->low == chunk->low &&
           stored->number >= chunk->number;
}

/* ---- begin, leave, end ---- */

static void *copy_main(void *arg);

/* Copiers that run take what is in the list when they are done; otherwise one more starts. */
static void copy_start_slot(struct sl_hub *h)
{
    for (uint32_t i = 0; i < h->copier_count; i++) {
        struct sl_copy_slot *s = &h->copiers[i];
        if (s->base.state == SL_READER_OVER)
            sl__reader_join(&s->base);
        if (s->base.state != SL_READER_OFF)
            continue;
        s->base.state = SL_READER_RUNNING;
        if (sl__thread_start(&s->base.thread, copy_main, s))
            h->readers_active++;
        else
            s->base.state = SL_READER_OFF; /* tried again with the next tick */
        return;
    }
}

static void copy_count(struct sl_flow *f, int64_t rows, int64_t rows_about)
{
    f->feed->copy.rows += (uint64_t)rows;
    f->feed->copy.rows_about += (uint64_t)rows_about;
}

void sl__copy_start(struct sl_flow *f)
{
    struct sl_hub *h = f->feed->hub;
    sl__flow_go(f, SL_FLOW_COPYING);
    sl__flow_list_add(&h->copies, f);
    h->copying_count++;
    f->feed->copy.tables++;
    copy_count(f, (int64_t)f->copy->rows, (int64_t)f->copy->rows_about);
    copy_start_slot(h);
    sl__flow_touch(f);
}

void sl__copy_retry(struct sl_hub *h)
{
    if (h->copies.count > 0)
        copy_start_slot(h);
}

void sl__copy_leave(struct sl_flow *f)
{
    struct sl_hub *h = f->feed->hub;
    struct sl_flow_copy *c = f->copy;
    f->copy = NULL;
    if (f->state != SL_FLOW_COPYING) { /* it was to begin */
        free(c);
        return;
    }
    if (c->slot)
        c->slot->flow = NULL;
    else if (!c->is_read)
        sl__flow_list_remove(&h->copies, f);
    h->copying_count--;
    f->feed->copy.tables--;
    f->feed->copy.rows -= c->rows;
    f->feed->copy.rows_about -= c->rows_about;
    free(c);
}

static bool copy_new_again(struct sl_flow *f, sl_ts not_before)
{
    const struct sl_copy_stored again = { .state = SL_COPY_AGAIN };
    if (!copy_new(f, &again))
        return false;
    f->copy->not_before = not_before;
    return true;
}

void sl__copy_ask_again(struct sl_flow *f)
{
    bool is_served = f->state == SL_FLOW_WAITING || f->state == SL_FLOW_CATCHING || f->state == SL_FLOW_JOINING ||
                     f->state == SL_FLOW_FOLLOWING;
    if (!is_served || !copy_is_possible(f))
        return;
    sl__hub_detach(f);
    if (copy_new_again(f, SL_TS_NONE))
        sl__copy_start(f);
    else
        sl__hub_attach(f); /* the sink will name it again */
    sl__hub_stop_idle(f->feed->hub);
}

static bool copy_lists(const int64_t *ids, uint32_t count, int64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static bool copy_is_dropped(const struct sl_flow *f, const struct sl_ddl *ddl)
{
    bool is_wide = ddl->influence != SL_INFLUENCE_NORMAL;
    return ddl->effect == SL_DDL_JOINT &&
           (is_wide || (copy_lists(ddl->dropped, ddl->dropped_count, f->table_id) && ddl->added_count == 0));
}

bool sl__copy_is_in_the_way(const struct sl_flow *f, const struct sl_ddl *ddl)
{
    return !f->is_table_trigger && (ddl->ts <= f->copied_high || f->is_copied_partly) && !copy_is_dropped(f, ddl);
}

bool sl__copy_restart_behind(struct sl_flow *f, const struct sl_ddl *ddl)
{
    if (!sl__copy_is_in_the_way(f, ddl) || ddl->effect != SL_DDL_OWN || !copy_new_again(f, ddl->ts))
        return false;
    f->from = sl_ts_max(f->from, ddl->ts - 1); /* not the change itself: who takes over has to see it too */
    f->copied_high = SL_TS_NONE;
    sl__copy_start(f);
    return true;
}

void sl__copy_refuse(struct sl_flow *f, const struct sl_ddl *ddl)
{
    struct sl_trouble t;
    sl_trouble_set(&t, SL_TROUBLE_LASTING, "COPY_SCHEMA_CHANGED",
                   "remove the feed, empty its tables at the sink and make it anew with --start snapshot",
                   "a table was renamed or replaced while it was copied ('%s' of ts %llu)", ddl->kind,
                   (unsigned long long)ddl->ts);
    sl__flow_end(f, SL_FLOW_END_FAILED, &t);
}

void sl__copy_chunk_done(struct sl_flow *f, const struct sl_batch *batch)
{
    const struct sl_chunk *chunk = sl_batch_chunk(batch);
    struct sl_flow_copy *c = f->copy;
    if (f->state != SL_FLOW_COPYING || !c || chunk->low != c->low)
        return;
    uint64_t rows = chunk->rows_before + sl_batch_row_count(batch);
    copy_count(f, (int64_t)(rows - c->rows), 0);
    c->rows = rows;
    if (!chunk->is_last)
        return;
    SL_REQUIRE(c->is_read && f->pending == 0);
    f->copied_high = chunk->high;
    f->is_copied_partly = chunk->is_gone && chunk->number > 1;
    f->from = f->durable = sl_ts_max(f->from, chunk->low);
    sl__copy_leave(f);
    sl__hub_attach(f);
}

/* ---- copiers ---- */

static bool copy_goes_on(const struct sl_copy_slot *s)
{
    return s->base.state == SL_READER_RUNNING;
}

static bool copy_take(struct sl_copy_slot *s)
{
    struct sl_hub *h = s->base.hub;
    struct sl_flow *f = h->copies.head;
    if (!f)
        return false;
    sl__flow_list_remove(&h->copies, f);
    f->copy->slot = s;
    s->flow = f;
    return true;
}

static void copy_close(struct sl_copy_slot *s)
{
    struct sl_copier *source = s->source;
    s->source = NULL;
    if (!source)
        return;
    pthread_mutex_unlock(&s->base.hub->mutex);
    source->driver->copy_close(source);
    pthread_mutex_lock(&s->base.hub->mutex);
}

static bool copy_open(struct sl_copy_slot *s, struct sl_trouble *t)
{
    struct sl_hub *h = s->base.hub;
    struct sl_source_open o = { .uri = sl_secret_of(h->uri), .config = sl_secret_of(h->filter) };
    struct sl_copier *source = NULL;
    pthread_mutex_unlock(&h->mutex);
    bool is_open = h->driver->copy_open(&source, &o, t);
    pthread_mutex_lock(&h->mutex);
    if (is_open)
        s->source = source;
    return is_open;
}

/* The definition changed under the copy. */
static void copy_restart(struct sl_flow *f)
{
    struct sl_flow_copy *c = f->copy;
    copy_count(f, -(int64_t)c->rows, 0);
    c->number = c->rows_read = c->rows = 0;
    c->place_len = 0;
    c->low = SL_TS_NONE;
}

/* Room for a place of that length; the one that is there stays. False without memory. */
static bool copy_reserve(struct sl_flow *f, size_t len)
{
    struct sl_flow_copy *c = f->copy;
    if (len <= c->place_cap)
        return true;
    c = len <= SL_COPY_PLACE_MAX ? realloc(c, sizeof *c + len) : NULL;
    if (!c)
        return false;
    c->place_cap = len;
    f->copy = c;
    return true;
}

static void copy_advance(struct sl_copy_slot *s, const struct sl_batch *batch)
{
    const struct sl_chunk *chunk = sl_batch_chunk(batch);
    struct sl_flow_copy *c = s->flow->copy;
    if (chunk->place.len > 0)
        memcpy(c->place, chunk->place.ptr, chunk->place.len);
    c->place_len = chunk->place.len;
    c->number = chunk->number;
    c->low = chunk->low;
    c->rows_read = chunk->rows_before + sl_batch_row_count(batch);
    copy_count(s->flow, 0, (int64_t)(chunk->rows_about - c->rows_about));
    c->rows_about = chunk->rows_about;
    c->is_read = chunk->is_last;
    s->base.hub->rows_copied += sl_batch_row_count(batch);
    if (c->is_read) {
        c->slot = NULL;
        s->flow = NULL;
    }
}

/* Consumes the batch if it is true. */
static bool copy_hand_over(struct sl_copy_slot *s, struct sl_batch *batch)
{
    struct sl_flow *f = s->flow;
    const struct sl_chunk *chunk = sl_batch_chunk(batch);
    if (chunk->is_void) {
        copy_restart(f);
        sl_batch_unref(batch);
        return true;
    }
    struct sl_cargo *cargo = copy_reserve(f, chunk->place.len) ? sl__cargo_new(&s->base, batch) : NULL;
    if (!cargo)
        return false;
    if (!sl__plane_lane_add_chunk(f->lane, cargo, f)) {
        free(cargo); /* without the batch */
        return false;
    }
    copy_advance(s, batch);
    sl__plane_lane_push(f->lane, false);
    sl__cargo_unref(cargo);
    return true;
}

static struct sl_copy_ask copy_ask(struct sl_copy_slot *s)
{
    const struct sl_flow *f = s->flow;
    const struct sl_flow_copy *c = f->copy;
    const struct sl_plane_opts *opts = &s->base.hub->plane->opts;
    if (c->place_len > 0)
        memcpy(s->place, c->place, c->place_len);
    return (struct sl_copy_ask){ .table_id = f->table_id,
                                 .not_before = sl_ts_max(f->from, c->not_before),
                                 .number = c->number + 1,
                                 .place = { s->place, c->place_len },
                                 .low = c->low,
                                 .rows_before = c->rows_read,
                                 .rows_about = c->rows_about,
                                 .rows_max = sl_u32_min(opts->commit_rows_max, COPY_ROWS_MAX),
                                 .bytes_max = opts->copy_bytes_max };
}

/* The flow may leave meanwhile; then what was read is nobody's. */
static bool copy_read(struct sl_copy_slot *s, struct sl_trouble *t)
{
    struct sl_hub *h = s->base.hub;
    struct sl_copy_ask ask = copy_ask(s);
    pthread_mutex_unlock(&h->mutex);
    struct sl_batch *batch = sl_batch_new();
    bool is_read = batch && s->source->driver->copy_read(s->source, &ask, batch, t);
    pthread_mutex_lock(&h->mutex);
    bool is_wanted = s->flow != NULL;
    if (is_read && is_wanted && copy_hand_over(s, batch))
        return true;
    sl_batch_unref(batch);
    if (!is_wanted)
        return is_read;
    if (!batch || is_read)
        sl_trouble_set(t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "no memory for a chunk of rows");
    return false;
}

/* A trouble that passes is told and waited for, with a connection of its own afterwards. */
static void copy_on_trouble(struct sl_copy_slot *s, const struct sl_trouble *t, sl_ns *retry_ns)
{
    struct sl_hub *h = s->base.hub;
    copy_close(s);
    if (!copy_goes_on(s) || !s->flow)
        return;
    if (t->kind != SL_TROUBLE_PASSING && t->kind != SL_TROUBLE_ENDED) {
        sl__flow_abandon(s->flow, t);
        return;
    }
    struct sl_plane_feed *feed = s->flow->feed;
    feed->trouble = *t;
    feed->is_noted = true;
    sl__plane_feed_touch(feed);
    sl_ns end = sl__now() + *retry_ns;
    *retry_ns = sl_ns_min(*retry_ns * 2, h->plane->opts.retry_ns_max);
    for (sl_ns left = end - sl__now(); left > 0 && copy_goes_on(s); left = end - sl__now())
        sl__cond_wait(&s->base.changed, &h->mutex, left);
}

static void copy_turn(struct sl_copy_slot *s, sl_ns *retry_ns)
{
    struct sl_hub *h = s->base.hub;
    struct sl_trouble t = { 0 };
    if (s->base.queued_bytes >= s->base.queued_bytes_max) {
        sl__cond_wait(&s->base.changed, &h->mutex, SL_S);
        return;
    }
    if (s->flow->copy->number == 0 && s->flow->pending > 0) { /* rows of the log, or of a copy that is void */
        sl__cond_wait(&s->base.changed, &h->mutex, COPY_WAIT_NS);
        return;
    }
    bool is_fine = s->source || copy_open(s, &t);
    if (is_fine && copy_goes_on(s) && s->flow)
        is_fine = copy_read(s, &t);
    if (is_fine)
        *retry_ns = h->plane->opts.retry_ns;
    else
        copy_on_trouble(s, &t, retry_ns);
}

/* Ends when there is nothing left to copy. */
static void *copy_main(void *arg)
{
    struct sl_copy_slot *s = arg;
    struct sl_hub *h = s->base.hub;
    sl_ns retry_ns = h->plane->opts.retry_ns;
    pthread_mutex_lock(&h->mutex);
    while (copy_goes_on(s) && (s->flow || copy_take(s)))
        copy_turn(s, &retry_ns);
    s->base.state = SL_READER_STOPPING;
    copy_close(s);
    s->base.state = SL_READER_OVER;
    h->readers_active--;
    sl__plane_wake(h->plane);
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

void sl__copy_stop(struct sl_copy_slot *s)
{
    if (!copy_goes_on(s))
        return;
    s->base.state = SL_READER_STOPPING;
    if (s->source)
        s->source->driver->copy_interrupt(s->source);
    pthread_cond_signal(&s->base.changed);
}

/* ---- hubs ---- */

bool sl__copy_init(struct sl_hub *h)
{
    const struct sl_plane_opts *opts = &h->plane->opts;
    h->copier_count = opts->copy_count_max;
    h->copiers = calloc(h->copier_count > 0 ? h->copier_count : 1, sizeof *h->copiers);
    for (uint32_t i = 0; h->copiers && i < h->copier_count; i++) {
        h->copiers[i].base = (struct sl_reader_slot){ .hub = h, .queued_bytes_max = 2 * opts->copy_bytes_max };
        sl__cond_init(&h->copiers[i].base.changed);
    }
    return h->copiers != NULL;
}

void sl__copy_deinit(struct sl_hub *h)
{
    for (uint32_t i = 0; h->copiers && i < h->copier_count; i++)
        pthread_cond_destroy(&h->copiers[i].base.changed);
    free(h->copiers);
    h->copiers = NULL;
}

bool sl__copy_is_idle(struct sl_hub *h)
{
    bool is_idle = true;
    for (uint32_t i = 0; i < h->copier_count; i++) {
        if (h->copiers[i].base.state == SL_READER_OVER)
            sl__reader_join(&h->copiers[i].base);
        is_idle = is_idle && h->copiers[i].base.state == SL_READER_OFF;
    }
    return is_idle;
}
