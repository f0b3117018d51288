/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/plane_driver.h"
#include "tests/support/sl_test.h"

#include <time.h>

static const struct sl_placement first = { 1, 1 }, second = { 1, 2 };

static struct plane_driver a, b;

static int set_up(void **state)
{
    (void)state;
    plane_model_init();
    plane_model_write_one(PLANE_MODEL_TABLES); /* a start ts is never 0 */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_assert_str(plane_model_wrong(), NULL);
    plane_model_deinit();
    return 0;
}

static void rows_of_open_tables_arrive_and_progress_follows(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    for (uint32_t i = 1; i <= 4; i++)
        plane_driver_start(&a, i, i, 1, first);
    plane_driver_until(&a, a.ready_count == 4);
    sl_ts head = plane_model_write(1, 8, 4000);
    plane_driver_until(&a, a.progress >= head);
    for (uint32_t i = 1; i <= 4; i++)
        assert_true(plane_model_has(i, head));
    sl_assert_u64(plane_model_durable(5), 0);
    sl_assert_u64(plane_model_twice(), 0);
    sl_assert_u64(a.readers, 1);
    plane_driver_until(&a, a.unflushed == 0);
    plane_driver_close(&a);
}

static void close_answers_with_the_exact_ts_to_which_all_is_durable(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_until(&a, a.views[1].follows);
    plane_model_hold_commits(true);
    plane_model_write(1, 1, 100);
    plane_driver_until(&a, plane_model_held_count() == 1);
    plane_driver_stop(&a, 1);
    plane_driver_step(&a);
    assert_false(a.views[1].is_closed);
    plane_model_hold_commits(false);
    plane_driver_until(&a, a.views[1].is_closed);
    sl_ts end = a.views[1].checkpoint;
    sl_assert_u64(plane_model_durable(1), end);
    plane_model_write(1, 1, 100);
    plane_driver_until(&a, a.readers == 0);
    sl_assert_u64(plane_model_durable(1), end);
    plane_driver_close(&a);
}

static void idle_dispatcher_closes_without_the_sink(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_start(&a, 2, 2, 1, first);
    plane_driver_until(&a, a.ready_count == 2);
    sl_ts head = plane_model_write(2, 1, 10);
    plane_driver_until(&a, a.progress >= head);
    plane_model_hold_commits(true);
    plane_driver_stop(&a, 1);
    plane_driver_step(&a);
    assert_true(a.views[1].is_closed);
    sl_assert_u64(a.views[1].checkpoint, head);
    plane_model_hold_commits(false);
    plane_driver_close(&a);
}

static void table_moves_between_nodes_without_hole_or_double(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open(&b, NULL);
    plane_driver_open_feed(&a);
    plane_driver_open_feed(&b);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_model_write(1, 3, 3000);
    plane_driver_until(&a, a.views[1].is_ready);
    plane_driver_stop(&a, 1);
    plane_model_write(1, 3, 3000);
    plane_driver_until(&a, a.views[1].is_closed);
    plane_driver_start(&b, 1, 1, a.views[1].checkpoint, second);
    sl_ts head = plane_model_write(1, 3, 3000);
    plane_driver_until(&b, plane_driver_checkpoint(&b, 1) >= head);
    assert_true(plane_model_has(1, head));
    sl_assert_u64(plane_model_twice(), 0);
    plane_driver_close(&a);
    plane_driver_close(&b);
}

static void stale_owner_is_refused_and_fails_alone(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_start(&a, 2, 2, 1, first);
    plane_driver_until(&a, a.ready_count == 2);
    plane_model_rob(1, second);
    sl_ts head = plane_model_write(1, 2, 100);
    plane_driver_until(&a, a.views[1].has_failed && a.progress >= head);
    sl_assert_str(a.views[1].code, ""); /* no error of the feed */
    sl_assert_u64(plane_model_durable(1), 0);
    assert_true(plane_model_has(2, head));
    plane_driver_start(&a, 3, 1, 1, first);
    plane_driver_until(&a, a.views[3].has_failed);
    sl_assert_str(a.views[3].code, "");
    plane_driver_close(&a);
}

