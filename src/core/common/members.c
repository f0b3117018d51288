/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/members.h"

#include "base/check.h"
#include "base/hash.h"
#include "core/common/mem_tags.h"

/*
 * Slots 1..count_max. A slot is alive, or in the queue of free ones; those that a snapshot removes enter the queue
 * after its additions, so that no ref changes its meaning within one snapshot.
 */
struct member {
    struct sl_node_id id;
    uint32_t seen; /* number of the snapshot that named it last */
};

struct sl_members {
    struct sl_mem *mem;
    struct sl_map index; /* of the alive ones, by id */
    uint64_t hash_seed;
    uint32_t count_max, alive_count, snapshot;
    struct sl_members_change change;
    sl_node_ref *free_refs; /* ring of count_max */
    uint32_t free_head, free_count;
    uint32_t *alive;       /* a bit for each ref: loops over the members are in every step, and most refs are free */
    struct member slots[]; /* count_max + 1; the first is never used */
};

#define MEMBERS_SELF ((sl_node_ref)1)
#define MEMBERS_REF_ARRAYS ((size_t)3) /* free_refs, change.added, change.removed */
#define MEMBERS_WORD_BITS 32u

static size_t members_bytes(uint32_t count_max)
{
    size_t slots = ((size_t)count_max + 1) * sizeof(struct member);
    size_t words = ((size_t)count_max / MEMBERS_WORD_BITS + 1) * sizeof(uint32_t);
    return sizeof(struct sl_members) + slots + MEMBERS_REF_ARRAYS * count_max * sizeof(sl_node_ref) + words;
}

static void members_set_alive(struct sl_members *m, sl_node_ref ref, bool is_alive)
{
    uint32_t bit = 1u << ref % MEMBERS_WORD_BITS, *word = &m->alive[ref / MEMBERS_WORD_BITS];
    *word = is_alive ? *word | bit : *word & ~bit;
    m->alive_count = is_alive ? m->alive_count + 1 : m->alive_count - 1;
}

static uint64_t members_hash(const struct sl_members *m, struct sl_str id)
{
    return sl_hash_bytes(m->hash_seed, id.ptr, id.len);
}

static bool members_has_id(const void *ctx, uint32_t ref, const void *key)
{
    const struct sl_members *m = ctx;
    const struct sl_str *id = key;
    return sl_str_eq(sl_node_id_str(&m->slots[ref].id), *id);
}

static void members_free_slot(struct sl_members *m, sl_node_ref ref)
{
    SL_REQUIRE(m->free_count < m->count_max);
    m->free_refs[(m->free_head + m->free_count++) % m->count_max] = ref;
}

/* False (nothing changed) without a free slot or without memory. */
static bool members_add(struct sl_members *m, const struct sl_node_id *id)
{
    if (m->free_count == 0)
        return false;
    sl_node_ref ref = m->free_refs[m->free_head];
    m->slots[ref].id = *id;
    if (!sl_map_add(&m->index, members_hash(m, sl_node_id_str(id)), ref))
        return false;
    m->free_head = (m->free_head + 1) % m->count_max;
    m->free_count--;
    m->slots[ref].seen = m->snapshot;
    members_set_alive(m, ref, true);
    return true;
}

enum sl_code sl_members_new(struct sl_members **out, struct sl_mem *mem, const struct sl_node_id *self,
                            uint32_t node_count_max, uint64_t hash_seed)
{
    SL_REQUIRE(node_count_max > 0 && !sl_node_id_is_none(self));
    *out = NULL;
    struct sl_members *m = sl_mem_alloc(mem, SL_TAG_MEMBERS, members_bytes(node_count_max));
    if (!m)
        return SL_NOMEM;
    m->mem = mem;
    m->count_max = node_count_max;
    m->hash_seed = hash_seed;
    m->free_refs = (sl_node_ref *)(m->slots + node_count_max + 1);
    m->change.added = m->free_refs + node_count_max;
    m->change.removed = m->change.added + node_count_max;
    m->alive = m->change.removed + node_count_max;
    sl_map_init(&m->index, mem, SL_TAG_MEMBERS, node_count_max, members_has_id, m);
    for (sl_node_ref ref = MEMBERS_SELF; ref <= node_count_max; ref++)
        members_free_slot(m, ref);
    if (!members_add(m, self)) {
        sl_members_free(m);
        return SL_NOMEM;
    }
    *out = m;
    return SL_OK;
}

void sl_members_free(struct sl_members *m)
{
    if (!m)
        return;
    sl_map_deinit(&m->index);
    sl_mem_free(m->mem, SL_TAG_MEMBERS, m, members_bytes(m->count_max));
}

