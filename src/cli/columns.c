/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void columns_push(struct sl_cli_table *t, char *cell)
{
    if (t->cell_count == t->cell_cap) {
        size_t cap = t->cell_cap * 2 + 64;
        char **grown = sl_cli_alloc(cap * sizeof *grown);
        if (t->cell_count > 0)
            memcpy(grown, t->cells, t->cell_count * sizeof *grown);
        free(t->cells);
        t->cells = grown;
        t->cell_cap = cap;
    }
    t->cells[t->cell_count++] = cell;
}

void sl_cli_table_init(struct sl_cli_table *t, const char *head)
{
    *t = (struct sl_cli_table){ 0 };
    const char *p = head;
    while (t->columns < SL_CLI_COLUMNS_MAX) {
        size_t len = strcspn(p, "|");
        size_t mark = *p == '>';
        char *cell = sl_cli_alloc(len + 1);
        memcpy(cell, p + mark, len - mark);
        t->right[t->columns++] = mark > 0;
        columns_push(t, cell);
        if (p[len] == '\0')
            break;
        p += len + 1;
    }
}

void sl_cli_table_deinit(struct sl_cli_table *t)
{
    for (size_t i = 0; i < t->cell_count; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct sl_cli_table){ 0 };
}

void sl_cli_table_cell(struct sl_cli_table *t, const char *text)
{
    size_t size = strlen(text) * 4 + 1;
    char *cell = sl_cli_alloc(size + 1);
    sl_cli_clean(cell, size + 1, text[0] != '\0' ? text : "-");
    columns_push(t, cell);
}

void sl_cli_table_count(struct sl_cli_table *t, bool is_known, uint64_t v)
{
    struct sl_cli_buf b = { 0 };
    if (is_known)
        sl_cli_add_count(&b, v);
    sl_cli_table_cell(t, is_known ? b.ptr : "-");
    sl_cli_buf_free(&b);
}

static void columns_line(const struct sl_cli_table *t, const char *const *cells, const size_t *widths,
                         struct sl_cli_buf *line)
{
    for (size_t c = 0; c < t->columns; c++) {
        size_t pad = widths[c] - sl_cli_width(cells[c]);
        bool is_last = c + 1 == t->columns;
        if (t->right[c])
            sl_cli_add_fill(line, ' ', pad);
        sl_cli_add(line, cells[c]);
        if (!t->right[c] && !is_last)
            sl_cli_add_fill(line, ' ', pad);
        sl_cli_add(line, is_last ? "" : "  ");
    }
}

void sl_cli_table_render(const struct sl_cli_table *t, size_t width, struct sl_cli_buf *out)
{
    size_t widths[SL_CLI_COLUMNS_MAX] = { 0 };
    for (size_t i = 0; i < t->cell_count; i++) {
        size_t w = sl_cli_width(t->cells[i]), c = i % t->columns;
        widths[c] = w > widths[c] ? w : widths[c];
    }
    struct sl_cli_buf line = { 0 };
    for (size_t i = 0; i + t->columns <= t->cell_count; i += t->columns) {
        sl_cli_buf_clear(&line);
        columns_line(t, (const char *const *)&t->cells[i], widths, &line);
        if (width > 0)
            sl_cli_add_cut(out, line.ptr, width);
        else
            sl_cli_add(out, line.ptr);
        sl_cli_add(out, "\n");
    }
    sl_cli_buf_free(&line);
}
