/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>
#include <string.h>

/* Who judges must be judged: each oracle is shown a breach and must fire, and the lawful neighbour of it and must not. */

static struct sl_sim_engine engine;
static struct sl_sim_oracle oracle;

static int begin(void **state)
{
    (void)state;
    sl_sim_engine_init(&engine, 1);
    sl_sim_oracle_init(&oracle, &engine);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sl_sim_oracle_deinit(&oracle);
    sl_sim_engine_deinit(&engine);
    return 0;
}

static void assert_quiet(void)
{
    sl_assert_str(engine.violation.oracle, NULL);
}

static void assert_fired(enum sl_sim_oracle_id id)
{
    sl_assert_str(engine.violation.oracle, sl_sim_oracle_name(id));
    engine.violation.oracle = NULL;
}

/* A lawful claim: the origin has stopped, the placement grows, nothing is skipped. */
static struct sl_sim_claim lawful(void)
{
    return (struct sl_sim_claim){
        .table_id = 3,
        .process = 2,
        .previous_process = 1,
        .placement = { 1, 2 },
        .previous_placement = { 1, 1 },
        .previous = SL_SIM_WRITER_STOPPED,
        .is_leased = true,
        .start_ts = 100,
        .durable = 100,
    };
}

static void lawful_claim_is_accepted(void **state)
{
    (void)state;
    struct sl_sim_claim c = lawful();
    assert_true(sl_sim_oracle_claim(&oracle, &c));
    c = lawful();
    c.placement = (struct sl_placement){ 2, 1 }; /* a larger epoch beats any seq */
    assert_true(sl_sim_oracle_claim(&oracle, &c));
    c = lawful();
    c.previous = SL_SIM_WRITER_NONE;
    c.previous_placement = (struct sl_placement){ 0, 0 };
    assert_true(sl_sim_oracle_claim(&oracle, &c));
    assert_quiet();
}

static void two_writers_of_one_placement_are_a_breach(void **state)
{
    (void)state;
    struct sl_sim_claim c = lawful();
    c.placement = c.previous_placement;
    assert_false(sl_sim_oracle_claim(&oracle, &c));
    assert_fired(SL_SIM_ORACLE_WRITER);
    c.previous = SL_SIM_WRITER_DEAD; /* elsewhere: still two */
    assert_false(sl_sim_oracle_claim(&oracle, &c));
    assert_fired(SL_SIM_ORACLE_WRITER);
    c.is_same_node = true; /* the node's next process inherits its placement */
    assert_true(sl_sim_oracle_claim(&oracle, &c));
    assert_quiet();
}

static void smaller_placement_is_a_breach_unless_the_lease_is_gone(void **state)
{
    (void)state;
    struct sl_sim_claim c = lawful();
    c.previous_placement = (struct sl_placement){ 2, 1 };
    c.is_leased = false;
    assert_false(sl_sim_oracle_claim(&oracle, &c)); /* refused, but nobody is to blame */
    assert_quiet();
    c.is_leased = true;
    assert_false(sl_sim_oracle_claim(&oracle, &c));
    assert_fired(SL_SIM_ORACLE_WRITER);
}

static void writing_beside_a_running_origin_is_a_breach(void **state)
{
    (void)state;
    static const enum sl_sim_writer_state lawful_ends[] = { SL_SIM_WRITER_STOPPED, SL_SIM_WRITER_FENCED,
                                                            SL_SIM_WRITER_DEAD, SL_SIM_WRITER_UNLEASED };
    struct sl_sim_claim c = lawful();
    for (size_t i = 0; i < sizeof lawful_ends / sizeof lawful_ends[0]; i++) {
        c.previous = lawful_ends[i];
        assert_true(sl_sim_oracle_claim(&oracle, &c));
        assert_quiet();
    }
    c.previous = SL_SIM_WRITER_RUNNING;
    sl_sim_oracle_claim(&oracle, &c);
    assert_fired(SL_SIM_ORACLE_HANDOVER);
}

static void starting_above_what_is_durable_is_a_hole(void **state)
{
    (void)state;
    struct sl_sim_claim c = lawful();
    c.start_ts = c.durable + 1;
    sl_sim_oracle_claim(&oracle, &c);
    assert_fired(SL_SIM_ORACLE_HOLE);
}

