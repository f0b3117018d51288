/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_LIST_H
#define SL_BASE_LIST_H

#include "base/slab.h"

/*
 * Doubly linked list of slab objects, linked by handle inside the object: 8 bytes a link, O(1) everything, order =
 * order of insertion. An object may be in several lists through several links. "offset" is offsetof(struct item,
 * link).
 */
struct sl_link {
    uint32_t next, prev;
};

struct sl_list {
    uint32_t head, tail, count;
};

void sl_list_push_back(struct sl_list *l, const struct sl_slab *s, size_t offset, uint32_t handle);
/* handle must be in l. */
void sl_list_remove(struct sl_list *l, const struct sl_slab *s, size_t offset, uint32_t handle);
/* 0 at the end. */
uint32_t sl_list_next(const struct sl_slab *s, size_t offset, uint32_t handle);

#endif
