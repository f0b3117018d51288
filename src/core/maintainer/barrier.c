/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/barrier.h"

#include "core/common/mem_tags.h"
#include "core/maintainer/maintainer_internal.h"

#include <string.h>

#define BARRIER_CAP_MIN 4u
#define BARRIER_ROWS 256u /* of a list of tables, read in portions */

/* ---- events ---- */

static void barrier_free_event(struct sl_maintainer *m, struct sl__barrier_event *e)
{
    sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, e->members, e->member_cap * sizeof *e->members);
    sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, e->state, e->state_bytes);
}

void sl__barrier_clear(struct sl_maintainer *m)
{
    struct sl__barrier *b = &m->barrier;
    for (uint32_t i = 0; i < b->count; i++)
        barrier_free_event(m, &b->events[i]);
    sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, b->events, b->cap * sizeof *b->events);
    *b = (struct sl__barrier){ 0 };
}

static struct sl__barrier_event *barrier_find(const struct sl_maintainer *m, sl_ts commit_ts)
{
    for (uint32_t i = 0; i < m->barrier.count; i++) {
        if (m->barrier.events[i].commit_ts == commit_ts)
            return &m->barrier.events[i];
    }
    return NULL;
}

static bool barrier_room(struct sl_maintainer *m)
{
    struct sl__barrier *b = &m->barrier;
    if (b->count < b->cap)
        return true;
    uint32_t cap = b->cap > 0 ? b->cap * 2 : BARRIER_CAP_MIN;
    struct sl__barrier_event *grown = NULL;
    if (b->count < SL__BARRIER_EVENTS_MAX)
        grown = sl_mem_resize(m->opts.mem, SL_TAG_MAINTAINER, b->events, b->cap * sizeof *grown, cap * sizeof *grown);
    if (!grown)
        return false;
    b->events = grown;
    b->cap = cap;
    return true;
}

/* Null without room: whoever reported says it again. */
static struct sl__barrier_event *barrier_event(struct sl_maintainer *m, sl_ts commit_ts)
{
    struct sl__barrier *b = &m->barrier;
    struct sl__barrier_event *e = barrier_find(m, commit_ts);
    if (e || !barrier_room(m))
        return e;
    uint32_t at = b->count++;
    while (at > 0 && b->events[at - 1].commit_ts > commit_ts) {
        b->events[at] = b->events[at - 1];
        at--;
    }
    b->events[at] = (struct sl__barrier_event){ .commit_ts = commit_ts, .act_at = m->now };
    return &b->events[at];
}

static void barrier_forget(struct sl_maintainer *m, struct sl__barrier_event *e)
{
    struct sl__barrier *b = &m->barrier;
    uint32_t at = (uint32_t)(e - b->events);
    barrier_free_event(m, e);
    b->count--;
    memmove(&b->events[at], &b->events[at + 1], (b->count - at) * sizeof *b->events);
}

/* ---- members ---- */

static struct sl__barrier_member *barrier_member(const struct sl__barrier_event *e, int64_t table_id)
{
    for (uint32_t i = 0; i < e->member_count; i++) {
        if (e->members[i].table_id == table_id)
            return &e->members[i];
    }
    return NULL;
}

