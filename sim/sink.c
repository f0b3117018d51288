/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sink_internal.h"

#include "core/common/mem_tags.h"

#include <stddef.h>

#define SINK_CAP_MIN 16u
#define SINK_PROCESS_DEAD 1u
#define SINK_PROCESS_UNLEASED 2u
#define SINK_SESSION_COUNT_MAX 4000000u

void sl_sim_sink_init(struct sl_sim_sink *s, struct sl_sim_engine *e, struct sl_sim_oracle *o)
{
    *s = (struct sl_sim_sink){ .engine = e, .oracle = o };
    sl_slab_init(&s->sessions, &e->mem, SL_TAG_SIM, sizeof(struct sink_session), SINK_SESSION_COUNT_MAX);
}

void sl_sim_sink_deinit(struct sl_sim_sink *s)
{
    for (uint32_t i = 0; i < s->feed_count; i++) {
        struct sl_sim_sink_feed *f = &s->feeds[i];
        sl_heap_deinit(&f->detached);
        sl_sim__sink_free_ddls(s, f);
        sl_sim_free(s->engine, f->spans, f->span_cap * sizeof *f->spans);
    }
    sl_sim_free(s->engine, s->feeds, s->feed_cap * sizeof *s->feeds);
    sl_sim_free(s->engine, s->processes, s->process_cap);
    sl_slab_deinit(&s->sessions);
}

static uint32_t sink_cap_for(uint32_t index)
{
    uint32_t cap = SINK_CAP_MIN;
    while (cap <= index)
        cap *= 2;
    return cap;
}

/* ---- feeds and tables ---- */

static void sink_span_moved(void *ctx, uint32_t table, uint32_t position)
{
    struct sl_sim_span *const *spans = ctx;
    (*spans)[table].heap_position = position;
}

/* The heaps point into the array of feeds, so after it moved they are told again. */
static void sink_feeds_moved(struct sl_sim_sink *s)
{
    for (uint32_t i = 0; i < s->feed_count; i++)
        s->feeds[i].detached.ctx = (void *)&s->feeds[i].spans;
}

uint32_t sl_sim_sink_add_feed(struct sl_sim_sink *s)
{
    if (s->feed_count == s->feed_cap) {
        uint32_t cap = sink_cap_for(s->feed_count);
        s->feeds = sl_sim_resize(s->engine, s->feeds, s->feed_cap * sizeof *s->feeds, cap * sizeof *s->feeds);
        s->feed_cap = cap;
    }
    struct sl_sim_sink_feed *f = &s->feeds[s->feed_count++];
    sl_heap_init(&f->detached, &s->engine->mem, SL_TAG_SIM, SL_SIM_TABLE_MAX, sink_span_moved, NULL);
    sink_feeds_moved(s);
    return s->feed_count - 1;
}

struct sl_sim_span *sl_sim__sink_span(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id)
{
    SL_REQUIRE(feed < s->feed_count && table_id >= 0 && table_id < (int64_t)s->feeds[feed].span_cap);
    return &s->feeds[feed].spans[table_id];
}

static void sink_detach(struct sl_sim_sink_feed *f, struct sl_sim_span *span)
{
    if (!span->is_table || span->is_retired)
        return;
    bool pushed = sl_heap_push(&f->detached, span->durable, (uint32_t)(span - f->spans));
    SL_REQUIRE(pushed);
}

static void sink_attach(struct sl_sim_sink_feed *f, struct sl_sim_span *span)
{
    if (span->heap_position != SL_HEAP_NOWHERE)
        sl_heap_remove(&f->detached, span->heap_position);
}

/* A life of a table that was there before begins when its drop was performed. */
static void sink_add_life(struct sl_sim_sink_feed *f, struct sl_sim_span *span, sl_ts start)
{
    if (!span->is_retired) {
        SL_REQUIRE(span->next_start == SL_TS_NONE);
        span->next_start = start;
        return;
    }
    span->is_retired = false;
    span->durable = start;
    sink_detach(f, span);
}

