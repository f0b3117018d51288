/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/schedulers.h"
#include "tests/support/control_driver.h"

#define N1 ((sl_node_ref)1)
#define N2 ((sl_node_ref)2)
#define N3 ((sl_node_ref)3)
#define TIMEOUT (30 * SL_S)

static struct sl_maintainer_limits reference(void)
{
    struct sl_maintainer_limits limits = ctl_limits();
    limits.reference_pacing = true;
    limits.balance_ns = SL_NEVER;
    limits.create_batch = 100;
    return limits;
}

/* ---- event-driven ---- */

/* Fact 49. */
static void only_spans_on_the_target_move(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 2, N2);
    struct sl_dispatcher_id other = ctl_adopt(&d, 10, N3, 10);
    ctl_target(&d, N2, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 2);
    sl_assert_u64(ctl_stats(&d).operators, 2);
    ctl_assert_replicating(&d, other, N3);
    ctl_stop(&d);
}

static void the_target_is_empty_as_soon_as_its_dispatchers_answer(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 500, N2);
    ctl_target(&d, N2, 1);
    ctl_answer(&d); /* not a millisecond passes */
    struct sl_node_counts counts = ctl_counts(&d, N2);
    sl_assert_u64(counts.bound + counts.stopping + counts.starting + counts.moves_from, 0);
    assert_false(sl_control_node_is_used(d.control, N2));
    sl_assert_u64(ctl_counts(&d, N1).idle, 250);
    sl_assert_u64(ctl_counts(&d, N3).idle, 250);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 1);
    sl_assert_u64(ctl_stats(&d).moves_done, 500);
    ctl_stop(&d);
}

/* W1: the maintainer does not have to leave first. */
static void a_maintainer_on_the_target_moves_its_spans_itself(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    sl_assert_u64(sl_members_self(d.members), N1);
    ctl_adopt_many(&d, 1, 20, N1);
    ctl_target(&d, N1, 1);
    sl_assert_u64(ctl_counts(&d, N1).moves_from, 20);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N2).idle, 20);
    ctl_stop(&d);
}

/* W2, W3: the pacer decides how many, for all feeds of the node together. */
static void moves_in_flight_are_what_the_pacer_allows(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 200, N2);
    uint32_t window = d.pacer.window;
    ctl_target(&d, N2, 1);
    sl_assert_u64(d.pacer.feeds, 1);
    sl_assert_u64(d.pacer.in_flight, window);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, window);
    ctl_answer_one(&d, &d.orders[0]); /* has stopped, not yet arrived */
    sl_assert_u64(d.pacer.in_flight, window);
    ctl_answer_one(&d, &d.orders[d.order_count - 1]);
    sl_assert_u64(d.pacer.in_flight, window); /* arrived: the next one has begun */
    sl_assert_u64(ctl_stats(&d).moves_done, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, window);
    ctl_stop(&d);
}

static void without_room_it_looks_again_every_50_ms(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    sl_pacer_join(&d.pacer); /* another feed holds everything */
    while (d.pacer.in_flight < d.pacer.window)
        sl_pacer_begin(&d.pacer);
    ctl_adopt_many(&d, 1, 10, N2);
    ctl_target(&d, N2, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 1); /* every feed may always move one */
    sl_assert_i64(sl_control_deadline(d.control), d.now + 50 * SL_MS);
    ctl_run(&d, 200 * SL_MS);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 1);
    for (int i = 0; i < 9; i++)
        sl_pacer_end(&d.pacer, d.now, SL_MS, SL_MOVE_ABANDONED);
    ctl_run(&d, 50 * SL_MS);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 9);
    while (d.pacer.in_flight > 9)
        sl_pacer_end(&d.pacer, d.now, SL_MS, SL_MOVE_ABANDONED);
    sl_pacer_leave(&d.pacer);
    ctl_stop(&d);
}

