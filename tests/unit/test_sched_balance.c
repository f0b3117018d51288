/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/control_driver.h"

#define N1 ((sl_node_ref)1)
#define N2 ((sl_node_ref)2)
#define N3 ((sl_node_ref)3)
#define INTERVAL (15 * SL_S)
#define PAUSE (120 * SL_S)

/* Spans per node; then one balance round. Returns the moves. */
static uint32_t moves_for(const uint32_t *spans, uint32_t nodes)
{
    struct control_driver d;
    ctl_start(&d, nodes, NULL);
    for (uint32_t i = 0; i < nodes; i++)
        ctl_adopt_many(&d, 1000 * (i + 1), spans[i], i + 1);
    ctl_run(&d, INTERVAL);
    uint32_t moves = sl_control_move_count(d.control);
    ctl_stop(&d);
    return moves;
}

/* Fact 62. */
static void as_many_moves_as_bring_every_node_to_the_floor_of_the_average(void **state)
{
    (void)state;
    sl_assert_u64(moves_for((const uint32_t[]){ 2, 2, 0 }, 3), 1);
    sl_assert_u64(moves_for((const uint32_t[]){ 2, 0 }, 2), 1);
    sl_assert_u64(moves_for((const uint32_t[]){ 16, 16, 16, 16, 16, 11 }, 6), 4);
    sl_assert_u64(moves_for((const uint32_t[]){ 7 }, 1), 0);
    sl_assert_u64(moves_for((const uint32_t[]){ 0, 0 }, 2), 0);
    sl_assert_u64(moves_for((const uint32_t[]){ 3, 2 }, 2), 0);
    uint32_t last_is_full[CTL_NODES_MAX] = { [CTL_NODES_MAX - 1] = 32 }, last_is_empty[CTL_NODES_MAX] = { 0 };
    for (uint32_t i = 0; i + 1 < CTL_NODES_MAX; i++)
        last_is_empty[i] = 16;
    sl_assert_u64(moves_for(last_is_full, CTL_NODES_MAX), 30);
    sl_assert_u64(moves_for(last_is_empty, CTL_NODES_MAX), 15);
}

/* Fact 62: no node that may take part. */
static void without_eligible_nodes_nothing_is_balanced(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    ctl_adopt_many(&d, 1, 10, N1);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    sl_control_node_liveness(d.control, N2, SL_LIVENESS_DRAINING);
    ctl_run(&d, 2 * INTERVAL);
    sl_assert_u64(d.order_count, 0);
    ctl_stop(&d);
}

/* Fact 61. */
static void a_second_node_gets_half_and_its_loss_brings_it_back(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    ctl_adopt_many(&d, 1, 100, N1);
    ctl_run(&d, INTERVAL);
    sl_assert_u64(sl_control_move_count(d.control), 0);
    ctl_join(&d, 2);
    ctl_run(&d, INTERVAL);
    sl_assert_u64(sl_control_move_count(d.control), 50);
    sl_assert_u64(ctl_counts(&d, N1).bound, 100);
    sl_assert_u64(ctl_counts(&d, N1).stopping, 50);
    sl_assert_u64(d.pacer.in_flight, 0); /* the pacer is for drains */
    ctl_lost(&d, 2);
    sl_assert_u64(ctl_counts(&d, N1).bound, 100);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N1).idle, 100);
    sl_assert_u64(ctl_stats(&d).replicating, 100);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    ctl_stop(&d);
}

/* Fact 58. */
static void a_round_has_at_most_a_batch_of_moves(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = ctl_limits();
    limits.balance_batch = 5;
    struct control_driver d;
    ctl_start(&d, 2, &limits);
    ctl_adopt_many(&d, 1, 20, N1);
    ctl_run(&d, INTERVAL);
    sl_assert_u64(sl_control_move_count(d.control), 5);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N2).idle, 5);
    ctl_run(&d, INTERVAL);
    sl_assert_u64(sl_control_move_count(d.control), 5);
    ctl_stop(&d);
}

