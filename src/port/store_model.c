/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "port/store_model_internal.h"

#include <string.h>

enum sl_code sl_store_model_new(struct sl_store_model **out, const struct sl_store_model_opts *opts)
{
    SL_REQUIRE(opts->history_count_max > 0 && opts->lease_count_max > 0);
    *out = NULL;
    struct sl_store_model *m = sl_mem_alloc(opts->mem, SL_TAG_STORE, sizeof *m);
    if (!m)
        return SL_NOMEM;
    m->opts = *opts;
    m->now = INT64_MIN;
    m->history = sl_mem_alloc(opts->mem, SL_TAG_STORE, opts->history_count_max * sizeof *m->history);
    m->leases = sl_mem_alloc(opts->mem, SL_TAG_STORE, opts->lease_count_max * sizeof *m->leases);
    if (!m->history || !m->leases) {
        sl_store_model_free(m);
        return SL_NOMEM;
    }
    *out = m;
    return SL_OK;
}

void sl_store_model_free(struct sl_store_model *m)
{
    if (!m)
        return;
    struct sl_mem *mem = m->opts.mem;
    for (uint32_t i = 0; i < m->key_count; i++) {
        sl__model_blob_unref(m, m->keys[i].key);
        sl__model_blob_unref(m, m->keys[i].value);
    }
    sl__model_history_drop(m, INT64_MAX);
    sl_mem_free(mem, SL_TAG_STORE, m->keys, m->key_cap * sizeof *m->keys);
    sl_mem_free(mem, SL_TAG_STORE, m->history, m->opts.history_count_max * sizeof *m->history);
    sl_mem_free(mem, SL_TAG_STORE, m->leases, m->opts.lease_count_max * sizeof *m->leases);
    sl_mem_free(mem, SL_TAG_STORE, m->pairs, m->pair_cap * sizeof *m->pairs);
    sl_mem_free(mem, SL_TAG_STORE, m->events, m->event_cap * sizeof *m->events);
    sl_mem_free(mem, SL_TAG_STORE, m, sizeof *m);
}

/* Makes a scratch array at least this long. False: it is as it was. */
static bool model_grow(struct sl_store_model *m, void **array, uint32_t *cap, uint32_t wanted, size_t item_size)
{
    if (wanted <= *cap)
        return true;
    uint32_t larger = sl_u32_max(wanted, *cap * 2);
    void *grown = sl_mem_resize(m->opts.mem, SL_TAG_STORE, *array, *cap * item_size, larger * item_size);
    if (!grown)
        return false;
    *array = grown;
    *cap = larger;
    return true;
}

/* ---- time ---- */

static struct model_lease *model_first_to_end(const struct sl_store_model *m)
{
    struct model_lease *first = NULL;
    for (uint32_t i = 0; i < m->lease_count; i++) {
        if (!first || m->leases[i].ends_at < first->ends_at)
            first = &m->leases[i];
    }
    return first;
}

void sl_store_model_advance(struct sl_store_model *m, sl_ns now)
{
    SL_REQUIRE(now >= m->now);
    m->now = now;
    struct model_lease *first = model_first_to_end(m);
    while (first && first->ends_at <= now) {
        sl__model_lease_end(m, first);
        first = model_first_to_end(m);
    }
}

sl_ns sl_store_model_deadline(const struct sl_store_model *m)
{
    const struct model_lease *first = model_first_to_end(m);
    return first ? first->ends_at : SL_NEVER;
}

void sl_store_model_extend_leases(struct sl_store_model *m, sl_ns now)
{
    sl_store_model_advance(m, now);
    for (uint32_t i = 0; i < m->lease_count; i++) {
        struct model_lease *lease = &m->leases[i];
        sl_ns whole = sl_ns_after(now, lease->ttl_ns);
        lease->ends_at = whole > lease->ends_at ? whole : lease->ends_at;
    }
}

/* ---- reading ---- */

/* The keys from index *first to before *end have this prefix. */
static void model_range(const struct sl_store_model *m, struct sl_str prefix, uint32_t *first, uint32_t *end)
{
    bool found = false;
    *first = *end = sl__model_key_at(m, prefix, &found);
    while (*end < m->key_count && sl__model_has_prefix(sl__model_key_str(&m->keys[*end]), prefix))
        (*end)++;
}

static enum sl_store_outcome model_read(struct sl_store_model *m, const struct sl_store_op *op,
                                        struct sl_store_result *r)
{
    uint32_t first = 0, end = 0;
    bool found = false;
    if (op->exact) {
        first = sl__model_key_at(m, op->key, &found);
        end = first + (found ? 1 : 0);
    } else {
        model_range(m, op->key, &first, &end);
    }
    void *pairs = m->pairs;
    if (!model_grow(m, &pairs, &m->pair_cap, end - first, sizeof *m->pairs))
        return SL_STORE_REFUSED;
    m->pairs = pairs;
    for (uint32_t i = first; i < end; i++)
        m->pairs[i - first] = sl__model_pair(&m->keys[i]);
    r->pairs = m->pairs;
    r->pair_count = end - first;
    return SL_STORE_OK;
}

