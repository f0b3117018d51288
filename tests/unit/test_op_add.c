/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/control_driver.h"

#define N1 ((sl_node_ref)1)
#define N2 ((sl_node_ref)2)
#define N3 ((sl_node_ref)3)
#define TIMEOUT (30 * SL_S)

static const struct sl_maintainer_limits *no_balance(void)
{
    static struct sl_maintainer_limits limits;
    limits = ctl_limits();
    limits.balance_ns = SL_NEVER;
    return &limits;
}

static void create_names_span_placement_epoch_and_start(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 42, 7);
    sl_assert_u64(d.order_count, 1);
    const struct ctl_order *o = ctl_last(&d);
    assert_true(o->is_create);
    sl_assert_u64(o->to, N1);
    sl_assert_i64(o->type, PB__OPERATOR_TYPE__O_ADD);
    assert_true(sl_dispatcher_id_eq(o->id, id));
    sl_assert_i64(o->table_id, 42);
    sl_assert_i64(o->schema_id, 3);
    sl_assert_u64(o->keyspace_id, CTL_KEYSPACE);
    sl_assert_u64(o->epoch, CTL_EPOCH);
    sl_assert_u64(o->seq, 1);
    sl_assert_u64(o->start_ts, 7);
    ctl_assert_scheduling(&d, id, N1);
    ctl_stop(&d);
}

/* Facts 46 and 47, the parts without barriers. */
static void start_is_the_span_checkpoint_but_not_below_what_is_committed(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    ctl_add(&d, 1, 10);
    sl_assert_u64(ctl_last(&d)->start_ts, 10);
    sl_control_set_committed(d.control, 20);
    sl_control_set_committed(d.control, 15);
    ctl_add(&d, 2, 10);
    sl_assert_u64(ctl_last(&d)->start_ts, 20);
    ctl_stop(&d);
}

/* Fact 33. */
static void working_ends_the_add_and_nothing_more_is_sent(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    assert_int_equal(ctl_working(&d, N1, id, 10), SL_STATUS_APPLIED);
    ctl_assert_replicating(&d, id, N1);
    sl_assert_u64(sl_control_operator_count(d.control), 0);
    ctl_forget(&d);
    ctl_run(&d, 5 * SL_S);
    sl_assert_u64(d.order_count, 0);
    ctl_stop(&d);
}

/* Fact 33. */
static void lost_destination_makes_the_span_absent_and_it_is_placed_elsewhere(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    ctl_join(&d, 2);
    ctl_adopt(&d, 100, N1, 5);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    sl_assert_u64(ctl_last(&d)->to, N2);
    ctl_lost(&d, 2);
    ctl_assert_scheduling(&d, id, N1);
    sl_assert_u64(ctl_last(&d)->to, N1);
    sl_assert_u64(ctl_last(&d)->seq, 2);
    ctl_stop(&d);
}

/* Fact 33: with nowhere else to go it stays absent. */
static void lost_destination_without_another_leaves_the_span_absent(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_assert_scheduling(&d, id, N2);
    ctl_lost(&d, 2);
    ctl_assert_absent(&d, id);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 10);
    ctl_stop(&d);
}

/* Fact 33. */
static void stopped_is_no_answer_and_create_is_sent_again(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_stopped(&d, N1, id, 0);
    ctl_assert_scheduling(&d, id, N1);
    ctl_tick(&d, SL_S);
    sl_assert_u64(ctl_creates_to(&d, N1), 2);
    sl_assert_u64(ctl_last(&d)->seq, 1);
    ctl_stop(&d);
}

/* Fact 33. */
static void removed_makes_the_span_absent_and_unbound(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__REMOVED, 0, 1);
    ctl_assert_absent(&d, id);
    sl_assert_u64(d.event_count[SL_EV_OPERATOR_FAILED], 1);
    ctl_stop(&d);
}

static void a_refused_span_goes_to_another_node_at_once_and_back_only_after_a_while(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__REMOVED, 0, 1);
    ctl_assert_scheduling(&d, id, N2);
    ctl_lost(&d, 2);
    ctl_assert_absent(&d, id); /* N1 is all there is, but the two shall not toss it to and fro */
    ctl_tick(&d, 50 * SL_MS);
    ctl_assert_absent(&d, id);
    ctl_run(&d, 50 * SL_MS);
    ctl_assert_scheduling(&d, id, N1);
    ctl_stop(&d);
}

static void a_refusal_is_forgotten_once_the_span_runs(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__REMOVED, 0, 1);
    ctl_working(&d, N2, id, 10);
    ctl_assert_replicating(&d, id, N2);
    ctl_lost(&d, 2);
    ctl_assert_scheduling(&d, id, N1); /* without a pause */
    ctl_stop(&d);
}

