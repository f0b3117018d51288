/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/blackhole/check.h"

#include "base/array.h"
#include "edge/blackhole/check_internal.h"
#include "port/uri.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK_COMMIT_MS_MAX 60000u
#define CHECK_REMEDY "write check:///absolute/directory"

struct check_sink {
    struct sl_sink sink; /* first */
    char path[SL_CHECK_PATH_MAX];
    struct sl_feed_id feed;
    uint64_t commit_ms;
};

/* A record and whether the state has to be looked at for it: its span's placement. */
struct check_writer {
    struct sl_writer writer; /* first */
    const struct check_sink *sink;
    struct sl_check_store store;
    struct sl_check_record *records;
    uint32_t count, cap;
};

static bool check_no_memory(struct sl_trouble *t)
{
    return sl_trouble_set(t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "check: no memory");
}

static bool check_parse(char *path, uint64_t *commit_ms, struct sl_secret text, struct sl_trouble *t)
{
    struct sl_uri uri;
    struct sl_uri_param param;
    *commit_ms = 0;
    if (!sl_uri_parse(&uri, text, t))
        return false;
    if (uri.host.len > 0 || uri.path.len < 2 || !sl_uri_decode(path, SL_CHECK_PATH_MAX, uri.path))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", CHECK_REMEDY, "check: no absolute directory");
    while (sl_uri_next_param(&uri.query, &param))
        if (!sl_str_eq(param.name, SL_STR("commit_ms")) || !sl_uri_u64(commit_ms, param.value, CHECK_COMMIT_MS_MAX))
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", CHECK_REMEDY,
                                  "check: the only parameter is commit_ms, from 0 to %u", CHECK_COMMIT_MS_MAX);
    return true;
}

static bool check_check(struct sl_secret uri, struct sl_trouble *t)
{
    char path[SL_CHECK_PATH_MAX];
    uint64_t commit_ms;
    return check_parse(path, &commit_ms, uri, t);
}

static bool check_open(struct sl_sink **out, const struct sl_sink_open *o, struct sl_trouble *t)
{
    struct check_sink *s = calloc(1, sizeof *s);
    if (!s)
        return check_no_memory(t);
    *s = (struct check_sink){ .sink = { &sl_check_driver, .has_fencing = true, .is_exact = true }, .feed = *o->feed };
    if (!check_parse(s->path, &s->commit_ms, o->uri, t) || !sl_check_make_directory(s->path, t)) {
        free(s);
        return false;
    }
    *out = &s->sink;
    return true;
}

static void check_close(struct sl_sink *s, bool is_removed)
{
    (void)is_removed; /* the log is the proof: it stays */
    free(s);
}

static bool check_open_writer(struct sl_writer **out, struct sl_sink *sink, uint32_t index, struct sl_trouble *t)
{
    (void)index;
    const struct check_sink *s = (const struct check_sink *)sink;
    struct check_writer *w = calloc(1, sizeof *w);
    if (!w)
        return check_no_memory(t);
    *w = (struct check_writer){ .writer = { &sl_check_driver }, .sink = s };
    if (!sl_check_store_open(&w->store, s->path, &s->feed, t)) {
        free(w);
        return false;
    }
    *out = &w->writer;
    return true;
}

static void check_close_writer(struct sl_writer *writer)
{
    struct check_writer *w = (struct check_writer *)writer;
    sl_check_store_close(&w->store);
    free(w->records);
    free(w);
}

static struct sl_check_record *check_add(struct check_writer *w, enum sl_check_kind kind,
                                         const struct sl_sink_span *span)
{
    struct sl_check_record *records = sl_array_room(w->records, w->count, &w->cap, 256, sizeof *records);
    if (!records)
        return NULL;
    w->records = records;
    struct sl_check_record *r = &w->records[w->count++];
    *r = (struct sl_check_record){ .kind = (uint32_t)kind,
                                   .table_id = span->key.table_id,
                                   .epoch = span->placement.maintainer_epoch,
                                   .placement_seq = span->placement.seq };
    return r;
}

static uint64_t check_number(const struct sl_value *values, uint32_t column, uint32_t column_count)
{
    return column < column_count && values[column].kind == SL_VALUE_UINT ? values[column].v.u : 0;
}

static bool check_append(struct sl_writer *writer, const struct sl_sink_span *span, const struct sl_row_run *run,
                         struct sl_trouble *t)
{
    struct check_writer *w = (struct check_writer *)writer;
    uint32_t column_count = sl_batch_table(run->batch, run->table)->def->column_count;
    for (const struct sl_row *row = sl_row_run_next(run, NULL); row; row = sl_row_run_next(run, row)) {
        struct sl_check_record *r = check_add(w, SL_CHECK_ROW, span);
        if (!r)
            return check_no_memory(t);
        const struct sl_value *values = row->after ? row->after : row->before;
        r->op = row->op;
        r->ts = row->ts;
        r->id = check_number(values, 0, column_count);
        r->seq = check_number(values, 1, column_count);
    }
    return true;
}

static void check_discard(struct sl_writer *writer)
{
    ((struct check_writer *)writer)->count = 0;
}

static bool check_commit(struct sl_writer *writer, struct sl_trouble *t)
{
    struct check_writer *w = (struct check_writer *)writer;
    uint64_t ms = w->sink->commit_ms;
    struct timespec left = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };
    if (ms > 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL);
    if (!sl_check_store_lock(&w->store, t))
        return false;
    bool is_done = sl_check_store_commit(&w->store, w->records, w->count, t);
    sl_check_store_unlock(&w->store);
    if (is_done)
        w->count = 0;
    return is_done;
}

/* A rowless claim is a record like any other; those that are refused are left behind as such. */
static bool check_raise(struct sl_writer *writer, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    struct check_writer *w = (struct check_writer *)writer;
    w->count = 0;
    if (!sl_check_store_lock(&w->store, t))
        return false;
    bool is_done = true;
    for (uint32_t i = 0; i < count && is_done; i++) {
        struct sl_sink_claim *c = &claims[i];
        struct sl_check_owner owner;
        is_done = sl_check_store_owner(&w->store, c->span.key.table_id, &owner, t);
        c->is_refused = is_done && sl_placement_cmp(c->span.placement, owner.placement) < 0;
        c->stored_ts = owner.ts;
        if (is_done && !check_add(w, c->is_refused ? SL_CHECK_REFUSED : SL_CHECK_CLAIM, &c->span))
            is_done = check_no_memory(t);
    }
    is_done = is_done && sl_check_store_commit(&w->store, w->records, w->count, t);
    sl_check_store_unlock(&w->store);
    w->count = 0;
    return is_done;
}

const struct sl_sink_driver sl_check_driver = {
    .schemes = "check",
    .check = check_check,
    .open = check_open,
    .open_writer = check_open_writer,
    .raise = check_raise,
    .append = check_append,
    .commit = check_commit,
    .discard = check_discard,
    .close_writer = check_close_writer,
    .close = check_close,
};
