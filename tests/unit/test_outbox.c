/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/common/outbox.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

enum { COUNT_MAX = 512, BYTES_MAX = 1 << 20 };

struct fixture {
    struct sl_mem mem;
    struct sl_outbox out;
};

static void setup(struct fixture *f, uint32_t count_max, size_t bytes_max)
{
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    sl_mem_init(&f->mem, &opts);
    sl_assert_i64(sl_outbox_init(&f->out, &f->mem, SL_TAG_OUTBOX, count_max, bytes_max), SL_OK);
}

static void teardown(struct fixture *f)
{
    sl_outbox_deinit(&f->out);
    sl_mem_deinit(&f->mem);
}

static bool send_target(struct fixture *f, const char *node)
{
    char text[128];
    Pb__SetDispatcherDrainTargetRequest req = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    snprintf(text, sizeof text, "%s", node);
    req.target_node_id = text;
    return sl_out_send(&f->out, 1, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &req.base);
}

static struct sl_command close_command(sl_dispatcher_token token)
{
    return (struct sl_command){ .verb = SL_COMMAND_CLOSE, .dispatcher = token };
}

static void outputs_keep_their_order_and_their_bytes(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    char volatile_name[] = "n2";
    struct sl_command close = close_command(5);
    struct sl_feed_id feed = { .high = 1, .name_len = 1, .name = "f" };
    assert_true(send_target(&f, "n2"));
    assert_true(sl_out_command(&f.out, &close));
    char source[] = "gen://x";
    const struct sl_secret uri = sl_secret_of((struct sl_bytes){ (const uint8_t *)source, sizeof source - 1 });
    const struct sl_out_schema_load load = { .feed = feed, .request = 3, .ts = 99, .source = uri };
    assert_true(sl_out_schema_load(&f.out, &load));
    sl_out_event(&f.out, SL_EV_TARGET_APPLIED, sl_f_str("target", sl_str_of(volatile_name)), sl_f_u64("epoch", 7));
    volatile_name[0] = source[0] = 'X';

    sl_assert_u64(f.out.count, 4);
    const struct sl_output *o = f.out.items;
    sl_assert_i64(o[0].kind, SL_OUT_SEND);
    sl_assert_i64(o[0].u.send.topic, SL_TOPIC_MM);
    sl_assert_u64(o[0].u.send.payload.len, 4);
    sl_assert_mem(o[0].u.send.payload.ptr, "\x0a\x02n2", 4);
    sl_assert_u64(o[1].u.command.dispatcher, 5);
    sl_assert_u64(o[2].u.schema_load.request, 3);
    sl_assert_u64(o[2].u.schema_load.ts, 99);
    sl_assert_mem(sl_secret_reveal(o[2].u.schema_load.source).ptr, "gen://x", 7);
    assert_true(sl_str_eq(o[3].u.event.fields[0].str, SL_STR("n2")));
    sl_assert_u64(o[3].u.event.fields[1].u64, 7);
    sl_assert_u64(f.out.dropped_count, 0);
    teardown(&f);
}

static void a_message_can_go_to_the_second_topic(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    Pb__ChangefeedID id = PB__CHANGEFEED_ID__INIT;
    Pb__CheckpointTsMessage message = PB__CHECKPOINT_TS_MESSAGE__INIT;
    message.changefeed = &id;
    assert_true(sl_out_send(&f.out, 2, SL_MSG_CHECKPOINT_TS_MESSAGE, &message.base));
    assert_true(sl_out_send_second(&f.out, 2, SL_MSG_CHECKPOINT_TS_MESSAGE, &message.base));
    sl_assert_i64(f.out.items[0].u.send.topic, SL_TOPIC_MM);
    sl_assert_i64(f.out.items[1].u.send.topic, SL_TOPIC_HC);
    teardown(&f);
}

static void an_all_default_message_has_a_payload_of_zero_bytes(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    Pb__MaintainerHeartbeat empty = PB__MAINTAINER_HEARTBEAT__INIT;
    assert_true(sl_out_send(&f.out, 1, SL_MSG_MAINTAINER_HEARTBEAT_REQUEST, &empty.base));
    sl_assert_u64(f.out.items[0].u.send.payload.len, 0);
    assert_non_null(f.out.items[0].u.send.payload.ptr);
    teardown(&f);
}

static void room_falls_by_one_for_each_message_and_ends_at_zero(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    uint32_t room = sl_outbox_room(&f.out);
    assert_true(room > 0);
    for (uint32_t i = 0; i < room; i++) {
        sl_assert_u64(sl_outbox_room(&f.out), room - i);
        assert_true(send_target(&f, "n2"));
    }
    sl_assert_u64(sl_outbox_room(&f.out), 0);
    assert_false(send_target(&f, "n2"));
    sl_assert_u64(f.out.dropped_count, 1);
    sl_outbox_reset(&f.out);
    sl_assert_u64(sl_outbox_room(&f.out), room);
    sl_assert_u64(f.out.dropped_count, 1);
    teardown(&f);
}

static void commands_and_events_still_fit_when_messages_do_not(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    while (send_target(&f, "n2"))
        continue;
    sl_out_event(&f.out, SL_EV_OUTBOX_FULL, sl_f_u64("dropped", 1));
    sl_assert_u64(f.out.dropped_count, 1);
    for (uint32_t i = 0; i < SL_OUTBOX_COMMANDS_MAX; i++) {
        struct sl_command close = close_command(i + 1);
        assert_true(sl_out_command(&f.out, &close));
    }
    sl_assert_u64(f.out.dropped_count, 1);
    sl_assert_u64(f.out.items[f.out.count - 1].u.command.dispatcher, SL_OUTBOX_COMMANDS_MAX);
    teardown(&f);
}

