/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "tests/support/sl_death.h"

/* First outputs of the authors' xoshiro256** from the state 1, 2, 3, 4. */
static void sequence_is_that_of_the_published_algorithm(void **state)
{
    (void)state;
    const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct sl_prng p = { .s = { 1, 2, 3, 4 } };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        sl_assert_u64(sl_prng_u64(&p), expected[i]);
}

/* First outputs of the authors' splitmix64 from 1234567. */
static void seeding_is_the_published_splitmix64(void **state)
{
    (void)state;
    struct sl_prng p;
    sl_prng_init(&p, 1234567);
    sl_assert_u64(p.s[0], UINT64_C(6457827717110365317));
    sl_assert_u64(p.s[1], UINT64_C(3203168211198807973));
    sl_assert_u64(p.s[2], UINT64_C(9817491932198370423));
    sl_assert_u64(p.s[3], UINT64_C(4593380528125082431));
}

static void same_seed_same_sequence_other_seed_another(void **state)
{
    (void)state;
    struct sl_prng a, b, c;
    sl_prng_init(&a, 42);
    sl_prng_init(&b, 42);
    sl_prng_init(&c, 43);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t draw = sl_prng_u64(&a);
        sl_assert_u64(draw, sl_prng_u64(&b));
        differs |= draw != sl_prng_u64(&c);
    }
    assert_true(differs);
}

static void below_reaches_every_value_and_no_other(void **state)
{
    (void)state;
    struct sl_prng p;
    sl_prng_init(&p, 3);
    for (uint64_t bound = 1; bound <= 10; bound++) {
        int seen[10] = { 0 };
        for (int i = 0; i < 2000; i++) {
            uint64_t draw = sl_prng_below(&p, bound);
            assert_true(draw < bound);
            seen[draw]++;
        }
        for (uint64_t v = 0; v < bound; v++)
            assert_true(seen[v] > 100);
    }
    assert_true(sl_prng_below(&p, UINT64_MAX) < UINT64_MAX);
}

/* Folding 2^64 onto 3 * 2^62 by remainder alone would give the lower third half of all draws. */
static void below_is_unbiased_where_a_remainder_alone_is_not(void **state)
{
    (void)state;
    struct sl_prng p;
    sl_prng_init(&p, 4);
    int lower = 0;
    for (int i = 0; i < 30000; i++)
        lower += sl_prng_below(&p, UINT64_C(3) << 62) < UINT64_C(1) << 62;
    assert_in_range(lower, 9500, 10500);
}

static void between_includes_both_ends(void **state)
{
    (void)state;
    struct sl_prng p;
    sl_prng_init(&p, 5);
    int low = 0, high = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t draw = sl_prng_between(&p, -3, 3);
        assert_true(draw >= -3 && draw <= 3);
        low += draw == -3;
        high += draw == 3;
    }
    assert_true(low > 0 && high > 0);
    sl_assert_i64(sl_prng_between(&p, 9, 9), 9);
}

static void between_covers_the_whole_type(void **state)
{
    (void)state;
    struct sl_prng p;
    sl_prng_init(&p, 6);
    int negative = 0;
    for (int i = 0; i < 1000; i++)
        negative += sl_prng_between(&p, INT64_MIN, INT64_MAX) < 0;
    assert_in_range(negative, 400, 600);
    sl_assert_i64(sl_prng_between(&p, INT64_MIN, INT64_MIN), INT64_MIN);
    sl_assert_i64(sl_prng_between(&p, INT64_MAX, INT64_MAX), INT64_MAX);
}

static void chance_of_zero_and_one_are_certain(void **state)
{
    (void)state;
    struct sl_prng p;
    sl_prng_init(&p, 7);
    int hits = 0;
    for (int i = 0; i < 10000; i++) {
        assert_false(sl_prng_chance(&p, 0, 5));
        assert_true(sl_prng_chance(&p, 5, 5));
        hits += sl_prng_chance(&p, 1, 4);
    }
    assert_in_range(hits, 2250, 2750);
}

static void impossible_questions_are_our_bug(void **state)
{
    (void)state;
    struct sl_prng p;
    sl_prng_init(&p, 8);
    sl_assert_aborts(sl_prng_below(&p, 0), "bound > 0");
    sl_assert_aborts(sl_prng_between(&p, 1, 0), "low <= high");
    sl_assert_aborts(sl_prng_chance(&p, 1, 0), "denominator > 0");
    sl_assert_aborts(sl_prng_chance(&p, 2, 1), "numerator <= denominator");
}

static void counted_choice_depends_on_its_three_numbers_only(void **state)
{
    (void)state;
    uint64_t first = sl_prng_at(1, 2, 3);
    (void)sl_prng_at(9, 9, 9);
    sl_assert_u64(sl_prng_at(1, 2, 3), first);
    assert_true(sl_prng_at(2, 2, 3) != first);
    assert_true(sl_prng_at(1, 3, 3) != first);
    assert_true(sl_prng_at(1, 2, 4) != first);
    assert_true(sl_prng_at(1, 3, 2) != first);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequence_is_that_of_the_published_algorithm),
        cmocka_unit_test(seeding_is_the_published_splitmix64),
        cmocka_unit_test(same_seed_same_sequence_other_seed_another),
        cmocka_unit_test(below_reaches_every_value_and_no_other),
        cmocka_unit_test(below_is_unbiased_where_a_remainder_alone_is_not),
        cmocka_unit_test(between_includes_both_ends),
        cmocka_unit_test(between_covers_the_whole_type),
        cmocka_unit_test(chance_of_zero_and_one_are_certain),
        cmocka_unit_test(impossible_questions_are_our_bug),
        cmocka_unit_test(counted_choice_depends_on_its_three_numbers_only),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
