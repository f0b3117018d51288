/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <stdlib.h>
#include <time.h>

#define LANE_CLAIMS_MAX 1024u
#define LANE_FORGETS 2 /* times the longest wait: a trouble of which nothing was heard for so long is over */

/*
 * The worker of one lane. It holds the hub's mutex but for the calls into the sink (between lane_enter and lane_leave).
 */
static void lane_enter(struct sl_plane_lane *l)
{
    l->is_calling = true;
    pthread_mutex_unlock(&l->feed->hub->mutex);
}

static void lane_leave(struct sl_plane_lane *l)
{
    pthread_mutex_lock(&l->feed->hub->mutex);
    l->is_calling = false;
}

static bool lane_goes_on(const struct sl_plane_lane *l)
{
    return l->feed->state == SL_PLANE_FEED_OPENING || l->feed->state == SL_PLANE_FEED_OPEN;
}

static bool lane_may_write(const struct sl_plane_lane *l)
{
    return lane_goes_on(l) && !atomic_load(&l->feed->is_fenced);
}

static bool lane_has_lease(const struct sl_plane_lane *l)
{
    const _Atomic sl_ns *until = l->feed->plane->opts.lease_until;
    struct timespec now;
    if (!until)
        return true;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (sl_ns)now.tv_sec * SL_S + (sl_ns)now.tv_nsec < atomic_load(until);
}

/* ---- troubles ---- */

/* Waits before the same is tried again. False: it has gone on for too long. */
static bool lane_wait_again(struct sl_plane_lane *l, const struct sl_trouble *t)
{
    const struct sl_plane_opts *opts = &l->feed->plane->opts;
    sl_ns now = sl__now();
    if (l->trouble_ns == 0) {
        l->trouble_ns = now;
        l->retry_ns = opts->retry_ns;
    }
    l->trouble_last_ns = now;
    if (now - l->trouble_ns >= opts->give_up_ns)
        return false;
    l->feed->trouble = *t;
    l->feed->is_noted = true;
    sl__plane_feed_touch(l->feed);
    sl_ns end = now + l->retry_ns;
    for (sl_ns left = l->retry_ns; left > 0 && lane_may_write(l); left = end - sl__now())
        sl__cond_wait(&l->changed, &l->feed->hub->mutex, left);
    l->trouble_last_ns = sl__now();
    l->retry_ns = sl_ns_min(l->retry_ns * 2, opts->retry_ns_max);
    return true;
}

/*
 * Who gave up, or whose rows nobody wanted any more, never saw the trouble end. The next one, hours later, is another: it
 * has all of its time, and the first wait is a short one.
 */
static void lane_forget_trouble(struct sl_plane_lane *l)
{
    sl_ns gone_ns = LANE_FORGETS * l->feed->plane->opts.retry_ns_max;
    if (l->trouble_ns != 0 && sl__now() - l->trouble_last_ns > gone_ns)
        l->trouble_ns = 0;
}

/* An interruption that nobody asked for is one more trouble that passes. */
static bool lane_is_passing(const struct sl_trouble *t)
{
    return t->kind == SL_TROUBLE_PASSING || t->kind == SL_TROUBLE_ENDED;
}

/* What it last did may have happened or not; the next one starts anew. */
static void lane_drop_writer(struct sl_plane_lane *l)
{
    struct sl_writer *w = l->writer;
    l->writer = NULL;
    l->is_in_doubt = true;
    if (!w)
        return;
    lane_enter(l);
    w->driver->close_writer(w);
    lane_leave(l);
}

static bool lane_open_writer(struct sl_plane_lane *l, struct sl_trouble *t)
{
    struct sl_writer *writer = NULL;
    lane_enter(l);
    bool is_open = l->feed->sink->driver->open_writer(&writer, l->feed->sink, l->index, t);
    lane_leave(l);
    if (is_open)
        l->writer = writer;
    return is_open;
}