static void members_remove_unseen(struct sl_members *m)
{
    for (sl_node_ref ref = sl_members_next(m, MEMBERS_SELF); ref != SL_NODE_NONE; ref = sl_members_next(m, ref)) {
        struct member *slot = &m->slots[ref];
        if (slot->seen == m->snapshot)
            continue;
        sl_map_remove(&m->index, members_hash(m, sl_node_id_str(&slot->id)), ref);
        members_set_alive(m, ref, false);
        m->change.removed[m->change.removed_count++] = ref;
    }
}

static uint32_t members_add_unknown(struct sl_members *m, const struct sl_node_id *ids, uint32_t count)
{
    uint32_t left_out = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (sl_node_id_is_none(&ids[i]) || sl_members_find(m, &ids[i]) != SL_NODE_NONE)
            continue;
        if (members_add(m, &ids[i]))
            m->change.added[m->change.added_count++] = sl_members_find(m, &ids[i]);
        else
            left_out++;
    }
    return left_out;
}

uint32_t sl_members_apply(struct sl_members *m, const struct sl_node_id *ids, uint32_t count,
                          const struct sl_members_change **change)
{
    m->change.added_count = m->change.removed_count = 0;
    m->snapshot++;
    for (uint32_t i = 0; i < count; i++) {
        sl_node_ref ref = sl_members_find(m, &ids[i]);
        if (ref != SL_NODE_NONE)
            m->slots[ref].seen = m->snapshot;
    }
    members_remove_unseen(m);
    uint32_t left_out = members_add_unknown(m, ids, count);
    for (uint32_t i = 0; i < m->change.removed_count; i++)
        members_free_slot(m, m->change.removed[i]);
    SL_REQUIRE(sl_members_is_alive(m, MEMBERS_SELF) && m->alive_count + m->free_count == m->count_max);
    *change = &m->change;
    return left_out;
}

sl_node_ref sl_members_find(const struct sl_members *m, const struct sl_node_id *id)
{
    return sl_members_find_str(m, sl_node_id_str(id));
}

sl_node_ref sl_members_find_str(const struct sl_members *m, struct sl_str id)
{
    return id.len == 0 ? SL_NODE_NONE : sl_map_find(&m->index, members_hash(m, id), &id);
}

sl_node_ref sl_members_self(const struct sl_members *m)
{
    (void)m;
    return MEMBERS_SELF;
}

const struct sl_node_id *sl_members_id(const struct sl_members *m, sl_node_ref ref)
{
    SL_REQUIRE(ref != SL_NODE_NONE && ref <= m->count_max);
    return &m->slots[ref].id;
}

bool sl_members_is_alive(const struct sl_members *m, sl_node_ref ref)
{
    return ref != SL_NODE_NONE && ref <= m->count_max &&
           m->alive[ref / MEMBERS_WORD_BITS] >> ref % MEMBERS_WORD_BITS & 1;
}

uint32_t sl_members_alive_count(const struct sl_members *m)
{
    return m->alive_count;
}

uint32_t sl_members_ref_max(const struct sl_members *m)
{
    return m->count_max;
}

sl_node_ref sl_members_next(const struct sl_members *m, sl_node_ref ref)
{
    if (ref >= m->count_max)
        return SL_NODE_NONE;
    ref++;
    uint32_t at = ref / MEMBERS_WORD_BITS, word = m->alive[at] & (UINT32_MAX << ref % MEMBERS_WORD_BITS);
    while (word == 0) {
        if (at++ == m->count_max / MEMBERS_WORD_BITS)
            return SL_NODE_NONE;
        word = m->alive[at];
    }
    return at * MEMBERS_WORD_BITS + (sl_node_ref)__builtin_ctz(word);
}

static bool members_begins(struct sl_str id, struct sl_str text)
{
    return id.len >= text.len && sl_str_eq((struct sl_str){ id.ptr, text.len }, text);
}

sl_node_ref sl_members_find_prefix(const struct sl_members *m, struct sl_str text)
{
    sl_node_ref found = sl_members_find_str(m, text);
    if (found != SL_NODE_NONE || text.len == 0)
        return found;
    for (sl_node_ref ref = sl_members_next(m, SL_NODE_NONE); ref != SL_NODE_NONE; ref = sl_members_next(m, ref)) {
        if (!members_begins(sl_node_id_str(sl_members_id(m, ref)), text))
            continue;
        if (found != SL_NODE_NONE)
            return SL_NODE_NONE;
        found = ref;
    }
    return found;
}
