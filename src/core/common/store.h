/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_STORE_H
#define SL_CORE_COMMON_STORE_H

#include "base/err.h"
#include "base/str.h"
#include "base/units.h"

#include <stdbool.h>

/*
 * The metadata store as the core sees it: operations out, results in, plain data both ways. The semantics are those of
 * etcd: one revision counter for the whole store; each key has a create and a mod revision and may hang on a lease; a
 * transaction compares, then does one of two lists of actions, atomically; a watch delivers every change from a
 * revision on, in order.
 *
 * Whoever performs operations (src/port/store.h) answers each exactly once, in any order. Two answers need care:
 *   SL_STORE_UNKNOWN    the operation may or may not have happened: read again, never blindly repeat
 *   SL_STORE_COMPACTED  the revision asked for is gone: read the present state and watch from there
 */
typedef uint64_t sl_op_id;    /* chosen by the core, unique in the life of a node; 0 = none */
typedef int64_t sl_revision;  /* of the store; 0 = before everything */
typedef uint64_t sl_lease_id; /* 0 = none */

enum sl_store_verb {
    SL_STORE_RANGE,     /* keys that start with "key" (or exactly it) */
    SL_STORE_TXN,       /* compares; all hold -> then, else -> otherwise */
    SL_STORE_GRANT,     /* a lease of ttl_ns; the store chooses the id */
    SL_STORE_KEEPALIVE, /* lease; SL_STORE_LEASE_GONE if it is gone */
    SL_STORE_REVOKE,    /* lease; deletes what hangs on it */
    SL_STORE_WATCH,     /* changes of keys that start with "key", from from_revision on; one result when it stands, then
                           batches */
    SL_STORE_UNWATCH,   /* the watch whose op id is "watch"; no batch of it comes after the result */
};

enum sl_compare_kind { SL_COMPARE_MOD_REVISION, SL_COMPARE_CREATE_REVISION, SL_COMPARE_VALUE }; /* all: equal */
struct sl_store_compare {
    enum sl_compare_kind kind;
    struct sl_str key;
    sl_revision revision; /* 0 = the key does not exist */
    struct sl_bytes value;
};

enum sl_action_kind { SL_ACTION_PUT, SL_ACTION_DELETE };
struct sl_store_action {
    enum sl_action_kind kind;
    struct sl_str key;
    struct sl_bytes value;
    sl_lease_id lease; /* PUT */
};

/* A list of actions names a key at most once. */
#define SL_STORE_COMPARES_MAX 128
#define SL_STORE_ACTIONS_MAX 128

struct sl_store_op {
    sl_op_id id;
    enum sl_store_verb verb;
    bool critical;             /* elections, epochs, intents: must survive a power cut when answered OK */
    struct sl_str key;         /* RANGE, WATCH */
    bool exact;                /* RANGE: the key itself, not the prefix */
    sl_revision from_revision; /* WATCH: first revision wanted; 0 = what comes after the watch stands */
    sl_op_id watch;            /* UNWATCH */
    sl_lease_id lease;         /* KEEPALIVE, REVOKE */
    sl_ns ttl_ns;              /* GRANT */
    const struct sl_store_compare *compares;
    const struct sl_store_action *then, *otherwise;
    uint32_t compare_count, then_count, otherwise_count;
};

enum sl_store_outcome {
    SL_STORE_OK,         /* RANGE: pairs. TXN: succeeded says which list was done. GRANT: lease. */
    SL_STORE_REFUSED,    /* certainly not done: no connection, store says no; try later */
    SL_STORE_UNKNOWN,    /* may have been done */
    SL_STORE_COMPACTED,  /* compacted_revision: nothing before it is known */
    SL_STORE_LEASE_GONE, /* KEEPALIVE or REVOKE of, or PUT on, a lease that is no more; a TXN has done nothing */
};

struct sl_store_pair {
    struct sl_str key;
    struct sl_bytes value;
    sl_revision create_revision, mod_revision;
    sl_lease_id lease;
};

struct sl_store_result {
    sl_op_id id;
    enum sl_store_verb verb;
    enum sl_store_outcome outcome;
    sl_revision revision; /* of the store when it answered */
    bool succeeded;       /* TXN */
    sl_lease_id lease;    /* GRANT */
    sl_ns ttl_ns;         /* GRANT, KEEPALIVE: what is left, counted from the moment the request was sent */
    sl_revision compacted_revision;
    const struct sl_store_pair *pairs; /* RANGE: ascending by key; valid during the call */
    uint32_t pair_count;
};

struct sl_store_event {
    bool deleted;              /* then only key and mod_revision are set */
    struct sl_store_pair pair; /* after the change */
};

/* A batch of one watch: complete up to revision. ended: the watch is gone (with COMPACTED: its start was; else the
 * connection was). */
struct sl_store_watch_batch {
    sl_op_id watch;
    sl_revision revision;
    const struct sl_store_event *events;
    uint32_t event_count;
    bool ended;
    enum sl_store_outcome why; /* when ended */
    sl_revision compacted_revision;
};

/*
 * Deep copies, for whoever keeps plain data longer than the call that brought it: bytes says how much memory the copy
 * needs beside *out, copy fills it. memory is aligned to 8 and may be null when bytes is 0; *out is valid as long as
 * it.
 */
size_t sl_store_op_bytes(const struct sl_store_op *op);
void sl_store_op_copy(struct sl_store_op *out, const struct sl_store_op *op, void *memory);
size_t sl_store_result_bytes(const struct sl_store_result *r);
void sl_store_result_copy(struct sl_store_result *out, const struct sl_store_result *r, void *memory);
size_t sl_store_batch_bytes(const struct sl_store_watch_batch *b);
void sl_store_batch_copy(struct sl_store_watch_batch *out, const struct sl_store_watch_batch *b, void *memory);

#endif
