/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/whole_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_NS (50 * SL_MS)
#define START_TS ((sl_ts)1000)

static void cluster_perform(struct wc_host *h);

void wc_step(struct wc_host *h, const struct sl_input *in)
{
    sl_outbox_reset(&h->out);
    sl_node_step(h->node, h->w->now, in, &h->out);
    cluster_perform(h);
}

/* ---- messages ---- */

static struct wc_message cluster_encode(struct wc_host *h, const struct sl_out_send *send)
{
    struct whole *w = h->w;
    const char *to = sl_members_id(sl_node_members(h->node), send->to)->text;
    struct sl_envelope e = { .type = send->type,
                             .from = sl_str_of(h->id),
                             .to = sl_str_of(to),
                             .topic = sl_str_of(sl_topic_text(send->topic)),
                             .payload_count = 1,
                             .payload = { send->payload } };
    struct wc_message m = { .to = WC_NODES, .len = sl_envelope_size(&e) };
    for (uint32_t i = 0; i < WC_NODES; i++)
        m.to = strcmp(w->hosts[i].id, to) == 0 ? i : m.to;
    m.bytes = malloc(m.len);
    assert_non_null(m.bytes);
    (void)sl_envelope_encode(&e, m.bytes);
    return m;
}

static void cluster_post(struct whole *w, struct wc_message m)
{
    assert_true(w->message_count < WC_MESSAGES_MAX);
    w->messages[w->message_count++] = m;
}

/* ---- the store ---- */

/* What waited for the operation goes first, or nowhere. */
static void cluster_release(struct wc_host *h, const struct sl_store_result *r)
{
    bool done = r->outcome == SL_STORE_OK && (r->verb != SL_STORE_TXN || r->succeeded);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < h->held_count; i++) {
        if (h->held[i].after != r->id)
            h->held[kept++] = h->held[i];
        else if (done)
            cluster_post(h->w, h->held[i].message);
        else
            free(h->held[i].message.bytes);
    }
    h->held_count = kept;
}

static void on_result(void *ctx, const struct sl_store_result *result)
{
    struct wc_host *h = ctx;
    struct sl_input in = { .kind = SL_IN_STORE, .u.store = *result };
    cluster_release(h, result);
    wc_step(h, &in);
}

static void on_watch(void *ctx, const struct sl_store_watch_batch *batch)
{
    struct wc_host *h = ctx;
    struct sl_input in = { .kind = SL_IN_WATCH, .u.watch = *batch };
    wc_step(h, &in);
}

void wc_put(struct whole *w, const char *key, const char *value)
{
    struct sl_store_action action = { .kind = value ? SL_ACTION_PUT : SL_ACTION_DELETE, .key = sl_str_of(key) };
    action.value = (struct sl_bytes){ (const uint8_t *)value, value ? strlen(value) : 0 };
    const struct sl_store_op op = { .id = 1, .verb = SL_STORE_TXN, .then = &action, .then_count = 1 };
    struct sl_store_result result;
    sl_store_model_perform(w->model, w->now, &op, &result);
    assert_int_equal(result.outcome, SL_STORE_OK);
}

/* ---- the data plane ---- */

static sl_ts plane_ts(const struct whole *w)
{
    return START_TS + (sl_ts)(w->now / SL_MS);
}

static void plane_report(struct wc_host *h, const struct sl_report *r)
{
    assert_true(h->plane.report_count < WC_REPORTS_MAX);
    h->plane.reports[h->plane.report_count++] = *r;
}

static struct wc_feed *plane_feed(struct wc_plane *p, sl_feed_token token)
{
    for (uint32_t i = 0; i < WC_FEEDS; i++) {
        if (p->feeds[i].token == token)
            return &p->feeds[i];
    }
    fail_msg("no such feed in the data plane");
    return NULL;
}

static struct wc_dispatcher *plane_dispatcher(struct wc_plane *p, sl_dispatcher_token token)
{
    for (uint32_t i = 0; i < WC_DISPATCHERS; i++) {
        if (p->dispatchers[i].token == token)
            return &p->dispatchers[i];
    }
    fail_msg("no such dispatcher in the data plane");
    return NULL;
}

