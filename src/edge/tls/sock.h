/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_TLS_SOCK_H
#define SL_EDGE_TLS_SOCK_H

#include "base/units.h"
#include "edge/tls/tls.h"

#include <uv.h>

/*
 * A connected byte stream in the loop, with or without TLS; whoever uses it need not know which. No callback is made
 * inside a call of these functions; after sl_sock_close none is made at all.
 *
 *   dial/adopt -> (connecting, TLS handshake) -> on_ready -> on_bytes* -> on_failed | close
 */
struct sl_sock;

struct sl_sock_events {
    void (*on_ready)(void *ctx);
    /* Plaintext, valid during the call. The owner may close the socket inside. */
    void (*on_bytes)(void *ctx, struct sl_bytes bytes);
    /* Everything written so far was handed to the system. */
    void (*on_drained)(void *ctx);
    /* SL_OK: the peer ended its direction; else what went wrong. Once; on_bytes is not called after it. Closing the socket
     * remains with the owner. */
    void (*on_failed)(void *ctx, enum sl_code code, const struct sl_err *e);
};

struct sl_sock_opts {
    uv_loop_t *loop;
    struct sl_tls *tls; /* null: plain */
    const struct sl_sock_events *events;
    void *ctx;
};

/*
 * Resolves host (a name, IPv4, IPv6 without brackets) and connects, one address after the other. What fails later comes
 * by on_failed. SL_NOMEM leaves *out null.
 */
SL_CHECKED enum sl_code sl_sock_dial(struct sl_sock **out, const struct sl_sock_opts *opts, const char *host,
                                     uint16_t port, struct sl_err *e);
/* Takes over a connected stream socket (TCP or UNIX), with TLS as its accepting side. On failure fd is still the caller's. */
SL_CHECKED enum sl_code sl_sock_adopt(struct sl_sock **out, const struct sl_sock_opts *opts, int fd, struct sl_err *e);

/* The new owner. Bytes that arrived and were not delivered go to it. */
void sl_sock_set_owner(struct sl_sock *s, const struct sl_sock_events *events, void *ctx);

/* Reading is on from the start. Off: the peer is held back by TCP's window. */
void sl_sock_set_reading(struct sl_sock *s, bool on);

/* Room of the writer: the caller keeps below sl_sock_unsent_bytes of its choice. Copies. SL_NOMEM: nothing was taken. */
SL_CHECKED enum sl_code sl_sock_write(struct sl_sock *s, struct sl_bytes bytes, struct sl_err *e);
size_t sl_sock_unsent_bytes(const struct sl_sock *s);
/* Ends our direction after what was written. */
void sl_sock_shutdown(struct sl_sock *s);

/* Frees it in the loop's closing phase. What is not sent yet (sl_sock_unsent_bytes) is dropped. Null allowed. */
void sl_sock_close(struct sl_sock *s);

bool sl_sock_is_ready(const struct sl_sock *s);
enum sl_tls_alpn sl_sock_alpn(const struct sl_sock *s);
const char *sl_sock_peer_name(const struct sl_sock *s); /* sl_tls_conn_peer_name; "" when plain */

#endif
