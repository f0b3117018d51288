/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/load.h"

#include "base/check.h"
#include "core/common/mem_tags.h"

static size_t load_node_bytes(uint32_t ref_max)
{
    return ((size_t)ref_max + 1) * sizeof(struct sl_load_node);
}

static void load_on_moved(void *ctx, uint32_t node, uint32_t position)
{
    struct sl_load *l = ctx;
    l->nodes[node].position = position;
}

enum sl_code sl_load_init(struct sl_load *l, struct sl_mem *mem, uint32_t ref_max)
{
    *l = (struct sl_load){ .mem = mem, .ref_max = ref_max };
    l->nodes = sl_mem_alloc(mem, SL_TAG_SPAN_INDEX, load_node_bytes(ref_max));
    if (!l->nodes)
        return SL_NOMEM;
    sl_heap_init(&l->eligible, mem, SL_TAG_SPAN_INDEX, ref_max, load_on_moved, l);
    if (!sl_heap_reserve(&l->eligible, ref_max)) {
        sl_load_deinit(l);
        return SL_NOMEM;
    }
    for (sl_node_ref node = 0; node <= ref_max; node++)
        l->nodes[node].position = SL_HEAP_NOWHERE;
    return SL_OK;
}

void sl_load_deinit(struct sl_load *l)
{
    sl_heap_deinit(&l->eligible);
    sl_mem_free(l->mem, SL_TAG_SPAN_INDEX, l->nodes, load_node_bytes(l->ref_max));
    *l = (struct sl_load){ 0 };
}

static struct sl_load_node *load_at(const struct sl_load *l, sl_node_ref node)
{
    SL_REQUIRE(node != SL_NODE_NONE && node <= l->ref_max);
    return &l->nodes[node];
}

static uint64_t load_key(uint32_t load, sl_node_ref node)
{
    return (uint64_t)load << 32 | node;
}

void sl_load_change(struct sl_load *l, sl_node_ref node, int32_t delta)
{
    struct sl_load_node *n = load_at(l, node);
    int64_t load = (int64_t)n->load + delta;
    SL_REQUIRE(load >= 0 && load <= UINT32_MAX);
    n->load = (uint32_t)load;
    if (n->position != SL_HEAP_NOWHERE)
        sl_heap_update(&l->eligible, n->position, load_key(n->load, node));
}

void sl_load_set_eligible(struct sl_load *l, sl_node_ref node, bool eligible)
{
    struct sl_load_node *n = load_at(l, node);
    if (eligible == (n->position != SL_HEAP_NOWHERE))
        return;
    if (!eligible)
        sl_heap_remove(&l->eligible, n->position);
    else if (!sl_heap_push(&l->eligible, load_key(n->load, node), node))
        SL_UNREACHABLE(); /* reserved at init */
}

sl_node_ref sl_load_least(const struct sl_load *l)
{
    const struct sl_heap_item *first = sl_heap_peek(&l->eligible);
    return first ? first->value : SL_NODE_NONE;
}

uint32_t sl_load_of(const struct sl_load *l, sl_node_ref node)
{
    return load_at(l, node)->load;
}

bool sl_load_is_eligible(const struct sl_load *l, sl_node_ref node)
{
    return load_at(l, node)->position != SL_HEAP_NOWHERE;
}

uint32_t sl_load_eligible_count(const struct sl_load *l)
{
    return l->eligible.count;
}

size_t sl_load_bytes(const struct sl_load *l)
{
    return load_node_bytes(l->ref_max) + sl_heap_bytes(&l->eligible);
}
