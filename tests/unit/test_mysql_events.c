/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of a MySQL 8 log, byte by byte: no such server is at hand, so each fixture says field by field what its bytes
 * are, after the public description of the format. What cannot be read exactly has to be refused with what to change.
 */
#include "edge/mariadb/binlog_value.h"
#include "tests/support/mysql_payload.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SERVER 7u

static struct sl_binlog_stream stream;
static struct sl_binlog_item item;
static struct sl_err err;
static uint8_t bytes[1 << 17]; /* of the last event: items point into it */
static uint32_t pos;

static void put_le(uint8_t *at, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static enum sl_code feed_flagged(uint8_t type, const void *body, size_t size, uint16_t flags)
{
    size_t total = SL_BINLOG_HEADER_BYTES + size + SL_BINLOG_CHECKSUM_BYTES;
    assert_true(total <= sizeof bytes);
    pos += (uint32_t)total;
    put_le(bytes, 1700000000, 4); /* time */
    bytes[4] = type;              /* type */
    put_le(bytes + 5, SERVER, 4); /* server id */
    put_le(bytes + 9, total, 4);  /* size */
    put_le(bytes + 13, pos, 4);   /* position of the next event */
    put_le(bytes + 17, flags, 2); /* flags */
    memcpy(bytes + SL_BINLOG_HEADER_BYTES, body, size);
    uLong crc = crc32(0, bytes, (uInt)(total - SL_BINLOG_CHECKSUM_BYTES));
    put_le(bytes + total - SL_BINLOG_CHECKSUM_BYTES, crc, 4);
    err = (struct sl_err){ 0 };
    return sl_binlog_stream_feed(&stream, (struct sl_bytes){ bytes, total }, &item, &err);
}

static enum sl_code feed(uint8_t type, const void *body, size_t size)
{
    return feed_flagged(type, body, size, 0);
}
#define FEED(type, array) feed(type, array, sizeof(array))

/* ---- fixtures ---- */

static const uint8_t rotate_body[] = {
    4,   0,   0,   0,   0,   0,   0,   0,             /* position */
    'b', 'i', 'n', '.', '0', '0', '0', '0', '0', '2', /* name of the file */
};

/* FORMAT_DESCRIPTION_EVENT of 8.0.36. */
static size_t format_body(uint8_t *at)
{
    static const uint8_t post_header[] = { /* by type, from 1 */
                                           0, 13, 0, 8, 0, 0, 0, 0, 4,  0,  4,  0,  0,  0, 98, 0,  4, 26, 8,  0, 0,
                                           0, 8,  8, 8, 2, 0, 0, 0, 10, 10, 10, 42, 42, 0, 18, 52, 0, 10, 40, 0
    };
    memset(at, 0, 57);
    put_le(at, 4, 2);                /* version of the format */
    memcpy(at + 2, "8.0.36", 6);     /* version of the server, 50 bytes */
    put_le(at + 52, 0, 4);           /* created: in the middle of a file */
    at[56] = SL_BINLOG_HEADER_BYTES; /* size of a header */
    memcpy(at + 57, post_header, sizeof post_header);
    at[57 + sizeof post_header] = 1;    /* checksums: CRC32 */
    return 57 + sizeof post_header + 1; /* the checksum itself follows */
}

static const uint8_t gtid_body[] = {
    0x00,                                           /* flags: all of the group is in row format */
    0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, /* UUID of the server */
    0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62, /* */
    0x17, 0,    0,    0,    0,    0,    0,    0,    /* number: 23 */
    2,                                              /* logical clock follows */
    5,    0,    0,    0,    0,    0,    0,    0,    /* last committed */
    6,    0,    0,    0,    0,    0,    0,    0,    /* sequence number */
    0x00, 0x10, 0xa5, 0xd4, 0xe8, 0x01, 0x06,       /* time of the commit here, 55 bits, us */
    0xfc, 0x2c, 0x01,                               /* length of the transaction: 300 */
    0x84, 0x38, 0x01, 0x00,                         /* version of the server here: 80004 */
};

static const uint8_t begin_body[] = {
    9,    0,    0,   0,                    /* thread */
    0,    0,    0,   0,                    /* seconds */
    1,                                     /* length of the schema's name */
    0,    0,                               /* error */
    20,   0,                               /* length of the status variables */
    0,    0,    0,   0,   0,               /* Q_FLAGS2: four bytes */
    1,    0x20, 0,   0,   0,   0, 0, 0, 0, /* Q_SQL_MODE: eight bytes */
    6,    3,    's', 't', 'd',             /* Q_CATALOG_NZ: length and text */
    0x80,                                  /* a variable that is not known: the rest is left alone */
    's',  0,                               /* schema */
    'B',  'E',  'G', 'I', 'N',             /* statement */
};

static const uint8_t alter_body[] = {
    9,   0,   0,   0,   0,   0,   0,   0,   1,   0,   0,   0,   0,        /* as above, no status variables */
    's', 0,                                                               /* schema */
    'A', 'L', 'T', 'E', 'R', ' ', 'T', 'A', 'B', 'L', 'E', ' ', 't', ' ', /* statement */
    'F', 'O', 'R', 'C', 'E',
};

static const uint8_t insert_statement_body[] = {
    9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 's', 0, 'I', 'N', 'S', 'E', 'R', 'T', ' ', 't', '(', ')',
};

static const uint8_t xid_body[] = { 42, 0, 0, 0, 0, 0, 0, 0 };

/* t (id INT UNSIGNED PRIMARY KEY, at DATETIME(3), t TIME(2), s TIMESTAMP(6), e ENUM('a','b'), v VARCHAR(300) utf8mb4). */
static const uint8_t map_body[] = {
    0x6c, 0,    0,    0,    0,   0,  /* id */
    1,    0,                         /* flags */
    1,    's',  0,                   /* schema */
    1,    't',  0,                   /* table */
    6,                               /* columns */
    3,    18,   19,   17,   254, 15, /* LONG, DATETIME2, TIME2, TIMESTAMP2, STRING (hides ENUM), VARCHAR */
    7,                               /* length of the columns' metadata */
    3,    2,    6,                   /* digits of the fractions */
    0xf7, 1,                         /* ENUM of one byte */
    0xb0, 0x04,                      /* VARCHAR of at most 1200 bytes */
    0x3e,                            /* may be NULL: all but the first */
    1,    1,    0x80,                /* SIGNEDNESS: the one numeric column has no sign */
    2,    2,    0xfc, 0xff,          /* DEFAULT_CHARSET, broken off: replaced in the test below */
};
#define MAP_FIXED_BYTES (sizeof map_body - 4)

static const uint8_t map_optional[] = {
    2,  3,  0xfc, 0xff, 0x00,                                              /* DEFAULT_CHARSET: collation 255 */
    4,  14, 2,    'i',  'd',  2, 'a', 't', 1, 't', 1, 's', 1, 'e', 1, 'v', /* COLUMN_NAME */
    6,  5,  2,    1,    'a',  1, 'b',                                      /* ENUM_STR_VALUE of the one ENUM */
    8,  1,  0,                                                             /* SIMPLE_PRIMARY_KEY: column 0 */
    10, 2,  0xfc, 0xff,                                                    /* ENUM_AND_SET_DEFAULT_CHARSET */
    12, 1,  0x00,                                                          /* COLUMN_VISIBILITY: not needed */
};

static size_t map_full(uint8_t *at)
{
    memcpy(at, map_body, MAP_FIXED_BYTES);
    memcpy(at + MAP_FIXED_BYTES, map_optional, sizeof map_optional);
    return MAP_FIXED_BYTES + sizeof map_optional;
}

/* One image: 2026-11-23 21:58:59.120, -01:02:03.45, 2026-11-23 21:58:59.000007 UTC, 'b', 'grün'. */
#define IMAGE                                                                                          \
    0x00,                                         /* NULLs: none */                                    \
        0xff, 0xff, 0xff, 0xff,                   /* id: 4294967295 */                                 \
        0x99, 0xbb, 0x6f, 0x5e, 0xbb, 0x04, 0xb0, /* DATETIME2: 40 bits, then 1200 of 10^-4 */         \
        0x7f, 0xef, 0x7c, 0xd3,                   /* TIME2: 24 bits and 8 of the fraction, negative */ \
        0x6b, 0x04, 0xb7, 0x23, 0x00, 0x00, 0x07, /* TIMESTAMP2: seconds, big-endian, and 7 us */      \
        2,                                        /* ENUM: the second */                               \
        5, 0, 'g', 'r', 0xc3, 0xbc, 'n'           /* VARCHAR: two bytes of length */

static const uint8_t write_body[] = {
    0x6c,  0, 0, 0, 0, 0, /* id of the table */
    1,     0,             /* flags: ends the statement */
    5,     0, 0, 1, 9,    /* extra data: its length with these two bytes, type, length, one byte */
    6,                    /* columns */
    0x3f,                 /* all are in the image */
    IMAGE,
};

static const uint8_t update_body[] = {
    0x6c,  0,    0, 0, 0, 0, 1, 0, /* as above */
    2,     0,                      /* no extra data */
    6,                             /* columns */
    0x01,  0x3f,                   /* before: the key alone (binlog_row_image=MINIMAL); after: all */
    0x00,  5,    0, 0, 0,          /* before: NULLs of one column, id 5 */
    IMAGE,                         /* after */
};

static const uint8_t delete_body[] = {
    0x6c, 0, 0, 0, 0, 0, 1, 0, 2, 0, 6, 0x3f, /* as above */
    0x3e,                                     /* NULLs: all but the key */
    5,    0, 0, 0,                            /* id */
};

/* ---- helpers ---- */

static int set_up(void **state)
{
    (void)state;
    const struct sl_binlog_stream_opts opts = {
        .is_checksum_announced = true, .verifies_checksums = true, .inflate_bytes_max = 1 << 22, .table_count_max = 16
    };
    uint8_t format[256];
    sl_assert_i64(sl_binlog_stream_init(&stream, &opts), SL_OK);
    pos = 0;
    sl_assert_i64(FEED(SL_BINLOG_ROTATE, rotate_body), SL_OK);
    pos = 4;
    sl_assert_i64(feed(SL_BINLOG_FORMAT, format, format_body(format)), SL_OK);
    sl_assert_str(stream.format.server_version, "8.0.36");
    assert_false(stream.format.is_mariadb);
    sl_assert_i64(feed(SL_BINLOG_MYSQL_PREVIOUS_GTIDS, "\0\0\0\0\0\0\0\0", 8), SL_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_binlog_stream_deinit(&stream);
    return 0;
}

static void begin_rows(void)
{
    uint8_t map[256];
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(item.kind, SL_BINLOG_BEGIN);
    sl_assert_i64(FEED(SL_BINLOG_QUERY, begin_body), SL_OK);
    sl_assert_i64(item.kind, SL_BINLOG_NOTHING);
    sl_assert_i64(feed(SL_BINLOG_TABLE_MAP, map, map_full(map)), SL_OK);
}

static uint8_t *no_memory(void *ctx, size_t size)
{
    static uint8_t memory[1024];
    static size_t used;
    (void)ctx;
    used = used + size > sizeof memory ? 0 : used;
    used += size;
    return memory + used - size;
}

static struct sl_value values[8];

static enum sl_code read_image(struct sl_cursor *c, struct sl_bytes present, uint32_t count)
{
    const struct sl_value_memory memory = { NULL, no_memory, &stream.inflated };
    return sl_binlog_image_read(values, c, item.rows.table, present, count, &memory, &err);
}

static void assert_text(const struct sl_value *v, const char *expected)
{
    sl_assert_i64(v->kind, SL_VALUE_TEXT);
    sl_assert_u64(v->len, strlen(expected));
    sl_assert_mem(v->v.ptr, expected, v->len);
}

static void assert_whole_image(void)
{
    sl_assert_i64(values[0].kind, SL_VALUE_UINT);
    sl_assert_u64(values[0].v.u, 4294967295u);
    assert_text(&values[1], "2026-11-23 21:58:59.120");
    assert_text(&values[2], "-01:02:03.45");
    assert_text(&values[3], "2026-11-23 21:58:59.000007");
    sl_assert_u64(values[4].v.u, 2);
    assert_text(&values[5], "gr\xc3\xbcn");
}

static void assert_refused(const char *setting)
{
    if (!strstr(err.text, setting))
        fail_msg("expected a text that names %s, got: %s", setting, err.text);
}

/* ---- facts ---- */

static void a_group_begins_at_its_gtid_and_ends_with_its_xid(void **state)
{
    (void)state;
    uint32_t start = pos;
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_XID, xid_body), SL_OK);
    sl_assert_i64(item.kind, SL_BINLOG_END);
    assert_true(item.ends_group);
    sl_assert_u64(item.ts, sl_binlog_ts(0, 2, start));
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_ANONYMOUS_GTID, gtid_body), SL_OK); /* and so does one without a number */
    sl_assert_i64(item.kind, SL_BINLOG_BEGIN);
}

