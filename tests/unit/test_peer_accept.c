/* SPDX-License-Identifier: Apache-2.0 */
/* A transport against a client that does as it likes, and the gRPC client while at it. */
#include "edge/grpc/client.h"
#include "edge/peer/handshake.h"
#include "tests/support/sl_peers.h"
#include "tests/support/sl_test.h"

#include <string.h>

#define METHOD "/proto.MessageService/streamMessages"

/* One call of the foreign client. */
struct call {
    sl_grpc_call name;
    uint32_t message_count, end_count, writable_count;
    struct sl_grpc_status status;
    uint8_t last[512];
    size_t last_len;
};

struct guest {
    struct sl_peers net;
    struct sl_peers_node node; /* "node"; knows "member" at an address smaller than its own */
    struct sl_grpc_client *client;
    uint32_t connected_count, disconnected_count;
    struct sl_err why;
    struct call event, command;
};

static void call_on_message(void *ctx, struct sl_bytes message)
{
    struct call *call = ctx;
    call->message_count++;
    call->last_len = message.len < sizeof call->last ? message.len : sizeof call->last;
    memcpy(call->last, message.ptr, call->last_len);
}

static void call_on_end(void *ctx, const struct sl_grpc_status *status)
{
    struct call *call = ctx;
    call->end_count++;
    call->status = *status;
}

static void call_on_writable(void *ctx)
{
    struct call *call = ctx;
    call->writable_count++;
}

static const struct sl_grpc_call_events call_events = { call_on_message, call_on_end, call_on_writable };

static void guest_on_connected(void *ctx)
{
    struct guest *g = ctx;
    g->connected_count++;
}

static void guest_on_disconnected(void *ctx, const struct sl_err *why)
{
    struct guest *g = ctx;
    g->disconnected_count++;
    g->why = *why;
}

static const struct sl_grpc_client_events guest_events = { guest_on_connected, guest_on_disconnected };

static void guest_dial(struct guest *g, uint16_t port)
{
    struct sl_err e = { .code = SL_OK };
    struct sl_grpc_client_opts opts = { .loop = &g->net.loop,
                                        .host = "127.0.0.1",
                                        .port = port,
                                        .events = &guest_events,
                                        .ctx = g,
                                        .queue_bytes_max = 1000000 };
    sl_assert_i64(sl_grpc_client_open(&g->client, &opts, &e), SL_OK);
}

static void guest_open(struct guest *g)
{
    struct sl_transport_limits limits = { .member_wait_ns = 100 * SL_MS };
    memset(g, 0, sizeof *g);
    sl_peers_open(&g->net);
    sl_peers_node_open(&g->net, &g->node, "node", 0, NULL, &limits);
    sl_assert_i64(sl_peers_know(&g->node, "member", "1.1.1.1:1"), SL_OK);
    guest_dial(g, g->node.port);
}

static void guest_close(struct guest *g)
{
    sl_grpc_client_close(g->client);
    sl_peers_node_close(&g->node);
    sl_peers_close(&g->net);
}

static void call_start(struct guest *g, struct call *call, const char *path)
{
    struct sl_grpc_call_opts opts = { .path = path, .events = &call_events, .ctx = call };
    memset(call, 0, sizeof *call);
    sl_assert_i64(sl_grpc_client_call(g->client, &call->name, &opts, NULL), SL_OK);
}

static void call_send(struct guest *g, struct call *call, const struct sl_envelope *e)
{
    uint8_t bytes[1024];
    assert_true(sl_envelope_size(e) <= sizeof bytes);
    size_t len = sl_envelope_encode(e, bytes);
    sl_assert_i64(sl_grpc_client_send(g->client, call->name, (struct sl_bytes){ bytes, len }), SL_OK);
}

static struct sl_envelope handshake_of(const char *from, const char *to, const char *json)
{
    return (struct sl_envelope){ .type = SL_MSG_MESSAGE_HAND_SHAKE,
                                 .from = sl_str_of(from),
                                 .to = sl_str_of(to),
                                 .payload_count = 1,
                                 .payload = { { (const uint8_t *)json, strlen(json) } } };
}

static void call_shake(struct guest *g, struct call *call, const char *json)
{
    struct sl_envelope e = handshake_of("member", "node", json);
    call_start(g, call, METHOD);
    call_send(g, call, &e);
}

#define EVENT_JSON "{\"Version\":1,\"Timestamp\":1,\"StreamType\":\"event\"}"
#define COMMAND_JSON "{\"Version\":1,\"Timestamp\":1,\"StreamType\":\"command\"}"

