/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/grpc/conn_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PING_STRIKES_MAX = 2, OUT_KEPT_BYTES = 4096 };

/* ---- output buffer ---- */

bool sl__grpc_out_is_full(const struct sl_grpc_conn *c)
{
    return c->out_len - c->out_start >= c->limits.output_bytes_max;
}

uint8_t *sl__grpc_out_room(struct sl_grpc_conn *c, size_t size)
{
    size_t wanted = c->out_len + size;
    if (wanted > c->out_cap) {
        size_t cap = wanted < 2 * c->out_cap ? 2 * c->out_cap : wanted;
        uint8_t *out = realloc(c->out, cap);
        if (out == NULL) {
            return NULL;
        }
        c->out = out;
        c->out_cap = cap;
    }
    uint8_t *room = c->out + c->out_len;
    c->out_len = wanted;
    return room;
}

static ssize_t conn_on_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags, void *user)
{
    (void)session;
    (void)flags;
    struct sl_grpc_conn *c = user;
    if (sl__grpc_out_is_full(c)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    uint8_t *to = sl__grpc_out_room(c, length);
    if (to == NULL) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    memcpy(to, data, length);
    return (ssize_t)length;
}

/* ---- what the peer sent ---- */

static int conn_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sl_grpc_conn *c = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    if (c->is_goaway_sent) { /* it crossed the GOAWAY, which says that this call will not be looked at */
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    }
    return sl__grpc_stream_new(c, frame->hd.stream_id) == NULL ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static int conn_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                          const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    (void)session;
    (void)flags;
    struct sl__grpc_stream *s = sl__grpc_stream_find(user, frame->hd.stream_id);
    return s == NULL || s->silent ? 0 : sl__grpc_header(s, name, name_len, value, value_len);
}

static int conn_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                        void *user)
{
    (void)flags;
    struct sl_grpc_conn *c = user;
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, id);
    if (s == NULL || s->silent || c->muted) {
        (void)nghttp2_session_consume_connection(session, len);
        return 0;
    }
    sl__grpc_body_receive(s, (struct sl_bytes){ data, len });
    return 0;
}

/* Reference behaviour: an answer of ours in between forgives. */
static void conn_on_ping(struct sl_grpc_conn *c)
{
    if (c->role == SL_GRPC_CLIENT) {
        return;
    }
    bool too_soon = c->has_peer_ping && c->now - c->last_peer_ping < c->limits.ping_ns_min;
    c->ping_strikes = too_soon ? c->ping_strikes + 1 : c->ping_strikes;
    c->last_peer_ping = c->now;
    c->has_peer_ping = true;
}

static void conn_on_goaway(struct sl_grpc_conn *c, const nghttp2_goaway *frame)
{
    char text[96];
    size_t len = frame->opaque_data_len < sizeof text ? frame->opaque_data_len : sizeof text;
    for (size_t i = 0; i < len; i++) {
        char byte = (char)frame->opaque_data[i];
        text[i] = byte >= 0x20 && byte <= 0x7e ? byte : '?';
    }
    c->is_goaway_received = true;
    if (c->events->on_goaway != NULL && !c->muted) {
        c->events->on_goaway(c->ctx, (struct sl_str){ text, len });
    }
}

static void conn_on_stream_frame(struct sl_grpc_conn *c, const nghttp2_frame *frame)
{
    struct sl__grpc_stream *s = sl__grpc_stream_find(c, frame->hd.stream_id);
    if (s == NULL) {
        return;
    }
    /* 1xx answers are followed by the real one. */
    bool is_final = c->role == SL_GRPC_SERVER || s->http_status >= 200;
    if (frame->hd.type == NGHTTP2_HEADERS && !s->headers_done && is_final) {
        s->headers_done = true;
        sl__grpc_headers_done(s);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        sl__grpc_stream_peer_ended(s);
    }
}

static int conn_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct sl_grpc_conn *c = user;
    bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        conn_on_stream_frame(c, frame);
        break;
    case NGHTTP2_SETTINGS:
        if (!is_ack && !c->ready && !c->muted) {
            c->ready = true;
            c->events->on_ready(c->ctx);
        }
        break;
    case NGHTTP2_PING:
        if (!is_ack) {
            conn_on_ping(c);
        }
        break;
    case NGHTTP2_GOAWAY:
        conn_on_goaway(c, &frame->goaway);
        break;
    default: /* a uint8_t from the wire, not an enum; the others need nothing */
        break;
    }
    return 0;
}

