/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_test.h"
#include "wire/ids.h"

#include <string.h>

static Pb__ChangefeedID feed_pb(uint64_t high, uint64_t low, const char *name, const char *keyspace)
{
    Pb__ChangefeedID pb = PB__CHANGEFEED_ID__INIT;
    pb.high = high;
    pb.low = low;
    pb.name = (char *)(uintptr_t)name;
    pb.keyspace = (char *)(uintptr_t)keyspace;
    return pb;
}

static struct sl_feed_id feed(uint64_t high, uint64_t low, const char *name, const char *keyspace)
{
    Pb__ChangefeedID pb = feed_pb(high, low, name, keyspace);
    struct sl_feed_id id;
    assert_true(sl_feed_id_set(&id, &pb));
    return id;
}

static void a_node_id_holds_62_bytes_and_no_more(void **state)
{
    (void)state;
    char text[63];
    memset(text, 'n', sizeof text);
    struct sl_node_id id;
    assert_true(sl_node_id_set(&id, (struct sl_str){ text, 62 }));
    sl_assert_u64(id.len, 62);
    sl_assert_u64(sl_node_id_str(&id).len, 62);
    assert_false(sl_node_id_set(&id, (struct sl_str){ text, 63 }));
    assert_true(sl_node_id_is_none(&id));
}

static void the_empty_node_id_is_none(void **state)
{
    (void)state;
    struct sl_node_id id, zero = { 0 };
    assert_true(sl_node_id_set(&id, (struct sl_str){ NULL, 0 }));
    assert_true(sl_node_id_is_none(&id));
    sl_assert_mem(&id, &zero, sizeof id);
    sl_assert_u64(sl_node_id_str(&id).len, 0);
}

static void node_ids_compare_whole(void **state)
{
    (void)state;
    struct sl_node_id a, b, prefix;
    assert_true(sl_node_id_set(&a, SL_STR("node-1")));
    assert_true(sl_node_id_set(&b, SL_STR("node-1")));
    assert_true(sl_node_id_set(&prefix, SL_STR("node-")));
    assert_true(sl_node_id_eq(&a, &b));
    sl_assert_mem(&a, &b, sizeof a); /* fit to be hashed as bytes */
    assert_false(sl_node_id_eq(&a, &prefix));
    assert_false(sl_node_id_is_none(&prefix));
}

static void a_dispatcher_id_is_none_only_if_both_halves_are_zero(void **state)
{
    (void)state;
    assert_true(sl_dispatcher_id_is_none(sl_dispatcher_id_of(NULL)));
    Pb__DispatcherID pb = sl_dispatcher_id_pb((struct sl_dispatcher_id){ .high = 7, .low = 0 });
    assert_ptr_equal(pb.base.descriptor, &pb__dispatcher_id__descriptor);
    struct sl_dispatcher_id id = sl_dispatcher_id_of(&pb);
    assert_false(sl_dispatcher_id_is_none(id));
    assert_true(sl_dispatcher_id_eq(id, (struct sl_dispatcher_id){ 7, 0 }));
    assert_false(sl_dispatcher_id_eq(id, (struct sl_dispatcher_id){ 0, 7 }));
}

static void a_feed_id_is_all_four_parts(void **state)
{
    (void)state;
    struct sl_feed_id a = feed(2, 1, "cf", "default"), same = feed(2, 1, "cf", "default");
    struct sl_feed_id others[] = {
        feed(3, 1, "cf", "default"),  feed(2, 3, "cf", "default"), feed(2, 1, "cg", "default"),
        feed(2, 1, "cf2", "default"), feed(2, 1, "cf", "tenant"),  feed(2, 1, "cf", ""),
    };
    assert_true(sl_feed_id_eq(&a, &same));
    sl_assert_u64(sl_feed_id_hash(9, &a), sl_feed_id_hash(9, &same));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(sl_feed_id_eq(&a, &others[i]));
        assert_true(sl_feed_id_hash(9, &a) != sl_feed_id_hash(9, &others[i]));
    }
    assert_true(sl_str_eq(sl_feed_id_name(&a), SL_STR("cf")));
}

static void a_name_does_not_run_into_the_keyspace_in_the_hash(void **state)
{
    (void)state;
    struct sl_feed_id a = feed(2, 1, "ab", "c"), b = feed(2, 1, "a", "bc");
    assert_true(sl_feed_id_hash(9, &a) != sl_feed_id_hash(9, &b));
}

static void a_feed_id_without_name_or_number_or_with_long_parts_is_refused(void **state)
{
    (void)state;
    char name[130], keyspace[66];
    memset(name, 'x', sizeof name);
    memset(keyspace, 'x', sizeof keyspace);
    name[129] = keyspace[65] = '\0';
    struct sl_feed_id id;
    Pb__ChangefeedID bad[] = { feed_pb(0, 0, "cf", "default"), feed_pb(2, 1, "", "default"),
                               feed_pb(2, 1, name, "default"), feed_pb(2, 1, "cf", keyspace) };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sl_feed_id_set(&id, &bad[i]));
        sl_assert_u64(id.high | id.low | id.name_len | id.keyspace_len, 0);
    }
    name[128] = keyspace[64] = '\0';
    Pb__ChangefeedID longest = feed_pb(2, 1, name, keyspace);
    assert_true(sl_feed_id_set(&id, &longest));
    sl_assert_u64(id.name_len, 128);
    sl_assert_u64(id.keyspace_len, 64);
}

static void one_half_of_the_number_may_be_zero(void **state)
{
    (void)state;
    struct sl_feed_id high = feed(UINT64_MAX, 0, "cf", ""), low = feed(0, UINT64_MAX, "cf", "");
    sl_assert_u64(high.high, UINT64_MAX);
    sl_assert_u64(low.low, UINT64_MAX);
}

static void a_feed_id_goes_to_the_wire_and_back(void **state)
{
    (void)state;
    struct sl_feed_id a = feed(UINT64_MAX, 1, "cf", "default"), back;
    Pb__ChangefeedID pb = sl_feed_id_pb(&a);
    uint8_t bytes[256];
    size_t len = pb__changefeed_id__pack(&pb, bytes);
    Pb__ChangefeedID *read = pb__changefeed_id__unpack(NULL, len, bytes);
    assert_non_null(read);
    assert_true(sl_feed_id_set(&back, read));
    assert_true(sl_feed_id_eq(&a, &back));
    pb__changefeed_id__free_unpacked(read, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_id_holds_62_bytes_and_no_more),
        cmocka_unit_test(the_empty_node_id_is_none),
        cmocka_unit_test(node_ids_compare_whole),
        cmocka_unit_test(a_dispatcher_id_is_none_only_if_both_halves_are_zero),
        cmocka_unit_test(a_feed_id_is_all_four_parts),
        cmocka_unit_test(a_name_does_not_run_into_the_keyspace_in_the_hash),
        cmocka_unit_test(a_feed_id_without_name_or_number_or_with_long_parts_is_refused),
        cmocka_unit_test(one_half_of_the_number_may_be_zero),
        cmocka_unit_test(a_feed_id_goes_to_the_wire_and_back),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
