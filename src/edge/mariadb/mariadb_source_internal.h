/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_MARIADB_SOURCE_INTERNAL_H
#define SL_EDGE_MARIADB_MARIADB_SOURCE_INTERNAL_H

#include "edge/mariadb/binlog_stream.h"
#include "edge/mariadb/mariadb_conn.h"
#include "edge/mariadb/mariadb_source.h"

/* What the reader of the log and the copier of rows share. Private to the source. */
struct sl__source_opts {
    struct sl_mariadb_target target;
    uint64_t heartbeat_ms, epoch, transaction_mib;
};

/* To be wiped in any case. */
SL_CHECKED bool sl__source_parse(struct sl__source_opts *o, struct sl_secret uri, struct sl_trouble *t);
SL_CHECKED bool sl__source_connect(MYSQL **out, const struct sl__source_opts *o, struct sl_trouble *t);

/* ---- mariadb_dump.c ---- */

SL_CHECKED bool sl__source_read_setting(char *out, size_t size, MYSQL *db, const char *name, struct sl_trouble *t);
/* Whether the log of the server says all that is needed. */
SL_CHECKED bool sl__source_check_settings(MYSQL *db, struct sl_trouble *t);
/* The name of a log file by its number: they share what stands before the dot. SOURCE_PURGED. */
SL_CHECKED bool sl__source_file_name(char *out, size_t size, MYSQL *db, uint32_t number, struct sl_trouble *t);
/* A connection over which the log may be asked for, and what makes items of its events; both to be closed in any case. */
SL_CHECKED bool sl__dump_open(MYSQL **out, struct sl_binlog_stream *stream, const struct sl__source_opts *o,
                              struct sl_trouble *t);
/* From then on the connection sends events; whether the server accepts the place is said by the first ones. */
SL_CHECKED bool sl__dump_send(MYSQL *db, const char *file, uint32_t pos, struct sl_trouble *t);
/* An event, valid until the next call; or the end. */
SL_CHECKED bool sl__dump_next(MYSQL *db, struct sl_bytes *out, struct sl_trouble *t);
/*
 * The next item: of the event that the stream is in, or of *pending, which is null afterwards, or of the next event. Valid
 * until the next call.
 */
SL_CHECKED bool sl__dump_item(struct sl_binlog_item *out, MYSQL *db, struct sl_binlog_stream *stream,
                              struct sl_bytes *pending, struct sl_trouble *t);

/* mariadb_marks.c: another server of the same data, as port/source.h says. */
bool sl__source_succeed(struct sl_secret uri, sl_ts last, char *out, size_t size, struct sl_trouble *t);
bool sl__source_find_marks(struct sl_secret uri, struct sl_marks *marks, struct sl_trouble *t);

/* mariadb_copy.c: initial copies, as port/source.h says. */
bool sl__copier_open(struct sl_copier **out, const struct sl_source_open *o, struct sl_trouble *t);
bool sl__copier_read(struct sl_copier *base, const struct sl_copy_ask *ask, struct sl_batch *into,
                     struct sl_trouble *t);
void sl__copier_interrupt(struct sl_copier *base);
void sl__copier_close(struct sl_copier *base);

#endif
