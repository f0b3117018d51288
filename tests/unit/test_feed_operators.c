/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

/* Add and move, event by event. */

static void assert_absent(const struct feeds_driver *d, uint32_t feed)
{
    fd_assert_place(d, feed, SL__PLACE_ABSENT);
    sl_assert_u64(fd_feed(d, feed)->node, SL_NODE_NONE);
}

/* Nothing is eligible any more, so that what becomes absent stays so. */
static void stop_scheduling(struct feeds_driver *d)
{
    const char *const target[] = { "n9" };
    const uint64_t epoch[] = { 1 };
    fd_targets(d, target, epoch, 1);
}

static void resume_scheduling(struct feeds_driver *d)
{
    fd_targets(d, NULL, NULL, 0);
    fd_tick(d, 2 * SL_S);
}

/* ---- ADD ---- */

static void add_leaves_only_after_its_epoch_is_durable(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    d.holds_store = true;
    fd_settle(&d);
    fd_tick(&d, 10 * SL_S);
    sl_assert_u64(d.sent_count, 0);
    sl_assert_u64(d.held_count, 1);
    assert_true(fd_store_step(&d));
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(add->epoch, fd_record(&d, 1).epoch);
    sl_assert_u64(add->config_epoch, add->epoch);
    fd_stop(&d);
}

static void an_epoch_is_the_wall_clock_or_one_more_than_the_old_one(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_put(&d, 2, "normal", UINT64_MAX - 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    sl_assert_u64(fd_record(&d, 1).epoch, FD_WALL_NS + (uint64_t)FD_START_NS);
    sl_assert_u64(fd_record(&d, 2).epoch, UINT64_MAX - 4);
    fd_stop(&d);
}

static void the_last_epoch_of_all_is_not_passed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put(&d, 1, "normal", UINT64_MAX, 100, SL_PROGRESS_NONE);
    fd_put(&d, 2, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    fd_run(&d, 60 * SL_S);
    sl_assert_u64(fd_record(&d, 1).epoch, UINT64_MAX);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1), 0);
    assert_true(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 2) > 0);
    fd_stop(&d);
}

static void add_ends_with_a_bootstrapped_maintainer_of_its_epoch(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    fd_booting(&d, 1, 1, epoch, 100);
    fd_assert_place(&d, 1, SL__PLACE_SCHEDULING);
    fd_working(&d, 1, 1, epoch - 1, 100);
    fd_working(&d, 1, 1, 0, 100); /* no epoch: somebody else's */
    fd_assert_place(&d, 1, SL__PLACE_SCHEDULING);
    fd_working(&d, 1, 1, epoch, 100);
    fd_assert_replicating(&d, 1, 1);
    fd_stop(&d);
}

static void with_interop_a_report_without_epoch_ends_an_add(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.interop = true;
    fd_open(&d, 1, &opts);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    fd_working(&d, 1, 1, 0, 100);
    fd_assert_replicating(&d, 1, 1);
    fd_stop(&d);
}

static void add_is_sent_again_until_the_maintainer_shows(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    fd_run(&d, 2 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1), 5);
    fd_booting(&d, 1, 1, epoch, 100);
    fd_run(&d, 10 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1), 5);
    fd_stop(&d);
}

static void a_node_that_refuses_an_add_is_told_to_forget_it_and_another_one_is_tried(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    const struct fd_sent first = *fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(first.to, fd_ref(&d, 1));
    fd_refused(&d, 1, 1, first.epoch);
    sl_assert_u64(d.event_count[SL_EV_FEED_NOT_STARTED], 1);
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->to, fd_ref(&d, 1));
    sl_assert_u64(remove->epoch, first.epoch);
    fd_refused(&d, 1, 1, first.epoch); /* of an Add that was sent again */
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 1);
    fd_stopped(&d, 1, 1, first.epoch, 0);
    const struct fd_sent *second = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(second->to, fd_ref(&d, 2));
    assert_true(second->epoch > first.epoch);
    fd_stop(&d);
}

