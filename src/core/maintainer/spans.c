/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/spans.h"

#include "base/check.h"
#include "base/hash.h"
#include "core/common/mem_tags.h"

#define SPANS_LIMITS_CAP_MIN 64u
#define SPANS_IN_LIST offsetof(struct sl_span, in_list)

/* ---- making and ending ---- */

static size_t spans_node_bytes(const struct sl_spans *s)
{
    return ((size_t)s->ref_max + 1) * sizeof(struct sl_span_node);
}

static bool spans_has_id(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_spans *s = ctx;
    const struct sl_dispatcher_id *id = key;
    return sl_dispatcher_id_eq(sl_spans_at(s, handle)->id, *id);
}

static bool spans_has_table(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_spans *s = ctx;
    const int64_t *table_id = key;
    return sl_spans_at(s, handle)->table_id == *table_id;
}

static void spans_on_limit_moved(void *ctx, uint32_t handle, uint32_t position)
{
    const struct sl_spans *s = ctx;
    sl_spans_at(s, handle)->limit_position = position;
}

enum sl_code sl_spans_init(struct sl_spans *s, struct sl_mem *mem, struct sl_load *load, uint32_t count_max,
                           uint64_t seed)
{
    *s = (struct sl_spans){ .mem = mem, .load = load, .ref_max = load->ref_max, .seed = seed };
    s->nodes = sl_mem_alloc(mem, SL_TAG_SPAN_INDEX, spans_node_bytes(s));
    if (!s->nodes)
        return SL_NOMEM;
    sl_slab_init(&s->slab, mem, SL_TAG_SPANS, sizeof(struct sl_span), count_max);
    sl_map_init(&s->by_id, mem, SL_TAG_SPAN_INDEX, count_max, spans_has_id, s);
    sl_map_init(&s->by_table, mem, SL_TAG_SPAN_INDEX, count_max, spans_has_table, s);
    sl_heap_init(&s->limits, mem, SL_TAG_SPAN_INDEX, count_max, spans_on_limit_moved, s);
    sl_key_ranges_init(&s->ranges, mem, count_max);
    return SL_OK;
}

void sl_spans_deinit(struct sl_spans *s)
{
    sl_key_ranges_deinit(&s->ranges);
    sl_heap_deinit(&s->limits);
    sl_map_deinit(&s->by_table);
    sl_map_deinit(&s->by_id);
    sl_slab_deinit(&s->slab);
    sl_mem_free(s->mem, SL_TAG_SPAN_INDEX, s->nodes, spans_node_bytes(s));
    *s = (struct sl_spans){ 0 };
}

/* ---- indexes ---- */

static uint64_t spans_hash_id(const struct sl_spans *s, struct sl_dispatcher_id id)
{
    return sl_hash_u64x2(s->seed, id.high, id.low);
}

static uint64_t spans_hash_table(const struct sl_spans *s, int64_t table_id)
{
    return sl_hash_u64(s->seed, (uint64_t)table_id);
}

struct sl_span *sl_spans_at(const struct sl_spans *s, uint32_t handle)
{
    return sl_slab_at(&s->slab, handle);
}

uint32_t sl_spans_find(const struct sl_spans *s, struct sl_dispatcher_id id)
{
    return sl_map_find(&s->by_id, spans_hash_id(s, id), &id);
}

uint32_t sl_spans_of_table(const struct sl_spans *s, int64_t table_id)
{
    return sl_map_find(&s->by_table, spans_hash_table(s, table_id), &table_id);
}

uint32_t sl_spans_next_of_table(const struct sl_spans *s, uint32_t handle)
{
    return sl_spans_at(s, handle)->of_table.next;
}

struct sl_span_key sl_spans_key(const struct sl_spans *s, const struct sl_span *span)
{
    return (struct sl_span_key){ .table_id = span->table_id,
                                 .keyspace_id = span->keyspace_id,
                                 .start_key = sl_key_ranges_start(&s->ranges, span->range),
                                 .end_key = sl_key_ranges_end(&s->ranges, span->range) };
}

