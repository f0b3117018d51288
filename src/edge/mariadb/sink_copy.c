/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/sink_copy.h"

#include "edge/mariadb/sink_statement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

#define COPY_SQL_MAX 65536u
#define COPY_IDS_MAX 1024u

bool sl_sink_copy_schema(MYSQL *db, struct sl_trouble *t)
{
    return sl_mariadb_execute(
        db,
        "CREATE TABLE IF NOT EXISTS sluice.copy ("
        "feed BINARY(16) NOT NULL, table_id BIGINT NOT NULL, "
        "state ENUM('wanted', 'again', 'begun', 'done') NOT NULL, schema_name VARBINARY(256) NOT NULL DEFAULT '', "
        "table_name VARBINARY(256) NOT NULL DEFAULT '', chunk BIGINT UNSIGNED NOT NULL DEFAULT 0, "
        "low BIGINT UNSIGNED NOT NULL DEFAULT 0, high BIGINT UNSIGNED NOT NULL DEFAULT 0, "
        "is_partly BOOL NOT NULL DEFAULT 0, rows_done BIGINT UNSIGNED NOT NULL DEFAULT 0, "
        "rows_about BIGINT UNSIGNED NOT NULL DEFAULT 0, place BLOB, "
        "at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, "
        "PRIMARY KEY (feed, table_id)) ENGINE=InnoDB",
        t);
}

static bool copy_run(MYSQL *db, const struct sl_text *sql, struct sl_trouble *t)
{
    SL_REQUIRE(!sql->cut);
    return mysql_real_query(db, sql->ptr, sql->len) == 0 || sl_mariadb_trouble(t, db, "copies in the sink");
}

static bool copy_select(MYSQL_RES **out, MYSQL *db, const struct sl_text *sql, struct sl_trouble *t)
{
    *out = copy_run(db, sql, t) ? mysql_store_result(db) : NULL;
    return *out || (t->kind == SL_TROUBLE_NONE && sl_mariadb_trouble(t, db, "copies in the sink")) || false;
}

static void copy_put_hex(struct sl_text *sql, struct sl_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    sl_text_cstr(sql, bytes.len > 0 ? "0x" : "''");
    for (size_t i = 0; i < bytes.len; i++) {
        const char pair[2] = { digits[bytes.ptr[i] >> 4], digits[bytes.ptr[i] & 15] };
        sl_text_str(sql, (struct sl_str){ pair, 2 });
    }
}

static void copy_put_where(struct sl_text *sql, const struct sl_sink_feed_key *feed, int64_t table_id)
{
    sl_text_cstr(sql, " WHERE feed = ");
    sl_sink_put_feed(sql, feed);
    sl_text_cstr(sql, " AND table_id = ");
    sl_text_i64(sql, table_id);
}

/* ---- raise ---- */

static enum sl_copy_state copy_state_of(const char *name)
{
    static const char *const names[] = { "", "wanted", "again", "begun", "done" };
    for (size_t i = 1; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return (enum sl_copy_state)i;
    return SL_COPY_NONE;
}

enum copy_field {
    COPY_TABLE,
    COPY_STATE,
    COPY_CHUNK,
    COPY_LOW,
    COPY_HIGH,
    COPY_PARTLY,
    COPY_ROWS,
    COPY_ABOUT,
    COPY_PLACE
};

static void copy_take_row(struct sl_sink_claim *claims, uint32_t count, MYSQL_ROW row, const unsigned long *lengths)
{
    int64_t table_id = strtoll(row[COPY_TABLE], NULL, 10);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_copy_stored *c = &claims[i].copy;
        if (claims[i].span.key.table_id != table_id || claims[i].span.is_table_trigger)
            continue;
        *c = (struct sl_copy_stored){ .state = copy_state_of(row[COPY_STATE]),
                                      .number = strtoull(row[COPY_CHUNK], NULL, 10),
                                      .low = strtoull(row[COPY_LOW], NULL, 10),
                                      .high = strtoull(row[COPY_HIGH], NULL, 10),
                                      .is_partly = row[COPY_PARTLY][0] == '1',
                                      .rows = strtoull(row[COPY_ROWS], NULL, 10),
                                      .rows_about = strtoull(row[COPY_ABOUT], NULL, 10) };
        size_t len = row[COPY_PLACE] ? lengths[COPY_PLACE] : 0;
        c->place = len > 0 && len <= SL_COPY_PLACE_MAX ? malloc(len) : NULL;
        if (c->place)
            memcpy(c->place, row[COPY_PLACE], len);
        else if (c->state == SL_COPY_BEGUN) /* what is there cannot be gone on with */
            c->state = SL_COPY_AGAIN;
        c->place_len = c->place ? len : 0;
        return;
    }
}

