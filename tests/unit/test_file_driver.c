/* SPDX-License-Identifier: Apache-2.0 */
/* sl:forks */
/* The file sink as the engine sees it: owners, commits that are repeated, crashes at any moment, full disks. */
#include "edge/file/file_sink.h"
#include "tests/support/sl_test.h"
#include "tests/support/temp_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX (1 << 20)

static char directory[128], uri[1024];
static char text[TEXT_MAX];
static const struct sl_feed_id feed = { .high = 1, .low = 2 }, other_feed = { .high = 1, .low = 3 };
static const struct sl_placement first = { 1, 1 }, second = { 1, 2 };

static void def_keep(struct sl_table_def *def)
{
    (void)def;
}

static const struct sl_column columns[] = {
    { .name = { "id", 2 }, .type = { "bigint", 6 }, .type_code = 8, .flags = SL_COLUMN_KEY },
    { .name = { "v", 1 }, .type = { "text", 4 }, .type_code = 252, .charset = 45 },
};
static struct sl_table_def narrow = { .refs = 1,
                                      .table_id = 7,
                                      .schema = { "s", 1 },
                                      .table = { "t/1", 3 },
                                      .column_count = 1,
                                      .columns = columns,
                                      .free = def_keep };
static struct sl_table_def wide = { .refs = 1,
                                    .table_id = 7,
                                    .version = 2,
                                    .schema = { "s", 1 },
                                    .table = { "t/1", 3 },
                                    .column_count = 2,
                                    .columns = columns,
                                    .free = def_keep };

static struct sl_secret secret(const char *s)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)s, strlen(s) });
}

static int set_up_as(const char *protocol, const char *more)
{
    char plain[512];
    struct sl_trouble t = { 0 };
    temp_directory_make(directory, sizeof directory);
    snprintf(plain, sizeof plain, "file://%s?protocol=%s%s", directory, protocol, more);
    assert_true(sl_file_sink_driver.settle(secret(plain), uri, sizeof uri, &t));
    return 0;
}

static void uri_add(const char *more)
{
    size_t length = strlen(uri);
    snprintf(uri + length, sizeof uri - length, "%s", more);
}

static int set_up(void **state)
{
    (void)state;
    return set_up_as("csv", "&flush-interval=1h");
}

static int tear_down(void **state)
{
    (void)state;
    temp_directory_remove(directory);
    return 0;
}

struct node {
    struct sl_sink *sink;
    struct sl_writer *writer;
    struct sl_trouble trouble;
};

static bool node_open(struct node *n, const struct sl_feed_id *id)
{
    struct sl_sink_open o = { .feed = id, .uri = secret(uri), .writer_count = 1 };
    memset(n, 0, sizeof *n);
    return sl_file_sink_driver.open(&n->sink, &o, &n->trouble) &&
           sl_file_sink_driver.open_writer(&n->writer, n->sink, 0, &n->trouble);
}

static void node_close(struct node *n)
{
    sl_file_sink_driver.close_writer(n->writer);
    sl_file_sink_driver.close(n->sink, false);
}

/* The stored ts, or SL_TS_MAX if it was refused. */
static sl_ts raised(struct node *n, int64_t table_id, struct sl_placement placement)
{
    struct sl_sink_claim claim = { .span = { .key = { .table_id = table_id }, .placement = placement } };
    assert_true(sl_file_sink_driver.raise(n->writer, &claim, 1, &n->trouble));
    return claim.is_refused ? SL_TS_MAX : claim.stored_ts;
}

/* Rows of one transaction each, from ts from to through; id is the ts. */
static struct sl_batch *batch_of(struct sl_table_def *def, sl_ts from, sl_ts through)
{
    struct sl_batch *b = sl_batch_new();
    for (sl_ts ts = from; ts <= through; ts++) {
        struct sl_row_images images;
        assert_true(sl_batch_add(b, def, SL_ROW_INSERT, ts, &images));
        images.after[0] = (struct sl_value){ .kind = SL_VALUE_INT, .v.i = (int64_t)ts };
        if (def->column_count > 1)
            images.after[1] = (struct sl_value){ .kind = SL_VALUE_TEXT, .len = 1, .v.ptr = (const uint8_t *)"x" };
    }
    sl_batch_seal(b, through, 0);
    return b;
}

