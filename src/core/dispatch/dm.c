/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/block.h"

#include "base/check.h"
#include "core/common/mem_tags.h"

struct dm_row {
    const char *text;
    uint32_t next; /* bits of the legal next states */
};

static const struct dm_row dm_rows[] = {
#define GO(name) (1u << SL_DM_##name)
#define DM_ROW(name, text, next) [SL_DM_##name] = { text, next },
    SL_DM_STATES(DM_ROW)
#undef DM_ROW
#undef GO
};

static struct sl_dm *dm_at(const struct sl_orchestrator *o, uint32_t handle)
{
    return sl_slab_at(&o->dms, handle);
}

/* ---- the table ---- */

static bool dm_is_of_feed(const void *ctx, uint32_t handle, const void *key)
{
    return sl_feed_id_eq(&dm_at(ctx, handle)->feed, key);
}

static void dm_on_due_moved(void *ctx, uint32_t handle, uint32_t position)
{
    dm_at(ctx, handle)->due_position = position;
}

static void dm_on_lagging_moved(void *ctx, uint32_t handle, uint32_t position)
{
    sl__dispatcher_at(ctx, handle)->lagging_position = position;
}

void sl__dms_init(struct sl_orchestrator *o)
{
    uint32_t count_max = o->opts.feed_count_max;
    sl_slab_init(&o->dms, o->opts.mem, SL_TAG_ORCHESTRATOR, sizeof(struct sl_dm), count_max);
    sl_map_init(&o->feed_index, o->opts.mem, SL_TAG_ORCHESTRATOR, count_max, dm_is_of_feed, o);
    sl_heap_init(&o->due, o->opts.mem, SL_TAG_ORCHESTRATOR, count_max, dm_on_due_moved, o);
}

void sl__dms_deinit(struct sl_orchestrator *o)
{
    uint32_t handle;
    while ((handle = sl_slab_next(&o->dms, 0)) != 0)
        sl__dm_free(o, dm_at(o, handle));
    sl_heap_deinit(&o->due);
    sl_map_deinit(&o->feed_index);
    sl_slab_deinit(&o->dms);
}

struct sl_dm *sl__dm_find(const struct sl_orchestrator *o, const struct sl_feed_id *feed)
{
    uint32_t handle = sl_map_find(&o->feed_index, sl_feed_id_hash(o->opts.seed, feed), feed);
    return handle != 0 ? dm_at(o, handle) : NULL;
}

struct sl_dm *sl__dm_of_token(const struct sl_orchestrator *o, sl_feed_token token)
{
    uint32_t handle = (uint32_t)token;
    if (!sl_slab_is_live(&o->dms, handle))
        return NULL;
    struct sl_dm *dm = dm_at(o, handle);
    return dm->generation == (uint32_t)(token >> 32) ? dm : NULL;
}

uint64_t sl__dm_incarnation(const struct sl_orchestrator *o, const struct sl_dm *dm)
{
    return o->opts.start_epoch + dm->generation;
}

sl_feed_token sl__dm_token(const struct sl_dm *dm)
{
    return (uint64_t)dm->generation << 32 | dm->handle;
}

struct sl_dm *sl__dm_new(struct sl_orchestrator *o, const struct sl_feed_id *feed, enum sl_dm_state state)
{
    uint32_t handle = 0;
    uint64_t hash = sl_feed_id_hash(o->opts.seed, feed);
    struct sl_dm *dm = sl_slab_new(&o->dms, &handle);
    if (!dm)
        return NULL;
    dm->feed = *feed;
    dm->handle = handle;
    dm->state = (uint8_t)state;
    dm->seq = o->insert_seq;
    dm->status_at = dm->heartbeat_at = dm->sweep_at = dm->error_at = dm->block_at = SL_NEVER;
    if (!sl_map_add(&o->feed_index, hash, handle)) {
        sl_slab_free(&o->dms, handle);
        return NULL;
    }
    if (!sl_heap_push(&o->due, (uint64_t)SL_NEVER, handle)) {
        sl_map_remove(&o->feed_index, hash, handle);
        sl_slab_free(&o->dms, handle);
        return NULL;
    }
    dm->generation = sl__next_generation(o);
    sl_heap_init(&dm->lagging, o->opts.mem, SL_TAG_DISPATCHERS, o->opts.dispatcher_count_max, dm_on_lagging_moved, o);
    return dm;
}

void sl__dm_free(struct sl_orchestrator *o, struct sl_dm *dm)
{
    sl__blocks_free(o, dm);
    sl__dm_free_dispatchers(o, dm);
    sl_heap_deinit(&dm->lagging);
    sl_heap_remove(&o->due, dm->due_position);
    sl_map_remove(&o->feed_index, sl_feed_id_hash(o->opts.seed, &dm->feed), dm->handle);
    sl_slab_free(&o->dms, dm->handle);
}

void sl__dm_go(struct sl_dm *dm, enum sl_dm_state to)
{
    SL_REQUIRE(dm->state < SL_DM_STATE_COUNT && (dm_rows[dm->state].next & (1u << to)) != 0);
    dm->state = (uint8_t)to;
}

/* ---- ownership ---- */

