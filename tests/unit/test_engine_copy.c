/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "engine/plane.h"
#include "tests/support/sl_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * A plane, a source with one table whose rows change while they are copied, and a sink that keeps rows, progress and the
 * state of the copy together. Step n of the source is ts n. Whatever happens in between, in the end the sink has to have
 * the rows of the source.
 */
#define KEYS 60
#define STEPS_MAX 4000u
#define CHUNK_ROWS 7
#define TABLE 1
#define START_TS 3u

struct step {
    int key, value; /* value -1: deleted */
    bool is_ddl;
};

static struct {
    pthread_mutex_t mutex;
    struct sl_prng prng;
    struct step steps[STEPS_MAX];
    sl_ts step_count;
    sl_ts definition_ts; /* of the last change of the schema */
    int changes_per_chunk, ddl_at_chunk, chunks_read;
    bool is_gone, has_no_copies;
    /* the sink */
    int rows[KEYS];
    sl_ts progress;
    struct sl_placement placement;
    struct sl_copy_stored copy;
    uint8_t place[8];
    int failures, commits, copies_begun;
    bool fails_after;
} world;

static struct sl_column key_column = { .name = { "id", 2 }, .flags = SL_COLUMN_KEY };
static struct sl_column columns[2];
static struct sl_table_def def;

static void def_keep(struct sl_table_def *d)
{
    (void)d;
}

/* ---- the source ---- */

static void source_add(int count)
{
    while (count-- > 0 && world.step_count < STEPS_MAX) {
        int value = (int)sl_prng_below(&world.prng, 1000);
        world.steps[world.step_count++] =
            (struct step){ .key = (int)sl_prng_below(&world.prng, KEYS), .value = value < 250 ? -1 : value };
    }
}

static void source_add_ddl(void)
{
    world.steps[world.step_count++] = (struct step){ .is_ddl = true };
    world.definition_ts = world.step_count;
}

static void source_rows(int rows[KEYS], sl_ts at)
{
    for (int i = 0; i < KEYS; i++)
        rows[i] = i % 3 == 0 ? -1 : 0;
    for (sl_ts i = 0; i < at; i++)
        if (!world.steps[i].is_ddl)
            rows[world.steps[i].key] = world.steps[i].value;
}

struct script_reader {
    struct sl_reader base;
    sl_ts through;
    atomic_bool is_interrupted;
};

static const struct sl_source_driver script_driver;

static bool script_check(struct sl_secret uri, struct sl_trouble *t)
{
    (void)uri, (void)t;
    return true;
}

static bool script_open(struct sl_reader **out, const struct sl_source_open *o, struct sl_trouble *t)
{
    (void)t;
    struct script_reader *r = calloc(1, sizeof *r);
    r->base.driver = &script_driver;
    r->through = o->from;
    *out = &r->base;
    return true;
}

static void script_row(struct sl_batch *into, const struct step *step, sl_ts ts)
{
    struct sl_row_images images;
    bool is_delete = step->value < 0;
    assert_true(sl_batch_add(into, &def, is_delete ? SL_ROW_DELETE : SL_ROW_INSERT, ts, &images));
    struct sl_value *image = is_delete ? images.before : images.after;
    image[0] = (struct sl_value){ .kind = SL_VALUE_INT, .v.i = step->key };
    image[1] = (struct sl_value){ .kind = SL_VALUE_INT, .v.i = step->value };
}

static bool script_read(struct sl_reader *base, struct sl_batch *into, size_t bytes_max, sl_ns wait_ns,
                        struct sl_trouble *t)
{
    static const int64_t own[] = { TABLE };
    struct script_reader *r = (struct script_reader *)base;
    (void)bytes_max, (void)wait_ns;
    if (atomic_load(&r->is_interrupted))
        return sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted");
    pthread_mutex_lock(&world.mutex);
    bool is_idle = r->through >= world.step_count;
    for (int i = 0; i < 5 && r->through < world.step_count; i++) {
        const struct step *step = &world.steps[r->through++];
        if (!step->is_ddl) {
            script_row(into, step, r->through);
            continue;
        }
        const struct sl_ddl ddl = {
            .ts = r->through, .effect = SL_DDL_OWN, .kind = "alter table", .tables = own, .table_count = 1
        };
        assert_true(sl_batch_set_ddl(into, &ddl));
        break;
    }
    pthread_mutex_unlock(&world.mutex);
    if (is_idle)
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    sl_batch_seal(into, r->through, 1);
    return true;
}

