/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/control_driver.h"

#define N1 ((sl_node_ref)1)
#define N2 ((sl_node_ref)2)
#define TIMEOUT (30 * SL_S)

/* Fact 39, and T2: an operator that ended does nothing when what it waited for comes again. */
static void an_operator_ends_once(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    ctl_stopped(&d, N1, id, 20);
    ctl_stopped(&d, N1, id, 20);
    sl_assert_u64(ctl_creates_to(&d, N2), 1);
    ctl_working(&d, N2, id, 20);
    assert_int_equal(ctl_working(&d, N2, id, 20), SL_STATUS_IGNORED);
    assert_int_equal(ctl_stopped(&d, N1, id, 20), SL_STATUS_IGNORED);
    ctl_assert_replicating(&d, id, N2);
    sl_assert_u64(ctl_stats(&d).moves_done, 1);
    ctl_stop(&d);
}

/* Fact 42, the part of a hand-over: what is in flight goes on, nothing new begins. */
static void quiesced_control_finishes_moves_and_starts_none(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_moving(&d, 1, N1, N2);
    sl_control_quiesce(d.control);
    ctl_adopt_many(&d, 100, 3, N1);
    ctl_target(&d, N1, 1);
    struct sl_dispatcher_id waiting = ctl_add(&d, 2, 10);
    assert_int_equal(ctl_move(&d, 100, N2), SL_NOT_READY);
    ctl_run(&d, TIMEOUT - SL_MS);
    sl_assert_u64(sl_control_move_count(d.control), 1);
    ctl_assert_absent(&d, waiting);
    ctl_stopped(&d, N1, id, 20);
    ctl_working(&d, N2, id, 20);
    ctl_assert_replicating(&d, id, N2);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    assert_true(sl_control_deadline(d.control) == SL_NEVER);
    ctl_stop(&d);
}

/* Facts 25, 27 and 42. A lost node is the one thing that is not noted as in the reference: its ref must not be used on.
 */
static void frozen_control_sends_nothing_and_still_limits(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    struct sl_dispatcher_id moving = ctl_moving(&d, 1, N1, N2);
    struct sl_dispatcher_id idle = ctl_adopt(&d, 2, N1, 40);
    sl_control_freeze(d.control);
    ctl_forget(&d);
    assert_true(sl_control_deadline(d.control) == SL_NEVER);
    ctl_tick(&d, 10 * TIMEOUT);
    ctl_stopped(&d, N1, moving, 0);
    ctl_assert_scheduling(&d, moving, N1);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 10);
    assert_int_equal(ctl_stopped(&d, N1, idle, 45), SL_STATUS_LOST);
    ctl_assert_replicating(&d, idle, N1);
    sl_assert_u64(ctl_view(&d, idle).checkpoint, 45);
    assert_int_equal(ctl_remove(&d, N1, idle, true), SL_NOT_READY);
    ctl_lost(&d, 2);
    ctl_assert_scheduling(&d, moving, N1);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 10);
    sl_assert_u64(d.order_count, 0);
    assert_true(ctl_drop(&d, 1));
    sl_assert_u64(d.order_count, 0);
    ctl_stop(&d);
}

static void frozen_control_lets_go_of_a_lost_node(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 4, NULL);
    struct sl_dispatcher_id stopping = ctl_moving(&d, 1, 3, N2), starting = ctl_moving(&d, 2, 4, 3);
    ctl_stopped(&d, 4, starting, 30);
    struct sl_dispatcher_id idle = ctl_adopt(&d, 5, 3, 12);
    assert_int_equal(ctl_remove(&d, 3, (struct sl_dispatcher_id){ 5, 5 }, false), SL_OK);
    sl_control_freeze(d.control);
    ctl_forget(&d);
    ctl_lost(&d, 3);
    ctl_assert_absent(&d, stopping);
    ctl_assert_absent(&d, starting);
    ctl_assert_absent(&d, idle);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 10);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    sl_assert_u64(d.order_count, 0);
    ctl_stop(&d);
}

