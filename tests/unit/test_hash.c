/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/prng.h"
#include "tests/support/sl_test.h"

#include <string.h>

/* Digests of runs are compared between machines and releases: these values must never change. */
static void values_are_fixed_for_ever(void **state)
{
    (void)state;
    sl_assert_u64(sl_hash_bytes(0, NULL, 0), UINT64_C(0xa706dd2f4d197e6f));
    sl_assert_u64(sl_hash_bytes(0, "a", 1), UINT64_C(0xed673babe737fe57));
    sl_assert_u64(sl_hash_bytes(7, "sluice is a gate", 16), UINT64_C(0x7607dfa09596ef09));
    sl_assert_u64(sl_hash_bytes(7, "sluice is a gate.", 17), UINT64_C(0x29e03b3e818ba97c));
    sl_assert_u64(sl_hash_u64(1, 2), UINT64_C(0xbcd9dbb49673066b));
    sl_assert_u64(sl_hash_u64x2(1, 2, 3), UINT64_C(0xd0734750fde362b3));
}

/* Written out from the definition in plain arithmetic, so that no load of the machine's own order can hide in it. */
static void bytes_are_read_least_significant_first(void **state)
{
    (void)state;
    const unsigned char bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t after_len = sl_hash_mix((sl_hash_mix(5 + step) ^ 8) + step);
    uint64_t expected = sl_hash_mix((after_len ^ UINT64_C(0x0807060504030201)) + step);
    sl_assert_u64(sl_hash_bytes(5, bytes, 8), expected);
}

static void alignment_of_the_input_does_not_matter(void **state)
{
    (void)state;
    char memory[64];
    uint64_t first = sl_hash_bytes(3, "0123456789abcdefghi", 19);
    for (size_t shift = 0; shift < 16; shift++) {
        memcpy(memory + shift, "0123456789abcdefghi", 19);
        sl_assert_u64(sl_hash_bytes(3, memory + shift, 19), first);
    }
}

static void seed_length_and_order_all_count(void **state)
{
    (void)state;
    const char zeros[32] = { 0 };
    for (size_t a = 0; a <= 32; a++) {
        for (size_t b = 0; b < a; b++)
            assert_true(sl_hash_bytes(0, zeros, a) != sl_hash_bytes(0, zeros, b));
        assert_true(sl_hash_bytes(0, zeros, a) != sl_hash_bytes(1, zeros, a));
    }
    assert_true(sl_hash_u64x2(0, 1, 2) != sl_hash_u64x2(0, 2, 1));
    assert_true(sl_hash_u64(0, 1) != sl_hash_u64(1, 0));
    assert_true(sl_hash_u64(0, 0) != 0);
}

/* Flipping any input bit must flip each output bit about half the time: 400 trials, so 6 sigma is 60. */
static void every_input_bit_reaches_every_output_bit(void **state)
{
    (void)state;
    enum { TRIALS = 400, SLACK = 60 };
    struct sl_prng p;
    sl_prng_init(&p, 1);
    for (int in = 0; in < 64 * 2; in++) {
        int flips[64] = { 0 };
        for (int trial = 0; trial < TRIALS; trial++) {
            uint64_t a = sl_prng_u64(&p), b = sl_prng_u64(&p), bit = UINT64_C(1) << (in % 64);
            uint64_t changed = sl_hash_u64x2(9, a, b) ^ sl_hash_u64x2(9, in < 64 ? a ^ bit : a, in < 64 ? b : b ^ bit);
            for (int out = 0; out < 64; out++)
                flips[out] += (int)(changed >> out & 1);
        }
        for (int out = 0; out < 64; out++)
            assert_in_range(flips[out], TRIALS / 2 - SLACK, TRIALS / 2 + SLACK);
    }
}

/* 64 Ki keys in 64 Ki buckets leave 1/e of them empty (24109); the standard deviation is about 100. */
static void assert_spread(const uint32_t *buckets, size_t count)
{
    size_t empty = 0;
    for (size_t i = 0; i < count; i++)
        empty += buckets[i] == 0;
    assert_in_range(empty, 23500, 24700);
}

static void sequential_ids_spread_like_random_ones_in_both_halves(void **state)
{
    (void)state;
    static uint32_t low[65536], high[65536];
    memset(low, 0, sizeof low);
    memset(high, 0, sizeof high);
    for (uint64_t id = 0; id < 65536; id++) {
        uint64_t h = sl_hash_u64(0, id);
        low[h & 65535]++;
        high[h >> 48]++;
    }
    assert_spread(low, 65536);
    assert_spread(high, 65536);
}

static void names_with_a_counter_spread_like_random_ones(void **state)
{
    (void)state;
    static uint32_t low[65536];
    memset(low, 0, sizeof low);
    for (uint64_t id = 0; id < 65536; id++) {
        char name[] = "feed-00000";
        uint64_t rest = id;
        for (size_t at = sizeof name - 2; rest > 0; at--, rest /= 10)
            name[at] = (char)('0' + rest % 10);
        low[sl_hash_bytes(0, name, sizeof name - 1) & 65535]++;
    }
    assert_spread(low, 65536);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_fixed_for_ever),
        cmocka_unit_test(bytes_are_read_least_significant_first),
        cmocka_unit_test(alignment_of_the_input_does_not_matter),
        cmocka_unit_test(seed_length_and_order_all_count),
        cmocka_unit_test(every_input_bit_reaches_every_output_bit),
        cmocka_unit_test(sequential_ids_spread_like_random_ones_in_both_halves),
        cmocka_unit_test(names_with_a_counter_spread_like_random_ones),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
