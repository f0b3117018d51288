/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drains of whole simulated clusters: membership, election, coordinator and metadata store included, 1 ms links. What an
 * operator waits for, from the request to "safe to stop" durable in the store, and what it costs. One table, or with
 * --json one object.
 */
#include "sim/plan.h"
#include "sim/scenario.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define STEP_NS (1 * SL_MS)
#define WITHIN_NS (600 * SL_S)

static bool as_json;
static bool is_first = true;

static void report(const char *name, double value, const char *unit, const char *goal)
{
    if (as_json)
        printf("%s\"%s\":%.6g", is_first ? "{" : ",", name, value);
    else
        printf("%-36s %14.6g %-12s %s\n", name, value, unit, goal);
    is_first = false;
    fflush(stdout);
}

static double seconds(sl_ns ns)
{
    return (double)ns / (double)SL_S;
}

static double resident_bytes_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss * 1024 : 0;
}

/* ---- a cluster ---- */

struct cluster {
    struct sl_sim sim;
    uint32_t feed_count, tables_each;
    sl_ns cpu_at_start;
};

/* The feeds stand in the store before any node has read it: as if another coordinator had made them. */
static void cluster_put_feed(struct cluster *c, uint32_t number)
{
    char name[32], config[4096];
    struct sl_key key;
    struct sl_store_result result;
    (void)snprintf(name, sizeof name, "feed%" PRIu32, number);
    uint32_t feed = sl_sim_create_feed(&c->sim, sl_str_of(name), c->tables_each);
    size_t len = sl_sim_catalog_config(&c->sim.catalog, feed, 0, config, sizeof config);
    SL_REQUIRE(sl_key_feed_info(&key, SL_STR(SL_SIM_CLUSTER_ID), SL_STR("default"), sl_str_of(name)));
    const struct sl_store_action put = { .kind = SL_ACTION_PUT,
                                         .key = sl_key_str(&key),
                                         .value = { (const uint8_t *)config, len } };
    const struct sl_store_op op = { .id = 1, .verb = SL_STORE_TXN, .then = &put, .then_count = 1 };
    sl_store_sim_perform(c->sim.cluster->store, c->sim.engine.now, &op, &result);
    SL_REQUIRE(result.outcome == SL_STORE_OK);
}

static uint32_t cluster_dispatchers(const struct cluster *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->sim.host_count; i++)
        count += sl_sim_plane_dispatcher_count(&c->sim.hosts[i].plane);
    return count;
}

static bool cluster_step(struct cluster *c, sl_ns ns)
{
    bool is_good = sl_sim_run_until(&c->sim, c->sim.engine.now + ns);
    if (!is_good)
        fprintf(stderr, "bench_drain: violation of %s: %s\n", c->sim.engine.violation.oracle,
                c->sim.engine.violation.text);
    return is_good;
}

/* Every table and every feed's DDL stream has its dispatcher. */
static bool cluster_start(struct cluster *c, uint32_t hosts, uint32_t feeds, uint32_t tables_each, bool is_reference)
{
    struct sl_sim_opts opts;
    sl_sim_opts_default(&opts);
    opts.host_count = hosts;
    opts.balances = false;
    opts.reference_pacing = is_reference;
    c->feed_count = feeds;
    c->tables_each = tables_each;
    c->cpu_at_start = sl_sim_cpu_now();
    sl_sim_init(&c->sim, &opts);
    for (uint32_t i = 0; i < feeds; i++)
        cluster_put_feed(c, i + 1);
    while (cluster_dispatchers(c) < feeds * (tables_each + 1)) {
        if (!cluster_step(c, 100 * SL_MS))
            return false;
        if (c->sim.engine.now > WITHIN_NS) {
            fprintf(stderr, "bench_drain: only %" PRIu32 " dispatchers run\n", cluster_dispatchers(c));
            return false;
        }
    }
    return cluster_step(c, 2 * SL_S);
}

