/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plane.h"
#include "tests/support/sl_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * One plane, a source that is a script of rows and schema changes (ts n is step n), and a sink that writes down in which
 * order it got what: "r1@3" a row of table 1, "d@4" the schema change.
 */
#define SCRIPT_MAX 64u
#define TOKENS 8u

struct step {
    int64_t table; /* a row of it; 0: ddl */
    struct sl_ddl ddl;
};

static struct {
    pthread_mutex_t mutex;
    struct step steps[SCRIPT_MAX];
    uint32_t step_count;
    char log[4096];
    enum sl_trouble_kind trouble; /* of the next executions */
    uint32_t trouble_count, executions;
    sl_ts executed[SCRIPT_MAX];
    sl_ts stored[4]; /* how far a table is, by its last rows */
} world;

static struct sl_column key_column = { .name = { "id", 2 }, .flags = SL_COLUMN_KEY };
static struct sl_table_def defs[4];

static void def_keep(struct sl_table_def *def)
{
    (void)def;
}

/* ---- the source ---- */

struct script_reader {
    struct sl_reader base;
    sl_ts through;
    atomic_bool is_interrupted;
};

static bool script_check(struct sl_secret uri, struct sl_trouble *t)
{
    (void)uri, (void)t;
    return true;
}

static const struct sl_source_driver script_driver;

static bool script_open(struct sl_reader **out, const struct sl_source_open *o, struct sl_trouble *t)
{
    (void)t;
    struct script_reader *r = calloc(1, sizeof *r);
    r->base.driver = &script_driver;
    r->through = o->from;
    *out = &r->base;
    return true;
}

static void script_fill(struct script_reader *r, struct sl_batch *into)
{
    while (r->through < world.step_count) {
        const struct step *step = &world.steps[r->through++];
        if (step->table == 0) {
            struct sl_ddl ddl = step->ddl;
            ddl.ts = r->through;
            assert_true(sl_batch_set_ddl(into, &ddl));
            return;
        }
        struct sl_row_images images;
        assert_true(sl_batch_add(into, &defs[step->table], SL_ROW_INSERT, r->through, &images));
        images.after[0] = (struct sl_value){ .kind = SL_VALUE_UINT, .v.u = r->through };
    }
}