static struct sl_sink_span lane_span(const struct sl_flow *f)
{
    return (struct sl_sink_span){ .key = { .table_id = f->table_id, .keyspace_id = f->keyspace_id },
                                  .placement = f->placement,
                                  .is_table_trigger = f->is_table_trigger };
}

static void lane_refuse(struct sl_flow *f)
{
    struct sl_trouble t;
    sl_trouble_set(&t, SL_TROUBLE_STALE, "FENCED", "", "a larger placement owns the span at the sink");
    sl__flow_end(f, SL_FLOW_END_FAILED, &t);
}

/* ---- claims: raising placements ---- */

static uint32_t lane_take_claims(struct sl_plane_lane *l, struct sl_flow **flows)
{
    uint32_t count = 0;
    while (l->claims_head && count < LANE_CLAIMS_MAX) {
        flows[count++] = l->claims_head;
        l->claims_head = l->claims_head->claim_next;
    }
    return count;
}

/* A table trigger writes only where there are schemas to change. */
static bool lane_is_claimed(const struct sl_flow *f)
{
    return !f->is_table_trigger || f->feed->sink->driver->execute;
}

/* Only what may still begin is worth asking the sink. */
static uint32_t lane_list_claims(struct sl_flow **flows, uint32_t count, struct sl_sink_claim *claims,
                                 struct sl_flow **asked)
{
    uint32_t asked_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_flow *f = flows[i];
        if (f->state != SL_FLOW_CLAIMING || f->is_close_asked || !lane_is_claimed(f))
            continue;
        asked[asked_count] = f;
        claims[asked_count++] = (struct sl_sink_claim){ .span = lane_span(f),
                                                        .start_ts = f->is_table_trigger ? SL_TS_NONE : f->start_ts,
                                                        .wants_copy = sl__copy_is_wanted(f) };
    }
    return asked_count;
}

static void lane_begin(struct sl_flow *f)
{
    f->is_raising = false;
    if (f->state == SL_FLOW_OVER) {
        sl__flow_touch(f);
    } else if (f->is_close_asked) {
        sl__flow_end(f, SL_FLOW_END_CLOSED, NULL);
    } else if (f->copy) {
        f->durable = f->from;
        sl__copy_start(f);
    } else {
        f->durable = f->from;
        sl__hub_attach(f);
    }
}

static bool lane_raise(struct sl_plane_lane *l, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    if (count == 0 || !l->feed->sink->has_fencing)
        return true;
    if (!l->writer && !lane_open_writer(l, t))
        return false;
    struct sl_writer *w = l->writer;
    lane_enter(l);
    bool is_raised = w->driver->raise(w, claims, count, t);
    lane_leave(l);
    return is_raised;
}

static void lane_apply_claims(struct sl_flow **asked, struct sl_sink_claim *claims, uint32_t count, bool is_exact)
{
    for (uint32_t i = 0; i < count; i++) {
        if (claims[i].is_refused)
            lane_refuse(asked[i]);
        else if (is_exact && !asked[i]->is_table_trigger) /* what it has performed the core has to hear of again */
            asked[i]->from = sl_ts_max(asked[i]->from, claims[i].stored_ts);
        if (asked[i]->state == SL_FLOW_CLAIMING && !asked[i]->is_table_trigger)
            sl__copy_note(asked[i], &claims[i].copy);
        free(claims[i].copy.place);
    }
}

static void lane_fail_claims(struct sl_flow **flows, uint32_t count, const struct sl_trouble *t)
{
    for (uint32_t i = 0; i < count; i++)
        sl__flow_end(flows[i], SL_FLOW_END_FAILED, t);
}

struct lane_claims {
    struct sl_flow *flows[LANE_CLAIMS_MAX], *asked[LANE_CLAIMS_MAX];
    struct sl_sink_claim claims[LANE_CLAIMS_MAX];
};

