/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "core/common/mem_tags.h"
#include "sim/plane_internal.h"

#define PLANE_FEED_COUNT_MAX 65536u
#define PLANE_DISPATCHER_COUNT_MAX 4000000u
#define PLANE_HOSTED_DELAY_NS (1 * SL_MS)

static bool plane_feed_eq(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_sim_plane *p = ctx;
    return ((const struct plane_feed *)sl_slab_at(&p->feeds, handle))->token == *(const sl_feed_token *)key;
}

static bool plane_dispatcher_eq(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_sim_plane *p = ctx;
    const struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    return d->token == *(const sl_dispatcher_token *)key;
}

void sl_sim_plane_init(struct sl_sim_plane *p, struct sl_sim_engine *e, struct sl_sim_sink *sink,
                       struct sl_sim_catalog *catalog, const struct sl_sim_plane_opts *opts)
{
    *p = (struct sl_sim_plane){ .engine = e, .sink = sink, .catalog = catalog, .opts = opts };
}

void sl_sim_plane_start(struct sl_sim_plane *p, uint16_t host, uint32_t process, const struct sl_sim_plane_port *port)
{
    struct sl_mem *mem = &p->engine->mem;
    SL_REQUIRE(p->process == 0 && process != 0);
    p->host = host;
    p->process = process;
    p->port = *port;
    p->mood = (struct sl_sim_plane_mood){ 0 };
    sl_slab_init(&p->feeds, mem, SL_TAG_SIM, sizeof(struct plane_feed), PLANE_FEED_COUNT_MAX);
    sl_slab_init(&p->dispatchers, mem, SL_TAG_SIM, sizeof(struct plane_dispatcher), PLANE_DISPATCHER_COUNT_MAX);
    sl_map_init(&p->feed_by_token, mem, SL_TAG_SIM, PLANE_FEED_COUNT_MAX, plane_feed_eq, p);
    sl_map_init(&p->dispatcher_by_token, mem, SL_TAG_SIM, PLANE_DISPATCHER_COUNT_MAX, plane_dispatcher_eq, p);
}

void sl_sim_plane_kill(struct sl_sim_plane *p)
{
    for (uint32_t slot = sl_slab_next(&p->feeds, 0); slot != 0; slot = sl_slab_next(&p->feeds, slot)) {
        const struct plane_feed *f = sl_slab_at(&p->feeds, slot);
        if (f->session != 0)
            sl_sim_sink_close_session(p->sink, f->session);
    }
    sl_map_deinit(&p->feed_by_token);
    sl_map_deinit(&p->dispatcher_by_token);
    sl_slab_deinit(&p->feeds);
    sl_slab_deinit(&p->dispatchers);
    p->process = 0;
    p->readers = p->readers_said = p->hung_count = 0;
    p->is_telling = false;
}

uint32_t sl_sim_plane_dispatcher_count(const struct sl_sim_plane *p)
{
    return p->process != 0 ? p->dispatchers.count : 0;
}

/* ---- objects and timers ---- */

struct plane_feed *sl_sim__plane_feed(const struct sl_sim_plane *p, uint32_t slot, uint32_t serial)
{
    if (!sl_slab_is_live(&p->feeds, slot))
        return NULL;
    struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    return f->serial == serial ? f : NULL;
}

struct plane_dispatcher *sl_sim__plane_dispatcher(const struct sl_sim_plane *p, uint32_t handle, uint32_t serial)
{
    if (!sl_slab_is_live(&p->dispatchers, handle))
        return NULL;
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    return d->serial == serial ? d : NULL;
}

struct sl_sim_writer sl_sim__plane_writer(const struct sl_sim_plane *p, const struct plane_dispatcher *d)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    return (struct sl_sim_writer){ .session = f->session, .table_id = d->table_id, .placement = d->placement };
}

