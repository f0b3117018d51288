/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/sink_changes.h"

#include "base/prng.h"
#include "tests/support/sl_test.h"

#include <string.h>

#define KEYS 16

static const struct sl_column columns[] = {
    { .name = { "k", 1 }, .flags = SL_COLUMN_KEY },
    { .name = { "v", 1 } },
};

static void keep_def(struct sl_table_def *def)
{
    (void)def;
}

static struct sl_table_def table = { .refs = 1,
                                     .table_id = 7,
                                     .version = 1,
                                     .schema = { "s", 1 },
                                     .table = { "t", 1 },
                                     .column_count = 2,
                                     .columns = columns,
                                     .free = keep_def };

struct model { /* a table at the source, at the sink */
    bool has[KEYS];
    int64_t value[KEYS];
};

static void put_image(struct sl_value *image, int64_t key, int64_t value)
{
    image[0] = (struct sl_value){ .kind = SL_VALUE_INT, .v.i = key };
    image[1] = (struct sl_value){ .kind = SL_VALUE_INT, .v.i = value };
}

static void add(struct sl_batch *b, enum sl_row_op op, sl_ts ts, int64_t from, int64_t to, const struct model *m,
                int64_t value)
{
    struct sl_row_images images;
    bool is_added = sl_batch_add(b, &table, op, ts, &images);
    assert_true(is_added);
    if (op != SL_ROW_INSERT)
        put_image(images.before, from, m->value[from]);
    if (op != SL_ROW_DELETE)
        put_image(images.after, to, value);
}

/* One change that the source allows. */
static void change(struct model *m, struct sl_batch *b, struct sl_prng *rng, sl_ts ts)
{
    uint32_t from = (uint32_t)sl_prng_below(rng, KEYS), to = (uint32_t)sl_prng_below(rng, KEYS);
    int64_t value = (int64_t)ts;
    if (!m->has[from]) {
        add(b, SL_ROW_INSERT, ts, 0, from, m, value);
        m->has[from] = true;
        m->value[from] = value;
    } else if (sl_prng_below(rng, 3) == 0) {
        add(b, SL_ROW_DELETE, ts, from, 0, m, 0);
        m->has[from] = false;
    } else if (to == from || !m->has[to]) {
        add(b, SL_ROW_UPDATE, ts, from, to, m, value);
        m->has[from] = false;
        m->has[to] = true;
        m->value[to] = value;
    }
}

/* As the sink does it: all deletes, then all writes. */
static void apply(struct model *m, const struct sl_table_changes *t)
{
    for (int is_write = 0; is_write < 2; is_write++) {
        for (uint32_t i = 0; i < t->count; i++) {
            const struct sl_change *c = &t->changes[i];
            if (c->is_delete == (bool)is_write)
                continue;
            m->has[c->values[0].v.i] = !c->is_delete;
            m->value[c->values[0].v.i] = c->values[1].v.i;
        }
    }
}

static void assert_same(const struct model *a, const struct model *b)
{
    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(a->has[i], b->has[i]);
        if (a->has[i])
            assert_int_equal(a->value[i], b->value[i]);
    }
}

static void net_changes_lead_to_the_same_table_also_when_repeated(void **state)
{
    (void)state;
    struct sl_changes changes = { 0 };
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sl_prng rng;
        sl_prng_init(&rng, seed);
        struct model source = { 0 }, sink = { 0 };
        sl_ts ts = 0;
        for (int round = 0; round < 5; round++) {
            struct sl_batch *b = sl_batch_new();
            sl_ts before = ts;
            uint64_t count = sl_prng_below(&rng, 40);
            for (uint64_t i = 0; i < count; i++)
                change(&source, b, &rng, ++ts);
            sl_batch_seal(b, ts, 0);
            if (sl_batch_table_count(b) > 0) {
                struct sl_row_run run = { .batch = b, .table = 0, .after = before, .through = ts };
                bool is_added = sl_changes_add(&changes, &run);
                assert_true(is_added);
                apply(&sink, &changes.tables[0]);
                apply(&sink, &changes.tables[0]);
            }
            assert_same(&source, &sink);
            sl_changes_reset(&changes);
            sl_batch_unref(b);
        }
    }
    sl_changes_deinit(&changes);
}

static void many_changes_of_one_key_are_one(void **state)
{
    (void)state;
    struct sl_changes changes = { 0 };
    struct model m = { 0 };
    struct sl_batch *b = sl_batch_new();
    m.has[3] = true;
    for (sl_ts ts = 1; ts <= 1000; ts++)
        add(b, SL_ROW_UPDATE, ts, 3, 3, &m, (int64_t)ts);
    sl_batch_seal(b, 1000, 0);
    struct sl_row_run run = { .batch = b, .table = 0, .after = 0, .through = 1000 };
    bool is_added = sl_changes_add(&changes, &run);
    assert_true(is_added);
    assert_int_equal(changes.taken, 1000);
    assert_int_equal(changes.tables[0].count, 1);
    assert_int_equal(changes.tables[0].changes[0].values[1].v.i, 1000);
    sl_changes_deinit(&changes);
    sl_batch_unref(b);
}

static void sorted_are_deletes_first_and_each_part_by_key(void **state)
{
    static const int64_t written[] = { 9, -2, 4 }, deleted[] = { 7, -5 };
    static const int64_t wanted[] = { -5, 7, -2, 4, 9 };
    (void)state;
    struct sl_changes changes = { 0 };
    struct sl_batch *b = sl_batch_new();
    struct sl_row_images images;
    for (size_t i = 0; i < 3; i++) {
        assert_true(sl_batch_add(b, &table, SL_ROW_INSERT, 1, &images));
        put_image(images.after, written[i], 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_true(sl_batch_add(b, &table, SL_ROW_DELETE, 1, &images));
        put_image(images.before, deleted[i], 0);
    }
    sl_batch_seal(b, 1, 0);
    struct sl_row_run run = { .batch = b, .table = 0, .after = 0, .through = 1 };
    assert_true(sl_changes_add(&changes, &run));
    sl_changes_sort(&changes);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(changes.tables[0].changes[i].values[0].v.i, wanted[i]);
        assert_int_equal(changes.tables[0].changes[i].is_delete, i < 2);
    }
    sl_changes_deinit(&changes);
    sl_batch_unref(b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(net_changes_lead_to_the_same_table_also_when_repeated),
        cmocka_unit_test(many_changes_of_one_key_are_one),
        cmocka_unit_test(sorted_are_deletes_first_and_each_part_by_key),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
