/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <string.h>

_Static_assert(SL_CLI_OPTION_COUNT <= 64, "options of a command are bits of one word");

const struct sl_cli_option_row sl_cli_options[SL_CLI_OPTION_COUNT] = {
#define SL_CLI_OPTION_ROW(id, long_name, short_name, what, variable, text) \
    { .name = long_name, .value = what, .env = variable, .help = text, .letter = short_name },
    SL_CLI_OPTIONS(SL_CLI_OPTION_ROW)
#undef SL_CLI_OPTION_ROW
};

const struct sl_cli_command sl_cli_commands[] = {
#define SL_CLI_COMMAND_ROW(words, arguments, bits, handler, line, text) \
    { .path = words, .args = arguments, .options = bits, .run = handler, .summary = line, .more = text },
    SL_CLI_COMMANDS(SL_CLI_COMMAND_ROW)
#undef SL_CLI_COMMAND_ROW
};
const size_t sl_cli_command_count = sizeof sl_cli_commands / sizeof sl_cli_commands[0];

static size_t table_words(const char *args, bool only_needed)
{
    size_t count = 0;
    for (const char *p = args; *p != '\0'; p++) {
        bool begins = *p != ' ' && (p == args || p[-1] == ' ');
        if (begins && !(only_needed && *p == '['))
            count++;
    }
    return count;
}

size_t sl_cli_args_min(const struct sl_cli_command *cmd)
{
    return table_words(cmd->args, true);
}

size_t sl_cli_args_max(const struct sl_cli_command *cmd)
{
    return strstr(cmd->args, "...") ? SIZE_MAX : table_words(cmd->args, false);
}
