/* SPDX-License-Identifier: Apache-2.0 */
#include "app/exits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool sl_complain(struct sl_complaint *c, enum sl_exit why, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    c->exit = why;
    if (vsnprintf(c->text, sizeof c->text, fmt, args) < 0)
        c->text[0] = '\0';
    va_end(args);
    for (char *p = c->text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    return false;
}

void sl_exit_no_memory(const char *what)
{
    fprintf(stderr, "sluiced: no memory for %s: the node ends at once; give it more, or lower memory-rows\n", what);
    _Exit(SL_EXIT_FAILED);
}
