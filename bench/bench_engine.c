/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of the data plane with the generated source: rows through to a sink that keeps nothing and to one that keeps
 * all, what idle dispatchers cost, and how long a burst of opens and closes takes. One table, or with --json one object.
 */
#include "edge/blackhole/blackhole.h"
#include "edge/blackhole/check.h"
#include "edge/gen/gen.h"
#include "engine/plane.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static bool as_json;
static bool is_first = true;

static void report(const char *name, double value, const char *unit, const char *goal)
{
    if (as_json)
        printf("%s\"%s\":%.6g", is_first ? "{" : ",", name, value);
    else
        printf("%-44s %14.6g %-16s %s\n", name, value, unit, goal);
    is_first = false;
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct bench {
    struct sl_plane *plane;
    pthread_mutex_t mutex;
    pthread_cond_t woken;
    bool is_woken, is_open;
    uint32_t ready, closed, failed;
    uint64_t reports;
    sl_ts progress;
};

static void bench_on_report(void *ctx, const struct sl_report *r)
{
    struct bench *b = ctx;
    b->reports++;
    b->is_open = b->is_open || r->kind == SL_REPORT_FEED_OPENED;
    b->ready += r->kind == SL_REPORT_READY;
    b->closed += r->kind == SL_REPORT_CLOSED;
    b->failed += r->kind == SL_REPORT_FAILED || r->kind == SL_REPORT_FEED_FAILED;
    if (r->kind == SL_REPORT_FEED_PROGRESS)
        b->progress = r->checkpoint;
}

static void bench_on_schema(void *ctx, const struct sl_in_schema *schema)
{
    (void)ctx, (void)schema;
}

static void bench_wake(void *ctx)
{
    struct bench *b = ctx;
    pthread_mutex_lock(&b->mutex);
    b->is_woken = true;
    pthread_cond_signal(&b->woken);
    pthread_mutex_unlock(&b->mutex);
}

static void bench_poll(struct bench *b)
{
    pthread_mutex_lock(&b->mutex);
    while (!b->is_woken)
        pthread_cond_wait(&b->woken, &b->mutex);
    b->is_woken = false;
    pthread_mutex_unlock(&b->mutex);
    sl_plane_poll(b->plane);
    if (b->failed > 0) {
        fprintf(stderr, "bench_engine: a dispatcher or the feed failed\n");
        exit(1);
    }
}

static struct sl_secret bench_secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static void bench_open(struct bench *b, const char *source, const char *sink)
{
    static const struct sl_source_driver *const sources[] = { &sl_gen_driver, NULL };
    static const struct sl_sink_driver *const sinks[] = { &sl_blackhole_driver, &sl_check_driver, NULL };
    struct sl_plane_opts opts = SL_PLANE_OPTS_DEFAULT;
    struct sl_plane_client client = {
        .ctx = b, .on_report = bench_on_report, .on_schema = bench_on_schema, .wake = bench_wake
    };
    struct sl_feed_id id = { .high = 1, .low = 1 };
    char config[512];
    opts.sources = sources;
    opts.sinks = sinks;
    *b = (struct bench){ 0 };
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->woken, NULL);
    if (sl_plane_open(&b->plane, &opts, &client) != SL_OK)
        exit(1);
    snprintf(config, sizeof config, "{\"sink_uri\":\"%s\"}", sink);
    sl_plane_perform(b->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN_FEED,
                                                     .feed = 1,
                                                     .feed_id = &id,
                                                     .config = bench_secret(config),
                                                     .source = bench_secret(source) });
    while (!b->is_open)
        bench_poll(b);
}

static void bench_end(struct bench *b)
{
    sl_plane_close(b->plane);
    pthread_cond_destroy(&b->woken);
    pthread_mutex_destroy(&b->mutex);
}

static void bench_start(struct bench *b, uint32_t count, sl_ts start)
{
    for (uint32_t i = 1; i <= count; i++)
        sl_plane_perform(b->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN,
                                                         .feed = 1,
                                                         .dispatcher = i,
                                                         .span = { .table_id = i },
                                                         .placement = { 1, 1 },
                                                         .start_ts = start });
    while (b->ready < count)
        bench_poll(b);
}

