/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

#include <string.h>

/*
 * From phase to phase: what is asked of the node and when, what each phase waits for, and the way back. The number
 * before a test names the fact of the reference's behaviour that it shows; "better" says that we do otherwise on
 * purpose, and how.
 */

static bool is_destination(struct cd *c, const char *node)
{
    struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = sl_str_of(c->nodes[c->owner].name), .dry_run = true };
    const struct cd_reply *plan = cd_reply(c, cd_ask(c, &r));
    for (uint32_t i = 0; i < plan->plan_count; i++) {
        if (sl_str_eq(sl_node_id_str(&plan->plan[i].node), sl_str_of(node)))
            return plan->plan[i].is_eligible;
    }
    fail_msg("%s is not in the plan", node);
    return false;
}

/* A drain of n2 that cannot end: one dispatcher stays. */
static struct cd *evacuating(uint32_t node_count)
{
    struct cd *c = cd_setup(node_count, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    return c;
}

/* ---- requests to the node ---- */

/* C1 */
static void draining_is_asked_once_per_second_until_it_is_seen(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    struct cd_node *n2 = cd_node(c, "n2");
    n2->is_mute = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 900 * SL_MS);
    sl_assert_u64(n2->draining_requests, 1);
    sl_assert_i64(n2->liveness, SL_LIVENESS_DRAINING);
    cd_run(c, SL_S);
    sl_assert_u64(n2->draining_requests, 2);
    n2->is_mute = false;
    cd_run(c, 12 * SL_S);
    assert_true(n2->draining_requests <= 3);
    sl_assert_u64(n2->stopping_requests, 1);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* C2 */
static void of_a_node_that_left_nothing_is_kept(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    cd_join(c, "n2", 9000000);
    cd_run(c, 30 * SL_S);
    sl_assert_u64(cd_node(c, "n2")->draining_requests, 0);
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_ALIVE);
    assert_true(is_destination(c, "n2"));
    cd_free(c);
}

