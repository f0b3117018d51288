/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

/*
 * Bootstrap of a feed, and nodes that come later or fall silent: conformance facts 20 and 68, and what goes beyond the
 * reference. What becomes of the answers: test_maintainer_adopt.c.
 */

static struct driver d;

static void begin(uint32_t nodes, uint32_t tables)
{
    driver_init(&d, nodes);
    driver_set_tables(&d, tables);
}

static void end(void)
{
    driver_deinit(&d);
}

/* ---- requests ---- */

static void every_member_is_asked_and_only_the_own_node_hears_of_the_trigger(void **state)
{
    (void)state;
    begin(3, 0);
    driver_start(&d);
    for (uint32_t node = 0; node < 3; node++) {
        const Pb__MaintainerBootstrapRequest *r = driver_peek(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST, node);
        assert_non_null(r);
        sl_assert_u64(r->start_ts, DRIVER_START_TS);
        sl_assert_u64(r->maintainer_epoch, DRIVER_EPOCH);
        sl_assert_u64(r->capabilities & SL_CAP_EXT_REPORTS, SL_CAP_EXT_REPORTS);
        assert_true(r->config.len > 0);
        assert_int_equal(r->table_trigger_id != NULL, node == 0);
        assert_int_equal(r->is_new, node == 0);
    }
    end();
}

static void silent_node_alone_is_asked_again_and_holds_up_the_bootstrap(void **state)
{
    (void)state;
    begin(3, 2);
    d.nodes[2].is_silent = true;
    driver_start(&d);
    driver_deliver(&d);
    driver_forget(&d);
    driver_run_alone(&d, 2 * SL_S);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST][2], 4u);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST), 4u);
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    d.nodes[2].is_silent = false;
    driver_run_alone(&d, SL_S);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    end();
}

static void leaving_of_the_last_silent_node_completes_the_bootstrap(void **state)
{
    (void)state;
    begin(3, 2);
    d.nodes[2].is_silent = true;
    driver_start(&d);
    driver_deliver(&d);
    driver_members(&d, 1 | 2);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    end();
}

static void answer_of_the_own_node_ends_being_new(void **state)
{
    (void)state;
    begin(2, 0);
    d.nodes[0].hides_checkpoint = true;
    driver_start(&d);
    driver_deliver(&d);
    driver_lose(&d);
    d.now += SL_S;
    sl_maintainer_on_tick(d.m, d.now, &d.out);
    driver_collect(&d);
    const Pb__MaintainerBootstrapRequest *r = driver_peek(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST, 0);
    assert_non_null(r);
    assert_non_null(r->table_trigger_id);
    assert_false(r->is_new);
    end();
}

static void source_is_told_to_every_node_and_to_the_load_of_the_tables(void **state)
{
    (void)state;
    static const char uri[] = "gen://?tables=2";
    begin(2, 2);
    d.opts.source = sl_secret_of((struct sl_bytes){ (const uint8_t *)uri, sizeof uri - 1 });
    d.holds_schema = true;
    driver_start(&d);
    for (uint32_t node = 0; node < 2; node++) {
        const Pb__MaintainerBootstrapRequest *r = driver_peek(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST, node);
        assert_non_null(r);
        sl_assert_str(r->source_uri, uri);
    }
    driver_deliver(&d);
    assert_true(d.has_load);
    sl_assert_u64(d.load_source_len, sizeof uri - 1);
    end();
}

/* ---- answers ---- */