static void what_a_gtid_says_is_read_field_by_field(void **state)
{
    (void)state;
    struct sl_binlog_event e = { .type = SL_BINLOG_MYSQL_GTID, .body = { gtid_body, sizeof gtid_body } };
    struct sl_binlog_mysql_gtid gtid;
    sl_assert_i64(sl_binlog_mysql_gtid_parse(&gtid, &e, &err), SL_OK);
    sl_assert_u64(gtid.number, 23);
    sl_assert_mem(gtid.uuid, gtid_body + 1, 16);
    for (size_t i = 0; i < 25; i++) {
        e.body.len = i;
        sl_assert_i64(sl_binlog_mysql_gtid_parse(&gtid, &e, &err), SL_TRUNCATED);
    }
}

static void a_tagged_gtid_begins_a_group_too(void **state)
{
    (void)state;
    sl_assert_i64(feed(SL_BINLOG_MYSQL_TAGGED_GTID, "\2\x90\0\0", 4), SL_OK); /* its form is another, and not needed */
    sl_assert_i64(item.kind, SL_BINLOG_BEGIN);
    sl_assert_i64(FEED(SL_BINLOG_QUERY, begin_body), SL_OK);
    sl_assert_i64(FEED(SL_BINLOG_XID, xid_body), SL_OK);
    assert_true(item.ends_group);
}

