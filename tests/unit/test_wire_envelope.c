/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_test.h"
#include "tests/wire/wire_fixture.h"
#include "wire/ids.h"

#include <stdio.h>
#include <string.h>

/* 43 n1->n2 to the maintainer manager with one payload; parts below replace or follow it. */
#define GOOD "08 2b 12 02 6e31 1a 02 6e32 22 12 6d61696e7461696e65722d6d616e61676572 2a 05 080110ac02"
#define TO_N2 "1a 02 6e32"
#define FROM_N1 "12 02 6e31"
#define TOPIC_MM "22 12 6d61696e7461696e65722d6d616e61676572"
#define PAYLOAD "2a 00"

static const struct sl_wire_limits limits = { .message_bytes_max = 1024,
                                              .payload_count_max = SL_PAYLOADS_MAX,
                                              .text_bytes_max = 64 };

/* The views in *out are valid until the next call. */
static enum sl_refusal decode(struct sl_envelope *out, const char *digits)
{
    static struct sl_wire_hex bytes;
    bytes = sl_wire_hex(digits);
    return sl_envelope_decode(out, sl_wire_hex_bytes(&bytes), &limits);
}

static enum sl_refusal refusal_of(const char *digits)
{
    struct sl_envelope e;
    return decode(&e, digits);
}

static void unknown_fields_of_any_kind_are_skipped(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "30 01",                           /* field 6, varint */
        "31 0102030405060708",             /* field 6, 8 bytes */
        "32 03 616263",                    /* field 6, bytes */
        "35 01020304",                     /* field 6, 4 bytes */
        "f8ffffff0f ffffffffffffffffff01", /* field 2^29-1, the largest varint */
    };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct sl_wire_hex before = sl_wire_hex(unknown[i]), after = sl_wire_hex(GOOD);
        struct sl_wire_hex both = before;
        memcpy(both.bytes + both.len, after.bytes, after.len);
        both.len += after.len;
        struct sl_envelope e;
        sl_assert_i64(sl_envelope_decode(&e, sl_wire_hex_bytes(&both), &limits), SL_REFUSE_NONE);
        sl_assert_i64(e.type, SL_MSG_SET_NODE_LIVENESS_REQUEST);
        sl_assert_u64(e.payload_count, 1);
        sl_assert_u64(e.payload[0].len, 5);
    }
}

static void structure_that_no_encoder_writes_is_malformed(void **state)
{
    (void)state;
    sl_assert_i64(refusal_of("33" GOOD), SL_REFUSE_MALFORMED);                        /* group begins */
    sl_assert_i64(refusal_of("34" GOOD), SL_REFUSE_MALFORMED);                        /* group ends */
    sl_assert_i64(refusal_of("36 00" GOOD), SL_REFUSE_MALFORMED);                     /* wire type 6 */
    sl_assert_i64(refusal_of("37 00" GOOD), SL_REFUSE_MALFORMED);                     /* wire type 7 */
    sl_assert_i64(refusal_of("00 01" GOOD), SL_REFUSE_MALFORMED);                     /* field number 0 */
    sl_assert_i64(refusal_of("8080808000 01" GOOD), SL_REFUSE_MALFORMED);             /* the same in 5 bytes */
    sl_assert_i64(refusal_of("b08080808000 01" GOOD), SL_REFUSE_MALFORMED);           /* key of 6 bytes */
    sl_assert_i64(refusal_of("f8ffffff1f 01" GOOD), SL_REFUSE_MALFORMED);             /* key above 32 bits */
    sl_assert_i64(refusal_of("30 8080808080808080808001" GOOD), SL_REFUSE_MALFORMED); /* varint of 11 bytes */
    sl_assert_i64(refusal_of("30 ffffffffffffffffff02" GOOD), SL_REFUSE_MALFORMED);   /* varint above 64 bits */
}

