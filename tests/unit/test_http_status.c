/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/api_driver.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
    *state = api_driver_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    api_driver_free(*state);
    return 0;
}

static void status_says_who_the_node_is_on_its_three_paths(void **state)
{
    struct api_driver *d = *state;
    const char *const paths[] = { "/status", "/api/v1/status", "/api/v2/status" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct api_answer *a = api_call(d, "GET", paths[i], NULL, NULL);
        sl_assert_i64(a->status, 200);
        sl_assert_str(api_at(a, "version"), "v8.5.4-sluice.0.1.0");
        sl_assert_str(api_at(a, "id"), "aaaa1111-0000-4000-8000-000000000001");
        sl_assert_str(api_at(a, "is_owner"), "true");
        sl_assert_str(api_at(a, "liveness"), "0");
        sl_assert_str(api_at(a, "cluster_id"), "default");
    }
}

static void unknown_paths_are_plain_404(void **state)
{
    const struct api_answer *a = api_call(*state, "GET", "/api/v2/nothing", NULL, NULL);
    sl_assert_i64(a->status, 404);
    sl_assert_str(a->body, "404 page not found\n");
    a = api_call(*state, "PATCH", "/status", NULL, NULL);
    sl_assert_i64(a->status, 404);
}

static void captures_are_a_list_in_v2_and_an_array_in_v1(void **state)
{
    const struct api_answer *a = api_call(*state, "GET", "/api/v2/captures", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "total"), "3");
    sl_assert_str(api_at(a, "items.0.is_owner"), "true");
    sl_assert_str(api_at(a, "items.1.is_owner"), "false");
    sl_assert_str(api_at(a, "items.1.address"), "127.0.0.1:8302");
    sl_assert_str(api_at(a, "items.1.cluster_id"), "default");
    a = api_call(*state, "GET", "/api/v1/captures", NULL, NULL);
    sl_assert_str(api_at(a, "2.id"), "cccc3333-0000-4000-8000-000000000003");
}

static void captures_are_listed_without_an_owner_too(void **state)
{
    struct api_driver *d = *state;
    d->owner = -1;
    const struct api_answer *a = api_call(d, "GET", "/api/v1/captures", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "0.is_owner"), "false");
    a = api_call(d, "GET", "/api/v2/changefeeds", NULL, NULL);
    sl_assert_i64(a->status, 500);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrOwnerNotFound");
    a = api_call(d, "GET", "/api/v2/nodes", NULL, NULL);
    sl_assert_i64(a->status, 503);
    sl_assert_str(api_at(a, "error_code"), "NOT_OWNER");
}

static void health_fails_when_the_owner_is_not_alive(void **state)
{
    struct api_driver *d = *state;
    sl_assert_i64(api_call(d, "GET", "/api/v1/health", NULL, NULL)->status, 200);
    d->liveness = 1;
    const struct api_answer *a = api_call(d, "GET", "/api/v2/health", NULL, NULL);
    sl_assert_i64(a->status, 500);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrClusterIsUnhealthy");
}

static void errors_of_the_reference_are_indented_by_four(void **state)
{
    struct api_driver *d = *state;
    d->reply.code = SL_NOT_FOUND;
    const struct api_answer *a = api_call(d, "GET", "/api/v2/changefeeds/orders", NULL, NULL);
    sl_assert_i64(a->status, 400);
    sl_assert_str(a->body, "{\n    \"error_msg\": \"[CDC:ErrChangeFeedNotExists]changefeed not exists, orders\",\n"
                           "    \"error_code\": \"CDC:ErrChangeFeedNotExists\"\n}");
}

static void resign_is_202_in_v1_and_200_in_v2(void **state)
{
    struct api_driver *d = *state;
    sl_assert_i64(api_call(d, "POST", "/api/v1/owner/resign", NULL, "")->status, 202);
    const struct api_answer *a = api_call(d, "POST", "/api/v2/owner/resign", NULL, "{}");
    sl_assert_i64(a->status, 200);
    sl_assert_str(a->body, "{}");
    assert_non_null(api_asked(d, SL_REQUEST_RESIGN));
}

static void tso_is_the_time(void **state)
{
    const struct api_answer *a = api_call(*state, "POST", "/api/v2/tso", NULL, "{\"whatever\":1}");
    sl_assert_i64(a->status, 200);
    assert_true(strtoull(api_at(a, "timestamp"), NULL, 10) > 1700000000000u);
    sl_assert_str(api_at(a, "logic_time"), "0");
}

static void log_level_is_set_or_refused(void **state)
{
    struct api_driver *d = *state;
    sl_assert_i64(api_call(d, "POST", "/api/v2/log", NULL, "{\"log_level\":\"debug\"}")->status, 200);
    sl_assert_str(d->log_level, "debug");
    sl_assert_i64(api_call(d, "POST", "/api/v2/log", NULL, "{\"log_level\":\"loud\"}")->status, 400);
    sl_assert_i64(api_call(d, "POST", "/api/v2/log", NULL, "{\"log_level\":7}")->status, 400);
}