static void it_joins_the_pacer_when_it_has_something_to_move_and_leaves_when_not(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_target(&d, N2, 1);
    sl_assert_u64(d.pacer.feeds, 0);
    ctl_adopt_many(&d, 1, 5, N2);
    ctl_tick(&d, 0);
    sl_assert_u64(d.pacer.feeds, 1);
    ctl_target(&d, SL_NODE_NONE, 1);
    sl_assert_u64(d.pacer.feeds, 0);
    sl_assert_u64(d.pacer.in_flight, 5); /* what has begun goes on */
    ctl_target(&d, N2, 2);
    sl_assert_u64(d.pacer.feeds, 1);
    ctl_answer(&d);
    sl_assert_u64(d.pacer.feeds, 0);
    sl_assert_u64(d.pacer.in_flight, 0);
    ctl_stop(&d);
}

static void a_span_that_becomes_idle_on_the_target_moves_at_once(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    ctl_stopped(&d, N1, id, 20);
    ctl_target(&d, N2, 1);
    ctl_assert_scheduling(&d, id, N2);
    ctl_forget(&d);
    ctl_working(&d, N2, id, 20);
    sl_assert_u64(ctl_removes_to(&d, N2), 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 1);
    ctl_stop(&d);
}

/* W5 */
static void destinations_are_eligible_and_the_least_loaded(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 5, NULL);
    ctl_adopt_many(&d, 1, 10, N2);
    ctl_adopt_many(&d, 100, 6, N3);
    sl_control_node_liveness(d.control, 4, SL_LIVENESS_DRAINING);
    ctl_target(&d, N2, 1);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N1).idle, 5);
    sl_assert_u64(ctl_counts(&d, N3).idle, 6);
    sl_assert_u64(ctl_counts(&d, 4).bound, 0);
    sl_assert_u64(ctl_counts(&d, 5).idle, 5);
    ctl_stop(&d);
}

static void no_destination_is_said_once_and_a_new_node_is_used_at_once(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    ctl_adopt_many(&d, 1, 10, N2);
    ctl_target(&d, N2, 1);
    for (int i = 0; i < 10; i++)
        ctl_tick(&d, SL_S);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_NO_DESTINATION], 1);
    sl_assert_u64(d.order_count, 0);
    ctl_target(&d, N2, 2);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_NO_DESTINATION], 2);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_ALIVE);
    sl_assert_i64(sl_control_deadline(d.control), d.now);
    ctl_tick(&d, 0);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 10);
    ctl_stop(&d);
}

static void evacuated_is_said_once_an_epoch_and_not_before_the_last_dispatcher_has_stopped(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id dropped = ctl_adopt(&d, 1, N2, 10), moved = ctl_adopt(&d, 2, N2, 10);
    ctl_target(&d, N2, 1);
    assert_true(ctl_drop(&d, 1));
    ctl_stopped(&d, N2, moved, 20);
    sl_assert_u64(ctl_counts(&d, N2).bound, 0);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 0);
    ctl_stopped(&d, N2, dropped, 20);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 1);
    ctl_tick(&d, SL_S);
    ctl_target(&d, N2, 2);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 1); /* there was nothing in this epoch */
    ctl_adopt(&d, 3, N2, 10);
    ctl_tick(&d, 0);
    ctl_answer(&d);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 2);
    ctl_stop(&d);
}

/* W3: slots of stuck moves go to others; all of them are named. */
static void stuck_moves_do_not_stop_the_drain(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    d.skips_check = true;
    ctl_adopt_many(&d, 1, 200, N2);
    ctl_target(&d, N2, 1);
    uint32_t silent = ctl_counts(&d, N2).moves_from; /* these never stop */
    for (uint32_t i = 0; i < silent; i++)
        d.orders[i].answered = true;
    for (int i = 0; i < 300; i++) {
        ctl_run(&d, SL_S);
        for (uint32_t j = 0; j < d.order_count; j++)
            d.orders[j].answered |= !d.orders[j].is_create && d.orders[j].id.low <= silent;
        ctl_answer(&d);
    }
    sl__control_check(d.control);
    sl_assert_u64(ctl_counts(&d, N1).idle, 200 - silent);
    sl_assert_u64(ctl_counts(&d, N2).stuck, silent);
    sl_assert_u64(d.event_count[SL_EV_MOVE_STUCK], silent);
    sl_assert_u64(d.pacer.in_flight, 0);
    ctl_stop(&d);
}

