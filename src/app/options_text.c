/* SPDX-License-Identifier: Apache-2.0 */
#include "app/options.h"

#include <string.h>

enum { TEXT_COLUMN = 28, TEXT_WIDTH = 100, TEXT_VALUE_BYTES = 4096 };

/* Words of text from column TEXT_COLUMN on, over as many lines as it takes. */
static void text_print_wrapped(FILE *out, const char *text)
{
    size_t column = TEXT_COLUMN;
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (column > TEXT_COLUMN && column + 1 + len > TEXT_WIDTH) {
            fprintf(out, "\n%*s", TEXT_COLUMN, "");
            column = TEXT_COLUMN;
        } else if (column > TEXT_COLUMN) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)len, text);
        column += len;
        text += len;
        text += *text == ' ' ? 1 : 0;
    }
    fputc('\n', out);
}

static void text_print_option(FILE *out, const struct sl_option_row *row)
{
    char head[96], help[512];
    int len = snprintf(head, sizeof head, "  --%s%s%s", row->flag, row->value[0] != '\0' ? " " : "", row->value);
    snprintf(help, sizeof help, "%s%s%s%s", row->help, row->fallback[0] != '\0' && row->value[0] != '\0' ? " [" : "",
             row->value[0] != '\0' ? row->fallback : "", row->fallback[0] != '\0' && row->value[0] != '\0' ? "]" : "");
    if (len < TEXT_COLUMN - 1)
        fprintf(out, "%-*s", TEXT_COLUMN, head);
    else
        fprintf(out, "%s\n%*s", head, TEXT_COLUMN, "");
    text_print_wrapped(out, help);
}

void sl_options_print_help(FILE *out)
{
    fputs("usage: sluiced [--OPTION VALUE]...\n\n"
          "One node of a Sluice cluster. Every option may also come from a file (--config) or from the\n"
          "environment (--log-level: SLUICE_LOG_LEVEL); flags win over the environment, that over the file.\n",
          out);
#define SL_OPTION_GROUP(title) fputs("\n" title "\n", out);
#define SL_OPTION(type, field, flag, fallback, value, reload, help) \
    text_print_option(out, sl_option_row(SL_OPTION_ID_##field));
#include "app/options.def"
#undef SL_OPTION
#undef SL_OPTION_GROUP
}

/* Options that say what to do instead of running are not part of a configuration. */
static bool text_is_action(enum sl_option_id id)
{
    return id >= SL_OPTION_ID_config;
}

static void text_print_quoted(FILE *out, const char *value)
{
    fputc('\'', out);
    for (; *value != '\0'; value++) {
        if (*value == '\'')
            fputc('\'', out);
        fputc(*value, out);
    }
    fputc('\'', out);
}

static void text_print_setting(FILE *out, const struct sl_options *o, enum sl_option_id id)
{
    static const char *const origins[] = { "default", "file", "environment", "flag" };
    const struct sl_option_row *row = sl_option_row(id);
    char value[TEXT_VALUE_BYTES];
    if (text_is_action(id))
        return;
    sl_options_show(o, id, value, sizeof value);
    fprintf(out, "%s: ", row->flag);
    if (row->type == SL_OPTION_TEXT || row->type == SL_OPTION_LIST || row->type == SL_OPTION_SECRET)
        text_print_quoted(out, value);
    else
        fputs(value, out);
    fprintf(out, " # %s\n", origins[o->origin[id]]);
}

void sl_options_print_config(const struct sl_options *o, FILE *out)
{
#define SL_OPTION_GROUP(title) fputs("# " title "\n", out);
#define SL_OPTION(type, field, flag, fallback, value, reload, help) text_print_setting(out, o, SL_OPTION_ID_##field);
#include "app/options.def"
#undef SL_OPTION
#undef SL_OPTION_GROUP
}
