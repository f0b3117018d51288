/* SPDX-License-Identifier: Apache-2.0 */
#include "core/drain/target.h"

#include "base/check.h"

bool sl_drain_target_is_set(const struct sl_drain_target *t)
{
    return !sl_node_id_is_none(&t->node);
}

static enum sl_target_verdict target_verdict(const struct sl_drain_target *state, const struct sl_drain_target *wanted)
{
    bool clears = !sl_drain_target_is_set(wanted);
    if (wanted->epoch < state->epoch)
        return SL_TARGET_STALE;
    if (wanted->epoch > state->epoch)
        return clears ? SL_TARGET_CLEARED : SL_TARGET_SET;
    if (sl_node_id_eq(&wanted->node, &state->node))
        return SL_TARGET_DUPLICATE;
    return clears ? SL_TARGET_CLEARED : SL_TARGET_CONFLICT;
}

enum sl_target_verdict sl_drain_target_apply(struct sl_drain_target *state, const struct sl_drain_target *wanted)
{
    enum sl_target_verdict verdict = target_verdict(state, wanted);
    if (sl_target_verdict_changed(verdict))
        *state = *wanted;
    SL_REQUIRE(state->epoch > 0 || !sl_drain_target_is_set(state));
    return verdict;
}

bool sl_target_verdict_changed(enum sl_target_verdict v)
{
    return v == SL_TARGET_SET || v == SL_TARGET_CLEARED;
}

const char *sl_target_verdict_name(enum sl_target_verdict v)
{
    switch (v) {
    case SL_TARGET_SET:
        return "set";
    case SL_TARGET_CLEARED:
        return "cleared";
    case SL_TARGET_DUPLICATE:
        return "duplicate";
    case SL_TARGET_STALE:
        return "stale";
    case SL_TARGET_CONFLICT:
        return "conflict";
    }
    SL_UNREACHABLE();
}
