/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_ARGS_H
#define SL_CLI_ARGS_H

#include "base/check.h"
#include "cli/table.h"

/*
 * The command line by the table. Options stand anywhere ("--name value", "--name=value", "-x value"); "--" ends them.
 * Nothing is copied: argv must outlive the result.
 */
#define SL_CLI_WORDS_MAX 16
#define SL_CLI_REPEAT_MAX 256
struct sl_cli_args {
    const struct sl_cli_command *command; /* null: the words name a group, or nothing */
    const char *words[SL_CLI_WORDS_MAX];  /* after the command's own; all of them if there is no command */
    size_t word_count;
    uint64_t given;                          /* SL_CLI_BIT, on the command line */
    const char *values[SL_CLI_OPTION_COUNT]; /* of options with a value; the last one */
    struct {                                 /* --filter, --set: each of them, in order */
        enum sl_cli_option option;
        const char *value;
    } repeats[SL_CLI_REPEAT_MAX];
    size_t repeat_count;
    char problem[240]; /* when parsing failed: what, why, what to do */
};

/* False: the problem is set. */
SL_CHECKED bool sl_cli_args_parse(struct sl_cli_args *a, int argc, char **argv);
/* The command of exactly these words, or the number of words that are a beginning of commands. */
const struct sl_cli_command *sl_cli_find(const char *const *words, size_t count, size_t *used);
/* Whether a command's path begins with these words: a group such as "node". */
bool sl_cli_is_group(const char *const *words, size_t count);
bool sl_cli_path_has(const char *path, const char *const *words, size_t count, bool whole);

#endif
