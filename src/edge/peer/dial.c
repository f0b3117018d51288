/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/peer/handshake.h"
#include "edge/peer/transport_internal.h"

#include <string.h>
#include <time.h>

static void dial_arm(struct sl__peer *p)
{
    const struct sl_transport_limits *limits = &p->t->limits;
    int64_t percent = sl_prng_between(&p->t->prng, 90, 110);
    sl_timer_arm(p->timer, sl_ns_after(sl_loop_now(), p->redial_ns / 100 * percent));
    sl_ns longer = p->redial_ns / 10 * 11;
    p->redial_ns = longer < limits->redial_ns_max ? longer : limits->redial_ns_max;
}

/* Said for the first attempt and then ever more rarely: a node may be away for days. */
static bool dial_is_worth_saying(uint32_t attempt_count)
{
    return (attempt_count & (attempt_count - 1)) == 0;
}

void sl__peer_dial_later(struct sl__peer *p, const char *why)
{
    if (p->role != SL__ROLE_DIAL || p->state == SL__PEER_IDLE) {
        return;
    }
    char text[200];
    struct sl_text copy; /* why may live in what goes now */
    sl_text_init(&copy, text, sizeof text);
    sl_text_cstr(&copy, why);
    bool was_connected = p->state == SL__PEER_CONNECTED;
    sl__peer_disconnect(p, SL_GRPC_CANCELLED, text);
    if (!was_connected && p->attempt_count > 0) {
        p->t->stats.dial_failed_count++;
        if (dial_is_worth_saying(p->attempt_count)) {
            sl__transport_event(p->t, SL_TRANSPORT_DIAL_FAILED, &p->id, p->address, "attempt %u: %s", p->attempt_count,
                                text);
        }
    }
    if (!p->t->closing) {
        dial_arm(p);
    }
}

void sl__peer_dial(struct sl__peer *p)
{
    char host[SL_ADDRESS_MAX + 1];
    uint16_t port = 0;
    struct sl_err e = { .code = SL_OK };
    SL_REQUIRE(p->dialled == NULL);
    bool is_good = sl_address_split(sl_str_of(p->address), host, sizeof host, &port);
    SL_REQUIRE(is_good); /* else the role would be another */
    p->attempt_count++;
    struct sl__peer_link *l = sl__peer_link_new(p->t);
    if (l == NULL) {
        dial_arm(p);
        return;
    }
    struct sl_grpc_link_opts opts = sl__peer_link_opts(p->t, l, true);
    if (sl_grpc_link_dial(&l->link, &opts, p->t->tls, host, port, &e) != SL_OK) {
        sl__peer_link_free(l);
        sl__transport_event(p->t, SL_TRANSPORT_DIAL_FAILED, &p->id, p->address, "%s", e.text);
        dial_arm(p);
        return;
    }
    l->peer = p;
    sl__peer_set_dialled(p, l);
}

static bool dial_start_stream(struct sl__peer *p, enum sl_lane lane)
{
    struct sl__peer_link *l = p->dialled;
    struct sl_grpc_conn *conn = sl_grpc_link_conn(l->link);
    char json[SL_HANDSHAKE_BYTES_MAX];
    size_t len = sl_handshake_format(lane, (int64_t)time(NULL), json);
    struct sl_envelope envelope = { .type = SL_MSG_MESSAGE_HAND_SHAKE,
                                    .from = sl_node_id_str(&p->t->self),
                                    .to = sl_node_id_str(&p->id),
                                    .payload_count = 1,
                                    .payload = { { (const uint8_t *)json, len } } };
    struct sl_grpc_block *b = sl_grpc_block_new(sl_envelope_size(&envelope));
    struct sl__peer_stream *s = b == NULL ? NULL : sl__peer_stream_new(l, 0);
    if (s == NULL) {
        sl_grpc_block_free(b);
        return false;
    }
    (void)sl_envelope_encode(&envelope, sl_grpc_block_body(b));
    struct sl_grpc_start start = { .path = SL__PEER_METHOD, .tag = s->name };
    if (sl_grpc_conn_start(conn, sl_loop_now(), &start, &s->id) != SL_OK) {
        sl_grpc_block_free(b);
        sl__peer_stream_free(s);
        return false;
    }
    s->lane = lane;
    sl__peer_bind(p, s);
    return sl_grpc_conn_send(conn, s->id, b) == SL_OK;
}

void sl__peer_start_streams(struct sl__peer *p)
{
    if (p->dialled == NULL || p->lanes[SL_LANE_EVENT].stream != NULL) {
        return;
    }
    if (!dial_start_stream(p, SL_LANE_EVENT) || !dial_start_stream(p, SL_LANE_COMMAND)) {
        sl__peer_dial_later(p, "out of memory, or the peer takes no streams");
        return;
    }
    /*
     * An acceptor of ours answers with headers once it knows us. A foreign one says nothing before its first message, but
     * refuses within this time if it does at all.
     */
    sl_timer_arm(p->timer, sl_ns_after(sl_loop_now(), p->t->limits.member_wait_ns));
    sl_grpc_link_wake(p->dialled->link);
}

void sl__peer_on_timer(void *ctx)
{
    struct sl__peer *p = ctx;
    if (p->t->closing) {
        return;
    }
    if (p->dialled == NULL) {
        sl__peer_dial(p);
        return;
    }
    sl__peer_open_lane(p, SL_LANE_EVENT);
    sl__peer_open_lane(p, SL_LANE_COMMAND);
}
