/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/units.h"
#include "tests/support/sl_death.h"

#include <stdio.h>
#include <stdlib.h>

static void require_passes_and_evaluates_once(void **state)
{
    (void)state;
    int calls = 0;
    SL_REQUIRE(++calls == 1);
    sl_assert_i64(calls, 1);
}

static void failed_require_names_condition_and_place_and_aborts(void **state)
{
    (void)state;
    sl_assert_aborts(SL_REQUIRE(1 + 1 == 3), "sluice: bug: 1 + 1 == 3 at ");
    sl_assert_aborts(SL_REQUIRE(1 + 1 == 3), "test_check.c:");
}

static void unreachable_aborts(void **state)
{
    (void)state;
    sl_assert_aborts(SL_UNREACHABLE(), "sluice: bug: unreachable at ");
}

static bool expect_at_one_place(bool fact)
{
    return SL_EXPECT(fact);
}

static void failed_expect_is_counted_and_yields_false(void **state)
{
    (void)state;
    uint64_t before = sl_check_failures();
    assert_true(expect_at_one_place(true));
    sl_assert_u64(sl_check_failures(), before);
    assert_false(expect_at_one_place(false));
    assert_false(expect_at_one_place(false));
    sl_assert_u64(sl_check_failures(), before + 2);
}

static bool expect_at_another_place(bool other_fact)
{
    return SL_EXPECT(other_fact);
}

static void expect_twice_then_abort(void)
{
    (void)expect_at_another_place(false);
    fputs("(again)", stderr);
    (void)expect_at_another_place(false);
    fputs("(end)", stderr);
    abort();
}

static void failed_expect_is_reported_once_per_place(void **state)
{
    (void)state;
    sl_assert_aborts(expect_twice_then_abort(), "sluice: bug (survived): other_fact at ");
    sl_assert_aborts(expect_twice_then_abort(), "(again)(end)");
}

static void hot_check_costs_nothing_without_debug(void **state)
{
    (void)state;
    int calls = 0;
    SL_HOT(++calls == 1);
#ifdef NDEBUG
    sl_assert_i64(calls, 0);
#else
    sl_assert_i64(calls, 1);
#endif
}

static void a_deadline_beyond_the_clock_is_never(void **state)
{
    (void)state;
    sl_assert_i64(sl_ns_after(5, 7), 12);
    sl_assert_i64(sl_ns_after(SL_NEVER - 1, 1), SL_NEVER);
    sl_assert_i64(sl_ns_after(SL_NEVER - 1, 2), SL_NEVER);
    sl_assert_i64(sl_ns_after(0, SL_NEVER), SL_NEVER);
    sl_assert_i64(sl_ns_after(SL_S, SL_NEVER), SL_NEVER);
    sl_assert_i64(sl_ns_after(-SL_S, SL_NEVER), SL_NEVER - SL_S);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(require_passes_and_evaluates_once),
        cmocka_unit_test(failed_require_names_condition_and_place_and_aborts),
        cmocka_unit_test(unreachable_aborts),
        cmocka_unit_test(failed_expect_is_counted_and_yields_false),
        cmocka_unit_test(failed_expect_is_reported_once_per_place),
        cmocka_unit_test(hot_check_costs_nothing_without_debug),
        cmocka_unit_test(a_deadline_beyond_the_clock_is_never),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