/* Fact 33: the end of an operator brings no dropped span back. */
static void dropping_the_table_replaces_the_add_by_one_removal(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_forget(&d);
    assert_true(ctl_drop(&d, 1));
    sl_assert_u64(sl_control_span_count(d.control), 0);
    sl_assert_u64(d.order_count, 1);
    assert_false(ctl_last(&d)->is_create);
    sl_assert_i64(ctl_last(&d)->type, PB__OPERATOR_TYPE__O_REMOVE);
    sl_assert_i64(ctl_last(&d)->table_id, 1);
    sl_assert_i64(ctl_last(&d)->schema_id, 3);
    sl_assert_u64(ctl_last(&d)->keyspace_id, CTL_KEYSPACE);
    sl_assert_u64(ctl_last(&d)->seq, 1);
    sl_assert_u64(ctl_counts(&d, N1).bound, 0);
    sl_assert_u64(ctl_counts(&d, N1).stopping, 1);
    assert_int_equal(ctl_working(&d, N1, id, 20), SL_STATUS_IGNORED);
    assert_int_equal(ctl_stopped(&d, N1, id, 20), SL_STATUS_APPLIED);
    sl_assert_u64(sl_control_span_count(d.control), 0);
    sl_assert_u64(sl_control_operator_count(d.control), 0);
    assert_false(sl_control_node_is_used(d.control, N1));
    ctl_stop(&d);
}

static void an_add_that_takes_too_long_is_taken_back_before_another_node_gets_it(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, no_balance());
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_assert_scheduling(&d, id, N1);
    ctl_run(&d, TIMEOUT - SL_MS);
    sl_assert_u64(ctl_removes_to(&d, N1), 0);
    ctl_forget(&d);
    ctl_run(&d, SL_MS);
    sl_assert_u64(ctl_removes_to(&d, N1), 1);
    sl_assert_i64(ctl_last(&d)->type, PB__OPERATOR_TYPE__O_MOVE); /* the span lives on */
    sl_assert_u64(d.event_count[SL_EV_OPERATOR_FAILED], 1);
    sl_assert_u64(ctl_counts(&d, N1).stopping, 1);
    sl_assert_u64(ctl_counts(&d, N1).starting, 0);
    ctl_working(&d, N1, id, 11); /* too late */
    ctl_assert_scheduling(&d, id, N1);
    sl_assert_u64(ctl_creates_to(&d, N2), 0);
    ctl_stopped(&d, N1, id, 15);
    ctl_assert_scheduling(&d, id, N2);
    sl_assert_u64(ctl_last(&d)->start_ts, 15);
    sl_assert_u64(ctl_last(&d)->seq, 2);
    ctl_stop(&d);
}

static void an_add_that_is_taken_back_ends_when_its_node_is_lost(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, no_balance());
    ctl_adopt(&d, 100, N1, 5);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_assert_scheduling(&d, id, N2);
    ctl_run(&d, TIMEOUT);
    ctl_lost(&d, 2);
    ctl_assert_scheduling(&d, id, N3);
    ctl_stop(&d);
}

/* T5: the order leaves for a node that may take spans, or not at all. */
static void create_is_not_repeated_to_a_node_that_became_a_target(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_target(&d, N1, 1);
    ctl_assert_scheduling(&d, id, N1); /* it was asked, and may answer yet */
    ctl_tick(&d, SL_S);
    sl_assert_u64(ctl_creates_to(&d, N1), 1);
    sl_assert_u64(ctl_removes_to(&d, N1), 1);
    ctl_stopped(&d, N1, id, 0);
    ctl_assert_scheduling(&d, id, N2);
    ctl_stop(&d);
}

static void a_late_status_of_an_earlier_placement_is_ignored(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, no_balance());
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__REMOVED, 0, 1);
    ctl_assert_scheduling(&d, id, N2);
    ctl_status(&d, N2, id, PB__COMPONENT_STATE__REMOVED, 0, 2);
    ctl_assert_scheduling(&d, id, N1);
    sl_assert_u64(ctl_view(&d, id).placement_seq, 3);
    assert_int_equal(ctl_status(&d, N1, id, PB__COMPONENT_STATE__WORKING, 50, 1), SL_STATUS_IGNORED);
    ctl_assert_scheduling(&d, id, N1);
    sl_assert_u64(ctl_view(&d, id).checkpoint, 10);
    assert_int_equal(ctl_status(&d, N1, id, PB__COMPONENT_STATE__WORKING, 50, 3), SL_STATUS_APPLIED);
    ctl_assert_replicating(&d, id, N1);
    ctl_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_names_span_placement_epoch_and_start),
        cmocka_unit_test(start_is_the_span_checkpoint_but_not_below_what_is_committed),
        cmocka_unit_test(working_ends_the_add_and_nothing_more_is_sent),
        cmocka_unit_test(lost_destination_makes_the_span_absent_and_it_is_placed_elsewhere),
        cmocka_unit_test(lost_destination_without_another_leaves_the_span_absent),
        cmocka_unit_test(stopped_is_no_answer_and_create_is_sent_again),
        cmocka_unit_test(removed_makes_the_span_absent_and_unbound),
        cmocka_unit_test(a_refused_span_goes_to_another_node_at_once_and_back_only_after_a_while),
        cmocka_unit_test(a_refusal_is_forgotten_once_the_span_runs),
        cmocka_unit_test(dropping_the_table_replaces_the_add_by_one_removal),
        cmocka_unit_test(an_add_that_takes_too_long_is_taken_back_before_another_node_gets_it),
        cmocka_unit_test(an_add_that_is_taken_back_ends_when_its_node_is_lost),
        cmocka_unit_test(create_is_not_repeated_to_a_node_that_became_a_target),
        cmocka_unit_test(a_late_status_of_an_earlier_placement_is_ignored),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
