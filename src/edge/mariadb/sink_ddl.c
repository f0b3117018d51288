/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/sink_ddl.h"

#include "base/hash.h"
#include "edge/mariadb/ddl_parse.h"
#include "edge/mariadb/sink_copy.h"
#include "edge/mariadb/sink_statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

#define DDL_SQL_MAX 2048u
#define DDL_MODE_ANSI_QUOTES 4u

bool sl_sink_ddl_prepare(MYSQL *db, struct sl_trouble *t)
{
    return sl_mariadb_execute(db,
                              "CREATE TABLE IF NOT EXISTS sluice.ddl ("
                              "feed BINARY(16) NOT NULL, table_id BIGINT NOT NULL, ts BIGINT UNSIGNED NOT NULL, "
                              "state ENUM('begun', 'done') NOT NULL, looked BIGINT UNSIGNED NOT NULL, "
                              "kind VARCHAR(32) NOT NULL, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, "
                              "gtid VARBINARY(64) NOT NULL DEFAULT '', "
                              "PRIMARY KEY (feed, table_id, ts)) ENGINE=InnoDB",
                              t) &&
           sl_sink_add_columns(db, "SELECT gtid FROM sluice.ddl LIMIT 0",
                               "ALTER TABLE sluice.ddl ADD COLUMN gtid VARBINARY(64) NOT NULL DEFAULT ''", t);
}

/* ---- what the schema looks like ---- */

/* All that a result says, and its errors of these numbers: that there is no such table is an answer too. */
static bool ddl_hash_rows(uint64_t *hash, MYSQL *db, const char *sql, struct sl_trouble *t)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    if (!sl_mariadb_select(&result, db, sql, t)) {
        unsigned error = mysql_errno(db);
        *hash = sl_hash_u64(*hash, error);
        return error == ER_NO_SUCH_TABLE || error == ER_BAD_DB_ERROR;
    }
    while ((row = mysql_fetch_row(result))) {
        for (unsigned i = 0; i < mysql_num_fields(result); i++) {
            /* the next number of a key moves with the rows */
            const char *counter = row[i] ? strstr(row[i], " AUTO_INCREMENT=") : NULL;
            size_t len = row[i] ? mysql_fetch_lengths(result)[i] : 0;
            if (counter)
                len = (size_t)(counter - row[i]);
            *hash = sl_hash_bytes(sl_hash_u64(*hash, i), row[i] ? row[i] : "", len);
        }
    }
    mysql_free_result(result);
    return true;
}

static bool ddl_look_at_table(uint64_t *hash, MYSQL *db, const struct sl_ddl_name *name, struct sl_trouble *t)
{
    char memory[DDL_SQL_MAX], schema[2 * SL_DDL_NAME_MAX + 1], table[2 * SL_DDL_NAME_MAX + 1];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "SHOW CREATE TABLE ");
    sl_statement_name(&sql, sl_str_of(name->schema));
    sl_text_cstr(&sql, ".");
    sl_statement_name(&sql, sl_str_of(name->table));
    SL_REQUIRE(!sql.cut);
    if (!ddl_hash_rows(hash, db, sql.ptr, t))
        return false;
    mysql_hex_string(schema, name->schema, (unsigned long)strlen(name->schema));
    mysql_hex_string(table, name->table, (unsigned long)strlen(name->table));
    snprintf(memory, sizeof memory,
             "SELECT create_time FROM information_schema.tables WHERE table_schema = CONVERT(0x%s USING utf8mb4) AND "
             "table_name = CONVERT(0x%s USING utf8mb4)",
             schema, table);
    return ddl_hash_rows(hash, db, memory, t);
}

static bool ddl_look_at_schema(uint64_t *hash, MYSQL *db, const struct sl_ddl_name *name, struct sl_trouble *t)
{
    char sql[DDL_SQL_MAX], schema[2 * SL_DDL_NAME_MAX + 1];
    mysql_hex_string(schema, name->schema, (unsigned long)strlen(name->schema));
    snprintf(sql, sizeof sql,
             "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = "
             "CONVERT(0x%s USING utf8mb4)",
             schema);
    return ddl_hash_rows(hash, db, sql, t);
}

/* A number that changes with everything that a statement may change of the tables and schemas that it names. */
static bool ddl_look(uint64_t *out, MYSQL *db, const struct sl_ddl *ddl, struct sl_trouble *t)
{
    struct sl_ddl_info *info = malloc(sizeof *info);
    if (!info)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a statement");
    bool is_good = true;
    sl_ddl_parse(info, ddl->schema, ddl->statement, (ddl->mode & DDL_MODE_ANSI_QUOTES) != 0);
    *out = 0;
    for (uint32_t i = 0; is_good && i < info->table_count; i++) {
        const struct sl_ddl_table *table = &info->tables[i];
        is_good = table->name.table[0] ? ddl_look_at_table(out, db, &table->name, t)
                                       : ddl_look_at_schema(out, db, &table->name, t);
        if (is_good && table->has_new_name)
            is_good = ddl_look_at_table(out, db, &table->new_name, t);
    }
    free(info);
    return is_good;
}

