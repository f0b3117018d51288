/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "tests/support/sl_test.h"
#include "wire/json_doc.h"
#include "wire/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CANARY "pa55w0rd-canary"
#define SINK "mysql://root:" CANARY "@db:3306/?token=" CANARY

struct fixture {
    struct sl_mem mem;
    struct sl_arena arena;
};

static void setup(struct fixture *f, size_t bytes_max)
{
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    sl_mem_init(&f->mem, &opts);
    sl_arena_init(&f->arena, &f->mem, SL_TAG_DECODE, bytes_max);
}

static void teardown(struct fixture *f)
{
    sl_arena_deinit(&f->arena);
    sl_mem_deinit(&f->mem);
}

static struct sl_bytes bytes_of(const char *text)
{
    return (struct sl_bytes){ (const uint8_t *)text, strlen(text) };
}

static struct sl_secret secret_of(const char *text)
{
    return sl_secret_of(bytes_of(text));
}

/* Asserts that the bytes are this text. */
static void assert_text(struct sl_bytes bytes, const char *expected)
{
    char text[4096];
    assert_true(bytes.len < sizeof text);
    memcpy(text, bytes.ptr, bytes.len);
    text[bytes.len] = '\0';
    sl_assert_str(text, expected);
}

static void assert_zero(const void *value, size_t size)
{
    static const char zeros[4096];
    sl_assert_mem(value, zeros, size);
}

static bool holds(const void *bytes, size_t size, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= size; i++) {
        if (memcmp((const char *)bytes + i, text, len) == 0)
            return true;
    }
    return false;
}

/* ---- keys ---- */

static void keys_are_the_protocols(void **state)
{
    (void)state;
    struct sl_key k;
    struct sl_node_id node;
    const struct sl_str c = SL_STR("c1"), space = SL_STR("ks"), name = SL_STR("f1");
    assert_true(sl_node_id_set(&node, SL_STR("n-1")));
    assert_true(sl_key_meta(&k, c));
    sl_assert_str(k.text, "/tidb/cdc/c1/__cdc_meta__/");
    assert_true(sl_key_captures(&k, c));
    sl_assert_str(k.text, "/tidb/cdc/c1/__cdc_meta__/capture/");
    assert_true(sl_key_capture(&k, c, &node));
    sl_assert_str(k.text, "/tidb/cdc/c1/__cdc_meta__/capture/n-1");
    assert_true(sl_key_owners(&k, c));
    sl_assert_str(k.text, "/tidb/cdc/c1/__cdc_meta__/owner/");
    assert_true(sl_key_owner(&k, c, UINT64_C(0x0a1b2c)));
    sl_assert_str(k.text, "/tidb/cdc/c1/__cdc_meta__/owner/a1b2c");
    assert_true(sl_key_owner(&k, c, UINT64_MAX));
    sl_assert_str(k.text, "/tidb/cdc/c1/__cdc_meta__/owner/ffffffffffffffff");
    assert_true(sl_key_owner(&k, c, 0));
    sl_assert_str(k.text, "/tidb/cdc/c1/__cdc_meta__/owner/0");
    assert_true(sl_key_feed_infos(&k, c, space));
    sl_assert_str(k.text, "/tidb/cdc/c1/ks/changefeed/info/");
    assert_true(sl_key_feed_info(&k, c, space, name));
    sl_assert_str(k.text, "/tidb/cdc/c1/ks/changefeed/info/f1");
    assert_true(sl_key_feed_statuses(&k, c, space));
    sl_assert_str(k.text, "/tidb/cdc/c1/ks/changefeed/status/");
    assert_true(sl_key_feed_status(&k, c, space, name));
    sl_assert_str(k.text, "/tidb/cdc/c1/ks/changefeed/status/f1");
    assert_true(sl_key_drains(&k, c));
    sl_assert_str(k.text, "/tidb/cdc_new/c1/sluice/drain/");
    assert_true(sl_key_drain(&k, c, SL_STR("d1")));
    sl_assert_str(k.text, "/tidb/cdc_new/c1/sluice/drain/d1");
    assert_true(sl_key_node_name(&k, c, SL_STR("host-1")));
    sl_assert_str(k.text, "/tidb/cdc_new/c1/sluice/name/host-1");
    sl_assert_u64(sl_key_str(&k).len, strlen(k.text));
}

static void a_part_cannot_name_somebody_elses_key(void **state)
{
    (void)state;
    struct sl_key k;
    char large[SL_KEY_MAX + 1];
    memset(large, 'n', sizeof large);
    large[sizeof large - 1] = '\0';
    const char *const bad[] = { "", "a/b", "/", "a\nb", "\xff", large };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sl_key_drain(&k, SL_STR("c1"), sl_str_of(bad[i])));
        sl_assert_u64(k.len, 0);
        sl_assert_str(k.text, "");
        assert_false(sl_key_captures(&k, sl_str_of(bad[i])));
        assert_false(sl_key_feed_info(&k, SL_STR("c"), sl_str_of(bad[i]), SL_STR("f")));
    }
}

