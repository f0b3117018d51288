/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/maintainer/maintainer_internal.h"

#include <string.h>

/*
 * What the coordinator is told.
 *
 * Errors: one slot per node. Each occurrence goes into the next STATUS_ERROR_REPORTS statuses, so that the loss of one
 * of them loses no error, and then rests: the coordinator acts on what it reads, and an error of the past must not stop
 * a feed that runs again. An error that lasts is said again by whoever has it (dispatch managers every 5 s, the
 * maintainer with each failed attempt) and then counts anew. The same error while it is still being reported changes
 * nothing; another one of the same node replaces it; one that was overcome, or whose node left, is dropped.
 */
#define STATUS_ERROR_REPORTS 2
#define STATUS_STUCK_MAX 8

/* ---- errors ---- */

static void status_keep(char *to, size_t cap, struct sl_str s)
{
    struct sl_text t;
    sl_text_init(&t, to, cap);
    sl_text_str(&t, s);
}

static bool status_error_is(const struct sl__error *e, const struct sl__error *other)
{
    return strcmp(e->code, other->code) == 0 && strcmp(e->message, other->message) == 0;
}

void sl__status_note_error(struct sl_maintainer *m, sl_node_ref ref, struct sl_str time, struct sl_str code,
                           struct sl_str message, struct sl_outbox *out)
{
    struct sl__node *node = sl__maintainer_node(m, ref);
    struct sl__error said = { .reports_left = STATUS_ERROR_REPORTS };
    status_keep(said.time, sizeof said.time, time);
    status_keep(said.code, sizeof said.code, code);
    status_keep(said.message, sizeof said.message, message);
    if (!node->error)
        node->error = sl_mem_alloc(m->opts.mem, SL_TAG_MAINTAINER, sizeof *node->error);
    if (!node->error || (node->error->reports_left > 0 && status_error_is(node->error, &said)))
        return;
    bool is_news = !status_error_is(node->error, &said);
    *node->error = said;
    m->report.is_dirty = true;
    if (is_news)
        sl_out_event(out, SL_EV_MAINTAINER_ERROR, sl_f_str("feed", sl_feed_id_name(&m->id)),
                     sl_f_str("node", sl__maintainer_node_str(m, ref)), sl_f_str("code", sl_str_of(said.code)),
                     sl_f_str("text", sl_str_of(said.message)));
}

void sl__status_note_own_error(struct sl_maintainer *m, const char *code, const char *message, struct sl_outbox *out)
{
    sl__status_note_error(m, sl__maintainer_self(m), SL_STR(""), sl_str_of(code), sl_str_of(message), out);
}

void sl__status_note_peer_error(struct sl_maintainer *m, sl_node_ref ref, const Pb__RunningError *e,
                                struct sl_outbox *out)
{
    sl__status_note_error(m, ref, sl_str_of(e->time), sl_str_of(e->code), sl_str_of(e->message), out);
}

void sl__status_drop_error(struct sl_maintainer *m, sl_node_ref ref)
{
    struct sl__node *node = sl__maintainer_node(m, ref);
    sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, node->error, sizeof *node->error);
    node->error = NULL;
}

/* ---- drain progress ---- */

/* After a cascade there is nothing left to drain; what the frozen control still binds is gone. */
static void status_counts(const struct sl_maintainer *m, sl_node_ref target, struct sl_node_counts *counts)
{
    bool is_gone = m->state == SL__MAINTAINER_CLOSED && m->closing.cascade;
    *counts = (struct sl_node_counts){ 0 };
    if (m->control && target != SL_NODE_NONE && !is_gone)
        sl_control_node_counts(m->control, target, counts);
}

/*
 * Not known: a feed whose spans were not adopted yet, a target that has not said what it runs, and one with spans that
 * fell silent; and dispatchers there whose table is still to come. Not known is not drained.
 */
static uint32_t status_unknown(const struct sl_maintainer *m, sl_node_ref target, sl_ns now)
{
    if (!m->is_bootstrapped)
        return m->state != SL__MAINTAINER_CLOSED;
    if (target == SL_NODE_NONE || m->state == SL__MAINTAINER_CLOSED)
        return 0;
    bool is_silent = now >= sl_ns_after(m->nodes[target].heard_at, m->opts.limits.silence_ns);
    bool is_used = sl_control_node_is_used(m->control, target);
    bool is_unknown = !sl_bootstrap_is_settled(&m->bootstrap, target) || (is_used && is_silent);
    return is_unknown + sl__unlisted_count(m, target);
}

