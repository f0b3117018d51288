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

/* Followers move together. Who has left them is told of before. */
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
    sl_sim__plane_advance(p, slot, sl_sim_head(p->engine->now - p->opts->behind_ns));
    sl_sim__plane_tell_stops(p, slot, serial);
    f = sl_sim__plane_feed(p, slot, serial);
    if (!f || f->followers == 0)
        return;
    sl_sim__plane_arm_group(p, slot);
    struct sl_report report = { .kind = SL_REPORT_FEED_PROGRESS,
                                .feed = f->token,
                                .checkpoint = sl_sim_sink_session_progress(p->sink, f->session),
                                .resolved = sl_sim_head(p->engine->now) };
    p->port.report(p->port.ctx, &report);
}

/* ---- dispatchers ---- */

struct sl_report sl_sim__plane_report(const struct sl_sim_plane *p, const struct plane_dispatcher *d,
                                      enum sl_report_kind kind)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    return (struct sl_report){ .kind = kind,
                               .feed = f->token,
                               .dispatcher = d->token,
                               .checkpoint = d->position,
                               .resolved = sl_sim_head(p->engine->now) };
}

void sl_sim__plane_fail(struct sl_sim_plane *p, uint32_t handle, struct sl_str code, struct sl_str text)
{
    const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    struct sl_report report = sl_sim__plane_report(p, d, SL_REPORT_FAILED);
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
        sl_sim__plane_fail(p, handle, SL_STR("SINK_ERROR"), SL_STR("the sink refused a write"));
        return true;
    }
    return false;
}

/* Joins the followers if it has caught up with them, and meets no change on the way. */
static bool plane_join(struct sl_sim_plane *p, struct plane_dispatcher *d)
{
    struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    struct sl_sim_writer w = sl_sim__plane_writer(p, d);
    sl_ts progress =
        sl_ts_max(sl_sim_sink_session_progress(p->sink, f->session), sl_sim_head(p->engine->now - p->opts->behind_ns));
    if (sl_sim_sink_durable(p->sink, f->feed, d->table_id) > progress ||
        sl_sim__plane_next_stop(p, d, progress) != SL_SIM_DDL_NONE)
        return false;
    sl_sim__plane_advance(p, d->slot, progress);
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
        sl_sim__plane_fail(p, handle, SL_STR("SINK_ERROR"), SL_STR("the sink refused the first write"));
        return;
    }
    if (!p->port.has_lease(p->port.ctx))
        return; /* it woke up before its core did, which will fence it */
    struct sl_sim_writer w = sl_sim__plane_writer(p, d);
    if (!sl_sim_sink_claim(p->sink, &w, d->position)) {
        sl_sim__plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
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
    struct sl_report report = sl_sim__plane_report(p, d, SL_REPORT_READY);
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
    sl_ts head = sl_sim_head(p->engine->now - p->opts->behind_ns);
    sl_ts goal = plane_goal(p, d, head);
    bool is_near = head <= goal + (sl_ts)(p->opts->progress_ns / SL_US);
    goal = is_near ? sl_ts_max(head, d->position) : goal;
    uint32_t stop = sl_sim__plane_next_stop(p, d, goal);
    bool follows = stop == SL_SIM_DDL_NONE && is_near && plane_join(p, d);
    if (!follows) {
        const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
        struct sl_sim_writer w = sl_sim__plane_writer(p, d);
        sl_ts position = stop == SL_SIM_DDL_NONE ? goal : p->catalog->feeds[f->feed].ddls[stop].ddl.ts - 1;
        position = sl_ts_max(d->position, position);
        if (!sl_sim_sink_write(p->sink, &w, position)) {
            sl_sim__plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
            return;
        }
        d->position = position;
        if (stop == SL_SIM_DDL_NONE)
            sl_sim__plane_arm_span(p, handle, p->opts->progress_ns);
        else
            sl_sim__plane_stop(p, handle, stop);
    }
    struct sl_report report = sl_sim__plane_report(p, d, SL_REPORT_PROGRESS);
    report.follows = follows;
    p->port.report(p->port.ctx, &report);
}

static void plane_closed(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    if (!sl_sim__plane_has_acted(p, handle))
        return;
    if (d->has_claimed) {
        struct sl_sim_writer w = sl_sim__plane_writer(p, d);
        if (!sl_sim_sink_write(p->sink, &w, d->position)) {
            d->position = SL_TS_NONE; /* what was taken is not durable: nothing new is known */
            sl_sim__plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
            return;
        }
        sl_sim_sink_stop(p->sink, &w);
    }
    struct sl_report report = sl_sim__plane_report(p, d, SL_REPORT_CLOSED);
    sl_sim__plane_drop(p, handle);
    p->port.report(p->port.ctx, &report);
}

void sl_sim_plane_on_span(struct sl_sim_plane *p, uint32_t handle, uint32_t serial)
{
    const struct plane_dispatcher *d = sl_sim__plane_dispatcher(p, handle, serial);
    if (!d)
        return;
    bool must_wait =
        d->state == PLANE_LAGGING || d->state == PLANE_BLOCKED || (d->state == PLANE_CLOSING && d->has_claimed);
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
    case PLANE_BLOCKED:
        sl_sim__plane_on_stop(p, handle);
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
