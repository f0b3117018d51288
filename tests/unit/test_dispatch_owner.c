/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/dispatch_driver.h"

#include <string.h>

/* Who owns a feed's dispatchers on a node, and how a maintainer gets to know them. */

static const Pb__MaintainerBootstrapResponse *response_of(struct dispatch_driver *d)
{
    sl_assert_u64(dispatch_sent_count(d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE), 1u);
    return dispatch_sent(d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, 0);
}

static const struct sl_owner *owner_of(struct dispatch_driver *d, uint32_t feed)
{
    struct sl_feed_id id;
    Pb__ChangefeedID pb = dispatch_feed_pb(d, feed);
    assert_true(sl_feed_id_set(&id, &pb));
    const struct sl_dm *dm = sl__dm_find(d->o, &id);
    assert_non_null(dm);
    return &dm->owner;
}

static void bootstrap_is_answered_when_the_sink_is_open(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    d.source = "gen://?tables=1";
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN_FEED), 1u);
    const struct sl_command *open = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0);
    sl_assert_u64(open->feed_id->low, 1u);
    sl_assert_mem(sl_secret_reveal(open->config).ptr, d.config.ptr, d.config.len);
    sl_assert_mem(sl_secret_reveal(open->source).ptr, d.source, strlen(d.source));
    sl_assert_u64(dispatch_sent_count(&d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE), 0u);

    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, open->feed, 0);
    const Pb__MaintainerBootstrapResponse *response = response_of(&d);
    sl_assert_u64(dispatch_sent_to(&d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, 0), DISPATCH_N2);
    assert_null(response->err);
    sl_assert_u64(response->maintainer_epoch, 5u);
    sl_assert_u64(response->checkpoint_ts, 0u);
    sl_assert_u64(response->n_spans, 0u);
    sl_assert_u64(response->capabilities, SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME);
    sl_assert_u64(response->protocol_version, SL_PROTOCOL_VERSION);
    sl_assert_i64(response->node_liveness, PB__NODE_LIVENESS__ALIVE);
    dispatch_stop(&d);
}

static void repeat_while_the_sink_opens_is_answered_once(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 100);
    sl_feed_token token = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 100);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, token, 0);
    assert_non_null(response_of(&d));
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 100); /* once open, each request is answered */
    assert_non_null(response_of(&d));
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN_FEED), 0u);
    dispatch_stop(&d);
}

static void newest_owner_is_answered_if_it_changed_while_the_sink_opened(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 100);
    sl_feed_token token = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 42, 200);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, token, 0);
    const Pb__MaintainerBootstrapResponse *response = response_of(&d);
    sl_assert_u64(dispatch_sent_to(&d, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, 0), DISPATCH_N3);
    sl_assert_u64(response->maintainer_epoch, 6u);
    sl_assert_u64(response->checkpoint_ts, 200u);
    sl_assert_u64(dispatch_command(&d, SL_COMMAND_OPEN, 0)->id.low, 42u);
    dispatch_stop(&d);
}

static void sink_that_cannot_open_is_answered_with_its_error_and_forgotten(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 100);
    dispatch_report_feed(&d, SL_REPORT_FEED_FAILED, dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed, 0);
    const Pb__MaintainerBootstrapResponse *response = response_of(&d);
    assert_non_null(response->err);
    sl_assert_str(response->err->code, "SINK");
    sl_assert_str(response->err->message, "sink is away");
    sl_assert_str(response->err->node, "n1");
    sl_assert_u64(d.o->dms.count, 0u);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 100); /* the same epoch may try again */
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN_FEED), 1u);
    dispatch_stop(&d);
}

static void epoch_may_only_grow_and_an_equal_one_stays_on_its_node(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 4, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_WRONG_SENDER);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    sl_assert_u64(owner_of(&d, 1)->node, DISPATCH_N2);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    sl_assert_u64(owner_of(&d, 1)->node, DISPATCH_N3);
    sl_assert_u64(owner_of(&d, 1)->epoch, 6u);
    sl_assert_u64(dispatch_event_count(&d, SL_EV_OWNER_CHANGED), 1u);
    dispatch_stop(&d);
}

static void epoch_zero_never_downgrades_an_owner(void **state)
{
    (void)state;
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.interop = true;
    dispatch_start(&d, &opts);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 0);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 0, 0, 1); /* any node may take over among zeros */
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 3, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 0, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_ZERO_EPOCH);
    sl_assert_u64(owner_of(&d, 1)->epoch, 3u);
    dispatch_stop(&d);
}

static void epoch_zero_is_refused_without_interoperation(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 0, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_ZERO_EPOCH);
    dispatch_close(&d, DISPATCH_N2, 1, 0, true);
    sl_assert_i64(d.refusal, SL_REFUSE_ZERO_EPOCH);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_stop(&d);
}

