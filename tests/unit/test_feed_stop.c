/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

/* Stop, event by event. */

static void a_stop_names_the_epoch_of_what_runs_and_not_the_durable_one(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_moving(&d); /* the durable epoch is newer than the origin's */
    fd_forget(&d);
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 2));
    sl_assert_u64(stop->epoch, 5);
    assert_true(stop->cascade);
    fd_stopped(&d, 2, 1, fd_record(&d, 1).epoch, 100);
    sl_assert_u64(d.feeds->ops.count, 1);
    fd_stopped(&d, 2, 1, 5, 100);
    sl_assert_u64(d.feeds->ops.count, 0);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    fd_stop(&d);
}

static void a_stop_after_the_origin_has_stopped_goes_to_the_destination(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    fd_stopped(&d, 2, 1, 5, 100);
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 3));
    sl_assert_u64(stop->epoch, epoch);
    fd_stop(&d);
}

static void stopping_twice_then_removing_is_one_operator(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    uint64_t first = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    uint64_t second = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, 0, 0), 1);
    uint64_t third = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
    uint64_t fourth = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
    sl_assert_u64(d.feeds->ops.count, 1);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 2));
    sl_assert_u64(stop->epoch, 5);
    assert_true(stop->removed);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, 0, 0), 2);
    fd_stopped(&d, 2, 1, 5, 100);
    assert_null(fd_feed(&d, 1));
    assert_false(fd_is_stored(&d, 1));
    fd_assert_reply(&d, first, SL_NOT_FOUND);
    fd_assert_reply(&d, second, SL_NOT_FOUND);
    fd_assert_reply(&d, third, SL_OK);
    fd_assert_reply(&d, fourth, SL_OK);
    fd_stop(&d);
}

static void a_repeated_warning_does_not_aim_a_running_stop_elsewhere(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrY");
    fd_run(&d, 5 * SL_S);
    for (uint32_t i = 0; i < d.sent_count; i++) {
        if (d.sent[i].type != SL_MSG_REMOVE_MAINTAINER_REQUEST)
            continue;
        sl_assert_u64(d.sent[i].to, fd_ref(&d, 2));
        sl_assert_u64(d.sent[i].epoch, 5);
    }
    sl_assert_u64(d.feeds->ops.count, 1);
    fd_stop(&d);
}

static void a_stop_of_a_lost_node_goes_on_with_a_remover_of_a_newer_epoch(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    d.holds_store = true;
    fd_forget(&d);
    fd_lost(&d, 2);
    fd_tick(&d, 5 * SL_S);
    sl_assert_u64(d.sent_count, 0);
    d.holds_store = false;
    fd_store_run(&d);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 1));
    sl_assert_u64(stop->epoch, fd_record(&d, 1).epoch);
    assert_true(stop->epoch > 5 && stop->cascade);
    assert_null(fd_reply_to(&d, ticket));
    fd_stopped(&d, 1, 1, stop->epoch, 0);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_stop(&d);
}

static void a_remover_is_not_made_on_a_draining_node_if_there_is_another(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_draining(&d, 1, true);
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    fd_lost(&d, 2);
    sl_assert_u64(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->to, fd_ref(&d, 3));
    fd_stop(&d);
}

static void a_stale_maintainer_is_gone_with_its_node(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_NONE);
    fd_report(&d, 2, 1, 1, 100);
    fd_report(&d, 3, 1, 2, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_lost(&d, 2);
    fd_assert_replicating(&d, 1, 3);
    sl_assert_u64(d.feeds->ops.count, 0);
    sl_assert_u64(fd_record(&d, 1).epoch, 2);
    fd_stop(&d);
}

static void removing_during_an_add_replaces_it(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 1));
    sl_assert_u64(stop->epoch, epoch);
    assert_true(stop->cascade && stop->removed);
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 0);
    fd_stopped(&d, 1, 1, epoch, 0);
    assert_null(fd_feed(&d, 1));
    assert_false(fd_is_stored(&d, 1));
    fd_assert_reply(&d, ticket, SL_OK);
    sl_assert_u64(d.feeds->ready.count + d.feeds->ops.count, 0);
    fd_stop(&d);
}

