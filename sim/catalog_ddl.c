/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/catalog_internal.h"

#include <string.h>

#define CATALOG_DDL_TABLES_MAX 1024u
#define CATALOG_DDL_APART 10 /* at least, between the ts of two changes of a feed */

static const char *const ddl_texts[SL_SIM_DDL_COUNT] = {
#define DDL_TEXT(name, text) text,
    SL_SIM_DDLS(DDL_TEXT)
#undef DDL_TEXT
};

const char *sl_sim_ddl_text(enum sl_sim_ddl_kind kind)
{
    return ddl_texts[kind];
}

/* A change that is being made: what it is about. */
struct catalog_ddl {
    struct sl_sim_catalog *c;
    uint32_t feed;
    sl_ts ts;
    enum sl_ddl_effect effect;
    enum sl_influence influence;
    int64_t schema_id;
    int64_t tables[CATALOG_DDL_TABLES_MAX], dropped[CATALOG_DDL_TABLES_MAX];
    int64_t touched[2 * CATALOG_DDL_TABLES_MAX];
    struct sl_sim_table added[CATALOG_DDL_TABLES_MAX];
    uint32_t table_count, dropped_count, touched_count, added_count;
    bool is_refused;
};

static struct sl_sim_feed *catalog_feed(const struct catalog_ddl *d)
{
    return &d->c->feeds[d->feed];
}

/* No two of a feed have the same ts, and a table lives for a while. */
static void catalog_begin_ddl(struct catalog_ddl *d, struct sl_sim_catalog *c, uint32_t feed)
{
    *d = (struct catalog_ddl){ .c = c, .feed = feed, .ts = sl_sim_head(c->engine->now) };
    const struct sl_sim_feed *f = &c->feeds[feed];
    d->ts = sl_ts_max(d->ts, f->start_ts + CATALOG_DDL_APART);
    if (f->ddl_count > 0)
        d->ts = sl_ts_max(d->ts, f->ddls[f->ddl_count - 1].ddl.ts + CATALOG_DDL_APART);
}

static void catalog_wait(struct catalog_ddl *d, int64_t table_id)
{
    d->tables[d->table_count++] = table_id;
}

static void catalog_touch(struct catalog_ddl *d, int64_t table_id)
{
    d->touched[d->touched_count++] = table_id;
}

/* The n-th live table from the start on, around the end; null if there are not so many. */
static struct sl_sim_table *catalog_live(struct sl_sim_feed *f, uint64_t start, uint32_t n)
{
    if (n >= f->live_count)
        return NULL;
    uint32_t wanted = (uint32_t)((start + n) % f->live_count), i = 0;
    while (f->tables[i].dropped != SL_TS_MAX || wanted-- > 0)
        i++;
    return &f->tables[i];
}

static void catalog_end_life(struct catalog_ddl *d, struct sl_sim_table *t)
{
    t->dropped = d->ts;
    catalog_feed(d)->live_count--;
    d->dropped[d->dropped_count++] = t->table_id;
}

static void catalog_begin_life(struct catalog_ddl *d, int64_t table_id, int64_t schema_id)
{
    catalog_touch(d, table_id);
    d->added[d->added_count++] =
        (struct sl_sim_table){ .table_id = table_id, .schema_id = schema_id, .added = d->ts, .dropped = SL_TS_MAX };
}

static int64_t *catalog_keep_ids(struct sl_sim_catalog *c, const int64_t *ids, uint32_t count)
{
    int64_t *kept = sl_sim_alloc(c->engine, (count + 1) * sizeof *kept);
    memcpy(kept, ids, count * sizeof *kept);
    return kept;
}

static struct sl_added_table *catalog_keep_added(const struct catalog_ddl *d)
{
    struct sl_added_table *kept = sl_sim_alloc(d->c->engine, (d->added_count + 1) * sizeof *kept);
    for (uint32_t i = 0; i < d->added_count; i++)
        kept[i] = (struct sl_added_table){ .table_id = d->added[i].table_id, .schema_id = d->added[i].schema_id };
    return kept;
}

