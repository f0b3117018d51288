/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/control.h"

#include "core/common/mem_tags.h"
#include "core/maintainer/control_internal.h"

#define CONTROL_ROOM_KEPT 8u /* messages of an outbox that are left to others */
#define CONTROL_SEED_STREAM_IDS 1u
#define CONTROL_SEED_STREAM_HASH 2u

/* ---- making and ending ---- */

static size_t control_node_bytes(const struct sl_control *c)
{
    return ((size_t)c->ref_max + 1) * sizeof(struct control_node);
}

static enum sl_code control_init_parts(struct sl_control *c)
{
    enum sl_code code = sl_load_init(&c->load, c->mem, c->ref_max);
    if (code != SL_OK)
        return code;
    code = sl_spans_init(&c->spans, c->mem, &c->load, c->limits.span_count_max, c->seed);
    if (code != SL_OK) {
        sl_load_deinit(&c->load);
        return code;
    }
    sl_names_init(&c->names, c->mem, c->limits.span_count_max, c->seed);
    sl__operators_init(c);
    return SL_OK;
}

enum sl_code sl_control_new(struct sl_control **out, const struct sl_control_opts *opts, sl_ns now)
{
    const struct sl_maintainer_limits *limits = &opts->limits;
    SL_REQUIRE(limits->sends_per_step > 0 && limits->operator_resend_ns > 0 && limits->move_timeout_ns > 0);
    SL_REQUIRE(limits->balance_ns > 0 && limits->create_batch > 0 && limits->span_count_max < UINT32_MAX / 2);
    *out = NULL;
    struct sl_control *c = sl_mem_alloc(opts->mem, SL_TAG_MAINTAINER, sizeof *c);
    if (!c)
        return SL_NOMEM;
    *c = (struct sl_control){ .mem = opts->mem,
                              .members = opts->members,
                              .pacer = opts->pacer,
                              .feed = opts->feed,
                              .limits = *limits,
                              .epoch = opts->epoch,
                              .seed = sl_prng_at(opts->seed, CONTROL_SEED_STREAM_HASH, 0),
                              .mode = CONTROL_LOADING,
                              .now = now,
                              .ref_max = sl_members_ref_max(opts->members) };
    sl_prng_init(&c->ids, sl_prng_at(opts->seed, CONTROL_SEED_STREAM_IDS, 0));
    c->nodes = sl_mem_alloc(c->mem, SL_TAG_SPAN_INDEX, control_node_bytes(c));
    enum sl_code code = c->nodes ? control_init_parts(c) : SL_NOMEM;
    if (code != SL_OK) {
        sl_mem_free(c->mem, SL_TAG_SPAN_INDEX, c->nodes, control_node_bytes(c));
        sl_mem_free(c->mem, SL_TAG_MAINTAINER, c, sizeof *c);
        return code;
    }
    *out = c;
    return SL_OK;
}

void sl_control_free(struct sl_control *c)
{
    if (!c)
        return;
    sl_control_freeze(c); /* what it holds of the shared pacer */
    sl__operators_deinit(c);
    sl_names_deinit(&c->names);
    sl_spans_deinit(&c->spans);
    sl_load_deinit(&c->load);
    sl_mem_free(c->mem, SL_TAG_SPAN_INDEX, c->nodes, control_node_bytes(c));
    sl_mem_free(c->mem, SL_TAG_MAINTAINER, c, sizeof *c);
}

/* ---- every call ---- */

static void control_enter(struct sl_control *c, sl_ns now)
{
    SL_REQUIRE(now >= c->now);
    c->now = now;
    c->sends_left = c->limits.sends_per_step;
}

/* What costs nothing to compare; sl__control_check recounts everything. */
static void control_invariants(const struct sl_control *c)
{
    const struct sl_spans *s = &c->spans;
    const struct sl_operators *o = &c->operators;
    SL_REQUIRE(s->limits.count == sl_spans_absent_count(s) + s->scheduling_count);
    SL_REQUIRE(s->absent.count <= sl_spans_absent_count(s));
    SL_REQUIRE(o->timers.count == o->slab.count && o->queue.count <= o->slab.count);
    SL_REQUIRE(o->move_count + o->removes.count <= o->slab.count && o->paced_count <= o->move_count);
    SL_REQUIRE(s->scheduling_count <= o->slab.count);
    SL_REQUIRE(c->mode == CONTROL_RUNNING || !c->schedulers.drain.joined);
}

