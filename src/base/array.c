/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

void *sl_array_room(void *items, uint32_t count, uint32_t *cap, uint32_t cap_first, size_t item_size)
{
    SL_REQUIRE(count <= *cap && cap_first > 0 && item_size > 0);
    if (count < *cap)
        return items;
    if (*cap > UINT32_MAX / 2)
        return NULL;
    uint32_t grown_cap = *cap > 0 ? *cap * 2 : cap_first;
    char *grown = grown_cap <= SIZE_MAX / item_size ? realloc(items, grown_cap * item_size) : NULL;
    if (!grown)
        return NULL;
    memset(grown + *cap * item_size, 0, (grown_cap - *cap) * item_size);
    *cap = grown_cap;
    return grown;
}
