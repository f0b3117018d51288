/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/sink_apply.h"

#include "edge/mariadb/sink_statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLY_BYTES_MAX ((size_t)4 << 20)
#define APPLY_BYTES_MIN ((size_t)64 << 10)
#define APPLY_IN_MIN 8u /* deletes, from which on a list is worth its statement */

/* ---- arrays of parameters ---- */

/* One column of up to SL_APPLY_ROWS_MAX rows, as a bulk execution wants it. */
struct apply_column {
    union {
        long long ints[SL_APPLY_ROWS_MAX];
        double doubles[SL_APPLY_ROWS_MAX];
        const char *texts[SL_APPLY_ROWS_MAX];
    } values;
    unsigned long lengths[SL_APPLY_ROWS_MAX];
    char indicators[SL_APPLY_ROWS_MAX];
};

struct sl_apply_arrays {
    struct apply_column *columns;
    MYSQL_BIND *binds;      /* of each column */
    MYSQL_BIND *cell_binds; /* without arrays: of each column of each row of a statement */
    uint32_t cap;
};

static void apply_free_arrays(struct sl_apply_arrays *arrays)
{
    free(arrays->columns);
    free(arrays->binds);
    free(arrays->cell_binds);
    *arrays = (struct sl_apply_arrays){ 0 };
}

static bool apply_make_room(struct sl_apply *a, uint32_t columns, struct sl_trouble *t)
{
    if (a->arrays->cap >= columns)
        return true;
    apply_free_arrays(a->arrays);
    a->arrays->columns = calloc(columns, sizeof *a->arrays->columns);
    a->arrays->binds = calloc(columns, sizeof *a->arrays->binds);
    if (!a->has_bulk)
        a->arrays->cell_binds = calloc((size_t)columns * SL_STATEMENT_ROWS_MAX, sizeof *a->arrays->cell_binds);
    if (!a->arrays->columns || !a->arrays->binds || !(a->has_bulk || a->arrays->cell_binds))
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a batch of rows");
    a->arrays->cap = columns;
    return true;
}

static void column_put(struct apply_column *c, uint32_t row, const struct sl_value *v)
{
    c->indicators[row] =
        v->kind == SL_VALUE_NULL || v->kind == SL_VALUE_ABSENT ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
    switch ((enum sl_value_kind)v->kind) {
    case SL_VALUE_ABSENT:
    case SL_VALUE_NULL:
        c->values.ints[row] = 0;
        c->lengths[row] = 0;
        return;
    case SL_VALUE_INT:
    case SL_VALUE_UINT:
        c->values.ints[row] = v->v.i;
        return;
    case SL_VALUE_DOUBLE:
        c->values.doubles[row] = v->v.d;
        return;
    case SL_VALUE_TEXT:
    case SL_VALUE_BYTES:
        c->values.texts[row] = (const char *)v->v.ptr;
        c->lengths[row] = v->len;
        return;
    }
}

/* All values of a column are of one kind, or NULL: the first that is not decides. */
static void bind_set(MYSQL_BIND *bind, struct apply_column *c, const struct sl_value *sample)
{
    enum sl_value_kind kind = sample ? (enum sl_value_kind)sample->kind : SL_VALUE_TEXT;
    *bind = (MYSQL_BIND){ 0 };
    bind->u.indicator = c->indicators;
    bind->buffer = &c->values;
    if (kind == SL_VALUE_INT || kind == SL_VALUE_UINT) {
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->is_unsigned = kind == SL_VALUE_UINT;
    } else if (kind == SL_VALUE_DOUBLE) {
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
    } else {
        bind->buffer_type = kind == SL_VALUE_BYTES ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
        bind->length = c->lengths;
    }
}

static bool value_is_null(const struct sl_value *v)
{
    return v->kind == SL_VALUE_NULL || v->kind == SL_VALUE_ABSENT;
}

struct apply_rows { /* images to bind, in order */
    const struct sl_value *images[SL_APPLY_ROWS_MAX];
    uint32_t count;
};

static void apply_bind_column(struct sl_apply *a, const struct apply_rows *rows, uint32_t parameter, uint32_t column)
{
    struct apply_column *c = &a->arrays->columns[parameter];
    const struct sl_value *sample = NULL;
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct sl_value *v = &rows->images[i][column];
        column_put(c, i, v);
        if (!sample && !value_is_null(v))
            sample = v;
    }
    bind_set(&a->arrays->binds[parameter], c, sample);
}

/* ---- execution ---- */

