/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/sink_state.h"

#include "base/hash.h"
#include "edge/mariadb/binlog_stream.h"
#include "edge/mariadb/gtids.h"
#include "edge/mariadb/sink_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

#define STATE_CHUNK 256u /* spans of one statement */
#define STATE_SQL_MAX 65536u

struct sl_sink_feed_key sl_sink_feed_key_of(const struct sl_feed_id *feed)
{
    struct sl_sink_feed_key key;
    for (unsigned i = 0; i < 8; i++) {
        key.bytes[i] = (uint8_t)(feed->high >> (56 - 8 * i));
        key.bytes[8 + i] = (uint8_t)(feed->low >> (56 - 8 * i));
    }
    return key;
}

bool sl_sink_add_columns(MYSQL *db, const char *look, const char *add, struct sl_trouble *t)
{
    if (sl_mariadb_execute(db, look, t)) {
        mysql_free_result(mysql_store_result(db));
        return true;
    }
    if (mysql_errno(db) != ER_BAD_FIELD_ERROR)
        return false;
    *t = (struct sl_trouble){ 0 };
    if (sl_mariadb_execute(db, add, t))
        return true;
    bool is_there = mysql_errno(db) == ER_DUP_FIELDNAME;
    if (is_there)
        *t = (struct sl_trouble){ 0 };
    return is_there;
}

bool sl_sink_state_prepare(MYSQL *db, struct sl_trouble *t)
{
    return sl_mariadb_execute(db, "CREATE DATABASE IF NOT EXISTS sluice", t) &&
           sl_mariadb_execute(db,
                              "CREATE TABLE IF NOT EXISTS sluice.progress ("
                              "feed BINARY(16) NOT NULL, table_id BIGINT NOT NULL, range_id BIGINT UNSIGNED NOT NULL, "
                              "maintainer_epoch BIGINT UNSIGNED NOT NULL, placement_seq BIGINT UNSIGNED NOT NULL, "
                              "ts BIGINT UNSIGNED NOT NULL, gtids VARBINARY(1024) NOT NULL DEFAULT '', "
                              "gtids_ts BIGINT UNSIGNED NOT NULL DEFAULT 0, "
                              "PRIMARY KEY (feed, table_id, range_id)) ENGINE=InnoDB",
                              t) &&
           sl_sink_add_columns(db, "SELECT gtids, gtids_ts FROM sluice.progress LIMIT 0",
                               "ALTER TABLE sluice.progress ADD COLUMN gtids VARBINARY(1024) NOT NULL DEFAULT '', "
                               "ADD COLUMN gtids_ts BIGINT UNSIGNED NOT NULL DEFAULT 0",
                               t) &&
           sl_mariadb_execute(db,
                              "CREATE TABLE IF NOT EXISTS sluice.source (feed BINARY(16) NOT NULL PRIMARY KEY, "
                              "ts BIGINT UNSIGNED NOT NULL, gtids VARBINARY(1024) NOT NULL) ENGINE=InnoDB",
                              t);
}

/* All of these are numbers: nothing of them can be taken for SQL. */
void sl_sink_put_feed(struct sl_text *sql, const struct sl_sink_feed_key *feed)
{
    static const char digits[] = "0123456789abcdef";
    sl_text_cstr(sql, "0x");
    for (size_t i = 0; i < sizeof feed->bytes; i++) {
        const char pair[2] = { digits[feed->bytes[i] >> 4], digits[feed->bytes[i] & 15] };
        sl_text_str(sql, (struct sl_str){ pair, 2 });
    }
}

void sl_sink_put_gtids(struct sl_text *sql, struct sl_str gtids)
{
    bool is_plain = gtids.len <= SL_GTIDS_TEXT_MAX;
    for (size_t i = 0; i < gtids.len; i++)
        is_plain = is_plain && strchr("0123456789-,", gtids.ptr[i]) && gtids.ptr[i] != '\0';
    sl_text_cstr(sql, "'");
    if (is_plain)
        sl_text_str(sql, gtids);
    sl_text_cstr(sql, "'");
}

static uint64_t state_range_id(const struct sl_span_key *key)
{
    uint64_t h = sl_hash_bytes(0, key->start_key.ptr, key->start_key.len);
    return key->start_key.len + key->end_key.len > 0 ? sl_hash_bytes(h, key->end_key.ptr, key->end_key.len) : 0;
}

static void state_put_span(struct sl_text *sql, const struct sl_sink_span *span)
{
    sl_text_i64(sql, span->key.table_id);
    sl_text_cstr(sql, ", ");
    sl_text_u64(sql, state_range_id(&span->key));
}

static bool state_run(MYSQL *db, const struct sl_text *sql, struct sl_trouble *t)
{
    SL_REQUIRE(!sql->cut);
    return mysql_real_query(db, sql->ptr, sql->len) == 0 || sl_mariadb_trouble(t, db, "progress in the sink");
}

/* ---- raise ---- */

