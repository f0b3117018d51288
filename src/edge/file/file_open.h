/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_OPEN_H
#define SL_EDGE_FILE_FILE_OPEN_H

#include "port/sink.h"

/*
 * The files that a writer has open, in the order in which their time is over: the same time for all, so the order of
 * opening. One that was finished before its time stays until then, and finishing it is no work.
 */
struct sl_file_open {
    struct sl_sink_span span;
    sl_ts first;
    sl_ns due_ns;
};

struct sl_file_open_list {
    struct sl_file_open *items;
    size_t head, count, cap; /* items[head .. head + count) */
};

void sl_file_open_deinit(struct sl_file_open_list *l);
/* Without memory, or if there are too many, its next owner finishes it. */
void sl_file_open_note(struct sl_file_open_list *l, const struct sl_sink_span *span, sl_ts first, sl_ns due_ns);
/* The oldest whose time is over, or null; valid until the next call. */
const struct sl_file_open *sl_file_open_due(const struct sl_file_open_list *l, sl_ns now);
void sl_file_open_pop(struct sl_file_open_list *l);
sl_ns sl_file_open_next(const struct sl_file_open_list *l, sl_ns now); /* how long to wait; SL_NEVER */

#endif
