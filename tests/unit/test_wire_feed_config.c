/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_test.h"
#include "tests/wire/wire_fixture.h"
#include "wire/feed_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 16 * 1024, JSON_BYTES_MAX = 64 * 1024 };

/* A record as a coordinator of the protocol writes it. */
static const char record[] =
    "{\"id\":{\"id\":{\"low\":1,\"high\":2},\"display\":{\"name\":\"cf\",\"keyspace\":\"default\",\"namespace\":"
    "\"default\"}},\n"
    "\"upstream-id\":7300000000000000001,\"sink-uri\":\"blackhole://\",\"create-time\":\"2026-08-18T08:00:00Z\",\n"
    "\"start-ts\":450000000000000000,\"target-ts\":0,\"admin-job-type\":0,\"sort-engine\":\"\",\"sort-dir\":\"\",\n"
    "\"upstream-info\":null,\"config\":{\"performance-mode\":\"throughput\",\"memory-quota\":1073741824,\n"
    "\"case-sensitive\":false,\"enable-sync-point\":false,\"sync-point-interval\":600000000000,\"bdr-mode\":false,\n"
    "\"filter\":{\"rules\":[\"*.*\"],\"ignore-txn-start-ts\":[],\"event-filters\":[]},\n"
    "\"sink\":{\"encoder-concurrency\":32,\"terminator\":\"\\r\\n\",\"open\":{\"output-old-value\":true},\"integrity\":"
    "null},\n"
    "\"consistent\":{\"level\":\"none\",\"storage\":\"\",\"memory-usage\":{\"memory-quota-percentage\":50}},\n"
    "\"scheduler\":{\"enable-table-across-nodes\":false,\"region-threshold\":10000,\"region-count-per-span\":100,\n"
    "\"region-count-refresh-interval\":300000000000,\"write-key-threshold\":0,\"scheduling-task-count-per-node\":20,\n"
    "\"enable-splittable-check\":false,\"force-split\":false,\"balance-score-threshold\":20,\n"
    "\"min-traffic-percentage\":0.8,\"max-traffic-percentage\":1.25},\n"
    "\"integrity\":{\"integrity-check-level\":\"none\",\"corruption-handle-level\":\"warn\"},\n"
    "\"synced-status\":{\"synced-check-interval\":300,\"checkpoint-interval\":15}},\n"
    "\"state\":\"normal\",\"error\":null,\"warning\":null,\"creator-version\":\"v8.5.4\",\"epoch\":450000000000000001,"
    "\"keyspace-id\":0}";

static const char flattened[] =
    "{\"changefeed_id\":{\"id\":{\"low\":1,\"high\":2},\"display\":{\"name\":\"cf\",\"keyspace\":\"default\","
    "\"namespace\":\"default\"}},\"performance_mode\":\"throughput\",\"start_ts\":450000000000000000,\"target_ts\":0,"
    "\"sink_uri\":\"blackhole://\",\"case_sensitive\":false,\"force_replicate\":false,\"filter\":{\"rules\":[\"*.*\"],"
    "\"ignore-txn-start-ts\":[],\"event-filters\":[]},\"memory-quota\":1073741824,\"event_collector_batch_count\":null,"
    "\"event_collector_batch_bytes\":null,\"enable_sync_point\":false,\"sync_point_interval\":600000000000,"
    "\"sync_point_retention\":86400000000000,\"sink_config\":{\"encoder-concurrency\":32,\"terminator\":\"\\r\\n\","
    "\"open\":{\"output-old-value\":true},\"integrity\":null},\"enable_splittable_check\":false,"
    "\"epoch\":450000000000000001,\"bdr_mode\":false,\"enable_active_active\":false,"
    "\"active_active_progress_interval\":1800000000000,\"active_active_sync_stats_interval\":60000000000,"
    "\"consistent\":{\"level\":\"none\",\"storage\":\"\",\"memory-usage\":{\"memory-quota-percentage\":50}},"
    "\"enable-table-across-nodes\":false,\"timezone\":\"Asia/Tokyo\"}";

