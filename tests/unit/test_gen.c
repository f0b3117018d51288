/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/gen/gen.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>
#include <string.h>

static struct sl_secret secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static struct sl_gen_opts parsed(const char *uri)
{
    struct sl_gen_opts o;
    struct sl_trouble t = { 0 };
    if (!sl_gen_parse(&o, secret(uri), &t))
        fail_msg("%s", t.detail);
    return o;
}

static void every_table_has_one_change_per_round(void **state)
{
    (void)state;
    static const char *const uris[] = { "gen://?tables=1", "gen://?tables=2&seed=9", "gen://?tables=1000",
                                        "gen://?tables=30030&seed=3" };
    for (size_t u = 0; u < sizeof uris / sizeof uris[0]; u++) {
        struct sl_gen_opts o = parsed(uris[u]);
        uint8_t *seen = calloc(o.tables, 1);
        for (uint64_t i = 5 * o.tables; i < 6 * o.tables; i++) {
            struct sl_gen_change c = sl_gen_change_at(&o, i);
            sl_assert_u64(c.seq, 6);
            sl_assert_u64(seen[c.table], 0);
            seen[c.table] = 1;
        }
        free(seen);
    }
}

static void changes_of_an_id_come_in_turns(void **state)
{
    (void)state;
    struct sl_gen_opts o = parsed("gen://?tables=1&keys=2");
    static const enum sl_row_op wanted[] = { SL_ROW_INSERT, SL_ROW_INSERT, SL_ROW_UPDATE, SL_ROW_UPDATE,
                                             SL_ROW_DELETE, SL_ROW_DELETE, SL_ROW_INSERT };
    for (uint64_t i = 0; i < 7; i++) {
        struct sl_gen_change c = sl_gen_change_at(&o, i);
        sl_assert_i64(c.op, wanted[i]);
        sl_assert_u64(c.id, i % 2);
    }
}

static void count_follows_the_wall_clock_and_ends_at_the_limit(void **state)
{
    (void)state;
    struct sl_gen_opts o = parsed("gen://?rows_per_s=1500&epoch_ms=1000&limit=10000");
    sl_assert_u64(sl_gen_count_at(&o, 0), 0);
    sl_assert_u64(sl_gen_count_at(&o, 1 * SL_S), 0);
    sl_assert_u64(sl_gen_count_at(&o, 3 * SL_S), 3000);
    sl_assert_u64(sl_gen_count_at(&o, 3 * SL_S + 2 * SL_MS), 3003);
    sl_assert_u64(sl_gen_count_at(&o, 100 * SL_S), 10000);
    struct sl_gen_opts idle = parsed("gen://?epoch_ms=1000");
    sl_assert_u64(sl_gen_count_at(&idle, 3 * SL_S), 2000);
}

static struct sl_reader *opened(const char *uri, sl_ts from)
{
    struct sl_reader *r = NULL;
    struct sl_trouble t = { 0 };
    if (!sl_gen_driver.open(&r, &(struct sl_source_open){ .uri = secret(uri), .from = from }, &t))
        fail_msg("%s", t.detail);
    return r;
}

static struct sl_batch *read_some(struct sl_reader *r)
{
    struct sl_batch *b = sl_batch_new();
    struct sl_trouble t = { 0 };
    if (!r->driver->read(r, b, 1u << 16, SL_MS, &t))
        fail_msg("%s", t.detail);
    return b;
}

