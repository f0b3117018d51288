/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MANAGER_MANAGER_H
#define SL_CORE_MANAGER_MANAGER_H

#include "core/common/input.h"
#include "core/common/outbox.h"
#include "core/drain/liveness.h"
#include "core/drain/target_set.h"
#include "core/maintainer/maintainer.h"

/*
 * The maintainer manager (MM): what a node shows the coordinator. Two parts, kept apart:
 *
 *   node scope      coordinator fence, liveness, node epoch, drain targets, node heartbeat     node_scope.c
 *   maintainer set  admission by epoch, registration, fan-out, status aggregation, cleanup     maintainer_set.c
 *
 * Invariants (checked after every step):
 *   M1  the drain targets change only by the rule of core/drain/target_set.h; their version never decreases.
 *   M2  every drain-target request from the current coordinator is answered by a node heartbeat with the state that
 *       holds then, accepted or not, also when no maintainer lives here.
 *   M3  the liveness of one node epoch only moves ALIVE -> DRAINING -> STOPPING, and to STOPPING only while nothing is hosted
 *       (or when fenced). The node epoch never decreases; a new one begins ALIVE, and none follows STOPPING.
 *   M4  every registered maintainer holds the node's current drain targets: a new one is registered first and seeded
 *       then, so that a target that arrives between the two reaches it by the fan-out.
 *   M5  at most one maintainer per feed; a live one is never replaced; a replaced one's late end cannot touch its
 *       successor.
 *   M6  the coordinator's version never decreases; nothing but a bootstrap request is accepted from anybody else, and an
 *       equal version is accepted only from the coordinator that holds it.
 *   M7  the order to stop is taken only from the current coordinator, for this node epoch, and only when STOPPING.
 */
struct sl_hosted { /* what the node still has, from all its parts */
    uint32_t maintainers, dispatchers, readers;
    uint64_t unflushed_rows;
};

struct sl_manager_opts {
    struct sl_mem *mem;
    const struct sl_members *members;
    uint64_t node_epoch; /* the first: wall-clock nanoseconds at process start; not 0. An undrain begins the next */
    uint64_t seed;       /* of hashes and of the maintainers' dispatcher ids */
    uint32_t feed_count_max;
    size_t config_bytes_max;
    bool reads_members;      /* a new maintainer ends nothing before sl_manager_on_members_read */
    bool interop;            /* accept epoch 0 as the reference does */
    bool enforce_self_guard; /* refuse STOPPING while work is hosted; off only in conformance tests of the reference's
                                rule */
    sl_ns tick_ns;           /* 200 ms */
    sl_ns heartbeat_ns;      /* 5 s */
    sl_ns heartbeat_min_ns;  /* 500 ms: not sooner, though what the node hosts changed */
    sl_ns status_resend_ns;  /* 1 s */
    struct sl_maintainer_limits maintainer;
    struct sl_pacer_opts pacer;
};
#define SL_MANAGER_TICK_NS (200 * SL_MS)
#define SL_MANAGER_HEARTBEAT_NS (5 * SL_S)
#define SL_MANAGER_HEARTBEAT_MIN_NS (500 * SL_MS)
#define SL_MANAGER_STATUS_RESEND_NS (1 * SL_S)

struct sl_manager;

/* SL_NOMEM leaves *out null. */
SL_CHECKED enum sl_code sl_manager_new(struct sl_manager **out, const struct sl_manager_opts *opts, sl_ns now);
void sl_manager_free(struct sl_manager *m); /* null allowed; closes no dispatcher anywhere */

/*
 * One decoded and validated message of topic MM or MT. hosted = what the node hosts at this moment (for the self guard
 * and the heartbeat). Returns why it was refused (then nothing changed, except that the answer the sender is owed was
 * sent), or SL_REFUSE_NONE. Messages of dispatch managers are passed to the maintainer they name.
 */
enum sl_refusal sl_manager_on_message(struct sl_manager *m, sl_ns now, sl_node_ref from, enum sl_msg_type type,
                                      const ProtobufCMessage *message, const struct sl_hosted *hosted,
                                      struct sl_outbox *out);
void sl_manager_on_members(struct sl_manager *m, sl_ns now, const struct sl_members_change *change,
                           struct sl_outbox *out);
/*
 * With reads_members. A maintainer was added: the members as they are known may be old, and are to be read anew. begun:
 * they are, or will be, by the read of this number. Then: the reads up to number done are over, and what they showed was
 * told by sl_manager_on_members.
 */
bool sl_manager_wants_members_read(const struct sl_manager *m);
void sl_manager_on_members_read_begun(struct sl_manager *m, uint64_t number);
void sl_manager_on_members_read(struct sl_manager *m, sl_ns now, uint64_t done, struct sl_outbox *out);
void sl_manager_on_schema(struct sl_manager *m, sl_ns now, const struct sl_in_schema *schema, struct sl_outbox *out);
void sl_manager_on_schema_change(struct sl_manager *m, sl_ns now, const struct sl_in_schema_change *change,
                                 struct sl_outbox *out);

/* TABLE_LIST, TABLE_MOVE, DISPATCHER_COUNT of a feed whose maintainer lives here: answered. False: nothing was done. */
bool sl_manager_on_request(struct sl_manager *m, sl_ns now, const struct sl_request *r, struct sl_outbox *out);

/* Work that is due: tick, heartbeat, maintainers' own deadlines. */
void sl_manager_on_tick(struct sl_manager *m, sl_ns now, const struct sl_hosted *hosted, struct sl_outbox *out);
sl_ns sl_manager_deadline(const struct sl_manager *m);

/*
 * What the node hosts now, from whatever changed it. Other counts make the next heartbeat leave sooner. A draining node
 * that has become empty says so at once: the coordinator waits for nothing else.
 */
void sl_manager_on_hosted(struct sl_manager *m, sl_ns now, const struct sl_hosted *hosted, struct sl_outbox *out);

/* The node lost its lease: DRAINING, then STOPPING at once, without asking. */
void sl_manager_fence(struct sl_manager *m);

enum sl_liveness sl_manager_liveness(const struct sl_manager *m);
uint64_t sl_manager_node_epoch(const struct sl_manager *m); /* grows by one with each undrain */
/* The coordinator ordered this process to end: a drain with that wish is safe, durably. Never true before STOPPING. */
bool sl_manager_wants_stop(const struct sl_manager *m);
const struct sl_target_set *sl_manager_targets(const struct sl_manager *m);
/* As one target: sl_target_set_reported. */
const struct sl_drain_target *sl_manager_target(const struct sl_manager *m);
uint32_t sl_manager_maintainer_count(const struct sl_manager *m); /* not yet closed ones */
/* The maintainer of a feed, or null: for the node's composition, tests and status pages; valid until the next step. */
struct sl_maintainer *sl_manager_find(struct sl_manager *m, const struct sl_feed_id *id);
/* Walks the maintainers that are not closed: from 0 on, 0 = end. For status pages; nothing may happen to m meanwhile. */
uint32_t sl_manager_next(const struct sl_manager *m, uint32_t after, const struct sl_maintainer **maintainer);

#endif
