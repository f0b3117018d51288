/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

#include <string.h>

/* What the coordinator is told: status, errors, drain target and its progress. */

static struct driver d;

static void begin_running(uint32_t nodes, uint32_t tables)
{
    driver_init(&d, nodes);
    driver_set_tables(&d, tables);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    driver_forget(&d);
}

static void end(void)
{
    driver_deinit(&d);
}

static const Pb__DrainProgress *progress(void)
{
    return driver_status(&d)->drain_progress;
}

/* ---- status ---- */

static void status_names_the_feed_its_epoch_and_committed_checkpoint(void **state)
{
    (void)state;
    begin_running(1, 0);
    driver_beat(&d, 0, &(struct driver_beat){ .checkpoint = 2000, .resolved = 3000, .last_synced = 1900 });
    driver_run_alone(&d, SL_S);
    driver_beat(&d, 0, &(struct driver_beat){ .checkpoint = 1500, .resolved = 3000 });
    driver_run_alone(&d, SL_S);
    const Pb__MaintainerStatus *s = driver_status(&d);
    struct sl_feed_id id;
    assert_true(sl_feed_id_set(&id, s->changefeed));
    assert_true(sl_feed_id_eq(&id, &d.feed));
    sl_assert_u64(s->checkpoint_ts, 2000u);
    sl_assert_u64(s->last_synced_ts, 1900u);
    sl_assert_u64(s->maintainer_epoch, DRIVER_EPOCH);
    sl_assert_i64(s->state, PB__COMPONENT_STATE__WORKING);
    assert_true(s->bootstrap_done);
    assert_null(s->drain_progress);
    end();
}

