/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MySQL's binary JSON as text. No such server is at hand: the small documents below stand byte by byte, as the public
 * description of the format gives them, the large ones are made by tests/support/json_binary.c after the same text.
 */
#include "base/prng.h"
#include "edge/mariadb/binlog_json.h"
#include "tests/support/json_binary.h"
#include "tests/support/sl_test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sl_inflate_buffer buffer;
static struct sl_err err;
static struct sl_bytes text; /* of the last document */
static uint8_t document[1 << 20];

static int set_up(void **state)
{
    (void)state;
    buffer.bytes_max = 1 << 24;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_inflate_buffer_deinit(&buffer);
    return 0;
}

/* In memory of its own size, so that a byte too far is seen. */
static enum sl_code format(const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    err = (struct sl_err){ 0 };
    enum sl_code code = sl_binlog_json_format(&text, (struct sl_bytes){ copy, len }, &buffer, &err);
    free(copy);
    return code;
}

static void assert_format(const void *bytes, size_t len, const char *expected)
{
    char shown[4096];
    enum sl_code code = format(bytes, len);
    if (code != SL_OK)
        fail_msg("expected %s, refused: %s", expected, err.text);
    snprintf(shown, sizeof shown, "%.*s", (int)text.len, (const char *)text.ptr);
    sl_assert_str(shown, expected);
}
#define ASSERT_FORMAT(expected, ...) \
    assert_format((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), expected)
#define ASSERT_CODE(code, ...)                                                                                   \
    do {                                                                                                         \
        sl_assert_i64(format((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })), code); \
    } while (0)

static void assert_node(const struct json_node *node, const char *expected)
{
    assert_format(document, json_binary_write(document, sizeof document, node), expected);
}

static void assert_double(double v, const char *expected)
{
    char shown[SL_JSON_DOUBLE_MAX + 1];
    size_t len = sl_binlog_json_double(shown, v);
    shown[len] = 0;
    sl_assert_str(shown, expected);
}

/* ---- what is printed ---- */

