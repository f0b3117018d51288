/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dispatch_driver.h"

/* Create and Remove: performed once, answered always, and only for the owner. */

static void assert_status(struct dispatch_driver *d, uint64_t id, Pb__ComponentState state, sl_ts checkpoint)
{
    const Pb__TableSpanStatus *status = dispatch_status(d, id);
    assert_non_null(status);
    sl_assert_i64(status->state, state);
    sl_assert_u64(status->checkpoint_ts, checkpoint);
}

static const Pb__MaintainerBootstrapResponse *bootstrap(struct dispatch_driver *d, sl_node_ref from, uint64_t epoch)
{
    dispatch_bootstrap(d, from, 1, epoch, 0, 1);
    const Pb__MaintainerBootstrapResponse *response = dispatch_sent(d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, 0);
    assert_non_null(response);
    return response;
}

static void create_opens_with_its_placement_and_working_follows_ready(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    d.placement_seq = 3;
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    const struct sl_command *open = dispatch_command(&d, SL_COMMAND_OPEN, 0);
    sl_assert_u64(open->feed, feed);
    sl_assert_u64(open->id.low, 11u);
    sl_assert_i64(open->span.table_id, 11);
    sl_assert_i64(open->schema_id, 5);
    sl_assert_u64(open->start_ts, 100u);
    sl_assert_u64(open->placement.maintainer_epoch, 5u);
    sl_assert_u64(open->placement.seq, 3u);
    assert_false(open->is_table_trigger);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 1u);
    dispatch_report(&d, SL_REPORT_READY, open->dispatcher, 105, true);
    sl_assert_u64(dispatch_output_count(&d), 0u); /* pushed with others of the same 2 ms */
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__WORKING, 105);
    sl_assert_u64(dispatch_status(&d, 11)->placement_seq, 3u);
    sl_assert_u64(dispatch_sent_to(&d, SL_MSG_HEART_BEAT_REQUEST, 0), DISPATCH_N2);
    dispatch_stop(&d);
}

static void create_carries_the_keys_of_a_range_and_bootstrap_gives_them_back(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    uint8_t start[] = { 1, 0, 2 }, end[] = { 1, 9 };
    Pb__ScheduleDispatcherRequest request = PB__SCHEDULE_DISPATCHER_REQUEST__INIT;
    Pb__DispatcherConfig config = PB__DISPATCHER_CONFIG__INIT;
    Pb__TableSpan span = PB__TABLE_SPAN__INIT;
    Pb__DispatcherID id = sl_dispatcher_id_pb((struct sl_dispatcher_id){ 9, 11 });
    Pb__ChangefeedID feed = dispatch_feed_pb(&d, 1);
    span.table_id = 4;
    span.keyspace_id = 6;
    span.start_key = (ProtobufCBinaryData){ sizeof start, start };
    span.end_key = (ProtobufCBinaryData){ sizeof end, end };
    config.span = &span;
    config.dispatcher_id = &id;
    config.start_ts = 100;
    config.skip_dml_as_start_ts = true;
    request.changefeed = &feed;
    request.config = &config;
    request.maintainer_epoch = 5;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
    const struct sl_command *open = dispatch_command(&d, SL_COMMAND_OPEN, 0);
    assert_true(open->skip_dml_at_start_ts);
    sl_assert_u64(open->span.start_key.len, sizeof start);
    sl_assert_mem(open->span.end_key.ptr, end, sizeof end);
    const Pb__TableSpan *back = bootstrap(&d, DISPATCH_N2, 5)->spans[0]->span;
    sl_assert_u64(back->start_key.len, sizeof start);
    sl_assert_mem(back->start_key.data, start, sizeof start);
    sl_assert_u64(back->end_key.len, sizeof end);
    sl_assert_mem(back->end_key.data, end, sizeof end);
    sl_assert_u64(back->keyspace_id, 6u);
    dispatch_stop(&d);
}

static void request_of_an_old_epoch_is_dropped_without_a_reply(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_create(&d, DISPATCH_N2, 1, 4, 11, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    dispatch_create(&d, DISPATCH_N3, 1, 5, 11, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_WRONG_SENDER);
    dispatch_create(&d, DISPATCH_N3, 1, 6, 11, 100); /* newer, but it must bootstrap first */
    sl_assert_i64(d.refusal, SL_REFUSE_NOT_BOOTSTRAPPED);
    dispatch_remove(&d, DISPATCH_N2, 1, 4, 11);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 0u);
    dispatch_stop(&d);
}

