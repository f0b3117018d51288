/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "port/store_model.h"
#include "tests/support/store_suite.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct sl_mem mem;
    struct sl_store_model *model;
    sl_ns now;
    struct sl_store_model_client *clients[16];
};

static void setup_limits(struct fixture *f, uint32_t key_count_max, uint32_t history_count_max)
{
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    struct sl_store_model_opts model = SL_STORE_MODEL_OPTS_DEFAULT;
    *f = (struct fixture){ .now = SL_S };
    sl_mem_init(&f->mem, &opts);
    model.mem = &f->mem;
    model.key_count_max = key_count_max;
    model.history_count_max = history_count_max;
    sl_assert_i64(sl_store_model_new(&f->model, &model), SL_OK);
}

static void setup(struct fixture *f)
{
    setup_limits(f, 1000, 1000);
}

static void teardown(struct fixture *f)
{
    sl_store_model_check(f->model);
    sl_store_model_free(f->model);
    sl_mem_deinit(&f->mem);
}

/* ---- the suite ---- */

static struct sl_store *harness_open(void *ctx, const struct sl_store_client *client)
{
    struct fixture *f = ctx;
    for (size_t i = 0; i < sizeof f->clients / sizeof f->clients[0]; i++) {
        if (f->clients[i])
            continue;
        sl_assert_i64(sl_store_model_client_new(&f->clients[i], f->model, &f->mem, client), SL_OK);
        return sl_store_model_client_store(f->clients[i]);
    }
    fail_msg("too many connections");
    return NULL;
}

static void harness_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static void harness_close(void *ctx, struct sl_store *store)
{
    struct fixture *f = ctx;
    bool closed = false;
    sl_store_close(store, harness_closed, &closed);
    assert_false(closed);
    for (size_t i = 0; i < sizeof f->clients / sizeof f->clients[0]; i++) {
        if (!f->clients[i] || sl_store_model_client_store(f->clients[i]) != store)
            continue;
        sl_store_model_client_run(f->clients[i], f->now);
        sl_store_model_client_free(f->clients[i]);
        f->clients[i] = NULL;
    }
    assert_true(closed);
}

static void harness_wait(void *ctx, sl_ns at_most)
{
    struct fixture *f = ctx;
    f->now += at_most;
    for (size_t i = 0; i < sizeof f->clients / sizeof f->clients[0]; i++) {
        if (f->clients[i])
            sl_store_model_client_run(f->clients[i], f->now);
    }
    sl_store_model_check(f->model);
}

static void harness_compact(void *ctx, sl_revision revision)
{
    struct fixture *f = ctx;
    sl_store_model_compact(f->model, revision);
}

static void run_fact(void (*fact)(const struct sl_store_harness *h))
{
    struct fixture f;
    setup(&f);
    const struct sl_store_harness h = { .ctx = &f,
                                        .open = harness_open,
                                        .close = harness_close,
                                        .wait = harness_wait,
                                        .compact = harness_compact,
                                        .prefix = "/suite/",
                                        .ttl_ns = 10 * SL_S };
    fact(&h);
    teardown(&f);
}

