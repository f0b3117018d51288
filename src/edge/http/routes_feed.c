/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/body.h"
#include "edge/http/feed_record.h"
#include "edge/http/mask.h"
#include "edge/http/probe.h"
#include "edge/http/view_feed.h"
#include "engine/table_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEED_KEYSPACE "default" /* the only one; the parameter is ignored (reference behaviour) */

static bool feed_refused(struct sl__call *c, const struct sl_reply *reply)
{
    if (reply->code == SL_OK)
        return false;
    sl__answer_code(c, reply->code, reply->detail);
    return true;
}

static void feed_ask(struct sl__call *c, enum sl_request_verb verb, struct sl_str feed, sl__on_reply *on_reply)
{
    struct sl_request request = {
        .verb = verb, .feed = feed, .keyspace = SL_STR(FEED_KEYSPACE), .actor = sl__call_actor(c)
    };
    sl__call_submit(c, &request, on_reply);
}

/* ---- list, show ---- */

static void feed_list_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    struct sl_api_status status;
    if (feed_refused(c, reply))
        return;
    sl__call_status(c, &status);
    const struct sl__feeds_shown shown = { reply, &status, sl__call_query(c, "state"), c->route->flavor == SL__REF_V1 };
    sl__answer_json(c, 200, sl__render_feeds, &shown);
}

void sl__on_feed_list(struct sl__call *c)
{
    feed_ask(c, SL_REQUEST_FEED_LIST, SL_STR(""), feed_list_on_reply);
}

/* The same for a reply that should have a feed. */
static bool feed_is_missing(struct sl__call *c, const struct sl_reply *reply)
{
    if (feed_refused(c, reply))
        return true;
    if (reply->feed_count == 0)
        sl__answer_code(c, SL_NOT_FOUND, "");
    return reply->feed_count == 0;
}

/* Answers with one feed: render gets a struct sl__feed_shown. */
static void feed_show(struct sl__call *c, uint32_t status_code, const struct sl_reply *reply, sl__render *render)
{
    struct sl_api_status status;
    enum sl_refusal refusal;
    if (feed_is_missing(c, reply))
        return;
    sl__call_status(c, &status);
    struct json_object *info = sl__doc_parse(reply->feeds[0].info, SL_FEED_INFO_BYTES_MAX, &refusal);
    const struct sl__feed_shown shown = { &reply->feeds[0], &status, info };
    sl__answer_json(c, status_code, render, &shown);
    json_object_put(info);
}

static void feed_get_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    feed_show(c, 200, reply, sl__render_feed);
}

void sl__on_feed_get(struct sl__call *c)
{
    feed_ask(c, SL_REQUEST_FEED_SHOW, c->params[0], feed_get_on_reply);
}

static void feed_status_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    feed_show(c, 200, reply, sl__render_feed_status);
}

void sl__on_feed_status(struct sl__call *c)
{
    feed_ask(c, SL_REQUEST_FEED_SHOW, c->params[0], feed_status_on_reply);
}

static void feed_synced_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    feed_show(c, 200, reply, sl__render_feed_synced);
}

void sl__on_feed_synced(struct sl__call *c)
{
    feed_ask(c, SL_REQUEST_FEED_SHOW, c->params[0], feed_synced_on_reply);
}

/* ---- pause, resume, remove, move ---- */

static void feed_done_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (!feed_refused(c, reply))
        sl__answer_done(c);
}

void sl__on_feed_pause(struct sl__call *c)
{
    sl__call_about(c, c->params[0]);
    feed_ask(c, SL_REQUEST_FEED_PAUSE, c->params[0], feed_done_on_reply);
}

