/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "base/str.h"
#include "tests/support/sl_death.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void views_of_literals_and_c_strings_agree(void **state)
{
    (void)state;
    sl_assert_u64(SL_STR("abc").len, 3);
    assert_true(sl_str_eq(SL_STR("abc"), sl_str_of("abc")));
    sl_assert_u64(sl_str_of(NULL).len, 0);
    sl_assert_u64(sl_str_of("").len, 0);
}

static void empty_views_are_equal_whatever_they_point_to(void **state)
{
    (void)state;
    assert_true(sl_str_eq(sl_str_of(NULL), SL_STR("")));
    sl_assert_i64(sl_str_cmp(sl_str_of(NULL), SL_STR("")), 0);
    assert_true(sl_bytes_eq((struct sl_bytes){ 0 }, (struct sl_bytes){ (const uint8_t *)"x", 0 }));
}

static void equality_needs_same_length_and_bytes(void **state)
{
    (void)state;
    assert_false(sl_str_eq(SL_STR("abc"), SL_STR("ab")));
    assert_false(sl_str_eq(SL_STR("abc"), SL_STR("abd")));
    assert_true(sl_str_eq(SL_STR("a\0b"), SL_STR("a\0b")));
    assert_false(sl_str_eq(SL_STR("a\0b"), SL_STR("a\0c")));
    const uint8_t bytes[] = { 0, 1, 0, 2 };
    assert_true(sl_bytes_eq((struct sl_bytes){ bytes, 1 }, (struct sl_bytes){ bytes + 2, 1 }));
    assert_false(sl_bytes_eq((struct sl_bytes){ bytes, 2 }, (struct sl_bytes){ bytes + 2, 2 }));
}

static void order_is_by_unsigned_byte_then_length(void **state)
{
    (void)state;
    assert_true(sl_str_cmp(SL_STR("a"), SL_STR("b")) < 0);
    assert_true(sl_str_cmp(SL_STR("b"), SL_STR("ab")) > 0);
    assert_true(sl_str_cmp(SL_STR("a"), SL_STR("ab")) < 0);
    assert_true(sl_str_cmp(SL_STR("ab"), SL_STR("a")) > 0);
    assert_true(sl_str_cmp(SL_STR("\xff"), SL_STR("a")) > 0);
    sl_assert_i64(sl_str_cmp(SL_STR("ab"), SL_STR("ab")), 0);
}

static void well_formed_text_is_printable(void **state)
{
    (void)state;
    assert_true(sl_str_is_printable_utf8(SL_STR("")));
    assert_true(sl_str_is_printable_utf8(sl_str_of(NULL)));
    assert_true(sl_str_is_printable_utf8(SL_STR("node-1 ~")));
    assert_true(sl_str_is_printable_utf8(SL_STR("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9f"))); /* 2, 3, 4 bytes */
    assert_true(sl_str_is_printable_utf8(SL_STR("\xc2\x80")));                               /* U+0080, lowest of 2 */
    assert_true(sl_str_is_printable_utf8(SL_STR("\xe0\xa0\x80")));                           /* U+0800, lowest of 3 */
    assert_true(sl_str_is_printable_utf8(SL_STR("\xf0\x90\x80\x80")));                       /* U+10000 */
    assert_true(sl_str_is_printable_utf8(SL_STR("\xed\x9f\xbf")));                           /* U+D7FF */
    assert_true(sl_str_is_printable_utf8(SL_STR("\xf4\x8f\xbf\xbf")));                       /* U+10FFFF */
}

static void control_characters_are_not_printable(void **state)
{
    (void)state;
    for (int c = 0; c < 0x20; c++) {
        char text[3] = { 'a', (char)c, 'b' };
        assert_false(sl_str_is_printable_utf8((struct sl_str){ text, sizeof text }));
    }
}

static void malformed_utf8_is_not_printable(void **state)
{
    (void)state;
    const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xc3",             /* cut after the lead */
        "\xe2\x82",         /* cut in the middle */
        "\xc3(",            /* no continuation */
        "\xc0\xaf",         /* overlong '/' */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sl_str_is_printable_utf8(sl_str_of(bad[i])));
}

