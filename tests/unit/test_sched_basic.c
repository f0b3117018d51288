/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/control_driver.h"

#define N1 ((sl_node_ref)1)
#define N2 ((sl_node_ref)2)
#define N3 ((sl_node_ref)3)

static void add_tables(struct control_driver *d, int64_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(
            sl_control_add_table(d->control, (struct sl_table){ .table_id = first + i, .schema_id = 1 }, 10, 0), SL_OK);
    ctl_tick(d, 0);
}

/* Fact 60. */
static void a_batch_of_nine_spreads_ten_tables_evenly_and_leaves_one(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = ctl_limits();
    limits.create_batch = 9;
    struct control_driver d;
    ctl_start(&d, 3, &limits);
    add_tables(&d, 1, 10);
    sl_assert_u64(ctl_stats(&d).operators, 9);
    sl_assert_u64(ctl_stats(&d).absent, 1);
    for (sl_node_ref node = N1; node <= N3; node++) {
        sl_assert_u64(ctl_creates_to(&d, node), 3);
        sl_assert_u64(ctl_counts(&d, node).starting, 3);
    }
    ctl_answer_one(&d, &d.orders[0]);
    sl_assert_u64(ctl_stats(&d).absent, 0); /* at once, not at the next poll */
    ctl_stop(&d);
}

/* Fact 48. */
static void a_span_that_no_node_may_take_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N2, 10);
    assert_int_equal(ctl_remove(&d, N1, id, false), SL_OK); /* a copy of it */
    ctl_lost(&d, 2);                                        /* now its id is busy on the only node */
    ctl_forget(&d);
    add_tables(&d, 2, 3);
    ctl_assert_absent(&d, id);
    sl_assert_u64(ctl_creates_to(&d, N1), 3);
    ctl_stopped(&d, N1, id, 10);
    ctl_run(&d, 100 * SL_MS);
    ctl_assert_scheduling(&d, id, N1);
    ctl_stop(&d);
}

static void least_bound_node_first_and_ties_to_the_lowest(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 100, 2, N1);
    ctl_adopt_many(&d, 200, 1, N2);
    ctl_adopt_many(&d, 300, 2, N3);
    add_tables(&d, 1, 5);
    static const sl_node_ref expected[] = { N2, N1, N2, N3, N1 };
    sl_assert_u64(d.order_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        sl_assert_u64(d.orders[i].to, expected[i]);
    ctl_stop(&d);
}

/* T5, W5. */
static void nothing_is_placed_on_a_node_that_is_not_eligible(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 4, NULL);
    d.alive[5] = true;
    ctl_lost(&d, 6); /* nobody; n5 becomes a member that has not bootstrapped */
    ctl_target(&d, 2, 1);
    sl_control_node_liveness(d.control, 3, SL_LIVENESS_DRAINING);
    sl_control_node_liveness(d.control, 4, SL_LIVENESS_STOPPING);
    add_tables(&d, 1, 10);
    sl_assert_u64(ctl_creates_to(&d, N1), 10);
    sl_assert_u64(d.order_count, 10);
    ctl_ready(&d, 5);
    add_tables(&d, 20, 5);
    sl_assert_u64(ctl_creates_to(&d, ctl_ref(&d, 5)), 5);
    ctl_stop(&d);
}

static void spans_wait_until_a_node_becomes_eligible(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    add_tables(&d, 1, 3);
    sl_assert_u64(d.order_count, 0);
    assert_true(sl_control_deadline(d.control) > d.now);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_ALIVE);
    sl_assert_i64(sl_control_deadline(d.control), d.now);
    ctl_tick(&d, 0);
    sl_assert_u64(ctl_creates_to(&d, N1), 3);
    ctl_stop(&d);
}

static void a_lost_node_that_is_not_told_yet_gets_nothing(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 6, N2);
    ctl_lost_both(&d, 2, 3); /* n2 is told first, while n3 looks eligible */
    sl_assert_u64(ctl_creates_to(&d, N1), 6);
    sl_assert_u64(d.order_count, 6);
    ctl_stop(&d);
}

static void spans_of_a_lost_node_go_to_the_others_at_once(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 30, N3);
    ctl_lost(&d, 3);
    sl_assert_u64(ctl_creates_to(&d, N1), 15);
    sl_assert_u64(ctl_creates_to(&d, N2), 15);
    sl_assert_u64(d.event_count[SL_EV_SPAN_LOST], 1); /* one line, not thirty */
    ctl_answer(&d);
    sl_assert_u64(ctl_stats(&d).replicating, 30);
    ctl_stop(&d);
}

static void without_memory_it_tries_again_after_a_while(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    assert_int_equal(sl_control_add_table(d.control, (struct sl_table){ .table_id = 1, .schema_id = 1 }, 10, 0), SL_OK);
    d.mem.fail_at = 1;
    ctl_tick(&d, 0);
    sl_assert_u64(d.order_count, 0);
    sl_assert_i64(sl_control_deadline(d.control), d.now + 100 * SL_MS);
    ctl_run(&d, 100 * SL_MS);
    sl_assert_u64(d.order_count, 1);
    ctl_stop(&d);
}

static void nothing_is_placed_before_the_start(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_open(&d, 1, NULL);
    ctl_ready(&d, 1);
    add_tables(&d, 1, 3);
    sl_assert_u64(d.order_count, 0);
    assert_true(sl_control_deadline(d.control) == SL_NEVER);
    sl_control_start(d.control, d.now, &d.out);
    sl_assert_u64(ctl_counts(&d, N1).starting, 3);
    ctl_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_of_nine_spreads_ten_tables_evenly_and_leaves_one),
        cmocka_unit_test(a_span_that_no_node_may_take_does_not_hold_up_the_others),
        cmocka_unit_test(least_bound_node_first_and_ties_to_the_lowest),
        cmocka_unit_test(nothing_is_placed_on_a_node_that_is_not_eligible),
        cmocka_unit_test(spans_wait_until_a_node_becomes_eligible),
        cmocka_unit_test(a_lost_node_that_is_not_told_yet_gets_nothing),
        cmocka_unit_test(spans_of_a_lost_node_go_to_the_others_at_once),
        cmocka_unit_test(without_memory_it_tries_again_after_a_while),
        cmocka_unit_test(nothing_is_placed_before_the_start),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
