/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

#include <stdio.h>
#include <string.h>

/* What operators ask, and that each is answered exactly once (the driver checks that). */

#define INFO_F1 "/tidb/cdc/c1/default/changefeed/info/f1"
#define STATUS_F1 "/tidb/cdc/c1/default/changefeed/status/f1"

static struct sl_secret secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static uint64_t create(struct feeds_driver *d, const char *name, const char *config, sl_ts checkpoint)
{
    struct sl_request r = { .verb = SL_REQUEST_FEED_CREATE, .feed = sl_str_of(name), .checkpoint = checkpoint };
    r.config = secret(config);
    return fd_request_of(d, &r);
}

static uint64_t resume(struct feeds_driver *d, uint32_t feed, sl_ts checkpoint)
{
    struct sl_feed_id id = fd_feed_id(feed);
    struct sl_request r = { .verb = SL_REQUEST_FEED_RESUME, .feed = sl_feed_id_name(&id), .checkpoint = checkpoint };
    return fd_request_of(d, &r);
}

static uint64_t update(struct feeds_driver *d, uint32_t feed, const char *config)
{
    struct sl_feed_id id = fd_feed_id(feed);
    struct sl_request r = { .verb = SL_REQUEST_FEED_UPDATE, .feed = sl_feed_id_name(&id), .config = secret(config) };
    return fd_request_of(d, &r);
}

static uint64_t move(struct feeds_driver *d, uint32_t feed, const char *node)
{
    struct sl_feed_id id = fd_feed_id(feed);
    struct sl_request r = { .verb = SL_REQUEST_FEED_MOVE, .feed = sl_feed_id_name(&id), .node = sl_str_of(node) };
    return fd_request_of(d, &r);
}

/* f1 is stopped with checkpoint 100. */
static void start_stopped(struct feeds_driver *d, const char *state)
{
    fd_open(d, 2, NULL);
    fd_put(d, 1, state, 5, 100, SL_PROGRESS_NONE);
    fd_load(d);
    fd_settle(d);
    fd_assert_place(d, 1, SL__PLACE_STOPPED);
}

/* ---- create ---- */

static void a_created_feed_is_durable_and_runs_as_a_new_one(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    uint64_t ticket = create(&d, "f1", fd_info(1, "failed", UINT64_MAX, 0), 0);
    fd_assert_reply(&d, ticket, SL_OK);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 100);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_NORMAL); /* whatever the record said */
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    assert_true(add->is_new);
    sl_assert_u64(add->checkpoint, 100);
    sl_assert_u64(add->epoch, fd_record(&d, 1).epoch);
    fd_answer(&d);
    fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
    assert_false(fd_feed(&d, 1)->is_new);
    fd_stop(&d);
}

static void a_start_in_the_request_beats_the_one_in_the_record(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "normal", 0, 0), 777), SL_OK);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 777);
    fd_stop(&d);
}

static void a_create_is_answered_when_it_is_durable(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    d.holds_store = true;
    uint64_t ticket = create(&d, "f1", fd_info(1, "normal", 0, 0), 0);
    fd_run(&d, 10 * SL_S);
    assert_null(fd_reply_to(&d, ticket));
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "normal", 0, 0), 0), SL_EXISTS);
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_PAUSE, 1), SL_BUSY);
    d.holds_store = false;
    fd_store_run(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_stop(&d);
}

static void names_are_words_joined_by_dashes(void **state)
{
    (void)state;
    char longest[SL_FEED_NAME_MAX + 2], config[1024];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    const char *const bad[] = { "", "-", "a-", "-a", "a--b", "a_b", "a b", "a/b", "\xc3\xa4", longest };
    const char *const good[] = { "a", "A1", "a-b-3" };
    struct feeds_driver d;
    fd_start(&d, 2);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        fd_assert_reply(&d, create(&d, bad[i], fd_info(1, "normal", 0, 0), 0), SL_BAD_FIELD);
    longest[SL_FEED_NAME_MAX] = '\0';
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        (void)snprintf(config, sizeof config, "%s", fd_info((uint32_t)i + 10, "normal", 0, 0));
        char *display = strstr(config, ",\"display\"");
        memmove(display, strstr(config, "},\"sink-uri\""), strlen(strstr(config, "},\"sink-uri\"")) + 1);
        fd_assert_reply(&d, create(&d, good[i], config, 0), SL_OK);
    }
    sl_assert_u64(d.feeds->all.count, 3);
    fd_stop(&d);
}

