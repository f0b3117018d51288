/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct sl_tls_conn {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    bool ready, accepting;
    enum sl_tls_alpn alpn;
    char peer_name[256];
};

static enum sl_code conn_new(struct sl_tls_conn **out, SSL_CTX *ctx, bool accepting, struct sl_err *e)
{
    struct sl_tls_conn *c = calloc(1, sizeof *c);
    BIO *in = BIO_new(BIO_s_mem()), *outward = BIO_new(BIO_s_mem());
    *out = NULL;
    if (c != NULL) {
        c->ssl = SSL_new(ctx);
    }
    SSL_CTX_free(ctx);
    if (c == NULL || c->ssl == NULL || in == NULL || outward == NULL) {
        BIO_free(in);
        BIO_free(outward);
        sl_tls_conn_free(c);
        return sl_err_set(e, SL_NOMEM, "TLS: out of memory");
    }
    (void)BIO_set_mem_eof_return(in, -1); /* empty means "later", not the end */
    SSL_set_bio(c->ssl, in, outward);
    c->in = in;
    c->out = outward;
    c->accepting = accepting;
    *out = c;
    return SL_OK;
}

enum sl_code sl_tls_accept_new(struct sl_tls_conn **out, struct sl_tls *t, struct sl_err *e)
{
    SSL_CTX *ctx = sl__tls_context(t, true);
    *out = NULL;
    if (ctx == NULL) {
        return sl_err_set(e, SL_BAD_CONFIG, "TLS: accepting needs a certificate; give certificate and key");
    }
    enum sl_code code = conn_new(out, ctx, true, e);
    if (*out != NULL) {
        SSL_set_accept_state((*out)->ssl);
    }
    return code;
}

static bool conn_set_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    ERR_clear_error();
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1) {
        return true;
    }
    ERR_clear_error();
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

enum sl_code sl_tls_dial_new(struct sl_tls_conn **out, struct sl_tls *t, const char *host, struct sl_err *e)
{
    static const unsigned char protocols[] = "\x02h2";
    enum sl_code code = conn_new(out, sl__tls_context(t, false), false, e);
    if (*out == NULL) {
        return code;
    }
    SSL *ssl = (*out)->ssl;
    SSL_set_connect_state(ssl);
    if (!conn_set_host(ssl, host) || SSL_set_alpn_protos(ssl, protocols, sizeof protocols - 1) != 0) {
        sl_tls_conn_free(*out);
        *out = NULL;
        return sl_err_set(e, SL_NOMEM, "TLS: %s", sl__tls_reason());
    }
    /* The first flight waits in the output from now on. */
    return sl_tls_conn_receive(*out, (struct sl_bytes){ NULL, 0 }, e);
}

void sl_tls_conn_free(struct sl_tls_conn *c)
{
    if (c != NULL) {
        SSL_free(c->ssl);
        free(c);
    }
}

/* ---- errors ---- */

static enum sl_code conn_refused(struct sl_tls_conn *c, long verify, struct sl_err *e)
{
    const char *whose = c->accepting ? "the client's" : "the server's";
    if (verify == X509_V_ERR_APPLICATION_VERIFICATION) {
        return sl_err_set(e, SL_REFUSED,
                          "TLS: %s certificate has a common name that is not allowed; add it to the allowed names",
                          whose);
    }
    return sl_err_set(e, SL_REFUSED, "TLS: %s certificate is not accepted (%s); check CA, name and dates", whose,
                      X509_verify_cert_error_string(verify));
}

