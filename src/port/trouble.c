/* SPDX-License-Identifier: Apache-2.0 */
#include "port/trouble.h"

#include <stdarg.h>
#include <stdio.h>

static void trouble_clean(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

bool sl_trouble_set(struct sl_trouble *t, enum sl_trouble_kind kind, const char *code, const char *remedy,
                    const char *detail, ...)
{
    va_list args;
    *t = (struct sl_trouble){ .kind = kind };
    snprintf(t->code, sizeof t->code, "%s", code);
    snprintf(t->remedy, sizeof t->remedy, "%s", remedy);
    va_start(args, detail);
    vsnprintf(t->detail, sizeof t->detail, detail, args);
    va_end(args);
    trouble_clean(t->code);
    trouble_clean(t->detail);
    trouble_clean(t->remedy);
    return false;
}
