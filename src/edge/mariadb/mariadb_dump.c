/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* NOLINT(bugprone-reserved-identifier,cert-dcl*) a feature macro: getrandom */
#include "edge/mariadb/mariadb_source_internal.h"
#include "edge/mariadb/source_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define DUMP_EOF 0xfeu
#define DUMP_SQL_MAX 512u
#define DUMP_INFLATE_MAX ((size_t)1 << 30)
#define DUMP_TABLES_MAX 65536u

/* ---- what the server must be set to ---- */

struct source_setting {
    const char *name, *wanted;
    bool is_mysql; /* MariaDB does not know it */
};

static const struct source_setting source_settings[] = {
    { "binlog_format", "ROW", false },
    { "binlog_row_image", "FULL", false },
    { "binlog_row_metadata", "FULL", false },
    { "binlog_row_value_options", "", true }, /* PARTIAL_JSON: what a change left out of a value cannot be known */
};

bool sl__source_read_setting(char *out, size_t size, MYSQL *db, const char *name, struct sl_trouble *t)
{
    char sql[DUMP_SQL_MAX];
    MYSQL_RES *result;
    int len = snprintf(sql, sizeof sql, "SELECT @@global.%s", name);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof sql);
    if (!sl_mariadb_select(&result, db, sql, t))
        return false;
    MYSQL_ROW row = mysql_fetch_row(result);
    snprintf(out, size, "%s", row && row[0] ? row[0] : "");
    mysql_free_result(result);
    return true;
}

static void source_put_setting(struct sl_text *out, const char *begin, const char *name, const char *value)
{
    sl_text_cstr(out, out->len == 0 ? begin : ", ");
    sl_text_cstr(out, name);
    sl_text_cstr(out, "=");
    sl_text_cstr(out, value[0] ? value : "''");
}

/* All that is wrong at once: whoever repairs it does so with one statement. */
bool sl__source_check_settings(MYSQL *db, struct sl_trouble *t)
{
    char value[64], found_memory[sizeof t->detail], wanted_memory[sizeof t->remedy];
    struct sl_text found, wanted;
    sl_text_init(&found, found_memory, sizeof found_memory);
    sl_text_init(&wanted, wanted_memory, sizeof wanted_memory);
    if (!sl__source_read_setting(value, sizeof value, db, "log_bin", t))
        return false;
    if (strcmp(value, "1") != 0)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_SETTING", "start the server with log_bin",
                              "the source has log_bin=%s", value);
    for (size_t i = 0; i < sizeof source_settings / sizeof source_settings[0]; i++) {
        const struct source_setting *s = &source_settings[i];
        if (s->is_mysql && mariadb_connection(db))
            continue;
        if (!sl__source_read_setting(value, sizeof value, db, s->name, t))
            return false;
        if (strcmp(value, s->wanted) != 0) {
            source_put_setting(&found, "the source has ", s->name, value);
            source_put_setting(&wanted, "SET GLOBAL ", s->name, s->wanted);
        }
    }
    if (found.len == 0)
        return true;
    sl_text_cstr(&wanted, ", and reconnect all clients");
    return sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_SETTING", wanted_memory, "%s", found_memory);
}

/* ---- the dump ---- */

static uint32_t dump_server_id(void)
{
    uint32_t id = 0;
    const uint32_t high = UINT32_C(1) << 31; /* away from what people choose */
    if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
        id = (uint32_t)time(NULL);
    return id | high;
}

static bool dump_prepare(MYSQL *db, uint64_t heartbeat_ms, struct sl_trouble *t)
{
    char sql[DUMP_SQL_MAX];
    /* MySQL renamed them; servers look for the names that they know, and to set more is harmless */
    int len = snprintf(sql, sizeof sql,
                       "SET @master_heartbeat_period=%" PRIu64 ", @source_heartbeat_period=%" PRIu64 ", "
                       "@master_binlog_checksum=@@global.binlog_checksum, "
                       "@source_binlog_checksum=@@global.binlog_checksum, @mariadb_slave_capability=4",
                       heartbeat_ms * 1000000, heartbeat_ms * 1000000);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof sql);
    return sl_mariadb_execute(db, sql, t);
}