/* Work on the target came to an end, or began: news that should not wait for the next status. */
void sl__status_note_progress(struct sl_maintainer *m)
{
    struct sl_node_counts counts;
    uint32_t empty_targets = 0;
    for (uint32_t i = 0; i < m->targets.count && m->control; i++) {
        status_counts(m, m->target_refs[i], &counts);
        bool is_empty = counts.bound == 0 && counts.stopping == 0 && counts.starting == 0 && counts.moves_from == 0;
        empty_targets |= (uint32_t)is_empty << i;
    }
    m->report.is_dirty |= empty_targets != m->report.empty_targets;
    m->report.empty_targets = empty_targets;
}

/* ---- building, in the caller's arena ---- */

static char *status_text(struct sl_arena *arena, struct sl_str s)
{
    char *text = sl_arena_alloc(arena, s.len + 1);
    if (!text)
        return NULL;
    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return text;
}

static bool status_build_feed(const struct sl_maintainer *m, Pb__MaintainerStatus *s, struct sl_arena *arena)
{
    s->changefeed = sl_arena_alloc(arena, sizeof *s->changefeed);
    if (!s->changefeed)
        return false;
    *s->changefeed = sl_feed_id_pb(&m->id);
    s->changefeed->name = status_text(arena, sl_str_of(s->changefeed->name));
    s->changefeed->keyspace = status_text(arena, sl_str_of(s->changefeed->keyspace));
    return s->changefeed->name && s->changefeed->keyspace;
}

static Pb__RunningError *status_build_error(const struct sl_maintainer *m, sl_node_ref ref, struct sl_arena *arena)
{
    const struct sl__error *e = m->nodes[ref].error;
    Pb__RunningError *error = sl_arena_alloc(arena, sizeof *error);
    if (!error)
        return NULL;
    pb__running_error__init(error);
    error->time = status_text(arena, sl_str_of(e->time));
    error->node = status_text(arena, sl__maintainer_node_str(m, ref));
    error->code = status_text(arena, sl_str_of(e->code));
    error->message = status_text(arena, sl_str_of(e->message));
    return error->time && error->node && error->code && error->message ? error : NULL;
}

/* The node after ref with an error still to be reported. */
static sl_node_ref status_next_error(const struct sl_maintainer *m, sl_node_ref ref)
{
    do
        ref = sl_members_next(m->opts.members, ref);
    while (ref != SL_NODE_NONE && !(m->nodes[ref].error && m->nodes[ref].error->reports_left > 0));
    return ref;
}

static bool status_build_errors(const struct sl_maintainer *m, Pb__MaintainerStatus *s, struct sl_arena *arena)
{
    size_t count = 0;
    for (sl_node_ref ref = status_next_error(m, SL_NODE_NONE); ref != SL_NODE_NONE; ref = status_next_error(m, ref))
        count++;
    if (count == 0)
        return true;
    s->errors = sl_arena_alloc(arena, count * sizeof(Pb__RunningError *));
    if (!s->errors)
        return false;
    for (sl_node_ref ref = status_next_error(m, SL_NODE_NONE); ref != SL_NODE_NONE; ref = status_next_error(m, ref)) {
        s->errors[s->n_errors] = status_build_error(m, ref, arena);
        if (!s->errors[s->n_errors++])
            return false;
    }
    return true;
}

static Pb__StuckSpan *status_build_stuck_span(const struct sl_maintainer *m, sl_ns now, const struct sl_stuck *stuck,
                                              struct sl_arena *arena)
{
    Pb__StuckSpan *span = sl_arena_alloc(arena, sizeof *span);
    Pb__DispatcherID *id = sl_arena_alloc(arena, sizeof *id);
    if (!span || !id)
        return NULL;
    pb__stuck_span__init(span);
    *id = sl_dispatcher_id_pb(stuck->id);
    span->id = id;
    span->phase = status_text(arena, sl_str_of(stuck->phase));
    span->age_ms = now > stuck->since ? (uint64_t)((now - stuck->since) / SL_MS) : 0;
    span->node = status_text(arena, sl__maintainer_node_str(m, stuck->waits_for));
    return span->phase && span->node ? span : NULL;
}

static bool status_build_stuck(const struct sl_maintainer *m, sl_ns now, sl_node_ref target, Pb__DrainProgress *p,
                               struct sl_arena *arena)
{
    struct sl_stuck stuck[STATUS_STUCK_MAX];
    bool moves = m->control && target != SL_NODE_NONE && p->target_inflight_drain_move_count > 0;
    uint32_t count = moves ? sl_control_oldest_moves(m->control, target, stuck, STATUS_STUCK_MAX) : 0;
    if (count == 0)
        return true;
    p->stuck_spans = sl_arena_alloc(arena, count * sizeof(Pb__StuckSpan *));
    if (!p->stuck_spans)
        return false;
    for (; p->n_stuck_spans < count; p->n_stuck_spans++) {
        Pb__StuckSpan *span = status_build_stuck_span(m, now, &stuck[p->n_stuck_spans], arena);
        if (!span)
            return false;
        p->stuck_spans[p->n_stuck_spans] = span;
    }
    return true;
}