static void redaction_can_only_become_stricter(void **state)
{
    const struct api_answer *a = api_call(*state, "POST", "/api/v2/log/redact", NULL, "{\"redact_info_log\":\"on\"}");
    sl_assert_str(api_at(a, "current_mode"), "on");
    a = api_call(*state, "POST", "/api/v2/log/redact", NULL, "{\"redact_info_log\":\"off\"}");
    sl_assert_i64(a->status, 400);
}

static void stubs_for_old_clients_are_empty(void **state)
{
    sl_assert_str(api_call(*state, "GET", "/api/v1/processors", NULL, NULL)->body, "[]");
    sl_assert_str(api_call(*state, "GET", "/api/v2/processors", NULL, NULL)->body, "{\"total\":0,\"items\":[]}");
    sl_assert_str(api_call(*state, "GET", "/api/v2/processors/f/n", NULL, NULL)->body, "{\"table_ids\":null}");
}

static void a_node_stops_when_asked_and_says_so_first(void **state)
{
    struct api_driver *d = *state;
    const struct api_answer *a =
        api_call(d, "POST", "/api/v2/stop", NULL, "{\"reason\":\"upgrade\",\"actor\":\"ops\"}");
    sl_assert_i64(a->status, 202);
    assert_true(d->stopped && !d->stopped_without_drain);
    sl_assert_str(d->audits[0].action, "node_stop");
    sl_assert_str(d->audits[0].actor, "ops");
    sl_assert_str(d->audits[0].reason, "upgrade");
    sl_assert_str(d->audits[0].remote, "10.0.0.9");
    sl_assert_i64(api_call(d, "POST", "/api/v2/stop", NULL, "{\"without_drain\":1}")->status, 400);
    sl_assert_i64(api_call(d, "POST", "/api/v2/stop", NULL, "{\"without_drain\":true}")->status, 202);
    assert_true(d->stopped_without_drain);
}

static void metadata_is_shown_with_secrets_masked(void **state)
{
    struct api_driver *d = *state;
    static const char value[] =
        "{\"sink-uri\":\"mysql://u:CANARY@h/\",\"config\":{\"sasl-password\":\"CANARY\"},\"n\":7}";
    const struct sl_api_kv kvs[] = {
        { SL_STR("/tidb/cdc/default/default/changefeed/info/f"), { (const uint8_t *)value, sizeof value - 1 } },
        { SL_STR("/tidb/cdc/default/__cdc_meta__/owner/1"), { (const uint8_t *)"n1", 2 } },
    };
    int fd = api_connect(d);
    char got[4096] = "";
    static const char request[] = "GET /api/v2/unsafe/metadata HTTP/1.1\r\nHost: x\r\n\r\n";
    api_send(d, fd, request, sizeof request - 1);
    api_turn(d, 20);
    sl_assert_str(d->range_prefix, "/tidb/cdc/default/");
    sl_api_on_range(d->api, d->range_ticket, SL_OK, kvs, 2);
    assert_true(api_read_until(d, fd, "]", got, sizeof got));
    assert_non_null(strstr(got, "mysql://u:xxxxx@h/"));
    assert_non_null(strstr(got, "n1"));
    assert_null(strstr(got, "CANARY"));
    sl_api_on_range(d->api, d->range_ticket, SL_OK, kvs, 2); /* late and twice: nothing happens */
    (void)close(fd);
}

static void a_connection_serves_many_requests(void **state)
{
    struct api_driver *d = *state;
    int fd = api_connect(d);
    for (int i = 0; i < 5; i++) {
        char got[4096] = "";
        static const char request[] = "GET /status HTTP/1.1\r\nHost: x\r\n\r\n";
        api_send(d, fd, request, sizeof request - 1);
        assert_true(api_read_until(d, fd, "n1", got, sizeof got));
        assert_non_null(strstr(got, "200 OK"));
    }
    (void)close(fd);
}

static void texts_and_configuration_are_served(void **state)
{
    sl_assert_str(api_call(*state, "GET", "/debug/info", NULL, NULL)->body, "all is well\n");
    sl_assert_str(api_at(api_call(*state, "GET", "/config", NULL, NULL), "addr"), "127.0.0.1:0");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(status_says_who_the_node_is_on_its_three_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_paths_are_plain_404, set_up, tear_down),
        cmocka_unit_test_setup_teardown(captures_are_a_list_in_v2_and_an_array_in_v1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(captures_are_listed_without_an_owner_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(health_fails_when_the_owner_is_not_alive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_of_the_reference_are_indented_by_four, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resign_is_202_in_v1_and_200_in_v2, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tso_is_the_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_level_is_set_or_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(redaction_can_only_become_stricter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stubs_for_old_clients_are_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_node_stops_when_asked_and_says_so_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metadata_is_shown_with_secrets_masked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_serves_many_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_and_configuration_are_served, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
