/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/api_driver.h"
#include "tests/support/sl_test.h"

#include "edge/http/feed_record.h"
#include "wire/feed_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Making feeds, and their tables. The sources and sinks are made up here: "toy" works, "broken" does not. */

static bool toy_check(struct sl_secret uri, struct sl_trouble *t)
{
    struct sl_bytes b = sl_secret_reveal(uri);
    if (b.len > 9 && memcmp(b.ptr, "broken://", 9) == 0)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "use toy", "it is broken");
    return true;
}

static bool toy_head(sl_ts *out, struct sl_secret uri, struct sl_trouble *t)
{
    (void)uri;
    (void)t;
    *out = 4711;
    return true;
}

static bool toy_list(const struct sl_source_open *o, bool (*each)(void *ctx, const struct sl_source_table *table),
                     void *ctx, struct sl_trouble *t)
{
    (void)o;
    (void)t;
    for (int64_t id = 1; id <= 3; id++) {
        const struct sl_source_table table = { id, 9, SL_STR("shop"), SL_STR("t\"1"), id == 2 };
        if (!each(ctx, &table))
            return true;
    }
    return true;
}

static const struct sl_source_driver toy_source = {
    .schemes = "toy broken", .check = toy_check, .head = toy_head, .list = toy_list
};
static const struct sl_sink_driver toy_sink = { .schemes = "toy broken", .check = toy_check };
static const struct sl_source_driver *const toy_sources[] = { &toy_source, NULL };
static const struct sl_sink_driver *const toy_sinks[] = { &toy_sink, NULL };

static void with_toys(struct sl_api_opts *opts)
{
    opts->sources = toy_sources;
    opts->sinks = toy_sinks;
}

static char made_info[16384], made_source[4096];
static struct sl_feed_view made;

/* What was created is shown. */
static void keep(struct api_driver *d, const struct api_request *r, struct sl_reply *reply)
{
    (void)d;
    if (r->verb == SL_REQUEST_FEED_CREATE) {
        memcpy(made_info, r->config, sizeof made_info);
        memcpy(made_source, r->source, sizeof made_source);
        made = (struct sl_feed_view){ .checkpoint = r->checkpoint, .placement = "absent" };
        memcpy(made.record.id.name, r->feed, SL_FEED_NAME_MAX);
        memcpy(made.record.id.keyspace, "default", 8);
        made.info = sl_secret_of((struct sl_bytes){ (const uint8_t *)made_info, strlen(made_info) });
        made.source = sl_secret_of((struct sl_bytes){ (const uint8_t *)made_source, strlen(made_source) });
    }
    if (r->verb == SL_REQUEST_FEED_SHOW) {
        reply->feeds = &made;
        reply->feed_count = 1;
    }
}

static int set_up(void **state)
{
    struct api_driver *d = api_driver_new(with_toys);
    d->answer = keep;
    *state = d;
    return 0;
}

static int tear_down(void **state)
{
    api_driver_free(*state);
    return 0;
}

#define CREATE "/api/v2/changefeeds"

static void a_feed_gets_a_record_that_every_node_can_read(void **state)
{
    struct api_driver *d = *state;
    struct sl_feed_info info;
    struct sl_feed_record record;
    const struct api_answer *a = api_call(d, "POST", CREATE, NULL,
                                          "{\"changefeed_id\":\"orders\",\"source_uri\":\"toy://u:CANARY@s\","
                                          "\"sink_uri\":\"toy://u:CANARY@t\",\"start_ts\":450000000000000001}");
    const struct api_request *r = api_asked(d, SL_REQUEST_FEED_CREATE);
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "id"), "orders");
    sl_assert_str(api_at(a, "sink_uri"), "toy://u:xxxxx@t");
    sl_assert_str(api_at(a, "source_uri"), "toy://u:xxxxx@s");
    assert_null(strstr(a->body, "CANARY"));
    sl_assert_str(r->source, "toy://u:CANARY@s");
    sl_assert_u64(r->checkpoint, 450000000000000001u);
    struct sl_secret config = made.info;
    sl_assert_i64(sl_feed_info_parse(&info, config, 1u << 20), SL_REFUSE_NONE);
    sl_assert_i64(sl_feed_record_parse(&record, SL_STR("default"), SL_STR("orders"), config), SL_OK);
    sl_assert_u64(info.start_ts, 450000000000000001u);
    assert_true(info.id_high != 0 || info.id_low != 0);
    assert_non_null(strstr(r->config, "\"sync-point-interval\":600000000000"));
    assert_non_null(strstr(r->config, "\"min-traffic-percentage\":0.8"));
    assert_non_null(strstr(r->config, "\"namespace\":\"default\""));
}

