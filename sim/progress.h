/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_PROGRESS_H
#define SL_SIM_PROGRESS_H

#include "sim/sim.h"

/*
 * What "everything works" means, for conditions of scripts. Each says in why (room for SL_SIM_WHY) what is missing when
 * the answer is no.
 */
#define SL_SIM_WHY 320

/* Every table of every feed that should run is written by a live process that holds its lease, and no span waits or
 * moves. */
bool sl_sim_is_replicating(struct sl_sim *sim, char why[SL_SIM_WHY]);

/* No process of this id holds a maintainer, a dispatcher, or a reader. */
bool sl_sim_is_empty(struct sl_sim *sim, struct sl_str id, char why[SL_SIM_WHY]);

/* Spans per live node differ by at most one in each feed. */
bool sl_sim_is_balanced(struct sl_sim *sim, char why[SL_SIM_WHY]);

/* Stats and epoch of the maintainer that works for a feed. False: there is none. */
bool sl_sim_feed_stats(struct sl_sim *sim, uint32_t feed, struct sl_maintainer_stats *stats, uint64_t *epoch);

#endif
