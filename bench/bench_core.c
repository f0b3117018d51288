/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of the control plane's core: a drain at a million dispatchers, the cost of a heartbeat against the number
 * of spans, and pacing by feedback beside the reference's rule in the same model. One table, or with --json one object.
 */
#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "core/maintainer/maintainer.h"
#include "sim/scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static bool as_json;
static bool is_first = true;

static void report(const char *name, double value, const char *unit, const char *goal)
{
    if (as_json)
        printf("%s\"%s\":%.6g", is_first ? "{" : ",", name, value);
    else
        printf("%-44s %14.6g %-16s %s\n", name, value, unit, goal);
    is_first = false;
}

static double seconds(sl_ns ns)
{
    return (double)ns / (double)SL_S;
}

/* The largest resident size of this process so far. */
static double resident_bytes_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024 : 0;
}

/* ---- a drain at scale ---- */

static void bench_million(void)
{
    struct sl_sim_request request = {
        .scenario = "drain-scale", .seed = 1, .node_count = 100, .dispatcher_count = 1000000
    };
    struct sl_sim_result r;
    double before = resident_bytes_peak();
    if (!sl_sim_scenario_run(&request, &r) || r.has_failed) {
        fprintf(stderr, "bench_core: drain-scale failed: %s\n", r.text);
        return;
    }
    double dispatchers = (double)r.dispatcher_count;
    report("million_drain_cpu_s", seconds(r.drain_cpu_ns), "s", "goal < 10");
    report("million_drain_virtual_s", seconds(r.drain_ns), "s", "");
    report("million_run_cpu_s", seconds(r.cpu_ns), "s", "bootstrap included");
    report("million_messages", (double)r.message_count, "", "whole run");
    report("million_moves", (double)r.move_count, "", "");
    report("million_maintainer_bytes_per_dispatcher", (double)r.maintainer_bytes_peak / dispatchers, "B",
           "goal <= 256");
    report("million_control_bytes_per_dispatcher", (double)r.control_bytes_peak / dispatchers, "B",
           "both ends: maintainer and dispatch managers");
    report("million_rss_growth_per_dispatcher", (resident_bytes_peak() - before) / dispatchers, "B",
           "peak of the whole process, the simulator's models and messages included");
    report("million_events_per_cpu_s", (double)r.event_count / seconds(r.cpu_ns), "/s",
           "goal > 1000000; messages of up to ten thousand spans each");
}

static void bench_swarm_speed(void)
{
    double events = 0, cpu = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct sl_sim_request request = { .scenario = "cluster-swarm", .seed = seed };
        struct sl_sim_result r;
        if (!sl_sim_scenario_run(&request, &r) || r.has_failed)
            fprintf(stderr, "bench_core: cluster-swarm seed %" PRIu64 " failed: %s\n", seed, r.text);
        events += (double)r.event_count;
        cpu += seconds(r.cpu_ns);
    }
    report("swarm_events_per_cpu_s", events / cpu, "/s", "goal > 1000000");
}

struct pacing {
    double virtual_s, rounds;
};

static struct pacing pacing_run(uint32_t dispatcher_count, bool is_reference)
{
    struct sl_sim_request request = { .scenario = "drain-scale",
                                      .seed = 1,
                                      .node_count = 3,
                                      .dispatcher_count = dispatcher_count,
                                      .reference_pacing = is_reference };
    struct sl_sim_result r;
    if (!sl_sim_scenario_run(&request, &r) || r.has_failed)
        fprintf(stderr, "bench_core: drain-scale failed: %s\n", r.text);
    return (struct pacing){ seconds(r.drain_ns), (double)r.drain_rounds };
}

/* A round: what was in flight at its start has arrived. */
static void bench_pacing_of(const char *name, uint32_t dispatcher_count, const char *goal)
{
    char text[64];
    struct pacing feedback = pacing_run(dispatcher_count, false), reference = pacing_run(dispatcher_count, true);
    const struct {
        const char *what, *unit, *goal;
        double value;
    } rows[] = { { "feedback_s", "s simulated", goal, feedback.virtual_s },
                 { "feedback_rounds", "", "", feedback.rounds },
                 { "reference_s", "s simulated", "max(10, 1 %) in flight, 200 ms ticks", reference.virtual_s },
                 { "reference_rounds", "", "", reference.rounds },
                 { "ratio", "x", "reference / feedback, same model and load",
                   feedback.virtual_s > 0 ? reference.virtual_s / feedback.virtual_s : 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, "%s_%s", name, rows[i].what);
        report(text, rows[i].value, rows[i].unit, rows[i].goal);
    }
}

static void bench_pacing(void)
{
    bench_pacing_of("drain_10000_of_30000", 30000, "goal < 2: 10,000 dispatchers leave one node of 3");
    bench_pacing_of("drain_3333_of_10000", 10000, "10,000 dispatchers in all");
}

/* ---- heartbeats ---- */

enum { HEARTBEAT_STATUSES_MAX = 1024, HEARTBEAT_STATUSES_IN_ALL = 1 << 20, HEARTBEAT_HOT_SPANS = 1000 };

