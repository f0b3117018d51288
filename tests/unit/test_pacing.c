/* SPDX-License-Identifier: Apache-2.0 */
#include "core/drain/pacing.h"
#include "tests/support/sl_test.h"

#include <string.h>

/*
 * A model of the sinks that moves wait for: `lanes` moves at a time, each for service_ns; the others queue. So the time
 * of a move grows with the window once the window exceeds what the sinks can take, which is what a pacer must notice.
 */
enum { MODEL_MOVES_MAX = 8192, MODEL_LANES_MAX = 512, MODEL_FEEDS_MAX = 16 };

struct model_move {
    sl_ns began_at, ends_at;
    uint32_t feed;
};

struct model {
    struct sl_pacer pacer;
    sl_ns now, service_ns;
    uint32_t lanes;
    sl_ns lane_free_at[MODEL_LANES_MAX];
    struct model_move moves[MODEL_MOVES_MAX];
    uint32_t move_count;
    uint32_t wanted[MODEL_FEEDS_MAX], in_flight[MODEL_FEEDS_MAX], done[MODEL_FEEDS_MAX];
    uint32_t feed_count, in_flight_peak;
    sl_ns took_max;
};

static void model_init(struct model *m, sl_ns service_ns, uint32_t lanes, uint32_t feed_count, uint32_t wanted)
{
    memset(m, 0, sizeof *m);
    m->service_ns = service_ns;
    m->lanes = lanes;
    m->feed_count = feed_count;
    sl_pacer_init(&m->pacer, &SL_PACER_OPTS_DEFAULT);
    for (uint32_t i = 0; i < feed_count; i++) {
        m->wanted[i] = wanted;
        sl_pacer_join(&m->pacer);
    }
}

static uint32_t model_earliest_lane(const struct model *m)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < m->lanes; i++) {
        if (m->lane_free_at[i] < m->lane_free_at[best])
            best = i;
    }
    return best;
}

static void model_begin(struct model *m, uint32_t feed)
{
    uint32_t lane = model_earliest_lane(m);
    sl_ns starts_at = m->lane_free_at[lane] > m->now ? m->lane_free_at[lane] : m->now;
    m->lane_free_at[lane] = starts_at + m->service_ns;
    assert_true(m->move_count < MODEL_MOVES_MAX);
    m->moves[m->move_count++] =
        (struct model_move){ .began_at = m->now, .ends_at = m->lane_free_at[lane], .feed = feed };
    m->in_flight[feed]++;
    m->wanted[feed]--;
    sl_pacer_begin(&m->pacer);
    m->in_flight_peak = sl_u32_max(m->in_flight_peak, m->move_count);
}

static void model_fill(struct model *m)
{
    for (uint32_t i = 0; i < m->feed_count; i++) {
        while (m->wanted[i] > 0 && sl_pacer_room(&m->pacer, m->in_flight[i]) > 0)
            model_begin(m, i);
    }
}

/* Lets the earliest move end. False: none is in flight. */
static bool model_end_one(struct model *m)
{
    uint32_t first = 0;
    if (m->move_count == 0)
        return false;
    for (uint32_t i = 1; i < m->move_count; i++) {
        if (m->moves[i].ends_at < m->moves[first].ends_at)
            first = i;
    }
    struct model_move move = m->moves[first];
    m->moves[first] = m->moves[--m->move_count];
    m->now = move.ends_at;
    m->in_flight[move.feed]--;
    m->done[move.feed]++;
    if (m->wanted[move.feed] == 0 && m->in_flight[move.feed] == 0)
        sl_pacer_leave(&m->pacer);
    sl_ns took = m->now - move.began_at;
    m->took_max = took > m->took_max ? took : m->took_max;
    sl_pacer_end(&m->pacer, m->now, took, SL_MOVE_ARRIVED);
    return true;
}

static void model_run(struct model *m, uint32_t ends)
{
    for (uint32_t i = 0; i < ends; i++) {
        model_fill(m);
        if (!model_end_one(m))
            return;
    }
}

static struct model model; /* too large for a stack */

static void the_window_doubles_per_round_while_moves_are_fast(void **state)
{
    (void)state;
    model_init(&model, 10 * SL_MS, 512, 1, 100000);
    sl_assert_u64(model.pacer.window, 64);
    model_run(&model, 64);
    sl_assert_u64(model.pacer.window, 128);
    model_run(&model, 128);
    sl_assert_u64(model.pacer.window, 256);
    model_run(&model, 256);
    sl_assert_u64(model.pacer.window, 512);
}

static void fast_sinks_move_ten_thousand_spans_in_far_less_than_two_seconds(void **state)
{
    (void)state;
    model_init(&model, 20 * SL_MS, 512, 1, 10000);
    model_run(&model, 10000);
    sl_assert_u64(model.done[0], 10000);
    assert_true(model.now < 1 * SL_S);
}

