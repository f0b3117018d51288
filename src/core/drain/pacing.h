/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DRAIN_PACING_H
#define SL_CORE_DRAIN_PACING_H

#include "base/units.h"

#include <stdbool.h>

/*
 * How many moves may be in flight on this node's account, shared by all feeds whose maintainers live here. Feedback instead of a
 * fixed number: the window doubles per round of moves while moves stay fast, grows by one step after the first
 * setback, and is cut when moves slow down, time out, or a moving feed leaves its lag budget.
 *
 * Fairness: each feed that wants to move spans joins; a feed may use its share of the window, and always at least one.
 * Integers only; the same calls give the same window. Not thread-safe: one loop.
 */
struct sl_pacer_opts {
    uint32_t window_min;   /* >= 1 */
    uint32_t window_start; /* first window after a pause */
    uint32_t window_max;
    sl_ns slow_factor_x16; /* a round whose median-like move time exceeds best * slow_factor_x16 / 16 + slow_slack_ns is slow */
    sl_ns slow_slack_ns;
};
#define SL_PACER_OPTS_DEFAULT ((struct sl_pacer_opts){ .window_min = 1, .window_start = 64, .window_max = 4096, .slow_factor_x16 = 64, .slow_slack_ns = 500 * SL_MS })

enum sl_move_end {
    SL_MOVE_ARRIVED,
    SL_MOVE_TIMED_OUT,   /* held its slot too long: the slot comes back now, the move may still finish later */
    SL_MOVE_ABANDONED,   /* a node died, a table was dropped: says nothing about speed */
};

struct sl_pacer {
    struct sl_pacer_opts opts;
    uint32_t window;
    uint32_t in_flight;
    uint32_t feeds; /* that joined */
    uint32_t round_left, round_size; /* moves of the current round still to end */
    sl_ns best_ns, round_sum_ns;
    uint32_t round_count;
    sl_ns cut_at; /* last cut: at most one per round-trip */
    bool slow_start;
};

void sl_pacer_init(struct sl_pacer *p, const struct sl_pacer_opts *opts);

/* A feed starts or ends wanting to move spans. When the last one leaves, the window returns to its start for the next drain. */
void sl_pacer_join(struct sl_pacer *p);
void sl_pacer_leave(struct sl_pacer *p);

/* How many more moves a joined feed that has feed_in_flight of them may start now. */
uint32_t sl_pacer_room(const struct sl_pacer *p, uint32_t feed_in_flight);
void sl_pacer_begin(struct sl_pacer *p);
void sl_pacer_end(struct sl_pacer *p, sl_ns now, sl_ns took_ns, enum sl_move_end end);

/* A moving feed's lag left its budget: cut the window in half, at most once per cut_pause. */
void sl_pacer_over_budget(struct sl_pacer *p, sl_ns now);

#endif