/* False (nothing changed) without memory: only the first span of a table needs any. */
static bool spans_chain(struct sl_spans *s, uint32_t handle)
{
    struct sl_span *span = sl_spans_at(s, handle);
    uint32_t first = sl_spans_of_table(s, span->table_id);
    if (first == 0) {
        span->of_table = (struct sl_link){ .prev = handle };
        return sl_map_add(&s->by_table, spans_hash_table(s, span->table_id), handle);
    }
    struct sl_span *head = sl_spans_at(s, first);
    span->of_table = (struct sl_link){ .prev = head->of_table.prev };
    sl_spans_at(s, head->of_table.prev)->of_table.next = handle;
    head->of_table.prev = handle;
    return true;
}

static void spans_unchain_first(struct sl_spans *s, uint32_t handle)
{
    const struct sl_span *span = sl_spans_at(s, handle);
    uint64_t hash = spans_hash_table(s, span->table_id);
    uint32_t next = span->of_table.next;
    sl_map_remove(&s->by_table, hash, handle);
    if (next == 0)
        return;
    sl_spans_at(s, next)->of_table.prev = span->of_table.prev == handle ? next : span->of_table.prev;
    if (!sl_map_add(&s->by_table, hash, next))
        SL_UNREACHABLE(); /* the slot just vacated is on the way of the same hash */
}

static void spans_unchain(struct sl_spans *s, uint32_t handle)
{
    const struct sl_span *span = sl_spans_at(s, handle);
    uint32_t first = sl_spans_of_table(s, span->table_id);
    if (first == handle) {
        spans_unchain_first(s, handle);
        return;
    }
    sl_spans_at(s, span->of_table.prev)->of_table.next = span->of_table.next;
    uint32_t follower = span->of_table.next != 0 ? span->of_table.next : first;
    sl_spans_at(s, follower)->of_table.prev = span->of_table.prev;
}

static bool spans_overlap(const struct sl_spans *s, const struct sl_span_key *key)
{
    for (uint32_t h = sl_spans_of_table(s, key->table_id); h != 0; h = sl_spans_next_of_table(s, h)) {
        if (sl_key_ranges_overlap(&s->ranges, sl_spans_at(s, h)->range, key->start_key, key->end_key))
            return true;
    }
    return false;
}

/* Room for all spans at once, so that a span can leave REPLICATING without memory. */
static bool spans_reserve_limits(struct sl_spans *s)
{
    if (s->slab.count < s->limits.cap)
        return true;
    uint64_t cap = s->limits.cap > 0 ? (uint64_t)s->limits.cap * 2 : SPANS_LIMITS_CAP_MIN;
    return sl_heap_reserve(&s->limits, cap < s->limits.count_max ? (uint32_t)cap : s->limits.count_max);
}

/* ---- lists ---- */

static struct sl_list *spans_list_of(struct sl_spans *s, const struct sl_span *span)
{
    if (span->operator_handle != 0 || span->state == SL_SPAN_SCHEDULING)
        return NULL;
    return span->state == SL_SPAN_ABSENT ? &s->absent : &s->nodes[span->node].idle;
}

static void spans_set_node(struct sl_spans *s, struct sl_span *span, sl_node_ref node)
{
    if (span->node == node)
        return;
    if (span->node != SL_NODE_NONE) {
        s->nodes[span->node].bound--;
        sl_load_change(s->load, span->node, -1);
    }
    span->node = node;
    if (node != SL_NODE_NONE) {
        s->nodes[node].bound++;
        sl_load_change(s->load, node, 1);
    }
}

static void spans_set_limiting(struct sl_spans *s, uint32_t handle, const struct sl_span *span, bool limiting)
{
    if (limiting == (span->limit_position != SL_HEAP_NOWHERE))
        return;
    if (!limiting)
        sl_heap_remove(&s->limits, span->limit_position);
    else if (!sl_heap_push(&s->limits, span->checkpoint, handle))
        SL_UNREACHABLE(); /* reserved when the span was added */
}

