/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_BINLOG_JSON_H
#define SL_EDGE_MARIADB_BINLOG_JSON_H

#include "edge/mariadb/binlog_inflate.h"

/*
 * A value of MySQL's column type JSON: its binary form as text, spelled as the server spells it. All integers are
 * little-endian.
 *
 *   document   type (a byte), value; of no bytes: null
 *   object     count, size, count keys (offset, length:16), count values (type, offset or the value itself), data
 *   array      count, size, count values, data
 *   string     length (7 bits in each byte, the lowest first), UTF-8
 *   opaque     type of a column (a byte), length as above, bytes: decimals, dates and times; anything else is base64
 *
 * count, size and offsets have 16 bits in a small container and 32 in a large one; offsets count from the container's
 * start. Literals, and integers that fit, stand in the place of their offset.
 *
 * Data lies behind what points to it, so a value never contains itself; but two may share their bytes, and 100 levels of that
 * are 2^100 values. No document that a server wrote is read as more than SL_JSON_TEXT_TIMES its size: that is the limit.
 */
#define SL_JSON_DEPTH_MAX 100u /* containers, as in the server */
#define SL_JSON_TEXT_TIMES 8u

/*
 * *out is in the buffer, until its next use. SL_TRUNCATED, SL_MALFORMED, SL_LIMIT (deeper, or more than the buffer may
 * have), SL_NOMEM.
 */
SL_CHECKED enum sl_code sl_binlog_json_format(struct sl_bytes *out, struct sl_bytes document,
                                              struct sl_inflate_buffer *b, struct sl_err *err);

/* A number as the server prints it in JSON: the shortest digits that are read back as v. 0 if v is no number. */
#define SL_JSON_DOUBLE_MAX 40u
size_t sl_binlog_json_double(char text[SL_JSON_DOUBLE_MAX], double v);

#endif
