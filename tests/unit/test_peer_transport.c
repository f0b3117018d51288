/* SPDX-License-Identifier: Apache-2.0 */
/* Whole transports against each other on the loopback. */
#include "tests/support/sl_peers.h"
#include "tests/support/sl_test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct two {
    struct sl_peers net;
    struct sl_peers_node a, b;
};

static void two_open_with(struct two *t, struct sl_tls *tls, const struct sl_transport_limits *limits)
{
    sl_peers_open(&t->net);
    sl_peers_node_open(&t->net, &t->a, "node-a", 0, tls, limits);
    sl_peers_node_open(&t->net, &t->b, "node-b", 0, tls, limits);
    sl_peers_introduce((struct sl_peers_node *[]){ &t->a, &t->b }, 2);
    sl_peers_wait_connected(&t->a, &t->b.id);
    sl_peers_wait_connected(&t->b, &t->a.id);
}

static void two_open(struct two *t, const struct sl_transport_limits *limits)
{
    two_open_with(t, NULL, limits);
}

static void two_close(struct two *t)
{
    if (t->a.transport != NULL) {
        sl_peers_node_close(&t->a);
    }
    if (t->b.transport != NULL) {
        sl_peers_node_close(&t->b);
    }
    sl_peers_close(&t->net);
}

static struct sl_node_id id_of(const char *text)
{
    struct sl_node_id id;
    assert_true(sl_node_id_set(&id, sl_str_of(text)));
    return id;
}

static void both_lanes_carry_messages_both_ways_in_order(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, NULL);
    for (uint32_t i = 1; i <= 2000; i++) {
        sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, i, i % 300), SL_OK);
        sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_EVENT, i, i % 50), SL_OK);
        sl_assert_i64(sl_peers_send(&t.b, &t.a.id, SL_LANE_COMMAND, i, i % 200), SL_OK);
    }
    sl_peers_wait(&t.net, &t.b.message_count, 4000);
    sl_peers_wait(&t.net, &t.a.message_count, 2000);
    sl_assert_u64(t.a.out_of_order + t.b.out_of_order, 0);
    sl_peers_wait(&t.net, &t.a.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    two_close(&t);
}

static void exactly_the_smaller_address_dials(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, NULL);
    sl_peers_wait(&t.net, &t.a.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    sl_peers_wait(&t.net, &t.b.event_count[SL_TRANSPORT_PEER_CONNECTED], 1);
    bool a_is_smaller = strcmp(t.a.address, t.b.address) < 0;
    sl_assert_str(t.a.text, a_is_smaller ? "dialled" : "accepted");
    sl_assert_str(t.b.text, a_is_smaller ? "accepted" : "dialled");
    struct sl_transport_stats stats;
    sl_transport_stats_read(t.a.transport, &stats);
    sl_assert_u64(stats.connection_count, 1);
    two_close(&t);
}

static void a_big_message_arrives(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, NULL);
    sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, 1, 20u << 20), SL_OK);
    sl_peers_wait(&t.net, &t.b.message_count, 1);
    sl_assert_u64(t.b.last_size, 20u << 20);
    two_close(&t);
}

static void what_cannot_be_sent_is_said_at_once(void **state)
{
    (void)state;
    struct two t;
    struct sl_transport_limits limits = { .message_bytes_max = 1000 };
    struct sl_bytes empty = { NULL, 0 };
    struct sl_node_id stranger = id_of("stranger");
    two_open(&t, &limits);
    sl_assert_i64(sl_peers_send(&t.a, &stranger, SL_LANE_COMMAND, 1, 0), SL_NOT_FOUND);
    sl_assert_i64(sl_peers_send(&t.a, &t.a.id, SL_LANE_COMMAND, 1, 0), SL_NOT_FOUND);
    sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, 1, 1000), SL_LIMIT);
    sl_assert_i64(sl_transport_send(t.a.transport, &t.b.id, SL_MSG_MESSAGE_HAND_SHAKE, SL_TOPIC_NONE, empty),
                  SL_BAD_FIELD);
    sl_assert_i64(sl_transport_send(t.a.transport, &t.b.id, SL_MSG_NODE_HEARTBEAT_REQUEST, SL_TOPIC_MT, empty),
                  SL_BAD_FIELD);
    sl_assert_i64(sl_transport_send(t.a.transport, &t.b.id, (enum sl_msg_type)99, SL_TOPIC_MT, empty), SL_BAD_FIELD);
    sl_assert_i64(sl_peers_know(&t.a, "late", "127.0.0.1:9"), SL_OK);
    struct sl_node_id late = id_of("late");
    sl_assert_i64(sl_peers_send(&t.a, &late, SL_LANE_COMMAND, 1, 0), SL_NOT_READY);
    two_close(&t);
}

