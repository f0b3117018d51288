/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/plane_model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MODEL_CHANGES_MAX (1u << 22)

struct model_def {
    struct sl_table_def def; /* first */
    struct sl_column column;
    char name[16];
};

struct model_table {
    struct sl_placement placement;
    sl_ts stored; /* ts of the last row in the sink */
    sl_ts claimed;
};

struct model_fail {
    uint32_t times;
    enum sl_trouble_kind kind;
    bool does;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint16_t *changes; /* the table of ts i + 1 */
    uint32_t change_count;
    uint32_t readers;
    uint64_t opens, rows_read;
    sl_ts reader_end;
    struct model_fail source, commits, raises, sink_opens;
    bool has_fencing, is_exact, commits_held, raises_held, writers_held[8];
    uint32_t held_count;
    int64_t poisoned;
    struct model_table tables[PLANE_MODEL_TABLES + 1];
    struct model_def defs[PLANE_MODEL_TABLES + 1];
    uint64_t rows, commit_count, raise_count, twice;
    char wrong[200];
} model;

static void model_lock(void)
{
    pthread_mutex_lock(&model.mutex);
}

static void model_unlock(void)
{
    pthread_cond_broadcast(&model.changed);
    pthread_mutex_unlock(&model.mutex);
}

static void model_def_keep(struct sl_table_def *def)
{
    (void)def;
}

void plane_model_init(void)
{
    memset(&model, 0, sizeof model);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&model.mutex, NULL);
    pthread_cond_init(&model.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    model.changes = calloc(MODEL_CHANGES_MAX, sizeof *model.changes);
    model.has_fencing = model.is_exact = true;
    for (uint32_t i = 1; i <= PLANE_MODEL_TABLES; i++) {
        struct model_def *d = &model.defs[i];
        d->column = (struct sl_column){ .name = SL_STR("ts"), .flags = SL_COLUMN_KEY | SL_COLUMN_UNSIGNED };
        snprintf(d->name, sizeof d->name, "t%u", i);
        d->def.table_id = i;
        d->def.schema_id = 1;
        d->def.schema = SL_STR("model");
        d->def.table = sl_str_of(d->name);
        d->def.column_count = 1;
        d->def.columns = &d->column;
        d->def.free = model_def_keep;
        atomic_init(&d->def.refs, 1);
    }
}

void plane_model_deinit(void)
{
    pthread_cond_destroy(&model.changed);
    pthread_mutex_destroy(&model.mutex);
    free(model.changes);
}

static sl_ns model_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (sl_ns)t.tv_sec * SL_S + t.tv_nsec;
}

/* Under the lock. False: the time is over. */
static bool model_wait(sl_ns until)
{
    struct timespec deadline = { .tv_sec = until / SL_S, .tv_nsec = until % SL_S };
    return pthread_cond_timedwait(&model.changed, &model.mutex, &deadline) == 0;
}

static bool model_fails(struct model_fail *fail, const char *what, struct sl_trouble *t)
{
    if (fail->times == 0)
        return false;
    fail->times--;
    sl_trouble_set(t, fail->kind, "MODEL", "", "the model lets %s fail", what);
    return true;
}

/* ---- the source ---- */

struct model_reader {
    struct sl_reader reader; /* first */
    sl_ts through, end;
    bool is_interrupted;
};

sl_ts plane_model_write(uint32_t table_first, uint32_t table_count, uint32_t count)
{
    model_lock();
    for (uint32_t i = 0; i < count && model.change_count < MODEL_CHANGES_MAX; i++)
        model.changes[model.change_count++] = (uint16_t)(table_first + i % table_count);
    sl_ts head = model.change_count;
    model_unlock();
    return head;
}

sl_ts plane_model_write_one(uint32_t table)
{
    return plane_model_write(table, 1, 1);
}

sl_ts plane_model_head(void)
{
    model_lock();
    sl_ts head = model.change_count;
    model_unlock();
    return head;
}

static bool model_source_check(struct sl_secret uri, struct sl_trouble *t)
{
    (void)uri, (void)t;
    return true;
}

static bool model_source_open(struct sl_reader **out, const struct sl_source_open *o, struct sl_trouble *t)
{
    model_lock();
    bool fails = model_fails(&model.source, "an open of the source", t);
    struct model_reader *r = fails ? NULL : calloc(1, sizeof *r);
    if (r) {
        *r = (struct model_reader){ .reader = { &plane_model_source }, .through = o->from, .end = model.reader_end };
        *out = &r->reader;
        model.readers++;
        model.opens++;
    }
    model_unlock();
    return r != NULL;
}

