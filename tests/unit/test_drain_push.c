/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

/*
 * Who is sent which targets, when they are cleared, and who is no destination meanwhile. The number before a test names
 * the fact of the reference's behaviour that it shows; "better" says that we do otherwise on purpose, and how.
 */

static struct cd *with_kind(uint32_t node_count, const char *node, enum cd_kind kind)
{
    struct cd *c = cd_new(node_count, 0);
    cd_node(c, node)->kind = kind;
    cd_start(c);
    cd_run(c, 6 * SL_S);
    cd_forget(c);
    return c;
}

static void hold(struct cd *c, const char *node, const char *target, uint64_t epoch)
{
    struct sl_drain_target t = { .epoch = epoch };
    assert_true(sl_node_id_set(&t.node, sl_str_of(target)));
    cd_node(c, node)->set = sl_target_set_of(&t);
}

static void say_target(struct cd *c, const char *node, const char *target, uint64_t epoch)
{
    hold(c, node, target, epoch);
    cd_heartbeat(c, node);
    cd_settle(c);
}

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

/* ---- late joiners ---- */

/* B1 */
static void a_late_peer_gets_no_target_before_it_answered(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    cd_run(c, 10 * SL_S);
    sl_assert_u64(cd_node(c, "n4")->target_requests, 0);
    assert_false(is_destination(c, "n4"));
    cd_node(c, "n4")->is_mute = false;
    cd_run(c, SL_S);
    assert_true(cd_holds(c, "n4", "n2"));
    assert_true(is_destination(c, "n4"));
    cd_free(c);
}

