/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/tombstone.h"

#include "core/common/mem_tags.h"

struct tombstone {
    struct sl_feed_id feed;
    uint64_t epoch;
    struct sl_link link;
};

#define TOMBSTONE_LINK offsetof(struct tombstone, link)

static bool tombstone_is_of(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_tombstones *t = ctx;
    const struct tombstone *stone = sl_slab_at(&t->slab, handle);
    return sl_feed_id_eq(&stone->feed, key);
}

void sl_tombstones_init(struct sl_tombstones *t, struct sl_mem *mem, uint32_t count_max, uint64_t seed)
{
    *t = (struct sl_tombstones){ .seed = seed };
    sl_slab_init(&t->slab, mem, SL_TAG_ORCHESTRATOR, sizeof(struct tombstone), count_max);
    sl_map_init(&t->index, mem, SL_TAG_ORCHESTRATOR, count_max, tombstone_is_of, t);
}

void sl_tombstones_deinit(struct sl_tombstones *t)
{
    sl_map_deinit(&t->index);
    sl_slab_deinit(&t->slab);
}

static uint32_t tombstones_find(const struct sl_tombstones *t, const struct sl_feed_id *feed)
{
    return sl_map_find(&t->index, sl_feed_id_hash(t->seed, feed), feed);
}

static void tombstones_free(struct sl_tombstones *t, uint32_t handle)
{
    const struct tombstone *stone = sl_slab_at(&t->slab, handle);
    sl_map_remove(&t->index, sl_feed_id_hash(t->seed, &stone->feed), handle);
    sl_list_remove(&t->order, &t->slab, TOMBSTONE_LINK, handle);
    sl_slab_free(&t->slab, handle);
}

static bool tombstones_add(struct sl_tombstones *t, const struct sl_feed_id *feed, uint64_t epoch)
{
    uint32_t handle = 0;
    struct tombstone *stone = sl_slab_new(&t->slab, &handle);
    if (!stone)
        return false;
    stone->feed = *feed;
    stone->epoch = epoch;
    if (!sl_map_add(&t->index, sl_feed_id_hash(t->seed, feed), handle)) {
        sl_slab_free(&t->slab, handle);
        return false;
    }
    sl_list_push_back(&t->order, &t->slab, TOMBSTONE_LINK, handle);
    return true;
}

void sl_tombstones_put(struct sl_tombstones *t, const struct sl_feed_id *feed, uint64_t epoch)
{
    uint32_t handle = tombstones_find(t, feed);
    if (handle != 0) {
        struct tombstone *old = sl_slab_at(&t->slab, handle);
        old->epoch = old->epoch > epoch ? old->epoch : epoch;
        sl_list_remove(&t->order, &t->slab, TOMBSTONE_LINK, handle);
        sl_list_push_back(&t->order, &t->slab, TOMBSTONE_LINK, handle);
        return;
    }
    if (!tombstones_add(t, feed, epoch) && t->order.count > 0) {
        tombstones_free(t, t->order.head);
        (void)tombstones_add(t, feed, epoch);
    }
}

void sl_tombstones_forget(struct sl_tombstones *t, const struct sl_feed_id *feed)
{
    uint32_t handle = tombstones_find(t, feed);
    if (handle != 0)
        tombstones_free(t, handle);
}

bool sl_tombstones_refuse(const struct sl_tombstones *t, const struct sl_feed_id *feed, uint64_t epoch)
{
    uint32_t handle = tombstones_find(t, feed);
    if (handle == 0)
        return false;
    const struct tombstone *stone = sl_slab_at(&t->slab, handle);
    return epoch <= stone->epoch; /* holds for 0 too */
}