static void a_change_of_a_replication_group_is_a_group_without_rows(void **state)
{
    (void)state;
    static const uint8_t commit_body[] = {
        9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'C', 'O', 'M', 'M', 'I', 'T',
    };
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(FEED(SL_BINLOG_QUERY, begin_body), SL_OK);
    sl_assert_i64(feed(SL_BINLOG_MYSQL_VIEW_CHANGE, "a view", 6), SL_OK);
    sl_assert_i64(item.kind, SL_BINLOG_NOTHING);
    sl_assert_i64(FEED(SL_BINLOG_QUERY, commit_body), SL_OK);
    assert_true(item.ends_group && !item.is_undone);
}

static void a_statement_without_begin_is_a_schema_change(void **state)
{
    (void)state;
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(FEED(SL_BINLOG_QUERY, alter_body), SL_OK);
    sl_assert_i64(item.kind, SL_BINLOG_STATEMENT);
    assert_true(item.ends_group);
    assert_true(sl_str_eq(item.statement.sql, SL_STR("ALTER TABLE t FORCE")));
    assert_true(sl_str_eq(item.statement.database, SL_STR("s")));
    begin_rows();
}

static void a_statement_inside_of_a_transaction_is_refused(void **state)
{
    (void)state;
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_QUERY, insert_statement_body), SL_REFUSED);
    assert_refused("binlog_format=ROW");
}

