/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include "base/check.h"

/* Four children share a cache line or two, and the tree is half as deep as a binary one: fewer misses per pop. */
#define HEAP_CHILDREN 4u
#define HEAP_CAP_MIN 16u

void sl_heap_init(struct sl_heap *h, struct sl_mem *mem, uint32_t tag, uint32_t count_max, sl_heap_moved *moved,
                  void *ctx)
{
    SL_REQUIRE(count_max < SL_HEAP_NOWHERE);
    *h = (struct sl_heap){ .mem = mem, .tag = tag, .count_max = count_max, .moved = moved, .ctx = ctx };
}

void sl_heap_deinit(struct sl_heap *h)
{
    sl_mem_free(h->mem, h->tag, h->items, sl_heap_bytes(h));
    sl_heap_init(h, h->mem, h->tag, h->count_max, h->moved, h->ctx);
}

size_t sl_heap_bytes(const struct sl_heap *h)
{
    return h->cap * sizeof *h->items;
}

static bool heap_is_before(const struct sl_heap_item *a, const struct sl_heap_item *b)
{
    return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static void heap_tell(struct sl_heap *h, uint32_t value, uint32_t position)
{
    if (h->moved)
        h->moved(h->ctx, value, position);
}

static void heap_put(struct sl_heap *h, uint32_t position, struct sl_heap_item item)
{
    h->items[position] = item;
    heap_tell(h, item.value, position);
}

/* Moves the hole at position up until item fits into it. */
static void heap_fill_upwards(struct sl_heap *h, uint32_t position, struct sl_heap_item item)
{
    while (position > 0) {
        uint32_t parent = (position - 1) / HEAP_CHILDREN;
        if (!heap_is_before(&item, &h->items[parent]))
            break;
        heap_put(h, position, h->items[parent]);
        position = parent;
    }
    heap_put(h, position, item);
}

/* The smallest child; count if there is none. */
static uint32_t heap_first_child(const struct sl_heap *h, uint32_t position)
{
    uint64_t first = (uint64_t)position * HEAP_CHILDREN + 1;
    if (first >= h->count)
        return h->count;
    uint32_t best = (uint32_t)first;
    uint32_t end = h->count - best < HEAP_CHILDREN ? h->count : best + HEAP_CHILDREN;
    for (uint32_t child = best + 1; child < end; child++) {
        if (heap_is_before(&h->items[child], &h->items[best]))
            best = child;
    }
    return best;
}

static void heap_fill_downwards(struct sl_heap *h, uint32_t position, struct sl_heap_item item)
{
    for (;;) {
        uint32_t child = heap_first_child(h, position);
        if (child == h->count || heap_is_before(&item, &h->items[child]))
            break;
        heap_put(h, position, h->items[child]);
        position = child;
    }
    heap_put(h, position, item);
}

static void heap_fill(struct sl_heap *h, uint32_t position, struct sl_heap_item item)
{
    if (position > 0 && heap_is_before(&item, &h->items[(position - 1) / HEAP_CHILDREN]))
        heap_fill_upwards(h, position, item);
    else
        heap_fill_downwards(h, position, item);
}

bool sl_heap_reserve(struct sl_heap *h, uint32_t count)
{
    if (count > h->count_max)
        return false;
    if (count <= h->cap)
        return true;
    struct sl_heap_item *items = sl_mem_resize(h->mem, h->tag, h->items, sl_heap_bytes(h), count * sizeof *items);
    if (!items)
        return false;
    h->items = items;
    h->cap = count;
    return true;
}

static bool heap_grow(struct sl_heap *h)
{
    uint64_t cap = h->cap > 0 ? (uint64_t)h->cap * 2 : HEAP_CAP_MIN;
    return sl_heap_reserve(h, cap < h->count_max ? (uint32_t)cap : h->count_max);
}

bool sl_heap_push(struct sl_heap *h, uint64_t key, uint32_t value)
{
    if (h->count >= h->count_max)
        return false;
    if (h->count == h->cap && !heap_grow(h))
        return false;
    struct sl_heap_item item = { .key = key, .seq = h->seq_next++, .value = value };
    heap_fill_upwards(h, h->count++, item);
    return true;
}

const struct sl_heap_item *sl_heap_peek(const struct sl_heap *h)
{
    return h->count > 0 ? h->items : NULL;
}

void sl_heap_pop(struct sl_heap *h)
{
    sl_heap_remove(h, 0);
}

void sl_heap_update(struct sl_heap *h, uint32_t position, uint64_t key)
{
    SL_REQUIRE(position < h->count);
    struct sl_heap_item item = h->items[position];
    item.key = key;
    heap_fill(h, position, item);
}

void sl_heap_remove(struct sl_heap *h, uint32_t position)
{
    SL_REQUIRE(position < h->count);
    uint32_t value = h->items[position].value;
    struct sl_heap_item last = h->items[--h->count];
    if (position < h->count)
        heap_fill(h, position, last);
    heap_tell(h, value, SL_HEAP_NOWHERE);
}
