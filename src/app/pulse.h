/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_PULSE_H
#define SL_APP_PULSE_H

#include "base/units.h"

#include <stdbool.h>

struct uv_loop_s;

/*
 * Whether the loop goes on: a timer that should fire every 50 ms, and how late it did. A lease is renewed in the loop, so
 * a loop that stands still for long fences the node; then somebody asks why, and what is kept here answers.
 */
#define SL_PULSE_PERIOD_NS (50 * SL_MS)

/* What the loop's thread did in the time in which the loop stood still. The rest it waited in some call, or was stopped. */
struct sl_pulse_late {
    sl_ns late;
    sl_ns ran;    /* on a processor */
    sl_ns queued; /* would have run, but no processor was free; -1 if the system does not say */
    sl_ns asleep; /* the machine slept */
};

/* Called in the loop at every beat; late.late is 0 or more. */
typedef void sl_pulse_beat(void *ctx, const struct sl_pulse_late *late);

struct sl_pulse;

/* In the loop's thread, which is the one that is looked at. A null pointer without memory. */
struct sl_pulse *sl_pulse_new(struct uv_loop_s *loop, sl_pulse_beat *beat, void *ctx);
/* How late the next beat is by now; 0 if it is not due. */
sl_ns sl_pulse_overdue(const struct sl_pulse *p);
/* beat is not called any more. Null allowed. */
void sl_pulse_free(struct sl_pulse *p);

/* The content of /proc/PID/schedstat: ns on a processor and ns in its queue. False: not that. */
bool sl_pulse_parse_schedstat(const char *text, sl_ns *ran, sl_ns *queued);

#endif