void sl__on_feed_resume(struct sl__call *c)
{
    struct sl_request request = { .verb = SL_REQUEST_FEED_RESUME,
                                  .feed = c->params[0],
                                  .keyspace = SL_STR(FEED_KEYSPACE),
                                  .actor = sl__call_actor(c) };
    sl__call_about(c, c->params[0]);
    if (!sl__body_u64(c, "overwrite_checkpoint_ts", &request.checkpoint)) {
        sl__answer_bad(c, "overwrite_checkpoint_ts must be a position");
        return;
    }
    sl__call_submit(c, &request, feed_done_on_reply);
}

static void feed_remove_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    /* Removing what is not there is done (reference behaviour). */
    if (reply->code == SL_NOT_FOUND)
        sl__answer_body(c, 200, "application/json; charset=utf-8", SL_STR("null"));
    else if (!feed_refused(c, reply))
        sl__answer_done(c);
}

void sl__on_feed_remove(struct sl__call *c)
{
    sl__call_about(c, c->params[0]);
    feed_ask(c, SL_REQUEST_FEED_REMOVE, c->params[0], feed_remove_on_reply);
}

static void feed_move_on_reply(struct sl__call *c, const struct sl_reply *reply)
{
    if (!feed_refused(c, reply))
        sl__answer_body(c, 200, "application/json; charset=utf-8", SL_STR("{\"done\":true}"));
}

void sl__on_feed_move(struct sl__call *c)
{
    struct sl_request request = { .verb = SL_REQUEST_FEED_MOVE,
                                  .feed = c->params[0],
                                  .keyspace = SL_STR(FEED_KEYSPACE),
                                  .actor = sl__call_actor(c) };
    sl__call_about(c, c->params[0]);
    if (!sl__body_text(c, "node", &request.node) || request.node.len == 0) {
        sl__answer_bad(c, "node must be an id, the unique beginning of one, or a name");
        return;
    }
    request.node = sl__call_node(c, request.node);
    sl__call_submit(c, &request, feed_move_on_reply);
}

/* ---- create ---- */

struct feed_making {                          /* state_data of a call that creates or updates */
    struct sl_str name, sink_uri, source_uri; /* views of the body, or of generated_name */
    uint64_t start_ts, target_ts;
    bool wants_now;  /* start where the source is now */
    bool wants_copy; /* with the rows that are there */
    char generated_name[48];
    char settled_uri[SL_SOURCE_URI_MAX + 1];
    bool is_filter_wrong;
    char wrong[2 * sizeof((struct sl_trouble){ 0 }.detail) + 2]; /* what feed_read() found, if it is no static text */
};

static struct feed_making *feed_making(struct sl__call *c)
{
    if (!c->state_data)
        c->state_data = calloc(1, sizeof(struct feed_making));
    return c->state_data;
}

static struct sl_secret feed_secret(struct sl_str s)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)s.ptr, s.len });
}

/* The object is owned by the caller. Null: none given. */
static struct json_object *feed_config(const struct sl__call *c)
{
    if (c->route->flavor == SL__REF_V1)
        return sl__feed_config_of_v1(c->doc);
    return json_object_get(sl__doc_get(c->doc, "replica_config"));
}

/* A feed whose rules nobody can read would fail later, on the node that has it. */
static bool feed_filter_is_good(struct feed_making *m, struct json_object *config)
{
    size_t len = 0;
    const char *text = json_object_to_json_string_length(config, JSON_C_TO_STRING_PLAIN, &len);
    struct sl_table_filter *filter = NULL;
    struct sl_trouble t = { .kind = SL_TROUBLE_NONE };
    m->is_filter_wrong = !text || !sl_table_filter_new(&filter, feed_secret((struct sl_str){ text, len }), &t);
    sl_table_filter_free(filter);
    if (m->is_filter_wrong)
        (void)snprintf(m->wrong, sizeof m->wrong, "%s; %s", t.detail, t.remedy);
    return !m->is_filter_wrong;
}

