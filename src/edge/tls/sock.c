/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/sock.h"

#include "edge/loop/timer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCK_READ_BYTES = 64 << 10, SOCK_PLAIN_BYTES = 16 << 10 };

/*
 * Buffers that are only used between two calls of the loop, so one per thread is enough. libuv fills the first one; OpenSSL
 * decrypts from its own copy of it into the second.
 */
static _Thread_local char sock_read_buffer[SOCK_READ_BYTES];
static _Thread_local uint8_t sock_plain_buffer[SOCK_PLAIN_BYTES];

struct sock_bytes {
    char *ptr;
    size_t len, cap;
};

struct sl_sock {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_timer_t anchor; /* never armed: so there is always a handle whose closing frees s */
    uint32_t handles_open;
    bool has_stream;
    const struct sl_sock_events *events;
    void *ctx;
    struct sl_tls_conn *tls;
    struct sl_turn *turn;

    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    struct addrinfo *addresses, *address_next;
    char *host;

    bool connected, ready, ready_said, wants_reading, is_reading, eof;
    bool failed, failed_said, closing, shutting_down, drained_due, drain_input;
    uint32_t requests_open; /* of libuv, that hold s */
    enum sl_code code;
    struct sl_err why;

    struct sock_bytes waiting, in_flight;
    uv_write_t write;
    uv_shutdown_t shutdown;
};

static void sock_connect_next(struct sl_sock *s, int last_error);

/* ---- ends ---- */

static void sock_free(struct sl_sock *s)
{
    if (s->addresses != NULL) {
        uv_freeaddrinfo(s->addresses);
    }
    sl_tls_conn_free(s->tls);
    free(s->host);
    free(s->waiting.ptr);
    free(s->in_flight.ptr);
    free(s);
}

/* Whichever of the requests and handles goes last frees, never below a caller that is inside one of their callbacks. */
static void sock_maybe_free(struct sl_sock *s)
{
    if (s->closing && s->handles_open == 0 && s->requests_open == 0) {
        sock_free(s);
    }
}

static void sock_on_closed(uv_handle_t *handle)
{
    struct sl_sock *s = handle->data;
    s->handles_open--;
    sock_maybe_free(s);
}

/* Remembers it; on_failed is called from the turn. */
static void sock_fail(struct sl_sock *s, enum sl_code code, const char *what, const char *why)
{
    if (s->failed || s->closing) {
        return;
    }
    s->failed = true;
    s->code = sl_err_set(&s->why, code, "%s%s%s", what, why[0] == '\0' ? "" : ": ", why);
    sl_turn_wake(s->turn);
}

static void sock_fail_uv(struct sl_sock *s, const char *what, int error)
{
    sock_fail(s, SL_NOT_READY, what, uv_strerror(error));
}

static void sock_fail_tls(struct sl_sock *s, const struct sl_err *e)
{
    sock_fail(s, e->code, e->text, "");
}

/* ---- writing ---- */

static bool sock_bytes_add(struct sock_bytes *b, const char *ptr, size_t len)
{
    if (b->len + len > b->cap) {
        size_t cap = b->len + len > 2 * b->cap ? b->len + len : 2 * b->cap;
        char *grown = realloc(b->ptr, cap);
        if (grown == NULL) {
            return false;
        }
        b->ptr = grown;
        b->cap = cap;
    }
    memcpy(b->ptr + b->len, ptr, len);
    b->len += len;
    return true;
}

static void sock_write_waiting(struct sl_sock *s);

static void sock_on_shutdown(uv_shutdown_t *req, int status)
{
    struct sl_sock *s = req->data;
    (void)status;
    s->requests_open--;
    sock_maybe_free(s);
}

