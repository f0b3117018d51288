/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/control_model.h"

#include <stdio.h>

#define N1 ((sl_node_ref)1)
#define N2 ((sl_node_ref)2)
#define N3 ((sl_node_ref)3)

/* ---- bootstrap ---- */

static struct sl_span_report report_of(int64_t table_id, uint64_t low, sl_ts checkpoint, uint64_t seq)
{
    return (struct sl_span_report){ .id = { 8, low },
                                    .span = { .table_id = table_id },
                                    .schema_id = 3,
                                    .checkpoint = checkpoint,
                                    .placement_seq = seq };
}

static void an_adopted_dispatcher_is_a_replicating_span_with_its_placement(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_span_report report = report_of(1, 1, 50, 6);
    assert_int_equal(sl_control_adopt(d.control, N2, &report), SL_OK);
    ctl_assert_replicating(&d, report.id, N2);
    sl_assert_u64(ctl_view(&d, report.id).placement_seq, 6);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), SL_TS_MAX);
    assert_int_equal(ctl_status(&d, N2, report.id, PB__COMPONENT_STATE__WORKING, 60, 6), SL_STATUS_APPLIED);
    assert_int_equal(ctl_status(&d, N2, report.id, PB__COMPONENT_STATE__STOPPED, 70, 5), SL_STATUS_IGNORED);
    assert_int_equal(ctl_move(&d, 1, N1), SL_OK);
    sl_assert_u64(ctl_last(&d)->seq, 6); /* what is removed */
    ctl_status(&d, N2, report.id, PB__COMPONENT_STATE__STOPPED, 70, 6);
    sl_assert_u64(ctl_last(&d)->seq, 7); /* what is created */
    ctl_stop(&d);
}

static void a_known_id_or_a_covered_table_is_not_adopted(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_span_report report = report_of(1, 1, 50, 1);
    assert_int_equal(sl_control_adopt(d.control, N2, &report), SL_OK);
    assert_int_equal(sl_control_adopt(d.control, N1, &report), SL_EXISTS);
    report = report_of(1, 2, 50, 1);
    assert_int_equal(sl_control_adopt(d.control, N1, &report), SL_EXISTS);
    assert_int_equal(sl_control_add_table(d.control, (struct sl_table){ .table_id = 1, .schema_id = 1 }, 10, 0),
                     SL_EXISTS);
    report = report_of(2, 3, 50, 1);
    assert_int_equal(ctl_remove(&d, N1, report.id, false), SL_OK);
    assert_int_equal(sl_control_adopt(d.control, N1, &report), SL_EXISTS); /* it is on its way out */
    report.id = (struct sl_dispatcher_id){ 0, 0 };
    assert_int_equal(sl_control_adopt(d.control, N1, &report), SL_BAD_FIELD);
    sl_assert_u64(sl_control_span_count(d.control), 1);
    ctl_stop(&d);
}

static void parts_of_a_table_are_adopted_if_they_do_not_overlap(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_span_report report = report_of(1, 1, 50, 1);
    report.span.start_key = (struct sl_bytes){ (const uint8_t *)"a", 1 };
    report.span.end_key = (struct sl_bytes){ (const uint8_t *)"m", 1 };
    assert_int_equal(sl_control_adopt(d.control, N1, &report), SL_OK);
    report.id.low = 2;
    assert_int_equal(sl_control_adopt(d.control, N1, &report), SL_EXISTS);
    report.span.start_key = report.span.end_key;
    report.span.end_key = (struct sl_bytes){ (const uint8_t *)"z", 1 };
    assert_int_equal(sl_control_adopt(d.control, N2, &report), SL_OK);
    struct sl_dispatcher_id ids[2];
    sl_assert_u64(sl_control_table_spans(d.control, 1, ids, 2), 2);
    sl_assert_u64(ids[0].low, 1);
    sl_assert_u64(ids[1].low, 2);
    ctl_target(&d, N1, 1); /* they move like any other */
    ctl_answer(&d);
    assert_true(ctl_last(&d)->is_create);
    sl_assert_u64(ctl_last(&d)->start_key, 'a');
    sl_assert_u64(ctl_last(&d)->end_key, 'm');
    sl_assert_u64(ctl_counts(&d, N2).idle, 2);
    assert_true(ctl_drop(&d, 1));
    sl_assert_u64(ctl_stats(&d).spans, 0);
    sl_assert_u64(ctl_stats(&d).operators, 2);
    ctl_stop(&d);
}