struct plane_draw sl_sim__plane_draw(const struct sl_sim_plane *p, const struct plane_dispatcher *d)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    return (struct plane_draw){ .object = (uint64_t)f->feed << 24 ^ d->table_id,
                                .n = sl_hash_u64x2(p->process, d->placement.maintainer_epoch, d->placement.seq) };
}

static void plane_push(struct sl_sim_plane *p, enum sl_sim_event_kind kind, uint32_t a, uint32_t b, sl_ns delay)
{
    sl_sim_engine_push(
        p->engine, p->engine->now + delay,
        (struct sl_sim_event){ .kind = (uint16_t)kind, .host = p->host, .life = p->process, .a = a, .b = b });
}

void sl_sim__plane_arm_feed(struct sl_sim_plane *p, uint32_t slot, sl_ns delay)
{
    struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    plane_push(p, SL_SIM_EVENT_PLANE_FEED, slot, f->serial, delay);
}

void sl_sim__plane_arm_group(struct sl_sim_plane *p, uint32_t slot)
{
    struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    if (f->is_ticking)
        return;
    f->is_ticking = true;
    plane_push(p, SL_SIM_EVENT_PLANE_GROUP, slot, f->serial, p->opts->progress_ns);
}

void sl_sim__plane_arm_span(struct sl_sim_plane *p, uint32_t handle, sl_ns delay)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    d->serial = ++p->serial_next;
    plane_push(p, SL_SIM_EVENT_PLANE_SPAN, handle, d->serial, delay);
}

/* The node is told what it holds a moment later, once for many changes. */
static void plane_count_readers(struct sl_sim_plane *p, int change)
{
    p->readers = (uint32_t)((int)p->readers + change);
    if (p->is_telling)
        return;
    p->is_telling = true;
    plane_push(p, SL_SIM_EVENT_PLANE_HOSTED, 0, 0, PLANE_HOSTED_DELAY_NS);
}

void sl_sim__plane_drop(struct sl_sim_plane *p, uint32_t handle)
{
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    if (d->state == PLANE_FOLLOWING)
        f->followers--;
    if (d->is_hung)
        p->hung_count--;
    sl_map_remove(&p->dispatcher_by_token, sl_hash_u64(0, d->token), handle);
    sl_list_remove(&f->dispatchers, &p->dispatchers, PLANE_IN_FEED, handle);
    if (f->dispatchers.count == 0)
        plane_count_readers(p, -1);
    sl_slab_free(&p->dispatchers, handle);
}

void sl_sim__plane_drop_feed(struct sl_sim_plane *p, uint32_t slot)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    sl_map_remove(&p->feed_by_token, sl_hash_u64(0, f->token), slot);
    sl_slab_free(&p->feeds, slot);
}

/* ---- commands ---- */

static uint32_t plane_find_feed(const struct sl_sim_plane *p, sl_feed_token token)
{
    return sl_map_find(&p->feed_by_token, sl_hash_u64(0, token), &token);
}

static void plane_open_feed(struct sl_sim_plane *p, const struct sl_command *c)
{
    uint32_t slot;
    SL_REQUIRE(plane_find_feed(p, c->feed) == 0);
    uint32_t number = sl_sim_catalog_find(p->catalog, c->feed_id);
    SL_REQUIRE(number != SL_SIM_FEED_NONE);
    struct plane_feed *f = sl_slab_new(&p->feeds, &slot);
    SL_REQUIRE(f != NULL);
    *f = (struct plane_feed){ .token = c->feed, .serial = ++p->serial_next, .feed = number };
    bool added = sl_map_add(&p->feed_by_token, sl_hash_u64(0, c->feed), slot);
    SL_REQUIRE(added);
    sl_sim__plane_arm_feed(p, slot,
                           sl_sim_between(p->engine, SL_SIM_DRAW_OPEN, number, p->process * UINT64_C(1000) + f->serial,
                                          p->opts->feed_open_ns, p->opts->feed_open_jitter_ns));
}

