/* SPDX-License-Identifier: Apache-2.0 */
#include "base/poison.h"
#include "base/prng.h"
#include "base/slab.h"
#include "tests/support/sl_death.h"

/* Odd size on purpose: the slab rounds it up. */
struct item {
    uint32_t id;
    char bytes[15];
};

struct fixture {
    struct sl_mem mem;
    struct sl_slab slab;
};

static struct sl_slab *fixture_begin(struct fixture *f, uint32_t count_max)
{
    static const char *const names[] = { "slab" };
    sl_mem_init(&f->mem, &(struct sl_mem_opts){ .tag_names = names, .tag_count = 1 });
    sl_slab_init(&f->slab, &f->mem, 0, sizeof(struct item), count_max);
    return &f->slab;
}

static void fixture_end(struct fixture *f)
{
    sl_assert_u64(sl_slab_bytes(&f->slab), f->mem.live_bytes);
    sl_slab_deinit(&f->slab);
    sl_mem_deinit(&f->mem);
}

static uint32_t new_item(struct sl_slab *s)
{
    uint32_t handle = 0;
    assert_non_null(sl_slab_new(s, &handle));
    return handle;
}

static void init_allocates_nothing_and_nothing_is_live(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, 10);
    sl_assert_u64(f.mem.calls, 0);
    sl_assert_u64(sl_slab_next(s, 0), 0);
    assert_false(sl_slab_is_live(s, 0));
    assert_false(sl_slab_is_live(s, 1));
    assert_false(sl_slab_is_live(s, UINT32_MAX));
    fixture_end(&f);
}

static void new_objects_are_zero_even_when_reused(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, 10);
    const struct item zero = { 0 };
    for (int i = 0; i < 5; i++) {
        uint32_t handle;
        struct item *it = sl_slab_new(s, &handle);
        sl_assert_mem(it, &zero, sizeof zero);
        sl_assert_u64((uintptr_t)it % 8, 0);
        memset(it, 0xff, sizeof *it);
        sl_slab_free(s, handle);
    }
    sl_assert_u64(s->high_water, 1);
    fixture_end(&f);
}

static void handles_count_up_and_are_reused_last_freed_first(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, 10);
    for (uint32_t expected = 1; expected <= 4; expected++)
        sl_assert_u64(new_item(s), expected);
    sl_slab_free(s, 2);
    sl_slab_free(s, 4);
    sl_slab_free(s, 1);
    sl_assert_u64(new_item(s), 1);
    sl_assert_u64(new_item(s), 4);
    sl_assert_u64(new_item(s), 2);
    sl_assert_u64(new_item(s), 5);
    fixture_end(&f);
}

static void count_max_is_hard_and_a_refusal_changes_nothing(void **state)
{
    (void)state;
    const uint32_t limits[] = { 0, 1, 255, 256, 257, 600 };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct fixture f;
        struct sl_slab *s = fixture_begin(&f, limits[i]);
        uint32_t handle = 77;
        for (uint32_t n = 0; n < limits[i]; n++)
            new_item(s);
        assert_null(sl_slab_new(s, &handle));
        sl_assert_u64(handle, 0);
        sl_assert_u64(s->count, limits[i]);
        if (limits[i] > 0) {
            sl_slab_free(s, limits[i]);
            sl_assert_u64(new_item(s), limits[i]);
        }
        fixture_end(&f);
    }
}

static void pointers_stay_while_the_slab_grows(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static struct item *at[COUNT + 1];
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, COUNT);
    for (uint32_t h = 1; h <= COUNT; h++) {
        uint32_t handle;
        at[h] = sl_slab_new(s, &handle);
        at[h]->id = handle;
    }
    for (uint32_t h = 1; h <= COUNT; h++) {
        assert_ptr_equal(sl_slab_at(s, h), at[h]);
        sl_assert_u64(at[h]->id, h);
    }
    fixture_end(&f);
}

static void bookkeeping_costs_less_than_half_a_byte_per_object(void **state)
{
    (void)state;
    enum { COUNT = 100000, ITEM_BYTES = 24 };
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, COUNT);
    for (uint32_t n = 0; n < COUNT; n++)
        new_item(s);
    sl_assert_u64(s->item_bytes, ITEM_BYTES);
    sl_assert_u64(sl_slab_bytes(s), f.mem.live_bytes);
    assert_in_range(sl_slab_bytes(s), COUNT * ITEM_BYTES, COUNT * ITEM_BYTES + COUNT / 2);
    fixture_end(&f);
}

static void a_small_limit_takes_no_full_chunk(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, 3);
    new_item(s);
    assert_true(f.mem.live_bytes <= 3 * 24 + 64);
    fixture_end(&f);
}

static void walk_visits_live_handles_in_order(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, 1000);
    for (uint32_t h = 1; h <= 1000; h++)
        new_item(s);
    for (uint32_t h = 1; h <= 1000; h++) {
        if (h % 300 != 0)
            sl_slab_free(s, h);
    }
    sl_assert_u64(sl_slab_next(s, 0), 300);
    sl_assert_u64(sl_slab_next(s, 299), 300);
    sl_assert_u64(sl_slab_next(s, 300), 600);
    sl_assert_u64(sl_slab_next(s, 600), 900);
    sl_assert_u64(sl_slab_next(s, 900), 0);
    sl_assert_u64(sl_slab_next(s, 1000), 0);
    sl_assert_u64(sl_slab_next(s, UINT32_MAX), 0);
    fixture_end(&f);
}

