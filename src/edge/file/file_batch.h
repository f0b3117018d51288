/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_BATCH_H
#define SL_EDGE_FILE_FILE_BATCH_H

#include "edge/file/file_table.h"

/* What one writer of a file sink works with; and what it does to the files of one table, or of a few together. */
#define SL_FILE_CHUNK 32u /* tables whose locks are held, and whose files are open, at once */

struct sl_file_item { /* rows of the open batch */
    struct sl_sink_span span;
    struct sl_row_run run;
    uint32_t order; /* of arrival */
};

struct sl_file_work {
    int root;
    const struct sl_file_opts *opts;
    struct sl_str feed;
    const _Atomic bool *stop;
    struct sl_file_charsets charsets;
    struct sl_file_format format;
    struct sl_file_out out;
    struct sl_file_table tables[SL_FILE_CHUNK];
};

void sl_file_work_init(struct sl_file_work *w, int root, const struct sl_file_opts *opts, struct sl_str feed,
                       const _Atomic bool *stop);
void sl_file_work_deinit(struct sl_file_work *w);

/*
 * Writes the rows of at most SL_FILE_CHUNK tables, sorted by table and order, and makes them durable; rows that are
 * durable already are left out. each is told of a table whose file stays open. A failure leaves each table either as it
 * was or with all of its rows up to some ts.
 */
typedef void sl_file_on_open(void *ctx, const struct sl_sink_span *span, sl_ts first);
SL_CHECKED bool sl_file_work_write(struct sl_file_work *w, const struct sl_file_item *items, uint32_t count,
                                   sl_file_on_open *on_open, void *ctx, struct sl_trouble *t);

/* A line for a schema change; none if it has one. */
SL_CHECKED bool sl_file_work_ddl(struct sl_file_work *w, const struct sl_sink_span *span, const struct sl_ddl *ddl,
                                 sl_file_on_open *on_open, void *ctx, struct sl_trouble *t);

/* At most SL_FILE_CHUNK: raises placements; what a former owner left open is finished. */
SL_CHECKED bool sl_file_work_raise(struct sl_file_work *w, struct sl_sink_claim *claims, uint32_t count,
                                   struct sl_trouble *t);

/* Finishes the file that begins with first, if it is still open and the span still owned. */
SL_CHECKED bool sl_file_work_finish(struct sl_file_work *w, const struct sl_sink_span *span, sl_ts first,
                                    struct sl_trouble *t);

#endif
