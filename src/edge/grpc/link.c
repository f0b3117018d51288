/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/grpc/link.h"

#include "edge/loop/timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINK_ROUNDS_MAX = 16 };
static const sl_ns link_linger_ns = 500 * SL_MS;

struct sl_grpc_link {
    struct sl_sock *sock;
    struct sl_grpc_conn *conn;
    struct sl_timer *timer;
    struct sl_turn *turn;
    void (*on_down)(void *ctx, const struct sl_err *why);
    void (*on_freed)(void *ctx);
    void *ctx;
    sl_ns armed, ready_deadline, linger_deadline;
    bool closing, down, down_said, shut;
    struct sl_err why;
};

/* ---- ends ---- */

static void link_free(struct sl_grpc_link *l)
{
    void (*on_freed)(void *ctx) = l->on_freed;
    void *ctx = l->ctx;
    sl_sock_close(l->sock);
    sl_grpc_conn_free(l->conn);
    sl_timer_free(l->timer);
    sl_turn_free(l->turn);
    free(l);
    if (on_freed != NULL) {
        on_freed(ctx);
    }
}

static void link_go_down(struct sl_grpc_link *l, enum sl_code code, const char *text)
{
    if (!l->down) {
        l->down = true;
        (void)sl_err_set(&l->why, code, "%s", text);
        sl_turn_wake(l->turn);
    }
}

/* ---- output ---- */

static void link_arm(struct sl_grpc_link *l)
{
    sl_ns deadline = sl_grpc_conn_deadline(l->conn);
    if (!sl_grpc_conn_is_ready(l->conn)) {
        deadline = sl_ns_min(deadline, l->ready_deadline);
    }
    if (l->closing) {
        deadline = l->linger_deadline;
    }
    /* A deadline that moves away needs no call: the timer looks again when it fires. */
    if (deadline < l->armed) {
        l->armed = deadline;
        sl_timer_arm(l->timer, deadline);
    }
}

/* As much as the system takes. What it does not take waits in the socket, and the rest in the streams' queues. */
static void link_flush(struct sl_grpc_link *l)
{
    for (uint32_t round = 0; sl_sock_is_ready(l->sock); round++) {
        if (sl_sock_unsent_bytes(l->sock) > 0) {
            return; /* on_drained comes */
        }
        if (round == LINK_ROUNDS_MAX) {
            sl_turn_wake(l->turn); /* others want to send too */
            return;
        }
        struct sl_bytes out = sl_grpc_conn_output(l->conn, sl_loop_now());
        if (out.len == 0) {
            return;
        }
        struct sl_err e = { .code = SL_OK };
        size_t size = out.len;
        enum sl_code code = sl_sock_write(l->sock, out, &e);
        sl_grpc_conn_output_taken(l->conn, size);
        if (code != SL_OK) {
            link_go_down(l, code, e.text);
            return;
        }
    }
}

/* Closed by the owner: goes when everything is out, or when that takes too long. */
static void link_linger(struct sl_grpc_link *l)
{
    bool is_over = !sl_sock_is_ready(l->sock) || sl_loop_now() >= l->linger_deadline;
    if (!is_over && !l->shut && sl_grpc_conn_is_done(l->conn) && sl_sock_unsent_bytes(l->sock) == 0) {
        l->shut = true;
        sl_sock_shutdown(l->sock); /* then the peer closes; a socket with unread bytes would reset what we said */
    }
    if (is_over) {
        link_free(l);
    } else {
        link_arm(l);
    }
}

static void link_say_down(struct sl_grpc_link *l)
{
    sl_grpc_conn_fail(l->conn, l->why.text);
    if (!l->closing && !l->down_said) {
        l->down_said = true;
        l->on_down(l->ctx, &l->why);
    }
}

static void link_on_turn(void *ctx)
{
    struct sl_grpc_link *l = ctx;
    if (!l->down || l->closing) {
        link_flush(l);
    }
    if (l->closing) {
        link_linger(l);
        return;
    }
    if (!l->down && sl_grpc_conn_is_done(l->conn) && sl_sock_unsent_bytes(l->sock) == 0) {
        link_go_down(l, SL_NOT_READY, "the connection was ended by GOAWAY");
    }
    if (l->down) {
        link_say_down(l);
        return;
    }
    link_arm(l);
}

void sl_grpc_link_wake(struct sl_grpc_link *l)
{
    sl_turn_wake(l->turn);
}

/* ---- events of the socket ---- */

static void link_on_sock_ready(void *ctx)
{
    struct sl_grpc_link *l = ctx;
    sl_turn_wake(l->turn);
}

static void link_on_bytes(void *ctx, struct sl_bytes bytes)
{
    struct sl_grpc_link *l = ctx;
    struct sl_err e = { .code = SL_OK };
    if (l->down) {
        return;
    }
    enum sl_code code = sl_grpc_conn_receive(l->conn, sl_loop_now(), bytes, &e);
    if (code != SL_OK && !l->closing) {
        link_flush(l); /* says why to the peer */
        link_go_down(l, code, e.text);
    }
    sl_turn_wake(l->turn);
}

