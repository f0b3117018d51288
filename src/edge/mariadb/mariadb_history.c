/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/mariadb_history.h"

#include "edge/mariadb/ddl_parse.h"
#include "edge/mariadb/mariadb_tables.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_CAP_MIN 256u
#define HISTORY_TABLES_MAX (1u << 20)
#define HISTORY_BATCH_BYTES ((size_t)1 << 20)
#define HISTORY_WAIT_NS (100 * SL_MS)
#define HISTORY_ANSI_QUOTES 4u

bool sl_history_init(struct sl_history *h, struct sl_trouble *t)
{
    *h = (struct sl_history){ .entries = calloc(HISTORY_CAP_MIN, sizeof *h->entries), .cap = HISTORY_CAP_MIN };
    return h->entries || sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a list of tables");
}

void sl_history_deinit(struct sl_history *h)
{
    for (uint32_t i = 0; h->entries && i < h->cap; i++)
        free((void *)(uintptr_t)h->entries[i].schema.ptr);
    free(h->entries);
    *h = (struct sl_history){ 0 };
}

static struct sl_history_entry *history_place(const struct sl_history *h, int64_t table_id)
{
    uint32_t mask = h->cap - 1;
    uint32_t i = (uint32_t)((uint64_t)table_id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    while (h->entries[i].table_id != 0 && h->entries[i].table_id != table_id)
        i = (i + 1) & mask;
    return &h->entries[i];
}

const struct sl_history_entry *sl_history_find(const struct sl_history *h, int64_t table_id)
{
    const struct sl_history_entry *e = history_place(h, table_id);
    return e->table_id != 0 ? e : NULL;
}

static bool history_grow(struct sl_history *h)
{
    struct sl_history grown = { .count = h->count, .cap = h->cap * 2 };
    grown.entries = h->count < HISTORY_TABLES_MAX ? calloc(grown.cap, sizeof *grown.entries) : NULL;
    if (!grown.entries)
        return false;
    for (uint32_t i = 0; i < h->cap; i++) {
        if (h->entries[i].table_id != 0)
            *history_place(&grown, h->entries[i].table_id) = h->entries[i];
    }
    free(h->entries);
    *h = grown;
    return true;
}

bool sl_history_note(struct sl_history *h, struct sl_str schema, struct sl_str table, bool was_there,
                     struct sl_trouble *t)
{
    int64_t id = sl_mariadb_table_id(schema, table);
    if (sl_history_find(h, id))
        return true;
    char *names = h->count < h->cap / 2 || history_grow(h) ? malloc(schema.len + table.len + 1) : NULL;
    if (!names)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a list of tables");
    memcpy(names, schema.ptr, schema.len);
    memcpy(names + schema.len, table.ptr, table.len);
    *history_place(h, id) = (struct sl_history_entry){ .table_id = id,
                                                       .was_there = was_there,
                                                       .schema = { names, schema.len },
                                                       .table = { names + schema.len, table.len } };
    h->count++;
    return true;
}

static bool history_note_name(struct sl_history *h, const struct sl_ddl_name *name, bool was_there,
                              struct sl_trouble *t)
{
    return sl_history_note(h, sl_str_of(name->schema), sl_str_of(name->table), was_there, t);
}

bool sl_history_note_statement(struct sl_history *h, struct sl_str database, struct sl_str statement, uint64_t sql_mode,
                               struct sl_trouble *t)
{
    struct sl_ddl_info *info = malloc(sizeof *info);
    bool is_good = info || sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a statement");
    if (is_good)
        sl_ddl_parse(info, database, statement, (sql_mode & HISTORY_ANSI_QUOTES) != 0);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): is_good: there is one */
    bool is_of_tables = is_good && info->kind >= SL_DDL_KIND_CREATE_TABLE && info->kind <= SL_DDL_KIND_DROP_INDEX;
    for (uint32_t i = 0; is_good && is_of_tables && i < info->table_count; i++) {
        const struct sl_ddl_table *table = &info->tables[i];
        is_good = history_note_name(h, &table->name, info->kind != SL_DDL_KIND_CREATE_TABLE, t) &&
                  (!table->has_new_name || history_note_name(h, &table->new_name, false, t));
    }
    free(info);
    return is_good;
}

static bool history_note_batch(struct sl_history *h, const struct sl_batch *b, struct sl_trouble *t)
{
    const struct sl_ddl *ddl = sl_batch_ddl(b);
    for (uint32_t i = 0; i < sl_batch_table_count(b); i++) {
        const struct sl_table_def *def = sl_batch_table(b, i)->def;
        if (!sl_history_note(h, def->schema, def->table, true, t))
            return false;
    }
    return !ddl || sl_history_note_statement(h, ddl->schema, ddl->statement, ddl->mode, t);
}

static bool history_follow(struct sl_history *h, struct sl_reader *reader, const struct sl_source_open *o, sl_ts end,
                           struct sl_trouble *t)
{
    for (sl_ts through = o->from; through < end;) {
        struct sl_batch *b = sl_batch_new();
        if (!b)
            return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a batch of rows");
        bool is_good =
            !(o->is_over && o->is_over(o->ctx)) || sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted");
        is_good = is_good && reader->driver->read(reader, b, HISTORY_BATCH_BYTES, HISTORY_WAIT_NS, t) &&
                  history_note_batch(h, b, t);
        if (is_good)
            through = sl_batch_through(b);
        sl_batch_unref(b);
        if (!is_good)
            return false;
    }
    return true;
}

bool sl_history_read(struct sl_history *h, const struct sl_source_driver *driver, const struct sl_source_open *o,
                     sl_ts end, struct sl_trouble *t)
{
    struct sl_reader *reader = NULL;
    bool is_good = o->from >= end || (driver->open(&reader, o, t) && history_follow(h, reader, o, end, t));
    if (reader)
        driver->close(reader);
    if (is_good || t->kind != SL_TROUBLE_LASTING)
        return is_good;
    *t = (struct sl_trouble){ 0 };
    return true;
}
