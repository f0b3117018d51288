/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "cli/top.h"
#include "cli/watch.h"
#include "tests/support/sl_test.h"

#include <string.h>

static struct sl_cli_number known(uint64_t v)
{
    return (struct sl_cli_number){ true, v };
}

/* A drain of n2 in the middle, in words the API uses. */
static struct sl_cli_drain half_way(void)
{
    struct sl_cli_drain d = {
        .id = "9af0c1d2e3f40516",
        .target = "00000002-aaaa",
        .target_name = "n2",
        .phase = "evacuating",
        .reason = "kernel",
        .blocker = "DISPATCHERS_LEFT",
        .blocker_text = "dispatchers are still on the node",
        .blocker_detail = "feed orders",
        .maintainers = known(1),
        .operators = known(0),
        .dispatchers = known(3988),
        .moves = known(40),
        .feeds_unsettled = known(2),
        .peers_unacked = known(0),
        .stuck = known(0),
        .dispatchers_at_start = 10000,
        .moves_done = 6012,
        .lag_ms = known(340),
        .lag_budget_ms = known(5000),
    };
    d.slow[d.slow_count++] = (struct sl_cli_slow){ "default/orders", "00ff", "remove_origin", "n5", 12000 };
    return d;
}

static struct sl_cli_progress at_80(void)
{
    return (struct sl_cli_progress){
        .width = 80, .elapsed_ms = 12000, .eta_ms = known(8000), .deadline_in_ms = known(588000), .contact = ""
    };
}

static void a_drain_on_a_terminal_shows_all_there_is_to_know(void **state)
{
    const struct sl_cli_drain d = half_way();
    const struct sl_cli_progress p = at_80();
    struct sl_cli_buf b = { 0 };
    (void)state;
    sl_cli_progress_block(&b, &d, &p);
    sl_assert_str(b.ptr, "Draining n2  evacuating  drain 9af0c1d2e3f40516  kernel\n"
                         "[##################------------]  60 %  6,012 of 10,000 dispatchers moved\n"
                         "left: 1 maintainer, 3,988 dispatchers, 40 moves, 2 feeds unsettled\n"
                         "lag 340 ms of 5.0 s; elapsed 12 s; ETA 8.0 s; deadline in 9 m 48 s\n"
                         "slowest: default/orders 00ff remove_origin 12 s, waits for n5\n"
                         "not safe to stop: dispatchers are still on the node (feed orders)\n");
    sl_cli_buf_free(&b);
}

static void colours_change_no_column(void **state)
{
    const struct sl_cli_drain d = half_way();
    struct sl_cli_progress p = at_80();
    struct sl_cli_buf plain = { 0 }, coloured = { 0 };
    (void)state;
    sl_cli_progress_block(&plain, &d, &p);
    p.has_colour = true;
    sl_cli_progress_block(&coloured, &d, &p);
    sl_assert_u64(sl_cli_width(coloured.ptr), sl_cli_width(plain.ptr));
    assert_true(coloured.len > plain.len);
    sl_cli_buf_free(&plain);
    sl_cli_buf_free(&coloured);
}

static void no_line_reaches_the_edge_of_a_narrow_terminal(void **state)
{
    struct sl_cli_drain d = half_way();
    struct sl_cli_progress p = at_80();
    struct sl_cli_buf b = { 0 };
    (void)state;
    memset(d.blocker_detail, 'x', sizeof d.blocker_detail - 1);
    p.width = 40;
    p.has_colour = true;
    sl_cli_progress_block(&b, &d, &p);
    for (char *line = b.ptr, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        assert_true(sl_cli_width(line) <= 39);
    }
    sl_cli_buf_free(&b);
}

static void a_drain_in_one_line_says_why_it_is_not_safe(void **state)
{
    const struct sl_cli_drain d = half_way();
    const struct sl_cli_progress p = at_80();
    struct sl_cli_buf b = { 0 };
    (void)state;
    sl_cli_progress_line(&b, &d, &p);
    sl_assert_str(b.ptr, "n2 evacuating 60 %: 1 maintainer, 3,988 dispatchers, 40 moves, 2 feeds unsettled left; "
                         "lag 340 ms of 5.0 s; ETA 8.0 s; not safe: dispatchers are still on the node (feed orders)");
    sl_cli_buf_free(&b);
}

