/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/coordinator/nodes.h"
#include "tests/support/sl_test.h"

#include <stdio.h>

struct world {
    struct sl_mem mem;
    struct sl_members *members;
    struct sl_nodes *nodes;
    sl_node_ref n2, n3;
};

static struct sl_node_id id_of(const char *text)
{
    struct sl_node_id id;
    assert_true(sl_node_id_set(&id, sl_str_of(text)));
    return id;
}

static void world_init(struct world *w)
{
    const struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    sl_mem_init(&w->mem, &mem_opts);
    struct sl_node_id ids[] = { id_of("n1"), id_of("n2"), id_of("n3") };
    assert_int_equal(sl_members_new(&w->members, &w->mem, &ids[0], 8, 1), SL_OK);
    const struct sl_members_change *change;
    assert_int_equal(sl_members_apply(w->members, ids, 3, &change), 0);
    assert_int_equal(sl_nodes_new(&w->nodes, &w->mem, w->members, 30 * SL_S), SL_OK);
    w->n2 = sl_members_find(w->members, &ids[1]);
    w->n3 = sl_members_find(w->members, &ids[2]);
    for (sl_node_ref n = sl_members_next(w->members, 0); n != 0; n = sl_members_next(w->members, n))
        sl_nodes_add(w->nodes, 0, n);
}

static void world_deinit(struct world *w)
{
    sl_nodes_free(w->nodes);
    sl_members_free(w->members);
    sl_mem_deinit(&w->mem);
}

static bool heartbeat(struct world *w, sl_ns now, uint64_t node_epoch, int liveness, const char *target, uint64_t epoch)
{
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    char text[64];
    (void)snprintf(text, sizeof text, "%s", target);
    hb.node_epoch = node_epoch;
    hb.liveness = (Pb__NodeLiveness)liveness;
    hb.drain_target_node_id = text;
    hb.drain_target_epoch = epoch;
    return sl_nodes_on_heartbeat(w->nodes, now, w->n2, &hb);
}

static void an_older_process_is_not_heard(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_true(heartbeat(&w, 1, 43, SL_LIVENESS_ALIVE, "", 0));
    assert_false(heartbeat(&w, 2, 42, SL_LIVENESS_STOPPING, "n3", 9));
    sl_assert_u64(sl_nodes_at(w.nodes, w.n2)->node_epoch, 43);
    sl_assert_i64(sl_nodes_at(w.nodes, w.n2)->liveness, SL_LIVENESS_ALIVE);
    sl_assert_i64(sl_nodes_at(w.nodes, w.n2)->last_seen, 1);
    world_deinit(&w);
}

static void a_lower_liveness_is_dropped_and_does_not_count_as_life(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_DRAINING, "", 0));
    assert_false(heartbeat(&w, 40 * SL_S, 42, SL_LIVENESS_ALIVE, "", 0));
    assert_true(sl_nodes_is_unknown(w.nodes, 40 * SL_S, w.n2));
    world_deinit(&w);
}

static void a_refusal_to_stop_tells_what_is_hosted(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_DRAINING, "", 0));
    assert_false(sl_nodes_at(w.nodes, w.n2)->self.valid);
    Pb__SetNodeLivenessResponse r = PB__SET_NODE_LIVENESS_RESPONSE__INIT;
    Pb__SelfReport self = PB__SELF_REPORT__INIT;
    r.applied = PB__NODE_LIVENESS__DRAINING;
    r.node_epoch = 42;
    r.blocked_by = &self;
    self.report_seq = 3;
    self.dispatchers = 7;
    assert_true(sl_nodes_on_liveness(w.nodes, 2, w.n2, &r));
    sl_assert_u64(sl_nodes_at(w.nodes, w.n2)->self.dispatchers, 7);
    self.report_seq = 2;
    self.dispatchers = 1;
    assert_true(sl_nodes_on_liveness(w.nodes, 3, w.n2, &r));
    sl_assert_u64(sl_nodes_at(w.nodes, w.n2)->self.dispatchers, 7);
    world_deinit(&w);
}

static void more_targets_than_there_can_be_are_cut(void **state)
{
    (void)state;
    enum { COUNT = SL_TARGETS_MAX + 4 };
    struct world w;
    world_init(&w);
    char ids[COUNT][8];
    Pb__DrainTarget items[COUNT], *list[COUNT];
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    for (uint32_t i = 0; i < COUNT; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "t%u", (unsigned)i);
        pb__drain_target__init(&items[i]);
        items[i].node_id = ids[i];
        items[i].epoch = i + 1;
        list[i] = &items[i];
    }
    hb.node_epoch = 42;
    hb.drain_target_epoch = COUNT;
    hb.targets = list;
    hb.n_targets = COUNT;
    assert_true(sl_nodes_on_heartbeat(w.nodes, 1, w.n2, &hb));
    sl_assert_u64(sl_nodes_at(w.nodes, w.n2)->acked_count, SL_TARGETS_MAX);
    world_deinit(&w);
}

static void an_older_set_of_the_same_process_is_not_believed(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_ALIVE, "n3", 9));
    assert_true(heartbeat(&w, 2, 42, SL_LIVENESS_ALIVE, "n1", 8));
    sl_assert_u64(sl_nodes_at(w.nodes, w.n2)->acked_epoch_max, 9);
    sl_assert_str(sl_nodes_at(w.nodes, w.n2)->acked[0].node.text, "n3");
    world_deinit(&w);
}

static void a_stale_bootstrap_answer_is_dropped(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_ALIVE, "", 0));
    Pb__CoordinatorBootstrapResponse r = PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT;
    r.protocol_version = 1;
    r.node_epoch = 41;
    assert_false(sl_nodes_on_bootstrap(w.nodes, 2, w.n2, &r));
    assert_false(sl_nodes_at(w.nodes, w.n2)->bootstrapped);
    world_deinit(&w);
}

