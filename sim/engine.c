/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/engine.h"

#include "base/hash.h"
#include "base/prng.h"
#include "core/common/mem_tags.h"

#include <stdarg.h>
#include <stdio.h>

#define DRAW_UNITS_PER_MILLION 1000000u

void sl_sim_engine_init(struct sl_sim_engine *e, uint64_t seed)
{
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    *e = (struct sl_sim_engine){ .seed = seed, .digest = sl_hash_u64(0, seed) };
    sl_mem_init(&e->mem, &opts);
    sl_heap_init(&e->queue, &e->mem, SL_TAG_SIM, SL_SIM_EVENT_COUNT_MAX, NULL, NULL);
    sl_slab_init(&e->events, &e->mem, SL_TAG_SIM, sizeof(struct sl_sim_event), SL_SIM_EVENT_COUNT_MAX);
}

void sl_sim_engine_deinit(struct sl_sim_engine *e)
{
    sl_heap_deinit(&e->queue);
    sl_slab_deinit(&e->events);
    sl_mem_deinit(&e->mem);
}

void sl_sim_engine_push(struct sl_sim_engine *e, sl_ns at, struct sl_sim_event event)
{
    uint32_t handle;
    struct sl_sim_event *slot = sl_slab_new(&e->events, &handle);
    SL_REQUIRE(slot != NULL);
    *slot = event;
    bool pushed = sl_heap_push(&e->queue, (uint64_t)(at < e->now ? e->now : at), handle);
    SL_REQUIRE(pushed);
}

bool sl_sim_engine_take(struct sl_sim_engine *e, sl_ns limit, struct sl_sim_event *event)
{
    const struct sl_heap_item *first = sl_heap_peek(&e->queue);
    if (!first || (sl_ns)first->key > limit)
        return false;
    uint32_t handle = first->value;
    SL_REQUIRE((sl_ns)first->key >= e->now);
    e->now = (sl_ns)first->key;
    *event = *(const struct sl_sim_event *)sl_slab_at(&e->events, handle);
    sl_heap_pop(&e->queue);
    sl_slab_free(&e->events, handle);
    e->event_count++;
    return true;
}

void sl_sim_engine_advance(struct sl_sim_engine *e, sl_ns at)
{
    const struct sl_heap_item *first = sl_heap_peek(&e->queue);
    SL_REQUIRE(!first || (sl_ns)first->key >= at);
    if (at > e->now)
        e->now = at;
}

uint64_t sl_sim_draw(const struct sl_sim_engine *e, enum sl_sim_stream stream, uint64_t object, uint64_t n)
{
    return sl_prng_at(e->seed, ((uint64_t)stream << 48) ^ object, n);
}

bool sl_sim_chance(const struct sl_sim_engine *e, enum sl_sim_stream stream, uint64_t object, uint64_t n,
                   uint32_t per_million)
{
    return per_million > 0 && sl_sim_draw(e, stream, object, n) % DRAW_UNITS_PER_MILLION < per_million;
}

sl_ns sl_sim_between(const struct sl_sim_engine *e, enum sl_sim_stream stream, uint64_t object, uint64_t n, sl_ns low,
                     sl_ns width)
{
    return width > 0 ? low + (sl_ns)(sl_sim_draw(e, stream, object, n) % ((uint64_t)width + 1)) : low;
}

void sl_sim_digest_u64(struct sl_sim_engine *e, uint64_t a, uint64_t b)
{
    e->digest = sl_hash_u64x2(e->digest, a, b);
}

void sl_sim_digest_bytes(struct sl_sim_engine *e, struct sl_bytes bytes)
{
    e->digest = sl_hash_bytes(e->digest, bytes.ptr, bytes.len);
}

void sl_sim_violate(struct sl_sim_engine *e, const char *oracle, const char *fmt, ...)
{
    if (e->violation.oracle)
        return;
    e->violation.oracle = oracle;
    e->violation.at = e->now;
    va_list args;
    va_start(args, fmt);
    vsnprintf(e->violation.text, sizeof e->violation.text, fmt, args);
    va_end(args);
}

void *sl_sim_alloc(struct sl_sim_engine *e, size_t size)
{
    return sl_sim_resize(e, NULL, 0, size);
}

void *sl_sim_resize(struct sl_sim_engine *e, void *ptr, size_t old_size, size_t new_size)
{
    void *result = sl_mem_resize(&e->mem, SL_TAG_SIM, ptr, old_size, new_size);
    SL_REQUIRE(result != NULL);
    return result;
}

void sl_sim_free(struct sl_sim_engine *e, void *ptr, size_t size)
{
    sl_mem_free(&e->mem, SL_TAG_SIM, ptr, size);
}
