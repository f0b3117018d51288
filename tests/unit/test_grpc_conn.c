/* SPDX-License-Identifier: Apache-2.0 */
/* A client and a server connection in memory: what one produces the other receives, in pieces of any size. */
#include "base/prng.h"
#include "edge/grpc/conn.h"
#include "tests/support/sl_test.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGES_MAX = 4096 };

struct side {
    struct sl_grpc_conn *conn;
    sl_grpc_stream request; /* server: the last one */
    char path[64];
    uint32_t request_count, ready_count, message_count, end_count, peer_end_count, writable_count, goaway_count;
    uint32_t answer_count;
    size_t message_bytes, last_size;
    uint8_t first_byte;
    uint64_t digest; /* of sizes and contents, in order */
    bool refusing;   /* messages are not taken */
    bool answering;  /* a server echoes each message */
    struct sl_grpc_status status;
    bool failed;
    struct sl_err why;
};

struct pair {
    struct side client, server;
    struct sl_grpc_budget budget;
    struct sl_prng prng;
    size_t chunk_max; /* 0: all at once */
    sl_ns now;
};

/* ---- events ---- */

static void on_ready(void *ctx)
{
    struct side *s = ctx;
    s->ready_count++;
}

static void on_request(void *ctx, sl_grpc_stream stream, const struct sl_grpc_request *request)
{
    struct side *s = ctx;
    s->request = stream;
    s->request_count++;
    size_t len = request->path.len < sizeof s->path - 1 ? request->path.len : sizeof s->path - 1;
    memcpy(s->path, request->path.ptr, len);
    s->path[len] = '\0';
    if (strcmp(s->path, "/t.S/Missing") == 0) {
        sl_grpc_conn_finish(s->conn, stream, SL_GRPC_UNIMPLEMENTED, "no such method: 100 %");
    } else {
        sl_assert_i64(sl_grpc_conn_accept(s->conn, stream, (uint64_t)stream), SL_OK);
    }
}

static void on_answer(void *ctx, uint64_t tag)
{
    struct side *s = ctx;
    (void)tag;
    s->answer_count++;
}

static void send_bytes(struct side *s, sl_grpc_stream stream, const uint8_t *bytes, size_t len)
{
    struct sl_grpc_block *b = sl_grpc_block_new(len);
    assert_non_null(b);
    if (len > 0) {
        memcpy(sl_grpc_block_body(b), bytes, len);
    }
    sl_assert_i64(sl_grpc_conn_send(s->conn, stream, b), SL_OK);
}

static bool on_message(void *ctx, uint64_t tag, struct sl_bytes message)
{
    struct side *s = ctx;
    if (s->refusing) {
        return false;
    }
    s->message_count++;
    s->message_bytes += message.len;
    s->last_size = message.len;
    s->first_byte = message.len > 0 ? message.ptr[0] : 0;
    s->digest = s->digest * 1000003 + message.len;
    for (size_t i = 0; i < message.len; i += 97) {
        s->digest = s->digest * 31 + message.ptr[i];
    }
    if (s->answering) {
        send_bytes(s, (sl_grpc_stream)tag, message.ptr, message.len);
    }
    return true;
}

static void on_peer_end(void *ctx, uint64_t tag)
{
    struct side *s = ctx;
    s->peer_end_count++;
    sl_grpc_conn_finish(s->conn, (sl_grpc_stream)tag, SL_GRPC_OK, "");
}

static void on_writable(void *ctx, uint64_t tag)
{
    struct side *s = ctx;
    (void)tag;
    s->writable_count++;
}

static void on_end(void *ctx, uint64_t tag, const struct sl_grpc_status *status)
{
    struct side *s = ctx;
    (void)tag;
    s->end_count++;
    s->status = *status;
}

static void on_goaway(void *ctx, struct sl_str text)
{
    struct side *s = ctx;
    (void)text;
    s->goaway_count++;
}

static const struct sl_grpc_conn_events side_events = {
    .on_ready = on_ready,
    .on_request = on_request,
    .on_answer = on_answer,
    .on_message = on_message,
    .on_peer_end = on_peer_end,
    .on_writable = on_writable,
    .on_end = on_end,
    .on_goaway = on_goaway,
};