static bool copy_read(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_sink_claim *claims, uint32_t count,
                      char *memory, struct sl_trouble *t)
{
    struct sl_text sql;
    MYSQL_RES *result;
    MYSQL_ROW row;
    sl_text_init(&sql, memory, COPY_SQL_MAX);
    sl_text_cstr(&sql, "SELECT table_id, state, chunk, low, high, is_partly, rows_done, rows_about, place "
                       "FROM sluice.copy WHERE feed = ");
    sl_sink_put_feed(&sql, feed);
    sl_text_cstr(&sql, " AND table_id IN (0");
    for (uint32_t i = 0; i < count; i++) {
        sl_text_cstr(&sql, ", ");
        sl_text_i64(&sql, claims[i].span.key.table_id);
    }
    sl_text_cstr(&sql, ")");
    if (!copy_select(&result, db, &sql, t))
        return false;
    while ((row = mysql_fetch_row(result)))
        copy_take_row(claims, count, row, mysql_fetch_lengths(result));
    mysql_free_result(result);
    return true;
}

static bool copy_want(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_sink_claim *claims, uint32_t count,
                      char *memory, struct sl_trouble *t)
{
    struct sl_text sql;
    const char *between = "";
    sl_text_init(&sql, memory, COPY_SQL_MAX);
    sl_text_cstr(&sql, "INSERT IGNORE INTO sluice.copy (feed, table_id, state) VALUES ");
    for (uint32_t i = 0; i < count; i++) {
        struct sl_sink_claim *c = &claims[i];
        if (!c->wants_copy || c->is_refused || c->copy.state != SL_COPY_NONE)
            continue;
        sl_text_cstr(&sql, between);
        sl_text_cstr(&sql, "(");
        sl_sink_put_feed(&sql, feed);
        sl_text_cstr(&sql, ", ");
        sl_text_i64(&sql, c->span.key.table_id);
        sl_text_cstr(&sql, ", 'wanted')");
        c->copy.state = SL_COPY_WANTED;
        between = ", ";
    }
    return *between == 0 || copy_run(db, &sql, t);
}

bool sl_sink_copy_raise(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_sink_claim *claims, uint32_t count,
                        struct sl_trouble *t)
{
    char *memory = malloc(COPY_SQL_MAX);
    bool is_good =
        memory || sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory to claim tables at the sink");
    is_good = is_good && copy_read(db, feed, claims, count, memory, t) && copy_want(db, feed, claims, count, memory, t);
    free(memory);
    return is_good;
}

/* ---- making the table ---- */

static void copy_put_table(struct sl_text *sql, const struct sl_chunk *chunk)
{
    sl_statement_name(sql, chunk->schema);
    sl_text_cstr(sql, ".");
    sl_statement_name(sql, chunk->table);
}

static bool copy_about_table(MYSQL *db, const char *verb, const struct sl_chunk *chunk, const char *rest,
                             struct sl_trouble *t)
{
    char memory[2048];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, verb);
    copy_put_table(&sql, chunk);
    sl_text_cstr(&sql, rest);
    return copy_run(db, &sql, t);
}

/* A table that is not there is empty. */
static bool copy_is_empty(MYSQL *db, const struct sl_chunk *chunk, bool *out, struct sl_trouble *t)
{
    MYSQL_RES *result;
    *out = true;
    if (!copy_about_table(db, "SELECT 1 FROM ", chunk, " LIMIT 1", t)) {
        unsigned error = mysql_errno(db);
        return error == ER_NO_SUCH_TABLE || error == ER_BAD_DB_ERROR;
    }
    result = mysql_store_result(db);
    *out = result && mysql_num_rows(result) == 0;
    mysql_free_result(result);
    return result || sl_mariadb_trouble(t, db, "copies in the sink");
}

static bool copy_column_is_same(const struct sl_column *column, MYSQL_ROW row)
{
    bool is_key = (column->flags & SL_COLUMN_KEY) != 0;
    return row[0] && row[1] && sl_str_eq(column->name, sl_str_of(row[0])) &&
           sl_str_eq(column->type, sl_str_of(row[1])) && row[2] && (row[2][0] == '1') == is_key;
}

