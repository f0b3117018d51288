/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sl_peers.h"

#include "edge/loop/timer.h"
#include "tests/support/sl_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const sl_ns wait_ns = 20 * SL_S;

void sl_peers_open(struct sl_peers *p)
{
    (void)signal(SIGPIPE, SIG_IGN);
    p->classify_ns = 0;
    SL_REQUIRE(uv_loop_init(&p->loop) == 0);
}

void sl_peers_close(struct sl_peers *p)
{
    while (uv_run(&p->loop, UV_RUN_DEFAULT) != 0) {
    }
    sl_assert_i64(uv_loop_close(&p->loop), 0);
}

/* ---- waiting ---- */

static void peers_on_timer(void *ctx)
{
    bool *is_over = ctx;
    *is_over = true;
}

static void peers_turn(struct sl_peers *p, sl_ns deadline)
{
    bool is_over = false;
    struct sl_timer *timer = sl_timer_new(&p->loop, peers_on_timer, &is_over);
    SL_REQUIRE(timer != NULL);
    sl_timer_arm(timer, deadline);
    (void)uv_run(&p->loop, UV_RUN_ONCE);
    sl_timer_free(timer);
}

void sl_peers_run(struct sl_peers *p, sl_ns duration_ns)
{
    sl_ns end = sl_loop_now() + duration_ns;
    while (sl_loop_now() < end) {
        peers_turn(p, end);
    }
}

void sl_peers_wait(struct sl_peers *p, const uint32_t *value, uint32_t wanted)
{
    sl_ns end = sl_loop_now() + wait_ns;
    while (*value < wanted) {
        if (sl_loop_now() >= end) {
            sl_assert_u64(*value, wanted);
        }
        peers_turn(p, end);
    }
}

void sl_peers_wait_connected(struct sl_peers_node *n, const struct sl_node_id *peer)
{
    sl_ns end = sl_loop_now() + wait_ns;
    while (!sl_transport_is_connected(n->transport, peer)) {
        if (sl_loop_now() >= end) {
            sl_assert_str(n->text, "a connection");
        }
        peers_turn(n->net, end);
    }
}

/* ---- what happens to a node ---- */

static void node_on_event(void *ctx, const struct sl_transport_event *event)
{
    struct sl_peers_node *n = ctx;
    n->event_count[event->kind]++;
    (void)snprintf(n->text, sizeof n->text, "%.*s", (int)event->text.len, event->text.ptr);
}

static bool node_on_message(void *ctx, const struct sl_node_id *from, struct sl_bytes bytes)
{
    struct sl_peers_node *n = ctx;
    struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    struct sl_envelope e;
    if (n->holding) {
        return false;
    }
    (void)from;
    n->message_count++;
    if (sl_envelope_decode(&e, bytes, &limits) != SL_REFUSE_NONE) {
        return true;
    }
    n->last_size = e.payload[0].len;
    if (e.payload[0].len >= sizeof(uint32_t)) {
        uint32_t number;
        uint32_t lane = (uint32_t)sl_msg_row((int32_t)e.type)->lane;
        memcpy(&number, e.payload[0].ptr, sizeof number);
        n->out_of_order += number != n->last[lane] + 1;
        n->last[lane] = number;
    }
    return true;
}

static void node_on_closed(void *ctx)
{
    struct sl_peers_node *n = ctx;
    n->closed_count++;
}

static void node_on_grpc(void *ctx, struct sl_sock *sock)
{
    struct sl_peers_node *n = ctx;
    sl_transport_adopt(n->transport, sock);
}

static void node_on_http(void *ctx, const struct sl_http_conn *conn)
{
    struct sl_peers_node *n = ctx;
    n->http_count++;
    n->http_fd = conn->fd;
    (void)snprintf(n->client_name, sizeof n->client_name, "%s", conn->client_name);
}

static void node_on_listener_event(void *ctx, enum sl_listener_event_kind kind, const char *address, const char *text)
{
    struct sl_peers_node *n = ctx;
    (void)address;
    n->listener_event_count[kind]++;
    (void)snprintf(n->listener_text, sizeof n->listener_text, "%s", text);
}

void sl_peers_node_open(struct sl_peers *p, struct sl_peers_node *n, const char *id, uint16_t port, struct sl_tls *tls,
                        const struct sl_transport_limits *limits)
{
    struct sl_err e = { .code = SL_OK };
    *n = (struct sl_peers_node){ .net = p, .tls = tls, .http_fd = -1 };
    SL_REQUIRE(sl_node_id_set(&n->id, sl_str_of(id)));
    struct sl_listener_opts listener = {
        .loop = &p->loop,
        .host = "127.0.0.1",
        .port = port,
        .tls = tls,
        .connection_count_max = 4,
        .classify_ns = p->classify_ns,
        .client = { node_on_grpc, node_on_http, node_on_listener_event, n },
    };
    sl_assert_i64(sl_listener_open(&n->listener, &listener, &e), SL_OK);
    n->port = sl_listener_port(n->listener);
    (void)snprintf(n->address, sizeof n->address, "127.0.0.1:%u", (unsigned)n->port);
    struct sl_transport_opts transport = { .loop = &p->loop,
                                           .self = n->id,
                                           .address = sl_str_of(n->address),
                                           .tls = tls,
                                           .client = { node_on_message, node_on_event, node_on_closed, n },
                                           .seed = 1 };
    if (limits != NULL) {
        transport.limits = *limits;
    }
    transport.limits.redial_ns = 20 * SL_MS;
    transport.limits.redial_ns_max = 50 * SL_MS;
    sl_assert_i64(sl_transport_open(&n->transport, &transport, &e), SL_OK);
}

void sl_peers_node_close(struct sl_peers_node *n)
{
    sl_listener_close(n->listener);
    sl_transport_close(n->transport);
    sl_peers_wait(n->net, &n->closed_count, 1);
    n->transport = NULL;
    n->listener = NULL;
}

void sl_peers_introduce(struct sl_peers_node *const *nodes, uint32_t count)
{
    enum { NODES_MAX = 8 };
    struct sl_peer peers[NODES_MAX];
    SL_REQUIRE(count <= NODES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        peers[i] = (struct sl_peer){ nodes[i]->id, sl_str_of(nodes[i]->address) };
    }
    for (uint32_t i = 0; i < count; i++) {
        sl_assert_i64(sl_transport_set_peers(nodes[i]->transport, peers, count), SL_OK);
    }
}

enum sl_code sl_peers_know(struct sl_peers_node *n, const char *id, const char *address)
{
    struct sl_peer peer = { .address = sl_str_of(address) };
    SL_REQUIRE(sl_node_id_set(&peer.id, sl_str_of(id)));
    return sl_transport_set_peers(n->transport, &peer, 1);
}

enum sl_code sl_peers_send(struct sl_peers_node *n, const struct sl_node_id *to, enum sl_lane lane, uint32_t number,
                           size_t size)
{
    uint8_t *bytes = calloc(1, size + sizeof number);
    SL_REQUIRE(bytes != NULL);
    memcpy(bytes, &number, sizeof number);
    bool is_command = lane == SL_LANE_COMMAND;
    enum sl_code code = sl_transport_send(n->transport, to,
                                          is_command ? SL_MSG_SET_DISPATCHER_DRAIN_TARGET_REQUEST
                                                     : SL_MSG_LOG_COORDINATOR_RESOLVED_TS_REQUEST,
                                          is_command ? SL_TOPIC_MM : SL_TOPIC_LC,
                                          (struct sl_bytes){ bytes, size < sizeof number ? sizeof number : size });
    free(bytes);
    return code;
}
