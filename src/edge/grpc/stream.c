/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/grpc/conn_internal.h"

#include <stdlib.h>
#include <string.h>

struct sl__grpc_stream *sl__grpc_stream_new(struct sl_grpc_conn *c, int32_t id)
{
    struct sl__grpc_stream *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->conn = c;
    s->id = id;
    s->tag = SL__GRPC_TAG_NONE;
    s->deadline = SL_NEVER;
    s->message_bytes_max = c->limits.message_bytes_max;
    s->next = c->streams;
    if (c->streams != NULL) {
        c->streams->prev = s;
    }
    c->streams = s;
    c->stream_count++;
    return s;
}

struct sl__grpc_stream *sl__grpc_stream_find(const struct sl_grpc_conn *c, sl_grpc_stream id)
{
    struct sl__grpc_stream *s = c->streams;
    while (s != NULL && s->id != id) {
        s = s->next;
    }
    return s;
}

void sl__grpc_stream_free(struct sl__grpc_stream *s)
{
    struct sl_grpc_conn *c = s->conn;
    if (s->prev != NULL) {
        s->prev->next = s->next;
    } else {
        c->streams = s->next;
    }
    if (s->next != NULL) {
        s->next->prev = s->prev;
    }
    c->stream_count--;
    sl__grpc_body_free(s);
    free(s->path);
    free(s->finish_message);
    free(s);
}

/* ---- ends ---- */

void sl__grpc_stream_say_end(struct sl__grpc_stream *s, const struct sl_grpc_status *status)
{
    struct sl_grpc_conn *c = s->conn;
    if (s->silent || c->muted) {
        return;
    }
    s->silent = true;
    c->events->on_end(c->ctx, s->tag, status);
}

void sl__grpc_stream_abort(struct sl__grpc_stream *s, enum sl_grpc_code code, const char *text)
{
    struct sl_grpc_conn *c = s->conn;
    struct sl_grpc_status status = sl_grpc_status_of(code, text);
    sl__grpc_stream_say_end(s, &status);
    s->silent = true;
    if (c->role == SL_GRPC_CLIENT || s->finish_sent) {
        sl_grpc_conn_cancel(c, s->id);
    } else {
        sl_grpc_conn_finish(c, s->id, code, text);
    }
}

static struct sl_grpc_status stream_status_of_reset(const struct sl__grpc_stream *s, uint32_t http2_error)
{
    struct sl_grpc_status status = sl_grpc_status_of(sl_grpc_code_of_reset(http2_error), "the peer reset the stream");
    status.never_processed = http2_error == NGHTTP2_REFUSED_STREAM;
    if (s->conn->is_goaway_received && status.never_processed) {
        status = sl_grpc_status_of(SL_GRPC_UNAVAILABLE, "the peer takes no more calls on this connection");
        status.never_processed = true;
    }
    return status;
}

/* What a client makes of an answer that is complete. */
static struct sl_grpc_status stream_status_of_answer(const struct sl__grpc_stream *s)
{
    if (s->has_status && s->status.code == SL_GRPC_OK && s->len != s->start) {
        return sl_grpc_status_of(SL_GRPC_INTERNAL, "the answer ends inside a message");
    }
    if (s->has_status) {
        return s->status;
    }
    if (s->http_status != 200) {
        return sl_grpc_status_of(sl_grpc_code_of_http(s->http_status),
                                 "the peer answered with an HTTP error, not gRPC");
    }
    return sl_grpc_status_of(SL_GRPC_UNKNOWN,
                             s->has_grpc_type ? "the answer has no grpc-status" : "the answer is not gRPC");
}

void sl__grpc_stream_closed(struct sl__grpc_stream *s, uint32_t http2_error)
{
    struct sl_grpc_conn *c = s->conn;
    struct sl_grpc_status status;
    if (c->role == SL_GRPC_CLIENT && (http2_error == NGHTTP2_NO_ERROR || s->has_status)) {
        status = stream_status_of_answer(s);
    } else if (http2_error == NGHTTP2_NO_ERROR) {
        status = sl_grpc_status_of(SL_GRPC_CANCELLED, "the stream was closed");
    } else {
        status = stream_status_of_reset(s, http2_error);
    }
    sl__grpc_stream_say_end(s, &status);
    if (s->unconsumed > 0) {
        (void)nghttp2_session_consume_connection(c->session, s->unconsumed);
    }
    sl__grpc_stream_free(s);
}

void sl__grpc_stream_peer_ended(struct sl__grpc_stream *s)
{
    struct sl_grpc_conn *c = s->conn;
    s->peer_ended = true;
    if (s->held || s->silent || c->muted || c->role == SL_GRPC_CLIENT) {
        return;
    }
    if (s->len != s->start) {
        sl__grpc_stream_abort(s, SL_GRPC_INVALID_ARGUMENT, "the stream ends inside a message");
    } else if (c->events->on_peer_end != NULL) {
        c->events->on_peer_end(c->ctx, s->tag);
    }
}

