/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

/*
 * Heartbeats of dispatch managers: conformance fact 25, orphans, and what the extension fields say. Fact 31 is about
 * the queue of the barrier, which does not exist yet.
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

/* One table, running on node 1. */
static struct sl_dispatcher_id begin_with_one_on_node_1(void)
{
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 11, 1);
    driver_bootstrap(&d);
    driver_forget(&d);
    return (struct sl_dispatcher_id){ 9, 11 };
}

static void stopped_without_an_operator_makes_the_span_absent_and_placed_anew(void **state)
{
    (void)state;
    struct sl_dispatcher_id id = begin_with_one_on_node_1();
    d.nodes[0].ignores_schedules = d.nodes[1].ignores_schedules = true;
    const struct driver_beat stopped = {
        .checkpoint = SL_TS_MAX, .id = id, .state = PB__COMPONENT_STATE__STOPPED, .status_checkpoint = 1500
    };
    sl_assert_i64(driver_beat(&d, 1, &stopped), SL_REFUSE_NONE);
    sl_assert_u64(driver_stats(&d).replicating, 0u);
    sl_assert_u64(driver_stats(&d).operators, 2u); /* a new place was found at once, and the old one is told */
    const Pb__ScheduleDispatcherRequest *told = driver_peek(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, 1);
    const Pb__ScheduleDispatcherRequest *create = driver_peek(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, 0);
    sl_assert_i64(told->action, PB__SCHEDULE_ACTION__REMOVE);
    sl_assert_i64(create->action, PB__SCHEDULE_ACTION__CREATE);
    sl_assert_u64(create->config->start_ts, 1500u); /* the final checkpoint is not thrown away */
    end();
}

static void stopped_while_being_removed_for_good_is_only_noted(void **state)
{
    (void)state;
    struct sl_dispatcher_id id = begin_with_one_on_node_1();
    d.nodes[0].is_silent = d.nodes[1].is_silent = true;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    const struct driver_beat stopped = { .checkpoint = SL_TS_MAX, .id = id, .state = PB__COMPONENT_STATE__STOPPED };
    sl_assert_i64(driver_beat(&d, 1, &stopped), SL_REFUSE_NONE);
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    sl_assert_u64(driver_stats(&d).operators, 0u);
    sl_assert_u64(driver_stats(&d).absent, 0u);
    end();
}

static void unknown_working_dispatcher_is_removed_and_others_are_ignored(void **state)
{
    (void)state;
    begin_with_one_on_node_1();
    const Pb__ComponentState harmless[] = { PB__COMPONENT_STATE__STOPPED, PB__COMPONENT_STATE__REMOVED,
                                            PB__COMPONENT_STATE__INITIALIZING, PB__COMPONENT_STATE__WAITING_MERGE };
    for (uint32_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        const struct driver_beat beat = { .checkpoint = 2000, .id = { 5, 5 }, .state = harmless[i] };
        driver_beat(&d, 1, &beat);
        sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 0u);
    }
    const struct driver_beat orphan = { .checkpoint = 2000, .id = { 5, 5 } };
    driver_beat(&d, 1, &orphan);
    const Pb__ScheduleDispatcherRequest *r = driver_peek(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, 1);
    assert_non_null(r);
    sl_assert_i64(r->action, PB__SCHEDULE_ACTION__REMOVE);
    sl_assert_i64(r->operator_type, PB__OPERATOR_TYPE__O_REMOVE);
    sl_assert_u64(r->maintainer_epoch, DRIVER_EPOCH);
    sl_assert_u64(d.events[SL_EV_ORPHAN_REMOVED], 1u);
    driver_beat(&d, 1, &orphan);
    sl_assert_u64(d.events[SL_EV_ORPHAN_REMOVED], 1u);
    end();
}

