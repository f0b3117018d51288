/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include "base/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sl_mem_init(struct sl_mem *m, const struct sl_mem_opts *opts)
{
    SL_REQUIRE(opts->tag_count > 0 && opts->tag_count <= SL_MEM_TAGS_MAX);
    *m = (struct sl_mem){ .opts = *opts };
}

/* Names the tag: "something leaked" would leave the reader to search for it. */
static void mem_require_none(const struct sl_mem *m, uint32_t tag)
{
    if (m->tag_bytes[tag] == 0)
        return;
    char text[96];
    const char *name = m->opts.tag_names ? m->opts.tag_names[tag] : "?";
    snprintf(text, sizeof text, "all memory freed: tag %u (%s) still has %zu bytes", tag, name, m->tag_bytes[tag]);
    sl_check_failed(text, __FILE__, __LINE__);
}

void sl_mem_deinit(struct sl_mem *m)
{
    for (uint32_t tag = 0; tag < m->opts.tag_count; tag++)
        mem_require_none(m, tag);
    SL_REQUIRE(m->live_bytes == 0);
}

/* Counts the call and decides whether a block of old_size may become one of new_size. */
static bool mem_admit(struct sl_mem *m, uint32_t tag, size_t old_size, size_t new_size)
{
    SL_REQUIRE(tag < m->opts.tag_count);
    SL_REQUIRE(new_size > 0);
    SL_REQUIRE(m->tag_bytes[tag] >= old_size && m->live_bytes >= old_size);
    m->calls++;
    if (m->fail_at > 0 && --m->fail_at == 0)
        return false;
    size_t others_bytes = m->live_bytes - old_size;
    size_t bytes_max = m->opts.budget_bytes > 0 ? m->opts.budget_bytes : PTRDIFF_MAX;
    /* Shrinking is always within the budget, even when the budget is overdrawn. */
    return new_size <= old_size || (others_bytes <= bytes_max && new_size <= bytes_max - others_bytes);
}

static void mem_account(struct sl_mem *m, uint32_t tag, size_t old_size, size_t new_size)
{
    m->tag_bytes[tag] = m->tag_bytes[tag] - old_size + new_size;
    m->live_bytes = m->live_bytes - old_size + new_size;
    if (m->live_bytes > m->peak_bytes)
        m->peak_bytes = m->live_bytes;
}

void *sl_mem_alloc(struct sl_mem *m, uint32_t tag, size_t size)
{
    if (!mem_admit(m, tag, 0, size))
        return NULL;
    void *ptr = calloc(1, size);
    if (ptr)
        mem_account(m, tag, 0, size);
    return ptr;
}

void *sl_mem_resize(struct sl_mem *m, uint32_t tag, void *ptr, size_t old_size, size_t new_size)
{
    SL_REQUIRE((ptr != NULL) == (old_size > 0));
    if (!ptr)
        return sl_mem_alloc(m, tag, new_size);
    if (!mem_admit(m, tag, old_size, new_size))
        return NULL;
    char *bytes = realloc(ptr, new_size);
    if (!bytes)
        return NULL;
    if (new_size > old_size)
        memset(bytes + old_size, 0, new_size - old_size);
    mem_account(m, tag, old_size, new_size);
    return bytes;
}

void sl_mem_free(struct sl_mem *m, uint32_t tag, void *ptr, size_t size)
{
    if (!ptr)
        return;
    SL_REQUIRE(tag < m->opts.tag_count);
    SL_REQUIRE(size > 0);
    SL_REQUIRE(m->tag_bytes[tag] >= size && m->live_bytes >= size);
    mem_account(m, tag, size, 0);
    free(ptr);
}
