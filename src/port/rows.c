/* SPDX-License-Identifier: Apache-2.0 */
#include "port/rows.h"

#include "base/hash.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_BLOCK_BYTES_MIN 4096u
#define BATCH_BLOCK_BYTES_MAX 65536u
#define BATCH_ROWS_MIN 16u
#define BATCH_TABLES_MIN 8u
#define BATCH_ROWS_MAX (1u << 26)

struct batch_block {
    struct batch_block *next;
    size_t used, size;
    alignas(16) uint8_t bytes[];
};

struct sl_batch {
    atomic_uint refs;
    struct batch_block *blocks; /* newest first */
    struct sl_row *rows;
    struct sl_batch_table *tables;
    uint32_t *slots; /* by table id: index of the table + 1 */
    uint32_t row_count, row_cap, table_count, table_cap, slot_count;
    uint32_t table_last; /* index + 1 of the table of the last row: changes come in runs */
    size_t size;
    sl_ts through;
    sl_ns arrived_ns;
    struct sl_ddl ddl;
    struct sl_chunk chunk;
    struct sl_str gtids;
    bool has_ddl, has_chunk, is_sealed;
};

struct sl_table_def *sl_table_def_ref(struct sl_table_def *def)
{
    atomic_fetch_add_explicit(&def->refs, 1, memory_order_relaxed);
    return def;
}

void sl_table_def_unref(struct sl_table_def *def)
{
    if (def && atomic_fetch_sub_explicit(&def->refs, 1, memory_order_acq_rel) == 1)
        def->free(def);
}

struct sl_batch *sl_batch_new(void)
{
    struct sl_batch *b = calloc(1, sizeof *b);
    if (b) {
        atomic_init(&b->refs, 1);
        b->size = sizeof *b;
    }
    return b;
}