/* Its answer, when it comes late, must say nothing of a placement that comes later; but a later copy has to go too. */
static void orphan_is_removed_by_its_placement(void **state)
{
    (void)state;
    begin_with_one_on_node_1();
    d.nodes[0].ignores_schedules = true;
    struct driver_beat orphan = { .checkpoint = 2000, .id = { 5, 5 }, .placement_seq = 7 };
    driver_beat(&d, 1, &orphan);
    const Pb__ScheduleDispatcherRequest *r = driver_peek(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, 1);
    sl_assert_u64(r->placement_seq, 7u);
    orphan.placement_seq = 9; /* a Create of a predecessor was on its way */
    driver_beat(&d, 1, &orphan);
    orphan.placement_seq = 7;
    orphan.state = PB__COMPONENT_STATE__STOPPED;
    driver_beat(&d, 1, &orphan);
    sl_assert_u64(driver_stats(&d).operators, 1u);
    orphan.placement_seq = 9;
    driver_beat(&d, 1, &orphan);
    sl_assert_u64(driver_stats(&d).operators, 0u);
    end();
}

static void orphan_is_left_alone_by_a_maintainer_that_hands_over(void **state)
{
    (void)state;
    begin_with_one_on_node_1();
    d.nodes[0].is_silent = true;
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_forget(&d);
    const struct driver_beat orphan = { .checkpoint = 2000, .id = { 5, 5 } };
    sl_assert_i64(driver_beat(&d, 1, &orphan), SL_REFUSE_NONE);
    sl_assert_u64(d.sent[SL_MSG_SCHEDULE_DISPATCHER_REQUEST][1], 0u);
    end();
}

/* The other copy is an orphan too, but the span that has the id is not touched. */
static void copy_on_another_node_is_removed_there_only(void **state)
{
    (void)state;
    struct sl_dispatcher_id id = begin_with_one_on_node_1();
    driver_add_dispatcher(&d, 0, 11, 1);
    driver_heartbeat(&d, 0);
    driver_run(&d, SL_S);
    assert_null(driver_find(&d, 0, id));
    assert_non_null(driver_find(&d, 1, id));
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    end();
}

static void heartbeat_of_another_epoch_is_refused_and_zero_is_not_known(void **state)
{
    (void)state;
    begin_with_one_on_node_1();
    struct driver_beat beat = { .checkpoint = 2000, .id = { 5, 5 }, .epoch = DRIVER_EPOCH - 1 };
    sl_assert_i64(driver_beat(&d, 1, &beat), SL_REFUSE_STALE_VERSION);
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 0u);
    beat.epoch = 0;
    sl_assert_i64(driver_beat(&d, 1, &beat), SL_REFUSE_NONE);
    beat.epoch = DRIVER_EPOCH;
    sl_assert_i64(driver_beat(&d, 1, &beat), SL_REFUSE_NONE);
    end();
}

static void heartbeat_before_the_bootstrap_says_nothing(void **state)
{
    (void)state;
    begin(2, 1);
    driver_start(&d);
    const struct driver_beat beat = { .checkpoint = 9000, .id = { 5, 5 }, .error_code = "CDC:ErrSinkDown" };
    sl_assert_i64(driver_beat(&d, 1, &beat), SL_REFUSE_NONE);
    sl_assert_u64(driver_status(&d)->n_errors, 0u);
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 0u);
    end();
}

static void heartbeat_of_a_node_that_left_is_refused(void **state)
{
    (void)state;
    begin(2, 1);
    driver_bootstrap(&d);
    sl_node_ref gone = driver_ref(&d, 1);
    driver_members(&d, 1);
    Pb__ChangefeedID feed = sl_feed_id_pb(&d.feed);
    Pb__HeartBeatRequest beat = PB__HEART_BEAT_REQUEST__INIT;
    beat.changefeed = &feed;
    sl_assert_i64(sl_maintainer_on_message(d.m, d.now, gone, SL_MSG_HEART_BEAT_REQUEST, &beat.base, &d.out),
                  SL_REFUSE_UNKNOWN_NODE);
    end();
}

/* The table comes with the watermark that knows it, so the checkpoint cannot jump over its start. */
static void watermark_is_taken_before_the_statuses(void **state)
{
    (void)state;
    begin(1, 1);
    d.nodes[0].ignores_schedules = true;
    driver_bootstrap(&d);
    driver_beat(&d, 0, &(struct driver_beat){ .checkpoint = 9000 });
    driver_run_alone(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), DRIVER_START_TS);
    driver_run_alone(&d, 2 * SL_S);
    driver_lose(&d);
    d.nodes[0].is_silent = true;
    const Pb__ScheduleDispatcherRequest *create = NULL;
    while (!create) {
        d.now = sl_maintainer_deadline(d.m);
        sl_maintainer_on_tick(d.m, d.now, &d.out);
        driver_collect(&d);
        create = driver_peek(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, 0);
    }
    const struct driver_beat started = { .checkpoint = DRIVER_START_TS,
                                         .id = sl_dispatcher_id_of(create->config->dispatcher_id),
                                         .status_checkpoint = DRIVER_START_TS,
                                         .placement_seq = create->placement_seq };
    driver_beat(&d, 0, &started);
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), DRIVER_START_TS);
    end();
}

