/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_URI_H
#define SL_PORT_URI_H

#include "base/secret.h"
#include "port/trouble.h"

/*
 * The URI of a source or sink: scheme://[user[:password]@][host[:port]][/path][?name=value[&name=value]...]. Views into
 * the text it was parsed from; parts are still percent-encoded. The whole is a secret, and so are user info and query
 * values: error texts name keys, never values.
 */
struct sl_uri {
    struct sl_str scheme, user, password, host, path, query;
    uint16_t port; /* 0 = not given */
};

/* False (trouble BAD_URI, *out zero) if it is not of this form, is longer than 4096 bytes or holds control characters. */
SL_CHECKED bool sl_uri_parse(struct sl_uri *out, struct sl_secret text, struct sl_trouble *t);

/* The parameters one by one: *rest starts as uri.query; false at the end. Values are percent-encoded. */
struct sl_uri_param {
    struct sl_str name, value;
};
bool sl_uri_next_param(struct sl_str *rest, struct sl_uri_param *out);

/* Decodes %XX ('+' stays). False if it is malformed, holds a NUL, or does not fit with the closing NUL. */
SL_CHECKED bool sl_uri_decode(char *out, size_t out_size, struct sl_str encoded);

/* A decimal number of at most max; false if it is anything else. */
SL_CHECKED bool sl_uri_u64(uint64_t *out, struct sl_str text, uint64_t max);
/* 1, true, yes or 0, false, no. */
SL_CHECKED bool sl_uri_bool(bool *out, struct sl_str text);

#endif