static void what_a_client_configures_is_taken_and_the_rest_has_defaults(void **state)
{
    struct api_driver *d = *state;
    const struct api_answer *a = api_call(
        d, "POST", CREATE, NULL,
        "{\"changefeed_id\":\"f\",\"sink_uri\":\"toy://"
        "t\",\"start_ts\":5,\"replica_config\":{\"sync_point_interval\":\"1m30s\","
        "\"changefeed_error_stuck_duration\":3600000000000,\"unknown_key\":7,\"filter\":{\"rules\":[\"a.*\"],"
        "\"event_filters\":[{\"matcher\":[\"a.*\"],\"ignore_event\":[\"insert\"]}]},\"sink\":{\"file_index_width\":7,"
        "\"mysql_config\":{\"max_multi_update_row_count\":3},\"csv\":{\"null\":\"-\"}}}}");
    const struct api_request *r = api_asked(d, SL_REQUEST_FEED_CREATE);
    sl_assert_i64(a->status, 200);
    assert_non_null(strstr(r->config, "\"sync-point-interval\":90000000000"));
    assert_non_null(strstr(r->config, "\"changefeed-error-stuck-duration\":3600000000000"));
    assert_non_null(strstr(r->config, "\"rules\":[\"a.*\"]"));
    assert_non_null(strstr(r->config, "\"ignore-event\":[\"insert\"]"));
    assert_non_null(strstr(r->config, "\"file-index-digit\":7"));
    assert_non_null(strstr(r->config, "\"max-multi-update-row\":3"));
    assert_non_null(strstr(r->config, "\"null\":\"-\""));
    assert_null(strstr(r->config, "unknown"));
    sl_assert_str(api_at(a, "config.sink.file_index_width"), "7");
    sl_assert_str(api_at(a, "config.filter.event_filters.0.ignore_event.0"), "insert");
    sl_assert_str(api_at(a, "config.sink.terminator"), "\r\n");
}

static void without_a_start_it_is_where_the_source_is_now(void **state)
{
    struct api_driver *d = *state;
    sl_assert_i64(api_call(d, "POST", CREATE, NULL, "{\"sink_uri\":\"toy://t\",\"source_uri\":\"toy://s\"}")->status,
                  200);
    const struct api_request *r = api_asked(d, SL_REQUEST_FEED_CREATE);
    sl_assert_u64(r->checkpoint, 4711);
    assert_true(strlen(r->feed) > 10); /* a name of digits was made up */
    sl_assert_i64(api_call(d, "POST", CREATE, NULL, "{\"sink_uri\":\"toy://t\"}")->status, 200);
    assert_true(api_asked(d, SL_REQUEST_FEED_CREATE)->checkpoint > UINT64_C(1700000000000) << 18);
}

static void the_old_api_is_flat_and_answers_202(void **state)
{
    struct api_driver *d = *state;
    const struct api_answer *a =
        api_call(d, "POST", "/api/v1/changefeeds", NULL,
                 "{\"changefeed_id\":\"f\",\"sink_uri\":\"toy://t\",\"start_ts\":5,\"filter_rules\":[\"b.*\"],"
                 "\"mounter_worker_num\":3,\"sink_config\":{\"date-separator\":\"year\"}}");
    const struct api_request *r = api_asked(d, SL_REQUEST_FEED_CREATE);
    sl_assert_i64(a->status, 202);
    assert_non_null(strstr(r->config, "\"rules\":[\"b.*\"]"));
    assert_non_null(strstr(r->config, "\"worker-num\":3"));
    assert_non_null(strstr(r->config, "\"date-separator\":\"year\""));
}

