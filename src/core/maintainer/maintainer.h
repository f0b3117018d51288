/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_MAINTAINER_H
#define SL_CORE_MAINTAINER_MAINTAINER_H

#include "core/common/input.h"
#include "core/common/outbox.h"
#include "core/drain/liveness.h"
#include "core/drain/pacing.h"
#include "core/drain/target_set.h"

/*
 * A maintainer: the controller of one feed. Bootstraps over all nodes, places the feed's spans, computes its checkpoint,
 * evacuates drain targets, hands over or closes.
 *
 *                    all nodes answered, tables known            remove (any)
 *     BOOTSTRAPPING ---------------------------------> RUNNING -----------------> CLOSING ----> CLOSED
 *           |                                             ^            (own work settled)
 *           +---- remove cascade ------------------------ | -----------^
 *
 * The wire state is Working until CLOSED, then Stopped. One way leads back, from CLOSED to CLOSING: a hand-over has ended, and
 * before it is forgotten the dispatchers are to be closed as well.
 *
 * Per state: BOOTSTRAPPING  only the per-node answers are trusted; no span is placed; checkpoint = start checkpoint.
 *            RUNNING        spans, operators and counters are exact for what was reported; checkpoint advances.
 *            CLOSING        as RUNNING, but nothing new is started; non-cascade: moves in flight end first (bounded in time),
 *                           then the table trigger is removed; cascade: every node's dispatch manager is closed.
 *            CLOSED         nothing is trusted but the last status; it is reported at least once before it is forgotten.
 *
 * Invariants (checked after every step):
 *   T1  the committed checkpoint never decreases and never exceeds any span's known durable position.
 *   T2  at most one operator per span; a span is absent iff it is bound to no node.
 *   T3  a dispatcher is created on a destination only after its origin reported Stopped or Removed, or left the membership.
 *   T4  the counters of spans and moves per node equal what a full count would give (full count in debug builds only).
 *   T5  nothing is placed on: a drain target, a node that is not ALIVE, a node that has not bootstrapped this feed.
 */
struct sl_maintainer_limits {
    uint32_t span_count_max;
    uint32_t create_batch;     /* basic scheduler: operators in flight at most */
    uint32_t balance_batch;    /* moves per balance round */
    uint32_t sends_per_step;   /* Create/Remove messages per step, the rest follows at once in the next */
    sl_ns bootstrap_resend_ns; /* 500 ms */
    sl_ns operator_resend_ns;  /* lost Create/Remove are sent again after this */
    sl_ns move_timeout_ns;     /* a move older than this returns its slot and is named */
    sl_ns handover_timeout_ns; /* CLOSING without cascade waits at most this for moves in flight */
    sl_ns checkpoint_ns;       /* 100 ms between checkpoint rounds */
    sl_ns balance_ns;          /* 15 s */
    sl_ns balance_pause_ns;    /* 120 s after a drain */
    sl_ns silence_ns;          /* a node with spans that says nothing this long is asked to bootstrap again */
    bool reference_pacing;     /* max(10, 1 %) and 200 ms rounds instead of feedback: for comparison runs only */
};
#define SL_MAINTAINER_LIMITS_DEFAULT                                    \
    ((struct sl_maintainer_limits){ .span_count_max = 4000000,          \
                                    .create_batch = 10000,              \
                                    .balance_batch = 1024,              \
                                    .sends_per_step = 4096,             \
                                    .bootstrap_resend_ns = 500 * SL_MS, \
                                    .operator_resend_ns = 1 * SL_S,     \
                                    .move_timeout_ns = 30 * SL_S,       \
                                    .handover_timeout_ns = 10 * SL_S,   \
                                    .checkpoint_ns = 100 * SL_MS,       \
                                    .balance_ns = 15 * SL_S,            \
                                    .balance_pause_ns = 120 * SL_S,     \
                                    .silence_ns = 5 * SL_S,             \
                                    .reference_pacing = false })

struct sl_maintainer_opts {
    struct sl_mem *mem;
    const struct sl_members *members;
    struct sl_pacer *pacer; /* shared by the node's maintainers; outlives them */
    const struct sl_feed_id *id;
    struct sl_secret config; /* copied; accepted by sl_feed_info_parse; ignored when remove_only */
    struct sl_secret source; /* URI of the feed's source, valid by sl_source_uri_is_valid; copied; may be empty */
    size_t config_bytes_max;
    sl_ts checkpoint; /* start checkpoint, not 0 */
    uint64_t epoch;   /* maintainer_epoch; 0 only with interop */
    uint64_t seed;    /* of dispatcher ids */
    uint32_t keyspace_id;
    bool is_new;
    bool interop;
    bool reads_members; /* the members may be more than is known: nothing ends before sl_maintainer_on_members_read */
    bool remove_only;   /* made only to close dispatchers everywhere after its feed's owner is gone */
    struct sl_maintainer_limits limits;
};

struct sl_maintainer;

/* SL_NOMEM or SL_BAD_CONFIG leave *out null. Sends nothing: registration comes first, then the target, then start. */
SL_CHECKED enum sl_code sl_maintainer_new(struct sl_maintainer **out, const struct sl_maintainer_opts *opts, sl_ns now);
void sl_maintainer_free(struct sl_maintainer *m); /* null allowed */

/* Begins the bootstrap. */
void sl_maintainer_start(struct sl_maintainer *m, sl_ns now, struct sl_outbox *out);