#define FACT_DEFINE(name)               \
    static void name(void **state)      \
    {                                   \
        (void)state;                    \
        run_fact(sl_store_fact_##name); \
    }
SL_STORE_FACTS(FACT_DEFINE)
#undef FACT_DEFINE

/* ---- what only the model has ---- */

static struct sl_store_result perform(struct fixture *f, struct sl_store_op op)
{
    struct sl_store_result r;
    op.id = 1;
    sl_store_model_perform(f->model, f->now, &op, &r);
    return r;
}

static struct sl_store_result put(struct fixture *f, const char *key, const char *value, sl_lease_id lease)
{
    struct sl_bytes bytes = { (const uint8_t *)value, strlen(value) };
    struct sl_store_action action = { SL_ACTION_PUT, sl_str_of(key), bytes, lease };
    return perform(f, (struct sl_store_op){ .verb = SL_STORE_TXN, .then = &action, .then_count = 1 });
}

static void lease_ids_come_from_the_seed(void **state)
{
    (void)state;
    sl_lease_id ids[2][3];
    for (int run = 0; run < 2; run++) {
        struct fixture f;
        setup(&f);
        for (int i = 0; i < 3; i++)
            ids[run][i] = perform(&f, (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = SL_S }).lease;
        teardown(&f);
    }
    sl_assert_mem(ids[0], ids[1], sizeof ids[0]);
    assert_true(ids[0][0] != ids[0][1] && ids[0][0] <= INT64_MAX);
}

static void a_lease_ends_exactly_at_its_time(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    sl_lease_id lease = perform(&f, (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = SL_S }).lease;
    sl_assert_i64(sl_store_model_deadline(f.model), f.now + SL_S);
    sl_store_model_advance(f.model, f.now + SL_S - 1);
    assert_true(sl_store_model_has_lease(f.model, lease));
    sl_store_model_advance(f.model, f.now + SL_S);
    assert_false(sl_store_model_has_lease(f.model, lease));
    sl_assert_i64(sl_store_model_deadline(f.model), SL_NEVER);
    teardown(&f);
}

static void a_new_leader_of_the_store_gives_leases_their_whole_time(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    (void)perform(&f, (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = SL_S });
    sl_store_model_extend_leases(f.model, f.now + SL_S / 2);
    sl_assert_i64(sl_store_model_deadline(f.model), f.now + SL_S / 2 + SL_S);
    teardown(&f);
}

static void full_history_forgets_whole_revisions_from_the_oldest_on(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_store_watch_batch batch;
    setup_limits(&f, 100, 8);
    const struct sl_store_action two[] = { { .kind = SL_ACTION_PUT, .key = SL_STR("a") },
                                           { .kind = SL_ACTION_PUT, .key = SL_STR("b") } };
    for (int i = 0; i < 5; i++)
        (void)perform(&f, (struct sl_store_op){ .verb = SL_STORE_TXN, .then = two, .then_count = 2 });
    sl_assert_i64(sl_store_model_compacted(f.model), 2);
    assert_true(sl_store_model_changes(f.model, SL_STR("a"), 2, &batch));
    sl_assert_u64(batch.event_count, 4);
    sl_assert_i64(batch.events[0].pair.mod_revision, 2);
    assert_true(sl_store_model_changes(f.model, SL_STR("a"), 1, &batch));
    assert_true(batch.ended);
    sl_assert_i64(batch.compacted_revision, 2);
    teardown(&f);
}

static void a_revision_larger_than_history_is_not_kept_at_all(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_store_watch_batch batch;
    char keys[12][16];
    struct sl_store_action actions[12];
    setup_limits(&f, 100, 8);
    for (int i = 0; i < 12; i++) {
        snprintf(keys[i], sizeof keys[i], "k%02d", i);
        actions[i] = (struct sl_store_action){ .kind = SL_ACTION_PUT, .key = sl_str_of(keys[i]) };
    }
    sl_revision at =
        perform(&f, (struct sl_store_op){ .verb = SL_STORE_TXN, .then = actions, .then_count = 12 }).revision;
    sl_assert_i64(sl_store_model_compacted(f.model), at + 1);
    sl_store_model_check(f.model);
    (void)put(&f, "k", "1", 0);
    assert_true(sl_store_model_changes(f.model, SL_STR("k"), at + 1, &batch));
    sl_assert_u64(batch.event_count, 1);
    teardown(&f);
}

static void a_full_store_refuses_and_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup_limits(&f, 2, 8);
    (void)put(&f, "a", "1", 0);
    (void)put(&f, "b", "1", 0);
    sl_assert_i64(put(&f, "c", "1", 0).outcome, SL_STORE_REFUSED);
    sl_assert_i64(sl_store_model_revision(f.model), 2);
    sl_assert_u64(sl_store_model_key_count(f.model), 2);
    teardown(&f);
}

static void a_failed_allocation_at_any_call_changes_nothing(void **state)
{
    (void)state;
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct fixture f;
        setup(&f);
        f.mem.fail_at = f.mem.calls + n;
        failed = false;
        for (int i = 0; i < 40; i++) {
            char key[8];
            snprintf(key, sizeof key, "k%d", i % 17);
            sl_revision before = sl_store_model_revision(f.model);
            struct sl_store_result r = put(&f, key, "value", 0);
            if (r.outcome == SL_STORE_OK)
                continue;
            failed = true;
            sl_assert_i64(r.outcome, SL_STORE_REFUSED);
            sl_assert_i64(r.revision, before);
            sl_store_model_check(f.model);
            sl_assert_i64(put(&f, key, "value", 0).outcome, SL_STORE_OK);
        }
        struct sl_store_op all = { .verb = SL_STORE_RANGE };
        struct sl_store_result r = perform(&f, all);
        failed = failed || r.outcome != SL_STORE_OK;
        sl_assert_u64(perform(&f, all).pair_count, 17);
        struct sl_store_watch_batch batch;
        failed = !sl_store_model_changes(f.model, SL_STR("k"), 0, &batch) || failed;
        teardown(&f);
    }
}

/* ---- a naive model of the model: everything is kept for ever, everything is searched from the beginning ---- */

