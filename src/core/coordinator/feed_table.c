/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/feed_table.h"
#include "base/check.h"
#include "base/hash.h"

#include <string.h>

#define TABLE_TIMERS_CAP_MIN 64u
#define TABLE_OF_ALL offsetof(struct sl__feed, of_all)
#define TABLE_OF_NODE offsetof(struct sl__feed, of_node)
#define TABLE_OF_READY offsetof(struct sl__feed, of_ready)
#define TABLE_OF_DIRTY offsetof(struct sl__feed, of_dirty)

struct place_row {
    const char *name;
    uint32_t next; /* bit per legal next place */
};

#define GO(name) (1u << SL__PLACE_##name)
static const struct place_row place_rows[] = {
#define PLACE_ROW(name, text, next) [SL__PLACE_##name] = { text, next },
    SL__FEED_PLACES(PLACE_ROW)
#undef PLACE_ROW
};
#undef GO

const char *sl__feed_place_name(enum sl__feed_place place)
{
    return place_rows[place].name;
}

/* ---- bytes ---- */

struct sl_bytes sl__value_bytes(const struct sl__value *v)
{
    return (struct sl_bytes){ v->bytes, v->len };
}

void sl__value_clear(struct sl_feeds *f, struct sl__value *v)
{
    sl_mem_free(f->opts.mem, SL_TAG_COORDINATOR, v->bytes, v->bytes ? v->len + 1 : 0);
    *v = (struct sl__value){ 0 };
}

bool sl__value_set(struct sl_feeds *f, struct sl__value *v, struct sl_bytes bytes, sl_revision revision)
{
    SL_REQUIRE(bytes.len > 0);
    uint8_t *copy = sl_mem_alloc(f->opts.mem, SL_TAG_COORDINATOR, bytes.len + 1);
    if (!copy)
        return false;
    memcpy(copy, bytes.ptr, bytes.len);
    sl__value_clear(f, v);
    *v = (struct sl__value){ .bytes = copy, .len = bytes.len, .revision = revision };
    return true;
}

/* ---- indexes ---- */

struct sl__feed *sl__feed_at(const struct sl_feeds *f, uint32_t handle)
{
    return sl_slab_at(&f->slab, handle);
}

static bool table_has_id(const void *ctx, uint32_t handle, const void *key)
{
    return sl_feed_id_eq(&sl__feed_at(ctx, handle)->record.id, key);
}

static bool table_has_name(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_str *name = key;
    return sl_str_eq(sl_feed_id_name(&sl__feed_at(ctx, handle)->record.id), *name);
}

static bool table_has_op(const void *ctx, uint32_t handle, const void *key)
{
    const sl_op_id *op = key;
    return sl__feed_at(ctx, handle)->write.op == *op;
}

static void table_on_timer_moved(void *ctx, uint32_t handle, uint32_t position)
{
    sl__feed_at(ctx, handle)->timer_position = position;
}

void sl__table_init(struct sl_feeds *f)
{
    struct sl_mem *mem = f->opts.mem;
    uint32_t count_max = f->opts.feed_count_max;
    sl_slab_init(&f->slab, mem, SL_TAG_COORDINATOR, sizeof(struct sl__feed), count_max);
    sl_map_init(&f->by_id, mem, SL_TAG_COORDINATOR, count_max, table_has_id, f);
    sl_map_init(&f->by_name, mem, SL_TAG_COORDINATOR, count_max, table_has_name, f);
    sl_map_init(&f->by_op, mem, SL_TAG_COORDINATOR, SL__FEEDS_WRITES_MAX, table_has_op, f);
    sl_heap_init(&f->timers, mem, SL_TAG_COORDINATOR, count_max, table_on_timer_moved, f);
}

