/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_BINLOG_INFLATE_H
#define SL_EDGE_MARIADB_BINLOG_INFLATE_H

#include "base/cursor.h"
#include "base/err.h"

/*
 * What log_bin_compress and COMPRESSED columns hold: a byte that says how many bytes the length has (big-endian), the
 * length before compression, a zlib stream. A buffer is reused from call to call and grows up to bytes_max.
 */
struct sl_inflate_buffer {
    uint8_t *ptr;
    size_t cap, bytes_max;
};
void sl_inflate_buffer_deinit(struct sl_inflate_buffer *b);
/* Room for size bytes; what is in it stays. SL_LIMIT, SL_NOMEM: it is as before. */
SL_CHECKED enum sl_code sl_inflate_buffer_reserve(struct sl_inflate_buffer *b, uint64_t size, struct sl_err *err);

/*
 * The body of a compressed event, or the statement of a compressed QUERY. *out is in the buffer, until its next use.
 * SL_TRUNCATED, SL_MALFORMED (not what the length says), SL_LIMIT (more than bytes_max), SL_NOMEM.
 */
SL_CHECKED enum sl_code sl_inflate_event(struct sl_bytes *out, struct sl_bytes packed, struct sl_inflate_buffer *b,
                                         struct sl_err *err);

/* The value of a COMPRESSED column: empty, or 0 and the bytes as they are, or as above but perhaps without the zlib
 * wrapper. *out may be a view into packed. */
SL_CHECKED enum sl_code sl_inflate_column(struct sl_bytes *out, struct sl_bytes packed, struct sl_inflate_buffer *b,
                                          struct sl_err *err);

#endif