static void script_interrupt(struct sl_reader *r)
{
    atomic_store(&((struct script_reader *)r)->is_interrupted, true);
}

static void script_close(struct sl_reader *r)
{
    free(r);
}

static bool copy_open(struct sl_copier **out, const struct sl_source_open *o, struct sl_trouble *t)
{
    (void)o, (void)t;
    *out = calloc(1, sizeof **out);
    (*out)->driver = &script_driver;
    return true;
}

/* The place: the key behind which it goes on, and the definition. */
static void copy_rows(const struct sl_copy_ask *ask, struct sl_batch *into)
{
    int rows[KEYS], key = ask->place.len > 0 ? ask->place.ptr[0] + 1 : 0, last = 0, count = 0;
    struct sl_chunk chunk = { .number = ask->number,
                              .low = ask->number == 1 ? world.step_count : ask->low,
                              .high = world.step_count,
                              .rows_before = ask->rows_before,
                              .is_gone = world.is_gone,
                              .is_last = world.is_gone,
                              .is_void = ask->number > 1 && ask->place.ptr[1] != (uint8_t)world.definition_ts };
    source_rows(rows, world.step_count);
    assert_true(chunk.high >= ask->not_before);
    assert_true(sl_batch_set_chunk(into, &def, &chunk));
    for (; !world.is_gone && !chunk.is_void && key < KEYS && count < CHUNK_ROWS; key++) {
        const struct step step = { .key = key, .value = rows[key] };
        if (rows[key] < 0)
            continue;
        script_row(into, &step, SL_CHUNK_TS);
        last = key;
        count++;
    }
    const uint8_t place[2] = { (uint8_t)last, (uint8_t)world.definition_ts };
    bool is_last = world.is_gone || (!chunk.is_void && count < CHUNK_ROWS);
    assert_true(sl_batch_end_chunk(into, is_last, (struct sl_bytes){ place, sizeof place }));
}

static bool copy_read(struct sl_copier *c, const struct sl_copy_ask *ask, struct sl_batch *into, struct sl_trouble *t)
{
    (void)c, (void)t;
    pthread_mutex_lock(&world.mutex);
    copy_rows(ask, into);
    if (++world.chunks_read == world.ddl_at_chunk)
        source_add_ddl();
    source_add(world.changes_per_chunk);
    pthread_mutex_unlock(&world.mutex);
    sl_batch_seal(into, SL_CHUNK_TS, 1);
    return true;
}

static void copy_interrupt(struct sl_copier *c)
{
    (void)c;
}

static void copy_close(struct sl_copier *c)
{
    free(c);
}

static const struct sl_source_driver script_driver = { .schemes = "script",
                                                       .check = script_check,
                                                       .open = script_open,
                                                       .read = script_read,
                                                       .interrupt = script_interrupt,
                                                       .close = script_close,
                                                       .copy_open = copy_open,
                                                       .copy_read = copy_read,
                                                       .copy_interrupt = copy_interrupt,
                                                       .copy_close = copy_close };

/* ---- the sink ---- */

struct keep_writer { /* what was appended and not committed */
    struct sl_writer base;
    int rows[KEYS];
    sl_ts progress;
    struct sl_placement placement;
    struct sl_copy_stored copy;
    uint8_t place[8];
    bool is_open, was_begun;
};

static const struct sl_sink_driver keep_driver;

static bool keep_open(struct sl_sink **out, const struct sl_sink_open *o, struct sl_trouble *t)
{
    (void)o, (void)t;
    *out = calloc(1, sizeof **out);
    **out = (struct sl_sink){ &keep_driver, true, true };
    return true;
}

static bool keep_open_writer(struct sl_writer **out, struct sl_sink *s, uint32_t index, struct sl_trouble *t)
{
    (void)s, (void)index, (void)t;
    struct keep_writer *w = calloc(1, sizeof *w);
    w->base.driver = &keep_driver;
    *out = &w->base;
    return true;
}

static bool keep_raise(struct sl_writer *w, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    (void)w, (void)t;
    pthread_mutex_lock(&world.mutex);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_sink_claim *c = &claims[i];
        c->is_refused = sl_placement_cmp(world.placement, c->span.placement) > 0;
        world.placement = c->is_refused ? world.placement : c->span.placement;
        c->stored_ts = world.progress;
        if (c->wants_copy && world.copy.state == SL_COPY_NONE)
            world.copy.state = SL_COPY_WANTED;
        c->copy = world.copy;
        if (world.copy.place_len > 0) {
            c->copy.place = malloc(world.copy.place_len);
            memcpy(c->copy.place, world.place, world.copy.place_len);
        }
    }
    pthread_mutex_unlock(&world.mutex);
    return true;
}

