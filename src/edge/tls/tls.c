/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* The names that a context lets in. They live and die with it, because connections of an old context still use them. */
struct tls_names {
    uint32_t count;
    char *names[SL_TLS_CN_MAX + 1];
};

struct sl_tls {
    uint32_t refs;
    char *ca_path, *cert_path, *key_path;
    char *cn_allowed[SL_TLS_CN_MAX];
    uint32_t cn_allowed_count;
    bool require_client_cert;
    SSL_CTX *accepting, *dialling;
};

const char *sl__tls_reason(void)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(code) ? strerror((int)ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == NULL ? "unknown reason" : reason;
}

/* ---- who may connect ---- */

static uv_once_t tls_names_once = UV_ONCE_INIT;
static int tls_names_index;

static void tls_names_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
    (void)parent;
    (void)ad;
    (void)index;
    (void)argl;
    (void)argp;
    struct tls_names *names = ptr;
    for (uint32_t i = 0; names != NULL && i < names->count; i++) {
        free(names->names[i]);
    }
    free(names);
}

static void tls_names_register(void)
{
    tls_names_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, tls_names_free);
    SL_REQUIRE(tls_names_index >= 0);
}

void sl__tls_common_name(X509 *cert, char *out, size_t cap)
{
    int len = cert == NULL ? -1 : X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, (int)cap);
    if (len < 0 || strlen(out) != (size_t)len) {
        out[0] = '\0';
    }
}

static bool tls_names_has(const struct tls_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Runs inside the handshake, so that a stranger gets an alert and not a connection that breaks later. */
static int tls_on_verify(int is_good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_names *names = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_names_index);
    if (!is_good || names == NULL || X509_STORE_CTX_get_error_depth(store) != 0) {
        return is_good;
    }
    char name[256];
    sl__tls_common_name(X509_STORE_CTX_get_current_cert(store), name, sizeof name);
    if (!tls_names_has(names, name)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    return 1;
}

static bool tls_names_add(struct tls_names *names, const char *name)
{
    if (name[0] == '\0') {
        return true;
    }
    names->names[names->count] = strdup(name);
    return names->names[names->count] != NULL && ++names->count > 0;
}

/* The allowed names and our own certificate's. */
static enum sl_code tls_set_names(const struct sl_tls *t, SSL_CTX *ctx)
{
    char own[256];
    struct tls_names *names = calloc(1, sizeof *names);
    uv_once(&tls_names_once, tls_names_register);
    if (names == NULL || SSL_CTX_set_ex_data(ctx, tls_names_index, names) != 1) {
        free(names);
        return SL_NOMEM;
    }
    sl__tls_common_name(SSL_CTX_get0_certificate(ctx), own, sizeof own);
    bool is_good = tls_names_add(names, own);
    for (uint32_t i = 0; i < t->cn_allowed_count; i++) {
        is_good = is_good && tls_names_add(names, t->cn_allowed[i]);
    }
    return is_good ? SL_OK : SL_NOMEM;
}

/* ---- contexts ---- */

/* An encrypted key must not make the daemon ask on its terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is OpenSSL's */
static int tls_on_password(char *buf, int size, int writing, void *user)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned int in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    static const unsigned char offered[] = "\x08http/1.1\x02h2";
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_len, offered, sizeof offered - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum sl_code tls_load_ca(const struct sl_tls *t, SSL_CTX *ctx, struct sl_err *e)
{
    int is_good =
        t->ca_path == NULL ? SSL_CTX_set_default_verify_paths(ctx) : SSL_CTX_load_verify_file(ctx, t->ca_path);
    if (is_good != 1) {
        return sl_err_set(e, SL_BAD_CONFIG, "TLS: the CA file %s cannot be used (%s); give a readable PEM file",
                          t->ca_path == NULL ? "of the system" : t->ca_path, sl__tls_reason());
    }
    return SL_OK;
}

static enum sl_code tls_load_identity(const struct sl_tls *t, SSL_CTX *ctx, struct sl_err *e)
{
    if (t->cert_path == NULL) {
        return SL_OK;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, t->cert_path) != 1) {
        return sl_err_set(e, SL_BAD_CONFIG, "TLS: the certificate %s cannot be used (%s); give a readable PEM file",
                          t->cert_path, sl__tls_reason());
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, t->key_path, SSL_FILETYPE_PEM) != 1) {
        return sl_err_set(
            e, SL_BAD_CONFIG,
            "TLS: the key %s cannot be used (%s); give an unencrypted PEM key that belongs to the certificate",
            t->key_path, sl__tls_reason());
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        return sl_err_set(e, SL_BAD_CONFIG, "TLS: the key %s does not belong to the certificate %s", t->key_path,
                          t->cert_path);
    }
    return SL_OK;
}

