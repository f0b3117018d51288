/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/plane_driver.h"

#include "tests/support/sl_test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DRIVER_PATIENCE_NS (60 * SL_S)

static const struct sl_source_driver *const driver_sources[] = { &plane_model_source, NULL };
static const struct sl_sink_driver *const driver_sinks[] = { &plane_model_sink, NULL };

sl_ts plane_driver_checkpoint(const struct plane_driver *d, sl_dispatcher_token token)
{
    const struct plane_view *v = &d->views[token];
    return v->follows ? sl_ts_max(v->checkpoint, d->progress) : v->checkpoint;
}

static void driver_on_dispatcher(struct plane_driver *d, const struct sl_report *r)
{
    assert_true(r->dispatcher < PLANE_DRIVER_TOKENS);
    struct plane_view *v = &d->views[r->dispatcher];
    sl_ts before = plane_driver_checkpoint(d, r->dispatcher);
    assert_false(v->is_closed || v->has_failed); /* the last word was said */
    if (r->kind != SL_REPORT_FAILED && r->checkpoint < before)
        d->went_back = true;
    v->reports++;
    v->checkpoint = sl_ts_max(before, r->checkpoint);
    v->resolved = r->resolved;
    v->follows = r->follows;
    if (r->kind == SL_REPORT_READY) {
        assert_false(v->is_ready);
        v->is_ready = true;
        d->ready_count++;
    } else if (r->kind == SL_REPORT_CLOSED) {
        v->is_closed = true;
        d->closed_count++;
    } else if (r->kind == SL_REPORT_FAILED) {
        v->has_failed = true;
        d->failed_count++;
        snprintf(v->code, sizeof v->code, "%.*s", (int)r->code.len, r->code.ptr);
    }
}

static void driver_on_report(void *ctx, const struct sl_report *r)
{
    struct plane_driver *d = ctx;
    switch (r->kind) {
    case SL_REPORT_FEED_OPENED:
        d->feed_opened = true;
        return;
    case SL_REPORT_FEED_FAILED:
        d->feed_failed = true;
        snprintf(d->feed_code, sizeof d->feed_code, "%.*s", (int)r->code.len, r->code.ptr);
        return;
    case SL_REPORT_FEED_PROGRESS:
        d->went_back = d->went_back || r->checkpoint < d->progress;
        d->progress = r->checkpoint;
        d->resolved = r->resolved;
        return;
    case SL_REPORT_FEED_CLOSED:
        d->feed_closed = true;
        return;
    case SL_REPORT_COPY:
        return;
    case SL_REPORT_HOSTED:
        d->readers = r->readers;
        d->unflushed = r->unflushed_rows;
        return;
    case SL_REPORT_READY:
    case SL_REPORT_PROGRESS:
    case SL_REPORT_CLOSED:
    case SL_REPORT_FAILED:
        driver_on_dispatcher(d, r);
        return;
    case SL_REPORT_BLOCKED:
    case SL_REPORT_UNBLOCKED:
        return;
    }
}

static void driver_on_schema(void *ctx, const struct sl_in_schema *schema)
{
    struct plane_driver *d = ctx;
    d->schema_answers++;
    d->schema_code = schema->code;
    d->schema_count = schema->table_count;
    for (uint32_t i = 0; i < schema->table_count; i++) {
        sl_assert_i64(schema->tables[i].table_id, (int64_t)i + 1);
        assert_true(sl_str_eq(schema->tables[i].schema_name, SL_STR("model")));
        assert_true(schema->tables[i].table_name.len >= 2);
    }
}

static void driver_on_head(void *ctx, uint64_t request, enum sl_code code, sl_ts ts, const struct sl_trouble *t)
{
    struct plane_driver *d = ctx;
    (void)request, (void)code, (void)t;
    d->head = ts;
}

static void driver_on_note(void *ctx, const struct sl_feed_id *feed, const struct sl_trouble *t)
{
    struct plane_driver *d = ctx;
    (void)feed, (void)t;
    d->notes++;
}

static void driver_wake(void *ctx)
{
    (void)ctx;
}

struct sl_plane_opts plane_driver_opts(void)
{
    struct sl_plane_opts opts = SL_PLANE_OPTS_DEFAULT;
    opts.is_manual = true;
    opts.feed_count_max = 16;
    opts.dispatcher_count_max = PLANE_DRIVER_TOKENS;
    opts.window_bytes_max = 64u << 10;
    opts.queue_bytes_max = 256u << 10;
    opts.batch_bytes_max = 8u << 10;
    opts.commit_rows_max = 256;
    opts.slow_ns = 4 * SL_MS;
    opts.retry_ns = SL_MS;
    opts.retry_ns_max = 2 * SL_MS;
    return opts;
}