/* A transaction begins with what is stored. */
static void keep_begin(struct keep_writer *w)
{
    if (w->is_open)
        return;
    memcpy(w->rows, world.rows, sizeof w->rows);
    memcpy(w->place, world.place, sizeof w->place);
    w->progress = world.progress;
    w->copy = world.copy;
    w->is_open = true;
    w->was_begun = false;
}

static bool keep_chunk(struct keep_writer *w, const struct sl_row_run *run, struct sl_trouble *t)
{
    const struct sl_chunk *c = sl_batch_chunk(run->batch);
    bool is_empty = true;
    if (run->after >= run->through)
        return true;
    for (int i = 0; i < KEYS; i++)
        is_empty = is_empty && w->rows[i] < 0;
    if (c->number == 1 && w->copy.state == SL_COPY_WANTED && !is_empty)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_NOT_EMPTY", "", "it has rows");
    if (c->number == 1) {
        memset(w->rows, -1, sizeof w->rows);
        w->was_begun = true;
    } else {
        assert_int_equal(w->copy.state, SL_COPY_BEGUN); /* none is lost, none comes twice */
        sl_assert_u64(c->number, w->copy.number + 1);
    }
    w->copy = (struct sl_copy_stored){ .state = c->is_last ? SL_COPY_DONE : SL_COPY_BEGUN,
                                       .number = c->number,
                                       .low = c->low,
                                       .high = c->high,
                                       .rows = c->rows_before + sl_batch_row_count(run->batch),
                                       .place_len = c->place.len };
    memcpy(w->place, c->place.ptr, c->place.len);
    if (c->is_last)
        w->progress = sl_ts_max(w->progress, c->low);
    return true;
}

static bool keep_append(struct sl_writer *base, const struct sl_sink_span *span, const struct sl_row_run *run,
                        struct sl_trouble *t)
{
    struct keep_writer *w = (struct keep_writer *)base;
    bool is_chunk = sl_batch_chunk(run->batch) != NULL, is_good = true;
    pthread_mutex_lock(&world.mutex);
    keep_begin(w);
    w->placement = span->placement;
    if (is_chunk)
        is_good = keep_chunk(w, run, t);
    for (const struct sl_row *row = sl_row_run_next(run, NULL); is_good && row; row = sl_row_run_next(run, row)) {
        const struct sl_value *image = row->op == SL_ROW_DELETE ? row->before : row->after;
        w->rows[image[0].v.i] = row->op == SL_ROW_DELETE ? -1 : (int)image[1].v.i;
        assert_true(is_chunk || w->copy.state == SL_COPY_DONE || row->ts <= w->copy.low);
    }
    if (!is_chunk)
        w->progress = sl_ts_max(w->progress, run->through);
    pthread_mutex_unlock(&world.mutex);
    return is_good;
}

static void keep_store(const struct keep_writer *w)
{
    memcpy(world.rows, w->rows, sizeof w->rows);
    memcpy(world.place, w->place, sizeof w->place);
    world.progress = w->progress;
    world.copy = w->copy;
    world.commits++;
    world.copies_begun += w->was_begun ? 1 : 0;
}

static bool keep_commit(struct sl_writer *base, struct sl_trouble *t)
{
    struct keep_writer *w = (struct keep_writer *)base;
    pthread_mutex_lock(&world.mutex);
    bool is_stale = sl_placement_cmp(world.placement, w->placement) > 0, fails = world.failures > 0;
    world.failures -= fails ? 1 : 0;
    if (w->is_open && !is_stale && (!fails || world.fails_after))
        keep_store(w);
    w->is_open = false;
    pthread_mutex_unlock(&world.mutex);
    if (is_stale)
        return sl_trouble_set(t, SL_TROUBLE_STALE, "STALE_OWNER", "", "another owner");
    return !fails || sl_trouble_set(t, SL_TROUBLE_PASSING, "LOST", "", "nobody knows");
}

static void keep_discard(struct sl_writer *w)
{
    ((struct keep_writer *)w)->is_open = false;
}

static bool keep_execute(struct sl_writer *w, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                         struct sl_trouble *t)
{
    (void)w, (void)span, (void)t;
    pthread_mutex_lock(&world.mutex);
    world.progress = ddl->ts;
    pthread_mutex_unlock(&world.mutex);
    return true;
}

