/* SPDX-License-Identifier: Apache-2.0 */
#include "app/pulse.h"

#include "edge/loop/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct sl_pulse {
    struct sl_timer *timer;
    sl_pulse_beat *beat;
    void *ctx;
    sl_ns due;               /* on the clock of the loop */
    sl_ns ran, queued;       /* of this thread, at the last beat */
    sl_ns boot_minus_steady; /* grows by what the machine slept */
    int schedstat_fd;        /* -1: the system does not say */
};

static sl_ns pulse_clock(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (sl_ns)ts.tv_sec * SL_S + ts.tv_nsec;
}

static bool pulse_parse_number(const char **text, sl_ns *out)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(*text, &end, 10);
    if (end == *text || errno != 0 || value > INT64_MAX)
        return false;
    *out = (sl_ns)value;
    *text = end;
    return true;
}

bool sl_pulse_parse_schedstat(const char *text, sl_ns *ran, sl_ns *queued)
{
    return pulse_parse_number(&text, ran) && *text == ' ' && pulse_parse_number(&text, queued) && *text == ' ';
}

static void pulse_read_thread(const struct sl_pulse *p, sl_ns *ran, sl_ns *queued)
{
    char text[96];
    ssize_t n = p->schedstat_fd >= 0 ? pread(p->schedstat_fd, text, sizeof text - 1, 0) : 0;
    text[n > 0 ? n : 0] = '\0';
    if (n > 0 && sl_pulse_parse_schedstat(text, ran, queued))
        return;
    *ran = pulse_clock(CLOCK_THREAD_CPUTIME_ID);
    *queued = -1;
}

static void pulse_arm(struct sl_pulse *p)
{
    p->due = sl_loop_now() + SL_PULSE_PERIOD_NS;
    sl_timer_arm(p->timer, p->due);
}

static void pulse_on_timer(void *ctx)
{
    struct sl_pulse *p = ctx;
    sl_ns ran, queued;
    sl_ns offset = pulse_clock(CLOCK_BOOTTIME) - pulse_clock(CLOCK_MONOTONIC);
    pulse_read_thread(p, &ran, &queued);
    struct sl_pulse_late late = { .ran = ran - p->ran,
                                  .queued = queued < 0 || p->queued < 0 ? -1 : queued - p->queued,
                                  .asleep = offset - p->boot_minus_steady > SL_MS ? offset - p->boot_minus_steady : 0 };
    late.late = sl_loop_now() - p->due + late.asleep;
    p->ran = ran;
    p->queued = queued;
    p->boot_minus_steady = offset;
    pulse_arm(p);
    p->beat(p->ctx, &late);
}

struct sl_pulse *sl_pulse_new(struct uv_loop_s *loop, sl_pulse_beat *beat, void *ctx)
{
    struct sl_pulse *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->timer = sl_timer_new(loop, pulse_on_timer, p);
    if (!p->timer) {
        free(p);
        return NULL;
    }
    p->beat = beat;
    p->ctx = ctx;
    p->schedstat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    p->boot_minus_steady = pulse_clock(CLOCK_BOOTTIME) - pulse_clock(CLOCK_MONOTONIC);
    pulse_read_thread(p, &p->ran, &p->queued);
    pulse_arm(p);
    return p;
}

sl_ns sl_pulse_overdue(const struct sl_pulse *p)
{
    sl_ns slept = pulse_clock(CLOCK_BOOTTIME) - pulse_clock(CLOCK_MONOTONIC) - p->boot_minus_steady;
    sl_ns overdue = sl_loop_now() - p->due + (slept > SL_MS ? slept : 0);
    return overdue > 0 ? overdue : 0;
}

void sl_pulse_free(struct sl_pulse *p)
{
    if (!p)
        return;
    sl_timer_free(p->timer);
    if (p->schedstat_fd >= 0)
        close(p->schedstat_fd);
    free(p);
}
