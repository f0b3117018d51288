/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"
#include "base/prng.h"
#include "tests/support/sl_death.h"

enum { VALUES = 500 };

/* Where each value was last told to be, and the naive model of what it should be. */
struct fixture {
    struct sl_mem mem;
    struct sl_heap heap;
    uint32_t position[VALUES];
    uint64_t key[VALUES], seq[VALUES];
    uint64_t seq_next;
};

static void fixture_moved(void *ctx, uint32_t value, uint32_t position)
{
    struct fixture *f = ctx;
    f->position[value] = position;
}

static struct sl_heap *fixture_begin(struct fixture *f, uint32_t count_max)
{
    static const char *const names[] = { "heap" };
    memset(f, 0, sizeof *f);
    sl_mem_init(&f->mem, &(struct sl_mem_opts){ .tag_names = names, .tag_count = 1 });
    sl_heap_init(&f->heap, &f->mem, 0, count_max, fixture_moved, f);
    for (uint32_t v = 0; v < VALUES; v++)
        f->position[v] = SL_HEAP_NOWHERE;
    return &f->heap;
}

static void fixture_end(struct fixture *f)
{
    sl_assert_u64(sl_heap_bytes(&f->heap), f->mem.live_bytes);
    sl_heap_deinit(&f->heap);
    sl_mem_deinit(&f->mem);
}

static bool push(struct fixture *f, uint64_t key, uint32_t value)
{
    if (!sl_heap_push(&f->heap, key, value))
        return false;
    f->key[value] = key;
    f->seq[value] = f->seq_next++;
    return true;
}

static uint32_t pop(struct sl_heap *h)
{
    uint32_t value = sl_heap_peek(h)->value;
    sl_heap_pop(h);
    return value;
}

/* VALUES if there is none. */
static uint32_t model_first(const struct fixture *f)
{
    uint32_t best = VALUES;
    for (uint32_t v = 0; v < VALUES; v++) {
        if (f->position[v] == SL_HEAP_NOWHERE)
            continue;
        if (best == VALUES || f->key[v] < f->key[best] || (f->key[v] == f->key[best] && f->seq[v] < f->seq[best]))
            best = v;
    }
    return best;
}

static void assert_like_model(const struct fixture *f)
{
    const struct sl_heap *h = &f->heap;
    uint32_t count = 0;
    for (uint32_t v = 0; v < VALUES; v++) {
        uint32_t position = f->position[v];
        if (position == SL_HEAP_NOWHERE)
            continue;
        count++;
        assert_true(position < h->count);
        sl_assert_u64(h->items[position].value, v);
        sl_assert_u64(h->items[position].key, f->key[v]);
        sl_assert_u64(h->items[position].seq, f->seq[v]);
    }
    sl_assert_u64(h->count, count);
    uint32_t first = model_first(f);
    if (first == VALUES)
        assert_null(sl_heap_peek(h));
    else
        sl_assert_u64(sl_heap_peek(h)->value, first);
}

static void an_empty_heap_has_no_first_and_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, 10);
    assert_null(sl_heap_peek(h));
    sl_assert_u64(f.mem.calls, 0);
    sl_assert_u64(sl_heap_bytes(h), 0);
    fixture_end(&f);
}

static void keys_come_out_in_order(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, VALUES);
    for (uint32_t v = 0; v < VALUES; v++)
        assert_true(push(&f, (v * 211u) % VALUES, v)); /* 211 and 500 share no factor: a permutation */
    for (uint32_t i = 0; i < VALUES; i++) {
        sl_assert_u64(sl_heap_peek(h)->key, i);
        sl_heap_pop(h);
    }
    assert_null(sl_heap_peek(h));
    fixture_end(&f);
}

static void equal_keys_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, VALUES);
    for (uint32_t v = 0; v < VALUES; v++)
        assert_true(push(&f, v % 3, v));
    for (uint32_t key = 0; key < 3; key++) {
        for (uint32_t v = key; v < VALUES; v += 3)
            sl_assert_u64(pop(h), v);
    }
    fixture_end(&f);
}

static void extreme_keys_are_keys_like_others(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, 3);
    assert_true(push(&f, UINT64_MAX, 0));
    assert_true(push(&f, 0, 1));
    assert_true(push(&f, (uint64_t)INT64_MAX + 1, 2));
    sl_assert_u64(pop(h), 1);
    sl_assert_u64(pop(h), 2);
    sl_assert_u64(pop(h), 0);
    fixture_end(&f);
}

static void count_max_is_hard_and_a_refusal_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, 17);
    for (uint32_t v = 0; v < 17; v++)
        assert_true(push(&f, v, v));
    assert_false(push(&f, 0, 17));
    sl_assert_u64(f.position[17], SL_HEAP_NOWHERE);
    assert_like_model(&f);
    sl_assert_u64(sl_heap_bytes(h), 17 * sizeof(struct sl_heap_item));
    sl_heap_pop(h);
    assert_true(push(&f, 0, 17));
    fixture_end(&f);
}

static void update_keeps_the_place_among_equals(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, 3);
    assert_true(push(&f, 5, 0));
    assert_true(push(&f, 9, 1));
    assert_true(push(&f, 5, 2));
    sl_heap_update(h, f.position[0], 9); /* went in before 1, so before it again */
    sl_assert_u64(pop(h), 2);
    sl_assert_u64(pop(h), 0);
    sl_assert_u64(pop(h), 1);
    fixture_end(&f);
}

