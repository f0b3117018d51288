/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/whole_cluster.h"

#include <stdio.h>
#include <string.h>

/* What clients ask of whole nodes that run a feed, and a clean stop. */

static struct whole *with_feed(void)
{
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    wc_create_feed(w, 1, "gen://?tables=6");
    return w;
}

static const struct wc_answer *ask_feed(struct whole *w, uint32_t host, struct sl_request r)
{
    r.feed = SL_STR("f1");
    return wc_ask_of(w, host, &r);
}

static uint32_t dispatchers_of_all(const struct whole *w)
{
    return wc_dispatchers(w, 0) + wc_dispatchers(w, 1) + wc_dispatchers(w, 2);
}

static void source_and_names_reach_every_data_plane(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    sl_assert_u64(dispatchers_of_all(w), WC_TABLES);
    for (uint32_t i = 0; i < WC_NODES; i++) {
        sl_assert_str(w->hosts[i].plane.feeds[0].source, "gen://?tables=6");
        sl_assert_u64(wc_dispatchers(w, i), 2);
        for (uint32_t k = 0; k < WC_DISPATCHERS; k++) {
            const struct wc_dispatcher *d = &w->hosts[i].plane.dispatchers[k];
            char name[32];
            (void)snprintf(name, sizeof name, "s%d.t%d", (int)(d->table_id - 1) / 4 + 1, (int)d->table_id);
            if (d->table_id != 0)
                sl_assert_str(d->name, name);
        }
    }
    wc_teardown(w);
}

/* Whoever is asked first, two steps lead to the answer: the coordinator, the maintainer's node. */
static void tables_are_listed_by_the_node_of_the_maintainer(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t owner = wc_owner(w), host = wc_maintainer(w, 1);
    for (uint32_t i = 0; i < WC_NODES; i++) {
        struct sl_request r = { .verb = SL_REQUEST_TABLE_LIST, .table_after = INT64_MIN };
        const struct wc_answer *a = ask_feed(w, i, r);
        if (i == host) {
            sl_assert_str(sl_code_name(a->code), "OK");
            sl_assert_u64(a->table_count, WC_TABLES);
            assert_false(a->has_more);
            for (uint32_t k = 0; k < WC_TABLES; k++) {
                sl_assert_i64(a->tables[k].table_id, (int64_t)k + 1);
                sl_assert_str(a->tables[k].state, "replicating");
                assert_false(sl_node_id_is_none(&a->tables[k].node));
            }
            sl_assert_str(a->names[4], "s2.t5");
        } else {
            sl_assert_str(sl_code_name(a->code), "NOT_OWNER");
            sl_assert_str(a->detail, w->hosts[i == owner ? host : owner].id);
        }
    }
    wc_teardown(w);
}

static void a_long_list_of_tables_comes_in_pages(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t host = wc_maintainer(w, 1), count = 0;
    int64_t after = INT64_MIN;
    bool has_more = true;
    while (has_more) {
        struct sl_request r = { .verb = SL_REQUEST_TABLE_LIST, .table_after = after, .table_max = 4 };
        const struct wc_answer *a = ask_feed(w, host, r);
        for (uint32_t k = 0; k < a->table_count; k++)
            sl_assert_i64(a->tables[k].table_id, (int64_t)++count);
        after = a->tables[a->table_count - 1].table_id;
        has_more = a->has_more;
    }
    sl_assert_u64(count, WC_TABLES);
    wc_teardown(w);
}

static void a_table_is_moved_and_keeps_its_name(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t host = wc_maintainer(w, 1);
    for (uint32_t i = 0; i < WC_NODES; i++) {
        struct sl_request r = { .verb = SL_REQUEST_TABLE_MOVE, .table_id = 3 };
        char name[16];
        (void)snprintf(name, sizeof name, "node%u", (unsigned)i + 1);
        r.node = sl_str_of(name);
        sl_assert_str(sl_code_name(ask_feed(w, host, r)->code), "OK");
        wc_run(w, SL_S);
        bool found = false;
        for (uint32_t k = 0; k < WC_DISPATCHERS; k++) {
            const struct wc_dispatcher *d = &w->hosts[i].plane.dispatchers[k];
            found |= d->table_id == 3 && strcmp(d->name, "s1.t3") == 0;
        }
        assert_true(found);
    }
    sl_assert_u64(dispatchers_of_all(w), WC_TABLES);
    wc_teardown(w);
}

