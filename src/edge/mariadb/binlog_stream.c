/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_stream.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_CAP_MIN 64u
#define ROWS_STATEMENT_END 0x0001u

/* ---- tables ---- */

static uint32_t stream_slot(const struct sl_binlog_stream *s, uint64_t id)
{
    uint32_t mask = s->table_cap - 1;
    uint32_t i = (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    while (s->tables[i] && s->tables[i]->id != id)
        i = (i + 1) & mask;
    return i;
}

static void stream_forget_tables(struct sl_binlog_stream *s)
{
    for (uint32_t i = 0; i < s->table_cap; i++) {
        sl_binlog_table_free(s->tables[i]);
        s->tables[i] = NULL;
    }
    s->table_count = 0;
}

static bool stream_grow_tables(struct sl_binlog_stream *s)
{
    struct sl_binlog_table **old = s->tables;
    uint32_t old_cap = s->table_cap;
    struct sl_binlog_table **grown = calloc((size_t)old_cap * 2, sizeof(struct sl_binlog_table *));
    if (!grown)
        return false;
    s->tables = grown;
    s->table_cap = old_cap * 2;
    for (uint32_t i = 0; i < old_cap; i++) {
        if (old[i])
            s->tables[stream_slot(s, old[i]->id)] = old[i];
    }
    free(old);
    return true;
}

/* Between statements the tables may go; inside of one they are needed, so a single statement may exceed the limit of
 * nobody but itself. */
static enum sl_code stream_make_table_room(struct sl_binlog_stream *s, struct sl_err *err)
{
    if (s->table_count >= s->opts.table_count_max) {
        if (!s->at_statement_start)
            return sl_err_set(err, SL_LIMIT, "binlog: one statement changes more than %u tables",
                              s->opts.table_count_max);
        stream_forget_tables(s);
    }
    if (s->table_count >= s->table_cap / 2 && !stream_grow_tables(s))
        return sl_err_set(err, SL_NOMEM, "binlog: no memory for table maps");
    return SL_OK;
}

static enum sl_code stream_on_table_map(struct sl_binlog_stream *s, struct sl_bytes body, struct sl_err *err)
{
    uint64_t id = sl_binlog_table_id(body);
    uint32_t slot = stream_slot(s, id);
    if (s->tables[slot] && sl_bytes_eq(s->tables[slot]->map, body)) {
        s->at_statement_start = false;
        return SL_OK;
    }
    struct sl_binlog_table *table;
    enum sl_code code = stream_make_table_room(s, err);
    if (code == SL_OK)
        code = sl_binlog_table_new(&table, body, s->format.is_mariadb, err);
    if (code != SL_OK)
        return code;
    slot = stream_slot(s, id);
    s->table_count += s->tables[slot] ? 0 : 1;
    sl_binlog_table_free(s->tables[slot]);
    table->serial = ++s->serial_last;
    s->tables[slot] = table;
    s->at_statement_start = false;
    return SL_OK;
}

/* ---- refusals ---- */

static enum sl_code stream_refuse(const struct sl_binlog_stream *s, const struct sl_binlog_event *e, struct sl_err *err,
                                  const char *what, const char *remedy)
{
    return sl_err_set(err, SL_REFUSED, "%s at %s:%u (GTID %u-%u-%llu): %s", what, s->file, e->next_pos - e->size,
                      s->gtid.gtid.domain, s->gtid.gtid.server, (unsigned long long)s->gtid.gtid.seq, remedy);
}

static enum sl_code stream_refuse_statement(const struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                            struct sl_err *err)
{
    return stream_refuse(s, e, err, "statement-based change",
                         "set binlog_format=ROW, globally and in sessions; copy the table anew");
}

/* ---- positions ---- */

static enum sl_code stream_set_file(struct sl_binlog_stream *s, struct sl_str file, struct sl_err *err)
{
    if (file.len >= sizeof s->file)
        return sl_err_set(err, SL_MALFORMED, "binlog: a file name of %zu bytes", file.len);
    uint32_t number;
    enum sl_code code = sl_binlog_file_number(&number, file, err);
    if (code != SL_OK)
        return code;
    memcpy(s->file, file.ptr, file.len);
    s->file[file.len] = 0;
    s->file_number = number;
    return SL_OK;
}

/* The artificial one at the start of a connection precedes the format and has the checksum that was announced. */
static enum sl_code stream_on_rotate(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                     struct sl_binlog_item *item, struct sl_err *err)
{
    struct sl_binlog_rotate rotate;
    enum sl_code code = sl_binlog_rotate_parse(&rotate, e->body, err);
    if (code == SL_OK)
        code = stream_set_file(s, rotate.file, err);
    if (code != SL_OK)
        return code;
    item->kind = SL_BINLOG_FILE;
    item->ts = sl_binlog_ts(s->opts.epoch, s->file_number, 0);
    return SL_OK;
}

static enum sl_code stream_on_format(struct sl_binlog_stream *s, struct sl_bytes bytes, struct sl_err *err)
{
    if (s->state != SL_BINLOG_STARTING && s->state != SL_BINLOG_BETWEEN)
        return sl_err_set(err, SL_MALFORMED, "binlog: %s ends inside of a transaction", s->file);
    enum sl_code code = sl_binlog_format_parse(&s->format, bytes, err);
    if (code != SL_OK)
        return code;
    stream_forget_tables(s);
    s->state = SL_BINLOG_BETWEEN;
    return SL_OK;
}

static enum sl_code stream_on_heartbeat(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                        struct sl_binlog_item *item)
{
    if (s->state != SL_BINLOG_BETWEEN)
        return SL_OK;
    sl_ts ts = sl_binlog_ts(s->opts.epoch, s->file_number, e->next_pos) - 1;
    item->kind = SL_BINLOG_IDLE;
    item->ts = ts > s->last_ts ? ts : s->last_ts; /* next_pos is of 32 bits: behind 4 GiB it says too little */
    return SL_OK;
}

/* ---- groups ---- */

static enum sl_code stream_refuse_xa(const struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                     struct sl_err *err)
{
    return stream_refuse(s, e, err, "XA transaction", "they cannot be replicated yet: use plain transactions");
}

static enum sl_code stream_begin_group(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                       enum sl_binlog_state state, struct sl_binlog_item *item, struct sl_err *err)
{
    if (s->state != SL_BINLOG_BETWEEN)
        return stream_refuse(s, e, err, "a transaction inside of another", "the log is damaged: copy the tables anew");
    sl_ts ts = sl_binlog_ts(s->opts.epoch, s->file_number, e->next_pos - e->size);
    if (ts <= s->last_ts)
        return stream_refuse(s, e, err, "a position that goes back",
                             "the log file exceeds 4 GiB or was replaced; resume by GTID");
    s->state = state;
    s->group_ts = s->rows_ts = s->last_ts = ts;
    s->group_bytes = 0;
    s->group_end = UINT32_MAX;
    s->at_statement_start = true;
    item->kind = SL_BINLOG_BEGIN;
    item->gtid = s->gtid;
    return SL_OK;
}

static enum sl_code stream_on_gtid(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                   struct sl_binlog_item *item, struct sl_err *err)
{
    enum sl_code code = sl_binlog_gtid_parse(&s->gtid, e, err);
    if (code != SL_OK)
        return code;
    if (s->state == SL_BINLOG_BETWEEN && s->gtid.flags & (SL_GTID_XA_PREPARED | SL_GTID_XA_COMPLETED))
        return stream_refuse_xa(s, e, err);
    bool is_alone = (s->gtid.flags & SL_GTID_STANDALONE) != 0;
    return stream_begin_group(s, e, is_alone ? SL_BINLOG_STANDALONE : SL_BINLOG_INSIDE, item, err);
}

static enum sl_code stream_on_mysql_gtid(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                         struct sl_binlog_item *item, struct sl_err *err)
{
    struct sl_binlog_mysql_gtid gtid;
    enum sl_code code = sl_binlog_mysql_gtid_parse(&gtid, e, err);
    s->gtid = (struct sl_binlog_gtid){ .gtid = { .server = e->server_id, .seq = gtid.number } };
    return code == SL_OK ? stream_begin_group(s, e, SL_BINLOG_OPENING, item, err) : code;
}

static void stream_end_group(struct sl_binlog_stream *s, struct sl_binlog_item *item)
{
    s->state = SL_BINLOG_BETWEEN;
    item->ends_group = true;
}

static void stream_end_rows(struct sl_binlog_stream *s, struct sl_binlog_item *item, bool is_undone)
{
    item->kind = SL_BINLOG_END;
    item->ts = s->last_ts;
    item->is_undone = is_undone;
    stream_end_group(s, item);
}

static bool query_begins_with(struct sl_str sql, const char *word)
{
    size_t len = strlen(word);
    if (sql.len < len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = sql.ptr[i];
        if ((c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c) != word[i])
            return false;
    }
    return true;
}

/* What a server writes inside of a transaction beside rows; names as it quotes them. */
static bool stream_on_bookkeeping(struct sl_str sql, struct sl_binlog_item *item)
{
    static const char savepoint[] = "SAVEPOINT ", undo[] = "ROLLBACK TO ";
    if (query_begins_with(sql, savepoint)) {
        item->kind = SL_BINLOG_SAVEPOINT;
        item->name = (struct sl_str){ sql.ptr + (sizeof savepoint - 1), sql.len - (sizeof savepoint - 1) };
        return true;
    }
    if (query_begins_with(sql, undo)) {
        item->kind = SL_BINLOG_UNDO;
        item->name = (struct sl_str){ sql.ptr + (sizeof undo - 1), sql.len - (sizeof undo - 1) };
        return true;
    }
    return query_begins_with(sql, "RELEASE SAVEPOINT") || query_begins_with(sql, "BEGIN") ||
           query_begins_with(sql, "CREATE TEMPORARY") || query_begins_with(sql, "DROP TEMPORARY");
}

static bool query_ends_group(struct sl_str sql)
{
    return sl_str_eq(sql, SL_STR("COMMIT")) || sl_str_eq(sql, SL_STR("ROLLBACK"));
}

static enum sl_code stream_inflate_query(struct sl_binlog_stream *s, struct sl_binlog_query *q, struct sl_err *err)
{
    struct sl_bytes sql;
    if (!q->is_compressed)
        return SL_OK;
    enum sl_code code =
        sl_inflate_event(&sql, (struct sl_bytes){ (const uint8_t *)q->sql.ptr, q->sql.len }, &s->inflated, err);
    if (code == SL_OK)
        q->sql = (struct sl_str){ (const char *)sql.ptr, sql.len };
    return code;
}

/* MySQL: the first statement of a group tells what it is. */
static enum sl_code stream_open_group(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                      const struct sl_binlog_query *q, struct sl_binlog_item *item, struct sl_err *err)
{
    if (sl_str_eq(q->sql, SL_STR("BEGIN"))) {
        s->state = SL_BINLOG_INSIDE;
        return SL_OK;
    }
    if (query_begins_with(q->sql, "XA "))
        return stream_refuse_xa(s, e, err);
    item->kind = SL_BINLOG_STATEMENT;
    item->statement = *q;
    stream_end_group(s, item);
    return SL_OK;
}

/* A schema change stands alone, but for CREATE TABLE ... SELECT, which is one group with its rows. */
static enum sl_code stream_on_query(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                    struct sl_binlog_item *item, struct sl_err *err)
{
    struct sl_binlog_query q;
    enum sl_code code = sl_binlog_query_parse(&q, e, err);
    if (code == SL_OK)
        code = stream_inflate_query(s, &q, err);
    if (code != SL_OK)
        return code;
    if (s->state == SL_BINLOG_OPENING)
        return stream_open_group(s, e, &q, item, err);
    bool is_ddl = (s->gtid.flags & SL_GTID_DDL) != 0;
    if (s->state == SL_BINLOG_INSIDE && query_ends_group(q.sql)) {
        stream_end_rows(s, item, sl_str_eq(q.sql, SL_STR("ROLLBACK")));
        return SL_OK;
    }
    if (s->state == SL_BINLOG_INSIDE && stream_on_bookkeeping(q.sql, item))
        return SL_OK;
    if (s->state == SL_BINLOG_BETWEEN || s->state == SL_BINLOG_STARTING || !is_ddl || s->group_bytes > 0)
        return stream_refuse_statement(s, e, err);
    item->kind = SL_BINLOG_STATEMENT;
    item->statement = q;
    if (s->state == SL_BINLOG_STANDALONE)
        stream_end_group(s, item);
    else
        s->rows_ts = s->group_ts + 1;
    return SL_OK;
}

static enum sl_code stream_on_xid(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                  struct sl_binlog_item *item, struct sl_err *err)
{
    if (s->state != SL_BINLOG_INSIDE)
        return stream_refuse(s, e, err, "a commit without a transaction", "the log is damaged: copy the tables anew");
    stream_end_rows(s, item, false);
    return SL_OK;
}

/* ---- rows ---- */

static uint32_t rows_count_bits(struct sl_bytes bitmap, uint32_t column_count)
{
    static const uint8_t bits[] = { 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4 }; /* the builtin is a call here */
    uint32_t count = 0;
    for (uint32_t i = 0; i < column_count; i += 8) {
        uint32_t left = column_count - i;
        uint32_t byte = bitmap.ptr[i / 8] & (left < 8 ? (1u << left) - 1u : 0xffu);
        count += (uint32_t)bits[byte & 15] + bits[byte >> 4];
    }
    return count;
}

static enum sl_row_op rows_op(uint8_t type)
{
    switch (type) {
    case SL_BINLOG_WRITE_V1:
    case SL_BINLOG_WRITE_V2:
    case SL_BINLOG_WRITE_COMPRESSED:
        return SL_ROW_INSERT;
    case SL_BINLOG_UPDATE_V1:
    case SL_BINLOG_UPDATE_V2:
    case SL_BINLOG_UPDATE_COMPRESSED:
        return SL_ROW_UPDATE;
    default:
        return SL_ROW_DELETE;
    }
}

static void rows_read_bitmaps(struct sl_binlog_rows *rows, struct sl_cursor *c, uint32_t column_count)
{
    size_t size = (column_count + 7) / 8;
    struct sl_bytes first = sl_cursor_bytes(c, size);
    struct sl_bytes second = rows->op == SL_ROW_UPDATE ? sl_cursor_bytes(c, size) : first;
    if (c->failed)
        return;
    if (rows->op != SL_ROW_INSERT) {
        rows->before_present = first;
        rows->before_count = rows_count_bits(first, column_count);
    }
    if (rows->op != SL_ROW_DELETE) {
        rows->after_present = second;
        rows->after_count = rows_count_bits(second, column_count);
    }
}

static void stream_count_rows(struct sl_binlog_stream *s, struct sl_binlog_item *item)
{
    item->kind = SL_BINLOG_ROWS;
    item->ts = s->last_ts = sl_binlog_part_ts(s->rows_ts, s->group_bytes, s->group_end);
    s->group_bytes += item->rows.rows.len;
    item->ends_part = sl_binlog_part_ts(s->rows_ts, s->group_bytes, s->group_end) != item->ts;
}

static enum sl_code stream_on_rows(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                   struct sl_binlog_item *item, struct sl_err *err)
{
    bool is_v2 = e->type >= SL_BINLOG_WRITE_V2 && e->type <= SL_BINLOG_DELETE_V2;
    bool is_compressed = e->type >= SL_BINLOG_WRITE_COMPRESSED && e->type <= SL_BINLOG_DELETE_COMPRESSED;
    struct sl_cursor c = sl_cursor_of(e->body);
    if (s->state != SL_BINLOG_INSIDE)
        return stream_refuse(s, e, err, "rows outside of a transaction", "the log is damaged: copy the tables anew");
    uint64_t id = sl_cursor_le(&c, 6);
    uint16_t flags = sl_cursor_le16(&c);
    if (is_v2) {
        uint16_t extra = sl_cursor_le16(&c); /* counts itself */
        sl_cursor_skip(&c, extra > 2 ? extra - 2u : 0);
    }
    uint64_t column_count = sl_binlog_lenenc(&c);
    struct sl_binlog_rows *rows = &item->rows;
    *rows = (struct sl_binlog_rows){ .op = rows_op(e->type) };
    rows->table = s->tables[stream_slot(s, id)];
    s->at_statement_start = (flags & ROWS_STATEMENT_END) != 0;
    if (!c.failed && (!rows->table || rows->table->column_count != column_count))
        return stream_refuse(s, e, err, "rows of a table that was not described",
                             "the log is damaged: copy the tables anew");
    if (!c.failed)
        rows_read_bitmaps(rows, &c, (uint32_t)column_count);
    if (c.failed)
        return sl_err_set(err, SL_TRUNCATED, "binlog: rows at %s:%u end too early", s->file, e->next_pos - e->size);
    rows->rows = (struct sl_bytes){ c.at, sl_cursor_left(&c) };
    enum sl_code code = is_compressed ? sl_inflate_event(&rows->rows, rows->rows, &s->inflated, err) : SL_OK;
    if (code == SL_OK)
        stream_count_rows(s, item);
    return code;
}

/* ---- events ---- */

static enum sl_code stream_on_other(const struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                    struct sl_err *err)
{
    if (e->flags & SL_BINLOG_FLAG_IGNORABLE)
        return SL_OK;
    return sl_err_set(err, SL_UNKNOWN_TYPE, "binlog: an event of type %u at %s:%u, which this version does not know",
                      e->type, s->file, e->next_pos - e->size);
}

static enum sl_code stream_on_event(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                    struct sl_binlog_item *item, struct sl_err *err)
{
    switch (e->type) {
    case SL_BINLOG_ROTATE:
        return stream_on_rotate(s, e, item, err);
    case SL_BINLOG_HEARTBEAT:
        return stream_on_heartbeat(s, e, item);
    case SL_BINLOG_GTID:
        return stream_on_gtid(s, e, item, err);
    case SL_BINLOG_MYSQL_GTID:
    case SL_BINLOG_MYSQL_ANONYMOUS_GTID:
    case SL_BINLOG_MYSQL_TAGGED_GTID:
        return stream_on_mysql_gtid(s, e, item, err);
    case SL_BINLOG_QUERY:
    case SL_BINLOG_QUERY_COMPRESSED:
        return stream_on_query(s, e, item, err);
    case SL_BINLOG_XID:
        return stream_on_xid(s, e, item, err);
    case SL_BINLOG_TABLE_MAP:
        return stream_on_table_map(s, e->body, err);
    case SL_BINLOG_WRITE_V1:
    case SL_BINLOG_UPDATE_V1:
    case SL_BINLOG_DELETE_V1:
    case SL_BINLOG_WRITE_V2:
    case SL_BINLOG_UPDATE_V2:
    case SL_BINLOG_DELETE_V2:
    case SL_BINLOG_WRITE_COMPRESSED:
    case SL_BINLOG_UPDATE_COMPRESSED:
    case SL_BINLOG_DELETE_COMPRESSED:
        return stream_on_rows(s, e, item, err);
    case SL_BINLOG_INTVAR:
    case SL_BINLOG_RAND:
    case SL_BINLOG_USER_VAR:
    case SL_BINLOG_LOAD_BEGIN:
    case SL_BINLOG_LOAD_EXECUTE:
        return stream_refuse_statement(s, e, err);
    case SL_BINLOG_INCIDENT:
        return stream_refuse(s, e, err, "the source says that changes are missing from its log",
                             "copy the tables anew");
    case SL_BINLOG_MYSQL_PARTIAL_UPDATE:
        return stream_refuse(s, e, err, "partial JSON update", "set binlog_row_value_options='' on the source");
    case SL_BINLOG_XA_PREPARE:
        return stream_refuse_xa(s, e, err);
    case SL_BINLOG_STOP:
    case SL_BINLOG_CHECKPOINT:
    case SL_BINLOG_ANNOTATE:
    case SL_BINLOG_ROWS_QUERY:
    case SL_BINLOG_IGNORABLE:
    case SL_BINLOG_GTID_LIST:
    case SL_BINLOG_MYSQL_PREVIOUS_GTIDS:
    case SL_BINLOG_MYSQL_HEARTBEAT_V2:
    case SL_BINLOG_MYSQL_CONTEXT:
    case SL_BINLOG_MYSQL_VIEW_CHANGE:
    case SL_BINLOG_START_ENCRYPTION:
        return SL_OK;
    default:
        return stream_on_other(s, e, err);
    }
}

/* ---- compressed transactions ---- */

/* flat switch */
static bool payload_may_have(uint8_t type)
{
    switch (type) {
    case SL_BINLOG_QUERY:
    case SL_BINLOG_XID:
    case SL_BINLOG_TABLE_MAP:
    case SL_BINLOG_WRITE_V1:
    case SL_BINLOG_UPDATE_V1:
    case SL_BINLOG_DELETE_V1:
    case SL_BINLOG_WRITE_V2:
    case SL_BINLOG_UPDATE_V2:
    case SL_BINLOG_DELETE_V2:
    case SL_BINLOG_MYSQL_PARTIAL_UPDATE:
    case SL_BINLOG_INTVAR:
    case SL_BINLOG_RAND:
    case SL_BINLOG_USER_VAR:
    case SL_BINLOG_LOAD_BEGIN:
    case SL_BINLOG_LOAD_EXECUTE:
    case SL_BINLOG_INCIDENT:
    case SL_BINLOG_IGNORABLE:
    case SL_BINLOG_ROWS_QUERY:
    case SL_BINLOG_XA_PREPARE:
        return true;
    default:
        return false;
    }
}

/* The events inside say no place: theirs is that of the whole. */
static enum sl_code stream_on_inner(struct sl_binlog_stream *s, struct sl_binlog_item *item, struct sl_err *err)
{
    static const struct sl_binlog_format without_checksum;
    struct sl_bytes bytes;
    struct sl_binlog_event e;
    enum sl_code code = sl_payload_next(&s->payload, &bytes, err);
    if (code == SL_OK)
        code = sl_binlog_event_parse(&e, bytes, &without_checksum, false, err);
    if (code != SL_OK)
        return code;
    e.next_pos = s->payload_event.next_pos;
    e.size = s->payload_event.size;
    item->time = e.time;
    if (!payload_may_have(e.type))
        return sl_err_set(err, SL_MALFORMED, "binlog: an event of type %u inside of a compressed transaction at %s:%u",
                          e.type, s->file, e.next_pos - e.size);
    code = stream_on_event(s, &e, item, err);
    return code == SL_OK && s->state == SL_BINLOG_BETWEEN ? sl_payload_close(&s->payload, err) : code;
}

static enum sl_code stream_on_payload(struct sl_binlog_stream *s, const struct sl_binlog_event *e,
                                      struct sl_binlog_item *item, struct sl_err *err)
{
    if (s->state != SL_BINLOG_OPENING)
        return stream_refuse(s, e, err, "a compressed transaction without a GTID",
                             "the log is damaged: copy the tables anew");
    enum sl_code code = sl_payload_open(&s->payload, e->body, err);
    if (code != SL_OK)
        return code;
    s->payload_event = *e;
    s->payload_event.body = (struct sl_bytes){ 0 };
    /* offsets have 32 bits; counted on from the group's, also across their end */
    uint32_t group_pos = (uint32_t)s->group_ts;
    uint64_t end = (uint64_t)group_pos + (uint32_t)(e->next_pos - e->size - group_pos) + e->size - 1;
    s->group_end = end < UINT32_MAX ? (uint32_t)end : UINT32_MAX;
    return stream_on_inner(s, item, err);
}

/* ---- bytes ---- */

static void stream_begin_item(struct sl_binlog_item *item)
{
    item->kind = SL_BINLOG_NOTHING; /* field by field: to clear all of it costs more than to read a small event */
    item->ends_group = item->ends_part = item->is_undone = false;
    item->ts = SL_TS_NONE;
    item->time = 0;
}

static enum sl_code stream_end_item(struct sl_binlog_stream *s, struct sl_binlog_item *item, enum sl_code code)
{
    if (code != SL_OK)
        s->state = SL_BINLOG_FAILED;
    else if (item->ts == SL_TS_NONE)
        item->ts = s->group_ts;
    return code;
}

static enum sl_code stream_on_bytes(struct sl_binlog_stream *s, struct sl_bytes bytes, struct sl_binlog_item *item,
                                    struct sl_err *err)
{
    struct sl_binlog_event event;
    const size_t type_at = 4;
    if (bytes.len > type_at && bytes.ptr[type_at] == SL_BINLOG_FORMAT)
        return stream_on_format(s, bytes, err);
    enum sl_code code = sl_binlog_event_parse(&event, bytes, &s->format, s->opts.verifies_checksums, err);
    if (code == SL_OK && s->state == SL_BINLOG_STARTING && event.type != SL_BINLOG_ROTATE &&
        event.type != SL_BINLOG_HEARTBEAT)
        code = sl_err_set(err, SL_MALFORMED, "binlog: an event of type %u before the format description", event.type);
    if (code != SL_OK)
        return code;
    item->time = event.time;
    return event.type == SL_BINLOG_MYSQL_PAYLOAD ? stream_on_payload(s, &event, item, err)
                                                 : stream_on_event(s, &event, item, err);
}

enum sl_code sl_binlog_stream_feed(struct sl_binlog_stream *s, struct sl_bytes bytes, struct sl_binlog_item *item,
                                   struct sl_err *err)
{
    stream_begin_item(item);
    if (s->state == SL_BINLOG_FAILED)
        return sl_err_set(err, SL_REFUSED, "binlog: the stream has failed before");
    SL_REQUIRE(!sl_binlog_stream_has_more(s));
    return stream_end_item(s, item, stream_on_bytes(s, bytes, item, err));
}

enum sl_code sl_binlog_stream_more(struct sl_binlog_stream *s, struct sl_binlog_item *item, struct sl_err *err)
{
    SL_REQUIRE(sl_binlog_stream_has_more(s));
    stream_begin_item(item);
    return stream_end_item(s, item, stream_on_inner(s, item, err));
}

enum sl_code sl_binlog_stream_init(struct sl_binlog_stream *s, const struct sl_binlog_stream_opts *opts)
{
    *s = (struct sl_binlog_stream){ .opts = *opts, .state = SL_BINLOG_STARTING, .table_cap = TABLE_CAP_MIN };
    s->inflated.bytes_max = s->payload.event_bytes_max = opts->inflate_bytes_max;
    s->format.has_checksum = opts->is_checksum_announced;
    s->tables = calloc(s->table_cap, sizeof(struct sl_binlog_table *));
    return s->tables ? SL_OK : SL_NOMEM;
}

void sl_binlog_stream_deinit(struct sl_binlog_stream *s)
{
    if (s->tables)
        stream_forget_tables(s);
    free(s->tables);
    s->tables = NULL;
    sl_inflate_buffer_deinit(&s->inflated);
    sl_payload_deinit(&s->payload);
}
