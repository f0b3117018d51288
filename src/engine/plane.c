/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/hash.h"
#include "engine/engine_internal.h"

#include <stdlib.h>
#include <time.h>

#define PLANE_LOADS_MAX 1024u

sl_ns sl__now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (sl_ns)t.tv_sec * SL_S + t.tv_nsec;
}

void sl__cond_init(pthread_cond_t *c)
{
    pthread_condattr_t monotonic;
    int failed = pthread_condattr_init(&monotonic) | pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) |
                 pthread_cond_init(c, &monotonic);
    SL_REQUIRE(failed == 0);
    pthread_condattr_destroy(&monotonic);
}

void sl__cond_wait(pthread_cond_t *c, pthread_mutex_t *m, sl_ns at_most_ns)
{
    sl_ns end = sl__now() + at_most_ns;
    struct timespec deadline = { .tv_sec = end / SL_S, .tv_nsec = end % SL_S };
    pthread_cond_timedwait(c, m, &deadline);
}

void sl__plane_wake(struct sl_plane *p)
{
    if (!atomic_exchange(&p->is_woken, true))
        p->client.wake(p->client.ctx);
}

static bool plane_feed_eq(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_plane *p = ctx;
    return ((const struct sl_plane_feed *)sl_slab_at(&p->feeds, handle))->token == *(const sl_feed_token *)key;
}

static bool plane_flow_eq(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_plane *p = ctx;
    return ((const struct sl_flow *)sl_slab_at(&p->flows, handle))->token == *(const sl_dispatcher_token *)key;
}

/* ---- open ---- */

/* Wakes the loop so that progress is told; a poll of a plane without feeds costs nothing. */
static void *plane_tick(void *arg)
{
    struct sl_plane *p = arg;
    while (!sl_mailbox_is_closed(&p->ticks)) {
        sl_mailbox_wait(&p->ticks, p->opts.progress_ns);
        sl__plane_wake(p);
    }
    return NULL;
}

enum sl_code sl_plane_open(struct sl_plane **out, const struct sl_plane_opts *opts,
                           const struct sl_plane_client *client)
{
    struct sl_plane *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return SL_NOMEM;
    p->opts = *opts;
    p->client = *client;
    sl_mem_init(&p->mem, &(struct sl_mem_opts){ .tag_count = 1, .tag_names = (const char *const[]){ "plane" } });
    sl_slab_init(&p->feeds, &p->mem, 0, sizeof(struct sl_plane_feed), opts->feed_count_max);
    sl_slab_init(&p->flows, &p->mem, 0, sizeof(struct sl_flow), opts->dispatcher_count_max);
    sl_map_init(&p->feed_by_token, &p->mem, 0, opts->feed_count_max, plane_feed_eq, p);
    sl_map_init(&p->flow_by_token, &p->mem, 0, opts->dispatcher_count_max, plane_flow_eq, p);
    sl_mailbox_init(&p->ticks, 1, NULL, NULL);
    sl_mailbox_init(&p->asked, PLANE_LOADS_MAX, NULL, NULL);
    sl_mailbox_init(&p->answered, PLANE_LOADS_MAX, NULL, NULL);
    p->has_loader = sl__thread_start(&p->loader, sl__loader_main, p);
    p->has_ticker = p->has_loader && !opts->is_manual && sl__thread_start(&p->ticker, plane_tick, p);
    if (!p->has_loader || (!opts->is_manual && !p->has_ticker)) {
        sl_plane_close(p);
        return SL_NOMEM;
    }
    *out = p;
    return SL_OK;
}

/* ---- commands ---- */

static struct sl_plane_feed *plane_feed(const struct sl_plane *p, sl_feed_token token)
{
    uint32_t handle = sl_map_find(&p->feed_by_token, sl_hash_u64(0, token), &token);
    return handle != 0 ? sl_slab_at(&p->feeds, handle) : NULL;
}

static struct sl_flow *plane_flow(const struct sl_plane *p, sl_dispatcher_token token)
{
    uint32_t handle = sl_map_find(&p->flow_by_token, sl_hash_u64(0, token), &token);
    return handle != 0 ? sl_slab_at(&p->flows, handle) : NULL;
}

