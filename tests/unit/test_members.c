/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "core/common/members.h"
#include "tests/support/sl_test.h"

#include <stdio.h>

enum { NODES_MAX = 4, SEED = 7 };

struct fixture {
    struct sl_mem mem;
    struct sl_members *members;
    const struct sl_members_change *change;
};

static struct sl_node_id node(const char *name)
{
    struct sl_node_id id;
    assert_true(sl_node_id_set(&id, sl_str_of(name)));
    return id;
}

static void setup(struct fixture *f)
{
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    sl_mem_init(&f->mem, &opts);
    struct sl_node_id self = node("n1");
    sl_assert_i64(sl_members_new(&f->members, &f->mem, &self, NODES_MAX, SEED), SL_OK);
}

static void teardown(struct fixture *f)
{
    sl_members_free(f->members);
    sl_mem_deinit(&f->mem);
}

/* Names are one word each, separated by single spaces. */
static uint32_t apply(struct fixture *f, const char *names)
{
    struct sl_node_id ids[16];
    uint32_t count = 0;
    char name[32];
    int used = 0;
    while (sscanf(names, "%31s%n", name, &used) == 1) {
        ids[count++] = node(name);
        names += used;
    }
    return sl_members_apply(f->members, ids, count, &f->change);
}

static sl_node_ref find(const struct fixture *f, const char *name)
{
    return sl_members_find_str(f->members, sl_str_of(name));
}

static void self_is_member_one_from_the_start(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    sl_assert_u64(sl_members_self(f.members), 1);
    sl_assert_u64(find(&f, "n1"), 1);
    sl_assert_u64(sl_members_alive_count(f.members), 1);
    sl_assert_u64(sl_members_ref_max(f.members), NODES_MAX);
    teardown(&f);
}

static void self_stays_a_member_whatever_a_snapshot_says(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    sl_assert_u64(apply(&f, ""), 0);
    sl_assert_u64(f.change->removed_count, 0);
    assert_true(sl_members_is_alive(f.members, 1));
    apply(&f, "n2");
    sl_assert_u64(sl_members_alive_count(f.members), 2);
    sl_assert_u64(find(&f, "n1"), 1);
    teardown(&f);
}

static void a_snapshot_tells_what_was_added_and_removed(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    sl_assert_u64(apply(&f, "n1 n2 n3 n2"), 0);
    sl_assert_u64(f.change->added_count, 2);
    sl_assert_u64(f.change->added[0], find(&f, "n2"));
    sl_assert_u64(f.change->added[1], find(&f, "n3"));
    sl_node_ref n2 = find(&f, "n2");
    sl_assert_u64(apply(&f, "n1 n3"), 0);
    sl_assert_u64(f.change->added_count, 0);
    sl_assert_u64(f.change->removed_count, 1);
    sl_assert_u64(f.change->removed[0], n2);
    assert_false(sl_members_is_alive(f.members, n2));
    sl_assert_u64(find(&f, "n2"), SL_NODE_NONE);
    apply(&f, "n1 n3");
    sl_assert_u64(f.change->added_count + f.change->removed_count, 0);
    teardown(&f);
}

static void a_removed_slot_keeps_its_id_until_it_is_reused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    apply(&f, "n2");
    sl_node_ref n2 = find(&f, "n2");
    apply(&f, "n3");
    assert_true(sl_str_eq(sl_node_id_str(sl_members_id(f.members, n2)), SL_STR("n2")));
    teardown(&f);
}

static void a_slot_is_not_reused_within_the_snapshot_that_frees_it(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    sl_assert_u64(apply(&f, "n2 n3 n4"), 0);
    sl_assert_u64(apply(&f, "n5 n3 n4"), 1);
    sl_assert_u64(f.change->removed_count, 1);
    sl_assert_u64(f.change->added_count, 0);
    sl_node_ref freed = f.change->removed[0];
    sl_assert_u64(apply(&f, "n5 n3 n4"), 0);
    sl_assert_u64(f.change->added_count, 1);
    sl_assert_u64(f.change->added[0], freed);
    teardown(&f);
}