static void control_leave(struct sl_control *c, struct sl_outbox *out)
{
    sl__schedulers_run(c, out);
    control_invariants(c);
}

bool sl__control_can_send(const struct sl_control *c, const struct sl_outbox *out)
{
    return c->sends_left > 0 && sl_outbox_room(out) > CONTROL_ROOM_KEPT;
}

sl_ns sl__control_retry_at(const struct sl_control *c)
{
    return c->sends_left < c->limits.sends_per_step ? c->now : sl_ns_after(c->now, SL_MS);
}

bool sl__control_may_place(const struct sl_control *c, struct sl_dispatcher_id id, sl_node_ref node)
{
    return node != SL_NODE_NONE && sl_load_is_eligible(&c->load, node) && sl_members_is_alive(c->members, node) &&
           sl__operator_find_remove(c, id, node) == 0;
}

struct sl_field sl__control_field_feed(const struct sl_control *c)
{
    return sl_f_str("feed", sl_feed_id_name(c->feed));
}

struct sl_field sl__control_field_id(struct sl_dispatcher_id id)
{
    return sl_f_id128("dispatcher", id.high, id.low);
}

struct sl_field sl__control_field_node(const struct sl_control *c, const char *key, sl_node_ref node)
{
    return sl_f_str(key, node != SL_NODE_NONE ? sl_node_id_str(sl_members_id(c->members, node)) : SL_STR(""));
}

/* ---- nodes ---- */

static void control_judge_node(struct sl_control *c, sl_node_ref node)
{
    const struct control_node *n = control_node_at(c, node);
    bool eligible = n->ready && n->liveness == SL_LIVENESS_ALIVE && !sl__drain_is_target(c, node);
    sl_load_set_eligible(&c->load, node, eligible);
}

void sl_control_node_ready(struct sl_control *c, sl_node_ref node)
{
    struct control_node *n = control_node_at(c, node);
    if (!n->ready)
        n->incarnation = ++c->incarnations;
    n->ready = true;
    control_judge_node(c, node);
}

void sl_control_node_liveness(struct sl_control *c, sl_node_ref node, enum sl_liveness liveness)
{
    control_node_at(c, node)->liveness = liveness;
    control_judge_node(c, node);
}

static void control_say_lost(const struct sl_control *c, sl_node_ref node, uint32_t spans, struct sl_outbox *out)
{
    if (spans > 0)
        sl_out_event(out, SL_EV_SPAN_LOST, sl__control_field_feed(c), sl__control_field_node(c, "node", node),
                     sl_f_u64("spans", spans));
}

void sl_control_set_targets(struct sl_control *c, sl_ns now, const struct sl_control_target *targets, uint32_t count,
                            struct sl_outbox *out)
{
    const struct sl_drain_state old = c->schedulers.drain;
    control_enter(c, now);
    sl__drain_set_targets(c, targets, count);
    for (uint32_t i = 0; i < old.count; i++)
        control_judge_node(c, old.targets[i].node);
    for (uint32_t i = 0; i < c->schedulers.drain.count; i++)
        control_judge_node(c, c->schedulers.drain.targets[i].node);
    control_leave(c, out);
}

void sl_control_node_lost(struct sl_control *c, sl_ns now, sl_node_ref node, struct sl_outbox *out)
{
    control_enter(c, now);
    struct control_node *n = control_node_at(c, node);
    sl__drain_drop_target(c, node);
    sl_load_set_eligible(&c->load, node, false);
    control_say_lost(c, node, sl_spans_bound_count(&c->spans, node), out);
    uint32_t span;
    while ((span = sl_spans_first_idle(&c->spans, node)) != 0)
        sl_spans_mark_absent(&c->spans, span);
    sl__operators_on_node_lost(c, node, out);
    SL_REQUIRE(sl_spans_bound_count(&c->spans, node) == 0 && sl_load_of(&c->load, node) == 0);
    SL_REQUIRE(n->starting == 0 && n->stopping == 0 && n->moves_from == 0 && n->stuck.count == 0);
    *n = (struct control_node){ 0 };
    control_leave(c, out);
}

/* ---- tables ---- */

static struct sl_dispatcher_id control_new_id(struct sl_control *c)
{
    struct sl_dispatcher_id id;
    do {
        id = (struct sl_dispatcher_id){ .high = sl_prng_u64(&c->ids), .low = sl_prng_u64(&c->ids) };
    } while (sl_dispatcher_id_is_none(id) || sl_spans_find(&c->spans, id) != 0);
    return id;
}

