/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DRAIN_TARGET_H
#define SL_CORE_DRAIN_TARGET_H

#include "wire/ids.h"

/*
 * The drain target rule for one target, as the reference has it. Who holds targets holds a set of them: target_set.h, where
 * a set of one follows this rule.
 *
 * A target is (node, epoch); the empty node means "none". The initial value is (none, 0).
 *   - a higher epoch wins, with any node, the empty one included;
 *   - an equal epoch may only clear: a set target becomes empty, once;
 *   - everything else changes nothing: lower epochs, an equal epoch with another or the same node, a cleared epoch again.
 * So an epoch, once cleared, never becomes active again (docs/invariants.md I4), and epoch 0 can never set a target.
 * Whatever the verdict, the sender is answered with the state that holds now.
 */
struct sl_drain_target {
    struct sl_node_id node;
    uint64_t epoch;
    uint64_t lag_budget_ms; /* for maintainers; 0 = their default; no part of the rule */
};

enum sl_target_verdict {
    SL_TARGET_SET,       /* changed: a node is to be drained */
    SL_TARGET_CLEARED,   /* changed: nothing is to be drained any more (equal or higher epoch) */
    SL_TARGET_DUPLICATE, /* unchanged: this is the state already */
    SL_TARGET_STALE,     /* unchanged: the epoch is lower */
    SL_TARGET_CONFLICT,  /* unchanged: equal epoch that would set or replace a node */
};

/* Applies the rule. Changes *state only for the first two verdicts. */
enum sl_target_verdict sl_drain_target_apply(struct sl_drain_target *state, const struct sl_drain_target *wanted);
bool sl_target_verdict_changed(enum sl_target_verdict v);
const char *sl_target_verdict_name(enum sl_target_verdict v);
bool sl_drain_target_is_set(const struct sl_drain_target *t);

#endif
