/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_ETCD_ETCD_INTERNAL_H
#define SL_EDGE_ETCD_ETCD_INTERNAL_H

#include "base/prng.h"
#include "edge/etcd/etcd_codec.h"
#include "edge/etcd/etcd_endpoints.h"
#include "edge/etcd/etcd_store.h"
#include "edge/grpc/client.h"
#include "edge/loop/timer.h"

/*
 * One store: a connection that is replaced when it breaks, and operations in three lists.
 *
 *            submit            sent              stands
 *   (client) ------> pending ---------> sent ------------> watching
 *                    ^   |               |  |                  |
 *                    |   | time is over  |  | answer, end      | end
 *    never processed |   v               |  v                  v
 *    not logged in   +-- REFUSED   ------+  result         ended batch
 *
 *   E1  An operation is sent again only if etcd cannot have acted on it. Otherwise its answer decides, or it is UNKNOWN
 *       (one that only reads: REFUSED, because nothing can have been done).
 *   E2  Each call has one answer: callbacks of a call that was answered are ignored. After a call was cancelled or its
 *       connection closed by us there are none.
 *   E3  Sending happens in the turn of the loop, never inside submit or a callback of the client's.
 *   E4  A batch of a watch only holds revisions from its next one on.
 */
enum etcd_conn_state {
    ETCD_CONN_IDLE, /* no connection; the next try at retry_at */
    ETCD_CONN_DIALING,
    ETCD_CONN_LOGIN, /* connected, fetching a token */
    ETCD_CONN_READY,
};

struct etcd_list {
    struct etcd_op *head, *tail;
    uint32_t count;
};

struct etcd_op {
    struct etcd_op *prev, *next;
    struct etcd_list *list;
    struct etcd_store *store;
    sl_grpc_call call;         /* 0: not sent */
    bool is_answered;          /* the result was delivered */
    bool has_logged_in;        /* sent again after a login */
    sl_ns deadline;            /* of the result */
    sl_revision next_revision; /* of a watch: the first not delivered */
    size_t bytes;
    struct sl_store_op op; /* points behind this struct */
};

struct etcd_store {
    struct sl_store base; /* first */
    uv_loop_t *loop;
    struct sl_etcd_opts opts; /* strings are not ours: see below */
    struct sl_etcd_endpoints endpoints;
    char *user;
    uint8_t *password, *token;
    size_t password_size, token_size;
    struct sl_tls *tls;
    struct sl_mem mem;
    struct sl_arena arena;
    struct sl_prng prng;
    struct sl_timer *timer;
    struct sl_turn *turn;

    enum etcd_conn_state state;
    struct sl_grpc_client *client;
    uint32_t endpoint;   /* index of the one in use */
    uint32_t fail_count; /* connections that failed since one was ready */
    uint32_t bad_count;  /* calls in a row that say the member is cut off */
    bool must_redial;    /* in the next turn */
    bool is_told_unwell;
    sl_ns retry_at;

    struct etcd_list pending, sent, watching;
    size_t op_bytes;
    bool is_closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* ---- etcd_conn.c ---- */

void sl__etcd_dial(struct etcd_store *s);
/* Ends the connection; the next turn tries the next endpoint. What was sent is given up. */
void sl__etcd_redial(struct etcd_store *s);
/* Fetches a new token before anything more is sent. */
void sl__etcd_login(struct etcd_store *s);
/* Told once, until it works again: etcd, or what stands in its place, refuses what a node has to ask. */
void sl__etcd_tell_refusal(struct etcd_store *s, const struct sl_grpc_status *status);
void sl__etcd_tell_well(struct etcd_store *s);
void sl__etcd_conn_close(struct etcd_store *s);
/* Overwrites and frees; null allowed. */
void sl__etcd_wipe(uint8_t *secret, size_t size);
/* Metadata of a call into m (two of them at most). How many. */
uint32_t sl__etcd_metadata(const struct etcd_store *s, struct sl_grpc_metadata m[2]);

/* ---- etcd_ops.c ---- */

void sl__etcd_op_append(struct etcd_list *list, struct etcd_op *op);
void sl__etcd_op_free(struct etcd_op *op);
/* Refuses those whose time is over, and sends what can be sent. */
void sl__etcd_flush(struct etcd_store *s);
/* Ends what was sent, because its connection is gone without callbacks. */
void sl__etcd_give_up_sent(struct etcd_store *s);
void sl__etcd_refuse_pending(struct etcd_store *s);

#endif
