/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

#include <stdio.h>
#include <string.h>

/* What maintainers say: whose word counts, errors and their backoff, drain progress. */

#define TARGET "n9"

/* f1 runs on n2; the target n9 is a member. */
static void start_with_target(struct feeds_driver *d)
{
    fd_start_running(d, 3, 1, 2);
    fd_join(d, 9);
}

static Pb__DrainProgress progress_of(char *target, uint64_t epoch, uint32_t dispatchers)
{
    Pb__DrainProgress p = PB__DRAIN_PROGRESS__INIT;
    p.target_node_id = target;
    p.target_epoch = epoch;
    p.target_dispatcher_count = dispatchers;
    p.bound = dispatchers;
    p.bootstrapped = true;
    return p;
}

static struct sl_feeds_on_node count(const struct feeds_driver *d, uint32_t node, uint64_t epoch)
{
    struct sl_feeds_on_node c;
    const struct sl_drain_target target = { .epoch = epoch };
    sl_feeds_count(d->feeds, fd_ref(d, node), &target, &c);
    return c;
}

/* ---- whose word counts ---- */

static void only_the_bound_node_with_the_current_epoch_is_heard(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_working(&d, 2, 1, 4, 900);
    fd_working(&d, 3, 1, 5, 900);
    fd_working(&d, 2, 1, 0, 900);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 100);
    fd_working(&d, 2, 1, 5, 150);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 150);
    fd_stop(&d);
}

static void a_node_that_has_not_answered_the_bootstrap_is_not_heard(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    sl_nodes_remove(d.nodes, fd_ref(&d, 2));
    sl_nodes_add(d.nodes, d.now, fd_ref(&d, 2));
    fd_working(&d, 2, 1, 5, 150);
    fd_working(&d, 2, 9, 5, 150);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 100);
    sl_assert_u64(d.sent_count, 0);
    fd_bootstrapped(&d, 2);
    fd_working(&d, 2, 1, 5, 150);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 150);
    fd_stop(&d);
}

static void a_working_maintainer_of_an_unknown_feed_is_removed_with_its_own_epoch(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_stopped(&d, 2, 9, 33, 100);
    sl_assert_u64(d.sent_count, 0);
    fd_working(&d, 2, 9, 33, 100);
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->epoch, 33);
    assert_true(remove->cascade && remove->removed);
    fd_stop(&d);
}

static void maintainers_of_other_keyspaces_are_left_alone(void **state)
{
    (void)state;
    struct feeds_driver d;
    char name[] = "f1", space[] = "other";
    Pb__ChangefeedID id = PB__CHANGEFEED_ID__INIT;
    Pb__MaintainerStatus s = PB__MAINTAINER_STATUS__INIT;
    id.high = 1;
    id.name = name;
    id.keyspace = space;
    s.changefeed = &id;
    fd_start(&d, 2);
    fd_status(&d, 2, &s);
    sl_assert_u64(d.sent_count, 0);
    fd_stop(&d);
}

static void a_stray_maintainer_is_asked_to_hand_over(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_working(&d, 3, 1, 4, 100);
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->to, fd_ref(&d, 3));
    sl_assert_u64(remove->epoch, 4);
    assert_false(remove->cascade); /* its dispatchers may be the owner's by now */
    fd_booting(&d, 3, 1, 4, 100);
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->cascade); /* it will never hand over */
    fd_assert_replicating(&d, 1, 2);
    sl_assert_u64(d.feeds->ops.count, 0);
    fd_stop(&d);
}

static void a_feed_without_owner_waits_for_a_stray_maintainer_to_stop(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    fd_answer(&d); /* backing off */
    fd_working(&d, 3, 1, 4, 100);
    sl_assert_i64(fd_feed(&d, 1)->op.stop, SL__STOP_STALE);
    fd_run(&d, 20 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_answer(&d);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
    fd_stop(&d);
}

static void a_stray_maintainer_of_a_paused_feed_is_closed_everywhere(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "stopped", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    fd_working(&d, 2, 1, 5, 100);
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->cascade);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    sl_assert_u64(d.feeds->ops.count, 0);
    fd_stop(&d);
}

/* ---- checkpoint ---- */

static void a_checkpoint_never_goes_back(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_working(&d, 2, 1, 5, 150);
    fd_working(&d, 2, 1, 5, 120);
    fd_working(&d, 2, 1, 5, 0);
    fd_working(&d, 2, 1, 5, SL_TS_MAX); /* not known */
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 150);
    fd_stop(&d);
}

