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

/* Nothing may be placed by itself: what an operator leaves absent can be seen. */
static void make_ineligible(struct control_driver *d, uint32_t count)
{
    for (sl_node_ref node = 1; node <= count; node++)
        sl_control_node_liveness(d->control, node, SL_LIVENESS_DRAINING);
}

static void a_move_stops_the_origin_then_creates_on_the_destination(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    sl_assert_u64(d.order_count, 1);
    sl_assert_u64(ctl_removes_to(&d, N1), 1);
    sl_assert_i64(ctl_last(&d)->type, PB__OPERATOR_TYPE__O_MOVE);
    sl_assert_i64(ctl_last(&d)->table_id, 1);
    sl_assert_u64(ctl_last(&d)->start_ts, 0);
    ctl_assert_scheduling(&d, id, N1);
    assert_int_equal(ctl_stopped(&d, N1, id, 20), SL_STATUS_APPLIED);
    sl_assert_u64(d.order_count, 2);
    sl_assert_u64(ctl_creates_to(&d, N2), 1);
    sl_assert_i64(ctl_last(&d)->type, PB__OPERATOR_TYPE__O_MOVE);
    sl_assert_u64(ctl_last(&d)->seq, 1);
    sl_assert_u64(ctl_last(&d)->epoch, CTL_EPOCH);
    ctl_assert_scheduling(&d, id, N2);
    assert_int_equal(ctl_working(&d, N2, id, 20), SL_STATUS_APPLIED); /* the news is that it works */
    ctl_assert_replicating(&d, id, N2);
    sl_assert_u64(ctl_stats(&d).moves_done, 1);
    sl_assert_u64(d.event_count[SL_EV_MOVE_STARTED], 1);
    sl_assert_u64(d.event_count[SL_EV_MOVE_DONE], 1);
    ctl_stop(&d);
}

/* W4: nothing between the last stored checkpoint and the point where the origin stopped is replayed. */
static void the_last_checkpoint_of_the_origin_is_where_the_destination_starts(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 10);
    ctl_stopped(&d, N1, id, 99);
    sl_assert_u64(ctl_last(&d)->start_ts, 99);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 99);
    ctl_stop(&d);
}

static void a_move_starts_not_below_what_is_committed(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    sl_control_set_committed(d.control, 15);
    ctl_stopped(&d, N1, id, 0);
    sl_assert_u64(ctl_last(&d)->start_ts, 15);
    ctl_stop(&d);
}

/* W22: an old or unknown checkpoint does not make the state untrue. */
static void a_status_with_a_lower_checkpoint_still_stops_the_origin(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id one = ctl_moving(&d, 1, N1, N2), two = ctl_moving(&d, 2, N1, N2);
    ctl_stopped(&d, N1, one, 5);
    ctl_assert_scheduling(&d, one, N2);
    sl_assert_u64(ctl_last(&d)->start_ts, 10);
    ctl_stopped(&d, N1, two, 0);
    ctl_assert_scheduling(&d, two, N2);
    sl_assert_u64(ctl_last(&d)->start_ts, 10);
    ctl_stop(&d);
}

/* W23 */
static void only_stopped_or_removed_means_that_the_origin_has_stopped(void **state)
{
    (void)state;
    static const Pb__ComponentState not_stopped[] = {
        PB__COMPONENT_STATE__WORKING,     PB__COMPONENT_STATE__INITIALIZING,  PB__COMPONENT_STATE__PREPARING,
        PB__COMPONENT_STATE__MERGE_READY, PB__COMPONENT_STATE__WAITING_MERGE,
    };
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    for (uint32_t i = 0; i < sizeof not_stopped / sizeof not_stopped[0]; i++) {
        ctl_status(&d, N1, id, not_stopped[i], 11, 0);
        ctl_assert_scheduling(&d, id, N1);
    }
    sl_assert_u64(ctl_creates_to(&d, N2), 0);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__REMOVED, 12, 0);
    ctl_assert_scheduling(&d, id, N2);
    ctl_stop(&d);
}

/* Fact 34. */
static void destination_lost_before_the_origin_stopped_waits_for_the_origin(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    make_ineligible(&d, 1);
    ctl_lost(&d, 2);
    ctl_assert_scheduling(&d, id, N1);
    assert_false(ctl_last(&d)->is_create);
    sl_assert_u64(ctl_last(&d)->to, N1);
    ctl_stopped(&d, N1, id, 20);
    ctl_assert_absent(&d, id);
    sl_assert_u64(sl_control_operator_count(d.control), 0);
    ctl_stop(&d);
}