static void the_window_never_leaves_its_limits(void **state)
{
    (void)state;
    model_init(&model, 1, 512, 1, 200000);
    model_run(&model, 100000);
    sl_assert_u64(model.pacer.window, 4096);
    assert_true(model.in_flight_peak <= 4096);
    for (sl_ns i = 0; i < 100; i++)
        sl_pacer_over_budget(&model.pacer, model.now + i * SL_S);
    sl_assert_u64(model.pacer.window, 1);
}

/* One lane of 50 ms: 20 moves per second are the best there is, and a large window only makes each wait longer. */
static void slow_sinks_keep_the_window_small_and_busy(void **state)
{
    (void)state;
    model_init(&model, 50 * SL_MS, 1, 1, 100000);
    model_run(&model, 2000);
    model.took_max = 0;
    model_run(&model, 2000);
    /* slow = 4 * 50 ms + 500 ms = 14 moves deep; growth overshoots by at most one round. */
    assert_true(model.pacer.window <= 28);
    assert_true(model.took_max <= 1500 * SL_MS);
    assert_true(model.now <= 4001 * 50 * SL_MS);
}

static void a_stall_shrinks_the_window_and_it_recovers_afterwards(void **state)
{
    (void)state;
    model_init(&model, 5 * SL_MS, 256, 1, 10000000);
    model_run(&model, 5000);
    uint32_t before = model.pacer.window;
    assert_true(before >= 512);
    model.service_ns = 4 * SL_S;
    model_run(&model, 12000);
    assert_true(model.pacer.window < before / 4);
    model.service_ns = 5 * SL_MS;
    model_run(&model, 20000);
    assert_true(model.pacer.window >= before / 2);
}

/* Sinks that are slower for good must not pin the window to its minimum for ever. */
static void sinks_that_became_slower_for_good_are_learnt(void **state)
{
    (void)state;
    model_init(&model, 1 * SL_MS, 256, 1, 10000000);
    model_run(&model, 3000);
    model.service_ns = 3 * SL_S;
    model_run(&model, 15000);
    assert_true(model.pacer.best_ns > 500 * SL_MS);
    assert_true(model.pacer.window >= 32);
}

static void feeds_share_the_window_evenly(void **state)
{
    (void)state;
    model_init(&model, 10 * SL_MS, 128, 4, 100000);
    model_run(&model, 40000);
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < 4; i++) {
        least = sl_u32_min(least, model.done[i]);
        most = sl_u32_max(most, model.done[i]);
    }
    assert_true(most - least <= most / 10);
}

static void a_feed_that_ends_leaves_its_share_to_the_others(void **state)
{
    (void)state;
    model_init(&model, 10 * SL_MS, 128, 2, 100000);
    model.wanted[1] = 200;
    model_run(&model, 20000);
    sl_assert_u64(model.done[1], 200);
    sl_assert_u64(model.pacer.feeds, 1);
    sl_assert_u64(model.done[0], 19800);
}

static void a_feed_without_a_move_gets_one_even_when_the_window_is_full(void **state)
{
    (void)state;
    struct sl_pacer p;
    sl_pacer_init(&p, &SL_PACER_OPTS_DEFAULT);
    sl_pacer_join(&p);
    while (sl_pacer_room(&p, p.in_flight) > 0)
        sl_pacer_begin(&p);
    sl_assert_u64(p.in_flight, 64);
    sl_pacer_join(&p);
    sl_assert_u64(sl_pacer_room(&p, 0), 1);
    sl_pacer_begin(&p);
    sl_assert_u64(sl_pacer_room(&p, 1), 0);
    sl_assert_u64(sl_pacer_room(&p, 64), 0);
}

static void shares_are_rounded_up_but_the_window_bounds_their_sum(void **state)
{
    (void)state;
    struct sl_pacer p;
    struct sl_pacer_opts opts = SL_PACER_OPTS_DEFAULT;
    opts.window_start = 10;
    sl_pacer_init(&p, &opts);
    for (int i = 0; i < 4; i++)
        sl_pacer_join(&p);
    sl_assert_u64(sl_pacer_room(&p, 0), 3);
    for (int i = 0; i < 9; i++)
        sl_pacer_begin(&p);
    sl_assert_u64(sl_pacer_room(&p, 0), 1);
    sl_assert_u64(sl_pacer_room(&p, 2), 1);
    sl_pacer_begin(&p);
    sl_assert_u64(sl_pacer_room(&p, 2), 0);
}

static void moves_that_time_out_together_cut_once(void **state)
{
    (void)state;
    struct sl_pacer p;
    sl_pacer_init(&p, &SL_PACER_OPTS_DEFAULT);
    sl_pacer_join(&p);
    for (int i = 0; i < 64; i++)
        sl_pacer_begin(&p);
    for (int i = 0; i < 64; i++)
        sl_pacer_end(&p, 30 * SL_S, 30 * SL_S, SL_MOVE_TIMED_OUT);
    sl_assert_u64(p.window, 32);
    sl_assert_u64(p.in_flight, 0);
    sl_assert_u64(sl_pacer_room(&p, 0), 32);
}

