/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/source_group.h"

#include "base/hash.h"

/* Names differ in case where the server's do not. One that folds otherwise than ASCII is not found: refused. */
static uint64_t group_name(struct sl_str name)
{
    uint64_t hash = name.len;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        hash = sl_hash_mix(hash ^ (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
    }
    return hash;
}

void sl_source_group_begin(struct sl_source_group *g, sl_ts ts, const struct sl_batch *into)
{
    g->ts = ts;
    g->is_split = false;
    g->first = sl_batch_row_count(into);
    g->savepoint_count = 0;
}

void sl_source_group_save(struct sl_source_group *g, struct sl_str name, const struct sl_batch *into)
{
    if (g->savepoint_count < SL_SOURCE_SAVEPOINTS_MAX)
        g->savepoints[g->savepoint_count++] =
            (struct sl_source_savepoint){ group_name(name), sl_batch_row_count(into) };
}

void sl_source_group_split(struct sl_source_group *g)
{
    g->is_split = true;
    g->first = 0;
}

bool sl_source_group_undo(struct sl_source_group *g, struct sl_str name, struct sl_batch *into, struct sl_trouble *t)
{
    uint64_t wanted = group_name(name);
    uint32_t i = g->savepoint_count;
    while (i > 0 && g->savepoints[i - 1].name != wanted)
        i--;
    if (i == 0)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_LOG", "copy the tables of the transaction anew",
                              "a transaction returns to the savepoint %.*s, of which the reader does not know",
                              (int)name.len, name.ptr);
    g->savepoint_count = i; /* it can be returned to again */
    sl_batch_cut(into, g->savepoints[i - 1].rows);
    return true;
}

bool sl_source_group_undo_all(const struct sl_source_group *g, struct sl_batch *into, struct sl_trouble *t)
{
    if (g->is_split)
        return sl_trouble_set(t, SL_TROUBLE_LASTING, "SOURCE_LOG", "copy the tables of the transaction anew",
                              "a large transaction was rolled back when a part of it had been handed on");
    sl_batch_cut(into, g->first);
    return true;
}