static void checkpoint_above_what_is_durable_is_a_breach(void **state)
{
    (void)state;
    sl_sim_oracle_checkpoint(&oracle, 0, 1, 100, 100, 3);
    assert_quiet();
    sl_sim_oracle_checkpoint(&oracle, 0, 1, 101, 100, 3);
    assert_fired(SL_SIM_ORACLE_CHECKPOINT);
}

static void checkpoint_may_go_back_only_with_a_new_epoch(void **state)
{
    (void)state;
    sl_sim_oracle_checkpoint(&oracle, 0, 1, 90, 100, 3);
    sl_sim_oracle_checkpoint(&oracle, 1, 1, 50, 100, 3); /* another feed */
    sl_sim_oracle_checkpoint(&oracle, 0, 2, 80, 100, 3); /* the next maintainer */
    assert_quiet();
    sl_sim_oracle_checkpoint(&oracle, 0, 1, 89, 100, 3);
    assert_fired(SL_SIM_ORACLE_CHECKPOINT);
}

/* ---- drain targets, whose judge looks at a cluster ---- */

static struct sl_sim *begin_cluster(void)
{
    struct sl_sim_opts opts;
    struct sl_sim *sim = calloc(1, sizeof *sim);
    assert_non_null(sim);
    sl_sim_opts_default(&opts);
    opts.host_count = 1;
    sl_sim_init(sim, &opts);
    sl_sim_oracle_drain_epoch_durable(&sim->oracle, 9);
    return sim;
}

static void end_cluster(struct sl_sim *sim)
{
    sl_sim_deinit(sim);
    free(sim);
}

struct said {
    uint64_t version;
    const char *node; /* of a target of this epoch; null: none */
    uint64_t epoch;
};

/* Says one after the other, and expects a breach with the last one. */
static void assert_said(const struct said *said, size_t count, bool is_breach)
{
    struct sl_sim *sim = begin_cluster();
    for (size_t i = 0; i < count; i++) {
        sl_assert_str(sim->engine.violation.oracle, NULL);
        struct sl_target_set set = { .version = said[i].version };
        if (said[i].node) {
            set.targets[set.count].epoch = said[i].epoch;
            assert_true(sl_node_id_set(&set.targets[set.count++].node, sl_str_of(said[i].node)));
        }
        sl_sim_judge_set(sim, &sim->hosts[0], &set);
    }
    sl_assert_str(sim->engine.violation.oracle, is_breach ? sl_sim_oracle_name(SL_SIM_ORACLE_TARGET) : NULL);
    end_cluster(sim);
}
#define ASSERT_SAID(is_breach, ...)                   \
    assert_said((const struct said[]){ __VA_ARGS__ }, \
                sizeof(const struct said[]){ __VA_ARGS__ } / sizeof(struct said), is_breach)

static void targets_follow_the_monotonic_rule(void **state)
{
    (void)state;
    ASSERT_SAID(false, { 0, NULL, 0 }, { 1, "n2", 1 }, { 1, "n2", 1 }, { 1, NULL, 0 }, { 5, "n3", 5 });
    ASSERT_SAID(false, { 1, "n2", 1 }, { 7, "n2", 1 });
}

static void targets_that_break_the_rule_are_a_breach(void **state)
{
    (void)state;
    ASSERT_SAID(true, { 2, "n2", 2 }, { 1, "n2", 1 }); /* back */
    ASSERT_SAID(true, { 2, "n2", 2 }, { 2, "n3", 2 }); /* another node in one epoch */
    ASSERT_SAID(true, { 2, "n2", 2 }, { 2, NULL, 0 }, { 2, "n2", 2 });
    ASSERT_SAID(true, { 2, "n2", 2 }, { 2, NULL, 0 }, { 3, "n2", 2 }); /* a cleared epoch becomes active again */
    ASSERT_SAID(true, { 2, "n2", 3 });                                 /* beyond the version */
}

static void say_liveness(uint32_t process, uint64_t node_epoch, int liveness, bool is_unleased)
{
    sl_sim_oracle_self(
        &oracle, &(struct sl_sim_self_image){
                     .process = process, .node_epoch = node_epoch, .liveness = liveness, .is_unleased = is_unleased });
}