static bool apply_bulk(struct sl_apply *a, MYSQL_STMT *stmt, uint32_t count, struct sl_trouble *t)
{
    unsigned size = count;
    mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &size);
    if (mysql_stmt_bind_param(stmt, a->arrays->binds) != 0 || mysql_stmt_execute(stmt) != 0)
        return sl_statement_trouble(t, stmt);
    return true;
}

/* Where there are no arrays each value has a bind of its own. */
static void bind_cell(MYSQL_BIND *bind, const MYSQL_BIND *of_column, struct apply_column *c, uint32_t row)
{
    *bind = *of_column;
    bool is_text = bind->buffer_type == MYSQL_TYPE_STRING || bind->buffer_type == MYSQL_TYPE_BLOB;
    bind->u.indicator = NULL;
    bind->is_null_value = c->indicators[row] == STMT_INDICATOR_NULL;
    bind->is_null = &bind->is_null_value;
    if (is_text) {
        bind->buffer = (void *)(uintptr_t)c->values.texts[row];
        bind->buffer_length = c->lengths[row];
        bind->length = &c->lengths[row];
    } else {
        bind->buffer = &c->values.ints[row];
    }
}

static bool apply_cells(struct sl_apply_arrays *arrays, MYSQL_STMT *stmt, uint32_t from, uint32_t rows,
                        uint32_t parameters, struct sl_trouble *t)
{
    for (uint32_t i = 0; i < rows * parameters; i++) {
        uint32_t p = i % parameters;
        bind_cell(&arrays->cell_binds[i], &arrays->binds[p], &arrays->columns[p], from + i / parameters);
    }
    if (mysql_stmt_bind_param(stmt, arrays->cell_binds) != 0 || mysql_stmt_execute(stmt) != 0)
        return sl_statement_trouble(t, stmt);
    return true;
}

/* As many rows at once as there are statements for. */
static bool apply_in_steps(struct sl_apply *a, struct sl_apply_statement *s, bool is_delete, uint32_t count,
                           uint32_t parameters, struct sl_trouble *t)
{
    uint32_t row = 0;
    for (uint32_t step = 0; step < SL_STATEMENT_STEPS; step++) {
        for (uint32_t rows = sl_statement_rows[step]; count - row >= rows; row += rows) {
            MYSQL_STMT *stmt = sl_statement_step(a, s, is_delete, (enum sl_statement_step)step, t);
            if (!stmt || !apply_cells(a->arrays, stmt, row, rows, parameters, t))
                return false;
        }
    }
    return true;
}

/* Lists of a fixed length: the last one says its last key until it is full, which deletes it no less. */
static bool apply_delete_in(struct sl_apply *a, struct sl_apply_statement *s, const struct apply_rows *rows,
                            struct sl_trouble *t)
{
    long long keys[SL_APPLY_IN_COUNT];
    MYSQL_BIND binds[SL_APPLY_IN_COUNT];
    uint32_t key = 0, count = rows->count;
    while (!s->columns[key].is_key)
        key++;
    if (!sl_statement_prepare_in(a, s, t))
        return false;
    for (uint32_t from = 0; from < count; from += SL_APPLY_IN_COUNT) {
        for (uint32_t i = 0; i < SL_APPLY_IN_COUNT; i++) {
            const struct sl_value *v = &rows->images[from + i < count ? from + i : count - 1][key];
            keys[i] = v->v.i;
            binds[i] = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_LONGLONG,
                                     .buffer = &keys[i],
                                     .is_unsigned = v->kind == SL_VALUE_UINT };
        }
        if (mysql_stmt_bind_param(s->del_in, binds) != 0 || mysql_stmt_execute(s->del_in) != 0)
            return sl_statement_trouble(t, s->del_in);
    }
    return true;
}

static bool apply_rows(struct sl_apply *a, struct sl_apply_statement *s, bool is_delete, const struct apply_rows *rows,
                       struct sl_trouble *t)
{
    uint32_t parameters = 0;
    if (rows->count == 0)
        return true;
    if (is_delete && s->has_in && rows->count >= APPLY_IN_MIN)
        return apply_delete_in(a, s, rows, t);
    for (uint32_t i = 0; i < s->column_count; i++) {
        if (is_delete ? s->columns[i].is_key : s->columns[i].is_written)
            apply_bind_column(a, rows, parameters++, i);
    }
    if (!a->has_bulk)
        return apply_in_steps(a, s, is_delete, rows->count, parameters, t);
    MYSQL_STMT *stmt = sl_statement_step(a, s, is_delete, SL_STATEMENT_1, t);
    return stmt && apply_bulk(a, stmt, rows->count, t);
}

