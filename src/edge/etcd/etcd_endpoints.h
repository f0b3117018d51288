/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_ETCD_ETCD_ENDPOINTS_H
#define SL_EDGE_ETCD_ETCD_ENDPOINTS_H

#include "base/err.h"

#include <stdint.h>

/* The list of endpoints as an operator writes it: "h1:2379,https://h2:2379,[::1]:2379". */
#define SL_ETCD_ENDPOINTS_MAX 16

struct sl_etcd_endpoint {
    char host[256]; /* without brackets */
    uint16_t port;
};

struct sl_etcd_endpoints {
    struct sl_etcd_endpoint list[SL_ETCD_ENDPOINTS_MAX];
    uint32_t count; /* > 0 */
    bool is_https, is_http;
};

/* BAD_CONFIG in one line that quotes the part which is wrong; *out is undefined then. */
SL_CHECKED enum sl_code sl__etcd_endpoints_parse(struct sl_etcd_endpoints *out, const char *text, struct sl_err *err);

#endif
