/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/block.h"

#include "core/common/mem_tags.h"

#include <string.h>

#define BLOCK_CAP_MIN 4u
#define BLOCK_COMMANDS_KEPT 8u /* of a step, for others */

/* The last change of those that a dispatcher has to do with. */
static struct sl_block_wait *block_find(const struct sl_dm *dm, uint32_t handle)
{
    struct sl_block_wait *last = NULL;
    for (uint32_t i = 0; i < dm->block_count; i++) {
        struct sl_block_wait *w = &dm->blocks[i];
        if (w->dispatcher == handle && (!last || w->commit_ts > last->commit_ts))
            last = w;
    }
    return last;
}

static struct sl_block_wait *block_find_at(const struct sl_dm *dm, uint32_t handle, sl_ts commit_ts)
{
    for (uint32_t i = 0; i < dm->block_count; i++) {
        if (dm->blocks[i].dispatcher == handle && dm->blocks[i].commit_ts == commit_ts)
            return &dm->blocks[i];
    }
    return NULL;
}

static void block_rearm(struct sl_dm *dm)
{
    dm->block_at = SL_NEVER;
    for (uint32_t i = 0; i < dm->block_count; i++)
        dm->block_at = sl_ns_min(dm->block_at, dm->blocks[i].say_at);
}

static void block_drop(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_block_wait *w)
{
    sl_mem_free(o->opts.mem, SL_TAG_DISPATCHERS, w->state, w->state_bytes);
    *w = dm->blocks[--dm->block_count];
    block_rearm(dm);
}

void sl__blocks_free(struct sl_orchestrator *o, struct sl_dm *dm)
{
    while (dm->block_count > 0)
        block_drop(o, dm, &dm->blocks[0]);
    sl_mem_free(o->opts.mem, SL_TAG_DISPATCHERS, dm->blocks, dm->block_cap * sizeof *dm->blocks);
    dm->blocks = NULL;
    dm->block_cap = 0;
}

void sl__block_forget(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle)
{
    for (struct sl_block_wait *w = block_find(dm, handle); w; w = block_find(dm, handle))
        block_drop(o, dm, w);
}

void sl__blocks_say_again(const struct sl_orchestrator *o, struct sl_dm *dm)
{
    for (uint32_t i = 0; i < dm->block_count; i++)
        dm->blocks[i].say_at = o->now;
    block_rearm(dm);
}

sl_ts sl__block_clamp(struct sl_dm *dm, uint32_t handle, sl_ts checkpoint, bool follows)
{
    sl_ts most = checkpoint;
    for (uint32_t i = 0; i < dm->block_count; i++) {
        struct sl_block_wait *w = &dm->blocks[i];
        if (w->dispatcher != handle)
            continue;
        w->follows = follows;
        if (checkpoint < w->commit_ts)
            continue;
        w->held = sl_ts_max(w->held, checkpoint);
        most = sl_ts_min(most, w->commit_ts - 1);
    }
    return most;
}

/* ---- reports ---- */

struct block_state { /* a State with all it points to */
    Pb__State state;
    Pb__InfluencedTables blocked, dropped;
};

static Pb__InfluenceType block_influence(enum sl_influence influence)
{
    if (influence == SL_INFLUENCE_DB)
        return PB__INFLUENCE_TYPE__DB;
    return influence == SL_INFLUENCE_ALL ? PB__INFLUENCE_TYPE__ALL : PB__INFLUENCE_TYPE__NORMAL;
}

static void block_fill_influenced(Pb__InfluencedTables *pb, enum sl_influence influence, int64_t schema_id,
                                  const int64_t *tables, uint32_t count)
{
    pb__influenced_tables__init(pb);
    pb->influence_type = block_influence(influence);
    pb->schema_id = schema_id;
    pb->table_ids = (int64_t *)(uintptr_t)tables;
    pb->n_table_ids = count;
}

static char *block_text(struct sl_arena *arena, struct sl_str s)
{
    char *text = sl_arena_alloc(arena, s.len + 1);
    if (!text)
        return NULL;
    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    return text;
}

static bool block_fill_added(Pb__State *state, struct sl_arena *arena, const struct sl_block *b)
{
    Pb__Table *tables = sl_arena_alloc(arena, (b->added_count + 1) * sizeof *tables);
    state->added_tables = sl_arena_alloc(arena, (b->added_count + 1) * sizeof(Pb__Table *));
    if (!tables || !state->added_tables)
        return false;
    for (uint32_t i = 0; i < b->added_count; i++) {
        pb__table__init(&tables[i]);
        tables[i].table_id = b->added[i].table_id;
        tables[i].schema_id = b->added[i].schema_id;
        tables[i].schema_name = block_text(arena, b->added[i].schema_name);
        tables[i].table_name = block_text(arena, b->added[i].table_name);
        if (!tables[i].schema_name || !tables[i].table_name)
            return false;
        state->added_tables[i] = &tables[i];
    }
    state->n_added_tables = b->added_count;
    return true;
}

