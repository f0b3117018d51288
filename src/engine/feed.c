/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "engine/engine_internal.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static struct sl_bytes feed_copy(struct sl_bytes b)
{
    uint8_t *copy = malloc(b.len + 1);
    if (copy && b.len > 0)
        memcpy(copy, b.ptr, b.len);
    return (struct sl_bytes){ copy, copy ? b.len : 0 };
}

static struct json_object *feed_parse(struct sl_bytes config)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *root = NULL;
    if (tokener && config.len <= INT32_MAX)
        root = json_tokener_parse_ex(tokener, (const char *)config.ptr, (int)config.len);
    if (tokener)
        json_tokener_free(tokener);
    return root;
}

/* Of the configuration what decides on tables, as a document of its own; empty if nothing does. */
static struct sl_bytes feed_filter(struct sl_bytes config)
{
    static const char *const names[] = { "case_sensitive", "filter" };
    struct json_object *root = feed_parse(config), *out = json_object_new_object(), *value;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (root && out && json_object_object_get_ex(root, names[i], &value))
            json_object_object_add(out, names[i], json_object_get(value));
    bool has_any = out && json_object_object_length(out) > 0;
    const char *text = has_any ? json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN) : "";
    struct sl_bytes copy = feed_copy((struct sl_bytes){ (const uint8_t *)text, text ? strlen(text) : 0 });
    json_object_put(out);
    json_object_put(root);
    return copy;
}