/* Types 13, 18, 30, 32, 34 and 17, decoded and validated, from a member. Returns the refusal or SL_REFUSE_NONE. */
enum sl_refusal sl_maintainer_on_message(struct sl_maintainer *m, sl_ns now, sl_node_ref from, enum sl_msg_type type,
                                         const ProtobufCMessage *message, struct sl_outbox *out);
void sl_maintainer_on_members(struct sl_maintainer *m, sl_ns now, const struct sl_members_change *change,
                              struct sl_outbox *out);
/* Every node that was a member when the maintainer was made is known, or has left. */
void sl_maintainer_on_members_read(struct sl_maintainer *m, sl_ns now, struct sl_outbox *out);
void sl_maintainer_on_schema(struct sl_maintainer *m, sl_ns now, const struct sl_in_schema *schema,
                             struct sl_outbox *out);
/* Whether a schema change would be taken now: while it would not, the table trigger has to wait in front of it. */
bool sl_maintainer_takes_schema_changes(const struct sl_maintainer *m);
void sl_maintainer_on_schema_change(struct sl_maintainer *m, sl_ns now, const struct sl_in_schema_change *change,
                                    struct sl_outbox *out);
void sl_maintainer_on_tick(struct sl_maintainer *m, sl_ns now, struct sl_outbox *out);
sl_ns sl_maintainer_deadline(const struct sl_maintainer *m);

/* RemoveMaintainerRequest with its rule: request epoch must fit; SL_REFUSE_* and unchanged otherwise. */
enum sl_refusal sl_maintainer_remove(struct sl_maintainer *m, sl_ns now, bool cascade, bool removed, uint64_t epoch,
                                     struct sl_outbox *out);

/* Applies the node's targets by the same monotonic rule; marks the status dirty when they changed. */
void sl_maintainer_set_targets(struct sl_maintainer *m, sl_ns now, const struct sl_target_set *targets,
                               struct sl_outbox *out);
/* The same for one target (core/drain/target.h). */
void sl_maintainer_set_target(struct sl_maintainer *m, sl_ns now, const struct sl_drain_target *target,
                              struct sl_outbox *out);

/*
 * Status for the coordinator. due: changed since the last one, or older than resend_ns. fill: writes a status whose pointers
 * live in the arena (null on lack of memory: then not taken); taken = it goes into a message now: clears the dirty mark
 * first, so that a change during the same step stays dirty. Errors stay until they are superseded, not until they are read once.
 */
bool sl_maintainer_status_is_due(const struct sl_maintainer *m, sl_ns now, sl_ns resend_ns);
Pb__MaintainerStatus *sl_maintainer_status_fill(struct sl_maintainer *m, sl_ns now, struct sl_arena *arena);

/*
 * Makes the status due again, and a CLOSED maintainer not forgettable until it was taken once more: somebody asked in vain
 * for a change and is answered by the state, or the message that held the status was not sent.
 */
void sl_maintainer_touch(struct sl_maintainer *m);

/* Low-latency feeds want an immediate heartbeat when their checkpoint moved: true once per request. */
bool sl_maintainer_take_prompt(struct sl_maintainer *m);

bool sl_maintainer_is_closed(const struct sl_maintainer *m);
/* CLOSED and its Stopped status was put into at least one message. */
bool sl_maintainer_is_forgettable(const struct sl_maintainer *m);

uint64_t sl_maintainer_epoch(const struct sl_maintainer *m);
const struct sl_feed_id *sl_maintainer_feed(const struct sl_maintainer *m);
sl_ts sl_maintainer_checkpoint(const struct sl_maintainer *m);
bool sl_maintainer_is_bootstrapped(const struct sl_maintainer *m);
const struct sl_target_set *sl_maintainer_targets(const struct sl_maintainer *m);
/* As one target: sl_target_set_reported. Valid until the next call. */
const struct sl_drain_target *sl_maintainer_target(const struct sl_maintainer *m);

/*
 * What clients ask. SL_NOT_READY unless the maintainer is RUNNING. Rows are as sl_control_list_tables says: in order of
 * table id, whole tables, names valid until the next step. max > 0. SL_NOMEM.
 */
SL_CHECKED enum sl_code sl_maintainer_list_tables(const struct sl_maintainer *m, int64_t after,
                                                  struct sl_table_view *rows, uint32_t max, uint32_t *count,
                                                  bool *has_more);
SL_CHECKED enum sl_code sl_maintainer_dispatcher_count(const struct sl_maintainer *m, uint32_t *count);
/* SL_OK: moves are under way, or it is there. SL_NOT_FOUND: no such table. SL_BUSY: it has an operator. SL_REFUSED: the
 * node takes no work. */
SL_CHECKED enum sl_code sl_maintainer_move_table(struct sl_maintainer *m, sl_ns now, int64_t table_id, sl_node_ref node,
                                                 struct sl_outbox *out);

/* For status pages, oracles and benches. */
struct sl_maintainer_stats {
    uint32_t spans, absent, scheduling, replicating, operators, moves;
    uint32_t barriers; /* schema changes in front of which dispatchers wait */
    uint64_t moves_done, moves_timed_out;
    size_t span_bytes; /* heap bytes of spans, indexes, operators and their lists */
};
void sl_maintainer_stats(const struct sl_maintainer *m, struct sl_maintainer_stats *stats);

#endif