static void a_message_without_bytes_is_still_one_payload(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, NULL);
    struct sl_bytes empty = { NULL, 0 };
    t.b.last_size = 9;
    sl_assert_i64(sl_transport_send(t.a.transport, &t.b.id, SL_MSG_NODE_HEARTBEAT_REQUEST, SL_TOPIC_CO, empty), SL_OK);
    sl_peers_wait(&t.net, &t.b.message_count, 1);
    sl_assert_u64(t.b.last_size, 0);
    two_close(&t);
}

static void a_receiver_that_takes_nothing_congests_the_sender_and_loses_nothing(void **state)
{
    (void)state;
    struct two t;
    struct sl_transport_limits limits = { .queue_bytes_max = 1u << 20 };
    uint32_t sent = 0;
    two_open(&t, &limits);
    t.b.holding = true;
    enum sl_code code = SL_OK;
    for (uint32_t i = 0; i < 4000; i++) {
        code = sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, sent + 1, 10000);
        sent += code == SL_OK;
        if (i % 20 == 0) {
            sl_peers_run(&t.net, SL_MS);
        }
    }
    sl_assert_i64(code, SL_BUSY);
    sl_assert_u64(t.b.message_count, 0);
    assert_true(sent > 100 && sent < 2000);
    struct sl_transport_stats stats;
    sl_transport_stats_read(t.b.transport, &stats);
    assert_true(stats.receiving_bytes < 4u << 20);
    sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_EVENT, 1, 10), SL_OK); /* the other lane is not congested */
    t.b.holding = false;
    sl_transport_resume(t.b.transport);
    sl_peers_wait(&t.net, &t.b.message_count, sent + 1);
    sl_assert_u64(t.b.out_of_order, 0);
    two_close(&t);
}

static void a_full_queue_is_congestion(void **state)
{
    (void)state;
    struct two t;
    struct sl_transport_limits limits = { .queue_count_max = 50 };
    uint32_t busy = 0;
    two_open(&t, &limits);
    for (uint32_t i = 1; i <= 2000; i++) { /* without a turn of the loop nothing leaves */
        busy += sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, i, 10000) == SL_BUSY;
    }
    assert_true(busy > 1800);
    struct sl_transport_stats stats;
    sl_transport_stats_read(t.a.transport, &stats);
    sl_assert_u64(stats.queued_count, 50);
    sl_assert_u64(stats.lanes[SL_LANE_COMMAND].congested_count, busy);
    two_close(&t);
}

static void a_restarted_node_is_connected_under_its_new_id(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, NULL);
    uint16_t port = t.b.port;
    sl_peers_node_close(&t.b);
    sl_peers_wait(&t.net, &t.a.event_count[SL_TRANSPORT_PEER_DISCONNECTED], 1);
    sl_peers_node_open(&t.net, &t.b, "node-b2", port, NULL, NULL);
    sl_peers_introduce((struct sl_peers_node *[]){ &t.a, &t.b }, 2);
    sl_peers_wait_connected(&t.a, &t.b.id);
    sl_peers_wait_connected(&t.b, &t.a.id);
    sl_assert_i64(sl_peers_send(&t.b, &t.a.id, SL_LANE_COMMAND, 1, 0), SL_OK);
    sl_peers_wait(&t.net, &t.a.message_count, 1);
    two_close(&t);
}

static void queued_messages_survive_a_reconnect_in_order(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, NULL);
    t.b.holding = true;
    for (uint32_t i = 1; i <= 1000; i++) {
        sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, i, 10000), SL_OK);
    }
    sl_peers_run(&t.net, 50 * SL_MS);
    uint16_t port = t.b.port;
    sl_peers_node_close(&t.b);
    sl_peers_wait(&t.net, &t.a.event_count[SL_TRANSPORT_PEER_DISCONNECTED], 1);
    sl_peers_node_open(&t.net, &t.b, "node-b", port, NULL, NULL);
    sl_peers_introduce((struct sl_peers_node *[]){ &t.a, &t.b }, 2);
    sl_peers_wait(&t.net, &t.b.last[SL_LANE_COMMAND], 1000);
    sl_assert_u64(t.b.out_of_order, 1); /* one gap: what the broken stream had */
    assert_true(t.b.message_count > 500 && t.b.message_count < 1000);
    two_close(&t);
}