static void a_newer_process_wipes_acknowledgement_and_capability(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    Pb__CoordinatorBootstrapResponse r = PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT;
    r.protocol_version = 1;
    r.drain_protocol_version = 1;
    r.node_epoch = 42;
    assert_true(sl_nodes_on_bootstrap(w.nodes, 1, w.n2, &r));
    struct sl_drain_target target = { .node = id_of("n3"), .epoch = 7 };
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_ALIVE, "n3", 7));
    assert_true(sl_nodes_has_acked(w.nodes, w.n2, &target));
    assert_true(heartbeat(&w, 2, 43, SL_LIVENESS_ALIVE, "", 0));
    assert_false(sl_nodes_has_acked(w.nodes, w.n2, &target));
    assert_false(sl_nodes_at(w.nodes, w.n2)->bootstrapped);
    sl_assert_u64(sl_nodes_at(w.nodes, w.n2)->drain_protocol, 0);
    world_deinit(&w);
}

static void a_foreign_bootstrap_answer_survives_the_first_heartbeat(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    Pb__CoordinatorBootstrapResponse r = PB__COORDINATOR_BOOTSTRAP_RESPONSE__INIT;
    r.drain_protocol_version = 1;
    assert_true(sl_nodes_on_bootstrap(w.nodes, 1, w.n2, &r));
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_ALIVE, "", 0));
    assert_true(sl_nodes_at(w.nodes, w.n2)->bootstrapped);
    sl_assert_u64(sl_nodes_at(w.nodes, w.n2)->drain_protocol, 1);
    world_deinit(&w);
}

static void a_clear_is_acknowledged_by_an_empty_target_of_that_epoch_or_later(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    struct sl_drain_target target = { .node = id_of("n3"), .epoch = 7 };
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_ALIVE, "", 6));
    assert_false(sl_nodes_has_cleared(w.nodes, w.n2, &target));
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_ALIVE, "n3", 7));
    assert_false(sl_nodes_has_cleared(w.nodes, w.n2, &target));
    assert_true(heartbeat(&w, 1, 42, SL_LIVENESS_ALIVE, "", 7));
    assert_true(sl_nodes_has_cleared(w.nodes, w.n2, &target));
    sl_assert_u64(sl_nodes_epoch_seen_max(w.nodes), 7);
    world_deinit(&w);
}

static void a_set_of_targets_is_acknowledged_one_by_one(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    char n3[] = "n3", n4[] = "n4";
    Pb__DrainTarget a = PB__DRAIN_TARGET__INIT, b = PB__DRAIN_TARGET__INIT;
    a.node_id = n3;
    a.epoch = 5;
    b.node_id = n4;
    b.epoch = 9;
    Pb__DrainTarget *set[] = { &a, &b };
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    hb.node_epoch = 42;
    hb.drain_target_epoch = 9;
    hb.targets = set;
    hb.n_targets = 2;
    assert_true(sl_nodes_on_heartbeat(w.nodes, 1, w.n2, &hb));
    struct sl_drain_target five = { .node = id_of("n3"), .epoch = 5 }, nine = { .node = id_of("n4"), .epoch = 9 };
    assert_true(sl_nodes_has_acked(w.nodes, w.n2, &five) && sl_nodes_has_acked(w.nodes, w.n2, &nine));
    hb.n_targets = 1;
    assert_true(sl_nodes_on_heartbeat(w.nodes, 2, w.n2, &hb));
    assert_true(sl_nodes_has_acked(w.nodes, w.n2, &five));
    assert_true(sl_nodes_has_cleared(w.nodes, w.n2, &nine));
    world_deinit(&w);
}

static void an_older_self_report_does_not_replace_a_newer_one(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    Pb__SelfReport self = PB__SELF_REPORT__INIT;
    Pb__NodeHeartbeat hb = PB__NODE_HEARTBEAT__INIT;
    hb.node_epoch = 42;
    hb.self = &self;
    self.report_seq = 2;
    self.dispatchers = 3;
    assert_true(sl_nodes_on_heartbeat(w.nodes, 1, w.n2, &hb));
    self.report_seq = 1;
    self.dispatchers = 0;
    assert_true(sl_nodes_on_heartbeat(w.nodes, 2, w.n2, &hb));
    sl_assert_u64(sl_nodes_at(w.nodes, w.n2)->self.dispatchers, 3);
    world_deinit(&w);
}

static void a_silent_member_becomes_unknown_even_if_it_never_spoke(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    assert_false(sl_nodes_is_unknown(w.nodes, 30 * SL_S, w.n3));
    assert_true(sl_nodes_is_unknown(w.nodes, 31 * SL_S, w.n3));
    world_deinit(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_process_is_not_heard),
        cmocka_unit_test(a_lower_liveness_is_dropped_and_does_not_count_as_life),
        cmocka_unit_test(a_refusal_to_stop_tells_what_is_hosted),
        cmocka_unit_test(more_targets_than_there_can_be_are_cut),
        cmocka_unit_test(an_older_set_of_the_same_process_is_not_believed),
        cmocka_unit_test(a_stale_bootstrap_answer_is_dropped),
        cmocka_unit_test(a_newer_process_wipes_acknowledgement_and_capability),
        cmocka_unit_test(a_foreign_bootstrap_answer_survives_the_first_heartbeat),
        cmocka_unit_test(a_clear_is_acknowledged_by_an_empty_target_of_that_epoch_or_later),
        cmocka_unit_test(a_set_of_targets_is_acknowledged_one_by_one),
        cmocka_unit_test(an_older_self_report_does_not_replace_a_newer_one),
        cmocka_unit_test(a_silent_member_becomes_unknown_even_if_it_never_spoke),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
