/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) libc's; MAP_POPULATE */
/*
 * One stage of the way from one database to another at a time; bench/source and bench/pipeline call it. One line of
 * "name value" pairs on the standard output:
 *
 *     bench_flow decode LOG-FILE...            a log file in memory to batches of rows, without and with checksums
 *     bench_flow read SOURCE-URI TS            the log over the wire to batches, from ts to its end
 *     bench_flow follow SOURCE-URI TS          the same, and goes on until it is ended
 *     bench_flow head SOURCE-URI               the ts of now, alone
 *     bench_flow list SOURCE-URI               its tables: id, schema, name
 *     bench_flow apply SOURCE-URI TS SINK-URI LANES    the data plane of a node: the same into a sink, by so many
 *                                              connections, until all of it is durable
 */
#include "edge/mariadb/mariadb_source.h"
#include "edge/mariadb/mysql_sink.h"
#include "edge/mariadb/source_rows.h"
#include "engine/plane.h"

#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FLOW_BATCH_BYTES (256u << 10)
#define FLOW_TURNS 5
#define FLOW_TABLES_MAX 4096u

static struct sl_secret flow_secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static double flow_seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void flow_die(const struct sl_trouble *t)
{
    fprintf(stderr, "bench_flow: %s: %s\n", t->code, t->detail);
    exit(1);
}

/* ---- from memory ---- */

static struct sl_bytes flow_map(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        perror(path);
        exit(1);
    }
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    return (struct sl_bytes){ bytes, (size_t)st.st_size };
}

static uint32_t flow_event_size(const uint8_t *event)
{
    const size_t at = 9;
    return (uint32_t)event[at] | (uint32_t)event[at + 1] << 8 | (uint32_t)event[at + 2] << 16 |
           (uint32_t)event[at + 3] << 24;
}

static uint64_t flow_decode(struct sl_bytes log, bool verifies)
{
    const size_t magic = 4, header = 19;
    const struct sl_binlog_stream_opts opts = { .is_checksum_announced = true,
                                                .verifies_checksums = verifies,
                                                .inflate_bytes_max = (size_t)1 << 30,
                                                .table_count_max = 65536 };
    struct sl_binlog_stream stream;
    struct sl_source_rows rows;
    struct sl_table_filter *filter = NULL;
    struct sl_trouble t = { 0 };
    uint64_t count = 0;
    if (sl_binlog_stream_init(&stream, &opts) != SL_OK || !sl_table_filter_new(&filter, flow_secret(""), &t) ||
        !sl_source_rows_init(&rows, filter, NULL))
        exit(1);
    struct sl_batch *batch = sl_batch_new();
    sl_ts ts = 0;
    struct sl_err err = { 0 };
    struct sl_binlog_item item;
    for (size_t at = magic; sl_binlog_stream_has_more(&stream) || at + header <= log.len;) {
        bool has_more = sl_binlog_stream_has_more(&stream);
        uint32_t size = has_more ? 0 : flow_event_size(log.ptr + at);
        if (!has_more && (size < header || size > log.len - at))
            break;
        const struct sl_bytes event = { log.ptr + at, size };
        if ((has_more ? sl_binlog_stream_more(&stream, &item, &err)
                      : sl_binlog_stream_feed(&stream, event, &item, &err)) != SL_OK) {
            fprintf(stderr, "bench_flow: %s\n", err.text);
            exit(1);
        }
        at += size;
        ts = item.ts > ts ? item.ts : ts;
        if (item.kind == SL_BINLOG_ROWS && !sl_source_rows_add(&rows, batch, &item, &stream.inflated, &t))
            flow_die(&t);
        if (item.ends_group && sl_batch_size(batch) >= FLOW_BATCH_BYTES) {
            count += sl_batch_row_count(batch);
            sl_batch_seal(batch, ts, 0);
            sl_batch_unref(batch);
            batch = sl_batch_new();
        }
    }
    count += sl_batch_row_count(batch);
    sl_batch_unref(batch);
    sl_source_rows_deinit(&rows);
    sl_binlog_stream_deinit(&stream);
    sl_table_filter_free(filter);
    return count;
}

