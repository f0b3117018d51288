/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"
#include "tests/support/sl_death.h"

/* The table itself: places, bindings, indexes, memory. */

static void place(struct feeds_driver *d, uint32_t feed, enum sl__feed_place p, uint32_t node, uint64_t epoch)
{
    sl_node_ref ref = node == 0 ? SL_NODE_NONE : fd_ref(d, node);
    sl_outbox_reset(&d->out);
    sl__feed_place(d->feeds, fd_feed(d, feed), p, ref, epoch, &d->out);
    sl__feed_list(d->feeds, fd_feed(d, feed));
}

static uint32_t on(const struct feeds_driver *d, uint32_t node)
{
    return sl_feeds_maintainers_on(d->feeds, fd_ref(d, node));
}

/* f1 is absent on a cluster that takes nothing. */
static void start_absent(struct feeds_driver *d)
{
    fd_open(d, 3, NULL);
    fd_put(d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    for (uint32_t node = 1; node <= 3; node++)
        fd_draining(d, node, true);
    fd_load(d);
    fd_settle(d);
    fd_assert_place(d, 1, SL__PLACE_ABSENT);
}

static void bindings_follow_every_change_of_place(void **state)
{
    (void)state;
    struct feeds_driver d;
    start_absent(&d);
    place(&d, 1, SL__PLACE_SCHEDULING, 2, 7);
    sl_assert_u64(on(&d, 2), 1);
    place(&d, 1, SL__PLACE_SCHEDULING, 3, 8); /* bound elsewhere */
    sl_assert_u64(on(&d, 2), 0);
    sl_assert_u64(on(&d, 3), 1);
    place(&d, 1, SL__PLACE_REPLICATING, 3, 8);
    sl_assert_u64(on(&d, 3), 1);
    place(&d, 1, SL__PLACE_ABSENT, 0, 0);
    sl_assert_u64(on(&d, 3), 0);
    place(&d, 1, SL__PLACE_SCHEDULING, 3, 9);
    place(&d, 1, SL__PLACE_STOPPED, 0, 0);
    sl_assert_u64(on(&d, 3), 0);
    fd_stop(&d);
}

static void a_change_of_place_is_one_event_and_no_change_is_none(void **state)
{
    (void)state;
    struct feeds_driver d;
    start_absent(&d);
    place(&d, 1, SL__PLACE_SCHEDULING, 2, 7);
    sl_assert_u64(d.out.count, 1);
    sl_assert_i64(d.out.items[0].u.event.id, SL_EV_FEED_PLACED);
    place(&d, 1, SL__PLACE_SCHEDULING, 2, 7);
    sl_assert_u64(d.out.count, 0);
    place(&d, 1, SL__PLACE_ABSENT, 0, 0);
    fd_stop(&d);
}

static void an_illegal_change_of_place_is_a_bug(void **state)
{
    (void)state;
    struct feeds_driver d;
    start_absent(&d);
    sl_assert_aborts(place(&d, 1, SL__PLACE_REPLICATING, 2, 7), "place_rows");
    sl_assert_aborts(place(&d, 1, SL__PLACE_SCHEDULING, 0, 7), "is_bound");
    place(&d, 1, SL__PLACE_STOPPED, 0, 0);
    sl_assert_aborts(place(&d, 1, SL__PLACE_SCHEDULING, 2, 7), "place_rows");
    fd_stop(&d);
}

static void feeds_that_shall_not_run_are_not_offered(void **state)
{
    (void)state;
    const char *const states[] = { "failed", "stopped", "finished", "removed", "warning", "pending", "normal", "" };
    struct feeds_driver d;
    fd_open(&d, 1, NULL);
    for (uint32_t i = 0; i < 8; i++)
        fd_put(&d, i + 1, states[i], 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    for (uint32_t i = 0; i < 8; i++)
        sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, i + 1), i >= 4);
    fd_stop(&d);
}

static void a_feed_is_found_by_its_whole_id_and_by_its_name(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 5, 2);
    for (uint32_t feed = 1; feed <= 5; feed++) {
        struct sl_feed_id id = fd_feed_id(feed);
        assert_ptr_equal(sl__feed_find(d.feeds, &id), fd_feed(&d, feed));
        id.high++;
        assert_null(sl__feed_find(d.feeds, &id));
    }
    assert_null(sl__feed_named(d.feeds, SL_STR("")));
    assert_null(sl__feed_named(d.feeds, SL_STR("f")));
    fd_stop(&d);
}