/* What is wrong with the configuration, or null. Clients of the reference send members that only it knows. */
static const char *feed_check_config(struct sl__call *c, struct feed_making *m, struct json_object *config)
{
    char path[SL__FEED_PATH_BYTES_MAX];
    bool is_strict = false;
    if (!sl__body_bool(c, "strict", &is_strict))
        return "strict must be true or false";
    if (!config)
        return NULL;
    if (!json_object_is_type(config, json_type_object))
        return "replica_config must be an object";
    if (!feed_filter_is_good(m, config))
        return m->wrong;
    if (!is_strict || !sl__feed_config_unknown(config, path))
        return NULL;
    (void)snprintf(m->wrong, sizeof m->wrong, "replica_config has a member that nothing reads: %s; see docs/api", path);
    return m->wrong;
}

static const char *feed_read_config(struct sl__call *c, struct feed_making *m)
{
    struct json_object *config = feed_config(c);
    const char *wrong = feed_check_config(c, m, config);
    json_object_put(config);
    return wrong;
}

static void feed_answer_wrong(struct sl__call *c, const struct feed_making *m, const char *wrong)
{
    if (m && m->is_filter_wrong)
        sl__answer_cdc(c, 400, "CDC:ErrFilterRuleInvalid", "filter rule is invalid: ", sl_str_of(wrong));
    else
        sl__answer_bad(c, wrong);
}

/* Null: fine. */
static const char *feed_read(struct sl__call *c, struct feed_making *m)
{
    struct sl_str start;
    if (!sl__body_text(c, "changefeed_id", &m->name) || !sl__body_text(c, "sink_uri", &m->sink_uri) ||
        !sl__body_text(c, "source_uri", &m->source_uri))
        return "changefeed_id, sink_uri and source_uri must be texts";
    if (m->source_uri.len > SL_SOURCE_URI_MAX || m->sink_uri.len > SL_SOURCE_URI_MAX)
        return "a URI may have at most 4096 bytes";
    if (!sl_str_is_printable_utf8(m->source_uri) || !sl_str_is_printable_utf8(m->sink_uri))
        return "a URI holds bytes that are not text";
    if (!sl__body_u64(c, "start_ts", &m->start_ts) || !sl__body_u64(c, "target_ts", &m->target_ts))
        return "start_ts and target_ts must be positions";
    if (!sl__body_text(c, "start", &start))
        return "start must be \"now\", \"snapshot\" or absent";
    m->wants_copy = sl_str_eq(start, SL_STR("snapshot"));
    if (start.len > 0 && !m->wants_copy && !sl_str_eq(start, SL_STR("now")))
        return "start must be \"now\", \"snapshot\" or absent";
    if (m->wants_copy && m->start_ts != 0)
        return "a feed that starts with a snapshot has no start_ts";
    if (m->wants_copy && m->source_uri.len == 0)
        return "a feed that starts with a snapshot needs a source_uri";
    m->wants_now = start.len > 0 || m->start_ts == 0;
    return feed_read_config(c, m);
}

static void feed_created_show(struct sl__call *c, const struct sl_reply *reply)
{
    feed_show(c, c->route->flavor == SL__REF_V1 ? 202 : 200, reply, sl__render_feed);
}

static void feed_created(struct sl__call *c, const struct sl_reply *reply)
{
    const struct feed_making *m = c->state_data;
    if (!feed_refused(c, reply))
        feed_ask(c, SL_REQUEST_FEED_SHOW, m->name, feed_created_show);
}

/* The configuration with what start says; takes config. Null: no memory. */
static struct json_object *feed_config_with_copy(struct json_object *config)
{
    config = config ? config : json_object_new_object();
    if (config && json_object_object_add(config, "initial_copy", json_object_new_boolean(true)) == 0)
        return config;
    json_object_put(config);
    return NULL;
}

static void feed_name_it(struct feed_making *m, const struct sl__feed_new *f)
{
    struct sl_text t;
    if (m->name.len > 0)
        return;
    sl_text_init(&t, m->generated_name, sizeof m->generated_name);
    sl_text_u64(&t, f->id_low);
    sl_text_u64(&t, f->id_high);
    m->name = (struct sl_str){ m->generated_name, t.len };
}

