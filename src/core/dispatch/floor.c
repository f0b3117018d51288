/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/floor.h"

#include "base/hash.h"
#include "core/common/mem_tags.h"

struct floor {
    struct sl_dispatcher_id id;
    uint64_t epoch, seq;
    struct sl_link link;
};

#define FLOOR_LINK offsetof(struct floor, link)

static bool floor_is_of(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_floors *f = ctx;
    const struct floor *floor = sl_slab_at(&f->slab, handle);
    const struct sl_dispatcher_id *id = key;
    return sl_dispatcher_id_eq(floor->id, *id);
}

void sl__floors_init(struct sl_floors *f, struct sl_mem *mem, uint32_t count_max, uint64_t seed)
{
    *f = (struct sl_floors){ .seed = seed };
    sl_slab_init(&f->slab, mem, SL_TAG_ORCHESTRATOR, sizeof(struct floor), count_max);
    sl_map_init(&f->index, mem, SL_TAG_ORCHESTRATOR, count_max, floor_is_of, f);
}

void sl__floors_deinit(struct sl_floors *f)
{
    sl_map_deinit(&f->index);
    sl_slab_deinit(&f->slab);
}

static uint64_t floors_hash(const struct sl_floors *f, struct sl_dispatcher_id id)
{
    return sl_hash_u64x2(f->seed, id.high, id.low);
}

static uint32_t floors_find(const struct sl_floors *f, struct sl_dispatcher_id id)
{
    return sl_map_find(&f->index, floors_hash(f, id), &id);
}

static void floors_free(struct sl_floors *f, uint32_t handle)
{
    const struct floor *floor = sl_slab_at(&f->slab, handle);
    sl_map_remove(&f->index, floors_hash(f, floor->id), handle);
    sl_list_remove(&f->order, &f->slab, FLOOR_LINK, handle);
    sl_slab_free(&f->slab, handle);
}

static bool floors_add(struct sl_floors *f, const struct floor *wanted)
{
    uint32_t handle = 0;
    struct floor *floor = sl_slab_new(&f->slab, &handle);
    if (!floor)
        return false;
    *floor = *wanted;
    if (!sl_map_add(&f->index, floors_hash(f, floor->id), handle)) {
        sl_slab_free(&f->slab, handle);
        return false;
    }
    sl_list_push_back(&f->order, &f->slab, FLOOR_LINK, handle);
    return true;
}

static bool floor_is_after(const struct floor *floor, uint64_t epoch, uint64_t seq)
{
    return floor->epoch != epoch ? floor->epoch > epoch : floor->seq >= seq;
}

void sl__floors_put(struct sl_floors *f, struct sl_dispatcher_id id, uint64_t epoch, uint64_t seq)
{
    if (seq == 0)
        return;
    uint32_t handle = floors_find(f, id);
    if (handle != 0) {
        if (floor_is_after(sl_slab_at(&f->slab, handle), epoch, seq))
            return;
        floors_free(f, handle);
    }
    const struct floor wanted = { .id = id, .epoch = epoch, .seq = seq };
    if (!floors_add(f, &wanted) && f->order.count > 0) {
        floors_free(f, f->order.head);
        (void)floors_add(f, &wanted);
    }
}

bool sl__floors_refuse(const struct sl_floors *f, struct sl_dispatcher_id id, uint64_t epoch, uint64_t seq)
{
    uint32_t handle = seq != 0 ? floors_find(f, id) : 0;
    return handle != 0 && floor_is_after(sl_slab_at(&f->slab, handle), epoch, seq);
}