static uint32_t cluster_wish_drain(struct cluster *c, uint32_t host)
{
    struct sl_sim_wish w = { .kind = SL_SIM_WISH_DRAIN, .target = c->sim.hosts[host].id, .kept_ns = SL_NEVER };
    return sl_sim_client_wish(&c->sim, &w);
}

static bool cluster_is_safe(struct cluster *c, uint32_t host)
{
    enum sl_drain_phase phase;
    return sl_sim_judge_phase(&c->sim, &c->sim.hosts[host].id, &phase) && phase == SL_DRAIN_SAFE;
}

/* The first count hosts that do not lead. */
static void cluster_choose(const struct cluster *c, uint32_t *hosts, uint32_t count)
{
    uint32_t leader = sl_sim_cluster_leader(&c->sim), found = 0;
    for (uint32_t i = 0; found < count; i++) {
        if (i != leader)
            hosts[found++] = i;
    }
}

struct cost {
    sl_ns virtual_ns, cpu_ns;
    uint64_t messages, events, moves;
};

/* Looks at the store only when it changed. kills: the coordinator, when half of the first host's dispatchers are gone. */
static bool cluster_drain(struct cluster *c, const uint32_t *hosts, uint32_t count, bool kills, struct cost *cost)
{
    sl_ns at = c->sim.engine.now, cpu = sl_sim_cpu_now();
    uint64_t messages = c->sim.net.sent_count, events = c->sim.engine.event_count, moves = c->sim.stats.moves_done;
    uint32_t half = sl_sim_plane_dispatcher_count(&c->sim.hosts[hosts[0]].plane) / 2, safe = 0;
    sl_revision seen = 0;
    for (uint32_t i = 0; i < count; i++)
        (void)cluster_wish_drain(c, hosts[i]);
    while (safe < count) {
        if (!cluster_step(c, STEP_NS) || c->sim.engine.now > at + WITHIN_NS)
            return false;
        if (kills && sl_sim_plane_dispatcher_count(&c->sim.hosts[hosts[0]].plane) <= half) {
            struct sl_sim_fault kill = { .action = SL_SIM_ACTION_KILL_COORDINATOR };
            sl_sim_faults_do(&c->sim, &kill);
            kills = false;
        }
        if (c->sim.cluster->judge.revision == seen)
            continue;
        seen = c->sim.cluster->judge.revision;
        for (safe = 0; safe < count && cluster_is_safe(c, hosts[safe]);)
            safe++;
    }
    *cost = (struct cost){ .virtual_ns = c->sim.engine.now - at,
                           .cpu_ns = sl_sim_cpu_now() - cpu,
                           .messages = c->sim.net.sent_count - messages,
                           .events = c->sim.engine.event_count - events,
                           .moves = c->sim.stats.moves_done - moves };
    return true;
}

static struct cluster cluster;

/* ---- three nodes ---- */

static bool small(uint32_t hosts, bool is_reference, bool kills, struct cost *cost)
{
    uint32_t target;
    bool is_good = cluster_start(&cluster, hosts, 1, 10000, is_reference);
    if (is_good) {
        cluster_choose(&cluster, &target, 1);
        is_good = cluster_drain(&cluster, &target, 1, kills, cost);
    }
    sl_sim_deinit(&cluster.sim);
    return is_good;
}

static void bench_three(void)
{
    struct cost ours, reference;
    if (!small(3, false, false, &ours) || !small(3, true, false, &reference)) {
        fprintf(stderr, "bench_drain: three nodes: no end\n");
        return;
    }
    report("three_nodes_safe_s", seconds(ours.virtual_ns), "s simulated", "goal < 2: 10,000 dispatchers of one feed");
    report("three_nodes_reference_s", seconds(reference.virtual_ns), "s simulated",
           "the reference's pacing, same model");
    report("three_nodes_ratio", seconds(reference.virtual_ns) / seconds(ours.virtual_ns), "x", "");
    report("three_nodes_cpu_s", seconds(ours.cpu_ns), "s", "");
}