static void status_is_due_when_dirty_or_old(void **state)
{
    (void)state;
    begin_running(1, 0);
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    (void)driver_status(&d);
    assert_false(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    assert_false(sl_maintainer_status_is_due(d.m, d.now + SL_S - 1, SL_S));
    assert_true(sl_maintainer_status_is_due(d.m, d.now + SL_S, SL_S));
    sl_maintainer_touch(d.m);
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    end();
}

static void end_of_the_bootstrap_is_news(void **state)
{
    (void)state;
    driver_init(&d, 1);
    driver_start(&d);
    assert_false(driver_status(&d)->bootstrap_done);
    assert_false(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    driver_deliver(&d);
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    end();
}

static void status_without_room_is_not_taken(void **state)
{
    (void)state;
    begin_running(1, 1);
    driver_set_target(&d, 0, 1);
    driver_beat(&d, 0, &(struct driver_beat){ .checkpoint = 2000, .error_code = "CDC:ErrSinkDown" });
    size_t room = 16;
    uint32_t refused_count = 0;
    Pb__MaintainerStatus *s = NULL;
    for (; !s; room += 16) {
        struct sl_arena small;
        sl_arena_init(&small, &d.mem, SL_TAG_SIM, room);
        s = sl_maintainer_status_fill(d.m, d.now, &small);
        refused_count += s == NULL;
        assert_int_equal(sl_maintainer_status_is_due(d.m, d.now, SL_S), s == NULL);
        if (s)
            sl_assert_u64(s->n_errors, 1u);
        sl_arena_deinit(&small);
    }
    assert_true(refused_count > 5);
    end();
}

/* ---- errors ---- */

static void beat_error(uint32_t node, const char *code)
{
    const struct driver_beat beat = { .checkpoint = 2000, .error_code = code };
    driver_beat(&d, node, &beat);
}

static void error_is_in_two_statuses_and_then_rests(void **state)
{
    (void)state;
    begin_running(2, 2);
    (void)driver_status(&d);
    beat_error(1, "CDC:ErrSinkDown");
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    for (int i = 0; i < 2; i++) { /* one of them may get lost */
        const Pb__MaintainerStatus *s = driver_status(&d);
        sl_assert_u64(s->n_errors, 1u);
        sl_assert_str(s->errors[0]->node, "n1");
        sl_assert_str(s->errors[0]->code, "CDC:ErrSinkDown");
        sl_assert_str(s->errors[0]->message, "told by a test");
    }
    sl_assert_u64(driver_status(&d)->n_errors, 0u);
    end();
}

static void repeated_error_is_news_only_after_it_was_reported(void **state)
{
    (void)state;
    begin_running(2, 2);
    beat_error(1, "CDC:ErrSinkDown");
    (void)driver_status(&d);
    beat_error(1, "CDC:ErrSinkDown");
    assert_false(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    (void)driver_status(&d);
    sl_assert_u64(driver_status(&d)->n_errors, 0u);
    beat_error(1, "CDC:ErrSinkDown");
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    sl_assert_u64(driver_status(&d)->n_errors, 1u);
    sl_assert_u64(d.events[SL_EV_MAINTAINER_ERROR], 1u); /* one line for one error */
    end();
}

static void another_error_of_the_node_replaces_the_first(void **state)
{
    (void)state;
    begin_running(3, 3);
    beat_error(1, "CDC:ErrFirst");
    beat_error(1, "CDC:ErrSecond");
    beat_error(2, "CDC:ErrElsewhere");
    const Pb__MaintainerStatus *s = driver_status(&d);
    sl_assert_u64(s->n_errors, 2u);
    sl_assert_str(s->errors[0]->code, "CDC:ErrSecond");
    sl_assert_str(s->errors[1]->code, "CDC:ErrElsewhere");
    sl_assert_u64(d.events[SL_EV_MAINTAINER_ERROR], 3u);
    end();
}

static void error_goes_with_its_node(void **state)
{
    (void)state;
    begin_running(2, 2);
    beat_error(1, "CDC:ErrSinkDown");
    driver_members(&d, 1);
    sl_assert_u64(driver_status(&d)->n_errors, 0u);
    end();
}

static void long_error_is_cut(void **state)
{
    (void)state;
    begin_running(1, 0);
    char code[1000];
    memset(code, 'x', sizeof code - 1);
    code[sizeof code - 1] = '\0';
    beat_error(0, code);
    assert_true(strlen(driver_status(&d)->errors[0]->code) < 100);
    end();
}

/* ---- the target ---- */

static void target_follows_the_monotonic_rule(void **state)
{
    (void)state;
    begin_running(3, 0);
    driver_set_target(&d, 1, 5);
    sl_assert_u64(sl_maintainer_target(d.m)->epoch, 5u);
    driver_set_target(&d, 2, 5);
    assert_true(sl_node_id_eq(&sl_maintainer_target(d.m)->node, &d.nodes[1].id));
    driver_set_target(&d, 2, 4);
    assert_true(sl_node_id_eq(&sl_maintainer_target(d.m)->node, &d.nodes[1].id));
    driver_set_target(&d, DRIVER_NODES_MAX, 5);
    assert_true(sl_node_id_is_none(&sl_maintainer_target(d.m)->node));
    driver_set_target(&d, 1, 5);
    assert_true(sl_node_id_is_none(&sl_maintainer_target(d.m)->node));
    driver_set_target(&d, 2, 6);
    assert_true(sl_node_id_eq(&sl_maintainer_target(d.m)->node, &d.nodes[2].id));
    end();
}

static void only_a_changed_target_is_news(void **state)
{
    (void)state;
    begin_running(3, 3);
    d.nodes[1].ignores_schedules = true;
    driver_set_target(&d, 1, 5);
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    (void)driver_status(&d);
    driver_set_target(&d, 1, 5);
    driver_set_target(&d, 2, 4);
    assert_false(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    end();
}

static void cleared_target_reports_no_progress(void **state)
{
    (void)state;
    begin_running(3, 3);
    driver_set_target(&d, 1, 5);
    assert_non_null(progress());
    driver_set_target(&d, DRIVER_NODES_MAX, 5);
    assert_null(progress());
    end();
}

/* ---- progress ---- */

static void drain_counts_down_to_zero_and_says_so_at_once(void **state)
{
    (void)state;
    begin_running(3, 9);
    d.nodes[1].ignores_schedules = true;
    driver_set_target(&d, 1, 5);
    driver_deliver(&d);
    const Pb__DrainProgress *p = progress();
    sl_assert_str(p->target_node_id, "n1");
    sl_assert_u64(p->target_epoch, 5u);
    sl_assert_u64(p->target_dispatcher_count, 3u);
    sl_assert_u64(p->target_inflight_drain_move_count, 3u); /* stopping their origin: in both */
    sl_assert_u64(p->bound, 0u);
    sl_assert_u64(p->stopping, 3u);
    sl_assert_u64(p->unknown, 0u);
    assert_true(p->bootstrapped);
    d.nodes[1].ignores_schedules = false;
    assert_false(sl_maintainer_status_is_due(d.m, d.now, 10 * SL_S));
    driver_run(&d, 2 * SL_S);
    assert_true(sl_maintainer_status_is_due(d.m, d.now, 10 * SL_S));
    p = progress();
    sl_assert_u64(p->target_dispatcher_count, 0u);
    sl_assert_u64(p->target_inflight_drain_move_count, 0u);
    sl_assert_u64(p->bound + p->stopping + p->starting + p->unknown + p->stuck, 0u);
    sl_assert_u64(d.nodes[1].dispatcher_count, 0u);
    end();
}

static void move_on_its_way_to_the_destination_is_in_one_counter_only(void **state)
{
    (void)state;
    begin_running(2, 2);
    d.nodes[0].ignores_schedules = true;
    driver_set_target(&d, 1, 5);
    driver_deliver(&d);
    const Pb__DrainProgress *p = progress();
    sl_assert_u64(p->target_dispatcher_count, 0u);
    sl_assert_u64(p->target_inflight_drain_move_count, 1u);
    sl_assert_u64(p->bound + p->stopping + p->starting, 0u);
    end();
}

static void creation_under_way_on_the_target_counts_as_starting(void **state)
{
    (void)state;
    driver_init(&d, 2);
    driver_set_tables(&d, 2);
    d.nodes[1].ignores_schedules = true;
    driver_bootstrap(&d);
    driver_set_target(&d, 1, 5);
    const Pb__DrainProgress *p = progress();
    sl_assert_u64(p->target_dispatcher_count, 1u);
    sl_assert_u64(p->starting + p->stopping, 1u);
    sl_assert_u64(p->bound, 0u);
    end();
}

static void maintainer_on_the_target_drains_it_but_does_not_count_its_trigger(void **state)
{
    (void)state;
    begin_running(2, 4);
    driver_set_target(&d, 0, 5);
    driver_run(&d, 2 * SL_S);
    const Pb__DrainProgress *p = progress();
    sl_assert_u64(d.nodes[0].dispatcher_count, 0u);
    sl_assert_u64(d.nodes[1].dispatcher_count, 4u);
    assert_false(sl_dispatcher_id_is_none(d.nodes[0].trigger));
    sl_assert_u64(p->target_dispatcher_count + p->bound + p->stopping + p->starting + p->unknown, 0u);
    end();
}

static void not_bootstrapped_is_not_drained(void **state)
{
    (void)state;
    driver_init(&d, 2);
    driver_set_tables(&d, 2);
    driver_new(&d);
    driver_set_target(&d, 1, 5);
    driver_start(&d);
    const Pb__DrainProgress *p = progress();
    sl_assert_u64(p->target_dispatcher_count, 0u);
    sl_assert_u64(p->target_inflight_drain_move_count, 0u);
    sl_assert_u64(p->unknown, 1u);
    assert_false(p->bootstrapped);
    driver_deliver(&d);
    driver_run(&d, SL_S);
    p = progress();
    assert_true(p->bootstrapped);
    sl_assert_u64(p->unknown, 0u);
    sl_assert_u64(d.nodes[1].dispatcher_count, 0u); /* nothing was placed on it in the first place */
    sl_assert_u64(driver_stats(&d).replicating, 2u);
    end();
}

static void silent_target_with_spans_is_not_known_to_be_drained(void **state)
{
    (void)state;
    begin_running(2, 2);
    d.nodes[1].is_silent = true;
    driver_set_target(&d, 1, 5);
    sl_assert_u64(progress()->unknown, 0u);
    driver_run(&d, 6 * SL_S);
    sl_assert_u64(progress()->unknown, 1u);
    d.nodes[1].is_silent = false;
    driver_run(&d, 5 * SL_S);
    sl_assert_u64(progress()->unknown, 0u);
    end();
}

static void target_that_joined_later_is_unknown_until_it_answered(void **state)
{
    (void)state;
    begin_running(2, 2);
    d.nodes[2].is_silent = true;
    driver_set_target(&d, 2, 5);
    sl_assert_u64(progress()->unknown, 0u); /* no member: it hosts nothing */
    driver_members(&d, 1 | 2 | 4);
    sl_assert_u64(progress()->unknown, 1u);
    d.nodes[2].is_silent = false;
    driver_run(&d, SL_S);
    sl_assert_u64(progress()->unknown, 0u);
    end();
}

static void target_that_is_no_member_is_reported_and_applied_when_it_joins(void **state)
{
    (void)state;
    begin_running(2, 4);
    driver_set_target(&d, 2, 5);
    sl_assert_str(progress()->target_node_id, "n2");
    driver_members(&d, 1 | 2 | 4);
    driver_run(&d, SL_S);
    struct sl_table added[6];
    for (int64_t i = 0; i < 6; i++)
        added[i] = (struct sl_table){ .table_id = 20 + i, .schema_id = 1 };
    const struct sl_in_schema_change change = { .feed = d.feed, .commit_ts = 2000, .added = added, .added_count = 6 };
    sl_maintainer_on_schema_change(d.m, d.now, &change, &d.out);
    driver_collect(&d);
    driver_run(&d, SL_S);
    sl_assert_u64(d.nodes[2].dispatcher_count, 0u);
    sl_assert_u64(driver_stats(&d).replicating, 10u);
    end();
}

static void target_that_leaves_has_nothing_left(void **state)
{
    (void)state;
    begin_running(3, 6);
    d.nodes[1].ignores_schedules = true;
    driver_set_target(&d, 1, 5);
    driver_deliver(&d);
    d.nodes[1].dispatcher_count = 0;
    driver_members(&d, 1 | 4);
    driver_run(&d, SL_S);
    const Pb__DrainProgress *p = progress();
    sl_assert_str(p->target_node_id, "n1");
    sl_assert_u64(p->target_dispatcher_count + p->target_inflight_drain_move_count, 0u);
    sl_assert_u64(p->bound + p->stopping + p->starting + p->unknown, 0u);
    sl_assert_u64(driver_stats(&d).replicating, 6u);
    end();
}

static void stuck_moves_are_named(void **state)
{
    (void)state;
    driver_init(&d, 2);
    driver_set_tables(&d, 24);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    d.nodes[1].ignores_schedules = true;
    driver_set_target(&d, 1, 5);
    driver_run(&d, 40 * SL_S);
    const Pb__DrainProgress *p = progress();
    sl_assert_u64(p->stuck, 12u);
    sl_assert_u64(p->n_stuck_spans, 8u);
    for (size_t i = 0; i < p->n_stuck_spans; i++) {
        assert_non_null(driver_find(&d, 1, sl_dispatcher_id_of(p->stuck_spans[i]->id)));
        sl_assert_str(p->stuck_spans[i]->node, "n1");
        assert_true(p->stuck_spans[i]->age_ms >= 30000);
        assert_true(strlen(p->stuck_spans[i]->phase) > 0);
    }
    end();
}

static void closed_feed_has_nothing_on_the_target(void **state)
{
    (void)state;
    begin_running(2, 4);
    d.nodes[1].ignores_schedules = true;
    driver_set_target(&d, 1, 5);
    driver_deliver(&d);
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    const Pb__MaintainerStatus *s = driver_status(&d);
    sl_assert_i64(s->state, PB__COMPONENT_STATE__STOPPED);
    sl_assert_u64(s->drain_progress->target_dispatcher_count, 0u);
    sl_assert_u64(s->drain_progress->bound + s->drain_progress->stopping + s->drain_progress->unknown, 0u);
    end();
}

/* ---- several targets ---- */

static void every_target_has_its_progress_and_the_oldest_is_the_one_of_old(void **state)
{
    (void)state;
    begin_running(4, 12);
    d.nodes[1].ignores_schedules = true;
    struct sl_target_set set = { .version = 7,
                                 .count = 2,
                                 .targets = { { d.nodes[2].id, 7, 0 }, { d.nodes[1].id, 5, 0 } } };
    driver_set_targets(&d, &set);
    driver_run(&d, 2 * SL_S);
    const Pb__MaintainerStatus *s = driver_status(&d);
    sl_assert_u64(s->n_drains, 2);
    sl_assert_str(s->drains[0]->target_node_id, "n2");
    sl_assert_u64(s->drains[0]->target_epoch, 7);
    sl_assert_u64(s->drains[0]->target_dispatcher_count, 0);
    sl_assert_str(s->drains[1]->target_node_id, "n1");
    sl_assert_u64(s->drains[1]->target_dispatcher_count, 3);
    sl_assert_u64(s->drains[1]->stopping, 3);
    sl_assert_str(s->drain_progress->target_node_id, "n1");
    sl_assert_u64(s->drain_progress->target_epoch, 5);
    end();
}

static void the_end_of_each_target_is_news(void **state)
{
    (void)state;
    begin_running(4, 12);
    d.nodes[1].ignores_schedules = d.nodes[2].ignores_schedules = true;
    struct sl_target_set set = { .version = 7,
                                 .count = 2,
                                 .targets = { { d.nodes[1].id, 5, 0 }, { d.nodes[2].id, 7, 0 } } };
    driver_set_targets(&d, &set);
    driver_deliver(&d);
    (void)driver_status(&d);
    for (uint32_t node = 1; node <= 2; node++) {
        assert_false(sl_maintainer_status_is_due(d.m, d.now, 60 * SL_S));
        d.nodes[node].ignores_schedules = false;
        driver_run(&d, 2 * SL_S);
        assert_true(sl_maintainer_status_is_due(d.m, d.now, 60 * SL_S));
        sl_assert_u64(driver_status(&d)->drains[node - 1]->target_dispatcher_count, 0);
    }
    end();
}

static void one_target_is_one_entry_and_no_target_none(void **state)
{
    (void)state;
    begin_running(3, 3);
    driver_set_target(&d, 1, 5);
    const Pb__MaintainerStatus *s = driver_status(&d);
    sl_assert_u64(s->n_drains, 1);
    sl_assert_str(s->drains[0]->target_node_id, "n1");
    driver_set_target(&d, DRIVER_NODES_MAX, 5);
    sl_assert_u64(driver_status(&d)->n_drains, 0);
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_names_the_feed_its_epoch_and_committed_checkpoint),
        cmocka_unit_test(status_is_due_when_dirty_or_old),
        cmocka_unit_test(end_of_the_bootstrap_is_news),
        cmocka_unit_test(status_without_room_is_not_taken),
        cmocka_unit_test(error_is_in_two_statuses_and_then_rests),
        cmocka_unit_test(repeated_error_is_news_only_after_it_was_reported),
        cmocka_unit_test(another_error_of_the_node_replaces_the_first),
        cmocka_unit_test(error_goes_with_its_node),
        cmocka_unit_test(long_error_is_cut),
        cmocka_unit_test(target_follows_the_monotonic_rule),
        cmocka_unit_test(only_a_changed_target_is_news),
        cmocka_unit_test(cleared_target_reports_no_progress),
        cmocka_unit_test(drain_counts_down_to_zero_and_says_so_at_once),
        cmocka_unit_test(move_on_its_way_to_the_destination_is_in_one_counter_only),
        cmocka_unit_test(creation_under_way_on_the_target_counts_as_starting),
        cmocka_unit_test(maintainer_on_the_target_drains_it_but_does_not_count_its_trigger),
        cmocka_unit_test(not_bootstrapped_is_not_drained),
        cmocka_unit_test(silent_target_with_spans_is_not_known_to_be_drained),
        cmocka_unit_test(target_that_joined_later_is_unknown_until_it_answered),
        cmocka_unit_test(target_that_is_no_member_is_reported_and_applied_when_it_joins),
        cmocka_unit_test(target_that_leaves_has_nothing_left),
        cmocka_unit_test(stuck_moves_are_named),
        cmocka_unit_test(closed_feed_has_nothing_on_the_target),
        cmocka_unit_test(every_target_has_its_progress_and_the_oldest_is_the_one_of_old),
        cmocka_unit_test(the_end_of_each_target_is_news),
        cmocka_unit_test(one_target_is_one_entry_and_no_target_none),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
