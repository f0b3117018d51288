/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/poison.h"
#include "base/prng.h"
#include "tests/support/sl_death.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

struct fixture {
    struct sl_mem mem;
    struct sl_arena arena;
};

static struct fixture *fixture_begin(struct fixture *f, size_t bytes_max)
{
    static const char *const names[] = { "arena" };
    sl_mem_init(&f->mem, &(struct sl_mem_opts){ .tag_names = names, .tag_count = 1 });
    sl_arena_init(&f->arena, &f->mem, 0, bytes_max);
    return f;
}

static void fixture_end(struct fixture *f)
{
    sl_arena_deinit(&f->arena);
    sl_mem_deinit(&f->mem);
}

static void init_and_deinit_allocate_nothing(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f, 100);
    sl_arena_reset(&f.arena);
    sl_assert_u64(f.mem.calls, 0);
    fixture_end(&f);
    sl_assert_aborts(sl_arena_init(&f.arena, &f.mem, 0, 0), "bytes_max > 0");
}

static void allocations_are_aligned_and_apart(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, 64 * KIB)->arena;
    char *last = sl_arena_alloc(a, 1);
    for (size_t size = 1; size < 200; size++) {
        char *p = sl_arena_alloc(a, size);
        sl_assert_u64((uintptr_t)p % 16, 0);
        memset(p, (int)size, size);
        assert_ptr_not_equal(p, last);
        last = p;
    }
    fixture_end(&f);
}

static void empty_allocations_are_unique(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, 64)->arena;
    void *first = sl_arena_alloc(a, 0), *second = sl_arena_alloc(a, 0);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    fixture_end(&f);
}

static void cap_is_exact_and_a_refusal_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, 1000)->arena; /* 1008 in steps of 16 */
    assert_non_null(sl_arena_alloc(a, 900));
    assert_null(sl_arena_alloc(a, 97));
    assert_null(sl_arena_alloc(a, SIZE_MAX));
    assert_null(sl_arena_alloc(a, SIZE_MAX - 15));
    sl_assert_u64(a->used_bytes, 912);
    assert_non_null(sl_arena_alloc(a, 96));
    assert_null(sl_arena_alloc(a, 0));
    sl_arena_reset(a);
    assert_non_null(sl_arena_alloc(a, 1000));
    fixture_end(&f);
}

static void a_cap_without_bound_still_refuses_impossible_sizes(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, SIZE_MAX)->arena;
    for (size_t less = 0; less < 64; less++)
        assert_null(sl_arena_alloc(a, SIZE_MAX - less));
    sl_assert_u64(a->used_bytes, 0);
    assert_non_null(sl_arena_alloc(a, 1));
    assert_null(sl_arena_alloc(a, SIZE_MAX));
    fixture_end(&f);
}

static void a_small_cap_takes_little_from_the_heap(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, 256)->arena;
    assert_non_null(sl_arena_alloc(a, 10));
    assert_true(f.mem.live_bytes <= 256 + 64);
    fixture_end(&f);
}

static void chunks_double_so_that_few_are_needed(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, 4 * MIB)->arena;
    assert_non_null(sl_arena_alloc(a, 64));
    sl_assert_u64(f.mem.live_bytes, 4 * KIB);
    for (int i = 0; i < MIB / 64; i++)
        assert_non_null(sl_arena_alloc(a, 64));
    assert_in_range(f.mem.calls, 7, 11); /* 4 to 256 KiB are 508 KiB, then 256 KiB each */
    fixture_end(&f);
}

static void a_request_larger_than_a_chunk_gets_its_own(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, 4 * MIB)->arena;
    char *small = sl_arena_alloc(a, 16);
    memset(small, 's', 16);
    char *large = sl_arena_alloc(a, 3 * MIB);
    memset(large, 'l', 3 * MIB);
    char *next = sl_arena_alloc(a, 16);
    memset(next, 'n', 16);
    sl_assert_mem(small, "ssssssssssssssss", 16);
    assert_true(large[0] == 'l' && large[3 * MIB - 1] == 'l');
    fixture_end(&f);
}

/* A mix of sizes that crosses chunk borders, ends chunks early and needs large ones. */
static void use_arena(struct sl_arena *a, uint64_t seed, int count)
{
    struct sl_prng p;
    sl_prng_init(&p, seed);
    for (int i = 0; i < count; i++) {
        size_t size = (size_t)sl_prng_below(&p, sl_prng_chance(&p, 1, 20) ? 40000 : 300);
        char *memory = sl_arena_alloc(a, size);
        assert_non_null(memory);
        memset(memory, 'u', size);
    }
}

static void a_warm_arena_does_not_allocate(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, 8 * MIB)->arena;
    use_arena(a, 5, 300);
    assert_true(f.mem.live_bytes < MIB);
    uint64_t calls = f.mem.calls;
    for (int round = 0; round < 10; round++) {
        sl_arena_reset(a);
        sl_assert_u64(a->used_bytes, 0);
        use_arena(a, 5, 300);
    }
    sl_assert_u64(f.mem.calls, calls);
    fixture_end(&f);
}

static void reset_returns_what_exceeds_a_mebibyte(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, 16 * MIB)->arena;
    for (uint64_t round = 0; round < 20; round++) {
        use_arena(a, round, 2000);
        assert_non_null(sl_arena_alloc(a, 2 * MIB));
        sl_arena_reset(a);
        assert_in_range(f.mem.live_bytes, 1, MIB);
    }
    fixture_end(&f);
}

static void a_failed_chunk_leaves_the_arena_usable(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, MIB)->arena;
    for (uint64_t n = 1; n <= 5; n++) {
        sl_arena_deinit(a); /* cold again: a warm arena would not ask */
        f.mem.fail_at = n;
        size_t used_bytes = 0;
        while (f.mem.fail_at > 0) {
            size_t live_bytes = f.mem.live_bytes;
            void *p = sl_arena_alloc(a, 1000);
            assert_int_equal(p == NULL, f.mem.fail_at == 0);
            used_bytes += p ? 1008 : 0;
            sl_assert_u64(a->used_bytes, used_bytes);
            if (!p)
                sl_assert_u64(f.mem.live_bytes, live_bytes);
        }
        assert_non_null(sl_arena_alloc(a, 1000));
    }
    fixture_end(&f);
}

static void memory_after_reset_is_poisoned_in_sanitizer_builds(void **state)
{
    (void)state;
#ifdef SL_POISON
    struct fixture f;
    struct sl_arena *a = &fixture_begin(&f, KIB)->arena;
    char *p = sl_arena_alloc(a, 20);
    assert_false(__asan_address_is_poisoned(p));
    assert_true(__asan_address_is_poisoned(p + 32));
    sl_arena_reset(a);
    assert_true(__asan_address_is_poisoned(p));
    fixture_end(&f);
#else
    skip();
#endif
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_and_deinit_allocate_nothing),
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(empty_allocations_are_unique),
        cmocka_unit_test(cap_is_exact_and_a_refusal_changes_nothing),
        cmocka_unit_test(a_cap_without_bound_still_refuses_impossible_sizes),
        cmocka_unit_test(a_small_cap_takes_little_from_the_heap),
        cmocka_unit_test(chunks_double_so_that_few_are_needed),
        cmocka_unit_test(a_request_larger_than_a_chunk_gets_its_own),
        cmocka_unit_test(a_warm_arena_does_not_allocate),
        cmocka_unit_test(reset_returns_what_exceeds_a_mebibyte),
        cmocka_unit_test(a_failed_chunk_leaves_the_arena_usable),
        cmocka_unit_test(memory_after_reset_is_poisoned_in_sanitizer_builds),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
