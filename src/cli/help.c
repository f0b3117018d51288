/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include "cli/args.h"

#include <string.h>

#define HELP_WIDTH 80
#define HELP_COLUMN 30 /* where the text of an option begins */

/* ---- layout ---- */

/* Adds text in lines of at most HELP_WIDTH; the first one starts at the column where the others do. */
static void help_wrap(struct sl_cli_buf *b, const char *text, size_t column)
{
    size_t at = column;
    for (const char *p = text; *p != '\0';) {
        size_t len = strcspn(p, " \n");
        if (at > column && at + 1 + len > HELP_WIDTH) {
            sl_cli_add(b, "\n");
            sl_cli_add_fill(b, ' ', column);
            at = column;
        } else if (at > column) {
            sl_cli_add(b, " ");
            at++;
        }
        sl_cli_add_bytes(b, p, len);
        at += len;
        p += len;
        if (*p == '\n') {
            sl_cli_add(b, "\n");
            sl_cli_add_fill(b, ' ', column);
            at = column;
        }
        p += *p != '\0';
    }
    sl_cli_add(b, "\n");
}

static void help_left(struct sl_cli_buf *b, const char *left, const char *text)
{
    size_t width = strlen(left);
    sl_cli_add(b, left);
    if (width + 1 > HELP_COLUMN) {
        sl_cli_add(b, "\n");
        width = 0;
    }
    sl_cli_add_fill(b, ' ', HELP_COLUMN - width);
    help_wrap(b, text, HELP_COLUMN);
}

static void help_option(struct sl_cli_buf *b, const struct sl_cli_option_row *o)
{
    struct sl_cli_buf left = { 0 }, text = { 0 };
    if (o->letter != 0)
        sl_cli_addf(&left, "  -%c, --%s", o->letter, o->name);
    else
        sl_cli_addf(&left, "      --%s", o->name);
    if (o->value[0] != '\0')
        sl_cli_addf(&left, " %s", o->value);
    sl_cli_add(&text, o->help);
    if (o->env[0] != '\0')
        sl_cli_addf(&text, " [%s]", o->env);
    help_left(b, left.ptr, text.ptr);
    sl_cli_buf_free(&left);
    sl_cli_buf_free(&text);
}

static void help_options(struct sl_cli_buf *b, const char *title, uint64_t which)
{
    if (which == 0)
        return;
    sl_cli_addf(b, "\n%s:\n", title);
    for (enum sl_cli_option o = 0; o < SL_CLI_OPTION_COUNT; o++) {
        if (which & (UINT64_C(1) << o))
            help_option(b, &sl_cli_options[o]);
    }
}

/* ---- the three levels ---- */

static void help_command_line(struct sl_cli_buf *b, const struct sl_cli_command *cmd)
{
    struct sl_cli_buf left = { 0 };
    sl_cli_addf(&left, "  %s%s%s", cmd->path, cmd->args[0] != '\0' ? " " : "", cmd->args);
    help_left(b, left.ptr, cmd->summary);
    sl_cli_buf_free(&left);
}

static void help_exits(struct sl_cli_buf *b)
{
    static const struct {
        int code;
        const char *text;
    } exits[] = {
#define HELP_EXIT_ROW(name, number, what) { number, what },
        SL_CLI_EXITS(HELP_EXIT_ROW)
#undef HELP_EXIT_ROW
    };
    sl_cli_add(b, "\nexit codes:\n");
    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++) {
        sl_cli_addf(b, "  %2d  ", exits[i].code);
        help_wrap(b, exits[i].text, 6);
    }
}

static void help_command(struct sl_cli_buf *b, const struct sl_cli_command *cmd)
{
    bool waits = (cmd->options & SL_CLI_BIT(FAIL_IF_BLOCKED)) != 0;
    sl_cli_addf(b, "usage: sluice %s%s%s [options]\n\n", cmd->path, cmd->args[0] != '\0' ? " " : "", cmd->args);
    help_wrap(b, cmd->summary, 0);
    if (cmd->more[0] != '\0')
        sl_cli_add(b, "\n");
    if (cmd->more[0] != '\0')
        help_wrap(b, cmd->more, 0);
    help_options(b, "options", cmd->options);
    help_options(b, "options of all commands", SL_CLI_GLOBAL);
    if (waits)
        help_exits(b);
}

static void help_group(struct sl_cli_buf *b, const char *const *words, size_t count)
{
    sl_cli_addf(b, "usage: sluice %s COMMAND [options]\n\n", count > 0 ? words[0] : "");
    for (size_t i = 0; i < sl_cli_command_count; i++) {
        if (sl_cli_path_has(sl_cli_commands[i].path, words, count, false))
            help_command_line(b, &sl_cli_commands[i]);
    }
}

static void help_program(struct sl_cli_buf *b)
{
    sl_cli_add(b, "usage: sluice COMMAND [options]\n\n"
                  "Looks at a Sluice cluster and changes it. A node, drain or feed is named by its\n"
                  "name, its id, or the beginning of either if only one begins so.\n\n");
    for (size_t i = 0; i < sl_cli_command_count; i++)
        help_command_line(b, &sl_cli_commands[i]);
    help_options(b, "options of all commands", SL_CLI_GLOBAL);
    sl_cli_add(b, "\n'sluice COMMAND --help' explains a command. man 1 sluice has it all.\n");
}

bool sl_cli_help_add(struct sl_cli_buf *b, const char *const *words, size_t count)
{
    size_t used;
    const struct sl_cli_command *cmd = sl_cli_find(words, count, &used);
    if (cmd && used == count)
        help_command(b, cmd);
    else if (count == 0)
        help_program(b);
    else if (sl_cli_is_group(words, count))
        help_group(b, words, count);
    else
        return false;
    return true;
}
