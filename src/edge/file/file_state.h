/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_FILE_FILE_STATE_H
#define SL_EDGE_FILE_FILE_STATE_H

#include "edge/file/file_opts.h"
#include "port/sink.h"

/* What is durable of a span: all there is, and nothing else counts. */
struct sl_file_state {
    struct sl_placement placement;
    sl_ts ts, ddl_ts; /* ddl_ts: of the last schema change that was written */
    sl_ts first;      /* of the open file */
    uint64_t length;  /* of the open file; what is behind it does not exist */
    uint64_t schema;  /* digest of its table's definition */
    bool is_open;
    char folder[600]; /* of the last file, below the directory; may be empty */
};

bool sl_file_trouble(struct sl_trouble *t, int error, const char *what);
/* Takes the lock of a span: a file that the caller closes, or -1. */
SL_CHECKED int sl_file_lock(const char *directory, int64_t table_id, struct sl_trouble *t);
/* Under the lock. A span without a state has the zero state. */
SL_CHECKED bool sl_file_state_load(struct sl_file_state *s, const char *directory, int64_t table_id,
                                   struct sl_trouble *t);
/* Under the lock. Atomic and durable. */
SL_CHECKED bool sl_file_state_store(const struct sl_file_state *s, const char *directory, int64_t table_id,
                                    struct sl_trouble *t);
SL_CHECKED bool sl_file_sync_folder(const char *path, struct sl_trouble *t);

#endif