/* C3 */
static void a_target_that_restarts_is_asked_again_in_its_new_epoch(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_DRAINING);
    cd_restart(c, "n2");
    cd_run(c, 700 * SL_MS);
    sl_assert_u64(cd_node(c, "n2")->draining_requests, 1);
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_DRAINING);
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    sl_assert_u64(intent.target_node_epoch, cd_node(c, "n2")->node_epoch);
    c->dispatchers[0][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* C4 */
static void a_target_that_restarts_while_stopping_is_stored_is_not_stopped_on_old_evidence(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    c->dispatchers[0][1] = 0;
    c->holds_store = true;
    cd_run(c, 6 * SL_S);
    cd_node(c, "n2")->is_deaf = true;
    cd_restart(c, "n2");
    cd_node(c, "n2")->is_mute = true;
    cd_node(c, "n2")->is_deaf = false;
    cd_release_store(c);
    cd_run(c, 10 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "stopping");
    sl_assert_u64(cd_node(c, "n2")->stopping_requests, 0);
    assert_true(cd_node(c, "n2")->draining_requests > 0);
    cd_node(c, "n2")->is_mute = false;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* C11 */
static void a_coordinator_that_starts_asks_nothing_of_a_node(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    cd_kill(c);
    cd_node(c, "n3")->is_deaf = true;
    cd_forget(c);
    cd_elect(c, "n1");
    cd_run(c, 10 * SL_S);
    assert_false(sl_coordinator_is_running(c->coordinator));
    sl_assert_u64(cd_node(c, "n2")->draining_requests + cd_node(c, "n2")->stopping_requests, 0);
    sl_assert_u64(cd_node(c, "n2")->target_requests, 0);
    cd_free(c);
}

/* C11 */
static void without_a_drain_nothing_is_asked_of_a_node(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    cd_node(c, "n2")->liveness = SL_LIVENESS_DRAINING;
    cd_run(c, 30 * SL_S);
    sl_assert_u64(cd_node(c, "n2")->draining_requests + cd_node(c, "n2")->stopping_requests, 0);
    cd_free(c);
}

/* C11 */
static void stopping_waits_for_the_maintainers_of_the_node(void **state)
{
    (void)state;
    struct cd *c = cd_new(2, 1);
    cd_host(c, 0, "n2");
    cd_start(c);
    cd_node(c, "n1")->refuses_work = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 8 * SL_S);
    sl_assert_u64(cd_node(c, "n2")->stopping_requests, 0);
    assert_true(cd_node(c, "n1")->adds > 0);
    sl_assert_str(cd_blocker(c, "n2"), "FEED_NOT_BOOTSTRAPPED");
    cd_node(c, "n1")->refuses_work = false;
    cd_run(c, 12 * SL_S);
    assert_true(cd_node(c, "n1")->feeds[0].is_here && !cd_node(c, "n2")->feeds[0].is_here);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

/* ---- durable first ---- */

static void no_target_leaves_before_its_epoch_is_durable(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    c->holds_store = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 30 * SL_S);
    sl_assert_u64(cd_node(c, "n1")->target_requests + cd_node(c, "n3")->target_requests, 0);
    sl_assert_u64(cd_node(c, "n2")->draining_requests, 0);
    cd_release_store(c);
    cd_run(c, 600 * SL_MS);
    assert_true(cd_node(c, "n3")->target_requests > 0);
    cd_free(c);
}

static void stopping_is_durable_before_it_is_asked(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    c->dispatchers[0][1] = 0;
    c->holds_store = true;
    cd_run(c, 30 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    sl_assert_u64(cd_node(c, "n2")->stopping_requests, 0);
    cd_release_store(c);
    cd_run(c, SL_S);
    sl_assert_u64(cd_node(c, "n2")->stopping_requests, 1);
    cd_free(c);
}

/* ---- gates ---- */

/* C5 */
static void only_nodes_that_acknowledged_the_target_are_destinations(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 1);
    c->dispatchers[0][1] = 1;
    cd_node(c, "n4")->is_deaf = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    assert_true(is_destination(c, "n3"));
    assert_false(is_destination(c, "n2") || is_destination(c, "n4"));
    cd_leave(c, "n2");
    cd_node(c, "n4")->is_deaf = false;
    cd_run(c, 6 * SL_S);
    assert_true(is_destination(c, "n3") && is_destination(c, "n4"));
    cd_free(c);
}

/* C6 */
static void a_destination_that_restarts_must_acknowledge_again(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    assert_true(is_destination(c, "n3"));
    cd_node(c, "n3")->is_deaf = true;
    uint64_t old_epoch = cd_node(c, "n3")->node_epoch;
    struct sl_target_set held = cd_node(c, "n3")->set;
    cd_restart(c, "n3");
    assert_false(is_destination(c, "n3"));
    /* The old process has a last word. */
    struct cd_node fresh = *cd_node(c, "n3");
    cd_node(c, "n3")->node_epoch = old_epoch;
    cd_node(c, "n3")->set = held;
    cd_heartbeat(c, "n3");
    cd_settle(c);
    *cd_node(c, "n3") = fresh;
    assert_false(is_destination(c, "n3"));
    cd_node(c, "n3")->is_deaf = false;
    cd_run(c, 6 * SL_S);
    assert_true(cd_holds(c, "n3", "n2") && is_destination(c, "n3"));
    cd_free(c);
}

/* C7, better: a node that is not ALIVE without a drain concerns itself alone */
static void a_node_that_stops_by_itself_freezes_nobody_else(void **state)
{
    (void)state;
    struct cd *c = cd_new(4, 1);
    cd_host(c, 0, "n2");
    cd_start(c);
    cd_node(c, "n3")->liveness = SL_LIVENESS_STOPPING;
    cd_heartbeat(c, "n3");
    cd_settle(c);
    assert_false(is_destination(c, "n3"));
    assert_true(is_destination(c, "n4"));
    cd_leave(c, "n2");
    cd_run(c, 3 * SL_S);
    assert_true(cd_node(c, "n1")->feeds[0].is_here || cd_node(c, "n4")->feeds[0].is_here);
    cd_free(c);
}

/* C8, C9 */
static void a_new_target_must_be_acknowledged_beside_the_clear_of_an_old_one(void **state)
{
    (void)state;
    struct cd *c = evacuating(4);
    cd_node(c, "n3")->is_deaf = true;
    cd_leave(c, "n2");
    (void)cd_drain_node(c, "n4");
    cd_run(c, 300 * SL_MS);
    assert_false(is_destination(c, "n3"));
    cd_node(c, "n3")->is_deaf = false;
    cd_run(c, 6 * SL_S);
    assert_true(cd_holds(c, "n3", "n4") && is_destination(c, "n3"));
    sl_assert_str(cd_phase(c, "n2"), "failed");
    cd_free(c);
}

/* C10 */
static void the_clear_of_an_old_target_does_not_touch_a_newer_one(void **state)
{
    (void)state;
    struct cd *c = evacuating(4);
    c->dispatchers[0][3] = 1;
    (void)cd_drain_node(c, "n4");
    cd_run(c, SL_S);
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "failed");
    assert_true(cd_holds(c, "n1", "n4") && cd_holds(c, "n3", "n4") && is_destination(c, "n3"));
    assert_false(is_destination(c, "n4"));
    cd_free(c);
}