/* ---- the pair ---- */

static void pair_open_side(struct pair *p, struct side *s, enum sl_grpc_role role, const struct sl_grpc_limits *limits)
{
    struct sl_grpc_conn_opts opts = {
        .role = role, .budget = &p->budget, .events = &side_events, .ctx = s, .authority = "localhost:1", .now = p->now
    };
    if (limits != NULL) {
        opts.limits = *limits;
    }
    sl_assert_i64(sl_grpc_conn_new(&s->conn, &opts), SL_OK);
}

static struct pair *pair_new_with(const struct sl_grpc_limits *client, const struct sl_grpc_limits *server)
{
    struct pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->now = 1000 * SL_S;
    p->budget.bytes_max = (size_t)1 << 30;
    sl_prng_init(&p->prng, 7);
    pair_open_side(p, &p->client, SL_GRPC_CLIENT, client);
    pair_open_side(p, &p->server, SL_GRPC_SERVER, server);
    return p;
}

static struct pair *pair_new(void)
{
    return pair_new_with(NULL, NULL);
}

static void pair_free(struct pair *p)
{
    sl_grpc_conn_free(p->client.conn);
    sl_grpc_conn_free(p->server.conn);
    sl_assert_u64(p->budget.used_bytes, 0);
    free(p);
}

static void side_receive(struct pair *p, struct side *s, struct sl_bytes bytes)
{
    struct sl_err e = { .code = SL_OK };
    if (sl_grpc_conn_receive(s->conn, p->now, bytes, &e) != SL_OK && !s->failed) {
        s->failed = true;
        s->why = e;
    }
}

/* Moves some output; false if there was none. */
static bool pair_move(struct pair *p, struct side *from, struct side *to)
{
    struct sl_bytes out = sl_grpc_conn_output(from->conn, p->now);
    if (out.len == 0) {
        return false;
    }
    size_t size = out.len;
    if (p->chunk_max > 0) {
        size_t limit = 1 + (size_t)sl_prng_below(&p->prng, p->chunk_max);
        size = size < limit ? size : limit;
    }
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, out.ptr, size);
    sl_grpc_conn_output_taken(from->conn, size);
    side_receive(p, to, (struct sl_bytes){ copy, size });
    free(copy);
    return true;
}

static void pair_run(struct pair *p)
{
    bool any = true;
    while (any) {
        any = pair_move(p, &p->client, &p->server);
        any = pair_move(p, &p->server, &p->client) || any;
    }
}

static sl_grpc_stream start(struct pair *p, const char *path, sl_ns timeout_ns)
{
    sl_grpc_stream stream = 0;
    struct sl_grpc_start opts = { .path = path, .timeout_ns = timeout_ns, .tag = 77 };
    sl_assert_i64(sl_grpc_conn_start(p->client.conn, p->now, &opts, &stream), SL_OK);
    return stream;
}

static void send_pattern(struct side *s, sl_grpc_stream stream, size_t len, uint8_t first)
{
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(first + i * 13);
    }
    send_bytes(s, stream, bytes, len);
    free(bytes);
}

/* ---- facts ---- */

static void both_sides_become_ready(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    assert_false(sl_grpc_conn_is_ready(p->client.conn));
    pair_run(p);
    assert_true(sl_grpc_conn_is_ready(p->client.conn));
    sl_assert_u64(p->client.ready_count, 1);
    sl_assert_u64(p->server.ready_count, 1);
    pair_free(p);
}

static void a_unary_call_gets_its_answer_and_status(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->server.answering = true;
    sl_grpc_stream stream = start(p, "/t.S/Echo", 0);
    send_pattern(&p->client, stream, 10, 5);
    sl_grpc_conn_end(p->client.conn, stream);
    pair_run(p);
    sl_assert_str(p->server.path, "/t.S/Echo");
    sl_assert_u64(p->client.answer_count, 1);
    sl_assert_u64(p->client.message_count, 1);
    sl_assert_u64(p->client.first_byte, 5);
    sl_assert_u64(p->client.end_count, 1);
    sl_assert_i64(p->client.status.code, SL_GRPC_OK);
    pair_free(p);
}