/* What it can see now; with the lock. */
static sl_ts reader_end(const struct model_reader *r)
{
    return r->end > 0 && r->end < model.change_count ? r->end : model.change_count;
}

void plane_model_hold_new_readers(sl_ts end)
{
    model_lock();
    model.reader_end = end;
    model_unlock();
}

static bool model_source_read(struct sl_reader *reader, struct sl_batch *into, size_t bytes_max, sl_ns wait_ns,
                              struct sl_trouble *t)
{
    struct model_reader *r = (struct model_reader *)reader;
    sl_ns until = model_now() + wait_ns;
    model_lock();
    while (!r->is_interrupted && reader_end(r) <= r->through && model.source.times == 0 && model_wait(until))
        continue;
    bool is_fine = !model_fails(&model.source, "a read", t);
    if (is_fine && r->is_interrupted)
        is_fine = sl_trouble_set(t, SL_TROUBLE_ENDED, "INTERRUPTED", "", "interrupted");
    while (is_fine && r->through < reader_end(r) && sl_batch_size(into) < bytes_max) {
        struct sl_row_images images;
        if (!sl_batch_add(into, &model.defs[model.changes[r->through]].def, SL_ROW_INSERT, r->through + 1, &images))
            abort();
        r->through++;
        images.after[0] = (struct sl_value){ .kind = SL_VALUE_UINT, .v.u = r->through };
        model.rows_read++;
    }
    pthread_mutex_unlock(&model.mutex);
    if (is_fine)
        sl_batch_seal(into, r->through, model_now());
    return is_fine;
}

static void model_source_interrupt(struct sl_reader *r)
{
    model_lock();
    ((struct model_reader *)r)->is_interrupted = true;
    model_unlock();
}

static void model_source_close(struct sl_reader *r)
{
    model_lock();
    model.readers--;
    model_unlock();
    free(r);
}

static bool model_source_list(const struct sl_source_open *o,
                              bool (*each)(void *ctx, const struct sl_source_table *table), void *ctx,
                              struct sl_trouble *t)
{
    (void)o;
    model_lock();
    bool fails = model_fails(&model.source, "a list", t);
    model_unlock();
    for (uint32_t i = 1; !fails && i <= PLANE_MODEL_TABLES; i++) {
        struct sl_source_table table = { i, 1, SL_STR("model"), sl_str_of(model.defs[i].name), false };
        if (!each(ctx, &table))
            break;
    }
    return !fails;
}

static bool model_source_head(sl_ts *out, struct sl_secret uri, struct sl_trouble *t)
{
    (void)uri, (void)t;
    *out = plane_model_head();
    return true;
}

const struct sl_source_driver plane_model_source = {
    .schemes = "model",
    .check = model_source_check,
    .open = model_source_open,
    .read = model_source_read,
    .interrupt = model_source_interrupt,
    .close = model_source_close,
    .list = model_source_list,
    .head = model_source_head,
};

void plane_model_fail_source(uint32_t times, enum sl_trouble_kind kind)
{
    model_lock();
    model.source = (struct model_fail){ .times = times, .kind = kind };
    model_unlock();
}

uint32_t plane_model_readers(void)
{
    model_lock();
    uint32_t readers = model.readers;
    model_unlock();
    return readers;
}

uint64_t plane_model_opens(void)
{
    model_lock();
    uint64_t opens = model.opens;
    model_unlock();
    return opens;
}

uint64_t plane_model_rows_read(void)
{
    model_lock();
    uint64_t rows = model.rows_read;
    model_unlock();
    return rows;
}

/* ---- the sink ---- */

struct model_write {
    struct sl_sink_span span;
    sl_ts ts;
};

struct model_writer {
    struct sl_writer writer; /* first */
    uint32_t index;
    bool has_fencing, is_exact, is_interrupted;
    struct model_write *writes;
    uint32_t count, cap;
};

static bool model_sink_open(struct sl_sink **out, const struct sl_sink_open *o, struct sl_trouble *t)
{
    (void)o;
    model_lock();
    bool fails = model_fails(&model.sink_opens, "an open of the sink", t);
    struct sl_sink *s = fails ? NULL : calloc(1, sizeof *s);
    if (s)
        *s = (struct sl_sink){ &plane_model_sink, model.has_fencing, model.is_exact };
    *out = s;
    model_unlock();
    return s != NULL;
}

