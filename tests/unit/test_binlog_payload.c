/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed transactions of MySQL 8: what is in them comes out, and nothing that they say of sizes is believed. */
#include "base/prng.h"
#include "edge/mariadb/binlog_event.h"
#include "edge/mariadb/binlog_payload.h"
#include "tests/support/mysql_payload.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define EVENT_MAX ((size_t)32 << 20)

static struct sl_payload payload;
static struct sl_err err;
static struct sl_bytes event;
static uint8_t events[40 << 20], body[48 << 20];
static size_t events_len, body_len;

static int set_up(void **state)
{
    (void)state;
    payload = (struct sl_payload){ .event_bytes_max = EVENT_MAX };
    events_len = body_len = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sl_payload_deinit(&payload);
    return 0;
}

static void add_event(size_t size, uint8_t filler)
{
    uint8_t *at = events + events_len;
    assert_true(events_len + 19 + size <= sizeof events);
    (void)mysql_payload_event(at, sizeof events - events_len, SL_BINLOG_ROWS_QUERY, "", 0);
    for (size_t i = 0; i < 4; i++)
        at[9 + i] = (uint8_t)((19 + size) >> 8 * i);
    memset(at + 19, filler, size);
    events_len += 19 + size;
}

static void add_field(uint8_t type, uint64_t number)
{
    body_len += mysql_payload_field(body + body_len, type, number);
}

/* Header and the bytes that it announces. */
static void finish_body(const void *bytes, size_t size, uint64_t compression, uint64_t plain_size)
{
    add_field(2, compression);
    add_field(3, plain_size);
    add_field(1, size);
    body[body_len++] = 0;
    memmove(body + body_len, bytes, size);
    body_len += size;
}

static void compress(int level)
{
    body_len = mysql_payload_write(body, sizeof body, (struct sl_bytes){ events, events_len }, level);
}

static enum sl_code open_body(void)
{
    err = (struct sl_err){ 0 };
    return sl_payload_open(&payload, (struct sl_bytes){ body, body_len }, &err);
}

/* Everything, as a reader would: until all that was announced has come out. */
static enum sl_code read_all(size_t *out)
{
    enum sl_code code = open_body();
    size_t at = 0;
    while (code == SL_OK && at < events_len) {
        code = sl_payload_next(&payload, &event, &err);
        if (code == SL_OK) {
            assert_true(event.len <= events_len - at);
            sl_assert_mem(event.ptr, events + at, event.len);
            at += event.len;
        }
    }
    *out = at;
    return code == SL_OK ? sl_payload_close(&payload, &err) : code;
}

static void assert_all(void)
{
    size_t out = 0;
    enum sl_code code = read_all(&out);
    if (code != SL_OK)
        fail_msg("refused after %zu bytes: %s", out, err.text);
    sl_assert_u64(out, events_len);
    assert_false(payload.is_open);
}

/* ---- what is in it ---- */

static void events_come_out_one_after_the_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < 1000; i++)
        add_event(i % 300, (uint8_t)i);
    compress(3);
    assert_all();
    compress(3); /* another one, by the same reader */
    assert_all();
}

static void every_level_of_the_server_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < 64; i++)
        add_event(3000, (uint8_t)(i * i));
    for (int level = 1; level <= 22; level++) {
        payload.event_bytes_max = (size_t)1 << 30;
        compress(level);
        assert_all();
    }
}

static void events_that_are_not_compressed_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < 300; i++)
        add_event(i * 3, (uint8_t)i);
    finish_body(events, events_len, 255, events_len);
    assert_all();
    body_len = 0;
    add_field(1, events_len); /* as a server spells it that names no compression */
    body[body_len++] = 0;
    memcpy(body + body_len, events, events_len);
    body_len += events_len;
    assert_all();
}

static void several_frames_are_one_stream(void **state)
{
    (void)state;
    static uint8_t frames[1 << 16];
    size_t len = 0;
    for (size_t i = 0; i < 20; i++) {
        size_t before = events_len;
        add_event(100 * i, (uint8_t)i);
        len += mysql_payload_compress(frames + len, sizeof frames - len,
                                      (struct sl_bytes){ events + before, events_len - before - 7 }, 3);
        len +=
            mysql_payload_compress(frames + len, sizeof frames - len, (struct sl_bytes){ events + events_len - 7, 7 },
                                   3); /* and not at the borders of events */
    }
    finish_body(frames, len, 0, events_len);
    assert_all();
}

static void an_event_larger_than_the_room_comes_out_whole(void **state)
{
    (void)state;
    add_event(10, 1);
    add_event(20 << 20, 2);
    add_event(10, 3);
    compress(3);
    assert_all();
    assert_true(payload.cap >= (20u << 20) && payload.cap <= EVENT_MAX);
    events_len = 0;
    add_event(10, 4);
    compress(3);
    assert_all();
    assert_true(payload.cap < 1u << 20); /* given back */
}

