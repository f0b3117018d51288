/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "port/store_model_internal.h"

#include <string.h>

struct model_blob *sl__model_blob_new(struct sl_store_model *m, const void *bytes, size_t size)
{
    if (size > UINT32_MAX)
        return NULL;
    struct model_blob *blob = sl_mem_alloc(m->opts.mem, SL_TAG_STORE, sizeof *blob + size);
    if (!blob)
        return NULL;
    blob->refs = 1;
    blob->size = (uint32_t)size;
    if (size > 0)
        memcpy(blob->bytes, bytes, size);
    return blob;
}

struct model_blob *sl__model_blob_ref(struct model_blob *blob)
{
    if (blob)
        blob->refs++;
    return blob;
}

void sl__model_blob_unref(struct sl_store_model *m, struct model_blob *blob)
{
    if (blob && --blob->refs == 0)
        sl_mem_free(m->opts.mem, SL_TAG_STORE, blob, sizeof *blob + blob->size);
}

/* ---- keys ---- */

struct sl_str sl__model_key_str(const struct model_key *k)
{
    return (struct sl_str){ (const char *)k->key->bytes, k->key->size };
}

bool sl__model_has_prefix(struct sl_str key, struct sl_str prefix)
{
    return key.len >= prefix.len && (prefix.len == 0 || memcmp(key.ptr, prefix.ptr, prefix.len) == 0);
}

struct sl_store_pair sl__model_pair(const struct model_key *k)
{
    return (struct sl_store_pair){ .key = sl__model_key_str(k),
                                   .value = { k->value->bytes, k->value->size },
                                   .create_revision = k->create_revision,
                                   .mod_revision = k->mod_revision,
                                   .lease = k->lease };
}

uint32_t sl__model_key_at(const struct sl_store_model *m, struct sl_str key, bool *found)
{
    uint32_t low = 0, high = m->key_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sl_str_cmp(sl__model_key_str(&m->keys[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < m->key_count && sl_str_eq(sl__model_key_str(&m->keys[low]), key);
    return low;
}

bool sl__model_reserve(struct sl_store_model *m, uint32_t count)
{
    if (count > m->opts.key_count_max - m->key_count)
        return false;
    uint32_t wanted = m->key_count + count;
    if (wanted <= m->key_cap)
        return true;
    uint32_t cap = sl_u32_max(wanted, m->key_cap * 2);
    struct model_key *keys =
        sl_mem_resize(m->opts.mem, SL_TAG_STORE, m->keys, m->key_cap * sizeof *keys, (size_t)cap * sizeof *keys);
    if (!keys)
        return false;
    m->keys = keys;
    m->key_cap = cap;
    return true;
}

static void model_unref_key(struct sl_store_model *m, const struct model_key *k)
{
    sl__model_blob_unref(m, k->key);
    sl__model_blob_unref(m, k->value);
}

/* ---- history ---- */

struct model_change *sl__model_history(const struct sl_store_model *m, uint32_t index)
{
    return &m->history[(m->history_first + index) % m->opts.history_count_max];
}

void sl__model_history_drop(struct sl_store_model *m, sl_revision before)
{
    while (m->history_count > 0 && sl__model_history(m, 0)->after.mod_revision < before) {
        model_unref_key(m, &sl__model_history(m, 0)->after);
        m->history_first = (m->history_first + 1) % m->opts.history_count_max;
        m->history_count--;
    }
    m->compacted = before > m->compacted ? before : m->compacted;
}

/*
 * Takes over the references of k. A revision with more changes than history can hold loses its first ones: then it is
 * compacted as a whole, and the rest of it is not kept either.
 */
static void model_record(struct sl_store_model *m, const struct model_key *k, bool deleted)
{
    if (m->history_count == m->opts.history_count_max)
        sl__model_history_drop(m, sl__model_history(m, 0)->after.mod_revision + 1);
    if (m->revision < m->compacted)
        model_unref_key(m, k);
    else
        *sl__model_history(m, m->history_count++) = (struct model_change){ .deleted = deleted, .after = *k };
}

void sl__model_put(struct sl_store_model *m, struct model_blob *key, struct model_blob *value, sl_lease_id lease)
{
    bool found = false;
    uint32_t at = sl__model_key_at(m, (struct sl_str){ (const char *)key->bytes, key->size }, &found);
    struct model_key *k = &m->keys[at];
    if (found) {
        model_unref_key(m, k);
    } else {
        SL_REQUIRE(m->key_count < m->key_cap);
        memmove(k + 1, k, (m->key_count - at) * sizeof *k);
        m->key_count++;
        k->create_revision = m->revision;
    }
    k->key = key;
    k->value = value;
    k->mod_revision = m->revision;
    k->lease = lease;
    sl__model_blob_ref(key);
    sl__model_blob_ref(value);
    model_record(m, k, false);
}

void sl__model_delete(struct sl_store_model *m, uint32_t at)
{
    struct model_key *k = &m->keys[at];
    struct model_key after = { .key = k->key, .mod_revision = m->revision };
    sl__model_blob_unref(m, k->value);
    model_record(m, &after, true);
    m->key_count--;
    memmove(k, k + 1, (m->key_count - at) * sizeof *k);
}

/* ---- leases ---- */

struct model_lease *sl__model_lease(const struct sl_store_model *m, sl_lease_id id)
{
    for (uint32_t i = 0; i < m->lease_count; i++) {
        if (m->leases[i].id == id)
            return &m->leases[i];
    }
    return NULL;
}

void sl__model_lease_end(struct sl_store_model *m, struct model_lease *lease)
{
    sl_lease_id id = lease->id;
    size_t after = (size_t)(&m->leases[m->lease_count] - lease) - 1;
    memmove(lease, lease + 1, after * sizeof *lease);
    m->lease_count--;
    bool changed = false;
    for (uint32_t at = 0; at < m->key_count;) {
        if (m->keys[at].lease != id) {
            at++;
            continue;
        }
        m->revision += changed ? 0 : 1;
        changed = true;
        sl__model_delete(m, at);
    }
}

/* ---- invariants ---- */

static void model_check_keys(const struct sl_store_model *m)
{
    for (uint32_t i = 0; i < m->key_count; i++) {
        const struct model_key *k = &m->keys[i];
        SL_REQUIRE(i == 0 || sl_str_cmp(sl__model_key_str(k - 1), sl__model_key_str(k)) < 0);
        SL_REQUIRE(k->create_revision > 0 && k->create_revision <= k->mod_revision);
        SL_REQUIRE(k->mod_revision <= m->revision);
        SL_REQUIRE(k->lease == 0 || sl__model_lease(m, k->lease) != NULL);
    }
}

void sl_store_model_check(const struct sl_store_model *m)
{
    model_check_keys(m);
    SL_REQUIRE(m->history_count <= m->opts.history_count_max);
    for (uint32_t i = 0; i < m->history_count; i++) {
        sl_revision revision = sl__model_history(m, i)->after.mod_revision;
        SL_REQUIRE(revision >= m->compacted && revision <= m->revision);
        SL_REQUIRE(i == 0 || sl__model_history(m, i - 1)->after.mod_revision <= revision);
    }
    SL_REQUIRE(m->compacted <= m->revision + 1);
}