void sl_sim_sink_add_table(struct sl_sim_sink *s, uint32_t feed, int64_t table_id, sl_ts start)
{
    SL_REQUIRE(feed < s->feed_count && table_id >= 0 && table_id < (int64_t)SL_SIM_TABLE_MAX);
    struct sl_sim_sink_feed *f = &s->feeds[feed];
    if ((uint32_t)table_id >= f->span_cap) {
        uint32_t cap = sink_cap_for((uint32_t)table_id);
        f->spans = sl_sim_resize(s->engine, f->spans, f->span_cap * sizeof *f->spans, cap * sizeof *f->spans);
        f->span_cap = cap;
    }
    struct sl_sim_span *span = &f->spans[table_id];
    if (span->is_table) {
        sink_add_life(f, span, start);
        return;
    }
    *span = (struct sl_sim_span){
        .durable = start, .is_table = true, .is_trigger = table_id == 0, .heap_position = SL_HEAP_NOWHERE
    };
    sink_detach(f, span);
}

/* ---- processes and sessions ---- */

static void sink_flag_process(struct sl_sim_sink *s, uint32_t process, unsigned flag)
{
    if (process >= s->process_cap) {
        uint32_t cap = sink_cap_for(process);
        s->processes = sl_sim_resize(s->engine, s->processes, s->process_cap, cap);
        s->process_cap = cap;
    }
    s->processes[process] |= (uint8_t)flag;
}

static unsigned sink_process_flags(const struct sl_sim_sink *s, uint32_t process)
{
    return process < s->process_cap ? s->processes[process] : 0;
}

bool sl_sim__sink_is_dead(const struct sl_sim_sink *s, uint32_t process)
{
    return (sink_process_flags(s, process) & SINK_PROCESS_DEAD) != 0;
}

void sl_sim_sink_process_dies(struct sl_sim_sink *s, uint32_t process)
{
    sink_flag_process(s, process, SINK_PROCESS_DEAD);
}

void sl_sim_sink_process_unleased(struct sl_sim_sink *s, uint32_t process)
{
    sink_flag_process(s, process, SINK_PROCESS_UNLEASED);
}

void sl_sim_sink_process_leased(struct sl_sim_sink *s, uint32_t process)
{
    if (process < s->process_cap)
        s->processes[process] &= (uint8_t)~SINK_PROCESS_UNLEASED;
}

struct sink_session *sl_sim__sink_session(const struct sl_sim_sink *s, uint32_t handle)
{
    return sl_slab_at(&s->sessions, handle);
}

uint32_t sl_sim_sink_open_session(struct sl_sim_sink *s, uint32_t feed, uint32_t process, uint32_t node)
{
    uint32_t handle;
    struct sink_session *session = sl_slab_new(&s->sessions, &handle);
    SL_REQUIRE(session != NULL);
    struct sl_sim_sink_feed *f = &s->feeds[feed];
    *session = (struct sink_session){ .feed = feed, .process = process, .node = node, .next = f->session_head };
    if (f->session_head != 0)
        sl_sim__sink_session(s, f->session_head)->prev = handle;
    f->session_head = handle;
    return handle;
}

/* A closed session lives on as long as tables name it: it says what became of their writer. */
static void sink_collect(struct sl_sim_sink *s, uint32_t handle)
{
    struct sink_session *session = sl_sim__sink_session(s, handle);
    if (!session->is_closed || session->refs > 0)
        return;
    if (session->prev != 0)
        sl_sim__sink_session(s, session->prev)->next = session->next;
    else
        s->feeds[session->feed].session_head = session->next;
    if (session->next != 0)
        sl_sim__sink_session(s, session->next)->prev = session->prev;
    sl_slab_free(&s->sessions, handle);
}

void sl_sim_sink_close_session(struct sl_sim_sink *s, uint32_t handle)
{
    sl_sim__sink_session(s, handle)->is_closed = true;
    sink_collect(s, handle);
}

void sl_sim_sink_progress(struct sl_sim_sink *s, uint32_t handle, sl_ts to)
{
    struct sink_session *session = sl_sim__sink_session(s, handle);
    SL_REQUIRE(!session->is_closed && to >= session->progress);
    sl_sim__sink_judge_session(s, handle, to);
    session->progress = to;
}

bool sl_sim_sink_is_robbed(const struct sl_sim_sink *s, uint32_t handle)
{
    return sl_sim__sink_session(s, handle)->is_robbed;
}

sl_ts sl_sim_sink_session_progress(const struct sl_sim_sink *s, uint32_t handle)
{
    return sl_sim__sink_session(s, handle)->progress;
}

