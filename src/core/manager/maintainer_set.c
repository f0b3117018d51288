/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/hash.h"
#include "core/common/mem_tags.h"
#include "core/manager/manager_internal.h"

#include <stddef.h>

#define SET_TOMBSTONES_MAX 4096u
#define SET_SCRATCH_BYTES_MAX ((size_t)64 << 20)
#define SET_LINK offsetof(struct sl__entry, link)

static bool set_has_feed(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_manager *m = ctx;
    return sl_feed_id_eq(sl_maintainer_feed(sl__set_entry(m, handle)->maintainer), key);
}

static void set_moved_in_heap(void *ctx, uint32_t handle, uint32_t position)
{
    struct sl_manager *m = ctx;
    sl__set_entry(m, handle)->heap_position = position;
}

static uint64_t set_hash(const struct sl_manager *m, const struct sl_feed_id *id)
{
    return sl_feed_id_hash(m->opts.seed, id);
}

void sl__set_init(struct sl_manager *m, sl_ns now)
{
    struct sl__set *s = &m->set;
    struct sl_mem *mem = m->opts.mem;
    uint32_t count_max = m->opts.feed_count_max;
    sl_slab_init(&s->entries, mem, SL_TAG_MANAGER, sizeof(struct sl__entry), count_max);
    sl_map_init(&s->by_feed, mem, SL_TAG_MANAGER, count_max, set_has_feed, m);
    sl_heap_init(&s->due, mem, SL_TAG_MANAGER, count_max, set_moved_in_heap, m);
    sl_tombstones_init(&s->over, mem, SET_TOMBSTONES_MAX, m->opts.seed);
    sl_arena_init(&s->scratch, mem, SL_TAG_MANAGER, SET_SCRATCH_BYTES_MAX);
    s->reported_at = now;
    s->report_at = sl_ns_after(now, m->opts.tick_ns);
}

void sl__set_deinit(struct sl_manager *m)
{
    struct sl__set *s = &m->set;
    for (uint32_t h = sl__set_next(m, 0); h != 0; h = sl__set_next(m, h))
        sl_maintainer_free(sl__set_entry(m, h)->maintainer);
    sl_arena_deinit(&s->scratch);
    sl_tombstones_deinit(&s->over);
    sl_heap_deinit(&s->due);
    sl_map_deinit(&s->by_feed);
    sl_slab_deinit(&s->entries);
}

uint32_t sl__set_find(const struct sl_manager *m, const struct sl_feed_id *id)
{
    return sl_map_find(&m->set.by_feed, set_hash(m, id), id);
}

struct sl__entry *sl__set_entry(const struct sl_manager *m, uint32_t handle)
{
    return sl_slab_at(&m->set.entries, handle);
}

uint32_t sl__set_next(const struct sl_manager *m, uint32_t handle)
{
    return handle == 0 ? m->set.order.head : sl_list_next(&m->set.entries, SET_LINK, handle);
}

/* ---- registration ---- */

void sl__set_note_members_read(struct sl_manager *m, struct sl__entry *e)
{
    m->set.unread_count -= e->members_read == SL__MEMBERS_UNREAD;
    m->set.reading_count -= e->members_read != SL__MEMBERS_UNREAD && e->members_read != SL__MEMBERS_READ;
    e->members_read = SL__MEMBERS_READ;
}

static void set_want_members_read(struct sl_manager *m, struct sl__entry *e)
{
    sl__set_note_members_read(m, e);
    if (!m->opts.reads_members)
        return;
    e->members_read = SL__MEMBERS_UNREAD;
    m->set.unread_count++;
}

uint32_t sl__set_register(struct sl_manager *m, struct sl_maintainer *maintainer)
{
    struct sl__set *s = &m->set;
    uint32_t handle;
    SL_REQUIRE(sl__set_find(m, sl_maintainer_feed(maintainer)) == 0);
    if (!sl_heap_reserve(&s->due, s->due.count + 1))
        return 0;
    struct sl__entry *e = sl_slab_new(&s->entries, &handle);
    if (!e)
        return 0;
    e->maintainer = maintainer;
    if (!sl_map_add(&s->by_feed, set_hash(m, sl_maintainer_feed(maintainer)), handle)) {
        sl_slab_free(&s->entries, handle);
        return 0;
    }
    sl_list_push_back(&s->order, &s->entries, SET_LINK, handle);
    SL_REQUIRE(sl_heap_push(&s->due, (uint64_t)SL_NEVER, handle));
    set_want_members_read(m, e);
    return handle;
}

void sl__set_seed(struct sl_manager *m, uint32_t handle, struct sl_outbox *out)
{
    sl_maintainer_set_targets(sl__set_entry(m, handle)->maintainer, m->now, &m->scope.targets, out);
    sl__set_refresh(m, handle);
}

void sl__set_start(struct sl_manager *m, uint32_t handle, struct sl_outbox *out)
{
    sl_maintainer_start(sl__set_entry(m, handle)->maintainer, m->now, out);
    sl__set_refresh(m, handle);
}

void sl__set_replace(struct sl_manager *m, uint32_t handle, struct sl_maintainer *successor)
{
    struct sl__entry *e = sl__set_entry(m, handle);
    SL_REQUIRE(sl_maintainer_is_closed(e->maintainer));
    SL_REQUIRE(sl_feed_id_eq(sl_maintainer_feed(e->maintainer), sl_maintainer_feed(successor)));
    sl_maintainer_free(e->maintainer);
    e->maintainer = successor;
    set_want_members_read(m, e);
    sl__set_refresh(m, handle);
}

