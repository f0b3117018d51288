/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/peer/handshake.h"
#include "edge/peer/transport_internal.h"

#include <string.h>

/* What somebody unknown may make us hold. */
enum { HANDSHAKE_MESSAGE_BYTES_MAX = 16 << 10 };
static const sl_ns accept_handshake_ns = 10 * SL_S;

static void accept_refuse(struct sl__peer_stream *s, enum sl_grpc_code code, const char *text)
{
    struct sl_transport *t = s->link->t;
    struct sl_grpc_link *link = s->link->link;
    struct sl_node_id from = s->from;
    t->stats.stream_refused_count++;
    sl_grpc_conn_finish(sl_grpc_link_conn(link), s->id, code, text);
    sl_grpc_link_wake(link);
    sl__peer_stream_free(s);
    sl__transport_event(t, SL_TRANSPORT_STREAM_REFUSED, &from, "", "%s", text);
}

void sl__accept_request(struct sl__peer_link *l, sl_grpc_stream id, struct sl_str path)
{
    struct sl_grpc_conn *conn = sl_grpc_link_conn(l->link);
    if (l->peer != NULL || !sl_str_eq(path, SL_STR(SL__PEER_METHOD))) {
        sl_grpc_conn_finish(conn, id, SL_GRPC_UNIMPLEMENTED, "no such method; nodes speak " SL__PEER_METHOD);
        return;
    }
    struct sl__peer_stream *s = l->t->closing ? NULL : sl__peer_stream_new(l, id);
    if (s == NULL) {
        sl_grpc_conn_finish(conn, id, SL_GRPC_UNAVAILABLE, "the node stops or has no memory");
        return;
    }
    s->state = SL__STREAM_HANDSHAKE;
    s->deadline = sl_ns_after(sl_loop_now(), accept_handshake_ns);
    sl_grpc_conn_set_tag(conn, id, s->name);
    sl_grpc_conn_set_message_max(conn, id, HANDSHAKE_MESSAGE_BYTES_MAX);
    sl__transport_sweep_soon(l->t);
}