static void a_lower_checkpoint_does_not_discard_drain_progress(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET;
    struct sl_feed_id id = fd_feed_id(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__MaintainerStatus s = PB__MAINTAINER_STATUS__INIT;
    Pb__DrainProgress p = progress_of(target, 7, 3);
    s.changefeed = &changefeed;
    s.maintainer_epoch = 5;
    s.bootstrap_done = true;
    s.checkpoint_ts = 50; /* lower */
    s.drain_progress = &p;
    start_with_target(&d);
    fd_status(&d, 2, &s);
    sl_assert_u64(count(&d, 9, 7).dispatchers, 3);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 100);
    fd_stop(&d);
}

static void a_lower_checkpoint_does_not_discard_an_error(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_error(&d, 2, 1, 5, 50, "CDC:ErrX");
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_WARNING);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 100);
    fd_stop(&d);
}

static void the_target_ts_finishes_a_feed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_put_key(&d, "/tidb/cdc/c1/default/changefeed/info/f1", fd_info(1, "normal", 5, 200));
    fd_report(&d, 2, 1, 5, 100);
    fd_load(&d);
    fd_settle(&d);
    fd_working(&d, 2, 1, 5, 199);
    fd_assert_replicating(&d, 1, 2);
    fd_working(&d, 2, 1, 5, 200);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_FINISHED);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_STOPPING);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 200);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_NONE);
    fd_stop(&d);
}

/* ---- errors ---- */

static void a_warning_raises_the_epoch_in_the_same_write_and_stops_with_the_old_one(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    d.holds_store = true;
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    sl_assert_u64(d.op_count, 1);
    sl_assert_u64(d.sent_count, 0);
    fd_assert_replicating(&d, 1, 2);
    assert_true(fd_store_step(&d));
    const struct sl_feed_record r = fd_record(&d, 1);
    sl_assert_i64(r.state, SL_FEED_WARNING);
    sl_assert_str(r.error.code, "CDC:ErrX");
    assert_true(r.epoch > 5);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->epoch, 5);
    assert_true(stop->cascade && !stop->removed);
    fd_assert_place(&d, 1, SL__PLACE_ABSENT);
    fd_stop(&d);
}

static void secrets_of_an_error_do_not_reach_the_store(void **state)
{
    (void)state;
    struct feeds_driver d;
    char room[2048];
    fd_start_running(&d, 2, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    const char *text = fd_text(&d, "/tidb/cdc/c1/default/changefeed/info/f1", room, sizeof room);
    assert_non_null(strstr(text, "cannot reach mysql://"));
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "\"theirs\":1e-7"));
    fd_stop(&d);
}

static void a_feed_comes_back_after_its_backoff_and_is_normal_once_it_bootstrapped(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    fd_answer(&d);
    fd_run(&d, 8 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_run(&d, 4 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0) > 0, 1);
    fd_answer(&d);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_NORMAL);
    assert_false(fd_record(&d, 1).error.present);
    fd_stop(&d);
}

static void an_add_waits_for_the_stop_even_after_the_backoff(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    fd_run(&d, 40 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_answer(&d);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0) > 0, 1);
    fd_stop(&d);
}

/* Adds, starts and fails again; returns how long the feed was held back. */
static sl_ns fail_again(struct feeds_driver *d)
{
    sl_ns since = d->now;
    fd_answer(d); /* the stop */
    while (fd_feed(d, 1)->place == SL__PLACE_ABSENT)
        fd_run(d, SL_S);
    sl_ns took = d->now - since;
    fd_working(d, (uint32_t)fd_feed(d, 1)->node, 1, fd_feed(d, 1)->epoch, 100); /* it bootstraps, but gets no further */
    fd_error(d, (uint32_t)fd_feed(d, 1)->node, 1, fd_feed(d, 1)->epoch, 100, "CDC:ErrX");
    return took;
}

static void the_backoff_doubles_from_ten_seconds_and_in_the_end_the_feed_fails(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    sl_ns begun = d.now, expected = 10 * SL_S;
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    for (int i = 0; i < 10 && fd_feed(&d, 1)->want.state == SL_FEED_WARNING; i++) {
        sl_ns took = fail_again(&d);
        assert_true(took >= expected - expected / 10 && took <= expected + expected / 10 + 2 * SL_S);
        expected = sl_ns_min(expected * 2, 600 * SL_S);
    }
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_FAILED);
    assert_true(d.now - begun >= 1800 * SL_S && d.now - begun < 2800 * SL_S);
    fd_answer(&d);
    fd_run(&d, 1000 * SL_S);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    fd_stop(&d);
}

