/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/api_driver.h"
#include "tests/support/sl_test.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sluice's own routes: drains, nodes, the cluster; and drains watched as streams. */

static struct sl_drain_view drain;
static struct sl_node_view nodes[3];

static void have_drain(struct api_driver *d, enum sl_drain_phase phase)
{
    drain = (struct sl_drain_view){
        .intent = { .id = "5c857f8039d0e456",
                    .target = d->members[1].id,
                    .phase = phase,
                    .reason = "kernel",
                    .actor = "anna",
                    .created_wall_ms = 1700000000000,
                    .deadline_wall_ms = 1700000600000 },
        .target_name = "n2",
        .blocker = SL_BLOCKED_DISPATCHERS_LEFT,
        .blocker_detail = "orders: 12 left",
        .dispatchers = 12,
        .moves = 4,
        .dispatchers_at_start = 100,
        .moves_done = 84,
        .lag_ms_worst = 300,
        .is_lag_known = true,
        .lag_budget_ms = 5000,
        .eta_ms = 900,
        .slow = { { .feed = "default/orders", .span = { 1, 2 }, .phase = "remove_origin", .age_ms = 12000 } },
        .slow_count = 1,
    };
    d->reply.drains = &drain;
    d->reply.drain_count = 1;
}

static void have_nodes(struct api_driver *d)
{
    for (uint32_t i = 0; i < 3; i++) {
        nodes[i] = (struct sl_node_view){ .capture = d->members[i],
                                          .observed = true,
                                          .has_report = true,
                                          .maintainers = i,
                                          .dispatchers = 100 - 10 * i };
    }
    nodes[0].is_owner = true;
    d->reply.nodes = nodes;
    d->reply.node_count = 3;
}

static int set_up(void **state)
{
    struct api_driver *d = api_driver_new(NULL);
    have_drain(d, SL_DRAIN_EVACUATING);
    *state = d;
    return 0;
}

static int tear_down(void **state)
{
    api_driver_free(*state);
    return 0;
}

/* ---- start ---- */

static void a_drain_is_started_with_all_its_options(void **state)
{
    struct api_driver *d = *state;
    const struct api_answer *a =
        api_call(d, "POST", "/api/v2/drains", NULL,
                 "{\"node\":\"n2\",\"reason\":\"kernel\",\"deadline\":\"10m\",\"max_lag\":\"5s\",\"stop\":true,"
                 "\"cancel_at_deadline\":true,\"actor\":\"anna\"}");
    const struct api_request *r = api_asked(d, SL_REQUEST_DRAIN);
    sl_assert_i64(a->status, 202);
    sl_assert_str(r->node, "aabb2222-0000-4000-8000-000000000002"); /* the name became the id */
    sl_assert_u64(r->deadline_ms, 600000);
    sl_assert_u64(r->lag_budget_ms, 5000);
    assert_true(r->stop_node && r->cancel_at_deadline && !r->dry_run);
    sl_assert_str(r->actor, "anna");
    sl_assert_str(r->reason, "kernel");
    sl_assert_str(d->audits[0].action, "drain_start");
    sl_assert_str(d->audits[0].reason, "kernel");
    sl_assert_u64(d->audits[0].http_status, 202);
}

static void a_drain_is_shown_with_counts_blocker_and_slowest(void **state)
{
    const struct api_answer *a = api_call(*state, "GET", "/api/v2/drains/5c85", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "phase"), "evacuating");
    sl_assert_str(api_at(a, "node.name"), "n2");
    sl_assert_str(api_at(a, "remaining.dispatchers"), "12");
    sl_assert_str(api_at(a, "remaining.moves"), "4");
    sl_assert_str(api_at(a, "blocker.kind"), "DISPATCHERS_LEFT");
    sl_assert_str(api_at(a, "blocker.detail"), "orders: 12 left");
    sl_assert_str(api_at(a, "slowest.0.span"), "00000000000000010000000000000002");
    sl_assert_str(api_at(a, "eta_ms"), "900");
    sl_assert_str(api_at(a, "late"), "true");
    sl_assert_str(api_at(a, "proof"), "full");
    sl_assert_str(api_at(a, "history.0.phase"), "evacuating");
    sl_assert_str(api_asked(*state, SL_REQUEST_DRAIN_SHOW)->drain, "5c85");
}

static void what_is_left_is_null_while_nobody_knows(void **state)
{
    drain.blocker = SL_BLOCKED_COORDINATOR_STARTING;
    const struct api_answer *a = api_call(*state, "GET", "/api/v2/drains/5c85", NULL, NULL);
    sl_assert_str(api_at(a, "remaining"), "null");
    a = api_call(*state, "GET", "/metrics", NULL, NULL);
    assert_null(strstr(a->body, "sluice_drain_remaining"));
}

