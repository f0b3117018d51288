/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_STORE_H
#define SL_PORT_STORE_H

#include "core/common/store.h"

/*
 * The metadata store as the shell sees it: one connection of one node. A backend (a file of SQLite, a cluster of etcd,
 * the model in memory) fills in the functions; nothing above it knows which one it is. What operations mean is in
 * core/common/store.h; that backends mean the same is shown by one suite (tests/support/store_suite.h).
 *
 *     shell                            backend                                        store
 *       | submit(op) --------------------> | copies it, queues it ----------------------> | performs it, or not
 *       | <------- on_result(op.id, ...) - | <------------------------------------------- |
 *       | <------- on_watch(batch) ------- | <---------------- changes of what is watched |
 *
 * Contract:
 *   P1  Each operation gets exactly one result, in any order, unless close comes first. No result comes from inside
 *       submit, so whoever submits is not re-entered.
 *   P2  OK means done, as durable as the backend is (a critical one: it survives a power cut). REFUSED and LEASE_GONE
 *       mean certainly not done and never going to be. Whatever is in doubt is UNKNOWN: a timeout, a connection that
 *       broke after the request left. No operation is ever performed twice.
 *   P3  What a result says was true at result.revision, at some moment between submit and on_result: reads are
 *       linearizable. Operations that are in flight together may be performed in any order.
 *   P4  A watch delivers each change from its first revision on exactly once, in the order of revisions, a revision
 *       never split over two batches, or it ends and says so. Nothing comes before the WATCH's own result or after an
 *       ended batch. When the connection broke the backend ends the watch; it does not resume by itself.
 *   P5  A lease never ends before ttl_ns after the moment at which the last GRANT or KEEPALIVE that succeeded was
 *       submitted. It may end later. result.ttl_ns counts from that moment too, on this node's clock. What hung on a
 *       lease is deleted when it ends, in one revision that watches see.
 *   P6  A backend gives up an operation after a time of its own (10 s at most), so that results always come.
 *
 * Threads: submit and close are called, and results and batches delivered, in the loop thread only. A backend that
 * blocks does so in a thread of its own and hands over by the loop's queue. Pointers in a result or batch are valid
 * during the call.
 */
struct sl_store_client { /* whom a backend tells */
    void *ctx;
    void (*on_result)(void *ctx, const struct sl_store_result *result);
    void (*on_watch)(void *ctx, const struct sl_store_watch_batch *batch);
};

struct sl_store;

struct sl_store_backend { /* static, of the backend */
    const char *name;     /* "etcd", for events */
    /*
     * Copies what it needs. False: no memory or too many operations in flight (a limit of the backend); nothing was
     * taken and no result will come. The shell then answers the core with REFUSED.
     */
    bool (*submit)(struct sl_store *s, const struct sl_store_op *op);
    /*
     * Ends the connection: from now on nothing is delivered, and what is in flight may be performed or not. Leases are
     * not revoked. on_closed is called once, not from inside close; after it the memory of *s may be reused.
     */
    void (*close)(struct sl_store *s, void (*on_closed)(void *ctx), void *ctx);
};

struct sl_store { /* the first member of a backend's own struct */
    const struct sl_store_backend *backend;
    struct sl_store_client client;
};

static inline SL_CHECKED bool sl_store_submit(struct sl_store *s, const struct sl_store_op *op)
{
    return s->backend->submit(s, op);
}

static inline void sl_store_close(struct sl_store *s, void (*on_closed)(void *ctx), void *ctx)
{
    s->backend->close(s, on_closed, ctx);
}

#endif
