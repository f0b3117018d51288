/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plane_internal.h"

#define PLANE_CRAWL_SPEED 4       /* times the source's own */
#define PLANE_ROWS_PER_READER 64u /* taken from the source and not durable yet, while anything runs */

/* ---- feeds ---- */

static void plane_feed_opened(struct sl_sim_plane *p, struct plane_feed *f)
{
    struct sl_report report = { .kind = SL_REPORT_FEED_OPENED, .feed = f->token };
    bool fails = sl_sim_chance(p->engine, SL_SIM_DRAW_MISHAP, UINT64_C(1) << 40 ^ f->feed,
                               (uint64_t)p->process << 32 ^ f->serial, p->opts->feed_fail_ppm);
    if (fails || sl_sim_sink_is_away(p->sink)) {
        report.kind = SL_REPORT_FEED_FAILED;
        report.code = SL_STR("SINK_UNREACHABLE");
        report.text = SL_STR("the sink does not answer");
    } else {
        f->state = PLANE_FEED_OPEN;
        f->session = sl_sim_sink_open_session(p->sink, f->feed, p->process, p->host);
    }
    p->port.report(p->port.ctx, &report);
}

void sl_sim_plane_on_feed(struct sl_sim_plane *p, uint32_t slot, uint32_t serial)
{
    struct plane_feed *f = sl_sim__plane_feed(p, slot, serial);
    if (!f)
        return;
    if (f->state == PLANE_FEED_OPENING) {
        plane_feed_opened(p, f);
        return;
    }
    SL_REQUIRE(f->state == PLANE_FEED_CLOSING);
    struct sl_report report = { .kind = SL_REPORT_FEED_CLOSED, .feed = f->token };
    sl_sim__plane_drop_feed(p, slot);
    p->port.report(p->port.ctx, &report);
}

/*
 * As the barrier of core/maintainer demands: what is dropped has to be durable up to there before anybody passes. The
 * tables themselves, unlike real ones, do not stop in front of the change: there is nothing behind it.
 */
static bool plane_may_pass(const struct sl_sim_plane *p, uint32_t feed, const struct sl_sim_change *change)
{
    const int64_t *dropped = &p->catalog->feeds[feed].dropped[change->dropped_first];
    for (uint32_t i = 0; i < change->dropped_count; i++) {
        if (!sl_sim_sink_is_done(p->sink, feed, dropped[i], change->commit_ts - 1))
            return false;
    }
    return true;
}

static void plane_passed(struct sl_sim_plane *p, uint32_t feed, const struct sl_sim_change *change)
{
    const int64_t *dropped = &p->catalog->feeds[feed].dropped[change->dropped_first];
    for (uint32_t i = 0; i < change->dropped_count; i++)
        sl_sim_sink_retire_table(p->sink, feed, dropped[i]);
}

/*
 * Tells the maintainer of the changes the trigger meets on the way to wanted. Returns how far it came: below the first
 * change that could not be told, or SL_TS_NONE if the telling ended the feed here.
 */
static sl_ts plane_tell_changes(struct sl_sim_plane *p, uint32_t slot, uint32_t serial, sl_ts wanted)
{
    for (;;) {
        struct plane_feed *f = sl_sim__plane_feed(p, slot, serial);
        if (!f)
            return SL_TS_NONE;
        if (f->trigger == 0)
            return wanted;
        struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, f->trigger);
        const struct sl_sim_feed *feed = &p->catalog->feeds[f->feed];
        if (d->change_next >= feed->change_count || feed->changes[d->change_next].commit_ts > wanted)
            return wanted;
        const struct sl_sim_change *change = &feed->changes[d->change_next];
        sl_ts commit_ts = change->commit_ts;
        if (!plane_may_pass(p, f->feed, change))
            return commit_ts - 1;
        d->change_next++;
        uint32_t number = f->feed;
        if (p->port.change(p->port.ctx, number, d->change_next - 1)) {
            plane_passed(p, number, change);
            continue;
        }
        f = sl_sim__plane_feed(p, slot, serial);
        if (f && f->trigger != 0)
            ((struct plane_dispatcher *)sl_slab_at(&p->dispatchers, f->trigger))->change_next--;
        return commit_ts - 1;
    }
}