static void what_nobody_knows_is_never_0(void **state)
{
    const struct sl_cli_drain d = { .id = "1", .target = "x", .phase = "evacuating", .dispatchers_at_start = 10 };
    struct sl_cli_progress p = at_80();
    struct sl_cli_buf b = { 0 };
    (void)state;
    p.eta_ms.is_known = p.deadline_in_ms.is_known = false;
    sl_cli_progress_block(&b, &d, &p);
    sl_assert_str(b.ptr, "Draining x  evacuating  drain 1\n"
                         "[------------------------------]   0 %  0 of 10 dispatchers moved\n"
                         "left: not known yet\n"
                         "elapsed 12 s\n");
    struct sl_cli_drain half = half_way();
    half.moves.is_known = false;
    sl_cli_buf_clear(&b);
    sl_cli_progress_left(&b, &half);
    sl_assert_str(b.ptr, "1 maintainer, 3,988 dispatchers, ? moves, 2 feeds unsettled");
    sl_cli_buf_free(&b);
}

static void lost_contact_late_lag_and_a_passed_deadline_are_said(void **state)
{
    struct sl_cli_drain d = half_way();
    struct sl_cli_progress p = at_80();
    struct sl_cli_buf b = { 0 };
    (void)state;
    d.lag_ms.v = 7000;
    p.deadline_in_ms.v = 0;
    p.contact = "no answer for 9 s";
    sl_cli_progress_block(&b, &d, &p);
    assert_non_null(strstr(b.ptr, "lag 7.0 s of 5.0 s (moves wait);"));
    assert_non_null(strstr(b.ptr, "; past the deadline\n"));
    assert_non_null(strstr(b.ptr, "\nno answer for 9 s\n"));
    sl_cli_buf_free(&b);
}

static void a_hundred_percent_is_said_only_with_the_proof(void **state)
{
    struct sl_cli_drain d = half_way();
    (void)state;
    d.dispatchers.v = 0;
    sl_assert_u64(sl_cli_drain_percent(&d), 99);
    d.safe_to_stop = true; /* not in a phase that may say so */
    sl_assert_u64(sl_cli_drain_percent(&d), 99);
    memcpy(d.phase, "safe", 5);
    sl_assert_u64(sl_cli_drain_percent(&d), 100);
    d.dispatchers.v = 20000; /* more than there were */
    memcpy(d.phase, "evacuating", 11);
    sl_assert_u64(sl_cli_drain_percent(&d), 0);
}

static void the_time_left_follows_the_pace(void **state)
{
    struct sl_cli_rate r = { 0 };
    (void)state;
    sl_cli_rate_see(&r, 1000, 1000);
    assert_false(sl_cli_rate_eta(&r, 2000).is_known);
    sl_cli_rate_see(&r, 3000, 500);
    sl_assert_u64(sl_cli_rate_eta(&r, 3000).v, 2000);
    sl_cli_rate_see(&r, 4000, 0);
    assert_false(sl_cli_rate_eta(&r, 4000).is_known);
    sl_cli_rate_see(&r, 5000, 2000); /* new work: the pace is measured anew */
    assert_false(sl_cli_rate_eta(&r, 6000).is_known);
    sl_cli_rate_see(&r, 7000, 1990);
    assert_false(sl_cli_rate_eta(&r, 7000).is_known); /* too little to go by */
    sl_cli_rate_see(&r, 8000, 1000);
    sl_assert_u64(sl_cli_rate_eta(&r, 10000).v, 5000);
    assert_false(sl_cli_rate_eta(&r, 11001).is_known); /* it stands still */
}

/* ---- what a state means for one who waits ---- */

