/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/common/outbox.h"
#include "tests/support/sl_test.h"

#include <string.h>

enum { COUNT_MAX = 512, BYTES_MAX = 1 << 18 };

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

static struct sl_bytes bytes_of(const char *text)
{
    return (struct sl_bytes){ (const uint8_t *)text, strlen(text) };
}

/* A transaction over texts that the caller may spoil afterwards. */
struct txn {
    struct sl_store_compare compare;
    struct sl_store_action then, otherwise;
    struct sl_store_op op;
};

static void txn_init(struct txn *t, sl_op_id id, const char *key, const char *value)
{
    struct sl_str k = sl_str_of(key);
    t->compare = (struct sl_store_compare){ SL_COMPARE_VALUE, k, 0, bytes_of(value) };
    t->then = (struct sl_store_action){ SL_ACTION_PUT, k, bytes_of(value), 7 };
    t->otherwise = (struct sl_store_action){ .kind = SL_ACTION_DELETE, .key = k };
    t->op = (struct sl_store_op){ .id = id,
                                  .verb = SL_STORE_TXN,
                                  .critical = true,
                                  .compares = &t->compare,
                                  .compare_count = 1,
                                  .then = &t->then,
                                  .then_count = 1,
                                  .otherwise = &t->otherwise,
                                  .otherwise_count = 1 };
}

static void a_store_operation_is_copied_with_all_it_points_to(void **state)
{
    (void)state;
    struct fixture f;
    struct txn t;
    char key[] = "/k", value[] = "v1";
    setup(&f, COUNT_MAX, BYTES_MAX);
    txn_init(&t, 9, key, value);
    assert_true(sl_out_store(&f.out, &t.op));
    memset(key, 'X', 2);
    memset(value, 'X', 2);
    memset(&t, 0, sizeof t);

    const struct sl_output *o = f.out.items;
    sl_assert_i64(o->kind, SL_OUT_STORE);
    const struct sl_store_op *op = &o->u.store;
    sl_assert_u64(op->id, 9);
    assert_true(op->critical);
    sl_assert_u64(op->compare_count, 1);
    assert_true(sl_str_eq(op->compares[0].key, SL_STR("/k")));
    assert_true(sl_bytes_eq(op->compares[0].value, bytes_of("v1")));
    assert_true(sl_str_eq(op->then[0].key, SL_STR("/k")));
    assert_true(sl_bytes_eq(op->then[0].value, bytes_of("v1")));
    sl_assert_u64(op->then[0].lease, 7);
    sl_assert_i64(op->otherwise[0].kind, SL_ACTION_DELETE);
    assert_true(sl_str_eq(op->otherwise[0].key, SL_STR("/k")));
    teardown(&f);
}

static void a_store_operation_without_room_is_given_back_and_not_counted(void **state)
{
    (void)state;
    struct fixture f;
    struct txn t;
    static char large[BYTES_MAX];
    setup(&f, COUNT_MAX, BYTES_MAX);
    memset(large, 'v', sizeof large - 1);
    txn_init(&t, 1, "/k", large);
    assert_false(sl_out_store(&f.out, &t.op));
    sl_assert_u64(f.out.count, 0);
    sl_assert_u64(f.out.dropped_count, 0);

    sl_outbox_reset(&f.out);
    txn_init(&t, 1, "/k", "v");
    uint32_t taken = 0;
    while (taken < COUNT_MAX && sl_out_store(&f.out, &t.op))
        taken++;
    sl_assert_u64(taken, COUNT_MAX - 128);
    sl_assert_u64(f.out.count, taken);
    sl_assert_u64(f.out.dropped_count, 0);
    teardown(&f);
}

static void a_message_can_wait_for_an_operation(void **state)
{
    (void)state;
    struct fixture f;
    char node[] = "n2";
    Pb__SetDispatcherDrainTargetRequest req = PB__SET_DISPATCHER_DRAIN_TARGET_REQUEST__INIT;
    req.target_node_id = node;
    setup(&f, COUNT_MAX, BYTES_MAX);
    assert_true(sl_out_send_after(&f.out, 5, 1, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &req.base));
    assert_true(sl_out_send(&f.out, 1, SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST, &req.base));
    sl_assert_u64(f.out.items[0].after, 5);
    sl_assert_i64(f.out.items[0].u.send.topic, SL_TOPIC_MM);
    sl_assert_u64(f.out.items[1].after, 0);
    teardown(&f);
}