static void a_tail_is_what_follows_the_prefix(void **state)
{
    (void)state;
    assert_true(sl_str_eq(sl_key_tail(SL_STR("/a/b"), SL_STR("/a/")), SL_STR("b")));
    sl_assert_u64(sl_key_tail(SL_STR("/a/"), SL_STR("/a/")).len, 0);
    sl_assert_u64(sl_key_tail(SL_STR("/x/b"), SL_STR("/a/")).len, 0);
    sl_assert_u64(sl_key_tail(SL_STR("/a"), SL_STR("/a/")).len, 0);
    assert_true(sl_str_eq(sl_key_tail(SL_STR("/a"), (struct sl_str){ 0 }), SL_STR("/a")));
}

/* ---- capture ---- */

static struct sl_capture capture_example(void)
{
    struct sl_capture c = { .address = "10.0.0.1:8300",
                            .name = "n \"one\"",
                            .version = "v8.5.4-sluice.0.1.0",
                            .start_timestamp_s = 1700000000,
                            .node_epoch = UINT64_MAX,
                            .is_new_arch = true,
                            .is_sluice = true,
                            .stopped = true };
    assert_true(sl_node_id_set(&c.id, SL_STR("n-1")));
    return c;
}

static void a_capture_comes_back_as_it_was(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_bytes json;
    struct sl_capture c = capture_example(), back;
    setup(&f, 1 << 16);
    sl_assert_i64(sl_capture_format(&json, &c, &f.arena), SL_OK);
    assert_text(json, "{\"id\":\"n-1\",\"address\":\"10.0.0.1:8300\",\"version\":\"v8.5.4-sluice.0.1.0\","
                      "\"git-hash\":\"\",\"deploy-path\":\"\",\"start-timestamp\":1700000000,\"is-new-arch\":true,"
                      "\"sluice\":{\"name\":\"n \\\"one\\\"\",\"node-epoch\":18446744073709551615,\"stopped\":true}}");
    sl_assert_i64(sl_capture_parse(&back, json), SL_OK);
    sl_assert_mem(&back, &c, sizeof c);
    teardown(&f);
}

static void a_foreign_capture_is_read_and_known_to_be_foreign(void **state)
{
    (void)state;
    struct sl_capture c;
    sl_assert_i64(sl_capture_parse(&c, bytes_of("{\"id\":\"u1\",\"address\":\"h:1\",\"version\":\"v8.5.4\","
                                                "\"git-hash\":\"x\",\"deploy-path\":\"/x\",\"start-timestamp\":5,"
                                                "\"is-new-arch\":true,\"later\":[1,{}]}")),
                  SL_OK);
    assert_false(c.is_sluice);
    assert_true(c.is_new_arch);
    sl_assert_str(c.id.text, "u1");
    sl_assert_u64(c.id.len, 2);
    sl_assert_u64(c.start_timestamp_s, 5);
    sl_assert_i64(sl_capture_parse(&c, bytes_of("{\"id\":\"u1\",\"address\":\"h:1\",\"is-new-arch\":null}")), SL_OK);
    assert_false(c.is_new_arch);
}

static void a_corrupt_capture_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *json;
        enum sl_code code;
    } rows[] = {
        { "", SL_MALFORMED },
        { "null", SL_MALFORMED },
        { "{\"id\":\"a\",\"address\":\"b\"", SL_MALFORMED },
        { "{\"id\":\"a\",\"address\":\"b\"}x", SL_MALFORMED },
        { "{\"id\":\"a\",\"address\":\"b\",}", SL_MALFORMED },
        { "{\"id\":\"a\xff\",\"address\":\"b\"}", SL_MALFORMED },
        { "{\"id\":\"a\",\"address\":\"b\",\"start-timestamp\":18446744073709551616}", SL_MALFORMED },
        { "{}", SL_BAD_FIELD },
        { "{\"id\":\"a\"}", SL_BAD_FIELD },
        { "{\"id\":\"\",\"address\":\"b\"}", SL_BAD_FIELD },
        { "{\"id\":\"a\\u0000c\",\"address\":\"b\"}", SL_BAD_FIELD },
        { "{\"id\":\"a\\nc\",\"address\":\"b\"}", SL_BAD_FIELD },
        { "{\"id\":7,\"address\":\"b\"}", SL_BAD_FIELD },
        { "{\"id\":\"0123456789012345678901234567890123456789012345678901234567890123\",\"address\":\"b\"}",
          SL_BAD_FIELD },
        { "{\"id\":\"a\",\"address\":\"b\",\"start-timestamp\":-1}", SL_BAD_FIELD },
        { "{\"id\":\"a\",\"address\":\"b\",\"start-timestamp\":1.0}", SL_BAD_FIELD },
        { "{\"id\":\"a\",\"address\":\"b\",\"is-new-arch\":1}", SL_BAD_FIELD },
        { "{\"id\":\"a\",\"address\":\"b\",\"sluice\":true}", SL_BAD_FIELD },
        { "{\"id\":\"a\",\"address\":\"b\",\"sluice\":{\"node-epoch\":\"7\"}}", SL_BAD_FIELD },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sl_capture c = capture_example();
        sl_assert_i64(sl_capture_parse(&c, bytes_of(rows[i].json)), rows[i].code);
        assert_zero(&c, sizeof c);
    }
}

