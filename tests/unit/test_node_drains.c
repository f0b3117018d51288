/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/whole_cluster.h"

#include <stdio.h>
#include <string.h>

/*
 * What an operator may ask about drains, of whole nodes through their one door: plans, blockers, history, deadlines, and
 * refusals that name the reason. And a store with values that nobody can read.
 */

static struct whole *with_feed(void)
{
    struct whole *w = wc_setup(3);
    wc_run(w, 5 * SL_S);
    wc_create_feed(w, 1, "");
    return w;
}

static uint32_t other(const struct whole *w)
{
    return (wc_owner(w) + 1) % WC_NODES;
}

static const struct wc_answer *ask_drain(struct whole *w, struct sl_request r)
{
    r.verb = SL_REQUEST_DRAIN;
    return wc_ask_of(w, wc_owner(w), &r);
}

static const struct wc_answer *drain(struct whole *w, uint32_t target)
{
    struct sl_request r = { .node = sl_str_of(w->hosts[target].id) };
    return ask_drain(w, r);
}

static const struct wc_answer *show(struct whole *w, uint32_t target)
{
    return wc_ask(w, wc_owner(w), SL_REQUEST_DRAIN_SHOW, w->hosts[target].id);
}

static void assert_code(const struct wc_answer *a, const char *code)
{
    sl_assert_str(sl_code_name(a->code), code);
}

/* ---- plans ---- */

static void a_dry_run_shows_loads_before_and_after_and_changes_nothing(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    wc_run(w, 6 * SL_S); /* self reports */
    uint32_t target = other(w), after = 0;
    struct sl_request r = { .node = sl_str_of(w->hosts[target].id), .dry_run = true };
    const struct wc_answer *a = ask_drain(w, r);
    assert_code(a, "OK");
    sl_assert_u64(a->plan_count, WC_NODES);
    for (uint32_t i = 0; i < WC_NODES; i++) {
        const struct sl_plan_move *row = &a->plan[i];
        assert_true(row->dispatchers_before >= 2);
        sl_assert_i64(row->is_target, strcmp(row->node.text, w->hosts[target].id) == 0);
        assert_true(!row->is_target || (row->dispatchers_after == 0 && row->maintainers_after == 0));
        after += row->dispatchers_after;
    }
    assert_true(after >= WC_TABLES);
    wc_run(w, 2 * SL_S);
    sl_assert_i64(wc_liveness(w, target), SL_LIVENESS_ALIVE);
    sl_assert_u64(wc_ask(w, wc_owner(w), SL_REQUEST_DRAIN_LIST, "")->drain_count, 0);
    wc_teardown(w);
}

static void a_dry_run_of_the_last_node_is_refused(void **state)
{
    (void)state;
    struct whole *w = wc_setup(1);
    wc_run(w, 5 * SL_S);
    struct sl_request r = { .node = SL_STR("node1"), .dry_run = true };
    const struct wc_answer *a = ask_drain(w, r);
    assert_code(a, "REFUSED");
    assert_non_null(strstr(a->detail, "no other node"));
    wc_teardown(w);
}

/* ---- refusals ---- */

static void a_node_that_is_not_there_cannot_be_drained(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    struct sl_request r = { .node = SL_STR("node9") };
    assert_code(ask_drain(w, r), "NOT_FOUND");
    r.node = SL_STR("id-"); /* the beginning of three */
    assert_code(ask_drain(w, r), "NOT_FOUND");
    r.node = SL_STR("");
    assert_code(ask_drain(w, r), "NOT_FOUND");
    wc_teardown(w);
}

static void the_last_node_cannot_be_drained(void **state)
{
    (void)state;
    struct whole *w = wc_setup(1);
    wc_run(w, 5 * SL_S);
    const struct wc_answer *a = drain(w, 0);
    assert_code(a, "REFUSED");
    assert_non_null(strstr(a->detail, "last node"));
    wc_teardown(w);
}