static void nothing_reaches_the_sink_after_the_fence(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    for (uint32_t i = 1; i <= 8; i++)
        plane_driver_start(&a, i, i, 1, first);
    plane_driver_until(&a, a.ready_count == 8);
    plane_model_hold_commits(true);
    plane_model_write(1, 8, 1000);
    plane_driver_until(&a, plane_model_held_count() == 2);
    uint64_t rows = plane_model_rows();
    plane_driver_command_feed(&a, SL_COMMAND_FENCE_FEED);
    plane_model_hold_commits(false);
    plane_model_write(1, 8, 1000);
    plane_driver_until(&a, a.readers == 0 && a.unflushed == 0);
    sl_assert_u64(plane_model_rows(), rows);
    sl_assert_u64(a.closed_count + a.failed_count, 0);
    plane_driver_command_feed(&a, SL_COMMAND_CLOSE_FEED);
    plane_driver_until(&a, a.feed_closed);
    plane_driver_close(&a);
}

/* A process that slept wakes up in the middle of something, and its threads may run before its core. */
static void nothing_is_claimed_without_a_lease(void **state)
{
    (void)state;
    static _Atomic sl_ns lease_until = 0;
    struct sl_plane_opts opts = plane_driver_opts();
    opts.lease_until = &lease_until;
    plane_driver_open(&a, &opts);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_until(&a, a.notes > 0);
    assert_false(a.views[1].is_ready);
    atomic_store(&lease_until, SL_NEVER);
    plane_driver_until(&a, a.views[1].is_ready);
    sl_ts head = plane_model_write(1, 1, 10);
    plane_driver_until(&a, plane_model_has(1, head));
    plane_driver_close(&a);
}

static void feed_closes_without_waiting_for_a_sink_that_hangs(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    for (uint32_t i = 1; i <= 8; i++)
        plane_driver_start(&a, i, i, 1, first);
    plane_driver_until(&a, a.ready_count == 8);
    plane_model_hold_commits(true);
    plane_model_write(1, 8, 1000);
    plane_driver_until(&a, plane_model_held_count() == 2);
    plane_driver_command_feed(&a, SL_COMMAND_CLOSE_FEED);
    plane_driver_until(&a, a.feed_closed && a.readers == 0);
    sl_assert_u64(a.closed_count + a.failed_count, 0);
    sl_assert_u64(plane_model_rows(), 0);
    plane_driver_close(&a);
}

static void dispatcher_far_behind_catches_up_and_joins_the_shared_reader(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_model_write(1, 2, 20000);
    sl_ts head = plane_model_write_one(1);
    plane_driver_until(&a, a.progress >= head);
    plane_driver_start(&a, 2, 2, 1, first);
    plane_driver_until(&a, a.views[2].follows);
    assert_true(plane_driver_checkpoint(&a, 2) >= head);
    assert_true(plane_model_has(2, head));
    plane_driver_until(&a, a.readers == 1);
    sl_assert_u64(plane_model_opens(), 2);
    head = plane_model_write(1, 2, 100);
    plane_driver_until(&a, a.progress >= head);
    assert_true(plane_model_has(2, head));
    sl_assert_u64(plane_model_twice(), 0);
    plane_driver_close(&a);
}

static void who_is_furthest_behind_gets_a_reader_though_no_other_one_ends(void **state)
{
    struct sl_plane_opts opts = plane_driver_opts();
    (void)state;
    opts.catch_up_count_max = 1;
    plane_driver_open(&a, &opts);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_model_write(1, 3, 20000);
    sl_ts head = plane_model_write_one(1);
    plane_driver_until(&a, a.progress >= head);
    plane_model_hold_new_readers(12000);
    plane_model_pretend(2, 10000);
    plane_driver_start(&a, 2, 2, 10000, first);
    plane_driver_until(&a, plane_driver_checkpoint(&a, 2) >= 12000);
    plane_driver_start(&a, 3, 3, 1, first);
    plane_driver_until(&a, plane_driver_checkpoint(&a, 3) >= 12000);
    plane_model_hold_new_readers(0);
    plane_driver_stop(&a, 3);
    plane_driver_until(&a, a.views[3].is_closed);
    plane_driver_close(&a);
}

static void dispatcher_a_little_behind_is_served_from_the_window(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_until(&a, a.views[1].follows);
    sl_ts head = plane_model_write(1, 2, 40);
    plane_driver_until(&a, a.progress >= head);
    plane_driver_start(&a, 2, 2, 1, first);
    plane_driver_until(&a, a.views[2].follows);
    assert_true(plane_model_has(2, head));
    sl_assert_u64(plane_model_opens(), 1);
    plane_driver_close(&a);
}

