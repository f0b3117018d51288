/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "core/coordinator/feed_table.h"
#include "wire/feed_config.h"

/*
 * What operators ask of feeds. A request that changes something is answered when what it asks for is durable and has
 * taken place; until then it is open. The same request again joins. Nothing that has begun times out: whoever asked may
 * stop waiting, the feed goes on to where it was told to go.
 */
#define ADMIN_MOVE_WAIT_NS (30 * SL_S) /* for a move to begin; later it would surprise */

/* ---- answers ---- */

static void admin_answer(uint64_t ticket, enum sl_code code, const char *detail, struct sl_outbox *out)
{
    struct sl_reply reply = { .ticket = ticket, .code = code };
    struct sl_text text;
    sl_text_init(&text, reply.detail, sizeof reply.detail);
    sl_text_cstr(&text, detail);
    sl_out_reply(out, &reply);
}

static void admin_close(struct sl_feeds *f, struct sl__open_request *r, enum sl_code code, const char *detail,
                        struct sl_outbox *out)
{
    sl__feed_at(f, r->feed)->open_requests--;
    admin_answer(r->ticket, code, detail, out);
    *r = (struct sl__open_request){ .ticket = 0 };
}

static void admin_open(struct sl_feeds *f, struct sl__feed *feed, const struct sl_request *request, sl_node_ref dest,
                       struct sl_outbox *out)
{
    for (uint32_t i = 0; i < SL__FEEDS_REQUESTS_MAX; i++) {
        struct sl__open_request *r = &f->requests[i];
        if (r->ticket != 0)
            continue;
        *r = (struct sl__open_request){
            .ticket = request->ticket, .verb = request->verb, .feed = feed->handle, .dest = dest
        };
        if (r->verb == SL_REQUEST_FEED_MOVE)
            r->waits_until = sl_ns_after(f->now, ADMIN_MOVE_WAIT_NS);
        feed->open_requests++;
        return;
    }
    admin_answer(request->ticket, SL_BUSY, "the change was accepted, but too many requests wait for an end", out);
}

static bool admin_has_room(const struct sl_feeds *f)
{
    for (uint32_t i = 0; i < SL__FEEDS_REQUESTS_MAX; i++) {
        if (f->requests[i].ticket == 0)
            return true;
    }
    return false;
}

void sl__requests_end(struct sl_feeds *f, const struct sl__feed *feed, enum sl_code code, const char *detail,
                      struct sl_outbox *out)
{
    for (uint32_t i = 0; i < SL__FEEDS_REQUESTS_MAX; i++) {
        struct sl__open_request *r = &f->requests[i];
        bool gone = r->verb == SL_REQUEST_FEED_REMOVE && code == SL_NOT_FOUND;
        if (r->ticket != 0 && r->feed == feed->handle)
            admin_close(f, r, gone ? SL_OK : code, gone ? "" : detail, out);
    }
}

/* ---- when a request is done ---- */

static bool admin_is_at_rest(const struct sl__feed *feed)
{
    return feed->op.kind == SL__OP_IDLE && feed->stop == SL__STOP_NONE && !sl__feed_needs_write(feed) &&
           !feed->write.must_read;
}

static bool admin_is_at(const struct sl__feed *feed, sl_node_ref node)
{
    return feed->place == SL__PLACE_REPLICATING && feed->node == node && feed->op.kind == SL__OP_IDLE;
}

static bool admin_moves_to(const struct sl__feed *feed, sl_node_ref node)
{
    return feed->op.kind == SL__OP_MOVE && feed->op.dest == node;
}

/* Why it is not moved, now or when it runs; SL_OK. */
static enum sl_code admin_may_move(const struct sl_feeds *f, const struct sl__feed *feed, sl_node_ref dest,
                                   const char **why)
{
    *why = "";
    if (!sl__feed_is_runnable(feed))
        *why = "only a feed that runs can be moved: resume it first";
    else if (!sl__feeds_will_place(f, f->now, dest))
        *why = "the node takes no work: it drains, or is silent";
    if (**why != '\0')
        return SL_REFUSED;
    if (feed->op.kind == SL__OP_MOVE)
        *why = "it moves to another node at the moment; look where it is and ask again";
    else if (sl__feed_is_backing_off(f, feed))
        *why = "the feed waits to be started again after an error; look at it and ask again";
    return **why != '\0' ? SL_BUSY : SL_OK;
}