static void a_known_field_of_another_wire_type_is_malformed(void **state)
{
    (void)state;
    sl_assert_i64(refusal_of("0a 01 2b" GOOD), SL_REFUSE_MALFORMED);
    sl_assert_i64(refusal_of("0d 2b000000" GOOD), SL_REFUSE_MALFORMED);
    sl_assert_i64(refusal_of("10 01" GOOD), SL_REFUSE_MALFORMED);
    sl_assert_i64(refusal_of("18 01" GOOD), SL_REFUSE_MALFORMED);
    sl_assert_i64(refusal_of("21 0102030405060708" GOOD), SL_REFUSE_MALFORMED);
    sl_assert_i64(refusal_of("28 01" GOOD), SL_REFUSE_MALFORMED);
}

static void the_last_value_of_a_scalar_wins_and_payloads_add_up(void **state)
{
    (void)state;
    struct sl_envelope e;
    sl_assert_i64(decode(&e, "08 01 12 01 78 22 01 78" GOOD PAYLOAD), SL_REFUSE_NONE);
    sl_assert_i64(e.type, SL_MSG_SET_NODE_LIVENESS_REQUEST);
    assert_true(sl_str_eq(e.from, SL_STR("n1")));
    sl_assert_u64(e.payload_count, 2);
    sl_assert_u64(e.payload[0].len, 5);
    sl_assert_u64(e.payload[1].len, 0);
}

static void a_type_that_is_not_in_the_table_is_refused(void **state)
{
    (void)state;
    static const char *const types[] = {
        "",                        /* absent: 0 */
        "08 00",                   /* 0 */
        "08 2e",                   /* 46, one past the last */
        "08 ffffffff07",           /* 2^31-1 */
        "08 8080808008",           /* 2^31 */
        "08 ffffffffffffffffff01", /* -1 */
        "08 ab808080f0ffffffff01", /* negative, low bits 43 */
        "08 ab80808010",           /* 2^32 + 43 */
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char digits[256];
        assert_true(snprintf(digits, sizeof digits, "%s" FROM_N1 TO_N2 TOPIC_MM PAYLOAD, types[i]) > 0);
        struct sl_envelope e;
        sl_assert_i64(decode(&e, digits), SL_REFUSE_UNKNOWN_TYPE);
        sl_assert_i64(e.type, SL_MSG_INVALID);
        assert_true(sl_str_eq(e.from, SL_STR("n1")));
    }
}

static void only_the_topics_of_the_type_are_accepted(void **state)
{
    (void)state;
    for (int32_t number = 1; number < SL_MSG_COUNT; number++) {
        const struct sl_msg_row *row = sl_msg_row(number);
        for (uint32_t topic = 0; topic < SL_TOPIC_COUNT; topic++) {
            struct sl_envelope e = { .type = row->type, .payload_count = 1 };
            e.from = SL_STR("n1");
            e.to = SL_STR("n2");
            e.topic = sl_str_of(sl_topic_text((enum sl_topic)topic));
            uint8_t bytes[64];
            struct sl_bytes encoded = { bytes, sl_envelope_encode(&e, bytes) };
            bool second = row->topic2 != SL_TOPIC_NONE && row->topic2 == (enum sl_topic)topic;
            bool fits = second || row->topic == (enum sl_topic)topic;
            struct sl_envelope got;
            sl_assert_i64(sl_envelope_decode(&got, encoded, &limits), fits ? SL_REFUSE_NONE : SL_REFUSE_WRONG_TOPIC);
        }
    }
}

static void a_topic_must_match_to_the_last_byte(void **state)
{
    (void)state;
    static const char *const topics[] = {
        "22 0b 6d61696e7461696e65722d",                 /* a prefix */
        "22 13 6d61696e7461696e65722d6d616e6167657200", /* with a NUL behind it */
        "22 12 4d61696e7461696e65722d6d616e61676572",   /* "Maintainer-manager" */
    };
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        char digits[256];
        assert_true(snprintf(digits, sizeof digits, "08 2b" FROM_N1 TO_N2 "%s" PAYLOAD, topics[i]) > 0);
        sl_assert_i64(refusal_of(digits), SL_REFUSE_WRONG_TOPIC);
    }
}