enum sl_code sl_control_name_table(struct sl_control *c, struct sl_table table)
{
    return sl_names_set(&c->names, table.table_id, table.schema_name, table.table_name);
}

enum sl_code sl_control_add_table(struct sl_control *c, struct sl_table table, sl_ts start, uint32_t keyspace_id)
{
    if (start == SL_TS_NONE)
        return SL_BAD_FIELD;
    enum sl_code named = sl_control_name_table(c, table);
    if (named != SL_OK)
        return named;
    struct sl_span_desc desc = { .id = control_new_id(c),
                                 .key = { .table_id = table.table_id, .keyspace_id = keyspace_id },
                                 .schema_id = table.schema_id,
                                 .checkpoint = start };
    uint32_t span;
    enum sl_code code = sl_spans_add(&c->spans, &desc, &span);
    control_invariants(c);
    return code;
}

bool sl_control_drop_table(struct sl_control *c, sl_ns now, int64_t table_id, struct sl_outbox *out)
{
    control_enter(c, now);
    bool known = false;
    uint32_t span;
    while ((span = sl_spans_of_table(&c->spans, table_id)) != 0) {
        known = true;
        sl__operator_release_span(c, span, out);
        sl_spans_drop(&c->spans, span);
    }
    sl_names_drop(&c->names, table_id);
    control_leave(c, out);
    return known;
}

static enum sl_code control_move_span(struct sl_control *c, uint32_t span, sl_node_ref node, struct sl_outbox *out)
{
    const struct sl_span *s = sl_spans_at(&c->spans, span);
    if (s->node == node)
        return SL_OK;
    if (s->state == SL_SPAN_ABSENT)
        return sl__operator_add(c, span, node, false, out);
    return sl__operator_move(c, span, node, false, "request", out);
}

enum sl_code sl_control_move_table(struct sl_control *c, sl_ns now, int64_t table_id, sl_node_ref node,
                                   struct sl_outbox *out)
{
    uint32_t first = sl_spans_of_table(&c->spans, table_id);
    if (first == 0)
        return SL_NOT_FOUND;
    for (uint32_t span = first; span != 0; span = sl_spans_next_of_table(&c->spans, span)) {
        const struct sl_span *s = sl_spans_at(&c->spans, span);
        if (s->operator_handle != 0)
            return SL_BUSY;
        if (c->mode != CONTROL_RUNNING || !sl__control_may_place(c, s->id, node))
            return SL_NOT_READY;
    }
    control_enter(c, now);
    enum sl_code code = SL_OK;
    for (uint32_t span = first; span != 0 && code == SL_OK; span = sl_spans_next_of_table(&c->spans, span))
        code = control_move_span(c, span, node, out);
    control_leave(c, out);
    return code;
}

/* ---- bootstrap ---- */

static enum sl_code control_add_reported(struct sl_control *c, sl_node_ref node, const struct sl_span_report *report,
                                         uint32_t *span)
{
    if (sl_dispatcher_id_is_none(report->id))
        return SL_BAD_FIELD;
    if (sl__operator_find_remove(c, report->id, node) != 0)
        return SL_EXISTS;
    bool known = report->checkpoint != SL_TS_NONE && report->checkpoint != SL_TS_MAX;
    struct sl_span_desc desc = { .id = report->id,
                                 .key = report->span,
                                 .schema_id = report->schema_id,
                                 .checkpoint = known ? report->checkpoint : c->committed };
    if (desc.checkpoint == SL_TS_NONE)
        return SL_BAD_FIELD;
    enum sl_code code = sl_spans_add(&c->spans, &desc, span);
    if (code == SL_OK)
        sl_spans_at(&c->spans, *span)->placement_seq = report->placement_seq;
    return code;
}

enum sl_code sl_control_adopt(struct sl_control *c, sl_node_ref node, const struct sl_span_report *report)
{
    SL_REQUIRE(sl_members_is_alive(c->members, node));
    uint32_t span;
    enum sl_code code = control_add_reported(c, node, report, &span);
    if (code == SL_OK) {
        sl_spans_bind(&c->spans, span, node);
        sl_spans_mark_replicating(&c->spans, span);
    }
    control_invariants(c);
    return code;
}

enum sl_code sl_control_resume_create(struct sl_control *c, sl_ns now, sl_node_ref node,
                                      const struct sl_span_report *report, struct sl_outbox *out)
{
    SL_REQUIRE(sl_members_is_alive(c->members, node));
    uint32_t span;
    enum sl_code code = control_add_reported(c, node, report, &span);
    if (code != SL_OK)
        return code;
    control_enter(c, now);
    code = sl__operator_add(c, span, node, true, out);
    if (code != SL_OK)
        sl_spans_drop(&c->spans, span);
    control_leave(c, out);
    return code;
}