static void a_record_that_cannot_run_is_refused(void **state)
{
    (void)state;
    char unstarted[1024];
    struct feeds_driver d;
    fd_start(&d, 2);
    (void)snprintf(unstarted, sizeof unstarted, "%s", fd_info(1, "normal", 0, 0));
    memcpy(strstr(unstarted, "\"start-ts\":100"), "\"start-ts\":000", 14);
    fd_assert_reply(&d, create(&d, "f1", "", 0), SL_BAD_CONFIG);
    fd_assert_reply(&d, create(&d, "f1", "{}", 0), SL_BAD_CONFIG);
    fd_assert_reply(&d, create(&d, "f2", fd_info(1, "normal", 0, 0), 0), SL_BAD_CONFIG); /* names f1 */
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "sleeping", 0, 0), 0), SL_BAD_CONFIG);
    fd_assert_reply(&d, create(&d, "f1", unstarted, 0), SL_BAD_CONFIG);
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "normal", 0, 0), SL_TS_MAX), SL_BAD_FIELD);
    sl_assert_u64(d.feeds->all.count, 0);
    sl_assert_u64(sl_store_model_key_count(d.store), 0);
    fd_stop(&d);
}

static void one_feed_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_feeds_opts opts = fd_opts();
    opts.feed_count_max = 1;
    fd_open(&d, 2, &opts);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "normal", 0, 0), 0), SL_OK);
    fd_assert_reply(&d, create(&d, "f2", fd_info(2, "normal", 0, 0), 0), SL_LIMIT);
    fd_stop(&d);
}

static void a_lost_answer_does_not_create_twice(void **state)
{
    (void)state;
    const enum fd_fate fates[] = { FD_UNKNOWN_DONE, FD_UNKNOWN_NOT_DONE };
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        struct feeds_driver d;
        fd_start(&d, 2);
        fd_fail_store(&d, fates[i], 1);
        uint64_t ticket = create(&d, "f1", fd_info(1, "normal", 0, 0), 0);
        fd_run(&d, SL_S);
        fd_assert_reply(&d, ticket, SL_OK);
        sl_assert_u64(d.feeds->all.count, 1);
        fd_answer(&d);
        fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
        fd_stop(&d);
    }
}

static void a_create_that_the_store_refuses_leaves_nothing(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_fail_store(&d, FD_REFUSED, 1);
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "normal", 0, 0), 0), SL_NOT_READY);
    assert_null(fd_feed(&d, 1));
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "normal", 0, 0), 0), SL_OK);
    fd_stop(&d);
}

static void a_feed_that_another_writer_made_first_is_adopted(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_put_key(&d, INFO_F1, fd_info(1, "normal", 42, 0));
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":300}");
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "normal", 0, 0), 0), SL_EXISTS);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(add->checkpoint, 300);
    assert_false(add->is_new);
    fd_stop(&d);
}

static void a_status_without_its_info_is_named_and_not_written_over(void **state)
{
    (void)state;
    struct feeds_driver d;
    char room[128];
    fd_start(&d, 2);
    fd_put_key(&d, STATUS_F1, "{\"checkpoint-ts\":300}");
    fd_assert_reply(&d, create(&d, "f1", fd_info(1, "normal", 0, 0), 0), SL_EXISTS);
    sl_assert_str(fd_text(&d, STATUS_F1, room, sizeof room), "{\"checkpoint-ts\":300}");
    sl_assert_u64(d.feeds->all.count, 0);
    fd_stop(&d);
}

/* ---- pause and remove ---- */

static void a_pause_is_durable_first_and_answered_when_it_has_stopped(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    d.holds_store = true;
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    sl_assert_u64(d.sent_count, 0);
    assert_true(fd_store_step(&d));
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_STOPPED);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_STOPPING);
    sl_assert_u64(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->epoch, 5);
    fd_stopped(&d, 2, 1, 5, 130);
    assert_null(fd_reply_to(&d, ticket));
    assert_true(fd_store_step(&d));
    fd_assert_reply(&d, ticket, SL_OK);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_NONE);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 130);
    fd_stop(&d);
}

