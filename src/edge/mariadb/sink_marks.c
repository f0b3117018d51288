/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/sink_marks.h"

#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

#define MARKS_SQL_MAX 1024u
#define MARKS_COUNT_MAX (4u << 20)

struct marks_statement {
    struct sl_text text;
    char memory[MARKS_SQL_MAX];
};

static struct sl_text *marks_begin(struct marks_statement *s, const char *sql)
{
    sl_text_init(&s->text, s->memory, sizeof s->memory);
    sl_text_cstr(&s->text, sql);
    return &s->text;
}

static struct sl_text *marks_of_feed(struct marks_statement *s, const char *sql, const struct sl_sink_feed_key *feed)
{
    struct sl_text *text = marks_begin(s, sql);
    sl_text_cstr(text, " WHERE feed = ");
    sl_sink_put_feed(text, feed);
    return text;
}

/* A sink that no node of this version has opened has not got these tables, or these columns. */
static bool marks_select(MYSQL_RES **out, MYSQL *db, const struct marks_statement *s, struct sl_trouble *t)
{
    SL_REQUIRE(!s->text.cut);
    if (sl_mariadb_select(out, db, s->memory, t))
        return true;
    unsigned error = mysql_errno(db);
    if (error != ER_BAD_FIELD_ERROR && error != ER_NO_SUCH_TABLE && error != ER_BAD_DB_ERROR)
        return false;
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_NO_PLACE", "let the feed run for a moment on its old source",
                          "the sink holds no GTID position of the feed");
}

static bool marks_do(MYSQL *db, const struct marks_statement *s, struct sl_trouble *t)
{
    SL_REQUIRE(!s->text.cut);
    return sl_mariadb_execute(db, s->memory, t);
}

/* ---- reading ---- */

static bool marks_put(struct sl_marks *m, const struct sl_mark *mark, const char *gtids, struct sl_trouble *t)
{
    if (m->count >= MARKS_COUNT_MAX)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "LIMIT", "", "the sink has more than %u tables of the feed",
                              MARKS_COUNT_MAX);
    return sl_marks_add(m, mark, gtids) || sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for marks");
}

