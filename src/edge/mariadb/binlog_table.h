/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_BINLOG_TABLE_H
#define SL_EDGE_MARIADB_BINLOG_TABLE_H

#include "edge/mariadb/binlog_event.h"
#include "port/rows.h"

/*
 * A table as its map in the log describes it: what is needed to read the rows behind it, at exactly that position. With
 * binlog_row_metadata=FULL this is everything but defaults, secondary keys and generated columns.
 */
enum sl_mysql_type {
    SL_MYSQL_DECIMAL_OLD = 0,
    SL_MYSQL_TINY = 1,
    SL_MYSQL_SHORT = 2,
    SL_MYSQL_LONG = 3,
    SL_MYSQL_FLOAT = 4,
    SL_MYSQL_DOUBLE = 5,
    SL_MYSQL_NULL = 6,
    SL_MYSQL_TIMESTAMP_OLD = 7,
    SL_MYSQL_LONGLONG = 8,
    SL_MYSQL_INT24 = 9,
    SL_MYSQL_DATE = 10,
    SL_MYSQL_TIME_OLD = 11,
    SL_MYSQL_DATETIME_OLD = 12,
    SL_MYSQL_YEAR = 13,
    SL_MYSQL_NEWDATE = 14,
    SL_MYSQL_VARCHAR = 15,
    SL_MYSQL_BIT = 16,
    SL_MYSQL_TIMESTAMP = 17,
    SL_MYSQL_DATETIME = 18,
    SL_MYSQL_TIME = 19,
    SL_MYSQL_BLOB_COMPRESSED = 140,
    SL_MYSQL_VARCHAR_COMPRESSED = 141,
    SL_MYSQL_JSON = 245, /* MySQL's binary form; MariaDB's JSON is a BLOB */
    SL_MYSQL_DECIMAL = 246,
    SL_MYSQL_ENUM = 247, /* in the map behind STRING's metadata */
    SL_MYSQL_SET = 248,
    SL_MYSQL_BLOB = 252,
    SL_MYSQL_VAR_STRING = 253,
    SL_MYSQL_STRING = 254,
    SL_MYSQL_GEOMETRY = 255,
};

static inline bool sl_binlog_type_is_integer(uint16_t type)
{
    return type == SL_MYSQL_TINY || type == SL_MYSQL_SHORT || type == SL_MYSQL_INT24 || type == SL_MYSQL_LONG ||
           type == SL_MYSQL_LONGLONG;
}

#define SL_COLLATION_BINARY 63u
#define SL_COLLATION_UTF8MB4_BIN 46u

struct sl_binlog_column {
    uint8_t type; /* the real one: ENUM and SET are told apart from STRING */
    uint16_t meta;
    uint16_t size; /* STRING, ENUM, SET: bytes; VARCHAR: bytes at most */
    bool is_nullable;
    bool is_unsigned; /* only if the map says signs */
    uint8_t kind,
        width; /* of values that are plain: an integer of so many bytes, or a view behind a length of so many */
    uint32_t collation;      /* 0: not said */
    struct sl_str name;      /* empty: not said */
    struct sl_bytes members; /* ENUM, SET: count and texts, each with its length before it; empty: not said */
    uint16_t key_part;       /* 1, 2, ... in the primary key; 0: not in it */
    bool is_key_prefix;      /* only the first characters of it are */
};

struct sl_binlog_table {
    uint64_t id;     /* of this run of the server; not a name for the table */
    uint64_t serial; /* of the stream that keeps it: another description never has the same; 0 if nobody keeps it */
    struct sl_str schema, name;
    uint32_t column_count, key_part_count;
    bool has_signs, has_names, has_key; /* what the optional metadata told */
    bool is_plain;                      /* the values of all columns are */
    struct sl_bytes map;                /* the whole body: equal bytes, equal table */
    struct sl_binlog_column columns[];
};

#define SL_BINLOG_COLUMNS_MAX 4096u

/*
 * A copy of its own of what body (of a TABLE_MAP event) says; to be freed by sl_binlog_table_free. SL_TRUNCATED,
 * SL_MALFORMED, SL_LIMIT (columns), SL_NOMEM: *out is null.
 */
SL_CHECKED enum sl_code sl_binlog_table_new(struct sl_binlog_table **out, struct sl_bytes body, bool is_mariadb,
                                            struct sl_err *err);
void sl_binlog_table_free(struct sl_binlog_table *t); /* null allowed */

/* The id alone. 0 if the body is too short. */
uint64_t sl_binlog_table_id(struct sl_bytes body);

/* A text of an ENUM (index from 1) or of a SET (bit + 1). False: the map does not say, or there is none. */
bool sl_binlog_member(const struct sl_binlog_column *column, uint32_t index, struct sl_str *out);

#endif