struct heartbeat_bench {
    struct sl_mem mem;
    struct sl_members *members;
    struct sl_pacer pacer;
    struct sl_outbox out;
    struct sl_maintainer *m;
    struct sl_feed_id feed;
    sl_node_ref self;
    uint32_t span_count;
    uint64_t position; /* of everything the heartbeats say */
    sl_ns now;
};

static const char feed_record[] =
    "{\"id\":{\"id\":{\"low\":1,\"high\":2},\"display\":{\"name\":\"bench\",\"keyspace\":\"default\"}},"
    "\"sink-uri\":\"blackhole://"
    "\",\"start-ts\":10,\"epoch\":7,\"state\":\"normal\",\"config\":{\"filter\":{},\"sink\":{},"
    "\"consistent\":{},\"scheduler\":{}}}";

static void heartbeat_take_spans(struct heartbeat_bench *b)
{
    Pb__MaintainerBootstrapResponse r = PB__MAINTAINER_BOOTSTRAP_RESPONSE__INIT;
    size_t n = b->span_count;
    Pb__BootstrapTableSpan *spans = sl_mem_alloc(&b->mem, SL_TAG_SIM, n * sizeof *spans);
    Pb__BootstrapTableSpan **refs = sl_mem_alloc(&b->mem, SL_TAG_SIM, n * sizeof *refs);
    Pb__DispatcherID *ids = sl_mem_alloc(&b->mem, SL_TAG_SIM, n * sizeof *ids);
    Pb__TableSpan *keys = sl_mem_alloc(&b->mem, SL_TAG_SIM, n * sizeof *keys);
    struct sl_table *tables = sl_mem_alloc(&b->mem, SL_TAG_SIM, n * sizeof *tables);
    SL_REQUIRE(spans && refs && ids && keys && tables);
    for (uint32_t i = 0; i < b->span_count; i++) {
        ids[i] = sl_dispatcher_id_pb((struct sl_dispatcher_id){ 1, i + 1 });
        pb__table_span__init(&keys[i]);
        keys[i].table_id = (int64_t)i + 1;
        pb__bootstrap_table_span__init(&spans[i]);
        spans[i].id = &ids[i];
        spans[i].span = &keys[i];
        spans[i].checkpoint_ts = 10;
        refs[i] = &spans[i];
        tables[i] = (struct sl_table){ .table_id = (int64_t)i + 1, .schema_id = 1 };
    }
    Pb__ChangefeedID feed = sl_feed_id_pb(&b->feed);
    r.changefeed = &feed;
    r.spans = refs;
    r.n_spans = n;
    r.checkpoint_ts = 10;
    r.maintainer_epoch = 7;
    r.protocol_version = SL_PROTOCOL_VERSION;
    sl_outbox_reset(&b->out);
    enum sl_refusal refusal =
        sl_maintainer_on_message(b->m, b->now, b->self, SL_MSG_MAINTAINER_BOOTSTRAP_RESPONSE, &r.base, &b->out);
    SL_REQUIRE(refusal == SL_REFUSE_NONE);
    struct sl_in_schema schema = { .feed = b->feed, .code = SL_OK, .tables = tables, .table_count = b->span_count };
    for (uint32_t i = 0; i < b->out.count; i++) {
        if (b->out.items[i].kind == SL_OUT_SCHEMA_LOAD)
            schema.request = b->out.items[i].u.schema_load.request;
    }
    sl_outbox_reset(&b->out);
    sl_maintainer_on_schema(b->m, b->now, &schema, &b->out);
    SL_REQUIRE(sl_maintainer_is_bootstrapped(b->m));
    sl_mem_free(&b->mem, SL_TAG_SIM, spans, n * sizeof *spans);
    sl_mem_free(&b->mem, SL_TAG_SIM, refs, n * sizeof *refs);
    sl_mem_free(&b->mem, SL_TAG_SIM, ids, n * sizeof *ids);
    sl_mem_free(&b->mem, SL_TAG_SIM, keys, n * sizeof *keys);
    sl_mem_free(&b->mem, SL_TAG_SIM, tables, n * sizeof *tables);
}

static void heartbeat_init(struct heartbeat_bench *b, uint32_t span_count)
{
    const struct sl_mem_opts mem_opts = sl_mem_opts_of(0);
    const struct sl_pacer_opts pacer_opts = SL_PACER_OPTS_DEFAULT;
    memset(b, 0, sizeof *b);
    b->span_count = span_count;
    b->position = 10;
    sl_mem_init(&b->mem, &mem_opts);
    sl_pacer_init(&b->pacer, &pacer_opts);
    struct sl_node_id self;
    SL_REQUIRE(sl_node_id_set(&self, SL_STR("n1")));
    SL_REQUIRE(sl_members_new(&b->members, &b->mem, &self, 4, 1) == SL_OK);
    SL_REQUIRE(sl_outbox_init(&b->out, &b->mem, SL_TAG_OUTBOX, 100000, (size_t)64 << 20) == SL_OK);
    b->self = sl_members_self(b->members);
    char name[] = "bench", keyspace[] = "default";
    Pb__ChangefeedID feed = PB__CHANGEFEED_ID__INIT;
    feed.high = 2;
    feed.low = 1;
    feed.name = name;
    feed.keyspace = keyspace;
    SL_REQUIRE(sl_feed_id_set(&b->feed, &feed));
    struct sl_maintainer_opts opts = { .mem = &b->mem,
                                       .members = b->members,
                                       .pacer = &b->pacer,
                                       .id = &b->feed,
                                       .config = sl_secret_of(
                                           (struct sl_bytes){ (const uint8_t *)feed_record, sizeof feed_record - 1 }),
                                       .config_bytes_max = 1u << 20,
                                       .checkpoint = 10,
                                       .epoch = 7,
                                       .seed = 1,
                                       .limits = SL_MAINTAINER_LIMITS_DEFAULT };
    SL_REQUIRE(sl_maintainer_new(&b->m, &opts, b->now) == SL_OK);
    sl_maintainer_start(b->m, b->now, &b->out);
    heartbeat_take_spans(b);
}

