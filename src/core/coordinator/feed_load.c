/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"

#include <string.h>

/*
 * Reading everything at the start: all infos, then all statuses, then all sources, of the keyspace "default" (the only
 * one: a cluster without keyspaces has no other, and feeds of others are left alone). May be repeated after a failure: a feed that is
 * known by its name is read anew.
 *
 * A value that cannot be read keeps its place in the table under its name, so that nobody creates a feed over it and
 * nobody stops the maintainer that may be running by it.
 */
#define LOAD_RETRY_NS (200 * SL_MS)

void sl__feed_refuse_value(struct sl_str key, enum sl_code code, struct sl_outbox *out)
{
    sl_out_event(out, SL_EV_STORE_VALUE_REFUSED, sl_f_str("key", key), sl_f_str("code", sl_str_of(sl_code_name(code))));
}

/* ---- one value ---- */

static enum sl_code load_parse(struct sl_feed_record *out, struct sl_str name, struct sl_bytes value)
{
    enum sl_code code = sl_feed_record_parse(out, SL_STR(SL__FEED_KEYSPACE), name, sl_secret_of(value));
    if (code == SL_OK && out->id.high == 0 && out->id.low == 0)
        return SL_MISSING_FIELD; /* no maintainer could be named by it */
    return code;
}

enum sl_code sl__feed_parse_info(struct sl_feed_record *out, const struct sl__feed *feed,
                                 const struct sl_store_pair *pair)
{
    return load_parse(out, sl_feed_id_name(&feed->record.id), pair->value);
}

enum sl_code sl__feed_take_info(struct sl_feeds *f, struct sl__feed *feed, const struct sl_feed_record *record,
                                const struct sl_store_pair *pair)
{
    struct sl__value info = { 0 };
    if (!sl__value_set(f, &info, pair->value, pair->mod_revision))
        return SL_NOMEM;
    if (!sl__feed_set_id(f, feed, &record->id)) {
        sl__value_clear(f, &info);
        return SL_NOMEM;
    }
    sl__value_clear(f, &feed->info);
    feed->info = info;
    feed->record = *record;
    return SL_OK;
}

enum sl_code sl__feed_take_status(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_pair *pair)
{
    struct sl_feed_status status;
    enum sl_code code = sl_feed_status_parse(&status, pair->value);
    if (code != SL_OK)
        return code;
    if (!sl__value_set(f, &feed->status_value, pair->value, pair->mod_revision))
        return SL_NOMEM;
    feed->status = status;
    return SL_OK;
}

enum sl_code sl__feed_take_source(struct sl_feeds *f, struct sl__feed *feed, const struct sl_store_pair *pair)
{
    struct sl_feed_source source;
    sl_arena_reset(&f->scratch);
    enum sl_code code = sl_feed_source_parse(&source, sl_secret_of(pair->value), &f->scratch);
    if (code != SL_OK)
        return code;
    sl__value_clear(f, &feed->source);
    if (source.feed_high != feed->record.id.high || source.feed_low != feed->record.id.low)
        return SL_OK;
    return sl__value_set(f, &feed->source, sl_secret_reveal(source.uri), pair->mod_revision) ? SL_OK : SL_NOMEM;
}

void sl__feed_want_what_is(struct sl_feeds *f, struct sl__feed *feed)
{
    sl__value_clear(f, &feed->want.source);
    sl__value_clear(f, &feed->want.info);
    feed->want = (struct sl__feed_want){ .state = feed->record.state,
                                         .error = feed->record.error,
                                         .progress = feed->status.progress };
}

/* ---- all of them ---- */

static void load_issue(struct sl_feeds *f, enum sl__load next, const struct sl_key *prefix, struct sl_outbox *out)
{
    struct sl_store_op op = { .id = ++*f->opts.op_next, .verb = SL_STORE_RANGE, .key = sl_key_str(prefix) };
    bool issued = sl_out_store(out, &op);
    f->load = issued ? next : SL__LOAD_IDLE;
    f->load_op = issued ? op.id : 0;
    f->load_at = sl_ns_after(f->now, LOAD_RETRY_NS);
}

void sl_feeds_load(struct sl_feeds *f, sl_ns now, struct sl_outbox *out)
{
    struct sl_key prefix;
    sl__feeds_begin(f, now);
    SL_REQUIRE(f->load == SL__LOAD_IDLE && !f->settled);
    SL_REQUIRE(sl_key_feed_infos(&prefix, f->opts.cluster, SL_STR(SL__FEED_KEYSPACE)));
    load_issue(f, SL__LOAD_INFOS, &prefix, out);
}

bool sl_feeds_is_loaded(const struct sl_feeds *f)
{
    return f->load == SL__LOAD_DONE;
}

/* Null: no memory, or no room for more feeds. */
static struct sl__feed *load_feed(struct sl_feeds *f, const struct sl_feed_id *id, struct sl_outbox *out)
{
    struct sl__feed *feed = sl__feed_named(f, sl_feed_id_name(id));
    if (!feed)
        feed = sl__feed_new(f, id);
    if (feed || f->slab.count < f->opts.feed_count_max || f->is_partial)
        return feed;
    f->is_partial = true;
    sl_out_event(out, SL_EV_FEEDS_OVER_LIMIT, sl_f_u64("limit", f->opts.feed_count_max));
    return NULL;
}

