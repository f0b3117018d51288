/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_batch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

void sl_file_work_init(struct sl_file_work *w, int root, const struct sl_file_opts *opts, struct sl_str feed,
                       const _Atomic bool *stop)
{
    w->root = root;
    w->opts = opts;
    w->feed = feed;
    w->stop = stop;
    sl_file_charsets_init(&w->charsets);
}

void sl_file_work_deinit(struct sl_file_work *w)
{
    sl_file_charsets_deinit(&w->charsets);
}

static bool work_take(struct sl_file_work *w, struct sl_file_table *f, int64_t table_id, struct sl_trouble *t)
{
    return sl_file_table_take(f, w->root, table_id, sl_file_format_suffix(w->opts->protocol), w->stop, t);
}

static void work_begin_text(struct sl_file_work *w, const struct sl_file_table *f)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    sl_file_out_init(&w->out, f->part, f->state.length);
    w->format = (struct sl_file_format){ .out = &w->out,
                                         .charsets = &w->charsets,
                                         .protocol = w->opts->protocol,
                                         .now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
                                         .feed = w->feed };
}

static bool work_end_text(struct sl_file_work *w, struct sl_file_table *f, sl_ts through, struct sl_trouble *t)
{
    if (w->format.is_out_of_memory)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node",
                              "file: no memory for a line");
    if (!sl_file_out_flush(&w->out))
        return sl_file_trouble(t, w->out.error, "write a file of", f->state.folder);
    f->state.length = w->out.length;
    f->state.ts = sl_ts_max(f->state.ts, through);
    f->is_changed = true;
    return true;
}

/* ---- rows ---- */

/* Another definition: its own schema file, and the rows begin a new file. */
static bool work_change_schema(struct sl_file_work *w, struct sl_file_table *f, const char *folder,
                               const struct sl_table_def *def, sl_ts from, uint64_t digest, struct sl_trouble *t)
{
    if (f->state.is_open && (!sl_file_tables_save(f, 1, t) || !sl_file_table_finish(f, t)))
        return false;
    if (!sl_file_table_put_schema(f, folder, from, def, &w->out, t))
        return false;
    f->state.schema = digest;
    f->is_changed = true;
    return true;
}

static bool work_prepare(struct sl_file_work *w, struct sl_file_table *f, const struct sl_table_def *def, sl_ts from,
                         struct sl_trouble *t)
{
    char folder[SL_FILE_FOLDER_MAX];
    if (!sl_file_folder(folder, def->schema, def->table))
        return sl_file_trouble(t, ENAMETOOLONG, "make a folder for a table", NULL);
    uint64_t digest = sl_file_schema_digest(def, &w->out);
    bool is_same = f->state.schema == digest && strcmp(f->state.folder, folder) == 0;
    return (is_same || work_change_schema(w, f, folder, def, from, digest, t)) &&
           sl_file_table_open(f, folder, from, t);
}

/* The rows of one run that are not durable yet. */
static bool work_put_run(struct sl_file_work *w, struct sl_file_table *f, const struct sl_row_run *run,
                         struct sl_trouble *t)
{
    const struct sl_table_def *def = sl_batch_table(run->batch, run->table)->def;
    struct sl_row_run left = *run;
    left.after = sl_ts_max(left.after, f->state.ts);
    const struct sl_row *row = sl_row_run_next(&left, NULL);
    if (!row)
        return true;
    if (!work_prepare(w, f, def, row->ts, t))
        return false;
    work_begin_text(w, f);
    for (; row; row = sl_row_run_next(&left, row))
        sl_file_format_row(&w->format, def, row);
    return work_end_text(w, f, run->through, t);
}

static bool work_put_all(struct sl_file_work *w, const struct sl_file_item *items, uint32_t count, uint32_t *taken,
                         struct sl_trouble *t)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t table_id = items[i].span.key.table_id;
        if (i == 0 || table_id != items[i - 1].span.key.table_id) {
            SL_REQUIRE(*taken < SL_FILE_CHUNK);
            struct sl_file_table *f = &w->tables[*taken];
            if (!work_take(w, f, table_id, t))
                return false;
            ++*taken;
            if (!sl_file_table_check(f, items[i].span.placement, t))
                return false;
        }
        if (!work_put_run(w, &w->tables[*taken - 1], &items[i].run, t))
            return false;
    }
    return true;
}

/* Files that are long enough get their names at once. */
static bool work_finish_long(struct sl_file_work *w, struct sl_file_table *f, struct sl_trouble *t)
{
    if (!f->state.is_open || f->state.length < w->opts->file_size)
        return true;
    return sl_file_table_finish(f, t) && sl_file_tables_save(f, 1, t);
}

