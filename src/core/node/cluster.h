/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_NODE_CLUSTER_H
#define SL_CORE_NODE_CLUSTER_H

#include "core/coordinator/coordinator.h"
#include "core/membership/membership.h"

/*
 * The cluster side of a node: its membership, and the coordinator while this node is elected. Private to src/core/node.
 *
 *                    elected                                 the seat is lost: resigned, fenced
 *     no coordinator --------> coordinator of this version ------------------------------------> no coordinator
 *
 * Invariants:
 *   C1  there is a coordinator exactly while membership says that this node leads, and it has that leadership's version.
 *   C2  operation ids of membership and of each leadership come from ranges of their own: an answer that comes after
 *       the seat was lost is nobody's.
 *   C3  the node gives up the seat only while it is ALIVE and another node waits for it: the cluster is not left alone.
 */
struct sl_cluster_opts {
    struct sl_mem *mem;
    struct sl_members *members;
    struct sl_membership_opts membership;   /* mem and op_base are filled in */
    struct sl_coordinator_opts coordinator; /* mem, members, membership, cluster, version, seed, op_base likewise */
    uint64_t seed;
};

struct sl_cluster;

/* SL_NOMEM, SL_BAD_CONFIG: *out is null. */
SL_CHECKED enum sl_code sl_cluster_new(struct sl_cluster **out, const struct sl_cluster_opts *opts, sl_ns now);
void sl_cluster_free(struct sl_cluster *c); /* null allowed */

/* To be called once, before anything else, when there is an outbox. */
void sl_cluster_start(struct sl_cluster *c, sl_ns now, struct sl_outbox *out);

void sl_cluster_on_store(struct sl_cluster *c, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out);
void sl_cluster_on_watch(struct sl_cluster *c, sl_ns now, const struct sl_store_watch_batch *b, struct sl_outbox *out);
/* A name is as good as an id: the id of the member that has exactly this name, else the text as it is. A view. */
struct sl_str sl_cluster_resolve(const struct sl_cluster *c, struct sl_str node);
void sl_cluster_on_request(struct sl_cluster *c, sl_ns now, const struct sl_request *r, struct sl_outbox *out);
/* SL_REFUSE_NOT_HANDLED while this node is not the coordinator. */
enum sl_refusal sl_cluster_on_message(struct sl_cluster *c, sl_ns now, sl_node_ref from, enum sl_msg_type type,
                                      const ProtobufCMessage *message, struct sl_outbox *out);
void sl_cluster_on_members(struct sl_cluster *c, sl_ns now, const struct sl_members_change *change,
                           struct sl_outbox *out);
void sl_cluster_on_tick(struct sl_cluster *c, sl_ns now, struct sl_outbox *out);
sl_ns sl_cluster_deadline(const struct sl_cluster *c);

/* A clean stop: sl_membership_leave. Done, or the lease is over, when the second says so. */
void sl_cluster_leave(struct sl_cluster *c, sl_ns now, struct sl_outbox *out);
bool sl_cluster_has_left(const struct sl_cluster *c);

/*
 * After each input: takes note of the node's liveness, and makes coordinator and leadership agree (C1). False: something
 * changed that may allow more; call again.
 */
SL_CHECKED bool sl_cluster_settle(struct sl_cluster *c, sl_ns now, bool is_alive, struct sl_outbox *out);

/* The member set if it changed since the last call: ids that live until the next one. False: it did not. */
bool sl_cluster_take_members(struct sl_cluster *c, const struct sl_node_id **ids, uint32_t *count);
/* As in core/membership/membership.h. */
uint64_t sl_cluster_read_members(struct sl_cluster *c, sl_ns now, struct sl_outbox *out);
uint64_t sl_cluster_member_reads_done(const struct sl_cluster *c);
bool sl_cluster_is_fenced(const struct sl_cluster *c);
const struct sl_coordinator *sl_cluster_coordinator(const struct sl_cluster *c); /* null: not elected */
const struct sl_membership *sl_cluster_membership(const struct sl_cluster *c);

#endif
