/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <string.h>

/*
 * The completion of bash, as a script that asks nothing but the tables below and, for names of nodes, drains and feeds,
 * the cluster (one second at most, silent when there is none).
 */

static void complete_case(struct sl_cli_buf *b, const struct sl_cli_command *cmd)
{
    sl_cli_addf(b, "    '%s') opts=\"", cmd->path);
    for (enum sl_cli_option o = 0; o < SL_CLI_OPTION_COUNT; o++) {
        if ((cmd->options | SL_CLI_GLOBAL) & (UINT64_C(1) << o))
            sl_cli_addf(b, "--%s ", sl_cli_options[o].name);
    }
    size_t first = strcspn(cmd->args, " .[");
    sl_cli_addf(b, "\" what=%.*s ;;\n", (int)first, cmd->args);
}

/* Kinds of options with a value: by what completes it, and by whether it says where the cluster is. */
static bool complete_is_file(enum sl_cli_option o)
{
    return strcmp(sl_cli_options[o].value, "FILE") == 0;
}

static bool complete_is_node(enum sl_cli_option o)
{
    return strcmp(sl_cli_options[o].value, "NODE") == 0;
}

static bool complete_is_other(enum sl_cli_option o)
{
    return !complete_is_file(o) && !complete_is_node(o);
}

static bool complete_is_connection(enum sl_cli_option o)
{
    return (SL_CLI_GLOBAL & (UINT64_C(1) << o)) != 0;
}

static bool complete_is_own(enum sl_cli_option o)
{
    return !complete_is_connection(o);
}

/* "--a|-x|--b)" for a case of the shell. */
static void complete_values(struct sl_cli_buf *b, bool (*is_wanted)(enum sl_cli_option o))
{
    const char *bar = "    ";
    for (enum sl_cli_option o = 0; o < SL_CLI_OPTION_COUNT; o++) {
        const struct sl_cli_option_row *row = &sl_cli_options[o];
        if (row->value[0] == '\0' || !is_wanted(o))
            continue;
        sl_cli_addf(b, "%s--%s", bar, row->name);
        if (row->letter != 0)
            sl_cli_addf(b, "|-%c", row->letter);
        bar = "|";
    }
    sl_cli_add(b, ")");
}

static void complete_words(struct sl_cli_buf *b, bool only_first)
{
    for (size_t i = 0; i < sl_cli_command_count; i++) {
        const char *path = sl_cli_commands[i].path;
        size_t len = strcspn(path, " ");
        bool is_new = i == 0 || strncmp(sl_cli_commands[i - 1].path, path, len + 1) != 0;
        if (only_first && is_new)
            sl_cli_addf(b, "%.*s ", (int)len, path);
        else if (!only_first && path[len] != '\0')
            sl_cli_addf(b, "    '%.*s') next=\"$next %s\" ;;&\n", (int)len, path, path + len + 1);
    }
}

static const char complete_head[] =
    "# Completion of sluice for bash: source <(sluice completion bash)\n"
    "_sluice_names() {\n"
    "    case $1 in\n"
    "    NODE | DRAIN | FEED)\n"
    "        timeout 1 sluice \"${1,,}\" list \"${conn[@]}\" 2>/dev/null | sed '1d; s/ .*//' ;;\n"
    "    SHELL) echo bash ;;\n"
    "    esac\n"
    "}\n"
    "_sluice() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local words=() conn=() i opts='' what='' next='' word\n"
    "    COMPREPLY=()\n"
    "    case $prev in\n";

static const char complete_scan[] = "        [[ $word == -* ]] && continue\n"
                                    "        words+=(\"$word\")\n"
                                    "    done\n";

static const char complete_tail[] =
    "    if [[ $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$opts\" -- \"$cur\")\n"
    "    elif [[ -n $opts ]]; then\n"
    "        if [[ ${#words[@]} -eq $used && -n $what ]]; then\n"
    "            mapfile -t COMPREPLY < <(compgen -W \"$(_sluice_names \"$what\")\" -- \"$cur\")\n"
    "        fi\n"
    "    else\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$next\" -- \"$cur\")\n"
    "    fi\n"
    "}\n"
    "complete -F _sluice sluice\n";

void sl_cli_help_bash(struct sl_cli_buf *b)
{
    sl_cli_add(b, complete_head);
    complete_values(b, complete_is_file);
    sl_cli_add(b, " mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n");
    complete_values(b, complete_is_node);
    sl_cli_add(b, " what=NODE ;;\n");
    complete_values(b, complete_is_other);
    sl_cli_add(b, " return ;;\n    esac\n"
                  "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                  "        word=${COMP_WORDS[i]}\n"
                  "        case $word in\n");
    complete_values(b, complete_is_connection);
    sl_cli_add(b, " conn+=(\"$word\" \"${COMP_WORDS[++i]}\"); continue ;;\n");
    complete_values(b, complete_is_own);
    sl_cli_add(b, " ((i++)); continue ;;\n        esac\n");
    sl_cli_add(b, complete_scan);
    sl_cli_add(b, "    if [[ $what == NODE ]]; then\n"
                  "        mapfile -t COMPREPLY < <(compgen -W \"$(_sluice_names NODE)\" -- \"$cur\")\n"
                  "        return\n"
                  "    fi\n"
                  "    local used=2 path=\"${words[*]:0:2}\"\n"
                  "    case $path in\n"
                  "    completion*|help*|version*|top*) used=1 path=${words[0]-} ;;\n"
                  "    esac\n"
                  "    case $path in\n");
    for (size_t i = 0; i < sl_cli_command_count; i++)
        complete_case(b, &sl_cli_commands[i]);
    sl_cli_add(b, "    esac\n    case ${words[0]-} in\n    '') next=\"");
    complete_words(b, true);
    sl_cli_add(b, "\" ;;\n");
    complete_words(b, false);
    sl_cli_add(b, "    esac\n");
    sl_cli_add(b, complete_tail);
}