/* Fact 34. */
static void destination_lost_after_the_origin_stopped_makes_the_span_absent(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    ctl_stopped(&d, N1, id, 20);
    make_ineligible(&d, 1);
    ctl_lost(&d, 2);
    ctl_assert_absent(&d, id);
    sl_assert_u64(ctl_stats(&d).moves, 0);
    ctl_stop(&d);
}

/* Fact 34. */
static void origin_lost_before_it_stopped_lets_the_destination_start(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N3, N2);
    ctl_lost(&d, 3);
    ctl_assert_scheduling(&d, id, N2);
    sl_assert_u64(ctl_creates_to(&d, N2), 1);
    sl_assert_u64(ctl_last(&d)->start_ts, 10);
    ctl_working(&d, N2, id, 10);
    ctl_assert_replicating(&d, id, N2);
    ctl_stop(&d);
}

/* Fact 34. */
static void origin_lost_after_it_stopped_changes_nothing(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N3, N2);
    ctl_stopped(&d, N3, id, 20);
    ctl_forget(&d);
    ctl_lost(&d, 3);
    ctl_assert_scheduling(&d, id, N2);
    sl_assert_u64(d.order_count, 0);
    ctl_working(&d, N2, id, 20);
    ctl_assert_replicating(&d, id, N2);
    ctl_stop(&d);
}

/* Facts 34 and 63. */
static void both_nodes_lost_makes_the_span_absent_once(void **state)
{
    (void)state;
    static const struct {
        bool stopped_first, together;
        uint32_t first, second;
    } cases[] = {
        { false, true, 2, 3 },  { true, true, 2, 3 },  { false, false, 2, 3 },
        { false, false, 3, 2 }, { true, false, 2, 3 }, { true, false, 3, 2 },
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct control_driver d;
        ctl_start(&d, 3, NULL);
        struct sl_dispatcher_id id = ctl_moving(&d, 1, N3, N2);
        if (cases[i].stopped_first)
            ctl_stopped(&d, N3, id, 20);
        make_ineligible(&d, 1);
        if (cases[i].together) {
            ctl_lost_both(&d, cases[i].first, cases[i].second);
        } else {
            ctl_lost(&d, cases[i].first);
            ctl_lost(&d, cases[i].second);
        }
        ctl_assert_absent(&d, id);
        sl_assert_u64(ctl_stats(&d).scheduling, 0);
        sl_assert_u64(ctl_stats(&d).operators, 0);
        ctl_stop(&d);
    }
}

/* Facts 34 and 39: what replaces a move finds no second end of it. */
static void dropping_the_table_replaces_the_move_by_one_removal(void **state)
{
    (void)state;
    for (int stopped = 0; stopped <= 1; stopped++) {
        struct control_driver d;
        ctl_start(&d, 2, NULL);
        struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
        sl_node_ref at = stopped ? N2 : N1;
        if (stopped)
            ctl_stopped(&d, N1, id, 20);
        ctl_forget(&d);
        assert_true(ctl_drop(&d, 1));
        sl_assert_u64(d.order_count, 1);
        sl_assert_u64(ctl_removes_to(&d, at), 1);
        sl_assert_i64(ctl_last(&d)->type, PB__OPERATOR_TYPE__O_REMOVE);
        sl_assert_u64(ctl_stats(&d).moves, 0);
        assert_int_equal(ctl_stopped(&d, at, id, 30), SL_STATUS_APPLIED);
        sl_assert_u64(ctl_stats(&d).operators, 0);
        sl_assert_u64(ctl_stats(&d).spans, 0);
        ctl_stop(&d);
    }
}

/* Fact 32. */
static void moves_are_counted_by_their_origin(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    struct sl_dispatcher_id one = ctl_moving(&d, 1, N1, N2);
    ctl_moving(&d, 2, N2, N1);
    sl_assert_u64(ctl_counts(&d, N1).moves_from, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 1);
    sl_assert_u64(ctl_counts(&d, N3).moves_from, 0);
    ctl_stopped(&d, N1, one, 20);
    sl_assert_u64(ctl_counts(&d, N1).moves_from, 1); /* until it has arrived */
    sl_assert_u64(ctl_counts(&d, N1).stopping, 0);
    sl_assert_u64(ctl_counts(&d, N2).starting, 1);
    ctl_working(&d, N2, one, 20);
    sl_assert_u64(ctl_counts(&d, N1).moves_from, 0);
    ctl_stop(&d);
}

static void a_lost_order_is_sent_again(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    ctl_run(&d, 3 * SL_S);
    sl_assert_u64(ctl_removes_to(&d, N1), 4);
    ctl_stopped(&d, N1, id, 20);
    ctl_run(&d, 2 * SL_S);
    sl_assert_u64(ctl_creates_to(&d, N2), 3);
    sl_assert_u64(ctl_last(&d)->seq, 1);
    ctl_stop(&d);
}

