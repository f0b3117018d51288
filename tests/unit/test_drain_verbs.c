/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

/* Our own verbs for drains: start, join, plan, show, list. */

static void a_drain_is_accepted_when_its_intent_is_durable(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->holds_store = true;
    struct sl_request r = { .verb = SL_REQUEST_DRAIN,
                            .node = SL_STR("n2"),
                            .reason = SL_STR("upgrade"),
                            .actor = SL_STR("ann"),
                            .lag_budget_ms = 500,
                            .deadline_ms = 60000,
                            .stop_node = true };
    uint64_t first = cd_ask(c, &r), second = cd_ask(c, &r);
    assert_null(cd_reply(c, first));
    assert_null(cd_reply(c, second));
    cd_release_store(c);
    sl_assert_str(sl_code_name(cd_reply(c, first)->code), "OK");
    sl_assert_str(sl_code_name(cd_reply(c, second)->code), "OK");
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    sl_assert_str(intent.reason, "upgrade");
    sl_assert_str(intent.actor, "ann");
    sl_assert_u64(intent.lag_budget_ms, 500);
    sl_assert_u64(intent.deadline_wall_ms - intent.created_wall_ms, 60000);
    assert_true(intent.stop_node);
    sl_assert_u64(cd_intent_count(c), 1);
    cd_free(c);
}

static void asking_again_joins_and_other_options_show_the_running_ones(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = SL_STR("n2"), .lag_budget_ms = 500 };
    sl_assert_str(sl_code_name(cd_reply(c, cd_ask(c, &r))->code), "OK");
    sl_assert_str(sl_code_name(cd_reply(c, cd_ask(c, &r))->code), "OK");
    sl_assert_str(sl_code_name(cd_drain(c, "n2")), "OK");
    r.lag_budget_ms = 501;
    const struct cd_reply *other = cd_reply(c, cd_ask(c, &r));
    sl_assert_str(sl_code_name(other->code), "EXISTS");
    sl_assert_u64(other->drain.intent.lag_budget_ms, 500);
    sl_assert_u64(cd_intent_count(c), 1);
    cd_free(c);
}

static void a_reason_that_cannot_be_stored_is_left_out(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    struct sl_request r = {
        .verb = SL_REQUEST_DRAIN, .node = SL_STR("n2"), .reason = SL_STR("a\nb"), .actor = SL_STR("\xff\xfe")
    };
    sl_assert_str(sl_code_name(cd_reply(c, cd_ask(c, &r))->code), "OK");
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    sl_assert_str(intent.reason, "");
    sl_assert_str(intent.actor, "");
    cd_free(c);
}

static void nodes_and_drains_are_found_by_a_unique_prefix(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    sl_assert_str(sl_code_name(cd_drain(c, "n")), "NOT_FOUND");
    sl_assert_str(sl_code_name(cd_drain(c, "n2")), "OK");
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    struct sl_request r = { .verb = SL_REQUEST_DRAIN_SHOW, .drain = { intent.id, 4 } };
    const struct cd_reply *shown = cd_reply(c, cd_ask(c, &r));
    sl_assert_str(sl_code_name(shown->code), "OK");
    sl_assert_str(shown->drain.intent.id, intent.id);
    r.drain = SL_STR("zzz");
    sl_assert_str(sl_code_name(cd_reply(c, cd_ask(c, &r))->code), "NOT_FOUND");
    cd_free(c);
}

static void a_dry_run_shows_the_plan_and_opens_nothing(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 2);
    struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = SL_STR("n1"), .dry_run = true };
    const struct cd_reply *plan = cd_reply(c, cd_ask(c, &r));
    sl_assert_str(sl_code_name(plan->code), "OK");
    sl_assert_u64(plan->plan_count, 3);
    sl_assert_u64(cd_intent_count(c), 0);
    cd_leave(c, "n2");
    cd_leave(c, "n3");
    plan = cd_reply(c, cd_ask(c, &r));
    sl_assert_str(sl_code_name(plan->code), "REFUSED");
    cd_free(c);
}

static void a_view_says_what_is_left(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 2);
    c->dispatchers[0][1] = 4;
    c->dispatchers[1][1] = 2;
    c->is_silent_feed[1] = true;
    (void)cd_drain(c, "n2");
    cd_run(c, 6 * SL_S);
    const struct cd_reply *r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    sl_assert_u64(r->drain.dispatchers, 6); /* the node itself knows of those of the silent feed */
    sl_assert_u64(r->drain.feeds_unsettled, 1);
    sl_assert_u64(r->drain.peers_unacked, 0);
    sl_assert_u64(r->drain.operators + r->drain.stuck, 0);
    assert_false(r->drain.safe_to_stop);
    c->moves[0][1] = 2;
    c->stuck[0][1] = 1;
    cd_run(c, 2 * SL_S);
    r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    sl_assert_u64(r->drain.moves, 2);
    sl_assert_u64(r->drain.stuck, 1);
    c->dispatchers[0][1] = 1;
    cd_run(c, 2 * SL_S);
    r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    sl_assert_u64(r->drain.dispatchers_at_start, 6);
    sl_assert_u64(r->drain.moves_done, 3);
    sl_assert_u64(cd_request(c, SL_REQUEST_DRAIN_LIST, "")->drain_count, 1);
    cd_free(c);
}

static void a_view_knows_at_once_how_many_dispatchers_there_were(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 5;
    cd_heartbeat(c, "n2");
    cd_settle(c);
    sl_assert_str(sl_code_name(cd_drain(c, "n2")), "OK");
    const struct cd_reply *r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    sl_assert_u64(r->drain.dispatchers_at_start, 5);
    sl_assert_u64(r->drain.moves_done, 0);
    c->dispatchers[0][1] = 0;
    cd_run(c, 8 * SL_S);
    r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    assert_true(r->drain.safe_to_stop);
    sl_assert_u64(r->drain.moves_done, 5);
    cd_free(c);
}

