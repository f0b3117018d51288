/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "tests/support/sl_death.h"

static void every_code_has_name_and_text(void **state)
{
    (void)state;
    for (int i = 0; i < SL_CODE_COUNT; i++) {
        enum sl_code code = (enum sl_code)i;
        assert_true(strlen(sl_code_name(code)) > 0);
        assert_true(strlen(sl_code_text(code)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(sl_code_name(code), sl_code_name((enum sl_code)j));
    }
}

static void every_failure_has_a_remedy_and_only_ok_is_fine(void **state)
{
    (void)state;
    for (int i = 0; i < SL_CODE_COUNT; i++) {
        enum sl_code code = (enum sl_code)i;
        assert_int_equal(sl_code_class(code) == SL_CLASS_FINE, code == SL_OK);
        assert_int_equal(strlen(sl_code_remedy(code)) == 0, code == SL_OK);
    }
}

static void table_rows_belong_to_their_code(void **state)
{
    (void)state;
    sl_assert_i64(SL_OK, 0);
    sl_assert_str(sl_code_name(SL_STALE), "STALE");
    sl_assert_str(sl_code_text(SL_TRUNCATED), "input ends too early");
    sl_assert_i64(sl_code_class(SL_NOMEM), SL_CLASS_RETRY);
    sl_assert_i64(sl_code_class(SL_BAD_FIELD), SL_CLASS_CALLER);
}

static void a_number_that_is_no_code_is_our_bug(void **state)
{
    (void)state;
    sl_assert_aborts(sl_code_name(SL_CODE_COUNT), "SL_CODE_COUNT");
    sl_assert_aborts(sl_err_set(NULL, SL_CODE_COUNT, "x"), "SL_CODE_COUNT");
}

static void set_fills_place_and_text_and_returns_the_code(void **state)
{
    (void)state;
    struct sl_err e = { 0 };
    sl_assert_i64(sl_err_set(&e, SL_LIMIT, "feeds_max=%d", 7), SL_LIMIT);
    sl_assert_i64(e.code, SL_LIMIT);
    sl_assert_str(e.text, "feeds_max=7");
    assert_non_null(strstr(e.file, "test_err.c"));
    assert_true(e.line > 0);
}

static void set_without_a_place_for_detail_returns_the_code(void **state)
{
    (void)state;
    sl_assert_i64(sl_err_set(NULL, SL_BUSY, "%s", "detail"), SL_BUSY);
}

static void long_text_is_cut_inside_the_error(void **state)
{
    (void)state;
    struct {
        struct sl_err e;
        char guard;
    } at = { .guard = 'g' };
    char detail[400];
    memset(detail, 'x', sizeof detail);
    detail[sizeof detail - 1] = '\0';
    sl_assert_i64(sl_err_set(&at.e, SL_MALFORMED, "%s", detail), SL_MALFORMED);
    sl_assert_u64(strlen(at.e.text), sizeof at.e.text - 1);
    sl_assert_i64(at.guard, 'g');
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_name_and_text),
        cmocka_unit_test(every_failure_has_a_remedy_and_only_ok_is_fine),
        cmocka_unit_test(table_rows_belong_to_their_code),
        cmocka_unit_test(a_number_that_is_no_code_is_our_bug),
        cmocka_unit_test(set_fills_place_and_text_and_returns_the_code),
        cmocka_unit_test(set_without_a_place_for_detail_returns_the_code),
        cmocka_unit_test(long_text_is_cut_inside_the_error),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
