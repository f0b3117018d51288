/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_HASH_H
#define SL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Bijective: every input bit reaches every output bit. The finisher of all hashes here and the step of splitmix64. */
static inline uint64_t sl_hash_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/*
 * Keyed 64-bit hashes for tables whose keys come from peers (seed = given at init) and for run digests (seed =
 * chain). Not for security. The result is the same on every machine.
 */
uint64_t sl_hash_bytes(uint64_t seed, const void *data, size_t len);
uint64_t sl_hash_u64(uint64_t seed, uint64_t a);
uint64_t sl_hash_u64x2(uint64_t seed, uint64_t a, uint64_t b);

#endif
