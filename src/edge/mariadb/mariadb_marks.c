/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/mariadb_source_internal.h"
#include "edge/mariadb/source_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mysqld_error.h>

/*
 * Marks of a sink in the log of another server (docs/decisions/0009-repoint.md). The server is asked for its log as by a
 * replica that has the base, so it is the server itself that says whether it has all of it. From there the log is read group
 * by group until every mark has been met: a span's mark where the transactions read so far are exactly those of the mark, a
 * change's where it stands. Numbers must follow each other without a gap until then; so nothing in between is missing, and
 * nothing is there that the old server never had.
 */
struct marks_walk {
    MYSQL *dump, *details;
    struct sl_binlog_stream stream;
    struct sl_marks *marks;
    struct sl_mark **wanted; /* behind the base; ascending by kind, then text */
    uint32_t wanted_count, left;
    struct sl_gtids base, seen, last; /* last: at least one mark stands so far in each domain */
    struct sl_gtid group;
    bool is_begun; /* the base has been found */
};

enum marks_next { MARKS_GO_ON, MARKS_DONE, MARKS_FAIL };

/* ---- what is wanted ---- */

static bool gtids_have(const struct sl_gtids *g, struct sl_gtid gtid)
{
    const struct sl_gtid *mine = sl_gtids_of(g, gtid.domain);
    return mine && mine->seq >= gtid.seq;
}

/* Every transaction of b is one of a, as far as numbers tell. */
static bool gtids_cover(const struct sl_gtids *a, const struct sl_gtids *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (!gtids_have(a, b->at[i]))
            return false;
    }
    return true;
}

static void gtids_raise(struct sl_gtids *g, const struct sl_gtids *to)
{
    for (uint32_t i = 0; i < to->count; i++) {
        if (!gtids_have(g, to->at[i]))
            sl_gtids_put(g, to->at[i]);
    }
}

static int marks_cmp(const struct sl_mark *a, const struct sl_mark *b)
{
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->gtids, b->gtids);
}

static int marks_cmp_refs(const void *a, const void *b)
{
    return marks_cmp(*(struct sl_mark *const *)a, *(struct sl_mark *const *)b);
}

static bool marks_refuse_unknown(const struct sl_mark *m, struct sl_trouble *t)
{
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_NO_GTID",
                          "let the feed run for a moment on its old source, a MariaDB server with GTIDs",
                          "the sink does not know the GTID of its position %" PRIu64 " of table id %" PRId64, m->ts,
                          m->table_id);
}

/* Whose GTIDs are not known is behind the base by its number, or nobody can say where it is. */
static bool marks_want(struct marks_walk *w, struct sl_mark *m, struct sl_trouble *t)
{
    struct sl_gtids gtids;
    bool is_known = sl_gtids_parse(&gtids, sl_str_of(m->gtids)) && gtids.count > 0;
    m->moved = SL_TS_NONE;
    if (m->is_void || (is_known && gtids_cover(&w->base, &gtids)) || (!is_known && m->ts <= w->marks->list[0].ts))
        return true;
    if (!is_known)
        return marks_refuse_unknown(m, t);
    gtids_raise(&w->last, &gtids);
    w->wanted[w->wanted_count++] = m;
    return true;
}

static bool marks_list_wanted(struct marks_walk *w, struct sl_trouble *t)
{
    struct sl_mark *base = &w->marks->list[0];
    if (!sl_gtids_parse(&w->base, sl_str_of(base->gtids)) || w->base.count == 0)
        return marks_refuse_unknown(base, t);
    w->seen = w->last = w->base;
    w->wanted = calloc(w->marks->count, sizeof(struct sl_mark *));
    if (!w->wanted)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for marks");
    for (uint32_t i = 1; i < w->marks->count; i++) {
        if (!marks_want(w, &w->marks->list[i], t))
            return false;
    }
    qsort(w->wanted, w->wanted_count, sizeof(struct sl_mark *), marks_cmp_refs);
    w->left = w->wanted_count;
    return true;
}

/* ---- what the server has ---- */

static bool marks_refuse_behind(const struct sl_gtids *has, struct sl_gtid needed, struct sl_trouble *t)
{
    char needs[SL_GTIDS_TEXT_MAX], ends[SL_GTIDS_TEXT_MAX];
    const struct sl_gtid *last = sl_gtids_of(has, needed.domain);
    (void)sl_gtid_format(needs, needed);
    (void)snprintf(ends, sizeof ends, "nothing of domain %" PRIu32, needed.domain);
    if (last)
        (void)sl_gtid_format(ends, *last);
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_BEHIND",
                          "repoint to a server that has it, or let this one catch up; otherwise make the feed anew",
                          "the sink holds %s, and the log of this server ends with %s", needs, ends);
}

static bool marks_refuse_diverged(struct sl_gtid needed, struct sl_trouble *t)
{
    char text[SL_GTIDS_TEXT_MAX];
    (void)sl_gtid_format(text, needed);
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_DIVERGED",
                          "repoint to a server that has the same history; otherwise make the feed anew",
                          "the sink holds %s, in place of which this server has other transactions", text);
}