static bool script_read(struct sl_reader *base, struct sl_batch *into, size_t bytes_max, sl_ns wait_ns,
                        struct sl_trouble *t)
{
    struct script_reader *r = (struct script_reader *)base;
    (void)bytes_max, (void)wait_ns;
    if (atomic_load(&r->is_interrupted))
        return sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted");
    pthread_mutex_lock(&world.mutex);
    sl_ts before = r->through;
    script_fill(r, into);
    pthread_mutex_unlock(&world.mutex);
    if (before == r->through)
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

static const struct sl_source_driver script_driver = { .schemes = "script",
                                                       .check = script_check,
                                                       .open = script_open,
                                                       .read = script_read,
                                                       .interrupt = script_interrupt,
                                                       .close = script_close };

/* ---- the sink ---- */

static void note(const char *what, long long table, sl_ts ts)
{
    size_t used = strlen(world.log);
    if (table > 0)
        snprintf(world.log + used, sizeof world.log - used, "%s%lld@%llu ", what, table, (unsigned long long)ts);
    else
        snprintf(world.log + used, sizeof world.log - used, "%s@%llu ", what, (unsigned long long)ts);
}

static const struct sl_sink_driver note_driver;

static bool note_open(struct sl_sink **out, const struct sl_sink_open *o, struct sl_trouble *t)
{
    (void)o, (void)t;
    *out = calloc(1, sizeof **out);
    **out = (struct sl_sink){ &note_driver, true, false };
    return true;
}

static bool note_open_writer(struct sl_writer **out, struct sl_sink *s, uint32_t index, struct sl_trouble *t)
{
    (void)s, (void)index, (void)t;
    *out = calloc(1, sizeof **out);
    (*out)->driver = &note_driver;
    return true;
}

static bool note_raise(struct sl_writer *w, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    (void)w, (void)claims, (void)count, (void)t;
    return true;
}

static bool note_append(struct sl_writer *w, const struct sl_sink_span *span, const struct sl_row_run *run,
                        struct sl_trouble *t)
{
    (void)w, (void)t;
    pthread_mutex_lock(&world.mutex);
    for (const struct sl_row *row = sl_row_run_next(run, NULL); row; row = sl_row_run_next(run, row))
        note("r", span->key.table_id, row->ts);
    world.stored[span->key.table_id] = run->through;
    pthread_mutex_unlock(&world.mutex);
    return true;
}

static bool note_commit(struct sl_writer *w, struct sl_trouble *t)
{
    (void)w, (void)t;
    return true;
}

static void note_discard(struct sl_writer *w)
{
    (void)w;
}

static bool note_execute(struct sl_writer *w, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                         struct sl_trouble *t)
{
    (void)w, (void)span;
    pthread_mutex_lock(&world.mutex);
    bool fails = world.trouble_count > 0;
    if (fails) {
        world.trouble_count--;
        sl_trouble_set(t, world.trouble, "NOT_NOW", "do this", "refused");
    } else {
        note("d", 0, ddl->ts);
        world.executed[world.executions++] = ddl->ts;
    }
    pthread_mutex_unlock(&world.mutex);
    return !fails;
}

static bool note_was_executed(struct sl_writer *w, const struct sl_sink_span *span, sl_ts ts, bool *out,
                              struct sl_trouble *t)
{
    (void)w, (void)span, (void)t;
    pthread_mutex_lock(&world.mutex);
    *out = false;
    for (uint32_t i = 0; i < world.executions; i++)
        *out = *out || world.executed[i] == ts;
    pthread_mutex_unlock(&world.mutex);
    return true;
}

static void note_close_writer(struct sl_writer *w)
{
    free(w);
}

static void note_close(struct sl_sink *s, bool is_removed)
{
    (void)is_removed;
    free(s);
}

static const struct sl_sink_driver note_driver = { .schemes = "note",
                                                   .check = script_check,
                                                   .open = note_open,
                                                   .open_writer = note_open_writer,
                                                   .raise = note_raise,
                                                   .append = note_append,
                                                   .commit = note_commit,
                                                   .discard = note_discard,
                                                   .execute = note_execute,
                                                   .was_executed = note_was_executed,
                                                   .close_writer = note_close_writer,
                                                   .close = note_close };

/* ---- the plane ---- */

struct view {
    bool is_ready, is_closed, has_failed, follows, is_blocked, is_blocking, is_done;
    sl_ts checkpoint, block_ts, unblocked;
    uint32_t table_count, added_count;
    char code[32], text[400];
};

static struct sl_plane *plane;
static struct view views[TOKENS];
static sl_ts progress;
static bool is_feed_open;

static void on_dispatcher(const struct sl_report *r)
{
    struct view *v = &views[r->dispatcher];
    v->follows = r->follows;
    if (r->kind == SL_REPORT_BLOCKED) {
        v->is_blocked = true;
        v->is_blocking = r->block->is_blocking;
        v->is_done = r->block->is_done;
        v->block_ts = r->block->commit_ts;
        v->table_count = r->block->table_count;
        v->added_count = r->block->added_count;
        assert_false(r->follows);
        sl_assert_u64(r->checkpoint, r->block->commit_ts - 1);
        return;
    }
    v->checkpoint = r->checkpoint;
    v->is_ready = v->is_ready || r->kind == SL_REPORT_READY;
    v->is_closed = r->kind == SL_REPORT_CLOSED;
    v->has_failed = r->kind == SL_REPORT_FAILED;
    if (r->kind == SL_REPORT_UNBLOCKED) {
        v->is_blocked = false;
        v->unblocked = r->checkpoint;
    } else if (v->has_failed) {
        snprintf(v->code, sizeof v->code, "%.*s", (int)r->code.len, r->code.ptr);
        snprintf(v->text, sizeof v->text, "%.*s", (int)r->text.len, r->text.ptr);
    }
}

static void on_report(void *ctx, const struct sl_report *r)
{
    (void)ctx;
    if (r->kind == SL_REPORT_FEED_OPENED)
        is_feed_open = true;
    else if (r->kind == SL_REPORT_FEED_PROGRESS)
        progress = r->checkpoint;
    else if (r->dispatcher != 0)
        on_dispatcher(r);
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

static int begin(void **state)
{
    static const struct sl_source_driver *const sources[] = { &script_driver, NULL };
    static const struct sl_sink_driver *const sinks[] = { &note_driver, NULL };
    static const struct sl_feed_id id = { .high = 1, .low = 2, .name_len = 1, .name = "f" };
    (void)state;
    memset(&world, 0, sizeof world);
    memset(views, 0, sizeof views);
    progress = 0;
    is_feed_open = false;
    pthread_mutex_init(&world.mutex, NULL);
    for (int64_t i = 1; i < 4; i++) {
        defs[i] = (struct sl_table_def){ .table_id = i,
                                         .schema_id = 9,
                                         .schema = SL_STR("s"),
                                         .table = SL_STR("t"),
                                         .column_count = 1,
                                         .columns = &key_column,
                                         .free = def_keep };
        atomic_init(&defs[i].refs, 1);
    }
    struct sl_plane_opts opts = SL_PLANE_OPTS_DEFAULT;
    opts.is_manual = true;
    opts.retry_ns = SL_MS;
    opts.sources = sources;
    opts.sinks = sinks;
    const struct sl_plane_client client = { .on_report = on_report, .wake = on_wake };
    sl_assert_i64(sl_plane_open(&plane, &opts, &client), SL_OK);
    sl_plane_perform(plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN_FEED,
                                                  .feed = 5,
                                                  .feed_id = &id,
                                                  .config = secret("{\"sink_uri\":\"note://\"}"),
                                                  .source = secret("script://") });
    until(is_feed_open);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    sl_plane_close(plane);
    pthread_mutex_destroy(&world.mutex);
    return 0;
}

/* Token is the table's id; 4 is the trigger. */
#define TRIGGER 4u

static void open_flow(sl_dispatcher_token token, sl_ts start_ts)
{
    views[token] = (struct view){ .checkpoint = start_ts };
    sl_plane_perform(plane, &(struct sl_command){ .verb = SL_COMMAND_OPEN,
                                                  .feed = 5,
                                                  .dispatcher = token,
                                                  .span = { .table_id = token == TRIGGER ? 0 : (int64_t)token },
                                                  .schema_id = 9,
                                                  .is_table_trigger = token == TRIGGER,
                                                  .start_ts = start_ts });
}

static void command(enum sl_command_verb verb, sl_dispatcher_token token, sl_ts ts)
{
    sl_plane_perform(plane, &(struct sl_command){ .verb = verb, .feed = 5, .dispatcher = token, .start_ts = ts });
}

static sl_ts say_row(int64_t table)
{
    pthread_mutex_lock(&world.mutex);
    world.steps[world.step_count++] = (struct step){ .table = table };
    sl_ts ts = world.step_count;
    pthread_mutex_unlock(&world.mutex);
    return ts;
}

static sl_ts say_ddl(struct sl_ddl ddl)
{
    pthread_mutex_lock(&world.mutex);
    ddl.kind = "alter table";
    world.steps[world.step_count++] = (struct step){ .ddl = ddl };
    sl_ts ts = world.step_count;
    pthread_mutex_unlock(&world.mutex);
    return ts;
}

/* In one batch. */
static sl_ts say_row_and_ddl(int64_t table, struct sl_ddl ddl)
{
    pthread_mutex_lock(&world.mutex);
    ddl.kind = "alter table";
    world.steps[world.step_count++] = (struct step){ .table = table };
    world.steps[world.step_count++] = (struct step){ .ddl = ddl };
    sl_ts ts = world.step_count;
    pthread_mutex_unlock(&world.mutex);
    return ts;
}

static const int64_t table_1[] = { 1 }, joint_1_2[] = { 0, 1, 2 };
static const struct sl_added_table added_3[] = { { .table_id = 3, .schema_id = 9 } };
static const struct sl_ddl own_1 = { .effect = SL_DDL_OWN, .tables = table_1, .table_count = 1 };
static const struct sl_ddl joint = { .effect = SL_DDL_JOINT, .tables = joint_1_2, .table_count = 3 };
static const struct sl_ddl makes_3 = { .effect = SL_DDL_MAKES, .added = added_3, .added_count = 1 };

static void open_all(void)
{
    for (sl_dispatcher_token token = 1; token <= TRIGGER; token++)
        if (token != 3)
            open_flow(token, 0);
}

static bool is_at(sl_dispatcher_token token, sl_ts ts)
{
    return (views[token].follows ? sl_ts_max(views[token].checkpoint, progress) : views[token].checkpoint) >= ts;
}

static const char *log_of_table_1(void)
{
    static char out[4096];
    char copy[4096];
    pthread_mutex_lock(&world.mutex);
    snprintf(copy, sizeof copy, "%s", world.log);
    pthread_mutex_unlock(&world.mutex);
    out[0] = 0;
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (word[0] == 'd' || word[1] == '1')
            snprintf(out + strlen(out), sizeof out - strlen(out), "%s ", word);
    }
    return out;
}