static void an_unknown_checkpoint_counts_as_the_committed_one(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    sl_control_set_committed(d.control, 33);
    struct sl_span_report report = report_of(1, 1, 0, 1);
    assert_int_equal(sl_control_adopt(d.control, N1, &report), SL_OK);
    sl_assert_u64(ctl_view(&d, report.id).checkpoint, 33);
    report = report_of(2, 2, SL_TS_MAX, 1);
    assert_int_equal(sl_control_adopt(d.control, N1, &report), SL_OK);
    sl_assert_u64(ctl_view(&d, report.id).checkpoint, 33);
    ctl_stop(&d);
}

static void an_unfinished_create_goes_on_under_its_own_number(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_open(&d, 2, NULL);
    ctl_ready(&d, 1);
    ctl_ready(&d, 2);
    struct sl_span_report report = report_of(1, 1, 50, 4);
    assert_int_equal(sl_control_resume_create(d.control, d.now, N2, &report, &d.out), SL_OK);
    ctl_assert_scheduling(&d, report.id, N2);
    sl_assert_u64(ctl_view(&d, report.id).placement_seq, 4);
    assert_int_equal(sl_control_resume_create(d.control, d.now, N1, &report, &d.out), SL_EXISTS);
    ctl_status(&d, N2, report.id, PB__COMPONENT_STATE__WORKING, 50, 4);
    ctl_assert_replicating(&d, report.id, N2);
    ctl_stop(&d);
}

/* The predecessor's Create may be on its way: it is taken back, not forgotten. */
static void an_unfinished_create_on_a_target_is_taken_back(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_open(&d, 2, NULL);
    ctl_ready(&d, 1);
    ctl_ready(&d, 2);
    ctl_target(&d, N2, 1);
    struct sl_span_report report = report_of(1, 1, 50, 4);
    assert_int_equal(sl_control_resume_create(d.control, d.now, N2, &report, &d.out), SL_OK);
    ctl_assert_scheduling(&d, report.id, N2);
    sl_assert_u64(ctl_counts(&d, N2).stopping, 1);
    sl_assert_u64(ctl_counts(&d, N2).starting, 0);
    sl_control_start(d.control, d.now, &d.out);
    ctl_status(&d, N2, report.id, PB__COMPONENT_STATE__STOPPED, 55, 4);
    ctl_assert_scheduling(&d, report.id, N1);
    sl_assert_u64(ctl_last(&d)->start_ts, 55);
    sl_assert_u64(ctl_creates_to(&d, N2), 0);
    ctl_stop(&d);
}

static void a_placement_number_never_becomes_unknown(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_span_report report = report_of(1, 1, 50, UINT64_MAX);
    assert_int_equal(sl_control_adopt(d.control, N2, &report), SL_OK);
    assert_int_equal(ctl_move(&d, 1, N1), SL_OK);
    ctl_stopped(&d, N2, report.id, 60);
    sl_assert_u64(ctl_last(&d)->seq, 1);
    ctl_stop(&d);
}

/* ---- statuses ---- */

/* Fact 25. */
static void a_dispatcher_that_stops_by_itself_leaves_its_span_absent(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    sl_control_node_liveness(d.control, N2, SL_LIVENESS_DRAINING);
    assert_int_equal(ctl_stopped(&d, N1, id, 30), SL_STATUS_LOST);
    ctl_assert_absent(&d, id);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 30);
    sl_assert_u64(d.event_count[SL_EV_SPAN_LOST], 1);
    ctl_stop(&d);
}