static struct sl_feed_id load_bare_id(struct sl_str name)
{
    static const char space[] = SL__FEED_KEYSPACE;
    struct sl_feed_id id = { .name_len = (uint8_t)name.len, .keyspace_len = sizeof space - 1 };
    memcpy(id.name, name.ptr, name.len);
    memcpy(id.keyspace, space, sizeof space - 1);
    return id;
}

/* False: no memory. */
static bool load_info(struct sl_feeds *f, const struct sl_store_pair *pair, struct sl_str name, struct sl_outbox *out)
{
    struct sl_feed_record record;
    struct sl_key key;
    bool usable =
        name.len <= SL_FEED_NAME_MAX && sl_key_feed_info(&key, f->opts.cluster, SL_STR(SL__FEED_KEYSPACE), name);
    enum sl_code code = usable ? load_parse(&record, name, pair->value) : SL_BAD_FIELD;
    if (code == SL_NOMEM)
        return false;
    if (code != SL_OK)
        sl__feed_refuse_value(pair->key, code, out);
    if (!usable)
        return true; /* no feed can have this name */
    struct sl_feed_id bare = load_bare_id(name);
    struct sl__feed *feed = load_feed(f, code == SL_OK ? &record.id : &bare, out);
    if (!feed)
        return f->is_partial;
    feed->unreadable = code != SL_OK;
    sl__value_clear(f, &feed->source);
    return code != SL_OK || sl__feed_take_info(f, feed, &record, pair) == SL_OK;
}

/* False: no memory. */
static bool load_status(struct sl_feeds *f, const struct sl_store_pair *pair, struct sl_str name, struct sl_outbox *out)
{
    struct sl__feed *feed = sl__feed_named(f, name);
    if (!feed || feed->unreadable)
        return true;
    enum sl_code code = sl__feed_take_status(f, feed, pair);
    if (code == SL_OK || code == SL_NOMEM)
        return code == SL_OK;
    sl__feed_refuse_value(pair->key, code, out);
    feed->unreadable = true;
    return true;
}

/* Without its source a feed would start to replicate nothing: it is left alone then. False: no memory. */
static bool load_source(struct sl_feeds *f, const struct sl_store_pair *pair, struct sl_str name, struct sl_outbox *out)
{
    struct sl__feed *feed = sl__feed_named(f, name);
    if (!feed || feed->unreadable)
        return true;
    enum sl_code code = sl__feed_take_source(f, feed, pair);
    if (code == SL_OK || code == SL_NOMEM)
        return code == SL_OK;
    sl__feed_refuse_value(pair->key, code, out);
    feed->unreadable = true;
    return true;
}

/* A status that is missing begins at the start of the feed, and is written as soon as the feed is settled. */
static void load_finish(struct sl_feeds *f, struct sl_outbox *out)
{
    for (struct sl__feed *feed = sl__feed_next(f, NULL); feed; feed = sl__feed_next(f, feed)) {
        feed->checkpoint = feed->status_value.revision != 0 ? feed->status.checkpoint : feed->record.start_ts;
        if (!feed->unreadable && feed->checkpoint == SL_TS_NONE) {
            sl__feed_refuse_value(sl_feed_id_name(&feed->record.id), SL_MISSING_FIELD, out);
            feed->unreadable = true;
        }
        sl__feed_want_what_is(f, feed);
    }
    f->load = SL__LOAD_DONE;
}

typedef bool load_one(struct sl_feeds *f, const struct sl_store_pair *pair, struct sl_str name, struct sl_outbox *out);

static bool load_all(struct sl_feeds *f, const struct sl_store_result *r, const struct sl_key *prefix, load_one *one,
                     struct sl_outbox *out)
{
    bool ok = r->outcome == SL_STORE_OK;
    for (uint32_t i = 0; i < r->pair_count && ok; i++)
        ok = one(f, &r->pairs[i], sl_key_tail(r->pairs[i].key, sl_key_str(prefix)), out);
    return ok;
}

bool sl__load_on_store(struct sl_feeds *f, const struct sl_store_result *r, struct sl_outbox *out)
{
    struct sl_key infos, statuses, sources;
    const struct sl_str space = SL_STR(SL__FEED_KEYSPACE);
    if (f->load_op == 0 || r->id != f->load_op)
        return false;
    SL_REQUIRE(sl_key_feed_infos(&infos, f->opts.cluster, space));
    SL_REQUIRE(sl_key_feed_statuses(&statuses, f->opts.cluster, space));
    SL_REQUIRE(sl_key_feed_sources(&sources, f->opts.cluster, space));
    enum sl__load read = f->load;
    f->load_op = 0;
    f->load = SL__LOAD_IDLE;
    f->load_at = sl_ns_after(f->now, LOAD_RETRY_NS);
    if (read == SL__LOAD_INFOS && load_all(f, r, &infos, load_info, out))
        load_issue(f, SL__LOAD_STATUSES, &statuses, out);
    else if (read == SL__LOAD_STATUSES && load_all(f, r, &statuses, load_status, out))
        load_issue(f, SL__LOAD_SOURCES, &sources, out);
    else if (read == SL__LOAD_SOURCES && load_all(f, r, &sources, load_source, out))
        load_finish(f, out);
    return true;
}