static void feeds_that_cannot_be_are_400_with_the_place(void **state)
{
    static const struct {
        const char *body, *code, *text;
    } rows[] = {
        { "{}", "CDC:ErrAPIInvalidParam", "sink_uri" },
        { "{\"sink_uri\":7}", "CDC:ErrAPIInvalidParam", "sink_uri" },
        { "{\"sink_uri\":\"nothing\"}", "CDC:ErrSinkURIInvalid", "sink" },
        { "{\"sink_uri\":\"ftp://u:CANARY@x\"}", "CDC:ErrSinkURIInvalid", "scheme" },
        { "{\"sink_uri\":\"broken://u:CANARY@x\"}", "CDC:ErrSinkURIInvalid", "it is broken; use toy" },
        { "{\"sink_uri\":\"toy://x\",\"source_uri\":\"broken://CANARY\"}", "CDC:ErrAPIInvalidParam", "it is broken" },
        { "{\"sink_uri\":\"toy://x\",\"start_ts\":9,\"target_ts\":9}", "CDC:ErrTargetTsBeforeStartTs", "target" },
        { "{\"sink_uri\":\"toy://x\",\"start_ts\":1,\"start\":\"snapshot\"}", "CDC:ErrAPIInvalidParam", "start" },
        { "{\"sink_uri\":\"toy://x\",\"start_ts\":1,\"replica_config\":[]}", "CDC:ErrAPIInvalidParam",
          "replica_config" },
        { "{\"sink_uri\":\"toy://x\",\"start_ts\":1,\"replica_config\":{\"case_sensitive\":1}}",
          "CDC:ErrAPIInvalidParam", "case-sensitive" },
        { "{\"sink_uri\":\"toy://x\",\"start_ts\":1,\"replica_config\":{\"filter\":{\"rules\":[1.5]}}}",
          "CDC:ErrAPIInvalidParam", "filter.rules" },
        { "{\"sink_uri\":\"toy://x\",\"start_ts\":1,\"replica_config\":{\"sync_point_interval\":\"1s\"}}",
          "CDC:ErrAPIInvalidParam", "30s" },
        { "{\"sink_uri\":\"toy://x\",\"strict\":true,\"replica_config\":{\"filter\":{\"rule\":[]}}}",
          "CDC:ErrAPIInvalidParam", "filter.rule;" },
        { "{\"sink_uri\":\"toy://x\",\"strict\":true,\"replica_config\":{\"sink\":{\"a\":{\"b\":1}}}}",
          "CDC:ErrAPIInvalidParam", "sink.a;" },
        { "{\"sink_uri\":\"toy://x\",\"replica_config\":{\"filter\":{\"rules\":[\"a.*\",\"shop\"]}}}",
          "CDC:ErrFilterRuleInvalid", "filter rule 2 cannot be read; write" },
        { "{\"sink_uri\":\"toy://x\",\"strict\":1}", "CDC:ErrAPIInvalidParam", "strict" },
        { "{\"sink_uri\":\"toy://x\",\"start_ts\":18446744073709551616}", "CDC:ErrAPIInvalidParam", "" },
    };
    struct api_driver *d = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct api_answer *a = api_call(d, "POST", CREATE, NULL, rows[i].body);
        sl_assert_i64(a->status, 400);
        sl_assert_str(api_at(a, "error_code"), rows[i].code);
        assert_non_null(strstr(a->body, rows[i].text));
        assert_null(strstr(a->body, "CANARY"));
    }
    sl_assert_u64(d->request_count, 0);
}

static void a_name_that_is_taken_is_400_already_exists(void **state)
{
    struct api_driver *d = *state;
    d->answer = NULL;
    d->reply.code = SL_EXISTS;
    const struct api_answer *a =
        api_call(d, "POST", CREATE, NULL, "{\"changefeed_id\":\"f\",\"sink_uri\":\"toy://t\",\"start_ts\":5}");
    sl_assert_i64(a->status, 400);
    sl_assert_str(api_at(a, "error_msg"), "[CDC:ErrChangeFeedAlreadyExists]changefeed already exists, f");
}

static void tables_of_a_source_are_listed_for_cdc_cli(void **state)
{
    const struct api_answer *a =
        api_call(*state, "POST", "/api/v2/verify_table", NULL, "{\"source_uri\":\"toy://s\",\"start_ts\":5}");
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "eligible_tables.1.table_id"), "3");
    sl_assert_str(api_at(a, "ineligible_tables.0.table_id"), "2");
    sl_assert_str(api_at(a, "all_tables.2.table_id"), "3");
    sl_assert_str(api_at(a, "all_tables.0.table_name"), "t\"1");

    a = api_call(*state, "POST", "/api/v2/get_all_tables", NULL, "{\"sink_uri\":\"x\"}");
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "all_tables"), "[ ]");
}