void plane_driver_open(struct plane_driver *d, const struct sl_plane_opts *opts)
{
    struct sl_plane_opts mine = opts ? *opts : plane_driver_opts();
    mine.sources = driver_sources;
    mine.sinks = driver_sinks;
    memset(d, 0, sizeof *d);
    struct sl_plane_client client = { .ctx = d,
                                      .on_report = driver_on_report,
                                      .on_schema = driver_on_schema,
                                      .on_head = driver_on_head,
                                      .on_note = driver_on_note,
                                      .wake = driver_wake };
    sl_assert_i64(sl_plane_open(&d->plane, &mine, &client), SL_OK);
}

void plane_driver_close(struct plane_driver *d)
{
    sl_plane_close(d->plane);
    assert_false(d->went_back);
}

static struct sl_secret driver_secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

void plane_driver_open_feed_at(struct plane_driver *d, const char *source, const char *sink)
{
    char config[256];
    struct sl_feed_id id = { .high = 1, .low = 2, .name_len = 1, .name = "f" };
    snprintf(config, sizeof config, "{\"sink_uri\":\"%s\"}", sink);
    sl_plane_perform(d->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN_FEED,
                                                     .feed = PLANE_DRIVER_FEED,
                                                     .feed_id = &id,
                                                     .config = driver_secret(config),
                                                     .source = driver_secret(source) });
}

void plane_driver_open_feed(struct plane_driver *d)
{
    plane_driver_open_feed_at(d, "model://source", "model://sink");
    plane_driver_until(d, d->feed_opened);
}

void plane_driver_command_feed(struct plane_driver *d, enum sl_command_verb verb)
{
    sl_plane_perform(d->plane, &(struct sl_command){ .verb = verb, .feed = PLANE_DRIVER_FEED });
}

void plane_driver_start(struct plane_driver *d, sl_dispatcher_token token, int64_t table_id, sl_ts start_ts,
                        struct sl_placement placement)
{
    d->views[token] = (struct plane_view){ .checkpoint = start_ts };
    sl_plane_perform(d->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN,
                                                     .feed = PLANE_DRIVER_FEED,
                                                     .dispatcher = token,
                                                     .span = { .table_id = table_id },
                                                     .placement = placement,
                                                     .start_ts = start_ts });
}

void plane_driver_start_trigger(struct plane_driver *d, sl_dispatcher_token token, sl_ts start_ts)
{
    d->views[token] = (struct plane_view){ .checkpoint = start_ts };
    sl_plane_perform(d->plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN,
                                                     .feed = PLANE_DRIVER_FEED,
                                                     .dispatcher = token,
                                                     .start_ts = start_ts,
                                                     .is_table_trigger = true });
}

void plane_driver_stop(struct plane_driver *d, sl_dispatcher_token token)
{
    struct plane_view *v = &d->views[token];
    v->checkpoint = plane_driver_checkpoint(d, token); /* as the core: who closes follows nobody */
    v->follows = false;
    sl_plane_perform(d->plane,
                     &(struct sl_command){ .verb = SL_COMMAND_CLOSE, .feed = PLANE_DRIVER_FEED, .dispatcher = token });
}

static sl_ns driver_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (sl_ns)t.tv_sec * SL_S + t.tv_nsec;
}

struct plane_driver_wait plane_driver_begin_wait(void)
{
    return (struct plane_driver_wait){ driver_now() + DRIVER_PATIENCE_NS };
}

void plane_driver_step(struct plane_driver *d)
{
    sl_plane_poll(d->plane);
}

void plane_driver_check_wait(const struct plane_driver_wait *w, const struct plane_driver *d, const char *what,
                             const char *file, int line)
{
    if (driver_now() > w->end) {
        fprintf(stderr,
                "%s:%d: never became true: %s (progress %llu, ready %u, closed %u, failed %u, readers %u, "
                "unflushed %llu)\n",
                file, line, what, (unsigned long long)d->progress, d->ready_count, d->closed_count, d->failed_count,
                d->readers, (unsigned long long)d->unflushed);
        fail();
    }
    nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
}