static struct sl_envelope heartbeat_of(const char *from)
{
    static const uint8_t payload[] = { 8, 1 };
    return (struct sl_envelope){ .type = SL_MSG_NODE_HEARTBEAT_REQUEST,
                                 .from = sl_str_of(from),
                                 .to = SL_STR("node"),
                                 .topic = SL_STR("coordinator"),
                                 .payload_count = 1,
                                 .payload = { { payload, sizeof payload } } };
}

static void assert_refused(struct guest *g, const struct sl_envelope *first, const char *text)
{
    call_start(g, &g->command, METHOD);
    call_send(g, &g->command, first);
    sl_peers_wait(&g->net, &g->command.end_count, 1);
    sl_assert_i64(g->command.status.code, SL_GRPC_UNKNOWN);
    if (strstr(g->command.status.message, text) == NULL) {
        sl_assert_str(g->command.status.message, text);
    }
    sl_assert_u64(g->node.message_count, 0);
}

/* ---- facts ---- */

static void a_peer_is_ready_after_both_handshakes_only(void **state)
{
    (void)state;
    struct guest g;
    struct sl_envelope heartbeat = heartbeat_of("member");
    struct sl_node_id member;
    assert_true(sl_node_id_set(&member, SL_STR("member")));
    guest_open(&g);
    call_shake(&g, &g.command, COMMAND_JSON);
    call_send(&g, &g.command, &heartbeat);
    sl_peers_run(&g.net, 100 * SL_MS);
    sl_assert_u64(g.node.message_count, 0);
    sl_assert_i64(sl_peers_send(&g.node, &member, SL_LANE_COMMAND, 1, 0), SL_NOT_READY);
    call_shake(&g, &g.event, EVENT_JSON);
    sl_peers_wait(&g.net, &g.node.message_count, 1); /* it was kept, not dropped */
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    sl_assert_i64(sl_peers_send(&g.node, &member, SL_LANE_COMMAND, 1, 0), SL_OK);
    sl_peers_wait(&g.net, &g.command.message_count, 1);
    sl_assert_u64(g.event.message_count, 0); /* each message goes on its type's lane */
    guest_close(&g);
}

static void what_is_not_a_handshake_is_refused(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    struct sl_envelope heartbeat = heartbeat_of("member");
    assert_refused(&g, &heartbeat, "type 36");
    struct sl_envelope empty = handshake_of("member", "node", "");
    empty.payload_count = 0;
    assert_refused(&g, &empty, "no payload");
    struct sl_envelope text = handshake_of("member", "node", "{\"Version\":");
    assert_refused(&g, &text, "JSON");
    struct sl_envelope list = handshake_of("member", "node", "[]");
    assert_refused(&g, &list, "JSON");
    struct sl_envelope number = handshake_of("member", "node", "{\"StreamType\":7}");
    assert_refused(&g, &number, "JSON");
    struct sl_envelope other = handshake_of("member", "another", EVENT_JSON);
    assert_refused(&g, &other, "TargetMismatch");
    struct sl_envelope self = handshake_of("node", "node", EVENT_JSON);
    assert_refused(&g, &self, "not another node");
    struct sl_envelope stranger = handshake_of("stranger", "node", EVENT_JSON);
    assert_refused(&g, &stranger, "not a member");
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_STREAM_REFUSED], 8);
    guest_close(&g);
}

static void garbage_in_a_message_is_refused(void **state)
{
    (void)state;
    struct guest g;
    static const uint8_t garbage[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
    guest_open(&g);
    call_start(&g, &g.command, METHOD);
    sl_assert_i64(sl_grpc_client_send(g.client, g.command.name, (struct sl_bytes){ garbage, sizeof garbage }), SL_OK);
    sl_peers_wait(&g.net, &g.command.end_count, 1);
    sl_assert_i64(g.command.status.code, SL_GRPC_UNKNOWN);
    guest_close(&g);
}

static void any_lane_name_but_command_is_the_event_lane(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    call_shake(&g, &g.event, "{\"StreamType\":\"something\"}");
    call_shake(&g, &g.command, COMMAND_JSON);
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    guest_close(&g);
}

static void the_larger_address_may_not_dial(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    sl_assert_i64(sl_peers_know(&g.node, "member", "localhost:1"), SL_OK);
    struct sl_envelope first = handshake_of("member", "node", EVENT_JSON);
    assert_refused(&g, &first, "smaller advertise address dials");
    guest_close(&g);
}

static void a_newer_stream_of_a_lane_cancels_the_older(void **state)
{
    (void)state;
    struct guest g;
    struct call newer;
    guest_open(&g);
    call_shake(&g, &g.event, EVENT_JSON);
    call_shake(&g, &g.command, COMMAND_JSON);
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    call_shake(&g, &newer, COMMAND_JSON);
    sl_peers_wait(&g.net, &g.command.end_count, 1);
    sl_assert_i64(g.command.status.code, SL_GRPC_CANCELLED);
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_CONNECTED], 2);
    struct sl_envelope heartbeat = heartbeat_of("member");
    call_send(&g, &newer, &heartbeat);
    sl_peers_wait(&g.net, &g.node.message_count, 1);
    sl_assert_u64(newer.end_count, 0);
    guest_close(&g);
}

