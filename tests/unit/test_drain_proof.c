/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains.h"
#include "tests/support/sl_test.h"

/* Everything holds: each test takes one fact away. */
static struct sl_proof_facts holds(void)
{
    return (struct sl_proof_facts){
        .intent_durable = true,
        .target_observed = true,
        .target_is_sluice = true,
        .peers = 2,
        .peers_acked = 2,
        .draining_seen = true,
        .stopping_seen = true,
        .self = { .valid = true, .seq = 9, .liveness = SL_LIVENESS_STOPPING },
    };
}

static void expect(const struct sl_proof_facts *f, enum sl_blocker stop, enum sl_blocker safe)
{
    assert_string_equal(sl_blocker_name(sl_drain_proof(f, false)), sl_blocker_name(stop));
    assert_string_equal(sl_blocker_name(sl_drain_proof(f, true)), sl_blocker_name(safe));
}

static void with_every_fact_it_is_safe(void **state)
{
    (void)state;
    struct sl_proof_facts f = holds();
    expect(&f, SL_BLOCKED_NONE, SL_BLOCKED_NONE);
    sl_assert_u64(sl_drain_remaining(&f, true), 0);
}

static void remaining_is_never_zero_before_it_is_safe(void **state)
{
    (void)state;
    struct sl_proof_facts f = holds();
    sl_assert_u64(sl_drain_remaining(&f, false), 1);
    f.feeds.dispatchers = 7;
    f.feeds.bound = 3;
    sl_assert_u64(sl_drain_remaining(&f, false), 7);
    f.self.dispatchers = 11;
    sl_assert_u64(sl_drain_remaining(&f, false), 11);
    f.feeds.unsettled = 12;
    sl_assert_u64(sl_drain_remaining(&f, false), 12);
    f.feeds.moves = 13;
    sl_assert_u64(sl_drain_remaining(&f, false), 13);
    f.feeds.operators = 14;
    sl_assert_u64(sl_drain_remaining(&f, false), 14);
    f.self.maintainers = 15;
    sl_assert_u64(sl_drain_remaining(&f, false), 15);
    f.self.valid = false;
    sl_assert_u64(sl_drain_remaining(&f, false), 14);
}

static void each_missing_fact_blocks_and_is_named(void **state)
{
    (void)state;
    struct sl_proof_facts f;
#define BLOCKS(change, blocker) \
    f = holds();                \
    change;                     \
    expect(&f, SL_BLOCKED_##blocker, SL_BLOCKED_##blocker)
    BLOCKS(f.is_owner = true, OWNER_RESIGNING);
    BLOCKS(f.intent_durable = false, NOT_DURABLE);
    BLOCKS(f.target_unknown = true, TARGET_UNKNOWN);
    BLOCKS(f.peers_legacy = 1, PEER_LEGACY);
    BLOCKS(f.peers_acked = 1, PEER_NOT_ACKED);
    BLOCKS(f.feeds.bound = 1, MAINTAINER_ON_TARGET);
    BLOCKS(f.feeds.operators = 1, OPERATOR_ON_TARGET);
    BLOCKS(f.feeds.unsettled = 1, FEED_NOT_REPORTED);
    BLOCKS((f.feeds.unsettled = 1, f.feeds.why = SL_BLOCKED_FEED_NOT_BOOTSTRAPPED), FEED_NOT_BOOTSTRAPPED);
    BLOCKS((f.feeds.dispatchers = 1, f.feeds.stuck = 1), MOVE_STUCK);
    BLOCKS(f.feeds.dispatchers = 1, DISPATCHERS_LEFT);
    BLOCKS(f.feeds.moves = 1, MOVES_IN_FLIGHT);
    BLOCKS(f.draining_seen = false, LIVENESS);
    BLOCKS(f.target_observed = false, LIVENESS);
    BLOCKS(f.self.valid = false, SELF_REPORT);
    BLOCKS(f.self.maintainers = 1, SELF_REPORT);
    BLOCKS(f.self.dispatchers = 1, SELF_REPORT);
    BLOCKS(f.self.readers = 1, SELF_REPORT);
    BLOCKS(f.self.unflushed_rows = 1, SELF_REPORT);
#undef BLOCKS
}

static void zero_work_while_draining_allows_stopping_but_is_not_yet_safe(void **state)
{
    (void)state;
    struct sl_proof_facts f = holds();
    f.stopping_seen = false;
    expect(&f, SL_BLOCKED_NONE, SL_BLOCKED_LIVENESS);
    /* The last self report is from before STOPPING: work could have come in between. */
    f = holds();
    f.self.liveness = SL_LIVENESS_DRAINING;
    expect(&f, SL_BLOCKED_NONE, SL_BLOCKED_SELF_REPORT);
}

static void a_foreign_target_needs_no_self_report(void **state)
{
    (void)state;
    struct sl_proof_facts f = holds();
    f.target_is_sluice = false;
    f.self.valid = false;
    expect(&f, SL_BLOCKED_NONE, SL_BLOCKED_NONE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_every_fact_it_is_safe),
        cmocka_unit_test(remaining_is_never_zero_before_it_is_safe),
        cmocka_unit_test(each_missing_fact_blocks_and_is_named),
        cmocka_unit_test(zero_work_while_draining_allows_stopping_but_is_not_yet_safe),
        cmocka_unit_test(a_foreign_target_needs_no_self_report),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