/*
 * Whoever moves a feed to another server changes the sink first and the feed's source then. In between the sink is of the
 * new server (its epoch is larger) and nobody may go on with the old one.
 */
static bool state_check_epoch(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_claim *claims,
                              uint32_t count, struct sl_trouble *t)
{
    char memory[256];
    struct sl_text sql;
    MYSQL_RES *result;
    bool is_good = true;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "SELECT ts FROM sluice.source WHERE feed = ");
    sl_sink_put_feed(&sql, feed);
    if (!sl_mariadb_select(&result, db, sql.ptr, t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    uint8_t epoch = row ? sl_binlog_epoch(strtoull(row[0], NULL, 10)) : 0;
    for (uint32_t i = 0; i < count && is_good; i++)
        is_good = claims[i].start_ts == SL_TS_NONE || sl_binlog_epoch(claims[i].start_ts) >= epoch;
    mysql_free_result(result);
    return is_good || sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_UNFINISHED", "sluice feed repoint, once more",
                                     "the sink is ready for another server than the feed's source");
}

static void state_spell_read(struct sl_text *sql, const struct sl_sink_feed_key *feed,
                             const struct sl_sink_claim *claims, uint32_t count)
{
    sl_text_cstr(sql, "SELECT table_id, range_id, maintainer_epoch, placement_seq, ts FROM sluice.progress WHERE "
                      "feed = ");
    sl_sink_put_feed(sql, feed);
    sl_text_cstr(sql, " AND (table_id, range_id) IN (");
    for (uint32_t i = 0; i < count; i++) {
        sl_text_cstr(sql, i > 0 ? ", (" : "(");
        state_put_span(sql, &claims[i].span);
        sl_text_cstr(sql, ")");
    }
    sl_text_cstr(sql, ") FOR UPDATE");
}

static struct sl_sink_claim *state_find_claim(struct sl_sink_claim *claims, uint32_t count, int64_t table_id,
                                              uint64_t range_id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (claims[i].span.key.table_id == table_id && state_range_id(&claims[i].span.key) == range_id)
            return &claims[i];
    }
    return NULL;
}

static void state_judge(struct sl_sink_claim *claims, uint32_t count, MYSQL_ROW row)
{
    struct sl_sink_claim *claim =
        state_find_claim(claims, count, strtoll(row[0], NULL, 10), strtoull(row[1], NULL, 10));
    const struct sl_placement stored = { strtoull(row[2], NULL, 10), strtoull(row[3], NULL, 10) };
    if (!claim)
        return;
    claim->is_refused = sl_placement_cmp(stored, claim->span.placement) > 0;
    claim->stored_ts = strtoull(row[4], NULL, 10);
}

static bool state_read(MYSQL *db, const struct sl_text *sql, struct sl_sink_claim *claims, uint32_t count,
                       struct sl_trouble *t)
{
    if (!state_run(db, sql, t))
        return false;
    MYSQL_RES *result = mysql_store_result(db);
    if (!result)
        return sl_mariadb_trouble(t, db, "progress in the sink");
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(result)))
        state_judge(claims, count, row);
    mysql_free_result(result);
    return true;
}

/* False: every claim was refused. */
static bool state_spell_write(struct sl_text *sql, const struct sl_sink_feed_key *feed,
                              const struct sl_sink_claim *claims, uint32_t count)
{
    const char *between = "";
    sl_text_cstr(sql, "INSERT INTO sluice.progress (feed, table_id, range_id, maintainer_epoch, placement_seq, ts) "
                      "VALUES ");
    for (uint32_t i = 0; i < count; i++) {
        if (claims[i].is_refused)
            continue;
        sl_text_cstr(sql, between);
        sl_text_cstr(sql, "(");
        sl_sink_put_feed(sql, feed);
        sl_text_cstr(sql, ", ");
        state_put_span(sql, &claims[i].span);
        sl_text_cstr(sql, ", ");
        sl_text_u64(sql, claims[i].span.placement.maintainer_epoch);
        sl_text_cstr(sql, ", ");
        sl_text_u64(sql, claims[i].span.placement.seq);
        sl_text_cstr(sql, ", 0)");
        between = ", ";
    }
    sl_text_cstr(sql, " ON DUPLICATE KEY UPDATE maintainer_epoch = VALUES(maintainer_epoch), "
                      "placement_seq = VALUES(placement_seq)");
    return *between != 0;
}

static bool state_raise_chunk(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_sink_claim *claims,
                              uint32_t count, char *memory, struct sl_trouble *t)
{
    struct sl_text sql;
    for (uint32_t i = 0; i < count; i++) {
        claims[i].is_refused = false;
        claims[i].stored_ts = SL_TS_NONE;
        claims[i].copy = (struct sl_copy_stored){ .state = SL_COPY_NONE };
    }
    sl_text_init(&sql, memory, STATE_SQL_MAX);
    state_spell_read(&sql, feed, claims, count);
    if (!state_read(db, &sql, claims, count, t) || !sl_sink_copy_raise(db, feed, claims, count, t))
        return false;
    sl_text_init(&sql, memory, STATE_SQL_MAX);
    return !state_spell_write(&sql, feed, claims, count) || state_run(db, &sql, t);
}

