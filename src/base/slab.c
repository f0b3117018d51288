/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slab.h"

#include "base/check.h"
#include "base/poison.h"

#include <string.h>

/*
 * A chunk is a bitmap of its live objects, then the objects: the cost beside the objects is one bit each and one
 * pointer per chunk. A dead object holds the handle of the next dead one in its first bytes.
 *
 *   index = handle - 1      chunk = index / 256      slot = index % 256
 *
 * Invariants:
 *   1. count <= high_water <= count_max; high_water - count objects are in the free list.
 *   2. A bit is set exactly for the live handles; none is above high_water.
 *   3. An object above high_water is still zero from its allocation.
 */
#define SLAB_CHUNK_ITEMS 256u
#define SLAB_BITMAP_WORDS (SLAB_CHUNK_ITEMS / 64)
#define SLAB_BITMAP_BYTES (SLAB_BITMAP_WORDS * sizeof(uint64_t))
#define SLAB_ITEM_BYTES_MAX ((size_t)1 << 20)
#define SLAB_CHUNK_CAP_MIN 4u

void sl_slab_init(struct sl_slab *s, struct sl_mem *mem, uint32_t tag, size_t item_bytes, uint32_t count_max)
{
    SL_REQUIRE(item_bytes > 0 && item_bytes <= SLAB_ITEM_BYTES_MAX);
    *s = (struct sl_slab){
        .mem = mem,
        .tag = tag,
        .item_bytes = (uint32_t)((item_bytes + 7) & ~(size_t)7),
        .count_max = count_max,
    };
}

/* Only the last chunk that count_max allows is shorter: a small limit shall not cost a full chunk. */
static uint32_t slab_chunk_items(const struct sl_slab *s, uint32_t chunk_index)
{
    uint32_t left = s->count_max - chunk_index * SLAB_CHUNK_ITEMS;
    return left < SLAB_CHUNK_ITEMS ? left : SLAB_CHUNK_ITEMS;
}

static size_t slab_chunk_bytes(const struct sl_slab *s, uint32_t chunk_index)
{
    return SLAB_BITMAP_BYTES + (size_t)slab_chunk_items(s, chunk_index) * s->item_bytes;
}

void sl_slab_deinit(struct sl_slab *s)
{
    for (uint32_t i = 0; i < s->chunk_count; i++) {
        size_t size = slab_chunk_bytes(s, i);
        sl_unpoison(s->chunks[i], size);
        sl_mem_free(s->mem, s->tag, s->chunks[i], size);
    }
    sl_mem_free(s->mem, s->tag, s->chunks, s->chunk_cap * sizeof(void *));
    sl_slab_init(s, s->mem, s->tag, s->item_bytes, s->count_max);
}

static void *slab_item(const struct sl_slab *s, uint32_t index)
{
    char *chunk = s->chunks[index / SLAB_CHUNK_ITEMS];
    return chunk + SLAB_BITMAP_BYTES + (size_t)(index % SLAB_CHUNK_ITEMS) * s->item_bytes;
}

static uint64_t *slab_word(const struct sl_slab *s, uint32_t index)
{
    uint64_t *bitmap = s->chunks[index / SLAB_CHUNK_ITEMS];
    return &bitmap[index % SLAB_CHUNK_ITEMS / 64];
}

static uint64_t slab_bit(uint32_t index)
{
    return UINT64_C(1) << (index % 64);
}

static bool slab_grow_table(struct sl_slab *s)
{
    uint32_t cap = s->chunk_cap > 0 ? s->chunk_cap * 2 : SLAB_CHUNK_CAP_MIN;
    void **chunks = sl_mem_resize(s->mem, s->tag, s->chunks, s->chunk_cap * sizeof(void *), cap * sizeof(void *));
    if (!chunks)
        return false;
    s->chunks = chunks;
    s->chunk_cap = cap;
    return true;
}

static bool slab_grow(struct sl_slab *s)
{
    if (s->chunk_count == s->chunk_cap && !slab_grow_table(s))
        return false;
    void *chunk = sl_mem_alloc(s->mem, s->tag, slab_chunk_bytes(s, s->chunk_count));
    if (!chunk)
        return false;
    s->chunks[s->chunk_count++] = chunk;
    return true;
}

/* Takes the object freed last, zeroed again. */
static void *slab_reuse(struct sl_slab *s, uint32_t *handle)
{
    void *item = slab_item(s, s->free_head - 1);
    sl_unpoison(item, s->item_bytes);
    *handle = s->free_head;
    memcpy(&s->free_head, item, sizeof s->free_head);
    memset(item, 0, s->item_bytes);
    return item;
}

void *sl_slab_new(struct sl_slab *s, uint32_t *handle)
{
    void *item;
    *handle = 0;
    if (s->count >= s->count_max)
        return NULL;
    if (s->free_head != 0) {
        item = slab_reuse(s, handle);
    } else {
        SL_REQUIRE(s->count == s->high_water);
        if (s->high_water / SLAB_CHUNK_ITEMS == s->chunk_count && !slab_grow(s))
            return NULL;
        item = slab_item(s, s->high_water);
        *handle = ++s->high_water;
    }
    *slab_word(s, *handle - 1) |= slab_bit(*handle - 1);
    s->count++;
    return item;
}

void sl_slab_free(struct sl_slab *s, uint32_t handle)
{
    SL_REQUIRE(sl_slab_is_live(s, handle));
    void *item = slab_item(s, handle - 1);
    uint32_t next = s->free_head;
    sl_poison(item, s->item_bytes);
    sl_unpoison(item, sizeof(uint64_t));
    memcpy(item, &next, sizeof next);
    s->free_head = handle;
    *slab_word(s, handle - 1) &= ~slab_bit(handle - 1);
    s->count--;
}

void *sl_slab_at(const struct sl_slab *s, uint32_t handle)
{
    SL_HOT(sl_slab_is_live(s, handle));
    return slab_item(s, handle - 1);
}

bool sl_slab_is_live(const struct sl_slab *s, uint32_t handle)
{
    if (handle == 0 || handle > s->high_water)
        return false;
    return (*slab_word(s, handle - 1) & slab_bit(handle - 1)) != 0;
}

uint32_t sl_slab_next(const struct sl_slab *s, uint32_t handle)
{
    /* Handle h has index h - 1, so the search for a larger one starts at index h. */
    uint64_t index = handle;
    while (index < s->high_water) {
        uint64_t rest = *slab_word(s, (uint32_t)index) >> (index % 64);
        if (rest != 0)
            return (uint32_t)index + (uint32_t)__builtin_ctzll(rest) + 1;
        index = (index / 64 + 1) * 64;
    }
    return 0;
}

size_t sl_slab_bytes(const struct sl_slab *s)
{
    size_t bytes = s->chunk_cap * sizeof(void *);
    if (s->chunk_count > 0) /* all chunks but the last are equal */
        bytes += (s->chunk_count - 1) * slab_chunk_bytes(s, 0) + slab_chunk_bytes(s, s->chunk_count - 1);
    return bytes;
}
