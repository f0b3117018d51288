/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DRAIN_PACING_H
#define SL_CORE_DRAIN_PACING_H

#include "base/units.h"

#include <stdbool.h>

/*
 * How many moves may be in flight on this node's account, shared by all feeds whose maintainers live here. Feedback
 * instead of a fixed number:
 *
 *   round    as many ends of moves as the window holds. If it ends without a cut and at least half of the window was
 *            used, the window grows: doubled before the first cut, by an eighth (at least one) after it.
 *   slow     a move that took longer than best * slow_factor_x16 / 16 + slow_slack_ns. A sample (a round, or 64 to 127
 * moves of a larger one) whose median is slow cuts the window in half, as does a move that timed out. budget   a moving
 * feed that leaves its lag budget cuts the window too, once per best + slow_slack_ns. best     the shortest move seen.
 * It can only rise while the window is at its minimum: there the window cannot be what makes moves slow, so the sinks
 * must have become slower.
 *
 * After a cut, moves that began before it say nothing about the new window: they free their slots and are not judged.
 * So one stall cuts once, however many moves it held.
 *
 * Fairness: each feed that wants to move spans joins; a feed may use its share of the window, and always at least one.
 * Integers only; the same calls give the same window. Not thread-safe: one loop.
 *
 * Invariants: window_min <= window <= window_max; 0 < round_left <= round_size; 0 < sample_left <= round_left;
 * no more than half of a sample is slow.
 */
struct sl_pacer_opts {
    uint32_t window_min;   /* >= 1 */
    uint32_t window_start; /* first window after a pause */
    uint32_t window_max;
    sl_ns slow_factor_x16;
    sl_ns slow_slack_ns;
};
#define SL_PACER_OPTS_DEFAULT                       \
    ((struct sl_pacer_opts){ .window_min = 1,       \
                             .window_start = 64,    \
                             .window_max = 4096,    \
                             .slow_factor_x16 = 64, \
                             .slow_slack_ns = 500 * SL_MS })

enum sl_move_end {
    SL_MOVE_ARRIVED,
    SL_MOVE_TIMED_OUT, /* held its slot too long: the slot comes back now, the move may still finish later */
    SL_MOVE_ABANDONED, /* a node died, a table was dropped: says nothing about speed */
};

struct sl_pacer {
    struct sl_pacer_opts opts;
    uint32_t window;
    uint32_t in_flight;
    uint32_t feeds;                  /* that joined */
    uint32_t round_left, round_size; /* moves of the current round still to end */
    uint32_t round_peak;             /* most that were in flight during it */
    uint32_t sample_size, sample_left, sample_slow;
    sl_ns best_ns, round_best_ns; /* SL_NEVER: none yet */
    sl_ns cut_at;                 /* time of the last cut; INT64_MIN: none yet */
    bool slow_start;
};

void sl_pacer_init(struct sl_pacer *p, const struct sl_pacer_opts *opts);

/*
 * A feed starts or ends wanting to move spans. When the last one leaves, what was learnt is forgotten: the next drain
 * may find other sinks and other loads.
 */
void sl_pacer_join(struct sl_pacer *p);
void sl_pacer_leave(struct sl_pacer *p);

/* How many more moves a joined feed that has feed_in_flight of them may start now. */
uint32_t sl_pacer_room(const struct sl_pacer *p, uint32_t feed_in_flight);
void sl_pacer_begin(struct sl_pacer *p);
void sl_pacer_end(struct sl_pacer *p, sl_ns now, sl_ns took_ns, enum sl_move_end end);

/* A moving feed's lag left its budget: cuts the window in half, at most once per best + slow_slack_ns. */
void sl_pacer_over_budget(struct sl_pacer *p, sl_ns now);

#endif
