/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_PLAN_H
#define SL_SIM_PLAN_H

#include "sim/sim.h"

/*
 * A random run as a list of numbered items, drawn from the seed: circumstances (how lossy, how slow, how
 * far off the clocks), faults, and deeds of the operator. Each item is drawn by itself, so that a part of the list can
 * be kept and the rest left away without changing it; and what chance decides later (delays, losses) can be drawn anew
 * without changing the list. That is what the shrinker needs.
 *
 * The circumstances. A row: name, text, member of struct sl_sim_opts, unit, the most.
 */
#define SL_SIM_KNOBS(X)                                                    \
    X(LOSS, "loss", net.loss_ppm, 1, 50000)                                \
    X(COPY, "copies", net.copy_ppm, 1, 40000)                              \
    X(SPIKE, "spikes", net.spike_ppm, 1, 10000)                            \
    X(BREAK, "broken-streams", net.break_ppm, 1, 10000)                    \
    X(GARBAGE, "garbage", net.garbage_ppm, 1, 5000)                        \
    X(JITTER, "jitter", net.jitter_ns, SL_MS, 20)                          \
    X(LATE_TICKS, "late-ticks", tick_late_ns, SL_MS, 50)                   \
    X(DRIFT, "clock-drift", drift_ppm, 1, 20000)                           \
    X(SKEW, "clock-skew", skew_ns, SL_S, 3600)                             \
    X(OPEN_JITTER, "open-jitter", plane.open_jitter_ns, SL_MS, 300)        \
    X(CLOSE_JITTER, "close-jitter", plane.close_jitter_ns, SL_MS, 300)     \
    X(LAG, "lagging-spans", plane.lag_ppm, 1, 400000)                      \
    X(CRAWL, "crawling-spans", plane.crawl_ppm, 1, 500000)                 \
    X(SPANS_FAIL, "failing-spans", plane.fail_ppm, 1, 5000)                \
    X(FEEDS_FAIL, "failing-feeds", plane.feed_fail_ppm, 1, 20000)          \
    X(SPANS_SLOW, "slow-spans", plane.slow_ppm, 1, 30000)                  \
    X(OPENS_HANG, "hanging-opens", plane.hang_open_ppm, 1, 3000)           \
    X(CLOSES_HANG, "hanging-closes", plane.hang_close_ppm, 1, 3000)        \
    X(SCHEMA_FAILS, "failing-schema", schema_fail_ppm, 1, 300000)          \
    X(STORE_JITTER, "store-jitter", meta.jitter_ns, SL_MS, 100)            \
    X(STORE_SLOW, "store-slow", meta.slow_ppm, 1, 50000)                   \
    X(STORE_REFUSES, "store-refuses", meta.refuse_ppm, 1, 50000)           \
    X(STORE_LOSES, "store-lost-requests", meta.lose_request_ppm, 1, 50000) \
    X(STORE_FORGETS, "store-lost-answers", meta.lose_answer_ppm, 1, 50000) \
    X(STORE_OUTAGES, "store-outages", meta.outage_ppm, 1, 1000)            \
    X(STORE_WATCHES, "store-watch-ends", meta.break_watch_ppm, 1, 50000)   \
    X(STORE_COMPACTS, "store-compacts", meta.compact_ppm, 1, 10000)        \
    X(STORE_LEADERS, "store-new-leaders", meta.new_leader_ppm, 1, 5000)    \
    X(FOREIGN, "foreign-peers", foreign_hosts, 1, 255)

enum sl_sim_knob {
#define SL_SIM_KNOB_ENUM(name, text, member, unit, max) SL_SIM_KNOB_##name,
    SL_SIM_KNOBS(SL_SIM_KNOB_ENUM)
#undef SL_SIM_KNOB_ENUM
        SL_SIM_KNOB_COUNT
};
const char *sl_sim_knob_text(enum sl_sim_knob knob);

/* How often it came to something in this run, where that can be counted; else 1 if it was set. */
uint64_t sl_sim_knob_count(const struct sl_sim *sim, enum sl_sim_knob knob);

struct sl_sim_item {
    bool is_knob; /* else an action */
    enum sl_sim_knob knob;
    uint64_t value;
    struct sl_sim_fault fault; /* moment TIME: at */
    sl_ns at;
};
#define SL_SIM_ITEMS_MAX 96u

enum sl_sim_mode { SL_SIM_MODE_DRAWN, SL_SIM_MODE_SAFETY, SL_SIM_MODE_LIVENESS };

struct sl_sim_plan_opts {
    uint64_t seed;
    uint32_t node_count, feed_count, dispatcher_count; /* 0 = drawn */
    enum sl_sim_mode mode;
};

struct sl_sim_plan {
    enum sl_sim_mode mode; /* SAFETY: faults to the end; LIVENESS: they end, and everything must come into order */
    sl_ns trouble_ns;
    uint32_t host_count, feed_count, spared_host;
    uint32_t table_counts[16]; /* of the feeds */
    sl_ns net_delay_ns, schema_ns, meta_delay_ns;
    struct sl_sim_item items[SL_SIM_ITEMS_MAX];
    uint32_t item_count;
};

void sl_sim_plan_draw(struct sl_sim_plan *p, const struct sl_sim_plan_opts *opts);

/* A set of numbers of items. */
struct sl_sim_keep {
    bool is_set; /* else all are kept */
    bool items[SL_SIM_ITEMS_MAX];
};
/* "3,7,9"; "none" keeps nothing. False: it is no such list. */
SL_CHECKED bool sl_sim_keep_parse(struct sl_sim_keep *keep, const char *text);
static inline bool sl_sim_is_kept(const struct sl_sim_keep *keep, uint32_t item)
{
    return !keep->is_set || keep->items[item];
}

/* "crash n2 at 12.345 s" */
#define SL_SIM_ITEM_TEXT 160
const char *sl_sim_item_text(const struct sl_sim_item *item, char out[SL_SIM_ITEM_TEXT]);

/*
 * Initialises sim and runs what is kept of the plan. variant: names what chance decides beyond the plan; 0 is the run of
 * the seed itself.
 */
struct sl_sim_plan_run {
    uint64_t variant;
    const struct sl_sim_keep *keep;
    FILE *trace;
};
void sl_sim_plan_run(struct sl_sim *sim, const struct sl_sim_plan_opts *opts, const struct sl_sim_plan_run *run);

/* ---- settle.c ---- */

/*
 * Until nothing is left to wish for and every feed has got beyond this moment; whoever is down is started now and then.
 * may_block: a drain need not end if it names what blocks it, and a feed need not advance if a dispatcher of it hangs.
 * False: not within that time, or a violation.
 */
bool sl_sim_settle(struct sl_sim *sim, sl_ns within, bool may_block);

#endif
