/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/grpc/status.h"
#include "edge/loop/handles.h"
#include "tests/support/sl_test.h"

#include <string.h>

static struct sl_bytes bytes_of(const char *text)
{
    return (struct sl_bytes){ (const uint8_t *)text, strlen(text) };
}

static void codes_have_their_numbers_and_names(void **state)
{
    (void)state;
    sl_assert_i64(SL_GRPC_RESOURCE_EXHAUSTED, 8);
    sl_assert_i64(SL_GRPC_UNAVAILABLE, 14);
    sl_assert_str(sl_grpc_code_name(SL_GRPC_UNAUTHENTICATED), "UNAUTHENTICATED");
}

static void a_status_that_is_no_known_number_is_unknown(void **state)
{
    (void)state;
    sl_assert_i64(sl_grpc_code_parse(bytes_of("0")), SL_GRPC_OK);
    sl_assert_i64(sl_grpc_code_parse(bytes_of("16")), SL_GRPC_UNAUTHENTICATED);
    sl_assert_i64(sl_grpc_code_parse(bytes_of("17")), SL_GRPC_UNKNOWN);
    sl_assert_i64(sl_grpc_code_parse(bytes_of("-1")), SL_GRPC_UNKNOWN);
    sl_assert_i64(sl_grpc_code_parse(bytes_of("")), SL_GRPC_UNKNOWN);
    sl_assert_i64(sl_grpc_code_parse(bytes_of("4294967296")), SL_GRPC_UNKNOWN);
}

static void resets_map_to_codes(void **state)
{
    (void)state;
    sl_assert_i64(sl_grpc_code_of_reset(8), SL_GRPC_CANCELLED);
    sl_assert_i64(sl_grpc_code_of_reset(7), SL_GRPC_UNAVAILABLE);
    sl_assert_i64(sl_grpc_code_of_reset(11), SL_GRPC_RESOURCE_EXHAUSTED);
    sl_assert_i64(sl_grpc_code_of_reset(2), SL_GRPC_INTERNAL);
    sl_assert_i64(sl_grpc_code_of_reset(12345), SL_GRPC_INTERNAL);
}

static void http_answers_map_to_codes(void **state)
{
    (void)state;
    sl_assert_i64(sl_grpc_code_of_http(404), SL_GRPC_UNIMPLEMENTED);
    sl_assert_i64(sl_grpc_code_of_http(503), SL_GRPC_UNAVAILABLE);
    sl_assert_i64(sl_grpc_code_of_http(401), SL_GRPC_UNAUTHENTICATED);
    sl_assert_i64(sl_grpc_code_of_http(418), SL_GRPC_UNKNOWN);
}

static void messages_survive_percent_encoding(void **state)
{
    static const char text[] = "100% \xc3\xa4\n~";
    char encoded[64], back[64];
    (void)state;
    size_t len = sl_grpc_message_encode(sl_str_of(text), encoded, sizeof encoded);
    sl_assert_mem(encoded, "100%25 %C3%A4%0A~", len);
    size_t back_len = sl_grpc_message_decode((struct sl_bytes){ (const uint8_t *)encoded, len }, back, sizeof back);
    sl_assert_u64(back_len, strlen(text));
    sl_assert_mem(back, text, back_len);
}

static void an_encoded_message_is_cut_between_characters(void **state)
{
    char encoded[8];
    (void)state;
    size_t len = sl_grpc_message_encode(sl_str_of("ab\xc3\xa4z"), encoded, 7);
    sl_assert_u64(len, 2);
}

static void a_broken_escape_is_kept_as_it_is(void **state)
{
    char out[16];
    (void)state;
    size_t len = sl_grpc_message_decode(bytes_of("a%zz%4"), out, sizeof out);
    sl_assert_u64(len, 6);
    sl_assert_mem(out, "a%zz%4", 6);
}

static void timeouts_are_read_in_every_unit(void **state)
{
    (void)state;
    sl_assert_i64(sl_grpc_timeout_parse(bytes_of("7n")), 7);
    sl_assert_i64(sl_grpc_timeout_parse(bytes_of("7u")), 7000);
    sl_assert_i64(sl_grpc_timeout_parse(bytes_of("7m")), 7000000);
    sl_assert_i64(sl_grpc_timeout_parse(bytes_of("7S")), 7000000000);
    sl_assert_i64(sl_grpc_timeout_parse(bytes_of("7M")), 420000000000);
    sl_assert_i64(sl_grpc_timeout_parse(bytes_of("1H")), 3600000000000);
    sl_assert_i64(sl_grpc_timeout_parse(bytes_of("99999999H")), INT64_MAX);
}

static void malformed_timeouts_are_refused(void **state)
{
    static const char *const bad[] = { "", "7", "S", "7s", "123456789n", "-1S", "1.5S" };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sl_assert_i64(sl_grpc_timeout_parse(bytes_of(bad[i])), -1);
    }
}

static void a_written_timeout_is_never_shorter(void **state)
{
    static const int64_t values[] = { 1, 99999999, 100000001, 3000000000, 123456789012345, INT64_MAX / 2 };
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char text[24];
        size_t len = sl_grpc_timeout_format(values[i], text, sizeof text);
        int64_t back = sl_grpc_timeout_parse((struct sl_bytes){ (const uint8_t *)text, len });
        assert_true(back >= values[i]);
        assert_true(back - values[i] <= values[i] / 1000);
    }
}

static void a_stale_handle_finds_nothing(void **state)
{
    struct sl_handles h;
    int one, two;
    (void)state;
    sl_handles_init(&h, 1);
    uint64_t first = sl_handles_add(&h, &one);
    assert_ptr_equal(sl_handles_get(&h, first), &one);
    sl_assert_u64(sl_handles_add(&h, &two), 0);
    sl_handles_remove(&h, first);
    uint64_t second = sl_handles_add(&h, &two);
    assert_null(sl_handles_get(&h, first));
    assert_ptr_equal(sl_handles_get(&h, second), &two);
    assert_null(sl_handles_get(&h, 0));
    sl_assert_u64(sl_handles_next(&h, 0), second);
    sl_assert_u64(sl_handles_next(&h, second), 0);
    sl_handles_deinit(&h);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_their_numbers_and_names),
        cmocka_unit_test(a_status_that_is_no_known_number_is_unknown),
        cmocka_unit_test(resets_map_to_codes),
        cmocka_unit_test(http_answers_map_to_codes),
        cmocka_unit_test(messages_survive_percent_encoding),
        cmocka_unit_test(an_encoded_message_is_cut_between_characters),
        cmocka_unit_test(a_broken_escape_is_kept_as_it_is),
        cmocka_unit_test(timeouts_are_read_in_every_unit),
        cmocka_unit_test(malformed_timeouts_are_refused),
        cmocka_unit_test(a_written_timeout_is_never_shorter),
        cmocka_unit_test(a_stale_handle_finds_nothing),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
