/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_ETCD_SERVER_H
#define SL_TESTS_SUPPORT_ETCD_SERVER_H

#include "tests/support/process.h"

/* An etcd of its own for a test, on free ports, with short elections so that leases of a second are possible. */
struct sl_etcd_server {
    char dir[64], endpoint[64];  /* "127.0.0.1:port" */
    char name[16], cluster[256]; /* of all members; set by start if it is empty */
    uint16_t port, peer_port;
    pid_t pid;                   /* 0: not running */
    const char *ca, *cert, *key; /* set before start: TLS */
};

void sl_etcd_server_init(struct sl_etcd_server *s);
void sl_etcd_server_start(
    struct sl_etcd_server *s); /* returns when it listens; also again after a stop, with its data */
/* Several that were initialised become one cluster. */
void sl_etcd_server_start_cluster(struct sl_etcd_server *servers, uint32_t count);
void sl_etcd_server_stop(struct sl_etcd_server *s); /* as kill -9 */
void sl_etcd_server_deinit(struct sl_etcd_server *s);

/* Runs etcdctl with up to six arguments, up to NULL; its exit status. */
int sl_etcd_server_ctl(const struct sl_etcd_server *s, const char *const *args);

#endif
