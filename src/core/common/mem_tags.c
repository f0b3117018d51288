/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"

static const char *const tag_names[SL_TAG_COUNT] = {
#define TAG_NAME(name) #name,
    SL_TAGS(TAG_NAME)
#undef TAG_NAME
};

_Static_assert(SL_TAG_COUNT <= SL_MEM_TAGS_MAX, "more tags than an allocator can count");

struct sl_mem_opts sl_mem_opts_of(size_t budget_bytes)
{
    return (struct sl_mem_opts){ .budget_bytes = budget_bytes, .tag_names = tag_names, .tag_count = SL_TAG_COUNT };
}