static void table_free_contents(struct sl_feeds *f, struct sl__feed *feed)
{
    sl__write_drop(f, feed);
    sl__value_clear(f, &feed->info);
    sl__value_clear(f, &feed->status_value);
    sl__value_clear(f, &feed->want.info);
    sl__value_clear(f, &feed->source);
    sl__value_clear(f, &feed->want.source);
    sl_mem_free(f->opts.mem, SL_TAG_COORDINATOR, feed->drains, feed->drain_cap * sizeof *feed->drains);
}

void sl__table_deinit(struct sl_feeds *f)
{
    for (struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed))
        table_free_contents(f, feed);
    sl_heap_deinit(&f->timers);
    sl_map_deinit(&f->by_op);
    sl_map_deinit(&f->by_name);
    sl_map_deinit(&f->by_id);
    sl_slab_deinit(&f->slab);
}

static uint64_t table_hash_name(const struct sl_feeds *f, struct sl_str name)
{
    return sl_hash_bytes(f->opts.seed, name.ptr, name.len);
}

static bool table_id_is_known(const struct sl_feed_id *id)
{
    return id->high != 0 || id->low != 0;
}

struct sl__feed *sl__feed_find(const struct sl_feeds *f, const struct sl_feed_id *id)
{
    uint32_t handle = sl_map_find(&f->by_id, sl_feed_id_hash(f->opts.seed, id), id);
    return handle == 0 ? NULL : sl__feed_at(f, handle);
}

struct sl__feed *sl__feed_named(const struct sl_feeds *f, struct sl_str name)
{
    uint32_t handle = name.len == 0 ? 0 : sl_map_find(&f->by_name, table_hash_name(f, name), &name);
    return handle == 0 ? NULL : sl__feed_at(f, handle);
}

struct sl__feed *sl__feed_next(const struct sl_feeds *f, const struct sl__feed *feed)
{
    uint32_t handle = feed ? sl_list_next(&f->slab, TABLE_OF_ALL, feed->handle) : f->all.head;
    return handle == 0 ? NULL : sl__feed_at(f, handle);
}

static void table_unindex_id(struct sl_feeds *f, const struct sl__feed *feed)
{
    if (table_id_is_known(&feed->record.id))
        sl_map_remove(&f->by_id, sl_feed_id_hash(f->opts.seed, &feed->record.id), feed->handle);
}

bool sl__feed_set_id(struct sl_feeds *f, struct sl__feed *feed, const struct sl_feed_id *id)
{
    if (sl_feed_id_eq(&feed->record.id, id))
        return true;
    if (table_id_is_known(id) && !sl_map_add(&f->by_id, sl_feed_id_hash(f->opts.seed, id), feed->handle))
        return false;
    table_unindex_id(f, feed);
    feed->record.id = *id;
    return true;
}

/* ---- making and dropping ---- */

static bool table_reserve_timer(struct sl_feeds *f)
{
    if (f->timers.count < f->timers.cap)
        return true;
    uint64_t cap = f->timers.cap > 0 ? (uint64_t)f->timers.cap * 2 : TABLE_TIMERS_CAP_MIN;
    return sl_heap_reserve(&f->timers, cap < f->timers.count_max ? (uint32_t)cap : f->timers.count_max);
}

static bool table_index(struct sl_feeds *f, const struct sl__feed *feed)
{
    const struct sl_feed_id *id = &feed->record.id;
    uint64_t name_hash = table_hash_name(f, sl_feed_id_name(id));
    if (!table_reserve_timer(f) || !sl_map_add(&f->by_name, name_hash, feed->handle))
        return false;
    if (table_id_is_known(id) && !sl_map_add(&f->by_id, sl_feed_id_hash(f->opts.seed, id), feed->handle)) {
        sl_map_remove(&f->by_name, name_hash, feed->handle);
        return false;
    }
    if (!sl_heap_push(&f->timers, (uint64_t)SL_NEVER, feed->handle))
        SL_UNREACHABLE(); /* reserved above */
    return true;
}