/* The first four fields count as the reference does; the table trigger is in neither. Null without memory. */
static Pb__DrainProgress *status_build_progress(const struct sl_maintainer *m, sl_ns now, uint32_t i,
                                                struct sl_arena *arena)
{
    const struct sl_drain_target *target = &m->targets.targets[i];
    sl_node_ref ref = m->target_refs[i];
    struct sl_node_counts counts;
    Pb__DrainProgress *p = sl_arena_alloc(arena, sizeof *p);
    if (!p)
        return NULL;
    status_counts(m, ref, &counts);
    pb__drain_progress__init(p);
    p->target_node_id = status_text(arena, sl_node_id_str(&target->node));
    p->target_epoch = target->epoch;
    p->target_dispatcher_count = counts.bound;
    p->target_inflight_drain_move_count = counts.moves_from;
    p->bound = counts.idle;
    p->stopping = counts.stopping;
    p->starting = counts.starting;
    p->unknown = status_unknown(m, ref, now);
    p->bootstrapped = m->is_bootstrapped;
    p->stuck = counts.stuck;
    p->lag_ms = sl__lag_worst_ms(m);
    return p->target_node_id && status_build_stuck(m, now, ref, p, arena) ? p : NULL;
}

/* Each target, and the oldest in the field of its own that everybody reads. */
static bool status_build_drains(const struct sl_maintainer *m, sl_ns now, Pb__MaintainerStatus *s,
                                struct sl_arena *arena)
{
    if (m->targets.count == 0)
        return true;
    s->drains = sl_arena_alloc(arena, m->targets.count * sizeof *s->drains);
    if (!s->drains)
        return false;
    for (; s->n_drains < m->targets.count; s->n_drains++) {
        Pb__DrainProgress *p = status_build_progress(m, now, (uint32_t)s->n_drains, arena);
        if (!p)
            return false;
        s->drains[s->n_drains] = p;
        if (!s->drain_progress || p->target_epoch < s->drain_progress->target_epoch)
            s->drain_progress = p;
    }
    return true;
}

/* Of the members: what a node that has left said counts no more. */
static void status_build_copy(const struct sl_maintainer *m, Pb__MaintainerStatus *s)
{
    for (sl_node_ref ref = sl_members_next(m->opts.members, SL_NODE_NONE); ref != SL_NODE_NONE;
         ref = sl_members_next(m->opts.members, ref)) {
        const struct sl_copy_progress *copy = &m->nodes[ref].copy;
        s->copy_tables += copy->tables;
        s->copy_rows += copy->rows;
        s->copy_rows_about += copy->rows_about;
    }
}

static Pb__MaintainerStatus *status_build(const struct sl_maintainer *m, sl_ns now, struct sl_arena *arena)
{
    Pb__MaintainerStatus *s = sl_arena_alloc(arena, sizeof *s);
    if (!s)
        return NULL;
    pb__maintainer_status__init(s);
    bool closed = m->state == SL__MAINTAINER_CLOSED;
    s->state = closed ? PB__COMPONENT_STATE__STOPPED : PB__COMPONENT_STATE__WORKING;
    s->checkpoint_ts = m->checkpoint.committed;
    s->closed_everywhere = closed && m->closing.cascade;
    s->bootstrap_done = m->is_bootstrapped;
    s->last_synced_ts = m->last_synced;
    s->maintainer_epoch = m->opts.epoch;
    status_build_copy(m, s);
    bool complete =
        status_build_feed(m, s, arena) && status_build_errors(m, s, arena) && status_build_drains(m, now, s, arena);
    return complete ? s : NULL;
}

/* ---- the coordinator's view ---- */

bool sl_maintainer_status_is_due(const struct sl_maintainer *m, sl_ns now, sl_ns resend_ns)
{
    return m->report.is_dirty || !m->report.was_taken || now >= sl_ns_after(m->report.at, resend_ns);
}

Pb__MaintainerStatus *sl_maintainer_status_fill(struct sl_maintainer *m, sl_ns now, struct sl_arena *arena)
{
    Pb__MaintainerStatus *s = status_build(m, now, arena);
    if (!s)
        return NULL;
    for (sl_node_ref ref = status_next_error(m, SL_NODE_NONE); ref != SL_NODE_NONE; ref = status_next_error(m, ref))
        m->nodes[ref].error->reports_left--;
    m->report.is_dirty = false;
    m->report.was_taken = true;
    m->report.at = now;
    m->report.closed_was_taken = m->state == SL__MAINTAINER_CLOSED;
    return s;
}

void sl_maintainer_touch(struct sl_maintainer *m)
{
    m->report.is_dirty = true;
    m->report.closed_was_taken = false;
}