/* The definition, one code point at a time, instead of the table in the code. */
static bool code_point_is_scalar(uint32_t cp)
{
    return cp <= 0x10ffff && !(cp >= 0xd800 && cp <= 0xdfff);
}

static void every_three_byte_form_is_judged_by_its_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0xffff; cp++) {
        const char form[3] = { (char)(0xe0 | cp >> 12), (char)(0x80 | (cp >> 6 & 63)), (char)(0x80 | (cp & 63)) };
        bool expected = cp >= 0x800 && code_point_is_scalar(cp);
        assert_int_equal(sl_str_is_printable_utf8((struct sl_str){ form, 3 }), expected);
    }
}

static void every_four_byte_form_is_judged_by_its_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x1fffff; cp += 61) {
        const char form[4] = { (char)(0xf0 | cp >> 18), (char)(0x80 | (cp >> 12 & 63)), (char)(0x80 | (cp >> 6 & 63)),
                               (char)(0x80 | (cp & 63)) };
        bool expected = cp >= 0x10000 && code_point_is_scalar(cp);
        assert_int_equal(sl_str_is_printable_utf8((struct sl_str){ form, 4 }), expected);
    }
}

static void text_is_built_piece_by_piece(void **state)
{
    (void)state;
    char memory[64];
    struct sl_text t;
    sl_text_init(&t, memory, sizeof memory);
    sl_assert_str(memory, "");
    sl_text_cstr(&t, "n=");
    sl_text_u64(&t, 0);
    sl_text_str(&t, SL_STR(" x="));
    sl_text_hex64(&t, UINT64_C(0x0123456789abcdef));
    sl_text_cstr(&t, NULL);
    sl_assert_str(memory, "n=0 x=0123456789abcdef");
    sl_assert_u64(t.len, strlen(memory));
    assert_false(t.cut);
}

static void numbers_print_like_the_c_library(void **state)
{
    (void)state;
    const uint64_t numbers[] = { 0, 9, 10, 99, 100, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char expected[64], memory[64];
        struct sl_text t;
        snprintf(expected, sizeof expected, "%" PRIu64 " %" PRId64, numbers[i], (int64_t)numbers[i]);
        sl_text_init(&t, memory, sizeof memory);
        sl_text_u64(&t, numbers[i]);
        sl_text_cstr(&t, " ");
        sl_text_i64(&t, (int64_t)numbers[i]);
        sl_assert_str(memory, expected);
    }
}

static void what_does_not_fit_is_cut_and_remembered(void **state)
{
    (void)state;
    char memory[6] = "#####";
    struct sl_text t;
    sl_text_init(&t, memory, 5);
    sl_text_cstr(&t, "abcd");
    assert_false(t.cut);
    sl_text_cstr(&t, "");
    assert_false(t.cut);
    sl_text_cstr(&t, "e");
    assert_true(t.cut);
    sl_assert_str(memory, "abcd");
    sl_assert_i64(memory[5], '\0');
}

static void nothing_is_added_after_a_cut(void **state)
{
    (void)state;
    char memory[5];
    struct sl_text t;
    sl_text_init(&t, memory, sizeof memory);
    sl_text_u64(&t, 12345);
    sl_assert_str(memory, "");
    sl_text_cstr(&t, "x");
    sl_text_u64(&t, 1);
    sl_assert_str(memory, "");
    assert_true(t.cut);
}

static void no_memory_at_all_only_remembers_the_cut(void **state)
{
    (void)state;
    struct sl_text t;
    sl_text_init(&t, NULL, 0);
    sl_text_cstr(&t, "");
    assert_false(t.cut);
    sl_text_cstr(&t, "a");
    assert_true(t.cut);
    sl_assert_u64(t.len, 0);
    sl_assert_aborts(sl_text_init(&t, NULL, 1), "memory || cap == 0");
}

