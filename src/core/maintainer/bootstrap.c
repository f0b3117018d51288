/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/bootstrap.h"

#include "base/mem.h"

static size_t bootstrap_bytes(const struct sl_bootstrap *b)
{
    return ((size_t)b->ref_max + 1) * sizeof(struct sl_bootstrap_node);
}

enum sl_code sl_bootstrap_init(struct sl_bootstrap *b, struct sl_mem *mem, uint32_t tag, uint32_t ref_max,
                               sl_ns resend_ns)
{
    SL_REQUIRE(ref_max > 0 && resend_ns > 0);
    *b = (struct sl_bootstrap){ .mem = mem, .tag = tag, .ref_max = ref_max, .resend_ns = resend_ns };
    b->nodes = sl_mem_alloc(mem, tag, bootstrap_bytes(b));
    return b->nodes ? SL_OK : SL_NOMEM;
}

void sl_bootstrap_deinit(struct sl_bootstrap *b)
{
    sl_mem_free(b->mem, b->tag, b->nodes, bootstrap_bytes(b));
    b->nodes = NULL;
}

static struct sl_bootstrap_node *bootstrap_node(const struct sl_bootstrap *b, sl_node_ref ref)
{
    SL_REQUIRE(ref != SL_NODE_NONE && ref <= b->ref_max);
    return &b->nodes[ref];
}

static enum sl_bootstrap_state bootstrap_state(const struct sl_bootstrap *b, sl_node_ref ref)
{
    return bootstrap_node(b, ref)->state;
}

/* The one setter. */
static void bootstrap_set(struct sl_bootstrap *b, sl_node_ref ref, enum sl_bootstrap_state state)
{
    struct sl_bootstrap_node *node = bootstrap_node(b, ref);
    if (node->state != SL_BOOTSTRAP_UNTRACKED) {
        SL_REQUIRE(b->counts[node->state] > 0);
        b->counts[node->state]--;
    }
    if (state != SL_BOOTSTRAP_UNTRACKED)
        b->counts[state]++;
    node->state = state;
}

void sl_bootstrap_add(struct sl_bootstrap *b, sl_ns now, sl_node_ref ref)
{
    SL_REQUIRE(bootstrap_state(b, ref) == SL_BOOTSTRAP_UNTRACKED);
    bootstrap_set(b, ref, SL_BOOTSTRAP_MISSING);
    bootstrap_node(b, ref)->ask_at = now;
}

void sl_bootstrap_remove(struct sl_bootstrap *b, sl_node_ref ref)
{
    bootstrap_set(b, ref, SL_BOOTSTRAP_UNTRACKED);
}

bool sl_bootstrap_answered(struct sl_bootstrap *b, sl_node_ref ref)
{
    if (bootstrap_state(b, ref) == SL_BOOTSTRAP_UNTRACKED)
        return false;
    bootstrap_set(b, ref, SL_BOOTSTRAP_ANSWERED);
    return true;
}

void sl_bootstrap_ask_again(struct sl_bootstrap *b, sl_ns at, sl_node_ref ref)
{
    switch (bootstrap_state(b, ref)) {
    case SL_BOOTSTRAP_ANSWERED:
        bootstrap_set(b, ref, SL_BOOTSTRAP_MISSING);
        bootstrap_node(b, ref)->ask_at = at;
        break;
    case SL_BOOTSTRAP_SETTLED:
        bootstrap_set(b, ref, SL_BOOTSTRAP_DOUBTED);
        bootstrap_node(b, ref)->ask_at = at;
        break;
    case SL_BOOTSTRAP_UNTRACKED:
    case SL_BOOTSTRAP_MISSING:
    case SL_BOOTSTRAP_DOUBTED:
    case SL_BOOTSTRAP_STATE_COUNT:
        break;
    }
}

void sl_bootstrap_heard(struct sl_bootstrap *b, sl_node_ref ref)
{
    if (bootstrap_state(b, ref) == SL_BOOTSTRAP_DOUBTED)
        bootstrap_set(b, ref, SL_BOOTSTRAP_SETTLED);
}

void sl_bootstrap_clear(struct sl_bootstrap *b)
{
    for (sl_node_ref ref = sl_bootstrap_next_answered(b, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_bootstrap_next_answered(b, ref))
        bootstrap_set(b, ref, SL_BOOTSTRAP_SETTLED);
    SL_REQUIRE(b->counts[SL_BOOTSTRAP_ANSWERED] == 0);
}

bool sl_bootstrap_is_ready(const struct sl_bootstrap *b)
{
    uint32_t answered_count =
        b->counts[SL_BOOTSTRAP_ANSWERED] + b->counts[SL_BOOTSTRAP_SETTLED] + b->counts[SL_BOOTSTRAP_DOUBTED];
    return b->counts[SL_BOOTSTRAP_MISSING] == 0 && answered_count > 0;
}

bool sl_bootstrap_is_tracked(const struct sl_bootstrap *b, sl_node_ref ref)
{
    return bootstrap_state(b, ref) != SL_BOOTSTRAP_UNTRACKED;
}

bool sl_bootstrap_is_settled(const struct sl_bootstrap *b, sl_node_ref ref)
{
    enum sl_bootstrap_state state = bootstrap_state(b, ref);
    return state == SL_BOOTSTRAP_SETTLED || state == SL_BOOTSTRAP_DOUBTED;
}

bool sl_bootstrap_is_doubted(const struct sl_bootstrap *b, sl_node_ref ref)
{
    return bootstrap_state(b, ref) == SL_BOOTSTRAP_DOUBTED;
}

sl_node_ref sl_bootstrap_next_answered(const struct sl_bootstrap *b, sl_node_ref ref)
{
    if (b->counts[SL_BOOTSTRAP_ANSWERED] == 0)
        return SL_NODE_NONE;
    while (ref < b->ref_max) {
        if (b->nodes[++ref].state == SL_BOOTSTRAP_ANSWERED)
            return ref;
    }
    return SL_NODE_NONE;
}

/* Nearly always nobody is being asked; then no node is looked at. */
static bool bootstrap_asks(const struct sl_bootstrap *b)
{
    return b->counts[SL_BOOTSTRAP_MISSING] + b->counts[SL_BOOTSTRAP_DOUBTED] > 0;
}

static bool bootstrap_asks_node(const struct sl_bootstrap_node *node)
{
    return node->state == SL_BOOTSTRAP_MISSING || node->state == SL_BOOTSTRAP_DOUBTED;
}

sl_node_ref sl_bootstrap_take_due(struct sl_bootstrap *b, sl_ns now)
{
    for (sl_node_ref ref = 1; bootstrap_asks(b) && ref <= b->ref_max; ref++) {
        struct sl_bootstrap_node *node = &b->nodes[ref];
        if (bootstrap_asks_node(node) && node->ask_at <= now) {
            node->ask_at = sl_ns_after(now, b->resend_ns);
            return ref;
        }
    }
    return SL_NODE_NONE;
}

sl_ns sl_bootstrap_deadline(const struct sl_bootstrap *b)
{
    sl_ns deadline = SL_NEVER;
    for (sl_node_ref ref = 1; bootstrap_asks(b) && ref <= b->ref_max; ref++) {
        if (bootstrap_asks_node(&b->nodes[ref]))
            deadline = sl_ns_min(deadline, b->nodes[ref].ask_at);
    }
    return deadline;
}
