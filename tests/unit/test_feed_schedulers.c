/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

/* Which feed goes where, and which stays. */

/* feeds first .. first + count - 1 run on the node; to be called before the table is loaded. */
static void put_running(struct feeds_driver *d, uint32_t first, uint32_t count, uint32_t node)
{
    for (uint32_t feed = first; feed < first + count; feed++) {
        fd_put(d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_report(d, node, feed, 5, 100);
    }
}

static void settle(struct feeds_driver *d)
{
    fd_load(d);
    fd_settle(d);
}

static uint32_t on(const struct feeds_driver *d, uint32_t node)
{
    return sl_feeds_maintainers_on(d->feeds, fd_ref(d, node));
}

static uint32_t moves(const struct feeds_driver *d)
{
    uint32_t count = 0;
    for (const struct sl__feed *f = sl__feed_next(d->feeds, NULL); f; f = sl__feed_next(d->feeds, f))
        count += f->op.kind == SL__OP_MOVE;
    return count;
}

/* Maintainers keep speaking, so that nobody takes them for dead. */
static void keep_speaking(struct feeds_driver *d, sl_ns duration)
{
    for (sl_ns passed = 0; passed < duration; passed += 5 * SL_S) {
        fd_run(d, 5 * SL_S);
        for (const struct sl__feed *f = sl__feed_next(d->feeds, NULL); f; f = sl__feed_next(d->feeds, f)) {
            if (f->place == SL__PLACE_REPLICATING)
                fd_working(d, (uint32_t)f->node, (uint32_t)f->record.id.low, f->epoch, f->checkpoint);
        }
    }
}

/* ---- basic ---- */

static void feeds_are_spread_evenly_over_one_then_three_then_two_nodes(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    for (uint32_t feed = 1; feed <= 6; feed++)
        fd_put(&d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
    settle(&d);
    fd_answer(&d);
    sl_assert_u64(on(&d, 1), 6);
    fd_join(&d, 2);
    fd_join(&d, 3);
    keep_speaking(&d, 20 * SL_S);
    fd_answer(&d);
    sl_assert_u64(on(&d, 1), 2);
    sl_assert_u64(on(&d, 2), 2);
    sl_assert_u64(on(&d, 3), 2);
    fd_lost(&d, 3);
    fd_answer(&d);
    sl_assert_u64(on(&d, 1), 3);
    sl_assert_u64(on(&d, 2), 3);
    fd_stop(&d);
}

static void absent_feeds_are_placed_in_batches_and_those_that_shall_not_run_are_skipped(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    for (uint32_t feed = 1; feed <= 30; feed++)
        fd_put(&d, feed, feed % 3 == 0 ? "failed" : "normal", 5, 100, SL_PROGRESS_NONE);
    settle(&d);
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 10);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 10);
    fd_answer(&d);
    for (uint32_t feed = 1; feed <= 30; feed++)
        fd_assert_place(&d, feed, feed % 3 == 0 ? SL__PLACE_STOPPED : SL__PLACE_REPLICATING);
    sl_assert_u64(on(&d, 1), 10);
    fd_stop(&d);
}

static void settings_come_from_the_options(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.batch = 3;
    fd_open(&d, 1, &opts);
    for (uint32_t feed = 1; feed <= 9; feed++)
        fd_put(&d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
    settle(&d);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 3);
    fd_stop(&d);
}

static void without_a_destination_feeds_wait_and_it_is_said_once(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_liveness(&d, 1, SL_LIVENESS_DRAINING);
    settle(&d);
    fd_run(&d, 10 * SL_S);
    sl_assert_u64(d.event_count[SL_EV_FEED_NO_DESTINATION], 1);
    fd_assert_place(&d, 1, SL__PLACE_ABSENT);
    fd_join(&d, 2);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 2);
    fd_stop(&d);
}

/* ---- destinations (F6) ---- */

static void nothing_is_placed_on_a_node_that_may_not_take_it(void **state)
{
    (void)state;
    const char *const targets[] = { "n9" };
    const uint64_t epochs[] = { 7 };
    for (int row = 0; row < 6; row++) {
        struct feeds_driver d;
        fd_open(&d, 2, NULL);
        sl_node_ref n2 = fd_ref(&d, 2);
        assert_true(sl__feeds_may_place(d.feeds, n2));
        if (row == 0)
            fd_draining(&d, 2, true);
        if (row == 1)
            fd_liveness(&d, 2, SL_LIVENESS_DRAINING);
        if (row == 2) { /* silent for longer than a node may be */
            d.now += 31 * SL_S;
            d.feeds->now = d.now;
        }
        if (row == 3) { /* another process of it has not answered */
            sl_nodes_remove(d.nodes, n2);
            sl_nodes_add(d.nodes, d.now, n2);
        }
        if (row == 4)
            fd_targets(&d, targets, epochs, 1);
        if (row == 5) /* holds what is being cleared */
            fd_ack(&d, 2, targets, epochs, 1);
        assert_false(sl__feeds_may_place(d.feeds, n2));
        assert_false(sl_feeds_has_destination(d.feeds, d.now, fd_ref(&d, 1)));
        fd_stop(&d);
    }
}

