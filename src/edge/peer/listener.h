/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_PEER_LISTENER_H
#define SL_EDGE_PEER_LISTENER_H

#include "base/err.h"
#include "base/units.h"
#include "edge/tls/sock.h"

#include <sys/socket.h>

/*
 * One TCP port for gRPC and HTTP. A plain connection is gRPC if its first bytes are "PRI " (the HTTP/2 preface); with TLS,
 * if h2 was negotiated, which only a client gets that does not offer http/1.1 (reference behaviour). Everything else,
 * garbage too, is HTTP's business. Whoever says nothing for classify_ns is closed.
 */
struct sl_listener;

/* A connection for the HTTP server. */
struct sl_http_conn {
    int fd; /* connected, non-blocking stream socket; owned by the receiver. With TLS one end of a UNIX socket pair:
                  plaintext, the listener does the TLS of the other end */
    bool tls;
    const struct sockaddr *peer; /* of the real client; valid during the call */
    socklen_t peer_len;
    const char *client_name; /* common name of its certificate, or ""; valid during the call */
};

#define SL_LISTENER_EVENTS(X)                                             \
    X(TLS_REFUSED, "warn", "a TLS handshake failed")                      \
    X(SILENT, "info", "a connection said nothing in time and was closed") \
    X(FULL, "warn", "too many connections: one was closed")               \
    X(ACCEPT_FAILED, "error", "connections cannot be accepted; tried again soon")

enum sl_listener_event_kind {
#define SL_LISTENER_EVENT_ENUM(name, level, text) SL_LISTENER_##name,
    SL_LISTENER_EVENTS(SL_LISTENER_EVENT_ENUM)
#undef SL_LISTENER_EVENT_ENUM
        SL_LISTENER_EVENT_COUNT
};
const char *sl_listener_event_name(enum sl_listener_event_kind kind);
const char *sl_listener_event_level(enum sl_listener_event_kind kind);

struct sl_listener_client {
    void (*on_grpc)(void *ctx, struct sl_sock *sock); /* takes it: sl_transport_adopt */
    void (*on_http)(void *ctx, const struct sl_http_conn *conn);
    /* address: of the client; text: what and what to do. Valid during the call. May be null. */
    void (*on_event)(void *ctx, enum sl_listener_event_kind kind, const char *address, const char *text);
    void *ctx;
};

struct sl_listener_opts {
    uv_loop_t *loop;
    const char *host;              /* name or IP address to bind, without brackets; "" or null: all addresses */
    uint16_t port;                 /* 0: any free one */
    struct sl_tls *tls;            /* null: plain. A reference is taken */
    uint32_t connection_count_max; /* unclassified and TLS ones; 0: 1000. The oldest unclassified one makes room */
    sl_ns classify_ns;             /* 0: 10 s, TLS handshake included */
    struct sl_listener_client client;
};

/* SL_BAD_CONFIG: the address cannot be bound (in use, no permission, no such host), said with what to do; SL_NOMEM. */
SL_CHECKED enum sl_code sl_listener_open(struct sl_listener **out, const struct sl_listener_opts *opts,
                                         struct sl_err *e);
uint16_t sl_listener_port(const struct sl_listener *l); /* the bound one */
/* Stops listening and closes what is not classified yet; TLS pumps of HTTP connections end. No callback after it. Null
 * allowed. */
void sl_listener_close(struct sl_listener *l);

#endif
