/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/script.h"
#include "tests/support/sl_test.h"

#include <string.h>

/* Scripts: what a line may say, what a wrong one leads to, and that a story is compared line by line. */

static struct sl_sim_script *run(const char *source, bool *is_good)
{
    struct sl_sim_opts opts;
    sl_sim_opts_default(&opts);
    struct sl_sim_script *s = sl_sim_script_new(&opts);
    *is_good = sl_sim_script_run(s, sl_str_of(source));
    return s;
}

/* Runs source and expects the story. */
static void assert_story(const char *source, const char *story, bool is_good)
{
    bool was_good;
    struct sl_sim_script *s = run(source, &was_good);
    sl_assert_str(s->text.ptr, story);
    sl_assert_u64(was_good, is_good);
    sl_sim_script_free(s);
}

static void output_stands_below_its_command_and_old_output_is_replaced(void **state)
{
    (void)state;
    assert_story("# a comment\n\ncluster nodes=2\n| old\nrun 5s\nshow time\n| older\n",
                 "# a comment\n\ncluster nodes=2\nrun 5s\nshow time\n| 5.000s\n", true);
}

static void story_of_a_story_is_the_same(void **state)
{
    (void)state;
    bool is_good;
    struct sl_sim_script *first = run("cluster nodes=3\nfeed orders tables=3\nrun until replicating\nshow placement\n"
                                      "drain n2\nrun until drained n2\nshow drain\n",
                                      &is_good);
    assert_true(is_good);
    struct sl_sim_script *second = run(first->text.ptr, &is_good);
    assert_true(is_good);
    sl_assert_str(first->text.ptr, second->text.ptr);
    sl_sim_script_free(first);
    sl_sim_script_free(second);
}

static void line_that_is_no_command_fails_and_says_so(void **state)
{
    (void)state;
    assert_story("cluster nodes=2\nfrobnicate n1\n",
                 "cluster nodes=2\nfrobnicate n1\n| FAILED: this is no command (--help-script lists them)\n", false);
    assert_story("run 5s\n", "run 5s\n| FAILED: the first command must be \"cluster\"\n", false);
    assert_story("cluster nodes=2\nrun five\n", "cluster nodes=2\nrun five\n| FAILED: usage: run *\n", false);
    assert_story("cluster nodes=2\ncrash n9\n", "cluster nodes=2\ncrash n9\n| FAILED: there is no node n9\n", false);
}

static void expectation_that_does_not_hold_says_why(void **state)
{
    (void)state;
    assert_story("cluster nodes=2\nrun 1s\nexpect down n1\nexpect not down n1\n",
                 "cluster nodes=2\nrun 1s\nexpect down n1\n| FAILED: n1 runs\nexpect not down n1\n", false);
    assert_story(
        "cluster nodes=2\nrun until down n1 within 2s\nshow time\n",
        "cluster nodes=2\nrun until down n1 within 2s\n| FAILED: not within 2 s: n1 runs\nshow time\n| 2.000s\n",
        false);
}

static void every_command_is_in_the_help(void **state)
{
    (void)state;
    struct sl_sim_buffer help = { 0 };
    sl_sim_script_help(&help);
    assert_non_null(strstr(help.ptr, "run until ..."));
    assert_non_null(strstr(help.ptr, "show placement"));
    sl_sim_buffer_deinit(&help);
}

static void assert_diff(const char *expected, const char *actual, const char *diff)
{
    struct sl_sim_buffer out = { 0 };
    bool is_equal = sl_sim_script_diff(sl_str_of(expected), sl_str_of(actual), &out);
    sl_assert_u64(is_equal, diff[0] == 0);
    sl_assert_str(out.ptr ? out.ptr : "", diff);
    sl_sim_buffer_deinit(&out);
}

static void diff_names_the_lines_of_both_sides(void **state)
{
    (void)state;
    assert_diff("a\nb\n", "a\nb\n", "");
    assert_diff("a\nb\nc\n", "a\nx\nc\n", "-2: b\n+2: x\n");
    assert_diff("a\nc\n", "a\nb\nc\n", "+2: b\n");
    assert_diff("a\nb\nc\n", "a\nc\n", "-2: b\n");
    assert_diff("a\n", "", "-1: a\n");
    assert_diff("", "a\n", "+1: a\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_stands_below_its_command_and_old_output_is_replaced),
        cmocka_unit_test(story_of_a_story_is_the_same),
        cmocka_unit_test(line_that_is_no_command_fails_and_says_so),
        cmocka_unit_test(expectation_that_does_not_hold_says_why),
        cmocka_unit_test(every_command_is_in_the_help),
        cmocka_unit_test(diff_names_the_lines_of_both_sides),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
