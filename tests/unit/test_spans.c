/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "core/maintainer/spans.h"
#include "tests/support/sl_test.h"

#define NODES 4u
#define N1 ((sl_node_ref)1)
#define N2 ((sl_node_ref)2)

struct fixture {
    struct sl_mem mem;
    struct sl_load load;
    struct sl_spans spans;
};

static void setup(struct fixture *f, uint32_t count_max)
{
    const struct sl_mem_opts opts = sl_mem_opts_of(0);
    sl_mem_init(&f->mem, &opts);
    assert_int_equal(sl_load_init(&f->load, &f->mem, NODES), SL_OK);
    assert_int_equal(sl_spans_init(&f->spans, &f->mem, &f->load, count_max, 3), SL_OK);
}

static void teardown(struct fixture *f)
{
    sl_spans_check(&f->spans);
    sl_assert_u64(f->mem.live_bytes, sl_spans_bytes(&f->spans) + sl_load_bytes(&f->load));
    sl_spans_deinit(&f->spans);
    sl_load_deinit(&f->load);
    sl_mem_deinit(&f->mem);
}

static struct sl_span_desc table(int64_t table_id, sl_ts checkpoint)
{
    return (struct sl_span_desc){ .id = { 1, (uint64_t)table_id },
                                  .key = { .table_id = table_id },
                                  .checkpoint = checkpoint };
}

static struct sl_span_desc part(int64_t table_id, uint64_t low, const char *start, const char *end)
{
    struct sl_span_desc desc = table(table_id, 1);
    struct sl_str s = sl_str_of(start), e = sl_str_of(end);
    desc.id.low = low;
    desc.key.start_key = (struct sl_bytes){ (const uint8_t *)s.ptr, s.len };
    desc.key.end_key = (struct sl_bytes){ (const uint8_t *)e.ptr, e.len };
    return desc;
}

static uint32_t add(struct fixture *f, int64_t table_id, sl_ts checkpoint)
{
    const struct sl_span_desc desc = table(table_id, checkpoint);
    uint32_t handle;
    assert_int_equal(sl_spans_add(&f->spans, &desc, &handle), SL_OK);
    sl_spans_check(&f->spans);
    return handle;
}

static uint32_t add_replicating(struct fixture *f, int64_t table_id, sl_node_ref node)
{
    uint32_t handle = add(f, table_id, 1);
    sl_spans_bind(&f->spans, handle, node);
    sl_spans_mark_replicating(&f->spans, handle);
    return handle;
}

/* Fact 43. */
static void limit_is_the_minimum_over_absent_and_scheduling_spans(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100);
    sl_assert_u64(sl_spans_limit(&f.spans), SL_TS_MAX);
    uint32_t a = add(&f, 1, 30);
    uint32_t b = add(&f, 2, 20);
    uint32_t c = add(&f, 3, 10);
    sl_assert_u64(sl_spans_limit(&f.spans), 10);
    sl_spans_bind(&f.spans, c, N1);
    sl_assert_u64(sl_spans_limit(&f.spans), 10);
    sl_spans_mark_replicating(&f.spans, c);
    sl_assert_u64(sl_spans_limit(&f.spans), 20);
    assert_true(sl_spans_raise_checkpoint(&f.spans, b, 40));
    sl_assert_u64(sl_spans_limit(&f.spans), 30);
    assert_true(sl_spans_raise_checkpoint(&f.spans, c, 25));
    sl_assert_u64(sl_spans_limit(&f.spans), 30);
    sl_spans_mark_scheduling(&f.spans, c);
    sl_assert_u64(sl_spans_limit(&f.spans), 25);
    sl_spans_mark_absent(&f.spans, c);
    sl_assert_u64(sl_spans_limit(&f.spans), 25);
    sl_spans_drop(&f.spans, c);
    sl_assert_u64(sl_spans_limit(&f.spans), 30);
    sl_spans_drop(&f.spans, a);
    sl_spans_drop(&f.spans, b);
    sl_assert_u64(sl_spans_limit(&f.spans), SL_TS_MAX);
    teardown(&f);
}

