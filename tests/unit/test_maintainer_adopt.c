/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

/* From answers and tables to spans and operators: conformance facts 19, 67, 69, 70 and 73. */

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

/* ---- adoption ---- */

static void running_dispatchers_are_adopted_and_the_other_tables_placed(void **state)
{
    (void)state;
    begin(2, 4);
    driver_add_dispatcher(&d, 1, 11, 1);
    driver_add_dispatcher(&d, 1, 12, 2);
    driver_bootstrap(&d);
    sl_assert_u64(driver_stats(&d).replicating, 4u);
    assert_non_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 11 }));
    assert_non_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 12 }));
    for (int64_t table = 1; table <= 4; table++)
        sl_assert_u64(driver_table_count(&d, table), 1u);
    sl_assert_u64(driver_stats(&d).spans, 4u); /* the trigger is none of them */
    end();
}

static void second_load_answer_changes_nothing(void **state)
{
    (void)state;
    begin(1, 2);
    driver_bootstrap(&d);
    driver_forget(&d);
    struct sl_in_schema again = { .feed = d.feed, .request = d.load.request, .tables = d.tables, .table_count = 1 };
    sl_maintainer_on_schema(d.m, d.now, &again, &d.out);
    driver_collect(&d);
    sl_assert_u64(driver_stats(&d).spans, 2u);
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 0u);
    end();
}

static void dispatcher_of_an_unknown_table_is_removed(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 77, 77);
    driver_bootstrap(&d);
    sl_assert_u64(driver_table_count(&d, 77), 0u);
    sl_assert_u64(driver_stats(&d).spans, 1u);
    sl_assert_u64(d.events[SL_EV_ORPHAN_REMOVED], 1u);
    end();
}

/* Its table was created after the checkpoint: the trigger meets the CREATE TABLE again a little later. */
static void dispatcher_whose_table_comes_later_runs_on_and_becomes_its_span(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 77, 77)->checkpoint = DRIVER_START_TS + 500;
    d.nodes[0].checkpoint = d.nodes[1].checkpoint = DRIVER_START_TS + 100;
    driver_bootstrap(&d);
    driver_run(&d, SL_S); /* heartbeats name it: it is no orphan either */
    sl_assert_u64(d.events[SL_EV_ORPHAN_REMOVED], 0u);
    assert_non_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 77 }));
    const struct sl_table table = { .table_id = 77, .schema_id = 1 };
    const struct sl_in_schema_change change = {
        .feed = d.feed, .commit_ts = DRIVER_START_TS + 400, .added = &table, .added_count = 1
    };
    sl_maintainer_on_schema_change(d.m, d.now, &change, &d.out);
    driver_collect(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(driver_table_count(&d, 77), 1u);
    assert_non_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 77 })); /* the same one, nothing was placed anew */
    sl_assert_u64(d.events[SL_EV_ORPHAN_REMOVED], 0u);
    end();
}

static void dispatcher_that_waits_for_its_table_is_gone_with_the_manager_that_ran_it(void **state)
{
    (void)state;
    begin(2, 1);
    d.nodes[0].incarnation = d.nodes[1].incarnation = 5;
    driver_add_dispatcher(&d, 1, 77, 77)->checkpoint = DRIVER_START_TS + 500;
    d.nodes[0].checkpoint = d.nodes[1].checkpoint = DRIVER_START_TS + 100;
    driver_bootstrap(&d);
    d.nodes[1].incarnation = 6; /* its process started again */
    d.nodes[1].dispatcher_count = 0;
    d.nodes[1].mark_seq = 0;
    sl_assert_i64(driver_answer(&d, 1, DRIVER_EPOCH), SL_REFUSE_NONE);
    driver_run(&d, SL_S);
    const struct sl_table table = { .table_id = 77, .schema_id = 1 };
    const struct sl_in_schema_change change = {
        .feed = d.feed, .commit_ts = DRIVER_START_TS + 400, .added = &table, .added_count = 1
    };
    sl_maintainer_on_schema_change(d.m, d.now, &change, &d.out);
    driver_collect(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(driver_table_count(&d, 77), 1u); /* placed anew, not taken for one that runs */
    assert_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 77 }));
    end();
}