static void a_refused_call_is_trailers_only_with_a_message(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    (void)start(p, "/t.S/Missing", 0);
    pair_run(p);
    sl_assert_i64(p->client.status.code, SL_GRPC_UNIMPLEMENTED);
    sl_assert_str(p->client.status.message, "no such method: 100 %");
    sl_assert_u64(p->client.answer_count, 0);
    sl_assert_u64(p->client.end_count, 1);
    pair_free(p);
}

static void both_directions_stream_at_once(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->server.answering = true;
    sl_grpc_stream stream = start(p, "/t.S/Echo", 0);
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < 20; i++) {
            send_pattern(&p->client, stream, i * 100, (uint8_t)i);
        }
        pair_run(p);
    }
    sl_assert_u64(p->server.message_count, 200);
    sl_assert_u64(p->client.message_count, 200);
    sl_assert_u64(p->client.digest, p->server.digest);
    sl_assert_u64(p->client.end_count, 0);
    pair_free(p);
}

static void messages_of_any_size_survive_any_chunking(void **state)
{
    static const size_t chunks[] = { 3, 50, 5000, 5000 };
    static const size_t sizes[] = { 0, 1, 4, 5, 6, 100, 16379, 16384, 16385, 65536, 300000 };
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct pair *p = pair_new();
        uint64_t digest = 0;
        sl_prng_init(&p->prng, seed);
        p->chunk_max = chunks[seed % 4];
        p->server.answering = true;
        sl_grpc_stream stream = start(p, "/t.S/Echo", 0);
        size_t count = p->chunk_max == 3 ? 8 : 11;
        for (size_t i = 0; i < count; i++) {
            send_pattern(&p->client, stream, sizes[i], (uint8_t)(seed + i));
        }
        sl_grpc_conn_end(p->client.conn, stream);
        pair_run(p);
        digest = p->server.digest;
        sl_assert_u64(p->server.message_count, count);
        sl_assert_u64(p->client.message_count, count);
        sl_assert_u64(p->client.digest, digest);
        sl_assert_i64(p->client.status.code, SL_GRPC_OK);
        assert_false(p->client.failed || p->server.failed);
        pair_free(p);
    }
}

static void a_receiver_that_takes_nothing_stops_the_sender_at_the_window(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->server.refusing = true;
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    for (int i = 0; i < 400; i++) {
        send_pattern(&p->client, stream, 10000, 1);
    }
    pair_run(p);
    sl_assert_u64(p->server.message_count, 0);
    assert_true(p->budget.used_bytes <= 3u << 20);
    assert_true(sl_grpc_conn_queued_bytes(p->client.conn, stream) > 2900000);
    p->server.refusing = false;
    assert_true(sl_grpc_conn_resume(p->server.conn, p->server.request));
    pair_run(p);
    sl_assert_u64(p->server.message_count, 400);
    sl_assert_u64(sl_grpc_conn_queued_bytes(p->client.conn, stream), 0);
    pair_free(p);
}

static void a_held_stream_does_not_hold_the_others(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->server.refusing = true;
    sl_grpc_stream held = start(p, "/t.S/Held", 0);
    for (int i = 0; i < 200; i++) {
        send_pattern(&p->client, held, 10000, 1);
    }
    pair_run(p);
    p->server.refusing = false;
    sl_grpc_stream free_stream = start(p, "/t.S/Free", 0);
    for (int i = 0; i < 300; i++) {
        send_pattern(&p->client, free_stream, 10000, 1);
    }
    pair_run(p);
    sl_assert_u64(p->server.message_count, 300);
    pair_free(p);
}

static void a_message_larger_than_the_window_arrives(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    send_pattern(&p->client, stream, 20u << 20, 3);
    pair_run(p);
    sl_assert_u64(p->server.message_count, 1);
    sl_assert_u64(p->server.last_size, 20u << 20);
    pair_free(p);
}

static void writable_is_said_when_the_queue_has_room_again(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    send_pattern(&p->client, stream, 10, 1);
    pair_run(p);
    sl_assert_u64(p->client.writable_count, 0);
    send_pattern(&p->client, stream, 500000, 1);
    pair_run(p);
    sl_assert_u64(p->client.writable_count, 1);
    pair_free(p);
}

