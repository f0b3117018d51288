/* SPDX-License-Identifier: Apache-2.0 */
/* What an Add is checked against, and what it waits for, beyond the rules of test_manager_set.c. */
#include "tests/support/manager_fixture.h"
#include "tests/support/sl_test.h"

/* The coordinator may have taken the feed back and placed it elsewhere when it learned of the new process. */
static void an_add_that_is_meant_for_another_process_of_this_id_is_refused(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_setup(&f);
    f.add_node_epoch = MF_NODE_EPOCH - 1;
    sl_assert_i64(mf_add(&f, "c1", 1, 3, 100), SL_REFUSE_STALE_VERSION);
    const Pb__MaintainerStatus *status = mf_status(&f, 1);
    sl_assert_i64(status->state, PB__COMPONENT_STATE__STOPPED);
    assert_null(mf_find(&f, 1));
    f.add_node_epoch = MF_NODE_EPOCH;
    sl_assert_i64(mf_add(&f, "c1", 1, 3, 100), SL_REFUSE_NONE);
    mf_teardown(&f);
}

static void every_added_maintainer_waits_for_a_read_of_the_members_that_began_after_it(void **state)
{
    (void)state;
    struct manager_fixture f;
    mf_init(&f);
    f.opts.reads_members = true;
    mf_start(&f);
    sl_assert_i64(mf_bootstrap(&f, "c1", 1), SL_REFUSE_NONE);
    assert_false(sl_manager_wants_members_read(f.manager));
    mf_add(&f, "c1", 1, 3, 100);
    assert_true(sl_manager_wants_members_read(f.manager));
    sl_manager_on_members_read_begun(f.manager, 1);
    assert_false(sl_manager_wants_members_read(f.manager));
    mf_add(&f, "c1", 2, 3, 100);
    sl_manager_on_members_read(f.manager, f.now, 1, &f.out);
    assert_true(sl_manager_wants_members_read(f.manager)); /* that read had begun before the second one was added */
    sl_manager_on_members_read_begun(f.manager, 2);
    sl_manager_on_members_read(f.manager, f.now, 2, &f.out);
    assert_false(sl_manager_wants_members_read(f.manager));
    mf_teardown(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_add_that_is_meant_for_another_process_of_this_id_is_refused),
        cmocka_unit_test(every_added_maintainer_waits_for_a_read_of_the_members_that_began_after_it),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
