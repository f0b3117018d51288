/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "port/ddl.h"
#include "sim/plane_internal.h"

/*
 * A dispatcher in front of a change of the schema, as engine/ddl.c has it:
 *
 *   DRAINS ---+-----> ACTS --- OWN: performs it ----------------------------------------> behind it
 *             |         \----- the trigger: MAKES performs it, JOINT asks the sink ---+
 *             +-------------------------------------------------------> STANDS <------+
 *                                                             reported: BLOCKED
 *                    behind it, told UNBLOCKED <--- PASSES <------+------> WRITES: performs it ---> behind it, told
 */
#define DDL_STATEMENT_STEPS 4 /* that a statement takes */

static const struct sl_sim_feed *ddl_feed(const struct sl_sim_plane *p, uint32_t slot)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    return &p->catalog->feeds[f->feed];
}

static const struct sl_ddl *ddl_of(const struct sl_sim_plane *p, const struct plane_dispatcher *d)
{
    return &ddl_feed(p, d->slot)->ddls[d->ddl].ddl;
}

static bool ddl_concerns(const struct sl_sim_ddl *ddl, const struct plane_dispatcher *d)
{
    struct sl_ddl_party who = { .table_id = d->table_id, .schema_id = d->schema_id, .is_table_trigger = d->is_trigger };
    return !ddl->is_skipped && sl_ddl_concerns(&ddl->ddl, &who);
}

/* The trigger meets everything since its start; others begin behind what the sink has of them. */
static sl_ts ddl_behind(const struct sl_sim_plane *p, const struct plane_dispatcher *d)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    return d->is_trigger ? d->position : sl_ts_max(d->position, sl_sim_sink_stored(p->sink, f->feed, d->table_id));
}

uint32_t sl_sim__plane_next_stop(const struct sl_sim_plane *p, struct plane_dispatcher *d, sl_ts to)
{
    const struct sl_sim_feed *feed = ddl_feed(p, d->slot);
    for (; d->ddl_next < feed->ddl_count && feed->ddls[d->ddl_next].ddl.ts <= to; d->ddl_next++) {
        const struct sl_sim_ddl *ddl = &feed->ddls[d->ddl_next];
        if (ddl->ddl.ts > ddl_behind(p, d) && ddl_concerns(ddl, d))
            return d->ddl_next;
    }
    return SL_SIM_DDL_NONE;
}

static sl_ns ddl_step_ns(const struct sl_sim_plane *p, const struct plane_dispatcher *d, uint32_t step)
{
    struct plane_draw draw = sl_sim__plane_draw(p, d);
    return sl_sim_between(p->engine, SL_SIM_DRAW_DDL, draw.object, sl_hash_u64x2(draw.n, d->ddl, step), p->opts->ddl_ns,
                          p->opts->ddl_jitter_ns);
}

static void ddl_go(struct sl_sim_plane *p, uint32_t handle, enum plane_stop stop)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    d->stop = (uint8_t)stop;
    sl_sim__plane_arm_span(p, handle, ddl_step_ns(p, d, stop));
}

void sl_sim__plane_stop(struct sl_sim_plane *p, uint32_t handle, uint32_t ddl)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    const struct sl_sim_feed *feed = ddl_feed(p, d->slot);
    if (d->state == PLANE_FOLLOWING) {
        struct sl_sim_writer w = sl_sim__plane_writer(p, d);
        struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
        f->followers--;
        sl_sim_sink_unfollow(p->sink, &w);
        d->is_stop_untold = f->has_untold = true;
    }
    d->state = PLANE_BLOCKED;
    d->ddl = ddl;
    d->position = sl_ts_max(d->position, feed->ddls[ddl].ddl.ts - 1);
    d->was_performed = d->is_performing = false;
    ddl_go(p, handle, PLANE_STOP_DRAINS);
}

/* ---- followers ---- */

