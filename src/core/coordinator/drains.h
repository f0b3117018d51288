/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COORDINATOR_DRAINS_H
#define SL_CORE_COORDINATOR_DRAINS_H

#include "core/coordinator/feeds.h"
#include "core/membership/membership.h"

/*
 * Drain sessions: durable intents, the targets pushed to every node, the proof of "safe to stop". Private to
 * src/core/coordinator.
 *
 *   PENDING --> EVACUATING --> STOPPING --> SAFE --(node left)--> CLEARING --> DONE
 *      |             |                                               ^
 *      +--undrain----+--> CLEARING (cancelled) --> CANCELLED          |
 *      |             |                                               |
 *      +-------------+------- node left before it was safe ----------+--> FAILED
 *
 *   -> PENDING               api_open              (drain_api.c)
 *   -> EVACUATING            drain_advance_pending (drain_phase.c)
 *   -> STOPPING, SAFE        drain_advance_work    (drain_phase.c); SAFE also drain_lose_target (drains.c)
 *   -> CLEARING              drain_lose_target, sl__drain_cancel
 *   -> DONE, CANCELLED, FAILED   drain_advance_clearing (drain_phase.c)
 *
 * Each phase is durable before anything that it allows is sent: the intent before its target, STOPPING before the
 * liveness request, SAFE before an answer of 0.
 *
 * Invariants (checked after every step):
 *   N1  the epoch of a session is durable, and higher than every drain epoch seen when it was issued, before a target
 *       with it leaves. Targets leave in the order of their epochs. A session whose epoch a peer can no longer accept
 *       gets a higher one.
 *   N2  "safe to stop" is said only when the whole proof holds (sl_drain_proof), is durable from then on, and never
 *       taken back for that process.
 *   N3  STOPPING is requested only from phase STOPPING, with the node epoch that was observed when the proof was
 *       computed.
 *   N4  an acknowledgement counts only with the node epoch it came with.
 *   N5  a node that may hold a target whose clear it has not acknowledged is no destination.
 *   N6  undrain is possible exactly until STOPPING is durable.
 *   N7  a process is ordered to end only from phase SAFE, by a drain that is to stop its node, in the node epoch that was
 *       proved, and while the store is known to hold all of that.
 *
 * What may be trusted: durable is what the store held when it last said so, and only this coordinator writes; if
 * somebody else did, his word is taken over and the session goes on from there.
 */
struct sl_drains_opts {
    struct sl_mem *mem;
    const struct sl_members *members;
    const struct sl_membership *membership; /* names of nodes, for people; null: none are shown */
    struct sl_nodes *nodes;
    struct sl_feeds *feeds;
    struct sl_str cluster; /* copied */
    uint64_t seed;         /* of drain ids */
    uint32_t session_count_max, history_count_max;
    sl_ns liveness_resend_ns, target_resend_ns; /* 1 s, 5 s */
    uint64_t wall_offset_ns;                    /* wall clock = now + this */
    sl_op_id *op_next;
};

struct sl_drains;
/* SL_NOMEM; SL_LIMIT: the name of the cluster is too long. *out is null then. */
SL_CHECKED enum sl_code sl_drains_new(struct sl_drains **out, const struct sl_drains_opts *opts, sl_ns now);
void sl_drains_free(struct sl_drains *d); /* null allowed */

/* Reads the intents; asked again by the tick until it is done. */
void sl_drains_load(struct sl_drains *d, sl_ns now, struct sl_outbox *out);
bool sl_drains_is_loaded(const struct sl_drains *d);
/* Tells the feeds which nodes are no destination, before they place anything: between load and settle. */
void sl_drains_announce(struct sl_drains *d, sl_ns now, struct sl_outbox *out);
/* The open ones continue: same id, higher epoch. */
void sl_drains_settle(struct sl_drains *d, sl_ns now, struct sl_outbox *out);
/* Answers every open request with SL_NOT_OWNER; only free comes after it. */
void sl_drains_stop(struct sl_drains *d, sl_ns now, struct sl_outbox *out);

/* False: not an operation of a drain. */
bool sl_drains_on_store(struct sl_drains *d, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out);
/* DRAIN*, UNDRAIN. */
void sl_drains_on_request(struct sl_drains *d, sl_ns now, const struct sl_request *r, struct sl_outbox *out);
/* Something was observed of a node, or of a feed on it. */
void sl_drains_on_node_seen(struct sl_drains *d, sl_ns now, sl_node_ref node);
void sl_drains_on_node_added(struct sl_drains *d, sl_ns now, sl_node_ref node);
/* Before the node is forgotten by nodes and feeds: completeness is judged now. */
void sl_drains_on_node_lost(struct sl_drains *d, sl_ns now, sl_node_ref node, struct sl_outbox *out);
void sl_drains_on_tick(struct sl_drains *d, sl_ns now, struct sl_outbox *out);
sl_ns sl_drains_deadline(const struct sl_drains *d);

/* This node is the target of a drain and should give up the coordinator's seat (another node waits for it). */
bool sl_drains_wants_resign(const struct sl_drains *d);

/* ---- the proof, a pure function so that it can be read and tested alone ---- */
struct sl_proof_facts {
    bool intent_durable, target_observed, target_unknown;
    bool target_is_sluice;       /* self-reports */
    uint32_t peers, peers_acked; /* live nodes but the target; those that acknowledged (target, epoch) with their
                                    current node epoch */
    uint32_t peers_legacy;
    struct sl_feeds_on_node feeds;
    bool draining_seen, stopping_seen; /* in the target's current node epoch */
    struct sl_self_report self;
    bool is_owner; /* the target is this coordinator */
};
/* The first thing that is missing for STOPPING to be requested (want_safe false), or for "safe to stop" (true); NONE if
 * nothing is. */
enum sl_blocker sl_drain_proof(const struct sl_proof_facts *facts, bool want_safe);
/* max() of what is left, at least 1 unless safe: the number old clients see. */
uint32_t sl_drain_remaining(const struct sl_proof_facts *facts, bool safe);
/* Dispatchers, by what the feeds say and what the target says of itself: before the feeds have reported only it knows. */
uint32_t sl_drain_dispatchers_left(const struct sl_proof_facts *facts);

#endif
