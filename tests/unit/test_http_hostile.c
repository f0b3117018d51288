/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/api_driver.h"
#include "tests/support/sl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes that nobody should send. None of them stops the node, makes it grow, or reaches the core. */

static void small(struct sl_api_opts *opts)
{
    opts->connection_count_max = 8;
    opts->body_bytes_max = 4096;
    opts->waiting_count_max = 4;
    opts->watcher_count_max = 2;
    opts->request_s_max = 1;
    opts->idle_s_max = 2;
}

static int set_up(void **state)
{
    *state = api_driver_new(small);
    return 0;
}

static int tear_down(void **state)
{
    api_driver_free(*state);
    return 0;
}

static void still_serves(struct api_driver *d)
{
    sl_assert_i64(api_call(d, "GET", "/status", NULL, NULL)->status, 200);
}

static void a_body_over_the_limit_is_413_without_being_read(void **state)
{
    static const char request[] = "POST /api/v2/drains HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n{";
    const struct api_answer *a = api_raw(*state, request, sizeof request - 1);
    sl_assert_i64(a->status, 413);
    still_serves(*state);
}

static void a_chunked_body_over_the_limit_is_413_or_cut_off(void **state)
{
    struct api_driver *d = *state;
    static const char head[] =
        "POST /api/v2/drains HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    char *request = malloc(sizeof head + 64 * 1024);
    size_t len = sizeof head - 1;
    assert_non_null(request);
    memcpy(request, head, len);
    for (int i = 0; i < 8; i++) {
        memcpy(request + len, "400\r\n", 5); /* 1,024 bytes */
        memset(request + len + 5, ' ', 1024);
        memcpy(request + len + 1029, "\r\n", 2);
        len += 1031;
    }
    memcpy(request + len, "0\r\n\r\n", 5);
    sl_assert_i64(api_raw(d, request, len + 5)->status, 413);
    free(request);
    still_serves(d);
}

static void nonsense_is_refused(void **state)
{
    static const char *const requests[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /api/v2/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /api/v2/drains HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n{}{}{}{}",
        "GET /%00/%ff%fe/../..//etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /ui/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /ui/%2e%2e/api.c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "DELETE /api/v2/changefeeds/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /api/v2/drains/%zz%/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    };
    struct api_driver *d = *state;
    d->reply.code = SL_NOT_FOUND;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = api_connect(d);
        api_send(d, fd, requests[i], strlen(requests[i]));
        (void)shutdown(fd, SHUT_WR);
        assert_true(api_wait_closed(d, fd, 10));
        (void)close(fd);
    }
    assert_null(api_asked(d, SL_REQUEST_DRAIN));
    assert_null(api_asked(d, SL_REQUEST_FEED_REMOVE));
    still_serves(d);
}

static void a_head_that_is_too_large_is_refused(void **state)
{
    size_t size = 256 * 1024;
    char *request = malloc(size);
    assert_non_null(request);
    memset(request, 'a', size);
    memcpy(request, "GET /status HTTP/1.1\r\nX: ", 25);
    const struct api_answer *a = api_raw(*state, request, size);
    assert_true(a->was_closed || a->status >= 400);
    memcpy(request, "GET /", 5);
    a = api_raw(*state, request, size);
    assert_true(a->was_closed || a->status >= 400);
    free(request);
    still_serves(*state);
}

static void bad_json_is_400_on_every_route_with_a_body(void **state)
{
    static const char *const bodies[] = {
        "{",
        "[]",
        "\"x\"",
        "{\"a\":1}{",
        "{'a':1}",
        "{\"a\":NaN}",
        "{\"a\":1e999}",
        "{\"a\":01}",
        "{\"a\":\"\xff\xfe\"}",
        "\xef\xbb\xbf{}",
        "{\"a\":\"\\ud800\"",
        "{\"a\":18446744073709551616}",
    };
    char deep[128] = "{\"a\":";
    memset(deep + 5, '[', 100);
    struct api_driver *d = *state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        sl_assert_i64(api_call(d, "POST", "/api/v2/drains", NULL, bodies[i])->status, 400);
    sl_assert_i64(api_call(d, "POST", "/api/v2/drains", NULL, deep)->status, 400);
    sl_assert_i64(api_call(d, "POST", "/api/v2/changefeeds", NULL, deep)->status, 400);
    sl_assert_u64(d->request_count, 0);
}

static void connections_over_the_limit_are_closed_at_once(void **state)
{
    struct api_driver *d = *state;
    int fds[9];
    for (int i = 0; i < 9; i++)
        fds[i] = api_connect(d);
    assert_true(api_wait_closed(d, fds[8], 1));
    for (int i = 0; i < 9; i++)
        (void)close(fds[i]);
    api_turn(d, 300);
    still_serves(d);
}