static void scalars_are_printed_as_the_server_does(void **state)
{
    (void)state;
    assert_format("", 0, "null"); /* what a lenient server stores for no document */
    ASSERT_FORMAT("null", 0x04, 0);
    ASSERT_FORMAT("true", 0x04, 1);
    ASSERT_FORMAT("false", 0x04, 2);
    ASSERT_FORMAT("-1", 0x05, 0xff, 0xff);
    ASSERT_FORMAT("32767", 0x05, 0xff, 0x7f);
    ASSERT_FORMAT("65535", 0x06, 0xff, 0xff);
    ASSERT_FORMAT("-32769", 0x07, 0xff, 0x7f, 0xff, 0xff);
    ASSERT_FORMAT("4294967295", 0x08, 0xff, 0xff, 0xff, 0xff);
    ASSERT_FORMAT("-9223372036854775808", 0x09, 0, 0, 0, 0, 0, 0, 0, 0x80);
    ASSERT_FORMAT("18446744073709551615", 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
    ASSERT_FORMAT("3.14159", 0x0b, 110, 134, 27, 240, 249, 33, 9, 64);
    ASSERT_FORMAT("\"abc\"", 0x0c, 3, 'a', 'b', 'c');
    ASSERT_FORMAT("\"\"", 0x0c, 0);
}

static void containers_keep_the_order_and_separate_as_the_server_does(void **state)
{
    (void)state;
    ASSERT_FORMAT("{}", 0x00, 0, 0, 4, 0);
    ASSERT_FORMAT("[]", 0x02, 0, 0, 4, 0);
    ASSERT_FORMAT("[1, 2]", 0x02, 2, 0, 10, 0, 5, 1, 0, 5, 2, 0);
    ASSERT_FORMAT("{\"a\": \"b\"}", 0x00, 1, 0, 14, 0, 11, 0, 1, 0, 12, 12, 0, 'a', 1, 'b');
    ASSERT_FORMAT("{\"asdf\": {\"foo\": 123}}", 0x00, 1, 0, 29, 0, /* count, size */
                  11, 0, 4, 0, 0, 15, 0, 'a', 's', 'd', 'f',       /* key at 11, four bytes; object at 15 */
                  1, 0, 14, 0, 11, 0, 3, 0, 5, 123, 0, 'f', 'o', 'o');
    assert_node(&(struct json_node){ 0x00, JSON_MEMBERS({ 0x05, .key = "a", .number = 1 },
                                                        { 0x02, .key = "b",
                                                          JSON_MEMBERS({ 0x04, .number = 1 }, { 0x04, .number = 0 }) },
                                                        { 0x00, .key = "aa" }) },
                "{\"a\": 1, \"b\": [true, null], \"aa\": {}}");
}

static void large_containers_have_wider_offsets_and_inline_more(void **state)
{
    (void)state;
    ASSERT_FORMAT("[70000]", 0x03, 1, 0, 0, 0, 13, 0, 0, 0, 0x07, 0x70, 0x11, 0x01, 0x00);
    assert_node(&(struct json_node){ 0x01, JSON_MEMBERS(
                                               { 0x08, .key = "u", .number = 4000000000u },
                                               { 0x09, .key = "l", .number = 1 }, { 0x0c, .key = "s", JSON_BYTES("x") },
                                               { 0x02, .key = "a", JSON_MEMBERS({ 0x07, .number = 65536 }) }) },
                "{\"u\": 4000000000, \"l\": 1, \"s\": \"x\", \"a\": [65536]}");
}

static void a_document_above_64_kib_is_read(void **state)
{
    (void)state;
    static struct json_node members[20000];
    static char expected[20000 * 8];
    size_t len = 1;
    expected[0] = '[';
    for (uint32_t i = 0; i < 20000; i++) {
        members[i] = (struct json_node){ 0x05, .number = i };
        len += (size_t)snprintf(expected + len, 8, "%s%u", i > 0 ? ", " : "", i);
    }
    expected[len++] = ']';
    size_t size =
        json_binary_write(document, sizeof document, &(struct json_node){ 0x03, .members = members, .count = 20000 });
    assert_true(size > 65536);
    sl_assert_i64(format(document, size), SL_OK);
    sl_assert_u64(text.len, len);
    sl_assert_mem(text.ptr, expected, len);
}

static void strings_are_escaped_and_their_utf_8_is_left_alone(void **state)
{
    (void)state;
    assert_node(&(struct json_node){ 0x0c, JSON_BYTES("\"\\/\b\f\n\r\t\x01\x1f\x7f gr\xc3\xbcn \xf0\x9f\x99\x82") },
                "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f gr\xc3\xbcn \xf0\x9f\x99\x82\"");
    assert_node(&(struct json_node){ 0x00, JSON_MEMBERS({ 0x04, .key = "a\"b\n", .number = 2 }) },
                "{\"a\\\"b\\n\": false}");
}

static void a_length_of_a_string_has_up_to_five_bytes(void **state)
{
    (void)state;
    memset(document, 'x', sizeof document);
    document[0] = 0x0c;
    for (size_t len = 120; len < 400000; len = len * 5 / 2) {
        size_t head = 0;
        for (size_t left = len; left > 0; left >>= 7)
            document[++head] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        memset(document + head + 1, 'x', 8);
        sl_assert_i64(format(document, 1 + head + len), SL_OK);
        sl_assert_u64(text.len, len + 2);
        sl_assert_i64(format(document, head + len), SL_TRUNCATED);
    }
    ASSERT_CODE(SL_TRUNCATED, 0x0c, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00); /* six */
    ASSERT_CODE(SL_TRUNCATED, 0x0c, 0xff, 0xff, 0xff, 0xff, 0xff);
}

static void decimals_are_numbers(void **state)
{
    (void)state;
    ASSERT_FORMAT("123456789.1234", 0x0f, 246, 8, 13, 4, 0x87, 0x5b, 0xcd, 0x15, 0x04, 0xd2);
    ASSERT_FORMAT("-0.5", 0x0f, 246, 3, 1, 1, 0x7a);
    ASSERT_CODE(SL_MALFORMED, 0x0f, 246, 3, 1, 2, 0x85);        /* more digits behind the point than there are */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 246, 3, 0, 0, 0x80);        /* no digits */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 246, 3, 66, 0, 0x80);       /* too many */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 246, 4, 1, 1, 0x85, 0x00);  /* a byte too much */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 246, 2, 1, 1);              /* a byte too few */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 246, 1, 1);                 /* not even a scale */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 246, 3, 1, 1, 0x80 | 0x0a); /* a digit of ten */
}

