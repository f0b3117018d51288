/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/blackhole/blackhole.h"

#include "port/uri.h"

#include <stdlib.h>
#include <time.h>

#define BLACKHOLE_COMMIT_MS_MAX 60000u

struct blackhole_sink {
    struct sl_sink sink; /* first */
    uint64_t commit_ms;
};

struct blackhole_writer {
    struct sl_writer writer; /* first */
    const struct blackhole_sink *sink;
};

static bool blackhole_parse(uint64_t *commit_ms, struct sl_secret text, struct sl_trouble *t)
{
    struct sl_uri uri;
    struct sl_uri_param param;
    *commit_ms = 0;
    if (!sl_uri_parse(&uri, text, t))
        return false;
    while (sl_uri_next_param(&uri.query, &param)) {
        if (sl_str_eq(param.name, SL_STR("commit_ms")) && !sl_uri_u64(commit_ms, param.value, BLACKHOLE_COMMIT_MS_MAX))
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "write blackhole://?commit_ms=N",
                                  "blackhole: commit_ms is not a number from 0 to %u", BLACKHOLE_COMMIT_MS_MAX);
    }
    return true; /* other sinks' parameters are no harm: one may try a feed without its sink */
}

static bool blackhole_check(struct sl_secret uri, struct sl_trouble *t)
{
    uint64_t commit_ms;
    return blackhole_parse(&commit_ms, uri, t);
}

static bool blackhole_no_memory(struct sl_trouble *t)
{
    return sl_trouble_set(t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "blackhole: no memory");
}

static bool blackhole_open(struct sl_sink **out, const struct sl_sink_open *o, struct sl_trouble *t)
{
    uint64_t commit_ms;
    if (!blackhole_parse(&commit_ms, o->uri, t))
        return false;
    struct blackhole_sink *s = calloc(1, sizeof *s);
    if (!s)
        return blackhole_no_memory(t);
    *s = (struct blackhole_sink){ .sink = { .driver = &sl_blackhole_driver }, .commit_ms = commit_ms };
    *out = &s->sink;
    return true;
}

static bool blackhole_open_writer(struct sl_writer **out, struct sl_sink *s, uint32_t index, struct sl_trouble *t)
{
    (void)index;
    struct blackhole_writer *w = calloc(1, sizeof *w);
    if (!w)
        return blackhole_no_memory(t);
    *w = (struct blackhole_writer){ .writer = { &sl_blackhole_driver }, .sink = (struct blackhole_sink *)s };
    *out = &w->writer;
    return true;
}

static bool blackhole_raise(struct sl_writer *w, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    (void)w, (void)claims, (void)count, (void)t;
    return true;
}

static bool blackhole_append(struct sl_writer *w, const struct sl_sink_span *span, const struct sl_row_run *run,
                             struct sl_trouble *t)
{
    (void)w, (void)span, (void)run, (void)t;
    return true;
}

static bool blackhole_commit(struct sl_writer *w, struct sl_trouble *t)
{
    (void)t;
    uint64_t ms = ((struct blackhole_writer *)w)->sink->commit_ms;
    struct timespec left = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };
    if (ms > 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL);
    return true;
}

static void blackhole_discard(struct sl_writer *w)
{
    (void)w;
}

static void blackhole_close_writer(struct sl_writer *w)
{
    free(w);
}

static void blackhole_close(struct sl_sink *s, bool is_removed)
{
    (void)is_removed;
    free(s);
}

const struct sl_sink_driver sl_blackhole_driver = {
    .schemes = "blackhole",
    .check = blackhole_check,
    .open = blackhole_open,
    .open_writer = blackhole_open_writer,
    .raise = blackhole_raise,
    .append = blackhole_append,
    .commit = blackhole_commit,
    .discard = blackhole_discard,
    .close_writer = blackhole_close_writer,
    .close = blackhole_close,
};
