/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/block.h"

#include "base/check.h"
#include "base/hash.h"
#include "core/common/mem_tags.h"

#include <string.h>

/*
 * The dispatchers of all DMs in one slab and one index, and per DM the minimum of their checkpoints.
 *
 * The minimum without a scan: whoever follows the feed and is not ahead of it is exactly at dm->progress. All others
 * are in the heap "lagging", with their own checkpoint as key: those that open, lag or close, and followers that are
 * still ahead. The latter leave the heap when they come to its top and the feed has reached them.
 *
 * That the feed's progress holds for a follower from its first moment is the data plane's promise: it lets a dispatcher
 * follow only from where the feed is.
 */
#define DISPATCHER_LINK offsetof(struct sl_dispatcher, link)
#define LAGGING_CAP_MIN 16u

/* ---- the table ---- */

struct dispatcher_key {
    uint32_t dm;
    struct sl_dispatcher_id id;
};

static bool dispatcher_has_key(const void *ctx, uint32_t handle, const void *key)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(ctx, handle);
    const struct dispatcher_key *wanted = key;
    return d->dm == wanted->dm && sl_dispatcher_id_eq(d->id, wanted->id);
}

static uint64_t dispatcher_hash(const struct sl_orchestrator *o, uint32_t dm, struct sl_dispatcher_id id)
{
    return sl_hash_u64x2(o->opts.seed + dm, id.high, id.low);
}

void sl__dispatchers_init(struct sl_orchestrator *o)
{
    uint32_t count_max = o->opts.dispatcher_count_max;
    sl_slab_init(&o->dispatchers, o->opts.mem, SL_TAG_DISPATCHERS, sizeof(struct sl_dispatcher), count_max);
    sl_map_init(&o->dispatcher_index, o->opts.mem, SL_TAG_DISPATCHERS, count_max, dispatcher_has_key, o);
}

void sl__dispatchers_deinit(struct sl_orchestrator *o)
{
    sl_map_deinit(&o->dispatcher_index);
    sl_slab_deinit(&o->dispatchers);
}

uint32_t sl__dm_find_dispatcher(const struct sl_orchestrator *o, const struct sl_dm *dm, struct sl_dispatcher_id id)
{
    struct dispatcher_key key = { dm->handle, id };
    return sl_map_find(&o->dispatcher_index, dispatcher_hash(o, dm->handle, id), &key);
}

uint32_t sl__dispatcher_of_token(const struct sl_orchestrator *o, sl_dispatcher_token token)
{
    uint32_t handle = (uint32_t)token;
    if (!sl_slab_is_live(&o->dispatchers, handle))
        return 0;
    return sl__dispatcher_at(o, handle)->generation == (uint32_t)(token >> 32) ? handle : 0;
}

sl_dispatcher_token sl__dispatcher_token(const struct sl_dispatcher *d, uint32_t handle)
{
    return (uint64_t)d->generation << 32 | handle;
}

static size_t keys_bytes(const struct sl_dispatcher_keys *keys)
{
    return sizeof *keys + keys->start_len + keys->end_len;
}

/* False without memory. */
static bool dispatcher_copy_keys(struct sl_orchestrator *o, struct sl_dispatcher *d, const struct sl_span_key *span)
{
    size_t len = span->start_key.len + span->end_key.len;
    if (len == 0)
        return true;
    SL_REQUIRE(len < UINT32_MAX);
    d->keys = sl_mem_alloc(o->opts.mem, SL_TAG_DISPATCHERS, sizeof *d->keys + len);
    if (!d->keys)
        return false;
    d->keys->start_len = (uint32_t)span->start_key.len;
    d->keys->end_len = (uint32_t)span->end_key.len;
    if (span->start_key.len > 0)
        memcpy(d->keys->bytes, span->start_key.ptr, span->start_key.len);
    if (span->end_key.len > 0)
        memcpy(d->keys->bytes + span->start_key.len, span->end_key.ptr, span->end_key.len);
    return true;
}

static void dispatcher_free(struct sl_orchestrator *o, uint32_t handle)
{
    struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    if (d->keys)
        sl_mem_free(o->opts.mem, SL_TAG_DISPATCHERS, d->keys, keys_bytes(d->keys));
    sl_slab_free(&o->dispatchers, handle);
}

/* In the table, but in nothing of the DM yet. 0 without memory. */
static uint32_t dispatcher_new(struct sl_orchestrator *o, struct sl_dm *dm, const struct sl_command *command)
{
    uint32_t handle = 0;
    struct sl_dispatcher *d = sl_slab_new(&o->dispatchers, &handle);
    if (!d)
        return 0;
    d->id = command->id;
    d->checkpoint = command->start_ts;
    d->table_id = command->span.table_id;
    d->keyspace_id = command->span.keyspace_id;
    d->schema_id = command->schema_id;
    d->placement_seq = command->placement.seq;
    d->request_epoch = command->placement.maintainer_epoch;
    d->dm = dm->handle;
    d->generation = sl__next_generation(o);
    d->lagging_position = SL_HEAP_NOWHERE;
    d->state = SL_DISPATCHER_OPENING;
    if (!dispatcher_copy_keys(o, d, &command->span) ||
        !sl_map_add(&o->dispatcher_index, dispatcher_hash(o, dm->handle, d->id), handle)) {
        dispatcher_free(o, handle);
        return 0;
    }
    return handle;
}

