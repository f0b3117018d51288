/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

#define FEEDS_SCRATCH_KEPT_BYTES (256u << 10) /* beside two info values: keys and statuses of a transaction */

/* ---- life ---- */

static size_t feeds_nodes_bytes(const struct sl_feeds *f)
{
    return ((size_t)f->ref_max + 1) * sizeof(struct sl__feeds_node);
}

static size_t feeds_scratch_bytes(const struct sl_feeds_opts *o)
{
    size_t views = (size_t)o->feed_count_max * sizeof(struct sl_feed_view);
    size_t values = 2 * o->config_bytes_max + FEEDS_SCRATCH_KEPT_BYTES;
    return views > values ? views : values;
}

static bool feeds_cluster_is_usable(struct sl_feeds *f, struct sl_str cluster)
{
    struct sl_key key;
    struct sl_text text;
    sl_text_init(&text, f->cluster, sizeof f->cluster);
    sl_text_str(&text, cluster);
    return !text.cut && sl_key_feed_infos(&key, cluster, SL_STR(SL__FEED_KEYSPACE));
}

enum sl_code sl_feeds_new(struct sl_feeds **out, const struct sl_feeds_opts *opts, sl_ns now)
{
    *out = NULL;
    struct sl_feeds *f = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, sizeof *f);
    if (!f)
        return SL_NOMEM;
    f->opts = *opts;
    f->now = now;
    f->ref_max = sl_members_ref_max(opts->members);
    f->nodes = sl_mem_alloc(opts->mem, SL_TAG_COORDINATOR, feeds_nodes_bytes(f));
    sl_prng_init(&f->prng, opts->seed);
    sl_arena_init(&f->scratch, opts->mem, SL_TAG_COORDINATOR, feeds_scratch_bytes(opts));
    sl__table_init(f);
    f->load_at = f->save_at = f->schedule_at = f->balance_at = f->write_at = SL_NEVER;
    bool usable = feeds_cluster_is_usable(f, opts->cluster);
    f->opts.cluster = sl_str_of(f->cluster);
    if (!f->nodes || !usable) {
        sl_feeds_free(f);
        return usable ? SL_NOMEM : SL_BAD_CONFIG;
    }
    *out = f;
    return SL_OK;
}

void sl_feeds_free(struct sl_feeds *f)
{
    if (!f)
        return;
    struct sl_mem *mem = f->opts.mem;
    sl__table_deinit(f);
    sl_arena_deinit(&f->scratch);
    sl_mem_free(mem, SL_TAG_COORDINATOR, f->reports, f->report_cap * sizeof *f->reports);
    sl_mem_free(mem, SL_TAG_COORDINATOR, f->nodes, feeds_nodes_bytes(f));
    sl_mem_free(mem, SL_TAG_COORDINATOR, f, sizeof *f);
}

/* ---- a step ---- */

void sl__feeds_begin(struct sl_feeds *f, sl_ns now)
{
    SL_REQUIRE(now >= f->now);
    f->now = now;
}

uint64_t sl__feeds_wall_ns(const struct sl_feeds *f)
{
    return (uint64_t)f->now + f->opts.wall_offset_ns;
}

bool sl__feeds_epoch_fits(const struct sl_feeds *f, uint64_t held, uint64_t reported)
{
    return held == reported || (f->opts.interop && (held == 0 || reported == 0));
}

/* What is cheap enough for every step; sl__feeds_check looks at everything. */
static void feeds_check_step(const struct sl_feeds *f)
{
    SL_REQUIRE(f->all.count == f->slab.count && f->timers.count == f->slab.count);
    SL_REQUIRE(f->ops.count <= f->slab.count && f->writes_in_flight <= SL__FEEDS_WRITES_MAX);
    for (uint32_t slot = SL__SLOT_BASIC; slot < SL__SLOT_COUNT; slot++)
        SL_REQUIRE(f->slots[slot] <= f->opts.batch);
}

