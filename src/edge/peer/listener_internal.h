/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_PEER_LISTENER_INTERNAL_H
#define SL_EDGE_PEER_LISTENER_INTERNAL_H

#include "edge/peer/listener.h"

#include <uv.h>

/* A connection whose kind is not known yet. Plain: polled, then peeked at. TLS: in its handshake. */
struct sl__newcomer {
    struct sl_listener *l;
    struct sl__newcomer *next, *prev;
    int fd; /* plain; with TLS it belongs to sock */
    bool has_poll;
    uv_poll_t poll;
    struct sl_sock *sock;
    sl_ns deadline;
    struct sockaddr_storage peer;
    socklen_t peer_len;
    char address[64];
};

struct sl_listener {
    uv_loop_t *loop;
    struct sl_tls *tls;
    struct sl_listener_client client;
    int fd;
    uv_poll_t poll;
    struct sl_timer *timer;
    struct sl__newcomer *first, *last; /* oldest first, so by deadline */
    struct sl__pump *pumps;
    uint32_t count, count_max; /* newcomers and pumps */
    sl_ns classify_ns, accept_paused_until;
    bool closing;
};

/*
 * pump.c: carries plaintext between a TLS socket, which it takes in any case, and a UNIX socket pair. *fd is the other end
 * of that. Ends by itself when either side does.
 */
struct sl__pump;
SL_CHECKED enum sl_code sl__pump_open(struct sl_listener *l, struct sl_sock *tls, int *fd, struct sl_err *e);
void sl__pump_close(struct sl__pump *p);

#endif