static void dates_and_times_are_quoted_with_six_digits(void **state)
{
    (void)state;
    ASSERT_FORMAT("\"2015-01-15\"", 0x0f, 10, 8, 0, 0, 0, 0, 0, 30, 149, 25);
    ASSERT_FORMAT("\"2015-01-15 23:24:25.000000\"", 0x0f, 12, 8, 0, 0, 0, 25, 118, 31, 149, 25);
    ASSERT_FORMAT("\"2015-01-15 23:24:25.120000\"", 0x0f, 7, 8, 192, 212, 1, 25, 118, 31, 149, 25);
    ASSERT_FORMAT("\"23:24:25.120000\"", 0x0f, 11, 8, 192, 212, 1, 25, 118, 1, 0, 0);
    ASSERT_FORMAT("\"-23:24:25.120000\"", 0x0f, 11, 8, 64, 43, 254, 230, 137, 254, 255, 255);
    ASSERT_FORMAT("\"838:59:59.000000\"", 0x0f, 11, 8, 0, 0, 0, 0xfb, 0x6e, 0x34, 0, 0);
    ASSERT_FORMAT("\"0000-00-00\"", 0x0f, 10, 8, 0, 0, 0, 0, 0, 0, 0, 0);
    ASSERT_CODE(SL_MALFORMED, 0x0f, 12, 7, 0, 0, 0, 25, 118, 31, 149);               /* seven bytes */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 12, 9, 0, 0, 0, 25, 118, 31, 149, 25, 0);        /* nine */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 12, 8, 0, 0, 0, 25, 118, 31, 149, 0x99);         /* before the year 0 */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 12, 8, 255, 255, 255, 25, 118, 31, 149, 25);     /* 16777215 us */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 12, 8, 0, 0, 0, 0x3f, 118, 31, 149, 25);         /* second 63 */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 12, 8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f);   /* hour 31 */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 11, 8, 0, 0, 0, 0, 0, 0, 0, 0x80);               /* an hour of ten digits */
    ASSERT_CODE(SL_MALFORMED, 0x0f, 11, 8, 255, 255, 255, 255, 255, 255, 255, 0x7f); /* likewise */
}

static void other_values_are_base64_with_their_type(void **state)
{
    (void)state;
    ASSERT_FORMAT("\"base64:type16:yv4=\"", 0x0f, 16, 2, 0xca, 0xfe);
    ASSERT_FORMAT("\"base64:type252:\"", 0x0f, 252, 0);
    ASSERT_FORMAT("\"base64:type15:AA==\"", 0x0f, 15, 1, 0);
    ASSERT_FORMAT("\"base64:type13:AAEC\"", 0x0f, 13, 3, 0, 1, 2);
    ASSERT_FORMAT("\"a\\n\"", 0x0f, 253, 2, 'a', '\n'); /* VAR_STRING is text */
}

static void base64_breaks_its_lines_after_76_characters(void **state)
{
    (void)state;
    uint8_t bytes[58] = { 0 };
    char expected[160];
    for (size_t count = 57; count <= 58; count++) {
        const struct json_node node = { 0x0f, .opaque = 252, .bytes = { bytes, count } };
        snprintf(expected, sizeof expected, "\"base64:type252:%.76s%s\"",
                 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                 count == 57 ? "" : "\\nAA==");
        assert_node(&node, expected);
    }
}

/* ---- doubles ---- */

static void doubles_have_the_shortest_digits_that_are_read_back(void **state)
{
    (void)state;
    assert_double(0.1, "0.1");
    assert_double(1.0 / 3, "0.3333333333333333");
    assert_double(0.1 + 0.2, "0.30000000000000004");
    assert_double(-2.5, "-2.5");
    assert_double(DBL_MAX, "1.7976931348623157e308");
    assert_double(DBL_MIN, "2.2250738585072014e-308");
    assert_double(5e-324, "5e-324");
    assert_double(0x1p-44,
                  "0.00000000000005684341886080802"); /* not the nearest 16 digits: those are read as its neighbour */
    assert_double(0x1p-1074 * 3, "1.5e-323");
    assert_double(9007199254740992.0, "9.007199254740992e15");
}

