/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"

#include "base/check.h"
#include "base/hash.h"

/* The algorithms are Blackman and Vigna's (xoshiro256**, splitmix64), both in the public domain. */

static uint64_t prng_rotate_left(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

/* splitmix64 is a bijection of its counter, so at most one of the four words is zero: the state is never all zero. */
void sl_prng_init(struct sl_prng *p, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        p->s[i] = sl_hash_mix(seed);
    }
}

uint64_t sl_prng_u64(struct sl_prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = prng_rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = prng_rotate_left(s[3], 45);
    return result;
}

/* Draws below 2^64 mod bound are thrown away: what remains is a whole number of runs of 0 .. bound-1. */
uint64_t sl_prng_below(struct sl_prng *p, uint64_t bound)
{
    SL_REQUIRE(bound > 0);
    uint64_t surplus = (0 - bound) % bound;
    uint64_t draw;
    do {
        draw = sl_prng_u64(p);
    } while (draw < surplus);
    return draw % bound;
}

int64_t sl_prng_between(struct sl_prng *p, int64_t low, int64_t high)
{
    SL_REQUIRE(low <= high);
    uint64_t distance = (uint64_t)high - (uint64_t)low;
    uint64_t step = distance == UINT64_MAX ? sl_prng_u64(p) : sl_prng_below(p, distance + 1);
    return (int64_t)((uint64_t)low + step);
}

bool sl_prng_chance(struct sl_prng *p, uint32_t numerator, uint32_t denominator)
{
    SL_REQUIRE(denominator > 0 && numerator <= denominator);
    return sl_prng_below(p, denominator) < numerator;
}

uint64_t sl_prng_at(uint64_t seed, uint64_t stream, uint64_t n)
{
    return sl_hash_u64x2(seed, stream, n);
}
