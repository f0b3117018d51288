/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coordinator_driver.h"
#include "tests/support/sl_test.h"

#include <string.h>

/* The coordinator as a whole: what it routes where, and in which order. */

static void nodes_are_listed_with_what_is_known_of_them(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 3;
    cd_node(c, "n3")->is_mute = true;
    cd_run(c, 40 * SL_S);
    const struct cd_reply *r = cd_request(c, SL_REQUEST_NODE_LIST, "");
    sl_assert_str(sl_code_name(r->code), "OK");
    sl_assert_u64(r->node_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct sl_node_view *v = &r->nodes[i];
        bool is_n1 = strcmp(v->capture.id.text, "n1") == 0, is_n3 = strcmp(v->capture.id.text, "n3") == 0;
        assert_true(v->observed && v->is_owner == is_n1 && v->unknown == is_n3);
        sl_assert_u64(v->maintainers, is_n1 ? 1 : 0);
        sl_assert_u64(v->dispatchers, strcmp(v->capture.id.text, "n2") == 0 ? 3 : 0);
    }
    cd_free(c);
}

static bool is_unknown(struct cd *c, const char *node)
{
    const struct cd_reply *r = cd_request(c, SL_REQUEST_NODE_LIST, "");
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (strcmp(r->nodes[i].capture.id.text, node) == 0)
            return r->nodes[i].unknown;
    }
    fail_msg("%s is not in the list", node);
    return false;
}

static void the_silence_of_a_node_is_counted_from_its_joining(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 0);
    cd_node(c, "n3")->is_mute = true;
    cd_join(c, "n3", 7000);
    cd_run(c, 29 * SL_S);
    assert_false(is_unknown(c, "n3"));
    cd_run(c, 2 * SL_S);
    assert_true(is_unknown(c, "n3"));
    cd_free(c);
}

static void a_coordinator_that_starts_lists_nodes_and_refuses_feeds(void **state)
{
    (void)state;
    struct cd *c = cd_new(2, 1);
    cd_node(c, "n2")->is_deaf = true;
    cd_start(c);
    sl_assert_u64(cd_request(c, SL_REQUEST_NODE_LIST, "")->node_count, 2);
    sl_assert_str(sl_code_name(cd_request(c, SL_REQUEST_FEED_LIST, "")->code), "NOT_READY");
    cd_node(c, "n2")->is_deaf = false;
    cd_run(c, SL_S);
    sl_assert_str(sl_code_name(cd_request(c, SL_REQUEST_FEED_LIST, "")->code), "OK");
    cd_free(c);
}

static void it_is_the_node_that_resigns(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 0);
    sl_assert_str(sl_code_name(cd_request(c, SL_REQUEST_RESIGN, "")->code), "REFUSED");
    cd_free(c);
}

/* 2.3: drains judge completeness before nodes and feeds forget the node. */
static void what_a_node_was_worth_is_judged_before_it_is_forgotten(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    (void)cd_drain_node(c, "n2");
    while (cd_node(c, "n2")->liveness != SL_LIVENESS_STOPPING) {
        cd_run(c, SL_MS);
        c->holds_store = strcmp(cd_phase(c, "n2"), "stopping") == 0;
    }
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "stopping"); /* proved, and about to be stored */
    cd_leave(c, "n2");
    sl_assert_u64(cd_drain_node(c, "n2"), 1);
    cd_release_store(c);
    cd_run(c, SL_S);
    sl_assert_u64(cd_drain_node(c, "n2"), 0);
    struct sl_intent intent;
    assert_true(cd_intent(c, "n2", &intent));
    sl_assert_i64(intent.ended_from, SL_DRAIN_SAFE);
    cd_free(c);
}

