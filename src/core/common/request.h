/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_REQUEST_H
#define SL_CORE_COMMON_REQUEST_H

#include "base/secret.h"
#include "core/common/data_plane.h"
#include "core/common/members.h"
#include "wire/values.h"

/*
 * What an operator or a client asks of a node, and the answer. A request names the caller's ticket; the answer carries
 * it back, in the same step or in a later one (when a store operation has to end first). Every request is answered
 * exactly once, also when the node stops being the coordinator (SL_NOT_OWNER, RETRY).
 */
enum sl_request_verb {
    SL_REQUEST_DRAIN_NODE, /* the protocol's DrainNode(target) -> remaining; joins or starts a drain */
    SL_REQUEST_DRAIN,      /* ours: start or join, with options; or a plan only */
    SL_REQUEST_DRAIN_SHOW,
    SL_REQUEST_DRAIN_LIST,
    SL_REQUEST_UNDRAIN, /* cancel by drain id or by node */
    SL_REQUEST_NODE_LIST,
    SL_REQUEST_FEED_CREATE,
    SL_REQUEST_FEED_PAUSE,
    SL_REQUEST_FEED_RESUME,
    SL_REQUEST_FEED_REMOVE,
    SL_REQUEST_FEED_UPDATE,
    SL_REQUEST_FEED_SHOW,
    SL_REQUEST_FEED_LIST,
    SL_REQUEST_FEED_MOVE, /* the feed's maintainer to a node */
    SL_REQUEST_RESIGN,
    /*
     * Of one feed, answered by the node that hosts its maintainer. Elsewhere SL_NOT_OWNER, whose detail is the node to
     * ask: the coordinator, which knows the maintainer's node (empty while there is none).
     */
    SL_REQUEST_TABLE_LIST,       /* ascending by table id, after table_after, at most table_max rows */
    SL_REQUEST_TABLE_MOVE,       /* table_id to node; answered when the move has begun */
    SL_REQUEST_DISPATCHER_COUNT, /* all dispatchers of the feed */
    /*
     * Closes every feed on every node without changing what it is told to be, and places nothing any more; answered
     * when nothing runs and every checkpoint is durable. Then the nodes may leave, this one last: it ends with this
     * leadership, or when asked again with cancel.
     */
    SL_REQUEST_CLUSTER_STOP,
    /*
     * What to do about a node that is to be gone for good. Nothing is taken from it by force: a node whose lease ended
     * leaves by itself, with all that is kept of it (OK), and while its lease lives it may write (REFUSED, with what to
     * do). NOT_FOUND: it is no member any more.
     */
    SL_REQUEST_NODE_REMOVE,
};

struct sl_request {
    enum sl_request_verb verb;
    uint64_t ticket;     /* of the caller, not 0 */
    struct sl_str node;  /* id, unique prefix of an id, or name */
    struct sl_str drain; /* id or unique prefix */
    struct sl_str feed, keyspace;
    struct sl_str reason, actor;
    struct sl_secret config;             /* FEED_CREATE, FEED_UPDATE: the info value (AddMaintainerRequest.config) */
    struct sl_secret source;             /* FEED_CREATE; FEED_UPDATE unless empty: URI, at most SL_SOURCE_URI_MAX */
    uint64_t deadline_ms, lag_budget_ms; /* DRAIN; relative; 0 = none / default */
    bool dry_run, stop_node, cancel_at_deadline; /* DRAIN */
    sl_ts checkpoint;                            /* FEED_CREATE: start; FEED_RESUME, FEED_UPDATE: overwrite, 0 = keep */
    int64_t table_id;                            /* TABLE_MOVE */
    int64_t table_after;                         /* TABLE_LIST; INT64_MIN: from the start */
    uint32_t table_max;                          /* TABLE_LIST; 0 = as many as fit one answer */
    bool cancel;                                 /* CLUSTER_STOP: place again */
};

/* Why a drain is not safe yet, oldest cause first; one of them is the line an operator sees. */
#define SL_BLOCKERS(X)                                                                               \
    X(NONE, "nothing blocks it")                                                                     \
    X(COORDINATOR_STARTING, "the coordinator has not heard from every node yet")                     \
    X(NOT_DURABLE, "the request is being stored")                                                    \
    X(NO_DESTINATION, "no other node can take the work: add a node or undrain")                      \
    X(WAITS_FOR_DRAIN, "waits for another drain, because a foreign peer knows one target at a time") \
    X(TARGET_UNKNOWN, "the node has not been heard from for too long")                               \
    X(PEER_NOT_ACKED, "a node has not acknowledged the drain target yet")                            \
    X(PEER_LEGACY, "a peer does not know the drain protocol")                                        \
    X(MAINTAINER_ON_TARGET, "a maintainer still lives on the node")                                  \
    X(OPERATOR_ON_TARGET, "a maintainer is being moved")                                             \
    X(FEED_NOT_REPORTED, "a feed has not reported for this drain yet")                               \
    X(FEED_NOT_BOOTSTRAPPED, "a feed's maintainer is still starting")                                \
    X(DISPATCHERS_LEFT, "dispatchers are still on the node")                                         \
    X(MOVES_IN_FLIGHT, "dispatchers are moving")                                                     \
    X(MOVE_STUCK, "a move exceeds its time limit")                                                   \
    X(OWNER_RESIGNING, "the node is the coordinator and hands over first")                           \
    X(LIVENESS, "the node has not confirmed that it drains or stops")                                \
    X(SELF_REPORT, "the node itself still reports work")
