/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a journal holds may be anything. Bytes that are an input are the same input after they were written again; of other
 * bytes nothing is believed.
 */
#include "app/params.h"
#include "core/common/mem_tags.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES_MAX = 1 << 24 };

static void check_input(struct sl_bytes bytes, struct sl_arena *arena)
{
    struct sl_input in;
    struct sl_buf first = { 0 }, second = { 0 };
    if (!sl_input_decode(&in, bytes, arena))
        return;
    sl_input_encode(&first, &in);
    SL_REQUIRE(!first.failed && sl_input_decode(&in, sl_buf_bytes(&first), arena));
    sl_input_encode(&second, &in);
    SL_REQUIRE(first.len == second.len && memcmp(first.ptr, second.ptr, first.len) == 0);
    sl_buf_deinit(&first);
    sl_buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_mem mem;
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    struct sl_arena arena;
    struct sl_params params;
    struct sl_bytes bytes = { data, size };
    sl_mem_init(&mem, &opts);
    sl_arena_init(&arena, &mem, SL_TAG_DECODE, ARENA_BYTES_MAX);
    check_input(bytes, &arena);
    if (sl_params_decode(&params, bytes))
        SL_REQUIRE(params.id.len > 0 && params.node_epoch != 0);
    sl_arena_deinit(&arena);
    sl_mem_deinit(&mem);
    return 0;
}
