/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/prng.h"
#include "tests/support/sl_death.h"

enum { TAG_FEED, TAG_QUEUE, TAG_COUNT };

static const char *const tag_names[] = { "feed", "queue" };

static struct sl_mem mem_with_budget(size_t budget_bytes)
{
    struct sl_mem m;
    sl_mem_init(&m, &(struct sl_mem_opts){
                        .budget_bytes = budget_bytes,
                        .tag_names = tag_names,
                        .tag_count = TAG_COUNT,
                    });
    return m;
}

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static void allocated_memory_is_zero_and_counted_by_tag(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(0);
    void *a = sl_mem_alloc(&m, TAG_FEED, 100);
    void *b = sl_mem_alloc(&m, TAG_QUEUE, 30);
    assert_true(all_zero(a, 100));
    sl_assert_u64(m.tag_bytes[TAG_FEED], 100);
    sl_assert_u64(m.tag_bytes[TAG_QUEUE], 30);
    sl_assert_u64(m.live_bytes, 130);
    sl_mem_free(&m, TAG_FEED, a, 100);
    sl_assert_u64(m.live_bytes, 30);
    sl_assert_u64(m.peak_bytes, 130);
    sl_mem_free(&m, TAG_QUEUE, b, 30);
    sl_assert_u64(m.calls, 2);
    sl_mem_deinit(&m);
}

static void resize_keeps_contents_and_zeroes_the_rest(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(0);
    char *p = sl_mem_resize(&m, TAG_FEED, NULL, 0, 4);
    memcpy(p, "abcd", 4);
    p = sl_mem_resize(&m, TAG_FEED, p, 4, 5000);
    sl_assert_mem(p, "abcd", 4);
    assert_true(all_zero((unsigned char *)p + 4, 4996));
    p = sl_mem_resize(&m, TAG_FEED, p, 5000, 2);
    sl_assert_mem(p, "ab", 2);
    sl_assert_u64(m.live_bytes, 2);
    sl_mem_free(&m, TAG_FEED, p, 2);
    sl_mem_deinit(&m);
}

static void budget_refuses_what_exceeds_it_by_one_byte(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(100);
    void *a = sl_mem_alloc(&m, TAG_FEED, 60);
    assert_non_null(a);
    assert_null(sl_mem_alloc(&m, TAG_QUEUE, 41));
    void *b = sl_mem_alloc(&m, TAG_QUEUE, 40);
    assert_non_null(b);
    assert_null(sl_mem_resize(&m, TAG_FEED, a, 60, 61));
    sl_assert_u64(m.live_bytes, 100);
    a = sl_mem_resize(&m, TAG_FEED, a, 60, 59);
    assert_non_null(a);
    sl_mem_free(&m, TAG_FEED, a, 59);
    sl_mem_free(&m, TAG_QUEUE, b, 40);
    sl_mem_deinit(&m);
}

static void impossible_sizes_are_refused_without_overflow(void **state)
{
    (void)state;
    struct sl_mem unlimited = mem_with_budget(0), limited = mem_with_budget(1000);
    void *a = sl_mem_alloc(&unlimited, TAG_FEED, 8), *b = sl_mem_alloc(&limited, TAG_FEED, 8);
    assert_null(sl_mem_alloc(&unlimited, TAG_FEED, SIZE_MAX));
    assert_null(sl_mem_alloc(&unlimited, TAG_FEED, (size_t)PTRDIFF_MAX));
    assert_null(sl_mem_alloc(&limited, TAG_FEED, SIZE_MAX));
    assert_null(sl_mem_resize(&limited, TAG_FEED, b, 8, SIZE_MAX));
    sl_assert_u64(unlimited.live_bytes, 8);
    sl_assert_u64(limited.live_bytes, 8);
    sl_mem_free(&unlimited, TAG_FEED, a, 8);
    sl_mem_free(&limited, TAG_FEED, b, 8);
}

static void failed_resize_leaves_the_block_with_its_owner(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(0);
    char *p = sl_mem_alloc(&m, TAG_FEED, 4);
    memcpy(p, "abcd", 4);
    m.fail_at = 1;
    assert_null(sl_mem_resize(&m, TAG_FEED, p, 4, 8));
    sl_assert_mem(p, "abcd", 4);
    sl_assert_u64(m.live_bytes, 4);
    sl_mem_free(&m, TAG_FEED, p, 4);
    sl_mem_deinit(&m);
}

static void torture_fails_exactly_the_nth_call_once(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(0);
    for (uint64_t n = 1; n <= 5; n++) {
        m.fail_at = n;
        for (uint64_t call = 1; call <= 8; call++) {
            void *p = call % 2 ? sl_mem_alloc(&m, TAG_FEED, 16) : sl_mem_resize(&m, TAG_FEED, NULL, 0, 16);
            assert_int_equal(p == NULL, call == n);
            sl_mem_free(&m, TAG_FEED, p, 16);
        }
        sl_assert_u64(m.fail_at, 0);
    }
    sl_assert_u64(m.calls, 40);
    sl_mem_deinit(&m);
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(0);
    sl_mem_free(&m, TAG_FEED, NULL, 0);
    sl_mem_free(&m, TAG_FEED, NULL, 99);
    sl_mem_deinit(&m);
}