static void a_node_that_leaves_is_disconnected(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, NULL);
    sl_assert_i64(sl_transport_set_peers(t.a.transport, NULL, 0), SL_OK);
    sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, 1, 0), SL_NOT_FOUND);
    sl_peers_wait(&t.net, &t.a.event_count[SL_TRANSPORT_PEER_DISCONNECTED], 1);
    sl_peers_wait(&t.net, &t.b.event_count[SL_TRANSPORT_PEER_DISCONNECTED], 1);
    two_close(&t);
}

static void a_close_sends_what_is_queued_first(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, NULL);
    for (uint32_t i = 1; i <= 300; i++) {
        sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, i, 5000), SL_OK);
    }
    sl_peers_node_close(&t.a);
    sl_peers_wait(&t.net, &t.b.message_count, 300);
    two_close(&t);
}

static void equal_addresses_never_dial_and_say_so(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a;
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, NULL);
    sl_assert_i64(sl_peers_know(&a, "node-b", a.address), SL_OK);
    sl_peers_wait(&net, &a.event_count[SL_TRANSPORT_SAME_ADDRESS], 1);
    sl_peers_run(&net, 100 * SL_MS);
    struct sl_transport_stats stats;
    sl_transport_stats_read(a.transport, &stats);
    sl_assert_u64(stats.connection_count, 0);
    sl_peers_node_close(&a);
    sl_peers_close(&net);
}

static void a_malformed_address_is_named(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a;
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, NULL);
    sl_assert_i64(sl_peers_know(&a, "node-b", "zzz"), SL_OK);
    sl_peers_wait(&net, &a.event_count[SL_TRANSPORT_BAD_ADDRESS], 1);
    sl_peers_node_close(&a);
    sl_peers_close(&net);
}

static void a_dialled_node_of_another_id_is_a_target_mismatch(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a, b;
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, NULL);
    sl_peers_node_open(&net, &b, "node-b", 0, NULL, NULL);
    bool a_dials = strcmp(a.address, b.address) < 0;
    struct sl_peers_node *dialler = a_dials ? &a : &b, *acceptor = a_dials ? &b : &a;
    sl_assert_i64(sl_peers_know(dialler, "somebody", acceptor->address), SL_OK);
    sl_peers_wait(&net, &dialler->event_count[SL_TRANSPORT_DIAL_FAILED], 1);
    assert_non_null(strstr(dialler->text, "TargetMismatch"));
    assert_true(acceptor->event_count[SL_TRANSPORT_STREAM_REFUSED] > 0);
    sl_assert_u64(dialler->event_count[SL_TRANSPORT_PEER_CONNECTED], 0);
    sl_peers_node_close(&a);
    sl_peers_node_close(&b);
    sl_peers_close(&net);
}

static void an_acceptor_waits_a_moment_for_the_membership(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a, b;
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, NULL);
    sl_peers_node_open(&net, &b, "node-b", 0, NULL, NULL);
    bool a_dials = strcmp(a.address, b.address) < 0;
    struct sl_peers_node *dialler = a_dials ? &a : &b, *acceptor = a_dials ? &b : &a;
    sl_assert_i64(sl_peers_know(dialler, acceptor->id.text, acceptor->address), SL_OK);
    sl_peers_run(&net, 200 * SL_MS);
    sl_assert_u64(acceptor->event_count[SL_TRANSPORT_STREAM_REFUSED], 0);
    sl_assert_i64(sl_peers_know(acceptor, dialler->id.text, dialler->address), SL_OK);
    sl_peers_wait_connected(dialler, &acceptor->id);
    sl_assert_u64(dialler->event_count[SL_TRANSPORT_DIAL_FAILED], 0);
    sl_peers_node_close(&a);
    sl_peers_node_close(&b);
    sl_peers_close(&net);
}