static void dispatcher_whose_table_does_not_come_is_removed_when_the_checkpoint_reaches_it(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 77, 77)->checkpoint = DRIVER_START_TS + 500;
    d.nodes[0].checkpoint = d.nodes[1].checkpoint = DRIVER_START_TS + 499;
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(d.events[SL_EV_ORPHAN_REMOVED], 0u);
    d.nodes[0].checkpoint = d.nodes[1].checkpoint = DRIVER_START_TS + 600;
    driver_run(&d, SL_S);
    sl_assert_u64(d.events[SL_EV_ORPHAN_REMOVED], 1u);
    assert_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 77 }));
    end();
}

static void second_dispatcher_of_a_table_is_removed_and_the_later_placement_stays(void **state)
{
    (void)state;
    begin(3, 1);
    driver_add_dispatcher(&d, 1, 11, 1)->placement_seq = 2;
    driver_add_dispatcher(&d, 2, 12, 1)->placement_seq = 5;
    driver_bootstrap(&d);
    assert_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 11 }));
    assert_non_null(driver_find(&d, 2, (struct sl_dispatcher_id){ 9, 12 }));
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    end();
}

static void copy_of_a_dispatcher_on_two_nodes_leaves_one(void **state)
{
    (void)state;
    begin(3, 1);
    driver_add_dispatcher(&d, 1, 11, 1)->placement_seq = 2;
    driver_add_dispatcher(&d, 2, 11, 1)->placement_seq = 3;
    driver_bootstrap(&d);
    assert_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 11 }));
    assert_non_null(driver_find(&d, 2, (struct sl_dispatcher_id){ 9, 11 }));
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    end();
}

static void unfinished_merge_target_gives_way_to_what_works(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 10, 1)->state = PB__COMPONENT_STATE__PREPARING;
    driver_add_dispatcher(&d, 1, 11, 1);
    driver_bootstrap(&d);
    assert_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 10 }));
    assert_non_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 11 }));
    end();
}

static void spans_are_adopted_in_one_order_whoever_answers_first(void **state)
{
    (void)state;
    for (uint32_t first = 1; first <= 2; first++) {
        begin(3, 1);
        driver_add_dispatcher(&d, 1, 11, 1);
        driver_add_dispatcher(&d, 2, 12, 1);
        driver_start(&d);
        driver_lose(&d);
        d.nodes[0].trigger = (struct sl_dispatcher_id){ 1, 1 };
        driver_answer(&d, first, DRIVER_EPOCH);
        driver_answer(&d, 3 - first, DRIVER_EPOCH);
        driver_answer(&d, 0, DRIVER_EPOCH);
        driver_deliver(&d);
        assert_non_null(driver_find(&d, 1, (struct sl_dispatcher_id){ 9, 11 }));
        assert_null(driver_find(&d, 2, (struct sl_dispatcher_id){ 9, 12 }));
        end();
    }
}

/* ---- journaled operators ---- */

static void journal(uint32_t node, uint64_t id, int64_t table_id, Pb__ScheduleAction action, Pb__OperatorType type)
{
    struct driver_node *n = &d.nodes[node];
    n->journal[n->journal_count++] =
        (struct driver_journal){ .id = { 9, id }, .table_id = table_id, .action = action, .type = type };
}

static void journaled_create_goes_on_where_it_was_sent(void **state)
{
    (void)state;
    begin(3, 1);
    journal(2, 21, 1, PB__SCHEDULE_ACTION__CREATE, PB__OPERATOR_TYPE__O_MOVE);
    driver_bootstrap(&d);
    driver_run(&d, 2 * SL_S);
    assert_non_null(driver_find(&d, 2, (struct sl_dispatcher_id){ 9, 21 }));
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    sl_assert_u64(driver_table_count(&d, 1), 1u);
    end();
}

