/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/membership_cluster.h"

#include <string.h>

static struct sl_mc *setup(struct sl_mc *c)
{
    sl_mc_init(c, SL_STORE_SIM_OPTS_DEFAULT);
    return c;
}

/* ---- election ---- */

static void a_resigning_leader_queues_up_again_behind_the_others(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_store_pair pair;
    sl_mc_start_hosts(setup(&c), 3);
    uint64_t version = sl_mc_view(&c, 0).leader_version;
    struct sl_key other = sl_mc_owner_key(&c, 2);
    assert_true(sl_mc_stored(&c, &other, &pair));
    sl_revision created = pair.create_revision;
    sl_mc_resign(&c, 0);
    assert_false(sl_mc_view(&c, 0).leader);
    sl_mc_run(&c, 100 * SL_MS);
    sl_assert_u64(sl_mc_leader(&c), 1);
    assert_true(sl_mc_view(&c, 1).leader_version > version);
    sl_mc_run(&c, 2 * SL_S);
    sl_mc_assert_converged(&c);
    sl_assert_u64(sl_mc_view(&c, 1).waiting_count, 2);
    assert_true(sl_mc_stored(&c, &other, &pair));
    sl_assert_i64(pair.create_revision, created); /* only its own key was deleted */
    sl_mc_resign(&c, 1);
    sl_mc_run(&c, 100 * SL_MS);
    sl_assert_u64(sl_mc_leader(&c), 2);
    sl_mc_deinit(&c);
}

static void a_resigned_node_alone_leads_again_after_a_pause_with_a_higher_version(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 1);
    uint64_t version = sl_mc_view(&c, 0).leader_version;
    sl_mc_resign(&c, 0);
    sl_mc_run(&c, 900 * SL_MS);
    assert_false(sl_mc_view(&c, 0).leader);
    sl_assert_u64(sl_mc_view(&c, 0).owner.len, 0);
    sl_mc_run(&c, SL_S);
    assert_true(sl_mc_view(&c, 0).leader);
    assert_true(sl_mc_view(&c, 0).leader_version > version);
    sl_mc_deinit(&c);
}

static void a_node_that_is_not_alive_gives_its_place_in_the_queue_back(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_store_pair pair;
    sl_mc_start_hosts(setup(&c), 3);
    struct sl_key key = sl_mc_owner_key(&c, 1);
    assert_true(sl_mc_stored(&c, &key, &pair));
    sl_mc_set_alive(&c, 1, false);
    sl_mc_run(&c, SL_S);
    assert_false(sl_mc_stored(&c, &key, &pair));
    sl_assert_u64(sl_mc_view(&c, 0).waiting_count, 1);
    sl_mc_crash(&c, 0);
    sl_mc_run(&c, 12 * SL_S);
    sl_assert_u64(sl_mc_leader(&c), 2);
    sl_mc_set_alive(&c, 1, true);
    sl_mc_run(&c, 2 * SL_S);
    assert_true(sl_mc_stored(&c, &key, &pair));
    sl_mc_deinit(&c);
}

static void a_leader_that_is_not_alive_leads_until_it_resigns_and_not_again(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    sl_mc_set_alive(&c, 0, false);
    sl_mc_run(&c, 5 * SL_S);
    sl_assert_u64(sl_mc_leader(&c), 0);
    sl_mc_resign(&c, 0);
    sl_mc_run(&c, 100 * SL_MS);
    sl_assert_u64(sl_mc_leader(&c), 1);
    sl_mc_run(&c, 10 * SL_S);
    sl_assert_u64(sl_mc_view(&c, 1).waiting_count, 0);
    sl_mc_deinit(&c);
}

/* A key of the queue becomes the oldest just when its node stops being alive. */
static void a_node_that_is_not_alive_does_not_win(void **state)
{
    (void)state;
    for (sl_ns early = 0; early < 20 * SL_MS; early += SL_MS) {
        struct sl_mc c;
        sl_mc_start_hosts(setup(&c), 2);
        sl_mc_resign(&c, 0);
        sl_mc_run(&c, early);
        bool leads = sl_mc_view(&c, 1).leader;
        sl_mc_set_alive(&c, 1, false);
        for (int i = 0; i < 20; i++) {
            sl_mc_run(&c, SL_MS);
            sl_assert_i64(sl_mc_view(&c, 1).leader, leads);
        }
        sl_mc_deinit(&c);
    }
}

