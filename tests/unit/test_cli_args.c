/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"
#include "cli/help.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses "sluice a b c" given as one text; the words live until the next call. */
static bool parse(struct sl_cli_args *a, const char *line)
{
    static char text[400];
    static char *argv[64];
    int argc = 0;
    char *rest = text, *word;
    sl_assert_u64(strlen(line) < sizeof text, true);
    memcpy(text, line, strlen(line) + 1);
    while ((word = strtok_r(rest, " ", &rest)) != NULL)
        argv[argc++] = word;
    return sl_cli_args_parse(a, argc, argv);
}

static void every_command_of_the_table_is_found_by_its_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sl_cli_command_count; i++) {
        struct sl_cli_args a;
        char line[100];
        bool needs = sl_cli_args_min(&sl_cli_commands[i]) > 0;
        (void)snprintf(line, sizeof line, "sluice %s%s", sl_cli_commands[i].path, needs ? " x" : "");
        assert_true(parse(&a, line));
        sl_assert_str(a.command->path, sl_cli_commands[i].path);
        sl_assert_u64(a.word_count, needs);
    }
}

static void options_stand_anywhere_and_in_each_form(void **state)
{
    static const char *const lines[] = {
        "sluice --server http://h:1 node drain n2 --reason why",
        "sluice node --server=http://h:1 drain --reason=why n2",
        "sluice node drain n2 -s http://h:1 -m why",
        "sluice -shttp://h:1 node drain -mwhy -- n2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct sl_cli_args a;
        assert_true(parse(&a, lines[i]));
        sl_assert_str(a.command->path, "node drain");
        sl_assert_str(a.words[0], "n2");
        sl_assert_str(a.values[SL_CLI_OPT_SERVER], "http://h:1");
        sl_assert_str(a.values[SL_CLI_OPT_REASON], "why");
    }
}

static void what_follows_two_dashes_is_no_option(void **state)
{
    struct sl_cli_args a;
    (void)state;
    assert_true(parse(&a, "sluice node show -- --json"));
    sl_assert_str(a.words[0], "--json");
    sl_assert_u64(a.given, 0);
}

static void repeated_options_keep_their_order(void **state)
{
    struct sl_cli_args a;
    (void)state;
    assert_true(parse(&a, "sluice feed create f --filter a.* --set x=1 --filter !a.b"));
    sl_assert_u64(a.repeat_count, 3);
    sl_assert_str(a.repeats[0].value, "a.*");
    sl_assert_str(a.repeats[1].value, "x=1");
    sl_assert_i64(a.repeats[1].option, SL_CLI_OPT_SET);
    sl_assert_str(a.repeats[2].value, "!a.b");
}