static void a_reply_is_copied_with_its_lists(void **state)
{
    (void)state;
    struct fixture f;
    char info[] = "{\"x\":1}";
    struct sl_feed_view feed = { .checkpoint = 5, .placement = "absent", .info = sl_secret_of(bytes_of(info)) };
    struct sl_drain_view drains[2] = { { .moves = 1 }, { .moves = 2 } };
    struct sl_plan_move plan = { .is_target = true };
    struct sl_node_view node = { .maintainers = 3 };
    struct sl_reply reply = { .ticket = 4,
                              .remaining = 1,
                              .drains = drains,
                              .drain_count = 2,
                              .plan = &plan,
                              .plan_count = 1,
                              .nodes = &node,
                              .node_count = 1,
                              .feeds = &feed,
                              .feed_count = 1 };
    setup(&f, COUNT_MAX, BYTES_MAX);
    sl_out_reply(&f.out, &reply);
    memset(drains, 0, sizeof drains);
    memset(&node, 0, sizeof node);
    info[2] = 'y';

    sl_assert_i64(f.out.items[0].kind, SL_OUT_REPLY);
    const struct sl_reply *r = &f.out.items[0].u.reply;
    sl_assert_u64(r->ticket, 4);
    sl_assert_i64(r->code, SL_OK);
    sl_assert_u64(r->drain_count, 2);
    sl_assert_u64(r->drains[1].moves, 2);
    assert_true(r->plan[0].is_target);
    sl_assert_u64(r->nodes[0].maintainers, 3);
    sl_assert_u64(r->feeds[0].checkpoint, 5);
    assert_true(sl_bytes_eq(sl_secret_reveal(r->feeds[0].info), bytes_of("{\"x\":1}")));
    teardown(&f);
}

static void a_list_larger_than_the_room_is_cut_and_says_so(void **state)
{
    (void)state;
    struct fixture f;
    static struct sl_feed_view feeds[1000];
    struct sl_reply reply = { .ticket = 1, .feeds = feeds, .feed_count = 1000 };
    setup(&f, COUNT_MAX, BYTES_MAX);
    sl_out_reply(&f.out, &reply);
    reply.code = SL_NOT_OWNER;
    sl_out_reply(&f.out, &reply);

    const struct sl_reply *r = &f.out.items[0].u.reply;
    sl_assert_i64(r->code, SL_LIMIT);
    assert_in_range(r->feed_count, 1, 999);
    assert_non_null(strstr(r->detail, "cut"));
    sl_assert_i64(f.out.items[1].u.reply.code, SL_NOT_OWNER);
    sl_assert_str(f.out.items[1].u.reply.detail, "");
    teardown(&f);
}

static void a_list_is_cut_where_a_value_does_not_fit(void **state)
{
    (void)state;
    struct fixture f;
    static char large[BYTES_MAX];
    struct sl_feed_view feeds[3] = { 0 };
    struct sl_reply reply = { .ticket = 1, .feeds = feeds, .feed_count = 3 };
    setup(&f, COUNT_MAX, BYTES_MAX);
    memset(large, 'v', sizeof large - 1);
    feeds[1].info = sl_secret_of(bytes_of(large));
    sl_out_reply(&f.out, &reply);
    sl_assert_u64(f.out.items[0].u.reply.feed_count, 1);
    sl_assert_i64(f.out.items[0].u.reply.code, SL_LIMIT);
    teardown(&f);
}

/* Even when a step is full of messages and the heap is exhausted. */
static void replies_and_commands_fit_after_everything_else(void **state)
{
    (void)state;
    struct fixture f;
    struct txn t;
    struct sl_command close = { .verb = SL_COMMAND_CLOSE, .dispatcher = 1 };
    struct sl_reply reply = { .ticket = 1 };
    setup(&f, COUNT_MAX, BYTES_MAX);
    txn_init(&t, 1, "/k", "v");
    for (uint32_t i = 0; i < 100; i++)
        (void)sl_out_store(&f.out, &t.op);
    f.mem.opts.budget_bytes = 1;
    while (sl_out_store(&f.out, &t.op))
        continue;
    uint32_t others = f.out.count;
    for (uint32_t i = 0; i < SL_OUTBOX_COMMANDS_MAX; i++) {
        assert_true(sl_out_command(&f.out, &close));
        sl_out_reply(&f.out, &reply);
        assert_false(sl_out_store(&f.out, &t.op));
    }
    sl_assert_u64(f.out.count, others + SL_OUTBOX_COMMANDS_MAX + SL_OUTBOX_REPLIES_MAX);
    teardown(&f);
}

static void every_blocker_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (int b = 0; b < SL_BLOCKER_COUNT; b++) {
        assert_true(strlen(sl_blocker_name((enum sl_blocker)b)) > 0);
        assert_true(strlen(sl_blocker_text((enum sl_blocker)b)) > 0);
    }
    sl_assert_str(sl_blocker_name(SL_BLOCKED_MOVE_STUCK), "MOVE_STUCK");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_operation_is_copied_with_all_it_points_to),
        cmocka_unit_test(a_store_operation_without_room_is_given_back_and_not_counted),
        cmocka_unit_test(a_message_can_wait_for_an_operation),
        cmocka_unit_test(a_reply_is_copied_with_its_lists),
        cmocka_unit_test(a_list_larger_than_the_room_is_cut_and_says_so),
        cmocka_unit_test(a_list_is_cut_where_a_value_does_not_fit),
        cmocka_unit_test(replies_and_commands_fit_after_everything_else),
        cmocka_unit_test(every_blocker_has_a_name_and_a_text),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