static bool keep_copies_asked(struct sl_writer *w, int64_t *table_ids, uint32_t *count, struct sl_trouble *t)
{
    (void)w, (void)t;
    pthread_mutex_lock(&world.mutex);
    *count = world.copy.state == SL_COPY_AGAIN ? 1 : 0;
    table_ids[0] = TABLE;
    pthread_mutex_unlock(&world.mutex);
    return true;
}

static void keep_close_writer(struct sl_writer *w)
{
    free(w);
}

static void keep_close(struct sl_sink *s, bool is_removed)
{
    (void)is_removed;
    free(s);
}

static const struct sl_sink_driver keep_driver = { .schemes = "keep",
                                                   .check = script_check,
                                                   .open = keep_open,
                                                   .open_writer = keep_open_writer,
                                                   .raise = keep_raise,
                                                   .append = keep_append,
                                                   .commit = keep_commit,
                                                   .discard = keep_discard,
                                                   .execute = keep_execute,
                                                   .copies_asked = keep_copies_asked,
                                                   .close_writer = keep_close_writer,
                                                   .close = keep_close };

/* ---- the plane ---- */

static struct {
    bool is_ready, is_closed, has_failed;
    sl_ts checkpoint;
    char code[32];
} view;
static struct sl_plane *plane;
static sl_ts progress;

static void on_report(void *ctx, const struct sl_report *r)
{
    (void)ctx;
    if (r->kind == SL_REPORT_FEED_PROGRESS)
        progress = r->checkpoint;
    if (r->dispatcher == 0)
        return;
    assert_true(r->checkpoint >= view.checkpoint);
    view.checkpoint = r->checkpoint;
    view.is_ready = view.is_ready || r->kind == SL_REPORT_READY;
    view.is_closed = view.is_closed || r->kind == SL_REPORT_CLOSED;
    if (r->kind == SL_REPORT_FAILED) {
        view.has_failed = true;
        snprintf(view.code, sizeof view.code, "%.*s", (int)r->code.len, r->code.ptr);
    }
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

static bool has_time(time_t since)
{
    nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    return time(NULL) - since < 60;
}

#define until(condition)                           \
    do {                                           \
        time_t since_ = time(NULL);                \
        while (sl_plane_poll(plane), !(condition)) \
            assert_true(has_time(since_));         \
    } while (0)

static struct sl_secret secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static void plane_start(const char *config, uint64_t seq, sl_ts start_ts)
{
    static const struct sl_source_driver *const sources[] = { &script_driver, NULL };
    static const struct sl_sink_driver *const sinks[] = { &keep_driver, NULL };
    static const struct sl_feed_id id = { .high = 1, .low = 2, .name_len = 1, .name = "f" };
    struct sl_plane_opts opts = SL_PLANE_OPTS_DEFAULT;
    opts.is_manual = true;
    opts.retry_ns = SL_MS / 10;
    opts.copy_poll_ns = SL_MS;
    opts.commit_rows_max = 10;
    opts.sources = sources;
    opts.sinks = sinks;
    const struct sl_plane_client client = { .on_report = on_report, .wake = on_wake };
    memset(&view, 0, sizeof view);
    progress = 0;
    sl_assert_i64(sl_plane_open(&plane, &opts, &client), SL_OK);
    sl_plane_perform(plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN_FEED,
                                                  .feed = 1,
                                                  .feed_id = &id,
                                                  .config = secret(config),
                                                  .source = secret("script://") });
    sl_plane_perform(plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN,
                                                  .feed = 1,
                                                  .dispatcher = 1,
                                                  .span = { .table_id = TABLE },
                                                  .start_ts = start_ts,
                                                  .placement = { 1, seq } });
}

#define WITH_COPY "{\"sink_uri\":\"keep://\",\"initial_copy\":true,\"start_ts\":3}"

static bool is_same(void)
{
    int rows[KEYS];
    pthread_mutex_lock(&world.mutex);
    source_rows(rows, world.step_count);
    bool is_equal = memcmp(rows, world.rows, sizeof rows) == 0;
    pthread_mutex_unlock(&world.mutex);
    return is_equal;
}

static bool is_at_head(void)
{
    pthread_mutex_lock(&world.mutex);
    bool is_there = sl_ts_max(progress, view.checkpoint) >= world.step_count;
    pthread_mutex_unlock(&world.mutex);
    return is_there;
}