static void epoch_zero_is_dropped_by_an_owner_with_an_epoch(void **state)
{
    (void)state;
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.interop = true;
    dispatch_start(&d, &opts);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_create(&d, DISPATCH_N2, 1, 0, 11, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_ZERO_EPOCH);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_open_feed(&d, DISPATCH_N2, 2, 0); /* among zeros it is the node alone that counts */
    dispatch_create(&d, DISPATCH_N3, 2, 0, 11, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_WRONG_SENDER);
    dispatch_create(&d, DISPATCH_N2, 2, 0, 11, 100);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 1u);
    dispatch_stop(&d);
}

static void duplicate_create_is_answered_with_the_current_state(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_dispatcher_token token = dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher;
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 300);
    sl_assert_u64(dispatch_output_count(&d), 0u); /* no second OPEN */
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__INITIALIZING, 100);
    dispatch_report(&d, SL_REPORT_READY, token, 100, false);
    dispatch_tick(&d, 2 * SL_MS);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 300);
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__WORKING, 100);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 300);
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__WORKING, 100); /* it may still write */
    dispatch_report(&d, SL_REPORT_CLOSED, token, 120, false);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 300);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 0u);
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__STOPPED, 120);
    d.placement_seq = 2;
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 300); /* that one is over: this is a new one */
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 1u);
    dispatch_stop(&d);
}

/* It comes from a stream that broke: what it wants runs elsewhere by now. */
static void create_of_a_placement_that_is_over_is_answered_with_removed(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    d.placement_seq = 3;
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_dispatcher_token token = dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher;
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_report(&d, SL_REPORT_CLOSED, token, 120, false);
    dispatch_tick(&d, 2 * SL_MS);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 0u);
    assert_status(&d, 11, PB__COMPONENT_STATE__REMOVED, 0);
    dispatch_stop(&d);
}

static void create_that_its_remove_overtook_is_answered_with_removed(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 0u);
    assert_status(&d, 11, PB__COMPONENT_STATE__REMOVED, 0);
    dispatch_stop(&d);
}

static void remove_of_a_placement_before_the_present_one_changes_nothing(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    d.placement_seq = 4;
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    d.placement_seq = 3; /* from a stream that broke: its Create and this one overtook it */
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE), 0u);
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__WORKING, 100);
    sl_assert_u64(dispatch_status(&d, 11)->placement_seq, 4u);
    d.placement_seq = 0; /* not known: a foreign maintainer's */
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE), 1u);
    dispatch_stop(&d);
}

static void failed_dispatcher_gives_way_to_a_later_placement(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    d.placement_seq = 4;
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_report(&d, SL_REPORT_FAILED, token, 110, false);
    dispatch_tick(&d, 2 * SL_MS);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 110); /* the same placement again: it has ended */
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 0u);
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__STOPPED, 110);
    d.placement_seq = 5;
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 110);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 1u);
    dispatch_stop(&d);
}

/* A foreign maintainer gives no placement and moves a span back under its old id. */
static void create_without_a_placement_is_never_over(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    d.placement_seq = 0;
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_dispatcher_token token = dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher;
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_report(&d, SL_REPORT_CLOSED, token, 120, false);
    dispatch_tick(&d, 2 * SL_MS);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 120);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 1u);
    dispatch_stop(&d);
}

static void remove_ends_with_stopped_and_the_final_checkpoint(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token feed = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    const struct sl_command *close = dispatch_command(&d, SL_COMMAND_CLOSE, 0);
    sl_assert_u64(close->dispatcher, token);
    sl_assert_u64(close->feed, feed);
    sl_assert_u64(close->id.low, 11u);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 1u); /* closing ones are hosted */
    dispatch_report(&d, SL_REPORT_CLOSED, token, 130, false);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 0u);
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__STOPPED, 130);
    sl_assert_u64(d.o->dispatchers.count, 0u);
    dispatch_tick(&d, SL_S);
    assert_null(dispatch_status(&d, 11)); /* said once */
    dispatch_stop(&d);
}

static void remove_while_opening_closes_too(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_dispatcher_token token = dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher;
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE), 1u);
    dispatch_report(&d, SL_REPORT_READY, token, 110, true); /* crossed the command */
    dispatch_report(&d, SL_REPORT_CLOSED, token, 100, false);
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__STOPPED, 100);
    dispatch_stop(&d);
}

