/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dispatch_driver.h"

/* What the owner hears without asking: the watermark, statuses, errors. */

static const Pb__HeartBeatRequest *heartbeat(struct dispatch_driver *d, uint32_t index)
{
    const Pb__HeartBeatRequest *found = dispatch_sent(d, SL_MSG_HEART_BEAT_REQUEST, index);
    assert_non_null(found);
    return found;
}

/* The watermark of the next periodic heartbeat. */
static const Pb__Watermark *watermark(struct dispatch_driver *d)
{
    dispatch_tick(d, 200 * SL_MS);
    return heartbeat(d, 0)->watermark;
}

static void heartbeats_begin_with_the_first_dispatcher(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_assert_i64(sl_orchestrator_deadline(d.o), SL_NEVER);
    dispatch_tick(&d, 60 * SL_S);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_assert_i64(sl_orchestrator_deadline(d.o), d.now + 200 * SL_MS);
    dispatch_tick(&d, 200 * SL_MS);
    const Pb__HeartBeatRequest *first = heartbeat(&d, 0);
    sl_assert_u64(first->watermark->checkpoint_ts, 100u); /* one that opens counts with its start ts */
    sl_assert_u64(first->watermark->resolved_ts, 100u);
    sl_assert_u64(first->n_statuses, 0u);
    assert_false(first->complete_status);
    sl_assert_u64(first->maintainer_epoch, 5u);
    sl_assert_u64(first->capabilities, SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME);
    sl_assert_i64(sl_orchestrator_deadline(d.o), d.now + 200 * SL_MS);
    dispatch_stop(&d);
}

static void watermark_is_the_minimum_over_followers_and_those_that_lag(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    sl_dispatcher_token lagging = dispatch_open(&d, DISPATCH_N2, 1, 5, 12, 50, false);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 13, 400, true); /* follows, but is ahead of the feed */
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, feed, 200);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 50u);
    dispatch_report(&d, SL_REPORT_PROGRESS, lagging, 150, false);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 150u);
    dispatch_report(&d, SL_REPORT_PROGRESS, lagging, 210, true); /* caught up */
    sl_assert_u64(watermark(&d)->checkpoint_ts, 200u);
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, feed, 500);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 500u);
    sl_assert_u64(d.o->dispatchers.count, 3u);
    dispatch_report(&d, SL_REPORT_PROGRESS, lagging, 500, false); /* detached: the others go on */
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, feed, 600);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 500u);
    dispatch_report(&d, SL_REPORT_PROGRESS, lagging, 400, false); /* never back */
    sl_assert_u64(watermark(&d)->checkpoint_ts, 500u);
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, feed, 550);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 500u);
    dispatch_stop(&d);
}

static void closing_dispatcher_counts_until_its_stopped_status_is_sent(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token leaving = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 12, 100, true);
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, feed, 200);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, feed, 300);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 200u); /* it does not follow any more */
    dispatch_report(&d, SL_REPORT_PROGRESS, leaving, 210, true);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 210u);
    dispatch_report(&d, SL_REPORT_CLOSED, leaving, 220, false);
    dispatch_tick(&d, 2 * SL_MS);
    sl_assert_u64(heartbeat(&d, 0)->watermark->checkpoint_ts, 220u); /* in the message that tells of its end, too */
    sl_assert_u64(dispatch_status(&d, 11)->checkpoint_ts, 220u);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 300u);
    dispatch_stop(&d);
}

static void without_dispatchers_the_watermark_is_the_largest_value(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_report(&d, SL_REPORT_CLOSED, token, 100, false);
    dispatch_tick(&d, 2 * SL_MS);
    const Pb__Watermark *mark = watermark(&d);
    sl_assert_u64(mark->checkpoint_ts, SL_TS_MAX);
    sl_assert_u64(mark->resolved_ts, SL_TS_MAX);
    dispatch_stop(&d);
}

