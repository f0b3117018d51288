/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DRAIN_LIVENESS_H
#define SL_CORE_DRAIN_LIVENESS_H

#include "proto/heartbeat.pb-c.h"

#include <stdbool.h>

/*
 * A node's liveness: ALIVE -> DRAINING -> STOPPING, one step at a time, no return within one node epoch
 * (docs/invariants.md I5).
 *
 *   ALIVE ----> DRAINING ----> STOPPING
 *
 * ALIVE     takes any work, campaigns.
 * DRAINING  takes maintainers still (moves in flight must converge), no new spans, does not campaign.
 * STOPPING  takes nothing; reached only when nothing is hosted, unless the node fences itself.
 */
#define SL_LIVENESS_STATES(X)                           \
    X(ALIVE, 1u << SL_LIVENESS_DRAINING, "alive")       \
    X(DRAINING, 1u << SL_LIVENESS_STOPPING, "draining") \
    X(STOPPING, 0u, "stopping")

enum sl_liveness {
    SL_LIVENESS_ALIVE = 0,
    SL_LIVENESS_DRAINING = 1,
    SL_LIVENESS_STOPPING = 2,
};

/* Moves *state to wanted if that is one legal step; true if it changed. Anything else, values out of range included,
 * changes nothing. */
bool sl_liveness_step(enum sl_liveness *state, int wanted);
const char *sl_liveness_name(int liveness); /* "unknown" for values out of range */
Pb__NodeLiveness sl_liveness_pb(enum sl_liveness l);

#endif