static void a_message_in_anothers_name_is_dropped_and_told(void **state)
{
    (void)state;
    struct guest g;
    struct sl_envelope forged = heartbeat_of("coordinator-7"), honest = heartbeat_of("member");
    guest_open(&g);
    call_shake(&g, &g.event, EVENT_JSON);
    call_shake(&g, &g.command, COMMAND_JSON);
    call_send(&g, &g.command, &forged);
    call_send(&g, &g.command, &honest);
    sl_peers_wait(&g.net, &g.node.message_count, 1);
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_MESSAGE_REFUSED], 1);
    guest_close(&g);
}

static void bytes_that_do_not_decode_are_handed_on_to_be_counted(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    call_shake(&g, &g.event, EVENT_JSON);
    call_shake(&g, &g.command, COMMAND_JSON);
    sl_assert_i64(sl_grpc_client_send(g.client, g.command.name, (struct sl_bytes){ (const uint8_t *)"\xff", 1 }),
                  SL_OK);
    sl_peers_wait(&g.net, &g.node.message_count, 1);
    sl_assert_u64(g.command.end_count, 0);
    guest_close(&g);
}

static void the_end_of_a_stream_disconnects_the_peer(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    call_shake(&g, &g.event, EVENT_JSON);
    call_shake(&g, &g.command, COMMAND_JSON);
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    sl_grpc_client_end(g.client, g.event.name);
    sl_peers_wait(&g.net, &g.event.end_count, 1);
    sl_assert_i64(g.event.status.code, SL_GRPC_OK);
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_DISCONNECTED], 1);
    sl_grpc_client_cancel(g.client, g.command.name);
    sl_peers_run(&g.net, 50 * SL_MS);
    sl_assert_u64(g.command.end_count, 0); /* who cancels hears no more */
    guest_close(&g);
}

static void another_method_is_unimplemented(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    call_start(&g, &g.command, "/etcdserverpb.KV/Range");
    sl_peers_wait(&g.net, &g.command.end_count, 1);
    sl_assert_i64(g.command.status.code, SL_GRPC_UNIMPLEMENTED);
    guest_close(&g);
}

static void a_handshake_may_not_be_large(void **state)
{
    (void)state;
    struct guest g;
    static uint8_t big[100000];
    guest_open(&g);
    call_start(&g, &g.command, METHOD);
    sl_assert_i64(sl_grpc_client_send(g.client, g.command.name, (struct sl_bytes){ big, sizeof big }), SL_OK);
    sl_peers_wait(&g.net, &g.command.end_count, 1);
    sl_assert_i64(g.command.status.code, SL_GRPC_RESOURCE_EXHAUSTED);
    guest_close(&g);
}

/* ---- the client's own ---- */

static void a_call_deadline_passes_while_nothing_answers(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    struct sl_grpc_call_opts opts = {
        .path = METHOD, .timeout_ns = 50 * SL_MS, .events = &call_events, .ctx = &g.command
    };
    sl_assert_i64(sl_grpc_client_call(g.client, &g.command.name, &opts, NULL), SL_OK);
    sl_peers_wait(&g.net, &g.command.end_count, 1);
    sl_assert_i64(g.command.status.code, SL_GRPC_DEADLINE_EXCEEDED);
    sl_assert_i64(sl_grpc_client_send(g.client, g.command.name, (struct sl_bytes){ NULL, 0 }), SL_NOT_FOUND);
    guest_close(&g);
}

static void a_full_queue_of_a_call_is_busy_until_it_is_writable(void **state)
{
    (void)state;
    struct guest g;
    static uint8_t bytes[300000];
    guest_open(&g);
    call_shake(&g, &g.event, EVENT_JSON);
    call_shake(&g, &g.command, COMMAND_JSON);
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    enum sl_code code = SL_OK;
    uint32_t sent = 0;
    while (code == SL_OK) {
        code = sl_grpc_client_send(g.client, g.command.name, (struct sl_bytes){ bytes, sizeof bytes });
        sent += code == SL_OK;
    }
    sl_assert_i64(code, SL_BUSY);
    sl_assert_u64(sent, 3);
    sl_peers_wait(&g.net, &g.command.writable_count, 1);
    sl_assert_i64(sl_grpc_client_send(g.client, g.command.name, (struct sl_bytes){ bytes, sizeof bytes }), SL_OK);
    sl_peers_wait(&g.net, &g.node.message_count, sent + 1);
    guest_close(&g);
}

