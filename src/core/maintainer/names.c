/* SPDX-License-Identifier: Apache-2.0 */
#include "core/maintainer/names.h"

#include "base/check.h"
#include "base/hash.h"
#include "core/common/mem_tags.h"

#include <string.h>

struct names_schema {
    char *text; /* and a NUL behind it */
    uint32_t len, users;
};

struct names_table {
    int64_t id;
    char *text; /* likewise */
    uint32_t len, schema;
};

static struct names_schema *names_schema_at(const struct sl_names *n, uint32_t handle)
{
    return sl_slab_at(&n->schemas, handle);
}

static struct names_table *names_table_at(const struct sl_names *n, uint32_t handle)
{
    return sl_slab_at(&n->tables, handle);
}

static bool names_has_table(const void *ctx, uint32_t handle, const void *key)
{
    return names_table_at(ctx, handle)->id == *(const int64_t *)key;
}

static bool names_has_schema(const void *ctx, uint32_t handle, const void *key)
{
    const struct names_schema *s = names_schema_at(ctx, handle);
    return sl_str_eq((struct sl_str){ s->text, s->len }, *(const struct sl_str *)key);
}

static uint64_t names_hash_table(const struct sl_names *n, int64_t id)
{
    return sl_hash_u64(n->seed, (uint64_t)id);
}

static uint64_t names_hash_schema(const struct sl_names *n, struct sl_str name)
{
    return sl_hash_bytes(n->seed, name.ptr, name.len);
}

void sl_names_init(struct sl_names *n, struct sl_mem *mem, uint32_t count_max, uint64_t seed)
{
    *n = (struct sl_names){ .mem = mem, .seed = seed };
    sl_slab_init(&n->tables, mem, SL_TAG_SPANS, sizeof(struct names_table), count_max);
    sl_slab_init(&n->schemas, mem, SL_TAG_SPANS, sizeof(struct names_schema), count_max);
    sl_map_init(&n->by_table, mem, SL_TAG_SPAN_INDEX, count_max, names_has_table, n);
    sl_map_init(&n->by_schema, mem, SL_TAG_SPAN_INDEX, count_max, names_has_schema, n);
}

/* ---- texts ---- */

/* Null without memory. */
static char *names_keep(struct sl_names *n, struct sl_str s)
{
    char *text = sl_mem_alloc(n->mem, SL_TAG_SPANS, s.len + 1);
    if (text && s.len > 0)
        memcpy(text, s.ptr, s.len);
    return text;
}

static void names_free(struct sl_names *n, char *text, uint32_t len)
{
    sl_mem_free(n->mem, SL_TAG_SPANS, text, (size_t)len + 1);
}

void sl_names_deinit(struct sl_names *n)
{
    for (uint32_t h = sl_slab_next(&n->tables, 0); h != 0; h = sl_slab_next(&n->tables, h))
        names_free(n, names_table_at(n, h)->text, names_table_at(n, h)->len);
    for (uint32_t h = sl_slab_next(&n->schemas, 0); h != 0; h = sl_slab_next(&n->schemas, h))
        names_free(n, names_schema_at(n, h)->text, names_schema_at(n, h)->len);
    sl_map_deinit(&n->by_schema);
    sl_map_deinit(&n->by_table);
    sl_slab_deinit(&n->schemas);
    sl_slab_deinit(&n->tables);
}

/* ---- schemas ---- */

static void names_release_schema(struct sl_names *n, uint32_t handle)
{
    struct names_schema *s = names_schema_at(n, handle);
    if (--s->users > 0)
        return;
    sl_map_remove(&n->by_schema, names_hash_schema(n, (struct sl_str){ s->text, s->len }), handle);
    names_free(n, s->text, s->len);
    sl_slab_free(&n->schemas, handle);
}

