/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

#include <stdio.h>
#include <string.h>

/* Loading, and who owns what after a coordinator's bootstrap. */

#define INFO_F1 "/tidb/cdc/c1/default/changefeed/info/f1"
#define STATUS_F1 "/tidb/cdc/c1/default/changefeed/status/f1"

static void feeds_that_nobody_runs_are_placed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_put(&d, 2, "normal", 5, 200, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 1);
    fd_assert_replicating(&d, 2, 2);
    assert_true(fd_record(&d, 1).epoch >= FD_WALL_NS);
    sl_assert_u64(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->checkpoint, 200);
    fd_stop(&d);
}

static void an_owner_with_the_durable_epoch_stays_where_it_is(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 2, 2);
    sl_assert_u64(d.sent_count, 0);
    sl_assert_u64(fd_record(&d, 1).epoch, 5);
    fd_stop(&d);
}

static void a_reported_checkpoint_counts_if_it_is_ahead_of_the_store(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_put(&d, 2, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_report(&d, 2, 1, 5, 150);
    fd_report(&d, 2, 2, 5, 50);
    fd_load(&d);
    fd_settle(&d);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 150);
    sl_assert_u64(fd_feed(&d, 2)->checkpoint, 100);
    fd_stop(&d);
}

static void a_hundred_feeds_on_one_node_all_replicate(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 1, 100, 1);
    sl_assert_u64(sl_feeds_maintainers_on(d.feeds, fd_ref(&d, 1)), 100);
    fd_stop(&d);
}

static void a_missing_status_is_made_from_the_start(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put_key(&d, INFO_F1, fd_info(1, "normal", 5, 0));
    fd_load(&d);
    fd_settle(&d);
    fd_run(&d, SL_S);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 100);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_NONE);
    fd_stop(&d);
}

/* ---- values that cannot be read ---- */

static void what_cannot_be_read_is_named_and_left_alone(void **state)
{
    (void)state;
    const char
        *const rows[] = { "{",
                          "[]",
                          "{\"state\":\"sleeping\",\"start-ts\":1}",
                          "{\"start-ts\":\"x\"}",
                          "{\"start-ts\":100,\"id\":{\"id\":{\"low\":1,\"high\":7},\"display\":{\"name\":\"f9\"}}}",
                          "{\"start-ts\":100}" /* no id */ };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct feeds_driver d;
        char room[1024];
        fd_open(&d, 1, NULL);
        fd_put(&d, 2, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_put_key(&d, INFO_F1, rows[i]);
        fd_report(&d, 1, 1, 5, 100);
        fd_load(&d);
        sl_assert_u64(d.event_count[SL_EV_STORE_VALUE_REFUSED], 1);
        fd_settle(&d);
        fd_answer(&d);
        fd_working(&d, 1, 1, 5, 120);
        fd_run(&d, 5 * SL_S);
        sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, 0, 1), 0);
        sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1), 0);
        sl_assert_str(fd_text(&d, INFO_F1, room, sizeof room), rows[i]);
        fd_assert_replicating(&d, 2, 1);
        fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_REMOVE, 1), SL_MALFORMED);
        fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_CREATE, 1), SL_EXISTS);
        fd_stop(&d);
    }
}

static void a_status_that_cannot_be_read_stops_its_feed_alone(void **state)
{
    (void)state;
    struct feeds_driver d;
    char room[256];
    fd_open(&d, 1, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_put(&d, 2, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":\"100\"}");
    fd_report(&d, 1, 1, 5, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_answer(&d);
    fd_working(&d, 1, 1, 5, 120);
    fd_run(&d, 5 * SL_S);
    fd_assert_replicating(&d, 2, 1);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, 0, 0), 0);
    sl_assert_str(fd_text(&d, STATUS_F1, room, sizeof room), "{\"checkpoint-ts\":\"100\"}");
    fd_stop(&d);
}

static void keys_that_no_feed_can_have_are_passed_over(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put_key(&d, "/tidb/cdc/c1/default/changefeed/info/", "{}");
    fd_put_key(&d, "/tidb/cdc/c1/default/changefeed/info/a/b", "{}");
    fd_put_key(&d, "/tidb/cdc/c1/other/changefeed/info/f3", fd_info(3, "normal", 5, 0));
    fd_put_key(&d, "/tidb/cdc/c1/default/changefeed/status/f7", "{\"checkpoint-ts\":1}");
    fd_load(&d);
    fd_settle(&d);
    sl_assert_u64(d.feeds->all.count, 0);
    sl_assert_u64(d.event_count[SL_EV_STORE_VALUE_REFUSED], 2);
    fd_stop(&d);
}

