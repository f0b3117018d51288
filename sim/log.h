/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_LOG_H
#define SL_SIM_LOG_H

#include "core/common/event.h"
#include "sim/engine.h"

#include <stdio.h>

/* The last events of all nodes, as text. Off (and free) unless a script or a trace wants them. */
#define SL_SIM_LOG_LINES 8192u
#define SL_SIM_LOG_TEXT 232u

struct sl_sim_log_line {
    sl_ns at;
    enum sl_event_id event;
    char host[16];
    char text[SL_SIM_LOG_TEXT];
};

struct sl_sim_log {
    struct sl_sim_engine *engine;
    struct sl_sim_log_line *lines; /* null while off; a ring */
    uint64_t count;                /* ever added */
    FILE *trace;                   /* each line as it comes, or null */
};

void sl_sim_log_init(struct sl_sim_log *l, struct sl_sim_engine *e, bool is_on, FILE *trace);
void sl_sim_log_deinit(struct sl_sim_log *l);

/* host: the name of the speaker. */
void sl_sim_log_event(struct sl_sim_log *l, const char *host, const struct sl_event *event);
/* What the simulator itself does, for the trace alone. */
void sl_sim_log_note(struct sl_sim_log *l, const char *host, const char *fmt, ...) SL_PRINTF(3, 4);

/* The line of a number below count, or null if it is no longer kept. */
const struct sl_sim_log_line *sl_sim_log_line(const struct sl_sim_log *l, uint64_t number);

/* Seconds with three decimals into out, for every text of the simulator. */
#define SL_SIM_TIME_TEXT 24
const char *sl_sim_time_text(sl_ns at, char out[SL_SIM_TIME_TEXT]);

#endif
