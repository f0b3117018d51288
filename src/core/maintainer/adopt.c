/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/maintainer/maintainer_internal.h"

/*
 * From what the nodes run and the tables the feed has to spans and operators, in this order:
 *
 *   1. dispatchers of known tables become replicating spans where they run; a second one over the same range is
 *      removed; one of a table that is gone, or has not come yet, waits until that is decided (unlisted.c);
 *   2. journaled operators of the predecessor are taken up again;
 *   3. every table that has no span yet gets one without a place, from the maintainer's start checkpoint: the table
 *      trigger may start later than that (it skips DDL that was executed), but no row between the two is replicated
 * yet.
 *
 * The order of the reports decides which of two overlapping dispatchers stays, so it may not depend on who answered
 * first: table, keys, complete ones before targets of an unfinished merge, the later placement, the node.
 */

struct adopt_item {
    const struct sl_span_report *report;
    sl_node_ref node;
};

struct adoption {
    struct sl_maintainer *m;
    struct sl_control *control;
    struct sl_outbox *out;
    const struct sl_table *tables;
    uint32_t *table_order; /* indexes, by table id */
    uint32_t table_count;
    struct adopt_item *items;
    uint32_t *item_order; /* indexes, as above */
    uint32_t item_count;
};

/* ---- order ---- */

typedef bool adopt_before(const struct adoption *a, uint32_t left, uint32_t right);

static bool adopt_table_before(const struct adoption *a, uint32_t left, uint32_t right)
{
    return a->tables[left].table_id < a->tables[right].table_id;
}

static int adopt_cmp_u64(uint64_t left, uint64_t right)
{
    return left < right ? -1 : left > right;
}

static int adopt_cmp_keys(struct sl_bytes left, struct sl_bytes right)
{
    return sl_str_cmp((struct sl_str){ (const char *)left.ptr, left.len },
                      (struct sl_str){ (const char *)right.ptr, right.len });
}

/* The target of a merge that may still be given up. */
static bool adopt_is_tentative(Pb__ComponentState state)
{
    return state == PB__COMPONENT_STATE__PREPARING || state == PB__COMPONENT_STATE__MERGE_READY;
}

static bool adopt_is_terminal(Pb__ComponentState state)
{
    return state == PB__COMPONENT_STATE__STOPPED || state == PB__COMPONENT_STATE__REMOVED;
}

static bool adopt_item_before(const struct adoption *a, uint32_t left, uint32_t right)
{
    const struct sl_span_report *l = a->items[left].report, *r = a->items[right].report;
    int cmp = (l->span.table_id > r->span.table_id) - (l->span.table_id < r->span.table_id);
    cmp = cmp ? cmp : adopt_is_tentative(l->state) - adopt_is_tentative(r->state);
    cmp = cmp ? cmp : adopt_cmp_keys(l->span.start_key, r->span.start_key);
    cmp = cmp ? cmp : adopt_cmp_keys(l->span.end_key, r->span.end_key);
    cmp = cmp ? cmp : adopt_cmp_u64(r->placement_seq, l->placement_seq);
    cmp = cmp ? cmp : adopt_cmp_u64(l->id.high, r->id.high);
    cmp = cmp ? cmp : adopt_cmp_u64(l->id.low, r->id.low);
    return cmp ? cmp < 0 : left < right;
}

static void adopt_sift(const struct adoption *a, uint32_t *order, uint32_t count, uint32_t root, adopt_before *before)
{
    uint32_t value = order[root];
    for (uint32_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && before(a, order[child], order[child + 1]))
            child++;
        if (!before(a, value, order[child]))
            break;
        order[root] = order[child];
        root = child;
    }
    order[root] = value;
}

