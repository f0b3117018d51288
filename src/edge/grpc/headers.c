/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/grpc/conn_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static bool header_is(struct sl_str name, const char *wanted)
{
    return sl_str_eq(name, sl_str_of(wanted));
}

static bool header_starts_with(struct sl_bytes value, const char *start)
{
    size_t len = strlen(start);
    return value.len >= len && memcmp(value.ptr, start, len) == 0;
}

/* "application/grpc", perhaps with "+proto" or parameters. */
static bool header_is_grpc_type(struct sl_bytes value)
{
    static const char type[] = "application/grpc";
    size_t len = sizeof type - 1;
    return header_starts_with(value, type) && (value.len == len || value.ptr[len] == '+' || value.ptr[len] == ';');
}

/* The peer's words in our logs: what is not printable ASCII becomes '?'. */
static void header_take_message(struct sl__grpc_stream *s, struct sl_bytes value)
{
    size_t len = sl_grpc_message_decode(value, s->status.message, SL_GRPC_MESSAGE_MAX);
    for (size_t i = 0; i < len; i++) {
        if (s->status.message[i] < 0x20 || s->status.message[i] > 0x7e) {
            s->status.message[i] = '?';
        }
    }
    s->status.message[len] = '\0';
}

/* Headers of either direction; false: not one of them. */
static bool header_take_common(struct sl__grpc_stream *s, struct sl_str name, struct sl_bytes value)
{
    if (header_is(name, "content-type")) {
        s->has_grpc_type = s->has_grpc_type || header_is_grpc_type(value);
    } else if (header_is(name, "grpc-encoding")) {
        s->has_encoding = !sl_str_eq((struct sl_str){ (const char *)value.ptr, value.len }, SL_STR("identity"));
    } else {
        return false;
    }
    return true;
}

static void header_take_answer(struct sl__grpc_stream *s, struct sl_str name, struct sl_bytes value)
{
    if (header_is(name, ":status")) {
        s->http_status = 0;
        for (size_t i = 0; i < value.len && i < 3; i++) {
            s->http_status = s->http_status * 10 + (uint32_t)(value.ptr[i] - '0');
        }
    } else if (header_is(name, "grpc-status")) {
        s->has_status = true;
        s->status.code = sl_grpc_code_parse(value);
    } else if (header_is(name, "grpc-message")) {
        header_take_message(s, value);
    }
}

/* False without memory. */
static bool header_take_request(struct sl__grpc_stream *s, struct sl_str name, struct sl_bytes value)
{
    if (header_is(name, ":path")) {
        free(s->path);
        s->path = strndup((const char *)value.ptr, value.len);
        return s->path != NULL;
    }
    if (header_is(name, ":method")) {
        s->is_post = sl_str_eq((struct sl_str){ (const char *)value.ptr, value.len }, SL_STR("POST"));
    } else if (header_is(name, "grpc-timeout")) {
        int64_t timeout_ns = sl_grpc_timeout_parse(value);
        s->bad_timeout = timeout_ns < 0;
        s->deadline = s->bad_timeout ? SL_NEVER : sl_ns_after(s->conn->now, timeout_ns);
    }
    return true;
}

