/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

#include <string.h>

/* A coordinator ends without a word, and another one goes on from what the store says: same drain, higher epoch. */

static void id_of(struct cd *c, char *id)
{
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    memcpy(id, intent.id, sizeof intent.id);
}

static void expect_same_drain(struct cd *c, const char *id)
{
    char now[SL_DRAIN_ID_MAX + 1];
    id_of(c, now);
    sl_assert_str(now, id);
    sl_assert_u64(cd_intent_count(c), 1);
}

static void fail_over(struct cd *c, const char *to)
{
    cd_kill(c);
    cd_run(c, 10 * SL_S);
    cd_elect(c, to);
    assert_true(sl_coordinator_is_running(c->coordinator));
}

static void expect_safe(struct cd *c)
{
    cd_run(c, 14 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    cd_leave(c, "n2");
    cd_run(c, 8 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n3", ""));
}

/* ---- at each phase ---- */

static void a_pending_drain_goes_on(void **state)
{
    (void)state;
    char id[SL_DRAIN_ID_MAX + 1];
    struct cd *c = cd_setup(3, 1);
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "pending");
    id_of(c, id);
    cd_kill(c);
    cd_node(c, "n4")->is_mute = false;
    cd_elect(c, "n3");
    expect_safe(c);
    expect_same_drain(c, id);
    cd_free(c);
}

static void an_evacuating_drain_goes_on_with_a_higher_epoch(void **state)
{
    (void)state;
    char id[SL_DRAIN_ID_MAX + 1];
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 2;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 3 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    uint64_t epoch = cd_epoch(c, "n2");
    id_of(c, id);
    fail_over(c, "n3");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    assert_true(cd_epoch(c, "n2") > epoch);
    assert_true(cd_holds(c, "n1", "n2") && cd_holds(c, "n3", "n2"));
    sl_assert_u64(cd_node(c, "n1")->set.targets[0].epoch, cd_epoch(c, "n2"));
    c->dispatchers[0][1] = 0;
    expect_safe(c);
    expect_same_drain(c, id);
    cd_free(c);
}

static void acknowledgements_of_the_old_epoch_do_not_count(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 3 * SL_S);
    cd_kill(c);
    c->dispatchers[0][1] = 0;
    cd_node(c, "n3")->ignores_targets = true; /* it holds the old epoch */
    cd_elect(c, "n1");
    cd_run(c, 20 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    sl_assert_str(cd_blocker(c, "n2"), "PEER_NOT_ACKED");
    cd_node(c, "n3")->ignores_targets = false;
    expect_safe(c);
    cd_free(c);
}

static void a_stopping_drain_goes_on_with_a_higher_epoch(void **state)
{
    (void)state;
    char id[SL_DRAIN_ID_MAX + 1];
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    while (strcmp(cd_phase(c, "n2"), "stopping") != 0)
        cd_run(c, SL_MS);
    uint64_t epoch = cd_epoch(c, "n2");
    id_of(c, id);
    fail_over(c, "n3");
    expect_safe(c);
    assert_true(cd_epoch(c, "n2") > epoch);
    expect_same_drain(c, id);
    cd_free(c);
}

static void a_node_that_was_told_to_stop_needs_no_new_word(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    while (cd_node(c, "n2")->liveness != SL_LIVENESS_STOPPING) {
        cd_run(c, SL_MS);
        c->holds_store = strcmp(cd_phase(c, "n2"), "stopping") == 0; /* "safe" is not stored any more */
    }
    cd_forget(c);
    fail_over(c, "n3");
    expect_safe(c);
    sl_assert_u64(cd_node(c, "n2")->stopping_requests + cd_node(c, "n2")->draining_requests, 0);
    cd_free(c);
}

static void safe_stays_safe_with_its_epoch_and_at_once(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    uint64_t epoch = cd_epoch(c, "n2");
    cd_kill(c);
    cd_node(c, "n1")->is_deaf = true; /* the next one cannot run yet */
    cd_elect(c, "n3");
    assert_false(sl_coordinator_is_running(c->coordinator));
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_node(c, "n1")->is_deaf = false;
    cd_run(c, 10 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_u64(cd_epoch(c, "n2"), epoch);
    expect_safe(c);
    cd_free(c);
}

static void a_clear_goes_on(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 1);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    cd_node(c, "n4")->is_deaf = true;
    cd_leave(c, "n2");
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    cd_kill(c);
    cd_node(c, "n4")->is_deaf = false;
    cd_elect(c, "n3");
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    assert_true(cd_holds(c, "n4", ""));
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void an_undrain_goes_on(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    uint64_t node_epoch = cd_node(c, "n2")->node_epoch;
    cd_node(c, "n2")->is_deaf = true;
    (void)cd_undrain(c, "n2");
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    cd_kill(c);
    cd_node(c, "n2")->is_deaf = false;
    cd_elect(c, "n3");
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_ALIVE);
    sl_assert_u64(cd_node(c, "n2")->node_epoch, node_epoch + 1);
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n2", ""));
    cd_free(c);
}

static void an_ended_drain_is_remembered(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    fail_over(c, "n3");
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* ---- what happens while there is no coordinator ---- */

static void a_safe_node_that_left_meanwhile_is_done(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    cd_kill(c);
    cd_leave(c, "n2");
    cd_elect(c, "n3");
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

static void a_node_that_left_meanwhile_before_it_was_safe_is_failed(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 2 * SL_S);
    cd_kill(c);
    cd_leave(c, "n2");
    cd_elect(c, "n3");
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "failed");
    sl_assert_str(sl_code_name(cd_request(c, SL_REQUEST_DRAIN_NODE, "n2")->code), "NOT_FOUND");
    cd_free(c);
}

static void a_safe_node_that_was_replaced_meanwhile_is_not_safe(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_kill(c);
    cd_leave(c, "n2");
    cd_join(c, "n2", 9000000);
    cd_elect(c, "n3");
    cd_run(c, SL_S);
    assert_true(cd_drain_node(c, "n2") >= 1);
    cd_run(c, 14 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_STOPPING);
    cd_free(c);
}

static void a_node_that_was_replaced_meanwhile_is_drained_in_its_new_life(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 2 * SL_S);
    cd_kill(c);
    c->dispatchers[0][1] = 0;
    cd_leave(c, "n2");
    cd_join(c, "n2", 9000000);
    cd_elect(c, "n3");
    expect_safe(c);
    cd_free(c);
}