static void a_value_over_the_limit_is_refused_before_it_is_read(void **state)
{
    (void)state;
    static uint8_t large[SL_FEED_INFO_BYTES_MAX + 1];
    memset(large, ' ', sizeof large);
    struct sl_capture c;
    struct sl_intent intent;
    struct sl_feed_status status;
    struct sl_feed_record record;
    const struct sl_bytes value = { large, SL_VALUE_BYTES_MAX + 1 };
    sl_assert_i64(sl_capture_parse(&c, value), SL_LIMIT);
    sl_assert_i64(sl_intent_parse(&intent, value), SL_LIMIT);
    sl_assert_i64(sl_feed_status_parse(&status, value), SL_LIMIT);
    sl_assert_i64(
        sl_feed_record_parse(&record, SL_STR("k"), SL_STR("f"), sl_secret_of((struct sl_bytes){ large, sizeof large })),
        SL_LIMIT);
}

/* ---- feed info ---- */

static const char *const info_example =
    "{\"id\":{\"id\":{\"low\":1,\"high\":18446744073709551615},\"display\":{\"name\":\"f1\",\"keyspace\":\"ks\","
    "\"namespace\":\"other\"}},\"sink-uri\":\"" SINK "\",\"start-ts\":450000000000000001,\"target-ts\":3,"
    "\"config\":{\"state\":\"inner\",\"epoch\":1,\"x\":1e-7},\"state\":\"warning\",\"error\":{\"time\":\"t\","
    "\"addr\":\"h:1\",\"code\":\"CDC:X\",\"message\":\"cannot open " SINK " now\"},\"warning\":null,"
    "\"epoch\":18446744073709551614,\"keyspace-id\":0}";

static enum sl_code parse_record(struct sl_feed_record *r, const char *json)
{
    return sl_feed_record_parse(r, SL_STR("ks"), SL_STR("f1"), secret_of(json));
}

static void an_info_value_is_read_exactly(void **state)
{
    (void)state;
    struct sl_feed_record r;
    sl_assert_i64(parse_record(&r, info_example), SL_OK);
    sl_assert_u64(r.id.high, UINT64_MAX);
    sl_assert_u64(r.id.low, 1);
    sl_assert_str(r.id.name, "f1");
    sl_assert_str(r.id.keyspace, "ks");
    sl_assert_i64(r.state, SL_FEED_WARNING);
    sl_assert_u64(r.epoch, UINT64_C(18446744073709551614));
    sl_assert_u64(r.start_ts, UINT64_C(450000000000000001));
    sl_assert_u64(r.target_ts, 3);
    assert_true(r.error.present);
    sl_assert_str(r.error.code, "CDC:X");
    sl_assert_str(r.error.addr, "h:1");
}

static void identity_comes_from_the_key_and_the_value_must_agree(void **state)
{
    (void)state;
    struct sl_feed_record r;
    sl_assert_i64(parse_record(&r, "{}"), SL_OK);
    sl_assert_str(r.id.name, "f1");
    sl_assert_str(r.id.keyspace, "ks");
    sl_assert_u64(r.id.high | r.id.low, 0);
    sl_assert_i64(r.state, SL_FEED_NORMAL);
    assert_false(r.error.present);
    sl_assert_i64(parse_record(&r, "{\"id\":{\"display\":{\"name\":\"f1\",\"namespace\":\"ks\"}}}"), SL_OK);
    sl_assert_i64(parse_record(&r, "{\"id\":{\"display\":{\"name\":\"f2\",\"keyspace\":\"ks\"}}}"), SL_BAD_FIELD);
    sl_assert_i64(parse_record(&r, "{\"id\":{\"display\":{\"name\":\"f1\",\"keyspace\":\"x\"}}}"), SL_BAD_FIELD);
    sl_assert_i64(parse_record(&r, "{\"id\":{\"display\":{\"name\":\"f1\",\"namespace\":\"x\"}}}"), SL_BAD_FIELD);
    sl_assert_i64(parse_record(&r, "{\"id\":{\"id\":{\"low\":1}}}"), SL_BAD_FIELD);
    sl_assert_i64(parse_record(&r, "{\"id\":7}"), SL_BAD_FIELD);
    sl_assert_i64(sl_feed_record_parse(&r, SL_STR(""), SL_STR("f1"), secret_of("{}")), SL_BAD_FIELD);
    char large[SL_FEED_NAME_MAX + 1];
    memset(large, 'n', sizeof large);
    sl_assert_i64(sl_feed_record_parse(&r, SL_STR("ks"), (struct sl_str){ large, sizeof large }, secret_of("{}")),
                  SL_BAD_FIELD);
}

