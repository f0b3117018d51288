/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients of the reference do, call by call, and what they must never read. Facts F18 and F19 of docs/conformance.md
 * as far as they are seen over HTTP.
 */
#include "tests/support/api_driver.h"
#include "tests/support/sl_test.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN "/api/v1/captures/drain"
#define N2_ID "aabb2222-0000-4000-8000-000000000002"
#define N2_BODY "{\"capture_id\":\"" N2_ID "\"}"

static char users_file[64];

static void with_users(struct sl_api_opts *opts)
{
    opts->users_file = users_file;
}

static void write_users(void)
{
    struct crypt_data data = { 0 };
    (void)snprintf(users_file, sizeof users_file, "%s", "/tmp/sluice-users-XXXXXX");
    int fd = mkstemp(users_file);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    assert_non_null(f);
    /* The cheapest hash there is: the test is about who is let in. */
    fprintf(f, "# people\n\nanna:operator:%s\n", crypt_r("water", "$5$rounds=1000$salt", &data));
    fprintf(f, "vera:viewer:%s\n", crypt_r("look", "$5$rounds=1000$salt", &data));
    fclose(f);
}

static int set_up(void **state)
{
    *state = api_driver_new(NULL);
    return 0;
}

static int set_up_with_users(void **state)
{
    write_users();
    *state = api_driver_new(with_users);
    return 0;
}

static int tear_down(void **state)
{
    api_driver_free(*state);
    if (users_file[0] != '\0')
        (void)unlink(users_file);
    users_file[0] = '\0';
    return 0;
}

/* ---- the drain of old clients ---- */

static void f19_with_auth_off_a_drain_is_202_with_the_count(void **state)
{
    struct api_driver *d = *state;
    d->reply.remaining = 7;
    const struct api_answer *a = api_call(d, "PUT", DRAIN, NULL, N2_BODY);
    sl_assert_i64(a->status, 202);
    sl_assert_str(a->body, "{\"current_table_count\":7}");
    sl_assert_str(api_asked(d, SL_REQUEST_DRAIN_NODE)->node, N2_ID);
}

static void f19_with_auth_on_and_no_credentials_a_drain_is_401_and_not_asked_for(void **state)
{
    struct api_driver *d = *state;
    const struct api_answer *a = api_call(d, "PUT", DRAIN, NULL, N2_BODY);
    sl_assert_i64(a->status, 401);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrCredentialNotFound");
    assert_null(api_asked(d, SL_REQUEST_DRAIN_NODE));
    /* What cdc cli sends when it has no user. */
    a = api_call(d, "PUT", DRAIN, "Authorization: Basic Og==\r\n", N2_BODY);
    sl_assert_i64(a->status, 401);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrUnauthorized");
    assert_null(api_asked(d, SL_REQUEST_DRAIN_NODE));
}

static void f19_with_auth_on_the_right_user_drains(void **state)
{
    struct api_driver *d = *state;
    const struct api_answer *a =
        api_call(d, "PUT", DRAIN, "Authorization: Basic YW5uYTp3YXRlcg==\r\n", N2_BODY); /* anna:water */
    sl_assert_i64(a->status, 202);
    sl_assert_str(d->audits[0].actor, "anna");
    sl_assert_str(d->audits[0].action, "capture_drain");
}

static void a_viewer_may_look_and_not_change(void **state)
{
    struct api_driver *d = *state;
    static const char vera[] = "Authorization: Basic dmVyYTpsb29r\r\n"; /* vera:look */
    sl_assert_i64(api_call(d, "GET", "/api/v2/changefeeds", vera, NULL)->status, 200);
    const struct api_answer *a = api_call(d, "PUT", DRAIN, vera, N2_BODY);
    sl_assert_i64(a->status, 401);
    a = api_call(d, "POST", "/api/v2/drains", vera, "{\"node\":\"n2\"}");
    sl_assert_i64(a->status, 403);
    assert_null(api_asked(d, SL_REQUEST_DRAIN));
    sl_assert_i64(api_call(d, "GET", "/api/v2/changefeeds", NULL, NULL)->status, 401);
    sl_assert_i64(api_call(d, "GET", "/status", NULL, NULL)->status, 200);
}

