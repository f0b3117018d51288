/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_POISON_H
#define SL_BASE_POISON_H

#include <stddef.h>

/*
 * Memory that a pool holds but nobody owns. In AddressSanitizer builds a use of it is reported like a use after
 * free, which pools and arenas would otherwise hide; in other builds both calls are nothing. Ranges start and end
 * on 8 bytes.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SL_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SL_POISON 1
#endif
#endif

#ifdef SL_POISON
#include <sanitizer/asan_interface.h>
#include <string.h>

/* The filling makes a read of stale contents after the range is given out again visible, and the same on every run. */
static inline void sl_poison(void *ptr, size_t size)
{
    __asan_unpoison_memory_region(ptr, size); /* part of it may be poisoned already */
    memset(ptr, 0xdb, size);
    __asan_poison_memory_region(ptr, size);
}
static inline void sl_unpoison(void *ptr, size_t size)
{
    __asan_unpoison_memory_region(ptr, size);
}
#else
static inline void sl_poison(void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
}
static inline void sl_unpoison(void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
}
#endif

#endif
