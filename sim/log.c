/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void sl_sim_log_init(struct sl_sim_log *l, struct sl_sim_engine *e, bool is_on, FILE *trace)
{
    *l = (struct sl_sim_log){ .engine = e, .trace = trace };
    if (is_on)
        l->lines = sl_sim_alloc(e, SL_SIM_LOG_LINES * sizeof *l->lines);
}

void sl_sim_log_deinit(struct sl_sim_log *l)
{
    sl_sim_free(l->engine, l->lines, SL_SIM_LOG_LINES * sizeof *l->lines);
    l->lines = NULL;
}

const char *sl_sim_time_text(sl_ns at, char out[SL_SIM_TIME_TEXT])
{
    snprintf(out, SL_SIM_TIME_TEXT, "%" PRId64 ".%03" PRId64 "s", at / SL_S, at % SL_S / SL_MS);
    return out;
}

static void log_print(const struct sl_sim_log *l, const char *host, const char *text)
{
    char time[SL_SIM_TIME_TEXT];
    fprintf(l->trace, "%s %s %s\n", sl_sim_time_text(l->engine->now, time), host, text);
}

void sl_sim_log_event(struct sl_sim_log *l, const char *host, const struct sl_event *event)
{
    if (!l->lines && !l->trace)
        return;
    char buffer[SL_SIM_LOG_TEXT];
    struct sl_text text;
    sl_text_init(&text, buffer, sizeof buffer);
    sl_event_format(&text, event);
    if (l->trace)
        log_print(l, host, buffer);
    if (!l->lines)
        return;
    struct sl_sim_log_line *line = &l->lines[l->count++ % SL_SIM_LOG_LINES];
    line->at = l->engine->now;
    line->event = event->id;
    snprintf(line->host, sizeof line->host, "%s", host);
    memcpy(line->text, buffer, sizeof line->text);
}

void sl_sim_log_note(struct sl_sim_log *l, const char *host, const char *fmt, ...)
{
    if (!l->trace)
        return;
    char buffer[SL_SIM_LOG_TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(buffer, sizeof buffer, fmt, args);
    va_end(args);
    log_print(l, host, buffer);
}

const struct sl_sim_log_line *sl_sim_log_line(const struct sl_sim_log *l, uint64_t number)
{
    if (!l->lines || number >= l->count || l->count - number > SL_SIM_LOG_LINES)
        return NULL;
    return &l->lines[number % SL_SIM_LOG_LINES];
}