static void a_node_that_leaves_stopping_but_unproved_has_failed(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 1);
    c->dispatchers[0][1] = 1;
    (void)cd_drain_node(c, "n2");
    cd_run(c, SL_S);
    c->dispatchers[0][1] = 0;
    c->holds_store = true;
    cd_run(c, 6 * SL_S);
    cd_node(c, "n2")->is_mute = true;
    cd_release_store(c);
    sl_assert_str(cd_phase(c, "n2"), "stopping");
    sl_assert_i64(cd_node(c, "n2")->liveness, SL_LIVENESS_STOPPING);
    cd_leave(c, "n2");
    cd_run(c, SL_S);
    sl_assert_str(cd_phase(c, "n2"), "failed");
    cd_free(c);
}

static void feeds_of_a_lost_node_are_placed_again(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 2);
    cd_host(c, 0, "n3");
    cd_host(c, 1, "n3");
    cd_start(c);
    cd_leave(c, "n3");
    cd_run(c, 3 * SL_S);
    for (uint32_t feed = 0; feed < 2; feed++)
        assert_true(cd_node(c, "n1")->feeds[feed].is_here != cd_node(c, "n2")->feeds[feed].is_here);
    cd_free(c);
}

/* The new process has no coordinator, so it says nothing before it is asked; to the store it is the same node. */
static void a_node_that_starts_again_in_silence_is_asked_again_and_its_feeds_are_placed(void **state)
{
    (void)state;
    struct cd *c = cd_new(3, 2);
    cd_host(c, 0, "n3");
    cd_host(c, 1, "n3");
    cd_start(c);
    struct cd_node *n3 = cd_node(c, "n3");
    n3->is_mute = true;
    cd_restart(c, "n3");
    n3->is_mute = false;
    n3->version = 0;
    n3->coordinator[0] = '\0';
    cd_forget(c);
    cd_run(c, 15 * SL_S);
    assert_true(n3->bootstrap_requests > 0);
    sl_assert_i64(n3->version, cd_node(c, "n1")->version);
    for (uint32_t feed = 0; feed < 2; feed++) {
        bool is_at_n1 = cd_node(c, "n1")->feeds[feed].is_here, is_at_n2 = cd_node(c, "n2")->feeds[feed].is_here;
        assert_true((is_at_n1 ? 1 : 0) + (is_at_n2 ? 1 : 0) + (n3->feeds[feed].is_here ? 1 : 0) == 1);
    }
    cd_free(c);
}

static void a_drain_goes_on_when_its_target_starts_again_in_silence(void **state)
{
    (void)state;
    struct cd *c = cd_setup(3, 2);
    struct cd_node *n3 = cd_node(c, "n3");
    c->dispatchers[0][cd_index(c, "n3")] = 1; /* it does not become safe */
    (void)cd_drain_node(c, "n3");
    cd_run(c, SL_S);
    n3->is_mute = true;
    cd_restart(c, "n3");
    n3->is_mute = false;
    n3->version = 0;
    n3->coordinator[0] = '\0';
    cd_forget(c);
    cd_run(c, 30 * SL_S);
    assert_true(n3->bootstrap_requests > 0);
    sl_assert_u64(n3->adds, 0);
    assert_true(cd_holds(c, "n3", "n3"));
    cd_free(c);
}

static void many_nodes_that_change_at_once_are_one_step(void **state)
{
    (void)state;
    struct cd *c = cd_setup(5, 1);
    (void)cd_drain_node(c, "n2");
    (void)cd_drain_node(c, "n3");
    cd_run(c, SL_S);
    cd_node(c, "n2")->is_member = cd_node(c, "n4")->is_member = false;
    cd_leave(c, "n3");
    cd_run(c, 2 * SL_S);
    sl_assert_str(cd_phase(c, "n2"), "done");
    sl_assert_str(cd_phase(c, "n3"), "done");
    assert_true(cd_holds(c, "n1", "") && cd_holds(c, "n5", ""));
    cd_free(c);
}

