/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl*) a feature macro: explicit_bzero */
#include "edge/mariadb/binlog_stream.h"
#include "edge/mariadb/copy_table.h"
#include "edge/mariadb/mariadb_source_internal.h"
#include "edge/mariadb/mariadb_tables.h"
#include "edge/mariadb/sink_statement.h"
#include "engine/table_filter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <mysqld_error.h>

/*
 * Rows of tables, chunk by chunk. Each chunk is one short transaction of its own on the source:
 *
 *   START TRANSACTION WITH CONSISTENT SNAPSHOT     what follows is the state at one place of the log,
 *   SHOW STATUS LIKE 'binlog_snapshot_%'           and that is its place
 *   SELECT 1 FROM t LIMIT 1                        from here on nobody changes the table's definition;
 *   SHOW CREATE TABLE t                            it is the one that was read before the snapshot, or the chunk is void
 *   SELECT ... WHERE key > ... ORDER BY key LIMIT
 *   ROLLBACK
 *
 * So the source keeps no old versions of rows for long, and an ALTER waits for one chunk at most.
 */
#define COPY_SQL_MAX ((size_t)1 << 20)
#define COPY_ROWS_FIRST 512u
#define COPY_GROW 4u
#define COPY_TRIES 400u
#define COPY_TRY_NS (5 * 1000 * 1000)

struct copy_name {
    int64_t table_id;
    const char *schema, *table; /* in the result */
};

struct mariadb_copier {
    struct sl_copier base;
    struct sl__source_opts opts;
    struct sl_table_filter *filter;
    MYSQL *db;
    pthread_mutex_t mutex; /* of what interrupt needs */
    int fd;
    bool is_interrupted;
    MYSQL_RES *names_result;
    struct copy_name *names;
    uint32_t name_count;
    struct sl_copy_table table; /* the one that was copied last; def null: none */
    uint32_t rows_max;          /* of its next chunk */
    char *sql;
};

static struct mariadb_copier *copier_of(struct sl_copier *c)
{
    return (struct mariadb_copier *)c;
}

/* ---- names ---- */

static int copy_name_cmp(const void *a, const void *b)
{
    int64_t x = ((const struct copy_name *)a)->table_id, y = ((const struct copy_name *)b)->table_id;
    return (x > y) - (x < y);
}

static void copy_drop_names(struct mariadb_copier *c)
{
    if (c->names_result)
        mysql_free_result(c->names_result);
    free(c->names);
    c->names_result = NULL;
    c->names = NULL;
    c->name_count = 0;
}

static bool copy_load_names(struct mariadb_copier *c, struct sl_trouble *t)
{
    MYSQL_ROW row;
    copy_drop_names(c);
    if (!sl_mariadb_select(&c->names_result, c->db,
                           "SELECT table_schema, table_name FROM information_schema.tables "
                           "WHERE table_type = 'BASE TABLE'",
                           t))
        return false;
    c->names = calloc((size_t)mysql_num_rows(c->names_result) + 1, sizeof *c->names);
    if (!c->names)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a list of tables");
    while ((row = mysql_fetch_row(c->names_result))) {
        struct sl_str schema = sl_str_of(row[0]), table = sl_str_of(row[1]);
        if (sl_mariadb_schema_is_private(schema) || !sl_table_filter_takes(c->filter, schema, table))
            continue;
        c->names[c->name_count++] = (struct copy_name){ sl_mariadb_table_id(schema, table), row[0], row[1] };
    }
    qsort(c->names, c->name_count, sizeof *c->names, copy_name_cmp);
    return true;
}

static const struct copy_name *copy_find_name(const struct mariadb_copier *c, int64_t table_id)
{
    const struct copy_name key = { .table_id = table_id };
    return c->name_count > 0 ? bsearch(&key, c->names, c->name_count, sizeof key, copy_name_cmp) : NULL;
}

/* Null without a trouble: there is no such table. */
static const struct copy_name *copy_name_of(struct mariadb_copier *c, int64_t table_id, struct sl_trouble *t)
{
    const struct copy_name *name = copy_find_name(c, table_id);
    if (name || !copy_load_names(c, t))
        return name;
    return copy_find_name(c, table_id);
}

/* ---- the table ---- */

static void copy_drop_table(struct mariadb_copier *c)
{
    sl_copy_table_free(&c->table);
    c->rows_max = COPY_ROWS_FIRST;
}

