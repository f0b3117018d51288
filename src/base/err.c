/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

struct err_row {
    const char *name, *text, *remedy;
    enum sl_code_class class;
};

static const struct err_row err_rows[SL_CODE_COUNT] = {
#define ERR_ROW(name, class, text, remedy) [SL_##name] = { #name, text, remedy, SL_CLASS_##class },
    SL_CODES(ERR_ROW)
#undef ERR_ROW
};

static const struct err_row *err_row(enum sl_code code)
{
    SL_REQUIRE((unsigned)code < SL_CODE_COUNT);
    return &err_rows[code];
}

const char *sl_code_name(enum sl_code code)
{
    return err_row(code)->name;
}

const char *sl_code_text(enum sl_code code)
{
    return err_row(code)->text;
}

const char *sl_code_remedy(enum sl_code code)
{
    return err_row(code)->remedy;
}

enum sl_code_class sl_code_class(enum sl_code code)
{
    return err_row(code)->class;
}

enum sl_code sl_err_set_at(struct sl_err *e, enum sl_code code, const char *file, int line, const char *fmt, ...)
{
    SL_REQUIRE((unsigned)code < SL_CODE_COUNT);
    if (!e)
        return code;
    e->code = code;
    e->file = file;
    e->line = line;
    va_list args;
    va_start(args, fmt);
    int written = vsnprintf(e->text, sizeof e->text, fmt, args);
    va_end(args);
    if (written < 0)
        e->text[0] = '\0';
    return code;
}