static void feed_create(struct sl__call *c, struct feed_making *m)
{
    struct json_object *config = m->wants_copy ? feed_config_with_copy(feed_config(c)) : feed_config(c);
    struct sl__buf record = { .bytes_max = SL_FEED_INFO_BYTES_MAX };
    struct sl__feed_new f = { .keyspace = SL_STR(FEED_KEYSPACE),
                              .version = sl_str_of(c->api->opts.version),
                              .id_high = sl_prng_u64(&c->api->prng) | 1,
                              .id_low = sl_prng_u64(&c->api->prng) | 1,
                              .create_wall_ms = sl__time_wall_ms(),
                              .sink_uri = feed_secret(m->sink_uri),
                              .start_ts = m->start_ts,
                              .target_ts = m->target_ts,
                              .replica_config = config };
    feed_name_it(m, &f);
    f.name = m->name;
    sl__call_about(c, m->name);
    const char *wrong = sl__feed_record_new(&record, &f);
    json_object_put(config);
    if (wrong) {
        sl__answer_bad(c, wrong);
    } else {
        struct sl_request request = { .verb = SL_REQUEST_FEED_CREATE,
                                      .feed = m->name,
                                      .keyspace = f.keyspace,
                                      .actor = sl__call_actor(c),
                                      .config = feed_secret(sl__buf_str(&record)),
                                      .source = feed_secret(m->source_uri),
                                      .checkpoint = m->start_ts };
        sl__call_submit(c, &request, feed_created);
    }
    sl__buf_deinit(&record);
}

static void feed_answer_trouble(struct sl__call *c, const struct sl__probe *p)
{
    char text[512];
    struct sl_text t;
    sl_text_init(&t, text, sizeof text);
    sl_text_cstr(&t, p->is_sink ? "sink: " : "source: ");
    sl_text_cstr(&t, p->trouble.detail);
    if (p->trouble.remedy[0] != '\0') {
        sl_text_cstr(&t, "; ");
        sl_text_cstr(&t, p->trouble.remedy);
    }
    sl__answer_cdc(c, 400, p->is_sink ? "CDC:ErrSinkURIInvalid" : "CDC:ErrAPIInvalidParam",
                   p->is_sink ? "sink uri invalid: " : "invalid api parameter: ", (struct sl_str){ text, t.len });
}

static bool feed_target_fits(struct sl__call *c, const struct feed_making *m)
{
    if (m->target_ts == 0 || m->target_ts > m->start_ts)
        return true;
    sl__answer_cdc(c, 400, "CDC:ErrTargetTsBeforeStartTs", "target-ts must be larger than start-ts", SL_STR(""));
    return false;
}

/* What the sink's driver made of the URI. */
static void feed_take_sink(struct feed_making *m, const struct sl__probe *p)
{
    struct sl_str uri = sl__buf_str(&p->sink);
    struct sl_text text;
    sl_text_init(&text, m->settled_uri, sizeof m->settled_uri);
    sl_text_str(&text, uri);
    m->sink_uri = (struct sl_str){ m->settled_uri, text.len };
}

static void feed_create_probed(struct sl__call *c, struct sl__probe *p)
{
    struct feed_making *m = c->state_data;
    if (p->trouble.kind != SL_TROUBLE_NONE) {
        feed_answer_trouble(c, p);
        return;
    }
    feed_take_sink(m, p);
    if (m->wants_now && m->start_ts == 0)
        m->start_ts = p->head > 0 ? p->head : sl__time_wall_ms() << 18;
    if (feed_target_fits(c, m))
        feed_create(c, m);
}