static void readers_see_the_same_wherever_they_begin(void **state)
{
    (void)state;
    static const char uri[] = "gen://?tables=7&rows_per_s=1000000&epoch_ms=1&limit=20000&seed=5&keys=3";
    struct sl_reader *whole = opened(uri, 0);
    struct sl_gen_opts o = parsed(uri);
    uint64_t i = 0;
    while (i < o.limit) {
        struct sl_batch *b = read_some(whole);
        struct sl_reader *part = opened(uri, i);
        struct sl_batch *again = read_some(part);
        sl_assert_u64(sl_batch_row_count(again), sl_batch_row_count(b));
        sl_assert_u64(sl_batch_through(again), sl_batch_through(b));
        for (uint32_t n = 0; n < sl_batch_row_count(b); n++, i++) {
            const struct sl_row *row = sl_batch_row(b, n), *same = sl_batch_row(again, n);
            struct sl_gen_change c = sl_gen_change_at(&o, i);
            sl_assert_u64(row->ts, i + 1);
            sl_assert_u64(same->ts, i + 1);
            sl_assert_i64(row->op, c.op);
            sl_assert_i64(sl_batch_table(b, row->table)->def->table_id, (int64_t)c.table + 1);
            const struct sl_value *v = row->after ? row->after : row->before;
            const struct sl_value *w = same->after ? same->after : same->before;
            sl_assert_u64(v[0].v.u, c.id);
            sl_assert_u64(v[2].len, 32);
            sl_assert_mem(v[2].v.ptr, w[2].v.ptr, 32);
            sl_assert_u64(row->after ? v[1].v.u : v[1].v.u + o.keys, c.seq);
            assert_true(!row->before || !row->after || row->before[1].v.u + o.keys == row->after[1].v.u);
        }
        sl_batch_unref(b);
        sl_batch_unref(again);
        part->driver->close(part);
    }
    whole->driver->close(whole);
}

static void idle_source_has_no_rows_but_time_goes_on(void **state)
{
    (void)state;
    struct sl_reader *r = opened("gen://?tables=10", 1);
    sl_ts before = 1;
    for (int i = 0; i < 3; i++) {
        struct sl_batch *b = read_some(r);
        sl_assert_u64(sl_batch_row_count(b), 0);
        assert_true(sl_batch_through(b) >= before);
        before = sl_batch_through(b);
        sl_batch_unref(b);
    }
    assert_true(before > 1);
    r->driver->close(r);
}

static void interrupted_reader_ends(void **state)
{
    (void)state;
    struct sl_reader *r = opened("gen://?tables=10", 1);
    struct sl_batch *b = sl_batch_new();
    struct sl_trouble t = { 0 };
    r->driver->interrupt(r);
    assert_false(r->driver->read(r, b, 1024, SL_NEVER / 2, &t));
    sl_assert_i64(t.kind, SL_TROUBLE_ENDED);
    sl_batch_unref(b);
    r->driver->close(r);
}

static bool count_tables(void *ctx, const struct sl_source_table *table)
{
    uint32_t *count = ctx;
    (*count)++;
    sl_assert_i64(table->table_id, *count);
    return *count < 100;
}

static void tables_are_listed_until_nobody_wants_more(void **state)
{
    (void)state;
    struct sl_trouble t;
    uint32_t count = 0;
    assert_true(
        sl_gen_driver.list(&(struct sl_source_open){ .uri = secret("gen://?tables=42") }, count_tables, &count, &t));
    sl_assert_u64(count, 42);
    count = 0;
    assert_true(
        sl_gen_driver.list(&(struct sl_source_open){ .uri = secret("gen://?tables=142") }, count_tables, &count, &t));
    sl_assert_u64(count, 100);
}

static void bad_uris_are_refused_by_name_of_what_is_wrong(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "gen://?tables=0", "gen: tables is not a number from 1 to 16777215" },
        { "gen://?tables=x", "gen: tables is not a number from 1 to 16777215" },
        { "gen://?tables=99999999999999999999", "gen: tables is not a number from 1 to 16777215" },
        { "gen://?rows=5", "gen: no parameter is called 'rows'" },
        { "gen://?payload=65536", "gen: payload is not a number from 0 to 65535" },
        { "gen://host?tables=1", "gen: there is no host and no path" },
        { "gen:tables", "the URI does not begin with scheme://" },
        { "gen://?tables=1 &x", "the URI holds a space or a control character" },
        { "", "the URI is empty" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sl_trouble t = { 0 };
        assert_false(sl_gen_driver.check(secret(cases[i][0]), &t));
        sl_assert_str(t.detail, cases[i][1]);
        sl_assert_i64(t.kind, SL_TROUBLE_LASTING);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_has_one_change_per_round),
        cmocka_unit_test(changes_of_an_id_come_in_turns),
        cmocka_unit_test(count_follows_the_wall_clock_and_ends_at_the_limit),
        cmocka_unit_test(readers_see_the_same_wherever_they_begin),
        cmocka_unit_test(idle_source_has_no_rows_but_time_goes_on),
        cmocka_unit_test(interrupted_reader_ends),
        cmocka_unit_test(tables_are_listed_until_nobody_wants_more),
        cmocka_unit_test(bad_uris_are_refused_by_name_of_what_is_wrong),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