static void a_refusal_that_another_add_overtook_means_nothing(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    fd_booting(&d, 1, 1, epoch, 100);
    fd_refused(&d, 1, 1, epoch);
    fd_working(&d, 1, 1, epoch, 100);
    fd_refused(&d, 1, 1, epoch);
    fd_assert_replicating(&d, 1, 1);
    fd_stop(&d);
}

static void a_feed_that_every_node_refuses_backs_off(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    for (int i = 0; i < 3; i++) {
        uint64_t epoch = fd_feed(&d, 1)->epoch;
        fd_refused(&d, 1, 1, epoch);
        fd_stopped(&d, 1, 1, epoch, 0);
    }
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_WARNING);
    uint32_t adds = fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1);
    fd_run(&d, 8 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1), adds);
    fd_run(&d, 4 * SL_S);
    assert_true(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1) > adds);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 1);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_NORMAL);
    fd_stop(&d);
}

static void the_loss_of_another_node_does_not_touch_an_add(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    fd_lost(&d, 3);
    fd_assert_place(&d, 1, SL__PLACE_SCHEDULING);
    sl_assert_u64(fd_feed(&d, 1)->node, fd_ref(&d, 1));
    fd_stop(&d);
}

static void the_loss_of_the_destination_ends_an_add_in_every_state(void **state)
{
    (void)state;
    for (int durable = 0; durable < 2; durable++) {
        struct feeds_driver d;
        fd_open(&d, 2, NULL);
        fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_draining(&d, 1, true); /* the other one is n2 */
        fd_load(&d);
        d.holds_store = durable == 0;
        fd_settle(&d);
        sl_assert_u64(fd_feed(&d, 1)->node, fd_ref(&d, 2));
        fd_lost(&d, 2);
        assert_absent(&d, 1);
        d.holds_store = false;
        fd_store_run(&d);
        assert_absent(&d, 1);
        sl_assert_u64(d.feeds->ops.count, 0);
        fd_stop(&d);
    }
}

static void an_epoch_whose_add_was_given_up_is_not_used_by_the_next_one(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 3, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_draining(&d, 1, true);
    fd_load(&d);
    d.holds_store = true;
    fd_settle(&d); /* to n2; its epoch is on the way to the store */
    fd_lost(&d, 2);
    sl_assert_u64(fd_feed(&d, 1)->node, fd_ref(&d, 3));
    assert_true(fd_store_step(&d));
    uint64_t first = fd_record(&d, 1).epoch;
    d.holds_store = false;
    fd_store_run(&d);
    assert_true(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->epoch > first);
    fd_stop(&d);
}

static void a_second_operator_is_refused(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_moving(&d);
    struct sl_feed_id id = fd_feed_id(1);
    struct sl_request r = { .verb = SL_REQUEST_FEED_MOVE, .feed = sl_feed_id_name(&id), .node = SL_STR("n4") };
    fd_assert_reply(&d, fd_request_of(&d, &r), SL_BUSY);
    r.feed = SL_STR("unknown");
    fd_assert_reply(&d, fd_request_of(&d, &r), SL_NOT_FOUND);
    sl_assert_u64(d.feeds->ops.count, 1);
    fd_stop(&d);
}

static void counts_name_every_node_an_operator_touches(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_on_node c;
    const struct sl_drain_target target = { .epoch = 1 };
    uint64_t epoch = fd_start_moving(&d);
    for (uint32_t node = 1; node <= 4; node++) {
        sl_feeds_count(d.feeds, fd_ref(&d, node), &target, &c);
        sl_assert_u64(c.operators, node == 2 || node == 3);
        sl_assert_u64(c.bound, node == 2);
    }
    sl_assert_u64(sl__feeds_load(d.feeds, fd_ref(&d, 3)), 1); /* it is coming */
    fd_stopped(&d, 2, 1, 5, 120);
    sl_feeds_count(d.feeds, fd_ref(&d, 2), &target, &c);
    sl_assert_u64(c.operators + c.bound, 0); /* the origin has confirmed */
    fd_working(&d, 3, 1, epoch, 120);
    sl_feeds_count(d.feeds, fd_ref(&d, 3), &target, &c);
    sl_assert_u64(c.operators, 0);
    sl_assert_u64(c.bound, 1);
    fd_stop(&d);
}

