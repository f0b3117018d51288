/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/mysql_sink.h"

#include "base/array.h"
#include "edge/mariadb/sink_apply.h"
#include "edge/mariadb/sink_copy.h"
#include "edge/mariadb/sink_ddl.h"
#include "edge/mariadb/sink_marks.h"
#include "edge/mariadb/sink_state.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SINK_SILENT_S 60u
#define SINK_DEADLOCKS_MAX 3 /* in a row, of one transaction */
#define SINK_SILENT_S_MAX 86400u
#define SINK_KEEPALIVE_S 30

struct sink_opts {
    struct sl_mariadb_target target;
    bool is_exact, takes_arrays;
    uint64_t silent_s;
};

struct mysql_sink {
    struct sl_sink base;
    struct sink_opts opts;
    struct sl_sink_feed_key feed;
};

struct sink_advance { /* a span of the open batch and how far it goes */
    struct sl_sink_span span;
    sl_ts through;
    struct sl_str gtids; /* of through; in the batch */
};

struct sink_chunk { /* of the open batch */
    struct sl_sink_span span;
    struct sl_row_run run;
};

struct mysql_writer {
    struct sl_writer base;
    struct mysql_sink *sink;
    MYSQL *db; /* null: to be opened */
    struct sl_apply apply;
    struct sl_changes changes;
    struct sink_advance *advances;
    uint32_t advance_count, advance_cap;
    struct sink_chunk *chunks;
    uint32_t chunk_count, chunk_cap;
    pthread_mutex_t mutex; /* of what interrupt needs */
    int fd;
    bool is_interrupted;
};

/* ---- URI ---- */

/* Parameters of the reference that mean nothing here: batches adapt by themselves. */
static bool sink_param_is_idle(struct sl_str name)
{
    static const char *const names[] = { "worker-count",      "max-txn-row",       "max-multi-update-row",
                                         "safe-mode",         "tidb-txn-mode",     "max-multi-update-row-size",
                                         "batch-dml-enable",  "multi-stmt-enable", "cache-prep-stmts",
                                         "async-ddl-timeout", "timeout",           "read-timeout",
                                         "write-timeout",     "time-zone",         "transaction-atomicity" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (sl_str_eq(name, sl_str_of(names[i])))
            return true;
    }
    return false;
}

static bool sink_take_param(void *ctx, const struct sl_uri_param *param)
{
    struct sink_opts *o = ctx;
    if (sl_str_eq(param->name, SL_STR("exactly-once")))
        return sl_uri_bool(&o->is_exact, param->value);
    if (sl_str_eq(param->name, SL_STR("array-binding")))
        return sl_uri_bool(&o->takes_arrays, param->value);
    if (sl_str_eq(param->name, SL_STR("silent-s")))
        return sl_uri_u64(&o->silent_s, param->value, SINK_SILENT_S_MAX) && o->silent_s > 0;
    return sink_param_is_idle(param->name);
}

static bool sink_parse(struct sink_opts *o, struct sl_secret uri, struct sl_trouble *t)
{
    o->is_exact = o->takes_arrays = true;
    o->silent_s = SINK_SILENT_S;
    return sl_mariadb_target_parse(&o->target, uri, sink_take_param, o, t);
}

static bool sink_check(struct sl_secret uri, struct sl_trouble *t)
{
    struct sink_opts o;
    bool is_good = sink_parse(&o, uri, t);
    sl_mariadb_target_wipe(&o.target);
    return is_good;
}

/* ---- connections ---- */

/*
 * Bytes stay bytes (the column's charset is the source's), 0 stays 0, no row is refused for a date that the source has,
 * and a read inside of a transaction sees what others committed: with REPEATABLE READ two writers deadlock more often.
 */
static bool sink_connect_for(MYSQL **out, const struct sink_opts *o, unsigned silent_s, struct sl_trouble *t)
{
    const struct sl_mariadb_session session = {
        .connect_timeout_s = 10,
        .read_timeout_s = silent_s,
        .write_timeout_s = (unsigned)o->silent_s,
        .counts_matching_rows = true,
        .init = "SET NAMES binary, sql_mode='NO_AUTO_VALUE_ON_ZERO', foreign_key_checks=0, autocommit=0",
        .isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    };
    return sl_mariadb_connect(out, &o->target, &session, t);
}

