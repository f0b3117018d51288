/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/peer/transport_internal.h"

#include <stdlib.h>

enum { LINK_STREAMS_MAX = 16 };
static const sl_ns link_idle_ns = 10 * SL_S;

/* ---- streams ---- */

struct sl__peer_stream *sl__peer_stream_new(struct sl__peer_link *l, sl_grpc_stream id)
{
    struct sl__peer_stream *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->link = l;
    s->id = id;
    s->deadline = SL_NEVER;
    s->name = sl_handles_add(&l->t->streams, s);
    if (s->name == 0) {
        free(s);
        return NULL;
    }
    l->stream_count++;
    return s;
}

void sl__peer_stream_free(struct sl__peer_stream *s)
{
    struct sl__peer_link *l = s->link;
    sl_handles_remove(&l->t->streams, s->name);
    if (--l->stream_count == 0) {
        l->idle_deadline = sl_ns_after(sl_loop_now(), link_idle_ns);
        sl__transport_sweep_soon(l->t);
    }
    free(s);
}

/* ---- events of a connection ---- */

static void link_on_ready(void *ctx)
{
    struct sl__peer_link *l = ctx;
    if (l->peer != NULL) {
        sl__peer_start_streams(l->peer);
    }
}

static void link_on_request(void *ctx, sl_grpc_stream stream, const struct sl_grpc_request *request)
{
    sl__accept_request(ctx, stream, request->path);
}

static void link_on_answer(void *ctx, uint64_t tag)
{
    struct sl__peer_link *l = ctx;
    struct sl__peer_stream *s = sl_handles_get(&l->t->streams, tag);
    if (s != NULL && s->peer != NULL) {
        sl__peer_open_lane(s->peer, s->lane);
    }
}

static bool link_on_message(void *ctx, uint64_t tag, struct sl_bytes message)
{
    struct sl__peer_link *l = ctx;
    struct sl__peer_stream *s = sl_handles_get(&l->t->streams, tag);
    if (s == NULL) {
        return true;
    }
    switch (s->state) {
    case SL__STREAM_HANDSHAKE:
        sl__accept_handshake(s, message);
        return true;
    case SL__STREAM_MEMBER:
        return false;
    case SL__STREAM_BOUND:
        return sl__peer_receive(s->peer, s, message);
    }
    SL_UNREACHABLE();
}

static void link_on_writable(void *ctx, uint64_t tag)
{
    struct sl__peer_link *l = ctx;
    struct sl__peer_stream *s = sl_handles_get(&l->t->streams, tag);
    if (s != NULL && s->peer != NULL) {
        sl__peer_pump(s->peer, s->lane);
    }
}

static void link_on_end(void *ctx, uint64_t tag, const struct sl_grpc_status *status)
{
    struct sl__peer_link *l = ctx;
    struct sl__peer_stream *s = sl_handles_get(&l->t->streams, tag);
    if (s == NULL) {
        return;
    }
    struct sl__peer *p = s->peer;
    enum sl_lane lane = s->lane;
    sl__peer_stream_free(s);
    if (p != NULL) {
        sl__peer_unbind(p, lane, status->message[0] == '\0' ? sl_grpc_code_name(status->code) : status->message);
    }
}

static void link_on_peer_end(void *ctx, uint64_t tag)
{
    struct sl__peer_link *l = ctx;
    struct sl__peer_stream *s = sl_handles_get(&l->t->streams, tag);
    if (s != NULL) {
        sl_grpc_conn_finish(sl_grpc_link_conn(l->link), s->id, SL_GRPC_OK, "");
        struct sl_grpc_status status = sl_grpc_status_of(SL_GRPC_OK, "the peer ended the stream");
        link_on_end(ctx, tag, &status);
    }
}

static void link_on_goaway(void *ctx, struct sl_str text)
{
    struct sl__peer_link *l = ctx;
    char why[120];
    struct sl_text t;
    sl_text_init(&t, why, sizeof why);
    sl_text_cstr(&t, "the peer ends the connection ");
    sl_text_str(&t, text);
    if (l->peer != NULL) {
        sl__peer_dial_later(l->peer, why);
    }
}