static void both_ids_must_be_there_short_and_printable(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        enum sl_refusal refusal;
    } cases[] = {
        { "", TO_N2, SL_REFUSE_BAD_ID },
        { FROM_N1, "", SL_REFUSE_BAD_ID },
        { "12 00", TO_N2, SL_REFUSE_BAD_ID },
        { FROM_N1, "1a 02 6e0a", SL_REFUSE_BAD_TEXT },
        { "12 03 6e0031", TO_N2, SL_REFUSE_BAD_TEXT },
        { "12 02 c328", TO_N2, SL_REFUSE_BAD_TEXT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char digits[256];
        assert_true(snprintf(digits, sizeof digits, "08 2b%s%s" TOPIC_MM PAYLOAD, cases[i].from, cases[i].to) > 0);
        sl_assert_i64(refusal_of(digits), cases[i].refusal);
    }
}

static enum sl_refusal refusal_of_from(size_t from_len)
{
    char from[SL_NODE_ID_MAX + 1];
    memset(from, 'n', sizeof from);
    struct sl_envelope e = { .type = SL_MSG_SET_NODE_LIVENESS_REQUEST, .payload_count = 1 };
    e.from = (struct sl_str){ from, from_len };
    e.to = SL_STR("n2");
    e.topic = SL_STR("maintainer-manager");
    uint8_t bytes[256];
    struct sl_bytes encoded = { bytes, sl_envelope_encode(&e, bytes) };
    return sl_envelope_decode(&e, encoded, &limits);
}

static void an_id_may_be_62_bytes_long_but_not_63(void **state)
{
    (void)state;
    sl_assert_i64(refusal_of_from(62), SL_REFUSE_NONE);
    sl_assert_i64(refusal_of_from(63), SL_REFUSE_BAD_ID);
}

static void an_empty_payload_list_is_refused_but_an_empty_element_is_not(void **state)
{
    (void)state;
    sl_assert_i64(refusal_of("08 2b" FROM_N1 TO_N2 TOPIC_MM), SL_REFUSE_NO_PAYLOAD);
    sl_assert_i64(refusal_of("08 2b" FROM_N1 TO_N2 TOPIC_MM PAYLOAD), SL_REFUSE_NONE);
}

static void more_payloads_than_the_limit_are_refused(void **state)
{
    (void)state;
    struct sl_wire_hex bytes = sl_wire_hex("08 2b" FROM_N1 TO_N2 TOPIC_MM PAYLOAD PAYLOAD);
    struct sl_wire_limits one = limits;
    one.payload_count_max = 1;
    struct sl_envelope e;
    sl_assert_i64(sl_envelope_decode(&e, sl_wire_hex_bytes(&bytes), &one), SL_REFUSE_TOO_MANY_PAYLOADS);
    sl_assert_i64(sl_envelope_decode(&e, sl_wire_hex_bytes(&bytes), &limits), SL_REFUSE_NONE);
    sl_assert_u64(e.payload_count, 2);
}

static void a_message_above_the_limit_is_refused_unread(void **state)
{
    (void)state;
    struct sl_wire_hex bytes = sl_wire_hex(GOOD);
    struct sl_wire_limits small = limits;
    small.message_bytes_max = bytes.len - 1;
    struct sl_envelope e;
    sl_assert_i64(sl_envelope_decode(&e, sl_wire_hex_bytes(&bytes), &small), SL_REFUSE_OVERSIZED);
    small.message_bytes_max = bytes.len;
    sl_assert_i64(sl_envelope_decode(&e, sl_wire_hex_bytes(&bytes), &small), SL_REFUSE_NONE);
}

/* What a log line may name: type and sender, and the sender only if it is fit to print. */
static void a_refused_envelope_keeps_type_and_sender_alone(void **state)
{
    (void)state;
    struct sl_envelope e;
    sl_assert_i64(decode(&e, "08 2b" FROM_N1 TO_N2 "22 01 78" PAYLOAD), SL_REFUSE_WRONG_TOPIC);
    sl_assert_i64(e.type, SL_MSG_SET_NODE_LIVENESS_REQUEST);
    sl_assert_u64(e.from.len, 2);
    sl_assert_u64(e.to.len + e.topic.len + e.payload_count + e.payload[0].len, 0);
    sl_assert_i64(decode(&e, "08 2b 12 02 6e0a" TO_N2 TOPIC_MM PAYLOAD), SL_REFUSE_BAD_TEXT);
    sl_assert_i64(e.type, SL_MSG_SET_NODE_LIVENESS_REQUEST);
    sl_assert_u64(e.from.len, 0);
    assert_null(e.from.ptr);
}