static void dispatcher_delete(struct sl_orchestrator *o, uint32_t handle)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    sl_map_remove(&o->dispatcher_index, dispatcher_hash(o, d->dm, d->id), handle);
    dispatcher_free(o, handle);
}

/* ---- life ---- */

/* Room for every dispatcher of the DM, so that one which stops following always finds a place. */
static bool lagging_reserve(struct sl_dm *dm, uint32_t count)
{
    if (count <= dm->lagging.cap)
        return true;
    uint32_t wanted = sl_u32_max(dm->lagging.cap + dm->lagging.cap / 4, LAGGING_CAP_MIN);
    wanted = sl_u32_max(sl_u32_min(wanted, dm->lagging.count_max), count);
    return sl_heap_reserve(&dm->lagging, wanted);
}

static void dm_begin_heartbeats(struct sl_orchestrator *o, struct sl_dm *dm)
{
    if (dm->sweep_at != SL_NEVER)
        return;
    dm->heartbeat_at = sl_ns_after(o->now, o->opts.heartbeat_ns);
    dm->sweep_at = sl_ns_after(o->now, o->opts.full_status_ns);
}

enum sl_code sl__dm_open_dispatcher(struct sl_orchestrator *o, struct sl_dm *dm, struct sl_command *command,
                                    struct sl_outbox *out)
{
    SL_REQUIRE(dm->state == SL_DM_OPEN && o->liveness != SL_LIVENESS_STOPPING); /* D7 */
    SL_HOT(sl__dm_find_dispatcher(o, dm, command->id) == 0);                    /* D2 */
    if (o->dispatchers.count >= o->dispatchers.count_max)
        return SL_LIMIT;
    if (!lagging_reserve(dm, sl__dm_dispatcher_count(dm) + 1))
        return SL_NOMEM;
    uint32_t handle = dispatcher_new(o, dm, command);
    if (handle == 0)
        return SL_NOMEM;
    struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    command->verb = SL_COMMAND_OPEN;
    command->feed = sl__dm_token(dm);
    command->dispatcher = sl__dispatcher_token(d, handle);
    if (!sl_out_command(out, command)) {
        dispatcher_delete(o, handle);
        return SL_NOMEM;
    }
    SL_REQUIRE(sl_heap_push(&dm->lagging, d->checkpoint, handle));
    sl_list_push_back(&dm->quiet, &o->dispatchers, DISPATCHER_LINK, handle);
    if (command->is_table_trigger)
        dm->trigger_handle = handle;
    o->hosted_count++;
    dm->seq = ++o->insert_seq; /* after the insertion: a watermark without it has a smaller one */
    dm_begin_heartbeats(o, dm);
    return SL_OK;
}

bool sl__dispatcher_is_hosted(const struct sl_dispatcher *d)
{
    return d->state != SL_DISPATCHER_CLOSED && d->state != SL_DISPATCHER_FAILED;
}

void sl__dispatcher_go(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, enum sl_dispatcher_state to,
                       struct sl_outbox *out)
{
    struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    enum sl_dispatcher_state from = (enum sl_dispatcher_state)d->state;
    SL_REQUIRE(sl__dispatcher_may_go(from, to));
    d->state = (uint8_t)to;
    if (!sl__dispatcher_is_hosted(d) && from != SL_DISPATCHER_FAILED) {
        o->hosted_count--;
        if (dm->trigger_handle == handle)
            dm->trigger_handle = 0;
    }
    sl_out_event(out, SL_EV_DISPATCHER_STATE, sl_f_str("feed", sl_feed_id_name(&dm->feed)),
                 sl_f_id128("dispatcher", d->id.high, d->id.low), sl_f_i64("table", d->table_id),
                 sl_f_str("from", sl_str_of(sl__dispatcher_state_name(from))),
                 sl_f_str("to", sl_str_of(sl__dispatcher_state_name(to))), sl_f_u64("checkpoint", d->checkpoint));
}

void sl__dispatcher_dismiss(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, struct sl_outbox *out)
{
    sl__dispatcher_go(o, dm, handle, SL_DISPATCHER_CLOSED, out);
    sl__dispatcher_touch(o, dm, handle);
}

/* ---- the two lists ---- */

static void dispatcher_unlink(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle)
{
    const struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    if (!d->is_changed && dm->sweep_next == handle)
        dm->sweep_next = sl_list_next(&o->dispatchers, DISPATCHER_LINK, handle);
    sl_list_remove(d->is_changed ? &dm->changed : &dm->quiet, &o->dispatchers, DISPATCHER_LINK, handle);
}

