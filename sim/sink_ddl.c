/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sink_internal.h"

#include <string.h>

#define SINK_DDL_CAP_MIN 8u

/* An event's b: number of the change, slot of the journal, and whether the statement has arrived or was performed. */
#define SINK_EVENT_SLOTS (SINK_JOURNAL_MAX * 2)

static struct sl_sim_sink_ddl *sink_ddl(const struct sl_sim_sink *s, uint32_t feed, uint32_t change)
{
    SL_REQUIRE(feed < s->feed_count && change < s->feeds[feed].ddl_count);
    return &s->feeds[feed].ddls[change];
}

static int64_t *sink_keep_ids(struct sl_sim_sink *s, const int64_t *ids, uint32_t count)
{
    int64_t *kept = sl_sim_alloc(s->engine, (count + 1) * sizeof *kept);
    if (count > 0)
        memcpy(kept, ids, count * sizeof *kept);
    return kept;
}

void sl_sim_sink_add_change(struct sl_sim_sink *s, uint32_t feed, const struct sl_sim_sink_change *change)
{
    struct sl_sim_sink_feed *f = &s->feeds[feed];
    SL_REQUIRE(f->ddl_count == 0 || f->ddls[f->ddl_count - 1].ts < change->ts);
    if (f->ddl_count == f->ddl_cap) {
        uint32_t cap = f->ddl_cap > 0 ? f->ddl_cap * 2 : SINK_DDL_CAP_MIN;
        f->ddls = sl_sim_resize(s->engine, f->ddls, f->ddl_cap * sizeof *f->ddls, cap * sizeof *f->ddls);
        f->ddl_cap = cap;
    }
    f->ddls[f->ddl_count++] =
        (struct sl_sim_sink_ddl){ .ts = change->ts,
                                  .touched = sink_keep_ids(s, change->touched, change->touched_count),
                                  .touched_count = change->touched_count,
                                  .dropped = sink_keep_ids(s, change->dropped, change->dropped_count),
                                  .dropped_count = change->dropped_count,
                                  .by_trigger = change->by_trigger,
                                  .is_refused = change->is_refused };
}

void sl_sim__sink_free_ddls(struct sl_sim_sink *s, struct sl_sim_sink_feed *f)
{
    for (uint32_t i = 0; i < f->ddl_count; i++) {
        struct sl_sim_sink_ddl *d = &f->ddls[i];
        sl_sim_free(s->engine, d->touched, (d->touched_count + 1) * sizeof *d->touched);
        sl_sim_free(s->engine, d->dropped, (d->dropped_count + 1) * sizeof *d->dropped);
    }
    sl_sim_free(s->engine, f->ddls, f->ddl_cap * sizeof *f->ddls);
}

bool sl_sim_sink_has_next_life(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id)
{
    return sl_sim__sink_span(s, feed, table_id)->next_start != SL_TS_NONE;
}

sl_ts sl_sim_sink_first_open(const struct sl_sim_sink *s, uint32_t feed)
{
    const struct sl_sim_sink_feed *f = &s->feeds[feed];
    return f->ddl_open < f->ddl_count ? f->ddls[f->ddl_open].ts : SL_TS_MAX;
}

/* ---- what is judged ---- */

static bool sink_lists(const int64_t *ids, uint32_t count, int64_t table_id)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == table_id)
            return true;
    return false;
}

/* The table trigger stands for all that it performs. */
static bool sink_touches(const struct sl_sim_sink_ddl *d, int64_t table_id)
{
    return table_id == 0 ? d->by_trigger : sink_lists(d->touched, d->touched_count, table_id);
}

void sl_sim__sink_judge_rows(struct sl_sim_sink *s, uint32_t feed, int64_t table_id, sl_ts after, sl_ts to)
{
    const struct sl_sim_sink_feed *f = &s->feeds[feed];
    for (uint32_t i = f->ddl_open; i < f->ddl_count && f->ddls[i].ts <= to; i++) {
        const struct sl_sim_sink_ddl *d = &f->ddls[i];
        if (d->ts >= after && !d->is_performed && sink_touches(d, table_id))
            sl_sim_oracle_rows(s->oracle, feed, table_id, to, d->ts);
    }
}