static void nothing_is_truncated_or_unknown_but_not_a_crash(void **state)
{
    (void)state;
    struct sl_envelope e;
    sl_assert_i64(sl_envelope_decode(&e, (struct sl_bytes){ NULL, 0 }, &limits), SL_REFUSE_UNKNOWN_TYPE);
    sl_assert_i64(refusal_of("08"), SL_REFUSE_TRUNCATED);
    sl_assert_i64(refusal_of("12 ff01 61"), SL_REFUSE_TRUNCATED);
    sl_assert_i64(refusal_of("12 ffffffff0f 61"), SL_REFUSE_TRUNCATED);
    sl_assert_i64(refusal_of("31 01020304050607"), SL_REFUSE_TRUNCATED);
    sl_assert_i64(refusal_of("35 010203"), SL_REFUSE_TRUNCATED);
}

static void the_encoder_leaves_out_defaults_but_no_payload(void **state)
{
    (void)state;
    struct sl_envelope e = { .payload_count = 2 };
    struct sl_wire_hex wanted = sl_wire_hex("2a00 2a00");
    uint8_t bytes[16];
    sl_assert_u64(sl_envelope_size(&e), wanted.len);
    sl_assert_u64(sl_envelope_encode(&e, bytes), wanted.len);
    sl_assert_mem(bytes, wanted.bytes, wanted.len);
    e.payload_count = 0;
    sl_assert_u64(sl_envelope_size(&e), 0);
}

static void lengths_above_127_take_two_bytes(void **state)
{
    (void)state;
    uint8_t payload[300], bytes[400];
    memset(payload, 'p', sizeof payload);
    struct sl_envelope e = { .type = SL_MSG_READY_EVENT, .payload_count = 1 };
    e.from = SL_STR("n1");
    e.to = SL_STR("n2");
    e.topic = SL_STR("event-collector");
    e.payload[0] = (struct sl_bytes){ payload, sizeof payload };
    size_t size = sl_envelope_size(&e);
    sl_assert_u64(size, 2 + 4 + 4 + 17 + 3 + 300);
    sl_assert_u64(sl_envelope_encode(&e, bytes), size);
    struct sl_envelope got;
    sl_assert_i64(sl_envelope_decode(&got, (struct sl_bytes){ bytes, size }, &limits), SL_REFUSE_NONE);
    assert_true(sl_bytes_eq(got.payload[0], e.payload[0]));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_fields_of_any_kind_are_skipped),
        cmocka_unit_test(structure_that_no_encoder_writes_is_malformed),
        cmocka_unit_test(a_known_field_of_another_wire_type_is_malformed),
        cmocka_unit_test(the_last_value_of_a_scalar_wins_and_payloads_add_up),
        cmocka_unit_test(a_type_that_is_not_in_the_table_is_refused),
        cmocka_unit_test(only_the_topics_of_the_type_are_accepted),
        cmocka_unit_test(a_topic_must_match_to_the_last_byte),
        cmocka_unit_test(both_ids_must_be_there_short_and_printable),
        cmocka_unit_test(an_id_may_be_62_bytes_long_but_not_63),
        cmocka_unit_test(an_empty_payload_list_is_refused_but_an_empty_element_is_not),
        cmocka_unit_test(more_payloads_than_the_limit_are_refused),
        cmocka_unit_test(a_message_above_the_limit_is_refused_unread),
        cmocka_unit_test(a_refused_envelope_keeps_type_and_sender_alone),
        cmocka_unit_test(nothing_is_truncated_or_unknown_but_not_a_crash),
        cmocka_unit_test(the_encoder_leaves_out_defaults_but_no_payload),
        cmocka_unit_test(lengths_above_127_take_two_bytes),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