static void dispatcher_link(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, bool is_changed)
{
    sl__dispatcher_at(o, handle)->is_changed = is_changed;
    sl_list_push_back(is_changed ? &dm->changed : &dm->quiet, &o->dispatchers, DISPATCHER_LINK, handle);
}

void sl__dispatcher_touch(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle)
{
    if (sl__dispatcher_at(o, handle)->is_changed)
        return;
    if (dm->changed.count == 0)
        dm->status_at = sl_ns_after(o->now, o->opts.status_batch_ns);
    dispatcher_unlink(o, dm, handle);
    dispatcher_link(o, dm, handle, true);
}

void sl__dispatcher_settle(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle)
{
    struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    dispatcher_unlink(o, dm, handle);
    if (d->state != SL_DISPATCHER_CLOSED) {
        dispatcher_link(o, dm, handle, false);
        return;
    }
    if (d->lagging_position != SL_HEAP_NOWHERE)
        sl_heap_remove(&dm->lagging, d->lagging_position);
    sl__block_forget(o, dm, handle);
    sl__floors_put(&o->floors, d->id, dm->owner.epoch, d->placement_seq);
    dispatcher_delete(o, handle);
}

uint32_t sl__dm_dispatcher_count(const struct sl_dm *dm)
{
    return dm->quiet.count + dm->changed.count;
}

uint32_t sl__dm_next_dispatcher(const struct sl_orchestrator *o, const struct sl_dm *dm, uint32_t handle)
{
    if (handle == 0)
        return dm->quiet.head != 0 ? dm->quiet.head : dm->changed.head;
    uint32_t next = sl_list_next(&o->dispatchers, DISPATCHER_LINK, handle);
    bool ends_quiet = next == 0 && !sl__dispatcher_at(o, handle)->is_changed;
    return ends_quiet ? dm->changed.head : next;
}

void sl__dm_free_dispatchers(struct sl_orchestrator *o, struct sl_dm *dm)
{
    uint32_t handle = sl__dm_next_dispatcher(o, dm, 0);
    while (handle != 0) {
        uint32_t next = sl__dm_next_dispatcher(o, dm, handle);
        if (sl__dispatcher_is_hosted(sl__dispatcher_at(o, handle)))
            o->hosted_count--;
        dispatcher_delete(o, handle);
        handle = next;
    }
    sl_heap_deinit(&dm->lagging);
    dm->quiet = dm->changed = (struct sl_list){ 0 };
    dm->sweep_next = dm->trigger_handle = 0;
}

/* ---- checkpoints ---- */

sl_ts sl__dm_checkpoint_of(const struct sl_dm *dm, const struct sl_dispatcher *d)
{
    return d->follows ? sl_ts_max(d->checkpoint, dm->progress) : d->checkpoint;
}

void sl__dispatcher_advance(struct sl_orchestrator *o, struct sl_dm *dm, uint32_t handle, sl_ts checkpoint,
                            bool follows)
{
    struct sl_dispatcher *d = sl__dispatcher_at(o, handle);
    d->checkpoint = sl_ts_max(sl__dm_checkpoint_of(dm, d), checkpoint);
    d->follows = follows;
    bool is_covered = follows && d->checkpoint <= dm->progress;
    if (d->lagging_position == SL_HEAP_NOWHERE) {
        /* Room was reserved when it was made. */
        SL_REQUIRE(is_covered || sl_heap_push(&dm->lagging, d->checkpoint, handle));
    } else if (is_covered) {
        sl_heap_remove(&dm->lagging, d->lagging_position);
    } else {
        sl_heap_update(&dm->lagging, d->lagging_position, d->checkpoint);
    }
}

/* Followers that the feed has reached need no place of their own any more. */
static void lagging_trim(struct sl_orchestrator *o, struct sl_dm *dm)
{
    const struct sl_heap_item *top;
    while ((top = sl_heap_peek(&dm->lagging)) != NULL && top->key <= dm->progress &&
           sl__dispatcher_at(o, top->value)->follows)
        sl_heap_pop(&dm->lagging);
}

/*
 * D5, D6. Because the minimum is at hand, every message carries the current one with the current seq; there is no older
 * periodic one to lower. resolved of those in the heap counts as their checkpoint: a lower bound, and one number less
 * per dispatcher.
 */
struct sl_watermark sl__dm_watermark(struct sl_orchestrator *o, struct sl_dm *dm)
{
    struct sl_watermark mark = { .checkpoint = SL_TS_MAX, .resolved = SL_TS_MAX, .seq = dm->seq };
    lagging_trim(o, dm);
    if (sl__dm_dispatcher_count(dm) > dm->lagging.count) {
        mark.checkpoint = dm->progress;
        mark.resolved = sl_ts_max(dm->progress, dm->resolved);
    }
    const struct sl_heap_item *top = sl_heap_peek(&dm->lagging);
    if (top) {
        mark.checkpoint = sl_ts_min(mark.checkpoint, top->key);
        mark.resolved = sl_ts_min(mark.resolved, top->key);
    }
    return mark;
}
