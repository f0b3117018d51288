/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "tests/support/membership_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Random histories of three to five nodes over a store that fails in every way it may, judged by the oracles of the
 * fixture after every step. Then the faults stop, and everything has to come right.
 */
enum { STEPS = 300, HEAL_S = 60 };

struct tally {
    uint64_t elections, fenced, joins, lost, compacted, broken, unknown;
};

static struct sl_store_sim_opts faulty(uint64_t seed, struct sl_prng *p)
{
    struct sl_store_sim_opts o = SL_STORE_SIM_OPTS_DEFAULT;
    o.seed = seed;
    o.jitter_ns = sl_prng_between(p, 1, 50) * SL_MS;
    o.slow_ppm = (uint32_t)sl_prng_below(p, 50000);
    o.slow_ns = sl_prng_between(p, 100, 6000) * SL_MS;
    o.timeout_ns = sl_prng_between(p, 500, 8000) * SL_MS;
    o.refuse_ppm = (uint32_t)sl_prng_below(p, 150000);
    o.lose_request_ppm = (uint32_t)sl_prng_below(p, 150000);
    o.lose_answer_ppm = (uint32_t)sl_prng_below(p, 150000);
    o.outage_ppm = (uint32_t)sl_prng_below(p, 10000);
    o.break_watch_ppm = (uint32_t)sl_prng_below(p, 100000);
    o.compact_ppm = (uint32_t)sl_prng_below(p, 200000);
    o.new_leader_ppm = (uint32_t)sl_prng_below(p, 20000);
    return o;
}

static void heal(struct sl_mc *c)
{
    struct sl_store_sim_opts *o = sl_store_sim_opts(c->sim);
    o->slow_ppm = o->refuse_ppm = o->lose_request_ppm = o->lose_answer_ppm = 0;
    o->outage_ppm = o->break_watch_ppm = o->compact_ppm = o->new_leader_ppm = 0;
}

/* A new process: with a new id, or sometimes with the last one. */
static void start(struct sl_mc *c, struct sl_prng *p, uint32_t i)
{
    struct sl_membership_opts opts = sl_mc_opts(c, i);
    if (c->hosts[i].life > 0 && sl_prng_chance(p, 1, 3))
        opts.self.id = c->hosts[i].opts.self.id;
    sl_mc_start_with(c, i, &opts);
}

static void disturb(struct sl_mc *c, struct sl_prng *p, uint32_t hosts)
{
    uint32_t i = (uint32_t)sl_prng_below(p, hosts);
    struct sl_mc_host *h = &c->hosts[i];
    uint64_t what = sl_prng_below(p, 100);
    if (!h->m) {
        if (what < 40)
            start(c, p, i);
    } else if (h->paused) {
        if (what < 40)
            sl_mc_resume(c, i);
    } else if (sl_mc_view(c, i).fenced || sl_mc_view(c, i).left || what < 4) {
        sl_mc_crash(c, i);
    } else if (what < 12) {
        sl_mc_pause(c, i);
    } else if (what < 15) {
        sl_mc_leave(c, i);
    } else if (what < 22) {
        sl_mc_resign(c, i);
    } else if (what < 32) {
        sl_mc_set_alive(c, i, what < 27);
    } else if (what < 36) {
        sl_store_sim_outage(c->sim, what < 35 ? i : SL_STORE_SIM_ALL, c->now + sl_prng_between(p, 100, 15000) * SL_MS);
    }
}

static void run_history(uint64_t seed, struct tally *tally)
{
    struct sl_mc c;
    struct sl_prng p;
    sl_prng_init(&p, seed);
    uint32_t hosts = (uint32_t)sl_prng_between(&p, 3, 5);
    sl_mc_init(&c, faulty(seed, &p));
    for (uint32_t step = 0; step < STEPS; step++) {
        disturb(&c, &p, hosts);
        sl_mc_run(&c, (sl_ns)sl_prng_below(&p, 2000) * SL_MS);
    }
    for (uint32_t i = 0; i < hosts; i++)
        tally->fenced += sl_mc_said(&c, i, SL_EV_SESSION_FENCED);
    heal(&c);
    for (uint32_t i = 0; i < hosts; i++) {
        sl_mc_resume(&c, i);
        if (c.hosts[i].m && (sl_mc_view(&c, i).fenced || c.hosts[i].leaving))
            sl_mc_crash(&c, i);
        if (!c.hosts[i].m)
            start(&c, &p, i);
        sl_mc_set_alive(&c, i, true);
    }
    sl_mc_run(&c, HEAL_S * SL_S);
    for (uint32_t i = 0; i < hosts; i++) { /* who slept through the healing fenced itself */
        if (!sl_mc_view(&c, i).fenced)
            continue;
        sl_mc_crash(&c, i);
        start(&c, &p, i);
    }
    sl_mc_run(&c, HEAL_S * SL_S);
    sl_mc_assert_converged(&c);
    const struct sl_store_sim_counts *counts = sl_store_sim_counts(c.sim);
    tally->elections += c.elections;
    tally->compacted += counts->compacted_watches;
    tally->broken += counts->broken_watches;
    tally->unknown += counts->lost_answers + counts->lost_requests;
    sl_mc_deinit(&c);
}

static void random_histories_keep_one_leader_and_heal(void **state)
{
    (void)state;
    struct tally tally = { 0 };
    const char *from = getenv("SL_SEED"), *count = getenv("SL_SEEDS");
    uint64_t first = from ? strtoull(from, NULL, 10) : 1;
    uint64_t seeds = count ? strtoull(count, NULL, 10) : 60;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_history(seed, &tally);
    }
    print_message("%llu elections, %llu fences, %llu compacted and %llu broken watches, %llu unknown outcomes\n",
                  (unsigned long long)tally.elections, (unsigned long long)tally.fenced,
                  (unsigned long long)tally.compacted, (unsigned long long)tally.broken,
                  (unsigned long long)tally.unknown);
    /* Histories in which nothing happens prove nothing. */
    assert_true(tally.elections > seeds * 5 && tally.fenced > 0 && tally.broken > 0 && tally.unknown > seeds);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_keep_one_leader_and_heal),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
