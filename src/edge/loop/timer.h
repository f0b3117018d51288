/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_LOOP_TIMER_H
#define SL_EDGE_LOOP_TIMER_H

#include "base/check.h"
#include "base/units.h"

#include <uv.h>

/*
 * What every edge needs of libuv, so that its owner may be freed at once: the handles live on the heap by themselves and
 * go away in the loop's closing phase. After everything of a loop was freed or closed, run it until uv_run returns 0.
 */

/* Monotonic, not cached. Any thread. */
sl_ns sl_loop_now(void);

/* ---- one-shot timer ---- */

typedef void sl_timer_fired(void *ctx);
struct sl_timer;

/* Not armed. A null pointer without memory. An armed timer keeps the loop alive. */
struct sl_timer *sl_timer_new(uv_loop_t *loop, sl_timer_fired *fired, void *ctx);
/* Fires once at or after the deadline (sl_loop_now's clock), never inside this call. SL_NEVER disarms. Arming again moves
 * it. */
void sl_timer_arm(struct sl_timer *t, sl_ns deadline);
/* fired is not called any more. Null allowed. Allowed inside fired. */
void sl_timer_free(struct sl_timer *t);

/* ---- work for the end of the loop's turn ---- */

typedef void sl_turn_run(void *ctx);
struct sl_turn;

/* A null pointer without memory. */
struct sl_turn *sl_turn_new(uv_loop_t *loop, sl_turn_run *run, void *ctx);
/* run is called once, outside of every other callback, before the loop sleeps. Waking again before that changes nothing.
 * Allowed inside run. */
void sl_turn_wake(struct sl_turn *t);
/* run is not called any more. Null allowed. Allowed inside run. */
void sl_turn_free(struct sl_turn *t);

#endif
