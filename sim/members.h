/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_MEMBERS_H
#define SL_SIM_MEMBERS_H

#include "sim/engine.h"
#include "wire/ids.h"

/*
 * Who is registered in the metadata store, and when each host learns of it. As in the reference: a process holds a
 * lease; when it dies or sleeps the lease runs out, and the others count it out some time after that; a clean exit
 * deletes the key, which saves the first wait; a join is seen at once.
 *
 *     registered, leased --(dies, sleeps: lease)--> registered, unleased --(leave)--> removed --(start)--> registered
 */
#define SL_SIM_LEASE_POLL_NS (1 * SL_S) /* how often a process looks at its own lease */

struct sl_sim_members_opts {
    sl_ns lease_ns; /* 10 s */
    sl_ns leave_ns; /* 5 s after the key has vanished */
    sl_ns seen_ns;  /* each host learns within this */
};
#define SL_SIM_MEMBERS_OPTS_DEFAULT \
    ((struct sl_sim_members_opts){ .lease_ns = 10 * SL_S, .leave_ns = 5 * SL_S, .seen_ns = 50 * SL_MS })

struct sl_sim_member {
    struct sl_node_id id;
    uint32_t process; /* the last one with this id; 0 before the first */
    uint32_t serial;  /* of the timers that are still wanted */
    uint16_t host;
    bool is_registered, is_leased;
};

struct sl_sim_members {
    struct sl_sim_member *items; /* by member number */
    uint32_t count, cap;
};

struct sl_sim;

#define SL_SIM_MEMBER_NONE UINT32_MAX
uint32_t sl_sim_members_find(const struct sl_sim *sim, const struct sl_node_id *id);

/* A process registers an id, new or known. Everybody who did not count it as a member will learn of it. */
uint32_t sl_sim_members_join(struct sl_sim *sim, const struct sl_node_id *id, uint16_t host, uint32_t process);
/* The key was deleted by a clean exit. */
void sl_sim_members_leave(struct sl_sim *sim, uint32_t member);
/* The lease is renewed no more (the process died or sleeps), or is again. */
void sl_sim_members_neglect(struct sl_sim *sim, uint32_t member);
void sl_sim_members_renew(struct sl_sim *sim, uint32_t member);
/* The lease is lost while the process runs. */
void sl_sim_members_expire(struct sl_sim *sim, uint32_t member);

/* LEASE and LEAVE events. */
void sl_sim_members_on_lease(struct sl_sim *sim, uint32_t member, uint32_t serial);
void sl_sim_members_on_leave(struct sl_sim *sim, uint32_t member, uint32_t serial);

#endif
