/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_sink.h"

#include "base/array.h"
#include "edge/file/file_batch.h"
#include "edge/file/file_checkpoint.h"
#include "edge/file/file_mark.h"
#include "edge/file/file_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_CLOSING_NS (2 * SL_S) /* a sink that is closed finishes files for so long; others do the rest */

struct file_sink {
    struct sl_sink base; /* first */
    struct sl_file_opts opts;
    int root;
    uint32_t writer_count;
    sl_ns shown_ns;                 /* when the checkpoint was last written; of the first writer */
    struct sl_file_open_list *open; /* per writer: outlives it, since a writer is opened anew after a trouble */
};

struct file_writer {
    struct sl_writer base; /* first */
    struct file_sink *sink;
    struct sl_file_open_list *open;
    _Atomic bool is_interrupted;
    struct sl_file_item *items;
    uint32_t count, cap;
    struct sl_file_work work;
};

static bool file_no_memory(struct sl_trouble *t)
{
    return sl_trouble_set(t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "file: no memory");
}

static sl_ns file_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (sl_ns)t.tv_sec * SL_S + t.tv_nsec;
}

/* ---- URI ---- */

static bool file_check(struct sl_secret uri, struct sl_trouble *t)
{
    struct sl_file_opts opts;
    return sl_file_opts_parse(&opts, uri, t);
}

/* The id of the mark goes into the URI, so that each node can tell whether it sees the same directory. */
static bool file_settle(struct sl_secret uri, char *out, size_t size, struct sl_trouble *t)
{
    struct sl_file_opts opts;
    struct sl_bytes text = sl_secret_reveal(uri);
    if (!sl_file_opts_parse(&opts, uri, t))
        return false;
    bool has_id = opts.id[0] != '\0';
    if (!sl_file_mark_make(&opts, t))
        return false;
    int length = snprintf(out, size, "%.*s%s%s", (int)text.len, (const char *)text.ptr,
                          has_id ? "" : "&id=", has_id ? "" : opts.id);
    return (length >= 0 && (size_t)length < size) ||
           sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "use a shorter path", "file: the URI is too long");
}

/* ---- files that are open ---- */

/* Its time may be over already: then it is finished with the next ones. */
static void file_on_open(void *ctx, const struct sl_sink_span *span, sl_ts first)
{
    struct file_writer *w = ctx;
    sl_file_open_note(w->open, span, first, file_now() + w->sink->opts.flush_ns);
}

/* As often as files are finished: more often it would say nothing new. */
static bool file_show_checkpoint(struct file_writer *w, sl_ts checkpoint, sl_ns *next_ns, struct sl_trouble *t)
{
    sl_ns now = file_now(), due = w->sink->shown_ns + w->sink->opts.flush_ns;
    bool is_shown = false;
    if (now < due && w->sink->shown_ns != 0) {
        *next_ns = sl_ns_min(*next_ns, due - now);
        return true;
    }
    const struct sl_file_place place = { w->sink->root, &w->sink->opts, w->work.stop };
    if (!sl_file_checkpoint_show(&place, checkpoint, &is_shown, t))
        return false;
    w->sink->shown_ns = now;
    if (!is_shown)
        *next_ns = sl_ns_min(*next_ns, w->sink->opts.flush_ns);
    return true;
}

static bool file_tend(struct sl_writer *base, sl_ts checkpoint, sl_ns *next_ns, struct sl_trouble *t)
{
    struct file_writer *w = (struct file_writer *)base;
    const struct sl_file_open *due;
    while ((due = sl_file_open_due(w->open, file_now()))) {
        if (!sl_file_work_finish(&w->work, &due->span, due->first, t))
            return false;
        sl_file_open_pop(w->open);
    }
    *next_ns = sl_file_open_next(w->open, file_now());
    return checkpoint == SL_TS_NONE || file_show_checkpoint(w, checkpoint, next_ns, t);
}

/* ---- owners ---- */

static bool file_raise(struct sl_writer *base, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    struct file_writer *w = (struct file_writer *)base;
    for (uint32_t i = 0; i < count; i += SL_FILE_CHUNK) {
        uint32_t part = sl_u32_min(count - i, SL_FILE_CHUNK);
        if (!sl_file_work_raise(&w->work, claims + i, part, t))
            return false;
    }
    return true;
}

/* ---- the batch ---- */

static bool file_append(struct sl_writer *base, const struct sl_sink_span *span, const struct sl_row_run *run,
                        struct sl_trouble *t)
{
    struct file_writer *w = (struct file_writer *)base;
    struct sl_file_item *items = sl_array_room(w->items, w->count, &w->cap, 64, sizeof *items);
    if (!items)
        return file_no_memory(t);
    w->items = items;
    w->items[w->count] = (struct sl_file_item){ *span, *run, w->count };
    w->count++;
    return true;
}

