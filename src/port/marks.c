/* SPDX-License-Identifier: Apache-2.0 */
#include "port/marks.h"

#include <stdlib.h>
#include <string.h>

#define MARKS_CAP_MIN 64u

bool sl_marks_add(struct sl_marks *m, const struct sl_mark *mark, const char *gtids)
{
    if (m->count == m->cap) {
        uint32_t cap = m->cap > 0 ? m->cap * 2 : MARKS_CAP_MIN;
        struct sl_mark *grown = realloc(m->list, cap * sizeof *grown);
        if (!grown)
            return false;
        m->list = grown;
        m->cap = cap;
    }
    char *copy = strdup(gtids);
    if (!copy)
        return false;
    m->list[m->count] = *mark;
    m->list[m->count++].gtids = copy;
    return true;
}

void sl_marks_deinit(struct sl_marks *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        free(m->list[i].gtids);
    free(m->list);
    *m = (struct sl_marks){ 0 };
}