static struct sl_secret secret_of(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

/* The text with every occurrence of one piece replaced, at least one; valid until the next call. */
static const char *with_in(const char *text, const char *piece, const char *other)
{
    static char out[TEXT_BYTES_MAX];
    char from[TEXT_BYTES_MAX];
    assert_true(strlen(text) < sizeof from);
    memcpy(from, text, strlen(text) + 1);
    assert_non_null(strstr(from, piece));
    size_t len = 0;
    for (const char *at = from; *at != '\0';) {
        bool hit = strncmp(at, piece, strlen(piece)) == 0;
        const char *add = hit ? other : at;
        size_t add_len = hit ? strlen(other) : 1;
        assert_true(len + add_len < sizeof out);
        memcpy(out + len, add, add_len);
        len += add_len;
        at += hit ? strlen(piece) : 1;
    }
    out[len] = '\0';
    return out;
}

static const char *record_with(const char *piece, const char *other)
{
    return with_in(record, piece, other);
}

static enum sl_refusal parse(struct sl_feed_info *out, const char *text)
{
    return sl_feed_info_parse(out, secret_of(text), JSON_BYTES_MAX);
}

static struct sl_feed_info accepted(const char *text)
{
    struct sl_feed_info info;
    sl_assert_str(sl_refusal_name(parse(&info, text)), "none");
    return info;
}

static void refused(const char *text)
{
    struct sl_feed_info info;
    enum sl_refusal refusal = parse(&info, text);
    if (refusal != SL_REFUSE_BAD_CONFIG) {
        print_error("accepted: %s\n", text + strlen(text) / 2);
    }
    sl_assert_str(sl_refusal_name(refusal), "bad_config");
    struct sl_feed_info zero = { 0 };
    sl_assert_mem(&info, &zero, sizeof info);
}

/* ---- the record ---- */

static void a_record_gives_the_numbers_and_switches_of_the_control_plane(void **state)
{
    (void)state;
    struct sl_feed_info info = accepted(record);
    sl_assert_u64(info.id_high, 2);
    sl_assert_u64(info.id_low, 1);
    sl_assert_u64(info.start_ts, 450000000000000000);
    sl_assert_u64(info.target_ts, 0);
    sl_assert_u64(info.epoch, 450000000000000001);
    assert_false(info.low_latency);
    assert_false(info.names_needed);
    assert_false(info.across_nodes);
    sl_assert_u64(info.tasks_per_node, 20);
    info = accepted(
        with_in(record_with("\"throughput\"", "\"low-latency\""), "across-nodes\":false", "across-nodes\":true"));
    assert_true(info.low_latency);
    assert_true(info.across_nodes);
}

static void each_required_object_must_be_there_and_be_an_object(void **state)
{
    (void)state;
    static const char *const keys[] = { "\"config\":", "\"consistent\":", "\"scheduler\":", "\"sink\":",
                                        "\"filter\":" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        refused(record_with(keys[i], "\"absent\":"));
        static const char *const others[] = { "null", "[]", "0", "\"\"", "true" };
        for (size_t j = 0; j < sizeof others / sizeof others[0]; j++) {
            char instead[64];
            assert_true(snprintf(instead, sizeof instead, "%s%s,\"absent\":", keys[i], others[j]) > 0);
            refused(record_with(keys[i], instead));
        }
    }
    refused("{}");
}

static void ids_are_exact_up_to_two_to_the_64_minus_1(void **state)
{
    (void)state;
    struct sl_feed_info info =
        accepted(record_with("{\"low\":1,\"high\":2}", "{\"low\":18446744073709551615,\"high\":9223372036854775809}"));
    sl_assert_u64(info.id_low, UINT64_MAX);
    sl_assert_u64(info.id_high, UINT64_C(9223372036854775809));
    info = accepted(record_with("450000000000000001", "18446744073709551614"));
    sl_assert_u64(info.epoch, UINT64_MAX - 1);
}

static void integers_out_of_range_are_refused_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const numbers[] = { "18446744073709551616", "99999999999999999999", "184467440737095516150",
                                           "-9223372036854775809" };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        refused(record_with("450000000000000000", numbers[i]));
        refused(record_with("7300000000000000001", numbers[i]));
        refused(record_with("0.8", numbers[i]));
    }
    accepted(record_with("0.8", "-9223372036854775808"));
}

