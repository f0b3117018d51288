/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/maintainer_driver.h"

/* The end of a maintainer: conformance facts 21, 22, 23, 26, and what the reference leaves open (W8, W13, W20, W22). */

static struct driver d;

static void begin(uint32_t nodes, uint32_t tables)
{
    driver_init(&d, nodes);
    driver_set_tables(&d, tables);
}

static void end(void)
{
    driver_deinit(&d);
}

static void begin_running(uint32_t nodes, uint32_t tables)
{
    begin(nodes, tables);
    driver_bootstrap(&d);
    driver_run(&d, SL_S);
    driver_forget(&d);
}

/* ---- which requests count ---- */

static void request_of_another_epoch_is_refused(void **state)
{
    (void)state;
    begin_running(1, 1);
    sl_assert_i64(driver_remove(&d, true, true, DRIVER_EPOCH + 1), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(driver_remove(&d, true, true, DRIVER_EPOCH - 1), SL_REFUSE_STALE_VERSION);
    sl_assert_i64(driver_remove(&d, true, true, 0), SL_REFUSE_ZERO_EPOCH);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_CLOSE_REQUEST), 0u);
    sl_assert_i64(driver_remove(&d, true, true, DRIVER_EPOCH), SL_REFUSE_NONE);
    end();
}

static void maintainer_without_epoch_takes_any_request(void **state)
{
    (void)state;
    for (uint64_t epoch = 0; epoch <= 2; epoch += 2) {
        begin(1, 0);
        d.opts.interop = true;
        d.opts.epoch = 0;
        driver_start(&d);
        sl_assert_i64(driver_remove(&d, true, false, epoch), SL_REFUSE_NONE);
        end();
    }
}

static void zero_epoch_does_not_fit_a_maintainer_with_one_in_interoperation_either(void **state)
{
    (void)state;
    begin(1, 0);
    d.opts.interop = true;
    driver_start(&d);
    sl_assert_i64(driver_remove(&d, true, false, 0), SL_REFUSE_STALE_VERSION);
    end();
}