static void answer_of_another_epoch_is_refused(void **state)
{
    (void)state;
    begin(1, 1);
    driver_start(&d);
    driver_lose(&d);
    d.nodes[0].trigger = (struct sl_dispatcher_id){ 1, 1 };
    sl_assert_i64(driver_answer(&d, 0, DRIVER_EPOCH - 1), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(driver_answer(&d, 0, 0), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(driver_answer(&d, 0, DRIVER_EPOCH), SL_REFUSE_NONE);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    end();
}

static void epoch_zero_fits_in_interoperation_only(void **state)
{
    (void)state;
    begin(1, 1);
    d.opts.interop = true;
    driver_start(&d);
    driver_lose(&d);
    d.nodes[0].trigger = (struct sl_dispatcher_id){ 1, 1 };
    sl_assert_i64(driver_answer(&d, 0, 0), SL_REFUSE_NONE);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    end();
}

static void error_in_an_answer_is_reported_and_the_node_asked_again(void **state)
{
    (void)state;
    begin(2, 1);
    d.nodes[1].error = "CDC:ErrSinkDown";
    driver_start(&d);
    driver_deliver(&d);
    const Pb__MaintainerStatus *s = driver_status(&d);
    sl_assert_u64(s->n_errors, 1u);
    sl_assert_str(s->errors[0]->code, "CDC:ErrSinkDown");
    sl_assert_str(s->errors[0]->node, "n1");
    assert_false(s->bootstrap_done);
    driver_run_alone(&d, SL_S);
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    d.nodes[1].error = NULL;
    driver_run_alone(&d, SL_S);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    sl_assert_u64(driver_status(&d)->n_errors, 0u);
    end();
}

static void no_checkpoint_from_any_node_is_a_coded_error_and_asked_for_again(void **state)
{
    (void)state;
    begin(2, 1);
    d.nodes[0].hides_checkpoint = true;
    driver_start(&d);
    driver_deliver(&d);
    sl_assert_u64(d.load_count, 0u);
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    const Pb__MaintainerStatus *s = driver_status(&d);
    sl_assert_u64(s->n_errors, 1u);
    sl_assert_str(s->errors[0]->code, "CDC:ErrSluiceNoCheckpoint");
    sl_assert_str(s->errors[0]->node, "n0");
    driver_forget(&d);
    d.nodes[0].hides_checkpoint = false;
    driver_run_alone(&d, SL_S);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST][0], 1u);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    end();
}

/* ---- tables ---- */

static void tables_are_loaded_where_the_trigger_starts(void **state)
{
    (void)state;
    begin(2, 1);
    d.holds_schema = true;
    driver_start(&d);
    driver_deliver(&d);
    sl_assert_u64(d.load_count, 1u);
    sl_assert_u64(d.load.ts, DRIVER_START_TS);
    end();
}

static void load_that_fails_is_told_and_repeated_after_longer_and_longer_pauses(void **state)
{
    (void)state;
    begin(1, 1);
    d.schema_code = SL_BUSY;
    driver_start(&d);
    driver_deliver(&d);
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    sl_assert_u64(d.events[SL_EV_TABLES_NOT_LOADED], 1u);
    sl_assert_u64(driver_status(&d)->n_errors, 0u); /* the coordinator would start the feed anew */
    driver_run_alone(&d, 600 * SL_MS);
    sl_assert_u64(d.load_count, 2u);
    driver_run_alone(&d, 800 * SL_MS); /* 1 s after the second */
    sl_assert_u64(d.load_count, 2u);
    driver_run_alone(&d, 300 * SL_MS);
    sl_assert_u64(d.load_count, 3u);
    d.schema_code = SL_OK;
    driver_run_alone(&d, 2100 * SL_MS);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    sl_assert_u64(driver_status(&d)->n_errors, 0u);
    end();
}

static void load_that_fails_again_and_again_is_an_error_of_the_feed(void **state)
{
    (void)state;
    begin(1, 1);
    d.schema_code = SL_BUSY;
    driver_start(&d);
    driver_deliver(&d);
    driver_run_alone(&d, 10 * SL_S);
    sl_assert_u64(d.events[SL_EV_TABLES_NOT_LOADED], 5u);
    sl_assert_str(driver_status(&d)->errors[0]->code, "CDC:ErrSluiceBootstrap");
    driver_run_alone(&d, 300 * SL_S);
    assert_true(d.events[SL_EV_TABLES_NOT_LOADED] < 30u);
    d.schema_code = SL_OK;
    driver_run_alone(&d, 17 * SL_S);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    sl_assert_u64(driver_status(&d)->n_errors, 0u);
    end();
}