static void a_position_is_a_whole_number_that_is_not_negative(void **state)
{
    (void)state;
    static const char *const others[] = { "-1", "1.5", "1e3", "\"1\"", "true", "{}", "[]" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        refused(record_with("450000000000000000", others[i]));
        refused(record_with("450000000000000001", others[i]));
        char id[64];
        assert_true(snprintf(id, sizeof id, "\"low\":%s,\"high\":2", others[i]) > 0);
        refused(record_with("\"low\":1,\"high\":2", id));
    }
}

static void fields_of_another_type_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *piece, *other;
    } cases[] = {
        { "\"throughput\"", "1" },
        { "\"blackhole://\"", "{}" },
        { "\"blackhole://\"", "\"mysql://a\\u0000b\"" }, /* would be cut at the NUL */
        { "\"memory-quota\":1073741824", "\"memory-quota\":-1" },
        { "\"memory-quota\":1073741824", "\"memory-quota\":\"1\"" },
        { "\"case-sensitive\":false", "\"case-sensitive\":0" },
        { "\"sync-point-interval\":600000000000", "\"sync-point-interval\":\"10m\"" },
        { "\"sync-point-interval\":600000000000", "\"sync-point-interval\":9223372036854775808" },
        { "\"bdr-mode\":false", "\"event-collector-batch-count\":{}" },
        { "\"enable-table-across-nodes\":false", "\"enable-table-across-nodes\":1" },
        { "per-node\":20", "per-node\":4294967296" },
        { "per-node\":20", "per-node\":-1" },
        { "per-node\":20", "per-node\":\"20\"" },
        { "{\"low\":1,\"high\":2}", "{\"low\":1}" },
        { "{\"low\":1,\"high\":2}", "[1,2]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refused(record_with(cases[i].piece, cases[i].other));
    }
}

#define MINIMAL(inside)                                                                                              \
    "{\"config\":{\"consistent\":{},\"scheduler\":{" inside "},\"sink\":{},\"filter\":{}},\"sink-uri\":\"mysql://h/" \
    "\"}"

static void what_is_absent_or_null_is_zero_and_one_task_per_node(void **state)
{
    (void)state;
    static const char *const texts[] = { MINIMAL(""), MINIMAL("\"scheduling-task-count-per-node\":null"),
                                         MINIMAL("\"scheduling-task-count-per-node\":0") };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sl_feed_info info = accepted(texts[i]);
        sl_assert_u64(info.id_high | info.id_low | info.start_ts | info.target_ts | info.epoch, 0);
        assert_false(info.low_latency || info.across_nodes);
        sl_assert_u64(info.tasks_per_node, 1);
    }
    sl_assert_u64(accepted(MINIMAL("\"scheduling-task-count-per-node\":4294967295")).tasks_per_node, UINT32_MAX);
}

static void every_sink_but_blackhole_needs_table_names(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        bool names_needed;
    } cases[] = {
        { "blackhole://", false },   { "BlackHole://", false }, { "blackhole:", false },
        { "blackhole", true },       { "blackholes://", true }, { "mysql://root@h:3306/", true },
        { "kafka://h/topic", true }, { "file:///tmp/x", true }, { "", true },
        { "xblackhole://", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_feed_info info = accepted(record_with("blackhole://", cases[i].uri));
        sl_assert_u64(info.names_needed, cases[i].names_needed);
    }
    assert_true(accepted(record_with("\"sink-uri\"", "\"absent\"")).names_needed);
}