static size_t image_bytes(const struct sl_value *image, uint32_t columns)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < columns; i++) {
        bool has_bytes = image[i].kind == SL_VALUE_TEXT || image[i].kind == SL_VALUE_BYTES;
        bytes += has_bytes ? image[i].len + 4u : 9u;
    }
    return bytes;
}

struct apply_filling { /* an array that is filled and written when the server accepts no more of it */
    struct apply_rows rows;
    size_t bytes;
    bool is_delete;
};

static bool apply_flush(struct sl_apply *a, struct sl_apply_statement *s, struct apply_filling *f, struct sl_trouble *t)
{
    bool is_good = apply_rows(a, s, f->is_delete, &f->rows, t);
    f->rows.count = 0;
    f->bytes = 0;
    return is_good;
}

static bool apply_put(struct sl_apply *a, struct sl_apply_statement *s, struct apply_filling *f,
                      const struct sl_value *image, struct sl_trouble *t)
{
    size_t size = image_bytes(image, s->column_count);
    bool is_full = f->rows.count == SL_APPLY_ROWS_MAX || (f->rows.count > 0 && f->bytes + size > a->bytes_max);
    if (is_full && !apply_flush(a, s, f, t))
        return false;
    f->rows.images[f->rows.count++] = image;
    f->bytes += size;
    return true;
}

/* All deletes, or all writes, in arrays that the server accepts. */
static bool apply_kind(struct sl_apply *a, struct sl_apply_statement *s, const struct sl_table_changes *changes,
                       bool is_delete, struct sl_trouble *t)
{
    struct apply_filling f = { .is_delete = is_delete };
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct sl_change *c = &changes->changes[i];
        if (c->is_delete == is_delete && !apply_put(a, s, &f, c->values, t))
            return false;
    }
    return apply_flush(a, s, &f, t);
}

bool sl_apply_run(struct sl_apply *a, const struct sl_row_run *run, struct sl_trouble *t)
{
    struct sl_apply_statement *s = sl_statement_of(a, sl_batch_table(run->batch, run->table)->def, t);
    struct apply_filling f = { .is_delete = false };
    if (!s || !apply_make_room(a, s->column_count, t))
        return false;
    for (const struct sl_row *row = sl_row_run_next(run, NULL); row; row = sl_row_run_next(run, row)) {
        if (!apply_put(a, s, &f, row->after, t))
            return false;
    }
    return apply_flush(a, s, &f, t);
}

bool sl_apply_table(struct sl_apply *a, const struct sl_table_changes *changes, struct sl_trouble *t)
{
    struct sl_apply_statement *s = sl_statement_of(a, changes->def, t);
    bool is_done = s && apply_make_room(a, s->column_count, t) && apply_kind(a, s, changes, true, t) &&
                   apply_kind(a, s, changes, false, t);
    if (!is_done && t->kind == SL_TROUBLE_LASTING)
        t->table_id = changes->def->table_id; /* nobody else's tables have to stop */
    return is_done;
}

/* ---- life ---- */

static bool apply_ask_limits(struct sl_apply *a, struct sl_trouble *t)
{
    MYSQL_RES *result;
    if (!sl_mariadb_select(&result, a->db, "SELECT @@max_allowed_packet", t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    size_t packet = row && row[0] ? (size_t)strtoull(row[0], NULL, 10) : APPLY_BYTES_MIN;
    mysql_free_result(result);
    a->bytes_max = packet / 2 < APPLY_BYTES_MAX ? packet / 2 : APPLY_BYTES_MAX;
    return true;
}

bool sl_apply_init(struct sl_apply *a, MYSQL *db, bool takes_arrays, struct sl_trouble *t)
{
    *a = (struct sl_apply){ .db = db, .bytes_max = APPLY_BYTES_MIN };
    a->arrays = calloc(1, sizeof *a->arrays);
    if (!a->arrays)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a writer");
    unsigned long capabilities = 0;
    const unsigned long bulk = MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32;
    mariadb_get_infov(db, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &capabilities);
    a->has_bulk = takes_arrays && (capabilities & bulk) != 0;
    return apply_ask_limits(a, t);
}

void sl_apply_forget(struct sl_apply *a)
{
    for (uint32_t i = 0; i < a->statement_count; i++)
        sl_statement_free(a->statements[i]);
    a->statement_count = 0;
}

void sl_apply_deinit(struct sl_apply *a)
{
    sl_apply_forget(a);
    free(a->statements);
    if (a->arrays)
        apply_free_arrays(a->arrays);
    free(a->arrays);
    *a = (struct sl_apply){ 0 };
}
