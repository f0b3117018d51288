/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_PORT_STORE_MODEL_INTERNAL_H
#define SL_PORT_STORE_MODEL_INTERNAL_H

#include "port/store_model.h"

/* Bytes shared by a key and its history. */
struct model_blob {
    uint32_t refs, size;
    uint8_t bytes[];
};

struct model_key { /* the present state of one key */
    struct model_blob *key, *value;
    sl_revision create_revision, mod_revision;
    sl_lease_id lease;
};

struct model_change {
    bool deleted; /* then value is null */
    struct model_key after;
};

struct model_lease {
    sl_lease_id id;
    sl_ns ttl_ns, ends_at;
};

struct sl_store_model {
    struct sl_store_model_opts opts;
    sl_ns now;
    sl_revision revision, compacted;
    struct model_key *keys; /* ascending */
    uint32_t key_count, key_cap;
    struct model_change *history; /* a ring of opts.history_count_max */
    uint32_t history_first, history_count;
    struct model_lease *leases; /* in the order of their grants */
    uint32_t lease_count;
    uint64_t lease_seq;
    struct sl_store_pair *pairs; /* of the last RANGE */
    uint32_t pair_cap;
    struct sl_store_event *events; /* of the last changes */
    uint32_t event_cap;
};

/* A blob with one reference, or null without memory. */
struct model_blob *sl__model_blob_new(struct sl_store_model *m, const void *bytes, size_t size);
struct model_blob *sl__model_blob_ref(struct model_blob *blob); /* null allowed, and below */
void sl__model_blob_unref(struct sl_store_model *m, struct model_blob *blob);

/* Where the key is, or would be. */
uint32_t sl__model_key_at(const struct sl_store_model *m, struct sl_str key, bool *found);
struct sl_str sl__model_key_str(const struct model_key *k);
struct sl_store_pair sl__model_pair(const struct model_key *k);
bool sl__model_has_prefix(struct sl_str key, struct sl_str prefix);

/* Room for count more keys. False: nothing changed. */
bool sl__model_reserve(struct sl_store_model *m, uint32_t count);
/* Writes at m->revision; takes over both references. There is room. */
void sl__model_put(struct sl_store_model *m, struct model_blob *key, struct model_blob *value, sl_lease_id lease);
/* Deletes the key at this place, at m->revision. */
void sl__model_delete(struct sl_store_model *m, uint32_t at);

struct model_change *sl__model_history(const struct sl_store_model *m, uint32_t index); /* 0 = oldest */
void sl__model_history_drop(struct sl_store_model *m, sl_revision before);

struct model_lease *sl__model_lease(const struct sl_store_model *m, sl_lease_id id); /* or null */
/* Its keys go with it, in one revision. */
void sl__model_lease_end(struct sl_store_model *m, struct model_lease *lease);

#endif
