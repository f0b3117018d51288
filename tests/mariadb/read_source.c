/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what a source gives, one change a line, until it has given everything that was there when the program started:
 *
 *     read_source URI head                   the ts of now
 *     read_source URI list [TS]              id schema table, as of now or of then
 *     read_source URI from TS [CONFIG]       ts op schema.table before | after     values as SELECT prints them,
 *                                            BYTES in hexadecimal; DDL as: ts ddl schema statement
 *     read_source URI count TS               rows, rows per second
 *     read_source URI apply TS SINK-URI      writes them to a sink, by one writer; rows per second
 */
#include "edge/mariadb/mariadb_source.h"
#include "edge/mariadb/mysql_sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct sl_secret read_secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static int read_fail(const struct sl_trouble *t)
{
    fprintf(stderr, "%s: %s%s%s\n", t->code, t->detail, t->remedy[0] ? ": " : "", t->remedy);
    return 1;
}

static void read_print_value(const struct sl_value *v)
{
    switch ((enum sl_value_kind)v->kind) {
    case SL_VALUE_ABSENT:
        printf("-");
        return;
    case SL_VALUE_NULL:
        printf("NULL");
        return;
    case SL_VALUE_INT:
        printf("%" PRId64, v->v.i);
        return;
    case SL_VALUE_UINT:
        printf("%" PRIu64, v->v.u);
        return;
    case SL_VALUE_DOUBLE:
        printf("%.9g", v->v.d);
        return;
    case SL_VALUE_TEXT:
        printf("%.*s", (int)v->len, (const char *)v->v.ptr);
        return;
    case SL_VALUE_BYTES:
        for (uint32_t i = 0; i < v->len; i++)
            printf("%02X", v->v.ptr[i]);
        return;
    }
}

static void read_print_image(const struct sl_value *values, uint32_t count)
{
    for (uint32_t i = 0; values && i < count; i++) {
        printf("\t");
        read_print_value(&values[i]);
    }
}

static void read_print_batch(const struct sl_batch *b)
{
    static const char *const ops[] = { "insert", "update", "delete" };
    for (uint32_t i = 0; i < sl_batch_row_count(b); i++) {
        const struct sl_row *row = sl_batch_row(b, i);
        const struct sl_table_def *def = sl_batch_table(b, row->table)->def;
        printf("%" PRIu64 "\t%s\t%.*s.%.*s", row->ts, ops[row->op], (int)def->schema.len, def->schema.ptr,
               (int)def->table.len, def->table.ptr);
        read_print_image(row->before, def->column_count);
        if (row->op == SL_ROW_UPDATE)
            printf("\t|");
        read_print_image(row->after, def->column_count);
        printf("\n");
    }
    const struct sl_ddl *ddl = sl_batch_ddl(b);
    if (ddl)
        printf("%" PRIu64 "\tddl\t%.*s\t%.*s\n", ddl->ts, (int)ddl->schema.len, ddl->schema.ptr,
               (int)ddl->statement.len, ddl->statement.ptr);
}

