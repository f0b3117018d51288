/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_BLACKHOLE_CHECK_INTERNAL_H
#define SL_EDGE_BLACKHOLE_CHECK_INTERNAL_H

#include "edge/blackhole/check.h"

/* The files of a check sink (check.h), as one writer has them open. */
#define SL_CHECK_PATH_MAX 1024u
#define SL_CHECK_TABLES_MAX (1 << 24)

struct sl_check_owner {
    struct sl_placement placement;
    uint64_t ts, rows;
};

struct sl_check_header {
    uint64_t magic, feed_high, feed_low;
    uint64_t record_count, owner_count;
    uint32_t is_dirty;
};

struct sl_check_store {
    int lock, log, state; /* files */
    struct sl_check_header *header;
    size_t mapped_size;
};

/* Makes the directory and those above it. */
SL_CHECKED bool sl_check_make_directory(const char *path, struct sl_trouble *t);

SL_CHECKED bool sl_check_store_open(struct sl_check_store *s, const char *path, const struct sl_feed_id *feed,
                                    struct sl_trouble *t);
void sl_check_store_close(struct sl_check_store *s);

/* Nobody else, in any process, is at it until unlock. Finishes or undoes what a killed process left behind. */
SL_CHECKED bool sl_check_store_lock(struct sl_check_store *s, struct sl_trouble *t);
void sl_check_store_unlock(struct sl_check_store *s);

/* Under the lock. */
SL_CHECKED bool sl_check_store_owner(struct sl_check_store *s, int64_t table_id, struct sl_check_owner *out,
                                     struct sl_trouble *t);
/* Under the lock. All or none; STALE if a row's placement is smaller than its table's, which is put on record. */
SL_CHECKED bool sl_check_store_commit(struct sl_check_store *s, struct sl_check_record *records, uint32_t count,
                                      struct sl_trouble *t);

#endif
