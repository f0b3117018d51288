/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/check.h"
#include "base/poison.h"

#include <stdalign.h>

#define ARENA_ALIGN 16
#define ARENA_CHUNK_BYTES_MIN ((size_t)4 * 1024)
#define ARENA_CHUNK_BYTES_MAX ((size_t)256 * 1024) /* larger only for one larger allocation */
#define ARENA_KEPT_BYTES_MAX ((size_t)1024 * 1024)

/* At the start of its own memory; room_bytes follow it. */
struct sl_arena_chunk {
    alignas(ARENA_ALIGN) struct sl_arena_chunk *next;
    size_t room_bytes, used_bytes;
};

_Static_assert(sizeof(struct sl_arena_chunk) % ARENA_ALIGN == 0, "the room behind the header must be aligned");

/* Saturates: what cannot be rounded up is still too large for a chunk. */
static size_t arena_round(size_t size)
{
    size_t whole = size > 0 ? size : 1;
    size_t most = SIZE_MAX - (ARENA_ALIGN - 1);
    return ((whole < most ? whole : most) + (ARENA_ALIGN - 1)) & ~(size_t)(ARENA_ALIGN - 1);
}

static size_t chunk_bytes(size_t room_bytes)
{
    return sizeof(struct sl_arena_chunk) + room_bytes;
}

void sl_arena_init(struct sl_arena *a, struct sl_mem *mem, uint32_t tag, size_t bytes_max)
{
    SL_REQUIRE(bytes_max > 0);
    *a = (struct sl_arena){ .mem = mem, .tag = tag, .bytes_max = arena_round(bytes_max) };
}

static void arena_free_chunk(struct sl_arena *a, struct sl_arena_chunk *c)
{
    size_t size = chunk_bytes(c->room_bytes);
    sl_unpoison(c, size);
    sl_mem_free(a->mem, a->tag, c, size);
}

void sl_arena_deinit(struct sl_arena *a)
{
    for (struct sl_arena_chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        arena_free_chunk(a, c);
    }
    *a = (struct sl_arena){ .mem = a->mem, .tag = a->tag, .bytes_max = a->bytes_max };
}

/*
 * Doubling keeps the number of chunks logarithmic; the cap of the arena bounds the last one, so that a small arena
 * stays small.
 */
static size_t arena_next_room(const struct sl_arena *a, const struct sl_arena_chunk *last, size_t size)
{
    size_t bytes = last ? chunk_bytes(last->room_bytes) * 2 : ARENA_CHUNK_BYTES_MIN;
    if (bytes < ARENA_CHUNK_BYTES_MIN)
        bytes = ARENA_CHUNK_BYTES_MIN;
    if (bytes > ARENA_CHUNK_BYTES_MAX)
        bytes = ARENA_CHUNK_BYTES_MAX;
    size_t room = bytes - sizeof(struct sl_arena_chunk);
    size_t left = a->bytes_max - a->used_bytes;
    if (room > left)
        room = left;
    return room > size ? room : size;
}

static struct sl_arena_chunk *arena_add_chunk(struct sl_arena *a, struct sl_arena_chunk *last, size_t size)
{
    size_t room = arena_next_room(a, last, size);
    if (room > SIZE_MAX - sizeof(struct sl_arena_chunk))
        return NULL;
    struct sl_arena_chunk *c = sl_mem_alloc(a->mem, a->tag, chunk_bytes(room));
    if (!c)
        return NULL;
    c->room_bytes = room;
    sl_poison(c + 1, room);
    if (last)
        last->next = c;
    else
        a->first = c;
    return c;
}

/*
 * A chunk that is too full is passed over until the next reset. So the same sequence of requests after a reset
 * meets the same chunks in the same order, which is what makes a warm arena free of allocations.
 */
void *sl_arena_alloc(struct sl_arena *a, size_t size)
{
    size_t rounded = arena_round(size);
    SL_REQUIRE(a->used_bytes <= a->bytes_max);
    if (rounded > a->bytes_max - a->used_bytes)
        return NULL;
    struct sl_arena_chunk *last = NULL, *c = a->current;
    while (c && c->room_bytes - c->used_bytes < rounded) {
        last = c;
        c = c->next;
    }
    if (!c)
        c = arena_add_chunk(a, last, rounded);
    if (!c)
        return NULL;
    char *ptr = (char *)(c + 1) + c->used_bytes;
    c->used_bytes += rounded;
    a->used_bytes += rounded;
    a->current = c;
    sl_unpoison(ptr, rounded);
    return ptr;
}

void sl_arena_reset(struct sl_arena *a)
{
    size_t kept_bytes = 0;
    struct sl_arena_chunk **link = &a->first;
    while (*link) {
        struct sl_arena_chunk *c = *link;
        size_t size = chunk_bytes(c->room_bytes);
        if (size > ARENA_KEPT_BYTES_MAX - kept_bytes) {
            *link = c->next;
            arena_free_chunk(a, c);
            continue;
        }
        kept_bytes += size;
        c->used_bytes = 0;
        sl_poison(c + 1, c->room_bytes);
        link = &c->next;
    }
    a->current = a->first;
    a->used_bytes = 0;
}