static int conn_on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    (void)session;
    struct sl__grpc_stream *s = sl__grpc_stream_find(user, id);
    if (s != NULL) {
        sl__grpc_stream_closed(s, error);
    }
    return 0;
}

static int conn_on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sl_grpc_conn *c = user;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) {
        return 0;
    }
    c->has_peer_ping = false;
    c->ping_strikes = 0;
    bool is_last = frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct sl__grpc_stream *s = is_last ? sl__grpc_stream_find(c, frame->hd.stream_id) : NULL;
    /* The answer is complete while the client still sends: it has to stop (RFC 9113, 8.1). */
    if (s != NULL && c->role == SL_GRPC_SERVER && !s->peer_ended) {
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
    }
    return 0;
}

/* nghttp2 says here what is wrong with what the peer sent; kept for the error line. */
static int conn_on_error(nghttp2_session *session, int code, const char *message, size_t len, void *user)
{
    (void)session;
    (void)code;
    struct sl_grpc_conn *c = user;
    char text[120];
    size_t size = len < sizeof text - 1 ? len : sizeof text - 1;
    for (size_t i = 0; i < size; i++) {
        text[i] = message[i] >= 0x20 && message[i] <= 0x7e ? message[i] : '?';
    }
    text[size] = '\0';
    (void)sl_err_set(&c->why, SL_MALFORMED, "HTTP/2: %s", text);
    return 0;
}

/* ---- life ---- */

static nghttp2_session_callbacks *conn_callbacks(void)
{
    nghttp2_session_callbacks *cb = NULL;
    if (nghttp2_session_callbacks_new(&cb) != 0) {
        return NULL;
    }
    nghttp2_session_callbacks_set_send_callback(cb, conn_on_send);
    nghttp2_session_callbacks_set_send_data_callback(cb, sl__grpc_body_send_data);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, conn_on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, conn_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, conn_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, conn_on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, conn_on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, conn_on_stream_close);
    nghttp2_session_callbacks_set_error_callback2(cb, conn_on_error);
    return cb;
}

static nghttp2_option *conn_options(void)
{
    enum { RESETS_BURST = 200, RESETS_PER_S = 33, CONTINUATIONS_MAX = 8, SETTINGS_MAX = 32, ACKS_MAX = 1000 };
    nghttp2_option *option = NULL;
    if (nghttp2_option_new(&option) != 0) {
        return NULL;
    }
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_PER_S);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    nghttp2_option_set_max_settings(option, SETTINGS_MAX);
    nghttp2_option_set_max_outbound_ack(option, ACKS_MAX);
    return option;
}

static void conn_default(sl_ns *value, sl_ns otherwise)
{
    *value = *value == 0 ? otherwise : *value;
}

static struct sl_grpc_limits conn_limits(const struct sl_grpc_limits *given, enum sl_grpc_role role)
{
    struct sl_grpc_limits l = *given;
    sl_ns server_ns = 60 * SL_S;
    bool client = role == SL_GRPC_CLIENT;
    l.message_bytes_max = l.message_bytes_max == 0 ? (size_t)256 << 20 : l.message_bytes_max;
    l.queue_bytes_low = l.queue_bytes_low == 0 ? 64u << 10 : l.queue_bytes_low;
    l.output_bytes_max = l.output_bytes_max == 0 ? 64u << 10 : l.output_bytes_max;
    l.header_bytes_max = l.header_bytes_max == 0 ? 16u << 10 : l.header_bytes_max;
    l.stream_count_max = l.stream_count_max == 0 ? 100 : l.stream_count_max;
    l.stream_window = l.stream_window == 0 ? 1u << 20 : l.stream_window;
    l.conn_window = l.conn_window == 0 ? 8u << 20 : l.conn_window;
    conn_default(&l.keepalive_ns, client ? 20 * SL_S : server_ns);
    conn_default(&l.keepalive_timeout_ns, client ? 30 * SL_S : server_ns);
    conn_default(&l.ping_ns_min, 20 * SL_S);
    return l;
}

static bool conn_begin(struct sl_grpc_conn *c)
{
    nghttp2_settings_entry entries[] = {
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->limits.stream_window },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->limits.header_bytes_max },
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->limits.stream_count_max },
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
    };
    size_t count = sizeof entries / sizeof entries[0] - (c->role == SL_GRPC_SERVER ? 1 : 0);
    return nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, entries, count) == 0 &&
           nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, (int32_t)c->limits.conn_window) == 0;
}