/* Once everything is out. */
static void sock_maybe_shutdown(struct sl_sock *s)
{
    if (s->shutting_down && s->waiting.len == 0 && s->in_flight.len == 0 && !s->closing && s->connected) {
        s->shutting_down = false;
        s->shutdown.data = s;
        s->requests_open += uv_shutdown(&s->shutdown, &s->uv.stream, sock_on_shutdown) == 0 ? 1 : 0;
    }
}

static void sock_on_written(uv_write_t *req, int status)
{
    struct sl_sock *s = req->data;
    s->requests_open--;
    s->in_flight.len = 0;
    if (s->closing) {
        sock_maybe_free(s);
        return;
    }
    if (status < 0) {
        sock_fail_uv(s, "write", status);
        return;
    }
    sock_write_waiting(s);
    sock_maybe_shutdown(s);
    if (s->in_flight.len == 0 && !s->failed && s->events->on_drained != NULL) {
        s->events->on_drained(s->ctx);
    }
}

/* One request at a time: what is written meanwhile goes with the next one. */
static void sock_write_waiting(struct sl_sock *s)
{
    if (s->waiting.len == 0 || s->in_flight.len > 0 || s->failed) {
        return;
    }
    struct sock_bytes empty = s->in_flight;
    s->in_flight = s->waiting;
    s->waiting = empty;
    uv_buf_t buf = uv_buf_init(s->in_flight.ptr, (unsigned)s->in_flight.len);
    s->write.data = s;
    int rc = uv_write(&s->write, &s->uv.stream, &buf, 1, sock_on_written);
    if (rc < 0) {
        s->in_flight.len = 0;
        sock_fail_uv(s, "write", rc);
        return;
    }
    s->requests_open++;
}

/* To the kernel at once if nothing waits, so that the usual write costs no copy and no request. */
static bool sock_write_raw(struct sl_sock *s, const char *ptr, size_t len)
{
    if (s->in_flight.len == 0 && s->waiting.len == 0) {
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)ptr, (unsigned)len);
        int sent = uv_try_write(&s->uv.stream, &buf, 1);
        if (sent < 0 && sent != UV_EAGAIN) {
            sock_fail_uv(s, "write", sent);
            return true;
        }
        ptr += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    if (len > 0) {
        if (!sock_bytes_add(&s->waiting, ptr, len)) {
            return false;
        }
        sock_write_waiting(s);
    }
    return true;
}

/* Ciphertext that OpenSSL made. */
static bool sock_flush_tls(struct sl_sock *s)
{
    uint8_t chunk[SOCK_PLAIN_BYTES];
    size_t len;
    while (s->tls != NULL && (len = sl_tls_conn_output(s->tls, chunk, sizeof chunk)) > 0) {
        if (!sock_write_raw(s, (const char *)chunk, len)) {
            sock_fail(s, SL_NOMEM, "out of memory", "");
            return false;
        }
    }
    return true;
}

enum sl_code sl_sock_write(struct sl_sock *s, struct sl_bytes bytes, struct sl_err *e)
{
    if (s->failed || s->closing || !s->ready) {
        return sl_err_set(e, SL_NOT_READY, "the connection is not open");
    }
    if (s->tls == NULL) {
        return sock_write_raw(s, (const char *)bytes.ptr, bytes.len) ? SL_OK : sl_err_set(e, SL_NOMEM, "out of memory");
    }
    enum sl_code code = sl_tls_conn_write(s->tls, bytes, e);
    if (code != SL_OK) {
        return code;
    }
    return sock_flush_tls(s) ? SL_OK : sl_err_set(e, SL_NOMEM, "out of memory");
}

size_t sl_sock_unsent_bytes(const struct sl_sock *s)
{
    return s->waiting.len + s->in_flight.len;
}

void sl_sock_shutdown(struct sl_sock *s)
{
    if (s->failed || s->closing || !s->ready) {
        return;
    }
    if (s->tls != NULL) {
        sl_tls_conn_shutdown(s->tls);
        (void)sock_flush_tls(s);
    }
    s->shutting_down = true;
    sock_maybe_shutdown(s);
}