enum { NAIVE_KEYS = 6, NAIVE_LEASES = 64, NAIVE_EVENTS = 4096 };

struct naive_key {
    bool exists;
    char value;
    sl_revision create_revision, mod_revision;
    int lease; /* number, -1 = none */
};
struct naive_event {
    int key;
    struct naive_key after;
    sl_revision revision;
};
struct naive {
    struct naive_key keys[NAIVE_KEYS];
    struct {
        sl_lease_id id;
        bool live;
        sl_ns ttl_ns, ends_at;
    } leases[NAIVE_LEASES];
    int lease_count;
    struct naive_event events[NAIVE_EVENTS];
    int event_count;
    sl_revision revision, compacted;
};

static void naive_record(struct naive *n, int key)
{
    assert_true(n->event_count < NAIVE_EVENTS);
    n->events[n->event_count++] = (struct naive_event){ key, n->keys[key], n->revision };
}

static void naive_end_lease(struct naive *n, int lease)
{
    bool any = false;
    n->leases[lease].live = false;
    for (int k = 0; k < NAIVE_KEYS; k++)
        any = any || (n->keys[k].exists && n->keys[k].lease == lease);
    n->revision += any ? 1 : 0;
    for (int k = 0; k < NAIVE_KEYS; k++) {
        if (!n->keys[k].exists || n->keys[k].lease != lease)
            continue;
        n->keys[k] = (struct naive_key){ 0 };
        naive_record(n, k);
    }
}

static void naive_advance(struct naive *n, sl_ns now)
{
    for (;;) {
        int first = -1;
        for (int i = 0; i < n->lease_count; i++) {
            if (n->leases[i].live && n->leases[i].ends_at <= now &&
                (first < 0 || n->leases[i].ends_at < n->leases[first].ends_at))
                first = i;
        }
        if (first < 0)
            return;
        naive_end_lease(n, first);
    }
}

static const char *const naive_names[NAIVE_KEYS] = { "/a", "/a/1", "/a/2", "/b", "/b/1", "/c" };

static void assert_key_agrees(const struct naive *n, int key, const struct sl_store_pair *pair)
{
    const struct naive_key *k = &n->keys[key];
    assert_true(k->exists);
    sl_assert_u64(pair->value.len, 1);
    sl_assert_i64(pair->value.ptr[0], k->value);
    sl_assert_i64(pair->create_revision, k->create_revision);
    sl_assert_i64(pair->mod_revision, k->mod_revision);
    sl_assert_u64(pair->lease, k->lease < 0 ? 0 : n->leases[k->lease].id);
}

static bool naive_matches(int key, const char *prefix)
{
    return strncmp(naive_names[key], prefix, strlen(prefix)) == 0;
}

static void check_range(struct fixture *f, const struct naive *n, const char *prefix)
{
    struct sl_store_result r = perform(f, (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = sl_str_of(prefix) });
    uint32_t at = 0;
    sl_assert_i64(r.revision, n->revision);
    for (int k = 0; k < NAIVE_KEYS; k++) {
        if (!n->keys[k].exists || !naive_matches(k, prefix))
            continue;
        assert_true(at < r.pair_count);
        assert_true(sl_str_eq(r.pairs[at].key, sl_str_of(naive_names[k])));
        assert_key_agrees(n, k, &r.pairs[at++]);
    }
    sl_assert_u64(r.pair_count, at);
}

static void check_changes(struct fixture *f, const struct naive *n, const char *prefix, sl_revision from)
{
    struct sl_store_watch_batch batch;
    uint32_t at = 0;
    assert_true(sl_store_model_changes(f->model, sl_str_of(prefix), from, &batch));
    sl_assert_i64(batch.ended, from < n->compacted);
    sl_assert_i64(batch.revision, n->revision);
    for (int i = 0; i < n->event_count && !batch.ended; i++) {
        const struct naive_event *e = &n->events[i];
        if (e->revision < from || !naive_matches(e->key, prefix))
            continue;
        assert_true(at < batch.event_count);
        const struct sl_store_event *mine = &batch.events[at++];
        assert_true(sl_str_eq(mine->pair.key, sl_str_of(naive_names[e->key])));
        sl_assert_i64(mine->deleted, !e->after.exists);
        sl_assert_i64(mine->pair.mod_revision, e->revision);
        sl_assert_i64(mine->pair.create_revision, e->after.create_revision);
    }
    sl_assert_u64(batch.event_count, at);
}

static bool naive_holds(const struct naive *n, enum sl_compare_kind kind, int key, sl_revision revision, char value)
{
    const struct naive_key *k = &n->keys[key];
    if (kind == SL_COMPARE_VALUE)
        return k->exists && k->value == value;
    return (kind == SL_COMPARE_MOD_REVISION ? k->mod_revision : k->create_revision) == revision;
}

