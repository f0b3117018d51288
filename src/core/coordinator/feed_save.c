/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

#include <string.h>

/*
 * Checkpoints become durable many at a time: one transaction for up to 128 feeds, each with a compare of its own. What a
 * maintainer is told (CheckpointTsMessage) follows the transaction.
 *
 * A transaction that failed says not who was in the way. All statuses are read again then; a feed whose value somebody
 * else has changed is saved alone until that succeeds, so that the others never fail with it twice. Every other member
 * of a status, progress above all, stays as the store has it (reference weakness W17: "removing" was reset).
 */
#define SAVE_NS (500 * SL_MS)
#define SAVE_RETRY_NS (200 * SL_MS)
#define SAVE_OF_DIRTY offsetof(struct sl__feed, of_dirty)

/* Nothing is written while what is there is being read. */
static bool save_is_wanted(const struct sl_feeds *f)
{
    if (f->reread_op != 0 || f->must_reread)
        return f->reread_op == 0;
    if (f->dirty.count == 0)
        return false;
    for (uint32_t i = 0; i < SL__FEEDS_SAVES_MAX; i++) {
        if (f->saves[i].op == 0)
            return true;
    }
    return false;
}

bool sl__save_is_dirty(const struct sl__feed *feed)
{
    bool free = feed->info.revision != 0 && !feed->unreadable && !feed->saving && !sl__feed_writes_status(feed);
    bool news = feed->status_value.revision == 0 || feed->checkpoint > feed->status.checkpoint;
    return free && news && feed->checkpoint != SL_TS_NONE;
}

/* ---- building ---- */

struct save_txn {
    struct sl_store_compare compares[SL_STORE_COMPARES_MAX];
    struct sl_store_action actions[SL_STORE_ACTIONS_MAX];
    uint32_t compare_count;
};

/* In the arena; empty without memory. */
static struct sl_str save_keep_key(struct sl_feeds *f, const struct sl_key *key)
{
    char *text = sl_arena_alloc(&f->scratch, key->len);
    if (!text)
        return (struct sl_str){ 0 };
    memcpy(text, key->text, key->len);
    return (struct sl_str){ text, key->len };
}

static void save_compare(struct save_txn *t, struct sl_str key, sl_revision revision)
{
    t->compares[t->compare_count++] =
        (struct sl_store_compare){ .kind = SL_COMPARE_MOD_REVISION, .key = key, .revision = revision };
}

/*
 * The feed's part of the transaction. A status that is not there yet is made only while the info is as we know it: else
 * a late write would leave a status behind for a feed that was removed. False: no memory.
 */
static bool save_add(struct sl_feeds *f, struct sl__feed *feed, struct sl__save *save, struct save_txn *t)
{
    struct sl_key info, status;
    sl__feed_keys(f, feed, &info, &status);
    bool is_made = feed->status_value.revision == 0;
    const struct sl_feed_status value = { feed->checkpoint, feed->status.progress };
    struct sl_str key = save_keep_key(f, &status), info_key = is_made ? save_keep_key(f, &info) : SL_STR("-");
    struct sl_bytes text;
    if (key.len == 0 || info_key.len == 0 ||
        sl_feed_status_format(&text, &value, sl__value_bytes(&feed->status_value), &f->scratch) != SL_OK)
        return false;
    uint32_t i = save->count++;
    save->feeds[i] = feed->handle;
    save->checkpoints[i] = feed->checkpoint;
    t->actions[i] = (struct sl_store_action){ .kind = SL_ACTION_PUT, .key = key, .value = text };
    save_compare(t, key, feed->status_value.revision);
    if (is_made)
        save_compare(t, info_key, feed->info.revision);
    return true;
}

static void save_collect(struct sl_feeds *f, struct sl__save *save, struct save_txn *t)
{
    bool alone = false;
    sl_arena_reset(&f->scratch);
    save->count = t->compare_count = 0;
    for (uint32_t h = f->dirty.head; h != 0 && !alone; h = sl_list_next(&f->slab, SAVE_OF_DIRTY, h)) {
        struct sl__feed *feed = sl__feed_at(f, h);
        uint32_t compares = feed->status_value.revision == 0 ? 2 : 1;
        if (t->compare_count + compares > SL_STORE_COMPARES_MAX)
            return;
        if (feed->save_alone && save->count > 0)
            continue; /* for the next transaction */
        if (!save_add(f, feed, save, t))
            return;
        alone = feed->save_alone;
    }
}

