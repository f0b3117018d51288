/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/stream.h"

#include "edge/http/views.h"

#include <stdlib.h>
#include <string.h>

enum {
    STREAM_BYTES_MAX = 256 * 1024, /* waiting for one client */
    STREAM_BLOCK_BYTES = 16 * 1024,
    STREAM_STALL_S = 60, /* a client that takes nothing for this long is gone */
};
#define STREAM_REFRESH_NS (2 * SL_S) /* ages and estimates change by themselves; it also finds clients that left */
#define STREAM_POLL_NS (200 * SL_MS) /* while somebody watches */
#define STREAM_IDLE_NS (1 * SL_S)    /* for the history */

struct sl__stream {
    struct sl__stream *next, *prev;
    struct sl_api *api;
    struct sl__call *call; /* null: it ended before the answer did */
    char drain[SL_DRAIN_ID_MAX + 1];
    uint64_t version; /* of the board, last sent */
    uint64_t sequence;
    sl_ns sent_at;
    struct sl__buf out;
    size_t taken; /* bytes at the start of out that the client has */
    bool is_suspended, has_ended, is_relay;
};

/* ---- MHD's side ---- */

static ssize_t stream_read(void *ctx, uint64_t position, char *to, size_t max)
{
    struct sl__stream *s = ctx;
    size_t left = s->out.len - s->taken;
    (void)position;
    if (left == 0) {
        if (s->has_ended || !s->call)
            return MHD_CONTENT_READER_END_OF_STREAM;
        s->is_suspended = true;
        MHD_suspend_connection(s->call->mhd);
        return 0;
    }
    size_t len = left < max ? left : max;
    memcpy(to, s->out.ptr + s->taken, len);
    s->taken += len;
    if (s->taken == s->out.len)
        s->taken = s->out.len = 0;
    return (ssize_t)len;
}

static void stream_free(void *ctx)
{
    struct sl__stream *s = ctx;
    if (s->prev)
        s->prev->next = s->next;
    else
        s->api->streams = s->next;
    if (s->next)
        s->next->prev = s->prev;
    s->api->stream_count--;
    if (s->call)
        s->call->stream = NULL;
    sl__buf_deinit(&s->out);
    free(s);
}

static void stream_wake(struct sl__stream *s)
{
    if (!s->is_suspended || !s->call)
        return;
    s->is_suspended = false;
    MHD_resume_connection(s->call->mhd);
    sl__server_kick(s->api);
}

void sl__stream_detach(struct sl__stream *s)
{
    s->call = NULL;
    s->is_suspended = false;
}

/* ---- beginning and end ---- */

static struct sl__stream *stream_new(struct sl__call *c)
{
    struct sl_api *api = c->api;
    struct sl__stream *s = api->stream_count < api->opts.watcher_count_max ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->api = api;
    s->call = c;
    s->out.bytes_max = STREAM_BYTES_MAX;
    s->next = api->streams;
    if (api->streams)
        api->streams->prev = s;
    api->streams = s;
    api->stream_count++;
    return s;
}

static void stream_answer(struct sl__stream *s)
{
    struct sl__call *c = s->call;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read, s, stream_free);
    if (!response) {
        stream_free(s);
        sl__answer_overload(c);
        return;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream; charset=utf-8");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)STREAM_STALL_S);
    c->stream = s;
    sl__answer_response(c, MHD_HTTP_OK, response);
}

void sl__stream_start(struct sl__call *c, const char *drain_id)
{
    struct sl__stream *s = stream_new(c);
    if (!s) {
        c->api->refused[SL__REFUSED_WAITING]++;
        sl__answer_overload(c);
        return;
    }
    struct sl_text t;
    sl_text_init(&t, s->drain, sizeof s->drain);
    sl_text_cstr(&t, drain_id);
    stream_answer(s);
}

struct sl__stream *sl__stream_relay(struct sl__call *c)
{
    struct sl__stream *s = stream_new(c);
    if (!s)
        return NULL;
    s->is_relay = true;
    stream_answer(s);
    return c->stream;
}

bool sl__stream_relay_bytes(struct sl__stream *s, const char *bytes, size_t len)
{
    if (!sl__buf_add(&s->out, bytes, len))
        return false;
    stream_wake(s);
    return true;
}