/* ---- the journal ---- */

struct ddl_row {
    bool is_there, is_done;
    uint64_t looked;
};

/* All of these are numbers. */
static void ddl_key(char *out, size_t size, const struct sl_sink_feed_key *feed, int64_t table_id, sl_ts ts,
                    const char *between)
{
    char hex[2 * sizeof feed->bytes + 1];
    mysql_hex_string(hex, (const char *)feed->bytes, sizeof feed->bytes);
    if (*between == ',')
        snprintf(out, size, "0x%s, %lld, %llu", hex, (long long)table_id, (unsigned long long)ts);
    else
        snprintf(out, size, "feed = 0x%s AND table_id = %lld AND ts = %llu", hex, (long long)table_id,
                 (unsigned long long)ts);
}

static bool ddl_read(struct ddl_row *out, MYSQL *db, const char *where, struct sl_trouble *t)
{
    char sql[DDL_SQL_MAX];
    MYSQL_RES *result;
    snprintf(sql, sizeof sql, "SELECT state, looked FROM sluice.ddl WHERE %s", where);
    if (!sl_mariadb_select(&result, db, sql, t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    *out = (struct ddl_row){ .is_there = row != NULL };
    if (row) {
        out->is_done = strcmp(row[0], "done") == 0;
        out->looked = strtoull(row[1], NULL, 10);
    }
    mysql_free_result(result);
    return true;
}

static bool ddl_commit(MYSQL *db, struct sl_trouble *t)
{
    return mysql_commit(db) == 0 || sl_mariadb_trouble(t, db, "journal of schema changes");
}

static bool ddl_begin(MYSQL *db, const char *values, uint64_t looked, const struct sl_ddl *ddl, struct sl_trouble *t)
{
    char memory[DDL_SQL_MAX];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "REPLACE INTO sluice.ddl (feed, table_id, ts, state, looked, kind, gtid) VALUES (");
    sl_text_cstr(&sql, values);
    sl_text_cstr(&sql, ", 'begun', ");
    sl_text_u64(&sql, looked);
    sl_text_cstr(&sql, ", '");
    sl_text_cstr(&sql, ddl->kind);
    sl_text_cstr(&sql, "', ");
    sl_sink_put_gtids(&sql, ddl->gtid);
    sl_text_cstr(&sql, ")");
    SL_REQUIRE(!sql.cut);
    return sl_mariadb_execute(db, memory, t) && ddl_commit(db, t);
}

/* Done, and the span's progress, together. */
static bool ddl_end(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span,
                    const struct sl_ddl *ddl, const char *where, struct sl_trouble *t)
{
    char sql[DDL_SQL_MAX];
    snprintf(sql, sizeof sql, "UPDATE sluice.ddl SET state = 'done' WHERE %s", where);
    return sl_mariadb_execute(db, sql, t) && sl_sink_state_advance(db, feed, span, ddl->ts, ddl->gtids, t) &&
           ddl_commit(db, t);
}

/* ---- performing it ---- */

/*
 * The schema in which a statement was given need not exist here: it may be the one that the statement makes, or one that
 * is not replicated. Then nothing may be meant that is not named in full.
 */
static bool ddl_use(MYSQL *db, struct sl_str schema, struct sl_trouble *t)
{
    char memory[DDL_SQL_MAX];
    struct sl_text sql;
    if (schema.len == 0)
        return true;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "USE ");
    sl_statement_name(&sql, schema);
    return sl_mariadb_execute(db, sql.ptr, t) ||
           (mysql_errno(db) == ER_BAD_DB_ERROR && sl_mariadb_execute(db, "USE information_schema", t));
}

/* The statement is said in the charset and quoting it was written in; afterwards the session is as it was. */
static bool ddl_say(MYSQL *db, const struct sl_ddl *ddl, struct sl_trouble *t)
{
    bool is_ansi = (ddl->mode & DDL_MODE_ANSI_QUOTES) != 0;
    const char *before = is_ansi ? "SET NAMES utf8mb4, sql_mode='NO_AUTO_VALUE_ON_ZERO,ANSI_QUOTES'"
                                 : "SET NAMES utf8mb4, sql_mode='NO_AUTO_VALUE_ON_ZERO'";
    if (!sl_mariadb_execute(db, before, t))
        return false;
    bool is_good = mysql_real_query(db, ddl->statement.ptr, ddl->statement.len) == 0;
    unsigned error = mysql_errno(db);
    if (!is_good && !sl_mariadb_is_passing(error))
        return sl_trouble_set(
            t, SL_TROUBLE_LASTING, "SINK_REFUSES_DDL",
            "correct the sink and resume the feed, or perform it by hand and resume with --skip-ddl TS",
            "the sink refuses '%s' of ts %llu: error %u (%s)", ddl->kind, (unsigned long long)ddl->ts, error,
            mysql_sqlstate(db));
    if (!is_good)
        return sl_mariadb_trouble(t, db, ddl->kind);
    return sl_mariadb_execute(db, "SET NAMES binary, sql_mode='NO_AUTO_VALUE_ON_ZERO'", t);
}