static void progress_ends_the_retrying(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    fail_again(&d);
    fd_answer(&d);
    fd_run(&d, 30 * SL_S);
    fd_answer(&d);
    assert_true(fd_feed(&d, 1)->backoff.delay_ns > 0);
    uint32_t node = (uint32_t)fd_feed(&d, 1)->node;
    uint64_t epoch = fd_feed(&d, 1)->epoch;
    fd_error(&d, node, 1, epoch, 130, "CDC:ErrX"); /* one of the past, with progress */
    sl_assert_i64(fd_feed(&d, 1)->backoff.delay_ns, 0);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_NORMAL);
    fd_error(&d, node, 1, epoch, 130, "CDC:ErrX");
    sl_assert_i64(fd_feed(&d, 1)->backoff.delay_ns, 10 * SL_S); /* from the beginning */
    fd_stop(&d);
}

static void a_maintainer_that_just_bootstrapped_is_normal_first_and_warned_next(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "warning", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    fd_error(&d, 1, 1, epoch, 100, "CDC:ErrX"); /* bootstrapped in the same status */
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_NORMAL);
    fd_assert_replicating(&d, 1, 1);
    fd_error(&d, 1, 1, epoch, 100, "CDC:ErrX");
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_WARNING);
    fd_stop(&d);
}

static void a_fatal_error_fails_the_feed_whatever_else_is_said(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    fd_error(&d, 1, 1, epoch, 900, "CDC:ErrGCTTLExceeded"); /* just bootstrapped, and with progress */
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_FAILED);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_STOPPING);
    sl_assert_u64(fd_record(&d, 1).epoch, epoch);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    fd_run(&d, 60 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 1); /* not offered again */
    fd_stop(&d);
}

static void the_same_warning_again_writes_nothing(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    sl_revision revision = sl_store_model_revision(d.store);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    sl_assert_i64(sl_store_model_revision(d.store), revision);
    sl_assert_u64(d.event_count[SL_EV_FEED_STATE], 1);
    fd_stop(&d);
}

static void a_warning_survives_a_store_that_fails(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_fail_store(&d, FD_REFUSED, 5);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    fd_assert_replicating(&d, 1, 2); /* nothing is stopped that a later coordinator would take for running */
    fd_run(&d, 3 * SL_S);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_WARNING);
    fd_assert_place(&d, 1, SL__PLACE_ABSENT);
    fd_stop(&d);
}

/* ---- drain progress ---- */

static void every_feed_must_report_for_exactly_this_target_and_epoch(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET, other[] = "n3";
    Pb__DrainProgress right = progress_of(target, 7, 0), old = progress_of(target, 6, 0),
                      wrong = progress_of(other, 7, 0);
    start_with_target(&d);
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    sl_assert_i64(count(&d, 9, 7).why, SL_BLOCKED_FEED_NOT_REPORTED);
    fd_drained(&d, 2, 1, &old);
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    fd_drained(&d, 2, 1, &wrong);
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    fd_drained(&d, 2, 1, &right);
    sl_assert_u64(count(&d, 9, 7).unsettled, 0);
    sl_assert_i64(count(&d, 9, 7).why, SL_BLOCKED_NONE);
    fd_drained(&d, 2, 1, NULL); /* its latest status is what counts */
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    fd_stop(&d);
}

static void counts_are_sums_over_feeds(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET;
    fd_start_running(&d, 3, 3, 2);
    fd_join(&d, 9);
    for (uint32_t feed = 1; feed <= 3; feed++) {
        Pb__DrainProgress p = progress_of(target, 7, feed);
        p.target_inflight_drain_move_count = 10;
        p.stuck = feed == 2;
        fd_drained(&d, 2, feed, &p);
    }
    struct sl_feeds_on_node c = count(&d, 9, 7);
    sl_assert_u64(c.dispatchers, 6);
    sl_assert_u64(c.moves, 30);
    sl_assert_u64(c.stuck, 1);
    sl_assert_u64(c.unsettled, 0);
    sl_assert_i64(c.why, SL_BLOCKED_MOVE_STUCK);
    sl_assert_str(c.example, "f2: 2 dispatchers, 10 moving, 1 stuck");
    fd_stop(&d);
}