static void stream_end(struct sl__stream *s)
{
    s->has_ended = true;
    stream_wake(s);
}

void sl__stream_relay_end(struct sl__stream *s)
{
    stream_end(s);
}

void sl__streams_end(struct sl_api *api)
{
    for (struct sl__stream *s = api->streams; s; s = s->next)
        stream_end(s);
}

/* ---- events ---- */

static void stream_event(struct sl__stream *s, const char *event, struct sl_str data)
{
    char head[96];
    struct sl_text t;
    sl_text_init(&t, head, sizeof head);
    sl_text_cstr(&t, "id: ");
    sl_text_u64(&t, ++s->sequence);
    sl_text_cstr(&t, "\nevent: ");
    sl_text_cstr(&t, event);
    sl_text_cstr(&t, "\ndata: ");
    /* One that does not read has the older state waiting; the newer one comes when it has read that. */
    if (s->out.len > STREAM_BYTES_MAX / 2)
        return;
    if (!sl__buf_add(&s->out, head, t.len) || !sl__buf_add(&s->out, data.ptr, data.len) ||
        !sl__buf_add(&s->out, "\n\n", 2))
        s->has_ended = true; /* half an event is none: the client asks again */
    stream_wake(s);
}

static void stream_fail(struct sl__stream *s, const char *data)
{
    stream_event(s, "error", sl_str_of(data));
    stream_end(s);
}

static void stream_send(struct sl__stream *s, const struct sl_drain_view *view, sl_ns now)
{
    const struct sl__drain_shown shown = { .view = view, .api = s->api };
    bool is_over = sl__drain_is_over(view->intent.phase);
    const struct sl__drain_seen *seen = sl__board_find(s->api->board, view->intent.id);
    uint64_t version = seen ? seen->version : 0;
    if (version == s->version && now - s->sent_at < STREAM_REFRESH_NS && !is_over)
        return;
    if (!sl__buf_render(&s->api->scratch, sl__render_drain, &shown))
        return;
    s->version = version;
    s->sent_at = now;
    stream_event(s, is_over ? "end" : "drain", sl__buf_str(&s->api->scratch));
    if (is_over)
        stream_end(s);
}

static void stream_show_one(struct sl__stream *s, const struct sl_reply *reply, sl_ns now)
{
    for (uint32_t i = 0; i < reply->drain_count; i++) {
        if (strcmp(reply->drains[i].intent.id, s->drain) == 0) {
            stream_send(s, &reply->drains[i], now);
            return;
        }
    }
    stream_fail(s, "{\"error_code\":\"NOT_FOUND\",\"error_msg\":\"the drain is not listed any more\",\"remedy\":"
                   "\"look at the list of drains\"}");
}

void sl__stream_show(struct sl_api *api, const struct sl_reply *reply)
{
    sl_ns now = sl_loop_now();
    if (reply->code == SL_OK)
        sl__board_observe_all(api->board, now, sl__time_wall_ms(), reply);
    /* Ended streams stay in the list until MHD lets go of them. */
    for (struct sl__stream *s = api->streams; s; s = s->next) {
        if (s->is_relay || s->has_ended)
            continue;
        if (reply->code == SL_OK)
            stream_show_one(s, reply, now);
        else if (reply->code == SL_NOT_OWNER)
            stream_fail(s, "{\"error_code\":\"NOT_OWNER\",\"error_msg\":\"another node became the coordinator\","
                           "\"remedy\":\"open the stream again\"}");
    }
}

static bool stream_is_watched(const struct sl_api *api)
{
    for (const struct sl__stream *s = api->streams; s; s = s->next) {
        if (!s->is_relay && !s->has_ended)
            return true;
    }
    return false;
}

void sl__stream_tick(struct sl_api *api, sl_ns now)
{
    bool is_watched = stream_is_watched(api);
    sl_ns pause = is_watched ? STREAM_POLL_NS : STREAM_IDLE_NS;
    if (api->list_asked || (!api->was_owner && !is_watched) || now - api->list_at < pause)
        return;
    struct sl_request request = { .verb = SL_REQUEST_DRAIN_LIST, .ticket = SL__BOARD_TICKET };
    api->list_at = now;
    api->list_asked = true;
    api->port.submit(api->port.ctx, &request);
}
