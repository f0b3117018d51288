/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DISPATCH_DM_H
#define SL_CORE_DISPATCH_DM_H

#include "base/heap.h"
#include "core/common/tombstone.h"
#include "core/dispatch/dispatcher.h"
#include "core/dispatch/floor.h"
#include "core/dispatch/orchestrator.h"

/*
 * A dispatch manager (DM): the dispatchers of one feed on this node and the maintainer that owns them. Shared by the
 * files of this folder; nobody else includes it but tests.
 *
 *     bootstrap            FEED_OPENED              close             FEED_CLOSED
 *   ------------> OPENING ------------> OPEN ------------> CLOSING -------------> gone, a tombstone stays
 *                    |  |                                     ^
 *                    |  +------------ close ------------------+
 *                    +-- FEED_FAILED: gone
 *                    +-- opened or failed while the node is STOPPING --> HOLLOW
 *     bootstrap of a STOPPING node ------------------------------------> HOLLOW -- close --> gone, a tombstone stays
 *     any -- lease lost --> FENCED
 *
 *   -> OPENING, HOLLOW   sl__on_bootstrap      (bootstrap.c)     -> CLOSING   sl__on_close        (close.c)
 *   -> OPEN              sl__on_feed_opened    (bootstrap.c)     gone         sl__on_feed_closed  (close.c)
 *                                                                -> FENCED    orchestrator_fence_some (orchestrator.c)
 *
 * Per state, what may be trusted:
 *   OPENING  the owner, and the trigger it wants; there is no dispatcher. The owner is answered when the sink is there.
 *   OPEN     everything; the only state in which dispatchers are made or removed, and heartbeats sent.
 *   HOLLOW   the owner. No sink, no dispatcher; exists so that maintainers get answers from a node that stops.
 *   CLOSING  owner and closer. Dispatchers are still hosted, but nothing about them is reported any more.
 *   FENCED   nothing. It neither sends nor answers.
 */
#define SL_DM_STATES(X)                                                     \
    /* name, text, legal next states */                                     \
    X(OPENING, "opening", GO(OPEN) | GO(HOLLOW) | GO(CLOSING) | GO(FENCED)) \
    X(OPEN, "open", GO(CLOSING) | GO(FENCED))                               \
    X(HOLLOW, "hollow", GO(FENCED))                                         \
    X(CLOSING, "closing", GO(FENCED))                                       \
    X(FENCED, "fenced", 0u)

enum sl_dm_state {
#define SL_DM_ENUM(name, text, next) SL_DM_##name,
    SL_DM_STATES(SL_DM_ENUM)
#undef SL_DM_ENUM
        SL_DM_STATE_COUNT
};

/* The maintainer that owns a DM. The id outlives the ref: it decides who may own the same epoch again. */
struct sl_owner {
    struct sl_node_id id;
    sl_node_ref node; /* SL_NODE_NONE once it left the membership: then nothing is sent */
    uint64_t epoch;
};

/* Who asked last for the DM to be closed, so that it can be told without asking again. */
struct sl_closer {
    sl_node_ref node;
    uint64_t epoch;
    bool knows_outcome; /* SL_CAP_CLOSE_OUTCOME */
};

/* The table trigger a bootstrap request asks for; id none: none. */
struct sl_trigger {
    struct sl_dispatcher_id id;
    sl_ts start_ts;
    uint32_t keyspace_id;
};

struct sl_watermark {
    sl_ts checkpoint, resolved; /* SL_TS_MAX without dispatchers */
    uint64_t seq;
};

/* The largest age reported in this window and the one before: between reports it shall not look as if there were none. */
#define SL_DM_LAG_WINDOW_NS (500 * SL_MS)
struct sl_dm_lag {
    sl_ns worst_ns, before_ns;
    sl_ns turn_at; /* end of this window */
};

#define SL_DM_ERROR_CODE_MAX 64
#define SL_DM_ERROR_TEXT_MAX 256

/* The first error since the owner took over; sent until the owner changes or the DM closes. */
struct sl_dm_error {
    char code[SL_DM_ERROR_CODE_MAX], text[SL_DM_ERROR_TEXT_MAX];
};

struct sl_dm {
    struct sl_feed_id feed;
    struct sl_owner owner;
    struct sl_closer closer;
    struct sl_trigger trigger;     /* the wanted one while OPENING, then the one in trigger_handle */
    struct sl_dm_error error;      /* when has_error */
    struct sl_list quiet, changed; /* each dispatcher is in one of them; changed: a status is to be sent */
    struct sl_heap lagging;        /* by checkpoint: every dispatcher that is not covered by progress */
    sl_ts progress, resolved;      /* of the followers, as the data plane said last */
    struct sl_dm_lag lag;
    struct sl_copy_progress copy; /* as the data plane said last */
    uint64_t seq;                 /* grows with each new dispatcher (D5) */
    struct sl_watermark sent;     /* the last one */
    sl_ns status_at, heartbeat_at, sweep_at, error_at;
    struct sl_block_wait *blocks; /* dispatchers in front of a schema change: block.h */
    uint32_t block_count, block_cap;
    sl_ns block_at;          /* next time to say something of them; SL_NEVER */
    uint32_t sweep_next;     /* full status list: the next dispatcher of quiet */
    uint32_t handle;         /* its own */
    uint32_t generation;     /* of the token */
    uint32_t due_position;   /* in the orchestrator's heap of deadlines */
    uint32_t trigger_handle; /* the table trigger; 0 = none */
    uint8_t state;           /* enum sl_dm_state */
    bool was_open;           /* the sink was opened: it is gone only with FEED_CLOSED */
    bool removed;            /* the feed was removed for good: sticky */
    bool has_error;
    bool sweeping; /* a full status list is under way */
};

