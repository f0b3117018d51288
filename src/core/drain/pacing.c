/* SPDX-License-Identifier: Apache-2.0 */
#include "core/drain/pacing.h"

#include "base/check.h"

#define PACER_NO_CUT INT64_MIN
#define PACER_GROWTH_DIVISOR 8u
#define PACER_BEST_RISE_DIVISOR 4
#define PACER_SAMPLE_MIN 64u

static void pacer_check(const struct sl_pacer *p)
{
    SL_REQUIRE(p->window >= p->opts.window_min && p->window <= p->opts.window_max);
    SL_REQUIRE(p->round_left > 0 && p->round_left <= p->round_size);
    SL_REQUIRE(p->sample_left > 0 && p->sample_left <= p->round_left);
    SL_REQUIRE(p->sample_slow <= p->sample_size / 2);
}

/* The rest of a round joins its last sample: a sample of one or two moves would judge by accident. */
static void pacer_new_sample(struct sl_pacer *p)
{
    p->sample_left = p->round_left < 2 * PACER_SAMPLE_MIN ? p->round_left : PACER_SAMPLE_MIN;
    p->sample_size = p->sample_left;
    p->sample_slow = 0;
}

static void pacer_new_round(struct sl_pacer *p)
{
    p->round_left = p->round_size = p->window;
    p->round_peak = p->in_flight;
    p->round_best_ns = SL_NEVER;
    pacer_new_sample(p);
}

static void pacer_forget(struct sl_pacer *p)
{
    p->window = p->opts.window_start;
    p->best_ns = SL_NEVER;
    p->cut_at = PACER_NO_CUT;
    p->slow_start = true;
    pacer_new_round(p);
}

void sl_pacer_init(struct sl_pacer *p, const struct sl_pacer_opts *opts)
{
    SL_REQUIRE(opts->window_min >= 1 && opts->window_min <= opts->window_start);
    SL_REQUIRE(opts->window_start <= opts->window_max && opts->window_max <= UINT32_MAX / 2);
    SL_REQUIRE(opts->slow_factor_x16 >= 16 && opts->slow_slack_ns >= 0);
    *p = (struct sl_pacer){ .opts = *opts };
    pacer_forget(p);
    pacer_check(p);
}

void sl_pacer_join(struct sl_pacer *p)
{
    SL_REQUIRE(p->feeds < UINT32_MAX);
    p->feeds++;
}

void sl_pacer_leave(struct sl_pacer *p)
{
    SL_REQUIRE(p->feeds > 0);
    p->feeds--;
    if (p->feeds == 0)
        pacer_forget(p);
    pacer_check(p);
}

uint32_t sl_pacer_room(const struct sl_pacer *p, uint32_t feed_in_flight)
{
    SL_REQUIRE(p->feeds > 0);
    /* Rounded up, so that shares use the whole window; its own limit then keeps the sum inside. */
    uint32_t share = p->window / p->feeds + (p->window % p->feeds != 0);
    uint32_t of_share = share > feed_in_flight ? share - feed_in_flight : 0;
    uint32_t of_window = p->window > p->in_flight ? p->window - p->in_flight : 0;
    uint32_t room = sl_u32_min(of_share, of_window);
    return feed_in_flight == 0 ? sl_u32_max(room, 1) : room;
}

void sl_pacer_begin(struct sl_pacer *p)
{
    SL_REQUIRE(p->in_flight < UINT32_MAX);
    p->in_flight++;
    p->round_peak = sl_u32_max(p->round_peak, p->in_flight);
}

static sl_ns pacer_slow_ns(const struct sl_pacer *p)
{
    if (p->best_ns > SL_NEVER / p->opts.slow_factor_x16)
        return SL_NEVER;
    return sl_ns_after(p->best_ns * p->opts.slow_factor_x16 / 16, p->opts.slow_slack_ns);
}

static void pacer_cut(struct sl_pacer *p, sl_ns now)
{
    p->window = sl_u32_max(p->window / 2, p->opts.window_min);
    p->slow_start = false;
    p->cut_at = now;
    pacer_new_round(p);
}

/* A window that was not used was not tested either: it proves nothing about a larger one. */
static void pacer_grow(struct sl_pacer *p)
{
    if (p->round_peak < p->window - p->window / 2)
        return;
    uint32_t step = p->slow_start ? p->window : 1 + p->window / PACER_GROWTH_DIVISOR;
    p->window = sl_u32_min(p->window + step, p->opts.window_max);
}

static void pacer_let_best_rise(struct sl_pacer *p)
{
    if (p->window > p->opts.window_min || p->round_best_ns == SL_NEVER || p->round_best_ns <= p->best_ns)
        return;
    p->best_ns += (p->round_best_ns - p->best_ns) / PACER_BEST_RISE_DIVISOR;
}

static void pacer_judge(struct sl_pacer *p, sl_ns now, sl_ns took_ns)
{
    if (took_ns > pacer_slow_ns(p))
        p->sample_slow++;
    p->best_ns = sl_ns_min(p->best_ns, took_ns);
    p->round_best_ns = sl_ns_min(p->round_best_ns, took_ns);
    p->round_left--;
    p->sample_left--;
    if (p->sample_slow > p->sample_size / 2) {
        pacer_let_best_rise(p);
        pacer_cut(p, now);
    } else if (p->round_left == 0) {
        pacer_grow(p);
        pacer_new_round(p);
    } else if (p->sample_left == 0) {
        pacer_new_sample(p);
    }
}

void sl_pacer_end(struct sl_pacer *p, sl_ns now, sl_ns took_ns, enum sl_move_end end)
{
    SL_REQUIRE(p->in_flight > 0 && took_ns >= 0);
    p->in_flight--;
    bool began_before_cut = p->cut_at != PACER_NO_CUT && now - took_ns < p->cut_at;
    switch (end) {
    case SL_MOVE_ARRIVED:
        if (!began_before_cut)
            pacer_judge(p, now, took_ns);
        break;
    case SL_MOVE_TIMED_OUT:
        if (!began_before_cut)
            pacer_cut(p, now);
        break;
    case SL_MOVE_ABANDONED:
        break;
    }
    pacer_check(p);
}

void sl_pacer_over_budget(struct sl_pacer *p, sl_ns now)
{
    sl_ns pause_ns = p->best_ns == SL_NEVER ? p->opts.slow_slack_ns : sl_ns_after(p->best_ns, p->opts.slow_slack_ns);
    if (p->cut_at != PACER_NO_CUT && now < sl_ns_after(p->cut_at, pause_ns))
        return;
    pacer_cut(p, now);
    pacer_check(p);
}
