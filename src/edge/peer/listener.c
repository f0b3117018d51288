/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/peer/listener.h"

#include "edge/loop/timer.h"
#include "edge/peer/listener_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LISTENER_BACKLOG = 511, LISTENER_ACCEPTS_PER_TURN = 64, PREFACE_BYTES = 4 };
static const sl_ns listener_retry_ns = 100 * SL_MS;

static const struct {
    const char *name, *level;
} event_rows[SL_LISTENER_EVENT_COUNT] = {
#define EVENT_ROW(name, level, text) [SL_LISTENER_##name] = { #name, level },
    SL_LISTENER_EVENTS(EVENT_ROW)
#undef EVENT_ROW
};

const char *sl_listener_event_name(enum sl_listener_event_kind kind)
{
    SL_REQUIRE((uint32_t)kind < SL_LISTENER_EVENT_COUNT);
    return event_rows[kind].name;
}

const char *sl_listener_event_level(enum sl_listener_event_kind kind)
{
    SL_REQUIRE((uint32_t)kind < SL_LISTENER_EVENT_COUNT);
    return event_rows[kind].level;
}

static void listener_event(const struct sl_listener *l, enum sl_listener_event_kind kind, const char *address,
                           const char *text)
{
    if (l->client.on_event != NULL) {
        l->client.on_event(l->client.ctx, kind, address, text);
    }
}

/* ---- connections that are not classified yet ---- */

static void listener_arm(struct sl_listener *l)
{
    sl_ns deadline = l->first == NULL ? SL_NEVER : l->first->deadline;
    deadline = l->accept_paused_until != 0 ? sl_ns_min(deadline, l->accept_paused_until) : deadline;
    sl_timer_arm(l->timer, deadline);
}

static void listener_add(struct sl_listener *l, struct sl__newcomer *n)
{
    n->prev = l->last;
    if (l->last == NULL) {
        l->first = n;
    } else {
        l->last->next = n;
    }
    l->last = n;
    l->count++;
    if (l->first == n) {
        listener_arm(l);
    }
}

static void newcomer_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Out of the list; the file descriptor or the socket has an owner already, or is closed by the caller. */
static void newcomer_free(struct sl__newcomer *n)
{
    struct sl_listener *l = n->l;
    if (n->prev != NULL) {
        n->prev->next = n->next;
    } else {
        SL_REQUIRE(l->first == n);
        l->first = n->next;
    }
    if (n->next != NULL) {
        n->next->prev = n->prev;
    } else {
        SL_REQUIRE(l->last == n);
        l->last = n->prev;
    }
    l->count--;
    if (n->has_poll) {
        (void)uv_poll_stop(&n->poll); /* forgets the descriptor at once: another handle may have it next */
        uv_close((uv_handle_t *)&n->poll, newcomer_on_closed);
    } else {
        free(n);
    }
}