static void a_corrupt_info_value_is_refused(void **state)
{
    (void)state;
    const char *const bad[] = {
        "{\"state\":\"odd\"}",      "{\"state\":1}",       "{\"epoch\":-1}",       "{\"epoch\":\"1\"}",
        "{\"start-ts\":1.5}",       "{\"target-ts\":{}}",  "{\"error\":\"text\"}", "{\"error\":{\"message\":1}}",
        "{\"id\":{\"display\":1}}", "{\"id\":{\"id\":1}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sl_feed_record r = { .epoch = 1 };
        sl_assert_i64(parse_record(&r, bad[i]), SL_BAD_FIELD);
        assert_zero(&r, sizeof r);
    }
    struct sl_feed_record r;
    sl_assert_i64(parse_record(&r, "{\"epoch\":1"), SL_MALFORMED);
}

static void every_state_is_read_by_its_name(void **state)
{
    (void)state;
    for (int s = SL_FEED_NORMAL; s <= SL_FEED_PENDING; s++) {
        char json[64];
        struct sl_feed_record r;
        snprintf(json, sizeof json, "{\"state\":\"%s\"}", sl_feed_state_name((enum sl_feed_state)s));
        sl_assert_i64(parse_record(&r, json), SL_OK);
        sl_assert_i64(r.state, s);
    }
    struct sl_feed_record r;
    sl_assert_i64(parse_record(&r, "{\"state\":\"\"}"), SL_OK);
    sl_assert_i64(r.state, SL_FEED_NORMAL);
}

static void no_secret_reaches_what_is_shown(void **state)
{
    (void)state;
    struct sl_feed_record r;
    sl_assert_i64(parse_record(&r, info_example), SL_OK);
    assert_false(holds(&r, sizeof r, CANARY));
    assert_non_null(strstr(r.error.message, "db:3306"));
    assert_non_null(strstr(r.error.message, " now"));
    sl_assert_i64(parse_record(&r, "{\"warning\":{\"message\":\"a://x:" CANARY "@h b://y:" CANARY "@" CANARY
                                   "@h/?k=" CANARY "&l=" CANARY "\\nplain text\"}}"),
                  SL_OK);
    assert_false(holds(&r, sizeof r, CANARY));
    assert_non_null(strstr(r.error.message, " plain text"));
}

static void an_edit_changes_nothing_else(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_secret out;
    setup(&f, 1 << 20);
    const char *before =
        " {\"a\" : \"\\u003c\\/é\",\t\"epoch\":\n 7 ,\"state\":\"normal\",\"state\" : \"failed\","
        "\"error\":{\"state\":[{\"epoch\":1}]}, \"n\":1.50e+3,\"big\":-9007199254740993,\"warning\":{}}"
        " \n";
    struct sl_feed_edit edit = { .set_epoch = true, .epoch = UINT64_MAX, .set_state = true, .state = SL_FEED_STOPPED };
    sl_assert_i64(sl_feed_record_edit(&out, secret_of(before), &edit, &f.arena), SL_OK);
    assert_text(sl_secret_reveal(out),
                " {\"a\" : \"\\u003c\\/é\",\t\"epoch\":\n 18446744073709551615 ,\"state\":\"normal\",\"state\" : "
                "\"stopped\",\"error\":{\"state\":[{\"epoch\":1}]}, \"n\":1.50e+3,\"big\":-9007199254740993,"
                "\"warning\":{}} \n");
    edit = (struct sl_feed_edit){ .set_error = true };
    sl_assert_i64(sl_feed_record_edit(&out, secret_of("{\"error\":{\"code\":\"x\"},\"warning\":{\"code\":\"y\"}}"),
                                      &edit, &f.arena),
                  SL_OK);
    assert_text(sl_secret_reveal(out), "{\"error\":null,\"warning\":null}");
    edit = (struct sl_feed_edit){ 0 };
    sl_assert_i64(sl_feed_record_edit(&out, secret_of(before), &edit, &f.arena), SL_OK);
    assert_text(sl_secret_reveal(out), before);
    teardown(&f);
}