static void unknown_keys_are_ignored_and_of_two_equal_keys_the_last_counts(void **state)
{
    (void)state;
    struct sl_feed_info info =
        accepted(record_with("\"state\":\"normal\"", "\"later-version\":[{\"x\":[1,2.5,null]}]"));
    sl_assert_u64(info.epoch, 450000000000000001);
    info = accepted(record_with("\"keyspace-id\":0", "\"epoch\":5,\"epoch\":7"));
    sl_assert_u64(info.epoch, 7);
}

static void text_that_is_not_json_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *piece, *other;
    } cases[] = {
        { "\"state\"", "'state'" },
        { "\"state\"", "state" },
        { "0.8", "NaN" },
        { "0.8", "Infinity" },
        { "0.8", "-Infinity" },
        { "0.8", "1e999" },
        { "0.8", "1." },
        { "0.8", ".8" },
        { "0.8", "08" },
        { "0.8", "-" },
        { "0.8", "+1" },
        { "0.8", "1e" },
        { "0.8", "0x10" },
        { "0.8", "--1" },
        { "0.8", "1 2" },
        { "null", "nul" },
        { "null", "NULL" },
        { "null", "None" },
        { "false", "False" },
        { "[]", "[,]" },
        { "[]", "[1,]" },
        { "[]", "[}" },
        { "\"id\":", "\"id\"" },
        { "\"normal\"", "\"nor\nmal\"" },
        { "\"normal\"", "\"\\x\"" },
        { "\"normal\"", "\"\\u12\"" },
        { "\"normal\"", "\"\xff\"" },
        { "\"normal\"", "\"\xc0\x80\"" },
        { "\"normal\"", "\"\xed\xa0\x80\"" },
        { "\"normal\"", "\"normal" },
        { "\"state\"", "/* */\"state\"" },
        { "{\"id\"", "\xef\xbb\xbf{\"id\"" },
        { "\"keyspace-id\":0}", "\"keyspace-id\":0}}" },
        { "\"keyspace-id\":0}", "\"keyspace-id\":0}x" },
        { "\"keyspace-id\":0}", "\"keyspace-id\":0} {}" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refused(record_with(cases[i].piece, cases[i].other));
    }
    static const char *const texts[] = { "", " ", "null", "1", "\"x\"", "[]", "[{}]", "{", "}", "\\", "{\"", "{\"\\" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        refused(texts[i]);
    }
    accepted(record_with("\"keyspace-id\":0}", "\"keyspace-id\":0} \t\r\n"));
}

static void a_nul_byte_in_the_document_is_refused(void **state)
{
    (void)state;
    char text[sizeof record + 1];
    memcpy(text, record, sizeof record); /* the NUL at its end counts as a byte of the document */
    struct sl_feed_info info;
    struct sl_secret json = sl_secret_of((struct sl_bytes){ (const uint8_t *)text, sizeof record });
    sl_assert_i64(sl_feed_info_parse(&info, json, JSON_BYTES_MAX), SL_REFUSE_BAD_CONFIG);
}

static void a_record_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof record - 1; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, record, len);
        struct sl_feed_info info;
        struct sl_secret json = sl_secret_of((struct sl_bytes){ exact, len });
        sl_assert_i64(sl_feed_info_parse(&info, json, JSON_BYTES_MAX), SL_REFUSE_BAD_CONFIG);
        free(exact);
    }
}

static void a_document_above_the_size_limit_is_refused(void **state)
{
    (void)state;
    struct sl_feed_info info;
    size_t len = sizeof record - 1;
    sl_assert_i64(sl_feed_info_parse(&info, secret_of(record), len), SL_REFUSE_NONE);
    sl_assert_i64(sl_feed_info_parse(&info, secret_of(record), len - 1), SL_REFUSE_BAD_CONFIG);
}