/* The best of some turns: what the machine can do, not what else it did. */
static void flow_bench_decode(int count, char **paths)
{
    static const char *const names[] = { "decode", "decode_and_verify" };
    for (int verifies = 0; verifies < 2; verifies++) {
        double best = 0, best_bytes = 0;
        for (int turn = 0; turn < FLOW_TURNS; turn++) {
            uint64_t rows = 0, bytes = 0;
            double cpu = 0;
            for (int i = 0; i < count; i++) {
                struct sl_bytes log = flow_map(paths[i]);
                double before = flow_seconds(CLOCK_PROCESS_CPUTIME_ID);
                rows += flow_decode(log, verifies != 0);
                cpu += flow_seconds(CLOCK_PROCESS_CPUTIME_ID) - before;
                bytes += log.len;
                munmap((void *)(uintptr_t)log.ptr, log.len);
            }
            if ((double)rows / cpu > best) {
                best = (double)rows / cpu;
                best_bytes = (double)bytes / cpu;
            }
        }
        printf("%s_rows_per_cpu_s %.0f %s_mb_per_cpu_s %.0f ", names[verifies], best, names[verifies],
               best_bytes / 1e6);
    }
    printf("\n");
}

/* ---- over the wire ---- */

static void flow_print_head(const char *uri)
{
    struct sl_trouble t = { 0 };
    sl_ts head;
    if (!sl_mariadb_source_driver.head(&head, flow_secret(uri), &t))
        flow_die(&t);
    printf("%" PRIu64 "\n", head);
}

static bool flow_print_table(void *ctx, const struct sl_source_table *table)
{
    (void)ctx;
    printf("%" PRId64 " %.*s %.*s\n", table->table_id, (int)table->schema.len, table->schema.ptr, (int)table->table.len,
           table->table.ptr);
    return true;
}

static void flow_print_list(const char *uri)
{
    const struct sl_source_open open = { .uri = flow_secret(uri) };
    struct sl_trouble t = { 0 };
    if (!sl_mariadb_source_driver.list(&open, flow_print_table, NULL, &t))
        flow_die(&t);
}

static void flow_bench_read(const char *uri, sl_ts from, bool is_endless)
{
    const struct sl_source_driver *driver = &sl_mariadb_source_driver;
    struct sl_source_open open = { .uri = flow_secret(uri), .from = from };
    struct sl_trouble t = { 0 };
    struct sl_reader *reader;
    sl_ts head, through = from;
    uint64_t rows = 0;
    if (!driver->head(&head, open.uri, &t) || !driver->open(&reader, &open, &t))
        flow_die(&t);
    double wall = flow_seconds(CLOCK_MONOTONIC), cpu = flow_seconds(CLOCK_PROCESS_CPUTIME_ID);
    while (is_endless || through < head) {
        struct sl_batch *b = sl_batch_new();
        if (!b || !driver->read(reader, b, FLOW_BATCH_BYTES, SL_S, &t))
            flow_die(&t);
        rows += sl_batch_row_count(b);
        through = sl_batch_through(b);
        sl_batch_unref(b);
    }
    wall = flow_seconds(CLOCK_MONOTONIC) - wall;
    cpu = flow_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    driver->close(reader);
    printf("rows %" PRIu64 " rows_per_s %.0f rows_per_cpu_s %.0f\n", rows, (double)rows / wall, (double)rows / cpu);
}

/* ---- the data plane ---- */

struct flow {
    struct sl_plane *plane;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    bool is_woken, is_open;
    uint32_t tables;
    struct flow_table {
        sl_ts checkpoint;
        bool follows; /* then it is where the feed is */
    } table[FLOW_TABLES_MAX + 1];
    sl_ts progress;
};

static void flow_on_report(void *ctx, const struct sl_report *r)
{
    struct flow *f = ctx;
    f->is_open = f->is_open || r->kind == SL_REPORT_FEED_OPENED;
    if (r->kind == SL_REPORT_READY || r->kind == SL_REPORT_PROGRESS)
        f->table[r->dispatcher] = (struct flow_table){ r->checkpoint, r->follows };
    if (r->kind == SL_REPORT_FEED_PROGRESS)
        f->progress = r->checkpoint;
    if (r->kind == SL_REPORT_FAILED || r->kind == SL_REPORT_FEED_FAILED) {
        fprintf(stderr, "bench_flow: the feed or one of its tables failed\n");
        exit(1);
    }
}

static void flow_on_schema(void *ctx, const struct sl_in_schema *schema)
{
    (void)ctx, (void)schema;
}

static void flow_on_note(void *ctx, const struct sl_feed_id *feed, const struct sl_trouble *t)
{
    (void)ctx, (void)feed;
    fprintf(stderr, "bench_flow: %s: %s\n", t->code, t->detail);
}

static void flow_wake(void *ctx)
{
    struct flow *f = ctx;
    pthread_mutex_lock(&f->mutex);
    f->is_woken = true;
    pthread_cond_signal(&f->woken);
    pthread_mutex_unlock(&f->mutex);
}

static void flow_poll(struct flow *f)
{
    pthread_mutex_lock(&f->mutex);
    while (!f->is_woken)
        pthread_cond_wait(&f->woken, &f->mutex);
    f->is_woken = false;
    pthread_mutex_unlock(&f->mutex);
    sl_plane_poll(f->plane);
}

