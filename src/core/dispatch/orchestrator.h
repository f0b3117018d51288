/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DISPATCH_ORCHESTRATOR_H
#define SL_CORE_DISPATCH_ORCHESTRATOR_H

#include "core/common/input.h"
#include "core/common/outbox.h"
#include "core/drain/liveness.h"

/*
 * The dispatcher orchestrator (DO): owns the dispatch managers (DM) of a node, one per feed, each with the dispatchers
 * of the feed on this node. It obeys maintainers, and only the one that owns the DM: owner = (node, epoch), fenced on
 * every request.
 *
 * Invariants (checked after every step):
 *   D1  a DM's owner epoch never decreases; an owner of an equal epoch on another node is refused.
 *   D2  a dispatcher id exists at most once in a DM; its state follows the table in dispatcher.h.
 *   D3  a Create is performed at most once per dispatcher id; a duplicate is answered with the current state.
 *   D4  every Create, Remove, bootstrap, post-bootstrap and close of the owner is answered, also if nothing changes.
 *   D5  a watermark computed without a dispatcher has a smaller seq than the first status of that dispatcher.
 *   D6  the reported checkpoint is the minimum over the DM's dispatchers, and never ahead of what is durable.
 *   D7  on a STOPPING node no dispatcher is created and no sink is opened.
 */
struct sl_orchestrator_opts {
    struct sl_mem *mem;
    const struct sl_members *members;
    uint64_t seed;        /* of the hash tables */
    uint64_t start_epoch; /* wall-clock nanoseconds at process start, as the node epoch then */
    uint32_t feed_count_max, dispatcher_count_max, tombstone_count_max, floor_count_max;
    size_t config_bytes_max;
    bool interop;
    sl_ns heartbeat_ns;            /* 200 ms */
    sl_ns full_status_ns;          /* 10 s */
    sl_ns status_batch_ns;         /* status changes within this window travel together; 2 ms */
    sl_ns error_resend_ns;         /* 5 s */
    uint32_t statuses_per_message; /* a full status list is split over several messages */
};
#define SL_ORCHESTRATOR_OPTS_DEFAULT                                 \
    ((struct sl_orchestrator_opts){ .feed_count_max = 4096,          \
                                    .dispatcher_count_max = 2000000, \
                                    .tombstone_count_max = 4096,     \
                                    .floor_count_max = 65536,        \
                                    .config_bytes_max = 1u << 20,    \
                                    .heartbeat_ns = 200 * SL_MS,     \
                                    .full_status_ns = 10 * SL_S,     \
                                    .status_batch_ns = 2 * SL_MS,    \
                                    .error_resend_ns = 5 * SL_S,     \
                                    .statuses_per_message = 2048 })

struct sl_orchestrator;

SL_CHECKED enum sl_code sl_orchestrator_new(struct sl_orchestrator **out, const struct sl_orchestrator_opts *opts,
                                            sl_ns now);
void sl_orchestrator_free(struct sl_orchestrator *o); /* null allowed */

/*
 * Types 14, 15, 22, 29, 31, 33, decoded and validated, from a member (the node itself included). Returns
 * SL_REFUSE_NONE, or why nothing was changed; an answer that the sender is owed all the same was sent then.
 */
enum sl_refusal sl_orchestrator_on_message(struct sl_orchestrator *o, sl_ns now, sl_node_ref from,
                                           enum sl_msg_type type, const ProtobufCMessage *message,
                                           struct sl_outbox *out);
void sl_orchestrator_on_report(struct sl_orchestrator *o, sl_ns now, const struct sl_report *report,
                               struct sl_outbox *out);
void sl_orchestrator_on_members(struct sl_orchestrator *o, sl_ns now, const struct sl_members_change *change,
                                struct sl_outbox *out);
void sl_orchestrator_on_tick(struct sl_orchestrator *o, sl_ns now, struct sl_outbox *out);
sl_ns sl_orchestrator_deadline(const struct sl_orchestrator *o);

/* Liveness of the node, told by the manager: rides on heartbeats to maintainers; STOPPING refuses new work (D7). */
void sl_orchestrator_set_liveness(struct sl_orchestrator *o, sl_ns now, enum sl_liveness liveness,
                                  struct sl_outbox *out);

/* The feed's checkpoint, as its maintainer on this node passes it on: told to the sink. */
void sl_orchestrator_on_checkpoint(struct sl_orchestrator *o, const struct sl_feed_id *feed, sl_ts checkpoint,
                                   struct sl_outbox *out);

/*
 * The lease is lost: from this call on no DM reports anything, and every one, those being opened included, is fenced. A
 * step has room for so many commands only; the rest follows with ticks that are due at once.
 */
void sl_orchestrator_fence(struct sl_orchestrator *o, struct sl_outbox *out);

/*
 * Dispatchers that may write: opening, working or closing, table triggers included; not those that have stopped and
 * wait only for their last status to be sent. And what the data plane last said it holds.
 */
uint32_t sl_orchestrator_dispatcher_count(const struct sl_orchestrator *o);
uint32_t sl_orchestrator_reader_count(const struct sl_orchestrator *o);
uint64_t sl_orchestrator_unflushed_rows(const struct sl_orchestrator *o);

/*
 * Walks the dispatch managers: from 0 on, 0 = end. For status pages. dispatchers: without the table trigger; those that
 * have stopped count until it was reported. feed is valid until the next step.
 */
struct sl_orchestrator_feed {
    const struct sl_feed_id *feed;
    uint32_t dispatchers;
};
uint32_t sl_orchestrator_next(const struct sl_orchestrator *o, uint32_t after, struct sl_orchestrator_feed *feed);

/* For the simulator's digest and benches. */
size_t sl_orchestrator_bytes(const struct sl_orchestrator *o);

#endif