void sl_sim__catalog_free_ddl(struct sl_sim_catalog *c, struct sl_ddl *ddl)
{
    sl_sim_free(c->engine, (void *)(uintptr_t)ddl->tables, (ddl->table_count + 1) * sizeof *ddl->tables);
    sl_sim_free(c->engine, (void *)(uintptr_t)ddl->dropped, (ddl->dropped_count + 1) * sizeof *ddl->dropped);
    sl_sim_free(c->engine, (void *)(uintptr_t)ddl->added, (ddl->added_count + 1) * sizeof *ddl->added);
}

/* Into the log; the sink's judge hears of it at once, from here and not from those who will meet it. */
static void catalog_commit_ddl(struct catalog_ddl *d, enum sl_sim_ddl_kind kind)
{
    struct sl_sim_catalog *c = d->c;
    struct sl_sim_feed *f = catalog_feed(d);
    f->ddls = sl_sim__catalog_grow(c, f->ddls, f->ddl_count, &f->ddl_cap, sizeof *f->ddls);
    uint32_t said_count = d->influence == SL_INFLUENCE_NORMAL ? d->dropped_count : 0;
    f->ddls[f->ddl_count++] = (struct sl_sim_ddl){
        .ddl = { .ts = d->ts,
                 .effect = d->effect,
                 .kind = ddl_texts[kind],
                 .influence = d->influence,
                 .schema_id = d->schema_id,
                 .tables = catalog_keep_ids(c, d->tables, d->table_count),
                 .table_count = d->table_count,
                 .dropped = catalog_keep_ids(c, d->dropped, said_count),
                 .dropped_count = said_count,
                 .added = catalog_keep_added(d),
                 .added_count = d->added_count },
    };
    struct sl_sim_sink_change change = { .ts = d->ts,
                                         .touched = d->touched,
                                         .touched_count = d->touched_count,
                                         .dropped = d->dropped,
                                         .dropped_count = d->dropped_count,
                                         .by_trigger = d->effect != SL_DDL_OWN,
                                         .is_refused = d->is_refused };
    sl_sim_sink_add_change(c->sink, d->feed, &change);
    for (uint32_t i = 0; i < d->added_count; i++)
        sl_sim__catalog_add_table(c, d->feed, &d->added[i]);
}

static bool catalog_create(struct catalog_ddl *d)
{
    struct sl_sim_feed *f = catalog_feed(d);
    d->effect = SL_DDL_MAKES;
    catalog_begin_life(d, ++f->table_next, f->schema_last);
    return true;
}

static bool catalog_is_alive(const struct sl_sim_feed *f, int64_t table_id)
{
    for (uint32_t i = 0; i < f->table_count; i++)
        if (f->tables[i].table_id == table_id && f->tables[i].dropped == SL_TS_MAX)
            return true;
    return false;
}

/* The sink keeps two lives apart, not three. */
static bool catalog_create_again(struct catalog_ddl *d, uint64_t draw)
{
    const struct sl_sim_feed *f = catalog_feed(d);
    d->effect = SL_DDL_MAKES;
    for (uint32_t i = 0; i < f->table_count; i++) {
        const struct sl_sim_table *t = &f->tables[(draw + i) % f->table_count];
        if (t->schema_id == SL_SIM__SCHEMA_ID && !catalog_is_alive(f, t->table_id) &&
            !sl_sim_sink_has_next_life(d->c->sink, d->feed, t->table_id)) {
            catalog_begin_life(d, t->table_id, t->schema_id);
            return true;
        }
    }
    return false;
}

/* Its dispatcher waits for the change, its rows are divided by it, and then it is gone. */
static void catalog_take_away(struct catalog_ddl *d, struct sl_sim_table *t)
{
    catalog_wait(d, t->table_id);
    catalog_touch(d, t->table_id);
    catalog_end_life(d, t);
}

static bool catalog_drop(struct catalog_ddl *d, uint32_t count, uint64_t draw)
{
    struct sl_sim_feed *f = catalog_feed(d);
    struct sl_sim_table *t = NULL;
    d->effect = SL_DDL_JOINT;
    catalog_wait(d, 0);
    while (d->dropped_count < count && (t = catalog_live(f, draw, 0)) != NULL) {
        catalog_take_away(d, t);
    }
    return d->dropped_count > 0;
}

static bool catalog_alter(struct catalog_ddl *d, uint64_t draw)
{
    const struct sl_sim_table *t = catalog_live(catalog_feed(d), draw, 0);
    if (!t)
        return false;
    d->effect = SL_DDL_OWN;
    catalog_wait(d, t->table_id);
    catalog_touch(d, t->table_id);
    return true;
}