static void a_message_over_the_limit_ends_the_call_only(void **state)
{
    (void)state;
    struct sl_grpc_limits limits = { .message_bytes_max = 1000 };
    struct pair *p = pair_new_with(NULL, &limits);
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    send_pattern(&p->client, stream, 1001, 1);
    pair_run(p);
    sl_assert_i64(p->client.status.code, SL_GRPC_RESOURCE_EXHAUSTED);
    sl_assert_i64(p->server.status.code, SL_GRPC_RESOURCE_EXHAUSTED);
    sl_assert_u64(p->server.message_count, 0);
    stream = start(p, "/t.S/Sink", 0);
    send_pattern(&p->client, stream, 1000, 1);
    pair_run(p);
    sl_assert_u64(p->server.message_count, 1);
    pair_free(p);
}

static void an_announced_length_reserves_nothing(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    struct sl_grpc_block *b = sl_grpc_block_new(10);
    assert_non_null(b);
    memset(sl_grpc_block_body(b), 0, 10);
    b->bytes[1] = 0x0f; /* about 250 MiB */
    sl_assert_i64(sl_grpc_conn_send(p->client.conn, stream, b), SL_OK);
    pair_run(p);
    assert_true(p->budget.used_bytes <= 4096);
    sl_grpc_conn_end(p->client.conn, stream);
    pair_run(p);
    sl_assert_i64(p->server.status.code, SL_GRPC_INVALID_ARGUMENT);
    pair_free(p);
}

static void the_budget_of_all_streams_is_kept(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->budget.bytes_max = 100000;
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    send_pattern(&p->client, stream, 5000000, 1);
    pair_run(p);
    sl_assert_i64(p->client.status.code, SL_GRPC_RESOURCE_EXHAUSTED);
    pair_free(p);
}

static void a_compressed_message_is_refused(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    struct sl_grpc_block *b = sl_grpc_block_new(3);
    assert_non_null(b);
    memset(sl_grpc_block_body(b), 0, 3);
    b->bytes[0] = 1;
    sl_assert_i64(sl_grpc_conn_send(p->client.conn, stream, b), SL_OK);
    pair_run(p);
    sl_assert_i64(p->client.status.code, SL_GRPC_UNIMPLEMENTED);
    pair_free(p);
}

static void an_early_end_of_the_server_stops_the_client(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    pair_run(p);
    sl_grpc_conn_finish(p->server.conn, p->server.request, SL_GRPC_ABORTED, "enough");
    pair_run(p);
    sl_assert_i64(p->client.status.code, SL_GRPC_ABORTED);
    sl_assert_str(p->client.status.message, "enough");
    struct sl_grpc_block *b = sl_grpc_block_new(0);
    sl_assert_i64(sl_grpc_conn_send(p->client.conn, stream, b), SL_NOT_FOUND);
    sl_assert_u64(p->server.end_count, 0); /* who finished hears no more of it */
    pair_free(p);
}

static void a_finish_comes_after_what_was_queued(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    (void)start(p, "/t.S/List", 0);
    pair_run(p);
    for (int i = 0; i < 300; i++) {
        send_pattern(&p->server, p->server.request, 10000, 1);
    }
    sl_grpc_conn_finish(p->server.conn, p->server.request, SL_GRPC_OK, "");
    pair_run(p);
    sl_assert_u64(p->client.message_count, 300);
    sl_assert_i64(p->client.status.code, SL_GRPC_OK);
    pair_free(p);
}

static void a_cancel_reaches_the_server(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    sl_grpc_stream stream = start(p, "/t.S/Sink", 0);
    send_pattern(&p->client, stream, 3000000, 1);
    (void)pair_move(p, &p->client, &p->server);
    sl_grpc_conn_cancel(p->client.conn, stream);
    pair_run(p);
    sl_assert_u64(p->client.end_count, 0);
    sl_assert_u64(p->server.end_count, 1);
    sl_assert_i64(p->server.status.code, SL_GRPC_CANCELLED);
    pair_free(p);
}