static void wrong_bookkeeping_is_our_bug(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(0);
    void *p = sl_mem_alloc(&m, TAG_FEED, 16);
    sl_assert_aborts(sl_mem_free(&m, TAG_FEED, p, 17), "tag_bytes[tag] >= size");
    sl_assert_aborts(sl_mem_free(&m, TAG_QUEUE, p, 16), "tag_bytes[tag] >= size");
    sl_assert_aborts(sl_mem_free(&m, TAG_COUNT, p, 16), "tag < m->opts.tag_count");
    sl_assert_aborts(sl_mem_free(&m, TAG_FEED, p, 0), "size > 0");
    sl_assert_aborts(sl_mem_alloc(&m, TAG_FEED, 0), "new_size > 0");
    sl_assert_aborts(sl_mem_alloc(&m, TAG_COUNT, 1), "tag < m->opts.tag_count");
    sl_assert_aborts(sl_mem_resize(&m, TAG_FEED, p, 17, 20), "tag_bytes[tag] >= old_size");
    sl_assert_aborts(sl_mem_resize(&m, TAG_FEED, NULL, 1, 20), "(ptr != NULL) == (old_size > 0)");
    sl_mem_free(&m, TAG_FEED, p, 16);
    sl_mem_deinit(&m);
}

static void a_leak_is_reported_with_the_name_of_its_tag(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(0);
    void *p = sl_mem_alloc(&m, TAG_QUEUE, 24);
    sl_assert_aborts(sl_mem_deinit(&m), "tag 1 (queue) still has 24 bytes");
    sl_mem_free(&m, TAG_QUEUE, p, 24);
    sl_mem_deinit(&m);
}

struct block {
    unsigned char *ptr;
    size_t size;
    uint32_t tag;
};

/* Counters against the sum over the blocks that the test holds. */
static void assert_accounting(const struct sl_mem *m, const struct block *blocks, size_t count)
{
    size_t bytes[TAG_COUNT] = { 0 };
    for (size_t i = 0; i < count; i++)
        bytes[blocks[i].tag] += blocks[i].size;
    sl_assert_u64(m->tag_bytes[TAG_FEED], bytes[TAG_FEED]);
    sl_assert_u64(m->tag_bytes[TAG_QUEUE], bytes[TAG_QUEUE]);
    sl_assert_u64(m->live_bytes, bytes[TAG_FEED] + bytes[TAG_QUEUE]);
}

static void accounting_stays_exact_under_random_calls(void **state)
{
    (void)state;
    struct sl_mem m = mem_with_budget(4000);
    struct sl_prng p;
    struct block blocks[20] = { 0 };
    sl_prng_init(&p, 11);
    for (int i = 0; i < 5000; i++) {
        struct block *b = &blocks[sl_prng_below(&p, 20)];
        size_t size = (size_t)sl_prng_below(&p, 500) + 1;
        if (sl_prng_chance(&p, 1, 10))
            m.fail_at = sl_prng_below(&p, 3) + 1;
        if (b->ptr && sl_prng_chance(&p, 1, 3)) {
            sl_mem_free(&m, b->tag, b->ptr, b->size);
            *b = (struct block){ .tag = (uint32_t)sl_prng_below(&p, TAG_COUNT) };
        } else {
            unsigned char *ptr = sl_mem_resize(&m, b->tag, b->ptr, b->size, size);
            if (ptr)
                *b = (struct block){ .ptr = ptr, .size = size, .tag = b->tag };
        }
        assert_accounting(&m, blocks, 20);
        assert_true(m.peak_bytes <= 4000);
    }
    for (size_t i = 0; i < 20; i++)
        sl_mem_free(&m, blocks[i].tag, blocks[i].ptr, blocks[i].size);
    sl_mem_deinit(&m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocated_memory_is_zero_and_counted_by_tag),
        cmocka_unit_test(resize_keeps_contents_and_zeroes_the_rest),
        cmocka_unit_test(budget_refuses_what_exceeds_it_by_one_byte),
        cmocka_unit_test(impossible_sizes_are_refused_without_overflow),
        cmocka_unit_test(failed_resize_leaves_the_block_with_its_owner),
        cmocka_unit_test(torture_fails_exactly_the_nth_call_once),
        cmocka_unit_test(freeing_nothing_is_allowed),
        cmocka_unit_test(wrong_bookkeeping_is_our_bug),
        cmocka_unit_test(a_leak_is_reported_with_the_name_of_its_tag),
        cmocka_unit_test(accounting_stays_exact_under_random_calls),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
