/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/net.h"
#include "tests/support/sl_test.h"

#include <string.h>

/* What the simulated network may do to a message, and what it may not. */

enum { HOSTS = 3, MESSAGES_MAX = 4096 };

struct wire {
    struct sl_sim_engine engine;
    struct sl_sim_net net;
    uint32_t next; /* number of the next message */
    struct {
        uint32_t number;
        bool is_stale;
        uint8_t lane;
        sl_ns at;
    } got[MESSAGES_MAX];
    uint32_t got_count;
};

static struct wire w;

static void wire_init(const struct sl_sim_net_opts *opts)
{
    w.next = w.got_count = 0;
    sl_sim_engine_init(&w.engine, 42);
    sl_sim_net_init(&w.net, &w.engine, opts, HOSTS);
}

static void wire_deinit(void)
{
    sl_sim_net_deinit(&w.net);
    sl_sim_engine_deinit(&w.engine);
}

static void wire_send(uint16_t from, uint16_t to, enum sl_lane lane)
{
    uint32_t message, number = w.next++;
    uint8_t *bytes = sl_sim_net_new(&w.net, sizeof number, &message);
    memcpy(bytes, &number, sizeof number);
    sl_sim_net_send(&w.net, message,
                    &(struct sl_sim_route){ .from = from,
                                            .to = to,
                                            .from_process = 1,
                                            .to_process = 2,
                                            .type = SL_MSG_HEART_BEAT_REQUEST,
                                            .lane = lane });
}

/* Everything that arrives until the time. */
static void wire_run(sl_ns until)
{
    struct sl_sim_event event;
    while (sl_sim_engine_take(&w.engine, until, &event)) {
        const struct sl_sim_message *m = sl_sim_net_arrive(&w.net, event.a);
        if (!m)
            continue;
        assert_true(w.got_count < MESSAGES_MAX);
        memcpy(&w.got[w.got_count].number, m->bytes, sizeof(uint32_t));
        w.got[w.got_count].is_stale = m->is_stale;
        w.got[w.got_count].lane = m->lane;
        w.got[w.got_count++].at = w.engine.now;
        sl_sim_net_free(&w.net, event.a);
    }
}

static void one_stream_keeps_its_order_whatever_the_delays(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    opts.jitter_ns = 20 * SL_MS;
    opts.spike_ppm = 100000;
    wire_init(&opts);
    for (uint32_t i = 0; i < 1000; i++) {
        wire_send(0, 1, SL_LANE_COMMAND);
        wire_run(w.engine.now + SL_MS);
        sl_sim_engine_advance(&w.engine, w.engine.now);
    }
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count, 1000u);
    for (uint32_t i = 0; i < w.got_count; i++)
        sl_assert_u64(w.got[i].number, i);
    wire_deinit();
}

static void lanes_overtake_each_other(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    opts.jitter_ns = 50 * SL_MS;
    wire_init(&opts);
    for (uint32_t i = 0; i < 200; i++)
        wire_send(0, 1, i % 2 == 0 ? SL_LANE_COMMAND : SL_LANE_EVENT);
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count, 200u);
    uint32_t overtakes = 0, last[2] = { 0, 0 };
    for (uint32_t i = 0; i < w.got_count; i++) {
        assert_true(w.got[i].number >= last[w.got[i].lane]);
        last[w.got[i].lane] = w.got[i].number;
        overtakes += i > 0 && w.got[i].number < w.got[i - 1].number;
    }
    assert_true(overtakes > 0);
    wire_deinit();
}

static void nothing_is_lost_or_doubled_unless_it_is_asked_for(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    wire_init(&opts);
    for (uint32_t i = 0; i < 500; i++)
        wire_send((uint16_t)(i % HOSTS), (uint16_t)((i + 1) % HOSTS), SL_LANE_COMMAND);
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count, 500u);
    sl_assert_u64(w.net.lost_count, 0u);
    wire_deinit();
}

static void loss_takes_about_its_share(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    opts.loss_ppm = 250000;
    wire_init(&opts);
    for (uint32_t i = 0; i < 4000; i++)
        wire_send(0, 1, SL_LANE_COMMAND);
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count + w.net.lost_count, 4000u);
    assert_in_range(w.net.lost_count, 800, 1200);
    wire_deinit();
}

static void message_to_oneself_is_never_lost_and_comes_later(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    opts.loss_ppm = opts.copy_ppm = opts.break_ppm = 900000;
    wire_init(&opts);
    for (uint32_t i = 0; i < 300; i++)
        wire_send(1, 1, SL_LANE_COMMAND);
    sl_assert_u64(w.got_count, 0u);
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count, 300u);
    for (uint32_t i = 0; i < 300; i++) {
        sl_assert_u64(w.got[i].number, i);
        assert_true(w.got[i].at > 0);
    }
    wire_deinit();
}

