/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>

#define PROGRESS_BAR_WIDTH 30
#define PROGRESS_SLOW_LINES 3
#define PROGRESS_STILL_MS 3000 /* nobody can say when something ends that does not go on */

/* ---- counts ---- */

static void progress_kind(struct sl_cli_buf *b, struct sl_cli_number n, const char *one, const char *many)
{
    if (n.is_known && n.v == 0)
        return;
    sl_cli_add(b, b->len > 0 ? ", " : "");
    if (n.is_known)
        sl_cli_add_count(b, n.v);
    else
        sl_cli_add(b, "?");
    sl_cli_addf(b, " %s", n.is_known && n.v == 1 ? one : many);
}

/* A coordinator that only begins has counted nothing. */
static bool progress_is_counted(const struct sl_cli_drain *d)
{
    return d->maintainers.is_known || d->dispatchers.is_known;
}

void sl_cli_progress_left(struct sl_cli_buf *b, const struct sl_cli_drain *d)
{
    struct sl_cli_buf kinds = { 0 };
    if (!progress_is_counted(d)) {
        sl_cli_add(b, "not known yet");
        return;
    }
    progress_kind(&kinds, d->maintainers, "maintainer", "maintainers");
    progress_kind(&kinds, d->operators, "maintainer moving", "maintainers moving");
    progress_kind(&kinds, d->dispatchers, "dispatcher", "dispatchers");
    progress_kind(&kinds, d->moves, "move", "moves");
    progress_kind(&kinds, d->feeds_unsettled, "feed unsettled", "feeds unsettled");
    progress_kind(&kinds, d->peers_unacked, "peer unacked", "peers unacked");
    if (d->stuck.v > 0)
        progress_kind(&kinds, d->stuck, "stuck", "stuck");
    sl_cli_add(b, kinds.len > 0 ? kinds.ptr : "nothing");
    sl_cli_buf_free(&kinds);
}

void sl_cli_progress_blocker(struct sl_cli_buf *b, const struct sl_cli_drain *d)
{
    sl_cli_add(b, d->blocker_text[0] != '\0' ? d->blocker_text : d->blocker);
    if (d->blocker_detail[0] != '\0')
        sl_cli_addf(b, " (%s)", d->blocker_detail);
}

static bool progress_is_blocked(const struct sl_cli_drain *d)
{
    return !sl_cli_drain_was_safe(d) && d->blocker[0] != '\0';
}

static bool progress_is_late(const struct sl_cli_drain *d)
{
    return d->lag_ms.is_known && d->lag_budget_ms.v > 0 && d->lag_ms.v > d->lag_budget_ms.v;
}

static void progress_lag(struct sl_cli_buf *b, const struct sl_cli_drain *d)
{
    if (!d->lag_ms.is_known)
        return;
    sl_cli_add(b, "lag ");
    sl_cli_add_ms(b, d->lag_ms.v);
    if (d->lag_budget_ms.v > 0) {
        sl_cli_add(b, " of ");
        sl_cli_add_ms(b, d->lag_budget_ms.v);
    }
    if (progress_is_late(d))
        sl_cli_add(b, " (moves wait)");
}

/* ---- one line ---- */

static void progress_part(struct sl_cli_buf *b, const char *name, struct sl_cli_number ms)
{
    if (!ms.is_known)
        return;
    sl_cli_addf(b, "; %s ", name);
    sl_cli_add_ms(b, ms.v);
}

void sl_cli_progress_line(struct sl_cli_buf *b, const struct sl_cli_drain *d, const struct sl_cli_progress *p)
{
    sl_cli_addf(b, "%s %s %u %%: ", sl_cli_drain_node(d), d->phase, sl_cli_drain_percent(d));
    sl_cli_progress_left(b, d);
    sl_cli_add(b, progress_is_counted(d) ? " left" : "");
    if (d->lag_ms.is_known)
        sl_cli_add(b, "; ");
    progress_lag(b, d);
    progress_part(b, "ETA", p->eta_ms);
    if (progress_is_blocked(d)) {
        sl_cli_add(b, "; not safe: ");
        sl_cli_progress_blocker(b, d);
    }
    if (p->contact[0] != '\0')
        sl_cli_addf(b, "; %s", p->contact);
}

/* ---- the block ---- */

static void progress_end_line(struct sl_cli_buf *b, struct sl_cli_buf *line, const struct sl_cli_progress *p)
{
    /* The last column stays free: some terminals wrap when it is written. */
    sl_cli_add_cut(b, line->ptr, p->width > 1 ? p->width - 1 : 79);
    sl_cli_add(b, "\n");
    sl_cli_buf_clear(line);
}

static void progress_heading(struct sl_cli_buf *line, const struct sl_cli_drain *d, const struct sl_cli_progress *p)
{
    sl_cli_addf(line, "%sDraining %s%s  %s  drain %s", sl_cli_colour(p->has_colour, SL_CLI_BOLD), sl_cli_drain_node(d),
                sl_cli_colour(p->has_colour, SL_CLI_PLAIN), d->phase, d->id);
    if (d->reason[0] != '\0')
        sl_cli_addf(line, "  %s", d->reason);
}