static void a_cut_never_splits_a_character(void **state)
{
    (void)state;
    for (size_t cap = 1; cap < 16; cap++) {
        char memory[16];
        struct sl_text t;
        sl_text_init(&t, memory, cap);
        sl_text_cstr(&t, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f");
        assert_true(sl_str_is_printable_utf8((struct sl_str){ t.ptr, t.len }));
        assert_int_equal(t.cut, cap < 11);
    }
}

static void assert_logfmt(struct sl_str value, const char *expected)
{
    char memory[128];
    struct sl_text t;
    sl_text_init(&t, memory, sizeof memory);
    sl_text_logfmt(&t, value);
    sl_assert_str(memory, expected);
    assert_false(t.cut);
}

static void logfmt_leaves_plain_values_alone(void **state)
{
    (void)state;
    assert_logfmt(SL_STR("node-1:8300/a\\b"), "node-1:8300/a\\b");
    assert_logfmt(SL_STR("\xe2\x82\xac"), "\xe2\x82\xac");
}

static void logfmt_quotes_what_a_reader_could_misread(void **state)
{
    (void)state;
    assert_logfmt(SL_STR(""), "\"\"");
    assert_logfmt(SL_STR("a b"), "\"a b\"");
    assert_logfmt(SL_STR("a=b"), "\"a=b\"");
    assert_logfmt(SL_STR("say \"x\\y\""), "\"say \\\"x\\\\y\\\"\"");
}

static void logfmt_escapes_what_could_forge_a_line_or_a_terminal(void **state)
{
    (void)state;
    assert_logfmt(SL_STR("a\nlevel=error"), "\"a\\nlevel=error\"");
    assert_logfmt(SL_STR("\t\r\x1b[2J"), "\"\\t\\x0d\\x1b[2J\"");
    assert_logfmt(SL_STR("a\0b"), "\"a\\x00b\"");
    assert_logfmt(SL_STR("\x7f"), "\"\\x7f\"");
    assert_logfmt(SL_STR("\xc2\x9b"), "\"\\xc2\\x9b\""); /* U+009B starts a terminal sequence */
    assert_logfmt(SL_STR("\xff \xe2\x82"), "\"\\xff \\xe2\\x82\"");
}

static void logfmt_of_any_bytes_is_printable_and_never_overruns(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t cap = 1; cap < 14; cap++) {
            const char value[3] = { 'a', (char)byte, '\x80' };
            char *memory = malloc(cap); /* exact, so that a sanitizer sees an overrun */
            struct sl_text t;
            assert_non_null(memory);
            sl_text_init(&t, memory, cap);
            sl_text_logfmt(&t, (struct sl_str){ value, sizeof value });
            assert_true(sl_str_is_printable_utf8((struct sl_str){ t.ptr, t.len }));
            sl_assert_u64(strlen(memory), t.len);
            free(memory);
        }
    }
}

static void a_secret_gives_its_bytes_only_to_who_asks_for_them(void **state)
{
    (void)state;
    struct sl_bytes bytes = { (const uint8_t *)"key", 3 };
    struct sl_secret secret = sl_secret_of(bytes);
    assert_true(sl_bytes_eq(sl_secret_reveal(secret), bytes));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_of_literals_and_c_strings_agree),
        cmocka_unit_test(empty_views_are_equal_whatever_they_point_to),
        cmocka_unit_test(equality_needs_same_length_and_bytes),
        cmocka_unit_test(order_is_by_unsigned_byte_then_length),
        cmocka_unit_test(well_formed_text_is_printable),
        cmocka_unit_test(control_characters_are_not_printable),
        cmocka_unit_test(malformed_utf8_is_not_printable),
        cmocka_unit_test(every_three_byte_form_is_judged_by_its_code_point),
        cmocka_unit_test(every_four_byte_form_is_judged_by_its_code_point),
        cmocka_unit_test(text_is_built_piece_by_piece),
        cmocka_unit_test(numbers_print_like_the_c_library),
        cmocka_unit_test(what_does_not_fit_is_cut_and_remembered),
        cmocka_unit_test(nothing_is_added_after_a_cut),
        cmocka_unit_test(no_memory_at_all_only_remembers_the_cut),
        cmocka_unit_test(a_cut_never_splits_a_character),
        cmocka_unit_test(logfmt_leaves_plain_values_alone),
        cmocka_unit_test(logfmt_quotes_what_a_reader_could_misread),
        cmocka_unit_test(logfmt_escapes_what_could_forge_a_line_or_a_terminal),
        cmocka_unit_test(logfmt_of_any_bytes_is_printable_and_never_overruns),
        cmocka_unit_test(a_secret_gives_its_bytes_only_to_who_asks_for_them),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