/* Followers move together. What they have may be more than what is said: a trigger that waits holds back the report. */
void sl_sim_plane_on_group(struct sl_sim_plane *p, uint32_t slot, uint32_t serial)
{
    struct plane_feed *f = sl_sim__plane_feed(p, slot, serial);
    if (!f)
        return;
    f->is_ticking = false;
    if (f->followers == 0 || sl_sim_sink_is_robbed(p->sink, f->session))
        return;
    if (sl_sim_sink_is_away(p->sink)) {
        sl_sim__plane_arm_group(p, slot);
        return;
    }
    sl_ts before = sl_sim_sink_session_progress(p->sink, f->session);
    sl_ts wanted = sl_ts_max(before, sl_sim_head(p->engine->now - p->opts->behind_ns));
    bool trigger_follows =
        f->trigger != 0 &&
        ((const struct plane_dispatcher *)sl_slab_at(&p->dispatchers, f->trigger))->state == PLANE_FOLLOWING;
    sl_ts reached = trigger_follows ? plane_tell_changes(p, slot, serial, wanted) : wanted;
    f = sl_sim__plane_feed(p, slot, serial);
    if (!f || reached == SL_TS_NONE)
        return;
    sl_sim_sink_progress(p->sink, f->session, wanted);
    sl_sim__plane_arm_group(p, slot);
    struct sl_report report = { .kind = SL_REPORT_FEED_PROGRESS,
                                .feed = f->token,
                                .checkpoint = reached,
                                .resolved = sl_sim_head(p->engine->now) };
    p->port.report(p->port.ctx, &report);
}

/* ---- dispatchers ---- */

static struct sl_report plane_report(const struct sl_sim_plane *p, const struct plane_dispatcher *d,
                                     enum sl_report_kind kind)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    return (struct sl_report){ .kind = kind,
                               .feed = f->token,
                               .dispatcher = d->token,
                               .checkpoint = d->position,
                               .resolved = sl_sim_head(p->engine->now) };
}

static void plane_fail(struct sl_sim_plane *p, uint32_t handle, struct sl_str code, struct sl_str text)
{
    const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    struct sl_report report = plane_report(p, d, SL_REPORT_FAILED);
    report.code = code;
    report.text = text;
    if (d->has_claimed) {
        struct sl_sim_writer w = sl_sim__plane_writer(p, d);
        sl_sim_sink_stop(p->sink, &w);
    }
    p->failed_count++;
    sl_sim__plane_drop(p, handle);
    p->port.report(p->port.ctx, &report);
}

bool sl_sim_plane_fail_one(struct sl_sim_plane *p)
{
    for (uint32_t handle = sl_slab_next(&p->dispatchers, 0); handle != 0;
         handle = sl_slab_next(&p->dispatchers, handle)) {
        struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
        if (d->is_trigger || (d->state != PLANE_FOLLOWING && d->state != PLANE_LAGGING))
            continue;
        struct sl_sim_writer w = sl_sim__plane_writer(p, d);
        const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
        sl_sim_sink_unfollow(p->sink, &w);
        d->position = sl_sim_sink_durable(p->sink, f->feed, d->table_id);
        plane_fail(p, handle, SL_STR("SINK_ERROR"), SL_STR("the sink refused a write"));
        return true;
    }
    return false;
}

/* Joins the followers if it has caught up with them. */
static bool plane_join(struct sl_sim_plane *p, struct plane_dispatcher *d)
{
    struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    struct sl_sim_writer w = sl_sim__plane_writer(p, d);
    sl_ts progress =
        sl_ts_max(sl_sim_sink_session_progress(p->sink, f->session), sl_sim_head(p->engine->now - p->opts->behind_ns));
    if (sl_sim_sink_durable(p->sink, f->feed, d->table_id) > progress)
        return false;
    sl_sim_sink_progress(p->sink, f->session, progress);
    if (!sl_sim_sink_write(p->sink, &w, progress) || !sl_sim_sink_follow(p->sink, &w))
        return false;
    d->position = progress;
    d->state = PLANE_FOLLOWING;
    f->followers++;
    sl_sim__plane_arm_group(p, d->slot);
    return true;
}

static void plane_ready(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    struct plane_draw draw = sl_sim__plane_draw(p, d);
    bool fails =
        !d->is_trigger && sl_sim_chance(p->engine, SL_SIM_DRAW_MISHAP, draw.object, 8 * draw.n + 4, p->opts->fail_ppm);
    if (fails || sl_sim_sink_is_away(p->sink)) {
        plane_fail(p, handle, SL_STR("SINK_ERROR"), SL_STR("the sink refused the first write"));
        return;
    }
    if (!p->port.has_lease(p->port.ctx))
        return; /* it woke up before its core did, which will fence it */
    struct sl_sim_writer w = sl_sim__plane_writer(p, d);
    if (!sl_sim_sink_claim(p->sink, &w, d->position)) {
        plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
        return;
    }
    d->has_claimed = true;
    d->state = PLANE_LAGGING;
    bool lags = d->is_trigger || /* it has to meet the changes since its start */
                sl_sim_chance(p->engine, SL_SIM_DRAW_MISHAP, draw.object, 8 * draw.n + 5, p->opts->lag_ppm);
    bool follows = !lags && plane_join(p, d);
    if (!follows) {
        p->lagged_count++;
        sl_sim__plane_arm_span(p, handle, p->opts->progress_ns);
    }
    struct sl_report report = plane_report(p, d, SL_REPORT_READY);
    report.follows = follows;
    p->port.report(p->port.ctx, &report);
}

