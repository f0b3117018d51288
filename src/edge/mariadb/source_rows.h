/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SOURCE_ROWS_H
#define SL_EDGE_MARIADB_SOURCE_ROWS_H

#include "edge/mariadb/binlog_stream.h"
#include "edge/mariadb/mariadb_tables.h"
#include "engine/table_filter.h"

/*
 * From the rows of log events to the rows of a batch, with the definitions of their tables. A definition is made once
 * and kept as long as the maps of its table stay the same, byte for byte. No I/O but for what details is asked when a
 * definition is made.
 */
#define SL_SOURCE_LATEST 64u /* a power of two */

struct sl_source_latest { /* what was found for a map; a map's serial is never given twice */
    uint64_t serial;
    struct sl_table_def *def;
};

struct sl_source_rows {
    const struct sl_table_filter *filter; /* the caller's */
    MYSQL *details;                       /* the caller's, or null */
    struct sl_source_def *defs;           /* open addressing by table id */
    uint32_t def_count, def_cap;
    uint64_t version_last;
    struct sl_source_latest latest[SL_SOURCE_LATEST];
    struct sl_err
        err; /* of a row that cannot be read: to clear one for each event takes longer than to read the event's head */
};

/* filter and details outlive it. False without memory; to be deinitialised in any case. */
SL_CHECKED bool sl_source_rows_init(struct sl_source_rows *s, const struct sl_table_filter *filter, MYSQL *details);
void sl_source_rows_deinit(struct sl_source_rows *s);

/*
 * Adds the rows of an item (kind ROWS) unless the filter leaves the table out. The event's bytes are copied once, the
 * values are views into the copy. inflated: room for COMPRESSED columns and JSON. False: *t says why, the batch can only be
 * dropped.
 */
SL_CHECKED bool sl_source_rows_add(struct sl_source_rows *s, struct sl_batch *into, const struct sl_binlog_item *item,
                                   struct sl_inflate_buffer *inflated, struct sl_trouble *t);

/* A code of the log's decoder as a trouble. Returns false. */
bool sl_source_log_trouble(struct sl_trouble *t, enum sl_code code, const struct sl_err *err);

#endif