static void ddl_stop_followers(struct sl_sim_plane *p, uint32_t slot, uint32_t ddl)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    for (uint32_t handle = f->dispatchers.head; handle != 0;) {
        const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
        uint32_t next = d->in_feed.next;
        if (d->state == PLANE_FOLLOWING && ddl_concerns(&ddl_feed(p, slot)->ddls[ddl], d))
            sl_sim__plane_stop(p, handle, ddl);
        handle = next;
    }
}

void sl_sim__plane_advance(struct sl_sim_plane *p, uint32_t slot, sl_ts to)
{
    struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    const struct sl_sim_feed *feed = ddl_feed(p, slot);
    for (; f->ddl_next < feed->ddl_count && feed->ddls[f->ddl_next].ddl.ts <= to; f->ddl_next++) {
        sl_ts ts = feed->ddls[f->ddl_next].ddl.ts, before = sl_sim_sink_session_progress(p->sink, f->session);
        if (ts <= before)
            continue;
        sl_sim_sink_progress(p->sink, f->session, ts - 1);
        ddl_stop_followers(p, slot, f->ddl_next);
    }
    if (to > sl_sim_sink_session_progress(p->sink, f->session))
        sl_sim_sink_progress(p->sink, f->session, to);
}

static uint32_t ddl_first_untold(const struct sl_sim_plane *p, const struct plane_feed *f)
{
    uint32_t handle = f->dispatchers.head;
    while (handle != 0) {
        const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
        if (d->is_stop_untold)
            break;
        handle = d->in_feed.next;
    }
    return handle;
}

static void ddl_tell_stop(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    d->is_stop_untold = false;
    struct sl_report report = sl_sim__plane_report(p, d, SL_REPORT_PROGRESS);
    p->port.report(p->port.ctx, &report);
}

void sl_sim__plane_tell_stops(struct sl_sim_plane *p, uint32_t slot, uint32_t serial)
{
    for (;;) {
        struct plane_feed *f = sl_sim__plane_feed(p, slot, serial);
        if (!f || !f->has_untold)
            return;
        uint32_t handle = ddl_first_untold(p, f);
        if (handle != 0)
            ddl_tell_stop(p, handle);
        else
            f->has_untold = false;
    }
}

/* ---- what is done in front of it ---- */

static void ddl_stands(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    struct sl_block block = sl_ddl_block(ddl_of(p, d), d->is_trigger, d->was_performed);
    struct sl_report report = sl_sim__plane_report(p, d, SL_REPORT_BLOCKED);
    d->stop = PLANE_STOP_STANDS;
    report.block = &block;
    p->port.report(p->port.ctx, &report);
}

/* It goes on as one that starts behind the change. */
static void ddl_pass(struct sl_sim_plane *p, uint32_t handle, bool is_told)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    struct sl_sim_writer w = sl_sim__plane_writer(p, d);
    sl_ts ts = ddl_of(p, d)->ts;
    if (!sl_sim_sink_write(p->sink, &w, ts)) {
        sl_sim__plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
        return;
    }
    d->position = ts;
    d->ddl_next = d->ddl + 1;
    d->state = PLANE_LAGGING;
    sl_sim__plane_arm_span(p, handle, p->opts->ddl_ns);
    struct sl_report report = sl_sim__plane_report(p, d, is_told ? SL_REPORT_UNBLOCKED : SL_REPORT_PROGRESS);
    p->port.report(p->port.ctx, &report);
}

static bool ddl_end(struct sl_sim_plane *p, uint32_t handle)
{
    const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    struct sl_sim_writer w = sl_sim__plane_writer(p, d);
    return sl_sim_sink_end_change(p->sink, &w, d->ddl);
}

static void ddl_performed(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    bool is_told = d->stop == PLANE_STOP_WRITES;
    d->is_performing = false;
    if (!ddl_end(p, handle))
        sl_sim__plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
    else if (is_told || ddl_of(p, d)->effect == SL_DDL_OWN)
        ddl_pass(p, handle, is_told);
    else
        ddl_stands(p, handle);
}

