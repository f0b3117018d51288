/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MEMBERSHIP_MEMBERSHIP_H
#define SL_CORE_MEMBERSHIP_MEMBERSHIP_H

#include "core/common/outbox.h"
#include "core/common/store.h"
#include "wire/values.h"

/*
 * A node's place in the cluster, over the metadata store: its session (a lease), its capture key, who else is there,
 * and the election of the coordinator. Keys are the protocol's (docs/metadata.md).
 *
 *            grant                capture and name key put           fence
 *   OFFLINE --------> LEASED ----------------------------> JOINED ---------> FENCED
 *      | ^----lease----' |                                   |                 ^
 *      |      ended      +----------- leave ------> LEAVING <+     fence       |
 *      +---- leave -------------> LEFT <--revoked-----' '----------------------'
 *
 *   -> LEASED             session_on_grant        (session.c)
 *   -> OFFLINE, FENCED    sl__session_check       (session.c); FENCED also when another process has this node's id
 *   -> JOINED             sl__join_run            (join.c)
 *   -> LEAVING, LEFT      sl_membership_leave, leave_run (membership.c)
 *
 * Per state, what may be trusted:
 *   OFFLINE  nothing. The node is nobody.
 *   LEASED   the lease. The node knows the others and is not known itself.
 *   JOINED   the capture key is or will be seen by all. Only now it campaigns: a node that was refused never leads, and
 *            a leader is always a member. (The reference joins the election first; peers cannot tell the difference.)
 *   LEAVING  it leads no more; its keys go away.
 *   FENCED, LEFT  final. Nothing of this session may be used; a new one needs a new process.
 *
 * Invariants (checked after every call):
 *   S1  the node believes in its lease only until ttl after the SEND time of the last keepalive that was answered; it
 *       fences itself fence_margin before that, and so before the store can give the lease's keys away.
 *   S2  it is leader only while its own owner key is the oldest under the prefix, as read at or after the key's
 *       creation: a younger key never becomes older, and the key lives as long as the lease. The version it leads with
 *       is the mod revision of that key; each leadership has a higher one.
 *   S3  a node that is not ALIVE does not campaign, and gives the key back instead of winning.
 *   S4  membership is published with or without a leader. A vanished capture key removes the node after tombstone_ns,
 *       at once if its last value said "stopped"; a key that returns in time keeps it.
 *   S5  after an operation of unknown outcome nothing is written before the store was read again. Every write is
 *       conditional on what was read, so one that arrives late does no harm.
 */
struct sl_membership_opts {
    struct sl_mem *mem;
    struct sl_str cluster;   /* id; copied */
    struct sl_capture self;  /* what the capture key says; without a name there is no name key */
    uint32_t node_count_max; /* other nodes it can know */
    sl_ns ttl_ns;            /* 10 s */
    sl_ns keepalive_ns;      /* ttl / 3 */
    sl_ns fence_margin_ns;   /* fences this long before the lease can end; ttl / 10 */
    sl_ns tombstone_ns;      /* max(5 s, ttl / 2) */
    sl_ns campaign_pause_ns; /* at most one try to win or, when refused, to join in this time; 1 s */
    sl_ns retry_ns;          /* after a refused or unknown store operation; 200 ms */
    bool interop;            /* live with captures that lack the Sluice mark */
    sl_op_id op_base;        /* operation ids start after it; the node hands out disjoint ranges */
};
/* mem, cluster, self and op_base are to be filled in. */
#define SL_MEMBERSHIP_OPTS_DEFAULT                               \
    ((struct sl_membership_opts){ .node_count_max = 256,         \
                                  .ttl_ns = 10 * SL_S,           \
                                  .keepalive_ns = 10 * SL_S / 3, \
                                  .fence_margin_ns = SL_S,       \
                                  .tombstone_ns = 5 * SL_S,      \
                                  .campaign_pause_ns = SL_S,     \
                                  .retry_ns = 200 * SL_MS })

struct sl_membership;

/* SL_NOMEM; SL_BAD_CONFIG: cluster, id, name or address cannot be part of a key or value, or the times make no sense
 * (they must leave room for two keepalives before the fence). *out is null then. */
SL_CHECKED enum sl_code sl_membership_new(struct sl_membership **out, const struct sl_membership_opts *opts, sl_ns now);
void sl_membership_free(struct sl_membership *m); /* null allowed */

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
/* Clean stop: gives up leadership, marks the capture value stopped, then revokes the lease. Done when the view says
 * left; at the latest when the lease ends. */
void sl_membership_leave(struct sl_membership *m, sl_ns now, struct sl_outbox *out);

/* What holds now; pointers valid until the next call. generation grows with each change of the member set. */
struct sl_membership_view {
    bool joined, fenced, leader;
    bool left;               /* the clean stop is done */
    uint64_t leader_version; /* of this node's own leadership; 0 when not leader */
    struct sl_node_id owner; /* none while there is no leader */
    uint32_t waiting_count;  /* other nodes queued for the election */
    uint64_t generation;
    const struct sl_capture *members; /* ascending by id; self included once joined; foreign ones only with interop */
    uint32_t member_count;
};
void sl_membership_view(const struct sl_membership *m, struct sl_membership_view *view);
/* A member whose capture key is not there: its lease has ended, it has fenced itself, and it leaves unless it registers
 * again in time. */
bool sl_membership_has_vanished(const struct sl_membership *m, const struct sl_node_id *id);
/*
 * Another read of the whole member set, which begins after this call. Returns its number: when sl_membership_reads_done has
 * reached it, every node that was a member at this moment was in the view, or is.
 */
uint64_t sl_membership_read_anew(struct sl_membership *m, sl_ns now, struct sl_outbox *out);
uint64_t sl_membership_reads_done(const struct sl_membership *m);
/*
 * While this node leads: the key of its candidacy, and the revision that the key has as long as the leadership lasts. A
 * transaction that compares it is refused by the store once somebody else may lead. False: it does not lead.
 */
bool sl_membership_leadership(const struct sl_membership *m, struct sl_str *key, sl_revision *mod_revision);
/* Until when the node believes in its lease (S1), for shells that fence by a timer of their own; INT64_MIN without one.
 */
sl_ns sl_membership_lease_until(const struct sl_membership *m);

#endif
