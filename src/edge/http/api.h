/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_API_H
#define SL_EDGE_HTTP_API_H

#include "core/common/request.h"
#include "core/common/store.h"
#include "edge/http/metrics.h"
#include "port/sink.h"
#include "port/source.h"

#include <uv.h>

/*
 * The HTTP API of a node: the reference's routes that its clients need, and ours, from one table (routes.def). Runs in
 * the loop thread without a thread of its own; takes connections that somebody else accepted, always in plain text.
 *
 *     listener --adopt(fd)--> sl_api --submit(request)--> node ... outbox --on_reply(reply)--> sl_api --> client
 *
 * A route belongs to the owner (the elected coordinator), to the node of a feed's maintainer, or to whichever node is
 * asked. What belongs elsewhere is forwarded there, at most twice.
 *
 * Nothing a client sends can stop the node or make it grow: bodies, connections, waiting requests, streams and forwards
 * have maxima. No answer, event or metric holds a secret.
 *
 * Every function: loop thread only.
 */

/* What holds on this node now. Views are valid until the node's next step; the API uses them at once. */
struct sl_api_status {
    struct sl_str id, name, address, cluster; /* of this node */
    struct sl_node_id owner;                  /* none while there is no owner, or it is not known */
    bool is_owner;                            /* this node is the elected coordinator */
    bool is_fenced;                           /* its lease is gone: it does nothing any more */
    int liveness;                             /* 0 alive, 1 draining, 2 stopping; 2 also when fenced */
    uint64_t node_epoch;
    const struct sl_capture *members; /* as in struct sl_membership_view */
    uint32_t member_count;
};

/* A change that somebody asked for, answered. For the audit log: no field holds a secret. */
struct sl_api_audit {
    const char *action;                  /* static: "drain_start", "feed_create" ... (a route's name) */
    struct sl_str actor, remote, object; /* who (user of basic auth, or what the request says), from where, what */
    struct sl_str reason;
    uint32_t http_status;
};

struct sl_api_kv {
    struct sl_str key;
    struct sl_bytes value;
};

/*
 * What the API asks of the node. submit, status and audit must be there; of the others, a null function makes the route
 * answer that it is not available here.
 */
struct sl_api_port {
    void *ctx;
    /*
     * Gives a request to the core (SL_IN_REQUEST). Views are valid during the call. The answer comes by
     * sl_api_on_reply with the same ticket, exactly once, from inside this call or later.
     */
    void (*submit)(void *ctx, const struct sl_request *request);
    void (*status)(void *ctx, struct sl_api_status *status);
    void (*audit)(void *ctx, const struct sl_api_audit *audit);
    /* Adds what this node knows of itself. What the API adds itself: its own counters, and on the owner everything of
     * nodes, feeds and drains (from the core's answers). */
    void (*collect)(void *ctx, struct sl_metrics *m);
    /* debug, info, warn or error; false: no such level. */
    bool (*set_log_level)(void *ctx, struct sl_str level);
    /* Effective configuration as one JSON object, secrets masked. */
    void (*config)(void *ctx, struct sl_text *json);
    /* Plain text for /debug/info: what an engineer wants to see of this node. */
    void (*debug_info)(void *ctx, struct sl_text *text);
    /* Reads all keys below prefix (struct sl_store_op of kind RANGE); answered by sl_api_on_range, not from inside. */
    void (*range)(void *ctx, uint64_t ticket, struct sl_str prefix);
    /* "Stop this process cleanly", as SIGTERM would; without_drain: the work is not moved away first, whatever is set. */
    void (*stop)(void *ctx, bool without_drain);
};

struct sl_api_opts {
    uv_loop_t *loop;                /* runs as long as the API is open */
    const char *version, *git_hash; /* static; version as old clients parse it: "v8.5.4-sluice.0.1.0" */
    uint32_t connection_count_max;  /* 1000; more are closed at once */
    uint32_t connection_per_ip_max; /* 0 = no limit of its own */
    uint32_t idle_s_max;            /* 75; a connection without traffic is closed after it */
    uint32_t request_s_max;         /* 30; a request that is not complete after it is dropped */
    uint32_t answer_s_max;          /* 120; a request the core has not answered by then gets 500 (ErrTimeout) */
    uint32_t send_s_max;            /* 120; a client that has not taken its answer by then is dropped */
    size_t body_bytes_max;          /* 1 MiB; more is 413 */
    size_t response_bytes_max;      /* 64 MiB: lists, forwarded answers */
    uint32_t waiting_count_max;     /* 512 requests that wait for the core, a forward or an event; more get 503 */
    uint32_t watcher_count_max;     /* 128 of them event streams */
    const char *users_file;         /* NULL: no authentication. See docs/api/README.md */
    const char *ca_path, *cert_path, *key_path;    /* forwarding: ca_path NULL = plain http; cert, key for mutual TLS */
    const struct sl_source_driver *const *sources; /* null: sources are not looked at before a feed is made */
    const struct sl_sink_driver *const *sinks;     /* likewise */
    uint64_t seed;                                 /* of hashes and generated ids */
};
void sl_api_opts_default(struct sl_api_opts *opts); /* all but loop, version, git_hash, seed */

struct sl_api;

/* SL_NOMEM; SL_BAD_CONFIG with *err: the users file or TLS files cannot be used. *out is null then. */
SL_CHECKED enum sl_code sl_api_open(struct sl_api **out, const struct sl_api_opts *opts, const struct sl_api_port *port,
                                    struct sl_err *err);

/*
 * Takes over a connected stream socket that speaks plain HTTP/1.1 (of the listener: the TCP socket itself, or one end
 * of a socket pair). remote = the client's address for the audit log, copied. Over the limit it is closed.
 */
void sl_api_adopt(struct sl_api *api, int fd, struct sl_str remote);

/*
 * An answer of the core. False: not a ticket of the API. Tickets of the API have SL_API_TICKET_BIT set; whoever else
 * submits requests to the same node must not set it.
 */
#define SL_API_TICKET_BIT (UINT64_C(1) << 63)
bool sl_api_on_reply(struct sl_api *api, const struct sl_reply *reply);
void sl_api_on_range(struct sl_api *api, uint64_t ticket, enum sl_code code, const struct sl_api_kv *kvs,
                     uint32_t kv_count);

/* Reads the users file again. On an error the old users stay. */
SL_CHECKED enum sl_code sl_api_reload(struct sl_api *api, struct sl_err *err);

/*
 * Ends: no new connection is served, those that wait get 503, streams end. on_closed is called once from the loop,
 * not from inside; after it nothing of the API is left. The loop must run until then.
 */
void sl_api_close(struct sl_api *api, void (*on_closed)(void *ctx), void *ctx);

/*
 * For collect: a feed's checkpoint as a time, and how old it is. Adds nothing if the position is no time (a count, as of
 * generated rows) or not known.
 */
void sl_api_collect_checkpoint(struct sl_metrics *m, enum sl_metric position, enum sl_metric lag,
                               const struct sl_label *labels, uint32_t label_count, sl_ts checkpoint);

#endif