static void accept_bind(struct sl__peer_stream *s, struct sl__peer *p)
{
    struct sl_grpc_conn *conn = sl_grpc_link_conn(s->link->link);
    if (p->role == SL__ROLE_DIAL) {
        accept_refuse(s, SL_GRPC_UNKNOWN,
                      "the node with the smaller advertise address dials, and that is the other one");
        return;
    }
    if (p->role == SL__ROLE_NONE) {
        accept_refuse(s, SL_GRPC_UNKNOWN, "the advertise addresses are equal or malformed; give each node its own");
        return;
    }
    if (sl_grpc_conn_accept(conn, s->id, s->name) != SL_OK) {
        accept_refuse(s, SL_GRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    sl_grpc_conn_set_message_max(conn, s->id, SIZE_MAX);
    sl__peer_bind(p, s);
    sl_grpc_link_wake(s->link->link);
    sl__peer_open_lane(p, s->lane);
}

/* Reference behaviour: type, then payload, then JSON, then the target, then the sender. */
static void accept_check(struct sl__peer_stream *s, const struct sl_envelope *e)
{
    struct sl_transport *t = s->link->t;
    if (!sl_handshake_parse(e->payload[0], &s->lane)) {
        accept_refuse(s, SL_GRPC_UNKNOWN, "the handshake's payload is not the JSON of a handshake");
        return;
    }
    if (!sl_str_eq(e->to, sl_node_id_str(&t->self))) {
        accept_refuse(s, SL_GRPC_UNKNOWN,
                      "TargetMismatch: the handshake is for another node; this one may have restarted");
        return;
    }
    if (!sl_node_id_set(&s->from, e->from) || sl_node_id_is_none(&s->from) || sl_node_id_eq(&s->from, &t->self)) {
        accept_refuse(s, SL_GRPC_UNKNOWN, "the handshake's sender is not another node");
        return;
    }
    struct sl__peer *p = sl__transport_find(t, &s->from);
    if (p != NULL) {
        accept_bind(s, p);
        return;
    }
    s->state = SL__STREAM_MEMBER;
    s->deadline = sl_ns_after(sl_loop_now(), t->limits.member_wait_ns);
    sl__transport_sweep_soon(t);
}

void sl__accept_handshake(struct sl__peer_stream *s, struct sl_bytes message)
{
    struct sl_envelope envelope;
    const struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    enum sl_refusal refusal = sl_envelope_decode(&envelope, message, &limits);
    if (envelope.type != SL_MSG_MESSAGE_HAND_SHAKE && refusal != SL_REFUSE_TRUNCATED &&
        refusal != SL_REFUSE_MALFORMED) {
        accept_refuse(s, SL_GRPC_UNKNOWN, "the first message of a stream has to be the handshake (type 36)");
    } else if (refusal == SL_REFUSE_NO_PAYLOAD) {
        accept_refuse(s, SL_GRPC_UNKNOWN, "the handshake has no payload");
    } else if (refusal != SL_REFUSE_NONE) {
        accept_refuse(s, SL_GRPC_UNKNOWN, "the handshake is malformed");
    } else {
        accept_check(s, &envelope);
    }
}

static void accept_look_again(struct sl__peer_stream *s, sl_ns now)
{
    struct sl__peer *p = s->state == SL__STREAM_MEMBER ? sl__transport_find(s->link->t, &s->from) : NULL;
    if (p != NULL) {
        accept_bind(s, p);
    } else if (now >= s->deadline && s->state == SL__STREAM_MEMBER) {
        accept_refuse(s, SL_GRPC_UNKNOWN, "the sender is not a member of the cluster");
    } else if (now >= s->deadline) {
        accept_refuse(s, SL_GRPC_UNKNOWN, "no handshake came");
    }
}

void sl__accept_sweep(struct sl_transport *t)
{
    sl_ns now = sl_loop_now();
    for (uint64_t name = sl_handles_next(&t->streams, 0); name != 0; name = sl_handles_next(&t->streams, name)) {
        struct sl__peer_stream *s = sl_handles_get(&t->streams, name);
        if (s->state != SL__STREAM_BOUND) {
            accept_look_again(s, now);
        }
    }
    for (struct sl__peer_link *l = t->links; l != NULL; l = l->next) {
        if (l->link != NULL && l->peer == NULL && l->stream_count == 0 && now >= l->idle_deadline) {
            sl__peer_link_close(l);
        }
    }
}

bool sl__accept_is_waiting(const struct sl_transport *t)
{
    for (uint64_t name = sl_handles_next(&t->streams, 0); name != 0; name = sl_handles_next(&t->streams, name)) {
        const struct sl__peer_stream *s = sl_handles_get(&t->streams, name);
        if (s->state != SL__STREAM_BOUND) {
            return true;
        }
    }
    for (const struct sl__peer_link *l = t->links; l != NULL; l = l->next) {
        if (l->link != NULL && l->peer == NULL && l->stream_count == 0) {
            return true;
        }
    }
    return false;
}

void sl_transport_adopt(struct sl_transport *t, struct sl_sock *sock)
{
    bool is_full = t->link_count >= t->limits.connection_count_max;
    struct sl__peer_link *l = t->closing || is_full ? NULL : sl__peer_link_new(t);
    struct sl_err e = { .code = SL_OK };
    if (l == NULL) {
        sl_sock_close(sock);
        if (!t->closing) {
            sl__transport_event(t, SL_TRANSPORT_CONNECTION_REFUSED, NULL, "", "%s",
                                is_full ? "too many connections" : "out of memory");
        }
        return;
    }
    struct sl_grpc_link_opts opts = sl__peer_link_opts(t, l, false);
    if (sl_grpc_link_adopt(&l->link, &opts, sock, &e) != SL_OK) {
        sl__peer_link_free(l);
        sl__transport_event(t, SL_TRANSPORT_CONNECTION_REFUSED, NULL, "", "%s", e.text);
        return;
    }
    sl__transport_sweep_soon(t);
}