static void a_client_that_never_ends_its_request_is_dropped(void **state)
{
    struct api_driver *d = *state;
    static const char *const beginnings[] = {
        "", "GET /sta", "GET /status HTTP/1.1\r\nHost: x\r\n",
        "POST /api/v2/drains HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    };
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = api_connect(d);
        api_send(d, fds[i], beginnings[i], strlen(beginnings[i]));
    }
    for (int i = 0; i < 4; i++) {
        assert_true(api_wait_closed(d, fds[i], 10));
        (void)close(fds[i]);
    }
    still_serves(d);
}

static void a_client_that_drips_is_dropped(void **state)
{
    static const char head[] = "POST /api/v2/drains HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n";
    struct api_driver *d = *state;
    int fd = api_connect(d);
    uint64_t began = uv_hrtime();
    api_send(d, fd, head, sizeof head - 1);
    while (uv_hrtime() - began < 10000000000u) {
        api_send(d, fd, " ", 1);
        char bytes[512];
        api_turn(d, 50);
        if (recv(fd, bytes, sizeof bytes, 0) == 0)
            break;
    }
    assert_true(uv_hrtime() - began < 8000000000u);
    (void)close(fd);
    still_serves(d);
}

static void more_waiting_calls_than_allowed_get_503(void **state)
{
    struct api_driver *d = *state;
    static const char request[] = "GET /api/v2/nodes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char got[4096] = "";
    int fds[5];
    d->hold = true;
    for (int i = 0; i < 4; i++) {
        fds[i] = api_connect(d);
        api_send(d, fds[i], request, sizeof request - 1);
        api_turn(d, 20);
    }
    fds[4] = api_connect(d);
    api_send(d, fds[4], request, sizeof request - 1);
    assert_true(api_read_until(d, fds[4], "503", got, sizeof got));
    const struct sl_reply reply = { .code = SL_OK };
    api_answer_held(d, &reply);
    got[0] = '\0';
    assert_true(api_read_until(d, fds[0], "200 OK", got, sizeof got));
    for (int i = 0; i < 5; i++)
        (void)close(fds[i]);
}

static void an_answer_that_comes_twice_or_late_changes_nothing(void **state)
{
    struct api_driver *d = *state;
    const struct sl_reply reply = { .code = SL_OK };
    sl_assert_i64(api_call(d, "GET", "/api/v2/nodes", NULL, NULL)->status, 200);
    struct sl_reply late = reply;
    late.ticket = d->requests[0].ticket;
    assert_true(sl_api_on_reply(d->api, &late));
    late.ticket = SL_API_TICKET_BIT | 0xffffff0003u;
    assert_true(sl_api_on_reply(d->api, &late));
    late.ticket = 7; /* somebody else's */
    assert_false(sl_api_on_reply(d->api, &late));
    still_serves(d);
}

static void a_page_of_another_site_cannot_change_anything(void **state)
{
    struct api_driver *d = *state;
    const struct api_answer *a =
        api_call(d, "POST", "/api/v2/drains", "Origin: http://evil.example\r\n", "{\"node\":\"n2\"}");
    sl_assert_i64(a->status, 403);
    a = api_call(d, "POST", "/api/v1/owner/resign", "Origin: null\r\n", NULL);
    sl_assert_i64(a->status, 401);
    sl_assert_u64(d->request_count, 0);
    a = api_call(d, "POST", "/api/v2/owner/resign", "Origin: http://node\r\n", NULL);
    sl_assert_i64(a->status, 200);
}

static void a_request_that_was_forwarded_too_often_stops(void **state)
{
    struct api_driver *d = *state;
    d->owner = 1;
    const struct api_answer *a = api_call(d, "GET", "/api/v2/changefeeds", "TiCDC-ForwardTimes: 3\r\n", NULL);
    sl_assert_i64(a->status, 500);
    sl_assert_str(api_at(a, "error_msg"), "TiCDC cluster is unavailable, please try again later");
    a = api_call(d, "GET", "/api/v2/changefeeds", "TiCDC-ForwardTimes: 99999999999999999999\r\n", NULL);
    sl_assert_i64(a->status, 500);
    a = api_call(d, "PUT", "/api/v1/captures/drain", "TiCDC-ForwardTimes: 3\r\n", "{\"capture_id\":\"x\"}");
    sl_assert_i64(a->status, 202);
}

static void names_with_markup_and_quotes_stay_text(void **state)
{
    struct api_driver *d = *state;
    memcpy(d->members[1].name, "<b>\"\\\n", 7);
    memcpy(d->members[2].address, "\xff\xfe", 3);
    const struct api_answer *a = api_call(d, "GET", "/api/v2/captures", NULL, NULL);
    sl_assert_i64(a->status, 200);
    sl_assert_str(api_at(a, "items.2.address"), "??");
    assert_non_null(strstr(a->head, "X-Content-Type-Options: nosniff"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_body_over_the_limit_is_413_without_being_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chunked_body_over_the_limit_is_413_or_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_head_that_is_too_large_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_json_is_400_on_every_route_with_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_over_the_limit_are_closed_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_never_ends_its_request_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_drips_is_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_waiting_calls_than_allowed_get_503, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_comes_twice_or_late_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_of_another_site_cannot_change_anything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_that_was_forwarded_too_often_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_with_markup_and_quotes_stay_text, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