static void plane_refuse(struct sl_plane *p, const struct sl_command *c)
{
    struct sl_refused *refused = sl_array_room(p->refused, p->refused_count, &p->refused_cap, 64, sizeof *refused);
    if (!SL_EXPECT(refused != NULL)) /* the core waits for ever; so does all else in a process without 1 KiB */
        return;
    p->refused = refused;
    p->refused[p->refused_count++] = (struct sl_refused){ c->feed, c->dispatcher, c->start_ts };
    sl__plane_wake(p);
}

static struct sl_flow *plane_new_flow(struct sl_plane *p, struct sl_plane_feed *feed, const struct sl_command *c)
{
    uint32_t handle;
    struct sl_flow *f = sl_slab_new(&p->flows, &handle);
    if (!f)
        return NULL;
    if (plane_flow(p, c->dispatcher) || !sl_map_add(&p->flow_by_token, sl_hash_u64(0, c->dispatcher), handle)) {
        sl_slab_free(&p->flows, handle);
        return NULL;
    }
    int64_t table_id = c->is_table_trigger ? 0 : c->span.table_id;
    *f = (struct sl_flow){
        .token = c->dispatcher,
        .feed = feed,
        .lane = &feed->lanes[sl_spread_take(&feed->spread, table_id)],
        .placement = c->placement,
        .table_id = table_id,
        .schema_id = c->schema_id,
        .start_ts = c->start_ts,
        .handle = handle,
        .keyspace_id = c->span.keyspace_id,
        .is_table_trigger = c->is_table_trigger,
        .is_raising = true,
        .from = c->skip_dml_at_start_ts ? c->start_ts + 1 : c->start_ts,
        .durable = c->start_ts,
        .checkpoint = c->start_ts,
        .feed_next = NULL,
    };
    return f;
}

static void plane_enter_flow(struct sl_flow *f, bool is_range)
{
    struct sl_plane_feed *feed = f->feed;
    f->feed_next = feed->flows;
    if (feed->flows)
        feed->flows->feed_prev = f;
    feed->flows = f;
    if (is_range) {
        struct sl_trouble t;
        sl_trouble_set(&t, SL_TROUBLE_LASTING, "SPAN_NOT_SUPPORTED", "schedule whole tables",
                       "a part of a table cannot be replicated by this version");
        f->is_raising = false;
        sl__flow_end(f, SL_FLOW_END_FAILED, &t);
        return;
    }
    if (f->lane->claims_head)
        f->lane->claims_tail->claim_next = f;
    else
        f->lane->claims_head = f;
    f->lane->claims_tail = f;
    pthread_cond_signal(&f->lane->changed);
}

static void plane_open_flow(struct sl_plane *p, const struct sl_command *c)
{
    struct sl_plane_feed *feed = plane_feed(p, c->feed);
    if (!feed || atomic_load(&feed->is_fenced))
        return;
    struct sl_flow *f = plane_new_flow(p, feed, c);
    if (!f) {
        plane_refuse(p, c);
        return;
    }
    pthread_mutex_lock(&feed->hub->mutex);
    plane_enter_flow(f, !c->is_table_trigger && (c->span.start_key.len > 0 || c->span.end_key.len > 0));
    pthread_mutex_unlock(&feed->hub->mutex);
}

static void plane_close_flow(struct sl_plane *p, const struct sl_command *c)
{
    struct sl_flow *f = plane_flow(p, c->dispatcher);
    if (!f)
        return;
    pthread_mutex_t *mutex = &f->feed->hub->mutex;
    pthread_mutex_lock(mutex);
    sl__flow_close(f);
    pthread_mutex_unlock(mutex);
}

static void plane_tell_flow(struct sl_plane *p, const struct sl_command *c)
{
    struct sl_flow *f = plane_flow(p, c->dispatcher);
    if (!f)
        return;
    pthread_mutex_t *mutex = &f->feed->hub->mutex;
    pthread_mutex_lock(mutex);
    sl__flow_told(f, c->start_ts, c->verb == SL_COMMAND_WRITE);
    pthread_mutex_unlock(mutex);
}

/* It is written by the first lane, when that has nothing better to do. */
static void plane_tell_checkpoint(struct sl_plane *p, const struct sl_command *c)
{
    struct sl_plane_feed *f = plane_feed(p, c->feed);
    if (!f)
        return;
    pthread_mutex_lock(&f->hub->mutex);
    f->told_checkpoint = sl_ts_max(f->told_checkpoint, c->start_ts);
    f->lanes[0].tend_ns = 0;
    pthread_cond_signal(&f->lanes[0].changed);
    pthread_mutex_unlock(&f->hub->mutex);
}