/* Weak point 4: only the draining nodes are excluded meanwhile. */
static void the_rest_of_the_cluster_keeps_scheduling(void **state)
{
    (void)state;
    struct cd *c = cd_new(4, 1);
    cd_host(c, 0, "n3");
    cd_start(c);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 2 * SL_S);
    cd_kill(c);
    cd_leave(c, "n3");
    cd_elect(c, "n1");
    cd_run(c, 3 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    assert_true(cd_node(c, "n1")->feeds[0].is_here || cd_node(c, "n4")->feeds[0].is_here);
    sl_assert_u64(cd_node(c, "n2")->adds, 0);
    cd_free(c);
}

/* ---- writes of the predecessor ---- */

static void end_at_write(uint32_t at, bool answer_is_lost)
{
    struct cd *c = cd_setup(3, 1);
    c->evacuates = true;
    c->dispatchers[0][1] = 1;
    uint32_t before = c->intent_writes;
    struct sl_request r = { .verb = SL_REQUEST_DRAIN_NODE, .node = SL_STR("n2") };
    (void)cd_ask(c, &r);
    for (uint32_t i = 0; i < 30000 && c->intent_writes < before + at; i++)
        cd_run(c, SL_MS);
    if (answer_is_lost) {
        cd_fault(c, CD_FAULT_LOST_ANSWER);
        for (uint32_t i = 0; i < 30000 && c->fault_count > 0; i++)
            cd_run(c, SL_MS);
    }
    fail_over(c, "n3");
    cd_run(c, SL_S);
    (void)cd_drain_node(c, "n2");
    expect_safe(c);
    sl_assert_u64(cd_intent_count(c), 1);
    cd_free(c);
}

static void a_coordinator_may_end_after_any_write(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < 4; at++) {
        end_at_write(at, false);
        end_at_write(at, true);
    }
}

/* The predecessor's last write arrives after its successor has read the intents. */
static void a_late_write_of_the_predecessor_is_found_and_taken_over(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < 4; at++) {
        struct cd *c = cd_setup(3, 1);
        for (uint32_t i = 0; i < at; i++)
            cd_fault(c, CD_FAULT_NONE);
        cd_fault(c, CD_FAULT_LATE);
        (void)cd_drain_node(c, "n2");
        for (uint32_t i = 0; i < 20000 && c->late_count == 0; i++)
            cd_run(c, SL_MS);
        sl_assert_u64(c->late_count, 1);
        fail_over(c, "n3");
        cd_late(c);
        cd_run(c, 12 * SL_S);
        (void)cd_drain_node(c, "n2");
        expect_safe(c);
        cd_free(c);
    }
}

static void several_drains_go_on_each_with_its_own_epoch(void **state)
{
    (void)state;
    struct cd *c = cd_setup(5, 1);
    c->dispatchers[0][1] = c->dispatchers[0][2] = 1;
    (void)cd_drain_node(c, "n2");
    (void)cd_drain_node(c, "n3");
    (void)cd_drain_node(c, "n1"); /* the owner */
    cd_run(c, 3 * SL_S);
    uint64_t epoch = cd_epoch(c, "n3");
    fail_over(c, "n4");
    cd_run(c, SL_S);
    assert_true(cd_epoch(c, "n2") > epoch && cd_epoch(c, "n3") > cd_epoch(c, "n2"));
    assert_true(cd_epoch(c, "n1") > epoch);
    sl_assert_u64(cd_node(c, "n5")->set.count, 3);
    c->dispatchers[0][1] = c->dispatchers[0][2] = 0;
    cd_run(c, 20 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n1"), 0);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_u64(cd_drain_node(c, "n3"), 0);
    cd_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pending_drain_goes_on),
        cmocka_unit_test(an_evacuating_drain_goes_on_with_a_higher_epoch),
        cmocka_unit_test(acknowledgements_of_the_old_epoch_do_not_count),
        cmocka_unit_test(a_stopping_drain_goes_on_with_a_higher_epoch),
        cmocka_unit_test(a_node_that_was_told_to_stop_needs_no_new_word),
        cmocka_unit_test(safe_stays_safe_with_its_epoch_and_at_once),
        cmocka_unit_test(a_clear_goes_on),
        cmocka_unit_test(an_undrain_goes_on),
        cmocka_unit_test(an_ended_drain_is_remembered),
        cmocka_unit_test(a_safe_node_that_left_meanwhile_is_done),
        cmocka_unit_test(a_node_that_left_meanwhile_before_it_was_safe_is_failed),
        cmocka_unit_test(a_safe_node_that_was_replaced_meanwhile_is_not_safe),
        cmocka_unit_test(a_node_that_was_replaced_meanwhile_is_drained_in_its_new_life),
        cmocka_unit_test(the_rest_of_the_cluster_keeps_scheduling),
        cmocka_unit_test(a_coordinator_may_end_after_any_write),
        cmocka_unit_test(a_late_write_of_the_predecessor_is_found_and_taken_over),
        cmocka_unit_test(several_drains_go_on_each_with_its_own_epoch),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