static void load_answer_with_an_old_number_is_ignored(void **state)
{
    (void)state;
    begin(1, 1);
    d.schema_code = SL_BUSY;
    driver_start(&d);
    driver_deliver(&d);
    uint64_t old = d.load.request;
    d.schema_code = SL_OK;
    d.holds_schema = true;
    driver_run_alone(&d, 600 * SL_MS);
    assert_true(d.load.request != old);
    struct sl_in_schema late = { .feed = d.feed, .request = old, .tables = d.tables, .table_count = 1 };
    sl_maintainer_on_schema(d.m, d.now, &late, &d.out);
    driver_collect(&d);
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    d.holds_schema = false;
    driver_deliver(&d);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    end();
}

static void change_of_tables_during_the_bootstrap_loads_them_again(void **state)
{
    (void)state;
    begin(1, 2);
    d.holds_schema = true;
    driver_start(&d);
    driver_deliver(&d);
    uint64_t old = d.load.request;
    const struct sl_in_schema_change change = { .feed = d.feed, .commit_ts = 2000 };
    sl_maintainer_on_schema_change(d.m, d.now, &change, &d.out);
    driver_collect(&d);
    assert_true(d.load.request != old);
    d.holds_schema = false;
    driver_deliver(&d);
    sl_assert_u64(driver_stats(&d).spans, 2u);
    end();
}

static void tables_added_and_dropped_while_running_follow_the_change(void **state)
{
    (void)state;
    begin(2, 2);
    driver_bootstrap(&d);
    const struct sl_table added = { .table_id = 9, .schema_id = 1 };
    const int64_t dropped = 1;
    const struct sl_in_schema_change change = {
        .feed = d.feed, .commit_ts = 2000, .added = &added, .added_count = 1, .dropped = &dropped, .dropped_count = 1
    };
    sl_maintainer_on_schema_change(d.m, d.now, &change, &d.out);
    driver_collect(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(driver_table_count(&d, 1), 0u);
    sl_assert_u64(driver_table_count(&d, 9), 1u);
    sl_assert_u64(driver_stats(&d).replicating, 2u);
    end();
}

/* Tables that do not find room, because there is no memory for a moment. */
static void add_in_vain(uint32_t first, uint32_t count, sl_ts commit_ts)
{
    const struct sl_in_schema_change change = {
        .feed = d.feed, .commit_ts = commit_ts, .added = &d.tables[first], .added_count = count
    };
    d.own.opts.budget_bytes = 1;
    sl_maintainer_on_schema_change(d.m, d.now, &change, &d.out);
    driver_collect(&d);
    d.own.opts.budget_bytes = 0;
}

static void begin_with_missing_tables(void)
{
    begin(1, 1);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    d.nodes[0].checkpoint = 3000;
    driver_set_tables(&d, DRIVER_TABLES_MAX);
    d.holds_schema = true;
    add_in_vain(1, DRIVER_TABLES_MAX - 2, 2000);
    assert_true(driver_stats(&d).spans < DRIVER_TABLES_MAX - 1);
    driver_run(&d, SL_S);
    sl_assert_u64(d.load.ts, 2000u);
}

/* A lost table would be lost rows: it is fetched again, and the checkpoint does not pass its start meanwhile. */
static void table_that_could_not_be_added_is_fetched_again_and_holds_the_checkpoint(void **state)
{
    (void)state;
    begin_with_missing_tables();
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 2000u);
    d.holds_schema = false;
    driver_run(&d, SL_S);
    sl_assert_u64(driver_stats(&d).replicating, DRIVER_TABLES_MAX);
    sl_assert_u64(driver_table_count(&d, DRIVER_TABLES_MAX), 1u);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 3000u);
    end();
}

