/* SPDX-License-Identifier: Apache-2.0 */
#include "core/drain/target_set.h"

#include "base/check.h"

const struct sl_drain_target *sl_target_set_find(const struct sl_target_set *s, const struct sl_node_id *node)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (sl_node_id_eq(&s->targets[i].node, node))
            return &s->targets[i];
    }
    return NULL;
}

bool sl_target_set_is_valid(const struct sl_target_set *s)
{
    if (s->count > SL_TARGETS_MAX)
        return false;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct sl_drain_target *t = &s->targets[i];
        if (!sl_drain_target_is_set(t) || t->epoch == 0 || t->epoch > s->version ||
            sl_target_set_find(s, &t->node) != t)
            return false;
    }
    return true;
}

static bool target_set_holds(const struct sl_target_set *s, const struct sl_drain_target *t)
{
    const struct sl_drain_target *held = sl_target_set_find(s, &t->node);
    return held && held->epoch == t->epoch;
}

static bool target_set_is_within(const struct sl_target_set *inner, const struct sl_target_set *outer)
{
    for (uint32_t i = 0; i < inner->count; i++) {
        if (!target_set_holds(outer, &inner->targets[i]))
            return false;
    }
    return true;
}

bool sl_target_set_is_same(const struct sl_target_set *a, const struct sl_target_set *b)
{
    return a->version == b->version && a->count == b->count && target_set_is_within(a, b);
}

/* Each target that is not held yet must be newer than everything this holder has seen. */
static bool target_set_adds_only_new(const struct sl_target_set *state, const struct sl_target_set *wanted)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        if (!target_set_holds(state, &wanted->targets[i]) && wanted->targets[i].epoch <= state->version)
            return false;
    }
    return true;
}

static enum sl_target_verdict target_set_verdict(const struct sl_target_set *state, const struct sl_target_set *wanted)
{
    if (wanted->version < state->version)
        return SL_TARGET_STALE;
    bool shrinks = target_set_is_within(wanted, state);
    if (wanted->version > state->version) {
        if (shrinks)
            return SL_TARGET_CLEARED;
        return target_set_adds_only_new(state, wanted) ? SL_TARGET_SET : SL_TARGET_CONFLICT;
    }
    if (!shrinks)
        return SL_TARGET_CONFLICT;
    return wanted->count == state->count ? SL_TARGET_DUPLICATE : SL_TARGET_CLEARED;
}

enum sl_target_verdict sl_target_set_apply(struct sl_target_set *state, const struct sl_target_set *wanted)
{
    SL_REQUIRE(sl_target_set_is_valid(wanted));
    enum sl_target_verdict verdict = target_set_verdict(state, wanted);
    if (sl_target_verdict_changed(verdict))
        *state = *wanted;
    SL_REQUIRE(sl_target_set_is_valid(state));
    return verdict;
}

enum sl_target_verdict sl_target_set_apply_single(struct sl_target_set *state, const struct sl_drain_target *wanted)
{
    const struct sl_target_set set = sl_target_set_of(wanted);
    if (sl_target_set_is_valid(&set))
        return sl_target_set_apply(state, &set);
    return state->version > 0 ? SL_TARGET_STALE : SL_TARGET_CONFLICT; /* epoch 0 sets no target */
}

struct sl_drain_target sl_target_set_oldest(const struct sl_target_set *s)
{
    struct sl_drain_target oldest = { .epoch = s->version };
    for (uint32_t i = 0; i < s->count; i++) {
        if (!sl_drain_target_is_set(&oldest) || s->targets[i].epoch < oldest.epoch)
            oldest = s->targets[i];
    }
    return oldest;
}

struct sl_drain_target sl_target_set_reported(const struct sl_target_set *s)
{
    struct sl_drain_target reported = sl_target_set_oldest(s);
    reported.epoch = s->version;
    return reported;
}

struct sl_target_set sl_target_set_of(const struct sl_drain_target *single)
{
    struct sl_target_set set = { .version = single->epoch };
    if (sl_drain_target_is_set(single))
        set.targets[set.count++] = *single;
    return set;
}