void sl_sim__sink_judge_session(struct sl_sim_sink *s, uint32_t handle, sl_ts to)
{
    const struct sink_session *session = sl_sim__sink_session(s, handle);
    const struct sl_sim_sink_feed *f = &s->feeds[session->feed];
    for (uint32_t i = f->ddl_open; i < f->ddl_count && f->ddls[i].ts <= to; i++) {
        const struct sl_sim_sink_ddl *d = &f->ddls[i];
        if (d->ts <= session->progress || d->is_performed)
            continue;
        for (uint32_t table = 0; table < f->span_cap; table++) {
            const struct sl_sim_span *span = &f->spans[table];
            if (span->is_following && span->session == handle && sink_touches(d, table))
                sl_sim_oracle_rows(s->oracle, session->feed, table, to, d->ts);
        }
    }
}

/* All rows before it are durable, or would be written into tables that look otherwise. */
static void sink_judge_begin(const struct sl_sim_sink *s, uint32_t feed, const struct sl_sim_sink_ddl *d)
{
    for (uint32_t i = 0; i < d->touched_count; i++) {
        const struct sl_sim_span *span = sl_sim__sink_span(s, feed, d->touched[i]);
        sl_ts durable = sl_sim__sink_span_durable(s, span);
        if (!span->is_retired)
            sl_sim_oracle_begins(s->oracle, feed, d->ts, d->touched[i], durable);
    }
}

/* What it shares a table with comes in order; so does what the trigger performs. */
static bool sink_must_precede(const struct sl_sim_sink_ddl *a, const struct sl_sim_sink_ddl *b)
{
    if (a->by_trigger && b->by_trigger)
        return true;
    for (uint32_t i = 0; i < a->touched_count; i++)
        if (sink_lists(b->touched, b->touched_count, a->touched[i]))
            return true;
    return false;
}

static void sink_judge_performed(const struct sl_sim_sink *s, uint32_t feed, uint32_t change)
{
    const struct sl_sim_sink_feed *f = &s->feeds[feed];
    const struct sl_sim_sink_ddl *d = &f->ddls[change];
    sl_ts missing = SL_TS_NONE;
    for (uint32_t i = f->ddl_open; i < change && missing == SL_TS_NONE; i++) {
        if (!f->ddls[i].is_performed && sink_must_precede(&f->ddls[i], d))
            missing = f->ddls[i].ts;
    }
    sl_sim_oracle_performed(s->oracle, feed, d->ts, d->performed_count, missing);
}

/* ---- performing it ---- */

static void sink_apply(struct sl_sim_sink *s, uint32_t feed, struct sl_sim_sink_ddl *d)
{
    struct sl_sim_sink_feed *f = &s->feeds[feed];
    if (d->is_performed)
        return;
    d->is_performed = true;
    s->change_count++;
    while (f->ddl_open < f->ddl_count && f->ddls[f->ddl_open].is_performed)
        f->ddl_open++;
    for (uint32_t i = 0; i < d->dropped_count; i++)
        sl_sim_sink_retire_table(s, feed, d->dropped[i]);
}

void sl_sim_sink_refuse_change(struct sl_sim_sink *s, uint32_t feed, uint32_t change)
{
    sink_ddl(s, feed, change)->was_refused = true;
}

bool sl_sim_sink_perform_by_hand(struct sl_sim_sink *s, uint32_t feed, uint32_t change)
{
    struct sl_sim_sink_ddl *d = sink_ddl(s, feed, change);
    if (!d->was_refused || d->is_performed)
        return false;
    sink_apply(s, feed, d);
    return true;
}

static struct sink_journal *sink_journal(struct sl_sim_sink_ddl *d, int64_t table_id)
{
    uint32_t i = 0;
    while (d->journal[i].is_there && d->journal[i].table_id != table_id) {
        i++;
        SL_REQUIRE(i < SINK_JOURNAL_MAX);
    }
    return &d->journal[i];
}

