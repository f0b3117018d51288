/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_WHOLE_CLUSTER_H
#define SL_TESTS_SUPPORT_WHOLE_CLUSTER_H

#include "core/common/mem_tags.h"
#include "core/node/node.h"
#include "port/store_model.h"
#include "tests/support/sl_test.h"

/*
 * Whole nodes over the model of the metadata store: id-1, id-2 ... with the names node1, node2 ... A message, an answer
 * of the store and a report of a data plane take a millisecond. The data planes do what they are told, at once; every
 * feed has the tables 1 .. WC_TABLES, called s1.t1 and so on, and its rows go on by one each millisecond.
 */
enum { WC_NODES = 3, WC_TABLES = 6, WC_FEEDS = 4, WC_DISPATCHERS = 64 };
enum { WC_MESSAGES_MAX = 4096, WC_REPLIES_MAX = 64, WC_OUT_COUNT = 4096, WC_OUT_BYTES = 4 << 20 };
enum { WC_HELD_MAX = 256, WC_REPORTS_MAX = 1024 };

struct wc_answer { /* what is kept of a reply */
    uint64_t ticket;
    enum sl_code code;
    uint32_t remaining, node_count, drain_count, plan_count, table_count, feed_count, dispatcher_count;
    bool has_more;
    char detail[200];
    struct sl_drain_view drain;             /* the first */
    struct sl_node_view nodes[WC_NODES];    /* as many as fit */
    struct sl_plan_move plan[WC_NODES];     /* likewise */
    struct sl_table_view tables[WC_TABLES]; /* without their names */
    char names[WC_TABLES][32];              /* schema.table */
};

struct wc_message {
    uint32_t to;
    uint8_t *bytes;
    size_t len;
};

struct wc_dispatcher { /* in a data plane */
    sl_feed_token feed;
    sl_dispatcher_token token; /* 0: free */
    int64_t table_id;
    char name[32]; /* schema.table, as the command said */
};

struct wc_feed {         /* in a data plane */
    sl_feed_token token; /* 0: free */
    char source[64];
    bool is_fenced;
    sl_ns age_ns; /* of what it reports next */
};

struct wc_plane {
    struct wc_feed feeds[WC_FEEDS];
    struct wc_dispatcher dispatchers[WC_DISPATCHERS];
    struct sl_report reports[WC_REPORTS_MAX];
    uint32_t report_count;
    struct sl_out_schema_load load;
    bool has_load;
    bool hangs_close;  /* a CLOSE is never answered */
    sl_ns progress_at; /* SL_NEVER: says nothing any more */
};

struct whole;
struct wc_host {
    struct whole *w;
    struct sl_mem mem, out_mem;
    struct sl_outbox out;
    struct sl_node *node; /* null: down */
    struct sl_store_model_client *client;
    bool is_cut_off; /* from the store */
    char id[16];
    uint64_t events[SL_EVENT_COUNT];
    struct wc_held { /* a message that waits for a store operation */
        sl_op_id after;
        struct wc_message message;
    } held[WC_HELD_MAX];
    uint32_t held_count;
    struct wc_plane plane;
};

struct whole {
    struct sl_mem mem;
    struct sl_store_model *model;
    struct wc_host hosts[WC_NODES];
    sl_ns now;
    struct wc_message messages[WC_MESSAGES_MAX];
    uint32_t message_count;
    struct wc_answer replies[WC_REPLIES_MAX];
    uint32_t reply_count;
    uint64_t ticket;
    enum sl_code schema_code; /* of loads of tables; SL_OK */
    uint32_t load_count;
};

struct whole *wc_setup(uint32_t count); /* the first count nodes run; freed by the next */
void wc_teardown(struct whole *w);
void wc_start(struct whole *w, uint32_t i);
void wc_stop(struct wc_host *h); /* as kill -9 */
void wc_step(struct wc_host *h, const struct sl_input *in);
void wc_run(struct whole *w, sl_ns ns);
/* The node with a coordinator, or WC_NODES; fails if there are two. */
uint32_t wc_owner(const struct whole *w);
enum sl_liveness wc_liveness(struct whole *w, uint32_t host);

/* Only the verb and the node; the ticket is w->ticket afterwards. */
void wc_request(struct whole *w, uint32_t host, enum sl_request_verb verb, const char *node);
/* The ticket is filled in; waits 20 ms for the answer, which must come. */
const struct wc_answer *wc_ask(struct whole *w, uint32_t host, enum sl_request_verb verb, const char *node);
const struct wc_answer *wc_ask_of(struct whole *w, uint32_t host, struct sl_request *r);
const struct wc_answer *wc_answer_to(const struct whole *w, uint64_t ticket); /* or null */

/* Feed f<number>, created at the owner, and everything that follows from it for a second. */
void wc_create_feed(struct whole *w, uint32_t number, const char *source);
/* Dispatchers that the data plane of the host runs, the DDL ones left out. */
uint32_t wc_dispatchers(const struct whole *w, uint32_t host);
/* Puts a value under a key, or deletes it (null), behind everybody's back. */
void wc_put(struct whole *w, const char *key, const char *value);
/* The node where the feed's maintainer is, or WC_NODES. */
uint32_t wc_maintainer(struct whole *w, uint32_t number);

#endif
