/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/board.h"
#include "edge/http/clock.h"
#include "edge/http/mask.h"
#include "edge/http/metrics.h"
#include "edge/http/router.h"
#include "tests/support/sl_test.h"

#include <string.h>

/* The parts of the API that only compute. */

static void passwords_and_secret_parameters_are_masked(void **state)
{
    static const struct {
        const char *uri, *shown;
    } rows[] = {
        { "mysql://app:pw@db:3306/?a=1", "mysql://app:xxxxx@db:3306/?a=1" },
        { "mysql://app@db/", "mysql://app@db/" },
        { "kafka://b1:9092,b2:9092/topic?sasl-password=pw&x=y",
          "kafka://b1:9092,b2:9092/topic?sasl-password=xxxxx&x=y" },
        { "s3://b/p?access-key=pw&secret-access-key=pw", "s3://b/p?access-key=xxxxx&secret-access-key=xxxxx" },
        { "mysql://app:p@ss@db/", "mysql://app:xxxxx@db/" },
        { "mysql://app:p?ss@db/", "mysql://app:xxxxx@db/" },
        { "x://h/?%70assword=pw", "x://h/?%70assword=xxxxx" },
        { "x://h/?PASSWORD=pw;token=pw", "x://h/?PASSWORD=xxxxx;token=xxxxx" },
        { "mysql://[::1]:3306/", "mysql://[::1]:3306/" },
        { "blackhole://", "blackhole://" },
        { "no uri at all", "no uri at all" },
        { "", "" },
        { "x://h/?sasl-gssapi-auth-type=user", "x://h/?sasl-gssapi-auth-type=user" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sl__buf shown = { .bytes_max = 4096 };
        struct sl_secret uri = { { (const uint8_t *)rows[i].uri, strlen(rows[i].uri) } };
        assert_true(sl__mask_uri(&shown, uri) && sl__buf_add(&shown, "", 1));
        sl_assert_str(shown.ptr, rows[i].shown);
        assert_true(sl__mask_equals(uri, sl_str_of(rows[i].shown)));
        sl__buf_deinit(&shown);
    }
}

static void times_are_read_as_people_write_them(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = { { "10m", 600000 }, { "1h30m", 5400000 }, { "5s", 5000 }, { "250ms", 250 },        { "1.5s", 1500 },
                 { "90", 90000 },   { "0s", 0 },          { "500us", 0 }, { "2h0m1.25s", 7201250 } };
    static const char *const wrong[] = { "", "m", "soon", "-5s", "5 s", "5d", "1.s", ".5s", "10m5", "9999999999s" };
    uint64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(sl__time_parse_ms(sl_str_of(rows[i].text), &ms));
        sl_assert_u64(ms, rows[i].ms);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(sl__time_parse_ms(sl_str_of(wrong[i]), &ms));
}

static void times_are_shown_as_clients_parse_them(void **state)
{
    char text[SL__TIME_BYTES];
    (void)state;
    sl_assert_str(sl__time_rfc3339(text, 1700000000123), "2023-11-14T22:13:20.123Z");
    sl_assert_u64(strlen(sl__time_local(text, 1700000000123)), strlen("2006-01-02 15:04:05.000"));
    sl_assert_str(sl__time_rfc3339(text, UINT64_MAX), "9999-12-31T23:59:59.999Z");
}

static const struct sl__route *find(const char *method, const char *path, struct sl_str params[SL__PARAMS_MAX])
{
    return sl__route_find(sl_str_of(method), sl_str_of(path), params);
}

static void routes_are_found_by_method_and_whole_path(void **state)
{
    struct sl_str params[SL__PARAMS_MAX];
    (void)state;
    sl_assert_i64(find("GET", "/api/v2/changefeeds/a-b", params)->id, SL__ROUTE_feed_get_v2);
    assert_true(sl_str_eq(params[0], SL_STR("a-b")));
    sl_assert_i64(find("HEAD", "/status", params)->id, SL__ROUTE_status);
    sl_assert_i64(find("GET", "/api/v2/processors/f/n", params)->id, SL__ROUTE_processor_v2);
    assert_true(sl_str_eq(params[1], SL_STR("n")));
    sl_assert_i64(find("GET", "/ui/", params)->id, SL__ROUTE_ui_index);
    assert_null(find("GET", "/api/v2/changefeeds/", params));
    assert_null(find("GET", "/api/v2/changefeeds/a/b/c", params));
    assert_null(find("get", "/status", params));
    assert_null(find("GET", "/statu", params));
    assert_null(find("GET", "/status/", params));
    assert_null(find("GET", "", params));
}

static void no_two_routes_are_the_same(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SL__ROUTE_COUNT; i++) {
        for (uint32_t k = i + 1; k < SL__ROUTE_COUNT; k++) {
            const struct sl__route *a = sl__route_at(i), *b = sl__route_at(k);
            assert_false(strcmp(a->method, b->method) == 0 && strcmp(a->path, b->path) == 0);
        }
    }
}