static void a_silent_destination_is_named_and_another_one_is_tried(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 1);
    fd_run(&d, 60 * SL_S);
    sl_assert_u64(d.event_count[SL_EV_FEED_OPERATOR_LATE], 1);
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 0);
    sl_assert_i64(fd_feed(&d, 1)->op.state, SL__OP_ADD_ABORT);
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->to, fd_ref(&d, 1));
    sl_assert_u64(remove->epoch, epoch);
    assert_false(remove->cascade);
    fd_forget(&d);
    fd_stopped(&d, 1, 1, epoch, 0);
    sl_assert_u64(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->to, fd_ref(&d, 2));
    fd_stop(&d);
}

static void a_destination_that_starts_slowly_is_named_and_left_to_it(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    fd_booting(&d, 1, 1, epoch, 100);
    fd_run(&d, 90 * SL_S);
    sl_assert_u64(d.event_count[SL_EV_FEED_OPERATOR_LATE], 1);
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 0);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, 0, 0), 0);
    fd_working(&d, 1, 1, epoch, 100);
    fd_assert_replicating(&d, 1, 1);
    fd_stop(&d);
}

static void an_add_is_not_sent_again_to_a_node_that_began_to_drain(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_record(&d, 1).epoch;
    fd_draining(&d, 1, true);
    fd_forget(&d);
    fd_run(&d, 2 * SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, fd_ref(&d, 1), 0), 0);
    sl_assert_u64(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->epoch, epoch);
    fd_stopped(&d, 1, 1, epoch, 0);
    sl_assert_u64(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->to, fd_ref(&d, 2));
    fd_stop(&d);
}

static void an_aborted_add_that_does_not_hand_over_is_closed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    fd_run(&d, 119 * SL_S);
    assert_false(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->cascade);
    fd_run(&d, 2 * SL_S);
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->cascade);
    fd_stop(&d);
}

/* ---- MOVE ---- */

static void a_move_removes_with_the_old_epoch_and_adds_with_the_new_one(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->to, fd_ref(&d, 2));
    sl_assert_u64(remove->epoch, 5);
    assert_false(remove->cascade || remove->removed);
    fd_stopped(&d, 2, 1, 5, 100);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(add->to, fd_ref(&d, 3));
    sl_assert_u64(add->epoch, epoch);
    sl_assert_u64(add->config_epoch, epoch);
    fd_working(&d, 3, 1, epoch, 100);
    fd_assert_replicating(&d, 1, 3);
    fd_stop(&d);
}

static void nothing_is_said_to_the_origin_before_the_epoch_is_durable(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    d.holds_store = true;
    fd_move(&d, 1, 3);
    fd_tick(&d, 10 * SL_S);
    sl_assert_u64(d.sent_count, 0);
    assert_true(fd_store_step(&d));
    sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, fd_ref(&d, 2), 1), 1);
    fd_stop(&d);
}

static void the_last_word_of_the_origin_is_where_the_new_owner_starts(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    fd_working(&d, 2, 1, 5, 150); /* still the owner */
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 150);
    fd_stopped(&d, 2, 1, 5, 180);
    sl_assert_u64(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->checkpoint, 180);
    fd_working(&d, 2, 1, 5, 999); /* not any more */
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 180);
    fd_working(&d, 3, 1, epoch, 200);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 200);
    fd_stop(&d);
}

static void only_the_epoch_of_the_origin_ends_its_part(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    fd_stopped(&d, 2, 1, epoch, 100);
    fd_stopped(&d, 2, 1, 4, 100);
    fd_stopped(&d, 3, 1, 5, 100);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_stop(&d);
}

static void a_destination_lost_before_the_origin_stopped_sends_the_feed_back(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    fd_lost(&d, 3);
    sl_assert_i64(fd_feed(&d, 1)->op.state, SL__OP_MOVE_ORIGIN);
    fd_stopped(&d, 2, 1, 5, 100);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(add->to, fd_ref(&d, 2));
    sl_assert_u64(add->epoch, epoch);
    fd_working(&d, 2, 1, epoch, 100);
    fd_assert_replicating(&d, 1, 2);
    fd_stop(&d);
}