static void node_that_is_not_alive_gets_no_spans(void **state)
{
    (void)state;
    begin(3, 0);
    driver_bootstrap(&d);
    d.nodes[1].liveness = SL_LIVENESS_DRAINING;
    driver_run(&d, SL_S);
    struct sl_table added[8];
    for (int64_t i = 0; i < 8; i++)
        added[i] = (struct sl_table){ .table_id = 20 + i, .schema_id = 1 };
    const struct sl_in_schema_change change = { .feed = d.feed, .commit_ts = 2000, .added = added, .added_count = 8 };
    sl_maintainer_on_schema_change(d.m, d.now, &change, &d.out);
    driver_collect(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(d.nodes[1].dispatcher_count, 0u);
    sl_assert_u64(driver_stats(&d).replicating, 8u);
    end();
}

static void liveness_in_the_bootstrap_answer_counts_from_the_start(void **state)
{
    (void)state;
    begin(3, 8);
    d.nodes[1].liveness = SL_LIVENESS_STOPPING;
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(d.nodes[1].dispatcher_count, 0u);
    sl_assert_u64(driver_stats(&d).replicating, 8u);
    end();
}

static void lost_node_gives_its_spans_to_the_others(void **state)
{
    (void)state;
    begin(3, 6);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    d.nodes[2].dispatcher_count = 0;
    d.nodes[2].has_manager = false;
    driver_members(&d, 1 | 2);
    driver_run(&d, SL_S);
    sl_assert_u64(driver_stats(&d).replicating, 6u);
    sl_assert_u64(d.nodes[0].dispatcher_count + d.nodes[1].dispatcher_count, 6u);
    d.nodes[0].checkpoint = d.nodes[1].checkpoint = 4000;
    driver_run(&d, SL_S);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 4000u); /* the watermark of the lost node is forgotten */
    end();
}

/* Node 1 restarts under its old id, and its dispatcher is gone with what it had not written. */
static void manager_opened_anew_is_believed_only_after_it_listed_its_dispatchers(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 11, 1);
    d.nodes[1].incarnation = 7;
    driver_bootstrap(&d);
    driver_forget(&d);
    sl_ts before = sl_maintainer_checkpoint(d.m);
    d.nodes[1].dispatcher_count = 0;
    d.nodes[1].incarnation = 8;
    const struct driver_beat nothing_here = { .checkpoint = SL_TS_MAX, .seq = 1000 };
    sl_assert_i64(driver_beat(&d, 1, &nothing_here), SL_REFUSE_STALE_VERSION);
    d.nodes[0].checkpoint = 9000;
    driver_heartbeat(&d, 0);
    driver_run_alone(&d, 400 * SL_MS);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), before); /* not 9000: the span's dispatcher never got there */
    assert_true(driver_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST) > 0);
    driver_run(&d, SL_S); /* asked, it lists nothing: the span gets a new place */
    sl_assert_u64(driver_stats(&d).spans, 1u);
    sl_assert_u64(driver_stats(&d).absent, 0u);
    end();
}

static void stream_of_a_manager_that_is_gone_is_refused_and_starts_nothing(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 11, 1);
    d.nodes[1].incarnation = 7;
    driver_bootstrap(&d);
    driver_forget(&d);
    d.nodes[1].incarnation = 6;
    const struct driver_beat late = { .checkpoint = 5000, .seq = 1000 };
    sl_assert_i64(driver_beat(&d, 1, &late), SL_REFUSE_STALE_VERSION);
    driver_run_alone(&d, 400 * SL_MS);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST), 0u);
    end();
}

/* What the node runs now is not in an answer that was under way for long. */
static void answer_that_was_not_asked_for_takes_no_span_away(void **state)
{
    (void)state;
    begin_with_one_on_node_1();
    d.nodes[1].dispatcher_count = 0;
    sl_assert_i64(driver_answer(&d, 1, DRIVER_EPOCH), SL_REFUSE_NONE);
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 0u);
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    end();
}