static void bench_failover(void)
{
    struct cost calm, killed;
    if (!small(4, false, false, &calm) || !small(4, false, true, &killed)) {
        fprintf(stderr, "bench_drain: failover: no end\n");
        return;
    }
    report("failover_calm_s", seconds(calm.virtual_ns), "s simulated", "four nodes");
    report("failover_killed_s", seconds(killed.virtual_ns), "s simulated", "the coordinator dies half way");
    report("failover_extra_s", seconds(killed.virtual_ns - calm.virtual_ns), "s simulated",
           "goal < 13: 3 and the lease");
}

/* ---- a hundred nodes ---- */

enum { LARGE_HOSTS = 100, LARGE_FEEDS = 1000, LARGE_TABLES = 1000, LARGE_DRAINS = 10 };

static void report_cost(const char *name, const struct cost *cost, const char *goal)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s_cpu_s", name);
    report(text, seconds(cost->cpu_ns), "s", goal);
    (void)snprintf(text, sizeof text, "%s_safe_s", name);
    report(text, seconds(cost->virtual_ns), "s simulated", "");
    (void)snprintf(text, sizeof text, "%s_messages", name);
    report(text, (double)cost->messages, "", "whole cluster, meanwhile");
    (void)snprintf(text, sizeof text, "%s_moves", name);
    report(text, (double)cost->moves, "", "");
}

static void bench_hundred(void)
{
    struct cost one, ten;
    uint32_t hosts[LARGE_DRAINS + 1];
    bool is_good = cluster_start(&cluster, LARGE_HOSTS, LARGE_FEEDS, LARGE_TABLES, false);
    if (is_good) {
        report("hundred_nodes_start_cpu_s", seconds(sl_sim_cpu_now() - cluster.cpu_at_start), "s",
               "1,000 feeds, 1,000,000 dispatchers placed");
        sl_ns idle = sl_sim_cpu_now();
        is_good = cluster_step(&cluster, SL_S);
        report("hundred_nodes_idle_cpu_s", seconds(sl_sim_cpu_now() - idle), "s",
               "one simulated second of 100 idle nodes");
        cluster_choose(&cluster, hosts, LARGE_DRAINS + 1);
        is_good = is_good && cluster_drain(&cluster, hosts, 1, false, &one);
    }
    if (is_good) {
        report_cost("hundred_nodes_one", &one, "goal < 10; the idle cost of that time included");
        is_good = cluster_drain(&cluster, hosts + 1, LARGE_DRAINS, false, &ten);
    }
    if (is_good) {
        report_cost("hundred_nodes_ten", &ten, "ten at once");
        report("hundred_nodes_rss_peak_mib", resident_bytes_peak() / (1 << 20), "MiB",
               "the simulator's models included");
        report("hundred_nodes_events_per_cpu_s", (double)(one.events + ten.events) / seconds(one.cpu_ns + ten.cpu_ns),
               "/s", "during the drains");
    } else {
        fprintf(stderr, "bench_drain: a hundred nodes: no end\n");
    }
    sl_sim_deinit(&cluster.sim);
}

/* ---- the simulator ---- */

static void bench_speed(void)
{
    double events = 0, cpu = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sl_sim_request request = { .scenario = "cluster-swarm", .seed = seed };
        struct sl_sim_result r;
        if (!sl_sim_scenario_run(&request, &r) || r.has_failed)
            fprintf(stderr, "bench_drain: cluster-swarm seed %" PRIu64 " failed: %s\n", seed, r.text);
        events += (double)r.event_count;
        cpu += seconds(r.cpu_ns);
    }
    report("cluster_swarm_events_per_cpu_s", events / cpu, "/s", "whole clusters under random faults, all oracles");
}

int main(int argc, char **argv)
{
    bool only_small = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            as_json = true;
        } else if (strcmp(argv[i], "--small") == 0) {
            only_small = true;
        } else {
            fprintf(stderr, "usage: %s [--json] [--small]\n", argv[0]);
            return 2;
        }
    }
    bench_three();
    bench_failover();
    bench_speed();
    if (!only_small)
        bench_hundred();
    if (as_json)
        printf("}\n");
    return 0;
}