/*
 * Half of the way to the source each time, so that catching up takes a while and ends; or, where its log has to be read
 * again, only a few times as fast as the source goes on.
 */
static sl_ts plane_goal(const struct sl_sim_plane *p, const struct plane_dispatcher *d, sl_ts head)
{
    if (head <= d->position)
        return d->position;
    sl_ts half = d->position + (head - d->position) / 2 + 1;
    struct plane_draw draw = sl_sim__plane_draw(p, d);
    if (!sl_sim_chance(p->engine, SL_SIM_DRAW_MISHAP, draw.object, 8 * draw.n + 6, p->opts->crawl_ppm))
        return half;
    return sl_ts_min(half, d->position + (sl_ts)(PLANE_CRAWL_SPEED * p->opts->progress_ns / SL_US));
}

static void plane_catch_up(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    uint32_t slot = d->slot, serial = d->serial, feed_serial = f->serial;
    sl_ts head = sl_sim_head(p->engine->now - p->opts->behind_ns);
    sl_ts goal = plane_goal(p, d, head);
    bool is_near = head <= goal + (sl_ts)(p->opts->progress_ns / SL_US);
    goal = is_near ? sl_ts_max(head, d->position) : goal;
    sl_ts reached = d->is_trigger ? plane_tell_changes(p, slot, feed_serial, goal) : goal;
    d = sl_sim__plane_dispatcher(p, handle, serial);
    if (!d || d->state != PLANE_LAGGING)
        return;
    bool follows = is_near && reached == goal && plane_join(p, d);
    if (!follows) {
        struct sl_sim_writer w = sl_sim__plane_writer(p, d);
        sl_ts position = sl_ts_max(d->position, reached);
        if (!sl_sim_sink_write(p->sink, &w, position)) {
            plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
            return;
        }
        d->position = position;
        sl_sim__plane_arm_span(p, handle, p->opts->progress_ns);
    }
    struct sl_report report = plane_report(p, d, SL_REPORT_PROGRESS);
    report.follows = follows;
    p->port.report(p->port.ctx, &report);
}

static void plane_closed(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    if (d->has_claimed) {
        struct sl_sim_writer w = sl_sim__plane_writer(p, d);
        if (!sl_sim_sink_write(p->sink, &w, d->position)) {
            d->position = SL_TS_NONE; /* what was taken is not durable: nothing new is known */
            plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
            return;
        }
        sl_sim_sink_stop(p->sink, &w);
    }
    struct sl_report report = plane_report(p, d, SL_REPORT_CLOSED);
    sl_sim__plane_drop(p, handle);
    p->port.report(p->port.ctx, &report);
}

void sl_sim_plane_on_span(struct sl_sim_plane *p, uint32_t handle, uint32_t serial)
{
    const struct plane_dispatcher *d = sl_sim__plane_dispatcher(p, handle, serial);
    if (!d)
        return;
    bool must_wait = d->state == PLANE_LAGGING || (d->state == PLANE_CLOSING && d->has_claimed);
    if (must_wait && sl_sim_sink_is_away(p->sink)) {
        sl_sim__plane_arm_span(p, handle, p->opts->progress_ns);
        return;
    }
    switch ((enum plane_state)d->state) {
    case PLANE_OPENING:
        plane_ready(p, handle);
        return;
    case PLANE_LAGGING:
        plane_catch_up(p, handle);
        return;
    case PLANE_CLOSING:
        plane_closed(p, handle);
        return;
    case PLANE_FOLLOWING:
        return;
    }
    SL_UNREACHABLE();
}

void sl_sim_plane_on_hosted(struct sl_sim_plane *p)
{
    p->is_telling = false;
    if (p->readers == p->readers_said)
        return;
    p->readers_said = p->readers;
    struct sl_report report = { .kind = SL_REPORT_HOSTED,
                                .readers = p->readers,
                                .unflushed_rows = (uint64_t)p->readers * PLANE_ROWS_PER_READER };
    p->port.report(p->port.ctx, &report);
}
