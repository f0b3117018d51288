/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/view_feed.h"

#include "edge/http/body.h"
#include "edge/http/mask.h"

#include <string.h>

enum { FEED_TS_LOGICAL_BITS = 18 };
#define FEED_WALL_MS_LEAST UINT64_C(946684800000) /* the year 2000: what is older is no time */

uint64_t sl__feed_wall_ms(sl_ts ts)
{
    uint64_t wall_ms = ts >> FEED_TS_LOGICAL_BITS;
    return wall_ms >= FEED_WALL_MS_LEAST ? wall_ms : 0;
}

const char *sl__feed_state_shown(enum sl_feed_state state)
{
    return state == SL_FEED_PENDING ? "warning" : sl_feed_state_name(state);
}

/* 0: not known, or the positions of the source are no times. */
static void feed_put_time(struct sl_json_out *j, const char *key, uint64_t wall_ms)
{
    char text[SL__TIME_BYTES];
    if (wall_ms > 0)
        sl__put_cstr(j, key, sl__time_local(text, wall_ms));
    else
        sl__put_null(j, key);
}

static void feed_put_error(struct sl_json_out *j, const char *key, const struct sl_feed_error *e)
{
    char text[SL__TIME_BYTES];
    if (!e->present) {
        sl__put_null(j, key);
        return;
    }
    sl_json_key(j, key);
    sl_json_open(j, '{');
    sl__put_cstr(j, "time", sl__time_rfc3339(text, 0));
    sl__put_cstr(j, "addr", e->addr);
    sl__put_cstr(j, "code", e->code);
    sl__put_cstr(j, "message", e->message);
    sl_json_close(j, '}');
}

static const struct sl_capture *feed_node(const struct sl_api_status *status, const struct sl_node_id *id)
{
    for (uint32_t i = 0; i < status->member_count; i++) {
        if (sl_node_id_eq(&status->members[i].id, id))
            return &status->members[i];
    }
    return NULL;
}

/* ---- list ---- */

static void feed_put_copy(struct sl_json_out *j, const struct sl_copy_progress *copy)
{
    if (copy->tables == 0) {
        sl__put_null(j, "copy");
        return;
    }
    sl_json_key(j, "copy");
    sl_json_open(j, '{');
    sl__put_u64(j, "tables", copy->tables);
    sl__put_u64(j, "rows", copy->rows);
    sl__put_u64(j, "rows_about", copy->rows_about);
    sl_json_close(j, '}');
}

static void feed_put_place(struct sl_json_out *j, const struct sl_feed_view *v, const struct sl_api_status *status)
{
    const struct sl_capture *node = feed_node(status, &v->node);
    uint64_t wall_ms = sl__feed_wall_ms(v->checkpoint), now_ms = sl__time_wall_ms();
    sl__put_text(j, "node", node && node->name[0] != '\0' ? sl_str_of(node->name) : sl_node_id_str(&v->node));
    sl__put_cstr(j, "placement", v->placement ? v->placement : "");
    if (wall_ms > 0 && v->copy.tables == 0)
        sl__put_u64(j, "lag_ms", now_ms > wall_ms ? now_ms - wall_ms : 0);
    else
        sl__put_null(j, "lag_ms");
    feed_put_copy(j, &v->copy);
}

static void feed_put_item(struct sl_json_out *j, const struct sl_feed_view *v, const struct sl_api_status *status)
{
    const struct sl_feed_record *r = &v->record;
    sl_json_open(j, '{');
    sl__put_u64(j, "upstream_id", 0);
    sl__put_cstr(j, "id", r->id.name);
    sl__put_cstr(j, "keyspace", r->id.keyspace);
    sl__put_cstr(j, "state", sl__feed_state_shown(r->state));
    sl__put_u64(j, "checkpoint_tso", v->checkpoint);
    feed_put_time(j, "checkpoint_time", sl__feed_wall_ms(v->checkpoint));
    feed_put_error(j, "error", &r->error);
    feed_put_place(j, v, status);
    sl_json_close(j, '}');
}

static bool feed_is_wanted(const struct sl_feed_view *v, struct sl_str state)
{
    enum sl_feed_state is = v->record.state;
    if (state.len == 0)
        return is != SL_FEED_FINISHED && is != SL_FEED_REMOVED;
    return sl_str_eq(state, SL_STR("all")) || sl_str_eq(state, sl_str_of(sl_feed_state_name(is))) ||
           sl_str_eq(state, sl_str_of(sl__feed_state_shown(is)));
}

void sl__render_feeds(struct sl_json_out *j, const void *ctx)
{
    const struct sl__feeds_shown *s = ctx;
    uint32_t total = 0;
    for (uint32_t i = 0; i < s->reply->feed_count; i++)
        total += feed_is_wanted(&s->reply->feeds[i], s->state);
    if (!s->is_v1) {
        sl_json_open(j, '{');
        sl__put_u64(j, "total", total);
        sl_json_key(j, "items");
    }
    sl_json_open(j, '[');
    for (uint32_t i = 0; i < s->reply->feed_count; i++) {
        if (feed_is_wanted(&s->reply->feeds[i], s->state))
            feed_put_item(j, &s->reply->feeds[i], s->status);
    }
    sl_json_close(j, ']');
    if (!s->is_v1)
        sl_json_close(j, '}');
}