static void a_lag_is_known_while_a_feed_moves_that_has_said_it(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 5;
    c->is_silent_feed[0] = true;
    (void)cd_drain(c, "n2");
    cd_run(c, 2 * SL_S);
    assert_false(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2")->drain.is_lag_known);
    c->is_silent_feed[0] = false;
    cd_run(c, 6 * SL_S);
    assert_true(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2")->drain.is_lag_known);
    c->dispatchers[0][1] = 0;
    cd_run(c, 8 * SL_S);
    assert_false(cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2")->drain.is_lag_known);
    cd_free(c);
}

static void a_view_names_maintainers_that_are_being_moved(void **state)
{
    (void)state;
    struct cd *c = cd_new(2, 1);
    cd_host(c, 0, "n2");
    cd_start(c);
    cd_node(c, "n2")->is_mute = true; /* it stops its maintainer, and nobody hears that */
    (void)cd_drain(c, "n2");
    cd_run(c, 3 * SL_S);
    const struct cd_reply *r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    sl_assert_u64(r->drain.maintainers, 1);
    sl_assert_u64(r->drain.operators, 1);
    cd_free(c);
}

static void a_view_of_a_safe_or_ended_drain_has_no_blocker(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->moves[0][1] = 1;
    c->stuck[0][1] = 1;
    (void)cd_drain(c, "n2");
    cd_run(c, 6 * SL_S);
    sl_assert_str(cd_blocker(c, "n2"), "MOVE_STUCK");
    c->moves[0][1] = c->stuck[0][1] = 0;
    cd_run(c, 12 * SL_S);
    const struct cd_reply *r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    assert_true(r->drain.safe_to_stop);
    sl_assert_str(sl_blocker_name(r->drain.blocker), "NONE");
    cd_node(c, "n3")->is_mute = true;
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    assert_true(r->drain.safe_to_stop);
    sl_assert_str(sl_blocker_name(r->drain.blocker), "PEER_NOT_ACKED");
    cd_node(c, "n3")->is_mute = false;
    cd_run(c, 6 * SL_S);
    r = cd_request(c, SL_REQUEST_DRAIN_SHOW, "n2");
    sl_assert_str(sl_drain_phase_name(r->drain.intent.phase), "done");
    sl_assert_str(sl_blocker_name(r->drain.blocker), "NONE");
    cd_free(c);
}

static void requests_to_a_coordinator_that_starts_are_not_ready(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    cd_node(c, "n3")->is_deaf = true;
    c->holds_store = true;
    cd_start(c);
    sl_assert_str(sl_code_name(cd_drain(c, "n2")), "NOT_READY");
    sl_assert_str(sl_code_name(cd_undrain(c, "n2")), "NOT_READY");
    sl_assert_str(sl_code_name(cd_request(c, SL_REQUEST_DRAIN_LIST, "")->code), "NOT_READY");
    cd_release_store(c);
    sl_assert_str(sl_code_name(cd_request(c, SL_REQUEST_DRAIN_LIST, "")->code), "OK");
    cd_free(c);
}

static void a_coordinator_that_stops_answers_who_waits(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    c->holds_store = true;
    struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = SL_STR("n2") };
    uint64_t ticket = cd_ask(c, &r);
    sl_coordinator_stop(c->coordinator, c->now, &c->out);
    cd_settle(c);
    sl_assert_str(sl_code_name(cd_reply(c, ticket)->code), "NOT_OWNER");
    sl_assert_str(sl_code_name(cd_drain(c, "n2")), "NOT_OWNER");
    sl_assert_i64(sl_coordinator_deadline(c->coordinator), SL_NEVER);
    cd_free(c);
}

static void too_many_that_wait_for_the_store_are_told_to_ask_again(void **state)
{
    (void)state;
    struct cd *c = cd_setup(8, 0);
    c->holds_store = true;
    static const char *const nodes[] = { "n2", "n3", "n4", "n5", "n6" };
    uint32_t busy = 0;
    for (uint32_t i = 0; i < 45; i++) {
        struct sl_request r = { .verb = SL_REQUEST_DRAIN, .node = sl_str_of(nodes[i % 5]) };
        const struct cd_reply *reply = cd_reply(c, cd_ask(c, &r));
        busy += reply != NULL;
        assert_true(!reply || reply->code == SL_BUSY);
    }
    sl_assert_u64(busy, 13);
    cd_release_store(c);
    sl_assert_u64(c->reply_count, 45);
    cd_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drain_is_accepted_when_its_intent_is_durable),
        cmocka_unit_test(asking_again_joins_and_other_options_show_the_running_ones),
        cmocka_unit_test(a_reason_that_cannot_be_stored_is_left_out),
        cmocka_unit_test(nodes_and_drains_are_found_by_a_unique_prefix),
        cmocka_unit_test(a_dry_run_shows_the_plan_and_opens_nothing),
        cmocka_unit_test(a_view_says_what_is_left),
        cmocka_unit_test(a_view_knows_at_once_how_many_dispatchers_there_were),
        cmocka_unit_test(a_lag_is_known_while_a_feed_moves_that_has_said_it),
        cmocka_unit_test(a_view_names_maintainers_that_are_being_moved),
        cmocka_unit_test(a_view_of_a_safe_or_ended_drain_has_no_blocker),
        cmocka_unit_test(requests_to_a_coordinator_that_starts_are_not_ready),
        cmocka_unit_test(a_coordinator_that_stops_answers_who_waits),
        cmocka_unit_test(too_many_that_wait_for_the_store_are_told_to_ask_again),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