static void a_refused_connection_ends_waiting_calls_then_the_client(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    uint16_t port = g.node.port;
    sl_grpc_client_close(g.client);
    sl_peers_node_close(&g.node);
    guest_dial(&g, port);
    call_start(&g, &g.command, METHOD);
    sl_peers_wait(&g.net, &g.disconnected_count, 1);
    sl_assert_u64(g.command.end_count, 1);
    sl_assert_i64(g.command.status.code, SL_GRPC_UNAVAILABLE);
    assert_true(g.command.status.never_processed);
    assert_non_null(strstr(g.why.text, "connection refused"));
    struct sl_grpc_call_opts opts = { .path = METHOD, .events = &call_events, .ctx = &g.event };
    sl_assert_i64(sl_grpc_client_call(g.client, &g.event.name, &opts, NULL), SL_NOT_READY);
    sl_grpc_client_close(g.client);
    sl_peers_close(&g.net);
}

static void a_client_closed_in_the_middle_says_nothing(void **state)
{
    (void)state;
    struct guest g;
    guest_open(&g);
    call_shake(&g, &g.event, EVENT_JSON);
    call_shake(&g, &g.command, COMMAND_JSON);
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    sl_grpc_client_close(g.client);
    g.client = NULL;
    sl_peers_wait(&g.net, &g.node.event_count[SL_TRANSPORT_PEER_DISCONNECTED], 1);
    sl_assert_u64(g.event.end_count + g.command.end_count + g.disconnected_count, 0);
    guest_close(&g);
}

/* ---- pure parts ---- */

static void a_handshake_is_written_as_the_reference_writes_it(void **state)
{
    (void)state;
    char json[SL_HANDSHAKE_BYTES_MAX];
    static const char wanted[] = "{\"Version\":1,\"Timestamp\":1700000000,\"StreamType\":\"command\"}";
    enum sl_lane lane = SL_LANE_EVENT;
    size_t len = sl_handshake_format(SL_LANE_COMMAND, 1700000000, json);
    sl_assert_u64(len, sizeof wanted - 1);
    sl_assert_mem(json, wanted, len);
    assert_true(sl_handshake_parse((struct sl_bytes){ (const uint8_t *)json, len }, &lane));
    sl_assert_i64(lane, SL_LANE_COMMAND);
}

static void addresses_are_split_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = { "",    "host",  ":1",   "host:",   "host:0",  "host:65536",
                                       "::1", "a:b:1", "[]:1", "host:1x", "host:-1", "host:000001" };
    char host[64];
    uint16_t port = 0;
    assert_true(sl_address_split(SL_STR("db-1.example:8300"), host, sizeof host, &port));
    sl_assert_str(host, "db-1.example");
    sl_assert_u64(port, 8300);
    assert_true(sl_address_split(SL_STR("[fe80::1]:1"), host, sizeof host, &port));
    sl_assert_str(host, "fe80::1");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sl_address_split(sl_str_of(bad[i]), host, sizeof host, &port));
    }
    assert_false(sl_address_split(SL_STR("longhost:1"), host, 8, &port));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_ready_after_both_handshakes_only),
        cmocka_unit_test(what_is_not_a_handshake_is_refused),
        cmocka_unit_test(garbage_in_a_message_is_refused),
        cmocka_unit_test(any_lane_name_but_command_is_the_event_lane),
        cmocka_unit_test(the_larger_address_may_not_dial),
        cmocka_unit_test(a_newer_stream_of_a_lane_cancels_the_older),
        cmocka_unit_test(a_message_in_anothers_name_is_dropped_and_told),
        cmocka_unit_test(bytes_that_do_not_decode_are_handed_on_to_be_counted),
        cmocka_unit_test(the_end_of_a_stream_disconnects_the_peer),
        cmocka_unit_test(another_method_is_unimplemented),
        cmocka_unit_test(a_handshake_may_not_be_large),
        cmocka_unit_test(a_call_deadline_passes_while_nothing_answers),
        cmocka_unit_test(a_full_queue_of_a_call_is_busy_until_it_is_writable),
        cmocka_unit_test(a_refused_connection_ends_waiting_calls_then_the_client),
        cmocka_unit_test(a_client_closed_in_the_middle_says_nothing),
        cmocka_unit_test(a_handshake_is_written_as_the_reference_writes_it),
        cmocka_unit_test(addresses_are_split_strictly),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