static void pausing_what_is_paused_is_answered_at_once(void **state)
{
    (void)state;
    struct feeds_driver d;
    start_stopped(&d, "stopped");
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_PAUSE, 1), SL_OK);
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_PAUSE, 9), SL_NOT_FOUND);
    sl_assert_u64(d.sent_count, 0);
    fd_stop(&d);
}

static void a_feed_that_is_nowhere_is_closed_by_a_remover(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_draining(&d, 1, true);
    fd_draining(&d, 2, true);
    fd_load(&d);
    fd_settle(&d);
    fd_assert_place(&d, 1, SL__PLACE_ABSENT);
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    const struct fd_sent *stop = fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST);
    sl_assert_u64(stop->to, fd_ref(&d, 1)); /* dispatchers may run anywhere */
    sl_assert_u64(stop->epoch, fd_record(&d, 1).epoch);
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_stop(&d);
}

static void a_remove_deletes_both_keys_after_the_stop(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
    sl_assert_i64(fd_status_value(&d, 1).progress, SL_PROGRESS_REMOVING);
    assert_true(fd_last(&d, SL_MSG_REMOVE_MAINTAINER_REQUEST)->removed);
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_PAUSE, 1), SL_BUSY);
    fd_assert_reply(&d, resume(&d, 1, 0), SL_REFUSED);
    assert_null(fd_reply_to(&d, ticket));
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    assert_false(fd_is_stored(&d, 1));
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_CREATE, 1), SL_OK); /* the name is free again */
    fd_stop(&d);
}

static void a_feed_that_is_being_removed_is_not_resumed(void **state)
{
    (void)state;
    struct feeds_driver d;
    start_stopped(&d, "stopped");
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
    fd_assert_reply(&d, resume(&d, 1, 0), SL_REFUSED);
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_stop(&d);
}

static void a_lost_answer_of_a_deletion_is_read_back(void **state)
{
    (void)state;
    const enum fd_fate fates[] = { FD_REFUSED, FD_UNKNOWN_DONE, FD_UNKNOWN_NOT_DONE };
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        struct feeds_driver d;
        fd_start_running(&d, 2, 1, 2);
        uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
        fd_fail_store(&d, fates[i], 1);
        fd_answer(&d);
        fd_run(&d, 2 * SL_S);
        fd_assert_reply(&d, ticket, SL_OK);
        assert_null(fd_feed(&d, 1));
        assert_false(fd_is_stored(&d, 1));
        fd_stop(&d);
    }
}

/* ---- resume ---- */

static void a_resume_raises_the_epoch_and_starts_where_the_feed_stopped(void **state)
{
    (void)state;
    const char *const states[] = { "stopped", "failed", "finished" };
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct feeds_driver d;
        start_stopped(&d, states[i]);
        d.holds_store = true;
        uint64_t ticket = resume(&d, 1, 0);
        sl_assert_u64(d.op_count, 1);
        assert_true(fd_store_step(&d));
        fd_assert_reply(&d, ticket, SL_OK);
        sl_assert_i64(fd_record(&d, 1).state, SL_FEED_NORMAL);
        assert_true(fd_record(&d, 1).epoch > 5);
        d.holds_store = false;
        fd_store_run(&d);
        const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
        sl_assert_u64(add->checkpoint, 100);
        assert_false(add->is_new);
        fd_stop(&d);
    }
}

static void a_resume_may_overwrite_the_checkpoint_even_backwards(void **state)
{
    (void)state;
    struct feeds_driver d;
    start_stopped(&d, "stopped");
    fd_assert_reply(&d, resume(&d, 1, 40), SL_OK);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 40);
    const struct fd_sent *add = fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST);
    sl_assert_u64(add->checkpoint, 40);
    assert_true(add->is_new);
    fd_answer(&d);
    fd_run(&d, SL_S);
    sl_assert_u64(fd_status_value(&d, 1).checkpoint, 40);
    fd_stop(&d);
}