/* One random transaction on both. */
static void step_txn(struct fixture *f, struct naive *n, struct sl_prng *p)
{
    struct sl_store_compare compares[2];
    struct sl_store_action lists[2][3];
    int keys[2][3], leases[2][3];
    char values[2][3], compared[2];
    uint32_t counts[2] = { (uint32_t)sl_prng_below(p, 4), (uint32_t)sl_prng_below(p, 3) };
    uint32_t compare_count = (uint32_t)sl_prng_below(p, 3);
    bool holds = true, gone = false, twice = false, changes = false;
    for (uint32_t i = 0; i < compare_count; i++) {
        int key = (int)sl_prng_below(p, NAIVE_KEYS);
        enum sl_compare_kind kind = (enum sl_compare_kind)sl_prng_below(p, 3);
        sl_revision revision = sl_prng_chance(p, 2, 3) ? n->keys[key].mod_revision : 0;
        compared[i] = (char)('a' + sl_prng_below(p, 2));
        compares[i] = (struct sl_store_compare){
            kind, sl_str_of(naive_names[key]), revision, { (const uint8_t *)&compared[i], 1 }
        };
        holds = holds && naive_holds(n, kind, key, revision, compared[i]);
    }
    for (int list = 0; list < 2; list++) {
        for (uint32_t i = 0; i < counts[list]; i++) {
            keys[list][i] = (int)sl_prng_below(p, NAIVE_KEYS);
            values[list][i] = (char)('a' + sl_prng_below(p, 2));
            bool leased = n->lease_count > 0 && sl_prng_chance(p, 1, 2);
            leases[list][i] = leased ? (int)sl_prng_below(p, (uint64_t)n->lease_count) : -1;
            lists[list][i] = (struct sl_store_action){ sl_prng_chance(p, 1, 3) ? SL_ACTION_DELETE : SL_ACTION_PUT,
                                                       sl_str_of(naive_names[keys[list][i]]),
                                                       { (const uint8_t *)&values[list][i], 1 },
                                                       leased ? n->leases[leases[list][i]].id : 0 };
        }
    }
    int chosen = holds ? 0 : 1;
    for (uint32_t i = 0; i < counts[chosen]; i++) {
        const struct sl_store_action *a = &lists[chosen][i];
        gone = gone || (a->kind == SL_ACTION_PUT && leases[chosen][i] >= 0 && !n->leases[leases[chosen][i]].live);
        changes = changes || a->kind == SL_ACTION_PUT || n->keys[keys[chosen][i]].exists;
        for (uint32_t j = 0; j < i; j++)
            twice = twice || keys[chosen][i] == keys[chosen][j];
    }
    struct sl_store_result r = perform(f, (struct sl_store_op){ .verb = SL_STORE_TXN,
                                                                .compares = compares,
                                                                .compare_count = compare_count,
                                                                .then = lists[0],
                                                                .then_count = counts[0],
                                                                .otherwise = lists[1],
                                                                .otherwise_count = counts[1] });
    if (gone || twice) {
        sl_assert_i64(r.outcome, gone ? SL_STORE_LEASE_GONE : SL_STORE_REFUSED);
        return;
    }
    sl_assert_i64(r.outcome, SL_STORE_OK);
    sl_assert_i64(r.succeeded, holds);
    n->revision += changes ? 1 : 0;
    for (uint32_t i = 0; i < counts[chosen]; i++) {
        struct naive_key *k = &n->keys[keys[chosen][i]];
        if (lists[chosen][i].kind == SL_ACTION_PUT) {
            *k = (struct naive_key){ true, values[chosen][i], k->exists ? k->create_revision : n->revision, n->revision,
                                     leases[chosen][i] };
            naive_record(n, keys[chosen][i]);
        } else if (k->exists) {
            *k = (struct naive_key){ 0 };
            naive_record(n, keys[chosen][i]);
        }
    }
    sl_assert_i64(r.revision, n->revision);
}

