/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SOURCE_GROUP_H
#define SL_EDGE_MARIADB_SOURCE_GROUP_H

#include "port/rows.h"
#include "port/trouble.h"

/*
 * The group that a reader is in, and what of it can be taken back: a server writes rows that were rolled back if the
 * transaction did something that cannot be rolled back as well (a temporary table, a table without transactions), and
 * then says so.
 */
#define SL_SOURCE_SAVEPOINTS_MAX 32u

struct sl_source_group {
    sl_ts ts;
    bool is_split;  /* rows of it are in a batch that others have */
    uint32_t first; /* rows of the batch that are not of this group */
    uint32_t savepoint_count;
    struct sl_source_savepoint {
        uint64_t name;
        uint32_t rows;                      /* of the batch, when it was set */
    } savepoints[SL_SOURCE_SAVEPOINTS_MAX]; /* oldest first; the last of a name counts */
};

void sl_source_group_begin(struct sl_source_group *g, sl_ts ts, const struct sl_batch *into);
/* One more than there is room for is forgotten; a return to it is refused then. */
void sl_source_group_save(struct sl_source_group *g, struct sl_str name, const struct sl_batch *into);
/* The batch is sealed while the group goes on. */
void sl_source_group_split(struct sl_source_group *g);
/* Takes back the rows since a savepoint, or all. False (LASTING): they cannot be. */
SL_CHECKED bool sl_source_group_undo(struct sl_source_group *g, struct sl_str name, struct sl_batch *into,
                                     struct sl_trouble *t);
SL_CHECKED bool sl_source_group_undo_all(const struct sl_source_group *g, struct sl_batch *into, struct sl_trouble *t);

#endif
