/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What becomes durable, whatever the store and other writers do. */

#define INFO_F1 "/tidb/cdc/c1/default/changefeed/info/f1"
#define STATUS_F1 "/tidb/cdc/c1/default/changefeed/status/f1"

static void move_to(struct feeds_driver *d, uint32_t feed, const char *node)
{
    struct sl_feed_id id = fd_feed_id(feed);
    struct sl_request r = { .verb = SL_REQUEST_FEED_MOVE, .feed = sl_feed_id_name(&id), .node = sl_str_of(node) };
    fd_request_of(d, &r);
}

static void advance(struct feeds_driver *d, uint32_t feed_count, sl_ts checkpoint)
{
    for (uint32_t feed = 1; feed <= feed_count; feed++)
        fd_working(d, 2, feed, 5, checkpoint);
}

/* ---- checkpoints ---- */

static void checkpoints_of_many_feeds_are_one_transaction(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 100, 2);
    advance(&d, 100, 150);
    sl_revision before = sl_store_model_revision(d.store);
    fd_run(&d, SL_S);
    sl_assert_i64(sl_store_model_revision(d.store), before + 1);
    for (uint32_t feed = 1; feed <= 100; feed++)
        sl_assert_u64(fd_status_value(&d, feed).checkpoint, 150);
    fd_stop(&d);
}

static void a_transaction_has_at_most_128_keys(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 300, 2);
    d.skips_check = true;
    advance(&d, 300, 150);
    sl_revision before = sl_store_model_revision(d.store);
    fd_run(&d, SL_S);
    sl_assert_i64(sl_store_model_revision(d.store), before + 3);
    sl_assert_u64(fd_status_value(&d, 300).checkpoint, 150);
    fd_stop(&d);
}

static void a_feed_that_stands_still_writes_nothing(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 3, 2);
    sl_revision before = sl_store_model_revision(d.store);
    for (int i = 0; i < 10; i++) {
        advance(&d, 3, 100);
        fd_run(&d, SL_S);
    }
    sl_assert_i64(sl_store_model_revision(d.store), before);
    fd_stop(&d);
}

static void the_maintainer_is_told_once_its_checkpoint_is_durable(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    d.holds_store = true;
    advance(&d, 1, 150);
    fd_run(&d, SL_S);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_CHECKPOINT_TS_MESSAGE, 0, 0), 0);
    fd_store_run(&d);
    const struct fd_sent *told = fd_last(&d, SL_MSG_CHECKPOINT_TS_MESSAGE);
    sl_assert_u64(told->to, fd_ref(&d, 2));
    sl_assert_u64(told->checkpoint, 150);
    fd_stop(&d);
}

static void what_others_keep_in_a_status_stays(void **state)
{
    (void)state;
    struct feeds_driver d;
    char room[256];
    fd_start_running(&d, 2, 1, 2);
    advance(&d, 1, 150);
    fd_run(&d, SL_S);
    sl_assert_str(fd_text(&d, STATUS_F1, room, sizeof room), "{\"checkpoint-ts\":150,\"progress\":1,\"theirs\":1e-7}");
    fd_stop(&d);
}

static void a_checkpoint_is_not_saved_backwards_over_another_writers(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":500,\"progress\":1}"); /* late, of a predecessor */
    advance(&d, 1, 150);
    fd_run(&d, 3 * SL_S);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 500);
    sl_assert_u64(fd_feed(&d, 1)->checkpoint, 500);
    advance(&d, 1, 600);
    fd_run(&d, SL_S);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 600);
    fd_stop(&d);
}

static void one_feed_in_conflict_does_not_hold_up_the_others(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 50, 2);
    for (sl_ts ts = 101; ts <= 110; ts++) { /* somebody writes it all the time */
        advance(&d, 50, ts);
        fd_put_key(&d, "/tidb/cdc/c1/default/changefeed/status/f7", "{\"checkpoint-ts\":100,\"progress\":1}");
        fd_run(&d, 2 * SL_S);
        for (uint32_t feed = 1; feed <= 50; feed++)
            sl_assert_u64(feed == 7 || fd_status_value(&d, feed).checkpoint == ts, 1);
    }
    fd_run(&d, 2 * SL_S);
    sl_assert_u64(fd_status_value(&d, 7).checkpoint, 110);
    fd_stop(&d);
}

static void lost_answers_of_checkpoints_are_read_back(void **state)
{
    (void)state;
    const enum fd_fate fates[] = { FD_REFUSED, FD_UNKNOWN_DONE, FD_UNKNOWN_NOT_DONE };
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        struct feeds_driver d;
        fd_start_running(&d, 2, 10, 2);
        fd_fail_store(&d, fates[i], 4);
        advance(&d, 10, 150);
        fd_run(&d, 5 * SL_S);
        for (uint32_t feed = 1; feed <= 10; feed++)
            sl_assert_u64(fd_status_value(&d, feed).checkpoint, 150);
        advance(&d, 10, 160);
        fd_run(&d, SL_S);
        sl_assert_u64(fd_status_value(&d, 10).checkpoint, 160);
        fd_stop(&d);
    }
}

