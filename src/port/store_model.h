/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_STORE_MODEL_H
#define SL_PORT_STORE_MODEL_H

#include "base/mem.h"
#include "port/store.h"

/*
 * The metadata store in memory: what core/common/store.h promises, exactly, and nothing else. Pure and deterministic:
 * time is an argument, lease ids come from the seed. The simulator's store and the yardstick of the real backends.
 *
 * Invariants (sl_store_model_check, too slow for every operation):
 *   K1  keys are ascending and unique; 0 < create_revision <= mod_revision <= revision; a key's lease is live.
 *   K2  history is ascending by revision and whole from the compacted revision on; at most history_count_max changes,
 *       beyond that the oldest revisions are compacted away.
 *   K3  an operation that changes something is one revision; one that changes nothing is none.
 */
struct sl_store_model_opts {
    struct sl_mem *mem;
    uint64_t seed; /* of lease ids */
    uint32_t key_count_max, history_count_max, lease_count_max;
};
#define SL_STORE_MODEL_OPTS_DEFAULT \
    ((struct sl_store_model_opts){ .key_count_max = 1u << 20, .history_count_max = 4096, .lease_count_max = 4096 })

struct sl_store_model;

SL_CHECKED enum sl_code sl_store_model_new(struct sl_store_model **out, const struct sl_store_model_opts *opts);
void sl_store_model_free(struct sl_store_model *m); /* null allowed */

/*
 * Performs any operation at this time (which never decreases); leases that are due end before it. The result's
 * pointers are valid until the next call. A WATCH is only answered: whoever keeps the watch reads its changes.
 * REFUSED, nothing changed: no memory, a limit, or a list that names a key twice.
 */
void sl_store_model_perform(struct sl_store_model *m, sl_ns now, const struct sl_store_op *op,
                            struct sl_store_result *result);

/*
 * All changes of keys with this prefix from a revision on, up to now; the batch's watch is left 0. An ended batch if
 * the revision is compacted. Pointers are valid until the next call. False: no memory, try again.
 */
SL_CHECKED bool sl_store_model_changes(struct sl_store_model *m, struct sl_str prefix, sl_revision from,
                                       struct sl_store_watch_batch *batch);

/* Ends the leases that are due. */
void sl_store_model_advance(struct sl_store_model *m, sl_ns now);
/* When the next lease ends; SL_NEVER. */
sl_ns sl_store_model_deadline(const struct sl_store_model *m);
/* What a new leader of the store does: no lease ends before its whole ttl from now. */
void sl_store_model_extend_leases(struct sl_store_model *m, sl_ns now);

/* Forgets the changes before this revision; no effect if it is not after the compacted one or is in the future. */
void sl_store_model_compact(struct sl_store_model *m, sl_revision revision);
sl_revision sl_store_model_compacted(const struct sl_store_model *m);
sl_revision sl_store_model_revision(const struct sl_store_model *m);

/* For oracles and tests. False: there is no such key. Valid until the next call. */
bool sl_store_model_get(const struct sl_store_model *m, struct sl_str key, struct sl_store_pair *pair);
bool sl_store_model_has_lease(const struct sl_store_model *m, sl_lease_id lease);
uint32_t sl_store_model_key_count(const struct sl_store_model *m);
void sl_store_model_check(const struct sl_store_model *m); /* aborts if an invariant does not hold */

/* ---- a connection to it, as the port wants it: operations are performed by run, in the order of their submit ---- */
struct sl_store_model_client;

SL_CHECKED enum sl_code sl_store_model_client_new(struct sl_store_model_client **out, struct sl_store_model *m,
                                                  struct sl_mem *mem, const struct sl_store_client *client);
void sl_store_model_client_free(struct sl_store_model_client *c); /* also without close; null allowed */
struct sl_store *sl_store_model_client_store(struct sl_store_model_client *c);
/* Performs what was submitted, also by the client meanwhile, and delivers what watches see. */
void sl_store_model_client_run(struct sl_store_model_client *c, sl_ns now);

#endif