static void a_dry_run_gives_a_plan(void **state)
{
    struct api_driver *d = *state;
    const struct sl_plan_move plan[] = {
        { .node = d->members[0].id, .dispatchers_before = 1, .dispatchers_after = 4, .is_eligible = true },
        { .node = d->members[1].id, .dispatchers_before = 3, .is_target = true },
    };
    d->reply = (struct sl_reply){ .plan = plan, .plan_count = 2 };
    const struct api_answer *a = api_call(d, "POST", "/api/v2/drains", NULL, "{\"node\":\"n2\",\"dry_run\":true}");
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "possible"), "true");
    sl_assert_str(api_at(a, "plan.0.node.name"), "n1");
    sl_assert_str(api_at(a, "plan.0.dispatchers_after"), "4");
    sl_assert_str(api_at(a, "plan.1.is_target"), "true");
    d->reply.code = SL_REFUSED;
    memcpy(d->reply.detail, "nobody", sizeof "nobody");
    a = api_call(d, "POST", "/api/v2/drains", NULL, "{\"node\":\"n2\",\"dry_run\":true}");
    sl_assert_str(api_at(a, "possible"), "false");
    sl_assert_str(api_at(a, "blocker"), "nobody");
}

static void other_options_than_the_running_drain_has_are_409_and_show_it(void **state)
{
    struct api_driver *d = *state;
    d->reply.code = SL_EXISTS;
    const struct api_answer *a = api_call(d, "POST", "/api/v2/drains", NULL, "{\"node\":\"n2\",\"max_lag\":\"1s\"}");
    sl_assert_i64(a->status, 409);
    sl_assert_str(api_at(a, "error_code"), "EXISTS");
    sl_assert_str(api_at(a, "drain.id"), "5c857f8039d0e456");
}

static void codes_of_the_core_have_http_codes(void **state)
{
    static const struct {
        enum sl_code code;
        int status;
    } rows[] = { { SL_NOT_FOUND, 404 }, { SL_REFUSED, 409 }, { SL_BUSY, 409 },      { SL_LIMIT, 429 },
                 { SL_NOT_READY, 503 }, { SL_NOMEM, 503 },   { SL_NOT_OWNER, 503 }, { SL_BAD_FIELD, 400 } };
    struct api_driver *d = *state;
    d->reply.drain_count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        d->reply.code = rows[i].code;
        const struct api_answer *a = api_call(d, "POST", "/api/v2/drains", NULL, "{\"node\":\"n2\"}");
        sl_assert_i64(a->status, rows[i].status);
        sl_assert_str(api_at(a, "error_code"), sl_code_name(rows[i].code));
        assert_true(api_at(a, "remedy")[0] != '\0');
    }
}

static void bad_drain_requests_are_400_and_reach_nobody(void **state)
{
    static const char *const bodies[] = {
        "{}",
        "{\"node\":7}",
        "{\"node\":\"n2\",\"deadline\":\"soon\"}",
        "{\"node\":\"n2\",\"deadline\":\"10\\u0000m\"}",
        "{\"node\":\"n2\",\"deadline_ms\":-1}",
        "{\"node\":\"n2\",\"deadline_ms\":18446744073709551616}",
        "{\"node\":\"n2\",\"dry_run\":\"yes\"}",
        "{\"node\":\"n2\",\"reason\":\"a\\nb\"}",
        "{\"node\":\"n2\",\"cancel_at_deadline\":true}",
        "{\"node\":\"n2\",\"deadline\":\"99999999999999h\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const struct api_answer *a = api_call(*state, "POST", "/api/v2/drains", NULL, bodies[i]);
        sl_assert_i64(a->status, 400);
    }
    assert_null(api_asked(*state, SL_REQUEST_DRAIN));
}

/* ---- cancel ---- */

static void cancel_by_id_by_node_and_by_post(void **state)
{
    struct api_driver *d = *state;
    sl_assert_i64(api_call(d, "DELETE", "/api/v2/drains/5c85", NULL, "{\"reason\":\"no\"}")->status, 200);
    sl_assert_str(api_asked(d, SL_REQUEST_UNDRAIN)->drain, "5c85");
    sl_assert_i64(api_call(d, "POST", "/api/v2/nodes/n2/undrain", NULL, NULL)->status, 200);
    sl_assert_str(api_asked(d, SL_REQUEST_UNDRAIN)->node, "aabb2222-0000-4000-8000-000000000002");
    sl_assert_i64(api_call(d, "DELETE", "/api/v2/nodes/aabb/drain", NULL, NULL)->status, 200);
    d->reply.code = SL_REFUSED;
    sl_assert_i64(api_call(d, "DELETE", "/api/v2/drains/5c85", NULL, NULL)->status, 409);
}

static void found_only_by_node(struct api_driver *d, const struct api_request *r, struct sl_reply *reply)
{
    (void)d;
    if (r->drain[0] != '\0')
        *reply = (struct sl_reply){ .code = SL_NOT_FOUND };
}

