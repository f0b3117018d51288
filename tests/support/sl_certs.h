/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_SL_CERTS_H
#define SL_TESTS_SUPPORT_SL_CERTS_H

#include "edge/tls/tls.h"

/*
 * Certificates made while a test runs, in a directory of its own: <name>.pem and <name>.key. Any failure aborts the test
 * program.
 */
struct sl_certs {
    char dir[64];
};

void sl_certs_open(struct sl_certs *c);
void sl_certs_close(struct sl_certs *c); /* removes the directory */

/* An authority of its own. */
void sl_certs_make_ca(const struct sl_certs *c, const char *name);
/* Signed by authority ca: for common_name, the host localhost and 127.0.0.1. Overwrites. */
void sl_certs_issue(const struct sl_certs *c, const char *name, const char *ca, const char *common_name);
/* A copy of name's key, encrypted with a password. */
void sl_certs_encrypt_key(const struct sl_certs *c, const char *name, const char *copy);

/* The path of name + suffix (".pem", ".key"), in the caller's memory. */
struct sl_certs_path {
    char text[160];
};
struct sl_certs_path sl_certs_path(const struct sl_certs *c, const char *name, const char *suffix);

/* A context with authority ca and the certificate cert (null: none). */
struct sl_tls *sl_certs_tls(const struct sl_certs *c, const char *ca, const char *cert, bool mtls,
                            const char *const *names, uint32_t name_count);

#endif
