/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_certs.h"

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void sl_certs_open(struct sl_certs *c)
{
    (void)snprintf(c->dir, sizeof c->dir, "/tmp/sl_certs_XXXXXX");
    SL_REQUIRE(mkdtemp(c->dir) != NULL);
}

void sl_certs_close(struct sl_certs *c)
{
    DIR *dir = opendir(c->dir);
    SL_REQUIRE(dir != NULL);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", c->dir, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(dir);
    SL_REQUIRE(rmdir(c->dir) == 0);
}

struct sl_certs_path sl_certs_path(const struct sl_certs *c, const char *name, const char *suffix)
{
    struct sl_certs_path path;
    int len = snprintf(path.text, sizeof path.text, "%s/%s%s", c->dir, name, suffix);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof path.text);
    return path;
}

static FILE *certs_file(const struct sl_certs *c, const char *name, const char *suffix, const char *mode)
{
    FILE *file = fopen(sl_certs_path(c, name, suffix).text, mode);
    SL_REQUIRE(file != NULL);
    return file;
}

static void certs_write(const struct sl_certs *c, const char *name, X509 *cert, EVP_PKEY *key)
{
    FILE *file = certs_file(c, name, ".pem", "w");
    SL_REQUIRE(PEM_write_X509(file, cert) == 1);
    SL_REQUIRE(fclose(file) == 0);
    file = certs_file(c, name, ".key", "w");
    SL_REQUIRE(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    SL_REQUIRE(fclose(file) == 0);
}

static void certs_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    SL_REQUIRE(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *certs_new(EVP_PKEY *key, const char *common_name)
{
    enum { DAY_SECONDS = 86400 };
    X509 *cert = X509_new();
    SL_REQUIRE(cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1);
    SL_REQUIRE(ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)(uintptr_t)cert & 0x7fffffff) == 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_SECONDS);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), DAY_SECONDS);
    SL_REQUIRE(X509_set_pubkey(cert, key) == 1);
    SL_REQUIRE(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                          (const unsigned char *)common_name, -1, -1, 0) == 1);
    return cert;
}

void sl_certs_make_ca(const struct sl_certs *c, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    SL_REQUIRE(key != NULL);
    X509 *cert = certs_new(key, name);
    SL_REQUIRE(X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1);
    certs_extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    certs_extend(cert, cert, NID_subject_key_identifier, "hash");
    SL_REQUIRE(X509_sign(cert, key, EVP_sha256()) > 0);
    certs_write(c, name, cert, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void sl_certs_issue(const struct sl_certs *c, const char *name, const char *ca, const char *common_name)
{
    FILE *file = certs_file(c, ca, ".pem", "r");
    X509 *issuer = PEM_read_X509(file, NULL, NULL, NULL);
    SL_REQUIRE(issuer != NULL && fclose(file) == 0);
    file = certs_file(c, ca, ".key", "r");
    EVP_PKEY *issuer_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    SL_REQUIRE(issuer_key != NULL && fclose(file) == 0);

    EVP_PKEY *key = EVP_EC_gen("P-256");
    SL_REQUIRE(key != NULL);
    X509 *cert = certs_new(key, common_name);
    SL_REQUIRE(X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1);
    certs_extend(cert, issuer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    SL_REQUIRE(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    certs_write(c, name, cert, key);
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
}

void sl_certs_encrypt_key(const struct sl_certs *c, const char *name, const char *copy)
{
    FILE *file = certs_file(c, name, ".key", "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    SL_REQUIRE(key != NULL && fclose(file) == 0);
    file = certs_file(c, copy, ".key", "w");
    SL_REQUIRE(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), (const unsigned char *)"hush", 4, NULL, NULL) == 1);
    SL_REQUIRE(fclose(file) == 0);
    EVP_PKEY_free(key);
}

struct sl_tls *sl_certs_tls(const struct sl_certs *c, const char *ca, const char *cert, bool mtls,
                            const char *const *names, uint32_t name_count)
{
    struct sl_certs_path ca_path = sl_certs_path(c, ca, ".pem");
    struct sl_certs_path cert_path = sl_certs_path(c, cert == NULL ? "" : cert, ".pem");
    struct sl_certs_path key_path = sl_certs_path(c, cert == NULL ? "" : cert, ".key");
    struct sl_tls_opts opts = { .ca_path = ca_path.text,
                                .cert_path = cert == NULL ? NULL : cert_path.text,
                                .key_path = cert == NULL ? NULL : key_path.text,
                                .require_client_cert = mtls,
                                .cn_allowed = names,
                                .cn_allowed_count = name_count };
    struct sl_err e = { .code = SL_OK };
    struct sl_tls *tls = NULL;
    enum sl_code code = sl_tls_new(&tls, &opts, &e);
    SL_REQUIRE(code == SL_OK);
    return tls;
}