static int commits(void)
{
    pthread_mutex_lock(&world.mutex);
    int count = world.commits;
    pthread_mutex_unlock(&world.mutex);
    return count;
}

static enum sl_copy_state stored_state(void)
{
    pthread_mutex_lock(&world.mutex);
    enum sl_copy_state state = world.copy.state;
    pthread_mutex_unlock(&world.mutex);
    return state;
}

static void set_failures(int count, bool after)
{
    pthread_mutex_lock(&world.mutex);
    world.failures = count;
    world.fails_after = after;
    pthread_mutex_unlock(&world.mutex);
}

static int begin(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    pthread_mutex_init(&world.mutex, NULL);
    sl_prng_init(&world.prng, 1);
    memset(world.rows, -1, sizeof world.rows);
    columns[0] = key_column;
    columns[1] = (struct sl_column){ .name = SL_STR("v") };
    def = (struct sl_table_def){ .table_id = TABLE,
                                 .schema_id = 9,
                                 .schema = SL_STR("s"),
                                 .table = SL_STR("t"),
                                 .column_count = 2,
                                 .columns = columns,
                                 .free = def_keep };
    atomic_init(&def.refs, 1);
    source_add(10);
    world.changes_per_chunk = 3;
    return 0;
}

static int end(void **state)
{
    (void)state;
    pthread_mutex_destroy(&world.mutex);
    return 0;
}

/* ---- facts ---- */

static void rows_that_are_there_are_copied_and_then_the_log_is_followed(void **state)
{
    (void)state;
    plane_start(WITH_COPY, 1, START_TS);
    until(is_at_head());
    assert_true(is_same());
    assert_int_equal(world.copy.state, SL_COPY_DONE);
    assert_int_equal(world.copies_begun, 1);
    sl_plane_close(plane);
}

static void a_feed_without_a_copy_gets_none(void **state)
{
    (void)state;
    world.copy.low = SL_TS_MAX;
    plane_start("{\"sink_uri\":\"keep://\",\"start_ts\":3}", 1, START_TS);
    until(is_at_head());
    assert_int_equal(world.chunks_read, 0);
    sl_plane_close(plane);
}

static void a_table_made_after_the_start_is_not_copied(void **state)
{
    (void)state;
    world.copy.low = SL_TS_MAX;
    plane_start(WITH_COPY, 1, START_TS + 1);
    until(is_at_head());
    assert_int_equal(world.chunks_read, 0);
    sl_plane_close(plane);
}

static void the_checkpoint_stays_at_the_start_until_all_is_copied(void **state)
{
    (void)state;
    set_failures(1 << 30, false); /* first: a copy of so few rows may be over before a thread has another turn */
    plane_start(WITH_COPY, 1, START_TS);
    until(view.is_ready);
    sl_assert_u64(view.checkpoint, START_TS);
    struct sl_plane_stats stats;
    sl_plane_stats(plane, &stats);
    assert_int_equal(stats.copying, 1);
    set_failures(0, false);
    until(is_at_head());
    sl_plane_stats(plane, &stats);
    assert_int_equal(stats.copying, 0);
    sl_plane_close(plane);
}

static void commits_in_doubt_are_neither_lost_nor_repeated(void **state)
{
    (void)state;
    for (int after = 0; after < 2; after++) {
        end(NULL);
        begin(NULL);
        set_failures(4, after != 0);
        plane_start(WITH_COPY, 1, START_TS);
        until(is_at_head());
        assert_true(is_same());
        sl_plane_close(plane);
    }
}

/* Killed after n commits, n = 0, 1, ...: another node goes on where the sink says. */
static void a_copy_goes_on_where_it_was_on_another_node(void **state)
{
    (void)state;
    for (int killed_at = 0; killed_at < 12; killed_at++) {
        end(NULL);
        begin(NULL);
        plane_start(WITH_COPY, 1, START_TS);
        until(commits() >= killed_at || is_at_head());
        sl_plane_close(plane);
        plane_start(WITH_COPY, 2, START_TS);
        until(is_at_head());
        assert_true(is_same());
        sl_plane_close(plane);
        assert_true(killed_at == 0 || world.copies_begun == 1);
    }
}

