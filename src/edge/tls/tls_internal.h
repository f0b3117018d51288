/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_TLS_TLS_INTERNAL_H
#define SL_EDGE_TLS_TLS_INTERNAL_H

#include "edge/tls/tls.h"

#include <openssl/ssl.h>

/* A context of t for one more connection: its own reference, or a null pointer if t has no such context. */
SSL_CTX *sl__tls_context(struct sl_tls *t, bool accepting);

/* What OpenSSL's error queue says first, in words; the queue is empty after it. Static or valid until the next call. */
const char *sl__tls_reason(void);

/* The common name in cert (null allowed), "" if it has none or a NUL inside, which would make it look like another. */
void sl__tls_common_name(X509 *cert, char *out, size_t cap);

#endif
