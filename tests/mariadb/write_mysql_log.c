/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a log of MySQL 8 for fake_mysql.py to send, after the public description of the format:
 *
 *     write_mysql_log FILE [partial]
 *
 * d.t (id INT PRIMARY KEY, j JSON, v LONGTEXT): rows 1 to 3 come compressed and plain, rows 1001 to 1024 are 24 MiB of noise
 * in one compressed transaction, rows 2001 to 2006 are 6 MiB that compress to nothing, row 4 comes last; with partial a
 * partial update of it.
 */
#include "edge/mariadb/binlog_event.h"
#include "tests/support/json_binary.h"
#include "tests/support/mysql_payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LOG_MAX ((size_t)64 << 20)
#define TEXT_BYTES ((size_t)1 << 20)

static uint8_t log_bytes[LOG_MAX], inner[LOG_MAX], body[LOG_MAX];
static size_t log_len, inner_len, body_len;
static bool is_inner; /* events go into a transaction that will be compressed */

static void log_put(const void *bytes, size_t size)
{
    if (size > sizeof body - body_len)
        exit(3);
    memcpy(body + body_len, bytes, size);
    body_len += size;
}

static void log_put_le(uint64_t v, size_t width)
{
    for (size_t i = 0; i < width; i++)
        log_put(&(uint8_t){ (uint8_t)(v >> 8 * i) }, 1);
}

/* What was put is the body. */
static void log_event(uint8_t type)
{
    if (is_inner) {
        inner_len += mysql_payload_event(inner + inner_len, sizeof inner - inner_len, type, body, body_len);
        body_len = 0;
        return;
    }
    uint8_t *at = log_bytes + log_len;
    const uint32_t now = 1700000000;
    size_t size = mysql_payload_event(at, sizeof log_bytes - log_len - 4, type, body, body_len) + 4;
    for (size_t i = 0; i < 4; i++) {
        at[i] = (uint8_t)(now >> 8 * i);
        at[9 + i] = (uint8_t)(size >> 8 * i);
        at[13 + i] = (uint8_t)((log_len + size) >> 8 * i);
    }
    uLong crc = crc32(0, at, (uInt)(size - 4));
    for (size_t i = 0; i < 4; i++)
        at[size - 4 + i] = (uint8_t)(crc >> 8 * i);
    log_len += size;
    body_len = 0;
}

static void log_format(void)
{
    char version[50] = "8.4.3";
    memcpy(log_bytes,
           "\xfe"
           "bin",
           4);
    log_len = 4;
    log_put_le(4, 2);
    log_put(version, sizeof version);
    log_put_le(0, 4);
    log_put_le(SL_BINLOG_HEADER_BYTES, 1);
    for (int type = 1; type <= SL_BINLOG_MYSQL_TAGGED_GTID; type++)
        log_put_le(0, 1);
    log_put_le(1, 1); /* CRC32 */
    log_event(SL_BINLOG_FORMAT);
    log_put_le(0, 8);
    log_event(SL_BINLOG_MYSQL_PREVIOUS_GTIDS);
}

static void log_begin(bool is_compressed)
{
    static uint64_t number;
    log_put_le(1, 1);
    log_put("0123456789abcdef", 16);
    log_put_le(++number, 8);
    log_event(SL_BINLOG_MYSQL_GTID);
    is_inner = is_compressed;
    inner_len = 0;
    log_put_le(9, 4);
    log_put_le(0, 4);
    log_put("\1\0\0\0\0d\0BEGIN", 12); /* length of the schema's name, error, no status; schema; statement */
    log_event(SL_BINLOG_QUERY);
    log_put_le(7, 6);
    log_put_le(1, 2);
    log_put("\1d\0\1t\0\3\3\xf5\xfc\2\4\4\6",
            14);                  /* LONG, JSON, BLOB; lengths of 4 bytes; all but the first may be NULL */
    log_put("\1\1\0", 3);         /* SIGNEDNESS: the one number has a sign */
    log_put("\2\3\xfc\xff\0", 5); /* DEFAULT_CHARSET: utf8mb4_0900_ai_ci */
    log_put("\4\7\2id\1j\1v", 9); /* COLUMN_NAME */
    log_put("\10\1\0", 3);        /* SIMPLE_PRIMARY_KEY */
    log_event(SL_BINLOG_TABLE_MAP);
}