static void what_starts_stops_or_is_not_known_counts_as_a_dispatcher(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET;
    Pb__DrainProgress p = progress_of(target, 7, 0);
    start_with_target(&d);
    p.stopping = 1;
    p.starting = 2;
    p.unknown = 4;
    fd_drained(&d, 2, 1, &p);
    sl_assert_u64(count(&d, 9, 7).dispatchers, 7);
    p.bootstrapped = false;
    fd_drained(&d, 2, 1, &p);
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    sl_assert_i64(count(&d, 9, 7).why, SL_BLOCKED_FEED_NOT_BOOTSTRAPPED);
    fd_stop(&d);
}

static void a_list_of_drains_is_read_target_by_target(void **state)
{
    (void)state;
    struct feeds_driver d;
    char nine[] = TARGET, three[] = "n3", unknown[] = "n77";
    Pb__DrainProgress a = progress_of(nine, 7, 2), b = progress_of(three, 8, 3), c = progress_of(unknown, 9, 4);
    Pb__DrainProgress *all[] = { &a, &b, &c };
    struct sl_feed_id id = fd_feed_id(1);
    Pb__ChangefeedID changefeed = sl_feed_id_pb(&id);
    Pb__MaintainerStatus s = PB__MAINTAINER_STATUS__INIT;
    s.changefeed = &changefeed;
    s.maintainer_epoch = 5;
    s.bootstrap_done = true;
    s.drains = all;
    s.n_drains = 3;
    s.drain_progress = &a; /* the oldest one stands in the old field too: counted once */
    start_with_target(&d);
    fd_status(&d, 2, &s);
    sl_assert_u64(count(&d, 9, 7).dispatchers, 2);
    sl_assert_u64(count(&d, 3, 8).dispatchers, 3);
    sl_assert_u64(fd_feed(&d, 1)->drain_count, 2);
    fd_stop(&d);
}

static void a_foreign_maintainer_speaks_with_the_fields_it_has(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET;
    Pb__CoordinatorBootstrapResponse r = PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT;
    Pb__DrainProgress p = progress_of(target, 7, 2);
    r.drain_protocol_version = 1; /* and no protocol version of ours */
    p.bound = 0;
    p.bootstrapped = false;
    start_with_target(&d);
    assert_true(sl_nodes_on_bootstrap(d.nodes, d.now, fd_ref(&d, 2), &r));
    fd_drained(&d, 2, 1, &p);
    sl_assert_u64(count(&d, 9, 7).unsettled, 0);
    sl_assert_u64(count(&d, 9, 7).dispatchers, 2);
    fd_stop(&d);
}

static void absent_and_starting_feeds_are_unsettled(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET;
    Pb__DrainProgress p = progress_of(target, 7, 0);
    start_with_target(&d);
    fd_drained(&d, 2, 1, &p);
    fd_draining(&d, 2, true); /* moving: what the old owner said is void once it stopped */
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    p.target_dispatcher_count = 3;
    fd_drained(&d, 2, 1, &p);
    sl_assert_u64(count(&d, 9, 7).dispatchers, 3);
    p.target_dispatcher_count = 0;
    fd_stopped(&d, 2, 1, 5, 100);
    sl_assert_u64(count(&d, 9, 7).dispatchers, 0);
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    sl_assert_str(count(&d, 9, 7).example, "f1: add_dest");
    uint32_t node = (uint32_t)fd_feed(&d, 1)->node;
    fd_working(&d, node, 1, fd_feed(&d, 1)->epoch, 100);
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    fd_drained(&d, node, 1, &p);
    sl_assert_u64(count(&d, 9, 7).unsettled, 0);
    fd_stop(&d);
}

static void feeds_that_nobody_speaks_for_are_settled_by_the_target_alone(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET;
    Pb__DrainProgress p = progress_of(target, 7, 3);
    fd_start_running(&d, 2, 4, 2);
    fd_join(&d, 9);
    fd_drained(&d, 2, 1, &p);
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    fd_error(&d, 2, 2, 5, 100, "CDC:ErrGCTTLExceeded");
    fd_error(&d, 2, 3, 5, 100, "CDC:ErrX");
    sl_assert_u64(count(&d, 9, 7).unsettled, 4); /* while they are being stopped, too */
    fd_answer(&d);
    struct sl_feeds_on_node c = count(&d, 9, 7);
    sl_assert_u64(c.unsettled, 1);
    sl_assert_u64(c.dispatchers, 0); /* what it said before it closed is void */
    sl_assert_str(c.example, "f4: replicating");
    fd_run(&d, 12 * SL_S); /* f3 comes back */
    sl_assert_u64(count(&d, 9, 7).unsettled, 2);
    fd_stop(&d);
}