static bool sink_connect(MYSQL **out, const struct sink_opts *o, struct sl_trouble *t)
{
    return sink_connect_for(out, o, (unsigned)o->silent_s, t);
}

/* What interrupt ends; -1: nothing. False (trouble ENDED): it has been interrupted. */
static bool writer_expose(struct mysql_writer *w, MYSQL *db, struct sl_trouble *t)
{
    pthread_mutex_lock(&w->mutex);
    w->fd = db ? (int)mysql_get_socket(db) : -1;
    bool is_interrupted = w->is_interrupted;
    pthread_mutex_unlock(&w->mutex);
    return !is_interrupted || sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted");
}

static void writer_disconnect(struct mysql_writer *w)
{
    struct sl_trouble ignored;
    (void)writer_expose(w, NULL, &ignored);
    sl_apply_deinit(&w->apply);
    if (w->db)
        mysql_close(w->db);
    w->db = NULL;
}

static bool writer_connect(struct mysql_writer *w, struct sl_trouble *t)
{
    if (w->db)
        return true;
    if (!sink_connect(&w->db, &w->sink->opts, t))
        return false;
    if (writer_expose(w, w->db, t) && sl_apply_init(&w->apply, w->db, w->sink->opts.takes_arrays, t))
        return true;
    writer_disconnect(w);
    return false;
}

/* After a failure nobody knows the state of the connection: the next call begins with a new one. */
static bool writer_fail(struct mysql_writer *w, struct sl_trouble *t)
{
    if (t->kind != SL_TROUBLE_STALE || mysql_rollback(w->db) != 0)
        writer_disconnect(w);
    if (w->is_interrupted)
        sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted");
    return false;
}

/* ---- the batch ---- */

static void sink_discard(struct sl_writer *base)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    sl_changes_reset(&w->changes);
    w->advance_count = w->chunk_count = 0;
}

static bool sink_raise(struct sl_writer *base, struct sl_sink_claim *claims, uint32_t count, struct sl_trouble *t)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    if (!w->sink->opts.is_exact) {
        for (uint32_t i = 0; i < count; i++) {
            claims[i].stored_ts = SL_TS_NONE;
            claims[i].is_refused = false;
        }
        return true;
    }
    if (!writer_connect(w, t))
        return false;
    return sl_sink_state_raise(w->db, &w->sink->feed, claims, count, t) || writer_fail(w, t);
}

static bool writer_note_advance(struct mysql_writer *w, const struct sl_sink_span *span, sl_ts through,
                                struct sl_str gtids)
{
    for (uint32_t i = w->advance_count; i > 0; i--) {
        if (w->advances[i - 1].span.key.table_id == span->key.table_id) {
            w->advances[i - 1].through = through;
            w->advances[i - 1].gtids = gtids;
            return true;
        }
    }
    struct sink_advance *advances = sl_array_room(w->advances, w->advance_count, &w->advance_cap, 16, sizeof *advances);
    if (!advances)
        return false;
    w->advances = advances;
    w->advances[w->advance_count++] = (struct sink_advance){ *span, through, gtids };
    return true;
}

static bool writer_keep_chunk(struct mysql_writer *w, const struct sl_sink_span *span, const struct sl_row_run *run)
{
    struct sink_chunk *chunks = sl_array_room(w->chunks, w->chunk_count, &w->chunk_cap, 4, sizeof *chunks);
    if (!chunks)
        return false;
    w->chunks = chunks;
    w->chunks[w->chunk_count++] = (struct sink_chunk){ *span, *run };
    return true;
}

/* Nothing of a chunk that is in the sink already is wanted. */
static bool writer_append_chunk(struct mysql_writer *w, const struct sl_sink_span *span, const struct sl_row_run *run,
                                struct sl_trouble *t)
{
    const struct sl_chunk *chunk = sl_batch_chunk(run->batch);
    sl_ts through = chunk->is_last ? chunk->low : SL_TS_NONE;
    if (run->after >= run->through)
        return true;
    return (writer_keep_chunk(w, span, run) && writer_note_advance(w, span, through, SL_STR(""))) ||
           sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a chunk of rows");
}

