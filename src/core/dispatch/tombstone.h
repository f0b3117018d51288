/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DISPATCH_TOMBSTONE_H
#define SL_CORE_DISPATCH_TOMBSTONE_H

#include "base/list.h"
#include "base/map.h"
#include "wire/ids.h"

/*
 * Feeds closed on this node, with the epoch that closed them: a bootstrap request that was on its way meanwhile must
 * not open the feed again. Bounded: the one written longest ago gives way. So a tombstone is a help, not the fence;
 * what fences is the owner epoch at the sink.
 */
struct sl_tombstones {
    struct sl_slab slab;
    struct sl_map index;
    struct sl_list order; /* written longest ago first */
    uint64_t seed;
};

void sl__tombstones_init(struct sl_tombstones *t, struct sl_mem *mem, uint32_t count_max, uint64_t seed);
void sl__tombstones_deinit(struct sl_tombstones *t);

/* Keeps the larger epoch if there is one already. Without memory another one gives way, or nothing is kept. */
void sl__tombstones_put(struct sl_tombstones *t, const struct sl_feed_id *feed, uint64_t epoch);
void sl__tombstones_forget(struct sl_tombstones *t, const struct sl_feed_id *feed);

/* Whether a bootstrap request of this epoch comes too late. Epoch 0 is older than any tombstone. */
bool sl__tombstones_refuse(const struct sl_tombstones *t, const struct sl_feed_id *feed, uint64_t epoch);

#endif