static void a_map_with_all_its_metadata_describes_the_table(void **state)
{
    (void)state;
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_WRITE_V2, write_body), SL_OK);
    const struct sl_binlog_table *t = item.rows.table;
    struct sl_str member;
    assert_true(t->has_signs && t->has_names && t->has_key);
    sl_assert_u64(t->column_count, 6);
    assert_true(t->columns[0].is_unsigned && !t->columns[0].is_nullable && t->columns[1].is_nullable);
    sl_assert_u64(t->columns[0].key_part, 1);
    sl_assert_u64(t->columns[1].key_part, 0);
    assert_true(sl_str_eq(t->columns[1].name, SL_STR("at")));
    sl_assert_u64(t->columns[1].meta, 3);
    sl_assert_u64(t->columns[4].type, SL_MYSQL_ENUM);
    assert_true(sl_binlog_member(&t->columns[4], 2, &member) && sl_str_eq(member, SL_STR("b")));
    sl_assert_u64(t->columns[5].size, 1200);
    sl_assert_u64(t->columns[5].collation, 255);
}

static void metadata_that_is_broken_off_is_malformed(void **state)
{
    (void)state;
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(FEED(SL_BINLOG_QUERY, begin_body), SL_OK);
    sl_assert_i64(FEED(SL_BINLOG_TABLE_MAP, map_body), SL_MALFORMED);
}

static void rows_of_version_2_are_read_with_their_extra_data_left_out(void **state)
{
    (void)state;
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_WRITE_V2, write_body), SL_OK);
    struct sl_cursor c = sl_cursor_of(item.rows.rows);
    sl_assert_i64(item.rows.op, SL_ROW_INSERT);
    sl_assert_i64(read_image(&c, item.rows.after_present, item.rows.after_count), SL_OK);
    sl_assert_u64(sl_cursor_left(&c), 0);
    assert_whole_image();
}