/* ---- facts ---- */

static void a_change_of_one_table_comes_between_its_rows_and_stops_nobody_else(void **state)
{
    (void)state;
    open_all();
    say_row(1);
    say_row(2);
    say_ddl(own_1);
    say_row(2);
    sl_ts end = say_row(1);
    until(is_at(1, end) && is_at(2, end) && is_at(TRIGGER, end));
    sl_assert_str(log_of_table_1(), "r1@1 d@3 r1@5 ");
    assert_false(views[1].is_blocked || views[2].is_blocked || views[TRIGGER].is_blocked);
    sl_assert_u64(views[1].unblocked, 0);
}

static void a_joint_change_is_written_when_told_and_passed_by_the_others(void **state)
{
    (void)state;
    open_all();
    say_row(1);
    say_row(2);
    sl_ts ts = say_ddl(joint);
    say_row(2);
    sl_ts end = say_row(1);
    until(views[1].is_blocked && views[2].is_blocked && views[TRIGGER].is_blocked);
    for (sl_dispatcher_token token = 1; token <= TRIGGER; token++) {
        if (token == 3)
            continue;
        sl_assert_u64(views[token].block_ts, ts);
        sl_assert_u64(views[token].table_count, 3);
        assert_true(views[token].is_blocking && !views[token].is_done);
        assert_false(is_at(token, ts));
    }
    sl_assert_u64(world.executions, 0);
    command(SL_COMMAND_PASS, 2, ts - 1); /* not this change */
    command(SL_COMMAND_WRITE, TRIGGER, ts);
    command(SL_COMMAND_WRITE, TRIGGER, ts);
    until(views[TRIGGER].unblocked == ts);
    assert_true(views[1].is_blocked && views[2].is_blocked);
    command(SL_COMMAND_PASS, 1, ts);
    command(SL_COMMAND_PASS, 2, ts);
    until(is_at(1, end) && is_at(2, end) && is_at(TRIGGER, end));
    sl_assert_str(log_of_table_1(), "r1@1 d@3 r1@5 ");
    sl_assert_u64(world.executions, 1);
}

