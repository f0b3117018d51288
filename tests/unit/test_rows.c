/* SPDX-License-Identifier: Apache-2.0 */
#include "port/rows.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>
#include <string.h>

static uint32_t defs_alive;

static void free_def(struct sl_table_def *def)
{
    defs_alive--;
    free(def);
}

static struct sl_table_def *new_def(int64_t table_id, uint32_t column_count)
{
    struct sl_table_def *def = calloc(1, sizeof *def);
    assert_non_null(def);
    def->table_id = table_id;
    def->column_count = column_count;
    def->free = free_def;
    atomic_init(&def->refs, 1);
    defs_alive++;
    return def;
}

static void add_row(struct sl_batch *b, struct sl_table_def *def, sl_ts ts)
{
    struct sl_row_images images;
    assert_true(sl_batch_add(b, def, SL_ROW_INSERT, ts, &images));
    images.after[0] = (struct sl_value){ .kind = SL_VALUE_UINT, .v.u = ts };
}

static void rows_of_each_table_keep_their_order(void **state)
{
    (void)state;
    enum { TABLES = 100, ROWS = 5000 };
    struct sl_table_def *defs[TABLES];
    struct sl_batch *b = sl_batch_new();
    for (uint32_t i = 0; i < TABLES; i++)
        defs[i] = new_def((int64_t)i * 7919 - 300, 2);
    for (uint32_t i = 0; i < ROWS; i++)
        add_row(b, defs[i * i % TABLES], i + 1);
    sl_batch_seal(b, ROWS, 5);
    for (uint32_t i = 0; i < TABLES; i++)
        sl_table_def_unref(defs[i]);
    uint32_t total = 0;
    for (uint32_t i = 0; i < sl_batch_table_count(b); i++) {
        const struct sl_batch_table *t = sl_batch_table(b, i);
        struct sl_row_run run = { .batch = b, .table = i, .through = ROWS };
        sl_assert_u64(sl_batch_find_table(b, t->def->table_id), i);
        sl_ts before = 0;
        for (const struct sl_row *row = sl_row_run_next(&run, NULL); row; row = sl_row_run_next(&run, row), total++) {
            assert_true(row->ts > before);
            sl_assert_u64(row->after[0].v.u, row->ts);
            sl_assert_i64(row->after[1].kind, SL_VALUE_ABSENT);
            before = row->ts;
        }
    }
    sl_assert_u64(total, ROWS);
    sl_assert_u64(sl_batch_find_table(b, 1), SL_ROW_NONE);
    sl_batch_unref(b);
    sl_assert_u64(defs_alive, 0);
}

static void a_batch_takes_one_definition_of_each_table(void **state)
{
    (void)state;
    struct sl_table_def *a = new_def(1, 1), *b = new_def(2, 1), *newer = new_def(1, 1);
    struct sl_batch *batch = sl_batch_new();
    assert_true(sl_batch_takes(batch, a));
    add_row(batch, a, 1);
    add_row(batch, b, 2);
    assert_true(sl_batch_takes(batch, a) && sl_batch_takes(batch, b));
    assert_false(sl_batch_takes(batch, newer));
    assert_true(sl_batch_takes(batch, a));
    add_row(batch, b, 3);
    add_row(batch, a, 4);
    sl_assert_u64(sl_batch_table(batch, 0)->count, 2);
    sl_assert_u64(sl_batch_table(batch, 1)->count, 2);
    sl_batch_unref(batch);
    sl_table_def_unref(a);
    sl_table_def_unref(b);
    sl_table_def_unref(newer);
    sl_assert_u64(defs_alive, 0);
}

static void what_is_taken_back_is_gone_and_the_rest_keeps_its_order(void **state)
{
    (void)state;
    struct sl_table_def *a = new_def(1, 1), *b = new_def(2, 1);
    struct sl_batch *batch = sl_batch_new();
    for (sl_ts ts = 1; ts <= 6; ts++)
        add_row(batch, ts % 2 == 0 ? b : a, ts);
    sl_batch_cut(batch, 6);
    sl_assert_u64(sl_batch_row_count(batch), 6);
    sl_batch_cut(batch, 1);
    add_row(batch, a, 3);
    sl_batch_seal(batch, 7, 0);
    sl_assert_u64(sl_batch_row_count(batch), 2);
    sl_assert_u64(sl_batch_table(batch, 1)->count, 0);
    struct sl_row_run run = { .batch = batch, .table = 1, .through = 7 };
    assert_null(sl_row_run_next(&run, NULL));
    run.table = 0;
    const struct sl_row *row = sl_row_run_next(&run, NULL);
    sl_assert_u64(row->ts, 1);
    row = sl_row_run_next(&run, row);
    sl_assert_u64(row->ts, 3);
    assert_null(sl_row_run_next(&run, row));
    sl_batch_unref(batch);
    sl_table_def_unref(a);
    sl_table_def_unref(b);
}

static void run_holds_what_is_after_and_through(void **state)
{
    (void)state;
    struct sl_table_def *def = new_def(1, 1);
    struct sl_batch *b = sl_batch_new();
    for (sl_ts ts = 10; ts <= 50; ts += 10)
        add_row(b, def, ts);
    sl_batch_seal(b, 60, 0);
    struct sl_row_run run = { .batch = b, .after = 20, .through = 40 };
    const struct sl_row *row = sl_row_run_next(&run, NULL);
    sl_assert_u64(row->ts, 30);
    row = sl_row_run_next(&run, row);
    sl_assert_u64(row->ts, 40);
    assert_null(sl_row_run_next(&run, row));
    sl_batch_unref(b);
    sl_table_def_unref(def);
}

static void images_are_those_of_the_operation(void **state)
{
    (void)state;
    struct sl_table_def *def = new_def(1, 3);
    struct sl_batch *b = sl_batch_new();
    struct sl_row_images images;
    assert_true(sl_batch_add(b, def, SL_ROW_INSERT, 1, &images));
    assert_true(images.after && !images.before);
    assert_true(sl_batch_add(b, def, SL_ROW_UPDATE, 1, &images));
    assert_true(images.after == images.before + 3);
    assert_true(sl_batch_add(b, def, SL_ROW_DELETE, 1, &images));
    assert_true(!images.after && images.before);
    sl_batch_seal(b, 1, 0);
    sl_batch_unref(b);
    sl_table_def_unref(def);
}

static void large_values_live_in_the_batch_as_long_as_it_is_counted_on(void **state)
{
    (void)state;
    struct sl_batch *b = sl_batch_new();
    uint8_t *large = sl_batch_bytes(b, 1000000);
    assert_non_null(large);
    memset(large, 7, 1000000);
    assert_true(sl_batch_size(b) >= 1000000);
    sl_batch_seal(b, 4, 0);
    sl_assert_u64(large[999999], 7);
    struct sl_batch *same = sl_batch_ref(b);
    sl_batch_unref(b);
    sl_assert_u64(sl_batch_through(same), 4);
    sl_batch_unref(same);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_each_table_keep_their_order),
        cmocka_unit_test(a_batch_takes_one_definition_of_each_table),
        cmocka_unit_test(what_is_taken_back_is_gone_and_the_rest_keeps_its_order),
        cmocka_unit_test(run_holds_what_is_after_and_through),
        cmocka_unit_test(images_are_those_of_the_operation),
        cmocka_unit_test(large_values_live_in_the_batch_as_long_as_it_is_counted_on),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