/* Same names, types and key, so the table may stay, with whatever else it has here. */
static bool copy_is_same(MYSQL *db, const struct sl_table_def *def, bool *out, struct sl_trouble *t)
{
    char memory[4096];
    struct sl_text sql;
    MYSQL_RES *result;
    MYSQL_ROW row;
    uint32_t i = 0;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "SELECT column_name, column_type, column_key = 'PRI' FROM information_schema.columns WHERE "
                       "table_schema = CONVERT(");
    copy_put_hex(&sql, (struct sl_bytes){ (const uint8_t *)def->schema.ptr, def->schema.len });
    sl_text_cstr(&sql, " USING utf8mb4) AND table_name = CONVERT(");
    copy_put_hex(&sql, (struct sl_bytes){ (const uint8_t *)def->table.ptr, def->table.len });
    sl_text_cstr(&sql, " USING utf8mb4) ORDER BY ordinal_position");
    if (!copy_select(&result, db, &sql, t))
        return false;
    *out = mysql_num_rows(result) == def->column_count;
    while (*out && (row = mysql_fetch_row(result)))
        *out = copy_column_is_same(&def->columns[i++], row);
    mysql_free_result(result);
    return true;
}

/* Definitions are said in the charset they were written in; afterwards the session is as it was. */
static bool copy_say(MYSQL *db, struct sl_str statement, const struct sl_chunk *chunk, struct sl_trouble *t)
{
    if (!sl_mariadb_execute(db, "SET NAMES utf8mb4, sql_mode='NO_AUTO_VALUE_ON_ZERO'", t))
        return false;
    bool is_good = mysql_select_db(db, "sluice") == 0; /* names of tables stand alone in SHOW CREATE TABLE */
    if (is_good && chunk->schema.ptr) {
        char memory[512];
        struct sl_text sql;
        sl_text_init(&sql, memory, sizeof memory);
        sl_text_cstr(&sql, "USE ");
        sl_statement_name(&sql, chunk->schema);
        is_good = mysql_real_query(db, sql.ptr, sql.len) == 0 || mysql_errno(db) == ER_BAD_DB_ERROR;
    }
    is_good = is_good && mysql_real_query(db, statement.ptr, statement.len) == 0;
    if (!is_good && !sl_mariadb_is_passing(mysql_errno(db)))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "SINK_REFUSES_TABLE",
                              "make the table at the sink by hand, with the source's columns",
                              "the sink refuses to make %.*s.%.*s: error %u (%s)", (int)chunk->schema.len,
                              chunk->schema.ptr, (int)chunk->table.len, chunk->table.ptr, mysql_errno(db),
                              mysql_sqlstate(db));
    if (!is_good)
        return sl_mariadb_trouble(t, db, "copies in the sink");
    return sl_mariadb_execute(db, "SET NAMES binary, sql_mode='NO_AUTO_VALUE_ON_ZERO'", t);
}

static bool copy_make(MYSQL *db, const struct sl_batch *batch, struct sl_trouble *t)
{
    const struct sl_chunk *chunk = sl_batch_chunk(batch);
    const struct sl_table_def *def = sl_batch_table(batch, 0)->def;
    bool is_same;
    if (!copy_say(db, chunk->make_schema, chunk, t) || !copy_is_same(db, def, &is_same, t))
        return false;
    if (is_same)
        return copy_about_table(db, "TRUNCATE TABLE ", chunk, "", t);
    return copy_about_table(db, "DROP TABLE IF EXISTS ", chunk, "", t) && copy_say(db, chunk->make_table, chunk, t);
}

/* ---- preparing ---- */

static bool copy_stored_state(MYSQL *db, const struct sl_sink_feed_key *feed, int64_t table_id, enum sl_copy_state *out,
                              struct sl_trouble *t)
{
    char memory[512];
    struct sl_text sql;
    MYSQL_RES *result;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "SELECT state FROM sluice.copy");
    copy_put_where(&sql, feed, table_id);
    sl_text_cstr(&sql, " FOR UPDATE");
    if (!copy_select(&result, db, &sql, t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    *out = row ? copy_state_of(row[0]) : SL_COPY_NONE;
    mysql_free_result(result);
    return true;
}

static bool copy_refuse(const struct sl_chunk *chunk, int64_t table_id, struct sl_trouble *t)
{
    t->table_id = table_id;
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_NOT_EMPTY",
                          "empty or drop it at the sink and resume the feed, or ask for it: sluice feed resync",
                          "%.*s.%.*s has rows at the sink already", (int)chunk->schema.len, chunk->schema.ptr,
                          (int)chunk->table.len, chunk->table.ptr);
}

