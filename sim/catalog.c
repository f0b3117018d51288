/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/catalog_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CATALOG_CAP_MIN 8u
#define CATALOG_HEAD_BASE 1000000u
#define CATALOG_FEED_HIGH UINT64_C(0x5eed000000000000)

void sl_sim_catalog_init(struct sl_sim_catalog *c, struct sl_sim_engine *e, struct sl_sim_sink *sink)
{
    *c = (struct sl_sim_catalog){ .engine = e, .sink = sink };
}

void sl_sim_catalog_deinit(struct sl_sim_catalog *c)
{
    for (uint32_t i = 0; i < c->feed_count; i++) {
        struct sl_sim_feed *f = &c->feeds[i];
        sl_sim_free(c->engine, f->tables, f->table_cap * sizeof *f->tables);
        for (uint32_t k = 0; k < f->ddl_count; k++)
            sl_sim__catalog_free_ddl(c, &f->ddls[k].ddl);
        sl_sim_free(c->engine, f->ddls, f->ddl_cap * sizeof *f->ddls);
    }
    sl_sim_free(c->engine, c->feeds, c->feed_cap * sizeof *c->feeds);
    sl_sim_free(c->engine, c->scratch, c->scratch_cap * sizeof *c->scratch);
}

void *sl_sim__catalog_grow(struct sl_sim_catalog *c, void *items, uint32_t count, uint32_t *cap, size_t item_bytes)
{
    if (count < *cap)
        return items;
    uint32_t wanted = *cap > 0 ? *cap * 2 : CATALOG_CAP_MIN;
    void *grown = sl_sim_resize(c->engine, items, *cap * item_bytes, wanted * item_bytes);
    *cap = wanted;
    return grown;
}

sl_ts sl_sim_head(sl_ns at)
{
    return CATALOG_HEAD_BASE + (sl_ts)(at / SL_US);
}

void sl_sim__catalog_add_table(struct sl_sim_catalog *c, uint32_t feed, const struct sl_sim_table *life)
{
    struct sl_sim_feed *f = &c->feeds[feed];
    f->tables = sl_sim__catalog_grow(c, f->tables, f->table_count, &f->table_cap, sizeof *f->tables);
    f->tables[f->table_count++] = *life;
    f->live_count++;
    sl_sim_sink_add_table(c->sink, feed, life->table_id, life->added);
}

uint32_t sl_sim_catalog_add_feed(struct sl_sim_catalog *c, struct sl_str name, uint32_t table_count)
{
    SL_REQUIRE(name.len > 0 && name.len <= SL_FEED_NAME_MAX);
    c->feeds = sl_sim__catalog_grow(c, c->feeds, c->feed_count, &c->feed_cap, sizeof *c->feeds);
    uint32_t feed = c->feed_count++;
    uint32_t at_sink = sl_sim_sink_add_feed(c->sink);
    SL_REQUIRE(at_sink == feed);
    struct sl_sim_feed *f = &c->feeds[feed];
    *f = (struct sl_sim_feed){ .start_ts = sl_sim_head(c->engine->now) };
    f->id.high = CATALOG_FEED_HIGH + feed;
    f->id.low = feed + 1;
    f->id.name_len = (uint8_t)name.len;
    memcpy(f->id.name, name.ptr, name.len);
    f->id.keyspace_len = sizeof "default" - 1;
    memcpy(f->id.keyspace, "default", sizeof "default");
    f->schema_last = SL_SIM__SCHEMA_ID;
    sl_sim_sink_add_table(c->sink, feed, 0, f->start_ts); /* the table trigger */
    for (uint32_t i = 0; i < table_count; i++) {
        struct sl_sim_table life = {
            .table_id = ++f->table_next, .schema_id = SL_SIM__SCHEMA_ID, .added = f->start_ts, .dropped = SL_TS_MAX
        };
        sl_sim__catalog_add_table(c, feed, &life);
    }
    return feed;
}

/* ---- what there is ---- */

uint32_t sl_sim_catalog_find(const struct sl_sim_catalog *c, const struct sl_feed_id *id)
{
    uint64_t number = id->high - CATALOG_FEED_HIGH;
    if (number < c->feed_count && sl_feed_id_eq(&c->feeds[number].id, id))
        return (uint32_t)number;
    return SL_SIM_FEED_NONE;
}

uint32_t sl_sim_catalog_find_name(const struct sl_sim_catalog *c, struct sl_str name)
{
    for (uint32_t i = 0; i < c->feed_count; i++) {
        if (sl_str_eq(sl_feed_id_name(&c->feeds[i].id), name))
            return i;
    }
    return SL_SIM_FEED_NONE;
}

const struct sl_table *sl_sim_catalog_tables(struct sl_sim_catalog *c, uint32_t feed, sl_ts ts, uint32_t *count)
{
    const struct sl_sim_feed *f = &c->feeds[feed];
    if (c->scratch_cap < f->table_count + 1) {
        uint32_t cap = f->table_count + 1;
        c->scratch =
            sl_sim_resize(c->engine, c->scratch, c->scratch_cap * sizeof *c->scratch, cap * sizeof *c->scratch);
        c->scratch_cap = cap;
    }
    *count = 0;
    for (uint32_t i = 0; i < f->table_count; i++) {
        const struct sl_sim_table *t = &f->tables[i];
        if (t->added <= ts && ts < t->dropped)
            c->scratch[(*count)++] = (struct sl_table){ .table_id = t->table_id, .schema_id = t->schema_id };
    }
    return c->scratch;
}

uint32_t sl_sim_catalog_ddl_after(const struct sl_sim_catalog *c, uint32_t feed, sl_ts ts)
{
    const struct sl_sim_feed *f = &c->feeds[feed];
    uint32_t i = f->ddl_count;
    while (i > 0 && f->ddls[i - 1].ddl.ts > ts)
        i--;
    return i;
}

size_t sl_sim_catalog_config(const struct sl_sim_catalog *c, uint32_t feed, uint64_t epoch, char *out, size_t cap)
{
    const struct sl_sim_feed *f = &c->feeds[feed];
    int len = snprintf(
        out, cap,
        "{\"id\":{\"id\":{\"low\":%" PRIu64 ",\"high\":%" PRIu64 "},\"display\":{\"name\":\"%s\",\"keyspace\":\"%s\","
        "\"namespace\":\"%s\"}},\"upstream-id\":1,\"sink-uri\":\"mysql://sluice:" SL_SIM_CANARY "@sink:3306/\","
        "\"create-time\":\"2026-01-01T00:00:00Z\",\"start-ts\":%" PRIu64 ",\"target-ts\":0,\"admin-job-type\":0,"
        "\"config\":{\"performance-mode\":\"throughput\",\"memory-quota\":1073741824,\"case-sensitive\":false,"
        "\"filter\":{\"rules\":[\"*.*\"]},\"sink\":{\"terminator\":\"\\r\\n\"},\"consistent\":{\"level\":\"none\"},"
        "\"scheduler\":{\"enable-table-across-nodes\":false,\"scheduling-task-count-per-node\":20}},"
        "\"state\":\"normal\",\"error\":null,\"warning\":null,\"creator-version\":\"v8.5.4\",\"epoch\":%" PRIu64
        ",\"keyspace-id\":0}",
        f->id.low, f->id.high, f->id.name, f->id.keyspace, f->id.keyspace, f->start_ts, epoch);
    SL_REQUIRE(len > 0 && (size_t)len < cap);
    return (size_t)len;
}
