/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/check.h"

/*
 * Linear probing. The slot keeps the 32 bits of the hash that also choose the first slot, so that a rehash needs no
 * key and a search touches an object only when all 32 bits agree.
 *
 * Invariants:
 *   1. slot_count is 0 or a power of two; used * 4 <= slot_count * 3, so every search meets an empty slot.
 *   2. Between the first slot of a handle and its own slot there is no empty one.
 */
struct sl_map_slot {
    uint32_t hash, handle; /* handle 0: hash tells empty from deleted */
};

#define MAP_EMPTY 0u
#define MAP_DELETED 1u
#define MAP_SLOTS_MIN 8u
#define MAP_SLOTS_MAX (UINT32_C(1) << 31)

void sl_map_init(struct sl_map *m, struct sl_mem *mem, uint32_t tag, uint32_t count_max, sl_map_eq *eq, const void *ctx)
{
    SL_REQUIRE(eq != NULL);
    *m = (struct sl_map){ .mem = mem, .tag = tag, .count_max = count_max, .eq = eq, .ctx = ctx };
}

void sl_map_deinit(struct sl_map *m)
{
    sl_mem_free(m->mem, m->tag, m->slots, sl_map_bytes(m));
    sl_map_init(m, m->mem, m->tag, m->count_max, m->eq, m->ctx);
}

size_t sl_map_bytes(const struct sl_map *m)
{
    return m->slot_count * sizeof(struct sl_map_slot);
}

static uint32_t map_fold(uint64_t hash)
{
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

static bool map_is_empty(const struct sl_map_slot *slot)
{
    return slot->handle == 0 && slot->hash == MAP_EMPTY;
}

uint32_t sl_map_find(const struct sl_map *m, uint64_t hash, const void *key)
{
    if (m->count == 0)
        return 0;
    uint32_t folded = map_fold(hash), mask = m->slot_count - 1;
    for (uint32_t i = folded & mask;; i = (i + 1) & mask) {
        const struct sl_map_slot *slot = &m->slots[i];
        if (slot->handle != 0) {
            if (slot->hash == folded && m->eq(m->ctx, slot->handle, key))
                return slot->handle;
        } else if (slot->hash == MAP_EMPTY) {
            return 0;
        }
    }
}

/* The first slot without a handle on the way of this hash. There must be one. */
static struct sl_map_slot *map_vacancy(struct sl_map_slot *slots, uint32_t slot_count, uint32_t folded)
{
    uint32_t mask = slot_count - 1;
    uint32_t i = folded & mask;
    while (slots[i].handle != 0)
        i = (i + 1) & mask;
    return &slots[i];
}

/*
 * At most half full afterwards: at least a quarter of the slots can be used before the next rehash, which pays for
 * this one.
 */
static uint32_t map_slots_for(uint32_t count)
{
    uint32_t slot_count = MAP_SLOTS_MIN;
    while (slot_count < MAP_SLOTS_MAX && count > slot_count / 2)
        slot_count *= 2;
    return count > slot_count / 2 ? 0 : slot_count;
}

/* Moves everything to slots fit for one more entry; drops the deleted ones. False (unchanged) without memory. */
static bool map_rehash(struct sl_map *m)
{
    uint32_t slot_count = map_slots_for(m->count + 1);
    if (slot_count == 0)
        return false;
    struct sl_map_slot *slots = sl_mem_alloc(m->mem, m->tag, slot_count * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < m->slot_count; i++) {
        if (m->slots[i].handle != 0)
            *map_vacancy(slots, slot_count, m->slots[i].hash) = m->slots[i];
    }
    sl_mem_free(m->mem, m->tag, m->slots, sl_map_bytes(m));
    m->slots = slots;
    m->slot_count = slot_count;
    m->used = m->count;
    return true;
}

bool sl_map_add(struct sl_map *m, uint64_t hash, uint32_t handle)
{
    SL_REQUIRE(handle != 0);
    SL_REQUIRE(m->count <= m->used && m->used <= m->slot_count / 4 * 3);
    if (m->count >= m->count_max)
        return false;
    uint32_t folded = map_fold(hash);
    struct sl_map_slot *slot = m->slot_count > 0 ? map_vacancy(m->slots, m->slot_count, folded) : NULL;
    if (!slot || (map_is_empty(slot) && m->used + 1 > m->slot_count / 4 * 3)) {
        if (!map_rehash(m))
            return false;
        slot = map_vacancy(m->slots, m->slot_count, folded);
    }
    if (map_is_empty(slot))
        m->used++;
    *slot = (struct sl_map_slot){ .hash = folded, .handle = handle };
    m->count++;
    return true;
}

/* A deleted slot in front of an empty one keeps no search going: give it back, and those before it. */
static void map_vacate(struct sl_map *m, uint32_t i)
{
    uint32_t mask = m->slot_count - 1;
    m->slots[i] = (struct sl_map_slot){ .hash = MAP_DELETED };
    if (!map_is_empty(&m->slots[(i + 1) & mask]))
        return;
    while (m->slots[i].handle == 0 && m->slots[i].hash == MAP_DELETED) {
        m->slots[i].hash = MAP_EMPTY;
        m->used--;
        i = (i - 1) & mask;
    }
}

void sl_map_remove(struct sl_map *m, uint64_t hash, uint32_t handle)
{
    SL_REQUIRE(handle != 0 && m->count > 0);
    uint32_t folded = map_fold(hash), mask = m->slot_count - 1;
    uint32_t i = folded & mask;
    while (m->slots[i].handle != handle || m->slots[i].hash != folded) {
        SL_REQUIRE(!map_is_empty(&m->slots[i]));
        i = (i + 1) & mask;
    }
    map_vacate(m, i);
    m->count--;
}
