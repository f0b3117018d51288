/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/map.h"
#include "base/prng.h"
#include "tests/support/sl_death.h"

enum { OBJECTS = 3000 };

typedef uint64_t hash_of_key(uint64_t key);

/* Objects 1 .. OBJECTS; key 0 is "not in the map". */
struct fixture {
    struct sl_mem mem;
    struct sl_map map;
    uint64_t keys[OBJECTS + 1];
    uint64_t eq_calls;
};

static bool fixture_eq(const void *ctx, uint32_t handle, const void *key)
{
    struct fixture *f = *(struct fixture *const *)ctx;
    f->eq_calls++;
    return f->keys[handle] == *(const uint64_t *)key;
}

static struct fixture the_fixture;
static struct fixture *const the_ctx = &the_fixture;

static struct fixture *fixture_begin(uint32_t count_max)
{
    static const char *const names[] = { "map" };
    struct fixture *f = &the_fixture;
    memset(f, 0, sizeof *f);
    sl_mem_init(&f->mem, &(struct sl_mem_opts){ .tag_names = names, .tag_count = 1 });
    sl_map_init(&f->map, &f->mem, 0, count_max, fixture_eq, &the_ctx);
    return f;
}

static void fixture_end(struct fixture *f)
{
    sl_assert_u64(sl_map_bytes(&f->map), f->mem.live_bytes);
    sl_map_deinit(&f->map);
    sl_mem_deinit(&f->mem);
}

static uint64_t strong_hash(uint64_t key)
{
    return sl_hash_u64(1, key);
}

/* Sixteen values that want neighbouring slots: long probes, and equal 32-bit hashes. */
static uint64_t weak_hash(uint64_t key)
{
    return key % 16;
}

/* All keys want the last slots: probes wrap around the end. */
static uint64_t last_slot_hash(uint64_t key)
{
    return UINT32_MAX - key % 3;
}

static bool add(struct fixture *f, hash_of_key *hash, uint32_t handle, uint64_t key)
{
    f->keys[handle] = key;
    bool added = sl_map_add(&f->map, hash(key), handle);
    if (!added)
        f->keys[handle] = 0;
    return added;
}

static void take_out(struct fixture *f, hash_of_key *hash, uint32_t handle)
{
    sl_map_remove(&f->map, hash(f->keys[handle]), handle);
    f->keys[handle] = 0;
}

static uint32_t find(struct fixture *f, hash_of_key *hash, uint64_t key)
{
    return sl_map_find(&f->map, hash(key), &key);
}

static void an_empty_map_finds_nothing_and_allocates_nothing(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(10);
    sl_assert_u64(find(f, strong_hash, 5), 0);
    sl_assert_u64(f->mem.calls, 0);
    fixture_end(f);
}

static void what_was_added_is_found_until_removed(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(10);
    assert_true(add(f, strong_hash, 1, 100));
    assert_true(add(f, strong_hash, 2, 200));
    sl_assert_u64(find(f, strong_hash, 100), 1);
    sl_assert_u64(find(f, strong_hash, 200), 2);
    take_out(f, strong_hash, 1);
    sl_assert_u64(find(f, strong_hash, 100), 0);
    sl_assert_u64(find(f, strong_hash, 200), 2);
    assert_true(add(f, strong_hash, 3, 100));
    sl_assert_u64(find(f, strong_hash, 100), 3);
    fixture_end(f);
}

static void equal_hashes_are_told_apart_by_key(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(10);
    assert_true(add(f, weak_hash, 1, 16));
    assert_true(add(f, weak_hash, 2, 32));
    assert_true(add(f, weak_hash, 3, 48));
    take_out(f, weak_hash, 2);
    sl_assert_u64(find(f, weak_hash, 16), 1);
    sl_assert_u64(find(f, weak_hash, 32), 0);
    sl_assert_u64(find(f, weak_hash, 48), 3);
    fixture_end(f);
}