static bool catalog_rename(struct catalog_ddl *d, uint32_t count, uint64_t draw)
{
    struct sl_sim_feed *f = catalog_feed(d);
    struct sl_sim_table *t = NULL;
    d->effect = SL_DDL_JOINT;
    catalog_wait(d, 0);
    while (d->added_count < count && (t = catalog_live(f, draw, 0)) != NULL) {
        int64_t schema_id = t->schema_id;
        catalog_take_away(d, t);
        catalog_begin_life(d, ++f->table_next, schema_id);
    }
    return d->added_count > 0;
}

static bool catalog_swap(struct catalog_ddl *d, uint64_t draw)
{
    d->effect = SL_DDL_JOINT;
    catalog_wait(d, 0);
    for (uint32_t i = 0; i < 2; i++) {
        const struct sl_sim_table *t = catalog_live(catalog_feed(d), draw, i);
        if (!t)
            return false;
        catalog_wait(d, t->table_id);
        catalog_touch(d, t->table_id);
    }
    return true;
}

static bool catalog_create_database(struct catalog_ddl *d)
{
    d->effect = SL_DDL_MAKES;
    catalog_feed(d)->schema_last++;
    return true;
}

static bool catalog_drop_database(struct catalog_ddl *d)
{
    struct sl_sim_feed *f = catalog_feed(d);
    if (f->schema_last == SL_SIM__SCHEMA_ID)
        return false;
    d->effect = SL_DDL_JOINT;
    d->influence = SL_INFLUENCE_DB;
    d->schema_id = f->schema_last--;
    for (uint32_t i = 0; i < f->table_count && d->dropped_count < CATALOG_DDL_TABLES_MAX; i++) {
        if (f->tables[i].schema_id != d->schema_id || f->tables[i].dropped != SL_TS_MAX)
            continue;
        catalog_touch(d, f->tables[i].table_id);
        catalog_end_life(d, &f->tables[i]);
    }
    return true;
}

static bool catalog_fill_ddl(struct catalog_ddl *d, enum sl_sim_ddl_kind kind, uint32_t count, uint64_t draw)
{
    switch (kind) {
    case SL_SIM_DDL_CREATE:
        return catalog_create(d);
    case SL_SIM_DDL_CREATE_AGAIN:
        return catalog_create_again(d, draw);
    case SL_SIM_DDL_DROP:
        return catalog_drop(d, count, draw);
    case SL_SIM_DDL_ALTER:
        return catalog_alter(d, draw);
    case SL_SIM_DDL_RENAME:
        return catalog_rename(d, count, draw);
    case SL_SIM_DDL_SWAP:
        return catalog_swap(d, draw);
    case SL_SIM_DDL_CREATE_DATABASE:
        return catalog_create_database(d);
    case SL_SIM_DDL_DROP_DATABASE:
        return catalog_drop_database(d);
    case SL_SIM_DDL_ALTER_REFUSED:
        d->is_refused = true;
        return catalog_alter(d, draw);
    case SL_SIM_DDL_UNKNOWN:
        d->is_refused = true;
        d->effect = SL_DDL_REFUSED;
        return true;
    case SL_SIM_DDL_COUNT:
        break;
    }
    SL_UNREACHABLE();
}

bool sl_sim_catalog_ddl(struct sl_sim_catalog *c, uint32_t feed, enum sl_sim_ddl_kind kind, uint32_t count,
                        uint64_t draw)
{
    struct catalog_ddl d;
    uint32_t statements = kind == SL_SIM_DDL_CREATE ? count : 1;
    for (uint32_t i = 0; i < statements; i++) {
        catalog_begin_ddl(&d, c, feed);
        if (!catalog_fill_ddl(&d, kind, sl_u32_min(count, CATALOG_DDL_TABLES_MAX - 1), draw))
            return false;
        catalog_commit_ddl(&d, kind);
    }
    return true;
}

void sl_sim_catalog_skip_refused(struct sl_sim_catalog *c, uint32_t feed)
{
    struct sl_sim_feed *f = &c->feeds[feed];
    for (uint32_t i = 0; i < f->ddl_count; i++)
        f->ddls[i].is_skipped |= sl_sim_sink_perform_by_hand(c->sink, feed, i);
}