bool sl_store_model_get(const struct sl_store_model *m, struct sl_str key, struct sl_store_pair *pair)
{
    bool found = false;
    uint32_t at = sl__model_key_at(m, key, &found);
    *pair = found ? sl__model_pair(&m->keys[at]) : (struct sl_store_pair){ 0 };
    return found;
}

bool sl_store_model_has_lease(const struct sl_store_model *m, sl_lease_id lease)
{
    return sl__model_lease(m, lease) != NULL;
}

uint32_t sl_store_model_key_count(const struct sl_store_model *m)
{
    return m->key_count;
}

/* ---- transactions ---- */

static bool model_compare_holds(const struct sl_store_model *m, const struct sl_store_compare *c)
{
    struct sl_store_pair pair;
    bool exists = sl_store_model_get(m, c->key, &pair);
    switch (c->kind) {
    case SL_COMPARE_MOD_REVISION:
        return pair.mod_revision == c->revision;
    case SL_COMPARE_CREATE_REVISION:
        return pair.create_revision == c->revision;
    case SL_COMPARE_VALUE:
        return exists && sl_bytes_eq(pair.value, c->value);
    }
    SL_UNREACHABLE();
}

static bool model_compares_hold(const struct sl_store_model *m, const struct sl_store_op *op)
{
    for (uint32_t i = 0; i < op->compare_count; i++) {
        if (!model_compare_holds(m, &op->compares[i]))
            return false;
    }
    return true;
}

static bool model_names_a_key_twice(const struct sl_store_action *actions, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = i + 1; j < count; j++) {
            if (sl_str_eq(actions[i].key, actions[j].key))
                return true;
        }
    }
    return false;
}

/* What a transaction needs before anything is changed, so that it is all or nothing. */
struct model_plan {
    struct model_blob *keys[SL_STORE_ACTIONS_MAX], *values[SL_STORE_ACTIONS_MAX]; /* of the puts */
    bool changes;
};

static void model_plan_drop(struct sl_store_model *m, struct model_plan *plan, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        sl__model_blob_unref(m, plan->keys[i]);
        sl__model_blob_unref(m, plan->values[i]);
    }
}

static bool model_plan_action(struct sl_store_model *m, struct model_plan *plan, uint32_t i,
                              const struct sl_store_action *a)
{
    bool found = false;
    uint32_t at = sl__model_key_at(m, a->key, &found);
    plan->changes = plan->changes || found || a->kind == SL_ACTION_PUT;
    if (a->kind == SL_ACTION_DELETE)
        return true;
    plan->keys[i] = found ? sl__model_blob_ref(m->keys[at].key) : sl__model_blob_new(m, a->key.ptr, a->key.len);
    plan->values[i] = sl__model_blob_new(m, a->value.ptr, a->value.len);
    return plan->keys[i] && plan->values[i];
}

static bool model_plan_make(struct sl_store_model *m, struct model_plan *plan, const struct sl_store_action *actions,
                            uint32_t count)
{
    memset(plan, 0, sizeof *plan);
    bool ok = sl__model_reserve(m, count);
    for (uint32_t i = 0; ok && i < count; i++)
        ok = model_plan_action(m, plan, i, &actions[i]);
    if (!ok)
        model_plan_drop(m, plan, count);
    return ok;
}

static void model_apply(struct sl_store_model *m, const struct model_plan *plan, const struct sl_store_action *actions,
                        uint32_t count)
{
    m->revision += plan->changes ? 1 : 0;
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;
        uint32_t at = sl__model_key_at(m, actions[i].key, &found);
        if (actions[i].kind == SL_ACTION_PUT)
            sl__model_put(m, plan->keys[i], plan->values[i], actions[i].lease);
        else if (found)
            sl__model_delete(m, at);
    }
}

static enum sl_store_outcome model_txn(struct sl_store_model *m, const struct sl_store_op *op,
                                       struct sl_store_result *r)
{
    bool holds = model_compares_hold(m, op);
    const struct sl_store_action *actions = holds ? op->then : op->otherwise;
    uint32_t count = holds ? op->then_count : op->otherwise_count;
    struct model_plan plan;
    for (uint32_t i = 0; i < count; i++) {
        if (actions[i].kind == SL_ACTION_PUT && actions[i].lease != 0 && !sl__model_lease(m, actions[i].lease))
            return SL_STORE_LEASE_GONE;
    }
    if (op->compare_count > SL_STORE_COMPARES_MAX || count > SL_STORE_ACTIONS_MAX ||
        model_names_a_key_twice(actions, count) || !model_plan_make(m, &plan, actions, count))
        return SL_STORE_REFUSED;
    model_apply(m, &plan, actions, count);
    r->succeeded = holds;
    return SL_STORE_OK;
}

/* ---- leases ---- */