static void an_edit_adds_what_is_not_there_at_the_end(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_secret out;
    struct sl_feed_record r;
    setup(&f, 1 << 20);
    struct sl_feed_edit edit = { .set_epoch = true,
                                 .epoch = 9,
                                 .set_state = true,
                                 .state = SL_FEED_FAILED,
                                 .set_error = true,
                                 .error = { true, "CDC:\"1\"", "line\n2", "h:1" } };
    const char *added = "\"epoch\":9,\"state\":\"failed\",\"error\":{\"addr\":\"h:1\",\"code\":\"CDC:\\\"1\\\"\","
                        "\"message\":\"line\\u000a2\"}";
    char expected[512];
    sl_assert_i64(sl_feed_record_edit(&out, secret_of("{ }"), &edit, &f.arena), SL_OK);
    snprintf(expected, sizeof expected, "{%s }", added);
    assert_text(sl_secret_reveal(out), expected);
    sl_assert_i64(sl_feed_record_edit(&out, secret_of("{\"a\":{} }"), &edit, &f.arena), SL_OK);
    snprintf(expected, sizeof expected, "{\"a\":{},%s }", added);
    assert_text(sl_secret_reveal(out), expected);
    sl_assert_i64(sl_feed_record_parse(&r, SL_STR("ks"), SL_STR("f1"), out), SL_OK);
    sl_assert_str(r.error.code, "CDC:\"1\"");
    sl_assert_str(r.error.message, "line 2");
    teardown(&f);
}

static void an_edit_of_what_does_not_parse_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_secret out;
    const struct sl_feed_edit edit = { .set_epoch = true, .epoch = 9 };
    setup(&f, 1 << 20);
    sl_assert_i64(sl_feed_record_edit(&out, secret_of("{\"state\":\"odd\"}"), &edit, &f.arena), SL_BAD_FIELD);
    sl_assert_i64(sl_feed_record_edit(&out, secret_of("{\"a\""), &edit, &f.arena), SL_MALFORMED);
    sl_assert_u64(sl_secret_reveal(out).len, 0);
    teardown(&f);
}

/* A random document: members of both kinds, nested, repeated, with blanks anywhere. */
static void random_value(struct sl_prng *p, struct sl_text *t, uint32_t depth)
{
    static const char *const scalars[] = { "1",    "-7",          "18446744073709551615", "1.5e3", "true",
                                           "null", "\"a\\\"}b\"", "\"\\u00e9{[\"",        "\"é\"" };
    uint32_t pick = (uint32_t)sl_prng_below(p, depth > 0 ? 11 : 9);
    if (pick < 9) {
        sl_text_cstr(t, scalars[pick]);
        return;
    }
    uint64_t count = sl_prng_below(p, 4);
    sl_text_cstr(t, pick == 9 ? "[" : "{");
    for (uint64_t i = 0; i < count; i++) {
        sl_text_cstr(t, i > 0 ? ", " : " ");
        sl_text_cstr(t, pick == 9 ? "" : "\"epoch\" :");
        random_value(p, t, depth - 1);
    }
    sl_text_cstr(t, pick == 9 ? "]" : "\n}");
}

static void random_document(struct sl_prng *p, struct sl_text *t)
{
    static const char *const members[] = { "\"epoch\":5",
                                           "\"state\" : \"failed\"",
                                           "\"error\":null",
                                           "\"warning\":{}",
                                           "\"error\":{\"x\":{}}",
                                           "\"ep\\u006fch\":8",
                                           "\"\\u0065poc\\u0068\\u0000x\":1",
                                           "\"\\\"epoch\":\"\"" };
    uint64_t count = sl_prng_below(p, 8);
    sl_text_cstr(t, "{");
    for (uint64_t i = 0; i < count; i++) {
        sl_text_cstr(t, i > 0 ? "," : "");
        sl_text_cstr(t, sl_prng_chance(p, 1, 2) ? " \n" : "");
        uint32_t pick = (uint32_t)sl_prng_below(p, 13);
        if (pick < 8) {
            sl_text_cstr(t, members[pick]);
        } else {
            sl_text_cstr(t, pick < 11 ? "\"m\":" : "\"n\" : ");
            random_value(p, t, 3);
        }
        sl_text_cstr(t, sl_prng_chance(p, 1, 2) ? "\t" : "");
    }
    sl_text_cstr(t, "}");
}