static void a_drain_goes_on_at_once_when_one_call_may_not_send_more(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = ctl_limits();
    limits.sends_per_step = 10;
    struct control_driver d;
    ctl_start(&d, 2, &limits);
    ctl_adopt_many(&d, 1, 25, N2);
    ctl_target(&d, N2, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 10);
    sl_assert_i64(sl_control_deadline(d.control), d.now);
    ctl_run(&d, 0);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 25);
    ctl_stop(&d);
}

static void a_span_that_cannot_move_now_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id busy = ctl_adopt(&d, 1, N2, 10);
    ctl_adopt_many(&d, 2, 3, N2);
    assert_int_equal(ctl_remove(&d, N1, busy, false), SL_OK); /* a copy of it on the only destination */
    ctl_target(&d, N2, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 3);
    ctl_assert_replicating(&d, busy, N2);
    ctl_stopped(&d, N1, busy, 0);
    ctl_assert_scheduling(&d, busy, N2);
    ctl_stop(&d);
}

static void without_memory_it_tries_again_soon(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    ctl_adopt_many(&d, 1, 3, N2);
    d.mem.fail_at = 1;
    ctl_target(&d, N2, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 0);
    ctl_target(&d, N2, 1); /* the same again: nothing new */
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 3);
    ctl_stop(&d);
}

static void a_lost_target_ends_its_drain(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 100, N2);
    ctl_target(&d, N2, 1);
    ctl_lost(&d, 2);
    sl_assert_u64(d.pacer.feeds, 0);
    ctl_answer(&d);
    sl_assert_u64(ctl_stats(&d).replicating, 100);
    sl_assert_u64(d.pacer.in_flight, 0);
    ctl_target(&d, N2, 2); /* no member: nothing to drain */
    ctl_adopt_many(&d, 200, 1, N1);
    sl_assert_u64(d.pacer.feeds, 0);
    ctl_stop(&d);
}

static void another_target_takes_over_while_moves_off_the_first_go_on(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 10, N2);
    ctl_adopt_many(&d, 100, 10, N3);
    ctl_target(&d, N2, 1);
    ctl_target(&d, N3, 2);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 10);
    sl_assert_u64(ctl_counts(&d, N3).moves_from, 10);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N3).bound, 0); /* none of the first moves ended there either */
    sl_assert_u64(ctl_stats(&d).replicating, 20);
    ctl_stop(&d);
}

/* ---- pacing of the reference ---- */

/* Fact 55. */
static void reference_limit_is_one_percent_rounded_up_but_ten_at_least(void **state)
{
    (void)state;
    sl_assert_u64(sl__reference_limit(0), 10);
    sl_assert_u64(sl__reference_limit(999), 10);
    sl_assert_u64(sl__reference_limit(1000), 10);
    sl_assert_u64(sl__reference_limit(1001), 11);
}

/* Fact 50. */
static void reference_keeps_ten_of_25_in_flight(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = reference();
    struct control_driver d;
    ctl_start(&d, 3, &limits);
    ctl_adopt_many(&d, 1, 25, N2);
    ctl_target(&d, N2, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 10);
    ctl_run(&d, 400 * SL_MS);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 10);
    struct sl_dispatcher_id id = { 9, 1 };
    ctl_stopped(&d, N2, id, 20);
    ctl_run(&d, SL_S);
    sl_node_ref dest = ctl_view(&d, id).node;
    ctl_working(&d, dest, id, 20);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 9); /* until the next round */
    ctl_run(&d, 200 * SL_MS);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 10);
    sl_assert_u64(d.pacer.feeds, 0);
    ctl_stop(&d);
}

/* Fact 51. */
static void reference_counts_only_moves_off_the_target(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = reference();
    limits.create_batch = 1;
    struct control_driver d;
    ctl_start(&d, 3, &limits);
    ctl_moving(&d, 100, N1, N3);
    ctl_adopt_many(&d, 1, 5, N2);
    ctl_target(&d, N2, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 1);
    ctl_stop(&d);
}