static void slots_come_back_when_a_control_freezes_or_ends(void **state)
{
    (void)state;
    for (int frozen = 0; frozen <= 1; frozen++) {
        struct control_driver d;
        ctl_start(&d, 2, NULL);
        ctl_adopt_many(&d, 1, 20, N1);
        ctl_target(&d, N1, 1);
        sl_assert_u64(d.pacer.in_flight, 20);
        if (frozen) {
            sl_control_freeze(d.control);
            sl_assert_u64(d.pacer.in_flight, 0);
        }
        ctl_stop(&d); /* looks at the pacer */
    }
}

static void orders_of_one_call_are_limited_and_the_rest_follows_at_once(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = ctl_limits();
    limits.sends_per_step = 10;
    struct control_driver d;
    ctl_start(&d, 2, &limits);
    for (int64_t table = 1; table <= 25; table++)
        assert_int_equal(sl_control_add_table(d.control, (struct sl_table){ .table_id = table, .schema_id = 1 }, 10, 0),
                         SL_OK);
    static const uint32_t sent[] = { 10, 20, 25 };
    for (int i = 0; i < 3; i++) {
        sl_assert_i64(sl_control_deadline(d.control), d.now);
        ctl_tick(&d, 0);
        sl_assert_u64(d.order_count, sent[i]);
    }
    assert_true(sl_control_deadline(d.control) > d.now);
    ctl_stop(&d);
}

/* Moves go on when a node is lost, whatever room there is: what cannot be sent waits in line. */
static void orders_without_room_wait_in_line_and_are_sent_in_order(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = ctl_limits();
    limits.sends_per_step = 10;
    struct control_driver d;
    ctl_start(&d, 3, &limits);
    for (int64_t table = 1; table <= 25; table++)
        ctl_moving(&d, table, 3, N2);
    ctl_forget(&d);
    ctl_lost(&d, 3);
    sl_assert_u64(d.order_count, 10);
    sl_assert_u64(ctl_counts(&d, N2).starting, 25);
    while (d.order_count < 25) {
        sl_assert_i64(sl_control_deadline(d.control), d.now);
        ctl_tick(&d, 0);
    }
    for (uint32_t i = 0; i < 25; i++)
        sl_assert_i64(d.orders[i].table_id, i + 1);
    ctl_tick(&d, 0);
    sl_assert_u64(d.order_count, 25);
    ctl_stop(&d);
}

static void dropping_a_table_whose_create_was_never_sent_removes_nothing(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = ctl_limits();
    limits.sends_per_step = 1;
    struct control_driver d;
    ctl_start(&d, 3, &limits);
    ctl_moving(&d, 1, 3, N2);
    ctl_moving(&d, 2, 3, N2);
    ctl_lost(&d, 3);
    ctl_forget(&d);
    assert_true(ctl_drop(&d, 2)); /* the second one in line */
    sl_assert_u64(ctl_stats(&d).operators, 1);
    sl_assert_u64(ctl_removes_to(&d, N2), 0);
    ctl_stop(&d);
}

static void a_create_that_waits_in_line_for_a_lost_node_leaves_no_trace_there(void **state)
{
    (void)state;
    struct sl_maintainer_limits limits = ctl_limits();
    limits.sends_per_step = 1;
    struct control_driver d;
    ctl_start(&d, 3, &limits);
    struct sl_dispatcher_id one = ctl_moving(&d, 1, 3, N2), two = ctl_moving(&d, 2, 3, N2);
    ctl_lost(&d, 3);
    ctl_forget(&d);
    sl_control_node_liveness(d.control, N2, SL_LIVENESS_DRAINING);
    ctl_tick(&d, 0);
    sl_assert_u64(ctl_creates_to(&d, N2), 0);
    ctl_assert_scheduling(&d, one, N2); /* was sent */
    ctl_assert_scheduling(&d, two, N1); /* was not: another place at once */
    ctl_stop(&d);
}

