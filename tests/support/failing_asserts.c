/* SPDX-License-Identifier: Apache-2.0 */
/* Not a test of its own: each fact but the last fails, for tests/tools/test_asserts.sh to look at. */
#include "tests/support/sl_test.h"

static void u64_shows_both_sides(void **state)
{
    (void)state;
    uint64_t x = UINT64_MAX;
    uint64_t y = UINT64_MAX - 1;
    sl_assert_u64(x, y);
}

static void i64_shows_both_sides(void **state)
{
    (void)state;
    int x = -1;
    int64_t y = INT64_MIN;
    sl_assert_i64(x, y);
}

static void str_shows_both_sides(void **state)
{
    (void)state;
    const char *x = "left";
    const char *y = "right";
    sl_assert_str(x, y);
}

static void str_differs_from_null(void **state)
{
    (void)state;
    const char *x = "";
    const char *y = NULL;
    sl_assert_str(x, y);
}

static void mem_shows_the_place(void **state)
{
    (void)state;
    unsigned char x[64] = { 0 };
    unsigned char y[64] = { [40] = 1 };
    sl_assert_mem(x, y, sizeof x);
}

static void equal_sides_pass(void **state)
{
    (void)state;
    uint8_t byte = 7;
    sl_assert_u64(byte, 7);
    sl_assert_i64(-1, -1);
    sl_assert_str("same", "same");
    sl_assert_str(NULL, NULL);
    sl_assert_mem("abc", "abd", 2);
    sl_assert_mem(NULL, NULL, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(u64_shows_both_sides), cmocka_unit_test(i64_shows_both_sides),
        cmocka_unit_test(str_shows_both_sides), cmocka_unit_test(str_differs_from_null),
        cmocka_unit_test(mem_shows_the_place),  cmocka_unit_test(equal_sides_pass),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
