/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/maintainer/maintainer_internal.h"

/*
 * Dispatchers of tables that the feed does not have at its checkpoint, but may have a little later: the predecessor
 * placed them after a CREATE TABLE that this maintainer's table trigger has not met again yet. If they were removed at
 * once, the table would be placed anew while its old dispatcher still flushes (invariant 6 of docs/invariants.md).
 *
 * So they run on, unknown to placement and checkpoint. When the table comes, its dispatcher becomes the span. When the
 * checkpoint has reached where the dispatcher was, every change up to there has been met: it belongs to no table, and
 * is removed.
 */
#define UNLISTED_COUNT_MAX 65536u
#define UNLISTED_CAP_MIN 8u

static bool unlisted_grow(struct sl_maintainer *m)
{
    struct sl__unlisted *u = &m->unlisted;
    if (u->count < u->cap)
        return true;
    uint32_t cap = u->cap > 0 ? u->cap * 2 : UNLISTED_CAP_MIN;
    if (cap > UNLISTED_COUNT_MAX)
        return false;
    struct sl__unlisted_item *items =
        sl_mem_resize(m->opts.mem, SL_TAG_MAINTAINER, u->items, u->cap * sizeof *u->items, cap * sizeof *u->items);
    if (!items)
        return false;
    u->items = items;
    u->cap = cap;
    return true;
}

void sl__unlisted_clear(struct sl_maintainer *m)
{
    struct sl__unlisted *u = &m->unlisted;
    sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, u->items, u->cap * sizeof *u->items);
    *u = (struct sl__unlisted){ 0 };
}

bool sl__unlisted_keep(struct sl_maintainer *m, sl_node_ref node, const struct sl_span_report *report)
{
    bool is_whole = report->span.start_key.len == 0 && report->span.end_key.len == 0;
    bool may_run = report->state == PB__COMPONENT_STATE__WORKING || report->state == PB__COMPONENT_STATE__INITIALIZING;
    if (!is_whole || !may_run || report->checkpoint <= m->checkpoint.committed || !unlisted_grow(m))
        return false;
    struct sl__unlisted_item *item = &m->unlisted.items[m->unlisted.count++];
    *item = (struct sl__unlisted_item){ .report = *report, .node = node };
    item->report.span.start_key = item->report.span.end_key = (struct sl_bytes){ 0 };
    return true;
}

/* Keeps the order: it decides which one of several becomes the span. */
static void unlisted_delete(struct sl_maintainer *m, uint32_t index)
{
    struct sl__unlisted *u = &m->unlisted;
    for (uint32_t i = index + 1; i < u->count; i++)
        u->items[i - 1] = u->items[i];
    u->count--;
}

static uint32_t unlisted_find(const struct sl_maintainer *m, sl_node_ref node, struct sl_dispatcher_id id)
{
    uint32_t i = 0;
    while (i < m->unlisted.count &&
           (m->unlisted.items[i].node != node || !sl_dispatcher_id_eq(m->unlisted.items[i].report.id, id)))
        i++;
    return i;
}

bool sl__unlisted_has(const struct sl_maintainer *m, sl_node_ref node, struct sl_dispatcher_id id)
{
    return unlisted_find(m, node, id) < m->unlisted.count;
}

void sl__unlisted_forget(struct sl_maintainer *m, sl_node_ref node, struct sl_dispatcher_id id)
{
    uint32_t i = unlisted_find(m, node, id);
    if (i < m->unlisted.count)
        unlisted_delete(m, i);
}

void sl__unlisted_drop_node(struct sl_maintainer *m, sl_node_ref node)
{
    for (uint32_t i = m->unlisted.count; i > 0; i--) {
        if (m->unlisted.items[i - 1].node == node)
            unlisted_delete(m, i - 1);
    }
}

uint32_t sl__unlisted_count(const struct sl_maintainer *m, sl_node_ref node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->unlisted.count; i++)
        count += m->unlisted.items[i].node == node;
    return count;
}

/* The first one becomes the span; others of the same table are copies, and go when the checkpoint reaches them. */
enum sl_code sl__unlisted_adopt(struct sl_maintainer *m, int64_t table_id)
{
    uint32_t i = 0;
    while (i < m->unlisted.count && m->unlisted.items[i].report.span.table_id != table_id)
        i++;
    if (i == m->unlisted.count)
        return SL_NOT_FOUND;
    enum sl_code code = sl_control_adopt(m->control, m->unlisted.items[i].node, &m->unlisted.items[i].report);
    if (code == SL_OK)
        unlisted_delete(m, i);
    return code == SL_OK ? SL_OK : SL_NOT_FOUND;
}

void sl__unlisted_run(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_RUNNING)
        return;
    for (uint32_t i = m->unlisted.count; i > 0; i--) {
        const struct sl__unlisted_item item = m->unlisted.items[i - 1];
        if (item.report.checkpoint > m->checkpoint.committed)
            continue;
        enum sl_code code = sl__maintainer_remove_stray(m, m->control, item.node, &item.report, out);
        if (code == SL_OK)
            unlisted_delete(m, i - 1);
    }
}