static void a_full_outbox_delays_orders_but_loses_none_and_does_not_spin(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_outbox full;
    assert_int_equal(sl_outbox_init(&full, &d.order_mem, SL_TAG_OUTBOX, 129, 1u << 16), SL_OK);
    assert_int_equal(sl_control_add_table(d.control, (struct sl_table){ .table_id = 1, .schema_id = 1 }, 10, 0), SL_OK);
    struct sl_dispatcher_id id = ctl_adopt(&d, 2, N1, 10);
    assert_int_equal(sl_control_move_table(d.control, d.now, 2, N2, &full), SL_OK);
    sl_control_on_tick(d.control, d.now, &full);
    ctl_assert_scheduling(&d, id, N1);
    sl_assert_i64(sl_control_deadline(d.control), d.now + SL_MS);
    d.now += SL_MS;
    sl_control_on_tick(d.control, d.now, &full);
    sl_assert_i64(sl_control_deadline(d.control), d.now + SL_MS);
    ctl_run(&d, SL_MS);
    sl_assert_u64(d.order_count, 2);
    assert_true(sl_control_deadline(d.control) > d.now + SL_MS);
    sl_outbox_deinit(&full);
    ctl_stop(&d);
}

static void a_slot_comes_back_when_a_move_is_stuck_and_only_once(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    ctl_target(&d, N1, 1);
    sl_assert_u64(d.pacer.in_flight, 1);
    ctl_run(&d, TIMEOUT - SL_MS);
    sl_assert_u64(d.pacer.in_flight, 1);
    ctl_run(&d, SL_MS);
    sl_assert_u64(d.pacer.in_flight, 0);
    ctl_run(&d, 3 * TIMEOUT);
    ctl_stopped(&d, N1, id, 20);
    ctl_working(&d, N2, id, 20);
    ctl_assert_replicating(&d, id, N2);
    sl_assert_u64(d.pacer.in_flight, 0);
    ctl_stop(&d);
}

static uint32_t story(struct control_driver *d)
{
    uint32_t added = 0;
    for (int64_t table = 1; table <= 8; table++)
        added +=
            sl_control_add_table(d->control, (struct sl_table){ .table_id = table, .schema_id = 1 }, 10, 0) == SL_OK;
    ctl_run(d, SL_MS);
    ctl_answer(d);
    ctl_target(d, N1, 1);
    ctl_answer(d);
    added -= ctl_drop(d, 3);
    enum sl_code code = ctl_remove(d, N1, (struct sl_dispatcher_id){ 5, 5 }, false);
    assert_true(code == SL_OK || code == SL_NOMEM);
    ctl_lost(d, 2);
    ctl_run(d, SL_S);
    ctl_answer(d);
    ctl_target(d, SL_NODE_NONE, 1);
    ctl_run(d, SL_S);
    ctl_answer(d);
    return added;
}

/* Whatever fails, nothing leaks, every counter stays exact, and what is known ends up replicating. */
static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 40; nth++) {
        struct control_driver d;
        ctl_start(&d, 3, NULL);
        d.mem.fail_at = nth;
        uint32_t added = story(&d);
        for (int i = 0; i < 20; i++) {
            ctl_run(&d, SL_S);
            ctl_answer(&d);
        }
        assert_true(added >= 6);
        sl_assert_u64(ctl_stats(&d).spans, added);
        sl_assert_u64(ctl_stats(&d).replicating, added);
        sl_assert_u64(ctl_stats(&d).operators, 0);
        ctl_stop(&d);
    }
}

