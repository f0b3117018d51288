/* SPDX-License-Identifier: Apache-2.0 */
#include "port/ddl.h"

#include "base/check.h"

static const int64_t ddl_trigger_only[] = { 0 };

static bool ddl_lists(const int64_t *ids, uint32_t count, int64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/*
 * A table that is made may have a dispatcher already: the list of tables is newer than the place from which the feed
 * starts, or the dispatcher is of an earlier life of the table and about to be closed.
 */
static bool ddl_adds(const struct sl_ddl *ddl, int64_t table_id)
{
    for (uint32_t i = 0; i < ddl->added_count; i++)
        if (ddl->added[i].table_id == table_id)
            return true;
    return false;
}

static bool ddl_joins(const struct sl_ddl *ddl, const struct sl_ddl_party *who)
{
    if (who->is_table_trigger || ddl->influence == SL_INFLUENCE_ALL)
        return true;
    if (ddl->influence == SL_INFLUENCE_DB)
        return who->schema_id == ddl->schema_id;
    return ddl_lists(ddl->tables, ddl->table_count, who->table_id) || ddl_adds(ddl, who->table_id);
}

bool sl_ddl_concerns(const struct sl_ddl *ddl, const struct sl_ddl_party *who)
{
    switch (ddl->effect) {
    case SL_DDL_NOTHING:
        return false;
    case SL_DDL_OWN:
        return !who->is_table_trigger && ddl_lists(ddl->tables, ddl->table_count, who->table_id);
    case SL_DDL_MAKES:
        return who->is_table_trigger || ddl_adds(ddl, who->table_id);
    case SL_DDL_JOINT:
        return ddl_joins(ddl, who);
    case SL_DDL_REFUSED: /* nobody knows what it changes, so nobody goes beyond it */
        return true;
    }
    SL_UNREACHABLE();
}

struct sl_block sl_ddl_block(const struct sl_ddl *ddl, bool is_table_trigger, bool was_executed)
{
    bool makes = ddl->effect == SL_DDL_MAKES, is_wide = ddl->influence != SL_INFLUENCE_NORMAL;
    return (struct sl_block){ .commit_ts = ddl->ts,
                              .is_blocking = !makes || !is_table_trigger,
                              .is_done = was_executed,
                              .influence = ddl->influence,
                              .schema_id = ddl->schema_id,
                              .tables = makes ? ddl_trigger_only : ddl->tables,
                              .table_count = makes ? 1 : ddl->table_count,
                              .dropped = ddl->dropped,
                              .dropped_count = ddl->dropped_count,
                              .added = ddl->added,
                              .added_count = ddl->added_count,
                              .drops_schema = is_wide };
}