static void a_load_that_fails_is_repeated(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_fail_store(&d, FD_REFUSED, 1);
    fd_load(&d);
    assert_false(sl_feeds_is_loaded(d.feeds));
    fd_fail_store(&d, FD_UNKNOWN_NOT_DONE, 2);
    fd_run(&d, SL_S);
    assert_true(sl_feeds_is_loaded(d.feeds));
    fd_settle(&d);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 1);
    fd_stop(&d);
}

static void feeds_over_the_limit_are_not_mistaken_for_unknown_ones(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.feed_count_max = 2;
    fd_open(&d, 1, &opts);
    for (uint32_t feed = 1; feed <= 4; feed++) {
        fd_put(&d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_report(&d, 1, feed, 5, 100);
    }
    fd_load(&d);
    fd_settle(&d);
    fd_working(&d, 1, 4, 5, 100);
    sl_assert_u64(d.feeds->all.count, 2);
    sl_assert_u64(d.event_count[SL_EV_FEEDS_OVER_LIMIT], 1);
    sl_assert_u64(d.sent_count, 0);
    fd_stop(&d);
}

/* ---- stale and duplicate owners ---- */

static void a_stale_owner_of_a_running_feed_stops_before_the_feed_is_placed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_NONE);
    fd_report(&d, 2, 1, 1, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_place(&d, 1, SL__PLACE_ABSENT);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 2));
    sl_assert_u64(stop->epoch, 1);
    assert_false(stop->cascade || stop->removed); /* its dispatchers go on and are adopted */
    fd_run(&d, SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_stopped(&d, 2, 1, 1, 100);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
    fd_stop(&d);
}

static void a_stale_owner_that_never_started_is_closed_everywhere(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feed_id id = fd_feed_id(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__MaintainerStatus s = PB__MAINTAINER_STATUS__INIT;
    s.changefeed = &changefeed;
    s.maintainer_epoch = 1;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_NONE);
    sl_feeds_reported(d.feeds, fd_ref(&d, 2), &s);
    fd_load(&d);
    fd_settle(&d);
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->cascade);
    fd_stop(&d);
}

static void a_stale_owner_of_a_removed_feed_is_stopped_and_the_feed_goes(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_REMOVING);
    fd_report(&d, 2, 1, 1, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->epoch, 1);
    assert_true(stop->cascade && stop->removed);
    fd_answer(&d);
    assert_null(fd_feed(&d, 1));
    assert_false(fd_is_stored(&d, 1));
    fd_stop(&d);
}

static void a_stale_owner_of_a_stopping_feed_is_stopped_and_the_feed_stays_stopped(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "stopped", 2, 100, SL_PROGRESS_STOPPING);
    fd_report(&d, 2, 1, 1, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->cascade);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_NONE);
    fd_stop(&d);
}

static void of_two_owners_the_one_with_the_durable_epoch_is_kept(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_NONE);
    fd_report(&d, 2, 1, 1, 300);
    fd_report(&d, 3, 1, 2, 200);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_replicating(&d, 1, 3);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 200);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 2));
    sl_assert_u64(stop->epoch, 1);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 3);
    sl_assert_u64(d.feeds->ops.count, 0);
    fd_stop(&d);
}

static void of_two_equal_owners_the_lower_ref_is_kept_and_nothing_stops(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_NONE);
    fd_report(&d, 3, 1, 2, 200);
    fd_report(&d, 2, 1, 2, 200);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_replicating(&d, 1, 2);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 3));
    assert_false(stop->cascade); /* both have the same dispatchers */
    fd_stopped(&d, 3, 1, 2, 200);
    fd_assert_replicating(&d, 1, 2);
    sl_assert_u64(d.feeds->ops.count, 0);
    fd_stop(&d);
}

static void an_owner_without_epoch_counts_only_with_interop(void **state)
{
    (void)state;
    for (int interop = 0; interop < 2; interop++) {
        struct feeds_driver d;
        struct sl_feeds_opts opts = fd_opts();
        opts.interop = interop != 0;
        fd_open(&d, 3, &opts);
        fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_NONE);
        fd_report(&d, 2, 1, 0, 200);
        fd_load(&d);
        fd_settle(&d);
        fd_assert_place(&d, 1, interop ? SL__PLACE_REPLICATING : SL__PLACE_ABSENT);
        fd_stop(&d);
    }
}