static bool conn_make_session(struct sl_grpc_conn *c)
{
    nghttp2_session_callbacks *cb = conn_callbacks();
    nghttp2_option *option = conn_options();
    int rc = NGHTTP2_ERR_NOMEM;
    if (cb != NULL && option != NULL) {
        rc = c->role == SL_GRPC_CLIENT ? nghttp2_session_client_new2(&c->session, cb, c, option)
                                       : nghttp2_session_server_new2(&c->session, cb, c, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    return rc == 0 && conn_begin(c);
}

enum sl_code sl_grpc_conn_new(struct sl_grpc_conn **out, const struct sl_grpc_conn_opts *opts)
{
    *out = NULL;
    struct sl_grpc_conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return SL_NOMEM;
    }
    c->role = opts->role;
    c->limits = conn_limits(&opts->limits, opts->role);
    c->own_budget.bytes_max = SIZE_MAX;
    c->budget = opts->budget == NULL ? &c->own_budget : opts->budget;
    c->events = opts->events;
    c->ctx = opts->ctx;
    c->tls = opts->tls;
    c->now = c->last_receive = opts->now;
    c->ping_deadline = SL_NEVER;
    c->last_ping = opts->now;
    c->authority = strdup(opts->authority == NULL ? "" : opts->authority);
    if (c->authority == NULL || !conn_make_session(c)) {
        sl_grpc_conn_free(c);
        return SL_NOMEM;
    }
    *out = c;
    return SL_OK;
}

void sl_grpc_conn_free(struct sl_grpc_conn *c)
{
    if (c == NULL) {
        return;
    }
    SL_REQUIRE(c->events_depth == 0);
    nghttp2_session_del(c->session);
    while (c->streams != NULL) {
        sl__grpc_stream_free(c->streams);
    }
    free(c->authority);
    free(c->out);
    free(c);
}

/* ---- running ---- */

/* The session may not be used after this. */
static void conn_end_streams(struct sl_grpc_conn *c, const char *text)
{
    struct sl_grpc_status status = sl_grpc_status_of(SL_GRPC_UNAVAILABLE, text);
    c->failed = true;
    c->events_depth++;
    while (c->streams != NULL) {
        sl__grpc_stream_say_end(c->streams, &status);
        sl__grpc_stream_free(c->streams);
    }
    c->events_depth--;
}

/* A client says it is writable by being asked to write more, so this may need more than one round. */
static void conn_say_writable(struct sl_grpc_conn *c)
{
    c->any_writable = false;
    for (struct sl__grpc_stream *s = c->streams; s != NULL; s = s->next) {
        if (s->was_high && s->queued_bytes < c->limits.queue_bytes_low) {
            s->was_high = false;
            if (!s->silent && !s->ending && !c->muted && c->events->on_writable != NULL) {
                c->events->on_writable(c->ctx, s->tag);
            }
        }
    }
}

static int conn_produce(struct sl_grpc_conn *c)
{
    int rc;
    c->events_depth++;
    do {
        rc = nghttp2_session_send(c->session);
        if (c->any_writable) {
            conn_say_writable(c);
        }
    } while (rc == 0 && !sl__grpc_out_is_full(c) && nghttp2_session_want_write(c->session) != 0);
    c->events_depth--;
    return rc;
}

static enum sl_code conn_broken(struct sl_grpc_conn *c, enum sl_code code, const char *text, struct sl_err *e)
{
    if (c->why.code == SL_OK) {
        (void)sl_err_set(&c->why, code, "%s", text);
    }
    conn_end_streams(c, c->why.text);
    return sl_err_set(e, c->why.code, "%s", c->why.text);
}

/* Gives the connection up, but tells the peer why first. */
static enum sl_code conn_calm_down(struct sl_grpc_conn *c, struct sl_err *e)
{
    static const char reason[] = "too_many_pings";
    int32_t last = nghttp2_session_get_last_proc_stream_id(c->session);
    (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)reason,
                                sizeof reason - 1);
    (void)conn_produce(c);
    return conn_broken(c, SL_REFUSED, "the peer sends too many pings", e);
}

enum sl_code sl_grpc_conn_receive(struct sl_grpc_conn *c, sl_ns now, struct sl_bytes bytes, struct sl_err *e)
{
    SL_REQUIRE(c->events_depth == 0);
    c->now = now;
    if (c->failed) {
        return sl_err_set(e, c->why.code == SL_OK ? SL_NOT_READY : c->why.code, "%s", c->why.text);
    }
    c->last_receive = now;
    c->ping_deadline = SL_NEVER;
    c->events_depth++;
    ssize_t done = nghttp2_session_mem_recv(c->session, bytes.ptr, bytes.len);
    c->events_depth--;
    if (done == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
        return conn_broken(c, SL_MALFORMED, "not an HTTP/2 client", e);
    }
    if (done < 0) {
        (void)conn_produce(c);
        return conn_broken(c, done == NGHTTP2_ERR_NOMEM ? SL_NOMEM : SL_MALFORMED, nghttp2_strerror((int)done), e);
    }
    if (c->ping_strikes > PING_STRIKES_MAX) {
        return conn_calm_down(c, e);
    }
    return SL_OK;
}

