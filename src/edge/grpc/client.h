/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_GRPC_CLIENT_H
#define SL_EDGE_GRPC_CLIENT_H

#include "base/err.h"
#include "base/units.h"
#include "edge/grpc/status.h"
#include "edge/tls/tls.h"

#include <uv.h>

/*
 * A gRPC client over one connection. It connects once: when the connection ends, every call ends with UNAVAILABLE, then
 * on_disconnected is called, and the owner closes the client and opens another, perhaps to another address.
 * Calls made before the connection is ready wait for it.
 *
 * Everything happens in the loop thread. No callback is made inside sl_grpc_client_open, _call, _send, _end, _cancel or
 * _close, so a caller can store what they return first. Inside a callback every function may be called.
 */
struct sl_grpc_client;
typedef uint64_t sl_grpc_call; /* names one call for ever; 0 = none. Of a call that has ended, it is refused */

struct sl_grpc_client_events {
    void (*on_connected)(void *ctx);
    /* Also when connecting fails. At most once. */
    void (*on_disconnected)(void *ctx, const struct sl_err *why);
};

struct sl_grpc_client_opts {
    uv_loop_t *loop;
    const char *host; /* name or IP address, without brackets; copied */
    uint16_t port;
    struct sl_tls *tls;         /* null: plain. A reference is taken */
    sl_ns connect_timeout_ns;   /* 0: 3 s; resolving, connecting and TLS together */
    sl_ns keepalive_ns;         /* 0: a ping after 20 s of silence, at most one in 20 s */
    sl_ns keepalive_timeout_ns; /* 0: 30 s without an answer end the connection */
    size_t message_bytes_max;   /* received; 0: 256 MiB */
    size_t queue_bytes_max;     /* unsent bytes of one call; 0: 8 MiB. One message always fits an empty queue */
    uint32_t call_count_max;    /* open calls; 0: 100 */
    const struct sl_grpc_client_events *events; /* static */
    void *ctx;
};

struct sl_grpc_call_events {
    /* One whole message, valid during the call. May be null. */
    void (*on_message)(void *ctx, struct sl_bytes message);
    /* Exactly once, the last callback of the call, unless it was cancelled by us or the client was closed. */
    void (*on_end)(void *ctx, const struct sl_grpc_status *status);
    /* After a send was refused with SL_BUSY: try again. May be null. */
    void (*on_writable)(void *ctx);
};

struct sl_grpc_metadata {
    struct sl_str name, value; /* name in lower case, not starting with "grpc-" or ":" */
    bool secret;               /* a token or password: kept out of the peers' compression tables */
};
#define SL_GRPC_METADATA_MAX 8

struct sl_grpc_call_opts {
    const char *path;                        /* "/etcdserverpb.KV/Range" */
    const struct sl_grpc_metadata *metadata; /* copied */
    uint32_t metadata_count;
    sl_ns timeout_ns;                         /* 0: none. Then on_end says DEADLINE_EXCEEDED */
    const struct sl_grpc_call_events *events; /* static */
    void *ctx;
};

/* SL_NOMEM, SL_BAD_CONFIG: *out is null. */
SL_CHECKED enum sl_code sl_grpc_client_open(struct sl_grpc_client **out, const struct sl_grpc_client_opts *opts,
                                            struct sl_err *e);
/* Ends everything without further callbacks. Memory goes in the loop's closing phase. Null allowed. */
void sl_grpc_client_close(struct sl_grpc_client *c);
bool sl_grpc_client_is_connected(const struct sl_grpc_client *c);

/*
 * Starts a call and sends nothing yet. SL_NOT_READY: the connection has ended; SL_LIMIT: too many open calls, or metadata
 * too large; SL_NOMEM. *out is 0 then.
 */
SL_CHECKED enum sl_code sl_grpc_client_call(struct sl_grpc_client *c, sl_grpc_call *out,
                                            const struct sl_grpc_call_opts *opts, struct sl_err *e);
/* A call with one request message and no more: call, send, end. */
SL_CHECKED enum sl_code sl_grpc_client_unary(struct sl_grpc_client *c, sl_grpc_call *out,
                                             const struct sl_grpc_call_opts *opts, struct sl_bytes request,
                                             struct sl_err *e);
/* Copies the message. SL_BUSY: the queue is full, on_writable will come; SL_NOT_FOUND: the call has ended; SL_NOMEM. */
SL_CHECKED enum sl_code sl_grpc_client_send(struct sl_grpc_client *c, sl_grpc_call call, struct sl_bytes message);
/* No more messages from us; those of the peer still come. Nothing happens to a call that has ended. */
void sl_grpc_client_end(struct sl_grpc_client *c, sl_grpc_call call);
/* The peer is told; no callback of the call is made any more. Nothing happens to a call that has ended. */
void sl_grpc_client_cancel(struct sl_grpc_client *c, sl_grpc_call call);

#endif