static void a_status_that_somebody_deleted_is_made_anew(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 2, 2);
    fd_put_key(&d, STATUS_F1, NULL);
    advance(&d, 2, 150);
    fd_run(&d, 3 * SL_S);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 150);
    sl_assert_u64(fd_status_value(&d, 2).checkpoint, 150);
    fd_stop(&d);
}

static void a_status_that_became_unreadable_is_left_alone_until_it_is_repaired(void **state)
{
    (void)state;
    struct feeds_driver d;
    char room[256];
    fd_start_running(&d, 2, 2, 2);
    fd_put_key(&d, STATUS_F1, "{");
    advance(&d, 2, 150);
    fd_run(&d, 5 * SL_S);
    sl_assert_str(fd_text(&d, STATUS_F1, room, sizeof room), "{");
    sl_assert_u64(fd_status_value(&d, 2).checkpoint, 150);
    sl_assert_u64(d.event_count[SL_EV_STORE_VALUE_REFUSED], 1);
    fd_assert_replicating(&d, 1, 2);
    fd_stopped(&d, 2, 1, 5, 150);
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 0); /* it is not placed either */
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":120}");
    fd_run(&d, 5 * SL_S);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 150);
    fd_stop(&d);
}

static void removing_is_not_reset_by_a_checkpoint(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":100,\"progress\":2}"); /* a predecessor accepted it, late */
    advance(&d, 1, 150);
    fd_run(&d, SL_S);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_REMOVING);
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->removed);
    fd_answer(&d);
    assert_null(fd_feed(&d, 1));
    assert_false(fd_is_stored(&d, 1));
    fd_stop(&d);
}

/* ---- infos ---- */

static void what_others_changed_in_an_info_is_kept(void **state)
{
    (void)state;
    struct feeds_driver d;
    char room[2048], changed[1024];
    fd_start_running(&d, 3, 1, 2);
    (void)snprintf(changed, sizeof changed, "%s", fd_info(1, "normal", 5, 900));
    fd_put_key(&d, INFO_F1, changed); /* another target ts */
    move_to(&d, 1, "n3");
    const char *text = fd_text(&d, INFO_F1, room, sizeof room);
    assert_non_null(strstr(text, "\"target-ts\":900"));
    sl_assert_u64(fd_feed(&d, 1)->record.target_ts, 900);
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 3);
    fd_stop(&d);
}

static void a_state_that_another_writer_set_is_taken_over(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_put_key(&d, INFO_F1, fd_info(1, "stopped", 5, 0));
    move_to(&d, 1, "n3");
    fd_answer(&d);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_STOPPED);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_STOPPED);
    sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 0);
    fd_stop(&d);
}

static void an_epoch_that_another_writer_raised_is_passed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_put_key(&d, INFO_F1, fd_info(1, "normal", FD_WALL_NS * 2, 0));
    move_to(&d, 1, "n3");
    fd_answer(&d);
    sl_assert_u64(fd_feed(&d, 1)->epoch, FD_WALL_NS * 2 + 1);
    fd_assert_replicating(&d, 1, 3);
    fd_stop(&d);
}

static void an_epoch_whose_answer_was_lost_is_not_used(void **state)
{
    (void)state;
    const enum fd_fate fates[] = { FD_UNKNOWN_DONE, FD_UNKNOWN_NOT_DONE };
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        struct feeds_driver d;
        fd_open(&d, 2, NULL);
        fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_load(&d);
        d.holds_store = true;
        fd_settle(&d);
        fd_fail_store(&d, fates[i], 1);
        assert_true(fd_store_step(&d));
        uint64_t written = fd_record(&d, 1).epoch;
        sl_assert_u64(d.held_count, 0); /* the Add that waited for it was dropped */
        d.holds_store = false;
        fd_store_run(&d);
        const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
        assert_true(add->epoch > written);
        sl_assert_u64(add->epoch, fd_record(&d, 1).epoch);
        sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 0), 1);
        fd_stop(&d);
    }
}

static void an_add_that_gets_no_epoch_is_given_up_and_tried_again(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_fail_store(&d, FD_REFUSED, 30);
    fd_settle(&d);
    fd_run(&d, 6 * SL_S);
    fd_assert_place(&d, 1, SL__PLACE_ABSENT);
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 0);
    fd_run(&d, 60 * SL_S);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
    fd_stop(&d);
}

