/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DRAIN_TARGET_SET_H
#define SL_CORE_DRAIN_TARGET_SET_H

#include "core/drain/target.h"

/*
 * Several drains at once: the whole set of drain targets, each with its own epoch, versioned as one object so that the
 * rule of target.h carries over. The version is the highest drain epoch that was ever issued when the set was sent.
 *   - a lower version changes nothing;
 *   - an equal version may only take targets out, never add or change one;
 *   - a higher version is taken whole, if each of its targets is already held or is newer than the old version: an
 *     epoch that this holder has seen the end of never becomes active again (docs/invariants.md I4).
 * A single target is a set of one, its epoch the version: for those, this rule and the rule of target.h agree.
 */
#define SL_TARGETS_MAX 16

struct sl_target_set {
    uint64_t version;
    uint32_t count;
    struct sl_drain_target
        targets[SL_TARGETS_MAX]; /* distinct nodes, each set, epochs 1 .. version; in the order sent */
};

/* The same verdicts: SET when a target was added or replaced, CLEARED when the set only shrank. Changes *state only for
 * these. */
enum sl_target_verdict sl_target_set_apply(struct sl_target_set *state, const struct sl_target_set *wanted);

/* The same for a peer that knows one target at a time: the rule of target.h, whatever it sends. */
enum sl_target_verdict sl_target_set_apply_single(struct sl_target_set *state, const struct sl_drain_target *wanted);

/* Whether the set keeps its own rules (distinct, set, epochs within the version): what comes from a peer is checked
 * first. */
bool sl_target_set_is_valid(const struct sl_target_set *s);

/* Version and targets, these in any order. */
bool sl_target_set_is_same(const struct sl_target_set *a, const struct sl_target_set *b);

/* The target for a node, or a null pointer. Valid until the set changes. */
const struct sl_drain_target *sl_target_set_find(const struct sl_target_set *s, const struct sl_node_id *node);

/* The set as peers see it that know one target at a time: the oldest, with the version as epoch when there is none. */
struct sl_drain_target sl_target_set_oldest(const struct sl_target_set *s);

/* What a peer is told that knows one target at a time: the node of the oldest target, and the version as its epoch, which
 * never decreases and tells a peer that knows sets what was cleared. For a set of one that is the target itself. */
struct sl_drain_target sl_target_set_reported(const struct sl_target_set *s);

/* The set that means exactly this single target (or none, with its epoch). */
struct sl_target_set sl_target_set_of(const struct sl_drain_target *single);

#endif