/* W3: it cannot be given up, so it is named and goes on. */
static void an_origin_that_does_not_stop_is_named_and_waited_for(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = *no_balance();
    limits.operator_resend_ns = 7 * SL_S; /* it is not a resend that notices */
    struct control_driver d;
    ctl_start(&d, 2, &limits);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    sl_ns started = d.now;
    ctl_run(&d, TIMEOUT - SL_MS);
    sl_assert_u64(ctl_counts(&d, N1).stuck, 0);
    ctl_run(&d, SL_MS);
    sl_assert_u64(ctl_counts(&d, N1).stuck, 1);
    sl_assert_u64(d.event_count[SL_EV_MOVE_STUCK], 1);
    struct sl_stuck stuck[2];
    sl_assert_u64(sl_control_stuck(d.control, N1, stuck, 2), 1);
    assert_true(sl_dispatcher_id_eq(stuck[0].id, id));
    sl_assert_str(stuck[0].phase, "remove_origin");
    sl_assert_u64(stuck[0].waits_for, N1);
    sl_assert_i64(stuck[0].since, started);
    sl_assert_u64(sl_control_stuck(d.control, N1, stuck, 0), 0);
    ctl_run(&d, 5 * TIMEOUT);
    sl_assert_u64(d.event_count[SL_EV_MOVE_STUCK], 1);
    sl_assert_u64(ctl_stats(&d).moves_timed_out, 1);
    ctl_assert_scheduling(&d, id, N1);
    ctl_stopped(&d, N1, id, 20);
    ctl_working(&d, N2, id, 20);
    ctl_assert_replicating(&d, id, N2);
    sl_assert_u64(ctl_counts(&d, N1).stuck, 0);
    ctl_stop(&d);
}

static void stuck_moves_are_named_oldest_first(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, no_balance());
    struct sl_dispatcher_id ids[3];
    for (int i = 0; i < 3; i++) {
        ids[i] = ctl_moving(&d, 1 + i, N1, N2);
        ctl_run(&d, SL_S);
    }
    ctl_run(&d, TIMEOUT);
    struct sl_stuck stuck[3];
    sl_assert_u64(sl_control_stuck(d.control, N1, stuck, 2), 2);
    assert_true(sl_dispatcher_id_eq(stuck[0].id, ids[0]));
    assert_true(sl_dispatcher_id_eq(stuck[1].id, ids[1]));
    ctl_stopped(&d, N1, ids[0], 20);
    sl_assert_u64(sl_control_stuck(d.control, N1, stuck, 3), 3);
    sl_assert_str(stuck[0].phase, "add_dest");
    sl_assert_u64(stuck[0].waits_for, N2);
    ctl_working(&d, N2, ids[0], 20);
    sl_assert_u64(sl_control_stuck(d.control, N1, stuck, 3), 2);
    ctl_stop(&d);
}

static void a_move_without_destination_is_named_as_one_that_ends_nowhere(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, no_balance());
    ctl_moving(&d, 1, N1, N2);
    ctl_lost(&d, 2);
    ctl_run(&d, TIMEOUT);
    struct sl_stuck stuck;
    sl_assert_u64(sl_control_stuck(d.control, N1, &stuck, 1), 1);
    sl_assert_str(stuck.phase, "abort_remove_origin");
    sl_assert_u64(stuck.waits_for, N1);
    ctl_stop(&d);
}

static void a_destination_that_does_not_start_is_cleaned_and_another_one_is_found(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, no_balance());
    ctl_adopt_many(&d, 100, 5, N3);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    ctl_stopped(&d, N1, id, 20);
    ctl_run(&d, TIMEOUT - SL_MS);
    ctl_forget(&d);
    ctl_run(&d, SL_MS);
    sl_assert_u64(ctl_removes_to(&d, N2), 1);
    sl_assert_u64(d.event_count[SL_EV_OPERATOR_FAILED], 1);
    ctl_assert_scheduling(&d, id, N2);
    struct sl_stuck stuck;
    sl_assert_u64(sl_control_stuck(d.control, N1, &stuck, 1), 1);
    sl_assert_str(stuck.phase, "abort_dest");
    ctl_working(&d, N2, id, 21);
    ctl_assert_scheduling(&d, id, N2);
    ctl_stopped(&d, N2, id, 25);
    ctl_assert_scheduling(&d, id, N3); /* although N2 has less */
    sl_assert_u64(ctl_last(&d)->start_ts, 25);
    ctl_stop(&d);
}

