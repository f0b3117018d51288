/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "sim/store_sim.h"
#include "tests/support/store_suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HOSTS = 16 };

struct fixture {
    struct sl_mem mem;
    struct sl_store_sim *sim;
    sl_ns now;
    sl_op_id id_next;
};

static void setup(struct fixture *f, struct sl_store_sim_opts opts)
{
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    *f = (struct fixture){ .now = SL_S };
    sl_mem_init(&f->mem, &mem);
    opts.mem = &f->mem;
    opts.host_count_max = HOSTS;
    f->sim = sl_store_sim_new(&opts);
}

static void teardown(struct fixture *f)
{
    sl_store_model_check(sl_store_sim_model(f->sim));
    sl_store_sim_free(f->sim);
    sl_mem_deinit(&f->mem);
}

/* ---- the suite, each connection a host ---- */

struct sim_conn {
    struct sl_store store;
    struct suite *suite;
    uint32_t host;
    bool open;
};

struct suite {
    struct fixture f;
    struct sim_conn conns[HOSTS];
    uint32_t host_next;
};

static bool conn_submit(struct sl_store *store, const struct sl_store_op *op)
{
    struct sim_conn *c = (struct sim_conn *)(void *)store;
    sl_store_sim_submit(c->suite->f.sim, c->suite->f.now, c->host, 1, op);
    return true;
}

static void conn_close(struct sl_store *store, void (*on_closed)(void *ctx), void *ctx)
{
    struct sim_conn *c = (struct sim_conn *)(void *)store;
    sl_store_sim_drop(c->suite->f.sim, c->host, 1);
    c->open = false;
    if (on_closed)
        on_closed(ctx);
}

static const struct sl_store_backend conn_backend = { "sim", conn_submit, conn_close };

static struct sl_store *suite_open(void *ctx, const struct sl_store_client *client)
{
    struct suite *s = ctx;
    assert_true(s->host_next < HOSTS);
    struct sim_conn *c = &s->conns[s->host_next];
    *c = (struct sim_conn){ { &conn_backend, *client }, s, s->host_next++, true };
    return &c->store;
}

static void suite_close(void *ctx, struct sl_store *store)
{
    (void)ctx;
    sl_store_close(store, NULL, NULL);
}

static void suite_wait(void *ctx, sl_ns at_most)
{
    struct suite *s = ctx;
    struct sl_store_sim_due due;
    s->f.now += at_most;
    while (sl_store_sim_take_due(s->f.sim, s->f.now, &due)) {
        struct sim_conn *c = &s->conns[due.host];
        assert_true(c->open);
        if (due.is_batch)
            c->store.client.on_watch(c->store.client.ctx, &due.batch);
        else
            c->store.client.on_result(c->store.client.ctx, &due.result);
    }
}

static void suite_compact(void *ctx, sl_revision revision)
{
    struct suite *s = ctx;
    sl_store_model_compact(sl_store_sim_model(s->f.sim), revision);
}

static void a_healthy_store_passes_the_suite(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*run)(const struct sl_store_harness *h);
    } facts[] = {
#define FACT_ROW(name) { #name, sl_store_fact_##name },
        SL_STORE_FACTS(FACT_ROW)
#undef FACT_ROW
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        struct suite s = { 0 };
        setup(&s.f, SL_STORE_SIM_OPTS_DEFAULT);
        const struct sl_store_harness h = { .ctx = &s,
                                            .open = suite_open,
                                            .close = suite_close,
                                            .wait = suite_wait,
                                            .compact = suite_compact,
                                            .prefix = "/",
                                            .ttl_ns = 10 * SL_S,
                                            .late_ns = 100 * SL_MS };
        print_message("%s\n", facts[i].name);
        facts[i].run(&h);
        teardown(&s.f);
    }
}

/* ---- faults ---- */

static struct sl_store_sim_opts all_faults(uint64_t seed)
{
    struct sl_store_sim_opts opts = SL_STORE_SIM_OPTS_DEFAULT;
    opts.seed = seed;
    opts.slow_ppm = 20000;
    opts.refuse_ppm = 50000;
    opts.lose_request_ppm = 50000;
    opts.lose_answer_ppm = 50000;
    opts.outage_ppm = 5000;
    opts.break_watch_ppm = 50000;
    opts.compact_ppm = 50000;
    opts.new_leader_ppm = 10000;
    return opts;
}

