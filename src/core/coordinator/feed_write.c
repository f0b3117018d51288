/* SPDX-License-Identifier: Apache-2.0 */
#include "core/coordinator/feed_table.h"

/* What differs between a feed as it should be and as the store has it, as one transaction. */

/* ---- what there is to write ---- */

bool sl__write_touches_info(const struct sl__feed *feed)
{
    const struct sl__feed_want *w = &feed->want;
    return feed->creating || w->bump || w->info.bytes || w->state != feed->record.state ||
           !sl__feed_error_eq(&w->error, &feed->record.error);
}

bool sl__write_touches_status(const struct sl__feed *feed)
{
    const struct sl__feed_want *w = &feed->want;
    return feed->creating || w->deleted || w->checkpoint != SL_TS_NONE || w->progress != feed->status.progress;
}

bool sl__feed_needs_write(const struct sl__feed *feed)
{
    if (feed->unreadable)
        return false;
    if (feed->want.deleted)
        return feed->info.revision != 0 || feed->status_value.revision != 0;
    return sl__write_touches_info(feed) || sl__write_touches_status(feed);
}

bool sl__feed_writes_status(const struct sl__feed *feed)
{
    const struct sl__feed_write *w = &feed->write;
    bool writes = w->phase == SL__WRITE_WRITING && (w->has_status || w->deletes);
    return writes || w->must_read || (!feed->unreadable && sl__write_touches_status(feed));
}

/* ---- building a transaction ---- */

/* 0: the number space of a value that somebody else wrote is at its end. */
static uint64_t write_next_epoch(const struct sl_feeds *f, const struct sl__feed *feed)
{
    uint64_t epoch = sl__feeds_wall_ns(f);
    if (feed->record.epoch == UINT64_MAX)
        return 0;
    if (feed->record.epoch >= epoch)
        epoch = feed->record.epoch + 1;
    return f->epoch_seen >= epoch ? f->epoch_seen + 1 : epoch;
}

static enum sl_code write_build_info(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl__feed_write *w = &feed->write;
    const struct sl__feed_want *want = &feed->want;
    bool replaces = want->info.bytes != NULL;
    w->bumps = want->bump || feed->creating;
    w->epoch = w->bumps ? write_next_epoch(f, feed) : feed->record.epoch;
    if (w->bumps && w->epoch == 0)
        return SL_LIMIT;
    const struct sl_feed_edit edit = {
        .set_epoch = w->bumps || replaces,
        .epoch = w->epoch,
        .set_state = replaces || want->state != feed->record.state,
        .state = want->state,
        .set_error = replaces || !sl__feed_error_eq(&want->error, &feed->record.error),
        .error = want->error,
    };
    struct sl_secret text;
    struct sl_bytes base = sl__value_bytes(replaces ? &want->info : &feed->info);
    enum sl_code code = sl_feed_record_edit(&text, sl_secret_of(base), &edit, &f->scratch);
    if (code != SL_OK)
        return code;
    return sl__value_set(f, &w->info, sl_secret_reveal(text), 0) ? SL_OK : SL_NOMEM;
}

static enum sl_code write_build_status(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl__feed_write *w = &feed->write;
    w->checkpoint = feed->want.checkpoint != SL_TS_NONE ? feed->want.checkpoint : feed->checkpoint;
    const struct sl_feed_status status = { w->checkpoint, feed->want.progress };
    struct sl_bytes text;
    enum sl_code code = sl_feed_status_format(&text, &status, sl__value_bytes(&feed->status_value), &f->scratch);
    if (code != SL_OK)
        return code;
    return sl__value_set(f, &w->status, text, 0) ? SL_OK : SL_NOMEM;
}

/* A creation without a source takes away what another feed of this name may have left. */
static enum sl_code write_build_source(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl__feed_write *w = &feed->write;
    struct sl_secret text;
    const struct sl_feed_source source = { .version = 1,
                                           .feed_high = feed->record.id.high,
                                           .feed_low = feed->record.id.low,
                                           .uri = sl_secret_of(sl__value_bytes(&feed->want.source)) };
    w->has_source = feed->creating || feed->want.source.bytes;
    if (!feed->want.source.bytes || w->source.bytes)
        return SL_OK;
    enum sl_code code = sl_feed_source_format(&text, &source, &f->scratch);
    if (code != SL_OK)
        return code;
    return sl__value_set(f, &w->source, sl_secret_reveal(text), 0) ? SL_OK : SL_NOMEM;
}