/* Now, or as soon as it runs: whoever has just resumed a feed or started a node need not wait for that first. */
static void admin_begin_move(struct sl_feeds *f, struct sl__open_request *r, struct sl__feed *feed,
                             struct sl_outbox *out)
{
    if (feed->place != SL__PLACE_REPLICATING || !admin_is_at_rest(feed) || !sl__feeds_may_place(f, r->dest))
        return;
    r->waits_until = 0;
    sl__op_move(f, feed, r->dest, SL__SLOT_NONE, out);
}

static void admin_check_move(struct sl_feeds *f, struct sl__open_request *r, struct sl__feed *feed,
                             struct sl_outbox *out)
{
    const char *why;
    if (admin_moves_to(feed, r->dest)) {
        r->waits_until = 0;
    } else if (admin_is_at(feed, r->dest)) {
        admin_close(f, r, SL_OK, "", out);
    } else if (r->waits_until == 0) {
        admin_close(f, r, SL_BUSY, "something came in between; look where the feed is and ask again", out);
    } else {
        enum sl_code code = admin_may_move(f, feed, r->dest, &why);
        if (code == SL_OK)
            admin_begin_move(f, r, feed, out);
        else
            admin_close(f, r, code, why, out);
    }
}

static void admin_check(struct sl_feeds *f, struct sl__open_request *r, struct sl__feed *feed, struct sl_outbox *out)
{
    bool durable = !sl__feed_needs_write(feed) && !feed->creating;
    switch (r->verb) {
    case SL_REQUEST_FEED_CREATE:
    case SL_REQUEST_FEED_UPDATE:
    case SL_REQUEST_FEED_RESUME:
        if (durable)
            admin_close(f, r, SL_OK, "", out);
        return;
    case SL_REQUEST_FEED_PAUSE:
        if (admin_is_at_rest(feed) && !sl__feed_is_runnable(feed))
            admin_close(f, r, SL_OK, "", out);
        else if (sl__feed_is_runnable(feed))
            admin_close(f, r, SL_BUSY, "the feed was resumed meanwhile", out);
        return;
    case SL_REQUEST_FEED_MOVE:
        admin_check_move(f, r, feed, out);
        return;
    case SL_REQUEST_FEED_REMOVE: /* answered when the feed goes */
    case SL_REQUEST_FEED_SHOW:
    case SL_REQUEST_FEED_LIST:
    case SL_REQUEST_DRAIN_NODE:
    case SL_REQUEST_DRAIN:
    case SL_REQUEST_DRAIN_SHOW:
    case SL_REQUEST_DRAIN_LIST:
    case SL_REQUEST_UNDRAIN:
    case SL_REQUEST_NODE_LIST:
    case SL_REQUEST_RESIGN:
    case SL_REQUEST_TABLE_LIST:
    case SL_REQUEST_TABLE_MOVE:
    case SL_REQUEST_DISPATCHER_COUNT:
    case SL_REQUEST_CLUSTER_STOP:
    case SL_REQUEST_NODE_REMOVE:
        return;
    }
    SL_UNREACHABLE();
}

void sl__requests_check(struct sl_feeds *f, struct sl__feed *feed, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < SL__FEEDS_REQUESTS_MAX; i++) {
        if (f->requests[i].ticket != 0 && f->requests[i].feed == feed->handle)
            admin_check(f, &f->requests[i], feed, out);
    }
}

void sl__requests_retry(struct sl_feeds *f, struct sl_outbox *out)
{
    for (uint32_t i = 0; i < SL__FEEDS_REQUESTS_MAX; i++) {
        struct sl__open_request *r = &f->requests[i];
        if (r->ticket != 0 && r->waits_until != 0)
            sl__feed_react(f, sl__feed_at(f, r->feed), out);
        if (r->ticket != 0 && r->waits_until != 0 && f->now >= r->waits_until)
            admin_close(f, r, SL_BUSY, "the feed, or the node, did not get ready for the move in time", out);
    }
}