void sl__on_feed_create(struct sl__call *c)
{
    struct feed_making *m = feed_making(c);
    struct sl__probe probe;
    const char *wrong = m ? feed_read(c, m) : "out of memory";
    if (!wrong && m->sink_uri.len == 0)
        wrong = "sink_uri is missing";
    if (!wrong && m->name.len > SL_FEED_NAME_MAX)
        wrong = "changefeed_id has more than 128 characters";
    if (wrong) {
        feed_answer_wrong(c, m, wrong);
        return;
    }
    sl__call_about(c, m->name);
    if (!sl__probe_init(&probe, m->source_uri, m->sink_uri)) {
        sl__answer_overload(c);
        return;
    }
    probe.wants_head = m->wants_now && m->source_uri.len > 0;
    probe.wants_copy = m->wants_copy;
    probe.is_for_feed = true;
    sl__probe_start(c, &probe, feed_create_probed);
}

/* ---- update ---- */

static void feed_update_send(struct sl__call *c, const struct feed_making *m, const struct sl_feed_view *old)
{
    struct json_object *config = feed_config(c);
    struct sl__buf record = { .bytes_max = SL_FEED_INFO_BYTES_MAX };
    const struct sl__feed_change change = { .sink_uri = feed_secret(m->sink_uri),
                                            .set_target = sl__body_has(c, "target_ts") && m->target_ts > 0,
                                            .target_ts = m->target_ts,
                                            .replica_config = config };
    const char *wrong = sl__feed_record_change(&record, old->info, &change);
    json_object_put(config);
    if (wrong) {
        sl__answer_bad(c, wrong);
    } else {
        bool same_source = sl__mask_equals(old->source, m->source_uri);
        struct sl_request request = { .verb = SL_REQUEST_FEED_UPDATE,
                                      .feed = m->name,
                                      .keyspace = SL_STR(FEED_KEYSPACE),
                                      .actor = sl__call_actor(c),
                                      .config = feed_secret(sl__buf_str(&record)),
                                      .source = feed_secret(same_source ? SL_STR("") : m->source_uri) };
        sl__call_submit(c, &request, feed_created);
    }
    sl__buf_deinit(&record);
}

static void feed_update_on_show(struct sl__call *c, const struct sl_reply *reply)
{
    struct feed_making *m = c->state_data;
    if (feed_refused(c, reply))
        return;
    enum sl_feed_state state = reply->feed_count > 0 ? reply->feeds[0].record.state : SL_FEED_REMOVED;
    if (state != SL_FEED_STOPPED && state != SL_FEED_FAILED) {
        sl__answer_cdc(c, 400, "CDC:ErrChangefeedUpdateRefused",
                       "changefeed update error: can only update changefeed config when it is stopped or failed",
                       SL_STR(""));
        return;
    }
    if (m->target_ts > 0 && m->target_ts <= reply->feeds[0].record.start_ts) {
        sl__answer_cdc(c, 400, "CDC:ErrTargetTsBeforeStartTs", "target-ts must be larger than start-ts", SL_STR(""));
        return;
    }
    feed_update_send(c, m, &reply->feeds[0]);
}

static void feed_update_probed(struct sl__call *c, struct sl__probe *p)
{
    struct feed_making *m = c->state_data;
    if (p->trouble.kind != SL_TROUBLE_NONE) {
        feed_answer_trouble(c, p);
        return;
    }
    feed_take_sink(m, p);
    feed_ask(c, SL_REQUEST_FEED_SHOW, m->name, feed_update_on_show);
}

void sl__on_feed_update(struct sl__call *c)
{
    struct feed_making *m = feed_making(c);
    struct sl__probe probe;
    const char *wrong = m ? feed_read(c, m) : "out of memory";
    if (!wrong && m->start_ts != 0)
        wrong = "start_ts cannot be changed";
    if (wrong) {
        feed_answer_wrong(c, m, wrong);
        return;
    }
    m->name = c->params[0];
    sl__call_about(c, m->name);
    if (!sl__probe_init(&probe, m->source_uri, m->sink_uri)) {
        sl__answer_overload(c);
        return;
    }
    probe.is_for_feed = true;
    sl__probe_start(c, &probe, feed_update_probed);
}