static void while_an_epoch_is_stored_statuses_and_stops_are_taken(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    d.holds_store = true;
    fd_move(&d, 1, 3);
    fd_working(&d, 2, 1, 5, 170);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 170);
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    d.holds_store = false;
    fd_store_run(&d);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->epoch, 5);
    assert_true(stop->cascade);
    fd_stopped(&d, 2, 1, 5, 180);
    fd_assert_reply(&d, ticket, SL_OK);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_run(&d, SL_S);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 180);
    fd_stop(&d);
}

static void a_maintainer_that_falls_silent_is_started_anew(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_run(&d, 59 * SL_S);
    sl_assert_u64(d.sent_count, 0);
    fd_run(&d, 2 * SL_S);
    sl_assert_u64(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->epoch, 5);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 2);
    assert_true(fd_feed(&d, 1)->epoch > 5);
    fd_stop(&d);
}

static void pausing_a_feed_that_is_being_stopped_changes_nothing_about_the_stop(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrGCTTLExceeded");
    sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, 0, 0), 1);
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, 0, 0), 1);
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_stop(&d);
}

static void a_stale_maintainer_that_is_being_stopped_does_not_shield_the_owner(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_NONE);
    fd_report(&d, 2, 1, 1, 100);
    fd_report(&d, 3, 1, 2, 100);
    fd_load(&d);
    fd_settle(&d); /* the one on n2 is told to stop */
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 3));
    sl_assert_u64(stop->epoch, 2);
    assert_true(stop->cascade);
    fd_stopped(&d, 2, 1, 1, 100);
    assert_null(fd_reply_to(&d, ticket));
    fd_stopped(&d, 3, 1, 2, 100);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_stop(&d);
}

/* It was asked for by a move, or by a coordinator before this one; the dispatchers still run then. */
static void the_end_of_a_hand_over_does_not_end_a_cascade(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 4, 1, 2);
    d.capabilities = SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_SCOPE;
    fd_bootstrapped(&d, 2);
    fd_move(&d, 1, 3);
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
    fd_stopped(&d, 2, 1, 5, 100);
    assert_non_null(fd_feed(&d, 1));
    sl_assert_u64(d.feeds->ops.count, 1);
    fd_forget(&d);
    fd_run(&d, 2 * SL_S);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->epoch, 5);
    assert_true(stop->cascade);
    fd_closed(&d, 2, 1, 5, 100);
    assert_null(fd_feed(&d, 1));
    fd_assert_reply(&d, ticket, SL_OK);
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_names_the_epoch_of_what_runs_and_not_the_durable_one),
        cmocka_unit_test(a_stop_after_the_origin_has_stopped_goes_to_the_destination),
        cmocka_unit_test(stopping_twice_then_removing_is_one_operator),
        cmocka_unit_test(a_repeated_warning_does_not_aim_a_running_stop_elsewhere),
        cmocka_unit_test(a_stop_of_a_lost_node_goes_on_with_a_remover_of_a_newer_epoch),
        cmocka_unit_test(a_remover_is_not_made_on_a_draining_node_if_there_is_another),
        cmocka_unit_test(a_stale_maintainer_is_gone_with_its_node),
        cmocka_unit_test(removing_during_an_add_replaces_it),
        cmocka_unit_test(while_an_epoch_is_stored_statuses_and_stops_are_taken),
        cmocka_unit_test(a_maintainer_that_falls_silent_is_started_anew),
        cmocka_unit_test(pausing_a_feed_that_is_being_stopped_changes_nothing_about_the_stop),
        cmocka_unit_test(a_stale_maintainer_that_is_being_stopped_does_not_shield_the_owner),
        cmocka_unit_test(the_end_of_a_hand_over_does_not_end_a_cascade),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
