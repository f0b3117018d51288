/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "engine/engine_internal.h"
#include "tests/support/sl_test.h"

#define LANES 3u
#define TABLES 30

static struct sl_plane_lane lanes[LANES];
static struct sl_plane_feed feed;

static void make_feed(void)
{
    for (uint32_t i = 0; i < LANES; i++)
        lanes[i] = (struct sl_plane_lane){ .feed = &feed, .index = i };
    feed = (struct sl_plane_feed){ .lane_count = LANES, .lanes = lanes };
}

/* Tables of one bucket share a lane, so a few more may lie on one than on another. */
static void tables_are_spread_evenly(void **state)
{
    (void)state;
    make_feed();
    sl__plane_feed_take_lane(&feed, 0); /* the trigger has no rows and makes no difference */
    for (int64_t table = 1; table <= TABLES; table++)
        sl__plane_feed_take_lane(&feed, table * INT64_C(0x1234567891));
    for (uint32_t i = 0; i < LANES; i++)
        assert_in_range(lanes[i].table_count, TABLES / LANES - 2, TABLES / LANES + 2);
}

static void a_table_keeps_its_lane_while_a_flow_of_it_is_left(void **state)
{
    struct sl_prng rng;
    struct sl_plane_lane *lane[TABLES] = { 0 };
    uint32_t flows[TABLES] = { 0 };
    (void)state;
    make_feed();
    sl_prng_init(&rng, 7);
    for (int turn = 0; turn < 10000; turn++) {
        uint32_t table = (uint32_t)sl_prng_below(&rng, TABLES);
        if (flows[table] > 0 && sl_prng_below(&rng, 2) == 0) {
            sl__plane_feed_return_lane(&feed, table + 1);
            flows[table]--;
            continue;
        }
        struct sl_plane_lane *l = sl__plane_feed_take_lane(&feed, table + 1);
        assert_true(flows[table] == 0 || l == lane[table]);
        lane[table] = l;
        flows[table]++;
    }
    uint32_t left = 0, counted = 0;
    for (uint32_t i = 0; i < TABLES; i++)
        left += flows[i];
    for (uint32_t i = 0; i < LANES; i++)
        counted += lanes[i].table_count;
    assert_int_equal(counted, left);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_spread_evenly),
        cmocka_unit_test(a_table_keeps_its_lane_while_a_flow_of_it_is_left),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