/* Ends everything of a feed at once: what was not flushed is lost to this process, as if it had crashed. */
static void plane_silence(struct sl_sim_plane *p, uint32_t slot)
{
    struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    while (f->dispatchers.head != 0)
        sl_sim__plane_drop(p, f->dispatchers.head);
    if (f->session != 0)
        sl_sim_sink_close_session(p->sink, f->session);
    f->session = 0;
    f->serial = ++p->serial_next;
    f->is_ticking = false;
}

static void plane_close_feed(struct sl_sim_plane *p, const struct sl_command *c)
{
    uint32_t slot = plane_find_feed(p, c->feed);
    if (slot == 0)
        return;
    plane_silence(p, slot);
    ((struct plane_feed *)sl_slab_at(&p->feeds, slot))->state = PLANE_FEED_CLOSING;
    sl_sim__plane_arm_feed(p, slot, p->opts->feed_open_ns);
}

static void plane_fence_feed(struct sl_sim_plane *p, const struct sl_command *c)
{
    uint32_t slot = plane_find_feed(p, c->feed);
    if (slot == 0)
        return;
    plane_silence(p, slot);
    ((struct plane_feed *)sl_slab_at(&p->feeds, slot))->state = PLANE_FEED_FENCED;
}

static struct plane_dispatcher *plane_new_dispatcher(struct sl_sim_plane *p, const struct sl_command *c, uint32_t slot,
                                                     uint32_t *handle)
{
    struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    struct plane_dispatcher *d = sl_slab_new(&p->dispatchers, handle);
    SL_REQUIRE(d != NULL);
    *d = (struct plane_dispatcher){
        .token = c->dispatcher,
        .placement = c->placement,
        .position = c->start_ts,
        .slot = slot,
        .table_id = c->is_table_trigger ? 0 : (uint32_t)c->span.table_id,
        .schema_id = c->schema_id,
        .ddl_next = sl_sim_catalog_ddl_after(p->catalog, f->feed, c->start_ts),
        .is_trigger = c->is_table_trigger,
        .state = PLANE_OPENING,
    };
    bool added = sl_map_add(&p->dispatcher_by_token, sl_hash_u64(0, c->dispatcher), *handle);
    SL_REQUIRE(added);
    sl_list_push_back(&f->dispatchers, &p->dispatchers, PLANE_IN_FEED, *handle);
    if (f->dispatchers.count == 1)
        plane_count_readers(p, 1);
    return d;
}

static void plane_open(struct sl_sim_plane *p, const struct sl_command *c)
{
    uint32_t handle, slot = plane_find_feed(p, c->feed);
    SL_REQUIRE(slot != 0);
    struct plane_feed *f = sl_slab_at(&p->feeds, slot);
    if (f->state == PLANE_FEED_FENCED)
        return;
    SL_REQUIRE(f->state == PLANE_FEED_OPEN);
    struct plane_dispatcher *d = plane_new_dispatcher(p, c, slot, &handle);
    struct plane_draw draw = sl_sim__plane_draw(p, d);
    if (p->mood.hangs_open || (!d->is_trigger && sl_sim_chance(p->engine, SL_SIM_DRAW_MISHAP, draw.object, 8 * draw.n,
                                                               p->opts->hang_open_ppm))) {
        d->is_hung = true;
        p->hung_count++;
        return;
    }
    sl_ns delay =
        sl_sim_between(p->engine, SL_SIM_DRAW_OPEN, draw.object, draw.n, p->opts->open_ns, p->opts->open_jitter_ns);
    if (sl_sim_chance(p->engine, SL_SIM_DRAW_MISHAP, draw.object, 8 * draw.n + 1, p->opts->slow_ppm))
        delay += p->opts->slow_ns;
    sl_sim__plane_arm_span(p, handle, delay + p->mood.slow_open_ns);
}