/* Fact 45. */
static void a_span_marked_absent_is_bound_to_no_node(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100);
    uint32_t a = add_replicating(&f, 1, N2);
    sl_assert_u64(sl_spans_bound_count(&f.spans, N2), 1);
    sl_assert_u64(sl_load_of(&f.load, N2), 1);
    sl_spans_mark_absent(&f.spans, a);
    sl_assert_u64(sl_spans_at(&f.spans, a)->node, SL_NODE_NONE);
    sl_assert_u64(sl_spans_bound_count(&f.spans, N2), 0);
    sl_assert_u64(sl_load_of(&f.load, N2), 0);
    teardown(&f);
}

static void idle_lists_hold_replicating_spans_without_operator_in_order(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100);
    uint32_t a = add_replicating(&f, 1, N1);
    uint32_t b = add_replicating(&f, 2, N1);
    uint32_t c = add_replicating(&f, 3, N1);
    sl_assert_u64(sl_spans_first_idle(&f.spans, N1), a);
    sl_spans_set_operator(&f.spans, a, 77);
    sl_assert_u64(sl_spans_first_idle(&f.spans, N1), b);
    sl_assert_u64(sl_spans_idle_count(&f.spans, N1), 2);
    sl_assert_u64(sl_spans_bound_count(&f.spans, N1), 3);
    sl_spans_set_operator(&f.spans, a, 0);
    sl_assert_u64(sl_spans_next_idle(&f.spans, c), a);
    sl_spans_move_back(&f.spans, b);
    sl_assert_u64(sl_spans_first_idle(&f.spans, N1), c);
    sl_assert_u64(sl_spans_next_idle(&f.spans, a), b);
    teardown(&f);
}

static void an_id_exists_once(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100);
    add(&f, 1, 1);
    struct sl_span_desc same = table(1, 1);
    same.key.table_id = 2;
    uint32_t handle = 5;
    assert_int_equal(sl_spans_add(&f.spans, &same, &handle), SL_EXISTS);
    sl_assert_u64(handle, 0);
    sl_assert_u64(f.spans.slab.count, 1);
    teardown(&f);
}

static void spans_of_a_table_do_not_overlap(void **state)
{
    (void)state;
    static const struct {
        const char *start, *end;
        enum sl_code code;
    } tries[] = {
        { "c", "f", SL_OK },        { "a", "c", SL_OK },      { "f", "", SL_OK },      { "e", "g", SL_EXISTS },
        { "", "", SL_EXISTS },      { "d", "e", SL_EXISTS },  { "", "aa", SL_EXISTS }, { "", "a", SL_OK },
        { "zz", "zzz", SL_EXISTS }, { "b", "bb", SL_EXISTS },
    };
    struct fixture f;
    setup(&f, 100);
    for (uint32_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        const struct sl_span_desc desc = part(1, 100 + i, tries[i].start, tries[i].end);
        uint32_t handle;
        assert_int_equal(sl_spans_add(&f.spans, &desc, &handle), tries[i].code);
        sl_spans_check(&f.spans);
    }
    const struct sl_span_desc other_table = part(2, 200, "", "");
    uint32_t handle;
    assert_int_equal(sl_spans_add(&f.spans, &other_table, &handle), SL_OK);
    teardown(&f);
}

static void a_whole_table_and_a_part_of_it_exclude_each_other(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 100);
    add(&f, 1, 1);
    const struct sl_span_desc desc = part(1, 100, "a", "b");
    uint32_t handle;
    assert_int_equal(sl_spans_add(&f.spans, &desc, &handle), SL_EXISTS);
    teardown(&f);
}