static bool copy_set_again(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_chunk *chunk,
                           int64_t table_id, struct sl_trouble *t)
{
    char memory[4096];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "REPLACE INTO sluice.copy (feed, table_id, state, schema_name, table_name) VALUES (");
    sl_sink_put_feed(&sql, feed);
    sl_text_cstr(&sql, ", ");
    sl_text_i64(&sql, table_id);
    sl_text_cstr(&sql, ", 'again', ");
    copy_put_hex(&sql, (struct sl_bytes){ (const uint8_t *)chunk->schema.ptr, chunk->schema.len });
    sl_text_cstr(&sql, ", ");
    copy_put_hex(&sql, (struct sl_bytes){ (const uint8_t *)chunk->table.ptr, chunk->table.len });
    sl_text_cstr(&sql, ")");
    return copy_run(db, &sql, t);
}

static bool copy_commit(MYSQL *db, struct sl_trouble *t)
{
    return mysql_commit(db) == 0 || sl_mariadb_trouble(t, db, "copies in the sink");
}

bool sl_sink_copy_prepare(MYSQL *db, MYSQL *guard, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span,
                          const struct sl_batch *batch, struct sl_trouble *t)
{
    const struct sl_chunk *chunk = sl_batch_chunk(batch);
    int64_t table_id = span->key.table_id;
    enum sl_copy_state state;
    bool is_empty = true;
    if (!sl_sink_state_advance(db, feed, span, SL_TS_NONE, SL_STR(""), t) ||
        !copy_stored_state(db, feed, table_id, &state, t))
        return false;
    if (state <= SL_COPY_WANTED && !copy_is_empty(db, chunk, &is_empty, t))
        return false;
    if (!is_empty)
        return copy_refuse(chunk, table_id, t);
    *t = (struct sl_trouble){ 0 };
    if (!copy_set_again(db, feed, chunk, table_id, t) || !copy_commit(db, t))
        return false;
    return sl_sink_state_advance(guard, feed, span, SL_TS_NONE, SL_STR(""), t) && copy_make(db, batch, t);
}

/* ---- chunks ---- */

bool sl_sink_copy_store(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span,
                        const struct sl_batch *batch, struct sl_trouble *t)
{
    const struct sl_chunk *c = sl_batch_chunk(batch);
    char *memory = malloc(COPY_SQL_MAX);
    struct sl_text sql;
    if (!memory)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a chunk of rows");
    sl_text_init(&sql, memory, COPY_SQL_MAX);
    sl_text_cstr(&sql, "UPDATE sluice.copy SET state = ");
    sl_text_cstr(&sql, c->is_last ? "'done', chunk = " : "'begun', chunk = ");
    sl_text_u64(&sql, c->number);
    sl_text_cstr(&sql, ", low = ");
    sl_text_u64(&sql, c->low);
    sl_text_cstr(&sql, ", high = ");
    sl_text_u64(&sql, c->high);
    sl_text_cstr(&sql, c->is_gone && c->number > 1 ? ", is_partly = 1, rows_done = " : ", is_partly = 0, rows_done = ");
    sl_text_u64(&sql, c->rows_before + sl_batch_row_count(batch));
    sl_text_cstr(&sql, ", rows_about = ");
    sl_text_u64(&sql, c->rows_about);
    sl_text_cstr(&sql, ", place = ");
    copy_put_hex(&sql, c->place);
    copy_put_where(&sql, feed, span->key.table_id);
    bool is_good = copy_run(db, &sql, t);
    free(memory);
    return is_good;
}

/* ---- asking ---- */