static void of_a_node_that_has_left_the_last_drain_is_shown(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t target = other(w);
    assert_code(drain(w, target), "OK");
    wc_run(w, 5 * SL_S);
    assert_true(show(w, target)->drain.safe_to_stop);
    const struct sl_input leave = { .kind = SL_IN_LEAVE };
    wc_step(&w->hosts[target], &leave);
    wc_run(w, SL_S);
    wc_stop(&w->hosts[target]);
    wc_run(w, 2 * SL_S);
    const struct wc_answer *a = drain(w, target);
    assert_code(a, "NOT_FOUND");
    sl_assert_u64(a->drain_count, 1);
    sl_assert_str(sl_drain_phase_name(a->drain.intent.phase), "done");
    sl_assert_u64(wc_ask(w, wc_owner(w), SL_REQUEST_DRAIN_NODE, w->hosts[target].id)->remaining, 0);
    wc_teardown(w);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    struct sl_str node = sl_str_of(w->hosts[other(w)].id);
    const struct sl_request bad[] = {
        { .node = node, .deadline_ms = UINT64_MAX },
        { .node = node, .deadline_ms = UINT64_C(31) * 24 * 3600 * 1000 },
        { .node = node, .cancel_at_deadline = true },
        { .node = node, .lag_budget_ms = UINT64_MAX },
        { .node = node, .deadline_ms = UINT64_MAX, .dry_run = true },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct wc_answer *a = ask_drain(w, bad[i]);
        assert_code(a, "BAD_FIELD");
        assert_true(a->detail[0] != '\0');
    }
    sl_assert_u64(wc_ask(w, wc_owner(w), SL_REQUEST_DRAIN_LIST, "")->drain_count, 0);
    wc_teardown(w);
}

static void a_drain_is_joined_but_not_with_other_options(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t target = other(w);
    w->hosts[target].plane.hangs_close = true;
    struct sl_request r = { .node = sl_str_of(w->hosts[target].id), .deadline_ms = 600000, .lag_budget_ms = 5000 };
    const struct wc_answer *first = ask_drain(w, r);
    assert_code(first, "OK");
    char id[SL_DRAIN_ID_MAX + 1];
    memcpy(id, first->drain.intent.id, sizeof id);
    const struct wc_answer *again = ask_drain(w, r);
    assert_code(again, "OK");
    sl_assert_str(again->drain.intent.id, id);
    assert_code(drain(w, target), "OK"); /* without options whatever runs is meant */
    r.lag_budget_ms = 6000;
    const struct wc_answer *differs = ask_drain(w, r);
    assert_code(differs, "EXISTS");
    sl_assert_str(differs->drain.intent.id, id);
    wc_teardown(w);
}

/* ---- blockers, deadlines, history ---- */

static void what_blocks_a_drain_is_always_named(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t target = other(w);
    w->hosts[target].plane.hangs_close = true;
    assert_code(drain(w, target), "OK");
    wc_run(w, 2 * SL_S);
    const struct wc_answer *a = show(w, target);
    assert_false(a->drain.safe_to_stop);
    sl_assert_str(sl_blocker_name(a->drain.blocker), "DISPATCHERS_LEFT");
    assert_non_null(strstr(a->drain.blocker_detail, "f1"));
    wc_run(w, 40 * SL_S);
    sl_assert_str(sl_blocker_name(show(w, target)->drain.blocker), "MOVE_STUCK");
    wc_teardown(w);
}

static void a_deadline_that_passes_is_told_and_the_drain_goes_on(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t target = other(w);
    w->hosts[target].plane.hangs_close = true;
    struct sl_request r = { .node = sl_str_of(w->hosts[target].id), .deadline_ms = 1000 };
    assert_code(ask_drain(w, r), "OK");
    wc_run(w, 3 * SL_S);
    sl_assert_u64(w->hosts[wc_owner(w)].events[SL_EV_DRAIN_LATE], 1);
    sl_assert_str(sl_drain_phase_name(show(w, target)->drain.intent.phase), "evacuating");
    wc_teardown(w);
}

static const char *phase(struct whole *w, uint32_t target)
{
    return sl_drain_phase_name(show(w, target)->drain.intent.phase);
}