static void a_client_deadline_ends_the_call_on_both_sides(void **state)
{
    (void)state;
    struct sl_err e = { .code = SL_OK };
    struct pair *p = pair_new();
    (void)start(p, "/t.S/Slow", 2 * SL_S);
    pair_run(p);
    assert_true(sl_grpc_conn_deadline(p->client.conn) <= p->now + 2 * SL_S);
    p->now += 2 * SL_S;
    sl_assert_i64(sl_grpc_conn_tick(p->client.conn, p->now, &e), SL_OK);
    sl_assert_i64(p->client.status.code, SL_GRPC_DEADLINE_EXCEEDED);
    pair_run(p);
    sl_assert_i64(p->server.status.code, SL_GRPC_CANCELLED);
    pair_free(p);
}

static void a_server_keeps_the_deadline_that_the_client_sent(void **state)
{
    (void)state;
    struct sl_err e = { .code = SL_OK };
    struct pair *p = pair_new();
    (void)start(p, "/t.S/Slow", 2 * SL_S);
    pair_run(p);
    p->now += 3 * SL_S;
    sl_assert_i64(sl_grpc_conn_tick(p->server.conn, p->now, &e), SL_OK);
    sl_assert_i64(p->server.status.code, SL_GRPC_DEADLINE_EXCEEDED);
    pair_run(p);
    sl_assert_i64(p->client.status.code, SL_GRPC_DEADLINE_EXCEEDED);
    pair_free(p);
}

static void a_silent_connection_is_pinged_and_answered(void **state)
{
    (void)state;
    struct sl_err e = { .code = SL_OK };
    struct pair *p = pair_new();
    pair_run(p);
    sl_assert_i64(sl_grpc_conn_deadline(p->client.conn), p->now + 20 * SL_S);
    sl_assert_i64(sl_grpc_conn_deadline(p->server.conn), p->now + 60 * SL_S);
    p->now += 20 * SL_S;
    sl_assert_i64(sl_grpc_conn_tick(p->client.conn, p->now, &e), SL_OK);
    sl_assert_i64(sl_grpc_conn_deadline(p->client.conn), p->now + 30 * SL_S);
    pair_run(p);
    sl_assert_i64(sl_grpc_conn_deadline(p->client.conn), p->now + 20 * SL_S);
    pair_free(p);
}

static void an_unanswered_ping_ends_the_connection(void **state)
{
    (void)state;
    struct sl_err e = { .code = SL_OK };
    struct pair *p = pair_new();
    (void)start(p, "/t.S/Slow", 0);
    pair_run(p);
    p->now += 20 * SL_S;
    sl_assert_i64(sl_grpc_conn_tick(p->client.conn, p->now, &e), SL_OK);
    p->now += 30 * SL_S;
    sl_assert_i64(sl_grpc_conn_tick(p->client.conn, p->now, &e), SL_NOT_READY);
    sl_assert_i64(p->client.status.code, SL_GRPC_UNAVAILABLE);
    assert_true(sl_grpc_conn_deadline(p->client.conn) == SL_NEVER);
    pair_free(p);
}

static void ping_side(struct pair *p)
{
    struct sl_err e = { .code = SL_OK };
    sl_assert_i64(sl_grpc_conn_tick(p->client.conn, p->now, &e), SL_OK);
    pair_run(p);
}

static void too_many_pings_are_answered_by_enhance_your_calm(void **state)
{
    (void)state;
    struct sl_grpc_limits hasty = { .keepalive_ns = 1 * SL_S };
    struct pair *p = pair_new_with(&hasty, NULL);
    pair_run(p);
    for (int i = 0; i < 3; i++) {
        p->now += 1 * SL_S;
        ping_side(p);
        assert_false(p->server.failed);
    }
    p->now += 1 * SL_S;
    ping_side(p);
    assert_true(p->server.failed);
    sl_assert_i64(p->server.why.code, SL_REFUSED);
    sl_assert_u64(p->client.goaway_count, 1);
    pair_free(p);
}

static void pings_between_answers_are_forgiven(void **state)
{
    (void)state;
    struct sl_grpc_limits hasty = { .keepalive_ns = 1 * SL_S };
    struct pair *p = pair_new_with(&hasty, NULL);
    (void)start(p, "/t.S/List", 0);
    pair_run(p);
    for (int i = 0; i < 20; i++) {
        p->now += 1 * SL_S;
        ping_side(p);
        send_pattern(&p->server, p->server.request, 1, 1);
        pair_run(p);
    }
    assert_false(p->server.failed);
    sl_assert_u64(p->client.message_count, 20);
    pair_free(p);
}

