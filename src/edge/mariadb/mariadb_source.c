/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl*) a feature macro: explicit_bzero, getrandom */
#include "edge/mariadb/mariadb_source.h"

#include "edge/mariadb/ddl_effect.h"
#include "edge/mariadb/mariadb_history.h"
#include "edge/mariadb/mariadb_source_internal.h"
#include "edge/mariadb/source_group.h"
#include "edge/mariadb/source_place.h"
#include "edge/mariadb/source_rows.h"

#include <inttypes.h>
#include <ma_pvio.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define SOURCE_HEARTBEAT_MS 100u
#define SOURCE_HEARTBEAT_MS_MAX 60000u
#define SOURCE_SILENT_S 30u                  /* without data or heartbeat the connection is dead */
#define SOURCE_HELD_BYTES ((size_t)16 << 20) /* of a group that may still be rolled back, before it is read ahead */
#define SOURCE_TRANSACTION_MIB 1024u
#define SOURCE_TRANSACTION_MIB_MAX 65536u
#define SOURCE_LOG_START 4u /* offset of the first event of a file */
#define SOURCE_ALONE_COUNT 4096u

struct mariadb_reader {
    struct sl_reader base;
    struct sl__source_opts opts;
    struct sl_table_filter *filter;
    MYSQL *dump, *details;
    pthread_mutex_t mutex; /* of what interrupt needs */
    int fd;
    bool is_interrupted;
    struct sl_binlog_stream stream;
    sl_ts from, through;
    uint32_t alone_left; /* so many transactions come in batches of their own */
    bool is_skipped;     /* the open group is not wanted, or begins at or before from */
    bool is_ignored;     /* all of it is not wanted */
    struct sl_source_group group;
    sl_ts scouted;  /* the large group of which this is known: */
    bool is_kept;   /* none of its rows is taken back */
    bool is_placed; /* the place is that of through: nothing at or before from is still to come */
    sl_ns now;      /* of the read that goes on */
    struct sl_source_place place;
    struct sl_source_rows rows;
    struct sl_ddl_effects effects; /* of the last schema change */
    struct sl_bytes pending;       /* the event that was read to test the position; null once it was taken */
};

static struct mariadb_reader *reader_of(struct sl_reader *r)
{
    return (struct mariadb_reader *)r;
}

/* ---- URI ---- */

static bool source_take_param(void *ctx, const struct sl_uri_param *param)
{
    struct sl__source_opts *o = ctx;
    if (sl_str_eq(param->name, SL_STR("heartbeat-ms")))
        return sl_uri_u64(&o->heartbeat_ms, param->value, SOURCE_HEARTBEAT_MS_MAX) && o->heartbeat_ms > 0;
    if (sl_str_eq(param->name, SL_STR("max-transaction-mib")))
        return sl_uri_u64(&o->transaction_mib, param->value, SOURCE_TRANSACTION_MIB_MAX) && o->transaction_mib > 0;
    if (sl_str_eq(param->name, SL_STR("epoch")))
        return sl_uri_u64(&o->epoch, param->value, UINT8_MAX);
    return false;
}

bool sl__source_parse(struct sl__source_opts *o, struct sl_secret uri, struct sl_trouble *t)
{
    o->heartbeat_ms = SOURCE_HEARTBEAT_MS;
    o->epoch = 0;
    o->transaction_mib = SOURCE_TRANSACTION_MIB;
    return sl_mariadb_target_parse(&o->target, uri, source_take_param, o, t);
}

static bool source_check(struct sl_secret uri, struct sl_trouble *t)
{
    struct sl__source_opts o;
    bool is_good = sl__source_parse(&o, uri, t);
    sl_mariadb_target_wipe(&o.target);
    return is_good;
}

bool sl__source_connect(MYSQL **out, const struct sl__source_opts *o, struct sl_trouble *t)
{
    const struct sl_mariadb_session session = { .connect_timeout_s = 10,
                                                .read_timeout_s = SOURCE_SILENT_S,
                                                .write_timeout_s = 10 };
    return sl_mariadb_connect(out, &o->target, &session, t);
}

/* ---- the dump ---- */