/* ---- what it waits for ---- */

static void the_nodes_own_word_is_needed(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    cd_node(c, "n2")->readers = 1;
    cd_node(c, "n2")->unflushed_rows = 7;
    cd_heartbeat(c, "n2");
    (void)cd_drain_node(c, "n2");
    cd_run(c, 20 * SL_S);
    sl_assert_str(cd_blocker(c, "n2"), "SELF_REPORT");
    sl_assert_str(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2")->drain.blocker_detail,
                  "1 source reader, 7 unflushed rows");
    sl_assert_u64(cd_node(c, "n2")->stopping_requests, 0);
    cd_node(c, "n2")->readers = 0;
    cd_node(c, "n2")->unflushed_rows = 0;
    cd_run(c, 6 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_foreign_target_is_proved_by_the_reference_rule_and_marked_so(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_node(c, "n2")->kind = CD_FOREIGN;
    cd_host(c, 0, "n1");
    cd_start(c);
    cd_run(c, 6 * SL_S);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent) && intent.proof_reference);
    cd_free(c);
}

static void a_feed_of_a_foreign_maintainer_is_counted_as_the_reference_does(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_node(c, "n3")->kind = CD_FOREIGN;
    cd_host(c, 0, "n3");
    cd_start(c);
    c->dispatchers[0][1] = 2;
    cd_run(c, 6 * SL_S);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 6 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 2);
    c->dispatchers[0][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void what_is_observed_is_looked_at_within_a_moment(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->moves[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 2300 * SL_MS);
    sl_assert_str(cd_blocker(c, "n2"), "MOVES_IN_FLIGHT");
    c->moves[0][1] = 0;
    cd_statuses(c, "n1");
    cd_run(c, 50 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    cd_free(c);
}

static void without_a_destination_it_says_so(void **state)
{
    (void)state;
    struct cd *c = cd_new(2, 1);
    cd_host(c, 0, "n2");
    cd_start(c);
    cd_node(c, "n1")->liveness = SL_LIVENESS_DRAINING;
    cd_heartbeat(c, "n1");
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_str(cd_blocker(c, "n2"), "NO_DESTINATION");
    cd_join(c, "n3", 7000);
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_feed_whose_maintainer_is_still_starting_blocks(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    cd_node(c, "n1")->is_unbootstrapped = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_str(cd_blocker(c, "n2"), "FEED_NOT_BOOTSTRAPPED");
    cd_node(c, "n1")->is_unbootstrapped = false;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_target_that_is_silent_for_too_long_proves_nothing(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    cd_node(c, "n2")->is_mute = true;
    c->dispatchers[0][1] = 0;
    cd_run(c, 40 * SL_S);
    sl_assert_str(cd_blocker(c, "n2"), "TARGET_UNKNOWN");
    cd_node(c, "n2")->is_mute = false;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_drain_of_the_owner_waits_until_it_resigned(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    assert_false(sl_coordinator_wants_resign(c->coordinator));
    c->holds_store = true;
    (void)cd_drain_node(c, "n1");
    assert_false(sl_coordinator_wants_resign(c->coordinator)); /* its successor must find the intent */
    cd_release_store(c);
    cd_run(c, SL_S);
    assert_true(sl_coordinator_wants_resign(c->coordinator));
    sl_assert_str(cd_blocker(c, "n1"), "OWNER_RESIGNING");
    sl_assert_u64(cd_node(c, "n1")->draining_requests, 0);
    sl_assert_str(cd_phase(c, "n1"), "pending");
    cd_kill(c);
    cd_elect(c, "n2");
    cd_run(c, 20 * SL_S);
    assert_false(sl_coordinator_wants_resign(c->coordinator));
    sl_assert_u64(cd_drain_node(c, "n1"), 0);
    cd_free(c);
}

static void the_maintainers_of_a_target_that_waits_move_away_already(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n1");
    cd_run(c, 3 * SL_S);
    sl_assert_str(cd_phase(c, "n1"), "pending");
    assert_false(cd_node(c, "n1")->feeds[0].is_here);
    cd_free(c);
}

/* ---- undrain ---- */

static void undrain_makes_the_node_alive_in_a_new_epoch_and_clears_the_target(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    uint64_t node_epoch = cd_node(c, "n2")->node_epoch;
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "OK");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_ALIVE);
    sl_assert_u64(cd_node(c, "n2")->node_epoch, node_epoch + 1);
    sl_assert_u64(cd_node(c, "n2")->undrain_requests, 1);
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n2", "") && cd_holds(c, "n3", ""));
    assert_true(is_destination(c, "n2"));
    c->dispatchers[0][1] = 0;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void undrain_before_the_drain_began_needs_nobody(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "pending");
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "OK");
    cd_run(c, 100 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_u64(cd_node(c, "n2")->undrain_requests + cd_node(c, "n2")->target_requests, 0);
    cd_free(c);
}

static void undrain_is_answered_when_the_cancel_is_durable_not_an_earlier_write(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    cd_restart(c, "n2"); /* the new node epoch is about to be written */
    c->holds_store = true;
    cd_run(c, 700 * SL_MS);
    struct sl_request r = { .verb = SL_REQUEST_UNDRAIN, .node = SL_STR("n2") };
    uint64_t ticket = cd_ask(c, &r);
    assert_null(cd_reply(c, ticket));
    cd_release_store(c);
    const struct cd_reply *reply = cd_reply(c, ticket);
    assert_non_null(reply);
    sl_assert_str(sl_code_name(reply->code), "OK");
    assert_true(reply->drain.intent.cancelled);
    sl_assert_str(sl_drain_phase_name(reply->drain.intent.phase), "clearing");
    cd_free(c);
}

static void undrain_is_refused_from_stopping_on_also_while_it_is_being_stored(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    c->dispatchers[0][1] = 0;
    c->holds_store = true;
    cd_run(c, 6 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "REFUSED");
    cd_release_store(c);
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "REFUSED");
    cd_run(c, 12 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "REFUSED");
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "REFUSED");
    cd_free(c);
}

static void undrain_is_the_same_twice(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    cd_node(c, "n2")->is_deaf = true;
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "OK");
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "OK");
    cd_node(c, "n2")->is_deaf = false;
    cd_run(c, 7 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "OK");
    cd_free(c);
}