static void hand_over_does_not_break_a_bootstrap_off(void **state)
{
    (void)state;
    begin(2, 1);
    d.nodes[1].is_silent = true;
    driver_start(&d);
    driver_deliver(&d);
    sl_assert_i64(driver_remove(&d, false, false, DRIVER_EPOCH), SL_REFUSE_NOT_BOOTSTRAPPED);
    d.nodes[1].is_silent = false;
    driver_run(&d, SL_S);
    assert_true(sl_maintainer_is_bootstrapped(d.m));
    sl_assert_i64(driver_remove(&d, false, false, DRIVER_EPOCH), SL_REFUSE_NONE);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void removal_for_good_breaks_a_bootstrap_off(void **state)
{
    (void)state;
    begin(2, 1);
    d.nodes[1].is_silent = true;
    driver_start(&d);
    driver_deliver(&d);
    sl_assert_i64(driver_remove(&d, false, true, DRIVER_EPOCH), SL_REFUSE_NONE);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    assert_true(sl_dispatcher_id_is_none(d.nodes[0].trigger));
    end();
}

/* ---- hand-over ---- */

static void hand_over_leaves_the_dispatchers_and_takes_the_trigger(void **state)
{
    (void)state;
    begin_running(2, 10);
    sl_assert_i64(driver_remove(&d, false, false, DRIVER_EPOCH), SL_REFUSE_NONE);
    const Pb__ScheduleDispatcherRequest *r = driver_peek(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST, 0);
    assert_non_null(r);
    sl_assert_i64(r->action, PB__SCHEDULE_ACTION__REMOVE);
    assert_true(sl_dispatcher_id_eq(sl_dispatcher_id_of(r->config->dispatcher_id), d.nodes[0].trigger));
    assert_false(sl_maintainer_is_closed(d.m));
    driver_deliver(&d); /* the trigger's end closes it: nobody has to ask again */
    assert_true(sl_maintainer_is_closed(d.m));
    sl_assert_u64(d.nodes[0].dispatcher_count + d.nodes[1].dispatcher_count, 10u);
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    assert_false(sl_maintainer_is_forgettable(d.m));
    const Pb__MaintainerStatus *status = driver_status(&d);
    sl_assert_i64(status->state, PB__COMPONENT_STATE__STOPPED);
    assert_false(status->closed_everywhere);
    assert_true(sl_maintainer_is_forgettable(d.m));
    end();
}

static void a_cascade_says_that_the_dispatchers_are_closed_too(void **state)
{
    (void)state;
    begin_running(2, 10);
    sl_assert_i64(driver_remove(&d, true, false, DRIVER_EPOCH), SL_REFUSE_NONE);
    assert_false(driver_status(&d)->closed_everywhere);
    driver_deliver(&d);
    const Pb__MaintainerStatus *status = driver_status(&d);
    sl_assert_i64(status->state, PB__COMPONENT_STATE__STOPPED);
    assert_true(status->closed_everywhere);
    end();
}

static void a_cascade_does_not_end_before_all_members_are_known(void **state)
{
    (void)state;
    driver_init(&d, 2);
    d.opts.reads_members = true;
    d.opts.remove_only = true;
    driver_start(&d);
    sl_assert_i64(driver_remove(&d, true, true, DRIVER_EPOCH), SL_REFUSE_NONE);
    driver_deliver(&d);
    assert_false(sl_maintainer_is_closed(d.m));
    sl_maintainer_on_members_read(d.m, d.now, &d.out);
    driver_collect(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void repeated_requests_change_nothing_and_are_answered_by_the_status(void **state)
{
    (void)state;
    begin_running(1, 4);
    driver_remove(&d, false, false, DRIVER_EPOCH);
    (void)driver_status(&d);
    sl_assert_i64(driver_remove(&d, false, false, DRIVER_EPOCH), SL_REFUSE_NONE);
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    sl_assert_i64(driver_status(&d)->state, PB__COMPONENT_STATE__WORKING);
    driver_deliver(&d);
    sl_assert_i64(driver_remove(&d, false, false, DRIVER_EPOCH), SL_REFUSE_NONE);
    sl_assert_i64(driver_status(&d)->state, PB__COMPONENT_STATE__STOPPED);
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 1u);
    end();
}

static void maintainer_that_hands_over_sends_nothing_else(void **state)
{
    (void)state;
    begin_running(2, 4);
    d.nodes[0].is_silent = true;
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_members(&d, 1 | 2 | 4);
    driver_run_alone(&d, 5 * SL_S);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST), 0u);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_POST_BOOTSTRAP_REQUEST), 0u);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_CLOSE_REQUEST), 0u);
    sl_assert_u64(d.sent[SL_MSG_SCHEDULE_DISPATCHER_REQUEST][0], 6u); /* the trigger's Remove, once a second */
    sl_assert_u64(d.sent[SL_MSG_SCHEDULE_DISPATCHER_REQUEST][1], 0u);
    end();
}

static void hand_over_takes_a_trigger_that_is_just_made_again(void **state)
{
    (void)state;
    begin_running(2, 4);
    const struct driver_beat ended = { .checkpoint = 1000,
                                       .id = d.nodes[0].trigger,
                                       .state = PB__COMPONENT_STATE__STOPPED };
    d.nodes[0].trigger = (struct sl_dispatcher_id){ 0 };
    driver_beat(&d, 0, &ended);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_BOOTSTRAP_REQUEST][0], 1u); /* makes it again, and is on its way */
    driver_remove(&d, false, false, DRIVER_EPOCH);
    assert_false(sl_maintainer_is_closed(d.m));
    driver_deliver(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    assert_true(sl_dispatcher_id_is_none(d.nodes[0].trigger));
    end();
}

