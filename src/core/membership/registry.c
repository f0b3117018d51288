/* SPDX-License-Identifier: Apache-2.0 */
#include "core/membership/membership_internal.h"

/*
 * Keeps the registry complete: a read of the whole prefix, then a watch from the next revision. A watch that ends is
 * taken up where it stopped, or, when that is compacted, after another read. Captures and election keys come in one
 * read and one watch, so they always belong to the same revision.
 */

void sl__registry_reread(struct sl_membership *m)
{
    m->registry.range_wanted = true;
    m->registry.range_op = 0; /* one that is under way may have looked too early */
}

/* The one that is under way does not count: it may have looked before now. */
uint64_t sl__registry_read_anew(struct sl_membership *m)
{
    m->registry.range_wanted = true;
    m->registry.reads_wanted = m->registry.reads_issued + 1;
    return m->registry.reads_wanted;
}

bool sl__registry_is_fresh(const struct sl_membership *m)
{
    return m->registry.loaded && !m->registry.range_wanted;
}

static void registry_range(struct sl_membership *m, struct sl_outbox *out)
{
    struct sl_store_op op = { .verb = SL_STORE_RANGE, .key = sl_key_str(&m->meta) };
    m->registry.range_op = sl__membership_issue(m, &op, out);
    m->registry.reads_issued += m->registry.range_op != 0;
    m->registry.range_at = m->now + m->opts.retry_ns;
}

static void registry_watch(struct sl_membership *m, struct sl_outbox *out)
{
    struct sl_store_op op = { .verb = SL_STORE_WATCH,
                              .key = sl_key_str(&m->meta),
                              .from_revision = m->registry.revision + 1 };
    m->registry.watch_op = sl__membership_issue(m, &op, out);
    m->registry.watch_stands = false;
    m->registry.watch_at = m->now + m->opts.retry_ns;
}

void sl__registry_run(struct sl_membership *m, struct sl_outbox *out)
{
    struct registry *r = &m->registry;
    sl__registry_expire(m, out);
    if (!sl__membership_is_leased(m))
        return;
    if (r->range_wanted && !r->range_op && m->now >= r->range_at)
        registry_range(m, out);
    if (r->loaded && !r->watch_op && m->now >= r->watch_at)
        registry_watch(m, out);
}

static void registry_on_range(struct sl_membership *m, const struct sl_store_result *result, struct sl_outbox *out)
{
    struct registry *r = &m->registry;
    r->range_op = 0;
    if (result->outcome != SL_STORE_OK) {
        r->range_at = m->now + m->opts.retry_ns;
        return;
    }
    r->reads_done = r->reads_issued;
    r->range_wanted = r->reads_wanted > r->reads_done;
    r->range_at = m->now;
    if (r->loaded && result->revision < r->revision)
        return; /* the watch was faster */
    sl__registry_begin(m);
    for (uint32_t i = 0; i < result->pair_count; i++)
        sl__registry_put(m, &result->pairs[i], out);
    sl__registry_end(m, out);
    r->loaded = true;
    r->revision = result->revision;
}

static void registry_lost_watch(struct sl_membership *m, enum sl_store_outcome why)
{
    m->registry.watch_op = 0;
    m->registry.watch_stands = false;
    m->registry.watch_at = m->now + m->opts.retry_ns;
    if (why == SL_STORE_COMPACTED)
        sl__registry_reread(m);
}

bool sl__registry_on_store(struct sl_membership *m, const struct sl_store_result *result, struct sl_outbox *out)
{
    struct registry *r = &m->registry;
    if (result->id == r->range_op) {
        registry_on_range(m, result, out);
        return true;
    }
    if (result->id != r->watch_op)
        return false;
    r->watch_stands = result->outcome == SL_STORE_OK;
    if (!r->watch_stands)
        registry_lost_watch(m, result->outcome);
    return true;
}

static void registry_apply(struct sl_membership *m, const struct sl_store_event *e, struct sl_outbox *out)
{
    if (e->pair.mod_revision <= m->registry.revision)
        return; /* a read was faster */
    if (e->deleted)
        sl__registry_delete(m, e->pair.key, out);
    else
        sl__registry_put(m, &e->pair, out);
}

bool sl__registry_on_watch(struct sl_membership *m, const struct sl_store_watch_batch *b, struct sl_outbox *out)
{
    struct registry *r = &m->registry;
    if (b->watch != r->watch_op || !r->watch_stands)
        return false;
    for (uint32_t i = 0; i < b->event_count; i++)
        registry_apply(m, &b->events[i], out);
    if (b->ended)
        registry_lost_watch(m, b->why);
    else
        r->revision = b->revision > r->revision ? b->revision : r->revision;
    return true;
}

sl_ns sl__registry_deadline(const struct sl_membership *m)
{
    const struct registry *r = &m->registry;
    if (!sl__membership_is_leased(m))
        return SL_NEVER;
    sl_ns next = r->gone_next;
    if (r->range_wanted && !r->range_op)
        next = sl_ns_min(next, r->range_at);
    if (r->loaded && !r->watch_op)
        next = sl_ns_min(next, r->watch_at);
    return next;
}