static void the_least_recently_freed_slot_is_reused_first(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    apply(&f, "n2 n3 n4");
    sl_node_ref n2 = find(&f, "n2"), n4 = find(&f, "n4");
    apply(&f, "n2 n3");
    apply(&f, "n3");
    apply(&f, "n3 n5");
    sl_assert_u64(find(&f, "n5"), n4);
    apply(&f, "n3 n5 n6");
    sl_assert_u64(find(&f, "n6"), n2);
    teardown(&f);
}

static void nodes_beyond_the_limit_are_left_out_and_counted(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    sl_assert_u64(apply(&f, "n2 n3 n4 n5 n6"), 2);
    sl_assert_u64(sl_members_alive_count(f.members), NODES_MAX);
    sl_assert_u64(find(&f, "n5"), SL_NODE_NONE);
    teardown(&f);
}

static void the_empty_id_is_nobody(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct sl_node_id none = { .len = 0 };
    sl_assert_u64(sl_members_apply(f.members, &none, 1, &f.change), 0);
    sl_assert_u64(sl_members_alive_count(f.members), 1);
    sl_assert_u64(sl_members_find(f.members, &none), SL_NODE_NONE);
    assert_false(sl_members_is_alive(f.members, SL_NODE_NONE));
    teardown(&f);
}

static void next_walks_the_alive_members_in_ref_order(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    apply(&f, "n2 n3 n4");
    sl_node_ref n3 = find(&f, "n3"), n4 = find(&f, "n4");
    apply(&f, "n3 n4");
    sl_assert_u64(sl_members_next(f.members, SL_NODE_NONE), 1);
    sl_assert_u64(sl_members_next(f.members, 1), n3);
    sl_assert_u64(sl_members_next(f.members, n3), n4);
    sl_assert_u64(sl_members_next(f.members, n4), SL_NODE_NONE);
    teardown(&f);
}

static void every_failed_allocation_leaves_a_usable_table(void **state)
{
    (void)state;
    struct sl_node_id self = node("n1");
    for (uint64_t n = 1;; n++) {
        struct fixture f;
        struct sl_mem_opts opts = sl_mem_opts_of(0);
        sl_mem_init(&f.mem, &opts);
        f.mem.fail_at = n;
        enum sl_code code = sl_members_new(&f.members, &f.mem, &self, NODES_MAX, SEED);
        f.mem.fail_at = 0;
        if (code == SL_OK) {
            assert_true(n > 2);
            teardown(&f);
            return;
        }
        sl_assert_i64(code, SL_NOMEM);
        assert_null(f.members);
        sl_mem_deinit(&f.mem);
    }
}

static void a_node_left_out_for_memory_joins_with_a_later_snapshot(void **state)
{
    (void)state;
    struct sl_mem mem;
    struct sl_mem_opts opts = sl_mem_opts_of(0);
    sl_mem_init(&mem, &opts);
    struct sl_node_id ids[64];
    struct sl_members *members;
    const struct sl_members_change *change;
    for (int i = 0; i < 64; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        ids[i] = node(name);
    }
    sl_assert_i64(sl_members_new(&members, &mem, &ids[0], 64, SEED), SL_OK);
    mem.fail_at = 1;
    uint32_t left_out = sl_members_apply(members, ids, 64, &change);
    assert_true(left_out > 0);
    sl_assert_u64(sl_members_alive_count(members) + left_out, 64);
    sl_assert_u64(sl_members_apply(members, ids, 64, &change), 0);
    sl_assert_u64(sl_members_alive_count(members), 64);
    sl_members_free(members);
    sl_mem_deinit(&mem);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(self_is_member_one_from_the_start),
        cmocka_unit_test(self_stays_a_member_whatever_a_snapshot_says),
        cmocka_unit_test(a_snapshot_tells_what_was_added_and_removed),
        cmocka_unit_test(a_removed_slot_keeps_its_id_until_it_is_reused),
        cmocka_unit_test(a_slot_is_not_reused_within_the_snapshot_that_frees_it),
        cmocka_unit_test(the_least_recently_freed_slot_is_reused_first),
        cmocka_unit_test(nodes_beyond_the_limit_are_left_out_and_counted),
        cmocka_unit_test(the_empty_id_is_nobody),
        cmocka_unit_test(next_walks_the_alive_members_in_ref_order),
        cmocka_unit_test(every_failed_allocation_leaves_a_usable_table),
        cmocka_unit_test(a_node_left_out_for_memory_joins_with_a_later_snapshot),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