static void an_update_has_both_images_each_with_its_own_columns(void **state)
{
    (void)state;
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_UPDATE_V2, update_body), SL_OK);
    struct sl_cursor c = sl_cursor_of(item.rows.rows);
    sl_assert_i64(item.rows.op, SL_ROW_UPDATE);
    sl_assert_u64(item.rows.before_count, 1); /* whoever needs whole images sees it here */
    sl_assert_i64(read_image(&c, item.rows.before_present, item.rows.before_count), SL_OK);
    sl_assert_u64(values[0].v.u, 5);
    sl_assert_i64(values[1].kind, SL_VALUE_ABSENT);
    sl_assert_i64(read_image(&c, item.rows.after_present, item.rows.after_count), SL_OK);
    assert_whole_image();
}

static void a_delete_has_its_old_image_with_nulls(void **state)
{
    (void)state;
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_DELETE_V2, delete_body), SL_OK);
    struct sl_cursor c = sl_cursor_of(item.rows.rows);
    sl_assert_i64(item.rows.op, SL_ROW_DELETE);
    sl_assert_i64(read_image(&c, item.rows.before_present, item.rows.before_count), SL_OK);
    sl_assert_u64(values[0].v.u, 5);
    for (size_t i = 1; i < 6; i++)
        sl_assert_i64(values[i].kind, SL_VALUE_NULL);
    sl_assert_u64(sl_cursor_left(&c), 0);
}

static void partial_json_updates_are_refused_with_the_setting(void **state)
{
    (void)state;
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_PARTIAL_UPDATE, update_body), SL_REFUSED);
    assert_refused("binlog_row_value_options=''");
}

static void xa_transactions_are_refused(void **state)
{
    (void)state;
    static const uint8_t xa_start[] = { 9,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,    0,   0,   0,
                                        'X', 'A', ' ', 'S', 'T', 'A', 'R', 'T', ' ', 'X', '\'', '6', '1', '\'' };
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(FEED(SL_BINLOG_QUERY, xa_start), SL_REFUSED);
    assert_refused("XA transaction");
}

/* j JSON: {"a": 1} in MySQL's binary form. */
static const uint8_t json_map[] = {
    0x6d, 0,   0, 0, 0, 0, 1, 0, 1, 's', 0, 1, 'j', 0, /* id, flags, schema, table */
    1,    245, 1, 4, 1,                                /* one column: JSON, four bytes of length, may be NULL */
};
static const uint8_t json_rows[] = {
    0x6d, 0, 0,  0, 0, 0, 1, 0, 2, 0, 1, 0x01, 0x00, /* id, flags, no extra data, one column, present, not NULL */
    13,   0, 0,  0,                                  /* length of the document */
    0x00,                                            /* small object */
    1,    0, 12, 0,                                  /* one member, 12 bytes */
    11,   0, 1,  0,                                  /* key: at 11, one byte */
    0x05, 1, 0,                                      /* value: int16, inlined, 1 */
    'a',                                             /* the key */
};

static void binary_json_becomes_text(void **state)
{
    (void)state;
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_TABLE_MAP, json_map), SL_OK);
    sl_assert_i64(FEED(SL_BINLOG_WRITE_V2, json_rows), SL_OK);
    sl_assert_u64(item.rows.table->columns[0].collation, SL_COLLATION_UTF8MB4_BIN);
    struct sl_cursor c = sl_cursor_of(item.rows.rows);
    sl_assert_i64(read_image(&c, item.rows.after_present, item.rows.after_count), SL_OK);
    sl_assert_u64(sl_cursor_left(&c), 0);
    assert_text(&values[0], "{\"a\": 1}");
}

static void binary_json_that_is_broken_names_its_table(void **state)
{
    (void)state;
    uint8_t rows[sizeof json_rows];
    begin_rows();
    sl_assert_i64(FEED(SL_BINLOG_TABLE_MAP, json_map), SL_OK);
    memcpy(rows, json_rows, sizeof rows);
    rows[sizeof rows - 8] = 99; /* the offset of the key */
    sl_assert_i64(FEED(SL_BINLOG_WRITE_V2, rows), SL_OK);
    struct sl_cursor c = sl_cursor_of(item.rows.rows);
    sl_assert_i64(read_image(&c, item.rows.after_present, item.rows.after_count), SL_MALFORMED);
    assert_refused("s.j column 1: binary JSON");
}