static void a_move_that_cannot_be_says_why(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t owner = wc_owner(w), host = wc_maintainer(w, 1), target = (host + 1) % WC_NODES;
    struct sl_request r = { .verb = SL_REQUEST_TABLE_MOVE, .table_id = 99, .node = SL_STR("node1") };
    sl_assert_str(sl_code_name(ask_feed(w, host, r)->code), "NOT_FOUND");
    r = (struct sl_request){ .verb = SL_REQUEST_TABLE_MOVE, .table_id = 1, .node = SL_STR("node9") };
    sl_assert_str(sl_code_name(ask_feed(w, host, r)->code), "NOT_FOUND");
    target = target == owner ? (target + 1) % WC_NODES : target;
    target = target == host ? (target + 1) % WC_NODES : target;
    if (target != owner) {
        (void)wc_ask(w, owner, SL_REQUEST_DRAIN, w->hosts[target].id);
        wc_run(w, SL_S);
        r = (struct sl_request){ .verb = SL_REQUEST_TABLE_MOVE, .table_id = 1, .node = sl_str_of(w->hosts[target].id) };
        sl_assert_str(sl_code_name(ask_feed(w, host, r)->code), "REFUSED");
    }
    struct sl_request unknown = { .verb = SL_REQUEST_TABLE_LIST, .feed = SL_STR("nobody") };
    sl_assert_str(sl_code_name(wc_ask_of(w, owner, &unknown)->code), "NOT_FOUND");
    wc_teardown(w);
}

static void dispatchers_of_a_feed_are_counted(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    struct sl_request r = { .verb = SL_REQUEST_DISPATCHER_COUNT };
    sl_assert_u64(ask_feed(w, wc_maintainer(w, 1), r)->dispatcher_count, WC_TABLES);
    wc_teardown(w);
}

/* A successor knows the names by its own load of the tables. */
static void a_moved_maintainer_still_knows_the_names(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t owner = wc_owner(w), host = wc_maintainer(w, 1), next = (host + 1) % WC_NODES;
    struct sl_request r = { .verb = SL_REQUEST_FEED_MOVE, .feed = SL_STR("f1"), .node = sl_str_of(w->hosts[next].id) };
    struct sl_input in = { .kind = SL_IN_REQUEST, .u.request = r };
    in.u.request.ticket = ++w->ticket;
    wc_step(&w->hosts[owner], &in);
    wc_run(w, 2 * SL_S);
    sl_assert_u64(wc_maintainer(w, 1), next);
    struct sl_request list = { .verb = SL_REQUEST_TABLE_LIST, .table_after = 2 };
    const struct wc_answer *a = ask_feed(w, next, list);
    sl_assert_u64(a->table_count, WC_TABLES - 2);
    sl_assert_str(a->names[0], "s1.t3");
    wc_teardown(w);
}

static void nodes_are_listed_with_what_they_host(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    wc_run(w, 6 * SL_S); /* a heartbeat of each */
    const struct wc_answer *a = wc_ask(w, wc_owner(w), SL_REQUEST_NODE_LIST, "");
    uint32_t maintainers = 0;
    sl_assert_u64(a->node_count, WC_NODES);
    for (uint32_t i = 0; i < WC_NODES; i++) {
        const struct sl_node_view *v = &a->nodes[i];
        assert_true(v->has_report && !v->is_draining && v->silent_ns < 6 * SL_S);
        sl_assert_u64(v->dispatchers, 2 + v->maintainers); /* and the DDL dispatcher beside the maintainer */
        maintainers += v->maintainers;
        assert_true(v->capture.address[0] == 'h');
    }
    sl_assert_u64(maintainers, 1);
    wc_teardown(w);
}

/* ---- a clean stop ---- */

static void leave(struct whole *w, uint32_t host)
{
    const struct sl_input in = { .kind = SL_IN_LEAVE };
    wc_step(&w->hosts[host], &in);
}

static void a_node_that_leaves_is_gone_at_once_and_its_work_is_taken_over(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t leaver = (wc_owner(w) + 1) % WC_NODES;
    assert_false(sl_node_has_left(w->hosts[leaver].node));
    leave(w, leaver);
    assert_true(w->hosts[leaver].plane.feeds[0].is_fenced); /* before anybody can take over */
    wc_run(w, 50 * SL_MS);
    assert_true(sl_node_has_left(w->hosts[leaver].node));
    wc_stop(&w->hosts[leaver]);
    wc_run(w, 3 * SL_S); /* less than a lease */
    sl_assert_u64(wc_ask(w, wc_owner(w), SL_REQUEST_NODE_LIST, "")->node_count, 2);
    sl_assert_u64(dispatchers_of_all(w), WC_TABLES);
    assert_true(wc_maintainer(w, 1) < WC_NODES);
    wc_teardown(w);
}

static void an_owner_that_leaves_has_a_successor_at_once(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t owner = wc_owner(w);
    leave(w, owner);
    wc_run(w, SL_S);
    assert_true(sl_node_has_left(w->hosts[owner].node));
    uint32_t next = wc_owner(w);
    assert_true(next < WC_NODES && next != owner);
    leave(w, owner); /* again: nothing more */
    wc_run(w, SL_S);
    assert_true(sl_node_has_left(w->hosts[owner].node));
    wc_teardown(w);
}