struct sl__feed *sl__feed_new(struct sl_feeds *f, const struct sl_feed_id *id)
{
    uint32_t handle = 0;
    struct sl__feed *feed = sl_slab_new(&f->slab, &handle);
    if (!feed)
        return NULL;
    *feed = (struct sl__feed){ .handle = handle, .record.id = *id, .place = SL__PLACE_STOPPED };
    feed->status.progress = feed->want.progress = SL_PROGRESS_NONE;
    if (!table_index(f, feed)) {
        sl_slab_free(&f->slab, handle);
        return NULL;
    }
    sl_list_push_back(&f->all, &f->slab, TABLE_OF_ALL, handle);
    return feed;
}

static void table_leave_lists(struct sl_feeds *f, struct sl__feed *feed)
{
    if (feed->in_ready)
        sl_list_remove(&f->ready, &f->slab, TABLE_OF_READY, feed->handle);
    if (feed->in_dirty)
        sl_list_remove(&f->dirty, &f->slab, TABLE_OF_DIRTY, feed->handle);
    feed->in_ready = feed->in_dirty = false;
}

void sl__feed_drop(struct sl_feeds *f, struct sl__feed *feed)
{
    SL_REQUIRE(feed->node == SL_NODE_NONE && feed->op.kind == SL__OP_IDLE && !feed->saving);
    table_free_contents(f, feed);
    table_leave_lists(f, feed);
    sl_heap_remove(&f->timers, feed->timer_position);
    table_unindex_id(f, feed);
    sl_map_remove(&f->by_name, table_hash_name(f, sl_feed_id_name(&feed->record.id)), feed->handle);
    sl_list_remove(&f->all, &f->slab, TABLE_OF_ALL, feed->handle);
    sl_slab_free(&f->slab, feed->handle);
}

/* ---- place and node ---- */

struct sl_field sl__feed_field(const struct sl__feed *feed)
{
    return sl_f_str("feed", sl_feed_id_name(&feed->record.id));
}

struct sl_field sl__node_field(const struct sl_feeds *f, const char *key, sl_node_ref node)
{
    return sl_f_str(key, node == SL_NODE_NONE ? SL_STR("-") : sl_node_id_str(sl_members_id(f->opts.members, node)));
}

static void table_bind(struct sl_feeds *f, struct sl__feed *feed, sl_node_ref node)
{
    if (feed->node == node)
        return;
    if (feed->node != SL_NODE_NONE)
        sl_list_remove(&f->nodes[feed->node].bound, &f->slab, TABLE_OF_NODE, feed->handle);
    feed->node = node;
    if (node != SL_NODE_NONE)
        sl_list_push_back(&f->nodes[node].bound, &f->slab, TABLE_OF_NODE, feed->handle);
}

void sl__feed_move_back(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl_list *bound = &f->nodes[feed->node].bound;
    SL_REQUIRE(feed->node != SL_NODE_NONE);
    sl_list_remove(bound, &f->slab, TABLE_OF_NODE, feed->handle);
    sl_list_push_back(bound, &f->slab, TABLE_OF_NODE, feed->handle);
}

void sl__feed_place(struct sl_feeds *f, struct sl__feed *feed, enum sl__feed_place place, sl_node_ref node,
                    uint64_t epoch, struct sl_outbox *out)
{
    bool is_bound = place == SL__PLACE_SCHEDULING || place == SL__PLACE_REPLICATING;
    SL_REQUIRE(is_bound == (node != SL_NODE_NONE) && node <= f->ref_max);
    if (feed->place == place && feed->node == node && feed->epoch == epoch)
        return;
    SL_REQUIRE(feed->place == place || (place_rows[feed->place].next & (1u << place)) != 0);
    enum sl__feed_place from = feed->place;
    table_bind(f, feed, node);
    feed->heard_at = f->now;
    feed->place = place;
    feed->epoch = epoch;
    sl_out_event(out, SL_EV_FEED_PLACED, sl__feed_field(feed), sl_f_str("from", sl_str_of(place_rows[from].name)),
                 sl_f_str("to", sl_str_of(place_rows[place].name)), sl__node_field(f, "node", node),
                 sl_f_u64("epoch", epoch));
}

