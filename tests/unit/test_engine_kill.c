/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/blackhole/check.h"
#include "edge/gen/gen.h"
#include "engine/plane.h"
#include "tests/support/sl_test.h"
#include "tests/support/temp_directory.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Real processes, killed while they write. Each child is a node with a plane that replicates all tables from the ts at
 * which the feed began, as after a crash in which every checkpoint was lost; placements grow from child to child.
 */
#define KILL_TABLES 20u
#define KILL_LIMIT 60000u
#define KILL_SOURCE "gen://?tables=20&rows_per_s=1000000&limit=60000&seed=11&keys=50"

struct kill_node {
    struct sl_plane *plane;
    sl_ts progress; /* of all that follow; the others, such as those of a lane that was too slow, have their own */
    sl_ts own[KILL_TABLES + 1];
    bool follows[KILL_TABLES + 1];
    bool is_open;
    uint32_t closed;
};

static bool kill_is_through(const struct kill_node *n)
{
    for (uint32_t i = 1; i <= KILL_TABLES; i++)
        if (n->own[i] < KILL_LIMIT && (!n->follows[i] || n->progress < KILL_LIMIT))
            return false;
    return true;
}

static void kill_on_report(void *ctx, const struct sl_report *r)
{
    struct kill_node *n = ctx;
    if (r->kind == SL_REPORT_FEED_OPENED)
        n->is_open = true;
    else if (r->kind == SL_REPORT_FEED_PROGRESS)
        n->progress = r->checkpoint;
    else if (r->kind == SL_REPORT_CLOSED)
        n->closed++;
    else if (r->kind == SL_REPORT_FAILED || r->kind == SL_REPORT_FEED_FAILED)
        _exit(3);
    if (r->kind == SL_REPORT_READY || r->kind == SL_REPORT_PROGRESS) {
        n->own[r->dispatcher] = r->checkpoint;
        n->follows[r->dispatcher] = r->follows;
    }
}

static void kill_on_schema(void *ctx, const struct sl_in_schema *schema)
{
    (void)ctx, (void)schema;
}

static void kill_wake(void *ctx)
{
    (void)ctx;
}

static void kill_poll(struct kill_node *n)
{
    sl_plane_poll(n->plane);
    nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
}

static struct sl_secret kill_secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static void kill_open(struct kill_node *n, const char *directory, uint64_t generation)
{
    static const struct sl_source_driver *const sources[] = { &sl_gen_driver, NULL };
    static const struct sl_sink_driver *const sinks[] = { &sl_check_driver, NULL };
    struct sl_plane_opts opts = SL_PLANE_OPTS_DEFAULT;
    struct sl_plane_client client = {
        .ctx = n, .on_report = kill_on_report, .on_schema = kill_on_schema, .wake = kill_wake
    };
    struct sl_feed_id id = { .high = 5, .low = 6 };
    char config[400];
    opts.sources = sources;
    opts.sinks = sinks;
    opts.is_manual = true;
    opts.batch_bytes_max = 16u << 10;
    opts.commit_rows_max = 200;
    if (sl_plane_open(&n->plane, &opts, &client) != SL_OK)
        _exit(4);
    snprintf(config, sizeof config, "{\"sink_uri\":\"check://%s\"}", directory);
    sl_plane_perform(n->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN_FEED,
                                                     .feed = 1,
                                                     .feed_id = &id,
                                                     .config = kill_secret(config),
                                                     .source = kill_secret(KILL_SOURCE) });
    while (!n->is_open)
        kill_poll(n);
    for (uint32_t i = 1; i <= KILL_TABLES; i++)
        sl_plane_perform(n->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN,
                                                         .feed = 1,
                                                         .dispatcher = i,
                                                         .span = { .table_id = i },
                                                         .placement = { generation, 1 },
                                                         .start_ts = 1 });
}

/* In a child: works until it is killed, or to the end of the source. */
static void kill_live(const char *directory, uint64_t generation)
{
    struct kill_node n = { 0 };
    kill_open(&n, directory, generation);
    while (!kill_is_through(&n))
        kill_poll(&n);
    for (uint32_t i = 1; i <= KILL_TABLES; i++)
        sl_plane_perform(n.plane, &(struct sl_command){ .verb = SL_COMMAND_CLOSE, .feed = 1, .dispatcher = i });
    while (n.closed < KILL_TABLES)
        kill_poll(&n);
    sl_plane_close(n.plane);
    _exit(0);
}

static pid_t kill_fork(const char *directory, uint64_t generation)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        kill_live(directory, generation);
    return pid;
}

static int kill_wait(pid_t pid)
{
    int status = 0;
    sl_assert_i64(waitpid(pid, &status, 0), pid);
    return status;
}

static int kill_check(const char *directory, const char *checkpoint)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/usr/bin/python3", "python3", "tests/support/gen_check.py", "--source", KILL_SOURCE, "--dir", directory,
              "--start", "1", "--checkpoint", checkpoint, (char *)NULL);
        _exit(127);
    }
    return WEXITSTATUS(kill_wait(pid));
}

static void kill_sleep(uint32_t us)
{
    nanosleep(&(struct timespec){ .tv_nsec = (long)us * 1000 }, NULL);
}

static void killed_nodes_lose_nothing_and_write_nothing_twice(void **state)
{
    (void)state;
    char directory[256];
    temp_directory_make(directory, sizeof directory);
    for (uint64_t generation = 1; generation <= 12; generation++) {
        pid_t pid = kill_fork(directory, generation);
        kill_sleep(3000u + (uint32_t)(generation * 7919u % 25u) * 1000u);
        kill(pid, SIGKILL);
        kill_wait(pid);
    }
    sl_assert_i64(kill_wait(kill_fork(directory, 100)), 0);
    sl_assert_i64(kill_check(directory, "60000"), 0);
    temp_directory_remove(directory);
}

/* The second takes the tables over while the first still writes: the sink must tell them apart. */
static void node_that_was_overtaken_is_fenced_by_the_sink(void **state)
{
    (void)state;
    char directory[256];
    temp_directory_make(directory, sizeof directory);
    pid_t old = kill_fork(directory, 1);
    kill_sleep(20000);
    pid_t new = kill_fork(directory, 2);
    sl_assert_i64(kill_wait(new), 0);
    kill(old, SIGKILL); /* it may have ended by itself */
    kill_wait(old);
    sl_assert_i64(kill_check(directory, "60000"), 0);
    temp_directory_remove(directory);
}

static void checker_sees_what_is_missing(void **state)
{
    (void)state;
    char directory[256];
    temp_directory_make(directory, sizeof directory);
    sl_assert_i64(kill_wait(kill_fork(directory, 1)), 0);
    sl_assert_i64(kill_check(directory, "60000"), 0);
    char path[300];
    snprintf(path, sizeof path, "%s/log", directory);
    FILE *log = fopen(path, "r+");
    assert_non_null(log);
    struct sl_check_record r;
    fseek(log, 5000 * (long)sizeof r, SEEK_SET);
    sl_assert_u64(fread(&r, sizeof r, 1, log), 1);
    r.seq++;
    fseek(log, 5000 * (long)sizeof r, SEEK_SET);
    sl_assert_u64(fwrite(&r, sizeof r, 1, log), 1);
    fclose(log);
    sl_assert_i64(kill_check(directory, "60000"), 1);
    temp_directory_remove(directory);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_nodes_lose_nothing_and_write_nothing_twice),
        cmocka_unit_test(node_that_was_overtaken_is_fenced_by_the_sink),
        cmocka_unit_test(checker_sees_what_is_missing),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
