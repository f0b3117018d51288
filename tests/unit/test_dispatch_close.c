/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dispatch_driver.h"

/* How a feed leaves a node, and who may make it. */

static void assert_answer(struct dispatch_driver *d, sl_node_ref to, uint64_t epoch, bool success,
                          Pb__CloseOutcome outcome)
{
    sl_assert_u64(dispatch_sent_count(d, SL_MSG_MAINTAINER_CLOSE_RESPONSE), 1u);
    sl_assert_u64(dispatch_sent_to(d, SL_MSG_MAINTAINER_CLOSE_RESPONSE, 0), to);
    const Pb__MaintainerCloseResponse *response = dispatch_sent(d, SL_MSG_MAINTAINER_CLOSE_RESPONSE, 0);
    sl_assert_u64(response->maintainer_epoch, epoch);
    sl_assert_i64(response->success, success);
    sl_assert_i64(response->outcome, outcome);
}

static void close_says_closing_until_the_sink_is_closed_and_then_closed_unasked(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 12, 100);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    const struct sl_command *close = dispatch_command(&d, SL_COMMAND_CLOSE_FEED, 0);
    sl_assert_u64(close->feed, feed);
    assert_false(close->cleanup_downstream);
    assert_answer(&d, DISPATCH_N2, 5, false, PB__CLOSE_OUTCOME__CLOSING);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE_FEED), 0u);
    assert_answer(&d, DISPATCH_N2, 5, false, PB__CLOSE_OUTCOME__CLOSING);
    dispatch_tick(&d, 20 * SL_S);
    sl_assert_u64(dispatch_output_count(&d), 0u);             /* nothing is reported any more */
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 2u); /* but they may still write */
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    assert_answer(&d, DISPATCH_N2, 5, true, PB__CLOSE_OUTCOME__CLOSED);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 0u);
    sl_assert_u64(d.o->dms.count, 0u);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false); /* the answer was lost: asked again */
    assert_answer(&d, DISPATCH_N2, 5, true, PB__CLOSE_OUTCOME__CLOSED);
    dispatch_stop(&d);
}

static void requester_without_the_capability_gets_the_reference_answers(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    d.capabilities = 0;
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    assert_answer(&d, DISPATCH_N2, 5, false, PB__CLOSE_OUTCOME__UNSPECIFIED);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    assert_answer(&d, DISPATCH_N2, 5, true, PB__CLOSE_OUTCOME__UNSPECIFIED);
    dispatch_stop(&d);
}

static void stale_close_keeps_the_feed_and_is_told_so_if_it_understands(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_close(&d, DISPATCH_N3, 1, 4, false);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    assert_answer(&d, DISPATCH_N3, 4, false, PB__CLOSE_OUTCOME__STALE);
    const Pb__MaintainerCloseResponse *response = dispatch_sent(&d, SL_MSG_MAINTAINER_CLOSE_RESPONSE, 0);
    sl_assert_u64(response->owner_epoch, 5u);
    dispatch_close(&d, DISPATCH_N3, 1, 5, false); /* the owner's epoch from another node */
    sl_assert_i64(d.refusal, SL_REFUSE_WRONG_SENDER);
    assert_answer(&d, DISPATCH_N3, 5, false, PB__CLOSE_OUTCOME__STALE);
    d.capabilities = 0;
    dispatch_close(&d, DISPATCH_N3, 1, 4, true);
    assert_answer(&d, DISPATCH_N3, 4, true, PB__CLOSE_OUTCOME__UNSPECIFIED);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE_FEED), 0u);
    dispatch_tick(&d, 200 * SL_MS);
    sl_assert_u64(dispatch_sent_to(&d, SL_MSG_HEART_BEAT_REQUEST, 0), DISPATCH_N2); /* it lives on */
    dispatch_stop(&d);
}

static void newer_maintainer_may_close_without_having_bootstrapped(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_members(&d, (const char *const[]){ "n3" }, 1); /* the owner died; a remover is sent with a new epoch */
    dispatch_close(&d, DISPATCH_N3, 1, 6, true);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    assert_answer(&d, DISPATCH_N3, 6, false, PB__CLOSE_OUTCOME__CLOSING);
    assert_true(dispatch_command(&d, SL_COMMAND_CLOSE_FEED, 0)->cleanup_downstream);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    assert_answer(&d, DISPATCH_N3, 6, true, PB__CLOSE_OUTCOME__CLOSED);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION); /* the tombstone has the remover's epoch */
    dispatch_stop(&d);
}

static void removed_is_sticky_and_reaches_a_close_under_way(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    assert_false(dispatch_command(&d, SL_COMMAND_CLOSE_FEED, 0)->cleanup_downstream);
    dispatch_close(&d, DISPATCH_N2, 1, 5, true);
    assert_true(dispatch_command(&d, SL_COMMAND_CLOSE_FEED, 0)->cleanup_downstream);
    dispatch_close(&d, DISPATCH_N2, 1, 5, true);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE_FEED), 0u);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE_FEED), 0u);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0); /* an old token by now */
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_stop(&d);
}

static void last_requester_is_told_and_nobody_if_it_left(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    dispatch_close(&d, DISPATCH_N3, 1, 6, false);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    assert_answer(&d, DISPATCH_N3, 6, true, PB__CLOSE_OUTCOME__CLOSED);
    feed = dispatch_open_feed(&d, DISPATCH_N2, 2, 5);
    dispatch_close(&d, DISPATCH_N2, 2, 5, false);
    dispatch_members(&d, (const char *const[]){ "n3" }, 1);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    sl_assert_u64(d.o->dms.count, 0u);
    dispatch_stop(&d);
}

static void close_while_the_sink_opens_waits_for_its_end(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1);
    sl_feed_token feed = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE_FEED), 1u);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, feed, 0); /* crossed the command */
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_report_feed(&d, SL_REPORT_FEED_FAILED, feed, 0); /* it was open: only FEED_CLOSED ends it */
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    assert_answer(&d, DISPATCH_N2, 5, true, PB__CLOSE_OUTCOME__CLOSED);
    dispatch_stop(&d);
}

static void sink_that_failed_to_open_needs_no_closing(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1);
    sl_feed_token feed = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    dispatch_report_feed(&d, SL_REPORT_FEED_FAILED, feed, 0);
    assert_answer(&d, DISPATCH_N2, 5, true, PB__CLOSE_OUTCOME__CLOSED);
    dispatch_stop(&d);
}

static void unknown_feed_is_closed_at_once(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    assert_answer(&d, DISPATCH_N2, 5, true, PB__CLOSE_OUTCOME__CLOSED);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE_FEED), 0u);
    dispatch_stop(&d);
}

static void feed_closed_that_was_not_asked_for_is_ignored(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, feed, 0);
    sl_assert_u64(d.o->dms.count, 1u);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_says_closing_until_the_sink_is_closed_and_then_closed_unasked),
        cmocka_unit_test(requester_without_the_capability_gets_the_reference_answers),
        cmocka_unit_test(stale_close_keeps_the_feed_and_is_told_so_if_it_understands),
        cmocka_unit_test(newer_maintainer_may_close_without_having_bootstrapped),
        cmocka_unit_test(removed_is_sticky_and_reaches_a_close_under_way),
        cmocka_unit_test(last_requester_is_told_and_nobody_if_it_left),
        cmocka_unit_test(close_while_the_sink_opens_waits_for_its_end),
        cmocka_unit_test(sink_that_failed_to_open_needs_no_closing),
        cmocka_unit_test(unknown_feed_is_closed_at_once),
        cmocka_unit_test(feed_closed_that_was_not_asked_for_is_ignored),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