static bool model_open_writer(struct sl_writer **out, struct sl_sink *s, uint32_t index, struct sl_trouble *t)
{
    model_lock();
    bool fails = model_fails(&model.sink_opens, "an open of a writer", t);
    struct model_writer *w = fails ? NULL : calloc(1, sizeof *w);
    if (w)
        *w = (struct model_writer){
            .writer = { &plane_model_sink }, .index = index, .has_fencing = s->has_fencing, .is_exact = s->is_exact
        };
    *out = w ? &w->writer : NULL;
    model_unlock();
    return w != NULL;
}

/* Under the lock. False: interrupted meanwhile. */
static bool model_pass(struct model_writer *w, const bool *gate, struct sl_trouble *t)
{
    model.held_count++;
    while ((*gate || (gate == &model.commits_held && model.writers_held[w->index])) && !w->is_interrupted) {
        pthread_cond_broadcast(&model.changed);
        pthread_cond_wait(&model.changed, &model.mutex);
    }
    model.held_count--;
    if (w->is_interrupted)
        return sl_trouble_set(t, SL_TROUBLE_ENDED, "INTERRUPTED", "", "interrupted");
    return true;
}

static void model_claim(struct model_writer *w, struct sl_sink_claim *c)
{
    struct model_table *table = &model.tables[c->span.key.table_id];
    c->is_refused = w->has_fencing && sl_placement_cmp(c->span.placement, table->placement) < 0;
    c->stored_ts = w->is_exact ? table->stored : SL_TS_NONE;
    if (!c->is_refused)
        table->placement = c->span.placement;
}

static bool model_raise(struct sl_writer *writer, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    struct model_writer *w = (struct model_writer *)writer;
    model_lock();
    model.raise_count++;
    bool is_fine = model_pass(w, &model.raises_held, t) && !model_fails(&model.raises, "a raise", t);
    for (uint32_t i = 0; is_fine && i < count; i++)
        model_claim(w, &claims[i]);
    model_unlock();
    return is_fine;
}

static bool model_append(struct sl_writer *writer, const struct sl_sink_span *span, const struct sl_row_run *run,
                         struct sl_trouble *t)
{
    struct model_writer *w = (struct model_writer *)writer;
    (void)t;
    for (const struct sl_row *row = sl_row_run_next(run, NULL); row; row = sl_row_run_next(run, row)) {
        if (w->count == w->cap) {
            w->cap = w->cap == 0 ? 64 : w->cap * 2;
            struct model_write *grown = realloc(w->writes, w->cap * sizeof *w->writes);
            if (!grown)
                abort();
            w->writes = grown;
        }
        w->writes[w->count++] = (struct model_write){ *span, row->after[0].v.u };
    }
    return true;
}

static void model_blame(const char *what, int64_t table_id, sl_ts ts)
{
    if (model.wrong[0] == '\0')
        snprintf(model.wrong, sizeof model.wrong, "%s: table %lld, ts %llu, sink at %llu", what, (long long)table_id,
                 (unsigned long long)ts, (unsigned long long)model.tables[table_id].stored);
}

/* The table's first change after ts, or 0. */
static sl_ts model_next(int64_t table_id, sl_ts ts)
{
    for (uint32_t i = (uint32_t)ts; i < model.change_count; i++)
        if (model.changes[i] == table_id)
            return i + 1;
    return SL_TS_NONE;
}

static void model_apply(const struct model_write *write)
{
    int64_t table_id = write->span.key.table_id;
    struct model_table *table = &model.tables[table_id];
    if (write->ts <= table->stored) {
        model.twice++;
        return;
    }
    if (write->ts != model_next(table_id, table->stored))
        model_blame("a hole", table_id, write->ts);
    if (model.changes[write->ts - 1] != table_id)
        model_blame("not of this table", table_id, write->ts);
    table->stored = write->ts;
    model.rows++;
}

/* Nothing is written unless all may be. */
static bool model_may_commit(const struct model_writer *w, struct sl_trouble *t)
{
    sl_ts last[PLANE_MODEL_TABLES + 1] = { 0 };
    for (uint32_t i = 0; i < w->count; i++) {
        const struct model_write *write = &w->writes[i];
        int64_t table_id = write->span.key.table_id;
        if (write->ts <= last[table_id])
            model_blame("disorder", table_id, write->ts);
        last[table_id] = write->ts;
        int order = sl_placement_cmp(write->span.placement, model.tables[table_id].placement);
        if (order < 0) {
            sl_trouble_set(t, SL_TROUBLE_STALE, "FENCED", "", "a larger placement has written");
            t->table_id = table_id;
            return false;
        }
        if (order > 0 && w->has_fencing)
            model_blame("written before it was raised", table_id, write->ts);
        if (table_id == model.poisoned) {
            sl_trouble_set(t, SL_TROUBLE_LASTING, "POISONED", "", "the table is refused");
            t->table_id = table_id;
            return false;
        }
    }
    return true;
}

