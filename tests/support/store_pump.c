/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/store_pump.h"

void sl_store_pump_init(struct sl_store_pump *p)
{
    sl_assert_i64(uv_loop_init(&p->loop), 0);
    sl_assert_i64(uv_timer_init(&p->loop, &p->timer), 0);
}

void sl_store_pump_deinit(struct sl_store_pump *p)
{
    uv_close((uv_handle_t *)&p->timer, NULL);
    sl_assert_i64(uv_run(&p->loop, UV_RUN_DEFAULT), 0);
    sl_assert_i64(uv_loop_close(&p->loop), 0);
}

static void pump_on_time(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void pump_arm(struct sl_store_pump *p, sl_ns time, bool *over)
{
    p->timer.data = over;
    uv_update_time(&p->loop);
    sl_assert_i64(uv_timer_start(&p->timer, pump_on_time, (uint64_t)((time + SL_MS - 1) / SL_MS), 0), 0);
}

void sl_store_pump_wait(struct sl_store_pump *p, sl_ns time)
{
    bool over = false;
    if (time == 0) {
        uv_run(&p->loop, UV_RUN_NOWAIT);
        return;
    }
    pump_arm(p, time, &over);
    while (!over)
        uv_run(&p->loop, UV_RUN_ONCE);
}

void sl_store_pump_poll(struct sl_store_pump *p, sl_ns at_most)
{
    bool over = false;
    pump_arm(p, at_most, &over);
    uv_run(&p->loop, UV_RUN_ONCE);
    uv_timer_stop(&p->timer);
}

static void pump_on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

void sl_store_pump_close(struct sl_store_pump *p, struct sl_store *store)
{
    bool closed = false;
    sl_store_close(store, pump_on_closed, &closed);
    assert_false(closed);
    for (int i = 0; i < 1000 && !closed; i++)
        sl_store_pump_poll(p, 20 * SL_MS);
    assert_true(closed);
}
