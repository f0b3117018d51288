/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/gen/gen.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GEN_NAP_NS (2 * SL_MS) /* rows that are due within it travel together */
#define GEN_COLUMNS 3u
#define GEN_SCHEMA_ID 1
#define GEN_TYPE_BIGINT 8u
#define GEN_TYPE_VARCHAR 15u
#define GEN_CHARSET_ASCII 11u

struct gen_reader {
    struct sl_reader reader; /* first */
    struct sl_gen_opts opts;
    struct sl_table_def **defs; /* by table; made when first needed */
    uint64_t next;              /* change */
    sl_ts through;
    pthread_mutex_t mutex;
    pthread_cond_t interrupted;
    bool is_interrupted;
};

static sl_ns gen_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (sl_ns)t.tv_sec * SL_S + t.tv_nsec;
}

/* ---- tables ---- */

struct gen_def {
    struct sl_table_def def; /* first */
    struct sl_column columns[GEN_COLUMNS];
    char name[16];
};

static void gen_def_free(struct sl_table_def *def)
{
    free(def);
}

static struct sl_table_def *gen_def_new(uint32_t table)
{
    struct gen_def *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->columns[0] = (struct sl_column){ .name = SL_STR("id"),
                                        .type = SL_STR("bigint unsigned"),
                                        .type_code = GEN_TYPE_BIGINT,
                                        .flags = SL_COLUMN_KEY | SL_COLUMN_UNSIGNED };
    g->columns[1] = (struct sl_column){ .name = SL_STR("seq"),
                                        .type = SL_STR("bigint unsigned"),
                                        .type_code = GEN_TYPE_BIGINT,
                                        .flags = SL_COLUMN_UNSIGNED };
    g->columns[2] = (struct sl_column){
        .name = SL_STR("payload"), .type = SL_STR("text"), .type_code = GEN_TYPE_VARCHAR, .charset = GEN_CHARSET_ASCII
    };
    int len = snprintf(g->name, sizeof g->name, "t%u", table + 1);
    g->def.table_id = (int64_t)table + 1;
    g->def.schema_id = GEN_SCHEMA_ID;
    g->def.version = 1;
    g->def.schema = SL_STR("gen");
    g->def.table = (struct sl_str){ g->name, (size_t)len };
    g->def.column_count = GEN_COLUMNS;
    g->def.columns = g->columns;
    g->def.free = gen_def_free;
    atomic_init(&g->def.refs, 1);
    return &g->def;
}

static struct sl_table_def *gen_def(struct gen_reader *g, uint32_t table)
{
    if (!g->defs[table])
        g->defs[table] = gen_def_new(table);
    return g->defs[table];
}

/* ---- rows ---- */

static bool gen_fill(const struct gen_reader *g, struct sl_batch *b, struct sl_value *values, uint32_t table,
                     uint64_t id, uint64_t seq)
{
    static const char letters[] = "abcdefghijklmnop";
    uint8_t *text = sl_batch_bytes(b, g->opts.payload);
    if (!text)
        return false;
    uint64_t hash = sl_hash_mix(g->opts.seed ^ sl_hash_mix(seq ^ (uint64_t)table << 40));
    for (uint64_t i = 0; i < g->opts.payload; i++) {
        if (i % 16 == 0)
            hash = sl_hash_mix(hash + i);
        text[i] = (uint8_t)letters[hash >> i % 16 * 4 & 15];
    }
    values[0] = (struct sl_value){ .kind = SL_VALUE_UINT, .v.u = id };
    values[1] = (struct sl_value){ .kind = SL_VALUE_UINT, .v.u = seq };
    values[2] = (struct sl_value){ .kind = SL_VALUE_TEXT, .len = (uint32_t)g->opts.payload, .v.ptr = text };
    return true;
}

/* The row before a change is what the id's change before left: that was K changes of the table ago. */
static bool gen_add(struct gen_reader *g, struct sl_batch *b, uint64_t i)
{
    struct sl_gen_change c = sl_gen_change_at(&g->opts, i);
    struct sl_table_def *def = gen_def(g, c.table);
    struct sl_row_images images;
    if (!def || !sl_batch_add(b, def, c.op, i + 1, &images))
        return false;
    if (images.before && !gen_fill(g, b, images.before, c.table, c.id, c.seq - g->opts.keys))
        return false;
    return !images.after || gen_fill(g, b, images.after, c.table, c.id, c.seq);
}

/* ---- the driver ---- */

static bool gen_check(struct sl_secret uri, struct sl_trouble *t)
{
    struct sl_gen_opts opts;
    return sl_gen_parse(&opts, uri, t);
}

static void gen_close(struct sl_reader *r)
{
    struct gen_reader *g = (struct gen_reader *)r;
    for (uint64_t i = 0; i < g->opts.tables; i++)
        sl_table_def_unref(g->defs[i]);
    pthread_cond_destroy(&g->interrupted);
    pthread_mutex_destroy(&g->mutex);
    free(g->defs);
    free(g);
}