static void dispatcher_that_begins_ahead_waits_for_the_reader(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_until(&a, a.views[1].follows);
    plane_model_pretend(2, 50);
    plane_driver_start(&a, 2, 2, 50, first);
    plane_driver_until(&a, a.views[2].is_ready);
    assert_false(a.views[2].follows);
    sl_ts head = plane_model_write(1, 2, 200);
    plane_driver_until(&a, a.views[2].follows && a.progress >= head);
    assert_true(plane_model_has(2, head));
    sl_assert_u64(plane_model_twice(), 0);
    plane_driver_close(&a);
}

static uint32_t tables_at(sl_ts ts)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i <= 16; i++)
        count += plane_model_has(i, ts) ? 1 : 0;
    return count;
}

static void slow_lane_does_not_hold_up_the_others(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    for (uint32_t i = 1; i <= 16; i++)
        plane_driver_start(&a, i, i, 1, first);
    plane_driver_until(&a, a.ready_count == 16);
    plane_model_hold_writer(0, true);
    sl_ts head = plane_model_write(1, 16, 100000);
    struct sl_plane_stats stats = { 0 };
    plane_driver_until(&a, (sl_plane_stats(a.plane, &stats), stats.detached > 0));
    plane_driver_until(&a, tables_at(head) > 0);
    assert_true(tables_at(head) < 16);
    plane_model_hold_writer(0, false);
    plane_driver_until(&a, a.progress >= head && (sl_plane_stats(a.plane, &stats), stats.followers == 16));
    for (uint32_t i = 1; i <= 16; i++)
        assert_true(plane_model_has(i, head));
    sl_assert_u64(plane_model_twice(), 0);
    plane_driver_close(&a);
}

static void sink_in_trouble_is_tried_again_and_nothing_comes_twice(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_model_fail_raises(3, SL_TROUBLE_PASSING);
    for (uint32_t i = 1; i <= 4; i++)
        plane_driver_start(&a, i, i, 1, first);
    plane_driver_until(&a, a.ready_count == 4);
    plane_model_fail_commits(5, SL_TROUBLE_PASSING, false);
    sl_ts head = plane_model_write(1, 4, 1000);
    plane_driver_until(&a, a.progress >= head);
    plane_model_fail_commits(3, SL_TROUBLE_PASSING, true);
    head = plane_model_write(1, 4, 1000);
    plane_driver_until(&a, a.progress >= head);
    sl_assert_u64(plane_model_twice(), 0);
    assert_true(a.notes > 0);
    plane_driver_close(&a);
}

static void commit_in_doubt_comes_twice_only_where_the_sink_keeps_no_ts(void **state)
{
    (void)state;
    plane_model_set_traits(true, false);
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_until(&a, a.views[1].follows);
    plane_model_fail_commits(1, SL_TROUBLE_PASSING, true);
    sl_ts head = plane_model_write(1, 1, 10);
    plane_driver_until(&a, a.progress >= head);
    assert_true(plane_model_twice() > 0);
    plane_driver_close(&a);
}

static void sink_that_stays_in_trouble_fails_its_dispatchers(void **state)
{
    (void)state;
    struct sl_plane_opts opts = plane_driver_opts();
    opts.give_up_ns = 20 * SL_MS;
    plane_driver_open(&a, &opts);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_until(&a, a.views[1].follows);
    plane_model_fail_commits(UINT32_MAX, SL_TROUBLE_PASSING, false);
    plane_model_write(1, 1, 10);
    plane_driver_until(&a, a.views[1].has_failed);
    sl_assert_u64(plane_model_durable(1), 0);
    sl_assert_u64(a.views[1].checkpoint, 1);
    plane_driver_close(&a);
}

static void a_trouble_that_nobody_saw_end_does_not_count_for_the_next_one(void **state)
{
    (void)state;
    struct sl_plane_opts opts = plane_driver_opts();
    const struct timespec longer = { .tv_nsec = 20 * SL_MS }; /* than two of the longest waits */
    opts.give_up_ns = 20 * SL_MS;
    plane_driver_open(&a, &opts);
    plane_driver_open_feed(&a);
    plane_model_fail_raises(UINT32_MAX, SL_TROUBLE_PASSING);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_until(&a, a.views[1].has_failed);
    plane_model_fail_raises(1, SL_TROUBLE_PASSING);
    nanosleep(&longer, NULL);
    plane_driver_start(&a, 2, 1, 1, second);
    plane_driver_until(&a, a.views[2].is_ready || a.views[2].has_failed);
    assert_true(a.views[2].is_ready);
    plane_driver_close(&a);
}