static void spans_count_state(struct sl_spans *s, const struct sl_span *span, uint32_t by)
{
    s->scheduling_count += span->state == SL_SPAN_SCHEDULING ? by : 0;
    s->replicating_count += span->state == SL_SPAN_REPLICATING ? by : 0;
}

/* The one place where state, binding and operator of a span change. */
static void spans_change(struct sl_spans *s, uint32_t handle, enum sl_span_state state, sl_node_ref node,
                         uint32_t operator_handle)
{
    SL_REQUIRE((state == SL_SPAN_ABSENT) == (node == SL_NODE_NONE) && node <= s->ref_max);
    struct sl_span *span = sl_spans_at(s, handle);
    struct sl_list *before = spans_list_of(s, span);
    spans_count_state(s, span, UINT32_MAX); /* -1 */
    spans_set_node(s, span, node);
    span->state = (uint8_t)state;
    span->operator_handle = operator_handle;
    spans_count_state(s, span, 1);
    struct sl_list *after = spans_list_of(s, span);
    if (before != after) {
        if (before)
            sl_list_remove(before, &s->slab, SPANS_IN_LIST, handle);
        if (after)
            sl_list_push_back(after, &s->slab, SPANS_IN_LIST, handle);
    }
    spans_set_limiting(s, handle, span, state != SL_SPAN_REPLICATING);
    SL_REQUIRE(s->limits.count + s->replicating_count == s->slab.count);
}

/* ---- spans ---- */

static enum sl_code spans_index(struct sl_spans *s, uint32_t handle, const struct sl_span_key *key)
{
    struct sl_span *span = sl_spans_at(s, handle);
    enum sl_code code = sl_key_ranges_add(&s->ranges, key->start_key, key->end_key, &span->range);
    if (code != SL_OK)
        return code;
    uint64_t hash = spans_hash_id(s, span->id);
    if (sl_map_add(&s->by_id, hash, handle)) {
        if (spans_chain(s, handle))
            return SL_OK;
        sl_map_remove(&s->by_id, hash, handle);
    }
    sl_key_ranges_drop(&s->ranges, span->range);
    return SL_NOMEM;
}

enum sl_code sl_spans_add(struct sl_spans *s, const struct sl_span_desc *desc, uint32_t *handle)
{
    SL_REQUIRE(desc->checkpoint != SL_TS_NONE && !sl_dispatcher_id_is_none(desc->id));
    *handle = 0;
    if (sl_spans_find(s, desc->id) != 0 || spans_overlap(s, &desc->key))
        return SL_EXISTS;
    if (s->slab.count == s->slab.count_max)
        return SL_LIMIT;
    uint32_t h = 0;
    struct sl_span *span = spans_reserve_limits(s) ? sl_slab_new(&s->slab, &h) : NULL;
    if (!span)
        return SL_NOMEM;
    *span = (struct sl_span){ .id = desc->id,
                              .table_id = desc->key.table_id,
                              .schema_id = desc->schema_id,
                              .keyspace_id = desc->key.keyspace_id,
                              .checkpoint = desc->checkpoint,
                              .placement_seq = s->dropped_seq,
                              .limit_position = SL_HEAP_NOWHERE,
                              .state = SL_SPAN_ABSENT };
    enum sl_code code = spans_index(s, h, &desc->key);
    if (code != SL_OK) {
        sl_slab_free(&s->slab, h);
        return code;
    }
    sl_list_push_back(&s->absent, &s->slab, SPANS_IN_LIST, h);
    spans_set_limiting(s, h, span, true);
    *handle = h;
    return SL_OK;
}

void sl_spans_drop(struct sl_spans *s, uint32_t handle)
{
    sl_spans_mark_absent(s, handle);
    struct sl_span *span = sl_spans_at(s, handle);
    SL_REQUIRE(span->operator_handle == 0);
    s->dropped_seq = span->placement_seq > s->dropped_seq ? span->placement_seq : s->dropped_seq;
    sl_list_remove(&s->absent, &s->slab, SPANS_IN_LIST, handle);
    spans_set_limiting(s, handle, span, false);
    spans_unchain(s, handle);
    sl_map_remove(&s->by_id, spans_hash_id(s, span->id), handle);
    sl_key_ranges_drop(&s->ranges, span->range);
    sl_slab_free(&s->slab, handle);
}

