/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_DIRECTOR_INTERNAL_H
#define SL_SIM_DIRECTOR_INTERNAL_H

#include "sim/sim.h"

struct director_node {
    bool is_tracked, is_answered, has_self;
    uint32_t process; /* as its key in the store says */
    uint64_t node_epoch;
    int liveness;
    struct sl_drain_target target; /* acknowledged */
    uint64_t self_work;            /* maintainers, dispatchers, readers, unflushed rows: their sum */
    uint32_t maintainers, dispatchers;
    sl_ns asked_at, heard_at, target_sent_at, liveness_sent_at;
};

enum director_feed_state {
    DIRECTOR_FEED_ABSENT,  /* has no owner; an epoch may be on its way to the store */
    DIRECTOR_FEED_ADDING,  /* Add is sent until the owner has bootstrapped */
    DIRECTOR_FEED_ADOPTED, /* found at work by a new director, which waits for it to have bootstrapped */
    DIRECTOR_FEED_RUNNING, /* the owner works */
    DIRECTOR_FEED_LEAVING, /* Remove without cascade is sent until the owner has stopped */
    DIRECTOR_FEED_CLOSING, /* Remove with cascade: an error, a pause, a removal */
};

struct director_progress { /* what the owner says of the drain */
    uint64_t epoch;
    uint32_t dispatchers, moves, bound, stopping, starting, unknown, stuck;
    bool is_bootstrapped, has_stuck;
    char stuck_text[96];
};

#define DIRECTOR_STALE_MAX 8
struct director_feed {
    enum director_feed_state state;
    uint32_t owner; /* member */
    uint64_t owner_epoch;
    sl_ns sent_at, retry_at, chased_at;
    sl_ns bump_at; /* when the next epoch is durable; 0 = none is on its way */
    struct director_progress progress;
    struct { /* maintainers of older epochs that must be gone before a new one starts */
        uint32_t member;
        uint64_t epoch;
    } stale[DIRECTOR_STALE_MAX];
    uint32_t stale_count;
};

#define DIRECTOR_RESEND_NS (500 * SL_MS)
#define DIRECTOR_LIVENESS_RESEND_NS (1 * SL_S)
#define DIRECTOR_TARGET_RESEND_NS (5 * SL_S)

struct director_node *sl_sim__director_node(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member);
struct director_feed *sl_sim__director_feed(struct sl_sim *sim, struct sl_sim_director *d, uint32_t feed);

/* Whether something sent at sent (0 = never) is due again. */
bool sl_sim__director_is_due(const struct sl_sim *sim, sl_ns sent, sl_ns resend);
void sl_sim__director_send(struct sl_sim *sim, const struct sl_sim_director *d, uint32_t member, enum sl_msg_type type,
                           const ProtobufCMessage *message);
/* How long the write of this director takes to become durable: its n-th of an object. */
sl_ns sl_sim__director_store_delay(const struct sl_sim *sim, uint64_t object, uint64_t n);

/* May get new work: known, ALIVE, not a target of a drain that has not ended. */
bool sl_sim__director_may_place(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member);
/* The eligible member with the fewest maintainers, or SL_SIM_MEMBER_NONE. */
uint32_t sl_sim__director_pick(struct sl_sim *sim, struct sl_sim_director *d);

/* One period of the feeds (director_feeds.c) and of the drains (director_drain.c). */
void sl_sim__director_place_feeds(struct sl_sim *sim, struct sl_sim_director *d);
void sl_sim__director_run_drains(struct sl_sim *sim, struct sl_sim_director *d);
/* The drain that is being worked on, or a null pointer. */
struct sl_sim_drain *sl_sim__director_drain(struct sl_sim *sim);

/* All nodes have answered: who runs what is known. */
void sl_sim__director_adopt(struct sl_sim *sim, struct sl_sim_director *d);
/* A maintainer's status from a member: in a bootstrap answer (then only collected) or a heartbeat. */
void sl_sim__director_on_status(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member,
                                const Pb__MaintainerStatus *status);
/* A member is gone, or is another process now. */
void sl_sim__director_on_lost(struct sl_sim *sim, struct sl_sim_director *d, uint32_t member);

#endif