static void lane_claim(struct sl_plane_lane *l, struct lane_claims *c)
{
    uint32_t count = lane_take_claims(l, c->flows);
    for (;;) {
        struct sl_trouble t = { 0 };
        uint32_t asked = lane_list_claims(c->flows, count, c->claims, c->asked);
        if (!lane_may_write(l))
            break;
        bool is_done = lane_has_lease(l)
                           ? lane_raise(l, c->claims, asked, &t)
                           : sl_trouble_set(&t, SL_TROUBLE_PASSING, "LEASE", "", "the node's lease is over");
        if (is_done) {
            lane_apply_claims(c->asked, c->claims, asked, l->feed->sink->is_exact);
            l->trouble_ns = 0;
            break;
        }
        lane_drop_writer(l);
        if (!lane_is_passing(&t) || !lane_wait_again(l, &t)) {
            lane_fail_claims(c->asked, asked, &t);
            break;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        lane_begin(c->flows[i]);
}

/* ---- rows ---- */

static bool lane_append(struct sl_writer *w, const struct sl_parcel *p, struct sl_trouble *t)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const struct sl_entry *e = &p->entries[i];
        if (!e->flow)
            continue;
        struct sl_sink_span span = lane_span(e->flow);
        struct sl_row_run run = { .batch = p->cargo->batch,
                                  .table = e->table,
                                  .after = e->after,
                                  .through = sl_batch_rows_through(p->cargo->batch) };
        if (!w->driver->append(w, &span, &run, t))
            return false;
    }
    return true;
}

/*
 * One transaction of all that is in flight. The feed may be fenced at any moment, and the lease may end: both are looked
 * at right before the commit, and a commit that has begun is interrupted by whoever fences.
 */
static bool lane_write(struct sl_plane_lane *l, struct sl_trouble *t)
{
    struct sl_writer *w = l->writer;
    lane_enter(l);
    bool is_done = true;
    for (struct sl_parcel *p = l->in_flight.head; p && is_done; p = p->next)
        is_done = lane_append(w, p, t);
    if (is_done && (atomic_load(&l->feed->is_fenced) || !lane_has_lease(l)))
        is_done = sl_trouble_set(t, SL_TROUBLE_ENDED, "FENCED", "", "the feed was fenced, or the node's lease is over");
    is_done = is_done && w->driver->commit(w, t);
    if (!is_done)
        w->driver->discard(w);
    lane_leave(l);
    return is_done;
}

/* The flow of a table in flight fails, and nobody else. False: no flow has this table. */
static bool lane_fail_table(struct sl_plane_lane *l, int64_t table_id, const struct sl_trouble *t)
{
    bool is_found = false;
    for (struct sl_parcel *p = l->in_flight.head; p; p = p->next) {
        for (uint32_t i = 0; i < p->count; i++) {
            struct sl_flow *f = p->entries[i].flow;
            if (!f || (table_id != 0 && f->table_id != table_id))
                continue;
            sl__flow_end(f, SL_FLOW_END_FAILED, t);
            is_found = true;
        }
    }
    return is_found;
}

/* Flows that have ended meanwhile want nothing of it. */
static bool lane_trim(struct sl_plane_lane *l)
{
    bool is_wanted = false;
    for (struct sl_parcel *p = l->in_flight.head; p; p = p->next) {
        sl__parcel_skip_over(p);
        for (uint32_t i = 0; i < p->count; i++)
            is_wanted = is_wanted || p->entries[i].flow != NULL;
    }
    return is_wanted;
}