static struct sl__barrier_member *barrier_add_member(struct sl_maintainer *m, struct sl__barrier_event *e,
                                                     int64_t table_id)
{
    struct sl__barrier_member *member = barrier_member(e, table_id);
    if (member)
        return member;
    if (e->member_count == e->member_cap) {
        uint32_t cap = e->member_cap > 0 ? e->member_cap * 2 : BARRIER_CAP_MIN;
        struct sl__barrier_member *grown = sl_mem_resize(m->opts.mem, SL_TAG_MAINTAINER, e->members,
                                                         e->member_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return NULL;
        e->members = grown;
        e->member_cap = cap;
    }
    e->members[e->member_count] = (struct sl__barrier_member){ .table_id = table_id };
    return &e->members[e->member_count++];
}

/* Who stands for a table: its dispatcher and node. False: there is none that could say anything. */
static bool barrier_who(const struct sl_maintainer *m, int64_t table_id, struct sl_dispatcher_id *id, sl_node_ref *node)
{
    struct sl_span_view view;
    if (table_id == 0) {
        *id = m->trigger.id;
        *node = sl__maintainer_self(m);
        return true;
    }
    if (sl_control_table_spans(m->control, table_id, id, 1) == 0 || sl_control_view(m->control, *id, &view) != SL_OK)
        return false;
    *node = view.node;
    return true;
}

/* Tables of a schema, or all: as they are when the trigger has reached the change. */
static bool barrier_add_wide(struct sl_maintainer *m, struct sl__barrier_event *e, const Pb__InfluencedTables *who)
{
    struct sl_table_view *rows = sl_mem_alloc(m->opts.mem, SL_TAG_MAINTAINER, BARRIER_ROWS * sizeof *rows);
    int64_t after = INT64_MIN;
    uint32_t count = 0;
    bool has_more = rows != NULL, is_good = rows != NULL;
    while (is_good && has_more) {
        is_good = sl_control_list_tables(m->control, after, rows, BARRIER_ROWS, &count, &has_more) == SL_OK;
        for (uint32_t i = 0; is_good && i < count; i++) {
            after = rows[i].table_id;
            bool is_meant = who->influence_type == PB__INFLUENCE_TYPE__ALL || rows[i].schema_id == who->schema_id;
            is_good = !is_meant || barrier_add_member(m, e, rows[i].table_id) != NULL;
        }
        has_more = has_more && count > 0;
    }
    if (rows)
        sl_mem_free(m->opts.mem, SL_TAG_MAINTAINER, rows, BARRIER_ROWS * sizeof *rows);
    return is_good && barrier_add_member(m, e, 0) != NULL;
}

static bool barrier_add_members(struct sl_maintainer *m, struct sl__barrier_event *e, const Pb__State *state,
                                bool is_trigger)
{
    const Pb__InfluencedTables *who = state->block_tables;
    if (!who)
        return barrier_add_member(m, e, 0) != NULL;
    if (who->influence_type != PB__INFLUENCE_TYPE__NORMAL) {
        e->is_wide = true;
        return !is_trigger || barrier_add_wide(m, e, who);
    }
    for (size_t i = 0; i < who->n_table_ids; i++) {
        if (!barrier_add_member(m, e, who->table_ids[i]))
            return false;
    }
    return true;
}

/* ---- what is dropped and added ---- */

static bool barrier_keep_state(struct sl_maintainer *m, struct sl__barrier_event *e, const Pb__State *state)
{
    if (e->state)
        return true;
    e->state_bytes = (uint32_t)pb__state__get_packed_size(state);
    e->state = sl_mem_alloc(m->opts.mem, SL_TAG_MAINTAINER, e->state_bytes);
    if (!e->state)
        e->state_bytes = 0;
    return e->state && pb__state__pack(state, e->state) == e->state_bytes;
}

static void barrier_drop_all_of(struct sl_maintainer *m, const struct sl__barrier_event *e, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < e->member_count; i++) {
        if (e->members[i].table_id != 0)
            (void)sl_control_drop_table(m->control, m->now, e->members[i].table_id, out);
    }
}

static struct sl_table barrier_table(const Pb__Table *t)
{
    return (struct sl_table){ .table_id = t->table_id,
                              .schema_id = t->schema_id,
                              .schema_name = sl_str_of(t->schema_name),
                              .table_name = sl_str_of(t->table_name) };
}

static void *barrier_arena_alloc(void *arena, size_t size)
{
    return sl_arena_alloc(arena, size);
}

static void barrier_arena_free(void *arena, void *ptr)
{
    (void)arena;
    (void)ptr;
}

/*
 * A change before it has not dropped and added its tables yet; they may be the same ones. Or a table of the same id was
 * dropped before, and its dispatcher may still write.
 */
static bool barrier_must_wait(const struct sl_maintainer *m, const struct sl__barrier_event *e, const Pb__State *state)
{
    for (uint32_t i = 0; i < m->barrier.count && m->barrier.events[i].commit_ts < e->commit_ts; i++) {
        if (!m->barrier.events[i].is_scheduled)
            return true;
    }
    for (size_t i = 0; i < state->n_added_tables; i++) {
        if (sl_control_table_leaves(m->control, state->added_tables[i]->table_id))
            return true;
    }
    return false;
}

static void barrier_change_tables(struct sl_maintainer *m, const struct sl__barrier_event *e, const Pb__State *state,
                                  struct sl_outbox *out)
{
    const Pb__InfluencedTables *dropped = state->dropped_tables;
    if (dropped && dropped->influence_type != PB__INFLUENCE_TYPE__NORMAL)
        barrier_drop_all_of(m, e, out);
    for (size_t i = 0; dropped && i < dropped->n_table_ids; i++)
        (void)sl_control_drop_table(m->control, m->now, dropped->table_ids[i], out);
    for (size_t i = 0; i < state->n_added_tables; i++)
        sl__maintainer_add_table(m, barrier_table(state->added_tables[i]), e->commit_ts, out);
}

