/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MEMBERSHIP_MEMBERSHIP_H
#define SL_CORE_MEMBERSHIP_MEMBERSHIP_H

#include "core/common/outbox.h"
#include "core/common/store.h"
#include "wire/values.h"

/*
 * A node's place in the cluster, over the metadata store: its session (a lease), its capture key, who else is there,
 * and the election of the coordinator. Keys are the protocol's.
 *
 *    OFFLINE --grant--> LEASED --capture key put--> JOINED --fence--> FENCED
 *
 * Invariants (checked after every step):
 *   S1  the node believes in its lease only until ttl after the SEND time of the last keepalive that was answered; then
 * it fences itself, before the store can give the lease's keys away. FENCED is final. S2  it is leader only while its
 * owner key is the oldest under the prefix, by a read or watch that is not older than its lease belief; the version it
 * leads with is the mod revision of that key. S3  a node that is not ALIVE does not campaign, and resigns if it wins.
 *   S4  membership is published with or without a leader. A vanished capture key removes the node after tombstone_ns,
 * at once if its last value said "stopped"; a key that returns in time keeps it.
 */
struct sl_membership_opts {
    struct sl_mem *mem;
    struct sl_str cluster;  /* id; copied */
    struct sl_capture self; /* what the capture key says */
    uint32_t node_count_max;
    sl_ns ttl_ns;            /* 10 s */
    sl_ns keepalive_ns;      /* ttl / 3 */
    sl_ns fence_margin_ns;   /* fences this long before the lease can end; ttl / 10 */
    sl_ns tombstone_ns;      /* max(5 s, ttl / 2) */
    sl_ns campaign_pause_ns; /* at most one try in this time; 1 s */
    sl_ns retry_ns;          /* after a refused or unknown store operation; 200 ms */
    bool interop;            /* join a cluster whose captures are foreign */
    sl_op_id op_base;        /* operation ids start after it; the node hands out disjoint ranges */
};

struct sl_membership;

SL_CHECKED enum sl_code sl_membership_new(struct sl_membership **out, const struct sl_membership_opts *opts, sl_ns now);
void sl_membership_free(struct sl_membership *m);

void sl_membership_start(struct sl_membership *m, sl_ns now, struct sl_outbox *out);
/* Results and batches of operations this part issued; others are ignored (returns false). */
bool sl_membership_on_store(struct sl_membership *m, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out);
bool sl_membership_on_watch(struct sl_membership *m, sl_ns now, const struct sl_store_watch_batch *b,
                            struct sl_outbox *out);
void sl_membership_on_tick(struct sl_membership *m, sl_ns now, struct sl_outbox *out);
sl_ns sl_membership_deadline(const struct sl_membership *m);

/* The node's liveness changed: false ends campaigning (a waiting owner key is deleted; leadership is given up only by
 * resign). */
void sl_membership_set_alive(struct sl_membership *m, sl_ns now, bool alive, struct sl_outbox *out);
/* Gives up leadership and campaigns again after campaign_pause_ns (not at all if not alive). No effect when not leader.
 */
void sl_membership_resign(struct sl_membership *m, sl_ns now, struct sl_outbox *out);
/* Clean stop: marks the capture value stopped, then revokes the lease. */
void sl_membership_leave(struct sl_membership *m, sl_ns now, struct sl_outbox *out);

/* What holds now; pointers valid until the next call. generation grows with each change of the member set. */
struct sl_membership_view {
    bool joined, fenced, leader;
    uint64_t leader_version; /* of this node's own leadership; 0 when not leader */
    struct sl_node_id owner; /* none while there is no leader */
    uint32_t waiting_count;  /* other nodes queued for the election */
    uint64_t generation;
    const struct sl_capture *members; /* ascending by id; self included once joined */
    uint32_t member_count;
};
void sl_membership_view(const struct sl_membership *m, struct sl_membership_view *view);

#endif