static void a_status_that_says_nothing_new_is_ignored(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id id = ctl_adopt(&d, 1, N1, 10);
    assert_int_equal(ctl_working(&d, N1, id, 12), SL_STATUS_APPLIED);
    assert_int_equal(ctl_working(&d, N1, id, 12), SL_STATUS_IGNORED);
    assert_int_equal(ctl_working(&d, N1, id, 11), SL_STATUS_IGNORED);
    assert_int_equal(ctl_working(&d, N1, id, 0), SL_STATUS_IGNORED);
    assert_int_equal(ctl_working(&d, N1, id, SL_TS_MAX), SL_STATUS_IGNORED);
    sl_assert_u64(ctl_view(&d, id).checkpoint, 12);
    ctl_stop(&d);
}

/* Fact 64, the part of whole tables. */
static void all_spans_of_a_lost_node_become_absent_and_are_placed_again(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 3, NULL);
    ctl_adopt_many(&d, 1, 200, N3);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_DRAINING);
    sl_control_node_liveness(d.control, N2, SL_LIVENESS_DRAINING);
    ctl_lost(&d, 3);
    sl_assert_u64(ctl_stats(&d).absent, 200);
    sl_assert_u64(sl_control_checkpoint_limit(d.control), 10);
    sl_control_node_liveness(d.control, N1, SL_LIVENESS_ALIVE);
    ctl_tick(&d, 0);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N1).idle, 200);
    ctl_stop(&d);
}

static void a_ref_that_comes_back_is_another_node(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    ctl_adopt_many(&d, 1, 5, N2);
    sl_control_node_liveness(d.control, N2, SL_LIVENESS_DRAINING);
    ctl_target(&d, N2, 1);
    ctl_lost(&d, 2);
    uint32_t number = 3; /* two names take turns until one gets the slot */
    for (int turns = 0; ctl_ref(&d, number) != N2; turns++) {
        assert_true(turns < 40);
        number = 7 - number;
        d.alive[number] = true;
        ctl_lost(&d, 7 - number);
    }
    sl_assert_u64(ctl_counts(&d, N2).bound, 0);
    sl_control_node_ready(d.control, N2);
    ctl_answer(&d);
    struct sl_dispatcher_id id = ctl_add(&d, 50, 10);
    ctl_assert_scheduling(&d, id, N2); /* neither target nor DRAINING, and empty */
    ctl_stop(&d);
}

/* ---- audit ---- */

static void spans_that_a_node_does_not_list_are_placed_anew(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    struct sl_dispatcher_id listed = ctl_adopt(&d, 1, N1, 10), missing = ctl_adopt(&d, 2, N1, 10);
    struct sl_dispatcher_id elsewhere = ctl_adopt(&d, 3, N2, 10), moving = ctl_moving(&d, 4, N1, N2);
    for (int round = 0; round < 2; round++) {
        sl_control_audit_begin(d.control, N1);
        sl_control_audit_seen(d.control, N1, listed);
        sl_control_audit_seen(d.control, N1, (struct sl_dispatcher_id){ 4, 4 });
        sl_control_audit_seen(d.control, N1, elsewhere);
        sl_control_audit_end(d.control, d.now, N1, &d.out);
        ctl_assert_replicating(&d, listed, N1);
        ctl_assert_replicating(&d, elsewhere, N2);
        ctl_assert_scheduling(&d, moving, N1);  /* its operator will find out */
        ctl_assert_scheduling(&d, missing, N1); /* the list may be older than it: the node itself has to say Stopped */
        sl_assert_u64(ctl_view(&d, missing).placement_seq, 0);
        sl_assert_u64(ctl_removes_to(&d, N1), 1);
    }
    ctl_stopped(&d, N1, missing, 0);
    sl_assert_u64(ctl_view(&d, missing).placement_seq, 1);
    sl__control_check(d.control);
    ctl_stop(&d);
}

/* ---- a small life ---- */