static void doubles_have_an_exponent_from_where_the_server_gives_them_one(void **state)
{
    (void)state;
    assert_double(0, "0.0");
    assert_double(-0.0, "-0.0");
    assert_double(1, "1.0");
    assert_double(1e14, "100000000000000.0");
    assert_double(123456789012345.0, "123456789012345.0");
    assert_double(1e15, "1e15");
    assert_double(1234567890123456.0, "1.234567890123456e15");
    assert_double(1234567890123456.5, "1234567890123456.5");
    assert_double(1e-14, "0.00000000000001");
    assert_double(1.5e-15, "0.0000000000000015");
    assert_double(1e-15, "0.000000000000001");
    assert_double(1e-16, "1e-16");
    assert_double(-1.25e-20, "-1.25e-20");
    assert_double(1e100, "1e100");
}

static void a_double_that_is_no_number_is_malformed(void **state)
{
    (void)state;
    ASSERT_CODE(SL_MALFORMED, 0x0b, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f);
    ASSERT_CODE(SL_MALFORMED, 0x0b, 1, 0, 0, 0, 0, 0, 0xf0, 0xff);
}

static void any_double_is_read_back_as_it_was(void **state)
{
    (void)state;
    struct sl_prng prng;
    sl_prng_init(&prng, 7);
    for (int i = 0; i < 200000; i++) {
        char shown[SL_JSON_DOUBLE_MAX + 1];
        uint64_t bits = sl_prng_u64(&prng);
        double v;
        if (i % 4 == 0)
            bits &= ~UINT64_C(0xfffffffffffff); /* powers of two */
        if (i % 4 == 1)
            bits &= ~UINT64_C(0x7ff0000000000000); /* subnormal */
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        size_t len = sl_binlog_json_double(shown, v);
        assert_true(len > 0 && len <= SL_JSON_DOUBLE_MAX);
        shown[len] = 0;
        double back = strtod(shown, NULL);
        sl_assert_mem(&back, &v, sizeof v);
    }
}

/* ---- hostile bytes ---- */

static void every_beginning_of_a_document_is_refused(void **state)
{
    (void)state;
    const struct json_node node = { 0x00,
                                    JSON_MEMBERS({ 0x03, .key = "a",
                                                   JSON_MEMBERS({ 0x0c, JSON_BYTES("text") },
                                                                { 0x0f, .opaque = 12, JSON_BYTES("\0\0\0\0\0\0\0\0") },
                                                                { 0x0b, .number = 0 }) },
                                                 { 0x09, .key = "b", .number = 7 }) };
    size_t len = json_binary_write(document, sizeof document, &node);
    sl_assert_i64(format(document, len), SL_OK);
    for (size_t i = 1; i < len; i++)
        assert_true(format(document, i) != SL_OK);
}

static void types_and_literals_that_are_not_known_are_malformed(void **state)
{
    (void)state;
    for (unsigned type = 0x0d; type < 256; type++) {
        if (type != 0x0f)
            ASSERT_CODE(SL_MALFORMED, (uint8_t)type, 0, 0, 4, 0);
    }
    ASSERT_CODE(SL_MALFORMED, 0x04, 3);
    ASSERT_CODE(SL_MALFORMED, 0x02, 1, 0, 7, 0, 4, 3, 0);
}

static void offsets_out_of_the_data_are_malformed(void **state)
{
    (void)state;
    ASSERT_CODE(SL_MALFORMED, 0x02, 1, 0, 8, 0, 12, 0, 0, 0); /* the count itself */
    ASSERT_CODE(SL_MALFORMED, 0x02, 1, 0, 8, 0, 12, 6, 0, 0); /* its own entry */
    ASSERT_CODE(SL_TRUNCATED, 0x02, 1, 0, 8, 0, 12, 8, 0, 0); /* the end: nothing is there */
    ASSERT_CODE(SL_MALFORMED, 0x02, 1, 0, 8, 0, 12, 9, 0, 0); /* behind it */
    ASSERT_FORMAT("[\"\"]", 0x02, 1, 0, 8, 0, 12, 7, 0, 0);
    ASSERT_CODE(SL_MALFORMED, 0x00, 1, 0, 12, 0, 10, 0, 1, 0, 4, 0, 0, 'a'); /* a key in the entries */
    ASSERT_CODE(SL_TRUNCATED, 0x00, 1, 0, 12, 0, 11, 0, 2, 0, 4, 0, 0, 'a'); /* a key beyond the end */
    ASSERT_CODE(SL_MALFORMED, 0x00, 1, 0, 12, 0, 13, 0, 0, 0, 4, 0, 0, 'a');
}