static void who_leaves_is_told_nowhere(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, 10);
    for (uint32_t v = 0; v < 6; v++)
        assert_true(push(&f, v, v));
    sl_heap_remove(h, f.position[5]);
    sl_heap_remove(h, f.position[2]);
    sl_heap_pop(h);
    sl_assert_u64(f.position[0], SL_HEAP_NOWHERE);
    sl_assert_u64(f.position[2], SL_HEAP_NOWHERE);
    sl_assert_u64(f.position[5], SL_HEAP_NOWHERE);
    assert_like_model(&f);
    fixture_end(&f);
}

static void the_owner_need_not_be_told(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, 10);
    h->moved = NULL;
    assert_true(sl_heap_push(h, 2, 20));
    assert_true(sl_heap_push(h, 1, 10));
    sl_heap_update(h, 0, 3);
    sl_assert_u64(pop(h), 20);
    sl_assert_u64(pop(h), 10);
    fixture_end(&f);
}

static void reserved_room_cannot_fail(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, 100);
    assert_false(sl_heap_reserve(h, 101));
    f.mem.fail_at = 1;
    assert_false(sl_heap_reserve(h, 100));
    sl_assert_u64(sl_heap_bytes(h), 0);
    assert_true(sl_heap_reserve(h, 100));
    uint64_t calls = f.mem.calls;
    f.mem.fail_at = 1;
    for (uint32_t v = 0; v < 100; v++)
        assert_true(push(&f, v, v));
    assert_true(sl_heap_reserve(h, 50));
    sl_assert_u64(f.mem.calls, calls);
    fixture_end(&f);
}

static void misuse_is_our_bug(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_heap *h = fixture_begin(&f, 10);
    sl_assert_aborts(sl_heap_pop(h), "position < h->count");
    assert_true(push(&f, 1, 1));
    sl_assert_aborts(sl_heap_remove(h, 1), "position < h->count");
    sl_assert_aborts(sl_heap_update(h, SL_HEAP_NOWHERE, 1), "position < h->count");
    sl_assert_aborts(sl_heap_init(h, &f.mem, 0, UINT32_MAX, NULL, NULL), "count_max < SL_HEAP_NOWHERE");
    fixture_end(&f);
}

static void a_failed_allocation_at_any_call_leaves_the_heap_as_it_was(void **state)
{
    (void)state;
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        struct fixture f;
        fixture_begin(&f, VALUES);
        f.mem.fail_at = n;
        failed = false;
        for (uint32_t v = 0; v < VALUES; v++) {
            if (push(&f, VALUES - v, v))
                continue;
            failed = true;
            assert_like_model(&f);
            sl_assert_u64(sl_heap_bytes(&f.heap), f.mem.live_bytes);
            assert_true(push(&f, VALUES - v, v));
        }
        assert_like_model(&f);
        fixture_end(&f);
    }
    sl_assert_u64(n, 6 + 2); /* 16, 32, .. 256, 500, and one round without */
}

static void random_step(struct fixture *f, struct sl_prng *p)
{
    struct sl_heap *h = &f->heap;
    uint32_t value = (uint32_t)sl_prng_below(p, VALUES);
    uint64_t key = sl_prng_below(p, 50); /* few keys, so many equal ones */
    bool is_in = f->position[value] != SL_HEAP_NOWHERE;
    if (!is_in) {
        assert_true(push(f, key, value));
    } else if (sl_prng_chance(p, 1, 3)) {
        f->key[value] = key;
        sl_heap_update(h, f->position[value], key);
    } else if (sl_prng_chance(p, 1, 2)) {
        sl_heap_remove(h, f->position[value]);
        sl_assert_u64(f->position[value], SL_HEAP_NOWHERE);
    } else {
        sl_heap_pop(h);
    }
}

static void random_calls_agree_with_a_naive_model(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f, VALUES);
    struct sl_prng p;
    sl_prng_init(&p, 29);
    for (int i = 0; i < 10000; i++) {
        random_step(&f, &p);
        assert_like_model(&f);
    }
    while (f.heap.count > 0) {
        sl_heap_pop(&f.heap);
        assert_like_model(&f);
    }
    fixture_end(&f);
}

static void same_calls_give_the_same_heap(void **state)
{
    (void)state;
    struct fixture a, b;
    struct sl_prng p, q;
    sl_prng_init(&p, 31);
    sl_prng_init(&q, 31);
    fixture_begin(&a, VALUES);
    fixture_begin(&b, VALUES);
    assert_true(sl_heap_reserve(&b.heap, VALUES)); /* other addresses, other history of growth */
    for (int i = 0; i < 5000; i++) {
        random_step(&a, &p);
        random_step(&b, &q);
    }
    sl_assert_mem(a.position, b.position, sizeof a.position);
    fixture_end(&a);
    fixture_end(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_no_first_and_no_memory),
        cmocka_unit_test(keys_come_out_in_order),
        cmocka_unit_test(equal_keys_come_out_in_the_order_they_went_in),
        cmocka_unit_test(extreme_keys_are_keys_like_others),
        cmocka_unit_test(count_max_is_hard_and_a_refusal_changes_nothing),
        cmocka_unit_test(update_keeps_the_place_among_equals),
        cmocka_unit_test(who_leaves_is_told_nowhere),
        cmocka_unit_test(the_owner_need_not_be_told),
        cmocka_unit_test(reserved_room_cannot_fail),
        cmocka_unit_test(misuse_is_our_bug),
        cmocka_unit_test(a_failed_allocation_at_any_call_leaves_the_heap_as_it_was),
        cmocka_unit_test(random_calls_agree_with_a_naive_model),
        cmocka_unit_test(same_calls_give_the_same_heap),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
