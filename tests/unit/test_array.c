/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "tests/support/sl_death.h"

#include <stdlib.h>

static void an_array_grows_by_doubling_and_keeps_what_is_in_it(void **state)
{
    (void)state;
    uint32_t cap = 0;
    uint64_t *items = NULL;
    for (uint32_t i = 0; i < 1000; i++) {
        items = sl_array_room(items, i, &cap, 3, sizeof *items);
        assert_non_null(items);
        assert_true(cap > i);
        items[i] = i * 7;
    }
    assert_int_equal(cap, 3 * 512);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i * 7);
    free(items);
}

static void what_is_new_is_zero(void **state)
{
    (void)state;
    uint32_t cap = 0;
    uint8_t *items = sl_array_room(NULL, 0, &cap, 4, 1);
    assert_non_null(items);
    for (uint32_t i = 0; i < cap; i++) {
        assert_int_equal(items[i], 0);
        items[i] = 0xff;
    }
    items = sl_array_room(items, 4, &cap, 4, 1);
    assert_int_equal(cap, 8);
    for (uint32_t i = 4; i < cap; i++)
        assert_int_equal(items[i], 0);
    free(items);
}

static void an_array_with_room_stays_where_it_is(void **state)
{
    (void)state;
    char items[4];
    uint32_t cap = 4;
    assert_ptr_equal(sl_array_room(items, 3, &cap, 1, 1), items);
    assert_int_equal(cap, 4);
}

static void what_no_memory_can_hold_is_refused_and_nothing_changes(void **state)
{
    (void)state;
    char item;
    uint32_t cap = UINT32_C(1) << 31;
    assert_null(sl_array_room(&item, cap, &cap, 1, 8));
    assert_int_equal(cap, UINT32_C(1) << 31);
    cap = 16;
    assert_null(sl_array_room(&item, 16, &cap, 1, SIZE_MAX / 16));
    assert_int_equal(cap, 16);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_grows_by_doubling_and_keeps_what_is_in_it),
        cmocka_unit_test(what_is_new_is_zero),
        cmocka_unit_test(an_array_with_room_stays_where_it_is),
        cmocka_unit_test(what_no_memory_can_hold_is_refused_and_nothing_changes),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