static bool marks_check_server(struct marks_walk *w, struct sl_trouble *t)
{
    char text[SL_GTIDS_TEXT_MAX + 1];
    struct sl_gtids has;
    if (!sl__source_check_settings(w->details, t))
        return false;
    if (!sl__source_read_setting(text, sizeof text, w->details, "gtid_binlog_pos", t)) {
        bool is_unknown = mysql_errno(w->details) == ER_UNKNOWN_SYSTEM_VARIABLE;
        return is_unknown && sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_NOT_POSSIBLE",
                                            "repoint to a MariaDB server", "this server has no GTIDs of MariaDB");
    }
    if (!sl_gtids_parse(&has, sl_str_of(text)))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_NOT_POSSIBLE", "use fewer replication domains",
                              "the GTID position of this server is not understood");
    for (uint32_t i = 0; i < w->last.count; i++) {
        if (!gtids_have(&has, w->last.at[i]))
            return marks_refuse_behind(&has, w->last.at[i], t);
    }
    return true;
}

/* ---- the log ---- */

static bool marks_ask(struct marks_walk *w, const struct sl__source_opts *o, struct sl_trouble *t)
{
    char base[SL_GTIDS_TEXT_MAX], sql[SL_GTIDS_TEXT_MAX + 64];
    (void)sl_gtids_format(base, &w->base);
    (void)snprintf(sql, sizeof sql, "SET @slave_connect_state='%s'", base);
    return sl__dump_open(&w->dump, &w->stream, o, t) && sl_mariadb_execute(w->dump, sql, t) &&
           sl_mariadb_execute(w->dump, "SET @slave_gtid_strict_mode=1", t) && sl__dump_send(w->dump, "", 4, t);
}

/* The server says in words of its own why it does not begin there. */
static bool marks_on_refusal(const struct marks_walk *w, struct sl_trouble *t)
{
    const char *text = mysql_error(w->dump);
    if (mysql_errno(w->dump) != ER_MASTER_FATAL_ERROR_READING_BINLOG)
        return false;
    if (strstr(text, "too old") || strstr(text, "purged") || strstr(text, "GTID state requested"))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_PURGED",
                              "repoint to a server that keeps its logs longer; otherwise make the feed anew",
                              "the log of this server does not go back to %s", w->marks->list[0].gtids);
    return marks_refuse_diverged(w->base.at[0], t);
}

/*
 * Where the base ends, at is the first place behind it. What stands before it in this log has to be the base, no less and no
 * more: other orders of domains, and transactions of this server alone, show here.
 */
static bool marks_begin_at(struct marks_walk *w, sl_ts at, struct sl_trouble *t)
{
    char here[SL_GTIDS_TEXT_MAX], base[SL_GTIDS_TEXT_MAX];
    struct sl_gtids before;
    w->is_begun = true;
    w->marks->list[0].moved = at - 1;
    if (!sl_source_place_ask(&before, w->details, w->stream.file, (uint32_t)at))
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_NOT_POSSIBLE", "",
                              "this server does not know the GTID position of %s:%" PRIu32, w->stream.file,
                              (uint32_t)at);
    if (sl_str_eq(sl_gtids_format(here, &before), sl_gtids_format(base, &w->base)))
        return true;
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_DIVERGED",
                          "repoint to a server that has the same history; otherwise make the feed anew",
                          "the sink holds all of %.80s, and in the log of this server %.80s stands before what follows",
                          base, here);
}

static bool marks_check_number(struct marks_walk *w, struct sl_gtid gtid, struct sl_trouble *t)
{
    char text[SL_GTIDS_TEXT_MAX];
    const struct sl_gtid *before = sl_gtids_of(&w->seen, gtid.domain);
    if (w->left == 0 || !before || gtid.seq == before->seq + 1)
        return true;
    (void)sl_gtid_format(text, gtid);
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_DIVERGED",
                          "repoint to a server that has the same history; otherwise make the feed anew",
                          "in the log of this server %s follows number %" PRIu64 " of its domain", text, before->seq);
}