static void wrong_passwords_are_refused_however_often(void **state)
{
    struct api_driver *d = *state;
    static const char *const wrong[] = {
        "Authorization: Basic YW5uYTpXQVRFUg==\r\n",
        "Authorization: Basic bm9ib2R5OndhdGVy\r\n",
        "Authorization: Basic ????\r\n",
        "Authorization: Bearer YW5uYTp3YXRlcg==\r\n",
        "Authorization: Basic YW5uYQ==\r\n",
        "Authorization: Basic\r\n",
    };
    for (size_t i = 0; i < 2 * sizeof wrong / sizeof wrong[0]; i++) {
        const struct api_answer *a = api_call(d, "GET", "/api/v2/nodes", wrong[i / 2], NULL);
        sl_assert_i64(a->status, 401);
        sl_assert_str(api_at(a, "error_code"), "UNAUTHORIZED");
        assert_non_null(strstr(a->head, "WWW-Authenticate: Basic"));
    }
}

static void f18_a_fenced_node_says_stopping_and_is_not_healthy(void **state)
{
    struct api_driver *d = *state;
    d->is_fenced = true;
    sl_assert_str(api_at(api_call(d, "GET", "/api/v2/status", NULL, NULL), "liveness"), "2");
    sl_assert_i64(api_call(d, "GET", "/api/v1/health", NULL, NULL)->status, 500);
}

static void without_an_owner_a_drain_is_202_and_at_least_1(void **state)
{
    struct api_driver *d = *state;
    d->owner = -1;
    const struct api_answer *a = api_call(d, "PUT", DRAIN, NULL, N2_BODY);
    sl_assert_i64(a->status, 202);
    sl_assert_str(api_at(a, "current_table_count"), "1");
    assert_null(api_asked(d, SL_REQUEST_DRAIN_NODE));
}

static void an_owner_that_cannot_be_reached_is_202_and_1(void **state)
{
    struct api_driver *d = *state;
    d->owner = 1;
    memcpy(d->members[1].address, "127.0.0.1:1", sizeof "127.0.0.1:1"); /* nobody listens there */
    const struct api_answer *a = api_call(d, "PUT", DRAIN, NULL, N2_BODY);
    sl_assert_i64(a->status, 202);
    sl_assert_str(api_at(a, "current_table_count"), "1");
}

static void every_doubt_of_the_core_is_202_and_1(void **state)
{
    struct api_driver *d = *state;
    for (int code = SL_OK + 1; code < SL_CODE_COUNT; code++) {
        d->reply.code = (enum sl_code)code;
        const struct api_answer *a = api_call(d, "PUT", DRAIN, NULL, N2_BODY);
        if (code == SL_NOT_FOUND)
            continue;
        sl_assert_i64(a->status, 202);
        sl_assert_str(api_at(a, "current_table_count"), "1");
    }
}

static void a_core_that_is_silent_is_202_and_1_before_the_client_gives_up(void **state)
{
    struct api_driver *d = *state;
    d->hold = true;
    uint64_t began = uv_hrtime();
    const struct api_answer *a = api_call(d, "PUT", DRAIN, NULL, N2_BODY);
    sl_assert_i64(a->status, 202);
    sl_assert_str(api_at(a, "current_table_count"), "1");
    assert_true(uv_hrtime() - began < 5000000000u);
}

static void a_node_that_is_not_there_is_400_capture_not_exist(void **state)
{
    struct api_driver *d = *state;
    d->reply.code = SL_NOT_FOUND;
    const struct api_answer *a = api_call(d, "PUT", DRAIN, NULL, "{\"capture_id\":\"gone\"}");
    sl_assert_i64(a->status, 400);
    sl_assert_str(api_at(a, "error_msg"), "[CDC:ErrCaptureNotExist]capture not exists, gone");
}

static void a_drain_without_a_readable_body_is_400_invalid_param(void **state)
{
    struct api_driver *d = *state;
    static const char *const bodies[] = {
        "", "{}", "{\"capture_id\":7}", "{\"capture_id\":\"\"}", "[1]", "{\"capture_id\""
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const struct api_answer *a = api_call(d, "PUT", DRAIN, NULL, bodies[i]);
        sl_assert_i64(a->status, 400);
        sl_assert_str(api_at(a, "error_code"), "CDC:ErrAPIInvalidParam");
    }
    assert_null(api_asked(d, SL_REQUEST_DRAIN_NODE));
}

