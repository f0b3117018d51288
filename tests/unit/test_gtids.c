/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/gtids.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

static struct sl_gtids gtids_of(const char *text)
{
    struct sl_gtids g;
    if (!sl_gtids_parse(&g, sl_str_of(text)))
        fail_msg("'%s' was not read", text);
    return g;
}

static void expect_text(const struct sl_gtids *g, const char *text)
{
    char out[SL_GTIDS_TEXT_MAX];
    struct sl_str is = sl_gtids_format(out, g);
    sl_assert_u64(is.len, strlen(text));
    sl_assert_mem(is.ptr, text, is.len);
}

static void equal_positions_have_equal_texts(void **state)
{
    (void)state;
    static const char *const same[] = { "0-1-7,3-2-9", "3-2-9,0-1-7", "3-2-9, 0-1-7", "3-2-9,\n0-1-7" };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct sl_gtids g = gtids_of(same[i]);
        expect_text(&g, "0-1-7,3-2-9");
    }
    struct sl_gtids none = gtids_of("");
    expect_text(&none, "");
    struct sl_gtids large = gtids_of("4294967295-4294967295-18446744073709551615");
    expect_text(&large, "4294967295-4294967295-18446744073709551615");
}

static void what_is_no_position_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0",      "0-1",     "0-1-",   "0-1-2,",         "0-1-2-3",
        ",0-1-2", "a-1-2",   "0 -1-2", "4294967296-1-2", "0-1-18446744073709551616",
        "0--1-2", "0-1-2 3", "0-1-2;", "0-1-7,0-2-9",    "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sl_gtids g;
        if (sl_gtids_parse(&g, sl_str_of(bad[i])))
            fail_msg("'%s' was read", bad[i]);
        sl_assert_u64(g.count, 0u);
    }
}

static void the_last_of_a_domain_counts(void **state)
{
    (void)state;
    struct sl_gtids g = gtids_of("0-1-7,3-2-9");
    sl_gtids_put(&g, (struct sl_gtid){ .domain = 0, .server = 5, .seq = 8 });
    sl_gtids_put(&g, (struct sl_gtid){ .domain = 1, .server = 5, .seq = 1 });
    expect_text(&g, "0-5-8,1-5-1,3-2-9");
    const struct sl_gtids older = gtids_of("0-1-1,2-2-2");
    sl_gtids_complete(&g, &older);
    expect_text(&g, "0-5-8,1-5-1,2-2-2,3-2-9");
    assert_null(sl_gtids_of(&g, 7));
    sl_assert_u64(sl_gtids_of(&g, 2)->seq, 2u);
}

/* A position that leaves domains out would be taken for another one. */
static void more_domains_than_there_is_room_for_say_nothing(void **state)
{
    (void)state;
    struct sl_gtids g = { 0 }, other = gtids_of("0-1-1");
    char text[SL_GTIDS_TEXT_MAX] = "";
    for (uint32_t i = 0; i <= SL_GTIDS_MAX; i++) {
        sl_gtids_put(&g, (struct sl_gtid){ .domain = i, .server = 1, .seq = 1 });
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%s%u-1-1", i > 0 ? "," : "", i);
    }
    assert_true(g.is_over);
    expect_text(&g, "");
    sl_gtids_complete(&other, &g);
    expect_text(&other, "");
    assert_false(sl_gtids_parse(&g, sl_str_of(text)));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_positions_have_equal_texts),
        cmocka_unit_test(what_is_no_position_is_refused),
        cmocka_unit_test(the_last_of_a_domain_counts),
        cmocka_unit_test(more_domains_than_there_is_room_for_say_nothing),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