static void log_commit(void)
{
    log_put_le(1, 8);
    log_event(SL_BINLOG_XID);
    if (!is_inner)
        return;
    is_inner = false;
    body_len = mysql_payload_write(body, sizeof body, (struct sl_bytes){ inner, inner_len }, 3);
    log_event(SL_BINLOG_MYSQL_PAYLOAD);
}

static void log_put_image(uint32_t id, const struct json_node *json, struct sl_bytes text)
{
    static uint8_t document[1 << 16];
    size_t len = json ? json_binary_write(document, sizeof document, json) : 0;
    log_put_le((json ? 0 : 2) | (text.ptr ? 0 : 4), 1);
    log_put_le(id, 4);
    if (json) {
        log_put_le(len, 4);
        log_put(document, len);
    }
    if (text.ptr) {
        log_put_le(text.len, 4);
        log_put(text.ptr, text.len);
    }
}

static void log_begin_rows(void)
{
    log_put_le(7, 6);
    log_put_le(1, 2);
    log_put_le(2, 2);
    log_put("\3\7", 2);
}

static const struct json_node json_one = {
    0x00, JSON_MEMBERS({ 0x05, .key = "a", .number = 1 },
                       { 0x02, .key = "b", JSON_MEMBERS({ 0x04, .number = 1 }, { 0x04, .number = 0 }) },
                       { 0x0b, .key = "d", .number = UINT64_C(0x3ff0000000000000) },
                       { 0x0c, .key = "s", JSON_BYTES("gr\xc3\xbcn \"\n") },
                       { 0x0f, .key = "t", .opaque = 12, JSON_BYTES("\0\0\0\x19\x76\x1f\x95\x19") },
                       { 0x0f, .key = "n", .opaque = 246, JSON_BYTES("\4\2\x97\x22") })
};
static const struct json_node json_two = { 0x03, JSON_MEMBERS({ 0x07, .number = 70000 }, { 0x0c, JSON_BYTES("x") }) };

static void log_small(bool is_compressed, uint32_t id, const struct json_node *json, struct sl_bytes text)
{
    log_begin(is_compressed);
    log_begin_rows();
    log_put_image(id, json, text);
    log_event(SL_BINLOG_WRITE_V2);
    log_commit();
}

/* Each row an event of its own, as a server writes what is this large. */
static void log_large(uint32_t first, uint32_t count, size_t noise)
{
    static uint8_t text[TEXT_BYTES];
    uint64_t random = 1;
    memset(text, 'x', sizeof text);
    log_begin(true);
    for (uint32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < noise; k++) {
            random = random * 6364136223846793005u + 1;
            text[k] = (uint8_t)('a' + (random >> 32) % 26);
        }
        log_begin_rows();
        log_put_image(first + i, NULL, (struct sl_bytes){ text, sizeof text });
        log_event(SL_BINLOG_WRITE_V2);
    }
    log_commit();
}

static void log_partial(void)
{
    log_begin(true);
    log_begin_rows();
    log_event(SL_BINLOG_MYSQL_PARTIAL_UPDATE);
    log_commit();
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    log_format();
    log_small(true, 1, &json_one, (struct sl_bytes){ (const uint8_t *)"eins", 4 });
    log_small(false, 2, &json_two, (struct sl_bytes){ (const uint8_t *)"zwei", 4 });
    log_small(true, 3, NULL, (struct sl_bytes){ 0 });
    log_large(1001, 24, 4000);
    log_large(2001, 6, 0);
    if (argc > 2)
        log_partial();
    log_small(true, 4, &json_two, (struct sl_bytes){ 0 });
    FILE *file = fopen(argv[1], "wb");
    bool is_good = file && fwrite(log_bytes, 1, log_len, file) == log_len;
    return file && fclose(file) == 0 && is_good ? 0 : 1;
}