static void messages_for_others_are_not_handled(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 0);
    Pb__LogCoordinatorResolvedTsResponse known = PB__LOG_COORDINATOR_RESOLVED_TS_RESPONSE__INIT;
    Pb__CheckpointTsMessage other = PB__CHECKPOINT_TS_MESSAGE__INIT;
    sl_node_ref n2 = cd_ref(c, "n2");
    sl_assert_i64(sl_coordinator_on_message(c->coordinator, c->now, n2, SL_MSG_LOG_COORDINATOR_RESOLVED_TS_RESPONSE,
                                            &known.base, &c->out),
                  SL_REFUSE_NONE);
    sl_assert_i64(
        sl_coordinator_on_message(c->coordinator, c->now, n2, SL_MSG_CHECKPOINT_TS_MESSAGE, &other.base, &c->out),
        SL_REFUSE_NOT_HANDLED);
    cd_settle(c);
    cd_free(c);
}

static void a_stopped_coordinator_does_nothing_any_more(void **state)
{
    (void)state;
    struct cd *c = cd_setup(2, 1);
    c->holds_store = true;
    (void)cd_drain_node(c, "n2");
    sl_coordinator_stop(c->coordinator, c->now, &c->out);
    cd_settle(c);
    cd_forget(c);
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    const struct sl_store_result late = { .id = c->ops[c->op_head].op.id, .outcome = SL_STORE_OK, .succeeded = true };
    sl_assert_i64(sl_coordinator_on_message(c->coordinator, c->now, cd_ref(c, "n2"), SL_MSG_NODE_HEARTBEAT_REQUEST,
                                            &hb.base, &c->out),
                  SL_REFUSE_NOT_HANDLED);
    assert_false(sl_coordinator_on_store(c->coordinator, c->now, &late, &c->out));
    sl_coordinator_on_tick(c->coordinator, c->now, &c->out);
    sl_assert_u64(c->out.count, 0);
    assert_false(sl_coordinator_is_running(c->coordinator) || sl_coordinator_wants_resign(c->coordinator));
    cd_free(c);
}

static uint64_t outputs_digest(struct cd *c)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < c->node_count; i++)
        sum = sum * 31 + c->nodes[i].target_requests * 7 + c->nodes[i].adds * 5 + c->nodes[i].set.version +
              c->nodes[i].report_seq;
    return sum * 31 + (uint64_t)sl_store_model_revision(c->store);
}

static void the_same_inputs_give_the_same_outputs(void **state)
{
    (void)state;
    uint64_t digests[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct cd *c = cd_setup(5, 4);
        c->evacuates = true;
        c->dispatchers[2][1] = 3;
        (void)cd_drain_node(c, "n2");
        (void)cd_drain_node(c, "n3");
        cd_run(c, 20 * SL_S);
        cd_leave(c, "n2");
        cd_run(c, 5 * SL_S);
        digests[i] = outputs_digest(c);
        cd_free(c);
    }
    sl_assert_u64(digests[0], digests[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_listed_with_what_is_known_of_them),
        cmocka_unit_test(the_silence_of_a_node_is_counted_from_its_joining),
        cmocka_unit_test(a_coordinator_that_starts_lists_nodes_and_refuses_feeds),
        cmocka_unit_test(it_is_the_node_that_resigns),
        cmocka_unit_test(what_a_node_was_worth_is_judged_before_it_is_forgotten),
        cmocka_unit_test(a_node_that_leaves_stopping_but_unproved_has_failed),
        cmocka_unit_test(feeds_of_a_lost_node_are_placed_again),
        cmocka_unit_test(a_node_that_starts_again_in_silence_is_asked_again_and_its_feeds_are_placed),
        cmocka_unit_test(a_drain_goes_on_when_its_target_starts_again_in_silence),
        cmocka_unit_test(many_nodes_that_change_at_once_are_one_step),
        cmocka_unit_test(messages_for_others_are_not_handled),
        cmocka_unit_test(a_stopped_coordinator_does_nothing_any_more),
        cmocka_unit_test(the_same_inputs_give_the_same_outputs),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