/* In the epoch-less mode the next maintainer has epoch 0 too. */
void sl__set_bury(struct sl_manager *m, const struct sl_feed_id *id, uint64_t epoch)
{
    if (epoch != 0)
        sl_tombstones_put(&m->set.over, id, epoch);
}

static void set_forget(struct sl_manager *m, uint32_t handle, struct sl_outbox *out)
{
    struct sl__set *s = &m->set;
    struct sl__entry *e = sl__set_entry(m, handle);
    const struct sl_feed_id *id = sl_maintainer_feed(e->maintainer);
    sl_out_event(out, SL_EV_MAINTAINER_CLOSED, sl_f_str("feed", sl_feed_id_name(id)),
                 sl_f_u64("epoch", sl_maintainer_epoch(e->maintainer)));
    sl__set_bury(m, id, sl_maintainer_epoch(e->maintainer));
    sl_map_remove(&s->by_feed, set_hash(m, id), handle);
    sl_list_remove(&s->order, &s->entries, SET_LINK, handle);
    sl_heap_remove(&s->due, e->heap_position);
    s->closed_count -= e->is_closed;
    sl__set_note_members_read(m, e);
    sl_maintainer_free(e->maintainer);
    sl_slab_free(&s->entries, handle);
}

void sl__set_forget_closed(struct sl_manager *m, struct sl_outbox *out)
{
    for (uint32_t h = sl__set_next(m, 0), next; h != 0; h = next) {
        next = sl__set_next(m, h);
        if (sl_maintainer_is_forgettable(sl__set_entry(m, h)->maintainer))
            set_forget(m, h, out);
    }
}

/* ---- deadlines and fan-out ---- */

static uint64_t set_key(sl_ns deadline)
{
    return deadline > 0 ? (uint64_t)deadline : 0;
}

static void set_refresh_not_before(struct sl_manager *m, uint32_t handle, sl_ns earliest)
{
    struct sl__set *s = &m->set;
    struct sl__entry *e = sl__set_entry(m, handle);
    sl_ns deadline = sl_maintainer_deadline(e->maintainer);
    sl_heap_update(&s->due, e->heap_position, set_key(deadline > earliest ? deadline : earliest));
    bool is_closed = sl_maintainer_is_closed(e->maintainer);
    s->closed_count += (uint32_t)is_closed - (uint32_t)e->is_closed;
    e->is_closed = is_closed;
    if (sl_maintainer_take_prompt(e->maintainer))
        sl__report_prompt(m);
}

void sl__set_refresh(struct sl_manager *m, uint32_t handle)
{
    set_refresh_not_before(m, handle, 0);
}

void sl__set_fan_out_target(struct sl_manager *m, struct sl_outbox *out)
{
    for (uint32_t h = sl__set_next(m, 0); h != 0; h = sl__set_next(m, h))
        sl__set_seed(m, h, out);
}

void sl__set_fan_out_members(struct sl_manager *m, const struct sl_members_change *change, struct sl_outbox *out)
{
    for (uint32_t h = sl__set_next(m, 0); h != 0; h = sl__set_next(m, h)) {
        sl_maintainer_on_members(sl__set_entry(m, h)->maintainer, m->now, change, out);
        sl__set_refresh(m, h);
    }
}

/* A maintainer may want its next tick at once; it gets it in the next step, so that none can hold this one for ever. */
void sl__set_run(struct sl_manager *m, struct sl_outbox *out)
{
    for (;;) {
        const struct sl_heap_item *first = sl_heap_peek(&m->set.due);
        if (!first || first->key > set_key(m->now))
            return;
        uint32_t handle = first->value;
        sl_maintainer_on_tick(sl__set_entry(m, handle)->maintainer, m->now, out);
        set_refresh_not_before(m, handle, sl_ns_after(m->now, 1));
    }
}

sl_ns sl__set_deadline(const struct sl_manager *m)
{
    const struct sl_heap_item *first = sl_heap_peek(&m->set.due);
    return first ? (sl_ns)first->key : SL_NEVER;
}

/* ---- invariants ---- */

static bool set_is_seeded(const struct sl_manager *m)
{
    for (uint32_t h = sl__set_next(m, 0); h != 0; h = sl__set_next(m, h)) {
        if (!sl_target_set_is_same(sl_maintainer_targets(sl__set_entry(m, h)->maintainer), &m->scope.targets))
            return false;
    }
    return true;
}

static bool set_counts_fit(const struct sl_manager *m)
{
    uint32_t closed_count = 0;
    for (uint32_t h = sl__set_next(m, 0); h != 0; h = sl__set_next(m, h))
        closed_count += sl_maintainer_is_closed(sl__set_entry(m, h)->maintainer);
    return closed_count == m->set.closed_count;
}

void sl__set_check(const struct sl_manager *m)
{
    const struct sl__set *s = &m->set;
    SL_REQUIRE(s->order.count == s->entries.count && s->order.count == s->by_feed.count);
    SL_REQUIRE(s->order.count == s->due.count && s->closed_count <= s->order.count);
    SL_HOT(set_is_seeded(m));
    SL_HOT(set_counts_fit(m));
}
