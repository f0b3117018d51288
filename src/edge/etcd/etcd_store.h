/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_ETCD_ETCD_STORE_H
#define SL_EDGE_ETCD_ETCD_STORE_H

#include "base/err.h"
#include "base/secret.h"
#include "port/store.h"

struct uv_loop_s;

/*
 * The metadata store in a cluster of etcd (3.4 or newer), spoken to by its gRPC interface. One connection at a time to
 * one of the endpoints; when it breaks, the next one is tried.
 *
 * Contract of src/port/store.h, and beyond it:
 *   - Reads are linearizable: a member that lost its leader does not answer them, and the operation ends by its time.
 *   - An operation submitted while nothing is connected waits for a connection, and is REFUSED when its time is over.
 *     One that was sent and not answered is UNKNOWN.
 *   - A connection that broke ends all watches. They are not resumed by themselves.
 *   - Leases have whole seconds in etcd: ttl_ns is rounded up to them, results give what etcd grants.
 *   - With a user, a token is fetched after connecting, and again when etcd says that it has expired.
 */
struct sl_etcd_opts {
    /* Comma separated: "h1:2379,h2:2379"; an "etcd://", "http://" or "https://" before any of them is allowed. */
    const char *endpoints;
    /*
     * Files in PEM. tls is implied by https://, or by any of the files unless the endpoints say http://; without ca_file
     * the system's authorities count.
     */
    bool tls;
    const char *ca_file, *cert_file, *key_file; /* null: none */
    const char *user;                           /* null: no authentication */
    struct sl_secret password;
    sl_ns dial_ns;         /* for one endpoint */
    sl_ns op_ns;           /* from submit to result, 10 s at most */
    uint32_t op_count_max; /* in flight; beyond that submit refuses */
    size_t op_bytes_max;   /* of all operations in flight */
    /*
     * Told in the loop thread when no endpoint answers (e says why and what to do) and when one does again (e->code is
     * SL_OK). May be null. Valid during the call.
     */
    void (*on_health)(void *ctx, const struct sl_err *e);
    void *health_ctx;
};
#define SL_ETCD_OPTS_DEFAULT \
    ((struct sl_etcd_opts){  \
        .dial_ns = 2 * SL_S, .op_ns = 5 * SL_S, .op_count_max = 4096, .op_bytes_max = (size_t)64 << 20 })

/*
 * Checks the options and reads the files; connects in the background. What opts points to is copied. BAD_CONFIG, in one
 * line with the remedy: an endpoint that cannot be parsed, a file that cannot be used. NOMEM. Nothing is left behind.
 * *out is closed with sl_store_close; on_closed comes in the loop thread. The memory is freed before it.
 */
SL_CHECKED enum sl_code sl_etcd_store_open(struct sl_store **out, struct uv_loop_s *loop,
                                           const struct sl_etcd_opts *opts, const struct sl_store_client *client,
                                           struct sl_err *err);

#endif