/* ---- writers ---- */

static enum sl_sim_writer_state sink_writer_state(const struct sl_sim_sink *s, const struct sl_sim_span *span)
{
    if (span->session == 0)
        return SL_SIM_WRITER_NONE;
    if (!span->is_writing)
        return SL_SIM_WRITER_STOPPED;
    unsigned flags = sink_process_flags(s, span->process);
    if (flags & SINK_PROCESS_DEAD)
        return SL_SIM_WRITER_DEAD;
    /* A hand-over waits for a table trigger that cannot end, but not for ever: its changes are applied once whatever
     * happens, because the sink keeps a journal of them. */
    bool is_old_trigger = span->is_trigger && span->is_stopping;
    if (is_old_trigger || sl_sim__sink_session(s, span->session)->is_closed)
        return SL_SIM_WRITER_FENCED;
    return flags & SINK_PROCESS_UNLEASED ? SL_SIM_WRITER_UNLEASED : SL_SIM_WRITER_RUNNING;
}

static void sink_end_following(struct sl_sim_sink *s, struct sl_sim_sink_feed *f, struct sl_sim_span *span)
{
    if (!span->is_following)
        return;
    struct sink_session *session = sl_sim__sink_session(s, span->session);
    span->is_following = false;
    span->durable = sl_ts_max(span->durable, session->progress);
    span->stored = sl_ts_max(span->stored, session->progress);
    session->followers--;
    sink_detach(f, span);
}

void sl_sim__sink_raise(struct sl_sim_sink_feed *f, struct sl_sim_span *span, sl_ts to)
{
    span->durable = to;
    if (span->heap_position != SL_HEAP_NOWHERE)
        sl_heap_update(&f->detached, span->heap_position, to);
}

void sl_sim_sink_retire_table(struct sl_sim_sink *s, uint32_t feed, int64_t table_id)
{
    struct sl_sim_sink_feed *f = &s->feeds[feed];
    struct sl_sim_span *span = sl_sim__sink_span(s, feed, table_id);
    sink_end_following(s, f, span);
    if (span->next_start != SL_TS_NONE) {
        sl_sim__sink_raise(f, span, span->next_start);
        span->next_start = SL_TS_NONE;
        return;
    }
    sink_attach(f, span);
    span->is_retired = true;
}

sl_ts sl_sim__sink_span_durable(const struct sl_sim_sink *s, const struct sl_sim_span *span)
{
    return span->is_following ? sl_ts_max(span->durable, sl_sim__sink_session(s, span->session)->progress)
                              : span->durable;
}

bool sl_sim_sink_claim(struct sl_sim_sink *s, const struct sl_sim_writer *w, sl_ts start)
{
    struct sink_session *session = sl_sim__sink_session(s, w->session);
    struct sl_sim_sink_feed *f = &s->feeds[session->feed];
    struct sl_sim_span *span = sl_sim__sink_span(s, session->feed, w->table_id);
    struct sl_sim_claim claim = {
        .feed = session->feed,
        .table_id = w->table_id,
        .process = session->process,
        .previous_process = span->process,
        .placement = w->placement,
        .previous_placement = span->placement,
        .previous = sink_writer_state(s, span),
        .is_same_node = span->node == session->node,
        .is_leased = sink_process_flags(s, session->process) == 0,
        .start_ts = start,
        .durable = sl_sim__sink_span_durable(s, span),
        .is_retired = span->is_retired,
    };
    if (!sl_sim_oracle_claim(s->oracle, &claim)) {
        s->refusal_count++;
        return false;
    }
    s->claim_count++;
    s->move_count += claim.previous == SL_SIM_WRITER_STOPPED && !claim.is_same_node && !span->is_trigger;
    if (span->is_following)
        sl_sim__sink_session(s, span->session)->is_robbed = true;
    sink_end_following(s, f, span);
    uint32_t before = span->session;
    session->refs++;
    span->session = w->session;
    span->process = session->process;
    span->node = session->node;
    span->placement = w->placement;
    span->is_writing = true;
    span->is_stopping = false;
    if (before != 0) {
        sl_sim__sink_session(s, before)->refs--;
        sink_collect(s, before);
    }
    return true;
}