static void the_drain_of_old_clients_has_no_second_version(void **state)
{
    sl_assert_i64(api_call(*state, "PUT", "/api/v2/captures/drain", NULL, N2_BODY)->status, 404);
}

/* ---- feeds as cdc cli reads them ---- */

static const char orders_info[] =
    "{\"id\":{\"id\":{\"low\":18446744073709551615,\"high\":2},\"display\":{\"name\":\"orders\",\"keyspace\":"
    "\"default\"}},"
    "\"upstream-id\":7,\"sink-uri\":\"mysql://root:CANARY@db:3306/?sasl-password=CANARY\",\"create-time\":"
    "\"2026-01-02T03:04:05Z\",\"start-ts\":450000000000000001,\"target-ts\":0,\"admin-job-type\":0,\"config\":{"
    "\"force-replicate\":true,\"filter\":{\"rules\":[\"*.*\"]},\"sink\":{\"file-index-digit\":20,\"kafka-config\":{"
    "\"sasl-password\":\"CANARY\"},\"mysql-config\":{\"max-multi-update-row\":7},\"dispatchers\":[{\"matcher\":[\"a.*"
    "\"],"
    "\"target-schema\":\"x\"}]},\"consistent\":{\"storage\":\"s3://b/?secret-access-key=CANARY\"},\"scheduler\":{"
    "\"min-traffic-percentage\":0.8},\"synced-status\":{\"checkpoint-interval\":15}},\"creator-version\":\"v8.5.4\"}";

static struct sl_feed_view orders;

static void answer_with_orders(struct api_driver *d, const struct api_request *r, struct sl_reply *reply)
{
    (void)d;
    if (r->verb == SL_REQUEST_FEED_SHOW || r->verb == SL_REQUEST_FEED_LIST) {
        reply->feeds = &orders;
        reply->feed_count = 1;
    }
}

static void have_orders(struct api_driver *d, enum sl_feed_state state)
{
    static const char source[] = "gen://u:CANARY@x/?tables=3";
    orders = (struct sl_feed_view){
        .record = { .id = { .high = 2,
                            .low = UINT64_MAX,
                            .name_len = 6,
                            .keyspace_len = 7,
                            .name = "orders",
                            .keyspace = "default" },
                    .state = state,
                    .start_ts = 450000000000000001u },
        .checkpoint = 460000000000000000u,
        .node = d->members[1].id,
        .placement = "replicating",
        .info = { { (const uint8_t *)orders_info, sizeof orders_info - 1 } },
        .source = { { (const uint8_t *)source, sizeof source - 1 } },
    };
    d->answer = answer_with_orders;
}

static void a_feed_has_all_members_that_cdc_cli_reads(void **state)
{
    have_orders(*state, SL_FEED_NORMAL);
    const struct api_answer *a = api_call(*state, "GET", "/api/v2/changefeeds/orders?keyspace=default", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "id"), "orders");
    sl_assert_str(api_at(a, "upstream_id"), "7");
    sl_assert_str(api_at(a, "start_ts"), "450000000000000001");
    sl_assert_str(api_at(a, "checkpoint_ts"), "460000000000000000");
    sl_assert_str(api_at(a, "resolved_ts"), "460000000000000000");
    assert_non_null(strstr(a->body, "\"low\":18446744073709551615"));
    sl_assert_str(api_at(a, "maintainer_addr"), "127.0.0.1:8302");
    sl_assert_str(api_at(a, "config.force_replicate"), "true");
    sl_assert_str(api_at(a, "config.sink.file_index_width"), "20");
    sl_assert_str(api_at(a, "config.sink.mysql_config.max_multi_update_row_count"), "7");
    sl_assert_str(api_at(a, "config.sink.dispatchers.0.target-schema"), "x");
    sl_assert_str(api_at(a, "config.scheduler.min_traffic_percentage"), "0.8");
    sl_assert_str(api_at(a, "error"), "");
    sl_assert_u64(strlen(api_at(a, "checkpoint_time")), strlen("2006-01-02 15:04:05.000"));
}

