/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_TLS_TLS_H
#define SL_EDGE_TLS_TLS_H

#include "base/err.h"
#include "base/str.h"

/*
 * TLS identity and trust of this process: TLS 1.2 or newer, certificates from PEM files, one context for accepting and
 * one for dialling. Connections take the contexts that are current when they begin, so a reload leaves running ones alone.
 *
 * Errors are one line that names the file or option and what to do, never a key or a password.
 */
struct sl_tls;

struct sl_tls_opts {
    const char *ca_path;   /* null: the system's authorities (dialling only) */
    const char *cert_path; /* null together with key_path: dials without a certificate and cannot accept */
    const char *key_path;
    bool require_client_cert;      /* of whoever connects to us; implied by cn_allowed_count > 0 */
    const char *const *cn_allowed; /* common names that may connect; our certificate's own is added. Copied */
    uint32_t cn_allowed_count;     /* 0: whoever our authorities signed */
};
#define SL_TLS_CN_MAX 64 /* of cn_allowed_count */

/* SL_BAD_CONFIG: a file cannot be read or does not fit; SL_NOMEM. *out is null then. One reference. */
SL_CHECKED enum sl_code sl_tls_new(struct sl_tls **out, const struct sl_tls_opts *opts, struct sl_err *e);
struct sl_tls *sl_tls_ref(struct sl_tls *t); /* null allowed */
void sl_tls_unref(struct sl_tls *t);         /* null allowed */

/* Reads the files again, for connections that begin from now on. On failure the old contexts stay in use. */
SL_CHECKED enum sl_code sl_tls_reload(struct sl_tls *t, struct sl_err *e);

/* ---- one connection, without a socket: ciphertext in and out, plaintext in and out ---- */

struct sl_tls_conn;

/* What was negotiated. */
enum sl_tls_alpn { SL_TLS_ALPN_NONE, SL_TLS_ALPN_H2, SL_TLS_ALPN_HTTP1 };

/*
 * An accepting side prefers http/1.1 to h2 (reference behaviour): only a client that offers h2 and not http/1.1 gets h2.
 * SL_NOMEM, SL_BAD_CONFIG (t has no certificate).
 */
SL_CHECKED enum sl_code sl_tls_accept_new(struct sl_tls_conn **out, struct sl_tls *t, struct sl_err *e);
/* Offers h2 alone. host: a name or an IP address that the peer's certificate must be for. */
SL_CHECKED enum sl_code sl_tls_dial_new(struct sl_tls_conn **out, struct sl_tls *t, const char *host, struct sl_err *e);
void sl_tls_conn_free(struct sl_tls_conn *c); /* null allowed */

/*
 * Takes ciphertext, whole. Any error (SL_REFUSED: certificate or name not accepted, here or by the peer; SL_MALFORMED: not
 * TLS; SL_NOMEM) is final; an alert for the peer may still wait in the output.
 */
SL_CHECKED enum sl_code sl_tls_conn_receive(struct sl_tls_conn *c, struct sl_bytes ciphertext, struct sl_err *e);
/* Plaintext received so far: up to cap bytes are moved to out. 0: nothing there. *eof: the peer closed its direction. */
SL_CHECKED enum sl_code sl_tls_conn_read(struct sl_tls_conn *c, uint8_t *out, size_t cap, size_t *len, bool *eof,
                                         struct sl_err *e);
/* Encrypts. Not before the handshake is done. */
SL_CHECKED enum sl_code sl_tls_conn_write(struct sl_tls_conn *c, struct sl_bytes plaintext, struct sl_err *e);
/* Says goodbye to the peer (close_notify); nothing may be written after it. */
void sl_tls_conn_shutdown(struct sl_tls_conn *c);
/* Ciphertext to be sent: up to cap bytes are moved to out; how many. */
size_t sl_tls_conn_output(struct sl_tls_conn *c, uint8_t *out, size_t cap);
size_t sl_tls_conn_output_bytes(const struct sl_tls_conn *c);

bool sl_tls_conn_is_ready(const struct sl_tls_conn *c); /* the handshake is done and the peer accepted */
enum sl_tls_alpn sl_tls_conn_alpn(const struct sl_tls_conn *c);
/* The common name of the peer's certificate, "" without one. Valid as long as c. */
const char *sl_tls_conn_peer_name(const struct sl_tls_conn *c);

#endif