static void table_trigger_is_made_with_the_start_ts_of_the_request(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 5, 42, 100);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed, 0);
    const struct sl_command *open = dispatch_command(&d, SL_COMMAND_OPEN, 0);
    assert_true(open->is_table_trigger);
    sl_assert_u64(open->start_ts, 100u);
    sl_assert_u64(open->placement.maintainer_epoch, 5u);
    const Pb__MaintainerBootstrapResponse *response = response_of(&d);
    sl_assert_u64(response->checkpoint_ts, 100u);
    sl_assert_u64(response->n_spans, 1u);
    sl_assert_i64(response->spans[0]->span->table_id, 0);
    sl_assert_i64(response->spans[0]->state, PB__COMPONENT_STATE__INITIALIZING);

    dispatch_bootstrap(&d, DISPATCH_N1, 1, 5, 42, 300); /* the same id again changes nothing */
    sl_assert_u64(response_of(&d)->checkpoint_ts, 100u);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 0u);
    sl_assert_u64(sl_orchestrator_dispatcher_count(d.o), 1u);
    dispatch_stop(&d);
}

static void other_or_missing_trigger_id_is_an_error_and_the_owner_stays(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 5, 42, 100);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed, 0);
    const uint64_t ids[] = { 43, 0 };
    for (size_t i = 0; i < 2; i++) {
        dispatch_bootstrap(&d, DISPATCH_N2, 1, 6, ids[i], 100);
        assert_non_null(response_of(&d)->err);
        sl_assert_str(response_of(&d)->err->code, "EXISTS");
        sl_assert_u64(response_of(&d)->maintainer_epoch, 6u);
        sl_assert_u64(owner_of(&d, 1)->epoch, 5u);
        sl_assert_u64(owner_of(&d, 1)->node, DISPATCH_N1);
    }
    dispatch_stop(&d);
}

static void missing_trigger_is_made_by_a_later_bootstrap(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 6, 42, 100);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN), 1u);
    sl_assert_u64(response_of(&d)->checkpoint_ts, 100u);
    dispatch_stop(&d);
}

static void trigger_on_its_way_out_does_not_stand_in_the_way(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 6, 42, 100);
    sl_dispatcher_token trigger = dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher;
    dispatch_remove(&d, DISPATCH_N1, 1, 6, 42);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 7, 0, 1); /* wants none: fine, it hosts none any more */
    assert_null(response_of(&d)->err);
    sl_assert_u64(response_of(&d)->checkpoint_ts, 0u);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 8, 43, 100); /* wants another: as soon as this one is gone */
    sl_assert_str(response_of(&d)->err->code, "BUSY");
    sl_assert_u64(owner_of(&d, 1)->epoch, 7u);
    dispatch_report(&d, SL_REPORT_CLOSED, trigger, 120, false);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 8, 43, 100);
    assert_null(response_of(&d)->err);
    sl_assert_u64(dispatch_command(&d, SL_COMMAND_OPEN, 0)->id.low, 43u);
    dispatch_stop(&d);
}

static void trigger_without_a_start_ts_is_refused(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 5, 42, 0);
    sl_assert_i64(d.refusal, SL_REFUSE_ZERO_CHECKPOINT);
    sl_assert_u64(d.o->dms.count, 0u);
    dispatch_stop(&d);
}

static void bootstrap_of_a_closing_feed_says_retry(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token token = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 0, 1);
    sl_assert_str(response_of(&d)->err->message, "closing, retry");
    sl_assert_str(response_of(&d)->err->code, "BUSY");
    sl_assert_u64(owner_of(&d, 1)->epoch, 5u);
    dispatch_report_feed(&d, SL_REPORT_FEED_CLOSED, token, 0);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 0, 1);
    sl_assert_u64(dispatch_command_count(&d, SL_COMMAND_OPEN_FEED), 1u);
    dispatch_stop(&d);
}

static void bootstrap_not_newer_than_the_tombstone_is_refused(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false); /* nothing here: the tombstone alone stays */
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 4, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 6);
    sl_assert_u64(d.o->tombstones.order.count, 0u);
    dispatch_stop(&d);
}