static void heartbeat_deinit(struct heartbeat_bench *b)
{
    sl_maintainer_free(b->m);
    sl_outbox_deinit(&b->out);
    sl_members_free(b->members);
    sl_mem_deinit(&b->mem);
}

/* Nanoseconds of one heartbeat with so many changed statuses of the first spans, the tick that follows it included. */
static double heartbeat_cost_ns(struct heartbeat_bench *b, uint32_t status_count, uint32_t span_count)
{
    static Pb__TableSpanStatus statuses[HEARTBEAT_STATUSES_MAX];
    static Pb__TableSpanStatus *refs[HEARTBEAT_STATUSES_MAX];
    static Pb__DispatcherID ids[HEARTBEAT_STATUSES_MAX];
    Pb__ChangefeedID feed = sl_feed_id_pb(&b->feed);
    Pb__HeartBeatRequest hb = PB__HEART_BEAT_REQUEST__INIT;
    Pb__Watermark watermark = PB__WATERMARK__INIT;
    struct sl_prng prng;
    sl_prng_init(&prng, 3);
    hb.changefeed = &feed;
    hb.watermark = &watermark;
    hb.statuses = refs;
    hb.n_statuses = status_count;
    uint32_t rounds = HEARTBEAT_STATUSES_IN_ALL / sl_u32_max(status_count, 16);
    sl_ns started = sl_sim_cpu_now();
    for (uint32_t round = 0; round < rounds; round++) {
        b->position++;
        for (uint32_t i = 0; i < status_count; i++) {
            ids[i] = sl_dispatcher_id_pb((struct sl_dispatcher_id){ 1, 1 + sl_prng_below(&prng, span_count) });
            pb__table_span_status__init(&statuses[i]);
            statuses[i].id = &ids[i];
            statuses[i].checkpoint_ts = b->position;
            refs[i] = &statuses[i];
        }
        watermark.seq = b->position;
        watermark.checkpoint_ts = watermark.resolved_ts = b->position;
        b->now += 10 * SL_MS;
        sl_outbox_reset(&b->out);
        (void)sl_maintainer_on_message(b->m, b->now, b->self, SL_MSG_HEART_BEAT_REQUEST, &hb.base, &b->out);
        sl_maintainer_on_tick(b->m, b->now, &b->out);
    }
    return (double)(sl_sim_cpu_now() - started) / rounds;
}

static void heartbeat_report(struct heartbeat_bench *b, uint32_t status_count, bool is_hot)
{
    char name[64];
    (void)snprintf(name, sizeof name, "heartbeat_%" PRIu32 "%s_at_%" PRIu32 "_spans_ns", status_count,
                   is_hot ? "_hot" : "", b->span_count);
    double cost = heartbeat_cost_ns(b, status_count, is_hot ? HEARTBEAT_HOT_SPANS : b->span_count);
    report(name, cost, "ns",
           is_hot ? "of the same 1000 spans: must not grow with the spans of the feed"
                  : "anywhere in the feed: may grow by cache misses alone");
}

static void bench_heartbeats(void)
{
    static const uint32_t sizes[] = { 1000, 10000, 100000, 1000000 };
    static const uint32_t status_counts[] = { 1, 64, HEARTBEAT_STATUSES_MAX };
    struct heartbeat_bench b;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct sl_maintainer_stats stats;
        heartbeat_init(&b, sizes[i]);
        for (size_t k = 0; k < sizeof status_counts / sizeof status_counts[0]; k++)
            heartbeat_report(&b, status_counts[k], false);
        heartbeat_report(&b, 64, true);
        sl_maintainer_stats(b.m, &stats);
        if (i + 1 == sizeof sizes / sizeof sizes[0])
            report("span_bytes_each", (double)stats.span_bytes / sizes[i], "B",
                   "maintainer side, every index counted; goal <= 256");
        heartbeat_deinit(&b);
    }
}

int main(int argc, char **argv)
{
    as_json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !as_json) {
        fprintf(stderr, "usage: bench_core [--json]\n");
        return 2;
    }
    bench_million();
    bench_heartbeats();
    bench_pacing();
    bench_swarm_speed();
    if (as_json)
        printf("}\n");
    return 0;
}