static int file_compare(const void *left, const void *right)
{
    const struct sl_file_item *a = left, *b = right;
    if (a->span.key.table_id != b->span.key.table_id)
        return a->span.key.table_id < b->span.key.table_id ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* How many of the items are of the next SL_FILE_CHUNK tables. */
static uint32_t file_chunk(const struct sl_file_item *items, uint32_t count)
{
    uint32_t tables = 0;
    for (uint32_t i = 0; i < count; i++) {
        tables += i == 0 || items[i].span.key.table_id != items[i - 1].span.key.table_id;
        if (tables > SL_FILE_CHUNK)
            return i;
    }
    return count;
}

static bool file_commit(struct sl_writer *base, struct sl_trouble *t)
{
    struct file_writer *w = (struct file_writer *)base;
    bool is_done = true;
    if (w->count > 1)
        qsort(w->items, w->count, sizeof *w->items, file_compare);
    for (uint32_t i = 0, part = 0; i < w->count && is_done; i += part) {
        part = file_chunk(w->items + i, w->count - i);
        is_done = sl_file_work_write(&w->work, w->items + i, part, file_on_open, w, t);
    }
    w->count = 0;
    return is_done;
}

static void file_discard(struct sl_writer *base)
{
    ((struct file_writer *)base)->count = 0;
}

/* ---- schema changes ---- */

static bool file_execute(struct sl_writer *base, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                         struct sl_trouble *t)
{
    struct file_writer *w = (struct file_writer *)base;
    return sl_file_work_ddl(&w->work, span, ddl, file_on_open, w, t);
}

static bool file_was_executed(struct sl_writer *base, const struct sl_sink_span *span, sl_ts ts, bool *out,
                              struct sl_trouble *t)
{
    struct file_writer *w = (struct file_writer *)base;
    struct sl_file_table *f = &w->work.tables[0];
    if (!sl_file_table_take(f, w->work.root, span->key.table_id, "", w->work.stop, t))
        return false;
    *out = f->state.ddl_ts >= ts;
    sl_file_table_drop(f);
    return true;
}

/* ---- life ---- */

static bool file_open_writer(struct sl_writer **out, struct sl_sink *base, uint32_t index, struct sl_trouble *t)
{
    struct file_sink *s = (struct file_sink *)base;
    struct file_writer *w = calloc(1, sizeof *w);
    if (!w)
        return file_no_memory(t);
    w->base.driver = &sl_file_sink_driver;
    w->sink = s;
    w->open = &s->open[index];
    sl_file_work_init(&w->work, s->root, &s->opts, SL_STR(""), &w->is_interrupted);
    *out = &w->base;
    return true;
}

static void file_close_writer(struct sl_writer *base)
{
    struct file_writer *w = (struct file_writer *)base;
    sl_file_work_deinit(&w->work);
    free(w->items);
    free(w);
}

static void file_interrupt(struct sl_writer *base)
{
    atomic_store(&((struct file_writer *)base)->is_interrupted, true);
}

/* Files are named when nobody goes on writing them; whoever owns their tables next does it too. */
static void file_finish_all(struct file_sink *s)
{
    struct sl_trouble ignored = { 0 };
    struct sl_file_work *work = calloc(1, sizeof *work);
    sl_ns end = file_now() + FILE_CLOSING_NS;
    bool goes_on = work != NULL;
    if (work)
        sl_file_work_init(work, s->root, &s->opts, SL_STR(""), NULL);
    for (uint32_t i = 0; i < s->writer_count; i++) {
        const struct sl_file_open *due;
        while (goes_on && file_now() < end && (due = sl_file_open_due(&s->open[i], SL_NEVER))) {
            goes_on = sl_file_work_finish(work, &due->span, due->first, &ignored);
            sl_file_open_pop(&s->open[i]);
        }
    }
    if (work)
        sl_file_work_deinit(work);
    free(work);
}

static void file_close(struct sl_sink *base, bool is_removed)
{
    struct file_sink *s = (struct file_sink *)base;
    (void)is_removed; /* the files are what was wanted: they stay */
    file_finish_all(s);
    for (uint32_t i = 0; i < s->writer_count; i++)
        sl_file_open_deinit(&s->open[i]);
    if (s->root >= 0)
        close(s->root);
    free(s->open);
    free(s);
}

static bool file_open(struct sl_sink **out, const struct sl_sink_open *o, struct sl_trouble *t)
{
    struct file_sink *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return file_no_memory(t);
    s->base = (struct sl_sink){ .driver = &sl_file_sink_driver, .has_fencing = true, .is_exact = true };
    s->root = -1;
    s->open = calloc(o->writer_count, sizeof *s->open);
    s->writer_count = s->open ? o->writer_count : 0;
    bool is_open = s->open ? sl_file_opts_parse(&s->opts, o->uri, t) : file_no_memory(t);
    if (is_open)
        s->root = sl_file_mark_open(&s->opts, o->feed, t);
    if (s->root >= 0) {
        *out = &s->base;
        return true;
    }
    file_close(&s->base, false);
    return false;
}

const struct sl_sink_driver sl_file_sink_driver = {
    .schemes = "file",
    .check = file_check,
    .settle = file_settle,
    .open = file_open,
    .open_writer = file_open_writer,
    .raise = file_raise,
    .append = file_append,
    .commit = file_commit,
    .discard = file_discard,
    .tend = file_tend,
    .execute = file_execute,
    .was_executed = file_was_executed,
    .interrupt = file_interrupt,
    .close_writer = file_close_writer,
    .close = file_close,
};
