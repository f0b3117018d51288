/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DISPATCH_FLOOR_H
#define SL_CORE_DISPATCH_FLOOR_H

#include "base/list.h"
#include "base/map.h"
#include "wire/ids.h"

/*
 * Placements that are over on this node, by dispatcher id: a Create of one of them that comes late (resent, or left
 * over in a stream that broke) must not bring the dispatcher to life again, behind its successor (invariant 1 of
 * docs/invariants.md; D3). Bounded: the one written longest ago gives way. So it is a help, not the fence; what fences
 * is the placement at the sink, and not every sink can.
 */
struct sl_floors {
    struct sl_slab slab;
    struct sl_map index;
    struct sl_list order; /* written longest ago first */
    uint64_t seed;
};

void sl__floors_init(struct sl_floors *f, struct sl_mem *mem, uint32_t count_max, uint64_t seed);
void sl__floors_deinit(struct sl_floors *f);

/*
 * The placement (epoch, seq) and all before it are over. seq 0 is not known, so nothing is kept. Without memory another
 * one gives way, or nothing is kept.
 */
void sl__floors_put(struct sl_floors *f, struct sl_dispatcher_id id, uint64_t epoch, uint64_t seq);

/* Whether a Create of this placement comes too late. seq 0: a foreign maintainer's, which reuses ids; never refused. */
bool sl__floors_refuse(const struct sl_floors *f, struct sl_dispatcher_id id, uint64_t epoch, uint64_t seq);

#endif