/* The connection that interrupt ends. False (trouble ENDED): it came earlier. */
static bool source_expose(struct mariadb_reader *r, struct sl_trouble *t)
{
    pthread_mutex_lock(&r->mutex);
    r->fd = (int)mysql_get_socket(r->dump);
    bool is_interrupted = r->is_interrupted;
    pthread_mutex_unlock(&r->mutex);
    return !is_interrupted || sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted");
}

static void source_drop_dump(struct mariadb_reader *r)
{
    pthread_mutex_lock(&r->mutex);
    r->fd = -1;
    pthread_mutex_unlock(&r->mutex);
    if (r->dump)
        mysql_close(r->dump);
    r->dump = NULL;
}

/* A server that is asked for a place inside of an event may send what stands there as if it were one. */
static bool source_is_event_at(const struct mariadb_reader *r, struct sl_bytes bytes, uint32_t pos)
{
    struct sl_binlog_event event;
    return sl_binlog_event_parse(&event, bytes, &r->stream.format, true, NULL) == SL_OK &&
           (event.type == SL_BINLOG_HEARTBEAT || event.flags & SL_BINLOG_FLAG_ARTIFICIAL || pos == SOURCE_LOG_START ||
            event.next_pos - event.size == pos);
}

/* The first event is a rotation that names the place; the third shows whether there is an event there. */
static bool source_try_position(struct mariadb_reader *r, const char *file, uint32_t pos, struct sl_trouble *t)
{
    struct sl_binlog_item item;
    struct sl_err err = { 0 };
    source_drop_dump(r);
    sl_binlog_stream_deinit(&r->stream);
    if (!sl__dump_open(&r->dump, &r->stream, &r->opts, t) || !sl__dump_send(r->dump, file, pos, t))
        return false;
    for (int i = 0; i < 3; i++) { /* rotation, format, and what stands at pos or a heartbeat */
        if (!sl__dump_next(r->dump, &r->pending, t))
            return false;
        if (i < 2 && sl_binlog_stream_feed(&r->stream, r->pending, &item, &err) != SL_OK)
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_LOG", "", "%s", err.text);
    }
    return source_is_event_at(r, r->pending, pos) ||
           sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_POSITION", "copy the tables anew",
                          "no transaction starts at %s:%u", file, pos);
}

static bool source_begins_group(const struct sl_binlog_event *e)
{
    return e->type == SL_BINLOG_GTID || e->type == SL_BINLOG_MYSQL_GTID || e->type == SL_BINLOG_MYSQL_ANONYMOUS_GTID ||
           e->type == SL_BINLOG_MYSQL_TAGGED_GTID;
}

/* The last group that starts at or before pos, found by the headers alone: what stands before it is nobody's any more. */
static bool source_find_group(struct mariadb_reader *r, uint32_t pos, uint32_t *out, struct sl_trouble *t)
{
    struct sl_bytes bytes = r->pending;
    for (;;) {
        struct sl_binlog_event e;
        struct sl_err err = { 0 };
        enum sl_code code = sl_binlog_event_parse(&e, bytes, &r->stream.format, false, &err);
        if (code != SL_OK)
            return sl_source_log_trouble(t, code, &err);
        if (source_begins_group(&e) && e.next_pos - e.size <= pos)
            *out = e.next_pos - e.size;
        bool is_made_up = (e.flags & SL_BINLOG_FLAG_ARTIFICIAL) != 0;
        if (e.type == SL_BINLOG_HEARTBEAT || e.type == SL_BINLOG_ROTATE || (!is_made_up && e.next_pos > pos))
            return true;
        if (!sl__dump_next(r->dump, &bytes, t))
            return false;
    }
}

static bool source_open_around(struct mariadb_reader *r, const char *file, uint32_t pos, struct sl_trouble *t)
{
    uint32_t start = SOURCE_LOG_START;
    return source_try_position(r, file, start, t) && source_find_group(r, pos, &start, t) &&
           source_try_position(r, file, start, t);
}

/*
 * from is the start of a transaction that is done, or one below a place behind which everything is wanted; the server
 * refuses a position that is none, so they are tried in this order. Or it is inside of a transaction.
 */