static void step_lease(struct fixture *f, struct naive *n, struct sl_prng *p)
{
    if (n->lease_count < NAIVE_LEASES && sl_prng_chance(p, 1, 3)) {
        sl_ns ttl = (sl_ns)sl_prng_between(p, 1, 20) * SL_MS;
        struct sl_store_result r = perform(f, (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = ttl });
        sl_assert_i64(r.outcome, SL_STORE_OK);
        n->leases[n->lease_count].id = r.lease;
        n->leases[n->lease_count].live = true;
        n->leases[n->lease_count].ttl_ns = ttl;
        n->leases[n->lease_count++].ends_at = f->now + ttl;
        return;
    }
    if (n->lease_count == 0)
        return;
    int lease = (int)sl_prng_below(p, (uint64_t)n->lease_count);
    bool live = n->leases[lease].live, revoke = sl_prng_chance(p, 1, 4);
    struct sl_store_op op = { .verb = revoke ? SL_STORE_REVOKE : SL_STORE_KEEPALIVE, .lease = n->leases[lease].id };
    sl_assert_i64(perform(f, op).outcome, live ? SL_STORE_OK : SL_STORE_LEASE_GONE);
    if (live && revoke)
        naive_end_lease(n, lease);
    else if (live)
        n->leases[lease].ends_at = f->now + n->leases[lease].ttl_ns;
}

static void random_operations_agree_with_a_naive_model(void **state)
{
    (void)state;
    static const char *const prefixes[] = { "", "/", "/a", "/a/", "/b/1", "/x" };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static struct naive n;
        struct fixture f;
        struct sl_prng p;
        memset(&n, 0, sizeof n);
        sl_prng_init(&p, seed);
        setup_limits(&f, 100, NAIVE_EVENTS);
        for (int i = 0; i < 1000; i++) {
            f.now += (sl_ns)sl_prng_below(&p, 2000) * SL_US;
            naive_advance(&n, f.now);
            if (sl_prng_chance(&p, 1, 3))
                step_lease(&f, &n, &p);
            else
                step_txn(&f, &n, &p);
            if (sl_prng_chance(&p, 1, 40) && n.revision > 0) {
                sl_revision at = sl_prng_between(&p, 1, n.revision);
                sl_store_model_compact(f.model, at);
                n.compacted = at > n.compacted ? at : n.compacted;
            }
            const char *prefix = prefixes[sl_prng_below(&p, 6)];
            check_range(&f, &n, prefix);
            check_changes(&f, &n, prefix, sl_prng_between(&p, 0, n.revision + 1));
            sl_store_model_check(f.model);
        }
        teardown(&f);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_not_there_has_revision_zero),
        cmocka_unit_test(a_put_is_one_revision),
        cmocka_unit_test(a_transaction_is_one_revision_for_all_its_keys),
        cmocka_unit_test(what_changes_nothing_is_no_revision),
        cmocka_unit_test(a_compare_that_fails_does_the_other_list),
        cmocka_unit_test(all_compares_must_hold),
        cmocka_unit_test(a_missing_key_equals_no_value),
        cmocka_unit_test(a_key_made_again_has_a_new_create_revision),
        cmocka_unit_test(a_list_that_names_a_key_twice_is_refused),
        cmocka_unit_test(a_range_is_ascending_and_stays_in_its_prefix),
        cmocka_unit_test(values_are_bytes),
        cmocka_unit_test(a_lease_ends_after_its_time_and_takes_its_keys),
        cmocka_unit_test(a_lease_kept_alive_does_not_end),
        cmocka_unit_test(a_lease_that_is_gone_is_said_to_be),
        cmocka_unit_test(a_revoke_takes_the_keys_at_once),
        cmocka_unit_test(a_put_moves_a_key_between_leases),
        cmocka_unit_test(a_watch_delivers_what_was_and_what_comes),
        cmocka_unit_test(a_watch_from_zero_begins_with_the_next_change),
        cmocka_unit_test(a_watch_sees_leases_end),
        cmocka_unit_test(a_transaction_is_never_split_over_batches),
        cmocka_unit_test(no_batch_comes_after_unwatch),
        cmocka_unit_test(a_compacted_watch_says_where_history_begins),
        cmocka_unit_test(connections_see_each_other),
        cmocka_unit_test(every_operation_is_answered_once),
        cmocka_unit_test(nothing_is_delivered_after_close),
        cmocka_unit_test(racing_transactions_have_one_winner),
        cmocka_unit_test(writes_at_once_get_a_revision_each),
        cmocka_unit_test(lease_ids_come_from_the_seed),
        cmocka_unit_test(a_lease_ends_exactly_at_its_time),
        cmocka_unit_test(a_new_leader_of_the_store_gives_leases_their_whole_time),
        cmocka_unit_test(full_history_forgets_whole_revisions_from_the_oldest_on),
        cmocka_unit_test(a_revision_larger_than_history_is_not_kept_at_all),
        cmocka_unit_test(a_full_store_refuses_and_changes_nothing),
        cmocka_unit_test(a_failed_allocation_at_any_call_changes_nothing),
        cmocka_unit_test(random_operations_agree_with_a_naive_model),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