static void who_has_the_rows_in_front_of_a_change_is_not_behind_it(void **state)
{
    (void)state;
    open_all();
    sl_ts ts = say_row_and_ddl(1, joint);
    until(views[1].is_blocked && views[2].is_blocked && views[TRIGGER].is_blocked);
    sl_assert_u64(world.stored[1], ts - 1);
    command(SL_COMMAND_CLOSE, 1, 0);
    until(views[1].is_closed);
    sl_assert_u64(views[1].checkpoint, ts - 1);
}

static void a_change_that_makes_is_performed_by_the_trigger_alone(void **state)
{
    (void)state;
    open_all();
    sl_ts ts = say_ddl(makes_3);
    sl_ts end = say_row(1);
    until(views[TRIGGER].is_blocked && is_at(1, end));
    assert_false(views[TRIGGER].is_blocking);
    sl_assert_u64(views[TRIGGER].added_count, 1);
    sl_assert_u64(world.executions, 1);
    assert_false(is_at(TRIGGER, ts));
    command(SL_COMMAND_PASS, TRIGGER, ts);
    until(is_at(TRIGGER, end));
}

static void a_table_that_is_known_before_it_is_made_waits_for_it(void **state)
{
    (void)state;
    sl_ts ts = say_ddl(makes_3);
    sl_ts end = say_row(3);
    open_flow(3, 0);
    until(views[3].is_blocked);
    assert_true(views[3].is_blocking);
    sl_assert_u64(views[3].table_count, 1);
    sl_assert_str(world.log, "");
    command(SL_COMMAND_PASS, 3, ts);
    until(is_at(3, end));
}

static void what_the_sink_knows_as_performed_is_not_written_again(void **state)
{
    (void)state;
    sl_ts ts = say_ddl(joint);
    world.executed[world.executions++] = ts;
    open_all();
    until(views[TRIGGER].is_blocked);
    assert_true(views[TRIGGER].is_done);
    command(SL_COMMAND_PASS, TRIGGER, ts);
    until(is_at(TRIGGER, ts));
    sl_assert_str(world.log, "");
}

static void who_is_closed_in_front_of_a_change_has_nothing_behind_it(void **state)
{
    (void)state;
    open_all();
    say_row(1);
    sl_ts ts = say_ddl(joint);
    say_row(1);
    until(views[1].is_blocked && views[TRIGGER].is_blocked);
    command(SL_COMMAND_CLOSE, 1, 0);
    command(SL_COMMAND_CLOSE, TRIGGER, 0);
    until(views[1].is_closed && views[TRIGGER].is_closed);
    sl_assert_u64(views[1].checkpoint, ts - 1);
    sl_assert_u64(views[TRIGGER].checkpoint, ts - 1);
    sl_assert_str(world.log, "r1@1 ");
    open_flow(1, ts - 1);
    until(views[1].is_blocked);
    command(SL_COMMAND_PASS, 1, ts);
    until(is_at(1, ts + 1));
    sl_assert_str(world.log, "r1@1 r1@3 ");
}