static bool source_open_dump(struct mariadb_reader *r, struct sl_trouble *t)
{
    uint32_t pos = (uint32_t)r->from, number = (uint32_t)(r->from >> 32) & 0xffffff;
    char file[256];
    if (!sl__source_file_name(file, sizeof file, r->details, number, t))
        return false;
    const uint32_t tries[] = { pos, pos + 1 };
    bool is_open = false;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0] && !is_open; i++) {
        if (tries[i] < SOURCE_LOG_START || sl_binlog_may_be_part(pos))
            continue;
        is_open = source_try_position(r, file, tries[i], t);
        if (!is_open && t->kind == SL_TROUBLE_PASSING)
            return false;
    }
    is_open = is_open || source_open_around(r, file, pos, t);
    if (is_open)
        *t = (struct sl_trouble){ 0 }; /* of the places that were none */
    return is_open;
}

/* ---- reading ---- */

static sl_ns source_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (sl_ns)now.tv_sec * SL_S + now.tv_nsec;
}

/* More bytes are there already: it is worth going on with the same batch. */
static bool source_has_more(const struct mariadb_reader *r)
{
    const MARIADB_PVIO *io = r->dump->net.pvio;
    if (sl_binlog_stream_has_more(&r->stream))
        return true;
    if (io->cache && io->cache_pos < io->cache + io->cache_size)
        return true; /* in the connector's buffer; asking the system costs as much as a small transaction */
    struct pollfd p = { .fd = r->fd, .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}

enum source_next { SOURCE_GO_ON, SOURCE_SEAL, SOURCE_FAIL };

static void source_begin_group(struct mariadb_reader *r, const struct sl_binlog_item *item, const struct sl_batch *into)
{
    r->is_placed = r->is_placed || item->ts >= r->from;
    sl_source_place_begin(&r->place, r->now, r->stream.file, (uint32_t)item->ts, &item->gtid.gtid);
    r->is_ignored = sl_table_filter_ignores(r->filter, item->ts);
    r->is_skipped = r->is_ignored || item->ts <= r->from;
    sl_source_group_begin(&r->group, item->ts, into);
}

static void source_end_group(struct mariadb_reader *r, sl_ts ts)
{
    r->is_placed = r->is_placed || ts >= r->from;
    sl_source_place_end(&r->place);
}

static void source_be_idle(struct mariadb_reader *r, sl_ts ts)
{
    r->is_placed = r->is_placed || ts >= r->from;
    sl_source_place_begin(&r->place, r->now, r->stream.file, (uint32_t)ts + 1, NULL);
    r->through = sl_ts_max(r->through, ts);
}

static struct sl_str source_gtids(struct mariadb_reader *r, char *memory)
{
    struct sl_str gtids = sl_source_place_text(&r->place, r->now, memory);
    return r->is_placed ? gtids : (struct sl_str){ "", 0 };
}

static bool source_set_ddl(struct mariadb_reader *r, struct sl_batch *into, const struct sl_binlog_item *item,
                           struct sl_trouble *t)
{
    char gtid[SL_GTIDS_TEXT_MAX], before[SL_GTIDS_TEXT_MAX], after[SL_GTIDS_TEXT_MAX];
    struct sl_str known = source_gtids(r, before);
    struct sl_ddl *ddl = &r->effects.ddl;
    if (item->ends_group)
        source_end_group(r, item->ts);
    ddl->gtids_before = known;
    ddl->gtids = source_gtids(r, after);
    ddl->gtid = known.len > 0 ? sl_gtid_format(gtid, r->place.group) : (struct sl_str){ "", 0 };
    return (sl_batch_set_gtids(into, known) && sl_batch_set_ddl(into, ddl)) ||
           sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a statement");
}

static enum source_next source_on_statement(struct mariadb_reader *r, struct sl_batch *into,
                                            const struct sl_binlog_item *item, struct sl_trouble *t)
{
    if (item->ends_group)
        r->through = item->ts;
    sl_ddl_effect(&r->effects, item->statement.database, item->statement.sql, item->statement.sql_mode, r->filter);
    if (r->effects.ddl.effect == SL_DDL_NOTHING) {
        if (item->ends_group)
            source_end_group(r, item->ts);
        return SOURCE_GO_ON;
    }
    r->effects.ddl.ts = r->through = item->ts;
    return source_set_ddl(r, into, item, t) ? SOURCE_SEAL : SOURCE_FAIL;
}

/* A batch has one definition of each table: rows behind a change are in another one, also if nobody is told of it. */
static enum source_next source_on_ignored(struct mariadb_reader *r, const struct sl_binlog_item *item)
{
    if (item->ends_group)
        source_end_group(r, item->ts);
    if (item->ts <= r->from)
        return SOURCE_GO_ON;
    r->through = item->ts;
    return SOURCE_SEAL;
}

/* What cannot be handed on in parts has to fit a batch; nothing of it has reached the sink. */
static enum source_next source_check_size(const struct mariadb_reader *r, const struct sl_batch *into,
                                          const struct sl_binlog_item *item, struct sl_trouble *t)
{
    if (sl_batch_size(into) >> 20 < r->opts.transaction_mib)
        return SOURCE_GO_ON;
    sl_trouble_set(
        t, SL_TROUBLE_LASTING, "TRANSACTION_TOO_LARGE",
        "raise max-transaction-mib of the source's URI (the node needs as much memory), and do not return to "
        "savepoints in large transactions",
        "a transaction returns to a savepoint, or compresses to almost nothing, and has more than %llu MiB of rows "
        "(ts %llu)",
        (unsigned long long)r->opts.transaction_mib, (unsigned long long)item->ts);
    return SOURCE_FAIL;
}

/* Enough for now: nothing more is there, or the batch is full. */
static enum source_next source_pause(const struct mariadb_reader *r, const struct sl_batch *into, size_t bytes_max)
{
    return sl_batch_size(into) >= bytes_max || !source_has_more(r) ? SOURCE_SEAL : SOURCE_GO_ON;
}

/* How the open group goes on and ends; nothing of it is decoded. *returns: it goes back to a savepoint. */
static bool source_read_ahead(struct mariadb_reader *r, struct sl_binlog_item *end, bool *returns, struct sl_trouble *t)
{
    *returns = false;
    do {
        if (!sl__dump_item(end, r->dump, &r->stream, &r->pending, t))
            return false;
        *returns = *returns || end->kind == SL_BINLOG_UNDO;
    } while (!end->ends_group);
    return true;
}

/*
 * The open group is too large to be held until its end, and until then nobody knows whether its rows are there to stay:
 * so it is read to its end first, and then again from its beginning. The batch has all of it up to through.
 */
static enum source_next source_scout(struct mariadb_reader *r, struct sl_batch *into, sl_ts through,
                                     struct sl_trouble *t)
{
    struct sl_binlog_item end = { 0 };
    bool returns;
    char file[sizeof r->stream.file];
    memcpy(file, r->stream.file, sizeof file);
    if (!source_read_ahead(r, &end, &returns, t))
        return SOURCE_FAIL;
    if (end.is_undone) {
        r->through = end.ts;
        source_end_group(r, end.ts);
        return sl_source_group_undo_all(&r->group, into, t) ? SOURCE_SEAL : SOURCE_FAIL;
    }
    r->scouted = r->group.ts;
    r->is_kept = !returns;
    if (returns)
        sl_batch_cut(into, r->group.first);
    else
        r->from = r->through = through;
    return source_try_position(r, file, (uint32_t)r->group.ts, t) && source_expose(r, t) ? SOURCE_SEAL : SOURCE_FAIL;
}

static enum source_next source_on_rows(struct mariadb_reader *r, struct sl_batch *into,
                                       const struct sl_binlog_item *item, size_t bytes_max, struct sl_trouble *t)
{
    if (r->is_ignored)
        return SOURCE_GO_ON;
    if (item->ts <= r->from) {
        sl_source_group_split(&r->group); /* who read it before has handed these on */
        return SOURCE_GO_ON;
    }
    if (!sl_source_rows_add(&r->rows, into, item, &r->stream.inflated, t))
        return SOURCE_FAIL;
    if (item->ends_part && sl_batch_size(into) >= SOURCE_HELD_BYTES && r->scouted != r->group.ts)
        return source_scout(r, into, item->ts, t);
    if (!item->ends_part || r->scouted != r->group.ts || !r->is_kept)
        return source_check_size(r, into, item, t);
    r->through = item->ts;
    return source_pause(r, into, bytes_max);
}

static enum source_next source_on_end(struct mariadb_reader *r, struct sl_batch *into,
                                      const struct sl_binlog_item *item, size_t bytes_max, struct sl_trouble *t)
{
    bool is_wanted = !r->is_ignored && item->ts > r->from;
    source_end_group(r, item->ts);
    if (is_wanted && item->is_undone && !sl_source_group_undo_all(&r->group, into, t))
        return SOURCE_FAIL;
    if (is_wanted)
        r->through = item->ts;
    if (sl_batch_row_count(into) > 0 && r->alone_left > 0) {
        r->alone_left--;
        return SOURCE_SEAL;
    }
    return source_pause(r, into, bytes_max);
}

static enum source_next source_on_item(struct mariadb_reader *r, struct sl_batch *into,
                                       const struct sl_binlog_item *item, size_t bytes_max, struct sl_trouble *t)
{
    switch (item->kind) {
    case SL_BINLOG_BEGIN:
        source_begin_group(r, item, into);
        return SOURCE_GO_ON;
    case SL_BINLOG_ROWS:
        return source_on_rows(r, into, item, bytes_max, t);
    case SL_BINLOG_SAVEPOINT:
        sl_source_group_save(&r->group, item->name, into);
        return SOURCE_GO_ON;
    case SL_BINLOG_UNDO:
        return sl_source_group_undo(&r->group, item->name, into, t) ? SOURCE_GO_ON : SOURCE_FAIL;
    case SL_BINLOG_STATEMENT:
        if (!item->ends_group) /* CREATE TABLE ... SELECT: to leave the statement out is not to leave out its rows */
            r->is_ignored = sl_table_filter_ignores(r->filter, item->ts + 1);
        return r->is_skipped ? source_on_ignored(r, item) : source_on_statement(r, into, item, t);
    case SL_BINLOG_END:
        return source_on_end(r, into, item, bytes_max, t);
    case SL_BINLOG_IDLE:
        source_be_idle(r, item->ts);
        return SOURCE_SEAL;
    case SL_BINLOG_FILE:
    case SL_BINLOG_NOTHING:
        return SOURCE_GO_ON;
    }
    SL_UNREACHABLE();
}

static bool source_read(struct sl_reader *base, struct sl_batch *into, size_t bytes_max, sl_ns wait_ns,
                        struct sl_trouble *t)
{
    struct mariadb_reader *r = reader_of(base);
    (void)wait_ns; /* heartbeats end the wait */
    sl_ns arrived = 0;
    enum source_next next = SOURCE_GO_ON;
    struct sl_binlog_item item; /* large, and locals start as zero: once, not for each event */
    while (next == SOURCE_GO_ON) {
        if (!sl__dump_item(&item, r->dump, &r->stream, &r->pending, t))
            return r->is_interrupted ? sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted") : false;
        if (arrived == 0)
            arrived = r->now = source_now();
        next = source_on_item(r, into, &item, bytes_max, t);
    }
    if (next == SOURCE_FAIL)
        return false; /* what the batch holds may be half a transaction */
    sl_source_group_split(&r->group);
    char gtids[SL_GTIDS_TEXT_MAX];
    struct sl_str known = r->place.is_open ? SL_STR("") : source_gtids(r, gtids); /* half a group has no name */
    if (!sl_batch_ddl(into) && !sl_batch_set_gtids(into, known))
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a batch of rows");
    sl_batch_seal(into, r->through, arrived);
    return true;
}

/* ---- life ---- */

static void source_close(struct sl_reader *base)
{
    struct mariadb_reader *r = reader_of(base);
    source_drop_dump(r);
    if (r->details)
        mysql_close(r->details);
    sl_source_place_deinit(&r->place);
    sl_binlog_stream_deinit(&r->stream);
    sl_source_rows_deinit(&r->rows);
    sl_table_filter_free(r->filter);
    pthread_mutex_destroy(&r->mutex);
    sl_mariadb_target_wipe(&r->opts.target);
    free(r);
}

static bool source_start(struct mariadb_reader *r, const struct sl_source_open *o, struct sl_trouble *t)
{
    if (!sl__source_parse(&r->opts, o->uri, t) || !sl_table_filter_new(&r->filter, o->config, t))
        return false;
    if (!sl__source_connect(&r->details, &r->opts, t) || !sl__source_check_settings(r->details, t) ||
        !source_open_dump(r, t))
        return false;
    if (!sl_source_rows_init(&r->rows, r->filter, r->details))
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for table definitions");
    return source_expose(r, t);
}

static bool source_open(struct sl_reader **out, const struct sl_source_open *o, struct sl_trouble *t)
{
    struct mariadb_reader *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a reader");
    r->base.driver = &sl_mariadb_source_driver;
    r->from = r->through = o->from;
    r->alone_left = SOURCE_ALONE_COUNT; /* more than fit one batch: whoever failed on TABLE_CHANGED gets over it */
    r->fd = -1;
    sl_source_place_init(&r->place, &r->opts);
    pthread_mutex_init(&r->mutex, NULL);
    if (!source_start(r, o, t)) {
        source_close(&r->base);
        return false;
    }
    *out = &r->base;
    return true;
}

static void source_interrupt(struct sl_reader *base)
{
    struct mariadb_reader *r = reader_of(base);
    pthread_mutex_lock(&r->mutex);
    r->is_interrupted = true;
    if (r->fd >= 0)
        shutdown(r->fd, SHUT_RDWR);
    pthread_mutex_unlock(&r->mutex);
}

/* ---- what is there ---- */

static int source_listed_cmp(const void *a, const void *b)
{
    int64_t x = ((const struct sl_source_table *)a)->table_id, y = ((const struct sl_source_table *)b)->table_id;
    return (x > y) - (x < y);
}

struct source_list {
    struct sl_source_table *tables;
    uint32_t count;
};

/* Tables of now that the log of since then does not say to be younger. */
static void source_list_present(struct source_list *list, MYSQL_RES *result, const struct sl_table_filter *filter,
                                const struct sl_history *history)
{
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(result))) {
        struct sl_str schema = sl_str_of(row[0]), table = sl_str_of(row[1]);
        if (sl_mariadb_schema_is_private(schema) || !sl_table_filter_takes(filter, schema, table))
            continue;
        int64_t id = sl_mariadb_table_id(schema, table);
        if (sl_history_find(history, id))
            continue;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): source_merge_lists has looked */
        list->tables[list->count++] = (struct sl_source_table){
            .table_id = id,
            .schema_id = sl_mariadb_schema_id(schema),
            .schema = schema,
            .table = table,
            .has_no_key = row[2] == NULL,
        };
    }
}

