/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/probe.h"

#include <stdlib.h>
#include <string.h>

/*
 * A probe may take as long as a connection does to a database that is not there. Of the four threads that libuv has for
 * such things two stay free for those who need them for a moment: names of peers, and passwords.
 */
enum { PROBE_AT_ONCE_MAX = 2, PROBE_TABLES_BYTES_MAX = 16 << 20, PROBE_ROW_BYTES_MAX = 2048 };

struct probe_work {
    uv_work_t work;
    struct sl__probe probe;
    struct sl_api *api;
    const struct sl_source_driver *const *sources;
    const struct sl_sink_driver *const *sinks;
    uint64_t ticket;
    sl__probe_done *then;
};

static struct sl_secret probe_secret(const struct sl__buf *b)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)b->ptr, b->len });
}

bool sl__probe_init(struct sl__probe *p, struct sl_str source, struct sl_str sink)
{
    *p = (struct sl__probe){ .source = { .bytes_max = SL_SOURCE_URI_MAX },
                             .sink = { .bytes_max = SL_SOURCE_URI_MAX },
                             .tables = { .bytes_max = PROBE_TABLES_BYTES_MAX },
                             .with_key = { .bytes_max = PROBE_TABLES_BYTES_MAX },
                             .without_key = { .bytes_max = PROBE_TABLES_BYTES_MAX } };
    if (sl__buf_add(&p->source, source.ptr, source.len) && sl__buf_add(&p->sink, sink.ptr, sink.len))
        return true;
    sl__buf_deinit(&p->source);
    return false;
}

static void probe_drop_repoint(struct sl__probe *p)
{
    if (!p->repoint)
        return;
    sl__buf_deinit(&p->repoint->old_source);
    free(p->repoint);
    p->repoint = NULL;
}

void sl__probe_deinit(struct sl__probe *p)
{
    probe_drop_repoint(p);
    sl__buf_deinit(&p->source);
    sl__buf_deinit(&p->sink);
    sl__buf_deinit(&p->tables);
    sl__buf_deinit(&p->with_key);
    sl__buf_deinit(&p->without_key);
}

/* ---- in the pool ---- */

static bool probe_list(struct sl__buf *list, struct sl_str object)
{
    return (list->len == 0 || sl__buf_add(list, ",", 1)) && sl__buf_add(list, object.ptr, object.len);
}

/* The shape of the reference's lists of tables. */
static bool probe_on_table(void *ctx, const struct sl_source_table *table)
{
    struct sl__probe *p = ctx;
    char memory[PROBE_ROW_BYTES_MAX];
    struct sl_text text;
    struct sl_json_out j;
    if (p->table_count == SL__PROBE_TABLES_MAX)
        return false;
    sl_text_init(&text, memory, sizeof memory);
    sl_json_out_init(&j, &text);
    sl_json_open(&j, '{');
    sl__put_text(&j, "database_name", table->schema);
    sl__put_text(&j, "table_name", table->table);
    sl__put_i64(&j, "table_id", table->table_id);
    sl__put_bool(&j, "is_partition", false);
    sl_json_close(&j, '}');
    p->table_count++;
    struct sl_str object = { memory, text.len };
    return !text.cut && probe_list(&p->tables, object) &&
           probe_list(table->has_no_key ? &p->without_key : &p->with_key, object);
}

/* Replaces the URI by the one that the driver wants to be stored. */
static bool probe_settle(const struct sl_sink_driver *driver, struct sl__probe *p)
{
    if (!p->is_for_feed || !driver->settle)
        return true;
    struct sl__buf settled = { .bytes_max = SL_SOURCE_URI_MAX };
    char *text = calloc(1, SL_SOURCE_URI_MAX);
    bool is_done = text && driver->settle(probe_secret(&p->sink), text, SL_SOURCE_URI_MAX, &p->trouble) &&
                   sl__buf_add(&settled, text, strlen(text));
    if (is_done) {
        sl__buf_deinit(&p->sink);
        p->sink = settled;
    }
    free(text);
    return is_done;
}

struct probe_search {
    const char *name;
    int64_t table_id; /* 0: not found */
};

static bool probe_compare_table(void *ctx, const struct sl_source_table *table)
{
    struct probe_search *s = ctx;
    char memory[sizeof((struct sl__probe *)NULL)->copy_table + 1];
    struct sl_text text;
    sl_text_init(&text, memory, sizeof memory);
    sl_text_str(&text, table->schema);
    sl_text_cstr(&text, ".");
    sl_text_str(&text, table->table);
    if (!text.cut && strcmp(memory, s->name) == 0)
        s->table_id = table->table_id;
    return s->table_id == 0;
}

static bool probe_can_copy(const struct probe_work *w, struct sl__probe *p)
{
    struct sl_trouble *t = &p->trouble;
    if (!p->wants_copy || !w->sources || !w->sinks)
        return true;
    const struct sl_source_driver *source = sl_source_find(w->sources, probe_secret(&p->source), t);
    const struct sl_sink_driver *sink = source ? sl_sink_find(w->sinks, probe_secret(&p->sink), t) : NULL;
    if (source && sink && (!source->copy_open || !sink->ask_copy))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_NOT_POSSIBLE",
                              "use a mysql:// source and a mysql:// sink, or start without a snapshot",
                              "this source or this sink cannot take part in an initial copy");
    return true; /* what else is wrong with them is found next */
}