static void plane_end_feed(struct sl_plane *p, const struct sl_command *c)
{
    struct sl_plane_feed *f = plane_feed(p, c->feed);
    if (!f)
        return;
    pthread_mutex_lock(&f->hub->mutex);
    if (c->verb == SL_COMMAND_CLOSE_FEED) {
        sl__plane_feed_drop(f, c->cleanup_downstream);
    } else {
        atomic_store(&f->is_fenced, true);
        sl__plane_feed_silence(f);
    }
    pthread_mutex_unlock(&f->hub->mutex);
}

void sl_plane_perform(struct sl_plane *p, const struct sl_command *c)
{
    switch (c->verb) {
    case SL_COMMAND_OPEN_FEED:
        if (plane_feed(p, c->feed) || !sl__plane_feed_open(p, c))
            plane_refuse(p, c);
        return;
    case SL_COMMAND_CLOSE_FEED:
    case SL_COMMAND_FENCE_FEED:
        plane_end_feed(p, c);
        return;
    case SL_COMMAND_OPEN:
        plane_open_flow(p, c);
        return;
    case SL_COMMAND_CLOSE:
        plane_close_flow(p, c);
        return;
    case SL_COMMAND_WRITE:
    case SL_COMMAND_PASS:
        plane_tell_flow(p, c);
        return;
    case SL_COMMAND_TELL_CHECKPOINT:
        plane_tell_checkpoint(p, c);
        return;
    }
    SL_UNREACHABLE();
}

bool sl_plane_check_source(const struct sl_plane *p, struct sl_secret uri, struct sl_trouble *t)
{
    const struct sl_source_driver *driver = sl_source_find(p->opts.sources, uri, t);
    return driver && driver->check(uri, t);
}

bool sl_plane_check_sink(const struct sl_plane *p, struct sl_secret uri, struct sl_trouble *t)
{
    const struct sl_sink_driver *driver = sl_sink_find(p->opts.sinks, uri, t);
    return driver && driver->check(uri, t);
}

/* ---- close ---- */

static void plane_end_hub(struct sl_hub *h)
{
    pthread_mutex_lock(&h->mutex);
    for (struct sl_plane_feed *f = h->feeds; f; f = f->next)
        sl__plane_feed_drop(f, false);
    for (uint32_t i = 0; i < h->reader_count; i++)
        sl__reader_stop(&h->readers[i]);
    for (uint32_t i = 0; i < h->copier_count; i++)
        sl__copy_stop(&h->copiers[i]);
    pthread_mutex_unlock(&h->mutex);
}

static void plane_join_reader(struct sl_hub *h, const struct sl_reader_slot *r)
{
    pthread_mutex_lock(&h->mutex);
    bool is_off = r->state == SL_READER_OFF;
    pthread_mutex_unlock(&h->mutex);
    if (!is_off)
        pthread_join(r->thread, NULL);
}

static void plane_join_hub(struct sl_hub *h)
{
    for (uint32_t i = 0; i < h->reader_count; i++)
        plane_join_reader(h, &h->readers[i]);
    for (uint32_t i = 0; i < h->copier_count; i++)
        plane_join_reader(h, &h->copiers[i].base);
    while (h->feeds) {
        struct sl_plane_feed *f = h->feeds;
        for (struct sl_flow *flow = f->flows; flow; flow = flow->feed_next)
            free(flow->trouble);
        sl__plane_feed_free(f);
    }
    sl__hub_free(h);
}

void sl_plane_close(struct sl_plane *p)
{
    sl_mailbox_close(&p->ticks);
    sl_mailbox_close(&p->asked);
    if (p->has_ticker)
        pthread_join(p->ticker, NULL);
    for (struct sl_hub *h = p->hubs; h; h = h->next)
        plane_end_hub(h);
    if (p->has_loader)
        pthread_join(p->loader, NULL);
    while (p->hubs)
        plane_join_hub(p->hubs);
    sl__loader_drop(p);
    sl_mailbox_deinit(&p->ticks);
    sl_mailbox_deinit(&p->asked);
    sl_mailbox_deinit(&p->answered);
    sl_map_deinit(&p->feed_by_token);
    sl_map_deinit(&p->flow_by_token);
    sl_slab_deinit(&p->feeds);
    sl_slab_deinit(&p->flows);
    sl_mem_deinit(&p->mem);
    free(p->refused);
    free(p);
}