static int verdict(const char *phase, void (*change)(struct sl_cli_drain *d), struct sl_cli_watch_clock clock)
{
    const struct sl_cli_watch_opts opts = { .id = "1" };
    struct sl_cli_drain d = half_way();
    memcpy(d.phase, phase, strlen(phase) + 1);
    if (change)
        change(&d);
    return sl_cli_watch_verdict(&d, &opts, &clock);
}

static void prove(struct sl_cli_drain *d)
{
    d->safe_to_stop = true;
}

static void prove_by_others(struct sl_cli_drain *d)
{
    d->safe_to_stop = d->proof_reference = true;
}

static void cancel(struct sl_cli_drain *d)
{
    d->cancelled = true;
}

static void cancel_at_deadline(struct sl_cli_drain *d)
{
    d->cancelled = d->cancel_at_deadline = true;
}

static void may_cancel(struct sl_cli_drain *d)
{
    d->cancel_at_deadline = true;
}

static void zero_means_proved_safe_and_nothing_else(void **state)
{
    static const char *const phases[] = { "pending", "evacuating", "stopping", "safe",   "clearing",
                                          "done",    "cancelled",  "failed",   "strange" };
    const struct sl_cli_watch_clock none = { 0 }, all = { true, true, true };
    (void)state;
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        assert_true(verdict(phases[i], NULL, none) != SL_CLI_EXIT_OK);
        assert_true(verdict(phases[i], NULL, all) != SL_CLI_EXIT_OK);
        assert_true(verdict(phases[i], cancel, all) != SL_CLI_EXIT_OK);
        assert_true(verdict(phases[i], prove_by_others, all) != SL_CLI_EXIT_OK);
    }
    sl_assert_i64(verdict("safe", prove, none), SL_CLI_EXIT_OK);
    sl_assert_i64(verdict("clearing", prove, none), SL_CLI_EXIT_OK);
    sl_assert_i64(verdict("done", prove, none), SL_CLI_EXIT_OK);
    sl_assert_i64(verdict("evacuating", prove, none), -1);
}

static void each_end_has_its_code(void **state)
{
    const struct sl_cli_watch_clock none = { 0 }, late = { .deadline_passed = true },
                                    blocked = { .blocked_too_long = true };
    (void)state;
    sl_assert_i64(verdict("evacuating", NULL, none), -1);
    sl_assert_i64(verdict("stopping", NULL, none), -1);
    sl_assert_i64(verdict("safe", prove_by_others, none), SL_CLI_EXIT_REFERENCE);
    sl_assert_i64(verdict("cancelled", NULL, none), SL_CLI_EXIT_CANCELLED);
    sl_assert_i64(verdict("clearing", cancel, none), SL_CLI_EXIT_CANCELLED);
    sl_assert_i64(verdict("cancelled", cancel_at_deadline, late), SL_CLI_EXIT_DEADLINE);
    sl_assert_i64(verdict("failed", NULL, none), SL_CLI_EXIT_FAILED);
    sl_assert_i64(verdict("clearing", NULL, none), SL_CLI_EXIT_FAILED);
    sl_assert_i64(verdict("evacuating", NULL, late), SL_CLI_EXIT_DEADLINE);
    sl_assert_i64(verdict("evacuating", may_cancel, late), -1); /* the cluster is about to cancel it */
    sl_assert_i64(verdict("evacuating", NULL, blocked), SL_CLI_EXIT_BLOCKED);
    sl_assert_i64(verdict("safe", prove, blocked), SL_CLI_EXIT_OK);
}

static void with_stop_one_waits_for_the_node_to_leave_but_not_for_ever(void **state)
{
    const struct sl_cli_watch_opts opts = { .id = "1", .waits_for_exit = true };
    struct sl_cli_watch_clock clock = { 0 };
    struct sl_cli_drain d = half_way();
    (void)state;
    d.safe_to_stop = true;
    memcpy(d.phase, "safe", 5);
    sl_assert_i64(sl_cli_watch_verdict(&d, &opts, &clock), -1);
    clock.exit_waited = true;
    sl_assert_i64(sl_cli_watch_verdict(&d, &opts, &clock), SL_CLI_EXIT_OK);
    clock.exit_waited = false;
    memcpy(d.phase, "clearing", 9);
    sl_assert_i64(sl_cli_watch_verdict(&d, &opts, &clock), SL_CLI_EXIT_OK);
}