static void load_that_is_older_than_the_next_missing_table_does_not_count(void **state)
{
    (void)state;
    begin_with_missing_tables();
    uint64_t old = d.load.request;
    add_in_vain(DRIVER_TABLES_MAX - 1, 1, 2500);
    const struct sl_in_schema late = {
        .feed = d.feed, .request = old, .tables = d.tables, .table_count = DRIVER_TABLES_MAX - 1
    };
    sl_maintainer_on_schema(d.m, d.now, &late, &d.out);
    driver_collect(&d);
    d.holds_schema = false;
    driver_run(&d, SL_S);
    sl_assert_u64(d.load.ts, 2500u);
    sl_assert_u64(driver_stats(&d).replicating, DRIVER_TABLES_MAX);
    end();
}

/* ---- post-bootstrap ---- */

static void post_bootstrap_is_repeated_until_an_answer_of_the_own_epoch(void **state)
{
    (void)state;
    begin(1, 0);
    driver_start(&d);
    driver_lose(&d);
    d.nodes[0].trigger = (struct sl_dispatcher_id){ 1, 1 };
    driver_answer(&d, 0, DRIVER_EPOCH);
    d.holds_schema = true;
    struct sl_in_schema schema = { .feed = d.feed, .request = d.load.request };
    d.has_load = false;
    sl_maintainer_on_schema(d.m, d.now, &schema, &d.out);
    driver_collect(&d);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST][0], 1u);
    sl_assert_i64(driver_answer_post(&d, 0, DRIVER_EPOCH - 1), SL_REFUSE_STALE_VERSION);
    d.nodes[0].error = "CDC:ErrTriggerMissing";
    sl_assert_i64(driver_answer_post(&d, 0, DRIVER_EPOCH), SL_REFUSE_NONE);
    sl_assert_str(driver_status(&d)->errors[0]->code, "CDC:ErrTriggerMissing");
    d.nodes[0].error = NULL;
    d.nodes[0].is_silent = true;
    driver_run_alone(&d, SL_S);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST][0], 3u);
    sl_assert_i64(driver_answer_post(&d, 0, DRIVER_EPOCH), SL_REFUSE_NONE);
    driver_run_alone(&d, 2 * SL_S);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST][0], 3u);
    end();
}

static void post_bootstrap_answer_of_another_node_is_refused(void **state)
{
    (void)state;
    begin(2, 0);
    driver_bootstrap(&d);
    sl_assert_i64(driver_answer_post(&d, 1, DRIVER_EPOCH), SL_REFUSE_WRONG_SENDER);
    end();
}

/* ---- nodes that come later, or fall silent ---- */

static void later_node_gets_spans_only_after_it_answered(void **state)
{
    (void)state;
    begin(1, 1);
    d.nodes[1].is_silent = true;
    driver_bootstrap(&d);
    driver_members(&d, 1 | 2);
    driver_run(&d, SL_S);
    assert_true(d.sent[SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST][1] >= 2);
    const struct sl_table added = { .table_id = 9, .schema_id = 1 };
    const struct sl_in_schema_change change = { .feed = d.feed, .commit_ts = 2000, .added = &added, .added_count = 1 };
    sl_maintainer_on_schema_change(d.m, d.now, &change, &d.out);
    driver_collect(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(d.sent[SL_MSG_SCHEDULE_DISPATCHER_REQUEST][1], 0u);
    sl_assert_u64(d.nodes[0].dispatcher_count, 2u);
    d.nodes[1].is_silent = false;
    driver_run(&d, SL_S);
    const struct sl_table more = { .table_id = 10, .schema_id = 1 };
    const struct sl_in_schema_change next = { .feed = d.feed, .commit_ts = 2000, .added = &more, .added_count = 1 };
    sl_maintainer_on_schema_change(d.m, d.now, &next, &d.out);
    driver_collect(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(d.nodes[1].dispatcher_count, 1u);
    end();
}

static void what_a_later_node_runs_is_removed(void **state)
{
    (void)state;
    begin(1, 2);
    driver_bootstrap(&d);
    driver_add_dispatcher(&d, 1, 31, 1);
    driver_add_dispatcher(&d, 1, 32, 77);
    driver_members(&d, 1 | 2);
    driver_run(&d, 2 * SL_S);
    assert_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 31 }));
    assert_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 32 }));
    sl_assert_u64(driver_table_count(&d, 1), 1u);
    end();
}

