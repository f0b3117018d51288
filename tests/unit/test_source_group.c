/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_stream.h"
#include "edge/mariadb/source_group.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>

static struct sl_batch *batch;
static struct sl_table_def def = { .table_id = 1, .column_count = 1 };
static struct sl_source_group group;
static struct sl_trouble trouble;

static int set_up(void **state)
{
    (void)state;
    batch = sl_batch_new();
    atomic_init(&def.refs, 1);
    group = (struct sl_source_group){ 0 };
    return batch ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sl_batch_unref(batch);
    return 0;
}

static void add(uint32_t count, sl_ts ts)
{
    struct sl_row_images images;
    for (uint32_t i = 0; i < count; i++)
        assert_true(sl_batch_add(batch, &def, SL_ROW_INSERT, ts, &images));
}

static bool undo(const char *name)
{
    return sl_source_group_undo(&group, sl_str_of(name), batch, &trouble);
}

static void save(const char *name)
{
    sl_source_group_save(&group, sl_str_of(name), batch);
}

static void a_return_takes_back_what_came_since_and_later_savepoints(void **state)
{
    (void)state;
    add(2, 1);
    sl_source_group_begin(&group, 5, batch);
    add(1, 5);
    save("`a`");
    add(1, 5);
    save("`b`");
    add(1, 5);
    assert_true(undo("`A`")); /* a server does not tell case apart */
    sl_assert_u64(sl_batch_row_count(batch), 3);
    assert_false(undo("`b`"));
    sl_assert_i64(trouble.kind, SL_TROUBLE_LASTING);
    add(4, 5);
    assert_true(undo("`a`"));
    sl_assert_u64(sl_batch_row_count(batch), 3);
}

static void the_last_savepoint_of_a_name_counts(void **state)
{
    (void)state;
    sl_source_group_begin(&group, 5, batch);
    save("`a`");
    add(1, 5);
    save("`a`");
    add(1, 5);
    assert_true(undo("`a`"));
    sl_assert_u64(sl_batch_row_count(batch), 1);
}

static void savepoints_of_another_group_or_too_many_are_not_known(void **state)
{
    (void)state;
    sl_source_group_begin(&group, 5, batch);
    for (unsigned i = 0; i < SL_SOURCE_SAVEPOINTS_MAX; i++)
        save("`a`");
    save("`b`");
    assert_false(undo("`b`"));
    assert_true(undo("`a`"));
    sl_source_group_begin(&group, 6, batch);
    assert_false(undo("`a`"));
}

static void all_of_a_group_is_taken_back_and_nothing_of_others(void **state)
{
    (void)state;
    add(2, 1);
    sl_source_group_begin(&group, 5, batch);
    add(3, 5);
    assert_true(sl_source_group_undo_all(&group, batch, &trouble));
    sl_assert_u64(sl_batch_row_count(batch), 2);
    sl_source_group_split(&group);
    assert_false(sl_source_group_undo_all(&group, batch, &trouble));
}

/* A checkpoint may be any of these: they are as they are for good. */
static void parts_of_a_group_have_growing_places_below_the_next_group(void **state)
{
    (void)state;
    const sl_ts group_ts = sl_binlog_ts(1, 7, 5000);
    sl_assert_u64(sl_binlog_part_ts(group_ts, 0, UINT32_MAX), group_ts);
    sl_assert_u64(sl_binlog_part_ts(group_ts, SL_BINLOG_PART_BYTES - 1, UINT32_MAX), group_ts);
    sl_assert_u64(sl_binlog_part_ts(group_ts, 4 << 20, UINT32_MAX), sl_binlog_ts(1, 7, 8191));
    sl_assert_u64(sl_binlog_part_ts(group_ts, 8 << 20, UINT32_MAX), sl_binlog_ts(1, 7, 10239));
    for (sl_ts ts = sl_binlog_ts(1, 7, 4); ts < sl_binlog_ts(1, 7, 9000); ts += 7) {
        assert_true(sl_binlog_part_ts(ts, SL_BINLOG_PART_BYTES, UINT32_MAX) > ts);
        assert_true(sl_binlog_may_be_part((uint32_t)sl_binlog_part_ts(ts, 3 * SL_BINLOG_PART_BYTES, UINT32_MAX)));
        assert_true(sl_binlog_part_ts(ts, 1000 * SL_BINLOG_PART_BYTES, UINT32_MAX) < ts + 1001 * SL_BINLOG_PART_STEP);
    }
    const sl_ts late = sl_binlog_ts(1, 7, UINT32_MAX - 10);
    sl_assert_u64(sl_binlog_part_ts(late, SL_BINLOG_PART_BYTES, UINT32_MAX), sl_binlog_ts(1, 7, UINT32_MAX));
    sl_assert_u64(sl_binlog_part_ts(late, 9 * SL_BINLOG_PART_BYTES, UINT32_MAX), sl_binlog_ts(1, 7, UINT32_MAX));
}

/* A compressed transaction may have more rows than its event has room for places of parts. */
static void parts_behind_the_last_place_of_their_event_are_one(void **state)
{
    (void)state;
    const sl_ts group_ts = sl_binlog_ts(1, 7, 5000);
    const sl_ts last = sl_binlog_ts(1, 7, 8191);
    sl_assert_u64(sl_binlog_part_ts(group_ts, SL_BINLOG_PART_BYTES, 5100), group_ts);
    for (uint32_t end = 8191 - SL_BINLOG_PART_STEP; end < 10239; end++)
        for (uint64_t part = 1; part < 5; part++) {
            sl_ts ts = sl_binlog_part_ts(group_ts, part * SL_BINLOG_PART_BYTES, end);
            assert_true(ts > group_ts && (uint32_t)ts <= end && ts <= last);
            assert_true(sl_binlog_may_be_part((uint32_t)ts));
        }
    sl_assert_u64(sl_binlog_part_ts(group_ts, 3 * SL_BINLOG_PART_BYTES, 8191), last);
    sl_assert_u64(sl_binlog_part_ts(group_ts, 3 * SL_BINLOG_PART_BYTES, 8190), last - SL_BINLOG_PART_STEP);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_return_takes_back_what_came_since_and_later_savepoints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_savepoint_of_a_name_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(savepoints_of_another_group_or_too_many_are_not_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_of_a_group_is_taken_back_and_nothing_of_others, set_up, tear_down),
        cmocka_unit_test(parts_of_a_group_have_growing_places_below_the_next_group),
        cmocka_unit_test(parts_behind_the_last_place_of_their_event_are_one),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