static void a_copy_that_is_closed_flushes_and_tells_where_it_was(void **state)
{
    (void)state;
    plane_start(WITH_COPY, 1, START_TS);
    until(stored_state() == SL_COPY_BEGUN || stored_state() == SL_COPY_DONE);
    sl_plane_perform(plane, &(struct sl_command){ .verb = SL_COMMAND_CLOSE, .feed = 1, .dispatcher = 1 });
    until(view.is_closed);
    sl_ts checkpoint = view.checkpoint;
    assert_true(checkpoint >= START_TS);
    sl_plane_close(plane);
    plane_start(WITH_COPY, 2, checkpoint);
    until(is_at_head());
    assert_true(is_same());
    sl_plane_close(plane);
}

static void a_table_that_is_redefined_while_it_is_copied_is_copied_again(void **state)
{
    (void)state;
    for (int at = 1; at < 8; at++) {
        end(NULL);
        begin(NULL);
        world.ddl_at_chunk = at;
        plane_start(WITH_COPY, 1, START_TS);
        until(is_at_head());
        assert_true(is_same());
        assert_int_equal(world.copy.state, SL_COPY_DONE);
        sl_plane_close(plane);
    }
}

static void a_table_is_copied_afresh_when_somebody_asks(void **state)
{
    (void)state;
    plane_start(WITH_COPY, 1, START_TS);
    until(is_at_head());
    pthread_mutex_lock(&world.mutex);
    world.rows[5] = 77777; /* somebody wrote into the sink */
    world.copy.state = SL_COPY_AGAIN;
    world.copy.number = 0;
    pthread_mutex_unlock(&world.mutex);
    until(stored_state() == SL_COPY_DONE && is_same() && is_at_head());
    assert_int_equal(world.copies_begun, 2);
    sl_plane_close(plane);
}

static void a_table_with_rows_at_the_sink_is_refused(void **state)
{
    (void)state;
    world.rows[4] = 4;
    plane_start(WITH_COPY, 1, START_TS);
    until(view.has_failed);
    assert_string_equal(view.code, "COPY_NOT_EMPTY");
    assert_int_equal(world.rows[4], 4);
    sl_plane_close(plane);
}

static void a_table_that_went_away_ends_its_copy(void **state)
{
    (void)state;
    world.is_gone = true;
    world.changes_per_chunk = 0;
    plane_start(WITH_COPY, 1, START_TS);
    until(is_at_head());
    assert_int_equal(world.copy.state, SL_COPY_DONE);
    sl_plane_close(plane);
}

/* Everything at once, from seeds. */
static void whatever_happens_source_and_sink_agree_in_the_end(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        end(NULL);
        begin(NULL);
        sl_prng_init(&world.prng, seed);
        struct sl_prng prng;
        sl_prng_init(&prng, seed * 7919);
        world.ddl_at_chunk = (int)sl_prng_below(&prng, 12);
        world.changes_per_chunk = (int)sl_prng_below(&prng, 12);
        for (uint64_t life = 1; life <= 4; life++) {
            set_failures((int)sl_prng_below(&prng, 4), sl_prng_below(&prng, 2) != 0);
            plane_start(WITH_COPY, life, START_TS);
            int stop_at = commits() + (int)sl_prng_below(&prng, 6);
            if (life < 4)
                until(commits() >= stop_at || is_at_head());
            else
                until(is_at_head());
            if (life == 4 && !is_same())
                fail_msg("seed %llu", (unsigned long long)seed);
            sl_plane_close(plane);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_that_are_there_are_copied_and_then_the_log_is_followed, begin, end),
        cmocka_unit_test_setup_teardown(a_feed_without_a_copy_gets_none, begin, end),
        cmocka_unit_test_setup_teardown(a_table_made_after_the_start_is_not_copied, begin, end),
        cmocka_unit_test_setup_teardown(the_checkpoint_stays_at_the_start_until_all_is_copied, begin, end),
        cmocka_unit_test_setup_teardown(commits_in_doubt_are_neither_lost_nor_repeated, begin, end),
        cmocka_unit_test_setup_teardown(a_copy_goes_on_where_it_was_on_another_node, begin, end),
        cmocka_unit_test_setup_teardown(a_copy_that_is_closed_flushes_and_tells_where_it_was, begin, end),
        cmocka_unit_test_setup_teardown(a_table_that_is_redefined_while_it_is_copied_is_copied_again, begin, end),
        cmocka_unit_test_setup_teardown(a_table_is_copied_afresh_when_somebody_asks, begin, end),
        cmocka_unit_test_setup_teardown(a_table_with_rows_at_the_sink_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_table_that_went_away_ends_its_copy, begin, end),
        cmocka_unit_test_setup_teardown(whatever_happens_source_and_sink_agree_in_the_end, begin, end),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
