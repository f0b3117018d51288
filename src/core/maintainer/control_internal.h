/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_CONTROL_INTERNAL_H
#define SL_CORE_MAINTAINER_CONTROL_INTERNAL_H

#include "base/prng.h"
#include "core/maintainer/load.h"
#include "core/maintainer/names.h"
#include "core/maintainer/operators.h"
#include "core/maintainer/schedulers.h"
#include "core/maintainer/spans.h"

/* What control.c, the operators and the schedulers share. */

/*
 *   LOADING --start--> RUNNING --quiesce--> QUIESCED --freeze--> FROZEN      (freeze is possible from each of them)
 *
 * Schedulers run in RUNNING alone; operators act in all but FROZEN.
 */
enum control_mode { CONTROL_LOADING, CONTROL_RUNNING, CONTROL_QUIESCED, CONTROL_FROZEN };

struct control_node {
    struct sl_list of_origin, of_dest; /* operators that name the node */
    struct sl_list stuck;              /* moves away from it, oldest first */
    uint32_t starting, stopping, moves_from;
    uint32_t incarnation; /* a number of its own for each node that got ready; a ref may come back as another node */
    uint32_t audit_round;
    enum sl_liveness liveness;
    bool ready;
};

struct sl_control {
    struct sl_mem *mem;
    const struct sl_members *members;
    struct sl_pacer *pacer;
    const struct sl_feed_id *feed;
    struct sl_maintainer_limits limits;
    uint64_t epoch, seed;
    struct sl_prng ids;
    enum control_mode mode;
    sl_ns now;
    sl_ts committed;
    uint32_t sends_left; /* of this call */
    uint32_t incarnations, audit_rounds;
    struct sl_load load;
    struct sl_spans spans;
    struct sl_names names;
    struct sl_operators operators;
    struct sl_schedulers schedulers;
    struct control_node *nodes; /* by ref */
    uint32_t ref_max;
};

static inline struct control_node *control_node_at(const struct sl_control *c, sl_node_ref node)
{
    SL_REQUIRE(node != SL_NODE_NONE && node <= c->ref_max);
    return &c->nodes[node];
}

static inline bool control_is_gone(Pb__ComponentState state)
{
    return state == PB__COMPONENT_STATE__STOPPED || state == PB__COMPONENT_STATE__REMOVED;
}

/* Whether one more order fits into this call and its outbox; a part of the outbox is left to others. */
bool sl__control_can_send(const struct sl_control *c, const struct sl_outbox *out);
/* When to go on with what found no room: at once, but after a moment if nothing at all could be sent in this call,
 * because an outbox that others fill must not make the caller spin. */
sl_ns sl__control_retry_at(const struct sl_control *c);

/* Whether this dispatcher may be created on the node now: member, ready, ALIVE, no target, and none of it being removed
 * there. */
bool sl__control_may_place(const struct sl_control *c, struct sl_dispatcher_id id, sl_node_ref node);

/* Fields for events. */
struct sl_field sl__control_field_feed(const struct sl_control *c);
struct sl_field sl__control_field_id(struct sl_dispatcher_id id);
struct sl_field sl__control_field_node(const struct sl_control *c, const char *key, sl_node_ref node);

#endif