static void poisoned_table_fails_alone(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    for (uint32_t i = 1; i <= 8; i++)
        plane_driver_start(&a, i, i, 1, first);
    plane_driver_until(&a, a.ready_count == 8);
    plane_model_poison_table(3);
    sl_ts head = plane_model_write(1, 8, 1000);
    plane_driver_until(&a, a.views[3].has_failed && a.progress >= head);
    sl_assert_str(a.views[3].code, "POISONED");
    sl_assert_u64(a.failed_count, 1);
    for (uint32_t i = 1; i <= 8; i++)
        assert_true(i == 3 || plane_model_has(i, head));
    plane_driver_close(&a);
}

static void source_in_trouble_is_opened_again_where_it_was(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_model_fail_source(2, SL_TROUBLE_PASSING);
    plane_driver_start(&a, 1, 1, 1, first);
    sl_ts head = plane_model_write(1, 1, 1000);
    plane_driver_until(&a, a.progress >= head);
    plane_model_fail_source(2, SL_TROUBLE_PASSING);
    head = plane_model_write(1, 1, 1000);
    plane_driver_until(&a, a.progress >= head);
    sl_assert_u64(plane_model_twice(), 0);
    plane_driver_close(&a);
}

static void source_that_is_lost_fails_those_who_read_it(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_start_trigger(&a, 2, 1);
    plane_driver_until(&a, a.ready_count == 2);
    plane_model_fail_source(1, SL_TROUBLE_LASTING);
    plane_driver_until(&a, a.failed_count == 2 && a.readers == 0);
    plane_driver_start(&a, 3, 1, 1, second);
    sl_ts head = plane_model_write(1, 1, 10);
    plane_driver_until(&a, plane_driver_checkpoint(&a, 3) >= head);
    plane_driver_close(&a);
}

static void sink_that_does_not_open_fails_the_feed(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_model_fail_opens(1, SL_TROUBLE_LASTING);
    plane_driver_open_feed_at(&a, "model://source", "model://sink");
    plane_driver_until(&a, a.feed_failed);
    sl_assert_str(a.feed_code, "MODEL");
    a.feed_failed = false;
    plane_driver_open_feed_at(&a, "model://source", "nonsense://sink");
    plane_driver_until(&a, a.feed_failed);
    sl_assert_str(a.feed_code, "UNKNOWN_SCHEME");
    plane_driver_open_feed(&a);
    plane_driver_close(&a);
}

static void feed_without_a_source_fails_its_dispatchers(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed_at(&a, "", "model://sink");
    plane_driver_until(&a, a.feed_opened);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_until(&a, a.views[1].has_failed);
    sl_assert_str(a.views[1].code, "NO_SOURCE");
    plane_driver_close(&a);
}

static void close_while_the_placement_is_raised_ends_at_the_start(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_model_hold_raises(true);
    plane_driver_start(&a, 1, 1, 5, first);
    plane_driver_until(&a, plane_model_held_count() == 1);
    plane_driver_stop(&a, 1);
    plane_model_hold_raises(false);
    plane_driver_until(&a, a.views[1].is_closed);
    sl_assert_u64(a.views[1].checkpoint, 5);
    assert_false(a.views[1].is_ready);
    plane_driver_close(&a);
}

static void stored_ts_of_the_sink_moves_the_start(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    sl_ts head = plane_model_write(1, 1, 500);
    plane_driver_until(&a, a.progress >= head);
    plane_driver_command_feed(&a, SL_COMMAND_CLOSE_FEED);
    plane_driver_until(&a, a.feed_closed && a.readers == 0);
    a.feed_opened = false;
    plane_driver_close(&a);
    plane_driver_open(&a, NULL); /* as after a crash: the checkpoint is older than what the sink has */
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 100, second);
    plane_driver_until(&a, a.views[1].is_ready);
    assert_true(a.views[1].checkpoint >= head);
    head = plane_model_write(1, 1, 10);
    plane_driver_until(&a, a.progress >= head);
    sl_assert_u64(plane_model_twice(), 0);
    plane_driver_close(&a);
}

static void reader_that_begins_anew_further_back_is_followed_only_once_it_is_there(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    sl_ts head = plane_model_write(1, 2, 5000);
    plane_driver_until(&a, a.progress >= head);
    plane_driver_stop(&a, 1);
    plane_driver_until(&a, a.views[1].is_closed && a.readers == 0);
    plane_driver_start(&a, 2, 2, 1, first); /* far below the feed's progress */
    plane_driver_until(&a, a.views[2].follows);
    assert_true(plane_model_has(2, head));
    plane_driver_close(&a);
}