/* Fact 18, the part of a maintainer's spans: nodes come and go, tables too. */
static void nodes_and_tables_come_and_go(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 1, NULL);
    for (int64_t table = 1; table <= 4; table++)
        ctl_add(&d, table, 10);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N1).idle, 4);
    for (uint32_t number = 2; number <= 4; number++)
        ctl_join(&d, number);
    ctl_run(&d, 15 * SL_S);
    ctl_answer(&d);
    for (sl_node_ref node = 1; node <= 4; node++)
        sl_assert_u64(ctl_counts(&d, node).idle, 1);
    ctl_lost_both(&d, 3, 4);
    ctl_answer(&d);
    sl_assert_u64(ctl_counts(&d, N1).idle, 2);
    sl_assert_u64(ctl_counts(&d, N2).idle, 2);
    assert_true(ctl_drop(&d, 1));
    assert_true(ctl_drop(&d, 2));
    ctl_answer(&d);
    sl_assert_u64(ctl_stats(&d).replicating, 2);
    ctl_add(&d, 5, 20);
    ctl_add(&d, 6, 20);
    ctl_answer(&d);
    sl_assert_u64(ctl_stats(&d).replicating, 4);
    sl_assert_u64(ctl_stats(&d).operators, 0);
    ctl_stop(&d);
}

/* What the sink stores of the first life would refuse a second one that counts from 1 again. */
static void a_table_that_is_made_again_is_placed_above_its_first_life(void **state)
{
    (void)state;
    struct control_driver d;
    ctl_start(&d, 2, NULL);
    ctl_add(&d, 7, 10);
    ctl_answer(&d);
    sl_node_ref first = ctl_last(&d)->to;
    assert_int_equal(ctl_move(&d, 7, first == N1 ? N2 : N1), SL_OK);
    ctl_answer(&d);
    uint64_t before = ctl_last(&d)->seq;
    assert_true(before > 1);
    assert_true(ctl_drop(&d, 7));
    ctl_answer(&d);
    ctl_add(&d, 7, 20);
    assert_true(ctl_last(&d)->is_create);
    assert_true(ctl_last(&d)->seq > before);
    ctl_stop(&d);
}

static void the_same_calls_give_the_same_orders(void **state)
{
    (void)state;
    static struct control_model a, b;
    model_start(&a, 5, 5, false);
    model_start(&b, 5, 5, false);
    for (int i = 0; i < 2000; i++) {
        model_random_step(&a);
        model_random_step(&b);
        sl_assert_i64(a.d.now, b.d.now);
        sl_assert_u64(sl_prng_u64(&a.prng), sl_prng_u64(&b.prng));
        sl_assert_i64(sl_control_deadline(a.d.control), sl_control_deadline(b.d.control));
    }
    sl_assert_mem(a.nodes, b.nodes, sizeof a.nodes);
    sl_assert_mem(a.dispatchers, b.dispatchers, sizeof a.dispatchers);
    model_stop(&a);
    model_stop(&b);
}

static void any_history_converges_with_one_writer_per_span_and_nothing_lost(void **state)
{
    (void)state;
    static struct control_model m;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        model_start(&m, seed, 5, seed % 2 == 0);
        for (int i = 0; i < 3000; i++)
            model_random_step(&m);
        model_converge(&m);
        model_stop(&m);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_adopted_dispatcher_is_a_replicating_span_with_its_placement),
        cmocka_unit_test(a_known_id_or_a_covered_table_is_not_adopted),
        cmocka_unit_test(parts_of_a_table_are_adopted_if_they_do_not_overlap),
        cmocka_unit_test(an_unknown_checkpoint_counts_as_the_committed_one),
        cmocka_unit_test(an_unfinished_create_goes_on_under_its_own_number),
        cmocka_unit_test(an_unfinished_create_on_a_target_is_taken_back),
        cmocka_unit_test(a_placement_number_never_becomes_unknown),
        cmocka_unit_test(a_dispatcher_that_stops_by_itself_leaves_its_span_absent),
        cmocka_unit_test(a_status_that_says_nothing_new_is_ignored),
        cmocka_unit_test(all_spans_of_a_lost_node_become_absent_and_are_placed_again),
        cmocka_unit_test(a_ref_that_comes_back_is_another_node),
        cmocka_unit_test(spans_that_a_node_does_not_list_are_placed_anew),
        cmocka_unit_test(nodes_and_tables_come_and_go),
        cmocka_unit_test(a_table_that_is_made_again_is_placed_above_its_first_life),
        cmocka_unit_test(the_same_calls_give_the_same_orders),
        cmocka_unit_test(any_history_converges_with_one_writer_per_span_and_nothing_lost),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