struct sl_sim_span *sl_sim__sink_owned(const struct sl_sim_sink *s, const struct sl_sim_writer *w)
{
    struct sl_sim_span *span = sl_sim__sink_span(s, sl_sim__sink_session(s, w->session)->feed, w->table_id);
    bool is_owner =
        span->session == w->session && span->is_writing && sl_placement_cmp(span->placement, w->placement) == 0;
    return is_owner ? span : NULL;
}

bool sl_sim_sink_write(struct sl_sim_sink *s, const struct sl_sim_writer *w, sl_ts to)
{
    struct sl_sim_span *span = sl_sim__sink_owned(s, w);
    if (!span) {
        s->refusal_count++;
        return false;
    }
    SL_REQUIRE(!span->is_following);
    span->stored = sl_ts_max(span->stored, to);
    if (to <= span->durable)
        return true;
    uint32_t feed = sl_sim__sink_session(s, w->session)->feed;
    sl_sim__sink_judge_rows(s, feed, w->table_id, span->durable, to);
    sl_sim__sink_raise(&s->feeds[feed], span, to);
    return true;
}

bool sl_sim_sink_follow(struct sl_sim_sink *s, const struct sl_sim_writer *w)
{
    struct sl_sim_span *span = sl_sim__sink_owned(s, w);
    if (!span) {
        s->refusal_count++;
        return false;
    }
    struct sink_session *session = sl_sim__sink_session(s, w->session);
    SL_REQUIRE(!span->is_following && session->progress >= span->durable);
    if (span->is_retired) /* what becomes of it holds nobody back any more */
        return true;
    span->is_following = true;
    session->followers++;
    sink_attach(&s->feeds[session->feed], span);
    return true;
}

void sl_sim_sink_unfollow(struct sl_sim_sink *s, const struct sl_sim_writer *w)
{
    struct sl_sim_span *span = sl_sim__sink_owned(s, w);
    if (span)
        sink_end_following(s, &s->feeds[sl_sim__sink_session(s, w->session)->feed], span);
}

void sl_sim_sink_begin_stop(struct sl_sim_sink *s, const struct sl_sim_writer *w)
{
    struct sl_sim_span *span = sl_sim__sink_owned(s, w);
    if (span)
        span->is_stopping = true;
}

void sl_sim_sink_stop(struct sl_sim_sink *s, const struct sl_sim_writer *w)
{
    struct sl_sim_span *span = sl_sim__sink_owned(s, w);
    if (!span)
        return;
    sink_end_following(s, &s->feeds[sl_sim__sink_session(s, w->session)->feed], span);
    span->is_writing = false;
}

/* ---- what is durable ---- */

sl_ts sl_sim_sink_durable(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id)
{
    return sl_sim__sink_span_durable(s, sl_sim__sink_span(s, feed, table_id));
}

sl_ts sl_sim_sink_stored(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id)
{
    const struct sl_sim_span *span = sl_sim__sink_span(s, feed, table_id);
    return span->is_following ? sl_ts_max(span->stored, sl_sim__sink_session(s, span->session)->progress)
                              : span->stored;
}

sl_ts sl_sim_sink_feed_durable(const struct sl_sim_sink *s, uint32_t feed)
{
    const struct sl_heap_item *first = sl_heap_peek(&s->feeds[feed].detached);
    sl_ts durable = first ? first->key : SL_TS_MAX;
    uint32_t handle = s->feeds[feed].session_head;
    while (handle != 0) {
        const struct sink_session *session = sl_sim__sink_session(s, handle);
        if (session->followers > 0)
            durable = sl_ts_min(durable, session->progress);
        handle = session->next;
    }
    return durable;
}

int64_t sl_sim_sink_laggard(const struct sl_sim_sink *s, uint32_t feed)
{
    const struct sl_heap_item *first = sl_heap_peek(&s->feeds[feed].detached);
    return first && first->key == sl_sim_sink_feed_durable(s, feed) ? (int64_t)first->value : -1;
}

uint32_t sl_sim_sink_writer(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id)
{
    const struct sl_sim_span *span = sl_sim__sink_span(s, feed, table_id);
    enum sl_sim_writer_state state = sink_writer_state(s, span);
    return state == SL_SIM_WRITER_RUNNING || state == SL_SIM_WRITER_UNLEASED ? span->process : 0;
}