static void keys_are_compared_only_when_the_hash_agrees(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(OBJECTS);
    for (uint32_t h = 1; h <= 1000; h++)
        assert_true(add(f, strong_hash, h, h));
    for (uint64_t key = 1; key <= 1000; key++)
        sl_assert_u64(find(f, strong_hash, key), key);
    assert_in_range(f->eq_calls, 1000, 1001);
    for (uint64_t key = 1001; key <= 2000; key++)
        sl_assert_u64(find(f, strong_hash, key), 0);
    assert_in_range(f->eq_calls, 1000, 1002);
    fixture_end(f);
}

static void count_max_is_hard_and_a_refusal_changes_nothing(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(3);
    for (uint32_t h = 1; h <= 3; h++)
        assert_true(add(f, strong_hash, h, h));
    assert_false(add(f, strong_hash, 4, 4));
    sl_assert_u64(f->map.count, 3);
    sl_assert_u64(find(f, strong_hash, 4), 0);
    take_out(f, strong_hash, 2);
    assert_true(add(f, strong_hash, 4, 4));
    sl_assert_u64(find(f, strong_hash, 4), 4);
    fixture_end(f);
}

static void a_limit_of_zero_refuses_everything(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(0);
    assert_false(add(f, strong_hash, 1, 1));
    sl_assert_u64(f->mem.calls, 0);
    fixture_end(f);
}

static void load_stays_between_a_quarter_and_three_quarters(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(OBJECTS);
    for (uint32_t h = 1; h <= OBJECTS; h++) {
        assert_true(add(f, strong_hash, h, h));
        assert_true(f->map.used * 4 <= f->map.slot_count * 3);
        assert_true(f->map.slot_count == 8 || f->map.count * 4 >= f->map.slot_count);
    }
    sl_assert_u64(sl_map_bytes(&f->map), f->map.slot_count * 8);
    fixture_end(f);
}

/* A queue: the oldest key leaves when a new one comes. Without tidying, deleted slots would fill any table. */
static void steady_coming_and_going_never_grows_the_table(void **state)
{
    (void)state;
    hash_of_key *const hashes[] = { strong_hash, weak_hash, last_slot_hash };
    for (size_t i = 0; i < 3; i++) {
        struct fixture *f = fixture_begin(OBJECTS);
        for (uint32_t h = 1; h <= 100; h++)
            assert_true(add(f, hashes[i], h, h));
        for (uint64_t key = 101; key <= 5000; key++) {
            uint32_t handle = (uint32_t)((key - 1) % 100 + 1);
            take_out(f, hashes[i], handle);
            assert_true(add(f, hashes[i], handle, key));
            assert_true(f->map.slot_count <= 256);
        }
        sl_assert_u64(f->map.count, 100);
        fixture_end(f);
    }
}

static void removing_everything_leaves_no_deleted_slot(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(OBJECTS);
    for (uint32_t h = 1; h <= OBJECTS; h++)
        assert_true(add(f, weak_hash, h, h));
    for (uint32_t h = 1; h <= OBJECTS; h += 2)
        take_out(f, weak_hash, h);
    for (uint32_t h = 2; h <= OBJECTS; h += 2)
        take_out(f, weak_hash, h);
    sl_assert_u64(f->map.used, 0);
    assert_true(add(f, weak_hash, 1, 1));
    sl_assert_u64(find(f, weak_hash, 1), 1);
    fixture_end(f);
}

static void misuse_is_our_bug(void **state)
{
    (void)state;
    struct fixture *f = fixture_begin(10);
    sl_assert_aborts(sl_map_remove(&f->map, strong_hash(1), 1), "m->count > 0");
    assert_true(add(f, strong_hash, 1, 1));
    sl_assert_aborts(sl_map_remove(&f->map, strong_hash(1), 2), "map_is_empty");
    sl_assert_aborts(sl_map_remove(&f->map, strong_hash(2), 1), "map_is_empty");
    sl_assert_aborts(sl_map_remove(&f->map, strong_hash(1), 0), "handle != 0");
    sl_assert_aborts(sl_map_add(&f->map, strong_hash(1), 0), "handle != 0");
    fixture_end(f);
}