static void queue_is_bounded_in_bytes(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_driver_start(&a, 1, 1, 1, first);
    plane_driver_start(&a, 2, 2, 1, first);
    plane_driver_until(&a, a.ready_count == 2);
    plane_model_hold_commits(true);
    sl_ts head = plane_model_write(1, 2, 200000);
    struct sl_plane_stats stats = { 0 };
    uint64_t before = 0;
    for (uint32_t same = 0; same < 50; plane_driver_step(&a)) {
        sl_plane_stats(a.plane, &stats);
        same = stats.rows_read == before && stats.rows_read > 0 ? same + 1 : 0;
        before = stats.rows_read;
        struct plane_driver_wait wait = plane_driver_begin_wait();
        plane_driver_check_wait(&wait, &a, "", __FILE__, __LINE__);
        assert_true(stats.bytes_queued <= (256u << 10) + (64u << 10) + (16u << 10));
    }
    plane_model_hold_commits(false);
    plane_driver_until(&a, a.progress >= head);
    plane_driver_close(&a);
}

static void tables_of_the_source_are_listed_with_their_names(void **state)
{
    (void)state;
    static const char uri[] = "model://source";
    struct sl_secret source = sl_secret_of((struct sl_bytes){ (const uint8_t *)uri, sizeof uri - 1 });
    struct sl_plane_schema_load load = { .request = 9, .ts = 1, .source = source };
    plane_driver_open(&a, NULL);
    sl_assert_i64(sl_plane_load_schema(a.plane, &load), SL_OK);
    plane_driver_until(&a, a.schema_answers == 1);
    sl_assert_i64(a.schema_code, SL_OK);
    sl_assert_u64(a.schema_count, PLANE_MODEL_TABLES);
    plane_model_fail_source(1, SL_TROUBLE_PASSING);
    sl_assert_i64(sl_plane_load_schema(a.plane, &load), SL_OK);
    plane_driver_until(&a, a.schema_answers == 2);
    sl_assert_i64(a.schema_code, SL_NOT_READY);
    plane_model_write(1, 1, 42);
    sl_assert_i64(sl_plane_load_head(a.plane, 1, source), SL_OK);
    plane_driver_until(&a, a.head == 43);
    plane_driver_close(&a);
}

static void ten_thousand_dispatchers_open_and_close_in_one_burst(void **state)
{
    (void)state;
    plane_driver_open(&a, NULL);
    plane_driver_open_feed(&a);
    plane_model_hold_raises(true);
    for (uint32_t i = 1; i <= 10000; i++)
        plane_driver_start(&a, i, 1 + i % PLANE_MODEL_TABLES, 1, first);
    plane_model_hold_raises(false);
    plane_driver_until(&a, a.ready_count == 10000);
    assert_true(plane_model_raises() <= 20); /* a thousand placements at once */
    for (uint32_t i = 1; i <= 10000; i++)
        plane_driver_stop(&a, i);
    plane_driver_until(&a, a.closed_count == 10000 && a.readers == 0);
    plane_driver_close(&a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_of_open_tables_arrive_and_progress_follows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_answers_with_the_exact_ts_to_which_all_is_durable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(idle_dispatcher_closes_without_the_sink, set_up, tear_down),
        cmocka_unit_test_setup_teardown(table_moves_between_nodes_without_hole_or_double, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stale_owner_is_refused_and_fails_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_reaches_the_sink_after_the_fence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_claimed_without_a_lease, set_up, tear_down),
        cmocka_unit_test_setup_teardown(feed_closes_without_waiting_for_a_sink_that_hangs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dispatcher_far_behind_catches_up_and_joins_the_shared_reader, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_is_furthest_behind_gets_a_reader_though_no_other_one_ends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(dispatcher_a_little_behind_is_served_from_the_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dispatcher_that_begins_ahead_waits_for_the_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_lane_does_not_hold_up_the_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sink_in_trouble_is_tried_again_and_nothing_comes_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commit_in_doubt_comes_twice_only_where_the_sink_keeps_no_ts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sink_that_stays_in_trouble_fails_its_dispatchers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_trouble_that_nobody_saw_end_does_not_count_for_the_next_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(poisoned_table_fails_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(source_in_trouble_is_opened_again_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(source_that_is_lost_fails_those_who_read_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sink_that_does_not_open_fails_the_feed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(feed_without_a_source_fails_its_dispatchers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_while_the_placement_is_raised_ends_at_the_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stored_ts_of_the_sink_moves_the_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reader_that_begins_anew_further_back_is_followed_only_once_it_is_there, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(queue_is_bounded_in_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_of_the_source_are_listed_with_their_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ten_thousand_dispatchers_open_and_close_in_one_burst, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
