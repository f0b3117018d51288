/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "core/drain/target_set.h"
#include "tests/support/sl_test.h"

#include <stdio.h>

static struct sl_drain_target target(const char *node, uint64_t epoch)
{
    struct sl_drain_target t = { .epoch = epoch };
    assert_true(sl_node_id_set(&t.node, sl_str_of(node)));
    return t;
}

static struct sl_target_set set2(uint64_t version, struct sl_drain_target a, struct sl_drain_target b)
{
    struct sl_target_set s = { .version = version };
    if (sl_drain_target_is_set(&a))
        s.targets[s.count++] = a;
    if (sl_drain_target_is_set(&b))
        s.targets[s.count++] = b;
    return s;
}

static const struct sl_drain_target none = { .epoch = 0 };

static void a_second_target_joins_with_a_newer_epoch(void **state)
{
    (void)state;
    struct sl_target_set held = { 0 }, one = set2(5, target("n2", 5), none);
    struct sl_target_set two = set2(9, target("n2", 5), target("n3", 9));
    sl_assert_i64(sl_target_set_apply(&held, &one), SL_TARGET_SET);
    sl_assert_i64(sl_target_set_apply(&held, &two), SL_TARGET_SET);
    sl_assert_u64(held.count, 2);
    sl_assert_i64(sl_target_set_apply(&held, &one), SL_TARGET_STALE);
    sl_assert_i64(sl_target_set_apply(&held, &two), SL_TARGET_DUPLICATE);
    sl_assert_u64(sl_target_set_oldest(&held).epoch, 5);
}

static void an_equal_version_may_only_shrink_the_set(void **state)
{
    (void)state;
    struct sl_target_set held = set2(9, target("n2", 5), target("n3", 9));
    struct sl_target_set shrunk = set2(9, target("n3", 9), none), changed = set2(9, target("n3", 8), none);
    sl_assert_i64(sl_target_set_apply(&held, &changed), SL_TARGET_CONFLICT);
    sl_assert_i64(sl_target_set_apply(&held, &shrunk), SL_TARGET_CLEARED);
    struct sl_target_set back = set2(9, target("n2", 5), target("n3", 9));
    sl_assert_i64(sl_target_set_apply(&held, &back), SL_TARGET_CONFLICT);
    sl_assert_u64(held.count, 1);
}

static void a_cleared_epoch_does_not_return_with_a_higher_version(void **state)
{
    (void)state;
    struct sl_target_set held = set2(9, target("n2", 5), none);
    struct sl_target_set empty = { .version = 9 };
    sl_assert_i64(sl_target_set_apply(&held, &empty), SL_TARGET_CLEARED);
    struct sl_target_set zombie = set2(12, target("n2", 5), target("n3", 12));
    sl_assert_i64(sl_target_set_apply(&held, &zombie), SL_TARGET_CONFLICT);
    struct sl_target_set again = set2(12, target("n2", 11), target("n3", 12));
    sl_assert_i64(sl_target_set_apply(&held, &again), SL_TARGET_SET);
}

static void what_breaks_the_rules_of_a_set_is_not_valid(void **state)
{
    (void)state;
    struct sl_target_set s = set2(9, target("n2", 5), target("n2", 6));
    assert_false(sl_target_set_is_valid(&s));
    s = set2(4, target("n2", 5), none);
    assert_false(sl_target_set_is_valid(&s));
    s = (struct sl_target_set){ .version = 4, .count = SL_TARGETS_MAX + 1 };
    assert_false(sl_target_set_is_valid(&s));
    s = (struct sl_target_set){ .version = 4, .count = 1 };
    assert_false(sl_target_set_is_valid(&s));
}

/* For single targets the two rules must agree: a cluster may hold nodes that speak either. */
static void for_single_targets_both_rules_agree(void **state)
{
    (void)state;
    static const char *const nodes[] = { "", "n1", "n2" };
    struct sl_prng prng;
    sl_prng_init(&prng, 7);
    struct sl_drain_target single = none;
    struct sl_target_set set = { 0 };
    for (int i = 0; i < 200000; i++) {
        if (i % 50 == 0) {
            single = none;
            set = (struct sl_target_set){ 0 };
        }
        struct sl_drain_target wanted = target(nodes[sl_prng_below(&prng, 3)], 1 + sl_prng_below(&prng, 12));
        struct sl_target_set wanted_set = sl_target_set_of(&wanted);
        bool changed = sl_target_verdict_changed(sl_drain_target_apply(&single, &wanted));
        bool set_changed = sl_target_verdict_changed(sl_target_set_apply(&set, &wanted_set));
        assert_true(changed == set_changed);
        struct sl_drain_target shown = sl_target_set_oldest(&set);
        sl_assert_u64(shown.epoch, single.epoch);
        assert_true(sl_node_id_eq(&shown.node, &single.node));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_target_joins_with_a_newer_epoch),
        cmocka_unit_test(an_equal_version_may_only_shrink_the_set),
        cmocka_unit_test(a_cleared_epoch_does_not_return_with_a_higher_version),
        cmocka_unit_test(what_breaks_the_rules_of_a_set_is_not_valid),
        cmocka_unit_test(for_single_targets_both_rules_agree),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
