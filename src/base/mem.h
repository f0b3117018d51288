/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_MEM_H
#define SL_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The one source of heap memory: counts live bytes by tag and refuses beyond a budget. Single-threaded: each loop
 * owns one. Tags are small numbers named by the user of the allocator (base knows no domain).
 */
#define SL_MEM_TAGS_MAX 32

struct sl_mem_opts {
    size_t budget_bytes;          /* 0 = no limit */
    const char *const *tag_names; /* static, tag_count of them; for reports */
    uint32_t tag_count;           /* <= SL_MEM_TAGS_MAX */
};

struct sl_mem {
    struct sl_mem_opts opts;
    size_t live_bytes, peak_bytes;
    uint64_t calls;   /* allocations asked for so far */
    uint64_t fail_at; /* torture: the fail_at-th call from now on fails once; 0 = never */
    size_t tag_bytes[SL_MEM_TAGS_MAX];
};

void sl_mem_init(struct sl_mem *m, const struct sl_mem_opts *opts);

/* Requires that everything was freed: a leak is our bug. */
void sl_mem_deinit(struct sl_mem *m);

/*
 * Zeroed memory of size bytes (> 0), or NULL when the budget or the heap is exhausted. Freed with the same tag and
 * size.
 */
void *sl_mem_alloc(struct sl_mem *m, uint32_t tag, size_t size);

/*
 * Resizes; new bytes are zero. On NULL the old block is unchanged and still owned by the caller. ptr may be NULL
 * with old_size 0.
 */
void *sl_mem_resize(struct sl_mem *m, uint32_t tag, void *ptr, size_t old_size, size_t new_size);

/* ptr may be NULL (then size is ignored). */
void sl_mem_free(struct sl_mem *m, uint32_t tag, void *ptr, size_t size);

#endif