enum sl_refusal sl__dm_may_become(const struct sl_orchestrator *o, const struct sl_dm *dm, sl_node_ref from,
                                  uint64_t epoch)
{
    if (epoch == 0)
        return dm->owner.epoch == 0 ? SL_REFUSE_NONE : SL_REFUSE_ZERO_EPOCH;
    if (epoch < dm->owner.epoch)
        return SL_REFUSE_STALE_VERSION;
    bool is_same = sl_node_id_eq(&dm->owner.id, sl_members_id(o->opts.members, from));
    return epoch == dm->owner.epoch && !is_same ? SL_REFUSE_WRONG_SENDER : SL_REFUSE_NONE;
}

enum sl_refusal sl__dm_may_use(const struct sl_dm *dm, sl_node_ref from, uint64_t epoch)
{
    if (epoch == 0 && dm->owner.epoch != 0)
        return SL_REFUSE_ZERO_EPOCH;
    if (epoch < dm->owner.epoch)
        return SL_REFUSE_STALE_VERSION;
    if (epoch > dm->owner.epoch)
        return SL_REFUSE_NOT_BOOTSTRAPPED;
    return from == dm->owner.node ? SL_REFUSE_NONE : SL_REFUSE_WRONG_SENDER;
}

/* A new owner learns from the list of its bootstrap what is not here any more, and places it anew. */
static void dm_forget_failed(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_outbox *out)
{
    uint32_t handle = dm->state == SL_DM_OPEN ? sl__dm_next_dispatcher(o, dm, 0) : 0;
    while (handle != 0) {
        uint32_t next = sl__dm_next_dispatcher(o, dm, handle);
        if (sl__dispatcher_at(o, handle)->state == SL_DISPATCHER_FAILED) {
            sl__dispatcher_go(o, dm, handle, SL_DISPATCHER_CLOSED, out);
            sl__dispatcher_settle(o, dm, handle);
        }
        handle = next;
    }
}

void sl__dm_take(struct sl_orchestrator *o, struct sl_dm *dm, sl_node_ref from, uint64_t epoch, struct sl_outbox *out)
{
    SL_REQUIRE(epoch >= dm->owner.epoch); /* D1 */
    const struct sl_node_id *id = sl_members_id(o->opts.members, from);
    bool is_same = dm->owner.epoch == epoch && sl_node_id_eq(&dm->owner.id, id);
    dm->owner = (struct sl_owner){ .id = *id, .node = from, .epoch = epoch };
    if (is_same)
        return;
    dm->has_error = false;
    dm_forget_failed(o, dm, out);
    sl__blocks_say_again(o, dm);
    sl_out_event(out, SL_EV_OWNER_CHANGED, sl_f_str("feed", sl_feed_id_name(&dm->feed)), sl_f_u64("epoch", epoch),
                 sl_f_str("node", sl_node_id_str(id)), sl_f_str("state", sl_str_of(dm_rows[dm->state].text)));
}

static void error_copy(char *to, size_t cap, struct sl_str from)
{
    struct sl_text text;
    sl_text_init(&text, to, cap);
    sl_text_str(&text, from);
}

/* The first one stays: what follows is mostly its consequence. */
void sl__dm_set_error(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_str code, struct sl_str text)
{
    if (dm->has_error)
        return;
    dm->has_error = true;
    dm->error_at = sl_ns_after(o->now, o->opts.status_batch_ns);
    error_copy(dm->error.code, sizeof dm->error.code, code);
    error_copy(dm->error.text, sizeof dm->error.text, text);
}

/* ---- after every change ---- */

static sl_ns dm_deadline(const struct sl_dm *dm)
{
    if (dm->state != SL_DM_OPEN || dm->owner.node == SL_NODE_NONE)
        return SL_NEVER;
    sl_ns at = sl_ns_min(sl_ns_min(dm->heartbeat_at, dm->sweep_at), dm->block_at);
    if (dm->changed.count > 0)
        at = sl_ns_min(at, dm->status_at);
    return dm->has_error ? sl_ns_min(at, dm->error_at) : at;
}

void sl__dm_arm(struct sl_orchestrator *o, struct sl_dm *dm)
{
    sl_ns at = dm_deadline(dm);
    sl_heap_update(&o->due, dm->due_position, at > 0 ? (uint64_t)at : 0);
}

void sl__dm_check(const struct sl_orchestrator *o, const struct sl_dm *dm)
{
    uint32_t count = sl__dm_dispatcher_count(dm);
    SL_REQUIRE(dm->owner.epoch > 0 || o->opts.interop);
    SL_REQUIRE(dm->lagging.count <= count && count <= o->dispatchers.count);
    SL_REQUIRE(dm->state == SL_DM_OPEN || dm->state == SL_DM_CLOSING || dm->state == SL_DM_FENCED || count == 0);
    SL_REQUIRE(dm->trigger_handle == 0 || sl__dispatcher_at(o, dm->trigger_handle)->dm == dm->handle);
    SL_REQUIRE(dm->seq <= o->insert_seq && dm->sent.seq <= dm->seq);
    SL_REQUIRE(o->hosted_count <= o->dispatchers.count);
}