struct sl_orchestrator {
    struct sl_orchestrator_opts opts;
    struct sl_slab dms, dispatchers;
    struct sl_map feed_index, dispatcher_index;
    struct sl_heap due; /* every DM by its deadline */
    struct sl_tombstones tombstones;
    struct sl_floors floors;
    struct sl_arena scratch; /* of the message being built */
    sl_ns now;               /* of the last step */
    uint64_t insert_seq;     /* dispatchers ever made */
    uint32_t generation;     /* last one given out */
    uint32_t hosted_count;   /* dispatchers that may still write */
    uint32_t fence_next;     /* the last DM fenced, while is_fencing */
    uint32_t readers;
    uint64_t unflushed_rows;
    enum sl_liveness liveness;
    bool is_fenced, is_fencing;
};

/* The message being built: a bootstrap response may name every dispatcher, twice. */
#define SL_DISPATCH_SCRATCH_BYTES_PER_DISPATCHER 512u
#define SL_DISPATCH_CAPABILITIES (SL_CAP_EXT_REPORTS | SL_CAP_CLOSE_OUTCOME)

/* ---- dm.c: the table of DMs, ownership ---- */

void sl__dms_init(struct sl_orchestrator *o);
void sl__dms_deinit(struct sl_orchestrator *o);
struct sl_dm *sl__dm_find(const struct sl_orchestrator *o, const struct sl_feed_id *feed); /* or null */
struct sl_dm *sl__dm_of_token(const struct sl_orchestrator *o, sl_feed_token token);       /* or null */
sl_feed_token sl__dm_token(const struct sl_dm *dm);
/* Names this opening of the feed on this node for maintainers: larger than that of any DM before, over restarts too. */
uint64_t sl__dm_incarnation(const struct sl_orchestrator *o, const struct sl_dm *dm);
/* Never 0; tells tokens of a reused slot apart. */
static inline uint32_t sl__next_generation(struct sl_orchestrator *o)
{
    return o->generation = o->generation == UINT32_MAX ? 1 : o->generation + 1;
}
/* Null at feed_count_max or without memory. */
struct sl_dm *sl__dm_new(struct sl_orchestrator *o, const struct sl_feed_id *feed, enum sl_dm_state state);
/* With all its dispatchers, whatever they do. */
void sl__dm_free(struct sl_orchestrator *o, struct sl_dm *dm);
void sl__dm_go(struct sl_dm *dm, enum sl_dm_state to);

/*
 * The owner rule (reference behaviour). Become: epoch 0 only if the DM's is 0; otherwise not a smaller one, and an
 * equal one only from the same node. Use: epoch and node are the owner's. Neither changes anything.
 */
enum sl_refusal sl__dm_may_become(const struct sl_orchestrator *o, const struct sl_dm *dm, sl_node_ref from,
                                  uint64_t epoch);
enum sl_refusal sl__dm_may_use(const struct sl_dm *dm, sl_node_ref from, uint64_t epoch);
/* After sl__dm_may_become. An owner that is new hears nothing of the old one's errors. */
void sl__dm_take(struct sl_orchestrator *o, struct sl_dm *dm, sl_node_ref from, uint64_t epoch, struct sl_outbox *out);
void sl__dm_set_error(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_str code, struct sl_str text);
/* Enters the DM's next deadline into the heap. After every change of a DM. */
void sl__dm_arm(struct sl_orchestrator *o, struct sl_dm *dm);
/* The invariants that cost O(1). */
void sl__dm_check(const struct sl_orchestrator *o, const struct sl_dm *dm);

/* ---- dispatchers.c: the table of dispatchers, the watermark ---- */

void sl__dispatchers_init(struct sl_orchestrator *o);
void sl__dispatchers_deinit(struct sl_orchestrator *o);
/* The handle, or 0. */
uint32_t sl__dm_find_dispatcher(const struct sl_orchestrator *o, const struct sl_dm *dm, struct sl_dispatcher_id id);
uint32_t sl__dispatcher_of_token(const struct sl_orchestrator *o, sl_dispatcher_token token);
sl_dispatcher_token sl__dispatcher_token(const struct sl_dispatcher *d, uint32_t handle);
static inline struct sl_dispatcher *sl__dispatcher_at(const struct sl_orchestrator *o, uint32_t handle)
{
    return sl_slab_at(&o->dispatchers, handle);
}
/* Makes a dispatcher and commands the data plane to open it. command: all of OPEN but verb and tokens. SL_NOMEM,
 * SL_LIMIT: nothing happened. */
