/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_CLI_H
#define SL_CLI_CLI_H

#include "cli/args.h"
#include "cli/client.h"
#include "cli/text.h"

#include <stdio.h>

/*
 * One run of the program. Handlers of commands get it, write to out, and return an exit code; what they print of others
 * is clean (cli/text.h).
 */
struct sl_cli {
    struct sl_cli_args args;
    struct sl_cli_client *client; /* made by sl_cli_connect */
    FILE *out, *err;
    bool is_json, is_terminal, has_colour; /* of out */
    bool is_live;                          /* out is a terminal that understands cursor movements */
};

/* The whole program: argv as main got it. Returns the exit code. */
int sl_cli_run(int argc, char **argv);

/* The value of an option: command line, else environment, else null. */
const char *sl_cli_value(const struct sl_cli *c, enum sl_cli_option o);
bool sl_cli_has(const struct sl_cli *c, enum sl_cli_option o);
/* False, and said so: the option is given and is no duration. ms is 0 if it is not given. */
SL_CHECKED bool sl_cli_duration(struct sl_cli *c, enum sl_cli_option o, uint64_t *ms);

/* The client, made at its first use; null: said why, the command ends with SL_CLI_EXIT_USAGE. */
struct sl_cli_client *sl_cli_connect(struct sl_cli *c);

/* What --password-file holds, null if it is not given; ended by sl_cli_password_free. False: said why. */
SL_CHECKED bool sl_cli_password(struct sl_cli *c, char **password);
void sl_cli_password_free(char *password);

/* One line on err: "sluice: <what>: <why>; <what to do>", any of the last two may be empty. Returns exit. */
int sl_cli_fail(struct sl_cli *c, int exit, const char *what, const char *why, const char *remedy);
/* The same for an answer that is not good; picks the remedy. */
int sl_cli_fail_answer(struct sl_cli *c, const char *what, const struct sl_cli_answer *a);
/* Writes to out and empties b. */
void sl_cli_print(struct sl_cli *c, struct sl_cli_buf *b);
/* Prints JSON as it is documented in docs/api, one value and a newline. */
void sl_cli_print_json(struct sl_cli *c, struct json_object *json);
/* 0, or the width to cut tables at. */
size_t sl_cli_columns(const struct sl_cli *c);
size_t sl_cli_rows(void);
/* True: yes given, or a person at a terminal answered y. False: said why. */
bool sl_cli_confirm(struct sl_cli *c, const char *question);

/* GET and parse; false: said why, *exit is set. *json is owned by a. */
SL_CHECKED bool sl_cli_get(struct sl_cli *c, const char *what, const char *path, struct sl_cli_answer *a, int *exit);

/* Colours; empty when there are none. */
enum sl_cli_colour { SL_CLI_PLAIN, SL_CLI_BOLD, SL_CLI_DIM, SL_CLI_RED, SL_CLI_GREEN, SL_CLI_YELLOW };
const char *sl_cli_colour(bool has_colour, enum sl_cli_colour colour);

#endif