static bool block_encode(struct sl_orchestrator *o, struct sl_block_wait *w, const struct sl_block *b)
{
    struct block_state s;
    sl_arena_reset(&o->scratch);
    pb__state__init(&s.state);
    block_fill_influenced(&s.blocked, b->influence, b->schema_id, b->tables, b->table_count);
    block_fill_influenced(&s.dropped, b->drops_schema ? SL_INFLUENCE_DB : SL_INFLUENCE_NORMAL, b->schema_id, b->dropped,
                          b->dropped_count);
    s.state.is_blocked = b->is_blocking;
    s.state.block_ts = b->commit_ts;
    s.state.block_tables = &s.blocked;
    s.state.dropped_tables = b->drops_schema || b->dropped_count > 0 ? &s.dropped : NULL;
    s.state.is_done = b->is_done;
    s.state.stage = b->is_blocking ? PB__BLOCK_STAGE__WAITING : PB__BLOCK_STAGE__NONE;
    if (!block_fill_added(&s.state, &o->scratch, b))
        return false;
    w->state_bytes = (uint32_t)pb__state__get_packed_size(&s.state);
    w->state = sl_mem_alloc(o->opts.mem, SL_TAG_DISPATCHERS, w->state_bytes);
    return w->state && pb__state__pack(&s.state, w->state) == w->state_bytes;
}

static bool block_room(struct sl_orchestrator *o, struct sl_dm *dm)
{
    if (dm->block_count < dm->block_cap)
        return true;
    uint32_t cap = dm->block_cap > 0 ? dm->block_cap * 2 : BLOCK_CAP_MIN;
    struct sl_block_wait *grown =
        sl_mem_resize(o->opts.mem, SL_TAG_DISPATCHERS, dm->blocks, dm->block_cap * sizeof *grown, cap * sizeof *grown);
    if (!grown)
        return false;
    dm->blocks = grown;
    dm->block_cap = cap;
    return true;
}

/* Without memory the feed says so: a change in front of which somebody waits unheard would be a feed that stands still
 * without a reason. */
static void block_on_blocked(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle,
                             const struct sl_report *report)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    struct sl_block_wait w = { .commit_ts = report->block->commit_ts, .dispatcher = handle, .say_at = o->now };
    if (d->state != SL_DISPATCHER_WORKING && d->state != SL_DISPATCHER_OPENING)
        return;
    struct sl_block_wait *before = block_find(dm, handle);
    if (before && (before->stage != SL_BLOCK_DONE || before->commit_ts >= w.commit_ts))
        block_drop(o, dm, before);
    bool fits = block_room(o, dm) && block_encode(o, &w, report->block);
    if (!fits) {
        sl_mem_free(o->opts.mem, SL_TAG_DISPATCHERS, w.state, w.state ? w.state_bytes : 0);
        sl__dm_set_error(o, dm, SL_STR("CDC:ErrSluiceNoMemory"), SL_STR("no memory for a schema change"));
        return;
    }
    dm->blocks[dm->block_count++] = w;
    block_rearm(dm);
    sl__dispatcher_advance(o, dm, handle, sl__block_clamp(dm, handle, w.commit_ts - 1, false), false);
}

static void block_on_unblocked(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle,
                               const struct sl_report *report)
{
    struct sl_block_wait *w = block_find(dm, handle);
    if (!w || w->stage != SL_BLOCK_ACTING || report->checkpoint < w->commit_ts)
        return;
    w->stage = SL_BLOCK_DONE;
    w->held = sl_ts_max(w->held, report->checkpoint);
    w->say_at = o->now;
    block_rearm(dm);
}

void sl__block_on_report(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, const struct sl_report *report,
                         struct sl_outbox *out)
{
    if (report->kind == SL_REPORT_BLOCKED)
        block_on_blocked(o, dm, handle, report);
    else
        block_on_unblocked(o, dm, handle, report);
    sl__blocks_run(o, dm, out);
}

/* ---- saying it ---- */

struct block_item {
    Pb__TableSpanBlockStatus status;
    Pb__DispatcherID id;
};

