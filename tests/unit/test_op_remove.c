/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/control_driver.h"

#define N1 ((sl_node_ref)1)
#define N2 ((sl_node_ref)2)
#define N3 ((sl_node_ref)3)

static const struct sl_dispatcher_id orphan = { 77, 1 };

/* Fact 35. */
static void only_stopped_or_removed_ends_a_removal(void **state)
{
    (void)state;
    static const Pb__ComponentState last[] = { PB__COMPONENT_STATE__STOPPED, PB__COMPONENT_STATE__REMOVED };
    for (int i = 0; i < 2; i++) {
        struct control_driver d;
        ctl_start(&d, 2, NULL);
        assert_int_equal(ctl_remove(&d, N2, orphan, false), SL_OK);
        assert_int_equal(ctl_status(&d, N2, orphan, PB__COMPONENT_STATE__WAITING_MERGE, 5, 0), SL_STATUS_IGNORED);
        assert_int_equal(ctl_status(&d, N2, orphan, PB__COMPONENT_STATE__WORKING, 5, 0), SL_STATUS_IGNORED);
        sl_assert_u64(ctl_counts(&d, N2).stopping, 1);
        assert_true(sl_control_node_is_used(d.control, N2));
        assert_int_equal(ctl_status(&d, N2, orphan, last[i], 5, 0), SL_STATUS_APPLIED);
        sl_assert_u64(ctl_stats(&d).operators, 0);
        assert_false(sl_control_node_is_used(d.control, N2));
        ctl_stop(&d);
    }
}

/* Fact 35. */
static void node_lost_ends_a_removal(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    assert_int_equal(ctl_remove(&d, N2, orphan, false), SL_OK);
    ctl_lost(&d, 2);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    ctl_stop(&d);
}

/* Fact 35: the node is part of the removal, whatever becomes of the span. */
static void a_removal_keeps_its_node_when_the_span_runs_elsewhere(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    assert_int_equal(ctl_remove(&d, N2, id, false), SL_OK);
    ctl_assert_replicating(&d, id, N1);
    assert_int_equal(ctl_stopped(&d, N1, id, 20), SL_STATUS_LOST);
    sl_assert_u64(ctl_counts(&d, N2).stopping, 1);
    assert_int_equal(ctl_stopped(&d, N2, id, 30), SL_STATUS_APPLIED);
    sl_assert_u64(ctl_counts(&d, N2).stopping, 0);
    sl_assert_u64(ctl_view(&d, id).checkpoint, 20); /* another copy's position is none of the span's */
    ctl_stop(&d);
}

static void a_working_copy_on_a_wrong_node_is_an_orphan(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    assert_int_equal(ctl_working(&d, N2, id, 50), SL_STATUS_UNKNOWN);
    assert_int_equal(ctl_stopped(&d, N2, id, 50), SL_STATUS_IGNORED);
    assert_int_equal(ctl_working(&d, N2, orphan, 50), SL_STATUS_UNKNOWN);
    sl_assert_u64(ctl_view(&d, id).checkpoint, 10);
    ctl_assert_replicating(&d, id, N1);
    ctl_stop(&d);
}

static void nothing_is_created_where_the_same_id_is_being_removed(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 100, 5, N3);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    assert_int_equal(ctl_remove(&d, N2, id, false), SL_OK);
    assert_int_equal(ctl_move(&d, 1, N2), SL_NOT_READY);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    ctl_stopped(&d, N1, id, 20);
    ctl_assert_scheduling(&d, id, N3); /* although N2 has nothing */
    sl_assert_u64(ctl_creates_to(&d, N2), 0);
    ctl_stop(&d);
}

/* An unfinished Remove of a predecessor: the span is needed, only elsewhere. */
static void a_removal_that_keeps_the_span_makes_it_absent_and_limits_meanwhile(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    assert_int_equal(ctl_remove(&d, N1, id, true), SL_OK);
    sl_assert_i64(ctl_last(&d)->type, PB__OPERATOR_TYPE__O_MOVE);
    ctl_assert_scheduling(&d, id, N1);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 10);
    ctl_stopped(&d, N1, id, 30);
    sl_assert_u64(ctl_last(&d)->start_ts, 30);
    ctl_assert_scheduling(&d, id, N1); /* both are empty now */
    ctl_stop(&d);
}

static void a_removal_that_does_not_keep_the_span_drops_it_at_its_end(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    assert_int_equal(ctl_remove(&d, N1, id, false), SL_OK);
    sl_assert_i64(ctl_last(&d)->type, PB__OPERATOR_TYPE__O_REMOVE);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), SL_TS_MAX);
    sl_assert_u64(ctl_stats(&d).spans, 1);
    ctl_stopped(&d, N1, id, 30);
    sl_assert_u64(ctl_stats(&d).spans, 0);
    ctl_stop(&d);
}

