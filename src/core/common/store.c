/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/store.h"

#include <string.h>

/* Hands out pieces of one block, or only counts what they would take when there is none. */
struct store_block {
    uint8_t *memory;
    size_t used;
};

static void *block_put(struct store_block *b, const void *bytes, size_t size)
{
    void *place = b->memory && size > 0 ? b->memory + b->used : NULL;
    b->used += (size + 7) & ~(size_t)7;
    if (place)
        memcpy(place, bytes, size);
    return place;
}

/* Makes both point into the block. */
static void block_put_key_value(struct store_block *b, struct sl_str *key, struct sl_bytes *value)
{
    key->ptr = block_put(b, key->ptr, key->len);
    value->ptr = block_put(b, value->ptr, value->len);
}

static const struct sl_store_compare *block_put_compares(struct store_block *b, const struct sl_store_compare *from,
                                                         uint32_t count)
{
    struct sl_store_compare *copy = block_put(b, from, count * sizeof *copy);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_store_compare one = from[i];
        block_put_key_value(b, &one.key, &one.value);
        if (copy)
            copy[i] = one;
    }
    return copy;
}

static const struct sl_store_action *block_put_actions(struct store_block *b, const struct sl_store_action *from,
                                                       uint32_t count)
{
    struct sl_store_action *copy = block_put(b, from, count * sizeof *copy);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_store_action one = from[i];
        block_put_key_value(b, &one.key, &one.value);
        if (copy)
            copy[i] = one;
    }
    return copy;
}

static size_t block_op(struct store_block *b, struct sl_store_op *out, const struct sl_store_op *op)
{
    *out = *op;
    out->key.ptr = block_put(b, op->key.ptr, op->key.len);
    out->compares = block_put_compares(b, op->compares, op->compare_count);
    out->then = block_put_actions(b, op->then, op->then_count);
    out->otherwise = block_put_actions(b, op->otherwise, op->otherwise_count);
    return b->used;
}

static size_t block_result(struct store_block *b, struct sl_store_result *out, const struct sl_store_result *r)
{
    *out = *r;
    struct sl_store_pair *pairs = block_put(b, r->pairs, r->pair_count * sizeof *pairs);
    for (uint32_t i = 0; i < r->pair_count; i++) {
        struct sl_store_pair one = r->pairs[i];
        block_put_key_value(b, &one.key, &one.value);
        if (pairs)
            pairs[i] = one;
    }
    out->pairs = pairs;
    return b->used;
}

static size_t block_batch(struct store_block *b, struct sl_store_watch_batch *out, const struct sl_store_watch_batch *w)
{
    *out = *w;
    struct sl_store_event *events = block_put(b, w->events, w->event_count * sizeof *events);
    for (uint32_t i = 0; i < w->event_count; i++) {
        struct sl_store_event one = w->events[i];
        block_put_key_value(b, &one.pair.key, &one.pair.value);
        if (events)
            events[i] = one;
    }
    out->events = events;
    return b->used;
}

size_t sl_store_op_bytes(const struct sl_store_op *op)
{
    struct sl_store_op unused;
    return block_op(&(struct store_block){ 0 }, &unused, op);
}

void sl_store_op_copy(struct sl_store_op *out, const struct sl_store_op *op, void *memory)
{
    block_op(&(struct store_block){ .memory = memory }, out, op);
}

size_t sl_store_result_bytes(const struct sl_store_result *r)
{
    struct sl_store_result unused;
    return block_result(&(struct store_block){ 0 }, &unused, r);
}

void sl_store_result_copy(struct sl_store_result *out, const struct sl_store_result *r, void *memory)
{
    block_result(&(struct store_block){ .memory = memory }, out, r);
}

size_t sl_store_batch_bytes(const struct sl_store_watch_batch *b)
{
    struct sl_store_watch_batch unused;
    return block_batch(&(struct store_block){ 0 }, &unused, b);
}

void sl_store_batch_copy(struct sl_store_watch_batch *out, const struct sl_store_watch_batch *b, void *memory)
{
    block_batch(&(struct store_block){ .memory = memory }, out, b);
}