/* ---- what users do ---- */

void sl_grpc_conn_set_tag(struct sl_grpc_conn *c, sl_grpc_stream stream, uint64_t tag)
{
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    if (s != NULL) {
        s->tag = tag;
    }
}

void sl_grpc_conn_set_message_max(struct sl_grpc_conn *c, sl_grpc_stream stream, size_t bytes_max)
{
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    if (s != NULL) {
        s->message_bytes_max = bytes_max < c->limits.message_bytes_max ? bytes_max : c->limits.message_bytes_max;
    }
}

enum sl_code sl_grpc_conn_start(struct sl_grpc_conn *c, sl_ns now, const struct sl_grpc_start *start,
                                sl_grpc_stream *stream)
{
    SL_REQUIRE(c->role == SL_GRPC_CLIENT && start->header_count <= SL_GRPC_HEADERS_MAX);
    *stream = 0;
    if (c->failed || c->is_goaway_received || nghttp2_session_check_request_allowed(c->session) == 0) {
        return SL_NOT_READY;
    }
    struct sl__grpc_stream *s = sl__grpc_stream_new(c, 0);
    if (s == NULL) {
        return SL_NOMEM;
    }
    s->tag = start->tag;
    s->deadline = start->timeout_ns > 0 ? sl_ns_after(now, start->timeout_ns) : SL_NEVER;
    s->id = sl__grpc_submit_request(c, start);
    if (s->id <= 0) {
        bool is_memory = s->id == NGHTTP2_ERR_NOMEM;
        sl__grpc_stream_free(s);
        return is_memory ? SL_NOMEM : SL_LIMIT;
    }
    *stream = s->id;
    return SL_OK;
}

enum sl_code sl_grpc_conn_accept(struct sl_grpc_conn *c, sl_grpc_stream stream, uint64_t tag)
{
    SL_REQUIRE(c->role == SL_GRPC_SERVER);
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    if (s == NULL || s->silent || s->answered) {
        return SL_NOT_FOUND;
    }
    s->tag = tag;
    int rc = sl__grpc_submit_answer(s);
    s->answered = rc == 0;
    return rc == 0 ? SL_OK : SL_NOMEM;
}

enum sl_code sl_grpc_conn_send(struct sl_grpc_conn *c, sl_grpc_stream stream, struct sl_grpc_block *b)
{
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    if (s == NULL || s->silent || s->ending || c->failed) {
        sl_grpc_block_free(b);
        return SL_NOT_FOUND;
    }
    sl__grpc_body_queue(s, b);
    return SL_OK;
}

size_t sl_grpc_conn_queued_bytes(const struct sl_grpc_conn *c, sl_grpc_stream stream)
{
    const struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    return s == NULL ? 0 : s->queued_bytes;
}

void sl__grpc_stream_wake_sender(struct sl__grpc_stream *s)
{
    if (s->deferred && !s->conn->failed) {
        s->deferred = false;
        (void)nghttp2_session_resume_data(s->conn->session, s->id);
    }
}

void sl_grpc_conn_end(struct sl_grpc_conn *c, sl_grpc_stream stream)
{
    SL_REQUIRE(c->role == SL_GRPC_CLIENT);
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    if (s != NULL && !s->ending) {
        s->ending = true;
        sl__grpc_stream_wake_sender(s);
    }
}

void sl_grpc_conn_finish(struct sl_grpc_conn *c, sl_grpc_stream stream, enum sl_grpc_code code, const char *message)
{
    SL_REQUIRE(c->role == SL_GRPC_SERVER);
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    if (s == NULL || s->ending || c->failed) {
        return;
    }
    s->ending = true;
    s->silent = true;
    s->finish_code = code;
    s->finish_message = strdup(message); /* without memory the code alone has to do */
    if (s->answered) {
        sl__grpc_stream_wake_sender(s);
    } else if (sl__grpc_submit_status_only(s) != 0) {
        sl_grpc_conn_cancel(c, stream);
    }
}

void sl_grpc_conn_cancel(struct sl_grpc_conn *c, sl_grpc_stream stream)
{
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    if (s == NULL || s->cancelled || c->failed) {
        return;
    }
    s->silent = true;
    s->ending = true;
    s->cancelled = true; /* the queue stays until the stream is closed: a frame of it may be half way out */
    (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
}

bool sl_grpc_conn_resume(struct sl_grpc_conn *c, sl_grpc_stream stream)
{
    SL_REQUIRE(c->events_depth == 0);
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, stream);
    if (s == NULL || s->silent || !s->held) {
        return false;
    }
    c->events_depth++;
    sl__grpc_body_resume(s);
    c->events_depth--;
    return true;
}