/* R2. False: not yet, or without memory; tried again. */
static bool barrier_schedule(struct sl_maintainer *m, struct sl__barrier_event *e, struct sl_outbox *out)
{
    struct sl_arena arena;
    if (e->is_scheduled || !e->state)
        return true;
    sl_arena_init(&arena, m->opts.mem, SL_TAG_MAINTAINER, 16 * (size_t)e->state_bytes + 65536);
    ProtobufCAllocator allocator = { barrier_arena_alloc, barrier_arena_free, &arena };
    const Pb__State *state = pb__state__unpack(&allocator, e->state_bytes, e->state);
    e->is_scheduled = state && !barrier_must_wait(m, e, state);
    if (e->is_scheduled)
        barrier_change_tables(m, e, state, out);
    sl_arena_deinit(&arena);
    return e->is_scheduled;
}

/* ---- messages ---- */

struct barrier_message {
    Pb__DispatcherID ids[SL__BARRIER_IDS_PER_MESSAGE];
    Pb__DispatcherID *list[SL__BARRIER_IDS_PER_MESSAGE];
    uint32_t count;
    sl_node_ref node;
};

enum barrier_word { BARRIER_ACK, BARRIER_WRITE, BARRIER_PASS, BARRIER_ASK };

static void barrier_send(const struct sl_maintainer *m, struct barrier_message *to, sl_ts commit_ts,
                         enum barrier_word word, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(&m->id);
    Pb__InfluencedDispatchers who = PB__INFLUENCED_DISPATCHERS__INIT;
    Pb__DispatcherAction action = PB__DISPATCHER_ACTION__INIT;
    Pb__ACK ack = PB__ACK__INIT;
    Pb__IgnoredBlockStatus ignored = PB__IGNORED_BLOCK_STATUS__INIT;
    Pb__DispatcherStatus status = PB__DISPATCHER_STATUS__INIT, *list = &status;
    Pb__HeartBeatResponse response = PB__HEART_BEAT_RESPONSE__INIT;
    if (to->count == 0)
        return;
    who.influence_type = PB__INFLUENCE_TYPE__NORMAL;
    who.n_dispatcher_ids = to->count;
    who.dispatcher_ids = to->list;
    action.commit_ts = ack.commit_ts = ignored.commit_ts = commit_ts;
    action.action = word == BARRIER_PASS ? PB__ACTION__PASS : PB__ACTION__WRITE;
    status.influenced = &who;
    status.ack = word == BARRIER_ACK ? &ack : NULL;
    status.ignored = word == BARRIER_ASK ? &ignored : NULL;
    status.action = word == BARRIER_WRITE || word == BARRIER_PASS ? &action : NULL;
    response.changefeed = &feed;
    response.n_statuses = 1;
    response.statuses = &list;
    response.maintainer_epoch = m->opts.epoch;
    (void)sl_out_send(out, to->node, SL_MSG_HEART_BEAT_RESPONSE, &response.base);
    to->count = 0;
}

static void barrier_message_add(struct barrier_message *to, struct sl_dispatcher_id id)
{
    to->ids[to->count] = sl_dispatcher_id_pb(id);
    to->list[to->count] = &to->ids[to->count];
    to->count++;
}

static void barrier_tell(const struct sl_maintainer *m, sl_node_ref node, struct sl_dispatcher_id id, sl_ts commit_ts,
                         enum barrier_word word, struct sl_outbox *out)
{
    struct barrier_message to = { .node = node };
    barrier_message_add(&to, id);
    barrier_send(m, &to, commit_ts, word, out);
}