static void plane_open(struct wc_host *h, const struct sl_command *c)
{
    struct wc_dispatcher *d = plane_dispatcher(&h->plane, 0);
    *d = (struct wc_dispatcher){ .feed = c->feed, .token = c->dispatcher, .table_id = c->span.table_id };
    (void)snprintf(d->name, sizeof d->name, "%.*s.%.*s", (int)c->schema_name.len, c->schema_name.ptr,
                   (int)c->table_name.len, c->table_name.ptr);
    plane_report(h, &(struct sl_report){ .kind = SL_REPORT_READY,
                                         .feed = c->feed,
                                         .dispatcher = c->dispatcher,
                                         .checkpoint = c->start_ts,
                                         .resolved = c->start_ts,
                                         .follows = true });
}

static void plane_open_feed(struct wc_host *h, const struct sl_command *c)
{
    struct wc_feed *feed = plane_feed(&h->plane, 0);
    struct sl_bytes source = sl_secret_reveal(c->source);
    *feed = (struct wc_feed){ .token = c->feed };
    (void)snprintf(feed->source, sizeof feed->source, "%.*s", (int)source.len, (const char *)source.ptr);
    plane_report(h, &(struct sl_report){ .kind = SL_REPORT_FEED_OPENED, .feed = c->feed });
}

static void plane_close_feed(struct wc_host *h, const struct sl_command *c)
{
    for (uint32_t i = 0; i < WC_DISPATCHERS; i++) {
        if (h->plane.dispatchers[i].feed == c->feed)
            h->plane.dispatchers[i] = (struct wc_dispatcher){ 0 };
    }
    *plane_feed(&h->plane, c->feed) = (struct wc_feed){ 0 };
    plane_report(h, &(struct sl_report){ .kind = SL_REPORT_FEED_CLOSED, .feed = c->feed });
}

static void plane_close(struct wc_host *h, const struct sl_command *c)
{
    if (h->plane.hangs_close)
        return;
    *plane_dispatcher(&h->plane, c->dispatcher) = (struct wc_dispatcher){ 0 };
    plane_report(h, &(struct sl_report){ .kind = SL_REPORT_CLOSED,
                                         .feed = c->feed,
                                         .dispatcher = c->dispatcher,
                                         .checkpoint = plane_ts(h->w),
                                         .resolved = plane_ts(h->w) });
}

static void plane_perform(struct wc_host *h, const struct sl_command *c)
{
    switch (c->verb) {
    case SL_COMMAND_OPEN_FEED:
        plane_open_feed(h, c);
        return;
    case SL_COMMAND_CLOSE_FEED:
        plane_close_feed(h, c);
        return;
    case SL_COMMAND_FENCE_FEED:
        plane_feed(&h->plane, c->feed)->is_fenced = true;
        return;
    case SL_COMMAND_OPEN:
        plane_open(h, c);
        return;
    case SL_COMMAND_CLOSE:
        plane_close(h, c);
        return;
    case SL_COMMAND_WRITE:
    case SL_COMMAND_TELL_CHECKPOINT:
    case SL_COMMAND_PASS:
        return;
    }
}

static void plane_answer_load(struct wc_host *h)
{
    static char names[WC_TABLES][2][8];
    struct sl_table tables[WC_TABLES];
    struct sl_input in = { .kind = SL_IN_SCHEMA };
    h->plane.has_load = false;
    h->w->load_count++;
    for (uint32_t i = 0; i < WC_TABLES; i++) {
        (void)snprintf(names[i][0], sizeof names[i][0], "s%u", (unsigned)i / 4 + 1);
        (void)snprintf(names[i][1], sizeof names[i][1], "t%u", (unsigned)i + 1);
        tables[i] = (struct sl_table){ .table_id = (int64_t)i + 1,
                                       .schema_id = (int64_t)i / 4 + 1,
                                       .schema_name = sl_str_of(names[i][0]),
                                       .table_name = sl_str_of(names[i][1]) };
    }
    bool ok = h->w->schema_code == SL_OK;
    in.u.schema = (struct sl_in_schema){ .feed = h->plane.load.feed,
                                         .request = h->plane.load.request,
                                         .code = h->w->schema_code,
                                         .tables = ok ? tables : NULL,
                                         .table_count = ok ? WC_TABLES : 0 };
    wc_step(h, &in);
}

