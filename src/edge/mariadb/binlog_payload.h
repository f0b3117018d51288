/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_BINLOG_PAYLOAD_H
#define SL_EDGE_MARIADB_BINLOG_PAYLOAD_H

#include "base/cursor.h"
#include "base/err.h"

/*
 * A compressed transaction of MySQL 8 (TRANSACTION_PAYLOAD_EVENT): a header of fields, and the events of the transaction,
 * without checksums, as one zstd stream or as they are. They come out one after the other, and no more is decompressed
 * than the next one needs, so memory depends on the largest event and not on the transaction.
 *
 *   closed -- open --> open -- next ... next, close --> closed        whatever fails leaves it open: deinit, or open anew
 *
 * No size that the bytes announce is trusted: memory grows with what really came out of the stream, the stream ends
 * where the announced total does, and it may ask for no larger window than event_bytes_max and SL_PAYLOAD_WINDOW_LOG.
 */
#define SL_PAYLOAD_WINDOW_LOG 27 /* of the highest level that a server can be set to: 128 MiB */

struct sl_payload {
    size_t event_bytes_max; /* the owner's choice; all else starts as zero */
    bool is_open, is_plain, is_frame_over;
    struct sl_bytes packed; /* the caller's, not looked at yet */
    uint64_t left;          /* bytes that were announced and have not come out */
    uint8_t *ptr;           /* what came out: [start, end) was not handed on */
    size_t cap, start, end;
    struct ZSTD_DCtx_s *zstd;
};
void sl_payload_deinit(struct sl_payload *p);

/*
 * body: of the event; it has to stay until the payload is closed. SL_TRUNCATED, SL_MALFORMED, SL_UNKNOWN_TYPE (of
 * compression), SL_NOMEM.
 */
SL_CHECKED enum sl_code sl_payload_open(struct sl_payload *p, struct sl_bytes body, struct sl_err *err);

/*
 * The next event with its header, until the next call. SL_TRUNCATED (there is none, or only a part of it), SL_MALFORMED,
 * SL_LIMIT (larger than event_bytes_max, or a window that is), SL_NOMEM.
 */
SL_CHECKED enum sl_code sl_payload_next(struct sl_payload *p, struct sl_bytes *out, struct sl_err *err);

/* SL_MALFORMED: there is more behind the last event, or less than was announced. What next gave stays valid. */
SL_CHECKED enum sl_code sl_payload_close(struct sl_payload *p, struct sl_err *err);

#endif
