/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_TOMBSTONE_H
#define SL_CORE_COMMON_TOMBSTONE_H

#include "base/list.h"
#include "base/map.h"
#include "wire/ids.h"

/*
 * Feeds that are over on this node, with the last epoch that is: a request that was on its way meanwhile, or comes a
 * second time, must not bring one to life again. For dispatch managers (bootstrap requests) and for the maintainer
 * manager (Adds). Bounded: the one written longest ago gives way. So a tombstone is a help, not the fence; what fences
 * is the owner epoch at the sink.
 */
struct sl_tombstones {
    struct sl_slab slab;
    struct sl_map index;
    struct sl_list order; /* written longest ago first */
    uint64_t seed;
};

void sl_tombstones_init(struct sl_tombstones *t, struct sl_mem *mem, uint32_t count_max, uint64_t seed);
void sl_tombstones_deinit(struct sl_tombstones *t);

/* Keeps the larger epoch if there is one already. Without memory another one gives way, or nothing is kept. */
void sl_tombstones_put(struct sl_tombstones *t, const struct sl_feed_id *feed, uint64_t epoch);
void sl_tombstones_forget(struct sl_tombstones *t, const struct sl_feed_id *feed);

/* Whether a request of this epoch comes too late. Epoch 0 is older than any tombstone. */
bool sl_tombstones_refuse(const struct sl_tombstones *t, const struct sl_feed_id *feed, uint64_t epoch);

#endif