/* ---- lists and timer ---- */

static bool table_state_is_runnable(enum sl_feed_state state)
{
    return state == SL_FEED_NORMAL || state == SL_FEED_WARNING || state == SL_FEED_PENDING;
}

bool sl__feed_is_runnable(const struct sl__feed *feed)
{
    return table_state_is_runnable(feed->want.state) && feed->want.progress == SL_PROGRESS_NONE &&
           !feed->want.deleted && !feed->creating && !feed->unreadable;
}

bool sl__feed_is_backing_off(const struct sl_feeds *f, const struct sl__feed *feed)
{
    return feed->place == SL__PLACE_ABSENT && feed->backoff.delay_ns > 0 && f->now < feed->retry_at;
}

static bool table_is_ready(const struct sl_feeds *f, const struct sl__feed *feed)
{
    return f->settled && feed->place == SL__PLACE_ABSENT && feed->op.kind == SL__OP_IDLE &&
           feed->stop == SL__STOP_NONE && sl__feed_is_runnable(feed) && !feed->write.must_read &&
           f->now >= feed->retry_at;
}

static sl_ns table_due(const struct sl_feeds *f, const struct sl__feed *feed)
{
    sl_ns due = feed->op.kind != SL__OP_IDLE ? sl__op_deadline(f, feed) : SL_NEVER;
    if (feed->write.phase == SL__WRITE_PAUSED)
        due = sl_ns_min(due, feed->write.retry_at);
    due = sl_ns_min(due, sl__feed_silence_at(f, feed));
    bool waits = feed->place == SL__PLACE_ABSENT && feed->op.kind == SL__OP_IDLE && f->now < feed->retry_at;
    return waits ? sl_ns_min(due, feed->retry_at) : due;
}

void sl__feed_list(struct sl_feeds *f, struct sl__feed *feed)
{
    bool ready = table_is_ready(f, feed), dirty = sl__save_is_dirty(feed);
    if (ready && !feed->in_ready) {
        sl_list_push_back(&f->ready, &f->slab, TABLE_OF_READY, feed->handle);
        f->schedule_at = f->now;
    }
    if (!ready && feed->in_ready)
        sl_list_remove(&f->ready, &f->slab, TABLE_OF_READY, feed->handle);
    if (dirty && !feed->in_dirty)
        sl_list_push_back(&f->dirty, &f->slab, TABLE_OF_DIRTY, feed->handle);
    if (!dirty && feed->in_dirty)
        sl_list_remove(&f->dirty, &f->slab, TABLE_OF_DIRTY, feed->handle);
    feed->in_ready = ready;
    feed->in_dirty = dirty;
    sl_heap_update(&f->timers, feed->timer_position, (uint64_t)table_due(f, feed));
}

/* ---- state ---- */

bool sl__feed_error_eq(const struct sl_feed_error *a, const struct sl_feed_error *b)
{
    if (!a->present || !b->present)
        return a->present == b->present;
    return strcmp(a->code, b->code) == 0 && strcmp(a->message, b->message) == 0 && strcmp(a->addr, b->addr) == 0;
}

void sl__feed_want_state(struct sl__feed *feed, enum sl_feed_state state, const struct sl_feed_error *error,
                         struct sl_outbox *out)
{
    const struct sl_feed_error none = { .present = false };
    const struct sl_feed_error *wanted = error ? error : &none;
    if (feed->want.state == state && sl__feed_error_eq(&feed->want.error, wanted))
        return;
    enum sl_feed_state from = feed->want.state;
    feed->want.state = state;
    feed->want.error = *wanted;
    sl_out_event(out, SL_EV_FEED_STATE, sl__feed_field(feed), sl_f_str("from", sl_str_of(sl_feed_state_name(from))),
                 sl_f_str("to", sl_str_of(sl_feed_state_name(state))), sl_f_str("code", sl_str_of(wanted->code)));
}