static void a_destination_that_refuses_is_not_asked_again_while_there_is_another(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, no_balance());
    ctl_adopt_many(&d, 100, 5, N3);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    ctl_stopped(&d, N1, id, 20);
    assert_int_equal(ctl_status(&d, N2, id, PB__COMPONENT_STATE__REMOVED, 0, 1), SL_STATUS_APPLIED);
    ctl_assert_scheduling(&d, id, N3);
    sl_assert_u64(ctl_last(&d)->start_ts, 20);
    sl_assert_u64(d.event_count[SL_EV_OPERATOR_FAILED], 1);
    ctl_stop(&d);
}

/* T5: nothing was created yet, so another destination costs nothing. */
static void a_destination_that_is_not_eligible_any_more_gets_nothing(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 100, 5, N3);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    make_ineligible(&d, 2);
    ctl_stopped(&d, N1, id, 20);
    sl_assert_u64(ctl_creates_to(&d, N2), 0);
    ctl_assert_scheduling(&d, id, N3);
    ctl_stop(&d);
}

static void a_stale_stop_of_an_earlier_placement_does_not_flip_a_move(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    ctl_stopped(&d, N1, id, 20);
    ctl_status(&d, N2, id, PB__COMPONENT_STATE__WORKING, 20, 1);
    assert_int_equal(ctl_move(&d, 1, N1), SL_OK);
    ctl_status(&d, N2, id, PB__COMPONENT_STATE__STOPPED, 30, 1);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__WORKING, 30, 2);
    ctl_assert_replicating(&d, id, N1);
    assert_int_equal(ctl_move(&d, 1, N2), SL_OK);
    assert_int_equal(ctl_status(&d, N1, id, PB__COMPONENT_STATE__STOPPED, 31, 1), SL_STATUS_IGNORED);
    ctl_assert_scheduling(&d, id, N1);
    sl_assert_u64(ctl_view(&d, id).checkpoint, 30);
    ctl_status(&d, N1, id, PB__COMPONENT_STATE__STOPPED, 32, 2);
    ctl_assert_scheduling(&d, id, N2);
    sl_assert_u64(ctl_view(&d, id).placement_seq, 3);
    ctl_stop(&d);
}

static void a_move_on_request_names_why_it_cannot_be(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    assert_int_equal(ctl_move(&d, 9, N2), SL_NOT_FOUND);
    assert_int_equal(ctl_move(&d, 1, N2), SL_BUSY);
    ctl_stopped(&d, N1, id, 20);
    ctl_working(&d, N2, id, 20);
    assert_int_equal(ctl_move(&d, 1, N2), SL_OK); /* it is there */
    sl_assert_u64(ctl_stats(&d).operators, 0);
    make_ineligible(&d, 1);
    assert_int_equal(ctl_move(&d, 1, N1), SL_NOT_READY);
    assert_int_equal(ctl_move(&d, 1, N3), SL_NOT_READY);
    ctl_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_stops_the_origin_then_creates_on_the_destination),
        cmocka_unit_test(the_last_checkpoint_of_the_origin_is_where_the_destination_starts),
        cmocka_unit_test(a_move_starts_not_below_what_is_committed),
        cmocka_unit_test(a_status_with_a_lower_checkpoint_still_stops_the_origin),
        cmocka_unit_test(only_stopped_or_removed_means_that_the_origin_has_stopped),
        cmocka_unit_test(destination_lost_before_the_origin_stopped_waits_for_the_origin),
        cmocka_unit_test(destination_lost_after_the_origin_stopped_makes_the_span_absent),
        cmocka_unit_test(origin_lost_before_it_stopped_lets_the_destination_start),
        cmocka_unit_test(origin_lost_after_it_stopped_changes_nothing),
        cmocka_unit_test(both_nodes_lost_makes_the_span_absent_once),
        cmocka_unit_test(dropping_the_table_replaces_the_move_by_one_removal),
        cmocka_unit_test(moves_are_counted_by_their_origin),
        cmocka_unit_test(a_lost_order_is_sent_again),
        cmocka_unit_test(an_origin_that_does_not_stop_is_named_and_waited_for),
        cmocka_unit_test(stuck_moves_are_named_oldest_first),
        cmocka_unit_test(a_move_without_destination_is_named_as_one_that_ends_nowhere),
        cmocka_unit_test(a_destination_that_does_not_start_is_cleaned_and_another_one_is_found),
        cmocka_unit_test(a_destination_that_refuses_is_not_asked_again_while_there_is_another),
        cmocka_unit_test(a_destination_that_is_not_eligible_any_more_gets_nothing),
        cmocka_unit_test(a_stale_stop_of_an_earlier_placement_does_not_flip_a_move),
        cmocka_unit_test(a_move_on_request_names_why_it_cannot_be),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