sl_ns sl__requests_deadline(const struct sl_feeds *f)
{
    sl_ns at = SL_NEVER;
    for (uint32_t i = 0; i < SL__FEEDS_REQUESTS_MAX; i++) {
        if (f->requests[i].ticket != 0 && f->requests[i].waits_until != 0)
            at = sl_ns_min(at, f->requests[i].waits_until);
    }
    return at;
}

/* ---- create ---- */

static bool admin_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$, as the reference demands. */
static bool admin_name_is_valid(struct sl_str name)
{
    bool was_letter = false;
    if (name.len > SL_FEED_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!admin_is_letter(name.ptr[i]) && !(name.ptr[i] == '-' && was_letter))
            return false;
        was_letter = name.ptr[i] != '-';
    }
    return was_letter;
}

/* Null: fine. */
static const char *admin_check_config(const struct sl_feeds *f, const struct sl_request *r,
                                      struct sl_feed_record *record)
{
    struct sl_feed_info info;
    if (sl_feed_info_parse(&info, r->config, f->opts.config_bytes_max) != SL_REFUSE_NONE)
        return "the record is too large, not JSON, or lacks a part that nodes rely on";
    if (sl_feed_record_parse(record, SL_STR(SL__FEED_KEYSPACE), r->feed, r->config) != SL_OK)
        return "the record has a member of a wrong kind, or names another feed";
    if (record->id.high == 0 && record->id.low == 0)
        return "the record has no id";
    if (!sl_source_uri_is_valid(r->source))
        return "the URI of the source is not printable, or longer than 4096 bytes";
    return NULL;
}

/* False: no memory; what was wanted before is forgotten. */
static bool admin_want_config(struct sl_feeds *f, struct sl__feed *feed, const struct sl_request *r)
{
    struct sl_bytes source = sl_secret_reveal(r->source);
    sl__value_clear(f, &feed->want.source);
    if ((source.len == 0 || sl__value_set(f, &feed->want.source, source, 0)) &&
        sl__value_set(f, &feed->want.info, sl_secret_reveal(r->config), 0))
        return true;
    sl__value_clear(f, &feed->want.source);
    return false;
}

static enum sl_code admin_make(struct sl_feeds *f, const struct sl_request *r, const struct sl_feed_record *record,
                               sl_ts checkpoint, struct sl__feed **out)
{
    struct sl__feed *feed = sl__feed_new(f, &record->id);
    if (!feed)
        return f->slab.count == f->opts.feed_count_max ? SL_LIMIT : SL_NOMEM;
    if (!admin_want_config(f, feed, r)) {
        sl__feed_drop(f, feed);
        return SL_NOMEM;
    }
    feed->record = *record;
    feed->record.epoch = 0; /* whatever the record says: the first one is ours */
    feed->want.state = SL_FEED_NORMAL;
    feed->want.start_ts = record->start_ts;
    feed->want.target_ts = record->target_ts;
    feed->checkpoint = checkpoint;
    feed->creating = feed->is_new = true;
    *out = feed;
    return SL_OK;
}

static void admin_create(struct sl_feeds *f, const struct sl_request *r, struct sl_outbox *out)
{
    struct sl_feed_record record;
    struct sl__feed *feed = NULL;
    if (!admin_name_is_valid(r->feed)) {
        admin_answer(r->ticket, SL_BAD_FIELD, "a name is letters and digits in parts joined by '-', at most 128", out);
        return;
    }
    if (sl__feed_named(f, r->feed)) {
        admin_answer(r->ticket, SL_EXISTS, "a feed of this name exists, or is still being removed", out);
        return;
    }
    const char *wrong = admin_check_config(f, r, &record);
    if (wrong) {
        admin_answer(r->ticket, SL_BAD_CONFIG, wrong, out);
        return;
    }
    sl_ts checkpoint = r->checkpoint != SL_TS_NONE ? r->checkpoint : record.start_ts;
    if (checkpoint == SL_TS_NONE || checkpoint == SL_TS_MAX) {
        admin_answer(r->ticket, SL_BAD_FIELD, "a feed needs a position to start from", out);
        return;
    }
    enum sl_code code = admin_make(f, r, &record, checkpoint, &feed);
    if (code != SL_OK) {
        admin_answer(r->ticket, code, "there is no room for another feed", out);
        return;
    }
    admin_open(f, feed, r, SL_NODE_NONE, out);
    sl__feed_react(f, feed, out);
}