bool sl_sink_copy_asked(MYSQL *db, const struct sl_sink_feed_key *feed, int64_t *table_ids, uint32_t *count,
                        struct sl_trouble *t)
{
    char memory[512];
    struct sl_text sql;
    MYSQL_RES *result;
    MYSQL_ROW row;
    uint32_t max = *count;
    *count = 0;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "SELECT table_id FROM sluice.copy WHERE feed = ");
    sl_sink_put_feed(&sql, feed);
    sl_text_cstr(&sql, " AND state = 'again' LIMIT ");
    sl_text_u64(&sql, max);
    if (!copy_select(&result, db, &sql, t))
        return false;
    while ((row = mysql_fetch_row(result)) && *count < max)
        table_ids[(*count)++] = strtoll(row[0], NULL, 10);
    mysql_free_result(result);
    return copy_commit(db, t);
}

static bool copy_has_progress(MYSQL *db, const struct sl_sink_feed_key *feed, int64_t table_id, bool *out,
                              struct sl_trouble *t)
{
    char memory[512];
    struct sl_text sql;
    MYSQL_RES *result;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "SELECT 1 FROM sluice.progress");
    copy_put_where(&sql, feed, table_id);
    if (!copy_select(&result, db, &sql, t))
        return false;
    *out = mysql_num_rows(result) > 0;
    mysql_free_result(result);
    return true;
}

bool sl_sink_copy_ask(MYSQL *db, const struct sl_sink_feed_key *feed, int64_t table_id, struct sl_trouble *t)
{
    char memory[1024];
    struct sl_text sql;
    bool has_progress;
    if (!copy_has_progress(db, feed, table_id, &has_progress, t))
        return false;
    if (!has_progress)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_NO_TABLE", "see the feed's filter rules",
                              "the feed has no such table at its sink");
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "INSERT INTO sluice.copy (feed, table_id, state) VALUES (");
    sl_sink_put_feed(&sql, feed);
    sl_text_cstr(&sql, ", ");
    sl_text_i64(&sql, table_id);
    sl_text_cstr(&sql, ", 'again') ON DUPLICATE KEY UPDATE state = 'again', chunk = 0");
    return copy_run(db, &sql, t) && copy_commit(db, t);
}

bool sl_sink_copy_forget(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_trouble *t)
{
    char memory[256];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "DELETE FROM sluice.copy WHERE feed = ");
    sl_sink_put_feed(&sql, feed);
    return copy_run(db, &sql, t);
}

/* ---- changes of several tables ---- */

static void copy_put_reach(struct sl_text *sql, const struct sl_ddl *ddl)
{
    if (ddl->influence == SL_INFLUENCE_NORMAL) {
        sl_text_cstr(sql, " AND table_id IN (0");
        for (uint32_t i = 0; i < ddl->table_count && i < COPY_IDS_MAX; i++) {
            sl_text_cstr(sql, ", ");
            sl_text_i64(sql, ddl->tables[i]);
        }
        sl_text_cstr(sql, ")");
    } else if (ddl->influence == SL_INFLUENCE_DB) {
        sl_text_cstr(sql, " AND schema_name = ");
        copy_put_hex(sql, (struct sl_bytes){ (const uint8_t *)ddl->schema.ptr, ddl->schema.len });
    }
}

bool sl_sink_copy_is_past(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_ddl *ddl, bool *is_past,
                          struct sl_trouble *t)
{
    char *memory = malloc(COPY_SQL_MAX);
    struct sl_text sql;
    MYSQL_RES *result;
    *is_past = false;
    if (!memory)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a schema change");
    sl_text_init(&sql, memory, COPY_SQL_MAX);
    sl_text_cstr(&sql, "SELECT count(*), COALESCE(SUM(low >= ");
    sl_text_u64(&sql, ddl->ts);
    sl_text_cstr(&sql, "), 0) FROM sluice.copy WHERE feed = ");
    sl_sink_put_feed(&sql, feed);
    copy_put_reach(&sql, ddl);
    bool is_good = copy_select(&result, db, &sql, t);
    free(memory);
    if (!is_good)
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    uint64_t newer = row && row[1] ? strtoull(row[1], NULL, 10) : 0;
    uint64_t all = row && row[0] ? strtoull(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    *is_past = newer > 0 && newer == all;
    return newer == 0 || newer == all ||
           sl_trouble_set(t, SL_TROUBLE_LASTING, "COPY_SCHEMA_CHANGED",
                          "remove the feed, empty its tables at the sink and make it anew with --start snapshot",
                          "tables were renamed or dropped while some of them were copied ('%s' of ts %llu)", ddl->kind,
                          (unsigned long long)ddl->ts);
}
