/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_KEY_RANGES_H
#define SL_CORE_MAINTAINER_KEY_RANGES_H

#include "base/err.h"
#include "base/slab.h"
#include "core/common/data_plane.h"

/*
 * Key ranges of spans that are not whole tables, kept outside the spans: whole tables, which are nearly all, pay four
 * bytes for the handle and nothing else. A range is [start, end) in byte order; an empty end has no bound. Handle 0 is
 * the whole table. Private to src/core/maintainer.
 */
struct sl_key_ranges {
    struct sl_slab slab;
    size_t key_bytes; /* held beside the slab */
};

#define SL_KEY_BYTES_MAX 16384u /* both keys of one range together */

void sl_key_ranges_init(struct sl_key_ranges *r, struct sl_mem *mem, uint32_t count_max);
void sl_key_ranges_deinit(struct sl_key_ranges *r);

/* Copies both keys; *handle is 0 when both are empty. SL_LIMIT (too long, too many) and SL_NOMEM leave it 0. */
SL_CHECKED enum sl_code sl_key_ranges_add(struct sl_key_ranges *r, struct sl_bytes start, struct sl_bytes end,
                                          uint32_t *handle);
void sl_key_ranges_drop(struct sl_key_ranges *r, uint32_t handle); /* 0 allowed */

/* Views valid until the range is dropped; both empty for handle 0. */
struct sl_bytes sl_key_ranges_start(const struct sl_key_ranges *r, uint32_t handle);
struct sl_bytes sl_key_ranges_end(const struct sl_key_ranges *r, uint32_t handle);

/* Whether the range of a handle and [start, end) have a key in common. */
bool sl_key_ranges_overlap(const struct sl_key_ranges *r, uint32_t handle, struct sl_bytes start, struct sl_bytes end);
size_t sl_key_ranges_bytes(const struct sl_key_ranges *r);

#endif