static void text_edit_agrees_with_an_edit_of_the_tree(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_prng p;
    sl_prng_init(&p, 11);
    setup(&f, 1 << 20);
    for (int i = 0; i < 3000; i++) {
        char json[4096];
        struct sl_text t;
        struct sl_secret out;
        enum sl_refusal refusal;
        sl_text_init(&t, json, sizeof json);
        random_document(&p, &t);
        assert_false(t.cut);
        struct sl_feed_edit edit = { .set_epoch = true,
                                     .epoch = sl_prng_u64(&p),
                                     .set_error = sl_prng_chance(&p, 1, 2),
                                     .error = { sl_prng_chance(&p, 1, 2), "c", "m", "a" } };
        sl_arena_reset(&f.arena);
        sl_assert_i64(sl_feed_record_edit(&out, secret_of(json), &edit, &f.arena), SL_OK);
        struct json_object *mine = sl__doc_parse(out, SIZE_MAX, &refusal);
        struct json_object *tree = sl__doc_parse(secret_of(json), SIZE_MAX, &refusal);
        assert_non_null(mine);
        assert_non_null(tree);
        json_object_object_add(tree, "epoch", json_object_new_uint64(edit.epoch));
        if (edit.set_error) {
            const char *error = edit.error.present ? "{\"addr\":\"a\",\"code\":\"c\",\"message\":\"m\"}" : "null";
            json_object_object_add(tree, "error", json_tokener_parse(error));
            if (json_object_object_get_ex(tree, "warning", NULL))
                json_object_object_add(tree, "warning", NULL);
        }
        if (!json_object_equal(mine, tree))
            fail_msg("%s", json);
        json_object_put(mine);
        json_object_put(tree);
    }
    teardown(&f);
}

/* ---- status ---- */

static void a_status_keeps_members_of_other_writers(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_bytes out;
    struct sl_feed_status s = { .checkpoint = UINT64_MAX, .progress = SL_PROGRESS_STOPPING }, back;
    setup(&f, 1 << 16);
    sl_assert_i64(sl_feed_status_format(&out, &s, (struct sl_bytes){ 0 }, &f.arena), SL_OK);
    assert_text(out, "{\"checkpoint-ts\":18446744073709551615,\"progress\":3,\"min-table-barrier-ts\":0,"
                     "\"admin-job-type\":0}");
    sl_assert_i64(sl_feed_status_parse(&back, out), SL_OK);
    sl_assert_u64(back.checkpoint, UINT64_MAX);
    sl_assert_i64(back.progress, SL_PROGRESS_STOPPING);
    const char *old = "{\"z\":[1], \"checkpoint-ts\":5,\"min-table-barrier-ts\":9}";
    sl_assert_i64(sl_feed_status_format(&out, &s, bytes_of(old), &f.arena), SL_OK);
    assert_text(out, "{\"z\":[1], \"checkpoint-ts\":18446744073709551615,\"min-table-barrier-ts\":9,\"progress\":3}");
    sl_assert_i64(sl_feed_status_format(&out, &s, bytes_of("{\"checkpoint-ts\":\"5\"}"), &f.arena), SL_BAD_FIELD);
    sl_assert_u64(out.len, 0);
    teardown(&f);
}

