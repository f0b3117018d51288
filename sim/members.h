/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_MEMBERS_H
#define SL_SIM_MEMBERS_H

#include "sim/engine.h"
#include "wire/ids.h"

/*
 * The address book of the network: which process had a node id last, and on which host. Who is a member, and who knows
 * of it, is decided by the nodes themselves over the metadata store.
 */
struct sl_sim_member {
    struct sl_node_id id;
    uint32_t process; /* the last one with this id */
    uint16_t host;
};

struct sl_sim_members {
    struct sl_sim_member *items; /* by member number */
    uint32_t count, cap;
};

struct sl_sim;

#define SL_SIM_MEMBER_NONE UINT32_MAX
uint32_t sl_sim_members_find(const struct sl_sim *sim, const struct sl_node_id *id);

/* A process takes an id, new or known; its number. */
uint32_t sl_sim_members_join(struct sl_sim *sim, const struct sl_node_id *id, uint16_t host, uint32_t process);

#endif
