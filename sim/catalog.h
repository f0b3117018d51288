/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_CATALOG_H
#define SL_SIM_CATALOG_H

#include "core/common/input.h"
#include "port/rows.h"
#include "sim/sink.h"

/*
 * The feeds of the run and the source they read: which tables exist at which ts, which changes of their schemas its log
 * has, and how far the log reaches at a moment, which is a pure function of virtual time (one ts per microsecond).
 *
 * Rows are everywhere: each table has one at each ts of its life. A change of the schema has a ts of its own. As at
 * MariaDB, the id of a table stands for its name: a table that is dropped and made again has the same one.
 */
struct sl_sim_table { /* one life of a table */
    int64_t table_id, schema_id;
    sl_ts added, dropped; /* dropped: SL_TS_MAX while it exists */
};

/* A row: name, text. */
#define SL_SIM_DDLS(X)                                                                   \
    X(CREATE, "create")                   /* count new tables, a statement each */       \
    X(CREATE_AGAIN, "create-again")       /* a name that was dropped before */           \
    X(DROP, "drop")                       /* count tables in one statement */            \
    X(ALTER, "alter")                     /* a table; also indexes, TRUNCATE */          \
    X(RENAME, "rename")                   /* count tables in one statement, new names */ \
    X(SWAP, "swap")                       /* two tables take each other's name */        \
    X(CREATE_DATABASE, "create-database") /* the next tables are made in it */           \
    X(DROP_DATABASE, "drop-database")     /* the last one made, with its tables */       \
    X(ALTER_REFUSED, "alter-refused")     /* a table; the sink refuses it */             \
    X(UNKNOWN, "unknown")                 /* a statement that cannot be replicated */

enum sl_sim_ddl_kind {
#define SL_SIM_DDL_ENUM(name, text) SL_SIM_DDL_##name,
    SL_SIM_DDLS(SL_SIM_DDL_ENUM)
#undef SL_SIM_DDL_ENUM
        SL_SIM_DDL_COUNT
};

struct sl_sim_ddl {
    struct sl_ddl ddl; /* as a source says it; its lists are owned */
    bool is_skipped;   /* the operator performed it by hand; nobody meets it any more */
};

struct sl_sim_feed {
    struct sl_feed_id id;
    sl_ts start_ts;
    struct sl_sim_table *tables; /* in order of being made */
    struct sl_sim_ddl *ddls;     /* in order of ts; the same numbers as at the sink */
    uint32_t table_count, table_cap, ddl_count, ddl_cap;
    uint32_t live_count; /* tables not dropped */
    int64_t table_next, schema_last;
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
/*
 * A change of the schema of a feed's tables at the head of this moment. count: of the tables, where several may be meant,
 * at most what there is; draw: which ones (0: the oldest). False: there is nothing that it could be about.
 */
bool sl_sim_catalog_ddl(struct sl_sim_catalog *c, uint32_t feed, enum sl_sim_ddl_kind kind, uint32_t count,
                        uint64_t draw);
const char *sl_sim_ddl_text(enum sl_sim_ddl_kind kind);
/* What cannot be performed at the sink the operator performs by hand, and has left out. */
void sl_sim_catalog_skip_refused(struct sl_sim_catalog *c, uint32_t feed);

#define SL_SIM_DDL_NONE UINT32_MAX
#define SL_SIM_FEED_NONE UINT32_MAX
uint32_t sl_sim_catalog_find(const struct sl_sim_catalog *c, const struct sl_feed_id *id);
uint32_t sl_sim_catalog_find_name(const struct sl_sim_catalog *c, struct sl_str name);

/* The tables at ts. Valid until the next call. */
const struct sl_table *sl_sim_catalog_tables(struct sl_sim_catalog *c, uint32_t feed, sl_ts ts, uint32_t *count);

/* Number of the first change after ts; ddl_count if there is none. */
uint32_t sl_sim_catalog_ddl_after(const struct sl_sim_catalog *c, uint32_t feed, sl_ts ts);

/* The feed's record as a coordinator sends it, with the canary password in the sink URI. Returns the length. */
size_t sl_sim_catalog_config(const struct sl_sim_catalog *c, uint32_t feed, uint64_t epoch, char *out, size_t cap);

#endif
