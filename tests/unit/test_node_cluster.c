/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/whole_cluster.h"

#include <stdio.h>

/* Whole nodes without feeds: who becomes the coordinator, who answers a request, and what a drain does to the seat. */

static void one_node_is_elected_and_its_coordinator_runs(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w);
    assert_true(owner < WC_NODES);
    assert_true(sl_coordinator_is_running(sl_node_coordinator(w->hosts[owner].node)));
    const struct wc_answer *list = wc_ask(w, owner, SL_REQUEST_NODE_LIST, "");
    sl_assert_u64(list->node_count, 3);
    for (uint32_t i = 0; i < WC_NODES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "node%c", list->nodes[i].capture.id.text[3]);
        sl_assert_str(list->nodes[i].capture.name, name);
        assert_true(list->nodes[i].capture.is_sluice && list->nodes[i].observed && !list->nodes[i].unknown);
    }
    wc_teardown(w);
}

static void who_is_not_the_owner_names_the_owner(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w), other = (owner + 1) % WC_NODES;
    const struct wc_answer *r = wc_ask(w, other, SL_REQUEST_NODE_LIST, "");
    sl_assert_str(sl_code_name(r->code), "NOT_OWNER");
    sl_assert_str(r->detail, w->hosts[owner].id);
    sl_assert_str(sl_code_name(wc_ask(w, other, SL_REQUEST_DRAIN_NODE, "id-1")->code), "NOT_OWNER");
    wc_teardown(w);
}

static void while_there_is_no_owner_a_drain_is_1_and_never_an_error(void **state)
{
    (void)state;
    struct whole *w = wc_setup(1);
    const struct wc_answer *r = wc_ask(w, 0, SL_REQUEST_DRAIN_NODE, "id-1");
    sl_assert_str(sl_code_name(r->code), "OK");
    sl_assert_u64(r->remaining, 1);
    wc_teardown(w);
}

static void a_node_is_found_by_its_name(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w), other = (owner + 1) % WC_NODES;
    char name[16];
    (void)snprintf(name, sizeof name, "node%u", (unsigned)other + 1);
    sl_assert_str(sl_code_name(wc_ask(w, owner, SL_REQUEST_DRAIN, name)->code), "OK");
    sl_assert_str(sl_code_name(wc_ask(w, owner, SL_REQUEST_DRAIN, "node9")->code), "NOT_FOUND");
    wc_run(w, 3 * SL_S);
    const struct wc_answer *r = wc_ask(w, owner, SL_REQUEST_DRAIN_SHOW, name);
    sl_assert_str(r->drain.intent.target.text, w->hosts[other].id);
    sl_assert_str(r->drain.target_name, name);
    wc_teardown(w);
}

static void a_drained_node_ends_stopping_and_zero_is_said(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w), other = (owner + 1) % WC_NODES;
    sl_assert_u64(wc_ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[other].id)->remaining, 1);
    wc_run(w, 10 * SL_S);
    sl_assert_u64(wc_ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[other].id)->remaining, 0);
    sl_assert_i64(wc_liveness(w, other), SL_LIVENESS_STOPPING);
    wc_teardown(w);
}

static void a_drained_owner_hands_over_first_and_is_drained_by_the_next(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w);
    sl_assert_u64(wc_ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[owner].id)->remaining, 1);
    wc_run(w, 15 * SL_S);
    uint32_t next = wc_owner(w);
    assert_true(next < WC_NODES && next != owner);
    sl_assert_u64(wc_ask(w, next, SL_REQUEST_DRAIN_NODE, w->hosts[owner].id)->remaining, 0);
    sl_assert_i64(wc_liveness(w, owner), SL_LIVENESS_STOPPING);
    wc_teardown(w);
}

static void the_only_node_keeps_its_seat(void **state)
{
    (void)state;
    struct whole *w = wc_setup(1);
    wc_run(w, 5 * SL_S);
    sl_assert_str(sl_code_name(wc_ask(w, 0, SL_REQUEST_RESIGN, "")->code), "REFUSED");
    sl_assert_u64(wc_ask(w, 0, SL_REQUEST_DRAIN_NODE, "id-1")->remaining, 1);
    wc_run(w, 10 * SL_S);
    sl_assert_u64(wc_owner(w), 0);
    sl_assert_i64(wc_liveness(w, 0), SL_LIVENESS_ALIVE);
    wc_teardown(w);
}

static void an_owner_that_resigns_answers_who_waits_and_another_takes_over(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w);
    sl_assert_str(sl_code_name(wc_ask(w, owner, SL_REQUEST_RESIGN, "")->code), "OK");
    wc_run(w, 500 * SL_MS);
    uint32_t next = wc_owner(w);
    assert_true(next < WC_NODES && next != owner);
    wc_teardown(w);
}