static void pings_at_the_allowed_pace_are_never_refused(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    pair_run(p);
    for (int i = 0; i < 20; i++) {
        p->now += 20 * SL_S;
        ping_side(p);
    }
    assert_false(p->server.failed);
    pair_free(p);
}

static void a_goaway_lets_running_calls_end_and_refuses_new_ones(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    p->server.answering = true;
    sl_grpc_stream stream = start(p, "/t.S/Echo", 0);
    pair_run(p);
    sl_grpc_conn_goaway(p->server.conn);
    pair_run(p);
    sl_assert_u64(p->client.goaway_count, 1);
    sl_grpc_stream other = 0;
    struct sl_grpc_start opts = { .path = "/t.S/Echo" };
    sl_assert_i64(sl_grpc_conn_start(p->client.conn, p->now, &opts, &other), SL_NOT_READY);
    send_pattern(&p->client, stream, 10, 1);
    sl_grpc_conn_end(p->client.conn, stream);
    pair_run(p);
    sl_assert_u64(p->client.message_count, 1);
    sl_assert_i64(p->client.status.code, SL_GRPC_OK);
    assert_true(sl_grpc_conn_is_done(p->client.conn));
    assert_true(sl_grpc_conn_is_done(p->server.conn));
    pair_free(p);
}

static void a_call_that_crossed_a_goaway_was_never_processed(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    pair_run(p);
    sl_grpc_conn_goaway(p->server.conn);
    (void)start(p, "/t.S/Echo", 0);
    (void)sl_grpc_conn_output(p->client.conn, p->now); /* it is on its way already */
    pair_run(p);
    sl_assert_u64(p->client.end_count, 1);
    sl_assert_i64(p->client.status.code, SL_GRPC_UNAVAILABLE);
    assert_true(p->client.status.never_processed);
    sl_assert_u64(p->server.request_count, 0);
    pair_free(p);
}

static void a_broken_connection_ends_every_call_with_unavailable(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    (void)start(p, "/t.S/One", 0);
    (void)start(p, "/t.S/Two", 0);
    pair_run(p);
    sl_grpc_conn_fail(p->client.conn, "the peer closed the connection");
    sl_assert_u64(p->client.end_count, 2);
    sl_assert_i64(p->client.status.code, SL_GRPC_UNAVAILABLE);
    sl_assert_str(p->client.status.message, "the peer closed the connection");
    assert_true(sl_grpc_conn_is_done(p->client.conn));
    pair_free(p);
}

static void garbage_instead_of_a_preface_is_refused(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    (void)state;
    struct pair *p = pair_new();
    side_receive(p, &p->server, (struct sl_bytes){ (const uint8_t *)text, sizeof text - 1 });
    assert_true(p->server.failed);
    sl_assert_i64(p->server.why.code, SL_MALFORMED);
    pair_free(p);
}

static void the_peers_open_streams_are_limited(void **state)
{
    (void)state;
    struct sl_grpc_limits limits = { .stream_count_max = 4 };
    struct pair *p = pair_new_with(NULL, &limits);
    pair_run(p);
    for (int i = 0; i < 10; i++) {
        (void)start(p, "/t.S/Slow", 0);
    }
    pair_run(p);
    sl_assert_u64(p->server.request_count, 4); /* the client keeps the others back */
    sl_grpc_conn_finish(p->server.conn, p->server.request, SL_GRPC_OK, "");
    pair_run(p);
    sl_assert_u64(p->server.request_count, 5);
    pair_free(p);
}

