/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/source_place.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <mysqld_error.h>

#define PLACE_RETRY_NS (5 * SL_S)
#define PLACE_SQL_MAX 640u

void sl_source_place_init(struct sl_source_place *p, const struct sl__source_opts *opts)
{
    *p = (struct sl_source_place){ .opts = opts, .fd = -1 };
}

static void place_drop(struct sl_source_place *p)
{
    if (p->asker)
        mysql_close(p->asker);
    p->asker = NULL;
    p->fd = -1;
}

void sl_source_place_deinit(struct sl_source_place *p)
{
    place_drop(p);
}

static void place_spell(char *sql, size_t size, const char *file, uint32_t pos)
{
    char hex[2 * 256 + 1];
    mysql_hex_string(hex, file, (unsigned long)strnlen(file, 255));
    int len = snprintf(sql, size, "SELECT BINLOG_GTID_POS(0x%s, %u)", hex, pos);
    SL_REQUIRE(len > 0 && (size_t)len < size);
}

static bool place_take(struct sl_gtids *out, MYSQL *db)
{
    MYSQL_RES *result = mysql_store_result(db);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    bool is_good = row && row[0] && sl_gtids_parse(out, sl_str_of(row[0]));
    mysql_free_result(result);
    return is_good;
}

bool sl_source_place_ask(struct sl_gtids *out, MYSQL *db, const char *file, uint32_t pos)
{
    char sql[PLACE_SQL_MAX];
    place_spell(sql, sizeof sql, file, pos);
    return mysql_query(db, sql) == 0 && place_take(out, db);
}

static void place_fail(struct sl_source_place *p, sl_ns now, unsigned error)
{
    place_drop(p);
    p->ask_ns = error == ER_SP_DOES_NOT_EXIST ? SL_NEVER : sl_ns_after(now, PLACE_RETRY_NS);
}

static void place_ask(struct sl_source_place *p, sl_ns now, const char *file, uint32_t pos)
{
    char sql[PLACE_SQL_MAX];
    struct sl_trouble t;
    p->seen = (struct sl_gtids){ 0 };
    if (!sl__source_connect(&p->asker, p->opts, &t)) {
        place_fail(p, now, 0);
        return;
    }
    place_spell(sql, sizeof sql, file, pos);
    p->fd = (int)mysql_get_socket(p->asker);
    if (mysql_send_query(p->asker, sql, (unsigned long)strlen(sql)) != 0)
        place_fail(p, now, mysql_errno(p->asker));
}

static void place_listen(struct sl_source_place *p, sl_ns now)
{
    struct pollfd ready = { .fd = p->fd, .events = POLLIN };
    struct sl_gtids answer;
    if (!p->asker || poll(&ready, 1, 0) <= 0)
        return;
    if (mysql_read_query_result(p->asker) != 0 || !place_take(&answer, p->asker)) {
        place_fail(p, now, mysql_errno(p->asker));
        return;
    }
    place_drop(p);
    sl_gtids_complete(&p->seen, &answer);
    p->is_known = true;
}

void sl_source_place_begin(struct sl_source_place *p, sl_ns now, const char *file, uint32_t pos,
                           const struct sl_gtid *group)
{
    p->is_open = group != NULL;
    if (group)
        p->group = *group;
    if (!p->is_known && !p->asker && now >= p->ask_ns)
        place_ask(p, now, file, pos);
}

void sl_source_place_end(struct sl_source_place *p)
{
    sl_gtids_put(&p->seen, p->group);
    p->is_open = false;
}

struct sl_str sl_source_place_text(struct sl_source_place *p, sl_ns now, char *out)
{
    if (!p->is_known)
        place_listen(p, now);
    return p->is_known ? sl_gtids_format(out, &p->seen) : (struct sl_str){ "", 0 };
}