static void an_exact_match_beats_a_compatible_one(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.interop = true;
    fd_open(&d, 3, &opts);
    fd_put(&d, 1, "normal", 2, 100, SL_PROGRESS_NONE);
    fd_report(&d, 2, 1, 0, 200);
    fd_report(&d, 3, 1, 2, 200);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_replicating(&d, 1, 3);
    fd_stop(&d);
}

static void a_maintainer_of_an_unknown_feed_is_removed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_report(&d, 2, 9, 4, 100);
    fd_load(&d);
    fd_settle(&d);
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->epoch, 4);
    assert_true(remove->cascade && remove->removed);
    sl_assert_u64(d.event_count[SL_EV_FEED_UNKNOWN], 1);
    fd_stop(&d);
}

static void what_a_predecessor_began_to_stop_ends(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_REMOVING);
    fd_put(&d, 2, "stopped", 5, 100, SL_PROGRESS_STOPPING);
    fd_put(&d, 3, "normal", 5, 100, SL_PROGRESS_REMOVING);
    fd_put(&d, 4, "failed", 5, 100, SL_PROGRESS_STOPPING);
    fd_report(&d, 2, 1, 5, 100);
    fd_report(&d, 2, 2, 5, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_answer(&d);
    fd_answer(&d);
    assert_null(fd_feed(&d, 1));
    assert_null(fd_feed(&d, 3));
    fd_assert_place(&d, 2, SL__PLACE_STOPPED);
    fd_assert_place(&d, 4, SL__PLACE_STOPPED);
    sl_assert_i64(fd_status_value(&d, 4).progress, SL_PROGRESS_NONE);
    sl_assert_u64(d.feeds->ops.count, 0);
    sl_assert_u64(sl_feeds_maintainers_on(d.feeds, fd_ref(&d, 2)), 0);
    fd_stop(&d);
}

static void a_remover_of_a_feed_without_owner_has_a_newer_durable_epoch(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_REMOVING);
    fd_load(&d);
    d.holds_store = true;
    fd_settle(&d);
    sl_assert_u64(d.sent_count, 0);
    d.holds_store = false;
    fd_store_run(&d);
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->to, fd_ref(&d, 1));
    sl_assert_u64(remove->epoch, fd_record(&d, 1).epoch);
    assert_true(remove->epoch > 5);
    fd_stop(&d);
}

static void a_paused_feed_that_somebody_runs_is_stopped(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "stopped", 5, 100, SL_PROGRESS_NONE);
    fd_report(&d, 2, 1, 5, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->cascade);
    fd_answer(&d);
    sl_assert_u64(d.feeds->ops.count, 0);
    fd_stop(&d);
}

static void reports_of_a_node_that_left_do_not_count(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_report(&d, 2, 1, 5, 100);
    fd_load(&d);
    fd_lost(&d, 2);
    fd_settle(&d);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 1);
    fd_stop(&d);
}

static void without_memory_for_reports_nothing_is_placed_before_maintainers_have_shown(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    d.mem.fail_at = 1;
    fd_report(&d, 2, 1, 5, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_place(&d, 1, SL__PLACE_ABSENT);
    sl_assert_u64(d.sent_count, 0);
    fd_working(&d, 2, 1, 5, 120); /* it shows: it stops before another one starts */
    sl_assert_u64(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->epoch, 5);
    fd_run(&d, 10 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_answer(&d);
    fd_run(&d, SL_S);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
    fd_stop(&d);
}

static void nothing_happens_before_settle(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_working(&d, 2, 9, 4, 100);
    fd_run(&d, 60 * SL_S);
    sl_assert_u64(d.sent_count, 0);
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_LIST, 1), SL_NOT_READY);
    fd_stop(&d);
}

static void a_cluster_that_cannot_be_part_of_a_key_is_refused(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds *f = NULL;
    fd_start(&d, 1);
    d.opts.cluster = SL_STR("a/b");
    sl_assert_i64(sl_feeds_new(&f, &d.opts, d.now), SL_BAD_CONFIG);
    assert_null(f);
    fd_stop(&d);
}

static struct driver_remover {
    struct sl_feed_id id;
    Pb__ChangefeedID changefeed;
    Pb__MaintainerStatus status;
} remover_of(uint64_t epoch)
{
    struct driver_remover r = { .id = fd_feed_id(1) };
    pb__maintainer_status__init(&r.status);
    r.status.checkpoint_ts = 1;
    r.status.maintainer_epoch = epoch;
    return r;
}