static void maintainers_and_operators_of_the_node_itself_are_named_first(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 2, 2);
    struct sl_feeds_on_node c = count(&d, 2, 7);
    sl_assert_u64(c.bound, 2);
    sl_assert_i64(c.why, SL_BLOCKED_MAINTAINER_ON_TARGET);
    sl_assert_str(c.example, "f1: replicating");
    fd_stop(&d);
}

static void progress_of_a_target_that_left_is_forgotten_before_its_ref_is_reused(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET;
    Pb__DrainProgress p = progress_of(target, 7, 2);
    start_with_target(&d);
    fd_drained(&d, 2, 1, &p);
    sl_assert_u64(fd_feed(&d, 1)->drain_count, 1);
    fd_lost(&d, 9);
    sl_assert_u64(fd_feed(&d, 1)->drain_count, 0);
    fd_stop(&d);
}

static void without_memory_for_progress_nothing_is_known(void **state)
{
    (void)state;
    struct feeds_driver d;
    char target[] = TARGET;
    Pb__DrainProgress p = progress_of(target, 7, 0);
    start_with_target(&d);
    d.mem.fail_at = 1;
    fd_drained(&d, 2, 1, &p);
    sl_assert_u64(count(&d, 9, 7).unsettled, 1);
    fd_drained(&d, 2, 1, &p);
    sl_assert_u64(count(&d, 9, 7).unsettled, 0);
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_bound_node_with_the_current_epoch_is_heard),
        cmocka_unit_test(a_node_that_has_not_answered_the_bootstrap_is_not_heard),
        cmocka_unit_test(a_working_maintainer_of_an_unknown_feed_is_removed_with_its_own_epoch),
        cmocka_unit_test(maintainers_of_other_keyspaces_are_left_alone),
        cmocka_unit_test(a_stray_maintainer_is_asked_to_hand_over),
        cmocka_unit_test(a_feed_without_owner_waits_for_a_stray_maintainer_to_stop),
        cmocka_unit_test(a_stray_maintainer_of_a_paused_feed_is_closed_everywhere),
        cmocka_unit_test(a_checkpoint_never_goes_back),
        cmocka_unit_test(a_lower_checkpoint_does_not_discard_drain_progress),
        cmocka_unit_test(a_lower_checkpoint_does_not_discard_an_error),
        cmocka_unit_test(the_target_ts_finishes_a_feed),
        cmocka_unit_test(a_warning_raises_the_epoch_in_the_same_write_and_stops_with_the_old_one),
        cmocka_unit_test(secrets_of_an_error_do_not_reach_the_store),
        cmocka_unit_test(a_feed_comes_back_after_its_backoff_and_is_normal_once_it_bootstrapped),
        cmocka_unit_test(an_add_waits_for_the_stop_even_after_the_backoff),
        cmocka_unit_test(the_backoff_doubles_from_ten_seconds_and_in_the_end_the_feed_fails),
        cmocka_unit_test(progress_ends_the_retrying),
        cmocka_unit_test(a_maintainer_that_just_bootstrapped_is_normal_first_and_warned_next),
        cmocka_unit_test(a_fatal_error_fails_the_feed_whatever_else_is_said),
        cmocka_unit_test(the_same_warning_again_writes_nothing),
        cmocka_unit_test(a_warning_survives_a_store_that_fails),
        cmocka_unit_test(every_feed_must_report_for_exactly_this_target_and_epoch),
        cmocka_unit_test(counts_are_sums_over_feeds),
        cmocka_unit_test(what_starts_stops_or_is_not_known_counts_as_a_dispatcher),
        cmocka_unit_test(a_list_of_drains_is_read_target_by_target),
        cmocka_unit_test(a_foreign_maintainer_speaks_with_the_fields_it_has),
        cmocka_unit_test(absent_and_starting_feeds_are_unsettled),
        cmocka_unit_test(feeds_that_nobody_speaks_for_are_settled_by_the_target_alone),
        cmocka_unit_test(maintainers_and_operators_of_the_node_itself_are_named_first),
        cmocka_unit_test(progress_of_a_target_that_left_is_forgotten_before_its_ref_is_reused),
        cmocka_unit_test(without_memory_for_progress_nothing_is_known),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
