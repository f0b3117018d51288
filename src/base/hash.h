/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_HASH_H
#define SL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Keyed 64-bit hashes for tables whose keys come from peers (seed = given at init) and for run digests (seed = chain). Not for security. */
uint64_t sl_hash_bytes(uint64_t seed, const void *data, size_t len);
uint64_t sl_hash_u64(uint64_t seed, uint64_t a);
uint64_t sl_hash_u64x2(uint64_t seed, uint64_t a, uint64_t b);

#endif
