/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

/* The coordinator asks every node before it decides anything, and again whenever a process was replaced. */

static bool is_running(const struct cd *c)
{
    return sl_coordinator_is_running(c->coordinator);
}

static void say_status(struct cd *c, const char *node)
{
    cd_statuses(c, node);
    cd_settle(c);
}

static void every_node_is_asked_and_all_must_answer(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    cd_node(c, "n2")->is_mute = cd_node(c, "n3")->is_mute = true;
    cd_start(c);
    for (uint32_t i = 0; i < 3; i++)
        sl_assert_u64(c->nodes[i].bootstrap_requests, 1);
    assert_false(is_running(c));
    cd_node(c, "n2")->is_mute = false;
    cd_run(c, 600 * SL_MS);
    assert_false(is_running(c));
    cd_node(c, "n3")->is_mute = false;
    cd_run(c, 600 * SL_MS);
    assert_true(is_running(c));
    cd_free(c);
}

static void a_request_carries_the_version_of_the_leadership(void **state)
{
    (void)state;
    struct cd *c = cd_new(2, 0);
    c->opts.version = 77;
    cd_start(c);
    sl_assert_i64(cd_node(c, "n1")->version, 77);
    sl_assert_i64(cd_node(c, "n2")->version, 77);
    cd_free(c);
}

static void only_who_has_not_answered_is_asked_again_each_half_second(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 0);
    cd_node(c, "n3")->is_deaf = true;
    cd_start(c);
    cd_node(c, "n3")->is_deaf = false;
    cd_node(c, "n3")->is_mute = true;
    cd_forget(c);
    cd_run(c, 400 * SL_MS);
    sl_assert_u64(cd_node(c, "n3")->bootstrap_requests, 0);
    cd_run(c, 200 * SL_MS);
    sl_assert_u64(cd_node(c, "n3")->bootstrap_requests, 1);
    cd_run(c, 2 * SL_S);
    sl_assert_u64(cd_node(c, "n3")->bootstrap_requests, 5);
    sl_assert_u64(cd_node(c, "n1")->bootstrap_requests + cd_node(c, "n2")->bootstrap_requests, 0);
    cd_free(c);
}

static void the_store_must_have_answered_too(void **state)
{
    (void)state;
    struct cd *c = cd_new(2, 1);
    c->holds_store = true;
    cd_start(c);
    cd_run(c, 10 * SL_S);
    assert_false(is_running(c));
    cd_release_store(c);
    assert_true(is_running(c));
    cd_free(c);
}

static void a_silent_node_that_leaves_completes_the_bootstrap(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_node(c, "n3")->is_deaf = true;
    cd_start(c);
    cd_run(c, 5 * SL_S);
    assert_false(is_running(c));
    cd_leave(c, "n3");
    assert_true(is_running(c));
    cd_run(c, 2 * SL_S);
    assert_true(cd_node(c, "n1")->feeds[0].is_here || cd_node(c, "n2")->feeds[0].is_here);
    cd_free(c);
}

static void a_node_that_joins_meanwhile_is_asked_and_waited_for(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_node(c, "n3")->is_deaf = true;
    cd_start(c);
    cd_node(c, "n4")->is_mute = true;
    cd_join(c, "n4", 7000);
    sl_assert_u64(cd_node(c, "n4")->bootstrap_requests, 1);
    cd_node(c, "n3")->is_deaf = false;
    cd_run(c, SL_S);
    assert_false(is_running(c));
    cd_node(c, "n4")->is_mute = false;
    cd_run(c, SL_S);
    assert_true(is_running(c));
    cd_free(c);
}

static void a_node_that_joins_later_holds_up_nobody(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 1);
    cd_node(c, "n3")->is_mute = true;
    cd_join(c, "n3", 7000);
    assert_true(is_running(c));
    say_status(c, "n1");
    sl_assert_u64(c->refusals[SL_REFUSE_NOT_BOOTSTRAPPED], 0);
    cd_free(c);
}

/* F1: the answers are those of the nodes that are members */
static void the_answer_of_a_node_that_left_is_forgotten(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_host(c, 0, "n2");
    cd_node(c, "n3")->is_deaf = true;
    cd_start(c);
    cd_leave(c, "n2");
    cd_node(c, "n3")->is_deaf = false;
    cd_run(c, 3 * SL_S);
    assert_true(is_running(c));
    assert_true(cd_node(c, "n1")->feeds[0].is_here || cd_node(c, "n3")->feeds[0].is_here);
    cd_free(c);
}

