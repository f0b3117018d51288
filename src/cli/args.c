/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"

#include "cli/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- words ---- */

bool sl_cli_path_has(const char *path, const char *const *words, size_t count, bool whole)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(path, " ");
        if (len == 0 || strlen(words[i]) != len || memcmp(path, words[i], len) != 0)
            return false;
        path += len + (path[len] == ' ');
    }
    return !whole || *path == '\0';
}

const struct sl_cli_command *sl_cli_find(const char *const *words, size_t count, size_t *used)
{
    for (size_t n = count < 2 ? count : 2; n > 0; n--) {
        for (size_t i = 0; i < sl_cli_command_count; i++) {
            if (sl_cli_path_has(sl_cli_commands[i].path, words, n, true)) {
                *used = n;
                return &sl_cli_commands[i];
            }
        }
    }
    *used = 0;
    return NULL;
}

bool sl_cli_is_group(const char *const *words, size_t count)
{
    for (size_t i = 0; i < sl_cli_command_count; i++) {
        if (sl_cli_path_has(sl_cli_commands[i].path, words, count, false))
            return true;
    }
    return false;
}

/* ---- options ---- */

SL_PRINTF(2, 3) static bool args_problem(struct sl_cli_args *a, const char *fmt, ...)
{
    char text[sizeof a->problem];
    va_list list;
    va_start(list, fmt);
    (void)vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    sl_cli_clean(a->problem, sizeof a->problem, text);
    return false;
}

/* The option of an argument "--name", "--name=value" or "-x"; SL_CLI_OPTION_COUNT if there is none. */
static enum sl_cli_option args_option(const char *arg, const char **value)
{
    bool is_long = arg[1] == '-';
    const char *name = arg + (is_long ? 2 : 1);
    size_t len = is_long ? strcspn(name, "=") : 1;
    *value = NULL;
    if (is_long && name[len] == '=')
        *value = name + len + 1;
    else if (!is_long && name[len] != '\0')
        *value = name + len;
    for (enum sl_cli_option o = 0; o < SL_CLI_OPTION_COUNT; o++) {
        const struct sl_cli_option_row *row = &sl_cli_options[o];
        bool is_it = is_long ? strlen(row->name) == len && memcmp(row->name, name, len) == 0
                             : row->letter != 0 && row->letter == *name;
        if (is_it)
            return o;
    }
    return SL_CLI_OPTION_COUNT;
}

static bool args_keep(struct sl_cli_args *a, enum sl_cli_option o, const char *value)
{
    a->given |= UINT64_C(1) << o;
    a->values[o] = value;
    if (o != SL_CLI_OPT_FILTER && o != SL_CLI_OPT_SET)
        return true;
    if (a->repeat_count == SL_CLI_REPEAT_MAX)
        return args_problem(a, "--%s is given more than %d times: use --config FILE", sl_cli_options[o].name,
                            SL_CLI_REPEAT_MAX);
    a->repeats[a->repeat_count].option = o;
    a->repeats[a->repeat_count++].value = value;
    return true;
}

/* What a mistyped option was probably meant to be; null if nothing is near. */
static const char *args_near(const char *arg)
{
    const char *name = arg + strspn(arg, "-");
    for (enum sl_cli_option o = 0; o < SL_CLI_OPTION_COUNT; o++) {
        size_t len = strcspn(name, "=");
        if (len >= 3 && strncmp(sl_cli_options[o].name, name, len < 4 ? len : 4) == 0)
            return sl_cli_options[o].name;
    }
    return NULL;
}

/* Takes argv[*at], and its value behind it. */
static bool args_take_option(struct sl_cli_args *a, int argc, char **argv, int *at)
{
    const char *arg = argv[*at], *value;
    enum sl_cli_option o = args_option(arg, &value);
    if (o == SL_CLI_OPTION_COUNT) {
        const char *near = args_near(arg);
        return near ? args_problem(a, "no such option: %.60s; did you mean --%s?", arg, near)
                    : args_problem(a, "no such option: %.60s (--help lists them)", arg);
    }
    const struct sl_cli_option_row *row = &sl_cli_options[o];
    if (row->value[0] == '\0')
        return value ? args_problem(a, "--%s takes no value, yet %.60s gives one", row->name, arg)
                     : args_keep(a, o, NULL);
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value)
        return args_problem(a, "--%s needs a value: --%s %s", row->name, row->name, row->value);
    return args_keep(a, o, value);
}

static bool args_take(struct sl_cli_args *a, int argc, char **argv)
{
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (!args_take_option(a, argc, argv, &i))
                return false;
        } else if (a->word_count == SL_CLI_WORDS_MAX) {
            return args_problem(a, "too many arguments: %.60s", argv[i]);
        } else {
            a->words[a->word_count++] = argv[i];
        }
    }
    return true;
}

/* ---- the whole ---- */

static bool args_check_options(struct sl_cli_args *a)
{
    uint64_t foreign = a->given & ~(SL_CLI_GLOBAL | a->command->options);
    for (enum sl_cli_option o = 0; o < SL_CLI_OPTION_COUNT; o++) {
        if (foreign & (UINT64_C(1) << o))
            return args_problem(a, "'%s' has no option --%s (sluice %s --help lists them)", a->command->path,
                                sl_cli_options[o].name, a->command->path);
    }
    return true;
}

static bool args_check_words(struct sl_cli_args *a)
{
    const struct sl_cli_command *cmd = a->command;
    if (a->word_count < sl_cli_args_min(cmd))
        return args_problem(a, "'%s' needs %s: sluice %s %s", cmd->path, cmd->args, cmd->path, cmd->args);
    if (a->word_count > sl_cli_args_max(cmd))
        return args_problem(a, "'%s' has one argument too many: %.60s", cmd->path, a->words[sl_cli_args_max(cmd)]);
    return true;
}

bool sl_cli_args_parse(struct sl_cli_args *a, int argc, char **argv)
{
    size_t used;
    *a = (struct sl_cli_args){ 0 };
    if (!args_take(a, argc, argv))
        return false;
    a->command = sl_cli_find(a->words, a->word_count, &used);
    bool asks_help = a->given & SL_CLI_BIT(HELP);
    if (!a->command) {
        if (a->word_count == 0 || sl_cli_is_group(a->words, a->word_count))
            return true;
        return args_problem(a, "no such command: %.40s%s%.40s (sluice help lists them)", a->words[0],
                            a->word_count > 1 ? " " : "", a->word_count > 1 ? a->words[1] : "");
    }
    a->word_count -= used;
    memmove(a->words, a->words + used, a->word_count * sizeof a->words[0]);
    return asks_help || (args_check_options(a) && args_check_words(a));
}