static void keys_are_copied_and_bounded(void **state)
{
    (void)state;
    static char text[SL_KEY_BYTES_MAX + 2];
    for (size_t i = 0; i <= SL_KEY_BYTES_MAX; i++)
        text[i] = 'k';
    struct fixture f;
    setup(&f, 100);
    struct sl_span_desc desc = part(1, 100, text, "z");
    uint32_t handle;
    assert_int_equal(sl_spans_add(&f.spans, &desc, &handle), SL_LIMIT);
    sl_assert_u64(f.spans.slab.count, 0);
    text[SL_KEY_BYTES_MAX - 1] = '\0'; /* with the other key exactly what is allowed */
    desc = part(2, 101, text, "z");
    assert_int_equal(sl_spans_add(&f.spans, &desc, &handle), SL_OK);
    text[3] = '\0';
    desc = part(1, 100, text, "z");
    assert_int_equal(sl_spans_add(&f.spans, &desc, &handle), SL_OK);
    text[0] = 'x';
    struct sl_span_key key = sl_spans_key(&f.spans, sl_spans_at(&f.spans, handle));
    sl_assert_mem(key.start_key.ptr, "kkk", 3);
    sl_assert_mem(key.end_key.ptr, "z", 1);
    teardown(&f);
}

static void spans_of_a_table_are_listed_in_order_of_creation(void **state)
{
    (void)state;
    static const char *const keys[] = { "a", "b", "c", "d", "e" };
    struct fixture f;
    setup(&f, 100);
    uint32_t handles[4];
    for (uint32_t i = 0; i < 4; i++) {
        const struct sl_span_desc desc = part(1, 100 + i, keys[i], keys[i + 1]);
        assert_int_equal(sl_spans_add(&f.spans, &desc, &handles[i]), SL_OK);
    }
    sl_spans_drop(&f.spans, handles[0]);
    sl_assert_u64(sl_spans_of_table(&f.spans, 1), handles[1]);
    sl_spans_drop(&f.spans, handles[2]);
    sl_assert_u64(sl_spans_next_of_table(&f.spans, handles[1]), handles[3]);
    const struct sl_span_desc again = part(1, 107, keys[0], keys[1]);
    assert_int_equal(sl_spans_add(&f.spans, &again, &handles[0]), SL_OK);
    sl_assert_u64(sl_spans_next_of_table(&f.spans, handles[3]), handles[0]);
    sl_spans_drop(&f.spans, handles[0]);
    sl_spans_drop(&f.spans, handles[1]);
    sl_spans_drop(&f.spans, handles[3]);
    sl_assert_u64(sl_spans_of_table(&f.spans, 1), 0);
    teardown(&f);
}

static void a_full_table_refuses_and_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 2);
    add(&f, 1, 1);
    uint32_t b = add(&f, 2, 1), handle;
    const struct sl_span_desc desc = table(3, 1);
    assert_int_equal(sl_spans_add(&f.spans, &desc, &handle), SL_LIMIT);
    sl_spans_drop(&f.spans, b);
    assert_int_equal(sl_spans_add(&f.spans, &desc, &handle), SL_OK);
    teardown(&f);
}

static void a_checkpoint_rises_only_and_unknown_ones_do_not_count(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 10);
    uint32_t a = add(&f, 1, 10);
    assert_false(sl_spans_raise_checkpoint(&f.spans, a, 9));
    assert_false(sl_spans_raise_checkpoint(&f.spans, a, 10));
    assert_false(sl_spans_raise_checkpoint(&f.spans, a, SL_TS_NONE));
    assert_false(sl_spans_raise_checkpoint(&f.spans, a, SL_TS_MAX));
    sl_assert_u64(sl_spans_limit(&f.spans), 10);
    assert_true(sl_spans_raise_checkpoint(&f.spans, a, 11));
    sl_assert_u64(sl_spans_limit(&f.spans), 11);
    teardown(&f);
}

static void every_failing_allocation_leaves_the_table_as_it_was(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= 400; nth++) {
        struct fixture f;
        setup(&f, 1000);
        f.mem.fail_at = nth;
        uint32_t added = 0, refused = 0;
        for (uint32_t i = 0; i < 300; i++) {
            const struct sl_span_desc desc = i % 3 == 0 ? part(i, 1000 + i, "a", "b") : table(i + 1000, 1);
            uint32_t handle;
            enum sl_code code = sl_spans_add(&f.spans, &desc, &handle);
            added += code == SL_OK;
            refused += code == SL_NOMEM;
            if (code == SL_NOMEM)
                sl_spans_check(&f.spans);
        }
        sl_assert_u64(added + refused, 300);
        sl_assert_u64(f.spans.slab.count, added);
        assert_true(refused <= 1);
        /* What was added can go anywhere without asking for memory. */
        f.mem.fail_at = 1;
        for (uint32_t h = 1; h <= added; h++)
            sl_spans_bind(&f.spans, h, N1);
        teardown(&f);
    }
}