/* Whatever was in flight for the span gives way: what the caller was told of the dispatcher is newer. */
static enum sl_code control_remove_bound(struct sl_control *c, uint32_t span, bool keep_span, struct sl_outbox *out)
{
    uint32_t op = sl_spans_at(&c->spans, span)->operator_handle;
    if (op == 0)
        return sl__operator_remove_span(c, span, keep_span, out);
    if (keep_span)
        return sl__operator_take_back(c, op, out) ? SL_OK : SL_EXISTS;
    sl__operator_release_span(c, span, out);
    sl_spans_drop(&c->spans, span);
    return SL_OK;
}

enum sl_code sl_control_remove_dispatcher(struct sl_control *c, sl_ns now, sl_node_ref node,
                                          const struct sl_span_report *report, bool keep_span, struct sl_outbox *out)
{
    SL_REQUIRE(sl_members_is_alive(c->members, node));
    if (c->mode == CONTROL_FROZEN)
        return SL_NOT_READY;
    if (sl__operator_find_remove(c, report->id, node) != 0)
        return SL_EXISTS;
    control_enter(c, now);
    uint32_t span = sl_spans_find(&c->spans, report->id);
    bool bound = span != 0 && sl_spans_at(&c->spans, span)->node == node;
    struct sl_operator_removal removal = { .id = report->id,
                                           .table_id = report->span.table_id,
                                           .schema_id = report->schema_id,
                                           .placement_seq = report->placement_seq,
                                           .node = node,
                                           .keyspace_id = report->span.keyspace_id };
    enum sl_code code =
        bound ? control_remove_bound(c, span, keep_span, out) : sl__operator_remove_unknown(c, &removal, out);
    control_leave(c, out);
    return code;
}

/* ---- statuses ---- */

/* A status that names another placement than the current one is old news. 0 on either side: not known. */
static bool control_is_stale(uint64_t current_seq, const struct sl_span_report *report)
{
    return report->placement_seq != 0 && current_seq != 0 && report->placement_seq != current_seq;
}

/* From a node that the span, if there is one, is not bound to. */
static enum sl_status_effect control_on_stray(struct sl_control *c, sl_node_ref from, bool has_span,
                                              const struct sl_span_report *report, struct sl_outbox *out)
{
    uint32_t removal = sl__operator_find_remove(c, report->id, from);
    if (removal != 0) {
        struct sl_operator *op = sl_slab_at(&c->operators.slab, removal);
        /* A Create of a predecessor came late: that copy has to go as well. */
        if (op->seq != 0 && report->placement_seq > op->seq)
            op->seq = report->placement_seq;
        if (c->mode == CONTROL_FROZEN || control_is_stale(op->seq, report))
            return SL_STATUS_IGNORED;
        return sl__operator_on_status(c, removal, report, out) ? SL_STATUS_APPLIED : SL_STATUS_IGNORED;
    }
    return has_span && report->state != PB__COMPONENT_STATE__WORKING ? SL_STATUS_IGNORED : SL_STATUS_UNKNOWN;
}

/*
 * Its dispatcher ended unasked. The node keeps the end in mind until it hears that it is known, which is what a Remove
 * says. A maintainer that hands over leaves this to its successor; without memory the next full list says it again.
 */
static void control_lose_span(struct sl_control *c, uint32_t handle, struct sl_outbox *out)
{
    const struct sl_span *span = sl_spans_at(&c->spans, handle);
    struct sl_operator_removal removal = { .id = span->id,
                                           .table_id = span->table_id,
                                           .schema_id = span->schema_id,
                                           .placement_seq = span->placement_seq,
                                           .node = span->node,
                                           .keyspace_id = span->keyspace_id };
    sl_out_event(out, SL_EV_SPAN_LOST, sl__control_field_feed(c), sl__control_field_id(span->id),
                 sl__control_field_node(c, "node", span->node), sl_f_i64("table", span->table_id));
    sl_spans_at(&c->spans, handle)->avoid = control_node_at(c, span->node)->incarnation;
    sl_spans_mark_absent(&c->spans, handle);
    if (c->mode == CONTROL_RUNNING)
        (void)(sl__operator_remove_unknown(c, &removal, out) == SL_OK);
}