static sl_op_id submit(struct fixture *f, uint32_t host, struct sl_store_op op)
{
    op.id = ++f->id_next;
    sl_store_sim_submit(f->sim, f->now, host, 1, &op);
    return op.id;
}

static sl_op_id submit_put(struct fixture *f, uint32_t host, const char *key)
{
    struct sl_store_action action = { .kind = SL_ACTION_PUT, .key = sl_str_of(key) };
    return submit(f, host, (struct sl_store_op){ .verb = SL_STORE_TXN, .then = &action, .then_count = 1 });
}

static void key_text(char out[32], uint64_t number)
{
    snprintf(out, 32, "/k/%06" PRIu64, number);
}

static bool is_performed(const struct fixture *f, uint64_t number)
{
    char key[32];
    struct sl_store_pair pair;
    key_text(key, number);
    return sl_store_model_get(sl_store_sim_model(f->sim), sl_str_of(key), &pair);
}

/* Each operation puts a key of its own, so what happened to it can be seen. */
static void every_operation_is_answered_once_and_not_lied_about(void **state)
{
    (void)state;
    enum { OPS = 4000 };
    static enum sl_store_outcome outcomes[OPS + 1];
    static bool answered[OPS + 1];
    struct fixture f;
    struct sl_store_sim_due due;
    uint64_t unknown_done = 0, unknown_not_done = 0;
    memset(answered, 0, sizeof answered);
    setup(&f, all_faults(7));
    while (f.id_next < OPS || sl_store_sim_next_due(f.sim) != SL_NEVER) {
        char key[32];
        key_text(key, f.id_next + 1);
        if (f.id_next < OPS)
            submit_put(&f, (uint32_t)(f.id_next % HOSTS), key);
        f.now += 3 * SL_MS;
        while (sl_store_sim_take_due(f.sim, f.now, &due)) {
            assert_false(due.is_batch);
            assert_false(answered[due.result.id]);
            sl_assert_u64(due.host, (due.result.id - 1) % HOSTS);
            answered[due.result.id] = true;
            outcomes[due.result.id] = due.result.outcome;
        }
    }
    for (uint64_t i = 1; i <= OPS; i++) {
        assert_true(answered[i]);
        if (outcomes[i] == SL_STORE_UNKNOWN)
            *(is_performed(&f, i) ? &unknown_done : &unknown_not_done) += 1;
        else
            sl_assert_i64(is_performed(&f, i), outcomes[i] == SL_STORE_OK);
    }
    const struct sl_store_sim_counts *c = sl_store_sim_counts(f.sim);
    assert_true(unknown_done > 0 && unknown_not_done > 0);
    assert_true(c->refused > 0 && c->lost_requests > 0 && c->lost_answers > 0 && c->slow > 0 && c->outages > 0);
    assert_true(c->cut_by_outage > 0 && c->compactions > 0 && c->new_leaders > 0);
    sl_assert_u64(c->submitted, OPS);
    teardown(&f);
}

static uint64_t digest_of_run(struct sl_store_sim_opts opts)
{
    struct fixture f;
    struct sl_store_sim_due due;
    uint64_t digest = 0;
    setup(&f, opts);
    submit(&f, 0, (struct sl_store_op){ .verb = SL_STORE_WATCH, .key = SL_STR("/k/") });
    for (int i = 0; i < 2000; i++) {
        char key[32];
        key_text(key, (uint64_t)i % 50);
        submit_put(&f, (uint32_t)i % HOSTS, key);
        f.now += 2 * SL_MS;
        while (sl_store_sim_take_due(f.sim, f.now, &due)) {
            digest = sl_hash_u64x2(digest, due.host, due.is_batch ? due.batch.watch : due.result.id);
            digest = sl_hash_u64x2(digest, (uint64_t)f.now,
                                   due.is_batch ? due.batch.event_count : (uint64_t)due.result.outcome);
        }
    }
    teardown(&f);
    return digest;
}

static void the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    sl_assert_u64(digest_of_run(all_faults(3)), digest_of_run(all_faults(3)));
    assert_true(digest_of_run(all_faults(3)) != digest_of_run(all_faults(4)));
}