static void trigger_unknown_to_its_node_ends_the_wait(void **state)
{
    (void)state;
    begin_running(1, 1);
    d.nodes[0].checkpoint = 5000;
    driver_run(&d, SL_S);
    struct sl_dispatcher_id trigger = d.nodes[0].trigger;
    driver_remove(&d, false, false, DRIVER_EPOCH);
    const struct driver_beat unknown = { .checkpoint = SL_TS_MAX,
                                         .id = trigger,
                                         .state = PB__COMPONENT_STATE__STOPPED };
    driver_beat(&d, 0, &unknown); /* with checkpoint 0 */
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void hand_over_ends_even_if_the_own_node_never_answers(void **state)
{
    (void)state;
    begin_running(1, 1);
    d.nodes[0].is_silent = true;
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_run_alone(&d, 9 * SL_S);
    assert_false(sl_maintainer_is_closed(d.m));
    driver_run_alone(&d, 2 * SL_S);
    assert_true(sl_maintainer_is_closed(d.m));
    sl_assert_u64(d.events[SL_EV_HANDOVER_TIMED_OUT], 1u);
    end();
}

/* Node 1 is drained, but its dispatchers do not stop: moves are in flight. */
static void begin_with_moves_in_flight(void)
{
    begin_running(3, 6);
    d.nodes[1].ignores_schedules = true;
    driver_set_target(&d, 1, 1);
    driver_deliver(&d);
    sl_assert_u64(driver_stats(&d).moves, 2u);
}

static void moves_in_flight_end_before_the_hand_over_goes_on(void **state)
{
    (void)state;
    begin_with_moves_in_flight();
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_run(&d, 2 * SL_S);
    assert_false(sl_maintainer_is_closed(d.m));
    assert_false(sl_dispatcher_id_is_none(d.nodes[0].trigger));
    d.nodes[1].ignores_schedules = false;
    driver_run(&d, 2 * SL_S);
    assert_true(sl_maintainer_is_closed(d.m));
    sl_assert_u64(d.nodes[1].dispatcher_count, 0u);
    sl_assert_u64(d.nodes[0].dispatcher_count + d.nodes[2].dispatcher_count, 6u);
    end();
}

static void moves_that_do_not_end_hold_a_hand_over_for_a_limited_time(void **state)
{
    (void)state;
    begin_with_moves_in_flight();
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_run(&d, 9 * SL_S);
    assert_false(sl_maintainer_is_closed(d.m));
    driver_run(&d, 2 * SL_S);
    assert_true(sl_maintainer_is_closed(d.m));
    sl_assert_u64(d.events[SL_EV_HANDOVER_TIMED_OUT], 1u);
    end();
}

static void no_new_move_begins_during_a_hand_over(void **state)
{
    (void)state;
    begin_running(3, 6);
    d.nodes[0].is_silent = true;
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_set_target(&d, 1, 1);
    driver_run(&d, 2 * SL_S);
    sl_assert_u64(driver_stats(&d).moves, 0u);
    sl_assert_u64(d.nodes[1].dispatcher_count, 2u);
    end();
}

/* ---- cascade ---- */

static void every_member_gets_one_close_request_at_once(void **state)
{
    (void)state;
    begin_running(3, 3);
    driver_remove(&d, true, true, DRIVER_EPOCH);
    for (uint32_t node = 0; node < 3; node++) {
        sl_assert_u64(d.sent[SL_MSG_MAINTAINER_CLOSE_REQUEST][node], 1u);
        const Pb__MaintainerCloseRequest *r = driver_peek(&d, SL_MSG_MAINTAINER_CLOSE_REQUEST, node);
        assert_true(r->removed);
        sl_assert_u64(r->maintainer_epoch, DRIVER_EPOCH);
        sl_assert_u64(r->capabilities & SL_CAP_CLOSE_OUTCOME, SL_CAP_CLOSE_OUTCOME);
    }
    driver_deliver(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void open_node_alone_is_asked_again(void **state)
{
    (void)state;
    begin_running(3, 3);
    d.nodes[2].is_silent = true;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    driver_forget(&d);
    driver_run_alone(&d, 350 * SL_MS);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_CLOSE_REQUEST][2], 3u);
    sl_assert_u64(driver_sent(&d, SL_MSG_MAINTAINER_CLOSE_REQUEST), 3u);
    assert_false(sl_maintainer_is_closed(d.m));
    d.nodes[2].is_silent = false;
    driver_run_alone(&d, 100 * SL_MS);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void leaving_of_the_last_open_node_closes(void **state)
{
    (void)state;
    begin_running(3, 3);
    d.nodes[2].is_silent = true;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    driver_members(&d, 1 | 2);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void node_that_joins_meanwhile_is_closed_too(void **state)
{
    (void)state;
    begin_running(2, 2);
    d.nodes[1].is_silent = d.nodes[2].is_silent = true;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    driver_members(&d, 1 | 2 | 4);
    sl_assert_u64(d.sent[SL_MSG_MAINTAINER_CLOSE_REQUEST][2], 1u);
    d.nodes[1].is_silent = d.nodes[2].is_silent = false;
    driver_run_alone(&d, SL_S);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void close_answer_counts_only_in_a_cascade_and_of_the_own_epoch(void **state)
{
    (void)state;
    begin_running(2, 2);
    sl_assert_i64(driver_answer_close(&d, 1, DRIVER_EPOCH), SL_REFUSE_NOT_HANDLED);
    d.nodes[0].is_silent = d.nodes[1].is_silent = true;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    sl_assert_i64(driver_answer_close(&d, 0, DRIVER_EPOCH), SL_REFUSE_NONE);
    sl_assert_i64(driver_answer_close(&d, 1, DRIVER_EPOCH - 1), SL_REFUSE_STALE_VERSION);
    assert_false(sl_maintainer_is_closed(d.m));
    sl_assert_i64(driver_answer_close(&d, 1, DRIVER_EPOCH), SL_REFUSE_NONE);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void closing_is_not_closed(void **state)
{
    (void)state;
    begin_running(1, 1);
    d.nodes[0].close_outcome = PB__CLOSE_OUTCOME__CLOSING;
    d.nodes[0].close_fails = true;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_run_alone(&d, SL_S);
    assert_false(sl_maintainer_is_closed(d.m));
    d.nodes[0].close_outcome =
        PB__CLOSE_OUTCOME__UNSPECIFIED; /* a foreign node that is not done says no more than this */
    driver_run_alone(&d, SL_S);
    assert_false(sl_maintainer_is_closed(d.m));
    d.nodes[0].close_fails = false;
    driver_run_alone(&d, SL_S);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void node_of_a_newer_owner_is_left_to_it_and_named(void **state)
{
    (void)state;
    begin_running(2, 2);
    d.nodes[1].close_outcome = PB__CLOSE_OUTCOME__STALE;
    d.nodes[1].close_fails = true;
    d.nodes[1].close_owner_epoch = DRIVER_EPOCH + 1;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    const Pb__MaintainerStatus *s = driver_status(&d);
    sl_assert_u64(s->n_errors, 1u);
    sl_assert_str(s->errors[0]->code, "CDC:ErrSluiceOwnerChanged");
    sl_assert_str(s->errors[0]->node, "n1");
    end();
}

/* The owner there has the same epoch and is not us: a dead predecessor. "Closed" would leave its dispatchers running.
 */
static void node_of_an_owner_that_is_not_newer_is_not_taken_for_closed(void **state)
{
    (void)state;
    begin(2, 0);
    d.opts.remove_only = true;
    d.nodes[1].close_outcome = PB__CLOSE_OUTCOME__STALE;
    d.nodes[1].close_fails = true;
    d.nodes[1].close_owner_epoch = DRIVER_EPOCH;
    driver_start(&d);
    driver_remove(&d, true, true, DRIVER_EPOCH);
    driver_run_alone(&d, SL_S);
    assert_false(sl_maintainer_is_closed(d.m));
    sl_assert_str(driver_status(&d)->errors[0]->code, "CDC:ErrSluiceOwnerChanged");
    d.nodes[1].close_outcome = PB__CLOSE_OUTCOME__CLOSED;
    d.nodes[1].close_fails = false;
    driver_run_alone(&d, SL_S);
    assert_true(sl_maintainer_is_closed(d.m));
    end();
}

static void remover_closes_every_node(void **state)
{
    (void)state;
    begin(3, 0);
    d.opts.remove_only = true;
    d.opts.config = (struct sl_secret){ 0 };
    driver_add_dispatcher(&d, 2, 11, 1);
    driver_start(&d);
    sl_assert_i64(driver_remove(&d, false, false, DRIVER_EPOCH), SL_REFUSE_NOT_BOOTSTRAPPED);
    driver_remove(&d, true, true, DRIVER_EPOCH);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    sl_assert_u64(d.nodes[2].dispatcher_count, 0u);
    end();
}

static void cascade_breaks_a_bootstrap_off(void **state)
{
    (void)state;
    begin(2, 1);
    d.nodes[1].is_silent = true;
    driver_start(&d);
    driver_deliver(&d);
    sl_assert_i64(driver_remove(&d, true, false, DRIVER_EPOCH), SL_REFUSE_NONE);
    d.nodes[1].is_silent = false;
    driver_run_alone(&d, SL_S);
    assert_true(sl_maintainer_is_closed(d.m));
    assert_false(sl_maintainer_is_bootstrapped(d.m));
    end();
}

static void cascade_takes_over_a_hand_over(void **state)
{
    (void)state;
    begin_running(2, 2);
    d.nodes[0].is_silent = true;
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_run_alone(&d, SL_S);
    d.nodes[0].is_silent = false;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_run_alone(&d, SL_S);
    assert_true(sl_maintainer_is_closed(d.m));
    sl_assert_u64(d.nodes[0].dispatcher_count + d.nodes[1].dispatcher_count, 0u);
    end();
}

/* "Stopped" would be taken as the answer to the cascade, with every dispatcher still running. */
static void cascade_takes_over_even_a_finished_hand_over(void **state)
{
    (void)state;
    begin_running(2, 2);
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_deliver(&d);
    (void)driver_status(&d);
    assert_true(sl_maintainer_is_forgettable(d.m));
    driver_remove(&d, true, false, DRIVER_EPOCH);
    assert_false(sl_maintainer_is_closed(d.m));
    driver_deliver(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    assert_false(sl_maintainer_is_forgettable(d.m));
    sl_assert_u64(d.nodes[0].dispatcher_count + d.nodes[1].dispatcher_count, 0u);
    end();
}

static void hand_over_request_does_not_weaken_a_cascade(void **state)
{
    (void)state;
    begin_running(2, 2);
    d.nodes[1].is_silent = true;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_run_alone(&d, SL_S);
    assert_false(sl_maintainer_is_closed(d.m));
    end();
}

static void pause_that_becomes_a_removal_tells_closed_nodes_again(void **state)
{
    (void)state;
    begin_running(2, 2);
    d.nodes[1].is_silent = true;
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    driver_lose(&d);
    driver_forget(&d);
    driver_remove(&d, true, true, DRIVER_EPOCH);
    const Pb__MaintainerCloseRequest *r = driver_peek(&d, SL_MSG_MAINTAINER_CLOSE_REQUEST, 0);
    assert_non_null(r);
    assert_true(r->removed);
    end();
}

/* ---- closed ---- */

static void closed_maintainer_hears_nothing_and_wants_nothing(void **state)
{
    (void)state;
    begin_running(2, 2);
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    driver_forget(&d);
    sl_assert_i64(sl_maintainer_deadline(d.m), SL_NEVER);
    const struct driver_beat orphan = { .checkpoint = 9000, .id = { 5, 5 } };
    sl_assert_i64(driver_beat(&d, 1, &orphan), SL_REFUSE_UNKNOWN_FEED);
    driver_members(&d, 1);
    driver_set_target(&d, 0, 3);
    sl_maintainer_on_tick(d.m, d.now + SL_S, &d.out);
    driver_collect(&d);
    sl_assert_u64(d.queue_count, 0u);
    end();
}

static void touched_status_has_to_be_taken_again_before_it_is_forgotten(void **state)
{
    (void)state;
    begin_running(1, 1);
    driver_remove(&d, true, false, DRIVER_EPOCH);
    driver_deliver(&d);
    (void)driver_status(&d);
    assert_true(sl_maintainer_is_forgettable(d.m));
    sl_maintainer_touch(d.m);
    assert_false(sl_maintainer_is_forgettable(d.m));
    assert_true(sl_maintainer_status_is_due(d.m, d.now, SL_S));
    (void)driver_status(&d);
    assert_true(sl_maintainer_is_forgettable(d.m));
    end();
}

static void successor_adopts_what_a_hand_over_left(void **state)
{
    (void)state;
    begin_running(3, 6);
    driver_remove(&d, false, false, DRIVER_EPOCH);
    driver_deliver(&d);
    assert_true(sl_maintainer_is_closed(d.m));
    sl_maintainer_free(d.m);
    d.m = NULL;
    d.opts.seed++;
    driver_forget(&d);
    driver_bootstrap(&d);
    sl_assert_u64(driver_stats(&d).replicating, 6u);
    sl_assert_u64(driver_sent(&d, SL_MSG_SCHEDULE_DISPATCHER_REQUEST), 0u);
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_of_another_epoch_is_refused),
        cmocka_unit_test(maintainer_without_epoch_takes_any_request),
        cmocka_unit_test(zero_epoch_does_not_fit_a_maintainer_with_one_in_interoperation_either),
        cmocka_unit_test(hand_over_does_not_break_a_bootstrap_off),
        cmocka_unit_test(removal_for_good_breaks_a_bootstrap_off),
        cmocka_unit_test(hand_over_leaves_the_dispatchers_and_takes_the_trigger),
        cmocka_unit_test(repeated_requests_change_nothing_and_are_answered_by_the_status),
        cmocka_unit_test(maintainer_that_hands_over_sends_nothing_else),
        cmocka_unit_test(hand_over_takes_a_trigger_that_is_just_made_again),
        cmocka_unit_test(trigger_unknown_to_its_node_ends_the_wait),
        cmocka_unit_test(hand_over_ends_even_if_the_own_node_never_answers),
        cmocka_unit_test(moves_in_flight_end_before_the_hand_over_goes_on),
        cmocka_unit_test(moves_that_do_not_end_hold_a_hand_over_for_a_limited_time),
        cmocka_unit_test(no_new_move_begins_during_a_hand_over),
        cmocka_unit_test(every_member_gets_one_close_request_at_once),
        cmocka_unit_test(open_node_alone_is_asked_again),
        cmocka_unit_test(leaving_of_the_last_open_node_closes),
        cmocka_unit_test(node_that_joins_meanwhile_is_closed_too),
        cmocka_unit_test(close_answer_counts_only_in_a_cascade_and_of_the_own_epoch),
        cmocka_unit_test(closing_is_not_closed),
        cmocka_unit_test(node_of_a_newer_owner_is_left_to_it_and_named),
        cmocka_unit_test(node_of_an_owner_that_is_not_newer_is_not_taken_for_closed),
        cmocka_unit_test(remover_closes_every_node),
        cmocka_unit_test(cascade_breaks_a_bootstrap_off),
        cmocka_unit_test(cascade_takes_over_a_hand_over),
        cmocka_unit_test(cascade_takes_over_even_a_finished_hand_over),
        cmocka_unit_test(hand_over_request_does_not_weaken_a_cascade),
        cmocka_unit_test(pause_that_becomes_a_removal_tells_closed_nodes_again),
        cmocka_unit_test(closed_maintainer_hears_nothing_and_wants_nothing),
        cmocka_unit_test(touched_status_has_to_be_taken_again_before_it_is_forgotten),
        cmocka_unit_test(successor_adopts_what_a_hand_over_left),
        cmocka_unit_test(a_cascade_says_that_the_dispatchers_are_closed_too),
        cmocka_unit_test(a_cascade_does_not_end_before_all_members_are_known),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