static void a_node_that_cannot_say_goodbye_has_left_when_its_lease_is_over(void **state)
{
    (void)state;
    struct whole *w = wc_setup(2);
    wc_run(w, 5 * SL_S);
    w->hosts[1].is_cut_off = true;
    leave(w, 1);
    wc_run(w, SL_S);
    assert_false(sl_node_has_left(w->hosts[1].node));
    wc_run(w, 12 * SL_S);
    assert_true(sl_node_has_left(w->hosts[1].node));
    wc_teardown(w);
}

/* It dies with the seat: the next coordinator does not wait for its answer until the membership gives it up. */
static void a_new_coordinator_does_not_wait_for_the_one_that_died(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t owner = wc_owner(w), next = WC_NODES;
    wc_stop(&w->hosts[owner]);
    while (next == WC_NODES) {
        wc_run(w, 10 * SL_MS);
        next = wc_owner(w);
    }
    wc_run(w, 100 * SL_MS);
    assert_true(sl_coordinator_is_running(sl_node_coordinator(w->hosts[next].node)));
    sl_assert_u64(wc_ask(w, next, SL_REQUEST_NODE_LIST, "")->node_count, 3); /* it has not left yet */
    wc_run(w, SL_S);
    assert_true(wc_maintainer(w, 1) < WC_NODES);
    wc_run(w, 10 * SL_S);
    sl_assert_u64(dispatchers_of_all(w), WC_TABLES);
    wc_teardown(w);
}

static void a_node_is_removed_by_the_end_of_its_lease_alone(void **state)
{
    (void)state;
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    uint32_t owner = wc_owner(w), dead = (owner + 1) % WC_NODES;
    const struct wc_answer *a = wc_ask(w, owner, SL_REQUEST_NODE_REMOVE, w->hosts[dead].id);
    sl_assert_str(sl_code_name(a->code), "REFUSED");
    assert_non_null(strstr(a->detail, "drain it"));
    wc_stop(&w->hosts[dead]);
    wc_run(w, 12 * SL_S);
    sl_assert_str(sl_code_name(wc_ask(w, owner, SL_REQUEST_NODE_REMOVE, w->hosts[dead].id)->code), "OK");
    wc_run(w, 6 * SL_S);
    sl_assert_str(sl_code_name(wc_ask(w, owner, SL_REQUEST_NODE_REMOVE, w->hosts[dead].id)->code), "NOT_FOUND");
    wc_teardown(w);
}

/* ---- the whole cluster ---- */

static void a_cluster_is_stopped_without_moving_work_about(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t owner = wc_owner(w);
    wc_request(w, owner, SL_REQUEST_CLUSTER_STOP, "");
    uint64_t ticket = w->ticket;
    sl_assert_str(sl_code_name(wc_ask(w, owner, SL_REQUEST_CLUSTER_STOP, "")->code), "BUSY");
    wc_run(w, 3 * SL_S);
    sl_assert_str(sl_code_name(wc_answer_to(w, ticket)->code), "OK");
    sl_assert_u64(dispatchers_of_all(w), 0);
    sl_assert_u64(wc_maintainer(w, 1), WC_NODES);
    wc_run(w, 30 * SL_S);
    sl_assert_u64(dispatchers_of_all(w), 0);
    struct sl_request back = { .verb = SL_REQUEST_CLUSTER_STOP, .cancel = true };
    sl_assert_str(sl_code_name(wc_ask_of(w, owner, &back)->code), "OK");
    wc_run(w, 15 * SL_S);
    sl_assert_u64(dispatchers_of_all(w), WC_TABLES);
    wc_teardown(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_and_names_reach_every_data_plane),
        cmocka_unit_test(tables_are_listed_by_the_node_of_the_maintainer),
        cmocka_unit_test(a_long_list_of_tables_comes_in_pages),
        cmocka_unit_test(a_table_is_moved_and_keeps_its_name),
        cmocka_unit_test(a_move_that_cannot_be_says_why),
        cmocka_unit_test(dispatchers_of_a_feed_are_counted),
        cmocka_unit_test(a_moved_maintainer_still_knows_the_names),
        cmocka_unit_test(nodes_are_listed_with_what_they_host),
        cmocka_unit_test(a_node_that_leaves_is_gone_at_once_and_its_work_is_taken_over),
        cmocka_unit_test(an_owner_that_leaves_has_a_successor_at_once),
        cmocka_unit_test(a_node_that_cannot_say_goodbye_has_left_when_its_lease_is_over),
        cmocka_unit_test(a_new_coordinator_does_not_wait_for_the_one_that_died),
        cmocka_unit_test(a_node_is_removed_by_the_end_of_its_lease_alone),
        cmocka_unit_test(a_cluster_is_stopped_without_moving_work_about),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