static void membership_goes_on_without_a_leader(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    sl_mc_set_alive(&c, 1, false);
    sl_mc_set_alive(&c, 0, false);
    sl_mc_resign(&c, 0);
    sl_mc_run(&c, SL_S);
    sl_assert_u64(sl_mc_view(&c, 1).owner.len, 0);
    struct sl_membership_opts opts = sl_mc_opts(&c, 2);
    sl_mc_start_with(&c, 2, &opts);
    sl_mc_set_alive(&c, 2, false);
    sl_mc_run(&c, SL_S);
    assert_true(sl_mc_sees(&c, 0, "n2-1") && sl_mc_sees(&c, 1, "n2-1"));
    sl_mc_leave(&c, 2);
    sl_mc_run(&c, SL_S);
    assert_false(sl_mc_sees(&c, 0, "n2-1"));
    sl_assert_u64(sl_mc_leader(&c), SL_MC_HOSTS_MAX);
    sl_mc_deinit(&c);
}

static void at_most_one_try_a_second(void **state)
{
    (void)state;
    struct sl_mc c;
    setup(&c);
    sl_mc_start(&c, 0);
    sl_mc_set_alive(&c, 0, false);
    sl_mc_run(&c, SL_S);
    sl_assert_u64(c.hosts[0].critical_ops, 0);
    sl_store_sim_opts(c.sim)->refuse_ppm = 1000000;
    sl_mc_set_alive(&c, 0, true);
    sl_mc_run(&c, 8 * SL_S);
    assert_in_range(c.hosts[0].critical_ops, 7, 9);
    sl_mc_deinit(&c);
}

/* ---- hands in the store ---- */

static void an_own_capture_key_that_somebody_deleted_is_put_again(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_store_pair pair;
    struct sl_key key = sl_mc_capture_key("n1-1");
    sl_mc_start_hosts(setup(&c), 2);
    sl_mc_delete(&c, sl_key_str(&key));
    sl_mc_run(&c, SL_S);
    assert_true(sl_mc_stored(&c, &key, &pair));
    sl_assert_u64(pair.lease, c.hosts[1].lease);
    sl_mc_assert_converged(&c);
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_MEMBER_GONE), 0);
    sl_mc_deinit(&c);
}

static void an_own_election_key_that_somebody_deleted_ends_the_leadership(void **state)
{
    (void)state;
    struct sl_mc c;
    setup(&c);
    c.writes_by_hand = true;
    sl_mc_start_hosts(&c, 1);
    uint64_t version = sl_mc_view(&c, 0).leader_version;
    struct sl_key key = sl_mc_owner_key(&c, 0);
    sl_mc_delete(&c, sl_key_str(&key));
    sl_mc_run(&c, 20 * SL_MS);
    sl_mc_run(&c, 2 * SL_S);
    assert_true(sl_mc_view(&c, 0).leader);
    assert_true(sl_mc_view(&c, 0).leader_version > version);
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_LEADERSHIP), 3);
    sl_mc_put(&c, sl_key_str(&key), "x", c.hosts[0].lease); /* same key, other revision */
    sl_mc_run(&c, 4 * SL_S);
    assert_true(sl_mc_view(&c, 0).leader);
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_LEADERSHIP), 5);
    sl_mc_deinit(&c);
}

static void an_older_key_by_hand_keeps_everybody_from_leading(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_key key;
    setup(&c);
    assert_true(sl_key_owner(&key, SL_STR("c1"), 1));
    sl_mc_put(&c, sl_key_str(&key), "elsewhere", 0);
    sl_mc_start_hosts(&c, 2);
    sl_assert_u64(sl_mc_leader(&c), SL_MC_HOSTS_MAX);
    sl_assert_str(sl_mc_view(&c, 0).owner.text, "elsewhere");
    sl_mc_delete(&c, sl_key_str(&key));
    sl_mc_run(&c, SL_S);
    sl_mc_assert_converged(&c);
    sl_mc_deinit(&c);
}

static const char *const foreign_capture =
    "{\"id\":\"f1\",\"address\":\"f:1\",\"version\":\"v8.5.4\",\"is-new-arch\":true}";

static void a_capture_that_cannot_be_read_is_reported_and_left_alone(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_store_pair pair;
    struct sl_key bad = sl_mc_capture_key("bad"), liar = sl_mc_capture_key("liar");
    sl_mc_start_hosts(setup(&c), 2);
    sl_mc_put(&c, sl_key_str(&bad), "{\"id\":", 0);
    sl_mc_put(&c, sl_key_str(&liar), foreign_capture, 0); /* says it is f1 */
    sl_mc_run(&c, SL_S);
    sl_assert_u64(sl_mc_said(&c, 0, SL_EV_STORE_VALUE_REFUSED), 2);
    sl_mc_assert_converged(&c);
    assert_true(sl_mc_stored(&c, &bad, &pair) && sl_mc_stored(&c, &liar, &pair));
    struct sl_key known = sl_mc_capture_key("n1-1");
    sl_mc_put(&c, sl_key_str(&known), "rubbish", c.hosts[1].lease);
    sl_mc_run(&c, SL_S);
    assert_true(sl_mc_sees(&c, 0, "n1-1")); /* as it was last understood */
    sl_mc_deinit(&c);
}