static void no_answer_about_a_feed_holds_a_secret(void **state)
{
    static const char *const paths[] = {
        "/api/v2/changefeeds/orders",        "/api/v1/changefeeds/orders",        "/api/v2/changefeeds",
        "/api/v2/changefeeds/orders/status", "/api/v2/changefeeds/orders/synced", "/metrics"
    };
    have_orders(*state, SL_FEED_NORMAL);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct api_answer *a = api_call(*state, "GET", paths[i], NULL, NULL);
        sl_assert_i64(a->status, 200);
        assert_null(strstr(a->body, "CANARY"));
    }
    const struct api_answer *a = api_call(*state, "GET", "/api/v2/changefeeds/orders", NULL, NULL);
    sl_assert_str(api_at(a, "sink_uri"), "mysql://root:xxxxx@db:3306/?sasl-password=xxxxx");
    sl_assert_str(api_at(a, "source_uri"), "gen://u:xxxxx@x/?tables=3");
}

static void lists_of_feeds_are_filtered_by_state(void **state)
{
    have_orders(*state, SL_FEED_FINISHED);
    sl_assert_str(api_at(api_call(*state, "GET", "/api/v2/changefeeds", NULL, NULL), "total"), "0");
    sl_assert_str(api_at(api_call(*state, "GET", "/api/v2/changefeeds?state=all", NULL, NULL), "total"), "1");
    sl_assert_str(api_at(api_call(*state, "GET", "/api/v1/changefeeds?state=finished", NULL, NULL), "0.id"), "orders");
    have_orders(*state, SL_FEED_PENDING);
    sl_assert_str(api_at(api_call(*state, "GET", "/api/v2/changefeeds", NULL, NULL), "items.0.state"), "warning");
}