/* A creation is repeated with the same bytes: they tell whether a value that is found is ours. */
enum sl_code sl__write_build(struct sl_feeds *f, struct sl__feed *feed)
{
    struct sl__feed_write *w = &feed->write;
    sl_arena_reset(&f->scratch);
    w->deletes = feed->want.deleted;
    w->has_info = !w->deletes && sl__write_touches_info(feed);
    w->has_status = !w->deletes && sl__write_touches_status(feed);
    w->has_source = w->deletes;
    enum sl_code code = SL_OK;
    if (w->has_info && !w->info.bytes)
        code = write_build_info(f, feed);
    if (code == SL_OK && w->has_info)
        code = write_build_source(f, feed);
    if (code == SL_OK && w->has_status && !w->status.bytes)
        code = write_build_status(f, feed);
    w->claims = w->has_info && w->bumps;
    w->put = feed->want;
    return code;
}

static void write_add(struct sl__write_txn *t, const struct sl_key *key, const struct sl__value *held,
                      const struct sl__value *put)
{
    uint32_t i = t->op.compare_count++;
    t->compares[i] = (struct sl_store_compare){ .kind = SL_COMPARE_MOD_REVISION,
                                                .key = sl_key_str(key),
                                                .revision = held->revision };
    t->actions[i] = (struct sl_store_action){ .kind = put ? SL_ACTION_PUT : SL_ACTION_DELETE, .key = sl_key_str(key) };
    if (put)
        t->actions[i].value = sl__value_bytes(put);
    t->op.then_count = t->op.compare_count;
}

void sl__feed_keys(const struct sl_feeds *f, const struct sl__feed *feed, struct sl_key *info, struct sl_key *status)
{
    struct sl_str name = sl_feed_id_name(&feed->record.id), space = SL_STR(SL__FEED_KEYSPACE);
    SL_REQUIRE(sl_key_feed_info(info, f->opts.cluster, space, name));
    SL_REQUIRE(sl_key_feed_status(status, f->opts.cluster, space, name));
}

void sl__feed_source_key(const struct sl_feeds *f, const struct sl__feed *feed, struct sl_key *source)
{
    SL_REQUIRE(
        sl_key_feed_source(source, f->opts.cluster, SL_STR(SL__FEED_KEYSPACE), sl_feed_id_name(&feed->record.id)));
}

/* No compare of its own: the key changes together with the info, whose revision guards both. */
static void write_add_source(const struct sl_feeds *f, const struct sl__feed *feed, struct sl__write_txn *t)
{
    const struct sl__feed_write *w = &feed->write;
    bool puts = !w->deletes && w->source.bytes;
    sl__feed_source_key(f, feed, &t->source_key);
    t->actions[t->op.then_count++] = (struct sl_store_action){ .kind = puts ? SL_ACTION_PUT : SL_ACTION_DELETE,
                                                               .key = sl_key_str(&t->source_key),
                                                               .value = sl__value_bytes(&w->source) };
}

void sl__write_fill(const struct sl_feeds *f, const struct sl__feed *feed, struct sl__write_txn *t)
{
    const struct sl__feed_write *w = &feed->write;
    t->op = (struct sl_store_op){ .id = w->op, .verb = SL_STORE_TXN, .critical = true };
    t->op.compares = t->compares;
    t->op.then = t->actions;
    sl__feed_keys(f, feed, &t->info_key, &t->status_key);
    if (w->has_info || (w->deletes && feed->info.revision != 0))
        write_add(t, &t->info_key, &feed->info, w->deletes ? NULL : &w->info);
    if (w->has_status || (w->deletes && feed->status_value.revision != 0))
        write_add(t, &t->status_key, &feed->status_value, w->deletes ? NULL : &w->status);
    if (w->has_source)
        write_add_source(f, feed, t);
}
