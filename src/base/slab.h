/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_SLAB_H
#define SL_BASE_SLAB_H

#include "base/mem.h"

#include <stdbool.h>

/*
 * Objects of one size behind 32-bit handles. Pointers stay valid while the object lives (chunks never move);
 * handles are reused last freed first, so their order depends only on the sequence of calls,
 * never on addresses. Handle 0 is "none".
 */
struct sl_slab {
    struct sl_mem *mem;
    void **chunks;
    uint32_t item_bytes, chunk_count, chunk_cap;
    uint32_t count;      /* live objects */
    uint32_t high_water; /* handles ever used */
    uint32_t count_max;
    uint32_t free_head;
    uint32_t tag;
};

/*
 * item_bytes: size of the object, rounded up to 8 by the slab. count_max: hard limit of live objects. Allocates
 * nothing yet.
 */
void sl_slab_init(struct sl_slab *s, struct sl_mem *mem, uint32_t tag, size_t item_bytes, uint32_t count_max);
void sl_slab_deinit(struct sl_slab *s);

/* A zeroed object, its handle in *handle; NULL at count_max or without memory (then *handle is 0). */
void *sl_slab_new(struct sl_slab *s, uint32_t *handle);
void sl_slab_free(struct sl_slab *s, uint32_t handle);

/* The object of a live handle (checked in debug builds). */
void *sl_slab_at(const struct sl_slab *s, uint32_t handle);
bool sl_slab_is_live(const struct sl_slab *s, uint32_t handle);

/* The live handle after "handle" in handle order (0 = start), or 0 at the end. For rare full walks only. */
uint32_t sl_slab_next(const struct sl_slab *s, uint32_t handle);

/* Heap bytes held, all bookkeeping included. */
size_t sl_slab_bytes(const struct sl_slab *s);

#endif
