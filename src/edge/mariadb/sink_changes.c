/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/sink_changes.h"

#include "base/array.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define CHANGES_CAP_MIN 64u

bool sl_table_def_has_key(const struct sl_table_def *def)
{
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (def->columns[i].flags & SL_COLUMN_KEY)
            return true;
    }
    return false;
}

static bool value_has_bytes(const struct sl_value *v)
{
    return v->kind == SL_VALUE_TEXT || v->kind == SL_VALUE_BYTES;
}

static uint64_t value_hash(uint64_t seed, const struct sl_value *v)
{
    if (value_has_bytes(v))
        return sl_hash_bytes(seed, v->v.ptr, v->len);
    return sl_hash_u64x2(seed, v->kind, v->kind == SL_VALUE_NULL ? 0 : v->v.u);
}

static bool value_eq(const struct sl_value *a, const struct sl_value *b)
{
    if (a->kind != b->kind)
        return false;
    if (value_has_bytes(a))
        return a->len == b->len && (a->len == 0 || memcmp(a->v.ptr, b->v.ptr, a->len) == 0);
    return a->kind == SL_VALUE_NULL || a->v.u == b->v.u;
}

static uint64_t key_hash(const struct sl_table_def *def, const struct sl_value *values)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (def->columns[i].flags & SL_COLUMN_KEY)
            h = value_hash(h, &values[i]);
    }
    return h;
}

static bool key_eq(const struct sl_table_def *def, const struct sl_value *a, const struct sl_value *b)
{
    for (uint32_t i = 0; i < def->column_count; i++) {
        if ((def->columns[i].flags & SL_COLUMN_KEY) && !value_eq(&a[i], &b[i]))
            return false;
    }
    return true;
}

static size_t values_bytes(const struct sl_table_def *def, const struct sl_value *values)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < def->column_count; i++)
        bytes += value_has_bytes(&values[i]) ? values[i].len + 8u : 8u;
    return bytes;
}

/* ---- one table ---- */

static uint32_t *changes_slot(struct sl_table_changes *t, const struct sl_value *values, uint64_t hash)
{
    uint32_t mask = t->slot_cap - 1;
    uint32_t i = (uint32_t)hash & mask;
    while (t->slots[i] != 0) {
        const struct sl_change *c = &t->changes[t->slots[i] - 1];
        if (c->hash == hash && key_eq(t->def, c->values, values))
            break;
        i = (i + 1) & mask;
    }
    return &t->slots[i];
}

static bool changes_grow(struct sl_table_changes *t)
{
    struct sl_change *changes = sl_array_room(t->changes, t->count, &t->cap, CHANGES_CAP_MIN, sizeof *changes);
    if (!changes)
        return false;
    t->changes = changes;
    uint32_t *slots = calloc((size_t)t->cap * 2, sizeof *slots);
    if (!slots)
        return false;
    free(t->slots);
    t->slots = slots;
    t->slot_cap = t->cap * 2;
    for (uint32_t i = 0; i < t->count; i++)
        *changes_slot(t, t->changes[i].values, t->changes[i].hash) = i + 1;
    return true;
}

static bool changes_put(struct sl_table_changes *t, const struct sl_value *values, bool is_delete)
{
    if ((t->count >= t->cap || t->slot_cap < t->cap * 2) && !changes_grow(t))
        return false;
    uint64_t hash = key_hash(t->def, values);
    uint32_t *slot = changes_slot(t, values, hash);
    if (*slot == 0) {
        *slot = ++t->count;
        t->changes[t->count - 1].is_delete = false;
    }
    struct sl_change *c = &t->changes[*slot - 1];
    t->delete_count += (uint32_t)is_delete - (uint32_t)c->is_delete;
    *c = (struct sl_change){ .values = values, .hash = hash, .is_delete = is_delete };
    t->bytes += values_bytes(t->def, values);
    return true;
}

static bool changes_put_row(struct sl_table_changes *t, const struct sl_row *row)
{
    switch ((enum sl_row_op)row->op) {
    case SL_ROW_INSERT:
        return changes_put(t, row->after, false);
    case SL_ROW_DELETE:
        return changes_put(t, row->before, true);
    case SL_ROW_UPDATE:
        return (key_eq(t->def, row->before, row->after) || changes_put(t, row->before, true)) &&
               changes_put(t, row->after, false);
    }
    SL_UNREACHABLE();
}

/* ---- all tables ---- */

/* Keeps its memory for the next batch. */
static void changes_empty(struct sl_table_changes *t)
{
    t->def = NULL;
    t->count = t->delete_count = 0;
    t->bytes = 0;
    if (t->slots)
        memset(t->slots, 0, t->slot_cap * sizeof *t->slots);
}

static struct sl_table_changes *changes_table(struct sl_changes *c, struct sl_table_def *def)
{
    for (uint32_t i = c->table_count; i > 0; i--) {
        if (c->tables[i - 1].def == def)
            return &c->tables[i - 1];
    }
    struct sl_table_changes *tables = sl_array_room(c->tables, c->table_count, &c->table_cap, 4, sizeof *tables);
    if (!tables)
        return NULL;
    c->tables = tables;
    struct sl_table_changes *t = &c->tables[c->table_count++];
    t->def = def;
    return t;
}

bool sl_changes_add(struct sl_changes *c, const struct sl_row_run *run)
{
    struct sl_table_changes *t = changes_table(c, sl_batch_table(run->batch, run->table)->def);
    if (!t)
        return false;
    for (const struct sl_row *row = sl_row_run_next(run, NULL); row; row = sl_row_run_next(run, row)) {
        if (!changes_put_row(t, row))
            return false;
        c->taken++;
    }
    return true;
}

/* ---- order ---- */

/* Of the first column of the key, as far as 64 bits go. */
static uint64_t change_order(const struct sl_table_def *def, const struct sl_value *values)
{
    const uint64_t sign = UINT64_C(1) << 63;
    uint32_t key = 0;
    while (!(def->columns[key].flags & SL_COLUMN_KEY))
        key++;
    const struct sl_value *v = &values[key];
    if (v->kind == SL_VALUE_INT)
        return v->v.u ^ sign;
    uint64_t order = 0;
    for (uint32_t i = 0; value_has_bytes(v) && i < sizeof order; i++)
        order = order << 8 | (i < v->len ? v->v.ptr[i] : 0);
    return v->kind == SL_VALUE_UINT ? v->v.u : order;
}

static int change_cmp(const void *a, const void *b)
{
    const struct sl_change *x = a, *y = b;
    if (x->is_delete != y->is_delete)
        return x->is_delete ? -1 : 1;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

void sl_changes_sort(struct sl_changes *c)
{
    for (uint32_t n = 0; n < c->table_count; n++) {
        struct sl_table_changes *t = &c->tables[n];
        for (uint32_t i = 0; i < t->count; i++)
            t->changes[i].hash = change_order(t->def, t->changes[i].values);
        qsort(t->changes, t->count, sizeof *t->changes, change_cmp);
    }
}

void sl_changes_reset(struct sl_changes *c)
{
    for (uint32_t i = 0; i < c->table_count; i++)
        changes_empty(&c->tables[i]);
    c->table_count = 0;
    c->taken = 0;
}

void sl_changes_deinit(struct sl_changes *c)
{
    for (uint32_t i = 0; i < c->table_cap; i++) {
        free(c->tables[i].changes);
        free(c->tables[i].slots);
    }
    free(c->tables);
    *c = (struct sl_changes){ 0 };
}