/* The definition, read outside of any snapshot. */
static bool copy_load_table(struct mariadb_copier *c, int64_t table_id, bool *is_gone, struct sl_trouble *t)
{
    if (c->table.def && c->table.def->table_id == table_id)
        return true;
    copy_drop_table(c);
    const struct copy_name *name = copy_name_of(c, table_id, t);
    *is_gone = !name && t->kind == SL_TROUBLE_NONE;
    if (!name)
        return false;
    struct sl_str schema = sl_str_of(name->schema), table = sl_str_of(name->table);
    if (sl_copy_table_load(&c->table, c->db, schema, table, table_id, sl_mariadb_schema_id(schema), is_gone, t))
        return true;
    t->table_id = table_id;
    return false;
}

/* ---- the snapshot ---- */

static bool copy_ask_position(struct mariadb_copier *c, sl_ts *out, struct sl_trouble *t)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    uint32_t number = 0;
    uint64_t pos = 0;
    if (!sl_mariadb_select(&result, c->db, "SHOW STATUS LIKE 'binlog_snapshot_%'", t))
        return false;
    while ((row = mysql_fetch_row(result))) {
        if (strcasecmp(row[0], "binlog_snapshot_position") == 0)
            pos = strtoull(row[1], NULL, 10);
        else if (strcasecmp(row[0], "binlog_snapshot_file") == 0 &&
                 sl_binlog_file_number(&number, sl_str_of(row[1]), NULL) != SL_OK)
            number = 0;
    }
    mysql_free_result(result);
    *out = sl_binlog_ts((uint8_t)c->opts.epoch, number, (uint32_t)pos - 1);
    return (number > 0 && pos > 0 && pos <= UINT32_MAX) ||
           sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_NO_SNAPSHOT", "copy from a MariaDB server with log_bin",
                          "the source does not tell the place of a snapshot in its log");
}

/* The log may be ahead of what queries see, for a moment. */
static bool copy_begin(struct mariadb_copier *c, sl_ts not_before, sl_ts *at, struct sl_trouble *t)
{
    for (uint32_t i = 0; i < COPY_TRIES; i++) {
        if (!sl_mariadb_execute(c->db, "START TRANSACTION WITH CONSISTENT SNAPSHOT", t) || !copy_ask_position(c, at, t))
            return false;
        if (*at >= not_before)
            return true;
        if (!sl_mariadb_execute(c->db, "ROLLBACK", t))
            return false;
        const struct timespec wait = { .tv_nsec = COPY_TRY_NS };
        nanosleep(&wait, NULL);
    }
    return sl_trouble_set(t, SL_TROUBLE_PASSING, "COPY_BEHIND", "is the source the one that the log comes from?",
                          "the rows of the source are older than its log");
}

static bool copy_touch(struct mariadb_copier *c, struct sl_trouble *t)
{
    struct sl_text sql;
    MYSQL_RES *result;
    sl_text_init(&sql, c->sql, COPY_SQL_MAX);
    sl_text_cstr(&sql, "SELECT 1 FROM ");
    sl_statement_name(&sql, c->table.def->schema);
    sl_text_cstr(&sql, ".");
    sl_statement_name(&sql, c->table.def->table);
    sl_text_cstr(&sql, " LIMIT 1");
    if (!sl_mariadb_select(&result, c->db, c->sql, t))
        return false;
    mysql_free_result(result);
    return true;
}

enum copy_sight { COPY_SEEN, COPY_CHANGED, COPY_GONE, COPY_FAILED };

static bool copy_error_is_change(unsigned error)
{
    return error == ER_TABLE_DEF_CHANGED || error == ER_BAD_FIELD_ERROR || error == ER_KEY_DOES_NOT_EXISTS;
}

static enum copy_sight copy_judge(struct mariadb_copier *c)
{
    unsigned error = mysql_errno(c->db);
    if (error == ER_NO_SUCH_TABLE || error == ER_BAD_DB_ERROR)
        return COPY_GONE;
    return copy_error_is_change(error) ? COPY_CHANGED : COPY_FAILED;
}

