/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_CHECKPOINT_H
#define SL_EDGE_FILE_FILE_CHECKPOINT_H

#include "edge/file/file_table.h"

/*
 * The file "checkpoint" of the directory: every change up to it is in finished files. It never goes back. feed: the
 * feed's checkpoint, so all changes up to it are in files, finished or not; *is_whole: it could be shown as it is. Files
 * that nobody finishes, because their tables are gone and their writers too, are finished here.
 */
struct sl_file_place {
    int root;
    const struct sl_file_opts *opts;
    const _Atomic bool *stop;
};
SL_CHECKED bool sl_file_checkpoint_show(const struct sl_file_place *place, sl_ts feed, bool *is_whole,
                                        struct sl_trouble *t);

#endif