static void a_destination_must_hold_every_current_target(void **state)
{
    (void)state;
    const char *const targets[] = { "n8", "n9" };
    const uint64_t epochs[] = { 7, 9 }, older[] = { 7, 8 };
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_targets(&d, targets, epochs, 2);
    fd_ack(&d, 2, targets, epochs, 1);
    assert_false(sl__feeds_may_place(d.feeds, fd_ref(&d, 2)));
    fd_ack(&d, 2, targets, older, 2);
    assert_false(sl__feeds_may_place(d.feeds, fd_ref(&d, 2)));
    fd_ack(&d, 2, targets, epochs, 2);
    assert_true(sl__feeds_may_place(d.feeds, fd_ref(&d, 2)));
    fd_stop(&d);
}

static void a_node_that_has_not_bootstrapped_takes_nothing_and_holds_up_nobody(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    sl_nodes_remove(d.nodes, fd_ref(&d, 1));
    sl_nodes_add(d.nodes, d.now, fd_ref(&d, 1));
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_put(&d, 2, "normal", 5, 100, SL_PROGRESS_NONE);
    settle(&d);
    fd_answer(&d);
    sl_assert_u64(on(&d, 1), 0);
    sl_assert_u64(on(&d, 2), 2);
    fd_stop(&d);
}

/* ---- drain ---- */

static void a_drained_feed_goes_to_the_node_with_the_fewest(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    put_running(&d, 1, 1, 1); /* origin */
    put_running(&d, 2, 3, 2); /* hot */
    put_running(&d, 5, 1, 3); /* cold */
    settle(&d);
    fd_draining(&d, 1, true);
    fd_answer(&d);
    sl_assert_u64(on(&d, 1), 0);
    fd_assert_replicating(&d, 1, 3);
    fd_stop(&d);
}

static void a_feed_with_an_operator_is_skipped_and_another_one_moves(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.batch = 1;
    fd_open(&d, 2, &opts);
    put_running(&d, 1, 2, 1);
    settle(&d);
    struct sl_request r = { .verb = SL_REQUEST_FEED_MOVE, .feed = SL_STR("f1"), .node = SL_STR("n2") };
    fd_request_of(&d, &r);
    fd_draining(&d, 1, true);
    sl_assert_u64(moves(&d), 2); /* the operator's own move uses no slot of the drain */
    sl_assert_u64(d.feeds->slots[SL__SLOT_DRAIN], 1);
    sl_assert_i64(fd_feed(&d, 2)->op.kind, SL__OP_MOVE);
    fd_stop(&d);
}

static void two_draining_nodes_take_turns(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.batch = 1;
    fd_open(&d, 3, &opts);
    put_running(&d, 1, 2, 1);
    put_running(&d, 3, 2, 2);
    settle(&d);
    fd_draining(&d, 1, true);
    fd_draining(&d, 2, true);
    sl_assert_i64(fd_feed(&d, 1)->op.kind, SL__OP_MOVE);
    sl_assert_u64(moves(&d), 1);
    for (uint32_t expected = 0; expected < 4; expected++) {
        const uint32_t order[] = { 1, 3, 2, 4 };
        struct sl__feed *feed = fd_feed(&d, order[expected]);
        sl_assert_i64(feed->op.kind, SL__OP_MOVE);
        fd_stopped(&d, (uint32_t)feed->op.origin, order[expected], 5, 100);
        fd_working(&d, 3, order[expected], feed->op.epoch, 100);
    }
    sl_assert_u64(on(&d, 3), 4);
    fd_stop(&d);
}

static void slots_of_a_drain_are_its_own(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.batch = 2;
    fd_open(&d, 3, &opts);
    put_running(&d, 1, 4, 1);
    for (uint32_t feed = 5; feed <= 9; feed++)
        fd_put(&d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
    settle(&d); /* two adds are in flight, others wait */
    fd_draining(&d, 1, true);
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 2);
    sl_assert_u64(d.feeds->slots[SL__SLOT_DRAIN], 2);
    fd_stop(&d);
}