static bool sink_append(struct sl_writer *base, const struct sl_sink_span *span, const struct sl_row_run *run,
                        struct sl_trouble *t)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    const struct sl_table_def *def = sl_batch_table(run->batch, run->table)->def;
    if (sl_batch_chunk(run->batch))
        return writer_append_chunk(w, span, run, t);
    if (!sl_table_def_has_key(def)) {
        sl_trouble_set(t, SL_TROUBLE_LASTING, "NO_PRIMARY_KEY",
                       "add a primary key, or leave the table out by a filter rule", "%.*s.%.*s has no primary key",
                       (int)def->schema.len, def->schema.ptr, (int)def->table.len, def->table.ptr);
        t->table_id = def->table_id;
        return false;
    }
    struct sl_str gtids = run->through == sl_batch_rows_through(run->batch) ? sl_batch_gtids(run->batch) : SL_STR("");
    if (!sl_changes_add(&w->changes, run) || !writer_note_advance(w, span, run->through, gtids))
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a batch of rows");
    return true;
}

/* Tables that are to be copied are made before the transaction is begun. */
static bool writer_prepare_copies(struct mysql_writer *w, struct sl_trouble *t)
{
    bool is_good = true;
    for (uint32_t i = 0; is_good && i < w->chunk_count; i++) {
        const struct sink_chunk *c = &w->chunks[i];
        const struct sl_chunk *chunk = sl_batch_chunk(c->run.batch);
        MYSQL *guard = NULL;
        if (chunk->number > 1 || chunk->is_gone)
            continue;
        is_good = sink_connect(&guard, &w->sink->opts, t) &&
                  sl_sink_copy_prepare(w->db, guard, &w->sink->feed, &c->span, c->run.batch, t);
        if (guard)
            mysql_close(guard);
    }
    return is_good;
}

static bool writer_apply_copies(struct mysql_writer *w, struct sl_trouble *t)
{
    for (uint32_t i = 0; i < w->chunk_count; i++) {
        const struct sink_chunk *c = &w->chunks[i];
        bool has_rows = sl_batch_row_count(c->run.batch) > 0;
        if (has_rows && !sl_apply_run(&w->apply, &c->run, t)) {
            t->table_id = c->span.key.table_id;
            return false;
        }
        if (!sl_sink_copy_store(w->db, &w->sink->feed, &c->span, c->run.batch, t))
            return false;
    }
    return true;
}

static bool writer_apply(struct mysql_writer *w, struct sl_trouble *t)
{
    if (!writer_prepare_copies(w, t) || !writer_apply_copies(w, t))
        return false;
    sl_changes_sort(&w->changes);
    for (uint32_t i = 0; i < w->changes.table_count; i++) {
        if (!sl_apply_table(&w->apply, &w->changes.tables[i], t))
            return false;
    }
    for (uint32_t i = 0; w->sink->opts.is_exact && i < w->advance_count; i++) {
        const struct sink_advance *a = &w->advances[i];
        if (!sl_sink_state_advance(w->db, &w->sink->feed, &a->span, a->through, a->gtids, t))
            return false;
    }
    return mysql_commit(w->db) == 0 || sl_mariadb_trouble(t, w->db, "commit");
}

/*
 * The victim of a deadlock has lost its transaction and nothing else: the same again, at once. What takes longer is the
 * engine's to repeat, which looks at the lease in between.
 */
static bool writer_apply_again(struct mysql_writer *w, struct sl_trouble *t)
{
    for (int tries = 0; !writer_apply(w, t); tries++) {
        bool is_victim =
            t->kind == SL_TROUBLE_PASSING && sl_mariadb_error_class(mysql_errno(w->db)) == SL_MARIADB_ERROR_DEADLOCK;
        if (!is_victim || tries == SINK_DEADLOCKS_MAX || mysql_rollback(w->db) != 0)
            return false;
    }
    return true;
}

