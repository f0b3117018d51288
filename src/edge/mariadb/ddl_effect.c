/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/ddl_effect.h"

#include "edge/mariadb/mariadb_tables.h"

#define MODE_ANSI_QUOTES 4u

struct effect_count { /* of the tables that a statement names */
    uint32_t wanted, unwanted;
};

static struct sl_str effect_schema(const struct sl_ddl_name *name)
{
    return sl_str_of(name->schema);
}

static bool effect_wants(const struct sl_table_filter *filter, const struct sl_ddl_name *name)
{
    return !sl_mariadb_schema_is_private(effect_schema(name)) &&
           sl_table_filter_takes(filter, effect_schema(name), sl_str_of(name->table));
}

static int64_t effect_id(const struct sl_ddl_name *name)
{
    return sl_mariadb_table_id(effect_schema(name), sl_str_of(name->table));
}

static struct effect_count effect_count(const struct sl_ddl_info *info, const struct sl_table_filter *filter)
{
    struct effect_count count = { 0, 0 };
    for (uint32_t i = 0; i < info->table_count; i++) {
        const struct sl_ddl_table *t = &info->tables[i];
        *(effect_wants(filter, &t->name) ? &count.wanted : &count.unwanted) += 1;
        if (t->has_new_name)
            *(effect_wants(filter, &t->new_name) ? &count.wanted : &count.unwanted) += 1;
    }
    return count;
}

/* ---- lists ---- */

static void effect_add_waiting(struct sl_ddl_effects *e, int64_t id)
{
    for (uint32_t i = 0; i < e->ddl.table_count; i++) {
        if (e->tables[i] == id)
            return;
    }
    e->tables[e->ddl.table_count++] = id;
}

static bool effect_is_named(const struct sl_ddl_info *info, int64_t id, bool as_new)
{
    for (uint32_t i = 0; i < info->table_count; i++) {
        const struct sl_ddl_table *t = &info->tables[i];
        if (as_new ? t->has_new_name && effect_id(&t->new_name) == id : effect_id(&t->name) == id)
            return true;
    }
    return false;
}

static void effect_add_added(struct sl_ddl_effects *e, const struct sl_ddl_name *name)
{
    e->added[e->ddl.added_count++] = (struct sl_added_table){ .table_id = effect_id(name),
                                                              .schema_id = sl_mariadb_schema_id(effect_schema(name)),
                                                              .schema_name = effect_schema(name),
                                                              .table_name = sl_str_of(name->table) };
}

/* ---- kinds ---- */

static void effect_own(struct sl_ddl_effects *e)
{
    const struct sl_ddl_name *name = &e->info.tables[0].name;
    e->ddl.effect = SL_DDL_OWN;
    e->ddl.table_schema = effect_schema(name);
    e->ddl.table = sl_str_of(name->table);
    effect_add_waiting(e, effect_id(name));
}

static void effect_drop(struct sl_ddl_effects *e)
{
    e->ddl.effect = SL_DDL_JOINT;
    effect_add_waiting(e, 0);
    for (uint32_t i = 0; i < e->info.table_count; i++) {
        int64_t id = effect_id(&e->info.tables[i].name);
        effect_add_waiting(e, id);
        e->dropped[e->ddl.dropped_count++] = id;
    }
}

/* A name that is left and taken by one statement belongs to a table before and after it. */
static void effect_rename(struct sl_ddl_effects *e)
{
    e->ddl.effect = SL_DDL_JOINT;
    effect_add_waiting(e, 0);
    for (uint32_t i = 0; i < e->info.table_count; i++) {
        const struct sl_ddl_table *t = &e->info.tables[i];
        effect_add_waiting(e, effect_id(&t->name));
        if (!effect_is_named(&e->info, effect_id(&t->name), true))
            e->dropped[e->ddl.dropped_count++] = effect_id(&t->name);
        if (!effect_is_named(&e->info, effect_id(&t->new_name), false))
            effect_add_added(e, &t->new_name);
    }
}