struct sl_batch *sl_batch_ref(struct sl_batch *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void sl_batch_unref(struct sl_batch *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    while (b->blocks) {
        struct batch_block *block = b->blocks;
        b->blocks = block->next;
        free(block);
    }
    for (uint32_t i = 0; i < b->table_count; i++)
        sl_table_def_unref(b->tables[i].def);
    free(b->tables);
    free(b->slots);
    free(b->rows);
    free(b);
}

uint8_t *sl_batch_bytes(struct sl_batch *b, size_t size)
{
    SL_REQUIRE(!b->is_sealed);
    size_t rounded = (size + 7) & ~(size_t)7;
    if (rounded < size)
        return NULL;
    struct batch_block *block = b->blocks;
    if (!block || block->size - block->used < rounded) {
        size_t wanted = block ? block->size * 2 : BATCH_BLOCK_BYTES_MIN;
        wanted = wanted > BATCH_BLOCK_BYTES_MAX ? BATCH_BLOCK_BYTES_MAX : wanted;
        wanted = wanted < rounded ? rounded : wanted;
        block = wanted < SIZE_MAX / 2 ? malloc(sizeof *block + wanted) : NULL;
        if (!block)
            return NULL;
        *block = (struct batch_block){ .next = b->blocks, .size = wanted };
        b->blocks = block;
        b->size += sizeof *block + wanted;
    }
    uint8_t *bytes = block->bytes + block->used;
    block->used += rounded;
    return bytes;
}

/* ---- tables by id ---- */

static uint32_t *batch_slot(const struct sl_batch *b, int64_t table_id)
{
    uint32_t mask = b->slot_count - 1;
    uint32_t at = (uint32_t)sl_hash_mix((uint64_t)table_id) & mask;
    while (b->slots[at] != 0 && b->tables[b->slots[at] - 1].def->table_id != table_id)
        at = (at + 1) & mask;
    return &b->slots[at];
}

/* Room for one more table; the table of slots is at most half full. */
static bool batch_grow_tables(struct sl_batch *b)
{
    if (b->table_count < b->table_cap)
        return true;
    uint32_t cap = b->table_cap == 0 ? BATCH_TABLES_MIN : b->table_cap * 2;
    struct sl_batch_table *tables = realloc(b->tables, cap * sizeof *tables);
    if (!tables)
        return false;
    b->tables = tables;
    uint32_t *slots = calloc((size_t)cap * 2, sizeof *slots);
    if (!slots)
        return false;
    free(b->slots);
    b->slots = slots;
    b->slot_count = cap * 2;
    b->size += (cap - b->table_cap) * (sizeof *tables + 2 * sizeof *slots);
    b->table_cap = cap;
    for (uint32_t i = 0; i < b->table_count; i++)
        *batch_slot(b, b->tables[i].def->table_id) = i + 1;
    return true;
}

/* Index + 1 of the table, or 0 without memory. */
static uint32_t batch_table_of(struct sl_batch *b, struct sl_table_def *def)
{
    if (b->table_last != 0 && b->tables[b->table_last - 1].def == def)
        return b->table_last;
    if (!batch_grow_tables(b))
        return 0;
    uint32_t *slot = batch_slot(b, def->table_id);
    if (*slot == 0) {
        b->tables[b->table_count++] =
            (struct sl_batch_table){ .def = sl_table_def_ref(def), .first = SL_ROW_NONE, .last = SL_ROW_NONE };
        *slot = b->table_count;
    }
    SL_REQUIRE(b->tables[*slot - 1].def == def);
    return b->table_last = *slot;
}

bool sl_batch_takes(struct sl_batch *b, const struct sl_table_def *def)
{
    if (b->table_last != 0 && b->tables[b->table_last - 1].def == def)
        return true;
    uint32_t index = sl_batch_find_table(b, def->table_id);
    if (index == SL_ROW_NONE)
        return true;
    b->table_last = index + 1; /* who asks adds rows to it next */
    return b->tables[index].def == def;
}

/* ---- filling ---- */

static bool batch_grow_rows(struct sl_batch *b)
{
    if (b->row_count < b->row_cap)
        return true;
    uint32_t cap = b->row_cap == 0 ? BATCH_ROWS_MIN : b->row_cap * 2;
    struct sl_row *rows = cap <= BATCH_ROWS_MAX ? realloc(b->rows, cap * sizeof *rows) : NULL;
    if (!rows)
        return false;
    b->size += (cap - b->row_cap) * sizeof *rows;
    b->rows = rows;
    b->row_cap = cap;
    return true;
}

static void batch_link(struct sl_batch *b, uint32_t index)
{
    struct sl_batch_table *t = &b->tables[b->rows[index].table];
    b->rows[index].next = SL_ROW_NONE;
    if (t->last == SL_ROW_NONE)
        t->first = index;
    else
        b->rows[t->last].next = index;
    t->last = index;
    t->count++;
}

bool sl_batch_add_uncleared(struct sl_batch *b, struct sl_table_def *def, enum sl_row_op op, sl_ts ts,
                            struct sl_row_images *images)
{
    SL_REQUIRE(!b->is_sealed && !b->has_ddl);
    SL_REQUIRE(b->row_count == 0 || ts >= b->rows[b->row_count - 1].ts);
    size_t image_count = op == SL_ROW_UPDATE ? 2 : 1;
    size_t image_size = def->column_count * sizeof(struct sl_value);
    if (!batch_grow_rows(b))
        return false;
    struct sl_value *values = (struct sl_value *)(void *)sl_batch_bytes(b, image_count * image_size);
    uint32_t table = values ? batch_table_of(b, def) : 0;
    if (table == 0)
        return false;
    images->before = op == SL_ROW_INSERT ? NULL : values;
    images->after = op == SL_ROW_DELETE ? NULL : values + (image_count - 1) * def->column_count;
    uint32_t index = b->row_count++;
    b->rows[index] = (struct sl_row){
        .ts = ts, .before = images->before, .after = images->after, .table = table - 1, .op = (uint8_t)op
    };
    batch_link(b, index);
    return true;
}

bool sl_batch_add(struct sl_batch *b, struct sl_table_def *def, enum sl_row_op op, sl_ts ts,
                  struct sl_row_images *images)
{
    size_t image_size = def->column_count * sizeof(struct sl_value);
    if (!sl_batch_add_uncleared(b, def, op, ts, images))
        return false;
    if (images->before)
        memset(images->before, 0, image_size);
    if (images->after)
        memset(images->after, 0, image_size);
    return true;
}

void sl_batch_cut(struct sl_batch *b, uint32_t row_count)
{
    SL_REQUIRE(!b->is_sealed && !b->has_ddl && row_count <= b->row_count);
    if (row_count == b->row_count)
        return;
    for (uint32_t i = 0; i < b->table_count; i++)
        b->tables[i] = (struct sl_batch_table){ .def = b->tables[i].def, .first = SL_ROW_NONE, .last = SL_ROW_NONE };
    b->row_count = row_count;
    for (uint32_t i = 0; i < row_count; i++)
        batch_link(b, i);
}

static bool batch_copy(struct sl_batch *b, struct sl_str *text)
{
    uint8_t *copy = sl_batch_bytes(b, text->len + 1);
    if (!copy)
        return false;
    if (text->len > 0)
        memcpy(copy, text->ptr, text->len);
    copy[text->len] = '\0';
    text->ptr = (const char *)copy;
    return true;
}

static bool batch_copy_ids(struct sl_batch *b, const int64_t **ids, uint32_t count)
{
    int64_t *copy = (int64_t *)(void *)sl_batch_bytes(b, (count + 1) * sizeof *copy);
    if (!copy)
        return false;
    if (count > 0)
        memcpy(copy, *ids, count * sizeof *copy);
    *ids = copy;
    return true;
}

static bool batch_copy_added(struct sl_batch *b, struct sl_ddl *ddl)
{
    struct sl_added_table *copy =
        (struct sl_added_table *)(void *)sl_batch_bytes(b, (ddl->added_count + 1) * sizeof *copy);
    for (uint32_t i = 0; copy && i < ddl->added_count; i++) {
        copy[i] = ddl->added[i];
        if (!batch_copy(b, &copy[i].schema_name) || !batch_copy(b, &copy[i].table_name))
            return false;
    }
    ddl->added = copy;
    return copy != NULL;
}

bool sl_batch_set_ddl(struct sl_batch *b, const struct sl_ddl *ddl)
{
    SL_REQUIRE(!b->is_sealed && !b->has_ddl);
    b->ddl = *ddl;
    b->has_ddl = batch_copy(b, &b->ddl.schema) && batch_copy(b, &b->ddl.statement) &&
                 batch_copy(b, &b->ddl.table_schema) && batch_copy(b, &b->ddl.table) && batch_copy(b, &b->ddl.gtid) &&
                 batch_copy(b, &b->ddl.gtids_before) && batch_copy(b, &b->ddl.gtids) &&
                 batch_copy_ids(b, &b->ddl.tables, ddl->table_count) &&
                 batch_copy_ids(b, &b->ddl.dropped, ddl->dropped_count) && batch_copy_added(b, &b->ddl);
    return b->has_ddl;
}

static bool batch_copy_place(struct sl_batch *b, struct sl_bytes place)
{
    struct sl_str copy = { (const char *)place.ptr, place.len };
    if (!batch_copy(b, &copy))
        return false;
    b->chunk.place = (struct sl_bytes){ (const uint8_t *)copy.ptr, copy.len };
    return true;
}

bool sl_batch_set_chunk(struct sl_batch *b, struct sl_table_def *def, const struct sl_chunk *chunk)
{
    SL_REQUIRE(!b->is_sealed && !b->has_ddl && !b->has_chunk && b->table_count == 0);
    b->chunk = *chunk;
    b->has_chunk = batch_table_of(b, def) != 0 && batch_copy(b, &b->chunk.schema) && batch_copy(b, &b->chunk.table) &&
                   batch_copy(b, &b->chunk.make_schema) && batch_copy(b, &b->chunk.make_table) &&
                   batch_copy_place(b, chunk->place);
    return b->has_chunk;
}

bool sl_batch_end_chunk(struct sl_batch *b, bool is_last, struct sl_bytes place)
{
    SL_REQUIRE(b->has_chunk && !b->is_sealed);
    b->chunk.is_last = is_last;
    return batch_copy_place(b, place);
}

bool sl_batch_set_gtids(struct sl_batch *b, struct sl_str gtids)
{
    SL_REQUIRE(!b->is_sealed);
    b->gtids = gtids;
    if (batch_copy(b, &b->gtids))
        return true;
    b->gtids = (struct sl_str){ 0 };
    return false;
}

void sl_batch_seal(struct sl_batch *b, sl_ts through, sl_ns arrived_ns)
{
    SL_REQUIRE(!b->is_sealed);
    SL_REQUIRE(b->row_count == 0 || b->rows[b->row_count - 1].ts <= through);
    b->through = through;
    b->arrived_ns = arrived_ns;
    b->is_sealed = true;
}

/* ---- reading ---- */

sl_ts sl_batch_through(const struct sl_batch *b)
{
    return b->through;
}

sl_ts sl_batch_rows_through(const struct sl_batch *b)
{
    return b->has_ddl ? b->ddl.ts - 1 : b->through;
}

struct sl_str sl_batch_gtids(const struct sl_batch *b)
{
    return b->gtids;
}

sl_ns sl_batch_arrived(const struct sl_batch *b)
{
    return b->arrived_ns;
}

size_t sl_batch_size(const struct sl_batch *b)
{
    return b->size;
}

uint32_t sl_batch_row_count(const struct sl_batch *b)
{
    return b->row_count;
}

const struct sl_row *sl_batch_row(const struct sl_batch *b, uint32_t index)
{
    SL_HOT(index < b->row_count);
    return &b->rows[index];
}

uint32_t sl_batch_table_count(const struct sl_batch *b)
{
    return b->table_count;
}

const struct sl_batch_table *sl_batch_table(const struct sl_batch *b, uint32_t index)
{
    SL_HOT(index < b->table_count);
    return &b->tables[index];
}

uint32_t sl_batch_find_table(const struct sl_batch *b, int64_t table_id)
{
    if (b->slot_count == 0)
        return SL_ROW_NONE;
    uint32_t index = *batch_slot(b, table_id);
    return index != 0 ? index - 1 : SL_ROW_NONE;
}

const struct sl_ddl *sl_batch_ddl(const struct sl_batch *b)
{
    return b->has_ddl ? &b->ddl : NULL;
}

const struct sl_chunk *sl_batch_chunk(const struct sl_batch *b)
{
    return b->has_chunk ? &b->chunk : NULL;
}

const struct sl_row *sl_row_run_next(const struct sl_row_run *run, const struct sl_row *row)
{
    const struct sl_batch *b = run->batch;
    uint32_t at = row ? row->next : b->tables[run->table].first;
    while (at != SL_ROW_NONE && b->rows[at].ts <= run->after)
        at = b->rows[at].next;
    return at != SL_ROW_NONE && b->rows[at].ts <= run->through ? &b->rows[at] : NULL;
}
