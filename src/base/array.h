/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_BASE_ARRAY_H
#define SL_BASE_ARRAY_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Room for one more item behind the first count of a malloc'd array with room for *cap: the array, which may have moved,
 * with twice the room if there was none left (cap_first to begin with), what is new of it zeroed. items may be null with
 * *cap 0. Null without memory: the array and *cap are unchanged, and it is still the caller's.
 */
SL_CHECKED void *sl_array_room(void *items, uint32_t count, uint32_t *cap, uint32_t cap_first, size_t item_size);

#endif
