/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dispatch_driver.h"

#include <string.h>

/* The orchestrator as a whole: routing, tokens, the fence, a node that stops, sizes. */

static const Pb__MaintainerBootstrapResponse *response_of(struct dispatch_driver *d)
{
    sl_assert_u64(dispatch_sent_count(d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE), 1u);
    return dispatch_sent(d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, 0);
}

static void merge_is_not_handled(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    Pb__MergeDispatcherRequest merge = PB__MERGE_DISPATCHER_REQUEST__INIT;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_MERGE_DISPATCHER_REQUEST, &merge.base);
    sl_assert_i64(d.refusal, SL_REFUSE_NOT_HANDLED);
    dispatch_stop(&d);
}

static void answer_to_a_block_status_is_fenced_and_otherwise_ignored(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    Pb__HeartBeatResponse response = PB__HEART_BEAT_RESPONSE__INIT;
    Pb__ChangefeedID feed = dispatch_feed_pb(&d, 1);
    response.changefeed = &feed;
    response.maintainer_epoch = 5;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_HEART_BEAT_RESPONSE, &response.base);
    sl_assert_i64(d.refusal, SL_REFUSE_UNKNOWN_FEED);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_message(&d, DISPATCH_N2, SL_MSG_HEART_BEAT_RESPONSE, &response.base);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    dispatch_message(&d, DISPATCH_N3, SL_MSG_HEART_BEAT_RESPONSE, &response.base);
    sl_assert_i64(d.refusal, SL_REFUSE_WRONG_SENDER);
    response.maintainer_epoch = 4;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_HEART_BEAT_RESPONSE, &response.base);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_stop(&d);
}

static void message_without_a_usable_feed_id_is_refused(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    Pb__MaintainerCloseRequest close = PB__MAINTAINER_CLOSE_REQUEST__INIT;
    close.maintainer_epoch = 5;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_MAINTAINER_CLOSE_REQUEST, &close.base);
    sl_assert_i64(d.refusal, SL_REFUSE_BAD_ID);
    Pb__ChangefeedID nameless = PB__CHANGEFEED_ID__INIT;
    close.changefeed = &nameless;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_MAINTAINER_CLOSE_REQUEST, &close.base);
    sl_assert_i64(d.refusal, SL_REFUSE_BAD_ID);
    dispatch_stop(&d);
}

static void report_with_an_old_or_unknown_token_changes_nothing(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token old_feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token old = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, old_feed, 0);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 6);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 6, 11, 100, false);
    sl_assert_u64((uint32_t)feed, (uint32_t)old_feed); /* the same slots, other generations */
    sl_assert_u64((uint32_t)token, (uint32_t)old);
    assert_true(feed != old_feed && token != old);
    const sl_dispatcher_token strangers[] = { old, 0, 77, UINT64_MAX };
    for (size_t i = 0; i < 4; i++) {
        dispatch_report(&d, SL_REPORT_PROGRESS, strangers[i], 900, false);
        dispatch_report(&d, SL_REPORT_CLOSED, strangers[i], 900, false);
        dispatch_report(&d, SL_REPORT_FAILED, strangers[i], 900, false);
        dispatch_report(&d, SL_REPORT_READY, strangers[i], 900, false);
    }
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, old_feed, 900);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, old_feed, 0);
    dispatch_report_feed(&d, SL_REPORT_FEED_FAILED, old_feed, 0);
    dispatch_tick(&d, 200 * SL_MS);
    const Pb__HeartBeatRequest *heartbeat = dispatch_sent(&d, SL_MSG_HEART_BEAT_REQUEST, 0);
    sl_assert_u64(heartbeat->watermark->checkpoint_ts, 100u);
    sl_assert_u64(heartbeat->n_statuses, 0u);
    assert_null(heartbeat->err);
    dispatch_stop(&d);
}

static void counts_are_those_of_dispatchers_that_may_write_and_of_the_data_plane(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 5, 42, 100);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed, 0);
    dispatch_open(&d, DISPATCH_N1, 1, 5, 11, 100, true);
    sl_dispatcher_token closing = dispatch_open(&d, DISPATCH_N1, 1, 5, 12, 100, true);
    dispatch_remove(&d, DISPATCH_N1, 1, 5, 12);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 3u); /* the trigger and a closing one included */
    dispatch_report(&d, SL_REPORT_CLOSED, closing, 100, false);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 2u);
    struct sl_report hosted = { .kind = SL_REPORT_HOSTED, .readers = 3, .unflushed_rows = 70000000000 };
    sl_orchestrator_on_report(d.o, d.now, &hosted, &d.out);
    sl_assert_u64(sl_orchestrator_reader_count(d.o), 3u);
    sl_assert_u64(sl_orchestrator_unflushed_rows(d.o), 70000000000u);
    dispatch_stop(&d);
}

/* ---- a node that stops ---- */