static void link_on_drained(void *ctx)
{
    struct sl_grpc_link *l = ctx;
    sl_turn_wake(l->turn);
}

static void link_on_failed(void *ctx, enum sl_code code, const struct sl_err *e)
{
    struct sl_grpc_link *l = ctx;
    link_go_down(l, code == SL_OK ? SL_NOT_READY : code, e->text);
    sl_turn_wake(l->turn);
}

static const struct sl_sock_events link_sock_events = {
    .on_ready = link_on_sock_ready,
    .on_bytes = link_on_bytes,
    .on_drained = link_on_drained,
    .on_failed = link_on_failed,
};

static void link_on_timer(void *ctx)
{
    struct sl_grpc_link *l = ctx;
    struct sl_err e = { .code = SL_OK };
    sl_ns now = sl_loop_now();
    l->armed = SL_NEVER;
    if (!l->closing && !l->down) {
        if (!sl_grpc_conn_is_ready(l->conn) && now >= l->ready_deadline) {
            link_go_down(l, SL_NOT_READY, "the peer does not answer");
        } else if (sl_grpc_conn_tick(l->conn, now, &e) != SL_OK) {
            link_go_down(l, SL_NOT_READY, e.text);
        }
    }
    sl_turn_wake(l->turn);
}

/* ---- life ---- */

static enum sl_code link_new(struct sl_grpc_link **out, const struct sl_grpc_link_opts *opts, enum sl_grpc_role role,
                             const char *authority, bool tls)
{
    struct sl_grpc_conn_opts conn_opts = {
        .role = role,
        .limits = opts->limits,
        .budget = opts->budget,
        .events = opts->conn_events,
        .ctx = opts->ctx,
        .authority = authority,
        .tls = tls,
        .now = sl_loop_now(),
    };
    struct sl_grpc_link *l = calloc(1, sizeof *l);
    *out = NULL;
    if (l == NULL) {
        return SL_NOMEM;
    }
    l->timer = sl_timer_new(opts->loop, link_on_timer, l);
    l->turn = sl_turn_new(opts->loop, link_on_turn, l);
    if (l->timer == NULL || l->turn == NULL || sl_grpc_conn_new(&l->conn, &conn_opts) != SL_OK) {
        link_free(l); /* on_freed is not set yet: the owner never saw it */
        return SL_NOMEM;
    }
    l->on_down = opts->on_down;
    l->on_freed = opts->on_freed;
    l->ctx = opts->ctx;
    l->armed = SL_NEVER;
    l->ready_deadline = sl_ns_after(sl_loop_now(), opts->ready_timeout_ns);
    *out = l;
    return SL_OK;
}

/* After a failure, when nobody knows of it yet. */
static void link_discard(struct sl_grpc_link **l)
{
    (*l)->on_freed = NULL;
    link_free(*l);
    *l = NULL;
}

enum sl_code sl_grpc_link_dial(struct sl_grpc_link **out, const struct sl_grpc_link_opts *opts, struct sl_tls *tls,
                               const char *host, uint16_t port, struct sl_err *e)
{
    char authority[300];
    bool is_v6 = strchr(host, ':') != NULL;
    int len =
        snprintf(authority, sizeof authority, "%s%s%s:%u", is_v6 ? "[" : "", host, is_v6 ? "]" : "", (unsigned)port);
    *out = NULL;
    if (len < 0 || (size_t)len >= sizeof authority) {
        return sl_err_set(e, SL_BAD_CONFIG, "the host name is too long");
    }
    if (link_new(out, opts, SL_GRPC_CLIENT, authority, tls != NULL) != SL_OK) {
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    struct sl_sock_opts sock_opts = { .loop = opts->loop, .tls = tls, .events = &link_sock_events, .ctx = *out };
    enum sl_code code = sl_sock_dial(&(*out)->sock, &sock_opts, host, port, e);
    if (code != SL_OK) {
        link_discard(out);
        return code;
    }
    sl_turn_wake((*out)->turn);
    return SL_OK;
}

enum sl_code sl_grpc_link_adopt(struct sl_grpc_link **out, const struct sl_grpc_link_opts *opts, struct sl_sock *sock,
                                struct sl_err *e)
{
    if (link_new(out, opts, SL_GRPC_SERVER, "", false) != SL_OK) {
        sl_sock_close(sock);
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    (*out)->sock = sock;
    sl_sock_set_owner(sock, &link_sock_events, *out);
    sl_sock_set_reading(sock, true);
    sl_turn_wake((*out)->turn);
    return SL_OK;
}

struct sl_grpc_conn *sl_grpc_link_conn(struct sl_grpc_link *l)
{
    return l->conn;
}

size_t sl_grpc_link_unsent_bytes(const struct sl_grpc_link *l)
{
    return sl_sock_unsent_bytes(l->sock);
}

void sl_grpc_link_close(struct sl_grpc_link *l)
{
    if (l == NULL || l->closing) {
        return;
    }
    l->closing = true;
    l->linger_deadline = l->down ? 0 : sl_ns_after(sl_loop_now(), link_linger_ns);
    sl_grpc_conn_terminate(l->conn);
    sl_turn_wake(l->turn);
}