static void a_wrong_line_is_refused_with_what_to_do(void **state)
{
    static const struct {
        const char *line, *problem;
    } wrong[] = {
        { "sluice node drian n2", "no such command: node drian (sluice help lists them)" },
        { "sluice nodes", "no such command: nodes (sluice help lists them)" },
        { "sluice node drain", "'node drain' needs NODE: sluice node drain NODE" },
        { "sluice node drain a b", "'node drain' has one argument too many: b" },
        { "sluice node drain n2 --reasn x", "no such option: --reasn; did you mean --reason?" },
        { "sluice node drain n2 -z", "no such option: -z (--help lists them)" },
        { "sluice node drain n2 --reason", "--reason needs a value: --reason TEXT" },
        { "sluice node drain n2 --stop=1", "--stop takes no value, yet --stop=1 gives one" },
        { "sluice node list --stop", "'node list' has no option --stop (sluice node list --help lists them)" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sl_cli_args a;
        assert_false(parse(&a, wrong[i].line));
        sl_assert_str(a.problem, wrong[i].problem);
    }
}

static void a_group_alone_is_no_error_of_the_parser(void **state)
{
    struct sl_cli_args a;
    (void)state;
    assert_true(parse(&a, "sluice node"));
    assert_null(a.command);
    assert_true(parse(&a, "sluice"));
    assert_null(a.command);
}

static void help_needs_no_arguments(void **state)
{
    struct sl_cli_args a;
    (void)state;
    assert_true(parse(&a, "sluice node drain --help"));
    sl_assert_str(a.command->path, "node drain");
}

static void too_many_words_or_repeats_are_refused(void **state)
{
    struct sl_cli_args a;
    static char *argv[2 * SL_CLI_REPEAT_MAX + 10];
    int argc = 0;
    (void)state;
    assert_false(parse(&a, "sluice help a b c d e f g h i j k l m n o p q r"));
    static char head[4][8] = { "sluice", "feed", "create", "f" }, filter[] = "-fx";
    for (; argc < 4; argc++)
        argv[argc] = head[argc];
    for (int i = 0; i < SL_CLI_REPEAT_MAX + 1; i++)
        argv[argc++] = filter;
    assert_false(sl_cli_args_parse(&a, argc, argv));
    sl_assert_str(a.problem, "--filter is given more than 256 times: use --config FILE");
}

static void a_problem_cannot_move_the_cursor(void **state)
{
    struct sl_cli_args a;
    (void)state;
    assert_false(parse(&a, "sluice \033[2Jx"));
    assert_null(strchr(a.problem, '\033'));
}

static void letters_names_and_variables_are_used_once(void **state)
{
    (void)state;
    for (int i = 0; i < SL_CLI_OPTION_COUNT; i++) {
        for (int k = i + 1; k < SL_CLI_OPTION_COUNT; k++) {
            const struct sl_cli_option_row *x = &sl_cli_options[i], *y = &sl_cli_options[k];
            assert_true(strcmp(x->name, y->name) != 0);
            assert_true(x->letter == 0 || x->letter != y->letter);
            assert_true(x->env[0] == '\0' || strcmp(x->env, y->env) != 0);
        }
    }
}

static void help_names_every_command_and_every_option_of_one(void **state)
{
    struct sl_cli_buf b = { 0 };
    (void)state;
    assert_true(sl_cli_help_add(&b, NULL, 0));
    for (size_t i = 0; i < sl_cli_command_count; i++)
        assert_non_null(strstr(b.ptr, sl_cli_commands[i].path));
    sl_cli_buf_clear(&b);
    const char *words[] = { "node", "drain" };
    assert_true(sl_cli_help_add(&b, words, 2));
    for (int i = 0; i < SL_CLI_OPTION_COUNT; i++) {
        const struct sl_cli_command *drain = NULL;
        for (size_t k = 0; k < sl_cli_command_count; k++)
            drain = strcmp(sl_cli_commands[k].path, "node drain") == 0 ? &sl_cli_commands[k] : drain;
        if ((drain->options | SL_CLI_GLOBAL) & (UINT64_C(1) << i))
            assert_non_null(strstr(b.ptr, sl_cli_options[i].name));
    }
    words[1] = "nothing";
    assert_false(sl_cli_help_add(&b, words, 2));
    sl_cli_buf_free(&b);
}

static void help_fits_80_columns(void **state)
{
    struct sl_cli_buf b = { 0 };
    (void)state;
    assert_true(sl_cli_help_add(&b, NULL, 0));
    for (size_t i = 0; i < sl_cli_command_count; i++) {
        char path[60], *rest = path, *word;
        const char *words[4];
        size_t count = 0;
        (void)snprintf(path, sizeof path, "%s", sl_cli_commands[i].path);
        while ((word = strtok_r(rest, " ", &rest)) != NULL)
            words[count++] = word;
        assert_true(sl_cli_help_add(&b, words, count));
    }
    for (char *line = b.ptr, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        if (strlen(line) > 80)
            sl_assert_str(line, "at most 80 columns");
    }
    sl_cli_buf_free(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_of_the_table_is_found_by_its_words),
        cmocka_unit_test(options_stand_anywhere_and_in_each_form),
        cmocka_unit_test(what_follows_two_dashes_is_no_option),
        cmocka_unit_test(repeated_options_keep_their_order),
        cmocka_unit_test(a_wrong_line_is_refused_with_what_to_do),
        cmocka_unit_test(a_group_alone_is_no_error_of_the_parser),
        cmocka_unit_test(help_needs_no_arguments),
        cmocka_unit_test(too_many_words_or_repeats_are_refused),
        cmocka_unit_test(a_problem_cannot_move_the_cursor),
        cmocka_unit_test(letters_names_and_variables_are_used_once),
        cmocka_unit_test(help_names_every_command_and_every_option_of_one),
        cmocka_unit_test(help_fits_80_columns),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