static void stopping_node_answers_a_bootstrap_with_nothing_and_opens_nothing(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_liveness(&d, SL_LIVENESS_DRAINING);
    dispatch_liveness(&d, SL_LIVENESS_STOPPING);
    for (int i = 0; i < 2; i++) {
        dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 42, 100);
        sl_assert_i64(d.refusal, SL_REFUSE_NONE);
        sl_assert_u64(d.out.command_count, 0u);
        assert_null(response_of(&d)->err);
        sl_assert_u64(response_of(&d)->n_spans, 0u);
        sl_assert_u64(response_of(&d)->checkpoint_ts, 0u);
        sl_assert_i64(response_of(&d)->node_liveness, PB__NODE_LIVENESS__STOPPING);
    }
    dispatch_post_bootstrap(&d, DISPATCH_N2, 1, 5, 42);
    assert_null(
        ((const Pb__MaintainerPostBootstrapResponse *)dispatch_sent(&d, SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, 0))
            ->err);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_assert_i64(dispatch_status(&d, 11)->state, PB__COMPONENT_STATE__REMOVED);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 4, 0, 1); /* the owner rule holds all the same */
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 0u);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    const Pb__MaintainerCloseResponse *closed = dispatch_sent(&d, SL_MSG_MAINTAINER_CLOSE_RESPONSE, 0);
    assert_true(closed->success);
    sl_assert_u64(d.out.command_count, 0u);
    sl_assert_u64(d.o->dms.count, 0u);
    dispatch_stop(&d);
}

static void stopping_node_keeps_an_open_feed_but_makes_no_trigger(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_liveness(&d, SL_LIVENESS_STOPPING);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 6, 42, 100);
    sl_assert_u64(d.out.command_count, 0u);
    assert_null(response_of(&d)->err);
    sl_assert_u64(response_of(&d)->checkpoint_ts, 0u);
    dispatch_post_bootstrap(&d, DISPATCH_N1, 1, 6, 42);
    assert_null(
        ((const Pb__MaintainerPostBootstrapResponse *)dispatch_sent(&d, SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, 0))
            ->err);
    dispatch_stop(&d);
}

static void sink_that_opens_on_a_stopping_node_is_given_back(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 42, 100);
    sl_feed_token opened = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_bootstrap(&d, DISPATCH_N2, 2, 5, 42, 100);
    sl_feed_token failed = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_liveness(&d, SL_LIVENESS_STOPPING);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, opened, 0);
    sl_assert_u64(dispatch_command(&d, SL_COMMAND_CLOSE_FEED, 0)->feed, opened);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 0u);
    assert_null(response_of(&d)->err);
    sl_assert_u64(response_of(&d)->n_spans, 0u);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, opened, 0);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_report_feed(&d, SL_REPORT_FEED_FAILED, failed, 0);
    assert_null(response_of(&d)->err);
    sl_assert_u64(d.o->dms.count, 2u);
    dispatch_stop(&d);
}

/* ---- the fence ---- */

static void fence_reaches_every_feed_and_ends_all_talk(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token open = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    sl_feed_token closing = dispatch_open_feed(&d, DISPATCH_N2, 2, 5);
    dispatch_close(&d, DISPATCH_N2, 2, 5, false);
    dispatch_bootstrap(&d, DISPATCH_N2, 3, 5, 0, 1);
    sl_feed_token opening = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_fence(&d);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_FENCE_FEED), 3u);
    sl_assert_u64(dispatch_event_count(&d, SL_EV_FEED_FENCED), 3u);
    dispatch_fence(&d);
    sl_assert_u64(dispatch_output_count(&d), 0u);

    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, opening, 0);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, closing, 0);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_report_feed(&d, SL_REPORT_FEED_FAILED, open, 0);
    dispatch_report(&d, SL_REPORT_FAILED, token, 100, false);
    dispatch_tick(&d, 20 * SL_S);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 9, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_STOPPING);
    dispatch_close(&d, DISPATCH_N3, 4, 9, false);
    sl_assert_i64(d.refusal, SL_REFUSE_STOPPING);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    sl_assert_i64(sl_orchestrator_deadline(d.o), SL_NEVER);
    dispatch_stop(&d);
}

static void fence_of_many_feeds_goes_on_in_ticks_that_are_due_at_once(void **state)
{
    (void)state;
    enum { FEEDS = 150 };
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    for (uint32_t feed = 1; feed <= FEEDS; feed++)
        dispatch_open_feed(&d, DISPATCH_N2, feed, 5);
    dispatch_bootstrap(&d, DISPATCH_N2, FEEDS + 1, 5, 0, 1);
    sl_feed_token last = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_fence(&d);
    uint32_t fenced = dispatch_command_count(&d, SL_COMMAND_FENCE_FEED);
    sl_ns begin = d.now;
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, last, 0);
    sl_assert_u64(dispatch_output_count(&d), 0u); /* its turn has not come, but it is as silent as the others */
    for (int i = 0; i < 10 && fenced < FEEDS + 1; i++) {
        dispatch_tick_due(&d);
        sl_assert_i64(d.now, begin);
        assert_true(d.out.command_count <= SL_OUTBOX_COMMANDS_MAX);
        fenced += dispatch_command_count(&d, SL_COMMAND_FENCE_FEED);
    }
    sl_assert_u64(fenced, FEEDS + 1u);
    dispatch_stop(&d);
}