static void a_feed_that_runs_or_is_being_stopped_is_not_resumed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_assert_reply(&d, resume(&d, 1, 0), SL_REFUSED);
    fd_assert_reply(&d, resume(&d, 9, 0), SL_NOT_FOUND);
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    fd_assert_reply(&d, resume(&d, 1, 0), SL_BUSY);
    fd_answer(&d);
    fd_assert_reply(&d, resume(&d, 1, SL_TS_MAX), SL_BAD_FIELD);
    fd_assert_reply(&d, resume(&d, 1, 0), SL_OK);
    fd_stop(&d);
}

static void a_resume_that_meets_another_writer_keeps_what_that_one_wrote(void **state)
{
    (void)state;
    struct feeds_driver d;
    char room[2048];
    start_stopped(&d, "stopped");
    fd_put_key(&d, INFO_F1, fd_info(1, "stopped", 50, 999));
    fd_assert_reply(&d, resume(&d, 1, 0), SL_OK);
    assert_non_null(strstr(fd_text(&d, INFO_F1, room, sizeof room), "\"target-ts\":999"));
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_NORMAL);
    fd_stop(&d);
}

static void a_resumed_feed_begins_without_the_past(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX"); /* a backoff has begun */
    fd_answer(&d);
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    fd_answer(&d);
    fd_assert_reply(&d, resume(&d, 1, 0), SL_OK);
    assert_false(fd_record(&d, 1).error.present);
    sl_assert_i64(fd_feed(&d, 1)->backoff.delay_ns, 0);
    assert_true(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1) > 0);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX"); /* of the past: not its epoch */
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_NORMAL);
    fd_stop(&d);
}

/* ---- update ---- */

static void an_update_replaces_all_but_state_and_epoch(void **state)
{
    (void)state;
    struct feeds_driver d;
    char room[2048];
    start_stopped(&d, "failed");
    fd_assert_reply(&d, update(&d, 1, fd_info(1, "normal", 77, 600)), SL_OK);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_FAILED);
    sl_assert_u64(fd_record(&d, 1).epoch, 5);
    sl_assert_u64(fd_feed(&d, 1)->record.target_ts, 600);
    assert_non_null(strstr(fd_text(&d, INFO_F1, room, sizeof room), "\"target-ts\":600"));
    fd_assert_reply(&d, resume(&d, 1, 0), SL_OK);
    fd_answer(&d);
    fd_working(&d, (uint32_t)fd_feed(&d, 1)->node, 1, fd_feed(&d, 1)->epoch, 600);
    sl_assert_i64(fd_record(&d, 1).state, SL_FEED_FINISHED);
    fd_stop(&d);
}

static void only_a_feed_at_rest_can_be_updated_and_never_its_identity(void **state)
{
    (void)state;
    struct feeds_driver d;
    char other[1024];
    fd_start_running(&d, 2, 1, 2);
    fd_assert_reply(&d, update(&d, 1, fd_info(1, "normal", 0, 600)), SL_REFUSED);
    fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    fd_assert_reply(&d, update(&d, 1, fd_info(1, "normal", 0, 600)), SL_BUSY);
    fd_answer(&d);
    (void)snprintf(other, sizeof other, "%s", fd_info(1, "normal", 0, 600));
    memcpy(strstr(other, "\"low\":1"), "\"low\":9", 7);
    fd_assert_reply(&d, update(&d, 1, other), SL_BAD_CONFIG);
    fd_assert_reply(&d, update(&d, 1, "{}"), SL_BAD_CONFIG);
    fd_assert_reply(&d, update(&d, 1, fd_info(2, "normal", 0, 600)), SL_BAD_CONFIG);
    fd_stop(&d);
}

/* ---- move ---- */

static void a_move_is_answered_when_the_feed_has_arrived(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    uint64_t ticket = move(&d, 1, "n3");
    assert_null(fd_reply_to(&d, ticket));
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_assert_replicating(&d, 1, 3);
    fd_assert_reply(&d, move(&d, 1, "n3"), SL_OK);
    fd_stop(&d);
}

static void a_move_needs_one_node_that_takes_work(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    fd_assert_reply(&d, move(&d, 1, "n7"), SL_NOT_FOUND);
    fd_assert_reply(&d, move(&d, 1, ""), SL_NOT_FOUND);
    fd_assert_reply(&d, move(&d, 1, "n"), SL_NOT_FOUND); /* more than one begins so */
    fd_draining(&d, 3, true);
    fd_assert_reply(&d, move(&d, 1, "n3"), SL_REFUSED);
    fd_join(&d, 12);
    uint64_t ticket = move(&d, 1, "n12");
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_stop(&d);
}