void sl_spans_mark_absent(struct sl_spans *s, uint32_t handle)
{
    spans_change(s, handle, SL_SPAN_ABSENT, SL_NODE_NONE, sl_spans_at(s, handle)->operator_handle);
}

void sl_spans_mark_scheduling(struct sl_spans *s, uint32_t handle)
{
    const struct sl_span *span = sl_spans_at(s, handle);
    spans_change(s, handle, SL_SPAN_SCHEDULING, span->node, span->operator_handle);
}

void sl_spans_mark_replicating(struct sl_spans *s, uint32_t handle)
{
    struct sl_span *span = sl_spans_at(s, handle);
    span->avoid = 0;
    spans_change(s, handle, SL_SPAN_REPLICATING, span->node, span->operator_handle);
}

void sl_spans_bind(struct sl_spans *s, uint32_t handle, sl_node_ref node)
{
    spans_change(s, handle, SL_SPAN_SCHEDULING, node, sl_spans_at(s, handle)->operator_handle);
}

void sl_spans_set_operator(struct sl_spans *s, uint32_t handle, uint32_t operator_handle)
{
    const struct sl_span *span = sl_spans_at(s, handle);
    SL_REQUIRE((span->operator_handle == 0) != (operator_handle == 0)); /* at most one per span (T2) */
    spans_change(s, handle, (enum sl_span_state)span->state, span->node, operator_handle);
}

void sl_spans_move_back(struct sl_spans *s, uint32_t handle)
{
    struct sl_list *list = spans_list_of(s, sl_spans_at(s, handle));
    SL_REQUIRE(list != NULL);
    sl_list_remove(list, &s->slab, SPANS_IN_LIST, handle);
    sl_list_push_back(list, &s->slab, SPANS_IN_LIST, handle);
}

bool sl_spans_raise_checkpoint(struct sl_spans *s, uint32_t handle, sl_ts checkpoint)
{
    struct sl_span *span = sl_spans_at(s, handle);
    if (checkpoint == SL_TS_MAX || checkpoint <= span->checkpoint)
        return false;
    span->checkpoint = checkpoint;
    if (span->limit_position != SL_HEAP_NOWHERE)
        sl_heap_update(&s->limits, span->limit_position, checkpoint);
    return true;
}

/* ---- what there is ---- */

sl_ts sl_spans_limit(const struct sl_spans *s)
{
    const struct sl_heap_item *first = sl_heap_peek(&s->limits);
    return first ? first->key : SL_TS_MAX;
}

uint32_t sl_spans_first_idle(const struct sl_spans *s, sl_node_ref node)
{
    return s->nodes[node].idle.head;
}

uint32_t sl_spans_next_idle(const struct sl_spans *s, uint32_t handle)
{
    return sl_list_next(&s->slab, SPANS_IN_LIST, handle);
}

uint32_t sl_spans_idle_count(const struct sl_spans *s, sl_node_ref node)
{
    return s->nodes[node].idle.count;
}

uint32_t sl_spans_bound_count(const struct sl_spans *s, sl_node_ref node)
{
    return s->nodes[node].bound;
}

uint32_t sl_spans_absent_count(const struct sl_spans *s)
{
    return s->slab.count - s->scheduling_count - s->replicating_count;
}

size_t sl_spans_bytes(const struct sl_spans *s)
{
    return sl_slab_bytes(&s->slab) + sl_map_bytes(&s->by_id) + sl_map_bytes(&s->by_table) + sl_heap_bytes(&s->limits) +
           sl_key_ranges_bytes(&s->ranges) + spans_node_bytes(s);
}

/* ---- recount ---- */