/* A word to all members of one node that need it; node by node, so that a message has one receiver. */
static void barrier_tell_members(const struct sl_maintainer *m, const struct sl__barrier_event *e,
                                 enum barrier_word word, struct sl_outbox *out)
{
    struct barrier_message to = { .node = SL_NODE_NONE };
    struct sl_dispatcher_id id;
    sl_node_ref node;
    for (sl_node_ref at = sl_members_next(m->opts.members, SL_NODE_NONE); at != SL_NODE_NONE;
         at = sl_members_next(m->opts.members, at)) {
        to.node = at;
        for (uint32_t i = 0; i < e->member_count; i++) {
            const struct sl__barrier_member *member = &e->members[i];
            bool needs_it = word == BARRIER_ASK ? !member->reported && !member->done : !member->done;
            if (!needs_it || !barrier_who(m, member->table_id, &id, &node) || node != at)
                continue;
            barrier_message_add(&to, id);
            if (to.count == SL__BARRIER_IDS_PER_MESSAGE)
                barrier_send(m, &to, e->commit_ts, word, out);
        }
        barrier_send(m, &to, e->commit_ts, word, out);
    }
}

/* ---- phases ---- */

static bool barrier_still_stands(const struct sl_maintainer *m, const struct sl__barrier_member *member)
{
    struct sl_dispatcher_id id;
    struct sl_span_view view;
    if (member->table_id == 0 || sl_control_table_spans(m->control, member->table_id, &id, 1) == 0)
        return true;
    return sl_control_view(m->control, id, &view) == SL_OK && view.state == SL_SPAN_REPLICATING &&
           view.placement_seq == member->placement_seq;
}

/* R1. */
static bool barrier_is_covered(const struct sl_maintainer *m, struct sl__barrier_event *e)
{
    for (uint32_t i = 0; i < e->member_count; i++)
        e->members[i].reported = e->members[i].reported && barrier_still_stands(m, &e->members[i]);
    struct sl_dispatcher_id id;
    sl_node_ref node;
    const struct sl__barrier_member *trigger = barrier_member(e, 0);
    if (!trigger || !trigger->reported)
        return false;
    for (uint32_t i = 0; i < e->member_count; i++) {
        if (!e->members[i].reported && barrier_who(m, e->members[i].table_id, &id, &node))
            return false;
    }
    return true;
}

static bool barrier_is_done(const struct sl_maintainer *m, const struct sl__barrier_event *e)
{
    struct sl_dispatcher_id id;
    sl_node_ref node;
    for (uint32_t i = 0; i < e->member_count; i++) {
        if (!e->members[i].done && barrier_who(m, e->members[i].table_id, &id, &node))
            return false;
    }
    return true;
}

static void barrier_go(struct sl_maintainer *m, struct sl__barrier_event *e, enum sl__barrier_phase phase)
{
    SL_REQUIRE(phase > e->phase);
    e->phase = phase;
    e->act_at = m->now;
}

static void barrier_act(struct sl_maintainer *m, struct sl__barrier_event *e, struct sl_outbox *out)
{
    if (e->phase == SL__BARRIER_COLLECTING && barrier_is_covered(m, e)) {
        e->writer = m->trigger.id;
        barrier_go(m, e, SL__BARRIER_WRITING);
    }
    if (m->now < e->act_at)
        return;
    e->act_at = sl_ns_after(m->now, SL__BARRIER_RESEND_NS);
    if (e->phase == SL__BARRIER_COLLECTING)
        barrier_tell_members(m, e, BARRIER_ASK, out);
    else if (e->phase == SL__BARRIER_WRITING)
        barrier_tell(m, sl__maintainer_self(m), e->writer, e->commit_ts, BARRIER_WRITE, out);
    else if (barrier_schedule(m, e, out))
        barrier_tell_members(m, e, BARRIER_PASS, out);
}

void sl__barrier_run(struct sl_maintainer *m, struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_RUNNING)
        return;
    for (uint32_t i = m->barrier.count; i > 0; i--) {
        struct sl__barrier_event *e = &m->barrier.events[i - 1];
        barrier_act(m, e, out);
        if (e->phase == SL__BARRIER_PASSING && e->is_scheduled == (e->state != NULL) && barrier_is_done(m, e))
            barrier_forget(m, e);
    }
}

sl_ns sl__barrier_deadline(const struct sl_maintainer *m)
{
    sl_ns at = SL_NEVER;
    for (uint32_t i = 0; i < m->barrier.count && m->state == SL__MAINTAINER_RUNNING; i++)
        at = sl_ns_min(at, m->barrier.events[i].act_at);
    return at;
}

/* ---- statuses ---- */

struct barrier_reporter {
    sl_node_ref node;
    struct sl_dispatcher_id id;
    int64_t table_id; /* 0: the trigger */
    uint64_t placement_seq;
    bool is_ready; /* it replicates, from that node */
};