/* Facts 52 and 53. */
static void reference_limit_is_fixed_for_an_epoch(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = reference();
    struct control_driver d;
    ctl_start(&d, 3, &limits);
    d.skips_check = true;
    ctl_adopt_many(&d, 1, 1100, N2);
    ctl_target(&d, N2, 1);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 11);
    for (int64_t table = 900; table < 1100; table++)
        assert_true(ctl_drop(&d, table));
    struct sl_dispatcher_id id = { 9, 1 };
    ctl_stopped(&d, N2, id, 20);
    ctl_run(&d, SL_S);
    ctl_working(&d, ctl_view(&d, id).node, id, 20);
    ctl_run(&d, 200 * SL_MS);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 11);
    ctl_target(&d, SL_NODE_NONE, 1);
    ctl_target(&d, N2, 2);
    ctl_answer(&d);
    ctl_run(&d, 2 * SL_S);
    ctl_answer(&d);
    ctl_run(&d, 200 * SL_MS);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, 10);
    ctl_stop(&d);
}

/* Fact 54. */
static void reference_maintainer_on_the_target_moves_nothing(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = reference();
    struct control_driver d;
    ctl_start(&d, 3, &limits);
    ctl_adopt_many(&d, 1, 20, N1);
    ctl_target(&d, N1, 1);
    ctl_run(&d, 10 * SL_S);
    sl_assert_u64(d.order_count, 0);
    ctl_stop(&d);
}

/* The executor's polls: every 200 ms, and for one operator every 600. */
static void reference_orders_leave_when_the_executor_polls(void **state)
{
    (void)state;
    sl_assert_i64(sl__reference_send_at(SL_S, SL_S), 1200 * SL_MS);
    sl_assert_i64(sl__reference_send_at(1150 * SL_MS, 1150 * SL_MS), 1200 * SL_MS);
    sl_assert_i64(sl__reference_send_at(SL_S, 1201 * SL_MS), 1800 * SL_MS);
    sl_assert_i64(sl__reference_send_at(SL_S, 1800 * SL_MS), 2400 * SL_MS);
    struct sl_maintainer_limits limits = reference();
    struct control_driver d;
    ctl_start(&d, 2, &limits);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    sl_assert_u64(d.order_count, 0);
    ctl_run(&d, 200 * SL_MS);
    sl_assert_u64(ctl_removes_to(&d, N1), 1);
    ctl_stopped(&d, N1, id, 20);
    ctl_assert_scheduling(&d, id, N2);
    ctl_run(&d, 599 * SL_MS);
    sl_assert_u64(ctl_creates_to(&d, N2), 0);
    ctl_run(&d, SL_MS);
    sl_assert_u64(ctl_creates_to(&d, N2), 1);
    ctl_stop(&d);
}

/* ---- several targets ---- */

static void targets_are_served_in_turns_within_the_room_of_the_pacer(void **state)
{
    (void)state;
    const struct sl_control_target targets[] = { { N2, 1 }, { N3, 2 } };
    struct control_driver d;
    ctl_start(&d, 5, NULL);
    ctl_adopt_many(&d, 1, 200, N2);
    ctl_adopt_many(&d, 1000, 200, N3);
    uint32_t window = d.pacer.window;
    ctl_targets(&d, targets, 2);
    sl_assert_u64(d.pacer.feeds, 1);
    sl_assert_u64(d.pacer.in_flight, window);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, (window + 1) / 2);
    sl_assert_u64(ctl_counts(&d, N3).moves_from, window / 2);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N2).bound + ctl_counts(&d, N3).bound, 0);
    sl_assert_u64(ctl_counts(&d, N1).idle + ctl_counts(&d, 4).idle + ctl_counts(&d, 5).idle, 400);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 2);
    sl_assert_u64(d.pacer.feeds, 0);
    ctl_stop(&d);
}

/* T5 */
static void no_target_is_a_destination_of_another(void **state)
{
    (void)state;
    const struct sl_control_target targets[] = { { N2, 1 }, { N3, 2 } };
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 20, N2);
    ctl_targets(&d, targets, 2);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N1).idle, 20);
    sl_assert_u64(ctl_counts(&d, N3).bound, 0);
    ctl_stop(&d);
}

static void a_small_target_does_not_wait_for_a_large_one(void **state)
{
    (void)state;
    const struct sl_control_target targets[] = { { N2, 1 }, { N3, 2 } };
    struct control_driver d;
    ctl_start(&d, 4, NULL);
    ctl_adopt_many(&d, 1, 1000, N2);
    ctl_adopt_many(&d, 2000, 3, N3);
    ctl_targets(&d, targets, 2);
    sl_assert_u64(ctl_counts(&d, N3).moves_from, 3);
    sl_assert_u64(ctl_counts(&d, N2).moves_from, d.pacer.window - 3);
    ctl_answer(&d);
    ctl_stop(&d);
}