static void plane_progress(struct wc_host *h)
{
    if (h->w->now < h->plane.progress_at)
        return;
    h->plane.progress_at = h->w->now + PROGRESS_NS;
    for (uint32_t i = 0; i < WC_FEEDS; i++) {
        const struct wc_feed *feed = &h->plane.feeds[i];
        if (feed->token != 0 && !feed->is_fenced)
            plane_report(h, &(struct sl_report){ .kind = SL_REPORT_FEED_PROGRESS,
                                                 .feed = feed->token,
                                                 .checkpoint = plane_ts(h->w),
                                                 .resolved = plane_ts(h->w),
                                                 .age_ns = feed->age_ns });
    }
}

static void plane_run(struct wc_host *h)
{
    struct sl_report reports[WC_REPORTS_MAX];
    if (h->plane.has_load)
        plane_answer_load(h);
    plane_progress(h);
    uint32_t count = h->plane.report_count;
    memcpy(reports, h->plane.reports, count * sizeof reports[0]);
    h->plane.report_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_input in = { .kind = SL_IN_REPORT, .u.report = reports[i] };
        wc_step(h, &in);
    }
}

uint32_t wc_dispatchers(const struct whole *w, uint32_t host)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < WC_DISPATCHERS; i++)
        count += w->hosts[host].plane.dispatchers[i].table_id != 0;
    return count;
}

/* ---- outputs ---- */

static void cluster_keep_tables(struct wc_answer *a, const struct sl_reply *r)
{
    for (uint32_t i = 0; i < r->table_count && i < WC_TABLES; i++) {
        const struct sl_table_view *t = &r->tables[i];
        a->tables[i] = *t;
        a->tables[i].schema_name = a->tables[i].table_name = (struct sl_str){ 0 };
        (void)snprintf(a->names[i], sizeof a->names[i], "%.*s.%.*s", (int)t->schema_name.len, t->schema_name.ptr,
                       (int)t->table_name.len, t->table_name.ptr);
    }
}

static void cluster_keep(struct whole *w, const struct sl_reply *r)
{
    struct wc_answer *a = &w->replies[w->reply_count++ % WC_REPLIES_MAX];
    *a = (struct wc_answer){ .ticket = r->ticket,
                             .code = r->code,
                             .remaining = r->remaining,
                             .node_count = r->node_count,
                             .drain_count = r->drain_count,
                             .plan_count = r->plan_count,
                             .table_count = r->table_count,
                             .feed_count = r->feed_count,
                             .dispatcher_count = r->dispatcher_count,
                             .has_more = r->has_more };
    memcpy(a->detail, r->detail, sizeof a->detail);
    if (r->drain_count > 0)
        a->drain = r->drains[0];
    for (uint32_t i = 0; i < r->node_count && i < WC_NODES; i++)
        a->nodes[i] = r->nodes[i];
    for (uint32_t i = 0; i < r->plan_count && i < WC_NODES; i++)
        a->plan[i] = r->plan[i];
    cluster_keep_tables(a, r);
}

static void cluster_send(struct wc_host *h, const struct sl_output *o)
{
    struct wc_message m = cluster_encode(h, &o->u.send);
    if (o->after == 0) {
        cluster_post(h->w, m);
        return;
    }
    assert_true(h->held_count < WC_HELD_MAX);
    h->held[h->held_count++] = (struct wc_held){ o->after, m };
}

static void cluster_perform(struct wc_host *h)
{
    for (uint32_t i = 0; i < h->out.count; i++) {
        const struct sl_output *o = &h->out.items[i];
        if (o->kind == SL_OUT_SEND)
            cluster_send(h, o);
        else if (o->kind == SL_OUT_STORE)
            assert_true(sl_store_submit(sl_store_model_client_store(h->client), &o->u.store));
        else if (o->kind == SL_OUT_EVENT)
            h->events[o->u.event.id]++;
        else if (o->kind == SL_OUT_REPLY)
            cluster_keep(h->w, &o->u.reply);
        else if (o->kind == SL_OUT_COMMAND)
            plane_perform(h, &o->u.command);
        else if (o->kind == SL_OUT_SCHEMA_LOAD) {
            h->plane.load = o->u.schema_load;
            h->plane.has_load = true;
        }
    }
}

/* ---- life ---- */

