/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top.h"

#include "cli/progress.h"

#include <inttypes.h>
#include <string.h>

/* ---- lines ---- */

struct top_page {
    struct sl_cli_buf *out;
    const struct sl_cli_top *t;
    size_t lines;
};

static bool top_has_room(const struct top_page *p, size_t lines)
{
    return p->lines + lines + 1 <= p->t->height; /* the last line says how to quit */
}

static void top_line(struct top_page *p, const char *text, enum sl_cli_colour colour)
{
    if (!top_has_room(p, 1))
        return;
    sl_cli_add(p->out, sl_cli_colour(p->t->has_colour, colour));
    sl_cli_add_cut(p->out, text, p->t->width);
    sl_cli_add(p->out, colour == SL_CLI_PLAIN ? "" : sl_cli_colour(p->t->has_colour, SL_CLI_PLAIN));
    sl_cli_add(p->out, "\n");
    p->lines++;
}

/* A table, cut to rows lines; says how many did not fit. */
static void top_table(struct top_page *p, const struct sl_cli_table *table, size_t rows)
{
    struct sl_cli_buf b = { 0 };
    size_t all = table->cell_count / table->columns, shown = 0;
    char more[60];
    sl_cli_table_render(table, p->t->width, &b);
    for (char *line = b.ptr, *end; line && *line != '\0' && shown < rows; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        bool is_last = shown + 1 == rows && all > rows;
        (void)snprintf(more, sizeof more, "... %zu more", all - shown);
        top_line(p, is_last ? more : line, shown == 0 ? SL_CLI_BOLD : SL_CLI_PLAIN);
        shown++;
    }
    sl_cli_buf_free(&b);
}

/* ---- parts ---- */

static void top_nodes(struct top_page *p, size_t rows)
{
    struct sl_cli_table table;
    sl_cli_table_init(&table, "NODE|STATE|ROLE|>FEEDS|>DISPATCHERS|ADDRESS");
    for (size_t i = 0; i < p->t->nodes->count; i++) {
        const struct sl_cli_node *n = &p->t->nodes->items[i];
        sl_cli_table_cell(&table, n->name);
        sl_cli_table_cell(&table, sl_cli_node_state(n));
        sl_cli_table_cell(&table, n->is_owner ? "coordinator" : "");
        sl_cli_table_count(&table, n->maintainers.is_known && !n->is_unknown, n->maintainers.v);
        sl_cli_table_count(&table, n->dispatchers.is_known && !n->is_unknown, n->dispatchers.v);
        sl_cli_table_cell(&table, n->address);
    }
    top_table(p, &table, rows);
    sl_cli_table_deinit(&table);
}

static void top_feeds(struct top_page *p, size_t rows)
{
    struct sl_cli_table table;
    sl_cli_table_init(&table, "FEED|STATE|>LAG|>CHECKPOINT|ERROR");
    for (size_t i = 0; i < sl_cli_item_count(p->t->feeds); i++) {
        struct sl_cli_feed f;
        struct sl_cli_buf b = { 0 };
        if (!sl_cli_feed_decode(&f, sl_cli_item(p->t->feeds, i)))
            continue;
        sl_cli_table_cell(&table, f.name);
        sl_cli_table_cell(&table, f.state);
        if (f.lag_ms.is_known)
            sl_cli_add_ms(&b, f.lag_ms.v);
        sl_cli_table_cell(&table, b.ptr ? b.ptr : "");
        sl_cli_buf_clear(&b);
        if (f.checkpoint.is_known)
            sl_cli_addf(&b, "%" PRIu64, f.checkpoint.v);
        sl_cli_table_cell(&table, b.ptr ? b.ptr : "");
        sl_cli_table_cell(&table, f.error);
        sl_cli_buf_free(&b);
    }
    top_table(p, &table, rows);
    sl_cli_table_deinit(&table);
}

static void top_drain(struct top_page *p, const struct sl_cli_drain *d)
{
    const size_t width = 20;
    struct sl_cli_buf line = { 0 };
    unsigned percent = sl_cli_drain_percent(d);
    size_t full = percent * width / 100;
    sl_cli_addf(&line, "drain %s %s [", sl_cli_drain_node(d), d->phase);
    sl_cli_add_fill(&line, '#', full);
    sl_cli_add_fill(&line, '-', width - full);
    sl_cli_addf(&line, "] %u %%  ", percent);
    sl_cli_progress_left(&line, d);
    top_line(p, line.ptr, SL_CLI_PLAIN);
    sl_cli_buf_clear(&line);
    sl_cli_add(&line, "  ");
    if (sl_cli_drain_was_safe(d))
        sl_cli_add(&line, "safe to stop");
    else
        sl_cli_progress_blocker(&line, d);
    top_line(p, line.ptr, sl_cli_drain_was_safe(d) ? SL_CLI_GREEN : SL_CLI_YELLOW);
    sl_cli_buf_free(&line);
}

static size_t top_drains(struct top_page *p, bool draws)
{
    size_t open = 0;
    for (size_t i = 0; i < sl_cli_item_count(p->t->drains); i++) {
        struct sl_cli_drain d;
        if (!sl_cli_drain_decode(&d, sl_cli_item(p->t->drains, i)) || sl_cli_drain_is_over(&d))
            continue;
        open++;
        if (draws && open <= 4)
            top_drain(p, &d);
    }
    return open;
}

static void top_heading(struct top_page *p)
{
    struct sl_cli_buf line = { 0 };
    const char *owner = "none";
    for (size_t i = 0; i < p->t->nodes->count; i++)
        owner = p->t->nodes->items[i].is_owner ? p->t->nodes->items[i].name : owner;
    sl_cli_addf(&line, "sluice top  %s  nodes %zu, coordinator %s, feeds %zu  %s", p->t->clock, p->t->nodes->count,
                owner, sl_cli_item_count(p->t->feeds), p->t->server);
    top_line(p, line.ptr, SL_CLI_BOLD);
    sl_cli_buf_free(&line);
    if (p->t->contact[0] != '\0')
        top_line(p, p->t->contact, SL_CLI_RED);
}

void sl_cli_top_render(struct sl_cli_buf *b, const struct sl_cli_top *t)
{
    struct top_page p = { .out = b, .t = t };
    size_t open = top_drains(&p, false);
    top_heading(&p);
    if (open > 0) {
        top_line(&p, "", SL_CLI_PLAIN);
        (void)top_drains(&p, true);
    }
    top_line(&p, "", SL_CLI_PLAIN);
    size_t left = t->height > p.lines + 2 ? t->height - p.lines - 2 : 0;
    size_t for_nodes = t->nodes->count + 1 < left * 2 / 3 ? t->nodes->count + 1 : left * 2 / 3;
    top_nodes(&p, for_nodes);
    top_line(&p, "", SL_CLI_PLAIN);
    top_feeds(&p, t->height > p.lines + 1 ? t->height - p.lines - 1 : 0);
    if (!t->fills)
        return;
    while (p.lines + 1 < t->height) {
        sl_cli_add(b, "\n");
        p.lines++;
    }
    sl_cli_add_cut(b, "q quits", t->width);
}
