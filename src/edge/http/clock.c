/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t sl__time_wall_ms(void)
{
    struct timespec ts;
    if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
        return 0;
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Beyond what a calendar can show there is only a far future. */
#define TIME_WALL_MS_MAX UINT64_C(253402300799999) /* 9999-12-31 */

static void time_split(uint64_t wall_ms, struct tm *(*convert)(const time_t *, struct tm *), struct tm *tm,
                       unsigned *ms)
{
    wall_ms = wall_ms > TIME_WALL_MS_MAX ? TIME_WALL_MS_MAX : wall_ms;
    time_t s = (time_t)(wall_ms / 1000);
    *ms = (unsigned)(wall_ms % 1000);
    memset(tm, 0, sizeof *tm);
    (void)convert(&s, tm);
}

const char *sl__time_rfc3339(char out[SL__TIME_BYTES], uint64_t wall_ms)
{
    struct tm tm;
    char head[SL__TIME_BYTES - 8];
    unsigned ms;
    time_split(wall_ms, gmtime_r, &tm, &ms);
    if (strftime(head, sizeof head, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        head[0] = '\0';
    (void)snprintf(out, SL__TIME_BYTES, "%s.%03uZ", head, ms % 1000);
    return out;
}

const char *sl__time_local(char out[SL__TIME_BYTES], uint64_t wall_ms)
{
    struct tm tm;
    char head[SL__TIME_BYTES - 8];
    unsigned ms;
    time_split(wall_ms, localtime_r, &tm, &ms);
    if (strftime(head, sizeof head, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        head[0] = '\0';
    (void)snprintf(out, SL__TIME_BYTES, "%s.%03u", head, ms % 1000);
    return out;
}

/* ---- durations ---- */

static const struct time_unit {
    const char *name;
    uint64_t us;
} time_units[] = { { "ns", 0 }, { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 }, { "h", 3600000000 } };

static const struct time_unit *time_unit_at(struct sl_str s, size_t at)
{
    size_t len = 0;
    while (at + len < s.len && s.ptr[at + len] >= 'a' && s.ptr[at + len] <= 'z')
        len++;
    for (size_t i = 0; i < sizeof time_units / sizeof time_units[0]; i++) {
        if (strlen(time_units[i].name) == len && memcmp(time_units[i].name, s.ptr + at, len) == 0)
            return &time_units[i];
    }
    return NULL;
}

#define TIME_DIGITS_MAX 9

/* A number of up to nine digits; its count of digits, 0 if there is none or too many. */
static size_t time_number(struct sl_str s, size_t at, uint64_t *out)
{
    size_t len = 0;
    *out = 0;
    while (at + len < s.len && s.ptr[at + len] >= '0' && s.ptr[at + len] <= '9') {
        *out = *out * 10 + (uint64_t)(s.ptr[at + len++] - '0');
        if (len > TIME_DIGITS_MAX)
            return 0;
    }
    return len;
}

static size_t time_part(struct sl_str s, size_t at, uint64_t *us)
{
    uint64_t whole, fraction = 0, scale = 1;
    size_t start = at;
    size_t digits = time_number(s, at, &whole);
    if (digits == 0)
        return 0;
    at += digits;
    if (at < s.len && s.ptr[at] == '.') {
        digits = time_number(s, at + 1, &fraction);
        if (digits == 0)
            return 0;
        for (size_t i = 0; i < digits; i++)
            scale *= 10;
        at += digits + 1;
    }
    if (at == s.len) { /* no unit: seconds, only when it stands alone */
        *us += whole * 1000000 + fraction * 1000000 / scale;
        return start == 0 ? at : 0;
    }
    const struct time_unit *unit = time_unit_at(s, at);
    if (!unit)
        return 0;
    *us += whole * unit->us + fraction * unit->us / scale;
    return at + strlen(unit->name) - start;
}

bool sl__time_parse_ms(struct sl_str text, uint64_t *ms)
{
    uint64_t us = 0;
    size_t at = 0;
    *ms = 0;
    if (text.len == 0 || text.len > 40)
        return false;
    while (at < text.len) {
        size_t len = time_part(text, at, &us);
        if (len == 0)
            return false;
        at += len;
    }
    *ms = us / 1000;
    return true;
}