static void a_destination_lost_before_the_epoch_is_durable_leaves_the_feed_where_it_is(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    d.holds_store = true;
    fd_move(&d, 1, 3);
    fd_lost(&d, 3);
    fd_assert_replicating(&d, 1, 2);
    fd_store_run(&d);
    fd_assert_replicating(&d, 1, 2);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, 0, 0), 0);
    fd_working(&d, 2, 1, 5, 150); /* its epoch is the owner's still */
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 150);
    fd_stop(&d);
}

static void a_destination_lost_after_add_leaves_the_feed_absent(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_moving(&d);
    fd_stopped(&d, 2, 1, 5, 100);
    stop_scheduling(&d);
    fd_lost(&d, 3); /* never back to the origin: two owners of one epoch would be possible */
    assert_absent(&d, 1);
    sl_assert_u64(d.feeds->ops.count, 0);
    resume_scheduling(&d);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
    fd_stop(&d);
}

static void an_origin_that_is_lost_counts_as_stopped(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    fd_lost(&d, 2);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(add->to, fd_ref(&d, 3));
    sl_assert_u64(add->epoch, epoch);
    fd_stop(&d);
}

static void with_both_nodes_lost_the_feed_is_absent(void **state)
{
    (void)state;
    for (int origin_first = 0; origin_first < 2; origin_first++) {
        struct feeds_driver d;
        fd_start_moving(&d);
        fd_lost(&d, origin_first ? 2 : 3);
        stop_scheduling(&d);
        fd_lost(&d, origin_first ? 3 : 2);
        assert_absent(&d, 1);
        sl_assert_u64(d.feeds->ops.count, 0);
        fd_stop(&d);
    }
}

static void a_destination_lost_after_the_move_leaves_the_feed_absent(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    fd_stopped(&d, 2, 1, 5, 100);
    fd_working(&d, 3, 1, epoch, 100);
    stop_scheduling(&d);
    fd_lost(&d, 3);
    assert_absent(&d, 1);
    fd_stop(&d);
}

static void an_origin_lost_before_the_epoch_is_durable_leaves_the_feed_to_the_scheduler(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    d.holds_store = true;
    fd_move(&d, 1, 3);
    fd_lost(&d, 2);
    d.holds_store = false;
    fd_store_run(&d);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
    fd_stop(&d);
}

static void a_move_whose_destination_began_to_drain_goes_elsewhere(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    fd_draining(&d, 3, true);
    fd_draining(&d, 2, true);
    fd_stopped(&d, 2, 1, 5, 100);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    assert_true(add->to == fd_ref(&d, 1) || add->to == fd_ref(&d, 4));
    sl_assert_u64(add->epoch, epoch); /* at once: no second write */
    fd_stop(&d);
}

static void an_origin_that_closed_by_itself_leaves_the_feed_to_the_scheduler(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_stopped(&d, 2, 1, 5, 150);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    assert_true(add->epoch > 5);
    sl_assert_u64(add->checkpoint, 150);
    fd_stop(&d);
}

static void a_hanging_origin_is_named_and_its_slot_returned(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_draining(&d, 2, true);
    sl_assert_u64(d.feeds->slots[SL__SLOT_DRAIN], 1);
    fd_run(&d, 61 * SL_S);
    sl_assert_u64(d.event_count[SL_EV_FEED_OPERATOR_LATE], 1);
    sl_assert_u64(d.feeds->slots[SL__SLOT_DRAIN], 0);
    sl_assert_i64(fd_feed(&d, 1)->op.state, SL__OP_MOVE_ORIGIN); /* there is no way around it */
    assert_true(fd_sent_count(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST, fd_ref(&d, 2), 1) > 100);
    fd_stop(&d);
}