/* The reason of a failure of OpenSSL. */
static enum sl_code conn_error(struct sl_tls_conn *c, struct sl_err *e)
{
    long verify = SSL_get_verify_result(c->ssl);
    unsigned long queued = ERR_peek_error();
    int reason = ERR_GET_REASON(queued);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verify != X509_V_OK) {
        ERR_clear_error();
        return conn_refused(c, verify, e);
    }
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        ERR_clear_error();
        return sl_err_set(e, SL_REFUSED, "TLS: the client has no certificate, which is required here; give it one");
    }
    /* An alert of the peer: it refuses us. */
    if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        return sl_err_set(e, SL_REFUSED, "TLS: the peer refuses (%s); check our certificate and its rules",
                          sl__tls_reason());
    }
    return sl_err_set(e, SL_MALFORMED, "TLS: %s; is the other side speaking TLS?", sl__tls_reason());
}

/* ---- bytes ---- */

static void conn_handshaked(struct sl_tls_conn *c)
{
    const unsigned char *alpn = NULL;
    unsigned int len = 0;
    SSL_get0_alpn_selected(c->ssl, &alpn, &len);
    if (len == 2 && memcmp(alpn, "h2", 2) == 0) {
        c->alpn = SL_TLS_ALPN_H2;
    } else {
        c->alpn = len == 0 ? SL_TLS_ALPN_NONE : SL_TLS_ALPN_HTTP1;
    }
    sl__tls_common_name(SSL_get0_peer_certificate(c->ssl), c->peer_name, sizeof c->peer_name);
    c->ready = true;
}

enum sl_code sl_tls_conn_receive(struct sl_tls_conn *c, struct sl_bytes ciphertext, struct sl_err *e)
{
    size_t written = 0;
    ERR_clear_error();
    if (ciphertext.len > 0 && BIO_write_ex(c->in, ciphertext.ptr, ciphertext.len, &written) != 1) {
        return sl_err_set(e, SL_NOMEM, "TLS: out of memory");
    }
    if (c->ready) {
        return SL_OK;
    }
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        conn_handshaked(c);
        return SL_OK;
    }
    return SSL_get_error(c->ssl, rc) == SSL_ERROR_WANT_READ ? SL_OK : conn_error(c, e);
}

enum sl_code sl_tls_conn_read(struct sl_tls_conn *c, uint8_t *out, size_t cap, size_t *len, bool *eof, struct sl_err *e)
{
    *len = 0;
    *eof = false;
    if (!c->ready) {
        return SL_OK;
    }
    ERR_clear_error();
    int rc = SSL_read_ex(c->ssl, out, cap, len);
    if (rc == 1) {
        return SL_OK;
    }
    int error = SSL_get_error(c->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return SL_OK;
    }
    *eof = error == SSL_ERROR_ZERO_RETURN;
    return *eof ? SL_OK : conn_error(c, e);
}

enum sl_code sl_tls_conn_write(struct sl_tls_conn *c, struct sl_bytes plaintext, struct sl_err *e)
{
    size_t written = 0;
    if (!c->ready) {
        return sl_err_set(e, SL_NOT_READY, "TLS: the handshake is not done");
    }
    ERR_clear_error();
    int rc = plaintext.len == 0 ? 1 : SSL_write_ex(c->ssl, plaintext.ptr, plaintext.len, &written);
    return rc == 1 ? SL_OK : conn_error(c, e);
}

void sl_tls_conn_shutdown(struct sl_tls_conn *c)
{
    if (c->ready) {
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl);
        ERR_clear_error();
    }
}

size_t sl_tls_conn_output(struct sl_tls_conn *c, uint8_t *out, size_t cap)
{
    size_t len = 0;
    return BIO_read_ex(c->out, out, cap, &len) == 1 ? len : 0;
}

size_t sl_tls_conn_output_bytes(const struct sl_tls_conn *c)
{
    return BIO_ctrl_pending(c->out);
}

bool sl_tls_conn_is_ready(const struct sl_tls_conn *c)
{
    return c->ready;
}

enum sl_tls_alpn sl_tls_conn_alpn(const struct sl_tls_conn *c)
{
    return c->alpn;
}

const char *sl_tls_conn_peer_name(const struct sl_tls_conn *c)
{
    return c->peer_name;
}
