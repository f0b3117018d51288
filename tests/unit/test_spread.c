/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spread.h"

#include "base/prng.h"
#include "tests/support/sl_test.h"

#define LANES 3u
#define TABLES 30

/* Tables of one bucket share a lane, so a few more may lie on one than on another. */
static void tables_are_spread_evenly(void **state)
{
    struct sl_spread spread;
    (void)state;
    assert_true(sl_spread_init(&spread, LANES));
    sl_spread_take(&spread, 0); /* the trigger has no rows and makes no difference */
    for (int64_t table = 1; table <= TABLES; table++)
        sl_spread_take(&spread, table * INT64_C(0x1234567891));
    for (uint32_t i = 0; i < LANES; i++)
        assert_in_range(spread.table_counts[i], TABLES / LANES - 2, TABLES / LANES + 2);
    sl_spread_deinit(&spread);
}

static void a_table_keeps_its_lane_while_somebody_writes_it(void **state)
{
    struct sl_spread spread;
    struct sl_prng rng;
    uint32_t lane[TABLES] = { 0 }, users[TABLES] = { 0 }, left = 0, counted = 0;
    (void)state;
    assert_true(sl_spread_init(&spread, LANES));
    sl_prng_init(&rng, 7);
    for (int turn = 0; turn < 10000; turn++) {
        uint32_t table = (uint32_t)sl_prng_below(&rng, TABLES);
        if (users[table] > 0 && sl_prng_below(&rng, 2) == 0) {
            sl_spread_give_back(&spread, table + 1);
            users[table]--;
            continue;
        }
        uint32_t taken = sl_spread_take(&spread, table + 1);
        assert_true(users[table] == 0 || taken == lane[table]);
        lane[table] = taken;
        users[table]++;
    }
    for (uint32_t i = 0; i < TABLES; i++)
        left += users[i];
    for (uint32_t i = 0; i < LANES; i++)
        counted += spread.table_counts[i];
    assert_int_equal(counted, left);
    sl_spread_deinit(&spread);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_spread_evenly),
        cmocka_unit_test(a_table_keeps_its_lane_while_somebody_writes_it),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