static void only_the_node_that_acknowledged_is_used(void **state)
{
    (void)state;
    const char *const targets[] = { "n1" };
    const uint64_t epochs[] = { 7 };
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    put_running(&d, 1, 2, 1);
    fd_put(&d, 3, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_targets(&d, targets, epochs, 1);
    fd_draining(&d, 1, true);
    fd_ack(&d, 3, targets, epochs, 1);
    settle(&d);
    fd_answer(&d);
    sl_assert_u64(on(&d, 3), 3);
    sl_assert_u64(on(&d, 2), 0);
    fd_stop(&d);
}

static void while_a_node_drains_the_others_are_still_given_work(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 3);
    fd_draining(&d, 1, true);
    fd_liveness(&d, 1, SL_LIVENESS_STOPPING); /* the reference freezes everything then */
    fd_request(&d, SL_REQUEST_FEED_CREATE, 1);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 2);
    fd_stop(&d);
}

static void a_drain_without_destination_waits_and_goes_on_when_there_is_one(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 1, 2, 1);
    fd_draining(&d, 1, true);
    keep_speaking(&d, 10 * SL_S);
    fd_assert_replicating(&d, 1, 1);
    sl_assert_u64(d.event_count[SL_EV_FEED_NO_DESTINATION], 1);
    fd_join(&d, 2);
    fd_answer(&d);
    sl_assert_u64(on(&d, 2), 2);
    fd_stop(&d);
}

static void a_hundred_feeds_leave_a_node(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 4, 100, 1);
    fd_draining(&d, 1, true);
    sl_assert_u64(moves(&d), 10);
    fd_answer(&d);
    sl_assert_u64(on(&d, 1), 0);
    sl_assert_u64(on(&d, 2) + on(&d, 3) + on(&d, 4), 100);
    assert_true(on(&d, 2) >= 33 && on(&d, 3) >= 33 && on(&d, 4) >= 33);
    fd_stop(&d);
}

/* ---- balance ---- */

static void needed_moves_lift_every_node_to_the_average(void **state)
{
    (void)state;
    const uint32_t two_two_none[] = { 2, 2, 0 }, two_none[] = { 2, 0 }, many[] = { 16, 16, 16, 16, 16, 11 };
    sl_assert_u64(sl__balance_needed(NULL, 0), 0);
    sl_assert_u64(sl__balance_needed(two_two_none, 3), 1);
    sl_assert_u64(sl__balance_needed(two_none, 2), 1);
    sl_assert_u64(sl__balance_needed(many, 6), 4);
}

static void two_against_none_is_one_move_after_the_interval(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 2, 1);
    keep_speaking(&d, 10 * SL_S);
    sl_assert_u64(moves(&d), 0);
    keep_speaking(&d, 5 * SL_S);
    sl_assert_u64(moves(&d), 1);
    fd_answer(&d);
    sl_assert_u64(on(&d, 1), 1);
    sl_assert_u64(on(&d, 2), 1);
    fd_stop(&d);
}

static void nothing_is_balanced_while_a_node_drains_and_one_interval_after(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    put_running(&d, 1, 6, 1);
    settle(&d);
    fd_draining(&d, 3, true);
    keep_speaking(&d, 60 * SL_S);
    sl_assert_u64(moves(&d), 0);
    fd_draining(&d, 3, false);
    keep_speaking(&d, 10 * SL_S);
    sl_assert_u64(moves(&d), 0);
    keep_speaking(&d, 20 * SL_S);
    sl_assert_u64(moves(&d), 4);
    fd_stop(&d);
}

static void a_node_that_says_it_drains_blocks_balance_too(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    put_running(&d, 1, 6, 1);
    settle(&d);
    fd_liveness(&d, 3, SL_LIVENESS_DRAINING);
    keep_speaking(&d, 60 * SL_S);
    sl_assert_u64(moves(&d), 0);
    fd_run(&d, 14 * SL_S);
    fd_seen_all(&d);
    fd_lost(&d, 3);
    keep_speaking(&d, 10 * SL_S);
    sl_assert_u64(moves(&d), 0); /* one interval from when it was seen last */
    keep_speaking(&d, 35 * SL_S);
    sl_assert_u64(moves(&d), 3);
    fd_stop(&d);
}

static void a_node_that_is_not_eligible_is_balanced_neither_to_nor_from(void **state)
{
    (void)state;
    const char *const targets[] = { "n9" };
    const uint64_t epochs[] = { 7 };
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    put_running(&d, 1, 6, 1);
    put_running(&d, 7, 1, 2);
    settle(&d);
    fd_ack(&d, 2, targets, epochs, 1); /* holds a target that is being cleared, and already has feeds */
    keep_speaking(&d, 20 * SL_S);
    sl_assert_u64(moves(&d), 3);
    fd_answer(&d);
    sl_assert_u64(on(&d, 2), 1);
    sl_assert_u64(on(&d, 3), 3);
    fd_stop(&d);
}