static void save_tell_maintainers(struct sl_feeds *f, const struct sl__save *save, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < save->count; i++) {
        const struct sl__feed *feed = sl__feed_at(f, save->feeds[i]);
        Pb__ChangefeedID changefeed = sl_feed_id_pb(&feed->record.id);
        Pb__CheckpointTsMessage m = PB__CHECKPOINT_TS_MESSAGE__INIT;
        m.changefeed = &changefeed;
        m.checkpoint_ts = save->checkpoints[i];
        if (sl_members_is_alive(f->opts.members, feed->node))
            (void)sl_out_send_after(out, save->op, feed->node, SL_MSG_CHECKPOINT_TS_MESSAGE, &m.base);
    }
}

/* False: nothing could be issued. */
static bool save_issue(struct sl_feeds *f, struct sl__save *save, struct sl_outbox *out)
{
    struct save_txn t;
    save_collect(f, save, &t);
    if (save->count == 0)
        return false;
    const struct sl_store_op op = { .id = ++*f->opts.op_next,
                                    .verb = SL_STORE_TXN,
                                    .compares = t.compares,
                                    .then = t.actions,
                                    .compare_count = t.compare_count,
                                    .then_count = save->count };
    if (!sl_out_store(out, &op))
        return false;
    save->op = op.id;
    for (uint32_t i = 0; i < save->count; i++) {
        struct sl__feed *feed = sl__feed_at(f, save->feeds[i]);
        feed->saving = true;
        feed->saved_last = save->checkpoints[i];
        sl__feed_list(f, feed);
    }
    save_tell_maintainers(f, save, out);
    return true;
}

static void save_reread(struct sl_feeds *f, struct sl_outbox *out)
{
    struct sl_key prefix;
    SL_REQUIRE(sl_key_feed_statuses(&prefix, f->opts.cluster, SL_STR(SL__FEED_KEYSPACE)));
    const struct sl_store_op op = { .id = ++*f->opts.op_next, .verb = SL_STORE_RANGE, .key = sl_key_str(&prefix) };
    f->save_at = sl_ns_after(f->now, SAVE_RETRY_NS);
    if (!sl_out_store(out, &op))
        return;
    f->reread_op = op.id;
    f->must_reread = false;
}

void sl__save_run(struct sl_feeds *f, struct sl_outbox *out)
{
    bool wanted = save_is_wanted(f);
    if (wanted && f->save_at == SL_NEVER)
        f->save_at = f->must_reread ? f->now : sl_ns_after(f->now, SAVE_NS);
    if (!wanted || f->now < f->save_at)
        return;
    f->save_at = SL_NEVER;
    if (f->must_reread) {
        save_reread(f, out);
        return;
    }
    for (uint32_t i = 0; i < SL__FEEDS_SAVES_MAX && f->dirty.count > 0; i++) {
        if (f->saves[i].op == 0 && !save_issue(f, &f->saves[i], out)) {
            f->save_at = sl_ns_after(f->now, SL__FEEDS_ROOM_NS);
            return;
        }
    }
    if (f->dirty.count > 0)
        f->save_at = f->now; /* as soon as one of them is answered */
}

sl_ns sl__save_deadline(const struct sl_feeds *f)
{
    return save_is_wanted(f) ? f->save_at : SL_NEVER;
}

/* ---- results ---- */

void sl__save_forget(struct sl_feeds *f, struct sl__feed *feed)
{
    for (uint32_t i = 0; i < SL__FEEDS_SAVES_MAX && feed->saving; i++) {
        for (uint32_t k = 0; k < f->saves[i].count; k++) {
            if (f->saves[i].op != 0 && f->saves[i].feeds[k] == feed->handle)
                f->saves[i].feeds[k] = 0;
        }
    }
    feed->saving = false;
}

/* The bytes are what was sent: the same rule over the same value. A read that came meanwhile may know better. */
static bool save_apply(struct sl_feeds *f, struct sl__feed *feed, sl_ts checkpoint, sl_revision revision)
{
    const struct sl_feed_status value = { checkpoint, feed->status.progress };
    struct sl_bytes text;
    if (revision <= feed->status_value.revision)
        return true;
    sl_arena_reset(&f->scratch);
    if (sl_feed_status_format(&text, &value, sl__value_bytes(&feed->status_value), &f->scratch) != SL_OK ||
        !sl__value_set(f, &feed->status_value, text, revision))
        return false;
    feed->status = value;
    feed->save_alone = false;
    return true;
}