static void cluster_opts(struct wc_host *h, uint32_t i, struct sl_node_opts *opts)
{
    sl_node_opts_default(opts);
    opts->mem = &h->mem;
    opts->node_epoch = 1000 * (i + 1) + (uint64_t)(h->w->now - 1000 * SL_S);
    opts->seed = i + 1;
    opts->node_count_max = 8;
    opts->membership.cluster = SL_STR("test");
    opts->membership.self.is_new_arch = opts->membership.self.is_sluice = true;
    (void)snprintf(opts->membership.self.name, sizeof opts->membership.self.name, "node%u", (unsigned)i + 1);
    (void)snprintf(opts->membership.self.address, sizeof opts->membership.self.address, "h%u:1", (unsigned)i + 1);
    opts->coordinator.wall_offset_ns = UINT64_C(1700000000) * (uint64_t)SL_S;
    assert_true(sl_node_id_set(&opts->id, sl_str_of(h->id)));
}

void wc_start(struct whole *w, uint32_t i)
{
    struct wc_host *h = &w->hosts[i];
    struct sl_node_opts opts;
    h->w = w;
    (void)snprintf(h->id, sizeof h->id, "id-%u", (unsigned)i + 1);
    cluster_opts(h, i, &opts);
    const struct sl_store_client client = { .ctx = h, .on_result = on_result, .on_watch = on_watch };
    sl_assert_i64(sl_store_model_client_new(&h->client, w->model, &h->out_mem, &client), SL_OK);
    sl_assert_i64(sl_node_new(&h->node, &opts, w->now), SL_OK);
    struct sl_input tick = { .kind = SL_IN_TICK };
    wc_step(h, &tick);
}

void wc_stop(struct wc_host *h)
{
    sl_store_model_client_free(h->client);
    sl_node_free(h->node);
    for (uint32_t i = 0; i < h->held_count; i++)
        free(h->held[i].message.bytes);
    h->held_count = 0;
    h->plane = (struct wc_plane){ 0 };
    h->client = NULL;
    h->node = NULL;
}

struct whole *wc_setup(uint32_t count)
{
    const struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    struct whole *w = calloc(1, sizeof *w);
    assert_non_null(w);
    sl_mem_init(&w->mem, &mem_opts);
    struct sl_store_model_opts store_opts = SL_STORE_MODEL_OPTS_DEFAULT;
    store_opts.mem = &w->mem;
    sl_assert_i64(sl_store_model_new(&w->model, &store_opts), SL_OK);
    w->now = 1000 * SL_S;
    for (uint32_t i = 0; i < WC_NODES; i++) {
        struct wc_host *h = &w->hosts[i];
        sl_mem_init(&h->mem, &mem_opts);
        sl_mem_init(&h->out_mem, &mem_opts);
        sl_assert_i64(sl_outbox_init(&h->out, &h->out_mem, SL_TAG_OUTBOX, WC_OUT_COUNT, WC_OUT_BYTES), SL_OK);
        if (i < count)
            wc_start(w, i);
    }
    return w;
}

void wc_teardown(struct whole *w)
{
    for (uint32_t i = 0; i < w->message_count; i++)
        free(w->messages[i].bytes);
    for (uint32_t i = 0; i < WC_NODES; i++) {
        struct wc_host *h = &w->hosts[i];
        wc_stop(h);
        sl_outbox_deinit(&h->out);
        sl_mem_deinit(&h->out_mem);
        sl_mem_deinit(&h->mem);
    }
    sl_store_model_free(w->model);
    sl_mem_deinit(&w->mem);
    free(w);
}

static void cluster_deliver(struct whole *w)
{
    uint32_t count = w->message_count;
    struct wc_message *messages = malloc((count + 1) * sizeof *messages);
    assert_non_null(messages);
    memcpy(messages, w->messages, count * sizeof *messages);
    w->message_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_input in = { .kind = SL_IN_MESSAGE, .u.message = { messages[i].bytes, messages[i].len } };
        if (messages[i].to < WC_NODES && w->hosts[messages[i].to].node)
            wc_step(&w->hosts[messages[i].to], &in);
        free(messages[i].bytes);
    }
    free(messages);
}