/* Heap sort: no memory, no bad case. Lists usually come in order already. */
static void adopt_sort(const struct adoption *a, uint32_t *order, uint32_t count, adopt_before *before)
{
    bool sorted = true;
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = 1; i < count && sorted; i++)
        sorted = !before(a, i, i - 1);
    if (sorted)
        return;
    for (uint32_t root = count / 2; root > 0; root--)
        adopt_sift(a, order, count, root - 1, before);
    for (uint32_t left = count - 1; left > 0; left--) {
        uint32_t largest = order[0];
        order[0] = order[left];
        order[left] = largest;
        adopt_sift(a, order, left, 0, before);
    }
}

static bool adopt_has_table(const struct adoption *a, int64_t table_id)
{
    uint32_t low = 0, high = a->table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (a->tables[a->table_order[middle]].table_id < table_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->table_count && a->tables[a->table_order[low]].table_id == table_id;
}

/* ---- dispatchers ---- */

enum sl_code sl__maintainer_remove_stray(struct sl_maintainer *m, struct sl_control *control, sl_node_ref node,
                                         const struct sl_span_report *report, struct sl_outbox *out)
{
    struct sl_dispatcher_id id = report->id;
    struct sl_span_view view;
    if (sl_control_view(control, id, &view) == SL_OK && view.node == node)
        return SL_OK; /* the same one, listed twice */
    enum sl_code code = sl_control_remove_dispatcher(control, m->now, node, report, false, out);
    if (code == SL_OK)
        sl_out_event(out, SL_EV_ORPHAN_REMOVED, sl_f_str("feed", sl_feed_id_name(&m->id)),
                     sl_f_str("node", sl__maintainer_node_str(m, node)), sl_f_id128("dispatcher", id.high, id.low));
    return code == SL_EXISTS ? SL_OK : code; /* being removed already */
}

/* What cannot be taken over for what it is, and not for want of room, is removed: one report must not stop a feed. */
static enum sl_code adopt_item(struct adoption *a, const struct adopt_item *item)
{
    const struct sl_span_report *report = item->report;
    enum sl_code code = SL_NOT_FOUND;
    if (sl_dispatcher_id_eq(report->id, a->m->trigger.id))
        return SL_OK;
    if (adopt_is_terminal(report->state)) /* it failed, and is listed until somebody says that he knows */
        return sl__maintainer_remove_stray(a->m, a->control, item->node, report, a->out);
    if (adopt_has_table(a, report->span.table_id))
        code = sl_control_adopt(a->control, item->node, report);
    else if (sl__unlisted_keep(a->m, item->node, report))
        return SL_OK;
    if (code == SL_OK || code == SL_NOMEM || code == SL_LIMIT)
        return code;
    return sl__maintainer_remove_stray(a->m, a->control, item->node, report, a->out);
}

static enum sl_code adopt_dispatchers(struct adoption *a)
{
    enum sl_code code = SL_OK;
    for (uint32_t i = 0; i < a->item_count && code == SL_OK; i++)
        code = adopt_item(a, &a->items[a->item_order[i]]);
    return code;
}

/* ---- journaled operators ---- */

/*
 * A Create goes on where it was sent, if nothing else has become of the table. A Remove goes on as well; its span then
 * needs a new place, whatever the Remove was for: the table is still there, or its dispatcher would not have become a
 * span.
 */
static enum sl_code adopt_operator(struct adoption *a, sl_node_ref node, const struct sl__answer_operator *op)
{
    const struct sl_span_report *report = &op->report;
    struct sl_span_view view;
    bool is_known = sl_control_view(a->control, report->id, &view) == SL_OK;
    enum sl_code code = SL_OK;
    if (sl_dispatcher_id_eq(report->id, a->m->trigger.id))
        return SL_OK;
    if (op->action == PB__SCHEDULE_ACTION__REMOVE && is_known && view.node == node)
        code = sl_control_remove_dispatcher(a->control, a->m->now, node, report, true, a->out);
    else if (op->action == PB__SCHEDULE_ACTION__CREATE && !is_known && adopt_has_table(a, report->span.table_id))
        code = sl_control_resume_create(a->control, a->m->now, node, report, a->out);
    return code == SL_NOMEM || code == SL_LIMIT ? code : SL_OK;
}

static enum sl_code adopt_operators(struct adoption *a)
{
    enum sl_code code = SL_OK;
    const struct sl_bootstrap *b = &a->m->bootstrap;
    for (sl_node_ref ref = sl_bootstrap_next_answered(b, SL_NODE_NONE); ref != SL_NODE_NONE && code == SL_OK;
         ref = sl_bootstrap_next_answered(b, ref)) {
        const struct sl__answer *answer = a->m->nodes[ref].answer;
        for (uint32_t i = 0; i < answer->operator_count && code == SL_OK; i++)
            code = adopt_operator(a, ref, &answer->operators[i]);
    }
    return code;
}

/* Before the first Create leaves: it says what the table is called. */
static enum sl_code adopt_names(struct adoption *a)
{
    enum sl_code code = SL_OK;
    for (uint32_t i = 0; i < a->table_count && code == SL_OK; i++)
        code = sl_control_name_table(a->control, a->tables[i]);
    return code;
}

static enum sl_code adopt_tables(struct adoption *a)
{
    for (uint32_t i = 0; i < a->table_count; i++) {
        enum sl_code code =
            sl_control_add_table(a->control, a->tables[i], a->m->opts.checkpoint, a->m->opts.keyspace_id);
        if (code != SL_OK && code != SL_EXISTS)
            return code;
    }
    return SL_OK;
}

/* ---- the whole ---- */

static void adopt_nodes(struct adoption *a)
{
    struct sl_maintainer *m = a->m;
    for (sl_node_ref ref = sl_bootstrap_next_answered(&m->bootstrap, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_bootstrap_next_answered(&m->bootstrap, ref)) {
        sl_control_node_ready(a->control, ref);
        sl_control_node_liveness(a->control, ref, m->nodes[ref].liveness);
    }
    sl_control_set_committed(a->control, m->checkpoint.committed);
    sl__maintainer_tell_targets(m, a->control, a->out);
}

static void adopt_collect_items(struct adoption *a)
{
    const struct sl_bootstrap *b = &a->m->bootstrap;
    uint32_t count = 0;
    for (sl_node_ref ref = sl_bootstrap_next_answered(b, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_bootstrap_next_answered(b, ref)) {
        const struct sl__answer *answer = a->m->nodes[ref].answer;
        for (uint32_t i = 0; i < answer->span_count; i++)
            a->items[count++] = (struct adopt_item){ .report = &answer->spans[i], .node = ref };
    }
    SL_REQUIRE(count == a->item_count);
}

static uint32_t adopt_count_items(const struct sl_maintainer *m)
{
    uint32_t count = 0;
    for (sl_node_ref ref = sl_bootstrap_next_answered(&m->bootstrap, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_bootstrap_next_answered(&m->bootstrap, ref))
        count += m->nodes[ref].answer->span_count;
    return count;
}

static enum sl_code adopt_all(struct adoption *a)
{
    adopt_collect_items(a);
    adopt_sort(a, a->table_order, a->table_count, adopt_table_before);
    adopt_sort(a, a->item_order, a->item_count, adopt_item_before);
    adopt_nodes(a);
    enum sl_code code = adopt_names(a);
    if (code == SL_OK)
        code = adopt_dispatchers(a);
    if (code == SL_OK)
        code = adopt_operators(a);
    return code == SL_OK ? adopt_tables(a) : code;
}

/* Room for at least one, so that an empty list is not a case of its own. */
static void *adopt_alloc(struct sl_mem *mem, uint32_t count, size_t size)
{
    return sl_mem_alloc(mem, SL_TAG_MAINTAINER, ((size_t)count + 1) * size);
}

static void adopt_free(struct sl_mem *mem, void *ptr, uint32_t count, size_t size)
{
    sl_mem_free(mem, SL_TAG_MAINTAINER, ptr, ((size_t)count + 1) * size);
}

static enum sl_code adopt_new_control(struct adoption *a)
{
    const struct sl_maintainer *m = a->m;
    const struct sl_control_opts opts = {
        .mem = m->opts.mem,
        .members = m->opts.members,
        .pacer = m->opts.pacer,
        .feed = &m->id,
        .epoch = m->opts.epoch,
        .seed = m->opts.seed,
        .limits = m->opts.limits,
    };
    return sl_control_new(&a->control, &opts, m->now);
}

/* All or nothing: a control that is only half built is thrown away, and the answers are still there for another try. */
enum sl_code sl__maintainer_adopt(struct sl_maintainer *m, const struct sl_table *tables, uint32_t table_count,
                                  struct sl_outbox *out)
{
    SL_REQUIRE(!m->control);
    struct sl_mem *mem = m->opts.mem;
    sl__unlisted_clear(m); /* of a try before this one */
    struct adoption a = { .m = m, .out = out, .tables = tables, .table_count = table_count };
    a.item_count = adopt_count_items(m);
    a.items = adopt_alloc(mem, a.item_count, sizeof *a.items);
    a.item_order = adopt_alloc(mem, a.item_count, sizeof *a.item_order);
    a.table_order = adopt_alloc(mem, table_count, sizeof *a.table_order);
    enum sl_code code = a.items && a.item_order && a.table_order ? adopt_new_control(&a) : SL_NOMEM;
    if (code == SL_OK)
        code = adopt_all(&a);
    if (code == SL_OK)
        m->control = a.control;
    else
        sl_control_free(a.control);
    adopt_free(mem, a.table_order, table_count, sizeof *a.table_order);
    adopt_free(mem, a.item_order, a.item_count, sizeof *a.item_order);
    adopt_free(mem, a.items, a.item_count, sizeof *a.items);
    return code;
}

/* ---- later answers ---- */

/*
 * Every listed dispatcher is known here, or it has to go: what a node that joined later runs was placed elsewhere long ago.
 * Lack of memory leaves it to the next heartbeat that names it.
 */
static void merge_dispatchers(struct sl_maintainer *m, sl_node_ref from, const Pb__MaintainerBootstrapResponse *r,
                              struct sl_outbox *out)
{
    for (size_t i = 0; i < r->n_spans; i++) {
        const struct sl_span_report report = sl__answer_report(r->spans[i]);
        if (r->spans[i]->mode != 0 || sl_dispatcher_id_eq(report.id, m->trigger.id))
            continue;
        sl_control_audit_seen(m->control, from, report.id);
        if (sl__unlisted_has(m, from, report.id))
            continue;
        if (adopt_is_terminal(r->spans[i]->state))
            sl__maintainer_take_end(m, from, r->spans[i], out);
        else
            (void)sl__maintainer_remove_stray(m, m->control, from, &report, out);
    }
}

/*
 * Spans are lost if a node that fell silent, or whose dispatch manager is a new one, does not list them. Any other answer
 * may be older than a span that is not in it. A new dispatch manager counts its watermarks anew.
 */
void sl__maintainer_merge(struct sl_maintainer *m, sl_node_ref from, const Pb__MaintainerBootstrapResponse *r,
                          struct sl_outbox *out)
{
    struct sl__node *node = sl__maintainer_node(m, from);
    bool is_new_manager = r->incarnation != node->incarnation;
    sl_control_audit_begin(m->control, from);
    merge_dispatchers(m, from, r, out);
    if (is_new_manager || sl_bootstrap_is_doubted(&m->bootstrap, from))
        sl_control_audit_end(m->control, m->now, from, out);
    if (is_new_manager) {
        sl__unlisted_drop_node(m, from); /* they ended with the manager that ran them */
        node->mark = (struct sl_mark){ 0 };
    }
    sl_control_node_ready(m->control, from);
    SL_REQUIRE(sl_bootstrap_answered(&m->bootstrap, from));
    sl_bootstrap_clear(&m->bootstrap);
    if (from == sl__maintainer_self(m)) { /* its request named the trigger: if it had ended, it is there again */
        m->trigger.is_stopped = false;
        m->trigger.post_at = m->now;
    }
    m->round.is_wanted = true;
}