static void an_undrain_that_is_lost_is_asked_again_each_second(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    cd_node(c, "n2")->is_mute = true;
    (void)cd_undrain(c, "n2");
    cd_run(c, 900 * SL_MS);
    sl_assert_u64(cd_node(c, "n2")->undrain_requests, 1);
    cd_run(c, SL_S);
    sl_assert_u64(cd_node(c, "n2")->undrain_requests, 2);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    sl_assert_str(cd_blocker(c, "n2"), "LIVENESS");
    cd_node(c, "n2")->is_mute = false;
    cd_run(c, 7 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    cd_free(c);
}

static void an_undrained_node_takes_a_new_epoch_even_if_it_was_never_seen_draining(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    uint64_t node_epoch = cd_node(c, "n2")->node_epoch;
    cd_node(c, "n2")->is_deaf = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_ALIVE);
    (void)cd_undrain(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "clearing"); /* DRAINING may be on its way still */
    cd_node(c, "n2")->is_deaf = false;
    cd_run(c, 7 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_u64(cd_node(c, "n2")->node_epoch, node_epoch + 1);
    cd_free(c);
}

static void a_process_that_came_during_the_drain_and_was_asked_takes_a_new_epoch_too(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    c->holds_store = true;
    cd_restart(c, "n2");
    cd_node(c, "n2")->is_deaf = true; /* DRAINING in the new epoch is on its way */
    cd_run(c, 700 * SL_MS);
    uint64_t node_epoch = cd_node(c, "n2")->node_epoch;
    struct sl_request r = { .verb = SL_REQUEST_UNDRAIN, .node = SL_STR("n2") };
    (void)cd_ask(c, &r);
    cd_release_store(c);
    cd_node(c, "n2")->is_deaf = false;
    cd_run(c, 7 * SL_S);
    (void)cd_undrain(c, "n2");
    cd_run(c, 7 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_u64(cd_node(c, "n2")->node_epoch, node_epoch + 1);
    cd_free(c);
}

static void a_foreign_node_cannot_be_undrained(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_node(c, "n2")->kind = CD_FOREIGN;
    cd_host(c, 0, "n1");
    cd_start(c);
    c->dispatchers[0][1] = 1;
    cd_run(c, 6 * SL_S);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "REFUSED");
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    cd_free(c);
}

static void a_node_that_leaves_while_it_is_undrained_ends_the_drain(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    cd_node(c, "n2")->is_deaf = true;
    (void)cd_undrain(c, "n2");
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    cd_free(c);
}

static void a_drain_of_a_node_that_is_being_undrained_waits(void **state)
{
    (void)state;
    struct cd *c = evacuating(3);
    cd_node(c, "n2")->is_deaf = true;
    (void)cd_undrain(c, "n2");
    sl_assert_str(sl_code_name(cd_drain(c, "n2")), "BUSY");
    assert_true(cd_drain_node(c, "n2") >= 1);
    sl_assert_u64(cd_intent_count(c), 1);
    cd_free(c);
}

/* ---- deadline ---- */

static struct cd *with_deadline(enum cd_kind kind, bool cancels)
{
    struct cd *c = cd_new(3, 1);
    cd_node(c, "n2")->kind = kind;
    cd_host(c, 0, "n1");
    cd_start(c);
    cd_run(c, 6 * SL_S);
    c->dispatchers[0][1] = 1;
    struct sl_request r = {
        .verb = SL_REQUEST_DRAIN, .node = SL_STR("n2"), .deadline_ms = 5000, .cancel_at_deadline = cancels
    };
    sl_assert_str(sl_code_name(cd_reply(c, cd_ask(c, &r))->code), "OK");
    cd_run(c, 4 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    sl_assert_u64(c->events[SL_EV_DRAIN_LATE], 0);
    cd_run(c, 10 * SL_S);
    sl_assert_u64(c->events[SL_EV_DRAIN_LATE], 1);
    return c;
}

static void a_late_drain_is_told_once_and_goes_on(void **state)
{
    (void)state;
    struct cd *c = with_deadline(CD_SLUICE, false);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    c->dispatchers[0][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_late_drain_is_cancelled_if_that_was_asked(void **state)
{
    (void)state;
    struct cd *c = with_deadline(CD_SLUICE, true);
    sl_assert_str(cd_phase(c, "n2"), "cancelled");
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_ALIVE);
    cd_free(c);
}

static void a_late_drain_of_a_foreign_node_is_not_cancelled_because_it_cannot(void **state)
{
    (void)state;
    struct cd *c = with_deadline(CD_FOREIGN, true);
    sl_assert_str(cd_phase(c, "n2"), "evacuating");
    cd_free(c);
}

/* ---- the order to end ---- */

static struct cd *safe_to_stop(bool stop_node)
{
    struct cd *c = cd_setup(3, 1);
    struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = SL_STR("n2"), .stop_node = stop_node };
    (void)cd_ask(c, &r);
    for (int i = 0; i < 100 && strcmp(cd_phase(c, "n2"), "safe") != 0; i++)
        cd_run(c, 100 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    return c;
}

static void a_safe_node_is_ordered_to_end_until_it_has_left(void **state)
{
    (void)state;
    struct cd *c = safe_to_stop(true);
    cd_forget(c);
    cd_run(c, 3500 * SL_MS);
    assert_true(cd_node(c, "n2")->stop_orders >= 3 && cd_node(c, "n2")->stop_orders <= 4);
    cd_leave(c, "n2");
    cd_forget(c);
    cd_run(c, 8 * SL_S);
    sl_assert_u64(cd_node(c, "n2")->stop_orders, 0);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

static void a_drain_without_that_wish_ends_no_process(void **state)
{
    (void)state;
    struct cd *c = safe_to_stop(false);
    cd_run(c, 5 * SL_S);
    sl_assert_u64(cd_node(c, "n2")->stop_orders, 0);
    cd_free(c);
}

static void the_next_coordinator_gives_the_order_too(void **state)
{
    (void)state;
    struct cd *c = safe_to_stop(true);
    cd_kill(c);
    cd_forget(c);
    cd_elect(c, "n3");
    cd_run(c, 3 * SL_S);
    assert_true(cd_node(c, "n2")->stop_orders > 0);
    cd_free(c);
}

static void a_new_process_of_a_node_that_was_to_end_is_not_ordered_to(void **state)
{
    (void)state;
    struct cd *c = safe_to_stop(true);
    cd_forget(c);
    cd_restart(c, "n2");
    cd_node(c, "n2")->stop_orders = 0;
    cd_run(c, 8 * SL_S);
    sl_assert_u64(cd_node(c, "n2")->stop_orders, 0);
    cd_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draining_is_asked_once_per_second_until_it_is_seen),
        cmocka_unit_test(a_safe_node_is_ordered_to_end_until_it_has_left),
        cmocka_unit_test(a_drain_without_that_wish_ends_no_process),
        cmocka_unit_test(the_next_coordinator_gives_the_order_too),
        cmocka_unit_test(a_new_process_of_a_node_that_was_to_end_is_not_ordered_to),
        cmocka_unit_test(of_a_node_that_left_nothing_is_kept),
        cmocka_unit_test(a_target_that_restarts_is_asked_again_in_its_new_epoch),
        cmocka_unit_test(a_target_that_restarts_while_stopping_is_stored_is_not_stopped_on_old_evidence),
        cmocka_unit_test(a_coordinator_that_starts_asks_nothing_of_a_node),
        cmocka_unit_test(without_a_drain_nothing_is_asked_of_a_node),
        cmocka_unit_test(stopping_waits_for_the_maintainers_of_the_node),
        cmocka_unit_test(no_target_leaves_before_its_epoch_is_durable),
        cmocka_unit_test(stopping_is_durable_before_it_is_asked),
        cmocka_unit_test(only_nodes_that_acknowledged_the_target_are_destinations),
        cmocka_unit_test(a_destination_that_restarts_must_acknowledge_again),
        cmocka_unit_test(a_node_that_stops_by_itself_freezes_nobody_else),
        cmocka_unit_test(a_new_target_must_be_acknowledged_beside_the_clear_of_an_old_one),
        cmocka_unit_test(the_clear_of_an_old_target_does_not_touch_a_newer_one),
        cmocka_unit_test(the_nodes_own_word_is_needed),
        cmocka_unit_test(a_foreign_target_is_proved_by_the_reference_rule_and_marked_so),
        cmocka_unit_test(a_feed_of_a_foreign_maintainer_is_counted_as_the_reference_does),
        cmocka_unit_test(what_is_observed_is_looked_at_within_a_moment),
        cmocka_unit_test(without_a_destination_it_says_so),
        cmocka_unit_test(a_feed_whose_maintainer_is_still_starting_blocks),
        cmocka_unit_test(a_target_that_is_silent_for_too_long_proves_nothing),
        cmocka_unit_test(a_drain_of_the_owner_waits_until_it_resigned),
        cmocka_unit_test(the_maintainers_of_a_target_that_waits_move_away_already),
        cmocka_unit_test(undrain_makes_the_node_alive_in_a_new_epoch_and_clears_the_target),
        cmocka_unit_test(undrain_before_the_drain_began_needs_nobody),
        cmocka_unit_test(undrain_is_answered_when_the_cancel_is_durable_not_an_earlier_write),
        cmocka_unit_test(undrain_is_refused_from_stopping_on_also_while_it_is_being_stored),
        cmocka_unit_test(undrain_is_the_same_twice),
        cmocka_unit_test(an_undrain_that_is_lost_is_asked_again_each_second),
        cmocka_unit_test(an_undrained_node_takes_a_new_epoch_even_if_it_was_never_seen_draining),
        cmocka_unit_test(a_process_that_came_during_the_drain_and_was_asked_takes_a_new_epoch_too),
        cmocka_unit_test(a_foreign_node_cannot_be_undrained),
        cmocka_unit_test(a_node_that_leaves_while_it_is_undrained_ends_the_drain),
        cmocka_unit_test(a_drain_of_a_node_that_is_being_undrained_waits),
        cmocka_unit_test(a_late_drain_is_told_once_and_goes_on),
        cmocka_unit_test(a_late_drain_is_cancelled_if_that_was_asked),
        cmocka_unit_test(a_late_drain_of_a_foreign_node_is_not_cancelled_because_it_cannot),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