void sl__feeds_end(struct sl_feeds *f, struct sl_outbox *out)
{
    if (f->settled) {
        sl__requests_retry(f, out);
        sl__feeds_schedule(f, out);
    }
    sl__write_run(f, out);
    if (f->settled)
        sl__save_run(f, out);
    sl__halt_check(f, out);
    feeds_check_step(f);
}

/* A feed that was paused, failed or is new is placed once the store agrees that it should run. */
static bool feeds_may_start(const struct sl_feeds *f, const struct sl__feed *feed)
{
    return f->settled && feed->place == SL__PLACE_STOPPED && feed->op.kind == SL__OP_IDLE &&
           feed->stop == SL__STOP_NONE && sl__feed_is_runnable(feed) && !sl__feed_needs_write(feed) &&
           !feed->write.must_read;
}

void sl__feed_react(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    if (feed->stop != SL__STOP_NONE && !sl__feed_needs_write(feed)) {
        enum sl__stop stop = feed->stop;
        feed->stop = SL__STOP_NONE;
        sl__op_stop(f, feed, stop, out);
    }
    if (feeds_may_start(f, feed))
        sl__feed_place(f, feed, SL__PLACE_ABSENT, SL_NODE_NONE, 0, out);
    if (feed->open_requests > 0)
        sl__requests_check(f, feed, out);
    sl__write_want(f, feed);
    sl__feed_list(f, feed);
}

/* ---- inputs ---- */

static void feeds_on_due(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    if (feed->op.kind != SL__OP_IDLE && f->now >= sl__op_deadline(f, feed))
        sl__op_on_due(f, feed, out);
    if (f->now >= sl__feed_silence_at(f, feed))
        sl__feed_on_silence(f, feed, out);
    sl__write_on_due(f, feed);
    sl__feed_react(f, feed, out);
}

void sl_feeds_on_tick(struct sl_feeds *f, sl_ns now, struct sl_outbox *out)
{
    sl__feeds_begin(f, now);
    if (f->load == SL__LOAD_IDLE && now >= f->load_at)
        sl_feeds_load(f, now, out);
    const struct sl_heap_item *due = sl_heap_peek(&f->timers);
    for (uint32_t left = f->timers.count; left > 0 && due && due->key <= (uint64_t)now; left--) {
        feeds_on_due(f, sl__feed_at(f, due->value), out);
        due = sl_heap_peek(&f->timers);
    }
    sl__feeds_end(f, out);
}

sl_ns sl_feeds_deadline(const struct sl_feeds *f)
{
    const struct sl_heap_item *due = sl_heap_peek(&f->timers);
    sl_ns at = due ? (sl_ns)due->key : SL_NEVER;
    at = sl_ns_min(at, sl_ns_min(sl__write_deadline(f), sl__requests_deadline(f)));
    if (f->load == SL__LOAD_IDLE)
        at = sl_ns_min(at, f->load_at);
    if (f->settled)
        at = sl_ns_min(at, sl_ns_min(sl__feed_schedulers_deadline(f), sl__save_deadline(f)));
    return at;
}

bool sl_feeds_on_store(struct sl_feeds *f, sl_ns now, const struct sl_store_result *r, struct sl_outbox *out)
{
    sl__feeds_begin(f, now);
    bool ours = sl__load_on_store(f, r, out) || sl__write_on_store(f, r, out) || sl__save_on_store(f, r, out);
    if (ours)
        sl__feeds_end(f, out);
    return ours;
}

/* What still names the node when neither a binding nor an operator does. A drain is of the node, not of its process. */
static void feeds_forget_node(struct sl_feeds *f, sl_node_ref node, bool keeps_draining)
{
    bool draining = f->nodes[node].draining && keeps_draining;
    for (struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        feed->avoid = feed->avoid == node ? SL_NODE_NONE : feed->avoid;
        for (uint32_t i = 0; i < feed->drain_count; i++) {
            if (feed->drains[i].slowest.waits_for == node)
                feed->drains[i].slowest.waits_for = SL_NODE_NONE;
        }
        sl__feed_forget_target(feed, node);
    }
    f->draining_count -= f->nodes[node].draining && !draining;
    f->drain_cursor = f->drain_cursor == node ? SL_NODE_NONE : f->drain_cursor;
    for (uint32_t i = 0; i < f->report_count; i++)
        f->reports[i].used |= f->reports[i].node == node;
    SL_REQUIRE(f->nodes[node].bound.count == 0 && f->nodes[node].operators == 0 && f->nodes[node].incoming == 0);
    f->nodes[node] = (struct sl__feeds_node){ .draining = draining };
}