/* Drain-swarm seed 189: an old answer, and the span was created elsewhere while its dispatcher ran. */
static void span_that_an_answer_does_not_list_is_stopped_before_it_is_created_elsewhere(void **state)
{
    (void)state;
    struct sl_dispatcher_id id = begin_with_one_on_node_1();
    d.nodes[1].is_silent = true;
    driver_run(&d, 6 * SL_S);
    driver_lose(&d);
    driver_forget(&d);
    d.nodes[1].dispatcher_count = 0;
    driver_answer(&d, 1, DRIVER_EPOCH);
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 1u);
    const Pb__ScheduleDispatcherRequest *r = driver_peek(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, 1);
    assert_non_null(r);
    sl_assert_i64(r->action, PB__SCHEDULE_ACTION__REMOVE);
    driver_beat(&d, 1, &(struct driver_beat){ .checkpoint = 2000, .id = id, .state = PB__COMPONENT_STATE__STOPPED });
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 2u);
    end();
}

static void answer_of_a_manager_that_is_gone_is_refused(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 11, 1);
    d.nodes[1].incarnation = 7;
    driver_bootstrap(&d);
    d.nodes[1].incarnation = 6;
    d.nodes[1].dispatcher_count = 0;
    sl_assert_i64(driver_answer(&d, 1, DRIVER_EPOCH), SL_REFUSE_STALE_VERSION);
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    end();
}

static void node_that_answers_an_order_without_a_manager_is_asked_to_make_one(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 11, 1);
    d.nodes[1].incarnation = 7;
    driver_bootstrap(&d);
    driver_beat(&d, 1, &(struct driver_beat){ .checkpoint = 1500 });
    driver_forget(&d);
    d.nodes[1].incarnation = 0;
    const struct driver_beat not_here = {
        .checkpoint = SL_TS_MAX, .seq = 1000000, .id = { 5, 5 }, .state = PB__COMPONENT_STATE__STOPPED
    };
    sl_assert_i64(driver_beat(&d, 1, &not_here), SL_REFUSE_NONE);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST][1], 1u);
    driver_lose(&d);
    d.nodes[0].checkpoint = 9000;
    driver_heartbeat(&d, 0);
    driver_run_alone(&d, SL_S / 4);
    sl_assert_u64(sl_maintainer_checkpoint(d.m), 1500u); /* its "nothing here" is no watermark */
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_without_an_operator_makes_the_span_absent_and_placed_anew),
        cmocka_unit_test(stopped_while_being_removed_for_good_is_only_noted),
        cmocka_unit_test(unknown_working_dispatcher_is_removed_and_others_are_ignored),
        cmocka_unit_test(orphan_is_removed_by_its_placement),
        cmocka_unit_test(orphan_is_left_alone_by_a_maintainer_that_hands_over),
        cmocka_unit_test(copy_on_another_node_is_removed_there_only),
        cmocka_unit_test(heartbeat_of_another_epoch_is_refused_and_zero_is_not_known),
        cmocka_unit_test(heartbeat_before_the_bootstrap_says_nothing),
        cmocka_unit_test(heartbeat_of_a_node_that_left_is_refused),
        cmocka_unit_test(watermark_is_taken_before_the_statuses),
        cmocka_unit_test(node_that_is_not_alive_gets_no_spans),
        cmocka_unit_test(liveness_in_the_bootstrap_answer_counts_from_the_start),
        cmocka_unit_test(lost_node_gives_its_spans_to_the_others),
        cmocka_unit_test(manager_opened_anew_is_believed_only_after_it_listed_its_dispatchers),
        cmocka_unit_test(stream_of_a_manager_that_is_gone_is_refused_and_starts_nothing),
        cmocka_unit_test(answer_that_was_not_asked_for_takes_no_span_away),
        cmocka_unit_test(span_that_an_answer_does_not_list_is_stopped_before_it_is_created_elsewhere),
        cmocka_unit_test(answer_of_a_manager_that_is_gone_is_refused),
        cmocka_unit_test(node_that_answers_an_order_without_a_manager_is_asked_to_make_one),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