static void a_fault_switched_off_shifts_nothing_else(void **state)
{
    (void)state;
    enum { OPS = 1000 };
    static sl_ns times[2][OPS + 1];
    static enum sl_store_outcome outcomes[2][OPS + 1];
    for (int run = 0; run < 2; run++) {
        struct fixture f;
        struct sl_store_sim_due due;
        struct sl_store_sim_opts opts = SL_STORE_SIM_OPTS_DEFAULT;
        opts.refuse_ppm = run == 0 ? 100000 : 0;
        opts.lose_answer_ppm = 100000;
        setup(&f, opts);
        for (int i = 0; i < OPS; i++) {
            char key[32];
            key_text(key, (uint64_t)i);
            submit_put(&f, 0, key);
        }
        for (; sl_store_sim_next_due(f.sim) != SL_NEVER; f.now = sl_store_sim_next_due(f.sim)) {
            while (sl_store_sim_take_due(f.sim, f.now, &due)) {
                times[run][due.result.id] = f.now;
                outcomes[run][due.result.id] = due.result.outcome;
            }
        }
        teardown(&f);
    }
    uint32_t refused = 0;
    for (int i = 1; i <= OPS; i++) {
        if (outcomes[0][i] == SL_STORE_REFUSED) {
            refused++;
            continue;
        }
        sl_assert_i64(times[0][i], times[1][i]);
        sl_assert_i64(outcomes[0][i], outcomes[1][i]);
    }
    assert_in_range(refused, 50, 200);
}

static void an_outage_cuts_one_host_off_and_ends(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_store_sim_due due;
    setup(&f, SL_STORE_SIM_OPTS_DEFAULT);
    sl_store_sim_outage(f.sim, 1, f.now + SL_S);
    for (int i = 0; i < 20; i++) {
        submit_put(&f, 0, "/a");
        submit_put(&f, 1, "/b");
    }
    f.now += 900 * SL_MS;
    while (sl_store_sim_take_due(f.sim, f.now, &due))
        sl_assert_i64(due.result.outcome, due.host == 0 ? SL_STORE_OK : SL_STORE_REFUSED);
    f.now += 10 * SL_S;
    int unknown = 0;
    for (; sl_store_sim_take_due(f.sim, f.now, &due); unknown++)
        sl_assert_i64(due.result.outcome, SL_STORE_UNKNOWN);
    assert_true(unknown > 0);
    sl_op_id id = submit_put(&f, 1, "/b");
    f.now += SL_S;
    assert_true(sl_store_sim_take_due(f.sim, f.now, &due));
    sl_assert_u64(due.result.id, id);
    sl_assert_i64(due.result.outcome, SL_STORE_OK);
    teardown(&f);
}

static void a_dropped_process_hears_nothing_but_its_requests_may_arrive(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_store_sim_due due;
    struct sl_store_pair pair;
    setup(&f, SL_STORE_SIM_OPTS_DEFAULT);
    submit(&f, 0, (struct sl_store_op){ .verb = SL_STORE_WATCH, .key = SL_STR("/") });
    submit_put(&f, 0, "/a");
    sl_store_sim_drop(f.sim, 0, 1);
    submit_put(&f, 1, "/b");
    f.now += SL_S;
    assert_true(sl_store_sim_take_due(f.sim, f.now, &due));
    sl_assert_u64(due.host, 1);
    assert_false(sl_store_sim_take_due(f.sim, f.now, &due));
    assert_true(sl_store_model_get(sl_store_sim_model(f.sim), SL_STR("/a"), &pair));
    teardown(&f);
}

/* ---- a reader that follows the rules never misses a change, whatever breaks ---- */

enum { MIRROR_KEYS = 20 };

struct mirror {
    sl_revision mod[MIRROR_KEYS]; /* 0 = not there */
    sl_revision revision;         /* complete up to it */
    sl_op_id range, watch;        /* in flight or standing; 0 = none */
    bool stale;                   /* must read again */
};

static uint64_t mirror_index(struct sl_str key)
{
    return (uint64_t)(key.ptr[key.len - 2] - '0') * 10 + (uint64_t)(key.ptr[key.len - 1] - '0');
}