static void tombstone_of_epoch_zero_exists_only_for_a_removed_feed(void **state)
{
    (void)state;
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.interop = true;
    dispatch_start(&d, &opts);
    dispatch_close(&d, DISPATCH_N2, 1, 0, false);
    dispatch_close(&d, DISPATCH_N2, 2, 0, true);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 0, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    dispatch_bootstrap(&d, DISPATCH_N2, 2, 0, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    dispatch_bootstrap(&d, DISPATCH_N2, 2, 1, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    dispatch_stop(&d);
}

static void oldest_tombstone_gives_way_when_the_table_is_full(void **state)
{
    (void)state;
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.tombstone_count_max = 2;
    dispatch_start(&d, &opts);
    dispatch_close(&d, DISPATCH_N2, 1, 5, false);
    dispatch_close(&d, DISPATCH_N2, 2, 5, false);
    dispatch_close(&d, DISPATCH_N2, 1, 3, false); /* written again: now the youngest, and the larger epoch stays */
    dispatch_close(&d, DISPATCH_N2, 3, 5, false);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    dispatch_bootstrap(&d, DISPATCH_N2, 3, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    dispatch_bootstrap(&d, DISPATCH_N2, 2, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_NONE);
    dispatch_stop(&d);
}

static void post_bootstrap_says_why_the_trigger_has_failed(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 5, 42, 100);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed, 0);
    dispatch_report(&d, SL_REPORT_FAILED, dispatch_command(&d, SL_COMMAND_OPEN, 0)->dispatcher, 110, false);
    dispatch_post_bootstrap(&d, DISPATCH_N1, 1, 5, 42);
    const Pb__MaintainerPostBootstrapResponse *response =
        dispatch_sent(&d, SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, 0);
    sl_assert_str(response->err->code, "ROW");
    dispatch_stop(&d);
}

static void post_bootstrap_needs_the_owner_and_its_trigger(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_post_bootstrap(&d, DISPATCH_N1, 1, 5, 42);
    sl_assert_i64(d.refusal, SL_REFUSE_UNKNOWN_FEED);
    dispatch_bootstrap(&d, DISPATCH_N1, 1, 5, 42, 100);
    sl_feed_token token = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_post_bootstrap(&d, DISPATCH_N1, 1, 5, 42);
    const Pb__MaintainerPostBootstrapResponse *response =
        dispatch_sent(&d, SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, 0);
    sl_assert_str(response->err->code, "NOT_READY");
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, token, 0);
    for (int i = 0; i < 2; i++) { /* repeats are harmless */
        dispatch_post_bootstrap(&d, DISPATCH_N1, 1, 5, 42);
        response = dispatch_sent(&d, SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, 0);
        assert_null(response->err);
        sl_assert_u64(response->maintainer_epoch, 5u);
        sl_assert_u64(response->table_trigger_id->low, 42u);
    }
    dispatch_post_bootstrap(&d, DISPATCH_N1, 1, 5, 43);
    response = dispatch_sent(&d, SL_MSG_MAINTAINER_POST_BOOTSTRAP_RESPONSE, 0);
    sl_assert_str(response->err->code, "NOT_FOUND");
    dispatch_post_bootstrap(&d, DISPATCH_N1, 1, 4, 42);
    sl_assert_i64(d.refusal, SL_REFUSE_STALE_VERSION);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    dispatch_stop(&d);
}

static void owner_that_left_cannot_use_and_a_newer_one_adopts(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    dispatch_members(&d, (const char *const[]){ "n3", "n4" }, 2);
    sl_assert_i64(sl_orchestrator_deadline(d.o), SL_NEVER); /* there is nobody to tell */
    dispatch_tick(&d, 20 * SL_S);
    sl_assert_u64(dispatch_output_count(&d), 0u);
    /* Another node may not be taken for the old one, even with its epoch, not even in its slot. */
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_WRONG_SENDER);
    dispatch_create(&d, DISPATCH_N3, 1, 5, 12, 100);
    sl_assert_i64(d.refusal, SL_REFUSE_WRONG_SENDER);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 0, 1);
    sl_assert_u64(response_of(&d)->n_spans, 1u);
    sl_assert_u64(response_of(&d)->spans[0]->checkpoint_ts, 100u);
    dispatch_tick_due(&d);
    sl_assert_u64(dispatch_sent_to(&d, SL_MSG_HEART_BEAT_REQUEST, 0), DISPATCH_N3);
    dispatch_stop(&d);
}

static void owner_that_left_while_the_sink_opened_is_not_answered(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 42, 100);
    sl_feed_token token = dispatch_command(&d, SL_COMMAND_OPEN_FEED, 0)->feed;
    dispatch_members(&d, (const char *const[]){ "n3" }, 1);
    dispatch_report_feed(&d, SL_REPORT_FEED_OPENED, token, 0);
    sl_assert_u64(dispatch_output_count(&d), 0u); /* nor is its trigger made */
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 0, 1);
    assert_null(response_of(&d)->err);
    dispatch_stop(&d);
}

