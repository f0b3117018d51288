/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

/*
 * DrainNode as old clients know it. The number before a test names the fact of the reference's
 * behaviour that it shows; "better" says that we do otherwise on purpose, and how.
 */

static enum sl_code code_of(struct cd *c, const char *node)
{
    return cd_request(c, SL_REQUEST_DRAIN_NODE, node)->code;
}

static void assert_waits(struct cd *c, const char *node, const char *blocker)
{
    assert_true(cd_drain_node(c, node) >= 1);
    cd_run(c, 3 * SL_S);
    assert_true(cd_drain_node(c, node) >= 1);
    sl_assert_str(cd_phase(c, node), "pending");
    sl_assert_str(cd_blocker(c, node), blocker);
    sl_assert_u64(cd_node(c, node)->draining_requests, 0);
}

/* Drained to the end, with nothing to do. */
static void drain_to_safe(struct cd *c, const char *node)
{
    (void)cd_drain_node(c, node);
    cd_run(c, 12 * SL_S);
    sl_assert_str(cd_phase(c, node), "safe");
    sl_assert_u64(cd_drain_node(c, node), 0);
}

/* ---- DrainNode ---- */

/* A1 */
static void a_coordinator_that_starts_answers_1_and_opens_nothing(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_node(c, "n3")->is_deaf = true;
    cd_start(c);
    assert_false(sl_coordinator_is_running(c->coordinator));
    sl_assert_u64(cd_drain_node(c, "n2"), 1);
    cd_run(c, SL_S);
    sl_assert_u64(cd_intent_count(c), 0);
    cd_free(c);
}

/* A2 */
static void a_drain_that_has_just_begun_is_at_least_1(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    sl_assert_u64(cd_drain_node(c, "n2"), 1);
    assert_true(cd_drain_node(c, "n2") >= 1);
    sl_assert_u64(cd_intent_count(c), 1);
    cd_free(c);
}

/* A3 */
static void nothing_left_and_stopping_is_0_and_the_targets_stay(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    drain_to_safe(c, "n2");
    cd_run(c, 60 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_STOPPING);
    assert_true(cd_holds(c, "n1", "n2") && cd_holds(c, "n2", "n2") && cd_holds(c, "n3", "n2"));
    cd_free(c);
}