static bool barrier_reporter(const struct sl_maintainer *m, sl_node_ref from, const Pb__DispatcherID *pb,
                             struct barrier_reporter *r)
{
    struct sl_span_view view;
    *r = (struct barrier_reporter){ .node = from, .id = sl_dispatcher_id_of(pb) };
    if (sl_dispatcher_id_eq(r->id, m->trigger.id)) {
        r->is_ready = from == sl__maintainer_self(m);
        return true;
    }
    if (sl_control_view(m->control, r->id, &view) != SL_OK)
        return false;
    r->table_id = view.table_id;
    r->placement_seq = view.placement_seq;
    r->is_ready = view.state == SL_SPAN_REPLICATING && view.node == from;
    return true;
}

/*
 * Somebody is behind the change: so it was performed. The trigger's word may be its first one about it: the others were
 * known to be behind it before that, and it passed with them.
 */
static void barrier_on_done(struct sl_maintainer *m, const struct barrier_reporter *r, const Pb__State *state,
                            struct sl_outbox *out)
{
    sl_ts commit_ts = state->block_ts;
    struct sl__barrier_event *e = barrier_find(m, commit_ts);
    bool tells_tables = r->table_id == 0 && state->block_tables;
    if (e && tells_tables && !barrier_keep_state(m, e, state))
        return; /* without memory; it says it again */
    if (e) {
        struct sl__barrier_member *member = barrier_member(e, r->table_id);
        if (member)
            member->done = true;
        if (e->phase != SL__BARRIER_PASSING)
            barrier_go(m, e, SL__BARRIER_PASSING);
        barrier_act(m, e, out);
        if (!e->is_scheduled && e->state)
            return; /* not acknowledged: it says it again, and is held meanwhile */
    }
    barrier_tell(m, r->node, r->id, commit_ts, BARRIER_ACK, out);
}

/* A table was made, by the trigger alone; and what the sink has done before. */
static void barrier_on_waiting(struct sl_maintainer *m, const struct barrier_reporter *r, const Pb__State *state,
                               struct sl_outbox *out)
{
    bool is_trigger = r->table_id == 0;
    struct sl__barrier_event *e = barrier_event(m, state->block_ts);
    if (!e || (is_trigger && !barrier_keep_state(m, e, state)) || !barrier_add_members(m, e, state, is_trigger))
        return;
    struct sl__barrier_member *member = barrier_add_member(m, e, r->table_id);
    if (!member)
        return;
    member->reported = true;
    member->placement_seq = r->placement_seq;
    bool was_performed = state->is_done || !state->is_blocked;
    if (was_performed && e->phase != SL__BARRIER_PASSING)
        barrier_go(m, e, SL__BARRIER_PASSING);
    else if (state->stage == PB__BLOCK_STAGE__WRITING && e->phase == SL__BARRIER_COLLECTING && is_trigger) {
        e->writer = r->id;
        barrier_go(m, e, SL__BARRIER_WRITING);
    }
    if (e->phase == SL__BARRIER_PASSING)
        e->act_at = m->now; /* it may have been told before it stood here */
    barrier_tell(m, r->node, r->id, e->commit_ts, BARRIER_ACK, out);
}

static void barrier_on_one(struct sl_maintainer *m, sl_node_ref from, const Pb__TableSpanBlockStatus *status,
                           struct sl_outbox *out)
{
    struct barrier_reporter r;
    const Pb__State *state = status->state;
    if (state->is_sync_point || !barrier_reporter(m, from, status->id, &r))
        return;
    if (state->stage == PB__BLOCK_STAGE__DONE)
        barrier_on_done(m, &r, state, out);
    else if (r.is_ready)
        barrier_on_waiting(m, &r, state, out);
    else
        barrier_tell(m, from, r.id, state->block_ts, BARRIER_ASK, out);
}

enum sl_refusal sl__barrier_on_status(struct sl_maintainer *m, sl_node_ref from, const Pb__BlockStatusRequest *request,
                                      struct sl_outbox *out)
{
    if (m->state != SL__MAINTAINER_RUNNING)
        return SL_REFUSE_NOT_HANDLED;
    if (request->maintainer_epoch != 0 && request->maintainer_epoch != m->opts.epoch)
        return SL_REFUSE_STALE_VERSION;
    for (size_t i = 0; i < request->n_statuses; i++)
        barrier_on_one(m, from, request->statuses[i], out);
    sl__barrier_run(m, out);
    return SL_REFUSE_NONE;
}
