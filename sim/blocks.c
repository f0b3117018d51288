/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/blocks.h"

#include "base/poison.h"

#include <string.h>

#define BLOCKS_CHUNK_BYTES 65536u

void sl_sim_blocks_init(struct sl_sim_blocks *b, struct sl_sim_engine *e)
{
    *b = (struct sl_sim_blocks){ .engine = e };
}

void sl_sim_blocks_deinit(struct sl_sim_blocks *b)
{
    for (uint32_t i = 0; i < b->chunk_count; i++) {
        sl_unpoison(b->chunks[i], b->chunk_bytes[i]);
        sl_sim_free(b->engine, b->chunks[i], b->chunk_bytes[i]);
    }
    sl_sim_free(b->engine, b->chunks, b->chunk_cap * sizeof *b->chunks);
    sl_sim_free(b->engine, b->chunk_bytes, b->chunk_cap * sizeof *b->chunk_bytes);
    sl_sim_blocks_init(b, b->engine);
}

static size_t blocks_class_bytes(uint32_t class_index)
{
    return (size_t)SL_SIM_BLOCK_BYTES_MIN << class_index;
}

/* The smallest class that holds size, or SL_SIM_BLOCK_CLASSES. */
static uint32_t blocks_class_of(size_t size)
{
    uint32_t class_index = 0;
    while (class_index < SL_SIM_BLOCK_CLASSES && blocks_class_bytes(class_index) < size)
        class_index++;
    return class_index;
}

static void blocks_remember_chunk(struct sl_sim_blocks *b, void *chunk, size_t size)
{
    if (b->chunk_count == b->chunk_cap) {
        uint32_t cap = b->chunk_cap > 0 ? b->chunk_cap * 2 : 16;
        b->chunks = sl_sim_resize(b->engine, b->chunks, b->chunk_cap * sizeof *b->chunks, cap * sizeof *b->chunks);
        b->chunk_bytes = sl_sim_resize(b->engine, b->chunk_bytes, b->chunk_cap * sizeof *b->chunk_bytes,
                                       cap * sizeof *b->chunk_bytes);
        b->chunk_cap = cap;
    }
    b->chunks[b->chunk_count] = chunk;
    b->chunk_bytes[b->chunk_count++] = size;
}

/* A free block begins with the address of the next one. */
static void blocks_put(struct sl_sim_blocks *b, uint32_t class_index, void *block)
{
    sl_poison(block, blocks_class_bytes(class_index));
    sl_unpoison(block, sizeof(void *));
    memcpy(block, &b->free[class_index], sizeof(void *));
    b->free[class_index] = block;
}

static void blocks_carve(struct sl_sim_blocks *b, uint32_t class_index)
{
    size_t item_bytes = blocks_class_bytes(class_index);
    size_t chunk_bytes = item_bytes > BLOCKS_CHUNK_BYTES ? item_bytes : BLOCKS_CHUNK_BYTES;
    uint8_t *chunk = sl_sim_alloc(b->engine, chunk_bytes);
    blocks_remember_chunk(b, chunk, chunk_bytes);
    for (size_t at = chunk_bytes; at >= item_bytes; at -= item_bytes)
        blocks_put(b, class_index, chunk + at - item_bytes);
}

uint8_t *sl_sim_blocks_new(struct sl_sim_blocks *b, size_t size)
{
    uint32_t class_index = blocks_class_of(size);
    if (class_index == SL_SIM_BLOCK_CLASSES)
        return sl_sim_alloc(b->engine, size);
    if (!b->free[class_index])
        blocks_carve(b, class_index);
    void *block = b->free[class_index];
    memcpy(&b->free[class_index], block, sizeof(void *));
    sl_unpoison(block, blocks_class_bytes(class_index));
    return block;
}

void sl_sim_blocks_free(struct sl_sim_blocks *b, uint8_t *block, size_t size)
{
    uint32_t class_index = blocks_class_of(size);
    if (class_index == SL_SIM_BLOCK_CLASSES)
        sl_sim_free(b->engine, block, size);
    else
        blocks_put(b, class_index, block);
}