/* ---- reading ---- */

static void sock_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(sock_read_buffer, SOCK_READ_BYTES);
}

static void sock_say_ready(struct sl_sock *s)
{
    s->ready = true;
    if (!s->ready_said) {
        s->ready_said = true;
        s->events->on_ready(s->ctx);
    }
}

static void sock_stop_reading(struct sl_sock *s)
{
    if (s->is_reading) {
        s->is_reading = false;
        (void)uv_read_stop(&s->uv.stream);
    }
}

/* Ciphertext came; the handshake may be done by it. False: nothing more to do with this socket. */
static bool sock_receive_tls(struct sl_sock *s, struct sl_bytes bytes)
{
    struct sl_err e = { .code = SL_OK };
    enum sl_code code = sl_tls_conn_receive(s->tls, bytes, &e);
    bool is_flushed = sock_flush_tls(s); /* also the alert that says why */
    if (code != SL_OK) {
        sock_fail_tls(s, &e);
        return false;
    }
    if (is_flushed && !s->ready && sl_tls_conn_is_ready(s->tls)) {
        sock_say_ready(s);
    }
    return is_flushed && !s->closing && !s->failed;
}

/* Hands out decrypted bytes as long as the owner wants them. */
static void sock_pump_input(struct sl_sock *s)
{
    s->drain_input = false;
    while (s->ready && !s->closing && !s->failed && s->wants_reading) {
        struct sl_err e = { .code = SL_OK };
        size_t len = 0;
        bool eof = false;
        if (sl_tls_conn_read(s->tls, sock_plain_buffer, SOCK_PLAIN_BYTES, &len, &eof, &e) != SL_OK) {
            (void)sock_flush_tls(s);
            sock_fail_tls(s, &e);
            return;
        }
        if (len == 0) {
            if (eof) {
                sock_fail(s, SL_OK, "the peer closed the connection", "");
            }
            break;
        }
        s->events->on_bytes(s->ctx, (struct sl_bytes){ sock_plain_buffer, len });
    }
    if (!s->closing && !s->failed && s->tls != NULL) {
        (void)sock_flush_tls(s); /* answers to key updates */
    }
}

static void sock_on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct sl_sock *s = stream->data;
    if (count == 0 || s->closing || s->failed) {
        return;
    }
    if (count < 0) {
        sock_stop_reading(s);
        if (count == UV_EOF) {
            sock_fail(s, s->ready ? SL_OK : SL_NOT_READY, "the peer closed the connection", "");
        } else {
            sock_fail_uv(s, "read", (int)count);
        }
        return;
    }
    struct sl_bytes bytes = { (const uint8_t *)buf->base, (size_t)count };
    if (s->tls == NULL) {
        s->events->on_bytes(s->ctx, bytes);
    } else if (sock_receive_tls(s, bytes)) {
        sock_pump_input(s);
    }
}

static void sock_start_reading(struct sl_sock *s)
{
    bool wanted = s->wants_reading || !s->ready; /* a handshake has to be read */
    if (s->is_reading || !s->connected || s->failed || s->closing || !wanted) {
        return;
    }
    s->is_reading = true;
    int rc = uv_read_start(&s->uv.stream, sock_on_alloc, sock_on_read);
    if (rc < 0) {
        sock_fail_uv(s, "read", rc);
    }
}

void sl_sock_set_reading(struct sl_sock *s, bool on)
{
    s->wants_reading = on;
    if (!on && s->ready) {
        sock_stop_reading(s);
    } else if (on) {
        s->drain_input = s->tls != NULL;
        sl_turn_wake(s->turn);
    }
}

void sl_sock_set_owner(struct sl_sock *s, const struct sl_sock_events *events, void *ctx)
{
    s->events = events;
    s->ctx = ctx;
    s->drain_input = s->tls != NULL;
    s->failed_said = false;
    sl_turn_wake(s->turn);
}

