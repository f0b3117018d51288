/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/timer.h"
#include "tests/support/sl_test.h"

struct fixture {
    uv_loop_t loop;
    struct sl_timer *timer;
    struct sl_turn *turn;
    uint32_t fired_count, run_count;
    sl_ns fired_at;
    bool again;
};

static void on_fired(void *ctx)
{
    struct fixture *f = ctx;
    f->fired_count++;
    f->fired_at = sl_loop_now();
    if (f->again) {
        f->again = false;
        sl_timer_arm(f->timer, f->fired_at);
    }
}

static void on_run(void *ctx)
{
    struct fixture *f = ctx;
    f->run_count++;
    if (f->again) {
        f->again = false;
        sl_turn_wake(f->turn);
    }
}

static void open_all(struct fixture *f)
{
    *f = (struct fixture){ .run_count = 0 };
    sl_assert_i64(uv_loop_init(&f->loop), 0);
    f->timer = sl_timer_new(&f->loop, on_fired, f);
    f->turn = sl_turn_new(&f->loop, on_run, f);
    assert_true(f->timer != NULL && f->turn != NULL);
}

static void close_all(struct fixture *f)
{
    sl_timer_free(f->timer);
    sl_turn_free(f->turn);
    sl_assert_i64(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    sl_assert_i64(uv_loop_close(&f->loop), 0);
}

static void a_timer_fires_once_and_never_early(void **state)
{
    (void)state;
    struct fixture f;
    open_all(&f);
    for (int i = 0; i < 20; i++) {
        sl_ns deadline = sl_loop_now() + i * (SL_MS / 3);
        f.fired_count = 0;
        sl_timer_arm(f.timer, deadline);
        sl_assert_i64(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
        sl_assert_u64(f.fired_count, 1);
        assert_true(f.fired_at >= deadline);
    }
    close_all(&f);
}

static void a_timer_that_is_disarmed_does_not_fire(void **state)
{
    (void)state;
    struct fixture f;
    open_all(&f);
    sl_timer_arm(f.timer, 0);
    sl_timer_arm(f.timer, SL_NEVER);
    sl_assert_i64(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
    sl_assert_u64(f.fired_count, 0);
    close_all(&f);
}

static void a_timer_may_arm_itself_again(void **state)
{
    (void)state;
    struct fixture f;
    open_all(&f);
    f.again = true;
    sl_timer_arm(f.timer, 0);
    sl_assert_i64(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
    sl_assert_u64(f.fired_count, 2);
    close_all(&f);
}

static void a_turn_runs_once_however_often_it_is_woken(void **state)
{
    (void)state;
    struct fixture f;
    open_all(&f);
    sl_turn_wake(f.turn);
    sl_turn_wake(f.turn);
    sl_assert_u64(f.run_count, 0);
    sl_assert_i64(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
    sl_assert_u64(f.run_count, 1);
    close_all(&f);
}

static void a_turn_woken_by_itself_runs_again(void **state)
{
    (void)state;
    struct fixture f;
    open_all(&f);
    f.again = true;
    sl_turn_wake(f.turn);
    sl_assert_i64(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
    sl_assert_u64(f.run_count, 2);
    close_all(&f);
}

static void what_is_freed_is_not_called(void **state)
{
    (void)state;
    struct fixture f;
    open_all(&f);
    sl_timer_arm(f.timer, 0);
    sl_turn_wake(f.turn);
    close_all(&f);
    sl_assert_u64(f.fired_count + f.run_count, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_and_never_early),
        cmocka_unit_test(a_timer_that_is_disarmed_does_not_fire),
        cmocka_unit_test(a_timer_may_arm_itself_again),
        cmocka_unit_test(a_turn_runs_once_however_often_it_is_woken),
        cmocka_unit_test(a_turn_woken_by_itself_runs_again),
        cmocka_unit_test(what_is_freed_is_not_called),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