static void a_stranger_is_refused_when_the_moment_is_over(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a, b;
    struct sl_transport_limits limits = { .member_wait_ns = 100 * SL_MS };
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, &limits);
    sl_peers_node_open(&net, &b, "node-b", 0, NULL, &limits);
    bool a_dials = strcmp(a.address, b.address) < 0;
    struct sl_peers_node *dialler = a_dials ? &a : &b, *acceptor = a_dials ? &b : &a;
    sl_assert_i64(sl_peers_know(dialler, acceptor->id.text, acceptor->address), SL_OK);
    sl_peers_wait(&net, &acceptor->event_count[SL_TRANSPORT_STREAM_REFUSED], 1);
    assert_non_null(strstr(acceptor->text, "not a member"));
    sl_peers_node_close(&a);
    sl_peers_node_close(&b);
    sl_peers_close(&net);
}

static void a_node_that_is_not_there_is_dialled_again_and_found(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a, b;
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, NULL);
    sl_peers_node_open(&net, &b, "node-b", 0, NULL, NULL);
    bool a_dials = strcmp(a.address, b.address) < 0;
    struct sl_peers_node *dialler = a_dials ? &a : &b, *acceptor = a_dials ? &b : &a;
    uint16_t port = acceptor->port;
    sl_peers_node_close(acceptor);
    sl_assert_i64(sl_peers_know(dialler, acceptor->id.text, acceptor->address), SL_OK);
    sl_peers_wait(&net, &dialler->event_count[SL_TRANSPORT_DIAL_FAILED], 2);
    sl_peers_node_open(&net, acceptor, a_dials ? "node-b" : "node-a", port, NULL, NULL);
    sl_assert_i64(sl_peers_know(acceptor, dialler->id.text, dialler->address), SL_OK);
    sl_peers_wait_connected(dialler, &acceptor->id);
    sl_peers_node_close(&a);
    sl_peers_node_close(&b);
    sl_peers_close(&net);
}

/* Somebody who accepts connections and says nothing. */
static int open_mute(char *address, size_t cap)
{
    struct sockaddr_in name = { .sin_family = AF_INET };
    socklen_t len = sizeof name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sl_assert_i64(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
    sl_assert_i64(listen(fd, 8), 0);
    sl_assert_i64(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    (void)snprintf(address, cap, "localhost:%u", (unsigned)ntohs(name.sin_port)); /* larger than any 127.0.0.1 */
    return fd;
}

static void a_peer_that_never_answers_is_given_up(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a;
    struct sl_transport_limits limits = { .connect_timeout_ns = 50 * SL_MS };
    char address[64];
    int mute = open_mute(address, sizeof address);
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, &limits);
    sl_assert_i64(sl_peers_know(&a, "mute", address), SL_OK);
    sl_peers_wait(&net, &a.event_count[SL_TRANSPORT_DIAL_FAILED], 3); /* attempts 1, 2 and 4 */
    assert_non_null(strstr(a.text, "does not answer"));
    sl_peers_node_close(&a);
    sl_peers_close(&net);
    (void)close(mute);
}

static void a_name_that_cannot_be_resolved_is_told(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a;
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, NULL);
    sl_assert_i64(sl_peers_know(&a, "nowhere", "not a name:9"), SL_OK);
    sl_peers_wait(&net, &a.event_count[SL_TRANSPORT_DIAL_FAILED], 1);
    assert_non_null(strstr(a.text, "not a name"));
    sl_peers_node_close(&a);
    sl_peers_close(&net);
}

static void nodes_speak_over_mutual_tls(void **state)
{
    (void)state;
    static const char *const names[] = { "node" };
    struct sl_certs certs;
    struct two t;
    sl_certs_open(&certs);
    sl_certs_make_ca(&certs, "ca");
    sl_certs_issue(&certs, "node", "ca", "node");
    struct sl_tls *tls = sl_certs_tls(&certs, "ca", "node", true, names, 1);
    two_open_with(&t, tls, NULL);
    for (uint32_t i = 1; i <= 500; i++) {
        sl_assert_i64(sl_peers_send(&t.a, &t.b.id, SL_LANE_COMMAND, i, 3000), SL_OK);
    }
    sl_assert_i64(sl_peers_send(&t.b, &t.a.id, SL_LANE_EVENT, 1, 5u << 20), SL_OK);
    sl_peers_wait(&t.net, &t.b.message_count, 500);
    sl_peers_wait(&t.net, &t.a.message_count, 1);
    sl_assert_u64(t.b.out_of_order, 0);
    two_close(&t);
    sl_tls_unref(tls);
    sl_certs_close(&certs);
}

/* A callback that takes away what it is called for. */
struct saboteur {
    struct sl_transport *transport;
    uint32_t call_count;
    bool by_closing;
};