static const struct sl_grpc_conn_events link_events = {
    .on_ready = link_on_ready,
    .on_request = link_on_request,
    .on_answer = link_on_answer,
    .on_message = link_on_message,
    .on_peer_end = link_on_peer_end,
    .on_writable = link_on_writable,
    .on_end = link_on_end,
    .on_goaway = link_on_goaway,
};

static void link_on_down(void *ctx, const struct sl_err *why)
{
    struct sl__peer_link *l = ctx;
    struct sl_transport *t = l->t;
    if (l->peer != NULL) {
        sl__peer_dial_later(l->peer, why->text);
        return;
    }
    if (why->code == SL_MALFORMED || why->code == SL_REFUSED) {
        sl__transport_event(t, SL_TRANSPORT_CONNECTION_REFUSED, NULL, "", "%s", why->text);
    }
    sl__peer_link_close(l);
}

/* ---- life ---- */

static void link_unlink(struct sl__peer_link *l)
{
    struct sl_transport *t = l->t;
    if (l->prev != NULL) {
        l->prev->next = l->next;
    } else {
        t->links = l->next;
    }
    if (l->next != NULL) {
        l->next->prev = l->prev;
    }
    t->link_count--;
    sl_turn_wake(t->turn); /* the last one may be what a close waits for */
}

static void link_on_freed(void *ctx)
{
    sl__peer_link_free(ctx);
}

struct sl_grpc_link_opts sl__peer_link_opts(struct sl_transport *t, struct sl__peer_link *ctx, bool dialling)
{
    const struct sl_transport_limits *limits = &t->limits;
    return (struct sl_grpc_link_opts){
        .loop = t->loop,
        .limits = { .message_bytes_max = limits->message_bytes_max,
                    .stream_count_max = LINK_STREAMS_MAX,
                    .keepalive_ns = dialling ? limits->keepalive_ns : limits->server_keepalive_ns,
                    .keepalive_timeout_ns =
                        dialling ? limits->keepalive_timeout_ns : limits->server_keepalive_timeout_ns,
                    .ping_ns_min = limits->ping_ns_min },
        .budget = &t->budget,
        .ready_timeout_ns = dialling ? limits->connect_timeout_ns : link_idle_ns,
        .conn_events = &link_events,
        .on_down = link_on_down,
        .on_freed = link_on_freed,
        .ctx = ctx,
    };
}

struct sl__peer_link *sl__peer_link_new(struct sl_transport *t)
{
    struct sl__peer_link *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return NULL;
    }
    l->t = t;
    l->idle_deadline = sl_ns_after(sl_loop_now(), link_idle_ns);
    l->next = t->links;
    if (t->links != NULL) {
        t->links->prev = l;
    }
    t->links = l;
    t->link_count++;
    return l;
}

void sl__peer_link_free(struct sl__peer_link *l)
{
    link_unlink(l);
    free(l);
}

/* Streams that are still there end here, without events of the connection. */
void sl__peer_link_close(struct sl__peer_link *l)
{
    struct sl_transport *t = l->t;
    struct sl_grpc_link *link = l->link;
    if (link == NULL) {
        return;
    }
    for (uint64_t name = sl_handles_next(&t->streams, 0); name != 0 && l->stream_count > 0;
         name = sl_handles_next(&t->streams, name)) {
        struct sl__peer_stream *s = sl_handles_get(&t->streams, name);
        if (s->link == l) {
            struct sl__peer *p = s->peer;
            enum sl_lane lane = s->lane;
            sl__peer_stream_free(s);
            if (p != NULL) {
                sl__peer_unbind(p, lane, "the connection was closed");
            }
        }
    }
    l->link = NULL;
    l->peer = NULL;
    sl_grpc_link_close(link);
}
