/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/feed_body.h"
#include "cli/model.h"
#include "cli/nodes.h"
#include "tests/support/sl_test.h"

#include <string.h>

static void members_that_are_absent_or_of_another_type_are_not_known(void **state)
{
    struct sl_cli_node n;
    struct json_object *json = json_tokener_parse("{\"id\":\"x\",\"name\":7,\"maintainers\":null,\"dispatchers\":\"5\","
                                                  "\"is_owner\":1,\"liveness\":\"unknown\"}");
    (void)state;
    assert_true(sl_cli_node_decode(&n, json));
    sl_assert_str(n.name, "");
    assert_false(n.maintainers.is_known || n.dispatchers.is_known || n.is_owner);
    assert_true(n.is_unknown);
    json_object_put(json);
    assert_false(sl_cli_node_decode(&n, NULL));
}

static void a_drain_is_read_whole(void **state)
{
    struct sl_cli_drain d;
    struct json_object *json = json_tokener_parse(
        "{\"id\":\"9af0\",\"node\":{\"id\":\"x\",\"name\":\"n\\u001b2\"},\"phase\":\"evacuating\",\"proof\":"
        "\"reference\",\"blocker\":{\"kind\":\"K\",\"text\":\"T\",\"detail\":\"D\"},\"remaining\":{\"maintainers\":1,"
        "\"dispatchers\":18446744073709551615},\"created_at\":\"2026-11-23T18:00:00.123Z\",\"deadline_at\":null,"
        "\"slowest\":[{\"feed\":\"f\",\"age_ms\":5},{},{},{},{},{},{},{},{},{},{},{}]}");
    (void)state;
    assert_true(sl_cli_drain_decode(&d, json));
    sl_assert_str(d.target_name, "n\\x1b2");
    sl_assert_str(d.blocker_detail, "D");
    assert_true(d.proof_reference && d.maintainers.is_known && !d.operators.is_known);
    sl_assert_u64(d.dispatchers.v, UINT64_MAX);
    sl_assert_u64(d.created_ms, UINT64_C(1795456800123));
    sl_assert_u64(d.deadline_ms, 0);
    sl_assert_u64(d.slow_count, SL_CLI_SLOW_MAX);
    json_object_put(json);
}

static void what_is_no_object_of_the_api_is_refused(void **state)
{
    static const char *const texts[] = { "[]", "7", "\"x\"", "{}", "{\"id\":\"\"}", "{\"id\":\"x\"}" };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sl_cli_drain d;
        struct json_object *json = json_tokener_parse(texts[i]);
        assert_false(sl_cli_drain_decode(&d, json));
        json_object_put(json);
    }
}

static void times_that_are_none_are_0(void **state)
{
    static const char *const texts[] = { "{\"t\":\"\"}", "{\"t\":\"yesterday\"}", "{\"t\":\"2026-13-01T00:00:00Z\"}",
                                         "{\"t\":\"1969-01-01T00:00:00Z\"}", "{\"t\":5}" };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct json_object *json = json_tokener_parse(texts[i]);
        sl_assert_u64(sl_cli_member_time_ms(json, "t"), 0);
        json_object_put(json);
    }
    struct json_object *leap = json_tokener_parse("{\"t\":\"2024-02-29T12:00:00Z\"}");
    sl_assert_u64(sl_cli_member_time_ms(leap, "t"), UINT64_C(1709208000000));
    json_object_put(leap);
}

static void lists_are_objects_with_items_or_bare_arrays(void **state)
{
    struct json_object *object = json_tokener_parse("{\"items\":[1,2]}"), *bare = json_tokener_parse("[1]");
    (void)state;
    sl_assert_u64(sl_cli_item_count(object), 2);
    sl_assert_u64(sl_cli_item_count(bare), 1);
    sl_assert_u64(sl_cli_item_count(NULL), 0);
    json_object_put(object);
    json_object_put(bare);
}

static void a_beginning_counts_if_only_one_begins_so(void **state)
{
    const char *names[] = { "n1", "n10", "node", NULL };
    size_t matches;
    (void)state;
    sl_assert_u64(sl_cli_match(names, 4, "n1", &matches), 0); /* whole */
    sl_assert_u64(sl_cli_match(names, 4, "n10", &matches), 1);
    sl_assert_u64(sl_cli_match(names, 4, "no", &matches), 2);
    sl_assert_u64(sl_cli_match(names, 4, "n", &matches), SIZE_MAX);
    sl_assert_u64(matches, 3);
    sl_assert_u64(sl_cli_match(names, 4, "x", &matches), SIZE_MAX);
    sl_assert_u64(matches, 0);
    sl_assert_u64(sl_cli_match(names, 4, "", &matches), SIZE_MAX);
}

static void members_of_a_configuration_are_set_by_path(void **state)
{
    struct json_object *config = json_object_new_object();
    char problem[100];
    (void)state;
    assert_true(sl_cli_feed_set(config, "filter.case-sensitive=true", problem, sizeof problem));
    assert_true(sl_cli_feed_set(config, "filter.rules=[\"a.*\"]", problem, sizeof problem));
    assert_true(sl_cli_feed_set(config, "memory_quota=1073741824", problem, sizeof problem));
    assert_true(sl_cli_feed_set(config, "sink.protocol=open-protocol", problem, sizeof problem));
    assert_true(sl_cli_feed_set(config, "sink.protocol=a=b", problem, sizeof problem));
    sl_assert_str(json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN),
                  "{\"filter\":{\"case_sensitive\":true,\"rules\":[\"a.*\"]},\"memory_quota\":1073741824,"
                  "\"sink\":{\"protocol\":\"a=b\"}}");
    assert_false(sl_cli_feed_set(config, "nothing", problem, sizeof problem));
    assert_false(sl_cli_feed_set(config, "=x", problem, sizeof problem));
    json_object_put(config);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_that_are_absent_or_of_another_type_are_not_known),
        cmocka_unit_test(a_drain_is_read_whole),
        cmocka_unit_test(what_is_no_object_of_the_api_is_refused),
        cmocka_unit_test(times_that_are_none_are_0),
        cmocka_unit_test(lists_are_objects_with_items_or_bare_arrays),
        cmocka_unit_test(a_beginning_counts_if_only_one_begins_so),
        cmocka_unit_test(members_of_a_configuration_are_set_by_path),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
