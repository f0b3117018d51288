/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_CLIENT_H
#define SL_SIM_CLIENT_H

#include "core/common/request.h"
#include "sim/engine.h"

/*
 * The operator of a cluster: asks any node for what it wants, asks another one when it is not answered or sent
 * away, follows its drains, and stops the process of a node when it is told that this is safe.
 *
 *     DRAIN          WANTED --> FOLLOWED --(target left)--> DONE
 *     OLD_DRAIN      WANTED --(0)--> FOLLOWED --(asked a few times more)--> DONE
 *     all others     WANTED ------------------------------> DONE
 *
 * A row: name, text, verb of the request. OLD_DRAIN is a client that knows the protocol's DrainNode alone; BAD asks for
 * what has to be refused.
 */
#define SL_SIM_WISHES(X)                      \
    X(CREATE, "create", FEED_CREATE)          \
    X(DRAIN, "drain", DRAIN)                  \
    X(OLD_DRAIN, "old drain", DRAIN_NODE)     \
    X(DRY_RUN, "dry run", DRAIN)              \
    X(UNDRAIN, "undrain", UNDRAIN)            \
    X(RESIGN, "resign", RESIGN)               \
    X(PAUSE, "pause", FEED_PAUSE)             \
    X(RESUME, "resume", FEED_RESUME)          \
    X(REMOVE, "remove", FEED_REMOVE)          \
    X(UPDATE, "update", FEED_UPDATE)          \
    X(MOVE, "move", FEED_MOVE)                \
    X(LIST_DRAINS, "list drains", DRAIN_LIST) \
    X(LIST_NODES, "list nodes", NODE_LIST)    \
    X(LIST_FEEDS, "list feeds", FEED_LIST)    \
    X(SHOW_FEED, "show feed", FEED_SHOW)      \
    X(BAD, "bad request", DRAIN)              \
    X(MOVE_TABLE, "move table", TABLE_MOVE)

enum sl_sim_wish_kind {
#define SL_SIM_WISH_ENUM(name, text, verb) SL_SIM_WISH_##name,
    SL_SIM_WISHES(SL_SIM_WISH_ENUM)
#undef SL_SIM_WISH_ENUM
        SL_SIM_WISH_COUNT
};
enum sl_sim_wish_state { SL_SIM_WISH_WANTED, SL_SIM_WISH_FOLLOWED, SL_SIM_WISH_DONE };
const char *sl_sim_wish_text(enum sl_sim_wish_kind kind);

#define SL_SIM_WISHES_MAX 100000u
#define SL_SIM_WISH_NONE UINT32_MAX

struct sl_sim_wish {
    enum sl_sim_wish_kind kind;
    enum sl_sim_wish_state state;
    uint32_t feed;            /* of FEED_* */
    uint32_t bad;             /* BAD: which */
    int64_t table_id;         /* MOVE_TABLE */
    struct sl_node_id target; /* a node */
    uint64_t deadline_ms, lag_budget_ms;
    bool stop_node, cancel_at_deadline; /* DRAIN */
    sl_ns kept_ns;                      /* the process is stopped so long after it was safe; SL_NEVER: never */
    char drain[SL_DRAIN_ID_MAX + 1];
    enum sl_drain_phase phase;   /* of its last answer */
    enum sl_blocker blocker;     /* likewise */
    bool was_safe, is_stopped;   /* stopped: the process was */
    uint32_t zero_life;          /* OLD_DRAIN: the process that had this id when 0 was said; 0 = it was not */
    uint32_t asks_left;          /* of a FOLLOWED old drain */
    sl_ns asked_at, ask_next_at; /* the open request; the next one */
    sl_ns safe_at, done_at;
    uint64_t ticket;   /* of the open request; 0 */
    uint32_t host;     /* that is asked */
    enum sl_code code; /* of the last answer */
    char why[240];     /* what it waits for, in the words of the last answer */
    char detail[160];  /* of the blocker */
    sl_ns why_at;
};

struct sl_sim_client {
    struct sl_sim_wish *wishes; /* in the order in which they came */
    uint32_t wish_count, wish_cap, drain_count;
    uint64_t ticket_last;
    uint64_t asked_count, answered_count, sent_away_count;
    bool is_ticking;
};

struct sl_sim;
struct sl_sim_host;

/* It is asked for from now on; its number. SL_SIM_WISH_NONE: there are too many. */
uint32_t sl_sim_client_wish(struct sl_sim *sim, const struct sl_sim_wish *wish);

/* CLIENT event: looks after all wishes. REQUEST event: a request reaches a host. SL_OUT_REPLY: an answer. */
void sl_sim_client_on_tick(struct sl_sim *sim);
void sl_sim_client_arrive(struct sl_sim_host *h, uint32_t wish, uint32_t ticket);
void sl_sim_client_on_reply(struct sl_sim_host *h, const struct sl_reply *reply);

/* True if there ever was a wish of this kind for this feed. */
bool sl_sim_client_asked(const struct sl_sim *sim, enum sl_sim_wish_kind kind, uint32_t feed);

/* The last drain of this node that was wished for, or a null pointer. Valid until the next wish. */
const struct sl_sim_wish *sl_sim_client_drain(const struct sl_sim *sim, const struct sl_node_id *target);

/* Every wish has come true, or is a drain that is safe to stop. may_block: or a drain that names what blocks it. */
bool sl_sim_client_is_content(const struct sl_sim *sim, bool may_block, char *why, size_t why_size);

#endif