static void a_large_transaction_needs_the_memory_of_its_largest_event(void **state)
{
    (void)state;
    for (size_t i = 0; i < 600; i++)
        add_event(60000, (uint8_t)i);
    compress(3);
    assert_all();
    assert_true(payload.cap <= 1u << 17);
}

static void fields_may_come_in_any_order_with_others_among_them(void **state)
{
    (void)state;
    static uint8_t frame[4096];
    add_event(100, 7);
    size_t size = mysql_payload_compress(frame, sizeof frame, (struct sl_bytes){ events, events_len }, 3);
    add_field(1, size);
    memcpy(body + body_len, "\x2a\4what", 6); /* a type that is not known, which is no number either */
    body_len += 6;
    add_field(3, events_len);
    add_field(2, 0);
    body[body_len++] = 0;
    memcpy(body + body_len, frame, size);
    body_len += size;
    assert_all();
}

/* ---- hostile bytes ---- */

static void assert_open(enum sl_code expected, const char *bytes, size_t size)
{
    memcpy(body, bytes, size);
    body_len = size;
    sl_assert_i64(open_body(), expected);
}
#define ASSERT_OPEN(code, bytes) assert_open(code, bytes, sizeof(bytes) - 1)

static void headers_that_do_not_say_enough_are_refused(void **state)
{
    (void)state;
    ASSERT_OPEN(SL_TRUNCATED, "");
    ASSERT_OPEN(SL_TRUNCATED, "\2\1\0"); /* no end */
    ASSERT_OPEN(SL_TRUNCATED, "\2\5\0"); /* a value that is not all there */
    ASSERT_OPEN(SL_TRUNCATED, "\2\xfe\xff\xff\xff\xff\xff\xff\xff\xff\0");
    ASSERT_OPEN(SL_TRUNCATED, "\xfb\1\0\0");                /* a type that is no number */
    ASSERT_OPEN(SL_MALFORMED, "\2\0\1\1\0\0");              /* a number of no bytes */
    ASSERT_OPEN(SL_MALFORMED, "\2\2\0\0\1\1\0\3\1\0\0");    /* a number and a byte */
    ASSERT_OPEN(SL_MALFORMED, "\2\1\xfc\0");                /* half a number */
    ASSERT_OPEN(SL_MALFORMED, "\0");                        /* nothing is said */
    ASSERT_OPEN(SL_MALFORMED, "\2\1\0\1\1\2\0zz");          /* not how much comes out */
    ASSERT_OPEN(SL_MALFORMED, "\2\1\0\3\1\2\0zz");          /* not how much there is */
    ASSERT_OPEN(SL_MALFORMED, "\2\1\0\3\1\2\1\1\3\0zz");    /* more than there is */
    ASSERT_OPEN(SL_MALFORMED, "\2\1\0\3\1\2\1\1\1\0zz");    /* less */
    ASSERT_OPEN(SL_UNKNOWN_TYPE, "\2\1\1\3\1\2\1\1\2\0zz"); /* a compression of tomorrow */
}

static void every_beginning_of_a_transaction_is_refused(void **state)
{
    (void)state;
    static uint8_t frame[4096];
    size_t out;
    for (size_t i = 0; i < 10; i++)
        add_event(50, (uint8_t)(i * 77));
    size_t size = mysql_payload_compress(frame, sizeof frame, (struct sl_bytes){ events, events_len }, 3);
    for (size_t i = 0; i < size; i++) {
        body_len = 0;
        finish_body(frame, i, 0, events_len);
        assert_true(read_all(&out) != SL_OK);
    }
    for (size_t i = 0; i < events_len; i++) {
        body_len = 0;
        finish_body(events, i, 255, i);
        assert_true(read_all(&out) != SL_OK);
    }
}

static void more_or_less_than_was_announced_is_refused(void **state)
{
    (void)state;
    static uint8_t frame[4096];
    size_t out;
    add_event(50, 1);
    add_event(60, 2);
    size_t size = mysql_payload_compress(frame, sizeof frame - 1, (struct sl_bytes){ events, events_len }, 3);
    const int64_t wrong[] = { -100, -1, 1, 100 };
    for (size_t i = 0; i < 4; i++) {
        body_len = 0;
        finish_body(frame, size, 0, (uint64_t)((int64_t)events_len + wrong[i]));
        assert_true(read_all(&out) != SL_OK);
    }
    frame[size] = 0x28; /* a byte behind the frame, which might begin another */
    body_len = 0;
    finish_body(frame, size + 1, 0, events_len);
    sl_assert_i64(read_all(&out), SL_MALFORMED);
    body_len = 0;
    finish_body(events, events_len, 255, events_len - 1);
    assert_true(read_all(&out) != SL_OK);
    events_len -= 79; /* as if the first were the last one */
    body_len = 0;
    finish_body(frame, size, 0, 69 + 79);
    sl_assert_i64(read_all(&out), SL_MALFORMED);
}

