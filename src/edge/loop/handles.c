/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/handles.h"

#include "base/check.h"

#include <stdlib.h>

struct sl_handle_slot {
    void *object; /* null: free */
    uint32_t generation;
    uint32_t free_next;
};

static uint64_t handles_name(const struct sl_handles *h, uint32_t slot)
{
    return (uint64_t)h->slots[slot].generation << 32 | slot;
}

void sl_handles_init(struct sl_handles *h, uint32_t count_max)
{
    *h = (struct sl_handles){ .count_max = count_max };
}

void sl_handles_deinit(struct sl_handles *h)
{
    free(h->slots);
    *h = (struct sl_handles){ 0 };
}

static bool handles_grow(struct sl_handles *h)
{
    uint32_t cap = h->slot_cap == 0 ? 8 : h->slot_cap * 2;
    struct sl_handle_slot *slots = realloc(h->slots, cap * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    h->slots = slots;
    h->slot_cap = cap;
    return true;
}

uint64_t sl_handles_add(struct sl_handles *h, void *object)
{
    SL_REQUIRE(object != NULL);
    if (h->count == h->count_max) {
        return 0;
    }
    uint32_t slot;
    if (h->free_slot != 0) {
        slot = h->free_slot - 1;
        h->free_slot = h->slots[slot].free_next;
    } else {
        if (h->slot_count == h->slot_cap && !handles_grow(h)) {
            return 0;
        }
        slot = h->slot_count++;
        h->slots[slot].generation = 0;
    }
    h->slots[slot].object = object;
    h->slots[slot].generation++;
    h->count++;
    return handles_name(h, slot);
}

void *sl_handles_get(const struct sl_handles *h, uint64_t name)
{
    uint32_t slot = (uint32_t)name;
    if (slot >= h->slot_count || h->slots[slot].generation != (uint32_t)(name >> 32)) {
        return NULL;
    }
    return h->slots[slot].object;
}

void sl_handles_remove(struct sl_handles *h, uint64_t name)
{
    uint32_t slot = (uint32_t)name;
    SL_REQUIRE(sl_handles_get(h, name) != NULL);
    h->slots[slot].object = NULL;
    h->count--;
    /* A slot whose generations are used up is never given out again: its names must not come back. */
    if (h->slots[slot].generation != UINT32_MAX) {
        h->slots[slot].free_next = h->free_slot;
        h->free_slot = slot + 1;
    }
}

uint64_t sl_handles_next(const struct sl_handles *h, uint64_t name)
{
    for (uint32_t slot = name == 0 ? 0 : (uint32_t)name + 1; slot < h->slot_count; slot++) {
        if (h->slots[slot].object != NULL) {
            return handles_name(h, slot);
        }
    }
    return 0;
}