/* Until the node's key is gone, which blind sees as little of as is possible without losing its own lease. */
static void run_until_gone(struct whole *w, uint32_t target, uint32_t blind)
{
    char key[64];
    struct sl_store_pair pair;
    (void)snprintf(key, sizeof key, "/tidb/cdc/test/__cdc_meta__/capture/%s", w->hosts[target].id);
    for (uint32_t i = 0; i < 400 && sl_store_model_get(w->model, sl_str_of(key), &pair); i++) {
        w->hosts[blind].is_cut_off = false;
        wc_run(w, SL_MS);
        w->hosts[blind].is_cut_off = true;
        wc_run(w, 50 * SL_MS);
    }
}

/* The next coordinator did not reach the store when the lease ended, so that to it the node is still a member. */
static void a_node_that_was_safe_stays_so_for_a_coordinator_that_saw_it_go_later(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t owner = wc_owner(w), target = other(w), third = WC_NODES - owner - target;
    assert_code(drain(w, target), "OK");
    wc_run(w, 5 * SL_S);
    assert_true(show(w, target)->drain.safe_to_stop);
    wc_stop(&w->hosts[target]);
    run_until_gone(w, target, third);
    wc_run(w, 5500 * SL_MS);
    sl_assert_str(phase(w, target), "done");
    w->hosts[third].is_cut_off = false;
    wc_run(w, SL_S);
    assert_code(wc_ask(w, owner, SL_REQUEST_RESIGN, ""), "OK");
    wc_run(w, SL_S);
    sl_assert_u64(wc_owner(w), third);
    assert_code(drain(w, target), "NOT_FOUND");
    sl_assert_u64(wc_ask(w, third, SL_REQUEST_DRAIN_NODE, w->hosts[target].id)->remaining, 0);
    wc_teardown(w);
}

static void a_deadline_may_cancel_the_drain(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t target = other(w);
    w->hosts[target].plane.hangs_close = true;
    struct sl_request r = { .node = sl_str_of(w->hosts[target].id), .deadline_ms = 1000, .cancel_at_deadline = true };
    assert_code(ask_drain(w, r), "OK");
    wc_run(w, 5 * SL_S);
    sl_assert_str(sl_drain_phase_name(show(w, target)->drain.intent.phase), "cancelled");
    sl_assert_i64(wc_liveness(w, target), SL_LIVENESS_ALIVE);
    wc_teardown(w);
}

static void history_says_who_asked_and_why(void **state)
{
    (void)state;
    struct whole *w = with_feed();
    uint32_t target = other(w);
    struct sl_request r = { .node = sl_str_of(w->hosts[target].id),
                            .reason = SL_STR("new kernel"),
                            .actor = SL_STR("eve") };
    assert_code(ask_drain(w, r), "OK");
    wc_run(w, 5 * SL_S);
    wc_stop(&w->hosts[target]);
    wc_run(w, 30 * SL_S);
    const struct wc_answer *a = wc_ask(w, wc_owner(w), SL_REQUEST_DRAIN_LIST, "");
    sl_assert_u64(a->drain_count, 1);
    sl_assert_str(a->drain.intent.reason, "new kernel");
    sl_assert_str(a->drain.intent.actor, "eve");
    sl_assert_str(sl_drain_phase_name(a->drain.intent.phase), "done");
    assert_true(a->drain.intent.ended_wall_ms >= a->drain.intent.created_wall_ms);
    wc_teardown(w);
}

/* ---- values that cannot be read ---- */

static const char *const alien_keys[] = {
    "/tidb/cdc/test/default/changefeed/info/broken",
    "/tidb/cdc/test/default/changefeed/status/nobody",
    "/tidb/cdc/test/default/changefeed/info/a b/c",
    "/tidb/cdc/test/__cdc_meta__/capture/alien",
    "/tidb/cdc/test/__cdc_meta__/what",
    "/tidb/cdc_new/test/sluice/drain/broken",
    "/tidb/cdc_new/test/sluice/feed/default/broken",
    "/tidb/cdc_new/test/sluice/name/alien",
    "/tidb/cdc_new/test/sluice/what/is/this",
};
enum { ALIENS = sizeof alien_keys / sizeof alien_keys[0] };
static const char *const alien_values[] = { "", "{", "[1]", "null", "\xff\xfe", "{\"id\":7}" };