/* F4 */
static void a_status_of_a_node_that_has_not_answered_is_refused(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 1);
    struct cd_node *n3 = cd_node(c, "n3");
    n3->is_deaf = true;
    cd_join(c, "n3", 7000);
    /* It speaks as if a predecessor had asked it. */
    n3->version = 1;
    cd_host(c, 0, "n3");
    for (uint32_t i = 0; i < sizeof n3->coordinator; i++)
        n3->coordinator[i] = cd_node(c, "n1")->name[i];
    say_status(c, "n3");
    sl_assert_u64(c->refusals[SL_REFUSE_NOT_BOOTSTRAPPED], 1);
    sl_assert_u64(n3->removes, 0);
    n3->is_deaf = false;
    cd_run(c, SL_S);
    say_status(c, "n3");
    sl_assert_u64(c->refusals[SL_REFUSE_NOT_BOOTSTRAPPED], 1);
    assert_true(n3->removes > 0); /* heard now: the feed has another owner */
    cd_free(c);
}

static void statuses_to_a_coordinator_that_starts_are_passed_over(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_host(c, 0, "n1");
    cd_node(c, "n3")->is_deaf = true;
    cd_start(c);
    say_status(c, "n1");
    sl_assert_u64(c->refusals[SL_REFUSE_NOT_BOOTSTRAPPED], 0);
    cd_free(c);
}

/* Weak point 9 */
static void a_process_that_was_replaced_is_asked_again_at_once(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    sl_assert_u64(cd_node(c, "n3")->bootstrap_requests, 0);
    cd_node(c, "n3")->is_mute = true;
    cd_restart(c, "n3");
    sl_assert_u64(cd_node(c, "n3")->bootstrap_requests, 0);
    cd_node(c, "n3")->is_mute = false;
    cd_heartbeat(c, "n3");
    cd_settle(c);
    sl_assert_u64(cd_node(c, "n3")->bootstrap_requests, 1);
    (void)cd_drain_node(c, "n2");
    cd_run(c, 6 * SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0); /* its capability is known again */
    cd_free(c);
}

static void a_process_that_was_replaced_while_the_coordinator_starts_is_judged_by_its_last_answer(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 1);
    cd_host(c, 0, "n2");
    cd_node(c, "n3")->is_deaf = true;
    cd_start(c);
    cd_restart(c, "n2"); /* it hosts nothing any more */
    cd_node(c, "n3")->is_deaf = false;
    cd_run(c, 3 * SL_S);
    assert_true(is_running(c));
    uint32_t hosts = 0;
    for (uint32_t i = 0; i < 3; i++)
        hosts += c->nodes[i].feeds[0].is_here;
    sl_assert_u64(hosts, 1);
    cd_free(c);
}

/* F9 */
static void what_nodes_run_is_taken_over(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 4);
    for (uint32_t feed = 0; feed < 4; feed++)
        cd_host(c, feed, feed % 2 ? "n2" : "n3");
    cd_start(c);
    cd_run(c, 3 * SL_S);
    for (uint32_t i = 0; i < 3; i++)
        sl_assert_u64(c->nodes[i].adds + c->nodes[i].removes, 0);
    cd_free(c);
}

static void old_words_are_refused(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 0);
    cd_node(c, "n2")->node_epoch--;
    cd_heartbeat(c, "n2");
    cd_settle(c);
    sl_assert_u64(c->refusals[SL_REFUSE_STALE_VERSION], 1);
    cd_free(c);
}

/* The drains' word on destinations comes before the first placement. */
static void nothing_is_placed_on_a_node_that_a_predecessor_was_draining(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 3);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    cd_kill(c);
    cd_node(c, "n1")->feeds[1].is_here = false;
    cd_host(c, 1, "n3");
    cd_node(c, "n1")->feeds[2].is_here = false; /* absent: to be placed at once, best where nothing is */
    cd_node(c, "n2")->liveness = SL_LIVENESS_ALIVE;
    cd_forget(c);
    cd_elect(c, "n1");
    cd_run(c, 3 * SL_S);
    sl_assert_u64(cd_node(c, "n2")->adds, 0);
    sl_assert_u64(cd_node(c, "n1")->adds + cd_node(c, "n3")->adds, 1);
    cd_free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_is_asked_and_all_must_answer),
        cmocka_unit_test(a_request_carries_the_version_of_the_leadership),
        cmocka_unit_test(only_who_has_not_answered_is_asked_again_each_half_second),
        cmocka_unit_test(the_store_must_have_answered_too),
        cmocka_unit_test(a_silent_node_that_leaves_completes_the_bootstrap),
        cmocka_unit_test(a_node_that_joins_meanwhile_is_asked_and_waited_for),
        cmocka_unit_test(a_node_that_joins_later_holds_up_nobody),
        cmocka_unit_test(the_answer_of_a_node_that_left_is_forgotten),
        cmocka_unit_test(a_status_of_a_node_that_has_not_answered_is_refused),
        cmocka_unit_test(statuses_to_a_coordinator_that_starts_are_passed_over),
        cmocka_unit_test(a_process_that_was_replaced_is_asked_again_at_once),
        cmocka_unit_test(a_process_that_was_replaced_while_the_coordinator_starts_is_judged_by_its_last_answer),
        cmocka_unit_test(what_nodes_run_is_taken_over),
        cmocka_unit_test(old_words_are_refused),
        cmocka_unit_test(nothing_is_placed_on_a_node_that_a_predecessor_was_draining),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
