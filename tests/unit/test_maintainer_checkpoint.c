/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/checkpoint.h"
#include "tests/support/maintainer_driver.h"

/* The feed's checkpoint: conformance facts 24, 27, 28 and 29. Fact 30 is about redo, which does not exist here. */

static struct driver d;

static void begin(uint32_t nodes, uint32_t tables)
{
    driver_init(&d, nodes);
    driver_set_tables(&d, tables);
}

static void end(void)
{
    driver_deinit(&d);
}

static void say(uint32_t node, sl_ts checkpoint)
{
    const struct driver_beat beat = { .checkpoint = checkpoint };
    sl_assert_i64(driver_beat(&d, node, &beat), SL_REFUSE_NONE);
}

/* ---- one watermark ---- */

static void greater_seq_wins_even_with_a_smaller_checkpoint(void **state)
{
    (void)state;
    struct sl_mark mark = { 0 };
    assert_true(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 100, .resolved = 110, .seq = 5 }));
    assert_true(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 50, .resolved = 60, .seq = 6 }));
    sl_assert_u64(mark.checkpoint, 50u);
    assert_false(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 200, .resolved = 200, .seq = 5 }));
    sl_assert_u64(mark.checkpoint, 50u);
}

static void equal_seq_may_only_advance(void **state)
{
    (void)state;
    struct sl_mark mark = { 0 };
    assert_true(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 100, .resolved = 100, .seq = 5 }));
    assert_false(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 90, .resolved = 100, .seq = 5 }));
    assert_false(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 100, .resolved = 120, .seq = 5 }));
    assert_true(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 101, .resolved = 101, .seq = 5 }));
    sl_assert_u64(mark.checkpoint, 101u);
}

static void newer_seq_with_equal_values_is_no_change_but_counts(void **state)
{
    (void)state;
    struct sl_mark mark = { 0 };
    assert_true(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 100, .resolved = 100, .seq = 5 }));
    assert_false(sl_mark_apply(&mark, &(struct sl_mark){ .checkpoint = 100, .resolved = 100, .seq = 9 }));
    sl_assert_u64(mark.seq, 9u);
}

static void setter_reports_a_change_only_on_a_difference(void **state)
{
    (void)state;
    struct sl_checkpoint c = { .committed = 10, .working = 10, .resolved = 10 };
    assert_true(sl_checkpoint_advance(&c, 20, 30));
    assert_false(sl_checkpoint_advance(&c, 20, 30));
    assert_true(sl_checkpoint_advance(&c, 20, 31));
    assert_false(sl_checkpoint_advance(&c, SL_TS_MAX, SL_TS_MAX));
    assert_true(sl_checkpoint_advance(&c, 15, 31));
    sl_assert_u64(c.working, 15u);
    sl_assert_u64(c.committed, 20u);
}

/* ---- rounds ---- */

static void checkpoint_is_the_smallest_of_all_nodes(void **state)
{
    (void)state;
    begin(3, 3);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    say(0, 5000);
    say(1, 4000);
    say(2, 6000);
    driver_run_alone(&d, 200 * SL_MS);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 4000u);
    end();
}

static void nothing_advances_while_a_used_node_has_said_nothing(void **state)
{
    (void)state;
    begin(2, 2);
    driver_add_dispatcher(&d, 1, 11, 1);
    driver_bootstrap(&d);
    say(0, 5000);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), DRIVER_START_TS);
    say(1, 5000);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 5000u);
    end();
}

static void node_without_spans_does_not_count_but_the_own_one_does(void **state)
{
    (void)state;
    begin(3, 0);
    driver_bootstrap(&d);
    say(1, 2000);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), DRIVER_START_TS);
    say(0, 5000);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 5000u);
    end();
}

static void maximum_says_nothing_until_a_real_value_arrives(void **state)
{
    (void)state;
    begin(1, 0);
    driver_bootstrap(&d);
    say(0, SL_TS_MAX);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), DRIVER_START_TS);
    say(0, 2000);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 2000u);
    end();
}