/* The handle, with one user more; 0 without memory. */
static uint32_t names_take_schema(struct sl_names *n, struct sl_str name)
{
    uint32_t handle = sl_map_find(&n->by_schema, names_hash_schema(n, name), &name);
    if (handle != 0) {
        names_schema_at(n, handle)->users++;
        return handle;
    }
    char *text = names_keep(n, name);
    struct names_schema *s = text ? sl_slab_new(&n->schemas, &handle) : NULL;
    if (s)
        *s = (struct names_schema){ .text = text, .len = (uint32_t)name.len, .users = 1 };
    if (s && sl_map_add(&n->by_schema, names_hash_schema(n, name), handle))
        return handle;
    if (s)
        sl_slab_free(&n->schemas, handle);
    if (text)
        names_free(n, text, (uint32_t)name.len);
    return 0;
}

/* ---- tables ---- */

static struct sl_str names_usable(struct sl_str s)
{
    bool usable = s.len <= SL_NAME_BYTES_MAX && sl_str_is_printable_utf8(s);
    return usable ? s : SL_STR("");
}

static enum sl_code names_add(struct sl_names *n, int64_t table_id, struct sl_str schema, struct sl_str table)
{
    uint32_t handle;
    struct names_table *t = sl_slab_new(&n->tables, &handle);
    if (!t)
        return n->tables.count == n->tables.count_max ? SL_LIMIT : SL_NOMEM;
    *t = (struct names_table){ .id = table_id, .len = (uint32_t)table.len };
    t->text = names_keep(n, table);
    t->schema = t->text ? names_take_schema(n, schema) : 0;
    if (t->schema != 0 && sl_map_add(&n->by_table, names_hash_table(n, table_id), handle))
        return SL_OK;
    if (t->schema != 0)
        names_release_schema(n, t->schema);
    if (t->text)
        names_free(n, t->text, t->len);
    sl_slab_free(&n->tables, handle);
    return SL_NOMEM;
}

enum sl_code sl_names_set(struct sl_names *n, int64_t table_id, struct sl_str schema, struct sl_str table)
{
    schema = names_usable(schema);
    table = names_usable(table);
    if (schema.len == 0 && table.len == 0)
        return SL_OK;
    struct sl_table_name known = sl_names_find(n, table_id);
    if (sl_str_eq(known.schema, schema) && sl_str_eq(known.table, table))
        return SL_OK;
    uint32_t old = sl_map_find(&n->by_table, names_hash_table(n, table_id), &table_id);
    if (old == 0)
        return names_add(n, table_id, schema, table);
    struct names_table *t = names_table_at(n, old);
    char *text = names_keep(n, table);
    uint32_t taken = text ? names_take_schema(n, schema) : 0;
    if (taken == 0) {
        if (text)
            names_free(n, text, (uint32_t)table.len);
        return SL_NOMEM;
    }
    names_free(n, t->text, t->len);
    names_release_schema(n, t->schema);
    *t = (struct names_table){ .id = table_id, .text = text, .len = (uint32_t)table.len, .schema = taken };
    return SL_OK;
}

void sl_names_drop(struct sl_names *n, int64_t table_id)
{
    uint32_t handle = sl_map_find(&n->by_table, names_hash_table(n, table_id), &table_id);
    if (handle == 0)
        return;
    struct names_table *t = names_table_at(n, handle);
    sl_map_remove(&n->by_table, names_hash_table(n, table_id), handle);
    names_release_schema(n, t->schema);
    names_free(n, t->text, t->len);
    sl_slab_free(&n->tables, handle);
}

struct sl_table_name sl_names_find(const struct sl_names *n, int64_t table_id)
{
    uint32_t handle = sl_map_find(&n->by_table, names_hash_table(n, table_id), &table_id);
    if (handle == 0)
        return (struct sl_table_name){ SL_STR(""), SL_STR("") };
    const struct names_table *t = names_table_at(n, handle);
    const struct names_schema *s = names_schema_at(n, t->schema);
    return (struct sl_table_name){ { s->text, s->len }, { t->text, t->len } };
}

size_t sl_names_bytes(const struct sl_names *n)
{
    return sl_slab_bytes(&n->tables) + sl_slab_bytes(&n->schemas) + sl_map_bytes(&n->by_table) +
           sl_map_bytes(&n->by_schema);
}