static void save_on_result(struct sl_feeds *f, struct sl__save *save, const struct sl_store_result *r,
                           struct sl_outbox *out)
{
    bool done = r->outcome == SL_STORE_OK && r->succeeded;
    if (r->outcome == SL_STORE_REFUSED)
        f->save_at = sl_ns_after(f->now, SAVE_RETRY_NS);
    else if (!done)
        f->must_reread = true;
    for (uint32_t i = 0; i < save->count; i++) {
        if (save->feeds[i] == 0)
            continue;
        struct sl__feed *feed = sl__feed_at(f, save->feeds[i]);
        feed->saving = false;
        if (done && !save_apply(f, feed, save->checkpoints[i], r->revision))
            f->must_reread = true; /* no memory for what we know: ask again */
        sl__feed_react(f, feed, out);
    }
    *save = (struct sl__save){ .op = 0 };
}

/* ---- reading again ---- */

/* False: no memory. */
static bool save_take(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_pair *pair,
                      struct sl_outbox *out)
{
    const struct sl_feed_status before = feed->status;
    feed->mark = f->mark;
    if (pair->mod_revision <= feed->status_value.revision || sl__feed_writes_status(feed) || feed->saving)
        return true;
    enum sl_code code = sl__feed_take_status(f, feed, pair);
    if (code == SL_NOMEM)
        return false;
    /* Our own write, of which the answer was lost, is no other writer's. */
    feed->save_alone = code != SL_OK || feed->status.checkpoint != feed->saved_last;
    if (code == SL_OK)
        sl__reread_merge_status(f, feed, &before);
    else
        feed->write.must_read = true; /* until somebody repairs it */
    sl__feed_react(f, feed, out);
    return true;
}

/* A status that somebody deleted is made anew; for one that could not be made, the info is read again too. */
static void save_on_missing(struct sl_feeds *f, struct sl__feed *feed, sl_revision revision, struct sl_outbox *out)
{
    if (feed->status_value.revision > revision || feed->saving || feed->unreadable || sl__feed_writes_status(feed))
        return;
    feed->write.must_read = feed->status_value.revision == 0 && feed->saved_last != SL_TS_NONE;
    sl__value_clear(f, &feed->status_value);
    feed->status = (struct sl_feed_status){ .progress = feed->status.progress };
    feed->save_alone = true;
    sl__feed_react(f, feed, out);
}

static void save_on_reread(struct sl_feeds *f, const struct sl_store_result *r, struct sl_outbox *out)
{
    struct sl_key prefix;
    SL_REQUIRE(sl_key_feed_statuses(&prefix, f->opts.cluster, SL_STR(SL__FEED_KEYSPACE)));
    bool ok = r->outcome == SL_STORE_OK;
    f->reread_op = 0;
    f->mark++;
    for (uint32_t i = 0; i < r->pair_count && ok; i++) {
        struct sl__feed *feed = sl__feed_named(f, sl_key_tail(r->pairs[i].key, sl_key_str(&prefix)));
        ok = !feed || feed->unreadable || save_take(f, feed, &r->pairs[i], out);
    }
    for (struct sl__feed *feed = sl__feed_next(f, NULL); feed && ok; feed = sl__feed_next(f, feed)) {
        if (feed->mark != f->mark)
            save_on_missing(f, feed, r->revision, out);
    }
    f->must_reread = f->must_reread || !ok;
    f->save_at = ok ? f->now : sl_ns_after(f->now, SAVE_RETRY_NS);
}

bool sl__save_on_store(struct sl_feeds *f, const struct sl_store_result *r, struct sl_outbox *out)
{
    if (f->reread_op != 0 && r->id == f->reread_op) {
        save_on_reread(f, r, out);
        return true;
    }
    for (uint32_t i = 0; i < SL__FEEDS_SAVES_MAX; i++) {
        if (f->saves[i].op != 0 && r->id == f->saves[i].op) {
            save_on_result(f, &f->saves[i], r, out);
            return true;
        }
    }
    return false;
}