static void one_target_ends_and_the_other_goes_on_without_saying_it_twice(void **state)
{
    (void)state;
    const struct sl_control_target both[] = { { N2, 1 }, { N3, 2 } };
    struct control_driver d;
    ctl_start(&d, 4, NULL);
    ctl_adopt_many(&d, 1, 10, N2);
    ctl_adopt_many(&d, 100, 10, N3);
    ctl_targets(&d, both, 2);
    ctl_answer(&d);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 2);
    ctl_targets(&d, &both[1], 1);
    ctl_tick(&d, SL_S);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 2);
    ctl_adopt_many(&d, 1000, 4, N1);
    ctl_adopt_many(&d, 2000, 4, 4);
    const struct sl_control_target moved[] = { { N3, 2 }, { 4, 3 } };
    ctl_targets(&d, moved, 2);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, 4).bound, 0);
    sl_assert_u64(ctl_counts(&d, N3).bound, 0);
    assert_true(ctl_counts(&d, N2).bound > 0);
    sl_assert_u64(d.event_count[SL_EV_DRAIN_EVACUATED], 3);
    ctl_stop(&d);
}

static void a_target_that_leaves_leaves_the_others_targets(void **state)
{
    (void)state;
    const struct sl_control_target both[] = { { N2, 1 }, { N3, 2 } };
    struct control_driver d;
    ctl_start(&d, 4, NULL);
    ctl_adopt_many(&d, 1, 10, N2);
    ctl_targets(&d, both, 2);
    ctl_lost(&d, N2);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N3).bound, 0);
    sl_assert_u64(ctl_counts(&d, N1).idle + ctl_counts(&d, 4).idle, 10);
    ctl_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_spans_on_the_target_move),
        cmocka_unit_test(the_target_is_empty_as_soon_as_its_dispatchers_answer),
        cmocka_unit_test(a_maintainer_on_the_target_moves_its_spans_itself),
        cmocka_unit_test(moves_in_flight_are_what_the_pacer_allows),
        cmocka_unit_test(without_room_it_looks_again_every_50_ms),
        cmocka_unit_test(it_joins_the_pacer_when_it_has_something_to_move_and_leaves_when_not),
        cmocka_unit_test(a_span_that_becomes_idle_on_the_target_moves_at_once),
        cmocka_unit_test(destinations_are_eligible_and_the_least_loaded),
        cmocka_unit_test(no_destination_is_said_once_and_a_new_node_is_used_at_once),
        cmocka_unit_test(evacuated_is_said_once_an_epoch_and_not_before_the_last_dispatcher_has_stopped),
        cmocka_unit_test(stuck_moves_do_not_stop_the_drain),
        cmocka_unit_test(a_drain_goes_on_at_once_when_one_call_may_not_send_more),
        cmocka_unit_test(a_span_that_cannot_move_now_does_not_hold_up_the_others),
        cmocka_unit_test(without_memory_it_tries_again_soon),
        cmocka_unit_test(a_lost_target_ends_its_drain),
        cmocka_unit_test(another_target_takes_over_while_moves_off_the_first_go_on),
        cmocka_unit_test(reference_limit_is_one_percent_rounded_up_but_ten_at_least),
        cmocka_unit_test(reference_keeps_ten_of_25_in_flight),
        cmocka_unit_test(reference_counts_only_moves_off_the_target),
        cmocka_unit_test(reference_limit_is_fixed_for_an_epoch),
        cmocka_unit_test(reference_maintainer_on_the_target_moves_nothing),
        cmocka_unit_test(reference_orders_leave_when_the_executor_polls),
        cmocka_unit_test(targets_are_served_in_turns_within_the_room_of_the_pacer),
        cmocka_unit_test(no_target_is_a_destination_of_another),
        cmocka_unit_test(a_small_target_does_not_wait_for_a_large_one),
        cmocka_unit_test(one_target_ends_and_the_other_goes_on_without_saying_it_twice),
        cmocka_unit_test(a_target_that_leaves_leaves_the_others_targets),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