static void a_move_that_gets_no_epoch_leaves_the_feed_where_it_is(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_fail_store(&d, FD_REFUSED, 1000);
    struct sl_request r = { .verb = SL_REQUEST_FEED_MOVE, .feed = SL_STR("f1"), .node = SL_STR("n3") };
    uint64_t ticket = fd_request_of(&d, &r);
    fd_run(&d, 10 * SL_S);
    fd_assert_replicating(&d, 1, 2);
    fd_assert_reply(&d, ticket, SL_BUSY);
    sl_assert_u64(d.sent_count, 0);
    fd_stop(&d);
}

static void a_feed_whose_keys_another_writer_deleted_is_stopped_and_forgotten(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 2, 2);
    fd_put_key(&d, INFO_F1, NULL);
    fd_put_key(&d, STATUS_F1, NULL);
    move_to(&d, 1, "n3");
    assert_null(fd_feed(&d, 1));
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->to, fd_ref(&d, 2));
    sl_assert_u64(remove->epoch, 5);
    assert_true(remove->cascade && remove->removed);
    fd_forget(&d);
    fd_working(&d, 2, 1, 5, 150); /* still there: told again */
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->removed);
    fd_assert_replicating(&d, 2, 2);
    fd_stop(&d);
}

static void a_feed_whose_place_another_one_took_gives_way(void **state)
{
    (void)state;
    struct feeds_driver d;
    char other[1024];
    fd_start_running(&d, 3, 1, 2);
    (void)snprintf(other, sizeof other, "%s", fd_info(1, "normal", 9, 0));
    memcpy(strstr(other, "\"low\":1"), "\"low\":8", 7);
    fd_put_key(&d, INFO_F1, other);
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":300,\"progress\":1}");
    move_to(&d, 1, "n3");
    const struct fd_sent *remove = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(remove->feed, 1);
    assert_true(remove->removed);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(add->feed, 8);
    sl_assert_u64(add->checkpoint, 300);
    fd_stop(&d);
}

static void an_info_that_became_unreadable_holds_up_its_feed_alone(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 2, 2);
    fd_put_key(&d, INFO_F1, "[]");
    move_to(&d, 1, "n3");
    move_to(&d, 2, "n3");
    fd_answer(&d);
    fd_run(&d, 20 * SL_S);
    fd_assert_replicating(&d, 1, 2);
    fd_assert_replicating(&d, 2, 3);
    sl_assert_u64(d.event_count[SL_EV_STORE_VALUE_REFUSED], 1);
    fd_put_key(&d, INFO_F1, fd_info(1, "normal", 5, 0));
    fd_run(&d, 2 * SL_S);
    move_to(&d, 1, "n3");
    fd_answer(&d);
    fd_assert_replicating(&d, 1, 3);
    fd_stop(&d);
}

/* ---- limits ---- */

static void writes_in_flight_are_limited(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.batch = 200;
    fd_open(&d, 2, &opts);
    for (uint32_t feed = 1; feed <= 150; feed++)
        fd_put(&d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    d.holds_store = true;
    d.skips_check = true;
    fd_settle(&d);
    sl_assert_u64(d.op_count, SL__FEEDS_WRITES_MAX);
    sl_assert_u64(d.feeds->slots[SL__SLOT_BASIC], 150);
    fd_store_run(&d);
    d.holds_store = d.skips_check = false;
    fd_answer(&d);
    for (uint32_t feed = 1; feed <= 150; feed++)
        fd_assert_place(&d, feed, SL__PLACE_REPLICATING);
    fd_stop(&d);
}

static void what_finds_no_room_in_an_outbox_goes_out_a_moment_later(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 5, 2);
    size_t room = d.out.arena.bytes_max;
    advance(&d, 5, 150);
    d.out.arena.bytes_max = 16;
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    fd_tick(&d, SL_S);
    fd_draining(&d, 2, true);
    sl_assert_u64(d.op_count, 0);
    d.out.arena.bytes_max = room;
    fd_run(&d, 100 * SL_MS);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_STOPPED);
    sl_assert_u64(fd_status_value(&d, 5).checkpoint, 150);
    fd_answer(&d);
    sl_assert_u64(sl_feeds_maintainers_on(d.feeds, fd_ref(&d, 2)), 0);
    fd_stop(&d);
}

static void results_of_others_are_not_taken(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    const struct sl_store_result r = { .id = 999999, .verb = SL_STORE_TXN };
    assert_false(sl_feeds_on_store(d.feeds, d.now, &r, &d.out));
    fd_stop(&d);
}

static void a_pause_waits_for_the_checkpoint_that_is_being_written(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    d.holds_store = true;
    advance(&d, 1, 150);
    fd_run(&d, SL_S);
    sl_assert_u64(d.op_count, 1);
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    sl_assert_u64(d.op_count, 1);
    assert_true(fd_store_step(&d));
    sl_assert_u64(d.op_count, 1);
    assert_true(fd_store_step(&d));
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_STOPPING);
    fd_stop(&d);
}

