/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_LOAD_H
#define SL_CORE_MAINTAINER_LOAD_H

#include "core/common/members.h"

#include "base/heap.h"

/*
 * How many spans of one feed each node has, and which node has least: placing a span is O(log nodes), not a scan. The
 * load of a node is the spans bound to it plus those on the way to it, so that a wave of moves is spread although none
 * of them is bound to its destination yet. Private to src/core/maintainer.
 */
struct sl_load_node {
    uint32_t load;
    uint32_t position; /* in the heap; SL_HEAP_NOWHERE unless eligible */
};

struct sl_load {
    struct sl_mem *mem;
    struct sl_heap eligible; /* key = load, then ref: ties go to the lowest ref */
    struct sl_load_node *nodes;
    uint32_t ref_max;
};

/* No node is eligible at first. SL_NOMEM leaves nothing to free. Nothing after this can fail. */
SL_CHECKED enum sl_code sl_load_init(struct sl_load *l, struct sl_mem *mem, uint32_t ref_max);
void sl_load_deinit(struct sl_load *l);

/* The load must not become negative. */
void sl_load_change(struct sl_load *l, sl_node_ref node, int32_t delta);
void sl_load_set_eligible(struct sl_load *l, sl_node_ref node, bool eligible);

/* The eligible node with least load, or SL_NODE_NONE. */
sl_node_ref sl_load_least(const struct sl_load *l);
uint32_t sl_load_of(const struct sl_load *l, sl_node_ref node);
bool sl_load_is_eligible(const struct sl_load *l, sl_node_ref node);
uint32_t sl_load_eligible_count(const struct sl_load *l);
size_t sl_load_bytes(const struct sl_load *l);

#endif
