/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/api_driver.h"
#include "tests/support/sl_test.h"

#include <string.h>
#include <unistd.h>

/* Two nodes in one loop: asking is n1, answering is n2, the owner, on a port of its own. */
static struct api_driver *asking, *answering;

static int set_up(void **state)
{
    asking = api_driver_new(NULL);
    answering = api_driver_new_beside(asking, NULL);
    answering->self = 1;
    answering->owner = asking->owner = 1;
    api_driver_listen(answering);
    memcpy(asking->members[1].address, answering->address, sizeof answering->address);
    *state = asking;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_driver_free(answering);
    api_driver_free(asking);
    return 0;
}

static void what_the_owner_answers_comes_back_as_it_is(void **state)
{
    (void)state;
    const struct api_answer *a = api_call(asking, "GET", "/api/v2/changefeeds?state=all", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(a->body, "{\"total\":0,\"items\":[]}");
    assert_non_null(strstr(a->head, "Content-Type: application/json"));
    assert_non_null(api_asked(answering, SL_REQUEST_FEED_LIST));
    assert_null(api_asked(asking, SL_REQUEST_FEED_LIST));
    answering->reply.code = SL_NOT_FOUND;
    a = api_call(asking, "GET", "/api/v2/changefeeds/x", NULL, NULL);
    sl_assert_i64(a->status, 400);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrChangeFeedNotExists");
}

static void method_body_and_path_arrive_whole(void **state)
{
    (void)state;
    struct sl_drain_view view = { .intent = { .id = "d1", .target = asking->members[2].id } };
    answering->reply.drains = &view;
    answering->reply.drain_count = 1;
    const struct api_answer *a =
        api_call(asking, "POST", "/api/v2/drains", NULL, "{\"node\":\"n3\",\"reason\":\"why\",\"actor\":\"anna\"}");
    sl_assert_i64(a->status, 202);
    sl_assert_str(api_asked(answering, SL_REQUEST_DRAIN)->reason, "why");
    sl_assert_str(api_asked(answering, SL_REQUEST_DRAIN)->actor, "anna");
    sl_assert_str(answering->audits[0].action, "drain_start");
    sl_assert_u64(asking->audit_count, 0); /* said once, where it happened */
    sl_assert_i64(api_call(asking, "DELETE", "/api/v2/drains/d%31", NULL, NULL)->status, 200);
    sl_assert_str(api_asked(answering, SL_REQUEST_UNDRAIN)->drain, "d1");
}

static void the_drain_of_old_clients_is_forwarded(void **state)
{
    (void)state;
    answering->reply.remaining = 3;
    const struct api_answer *a = api_call(asking, "PUT", "/api/v1/captures/drain", NULL, "{\"capture_id\":\"x\"}");
    sl_assert_i64(a->status, 202);
    sl_assert_str(api_at(a, "current_table_count"), "3");
}

static void two_nodes_that_take_each_other_for_the_owner_stop(void **state)
{
    (void)state;
    api_driver_listen(asking);
    memcpy(answering->members[0].address, asking->address, sizeof asking->address);
    answering->owner = 0;
    const struct api_answer *a = api_call(asking, "GET", "/api/v2/changefeeds", NULL, NULL);
    sl_assert_i64(a->status, 500);
    sl_assert_str(api_at(a, "error_msg"), "TiCDC cluster is unavailable, please try again later");
    a = api_call(asking, "PUT", "/api/v1/captures/drain", NULL, "{\"capture_id\":\"x\"}");
    sl_assert_i64(a->status, 202);
    sl_assert_str(api_at(a, "current_table_count"), "1");
}

static void an_owner_that_does_not_listen_is_500_or_502(void **state)
{
    (void)state;
    memcpy(asking->members[1].address, "127.0.0.1:1", sizeof "127.0.0.1:1");
    sl_assert_i64(api_call(asking, "GET", "/api/v2/changefeeds", NULL, NULL)->status, 500);
    const struct api_answer *a = api_call(asking, "GET", "/api/v2/nodes", NULL, NULL);
    sl_assert_i64(a->status, 502);
    sl_assert_str(api_at(a, "error_code"), "UNREACHABLE");
}

static void tables_are_asked_of_the_maintainers_node(void **state)
{
    (void)state;
    asking->owner = 0; /* asking knows where the maintainer is: at n2 */
    asking->reply.code = SL_NOT_OWNER;
    memcpy(asking->reply.detail, "aabb2222-0000-4000-8000-000000000002", 37);
    answering->reply.dispatcher_count = 5;
    const struct api_answer *a =
        api_call(asking, "GET", "/api/v2/changefeeds/f/get_dispatcher_count?mode=0", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(a->body, "{\"count\":5}");
}

static void a_stream_is_relayed_as_it_comes(void **state)
{
    (void)state;
    static const char request[] = "GET /api/v2/drains/d1/events HTTP/1.1\r\nHost: x\r\n\r\n";
    static char got[65536];
    struct sl_drain_view view = { .intent = { .id = "d1", .target = asking->members[2].id },
                                  .dispatchers = 9,
                                  .blocker = SL_BLOCKED_DISPATCHERS_LEFT };
    answering->reply.drains = &view;
    answering->reply.drain_count = 1;
    got[0] = '\0';
    int fd = api_connect(asking);
    api_send(asking, fd, request, sizeof request - 1);
    assert_true(api_read_until(asking, fd, "\"dispatchers\":9", got, sizeof got));
    assert_non_null(strstr(got, "text/event-stream"));
    view.dispatchers = 2;
    assert_true(api_read_until(asking, fd, "\"dispatchers\":2", got, sizeof got));
    view.intent.phase = SL_DRAIN_DONE;
    assert_true(api_read_until(asking, fd, "event: end", got, sizeof got));
    (void)close(fd);
    /* A second client that leaves in the middle: the relay ends on both nodes. */
    view.intent.phase = SL_DRAIN_EVACUATING;
    got[0] = '\0';
    fd = api_connect(asking);
    api_send(asking, fd, request, sizeof request - 1);
    assert_true(api_read_until(asking, fd, "event: drain", got, sizeof got));
    (void)close(fd);
    api_turn(asking, 100);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_owner_answers_comes_back_as_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(method_body_and_path_arrive_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_drain_of_old_clients_is_forwarded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_nodes_that_take_each_other_for_the_owner_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_owner_that_does_not_listen_is_500_or_502, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_are_asked_of_the_maintainers_node, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_is_relayed_as_it_comes, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