/* Before they are saved: nobody has to finish a file that was not, but one that was may not be forgotten. */
static void work_note_new(struct sl_file_work *w, const struct sl_file_item *items, uint32_t count,
                          sl_file_on_open *on_open, void *ctx)
{
    const struct sl_file_table *f = w->tables;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && items[i].span.key.table_id == items[i - 1].span.key.table_id)
            continue;
        if (f->is_new)
            on_open(ctx, &items[i].span, f->state.first);
        f++;
    }
}

static void work_drop(struct sl_file_work *w, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        sl_file_table_drop(&w->tables[i]);
}

bool sl_file_work_write(struct sl_file_work *w, const struct sl_file_item *items, uint32_t count,
                        sl_file_on_open *on_open, void *ctx, struct sl_trouble *t)
{
    uint32_t taken = 0;
    bool is_done = work_put_all(w, items, count, &taken, t);
    if (is_done) {
        work_note_new(w, items, count, on_open, ctx);
        is_done = sl_file_tables_save(w->tables, taken, t);
    }
    for (uint32_t i = 0; i < taken && is_done; i++)
        is_done = work_finish_long(w, &w->tables[i], t);
    work_drop(w, taken);
    return is_done;
}

/* ---- schema changes ---- */

static bool work_ddl_folder(char folder[SL_FILE_FOLDER_MAX], const struct sl_file_table *f,
                            const struct sl_sink_span *span, const struct sl_ddl *ddl)
{
    if (!span->is_table_trigger && ddl->table.len > 0)
        return sl_file_folder(folder, ddl->table_schema, ddl->table);
    bool is_known = !span->is_table_trigger && f->state.folder[0] != '\0';
    memcpy(folder, is_known ? f->state.folder : SL_FILE_DDL_FOLDER "", is_known ? strlen(f->state.folder) + 1 : 4);
    return true;
}

static bool work_put_ddl(struct sl_file_work *w, struct sl_file_table *f, const struct sl_sink_span *span,
                         const struct sl_ddl *ddl, struct sl_trouble *t)
{
    char folder[SL_FILE_FOLDER_MAX];
    if (!work_ddl_folder(folder, f, span, ddl))
        return sl_file_trouble(t, ENAMETOOLONG, "make a folder for a table", NULL);
    if (!sl_file_table_open(f, folder, ddl->ts, t))
        return false;
    work_begin_text(w, f);
    sl_file_format_ddl(&w->format, ddl);
    if (!work_end_text(w, f, ddl->ts, t))
        return false;
    f->state.ddl_ts = ddl->ts;
    return sl_file_tables_save(f, 1, t);
}

bool sl_file_work_ddl(struct sl_file_work *w, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                      sl_file_on_open *on_open, void *ctx, struct sl_trouble *t)
{
    struct sl_file_table *f = &w->tables[0];
    if (!work_take(w, f, span->key.table_id, t))
        return false;
    bool is_done = sl_file_table_check(f, span->placement, t);
    if (is_done && f->state.ddl_ts < ddl->ts) {
        is_done = work_put_ddl(w, f, span, ddl, t);
        if (f->is_new)
            on_open(ctx, span, f->state.first);
        is_done = is_done && work_finish_long(w, f, t);
    }
    sl_file_table_drop(f);
    return is_done;
}

/* ---- owners ---- */

static bool work_raise_one(struct sl_file_work *w, struct sl_file_table *f, struct sl_sink_claim *claim,
                           struct sl_trouble *t)
{
    (void)w;
    claim->is_refused = sl_placement_cmp(claim->span.placement, f->state.placement) < 0;
    claim->stored_ts = f->state.ts;
    if (claim->is_refused)
        return true;
    if (f->state.is_open && f->is_changed && !sl_file_tables_save(f, 1, t))
        return false;
    if (!sl_file_table_finish(f, t))
        return false;
    f->state.placement = claim->span.placement;
    f->is_changed = true;
    return true;
}

bool sl_file_work_raise(struct sl_file_work *w, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    uint32_t taken = 0;
    bool is_done = true;
    SL_REQUIRE(count <= SL_FILE_CHUNK);
    for (uint32_t i = 0; i < count && is_done; i++) {
        is_done = work_take(w, &w->tables[i], claims[i].span.key.table_id, t);
        taken += is_done ? 1 : 0;
        is_done = is_done && work_raise_one(w, &w->tables[i], &claims[i], t);
    }
    is_done = is_done && sl_file_tables_save(w->tables, taken, t);
    work_drop(w, taken);
    return is_done;
}

bool sl_file_work_finish(struct sl_file_work *w, const struct sl_sink_span *span, sl_ts first, struct sl_trouble *t)
{
    struct sl_file_table *f = &w->tables[0];
    if (!work_take(w, f, span->key.table_id, t))
        return false;
    bool is_ours =
        sl_placement_cmp(span->placement, f->state.placement) == 0 && f->state.is_open && f->state.first == first;
    bool is_done = !is_ours || (sl_file_table_finish(f, t) && sl_file_tables_save(f, 1, t));
    sl_file_table_drop(f);
    return is_done;
}