static bool flow_open_table(void *ctx, const struct sl_source_table *table)
{
    struct flow *f = ctx;
    if (f->tables == FLOW_TABLES_MAX)
        return false;
    sl_plane_perform(f->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN,
                                                     .feed = 1,
                                                     .dispatcher = ++f->tables,
                                                     .span = { .table_id = table->table_id },
                                                     .placement = { 1, 1 },
                                                     .start_ts = f->progress });
    return true;
}

static void flow_open(struct flow *f, const char *source, const char *sink, uint32_t lanes)
{
    static const struct sl_source_driver *const sources[] = { &sl_mariadb_source_driver, NULL };
    static const struct sl_sink_driver *const sinks[] = { &sl_mysql_sink_driver, NULL };
    const struct sl_feed_id id = { .high = 1, .low = 1 };
    struct sl_plane_client client = {
        .ctx = f, .on_report = flow_on_report, .on_schema = flow_on_schema, .on_note = flow_on_note, .wake = flow_wake
    };
    struct sl_plane_opts opts = SL_PLANE_OPTS_DEFAULT;
    char config[1024];
    opts.sources = sources;
    opts.sinks = sinks;
    opts.workers_per_feed = lanes;
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->woken, NULL);
    if (sl_plane_open(&f->plane, &opts, &client) != SL_OK)
        exit(1);
    snprintf(config, sizeof config, "{\"sink_uri\":\"%s\"}", sink);
    sl_plane_perform(f->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN_FEED,
                                                     .feed = 1,
                                                     .feed_id = &id,
                                                     .config = flow_secret(config),
                                                     .source = flow_secret(source) });
    while (!f->is_open)
        flow_poll(f);
}

static bool flow_is_there(const struct flow *f, sl_ts head)
{
    for (uint32_t i = 1; i <= f->tables; i++) {
        const struct flow_table *t = &f->table[i];
        if (sl_ts_max(t->checkpoint, t->follows ? f->progress : SL_TS_NONE) < head)
            return false;
    }
    return true;
}

static void flow_bench_apply(const char *source, sl_ts from, const char *sink, uint32_t lanes)
{
    const struct sl_source_driver *driver = &sl_mariadb_source_driver;
    const struct sl_source_open open = { .uri = flow_secret(source), .from = from };
    static struct flow f;
    f.progress = from;
    struct sl_trouble t = { 0 };
    struct sl_plane_stats stats;
    sl_ts head;
    if (!driver->head(&head, open.uri, &t))
        flow_die(&t);
    flow_open(&f, source, sink, lanes);
    double wall = flow_seconds(CLOCK_MONOTONIC), cpu = flow_seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (!driver->list(&open, flow_open_table, &f, &t))
        flow_die(&t);
    while (!flow_is_there(&f, head))
        flow_poll(&f);
    wall = flow_seconds(CLOCK_MONOTONIC) - wall;
    cpu = flow_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    sl_plane_stats(f.plane, &stats);
    printf("rows %" PRIu64 " rows_per_s %.0f rows_per_cpu_s %.0f seconds %.2f cpu_s %.2f detached %" PRIu64 "\n",
           stats.rows_durable, (double)stats.rows_durable / wall, (double)stats.rows_durable / cpu, wall, cpu,
           stats.detached);
    sl_plane_close(f.plane);
    pthread_cond_destroy(&f.woken);
    pthread_mutex_destroy(&f.mutex);
}

int main(int argc, char **argv)
{
    mallopt(M_TRIM_THRESHOLD,
            64 << 20); /* as in a node, whose window of recent batches keeps the heap from shrinking */
    if (argc > 2 && strcmp(argv[1], "decode") == 0) {
        flow_bench_decode(argc - 2, argv + 2);
    } else if (argc == 4 && strcmp(argv[1], "read") == 0) {
        flow_bench_read(argv[2], strtoull(argv[3], NULL, 10), false);
    } else if (argc == 4 && strcmp(argv[1], "follow") == 0) {
        flow_bench_read(argv[2], strtoull(argv[3], NULL, 10), true);
    } else if (argc == 3 && strcmp(argv[1], "list") == 0) {
        flow_print_list(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "head") == 0) {
        flow_print_head(argv[2]);
    } else if (argc == 6 && strcmp(argv[1], "apply") == 0) {
        flow_bench_apply(argv[2], strtoull(argv[3], NULL, 10), argv[4], (uint32_t)strtoul(argv[5], NULL, 10));
    } else {
        fprintf(stderr, "usage: bench_flow decode FILE... | read|follow SOURCE TS | head|list SOURCE | apply SOURCE TS "
                        "SINK LANES\n");
        return 2;
    }
    return 0;
}
