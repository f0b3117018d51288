/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/timer.h"
#include "edge/peer/listener_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Unsent bytes of one side that stop reading at the other. */
enum { PUMP_BYTES_MAX = 256 << 10 };
/* How long the rest of an answer may take to leave after the HTTP server has closed. */
static const sl_ns pump_linger_ns = 30 * SL_S;

struct sl__pump {
    struct sl_listener *l;
    struct sl__pump *next, *prev;
    struct sl_sock *outer, *inner; /* TLS, socket pair */
    struct sl_timer *timer;
    bool is_ending; /* the HTTP server is done; what it said is still going out */
};

void sl__pump_close(struct sl__pump *p)
{
    struct sl_listener *l = p->l;
    if (p->prev != NULL) {
        p->prev->next = p->next;
    } else {
        l->pumps = p->next;
    }
    if (p->next != NULL) {
        p->next->prev = p->prev;
    }
    l->count--;
    sl_sock_close(p->outer);
    sl_sock_close(p->inner);
    sl_timer_free(p->timer);
    free(p);
}

static void pump_carry(struct sl__pump *p, struct sl_sock *from, struct sl_sock *to, struct sl_bytes bytes)
{
    struct sl_err e = { .code = SL_OK };
    if (sl_sock_write(to, bytes, &e) != SL_OK) {
        sl__pump_close(p);
        return;
    }
    if (sl_sock_unsent_bytes(to) > PUMP_BYTES_MAX) {
        sl_sock_set_reading(from, false);
    }
}

static void pump_on_ready(void *ctx)
{
    struct sl__pump *p = ctx;
    sl_sock_set_reading(p->outer, true); /* it was held back until there was somewhere to put its bytes */
}

static void pump_on_outer_bytes(void *ctx, struct sl_bytes bytes)
{
    struct sl__pump *p = ctx;
    pump_carry(p, p->outer, p->inner, bytes);
}

static void pump_on_inner_bytes(void *ctx, struct sl_bytes bytes)
{
    struct sl__pump *p = ctx;
    pump_carry(p, p->inner, p->outer, bytes);
}

static void pump_on_outer_drained(void *ctx)
{
    struct sl__pump *p = ctx;
    if (p->is_ending) {
        return; /* the client closes when it has seen our end */
    }
    sl_sock_set_reading(p->inner, true);
}

static void pump_on_inner_drained(void *ctx)
{
    struct sl__pump *p = ctx;
    sl_sock_set_reading(p->outer, true);
}

static void pump_on_outer_failed(void *ctx, enum sl_code code, const struct sl_err *e)
{
    (void)code;
    (void)e;
    sl__pump_close(ctx);
}

static void pump_on_inner_failed(void *ctx, enum sl_code code, const struct sl_err *e)
{
    struct sl__pump *p = ctx;
    (void)code;
    (void)e;
    p->is_ending = true;
    sl_sock_shutdown(p->outer);
    sl_timer_arm(p->timer, sl_ns_after(sl_loop_now(), pump_linger_ns));
}

static const struct sl_sock_events pump_outer_events = {
    .on_ready = pump_on_ready,
    .on_bytes = pump_on_outer_bytes,
    .on_drained = pump_on_outer_drained,
    .on_failed = pump_on_outer_failed,
};

static const struct sl_sock_events pump_inner_events = {
    .on_ready = pump_on_ready,
    .on_bytes = pump_on_inner_bytes,
    .on_drained = pump_on_inner_drained,
    .on_failed = pump_on_inner_failed,
};

static bool pump_pair(int fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        int flags = fcntl(fds[i], F_GETFL);
        (void)fcntl(fds[i], F_SETFL, flags | O_NONBLOCK);
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    }
    return true;
}

static void pump_on_timer(void *ctx)
{
    sl__pump_close(ctx);
}

static enum sl_code pump_new(struct sl__pump **out, struct sl_listener *l, int fd, struct sl_err *e)
{
    struct sl__pump *p = calloc(1, sizeof *p);
    struct sl_sock_opts opts = { .loop = l->loop, .events = &pump_inner_events, .ctx = p };
    *out = NULL;
    if (p == NULL) {
        (void)close(fd);
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    enum sl_code code = sl_sock_adopt(&p->inner, &opts, fd, e);
    if (code != SL_OK) {
        (void)close(fd);
        free(p);
        return code;
    }
    p->timer = sl_timer_new(l->loop, pump_on_timer, p);
    if (p->timer == NULL) {
        sl_sock_close(p->inner); /* and fd with it */
        free(p);
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    p->l = l;
    *out = p;
    return SL_OK;
}

static void pump_link(struct sl__pump *p)
{
    struct sl_listener *l = p->l;
    p->next = l->pumps;
    if (l->pumps != NULL) {
        l->pumps->prev = p;
    }
    l->pumps = p;
    l->count++;
}

enum sl_code sl__pump_open(struct sl_listener *l, struct sl_sock *tls, int *fd, struct sl_err *e)
{
    int fds[2];
    struct sl__pump *p = NULL;
    if (!pump_pair(fds)) {
        sl_sock_close(tls);
        return sl_err_set(e, SL_NOMEM, "socket pair: %s; raise the limit of open files", strerror(errno));
    }
    enum sl_code code = pump_new(&p, l, fds[0], e);
    if (p == NULL) {
        (void)close(fds[1]);
        sl_sock_close(tls);
        return code;
    }
    p->outer = tls;
    sl_sock_set_reading(tls, false);
    sl_sock_set_owner(tls, &pump_outer_events, p);
    pump_link(p);
    *fd = fds[1];
    return SL_OK;
}