static bool gen_open(struct sl_reader **out, const struct sl_source_open *o, struct sl_trouble *t)
{
    struct sl_gen_opts opts;
    *out = NULL;
    if (!sl_gen_parse(&opts, o->uri, t))
        return false;
    struct gen_reader *g = calloc(1, sizeof *g);
    struct sl_table_def **defs = calloc(opts.tables, sizeof(struct sl_table_def *));
    if (!g || !defs) {
        free(g);
        free(defs);
        return sl_trouble_set(t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "gen: no memory");
    }
    *g = (struct gen_reader){
        .reader = { &sl_gen_driver }, .opts = opts, .defs = defs, .next = o->from, .through = o->from
    };
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&g->interrupted, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&g->mutex, NULL);
    *out = &g->reader;
    return true;
}

/* False: interrupted. */
static bool gen_sleep(struct gen_reader *g, sl_ns ns)
{
    sl_ns end = gen_clock(CLOCK_MONOTONIC) + ns;
    struct timespec deadline = { .tv_sec = end / SL_S, .tv_nsec = end % SL_S };
    pthread_mutex_lock(&g->mutex);
    int result = 0;
    while (!g->is_interrupted && result == 0)
        result = pthread_cond_timedwait(&g->interrupted, &g->mutex, &deadline);
    bool goes_on = !g->is_interrupted;
    pthread_mutex_unlock(&g->mutex);
    return goes_on;
}

/* How long until a row is due, at most wait_ns. */
static sl_ns gen_nap(const struct gen_reader *g, sl_ns wait_ns)
{
    uint64_t rate = g->opts.rows_per_s;
    if (rate == 0 || g->next >= g->opts.limit)
        return wait_ns;
    sl_ns gap = (sl_ns)((uint64_t)SL_S / rate);
    return sl_ns_min(wait_ns, gap < GEN_NAP_NS ? GEN_NAP_NS : gap);
}

static bool gen_read(struct sl_reader *r, struct sl_batch *into, size_t bytes_max, sl_ns wait_ns, struct sl_trouble *t)
{
    struct gen_reader *g = (struct gen_reader *)r;
    uint64_t count = sl_gen_count_at(&g->opts, gen_clock(CLOCK_REALTIME));
    if (g->next >= count || g->opts.rows_per_s == 0) {
        if (!gen_sleep(g, gen_nap(g, wait_ns)))
            return sl_trouble_set(t, SL_TROUBLE_ENDED, "INTERRUPTED", "", "gen: interrupted");
        count = sl_gen_count_at(&g->opts, gen_clock(CLOCK_REALTIME));
    }
    sl_ns arrived = gen_clock(CLOCK_MONOTONIC);
    bool has_rows = g->opts.rows_per_s > 0;
    while (has_rows && g->next < count && sl_batch_size(into) < bytes_max) {
        if (!gen_add(g, into, g->next))
            return sl_trouble_set(t, SL_TROUBLE_PASSING, "NO_MEMORY", "take load off the node", "gen: no memory");
        g->next++;
    }
    g->through = sl_ts_max(g->through, has_rows ? g->next : count);
    sl_batch_seal(into, g->through, arrived);
    return true;
}

static void gen_interrupt(struct sl_reader *r)
{
    struct gen_reader *g = (struct gen_reader *)r;
    pthread_mutex_lock(&g->mutex);
    g->is_interrupted = true;
    pthread_cond_signal(&g->interrupted);
    pthread_mutex_unlock(&g->mutex);
}

static bool gen_list(const struct sl_source_open *o, bool (*each)(void *ctx, const struct sl_source_table *table),
                     void *ctx, struct sl_trouble *t)
{
    struct sl_gen_opts opts;
    if (!sl_gen_parse(&opts, o->uri, t))
        return false;
    for (uint32_t i = 0; i < opts.tables; i++) {
        char name[16];
        int len = snprintf(name, sizeof name, "t%u", i + 1);
        struct sl_source_table table = { .table_id = (int64_t)i + 1,
                                         .schema_id = GEN_SCHEMA_ID,
                                         .schema = SL_STR("gen"),
                                         .table = { name, (size_t)len } };
        if (!each(ctx, &table))
            return true;
    }
    return true;
}

/* At least 1: a feed cannot begin at 0, which means none. */
static bool gen_head(sl_ts *out, struct sl_secret uri, struct sl_trouble *t)
{
    struct sl_gen_opts opts;
    if (!sl_gen_parse(&opts, uri, t))
        return false;
    uint64_t count = sl_gen_count_at(&opts, gen_clock(CLOCK_REALTIME));
    *out = count > 0 ? count : 1;
    return true;
}

const struct sl_source_driver sl_gen_driver = {
    .schemes = "gen",
    .check = gen_check,
    .open = gen_open,
    .read = gen_read,
    .interrupt = gen_interrupt,
    .close = gen_close,
    .list = gen_list,
    .head = gen_head,
};