/* Within the snapshot: the table is as it was known, and stays so until the end of the transaction. */
static enum copy_sight copy_look(struct mariadb_copier *c, struct sl_trouble *t)
{
    uint64_t hash;
    bool is_gone = false;
    if (!copy_touch(c, t))
        return copy_judge(c);
    if (!sl_copy_table_hash(&hash, c->db, c->table.def->schema, c->table.def->table, &is_gone, t))
        return is_gone ? COPY_GONE : COPY_FAILED;
    return hash == c->table.hash ? COPY_SEEN : COPY_CHANGED;
}

/* ---- rows ---- */

static bool copy_put_row(struct mariadb_copier *c, struct sl_batch *into, MYSQL_ROW row, const unsigned long *lengths,
                         struct sl_value **image, struct sl_trouble *t)
{
    struct sl_table_def *def = c->table.def;
    struct sl_row_images images;
    size_t size = 0;
    for (uint32_t i = 0; i < def->column_count; i++)
        size += row[i] && c->table.columns[i].class >= SL_COPY_DECIMAL ? lengths[i] : 0;
    bool has_room = sl_batch_add(into, def, SL_ROW_INSERT, SL_CHUNK_TS, &images);
    uint8_t *bytes = has_room ? sl_batch_bytes(into, size) : NULL;
    if (!bytes)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for rows");
    for (uint32_t i = 0; i < def->column_count; i++) {
        struct sl_bytes text = { (const uint8_t *)row[i], lengths[i] };
        const struct sl_copy_column *column = &c->table.columns[i];
        if (!row[i]) {
            images.after[i].kind = SL_VALUE_NULL;
            continue;
        }
        if (column->class >= SL_COPY_DECIMAL) {
            memcpy(bytes, row[i], lengths[i]);
            text.ptr = bytes;
            bytes += lengths[i];
        }
        if (!sl_copy_value(&images.after[i], column, (def->columns[i].flags & SL_COLUMN_UNSIGNED) != 0, text))
            return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_VALUE", "",
                                  "column %u of %.*s.%.*s holds no value of its type", i + 1, (int)def->schema.len,
                                  def->schema.ptr, (int)def->table.len, def->table.ptr);
    }
    *image = images.after;
    return true;
}

struct copy_rows {
    uint32_t count;        /* kept */
    bool is_cut;           /* there were more, which nobody has room for */
    struct sl_value *last; /* image of the last one */
};

/* What comes after bytes_max is read and dropped: a result cannot be left in the middle. */
static bool copy_take_rows(struct mariadb_copier *c, struct sl_batch *into, size_t bytes_max, struct copy_rows *out,
                           struct sl_trouble *t)
{
    MYSQL_RES *result = mysql_use_result(c->db);
    MYSQL_ROW row;
    bool is_good = true;
    if (!result)
        return sl_mariadb_trouble(t, c->db, "rows of a table");
    while ((row = mysql_fetch_row(result))) {
        out->is_cut = out->is_cut || (out->count > 0 && sl_batch_size(into) >= bytes_max);
        if (!is_good || out->is_cut)
            continue;
        is_good = copy_put_row(c, into, row, mysql_fetch_lengths(result), &out->last, t);
        out->count++;
    }
    unsigned error = mysql_errno(c->db);
    mysql_free_result(result);
    return is_good && (error == 0 || sl_mariadb_trouble(t, c->db, "rows of a table"));
}

/* As many as will fill a chunk, if the next ones are like these. */
static void copy_adapt(struct mariadb_copier *c, const struct sl_copy_ask *ask, const struct copy_rows *rows,
                       size_t size)
{
    uint64_t fit = ask->bytes_max / (size / (rows->count + 1u) + 1u) + 1;
    uint64_t most = (uint64_t)c->rows_max * COPY_GROW;
    fit = fit < most ? fit : most;
    c->rows_max = (uint32_t)(fit < ask->rows_max ? fit : ask->rows_max);
}

static bool copy_keep_end(struct mariadb_copier *c, struct sl_batch *into, const struct copy_rows *rows,
                          uint32_t wanted, struct sl_trouble *t)
{
    uint8_t place[SL_COPY_PLACE_MAX];
    size_t len = 0;
    bool is_last = rows->count < wanted && !rows->is_cut;
    if (!is_last)
        len = sl_copy_place_write(place, sizeof place, &c->table, rows->last);
    if (!is_last && len == 0)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_KEY", "leave the table out by a filter rule",
                              "the primary key of a row is too large");
    return sl_batch_end_chunk(into, is_last, (struct sl_bytes){ place, len }) ||
           sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for rows");
}