static bool written(struct node *n, struct sl_table_def *def, struct sl_placement placement, sl_ts from, sl_ts through)
{
    struct sl_batch *b = batch_of(def, from, through);
    struct sl_row_run run = { .batch = b, .table = 0, .through = through };
    struct sl_sink_span span = { .key = { .table_id = def->table_id }, .placement = placement };
    assert_true(sl_file_sink_driver.append(n->writer, &span, &run, &n->trouble));
    bool is_done = sl_file_sink_driver.commit(n->writer, &n->trouble);
    sl_file_sink_driver.discard(n->writer);
    sl_batch_unref(b);
    return is_done;
}

/* ---- what there is ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Names in a folder, each ended by a blank. */
static const char *names_in(const char *folder)
{
    char path[256];
    struct dirent **entries;
    size_t used = 0;
    snprintf(path, sizeof path, "%s/%s", directory, folder);
    int count = scandir(path, &entries, NULL, by_name);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.')
            used += (size_t)snprintf(text + used, sizeof text - used, "%s ", entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return text;
}

static size_t add_file(size_t used, const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", directory, folder, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text + used, sizeof text - used - 1);
    assert_true(n >= 0);
    close(fd);
    text[used + (size_t)n] = '\0';
    return used + (size_t)n;
}

/* The lines of all finished files of a folder. */
static const char *lines_in(const char *folder)
{
    char path[256];
    struct dirent **entries;
    size_t used = 0;
    snprintf(path, sizeof path, "%s/%s", directory, folder);
    int count = scandir(path, &entries, NULL, by_name);
    assert_true(count >= 0);
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        const char *end = strrchr(entries[i]->d_name, '.');
        if (end && strcmp(end, ".csv") == 0)
            used = add_file(used, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return text;
}

/* The finished files hold these rows, each once, in order. */
static void assert_rows_from(sl_ts from, sl_ts count)
{
    char *at = text;
    lines_in("data/s/t%2F1");
    for (sl_ts ts = from; ts <= count; ts++) {
        char expected[64];
        snprintf(expected, sizeof expected, "I,\"t/1\",\"s\",%llu,,%llu\r\n", (unsigned long long)ts,
                 (unsigned long long)ts);
        if (strncmp(at, expected, strlen(expected)) != 0)
            fail_msg("row %llu: expected %s, got %.60s", (unsigned long long)ts, expected, at);
        at += strlen(expected);
    }
    sl_assert_str(at, "");
}

static void assert_rows(sl_ts count)
{
    assert_rows_from(1, count);
}

/* ---- files ---- */

static void a_file_gets_its_name_when_nobody_writes_it_any_more(void **state)
{
    (void)state;
    struct node n;
    assert_true(node_open(&n, &feed));
    sl_assert_u64(raised(&n, 7, first), SL_TS_NONE);
    assert_true(written(&n, &narrow, first, 1, 3));
    assert_true(written(&n, &narrow, first, 4, 5));
    sl_assert_str(names_in("data/s/t%2F1"), "00000000000000000001.part 00000000000000000001.schema.json ");
    node_close(&n);
    sl_assert_str(names_in("data/s/t%2F1"),
                  "00000000000000000001-00000000000000000005.csv 00000000000000000001.schema.json ");
    assert_rows(5);
}

static void a_file_is_finished_at_its_size_and_when_its_time_is_over(void **state)
{
    (void)state;
    struct node n;
    sl_ns next;
    uri_add("&file-size=30");
    assert_true(node_open(&n, &feed));
    raised(&n, 7, first);
    assert_true(written(&n, &narrow, first, 1, 3));
    assert_rows(3);
    node_close(&n);
    *strstr(uri, "flush-interval") = '\0';
    uri_add("flush-interval=50ms");
    assert_true(node_open(&n, &feed));
    raised(&n, 7, second);
    assert_true(written(&n, &narrow, second, 4, 4));
    do {
        assert_true(sl_file_sink_driver.tend(n.writer, SL_TS_NONE, &next, &n.trouble));
        nanosleep(&(struct timespec){ .tv_nsec = next == SL_NEVER ? 0 : 5000000 }, NULL);
    } while (next != SL_NEVER);
    assert_rows(4);
    node_close(&n);
}

static const char *checkpoint_shown(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/checkpoint", directory);
    text[0] = '\0';
    if (access(path, F_OK) == 0)
        add_file(0, ".", "checkpoint");
    return text;
}

static void tend_until_shown(struct node *n, sl_ts checkpoint, const char *expected)
{
    sl_ns next;
    do
        assert_true(sl_file_sink_driver.tend(n->writer, checkpoint, &next, &n->trouble));
    while (strcmp(checkpoint_shown(), expected) != 0);
}

static void the_checkpoint_stays_before_files_that_are_not_finished(void **state)
{
    (void)state;
    struct node n;
    sl_ns next;
    assert_true(node_open(&n, &feed));
    raised(&n, 7, first);
    assert_true(written(&n, &narrow, first, 5, 9));
    assert_true(sl_file_sink_driver.tend(n.writer, 7, &next, &n.trouble));
    sl_assert_str(checkpoint_shown(), "{\"checkpoint\":4}\n");
    node_close(&n);
    *strstr(uri, "flush-interval") = '\0';
    uri_add("flush-interval=50ms");
    assert_true(node_open(&n, &feed));
    raised(&n, 7, second);
    tend_until_shown(&n, 8, "{\"checkpoint\":8}\n");
    assert_true(written(&n, &narrow, second, 10, 12));
    tend_until_shown(&n, 12, "{\"checkpoint\":12}\n"); /* once the file is finished */
    assert_rows_from(5, 12);
    node_close(&n);
    assert_true(node_open(&n, &feed)); /* one that heard late */
    assert_true(sl_file_sink_driver.tend(n.writer, 3, &next, &n.trouble));
    sl_assert_str(checkpoint_shown(), "{\"checkpoint\":12}\n");
    node_close(&n);
}

static void write_and_die(void)
{
    struct node n;
    if (node_open(&n, &feed) && raised(&n, 7, first) == SL_TS_NONE && written(&n, &narrow, first, 1, 3))
        _exit(0);
    _exit(1);
}

/* Its table was dropped, and its node killed: nobody will own it again. */
static void a_file_that_nobody_finishes_is_finished_with_the_checkpoint(void **state)
{
    (void)state;
    struct node n;
    char path[256];
    const struct timespec long_ago[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    int status;
    *strstr(uri, "flush-interval") = '\0';
    uri_add("flush-interval=50ms");
    pid_t child = fork();
    if (child == 0)
        write_and_die();
    sl_assert_i64(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    snprintf(path, sizeof path, "%s/data/s/t%%2F1/00000000000000000001.part", directory);
    sl_assert_i64(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    assert_true(node_open(&n, &feed));
    tend_until_shown(&n, 3, "{\"checkpoint\":3}\n");
    assert_rows(3);
    node_close(&n);
}

static void rows_of_another_definition_begin_a_new_file(void **state)
{
    (void)state;
    struct node n;
    assert_true(node_open(&n, &feed));
    raised(&n, 7, first);
    assert_true(written(&n, &narrow, first, 1, 2));
    assert_true(written(&n, &wide, first, 3, 3));
    sl_assert_str(names_in("data/s/t%2F1"),
                  "00000000000000000001-00000000000000000002.csv 00000000000000000001.schema.json "
                  "00000000000000000003.part 00000000000000000003.schema.json ");
    node_close(&n);
}

/* ---- owners ---- */

static void what_is_durable_already_is_left_out(void **state)
{
    (void)state;
    struct node n;
    assert_true(node_open(&n, &feed));
    raised(&n, 7, first);
    assert_true(written(&n, &narrow, first, 1, 3));
    assert_true(written(&n, &narrow, first, 1, 3));
    assert_true(written(&n, &narrow, first, 2, 4));
    sl_assert_u64(raised(&n, 7, first), 4);
    node_close(&n);
    assert_rows(4);
}

static void a_smaller_placement_neither_raises_nor_writes(void **state)
{
    (void)state;
    struct node old, new;
    assert_true(node_open(&old, &feed) && node_open(&new, &feed));
    raised(&old, 7, first);
    assert_true(written(&old, &narrow, first, 1, 2));
    sl_assert_u64(raised(&new, 7, second), 2);
    assert_false(written(&old, &narrow, first, 3, 3));
    sl_assert_i64(old.trouble.kind, SL_TROUBLE_STALE);
    sl_assert_i64(old.trouble.table_id, 7);
    sl_assert_u64(raised(&old, 7, first), SL_TS_MAX);
    assert_true(written(&new, &narrow, second, 3, 3));
    node_close(&old); /* what is open now is not his to finish */
    sl_assert_str(names_in("data/s/t%2F1"),
                  "00000000000000000001-00000000000000000002.csv 00000000000000000001.schema.json "
                  "00000000000000000003.part ");
    node_close(&new);
    assert_rows(3);
}

static void nobody_waits_for_a_lock_after_an_interruption(void **state)
{
    (void)state;
    struct node n;
    char path[256];
    assert_true(node_open(&n, &feed));
    sl_file_sink_driver.interrupt(n.writer);
    assert_false(written(&n, &narrow, first, 1, 1));
    sl_assert_i64(n.trouble.kind, SL_TROUBLE_ENDED);
    snprintf(path, sizeof path, "%s/data", directory);
    sl_assert_i64(access(path, F_OK), -1);
    node_close(&n);
}

/* ---- crashes ---- */

static void what_a_killed_process_wrote_behind_the_counted_length_goes(void **state)
{
    (void)state;
    struct node n;
    char path[256];
    assert_true(node_open(&n, &feed));
    raised(&n, 7, first);
    assert_true(written(&n, &narrow, first, 1, 3));
    snprintf(path, sizeof path, "%s/data/s/t%%2F1/00000000000000000001.part", directory);
    int fd = open(path, O_WRONLY | O_APPEND);
    sl_assert_i64(write(fd, "I,\"t/1\",\"s\",4,", 14), 14);
    close(fd);
    struct node next;
    assert_true(node_open(&next, &feed));
    sl_assert_u64(raised(&next, 7, second), 3);
    assert_rows(3);
    node_close(&n);
    node_close(&next);
}

static void copy_file(const char *from, const char *to)
{
    char source[256], target[256], content[1024];
    snprintf(source, sizeof source, "%s/%s", directory, from);
    snprintf(target, sizeof target, "%s/%s", directory, to);
    int in = open(source, O_RDONLY), out = open(target, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ssize_t n = read(in, content, sizeof content);
    assert_true(n > 0);
    sl_assert_i64(write(out, content, (size_t)n), n);
    close(in);
    close(out);
}

/* A file gets its name before its state says so. */
static void a_process_killed_between_the_name_and_the_state_has_lost_nothing(void **state)
{
    (void)state;
    struct node n;
    assert_true(node_open(&n, &feed));
    raised(&n, 7, first);
    assert_true(written(&n, &narrow, first, 1, 3));
    copy_file(".sluice/7.state", "state-before");
    node_close(&n);
    copy_file("state-before", ".sluice/7.state");
    assert_true(node_open(&n, &feed));
    sl_assert_u64(raised(&n, 7, second), 3);
    assert_true(written(&n, &narrow, second, 1, 5));
    node_close(&n);
    assert_rows(5);
}

static void a_file_that_lost_what_was_counted_fails_its_table_alone(void **state)
{
    (void)state;
    struct node n;
    char path[256];
    assert_true(node_open(&n, &feed));
    raised(&n, 7, first);
    assert_true(written(&n, &narrow, first, 1, 3));
    snprintf(path, sizeof path, "%s/data/s/t%%2F1/00000000000000000001.part", directory);
    sl_assert_i64(truncate(path, 10), 0);
    assert_false(written(&n, &narrow, first, 4, 4));
    sl_assert_str(n.trouble.code, "SINK_DAMAGED");
    sl_assert_i64(n.trouble.kind, SL_TROUBLE_LASTING);
    sl_assert_i64(n.trouble.table_id, 7);
    node_close(&n);
}

/* Tells by a byte that it has begun. */
static void keep_writing(sl_ts from, struct sl_placement placement, int told)
{
    struct node n;
    if (!node_open(&n, &feed))
        _exit(2);
    sl_ts ts = raised(&n, 7, placement);
    if (ts == SL_TS_MAX || ts < from)
        _exit(3);
    for (;; ts += 3) {
        if (!written(&n, &narrow, placement, ts + 1, ts + 3))
            _exit(4);
        if (told >= 0 && write(told, "", 1) != 1)
            _exit(5);
        told = -1;
    }
}

/* Whatever a process was doing when it was killed, its successor finds every row once. */
static void every_row_is_there_once_after_kills_at_any_moment(void **state)
{
    (void)state;
    struct node n;
    sl_ts durable = 0;
    uri_add("&file-size=100"); /* files are finished often */
    for (uint64_t round = 1; round <= 40; round++) {
        int told[2];
        char byte;
        sl_assert_i64(pipe(told), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            keep_writing(durable, (struct sl_placement){ 1, round }, told[1]);
        close(told[1]);
        sl_assert_i64(read(told[0], &byte, 1), 1);
        close(told[0]);
        nanosleep(&(struct timespec){ .tv_nsec = (long)(round * 7919 % 13 + 1) * 1000000 }, NULL);
        kill(child, SIGKILL);
        int status;
        sl_assert_i64(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_true(node_open(&n, &feed));
        sl_ts stored = raised(&n, 7, (struct sl_placement){ 1, round });
        assert_true(stored > durable);
        durable = stored;
        assert_rows(durable);
        node_close(&n);
    }
}

/* ---- disks ---- */

static void a_full_disk_is_waited_for_and_loses_nothing(void **state)
{
    (void)state;
    struct node n;
    struct rlimit old, tight = { 0 };
    assert_true(node_open(&n, &feed));
    raised(&n, 7, first);
    assert_true(written(&n, &narrow, first, 1, 3));
    signal(SIGXFSZ, SIG_IGN);
    sl_assert_i64(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = (struct rlimit){ .rlim_cur = 90, .rlim_max = old.rlim_max };
    sl_assert_i64(setrlimit(RLIMIT_FSIZE, &tight), 0);
    bool is_done = written(&n, &narrow, first, 4, 20);
    sl_assert_i64(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_false(is_done);
    sl_assert_i64(n.trouble.kind, SL_TROUBLE_PASSING);
    sl_assert_str(n.trouble.code, "SINK_FULL");
    assert_true(written(&n, &narrow, first, 4, 20));
    node_close(&n);
    assert_rows(20);
}

/* ---- schema changes ---- */

static bool executed(struct node *n, int64_t table_id, const struct sl_ddl *ddl)
{
    struct sl_sink_span span = { .key = { .table_id = table_id },
                                 .placement = first,
                                 .is_table_trigger = table_id == 0 };
    return sl_file_sink_driver.execute(n->writer, &span, ddl, &n->trouble);
}

static void a_schema_change_is_one_line_where_it_belongs(void **state)
{
    (void)state;
    struct node n;
    struct sl_sink_span trigger = { .placement = first, .is_table_trigger = true };
    bool was_executed;
    struct sl_ddl own = { .ts = 5,
                          .effect = SL_DDL_OWN,
                          .kind = "truncate table",
                          .schema = SL_STR("d"),
                          .statement = SL_STR("truncate s.`t/1`"),
                          .table_schema = SL_STR("s"),
                          .table = SL_STR("t/1") };
    struct sl_ddl drop = { .ts = 6,
                           .effect = SL_DDL_JOINT,
                           .kind = "drop table",
                           .schema = SL_STR("s"),
                           .statement = SL_STR("drop table `t/1`") };
    assert_true(node_open(&n, &feed));
    raised(&n, 0, first);
    raised(&n, 7, first);
    assert_true(executed(&n, 7, &own) && executed(&n, 7, &own));
    assert_true(sl_file_sink_driver.was_executed(n.writer, &trigger, 6, &was_executed, &n.trouble));
    assert_false(was_executed);
    assert_true(executed(&n, 0, &drop) && executed(&n, 0, &drop));
    assert_true(sl_file_sink_driver.was_executed(n.writer, &trigger, 6, &was_executed, &n.trouble));
    assert_true(was_executed);
    sl_assert_u64(raised(&n, 7, first), 5);
    node_close(&n);
    sl_assert_str(lines_in("data/s/t%2F1"), "DDL,\"t/1\",\"s\",5,truncate table,\"truncate s.`t/1`\"\r\n");
    sl_assert_str(lines_in("ddl"), "DDL,\"\",\"s\",6,drop table,\"drop table `t/1`\"\r\n");
}

/* ---- the mark ---- */

static void a_node_that_sees_another_directory_does_not_write(void **state)
{
    (void)state;
    struct node n;
    char path[256];
    snprintf(path, sizeof path, "%s/.sluice/mark", directory);
    sl_assert_i64(unlink(path), 0); /* as on a node where the path is not mounted */
    assert_false(node_open(&n, &feed));
    sl_assert_str(n.trouble.code, "SINK_NOT_SHARED");
    assert_non_null(strstr(n.trouble.remedy, "shared"));
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    const char *other = "sluice-file-sink-1 csv 123\n";
    sl_assert_i64(write(fd, other, strlen(other)), (int64_t)strlen(other));
    close(fd);
    assert_false(node_open(&n, &feed));
    sl_assert_str(n.trouble.code, "SINK_NOT_SHARED");
}

static void a_directory_has_one_feed_and_one_protocol(void **state)
{
    (void)state;
    struct node n;
    char plain[512], settled[1024];
    struct sl_trouble t = { 0 };
    assert_true(node_open(&n, &feed));
    node_close(&n);
    assert_false(node_open(&n, &other_feed));
    sl_assert_str(n.trouble.code, "SINK_IN_USE");
    snprintf(plain, sizeof plain, "file://%s?protocol=csv", directory);
    assert_false(sl_file_sink_driver.settle(secret(plain), settled, sizeof settled, &t));
    sl_assert_str(t.code, "SINK_IN_USE");
    assert_true(sl_file_sink_driver.settle(secret(uri), settled, sizeof settled, &t));
    sl_assert_str(settled, uri);
    memcpy(strstr(uri, "csv"), "xml", 3);
    assert_false(sl_file_sink_driver.settle(secret(uri), settled, sizeof settled, &t));
    snprintf(plain, sizeof plain, "file://%s?protocol=debezium&%s", directory, strstr(uri, "id="));
    assert_false(sl_file_sink_driver.settle(secret(plain), settled, sizeof settled, &t));
    sl_assert_str(t.code, "SINK_IN_USE");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_gets_its_name_when_nobody_writes_it_any_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_is_finished_at_its_size_and_when_its_time_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_checkpoint_stays_before_files_that_are_not_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_nobody_finishes_is_finished_with_the_checkpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_of_another_definition_begin_a_new_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_durable_already_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_smaller_placement_neither_raises_nor_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_waits_for_a_lock_after_an_interruption, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_killed_process_wrote_behind_the_counted_length_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_process_killed_between_the_name_and_the_state_has_lost_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_lost_what_was_counted_fails_its_table_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_row_is_there_once_after_kills_at_any_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_is_waited_for_and_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_schema_change_is_one_line_where_it_belongs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_node_that_sees_another_directory_does_not_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_has_one_feed_and_one_protocol, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