static enum sl_store_outcome model_grant(struct sl_store_model *m, const struct sl_store_op *op,
                                         struct sl_store_result *r)
{
    if (m->lease_count == m->opts.lease_count_max || op->ttl_ns <= 0)
        return SL_STORE_REFUSED;
    sl_lease_id id = 0;
    while (id == 0 || sl__model_lease(m, id))
        id = sl_prng_at(m->opts.seed, 0, ++m->lease_seq) >> 1; /* positive, as in etcd */
    m->leases[m->lease_count++] = (struct model_lease){ id, op->ttl_ns, sl_ns_after(m->now, op->ttl_ns) };
    r->lease = id;
    r->ttl_ns = op->ttl_ns;
    return SL_STORE_OK;
}

static enum sl_store_outcome model_keepalive(struct sl_store_model *m, const struct sl_store_op *op,
                                             struct sl_store_result *r)
{
    struct model_lease *lease = sl__model_lease(m, op->lease);
    if (!lease)
        return SL_STORE_LEASE_GONE;
    lease->ends_at = sl_ns_after(m->now, lease->ttl_ns);
    r->lease = lease->id;
    r->ttl_ns = lease->ttl_ns;
    return SL_STORE_OK;
}

static enum sl_store_outcome model_revoke(struct sl_store_model *m, const struct sl_store_op *op)
{
    struct model_lease *lease = sl__model_lease(m, op->lease);
    if (!lease)
        return SL_STORE_LEASE_GONE;
    sl__model_lease_end(m, lease);
    return SL_STORE_OK;
}

/* ---- watches ---- */

static enum sl_store_outcome model_watch(const struct sl_store_model *m, const struct sl_store_op *op,
                                         struct sl_store_result *r)
{
    if (op->from_revision == 0 || op->from_revision >= m->compacted)
        return SL_STORE_OK;
    r->compacted_revision = m->compacted;
    return SL_STORE_COMPACTED;
}

static bool model_is_wanted(const struct model_change *change, struct sl_str prefix, sl_revision from)
{
    return change->after.mod_revision >= from && sl__model_has_prefix(sl__model_key_str(&change->after), prefix);
}

static struct sl_store_event model_event(const struct model_change *change)
{
    if (!change->deleted)
        return (struct sl_store_event){ .pair = sl__model_pair(&change->after) };
    return (struct sl_store_event){
        .deleted = true,
        .pair = { .key = sl__model_key_str(&change->after), .mod_revision = change->after.mod_revision },
    };
}

bool sl_store_model_changes(struct sl_store_model *m, struct sl_str prefix, sl_revision from,
                            struct sl_store_watch_batch *batch)
{
    *batch = (struct sl_store_watch_batch){ .revision = m->revision };
    if (from < m->compacted) {
        batch->ended = true;
        batch->why = SL_STORE_COMPACTED;
        batch->compacted_revision = m->compacted;
        return true;
    }
    uint32_t first = m->history_count, count = 0;
    while (first > 0 && sl__model_history(m, first - 1)->after.mod_revision >= from)
        first--;
    for (uint32_t i = first; i < m->history_count; i++)
        count += model_is_wanted(sl__model_history(m, i), prefix, from) ? 1 : 0;
    void *events = m->events;
    if (!model_grow(m, &events, &m->event_cap, count, sizeof *m->events))
        return false;
    m->events = events;
    for (uint32_t i = first; i < m->history_count; i++) {
        const struct model_change *change = sl__model_history(m, i);
        if (model_is_wanted(change, prefix, from))
            m->events[batch->event_count++] = model_event(change);
    }
    batch->events = m->events;
    return true;
}

void sl_store_model_compact(struct sl_store_model *m, sl_revision revision)
{
    if (revision > m->compacted && revision <= m->revision)
        sl__model_history_drop(m, revision);
}

sl_revision sl_store_model_compacted(const struct sl_store_model *m)
{
    return m->compacted;
}

sl_revision sl_store_model_revision(const struct sl_store_model *m)
{
    return m->revision;
}

/* ---- the door ---- */

static enum sl_store_outcome model_perform(struct sl_store_model *m, const struct sl_store_op *op,
                                           struct sl_store_result *r)
{
    switch (op->verb) {
    case SL_STORE_RANGE:
        return model_read(m, op, r);
    case SL_STORE_TXN:
        return model_txn(m, op, r);
    case SL_STORE_GRANT:
        return model_grant(m, op, r);
    case SL_STORE_KEEPALIVE:
        return model_keepalive(m, op, r);
    case SL_STORE_REVOKE:
        return model_revoke(m, op);
    case SL_STORE_WATCH:
        return model_watch(m, op, r);
    case SL_STORE_UNWATCH:
        return SL_STORE_OK;
    }
    SL_UNREACHABLE();
}

void sl_store_model_perform(struct sl_store_model *m, sl_ns now, const struct sl_store_op *op,
                            struct sl_store_result *result)
{
    *result = (struct sl_store_result){ .id = op->id, .verb = op->verb };
    sl_store_model_advance(m, now);
    result->outcome = model_perform(m, op, result);
    result->revision = m->revision;
}
