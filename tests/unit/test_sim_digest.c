/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/result.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>

/* A run is its seed: the same seed gives the same run to the bit, another seed gives another one. */

static struct sl_sim_result run(uint64_t seed)
{
    struct sl_sim *sim = calloc(1, sizeof *sim);
    assert_non_null(sim);
    struct sl_sim_plan_opts opts = { .seed = seed };
    struct sl_sim_plan_run how = { 0 };
    struct sl_sim_result result = { 0 };
    sl_sim_plan_run(sim, &opts, &how);
    sl_sim_result_take(&result, sim);
    sl_sim_deinit(sim);
    free(sim);
    return result;
}

static void same_seed_gives_the_same_digest(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sl_sim_result first = run(seed), second = run(seed);
        sl_assert_u64(first.digest, second.digest);
        sl_assert_u64(first.event_count, second.event_count);
        sl_assert_i64(first.simulated_ns, second.simulated_ns);
    }
}

static void other_seed_gives_another_digest(void **state)
{
    (void)state;
    assert_true(run(1).digest != run(2).digest);
}

static void events_leave_in_the_order_of_time_and_arrival(void **state)
{
    (void)state;
    struct sl_sim_engine e;
    struct sl_sim_event event;
    sl_sim_engine_init(&e, 1);
    static const sl_ns times[] = { 30, 10, 20, 10, 30 };
    static const uint32_t order[] = { 1, 3, 2, 0, 4 };
    for (uint32_t i = 0; i < 5; i++)
        sl_sim_engine_push(&e, times[i], (struct sl_sim_event){ .a = i });
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(sl_sim_engine_take(&e, SL_NEVER, &event));
        sl_assert_u64(event.a, order[i]);
        sl_assert_i64(e.now, times[order[i]]);
    }
    assert_false(sl_sim_engine_take(&e, SL_NEVER, &event));
    sl_sim_engine_deinit(&e);
}

static void event_after_the_limit_waits_and_time_stands_still(void **state)
{
    (void)state;
    struct sl_sim_engine e;
    struct sl_sim_event event;
    sl_sim_engine_init(&e, 1);
    sl_sim_engine_push(&e, 100, (struct sl_sim_event){ .a = 7 });
    assert_false(sl_sim_engine_take(&e, 99, &event));
    sl_assert_i64(e.now, 0);
    assert_true(sl_sim_engine_take(&e, 100, &event));
    sl_assert_i64(e.now, 100);
    sl_sim_engine_push(&e, 50, (struct sl_sim_event){ .a = 8 }); /* the past is now */
    assert_true(sl_sim_engine_take(&e, 100, &event));
    sl_assert_i64(e.now, 100);
    sl_sim_engine_deinit(&e);
}

static void draw_depends_on_its_name_alone(void **state)
{
    (void)state;
    struct sl_sim_engine a, b;
    sl_sim_engine_init(&a, 5);
    sl_sim_engine_init(&b, 5);
    (void)sl_sim_draw(&b, SL_SIM_DRAW_LOSS, 1, 1); /* another draw before */
    sl_sim_engine_push(&b, 10, (struct sl_sim_event){ 0 });
    sl_assert_u64(sl_sim_draw(&a, SL_SIM_DRAW_DELAY, 3, 4), sl_sim_draw(&b, SL_SIM_DRAW_DELAY, 3, 4));
    assert_true(sl_sim_draw(&a, SL_SIM_DRAW_DELAY, 3, 4) != sl_sim_draw(&a, SL_SIM_DRAW_DELAY, 3, 5));
    assert_true(sl_sim_draw(&a, SL_SIM_DRAW_DELAY, 3, 4) != sl_sim_draw(&a, SL_SIM_DRAW_LOSS, 3, 4));
    sl_sim_engine_deinit(&a);
    sl_sim_engine_deinit(&b);
}

static void first_violation_is_kept(void **state)
{
    (void)state;
    struct sl_sim_engine e;
    sl_sim_engine_init(&e, 1);
    sl_sim_violate(&e, "FIRST", "%d", 1);
    sl_sim_violate(&e, "SECOND", "%d", 2);
    sl_assert_str(e.violation.oracle, "FIRST");
    sl_assert_str(e.violation.text, "1");
    sl_sim_engine_deinit(&e);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_gives_the_same_digest),
        cmocka_unit_test(other_seed_gives_another_digest),
        cmocka_unit_test(events_leave_in_the_order_of_time_and_arrival),
        cmocka_unit_test(event_after_the_limit_waits_and_time_stands_still),
        cmocka_unit_test(draw_depends_on_its_name_alone),
        cmocka_unit_test(first_violation_is_kept),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