static void a_failed_allocation_at_any_call_leaves_the_map_as_it_was(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    uint64_t n = 1;
    for (bool failed = true; failed; n++) {
        struct fixture *f = fixture_begin(COUNT);
        f->mem.fail_at = n;
        failed = false;
        for (uint32_t h = 1; h <= COUNT; h++) {
            if (add(f, strong_hash, h, h))
                continue;
            failed = true;
            sl_assert_u64(f->map.count, h - 1);
            sl_assert_u64(sl_map_bytes(&f->map), f->mem.live_bytes);
            for (uint64_t key = 1; key <= COUNT; key++)
                sl_assert_u64(find(f, strong_hash, key), key < h ? key : 0);
            assert_true(add(f, strong_hash, h, h));
        }
        for (uint64_t key = 1; key <= COUNT; key++)
            sl_assert_u64(find(f, strong_hash, key), key);
        fixture_end(f);
    }
    assert_in_range(n, 6, 9);
}

/* The naive model: handle_of[key], 0 if absent. Keys are 1 .. 4000, so that many are asked for in vain. */
static void run_against_model(hash_of_key *hash, uint64_t seed, int rounds)
{
    enum { KEYS = 4000 };
    static uint32_t handle_of[KEYS + 1];
    struct fixture *f = fixture_begin(OBJECTS);
    struct sl_prng p;
    uint32_t count = 0, percent_add = 50;
    sl_prng_init(&p, seed);
    memset(handle_of, 0, sizeof handle_of);
    for (int i = 0; i < rounds; i++) {
        if (i % 1000 == 0)
            percent_add = (uint32_t)sl_prng_between(&p, 10, 90);
        if (sl_prng_chance(&p, 1, 50))
            f->mem.fail_at = 1;
        uint64_t key = sl_prng_below(&p, KEYS) + 1;
        uint32_t handle = (uint32_t)sl_prng_between(&p, 1, OBJECTS);
        if (sl_prng_chance(&p, percent_add, 100)) {
            if (handle_of[key] == 0 && f->keys[handle] == 0 && add(f, hash, handle, key)) {
                handle_of[key] = handle;
                count++;
            }
        } else if (f->keys[handle] != 0) {
            handle_of[f->keys[handle]] = 0;
            take_out(f, hash, handle);
            count--;
        }
        sl_assert_u64(find(f, hash, key), handle_of[key]);
        sl_assert_u64(f->map.count, count);
    }
    for (uint64_t key = 1; key <= KEYS; key++)
        sl_assert_u64(find(f, hash, key), handle_of[key]);
    fixture_end(f);
}

static void random_calls_agree_with_a_naive_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++)
        run_against_model(strong_hash, seed, 20000);
}

static void random_calls_with_colliding_hashes_agree_with_a_naive_model(void **state)
{
    (void)state;
    run_against_model(weak_hash, 7, 10000);
    run_against_model(last_slot_hash, 8, 10000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_finds_nothing_and_allocates_nothing),
        cmocka_unit_test(what_was_added_is_found_until_removed),
        cmocka_unit_test(equal_hashes_are_told_apart_by_key),
        cmocka_unit_test(keys_are_compared_only_when_the_hash_agrees),
        cmocka_unit_test(count_max_is_hard_and_a_refusal_changes_nothing),
        cmocka_unit_test(a_limit_of_zero_refuses_everything),
        cmocka_unit_test(load_stays_between_a_quarter_and_three_quarters),
        cmocka_unit_test(steady_coming_and_going_never_grows_the_table),
        cmocka_unit_test(removing_everything_leaves_no_deleted_slot),
        cmocka_unit_test(misuse_is_our_bug),
        cmocka_unit_test(a_failed_allocation_at_any_call_leaves_the_map_as_it_was),
        cmocka_unit_test(random_calls_agree_with_a_naive_model),
        cmocka_unit_test(random_calls_with_colliding_hashes_agree_with_a_naive_model),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