static void random_walk_step(struct fixture *f, struct sl_prng *p, uint32_t handle)
{
    struct sl_span *span = sl_spans_at(&f->spans, handle);
    switch (sl_prng_below(p, 6)) {
    case 0:
        sl_spans_mark_absent(&f->spans, handle);
        return;
    case 1:
        sl_spans_bind(&f->spans, handle, (sl_node_ref)(1 + sl_prng_below(p, NODES)));
        return;
    case 2:
        if (span->node != SL_NODE_NONE)
            sl_spans_mark_replicating(&f->spans, handle);
        return;
    case 3:
        if (span->node != SL_NODE_NONE)
            sl_spans_mark_scheduling(&f->spans, handle);
        return;
    case 4:
        sl_spans_set_operator(&f->spans, handle, span->operator_handle != 0 ? 0 : 9);
        return;
    case 5:
        sl_spans_raise_checkpoint(&f->spans, handle, sl_prng_below(p, 1000));
        return;
    }
}

static void a_random_walk_keeps_every_index_and_counter(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 64);
    struct sl_prng p;
    sl_prng_init(&p, 11);
    for (uint32_t i = 0; i < 20000; i++) {
        int64_t table_id = 1 + (int64_t)sl_prng_below(&p, 64);
        uint32_t handle = sl_spans_of_table(&f.spans, table_id);
        if (handle == 0)
            add(&f, table_id, 1 + sl_prng_below(&p, 100));
        else if (sl_prng_chance(&p, 1, 20) && sl_spans_at(&f.spans, handle)->operator_handle == 0)
            sl_spans_drop(&f.spans, handle);
        else
            random_walk_step(&f, &p, handle);
        if (i % 16 == 0)
            sl_spans_check(&f.spans);
    }
    teardown(&f);
}

static void a_million_replicating_spans_cost_at_most_180_bytes_each(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 2000000);
    for (int64_t i = 1; i <= 1000000; i++) {
        const struct sl_span_desc desc = table(i, 1);
        uint32_t handle;
        assert_int_equal(sl_spans_add(&f.spans, &desc, &handle), SL_OK);
        sl_spans_bind(&f.spans, handle, N1);
        sl_spans_mark_replicating(&f.spans, handle);
    }
    size_t each = sl_spans_bytes(&f.spans) / 1000000;
    print_message("%zu bytes per span\n", each);
    assert_true(each <= 180);
    sl_assert_u64(f.mem.live_bytes, sl_spans_bytes(&f.spans) + sl_load_bytes(&f.load));
    sl_spans_deinit(&f.spans);
    sl_load_deinit(&f.load);
    sl_mem_deinit(&f.mem);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_is_the_minimum_over_absent_and_scheduling_spans),
        cmocka_unit_test(a_span_marked_absent_is_bound_to_no_node),
        cmocka_unit_test(idle_lists_hold_replicating_spans_without_operator_in_order),
        cmocka_unit_test(an_id_exists_once),
        cmocka_unit_test(spans_of_a_table_do_not_overlap),
        cmocka_unit_test(a_whole_table_and_a_part_of_it_exclude_each_other),
        cmocka_unit_test(keys_are_copied_and_bounded),
        cmocka_unit_test(spans_of_a_table_are_listed_in_order_of_creation),
        cmocka_unit_test(a_full_table_refuses_and_changes_nothing),
        cmocka_unit_test(a_checkpoint_rises_only_and_unknown_ones_do_not_count),
        cmocka_unit_test(every_failing_allocation_leaves_the_table_as_it_was),
        cmocka_unit_test(a_random_walk_keeps_every_index_and_counter),
        cmocka_unit_test(a_million_replicating_spans_cost_at_most_180_bytes_each),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
