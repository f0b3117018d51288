/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_API_INTERNAL_H
#define SL_EDGE_HTTP_API_INTERNAL_H

#include "base/prng.h"
#include "edge/http/api.h"
#include "edge/http/auth.h"
#include "edge/http/board.h"
#include "edge/http/buf.h"
#include "edge/http/clock.h"
#include "edge/http/router.h"
#include "edge/loop/timer.h"

#include <json-c/json.h>
#include <microhttpd.h>

/*
 * How the parts of the API hold together.
 *
 *   server.c    connections and the loop          call.c     one request from its first line to its end
 *   router.c    path -> route, parameters         answer.c   every answer: JSON, errors in both shapes
 *   auth.c      users, roles                      forward.c  what another node has to answer
 *   board.c     drains watched over time          stream.c   server-sent events
 *   routes_*.c  handlers                          page.c     /metrics        ui.c  the page at /ui
 *
 * A call's life:
 *
 *   RECEIVING --body complete--> READY --handler--> ANSWERED --queued--> (completed: gone)
 *                                  |                   ^
 *                                  `---> WAITING ------'     suspended; ended by the core, a forward, or its deadline
 *
 * RECEIVING  method, path, headers and the user may be trusted, as far as they were checked; the body not at all.
 * READY      all of it: a body that is too large or no JSON was answered before any handler.
 * WAITING    only slot and generation: the client may be gone. The handler's state lies in the call.
 * ANSWERED   nothing but the answer; it is sent for as long as the client reads.
 *
 * Invariants:
 *   H1  a call is answered exactly once; what comes later for it finds its generation gone.
 *   H2  a connection is suspended if and only if its call is WAITING (event streams apart, stream.c).
 *   H3  MHD is run from its own two callbacks of the loop only, never from inside a handler or an answer of the core.
 */

enum sl__call_state { SL__CALL_RECEIVING, SL__CALL_READY, SL__CALL_WAITING, SL__CALL_ANSWERED };

struct sl__call;
struct sl__stream;
struct sl__forwards;
typedef void sl__on_reply(struct sl__call *c, const struct sl_reply *reply);

/* A connection, from accept to close. */
struct sl__conn {
    struct sl__conn *next, *prev;
    struct MHD_Connection *mhd;
    char remote[64];
    sl_ns deadline; /* to have sent a whole request, or to begin the next one; SL_NEVER while we work */
};

struct sl__call {
    struct sl_api *api;
    struct sl__conn *conn;
    struct MHD_Connection *mhd;
    uint32_t slot, generation;
    enum sl__call_state state;
    bool in_handler; /* an answer now needs no resume */
    bool looked_at;  /* its head was, on the handler's first call */
    bool too_large;
    bool no_room; /* for its body, among those of others */
    size_t answer_bytes;
    const struct sl__route *route; /* null: no such path */
    char *uri;                     /* as it came, with parameters: for forwarding */
    char *path;                    /* decoded; params point into it */
    struct sl_str params[SL__PARAMS_MAX];
    struct sl__buf body;
    struct json_object *doc; /* of the body; null: empty body */
    char user[SL__USER_MAX + 1];
    enum sl__role role;
    sl_ns deadline, started;
    sl__on_reply *on_reply;
    uint64_t step;      /* of handlers that ask several times */
    char object[192];   /* for the audit log: what it is about */
    char reason[201];   /* likewise */
    uint32_t forwarded; /* TiCDC-ForwardTimes of the request */
    struct MHD_Response *response;
    uint32_t status;
    struct sl__stream *stream;  /* once it is an event stream */
    void *forward;              /* of forward.c, while one runs for it */
    void *state_data;           /* of the handler; freed with free() */
    void (*state_free)(void *); /* of what hangs on it; may be null */
};

struct sl_api {
    struct sl_api_opts opts;
    struct sl_api_port port;
    struct MHD_Daemon *daemon;
    uv_poll_t *poll;
    struct sl_timer *run_timer, *tick_timer;
    struct sl_turn *turn;
    struct sl__conn *conns;
    uint32_t conn_count;
    const char *adopting;    /* remote of the connection that MHD_add_connection is about */
    struct sl__call **calls; /* by slot; opts.waiting_count_max of them */
    uint32_t *generations;
    uint32_t call_count, call_hint;
    struct sl__buf scratch; /* for rendering; content valid inside one function only */
    /* Bytes of all calls together: what many clients may make the node hold. */
    size_t body_bytes, answer_bytes;
    uint32_t table_list_count;
    struct sl_prng prng;
    struct sl__auth *auth; /* null: everybody is operator */
    struct sl__forwards *forwards;
    struct sl__board *board;
    struct sl__stream *streams;
    uint32_t stream_count;
    bool list_asked;                           /* the board's list of drains is under way */
    sl_ns list_at;                             /* when it was asked for */
    uint64_t answered[SL__ROUTE_COUNT + 1][6]; /* by route (last: none) and class of the status */
    uint64_t refused[4];                       /* connections, waiting, body, auth */
    uint64_t owner_times;
    bool was_owner;
    sl_ns opened;
    uint32_t probe_count; /* in the pool; the API's memory stays until they are done */
    bool is_freed;        /* but for them */
    bool closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};