static void abandoned_moves_free_their_slot_and_say_nothing(void **state)
{
    (void)state;
    struct sl_pacer p;
    sl_pacer_init(&p, &SL_PACER_OPTS_DEFAULT);
    sl_pacer_join(&p);
    for (int i = 0; i < 64; i++)
        sl_pacer_begin(&p);
    for (int i = 0; i < 64; i++)
        sl_pacer_end(&p, 60 * SL_S, 60 * SL_S, SL_MOVE_ABANDONED);
    sl_assert_u64(p.window, 64);
    sl_assert_u64(p.in_flight, 0);
}

static void a_feed_over_its_lag_budget_cuts_once_per_pause(void **state)
{
    (void)state;
    struct sl_pacer p;
    sl_pacer_init(&p, &SL_PACER_OPTS_DEFAULT);
    sl_pacer_join(&p);
    sl_pacer_over_budget(&p, 0);
    sl_pacer_over_budget(&p, 499 * SL_MS);
    sl_assert_u64(p.window, 32);
    sl_pacer_over_budget(&p, 500 * SL_MS);
    sl_assert_u64(p.window, 16);
}

static void after_a_cut_the_window_grows_by_an_eighth_per_round(void **state)
{
    (void)state;
    model_init(&model, 10 * SL_MS, 512, 1, 100000);
    model_run(&model, 64);
    sl_pacer_over_budget(&model.pacer, model.now);
    sl_assert_u64(model.pacer.window, 64);
    while (model.pacer.window == 64)
        model_run(&model, 1);
    sl_assert_u64(model.pacer.window, 64 + 9);
}

static void a_window_that_is_not_used_does_not_grow(void **state)
{
    (void)state;
    struct sl_pacer p;
    sl_pacer_init(&p, &SL_PACER_OPTS_DEFAULT);
    sl_pacer_join(&p);
    for (int i = 0; i < 1000; i++) {
        sl_pacer_begin(&p);
        sl_pacer_end(&p, i * SL_MS, SL_MS, SL_MOVE_ARRIVED);
    }
    sl_assert_u64(p.window, 64);
}

static void when_the_last_feed_leaves_the_next_drain_starts_afresh(void **state)
{
    (void)state;
    model_init(&model, 10 * SL_MS, 512, 1, 5000);
    model_run(&model, 4000);
    assert_true(model.pacer.window > 64);
    model_run(&model, 1000);
    sl_assert_u64(model.pacer.feeds, 0);
    sl_assert_u64(model.pacer.window, 64);
    assert_true(model.pacer.slow_start);
    sl_assert_i64(model.pacer.cut_at, INT64_MIN);
}

static void the_same_calls_give_the_same_window(void **state)
{
    (void)state;
    static struct model first;
    for (int run = 0; run < 2; run++) {
        model_init(&model, 7 * SL_MS, 33, 3, 100000);
        model_run(&model, 3000);
        sl_pacer_over_budget(&model.pacer, model.now);
        model.service_ns = 900 * SL_MS;
        model_run(&model, 3000);
        if (run == 0)
            first = model;
    }
    sl_assert_mem(&first.pacer, &model.pacer, sizeof first.pacer);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_doubles_per_round_while_moves_are_fast),
        cmocka_unit_test(fast_sinks_move_ten_thousand_spans_in_far_less_than_two_seconds),
        cmocka_unit_test(the_window_never_leaves_its_limits),
        cmocka_unit_test(slow_sinks_keep_the_window_small_and_busy),
        cmocka_unit_test(a_stall_shrinks_the_window_and_it_recovers_afterwards),
        cmocka_unit_test(sinks_that_became_slower_for_good_are_learnt),
        cmocka_unit_test(feeds_share_the_window_evenly),
        cmocka_unit_test(a_feed_that_ends_leaves_its_share_to_the_others),
        cmocka_unit_test(a_feed_without_a_move_gets_one_even_when_the_window_is_full),
        cmocka_unit_test(shares_are_rounded_up_but_the_window_bounds_their_sum),
        cmocka_unit_test(moves_that_time_out_together_cut_once),
        cmocka_unit_test(abandoned_moves_free_their_slot_and_say_nothing),
        cmocka_unit_test(a_feed_over_its_lag_budget_cuts_once_per_pause),
        cmocka_unit_test(after_a_cut_the_window_grows_by_an_eighth_per_round),
        cmocka_unit_test(a_window_that_is_not_used_does_not_grow),
        cmocka_unit_test(when_the_last_feed_leaves_the_next_drain_starts_afresh),
        cmocka_unit_test(the_same_calls_give_the_same_window),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
