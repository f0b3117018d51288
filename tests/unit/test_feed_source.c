/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/feeds_driver.h"

#include <string.h>

/* Where the rows of a feed come from: stored beside the feed under a key of ours, and sent with its maintainer. */

#define SOURCE_F1 "/tidb/cdc_new/c1/sluice/feed/default/f1"
#define URI "gen://?tables=3&token=pa55"
#define VALUE_F1 "{\"version\":1,\"feed-high\":7,\"feed-low\":1,\"source-uri\":\"" URI "\"}"

static struct sl_secret secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static uint64_t create(struct feeds_driver *d, const char *source)
{
    struct sl_request r = { .verb = SL_REQUEST_FEED_CREATE, .feed = SL_STR("f1") };
    r.config = secret(fd_info(1, "normal", 0, 0));
    r.source = secret(source);
    return fd_request_of(d, &r);
}

static uint64_t update(struct feeds_driver *d, const char *source)
{
    struct sl_request r = { .verb = SL_REQUEST_FEED_UPDATE, .feed = SL_STR("f1") };
    r.config = secret(fd_info(1, "normal", 0, 0));
    r.source = secret(source);
    return fd_request_of(d, &r);
}

static void assert_source_value(struct feeds_driver *d, const char *expected)
{
    char room[512];
    sl_assert_str(fd_text(d, SOURCE_F1, room, sizeof room), expected);
}

static void a_source_is_stored_with_the_feed_and_sent_with_the_add(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_assert_reply(&d, create(&d, URI), SL_OK);
    assert_source_value(&d, VALUE_F1);
    sl_assert_str(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->source, URI);
    fd_stop(&d);
}

static void a_new_coordinator_reads_the_source_and_sends_it_too(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 3);
    fd_assert_reply(&d, create(&d, URI), SL_OK);
    fd_answer(&d);
    fd_failover(&d);
    fd_load(&d);
    fd_forget(&d);
    fd_settle(&d);
    sl_assert_str(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->source, URI);
    fd_stop(&d);
}

static void a_feed_of_a_foreign_coordinator_has_no_source(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
    fd_load(&d);
    fd_settle(&d);
    sl_assert_str(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->source, "");
    fd_stop(&d);
}

static void the_source_goes_with_the_feed(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_assert_reply(&d, create(&d, URI), SL_OK);
    fd_answer(&d);
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    assert_false(fd_is_stored(&d, 1));
    assert_source_value(&d, "-");
    fd_stop(&d);
}

/* A foreign coordinator removed the feed and did not know the key. */
static void a_source_left_behind_is_nobodys(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_open(&d, 2, NULL);
    fd_put(&d, 1, "stopped", 5, 100, SL_PROGRESS_NONE);
    fd_put_key(&d, SOURCE_F1, "{\"version\":1,\"feed-high\":8,\"feed-low\":1,\"source-uri\":\"" URI "\"}");
    fd_load(&d);
    fd_settle(&d);
    sl_assert_str(fd_reply_to(&d, fd_request(&d, SL_REQUEST_FEED_SHOW, 1))->source, "");
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_REMOVE, 1);
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_put_key(&d, SOURCE_F1, VALUE_F1);
    fd_assert_reply(&d, create(&d, ""), SL_OK);
    assert_source_value(&d, "-");
    sl_assert_str(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->source, "");
    fd_stop(&d);
}

static void an_update_without_a_source_keeps_it(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_assert_reply(&d, create(&d, URI), SL_OK);
    fd_answer(&d);
    uint64_t ticket = fd_request(&d, SL_REQUEST_FEED_PAUSE, 1);
    fd_answer(&d);
    fd_assert_reply(&d, ticket, SL_OK);
    fd_assert_reply(&d, update(&d, ""), SL_OK);
    assert_source_value(&d, VALUE_F1);
    fd_assert_reply(&d, update(&d, "gen://?tables=4"), SL_OK);
    fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_RESUME, 1), SL_OK);
    sl_assert_str(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->source, "gen://?tables=4");
    fd_stop(&d);
}