static void ddl_perform(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    if (!p->port.has_lease(p->port.ctx))
        return; /* as in plane_ready */
    struct sl_sim_writer w = sl_sim__plane_writer(p, d);
    sl_ns takes = DDL_STATEMENT_STEPS * ddl_step_ns(p, d, PLANE_STOP_PASSES);
    switch (sl_sim_sink_begin_change(p->sink, &w, d->ddl, takes, &d->until)) {
    case SL_SIM_VERDICT_DONE:
        ddl_performed(p, handle);
        return;
    case SL_SIM_VERDICT_RUNS:
        d->is_performing = true;
        sl_sim__plane_arm_span(p, handle, d->until - p->engine->now + p->opts->ddl_ns);
        return;
    case SL_SIM_VERDICT_FENCED:
        sl_sim__plane_fail(p, handle, SL_STR("FENCED"), SL_STR("a larger placement owns the span"));
        return;
    case SL_SIM_VERDICT_REFUSED:
        sl_sim__plane_fail(p, handle, SL_STR("SINK_REFUSES_DDL"), SL_STR("the sink refuses a statement"));
        return;
    }
    SL_UNREACHABLE();
}

static void ddl_act(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    if (ddl_of(p, d)->effect != SL_DDL_JOINT) {
        ddl_perform(p, handle);
        return;
    }
    d->was_performed = sl_sim_sink_was_performed(p->sink, f->feed, d->ddl);
    ddl_stands(p, handle);
}

static void ddl_drained(struct sl_sim_plane *p, uint32_t handle)
{
    const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    enum sl_ddl_effect effect = ddl_of(p, d)->effect;
    if (effect == SL_DDL_REFUSED) {
        sl_sim_sink_refuse_change(p->sink, f->feed, d->ddl);
        sl_sim__plane_fail(p, handle, SL_STR("DDL_REFUSED"), SL_STR("a statement cannot be replicated"));
    } else if (d->is_trigger || effect == SL_DDL_OWN) {
        ddl_go(p, handle, PLANE_STOP_ACTS);
    } else {
        ddl_stands(p, handle);
    }
}

void sl_sim__plane_on_stop(struct sl_sim_plane *p, uint32_t handle)
{
    const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    uint32_t serial = d->serial;
    if (d->is_stop_untold)
        ddl_tell_stop(p, handle);
    d = sl_sim__plane_dispatcher(p, handle, serial);
    if (!d || d->state != PLANE_BLOCKED) /* what was told came back as a command */
        return;
    switch ((enum plane_stop)d->stop) {
    case PLANE_STOP_DRAINS:
        ddl_drained(p, handle);
        return;
    case PLANE_STOP_ACTS:
        ddl_act(p, handle);
        return;
    case PLANE_STOP_WRITES:
        ddl_perform(p, handle);
        return;
    case PLANE_STOP_PASSES:
        ddl_pass(p, handle, true);
        return;
    case PLANE_STOP_STANDS:
        return;
    }
    SL_UNREACHABLE();
}

bool sl_sim__plane_has_acted(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    if (!d->is_performing)
        return true;
    if (p->engine->now < d->until) {
        sl_sim__plane_arm_span(p, handle, d->until - p->engine->now);
        return false;
    }
    d->is_performing = false;
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    bool is_done = sl_sim_sink_is_performed(p->sink, f->feed, d->ddl) && ddl_end(p, handle);
    if (is_done && ddl_of(p, d)->effect == SL_DDL_OWN)
        d->position = ddl_of(p, d)->ts;
    return true;
}

/* ---- the core's word ---- */

void sl_sim__plane_told(struct sl_sim_plane *p, const struct sl_command *c)
{
    uint32_t handle = sl_map_find(&p->dispatcher_by_token, sl_hash_u64(0, c->dispatcher), &c->dispatcher);
    if (handle == 0)
        return;
    const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    if (d->state != PLANE_BLOCKED || d->stop != PLANE_STOP_STANDS || ddl_of(p, d)->ts != c->start_ts)
        return;
    ddl_go(p, handle, c->verb == SL_COMMAND_WRITE ? PLANE_STOP_WRITES : PLANE_STOP_PASSES);
}