static void a_pause_is_kept_when_another_writer_comes_in_between(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":120,\"progress\":1}");
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_STOPPED);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_STOPPING);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 120);
    fd_stop(&d);
}

static void a_feed_that_was_in_conflict_is_written_alone(void **state)
{
    (void)state;
    const char *const f3 = "/tidb/cdc/c1/default/changefeed/status/f3";
    struct feeds_driver d;
    fd_start_running(&d, 2, 5, 2);
    fd_put_key(&d, f3, "{\"checkpoint-ts\":101,\"progress\":1}");
    d.holds_store = true;
    advance(&d, 5, 150);
    fd_run(&d, SL_S);
    assert_true(fd_store_step(&d)); /* all five fail */
    fd_run(&d, SL_S);
    assert_true(fd_store_step(&d));                               /* and are read again */
    fd_put_key(&d, f3, "{\"checkpoint-ts\":102,\"progress\":1}"); /* before we write */
    fd_run(&d, SL_S);
    sl_assert_u64(d.op_count, 2);
    fd_store_step(&d);
    fd_store_step(&d);
    for (uint32_t feed = 1; feed <= 5; feed++)
        sl_assert_u64(fd_status_value(&d, feed).checkpoint, feed == 3 ? 102 : 150);
    fd_stop(&d);
}

static void an_answer_that_a_read_overtook_does_not_take_back_what_was_read(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_store_result late;
    fd_start_running(&d, 3, 1, 2);
    d.holds_store = true;
    advance(&d, 1, 150);
    fd_run(&d, SL_S);
    sl_store_model_perform(d.store, d.now, &d.ops[0].op, &late); /* performed; the answer takes its time */
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":500,\"progress\":1}");
    fd_put_key(&d, INFO_F1, fd_info(1, "normal", 5, 0));
    move_to(&d, 1, "n3"); /* meets the other writer, and reads both */
    struct fd_op save = d.ops[0];
    memmove(d.ops, d.ops + 1, --d.op_count * sizeof *d.ops);
    fd_store_run(&d);
    sl_assert_u64(fd_feed(&d, 1)->status.checkpoint, 500);
    sl_revision known = fd_feed(&d, 1)->status_value.revision;
    assert_true(known > late.revision);
    assert_true(sl_feeds_on_store(d.feeds, d.now, &late, &d.out));
    sl_assert_i64(fd_feed(&d, 1)->status_value.revision, known);
    sl_assert_u64(fd_feed(&d, 1)->status.checkpoint, 500);
    free(save.memory);
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_of_many_feeds_are_one_transaction),
        cmocka_unit_test(a_transaction_has_at_most_128_keys),
        cmocka_unit_test(a_feed_that_stands_still_writes_nothing),
        cmocka_unit_test(the_maintainer_is_told_once_its_checkpoint_is_durable),
        cmocka_unit_test(what_others_keep_in_a_status_stays),
        cmocka_unit_test(a_checkpoint_is_not_saved_backwards_over_another_writers),
        cmocka_unit_test(one_feed_in_conflict_does_not_hold_up_the_others),
        cmocka_unit_test(lost_answers_of_checkpoints_are_read_back),
        cmocka_unit_test(a_status_that_somebody_deleted_is_made_anew),
        cmocka_unit_test(a_status_that_became_unreadable_is_left_alone_until_it_is_repaired),
        cmocka_unit_test(removing_is_not_reset_by_a_checkpoint),
        cmocka_unit_test(what_others_changed_in_an_info_is_kept),
        cmocka_unit_test(a_state_that_another_writer_set_is_taken_over),
        cmocka_unit_test(an_epoch_that_another_writer_raised_is_passed),
        cmocka_unit_test(an_epoch_whose_answer_was_lost_is_not_used),
        cmocka_unit_test(an_add_that_gets_no_epoch_is_given_up_and_tried_again),
        cmocka_unit_test(a_move_that_gets_no_epoch_leaves_the_feed_where_it_is),
        cmocka_unit_test(a_feed_whose_keys_another_writer_deleted_is_stopped_and_forgotten),
        cmocka_unit_test(a_feed_whose_place_another_one_took_gives_way),
        cmocka_unit_test(an_info_that_became_unreadable_holds_up_its_feed_alone),
        cmocka_unit_test(writes_in_flight_are_limited),
        cmocka_unit_test(what_finds_no_room_in_an_outbox_goes_out_a_moment_later),
        cmocka_unit_test(results_of_others_are_not_taken),
        cmocka_unit_test(a_pause_waits_for_the_checkpoint_that_is_being_written),
        cmocka_unit_test(a_pause_is_kept_when_another_writer_comes_in_between),
        cmocka_unit_test(a_feed_that_was_in_conflict_is_written_alone),
        cmocka_unit_test(an_answer_that_a_read_overtook_does_not_take_back_what_was_read),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