static bool saboteur_on_message(void *ctx, const struct sl_node_id *from, struct sl_bytes bytes)
{
    struct saboteur *s = ctx;
    (void)from;
    (void)bytes;
    s->call_count++;
    if (s->by_closing) {
        sl_transport_close(s->transport);
    } else {
        sl_assert_i64(sl_transport_set_peers(s->transport, NULL, 0), SL_OK);
    }
    return true;
}

static void saboteur_on_closed(void *ctx)
{
    struct saboteur *s = ctx;
    s->transport = NULL;
}

static void sabotage(bool by_closing)
{
    struct sl_peers net;
    struct sl_peers_node a;
    struct saboteur s = { .by_closing = by_closing };
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, NULL);
    struct sl_transport_opts opts = { .loop = &net.loop,
                                      .self = id_of("node-s"),
                                      .address = SL_STR("0.0.0.1:1"), /* the smaller one: it dials */
                                      .client = { saboteur_on_message, NULL, saboteur_on_closed, &s } };
    struct sl_peer peer = { a.id, sl_str_of(a.address) };
    struct sl_err e = { .code = SL_OK };
    sl_assert_i64(sl_transport_open(&s.transport, &opts, &e), SL_OK);
    sl_assert_i64(sl_transport_set_peers(s.transport, &peer, 1), SL_OK);
    sl_assert_i64(sl_peers_know(&a, "node-s", "0.0.0.1:1"), SL_OK);
    sl_peers_wait_connected(&a, &opts.self);
    for (uint32_t i = 1; i <= 3; i++) {
        sl_assert_i64(sl_peers_send(&a, &opts.self, SL_LANE_COMMAND, i, 10), SL_OK);
    }
    sl_peers_wait(&net, &a.event_count[SL_TRANSPORT_PEER_DISCONNECTED], 1);
    sl_assert_u64(s.call_count, 1);
    sl_transport_close(s.transport);
    sl_peers_node_close(&a);
    sl_peers_close(&net);
    assert_null(s.transport);
}

static void a_message_may_take_its_own_sender_away(void **state)
{
    (void)state;
    sabotage(false);
}

static void a_message_may_close_the_transport(void **state)
{
    (void)state;
    sabotage(true);
}

static void a_close_with_nobody_there_ends_at_once(void **state)
{
    (void)state;
    struct sl_peers net;
    struct sl_peers_node a;
    sl_peers_open(&net);
    sl_peers_node_open(&net, &a, "node-a", 0, NULL, NULL);
    sl_assert_i64(sl_peers_know(&a, "node-z", "9.localhost.invalid:9"), SL_OK);
    sl_peers_node_close(&a);
    sl_assert_u64(a.closed_count, 1);
    sl_peers_close(&net);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_lanes_carry_messages_both_ways_in_order),
        cmocka_unit_test(exactly_the_smaller_address_dials),
        cmocka_unit_test(a_big_message_arrives),
        cmocka_unit_test(what_cannot_be_sent_is_said_at_once),
        cmocka_unit_test(a_message_without_bytes_is_still_one_payload),
        cmocka_unit_test(a_receiver_that_takes_nothing_congests_the_sender_and_loses_nothing),
        cmocka_unit_test(a_full_queue_is_congestion),
        cmocka_unit_test(a_restarted_node_is_connected_under_its_new_id),
        cmocka_unit_test(queued_messages_survive_a_reconnect_in_order),
        cmocka_unit_test(a_node_that_leaves_is_disconnected),
        cmocka_unit_test(a_close_sends_what_is_queued_first),
        cmocka_unit_test(equal_addresses_never_dial_and_say_so),
        cmocka_unit_test(a_malformed_address_is_named),
        cmocka_unit_test(a_dialled_node_of_another_id_is_a_target_mismatch),
        cmocka_unit_test(an_acceptor_waits_a_moment_for_the_membership),
        cmocka_unit_test(a_stranger_is_refused_when_the_moment_is_over),
        cmocka_unit_test(a_node_that_is_not_there_is_dialled_again_and_found),
        cmocka_unit_test(a_peer_that_never_answers_is_given_up),
        cmocka_unit_test(a_name_that_cannot_be_resolved_is_told),
        cmocka_unit_test(nodes_speak_over_mutual_tls),
        cmocka_unit_test(a_message_may_take_its_own_sender_away),
        cmocka_unit_test(a_message_may_close_the_transport),
        cmocka_unit_test(a_close_with_nobody_there_ends_at_once),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
