/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_PROGRESS_H
#define SL_SIM_PROGRESS_H

#include "sim/sim.h"

/*
 * What "everything works" means, for conditions of scripts and for the end of a run with faults. Each says in why (room
 * for SL_SIM_WHY) what is missing when the answer is no.
 */
#define SL_SIM_WHY 320

/* Every table of every feed that should run is written by a live process that holds its lease, no span waits or moves,
 * and everything after mark is durable (SL_TS_NONE: whatever is). */
bool sl_sim_is_replicating(struct sl_sim *sim, sl_ts mark, char why[SL_SIM_WHY]);

/* No process of this id holds a maintainer, a dispatcher, or a reader. */
bool sl_sim_is_empty(struct sl_sim *sim, struct sl_str id, char why[SL_SIM_WHY]);

/* Every drain that was asked for has ended. */
bool sl_sim_drains_ended(struct sl_sim *sim, char why[SL_SIM_WHY]);

/* Spans per live node differ by at most one in each feed. */
bool sl_sim_is_balanced(struct sl_sim *sim, char why[SL_SIM_WHY]);

/* The stats of a feed's maintainer, where the coordinator knows it to be. False: it is not known. */
bool sl_sim_feed_stats(struct sl_sim *sim, uint32_t feed, struct sl_maintainer_stats *stats);

/*
 * Runs until the cluster is in order again or the time is over; then it is a PROGRESS violation. Call when the faults
 * have ended (sl_sim_faults_end).
 */
bool sl_sim_settle(struct sl_sim *sim, sl_ns within);

#endif