static void nothing_comes_out_behind_the_announced_size(void **state)
{
    (void)state;
    static uint8_t frame[4096];
    for (size_t i = 0; i < 1000; i++)
        add_event(50, 1);
    size_t size = mysql_payload_compress(frame, sizeof frame, (struct sl_bytes){ events, events_len }, 3);
    for (uint64_t compression = 0; compression < 256; compression += 255) {
        body_len = 0;
        finish_body(compression == 0 ? frame : events, compression == 0 ? size : events_len, compression, 2 * 69);
        sl_assert_i64(open_body(), SL_OK);
        sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_OK);
        sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_OK);
        sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_TRUNCATED);
    }
}

static void a_bomb_is_stopped_where_it_said_that_it_ends(void **state)
{
    (void)state;
    static uint8_t frame[1 << 16];
    memset(events, 0, sizeof events);
    size_t size = mysql_payload_compress(frame, sizeof frame, (struct sl_bytes){ events, sizeof events }, 3);
    events[9] = 119;
    size_t header = mysql_payload_compress(frame + size, sizeof frame - size, (struct sl_bytes){ events, 19 }, 3);
    memmove(frame + header, frame, size + header);
    memmove(frame, frame + size + header, header);
    finish_body(frame, header + size, 0, 119); /* an event of 119 bytes, and 40 MiB behind it */
    sl_assert_i64(open_body(), SL_OK);
    sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_OK);
    sl_assert_u64(event.len, 119);
    sl_assert_i64(sl_payload_close(&payload, &err), SL_MALFORMED);
    assert_true(payload.cap <= 1u << 16);
}

static void memory_grows_with_what_comes_out_and_not_with_what_is_said(void **state)
{
    (void)state;
    uint8_t head[19] = { 0 };
    static uint8_t frame[128];
    for (size_t i = 0; i < 4; i++)
        head[9 + i] = (uint8_t)(EVENT_MAX >> 8 * i);
    size_t size = mysql_payload_compress(frame, sizeof frame, (struct sl_bytes){ head, sizeof head }, 3);
    finish_body(frame, size, 0, EVENT_MAX);
    sl_assert_i64(open_body(), SL_OK);
    sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_MALFORMED);
    assert_true(payload.cap <= 1u << 16);
}

static void an_event_that_is_too_large_or_too_small_is_refused(void **state)
{
    (void)state;
    add_event(100, 0);
    payload.event_bytes_max = 118;
    finish_body(events, events_len, 255, events_len);
    sl_assert_i64(open_body(), SL_OK);
    sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_LIMIT);
    for (uint8_t size = 0; size < 19; size++) {
        body_len = 0;
        events[9] = size;
        finish_body(events, events_len, 255, events_len);
        sl_assert_i64(open_body(), SL_OK);
        sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_MALFORMED);
    }
}

/* A frame says first how much of what came out it will refer to: nobody has to keep that much for it. */
static void a_window_larger_than_the_limit_is_refused(void **state)
{
    (void)state;
    static const uint8_t frame[] = {
        0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, /* window: 2^27 bytes */
        0x01, 0x00, 0x00,                   /* an empty block, the last one */
    };
    finish_body(frame, sizeof frame, 0, 19);
    sl_assert_i64(open_body(), SL_OK);
    sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_LIMIT);
    payload.event_bytes_max = (size_t)1 << 30;
    sl_assert_i64(open_body(), SL_OK);
    sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_MALFORMED);
    body[body_len - 4] = 0x90; /* 2^28: more than any server writes */
    sl_assert_i64(open_body(), SL_OK);
    sl_assert_i64(sl_payload_next(&payload, &event, &err), SL_LIMIT);
}

static void changed_bytes_do_no_harm(void **state)
{
    (void)state;
    struct sl_prng prng;
    static uint8_t good[4096];
    sl_prng_init(&prng, 11);
    for (size_t i = 0; i < 20; i++)
        add_event(i * 9, (uint8_t)sl_prng_u64(&prng));
    compress(3);
    assert_true(body_len < sizeof good);
    memcpy(good, body, body_len);
    for (int turn = 0; turn < 20000; turn++) {
        memcpy(body, good, body_len);
        body[sl_prng_below(&prng, body_len)] ^= (uint8_t)(1 + sl_prng_below(&prng, 255));
        enum sl_code code = open_body();
        for (int i = 0; code == SL_OK && i < 100; i++)
            code = sl_payload_next(&payload, &event, &err);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_come_out_one_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_level_of_the_server_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_that_are_not_compressed_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_frames_are_one_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_event_larger_than_the_room_comes_out_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_transaction_needs_the_memory_of_its_largest_event, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fields_may_come_in_any_order_with_others_among_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headers_that_do_not_say_enough_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_beginning_of_a_transaction_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_or_less_than_was_announced_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_comes_out_behind_the_announced_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bomb_is_stopped_where_it_said_that_it_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_grows_with_what_comes_out_and_not_with_what_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_event_that_is_too_large_or_too_small_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_window_larger_than_the_limit_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_bytes_do_no_harm, set_up, tear_down),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