static void progress_bar(struct sl_cli_buf *line, const struct sl_cli_drain *d, const struct sl_cli_progress *p)
{
    unsigned percent = sl_cli_drain_percent(d);
    size_t full = percent * PROGRESS_BAR_WIDTH / 100;
    sl_cli_addf(line, "[%s", sl_cli_colour(p->has_colour, SL_CLI_GREEN));
    sl_cli_add_fill(line, '#', full);
    sl_cli_add(line, sl_cli_colour(p->has_colour, SL_CLI_PLAIN));
    sl_cli_add_fill(line, '-', PROGRESS_BAR_WIDTH - full);
    sl_cli_addf(line, "] %3u %%", percent);
    if (d->dispatchers_at_start > 0) {
        sl_cli_add(line, "  ");
        sl_cli_add_count(line, d->moves_done);
        sl_cli_add(line, " of ");
        sl_cli_add_count(line, d->dispatchers_at_start);
        sl_cli_add(line, " dispatchers moved");
    }
}

static void progress_times(struct sl_cli_buf *line, const struct sl_cli_drain *d, const struct sl_cli_progress *p)
{
    struct sl_cli_number elapsed = { true, p->elapsed_ms };
    progress_lag(line, d);
    progress_part(line, "elapsed", elapsed);
    progress_part(line, "ETA", p->eta_ms);
    if (p->deadline_in_ms.is_known && p->deadline_in_ms.v == 0)
        sl_cli_add(line, "; past the deadline");
    else
        progress_part(line, "deadline in", p->deadline_in_ms);
    if (!d->lag_ms.is_known) { /* begins with the separator of what is missing */
        line->len -= 2;
        memmove(line->ptr, line->ptr + 2, line->len + 1);
    }
}

static void progress_slow(struct sl_cli_buf *b, struct sl_cli_buf *line, const struct sl_cli_drain *d,
                          const struct sl_cli_progress *p)
{
    for (size_t i = 0; i < d->slow_count && i < PROGRESS_SLOW_LINES; i++) {
        const struct sl_cli_slow *slow = &d->slow[i];
        sl_cli_addf(line, "%s%s %s %s ", i == 0 ? "slowest: " : "         ", slow->feed, slow->span, slow->phase);
        sl_cli_add_ms(line, slow->age_ms);
        if (slow->waits_for[0] != '\0')
            sl_cli_addf(line, ", waits for %s", slow->waits_for);
        progress_end_line(b, line, p);
    }
}

void sl_cli_progress_block(struct sl_cli_buf *b, const struct sl_cli_drain *d, const struct sl_cli_progress *p)
{
    struct sl_cli_buf line = { 0 };
    progress_heading(&line, d, p);
    progress_end_line(b, &line, p);
    progress_bar(&line, d, p);
    progress_end_line(b, &line, p);
    sl_cli_add(&line, "left: ");
    sl_cli_progress_left(&line, d);
    progress_end_line(b, &line, p);
    progress_times(&line, d, p);
    progress_end_line(b, &line, p);
    progress_slow(b, &line, d, p);
    if (progress_is_blocked(d)) {
        sl_cli_addf(&line, "%snot safe to stop:%s ", sl_cli_colour(p->has_colour, SL_CLI_YELLOW),
                    sl_cli_colour(p->has_colour, SL_CLI_PLAIN));
        sl_cli_progress_blocker(&line, d);
        progress_end_line(b, &line, p);
    }
    if (p->contact[0] != '\0') {
        sl_cli_addf(&line, "%s%s%s", sl_cli_colour(p->has_colour, SL_CLI_RED), p->contact,
                    sl_cli_colour(p->has_colour, SL_CLI_PLAIN));
        progress_end_line(b, &line, p);
    }
    sl_cli_buf_free(&line);
}

/* ---- rate ---- */

void sl_cli_rate_see(struct sl_cli_rate *r, uint64_t now_ms, uint64_t left)
{
    bool grew = r->has_first && left > r->first_left;
    if (!r->has_first || grew) {
        *r = (struct sl_cli_rate){ true, now_ms, left, left, now_ms };
        return;
    }
    if (left != r->last_left)
        r->changed_ms = now_ms;
    r->last_left = left;
}

struct sl_cli_number sl_cli_rate_eta(const struct sl_cli_rate *r, uint64_t now_ms)
{
    uint64_t gone = r->first_left - r->last_left, spent_ms = now_ms - r->first_ms;
    bool is_known = r->has_first && gone > r->first_left / 100 && r->last_left > 0 && spent_ms >= 500;
    bool stands_still = now_ms - r->changed_ms > PROGRESS_STILL_MS;
    if (!is_known || stands_still || spent_ms > UINT64_MAX / (r->last_left + 1))
        return (struct sl_cli_number){ 0 };
    return (struct sl_cli_number){ true, r->last_left * spent_ms / gone };
}
