/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_SWARM_H
#define SL_SIM_SWARM_H

#include "sim/sim.h"

/*
 * Random runs. Each seed first draws which kinds of trouble there are at all and how much (a swarm: a bug that needs
 * calm links and crashes is not drowned by loss), then a plan of drains, faults and table changes, some of the faults
 * aimed at moments of the protocol. When the trouble ends everything must come into order within a bounded time.
 */
struct sl_sim_swarm_opts {
    uint32_t node_count, feed_count, dispatcher_count; /* 0 = drawn */
};

/* Draws the options of a run. */
void sl_sim_swarm_draw(struct sl_sim_opts *out, uint64_t seed, const struct sl_sim_swarm_opts *opts);
/* Makes the plan in a fresh cluster with those options, runs it, and lets it settle. False: a violation. */
bool sl_sim_swarm_run(struct sl_sim *sim, const struct sl_sim_swarm_opts *opts);

#endif
