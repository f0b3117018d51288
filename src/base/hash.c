/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

/* 2^64 / golden ratio, odd: keeps an all-zero state from staying zero. */
#define HASH_STEP UINT64_C(0x9e3779b97f4a7c15)

static uint64_t hash_begin(uint64_t seed)
{
    return sl_hash_mix(seed + HASH_STEP);
}

/* Chained like a block cipher in CBC mode: each word meets a state that depends on the seed and all words before. */
static uint64_t hash_add(uint64_t state, uint64_t word)
{
    return sl_hash_mix((state ^ word) + HASH_STEP);
}

/* Least significant byte first whatever the machine, missing bytes are zero. */
static uint64_t hash_load(const uint8_t *bytes, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

uint64_t sl_hash_bytes(uint64_t seed, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    /* The length comes first, so that zero bytes at the end count. */
    uint64_t state = hash_add(hash_begin(seed), len);
    for (; len >= 8; len -= 8, bytes += 8)
        state = hash_add(state, hash_load(bytes, 8));
    return len > 0 ? hash_add(state, hash_load(bytes, len)) : state;
}

uint64_t sl_hash_u64(uint64_t seed, uint64_t a)
{
    return hash_add(hash_begin(seed), a);
}

uint64_t sl_hash_u64x2(uint64_t seed, uint64_t a, uint64_t b)
{
    return hash_add(sl_hash_u64(seed, a), b);
}
