/* SPDX-License-Identifier: Apache-2.0 */
#include "app/journal.h"
#include "app/shell.h"
#include "app/version.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static enum sl_exit main_run(struct sl_options *o, int argc, char **argv, struct sl_complaint *c)
{
    if (!sl_options_read(o, argc, argv, getenv, c))
        return c->exit;
    if (o->help) {
        sl_options_print_help(stdout);
        return SL_EXIT_STOPPED;
    }
    if (o->version) {
        printf("sluiced %s (%s)\n", SL_VERSION, SL_VERSION_WIRE);
        return SL_EXIT_STOPPED;
    }
    if (o->replay[0] != '\0')
        return sl_replay(o->replay, stdout, c);
    if (!sl_options_check(o, c))
        return c->exit;
    if (o->print_config) {
        sl_options_print_config(o, stdout);
        return SL_EXIT_STOPPED;
    }
    return sl_shell_run(o, argc, argv, c);
}

int main(int argc, char **argv)
{
    struct sl_options options;
    struct sl_complaint complaint = { .text = "" };
    signal(SIGPIPE, SIG_IGN);
    umask(S_IWGRP | S_IRWXO);
    sl_options_init(&options);
    enum sl_exit exit_code = main_run(&options, argc, argv, &complaint);
    if (exit_code != SL_EXIT_STOPPED && complaint.text[0] != '\0')
        fprintf(stderr, "sluiced: %s\n", complaint.text);
    sl_options_deinit(&options);
    return (int)exit_code;
}
