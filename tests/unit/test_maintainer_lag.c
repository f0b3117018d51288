/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

/* The budget for the lag of a feed whose spans are moved off a node. */

enum { SPANS = 24, TARGET = 1 };

static struct driver d;

static void say_lag(uint32_t node, uint64_t lag_ms)
{
    const struct driver_beat beat = { .no_watermark = true, .lag_ms = lag_ms };
    sl_assert_i64(driver_beat(&d, node, &beat), SL_REFUSE_NONE);
}

/* The moves off node 1 are under way and do not end. */
static void begin(uint64_t lag_at_start_ms, uint64_t lag_budget_ms)
{
    driver_init(&d, 2);
    driver_set_tables(&d, SPANS);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    d.nodes[TARGET].ignores_schedules = true;
    say_lag(0, lag_at_start_ms);
    struct sl_target_set targets = { .version = 5, .count = 1 };
    targets.targets[0] =
        (struct sl_drain_target){ .node = d.nodes[TARGET].id, .epoch = 5, .lag_budget_ms = lag_budget_ms };
    driver_set_targets(&d, &targets);
    assert_true(d.pacer.in_flight > 1);
}

static void end(void)
{
    driver_lose(&d);
    driver_deinit(&d);
}

static void assert_budget(uint64_t budget_ms)
{
    uint32_t before = d.pacer.window;
    say_lag(0, budget_ms);
    sl_assert_u64(d.pacer.window, before);
    say_lag(0, budget_ms + 1);
    sl_assert_u64(d.pacer.window, before / 2);
}

static void lag_over_the_budget_of_the_drain_slows_moves_down(void **state)
{
    (void)state;
    begin(0, 700);
    assert_budget(700);
    end();
}

static void without_a_budget_it_is_twice_the_lag_at_the_start(void **state)
{
    (void)state;
    begin(3000, 0);
    assert_budget(6000);
    end();
}

static void a_budget_by_default_is_a_second_at_least(void **state)
{
    (void)state;
    begin(20, 0);
    assert_budget(1000);
    end();
}

static void one_burst_of_late_news_slows_down_once(void **state)
{
    (void)state;
    begin(0, 700);
    uint32_t before = d.pacer.window;
    say_lag(0, 5000);
    say_lag(1, 5000);
    say_lag(0, 9000);
    sl_assert_u64(d.pacer.window, before / 2);
    end();
}

static void every_feed_may_always_move_one_span(void **state)
{
    (void)state;
    begin(0, 1);
    for (uint32_t i = 0; i < 20; i++) {
        d.now += 2 * SL_S;
        say_lag(0, 5000);
    }
    sl_assert_u64(d.pacer.window, 1);
    sl_assert_u64(sl_pacer_room(&d.pacer, 0), 1);
    end();
}

static void lag_without_moves_slows_nothing_down(void **state)
{
    (void)state;
    driver_init(&d, 2);
    driver_set_tables(&d, SPANS);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    uint32_t before = d.pacer.window;
    say_lag(0, 60000);
    sl_assert_u64(d.pacer.window, before);
    end();
}

static void the_worst_lag_of_all_nodes_is_reported_with_the_drain(void **state)
{
    (void)state;
    begin(0, 100000);
    say_lag(0, 40);
    say_lag(1, 30);
    const Pb__MaintainerStatus *s = sl_maintainer_status_fill(d.m, d.now, &d.status_arena);
    assert_non_null(s);
    sl_assert_u64(s->drain_progress->lag_ms, 40);
    assert_true(s->drain_progress->n_stuck_spans > 0);
    sl_assert_u64(s->drain_progress->stuck, 0); /* they are only the oldest */
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lag_over_the_budget_of_the_drain_slows_moves_down),
        cmocka_unit_test(without_a_budget_it_is_twice_the_lag_at_the_start),
        cmocka_unit_test(a_budget_by_default_is_a_second_at_least),
        cmocka_unit_test(one_burst_of_late_news_slows_down_once),
        cmocka_unit_test(every_feed_may_always_move_one_span),
        cmocka_unit_test(lag_without_moves_slows_nothing_down),
        cmocka_unit_test(the_worst_lag_of_all_nodes_is_reported_with_the_drain),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
