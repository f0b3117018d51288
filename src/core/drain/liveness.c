/* SPDX-License-Identifier: Apache-2.0 */
#include "core/drain/liveness.h"

#include "base/check.h"

#include <stddef.h>

struct liveness_row {
    const char *name;
    unsigned next; /* bit per state that may follow */
};

static const struct liveness_row liveness_rows[] = {
#define LIVENESS_ROW(state, next_states, text) [SL_LIVENESS_##state] = { .name = (text), .next = (next_states) },
    SL_LIVENESS_STATES(LIVENESS_ROW)
#undef LIVENESS_ROW
};

#define LIVENESS_COUNT (sizeof liveness_rows / sizeof liveness_rows[0])

/* The enum is the wire value, so that no table stands between a state and what peers read. */
#define LIVENESS_IS_WIRE(state, next_states, text)                                                                \
    _Static_assert((int)SL_LIVENESS_##state == (int)PB__NODE_LIVENESS__##state, "liveness " text " has its wire " \
                                                                                "value");
SL_LIVENESS_STATES(LIVENESS_IS_WIRE)
#undef LIVENESS_IS_WIRE

static bool liveness_is_known(int liveness)
{
    return liveness >= 0 && (size_t)liveness < LIVENESS_COUNT;
}

bool sl_liveness_step(enum sl_liveness *state, int wanted)
{
    SL_REQUIRE(liveness_is_known((int)*state));
    if (!liveness_is_known(wanted) || !(liveness_rows[*state].next & (1u << (unsigned)wanted)))
        return false;
    *state = (enum sl_liveness)wanted;
    return true;
}

bool sl_liveness_begin_life(enum sl_liveness *state, uint64_t *node_epoch)
{
    SL_REQUIRE(liveness_is_known((int)*state));
    if (*state == SL_LIVENESS_STOPPING || *node_epoch == UINT64_MAX)
        return false;
    ++*node_epoch;
    *state = SL_LIVENESS_ALIVE;
    return true;
}

const char *sl_liveness_name(int liveness)
{
    return liveness_is_known(liveness) ? liveness_rows[liveness].name : "unknown";
}

Pb__NodeLiveness sl_liveness_pb(enum sl_liveness l)
{
    SL_REQUIRE(liveness_is_known((int)l));
    return (Pb__NodeLiveness)l;
}