static void marks_meet(struct marks_walk *w, enum sl_mark_kind kind, char *gtids, sl_ts ts)
{
    struct sl_mark key = { .kind = kind, .gtids = gtids };
    uint32_t low = 0, high = w->wanted_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (marks_cmp(w->wanted[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < w->wanted_count && marks_cmp(w->wanted[low], &key) == 0; low++) {
        w->left -= w->wanted[low]->moved == SL_TS_NONE ? 1 : 0;
        w->wanted[low]->moved = ts;
    }
}

static void marks_end_group(struct marks_walk *w, sl_ts ts)
{
    char text[SL_GTIDS_TEXT_MAX];
    sl_gtids_put(&w->seen, w->group);
    (void)sl_gtids_format(text, &w->seen);
    marks_meet(w, SL_MARK_SPAN, text, ts);
}

static enum marks_next marks_on_begin(struct marks_walk *w, const struct sl_binlog_item *item, struct sl_trouble *t)
{
    bool is_good = w->is_begun || marks_begin_at(w, item->ts, t);
    w->group = item->gtid.gtid;
    return is_good && marks_check_number(w, w->group, t) ? MARKS_GO_ON : MARKS_FAIL;
}

static enum marks_next marks_on_statement(struct marks_walk *w, const struct sl_binlog_item *item)
{
    char text[SL_GTIDS_TEXT_MAX];
    (void)sl_gtid_format(text, w->group);
    marks_meet(w, SL_MARK_CHANGE, text, item->ts);
    return MARKS_GO_ON;
}

static enum marks_next marks_on_item(struct marks_walk *w, const struct sl_binlog_item *item, struct sl_trouble *t)
{
    enum marks_next next = MARKS_GO_ON;
    if (item->kind == SL_BINLOG_BEGIN)
        next = marks_on_begin(w, item, t);
    else if (item->kind == SL_BINLOG_STATEMENT)
        next = marks_on_statement(w, item);
    else if (item->kind == SL_BINLOG_IDLE)
        next = w->is_begun || marks_begin_at(w, item->ts + 1, t) ? MARKS_DONE : MARKS_FAIL;
    if (next == MARKS_GO_ON && item->ends_group)
        marks_end_group(w, item->ts);
    bool is_over = w->left == 0 || gtids_cover(&w->seen, &w->last);
    return next == MARKS_GO_ON && w->is_begun && is_over ? MARKS_DONE : next;
}

static bool marks_walk(struct marks_walk *w, struct sl_trouble *t)
{
    enum marks_next next = MARKS_GO_ON;
    struct sl_binlog_item item;
    struct sl_bytes pending = { 0 };
    while (next == MARKS_GO_ON) {
        if (!sl__dump_item(&item, w->dump, &w->stream, &pending, t))
            return marks_on_refusal(w, t);
        next = marks_on_item(w, &item, t);
    }
    return next == MARKS_DONE;
}

/* The first mark that was not met tells what is wrong. */
static bool marks_check_met(const struct marks_walk *w, struct sl_trouble *t)
{
    for (uint32_t i = 0; i < w->wanted_count; i++) {
        struct sl_gtids gtids;
        if (w->wanted[i]->moved != SL_TS_NONE || !sl_gtids_parse(&gtids, sl_str_of(w->wanted[i]->gtids)))
            continue;
        for (uint32_t j = 0; j < gtids.count; j++) {
            if (!gtids_have(&w->seen, gtids.at[j]))
                return marks_refuse_behind(&w->seen, gtids.at[j], t);
        }
        return marks_refuse_diverged(gtids.at[0], t);
    }
    return true;
}

bool sl__source_find_marks(struct sl_secret uri, struct sl_marks *marks, struct sl_trouble *t)
{
    struct sl__source_opts opts;
    struct marks_walk w = { .marks = marks };
    bool is_good = sl__source_parse(&opts, uri, t) && marks_list_wanted(&w, t) &&
                   sl__source_connect(&w.details, &opts, t) && marks_check_server(&w, t) && marks_ask(&w, &opts, t) &&
                   marks_walk(&w, t) && marks_check_met(&w, t);
    if (w.dump)
        mysql_close(w.dump);
    if (w.details)
        mysql_close(w.details);
    sl_binlog_stream_deinit(&w.stream);
    free(w.wanted);
    sl_mariadb_target_wipe(&opts.target);
    return is_good;
}

/* ---- the URI of the server ---- */

bool sl__source_succeed(struct sl_secret uri, sl_ts last, char *out, size_t size, struct sl_trouble *t)
{
    struct sl_bytes bytes = sl_secret_reveal(uri);
    struct sl_uri parts;
    struct sl_uri_param param;
    struct sl_text text;
    const char *between = "?";
    if (!sl_uri_parse(&parts, uri, t))
        return false;
    if (sl_binlog_epoch(last) == UINT8_MAX)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "REPOINT_NOT_POSSIBLE", "make the feed anew",
                              "the feed has changed its source 255 times");
    sl_text_init(&text, out, size);
    size_t head = parts.query.len > 0 ? (size_t)(parts.query.ptr - (const char *)bytes.ptr) - 1 : bytes.len;
    if (parts.query.len == 0 && head > 0 && bytes.ptr[head - 1] == '?')
        head--;
    sl_text_str(&text, (struct sl_str){ (const char *)bytes.ptr, head });
    while (sl_uri_next_param(&parts.query, &param)) {
        if (sl_str_eq(param.name, SL_STR("epoch")))
            continue;
        sl_text_cstr(&text, between);
        sl_text_str(&text, param.name);
        sl_text_cstr(&text, "=");
        sl_text_str(&text, param.value);
        between = "&";
    }
    sl_text_cstr(&text, between);
    sl_text_cstr(&text, "epoch=");
    sl_text_u64(&text, sl_binlog_epoch(last) + 1u);
    return !text.cut || sl_trouble_set(t, SL_TROUBLE_LASTING, "BAD_URI", "", "the URI is too long");
}