static bool sink_commit(struct sl_writer *base, struct sl_trouble *t)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    bool is_done = writer_connect(w, t) && (writer_apply_again(w, t) || writer_fail(w, t));
    sink_discard(base);
    return is_done;
}

/* ---- schema changes ---- */

/* Nobody asks a server that is at work whether it lives; that its machine does is asked by the system. */
static void sink_keep_alive(MYSQL *db)
{
    const int is_on = 1, idle_s = SINK_KEEPALIVE_S;
    int fd = (int)mysql_get_socket(db);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &is_on, sizeof is_on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof idle_s);
}

/* By a connection that waits as long as it takes. */
static bool writer_perform(struct mysql_writer *w, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                           struct sl_trouble *t)
{
    MYSQL *db;
    if (!sink_connect_for(&db, &w->sink->opts, 0, t))
        return false;
    sink_keep_alive(db);
    bool is_done = writer_expose(w, db, t) && sl_sink_ddl_execute(db, &w->sink->feed, span, ddl, t);
    bool is_free = writer_expose(w, w->db, is_done ? t : &(struct sl_trouble){ 0 });
    mysql_close(db);
    sl_apply_forget(&w->apply);
    return is_done && is_free;
}

static bool sink_execute(struct sl_writer *base, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                         struct sl_trouble *t)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    if (!w->sink->opts.is_exact)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_WITHOUT_STATE",
                              "use exactly-once=true, or perform it by hand and resume with --skip-ddl TS",
                              "schema changes need the sink's journal ('%s' of ts %llu)", ddl->kind,
                              (unsigned long long)ddl->ts);
    return writer_connect(w, t) && (writer_perform(w, span, ddl, t) || writer_fail(w, t));
}

static bool sink_was_executed(struct sl_writer *base, const struct sl_sink_span *span, sl_ts ts, bool *out,
                              struct sl_trouble *t)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    *out = false;
    if (!w->sink->opts.is_exact)
        return true;
    return writer_connect(w, t) &&
           (sl_sink_ddl_was_executed(w->db, &w->sink->feed, span, ts, out, t) || writer_fail(w, t));
}

/* ---- copies that are asked for ---- */

/* A connection outside of any writer. */
static bool sink_connect_once(MYSQL **out, struct sl_secret uri, const char *what, struct sl_trouble *t)
{
    struct sink_opts o;
    *out = NULL;
    bool is_good = sink_parse(&o, uri, t);
    if (is_good && !o.is_exact)
        is_good = sl_trouble_set(t, SL_TROUBLE_LASTING, what, "use exactly-once=true",
                                 "a sink without exactly-once keeps no state");
    is_good = is_good && sink_connect(out, &o, t);
    sl_mariadb_target_wipe(&o.target);
    return is_good;
}

static bool sink_copies_asked(struct sl_writer *base, int64_t *table_ids, uint32_t *count, struct sl_trouble *t)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    return writer_connect(w, t) &&
           (sl_sink_copy_asked(w->db, &w->sink->feed, table_ids, count, t) || writer_fail(w, t));
}

static bool sink_ask_copy(struct sl_secret uri, const struct sl_feed_id *feed, int64_t table_id, struct sl_trouble *t)
{
    const struct sl_sink_feed_key key = sl_sink_feed_key_of(feed);
    MYSQL *db;
    bool is_good = sink_connect_once(&db, uri, "COPY_NOT_POSSIBLE", t) && sl_sink_copy_ask(db, &key, table_id, t);
    if (db)
        mysql_close(db);
    return is_good;
}

/* ---- another server of the source ---- */

static bool sink_keep_place(struct sl_writer *base, const struct sl_place *place, struct sl_trouble *t)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    if (!w->sink->opts.is_exact)
        return true;
    return writer_connect(w, t) && (sl_sink_state_keep_place(w->db, &w->sink->feed, place, t) || writer_fail(w, t));
}

static bool sink_read_marks(struct sl_secret uri, const struct sl_feed_id *feed, struct sl_marks *out,
                            struct sl_trouble *t)
{
    const struct sl_sink_feed_key key = sl_sink_feed_key_of(feed);
    MYSQL *db;
    bool is_good = sink_connect_once(&db, uri, "REPOINT_NOT_POSSIBLE", t) && sl_sink_marks_read(db, &key, out, t);
    if (db)
        mysql_close(db);
    return is_good;
}