struct sl_bytes sl_grpc_conn_output(struct sl_grpc_conn *c, sl_ns now)
{
    SL_REQUIRE(c->events_depth == 0);
    c->now = now;
    if (!c->failed && conn_produce(c) != 0) {
        (void)conn_broken(c, SL_NOMEM, "out of memory", NULL);
    }
    return (struct sl_bytes){ c->out == NULL ? NULL : c->out + c->out_start, c->out_len - c->out_start };
}

void sl_grpc_conn_output_taken(struct sl_grpc_conn *c, size_t size)
{
    SL_REQUIRE(size <= c->out_len - c->out_start);
    c->out_start += size;
    if (c->out_start < c->out_len) {
        return;
    }
    c->out_start = c->out_len = 0;
    if (c->out_cap > OUT_KEPT_BYTES) {
        free(c->out);
        c->out = NULL;
        c->out_cap = 0;
    }
}

static sl_ns conn_keepalive_at(const struct sl_grpc_conn *c)
{
    if (!c->ready) {
        return SL_NEVER;
    }
    if (c->ping_deadline != SL_NEVER) {
        return c->ping_deadline;
    }
    sl_ns after_receive = sl_ns_after(c->last_receive, c->limits.keepalive_ns);
    sl_ns after_ping = sl_ns_after(c->last_ping, c->limits.keepalive_ns);
    return after_receive > after_ping ? after_receive : after_ping;
}

sl_ns sl_grpc_conn_deadline(const struct sl_grpc_conn *c)
{
    if (c->failed || c->muted) {
        return SL_NEVER;
    }
    sl_ns deadline = conn_keepalive_at(c);
    for (const struct sl__grpc_stream *s = c->streams; s != NULL; s = s->next) {
        deadline = s->silent ? deadline : sl_ns_min(deadline, s->deadline);
    }
    return deadline;
}

static void conn_end_late_streams(struct sl_grpc_conn *c)
{
    c->events_depth++;
    for (struct sl__grpc_stream *s = c->streams; s != NULL; s = s->next) {
        if (!s->silent && s->deadline <= c->now) {
            sl__grpc_stream_abort(s, SL_GRPC_DEADLINE_EXCEEDED, "the deadline of the call has passed");
        }
    }
    c->events_depth--;
}

enum sl_code sl_grpc_conn_tick(struct sl_grpc_conn *c, sl_ns now, struct sl_err *e)
{
    SL_REQUIRE(c->events_depth == 0);
    c->now = now;
    if (c->failed || c->muted) {
        return SL_OK;
    }
    conn_end_late_streams(c);
    if (now < conn_keepalive_at(c)) {
        return SL_OK;
    }
    if (c->ping_deadline != SL_NEVER) {
        return conn_broken(c, SL_NOT_READY, "the peer does not answer pings", e);
    }
    c->last_ping = now;
    c->ping_deadline = sl_ns_after(now, c->limits.keepalive_timeout_ns);
    (void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
    return SL_OK;
}

void sl_grpc_conn_fail(struct sl_grpc_conn *c, const char *text)
{
    SL_REQUIRE(c->events_depth == 0);
    if (!c->failed) {
        (void)conn_broken(c, SL_NOT_READY, text, NULL);
    }
}

bool sl_grpc_conn_is_done(const struct sl_grpc_conn *c)
{
    bool is_over =
        c->failed || (nghttp2_session_want_read(c->session) == 0 && nghttp2_session_want_write(c->session) == 0);
    return is_over && c->out_start == c->out_len;
}

bool sl_grpc_conn_is_ready(const struct sl_grpc_conn *c)
{
    return c->ready && !c->failed;
}

void sl_grpc_conn_goaway(struct sl_grpc_conn *c)
{
    if (!c->failed && !c->is_goaway_sent) {
        int32_t last = nghttp2_session_get_last_proc_stream_id(c->session);
        c->is_goaway_sent = true;
        (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    }
}

void sl_grpc_conn_terminate(struct sl_grpc_conn *c)
{
    c->muted = true;
    if (!c->failed) {
        (void)nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
    }
}