/* ---- one ---- */

static void feed_put_secret(struct sl_json_out *j, const char *key, struct sl_secret uri)
{
    struct sl__buf masked = { .bytes_max = SL_FEED_INFO_BYTES_MAX };
    if (sl__mask_uri(&masked, uri))
        sl__put_text(j, key, sl__buf_str(&masked));
    else
        sl__put_cstr(j, key, "xxxxx");
    sl__buf_deinit(&masked);
}

static struct sl_secret feed_member(struct json_object *info, const char *key)
{
    struct json_object *value = sl__doc_get(info, key);
    const char *text = value ? json_object_get_string(value) : "";
    size_t len = value ? (size_t)json_object_get_string_len(value) : 0;
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, len });
}

static bool feed_shows_error(const struct sl_feed_record *r)
{
    return r->error.present && r->state != SL_FEED_NORMAL && r->state != SL_FEED_STOPPED &&
           r->state != SL_FEED_FINISHED && r->state != SL_FEED_REMOVED;
}

static void feed_put_gid(struct sl_json_out *j, const struct sl_feed_id *id)
{
    sl_json_key(j, "gid");
    sl_json_open(j, '{');
    sl__put_u64(j, "low", id->low);
    sl__put_u64(j, "high", id->high);
    sl_json_close(j, '}');
}

static void feed_put_config(struct sl_json_out *j, struct json_object *info)
{
    struct json_object *config = sl__doc_get(info, "config");
    sl_json_key(j, "config");
    if (config)
        sl__json_masked(j, config, "", true);
    else
        sl_json_null(j);
}

void sl__render_feed(struct sl_json_out *j, const void *ctx)
{
    const struct sl__feed_shown *s = ctx;
    const struct sl_feed_view *v = s->view;
    const struct sl_feed_record *r = &v->record;
    const struct sl_capture *node = feed_node(s->status, &v->node);
    sl_json_open(j, '{');
    sl__put_u64(j, "upstream_id", sl__doc_u64(s->info, "upstream-id"));
    sl__put_cstr(j, "id", r->id.name);
    sl__put_cstr(j, "keyspace", r->id.keyspace);
    feed_put_secret(j, "sink_uri", feed_member(s->info, "sink-uri"));
    sl__put_cstr(j, "create_time", sl__doc_text(s->info, "create-time"));
    sl__put_u64(j, "start_ts", r->start_ts);
    sl__put_u64(j, "target_ts", r->target_ts);
    sl__put_u64(j, "admin_job_type", sl__doc_u64(s->info, "admin-job-type"));
    feed_put_config(j, s->info);
    sl__put_cstr(j, "state", sl__feed_state_shown(r->state));
    if (feed_shows_error(r))
        feed_put_error(j, "error", &r->error);
    sl__put_cstr(j, "creator_version", sl__doc_text(s->info, "creator-version"));
    sl__put_u64(j, "resolved_ts", v->checkpoint);
    sl__put_u64(j, "checkpoint_ts", v->checkpoint);
    feed_put_time(j, "checkpoint_time", sl__feed_wall_ms(v->checkpoint));
    feed_put_gid(j, &r->id);
    sl__put_cstr(j, "maintainer_addr", node ? node->address : "");
    feed_put_secret(j, "source_uri", v->source);
    feed_put_place(j, v, s->status);
    sl_json_close(j, '}');
}

void sl__render_feed_status(struct sl_json_out *j, const void *ctx)
{
    const struct sl__feed_shown *s = ctx;
    const struct sl_feed_record *r = &s->view->record;
    sl_json_open(j, '{');
    sl__put_cstr(j, "state", sl__feed_state_shown(r->state));
    sl__put_u64(j, "resolved_ts", s->view->checkpoint);
    sl__put_u64(j, "checkpoint_ts", s->view->checkpoint);
    if (r->error.present)
        feed_put_error(j, r->state == SL_FEED_FAILED ? "last_error" : "last_warning", &r->error);
    sl_json_close(j, '}');
}

/*
 * The sink has everything when the checkpoint is close to the present. When the last row was written nobody keeps
 * apart from that, so a feed of a source without times is never called synced.
 */
void sl__render_feed_synced(struct sl_json_out *j, const void *ctx)
{
    const struct sl__feed_shown *s = ctx;
    uint64_t now_ms = sl__time_wall_ms(), wall_ms = sl__feed_wall_ms(s->view->checkpoint);
    struct json_object *config = sl__doc_get(sl__doc_get(s->info, "config"), "synced-status");
    uint64_t interval_s = sl__doc_u64(config, "checkpoint-interval");
    bool is_synced = wall_ms > 0 && now_ms - wall_ms < interval_s * 1000 && now_ms >= wall_ms;
    sl_json_open(j, '{');
    sl__put_bool(j, "synced", is_synced);
    feed_put_time(j, "sink_checkpoint_ts", wall_ms);
    feed_put_time(j, "puller_resolved_ts", wall_ms);
    feed_put_time(j, "last_synced_ts", wall_ms);
    feed_put_time(j, "now_ts", now_ms);
    sl__put_cstr(j, "info", is_synced ? "Data syncing is finished" : "The data syncing is not finished, please wait");
    sl_json_close(j, '}');
}