static void a_status_without_checkpoint_or_with_odd_progress_is_refused(void **state)
{
    (void)state;
    struct sl_feed_status s;
    sl_assert_i64(sl_feed_status_parse(&s, bytes_of("{\"checkpoint-ts\":7}")), SL_OK);
    sl_assert_i64(s.progress, SL_PROGRESS_NONE);
    sl_assert_i64(sl_feed_status_parse(&s, bytes_of("{\"checkpoint-ts\":7,\"progress\":0}")), SL_OK);
    sl_assert_i64(s.progress, SL_PROGRESS_NONE);
    const char *const bad[] = { "{}",
                                "{\"progress\":1}",
                                "{\"checkpoint-ts\":-1}",
                                "{\"checkpoint-ts\":7,\"progress\":4}",
                                "{\"checkpoint-ts\":7,\"progress\":true}",
                                "{\"checkpoint-ts\":7,\"progress\":1.0}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        sl_assert_i64(sl_feed_status_parse(&s, bytes_of(bad[i])), SL_BAD_FIELD);
}

/* ---- intent ---- */

static struct sl_intent intent_example(void)
{
    struct sl_intent i = { .id = "drain-1",
                           .target_node_epoch = UINT64_MAX,
                           .epoch = 7,
                           .phase = SL_DRAIN_CLEARING,
                           .ended_from = SL_DRAIN_SAFE,
                           .proof_reference = true,
                           .stop_node = true,
                           .reason = "kernel \\ upgrade",
                           .actor = "ops é",
                           .created_wall_ms = 1,
                           .deadline_wall_ms = 2,
                           .ended_wall_ms = 3,
                           .lag_budget_ms = 4 };
    assert_true(sl_node_id_set(&i.target, SL_STR("n2")));
    return i;
}

static void an_intent_comes_back_as_it_was(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_bytes json;
    setup(&f, 1 << 16);
    for (int phase = SL_DRAIN_PENDING; phase <= SL_DRAIN_FAILED; phase++) {
        struct sl_intent i = intent_example(), back;
        i.phase = (enum sl_drain_phase)phase;
        i.cancelled = phase % 2 == 0;
        i.cancel_at_deadline = phase % 3 == 0;
        sl_assert_i64(sl_intent_format(&json, &i, (struct sl_bytes){ 0 }, &f.arena), SL_OK);
        sl_assert_i64(sl_intent_parse(&back, json), SL_OK);
        sl_assert_mem(&back, &i, sizeof i);
    }
    teardown(&f);
}

static void the_longest_intent_fits(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_bytes json;
    struct sl_intent i = intent_example(), back;
    setup(&f, 1 << 16);
    memset(i.reason, '"', SL_REASON_MAX);
    memset(i.actor, '\\', SL_ACTOR_MAX);
    sl_assert_i64(sl_intent_format(&json, &i, (struct sl_bytes){ 0 }, &f.arena), SL_OK);
    sl_assert_i64(sl_intent_parse(&back, json), SL_OK);
    sl_assert_mem(&back, &i, sizeof i);
    i.actor[0] = (char)0xff;
    sl_assert_i64(sl_intent_format(&json, &i, (struct sl_bytes){ 0 }, &f.arena), SL_BAD_FIELD);
    sl_assert_u64(json.len, 0);
    teardown(&f);
}

static void a_corrupt_intent_is_refused(void **state)
{
    (void)state;
    const char *const bad[] = {
        "{}",
        "{\"id\":\"d\",\"target\":\"n\",\"phase\":\"odd\",\"ended-from\":\"pending\"}",
        "{\"id\":\"d\",\"target\":\"n\",\"ended-from\":\"pending\"}",
        "{\"id\":\"d\",\"target\":\"n\",\"phase\":\"pending\"}",
        "{\"id\":\"d\",\"target\":\"\",\"phase\":\"pending\",\"ended-from\":\"pending\"}",
        "{\"id\":\"\",\"target\":\"n\",\"phase\":\"pending\",\"ended-from\":\"pending\"}",
        "{\"id\":\"d\",\"target\":\"n\",\"phase\":\"pending\",\"ended-from\":\"pending\",\"epoch\":-1}",
        "{\"id\":\"d\",\"target\":\"n\",\"phase\":\"pending\",\"ended-from\":\"pending\",\"cancelled\":0}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sl_intent intent = intent_example();
        sl_assert_i64(sl_intent_parse(&intent, bytes_of(bad[i])), SL_BAD_FIELD);
        assert_zero(&intent, sizeof intent);
    }
}

static void a_full_arena_is_said_and_leaves_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 16);
    struct sl_bytes json;
    struct sl_secret secret;
    struct sl_capture c = capture_example();
    struct sl_intent i = intent_example();
    struct sl_feed_status s = { .checkpoint = 1, .progress = SL_PROGRESS_NONE };
    struct sl_feed_edit edit = { .set_epoch = true, .epoch = 1 };
    sl_assert_i64(sl_capture_format(&json, &c, &f.arena), SL_NOMEM);
    sl_assert_u64(json.len, 0);
    sl_assert_i64(sl_intent_format(&json, &i, (struct sl_bytes){ 0 }, &f.arena), SL_NOMEM);
    sl_assert_i64(sl_feed_status_format(&json, &s, (struct sl_bytes){ 0 }, &f.arena), SL_NOMEM);
    sl_assert_u64(json.len, 0);
    sl_assert_i64(sl_feed_record_edit(&secret, secret_of("{\"a\":123456}"), &edit, &f.arena), SL_NOMEM);
    sl_assert_u64(sl_secret_reveal(secret).len, 0);
    teardown(&f);
}