/* ---- resync ---- */

static void feed_resync_probed(struct sl__call *c, struct sl__probe *p)
{
    if (p->trouble.kind != SL_TROUBLE_NONE)
        feed_answer_trouble(c, p);
    else
        sl__answer_body(c, 200, "application/json; charset=utf-8", SL_STR("{\"done\":true}"));
}

static struct sl_str feed_revealed(struct sl_secret uri)
{
    struct sl_bytes bytes = sl_secret_reveal(uri);
    return (struct sl_str){ (const char *)bytes.ptr, bytes.len };
}

static void feed_resync_start(struct sl__call *c, const struct sl_feed_view *v, struct sl_str sink, struct sl_str table)
{
    struct sl__probe probe;
    struct sl_text text;
    if (!sl__probe_init(&probe, feed_revealed(v->source), sink)) {
        sl__answer_overload(c);
        return;
    }
    sl_text_init(&text, probe.copy_table, sizeof probe.copy_table);
    sl_text_str(&text, table);
    probe.asks_copy = true;
    probe.copy_feed = v->record.id;
    sl__probe_start(c, &probe, feed_resync_probed);
}

static void feed_resync_on_show(struct sl__call *c, const struct sl_reply *reply)
{
    struct sl_str table;
    enum sl_refusal refusal;
    if (feed_is_missing(c, reply))
        return;
    struct json_object *info = sl__doc_parse(reply->feeds[0].info, SL_FEED_INFO_BYTES_MAX, &refusal);
    if (sl__body_text(c, "table", &table))
        feed_resync_start(c, &reply->feeds[0], sl_str_of(sl__doc_text(info, "sink-uri")), table);
    json_object_put(info);
}

void sl__on_feed_resync(struct sl__call *c)
{
    struct sl_str table;
    sl__call_about(c, c->params[0]);
    if (!sl__body_text(c, "table", &table) || table.len == 0 || table.len > 2 * 256 + 1) {
        sl__answer_bad(c, "table must be a table of the source: schema.table");
        return;
    }
    feed_ask(c, SL_REQUEST_FEED_SHOW, c->params[0], feed_resync_on_show);
}

/* ---- which tables ---- */

struct feed_tables {
    const struct sl__probe *probe;
    bool all;
};

static void feed_tables_render(struct sl_json_out *j, const void *ctx)
{
    const struct feed_tables *t = ctx;
    const struct {
        const char *name;
        const struct sl__buf *tables;
    } lists[] = { { "ineligible_tables", &t->probe->without_key },
                  { "eligible_tables", &t->probe->with_key },
                  { "all_tables", &t->probe->tables } };
    sl_json_open(j, '{');
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        sl_json_key(j, lists[i].name);
        sl_json_open(j, '[');
        if (lists[i].tables->len > 0)
            sl__json_raw(j, sl__buf_str(lists[i].tables));
        sl_json_close(j, ']');
    }
    sl_json_close(j, '}');
}

static void feed_tables_probed(struct sl__call *c, struct sl__probe *p)
{
    const struct feed_tables tables = { .probe = p };
    if (p->trouble.kind != SL_TROUBLE_NONE)
        feed_answer_trouble(c, p);
    else
        sl__answer_json(c, 200, feed_tables_render, &tables);
}

void sl__on_verify_table(struct sl__call *c)
{
    struct feed_making *m = feed_making(c);
    struct sl__probe probe;
    const char *wrong = m ? feed_read(c, m) : "out of memory";
    if (wrong) {
        feed_answer_wrong(c, m, wrong);
        return;
    }
    if (!sl__probe_init(&probe, m->source_uri, (struct sl_str){ "", 0 })) {
        sl__answer_overload(c);
        return;
    }
    probe.wants_tables = true;
    probe.ts = m->start_ts;
    sl__probe_start(c, &probe, feed_tables_probed);
}