static void assert_aliens(struct whole *w, const char *value)
{
    for (uint32_t i = 0; i < ALIENS; i++) {
        struct sl_store_pair pair;
        assert_true(sl_store_model_get(w->model, sl_str_of(alien_keys[i]), &pair));
        sl_assert_u64(pair.value.len, strlen(value));
    }
}

/* The key is reported and left as it is; a feed runs and a node drains, before and after a new coordinator. */
static void values_that_nobody_can_read_hold_up_nothing_else(void **state)
{
    (void)state;
    for (size_t v = 0; v < sizeof alien_values / sizeof alien_values[0]; v++) {
        struct whole *w = wc_setup(0);
        for (uint32_t i = 0; i < ALIENS; i++)
            wc_put(w, alien_keys[i], alien_values[v]);
        for (uint32_t i = 0; i < WC_NODES; i++)
            wc_start(w, i);
        wc_run(w, 5 * SL_S);
        uint32_t owner = wc_owner(w);
        assert_true(owner < WC_NODES);
        assert_true(w->hosts[owner].events[SL_EV_STORE_VALUE_REFUSED] > 0);
        wc_create_feed(w, 1, "gen://x");
        sl_assert_u64(wc_dispatchers(w, 0) + wc_dispatchers(w, 1) + wc_dispatchers(w, 2), WC_TABLES);
        assert_code(wc_ask(w, owner, SL_REQUEST_RESIGN, ""), "OK");
        wc_run(w, 3 * SL_S);
        uint32_t target = other(w);
        assert_code(drain(w, target), "OK");
        wc_run(w, 10 * SL_S);
        assert_true(show(w, target)->drain.safe_to_stop);
        assert_aliens(w, alien_values[v]);
        wc_teardown(w);
    }
}

/* A newer version has run the drain before, and will do so again. */
static void what_a_newer_version_keeps_in_a_drain_outlives_this_one(void **state)
{
    (void)state;
    char key[128], value[2048], more[2100];
    struct sl_store_pair pair;
    struct whole *w = with_feed();
    uint32_t owner = wc_owner(w), target = other(w);
    w->hosts[target].plane.hangs_close = true;
    const struct wc_answer *a = drain(w, target);
    uint64_t epoch = a->drain.intent.epoch;
    (void)snprintf(key, sizeof key, "/tidb/cdc_new/test/sluice/drain/%s", a->drain.intent.id);
    wc_run(w, SL_S);
    wc_stop(&w->hosts[owner]);
    assert_true(sl_store_model_get(w->model, sl_str_of(key), &pair));
    (void)snprintf(value, sizeof value, "%.*s", (int)pair.value.len, (const char *)pair.value.ptr);
    (void)snprintf(more, sizeof more, "{\"newer\":[1,2e3],%s", value + 1);
    wc_put(w, key, more);
    wc_run(w, 30 * SL_S);
    a = show(w, target);
    assert_true(a->drain.intent.epoch > epoch);
    assert_true(sl_store_model_get(w->model, sl_str_of(key), &pair));
    sl_assert_mem(pair.value.ptr, "{\"newer\":[1,2e3],", 17);
    wc_teardown(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dry_run_shows_loads_before_and_after_and_changes_nothing),
        cmocka_unit_test(a_dry_run_of_the_last_node_is_refused),
        cmocka_unit_test(a_node_that_is_not_there_cannot_be_drained),
        cmocka_unit_test(the_last_node_cannot_be_drained),
        cmocka_unit_test(of_a_node_that_has_left_the_last_drain_is_shown),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
        cmocka_unit_test(a_drain_is_joined_but_not_with_other_options),
        cmocka_unit_test(what_blocks_a_drain_is_always_named),
        cmocka_unit_test(a_deadline_that_passes_is_told_and_the_drain_goes_on),
        cmocka_unit_test(a_node_that_was_safe_stays_so_for_a_coordinator_that_saw_it_go_later),
        cmocka_unit_test(a_deadline_may_cancel_the_drain),
        cmocka_unit_test(history_says_who_asked_and_why),
        cmocka_unit_test(values_that_nobody_can_read_hold_up_nothing_else),
        cmocka_unit_test(what_a_newer_version_keeps_in_a_drain_outlives_this_one),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