static void a_source_that_cannot_be_read_stops_its_feed_alone(void **state)
{
    (void)state;
    static const char *const bad[] = { "{", "[]", "{\"version\":1}", "{\"version\":1,\"feed-high\":7,\"feed-low\":1}",
                                       "{\"version\":1,\"feed-high\":7,\"feed-low\":1,\"source-uri\":7}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct feeds_driver d;
        char room[512];
        fd_open(&d, 2, NULL);
        fd_put(&d, 1, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_put(&d, 2, "normal", 5, 100, SL_PROGRESS_NONE);
        fd_put_key(&d, SOURCE_F1, bad[i]);
        fd_load(&d);
        fd_settle(&d);
        fd_answer(&d);
        fd_assert_place(&d, 2, SL__PLACE_REPLICATING);
        sl_assert_u64(fd_sent_count(&d, SL_MSG_ADD_MAINTAINER_REQUEST, 0, 1), 0);
        sl_assert_u64(d.event_count[SL_EV_STORE_VALUE_REFUSED], 1);
        fd_assert_reply(&d, fd_request(&d, SL_REQUEST_FEED_PAUSE, 1), SL_MALFORMED);
        sl_assert_str(fd_text(&d, SOURCE_F1, room, sizeof room), bad[i]);
        fd_stop(&d);
    }
}

static void a_source_that_is_too_long_or_not_printable_is_refused(void **state)
{
    (void)state;
    static char long_uri[SL_SOURCE_URI_MAX + 2];
    struct feeds_driver d;
    fd_start(&d, 2);
    memset(long_uri, 'x', SL_SOURCE_URI_MAX + 1);
    fd_assert_reply(&d, create(&d, long_uri), SL_BAD_CONFIG);
    fd_assert_reply(&d, create(&d, "gen://\n"), SL_BAD_CONFIG);
    assert_null(fd_feed(&d, 1));
    memset(long_uri, '"', SL_SOURCE_URI_MAX); /* each needs an escape */
    long_uri[SL_SOURCE_URI_MAX] = '\0';
    fd_assert_reply(&d, create(&d, long_uri), SL_OK);
    fd_answer(&d);
    fd_failover(&d);
    fd_load(&d);
    fd_settle(&d);
    assert_non_null(fd_feed(&d, 1)->source.bytes);
    sl_assert_u64(fd_feed(&d, 1)->source.len, SL_SOURCE_URI_MAX);
    fd_stop(&d);
}

static void a_creation_whose_answer_was_lost_has_its_source(void **state)
{
    (void)state;
    static const enum fd_fate fates[] = { FD_UNKNOWN_DONE, FD_UNKNOWN_NOT_DONE };
    for (size_t i = 0; i < 2; i++) {
        struct feeds_driver d;
        fd_start(&d, 2);
        fd_fail_store(&d, fates[i], 1);
        uint64_t ticket = create(&d, URI);
        fd_run(&d, 2 * SL_S);
        fd_assert_reply(&d, ticket, SL_OK);
        assert_source_value(&d, VALUE_F1);
        sl_assert_str(fd_last(&d, SL_MSG_ADD_MAINTAINER_REQUEST)->source, URI);
        fd_stop(&d);
    }
}

static void only_the_view_of_one_feed_holds_the_source(void **state)
{
    (void)state;
    struct feeds_driver d;
    fd_start(&d, 2);
    fd_assert_reply(&d, create(&d, URI), SL_OK);
    sl_assert_str(fd_reply_to(&d, fd_request(&d, SL_REQUEST_FEED_SHOW, 1))->source, URI);
    sl_assert_str(fd_reply_to(&d, fd_request(&d, SL_REQUEST_FEED_LIST, 1))->source, "");
    fd_stop(&d);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_stored_with_the_feed_and_sent_with_the_add),
        cmocka_unit_test(a_new_coordinator_reads_the_source_and_sends_it_too),
        cmocka_unit_test(a_feed_of_a_foreign_coordinator_has_no_source),
        cmocka_unit_test(the_source_goes_with_the_feed),
        cmocka_unit_test(a_source_left_behind_is_nobodys),
        cmocka_unit_test(an_update_without_a_source_keeps_it),
        cmocka_unit_test(a_source_that_cannot_be_read_stops_its_feed_alone),
        cmocka_unit_test(a_source_that_is_too_long_or_not_printable_is_refused),
        cmocka_unit_test(a_creation_whose_answer_was_lost_has_its_source),
        cmocka_unit_test(only_the_view_of_one_feed_holds_the_source),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