/* After doubt: what the sink has stored decides what is written again (sink.h K4). */
static bool lane_resume(struct sl_plane_lane *l, struct sl_trouble *t)
{
    if (!l->writer && !lane_open_writer(l, t))
        return false;
    if (!l->feed->sink->is_exact)
        return true;
    for (struct sl_parcel *p = l->in_flight.head; p; p = p->next) {
        for (uint32_t i = 0; i < p->count; i++) {
            struct sl_entry *e = &p->entries[i];
            if (!e->flow)
                continue;
            struct sl_sink_claim claim = { .span = lane_span(e->flow) };
            const struct sl_chunk *chunk = sl_batch_chunk(p->cargo->batch);
            if (!lane_raise(l, &claim, 1, t))
                return false;
            if (claim.is_refused)
                lane_refuse(e->flow);
            if (!chunk)
                e->after = sl_ts_max(e->after, claim.stored_ts);
            else if (sl__copy_covers(&claim.copy, chunk))
                e->after = SL_CHUNK_TS;
            free(claim.copy.place);
        }
    }
    l->is_in_doubt = false;
    return true;
}

/* Either the same can be tried again, or who is at fault has failed. */
static void lane_on_trouble(struct sl_plane_lane *l, const struct sl_trouble *t)
{
    if (lane_is_passing(t)) {
        lane_drop_writer(l);
        if (lane_wait_again(l, t))
            return;
    }
    if (!lane_fail_table(l, t->table_id, t))
        lane_fail_table(l, 0, t);
}

static bool lane_try(struct sl_plane_lane *l, struct sl_trouble *t)
{
    bool is_ready = (l->writer && !l->is_in_doubt) || lane_resume(l, t);
    return is_ready && (!lane_trim(l) || lane_write(l, t));
}

static void lane_flush(struct sl_plane_lane *l)
{
    bool is_done = false;
    sl__plane_lane_take(l);
    while (!is_done && lane_may_write(l) && lane_trim(l)) {
        struct sl_trouble t = { 0 };
        is_done = lane_try(l, &t);
        if (is_done)
            l->trouble_ns = 0;
        else
            lane_on_trouble(l, &t);
    }
    SL_REQUIRE(is_done || !lane_trim(l)); /* nobody's rows are forgotten */
    sl__plane_lane_finish(l, is_done);
}

/* ---- changes of the schema ---- */

static bool lane_execute(struct sl_writer *w, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                         struct sl_trouble *t)
{
    return !w->driver->execute || w->driver->execute(w, span, ddl, t);
}

static bool lane_ask_executed(struct sl_writer *w, const struct sl_sink_span *span, const struct sl_ddl *ddl, bool *out,
                              struct sl_trouble *t)
{
    return !w->driver->was_executed || w->driver->was_executed(w, span, ddl->ts, out, t);
}

/* A change that others have to wait for is only asked about; it is performed when the core says so. */
static bool lane_act(struct sl_plane_lane *l, const struct sl_flow *f, const struct sl_ddl *ddl, bool *was_executed,
                     struct sl_trouble *t)
{
    struct sl_sink_span span = lane_span(f);
    bool only_asks = ddl->effect == SL_DDL_JOINT && f->stop_stage == SL_STOP_ACTS;
    if (!l->writer && !lane_open_writer(l, t))
        return false;
    struct sl_writer *w = l->writer;
    lane_enter(l);
    bool is_done = true;
    if (atomic_load(&l->feed->is_fenced) || !lane_has_lease(l))
        is_done = sl_trouble_set(t, SL_TROUBLE_ENDED, "FENCED", "", "the feed was fenced, or the node's lease is over");
    if (is_done)
        is_done = only_asks ? lane_ask_executed(w, &span, ddl, was_executed, t) : lane_execute(w, &span, ddl, t);
    lane_leave(l);
    return is_done;
}

