/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_BINLOG_EVENT_H
#define SL_EDGE_MARIADB_BINLOG_EVENT_H

#include "base/cursor.h"
#include "base/err.h"

/*
 * Events of a binary log (MariaDB's format, and MySQL 8's where it differs), as they come over a dump connection: bytes
 * in, views out. Nothing here allocates, keeps state or does I/O; a view lives as long as the bytes it was taken from.
 *
 * Every function that parses returns SL_OK, SL_TRUNCATED (a length points past the end), SL_MALFORMED or
 * SL_UNKNOWN_TYPE, with one line in *err (may be null) that says where; *out is then not to be used.
 */
enum sl_binlog_type {
    SL_BINLOG_QUERY = 2,
    SL_BINLOG_STOP = 3,
    SL_BINLOG_ROTATE = 4,
    SL_BINLOG_INTVAR = 5,
    SL_BINLOG_RAND = 13,
    SL_BINLOG_USER_VAR = 14,
    SL_BINLOG_FORMAT = 15,
    SL_BINLOG_XID = 16,
    SL_BINLOG_LOAD_BEGIN = 17,
    SL_BINLOG_LOAD_EXECUTE = 18,
    SL_BINLOG_TABLE_MAP = 19,
    SL_BINLOG_WRITE_V1 = 23,
    SL_BINLOG_UPDATE_V1 = 24,
    SL_BINLOG_DELETE_V1 = 25,
    SL_BINLOG_INCIDENT = 26,
    SL_BINLOG_HEARTBEAT = 27,
    SL_BINLOG_IGNORABLE = 28,
    SL_BINLOG_ROWS_QUERY = 29,
    SL_BINLOG_WRITE_V2 = 30,
    SL_BINLOG_UPDATE_V2 = 31,
    SL_BINLOG_DELETE_V2 = 32,
    SL_BINLOG_MYSQL_GTID = 33,
    SL_BINLOG_MYSQL_ANONYMOUS_GTID = 34,
    SL_BINLOG_MYSQL_PREVIOUS_GTIDS = 35,
    SL_BINLOG_MYSQL_CONTEXT = 36, /* of group replication, as is the next one: about who has seen what, not rows */
    SL_BINLOG_MYSQL_VIEW_CHANGE = 37,
    SL_BINLOG_XA_PREPARE = 38,
    SL_BINLOG_MYSQL_PARTIAL_UPDATE = 39,
    SL_BINLOG_MYSQL_PAYLOAD = 40,
    SL_BINLOG_MYSQL_HEARTBEAT_V2 = 41,
    SL_BINLOG_MYSQL_TAGGED_GTID = 42,
    SL_BINLOG_ANNOTATE = 160,
    SL_BINLOG_CHECKPOINT = 161,
    SL_BINLOG_GTID = 162,
    SL_BINLOG_GTID_LIST = 163,
    SL_BINLOG_START_ENCRYPTION = 164,
    SL_BINLOG_QUERY_COMPRESSED = 165,
    SL_BINLOG_WRITE_COMPRESSED = 166,
    SL_BINLOG_UPDATE_COMPRESSED = 167,
    SL_BINLOG_DELETE_COMPRESSED = 168,
};

#define SL_BINLOG_HEADER_BYTES 19u
#define SL_BINLOG_CHECKSUM_BYTES 4u
#define SL_BINLOG_FLAG_ARTIFICIAL 0x20u /* made for this connection, not in the file */
#define SL_BINLOG_FLAG_IGNORABLE 0x80u  /* a reader that does not know the type may skip it */
#define SL_BINLOG_FLAG_SKIP 0x8000u     /* the writer asked replicas to skip it (skip_replication) */

/* What a file's format description says of all events after it. */
struct sl_binlog_format {
    bool is_known;
    bool has_checksum; /* CRC32 behind each event */
    bool is_mariadb;
    char server_version[51];
    uint32_t create_time; /* 0 in the middle of a file */
    uint8_t post_header_bytes[256];
};

