/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include "base/hash.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK_PLACES_MAX 64

static atomic_uint_fast64_t check_failure_count;
static atomic_uint_fast64_t check_places[CHECK_PLACES_MAX]; /* 0 = unused */

void sl_check_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "sluice: bug: %s at %s:%d\n", cond, file, line);
    abort();
}

/* Whether this place fails for the first time. A full table answers no: a flood of lines would help nobody. */
static bool check_is_new_place(const char *file, int line)
{
    uint_fast64_t key = sl_hash_u64x2(1, (uint64_t)(uintptr_t)file, (uint64_t)line) | 1;
    for (size_t i = 0; i < CHECK_PLACES_MAX; i++) {
        uint_fast64_t seen = 0;
        if (atomic_compare_exchange_strong(&check_places[i], &seen, key))
            return true;
        if (seen == key)
            return false;
    }
    return false;
}

bool sl_check_counted(const char *cond, const char *file, int line)
{
    atomic_fetch_add(&check_failure_count, 1);
    if (check_is_new_place(file, line))
        fprintf(stderr, "sluice: bug (survived): %s at %s:%d\n", cond, file, line);
    return false;
}

uint64_t sl_check_failures(void)
{
    return atomic_load(&check_failure_count);
}
