/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_PRNG_H
#define SL_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

/* Small deterministic generator (xoshiro256**, seeded by splitmix64). Same seed, same sequence, on every machine. */
struct sl_prng {
    uint64_t s[4];
};

void sl_prng_init(struct sl_prng *p, uint64_t seed);
uint64_t sl_prng_u64(struct sl_prng *p);
uint64_t sl_prng_below(struct sl_prng *p, uint64_t bound);             /* 0 .. bound-1, unbiased; bound > 0 */
int64_t sl_prng_between(struct sl_prng *p, int64_t low, int64_t high); /* inclusive */
bool sl_prng_chance(struct sl_prng *p, uint32_t numerator, uint32_t denominator);

/*
 * Counter-based choice: the same (seed, stream, n) gives the same value whatever else was drawn, so that removing
 * one fault does not shift the others.
 */
uint64_t sl_prng_at(uint64_t seed, uint64_t stream, uint64_t n);

#endif
