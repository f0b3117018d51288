/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_NODE_NODE_H
#define SL_CORE_NODE_NODE_H

#include "core/dispatch/orchestrator.h"
#include "core/manager/manager.h"
#include "core/node/cluster.h"

/*
 * A whole node as one deterministic machine: sl_node_step is the only door. The same options, inputs and times give the
 * same outputs, byte for byte. No clock, randomness, thread, file or socket; the shell performs what the outbox says.
 */
struct sl_node_opts {
    struct sl_mem *mem; /* owned by the caller, used by this node alone */
    struct sl_node_id id;
    uint64_t node_epoch; /* process start, wall-clock ns, not 0 */
    uint64_t seed;
    uint32_t node_count_max;
    bool interop;
    struct sl_wire_limits wire;
    size_t decode_bytes_max;                  /* arena for one decoded message; about 4 x wire.message_bytes_max */
    struct sl_manager_opts manager;           /* mem, members, node_epoch, seed, interop are filled in by the node */
    struct sl_orchestrator_opts orchestrator; /* likewise */
    /*
     * Membership and election over the metadata store, and the coordinator while this node is elected. With an empty
     * membership.cluster there is neither: the shell then says who is a member (SL_IN_MEMBERS, SL_IN_LEASE_LOST).
     */
    struct sl_membership_opts membership;   /* cluster and self to be given; self.id and node_epoch are filled in */
    struct sl_coordinator_opts coordinator; /* wall_offset_ns to be given; what the node knows is filled in */
};
/* Defaults for everything but mem, id, node_epoch and seed. */
void sl_node_opts_default(struct sl_node_opts *opts);

struct sl_node;

SL_CHECKED enum sl_code sl_node_new(struct sl_node **out, const struct sl_node_opts *opts, sl_ns now);
void sl_node_free(struct sl_node *n); /* null allowed */

/*
 * Performs one input. now never decreases from step to step. Cannot fail: what is refused is counted by reason and
 * shows as one MESSAGE_REFUSED event (reason, type, from; never the payload), and nothing else changed. Only what is
 * meant for a coordinator, and comes to a node that is none, and what comes while the node leaves, is counted without an
 * event.
 *
 * A message with several payloads is refused as a whole if one of them cannot be decoded; otherwise they are handled
 * in order, each for itself, and the first refusal among them is the one that is counted and shown.
 */
void sl_node_step(struct sl_node *n, sl_ns now, const struct sl_input *in, struct sl_outbox *out);

/* When the next tick is due; SL_NEVER if nothing is. */
sl_ns sl_node_deadline(const struct sl_node *n);

uint64_t sl_node_refusal_count(const struct sl_node *n, enum sl_refusal reason);

/* Read-only views for shells, oracles and tests; valid until the next step. */
const struct sl_members *sl_node_members(const struct sl_node *n);
struct sl_manager *sl_node_manager(struct sl_node *n);
struct sl_orchestrator *sl_node_orchestrator(struct sl_node *n);
/* A drain of this node with the wish to stop it is safe: the process should leave (SL_IN_LEAVE) and end. Never taken
 * back. */
bool sl_node_wants_stop(const struct sl_node *n);
/* After SL_IN_LEAVE: nothing of this node is left in the store, or its lease is over. The process may exit. True at once
 * without membership. */
bool sl_node_has_left(const struct sl_node *n);
const struct sl_coordinator *
sl_node_coordinator(const struct sl_node *n);                            /* null: not elected, or without membership */
const struct sl_membership *sl_node_membership(const struct sl_node *n); /* null: without */
void sl_node_hosted(const struct sl_node *n, struct sl_hosted *hosted);

#endif
