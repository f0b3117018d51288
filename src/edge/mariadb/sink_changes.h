/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_MARIADB_SINK_CHANGES_H
#define SL_EDGE_MARIADB_SINK_CHANGES_H

#include "port/rows.h"

/*
 * What a batch of whole transactions comes to, per table: of all changes of a primary key only the last one counts.
 * An update that moves a key is a delete of the old one and a write of the new one. If all deletes are done before all
 * writes, and the writes replace, then the result is that of the single changes in order, and doing it again does no
 * harm.
 *
 * Two keys that differ in bytes may be equal to the server (collations). That is right all the same: the log names the
 * bytes that are stored, so the one that was left has a delete, and deletes come first.
 *
 * Views into rows that the caller keeps until reset.
 */
struct sl_change {
    const struct sl_value *values; /* of the table: the image to write, or the one whose key is to be deleted */
    uint64_t hash;                 /* of the key; after sl_changes_sort a number that grows with it */
    bool is_delete;
};

struct sl_table_changes {
    struct sl_table_def *def; /* kept by the caller's batch */
    struct sl_change *changes;
    uint32_t count, cap, delete_count;
    uint32_t *slots; /* open addressing: index + 1 */
    uint32_t slot_cap;
    size_t bytes; /* of the values, about */
};

struct sl_changes {
    struct sl_table_changes *tables; /* in the order in which they came: of one table the older definition first */
    uint32_t table_count, table_cap;
    uint64_t taken; /* changes that went in since reset */
};

void sl_changes_deinit(struct sl_changes *c);
void sl_changes_reset(struct sl_changes *c);

/* False without memory; what went in before is unchanged, the run may have gone in partly: reset then. The table has a
 * primary key. */
SL_CHECKED bool sl_changes_add(struct sl_changes *c, const struct sl_row_run *run);

/*
 * Deletes to the front, each part about in the order of the primary key, in which a server finds its pages fastest; the
 * result does not depend on it. Nothing can be added until reset.
 */
void sl_changes_sort(struct sl_changes *c);

bool sl_table_def_has_key(const struct sl_table_def *def);

#endif