/* It may have been cut off while its spans were placed elsewhere: the copies there stay, its own go. */
static void node_that_comes_back_with_old_dispatchers_loses_them(void **state)
{
    (void)state;
    begin(2, 2);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(d.nodes[1].dispatcher_count, 1u);
    struct sl_dispatcher_id id = d.nodes[1].dispatchers[0].id;
    driver_members(&d, 1);
    driver_run(&d, SL_S);
    assert_non_null(driver_find(&d, 0, id));
    assert_non_null(driver_find(&d, 1, id));
    driver_members(&d, 1 | 2);
    driver_run(&d, 2 * SL_S);
    assert_non_null(driver_find(&d, 0, id));
    assert_null(driver_find(&d, 1, id));
    sl_assert_u64(driver_stats(&d).replicating, 2u);
    end();
}

static void silent_node_with_spans_is_asked_what_it_runs(void **state)
{
    (void)state;
    begin(2, 2);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    driver_forget(&d);
    d.nodes[1].is_silent = true;
    driver_run(&d, 7 * SL_S);
    assert_true(d.sent[SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST][1] >= 3);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST][0], 0u);
    sl_assert_u64(d.events[SL_EV_NODE_SILENT], 1u);
    sl_assert_u64(driver_stats(&d).absent, 0u);
    d.nodes[1].is_silent = false;
    driver_lose(&d);
    driver_answer(&d, 1, DRIVER_EPOCH);
    driver_run(&d, SL_S);
    sl_assert_u64(d.events[SL_EV_SPAN_LOST], 0u);
    driver_forget(&d);
    driver_run(&d, 10 * SL_S);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST), 0u);
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 0u);
    sl_assert_u64(driver_stats(&d).replicating, 2u);
    end();
}

static void silent_node_without_spans_is_left_alone(void **state)
{
    (void)state;
    begin(2, 0);
    driver_bootstrap(&d);
    driver_forget(&d);
    d.nodes[1].is_silent = true;
    driver_run(&d, 30 * SL_S);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST), 0u);
    end();
}

static void node_that_lost_its_dispatchers_gets_them_again(void **state)
{
    (void)state;
    begin(2, 4);
    d.nodes[1].incarnation = 1;
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(d.nodes[1].dispatcher_count, 2u);
    d.nodes[1].mark_seq = 1000000;
    driver_heartbeat(&d, 1);
    d.nodes[1].dispatcher_count = 0;
    d.nodes[1].has_manager = false;
    d.nodes[1].incarnation = 2;
    d.nodes[1].mark_seq = 0;
    driver_run(&d, 8 * SL_S);
    sl_assert_u64(driver_stats(&d).replicating, 4u);
    for (int64_t table = 1; table <= 4; table++)
        sl_assert_u64(driver_table_count(&d, table), 1u);
    d.nodes[0].checkpoint = d.nodes[1].checkpoint = 5000;
    driver_run(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 5000u); /* its watermarks, counted from 1 again, are believed */
    end();
}