/* A4 */
static void dispatchers_that_are_left_are_counted(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 2);
    c->dispatchers[0][1] = 1;
    c->dispatchers[1][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 6 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 2);
    sl_assert_str(cd_blocker(c, "n2"), "DISPATCHERS_LEFT");
    c->dispatchers[0][1] = c->dispatchers[1][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A5 */
static void a_feed_that_has_not_reported_the_epoch_counts(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->is_silent_feed[0] = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 30 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 1);
    sl_assert_str(cd_blocker(c, "n2"), "FEED_NOT_REPORTED");
    c->is_silent_feed[0] = false;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A6 */
static void moves_in_flight_are_counted(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->moves[0][1] = 3;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 30 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 3);
    sl_assert_str(cd_blocker(c, "n2"), "MOVES_IN_FLIGHT");
    c->moves[0][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A7, better: many targets at once */
static void two_nodes_are_drained_at_the_same_time(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 1);
    sl_assert_u64(cd_drain_node(c, "n2"), 1);
    sl_assert_u64(cd_drain_node(c, "n3"), 1);
    cd_run(c, SL_S);
    sl_assert_u64(cd_node(c, "n1")->set.count, 2);
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_u64(cd_drain_node(c, "n3"), 0);
    cd_free(c);
}

/* A7 */
static void with_a_foreign_peer_the_second_drain_waits_and_says_so(void **state)
{
    (void)state;
    struct cd *c = cd_new(4, 0);
    cd_node(c, "n4")->kind = CD_FOREIGN;
    cd_start(c);
    cd_run(c, 6 * SL_S);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    assert_waits(c, "n3", "WAITS_FOR_DRAIN");
    sl_assert_str(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n3")->drain.blocker_detail, "node n4");
    assert_true(cd_holds(c, "n1", "n2") && cd_holds(c, "n4", "n2"));
    cd_free(c);
}

/* A8 */
static void the_epoch_is_above_the_clock_and_kept(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    uint64_t clock = (uint64_t)c->now + c->opts.wall_offset_ns;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    uint64_t epoch = cd_epoch(c, "n2");
    assert_true(epoch > clock);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 20 * SL_S);
    sl_assert_u64(cd_epoch(c, "n2"), epoch);
    cd_free(c);
}

static void hold(struct cd *c, const char *node, const char *target, uint64_t epoch)
{
    struct sl_drain_target t = { .epoch = epoch };
    assert_true(sl_node_id_set(&t.node, sl_str_of(target)));
    cd_node(c, node)->set = sl_target_set_of(&t);
}

/* A9, better: the new target takes the place of the old one, nobody waits for a clear */
static void an_old_target_with_a_huge_epoch_is_replaced_by_a_higher_one(void **state)
{
    (void)state;
    const uint64_t huge = UINT64_MAX - 100;
    struct cd *c = cd_setup(3, 1);
    hold(c, "n3", "n1", huge);
    cd_heartbeat(c, "n3");
    cd_settle(c);
    assert_true(cd_holds(c, "n3", ""));
    sl_assert_u64(cd_intent_count(c), 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_u64(cd_epoch(c, "n2"), huge + 1);
    assert_true(cd_holds(c, "n3", "n2"));
    cd_free(c);
}

/* A10 */
static void an_empty_target_with_a_huge_epoch_only_raises_the_next_one(void **state)
{
    (void)state;
    const uint64_t huge = UINT64_MAX - 100;
    struct cd *c = cd_setup(3, 1);
    hold(c, "n3", "", huge);
    cd_heartbeat(c, "n3");
    cd_run(c, 6 * SL_S);
    sl_assert_u64(cd_node(c, "n3")->target_requests, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_u64(cd_epoch(c, "n2"), huge + 1);
    cd_free(c);
}

/* A11 */
static void epochs_are_learnt_from_bootstrap_answers_too(void **state)
{
    (void)state;
    const uint64_t huge = UINT64_MAX - 100;
    struct cd *c = cd_new(3, 0);
    hold(c, "n3", "", huge);
    cd_start(c);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_u64(cd_epoch(c, "n2"), huge + 1);
    cd_free(c);
}

/* A12, better: 1 with a reason instead of an error that old clients read as done */
static void without_a_higher_epoch_it_waits_and_says_why(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    hold(c, "n3", "", UINT64_MAX);
    cd_heartbeat(c, "n3");
    cd_settle(c);
    assert_waits(c, "n2", "PEER_NOT_ACKED");
    assert_true(cd_holds(c, "n1", ""));
    cd_free(c);
}

/* A13, A14, better: the epoch needs nobody but the store, and a store that refuses is a number, not an error */
static void a_store_that_refuses_is_1_and_no_target_leaves(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    for (int i = 0; i < 10; i++)
        cd_fault(c, CD_FAULT_REFUSED);
    sl_assert_u64(cd_drain_node(c, "n2"), 1);
    cd_run(c, SL_S);
    assert_true(cd_drain_node(c, "n2") >= 1);
    sl_assert_str(cd_blocker(c, "n2"), "NOT_DURABLE");
    sl_assert_u64(cd_node(c, "n1")->target_requests, 0);
    sl_assert_u64(cd_intent_count(c), 0);
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A15 */
static void a_node_that_leaves_while_its_intent_is_stored_is_not_found(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->holds_store = true;
    (void)cd_drain_node(c, "n2");
    cd_leave(c, "n2");
    sl_assert_str(sl_code_name(code_of(c, "n2")), "NOT_FOUND");
    cd_release_store(c);
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "failed");
    sl_assert_str(sl_code_name(code_of(c, "n2")), "NOT_FOUND");
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n3", ""));
    cd_free(c);
}

/* A16 */
static void with_a_foreign_peer_a_safe_node_holds_the_place_until_it_leaves(void **state)
{
    (void)state;
    struct cd *c = cd_new(4, 0);
    cd_node(c, "n4")->kind = CD_FOREIGN;
    cd_start(c);
    cd_run(c, 6 * SL_S);
    drain_to_safe(c, "n2");
    assert_waits(c, "n3", "WAITS_FOR_DRAIN");
    cd_leave(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n3"), 0);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A17 */
static void zero_stays_zero_after_the_node_left(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    drain_to_safe(c, "n2");
    cd_leave(c, "n2");
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_run(c, 3600 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A18 */
static void zero_stays_zero_while_the_target_is_being_cleared(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    drain_to_safe(c, "n2");
    cd_node(c, "n3")->is_mute = true;
    cd_leave(c, "n2");
    cd_run(c, 10 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_node(c, "n3")->is_mute = false;
    cd_run(c, 10 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

/* A19, A20: membership and its consequences are one step here, so there is nothing in between */
static void a_node_that_left_before_it_was_safe_is_not_found(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 2;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 6 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 2);
    cd_leave(c, "n2");
    sl_assert_str(sl_code_name(code_of(c, "n2")), "NOT_FOUND");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "failed");
    sl_assert_str(sl_code_name(code_of(c, "n2")), "NOT_FOUND");
    cd_free(c);
}

/* A21 */
static void a_safe_node_that_comes_back_is_not_safe_any_more(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    drain_to_safe(c, "n2");
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    cd_join(c, "n2", 5000000);
    cd_run(c, SL_S);
    sl_assert_u64(cd_intent_count(c), 0); /* what the store said of the former process is void */
    cd_leave(c, "n2");
    sl_assert_str(sl_code_name(code_of(c, "n2")), "NOT_FOUND");
    cd_free(c);
}

/* A21 */
static void a_node_that_comes_back_before_its_clear_ended_is_at_least_1(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    drain_to_safe(c, "n2");
    cd_node(c, "n3")->is_mute = true;
    cd_leave(c, "n2");
    cd_join(c, "n2", 5000000);
    sl_assert_u64(cd_drain_node(c, "n2"), 1);
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    sl_assert_str(sl_code_name(cd_drain(c, "n2")), "BUSY");
    cd_node(c, "n3")->is_mute = false;
    cd_run(c, 10 * SL_S);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_STOPPING);
    cd_free(c);
}

/* A22 */
static void when_the_target_left_no_target_is_active(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 500 * SL_MS);
    assert_true(cd_holds(c, "n1", "n2") && cd_holds(c, "n3", "n2"));
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n3", ""));
    cd_free(c);
}

/* A23, better: >= 1 with a reason instead of 0 */
static void a_legacy_target_waits_and_says_why(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    cd_node(c, "n2")->kind = CD_LEGACY;
    cd_start(c);
    assert_waits(c, "n2", "PEER_LEGACY");
    assert_true(cd_holds(c, "n1", ""));
    cd_free(c);
}

/* A24 */
static void a_target_of_unknown_capability_waits_even_if_it_says_stopping(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 0);
    cd_node(c, "n3")->is_mute = true;
    cd_join(c, "n3", 7000);
    cd_node(c, "n3")->liveness = SL_LIVENESS_STOPPING;
    assert_waits(c, "n3", "PEER_NOT_ACKED");
    sl_assert_str(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n3")->drain.blocker_detail, "node n3");
    cd_free(c);
}

/* A25 */
static void a_peer_of_unknown_capability_makes_a_drain_wait(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 0);
    cd_node(c, "n3")->is_mute = true;
    cd_join(c, "n3", 7000);
    assert_waits(c, "n2", "PEER_NOT_ACKED");
    cd_node(c, "n3")->is_mute = false;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A25: unknown has priority over legacy */
static void an_unknown_peer_is_named_before_a_legacy_one(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    cd_node(c, "n3")->kind = CD_LEGACY;
    cd_start(c);
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    assert_waits(c, "n2", "PEER_NOT_ACKED");
    cd_free(c);
}

/* A26, better: >= 1 with a reason instead of 0 */
static void a_legacy_peer_waits_and_says_why(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_node(c, "n3")->kind = CD_LEGACY;
    cd_host(c, 0, "n3");
    cd_start(c);
    assert_waits(c, "n2", "PEER_LEGACY");
    sl_assert_str(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2")->drain.blocker_detail, "node n3");
    assert_true(cd_holds(c, "n1", ""));
    cd_leave(c, "n3");
    cd_run(c, 20 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A27 */
static void an_unknown_node_that_joins_later_does_not_end_a_drain(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    uint64_t epoch = cd_epoch(c, "n2");
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    cd_run(c, 6 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 1);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    sl_assert_u64(cd_epoch(c, "n2"), epoch);
    cd_free(c);
}

/* A28 */
static void an_unknown_node_that_joins_later_holds_up_nothing(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    c->dispatchers[0][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* A29 */
static void with_a_foreign_peer_a_drain_waits_for_the_clear_of_another(void **state)
{
    (void)state;
    struct cd *c = cd_new(4, 0);
    cd_node(c, "n4")->kind = CD_FOREIGN;
    cd_start(c);
    cd_run(c, 6 * SL_S);
    drain_to_safe(c, "n2");
    cd_node(c, "n1")->is_mute = true;
    cd_leave(c, "n2");
    assert_waits(c, "n3", "WAITS_FOR_DRAIN");
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n4", ""));
    cd_node(c, "n1")->is_mute = false;
    cd_run(c, 20 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n3"), 0);
    cd_free(c);
}

static void a_node_that_was_never_here_is_not_found(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 0);
    sl_assert_str(sl_code_name(code_of(c, "n7")), "NOT_FOUND");
    sl_assert_u64(cd_intent_count(c), 0);
    cd_free(c);
}

static void the_last_node_is_1_and_opens_nothing(void **state)
{
    (void)state;
    struct cd *c = cd_setup(1, 0);
    sl_assert_u64(cd_drain_node(c, "n1"), 1);
    sl_assert_str(sl_code_name(cd_drain(c, "n1")), "REFUSED");
    sl_assert_u64(cd_intent_count(c), 0);
    cd_free(c);
}

static void zero_is_said_only_when_safe_is_durable(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    while (cd_node(c, "n2")->liveness != SL_LIVENESS_STOPPING)
        cd_run(c, 10 * SL_MS);
    c->holds_store = true;
    cd_run(c, 30 * SL_S);
    assert_true(cd_drain_node(c, "n2") >= 1);
    sl_assert_str(cd_phase(c, "n2"), "stopping");
    cd_release_store(c);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    cd_free(c);
}

static void more_drains_than_fit_are_1_and_join_later(void **state)
{
    (void)state;
    struct cd *c = cd_new(4, 0);
    c->opts.session_count_max = 1;
    cd_start(c);
    (void)cd_drain_node(c, "n2");
    sl_assert_u64(cd_drain_node(c, "n3"), 1);
    sl_assert_str(sl_code_name(cd_drain(c, "n3")), "LIMIT");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_intent_count(c), 1);
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    (void)cd_drain_node(c, "n3");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n3"), 0);
    cd_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_coordinator_that_starts_answers_1_and_opens_nothing),
        cmocka_unit_test(a_drain_that_has_just_begun_is_at_least_1),
        cmocka_unit_test(nothing_left_and_stopping_is_0_and_the_targets_stay),
        cmocka_unit_test(dispatchers_that_are_left_are_counted),
        cmocka_unit_test(a_feed_that_has_not_reported_the_epoch_counts),
        cmocka_unit_test(moves_in_flight_are_counted),
        cmocka_unit_test(two_nodes_are_drained_at_the_same_time),
        cmocka_unit_test(with_a_foreign_peer_the_second_drain_waits_and_says_so),
        cmocka_unit_test(the_epoch_is_above_the_clock_and_kept),
        cmocka_unit_test(an_old_target_with_a_huge_epoch_is_replaced_by_a_higher_one),
        cmocka_unit_test(an_empty_target_with_a_huge_epoch_only_raises_the_next_one),
        cmocka_unit_test(epochs_are_learnt_from_bootstrap_answers_too),
        cmocka_unit_test(without_a_higher_epoch_it_waits_and_says_why),
        cmocka_unit_test(a_store_that_refuses_is_1_and_no_target_leaves),
        cmocka_unit_test(a_node_that_leaves_while_its_intent_is_stored_is_not_found),
        cmocka_unit_test(with_a_foreign_peer_a_safe_node_holds_the_place_until_it_leaves),
        cmocka_unit_test(zero_stays_zero_after_the_node_left),
        cmocka_unit_test(zero_stays_zero_while_the_target_is_being_cleared),
        cmocka_unit_test(a_node_that_left_before_it_was_safe_is_not_found),
        cmocka_unit_test(a_safe_node_that_comes_back_is_not_safe_any_more),
        cmocka_unit_test(a_node_that_comes_back_before_its_clear_ended_is_at_least_1),
        cmocka_unit_test(when_the_target_left_no_target_is_active),
        cmocka_unit_test(a_legacy_target_waits_and_says_why),
        cmocka_unit_test(a_target_of_unknown_capability_waits_even_if_it_says_stopping),
        cmocka_unit_test(a_peer_of_unknown_capability_makes_a_drain_wait),
        cmocka_unit_test(an_unknown_peer_is_named_before_a_legacy_one),
        cmocka_unit_test(a_legacy_peer_waits_and_says_why),
        cmocka_unit_test(an_unknown_node_that_joins_later_does_not_end_a_drain),
        cmocka_unit_test(an_unknown_node_that_joins_later_holds_up_nothing),
        cmocka_unit_test(with_a_foreign_peer_a_drain_waits_for_the_clear_of_another),
        cmocka_unit_test(a_node_that_was_never_here_is_not_found),
        cmocka_unit_test(the_last_node_is_1_and_opens_nothing),
        cmocka_unit_test(zero_is_said_only_when_safe_is_durable),
        cmocka_unit_test(more_drains_than_fit_are_1_and_join_later),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