static void sink_push(const struct sl_sim_sink *s, const struct sink_session *session, uint32_t b, sl_ns at)
{
    sl_sim_engine_push(s->engine, at,
                       (struct sl_sim_event){ .kind = SL_SIM_EVENT_SINK,
                                              .host = (uint16_t)session->node,
                                              .life = session->process,
                                              .a = session->feed,
                                              .b = b });
}

/* It takes a while to get there; a client that dies meanwhile has said nothing. */
static void sink_run(struct sl_sim_sink *s, const struct sl_sim_writer *w, uint32_t change, sl_ns takes_ns)
{
    const struct sink_session *session = sl_sim__sink_session(s, w->session);
    struct sl_sim_sink_ddl *d = sink_ddl(s, session->feed, change);
    struct sink_journal *j = sink_journal(d, w->table_id);
    uint32_t slot = (uint32_t)(j - d->journal), b = change * SINK_EVENT_SLOTS + slot * 2;
    sink_judge_begin(s, session->feed, d);
    *j = (struct sink_journal){
        .table_id = w->table_id, .is_there = true, .is_running = true, .until = s->engine->now + takes_ns
    };
    sink_push(s, session, b, s->engine->now + takes_ns / 4);
    sink_push(s, session, b + 1, j->until);
}

enum sl_sim_verdict sl_sim_sink_begin_change(struct sl_sim_sink *s, const struct sl_sim_writer *w, uint32_t change,
                                             sl_ns takes_ns, sl_ns *until)
{
    uint32_t feed = sl_sim__sink_session(s, w->session)->feed;
    struct sl_sim_span *span = sl_sim__sink_owned(s, w);
    struct sl_sim_sink_ddl *d = sink_ddl(s, feed, change);
    if (!span)
        return SL_SIM_VERDICT_FENCED;
    if (!sl_sim_sink_write(s, w, d->ts - 1))
        return SL_SIM_VERDICT_FENCED;
    if (d->is_refused) {
        d->was_refused = true;
        return SL_SIM_VERDICT_REFUSED;
    }
    struct sink_journal *j = sink_journal(d, w->table_id);
    if (j->is_there && !j->is_running && (j->is_done || d->is_performed))
        return SL_SIM_VERDICT_DONE;
    if (!j->is_running)
        sink_run(s, w, change, takes_ns);
    *until = j->until;
    return SL_SIM_VERDICT_RUNS;
}

bool sl_sim_sink_end_change(struct sl_sim_sink *s, const struct sl_sim_writer *w, uint32_t change)
{
    struct sl_sim_sink_ddl *d = sink_ddl(s, sl_sim__sink_session(s, w->session)->feed, change);
    if (!sl_sim_sink_write(s, w, d->ts))
        return false;
    sink_journal(d, w->table_id)->is_done = true;
    return true;
}

bool sl_sim_sink_is_performed(const struct sl_sim_sink *s, uint32_t feed, uint32_t change)
{
    return sink_ddl(s, feed, change)->is_performed;
}

bool sl_sim_sink_was_performed(const struct sl_sim_sink *s, uint32_t feed, uint32_t change)
{
    const struct sl_sim_sink_ddl *d = sink_ddl(s, feed, change);
    for (uint32_t i = 0; i < SINK_JOURNAL_MAX; i++)
        if (d->journal[i].is_there && d->journal[i].table_id == 0)
            return d->journal[i].is_done;
    return false;
}

bool sl_sim_sink_on_event(struct sl_sim_sink *s, const struct sl_sim_event *event)
{
    uint32_t change = event->b / SINK_EVENT_SLOTS, slot = event->b % SINK_EVENT_SLOTS / 2;
    struct sink_journal *j = &sink_ddl(s, event->a, change)->journal[slot];
    bool has_arrived_now = event->b % 2 == 0;
    if (has_arrived_now) {
        j->is_running = !sl_sim__sink_is_dead(s, event->life);
        return false;
    }
    if (!j->is_running || s->engine->now < j->until)
        return false;
    j->is_running = false;
    sink_ddl(s, event->a, change)->performed_count++;
    sink_judge_performed(s, event->a, change);
    sink_apply(s, event->a, sink_ddl(s, event->a, change));
    return true;
}