static void lane_see_to_stop(struct sl_plane_lane *l)
{
    struct sl_flow *f = l->stops_head;
    bool is_done = false, was_executed = false;
    l->stops_head = f->claim_next;
    struct sl_batch *batch = f->stop ? sl_batch_ref(f->stop) : NULL; /* closed before the lane came to it: none */
    while (batch && !is_done && f->state == SL_FLOW_BLOCKED && lane_may_write(l)) {
        struct sl_trouble t = { 0 };
        is_done = lane_act(l, f, sl_batch_ddl(batch), &was_executed, &t);
        if (is_done) {
            l->trouble_ns = 0;
            break;
        }
        lane_drop_writer(l);
        if (!lane_is_passing(&t) || !lane_wait_again(l, &t))
            sl__flow_end(f, SL_FLOW_END_FAILED, &t);
    }
    sl__flow_acted(f, batch ? sl_batch_ddl(batch) : NULL, is_done, was_executed);
    sl_batch_unref(batch);
}

/* ---- copies that somebody asked for ---- */

#define LANE_COPIES_MAX 64u

static void lane_begin_copies(struct sl_plane_lane *l, const int64_t *table_ids, uint32_t count)
{
    for (struct sl_flow *f = l->feed->flows, *next = NULL; count > 0 && f; f = next) {
        next = f->feed_next;
        for (uint32_t i = 0; i < count; i++)
            if (f->table_id == table_ids[i] && !f->is_table_trigger)
                sl__copy_ask_again(f);
    }
}

/* Only the sink knows: who asks for a copy need not know which node has the table. */
static void lane_ask_for_copies(struct sl_plane_lane *l)
{
    int64_t table_ids[LANE_COPIES_MAX];
    uint32_t count = LANE_COPIES_MAX;
    struct sl_trouble t = { 0 };
    l->asks_copies = false;
    if (!l->writer && !lane_open_writer(l, &t))
        return;
    struct sl_writer *w = l->writer;
    lane_enter(l);
    bool is_known = w->driver->copies_asked(w, table_ids, &count, &t);
    lane_leave(l);
    if (!is_known)
        lane_drop_writer(l);
    else if (lane_may_write(l))
        lane_begin_copies(l, table_ids, count);
}

/* ---- the place of the source ---- */

/* One that could not be kept is followed by others. */
static void lane_keep_place(struct sl_plane_lane *l)
{
    struct sl_trouble t = { 0 };
    struct sl_writer *w = l->writer;
    const struct sl_place place = sl__place_take(l->feed);
    lane_enter(l);
    bool is_kept = !lane_has_lease(l) || w->driver->keep_place(w, &place, &t);
    lane_leave(l);
    if (!is_kept)
        lane_drop_writer(l);
}

/* ---- what the writer does by itself ---- */

static bool lane_must_tend(const struct sl_plane_lane *l)
{
    return l->writer && l->writer->driver->tend && lane_may_write(l) && sl__now() >= l->tend_ns;
}

static void lane_tend(struct sl_plane_lane *l)
{
    struct sl_trouble t = { 0 };
    struct sl_writer *w = l->writer;
    sl_ns next_ns = l->feed->plane->opts.retry_ns_max;
    sl_ts checkpoint = l->index == 0 ? l->feed->told_checkpoint : SL_TS_NONE;
    lane_enter(l);
    bool is_done = !lane_has_lease(l) || w->driver->tend(w, checkpoint, &next_ns, &t);
    lane_leave(l);
    l->tend_ns = sl_ns_after(sl__now(), next_ns);
    if (is_done)
        return;
    l->feed->trouble = t;
    l->feed->is_noted = true;
    sl__plane_feed_touch(l->feed);
}

static void lane_rest(struct sl_plane_lane *l)
{
    bool is_tended = l->writer && l->writer->driver->tend && l->tend_ns != SL_NEVER && lane_may_write(l);
    if (is_tended)
        sl__cond_wait(&l->changed, &l->feed->hub->mutex, l->tend_ns - sl__now());
    else
        pthread_cond_wait(&l->changed, &l->feed->hub->mutex);
}