static void watermark_without_a_dispatcher_has_a_smaller_seq_than_its_first_status(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 500, false);
    uint64_t without = watermark(&d)->seq;
    dispatch_create(&d, DISPATCH_N2, 1, 5, 12, 100);
    sl_dispatcher_token token = dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher;
    dispatch_report(&d, SL_REPORT_READY, token, 100, false);
    dispatch_tick(&d, 2 * SL_MS);
    assert_non_null(dispatch_status(&d, 12));
    const Pb__Watermark *with = heartbeat(&d, 0)->watermark;
    assert_true(with->seq > without);
    sl_assert_u64(with->checkpoint_ts, 100u); /* backwards, but of a newer set */
    dispatch_stop(&d);
}

static void status_push_never_lowers_seq(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token old = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, false);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 12, 100, false);
    uint64_t periodic = watermark(&d)->seq;
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_report(&d, SL_REPORT_CLOSED, old, 150, false);
    dispatch_tick(&d, 2 * SL_MS); /* a push about the older of the two */
    sl_assert_u64(heartbeat(&d, 0)->watermark->seq, periodic);
    dispatch_stop(&d);
}

static void seq_goes_on_when_a_feed_is_opened_again(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, false);
    uint64_t before = watermark(&d)->seq;
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 6);
    dispatch_open(&d, DISPATCH_N2, 1, 6, 11, 100, false);
    assert_true(watermark(&d)->seq > before);
    dispatch_stop(&d);
}

static void statuses_within_the_window_travel_together(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token tokens[3];
    for (uint64_t i = 0; i < 3; i++) {
        dispatch_create(&d, DISPATCH_N2, 1, 5, 11 + i, 100);
        tokens[i] = dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher;
    }
    dispatch_report(&d, SL_REPORT_READY, tokens[2], 100, true);
    sl_ns first = d.now;
    dispatch_tick(&d, SL_MS);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_report(&d, SL_REPORT_READY, tokens[0], 100, true);
    dispatch_report(&d, SL_REPORT_READY, tokens[1], 100, true);
    dispatch_tick_due(&d);
    sl_assert_i64(d.now, first + 2 * SL_MS);
    sl_assert_u64(dispatch_sent_count(&d, SL_MSG_HEART_BEAT_REQUEST), 1u);
    sl_assert_u64(heartbeat(&d, 0)->n_statuses, 3u);
    sl_assert_u64(heartbeat(&d, 0)->statuses[0]->id->low, 13u); /* in the order of their changes */
    dispatch_stop(&d);
}

static void full_message_leaves_at_once(void **state)
{
    (void)state;
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.statuses_per_message = 2;
    dispatch_start(&d, &opts);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token tokens[2];
    for (uint64_t i = 0; i < 2; i++) {
        dispatch_create(&d, DISPATCH_N2, 1, 5, 11 + i, 100);
        tokens[i] = dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher;
    }
    dispatch_report(&d, SL_REPORT_READY, tokens[0], 100, true);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_report(&d, SL_REPORT_READY, tokens[1], 100, true);
    sl_assert_u64(heartbeat(&d, 0)->n_statuses, 2u);
    dispatch_tick(&d, 2 * SL_MS);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_stop(&d);
}

static void full_list_is_split_and_only_its_last_message_is_complete(void **state)
{
    (void)state;
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.statuses_per_message = 4;
    dispatch_start(&d, &opts);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_ns begin = d.now;
    for (uint64_t i = 0; i < 10; i++)
        dispatch_open(&d, DISPATCH_N2, 1, 5, 11 + i, 100, true);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 50, 100); /* opening: left out */
    dispatch_tick(&d, begin + 10 * SL_S - d.now - 1);
    sl_assert_u64(heartbeat(&d, 0)->n_statuses, 0u);

    uint32_t statuses = 0, completes = 0, messages = 0;
    for (int i = 0; i < 20 && completes == 0; i++) {
        dispatch_tick_due(&d);
        uint32_t count = dispatch_sent_count(&d, SL_MSG_HEART_BEAT_REQUEST);
        assert_true(count <= 32); /* a step's output is bounded */
        for (uint32_t k = 0; k < count; k++) {
            sl_assert_u64(completes, 0u);
            assert_true(heartbeat(&d, k)->n_statuses <= 4);
            statuses += (uint32_t)heartbeat(&d, k)->n_statuses;
            completes += heartbeat(&d, k)->complete_status ? 1 : 0;
            messages++;
        }
    }
    sl_assert_u64(statuses, 10u);
    sl_assert_u64(completes, 1u);
    sl_assert_u64(messages, 3u);
    sl_assert_i64(d.now, begin + 10 * SL_S);
    dispatch_stop(&d);
}

