/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_MARIADB_SOURCE_INTERNAL_H
#define SL_EDGE_MARIADB_MARIADB_SOURCE_INTERNAL_H

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

/* mariadb_copy.c: initial copies, as port/source.h says. */
bool sl__copier_open(struct sl_copier **out, const struct sl_source_open *o, struct sl_trouble *t);
bool sl__copier_read(struct sl_copier *base, const struct sl_copy_ask *ask, struct sl_batch *into,
                     struct sl_trouble *t);
void sl__copier_interrupt(struct sl_copier *base);
void sl__copier_close(struct sl_copier *base);

#endif
