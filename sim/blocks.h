/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_BLOCKS_H
#define SL_SIM_BLOCKS_H

#include "sim/engine.h"

/*
 * Byte blocks for messages under way, in size classes that double: after the first seconds of a run no message costs
 * an allocation. Larger ones than the largest class come from the heap directly.
 */
#define SL_SIM_BLOCK_CLASSES 12
#define SL_SIM_BLOCK_BYTES_MIN 64u

struct sl_sim_blocks {
    struct sl_sim_engine *engine;
    void *free[SL_SIM_BLOCK_CLASSES];
    void **chunks;
    size_t *chunk_bytes;
    uint32_t chunk_count, chunk_cap;
};

void sl_sim_blocks_init(struct sl_sim_blocks *b, struct sl_sim_engine *e);
/* Everything that was taken must have been given back. */
void sl_sim_blocks_deinit(struct sl_sim_blocks *b);

uint8_t *sl_sim_blocks_new(struct sl_sim_blocks *b, size_t size);
void sl_sim_blocks_free(struct sl_sim_blocks *b, uint8_t *block, size_t size);

#endif
