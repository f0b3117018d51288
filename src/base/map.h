/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_MAP_H
#define SL_BASE_MAP_H

#include "base/mem.h"

#include <stdbool.h>

/*
 * Index from key to a 32-bit handle (never 0): open addressing over {hash, handle}; the keys stay in the objects.
 * There is deliberately no iteration: the order of a hash table must not become behaviour.
 */
typedef bool sl_map_eq(const void *ctx, uint32_t handle, const void *key);

struct sl_map {
    struct sl_mem *mem;
    struct sl_map_slot *slots;
    sl_map_eq *eq;
    const void *ctx;
    uint32_t slot_count, count, used, count_max; /* used = live + tombstones */
    uint32_t tag;
};

/* Allocates nothing yet. ctx is passed to eq; both must outlive the map. */
void sl_map_init(struct sl_map *m, struct sl_mem *mem, uint32_t tag, uint32_t count_max, sl_map_eq *eq,
                 const void *ctx);
void sl_map_deinit(struct sl_map *m);

/* The handle, or 0. */
uint32_t sl_map_find(const struct sl_map *m, uint64_t hash, const void *key);

/* Adds a handle whose key is not in the map. False (map unchanged) at count_max or without memory. */
bool sl_map_add(struct sl_map *m, uint64_t hash, uint32_t handle);

/* Removes exactly this handle; it must be there under this hash. */
void sl_map_remove(struct sl_map *m, uint64_t hash, uint32_t handle);

size_t sl_map_bytes(const struct sl_map *m);

#endif
