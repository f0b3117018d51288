/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_MARK_H
#define SL_EDGE_FILE_FILE_MARK_H

#include "edge/file/file_state.h"

/*
 * The mark of a directory, .sluice/mark: it is made when the feed is, its id goes into the URI that all nodes get, and each
 * node looks for it before it writes. A node that sees another directory under the same path does not find it.
 */

/* Makes the directory and the mark, or finds the one that the URI names; o->id is set. LASTING: it is of another feed. */
SL_CHECKED bool sl_file_mark_make(struct sl_file_opts *o, struct sl_trouble *t);

/* The opened directory, if it is the one that was marked and is used by no other feed; the caller closes it. -1: *t. */
SL_CHECKED int sl_file_mark_open(const struct sl_file_opts *o, const struct sl_feed_id *feed, struct sl_trouble *t);

/* What a mark says. False: it is none. */
struct sl_file_mark {
    char protocol[16], id[SL_FILE_ID_MAX + 1];
};
SL_CHECKED bool sl_file_mark_parse(struct sl_file_mark *m, struct sl_str text);

#endif