bool sl_sink_state_raise(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_sink_claim *claims, uint32_t count,
                         struct sl_trouble *t)
{
    char *memory = malloc(STATE_SQL_MAX);
    bool is_good =
        memory != NULL || sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory to claim tables at the sink");
    is_good = is_good && state_check_epoch(db, feed, claims, count, t);
    for (uint32_t i = 0; is_good && i < count; i += STATE_CHUNK) {
        uint32_t chunk = count - i < STATE_CHUNK ? count - i : STATE_CHUNK;
        is_good = state_raise_chunk(db, feed, claims + i, chunk, memory, t);
    }
    free(memory);
    if (is_good && mysql_commit(db) == 0)
        return true;
    for (uint32_t i = 0; i < count; i++) {
        free(claims[i].copy.place);
        claims[i].copy = (struct sl_copy_stored){ .state = SL_COPY_NONE };
    }
    if (is_good)
        sl_mariadb_trouble(t, db, "claim of tables at the sink");
    (void)mysql_rollback(db);
    return false;
}

/* ---- rows ---- */

/*
 * Rows that match count, also if they change nothing: a row that was found is ours. ts comes last: what stands before it
 * is computed from the old one.
 */
bool sl_sink_state_advance(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_sink_span *span,
                           sl_ts through, struct sl_str gtids, struct sl_trouble *t)
{
    char memory[SL_GTIDS_TEXT_MAX + 1024];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "UPDATE sluice.progress SET gtids = IF(ts < ");
    sl_text_u64(&sql, through);
    sl_text_cstr(&sql, ", ");
    sl_sink_put_gtids(&sql, gtids);
    sl_text_cstr(&sql, ", gtids), gtids_ts = IF(ts < ");
    sl_text_u64(&sql, through);
    sl_text_cstr(&sql, ", ");
    sl_text_u64(&sql, through);
    sl_text_cstr(&sql, ", gtids_ts), ts = GREATEST(ts, ");
    sl_text_u64(&sql, through);
    sl_text_cstr(&sql, ") WHERE feed = ");
    sl_sink_put_feed(&sql, feed);
    /* one by one: for (table_id, range_id) = (...) a server reads all rows of the feed */
    sl_text_cstr(&sql, " AND table_id = ");
    sl_text_i64(&sql, span->key.table_id);
    sl_text_cstr(&sql, " AND range_id = ");
    sl_text_u64(&sql, state_range_id(&span->key));
    sl_text_cstr(&sql, " AND maintainer_epoch = ");
    sl_text_u64(&sql, span->placement.maintainer_epoch);
    sl_text_cstr(&sql, " AND placement_seq = ");
    sl_text_u64(&sql, span->placement.seq);
    if (!state_run(db, &sql, t))
        return false;
    if (mysql_affected_rows(db) == 1)
        return true;
    sl_trouble_set(t, SL_TROUBLE_STALE, "STALE_OWNER", "", "table %" PRId64 " has another owner", span->key.table_id);
    t->table_id = span->key.table_id;
    return false;
}

/* ---- the place of the source ---- */

bool sl_sink_state_keep_place(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_place *place,
                              struct sl_trouble *t)
{
    char memory[SL_GTIDS_TEXT_MAX + 1024];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "INSERT INTO sluice.source (feed, ts, gtids) VALUES (");
    sl_sink_put_feed(&sql, feed);
    sl_text_cstr(&sql, ", ");
    sl_text_u64(&sql, place->ts);
    sl_text_cstr(&sql, ", ");
    sl_sink_put_gtids(&sql, sl_str_of(place->gtids));
    sl_text_cstr(&sql, ") ON DUPLICATE KEY UPDATE gtids = IF(ts < VALUES(ts), VALUES(gtids), gtids), "
                       "ts = GREATEST(ts, VALUES(ts))");
    return state_run(db, &sql, t) && (mysql_commit(db) == 0 || sl_mariadb_trouble(t, db, "progress in the sink"));
}

static bool state_forget_rows(MYSQL *db, const char *table, const struct sl_sink_feed_key *feed, struct sl_trouble *t)
{
    char memory[256];
    struct sl_text sql;
    sl_text_init(&sql, memory, sizeof memory);
    sl_text_cstr(&sql, "DELETE FROM sluice.");
    sl_text_cstr(&sql, table);
    sl_text_cstr(&sql, " WHERE feed = ");
    sl_sink_put_feed(&sql, feed);
    return state_run(db, &sql, t);
}

bool sl_sink_state_forget(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_trouble *t)
{
    return state_forget_rows(db, "progress", feed, t) && state_forget_rows(db, "source", feed, t) &&
           (mysql_commit(db) == 0 || sl_mariadb_trouble(t, db, "progress in the sink"));
}
