/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/file/file_open.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_MAX ((size_t)1 << 20)

void sl_file_open_deinit(struct sl_file_open_list *l)
{
    free(l->items);
    *l = (struct sl_file_open_list){ .count = 0 };
}

static bool open_make_room(struct sl_file_open_list *l)
{
    if (l->head + l->count < l->cap)
        return true;
    if (l->head > 0 && l->head >= l->count) {
        memmove(l->items, l->items + l->head, l->count * sizeof *l->items);
        l->head = 0;
        return true;
    }
    size_t cap = l->cap == 0 ? 64 : l->cap * 2;
    struct sl_file_open *grown = cap <= OPEN_MAX ? realloc(l->items, cap * sizeof *grown) : NULL;
    if (!grown)
        return false;
    l->items = grown;
    l->cap = cap;
    return true;
}

void sl_file_open_note(struct sl_file_open_list *l, const struct sl_sink_span *span, sl_ts first, sl_ns due_ns)
{
    if (open_make_room(l))
        l->items[l->head + l->count++] = (struct sl_file_open){ *span, first, due_ns };
}

const struct sl_file_open *sl_file_open_due(const struct sl_file_open_list *l, sl_ns now)
{
    return l->count > 0 && l->items[l->head].due_ns <= now ? &l->items[l->head] : NULL;
}

void sl_file_open_pop(struct sl_file_open_list *l)
{
    l->head++;
    l->count--;
    if (l->count == 0)
        l->head = 0;
}

sl_ns sl_file_open_next(const struct sl_file_open_list *l, sl_ns now)
{
    if (l->count == 0)
        return SL_NEVER;
    sl_ns due = l->items[l->head].due_ns;
    return due > now ? due - now : 0;
}