/* A record whose "error" holds this many arrays one in the other, in the record that is level 1. */
static const char *nested(size_t levels)
{
    char arrays[256] = { 0 };
    assert_true(2 * levels < sizeof arrays);
    memset(arrays, '[', levels);
    memset(arrays + levels, ']', levels);
    char error[300];
    assert_true(snprintf(error, sizeof error, "\"error\":%s", arrays) > 0);
    return record_with("\"error\":null", error);
}

static void a_document_may_be_32_levels_deep(void **state)
{
    (void)state;
    sl_assert_i64(SL_JSON_DEPTH_MAX, 32);
    accepted(nested(31));
    refused(nested(32));
    refused(nested(100));
}

/* "{}" of 2 bytes is 800 on the heap, so the number of containers is limited too. */
static void a_document_of_nothing_but_containers_is_refused(void **state)
{
    (void)state;
    static char text[1024 * 1024];
    const struct {
        const char *element;
        size_t count;
        bool fits;
    } cases[] = {
        { ",{}", 15000, true }, { ",{}", 17000, false }, { ",[]", 17000, false },
        { ",1", 260000, true }, { ",1", 263000, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = (size_t)snprintf(text, sizeof text, "%s", "{\"x\":[0");
        for (size_t j = 0; j < cases[i].count; j++) {
            memcpy(text + len, cases[i].element, strlen(cases[i].element));
            len += strlen(cases[i].element);
        }
        snprintf(text + len, sizeof text - len, "],%s", &MINIMAL("")[1]);
        struct sl_feed_info info;
        enum sl_refusal refusal = sl_feed_info_parse(&info, secret_of(text), sizeof text);
        sl_assert_i64(refusal, cases[i].fits ? SL_REFUSE_NONE : SL_REFUSE_BAD_CONFIG);
    }
}

/* ---- the flattened document ---- */

static const char *flatten(struct sl_wire_fixture *f, const char *text)
{
    static char out[TEXT_BYTES_MAX];
    struct sl_secret flat;
    sl_assert_i64(sl_feed_bootstrap_config(&flat, secret_of(text), SL_STR("Asia/Tokyo"), &f->arena), SL_REFUSE_NONE);
    struct sl_bytes bytes = sl_secret_reveal(flat);
    assert_true(bytes.len < sizeof out);
    memcpy(out, bytes.ptr, bytes.len);
    out[bytes.len] = '\0';
    return out;
}

static void the_flattened_document_has_every_key_of_the_protocol(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    sl_assert_str(flatten(&f, record), flattened);
    sl_wire_fixture_deinit(&f);
}

static void the_flattened_document_spells_out_defaults(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    sl_assert_str(flatten(&f, MINIMAL("")),
                  "{\"changefeed_id\":null,\"performance_mode\":\"throughput\",\"start_ts\":0,\"target_ts\":0,"
                  "\"sink_uri\":\"mysql://h/\",\"case_sensitive\":false,\"force_replicate\":false,\"filter\":{},"
                  "\"memory-quota\":1073741824,\"event_collector_batch_count\":null,"
                  "\"event_collector_batch_bytes\":null,\"enable_sync_point\":false,"
                  "\"sync_point_interval\":600000000000,\"sync_point_retention\":86400000000000,\"sink_config\":{},"
                  "\"enable_splittable_check\":false,\"epoch\":0,\"bdr_mode\":false,\"enable_active_active\":false,"
                  "\"active_active_progress_interval\":1800000000000,\"active_active_sync_stats_interval\":60000000000,"
                  "\"consistent\":{},\"timezone\":\"Asia/Tokyo\"}");
    sl_wire_fixture_deinit(&f);
}

static void numbers_and_text_pass_through_unchanged(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    const char *inside = "{\"a\":0.80,\"b\":1e-7,\"c\":18446744073709551615,\"d\":-9223372036854775808,\"e\":\"\\u0001/"
                         "\xe2\x82\xac\\\"\\\\\",\"f\":[true,null]}";
    char sink[512];
    assert_true(snprintf(sink, sizeof sink, "\"sink\":%s,\"x\":", inside) > 0);
    const char *flat = flatten(&f, record_with("\"sink\":", sink));
    assert_non_null(strstr(flat, inside));
    sl_wire_fixture_deinit(&f);
}

static void a_dispatcher_manager_reads_what_a_maintainer_flattened(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    const char *text = with_in(record_with("\"target-ts\":0", "\"target-ts\":18446744073709551615"), "\"throughput\"",
                               "\"low-latency\"");
    struct sl_bootstrap_config config;
    sl_assert_i64(sl_bootstrap_config_parse(&config, secret_of(flatten(&f, text)), JSON_BYTES_MAX), SL_REFUSE_NONE);
    sl_assert_u64(config.epoch, 450000000000000001);
    sl_assert_u64(config.start_ts, 450000000000000000);
    sl_assert_u64(config.target_ts, UINT64_MAX);
    assert_true(config.low_latency);
    sl_wire_fixture_deinit(&f);
}

static void a_flattened_document_is_checked_like_a_record(void **state)
{
    (void)state;
    static const struct {
        const char *piece, *other;
    } cases[] = {
        { "\"filter\":", "\"absent\":" },        { "\"sink_config\":", "\"absent\":" },
        { "\"consistent\":", "\"absent\":" },    { "\"filter\":", "\"filter\":null,\"x\":" },
        { "450000000000000000", "-1" },          { "450000000000000001", "18446744073709551616" },
        { "\"throughput\"", "null,x" },          { "\"throughput\"", "{}" },
        { "\"Asia/Tokyo\"}", "\"Asia/Tokyo\"" },
    };
    struct sl_bootstrap_config config;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = with_in(flattened, cases[i].piece, cases[i].other);
        sl_assert_i64(sl_bootstrap_config_parse(&config, secret_of(text), JSON_BYTES_MAX), SL_REFUSE_BAD_CONFIG);
        sl_assert_u64(config.epoch | config.start_ts | config.target_ts | config.low_latency, 0);
    }
    sl_assert_i64(sl_bootstrap_config_parse(&config, secret_of(flattened), sizeof flattened - 2), SL_REFUSE_BAD_CONFIG);
}