static void a_refused_call_changes_nothing(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    ctl_adopt(&d, 1, N1, 10);
    struct sl_span_report report = { .id = { 8, 1 }, .span = { .table_id = 2 }, .checkpoint = 10 };
    d.mem.fail_at = 1;
    assert_int_equal(sl_control_resume_create(d.control, d.now, N1, &report, &d.out), SL_NOMEM);
    d.mem.fail_at = 1;
    assert_int_equal(ctl_move(&d, 1, N2), SL_NOMEM);
    d.mem.fail_at = 1;
    assert_int_equal(ctl_remove(&d, N1, (struct sl_dispatcher_id){ 9, 1 }, true), SL_NOMEM);
    d.mem.fail_at = 1;
    assert_int_equal(ctl_remove(&d, N1, report.id, false), SL_NOMEM);
    assert_int_equal(sl_control_add_table(d.control, (struct sl_table){ .table_id = 3, .schema_id = 1 }, SL_TS_NONE, 0),
                     SL_BAD_FIELD);
    sl_assert_u64(ctl_stats(&d).spans, 1);
    sl_assert_u64(ctl_counts(&d, N1).idle, 1);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    struct sl_span_view view;
    assert_int_equal(sl_control_view(d.control, report.id, &view), SL_NOT_FOUND);
    ctl_stop(&d);
}

/* It becomes an orphan, and the next report gets it removed. */
static void a_table_is_dropped_even_without_memory_for_its_removal(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id one = ctl_adopt(&d, 1, N1, 10);
    ctl_adopt(&d, 2, N1, 10);
    d.mem.fail_at = 1;
    assert_true(ctl_drop(&d, 1));
    sl_assert_u64(ctl_stats(&d).spans, 1);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    sl_assert_u64(d.event_count[SL_EV_OPERATOR_FAILED], 1);
    assert_int_equal(ctl_working(&d, N1, one, 20), SL_STATUS_UNKNOWN);
    assert_true(ctl_drop(&d, 2));
    sl_assert_u64(d.event_count[SL_EV_OPERATOR_FAILED], 1);
    ctl_stop(&d);
}

static void memory_is_accounted_for(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    for (int64_t table = 1; table <= 300; table++)
        ctl_moving(&d, table, N1, N2);
    size_t told = ctl_stats(&d).span_bytes;
    assert_true(told <= d.mem.live_bytes && d.mem.live_bytes - told < 2048); /* the rest is the control itself */
    ctl_stop(&d);
}

static void a_new_control_without_memory_leaves_nothing(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    const struct sl_control_opts opts = {
        .mem = &d.mem, .members = d.members, .pacer = &d.pacer, .feed = &d.feed, .limits = ctl_limits()
    };
    size_t before = d.mem.live_bytes;
    enum sl_code code = SL_NOMEM;
    for (uint64_t nth = 1; code == SL_NOMEM; nth++) {
        struct sl_control *c = NULL;
        d.mem.fail_at = nth;
        code = sl_control_new(&c, &opts, d.now);
        assert_true((code == SL_OK) == (c != NULL));
        sl_control_free(c);
        sl_assert_u64(d.mem.live_bytes, before);
        assert_true(nth < 20);
    }
    d.mem.fail_at = 0;
    ctl_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_operator_ends_once),
        cmocka_unit_test(quiesced_control_finishes_moves_and_starts_none),
        cmocka_unit_test(frozen_control_sends_nothing_and_still_limits),
        cmocka_unit_test(frozen_control_lets_go_of_a_lost_node),
        cmocka_unit_test(slots_come_back_when_a_control_freezes_or_ends),
        cmocka_unit_test(orders_of_one_call_are_limited_and_the_rest_follows_at_once),
        cmocka_unit_test(orders_without_room_wait_in_line_and_are_sent_in_order),
        cmocka_unit_test(dropping_a_table_whose_create_was_never_sent_removes_nothing),
        cmocka_unit_test(a_create_that_waits_in_line_for_a_lost_node_leaves_no_trace_there),
        cmocka_unit_test(a_full_outbox_delays_orders_but_loses_none_and_does_not_spin),
        cmocka_unit_test(a_slot_comes_back_when_a_move_is_stuck_and_only_once),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(a_refused_call_changes_nothing),
        cmocka_unit_test(a_table_is_dropped_even_without_memory_for_its_removal),
        cmocka_unit_test(memory_is_accounted_for),
        cmocka_unit_test(a_new_control_without_memory_leaves_nothing),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