static void a_move_waits_for_a_node_that_has_just_joined_but_not_for_long(void **state)
{
    (void)state;
    for (int gets_ready = 0; gets_ready < 2; gets_ready++) {
        struct feeds_driver d;
        fd_start_running(&d, 3, 1, 2);
        sl_nodes_hold_back(d.nodes, fd_ref(&d, 3), true);
        uint64_t ticket = move(&d, 1, "n3");
        fd_run(&d, 20 * SL_S);
        assert_null(fd_reply_to(&d, ticket));
        sl_nodes_hold_back(d.nodes, fd_ref(&d, 3), gets_ready == 0);
        fd_run(&d, 11 * SL_S);
        fd_answer(&d);
        fd_assert_reply(&d, ticket, gets_ready ? SL_OK : SL_BUSY);
        fd_stop(&d);
    }
}

static void a_move_that_came_to_nothing_says_so(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    uint64_t ticket = move(&d, 1, "n3");
    fd_stopped(&d, 2, 1, 5, 100);
    fd_lost(&d, 3);
    fd_assert_reply(&d, ticket, SL_BUSY);
    fd_stop(&d);
}

static void a_move_right_after_a_resume_waits_until_the_feed_runs(void **state)
{
    (void)state;
    struct feeds_driver d;
    start_stopped(&d, "stopped");
    fd_assert_reply(&d, move(&d, 1, "n2"), SL_REFUSED);
    fd_assert_reply(&d, resume(&d, 1, 0), SL_OK);
    fd_assert_place(&d, 1, SL__PLACE_SCHEDULING);
    bool first = fd_feed(&d, 1)->op.dest == fd_ref(&d, 1);
    uint64_t ticket = move(&d, 1, first ? "n2" : "n1");
    assert_null(fd_reply_to(&d, ticket));
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_assert_replicating(&d, 1, first ? 2 : 1);
    fd_stop(&d);
}

static void a_move_that_waits_is_refused_when_the_feed_is_paused_or_the_node_goes(void **state)
{
    (void)state;
    for (int goes = 0; goes < 2; goes++) {
        struct feeds_driver d;
        fd_open(&d, 3, NULL);
        fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_draining(&d, 3, true);
        fd_load(&d);
        fd_settle(&d);
        fd_assert_place(&d, 1, SL__PLACE_SCHEDULING);
        uint32_t here = fd_feed(&d, 1)->op.dest == fd_ref(&d, 1) ? 1 : 2;
        uint64_t ticket = move(&d, 1, here == 1 ? "n2" : "n1");
        assert_null(fd_reply_to(&d, ticket));
        if (goes)
            fd_lost(&d, 3 - here);
        else
            fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
        fd_answer(&d);
        fd_assert_reply(&d, ticket, SL_REFUSED);
        fd_stop(&d);
    }
}

static void the_same_move_again_joins(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 3, 1, 2);
    uint64_t first = move(&d, 1, "n3"), second = move(&d, 1, "n3");
    assert_null(fd_reply_to(&d, second));
    fd_assert_reply(&d, move(&d, 1, "n1"), SL_BUSY);
    fd_answer(&d);
    fd_assert_reply(&d, first, SL_OK);
    fd_assert_reply(&d, second, SL_OK);
    fd_stop(&d);
}

/* ---- show, list, limits ---- */

static void show_and_list_tell_what_is(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 3, 2);
    fd_error(&d, 2, 1, 5, 100, "CDC:ErrX");
    const struct fd_reply *r = fd_reply_to(&d, fd_request(&d, SL_REQUEST_FEED_SHOW, 1));
    sl_assert_i64(r->code, SL_OK);
    sl_assert_u64(r->feed_count, 1);
    sl_assert_str(r->placement, "absent");
    sl_assert_i64(r->state, SL_FEED_WARNING);
    sl_assert_u64(fd_reply_to(&d, fd_request(&d, SL_REQUEST_FEED_LIST, 0))->feed_count, 3);
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_SHOW, 9), SL_NOT_FOUND);
    fd_stop(&d);
}