/* Of the one request that is no call's: the list of drains for the board. No slot has this number. */
#define SL__BOARD_TICKET (SL_API_TICKET_BIT | UINT16_MAX)
enum { SL__REFUSED_CONNECTION, SL__REFUSED_WAITING, SL__REFUSED_BODY, SL__REFUSED_AUTH };

/* ---- server.c ---- */
/* Frees the API if it is over and nothing in the pool looks at it. */
void sl__api_release(struct sl_api *api);
void sl__server_kick(struct sl_api *api); /* run MHD soon, outside of everything */

/* ---- call.c ---- */
/* First thing MHD says of a request: its raw URI. Null: refused. */
struct sl__call *sl__call_begin(struct sl_api *api, struct sl__conn *conn, struct MHD_Connection *mhd, const char *uri);
enum MHD_Result sl__call_continue(struct sl__call *c, const char *url, const char *method, const char *upload,
                                  size_t *upload_size);
void sl__call_end(struct sl__call *c);
/* The call of a ticket, or null. */
struct sl__call *sl__call_of(const struct sl_api *api, uint64_t ticket);
uint64_t sl__call_ticket(const struct sl__call *c);
/* Deadlines of calls and connections. */
void sl__call_tick(struct sl_api *api, sl_ns now);
void sl__call_refuse_all(struct sl_api *api);

/* ---- for handlers ---- */
/* Asks the core; on_reply is called with its answer, now or later. request's ticket is filled in. */
/* Counts the call among those that wait. False: too many. */
SL_CHECKED bool sl__call_take_slot(struct sl__call *c);
void sl__call_submit(struct sl__call *c, struct sl_request *request, sl__on_reply *on_reply);
/* Until when the answer has to be there; then sl__answer_timeout. */
void sl__call_set_deadline(struct sl__call *c, sl_ns after);
struct sl_str sl__call_query(const struct sl__call *c, const char *key); /* decoded; empty if absent */
struct sl_str sl__call_header(const struct sl__call *c, const char *key);
/* Who asks: the authenticated user, else what the body says under "actor", else the address. */
struct sl_str sl__call_actor(const struct sl__call *c);
/*
 * The id of the member that ref means: an id, its unique beginning, a name or an address. As it is if no member is
 * meant: of nodes that left the core may know more. A view of ref or of the members.
 */
struct sl_str sl__call_node(const struct sl__call *c, struct sl_str ref);
void sl__call_about(struct sl__call *c, struct sl_str object);
void sl__call_status(const struct sl__call *c, struct sl_api_status *status);

/* ---- answer.c ---- */
/* Each answers the call; the first one counts. */
void sl__answer_json(struct sl__call *c, uint32_t status, sl__render *render, const void *ctx);
void sl__answer_body(struct sl__call *c, uint32_t status, const char *content_type, struct sl_str body);
void sl__answer_empty(struct sl__call *c, uint32_t status);
/* "{}" with 200, or 202 on the reference's old routes. */
void sl__answer_done(struct sl__call *c);
/* In the reference's shape: code "CDC:ErrX" or "" (uncoded). */
void sl__answer_cdc(struct sl__call *c, uint32_t status, const char *code, const char *text, struct sl_str about);
/* In the shape of the route, by the core's code. */
void sl__answer_code(struct sl__call *c, enum sl_code code, const char *detail);
/* Of ours: {error_code, error_msg, remedy}. */
void sl__answer_own(struct sl__call *c, uint32_t status, const char *code, const char *text, const char *remedy);
void sl__answer_bad(struct sl__call *c, const char *what); /* 400: the caller's fault */
void sl__answer_no_owner(struct sl__call *c);
void sl__answer_timeout(struct sl__call *c);
void sl__answer_no_route(struct sl__call *c);
void sl__answer_no_auth(struct sl__call *c, bool is_known, bool is_forbidden);
void sl__answer_too_large(struct sl__call *c);
void sl__answer_overload(struct sl__call *c);
/* Any response; takes it over. */
void sl__answer_response(struct sl__call *c, uint32_t status, struct MHD_Response *response);
uint32_t sl__answer_http_of(enum sl_code code);

/* ---- forward.c ---- */
SL_CHECKED enum sl_code sl__forwards_new(struct sl__forwards **out, struct sl_api *api, struct sl_err *err);
void sl__forwards_free(struct sl__forwards *f);
/* Replays the call at host:port; the answer becomes the call's. */
void sl__forward(struct sl__call *c, struct sl_str address);
void sl__forward_cancel(struct sl__call *c);
/* To the owner, or false: there is none, or it is this node. */
bool sl__forward_to_owner(struct sl__call *c);
/* To a member. False: not a member, or this node. */
bool sl__forward_to_node(struct sl__call *c, struct sl_str node_id);

/* ---- process.c ---- */
void sl__page_process(struct sl_metrics *m);

/* ---- routes ---- */
#define SL_ROUTE(id, method, path, where, role, flavor, handler, summary, request, response) \
    void sl__on_##handler(struct sl__call *c);
#include "edge/http/routes.def"
#undef SL_ROUTE

#endif