struct block_message {
    struct block_item items[SL_BLOCKS_PER_MESSAGE];
    Pb__TableSpanBlockStatus *list[SL_BLOCKS_PER_MESSAGE];
    uint32_t count;
};

static struct block_message *block_message_new(struct sl_orchestrator *o)
{
    sl_arena_reset(&o->scratch);
    struct block_message *m = sl_arena_alloc(&o->scratch, sizeof *m);
    if (m)
        m->count = 0;
    return m;
}

static void block_message_add(struct block_message *m, struct sl_dispatcher_id id, Pb__State *state)
{
    struct block_item *item = &m->items[m->count];
    pb__table_span_block_status__init(&item->status);
    item->id = sl_dispatcher_id_pb(id);
    item->status.id = &item->id;
    item->status.state = state;
    m->list[m->count++] = &item->status;
}

static bool block_message_send(const struct sl_dm *dm, struct block_message *m, struct sl_outbox *out)
{
    Pb__ChangefeedID feed = sl_feed_id_pb(&dm->feed);
    Pb__BlockStatusRequest request = PB__BLOCK_STATUS_REQUEST__INIT;
    if (m->count == 0)
        return true;
    request.changefeed = &feed;
    request.n_statuses = m->count;
    request.statuses = m->list;
    request.maintainer_epoch = dm->owner.epoch;
    return sl_out_send(out, dm->owner.node, SL_MSG_BLOCK_STATUS_REQUEST, &request.base);
}

static void *block_arena_alloc(void *arena, size_t size)
{
    return sl_arena_alloc(arena, size);
}

static void block_arena_free(void *arena, void *ptr)
{
    (void)arena;
    (void)ptr;
}

static Pb__State *block_decode(struct sl_orchestrator *o, const struct sl_block_wait *w)
{
    ProtobufCAllocator allocator = { block_arena_alloc, block_arena_free, &o->scratch };
    Pb__State *state = pb__state__unpack(&allocator, w->state_bytes, w->state);
    if (!state)
        return NULL;
    bool is_waiting = w->stage == SL_BLOCK_WAITING;
    if (!is_waiting)
        state->stage = w->stage == SL_BLOCK_DONE ? PB__BLOCK_STAGE__DONE : PB__BLOCK_STAGE__WRITING;
    return state;
}

/* The oldest first; one message per turn, what is left follows in the next. */
void sl__blocks_run(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    if (dm->block_at > o->now || dm->state != SL_DM_OPEN || dm->owner.node == SL_NODE_NONE)
        return;
    struct block_message *m = block_message_new(o);
    sl_ns again = sl_ns_after(o->now, SL_BLOCK_RESEND_NS);
    for (uint32_t i = 0; m && i < dm->block_count && m->count < SL_BLOCKS_PER_MESSAGE; i++) {
        struct sl_block_wait *w = &dm->blocks[i];
        Pb__State *state = w->say_at <= o->now ? block_decode(o, w) : NULL;
        if (!state)
            continue;
        block_message_add(m, sl__dispatcher_at(o, w->dispatcher)->id, state);
        w->say_at = again;
    }
    bool is_sent = m && block_message_send(dm, m, out);
    block_rearm(dm);
    if (!is_sent)
        dm->block_at = sl_ns_after(o->now, o->opts.status_batch_ns);
}

/* ---- what the owner says ---- */

/* Somebody asks about a change that is behind the dispatcher: the answer is that it is done. */
static void block_answer_done(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, uint64_t commit_ts,
                              struct sl_outbox *out)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    struct block_message *m = block_message_new(o);
    Pb__State state = PB__STATE__INIT;
    if (!m || sl__dm_checkpoint_of(dm, d) < commit_ts)
        return;
    state.is_blocked = true;
    state.block_ts = commit_ts;
    state.stage = PB__BLOCK_STAGE__DONE;
    block_message_add(m, d->id, &state);
    (void)block_message_send(dm, m, out);
}

static void block_act(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_block_wait *w, Pb__Action action,
                      struct sl_outbox *out)
{
    /* L1. What a step has no room for is asked again. */
    if (w->stage != SL_BLOCK_WAITING || out->command_count + BLOCK_COMMANDS_KEPT > SL_OUTBOX_COMMANDS_MAX)
        return;
    const struct sl_dispatcher *d = sl__dispatcher_at(o, w->dispatcher);
    struct sl_command command = { .verb = action == PB__ACTION__PASS ? SL_COMMAND_PASS : SL_COMMAND_WRITE,
                                  .feed = sl__dm_token(dm),
                                  .dispatcher = sl__dispatcher_token(d, w->dispatcher),
                                  .start_ts = w->commit_ts };
    w->stage = SL_BLOCK_ACTING;
    w->say_at = SL_NEVER;
    (void)sl_out_command(out, &command); /* never dropped */
}