static void dump_put_le32(uint8_t *out, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(v >> (8 * i));
}

bool sl__dump_send(MYSQL *db, const char *file, uint32_t pos, struct sl_trouble *t)
{
    uint8_t request[10 + 256];
    size_t file_len = strlen(file);
    SL_REQUIRE(file_len < 256);
    dump_put_le32(request, pos);
    request[4] = request[5] = 0;
    dump_put_le32(request + 6, dump_server_id());
    memcpy(request + 10, file, file_len);
    if (db->methods->db_command(db, COM_BINLOG_DUMP, (const char *)request, 10 + file_len, 1, NULL) != 0)
        return sl_mariadb_trouble(t, db, "start of the dump");
    return true;
}

bool sl__source_file_name(char *out, size_t size, MYSQL *db, uint32_t number, struct sl_trouble *t)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    if (!sl_mariadb_select(&result, db, "SHOW BINARY LOGS", t))
        return false;
    out[0] = 0;
    while (!out[0] && (row = mysql_fetch_row(result))) {
        uint32_t found;
        if (row[0] && sl_binlog_file_number(&found, sl_str_of(row[0]), NULL) == SL_OK && found == number)
            snprintf(out, size, "%s", row[0]);
    }
    mysql_free_result(result);
    return out[0] || sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_PURGED",
                                    "copy the tables anew; keep logs longer (binlog_expire_logs_seconds)",
                                    "the source has no log file number %u any more", number);
}

bool sl__dump_next(MYSQL *db, struct sl_bytes *out, struct sl_trouble *t)
{
    unsigned long len = mysql_net_read_packet(db);
    if (len == packet_error)
        return sl_mariadb_trouble(t, db, "log of the source");
    const uint8_t *packet = db->net.read_pos;
    if (len < 2 || (packet[0] == DUMP_EOF && len < 9))
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "SOURCE_ENDED", "", "the source ended the log stream");
    *out = (struct sl_bytes){ packet + 1, len - 1 };
    return true;
}

bool sl__dump_item(struct sl_binlog_item *out, MYSQL *db, struct sl_binlog_stream *stream, struct sl_bytes *pending,
                   struct sl_trouble *t)
{
    struct sl_err err = { 0 };
    struct sl_bytes event = *pending;
    bool has_more = sl_binlog_stream_has_more(stream);
    *pending = (struct sl_bytes){ 0 };
    if (!has_more && !event.ptr && !sl__dump_next(db, &event, t))
        return false;
    enum sl_code code =
        has_more ? sl_binlog_stream_more(stream, out, &err) : sl_binlog_stream_feed(stream, event, out, &err);
    return code == SL_OK || sl_source_log_trouble(t, code, &err);
}

bool sl__dump_open(MYSQL **out, struct sl_binlog_stream *stream, const struct sl__source_opts *o, struct sl_trouble *t)
{
    char checksum[16];
    const struct sl_binlog_stream_opts opts = { .epoch = (uint8_t)o->epoch,
                                                .is_checksum_announced = true,
                                                .verifies_checksums = true,
                                                .inflate_bytes_max = DUMP_INFLATE_MAX,
                                                .table_count_max = DUMP_TABLES_MAX };
    if (sl_binlog_stream_init(stream, &opts) != SL_OK)
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NOMEM", "", "no memory for a log reader");
    if (!sl__source_connect(out, o, t) || !dump_prepare(*out, o->heartbeat_ms, t) ||
        !sl__source_read_setting(checksum, sizeof checksum, *out, "binlog_checksum", t))
        return false;
    stream->format.has_checksum = strcmp(checksum, "NONE") != 0;
    return true;
}