static void a_record_that_is_not_valid_is_not_flattened(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    struct sl_secret flat;
    enum sl_refusal refusal = sl_feed_bootstrap_config(&flat, secret_of("{}"), SL_STR("UTC"), &f.arena);
    sl_assert_i64(refusal, SL_REFUSE_BAD_CONFIG);
    sl_assert_u64(flat.hidden.len, 0);
    sl_wire_fixture_deinit(&f);
}

static void a_flattened_document_that_does_not_fit_is_out_of_memory(void **state)
{
    (void)state;
    struct sl_wire_fixture f;
    sl_wire_fixture_init(&f, sizeof flattened / 2);
    struct sl_secret flat;
    enum sl_refusal refusal = sl_feed_bootstrap_config(&flat, secret_of(record), SL_STR("UTC"), &f.arena);
    sl_assert_i64(refusal, SL_REFUSE_OUT_OF_MEMORY);
    sl_assert_u64(flat.hidden.len, 0);
    sl_wire_fixture_deinit(&f);
    sl_wire_fixture_init(&f, SL_WIRE_ARENA_BYTES);
    f.mem.fail_at = 1;
    refusal = sl_feed_bootstrap_config(&flat, secret_of(record), SL_STR("UTC"), &f.arena);
    sl_assert_i64(refusal, SL_REFUSE_OUT_OF_MEMORY);
    refusal = sl_feed_bootstrap_config(&flat, secret_of(record), SL_STR("UTC"), &f.arena);
    sl_assert_i64(refusal, SL_REFUSE_NONE);
    sl_wire_fixture_deinit(&f);
}

/* ---- secrets ---- */

#define CANARY "c4narypassw0rd"

