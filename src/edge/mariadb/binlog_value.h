/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_BINLOG_VALUE_H
#define SL_EDGE_MARIADB_BINLOG_VALUE_H

#include "edge/mariadb/binlog_inflate.h"
#include "edge/mariadb/binlog_stream.h"
#include "port/rows.h"

/*
 * Row images of the log become values:
 *   integers, YEAR       INT or UINT by the column's sign          BIT, ENUM (index), SET (mask)   UINT
 *   FLOAT, DOUBLE        DOUBLE                                    CHAR, VARCHAR, TEXT, JSON       TEXT
 *   DECIMAL              TEXT, "-12.30", as the server spells it   BINARY, BLOB, geometry, INET6,
 *   DATE, TIME, DATETIME TEXT, with the column's digits            UUID                            BYTES
 *   TIMESTAMP            TEXT, in UTC                              MySQL's binary JSON            TEXT, as it spells it
 * BINARY(n) is filled up to n with zero bytes, which the log leaves out.
 *
 * What is not exact is refused (SL_REFUSED with a remedy): temporal columns of the format before 5.6, types that are not
 * known.
 */
struct sl_value_memory { /* where bytes go that are not in the log as they are */
    void *ctx;
    uint8_t *(*alloc)(void *ctx, size_t size); /* null without memory */
    struct sl_inflate_buffer *inflated;        /* for COMPRESSED columns and JSON */
};

/*
 * Reads one image (column_count values, SL_VALUE_ABSENT for columns that are not present) from c. Views into what c
 * reads, and into memory. SL_TRUNCATED, SL_MALFORMED, SL_REFUSED, SL_NOMEM, SL_LIMIT: *err names table and column.
 */
SL_CHECKED enum sl_code sl_binlog_image_read(struct sl_value *out, struct sl_cursor *c,
                                             const struct sl_binlog_table *table, struct sl_bytes present,
                                             uint32_t present_count, const struct sl_value_memory *memory,
                                             struct sl_err *err);

#endif