static void what_is_meant_for_a_coordinator_is_no_news_to_a_node_that_is_none(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w);
    (void)wc_ask(w, owner, SL_REQUEST_RESIGN, "");
    for (uint32_t i = 0; i < WC_NODES; i++)
        w->hosts[i].events[SL_EV_MESSAGE_REFUSED] = 0;
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    hb.node_epoch = 1;
    uint8_t payload[64], bytes[256];
    size_t len = sl_payload_encode(SL_MSG_NODE_HEARTBEAT_REQUEST, &hb.base, payload);
    struct sl_envelope e = { .type = SL_MSG_NODE_HEARTBEAT_REQUEST,
                             .from = sl_str_of(w->hosts[(owner + 1) % WC_NODES].id),
                             .to = sl_str_of(w->hosts[owner].id),
                             .topic = SL_STR("coordinator"),
                             .payload_count = 1,
                             .payload = { { payload, len } } };
    struct sl_input in = { .kind = SL_IN_MESSAGE, .u.message = { bytes, sl_envelope_encode(&e, bytes) } };
    uint64_t before = sl_node_refusal_count(w->hosts[owner].node, SL_REFUSE_NOT_HANDLED);
    wc_step(&w->hosts[owner], &in);
    sl_assert_u64(sl_node_refusal_count(w->hosts[owner].node, SL_REFUSE_NOT_HANDLED), before + 1);
    sl_assert_u64(w->hosts[owner].events[SL_EV_MESSAGE_REFUSED], 0);
    wc_teardown(w);
}

static void a_node_without_its_store_fences_itself_and_loses_the_seat(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w);
    w->hosts[owner].is_cut_off = true;
    wc_run(w, 12 * SL_S);
    assert_null(sl_node_coordinator(w->hosts[owner].node));
    sl_assert_i64(wc_liveness(w, owner), SL_LIVENESS_STOPPING);
    wc_run(w, 10 * SL_S);
    uint32_t next = wc_owner(w);
    assert_true(next < WC_NODES && next != owner);
    sl_assert_u64(wc_ask(w, next, SL_REQUEST_NODE_LIST, "")->node_count, 2);
    wc_teardown(w);
}

static void an_undrained_node_is_alive_in_a_new_epoch_and_can_be_drained_again(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w), target = (owner + 1) % WC_NODES, silent = (owner + 2) % WC_NODES;
    struct sl_manager *manager = sl_node_manager(w->hosts[target].node);
    uint64_t node_epoch = sl_manager_node_epoch(manager);
    wc_stop(&w->hosts[silent]); /* a peer that cannot acknowledge holds the drain up */
    (void)wc_ask(w, owner, SL_REQUEST_DRAIN, w->hosts[target].id);
    wc_run(w, SL_S);
    sl_assert_i64(wc_liveness(w, target), SL_LIVENESS_DRAINING);
    sl_assert_u64(sl_manager_targets(manager)->count, 1);
    sl_assert_str(sl_code_name(wc_ask(w, owner, SL_REQUEST_UNDRAIN, w->hosts[target].id)->code), "OK");
    wc_run(w, SL_S);
    sl_assert_i64(wc_liveness(w, target), SL_LIVENESS_ALIVE);
    sl_assert_u64(sl_manager_node_epoch(manager), node_epoch + 1);
    sl_assert_u64(sl_manager_targets(manager)->count, 0);
    wc_run(w, 30 * SL_S); /* the silent one is gone */
    const struct wc_answer *r = wc_ask(w, owner, SL_REQUEST_DRAIN_SHOW, w->hosts[target].id);
    sl_assert_str(sl_drain_phase_name(r->drain.intent.phase), "cancelled");
    (void)wc_ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[target].id);
    wc_run(w, 10 * SL_S);
    sl_assert_u64(wc_ask(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[target].id)->remaining, 0);
    sl_assert_i64(wc_liveness(w, target), SL_LIVENESS_STOPPING);
    wc_teardown(w);
}

static void a_drain_outlives_the_node_that_led_it(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w), target = (owner + 1) % WC_NODES;
    wc_request(w, owner, SL_REQUEST_DRAIN_NODE, w->hosts[target].id);
    wc_run(w, 2 * SL_MS);
    assert_true(wc_liveness(w, target) != SL_LIVENESS_STOPPING);
    wc_stop(&w->hosts[owner]);
    wc_run(w, 30 * SL_S);
    uint32_t next = wc_owner(w);
    assert_true(next < WC_NODES && next != target);
    sl_assert_u64(wc_ask(w, next, SL_REQUEST_DRAIN_NODE, w->hosts[target].id)->remaining, 0);
    wc_teardown(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node_is_elected_and_its_coordinator_runs),
        cmocka_unit_test(who_is_not_the_owner_names_the_owner),
        cmocka_unit_test(while_there_is_no_owner_a_drain_is_1_and_never_an_error),
        cmocka_unit_test(a_node_is_found_by_its_name),
        cmocka_unit_test(a_drained_node_ends_stopping_and_zero_is_said),
        cmocka_unit_test(a_drained_owner_hands_over_first_and_is_drained_by_the_next),
        cmocka_unit_test(the_only_node_keeps_its_seat),
        cmocka_unit_test(an_owner_that_resigns_answers_who_waits_and_another_takes_over),
        cmocka_unit_test(what_is_meant_for_a_coordinator_is_no_news_to_a_node_that_is_none),
        cmocka_unit_test(a_node_without_its_store_fences_itself_and_loses_the_seat),
        cmocka_unit_test(an_undrained_node_is_alive_in_a_new_epoch_and_can_be_drained_again),
        cmocka_unit_test(a_drain_outlives_the_node_that_led_it),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
