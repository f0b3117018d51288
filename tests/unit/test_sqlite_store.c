/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/sqlite/sqlite_store.h"
#include "tests/support/store_pump.h"
#include "tests/support/store_random.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct sl_store_pump pump;
    char dir[64], path[96];
};

static void setup(struct fixture *f)
{
    sl_store_pump_init(&f->pump);
    snprintf(f->dir, sizeof f->dir, "/tmp/sl-sqlite-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/meta.db", f->dir);
}

static void teardown(struct fixture *f)
{
    static const char *const ends[] = { "", "-wal", "-shm", ".bak", ".bak-wal", ".bak-shm" };
    char path[128];
    sl_store_pump_deinit(&f->pump);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s%s", f->path, ends[i]);
        unlink(path);
    }
    sl_assert_i64(rmdir(f->dir), 0);
}

/* ---- the suite ---- */

static struct sl_store *harness_open(void *ctx, const struct sl_store_client *client)
{
    struct fixture *f = ctx;
    struct sl_sqlite_opts opts = SL_SQLITE_OPTS_DEFAULT;
    struct sl_store *store = NULL;
    struct sl_err err = { 0 };
    opts.path = f->path;
    enum sl_code code = sl_sqlite_store_open(&store, &f->pump.loop, &opts, client, &err);
    sl_assert_str(err.text, "");
    sl_assert_i64(code, SL_OK);
    return store;
}

static void harness_close(void *ctx, struct sl_store *store)
{
    sl_store_pump_close(&((struct fixture *)ctx)->pump, store);
}

static void harness_wait(void *ctx, sl_ns at_most)
{
    sl_store_pump_wait(&((struct fixture *)ctx)->pump, at_most);
}

static sl_ns harness_now(void *ctx)
{
    (void)ctx;
    return (sl_ns)uv_hrtime();
}

static void harness_poll(void *ctx, sl_ns at_most)
{
    sl_store_pump_poll(&((struct fixture *)ctx)->pump, at_most);
}

/* As if history had grown too long. */
static void harness_compact(void *ctx, sl_revision revision)
{
    struct fixture *f = ctx;
    sqlite3 *db = NULL;
    char sql[160];
    sl_assert_i64(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE; DELETE FROM log WHERE rev < %lld; UPDATE meta SET compacted = %lld; COMMIT",
             (long long)revision, (long long)revision);
    sl_assert_i64(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sl_assert_i64(sqlite3_close(db), SQLITE_OK);
}

static struct sl_store_harness harness_of(struct fixture *f)
{
    return (struct sl_store_harness){ .ctx = f,
                                      .open = harness_open,
                                      .close = harness_close,
                                      .wait = harness_wait,
                                      .poll = harness_poll,
                                      .now = harness_now,
                                      .compact = harness_compact,
                                      .prefix = "/suite/",
                                      .ttl_ns = 2 * SL_S,
                                      .late_ns = 1 * SL_S };
}

static void run_fact(void (*fact)(const struct sl_store_harness *h))
{
    struct fixture f;
    setup(&f);
    const struct sl_store_harness h = harness_of(&f);
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

static void random_operations_agree_with_the_model(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const struct sl_store_harness h = harness_of(&f);
    sl_ns began = h.now(h.ctx);
    for (uint64_t seed = 1; seed <= 3; seed++)
        sl_store_random_compare(&h, seed, 1500, 1);
    for (uint64_t seed = 4; sl_store_random_goes_on(&h, seed, 8, began); seed++)
        sl_store_random_compare(&h, seed, 2500, 32);
    teardown(&f);
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
        cmocka_unit_test(random_operations_agree_with_the_model),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