/* Fact 40. */
static void replacing_a_removal_by_another_forgets_what_the_first_was_for(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    assert_int_equal(ctl_remove(&d, N1, id, true), SL_OK);
    assert_true(ctl_drop(&d, 1));
    sl_assert_u64(ctl_stats(&d).operators, 1);
    sl_assert_i64(ctl_last(&d)->type, PB__OPERATOR_TYPE__O_REMOVE);
    ctl_stopped(&d, N1, id, 30);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    sl_assert_u64(ctl_stats(&d).spans, 0);
    sl_assert_u64(ctl_creates_to(&d, N1) + ctl_creates_to(&d, N2), 0);
    ctl_stop(&d);
}

static void a_removal_is_asked_for_once(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    assert_int_equal(ctl_remove(&d, N2, orphan, false), SL_OK);
    assert_int_equal(ctl_remove(&d, N2, orphan, false), SL_EXISTS);
    assert_int_equal(ctl_remove(&d, N1, orphan, false), SL_OK); /* another node, another copy */
    assert_int_equal(ctl_remove(&d, N1, id, true), SL_OK);
    assert_int_equal(ctl_remove(&d, N1, id, true), SL_EXISTS);
    sl_assert_u64(ctl_stats(&d).operators, 3);
    ctl_stop(&d);
}

static void a_removal_during_a_create_takes_it_back(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id one = ctl_add(&d, 1, 10);
    ctl_assert_scheduling(&d, one, N1);
    assert_int_equal(ctl_remove(&d, N1, one, true), SL_OK);
    sl_assert_u64(ctl_removes_to(&d, N1), 1);
    ctl_stopped(&d, N1, one, 0);
    sl_assert_u64(ctl_view(&d, one).placement_seq, 2);
    assert_int_equal(ctl_remove(&d, ctl_view(&d, one).node, one, false), SL_OK);
    sl_assert_u64(ctl_stats(&d).spans, 0);
    ctl_stop(&d);
}

static void a_removal_during_a_move_off_the_node_is_the_same_thing(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    assert_int_equal(ctl_remove(&d, N1, id, true), SL_EXISTS);
    sl_assert_u64(ctl_stats(&d).moves, 1);
    ctl_stop(&d);
}

static void a_stale_stop_does_not_end_the_removal_of_a_newer_placement(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_add(&d, 1, 10);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__WORKING, 10, 1);
    assert_int_equal(ctl_move(&d, 1, N2), SL_OK);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__STOPPED, 11, 1);
    ctl_status(&d, N2, id, PB__COMPONENT_STATE__WORKING, 11, 2);
    assert_true(ctl_drop(&d, 1));
    sl_assert_u64(ctl_last(&d)->seq, 2);
    assert_int_equal(ctl_status(&d, N2, id, PB__COMPONENT_STATE__STOPPED, 12, 1), SL_STATUS_IGNORED);
    sl_assert_u64(ctl_stats(&d).operators, 1);
    assert_int_equal(ctl_status(&d, N2, id, PB__COMPONENT_STATE__STOPPED, 12, 2), SL_STATUS_APPLIED);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    ctl_stop(&d);
}

static void a_lost_removal_is_sent_again_with_what_is_known(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    assert_int_equal(ctl_remove(&d, N1, orphan, false), SL_OK);
    sl_assert_i64(ctl_last(&d)->table_id, 0);
    sl_assert_u64(ctl_last(&d)->start_ts, 0);
    ctl_run(&d, 2 * SL_S);
    sl_assert_u64(ctl_removes_to(&d, N1), 3);
    struct sl_dispatcher_id id = ctl_adopt(&d, 4, N1, 10);
    assert_true(ctl_drop(&d, 4));
    assert_false(ctl_drop(&d, 4));
    assert_true(sl_dispatcher_id_eq(ctl_last(&d)->id, id));
    sl_assert_i64(ctl_last(&d)->table_id, 4);
    ctl_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_stopped_or_removed_ends_a_removal),
        cmocka_unit_test(node_lost_ends_a_removal),
        cmocka_unit_test(a_removal_keeps_its_node_when_the_span_runs_elsewhere),
        cmocka_unit_test(a_working_copy_on_a_wrong_node_is_an_orphan),
        cmocka_unit_test(nothing_is_created_where_the_same_id_is_being_removed),
        cmocka_unit_test(a_removal_that_keeps_the_span_makes_it_absent_and_limits_meanwhile),
        cmocka_unit_test(a_removal_that_does_not_keep_the_span_drops_it_at_its_end),
        cmocka_unit_test(replacing_a_removal_by_another_forgets_what_the_first_was_for),
        cmocka_unit_test(a_removal_is_asked_for_once),
        cmocka_unit_test(a_removal_during_a_create_takes_it_back),
        cmocka_unit_test(a_removal_during_a_move_off_the_node_is_the_same_thing),
        cmocka_unit_test(a_stale_stop_does_not_end_the_removal_of_a_newer_placement),
        cmocka_unit_test(a_lost_removal_is_sent_again_with_what_is_known),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
