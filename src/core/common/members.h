/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_MEMBERS_H
#define SL_CORE_COMMON_MEMBERS_H

#include "base/err.h"
#include "base/map.h"
#include "wire/ids.h"

/*
 * Who is in the cluster, as this node was last told. Gives each member a small number (sl_node_ref) that every part of
 * the node uses instead of the 64-byte id: arrays indexed by it replace maps. One table per node process, owned by
 * core/node.
 *
 * Rule for users of a ref: when told that a member was removed, drop every use of its ref within that step. Only then
 * may the slot be given to another node (the least recently freed slot first).
 */
typedef uint32_t sl_node_ref; /* 1 .. node_count_max; 0 = none */
#define SL_NODE_NONE ((sl_node_ref)0)

struct sl_members_change {
    sl_node_ref *added, *removed; /* each with room for node_count_max refs, owned by the members table */
    uint32_t added_count, removed_count;
};

struct sl_members;

/* self is member 1 from the start and is never removed, whatever a snapshot says. SL_NOMEM leaves *out null. */
SL_CHECKED enum sl_code sl_members_new(struct sl_members **out, struct sl_mem *mem, const struct sl_node_id *self,
                                       uint32_t node_count_max, uint64_t hash_seed);
void sl_members_free(struct sl_members *m); /* null allowed */

/*
 * Replaces the membership by a snapshot (ids may repeat; order is kept for new slots). Ids over node_count_max are left
 * out: the return value says how many. The change is valid until the next call.
 */
uint32_t sl_members_apply(struct sl_members *m, const struct sl_node_id *ids, uint32_t count,
                          const struct sl_members_change **change);

sl_node_ref sl_members_find(const struct sl_members *m, const struct sl_node_id *id);
sl_node_ref sl_members_find_str(const struct sl_members *m, struct sl_str id);
/* By id, or by the beginning of the id of exactly one alive member. SL_NODE_NONE: none, or several, or no text. */
sl_node_ref sl_members_find_prefix(const struct sl_members *m, struct sl_str text);
sl_node_ref sl_members_self(const struct sl_members *m);
/* ref must not be none. Valid until the slot is reused. */
const struct sl_node_id *sl_members_id(const struct sl_members *m, sl_node_ref ref);
bool sl_members_is_alive(const struct sl_members *m, sl_node_ref ref);
uint32_t sl_members_alive_count(const struct sl_members *m);
uint32_t sl_members_ref_max(const struct sl_members *m); /* arrays indexed by ref need ref_max + 1 entries */
/* The alive member after ref in ref order (SL_NODE_NONE = start), or SL_NODE_NONE at the end. */
sl_node_ref sl_members_next(const struct sl_members *m, sl_node_ref ref);

#endif