static void trigger_that_ended_by_itself_comes_back(void **state)
{
    (void)state;
    begin(1, 1);
    driver_bootstrap(&d);
    struct sl_dispatcher_id trigger = d.nodes[0].trigger;
    d.nodes[0].trigger = (struct sl_dispatcher_id){ 0 };
    struct driver_beat stopped = { .checkpoint = 1000, .id = trigger, .state = PB__COMPONENT_STATE__STOPPED };
    driver_beat(&d, 0, &stopped);
    driver_forget(&d);
    driver_run(&d, SL_S);
    assert_true(sl_dispatcher_id_eq(d.nodes[0].trigger, trigger));
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST][0], 1u);
    driver_forget(&d);
    driver_run(&d, 3 * SL_S);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST), 0u);
    end();
}

static void trigger_that_ends_while_others_still_answer_comes_back(void **state)
{
    (void)state;
    begin(2, 1);
    d.nodes[1].is_silent = true;
    driver_start(&d);
    driver_deliver(&d);
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    struct sl_dispatcher_id trigger = d.nodes[0].trigger;
    assert_false(sl_dispatcher_id_is_none(trigger));
    d.nodes[0].trigger = (struct sl_dispatcher_id){ 0 };
    struct driver_beat stopped = { .checkpoint = 1000, .id = trigger, .state = PB__COMPONENT_STATE__STOPPED };
    driver_beat(&d, 0, &stopped);
    d.nodes[1].is_silent = false;
    driver_run(&d, 3 * SL_S);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    assert_true(sl_dispatcher_id_eq(d.nodes[0].trigger, trigger));
    end();
}

static void checkpoint_waits_while_no_trigger_looks_for_changes_of_tables(void **state)
{
    (void)state;
    begin(1, 1);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    sl_ts before = sl_maintainer_checkpoint(d.m);
    struct driver_beat stopped = { .checkpoint = before + 5000,
                                   .resolved = before + 5000,
                                   .id = d.nodes[0].trigger,
                                   .state = PB__COMPONENT_STATE__STOPPED };
    driver_beat(&d, 0, &stopped);
    d.nodes[0].is_silent = true; /* it does not come back yet */
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), before);
    d.nodes[0].is_silent = false;
    d.nodes[0].checkpoint = before + 5000;
    driver_run(&d, 3 * SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), before + 5000);
    end();
}

static void maintainer_made_to_remove_never_bootstraps(void **state)
{
    (void)state;
    begin(3, 1);
    d.opts.remove_only = true;
    d.opts.config = (struct sl_secret){ 0 };
    driver_start(&d);
    driver_run_alone(&d, 5 * SL_S);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST), 0u);
    sl_assert_i64(sl_maintainer_deadline(d.m), SL_NEVER);
    sl_assert_i64(driver_answer(&d, 0, DRIVER_EPOCH), SL_REFUSE_NOT_HANDLED);
    end();
}

static void bad_configuration_makes_no_maintainer(void **state)
{
    (void)state;
    begin(1, 1);
    static const uint8_t text[] = "{\"config\":{}}";
    d.opts.config = sl_secret_of((struct sl_bytes){ text, sizeof text - 1 });
    sl_assert_i64(sl_maintainer_new(&d.m, &d.opts, d.now), SL_BAD_CONFIG);
    assert_null(d.m);
    end();
}

/* ---- memory ---- */

enum { TORTURE_TABLES = 40 };

/* Bootstrap with dispatchers to adopt, an orphan and tables to place, then a drain, with the nth allocation failing. */
static bool drains_in_spite_of_failure(uint64_t fail_at)
{
    begin(3, TORTURE_TABLES);
    driver_add_dispatcher(&d, 1, 11, 1);
    driver_add_dispatcher(&d, 1, 12, 2);
    driver_add_dispatcher(&d, 2, 77, 77);
    d.own.fail_at = fail_at;
    enum sl_code code = sl_maintainer_new(&d.m, &d.opts, d.now);
    if (code != SL_OK) {
        sl_assert_i64(code, SL_NOMEM);
        end();
        return true;
    }
    driver_start(&d);
    driver_run(&d, 4 * SL_S);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    driver_set_target(&d, 1, 1);
    driver_run(&d, 40 * SL_S);
    bool failed = d.own.fail_at == 0;
    sl_assert_u64(d.nodes[1].dispatcher_count, 0u);
    sl_assert_u64(driver_stats(&d).replicating, TORTURE_TABLES);
    for (int64_t table = 1; table <= TORTURE_TABLES; table++)
        sl_assert_u64(driver_table_count(&d, table), 1u);
    end();
    return failed;
}