static void removing_a_feed_that_is_not_there_is_200_null(void **state)
{
    struct api_driver *d = *state;
    d->reply.code = SL_NOT_FOUND;
    const struct api_answer *a = api_call(d, "DELETE", "/api/v2/changefeeds/gone", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(a->body, "null");
    a = api_call(d, "GET", "/api/v2/changefeeds/gone", NULL, NULL);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrChangeFeedNotExists");
}

static void resume_of_a_running_feed_is_400_update_refused(void **state)
{
    struct api_driver *d = *state;
    d->reply.code = SL_REFUSED;
    const struct api_answer *a = api_call(d, "POST", "/api/v2/changefeeds/orders/resume", NULL, "");
    sl_assert_i64(a->status, 400);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrChangefeedUpdateRefused");
    d->reply.code = SL_OK;
    a = api_call(d, "POST", "/api/v2/changefeeds/orders/resume", NULL,
                 "{\"overwrite_checkpoint_ts\":18446744073709551615}");
    sl_assert_i64(a->status, 200);
    assert_true(api_asked(d, SL_REQUEST_FEED_RESUME)->checkpoint == UINT64_MAX);
}

static void before_the_coordinator_runs_feeds_are_500_wait_a_moment(void **state)
{
    struct api_driver *d = *state;
    d->reply.code = SL_NOT_READY;
    const struct api_answer *a = api_call(d, "GET", "/api/v2/changefeeds", NULL, NULL);
    sl_assert_i64(a->status, 500);
    sl_assert_str(api_at(a, "error_msg"), "coordinator is not fully initialized, wait a moment");
    sl_assert_str(api_at(a, "error_code"), "");
}

static void update_keeps_secrets_that_come_back_masked(void **state)
{
    struct api_driver *d = *state;
    have_orders(d, SL_FEED_STOPPED);
    const struct api_answer *a = api_call(
        d, "PUT", "/api/v2/changefeeds/orders", NULL,
        "{\"target_ts\":470000000000000000,\"sink_uri\":\"mysql://root:xxxxx@db:3306/?sasl-password=xxxxx\","
        "\"replica_config\":{\"force_replicate\":false,\"sink\":{\"kafka_config\":{\"sasl_password\":\"xxxxx\"}},"
        "\"consistent\":{\"storage\":\"s3://b/?secret-access-key=xxxxx\"}}}");
    sl_assert_i64(a->status, 200);
    const struct api_request *r = api_asked(d, SL_REQUEST_FEED_UPDATE);
    assert_non_null(r);
    assert_non_null(strstr(r->config, "mysql://root:CANARY@db:3306/?sasl-password=CANARY"));
    assert_non_null(strstr(r->config, "\"sasl-password\":\"CANARY\""));
    assert_non_null(strstr(r->config, "secret-access-key=CANARY"));
    assert_non_null(strstr(r->config, "\"force-replicate\":false"));
    assert_non_null(strstr(r->config, "\"target-ts\":470000000000000000"));
    assert_non_null(strstr(r->config, "18446744073709551615"));
    assert_null(strstr(a->body, "CANARY"));
}

static void a_running_feed_cannot_be_updated(void **state)
{
    have_orders(*state, SL_FEED_NORMAL);
    const struct api_answer *a = api_call(*state, "PUT", "/api/v2/changefeeds/orders", NULL, "{\"target_ts\":0}");
    sl_assert_i64(a->status, 400);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrChangefeedUpdateRefused");
    a = api_call(*state, "PUT", "/api/v2/changefeeds/orders", NULL, "{\"start_ts\":7}");
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrAPIInvalidParam");
}

/* ---- whole conversations ---- */

static void tiup_drains_a_node_and_waits_for_zero(void **state)
{
    struct api_driver *d = *state;
    sl_assert_i64(api_call(d, "GET", "/api/v1/captures", NULL, NULL)->status, 200);
    sl_assert_i64(api_call(d, "GET", "/api/v1/health", NULL, NULL)->status, 200);
    for (uint32_t left = 3; left > 0; left--) {
        char text[32];
        d->reply.remaining = left - 1;
        (void)snprintf(text, sizeof text, "%u", left - 1);
        sl_assert_str(api_at(api_call(d, "PUT", DRAIN, NULL, N2_BODY), "current_table_count"), text);
    }
    const struct api_answer *a = api_call(d, "GET", "/metrics", NULL, NULL);
    assert_non_null(strstr(a->body, "process_start_time_seconds "));
}

static void the_operator_resigns_then_finds_another_owner(void **state)
{
    struct api_driver *d = *state;
    sl_assert_str(api_at(api_call(d, "GET", "/api/v1/captures", NULL, NULL), "0.is_owner"), "true");
    sl_assert_i64(api_call(d, "POST", "/api/v1/owner/resign", NULL, NULL)->status, 202);
    d->owner = -1;
    const struct api_answer *a = api_call(d, "GET", "/api/v1/captures", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "0.is_owner"), "false");
    a = api_call(d, "POST", "/api/v1/owner/resign", NULL, NULL);
    sl_assert_i64(a->status, 500);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(f19_with_auth_off_a_drain_is_202_with_the_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(f19_with_auth_on_and_no_credentials_a_drain_is_401_and_not_asked_for,
                                        set_up_with_users, tear_down),
        cmocka_unit_test_setup_teardown(f19_with_auth_on_the_right_user_drains, set_up_with_users, tear_down),
        cmocka_unit_test_setup_teardown(a_viewer_may_look_and_not_change, set_up_with_users, tear_down),
        cmocka_unit_test_setup_teardown(wrong_passwords_are_refused_however_often, set_up_with_users, tear_down),
        cmocka_unit_test_setup_teardown(f18_a_fenced_node_says_stopping_and_is_not_healthy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_an_owner_a_drain_is_202_and_at_least_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_owner_that_cannot_be_reached_is_202_and_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_doubt_of_the_core_is_202_and_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_core_that_is_silent_is_202_and_1_before_the_client_gives_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_node_that_is_not_there_is_400_capture_not_exist, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_drain_without_a_readable_body_is_400_invalid_param, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_drain_of_old_clients_has_no_second_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_feed_has_all_members_that_cdc_cli_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_answer_about_a_feed_holds_a_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_of_feeds_are_filtered_by_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removing_a_feed_that_is_not_there_is_200_null, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resume_of_a_running_feed_is_400_update_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(before_the_coordinator_runs_feeds_are_500_wait_a_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(update_keeps_secrets_that_come_back_masked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_running_feed_cannot_be_updated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tiup_drains_a_node_and_waits_for_zero, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_operator_resigns_then_finds_another_owner, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
