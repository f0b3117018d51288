/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/maintainer/control_internal.h"
#include "core/maintainer/maintainer_internal.h"

/*
 * The tables of a feed, for whoever asks, in order of their ids. Nothing keeps them in that order: a question walks over
 * all spans, once.
 */
struct table_views {
    const struct sl_control *control;
    int64_t *ids; /* a heap, the largest on top, of the smallest ids seen */
    uint32_t count, cap;
    bool has_more;
};

static void views_sift_down(int64_t *ids, uint32_t count, uint32_t root)
{
    int64_t value = ids[root];
    for (uint32_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && ids[child + 1] > ids[child])
            child++;
        if (ids[child] <= value)
            break;
        ids[root] = ids[child];
        root = child;
    }
    ids[root] = value;
}

static void views_push(struct table_views *v, int64_t id)
{
    if (v->count == v->cap) {
        v->has_more = true;
        if (id >= v->ids[0])
            return;
        v->ids[0] = id;
        views_sift_down(v->ids, v->count, 0);
        return;
    }
    uint32_t at = v->count++;
    for (uint32_t parent; at > 0 && v->ids[parent = (at - 1) / 2] < id; at = parent)
        v->ids[at] = v->ids[parent];
    v->ids[at] = id;
}

static void views_sort(struct table_views *v)
{
    for (uint32_t left = v->count; left > 1; left--) {
        int64_t largest = v->ids[0];
        v->ids[0] = v->ids[left - 1];
        v->ids[left - 1] = largest;
        views_sift_down(v->ids, left - 1, 0);
    }
}

static void views_collect(struct table_views *v, int64_t after, bool from_start)
{
    const struct sl_spans *s = &v->control->spans;
    for (uint32_t h = sl_slab_next(&s->slab, 0); h != 0; h = sl_slab_next(&s->slab, h)) {
        int64_t id = sl_spans_at(s, h)->table_id;
        bool is_wanted = from_start || id > after;
        if (is_wanted && sl_spans_of_table(s, id) == h)
            views_push(v, id);
    }
    views_sort(v);
}

static const char *view_state(const struct sl_span *span)
{
    switch ((enum sl_span_state)span->state) {
    case SL_SPAN_ABSENT:
        return "absent";
    case SL_SPAN_SCHEDULING:
        return "scheduling";
    case SL_SPAN_REPLICATING:
        return "replicating";
    }
    SL_UNREACHABLE();
}

static void view_fill(const struct sl_control *c, const struct sl_span *span, struct sl_table_view *view)
{
    const struct sl_table_name name = sl_names_find(&c->names, span->table_id);
    *view = (struct sl_table_view){ .table_id = span->table_id,
                                    .schema_id = span->schema_id,
                                    .schema_name = name.schema,
                                    .table_name = name.table,
                                    .dispatcher = span->id,
                                    .state = view_state(span),
                                    .checkpoint = span->checkpoint };
    if (span->node != SL_NODE_NONE)
        view->node = *sl_members_id(c->members, span->node);
}

/* Whole tables only, so that the next question can go on after the last one; but at least one. */
static uint32_t views_fill(struct table_views *v, struct sl_table_view *rows, uint32_t max)
{
    const struct sl_spans *s = &v->control->spans;
    uint32_t count = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        uint32_t first = sl_spans_of_table(s, v->ids[i]), spans = 0;
        for (uint32_t h = first; h != 0; h = sl_spans_next_of_table(s, h))
            spans++;
        if (count + spans > max && count > 0) {
            v->has_more = true;
            return count;
        }
        for (uint32_t h = first; h != 0 && count < max; h = sl_spans_next_of_table(s, h))
            view_fill(v->control, sl_spans_at(s, h), &rows[count++]);
    }
    return count;
}

enum sl_code sl_control_list_tables(const struct sl_control *c, int64_t after, struct sl_table_view *rows, uint32_t max,
                                    uint32_t *count, bool *has_more)
{
    struct table_views v = { .control = c, .cap = max };
    *count = 0;
    *has_more = false;
    v.ids = sl_mem_alloc(c->mem, SL_TAG_MAINTAINER, max * sizeof *v.ids);
    if (!v.ids)
        return SL_NOMEM;
    views_collect(&v, after, after == INT64_MIN);
    *count = views_fill(&v, rows, max);
    *has_more = v.has_more;
    sl_mem_free(c->mem, SL_TAG_MAINTAINER, v.ids, max * sizeof *v.ids);
    return SL_OK;
}

/* ---- of a maintainer ---- */

static bool views_are_known(const struct sl_maintainer *m)
{
    return m->control && m->state == SL__MAINTAINER_RUNNING;
}

enum sl_code sl_maintainer_list_tables(const struct sl_maintainer *m, int64_t after, struct sl_table_view *rows,
                                       uint32_t max, uint32_t *count, bool *has_more)
{
    SL_REQUIRE(max > 0);
    return views_are_known(m) ? sl_control_list_tables(m->control, after, rows, max, count, has_more) : SL_NOT_READY;
}

enum sl_code sl_maintainer_dispatcher_count(const struct sl_maintainer *m, uint32_t *count)
{
    *count = views_are_known(m) ? sl_control_span_count(m->control) : 0;
    return views_are_known(m) ? SL_OK : SL_NOT_READY;
}