static void a_header_list_that_is_too_large_ends_the_call_only(void **state)
{
    (void)state;
    struct sl_grpc_limits limits = { .header_bytes_max = 1024 };
    struct pair *p = pair_new_with(NULL, &limits);
    char big[2000];
    memset(big, 'a', sizeof big);
    struct sl_grpc_header header = { SL_STR("x-big"), { big, sizeof big }, false };
    struct sl_grpc_start opts = { .path = "/t.S/Echo", .headers = &header, .header_count = 1 };
    sl_grpc_stream stream = 0;
    sl_assert_i64(sl_grpc_conn_start(p->client.conn, p->now, &opts, &stream), SL_OK);
    pair_run(p);
    sl_assert_u64(p->server.request_count, 0);
    sl_assert_u64(p->client.end_count, 1);
    (void)start(p, "/t.S/Echo", 0);
    pair_run(p);
    sl_assert_u64(p->server.request_count, 1);
    pair_free(p);
}

static void a_reset_flood_ends_the_connection(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    pair_run(p);
    for (int i = 0; i < 2000 && !p->server.failed && sl_grpc_conn_is_ready(p->client.conn); i++) {
        sl_grpc_stream stream = 0;
        struct sl_grpc_start opts = { .path = "/t.S/Echo" };
        if (sl_grpc_conn_start(p->client.conn, p->now, &opts, &stream) != SL_OK) {
            break;
        }
        (void)sl_grpc_conn_output(p->client.conn, p->now);
        sl_grpc_conn_cancel(p->client.conn, stream);
        pair_run(p);
    }
    assert_true(p->client.goaway_count > 0);
    assert_true(p->server.request_count < 1000);
    pair_free(p);
}

static void a_terminated_connection_says_goodbye_without_events(void **state)
{
    (void)state;
    struct pair *p = pair_new();
    (void)start(p, "/t.S/Slow", 0);
    pair_run(p);
    sl_grpc_conn_terminate(p->server.conn);
    pair_run(p);
    sl_assert_u64(p->server.end_count, 0);
    sl_assert_u64(p->client.goaway_count, 1);
    assert_true(sl_grpc_conn_is_done(p->server.conn));
    pair_free(p);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_become_ready),
        cmocka_unit_test(a_unary_call_gets_its_answer_and_status),
        cmocka_unit_test(a_refused_call_is_trailers_only_with_a_message),
        cmocka_unit_test(both_directions_stream_at_once),
        cmocka_unit_test(messages_of_any_size_survive_any_chunking),
        cmocka_unit_test(a_receiver_that_takes_nothing_stops_the_sender_at_the_window),
        cmocka_unit_test(a_held_stream_does_not_hold_the_others),
        cmocka_unit_test(a_message_larger_than_the_window_arrives),
        cmocka_unit_test(writable_is_said_when_the_queue_has_room_again),
        cmocka_unit_test(a_message_over_the_limit_ends_the_call_only),
        cmocka_unit_test(an_announced_length_reserves_nothing),
        cmocka_unit_test(the_budget_of_all_streams_is_kept),
        cmocka_unit_test(a_compressed_message_is_refused),
        cmocka_unit_test(an_early_end_of_the_server_stops_the_client),
        cmocka_unit_test(a_finish_comes_after_what_was_queued),
        cmocka_unit_test(a_cancel_reaches_the_server),
        cmocka_unit_test(a_client_deadline_ends_the_call_on_both_sides),
        cmocka_unit_test(a_server_keeps_the_deadline_that_the_client_sent),
        cmocka_unit_test(a_silent_connection_is_pinged_and_answered),
        cmocka_unit_test(an_unanswered_ping_ends_the_connection),
        cmocka_unit_test(too_many_pings_are_answered_by_enhance_your_calm),
        cmocka_unit_test(pings_between_answers_are_forgiven),
        cmocka_unit_test(pings_at_the_allowed_pace_are_never_refused),
        cmocka_unit_test(a_goaway_lets_running_calls_end_and_refuses_new_ones),
        cmocka_unit_test(a_call_that_crossed_a_goaway_was_never_processed),
        cmocka_unit_test(a_broken_connection_ends_every_call_with_unavailable),
        cmocka_unit_test(garbage_instead_of_a_preface_is_refused),
        cmocka_unit_test(the_peers_open_streams_are_limited),
        cmocka_unit_test(a_header_list_that_is_too_large_ends_the_call_only),
        cmocka_unit_test(a_reset_flood_ends_the_connection),
        cmocka_unit_test(a_terminated_connection_says_goodbye_without_events),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
