/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_GRPC_LINK_H
#define SL_EDGE_GRPC_LINK_H

#include "edge/grpc/conn.h"
#include "edge/tls/sock.h"

/*
 * A gRPC connection (conn.h) on a socket (edge/tls/sock.h) in the loop: feeds it, flushes it once per turn, runs its clock.
 * The events of the connection go to the owner, then, once, on_down. Of a closed link nothing is heard any more.
 *
 *   dial | adopt -> (on_ready of conn_events) -> on_down -> close
 */
struct sl_grpc_link;

struct sl_grpc_link_opts {
    uv_loop_t *loop;
    struct sl_grpc_limits limits;
    struct sl_grpc_budget *budget; /* may be null; outlives the link's memory: see sl_grpc_link_close */
    sl_ns ready_timeout_ns;        /* from now until the peer's settings */
    const struct sl_grpc_conn_events *conn_events;
    /* The connection is over: all streams have ended. The owner closes the link, now or later. */
    void (*on_down)(void *ctx, const struct sl_err *why);
    /* After close: the memory is gone, and with it what opts point to is not used any more. May be null. */
    void (*on_freed)(void *ctx);
    void *ctx;
};

/* SL_NOMEM and what sl_sock_dial returns; *out is null. */
SL_CHECKED enum sl_code sl_grpc_link_dial(struct sl_grpc_link **out, const struct sl_grpc_link_opts *opts,
                                          struct sl_tls *tls, const char *host, uint16_t port, struct sl_err *e);
/* The accepting side on a socket that is ready. Takes sock in any case. */
SL_CHECKED enum sl_code sl_grpc_link_adopt(struct sl_grpc_link **out, const struct sl_grpc_link_opts *opts,
                                           struct sl_sock *sock, struct sl_err *e);

/* For the functions of streams; valid until the link is closed. */
struct sl_grpc_conn *sl_grpc_link_conn(struct sl_grpc_link *l);
/* There is something to send; done once, at the end of the turn. */
void sl_grpc_link_wake(struct sl_grpc_link *l);
/* What the connection has produced and the system has not taken. */
size_t sl_grpc_link_unsent_bytes(const struct sl_grpc_link *l);
/*
 * No callback but on_freed any more. Says GOAWAY and gives it a moment to leave. Allowed anywhere, also inside events:
 * nothing is torn down before the end of the turn. Null allowed.
 */
void sl_grpc_link_close(struct sl_grpc_link *l);

#endif
