/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include "base/check.h"

static struct sl_link *list_link(const struct sl_slab *s, size_t offset, uint32_t handle)
{
    SL_HOT(offset + sizeof(struct sl_link) <= s->item_bytes);
    return (struct sl_link *)(void *)((char *)sl_slab_at(s, handle) + offset);
}

void sl_list_push_back(struct sl_list *l, const struct sl_slab *s, size_t offset, uint32_t handle)
{
    SL_REQUIRE(handle != 0 && handle != l->tail);
    SL_REQUIRE((l->tail == 0) == (l->count == 0));
    struct sl_link *link = list_link(s, offset, handle);
    *link = (struct sl_link){ .next = 0, .prev = l->tail };
    if (l->tail != 0)
        list_link(s, offset, l->tail)->next = handle;
    else
        l->head = handle;
    l->tail = handle;
    l->count++;
}

/*
 * What points to handle must be its neighbour or the list itself: this finds an object that is in no list or in
 * another one.
 */
void sl_list_remove(struct sl_list *l, const struct sl_slab *s, size_t offset, uint32_t handle)
{
    SL_REQUIRE(l->count > 0);
    struct sl_link *link = list_link(s, offset, handle);
    uint32_t *from_prev = link->prev != 0 ? &list_link(s, offset, link->prev)->next : &l->head;
    uint32_t *from_next = link->next != 0 ? &list_link(s, offset, link->next)->prev : &l->tail;
    SL_REQUIRE(*from_prev == handle && *from_next == handle);
    *from_prev = link->next;
    *from_next = link->prev;
    *link = (struct sl_link){ 0 };
    l->count--;
}

uint32_t sl_list_next(const struct sl_slab *s, size_t offset, uint32_t handle)
{
    return list_link(s, offset, handle)->next;
}