enum sl_blocker {
#define SL_BLOCKER_ENUM(name, text) SL_BLOCKED_##name,
    SL_BLOCKERS(SL_BLOCKER_ENUM)
#undef SL_BLOCKER_ENUM
        SL_BLOCKER_COUNT
};
const char *sl_blocker_text(enum sl_blocker b);
const char *sl_blocker_name(enum sl_blocker b);

/* One of the moves that take longest. */
struct sl_drain_slow {
    char feed[64]; /* keyspace/name, cut if longer */
    struct sl_dispatcher_id span;
    char phase[24];
    struct sl_node_id waits_for; /* none if not known */
    uint64_t age_ms;
};
#define SL_DRAIN_SLOW_MAX 4

/* One drain, as shown. */
struct sl_drain_view {
    struct sl_intent intent;
    char target_name[SL_NODE_NAME_MAX + 1];
    bool safe_to_stop;
    enum sl_blocker blocker;
    char blocker_detail[160]; /* "feed orders, span ..., phase remove_origin, 12 s, waits for n5" */
    uint32_t maintainers, operators, dispatchers, moves, feeds_unsettled, peers_unacked, stuck; /* what is left */
    uint32_t dispatchers_at_start, moves_done; /* at the start: 0 = none, or not known */
    sl_ns since;                               /* request accepted, on the node's clock; 0 after a take-over */
    sl_ns progress_at;                         /* last time a count went down */
    uint64_t lag_ms_worst; /* of the feeds that move, by their last report; of worth only with is_lag_known */
    bool is_lag_known;
    uint64_t lag_budget_ms; /* as asked for; 0: of each feed twice its lag at the start, at least 1 s */
    uint64_t eta_ms;        /* by the pace so far; 0 = not known */
    struct sl_drain_slow slow[SL_DRAIN_SLOW_MAX];
    uint32_t slow_count;
};

struct sl_plan_move { /* dry run: load per node before and after */
    struct sl_node_id node;
    uint32_t maintainers_before, maintainers_after, dispatchers_before, dispatchers_after;
    bool is_target, is_eligible;
};

struct sl_node_view {
    struct sl_capture capture;
    bool is_owner, observed, unknown;
    int liveness;
    uint64_t capabilities;
    uint32_t maintainers, dispatchers, readers; /* by its self report; 0 until has_report */
    uint64_t unflushed_rows;
    bool has_report, is_draining; /* is_draining: target of a drain */
    sl_ns silent_ns;              /* since it was last heard from; SL_NEVER: never was */
};

struct sl_feed_view {
    struct sl_feed_record record;
    sl_ts checkpoint;
    struct sl_node_id node; /* of the maintainer; none if not placed */
    const char *placement;  /* absent, scheduling, replicating, stopped */
    bool bootstrapped;
    struct sl_copy_progress copy; /* initial copies that go on; tables 0: none */
    struct sl_secret info;        /* the whole value, for SHOW; masked by whoever prints it */
    struct sl_secret source;      /* for SHOW; masked likewise; empty: the feed has none of ours */
};

/* One span of a feed: a table, or a key range of one (a table with several spans has several rows). */
struct sl_table_view {
    int64_t table_id, schema_id;
    struct sl_str schema_name, table_name; /* empty if not known */
    struct sl_dispatcher_id dispatcher;
    struct sl_node_id node; /* none while it is not placed */
    const char *state;      /* absent, scheduling, replicating */
    sl_ts checkpoint;       /* exact unless it replicates: then its node's progress counts, and this is older */
};

struct sl_reply {
    uint64_t ticket;
    enum sl_code code;
    char detail[200];   /* why, and what to do; no secrets */
    uint32_t remaining; /* DRAIN_NODE */
    const struct sl_drain_view *drains;
    const struct sl_plan_move *plan;
    const struct sl_node_view *nodes;
    const struct sl_feed_view *feeds;
    const struct sl_table_view *tables; /* TABLE_LIST */
    uint32_t drain_count, plan_count, node_count, feed_count, table_count;
    uint32_t dispatcher_count; /* DISPATCHER_COUNT */
    bool has_more;             /* TABLE_LIST: ask again with table_after = the last row's table_id */
};

#endif
