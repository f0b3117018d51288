/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/table_filter.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>

/* The rules are given as in a feed's configuration, a JSON list; null: the feed has no rules. */
static struct sl_table_filter *filter_of(const char *rules, bool is_case_sensitive)
{
    char config[4096];
    struct sl_table_filter *f = NULL;
    struct sl_trouble t = { .kind = SL_TROUBLE_NONE };
    (void)snprintf(config, sizeof config, "{\"case_sensitive\":%s,\"filter\":{%s%s}}",
                   is_case_sensitive ? "true" : "false", rules ? "\"rules\":" : "", rules ? rules : "");
    bool is_made =
        sl_table_filter_new(&f, sl_secret_of((struct sl_bytes){ (const uint8_t *)config, strlen(config) }), &t);
    assert_true(is_made == (f != NULL));
    if (!is_made)
        sl_assert_str(t.code, "FILTER");
    return f;
}

static void expect_taken(const char *rules, const char *schema, const char *table, bool is_taken)
{
    struct sl_table_filter *f = filter_of(rules, false);
    assert_non_null(f);
    bool takes = sl_table_filter_takes(f, sl_str_of(schema), sl_str_of(table));
    if (takes != is_taken)
        fail_msg("%s: %s.%s is %staken", rules ? rules : "no rules", schema, table, takes ? "" : "not ");
    if (is_taken)
        assert_true(sl_table_filter_takes_schema(f, sl_str_of(schema)));
    sl_table_filter_free(f);
}

static void the_last_rule_that_matches_decides(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *schema, *table;
        bool is_taken;
    } rows[] = {
        { NULL, "shop", "orders", true },
        { "[\"*.*\"]", "shop", "orders", true },
        { "[\"shop.*\"]", "bank", "orders", false },
        { "[\"shop.*\", \"!shop.tmp_*\"]", "shop", "tmp_1", false },
        { "[\"shop.*\", \"!shop.tmp_*\", \"shop.tmp_1\"]", "shop", "tmp_1", true },
        { "[\"!shop.tmp_*\", \"shop.*\"]", "shop", "tmp_1", true },
        { "[\"shop.order?\"]", "shop", "orders", true },
        { "[\"shop.order?\"]", "shop", "order", false },
        { "[\"shop.t[0-4]\"]", "shop", "t4", true },
        { "[\"shop.t[!0-4]\"]", "shop", "t4", false },
        { "[\"SHOP.Orders\"]", "shop", "orders", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_taken(rows[i].rules, rows[i].schema, rows[i].table, rows[i].is_taken);
}

static void names_may_hold_what_rules_are_made_of(void **state)
{
    (void)state;
    expect_taken("[\"`a.b`.*\"]", "a.b", "t", true);
    expect_taken("[\"shop.`t*`\"]", "shop", "t*", true);
    expect_taken("[\"shop.`t*`\"]", "shop", "tx", false);
    expect_taken("[\"shop.t\\\\*\"]", "shop", "t*", true);
    expect_taken("[\"shop.t\\\\*\"]", "shop", "tx", false);
}

static void regular_expressions_stand_between_slashes(void **state)
{
    (void)state;
    expect_taken("[\"/^shop_[0-9]{1,3}$/.*\"]", "shop_17", "t", true);
    expect_taken("[\"/^shop_[0-9]{1,3}$/.*\"]", "shop_1789", "t", false);
    expect_taken("[\"shop./^(tmp|old)+_/\", \"!shop.old_1\"]", "shop", "old_2", true);
    expect_taken("[\"shop./^a\\\\/b$/\"]", "shop", "a/b", true);
    expect_taken("[\"shop./[]+*{(]/\"]", "shop", "x{", true);
}

static void case_counts_only_where_it_was_asked_for(void **state)
{
    (void)state;
    struct sl_table_filter *f = filter_of("[\"Shop.*\", \"/^X$/.*\"]", true);
    assert_true(sl_table_filter_takes(f, SL_STR("Shop"), SL_STR("t")));
    assert_false(sl_table_filter_takes(f, SL_STR("shop"), SL_STR("t")));
    assert_false(sl_table_filter_takes(f, SL_STR("x"), SL_STR("t")));
    sl_table_filter_free(f);
    expect_taken("[\"/^X$/.*\"]", "x", "t", true);
}

static void what_cannot_be_read_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[\"\"]",        "[\"shop\"]",     "[\"shop.\"]",     "[\".t\"]",       "[\"shop.`t\"]", "[\"a.b.c\"]",
        "[\"shop./t\"]", "[\"shop./(/\"]", "[\"shop./[a/\"]", "[\"shop.t[a\"]", "[\"!\"]",       "[null]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sl_table_filter *f = filter_of(bad[i], false);
        if (f)
            fail_msg("%s was read", bad[i]);
    }
}

/* Each of them takes all time or memory there is, if nothing bounds it: at reading, or when a name is compared. */
static void expressions_that_grow_without_bound_cost_little(void **state)
{
    (void)state;
    static const char *const unbounded[] = {
        "[\"shop./(((((a{99}){99}){99}){99}){99})/\"]",
        "[\"shop./((a+b+)+(c+d+)+)+++++++++++++++++++++/\"]",
        "[\"shop./((((((((((((((((()+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+/\"]",
    };
    for (size_t i = 0; i < sizeof unbounded / sizeof unbounded[0]; i++) {
        struct sl_table_filter *f = filter_of(unbounded[i], false);
        if (f)
            (void)sl_table_filter_takes(f, SL_STR("shop"), SL_STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        sl_table_filter_free(f);
    }
}

static void what_an_expression_cannot_decide_is_not_left_out(void **state)
{
    (void)state;
    const char *name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    expect_taken("[\"shop./^(a+)+$/\"]", "shop", "aab", false);
    expect_taken("[\"shop./^(a+)+$/\"]", "shop", name, true);
    expect_taken("[\"shop.*\", \"!shop./^(a+)+$/\"]", "shop", name, true);
    expect_taken("[\"shop.*\", \"!/^(a+)+$/.*\"]", name, "t", true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_rule_that_matches_decides),
        cmocka_unit_test(names_may_hold_what_rules_are_made_of),
        cmocka_unit_test(regular_expressions_stand_between_slashes),
        cmocka_unit_test(case_counts_only_where_it_was_asked_for),
        cmocka_unit_test(what_cannot_be_read_is_refused),
        cmocka_unit_test(expressions_that_grow_without_bound_cost_little),
        cmocka_unit_test(what_an_expression_cannot_decide_is_not_left_out),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