/* ---- the turn: what may not happen inside a call ---- */

static void sock_on_turn(void *ctx)
{
    struct sl_sock *s = ctx;
    if (s->closing) {
        return;
    }
    if (s->connected && !s->failed && s->tls == NULL && !s->ready) {
        sock_say_ready(s);
    }
    if (s->drain_input && s->tls != NULL && !s->closing) {
        sock_pump_input(s);
    }
    if (!s->closing) {
        sock_start_reading(s);
    }
    if (s->failed && !s->failed_said && !s->closing) {
        s->failed_said = true;
        sock_stop_reading(s);
        s->events->on_failed(s->ctx, s->code, &s->why);
    }
}

static void sock_connected(struct sl_sock *s)
{
    s->connected = true;
    (void)sock_flush_tls(s); /* the first flight of a dialling side */
    sl_turn_wake(s->turn);
}

/* ---- dialling ---- */

static void sock_on_connect_handle_closed(uv_handle_t *handle)
{
    struct sl_sock *s = handle->data;
    s->handles_open--;
    s->has_stream = false;
    if (s->closing) {
        sock_maybe_free(s);
        return;
    }
    sock_connect_next(s, s->why.code == SL_OK ? 0 : UV_ECONNREFUSED);
}

static void sock_on_connected(uv_connect_t *req, int status)
{
    struct sl_sock *s = req->data;
    s->requests_open--;
    if (s->closing) {
        sock_maybe_free(s);
        return;
    }
    if (status < 0) {
        (void)sl_err_set(&s->why, SL_NOT_READY, "%s", uv_strerror(status));
        uv_close(&s->uv.handle, sock_on_connect_handle_closed);
        return;
    }
    (void)uv_tcp_nodelay(&s->uv.tcp, 1);
    sock_connected(s);
}

/* A socket whose connect failed cannot be used again: each address gets a new one. */
static void sock_connect_next(struct sl_sock *s, int last_error)
{
    struct addrinfo *address = s->address_next;
    if (address == NULL) {
        char text[96];
        int len = snprintf(text, sizeof text, "%s", last_error == 0 ? "no address" : s->why.text);
        sock_fail(s, SL_NOT_READY, s->host, len < 0 ? "" : text);
        return;
    }
    s->address_next = address->ai_next;
    SL_REQUIRE(uv_tcp_init(s->anchor.loop, &s->uv.tcp) == 0);
    s->uv.handle.data = s;
    s->has_stream = true;
    s->handles_open++;
    s->connect.data = s;
    int rc = uv_tcp_connect(&s->connect, &s->uv.tcp, address->ai_addr, sock_on_connected);
    if (rc == 0) {
        s->requests_open++;
        return;
    }
    (void)sl_err_set(&s->why, SL_NOT_READY, "%s", uv_strerror(rc));
    uv_close(&s->uv.handle, sock_on_connect_handle_closed);
}

static void sock_on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *addresses)
{
    struct sl_sock *s = req->data;
    s->requests_open--;
    s->addresses = addresses;
    s->address_next = addresses;
    if (s->closing) {
        sock_maybe_free(s);
    } else if (status < 0) {
        sock_fail_uv(s, s->host, status);
    } else {
        sock_connect_next(s, 0);
    }
}

static struct sl_sock *sock_new(const struct sl_sock_opts *opts)
{
    struct sl_sock *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->turn = sl_turn_new(opts->loop, sock_on_turn, s);
    if (s->turn == NULL) {
        free(s);
        return NULL;
    }
    SL_REQUIRE(uv_timer_init(opts->loop, &s->anchor) == 0);
    s->anchor.data = s;
    s->handles_open = 1;
    s->events = opts->events;
    s->ctx = opts->ctx;
    s->wants_reading = true;
    return s;
}

