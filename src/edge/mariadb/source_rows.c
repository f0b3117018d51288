/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/source_rows.h"

#include "base/hash.h"
#include "edge/mariadb/binlog_value.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_DEFS_MIN 64u

struct sl_source_def { /* a definition, as long as the map it was made from stays the same */
    uint64_t map_hash;
    int64_t table_id;
    struct sl_table_def *def; /* null: the filter leaves it out */
};

/* ---- definitions ---- */

static struct sl_source_def *rows_find_def(const struct sl_source_rows *s, int64_t table_id)
{
    uint32_t mask = s->def_cap - 1;
    uint32_t i = (uint32_t)((uint64_t)table_id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    while (s->defs[i].table_id != 0 && s->defs[i].table_id != table_id)
        i = (i + 1) & mask;
    return &s->defs[i];
}

static bool rows_grow_defs(struct sl_source_rows *s)
{
    struct sl_source_def *old = s->defs;
    uint32_t old_cap = s->def_cap, cap = old_cap > 0 ? old_cap * 2 : SOURCE_DEFS_MIN;
    struct sl_source_def *grown = calloc(cap, sizeof *grown);
    if (!grown)
        return false;
    s->defs = grown;
    s->def_cap = cap;
    for (uint32_t i = 0; i < old_cap; i++) {
        if (old[i].table_id != 0)
            *rows_find_def(s, old[i].table_id) = old[i];
    }
    free(old);
    return true;
}

static uint64_t rows_map_hash(const struct sl_binlog_table *map)
{
    const size_t id_bytes = 6; /* numbers of this run of the server */
    return sl_hash_bytes(0, map->map.ptr + id_bytes, map->map.len - id_bytes);
}

/* Another map of the same table may still be in use: nobody remembers what goes here. */
static bool rows_make_def(struct sl_source_rows *s, struct sl_source_def *d, const struct sl_binlog_table *map,
                          struct sl_trouble *t)
{
    struct sl_table_def *def = NULL;
    bool is_wanted =
        !sl_mariadb_schema_is_private(map->schema) && sl_table_filter_takes(s->filter, map->schema, map->name);
    if (is_wanted && !sl_mariadb_table_def(&def, map, ++s->version_last, s->details, t))
        return false;
    memset(s->latest, 0, sizeof s->latest);
    sl_table_def_unref(d->def);
    s->def_count += d->table_id == 0 ? 1 : 0;
    *d = (struct sl_source_def){ .map_hash = rows_map_hash(map),
                                 .table_id = sl_mariadb_table_id(map->schema, map->name),
                                 .def = def };
    return true;
}

static bool rows_look_up_def(struct sl_source_rows *s, const struct sl_binlog_table *map, struct sl_table_def **out,
                             struct sl_trouble *t)
{
    if (s->def_count >= s->def_cap / 2 && !rows_grow_defs(s))
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for table definitions");
    struct sl_source_def *d = rows_find_def(s, sl_mariadb_table_id(map->schema, map->name));
    if ((d->table_id == 0 || d->map_hash != rows_map_hash(map)) && !rows_make_def(s, d, map, t))
        return false;
    *out = d->def;
    return true;
}

/* *out is null for a table that the filter leaves out. */
static bool rows_def_of(struct sl_source_rows *s, const struct sl_binlog_table *map, struct sl_table_def **out,
                        struct sl_trouble *t)
{
    struct sl_source_latest *l = &s->latest[map->serial & (SL_SOURCE_LATEST - 1)];
    if (l->serial != map->serial || map->serial == 0) {
        struct sl_table_def *def = NULL;
        if (!rows_look_up_def(s, map, &def, t))
            return false;
        *l = (struct sl_source_latest){ map->serial, def };
    }
    *out = l->def;
    return true;
}

/* ---- rows into a batch ---- */

static uint8_t *rows_batch_alloc(void *ctx, size_t size)
{
    return sl_batch_bytes(ctx, size);
}

bool sl_source_log_trouble(struct sl_trouble *t, enum sl_code code, const struct sl_err *err)
{
    enum sl_trouble_kind kind = code == SL_NOMEM ? SL_TROUBLE_PASSING : SL_TROUBLE_LASTING;
    return sl_trouble_set(t, kind, "SOURCE_LOG", "", "%s", err->text);
}

static bool rows_are_full(const struct sl_binlog_rows *rows)
{
    uint32_t all = rows->table->column_count;
    return (rows->op == SL_ROW_INSERT || rows->before_count == all) &&
           (rows->op == SL_ROW_DELETE || rows->after_count == all);
}

static enum sl_code rows_add_one(struct sl_batch *into, const struct sl_binlog_item *item, struct sl_table_def *def,
                                 struct sl_cursor *c, const struct sl_value_memory *memory, struct sl_err *err)
{
    const struct sl_binlog_rows *rows = &item->rows;
    struct sl_row_images images;
    if (!sl_batch_add_uncleared(into, def, rows->op, item->ts, &images))
        return sl_err_set(err, SL_NOMEM, "no memory for rows");
    enum sl_code code = SL_OK;
    if (rows->op != SL_ROW_INSERT)
        code =
            sl_binlog_image_read(images.before, c, rows->table, rows->before_present, rows->before_count, memory, err);
    if (code == SL_OK && rows->op != SL_ROW_DELETE)
        code = sl_binlog_image_read(images.after, c, rows->table, rows->after_present, rows->after_count, memory, err);
    return code;
}

bool sl_source_rows_add(struct sl_source_rows *s, struct sl_batch *into, const struct sl_binlog_item *item,
                        struct sl_inflate_buffer *inflated, struct sl_trouble *t)
{
    const struct sl_binlog_rows *rows = &item->rows;
    const struct sl_value_memory memory = { into, rows_batch_alloc, inflated };
    struct sl_table_def *def = NULL;
    if (!rows_def_of(s, rows->table, &def, t))
        return false;
    if (!def)
        return true;
    if (!sl_batch_takes(into, def))
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "TABLE_CHANGED",
                              "it is read again; do not change tables with sql_log_bin=0",
                              "%.*s.%.*s was changed without a word in the log", (int)def->schema.len, def->schema.ptr,
                              (int)def->table.len, def->table.ptr);
    if (!rows_are_full(rows))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_SETTING",
                              "SET GLOBAL binlog_row_image=FULL, in sessions too; then copy the table anew",
                              "%.*s.%.*s was changed with binlog_row_image=MINIMAL or NOBLOB",
                              (int)rows->table->schema.len, rows->table->schema.ptr, (int)rows->table->name.len,
                              rows->table->name.ptr);
    uint8_t *copy = sl_batch_bytes(into, rows->rows.len > 0 ? rows->rows.len : 1);
    if (!copy)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for rows");
    memcpy(copy, rows->rows.ptr, rows->rows.len);
    struct sl_cursor c = sl_cursor_of((struct sl_bytes){ copy, rows->rows.len });
    while (sl_cursor_left(&c) > 0) {
        enum sl_code code = rows_add_one(into, item, def, &c, &memory, &s->err);
        if (code == SL_OK)
            continue;
        sl_source_log_trouble(t, code, &s->err);
        s->err = (struct sl_err){ 0 };
        return false;
    }
    return true;
}

/* ---- life ---- */

bool sl_source_rows_init(struct sl_source_rows *s, const struct sl_table_filter *filter, MYSQL *details)
{
    *s = (struct sl_source_rows){ .filter = filter, .details = details };
    return rows_grow_defs(s);
}

void sl_source_rows_deinit(struct sl_source_rows *s)
{
    for (uint32_t i = 0; i < s->def_cap; i++)
        sl_table_def_unref(s->defs[i].def);
    free(s->defs);
    *s = (struct sl_source_rows){ 0 };
}
