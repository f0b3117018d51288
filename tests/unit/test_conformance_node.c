/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

/* What docs/conformance.md promises and no other test shows as a whole: facts 23, 26 and 70. */

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

/* Fact 23. */
static void hundred_tables_on_one_node_replicate_and_repeated_removes_end_in_stopped(void **state)
{
    (void)state;
    begin(1, 100);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(driver_stats(&d).replicating, 100u);
    sl_assert_u64(driver_stats(&d).operators, 0u);
    assert_true(driver_status(&d)->bootstrap_done);
    for (int i = 0; i < 3; i++) {
        sl_assert_i64(driver_remove(&d, false, false, DRIVER_EPOCH), SL_REFUSE_NONE);
        driver_run(&d, 500 * SL_MS);
    }
    assert_true(sl_maintainer_is_closed(d.m));
    sl_assert_i64(driver_status(&d)->state, PB__COMPONENT_STATE__STOPPED);
    sl_assert_u64(d.nodes[0].dispatcher_count, 100u);
    end();
}

/* Fact 26. */
static void block_status_while_closing_gets_no_answer(void **state)
{
    (void)state;
    for (int cascade = 0; cascade <= 1; cascade++) {
        begin(2, 4);
        driver_bootstrap(&d);
        driver_run(&d, SL_S);
        d.nodes[0].is_silent = d.nodes[1].is_silent = true;
        driver_remove(&d, cascade != 0, false, DRIVER_EPOCH);
        driver_forget(&d);
        Pb__ChangefeedID feed = sl_feed_id_pb(&d.feed);
        Pb__BlockStatusRequest r = PB__BLOCK_STATUS_REQUEST__INIT;
        r.changefeed = &feed;
        sl_outbox_reset(&d.out);
        sl_assert_i64(
            sl_maintainer_on_message(d.m, d.now, driver_ref(&d, 1), SL_MSG_BLOCK_STATUS_REQUEST, &r.base, &d.out),
            SL_REFUSE_NOT_HANDLED);
        sl_assert_u64(d.out.count, 0u);
        end();
    }
}

/* Fact 70, the last part: what is being removed runs on until it has stopped, and nothing takes its place. */
static void journaled_remove_of_a_dropped_table_ends_without_a_new_place(void **state)
{
    (void)state;
    const Pb__OperatorType types[] = { PB__OPERATOR_TYPE__O_REMOVE, PB__OPERATOR_TYPE__O_MOVE };
    for (uint32_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        begin(2, 1);
        driver_add_dispatcher(&d, 1, 21, 77);
        d.nodes[1].journal[d.nodes[1].journal_count++] = (struct driver_journal){
            .id = { 9, 21 }, .table_id = 77, .action = PB__SCHEDULE_ACTION__REMOVE, .type = types[i]
        };
        d.nodes[1].ignores_schedules = true;
        driver_bootstrap(&d);
        sl_assert_u64(driver_table_count(&d, 77), 1u);
        d.nodes[1].ignores_schedules = false;
        driver_run(&d, 5 * SL_S);
        sl_assert_u64(driver_table_count(&d, 77), 0u);
        sl_assert_u64(driver_table_count(&d, 1), 1u);
        sl_assert_u64(driver_stats(&d).spans, 1u);
        sl_assert_u64(driver_stats(&d).operators, 0u);
        end();
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hundred_tables_on_one_node_replicate_and_repeated_removes_end_in_stopped),
        cmocka_unit_test(block_status_while_closing_gets_no_answer),
        cmocka_unit_test(journaled_remove_of_a_dropped_table_ends_without_a_new_place),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