static void cut_works_in_one_direction(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    wire_init(&opts);
    sl_sim_net_cut(&w.net, 0, 1, true);
    wire_send(0, 1, SL_LANE_COMMAND);
    wire_send(1, 0, SL_LANE_COMMAND);
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count, 1u);
    sl_assert_u64(w.got[0].number, 1u);
    sl_sim_net_cut(&w.net, 0, 1, false);
    wire_send(0, 1, SL_LANE_COMMAND);
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count, 2u);
    wire_deinit();
}

static void stall_holds_everything_and_keeps_the_order(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    wire_init(&opts);
    sl_sim_net_stall(&w.net, 0, 1, 5 * SL_S);
    for (uint32_t i = 0; i < 10; i++)
        wire_send(0, 1, SL_LANE_COMMAND);
    wire_run(5 * SL_S - 1);
    sl_assert_u64(w.got_count, 0u);
    wire_run(5 * SL_S);
    sl_assert_u64(w.got_count, 10u);
    for (uint32_t i = 0; i < 10; i++)
        sl_assert_u64(w.got[i].number, i);
    wire_deinit();
}

static void broken_stream_loses_some_and_the_rest_comes_stale(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    wire_init(&opts);
    for (uint32_t i = 0; i < 100; i++)
        wire_send(0, 1, SL_LANE_COMMAND);
    sl_sim_net_break(&w.net, 0, 1);
    wire_send(0, 1, SL_LANE_COMMAND); /* number 100, in the new stream */
    wire_run(SL_NEVER);
    assert_in_range(w.got_count, 20, 90);
    sl_assert_u64(w.got_count + w.net.lost_count, 101u);
    sl_assert_u64(w.got[0].number, 100u);
    assert_false(w.got[0].is_stale);
    for (uint32_t i = 1; i < w.got_count; i++)
        assert_true(w.got[i].is_stale);
    wire_deinit();
}

static void copy_comes_outside_of_the_stream(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    opts.copy_ppm = 500000;
    wire_init(&opts);
    for (uint32_t i = 0; i < 200; i++)
        wire_send(0, 1, SL_LANE_COMMAND);
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count, 200u + w.net.copy_count);
    assert_in_range(w.net.copy_count, 60, 140);
    uint32_t next = 0;
    for (uint32_t i = 0; i < w.got_count; i++) {
        if (!w.got[i].is_stale)
            sl_assert_u64(w.got[i].number, next++);
    }
    sl_assert_u64(next, 200u);
    wire_deinit();
}

static void ordered_loss_takes_the_next_of_its_type_and_no_more(void **state)
{
    (void)state;
    struct sl_sim_net_opts opts = SL_SIM_NET_OPTS_DEFAULT;
    wire_init(&opts);
    assert_true(sl_sim_net_lose(&w.net, 0, 1, SL_MSG_HEART_BEAT_REQUEST, 2));
    wire_send(1, 0, SL_LANE_COMMAND); /* the other direction */
    for (uint32_t i = 0; i < 4; i++)
        wire_send(0, 1, SL_LANE_COMMAND);
    wire_run(SL_NEVER);
    sl_assert_u64(w.got_count, 3u);
    sl_assert_u64(w.net.lost_count, 2u);
    wire_deinit();
}

static void blocks_of_all_sizes_keep_what_is_in_them(void **state)
{
    (void)state;
    struct sl_sim_engine e;
    struct sl_sim_blocks b;
    uint8_t *blocks[40];
    sl_sim_engine_init(&e, 1);
    sl_sim_blocks_init(&b, &e);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 40; i++) {
            size_t size = 1 + i * i * 200;
            blocks[i] = sl_sim_blocks_new(&b, size);
            memset(blocks[i], (int)i, size);
        }
        for (size_t i = 0; i < 40; i++) {
            size_t size = 1 + i * i * 200;
            sl_assert_u64(blocks[i][0], i);
            sl_assert_u64(blocks[i][size - 1], i);
            sl_sim_blocks_free(&b, blocks[i], size);
        }
    }
    sl_sim_blocks_deinit(&b);
    sl_sim_engine_deinit(&e);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stream_keeps_its_order_whatever_the_delays),
        cmocka_unit_test(lanes_overtake_each_other),
        cmocka_unit_test(nothing_is_lost_or_doubled_unless_it_is_asked_for),
        cmocka_unit_test(loss_takes_about_its_share),
        cmocka_unit_test(message_to_oneself_is_never_lost_and_comes_later),
        cmocka_unit_test(cut_works_in_one_direction),
        cmocka_unit_test(stall_holds_everything_and_keeps_the_order),
        cmocka_unit_test(broken_stream_loses_some_and_the_rest_comes_stale),
        cmocka_unit_test(copy_comes_outside_of_the_stream),
        cmocka_unit_test(ordered_loss_takes_the_next_of_its_type_and_no_more),
        cmocka_unit_test(blocks_of_all_sizes_keep_what_is_in_them),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
