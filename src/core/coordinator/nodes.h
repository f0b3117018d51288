/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COORDINATOR_NODES_H
#define SL_CORE_COORDINATOR_NODES_H

#include "core/common/outbox.h"
#include "core/drain/liveness.h"
#include "core/drain/target_set.h"

/*
 * What the coordinator has observed of each node: by its heartbeats, liveness answers and bootstrap answer, per process
 * life (node epoch). Private to src/core/coordinator.
 *
 * Rules: an observation of an older node epoch is dropped. Within an epoch, one with a lower liveness is dropped and
 * does not refresh last_seen. A newer epoch wipes everything known of the old process, capability and acknowledgements
 * included. Of one process, a set of targets of a lower version than it held before is dropped. Silence longer than
 * unknown_ns makes a node UNKNOWN; it is no destination then, and no drain of it can be proved.
 */
struct sl_self_report {
    bool valid; /* seen from this node epoch */
    uint64_t seq;
    uint32_t maintainers, dispatchers, readers;
    uint64_t unflushed_rows;
    enum sl_liveness liveness; /* of the heartbeat that carried it */
};

struct sl_observed {
    bool observed;     /* anything since it joined */
    bool bootstrapped; /* answered this coordinator's bootstrap, in this node epoch */
    sl_ns last_seen;
    uint64_t node_epoch;
    enum sl_liveness liveness;
    uint32_t drain_protocol, protocol_version; /* 0 = legacy / foreign; valid if bootstrapped */
    uint64_t capabilities;
    struct sl_self_report self;
    struct sl_drain_target acked[SL_TARGETS_MAX]; /* the set the node last said it holds (a foreign one: at most 1) */
    uint32_t acked_count;
    uint64_t acked_epoch_max; /* highest epoch it ever reported in this node epoch, cleared ones included */
    bool is_held_back; /* it may hold a target that it should not, or lacks one: no destination (N5 of drains.h) */
};

struct sl_nodes;

SL_CHECKED enum sl_code sl_nodes_new(struct sl_nodes **out, struct sl_mem *mem, const struct sl_members *members,
                                     sl_ns unknown_ns);
void sl_nodes_free(struct sl_nodes *n);
void sl_nodes_add(struct sl_nodes *n, sl_ns now, sl_node_ref ref);
void sl_nodes_remove(struct sl_nodes *n, sl_node_ref ref);

/* True if the observation was taken (false: stale, dropped). */
bool sl_nodes_on_heartbeat(struct sl_nodes *n, sl_ns now, sl_node_ref from, const Pb__NodeHeartbeat *hb);
bool sl_nodes_on_liveness(struct sl_nodes *n, sl_ns now, sl_node_ref from, const Pb__SetNodeLivenessResponse *r);
bool sl_nodes_on_bootstrap(struct sl_nodes *n, sl_ns now, sl_node_ref from, const Pb__CoordinatorBootstrapResponse *r);

void sl_nodes_hold_back(struct sl_nodes *n, sl_node_ref ref, bool is_held_back);

/* Valid until the next change. ref must be a member. */
const struct sl_observed *sl_nodes_at(const struct sl_nodes *n, sl_node_ref ref);
bool sl_nodes_is_unknown(const struct sl_nodes *n, sl_ns now, sl_node_ref ref);
/* The node said, in its current epoch, that it holds exactly this target (a clear: that it holds no target of epoch <=
 * this one for the node). */
bool sl_nodes_has_acked(const struct sl_nodes *n, sl_node_ref ref, const struct sl_drain_target *target);
bool sl_nodes_has_cleared(const struct sl_nodes *n, sl_node_ref ref, const struct sl_drain_target *target);
/* The highest drain epoch that a process which is here has seen, by its own word. */
uint64_t sl_nodes_epoch_seen_max(const struct sl_nodes *n);

#endif