static void journaled_create_of_a_dropped_table_is_forgotten(void **state)
{
    (void)state;
    const Pb__OperatorType types[] = { PB__OPERATOR_TYPE__O_ADD, PB__OPERATOR_TYPE__O_MOVE,
                                       PB__OPERATOR_TYPE__O_SPLIT };
    for (uint32_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        begin(2, 1);
        journal(1, 21, 77, PB__SCHEDULE_ACTION__CREATE, types[i]);
        driver_bootstrap(&d);
        sl_assert_u64(driver_stats(&d).spans, 1u);
        sl_assert_u64(driver_stats(&d).operators, 0u);
        sl_assert_u64(driver_table_count(&d, 77), 0u);
        end();
    }
}

static void journaled_create_of_a_reported_dispatcher_is_done(void **state)
{
    (void)state;
    begin(2, 1);
    driver_add_dispatcher(&d, 1, 21, 1);
    journal(1, 21, 1, PB__SCHEDULE_ACTION__CREATE, PB__OPERATOR_TYPE__O_ADD);
    driver_bootstrap(&d);
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    sl_assert_u64(driver_stats(&d).operators, 0u);
    end();
}

static void journaled_remove_keeps_its_span_until_stopped_and_then_places_it_anew(void **state)
{
    (void)state;
    const Pb__OperatorType types[] = { PB__OPERATOR_TYPE__O_REMOVE, PB__OPERATOR_TYPE__O_MOVE };
    for (uint32_t i = 0; i < 2; i++) {
        begin(2, 1);
        driver_add_dispatcher(&d, 1, 21, 1);
        journal(1, 21, 1, PB__SCHEDULE_ACTION__REMOVE, types[i]);
        d.nodes[1].ignores_schedules = true;
        driver_bootstrap(&d);
        sl_assert_u64(driver_stats(&d).spans, 1u);
        sl_assert_u64(driver_stats(&d).operators, 1u);
        sl_assert_u64(driver_stats(&d).replicating, 0u);
        d.nodes[1].ignores_schedules = false;
        driver_run(&d, 3 * SL_S);
        sl_assert_u64(driver_stats(&d).replicating, 1u);
        sl_assert_u64(driver_table_count(&d, 1), 1u);
        end();
    }
}

static void journaled_remove_of_nothing_is_forgotten(void **state)
{
    (void)state;
    begin(2, 1);
    journal(1, 21, 1, PB__SCHEDULE_ACTION__REMOVE, PB__OPERATOR_TYPE__O_REMOVE);
    journal(1, 22, 77, PB__SCHEDULE_ACTION__REMOVE, PB__OPERATOR_TYPE__O_REMOVE);
    driver_bootstrap(&d);
    sl_assert_u64(driver_stats(&d).operators, 0u);
    sl_assert_u64(driver_stats(&d).replicating, 1u);
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_dispatchers_are_adopted_and_the_other_tables_placed),
        cmocka_unit_test(second_load_answer_changes_nothing),
        cmocka_unit_test(dispatcher_of_an_unknown_table_is_removed),
        cmocka_unit_test(dispatcher_whose_table_comes_later_runs_on_and_becomes_its_span),
        cmocka_unit_test(dispatcher_that_waits_for_its_table_is_gone_with_the_manager_that_ran_it),
        cmocka_unit_test(dispatcher_whose_table_does_not_come_is_removed_when_the_checkpoint_reaches_it),
        cmocka_unit_test(second_dispatcher_of_a_table_is_removed_and_the_later_placement_stays),
        cmocka_unit_test(copy_of_a_dispatcher_on_two_nodes_leaves_one),
        cmocka_unit_test(unfinished_merge_target_gives_way_to_what_works),
        cmocka_unit_test(spans_are_adopted_in_one_order_whoever_answers_first),
        cmocka_unit_test(journaled_create_goes_on_where_it_was_sent),
        cmocka_unit_test(journaled_create_of_a_dropped_table_is_forgotten),
        cmocka_unit_test(journaled_create_of_a_reported_dispatcher_is_done),
        cmocka_unit_test(journaled_remove_keeps_its_span_until_stopped_and_then_places_it_anew),
        cmocka_unit_test(journaled_remove_of_nothing_is_forgotten),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