/* B1 */
static void a_late_peer_has_to_acknowledge_the_clear_too(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_join(c, "n4", 7000);
    cd_run(c, SL_S);
    cd_node(c, "n4")->is_mute = true;
    cd_leave(c, "n2");
    cd_run(c, 10 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    sl_assert_str(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2")->drain.blocker_detail, "node n4");
    cd_node(c, "n4")->is_mute = false;
    cd_run(c, 6 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

/* B2 */
static void a_late_legacy_peer_is_sent_nothing_and_waited_for_by_nobody(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 200 * SL_MS);
    cd_node(c, "n4")->kind = CD_LEGACY;
    cd_join(c, "n4", 7000);
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_node(c, "n4")->target_requests, 0);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    assert_false(is_destination(c, "n4"));
    cd_leave(c, "n2");
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    assert_true(is_destination(c, "n4"));
    cd_free(c);
}

/* ---- clearing ---- */

/* B3 */
static void without_peers_the_clear_ends_at_once(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_node(c, "n3")->is_mute = true;
    cd_leave(c, "n3");
    cd_leave(c, "n2");
    cd_run(c, 100 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

/* B4 */
static void the_clear_ends_with_the_last_acknowledgement(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_node(c, "n3")->is_mute = cd_node(c, "n4")->is_mute = true;
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    cd_node(c, "n3")->is_mute = false;
    cd_heartbeat(c, "n3");
    cd_run(c, 100 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    cd_node(c, "n4")->is_mute = false;
    cd_heartbeat(c, "n4");
    cd_run(c, 100 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

/* B5 */
static void who_has_not_acknowledged_the_clear_is_no_destination(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    assert_true(is_destination(c, "n3") && is_destination(c, "n4"));
    cd_node(c, "n3")->is_mute = cd_node(c, "n4")->is_mute = true;
    cd_leave(c, "n2");
    assert_false(is_destination(c, "n3") || is_destination(c, "n4"));
    cd_node(c, "n3")->is_mute = false;
    cd_heartbeat(c, "n3");
    cd_settle(c);
    assert_true(is_destination(c, "n3"));
    assert_false(is_destination(c, "n4"));
    cd_free(c);
}

/* B5, sharper: the target may still be on its way to a node that was sent it and has said nothing since */
static void who_was_sent_a_target_and_is_silent_is_no_destination(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    cd_node(c, "n3")->is_mute = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_leave(c, "n2");
    assert_false(is_destination(c, "n3"));
    cd_node(c, "n3")->is_mute = false;
    cd_heartbeat(c, "n3");
    cd_settle(c);
    assert_true(is_destination(c, "n3"));
    cd_free(c);
}

/* B12 */
static void nodes_that_leave_need_not_acknowledge(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_node(c, "n3")->is_mute = cd_node(c, "n4")->is_mute = true;
    cd_leave(c, "n2");
    cd_leave(c, "n3");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    cd_leave(c, "n4");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

/* B9 */
static void a_clear_that_was_lost_is_sent_again_after_5_s(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 1500 * SL_MS);
    uint64_t epoch = cd_epoch(c, "n2");
    cd_node(c, "n3")->is_deaf = true;
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    cd_node(c, "n3")->is_deaf = false;
    cd_forget(c);
    cd_run(c, 3900 * SL_MS);
    sl_assert_u64(cd_node(c, "n3")->target_requests, 0);
    cd_run(c, 200 * SL_MS);
    sl_assert_u64(cd_node(c, "n3")->target_requests, 1);
    assert_true(cd_holds(c, "n3", ""));
    sl_assert_u64(cd_node(c, "n3")->set.version, epoch);
    cd_free(c);
}

static void a_target_that_was_lost_is_sent_again_and_the_others_are_left_in_peace(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    cd_node(c, "n3")->is_deaf = true;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_blocker(c, "n2"), "PEER_NOT_ACKED");
    sl_assert_str(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2")->drain.blocker_detail, "node n3");
    cd_forget(c);
    cd_node(c, "n3")->is_deaf = false;
    cd_run(c, 30 * SL_S);
    sl_assert_u64(cd_node(c, "n3")->target_requests, 1);
    sl_assert_u64(cd_node(c, "n1")->target_requests, 0);
    cd_free(c);
}

/* ---- what others left behind ---- */

/* B6 */
static void targets_of_a_predecessor_are_cleared_at_the_start(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    hold(c, "n2", "n3", 10);
    cd_node(c, "n3")->is_mute = true;
    cd_start(c);
    assert_false(sl_coordinator_is_running(c->coordinator));
    assert_true(cd_holds(c, "n2", "n3"));
    cd_node(c, "n3")->is_mute = false;
    cd_run(c, 600 * SL_MS);
    assert_true(cd_holds(c, "n2", ""));
    sl_assert_u64(cd_node(c, "n2")->set.version, 10);
    cd_free(c);
}

/* B7 */
static void a_target_without_a_drain_is_cleared_and_blocks_its_holder_meanwhile(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    cd_node(c, "n2")->is_deaf = true;
    say_target(c, "n2", "n3", 10);
    assert_false(is_destination(c, "n2"));
    assert_true(is_destination(c, "n3"));
    cd_node(c, "n2")->is_deaf = false;
    cd_run(c, 6 * SL_S);
    assert_true(cd_holds(c, "n2", ""));
    assert_true(is_destination(c, "n2"));
    cd_free(c);
}

/* B8 */
static void an_old_word_of_a_target_changes_nothing(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 2 * SL_S);
    uint64_t epoch = cd_epoch(c, "n2");
    struct sl_target_set held = cd_node(c, "n3")->set;
    cd_forget(c);
    say_target(c, "n3", "n2", epoch - 1);
    cd_node(c, "n3")->set = held;
    cd_run(c, 100 * SL_MS);
    sl_assert_str(cd_blocker(c, "n2"), "DISPATCHERS_LEFT");
    sl_assert_u64(cd_epoch(c, "n2"), epoch);
    sl_assert_u64(cd_node(c, "n3")->target_requests, 0);
    assert_true(cd_holds(c, "n1", "n2") && is_destination(c, "n3"));
    cd_free(c);
}

/* B10 */
static void a_newer_target_that_shows_during_a_clear_is_cleared_with_its_own_epoch(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 500 * SL_MS);
    uint64_t epoch = cd_epoch(c, "n2");
    cd_node(c, "n3")->is_deaf = true;
    cd_leave(c, "n2");
    say_target(c, "n3", "n1", epoch + 1);
    cd_node(c, "n3")->is_deaf = false;
    cd_run(c, 6 * SL_S);
    assert_true(cd_holds(c, "n3", ""));
    sl_assert_u64(cd_node(c, "n3")->set.version, epoch + 1);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

/* B11 */
static void an_empty_target_of_a_newer_epoch_acknowledges_a_clear(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 500 * SL_MS);
    uint64_t epoch = cd_epoch(c, "n2");
    cd_node(c, "n3")->is_deaf = true;
    cd_leave(c, "n2");
    cd_run(c, 500 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "clearing");
    say_target(c, "n3", "", epoch + 1);
    cd_run(c, 100 * SL_MS);
    sl_assert_str(cd_phase(c, "n2"), "done");
    cd_free(c);
}

/* ---- epochs that cannot be accepted any more ---- */

static void a_drain_whose_epoch_a_late_peer_has_passed_gets_a_higher_one(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    uint64_t epoch = cd_epoch(c, "n2");
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    hold(c, "n4", "n1", epoch + 500);
    cd_node(c, "n4")->is_mute = false;
    cd_run(c, 3 * SL_S);
    assert_true(cd_epoch(c, "n2") > epoch + 500);
    assert_true(cd_holds(c, "n4", "n2") && cd_holds(c, "n1", "n2") && cd_holds(c, "n3", "n2"));
    c->dispatchers[0][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_foreign_late_peer_that_has_passed_the_epoch_gets_a_higher_one_too(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    uint64_t epoch = cd_epoch(c, "n2");
    cd_node(c, "n4")->kind = CD_FOREIGN;
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    hold(c, "n4", "", epoch + 500);
    cd_node(c, "n4")->is_mute = false;
    cd_run(c, 7 * SL_S);
    assert_true(cd_epoch(c, "n2") > epoch + 500);
    assert_true(cd_holds(c, "n4", "n2"));
    cd_free(c);
}

static void a_safe_node_stays_safe_while_its_epoch_is_raised_for_a_late_peer(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_join(c, "n4", 7000);
    say_target(c, "n4", "n1", cd_epoch(c, "n2") + 500);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_run(c, 7 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_str(cd_phase(c, "n2"), "safe");
    assert_true(cd_holds(c, "n4", "n2"));
    cd_free(c);
}

static void a_peer_at_the_last_epoch_there_is_is_named_as_the_obstacle(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    uint64_t epoch = cd_epoch(c, "n2");
    cd_join(c, "n4", 7000);
    say_target(c, "n4", "n1", UINT64_MAX);
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_epoch(c, "n2"), epoch);
    sl_assert_str(cd_blocker(c, "n2"), "PEER_NOT_ACKED");
    sl_assert_str(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2")->drain.blocker_detail,
                  "a node reports the last drain epoch there is: restart it");
    for (uint32_t i = 0; i < 3; i++)
        assert_true(c->nodes[i].set.version <= epoch);
    cd_leave(c, "n4");
    c->dispatchers[0][1] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    cd_free(c);
}

static void a_peer_that_never_accepts_causes_one_higher_epoch_per_second(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    uint64_t before = cd_epoch(c, "n2"), raises = 0;
    for (int i = 0; i < 1000; i++) {
        say_target(c, "n3", "", cd_epoch(c, "n2"));
        cd_run(c, 10 * SL_MS);
        raises += cd_epoch(c, "n2") != before;
        before = cd_epoch(c, "n2");
    }
    assert_true(raises >= 5 && raises <= 11);
    cd_free(c);
}

/* ---- several targets ---- */

static void epochs_are_issued_one_at_a_time_so_that_none_is_refused(void **state)
{
    (void)state;
    struct cd *c = cd_setup(5, 0);
    c->holds_store = true;
    struct sl_request r = { .verb = SL_REQUEST_DRAIN };
    static const char *const nodes[] = { "n2", "n3", "n4" };
    for (uint32_t i = 0; i < 3; i++) {
        r.node = sl_str_of(nodes[i]);
        (void)cd_ask(c, &r);
    }
    cd_release_store(c);
    cd_run(c, 600 * SL_MS);
    uint64_t epochs[] = { cd_epoch(c, "n2"), cd_epoch(c, "n3"), cd_epoch(c, "n4") };
    assert_true(epochs[0] > 0 && epochs[1] > epochs[0] && epochs[2] > epochs[1]);
    sl_assert_u64(cd_node(c, "n5")->set.count, 3);
    cd_run(c, 12 * SL_S);
    for (uint32_t i = 0; i < 3; i++) {
        sl_assert_str(cd_phase(c, nodes[i]), "safe");
        sl_assert_u64(cd_epoch(c, nodes[i]), epochs[i]);
    }
    cd_free(c);
}

static void one_target_is_cleared_while_the_others_stay(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 1);
    c->dispatchers[0][2] = 1;
    (void)cd_drain_node(c, "n2");
    (void)cd_drain_node(c, "n3");
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    sl_assert_u64(cd_drain_node(c, "n3"), 1);
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    assert_true(cd_holds(c, "n1", "n3") && cd_holds(c, "n4", "n3"));
    sl_assert_str(cd_phase(c, "n2"), "done");
    sl_assert_str(cd_phase(c, "n3"), "evacuating");
    cd_free(c);
}

static void a_foreign_late_peer_is_told_the_oldest_target_and_then_the_next(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 1);
    c->dispatchers[0][1] = c->dispatchers[0][2] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 500 * SL_MS);
    (void)cd_drain_node(c, "n3");
    cd_run(c, 500 * SL_MS);
    cd_node(c, "n5")->kind = CD_FOREIGN;
    cd_join(c, "n5", 7000);
    cd_run(c, SL_S);
    assert_true(cd_holds(c, "n5", "n2"));
    assert_false(is_destination(c, "n5"));
    cd_run(c, 12 * SL_S);
    sl_assert_str(cd_blocker(c, "n3"), "WAITS_FOR_DRAIN");
    cd_leave(c, "n2");
    cd_run(c, 12 * SL_S);
    assert_true(cd_holds(c, "n5", "n3"));
    sl_assert_str(cd_phase(c, "n3"), "evacuating");
    c->dispatchers[0][2] = 0;
    cd_run(c, 12 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n3"), 0);
    cd_free(c);
}

static void a_foreign_peer_need_not_clear_what_it_was_never_told(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 1);
    c->dispatchers[0][1] = c->dispatchers[0][2] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, 500 * SL_MS);
    (void)cd_drain_node(c, "n3");
    cd_run(c, 500 * SL_MS);
    cd_node(c, "n5")->kind = CD_FOREIGN;
    cd_join(c, "n5", 7000);
    cd_run(c, SL_S);
    cd_leave(c, "n3");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n3"), "failed");
    assert_true(cd_holds(c, "n5", "n2"));
    cd_free(c);
}

static void with_a_foreign_peer_two_that_are_asked_together_begin_one_after_the_other(void **state)
{
    (void)state;
    struct cd *c = with_kind(4, "n4", CD_FOREIGN);
    c->holds_store = true;
    struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = SL_STR("n3") };
    (void)cd_ask(c, &r);
    r.node = SL_STR("n2");
    (void)cd_ask(c, &r);
    cd_release_store(c);
    cd_run(c, 600 * SL_MS);
    sl_assert_str(cd_phase(c, "n3"), "safe");
    sl_assert_str(cd_phase(c, "n2"), "pending");
    cd_free(c);
}

static void the_lag_budget_travels_with_its_target(void **state)
{
    (void)state;
    struct cd *c = cd_setup(4, 0);
    struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = SL_STR("n2"), .lag_budget_ms = 250 };
    (void)cd_ask(c, &r);
    cd_run(c, 200 * SL_MS);
    (void)cd_drain(c, "n3");
    cd_run(c, 200 * SL_MS);
    sl_assert_u64(cd_node(c, "n4")->set.count, 2);
    sl_assert_u64(cd_node(c, "n4")->lag_budget_ms[0], 250);
    sl_assert_u64(cd_node(c, "n4")->lag_budget_ms[1], 0);
    cd_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_peer_gets_no_target_before_it_answered),
        cmocka_unit_test(a_late_peer_has_to_acknowledge_the_clear_too),
        cmocka_unit_test(a_late_legacy_peer_is_sent_nothing_and_waited_for_by_nobody),
        cmocka_unit_test(without_peers_the_clear_ends_at_once),
        cmocka_unit_test(the_clear_ends_with_the_last_acknowledgement),
        cmocka_unit_test(who_has_not_acknowledged_the_clear_is_no_destination),
        cmocka_unit_test(who_was_sent_a_target_and_is_silent_is_no_destination),
        cmocka_unit_test(nodes_that_leave_need_not_acknowledge),
        cmocka_unit_test(a_clear_that_was_lost_is_sent_again_after_5_s),
        cmocka_unit_test(a_target_that_was_lost_is_sent_again_and_the_others_are_left_in_peace),
        cmocka_unit_test(targets_of_a_predecessor_are_cleared_at_the_start),
        cmocka_unit_test(a_target_without_a_drain_is_cleared_and_blocks_its_holder_meanwhile),
        cmocka_unit_test(an_old_word_of_a_target_changes_nothing),
        cmocka_unit_test(a_newer_target_that_shows_during_a_clear_is_cleared_with_its_own_epoch),
        cmocka_unit_test(an_empty_target_of_a_newer_epoch_acknowledges_a_clear),
        cmocka_unit_test(a_drain_whose_epoch_a_late_peer_has_passed_gets_a_higher_one),
        cmocka_unit_test(a_foreign_late_peer_that_has_passed_the_epoch_gets_a_higher_one_too),
        cmocka_unit_test(a_safe_node_stays_safe_while_its_epoch_is_raised_for_a_late_peer),
        cmocka_unit_test(a_peer_at_the_last_epoch_there_is_is_named_as_the_obstacle),
        cmocka_unit_test(a_peer_that_never_accepts_causes_one_higher_epoch_per_second),
        cmocka_unit_test(epochs_are_issued_one_at_a_time_so_that_none_is_refused),
        cmocka_unit_test(one_target_is_cleared_while_the_others_stay),
        cmocka_unit_test(a_foreign_late_peer_is_told_the_oldest_target_and_then_the_next),
        cmocka_unit_test(a_foreign_peer_need_not_clear_what_it_was_never_told),
        cmocka_unit_test(with_a_foreign_peer_two_that_are_asked_together_begin_one_after_the_other),
        cmocka_unit_test(the_lag_budget_travels_with_its_target),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
