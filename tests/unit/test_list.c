/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"
#include "base/prng.h"
#include "tests/support/sl_death.h"

enum { ITEMS = 40 };

struct item {
    uint32_t id;
    struct sl_link by_node, by_feed;
};

#define BY_NODE offsetof(struct item, by_node)
#define BY_FEED offsetof(struct item, by_feed)

struct fixture {
    struct sl_mem mem;
    struct sl_slab slab;
};

static struct sl_slab *fixture_begin(struct fixture *f)
{
    static const char *const names[] = { "items" };
    sl_mem_init(&f->mem, &(struct sl_mem_opts){ .tag_names = names, .tag_count = 1 });
    sl_slab_init(&f->slab, &f->mem, 0, sizeof(struct item), ITEMS);
    for (uint32_t h = 1; h <= ITEMS; h++) {
        uint32_t handle;
        struct item *it = sl_slab_new(&f->slab, &handle);
        it->id = handle;
    }
    return &f->slab;
}

static void fixture_end(struct fixture *f)
{
    sl_slab_deinit(&f->slab);
    sl_mem_deinit(&f->mem);
}

/* Reads the list forwards and backwards and compares with what it should hold. */
static void assert_list(const struct sl_list *l, const struct sl_slab *s, size_t offset, const uint32_t *expected,
                        uint32_t count)
{
    sl_assert_u64(l->count, count);
    uint32_t handle = l->head, prev = 0;
    for (uint32_t i = 0; i < count; i++) {
        sl_assert_u64(handle, expected[i]);
        const struct sl_link *link = (const void *)((const char *)sl_slab_at(s, handle) + offset);
        sl_assert_u64(link->prev, prev);
        prev = handle;
        handle = sl_list_next(s, offset, handle);
    }
    sl_assert_u64(handle, 0);
    sl_assert_u64(l->tail, prev);
}

static void a_zeroed_list_is_empty(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f);
    struct sl_list l = { 0 };
    assert_list(&l, s, BY_NODE, NULL, 0);
    fixture_end(&f);
}

static void order_is_order_of_insertion(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f);
    struct sl_list l = { 0 };
    const uint32_t order[] = { 5, 2, 9 };
    for (int i = 0; i < 3; i++)
        sl_list_push_back(&l, s, BY_NODE, order[i]);
    assert_list(&l, s, BY_NODE, order, 3);
    fixture_end(&f);
}

static void head_middle_tail_and_only_one_can_be_removed(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f);
    struct sl_list l = { 0 };
    for (uint32_t h = 1; h <= 4; h++)
        sl_list_push_back(&l, s, BY_NODE, h);
    sl_list_remove(&l, s, BY_NODE, 2);
    assert_list(&l, s, BY_NODE, (const uint32_t[]){ 1, 3, 4 }, 3);
    sl_list_remove(&l, s, BY_NODE, 1);
    assert_list(&l, s, BY_NODE, (const uint32_t[]){ 3, 4 }, 2);
    sl_list_remove(&l, s, BY_NODE, 4);
    assert_list(&l, s, BY_NODE, (const uint32_t[]){ 3 }, 1);
    sl_list_remove(&l, s, BY_NODE, 3);
    assert_list(&l, s, BY_NODE, NULL, 0);
    sl_list_push_back(&l, s, BY_NODE, 2);
    assert_list(&l, s, BY_NODE, (const uint32_t[]){ 2 }, 1);
    fixture_end(&f);
}

static void an_object_may_be_in_two_lists_through_two_links(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f);
    struct sl_list node = { 0 }, feed = { 0 };
    for (uint32_t h = 1; h <= 3; h++) {
        sl_list_push_back(&node, s, BY_NODE, h);
        sl_list_push_back(&feed, s, BY_FEED, 4 - h);
    }
    sl_list_remove(&node, s, BY_NODE, 2);
    assert_list(&node, s, BY_NODE, (const uint32_t[]){ 1, 3 }, 2);
    assert_list(&feed, s, BY_FEED, (const uint32_t[]){ 3, 2, 1 }, 3);
    sl_assert_u64(((const struct item *)sl_slab_at(s, 2))->id, 2);
    fixture_end(&f);
}

static void removing_what_is_not_in_the_list_is_our_bug(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f);
    struct sl_list a = { 0 }, b = { 0 };
    sl_assert_aborts(sl_list_remove(&a, s, BY_NODE, 1), "l->count > 0");
    sl_list_push_back(&a, s, BY_NODE, 1);
    sl_list_push_back(&b, s, BY_NODE, 2);
    sl_assert_aborts(sl_list_remove(&a, s, BY_NODE, 3), "*from_prev == handle");
    sl_assert_aborts(sl_list_remove(&a, s, BY_NODE, 2), "*from_prev == handle");
    sl_assert_aborts(sl_list_push_back(&a, s, BY_NODE, 1), "handle != l->tail");
    sl_assert_aborts(sl_list_push_back(&a, s, BY_NODE, 0), "handle != 0");
    fixture_end(&f);
}

static uint32_t model_index(const uint32_t *model, uint32_t count, uint32_t handle)
{
    uint32_t i = 0;
    while (i < count && model[i] != handle)
        i++;
    return i;
}

static void random_calls_agree_with_an_array(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_slab *s = fixture_begin(&f);
    struct sl_list l = { 0 };
    struct sl_prng p;
    uint32_t model[ITEMS], count = 0;
    sl_prng_init(&p, 23);
    for (int i = 0; i < 20000; i++) {
        uint32_t handle = (uint32_t)sl_prng_between(&p, 1, ITEMS);
        uint32_t index = model_index(model, count, handle);
        if (index == count) {
            sl_list_push_back(&l, s, BY_FEED, handle);
            model[count++] = handle;
        } else {
            sl_list_remove(&l, s, BY_FEED, handle);
            memmove(model + index, model + index + 1, (count - index - 1) * sizeof model[0]);
            count--;
        }
        assert_list(&l, s, BY_FEED, model, count);
    }
    fixture_end(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_list_is_empty),
        cmocka_unit_test(order_is_order_of_insertion),
        cmocka_unit_test(head_middle_tail_and_only_one_can_be_removed),
        cmocka_unit_test(an_object_may_be_in_two_lists_through_two_links),
        cmocka_unit_test(removing_what_is_not_in_the_list_is_our_bug),
        cmocka_unit_test(random_calls_agree_with_an_array),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