static void a_passing_trouble_is_tried_again_and_a_lasting_one_ends_the_dispatcher(void **state)
{
    (void)state;
    open_all();
    world.trouble = SL_TROUBLE_PASSING;
    world.trouble_count = 3;
    sl_ts first = say_ddl(own_1);
    until(is_at(1, first));
    sl_assert_u64(world.executions, 1);
    pthread_mutex_lock(&world.mutex);
    world.trouble = SL_TROUBLE_LASTING;
    world.trouble_count = 1;
    pthread_mutex_unlock(&world.mutex);
    sl_ts second = say_ddl(own_1);
    sl_ts end = say_row(2);
    until(views[1].has_failed && is_at(2, end));
    sl_assert_str(views[1].code, "NOT_NOW");
    sl_assert_str(views[1].text, "refused; do this");
    sl_assert_u64(views[1].checkpoint, second - 1);
}

static void a_change_that_cannot_be_replicated_names_the_way_out(void **state)
{
    (void)state;
    open_all();
    say_row(1);
    sl_ts ts = say_ddl((struct sl_ddl){ .effect = SL_DDL_REFUSED });
    say_row(1);
    until(views[TRIGGER].has_failed && views[1].has_failed);
    sl_assert_str(views[TRIGGER].code, "DDL_REFUSED");
    assert_non_null(strstr(views[TRIGGER].text, "sluice feed resume FEED --skip-ddl 2"));
    sl_assert_u64(views[TRIGGER].checkpoint, ts - 1);
    sl_assert_u64(views[1].checkpoint, ts - 1); /* and its rows do not go on behind it */
    sl_assert_str(world.log, "r1@1 ");
}

static void whoever_starts_behind_sees_every_change_in_between(void **state)
{
    (void)state;
    say_row(1);
    say_ddl(own_1);
    say_row(1);
    sl_ts ts = say_ddl(makes_3);
    open_flow(2, say_row(1)); /* the shared reader starts here */
    until(views[2].follows);
    open_flow(1, 0);
    open_flow(TRIGGER, 0);
    until(views[TRIGGER].is_blocked && is_at(1, 5));
    sl_assert_u64(views[TRIGGER].block_ts, ts);
    command(SL_COMMAND_PASS, TRIGGER, ts);
    until(is_at(TRIGGER, 5));
    sl_assert_u64(world.executions, 2);
}

static void a_schema_that_is_dropped_stops_all_of_its_tables(void **state)
{
    (void)state;
    open_all();
    sl_ts ts = say_ddl((struct sl_ddl){ .effect = SL_DDL_JOINT, .influence = SL_INFLUENCE_DB, .schema_id = 9 });
    until(views[1].is_blocked && views[2].is_blocked && views[TRIGGER].is_blocked);
    sl_assert_u64(views[2].block_ts, ts);
    command(SL_COMMAND_CLOSE_FEED, 0, 0); /* with everybody in front of it */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_of_one_table_comes_between_its_rows_and_stops_nobody_else, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(a_joint_change_is_written_when_told_and_passed_by_the_others, begin, finish),
        cmocka_unit_test_setup_teardown(who_has_the_rows_in_front_of_a_change_is_not_behind_it, begin, finish),
        cmocka_unit_test_setup_teardown(a_change_that_makes_is_performed_by_the_trigger_alone, begin, finish),
        cmocka_unit_test_setup_teardown(a_table_that_is_known_before_it_is_made_waits_for_it, begin, finish),
        cmocka_unit_test_setup_teardown(what_the_sink_knows_as_performed_is_not_written_again, begin, finish),
        cmocka_unit_test_setup_teardown(who_is_closed_in_front_of_a_change_has_nothing_behind_it, begin, finish),
        cmocka_unit_test_setup_teardown(a_passing_trouble_is_tried_again_and_a_lasting_one_ends_the_dispatcher, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(a_change_that_cannot_be_replicated_names_the_way_out, begin, finish),
        cmocka_unit_test_setup_teardown(whoever_starts_behind_sees_every_change_in_between, begin, finish),
        cmocka_unit_test_setup_teardown(a_schema_that_is_dropped_stops_all_of_its_tables, begin, finish),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
