/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_test.h"

#include "port/ddl.h"

static const struct sl_ddl_party trigger = { .is_table_trigger = true };

static struct sl_ddl_party table(int64_t id, int64_t schema)
{
    return (struct sl_ddl_party){ .table_id = id, .schema_id = schema };
}

static bool stops(const struct sl_ddl *ddl, int64_t id)
{
    struct sl_ddl_party who = table(id, 1);
    return sl_ddl_concerns(ddl, &who);
}

static void a_change_of_one_table_stops_its_own_dispatcher_alone(void **state)
{
    (void)state;
    const int64_t tables[] = { 7 };
    const struct sl_ddl ddl = { .effect = SL_DDL_OWN, .tables = tables, .table_count = 1 };
    assert_true(stops(&ddl, 7));
    assert_false(stops(&ddl, 8));
    assert_false(sl_ddl_concerns(&ddl, &trigger));
}

static void a_joint_change_stops_the_trigger_and_all_that_are_named_or_made(void **state)
{
    (void)state;
    const int64_t tables[] = { 0, 7 };
    const struct sl_added_table added[] = { { .table_id = 9 } };
    const struct sl_ddl ddl = {
        .effect = SL_DDL_JOINT, .tables = tables, .table_count = 2, .added = added, .added_count = 1
    };
    assert_true(sl_ddl_concerns(&ddl, &trigger));
    assert_true(stops(&ddl, 7) && stops(&ddl, 9));
    assert_false(stops(&ddl, 8));
}

static void a_schema_that_is_dropped_stops_its_tables(void **state)
{
    (void)state;
    const struct sl_ddl ddl = { .effect = SL_DDL_JOINT, .influence = SL_INFLUENCE_DB, .schema_id = 4 };
    struct sl_ddl_party inside = table(7, 4), outside = table(8, 5);
    assert_true(sl_ddl_concerns(&ddl, &inside) && sl_ddl_concerns(&ddl, &trigger));
    assert_false(sl_ddl_concerns(&ddl, &outside));
    assert_true(sl_ddl_block(&ddl, true, false).drops_schema);
}

static void what_makes_a_table_stops_the_trigger_and_an_earlier_life_of_it(void **state)
{
    (void)state;
    const struct sl_added_table added[] = { { .table_id = 9 } };
    const struct sl_ddl ddl = { .effect = SL_DDL_MAKES, .ts = 5, .added = added, .added_count = 1 };
    assert_true(sl_ddl_concerns(&ddl, &trigger) && stops(&ddl, 9));
    assert_false(stops(&ddl, 7));
    struct sl_block said = sl_ddl_block(&ddl, true, false);
    assert_false(said.is_blocking); /* the trigger has performed it by itself */
    assert_true(said.table_count == 1 && said.tables[0] == 0 && said.commit_ts == 5);
    assert_true(sl_ddl_block(&ddl, false, false).is_blocking);
}

static void nobody_goes_beyond_what_is_not_understood(void **state)
{
    (void)state;
    const struct sl_ddl refused = { .effect = SL_DDL_REFUSED }, nothing = { .effect = SL_DDL_NOTHING };
    assert_true(stops(&refused, 7) && sl_ddl_concerns(&refused, &trigger));
    assert_false(stops(&nothing, 7) || sl_ddl_concerns(&nothing, &trigger));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_one_table_stops_its_own_dispatcher_alone),
        cmocka_unit_test(a_joint_change_stops_the_trigger_and_all_that_are_named_or_made),
        cmocka_unit_test(a_schema_that_is_dropped_stops_its_tables),
        cmocka_unit_test(what_makes_a_table_stops_the_trigger_and_an_earlier_life_of_it),
        cmocka_unit_test(nobody_goes_beyond_what_is_not_understood),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