static void source_list_past(struct source_list *list, const struct sl_table_filter *filter,
                             const struct sl_history *history)
{
    for (uint32_t i = 0; i < history->cap; i++) {
        const struct sl_history_entry *e = &history->entries[i];
        if (e->table_id == 0 || !e->was_there || sl_mariadb_schema_is_private(e->schema) ||
            !sl_table_filter_takes(filter, e->schema, e->table))
            continue;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): source_merge_lists has looked */
        list->tables[list->count++] = (struct sl_source_table){ .table_id = e->table_id,
                                                                .schema_id = sl_mariadb_schema_id(e->schema),
                                                                .schema = e->schema,
                                                                .table = e->table };
    }
}

static bool source_tell_list(struct source_list *list, bool (*each)(void *ctx, const struct sl_source_table *table),
                             void *ctx, struct sl_trouble *t)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): source_merge_lists has looked */
    qsort(list->tables, list->count, sizeof *list->tables, source_listed_cmp);
    for (uint32_t i = 1; i < list->count; i++) {
        if (list->tables[i].table_id == list->tables[i - 1].table_id)
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "TABLE_ID", "rename one of the two tables",
                                  "two tables have the same id");
    }
    for (uint32_t i = 0; i < list->count && each(ctx, &list->tables[i]); i++)
        continue;
    return true;
}

