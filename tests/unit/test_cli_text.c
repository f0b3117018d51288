/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"
#include "tests/support/sl_test.h"

#include <string.h>

static const char *duration(uint64_t ms)
{
    static struct sl_cli_buf b;
    sl_cli_buf_clear(&b);
    sl_cli_add_ms(&b, ms);
    return b.ptr;
}

static void durations_are_written_as_people_say_them(void **state)
{
    (void)state;
    sl_assert_str(duration(0), "0 ms");
    sl_assert_str(duration(999), "999 ms");
    sl_assert_str(duration(1000), "1.0 s");
    sl_assert_str(duration(9999), "9.9 s");
    sl_assert_str(duration(10000), "10 s");
    sl_assert_str(duration(59999), "59 s");
    sl_assert_str(duration(125000), "2 m 05 s");
    sl_assert_str(duration(3 * 3600000 + 7 * 60000 + 59000), "3 h 07 m");
    sl_assert_str(duration(UINT64_C(98) * 3600000), "4 d 02 h");
}

static void durations_are_read_with_and_without_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = { { "90", 90000 },   { "90s", 90000 },   { "1m30s", 90000 }, { "500ms", 500 },
                 { "2h", 7200000 }, { "1d", 86400000 }, { "0", 0 },         { "10m", 600000 } };
    static const char *const bad[] = { "",      "x",   "-1", "10 m", "1m30", "m", "1.5s", "10q", "99999999999999999999",
                                       "5000d", "1mss" };
    uint64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(sl_cli_parse_ms(good[i].text, &ms));
        sl_assert_u64(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (sl_cli_parse_ms(bad[i], &ms))
            sl_assert_str(bad[i], "refused");
    }
}

static void positions_are_whole_64_bit_numbers(void **state)
{
    uint64_t v;
    (void)state;
    assert_true(sl_cli_parse_u64("18446744073709551615", &v));
    sl_assert_u64(v, UINT64_MAX);
    assert_false(sl_cli_parse_u64("18446744073709551616", &v));
    assert_false(sl_cli_parse_u64("-1", &v));
    assert_false(sl_cli_parse_u64("1x", &v));
    assert_false(sl_cli_parse_u64("", &v));
}

static void counts_have_separators(void **state)
{
    struct sl_cli_buf b = { 0 };
    (void)state;
    sl_cli_add_count(&b, 0);
    sl_cli_add(&b, " ");
    sl_cli_add_count(&b, 999);
    sl_cli_add(&b, " ");
    sl_cli_add_count(&b, 1000);
    sl_cli_add(&b, " ");
    sl_cli_add_count(&b, 12345678);
    sl_assert_str(b.ptr, "0 999 1,000 12,345,678");
    sl_cli_buf_free(&b);
}

static void text_of_others_cannot_control_the_terminal(void **state)
{
    char to[64];
    (void)state;
    sl_cli_clean(to, sizeof to, "a\033[2Jb\nc\x7f");
    sl_assert_str(to, "a\\x1b[2Jb\\x0ac\\x7f");
    sl_cli_clean(to, sizeof to,
                 "\xc2\x9b"
                 "31m"); /* CSI as one character */
    sl_assert_str(to, "\\xc2\\x9b31m");
    const char turned[] = {
        'x', (char)0xe2, (char)0x80, (char)0xae, 'y', '\0'
    }; /* turns the direction of what follows */
    sl_cli_clean(to, sizeof to, turned);
    sl_assert_str(to, "x\\xe2\\x80\\xaey");
    sl_cli_clean(to, sizeof to, "\xff\xc0\xafz\xe0\x80\x80");
    sl_assert_str(to, "\\xff\\xc0\\xafz\\xe0\\x80\\x80");
    sl_cli_clean(to, sizeof to, "t\xc3\xa4glich");
    sl_assert_str(to, "t\xc3\xa4glich");
}

static void clean_text_is_never_cut_inside_a_character(void **state)
{
    char to[4];
    (void)state;
    sl_cli_clean(to, sizeof to, "ab\xc3\xa4");
    sl_assert_str(to, "ab");
    sl_cli_clean(to, sizeof to, "a\033");
    sl_assert_str(to, "a");
    sl_cli_clean(to, 1, "abc");
    sl_assert_str(to, "");
}