static void a_node_to_be_avoided_is_forgotten_with_its_ref(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_draining(&d, 1, true);
    fd_load(&d);
    fd_settle(&d);
    uint64_t epoch = fd_feed(&d, 1)->epoch;
    fd_refused(&d, 2, 1, epoch);
    fd_draining(&d, 2, true);
    fd_stopped(&d, 2, 1, epoch, 0);
    sl_assert_u64(fd_feed(&d, 1)->avoid, fd_ref(&d, 2));
    fd_lost(&d, 2);
    sl_assert_u64(fd_feed(&d, 1)->avoid, SL_NODE_NONE);
    fd_stop(&d);
}

static void an_add_names_the_process_that_is_meant(void **state)
{
    (void)state;
    struct feeds_driver d;
    uint64_t epoch = fd_start_moving(&d);
    fd_stopped(&d, 2, 1, 5, 100);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(add->epoch, epoch);
    sl_assert_u64(add->to, fd_ref(&d, 3));
    sl_assert_u64(add->node_epoch, 43); /* as n3 said when it answered */
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_leaves_only_after_its_epoch_is_durable),
        cmocka_unit_test(an_epoch_is_the_wall_clock_or_one_more_than_the_old_one),
        cmocka_unit_test(the_last_epoch_of_all_is_not_passed),
        cmocka_unit_test(add_ends_with_a_bootstrapped_maintainer_of_its_epoch),
        cmocka_unit_test(with_interop_a_report_without_epoch_ends_an_add),
        cmocka_unit_test(add_is_sent_again_until_the_maintainer_shows),
        cmocka_unit_test(a_node_that_refuses_an_add_is_told_to_forget_it_and_another_one_is_tried),
        cmocka_unit_test(a_refusal_that_another_add_overtook_means_nothing),
        cmocka_unit_test(a_feed_that_every_node_refuses_backs_off),
        cmocka_unit_test(the_loss_of_another_node_does_not_touch_an_add),
        cmocka_unit_test(the_loss_of_the_destination_ends_an_add_in_every_state),
        cmocka_unit_test(an_epoch_whose_add_was_given_up_is_not_used_by_the_next_one),
        cmocka_unit_test(a_second_operator_is_refused),
        cmocka_unit_test(counts_name_every_node_an_operator_touches),
        cmocka_unit_test(a_silent_destination_is_named_and_another_one_is_tried),
        cmocka_unit_test(a_destination_that_starts_slowly_is_named_and_left_to_it),
        cmocka_unit_test(an_add_is_not_sent_again_to_a_node_that_began_to_drain),
        cmocka_unit_test(an_aborted_add_that_does_not_hand_over_is_closed),
        cmocka_unit_test(a_move_removes_with_the_old_epoch_and_adds_with_the_new_one),
        cmocka_unit_test(nothing_is_said_to_the_origin_before_the_epoch_is_durable),
        cmocka_unit_test(the_last_word_of_the_origin_is_where_the_new_owner_starts),
        cmocka_unit_test(only_the_epoch_of_the_origin_ends_its_part),
        cmocka_unit_test(a_destination_lost_before_the_origin_stopped_sends_the_feed_back),
        cmocka_unit_test(a_destination_lost_before_the_epoch_is_durable_leaves_the_feed_where_it_is),
        cmocka_unit_test(a_destination_lost_after_add_leaves_the_feed_absent),
        cmocka_unit_test(an_origin_that_is_lost_counts_as_stopped),
        cmocka_unit_test(with_both_nodes_lost_the_feed_is_absent),
        cmocka_unit_test(a_destination_lost_after_the_move_leaves_the_feed_absent),
        cmocka_unit_test(an_origin_lost_before_the_epoch_is_durable_leaves_the_feed_to_the_scheduler),
        cmocka_unit_test(a_move_whose_destination_began_to_drain_goes_elsewhere),
        cmocka_unit_test(an_origin_that_closed_by_itself_leaves_the_feed_to_the_scheduler),
        cmocka_unit_test(a_hanging_origin_is_named_and_its_slot_returned),
        cmocka_unit_test(a_node_to_be_avoided_is_forgotten_with_its_ref),
        cmocka_unit_test(an_add_names_the_process_that_is_meant),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