static void newcomer_close(struct sl__newcomer *n)
{
    int fd = n->has_poll ? n->fd : -1;
    sl_sock_close(n->sock);
    newcomer_free(n);
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* ---- plain ---- */

static void newcomer_to_grpc(struct sl__newcomer *n)
{
    static const struct sl_sock_events nobody = { 0 };
    struct sl_listener *l = n->l;
    struct sl_sock_opts opts = { .loop = l->loop, .events = &nobody };
    struct sl_sock *sock = NULL;
    struct sl_err e = { .code = SL_OK };
    int fd = n->fd;
    newcomer_free(n);
    if (sl_sock_adopt(&sock, &opts, fd, &e) != SL_OK) {
        (void)close(fd);
        return;
    }
    l->client.on_grpc(l->client.ctx, sock);
}

static void newcomer_to_http(struct sl__newcomer *n)
{
    struct sl_listener *l = n->l;
    struct sockaddr_storage peer = n->peer;
    struct sl_http_conn conn = {
        .fd = n->fd, .peer = (const struct sockaddr *)&peer, .peer_len = n->peer_len, .client_name = ""
    };
    newcomer_free(n);
    l->client.on_http(l->client.ctx, &conn);
}

static void newcomer_on_readable(uv_poll_t *poll, int status, int events)
{
    struct sl__newcomer *n = poll->data;
    char bytes[PREFACE_BYTES];
    (void)events;
    ssize_t len = status < 0 ? -1 : recv(n->fd, bytes, sizeof bytes, MSG_PEEK);
    if (len < 0 && (errno == EAGAIN || errno == EINTR) && status >= 0) {
        return;
    }
    if (len <= 0) {
        newcomer_close(n);
        return;
    }
    int one = 1;
    (void)setsockopt(n->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
    if (len == PREFACE_BYTES && memcmp(bytes, "PRI ", PREFACE_BYTES) == 0) {
        newcomer_to_grpc(n);
    } else {
        newcomer_to_http(n);
    }
}

static int newcomer_begin_plain(struct sl__newcomer *n)
{
    int bytes = PREFACE_BYTES; /* the kernel wakes us when there is enough to decide by, or at the end */
    (void)setsockopt(n->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
    int rc = uv_poll_init(n->l->loop, &n->poll, n->fd);
    if (rc != 0) {
        return rc;
    }
    n->poll.data = n;
    n->has_poll = true;
    return uv_poll_start(&n->poll, UV_READABLE | UV_DISCONNECT, newcomer_on_readable);
}

/* ---- TLS ---- */

static void newcomer_on_tls_ready(void *ctx)
{
    struct sl__newcomer *n = ctx;
    struct sl_listener *l = n->l;
    struct sl_sock *sock = n->sock;
    struct sl_err e = { .code = SL_OK };
    if (sl_sock_alpn(sock) == SL_TLS_ALPN_H2) {
        newcomer_free(n);
        l->client.on_grpc(l->client.ctx, sock);
        return;
    }
    struct sockaddr_storage peer = n->peer;
    struct sl_http_conn conn = { .tls = true,
                                 .peer = (const struct sockaddr *)&peer,
                                 .peer_len = n->peer_len,
                                 .client_name = sl_sock_peer_name(sock) };
    newcomer_free(n);
    if (sl__pump_open(l, sock, &conn.fd, &e) != SL_OK) {
        listener_event(l, SL_LISTENER_ACCEPT_FAILED, "", e.text);
        return;
    }
    l->client.on_http(l->client.ctx, &conn);
}

static void newcomer_on_tls_bytes(void *ctx, struct sl_bytes bytes)
{
    (void)ctx;
    (void)bytes;
    SL_UNREACHABLE(); /* the next owner is set before there are any */
}

static void newcomer_on_tls_failed(void *ctx, enum sl_code code, const struct sl_err *e)
{
    struct sl__newcomer *n = ctx;
    (void)code;
    listener_event(n->l, SL_LISTENER_TLS_REFUSED, n->address, e->text);
    newcomer_close(n);
}

static const struct sl_sock_events newcomer_tls_events = {
    .on_ready = newcomer_on_tls_ready,
    .on_bytes = newcomer_on_tls_bytes,
    .on_failed = newcomer_on_tls_failed,
};

static int newcomer_begin_tls(struct sl__newcomer *n)
{
    struct sl_sock_opts opts = { .loop = n->l->loop, .tls = n->l->tls, .events = &newcomer_tls_events, .ctx = n };
    struct sl_err e = { .code = SL_OK };
    return sl_sock_adopt(&n->sock, &opts, n->fd, &e) == SL_OK ? 0 : UV_ENOMEM;
}

/* ---- accepting ---- */

static void listener_make_room(struct sl_listener *l)
{
    if (l->count < l->count_max || l->first == NULL) {
        return;
    }
    struct sl__newcomer *oldest = l->first;
    listener_event(l, SL_LISTENER_FULL, oldest->address,
                   "too many connections: the oldest that said nothing was closed");
    newcomer_close(oldest);
}

static bool listener_set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static void listener_take(struct sl_listener *l, int fd, const struct sockaddr_storage *peer, socklen_t peer_len)
{
    char ip[64] = "";
    listener_make_room(l);
    struct sl__newcomer *n = l->count < l->count_max ? calloc(1, sizeof *n) : NULL;
    if (n == NULL || !listener_set_flags(fd)) {
        listener_event(l, SL_LISTENER_FULL, "", "too many connections: a new one was closed; raise the limit");
        free(n);
        (void)close(fd);
        return;
    }
    n->l = l;
    n->fd = fd;
    n->peer = *peer;
    n->peer_len = peer_len;
    n->deadline = sl_ns_after(sl_loop_now(), l->classify_ns);
    (void)uv_ip_name((const struct sockaddr *)&n->peer, ip, sizeof ip);
    (void)snprintf(n->address, sizeof n->address, "%s", ip);
    listener_add(l, n);
    int rc = l->tls != NULL ? newcomer_begin_tls(n) : newcomer_begin_plain(n);
    if (rc != 0) {
        bool is_ours = !n->has_poll;
        listener_event(l, SL_LISTENER_ACCEPT_FAILED, n->address, uv_strerror(rc));
        newcomer_close(n);
        if (is_ours) {
            (void)close(fd);
        }
    }
}

static void listener_pause(struct sl_listener *l, int error)
{
    char text[120];
    (void)snprintf(text, sizeof text, "%s; raise the limit of open files", strerror(error));
    listener_event(l, SL_LISTENER_ACCEPT_FAILED, "", text);
    (void)uv_poll_stop(&l->poll);
    l->accept_paused_until = sl_ns_after(sl_loop_now(), listener_retry_ns);
    listener_arm(l);
}

static void listener_on_readable(uv_poll_t *poll, int status, int events)
{
    struct sl_listener *l = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN && !l->closing; i++) {
        struct sockaddr_storage peer;
        socklen_t peer_len = sizeof peer;
        memset(&peer, 0, sizeof peer);
        int fd = accept(l->fd, (struct sockaddr *)&peer, &peer_len);
        if (fd >= 0) {
            listener_take(l, fd, &peer, peer_len);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listener_pause(l, errno);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void listener_on_timer(void *ctx)
{
    struct sl_listener *l = ctx;
    sl_ns now = sl_loop_now();
    if (l->accept_paused_until != 0 && now >= l->accept_paused_until) {
        l->accept_paused_until = 0;
        (void)uv_poll_start(&l->poll, UV_READABLE, listener_on_readable);
    }
    while (l->first != NULL && l->first->deadline <= now) {
        listener_event(l, SL_LISTENER_SILENT, l->first->address, "nothing came in time");
        newcomer_close(l->first);
    }
    listener_arm(l);
}

/* ---- binding ---- */

static int listener_bind_one(const struct sockaddr *address, socklen_t len)
{
    int one = 1, zero = 0;
    int fd = socket(address->sa_family, SOCK_STREAM, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    }
    if (bind(fd, address, len) != 0 || listen(fd, LISTENER_BACKLOG) != 0 || !listener_set_flags(fd)) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int listener_bind_any(uint16_t port)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = listener_bind_one((const struct sockaddr *)&v6, sizeof v6);
    if (fd < 0 && errno != EADDRINUSE && errno != EACCES) {
        fd = listener_bind_one((const struct sockaddr *)&v4, sizeof v4);
    }
    return fd;
}

static enum sl_code listener_bind_error(const char *host, uint16_t port, int error, struct sl_err *e)
{
    const char *remedy = "choose an address of this machine";
    if (error == EADDRINUSE) {
        remedy = "stop the process that has it, or choose another port";
    } else if (error == EACCES) {
        remedy = "choose a port above 1023, or give the right to bind it";
    }
    return sl_err_set(e, SL_BAD_CONFIG, "cannot listen on %s:%u: %s; %s", host, (unsigned)port, strerror(error),
                      remedy);
}

static enum sl_code listener_bind(const char *host, uint16_t port, int *fd, struct sl_err *e)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV | AI_PASSIVE };
    struct addrinfo *addresses = NULL;
    char service[8];
    if (host == NULL || host[0] == '\0') {
        *fd = listener_bind_any(port);
        return *fd >= 0 ? SL_OK : listener_bind_error("*", port, errno, e);
    }
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    int rc = getaddrinfo(host, service, &hints, &addresses);
    if (rc != 0) {
        return sl_err_set(e, SL_BAD_CONFIG, "cannot listen on %s: %s; give an address of this machine", host,
                          gai_strerror(rc));
    }
    *fd = -1;
    for (struct addrinfo *a = addresses; a != NULL && *fd < 0; a = a->ai_next) {
        *fd = listener_bind_one(a->ai_addr, a->ai_addrlen);
    }
    int error = errno;
    freeaddrinfo(addresses);
    return *fd >= 0 ? SL_OK : listener_bind_error(host, port, error, e);
}

uint16_t sl_listener_port(const struct sl_listener *l)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t len = sizeof address;
    if (getsockname(l->fd, &address.any, &len) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* ---- life ---- */

static void listener_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

enum sl_code sl_listener_open(struct sl_listener **out, const struct sl_listener_opts *opts, struct sl_err *e)
{
    *out = NULL;
    int fd = -1;
    enum sl_code code = listener_bind(opts->host, opts->port, &fd, e);
    if (code != SL_OK) {
        return code;
    }
    struct sl_listener *l = calloc(1, sizeof *l);
    struct sl_timer *timer = l == NULL ? NULL : sl_timer_new(opts->loop, listener_on_timer, l);
    if (timer == NULL || uv_poll_init(opts->loop, &l->poll, fd) != 0) {
        sl_timer_free(timer);
        free(l);
        (void)close(fd);
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    l->loop = opts->loop;
    l->tls = sl_tls_ref(opts->tls);
    l->client = opts->client;
    l->fd = fd;
    l->timer = timer;
    l->count_max = opts->connection_count_max == 0 ? 1000 : opts->connection_count_max;
    l->classify_ns = opts->classify_ns == 0 ? 10 * SL_S : opts->classify_ns;
    l->poll.data = l;
    SL_REQUIRE(uv_poll_start(&l->poll, UV_READABLE, listener_on_readable) == 0);
    *out = l;
    return SL_OK;
}

void sl_listener_close(struct sl_listener *l)
{
    if (l == NULL || l->closing) {
        return;
    }
    l->closing = true;
    for (struct sl__newcomer *n = l->first, *next; n != NULL; n = next) {
        next = n->next;
        newcomer_close(n);
    }
    while (l->pumps != NULL) {
        sl__pump_close(l->pumps);
    }
    sl_timer_free(l->timer);
    sl_tls_unref(l->tls);
    (void)uv_poll_stop(&l->poll);
    (void)close(l->fd);
    uv_close((uv_handle_t *)&l->poll, listener_on_closed);
}
