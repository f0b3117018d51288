/* SPDX-License-Identifier: Apache-2.0 */
#include "app/shell_internal.h"

#include <inttypes.h>

/*
 * What keeps a node from renewing its lease, said before it fences itself and when it does: the loop that stood still, or
 * the store that took its time. A third of the lease is the time between two renewals.
 */

static sl_ns pulse_limit(const struct sl_shell *s)
{
    return s->options->lease_ttl / 3;
}

static uint64_t pulse_ms(sl_ns ns)
{
    return ns > 0 ? (uint64_t)(ns / SL_MS) : 0;
}

/* ---- the loop ---- */

static void pulse_on_beat(void *ctx, const struct sl_pulse_late *late)
{
    struct sl_shell *s = ctx;
    sl_histogram_observe(&s->lag_seconds, (double)late->late / (double)SL_S);
    if (late->late < pulse_limit(s))
        return;
    s->stall_end = sl__shell_now(NULL);
    s->stall = late->late;
    sl_ns known = late->ran + sl_ns_max(late->queued, 0) + late->asleep;
    sl_log_app(s->log, SL_APP_LOOP_LATE, sl_f_u64("late_ms", pulse_ms(late->late)),
               sl_f_u64("running_ms", pulse_ms(late->ran)), sl_f_u64("no_cpu_ms", pulse_ms(late->queued)),
               sl_f_u64("asleep_ms", pulse_ms(late->asleep)), sl_f_u64("stopped_ms", pulse_ms(late->late - known)),
               sl_f_u64("lease_ms", pulse_ms(s->options->lease_ttl)));
}

bool sl__shell_pulse_open(struct sl_shell *s)
{
    s->pulse = sl_pulse_new(&s->loop, pulse_on_beat, s);
    return s->pulse != NULL;
}

void sl__shell_pulse_close(struct sl_shell *s)
{
    sl_pulse_free(s->pulse);
    s->pulse = NULL;
}

/* ---- the store ---- */

void sl__shell_on_op_done(struct sl_shell *s, const struct sl_store_result *r)
{
    struct sl__shell_op *op = &s->ops[r->id % SL__SHELL_OPS];
    if (op->id != r->id)
        return;
    sl_ns now = sl__shell_now(NULL), took = now - op->at;
    op->id = 0;
    sl_histogram_observe(&s->op_seconds, (double)took / (double)SL_S);
    if (took < pulse_limit(s))
        return;
    s->slow_count++;
    if (now < s->slow_quiet_until)
        return; /* many wait for the same thing: one line tells it */
    s->slow_quiet_until = now + pulse_limit(s);
    sl_log_app(s->log, SL_APP_STORE_SLOW, sl_f_u64("took_ms", pulse_ms(took)), sl_f_u64("count", s->slow_count),
               sl_f_u64("lease_ms", pulse_ms(s->options->lease_ttl)));
    s->slow_count = 0;
}

static sl_ns pulse_oldest_op(const struct sl_shell *s, sl_ns now)
{
    sl_ns age = 0;
    for (size_t i = 0; i < SL__SHELL_OPS; i++) {
        if (s->ops[i].id != 0)
            age = sl_ns_max(age, now - s->ops[i].at);
    }
    return age;
}

/* ---- the end of the lease ---- */

void sl__shell_say_why_fenced(struct sl_shell *s)
{
    sl_ns now = sl__shell_now(NULL), waits = pulse_oldest_op(s, now), late = sl_pulse_overdue(s->pulse);
    if (s->stall > late && now - s->stall_end < s->options->lease_ttl)
        late = s->stall;
    const char *why = "the metadata store ended the lease";
    if (late >= pulse_limit(s))
        why = "the process did not get to run";
    else if (waits >= pulse_limit(s))
        why = "the metadata store did not answer";
    sl_log_app(s->log, SL_APP_FENCED, sl_f_str("cause", sl_str_of(why)), sl_f_u64("loop_late_ms", pulse_ms(late)),
               sl_f_u64("store_waits_ms", pulse_ms(waits)), sl_f_u64("lease_ms", pulse_ms(s->options->lease_ttl)));
    sl__shell_close(s, SL_EXIT_FENCED, NULL);
    sl_complain(s->complaint, SL_EXIT_FENCED,
                "fenced: the lease of %" PRIu64
                " ms ended, all work was stopped; start the node again. Cause: %s (loop late "
                "by %" PRIu64 " ms, store waited for %" PRIu64 " ms)",
                pulse_ms(s->options->lease_ttl), why, pulse_ms(late), pulse_ms(waits));
}
