/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_CATALOG_H
#define SL_SIM_CATALOG_H

#include "core/common/input.h"
#include "sim/sink.h"

/*
 * The feeds of the run and the source they read: which tables exist at which ts, and how far the source's log reaches
 * at a moment, which is a pure function of virtual time (one ts per microsecond).
 *
 * A change of tables has a commit ts. The feed's table trigger meets it there and tells its maintainer (plane.h), which
 * is what keeps the checkpoint below a change nobody has been told of.
 */
struct sl_sim_table {
    int64_t table_id, schema_id;
    sl_ts added, dropped; /* dropped: SL_TS_MAX while it exists */
};

struct sl_sim_change {
    sl_ts commit_ts;
    uint32_t added_first, added_count;     /* in tables */
    uint32_t dropped_first, dropped_count; /* in dropped */
};

struct sl_sim_feed {
    struct sl_feed_id id;
    sl_ts start_ts;
    struct sl_sim_table *tables;
    struct sl_sim_change *changes;
    int64_t *dropped;
    uint32_t table_count, table_cap, change_count, change_cap, dropped_count, dropped_cap;
    uint32_t live_count; /* tables not dropped */
};

struct sl_sim_catalog {
    struct sl_sim_engine *engine;
    struct sl_sim_sink *sink;
    struct sl_sim_feed *feeds; /* by number, the same as at the sink */
    struct sl_table *scratch;
    uint32_t feed_count, feed_cap, scratch_cap;
};

void sl_sim_catalog_init(struct sl_sim_catalog *c, struct sl_sim_engine *e, struct sl_sim_sink *sink);
void sl_sim_catalog_deinit(struct sl_sim_catalog *c);

/* How far the source reaches at a moment. */
sl_ts sl_sim_head(sl_ns at);

/* A feed with tables 1 .. table_count, starting at the head. Its number. */
uint32_t sl_sim_catalog_add_feed(struct sl_sim_catalog *c, struct sl_str name, uint32_t table_count);
/* New tables, or the oldest ones go, at the head of this moment. Drops at most what there is. */
void sl_sim_catalog_add_tables(struct sl_sim_catalog *c, uint32_t feed, uint32_t count);
void sl_sim_catalog_drop_tables(struct sl_sim_catalog *c, uint32_t feed, uint32_t count);

#define SL_SIM_FEED_NONE UINT32_MAX
uint32_t sl_sim_catalog_find(const struct sl_sim_catalog *c, const struct sl_feed_id *id);
uint32_t sl_sim_catalog_find_name(const struct sl_sim_catalog *c, struct sl_str name);

/* The tables at ts. Valid until the next call. */
const struct sl_table *sl_sim_catalog_tables(struct sl_sim_catalog *c, uint32_t feed, sl_ts ts, uint32_t *count);

/* Number of the first change after ts; change_count if there is none. */
uint32_t sl_sim_catalog_change_after(const struct sl_sim_catalog *c, uint32_t feed, sl_ts ts);
/* What a change says to the feed's maintainer. Its pointers are valid until the next call or change. */
void sl_sim_catalog_change_input(struct sl_sim_catalog *c, uint32_t feed, uint32_t change, struct sl_input *in);

/* The feed's record as a coordinator sends it, with the canary password in the sink URI. Returns the length. */
size_t sl_sim_catalog_config(const struct sl_sim_catalog *c, uint32_t feed, uint64_t epoch, char *out, size_t cap);

#endif