static void a_drain_is_also_named_by_its_node(void **state)
{
    struct api_driver *d = *state;
    d->answer = found_only_by_node;
    sl_assert_i64(api_call(d, "GET", "/api/v2/drains/n2", NULL, NULL)->status, 200);
    sl_assert_str(api_asked(d, SL_REQUEST_DRAIN_SHOW)->node, "aabb2222-0000-4000-8000-000000000002");
    sl_assert_i64(api_call(d, "DELETE", "/api/v2/drains/n2", NULL, NULL)->status, 200);
}

/* ---- nodes ---- */

static void nodes_are_shown_and_what_is_unknown_is_null(void **state)
{
    struct api_driver *d = *state;
    have_nodes(d);
    nodes[2].unknown = true;
    const struct api_answer *a = api_call(d, "GET", "/api/v2/nodes", NULL, NULL);
    sl_assert_str(api_at(a, "items.0.dispatchers"), "100");
    sl_assert_str(api_at(a, "items.0.liveness"), "alive");
    sl_assert_str(api_at(a, "items.2.liveness"), "unknown");
    sl_assert_str(api_at(a, "items.2.dispatchers"), "null");
    a = api_call(d, "GET", "/api/v2/nodes/n2", NULL, NULL);
    sl_assert_str(api_at(a, "name"), "n2");
    sl_assert_i64(api_call(d, "GET", "/api/v2/nodes/a", NULL, NULL)->status, 404); /* two begin so */
    a = api_call(d, "GET", "/api/v2/cluster", NULL, NULL);
    sl_assert_str(api_at(a, "nodes"), "3");
    sl_assert_str(api_at(a, "nodes_silent"), "1");
    sl_assert_str(api_at(a, "dispatchers"), "null");
    a = api_call(d, "GET", "/metrics", NULL, NULL);
    assert_non_null(
        strstr(a->body, "sluice_node_dispatchers{node=\"aaaa1111-0000-4000-8000-000000000001\",name=\"n1\"} 100"));
    assert_null(strstr(a->body, "sluice_node_dispatchers{node=\"cccc3333"));
}

static void the_restart_plan_has_little_work_first_and_the_owner_last(void **state)
{
    struct api_driver *d = *state;
    have_nodes(d);
    const struct api_answer *a = api_call(d, "GET", "/api/v2/cluster/restart-plan", NULL, NULL);
    sl_assert_str(api_at(a, "possible"), "true");
    sl_assert_str(api_at(a, "steps.0.node.name"), "n3");
    sl_assert_str(api_at(a, "steps.2.node.name"), "n1");
    sl_assert_str(api_at(a, "steps.1.command"), "sluice node drain n2 --stop");
}

static void a_feed_is_moved_and_a_node_is_removed(void **state)
{
    struct api_driver *d = *state;
    const struct api_answer *a = api_call(d, "POST", "/api/v2/changefeeds/orders/move", NULL, "{\"node\":\"n3\"}");
    sl_assert_str(api_at(a, "done"), "true");
    sl_assert_str(api_asked(d, SL_REQUEST_FEED_MOVE)->node, "cccc3333-0000-4000-8000-000000000003");
    sl_assert_i64(api_call(d, "DELETE", "/api/v2/nodes/n3", NULL, NULL)->status, 200);
    sl_assert_str(api_asked(d, SL_REQUEST_NODE_REMOVE)->node, "cccc3333-0000-4000-8000-000000000003");
    sl_assert_i64(api_call(d, "POST", "/api/v2/cluster/stop", NULL, "{\"cancel\":true}")->status, 200);
    assert_true(api_asked(d, SL_REQUEST_CLUSTER_STOP)->cancel);
}

/* ---- streams ---- */

static int watch(struct api_driver *d, char *got, size_t size)
{
    static const char request[] = "GET /api/v2/drains/5c85/events HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = api_connect(d);
    api_send(d, fd, request, sizeof request - 1);
    assert_true(api_read_until(d, fd, "event: drain", got, size));
    return fd;
}

static void a_watcher_sees_each_change_and_the_end(void **state)
{
    struct api_driver *d = *state;
    static char got[65536];
    got[0] = '\0';
    int fd = watch(d, got, sizeof got);
    assert_non_null(strstr(got, "text/event-stream"));
    assert_true(api_read_until(d, fd, "\"dispatchers\":12", got, sizeof got));
    drain.dispatchers = 5;
    assert_true(api_read_until(d, fd, "\"dispatchers\":5", got, sizeof got));
    drain.intent.phase = SL_DRAIN_SAFE;
    drain.safe_to_stop = true;
    assert_true(api_read_until(d, fd, "\"safe_to_stop\":true", got, sizeof got));
    drain.intent.phase = SL_DRAIN_DONE;
    assert_true(api_read_until(d, fd, "event: end", got, sizeof got));
    assert_true(api_wait_closed(d, fd, 5) || strstr(got, "0\r\n\r\n"));
    (void)close(fd);
}