static void metrics_come_by_family_whatever_the_order(void **state)
{
    static const double bounds[] = { 1, 2.5 };
    struct sl_histogram h = { .bounds = bounds, .bound_count = 2 };
    struct sl_metrics *m;
    (void)state;
    assert_int_equal(sl_metrics_new(&m, 1u << 16), SL_OK);
    const struct sl_label label = sl_label_of("node", SL_STR("a\"b\\c\nd\xff"));
    sl_histogram_observe(&h, 0.5);
    sl_histogram_observe(&h, 2.5);
    sl_histogram_observe(&h, 9);
    sl_metrics_u64(m, SL_METRIC_NODES, NULL, 0, UINT64_MAX);
    sl_metrics_u64(m, SL_METRIC_DRAIN_SAFE, &label, 1, 1);
    sl_metrics_u64(m, SL_METRIC_NODES, &label, 1, 2);
    sl_metrics_histogram(m, SL_METRIC_MOVE_DURATION, NULL, 0, &h);
    struct sl_str page = sl_metrics_text(m);
    static const char wanted[] = "# HELP sluice_drain_safe_to_stop 1 when the target is proved safe to stop, else 0.\n"
                                 "# TYPE sluice_drain_safe_to_stop gauge\n"
                                 "sluice_drain_safe_to_stop{node=\"a\\\"b\\\\c\\nd?\"} 1\n"
                                 "# HELP sluice_move_duration_seconds How long moves of dispatchers took.\n"
                                 "# TYPE sluice_move_duration_seconds histogram\n"
                                 "sluice_move_duration_seconds_bucket{le=\"1\"} 1\n"
                                 "sluice_move_duration_seconds_bucket{le=\"2.5\"} 2\n"
                                 "sluice_move_duration_seconds_bucket{le=\"+Inf\"} 3\n"
                                 "sluice_move_duration_seconds_sum 12\n"
                                 "sluice_move_duration_seconds_count 3\n"
                                 "# HELP sluice_nodes Members of the cluster, as this node sees them.\n"
                                 "# TYPE sluice_nodes gauge\n"
                                 "sluice_nodes 18446744073709551615\n"
                                 "sluice_nodes{node=\"a\\\"b\\\\c\\nd?\"} 2\n";
    sl_assert_u64(page.len, sizeof wanted - 1);
    sl_assert_mem(page.ptr, wanted, sizeof wanted - 1);
    sl_metrics_free(m);
}

static void metrics_that_do_not_fit_are_counted(void **state)
{
    struct sl_metrics *m;
    (void)state;
    assert_int_equal(sl_metrics_new(&m, 256), SL_OK);
    for (int i = 0; i < 100; i++)
        sl_metrics_u64(m, SL_METRIC_NODES, NULL, 0, 1);
    struct sl_str page = sl_metrics_text(m);
    assert_true(page.len < 2048);
    sl_metrics_free(m);
}

static void the_board_remembers_phases_and_progress(void **state)
{
    static struct sl__board b;
    struct sl_drain_view v = { .intent = { .id = "d1", .created_wall_ms = 1000 }, .dispatchers = 9 };
    (void)state;
    sl__board_init(&b);
    sl__board_observe(&b, 1, 1100, &v);
    uint64_t version = sl__board_find(&b, "d1")->version;
    sl__board_observe(&b, 2, 1200, &v);
    sl_assert_u64(sl__board_find(&b, "d1")->version, version); /* nothing changed */
    sl_assert_i64(sl__board_find(&b, "d1")->progress_at, 1);
    v.dispatchers = 3;
    sl__board_observe(&b, 3, 1300, &v);
    sl_assert_i64(sl__board_find(&b, "d1")->progress_at, 3);
    v.intent.phase = SL_DRAIN_SAFE;
    sl__board_observe(&b, 4, 3000, &v);
    sl__board_observe(&b, 5, 3100, &v);
    sl_assert_u64(sl__board_find(&b, "d1")->phase_count, 2);
    assert_true(sl__board_find(&b, "d1")->version > version);
    sl_assert_u64((uint64_t)b.durations.sum, 2); /* 1000 to 3000 ms, once */
    for (unsigned i = 0; i < 3 * SL__BOARD_DRAINS_MAX; i++) {
        struct sl_drain_view other = { .intent = { .id = { 'x', (char)('0' + i / 64), (char)('0' + i % 64) } } };
        sl__board_observe(&b, 10 + (sl_ns)i, 1, &other);
    }
    assert_null(sl__board_find(&b, "d1"));
    sl_assert_u64(b.count, SL__BOARD_DRAINS_MAX);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_and_secret_parameters_are_masked),
        cmocka_unit_test(times_are_read_as_people_write_them),
        cmocka_unit_test(times_are_shown_as_clients_parse_them),
        cmocka_unit_test(routes_are_found_by_method_and_whole_path),
        cmocka_unit_test(no_two_routes_are_the_same),
        cmocka_unit_test(metrics_come_by_family_whatever_the_order),
        cmocka_unit_test(metrics_that_do_not_fit_are_counted),
        cmocka_unit_test(the_board_remembers_phases_and_progress),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