static void use_of_a_dead_handle_is_our_bug(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, 10);
    uint32_t handle = new_item(s);
    sl_assert_aborts(sl_slab_free(s, 0), "sl_slab_is_live");
    sl_assert_aborts(sl_slab_free(s, handle + 1), "sl_slab_is_live");
    sl_slab_free(s, handle);
    sl_assert_aborts(sl_slab_free(s, handle), "sl_slab_is_live");
#ifndef NDEBUG
    sl_assert_aborts(sl_slab_at(s, handle), "sl_slab_is_live");
#endif
    fixture_end(&f);
}

static void a_dead_object_is_poisoned_in_sanitizer_builds(void **state)
{
    (void)state;
#ifdef SL_POISON
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, 10);
    uint32_t handle;
    struct item *it = sl_slab_new(s, &handle);
    assert_false(__asan_address_is_poisoned(&it->bytes[10]));
    sl_slab_free(s, handle);
    assert_true(__asan_address_is_poisoned(&it->bytes[10]));
    new_item(s);
    assert_false(__asan_address_is_poisoned(&it->bytes[10]));
    fixture_end(&f);
#else
    skip();
#endif
}

static void a_failed_allocation_at_any_call_leaves_the_slab_as_it_was(void **state)
{
    (void)state;
    enum { COUNT = 1500 }; /* six chunks, two tables */
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        struct fixture f;
        struct sl_slab *s = fixture_begin(&f, COUNT);
        f.mem.fail_at = n;
        failed = false;
        while (s->count < COUNT) {
            uint32_t handle, before = s->count, expected = s->high_water + 1;
            if (sl_slab_new(s, &handle)) {
                sl_assert_u64(handle, expected);
                continue;
            }
            failed = true;
            sl_assert_u64(handle, 0);
            sl_assert_u64(s->count, before);
            sl_assert_u64(sl_slab_bytes(s), f.mem.live_bytes);
            assert_false(sl_slab_is_live(s, expected));
        }
        fixture_end(&f);
    }
    sl_assert_u64(n, 8 + 2); /* eight calls to fail, and one round without */
}

/* The naive model: which handles live, and a stack of the dead. */
struct model {
    bool live[2001];
    uint32_t dead[2000], dead_count, high_water, count;
};

static uint32_t model_new(struct model *m)
{
    uint32_t handle = m->dead_count > 0 ? m->dead[--m->dead_count] : ++m->high_water;
    m->live[handle] = true;
    m->count++;
    return handle;
}

static void model_free(struct model *m, uint32_t handle)
{
    m->live[handle] = false;
    m->dead[m->dead_count++] = handle;
    m->count--;
}

static void assert_walk_equals(const struct sl_slab *s, const struct model *m)
{
    uint32_t walked = 0;
    for (uint32_t h = 1; h <= 2000; h++) {
        assert_int_equal(sl_slab_is_live(s, h), m->live[h]);
        if (!m->live[h])
            continue;
        walked = sl_slab_next(s, walked);
        sl_assert_u64(walked, h);
        sl_assert_u64(((const struct item *)sl_slab_at(s, h))->id, h);
    }
    sl_assert_u64(sl_slab_next(s, walked), 0);
}

static void random_calls_agree_with_a_naive_model(void **state)
{
    (void)state;
    static struct model m;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f, 2000);
    struct sl_prng p;
    sl_prng_init(&p, 17);
    memset(&m, 0, sizeof m);
    uint32_t percent_new = 50;
    for (int i = 0; i < 40000; i++) {
        if (i % 2000 == 0) { /* phases of growth and of shrinking */
            percent_new = (uint32_t)sl_prng_between(&p, 20, 80);
            assert_walk_equals(s, &m);
        }
        if (sl_prng_chance(&p, percent_new, 100)) {
            uint32_t handle;
            struct item *it = sl_slab_new(s, &handle);
            assert_int_equal(it == NULL, m.count == 2000);
            if (it) {
                sl_assert_u64(handle, model_new(&m));
                it->id = handle;
            }
        } else {
            uint32_t handle = (uint32_t)sl_prng_between(&p, 1, 2000);
            if (m.live[handle]) {
                sl_slab_free(s, handle);
                model_free(&m, handle);
            }
        }
        sl_assert_u64(s->count, m.count);
    }
    assert_walk_equals(s, &m);
    fixture_end(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_allocates_nothing_and_nothing_is_live),
        cmocka_unit_test(new_objects_are_zero_even_when_reused),
        cmocka_unit_test(handles_count_up_and_are_reused_last_freed_first),
        cmocka_unit_test(count_max_is_hard_and_a_refusal_changes_nothing),
        cmocka_unit_test(pointers_stay_while_the_slab_grows),
        cmocka_unit_test(bookkeeping_costs_less_than_half_a_byte_per_object),
        cmocka_unit_test(a_small_limit_takes_no_full_chunk),
        cmocka_unit_test(walk_visits_live_handles_in_order),
        cmocka_unit_test(use_of_a_dead_handle_is_our_bug),
        cmocka_unit_test(a_dead_object_is_poisoned_in_sanitizer_builds),
        cmocka_unit_test(a_failed_allocation_at_any_call_leaves_the_slab_as_it_was),
        cmocka_unit_test(random_calls_agree_with_a_naive_model),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
