/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_STORE_PUMP_H
#define SL_TESTS_SUPPORT_STORE_PUMP_H

#include "tests/support/store_suite.h"

#include <uv.h>

/* A loop of libuv in real time for the tests of a backend. Its functions with ctx fit into struct sl_store_harness. */
struct sl_store_pump {
    uv_loop_t loop;
    uv_timer_t timer;
};

void sl_store_pump_init(struct sl_store_pump *p);
/* Everything of the loop was closed; fails the test if something was not. */
void sl_store_pump_deinit(struct sl_store_pump *p);

/* Runs the loop for this long; 0: what is ready. */
void sl_store_pump_wait(struct sl_store_pump *p, sl_ns time);
/* Runs the loop until something happens, this long at most. */
void sl_store_pump_poll(struct sl_store_pump *p, sl_ns at_most);
/* Closes and waits for the end. */
void sl_store_pump_close(struct sl_store_pump *p, struct sl_store *store);

#endif