/* What was taken from the source and must be flushed before the dispatcher may stop. */
static sl_ts plane_taken(const struct sl_sim_plane *p, struct plane_dispatcher *d)
{
    const struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
    sl_ts taken = sl_ts_max(d->position, sl_sim_head(p->engine->now) - 1);
    uint32_t stop = sl_sim__plane_next_stop(p, d, taken);
    return stop == SL_SIM_DDL_NONE ? taken : p->catalog->feeds[f->feed].ddls[stop].ddl.ts - 1;
}

static void plane_begin_close(struct sl_sim_plane *p, struct plane_dispatcher *d)
{
    struct sl_sim_writer w = sl_sim__plane_writer(p, d);
    if (d->state == PLANE_FOLLOWING) {
        struct plane_feed *f = sl_slab_at(&p->feeds, d->slot);
        f->followers--;
        sl_sim_sink_unfollow(p->sink, &w);
        d->position = sl_ts_max(d->position, sl_sim_sink_session_progress(p->sink, f->session));
        d->position = plane_taken(p, d);
    }
    d->state = PLANE_CLOSING;
    if (d->has_claimed)
        sl_sim_sink_begin_stop(p->sink, &w);
    if (d->is_hung) { /* it hung while opening: closing it is no wait for anybody */
        d->is_hung = false;
        p->hung_count--;
    }
}

static void plane_close(struct sl_sim_plane *p, const struct sl_command *c)
{
    uint32_t handle = sl_map_find(&p->dispatcher_by_token, sl_hash_u64(0, c->dispatcher), &c->dispatcher);
    if (handle == 0)
        return;
    struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
    if (d->state == PLANE_CLOSING)
        return;
    plane_begin_close(p, d);
    struct plane_draw draw = sl_sim__plane_draw(p, d);
    if (p->mood.hangs_close || (!d->is_trigger && sl_sim_chance(p->engine, SL_SIM_DRAW_MISHAP, draw.object,
                                                                8 * draw.n + 2, p->opts->hang_close_ppm))) {
        d->is_hung = true;
        d->serial = ++p->serial_next;
        p->hung_count++;
        return;
    }
    sl_ns delay =
        sl_sim_between(p->engine, SL_SIM_DRAW_CLOSE, draw.object, draw.n, p->opts->close_ns, p->opts->close_jitter_ns);
    if (sl_sim_chance(p->engine, SL_SIM_DRAW_MISHAP, draw.object, 8 * draw.n + 3, p->opts->slow_ppm))
        delay += p->opts->slow_ns;
    sl_sim__plane_arm_span(p, handle, delay + p->mood.slow_close_ns);
}

void sl_sim_plane_perform(struct sl_sim_plane *p, const struct sl_command *c)
{
    switch (c->verb) {
    case SL_COMMAND_OPEN_FEED:
        plane_open_feed(p, c);
        return;
    case SL_COMMAND_CLOSE_FEED:
        plane_close_feed(p, c);
        return;
    case SL_COMMAND_FENCE_FEED:
        plane_fence_feed(p, c);
        return;
    case SL_COMMAND_OPEN:
        plane_open(p, c);
        return;
    case SL_COMMAND_CLOSE:
        plane_close(p, c);
        return;
    case SL_COMMAND_WRITE:
    case SL_COMMAND_PASS:
        sl_sim__plane_told(p, c);
        return;
    case SL_COMMAND_TELL_CHECKPOINT:
        return;
    }
    SL_UNREACHABLE();
}

void sl_sim_plane_release(struct sl_sim_plane *p)
{
    p->mood = (struct sl_sim_plane_mood){ 0 };
    for (uint32_t handle = sl_slab_next(&p->dispatchers, 0); handle != 0;
         handle = sl_slab_next(&p->dispatchers, handle)) {
        struct plane_dispatcher *d = sl_slab_at(&p->dispatchers, handle);
        if (!d->is_hung)
            continue;
        d->is_hung = false;
        p->hung_count--;
        sl_sim__plane_arm_span(p, handle, p->opts->close_ns);
    }
}