static enum sl_code tls_set_client_check(const struct sl_tls *t, SSL_CTX *ctx, struct sl_err *e)
{
    if (!t->require_client_cert && t->cn_allowed_count == 0) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return SL_OK;
    }
    if (t->ca_path == NULL) {
        return sl_err_set(e, SL_BAD_CONFIG,
                          "TLS: client certificates are required, but no CA file says whose; give one");
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, tls_on_verify);
    return t->cn_allowed_count == 0 ? SL_OK : tls_set_names(t, ctx);
}

static enum sl_code tls_make_context(const struct sl_tls *t, bool accepting, SSL_CTX **out, struct sl_err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(accepting ? TLS_server_method() : TLS_client_method());
    *out = NULL;
    if (ctx == NULL) {
        return sl_err_set(e, SL_NOMEM, "TLS: %s", sl__tls_reason());
    }
    SSL_CTX_set_default_passwd_cb(ctx, tls_on_password);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    /* Without resumption every connection is checked anew, also after a reload. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    enum sl_code code = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 ? SL_OK : SL_NOMEM;
    code = code == SL_OK ? tls_load_ca(t, ctx, e) : code;
    code = code == SL_OK ? tls_load_identity(t, ctx, e) : code;
    if (code == SL_OK && accepting) {
        SSL_CTX_set_alpn_select_cb(ctx, tls_on_alpn, NULL);
        code = tls_set_client_check(t, ctx, e);
    } else if (code == SL_OK) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    if (code != SL_OK) {
        SSL_CTX_free(ctx);
        return code;
    }
    *out = ctx;
    return SL_OK;
}

enum sl_code sl_tls_reload(struct sl_tls *t, struct sl_err *e)
{
    SSL_CTX *accepting = NULL, *dialling = NULL;
    ERR_clear_error();
    enum sl_code code = tls_make_context(t, false, &dialling, e);
    if (code == SL_OK && t->cert_path != NULL) {
        code = tls_make_context(t, true, &accepting, e);
    }
    if (code != SL_OK) {
        SSL_CTX_free(dialling);
        return code;
    }
    SSL_CTX_free(t->accepting);
    SSL_CTX_free(t->dialling);
    t->accepting = accepting;
    t->dialling = dialling;
    return SL_OK;
}

SSL_CTX *sl__tls_context(struct sl_tls *t, bool accepting)
{
    SSL_CTX *ctx = accepting ? t->accepting : t->dialling;
    if (ctx != NULL) {
        (void)SSL_CTX_up_ref(ctx);
    }
    return ctx;
}

/* ---- life ---- */

static bool tls_copy(char **out, const char *text)
{
    *out = text == NULL ? NULL : strdup(text);
    return text == NULL || *out != NULL;
}

static bool tls_copy_opts(struct sl_tls *t, const struct sl_tls_opts *opts)
{
    bool is_good = tls_copy(&t->ca_path, opts->ca_path) && tls_copy(&t->cert_path, opts->cert_path) &&
                   tls_copy(&t->key_path, opts->key_path);
    for (uint32_t i = 0; is_good && i < opts->cn_allowed_count; i++) {
        is_good = tls_copy(&t->cn_allowed[i], opts->cn_allowed[i]);
        t->cn_allowed_count += is_good ? 1 : 0;
    }
    t->require_client_cert = opts->require_client_cert;
    return is_good;
}

enum sl_code sl_tls_new(struct sl_tls **out, const struct sl_tls_opts *opts, struct sl_err *e)
{
    *out = NULL;
    if ((opts->cert_path == NULL) != (opts->key_path == NULL)) {
        return sl_err_set(e, SL_BAD_CONFIG, "TLS: certificate and key come together; give both or neither");
    }
    if (opts->cn_allowed_count > SL_TLS_CN_MAX) {
        return sl_err_set(e, SL_BAD_CONFIG, "TLS: at most %d allowed common names", SL_TLS_CN_MAX);
    }
    struct sl_tls *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return sl_err_set(e, SL_NOMEM, "TLS: out of memory");
    }
    t->refs = 1;
    enum sl_code code = tls_copy_opts(t, opts) ? sl_tls_reload(t, e) : sl_err_set(e, SL_NOMEM, "TLS: out of memory");
    if (code != SL_OK) {
        sl_tls_unref(t);
        return code;
    }
    *out = t;
    return SL_OK;
}

struct sl_tls *sl_tls_ref(struct sl_tls *t)
{
    if (t != NULL) {
        t->refs++;
    }
    return t;
}

void sl_tls_unref(struct sl_tls *t)
{
    if (t == NULL || --t->refs > 0) {
        return;
    }
    SSL_CTX_free(t->accepting);
    SSL_CTX_free(t->dialling);
    for (uint32_t i = 0; i < t->cn_allowed_count; i++) {
        free(t->cn_allowed[i]);
    }
    free(t->ca_path);
    free(t->cert_path);
    free(t->key_path);
    free(t);
}