void wc_run(struct whole *w, sl_ns ns)
{
    for (sl_ns until = w->now + ns; w->now < until; w->now += SL_MS) {
        cluster_deliver(w);
        for (uint32_t i = 0; i < WC_NODES; i++) {
            struct wc_host *h = &w->hosts[i];
            const struct sl_input tick = { .kind = SL_IN_TICK };
            if (h->node && !h->is_cut_off)
                sl_store_model_client_run(h->client, w->now);
            if (h->node)
                plane_run(h);
            if (h->node && sl_node_deadline(h->node) <= w->now)
                wc_step(h, &tick);
        }
    }
}

uint32_t wc_owner(const struct whole *w)
{
    uint32_t owner = WC_NODES;
    for (uint32_t i = 0; i < WC_NODES; i++) {
        if (!w->hosts[i].node || !sl_node_coordinator(w->hosts[i].node))
            continue;
        sl_assert_u64(owner, WC_NODES);
        owner = i;
    }
    return owner;
}

enum sl_liveness wc_liveness(struct whole *w, uint32_t host)
{
    return sl_manager_liveness(sl_node_manager(w->hosts[host].node));
}

/* ---- requests ---- */

static void cluster_submit(struct whole *w, uint32_t host, struct sl_request *r)
{
    r->ticket = ++w->ticket;
    struct sl_input in = { .kind = SL_IN_REQUEST, .u.request = *r };
    wc_step(&w->hosts[host], &in);
}

void wc_request(struct whole *w, uint32_t host, enum sl_request_verb verb, const char *node)
{
    struct sl_request r = { .verb = verb, .node = sl_str_of(node) };
    cluster_submit(w, host, &r);
}

const struct wc_answer *wc_answer_to(const struct whole *w, uint64_t ticket)
{
    for (uint32_t i = 0; i < w->reply_count && i < WC_REPLIES_MAX; i++) {
        if (w->replies[i].ticket == ticket)
            return &w->replies[i];
    }
    return NULL;
}

const struct wc_answer *wc_ask_of(struct whole *w, uint32_t host, struct sl_request *r)
{
    cluster_submit(w, host, r);
    wc_run(w, 20 * SL_MS);
    const struct wc_answer *a = wc_answer_to(w, r->ticket);
    assert_non_null(a);
    return a;
}

const struct wc_answer *wc_ask(struct whole *w, uint32_t host, enum sl_request_verb verb, const char *node)
{
    struct sl_request r = { .verb = verb, .node = sl_str_of(node) };
    return wc_ask_of(w, host, &r);
}

/* ---- feeds ---- */

static struct sl_feed_id cluster_feed_id(uint32_t number)
{
    struct sl_feed_id id = { .high = 7, .low = number, .keyspace_len = 7, .keyspace = "default" };
    id.name_len = (uint8_t)snprintf(id.name, sizeof id.name, "f%u", (unsigned)number);
    return id;
}

void wc_create_feed(struct whole *w, uint32_t number, const char *source)
{
    char text[1024];
    struct sl_feed_id id = cluster_feed_id(number);
    (void)snprintf(text, sizeof text,
                   "{\"id\":{\"id\":{\"low\":%u,\"high\":7},\"display\":{\"name\":\"f%u\",\"keyspace\":\"default\"}},"
                   "\"sink-uri\":\"blackhole://\",\"start-ts\":%u,"
                   "\"config\":{\"filter\":{},\"sink\":{},\"consistent\":{},\"scheduler\":{}}}",
                   (unsigned)number, (unsigned)number, (unsigned)START_TS);
    struct sl_request r = { .verb = SL_REQUEST_FEED_CREATE, .feed = sl_feed_id_name(&id) };
    r.config = sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
    r.source = sl_secret_of((struct sl_bytes){ (const uint8_t *)source, strlen(source) });
    sl_assert_str(sl_code_name(wc_ask_of(w, wc_owner(w), &r)->code), "OK");
    wc_run(w, SL_S);
}

uint32_t wc_maintainer(struct whole *w, uint32_t number)
{
    struct sl_feed_id id = cluster_feed_id(number);
    for (uint32_t i = 0; i < WC_NODES; i++) {
        struct sl_maintainer *m = w->hosts[i].node ? sl_manager_find(sl_node_manager(w->hosts[i].node), &id) : NULL;
        if (m && !sl_maintainer_is_closed(m))
            return i;
    }
    return WC_NODES;
}