static void effect_exchange(struct sl_ddl_effects *e)
{
    e->ddl.effect = SL_DDL_JOINT;
    effect_add_waiting(e, 0);
    effect_add_waiting(e, effect_id(&e->info.tables[0].name));
    effect_add_waiting(e, effect_id(&e->info.tables[1].name));
}

static void effect_alter(struct sl_ddl_effects *e)
{
    if (e->info.exchanges)
        effect_exchange(e);
    else if (e->info.tables[0].has_new_name)
        effect_rename(e);
    else
        effect_own(e);
}

/* A table that is replaced has rows that come first. */
static void effect_create(struct sl_ddl_effects *e)
{
    const struct sl_ddl_name *name = &e->info.tables[0].name;
    e->ddl.effect = e->info.replaces ? SL_DDL_JOINT : SL_DDL_MAKES;
    if (e->info.replaces) {
        effect_add_waiting(e, 0);
        effect_add_waiting(e, effect_id(name));
    }
    effect_add_added(e, name);
}

static void effect_drop_database(struct sl_ddl_effects *e)
{
    e->ddl.effect = SL_DDL_JOINT;
    e->ddl.influence = SL_INFLUENCE_DB;
    e->ddl.schema_id = sl_mariadb_schema_id(effect_schema(&e->info.tables[0].name));
}

/* A database is wanted if some table of it could be: rules are about tables, so any name will do that no rule excludes. */
static bool effect_wants_database(const struct sl_table_filter *filter, const struct sl_ddl_name *name)
{
    return !sl_mariadb_schema_is_private(effect_schema(name)) &&
           sl_table_filter_takes_schema(filter, effect_schema(name));
}

static void effect_of_database(struct sl_ddl_effects *e, const struct sl_table_filter *filter)
{
    if (!effect_wants_database(filter, &e->info.tables[0].name))
        return;
    if (e->info.kind == SL_DDL_KIND_DROP_DATABASE)
        effect_drop_database(e);
    else
        e->ddl.effect = SL_DDL_MAKES;
}

static void effect_of_tables(struct sl_ddl_effects *e, const struct sl_table_filter *filter)
{
    struct effect_count count = effect_count(&e->info, filter);
    if (count.wanted == 0)
        return;
    if (count.unwanted > 0) {
        e->ddl.effect = SL_DDL_REFUSED;
        return;
    }
    if (e->info.kind == SL_DDL_KIND_CREATE_TABLE)
        effect_create(e);
    else if (e->info.kind == SL_DDL_KIND_DROP_TABLE)
        effect_drop(e);
    else if (e->info.kind == SL_DDL_KIND_RENAME_TABLE)
        effect_rename(e);
    else if (e->info.kind == SL_DDL_KIND_ALTER_TABLE)
        effect_alter(e);
    else
        effect_own(e);
}

void sl_ddl_effect(struct sl_ddl_effects *out, struct sl_str database, struct sl_str statement, uint64_t sql_mode,
                   const struct sl_table_filter *filter)
{
    sl_ddl_parse(&out->info, database, statement, (sql_mode & MODE_ANSI_QUOTES) != 0);
    out->ddl = (struct sl_ddl){ .effect = SL_DDL_NOTHING,
                                .kind = sl_ddl_kind_text(out->info.kind),
                                .schema = database,
                                .statement = statement,
                                .mode = sql_mode,
                                .tables = out->tables,
                                .dropped = out->dropped,
                                .added = out->added };
    bool is_database = out->info.kind == SL_DDL_KIND_CREATE_DATABASE || out->info.kind == SL_DDL_KIND_DROP_DATABASE ||
                       out->info.kind == SL_DDL_KIND_ALTER_DATABASE;
    if (out->info.kind == SL_DDL_KIND_UNKNOWN)
        out->ddl.effect = SL_DDL_REFUSED;
    else if (is_database)
        effect_of_database(out, filter);
    else if (out->info.kind != SL_DDL_KIND_IGNORED)
        effect_of_tables(out, filter);
}
