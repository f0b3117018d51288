/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_HEAP_H
#define SL_BASE_HEAP_H

#include "base/mem.h"

#include <stdbool.h>

/*
 * 4-ary min-heap over (key, seq), a total order: equal keys come out in the order they went in, so the same calls
 * give the same result everywhere. Each entry carries a 32-bit value (a handle); "moved", if given, tells the owner
 * the entry's new position so that it can be updated or removed in O(log n); an entry that leaves by pop or remove
 * is told SL_HEAP_NOWHERE. Position 0 is valid. "moved" must not change the heap.
 */
#define SL_HEAP_NOWHERE UINT32_MAX

struct sl_heap_item {
    uint64_t key, seq;
    uint32_t value;
};

typedef void sl_heap_moved(void *ctx, uint32_t value, uint32_t position);

struct sl_heap {
    struct sl_mem *mem;
    struct sl_heap_item *items;
    sl_heap_moved *moved; /* may be NULL */
    void *ctx;
    uint64_t seq_next;
    uint32_t count, cap, count_max;
    uint32_t tag;
};

void sl_heap_init(struct sl_heap *h, struct sl_mem *mem, uint32_t tag, uint32_t count_max, sl_heap_moved *moved,
                  void *ctx);
void sl_heap_deinit(struct sl_heap *h);

/* False (heap unchanged) at count_max or without memory. */
bool sl_heap_push(struct sl_heap *h, uint64_t key, uint32_t value);
/* The smallest entry or NULL; valid until the next change. */
const struct sl_heap_item *sl_heap_peek(const struct sl_heap *h);
void sl_heap_pop(struct sl_heap *h);                                     /* must not be empty */
void sl_heap_update(struct sl_heap *h, uint32_t position, uint64_t key); /* keeps seq */
void sl_heap_remove(struct sl_heap *h, uint32_t position);
/* Makes room for count entries so that pushes up to it cannot fail; false over count_max or without memory. */
bool sl_heap_reserve(struct sl_heap *h, uint32_t count);
size_t sl_heap_bytes(const struct sl_heap *h);

#endif
