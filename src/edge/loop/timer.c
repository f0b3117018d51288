/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/loop/timer.h"

#include <stdlib.h>

sl_ns sl_loop_now(void)
{
    return (sl_ns)uv_hrtime();
}

/* ---- timer ---- */

struct sl_timer {
    uv_timer_t uv;
    sl_timer_fired *fired;
    void *ctx;
    sl_ns deadline;
};

static void timer_start(struct sl_timer *t);

static void timer_on_fired(uv_timer_t *uv)
{
    struct sl_timer *t = uv->data;
    if (sl_loop_now() < t->deadline) { /* libuv counts whole milliseconds from the beginning of its turn */
        timer_start(t);
        return;
    }
    t->deadline = SL_NEVER;
    t->fired(t->ctx);
}

static void timer_start(struct sl_timer *t)
{
    sl_ns left = t->deadline - sl_loop_now();
    uint64_t left_ms = left <= 0 ? 0 : (uint64_t)((left + SL_MS - 1) / SL_MS);
    uv_update_time(t->uv.loop);
    SL_REQUIRE(uv_timer_start(&t->uv, timer_on_fired, left_ms, 0) == 0);
}

struct sl_timer *sl_timer_new(uv_loop_t *loop, sl_timer_fired *fired, void *ctx)
{
    struct sl_timer *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    SL_REQUIRE(uv_timer_init(loop, &t->uv) == 0);
    t->uv.data = t;
    t->fired = fired;
    t->ctx = ctx;
    t->deadline = SL_NEVER;
    return t;
}

void sl_timer_arm(struct sl_timer *t, sl_ns deadline)
{
    t->deadline = deadline;
    if (deadline == SL_NEVER) {
        SL_REQUIRE(uv_timer_stop(&t->uv) == 0);
        return;
    }
    timer_start(t);
}

static void timer_on_closed(uv_handle_t *uv)
{
    free(uv->data);
}

void sl_timer_free(struct sl_timer *t)
{
    if (t != NULL) {
        uv_close((uv_handle_t *)&t->uv, timer_on_closed);
    }
}

/* ---- turn ---- */

/* The idle handle keeps the loop from sleeping when it is woken after this turn's prepare phase. */
struct sl_turn {
    uv_prepare_t prepare;
    uv_idle_t idle;
    sl_turn_run *run;
    void *ctx;
    uint32_t open_count;
};

static void turn_on_idle(uv_idle_t *uv)
{
    (void)uv;
}

static void turn_on_prepare(uv_prepare_t *uv)
{
    struct sl_turn *t = uv->data;
    SL_REQUIRE(uv_prepare_stop(&t->prepare) == 0);
    SL_REQUIRE(uv_idle_stop(&t->idle) == 0);
    t->run(t->ctx);
}

struct sl_turn *sl_turn_new(uv_loop_t *loop, sl_turn_run *run, void *ctx)
{
    struct sl_turn *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    SL_REQUIRE(uv_prepare_init(loop, &t->prepare) == 0);
    SL_REQUIRE(uv_idle_init(loop, &t->idle) == 0);
    t->prepare.data = t;
    t->idle.data = t;
    t->open_count = 2;
    t->run = run;
    t->ctx = ctx;
    return t;
}

void sl_turn_wake(struct sl_turn *t)
{
    SL_REQUIRE(uv_prepare_start(&t->prepare, turn_on_prepare) == 0);
    SL_REQUIRE(uv_idle_start(&t->idle, turn_on_idle) == 0);
}

static void turn_on_closed(uv_handle_t *uv)
{
    struct sl_turn *t = uv->data;
    if (--t->open_count == 0) {
        free(t);
    }
}

void sl_turn_free(struct sl_turn *t)
{
    if (t != NULL) {
        uv_close((uv_handle_t *)&t->prepare, turn_on_closed);
        uv_close((uv_handle_t *)&t->idle, turn_on_closed);
    }
}
