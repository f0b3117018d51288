/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/maintainer/bootstrap.h"
#include "tests/support/sl_test.h"

/* The generic bootstrapper by itself: conformance fact 66, and its corners. */

#define RESEND_NS (500 * SL_MS)
enum { REF_MAX = 4, A = 1, B = 2, C = 3 };

struct fixture {
    struct sl_mem mem;
    struct sl_bootstrap b;
};

static void begin(struct fixture *f, uint32_t count)
{
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    sl_mem_init(&f->mem, &opts);
    sl_assert_i64(sl_bootstrap_init(&f->b, &f->mem, SL_TAG_MAINTAINER, REF_MAX, RESEND_NS), SL_OK);
    for (sl_node_ref ref = 1; ref <= count; ref++)
        sl_bootstrap_add(&f->b, 0, ref);
}

static void end(struct fixture *f)
{
    sl_bootstrap_deinit(&f->b);
    sl_mem_deinit(&f->mem);
}

static uint32_t ask(struct fixture *f, sl_ns now)
{
    uint32_t mask = 0;
    for (sl_node_ref ref = sl_bootstrap_take_due(&f->b, now); ref; ref = sl_bootstrap_take_due(&f->b, now))
        mask |= 1u << ref;
    return mask;
}

static uint32_t answers(const struct fixture *f)
{
    uint32_t mask = 0;
    for (sl_node_ref ref = sl_bootstrap_next_answered(&f->b, 0); ref; ref = sl_bootstrap_next_answered(&f->b, ref))
        mask |= 1u << ref;
    return mask;
}

static void answer_of_an_untracked_node_is_ignored(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 2);
    assert_false(sl_bootstrap_answered(&f.b, C));
    sl_assert_u64(answers(&f), 0u);
    assert_false(sl_bootstrap_is_tracked(&f.b, C));
    end(&f);
}

static void ready_only_after_all_answered(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3);
    assert_true(sl_bootstrap_answered(&f.b, C));
    assert_true(sl_bootstrap_answered(&f.b, A));
    assert_false(sl_bootstrap_is_ready(&f.b));
    assert_true(sl_bootstrap_answered(&f.b, B));
    assert_true(sl_bootstrap_is_ready(&f.b));
    sl_assert_u64(answers(&f), 1u << A | 1u << B | 1u << C);
    end(&f);
}

static void nobody_tracked_is_not_ready(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 0);
    assert_false(sl_bootstrap_is_ready(&f.b));
    sl_assert_i64(sl_bootstrap_deadline(&f.b), SL_NEVER);
    end(&f);
}

static void later_node_makes_it_not_ready_and_only_its_answer_is_handed_out(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 2);
    sl_bootstrap_answered(&f.b, A);
    sl_bootstrap_answered(&f.b, B);
    sl_bootstrap_clear(&f.b);
    assert_true(sl_bootstrap_is_ready(&f.b));
    sl_bootstrap_add(&f.b, SL_S, C);
    assert_false(sl_bootstrap_is_ready(&f.b));
    sl_assert_u64(ask(&f, SL_S), 1u << C);
    sl_bootstrap_answered(&f.b, C);
    assert_true(sl_bootstrap_is_ready(&f.b));
    sl_assert_u64(answers(&f), 1u << C);
    end(&f);
}

static void removal_of_a_node_keeps_the_others_ready_or_makes_them(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 3);
    sl_bootstrap_answered(&f.b, A);
    sl_bootstrap_answered(&f.b, B);
    sl_bootstrap_remove(&f.b, C);
    assert_true(sl_bootstrap_is_ready(&f.b));
    sl_bootstrap_remove(&f.b, B);
    assert_true(sl_bootstrap_is_ready(&f.b));
    sl_assert_u64(answers(&f), 1u << A);
    end(&f);
}

static void failed_round_finds_the_old_answers_with_the_new_ones(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 2);
    sl_bootstrap_answered(&f.b, A);
    sl_bootstrap_answered(&f.b, B);
    sl_assert_u64(answers(&f), 1u << A | 1u << B);
    sl_bootstrap_add(&f.b, 0, C);
    sl_bootstrap_answered(&f.b, C);
    sl_assert_u64(answers(&f), 1u << A | 1u << B | 1u << C);
    end(&f);
}

static void request_is_sent_again_only_after_the_interval(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 2);
    sl_assert_u64(ask(&f, 0), 1u << A | 1u << B);
    sl_bootstrap_answered(&f.b, A);
    sl_assert_u64(ask(&f, RESEND_NS - 1), 0u);
    sl_assert_i64(sl_bootstrap_deadline(&f.b), RESEND_NS);
    sl_assert_u64(ask(&f, RESEND_NS), 1u << B);
    sl_assert_i64(sl_bootstrap_deadline(&f.b), 2 * RESEND_NS);
    sl_bootstrap_answered(&f.b, B);
    sl_assert_i64(sl_bootstrap_deadline(&f.b), SL_NEVER);
    end(&f);
}

static void answer_that_is_not_good_enough_is_asked_for_again(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 2);
    (void)ask(&f, 0);
    sl_bootstrap_answered(&f.b, A);
    sl_bootstrap_answered(&f.b, B);
    sl_bootstrap_ask_again(&f.b, SL_S, A);
    assert_false(sl_bootstrap_is_ready(&f.b));
    sl_assert_u64(ask(&f, SL_S - 1), 0u);
    sl_assert_u64(ask(&f, SL_S), 1u << A);
    sl_bootstrap_answered(&f.b, A);
    sl_assert_u64(answers(&f), 1u << A | 1u << B);
    end(&f);
}

static void doubted_node_is_asked_without_holding_up_readiness_until_it_is_heard(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 1);
    (void)ask(&f, 0);
    sl_bootstrap_answered(&f.b, A);
    sl_bootstrap_clear(&f.b);
    sl_bootstrap_ask_again(&f.b, SL_S, A);
    assert_true(sl_bootstrap_is_ready(&f.b));
    assert_true(sl_bootstrap_is_settled(&f.b, A));
    assert_true(sl_bootstrap_is_doubted(&f.b, A));
    sl_assert_u64(ask(&f, SL_S), 1u << A);
    sl_assert_u64(ask(&f, SL_S + RESEND_NS), 1u << A);
    sl_bootstrap_heard(&f.b, A);
    assert_false(sl_bootstrap_is_doubted(&f.b, A));
    sl_assert_i64(sl_bootstrap_deadline(&f.b), SL_NEVER);
    end(&f);
}

static void no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    sl_mem_init(&f.mem, &opts);
    f.mem.fail_at = 1;
    sl_assert_i64(sl_bootstrap_init(&f.b, &f.mem, SL_TAG_MAINTAINER, REF_MAX, RESEND_NS), SL_NOMEM);
    end(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_of_an_untracked_node_is_ignored),
        cmocka_unit_test(ready_only_after_all_answered),
        cmocka_unit_test(nobody_tracked_is_not_ready),
        cmocka_unit_test(later_node_makes_it_not_ready_and_only_its_answer_is_handed_out),
        cmocka_unit_test(removal_of_a_node_keeps_the_others_ready_or_makes_them),
        cmocka_unit_test(failed_round_finds_the_old_answers_with_the_new_ones),
        cmocka_unit_test(request_is_sent_again_only_after_the_interval),
        cmocka_unit_test(answer_that_is_not_good_enough_is_asked_for_again),
        cmocka_unit_test(doubted_node_is_asked_without_holding_up_readiness_until_it_is_heard),
        cmocka_unit_test(no_memory_leaves_nothing_behind),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