/* ---- no room for a command ---- */

/* Larger than what an outbox keeps for commands, when it has no other memory. */
static uint8_t large[SL_OUTBOX_COMMAND_BYTES_KEPT + 4096];

static void dispatcher_whose_command_does_not_fit_is_not_made(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    Pb__ScheduleDispatcherRequest request = PB__SCHEDULE_DISPATCHER_REQUEST__INIT;
    Pb__DispatcherConfig config = PB__DISPATCHER_CONFIG__INIT;
    Pb__TableSpan span = PB__TABLE_SPAN__INIT;
    Pb__DispatcherID id = sl_dispatcher_id_pb((struct sl_dispatcher_id){ 9, 11 });
    Pb__ChangefeedID feed = dispatch_feed_pb(&d, 1);
    span.end_key = (ProtobufCBinaryData){ sizeof large, large };
    config.span = &span;
    config.dispatcher_id = &id;
    config.start_ts = 100;
    request.changefeed = &feed;
    request.config = &config;
    request.maintainer_epoch = 5;
    size_t bytes_max = d.out.arena.bytes_max;
    d.out.arena.bytes_max = 4096;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
    sl_assert_i64(d.refusal, SL_REFUSE_OUT_OF_MEMORY);
    sl_assert_u64(d.out.command_count, 0u);
    sl_assert_i64(dispatch_status(&d, 11)->state, PB__COMPONENT_STATE__REMOVED);
    sl_assert_u64(d.o->dispatchers.count, 0u);
    d.out.arena.bytes_max = bytes_max;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 1u);
    dispatch_stop(&d);
}

static void feed_whose_command_does_not_fit_is_not_opened(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    memset(large, ' ', sizeof large);
    memcpy(large, d.config.ptr, d.config.len); /* blanks after the document are legal */
    d.config = (struct sl_str){ (const char *)large, sizeof large };
    size_t bytes_max = d.out.arena.bytes_max;
    d.out.arena.bytes_max = 4096;
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_OUT_OF_MEMORY);
    sl_assert_str(response_of(&d)->err->code, "NOMEM");
    sl_assert_u64(d.o->dms.count, 0u);
    d.out.arena.bytes_max = bytes_max;
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN_FEED), 1u);
    dispatch_stop(&d);
}

static void answer_too_large_for_a_message_is_an_error_instead_of_silence(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    for (uint64_t id = 1; id <= 100; id++)
        dispatch_create(&d, DISPATCH_N2, 1, 5, id, 100);
    d.out.arena.bytes_max = 2048;
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1);
    sl_assert_str(response_of(&d)->err->code, "LIMIT");
    dispatch_stop(&d);
}

/* ---- sizes ---- */

static void dispatcher_costs_at_most_160_bytes(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.dispatcher_count_max = 2000000;
    dispatch_start(&d, &opts);
    d.skips_audit = true;
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    size_t before = sl_orchestrator_bytes(d.o);
    for (uint64_t id = 1; id <= MANY; id++) {
        dispatch_create(&d, DISPATCH_N2, 1, 5, id, 100);
        dispatch_report(&d, SL_REPORT_READY, dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher, 100, true);
    }
    size_t bytes = (sl_orchestrator_bytes(d.o) - before) / MANY;
    if (bytes > 160)
        print_message("%zu bytes per dispatcher\n", bytes);
    assert_true(bytes <= 160);
    dispatch_audit(d.o);
    dispatch_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_is_not_handled),
        cmocka_unit_test(answer_to_a_block_status_is_fenced_and_otherwise_ignored),
        cmocka_unit_test(message_without_a_usable_feed_id_is_refused),
        cmocka_unit_test(report_with_an_old_or_unknown_token_changes_nothing),
        cmocka_unit_test(counts_are_those_of_dispatchers_that_may_write_and_of_the_data_plane),
        cmocka_unit_test(stopping_node_answers_a_bootstrap_with_nothing_and_opens_nothing),
        cmocka_unit_test(stopping_node_keeps_an_open_feed_but_makes_no_trigger),
        cmocka_unit_test(sink_that_opens_on_a_stopping_node_is_given_back),
        cmocka_unit_test(fence_reaches_every_feed_and_ends_all_talk),
        cmocka_unit_test(fence_of_many_feeds_goes_on_in_ticks_that_are_due_at_once),
        cmocka_unit_test(dispatcher_whose_command_does_not_fit_is_not_made),
        cmocka_unit_test(feed_whose_command_does_not_fit_is_not_opened),
        cmocka_unit_test(answer_too_large_for_a_message_is_an_error_instead_of_silence),
        cmocka_unit_test(dispatcher_costs_at_most_160_bytes),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