static bool model_commit(struct sl_writer *writer, struct sl_trouble *t)
{
    struct model_writer *w = (struct model_writer *)writer;
    model_lock();
    bool is_fine = model_pass(w, &model.commits_held, t);
    bool does = is_fine && (model.commits.times == 0 || model.commits.does);
    is_fine = is_fine && !model_fails(&model.commits, "a commit", t);
    if (does && model_may_commit(w, t)) {
        for (uint32_t i = 0; i < w->count; i++)
            model_apply(&w->writes[i]);
        model.commit_count++;
    } else if (does) {
        is_fine = false;
    }
    if (is_fine)
        w->count = 0;
    model_unlock();
    return is_fine;
}

static void model_discard(struct sl_writer *writer)
{
    ((struct model_writer *)writer)->count = 0;
}

static void model_interrupt(struct sl_writer *writer)
{
    model_lock();
    ((struct model_writer *)writer)->is_interrupted = true;
    model_unlock();
}

static void model_close_writer(struct sl_writer *writer)
{
    free(((struct model_writer *)writer)->writes);
    free(writer);
}

static void model_close(struct sl_sink *s, bool is_removed)
{
    (void)is_removed;
    free(s);
}

const struct sl_sink_driver plane_model_sink = {
    .schemes = "model",
    .check = model_source_check,
    .open = model_sink_open,
    .open_writer = model_open_writer,
    .raise = model_raise,
    .append = model_append,
    .commit = model_commit,
    .discard = model_discard,
    .interrupt = model_interrupt,
    .close_writer = model_close_writer,
    .close = model_close,
};

void plane_model_set_traits(bool has_fencing, bool is_exact)
{
    model_lock();
    model.has_fencing = has_fencing;
    model.is_exact = is_exact;
    model_unlock();
}

void plane_model_hold_commits(bool is_held)
{
    model_lock();
    model.commits_held = is_held;
    model_unlock();
}

void plane_model_hold_writer(uint32_t index, bool is_held)
{
    model_lock();
    model.writers_held[index] = is_held;
    model_unlock();
}

void plane_model_hold_raises(bool is_held)
{
    model_lock();
    model.raises_held = is_held;
    model_unlock();
}

uint32_t plane_model_held_count(void)
{
    model_lock();
    uint32_t count = model.held_count;
    model_unlock();
    return count;
}

void plane_model_fail_commits(uint32_t times, enum sl_trouble_kind kind, bool does)
{
    model_lock();
    model.commits = (struct model_fail){ times, kind, does };
    model_unlock();
}

void plane_model_fail_raises(uint32_t times, enum sl_trouble_kind kind)
{
    model_lock();
    model.raises = (struct model_fail){ .times = times, .kind = kind };
    model_unlock();
}

void plane_model_fail_opens(uint32_t times, enum sl_trouble_kind kind)
{
    model_lock();
    model.sink_opens = (struct model_fail){ .times = times, .kind = kind };
    model_unlock();
}

void plane_model_poison_table(int64_t table_id)
{
    model_lock();
    model.poisoned = table_id;
    model_unlock();
}

void plane_model_rob(int64_t table_id, struct sl_placement placement)
{
    model_lock();
    model.tables[table_id].placement = placement;
    model_unlock();
}

void plane_model_pretend(int64_t table_id, sl_ts ts)
{
    model_lock();
    model.tables[table_id].stored = ts;
    model_unlock();
}

bool plane_model_has(int64_t table_id, sl_ts ts)
{
    model_lock();
    sl_ts next = model_next(table_id, model.tables[table_id].stored);
    model_unlock();
    return next == SL_TS_NONE || next > ts;
}

sl_ts plane_model_durable(int64_t table_id)
{
    model_lock();
    sl_ts ts = model.tables[table_id].stored;
    model_unlock();
    return ts;
}

uint64_t plane_model_rows(void)
{
    model_lock();
    uint64_t rows = model.rows;
    model_unlock();
    return rows;
}

uint64_t plane_model_commits(void)
{
    model_lock();
    uint64_t count = model.commit_count;
    model_unlock();
    return count;
}

uint64_t plane_model_raises(void)
{
    model_lock();
    uint64_t count = model.raise_count;
    model_unlock();
    return count;
}

uint64_t plane_model_twice(void)
{
    model_lock();
    uint64_t twice = model.twice;
    model_unlock();
    return twice;
}

const char *plane_model_wrong(void)
{
    model_lock();
    const char *wrong = model.wrong[0] != '\0' ? model.wrong : NULL;
    model_unlock();
    return wrong;
}