static void a_compacted_watch_is_followed_by_a_read(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 2);
    sl_store_sim_opts(c.sim)->break_watch_ppm = 1000000;
    sl_store_sim_opts(c.sim)->compact_ppm = 1000000;
    for (uint32_t i = 2; i < 6; i++) {
        sl_mc_start(&c, i);
        sl_mc_run(&c, 3 * SL_S);
    }
    sl_store_sim_opts(c.sim)->break_watch_ppm = 0;
    sl_mc_run(&c, 3 * SL_S);
    sl_mc_assert_converged(&c);
    assert_true(sl_store_sim_counts(c.sim)->broken_watches > 0);
    sl_mc_deinit(&c);
}

static void nodes_over_the_limit_are_left_out_and_fill_up_later(void **state)
{
    (void)state;
    struct sl_mc c;
    sl_mc_start_hosts(setup(&c), 3);
    struct sl_membership_opts opts = sl_mc_opts(&c, 3);
    opts.node_count_max = 2;
    sl_mc_start_with(&c, 3, &opts);
    sl_mc_run(&c, SL_S);
    sl_assert_u64(sl_mc_view(&c, 3).member_count, 3); /* two others and itself */
    assert_true(sl_mc_view(&c, 3).joined);
    assert_false(sl_mc_sees(&c, 3, "n2-1"));
    sl_assert_u64(sl_mc_said(&c, 3, SL_EV_MEMBERS_OVER_LIMIT), 1);
    sl_mc_leave(&c, 0);
    sl_mc_run(&c, SL_S);
    assert_true(sl_mc_sees(&c, 3, "n2-1"));
    assert_false(sl_mc_sees(&c, 3, "n0-1"));
    sl_mc_deinit(&c);
}

/* So what a deposed leader wrote cannot arrive late. */
static void the_leadership_is_a_key_at_a_revision_that_ends_with_it(void **state)
{
    (void)state;
    struct sl_mc c;
    struct sl_store_pair pair;
    struct sl_str key;
    sl_revision revision = 0;
    sl_mc_start_hosts(setup(&c), 2);
    assert_false(sl_membership_leadership(c.hosts[1].m, &key, &revision));
    assert_true(sl_membership_leadership(c.hosts[0].m, &key, &revision));
    struct sl_key own = sl_mc_owner_key(&c, 0);
    assert_true(sl_str_eq(key, sl_key_str(&own)));
    assert_true(sl_mc_stored(&c, &own, &pair));
    sl_assert_i64(pair.mod_revision, revision);
    sl_mc_resign(&c, 0);
    assert_false(sl_membership_leadership(c.hosts[0].m, &key, &revision));
    sl_mc_run(&c, 100 * SL_MS);
    assert_false(sl_mc_stored(&c, &own, &pair));
    sl_mc_deinit(&c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resigning_leader_queues_up_again_behind_the_others),
        cmocka_unit_test(a_resigned_node_alone_leads_again_after_a_pause_with_a_higher_version),
        cmocka_unit_test(a_node_that_is_not_alive_gives_its_place_in_the_queue_back),
        cmocka_unit_test(a_leader_that_is_not_alive_leads_until_it_resigns_and_not_again),
        cmocka_unit_test(a_node_that_is_not_alive_does_not_win),
        cmocka_unit_test(membership_goes_on_without_a_leader),
        cmocka_unit_test(at_most_one_try_a_second),
        cmocka_unit_test(an_own_capture_key_that_somebody_deleted_is_put_again),
        cmocka_unit_test(an_own_election_key_that_somebody_deleted_ends_the_leadership),
        cmocka_unit_test(an_older_key_by_hand_keeps_everybody_from_leading),
        cmocka_unit_test(a_capture_that_cannot_be_read_is_reported_and_left_alone),
        cmocka_unit_test(a_compacted_watch_is_followed_by_a_read),
        cmocka_unit_test(nodes_over_the_limit_are_left_out_and_fill_up_later),
        cmocka_unit_test(the_leadership_is_a_key_at_a_revision_that_ends_with_it),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
