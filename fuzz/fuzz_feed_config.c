/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of a feed as peers and the store bring it, and the rules of its filter. What is accepted of a record
 * makes a document for the nodes that they accept.
 */
#include "core/common/mem_tags.h"
#include "engine/table_filter.h"
#include "wire/feed_config.h"

enum { CONFIG_JSON_BYTES_MAX = 1 << 16, CONFIG_ARENA_BYTES_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_filter(struct sl_secret config)
{
    const struct {
        struct sl_str schema, table;
    } names[] = { { SL_STR("shop"), SL_STR("orders") }, { SL_STR("S"), SL_STR("") }, { SL_STR("a.b"), SL_STR("t*") } };
    struct sl_table_filter *filter;
    struct sl_trouble t = { .kind = SL_TROUBLE_NONE };
    if (!sl_table_filter_new(&filter, config, &t)) {
        SL_REQUIRE(t.code[0] != '\0');
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (sl_table_filter_takes(filter, names[i].schema, names[i].table))
            SL_REQUIRE(sl_table_filter_takes_schema(filter, names[i].schema));
    }
    sl_table_filter_free(filter);
}

static void check_record(struct sl_secret json, struct sl_arena *arena)
{
    struct sl_feed_info info;
    struct sl_bootstrap_config config;
    struct sl_secret flat;
    if (sl_feed_info_parse(&info, json, CONFIG_JSON_BYTES_MAX) != SL_REFUSE_NONE)
        return;
    enum sl_refusal refusal = sl_feed_bootstrap_config(&flat, json, SL_STR("UTC"), arena);
    SL_REQUIRE(refusal == SL_REFUSE_NONE);
    refusal = sl_bootstrap_config_parse(&config, flat, CONFIG_ARENA_BYTES_MAX);
    SL_REQUIRE(refusal == SL_REFUSE_NONE);
    SL_REQUIRE(config.epoch == info.epoch && config.start_ts == info.start_ts && config.target_ts == info.target_ts);
    check_filter(flat);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_mem mem;
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    struct sl_arena arena;
    struct sl_secret json = sl_secret_of((struct sl_bytes){ data, size });
    struct sl_bootstrap_config config;
    sl_mem_init(&mem, &opts);
    sl_arena_init(&arena, &mem, SL_TAG_DECODE, CONFIG_ARENA_BYTES_MAX);
    check_record(json, &arena);
    if (sl_bootstrap_config_parse(&config, json, CONFIG_JSON_BYTES_MAX) == SL_REFUSE_NONE)
        check_filter(json);
    sl_arena_deinit(&arena);
    sl_mem_deinit(&mem);
    return 0;
}