/* MySQL has another name for it since 8.2, and since 8.4 no other. */
static const char *source_head_statement(MYSQL *db)
{
    const unsigned long renamed = 80200;
    bool is_renamed = !mariadb_connection(db) && mysql_get_server_version(db) >= renamed;
    return is_renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
}

static bool source_read_head(MYSQL *db, const struct sl__source_opts *o, sl_ts *out, struct sl_trouble *t)
{
    MYSQL_RES *result;
    if (!sl_mariadb_select(&result, db, source_head_statement(db), t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    uint32_t number = 0;
    uint64_t pos = row && row[1] ? strtoull(row[1], NULL, 10) : 0;
    bool is_good = row && row[0] && sl_binlog_file_number(&number, sl_str_of(row[0]), NULL) == SL_OK && pos > 0 &&
                   pos <= UINT32_MAX;
    mysql_free_result(result);
    *out = sl_binlog_ts((uint8_t)o->epoch, number, (uint32_t)pos - 1);
    return is_good || sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_SETTING", "start the server with log_bin",
                                     "the source has no binary log, or a position beyond 4 GiB");
}

static bool source_merge_lists(MYSQL_RES *result, const struct sl_table_filter *filter,
                               const struct sl_history *history,
                               bool (*each)(void *ctx, const struct sl_source_table *table), void *ctx,
                               struct sl_trouble *t)
{
    size_t most = (size_t)mysql_num_rows(result) + history->count;
    struct source_list list = { .tables = calloc(most + 1, sizeof *list.tables) };
    bool is_good =
        list.tables != NULL || sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a list of tables");
    if (is_good) {
        source_list_present(&list, result, filter, history);
        source_list_past(&list, filter, history);
        is_good = source_tell_list(&list, each, ctx, t);
    }
    free(list.tables);
    return is_good;
}

/* Names, and something if there is a primary key or a unique one that takes its place (which the server calls PRI too). To
 * look for keys is to open each table, so it is done for who asks only. */
static const char source_tables[] =
    "SELECT table_schema, table_name, 1 FROM information_schema.tables WHERE table_type = 'BASE TABLE'";
static const char source_tables_and_keys[] =
    "SELECT t.table_schema, t.table_name, k.found FROM information_schema.tables t LEFT JOIN (SELECT DISTINCT "
    "table_schema, table_name, 1 AS found FROM information_schema.columns WHERE column_key = 'PRI') k USING "
    "(table_schema, table_name) WHERE t.table_type = 'BASE TABLE'";

/* The list of now comes first: what changes between it and the head is told by the log. */
static bool source_list_at(MYSQL *db, const struct sl__source_opts *opts, const struct sl_source_open *o,
                           const struct sl_table_filter *filter,
                           bool (*each)(void *ctx, const struct sl_source_table *table), void *ctx,
                           struct sl_trouble *t)
{
    struct sl_history history = { 0 };
    MYSQL_RES *result;
    sl_ts head;
    if (!sl_mariadb_select(&result, db, o->wants_keys ? source_tables_and_keys : source_tables, t))
        return false;
    bool is_good = sl_history_init(&history, t) && source_read_head(db, opts, &head, t) &&
                   (o->from == SL_TS_NONE || sl_history_read(&history, &sl_mariadb_source_driver, o, head, t)) &&
                   source_merge_lists(result, filter, &history, each, ctx, t);
    sl_history_deinit(&history);
    mysql_free_result(result);
    return is_good;
}

static bool source_list(const struct sl_source_open *o, bool (*each)(void *ctx, const struct sl_source_table *table),
                        void *ctx, struct sl_trouble *t)
{
    struct sl__source_opts opts;
    struct sl_table_filter *filter = NULL;
    MYSQL *db = NULL;
    bool is_good = sl__source_parse(&opts, o->uri, t) && sl_table_filter_new(&filter, o->config, t) &&
                   sl__source_connect(&db, &opts, t) && sl__source_check_settings(db, t) &&
                   source_list_at(db, &opts, o, filter, each, ctx, t);
    if (db)
        mysql_close(db);
    sl_table_filter_free(filter);
    sl_mariadb_target_wipe(&opts.target);
    return is_good;
}

static bool source_head(sl_ts *out, struct sl_secret uri, struct sl_trouble *t)
{
    struct sl__source_opts opts;
    MYSQL *db = NULL;
    bool is_good =
        sl__source_parse(&opts, uri, t) && sl__source_connect(&db, &opts, t) && source_read_head(db, &opts, out, t);
    if (db)
        mysql_close(db);
    sl_mariadb_target_wipe(&opts.target);
    return is_good;
}

const struct sl_source_driver sl_mariadb_source_driver = {
    .schemes = "mysql mariadb mysql+ssl mariadb+ssl",
    .check = source_check,
    .open = source_open,
    .read = source_read,
    .interrupt = source_interrupt,
    .close = source_close,
    .list = source_list,
    .head = source_head,
    .copy_open = sl__copier_open,
    .copy_read = sl__copier_read,
    .copy_interrupt = sl__copier_interrupt,
    .copy_close = sl__copier_close,
    .succeed = sl__source_succeed,
    .find_marks = sl__source_find_marks,
};