static void remove_of_an_unknown_id_is_stopped_at_checkpoint_zero_at_once(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    assert_status(&d, 11, PB__COMPONENT_STATE__STOPPED, 0);
    const Pb__HeartBeatRequest *heartbeat = dispatch_sent(&d, SL_MSG_HEART_BEAT_REQUEST, 0);
    sl_assert_u64(heartbeat->maintainer_epoch, 5u);
    sl_assert_u64(heartbeat->watermark->checkpoint_ts, SL_TS_MAX);
    dispatch_stop(&d);
}

static void remove_of_a_closing_one_is_answered_working_and_closes_once(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE), 0u);
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__WORKING, 100);
    dispatch_stop(&d);
}

static void unfinished_remove_is_reported_and_a_newer_owners_replaces_it(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 12, 90);
    d.remove_type = PB__OPERATOR_TYPE__O_MOVE;
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    const Pb__MaintainerBootstrapResponse *response = bootstrap(&d, DISPATCH_N3, 6);
    sl_assert_u64(response->n_spans, 2u);
    sl_assert_u64(response->n_operators, 1u); /* the unfinished Create of 12 is a span in state Initializing */
    const Pb__ScheduleDispatcherRequest *entry = response->operators[0];
    sl_assert_i64(entry->action, PB__SCHEDULE_ACTION__REMOVE);
    sl_assert_i64(entry->operator_type, PB__OPERATOR_TYPE__O_MOVE);
    sl_assert_u64(entry->maintainer_epoch, 5u); /* the stale owner's */
    sl_assert_u64(entry->config->dispatcher_id->low, 11u);
    sl_assert_i64(entry->config->span->table_id, 11);

    d.remove_type = PB__OPERATOR_TYPE__O_REMOVE;
    dispatch_remove(&d, DISPATCH_N3, 1, 6, 11);
    response = bootstrap(&d, DISPATCH_N3, 6);
    sl_assert_u64(response->n_operators, 1u);
    sl_assert_i64(response->operators[0]->operator_type, PB__OPERATOR_TYPE__O_REMOVE);
    sl_assert_u64(response->operators[0]->maintainer_epoch, 6u);

    dispatch_report(&d, SL_REPORT_CLOSED, token, 120, false);
    response = bootstrap(&d, DISPATCH_N3, 6); /* out of the snapshot, out of the journal */
    sl_assert_u64(response->n_spans, 1u);
    sl_assert_u64(response->n_operators, 0u);
    dispatch_stop(&d);
}

static void stopped_status_survives_a_full_outbox(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    sl_dispatcher_token token = dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    dispatch_report(&d, SL_REPORT_CLOSED, token, 130, false);
    size_t bytes_max = d.out.arena.bytes_max;
    for (int i = 0; i < 3; i++) {
        d.out.arena.bytes_max = 16; /* room for a message, not for these bytes */
        d.now += 2 * SL_MS;
        sl_outbox_reset(&d.out);
        sl__dm_run(d.o, sl_slab_at(&d.o->dms, 1), &d.out);
        sl_assert_u64(d.out.count, 0u);
        sl_assert_u64(d.o->dispatchers.count, 1u);
    }
    d.out.arena.bytes_max = bytes_max;
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__STOPPED, 130);
    sl_assert_u64(d.o->dispatchers.count, 0u);
    dispatch_stop(&d);
}

static void stopping_node_answers_create_with_removed_and_makes_nothing(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_liveness(&d, SL_LIVENESS_DRAINING);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 12, 100, true); /* DRAINING: everything still works */
    dispatch_liveness(&d, SL_LIVENESS_STOPPING);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 13, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 0u);
    assert_status(&d, 13, PB__COMPONENT_STATE__REMOVED, 0);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100); /* exists: the truth about it */
    dispatch_tick(&d, 2 * SL_MS);
    assert_status(&d, 11, PB__COMPONENT_STATE__WORKING, 100);
    dispatch_stop(&d);
}

static void create_over_the_limit_is_answered_with_removed(void **state)
{
    (void)state;
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.dispatcher_count_max = 1;
    dispatch_start(&d, &opts);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 12, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_OUT_OF_MEMORY);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 0u);
    assert_status(&d, 12, PB__COMPONENT_STATE__REMOVED, 0);
    dispatch_stop(&d);
}