static void bench_stop(struct bench *b, uint32_t count)
{
    for (uint32_t i = 1; i <= count; i++)
        sl_plane_perform(b->plane, &(struct sl_command){ .verb = SL_COMMAND_CLOSE, .feed = 1, .dispatcher = i });
    while (b->closed < count)
        bench_poll(b);
}

/* ---- rows ---- */

static void bench_rows(const char *name, uint32_t tables, const char *sink, uint64_t limit)
{
    struct bench b;
    char source[200], label[64];
    snprintf(source, sizeof source, "gen://?tables=%u&rows_per_s=1000000000&limit=%llu", tables,
             (unsigned long long)limit);
    bench_open(&b, source, sink);
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    bench_start(&b, tables, 1);
    while (b.progress < limit)
        bench_poll(&b);
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    snprintf(label, sizeof label, "%s_rows_per_s", name);
    report(label, (double)limit / wall, "rows/s", "");
    snprintf(label, sizeof label, "%s_rows_per_cpu_s", name);
    report(label, (double)limit / cpu, "rows/s", "source and sink included");
    bench_end(&b);
}

static void bench_check_rows(void)
{
    char directory[] = "/tmp/sluice-bench-XXXXXX", sink[64], path[64];
    if (!mkdtemp(directory))
        exit(1);
    snprintf(sink, sizeof sink, "check://%s", directory);
    bench_rows("check_100_tables", 100, sink, 2000000);
    static const char *const names[] = { "lock", "log", "state" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

/* ---- many dispatchers ---- */

static double resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    char line[256], *resident = line;
    if (f && fgets(line, sizeof line, f)) {
        strtol(line, &resident, 10); /* of the whole program */
        pages = strtol(resident, NULL, 10);
    }
    if (f)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void bench_idle(uint32_t count)
{
    struct bench b;
    char source[64];
    snprintf(source, sizeof source, "gen://?tables=%u&rows_per_s=0", count);
    double before = resident_bytes();
    bench_open(&b, source, "blackhole://");
    bench_start(&b, count, 1);
    report("idle_100k_bytes_per_dispatcher", (resident_bytes() - before) / count, "B", "of the plane, RSS");
    uint64_t reports = b.reports;
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    while (seconds_of(CLOCK_MONOTONIC) - wall < 5)
        bench_poll(&b);
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    report("idle_100k_cpu_percent", 100 * cpu / wall, "% of a core", "goal < 5 for the whole node");
    report("idle_100k_reports_per_s", (double)(b.reports - reports) / wall, "/s", "");
    bench_end(&b);
}

static void bench_burst(const char *name, uint32_t count, uint64_t rows_per_s)
{
    struct bench b;
    char source[96], label[64];
    sl_ts start = SL_TS_NONE;
    struct sl_trouble t;
    snprintf(source, sizeof source, "gen://?tables=%u&rows_per_s=%llu", count, (unsigned long long)rows_per_s);
    bench_open(&b, source, "blackhole://");
    if (!sl_gen_driver.head(&start, bench_secret(source), &t))
        exit(1);
    double begin = seconds_of(CLOCK_MONOTONIC);
    bench_start(&b, count, start);
    double opened = seconds_of(CLOCK_MONOTONIC);
    bench_stop(&b, count);
    double closed = seconds_of(CLOCK_MONOTONIC);
    snprintf(label, sizeof label, "%s_open_ms", name);
    report(label, 1000 * (opened - begin), "ms", "command to READY of the last");
    snprintf(label, sizeof label, "%s_close_ms", name);
    report(label, 1000 * (closed - opened), "ms", "command to CLOSED of the last");
    bench_end(&b);
}

int main(int argc, char **argv)
{
    as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    bench_rows("blackhole_1_table", 1, "blackhole://", 10000000);
    bench_rows("blackhole_100_tables", 100, "blackhole://", 10000000);
    bench_rows("blackhole_10000_tables", 10000, "blackhole://", 10000000);
    bench_check_rows();
    bench_burst("burst_10k_idle", 10000, 0);
    bench_burst("burst_10k_under_load", 10000, 100000);
    bench_idle(100000);
    if (as_json)
        puts("}");
    return 0;
}