static enum copy_sight copy_select(struct mariadb_copier *c, const struct sl_copy_ask *ask, struct sl_batch *into,
                                   struct sl_trouble *t)
{
    struct sl_text sql;
    struct copy_rows rows = { 0 };
    uint32_t wanted = c->rows_max < ask->rows_max ? c->rows_max : ask->rows_max;
    sl_text_init(&sql, c->sql, COPY_SQL_MAX);
    if (!sl_copy_select_spell(&sql, &c->table, ask->place, wanted)) {
        sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_PLACE", "ask for the copy again: sluice feed resync",
                       "the stored place of a copy does not fit its table, or the table has too many columns");
        return COPY_FAILED;
    }
    if (mysql_real_query(c->db, sql.ptr, sql.len) != 0) {
        sl_mariadb_trouble(t, c->db, "rows of a table");
        return copy_judge(c);
    }
    if (!copy_take_rows(c, into, ask->bytes_max, &rows, t))
        return copy_judge(c);
    if (!copy_keep_end(c, into, &rows, wanted, t))
        return COPY_FAILED;
    copy_adapt(c, ask, &rows, sl_batch_size(into));
    return COPY_SEEN;
}

/* ---- chunks ---- */

static bool copy_set(struct sl_batch *into, struct sl_table_def *def, const struct sl_chunk *chunk,
                     struct sl_trouble *t)
{
    return sl_batch_set_chunk(into, def, chunk) ||
           sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a chunk of rows");
}

struct copy_bare { /* of a table of which nothing is known any more */
    struct sl_table_def def;
};

static void copy_bare_free(struct sl_table_def *def)
{
    free(def);
}

static struct sl_table_def *copy_no_def(int64_t table_id)
{
    struct copy_bare *bare = calloc(1, sizeof *bare);
    if (!bare)
        return NULL;
    bare->def = (struct sl_table_def){ .table_id = table_id, .free = copy_bare_free };
    atomic_init(&bare->def.refs, 1);
    return &bare->def;
}

/* A chunk without rows: the copy ends here, or begins again. */
static bool copy_without_rows(const struct sl_copy_ask *ask, struct sl_batch *into, sl_ts at, bool is_void,
                              struct sl_trouble *t)
{
    struct sl_table_def *def = copy_no_def(ask->table_id);
    const struct sl_chunk chunk = { .number = ask->number,
                                    .low = ask->number > 1 ? ask->low : at,
                                    .high = at,
                                    .is_last = !is_void,
                                    .is_gone = !is_void,
                                    .is_void = is_void,
                                    .rows_before = ask->rows_before,
                                    .rows_about = ask->rows_before };
    bool is_good = def ? copy_set(into, def, &chunk, t)
                       : sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a chunk of rows");
    sl_table_def_unref(def);
    return is_good;
}

static bool copy_read_rows(struct mariadb_copier *c, const struct sl_copy_ask *ask, struct sl_batch *into, sl_ts at,
                           enum copy_sight *sight, struct sl_trouble *t)
{
    bool is_first = ask->number == 1;
    const struct sl_table_def *def = c->table.def;
    const struct sl_chunk chunk = { .number = ask->number,
                                    .low = is_first ? at : ask->low,
                                    .high = at,
                                    .rows_before = ask->rows_before,
                                    .rows_about = is_first ? c->table.rows_about : ask->rows_about,
                                    .schema = def->schema,
                                    .table = def->table,
                                    .make_schema = is_first ? sl_str_of(c->table.make_schema) : SL_STR(""),
                                    .make_table = is_first ? sl_str_of(c->table.make_table) : SL_STR("") };
    *sight = copy_look(c, t);
    if (*sight != COPY_SEEN)
        return false;
    if (!copy_set(into, c->table.def, &chunk, t)) {
        *sight = COPY_FAILED;
        return false;
    }
    *sight = copy_select(c, ask, into, t);
    return *sight == COPY_SEEN;
}

/* The place was made for another definition. */
static bool copy_is_stale(const struct mariadb_copier *c, const struct sl_copy_ask *ask)
{
    return ask->number > 1 && sl_copy_place_hash(ask->place) != c->table.hash;
}

