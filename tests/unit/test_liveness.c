/* SPDX-License-Identifier: Apache-2.0 */
#include "core/drain/liveness.h"
#include "tests/support/sl_test.h"

static void liveness_moves_one_step_forward_at_a_time(void **state)
{
    (void)state;
    enum sl_liveness l = SL_LIVENESS_ALIVE;
    assert_true(sl_liveness_step(&l, SL_LIVENESS_DRAINING));
    sl_assert_i64(l, SL_LIVENESS_DRAINING);
    assert_true(sl_liveness_step(&l, SL_LIVENESS_STOPPING));
    sl_assert_i64(l, SL_LIVENESS_STOPPING);
}

static void nothing_but_the_next_step_changes_anything(void **state)
{
    (void)state;
    for (int from = SL_LIVENESS_ALIVE; from <= SL_LIVENESS_STOPPING; from++) {
        for (int wanted = -2; wanted <= 40; wanted++) {
            enum sl_liveness l = (enum sl_liveness)from;
            bool legal = wanted == from + 1 && wanted <= SL_LIVENESS_STOPPING;
            sl_assert_i64(sl_liveness_step(&l, wanted), legal);
            sl_assert_i64(l, legal ? wanted : from);
        }
    }
    enum sl_liveness l = SL_LIVENESS_STOPPING;
    assert_false(sl_liveness_step(&l, INT32_MIN));
    assert_false(sl_liveness_step(&l, INT32_MAX));
}

static void names_and_wire_values_fit_the_states(void **state)
{
    (void)state;
    sl_assert_str(sl_liveness_name(SL_LIVENESS_ALIVE), "alive");
    sl_assert_str(sl_liveness_name(SL_LIVENESS_DRAINING), "draining");
    sl_assert_str(sl_liveness_name(SL_LIVENESS_STOPPING), "stopping");
    sl_assert_str(sl_liveness_name(3), "unknown");
    sl_assert_str(sl_liveness_name(-1), "unknown");
    sl_assert_i64(sl_liveness_pb(SL_LIVENESS_STOPPING), PB__NODE_LIVENESS__STOPPING);
}

static void a_new_life_is_alive_in_the_next_node_epoch_and_none_follows_stopping(void **state)
{
    (void)state;
    for (int from = SL_LIVENESS_ALIVE; from <= SL_LIVENESS_STOPPING; from++) {
        enum sl_liveness l = (enum sl_liveness)from;
        uint64_t node_epoch = 7;
        bool begins = from != SL_LIVENESS_STOPPING;
        sl_assert_i64(sl_liveness_begin_life(&l, &node_epoch), begins);
        sl_assert_i64(l, begins ? SL_LIVENESS_ALIVE : SL_LIVENESS_STOPPING);
        sl_assert_u64(node_epoch, begins ? 8 : 7);
    }
    enum sl_liveness l = SL_LIVENESS_DRAINING;
    uint64_t last = UINT64_MAX;
    assert_false(sl_liveness_begin_life(&l, &last));
    sl_assert_i64(l, SL_LIVENESS_DRAINING);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(liveness_moves_one_step_forward_at_a_time),
        cmocka_unit_test(nothing_but_the_next_step_changes_anything),
        cmocka_unit_test(names_and_wire_values_fit_the_states),
        cmocka_unit_test(a_new_life_is_alive_in_the_next_node_epoch_and_none_follows_stopping),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