static void full_list_of_many_is_spread_over_steps(void **state)
{
    (void)state;
    enum { MANY = 500 };
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.statuses_per_message = 4;
    dispatch_start(&d, &opts);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_ns begin = d.now;
    sl_dispatcher_token tokens[MANY];
    for (uint64_t i = 0; i < MANY; i++)
        tokens[i] = dispatch_open(&d, DISPATCH_N2, 1, 5, 11 + i, 100, true);
    dispatch_tick(&d, begin + 10 * SL_S - d.now - 1);
    uint32_t statuses = 0, steps = 0;
    bool complete = false;
    while (!complete) {
        dispatch_tick_due(&d);
        sl_assert_i64(d.now, begin + 10 * SL_S); /* the rest is due at once */
        uint32_t count = dispatch_sent_count(&d, SL_MSG_HEART_BEAT_REQUEST);
        assert_true(count > 0 && count <= 32);
        for (uint32_t k = 0; k < count; k++) {
            statuses += (uint32_t)heartbeat(&d, k)->n_statuses;
            complete = complete || heartbeat(&d, k)->complete_status;
        }
        if (steps++ == 1) /* the one that the list would come to next goes away: the list does not stumble */
            dispatch_report(&d, SL_REPORT_CLOSED, tokens[statuses], 100, false);
    }
    assert_true(steps > 3);
    sl_assert_u64(statuses, MANY - 1u);
    dispatch_tick(&d, 2 * SL_MS);
    sl_assert_u64(heartbeat(&d, 0)->n_statuses, 1u);
    dispatch_stop(&d);
}

static void failed_dispatcher_is_stopped_and_the_error_is_repeated(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_report(&d, SL_REPORT_FAILED, token, 110, false);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 0u);
    dispatch_tick(&d, 2 * SL_MS);
    sl_assert_i64(dispatch_status(&d, 11)->state, PB__COMPONENT_STATE__STOPPED);
    sl_assert_u64(dispatch_status(&d, 11)->checkpoint_ts, 110u);
    sl_assert_str(heartbeat(&d, 0)->err->code, "ROW");
    sl_assert_str(heartbeat(&d, 0)->err->message, "row does not fit");
    sl_assert_str(heartbeat(&d, 0)->err->node, "n1");
    dispatch_tick(&d, SL_S);
    assert_null(heartbeat(&d, 0)->err);
    for (int i = 0; i < 3; i++) {
        dispatch_tick(&d, 5 * SL_S);
        assert_non_null(heartbeat(&d, 0)->err);
    }
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 0, 1); /* a new owner starts without it */
    dispatch_tick(&d, 5 * SL_S);
    assert_null(heartbeat(&d, 0)->err);
    dispatch_stop(&d);
}

/* The maintainer places it anew, above what is stored; an error would close the feed for as long as errors do. */
static void dispatcher_that_the_sink_refuses_is_stopped_without_an_error(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_report_refused(&d, token, 110);
    dispatch_tick(&d, 2 * SL_MS);
    sl_assert_i64(dispatch_status(&d, 11)->state, PB__COMPONENT_STATE__STOPPED);
    dispatch_tick(&d, 5 * SL_S);
    assert_null(heartbeat(&d, 0)->err);
    dispatch_stop(&d);
}

/* Its Stopped status may get lost, and a watermark without it would speak for what it never wrote. */
static void failed_dispatcher_holds_the_watermark_until_it_is_removed(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 12, 100, true);
    dispatch_report(&d, SL_REPORT_FAILED, token, 110, false);
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, feed, 900);
    dispatch_tick(&d, 2 * SL_MS);
    sl_assert_i64(dispatch_status(&d, 12)->state, PB__COMPONENT_STATE__STOPPED);
    dispatch_tick(&d, SL_S);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 110u);
    dispatch_tick(&d, 10 * SL_S); /* the full list says it again */
    dispatch_tick(&d, SL_S);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 110u);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1); /* and so does an answer to the same owner */
    const Pb__MaintainerBootstrapResponse *r = dispatch_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, 0);
    sl_assert_u64(r->n_spans, 2u);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 1u); /* it writes no more */
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 12);
    dispatch_tick(&d, 2 * SL_MS);
    sl_assert_u64(dispatch_status(&d, 12)->checkpoint_ts, 110u);
    dispatch_tick(&d, SL_S);
    sl_assert_u64(watermark(&d)->checkpoint_ts, 900u);
    dispatch_stop(&d);
}