static void there_is_one_keyspace(void **state)
{
    (void)state;
    struct feeds_driver d;
    struct sl_request r = { .verb = SL_REQUEST_FEED_SHOW, .feed = SL_STR("f1"), .keyspace = SL_STR("default") };
    fd_start_running(&d, 2, 1, 2);
    fd_assert_reply(&d, fd_request_of(&d, &r), SL_OK);
    r.keyspace = SL_STR("other");
    fd_assert_reply(&d, fd_request_of(&d, &r), SL_NOT_FOUND);
    fd_stop(&d);
}

static void too_many_open_requests_are_refused(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 1, 2);
    for (uint32_t i = 0; i < SL__FEEDS_REQUESTS_MAX; i++)
        assert_null(fd_reply_to(&d, fd_request(&d, SL_REQUEST_FEED_PAUSE, 1)));
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_PAUSE, 1), SL_BUSY);
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_SHOW, 1), SL_OK);
    fd_answer(&d);
    sl_assert_u64(d.reply_count, SL__FEEDS_REQUESTS_MAX + 2);
    fd_stop(&d);
}

static void open_requests_are_answered_when_the_coordinator_ends(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 2, 2);
    uint64_t pause = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1), remove = fd_request(&d, SL_REQUEST_FEED_REMOVE, 2);
    fd_end(&d);
    fd_assert_reply(&d, pause, SL_NOT_OWNER);
    fd_assert_reply(&d, remove, SL_NOT_OWNER);
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_created_feed_is_durable_and_runs_as_a_new_one),
        cmocka_unit_test(a_start_in_the_request_beats_the_one_in_the_record),
        cmocka_unit_test(a_create_is_answered_when_it_is_durable),
        cmocka_unit_test(names_are_words_joined_by_dashes),
        cmocka_unit_test(a_record_that_cannot_run_is_refused),
        cmocka_unit_test(one_feed_over_the_limit_is_refused),
        cmocka_unit_test(a_lost_answer_does_not_create_twice),
        cmocka_unit_test(a_create_that_the_store_refuses_leaves_nothing),
        cmocka_unit_test(a_feed_that_another_writer_made_first_is_adopted),
        cmocka_unit_test(a_status_without_its_info_is_named_and_not_written_over),
        cmocka_unit_test(a_pause_is_durable_first_and_answered_when_it_has_stopped),
        cmocka_unit_test(pausing_what_is_paused_is_answered_at_once),
        cmocka_unit_test(a_feed_that_is_nowhere_is_closed_by_a_remover),
        cmocka_unit_test(a_remove_deletes_both_keys_after_the_stop),
        cmocka_unit_test(a_feed_that_is_being_removed_is_not_resumed),
        cmocka_unit_test(a_lost_answer_of_a_deletion_is_read_back),
        cmocka_unit_test(a_resume_raises_the_epoch_and_starts_where_the_feed_stopped),
        cmocka_unit_test(a_resume_may_overwrite_the_checkpoint_even_backwards),
        cmocka_unit_test(a_feed_that_runs_or_is_being_stopped_is_not_resumed),
        cmocka_unit_test(a_resume_that_meets_another_writer_keeps_what_that_one_wrote),
        cmocka_unit_test(a_resumed_feed_begins_without_the_past),
        cmocka_unit_test(an_update_replaces_all_but_state_and_epoch),
        cmocka_unit_test(only_a_feed_at_rest_can_be_updated_and_never_its_identity),
        cmocka_unit_test(a_move_is_answered_when_the_feed_has_arrived),
        cmocka_unit_test(a_move_needs_one_node_that_takes_work),
        cmocka_unit_test(a_move_waits_for_a_node_that_has_just_joined_but_not_for_long),
        cmocka_unit_test(a_move_that_came_to_nothing_says_so),
        cmocka_unit_test(a_move_right_after_a_resume_waits_until_the_feed_runs),
        cmocka_unit_test(a_move_that_waits_is_refused_when_the_feed_is_paused_or_the_node_goes),
        cmocka_unit_test(the_same_move_again_joins),
        cmocka_unit_test(show_and_list_tell_what_is),
        cmocka_unit_test(there_is_one_keyspace),
        cmocka_unit_test(too_many_open_requests_are_refused),
        cmocka_unit_test(open_requests_are_answered_when_the_coordinator_ends),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