/* Fact 56. */
static void it_runs_at_its_interval_whatever_the_last_round_did(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    for (int round = 0; round < 3; round++) {
        sl_assert_i64(sl_control_deadline(d.control), d.now + INTERVAL);
        ctl_run(&d, INTERVAL);
    }
    ctl_adopt_many(&d, 1, 10, N1);
    ctl_run(&d, INTERVAL);
    sl_assert_u64(sl_control_move_count(d.control), 5);
    ctl_answer(&d);
    sl_assert_i64(sl_control_deadline(d.control), d.now + INTERVAL);
    ctl_stop(&d);
}

static void the_first_round_is_an_interval_after_the_start(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_open(&d, 2, NULL);
    ctl_ready(&d, 1);
    ctl_ready(&d, 2);
    ctl_adopt_many(&d, 1, 20, N1);
    sl_control_start(d.control, d.now, &d.out);
    sl_assert_u64(sl_control_move_count(d.control), 0);
    sl_assert_i64(sl_control_deadline(d.control), d.now + INTERVAL);
    ctl_stop(&d);
}

/* Facts 57 and 59. */
static void a_drain_pauses_it_and_so_does_the_time_after(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 20, N1);
    ctl_target(&d, N3, 1);
    ctl_run(&d, 3 * INTERVAL);
    sl_assert_u64(d.order_count, 0);
    ctl_target(&d, SL_NODE_NONE, 1);
    ctl_run(&d, PAUSE - INTERVAL);
    sl_assert_u64(d.order_count, 0);
    ctl_run(&d, 2 * INTERVAL);
    assert_true(sl_control_move_count(d.control) > 0);
    ctl_stop(&d);
}

/* W11: a drain between two rounds counts too. */
static void a_drain_shorter_than_the_interval_pauses_it_as_well(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 20, N1);
    ctl_run(&d, SL_S);
    ctl_target(&d, N3, 1);
    ctl_run(&d, SL_S);
    ctl_target(&d, SL_NODE_NONE, 1);
    ctl_run(&d, PAUSE - SL_S);
    sl_assert_u64(d.order_count, 0);
    ctl_run(&d, INTERVAL + SL_S);
    assert_true(sl_control_move_count(d.control) > 0);
    ctl_stop(&d);
}

static void an_operator_or_an_absent_span_holds_it_up(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    ctl_adopt_many(&d, 1, 20, N1);
    assert_int_equal(ctl_remove(&d, N2, (struct sl_dispatcher_id){ 5, 5 }, false), SL_OK);
    ctl_run(&d, 2 * INTERVAL);
    sl_assert_u64(sl_control_move_count(d.control), 0);
    ctl_stopped(&d, N2, (struct sl_dispatcher_id){ 5, 5 }, 0);
    ctl_run(&d, INTERVAL);
    sl_assert_u64(sl_control_move_count(d.control), 10);
    ctl_stop(&d);
}

/* The node analog of W15: what is leaving or not there yet is neither filled nor levelled. */
static void only_eligible_nodes_give_and_take(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 20, N1);
    ctl_adopt_many(&d, 100, 8, N2);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    ctl_run(&d, INTERVAL);
    sl_assert_u64(ctl_counts(&d, N1).moves_from, 0);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 4);
    sl_assert_u64(ctl_creates_to(&d, N3), 0);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N3).idle, 4);
    ctl_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_moves_as_bring_every_node_to_the_floor_of_the_average),
        cmocka_unit_test(without_eligible_nodes_nothing_is_balanced),
        cmocka_unit_test(a_second_node_gets_half_and_its_loss_brings_it_back),
        cmocka_unit_test(a_round_has_at_most_a_batch_of_moves),
        cmocka_unit_test(it_runs_at_its_interval_whatever_the_last_round_did),
        cmocka_unit_test(the_first_round_is_an_interval_after_the_start),
        cmocka_unit_test(a_drain_pauses_it_and_so_does_the_time_after),
        cmocka_unit_test(a_drain_shorter_than_the_interval_pauses_it_as_well),
        cmocka_unit_test(an_operator_or_an_absent_span_holds_it_up),
        cmocka_unit_test(only_eligible_nodes_give_and_take),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