/* The core has checked the document; whatever is odd all the same gives an empty URI, which no sink takes. */
static struct sl_bytes feed_sink_uri(struct sl_bytes config)
{
    struct json_object *root = feed_parse(config), *uri = NULL;
    bool is_there =
        root && json_object_object_get_ex(root, "sink_uri", &uri) && json_object_is_type(uri, json_type_string);
    const char *text = is_there ? json_object_get_string(uri) : "";
    struct sl_bytes copy = feed_copy((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
    json_object_put(root);
    return copy;
}

static void feed_read_copy(struct sl_plane_feed *f)
{
    struct json_object *root = feed_parse(f->config), *wants = NULL, *start = NULL;
    bool is_there = root && json_object_object_get_ex(root, "initial_copy", &wants) &&
                    json_object_object_get_ex(root, "start_ts", &start);
    f->wants_copy = is_there && json_object_get_boolean(wants);
    f->start_ts = is_there ? json_object_get_uint64(start) : SL_TS_NONE;
    json_object_put(root);
}

/* Feeds share readers if they want the same tables: what a change of the schema means depends on these. */
static struct sl_hub *feed_hub(struct sl_plane *p, struct sl_bytes uri, struct sl_bytes filter)
{
    if (!filter.ptr)
        return NULL;
    for (struct sl_hub *h = p->hubs; h; h = h->next)
        if (sl_bytes_eq(h->uri, uri) && sl_bytes_eq(h->filter, filter))
            return h;
    return sl__hub_new(p, uri, filter);
}

/* Starts the workers; without the first one nothing can be said about the sink. */
static void feed_start(struct sl_plane_feed *f)
{
    struct sl_trouble t;
    bool is_started = true;
    for (uint32_t i = 0; i < f->lane_count && is_started; i++) {
        f->lanes[i] = (struct sl_plane_lane){ .feed = f, .index = i };
        sl__cond_init(&f->lanes[i].changed);
    }
    for (uint32_t i = 0; i < f->lane_count && is_started; i++) {
        is_started = sl__thread_start(&f->lanes[i].thread, sl__plane_lane_main, &f->lanes[i]);
        f->lanes[i].is_running = is_started;
        f->lanes_running += is_started ? 1 : 0;
    }
    if (is_started)
        return;
    sl_trouble_set(&t, SL_TROUBLE_PASSING, "NO_THREAD", "raise the limit of threads", "no thread for a worker");
    f->state = SL_PLANE_FEED_FAILED;
    f->trouble = t;
    for (uint32_t i = 0; i < f->lane_count; i++)
        pthread_cond_signal(&f->lanes[i].changed);
    sl__plane_feed_touch(f);
}

static void feed_release(struct sl_plane_feed *f)
{
    free((void *)(uintptr_t)f->config.ptr);
    free((void *)(uintptr_t)f->sink_uri.ptr);
    free(f->lanes);
    sl_spread_deinit(&f->spread);
    f->config = f->sink_uri = (struct sl_bytes){ 0 };
    f->lanes = NULL;
}

/* Null without memory. */
static struct sl_plane_feed *feed_new(struct sl_plane *p, const struct sl_command *c)
{
    uint32_t handle, lane_count = p->opts.workers_per_feed;
    struct sl_plane_feed *f = sl_slab_new(&p->feeds, &handle);
    if (!f)
        return NULL;
    struct sl_bytes config = sl_secret_reveal(c->config);
    *f = (struct sl_plane_feed){ .token = c->feed,
                                 .plane = p,
                                 .id = *c->feed_id,
                                 .config = feed_copy(config),
                                 .sink_uri = feed_sink_uri(config),
                                 .handle = handle,
                                 .lane_count = lane_count,
                                 .lanes = calloc(lane_count, sizeof *f->lanes) };
    feed_read_copy(f);
    struct sl_bytes filter = feed_filter(config);
    if (sl_spread_init(&f->spread, lane_count) && f->config.ptr && f->sink_uri.ptr && f->lanes)
        f->hub = feed_hub(p, sl_secret_reveal(c->source), filter);
    free((void *)(uintptr_t)filter.ptr);
    if (f->hub && sl_map_add(&p->feed_by_token, sl_hash_u64(0, f->token), handle))
        return f;
    feed_release(f);
    sl_slab_free(&p->feeds, handle);
    return NULL;
}

bool sl__plane_feed_open(struct sl_plane *p, const struct sl_command *c)
{
    struct sl_plane_feed *f = feed_new(p, c);
    if (!f)
        return false;
    struct sl_hub *h = f->hub;
    pthread_mutex_lock(&h->mutex);
    h->feed_count++;
    f->next = h->feeds;
    h->feeds = f;
    feed_start(f);
    pthread_mutex_unlock(&h->mutex);
    return true;
}

void sl__plane_feed_touch(struct sl_plane_feed *f)
{
    if (f->is_dirty)
        return;
    f->is_dirty = true;
    f->dirty_next = f->hub->dirty_feeds;
    f->hub->dirty_feeds = f;
    sl__plane_wake(f->plane);
}

void sl__plane_feed_silence(struct sl_plane_feed *f)
{
    for (uint32_t i = 0; i < f->lane_count; i++) {
        struct sl_plane_lane *l = &f->lanes[i];
        for (; l->claims_head; l->claims_head = l->claims_head->claim_next)
            l->claims_head->is_raising = false;
        for (; l->stops_head; l->stops_head = l->stops_head->claim_next)
            l->stops_head->is_acting = false;
    }
    for (struct sl_flow *flow = f->flows; flow; flow = flow->feed_next)
        sl__flow_end(flow, SL_FLOW_END_SILENT, NULL);
    for (uint32_t i = 0; i < f->lane_count; i++) {
        struct sl_plane_lane *l = &f->lanes[i];
        sl__plane_lane_clear(l);
        if (l->is_calling && l->writer && l->writer->driver->interrupt)
            l->writer->driver->interrupt(l->writer);
        pthread_cond_signal(&l->changed);
    }
}

void sl__plane_feed_drop(struct sl_plane_feed *f, bool is_removed)
{
    f->is_removed = is_removed;
    f->state = SL_PLANE_FEED_DROPPED;
    atomic_store(&f->is_fenced, true);
    sl__plane_feed_silence(f);
    sl__plane_feed_touch(f);
}

void sl__plane_feed_free(struct sl_plane_feed *f)
{
    struct sl_plane *p = f->plane;
    struct sl_hub *h = f->hub;
    for (uint32_t i = 0; i < f->lane_count; i++) {
        if (f->lanes[i].is_running)
            pthread_join(f->lanes[i].thread, NULL);
        pthread_cond_destroy(&f->lanes[i].changed);
    }
    pthread_mutex_lock(&h->mutex);
    struct sl_plane_feed **link = &h->feeds;
    while (*link != f)
        link = &(*link)->next;
    *link = f->next;
    h->feed_count--;
    pthread_mutex_unlock(&h->mutex);
    feed_release(f);
    sl_map_remove(&p->feed_by_token, sl_hash_u64(0, f->token), f->handle);
    sl_slab_free(&p->feeds, f->handle);
}
