/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/body.h"
#include "edge/http/probe.h"

#include <stdlib.h>
#include <string.h>

/*
 * A stopped feed moves to another server with its source's data (docs/decisions/0009-repoint.md):
 *
 *   show the feed --> check and move what the sink holds, in the pool --> show it again --> give it source and checkpoint
 */
#define REPOINT_KEYSPACE "default"

struct repoint {              /* state_data of the call */
    struct sl_str source_uri; /* view of the body */
    bool dry_run;
    struct sl_repoint_result result;
};

static bool repoint_refused(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code != SL_OK)
        sl__answer_code(c, reply->code, reply->detail);
    else if (reply->feed_count == 0)
        sl__answer_code(c, SL_NOT_FOUND, "no such feed");
    return reply->code != SL_OK || reply->feed_count == 0;
}

static void repoint_render(struct sl_json_out *j, const void *ctx)
{
    const struct repoint *r = ctx;
    sl_json_open(j, '{');
    sl__put_bool(j, "done", !r->dry_run);
    sl__put_u64(j, "checkpoint_ts", r->result.checkpoint);
    sl__put_cstr(j, "gtid", r->result.gtids);
    sl__put_u64(j, "tables_ahead", r->result.spans);
    sl__put_u64(j, "changes_ahead", r->result.changes);
    sl__put_u64(j, "tables_copied_again", r->result.copies);
    sl_json_close(j, '}');
}

static void repoint_updated(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code != SL_OK)
        sl__answer_code(c, reply->code, reply->detail);
    else
        sl__answer_json(c, 200, repoint_render, c->state_data);
}

static struct sl_secret repoint_secret(struct sl_str s)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)s.ptr, s.len });
}

static void repoint_update(struct sl__call *c, const struct sl_reply *reply)
{
    const struct repoint *r = c->state_data;
    if (repoint_refused(c, reply))
        return;
    struct sl_request request = { .verb = SL_REQUEST_FEED_UPDATE,
                                  .feed = c->params[0],
                                  .keyspace = SL_STR(REPOINT_KEYSPACE),
                                  .actor = sl__call_actor(c),
                                  .config = reply->feeds[0].info,
                                  .source = repoint_secret(sl_str_of(r->result.source)),
                                  .checkpoint = r->result.checkpoint };
    sl__call_submit(c, &request, repoint_updated);
}

static void repoint_ask(struct sl__call *c, sl__on_reply *on_reply)
{
    struct sl_request request = { .verb = SL_REQUEST_FEED_SHOW,
                                  .feed = c->params[0],
                                  .keyspace = SL_STR(REPOINT_KEYSPACE),
                                  .actor = sl__call_actor(c) };
    sl__call_submit(c, &request, on_reply);
}

static void repoint_probed(struct sl__call *c, struct sl__probe *p)
{
    struct repoint *r = c->state_data;
    if (p->trouble.kind != SL_TROUBLE_NONE) {
        sl__answer_own(c, 409, p->trouble.code, p->trouble.detail, p->trouble.remedy);
        return;
    }
    r->result = p->repoint->result;
    if (r->dry_run)
        sl__answer_json(c, 200, repoint_render, r);
    else
        repoint_ask(c, repoint_update);
}

/* Positions are the old server's: null, or what stands in the way. */
static const char *repoint_read_info(struct sl__probe_repoint *r, struct json_object *info)
{
    struct json_object *filter = sl__doc_get(sl__doc_get(info, "config"), "filter");
    struct json_object *list = sl__doc_get(filter, "ignore-txn-start-ts");
    size_t count = list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (sl__doc_u64(info, "target-ts") != 0)
        return "the feed has a target-ts, which is a position of the old server: remove it first (feed update)";
    if (count > SL__PROBE_IGNORED_MAX)
        return "the feed leaves out too many positions: shorten filter.ignore_txn_start_ts";
    for (size_t i = 0; i < count; i++)
        r->ignored[r->ignored_count++] = json_object_get_uint64(json_object_array_get_idx(list, i));
    return NULL;
}

static bool repoint_fill(struct sl__probe *p, const struct sl_feed_view *v, bool dry_run)
{
    struct sl_bytes old = sl_secret_reveal(v->source);
    struct sl__probe_repoint *r = p->repoint = calloc(1, sizeof *r);
    if (!r)
        return false;
    r->feed = v->record.id;
    r->checkpoint = v->checkpoint;
    r->dry_run = dry_run;
    r->old_source.bytes_max = SL_SOURCE_URI_MAX;
    return sl__buf_add(&r->old_source, (const char *)old.ptr, old.len);
}

static void repoint_start(struct sl__call *c, const struct sl_reply *reply)
{
    const struct repoint *r = c->state_data;
    const struct sl_feed_view *v = reply->feeds;
    struct sl__probe probe;
    enum sl_refusal refusal;
    if (repoint_refused(c, reply))
        return;
    if (v->record.state != SL_FEED_STOPPED && v->record.state != SL_FEED_FAILED) {
        sl__answer_own(c, 409, "REPOINT_RUNS", "only a feed that is stopped or failed can move",
                       "pause it first: sluice feed pause");
        return;
    }
    struct json_object *info = sl__doc_parse(v->info, SL_FEED_INFO_BYTES_MAX, &refusal);
    bool is_ready = sl__probe_init(&probe, r->source_uri, sl_str_of(sl__doc_text(info, "sink-uri"))) &&
                    repoint_fill(&probe, v, r->dry_run);
    const char *wrong = is_ready ? repoint_read_info(probe.repoint, info) : NULL;
    json_object_put(info);
    if (is_ready && !wrong) {
        sl__probe_start(c, &probe, repoint_probed);
        return;
    }
    sl__probe_deinit(&probe);
    if (wrong)
        sl__answer_own(c, 409, "REPOINT_NOT_POSSIBLE", wrong, "");
    else
        sl__answer_overload(c);
}

void sl__on_feed_repoint(struct sl__call *c)
{
    struct repoint *r = calloc(1, sizeof *r);
    c->state_data = r;
    sl__call_about(c, c->params[0]);
    if (!r) {
        sl__answer_overload(c);
        return;
    }
    if (!sl__body_text(c, "source_uri", &r->source_uri) || r->source_uri.len == 0 ||
        r->source_uri.len > SL_SOURCE_URI_MAX || !sl_str_is_printable_utf8(r->source_uri))
        sl__answer_bad(c, "source_uri must be the URI of a server, at most 4096 bytes");
    else if (!sl__body_bool(c, "dry_run", &r->dry_run))
        sl__answer_bad(c, "dry_run must be true or false");
    else
        repoint_ask(c, repoint_start);
}
