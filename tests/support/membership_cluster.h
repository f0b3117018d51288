/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_MEMBERSHIP_CLUSTER_H
#define SL_TESTS_SUPPORT_MEMBERSHIP_CLUSTER_H

#include "core/membership/membership.h"
#include "sim/store_sim.h"
#include "tests/support/sl_test.h"

/*
 * A few nodes, each with its membership alone, over the simulated store, in virtual time. After everything that happens
 * the oracles look, with what the store really holds:
 *
 *   1  no two nodes believe in leadership within their belief in their lease at the same instant
 *   2  who believes in a lease has it: nobody's keys were given away before it fenced itself
 *   3  a leader's key is the oldest in the store, and its mod revision is the version it leads with
 *   4  versions of leaderships grow strictly; generations never shrink
 *   5  a node that asks to be woken is not asked again at the same instant (no busy loop)
 */
#define SL_MC_HOSTS_MAX 8
#define SL_MC_EVENTS_MAX 64

struct sl_mc_event {
    enum sl_event_id id;
    char text[256]; /* as it would be logged */
};

struct sl_mc_held { /* delivered while the process is paused */
    struct sl_store_sim_due due;
    void *memory;
};

struct sl_mc_host {
    struct sl_mem mem;
    struct sl_outbox out;
    struct sl_membership *m; /* null: down */
    struct sl_membership_opts opts;
    uint32_t life;
    bool paused, leaving;
    sl_lease_id lease; /* of the last grant that it was told of */
    uint64_t generation;
    uint64_t version;                            /* it leads with; 0 */
    uint64_t ops, critical_ops;                  /* submitted by this process; of the election */
    struct sl_mc_event events[SL_MC_EVENTS_MAX]; /* the last ones of this host, a ring */
    uint64_t event_count;
    struct sl_mc_held *held;
    uint32_t held_count, held_cap;
};

struct sl_mc {
    struct sl_mem mem;
    struct sl_store_sim *sim;
    sl_ns now;
    struct sl_mc_host hosts[SL_MC_HOSTS_MAX];
    uint64_t version_max;
    uint64_t elections;  /* leaderships ever */
    bool writes_by_hand; /* somebody else changes keys: oracle 3 is not asked */
};

/* No host runs yet. opts.mem is filled in. */
void sl_mc_init(struct sl_mc *c, struct sl_store_sim_opts opts);
void sl_mc_deinit(struct sl_mc *c);

/* Options of host i: id "n<i>-<life>", name "node<i>", address "h<i>:1". */
struct sl_membership_opts sl_mc_opts(const struct sl_mc *c, uint32_t i);
void sl_mc_start(struct sl_mc *c, uint32_t i); /* a new process with a new id */
void sl_mc_start_with(struct sl_mc *c, uint32_t i, const struct sl_membership_opts *opts);
void sl_mc_crash(struct sl_mc *c, uint32_t i);
void sl_mc_pause(struct sl_mc *c, uint32_t i);
void sl_mc_resume(struct sl_mc *c, uint32_t i);
void sl_mc_leave(struct sl_mc *c, uint32_t i);
void sl_mc_resign(struct sl_mc *c, uint32_t i);
void sl_mc_set_alive(struct sl_mc *c, uint32_t i, bool alive);

void sl_mc_run(struct sl_mc *c, sl_ns time); /* for so long */

static inline bool sl_mc_is_up(const struct sl_mc *c, uint32_t i)
{
    return c->hosts[i].m && !c->hosts[i].paused;
}
struct sl_membership_view sl_mc_view(const struct sl_mc *c, uint32_t i);
/* The one host that leads, or SL_MC_HOSTS_MAX. */
uint32_t sl_mc_leader(const struct sl_mc *c);
bool sl_mc_sees(const struct sl_mc *c, uint32_t i, const char *id);
/* How often the host said this since it started, and the last text of it ("" if never or long ago). */
uint32_t sl_mc_said(const struct sl_mc *c, uint32_t i, enum sl_event_id id);
const char *sl_mc_last(const struct sl_mc *c, uint32_t i, enum sl_event_id id);
/* Every host that runs is joined, sees exactly the others that run, and all agree on one owner. */
void sl_mc_assert_converged(const struct sl_mc *c);

/* Hosts 0 .. count - 1 one after the other, so that n0 is the oldest in the queue, and so on. */
void sl_mc_start_hosts(struct sl_mc *c, uint32_t count);

/* Keys of cluster "c1", and what is stored under one. */
struct sl_key sl_mc_capture_key(const char *id);
struct sl_key sl_mc_owner_key(const struct sl_mc *c, uint32_t i);
bool sl_mc_stored(const struct sl_mc *c, const struct sl_key *key, struct sl_store_pair *pair);

/* What somebody else does to the store, at once. */
sl_lease_id sl_mc_foreign_lease(struct sl_mc *c, sl_ns ttl); /* nobody keeps it alive */
void sl_mc_put(struct sl_mc *c, struct sl_str key, const char *value, sl_lease_id lease);
void sl_mc_delete(struct sl_mc *c, struct sl_str key);

#endif
