/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_BOOTSTRAP_H
#define SL_CORE_MAINTAINER_BOOTSTRAP_H

#include "base/err.h"
#include "base/units.h"
#include "core/common/members.h"

#include <stdbool.h>

/*
 * Asking every node something until it answers: who has to be asked, who answered, whose answer was used. Knows neither
 * the question nor the answers; these stay with the user.
 *
 *                       answered                clear
 *   add --> MISSING ---------------> ANSWERED ---------> SETTLED
 *              ^                     |      ^             |   ^
 *              +---------------------+      |   ask_again |   | heard
 *                    ask_again              |             v   |
 *                                           +---------- DOUBTED
 *                                             answered
 *
 * MISSING   was never used; holds up readiness; asked again every resend_ns.
 * ANSWERED  its answer lies with the user, not used yet: a round that failed finds it again.
 * SETTLED   its answer was used.
 * DOUBTED   as SETTLED, but asked again every resend_ns, because it fell silent.
 *
 * There is no time limit: only an answer or leaving the membership ends the wait for a node (reference behaviour).
 *
 * Invariants: B1 ready <=> no node is MISSING. B2 a node is asked only while MISSING or DOUBTED.
 */
enum sl_bootstrap_state {
    SL_BOOTSTRAP_UNTRACKED,
    SL_BOOTSTRAP_MISSING,
    SL_BOOTSTRAP_ANSWERED,
    SL_BOOTSTRAP_SETTLED,
    SL_BOOTSTRAP_DOUBTED,
    SL_BOOTSTRAP_STATE_COUNT
};

struct sl_bootstrap_node {
    enum sl_bootstrap_state state;
    sl_ns ask_at; /* when MISSING or DOUBTED: next request */
};

struct sl_bootstrap {
    struct sl_mem *mem;
    struct sl_bootstrap_node *nodes; /* by ref; ref_max + 1 of them */
    uint32_t ref_max, tag;
    sl_ns resend_ns;
    uint32_t counts[SL_BOOTSTRAP_STATE_COUNT]; /* of the tracked nodes */
};

/* SL_NOMEM leaves *b such that deinit is allowed. */
SL_CHECKED enum sl_code sl_bootstrap_init(struct sl_bootstrap *b, struct sl_mem *mem, uint32_t tag, uint32_t ref_max,
                                          sl_ns resend_ns);
void sl_bootstrap_deinit(struct sl_bootstrap *b);

/* Tracks a node, to be asked at once. It must not be tracked. */
void sl_bootstrap_add(struct sl_bootstrap *b, sl_ns now, sl_node_ref ref);
/* Forgets a node, tracked or not. May make the rest ready. */
void sl_bootstrap_remove(struct sl_bootstrap *b, sl_node_ref ref);

/* The node answered, for the first time or again; false (nothing changed) if it is not tracked. */
bool sl_bootstrap_answered(struct sl_bootstrap *b, sl_node_ref ref);
/* The answer is not good enough, or the node fell silent: ask again at this time. No effect on a node being asked. */
void sl_bootstrap_ask_again(struct sl_bootstrap *b, sl_ns at, sl_node_ref ref);
/* A DOUBTED node showed that it is as it was: no need to ask. */
void sl_bootstrap_heard(struct sl_bootstrap *b, sl_node_ref ref);
/* The answers that were collected are used now. */
void sl_bootstrap_clear(struct sl_bootstrap *b);

/* At least one node is tracked and none is missing. */
bool sl_bootstrap_is_ready(const struct sl_bootstrap *b);
bool sl_bootstrap_is_tracked(const struct sl_bootstrap *b, sl_node_ref ref);
/* An answer of the node was used once. */
bool sl_bootstrap_is_settled(const struct sl_bootstrap *b, sl_node_ref ref);
bool sl_bootstrap_is_doubted(const struct sl_bootstrap *b, sl_node_ref ref);

/* The ANSWERED node after ref in ref order (SL_NODE_NONE = start), or SL_NODE_NONE. */
sl_node_ref sl_bootstrap_next_answered(const struct sl_bootstrap *b, sl_node_ref ref);

/* A node whose request is due now, or SL_NODE_NONE; it counts as asked, so a caller loops until there is none. */
sl_node_ref sl_bootstrap_take_due(struct sl_bootstrap *b, sl_ns now);
/* When the next request is due; SL_NEVER if nobody is being asked. */
sl_ns sl_bootstrap_deadline(const struct sl_bootstrap *b);

#endif
