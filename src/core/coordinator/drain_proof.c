/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/drains.h"

/*
 * The proof of "safe to stop" (docs/invariants.md I8), apart from everything that collects its facts. Unknown counts as
 * not drained: a feed that has not reported, a node that is silent and a process that has not spoken each block.
 */

static bool proof_self_is_empty(const struct sl_self_report *self)
{
    return self->valid && self->maintainers == 0 && self->dispatchers == 0 && self->readers == 0 &&
           self->unflushed_rows == 0;
}

static enum sl_blocker proof_of_peers(const struct sl_proof_facts *f)
{
    if (f->is_owner)
        return SL_BLOCKED_OWNER_RESIGNING;
    if (!f->intent_durable)
        return SL_BLOCKED_NOT_DURABLE;
    if (f->target_unknown)
        return SL_BLOCKED_TARGET_UNKNOWN;
    if (f->peers_legacy > 0)
        return SL_BLOCKED_PEER_LEGACY;
    /* A node that does not hold the target may still place work on it. */
    return f->peers_acked < f->peers ? SL_BLOCKED_PEER_NOT_ACKED : SL_BLOCKED_NONE;
}

static enum sl_blocker proof_of_feeds(const struct sl_feeds_on_node *f)
{
    if (f->bound > 0)
        return SL_BLOCKED_MAINTAINER_ON_TARGET;
    if (f->operators > 0)
        return SL_BLOCKED_OPERATOR_ON_TARGET;
    if (f->unsettled > 0)
        return f->why == SL_BLOCKED_FEED_NOT_BOOTSTRAPPED ? f->why : SL_BLOCKED_FEED_NOT_REPORTED;
    if (f->stuck > 0)
        return SL_BLOCKED_MOVE_STUCK;
    if (f->dispatchers > 0)
        return SL_BLOCKED_DISPATCHERS_LEFT;
    return f->moves > 0 ? SL_BLOCKED_MOVES_IN_FLIGHT : SL_BLOCKED_NONE;
}

/* The target's own word, of its present process. A foreign target gives none: the answer then says proof=reference. */
static enum sl_blocker proof_of_target(const struct sl_proof_facts *f, bool want_safe)
{
    if (!f->target_observed || !f->draining_seen || (want_safe && !f->stopping_seen))
        return SL_BLOCKED_LIVENESS;
    if (!f->target_is_sluice)
        return SL_BLOCKED_NONE;
    bool said_stopping = f->self.liveness == SL_LIVENESS_STOPPING;
    return proof_self_is_empty(&f->self) && (said_stopping || !want_safe) ? SL_BLOCKED_NONE : SL_BLOCKED_SELF_REPORT;
}

enum sl_blocker sl_drain_proof(const struct sl_proof_facts *facts, bool want_safe)
{
    enum sl_blocker why = proof_of_peers(facts);
    if (why == SL_BLOCKED_NONE)
        why = proof_of_feeds(&facts->feeds);
    return why == SL_BLOCKED_NONE ? proof_of_target(facts, want_safe) : why;
}

uint32_t sl_drain_dispatchers_left(const struct sl_proof_facts *facts)
{
    return sl_u32_max(facts->feeds.dispatchers, facts->self.valid ? facts->self.dispatchers : 0);
}

uint32_t sl_drain_remaining(const struct sl_proof_facts *facts, bool safe)
{
    if (safe)
        return 0;
    const struct sl_feeds_on_node *f = &facts->feeds;
    uint32_t left = sl_u32_max(sl_u32_max(f->bound, f->operators), sl_u32_max(f->dispatchers, f->moves));
    left = sl_u32_max(left, f->unsettled);
    if (facts->self.valid)
        left = sl_u32_max(left, sl_u32_max(facts->self.maintainers, facts->self.dispatchers));
    return sl_u32_max(left, 1);
}