static void spans_check_list(const struct sl_spans *s, const struct sl_list *list, enum sl_span_state state,
                             sl_node_ref node)
{
    uint32_t count = 0, prev = 0;
    for (uint32_t h = list->head; h != 0; h = sl_list_next(&s->slab, SPANS_IN_LIST, h)) {
        const struct sl_span *span = sl_spans_at(s, h);
        SL_REQUIRE(span->state == state && span->node == node && span->operator_handle == 0);
        SL_REQUIRE(span->in_list.prev == prev && count < s->slab.count);
        prev = h;
        count++;
    }
    SL_REQUIRE(count == list->count && prev == list->tail);
}

static void spans_check_chain(const struct sl_spans *s, uint32_t handle)
{
    const struct sl_span *span = sl_spans_at(s, handle);
    uint32_t times = 0;
    for (uint32_t h = sl_spans_of_table(s, span->table_id); h != 0; h = sl_spans_next_of_table(s, h)) {
        const struct sl_span *other = sl_spans_at(s, h);
        struct sl_span_key key = sl_spans_key(s, other);
        SL_REQUIRE(other->table_id == span->table_id);
        SL_REQUIRE(h == handle || !sl_key_ranges_overlap(&s->ranges, span->range, key.start_key, key.end_key));
        times += h == handle;
    }
    SL_REQUIRE(times == 1);
}

static void spans_check_span(const struct sl_spans *s, uint32_t handle)
{
    const struct sl_span *span = sl_spans_at(s, handle);
    SL_REQUIRE(span->checkpoint != SL_TS_NONE);
    SL_REQUIRE((span->state == SL_SPAN_ABSENT) == (span->node == SL_NODE_NONE));
    SL_REQUIRE((span->state == SL_SPAN_REPLICATING) == (span->limit_position == SL_HEAP_NOWHERE));
    if (span->limit_position != SL_HEAP_NOWHERE) {
        const struct sl_heap_item *item = &s->limits.items[span->limit_position];
        SL_REQUIRE(span->limit_position < s->limits.count && item->value == handle && item->key == span->checkpoint);
    }
    SL_REQUIRE(sl_spans_find(s, span->id) == handle);
    spans_check_chain(s, handle);
}

static void spans_check_node(const struct sl_spans *s, sl_node_ref node)
{
    uint32_t bound = 0, idle = 0;
    for (uint32_t h = 0; (h = sl_slab_next(&s->slab, h)) != 0;) {
        const struct sl_span *span = sl_spans_at(s, h);
        bound += span->node == node;
        idle += span->node == node && span->state == SL_SPAN_REPLICATING && span->operator_handle == 0;
    }
    SL_REQUIRE(bound == s->nodes[node].bound && idle == s->nodes[node].idle.count);
    spans_check_list(s, &s->nodes[node].idle, SL_SPAN_REPLICATING, node);
}

void sl_spans_check(const struct sl_spans *s)
{
    uint32_t of_state[] = { [SL_SPAN_ABSENT] = 0, [SL_SPAN_SCHEDULING] = 0, [SL_SPAN_REPLICATING] = 0 };
    uint32_t absent_free = 0, parts = 0;
    for (uint32_t h = 0; (h = sl_slab_next(&s->slab, h)) != 0;) {
        const struct sl_span *span = sl_spans_at(s, h);
        of_state[span->state]++;
        absent_free += span->state == SL_SPAN_ABSENT && span->operator_handle == 0;
        parts += span->range != 0;
        spans_check_span(s, h);
    }
    SL_REQUIRE(of_state[SL_SPAN_SCHEDULING] == s->scheduling_count);
    SL_REQUIRE(of_state[SL_SPAN_REPLICATING] == s->replicating_count);
    SL_REQUIRE(s->limits.count == of_state[SL_SPAN_ABSENT] + of_state[SL_SPAN_SCHEDULING]);
    SL_REQUIRE(s->absent.count == absent_free && s->limits.cap >= s->slab.count);
    SL_REQUIRE(s->ranges.slab.count == parts && s->by_id.count == s->slab.count);
    spans_check_list(s, &s->absent, SL_SPAN_ABSENT, SL_NODE_NONE);
    for (sl_node_ref node = 1; node <= s->ref_max; node++)
        spans_check_node(s, node);
}