struct sl_binlog_event {
    uint32_t time; /* seconds */
    uint8_t type;
    uint32_t server_id;
    uint32_t size; /* with header and checksum, as in the file */
    uint32_t next_pos;
    uint16_t flags;
    struct sl_bytes body; /* without header and checksum */
};

/*
 * Splits one event off its bytes (exactly one event). The checksum is verified if verify is set and the format says
 * that there is one; SL_MALFORMED if it is wrong. Before the first format description the announced checksum decides:
 * set format->has_checksum to what was negotiated.
 */
SL_CHECKED enum sl_code sl_binlog_event_parse(struct sl_binlog_event *out, struct sl_bytes bytes,
                                              const struct sl_binlog_format *format, bool verify, struct sl_err *err);

/* Replaces *format. Takes the whole event, as it has its own checksum rule. */
SL_CHECKED enum sl_code sl_binlog_format_parse(struct sl_binlog_format *format, struct sl_bytes bytes,
                                               struct sl_err *err);

struct sl_binlog_rotate {
    uint64_t pos;
    struct sl_str file;
};
SL_CHECKED enum sl_code sl_binlog_rotate_parse(struct sl_binlog_rotate *out, struct sl_bytes body, struct sl_err *err);

struct sl_gtid {
    uint32_t domain, server;
    uint64_t seq;
};

#define SL_GTID_STANDALONE 0x01u /* one event follows, without a terminator */
#define SL_GTID_TRANSACTIONAL 0x04u
#define SL_GTID_DDL 0x20u
#define SL_GTID_XA_PREPARED 0x40u
#define SL_GTID_XA_COMPLETED 0x80u
struct sl_binlog_gtid {
    struct sl_gtid gtid;
    uint8_t flags;
    struct sl_bytes xid; /* format, lengths and data of the XA id, when one of the XA flags is set */
};
SL_CHECKED enum sl_code sl_binlog_gtid_parse(struct sl_binlog_gtid *out, const struct sl_binlog_event *event,
                                             struct sl_err *err);

/*
 * MySQL's, with the server's UUID. Of a tagged one (8.3 and later) nothing is read: that a group begins is all that is
 * needed of it.
 */
struct sl_binlog_mysql_gtid {
    uint8_t uuid[16];
    uint64_t number; /* 0: anonymous */
};
SL_CHECKED enum sl_code sl_binlog_mysql_gtid_parse(struct sl_binlog_mysql_gtid *out,
                                                   const struct sl_binlog_event *event, struct sl_err *err);

/* A list of positions, one or more per domain; the last one of a domain counts. */
struct sl_binlog_gtid_list {
    struct sl_bytes entries; /* 16 bytes each */
    uint32_t count;
};
SL_CHECKED enum sl_code sl_binlog_gtid_list_parse(struct sl_binlog_gtid_list *out, struct sl_bytes body,
                                                  struct sl_err *err);
struct sl_gtid sl_binlog_gtid_list_at(const struct sl_binlog_gtid_list *list, uint32_t index);

struct sl_binlog_query {
    struct sl_str database, sql;
    uint16_t error;
    uint64_t sql_mode;
    uint16_t client_collation; /* 0: not said */
    bool is_compressed;        /* then sql is the deflated form: binlog_inflate.h */
};
SL_CHECKED enum sl_code sl_binlog_query_parse(struct sl_binlog_query *out, const struct sl_binlog_event *event,
                                              struct sl_err *err);

/* A length of the client protocol: 1, 3, 4 or 9 bytes. Sets failed on 0xfb, which is no length, and 0xff. */
uint64_t sl_binlog_lenenc(struct sl_cursor *c);

/* "bin.000012" -> 12. SL_MALFORMED without a number behind the last dot, or above 24 bits. */
SL_CHECKED enum sl_code sl_binlog_file_number(uint32_t *out, struct sl_str file, struct sl_err *err);

#endif