static void any_one_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t n = 1;
    while (drains_in_spite_of_failure(n))
        n++;
    assert_true(n > 30); /* or the run has become too simple to show anything */
}

/* A node that does not reach the store for a while does not see who joins; who joined may run dispatchers of the feed. */
static void bootstrap_does_not_end_before_all_members_are_known(void **state)
{
    (void)state;
    begin(2, 2);
    d.opts.reads_members = true;
    driver_start(&d);
    driver_deliver(&d);
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    driver_run_alone(&d, 5 * SL_S);
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    sl_maintainer_on_members_read(d.m, d.now, &d.out);
    driver_collect(&d);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_asked_and_only_the_own_node_hears_of_the_trigger),
        cmocka_unit_test(silent_node_alone_is_asked_again_and_holds_up_the_bootstrap),
        cmocka_unit_test(leaving_of_the_last_silent_node_completes_the_bootstrap),
        cmocka_unit_test(answer_of_the_own_node_ends_being_new),
        cmocka_unit_test(source_is_told_to_every_node_and_to_the_load_of_the_tables),
        cmocka_unit_test(answer_of_another_epoch_is_refused),
        cmocka_unit_test(epoch_zero_fits_in_interoperation_only),
        cmocka_unit_test(error_in_an_answer_is_reported_and_the_node_asked_again),
        cmocka_unit_test(no_checkpoint_from_any_node_is_a_coded_error_and_asked_for_again),
        cmocka_unit_test(tables_are_loaded_where_the_trigger_starts),
        cmocka_unit_test(load_that_fails_is_told_and_repeated_after_longer_and_longer_pauses),
        cmocka_unit_test(load_that_fails_again_and_again_is_an_error_of_the_feed),
        cmocka_unit_test(load_answer_with_an_old_number_is_ignored),
        cmocka_unit_test(change_of_tables_during_the_bootstrap_loads_them_again),
        cmocka_unit_test(tables_added_and_dropped_while_running_follow_the_change),
        cmocka_unit_test(table_that_could_not_be_added_is_fetched_again_and_holds_the_checkpoint),
        cmocka_unit_test(load_that_is_older_than_the_next_missing_table_does_not_count),
        cmocka_unit_test(post_bootstrap_is_repeated_until_an_answer_of_the_own_epoch),
        cmocka_unit_test(post_bootstrap_answer_of_another_node_is_refused),
        cmocka_unit_test(later_node_gets_spans_only_after_it_answered),
        cmocka_unit_test(what_a_later_node_runs_is_removed),
        cmocka_unit_test(node_that_comes_back_with_old_dispatchers_loses_them),
        cmocka_unit_test(silent_node_with_spans_is_asked_what_it_runs),
        cmocka_unit_test(silent_node_without_spans_is_left_alone),
        cmocka_unit_test(node_that_lost_its_dispatchers_gets_them_again),
        cmocka_unit_test(trigger_that_ended_by_itself_comes_back),
        cmocka_unit_test(trigger_that_ends_while_others_still_answer_comes_back),
        cmocka_unit_test(checkpoint_waits_while_no_trigger_looks_for_changes_of_tables),
        cmocka_unit_test(maintainer_made_to_remove_never_bootstraps),
        cmocka_unit_test(bad_configuration_makes_no_maintainer),
        cmocka_unit_test(any_one_allocation_may_fail),
        cmocka_unit_test(bootstrap_does_not_end_before_all_members_are_known),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
