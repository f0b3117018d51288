/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_HELP_H
#define SL_CLI_HELP_H

#include "cli/table.h"
#include "cli/text.h"

/* Texts made from the tables of commands and options. */

/* Help of the program (no words), of a group ("node"), or of a command. False: no such words. */
SL_CHECKED bool sl_cli_help_add(struct sl_cli_buf *b, const char *const *words, size_t count);
/* The completion script of bash. */
void sl_cli_help_bash(struct sl_cli_buf *b);

#endif