static bool holds_canary(const void *bytes, size_t len)
{
    const char *at = bytes;
    size_t canary_len = strlen(CANARY);
    for (size_t i = 0; i + canary_len <= len; i++) {
        if (memcmp(at + i, CANARY, canary_len) == 0) {
            return true;
        }
    }
    return false;
}

/* Looks at everything that can come out of a refusal: the result and its texts. */
static bool refusal_holds_canary(const char *text)
{
    struct sl_feed_info info;
    struct sl_bootstrap_config config;
    enum sl_refusal refusals[] = { parse(&info, text),
                                   sl_bootstrap_config_parse(&config, secret_of(text), JSON_BYTES_MAX) };
    bool holds = holds_canary(&info, sizeof info) || holds_canary(&config, sizeof config);
    for (size_t i = 0; i < 2; i++) {
        holds = holds || strstr(sl_refusal_name(refusals[i]), CANARY) || strstr(sl_refusal_text(refusals[i]), CANARY);
    }
    return holds;
}

/* Runs in a process of its own, whose standard output and error are the pipe: json-c could print too. */
static _Noreturn void parse_all_cuts(char *text, int said)
{
    bool holds = dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0;
    for (size_t cut = strlen(text); cut > 0; cut--) {
        text[cut] = '\0';
        holds = refusal_holds_canary(text) || holds;
    }
    _exit(holds ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void a_password_in_the_sink_uri_is_never_said(void **state)
{
    (void)state;
    char text[sizeof record + 64];
    const char *with_password = record_with("blackhole://", "mysql://root:" CANARY "@h/");
    memcpy(text, with_password, strlen(with_password) + 1);
    int ends[2];
    sl_assert_i64(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        parse_all_cuts(text, ends[1]);
    }
    assert_true(child > 0);
    close(ends[1]);
    char said;
    sl_assert_i64(read(ends[0], &said, 1), 0);
    close(ends[0]);
    int status = -1;
    sl_assert_i64(waitpid(child, &status, 0), child);
    sl_assert_i64(status, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_gives_the_numbers_and_switches_of_the_control_plane),
        cmocka_unit_test(each_required_object_must_be_there_and_be_an_object),
        cmocka_unit_test(ids_are_exact_up_to_two_to_the_64_minus_1),
        cmocka_unit_test(integers_out_of_range_are_refused_wherever_they_stand),
        cmocka_unit_test(a_position_is_a_whole_number_that_is_not_negative),
        cmocka_unit_test(fields_of_another_type_are_refused),
        cmocka_unit_test(what_is_absent_or_null_is_zero_and_one_task_per_node),
        cmocka_unit_test(every_sink_but_blackhole_needs_table_names),
        cmocka_unit_test(unknown_keys_are_ignored_and_of_two_equal_keys_the_last_counts),
        cmocka_unit_test(text_that_is_not_json_is_refused),
        cmocka_unit_test(a_nul_byte_in_the_document_is_refused),
        cmocka_unit_test(a_record_cut_anywhere_is_refused),
        cmocka_unit_test(a_document_above_the_size_limit_is_refused),
        cmocka_unit_test(a_document_may_be_32_levels_deep),
        cmocka_unit_test(a_document_of_nothing_but_containers_is_refused),
        cmocka_unit_test(the_flattened_document_has_every_key_of_the_protocol),
        cmocka_unit_test(the_flattened_document_spells_out_defaults),
        cmocka_unit_test(numbers_and_text_pass_through_unchanged),
        cmocka_unit_test(a_dispatcher_manager_reads_what_a_maintainer_flattened),
        cmocka_unit_test(a_flattened_document_is_checked_like_a_record),
        cmocka_unit_test(a_record_that_is_not_valid_is_not_flattened),
        cmocka_unit_test(a_flattened_document_that_does_not_fit_is_out_of_memory),
        cmocka_unit_test(a_password_in_the_sink_uri_is_never_said),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