static void width_counts_characters_and_no_colours(void **state)
{
    struct sl_cli_buf b = { 0 };
    (void)state;
    sl_assert_u64(sl_cli_width("t\xc3\xa4g"), 3);
    sl_assert_u64(sl_cli_width("\033[1mab\033[0m"), 2);
    sl_cli_add_cut(&b, "\033[1mabcdef\033[0m", 4);
    sl_assert_str(b.ptr, "\033[1mabc~\033[0m");
    sl_cli_buf_clear(&b);
    sl_cli_add_cut(&b, "abcd", 4);
    sl_assert_str(b.ptr, "abcd");
    sl_cli_buf_free(&b);
}

static void tables_are_aligned(void **state)
{
    struct sl_cli_table t;
    struct sl_cli_buf b = { 0 };
    (void)state;
    sl_cli_table_init(&t, "NAME|>ROWS|NOTE");
    sl_cli_table_cell(&t, "n1");
    sl_cli_table_count(&t, true, 12345);
    sl_cli_table_cell(&t, "");
    sl_cli_table_cell(&t, "t\xc3\xa4g-long");
    sl_cli_table_count(&t, false, 7);
    sl_cli_table_cell(&t, "evil\033[2J");
    sl_cli_table_render(&t, 0, &b);
    sl_assert_str(b.ptr, "NAME        ROWS  NOTE\n"
                         "n1        12,345  -\n"
                         "t\xc3\xa4g-long       -  evil\\x1b[2J\n");
    sl_cli_buf_clear(&b);
    sl_cli_table_render(&t, 10, &b);
    sl_assert_str(b.ptr, "NAME     ~\nn1       ~\nt\xc3\xa4g-long ~\n");
    sl_cli_buf_free(&b);
    sl_cli_table_deinit(&t);
}

static void secrets_of_a_uri_are_masked(void **state)
{
    static const struct {
        const char *uri, *masked;
    } rows[] = {
        { "mysql://root:s3cret@h:3306/db", "mysql://root:xxxxx@h:3306/db" },
        { "mysql://root:p@ss:w@h/", "mysql://root:xxxxx@h/" },
        { "mysql://root@h/", "mysql://root@h/" },
        { "mysql://h:3306/", "mysql://h:3306/" },
        { "kafka://h/t?sasl-password=x&a=b&Access-Token=y", "kafka://h/t?sasl-password=xxxxx&a=b&Access-Token=xxxxx" },
        { "s3://b/?secret-access-key=k", "s3://b/?secret-access-key=xxxxx" },
        { "gen://?tables=3", "gen://?tables=3" },
        { "a?password=b&x=://u:p@h", "a?password=xxxxx&x=://u:xxxxx@h" },
        { "a?password=b://u:p@h&x=1", "a?password=xxxxx&x=1" },
        { "no uri", "no uri" },
        { "", "" },
    };
    char to[200];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sl_cli_mask_uri(to, sizeof to, rows[i].uri);
        sl_assert_str(to, rows[i].masked);
    }
}

static void a_blotted_uri_keeps_its_length(void **state)
{
    char uri[] = "mysql://root:s3cret@h/?password=abc&x=1";
    (void)state;
    sl_cli_blot_uri(uri);
    sl_assert_str(uri, "mysql://root:xxxxxx@h/?password=xxx&x=1");
}

static void a_buffer_grows_as_needed(void **state)
{
    struct sl_cli_buf b = { 0 };
    (void)state;
    for (int i = 0; i < 1000; i++)
        sl_cli_addf(&b, "%0500d", i);
    sl_assert_u64(b.len, 500000);
    sl_assert_u64(strlen(b.ptr), 500000);
    sl_cli_addf(&b, "%0700d", 1);
    sl_assert_u64(b.len, 500700);
    sl_cli_buf_free(&b);
    sl_assert_u64(b.len, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_written_as_people_say_them),
        cmocka_unit_test(durations_are_read_with_and_without_units),
        cmocka_unit_test(positions_are_whole_64_bit_numbers),
        cmocka_unit_test(counts_have_separators),
        cmocka_unit_test(text_of_others_cannot_control_the_terminal),
        cmocka_unit_test(clean_text_is_never_cut_inside_a_character),
        cmocka_unit_test(width_counts_characters_and_no_colours),
        cmocka_unit_test(tables_are_aligned),
        cmocka_unit_test(secrets_of_a_uri_are_masked),
        cmocka_unit_test(a_blotted_uri_keeps_its_length),
        cmocka_unit_test(a_buffer_grows_as_needed),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