static void liveness_moves_one_step_forward(void **state)
{
    (void)state;
    for (int liveness = 0; liveness <= 2; liveness++)
        say_liveness(1, 7, liveness, false);
    say_liveness(2, 8, 0, false);
    say_liveness(2, 8, 2, true); /* a process without a lease fences itself in one go */
    assert_quiet();
    say_liveness(1, 7, 1, false);
    assert_fired(SL_SIM_ORACLE_LIVENESS);
    say_liveness(3, 9, 0, false);
    say_liveness(3, 9, 2, false);
    assert_fired(SL_SIM_ORACLE_LIVENESS);
}

static void node_epoch_grows_with_an_undrain_and_never_goes_back(void **state)
{
    (void)state;
    say_liveness(1, 7, 1, false);
    say_liveness(1, 8, 0, false);
    assert_quiet();
    say_liveness(1, 7, 0, false);
    assert_fired(SL_SIM_ORACLE_LIVENESS);
    sl_sim_oracle_stopping(&oracle, 2, 0);
    say_liveness(2, 7, 2, true);
    assert_quiet();
    say_liveness(2, 8, 2, true); /* who is STOPPING stays so */
    assert_fired(SL_SIM_ORACLE_LIVENESS);
}

static void epoch_that_is_not_durable_must_not_be_used(void **state)
{
    (void)state;
    sl_sim_oracle_feed_epoch_durable(&oracle, 0, 3);
    sl_sim_oracle_feed_epoch_used(&oracle, 0, 3);
    sl_sim_oracle_feed_epoch_used(&oracle, 0, 1);
    assert_quiet();
    sl_sim_oracle_feed_epoch_used(&oracle, 0, 4);
    assert_fired(SL_SIM_ORACLE_EPOCH);
    sl_sim_oracle_feed_epoch_used(&oracle, 0, 0);
    assert_fired(SL_SIM_ORACLE_EPOCH);
    sl_sim_oracle_feed_epoch_used(&oracle, 1, 1);
    assert_fired(SL_SIM_ORACLE_EPOCH);
    sl_sim_oracle_drain_epoch_used(&oracle, 1);
    assert_fired(SL_SIM_ORACLE_EPOCH);
    sl_sim_oracle_feed_epoch_durable(&oracle, 0, 3); /* given out twice */
    assert_fired(SL_SIM_ORACLE_EPOCH);
}

static void safe_to_stop_means_no_work_then_and_later(void **state)
{
    (void)state;
    sl_sim_oracle_work(&oracle, 1, "a dispatcher");
    sl_sim_oracle_safe(&oracle, 1, 0);
    assert_quiet();
    sl_sim_oracle_work(&oracle, 2, "a dispatcher"); /* another process */
    assert_quiet();
    sl_sim_oracle_work(&oracle, 1, "a dispatcher");
    assert_fired(SL_SIM_ORACLE_SAFE);
    sl_sim_oracle_safe(&oracle, 3, 1);
    assert_fired(SL_SIM_ORACLE_SAFE);
}

static void schema_change_divides_rows(void **state)
{
    (void)state;
    sl_sim_oracle_begins(&oracle, 0, 100, 1, 99);
    assert_quiet();
    sl_sim_oracle_begins(&oracle, 0, 100, 1, 98);
    assert_fired(SL_SIM_ORACLE_SCHEMA);
    sl_sim_oracle_rows(&oracle, 0, 1, 100, 100);
    assert_fired(SL_SIM_ORACLE_SCHEMA);
}

static void schema_change_is_performed_once_and_in_order(void **state)
{
    (void)state;
    sl_sim_oracle_performed(&oracle, 0, 100, 1, SL_TS_NONE);
    assert_quiet();
    sl_sim_oracle_performed(&oracle, 0, 100, 2, SL_TS_NONE);
    assert_fired(SL_SIM_ORACLE_ONCE);
    sl_sim_oracle_performed(&oracle, 0, 200, 1, 100);
    assert_fired(SL_SIM_ORACLE_ONCE);
}