/* g GEOMETRY, v VARCHAR(10) latin1: the one charset belongs to the text. */
static void geometries_have_no_charset_in_the_list(void **state)
{
    (void)state;
    static const uint8_t map[] = {
        0x6e, 0,   0,  0, 0, 0,  1, 0, 1, 's', 0, 1, 'g', 0, /* id, flags, schema, table */
        2,    255, 15, 3, 4, 10, 0, 0,                       /* GEOMETRY, VARCHAR; their metadata; none may be NULL */
        3,    1,   8,                                        /* COLUMN_CHARSET: one */
    };
    static const uint8_t by_default[] = {
        0x6e, 0,  0,   0,  0,  0,  1, 0, 1,  's', 0, 1, 'g', 0, /* */
        3,    15, 255, 15, 5,  10, 0, 4, 10, 0,   0,            /* VARCHAR, GEOMETRY, VARCHAR */
        2,    3,  8,   1,  33, /* DEFAULT_CHARSET: collation 8, but 33 of the second text */
    };
    struct sl_binlog_table *t;
    sl_assert_i64(sl_binlog_table_new(&t, (struct sl_bytes){ map, sizeof map }, false, &err), SL_OK);
    sl_assert_u64(t->columns[0].collation, 0);
    sl_assert_u64(t->columns[1].collation, 8);
    sl_binlog_table_free(t);
    sl_assert_i64(sl_binlog_table_new(&t, (struct sl_bytes){ by_default, sizeof by_default }, false, &err), SL_OK);
    sl_assert_u64(t->columns[0].collation, 8);
    sl_assert_u64(t->columns[1].collation, 0);
    sl_assert_u64(t->columns[2].collation, 33);
    sl_binlog_table_free(t);
    sl_assert_i64(sl_binlog_table_new(&t, (struct sl_bytes){ by_default, sizeof by_default }, true, &err), SL_OK);
    sl_assert_u64(t->columns[1].collation, 33); /* MariaDB counts it */
    sl_binlog_table_free(t);
}

/* ---- compressed transactions ---- */

static uint8_t inner[28 << 20]; /* the events of a transaction */
static size_t inner_len;

static void add_inner(uint8_t type, const void *body, size_t size)
{
    inner_len += mysql_payload_event(inner + inner_len, sizeof inner - inner_len, type, body, size);
}
#define ADD_INNER(type, array) add_inner(type, array, sizeof(array))

static void begin_inner(void)
{
    uint8_t map[256];
    inner_len = 0;
    ADD_INNER(SL_BINLOG_QUERY, begin_body);
    add_inner(SL_BINLOG_TABLE_MAP, map, map_full(map));
}

static enum sl_code feed_inner(void)
{
    static uint8_t body[sizeof bytes];
    size_t size = mysql_payload_write(body, sizeof body, (struct sl_bytes){ inner, inner_len }, 3);
    return feed(SL_BINLOG_MYSQL_PAYLOAD, body, size);
}

static enum sl_code more(void)
{
    assert_true(sl_binlog_stream_has_more(&stream));
    return sl_binlog_stream_more(&stream, &item, &err);
}

static void a_compressed_transaction_has_the_items_of_a_plain_one(void **state)
{
    (void)state;
    uint32_t start = pos;
    begin_inner();
    ADD_INNER(SL_BINLOG_WRITE_V2, write_body);
    ADD_INNER(SL_BINLOG_ROWS_QUERY, "\4text");
    ADD_INNER(SL_BINLOG_DELETE_V2, delete_body);
    ADD_INNER(SL_BINLOG_XID, xid_body);
    for (int turn = 0; turn < 3; turn++, start = pos) {
        start = pos;
        sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
        sl_assert_i64(item.kind, SL_BINLOG_BEGIN);
        assert_false(sl_binlog_stream_has_more(&stream));
        sl_assert_i64(feed_inner(), SL_OK); /* BEGIN */
        sl_assert_i64(item.kind, SL_BINLOG_NOTHING);
        sl_assert_i64(more(), SL_OK); /* map */
        sl_assert_i64(more(), SL_OK);
        sl_assert_i64(item.kind, SL_BINLOG_ROWS);
        sl_assert_i64(item.rows.op, SL_ROW_INSERT);
        sl_assert_u64(item.ts, sl_binlog_ts(0, 2, start));
        struct sl_cursor c = sl_cursor_of(item.rows.rows);
        sl_assert_i64(read_image(&c, item.rows.after_present, item.rows.after_count), SL_OK);
        assert_whole_image();
        sl_assert_i64(more(), SL_OK); /* the statement, as a comment */
        sl_assert_i64(item.kind, SL_BINLOG_NOTHING);
        sl_assert_i64(more(), SL_OK);
        sl_assert_i64(item.rows.op, SL_ROW_DELETE);
        assert_false(item.ends_group);
        sl_assert_i64(more(), SL_OK);
        sl_assert_i64(item.kind, SL_BINLOG_END);
        assert_true(item.ends_group);
        sl_assert_u64(item.ts, sl_binlog_ts(0, 2, start));
        assert_false(sl_binlog_stream_has_more(&stream));
    }
}

