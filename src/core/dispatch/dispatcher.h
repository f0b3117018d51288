/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_DISPATCH_DISPATCHER_H
#define SL_CORE_DISPATCH_DISPATCHER_H

#include "base/list.h"
#include "core/common/data_plane.h"

/*
 * A dispatcher: the running replication of one span, as the control plane of its node sees it.
 *
 *    Create, bootstrap           READY              Remove           CLOSED, FAILED
 *   -------------------> OPENING ------> WORKING ------------> CLOSING ---------> CLOSED
 *                           |  |            |                   ^                   ^
 *                           |  +------------)---- Remove -------+                   |
 *                           +---------------+------> FAILED ------------------------+
 *                                  ends unasked                Remove, newer Create
 *
 *   -> OPENING           sl__dm_open_dispatcher     (dispatchers.c)
 *   -> WORKING           dispatch_on_ready          (report.c)
 *   -> CLOSING           schedule_begin_close       (schedule.c)
 *   -> FAILED            dispatch_on_end            (report.c)
 *   -> CLOSED            dispatch_on_end            (report.c), sl__dispatcher_dismiss (dispatchers.c); the entry is freed
 *                                                   once its Stopped status was sent
 *
 * Per state, what may be trusted:
 *   OPENING  id, span and placement. checkpoint = start ts: nothing after it needs to be durable yet.
 *   WORKING  everything up to the checkpoint is durable; that of a follower moves with the feed's progress.
 *   CLOSING  as WORKING; it may write until CLOSED, so it counts in the watermark and as hosted.
 *   CLOSED   the checkpoint is final, and nothing after it is or will be written.
 *   FAILED   as CLOSED; the feed's error says why. Nobody asked for the end, so nobody may know of it: one lost status, and
 *            a watermark without this dispatcher would speak for what it never wrote. The entry stays, is reported again
 *            and again, and holds the watermark until the maintainer answers. The table trigger needs none of this and is
 *            CLOSED at once: its maintainer lives in the same process.
 *
 * The wire knows three more states (Preparing, MergeReady, WaitingMerge), which only merges and standbys have.
 */
#define SL_DISPATCHER_STATES(X)                                                              \
    /* name, state on the wire, text, legal next states */                                   \
    X(OPENING, INITIALIZING, "opening", GO(WORKING) | GO(CLOSING) | GO(CLOSED) | GO(FAILED)) \
    X(WORKING, WORKING, "working", GO(CLOSING) | GO(CLOSED) | GO(FAILED))                    \
    X(CLOSING, WORKING, "closing", GO(CLOSED))                                               \
    X(FAILED, STOPPED, "failed", GO(CLOSED))                                                 \
    X(CLOSED, STOPPED, "closed", 0u)

enum sl_dispatcher_state {
#define SL_DISPATCHER_ENUM(name, wire, text, next) SL_DISPATCHER_##name,
    SL_DISPATCHER_STATES(SL_DISPATCHER_ENUM)
#undef SL_DISPATCHER_ENUM
        SL_DISPATCHER_STATE_COUNT
};

bool sl__dispatcher_may_go(enum sl_dispatcher_state from, enum sl_dispatcher_state to);
const char *sl__dispatcher_state_name(enum sl_dispatcher_state state);
/* CLOSING travels as Working: to a maintainer only Stopped and Removed mean that the span is free. */
Pb__ComponentState sl__dispatcher_state_pb(enum sl_dispatcher_state state);

/* The keys of a key range behind one pointer, because most spans of Sluice peers are whole tables and have none. */
struct sl_dispatcher_keys {
    uint32_t start_len, end_len;
    uint8_t bytes[]; /* start, then end */
};

/*
 * A node may have two million of these: every byte counts. What only one request needs (names, start ts, the
 * placement's epoch) is handed on with the OPEN command and not kept.
 */
struct sl_dispatcher {
    struct sl_dispatcher_id id;
    sl_ts checkpoint; /* its own; see sl__dm_checkpoint_of */
    int64_t table_id, schema_id;
    uint64_t placement_seq;
    uint64_t request_epoch;          /* of the maintainer whose Create, then Remove, was accepted last */
    struct sl_dispatcher_keys *keys; /* may be null */
    struct sl_link link;             /* in its manager's quiet or changed list */
    uint32_t lagging_position;       /* in its manager's heap, or SL_HEAP_NOWHERE */
    uint32_t generation;             /* of the token */
    uint32_t dm;                     /* handle of its manager */
    uint32_t keyspace_id;
    uint8_t state;       /* enum sl_dispatcher_state */
    uint8_t remove_type; /* Pb__OperatorType of the Remove, while CLOSING */
    bool follows;        /* one FEED_PROGRESS moves it with all other followers */
    bool is_changed;     /* in the changed list: a status of it is to be sent */
};

/* A view of the keys; both empty for a whole table. */
struct sl_span_key sl__dispatcher_span(const struct sl_dispatcher *d);

#endif
