/* SPDX-License-Identifier: Apache-2.0 */
#include "core/drain/target.h"
#include "tests/support/sl_test.h"

#include <string.h>

static struct sl_drain_target target(const char *node, uint64_t epoch)
{
    struct sl_drain_target t = { .epoch = epoch };
    assert_true(sl_node_id_set(&t.node, sl_str_of(node)));
    return t;
}

static enum sl_target_verdict apply(struct sl_drain_target *state, const char *node, uint64_t epoch)
{
    struct sl_drain_target wanted = target(node, epoch);
    return sl_drain_target_apply(state, &wanted);
}

static void expect(const struct sl_drain_target *state, const char *node, uint64_t epoch)
{
    sl_assert_str(state->node.text, node);
    sl_assert_u64(state->epoch, epoch);
}

static void a_set_target_is_cleared_by_its_own_epoch(void **unused)
{
    (void)unused;
    struct sl_drain_target state = { .epoch = 0 };
    sl_assert_i64(apply(&state, "n2", 1), SL_TARGET_SET);
    expect(&state, "n2", 1);
    sl_assert_i64(apply(&state, "", 1), SL_TARGET_CLEARED);
    expect(&state, "", 1);
}

static void after_a_clear_only_a_higher_epoch_is_taken(void **unused)
{
    (void)unused;
    struct sl_drain_target state = target("", 1);
    sl_assert_i64(apply(&state, "n2", 1), SL_TARGET_CONFLICT);
    sl_assert_i64(apply(&state, "n3", 0), SL_TARGET_STALE);
    expect(&state, "", 1);
    sl_assert_i64(apply(&state, "n4", 2), SL_TARGET_SET);
    expect(&state, "n4", 2);
}

static void equal_epoch_may_only_clear_once(void **unused)
{
    (void)unused;
    struct sl_drain_target state = target("n2", 5);
    sl_assert_i64(apply(&state, "n2", 5), SL_TARGET_DUPLICATE);
    sl_assert_i64(apply(&state, "n3", 5), SL_TARGET_CONFLICT);
    expect(&state, "n2", 5);
    sl_assert_i64(apply(&state, "", 5), SL_TARGET_CLEARED);
    sl_assert_i64(apply(&state, "", 5), SL_TARGET_DUPLICATE);
    sl_assert_i64(apply(&state, "n2", 5), SL_TARGET_CONFLICT);
    expect(&state, "", 5);
}

static void epoch_zero_can_never_set_a_target(void **unused)
{
    (void)unused;
    struct sl_drain_target state = { .epoch = 0 };
    sl_assert_i64(apply(&state, "n2", 0), SL_TARGET_CONFLICT);
    sl_assert_i64(apply(&state, "", 0), SL_TARGET_DUPLICATE);
    expect(&state, "", 0);
}

static void a_higher_epoch_wins_with_any_node_the_empty_one_included(void **unused)
{
    (void)unused;
    struct sl_drain_target state = target("n2", 5);
    sl_assert_i64(apply(&state, "n2", 6), SL_TARGET_SET);
    sl_assert_i64(apply(&state, "n3", 7), SL_TARGET_SET);
    sl_assert_i64(apply(&state, "", 9), SL_TARGET_CLEARED);
    sl_assert_i64(apply(&state, "", UINT64_MAX), SL_TARGET_CLEARED);
    sl_assert_i64(apply(&state, "n2", UINT64_MAX), SL_TARGET_CONFLICT);
    expect(&state, "", UINT64_MAX);
}

/* All sequences of four requests out of three nodes and three epochs, against the rule in other words. */
static void no_sequence_of_requests_reactivates_a_cleared_epoch(void **unused)
{
    (void)unused;
    const char *nodes[] = { "", "n1", "n2" };
    for (int code = 0; code < 9 * 9 * 9 * 9; code++) {
        struct sl_drain_target state = { .epoch = 0 };
        bool cleared[3] = { true, false, false };
        for (int step = 0, rest = code; step < 4; step++, rest /= 9) {
            struct sl_drain_target before = state;
            enum sl_target_verdict v = apply(&state, nodes[rest % 3], (uint64_t)(rest / 3 % 3));
            bool changed = memcmp(&before, &state, sizeof state) != 0;
            sl_assert_i64(changed, sl_target_verdict_changed(v));
            assert_true(state.epoch >= before.epoch);
            assert_false(sl_drain_target_is_set(&state) && cleared[state.epoch]);
            for (uint64_t e = 0; e < state.epoch; e++)
                cleared[e] = true;
            if (!sl_drain_target_is_set(&state))
                cleared[state.epoch] = true;
        }
    }
}

static void verdicts_have_names(void **unused)
{
    (void)unused;
    sl_assert_str(sl_target_verdict_name(SL_TARGET_SET), "set");
    sl_assert_str(sl_target_verdict_name(SL_TARGET_CLEARED), "cleared");
    sl_assert_str(sl_target_verdict_name(SL_TARGET_DUPLICATE), "duplicate");
    sl_assert_str(sl_target_verdict_name(SL_TARGET_STALE), "stale");
    sl_assert_str(sl_target_verdict_name(SL_TARGET_CONFLICT), "conflict");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_target_is_cleared_by_its_own_epoch),
        cmocka_unit_test(after_a_clear_only_a_higher_epoch_is_taken),
        cmocka_unit_test(equal_epoch_may_only_clear_once),
        cmocka_unit_test(epoch_zero_can_never_set_a_target),
        cmocka_unit_test(a_higher_epoch_wins_with_any_node_the_empty_one_included),
        cmocka_unit_test(no_sequence_of_requests_reactivates_a_cleared_epoch),
        cmocka_unit_test(verdicts_have_names),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