static void counts_and_sizes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    ASSERT_CODE(SL_MALFORMED, 0x02, 1, 0, 4, 0, 4, 0, 0);                /* no room for its entry */
    ASSERT_CODE(SL_TRUNCATED, 0x02, 1, 0, 8, 0, 4, 0, 0);                /* larger than what is there */
    ASSERT_CODE(SL_MALFORMED, 0x02, 0xff, 0xff, 7, 0, 4, 0, 0);          /* 65535 members */
    ASSERT_CODE(SL_MALFORMED, 0x02, 0, 0, 3, 0);                         /* smaller than its header */
    ASSERT_CODE(SL_MALFORMED, 0x03, 0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0); /* 2^32 - 1 members */
    ASSERT_CODE(SL_TRUNCATED, 0x03, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff); /* 4 GiB */
    ASSERT_CODE(SL_MALFORMED, 0x01, 0x55, 0x55, 0x55, 0x55, 8, 0, 0, 0); /* members that overflow 32 bits */
}

static void a_hundred_levels_are_read_and_no_more(void **state)
{
    (void)state;
    char expected[201];
    memset(expected, '[', 100);
    memset(expected + 100, ']', 100);
    expected[200] = 0;
    for (uint32_t depth = 100; depth <= 101; depth++) {
        struct json_node nodes[101];
        for (uint32_t i = 0; i < depth; i++)
            nodes[i] = (struct json_node){ 0x02, .members = &nodes[i + 1], .count = i + 1 < depth };
        size_t len = json_binary_write(document, sizeof document, nodes);
        if (depth == 100)
            assert_format(document, len, expected);
        else
            sl_assert_i64(format(document, len), SL_LIMIT);
    }
}

/* Each array names the next one twice: 2^n values in 10 n bytes. */
static void values_that_share_their_bytes_do_not_multiply(void **state)
{
    (void)state;
    enum { LEVELS = 90 };
    size_t len = 1;
    document[0] = 0x02;
    for (uint32_t i = 0; i < LEVELS; i++) {
        uint32_t size = (LEVELS - 1 - i) * 10 + 10;
        const uint8_t array[] = { 2, 0, (uint8_t)size, (uint8_t)(size >> 8), 0x02, 10, 0, 0x02, 10, 0 };
        memcpy(document + len, array, sizeof array);
        len += sizeof array;
    }
    memcpy(document + len - 10, (const uint8_t[]){ 2, 0, 10, 0, 5, 1, 0, 5, 2, 0 }, 10);
    sl_assert_i64(format(document, len), SL_MALFORMED);
    assert_non_null(strstr(err.text, "share"));
}

/* 20000 members that are all the same text of 40000 bytes. */
static void one_large_value_that_many_name_is_refused_before_it_is_written_often(void **state)
{
    (void)state;
    const uint32_t count = 20000, width = 4, text_size = 40000;
    uint32_t at = 8 + count * (width + 1), size = at + 3 + text_size;
    size_t len = 0;
    document[len++] = 0x03;
    const uint8_t header[] = { (uint8_t)count,       (uint8_t)(count >> 8), 0, 0, (uint8_t)size,
                               (uint8_t)(size >> 8), (uint8_t)(size >> 16), 0 };
    memcpy(document + len, header, sizeof header);
    len += sizeof header;
    for (uint32_t i = 0; i < count; i++, len += 5) {
        const uint8_t entry[] = { 0x0c, (uint8_t)at, (uint8_t)(at >> 8), (uint8_t)(at >> 16), 0 };
        memcpy(document + len, entry, sizeof entry);
    }
    memset(document + len, 'x', 3 + text_size);
    const uint8_t run[] = { (text_size & 0x7f) | 0x80, (text_size >> 7 & 0x7f) | 0x80, text_size >> 14 };
    memcpy(document + len, run, sizeof run);
    len += 3 + text_size;
    sl_assert_i64(format(document, len), SL_MALFORMED);
    assert_true(buffer.cap <= len * SL_JSON_TEXT_TIMES + 64);
}