static bool ddl_forgives(unsigned error, const struct sl_ddl *ddl)
{
    bool makes = ddl->effect == SL_DDL_MAKES && (error == ER_TABLE_EXISTS_ERROR || error == ER_DB_CREATE_EXISTS);
    bool drops = ddl->dropped_count > 0 && ddl->added_count == 0 && (error == ER_BAD_TABLE_ERROR);
    return makes || drops || (ddl->influence == SL_INFLUENCE_DB && error == ER_DB_DROP_EXISTS);
}

/* A table that is there already, or is gone already, is as it should be: somebody prepared the sink by hand. */
static bool ddl_perform(MYSQL *db, const struct sl_ddl *ddl, struct sl_trouble *t)
{
    if (!ddl_use(db, ddl->schema, t))
        return false;
    if (ddl_say(db, ddl, t))
        return true;
    bool is_forgiven = ddl_forgives(mysql_errno(db), ddl);
    return is_forgiven && sl_mariadb_execute(db, "SET NAMES binary, sql_mode='NO_AUTO_VALUE_ON_ZERO'", t);
}

/*
 * A statement goes on at the server when its client is gone. Its connection holds this lock as long as that takes, so who
 * comes after it waits, and finds in the journal and in the tables what has become of it.
 */
static bool ddl_lock(MYSQL *db, const struct sl_sink_feed_key *feed, int64_t table_id, struct sl_trouble *t)
{
    char hex[2 * sizeof feed->bytes + 1], sql[DDL_SQL_MAX];
    bool is_ours = false;
    mysql_hex_string(hex, (const char *)feed->bytes, sizeof feed->bytes);
    snprintf(sql, sizeof sql, "SELECT GET_LOCK('sl.%s.%llx', 10)", hex, (unsigned long long)table_id);
    while (!is_ours) {
        MYSQL_RES *result;
        if (!sl_mariadb_select(&result, db, sql, t))
            return false;
        MYSQL_ROW row = mysql_fetch_row(result);
        is_ours = row && row[0] && row[0][0] == '1';
        mysql_free_result(result);
    }
    return true;
}

bool sl_sink_ddl_execute(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span,
                         const struct sl_ddl *ddl, struct sl_trouble *t)
{
    char where[DDL_SQL_MAX / 4], values[DDL_SQL_MAX / 4];
    struct ddl_row row = { 0 };
    uint64_t looks = 0;
    ddl_key(where, sizeof where, feed, span->key.table_id, ddl->ts, "AND");
    ddl_key(values, sizeof values, feed, span->key.table_id, ddl->ts, ",");
    if (!ddl_lock(db, feed, span->key.table_id, t))
        return false;
    if (!sl_sink_state_advance(db, feed, span, ddl->ts - 1, ddl->gtids_before, t)) /* whoever is stale stops here */
        return false;
    if (!ddl_commit(db, t) || !ddl_read(&row, db, where, t) || !ddl_commit(db, t))
        return false;
    bool is_past = false; /* the tables were copied as they are behind it */
    if (!row.is_done && ddl->effect == SL_DDL_JOINT && !sl_sink_copy_is_past(db, feed, ddl, &is_past, t))
        return false;
    if (!row.is_done && !ddl_look(&looks, db, ddl, t))
        return false;
    bool was_performed = row.is_there && !row.is_done && row.looked != looks;
    if (!row.is_done && !was_performed &&
        (!ddl_begin(db, values, looks, ddl, t) || (!is_past && !ddl_perform(db, ddl, t))))
        return false;
    return ddl_end(db, feed, span, ddl, where, t);
}

bool sl_sink_ddl_was_executed(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span, sl_ts ts,
                              bool *out, struct sl_trouble *t)
{
    char where[DDL_SQL_MAX / 4];
    struct ddl_row row;
    ddl_key(where, sizeof where, feed, span->key.table_id, ts, "AND");
    if (!ddl_read(&row, db, where, t) || !ddl_commit(db, t))
        return false;
    *out = row.is_done;
    return true;
}