static void bad_configuration_is_refused_and_said(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    d.config = SL_STR("{\"filter\":");
    dispatch_bootstrap(&d, DISPATCH_N2, 1, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_BAD_CONFIG);
    sl_assert_str(response_of(&d)->err->code, "BAD_CONFIG");
    sl_assert_u64(d.o->dms.count, 0u);
    dispatch_stop(&d);
}

static void feed_over_the_limit_is_refused_and_said(void **state)
{
    (void)state;
    struct dispatch_driver d;
    struct sl_orchestrator_opts opts = dispatch_opts();
    opts.feed_count_max = 1;
    dispatch_start(&d, &opts);
    dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    dispatch_bootstrap(&d, DISPATCH_N2, 2, 5, 0, 1);
    sl_assert_i64(d.refusal, SL_REFUSE_OUT_OF_MEMORY);
    sl_assert_str(response_of(&d)->err->code, "LIMIT");
    dispatch_stop(&d);
}

static void answer_names_every_dispatcher_with_its_placement(void **state)
{
    (void)state;
    struct dispatch_driver d;
    dispatch_start(&d, NULL);
    sl_feed_token token = dispatch_open_feed(&d, DISPATCH_N2, 1, 5);
    d.placement_seq = 7;
    dispatch_open(&d, DISPATCH_N2, 1, 5, 11, 100, true);
    d.placement_seq = 8;
    dispatch_create(&d, DISPATCH_N2, 1, 5, 12, 90);
    dispatch_report_feed(&d, SL_REPORT_FEED_PROGRESS, token, 150);
    sl_dispatcher_token gone = dispatch_open(&d, DISPATCH_N2, 1, 5, 13, 160, true);
    dispatch_report(&d, SL_REPORT_CLOSED, gone, 170, false);
    dispatch_bootstrap(&d, DISPATCH_N3, 1, 6, 0, 1);
    const Pb__MaintainerBootstrapResponse *response = response_of(&d);
    sl_assert_u64(response->n_spans, 2u); /* one that has stopped is no offer */
    for (size_t i = 0; i < 2; i++) {
        const Pb__BootstrapTableSpan *span = response->spans[i];
        bool is_first = span->id->low == 11;
        sl_assert_u64(span->id->low, is_first ? 11u : 12u);
        sl_assert_i64(span->span->table_id, is_first ? 11 : 12);
        sl_assert_i64(span->schema_id, 5);
        sl_assert_u64(span->checkpoint_ts, is_first ? 150u : 90u); /* the first follows the feed */
        sl_assert_u64(span->placement_seq, is_first ? 7u : 8u);
        sl_assert_i64(span->state, is_first ? PB__COMPONENT_STATE__WORKING : PB__COMPONENT_STATE__INITIALIZING);
    }
    sl_assert_u64(response->n_operators, 0u);
    dispatch_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bootstrap_is_answered_when_the_sink_is_open),
        cmocka_unit_test(repeat_while_the_sink_opens_is_answered_once),
        cmocka_unit_test(newest_owner_is_answered_if_it_changed_while_the_sink_opened),
        cmocka_unit_test(sink_that_cannot_open_is_answered_with_its_error_and_forgotten),
        cmocka_unit_test(epoch_may_only_grow_and_an_equal_one_stays_on_its_node),
        cmocka_unit_test(epoch_zero_never_downgrades_an_owner),
        cmocka_unit_test(epoch_zero_is_refused_without_interoperation),
        cmocka_unit_test(table_trigger_is_made_with_the_start_ts_of_the_request),
        cmocka_unit_test(other_or_missing_trigger_id_is_an_error_and_the_owner_stays),
        cmocka_unit_test(missing_trigger_is_made_by_a_later_bootstrap),
        cmocka_unit_test(trigger_on_its_way_out_does_not_stand_in_the_way),
        cmocka_unit_test(trigger_without_a_start_ts_is_refused),
        cmocka_unit_test(bootstrap_of_a_closing_feed_says_retry),
        cmocka_unit_test(bootstrap_not_newer_than_the_tombstone_is_refused),
        cmocka_unit_test(tombstone_of_epoch_zero_exists_only_for_a_removed_feed),
        cmocka_unit_test(oldest_tombstone_gives_way_when_the_table_is_full),
        cmocka_unit_test(post_bootstrap_says_why_the_trigger_has_failed),
        cmocka_unit_test(post_bootstrap_needs_the_owner_and_its_trigger),
        cmocka_unit_test(owner_that_left_cannot_use_and_a_newer_one_adopts),
        cmocka_unit_test(owner_that_left_while_the_sink_opened_is_not_answered),
        cmocka_unit_test(bad_configuration_is_refused_and_said),
        cmocka_unit_test(feed_over_the_limit_is_refused_and_said),
        cmocka_unit_test(answer_names_every_dispatcher_with_its_placement),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