static bool marks_read_base(MYSQL *db, const struct sl_sink_feed_key *feed, const char *how, struct sl_marks *out,
                            struct sl_trouble *t)
{
    struct marks_statement s;
    MYSQL_RES *result;
    sl_text_cstr(marks_of_feed(&s, "SELECT ts, gtids FROM sluice.source", feed), how);
    if (!marks_select(&result, db, &s, t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    bool is_good = row && row[1][0] != '\0';
    if (is_good) {
        const struct sl_mark mark = { .kind = SL_MARK_BASE, .ts = strtoull(row[0], NULL, 10) };
        is_good = marks_put(out, &mark, row[1], t);
    } else {
        sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_NO_PLACE",
                       "let the feed run for a moment on its old source, a MariaDB server with GTIDs",
                       "the sink holds no GTID position of the feed");
    }
    mysql_free_result(result);
    return is_good;
}

/* Tables whose copy goes on, or is not behind the base: their copies begin again, from rows of the new server. */
static void marks_put_copied(struct sl_text *sql, const char *state, const char *high, sl_ts base)
{
    sl_text_cstr(sql, "(");
    sl_text_cstr(sql, state);
    sl_text_cstr(sql, " <> 'done' OR ");
    sl_text_cstr(sql, high);
    sl_text_cstr(sql, " > ");
    sl_text_u64(sql, base);
    sl_text_cstr(sql, ")");
}

static bool marks_read_spans(MYSQL *db, const struct sl_sink_feed_key *feed, const char *how, struct sl_marks *out,
                             struct sl_trouble *t)
{
    struct marks_statement s;
    MYSQL_RES *result;
    MYSQL_ROW row;
    struct sl_text *sql = marks_begin(&s, "SELECT p.table_id, p.range_id, p.ts, IF(p.gtids_ts = p.ts, p.gtids, ''), "
                                          "c.state IS NOT NULL AND ");
    marks_put_copied(sql, "c.state", "c.high", out->list[0].ts);
    sl_text_cstr(sql, " FROM sluice.progress p LEFT JOIN sluice.copy c ON c.feed = p.feed AND c.table_id = p.table_id "
                      "WHERE p.ts > 0 AND p.feed = ");
    sl_sink_put_feed(sql, feed);
    sl_text_cstr(sql, " ORDER BY p.table_id, p.range_id");
    sl_text_cstr(sql, how);
    if (!marks_select(&result, db, &s, t))
        return false;
    bool is_good = true;
    while (is_good && (row = mysql_fetch_row(result))) {
        const struct sl_mark mark = { .kind = SL_MARK_SPAN,
                                      .is_void = row[4][0] == '1',
                                      .table_id = strtoll(row[0], NULL, 10),
                                      .range_id = strtoull(row[1], NULL, 10),
                                      .ts = strtoull(row[2], NULL, 10) };
        is_good = marks_put(out, &mark, row[3], t);
    }
    mysql_free_result(result);
    return is_good;
}

static bool marks_read_changes(MYSQL *db, const struct sl_sink_feed_key *feed, const char *how, struct sl_marks *out,
                               struct sl_trouble *t)
{
    struct marks_statement s;
    MYSQL_RES *result;
    MYSQL_ROW row;
    struct sl_text *sql = marks_of_feed(&s, "SELECT table_id, ts, gtid FROM sluice.ddl", feed);
    sl_text_cstr(sql, " ORDER BY table_id, ts");
    sl_text_cstr(sql, how);
    if (!marks_select(&result, db, &s, t))
        return false;
    bool is_good = true;
    while (is_good && (row = mysql_fetch_row(result))) {
        const struct sl_mark mark = { .kind = SL_MARK_CHANGE,
                                      .table_id = strtoll(row[0], NULL, 10),
                                      .ts = strtoull(row[1], NULL, 10) };
        is_good = marks_put(out, &mark, row[2], t);
    }
    mysql_free_result(result);
    return is_good;
}

static bool marks_count_copies(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_marks *out,
                               struct sl_trouble *t)
{
    struct marks_statement s;
    MYSQL_RES *result;
    struct sl_text *sql = marks_of_feed(&s, "SELECT count(*) FROM sluice.copy", feed);
    sl_text_cstr(sql, " AND ");
    marks_put_copied(sql, "state", "high", out->list[0].ts);
    if (!marks_select(&result, db, &s, t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    out->copies = row ? (uint32_t)strtoul(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    return true;
}

/* how: " FOR UPDATE", or nothing. */
static bool marks_read(MYSQL *db, const struct sl_sink_feed_key *feed, const char *how, struct sl_marks *out,
                       struct sl_trouble *t)
{
    return marks_read_base(db, feed, how, out, t) && marks_read_spans(db, feed, how, out, t) &&
           marks_read_changes(db, feed, how, out, t) && marks_count_copies(db, feed, out, t);
}

bool sl_sink_marks_read(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_marks *out, struct sl_trouble *t)
{
    bool is_good = marks_read(db, feed, "", out, t);
    (void)mysql_rollback(db);
    return is_good;
}

/* ---- moving ---- */

static bool marks_are_same(const struct sl_marks *a, const struct sl_marks *b)
{
    bool is_same = a->count == b->count && a->copies == b->copies;
    for (uint32_t i = 0; is_same && i < a->count; i++) {
        const struct sl_mark *x = &a->list[i], *y = &b->list[i];
        is_same = x->kind == y->kind && x->is_void == y->is_void && x->table_id == y->table_id &&
                  x->range_id == y->range_id && x->ts == y->ts && strcmp(x->gtids, y->gtids) == 0;
    }
    return is_same;
}

/* Locks all of it. */
static bool marks_check(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_marks *marks,
                        struct sl_trouble *t)
{
    struct sl_marks now = { 0 };
    bool is_read = marks_read(db, feed, " FOR UPDATE", &now, t);
    bool is_same = is_read && marks_are_same(marks, &now);
    sl_marks_deinit(&now);
    return is_same || (is_read && sl_trouble_set(t, SL_TROUBLE_STALE, "REPOINT_RUNS", "pause the feed, then once more",
                                                 "the feed went on at its sink meanwhile"));
}

static bool marks_move_one(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_mark *m,
                           struct sl_trouble *t)
{
    static const char *const updates[] = { [SL_MARK_BASE] = "UPDATE sluice.source SET ts = ",
                                           [SL_MARK_SPAN] = "UPDATE sluice.progress SET ts = ",
                                           [SL_MARK_CHANGE] = "UPDATE sluice.ddl SET ts = " };
    struct marks_statement s;
    struct sl_text *sql = marks_begin(&s, updates[m->kind]);
    sl_text_u64(sql, m->moved);
    if (m->kind == SL_MARK_SPAN) {
        sl_text_cstr(sql, ", gtids_ts = ");
        sl_text_u64(sql, m->moved);
    }
    sl_text_cstr(sql, " WHERE feed = ");
    sl_sink_put_feed(sql, feed);
    if (m->kind != SL_MARK_BASE) {
        sl_text_cstr(sql, " AND table_id = ");
        sl_text_i64(sql, m->table_id);
        sl_text_cstr(sql, m->kind == SL_MARK_SPAN ? " AND range_id = " : " AND ts = ");
        sl_text_u64(sql, m->kind == SL_MARK_SPAN ? m->range_id : m->ts);
    }
    return marks_do(db, &s, t);
}

static bool marks_copy_again(MYSQL *db, const struct sl_sink_feed_key *feed, sl_ts base, struct sl_trouble *t)
{
    struct marks_statement s;
    struct sl_text *sql = marks_of_feed(&s, "UPDATE sluice.copy SET state = 'again', chunk = 0", feed);
    sl_text_cstr(sql, " AND state IN ('begun', 'done') AND ");
    marks_put_copied(sql, "state", "high", base);
    return marks_do(db, &s, t);
}

/* An owner of before finds that its placement is gone; those to come have a larger one, of another maintainer. */
static bool marks_fence(MYSQL *db, const struct sl_sink_feed_key *feed, struct sl_trouble *t)
{
    struct marks_statement s;
    (void)marks_of_feed(&s, "UPDATE sluice.progress SET placement_seq = placement_seq + 1", feed);
    return marks_do(db, &s, t);
}

bool sl_sink_marks_move(MYSQL *db, const struct sl_sink_feed_key *feed, const struct sl_marks *marks,
                        struct sl_trouble *t)
{
    bool is_good =
        marks_check(db, feed, marks, t) && marks_copy_again(db, feed, marks->list[0].ts, t) && marks_fence(db, feed, t);
    for (uint32_t i = 0; is_good && i < marks->count; i++)
        is_good = marks->list[i].moved == SL_TS_NONE || marks_move_one(db, feed, &marks->list[i], t);
    if (is_good && mysql_commit(db) == 0)
        return true;
    if (is_good)
        sl_mariadb_trouble(t, db, "marks of a feed");
    (void)mysql_rollback(db);
    return false;
}