/* A newer version has written it, and this one changes it. */
static void an_intent_keeps_what_a_newer_version_put_into_it(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_intent i, back;
    struct sl_bytes json, edited;
    setup(&f, 1 << 20);
    static const char newer[] = "{\"more\":{\"a\":[1,1e-7]}, \"id\":\"d1\",\"target\":\"n1\",\"epoch\":7,"
                                "\"phase\":\"pending\",\"ended-from\":\"pending\",\"big\":18446744073709551615}";
    sl_assert_i64(sl_intent_parse(&i, bytes_of(newer)), SL_OK);
    i.phase = SL_DRAIN_EVACUATING;
    i.epoch = UINT64_MAX;
    sl_assert_i64(sl_intent_format(&edited, &i, bytes_of(newer), &f.arena), SL_OK);
    assert_true(holds(edited.ptr, edited.len, "{\"more\":{\"a\":[1,1e-7]}, \"id\""));
    assert_true(holds(edited.ptr, edited.len, "\"big\":18446744073709551615"));
    assert_true(holds(edited.ptr, edited.len, "\"epoch\":18446744073709551615"));
    sl_assert_i64(sl_intent_parse(&back, edited), SL_OK);
    sl_assert_mem(&back, &i, sizeof i);
    sl_assert_i64(sl_intent_format(&json, &i, bytes_of("{"), &f.arena), SL_OK); /* nothing that could be kept */
    assert_false(holds(json.ptr, json.len, "more"));
    teardown(&f);
}

/* ---- sources ---- */

static void a_source_is_written_and_read_back(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_secret json;
    struct sl_feed_source s = { .version = 1, .feed_high = UINT64_MAX, .feed_low = 3 }, back;
    setup(&f, 1 << 20);
    s.uri = secret_of("gen://a\"b\\c?" CANARY);
    sl_assert_i64(sl_feed_source_format(&json, &s, &f.arena), SL_OK);
    sl_assert_i64(sl_feed_source_parse(&back, json, &f.arena), SL_OK);
    sl_assert_u64(back.feed_high, s.feed_high);
    sl_assert_u64(back.feed_low, s.feed_low);
    assert_true(sl_bytes_eq(sl_secret_reveal(back.uri), sl_secret_reveal(s.uri)));
    s.uri = secret_of("");
    sl_assert_i64(sl_feed_source_format(&json, &s, &f.arena), SL_BAD_FIELD);
    s.uri = secret_of("a\nb");
    sl_assert_i64(sl_feed_source_format(&json, &s, &f.arena), SL_BAD_FIELD);
    sl_assert_i64(sl_feed_source_parse(&back, secret_of("{\"version\":1,\"feed-high\":1,\"feed-low\":1}"), &f.arena),
                  SL_BAD_FIELD);
    sl_assert_i64(sl_feed_source_parse(&back, secret_of("{"), &f.arena), SL_MALFORMED);
    teardown(&f);
}

static void a_source_without_memory_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_secret json;
    struct sl_feed_source s = { .version = 1, .feed_high = 1, .feed_low = 3, .uri = secret_of("gen://x") }, back;
    setup(&f, 8);
    sl_assert_i64(sl_feed_source_format(&json, &s, &f.arena), SL_NOMEM);
    char text[1024];
    (void)snprintf(text, sizeof text, "{\"version\":1,\"feed-high\":1,\"feed-low\":3,\"source-uri\":\"%0500d\"}", 7);
    sl_assert_i64(sl_feed_source_parse(&back, secret_of(text), &f.arena), SL_NOMEM);
    teardown(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_the_protocols),
        cmocka_unit_test(a_part_cannot_name_somebody_elses_key),
        cmocka_unit_test(a_tail_is_what_follows_the_prefix),
        cmocka_unit_test(a_capture_comes_back_as_it_was),
        cmocka_unit_test(a_foreign_capture_is_read_and_known_to_be_foreign),
        cmocka_unit_test(a_corrupt_capture_is_refused),
        cmocka_unit_test(a_value_over_the_limit_is_refused_before_it_is_read),
        cmocka_unit_test(an_info_value_is_read_exactly),
        cmocka_unit_test(identity_comes_from_the_key_and_the_value_must_agree),
        cmocka_unit_test(a_corrupt_info_value_is_refused),
        cmocka_unit_test(every_state_is_read_by_its_name),
        cmocka_unit_test(no_secret_reaches_what_is_shown),
        cmocka_unit_test(an_edit_changes_nothing_else),
        cmocka_unit_test(an_edit_adds_what_is_not_there_at_the_end),
        cmocka_unit_test(an_edit_of_what_does_not_parse_is_refused),
        cmocka_unit_test(text_edit_agrees_with_an_edit_of_the_tree),
        cmocka_unit_test(a_status_keeps_members_of_other_writers),
        cmocka_unit_test(a_status_without_checkpoint_or_with_odd_progress_is_refused),
        cmocka_unit_test(an_intent_comes_back_as_it_was),
        cmocka_unit_test(the_longest_intent_fits),
        cmocka_unit_test(a_corrupt_intent_is_refused),
        cmocka_unit_test(a_full_arena_is_said_and_leaves_nothing),
        cmocka_unit_test(an_intent_keeps_what_a_newer_version_put_into_it),
        cmocka_unit_test(a_source_is_written_and_read_back),
        cmocka_unit_test(a_source_without_memory_is_refused),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
