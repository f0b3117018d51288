/* SPDX-License-Identifier: Apache-2.0 */
#include "app/pulse.h"
#include "edge/loop/timer.h"
#include "tests/support/sl_test.h"

#include <time.h>

static void the_times_of_a_thread_are_read_and_nothing_else_is_taken_for_them(void **state)
{
    (void)state;
    static const char *const wrong[] = { "", "1", "1 ", "1 2", "a 2 3", "1 b 3", "1  ", "18446744073709551616 2 3" };
    sl_ns ran = 0, queued = 0;
    assert_true(sl_pulse_parse_schedstat("1717 42 9\n", &ran, &queued));
    sl_assert_i64(ran, 1717);
    sl_assert_i64(queued, 42);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(sl_pulse_parse_schedstat(wrong[i], &ran, &queued));
}

struct fixture {
    uv_loop_t loop;
    struct sl_pulse *pulse;
    struct sl_pulse_late worst; /* since beat() began: a turn of the loop may have two */
    uint32_t beat_count;
};

static void on_beat(void *ctx, const struct sl_pulse_late *late)
{
    struct fixture *f = ctx;
    if (f->beat_count++ == 0 || late->late > f->worst.late)
        f->worst = *late;
}

static void open_all(struct fixture *f)
{
    *f = (struct fixture){ .beat_count = 0 };
    sl_assert_i64(uv_loop_init(&f->loop), 0);
    f->pulse = sl_pulse_new(&f->loop, on_beat, f);
    assert_non_null(f->pulse);
}

static void close_all(struct fixture *f)
{
    sl_pulse_free(f->pulse);
    sl_assert_i64(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    sl_assert_i64(uv_loop_close(&f->loop), 0);
}

static void beat(struct fixture *f)
{
    f->beat_count = 0;
    while (f->beat_count == 0)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
}

static void a_loop_that_waits_in_a_call_is_late_and_did_not_run(void **state)
{
    (void)state;
    struct fixture f;
    const struct timespec pause = { .tv_nsec = 200 * SL_MS };
    open_all(&f);
    beat(&f);
    assert_true(f.worst.late >= 0);
    (void)nanosleep(&pause, NULL);
    assert_true(sl_pulse_overdue(f.pulse) >= 200 * SL_MS - SL_PULSE_PERIOD_NS);
    beat(&f);
    assert_true(f.worst.late >= 200 * SL_MS - SL_PULSE_PERIOD_NS);
    assert_true(f.worst.ran >= 0 && f.worst.ran < f.worst.late);
    close_all(&f);
}

static void a_loop_that_computes_is_late_and_ran(void **state)
{
    (void)state;
    struct fixture f;
    struct timespec ran;
    open_all(&f);
    beat(&f);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
    sl_ns until = ran.tv_sec * SL_S + ran.tv_nsec + 100 * SL_MS, now = 0;
    while (now < until) {
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
        now = ran.tv_sec * SL_S + ran.tv_nsec;
    }
    beat(&f);
    assert_true(f.worst.late >= 40 * SL_MS);
    assert_true(f.worst.ran >= 50 * SL_MS); /* the system counts it in ticks */
    close_all(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_times_of_a_thread_are_read_and_nothing_else_is_taken_for_them),
        cmocka_unit_test(a_loop_that_waits_in_a_call_is_late_and_did_not_run),
        cmocka_unit_test(a_loop_that_computes_is_late_and_ran),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