static void balance_waits_for_operators_and_absent_feeds(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    put_running(&d, 1, 4, 1);
    fd_put(&d, 5, "normal", 5, 100, SL_PROGRESS_NONE);
    settle(&d);
    keep_speaking(&d, 20 * SL_S);
    sl_assert_u64(moves(&d), 0); /* f5 is still being added */
    fd_answer(&d);
    keep_speaking(&d, 20 * SL_S);
    sl_assert_u64(moves(&d), 1);
    fd_stop(&d);
}

static void a_refused_move_does_not_stop_the_others(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    put_running(&d, 1, 1, 1);
    fd_put(&d, 1, "normal", UINT64_MAX, 100, SL_PROGRESS_NONE); /* it can get no epoch: it cannot move */
    fd_report(&d, 1, 1, UINT64_MAX, 100);
    put_running(&d, 2, 5, 1);
    settle(&d);
    for (int i = 0; i < 12; i++) {
        keep_speaking(&d, 15 * SL_S);
        fd_answer(&d);
    }
    sl_assert_u64(on(&d, 2), 3);
    fd_assert_replicating(&d, 1, 1);
    fd_stop(&d);
}

/* ---- plan ---- */

static void a_plan_shows_loads_before_and_after(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_plan_move rows[8];
    fd_open(&d, 4, NULL);
    put_running(&d, 1, 5, 1);
    put_running(&d, 6, 2, 2);
    settle(&d);
    fd_draining(&d, 4, true);
    sl_assert_u64(sl_feeds_plan(d.feeds, d.now, fd_ref(&d, 1), rows, 8), 4);
    assert_true(rows[0].is_target && !rows[0].is_eligible);
    sl_assert_u64(rows[0].maintainers_before, 5);
    sl_assert_u64(rows[0].maintainers_after, 0);
    sl_assert_u64(rows[1].maintainers_after, 4);
    sl_assert_u64(rows[2].maintainers_after, 3);
    sl_assert_u64(rows[3].maintainers_after, 0);
    assert_false(rows[3].is_eligible);
    sl_assert_u64(sl_feeds_plan(d.feeds, d.now, fd_ref(&d, 1), rows, 2), 2);
    fd_stop(&d);
}

static void a_plan_without_destination_moves_nothing(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_plan_move rows[8];
    fd_start_running(&d, 1, 3, 1);
    sl_assert_u64(sl_feeds_plan(d.feeds, d.now, fd_ref(&d, 1), rows, 8), 1);
    sl_assert_u64(rows[0].maintainers_before, 3);
    assert_false(sl_feeds_has_destination(d.feeds, d.now, fd_ref(&d, 1)));
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feeds_are_spread_evenly_over_one_then_three_then_two_nodes),
        cmocka_unit_test(absent_feeds_are_placed_in_batches_and_those_that_shall_not_run_are_skipped),
        cmocka_unit_test(settings_come_from_the_options),
        cmocka_unit_test(without_a_destination_feeds_wait_and_it_is_said_once),
        cmocka_unit_test(nothing_is_placed_on_a_node_that_may_not_take_it),
        cmocka_unit_test(a_destination_must_hold_every_current_target),
        cmocka_unit_test(a_node_that_has_not_bootstrapped_takes_nothing_and_holds_up_nobody),
        cmocka_unit_test(a_drained_feed_goes_to_the_node_with_the_fewest),
        cmocka_unit_test(a_feed_with_an_operator_is_skipped_and_another_one_moves),
        cmocka_unit_test(two_draining_nodes_take_turns),
        cmocka_unit_test(slots_of_a_drain_are_its_own),
        cmocka_unit_test(only_the_node_that_acknowledged_is_used),
        cmocka_unit_test(while_a_node_drains_the_others_are_still_given_work),
        cmocka_unit_test(a_drain_without_destination_waits_and_goes_on_when_there_is_one),
        cmocka_unit_test(a_hundred_feeds_leave_a_node),
        cmocka_unit_test(needed_moves_lift_every_node_to_the_average),
        cmocka_unit_test(two_against_none_is_one_move_after_the_interval),
        cmocka_unit_test(nothing_is_balanced_while_a_node_drains_and_one_interval_after),
        cmocka_unit_test(a_node_that_says_it_drains_blocks_balance_too),
        cmocka_unit_test(a_node_that_is_not_eligible_is_balanced_neither_to_nor_from),
        cmocka_unit_test(balance_waits_for_operators_and_absent_feeds),
        cmocka_unit_test(a_refused_move_does_not_stop_the_others),
        cmocka_unit_test(a_plan_shows_loads_before_and_after),
        cmocka_unit_test(a_plan_without_destination_moves_nothing),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
