/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of the metadata store: the first byte says which kind the rest is. What was read must come back when it is
 * written, and an edit must give a value that reads as edited, whatever else is in it.
 */
#include "core/common/mem_tags.h"
#include "wire/values.h"

#include <string.h>

static void check_source(struct sl_bytes json, struct sl_arena *arena)
{
    struct sl_feed_source one, two;
    struct sl_secret again;
    if (sl_feed_source_parse(&one, sl_secret_of(json), arena) != SL_OK)
        return;
    SL_REQUIRE(sl_feed_source_format(&again, &one, arena) == SL_OK);
    SL_REQUIRE(sl_feed_source_parse(&two, again, arena) == SL_OK);
    SL_REQUIRE(sl_bytes_eq(sl_secret_reveal(one.uri), sl_secret_reveal(two.uri)) && one.feed_low == two.feed_low);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_capture(struct sl_bytes json, struct sl_arena *arena)
{
    struct sl_capture one, two;
    struct sl_bytes again, third;
    if (sl_capture_parse(&one, json) != SL_OK)
        return;
    SL_REQUIRE(sl_capture_format(&again, &one, arena) == SL_OK);
    SL_REQUIRE(sl_capture_parse(&two, again) == SL_OK);
    SL_REQUIRE(sl_capture_format(&third, &two, arena) == SL_OK && sl_bytes_eq(again, third));
}

static void check_intent(struct sl_bytes json, struct sl_arena *arena)
{
    struct sl_intent one, two;
    struct sl_bytes again, third;
    if (sl_intent_parse(&one, json) != SL_OK)
        return;
    SL_REQUIRE(sl_intent_format(&again, &one, (struct sl_bytes){ 0 }, arena) == SL_OK);
    SL_REQUIRE(sl_intent_parse(&two, again) == SL_OK);
    SL_REQUIRE(sl_intent_format(&third, &two, (struct sl_bytes){ 0 }, arena) == SL_OK && sl_bytes_eq(again, third));
    SL_REQUIRE(sl_intent_format(&third, &one, json, arena) == SL_OK); /* over what was there */
    SL_REQUIRE(sl_intent_parse(&two, third) == SL_OK && two.epoch == one.epoch && two.phase == one.phase);
}

static void check_status(struct sl_bytes json, struct sl_arena *arena)
{
    struct sl_feed_status one, two;
    const struct sl_feed_status edited = { .checkpoint = UINT64_MAX - 1, .progress = SL_PROGRESS_REMOVING };
    struct sl_bytes again;
    if (sl_feed_status_parse(&one, json) != SL_OK)
        return;
    SL_REQUIRE(sl_feed_status_format(&again, &edited, json, arena) == SL_OK);
    SL_REQUIRE(sl_feed_status_parse(&two, again) == SL_OK);
    SL_REQUIRE(two.checkpoint == edited.checkpoint && two.progress == edited.progress);
}

static void check_record(struct sl_bytes json, struct sl_arena *arena)
{
    struct sl_feed_record one, two;
    const struct sl_feed_edit edit = { .set_epoch = true,
                                       .epoch = UINT64_MAX,
                                       .set_state = true,
                                       .state = SL_FEED_FAILED,
                                       .set_error = true,
                                       .error = { .present = true, .code = "c", .message = "m" } };
    const struct sl_str keyspace = SL_STR("ks"), name = SL_STR("f1");
    struct sl_secret again;
    if (sl_feed_record_parse(&one, keyspace, name, sl_secret_of(json)) != SL_OK)
        return;
    SL_REQUIRE(sl_feed_record_edit(&again, sl_secret_of(json), &edit, arena) == SL_OK);
    SL_REQUIRE(sl_feed_record_parse(&two, keyspace, name, again) == SL_OK);
    SL_REQUIRE(two.epoch == edit.epoch && two.state == edit.state && two.error.present);
    SL_REQUIRE(strcmp(two.error.code, "c") == 0 && strcmp(two.error.message, "m") == 0 && two.error.addr[0] == '\0');
    SL_REQUIRE(sl_feed_id_eq(&one.id, &two.id) && one.start_ts == two.start_ts && one.target_ts == two.target_ts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct sl_mem mem;
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    struct sl_arena arena;
    struct sl_bytes json = { data + 1, size - 1 };
    sl_mem_init(&mem, &opts);
    sl_arena_init(&arena, &mem, SL_TAG_DECODE, 16u << 20);
    switch (data[0]) {
    case 'c':
        check_capture(json, &arena);
        break;
    case 'i':
        check_intent(json, &arena);
        break;
    case 'u':
        check_source(json, &arena);
        break;
    case 's':
        check_status(json, &arena);
        break;
    default:
        check_record(json, &arena);
        break;
    }
    sl_arena_deinit(&arena);
    sl_mem_deinit(&mem);
    return 0;
}
