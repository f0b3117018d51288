/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DRAIN_LIVENESS_H
#define SL_CORE_DRAIN_LIVENESS_H

#include "proto/heartbeat.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A node's liveness: ALIVE -> DRAINING -> STOPPING, one step at a time, no return within one node epoch
 * (docs/invariants.md I5). The way back is another life: a new node epoch, which begins ALIVE. Whoever spoke to the old one
 * is not heard by the new one.
 *
 *   ALIVE ----> DRAINING ----> STOPPING
 *     ^            |
 *     +------------+  sl_liveness_begin_life: node epoch + 1
 *
 * ALIVE     takes any work, campaigns.
 * DRAINING  takes maintainers still (moves in flight must converge), no new spans, does not campaign.
 * STOPPING  takes nothing; reached only when nothing is hosted, unless the node fences itself.
 *
 * What another node may trust of it, with the node epoch that came with it: ALIVE nothing, it may have changed since.
 * DRAINING that it never again takes a span or campaigns in this epoch. STOPPING that it has nothing and takes nothing, for
 * as long as the process lives; unless it fenced itself, but then it has lost its lease and is no member.
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
/* Undrain: the node epoch grows by one and its life begins ALIVE; from ALIVE as well, so that what was asked of the old
 * epoch comes too late. False and nothing changed when STOPPING, which is final, or when no epoch is left. */
bool sl_liveness_begin_life(enum sl_liveness *state, uint64_t *node_epoch);
const char *sl_liveness_name(int liveness); /* "unknown" for values out of range */
Pb__NodeLiveness sl_liveness_pb(enum sl_liveness l);

#endif