/* ---- pause, remove, resume, update, move ---- */

static void admin_pause(struct sl_feeds *f, struct sl__feed *feed, const struct sl_request *r, struct sl_outbox *out)
{
    if (feed->want.progress == SL_PROGRESS_REMOVING || feed->want.deleted) {
        admin_answer(r->ticket, SL_BUSY, "the feed is being removed", out);
        return;
    }
    if (feed->want.state != SL_FEED_STOPPED) {
        sl__feed_want_state(feed, SL_FEED_STOPPED, NULL, out);
        feed->want.progress = SL_PROGRESS_STOPPING;
        feed->stop = SL__STOP_HALT;
    }
    admin_open(f, feed, r, SL_NODE_NONE, out);
    sl__feed_react(f, feed, out);
}

static void admin_remove(struct sl_feeds *f, struct sl__feed *feed, const struct sl_request *r, struct sl_outbox *out)
{
    if (feed->want.progress != SL_PROGRESS_REMOVING && !feed->want.deleted) {
        feed->want.progress = SL_PROGRESS_REMOVING;
        feed->stop = SL__STOP_REMOVE;
    }
    admin_open(f, feed, r, SL_NODE_NONE, out);
    sl__feed_react(f, feed, out);
}

static void admin_resume(struct sl_feeds *f, struct sl__feed *feed, const struct sl_request *r, struct sl_outbox *out)
{
    enum sl_feed_state state = feed->want.state;
    bool resumable = state == SL_FEED_STOPPED || state == SL_FEED_FAILED || state == SL_FEED_FINISHED;
    if (!resumable || feed->want.progress == SL_PROGRESS_REMOVING || feed->want.deleted) {
        admin_answer(r->ticket, SL_REFUSED, "only a feed that is stopped, failed or finished can be resumed", out);
        return;
    }
    if (!admin_is_at_rest(feed)) {
        admin_answer(r->ticket, SL_BUSY, "the feed is still being stopped", out);
        return;
    }
    if (r->checkpoint == SL_TS_MAX) {
        admin_answer(r->ticket, SL_BAD_FIELD, "no such position", out);
        return;
    }
    sl__feed_want_state(feed, SL_FEED_NORMAL, NULL, out);
    sl__feed_new_owner(feed);
    feed->want.bump = true;
    feed->want.checkpoint = r->checkpoint;
    feed->backoff.delay_ns = 0;
    feed->retry_at = 0;
    feed->refusals = 0;
    admin_open(f, feed, r, SL_NODE_NONE, out);
    sl__feed_react(f, feed, out);
}

static void admin_update(struct sl_feeds *f, struct sl__feed *feed, const struct sl_request *r, struct sl_outbox *out)
{
    struct sl_feed_record record;
    if (feed->want.state != SL_FEED_STOPPED && feed->want.state != SL_FEED_FAILED) {
        admin_answer(r->ticket, SL_REFUSED, "pause the feed first: only one that is stopped or failed can change", out);
        return;
    }
    if (!admin_is_at_rest(feed) || feed->want.progress != SL_PROGRESS_NONE) {
        admin_answer(r->ticket, SL_BUSY, "the feed is still being stopped", out);
        return;
    }
    const char *wrong = admin_check_config(f, r, &record);
    if (!wrong && !sl_feed_id_eq(&record.id, &feed->record.id))
        wrong = "the record names another feed: the identity of a feed cannot change";
    if (wrong) {
        admin_answer(r->ticket, SL_BAD_CONFIG, wrong, out);
        return;
    }
    if (!admin_want_config(f, feed, r)) {
        admin_answer(r->ticket, SL_NOMEM, "no memory for the record", out);
        return;
    }
    feed->want.start_ts = record.start_ts;
    feed->want.target_ts = record.target_ts;
    if (r->checkpoint != SL_TS_NONE)
        feed->want.checkpoint = r->checkpoint;
    admin_open(f, feed, r, SL_NODE_NONE, out);
    sl__feed_react(f, feed, out);
}