static void span_without_a_dispatcher_holds_the_checkpoint(void **state)
{
    (void)state;
    begin(2, 1);
    d.nodes[0].ignores_schedules = d.nodes[1].ignores_schedules = true;
    driver_bootstrap(&d);
    say(0, 5000);
    say(1, 5000);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(driver_stats(&d).replicating, 0u);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), DRIVER_START_TS);
    end();
}

/* Hand-over with an Add in flight: nothing new is started, but what is unfinished still holds the checkpoint. */
static void unfinished_add_holds_the_checkpoint_of_a_closing_maintainer(void **state)
{
    (void)state;
    begin(1, 1);
    d.nodes[0].ignores_schedules = true;
    driver_bootstrap(&d);
    sl_assert_i64(driver_remove(&d, false, false, DRIVER_EPOCH), SL_REFUSE_NONE);
    say(0, 5000);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(driver_status(&d)->checkpoint_ts, DRIVER_START_TS);
    end();
}

static void committed_checkpoint_never_goes_back(void **state)
{
    (void)state;
    begin(1, 0);
    driver_bootstrap(&d);
    say(0, 5000);
    driver_run_alone(&d, SL_S);
    say(0, 4000);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 5000u);
    sl_assert_u64(driver_status(&d)->checkpoint_ts, 5000u);
    end();
}

/* A first word of a dispatcher with an old watermark: what it says of itself counts. */
static void started_dispatcher_counts_before_the_watermark_knows_it(void **state)
{
    (void)state;
    begin(2, 1);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    uint32_t node = d.nodes[0].dispatcher_count ? 0 : 1;
    d.nodes[0].checkpoint = d.nodes[1].checkpoint = 9000;
    struct sl_dispatcher_id id = d.nodes[node].dispatchers[0].id;
    uint64_t seq = d.nodes[node].dispatchers[0].placement_seq;
    say(1 - node, 9000);
    const struct driver_beat beat = { .checkpoint = 9000, .id = id, .status_checkpoint = 3000, .placement_seq = seq };
    driver_beat(&d, node, &beat);
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 3000u);
    end();
}

static void feed_at_rest_wants_no_rounds(void **state)
{
    (void)state;
    begin(2, 2);
    driver_bootstrap(&d);
    driver_run(&d, 3 * SL_S);
    say(0, DRIVER_START_TS);
    say(1, DRIVER_START_TS);
    sl_ns due = sl_maintainer_deadline(d.m);
    assert_true(due > d.now + SL_S); /* only the look for silent nodes is left */
    say(0, DRIVER_START_TS + 1);     /* computed at once: the last round is long ago */
    say(0, DRIVER_START_TS + 2);
    due = sl_maintainer_deadline(d.m);
    assert_true(due <= d.now + 100 * SL_MS);
    end();
}

static void last_synced_is_the_largest_ever_said(void **state)
{
    (void)state;
    begin(2, 0);
    driver_bootstrap(&d);
    driver_beat(&d, 0, &(struct driver_beat){ .checkpoint = 2000, .last_synced = 70 });
    driver_beat(&d, 1, &(struct driver_beat){ .checkpoint = 2000, .last_synced = 50 });
    sl_assert_u64(driver_status(&d)->last_synced_ts, 70u);
    end();
}

/* ---- low latency ---- */

static const uint8_t low_latency_record[] =
    "{\"config\":{\"performance-mode\":\"low-latency\",\"filter\":{},\"sink\":{},\"consistent\":{},\"scheduler\":{}}}";