int sl__grpc_header(struct sl__grpc_stream *s, const uint8_t *name, size_t name_len, const uint8_t *value,
                    size_t value_len)
{
    enum { ENTRY_OVERHEAD = 32 }; /* as HTTP/2 counts a header list */
    struct sl_str name_str = { (const char *)name, name_len };
    struct sl_bytes value_bytes = { value, value_len };
    size_t size = name_len + value_len + ENTRY_OVERHEAD;
    if (size > s->conn->limits.header_bytes_max - s->header_bytes) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    s->header_bytes += (uint32_t)size;
    if (header_take_common(s, name_str, value_bytes)) {
        return 0;
    }
    if (s->conn->role == SL_GRPC_CLIENT) {
        header_take_answer(s, name_str, value_bytes);
        return 0;
    }
    return s->headers_done || header_take_request(s, name_str, value_bytes) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void headers_done_answer(struct sl__grpc_stream *s)
{
    bool is_grpc = s->http_status == 200 && s->has_grpc_type;
    if (is_grpc && s->has_encoding) {
        sl__grpc_stream_abort(s, SL_GRPC_INTERNAL, "the answer is compressed, which was not asked for");
    } else if (!is_grpc && !s->has_status) {
        bool is_http = s->http_status != 200;
        sl__grpc_stream_abort(s, is_http ? sl_grpc_code_of_http(s->http_status) : SL_GRPC_UNKNOWN,
                              is_http ? "the peer answered with an HTTP error, not gRPC" : "the answer is not gRPC");
    } else if (!s->has_status && s->conn->events->on_answer != NULL && !s->conn->muted) {
        s->conn->events->on_answer(s->conn->ctx, s->tag);
    }
}

void sl__grpc_headers_done(struct sl__grpc_stream *s)
{
    struct sl_grpc_conn *c = s->conn;
    if (s->silent) {
        return;
    }
    if (c->role == SL_GRPC_CLIENT) {
        headers_done_answer(s);
        return;
    }
    s->silent = true; /* until accepted by the checks below, nobody knows of it */
    if (!s->is_post || s->path == NULL) {
        (void)sl__grpc_submit_http_status(s, "405");
    } else if (!s->has_grpc_type) {
        (void)sl__grpc_submit_http_status(s, "415");
    } else if (s->bad_timeout) {
        sl_grpc_conn_finish(c, s->id, SL_GRPC_INTERNAL, "malformed grpc-timeout");
    } else if (s->has_encoding) {
        sl_grpc_conn_finish(c, s->id, SL_GRPC_UNIMPLEMENTED,
                            "compressed messages are not accepted; send them uncompressed");
    } else if (!c->muted) {
        s->silent = false;
        struct sl_grpc_request request = { .path = sl_str_of(s->path) };
        c->events->on_request(c->ctx, s->id, &request);
    }
    free(s->path);
    s->path = NULL;
}

/* ---- writing ---- */

static nghttp2_nv header_of(struct sl_str name, struct sl_str value)
{
    /* nghttp2 copies both; its fields are not const. */
    union {
        const char *text;
        uint8_t *bytes;
    } n = { name.ptr }, v = { value.ptr };
    return (nghttp2_nv){ .name = n.bytes, .value = v.bytes, .namelen = name.len, .valuelen = value.len };
}

static nghttp2_nv header_of_text(const char *name, const char *value)
{
    return header_of(sl_str_of(name), sl_str_of(value));
}

int sl__grpc_submit_request(struct sl_grpc_conn *c, const struct sl_grpc_start *start)
{
    nghttp2_nv nv[10 + SL_GRPC_HEADERS_MAX];
    char timeout[24];
    size_t count = 0;
    nv[count++] = header_of_text(":method", "POST");
    nv[count++] = header_of_text(":scheme", c->tls ? "https" : "http");
    nv[count++] = header_of_text(":path", start->path);
    nv[count++] = header_of_text(":authority", c->authority);
    nv[count++] = header_of_text("te", "trailers");
    /* Exactly this: the reference's port hands any other type to its HTTP server. */
    nv[count++] = header_of_text("content-type", "application/grpc");
    nv[count++] = header_of_text("user-agent", "grpc-c-sluice");
    nv[count++] = header_of_text("grpc-accept-encoding", "identity");
    if (start->timeout_ns > 0) {
        size_t len = sl_grpc_timeout_format(start->timeout_ns, timeout, sizeof timeout);
        nv[count++] = header_of(SL_STR("grpc-timeout"), (struct sl_str){ timeout, len });
    }
    for (uint32_t i = 0; i < start->header_count; i++) {
        nv[count] = header_of(start->headers[i].name, start->headers[i].value);
        nv[count++].flags = start->headers[i].secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    }
    nghttp2_data_provider provider = sl__grpc_body_provider(c->streams);
    return nghttp2_submit_request(c->session, NULL, nv, count, &provider, NULL);
}

int sl__grpc_submit_answer(struct sl__grpc_stream *s)
{
    nghttp2_nv nv[] = { header_of_text(":status", "200"), header_of_text("content-type", "application/grpc"),
                        header_of_text("grpc-accept-encoding", "identity") };
    nghttp2_data_provider provider = sl__grpc_body_provider(s);
    return nghttp2_submit_response(s->conn->session, s->id, nv, sizeof nv / sizeof nv[0], &provider);
}

/* grpc-status and, if there is one, grpc-message. Texts live in the caller's memory. */
struct header_status {
    char code[4];
    char message[3 * SL_GRPC_MESSAGE_MAX];
};

static size_t header_status_fill(struct header_status *h, const struct sl__grpc_stream *s, nghttp2_nv *nv)
{
    int len = snprintf(h->code, sizeof h->code, "%u", (unsigned)s->finish_code);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof h->code);
    nv[0] = header_of_text("grpc-status", h->code);
    if (s->finish_message == NULL || s->finish_message[0] == '\0') {
        return 1;
    }
    size_t size = sl_grpc_message_encode(sl_str_of(s->finish_message), h->message, sizeof h->message);
    nv[1] = header_of(SL_STR("grpc-message"), (struct sl_str){ h->message, size });
    return 2;
}

int sl__grpc_submit_trailers(struct sl__grpc_stream *s)
{
    struct header_status status;
    nghttp2_nv nv[2];
    size_t count = header_status_fill(&status, s, nv);
    s->finish_sent = true;
    return nghttp2_submit_trailer(s->conn->session, s->id, nv, count);
}

int sl__grpc_submit_status_only(struct sl__grpc_stream *s)
{
    struct header_status status;
    nghttp2_nv nv[4] = { header_of_text(":status", "200"), header_of_text("content-type", "application/grpc") };
    size_t count = 2 + header_status_fill(&status, s, nv + 2);
    s->answered = true;
    s->finish_sent = true;
    return nghttp2_submit_response(s->conn->session, s->id, nv, count, NULL);
}

int sl__grpc_submit_http_status(struct sl__grpc_stream *s, const char *http_status)
{
    nghttp2_nv nv[] = { header_of_text(":status", http_status) };
    s->answered = true;
    s->ending = true;
    s->finish_sent = true;
    return nghttp2_submit_response(s->conn->session, s->id, nv, sizeof nv / sizeof nv[0], NULL);
}