static void checkpoint_covers_no_schema_change_that_was_not_performed(void **state)
{
    (void)state;
    sl_sim_oracle_covers(&oracle, 0, 99, 100);
    sl_sim_oracle_covers(&oracle, 0, 99, SL_TS_MAX);
    assert_quiet();
    sl_sim_oracle_covers(&oracle, 0, 100, 100);
    assert_fired(SL_SIM_ORACLE_CHECKPOINT);
}

static struct sl_bytes bytes_of(const char *text)
{
    return (struct sl_bytes){ (const uint8_t *)text, strlen(text) };
}

static void password_is_found_wherever_it_stands(void **state)
{
    (void)state;
    sl_sim_oracle_secret(&oracle, bytes_of(""), "an event");
    sl_sim_oracle_secret(&oracle, bytes_of("canary-7K"), "an event");
    sl_sim_oracle_secret(&oracle, bytes_of("ccccanary-7Kq"), "an event");
    assert_quiet();
    sl_sim_oracle_secret(&oracle, bytes_of(SL_SIM_CANARY), "an event");
    assert_fired(SL_SIM_ORACLE_SECRET);
    sl_sim_oracle_secret(&oracle, bytes_of("mysql://u:cc" SL_SIM_CANARY), "an event");
    assert_fired(SL_SIM_ORACLE_SECRET);
}

/* ---- the sink, whose facts the oracles get ---- */

static void followers_move_together_and_hold_what_they_had_when_they_stop(void **state)
{
    (void)state;
    struct sl_sim_sink sink;
    sl_sim_sink_init(&sink, &engine, &oracle);
    uint32_t feed = sl_sim_sink_add_feed(&sink);
    for (int64_t table = 0; table < 3; table++)
        sl_sim_sink_add_table(&sink, feed, table, 100);
    uint32_t session = sl_sim_sink_open_session(&sink, feed, 1, 0);
    for (int64_t table = 0; table < 3; table++) {
        struct sl_sim_writer w = { session, table, { 1, 1 } };
        assert_true(sl_sim_sink_claim(&sink, &w, 100));
    }
    sl_sim_sink_progress(&sink, session, 150);
    struct sl_sim_writer one = { session, 1, { 1, 1 } }, two = { session, 2, { 1, 1 } };
    assert_true(sl_sim_sink_follow(&sink, &one) && sl_sim_sink_follow(&sink, &two));
    sl_assert_u64(sl_sim_sink_feed_durable(&sink, feed), 100u); /* table 0 lags */
    sl_assert_i64(sl_sim_sink_laggard(&sink, feed), 0);
    struct sl_sim_writer zero = { session, 0, { 1, 1 } };
    assert_true(sl_sim_sink_write(&sink, &zero, 400));
    sl_assert_u64(sl_sim_sink_feed_durable(&sink, feed), 150u);
    sl_sim_sink_stop(&sink, &one);
    sl_sim_sink_progress(&sink, session, 300);
    sl_assert_u64(sl_sim_sink_durable(&sink, feed, 1), 150u);
    sl_assert_u64(sl_sim_sink_durable(&sink, feed, 2), 300u);
    sl_assert_u64(sl_sim_sink_feed_durable(&sink, feed), 150u);
    sl_sim_sink_retire_table(&sink, feed, 1);
    sl_assert_u64(sl_sim_sink_feed_durable(&sink, feed), 300u);
    assert_quiet();
    sl_sim_sink_close_session(&sink, session);
    sl_sim_sink_deinit(&sink);
}

