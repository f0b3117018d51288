/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_ARENA_H
#define SL_BASE_ARENA_H

#include "base/mem.h"

/*
 * Bump allocation with a hard cap, for data that dies together (one decoded message, one step's outputs). Pointers
 * stay valid until sl_arena_reset. Chunks are kept over a reset (up to 1 MiB of them), so a warm arena does not
 * allocate.
 */
struct sl_arena {
    struct sl_mem *mem;
    struct sl_arena_chunk *first, *current;
    size_t used_bytes, bytes_max;
    uint32_t tag;
};

/* Allocates nothing yet. bytes_max bounds the sum of all live allocations, each rounded up to 16 (as is bytes_max). */
void sl_arena_init(struct sl_arena *a, struct sl_mem *mem, uint32_t tag, size_t bytes_max);
void sl_arena_deinit(struct sl_arena *a);

/* 16-byte aligned, not zeroed; NULL over the cap or without memory. size 0 gives a valid unique pointer. */
void *sl_arena_alloc(struct sl_arena *a, size_t size);

/* Makes everything invalid, keeps the chunks up to 1 MiB in sum. */
void sl_arena_reset(struct sl_arena *a);

#endif