static bool sink_move_marks(struct sl_secret uri, const struct sl_feed_id *feed, const struct sl_marks *marks,
                            struct sl_trouble *t)
{
    const struct sl_sink_feed_key key = sl_sink_feed_key_of(feed);
    MYSQL *db;
    bool is_good = sink_connect_once(&db, uri, "REPOINT_NOT_POSSIBLE", t) && sl_sink_marks_move(db, &key, marks, t);
    if (db)
        mysql_close(db);
    return is_good;
}

/* ---- life ---- */

static bool sink_open_writer(struct sl_writer **out, struct sl_sink *s, uint32_t index, struct sl_trouble *t)
{
    (void)index;
    struct mysql_writer *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a writer");
    w->base.driver = &sl_mysql_sink_driver;
    w->sink = (struct mysql_sink *)s;
    w->fd = -1;
    pthread_mutex_init(&w->mutex, NULL);
    *out = &w->base;
    return true;
}

static void sink_close_writer(struct sl_writer *base)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    writer_disconnect(w);
    sl_changes_deinit(&w->changes);
    free(w->advances);
    free(w->chunks);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

static void sink_interrupt(struct sl_writer *base)
{
    struct mysql_writer *w = (struct mysql_writer *)base;
    pthread_mutex_lock(&w->mutex);
    w->is_interrupted = true;
    if (w->fd >= 0)
        shutdown(w->fd, SHUT_RDWR);
    pthread_mutex_unlock(&w->mutex);
}

static void sink_forget(struct mysql_sink *s)
{
    struct sl_trouble ignored = { 0 };
    MYSQL *db;
    if (!s->opts.is_exact || !sink_connect(&db, &s->opts, &ignored))
        return;
    (void)!sl_sink_copy_forget(db, &s->feed, &ignored);
    (void)!sl_sink_state_forget(db, &s->feed, &ignored); /* rows of a feed that is no more do no harm */
    mysql_close(db);
}

static void sink_close(struct sl_sink *base, bool is_removed)
{
    struct mysql_sink *s = (struct mysql_sink *)base;
    if (is_removed)
        sink_forget(s);
    sl_mariadb_target_wipe(&s->opts.target);
    free(s);
}

static bool sink_start(struct mysql_sink *s, const struct sl_sink_open *o, struct sl_trouble *t)
{
    MYSQL *db;
    if (!sink_parse(&s->opts, o->uri, t) || !sink_connect(&db, &s->opts, t))
        return false;
    bool is_good =
        !s->opts.is_exact || (sl_sink_state_prepare(db, t) && sl_sink_ddl_prepare(db, t) && sl_sink_copy_schema(db, t));
    mysql_close(db);
    s->base.has_fencing = s->base.is_exact = s->opts.is_exact;
    return is_good;
}

static bool sink_open(struct sl_sink **out, const struct sl_sink_open *o, struct sl_trouble *t)
{
    struct mysql_sink *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a sink");
    s->base.driver = &sl_mysql_sink_driver;
    s->feed = sl_sink_feed_key_of(o->feed);
    if (!sink_start(s, o, t)) {
        sink_close(&s->base, false);
        return false;
    }
    *out = &s->base;
    return true;
}

const struct sl_sink_driver sl_mysql_sink_driver = {
    .schemes = "mysql mariadb tidb mysql+ssl mariadb+ssl tidb+ssl",
    .check = sink_check,
    .open = sink_open,
    .open_writer = sink_open_writer,
    .raise = sink_raise,
    .append = sink_append,
    .commit = sink_commit,
    .discard = sink_discard,
    .execute = sink_execute,
    .was_executed = sink_was_executed,
    .copies_asked = sink_copies_asked,
    .ask_copy = sink_ask_copy,
    .keep_place = sink_keep_place,
    .read_marks = sink_read_marks,
    .move_marks = sink_move_marks,
    .interrupt = sink_interrupt,
    .close_writer = sink_close_writer,
    .close = sink_close,
};