static void sink_refuses_a_writer_that_was_replaced(void **state)
{
    (void)state;
    struct sl_sim_sink sink;
    sl_sim_sink_init(&sink, &engine, &oracle);
    uint32_t feed = sl_sim_sink_add_feed(&sink);
    sl_sim_sink_add_table(&sink, feed, 0, 100);
    uint32_t old = sl_sim_sink_open_session(&sink, feed, 1, 0), new = sl_sim_sink_open_session(&sink, feed, 2, 1);
    struct sl_sim_writer first = { old, 0, { 1, 1 } }, second = { new, 0, { 1, 2 } };
    assert_true(sl_sim_sink_claim(&sink, &first, 100));
    sl_sim_sink_process_unleased(&sink, 1);
    assert_true(sl_sim_sink_claim(&sink, &second, 100)); /* the first sleeps without a lease */
    assert_false(sl_sim_sink_write(&sink, &first, 200));
    assert_false(sl_sim_sink_claim(&sink, &first, 100));
    sl_assert_u64(sl_sim_sink_durable(&sink, feed, 0), 100u);
    sl_assert_u64(sink.refusal_count, 2u);
    assert_quiet();
    sl_sim_sink_process_dies(&sink, 2);
    sl_assert_u64(sl_sim_sink_writer(&sink, feed, 0), 0u);
    sl_sim_sink_close_session(&sink, old);
    sl_sim_sink_close_session(&sink, new);
    sl_sim_sink_deinit(&sink);
}

/* ---- schema changes at the sink ---- */

static struct sl_sim_sink ddl_sink;
static uint32_t ddl_session;

static struct sl_sim_writer ddl_writer(int64_t table)
{
    return (struct sl_sim_writer){ .session = ddl_session, .table_id = table, .placement = { 1, 1 } };
}

/* Two tables and the trigger, written by process 1 up to 100; at 101 there is a change of table 1. */
static void ddl_begin(bool by_trigger)
{
    const int64_t touched[] = { 1 };
    sl_sim_sink_init(&ddl_sink, &engine, &oracle);
    uint32_t feed = sl_sim_sink_add_feed(&ddl_sink);
    ddl_session = sl_sim_sink_open_session(&ddl_sink, feed, 1, 0);
    for (int64_t table = 0; table < 3; table++) {
        struct sl_sim_writer w = ddl_writer(table);
        sl_sim_sink_add_table(&ddl_sink, feed, table, 50);
        assert_true(sl_sim_sink_claim(&ddl_sink, &w, 50) && sl_sim_sink_write(&ddl_sink, &w, 100));
    }
    struct sl_sim_sink_change change = { .ts = 101, .touched = touched, .touched_count = 1, .by_trigger = by_trigger };
    sl_sim_sink_add_change(&ddl_sink, feed, &change);
}

static void ddl_end(void)
{
    sl_sim_sink_close_session(&ddl_sink, ddl_session);
    sl_sim_sink_deinit(&ddl_sink);
}

static void ddl_run(sl_ns at)
{
    struct sl_sim_event event;
    while (sl_sim_engine_take(&engine, at, &event))
        (void)sl_sim_sink_on_event(&ddl_sink, &event);
}

static void rows_behind_a_change_wait_until_the_server_has_performed_it(void **state)
{
    (void)state;
    sl_ns until;
    ddl_begin(false);
    struct sl_sim_writer one = ddl_writer(1), two = ddl_writer(2);
    sl_assert_u64(sl_sim_sink_first_open(&ddl_sink, 0), 101);
    assert_true(sl_sim_sink_write(&ddl_sink, &two, 200)); /* it is about another table */
    assert_int_equal(sl_sim_sink_begin_change(&ddl_sink, &one, 0, 40, &until), SL_SIM_VERDICT_RUNS);
    assert_quiet();
    assert_true(sl_sim_sink_write(&ddl_sink, &one, 101));
    assert_fired(SL_SIM_ORACLE_SCHEMA);
    ddl_run(engine.now + 40);
    assert_int_equal(sl_sim_sink_begin_change(&ddl_sink, &one, 0, 40, &until), SL_SIM_VERDICT_DONE);
    assert_true(sl_sim_sink_end_change(&ddl_sink, &one, 0) && sl_sim_sink_write(&ddl_sink, &one, 300));
    assert_quiet();
    sl_assert_u64(sl_sim_sink_first_open(&ddl_sink, 0), SL_TS_MAX);
    ddl_end();
}

static void followers_pass_no_change_of_theirs(void **state)
{
    (void)state;
    ddl_begin(false);
    struct sl_sim_writer one = ddl_writer(1);
    sl_sim_sink_progress(&ddl_sink, ddl_session, 100);
    assert_true(sl_sim_sink_follow(&ddl_sink, &one));
    assert_quiet();
    sl_sim_sink_progress(&ddl_sink, ddl_session, 150);
    assert_fired(SL_SIM_ORACLE_SCHEMA);
    ddl_end();
}

