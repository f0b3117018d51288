/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_LOOP_HANDLES_H
#define SL_EDGE_LOOP_HANDLES_H

#include <stdint.h>

/*
 * Names for objects that may be gone when the name is used: a name is (generation, slot) and never comes back, so a stale
 * one finds nothing instead of another object. The table owns no objects.
 */
struct sl_handles {
    struct sl_handle_slot *slots;
    uint32_t slot_count, slot_cap, count, count_max;
    uint32_t free_slot; /* 0 = none, else slot + 1 */
};

void sl_handles_init(struct sl_handles *h, uint32_t count_max);
void sl_handles_deinit(struct sl_handles *h); /* the objects are the owner's business */

/* The name of object (not null); 0 at count_max or without memory. */
uint64_t sl_handles_add(struct sl_handles *h, void *object);
void *sl_handles_get(const struct sl_handles *h, uint64_t name); /* a null pointer if it is gone */
void sl_handles_remove(struct sl_handles *h, uint64_t name);     /* must be there */

/* The live name after this one in slot order (0 = start), or 0 at the end. */
uint64_t sl_handles_next(const struct sl_handles *h, uint64_t name);

#endif
