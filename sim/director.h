/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_DIRECTOR_H
#define SL_SIM_DIRECTOR_H

#include "core/drain/target.h"
#include "sim/engine.h"
#include "wire/message.h"

/*
 * A scripted coordinator: speaks the coordinator's side of the protocol as a role on one host, with just enough sense
 * to place maintainers, run drains and survive its own death. What must survive lies in the store; everything else is
 * learnt again from the nodes. It uses nothing of the core but the messages.
 *
 *     drain:  REQUESTED -> EVACUATING -> STOPPING -> SAFE -> CLEARING -> DONE
 *                  |            |            |                  ^
 *                  +------------+------------+---- target left -+
 */
#define SL_SIM_DRAIN_PHASES(X)                              \
    X(REQUESTED, "requested")   /* no epoch yet */          \
    X(EVACUATING, "evacuating") /* epoch durable */         \
    X(STOPPING, "stopping")     /* nothing left there */    \
    X(SAFE, "safe to stop")     /* the node confirmed it */ \
    X(CLEARING, "clearing")     /* the node has left */     \
    X(DONE, "done")             /* everybody acknowledged the clear */

enum sl_sim_drain_phase {
#define SL_SIM_DRAIN_PHASE_ENUM(name, text) SL_SIM_DRAIN_##name,
    SL_SIM_DRAIN_PHASES(SL_SIM_DRAIN_PHASE_ENUM)
#undef SL_SIM_DRAIN_PHASE_ENUM
};
const char *sl_sim_drain_phase_text(enum sl_sim_drain_phase phase);

/* What is durable in the metadata store: written only by the director with the highest version. */
struct sl_sim_drain {
    struct sl_node_id target;
    uint64_t epoch; /* 0 until given out */
    enum sl_sim_drain_phase phase;
    bool was_safe;
    sl_ns asked_at, safe_at, ended_at;
    char why[320]; /* what it waits for, as its director last saw it */
};

struct sl_sim_stored_feed {
    uint64_t epoch;
    uint64_t checkpoint;
    bool is_started;
    bool is_stopped, is_removed; /* wanted: paused, or removed for good */
    bool is_closed;              /* and every node has confirmed that nothing of it runs */
};

struct sl_sim_store {
    struct sl_sim_drain *drains; /* in the order in which they were asked for */
    struct sl_sim_stored_feed *feeds;
    uint32_t drain_count, drain_cap, feed_count, feed_cap;
    uint64_t version; /* of the last elected director */
    uint64_t drain_epoch;
    uint32_t preferred_host; /* next election; SL_SIM_HOST_NONE = the first that can */
    bool stops_when_safe;    /* the process of a drained node ends by itself */
};

#define SL_SIM_DIRECTORS 4 /* one that is in charge, and sleepers who do not know yet that they are not */
struct director_node;
struct director_feed;

struct sl_sim_director {
    bool is_active, is_ready, is_deposed;
    uint16_t host;
    uint32_t process;
    uint64_t version;
    struct director_node *nodes; /* by member */
    struct director_feed *feeds; /* by feed */
    uint32_t node_cap, feed_cap;
    struct { /* the one store write of its drain that is under way */
        sl_ns durable_at;
        uint32_t drain;
        enum sl_sim_drain_phase phase;
        bool is_pending;
    } write;
};

struct sl_sim;
struct sl_sim_host;

void sl_sim_directors_init(struct sl_sim *sim);
void sl_sim_directors_deinit(struct sl_sim *sim);

/* ELECTION: the preferred or first host that may lead gets a director; none can: tried again. */
void sl_sim_director_elect(struct sl_sim *sim);
/* DIRECTOR: one period of director a, if its version still is b. */
void sl_sim_director_on_period(struct sl_sim *sim, uint32_t a, uint32_t b);
/* True if the message is for the coordinator; then it was handled, or dropped because none lives on this host. */
bool sl_sim_director_on_message(struct sl_sim *sim, struct sl_sim_host *h, enum sl_msg_type type,
                                struct sl_bytes envelope);

/* The director in charge, or a null pointer. Its host may be paused. */
struct sl_sim_director *sl_sim_director_in_charge(struct sl_sim *sim);
/* The role ends, the process does not; the next election comes soon, and prefers this host if there is one. */
void sl_sim_director_resign(struct sl_sim *sim, uint32_t next_host);

/* Asks for a drain; joins the one that runs. False: no such member. */
bool sl_sim_drain_ask(struct sl_sim *sim, const struct sl_node_id *target);
/* The last drain of a node, or a null pointer. */
struct sl_sim_drain *sl_sim_drain_of(struct sl_sim *sim, struct sl_str target);
/* Everybody alive acknowledged the drain's target with the current process. */
bool sl_sim_drain_is_acknowledged(struct sl_sim *sim, const struct sl_sim_drain *d);

/* Host of the feed's maintainer if it is bootstrapped, or SL_SIM_HOST_NONE. */
uint32_t sl_sim_director_owner(struct sl_sim *sim, uint32_t feed);

/* A message of the coordinator in charge that it would not send by itself, for scripts. False: nobody is in charge. */
bool sl_sim_director_send_target(struct sl_sim *sim, const struct sl_node_id *to, const struct sl_drain_target *target);

/*
 * What a coordinator does not do by itself, for faults (director_mischief.c). Nothing happens if nobody is in charge or
 * the host is no member.
 *   echo      a drain target request of an earlier epoch, or of the running one, reaches the host once more, as if it
 *             had been on its way for long
 *   haste     the host is asked to be STOPPING, whatever it is and hosts
 *   late_add  the Add of a feed reaches the host if it is STOPPING
 */
void sl_sim_director_echo(struct sl_sim *sim, uint32_t host);
void sl_sim_director_haste(struct sl_sim *sim, uint32_t host);
void sl_sim_director_late_add(struct sl_sim *sim, uint32_t host);

#endif