static void low_latency_feed_computes_at_once_and_asks_once_for_a_prompt_heartbeat(void **state)
{
    (void)state;
    begin(1, 0);
    d.opts.config = sl_secret_of((struct sl_bytes){ low_latency_record, sizeof low_latency_record - 1 });
    driver_bootstrap(&d);
    (void)driver_status(&d);
    assert_false(sl_maintainer_take_prompt(d.m));
    say(0, 2000);
    say(0, 2001);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 2001u);
    assert_true(sl_maintainer_take_prompt(d.m));
    assert_false(sl_maintainer_take_prompt(d.m));
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    (void)driver_status(&d);
    say(0, 2001);
    assert_false(sl_maintainer_take_prompt(d.m));
    assert_false(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    end();
}

static void other_feeds_never_ask_for_one(void **state)
{
    (void)state;
    begin(1, 0);
    driver_bootstrap(&d);
    driver_run_alone(&d, SL_S);
    (void)driver_status(&d);
    say(0, 2000);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 2000u); /* a round was due anyway */
    assert_false(sl_maintainer_take_prompt(d.m));
    assert_false(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    say(0, 3000);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 2000u);
    driver_run_alone(&d, 100 * SL_MS);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 3000u);
    end();
}

static void persisted_checkpoint_is_passed_on_to_the_own_node(void **state)
{
    (void)state;
    begin(2, 0);
    Pb__ChangefeedID feed = sl_feed_id_pb(&d.feed);
    Pb__CheckpointTsMessage message = PB__CHECKPOINT_TS_MESSAGE__INIT;
    message.changefeed = &feed;
    message.checkpoint_ts = 4321;
    driver_start(&d);
    sl_node_ref from = driver_ref(&d, 1);
    sl_assert_i64(sl_maintainer_on_message(d.m, d.now, from, SL_MSG_CHECKPOINT_TS_MESSAGE, &message.base, &d.out),
                  SL_REFUSE_NOT_BOOTSTRAPPED);
    driver_collect(&d);
    driver_deliver(&d);
    sl_assert_i64(sl_maintainer_on_message(d.m, d.now, from, SL_MSG_CHECKPOINT_TS_MESSAGE, &message.base, &d.out),
                  SL_REFUSE_NONE);
    driver_collect(&d);
    sl_assert_u64(d.sent[SL_MSG_CHECKPOINT_TS_MESSAGE][0], 1u);
    sl_assert_u64(d.sent_to_hc, 1u);
    const Pb__CheckpointTsMessage *passed = driver_peek(&d, SL_MSG_CHECKPOINT_TS_MESSAGE, 0);
    sl_assert_u64(passed->checkpoint_ts, 4321u);
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greater_seq_wins_even_with_a_smaller_checkpoint),
        cmocka_unit_test(equal_seq_may_only_advance),
        cmocka_unit_test(newer_seq_with_equal_values_is_no_change_but_counts),
        cmocka_unit_test(setter_reports_a_change_only_on_a_difference),
        cmocka_unit_test(checkpoint_is_the_smallest_of_all_nodes),
        cmocka_unit_test(nothing_advances_while_a_used_node_has_said_nothing),
        cmocka_unit_test(node_without_spans_does_not_count_but_the_own_one_does),
        cmocka_unit_test(maximum_says_nothing_until_a_real_value_arrives),
        cmocka_unit_test(span_without_a_dispatcher_holds_the_checkpoint),
        cmocka_unit_test(unfinished_add_holds_the_checkpoint_of_a_closing_maintainer),
        cmocka_unit_test(committed_checkpoint_never_goes_back),
        cmocka_unit_test(started_dispatcher_counts_before_the_watermark_knows_it),
        cmocka_unit_test(feed_at_rest_wants_no_rounds),
        cmocka_unit_test(last_synced_is_the_largest_ever_said),
        cmocka_unit_test(low_latency_feed_computes_at_once_and_asks_once_for_a_prompt_heartbeat),
        cmocka_unit_test(other_feeds_never_ask_for_one),
        cmocka_unit_test(persisted_checkpoint_is_passed_on_to_the_own_node),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