static void error_of_the_feed_is_told_alike_and_the_first_one_stays(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_report_feed(&d, SL_REPORT_FEED_FAILED, feed, 0);
    dispatch_report(&d, SL_REPORT_FAILED, token, 110, false);
    dispatch_tick(&d, 2 * SL_MS);
    sl_assert_str(heartbeat(&d, 0)->err->code, "SINK");
    dispatch_tick(&d, 5 * SL_S);
    sl_assert_str(heartbeat(&d, 0)->err->code, "SINK");
    dispatch_stop(&d);
}

static void error_without_any_dispatcher_is_told_too(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_report_feed(&d, SL_REPORT_FEED_FAILED, feed, 0);
    dispatch_tick_due(&d);
    sl_assert_str(heartbeat(&d, 0)->err->code, "SINK");
    dispatch_tick_due(&d);
    sl_assert_str(heartbeat(&d, 0)->err->code, "SINK");
    dispatch_stop(&d);
}

static void liveness_is_told_to_every_owner_at_once(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5); /* hosts nothing, but might soon */
    dispatch_open_feed(&d, DISPATCH_N3, 2, 5);
    dispatch_open(&d, DISPATCH_N3, 2, 5, 11, 100, true);
    dispatch_liveness(&d, SL_LIVENESS_DRAINING);
    dispatch_tick(&d, 0);
    sl_assert_u64(dispatch_sent_count(&d, SL_MSG_HEART_BEAT_REQUEST), 2u);
    for (uint32_t i = 0; i < 2; i++)
        sl_assert_i64(heartbeat(&d, i)->node_liveness, PB__NODE_LIVENESS__DRAINING);
    dispatch_tick(&d, 200 * SL_MS);
    sl_assert_u64(dispatch_sent_count(&d, SL_MSG_HEART_BEAT_REQUEST), 1u);
    sl_assert_u64(dispatch_sent_to(&d, SL_MSG_HEART_BEAT_REQUEST, 0), DISPATCH_N3);
    dispatch_liveness(&d, SL_LIVENESS_DRAINING); /* nothing new */
    dispatch_tick(&d, 0);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heartbeats_begin_with_the_first_dispatcher),
        cmocka_unit_test(watermark_is_the_minimum_over_followers_and_those_that_lag),
        cmocka_unit_test(closing_dispatcher_counts_until_its_stopped_status_is_sent),
        cmocka_unit_test(without_dispatchers_the_watermark_is_the_largest_value),
        cmocka_unit_test(watermark_without_a_dispatcher_has_a_smaller_seq_than_its_first_status),
        cmocka_unit_test(status_push_never_lowers_seq),
        cmocka_unit_test(seq_goes_on_when_a_feed_is_opened_again),
        cmocka_unit_test(statuses_within_the_window_travel_together),
        cmocka_unit_test(full_message_leaves_at_once),
        cmocka_unit_test(full_list_is_split_and_only_its_last_message_is_complete),
        cmocka_unit_test(full_list_of_many_is_spread_over_steps),
        cmocka_unit_test(failed_dispatcher_is_stopped_and_the_error_is_repeated),
        cmocka_unit_test(dispatcher_that_the_sink_refuses_is_stopped_without_an_error),
        cmocka_unit_test(failed_dispatcher_holds_the_watermark_until_it_is_removed),
        cmocka_unit_test(error_of_the_feed_is_told_alike_and_the_first_one_stays),
        cmocka_unit_test(error_without_any_dispatcher_is_told_too),
        cmocka_unit_test(liveness_is_told_to_every_owner_at_once),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