static void a_schema_change_may_be_in_one(void **state)
{
    (void)state;
    inner_len = 0;
    ADD_INNER(SL_BINLOG_QUERY, alter_body);
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(feed_inner(), SL_OK);
    sl_assert_i64(item.kind, SL_BINLOG_STATEMENT);
    assert_true(item.ends_group && sl_str_eq(item.statement.sql, SL_STR("ALTER TABLE t FORCE")));
    assert_false(sl_binlog_stream_has_more(&stream));
    begin_rows();
}

/* Rows of which count have 1 MiB each; the first noise bytes of each compress to nothing. */
static uint32_t feed_large(uint32_t count, size_t noise)
{
    static uint8_t rows[1 << 20];
    uint64_t random = 1;
    memset(rows, 0, sizeof rows);
    memcpy(rows, delete_body, 12);
    begin_inner();
    for (uint32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < noise; k++)
            rows[12 + k] = (uint8_t)((random = random * 6364136223846793005u + 1) >> 56);
        add_inner(SL_BINLOG_DELETE_V2, rows, sizeof rows);
    }
    ADD_INNER(SL_BINLOG_XID, xid_body);
    uint32_t start = pos;
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(feed_inner(), SL_OK);
    sl_assert_i64(more(), SL_OK);
    return start;
}

static void a_large_one_has_parts_that_stay_below_the_next(void **state)
{
    (void)state;
    uint32_t start = feed_large(24, 2000), parts = 1;
    sl_ts last = sl_binlog_ts(0, 2, start);
    for (uint32_t i = 0; i < 24; i++) {
        sl_assert_i64(more(), SL_OK);
        sl_assert_i64(item.kind, SL_BINLOG_ROWS);
        assert_true(item.ts >= last && item.ts < sl_binlog_ts(0, 2, pos));
        parts += item.ts > last;
        last = item.ts;
    }
    sl_assert_u64(parts, 6);
    sl_assert_i64(more(), SL_OK);
    assert_true(item.ends_group);
    begin_rows(); /* B2 */
}

static void rows_that_compress_to_nothing_have_as_many_parts_as_there_are_places(void **state)
{
    (void)state;
    for (size_t noise = 0; noise < 400; noise += 50) {
        uint32_t start = feed_large(24, noise), ends = 0, parts = 1;
        sl_ts last = sl_binlog_ts(0, 2, start);
        for (uint32_t i = 0; i < 24; i++) {
            sl_assert_i64(more(), SL_OK);
            ends += item.ends_part;
            parts += item.ts > last;
            last = item.ts;
        }
        sl_assert_u64(ends + 1, parts); /* who is told that a part ends meets another one */
        assert_true(parts <= 1 + (pos - start) / SL_BINLOG_PART_STEP && last < sl_binlog_ts(0, 2, pos));
        sl_assert_i64(more(), SL_OK);
        assert_true(item.ends_group);
    }
    begin_rows();
}

static void what_is_refused_of_a_plain_one_is_refused_of_it_at_its_place(void **state)
{
    (void)state;
    char place[32];
    begin_inner();
    ADD_INNER(SL_BINLOG_MYSQL_PARTIAL_UPDATE, update_body);
    ADD_INNER(SL_BINLOG_XID, xid_body);
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    snprintf(place, sizeof place, "bin.000002:%u", pos);
    sl_assert_i64(feed_inner(), SL_OK);
    sl_assert_i64(more(), SL_OK);
    sl_assert_i64(more(), SL_REFUSED);
    assert_refused("binlog_row_value_options=''");
    assert_refused(place);
    assert_false(sl_binlog_stream_has_more(&stream));
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_REFUSED); /* and stays so */
}