/* Names are resolved by whoever passes the request on. */
static void admin_move(struct sl_feeds *f, struct sl__feed *feed, const struct sl_request *r, struct sl_outbox *out)
{
    sl_node_ref dest = sl_members_find_prefix(f->opts.members, r->node);
    const char *why = "no such node, or more than one begins so";
    enum sl_code code = SL_NOT_FOUND;
    if (dest != SL_NODE_NONE && !admin_is_at(feed, dest) && !admin_moves_to(feed, dest))
        code = admin_may_move(f, feed, dest, &why);
    else if (dest != SL_NODE_NONE)
        code = SL_OK;
    if (code != SL_OK) {
        admin_answer(r->ticket, code, why, out);
        return;
    }
    admin_open(f, feed, r, dest, out);
    sl__feed_react(f, feed, out);
}

/* ---- the way in ---- */

/* Its maintainer's node knows the answer. */
static void admin_refer(const struct sl_feeds *f, const struct sl__feed *feed, const struct sl_request *r,
                        struct sl_outbox *out)
{
    struct sl_reply reply = { .ticket = r->ticket, .code = SL_NOT_OWNER };
    struct sl_text text;
    sl_text_init(&text, reply.detail, sizeof reply.detail);
    if (feed->node != SL_NODE_NONE && feed->node != sl_members_self(f->opts.members))
        sl_text_str(&text, sl_node_id_str(sl_members_id(f->opts.members, feed->node)));
    sl_out_reply(out, &reply);
}

static bool admin_is_for_maintainer(enum sl_request_verb verb)
{
    return verb == SL_REQUEST_TABLE_LIST || verb == SL_REQUEST_TABLE_MOVE || verb == SL_REQUEST_DISPATCHER_COUNT;
}

static void admin_change(struct sl_feeds *f, const struct sl_request *r, struct sl_outbox *out)
{
    struct sl__feed *feed = sl__feed_named(f, r->feed);
    if (!feed) {
        admin_answer(r->ticket, SL_NOT_FOUND, "no such feed", out);
    } else if (r->verb == SL_REQUEST_FEED_SHOW) {
        sl__view_show(f, feed, r->ticket, out);
    } else if (admin_is_for_maintainer(r->verb)) {
        admin_refer(f, feed, r, out);
    } else if (feed->unreadable) {
        admin_answer(r->ticket, SL_MALFORMED, "a value of the feed cannot be read: repair or delete its keys", out);
    } else if (feed->creating) {
        admin_answer(r->ticket, SL_BUSY, "the feed is being created", out);
    } else if (r->verb == SL_REQUEST_FEED_PAUSE) {
        admin_pause(f, feed, r, out);
    } else if (r->verb == SL_REQUEST_FEED_REMOVE) {
        admin_remove(f, feed, r, out);
    } else if (r->verb == SL_REQUEST_FEED_RESUME) {
        admin_resume(f, feed, r, out);
    } else if (r->verb == SL_REQUEST_FEED_UPDATE) {
        admin_update(f, feed, r, out);
    } else {
        SL_REQUIRE(r->verb == SL_REQUEST_FEED_MOVE);
        admin_move(f, feed, r, out);
    }
}

void sl_feeds_on_request(struct sl_feeds *f, sl_ns now, const struct sl_request *r, struct sl_outbox *out)
{
    bool known_space = r->keyspace.len == 0 || sl_str_eq(r->keyspace, SL_STR(SL__FEED_KEYSPACE));
    sl__feeds_begin(f, now);
    if (!f->settled)
        admin_answer(r->ticket, SL_NOT_READY, sl_blocker_text(SL_BLOCKED_COORDINATOR_STARTING), out);
    else if (!known_space)
        admin_answer(r->ticket, SL_NOT_FOUND, "no such keyspace: there is only \"default\"", out);
    else if (r->verb == SL_REQUEST_FEED_LIST)
        sl__view_list(f, r->ticket, out);
    else if (r->verb == SL_REQUEST_CLUSTER_STOP)
        sl__halt_request(f, r, out);
    else if (r->verb != SL_REQUEST_FEED_SHOW && !admin_has_room(f))
        admin_answer(r->ticket, SL_BUSY, "too many requests wait for an end", out);
    else if (r->verb == SL_REQUEST_FEED_CREATE)
        admin_create(f, r, out);
    else
        admin_change(f, r, out);
    sl__feeds_end(f, out);
}