/* ---- top ---- */

static const char top_drains_json[] =
    "{\"items\":[{\"id\":\"9af0\",\"node\":{\"id\":\"x\",\"name\":\"n2\"},\"phase\":\"evacuating\",\"blocker\":{"
    "\"kind\":\"DISPATCHERS_LEFT\",\"text\":\"dispatchers are still on the node\",\"detail\":\"\"},\"remaining\":{"
    "\"maintainers\":0,\"operators\":0,\"dispatchers\":250,\"moves\":0,\"feeds_unsettled\":0,\"peers_unacked\":0,"
    "\"stuck\":0},\"dispatchers_at_start\":1000}]}";

static void top_fills_80_by_24_exactly(void **state)
{
    struct sl_cli_node items[40] = { { .id = "1",
                                       .name = "n1",
                                       .address = "h1:8300",
                                       .liveness = "alive",
                                       .is_owner = true,
                                       .dispatchers = known(5) },
                                     { .id = "2", .name = "n2", .liveness = "draining" },
                                     { .id = "3",
                                       .name = "n3",
                                       .liveness = "unknown",
                                       .is_unknown = true,
                                       .silent_ms = { true, 9000 },
                                       .dispatchers = known(7) } };
    const struct sl_cli_nodes nodes = { .items = items, .count = 40 };
    struct json_object *drains = json_tokener_parse(top_drains_json);
    struct sl_cli_top t = { .nodes = &nodes,
                            .drains = drains,
                            .server = "http://h1:8300",
                            .contact = "",
                            .clock = "18:00:00",
                            .width = 80,
                            .height = 24,
                            .fills = true };
    struct sl_cli_buf b = { 0 };
    size_t lines = 1;
    (void)state;
    sl_cli_top_render(&b, &t);
    for (char *line = b.ptr, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        assert_true(sl_cli_width(line) <= 80);
        *end = '\n';
        lines++;
    }
    sl_assert_u64(lines, 24);
    assert_non_null(strstr(b.ptr, "drain n2 evacuating [###############-----] 75 %  250 dispatchers\n"));
    assert_non_null(strstr(b.ptr, "n1    alive     coordinator      -            5  h1:8300\n"));
    assert_non_null(strstr(b.ptr, "n3    silent    -                -            -  -\n")); /* not 7: it is stale */
    assert_non_null(strstr(b.ptr, " more\n"));
    assert_non_null(strstr(b.ptr, "\nq quits"));
    sl_cli_buf_clear(&b);
    t.fills = false;
    sl_cli_top_render(&b, &t);
    assert_null(strstr(b.ptr, "q quits")); /* nobody can press it */
    assert_null(strstr(b.ptr, "\n\n\n"));
    json_object_put(drains);
    sl_cli_buf_free(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drain_on_a_terminal_shows_all_there_is_to_know),
        cmocka_unit_test(colours_change_no_column),
        cmocka_unit_test(no_line_reaches_the_edge_of_a_narrow_terminal),
        cmocka_unit_test(a_drain_in_one_line_says_why_it_is_not_safe),
        cmocka_unit_test(what_nobody_knows_is_never_0),
        cmocka_unit_test(lost_contact_late_lag_and_a_passed_deadline_are_said),
        cmocka_unit_test(a_hundred_percent_is_said_only_with_the_proof),
        cmocka_unit_test(the_time_left_follows_the_pace),
        cmocka_unit_test(zero_means_proved_safe_and_nothing_else),
        cmocka_unit_test(each_end_has_its_code),
        cmocka_unit_test(with_stop_one_waits_for_the_node_to_leave_but_not_for_ever),
        cmocka_unit_test(top_fills_80_by_24_exactly),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
