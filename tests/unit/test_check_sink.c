/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/blackhole/check.h"
#include "edge/gen/gen.h"
#include "tests/support/sl_test.h"
#include "tests/support/temp_directory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[256], uri[300];
static const struct sl_feed_id feed = { .high = 1, .low = 2 }, other_feed = { .high = 1, .low = 3 };
static const struct sl_placement first = { 1, 1 }, second = { 1, 2 };

static int set_up(void **state)
{
    (void)state;
    temp_directory_make(directory, sizeof directory);
    snprintf(uri, sizeof uri, "check://%s", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_directory_remove(directory);
    return 0;
}

static struct sl_secret secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
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
    return sl_check_driver.open(&n->sink, &o, &n->trouble) &&
           sl_check_driver.open_writer(&n->writer, n->sink, 0, &n->trouble);
}

static void node_close(struct node *n)
{
    if (n->writer)
        sl_check_driver.close_writer(n->writer);
    sl_check_driver.close(n->sink, false);
}

/* The stored ts, or SL_TS_MAX if it was refused. */
static sl_ts raised(struct node *n, int64_t table_id, struct sl_placement placement)
{
    struct sl_sink_claim claim = { .span = { .key = { .table_id = table_id }, .placement = placement } };
    assert_true(sl_check_driver.raise(n->writer, &claim, 1, &n->trouble));
    return claim.is_refused ? SL_TS_MAX : claim.stored_ts;
}

/* The rows of one table of a batch of the generator. */
static bool written(struct node *n, int64_t table_id, struct sl_placement placement, sl_ts from)
{
    struct sl_reader *r;
    struct sl_source_open o = { .uri = secret("gen://?tables=3&rows_per_s=1000000&limit=100000"), .from = from };
    struct sl_batch *b = sl_batch_new();
    assert_true(sl_gen_driver.open(&r, &o, &n->trouble));
    assert_true(sl_gen_driver.read(r, b, 1u << 16, SL_S, &n->trouble));
    struct sl_row_run run = { .batch = b, .table = sl_batch_find_table(b, table_id), .through = sl_batch_through(b) };
    struct sl_sink_span span = { .key = { .table_id = table_id }, .placement = placement };
    assert_true(sl_check_driver.append(n->writer, &span, &run, &n->trouble));
    bool is_done = sl_check_driver.commit(n->writer, &n->trouble);
    sl_check_driver.discard(n->writer);
    sl_gen_driver.close(r);
    sl_batch_unref(b);
    return is_done;
}

static void stored_ts_is_what_the_last_commit_wrote(void **state)
{
    (void)state;
    struct node n;
    assert_true(node_open(&n, &feed));
    sl_assert_u64(raised(&n, 1, first), 0);
    assert_true(written(&n, 1, first, 0));
    sl_ts stored = raised(&n, 1, first);
    assert_true(stored > 10 && stored < 1000);
    sl_assert_u64(raised(&n, 2, first), 0);
    node_close(&n);
}

static void smaller_placement_is_refused_by_raise_and_commit(void **state)
{
    (void)state;
    struct node old, new;
    assert_true(node_open(&old, &feed));
    assert_true(node_open(&new, &feed));
    raised(&old, 1, first);
    assert_true(written(&old, 1, first, 0));
    sl_ts stored = raised(&new, 1, second);
    assert_false(written(&old, 1, first, stored));
    sl_assert_i64(old.trouble.kind, SL_TROUBLE_STALE);
    sl_assert_i64(old.trouble.table_id, 1);
    sl_assert_u64(raised(&old, 1, first), SL_TS_MAX);
    sl_assert_u64(raised(&new, 1, second), stored);
    assert_true(written(&new, 1, second, stored));
    node_close(&old);
    node_close(&new);
}

static void rows_before_their_placement_are_refused(void **state)
{
    (void)state;
    struct node n;
    assert_true(node_open(&n, &feed));
    assert_false(written(&n, 1, first, 0));
    sl_assert_str(n.trouble.code, "NOT_RAISED");
    node_close(&n);
}

static void directory_belongs_to_one_feed(void **state)
{
    (void)state;
    struct node n, other;
    assert_true(node_open(&n, &feed));
    assert_false(node_open(&other, &other_feed));
    sl_assert_str(other.trouble.code, "SINK_IN_USE");
    node_close(&n);
    node_close(&other);
}

static void state_marked_dirty_is_made_again_from_the_log(void **state)
{
    (void)state;
    struct node n;
    char path[300];
    assert_true(node_open(&n, &feed));
    raised(&n, 1, first);
    assert_true(written(&n, 1, first, 0));
    sl_ts stored = raised(&n, 1, second);
    node_close(&n);
    /* As if killed in a commit: rows behind what counts, owners half written. */
    snprintf(path, sizeof path, "%s/log", directory);
    int log = open(path, O_WRONLY | O_APPEND);
    struct sl_check_record torn = { .kind = SL_CHECK_ROW, .table_id = 1, .ts = stored + 100 };
    sl_assert_i64(write(log, &torn, sizeof torn - 7), (ssize_t)sizeof torn - 7);
    close(log);
    snprintf(path, sizeof path, "%s/state", directory);
    int file = open(path, O_RDWR);
    uint32_t dirty = 1;
    uint64_t garbage[4] = { 99, 99, 99, 99 };
    sl_assert_i64(pwrite(file, &dirty, sizeof dirty, 5 * sizeof(uint64_t)), sizeof dirty);
    sl_assert_i64(pwrite(file, garbage, sizeof garbage, 4096 + sizeof garbage), sizeof garbage);
    close(file);
    assert_true(node_open(&n, &feed));
    sl_assert_u64(raised(&n, 1, first), SL_TS_MAX);
    sl_assert_u64(raised(&n, 1, second), stored);
    assert_true(written(&n, 1, second, stored));
    node_close(&n);
}

static void state_grows_with_the_tables_under_everybody(void **state)
{
    (void)state;
    struct node a, b;
    assert_true(node_open(&a, &feed));
    assert_true(node_open(&b, &feed));
    for (int64_t table = 1; table < 100000; table = table * 3 + 1) {
        sl_assert_u64(raised(&a, table, second), 0);
        sl_assert_u64(raised(&b, table, first), SL_TS_MAX);
        sl_assert_u64(raised(&b, table + 1, second), 0);
    }
    node_close(&a);
    node_close(&b);
}

static void bad_uris_and_directories_are_refused(void **state)
{
    (void)state;
    struct sl_trouble t = { 0 };
    assert_false(sl_check_driver.check(secret("check://relative"), &t));
    assert_false(sl_check_driver.check(secret("check:///"), &t));
    assert_false(sl_check_driver.check(secret("check:///tmp/x?sync=1"), &t));
    assert_true(sl_check_driver.check(secret("check:///tmp/a%20b?commit_ms=5"), &t));
    struct sl_sink *s;
    struct sl_sink_open o = { .feed = &feed, .uri = secret("check:///proc/nothing/here") };
    assert_false(sl_check_driver.open(&s, &o, &t));
    sl_assert_str(t.code, "SINK_IO");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stored_ts_is_what_the_last_commit_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(smaller_placement_is_refused_by_raise_and_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_before_their_placement_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(directory_belongs_to_one_feed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(state_marked_dirty_is_made_again_from_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(state_grows_with_the_tables_under_everybody, set_up, tear_down),
        cmocka_unit_test(bad_uris_and_directories_are_refused),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