static void many_watchers_share_one_question_per_200_ms(void **state)
{
    struct api_driver *d = *state;
    static char got[10][16384];
    int fds[10];
    for (int i = 0; i < 10; i++) {
        got[i][0] = '\0';
        fds[i] = watch(d, got[i], sizeof got[i]);
    }
    api_forget(d);
    api_turn(d, 1000);
    /* One per 200 ms, and whatever the clock of a busy machine adds. */
    assert_true(d->request_count >= 1 && d->request_count <= 7);
    for (int i = 0; i < 10; i++)
        (void)close(fds[i]);
    api_turn(d, 2600); /* the next refresh finds them gone */
    const struct api_answer *a = api_call(d, "GET", "/metrics", NULL, NULL);
    assert_non_null(strstr(a->body, "sluice_http_watchers 0\n"));
}

static void a_stream_ends_when_the_owner_changes(void **state)
{
    struct api_driver *d = *state;
    static char got[65536];
    got[0] = '\0';
    int fd = watch(d, got, sizeof got);
    d->reply = (struct sl_reply){ .code = SL_NOT_OWNER };
    assert_true(api_read_until(d, fd, "event: error", got, sizeof got));
    assert_non_null(strstr(got, "NOT_OWNER"));
    (void)close(fd);
}

static void a_watcher_of_nothing_gets_404(void **state)
{
    struct api_driver *d = *state;
    d->reply = (struct sl_reply){ .code = SL_NOT_FOUND };
    sl_assert_i64(api_call(d, "GET", "/api/v2/drains/x/events", NULL, NULL)->status, 404);
}

static void closing_the_api_ends_streams_and_waiting_calls(void **state)
{
    struct api_driver *d = *state;
    static char got[65536];
    static const char request[] = "GET /api/v2/nodes HTTP/1.1\r\nHost: x\r\n\r\n";
    got[0] = '\0';
    (void)watch(d, got, sizeof got);
    d->hold = true;
    int fd = api_connect(d);
    api_send(d, fd, request, sizeof request - 1);
    api_turn(d, 20);
    /* tear_down closes; it fails if that does not come to an end or leaks. */
}

/* ---- metrics ---- */

static void metrics_show_an_open_drain(void **state)
{
    const struct api_answer *a = api_call(*state, "GET", "/metrics", NULL, NULL);
    assert_non_null(strstr(a->body, "# TYPE sluice_drain_phase gauge\nsluice_drain_phase{drain=\"5c857f8039d0e456\","
                                    "node=\"aabb2222-0000-4000-8000-000000000002\",phase=\"evacuating\"} 1\n"));
    assert_non_null(strstr(a->body, "kind=\"dispatchers\"} 12\n"));
    assert_non_null(strstr(a->body, "sluice_drain_lag_budget_seconds{drain=\"5c857f8039d0e456\","
                                    "node=\"aabb2222-0000-4000-8000-000000000002\"} 5\n"));
    drain.intent.phase = SL_DRAIN_DONE;
    a = api_call(*state, "GET", "/metrics", NULL, NULL);
    assert_null(strstr(a->body, "sluice_drain_phase{"));
}

static void metrics_leave_out_what_the_core_does_not_answer(void **state)
{
    struct api_driver *d = *state;
    d->reply = (struct sl_reply){ .code = SL_NOT_READY };
    const struct api_answer *a = api_call(d, "GET", "/metrics", NULL, NULL);
    sl_assert_i64(a->status, 200);
    assert_null(strstr(a->body, "sluice_drain_remaining"));
    assert_null(strstr(a->body, "sluice_node_dispatchers"));
    assert_null(strstr(a->body, "ticdc_coordinator_changefeed_state"));
    assert_non_null(strstr(a->body, "sluice_is_owner 1\n"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_drain_is_started_with_all_its_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_drain_is_shown_with_counts_blocker_and_slowest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_is_null_while_nobody_knows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dry_run_gives_a_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_options_than_the_running_drain_has_are_409_and_show_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(codes_of_the_core_have_http_codes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_drain_requests_are_400_and_reach_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancel_by_id_by_node_and_by_post, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_drain_is_also_named_by_its_node, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nodes_are_shown_and_what_is_unknown_is_null, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_restart_plan_has_little_work_first_and_the_owner_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_feed_is_moved_and_a_node_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watcher_sees_each_change_and_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_watchers_share_one_question_per_200_ms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_ends_when_the_owner_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watcher_of_nothing_gets_404, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_the_api_ends_streams_and_waiting_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_show_an_open_drain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_leave_out_what_the_core_does_not_answer, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