static void mirror_on_result(struct mirror *m, const struct sl_store_result *r)
{
    if (r->id == m->range) {
        m->range = 0;
        if (r->outcome != SL_STORE_OK)
            return;
        assert_true(r->revision >= m->revision);
        memset(m->mod, 0, sizeof m->mod);
        for (uint32_t i = 0; i < r->pair_count; i++)
            m->mod[mirror_index(r->pairs[i].key)] = r->pairs[i].mod_revision;
        m->revision = r->revision;
        m->stale = false;
    } else if (r->id == m->watch && r->outcome != SL_STORE_OK) {
        m->watch = 0;
        m->stale = m->stale || r->outcome == SL_STORE_COMPACTED;
    }
}

static void mirror_on_batch(struct mirror *m, const struct sl_store_watch_batch *b)
{
    sl_assert_u64(b->watch, m->watch);
    for (uint32_t i = 0; i < b->event_count; i++) {
        const struct sl_store_event *e = &b->events[i];
        assert_true(e->pair.mod_revision > m->revision && e->pair.mod_revision <= b->revision);
        m->mod[mirror_index(e->pair.key)] = e->deleted ? 0 : e->pair.mod_revision;
    }
    m->revision = b->ended ? m->revision : b->revision;
    m->watch = b->ended ? 0 : m->watch;
    m->stale = m->stale || (b->ended && b->why == SL_STORE_COMPACTED);
}

static void mirror_drive(struct mirror *m, struct fixture *f)
{
    if (m->range || m->watch)
        return;
    if (m->stale)
        m->range = submit(f, 0, (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = SL_STR("/k/") });
    else
        m->watch = submit(
            f, 0,
            (struct sl_store_op){ .verb = SL_STORE_WATCH, .key = SL_STR("/k/"), .from_revision = m->revision + 1 });
}

static void random_write(struct fixture *f, struct sl_prng *p)
{
    char key[32];
    key_text(key, sl_prng_below(p, MIRROR_KEYS));
    struct sl_store_action action = {
        sl_prng_chance(p, 1, 3) ? SL_ACTION_DELETE : SL_ACTION_PUT, sl_str_of(key), { 0 }, 0
    };
    submit(f, 1 + (uint32_t)sl_prng_below(p, 3),
           (struct sl_store_op){ .verb = SL_STORE_TXN, .then = &action, .then_count = 1 });
}

static void a_reader_that_follows_the_rules_misses_nothing(void **state)
{
    (void)state;
    uint64_t broken = 0, compacted = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct fixture f;
        struct sl_prng p;
        struct sl_store_sim_due due;
        struct mirror m = { .stale = true };
        sl_prng_init(&p, seed);
        setup(&f, all_faults(seed));
        for (int i = 0; i < 6000; i++) {
            if (i < 5000)
                random_write(&f, &p);
            mirror_drive(&m, &f);
            f.now += (sl_ns)sl_prng_below(&p, 20) * SL_MS;
            while (sl_store_sim_take_due(f.sim, f.now, &due)) {
                if (due.is_batch)
                    mirror_on_batch(&m, &due.batch);
                else if (due.host == 0)
                    mirror_on_result(&m, &due.result);
            }
        }
        for (uint64_t k = 0; k < MIRROR_KEYS; k++) {
            char key[32];
            struct sl_store_pair pair;
            key_text(key, k);
            (void)sl_store_model_get(sl_store_sim_model(f.sim), sl_str_of(key), &pair);
            sl_assert_i64(m.mod[k], pair.mod_revision);
        }
        broken += sl_store_sim_counts(f.sim)->broken_watches;
        compacted += sl_store_sim_counts(f.sim)->compacted_watches;
        teardown(&f);
    }
    assert_true(broken > 0 && compacted > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_store_passes_the_suite),
        cmocka_unit_test(every_operation_is_answered_once_and_not_lied_about),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
        cmocka_unit_test(a_fault_switched_off_shifts_nothing_else),
        cmocka_unit_test(an_outage_cuts_one_host_off_and_ends),
        cmocka_unit_test(a_dropped_process_hears_nothing_but_its_requests_may_arrive),
        cmocka_unit_test(a_reader_that_follows_the_rules_misses_nothing),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