static void events_still_fit_when_the_bytes_of_messages_are_used_up(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, 8192);
    while (send_target(&f, "0123456789012345678901234567890123456789012345678901234567890123456789"))
        continue;
    sl_assert_u64(sl_outbox_room(&f.out), 0);
    sl_out_event(&f.out, SL_EV_OUTBOX_FULL, sl_f_u64("dropped", 1));
    sl_assert_u64(f.out.dropped_count, 1);
    teardown(&f);
}

static void too_many_events_are_dropped_and_counted(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    for (uint32_t i = 0; i < COUNT_MAX; i++)
        sl_out_event(&f.out, SL_EV_MOVE_DONE, sl_f_u64("i", i));
    sl_assert_u64(f.out.count, COUNT_MAX - SL_OUTBOX_COMMANDS_MAX);
    sl_assert_u64(f.out.dropped_count, SL_OUTBOX_COMMANDS_MAX);
    teardown(&f);
}

static void a_command_owns_what_it_points_to(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    struct sl_feed_id feed = { .high = 1, .name_len = 1, .name = "f" };
    uint8_t key[] = { 1, 2, 3 }, config[] = "{}";
    struct sl_command c = { .verb = SL_COMMAND_OPEN,
                            .feed_id = &feed,
                            .config = sl_secret_of((struct sl_bytes){ config, 2 }),
                            .span = { .table_id = 4, .start_key = { key, 3 }, .end_key = { key, 2 } } };
    assert_true(sl_out_command(&f.out, &c));
    memset(&feed, 0xff, sizeof feed);
    memset(key, 0xff, sizeof key);
    memset(config, 0xff, sizeof config);
    const struct sl_command *copy = &f.out.items[0].u.command;
    sl_assert_u64(copy->feed_id->high, 1);
    sl_assert_mem(copy->span.start_key.ptr, "\1\2\3", 3);
    sl_assert_u64(copy->span.end_key.len, 2);
    sl_assert_mem(sl_secret_reveal(copy->config).ptr, "{}", 2);
    teardown(&f);
}

/* Every allocation after init fails: what ends work still gets out, and so does what fits into the kept memory. */
static void commands_need_no_memory_beyond_what_init_took(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    f.mem.opts.budget_bytes = f.mem.live_bytes;
    assert_false(send_target(&f, "n2"));
    uint8_t key[100] = { 9 };
    struct sl_feed_id feed = { .high = 3, .name_len = 1, .name = "f" };
    struct sl_command c = { .verb = SL_COMMAND_OPEN_FEED, .feed_id = &feed };
    c.config = sl_secret_of((struct sl_bytes){ key, sizeof key });
    for (uint32_t i = 0; i < SL_OUTBOX_COMMANDS_MAX; i++)
        assert_true(sl_out_command(&f.out, &c));
    sl_assert_u64(f.out.items[SL_OUTBOX_COMMANDS_MAX - 1].u.command.feed_id->high, 3);
    sl_assert_u64(f.out.items[SL_OUTBOX_COMMANDS_MAX - 1].u.command.feed_id->name_len, 1);
    teardown(&f);
}

static void an_open_that_cannot_be_copied_is_refused_to_its_caller(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, COUNT_MAX, BYTES_MAX);
    f.mem.opts.budget_bytes = f.mem.live_bytes;
    static uint8_t config[SL_OUTBOX_COMMAND_BYTES_KEPT + 1];
    struct sl_feed_id feed = { .high = 1 };
    struct sl_command c = { .verb = SL_COMMAND_OPEN_FEED, .feed_id = &feed };
    c.config = sl_secret_of((struct sl_bytes){ config, sizeof config });
    assert_false(sl_out_command(&f.out, &c));
    sl_assert_u64(f.out.count, 0);
    sl_assert_u64(f.out.dropped_count, 1);
    struct sl_command close = close_command(1);
    assert_true(sl_out_command(&f.out, &close));
    teardown(&f);
}

static void every_failed_allocation_drops_at_most_what_needed_it(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 16; n++) {
        struct sl_mem mem;
        struct sl_mem_opts opts = sl_mem_opts_of(0);
        sl_mem_init(&mem, &opts);
        struct fixture f = { .mem = mem };
        f.mem.fail_at = n;
        if (sl_outbox_init(&f.out, &f.mem, SL_TAG_OUTBOX, COUNT_MAX, BYTES_MAX) != SL_OK) {
            sl_outbox_deinit(&f.out);
            sl_mem_deinit(&f.mem);
            continue;
        }
        uint32_t sent = 0;
        for (uint32_t i = 0; i < 300; i++)
            sent += send_target(&f, "n2");
        assert_true(sent + f.out.dropped_count == 300 && f.out.dropped_count <= 1);
        sl_assert_u64(f.out.count, sent);
        teardown(&f);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_keep_their_order_and_their_bytes),
        cmocka_unit_test(a_message_can_go_to_the_second_topic),
        cmocka_unit_test(an_all_default_message_has_a_payload_of_zero_bytes),
        cmocka_unit_test(room_falls_by_one_for_each_message_and_ends_at_zero),
        cmocka_unit_test(commands_and_events_still_fit_when_messages_do_not),
        cmocka_unit_test(events_still_fit_when_the_bytes_of_messages_are_used_up),
        cmocka_unit_test(too_many_events_are_dropped_and_counted),
        cmocka_unit_test(a_command_owns_what_it_points_to),
        cmocka_unit_test(commands_need_no_memory_beyond_what_init_took),
        cmocka_unit_test(an_open_that_cannot_be_copied_is_refused_to_its_caller),
        cmocka_unit_test(every_failed_allocation_drops_at_most_what_needed_it),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