static int sock_resolve(struct sl_sock *s, uv_loop_t *loop, const char *host, uint16_t port)
{
    char service[8];
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    int len = snprintf(service, sizeof service, "%u", (unsigned)port);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof service);
    s->resolve.data = s;
    return uv_getaddrinfo(loop, &s->resolve, sock_on_resolved, host, service, &hints);
}

enum sl_code sl_sock_dial(struct sl_sock **out, const struct sl_sock_opts *opts, const char *host, uint16_t port,
                          struct sl_err *e)
{
    *out = NULL;
    struct sl_sock *s = sock_new(opts);
    if (s == NULL) {
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    s->host = strdup(host);
    enum sl_code code = s->host == NULL ? sl_err_set(e, SL_NOMEM, "out of memory") : SL_OK;
    if (code == SL_OK && opts->tls != NULL) {
        code = sl_tls_dial_new(&s->tls, opts->tls, host, e);
    }
    int rc = code == SL_OK ? sock_resolve(s, opts->loop, host, port) : 0;
    if (code == SL_OK && rc < 0) {
        code = sl_err_set(e, SL_NOMEM, "%s: %s", host, uv_strerror(rc));
    }
    if (code != SL_OK) {
        sl_sock_close(s);
        return code;
    }
    s->requests_open++;
    *out = s;
    return SL_OK;
}

/* ---- adopting ---- */

static int sock_open_fd(struct sl_sock *s, uv_loop_t *loop, int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return UV_EINVAL;
    }
    bool is_unix = address.ss_family == AF_UNIX;
    int rc = is_unix ? uv_pipe_init(loop, &s->uv.pipe, 0) : uv_tcp_init(loop, &s->uv.tcp);
    if (rc != 0) {
        return rc;
    }
    s->has_stream = true;
    s->handles_open++;
    s->uv.handle.data = s;
    rc = is_unix ? uv_pipe_open(&s->uv.pipe, fd) : uv_tcp_open(&s->uv.tcp, fd);
    if (rc == 0 && !is_unix) {
        (void)uv_tcp_nodelay(&s->uv.tcp, 1);
    }
    return rc;
}

enum sl_code sl_sock_adopt(struct sl_sock **out, const struct sl_sock_opts *opts, int fd, struct sl_err *e)
{
    *out = NULL;
    struct sl_sock *s = sock_new(opts);
    if (s == NULL) {
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    enum sl_code code = opts->tls == NULL ? SL_OK : sl_tls_accept_new(&s->tls, opts->tls, e);
    if (code != SL_OK) {
        sl_sock_close(s);
        return code;
    }
    int rc = sock_open_fd(s, opts->loop, fd);
    if (rc != 0) {
        sl_sock_close(s);
        return sl_err_set(e, SL_NOMEM, "socket: %s", uv_strerror(rc));
    }
    sock_connected(s);
    *out = s;
    return SL_OK;
}

void sl_sock_close(struct sl_sock *s)
{
    if (s == NULL || s->closing) {
        return;
    }
    s->closing = true;
    sl_turn_free(s->turn);
    s->turn = NULL;
    if (s->requests_open > 0 && !s->has_stream) {
        (void)uv_cancel((uv_req_t *)&s->resolve); /* refused if it runs already: then its callback comes later */
    }
    if (s->has_stream && !uv_is_closing(&s->uv.handle)) {
        uv_close(&s->uv.handle, sock_on_closed);
    }
    uv_close((uv_handle_t *)&s->anchor, sock_on_closed);
}

bool sl_sock_is_ready(const struct sl_sock *s)
{
    return s->ready && !s->failed && !s->closing;
}

enum sl_tls_alpn sl_sock_alpn(const struct sl_sock *s)
{
    return s->tls == NULL ? SL_TLS_ALPN_NONE : sl_tls_conn_alpn(s->tls);
}

const char *sl_sock_peer_name(const struct sl_sock *s)
{
    return s->tls == NULL ? "" : sl_tls_conn_peer_name(s->tls);
}