/* Checkpoint and state apply on their own: an old checkpoint does not make a state untrue. */
static enum sl_status_effect control_on_bound(struct sl_control *c, uint32_t handle,
                                              const struct sl_span_report *report, struct sl_outbox *out)
{
    const struct sl_span *span = sl_spans_at(&c->spans, handle);
    if (control_is_stale(span->placement_seq, report))
        return SL_STATUS_IGNORED;
    bool changed = sl_spans_raise_checkpoint(&c->spans, handle, report->checkpoint);
    bool frozen = c->mode == CONTROL_FROZEN;
    if (span->operator_handle != 0) {
        if (!frozen)
            changed |= sl__operator_on_status(c, span->operator_handle, report, out);
    } else if (control_is_gone(report->state)) {
        if (!frozen)
            control_lose_span(c, handle, out);
        return SL_STATUS_LOST;
    }
    return changed ? SL_STATUS_APPLIED : SL_STATUS_IGNORED;
}

enum sl_status_effect sl_control_on_status(struct sl_control *c, sl_ns now, sl_node_ref from,
                                           const struct sl_span_report *report, struct sl_outbox *out)
{
    control_enter(c, now);
    uint32_t span = sl_spans_find(&c->spans, report->id);
    bool bound = span != 0 && sl_spans_at(&c->spans, span)->node == from;
    enum sl_status_effect effect =
        bound ? control_on_bound(c, span, report, out) : control_on_stray(c, from, span != 0, report, out);
    control_leave(c, out);
    return effect;
}

/* ---- audit ---- */

void sl_control_audit_begin(struct sl_control *c, sl_node_ref node)
{
    control_node_at(c, node)->audit_round = ++c->audit_rounds;
}

void sl_control_audit_seen(struct sl_control *c, sl_node_ref node, struct sl_dispatcher_id id)
{
    uint32_t span = sl_spans_find(&c->spans, id);
    if (span != 0 && sl_spans_at(&c->spans, span)->node == node)
        sl_spans_at(&c->spans, span)->audit_round = control_node_at(c, node)->audit_round;
}

void sl_control_audit_end(struct sl_control *c, sl_ns now, sl_node_ref node, struct sl_outbox *out)
{
    control_enter(c, now);
    uint32_t round = control_node_at(c, node)->audit_round, lost = 0, next;
    for (uint32_t span = sl_spans_first_idle(&c->spans, node); span != 0 && c->mode != CONTROL_FROZEN; span = next) {
        next = sl_spans_next_idle(&c->spans, span);
        if (sl_spans_at(&c->spans, span)->audit_round == round)
            continue;
        if (sl__operator_remove_span(c, span, true, out) != SL_OK)
            break; /* the next audit finds the rest */
        lost++;
    }
    control_say_lost(c, node, lost, out);
    control_leave(c, out);
}

/* ---- time, closing ---- */

void sl_control_set_committed(struct sl_control *c, sl_ts committed)
{
    c->committed = sl_ts_max(c->committed, committed);
}

sl_ts sl_control_checkpoint_limit(const struct sl_control *c)
{
    return sl_spans_limit(&c->spans);
}

void sl_control_start(struct sl_control *c, sl_ns now, struct sl_outbox *out)
{
    control_enter(c, now);
    if (c->mode == CONTROL_LOADING) {
        c->mode = CONTROL_RUNNING;
        sl__schedulers_start(c);
    }
    control_leave(c, out);
}

void sl_control_quiesce(struct sl_control *c)
{
    if (c->mode != CONTROL_FROZEN)
        c->mode = CONTROL_QUIESCED;
    sl__drain_join_or_leave(c);
}

void sl_control_freeze(struct sl_control *c)
{
    c->mode = CONTROL_FROZEN;
    sl__operators_freeze(c);
    sl__drain_join_or_leave(c);
}

void sl_control_over_budget(struct sl_control *c, sl_ns now)
{
    if (c->mode == CONTROL_RUNNING && c->operators.paced_count > 0)
        sl_pacer_over_budget(c->pacer, now);
}

void sl_control_on_tick(struct sl_control *c, sl_ns now, struct sl_outbox *out)
{
    control_enter(c, now);
    if (c->mode != CONTROL_FROZEN)
        sl__operators_on_tick(c, out);
    control_leave(c, out);
}

sl_ns sl_control_deadline(const struct sl_control *c)
{
    return c->mode == CONTROL_FROZEN ? SL_NEVER : sl_ns_min(sl__operators_deadline(c), sl__schedulers_deadline(c));
}
