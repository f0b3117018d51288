/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CLI_PROGRESS_H
#define SL_CLI_PROGRESS_H

#include "cli/model.h"
#include "cli/text.h"

/* How a drain looks while one waits for it. Pure: the same values give the same bytes. */

struct sl_cli_progress {
    bool has_colour;
    size_t width;        /* columns of the terminal; lines are cut there */
    uint64_t elapsed_ms; /* since the drain began, as far as we know */
    struct sl_cli_number eta_ms;
    struct sl_cli_number deadline_in_ms; /* 0 when it has passed */
    const char *contact;                 /* why nothing new is known at the moment; empty = all is well */
};

/* Several lines, each with a newline: heading, bar, what is left, lag, slowest spans, what blocks. */
void sl_cli_progress_block(struct sl_cli_buf *b, const struct sl_cli_drain *d, const struct sl_cli_progress *p);
/* The same in one line without newline. */
void sl_cli_progress_line(struct sl_cli_buf *b, const struct sl_cli_drain *d, const struct sl_cli_progress *p);
/* "2 maintainers, 3,988 dispatchers, 40 moving": kinds that are not zero; "nothing" if all are; unknown ones are "?". */
void sl_cli_progress_left(struct sl_cli_buf *b, const struct sl_cli_drain *d);
/* "dispatchers are still on the node (feed orders ...)" */
void sl_cli_progress_blocker(struct sl_cli_buf *b, const struct sl_cli_drain *d);

/* Guesses the time to the end from how fast the count went down. Zero-initialised is the start. */
struct sl_cli_rate {
    bool has_first;
    uint64_t first_ms, first_left, last_left, changed_ms;
};
void sl_cli_rate_see(struct sl_cli_rate *r, uint64_t now_ms, uint64_t left);
struct sl_cli_number sl_cli_rate_eta(const struct sl_cli_rate *r, uint64_t now_ms);

#endif