static void a_remover_is_no_owner_even_with_the_durable_epoch(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct driver_remover r = remover_of(5);
    r.changefeed = sl_feed_id_pb(&r.id);
    r.status.changefeed = &r.changefeed;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    sl_feeds_reported(d.feeds, fd_ref(&d, 2), &r.status);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_place(&d, 1, SL__PLACE_ABSENT);
    assert_false(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->cascade); /* that could make another one */
    fd_run(&d, 5 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_stopped(&d, 2, 1, 5, 1);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
    fd_stop(&d);
}

static void a_remover_of_a_feed_that_is_gone_is_left_to_its_work(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct driver_remover r = remover_of(5);
    r.changefeed = sl_feed_id_pb(&r.id);
    r.status.changefeed = &r.changefeed;
    fd_open(&d, 3, NULL);
    sl_feeds_reported(d.feeds, fd_ref(&d, 2), &r.status);
    fd_load(&d);
    fd_settle(&d);
    fd_status(&d, 2, &r.status);
    sl_assert_u64(d.sent_count, 0);
    fd_stop(&d);
}

static void an_epoch_that_a_maintainer_has_is_passed_even_if_the_clock_is_behind(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE); /* a store of yesterday */
    fd_report(&d, 2, 1, FD_WALL_NS * 2, 100);
    fd_report(&d, 3, 1, UINT64_MAX, 100); /* nobody's clock */
    fd_load(&d);
    fd_settle(&d);
    fd_answer(&d);
    fd_answer(&d);
    sl_assert_u64(fd_feed(&d, 1)->epoch, FD_WALL_NS * 2 + 1);
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feeds_that_nobody_runs_are_placed),
        cmocka_unit_test(an_owner_with_the_durable_epoch_stays_where_it_is),
        cmocka_unit_test(a_reported_checkpoint_counts_if_it_is_ahead_of_the_store),
        cmocka_unit_test(a_hundred_feeds_on_one_node_all_replicate),
        cmocka_unit_test(a_missing_status_is_made_from_the_start),
        cmocka_unit_test(what_cannot_be_read_is_named_and_left_alone),
        cmocka_unit_test(a_status_that_cannot_be_read_stops_its_feed_alone),
        cmocka_unit_test(keys_that_no_feed_can_have_are_passed_over),
        cmocka_unit_test(a_load_that_fails_is_repeated),
        cmocka_unit_test(feeds_over_the_limit_are_not_mistaken_for_unknown_ones),
        cmocka_unit_test(a_stale_owner_of_a_running_feed_stops_before_the_feed_is_placed),
        cmocka_unit_test(a_stale_owner_that_never_started_is_closed_everywhere),
        cmocka_unit_test(a_stale_owner_of_a_removed_feed_is_stopped_and_the_feed_goes),
        cmocka_unit_test(a_stale_owner_of_a_stopping_feed_is_stopped_and_the_feed_stays_stopped),
        cmocka_unit_test(of_two_owners_the_one_with_the_durable_epoch_is_kept),
        cmocka_unit_test(of_two_equal_owners_the_lower_ref_is_kept_and_nothing_stops),
        cmocka_unit_test(an_owner_without_epoch_counts_only_with_interop),
        cmocka_unit_test(an_exact_match_beats_a_compatible_one),
        cmocka_unit_test(a_maintainer_of_an_unknown_feed_is_removed),
        cmocka_unit_test(what_a_predecessor_began_to_stop_ends),
        cmocka_unit_test(a_remover_of_a_feed_without_owner_has_a_newer_durable_epoch),
        cmocka_unit_test(a_paused_feed_that_somebody_runs_is_stopped),
        cmocka_unit_test(reports_of_a_node_that_left_do_not_count),
        cmocka_unit_test(without_memory_for_reports_nothing_is_placed_before_maintainers_have_shown),
        cmocka_unit_test(nothing_happens_before_settle),
        cmocka_unit_test(a_cluster_that_cannot_be_part_of_a_key_is_refused),
        cmocka_unit_test(a_remover_is_no_owner_even_with_the_durable_epoch),
        cmocka_unit_test(a_remover_of_a_feed_that_is_gone_is_left_to_its_work),
        cmocka_unit_test(an_epoch_that_a_maintainer_has_is_passed_even_if_the_clock_is_behind),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