static void block_on_action(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle,
                            const Pb__DispatcherAction *action, struct sl_outbox *out)
{
    struct sl_block_wait *w = block_find_at(dm, handle, action->commit_ts), *last = block_find(dm, handle);
    if (w)
        block_act(o, dm, w, action->action, out);
    else if (!last || last->commit_ts > action->commit_ts)
        block_answer_done(o, dm, handle, action->commit_ts, out);
}

static void block_on_ack(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, uint64_t commit_ts)
{
    struct sl_block_wait *w = block_find_at(dm, handle, commit_ts);
    if (!w)
        return;
    w->say_at = SL_NEVER;
    if (w->stage == SL_BLOCK_DONE) {
        sl_ts held = w->held;
        bool follows = w->follows && sl__dispatcher_at(o, handle)->state == SL_DISPATCHER_WORKING;
        block_drop(o, dm, w);
        sl_ts most = sl__block_clamp(dm, handle, held, follows);
        sl__dispatcher_advance(o, dm, handle, most, follows && most == held);
    }
}

/* "Not now, or not known": say it again, or say that it is done. */
static void block_on_ignored(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, uint64_t commit_ts,
                             struct sl_outbox *out)
{
    struct sl_block_wait *w = block_find_at(dm, handle, commit_ts), *last = block_find(dm, handle);
    if (w && w->stage != SL_BLOCK_ACTING)
        w->say_at = sl_ns_min(w->say_at, sl_ns_after(o->now, o->opts.status_batch_ns));
    else if (!w && (!last || last->commit_ts > commit_ts))
        block_answer_done(o, dm, handle, commit_ts, out);
}

static void block_on_status(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, const Pb__DispatcherStatus *s,
                            struct sl_outbox *out)
{
    if (!sl__dispatcher_is_hosted(sl__dispatcher_at(o, handle)))
        return;
    if (s->ack)
        block_on_ack(o, dm, handle, s->ack->commit_ts);
    if (s->action)
        block_on_action(o, dm, handle, s->action, out);
    if (s->ignored)
        block_on_ignored(o, dm, handle, s->ignored->commit_ts, out);
    block_rearm(dm);
}

static bool block_is_meant(const struct sl_dm *dm, uint32_t handle, const struct sl_dispatcher *d,
                           const Pb__InfluencedDispatchers *who)
{
    if (who->exclude && sl_dispatcher_id_eq(d->id, sl_dispatcher_id_of(who->exclude)))
        return false;
    return who->influence_type == PB__INFLUENCE_TYPE__ALL || d->schema_id == who->schema_id ||
           handle == dm->trigger_handle;
}

/* A schema, or everything: who waits here is meant; others need no answer, they are asked one by one. */
static void block_on_wide_status(struct sl_orchestrator *o, struct sl_dm *dm, const Pb__DispatcherStatus *s,
                                 struct sl_outbox *out)
{
    for (uint32_t i = dm->block_count; i > 0; i--) {
        uint32_t handle = dm->blocks[i - 1].dispatcher;
        if (block_is_meant(dm, handle, sl__dispatcher_at(o, handle), s->influenced))
            block_on_status(o, dm, handle, s, out);
    }
}

static void block_on_narrow_status(struct sl_orchestrator *o, struct sl_dm *dm, const Pb__DispatcherStatus *s,
                                   struct sl_outbox *out)
{
    for (size_t i = 0; i < s->influenced->n_dispatcher_ids; i++) {
        uint32_t handle = sl__dm_find_dispatcher(o, dm, sl_dispatcher_id_of(s->influenced->dispatcher_ids[i]));
        if (handle != 0)
            block_on_status(o, dm, handle, s, out);
    }
}

enum sl_refusal sl__block_on_response(struct sl_orchestrator *o, struct sl_dm *dm, const Pb__HeartBeatResponse *r,
                                      struct sl_outbox *out)
{
    if (dm->state != SL_DM_OPEN)
        return SL_REFUSE_NONE;
    for (size_t i = 0; i < r->n_statuses; i++) {
        const Pb__DispatcherStatus *s = r->statuses[i];
        if (s->influenced->influence_type == PB__INFLUENCE_TYPE__NORMAL)
            block_on_narrow_status(o, dm, s, out);
        else
            block_on_wide_status(o, dm, s, out);
    }
    sl__dm_finish(o, dm, out);
    return SL_REFUSE_NONE;
}