static void text_above_the_limit_of_the_buffer_is_refused(void **state)
{
    (void)state;
    buffer.bytes_max = 100;
    memset(document, 1, 200);
    document[0] = 0x0c;
    document[1] = 20; /* 20 control characters: 122 bytes of text */
    sl_assert_i64(format(document, 22), SL_LIMIT);
    document[1] = 16;
    sl_assert_i64(format(document, 18), SL_OK);
}

static void no_document_grows_to_more_than_the_limit_that_refuses_shared_bytes(void **state)
{
    (void)state;
    static struct json_node members[3000];
    static const struct json_node greedy[] = {
        { 0x04, .number = 2 },
        { 0x05, .number = 0x8000 },
        { 0x0b, .number = UINT64_C(0x8010000000000001) },
        { 0x0c, JSON_BYTES("\1\1\1\1\1\1") },
        { 0x0f, .opaque = 252, JSON_BYTES("") },
        { 0x0f, .opaque = 12, JSON_BYTES("\0\0\0\x19\x76\x1f\x95\x19") },
        { 0x0f, .opaque = 246, JSON_BYTES("\1\1\x7a") },
        { .type = 0x00 },
    };
    for (size_t kind = 0; kind < sizeof greedy / sizeof greedy[0]; kind++) {
        for (size_t i = 0; i < 3000; i++) {
            members[i] = greedy[kind];
            members[i].key = kind % 2 ? "\1" : "";
        }
        for (uint8_t type = 0; type < 4; type++) {
            for (uint32_t count = 0; count < 3000; count = count * 3 + 1) {
                const struct json_node node = { type, .members = members, .count = count };
                sl_assert_i64(format(document, json_binary_write(document, sizeof document, &node)), SL_OK);
            }
        }
    }
}

static void changed_bytes_never_lead_out_of_the_document(void **state)
{
    (void)state;
    struct sl_prng prng;
    sl_prng_init(&prng, 3);
    const struct json_node node = {
        0x01, JSON_MEMBERS({ 0x00, .key = "first",
                             JSON_MEMBERS({ 0x02, .key = "k", JSON_MEMBERS({ .type = 0x05 }, { .type = 0x09 }) }) },
                           { 0x0c, .key = "second", JSON_BYTES("some text") },
                           { 0x0f, .key = "d", .opaque = 246, JSON_BYTES("\4\2\x80\x17\x22") })
    };
    size_t len = json_binary_write(document, sizeof document, &node);
    assert_true(len < 256);
    uint8_t good[256];
    memcpy(good, document, len);
    for (int turn = 0; turn < 100000; turn++) {
        memcpy(document, good, len);
        for (uint64_t changes = 1 + sl_prng_u64(&prng) % 3; changes > 0; changes--)
            document[sl_prng_u64(&prng) % len] = (uint8_t)sl_prng_u64(&prng);
        if (format(document, len) == SL_OK)
            assert_true(text.len <= len * SL_JSON_TEXT_TIMES + 64);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scalars_are_printed_as_the_server_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(containers_keep_the_order_and_separate_as_the_server_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_containers_have_wider_offsets_and_inline_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_document_above_64_kib_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strings_are_escaped_and_their_utf_8_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_length_of_a_string_has_up_to_five_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decimals_are_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dates_and_times_are_quoted_with_six_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_values_are_base64_with_their_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(base64_breaks_its_lines_after_76_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(doubles_have_the_shortest_digits_that_are_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(doubles_have_an_exponent_from_where_the_server_gives_them_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_double_that_is_no_number_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_double_is_read_back_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_beginning_of_a_document_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(types_and_literals_that_are_not_known_are_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(offsets_out_of_the_data_are_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_and_sizes_that_do_not_fit_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hundred_levels_are_read_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_that_share_their_bytes_do_not_multiply, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_large_value_that_many_name_is_refused_before_it_is_written_often, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(text_above_the_limit_of_the_buffer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_document_grows_to_more_than_the_limit_that_refuses_shared_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(changed_bytes_never_lead_out_of_the_document, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