/* Rows that were put before a trouble are in the batch: it cannot be used for another chunk then. */
static bool copy_answer(struct mariadb_copier *c, const struct sl_copy_ask *ask, struct sl_batch *into, sl_ts at,
                        enum copy_sight sight, struct sl_trouble *t)
{
    int64_t table_id = ask->table_id;
    copy_drop_table(c);
    if (sight == COPY_FAILED) {
        t->table_id = table_id;
        return false;
    }
    if (sl_batch_chunk(into) || (sight == COPY_CHANGED && ask->number == 1))
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "COPY_SCHEMA_CHANGES", "",
                              "a table is redefined while it is copied");
    copy_drop_names(c);
    *t = (struct sl_trouble){ 0 };
    return copy_without_rows(ask, into, at, sight == COPY_CHANGED, t);
}

static bool copy_chunk(struct mariadb_copier *c, const struct sl_copy_ask *ask, struct sl_batch *into,
                       struct sl_trouble *t)
{
    bool is_gone = false;
    sl_ts at;
    enum copy_sight sight = COPY_FAILED;
    bool is_known = copy_load_table(c, ask->table_id, &is_gone, t);
    if (!is_known && !is_gone)
        return false;
    if (is_known && copy_is_stale(c, ask))
        return copy_without_rows(ask, into, ask->low, true, t);
    if (!copy_begin(c, ask->not_before, &at, t))
        return false;
    if (!is_known)
        sight = COPY_GONE;
    bool is_good = is_known && copy_read_rows(c, ask, into, at, &sight, t);
    if (!is_good && !copy_answer(c, ask, into, at, sight, t))
        return false;
    return sl_mariadb_execute(c->db, "ROLLBACK", t);
}

static sl_ns copy_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (sl_ns)now.tv_sec * SL_S + now.tv_nsec;
}

bool sl__copier_read(struct sl_copier *base, const struct sl_copy_ask *ask, struct sl_batch *into, struct sl_trouble *t)
{
    struct mariadb_copier *c = copier_of(base);
    sl_ns arrived = copy_now();
    if (!copy_chunk(c, ask, into, t))
        return c->is_interrupted ? sl_trouble_set(t, SL_TROUBLE_ENDED, "ENDED", "", "interrupted") : false;
    sl_batch_seal(into, SL_CHUNK_TS, arrived);
    return true;
}

/* ---- life ---- */

/* Text comes as the bytes that are stored, as in the log. */
static bool copy_connect(struct mariadb_copier *c, struct sl_trouble *t)
{
    return sl__source_connect(&c->db, &c->opts, t) &&
           sl_mariadb_execute(c->db,
                              "SET SESSION character_set_results=NULL, tx_isolation='REPEATABLE-READ', sql_mode='', "
                              "lock_wait_timeout=10, net_write_timeout=600",
                              t);
}

bool sl__copier_open(struct sl_copier **out, const struct sl_source_open *o, struct sl_trouble *t)
{
    struct mariadb_copier *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a copier");
    c->base.driver = &sl_mariadb_source_driver;
    c->fd = -1;
    c->rows_max = COPY_ROWS_FIRST;
    c->sql = malloc(COPY_SQL_MAX);
    pthread_mutex_init(&c->mutex, NULL);
    bool is_good = c->sql || sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a copier");
    if (!is_good || !sl__source_parse(&c->opts, o->uri, t) || !sl_table_filter_new(&c->filter, o->config, t) ||
        !copy_connect(c, t)) {
        sl__copier_close(&c->base);
        return false;
    }
    c->fd = (int)mysql_get_socket(c->db);
    *out = &c->base;
    return true;
}

void sl__copier_interrupt(struct sl_copier *base)
{
    struct mariadb_copier *c = copier_of(base);
    pthread_mutex_lock(&c->mutex);
    c->is_interrupted = true;
    if (c->fd >= 0)
        shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&c->mutex);
}

void sl__copier_close(struct sl_copier *base)
{
    struct mariadb_copier *c = copier_of(base);
    pthread_mutex_lock(&c->mutex);
    c->fd = -1;
    pthread_mutex_unlock(&c->mutex);
    sl_copy_table_free(&c->table);
    copy_drop_names(c);
    if (c->db)
        mysql_close(c->db);
    sl_table_filter_free(c->filter);
    sl_mariadb_target_wipe(&c->opts.target);
    pthread_mutex_destroy(&c->mutex);
    free(c->sql);
    free(c);
}