static void only_events_of_a_transaction_may_be_in_one(void **state)
{
    static const uint8_t types[] = {
        SL_BINLOG_STOP,
        SL_BINLOG_ROTATE,
        SL_BINLOG_FORMAT,
        SL_BINLOG_HEARTBEAT,
        SL_BINLOG_MYSQL_GTID,
        SL_BINLOG_MYSQL_ANONYMOUS_GTID,
        SL_BINLOG_GTID,
        SL_BINLOG_MYSQL_PAYLOAD,
        SL_BINLOG_MYSQL_PREVIOUS_GTIDS,
        SL_BINLOG_GTID_LIST,
        SL_BINLOG_QUERY_COMPRESSED,
        SL_BINLOG_WRITE_COMPRESSED,
        SL_BINLOG_CHECKPOINT,
        SL_BINLOG_MYSQL_TAGGED_GTID,
        99,
    };
    for (size_t i = 0; i < sizeof types; i++) {
        begin_inner();
        ADD_INNER(types[i], rotate_body);
        sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
        sl_assert_i64(feed_inner(), SL_OK);
        sl_assert_i64(more(), SL_OK);
        sl_assert_i64(more(), SL_MALFORMED);
        tear_down(state);
        set_up(state);
    }
}

static void one_without_a_gtid_or_inside_of_another_is_refused(void **state)
{
    begin_inner();
    sl_assert_i64(feed_inner(), SL_REFUSED);
    tear_down(state);
    set_up(state);
    begin_rows();
    begin_inner();
    sl_assert_i64(feed_inner(), SL_REFUSED);
}

static void one_that_ends_too_early_or_too_late_is_not_committed(void **state)
{
    begin_inner();
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(feed_inner(), SL_OK);
    sl_assert_i64(more(), SL_OK);
    sl_assert_i64(more(), SL_TRUNCATED); /* no XID */
    tear_down(state);
    set_up(state);
    begin_inner();
    ADD_INNER(SL_BINLOG_XID, xid_body);
    ADD_INNER(SL_BINLOG_XID, xid_body);
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    sl_assert_i64(feed_inner(), SL_OK);
    sl_assert_i64(more(), SL_OK);
    sl_assert_i64(more(), SL_MALFORMED);
}

static void unknown_events_are_skipped_only_if_they_say_so(void **state)
{
    (void)state;
    sl_assert_i64(feed_flagged(99, "", 0, SL_BINLOG_FLAG_IGNORABLE), SL_OK);
    sl_assert_i64(feed(SL_BINLOG_MYSQL_HEARTBEAT_V2, "\1\5bin.2", 7), SL_OK);
    sl_assert_i64(feed(99, "", 0), SL_UNKNOWN_TYPE);
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_REFUSED); /* and stays so */
}

static void a_changed_byte_is_seen_by_the_checksum(void **state)
{
    (void)state;
    sl_assert_i64(FEED(SL_BINLOG_MYSQL_GTID, gtid_body), SL_OK);
    size_t total = SL_BINLOG_HEADER_BYTES + sizeof gtid_body + SL_BINLOG_CHECKSUM_BYTES;
    bytes[SL_BINLOG_HEADER_BYTES + 3] ^= 1;
    sl_assert_i64(sl_binlog_stream_feed(&stream, (struct sl_bytes){ bytes, total }, &item, &err), SL_MALFORMED);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_begins_at_its_gtid_and_ends_with_its_xid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_gtid_says_is_read_field_by_field, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tagged_gtid_begins_a_group_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_of_a_replication_group_is_a_group_without_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_statement_without_begin_is_a_schema_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_statement_inside_of_a_transaction_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_map_with_all_its_metadata_describes_the_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metadata_that_is_broken_off_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_of_version_2_are_read_with_their_extra_data_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_update_has_both_images_each_with_its_own_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_delete_has_its_old_image_with_nulls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(partial_json_updates_are_refused_with_the_setting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(xa_transactions_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(binary_json_becomes_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(binary_json_that_is_broken_names_its_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(geometries_have_no_charset_in_the_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_compressed_transaction_has_the_items_of_a_plain_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_schema_change_may_be_in_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_one_has_parts_that_stay_below_the_next, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_that_compress_to_nothing_have_as_many_parts_as_there_are_places, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_refused_of_a_plain_one_is_refused_of_it_at_its_place, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(only_events_of_a_transaction_may_be_in_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_without_a_gtid_or_inside_of_another_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_ends_too_early_or_too_late_is_not_committed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_events_are_skipped_only_if_they_say_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_changed_byte_is_seen_by_the_checksum, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
