/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COORDINATOR_COORDINATOR_H
#define SL_CORE_COORDINATOR_COORDINATOR_H

#include "core/coordinator/drains.h"

/*
 * The coordinator: exists on the elected node, from election to resignation or loss. Reads everything durable, asks
 * every node, then places maintainers and runs drains.
 *
 *   LOADING --store read, all nodes answered--> RUNNING --stop--> STOPPED
 *
 *   -> RUNNING   coordinator_settle
 *   -> STOPPED   sl_coordinator_stop; from LOADING too
 *
 * LOADING  only nodes are observed; a request is answered with SL_NOT_READY, a DrainNode with 1 (0 if the store says
 *          that the node is safe to stop). A node that is silent holds everything up until it answers, or loses its
 *          lease.
 * RUNNING  feeds and drains decide. A node that joins now holds up nobody, and is no destination before it answered; one
 *          whose process was replaced is asked again.
 * STOPPED  every request was answered; inputs are ignored.
 *
 * Invariants:
 *   O1  a bootstrap request carries the version of this leadership, and no other message leaves for a node before it.
 *   O2  a maintainer's status counts only if its node has answered the bootstrap in its present process.
 *   O3  every request is answered exactly once.
 */
struct sl_coordinator_opts {
    struct sl_mem *mem;
    const struct sl_members *members;
    const struct sl_membership *membership; /* captures, for lists; null: ids only */
    struct sl_str cluster;                  /* copied */
    uint64_t version;              /* mod revision of the owner key: the fence sent to every node; 1 .. INT64_MAX */
    uint64_t seed, wall_offset_ns; /* wall clock = now + this */
    uint32_t feed_count_max, batch, session_count_max, history_count_max;
    size_t config_bytes_max;
    bool interop;
    sl_op_id op_base; /* operation ids start after it */
    sl_ns bootstrap_resend_ns, unknown_ns, operator_resend_ns, operator_timeout_ns, balance_ns;
};
#define SL_COORDINATOR_OPTS_DEFAULT                                    \
    ((struct sl_coordinator_opts){ .feed_count_max = 20000,            \
                                   .batch = 64,                        \
                                   .session_count_max = 16,            \
                                   .history_count_max = 128,           \
                                   .config_bytes_max = 1u << 20,       \
                                   .bootstrap_resend_ns = 500 * SL_MS, \
                                   .unknown_ns = 30 * SL_S,            \
                                   .operator_resend_ns = 500 * SL_MS,  \
                                   .operator_timeout_ns = 60 * SL_S,   \
                                   .balance_ns = 15 * SL_S })

struct sl_coordinator;
/* SL_NOMEM; SL_LIMIT or SL_BAD_CONFIG: the name of the cluster cannot be part of a key. *out is null then. */
SL_CHECKED enum sl_code sl_coordinator_new(struct sl_coordinator **out, const struct sl_coordinator_opts *opts,
                                           sl_ns now);
/* Answers every open request with SL_NOT_OWNER first. */
void sl_coordinator_stop(struct sl_coordinator *c, sl_ns now, struct sl_outbox *out);
void sl_coordinator_free(struct sl_coordinator *c); /* null allowed */

void sl_coordinator_start(struct sl_coordinator *c, sl_ns now, struct sl_outbox *out);
/* Types 25, 28, 42, 44, 35, decoded and validated, from a member. The refusal, or SL_REFUSE_NONE. */
enum sl_refusal sl_coordinator_on_message(struct sl_coordinator *c, sl_ns now, sl_node_ref from, enum sl_msg_type type,
                                          const ProtobufCMessage *message, struct sl_outbox *out);
/* After members has taken the change. */
void sl_coordinator_on_members(struct sl_coordinator *c, sl_ns now, const struct sl_members_change *change,
                               struct sl_outbox *out);
/* False: the result of no operation of this coordinator. */
bool sl_coordinator_on_store(struct sl_coordinator *c, sl_ns now, const struct sl_store_result *r,
                             struct sl_outbox *out);
void sl_coordinator_on_request(struct sl_coordinator *c, sl_ns now, const struct sl_request *r, struct sl_outbox *out);
void sl_coordinator_on_tick(struct sl_coordinator *c, sl_ns now, struct sl_outbox *out);
sl_ns sl_coordinator_deadline(const struct sl_coordinator *c);
bool sl_coordinator_is_running(const struct sl_coordinator *c);
/* Its own node is to be drained: another one that waits for the election should take over. */
bool sl_coordinator_wants_resign(const struct sl_coordinator *c);

#endif