SL_CHECKED enum sl_code sl__dm_open_dispatcher(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_command *command,
                                               struct sl_outbox *out);
/* The one setter of a dispatcher's state. */
void sl__dispatcher_go(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, enum sl_dispatcher_state to,
                       struct sl_outbox *out);
/* Takes over what the data plane said; a checkpoint never goes back. Cannot fail. */
void sl__dispatcher_advance(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, sl_ts checkpoint,
                            bool follows);
/* A status of it is to be sent. */
void sl__dispatcher_touch(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle);
/* Its status was sent: quiet again, or freed if it has stopped. */
void sl__dispatcher_settle(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle);
bool sl__dispatcher_is_hosted(const struct sl_dispatcher *d); /* it may still write */
/* The maintainer knows that a FAILED one has ended: CLOSED, and freed after one more Stopped status. */
void sl__dispatcher_dismiss(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, struct sl_outbox *out);
/* A follower is where its feed is. */
sl_ts sl__dm_checkpoint_of(const struct sl_dm *dm, const struct sl_dispatcher *d);
uint32_t sl__dm_dispatcher_count(const struct sl_dm *dm);
uint32_t sl__dm_next_dispatcher(const struct sl_orchestrator *o, const struct sl_dm *dm,
                                uint32_t handle); /* 0 = start, end */
void sl__dm_free_dispatchers(struct sl_orchestrator *o, struct sl_dm *dm);
struct sl_watermark sl__dm_watermark(struct sl_orchestrator *o, struct sl_dm *dm);

/* ---- report.c: what the data plane says ---- */

/* Age of the oldest change that was read for this feed here and is not durable, rounded up; 0 = none, or not known. */
uint64_t sl__dm_lag_ms(const struct sl_orchestrator *o, const struct sl_dm *dm);

/* ---- heartbeat.c: statuses to the owner ---- */

/* Sends what is due, a bounded number of messages; arms. */
void sl__dm_run(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out);
/* At the end of a step that touched the DM: a full message leaves at once; arms and checks. */
void sl__dm_finish(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out);

/* One status at once, in a message of its own, for ids that are no dispatcher of an open DM. dm may be null. */
struct sl_answer {
    const struct sl_feed_id *feed;
    sl_node_ref to;
    uint64_t epoch;
    struct sl_dispatcher_id id;
    Pb__ComponentState state;
    sl_ts checkpoint;
    uint64_t placement_seq;
};
void sl__dm_answer(struct sl_orchestrator *o, struct sl_dm *dm, const struct sl_answer *answer, struct sl_outbox *out);
/* An error as it travels; the strings are valid as long as those given. */
Pb__RunningError sl__error_pb(const struct sl_orchestrator *o, const char *code, const char *text);

/* ---- snapshot.c: answers to bootstrap requests ---- */

/* The trigger that counts, or null: one that is on its way out belongs to nobody any more. */
const struct sl_dispatcher *sl__dm_trigger(const struct sl_orchestrator *o, const struct sl_dm *dm);
/* To the owner: all that runs here, or the error that it does not fit into one message. */
void sl__bootstrap_respond(struct sl_orchestrator *o, const struct sl_dm *dm, struct sl_outbox *out);
void sl__bootstrap_respond_error(struct sl_orchestrator *o, const struct sl_feed_id *feed, sl_node_ref to,
                                 uint64_t epoch, const char *code, const char *text, struct sl_outbox *out);

/* ---- the messages and reports ---- */

enum sl_refusal sl__on_bootstrap(struct sl_orchestrator *o, sl_node_ref from, const struct sl_feed_id *feed,
                                 const Pb__MaintainerBootstrapRequest *request, struct sl_outbox *out);
enum sl_refusal sl__on_post_bootstrap(struct sl_orchestrator *o, sl_node_ref from, const struct sl_feed_id *feed,
                                      const Pb__MaintainerPostBootstrapRequest *request, struct sl_outbox *out);
enum sl_refusal sl__on_schedule(struct sl_orchestrator *o, sl_node_ref from, const struct sl_feed_id *feed,
                                const Pb__ScheduleDispatcherRequest *request, struct sl_outbox *out);
enum sl_refusal sl__on_close(struct sl_orchestrator *o, sl_node_ref from, const struct sl_feed_id *feed,
                             const Pb__MaintainerCloseRequest *request, struct sl_outbox *out);
void sl__on_report(struct sl_orchestrator *o, const struct sl_report *report, struct sl_outbox *out);
void sl__on_feed_opened(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out);
void sl__on_feed_failed(struct sl_orchestrator *o, struct sl_dm *dm, const struct sl_report *report,
                        struct sl_outbox *out);
void sl__on_feed_closed(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out);

#endif