static void feeds_lose_operators(struct sl_feeds *f, sl_node_ref node, struct sl_outbox *out)
{
    uint32_t next = f->ops.head;
    while (next != 0) {
        struct sl__feed *feed = sl__feed_at(f, next);
        next = feed->op.link.next;
        if (!sl__op_names(feed, node))
            continue;
        sl__op_on_lost(f, feed, node, out);
        sl__feed_react(f, feed, out);
    }
}

/* A feed that is still bound to the node may answer the end of its operator with another one for the same node: those are
 * ended when nothing is bound to it any more. */
static void feeds_lose_node(struct sl_feeds *f, sl_ns now, sl_node_ref node, bool keeps_draining, struct sl_outbox *out)
{
    sl__feeds_begin(f, now);
    SL_REQUIRE(node != SL_NODE_NONE && node <= f->ref_max);
    feeds_lose_operators(f, node, out);
    while (f->nodes[node].bound.count > 0) {
        struct sl__feed *feed = sl__feed_at(f, f->nodes[node].bound.head);
        sl__feed_place(f, feed, SL__PLACE_ABSENT, SL_NODE_NONE, 0, out);
        sl__feed_react(f, feed, out);
    }
    feeds_lose_operators(f, node, out);
    feeds_forget_node(f, node, keeps_draining);
    f->schedule_at = now;
    sl__feeds_end(f, out);
}

void sl_feeds_on_node_lost(struct sl_feeds *f, sl_ns now, sl_node_ref node, struct sl_outbox *out)
{
    feeds_lose_node(f, now, node, false, out);
}

void sl_feeds_on_node_replaced(struct sl_feeds *f, sl_ns now, sl_node_ref node, struct sl_outbox *out)
{
    feeds_lose_node(f, now, node, true, out);
}

void sl_feeds_nodes_changed(struct sl_feeds *f, sl_ns now, struct sl_outbox *out)
{
    sl__feeds_begin(f, now);
    f->schedule_at = now;
    sl__balance_look_at_nodes(f);
    sl__feeds_end(f, out);
}

void sl_feeds_set_draining(struct sl_feeds *f, sl_ns now, sl_node_ref node, bool draining, struct sl_outbox *out)
{
    sl__feeds_begin(f, now);
    SL_REQUIRE(node != SL_NODE_NONE && node <= f->ref_max);
    if (f->nodes[node].draining != draining) {
        f->nodes[node].draining = draining;
        f->draining_count = draining ? f->draining_count + 1 : f->draining_count - 1;
        f->balance_blocked_until = sl_ns_after(now, f->opts.balance_ns);
        f->schedule_at = now;
    }
    sl__feeds_end(f, out);
}

bool sl_feeds_is_draining(const struct sl_feeds *f, sl_node_ref node)
{
    return f->nodes[node].draining;
}

void sl_feeds_set_targets(struct sl_feeds *f, const struct sl_drain_target *targets, uint32_t count)
{
    SL_REQUIRE(count <= SL_TARGETS_MAX);
    for (uint32_t i = 0; i < count; i++)
        f->targets[i] = targets[i];
    f->target_count = count;
    f->schedule_at = f->now;
}

void sl_feeds_stop(struct sl_feeds *f, struct sl_outbox *out)
{
    for (struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        if (feed->open_requests > 0)
            sl__requests_end(f, feed, SL_NOT_OWNER, "this node is no longer the coordinator", out);
    }
    sl__halt_end(f, SL_NOT_OWNER, "this node is no longer the coordinator", out);
}
