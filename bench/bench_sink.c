/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one writer of a file sink takes: generated rows into files of each protocol, durable with every commit, for one
 * table and for a hundred; beside it the same bytes written as they are, with one fdatasync per commit. One table, or
 * with --json one object. The first argument that is no option is the directory to write in (/tmp).
 */
#include "edge/file/file_sink.h"
#include "edge/gen/gen.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROWS 400000u
#define BATCH_BYTES (2u << 20)
#define TABLES_MAX 100u

static bool as_json, is_first = true;
static const char *base = "/tmp";

static void report(const char *name, double value, const char *unit)
{
    if (as_json)
        printf("%s\"%s\":%.6g", is_first ? "{" : ",", name, value);
    else
        printf("%-44s %14.6g %s\n", name, value, unit);
    is_first = false;
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sl_secret secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static void need(bool is_good, const struct sl_trouble *t)
{
    if (is_good)
        return;
    fprintf(stderr, "bench_sink: %s\n", t->detail);
    exit(1);
}

/* With all that is in it: a shell's rm, as nobody measures it. */
static void remove_directory(const char *path)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf -- '%s'", path);
    FILE *shell = popen(command, "r"); /* NOLINT(cert-env33-c) the path is of who measures */
    if (shell)
        pclose(shell);
}

static uint64_t bytes_below(const char *path)
{
    char command[300], line[400];
    unsigned long long bytes = 0;
    snprintf(command, sizeof command, "du -sb '%s'", path);
    FILE *shell = popen(command, "r"); /* NOLINT(cert-env33-c) the path is of who measures */
    if (shell && fgets(line, sizeof line, shell))
        bytes = strtoull(line, NULL, 10);
    if (shell)
        pclose(shell);
    return bytes;
}

struct run {
    struct sl_sink *sink;
    struct sl_writer *writer;
    struct sl_reader *reader;
    uint64_t commits;
};

static void run_open(struct run *r, const char *directory, const char *protocol, uint32_t tables)
{
    struct sl_trouble t = { 0 };
    char plain[300], uri[400], source[200];
    struct sl_feed_id id = { .high = 1, .low = 1 };
    struct sl_sink_claim claims[TABLES_MAX];
    snprintf(plain, sizeof plain, "file://%s?protocol=%s", directory, protocol);
    snprintf(source, sizeof source, "gen://?tables=%u&rows_per_s=1000000000&limit=%u", tables, ROWS);
    need(sl_file_sink_driver.settle(secret(plain), uri, sizeof uri, &t), &t);
    struct sl_sink_open o = { .feed = &id, .uri = secret(uri), .writer_count = 1 };
    need(sl_file_sink_driver.open(&r->sink, &o, &t) && sl_file_sink_driver.open_writer(&r->writer, r->sink, 0, &t), &t);
    for (uint32_t i = 0; i < tables; i++)
        claims[i] = (struct sl_sink_claim){ .span = { .key = { .table_id = i + 1 }, .placement = { 1, 1 } } };
    need(sl_file_sink_driver.raise(r->writer, claims, tables, &t), &t);
    struct sl_source_open from = { .uri = secret(source), .from = 1 };
    need(sl_gen_driver.open(&r->reader, &from, &t), &t);
}

/* False at the end. */
static bool run_commit(struct run *r)
{
    struct sl_trouble t = { 0 };
    struct sl_batch *b = sl_batch_new();
    need(sl_gen_driver.read(r->reader, b, BATCH_BYTES, 0, &t), &t);
    for (uint32_t i = 0; i < sl_batch_table_count(b); i++) {
        struct sl_sink_span span = { .key = { .table_id = sl_batch_table(b, i)->def->table_id },
                                     .placement = { 1, 1 } };
        struct sl_row_run run = { .batch = b, .table = i, .through = sl_batch_through(b) };
        need(sl_file_sink_driver.append(r->writer, &span, &run, &t), &t);
    }
    need(sl_file_sink_driver.commit(r->writer, &t), &t);
    r->commits++;
    bool goes_on = sl_batch_through(b) < ROWS;
    sl_batch_unref(b);
    return goes_on;
}

static void run_close(struct run *r)
{
    sl_gen_driver.close(r->reader);
    sl_file_sink_driver.close_writer(r->writer);
    sl_file_sink_driver.close(r->sink, false);
}

static void plain_write(const char *directory, uint64_t bytes, uint64_t commits, const char *name)
{
    char path[300], label[96];
    static char block[1 << 16];
    snprintf(path, sizeof path, "%s/plain", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        exit(1);
    double begin = seconds_of(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < commits; i++) {
        for (uint64_t left = bytes / commits; left > 0;) {
            ssize_t n = write(fd, block, left < sizeof block ? left : sizeof block);
            if (n <= 0)
                exit(1);
            left -= (uint64_t)n;
        }
        if (fdatasync(fd) != 0)
            exit(1);
    }
    snprintf(label, sizeof label, "%s_plain_mb_per_s", name);
    report(label, (double)bytes / 1e6 / (seconds_of(CLOCK_MONOTONIC) - begin), "MB/s, the same bytes and fdatasyncs");
    close(fd);
}

static void measure(const char *protocol, const char *word, uint32_t tables)
{
    char directory[200], name[64], label[96];
    struct run r = { .commits = 0 };
    snprintf(directory, sizeof directory, "%s/sluice-bench-XXXXXX", base);
    if (!mkdtemp(directory))
        exit(1);
    snprintf(name, sizeof name, "%s_%u_table%s", word, tables, tables > 1 ? "s" : "");
    run_open(&r, directory, protocol, tables);
    double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    while (run_commit(&r))
        ;
    wall = seconds_of(CLOCK_MONOTONIC) - wall;
    cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    run_close(&r);
    uint64_t bytes = bytes_below(directory);
    snprintf(label, sizeof label, "%s_rows_per_s", name);
    report(label, ROWS / wall, "rows/s, durable");
    snprintf(label, sizeof label, "%s_rows_per_cpu_s", name);
    report(label, ROWS / cpu, "rows/s of processor time, source included");
    snprintf(label, sizeof label, "%s_mb_per_s", name);
    report(label, (double)bytes / 1e6 / wall, "MB/s");
    plain_write(directory, bytes, r.commits, name);
    remove_directory(directory);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            as_json = true;
        else
            base = argv[i];
    }
    measure("canal-json", "canal_json", 1);
    measure("debezium", "debezium", 1);
    measure("csv", "csv", 1);
    measure("csv", "csv", TABLES_MAX);
    if (as_json)
        puts("}");
    return 0;
}