/* One thing of what there is to do; false: nothing. */
static bool lane_work(struct sl_plane_lane *l, struct lane_claims *claims)
{
    if (lane_must_tend(l)) {
        lane_tend(l);
        return true;
    }
    lane_forget_trouble(l);
    if (l->claims_head)
        lane_claim(l, claims);
    else if (l->stops_head)
        lane_see_to_stop(l);
    else if (l->asks_copies)
        lane_ask_for_copies(l);
    else if (sl__place_is_due(l) && lane_may_write(l))
        lane_keep_place(l);
    else if (l->queue.head)
        lane_flush(l);
    else
        return false;
    l->tend_ns = 0;
    return true;
}

/* ---- life ---- */

static void lane_fail_feed(struct sl_plane_lane *l, const struct sl_trouble *t)
{
    struct sl_plane_feed *f = l->feed;
    if (f->state != SL_PLANE_FEED_OPENING)
        return;
    f->state = SL_PLANE_FEED_FAILED;
    f->trouble = *t;
    for (uint32_t i = 0; i < f->lane_count; i++)
        pthread_cond_signal(&f->lanes[i].changed);
}

static bool lane_open_sink(struct sl_plane_lane *l, struct sl_trouble *t)
{
    struct sl_plane_feed *f = l->feed;
    struct sl_sink *sink = NULL;
    struct sl_sink_open o = { .feed = &f->id,
                              .uri = sl_secret_of(f->sink_uri),
                              .config = sl_secret_of(f->config),
                              .writer_count = f->lane_count };
    lane_enter(l);
    const struct sl_sink_driver *driver = sl_sink_find(f->plane->opts.sinks, o.uri, t);
    bool is_open = driver && driver->open(&sink, &o, t);
    lane_leave(l);
    f->sink = sink;
    for (uint32_t i = 0; i < f->lane_count; i++)
        pthread_cond_signal(&f->lanes[i].changed);
    return is_open;
}

static bool lane_open(struct sl_plane_lane *l)
{
    struct sl_plane_feed *f = l->feed;
    struct sl_trouble t;
    bool is_open = true;
    if (l->index == 0)
        is_open = lane_open_sink(l, &t);
    while (is_open && !f->sink && f->state == SL_PLANE_FEED_OPENING)
        pthread_cond_wait(&l->changed, &f->hub->mutex);
    if (is_open && f->state == SL_PLANE_FEED_OPENING)
        is_open = lane_open_writer(l, &t);
    if (!is_open)
        lane_fail_feed(l, &t);
    if (f->state != SL_PLANE_FEED_OPENING)
        return false;
    if (++f->lanes_opened == f->lane_count) {
        f->state = SL_PLANE_FEED_OPEN;
        sl__plane_feed_touch(f);
    }
    return true;
}

static void lane_close(struct sl_plane_lane *l)
{
    struct sl_plane_feed *f = l->feed;
    struct sl_writer *w = l->writer;
    l->writer = NULL;
    lane_enter(l);
    if (w)
        w->driver->close_writer(w);
    lane_leave(l);
    if (f->lanes_running > 1) {
        f->lanes_running--;
        return;
    }
    struct sl_sink *sink = f->sink;
    f->sink = NULL;
    bool is_removed = f->is_removed;
    lane_enter(l);
    if (sink)
        sink->driver->close(sink, is_removed);
    lane_leave(l);
    f->lanes_running--;
    sl__plane_feed_touch(f);
}

void *sl__plane_lane_main(void *arg)
{
    struct sl_plane_lane *l = arg;
    pthread_mutex_t *mutex = &l->feed->hub->mutex;
    struct lane_claims *claims = malloc(sizeof *claims);
    pthread_mutex_lock(mutex);
    if (!claims) {
        struct sl_trouble t;
        sl_trouble_set(&t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "no memory for a worker");
        lane_fail_feed(l, &t);
    } else if (lane_open(l)) {
        while (lane_goes_on(l)) {
            if (!lane_work(l, claims))
                lane_rest(l);
        }
    }
    lane_close(l);
    pthread_mutex_unlock(mutex);
    free(claims);
    return NULL;
}