static void create_where_no_sink_is_open_is_answered_with_removed(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100); /* no such feed here */
    sl_assert_i64(d.refusal, SL_REFUSE_UNKNOWN_FEED);
    assert_status(&d, 11, PB__COMPONENT_STATE__REMOVED, 0);
    /* No word of "all dispatchers here": the asker may believe that some run. */
    assert_null(((const Pb__HeartBeatRequest *)dispatch_sent(&d, SL_MSG_HEART_BEAT_REQUEST, 0))->watermark);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1); /* being opened */
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    assert_status(&d, 11, PB__COMPONENT_STATE__REMOVED, 0);
    assert_null(((const Pb__HeartBeatRequest *)dispatch_sent(&d, SL_MSG_HEART_BEAT_REQUEST, 0))->watermark);
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    assert_status(&d, 11, PB__COMPONENT_STATE__STOPPED, 0);
    dispatch_stop(&d);
}

static void closing_feed_tells_the_truth_about_its_dispatchers(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 100);
    assert_status(&d, 11, PB__COMPONENT_STATE__WORKING, 100); /* not Removed: it may still write */
    dispatch_remove(&d, DISPATCH_N2, 1, 5, 11);
    assert_status(&d, 11, PB__COMPONENT_STATE__WORKING, 100);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_CLOSE), 0u);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 12, 100);
    assert_status(&d, 12, PB__COMPONENT_STATE__REMOVED, 0);
    dispatch_stop(&d);
}

static void senseless_requests_are_refused(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 11, 0);
    sl_assert_i64(d.refusal, SL_REFUSE_ZERO_CHECKPOINT);
    dispatch_create(&d, DISPATCH_N2, 1, 5, 0, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_BAD_ID);
    Pb__ScheduleDispatcherRequest request = PB__SCHEDULE_DISPATCHER_REQUEST__INIT;
    Pb__DispatcherConfig config = PB__DISPATCHER_CONFIG__INIT;
    Pb__DispatcherID id = sl_dispatcher_id_pb((struct sl_dispatcher_id){ 9, 11 });
    Pb__ChangefeedID feed = dispatch_feed_pb(&d, 1);
    request.changefeed = &feed;
    request.maintainer_epoch = 5;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
    sl_assert_i64(d.refusal, SL_REFUSE_BAD_ID);
    request.config = &config;
    config.dispatcher_id = &id;
    config.start_ts = 100;
    dispatch_message(&d, DISPATCH_N2, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
    sl_assert_i64(d.refusal, SL_REFUSE_MISSING_FIELD);
    config.mode = 1; /* the redo pipeline */
    dispatch_message(&d, DISPATCH_N2, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, &request.base);
    sl_assert_i64(d.refusal, SL_REFUSE_NOT_HANDLED);
    sl_assert_u64(d.o->dispatchers.count, 0u);
    dispatch_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_opens_with_its_placement_and_working_follows_ready),
        cmocka_unit_test(create_carries_the_keys_of_a_range_and_bootstrap_gives_them_back),
        cmocka_unit_test(request_of_an_old_epoch_is_dropped_without_a_reply),
        cmocka_unit_test(epoch_zero_is_dropped_by_an_owner_with_an_epoch),
        cmocka_unit_test(duplicate_create_is_answered_with_the_current_state),
        cmocka_unit_test(create_of_a_placement_that_is_over_is_answered_with_removed),
        cmocka_unit_test(create_that_its_remove_overtook_is_answered_with_removed),
        cmocka_unit_test(remove_of_a_placement_before_the_present_one_changes_nothing),
        cmocka_unit_test(failed_dispatcher_gives_way_to_a_later_placement),
        cmocka_unit_test(create_without_a_placement_is_never_over),
        cmocka_unit_test(remove_ends_with_stopped_and_the_final_checkpoint),
        cmocka_unit_test(remove_while_opening_closes_too),
        cmocka_unit_test(remove_of_an_unknown_id_is_stopped_at_checkpoint_zero_at_once),
        cmocka_unit_test(remove_of_a_closing_one_is_answered_working_and_closes_once),
        cmocka_unit_test(unfinished_remove_is_reported_and_a_newer_owners_replaces_it),
        cmocka_unit_test(stopped_status_survives_a_full_outbox),
        cmocka_unit_test(stopping_node_answers_create_with_removed_and_makes_nothing),
        cmocka_unit_test(create_over_the_limit_is_answered_with_removed),
        cmocka_unit_test(create_where_no_sink_is_open_is_answered_with_removed),
        cmocka_unit_test(closing_feed_tells_the_truth_about_its_dispatchers),
        cmocka_unit_test(senseless_requests_are_refused),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