static void the_next_deadline_is_never_in_the_past_for_long(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start_running(&d, 2, 5, 2);
    for (int i = 0; i < 1000; i++) { /* fd_run counts ticks that lead nowhere */
        sl_ns due = sl_feeds_deadline(d.feeds);
        assert_true(due != SL_NEVER);
        fd_tick(&d, due > d.now ? due - d.now : 0);
        if (i % 7 == 0)
            fd_answer(&d);
    }
    assert_true(d.now > FD_START_NS + 100 * SL_S);
    fd_stop(&d);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void request_until_done(struct feeds_driver *d, enum sl_request_verb verb, uint32_t feed)
{
    for (int i = 0; i < 3; i++) { /* without memory it may be refused: asked again */
        fd_request(d, verb, feed);
        fd_run(d, 2 * SL_S);
        fd_answer(d);
    }
}

/* A small life with everything in it. Whatever single allocation fails, it ends in the same way. */
static void live(struct feeds_driver *d)
{
    for (uint32_t feed = 1; feed <= 3; feed++)
        fd_put(d, feed, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_report(d, 2, 1, 5, 100);
    fd_report(d, 2, 7, 5, 100);
    fd_load(d);
    fd_run(d, SL_S);
    fd_settle(d);
    fd_answer(d);
    fd_working(d, 2, 1, 5, 150);
    fd_run(d, 10 * SL_S);
    fd_answer(d);
    fd_draining(d, 2, true);
    fd_run(d, 5 * SL_S);
    fd_answer(d);
    fd_draining(d, 2, false);
    request_until_done(d, SL_REQUEST_FEED_PAUSE, 1);
    request_until_done(d, SL_REQUEST_FEED_UPDATE, 1);
    request_until_done(d, SL_REQUEST_FEED_RESUME, 1);
    request_until_done(d, SL_REQUEST_FEED_REMOVE, 2);
    request_until_done(d, SL_REQUEST_FEED_CREATE, 4);
    request_until_done(d, SL_REQUEST_FEED_LIST, 0);
    fd_error(d, (uint32_t)fd_feed(d, 3)->node, 3, fd_feed(d, 3)->epoch, 120, "CDC:ErrX");
    for (int i = 0; i < 15; i++) {
        fd_answer(d);
        fd_run(d, 2 * SL_S);
    }
    fd_answer(d);
}

static void life_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    bool failed = true;
    uint64_t n = 0;
    while (failed) {
        struct feeds_driver d;
        fd_open(&d, 3, NULL);
        d.mem.fail_at = ++n;
        live(&d);
        failed = d.mem.fail_at == 0;
        d.mem.fail_at = 0;
        sl_assert_u64(d.feeds->all.count, 3);
        assert_null(fd_feed(&d, 2));
        fd_assert_place(&d, 1, SL__PLACE_REPLICATING);
        fd_assert_place(&d, 3, SL__PLACE_REPLICATING);
        fd_assert_place(&d, 4, SL__PLACE_REPLICATING);
        sl_assert_u64(d.feeds->ops.count, 0);
        fd_stop(&d);
        assert_true(n < 100000);
    }
    assert_true(n > 30); /* it did fail now and then */
}

static void a_table_is_made_whole_or_not_at_all(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 1);
    for (uint64_t n = 1; n <= 2; n++) {
        struct sl_feeds *f = d.feeds;
        d.mem.fail_at = n;
        sl_assert_i64(sl_feeds_new(&f, &d.opts, d.now), SL_NOMEM);
        assert_null(f);
    }
    sl_feeds_free(NULL);
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bindings_follow_every_change_of_place),
        cmocka_unit_test(a_change_of_place_is_one_event_and_no_change_is_none),
        cmocka_unit_test(an_illegal_change_of_place_is_a_bug),
        cmocka_unit_test(feeds_that_shall_not_run_are_not_offered),
        cmocka_unit_test(a_feed_is_found_by_its_whole_id_and_by_its_name),
        cmocka_unit_test(the_next_deadline_is_never_in_the_past_for_long),
        cmocka_unit_test(life_survives_the_failure_of_any_allocation),
        cmocka_unit_test(a_table_is_made_whole_or_not_at_all),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