/* The journal is by span: two that perform the same change do not see each other. */
static void one_change_performed_by_two_spans_is_performed_twice(void **state)
{
    (void)state;
    sl_ns until;
    ddl_begin(true);
    struct sl_sim_writer trigger = ddl_writer(0), one = ddl_writer(1);
    assert_int_equal(sl_sim_sink_begin_change(&ddl_sink, &trigger, 0, 40, &until), SL_SIM_VERDICT_RUNS);
    assert_int_equal(sl_sim_sink_begin_change(&ddl_sink, &one, 0, 40, &until), SL_SIM_VERDICT_RUNS);
    assert_quiet();
    ddl_run(engine.now + 40);
    assert_fired(SL_SIM_ORACLE_ONCE);
    ddl_end();
}

static void statement_runs_on_without_its_client_unless_it_never_arrived(void **state)
{
    (void)state;
    sl_ns until;
    ddl_begin(true);
    struct sl_sim_writer trigger = ddl_writer(0);
    assert_int_equal(sl_sim_sink_begin_change(&ddl_sink, &trigger, 0, 40, &until), SL_SIM_VERDICT_RUNS);
    ddl_run(engine.now + 15); /* it is there */
    sl_sim_sink_process_dies(&ddl_sink, 1);
    ddl_run(engine.now + 40);
    assert_true(sl_sim_sink_is_performed(&ddl_sink, 0, 0));
    assert_false(sl_sim_sink_was_performed(&ddl_sink, 0, 0)); /* the journal does not know */
    assert_quiet();
    ddl_end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lawful_claim_is_accepted, begin, end),
        cmocka_unit_test_setup_teardown(two_writers_of_one_placement_are_a_breach, begin, end),
        cmocka_unit_test_setup_teardown(smaller_placement_is_a_breach_unless_the_lease_is_gone, begin, end),
        cmocka_unit_test_setup_teardown(writing_beside_a_running_origin_is_a_breach, begin, end),
        cmocka_unit_test_setup_teardown(starting_above_what_is_durable_is_a_hole, begin, end),
        cmocka_unit_test_setup_teardown(checkpoint_above_what_is_durable_is_a_breach, begin, end),
        cmocka_unit_test_setup_teardown(checkpoint_may_go_back_only_with_a_new_epoch, begin, end),
        cmocka_unit_test_setup_teardown(targets_follow_the_monotonic_rule, begin, end),
        cmocka_unit_test_setup_teardown(targets_that_break_the_rule_are_a_breach, begin, end),
        cmocka_unit_test_setup_teardown(liveness_moves_one_step_forward, begin, end),
        cmocka_unit_test_setup_teardown(node_epoch_grows_with_an_undrain_and_never_goes_back, begin, end),
        cmocka_unit_test_setup_teardown(epoch_that_is_not_durable_must_not_be_used, begin, end),
        cmocka_unit_test_setup_teardown(safe_to_stop_means_no_work_then_and_later, begin, end),
        cmocka_unit_test_setup_teardown(schema_change_divides_rows, begin, end),
        cmocka_unit_test_setup_teardown(schema_change_is_performed_once_and_in_order, begin, end),
        cmocka_unit_test_setup_teardown(checkpoint_covers_no_schema_change_that_was_not_performed, begin, end),
        cmocka_unit_test_setup_teardown(password_is_found_wherever_it_stands, begin, end),
        cmocka_unit_test_setup_teardown(followers_move_together_and_hold_what_they_had_when_they_stop, begin, end),
        cmocka_unit_test_setup_teardown(sink_refuses_a_writer_that_was_replaced, begin, end),
        cmocka_unit_test_setup_teardown(rows_behind_a_change_wait_until_the_server_has_performed_it, begin, end),
        cmocka_unit_test_setup_teardown(followers_pass_no_change_of_theirs, begin, end),
        cmocka_unit_test_setup_teardown(one_change_performed_by_two_spans_is_performed_twice, begin, end),
        cmocka_unit_test_setup_teardown(statement_runs_on_without_its_client_unless_it_never_arrived, begin, end),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