/* The source knows the table's id, the sink who has it. */
static bool probe_ask_copy(const struct probe_work *w, struct sl__probe *p)
{
    struct sl_trouble *t = &p->trouble;
    struct probe_search search = { .name = p->copy_table };
    const struct sl_source_open open = { .uri = probe_secret(&p->source) };
    const struct sl_source_driver *source = sl_source_find(w->sources, probe_secret(&p->source), t);
    const struct sl_sink_driver *sink = source ? sl_sink_find(w->sinks, probe_secret(&p->sink), t) : NULL;
    if (!sink)
        return false;
    if (!source->copy_open || !sink->ask_copy)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_NOT_POSSIBLE", "use a mysql:// source and a mysql:// sink",
                              "tables of this feed cannot be copied");
    if (!source->list(&open, probe_compare_table, &search, t))
        return false;
    if (search.table_id == 0)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_NO_TABLE", "give it as schema.table",
                              "the source has no such table");
    p->is_sink = true;
    return sink->ask_copy(probe_secret(&p->sink), &p->copy_feed, search.table_id, t);
}

static bool probe_sink(const struct probe_work *w, struct sl__probe *p)
{
    if (!w->sinks || p->sink.len == 0)
        return true;
    const struct sl_sink_driver *driver = sl_sink_find(w->sinks, probe_secret(&p->sink), &p->trouble);
    p->is_sink = true;
    if (!driver || (driver->check && !driver->check(probe_secret(&p->sink), &p->trouble)) || !probe_settle(driver, p))
        return false;
    p->is_sink = false;
    return true;
}

/* Whether the log may be read is known when it is read. */
static bool probe_log(const struct sl_source_driver *driver, struct sl__probe *p)
{
    struct sl_reader *reader = NULL;
    const struct sl_source_open open = { .uri = probe_secret(&p->source), .from = p->head };
    if (p->head == SL_TS_NONE || !driver->open)
        return true; /* as of another time: the list tells */
    if (!driver->open(&reader, &open, &p->trouble))
        return false;
    driver->close(reader);
    return true;
}

static bool probe_source(const struct probe_work *w, struct sl__probe *p)
{
    if (!w->sources || p->source.len == 0)
        return true;
    const struct sl_source_driver *driver = sl_source_find(w->sources, probe_secret(&p->source), &p->trouble);
    if (!driver || (driver->check && !driver->check(probe_secret(&p->source), &p->trouble)))
        return false;
    if ((p->wants_head || (p->wants_tables && p->ts == SL_TS_NONE)) && driver->head &&
        !driver->head(&p->head, probe_secret(&p->source), &p->trouble))
        return false;
    if (!p->wants_tables || !driver->list)
        return true;
    const struct sl_source_open open = { .uri = probe_secret(&p->source),
                                         .wants_keys = true,
                                         .from = p->ts != SL_TS_NONE ? p->ts : p->head };
    return probe_log(driver, p) && driver->list(&open, probe_on_table, p, &p->trouble);
}

static bool probe_move(const struct probe_work *w, struct sl__probe *p)
{
    struct sl__probe_repoint *r = p->repoint;
    const struct sl_repoint_ask ask = { .sources = w->sources,
                                        .sinks = w->sinks,
                                        .feed = &r->feed,
                                        .old_source = probe_secret(&r->old_source),
                                        .new_source = probe_secret(&p->source),
                                        .sink = probe_secret(&p->sink),
                                        .checkpoint = r->checkpoint,
                                        .ignored = r->ignored,
                                        .ignored_count = r->ignored_count,
                                        .dry_run = r->dry_run };
    return w->sources && w->sinks && sl_repoint(&ask, &r->result, &p->trouble);
}

static bool probe_look(const struct probe_work *w, struct sl__probe *p)
{
    if (p->repoint)
        return probe_move(w, p);
    if (p->asks_copy)
        return probe_ask_copy(w, p);
    return probe_can_copy(w, p) && probe_sink(w, p) && probe_source(w, p);
}

static void probe_work(uv_work_t *work)
{
    struct probe_work *w = work->data;
    bool ok = probe_look(w, &w->probe);
    if (!ok && w->probe.trouble.kind == SL_TROUBLE_NONE)
        w->probe.trouble.kind = SL_TROUBLE_LASTING;
    if (ok)
        w->probe.trouble.kind = SL_TROUBLE_NONE;
}

/* ---- in the loop ---- */

static void probe_worked(uv_work_t *work, int status)
{
    struct probe_work *w = work->data;
    struct sl_api *api = w->api;
    api->probe_count--;
    if (api->is_freed) {
        sl__api_release(api);
    } else {
        struct sl__call *c = sl__call_of(api, w->ticket);
        if (c && c->state == SL__CALL_WAITING && status == 0)
            w->then(c, &w->probe);
    }
    sl__probe_deinit(&w->probe);
    free(w);
}

void sl__probe_start(struct sl__call *c, struct sl__probe *probe, sl__probe_done *then)
{
    struct sl_api *api = c->api;
    struct probe_work *w = api->probe_count < PROBE_AT_ONCE_MAX && sl__call_take_slot(c) ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        sl__probe_deinit(probe);
        sl__answer_overload(c);
        return;
    }
    w->work.data = w;
    w->probe = *probe;
    w->api = api;
    w->sources = api->opts.sources;
    w->sinks = api->opts.sinks;
    w->ticket = sl__call_ticket(c);
    w->then = then;
    sl__call_set_deadline(c, (sl_ns)api->opts.answer_s_max * SL_S);
    if (uv_queue_work(api->opts.loop, &w->work, probe_work, probe_worked) != 0) {
        sl__probe_deinit(&w->probe);
        free(w);
        sl__answer_overload(c);
        return;
    }
    api->probe_count++;
}