/* ---- tables of a feed ---- */

static void answer_tables(struct api_driver *d, const struct api_request *r, struct sl_reply *reply)
{
    static struct sl_table_view rows[2];
    rows[0] = (struct sl_table_view){ .table_id = r->table_after == INT64_MIN ? 1 : 3,
                                      .node = d->members[0].id,
                                      .schema_name = SL_STR("shop"),
                                      .table_name = SL_STR("a"),
                                      .state = "replicating" };
    rows[1] = rows[0];
    rows[1].table_id++;
    rows[1].node = d->members[1].id;
    reply->tables = rows;
    reply->table_count = 2;
    reply->has_more = r->table_after == INT64_MIN;
}

static void tables_come_in_as_many_answers_as_it_takes(void **state)
{
    struct api_driver *d = *state;
    d->answer = answer_tables;
    const struct api_answer *a = api_call(d, "GET", "/api/v2/changefeeds/f/tables", NULL, NULL);
    sl_assert_str(api_at(a, "total"), "2");
    sl_assert_str(api_at(a, "items.0.table_ids"), "[ 1, 3 ]");
    sl_assert_str(api_at(a, "items.1.table_ids"), "[ 2, 4 ]");
    a = api_call(d, "GET", "/api/v2/changefeeds/f/spans", NULL, NULL);
    sl_assert_str(api_at(a, "total"), "4");
    sl_assert_str(api_at(a, "items.3.table_id"), "4");
    sl_assert_str(api_at(a, "items.3.schema"), "shop");
}

static void a_table_is_moved_in_both_versions_of_the_api(void **state)
{
    struct api_driver *d = *state;
    d->answer = NULL;
    sl_assert_i64(
        api_call(d, "POST", "/api/v2/changefeeds/f/move_table?tableID=7&targetNodeID=n2&mode=0", NULL, NULL)->status,
        200);
    sl_assert_i64(api_asked(d, SL_REQUEST_TABLE_MOVE)->table_id, 7);
    sl_assert_str(api_asked(d, SL_REQUEST_TABLE_MOVE)->node, "aabb2222-0000-4000-8000-000000000002");
    const struct api_answer *a =
        api_call(d, "POST", "/api/v1/changefeeds/f/tables/move_table", NULL, "{\"table_id\":8,\"capture_id\":\"n3\"}");
    sl_assert_i64(a->status, 202);
    sl_assert_i64(api_asked(d, SL_REQUEST_TABLE_MOVE)->table_id, 8);
    a = api_call(d, "POST", "/api/v2/changefeeds/f/move_table?tableID=x&targetNodeID=n2", NULL, NULL);
    sl_assert_i64(a->status, 400);
    d->reply.code = SL_NOT_FOUND;
    a = api_call(d, "POST", "/api/v2/changefeeds/f/move_table?tableID=7&targetNodeID=n2", NULL, NULL);
    sl_assert_i64(a->status, 500);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrTableIsNotFounded");
}

static void a_feed_without_a_maintainer_says_so(void **state)
{
    struct api_driver *d = *state;
    d->answer = NULL;
    d->reply.code = SL_NOT_OWNER;
    const struct api_answer *a = api_call(d, "GET", "/api/v2/changefeeds/f/get_dispatcher_count", NULL, NULL);
    sl_assert_i64(a->status, 500);
    sl_assert_str(api_at(a, "error_code"), "CDC:ErrMaintainerNotFounded");
    sl_assert_i64(api_call(d, "GET", "/api/v2/changefeeds/f/spans", NULL, NULL)->status, 503);
    d->reply.code = SL_OK;
    d->reply.dispatcher_count = 12;
    a = api_call(d, "GET", "/api/v2/changefeeds/f/get_dispatcher_count", NULL, NULL);
    sl_assert_str(a->body, "{\"count\":12}");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_feed_gets_a_record_that_every_node_can_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_client_configures_is_taken_and_the_rest_has_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_start_it_is_where_the_source_is_now, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_old_api_is_flat_and_answers_202, set_up, tear_down),
        cmocka_unit_test_setup_teardown(feeds_that_cannot_be_are_400_with_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_is_taken_is_400_already_exists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_of_a_source_are_listed_for_cdc_cli, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_come_in_as_many_answers_as_it_takes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table_is_moved_in_both_versions_of_the_api, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_feed_without_a_maintainer_says_so, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
