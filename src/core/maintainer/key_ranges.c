/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/key_ranges.h"

#include "core/common/mem_tags.h"

#include <string.h>

struct key_range {
    uint8_t *keys; /* start, then end */
    uint32_t start_bytes, end_bytes;
};

void sl_key_ranges_init(struct sl_key_ranges *r, struct sl_mem *mem, uint32_t count_max)
{
    *r = (struct sl_key_ranges){ 0 };
    sl_slab_init(&r->slab, mem, SL_TAG_SPANS, sizeof(struct key_range), count_max);
}

void sl_key_ranges_deinit(struct sl_key_ranges *r)
{
    for (uint32_t handle = 0; (handle = sl_slab_next(&r->slab, handle)) != 0;)
        sl_key_ranges_drop(r, handle);
    sl_slab_deinit(&r->slab);
}

enum sl_code sl_key_ranges_add(struct sl_key_ranges *r, struct sl_bytes start, struct sl_bytes end, uint32_t *handle)
{
    *handle = 0;
    if (start.len == 0 && end.len == 0)
        return SL_OK;
    if (start.len > SL_KEY_BYTES_MAX || end.len > SL_KEY_BYTES_MAX - start.len || r->slab.count == r->slab.count_max)
        return SL_LIMIT;
    uint8_t *keys = sl_mem_alloc(r->slab.mem, SL_TAG_SPANS, start.len + end.len);
    struct key_range *range = keys ? sl_slab_new(&r->slab, handle) : NULL;
    if (!range) {
        sl_mem_free(r->slab.mem, SL_TAG_SPANS, keys, start.len + end.len);
        return SL_NOMEM;
    }
    *range = (struct key_range){ .keys = keys, .start_bytes = (uint32_t)start.len, .end_bytes = (uint32_t)end.len };
    if (start.len > 0)
        memcpy(keys, start.ptr, start.len);
    if (end.len > 0)
        memcpy(keys + start.len, end.ptr, end.len);
    r->key_bytes += start.len + end.len;
    return SL_OK;
}

void sl_key_ranges_drop(struct sl_key_ranges *r, uint32_t handle)
{
    if (handle == 0)
        return;
    struct key_range *range = sl_slab_at(&r->slab, handle);
    size_t bytes = (size_t)range->start_bytes + range->end_bytes;
    sl_mem_free(r->slab.mem, SL_TAG_SPANS, range->keys, bytes);
    r->key_bytes -= bytes;
    sl_slab_free(&r->slab, handle);
}

struct sl_bytes sl_key_ranges_start(const struct sl_key_ranges *r, uint32_t handle)
{
    if (handle == 0)
        return (struct sl_bytes){ 0 };
    const struct key_range *range = sl_slab_at(&r->slab, handle);
    return (struct sl_bytes){ .ptr = range->keys, .len = range->start_bytes };
}

struct sl_bytes sl_key_ranges_end(const struct sl_key_ranges *r, uint32_t handle)
{
    if (handle == 0)
        return (struct sl_bytes){ 0 };
    const struct key_range *range = sl_slab_at(&r->slab, handle);
    return (struct sl_bytes){ .ptr = range->keys + range->start_bytes, .len = range->end_bytes };
}

/* Whether a range that ends at "end" reaches beyond the key that another one starts with. */
static bool range_reaches(struct sl_bytes end, struct sl_bytes start)
{
    if (end.len == 0)
        return true;
    size_t common = end.len < start.len ? end.len : start.len;
    int order = common > 0 ? memcmp(end.ptr, start.ptr, common) : 0;
    return order != 0 ? order > 0 : end.len > start.len;
}

bool sl_key_ranges_overlap(const struct sl_key_ranges *r, uint32_t handle, struct sl_bytes start, struct sl_bytes end)
{
    return range_reaches(sl_key_ranges_end(r, handle), start) && range_reaches(end, sl_key_ranges_start(r, handle));
}

size_t sl_key_ranges_bytes(const struct sl_key_ranges *r)
{
    return sl_slab_bytes(&r->slab) + r->key_bytes;
}