static int read_all(const struct sl_source_driver *driver, const struct sl_source_open *open, sl_ts head, bool prints)
{
    struct sl_trouble t = { 0 };
    struct sl_reader *reader;
    uint64_t rows = 0;
    sl_ts through = open->from;
    struct timespec start, end;
    if (!driver->open(&reader, open, &t))
        return read_fail(&t);
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (through < head) {
        struct sl_batch *b = sl_batch_new();
        if (!b || !driver->read(reader, b, 256u << 10, SL_S, &t)) {
            sl_batch_unref(b);
            driver->close(reader);
            return read_fail(&t);
        }
        if (prints)
            read_print_batch(b);
        rows += sl_batch_row_count(b);
        through = sl_batch_through(b);
        sl_batch_unref(b);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    if (!prints)
        printf("%" PRIu64 " rows, %.0f rows/s\n", rows, (double)rows / seconds);
    driver->close(reader);
    return 0;
}

/* ---- a whole pipeline in one thread ---- */

#define APPLY_BATCHES_MAX 64u
#define APPLY_CLAIMS_MAX 4096u
#define APPLY_ROWS_MAX 100000u

struct apply {
    struct sl_writer *writer;
    struct sl_batch *held[APPLY_BATCHES_MAX]; /* whose rows are in the open transaction */
    uint32_t held_count;
    int64_t claimed[APPLY_CLAIMS_MAX];
    uint32_t claimed_count;
    uint64_t rows, open_rows;
    sl_ts done;
};

static bool apply_claim(struct apply *a, struct sl_sink_span *span, struct sl_trouble *t)
{
    for (uint32_t i = 0; i < a->claimed_count; i++) {
        if (a->claimed[i] == span->key.table_id)
            return true;
    }
    struct sl_sink_claim claim = { .span = *span };
    if (a->claimed_count == APPLY_CLAIMS_MAX || !a->writer->driver->raise(a->writer, &claim, 1, t))
        return false;
    a->claimed[a->claimed_count++] = span->key.table_id;
    return !claim.is_refused;
}

static bool apply_commit(struct apply *a, struct sl_trouble *t)
{
    bool is_good = a->open_rows == 0 || a->writer->driver->commit(a->writer, t);
    for (uint32_t i = 0; i < a->held_count; i++)
        sl_batch_unref(a->held[i]);
    a->rows += a->open_rows;
    a->held_count = 0;
    a->open_rows = 0;
    return is_good;
}

/* Takes the reference of b. */
static bool apply_batch(struct apply *a, struct sl_batch *b, struct sl_trouble *t)
{
    a->held[a->held_count++] = b;
    for (uint32_t i = 0; i < sl_batch_table_count(b); i++) {
        struct sl_sink_span span = { .key = { .table_id = sl_batch_table(b, i)->def->table_id },
                                     .placement = { 1, 1 } };
        struct sl_row_run run = { .batch = b, .table = i, .after = a->done, .through = sl_batch_through(b) };
        if (!apply_claim(a, &span, t) || !a->writer->driver->append(a->writer, &span, &run, t))
            return false;
    }
    a->open_rows += sl_batch_row_count(b);
    a->done = sl_batch_through(b);
    return (a->held_count < APPLY_BATCHES_MAX && a->open_rows < APPLY_ROWS_MAX) || apply_commit(a, t);
}

static bool apply_from(struct apply *a, struct sl_reader *reader, sl_ts head, struct sl_trouble *t)
{
    while (a->done < head) {
        struct sl_batch *b = sl_batch_new();
        if (!b)
            return false;
        if (!reader->driver->read(reader, b, 256u << 10, SL_S, t)) {
            sl_batch_unref(b);
            return false;
        }
        if (!apply_batch(a, b, t))
            return false;
    }
    return apply_commit(a, t);
}

static int apply_all(const struct sl_source_open *open, sl_ts head, const char *sink_uri)
{
    const struct sl_source_driver *source = &sl_mariadb_source_driver;
    const struct sl_sink_driver *sink = &sl_mysql_sink_driver;
    const struct sl_feed_id feed = { .low = 1 };
    const struct sl_sink_open sink_open = { .feed = &feed, .uri = read_secret(sink_uri), .writer_count = 1 };
    struct apply a = { .done = open->from };
    struct sl_trouble t = { 0 };
    struct sl_reader *reader = NULL;
    struct sl_sink *s = NULL;
    struct timespec start, end;
    bool is_good =
        source->open(&reader, open, &t) && sink->open(&s, &sink_open, &t) && sink->open_writer(&a.writer, s, 0, &t);
    clock_gettime(CLOCK_MONOTONIC, &start);
    is_good = is_good && apply_from(&a, reader, head, &t);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    if (a.writer)
        sink->close_writer(a.writer);
    if (s)
        sink->close(s, false);
    if (reader)
        source->close(reader);
    if (!is_good)
        return read_fail(&t);
    printf("%" PRIu64 " rows, %.0f rows/s\n", a.rows, (double)a.rows / seconds);
    return 0;
}

static bool read_print_table(void *ctx, const struct sl_source_table *table)
{
    (void)ctx;
    printf("%" PRId64 "\t%.*s\t%.*s\n", table->table_id, (int)table->schema.len, table->schema.ptr,
           (int)table->table.len, table->table.ptr);
    return true;
}

int main(int argc, char **argv)
{
    const struct sl_source_driver *driver = &sl_mariadb_source_driver;
    struct sl_trouble t = { 0 };
    sl_ts head;
    if (argc < 3)
        return 2;
    struct sl_source_open open = { .uri = read_secret(argv[1]) };
    open.from = argc > 3 ? strtoull(argv[3], NULL, 10) : SL_TS_NONE;
    if (strcmp(argv[2], "list") == 0)
        return driver->list(&open, read_print_table, NULL, &t) ? 0 : read_fail(&t);
    if (!driver->head(&head, open.uri, &t))
        return read_fail(&t);
    if (strcmp(argv[2], "head") == 0) {
        printf("%" PRIu64 "\n", head);
        return 0;
    }
    if (argc < 4)
        return 2;
    if (strcmp(argv[2], "apply") == 0)
        return argc > 4 ? apply_all(&open, head, argv[4]) : 2;
    if (argc > 4)
        open.config = read_secret(argv[4]);
    return read_all(driver, &open, head, strcmp(argv[2], "from") == 0);
}
