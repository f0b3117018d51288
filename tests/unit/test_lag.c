/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dispatch/dm.h"
#include "tests/support/whole_cluster.h"

/* The age of what is read and not durable, from a data plane to the pacer of moves and to the operator. */

enum { OLD_MS = 5000 };

static struct whole *with_feed(void)
{
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    wc_create_feed(w, 1, "");
    return w;
}

static void set_age(struct whole *w, sl_ns age_ns)
{
    for (uint32_t i = 0; i < WC_NODES; i++)
        w->hosts[i].plane.feeds[0].age_ns = age_ns;
}

/* ---- dispatch manager ---- */

static const struct sl_dm *dm_of(struct whole *w, uint32_t host)
{
    struct sl_feed_id id = {
        .high = 7, .low = 1, .name_len = 2, .name = "f1", .keyspace_len = 7, .keyspace = "default"
    };
    return sl__dm_find(sl_node_orchestrator(w->hosts[host].node), &id);
}

static uint64_t lag_of(struct whole *w, uint32_t host)
{
    return sl__dm_lag_ms(sl_node_orchestrator(w->hosts[host].node), dm_of(w, host));
}

static void lag_of_a_dispatch_manager_is_the_worst_of_late_and_rests_when_all_is_well(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    sl_assert_u64(lag_of(w, 0), 0);
    set_age(w, 3 * SL_S + 1);
    wc_run(w, 100 * SL_MS);
    sl_assert_u64(lag_of(w, 0), 3001);
    set_age(w, 0);
    wc_run(w, 300 * SL_MS);
    sl_assert_u64(lag_of(w, 0), 3001); /* not long enough ago to be over */
    wc_run(w, 1200 * SL_MS);
    sl_assert_u64(lag_of(w, 0), 0);
    wc_teardown(w);
}

static void lag_is_not_known_when_the_data_plane_is_silent(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    set_age(w, 3 * SL_S);
    wc_run(w, 100 * SL_MS);
    sl_assert_u64(lag_of(w, 0), 3000);
    w->hosts[0].plane.progress_at = SL_NEVER;
    wc_run(w, 1100 * SL_MS);
    sl_assert_u64(lag_of(w, 0), 0);
    wc_teardown(w);
}

/* ---- the drain ---- */

static const struct wc_answer *show(struct whole *w, uint32_t target)
{
    return wc_ask(w, wc_owner(w), SL_REQUEST_DRAIN_SHOW, w->hosts[target].id);
}

/* hangs: the dispatchers of the node do not close. */
static uint32_t start_drain(struct whole *w, uint64_t lag_budget_ms, bool hangs)
{
    uint32_t owner = wc_owner(w), target = (owner + 1) % WC_NODES;
    struct sl_request r = { .verb = SL_REQUEST_DRAIN,
                            .node = sl_str_of(w->hosts[target].id),
                            .lag_budget_ms = lag_budget_ms };
    w->hosts[target].plane.hangs_close = hangs;
    sl_assert_str(sl_code_name(wc_ask_of(w, owner, &r)->code), "OK");
    return target;
}

static void the_view_of_a_drain_names_the_worst_lag_and_the_slowest_move(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    set_age(w, OLD_MS * SL_MS);
    uint32_t target = start_drain(w, 700, true);
    wc_run(w, 3 * SL_S);
    const struct wc_answer *a = show(w, target);
    sl_assert_u64(a->drain.lag_ms_worst, OLD_MS);
    sl_assert_u64(a->drain.lag_budget_ms, 700);
    assert_true(a->drain.slow_count > 0);
    sl_assert_str(a->drain.slow[0].feed, "default/f1");
    sl_assert_str(a->drain.slow[0].phase, "remove_origin");
    sl_assert_str(a->drain.slow[0].waits_for.text, w->hosts[target].id);
    assert_true(a->drain.slow[0].age_ms > 1000 && a->drain.slow[0].age_ms < 4000);
    wc_teardown(w);
}

static void a_drain_ends_however_old_the_changes_are(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    set_age(w, 3600 * SL_S);
    uint32_t target = start_drain(w, 1, false);
    wc_run(w, 10 * SL_S);
    sl_assert_u64(wc_dispatchers(w, target), 0);
    sl_assert_u64(wc_ask(w, wc_owner(w), SL_REQUEST_DRAIN_NODE, w->hosts[target].id)->remaining, 0);
    wc_teardown(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lag_of_a_dispatch_manager_is_the_worst_of_late_and_rests_when_all_is_well),
        cmocka_unit_test(lag_is_not_known_when_the_data_plane_is_silent),
        cmocka_unit_test(the_view_of_a_drain_names_the_worst_lag_and_the_slowest_move),
        cmocka_unit_test(a_drain_ends_however_old_the_changes_are),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
