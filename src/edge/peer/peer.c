/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/peer/handshake.h"
#include "edge/peer/transport_internal.h"

#include <stdlib.h>
#include <string.h>

/* Moved to the stream's own queue while that is below this: enough for a write, and all else survives the stream. */
enum { PEER_PUMP_BYTES = 128 << 10 };

/* ---- state ---- */

#define GO(name) (1u << SL__PEER_##name)
static const struct {
    const char *name;
    uint32_t next;
} peer_states[] = {
#define PEER_STATE_ROW(name, next) [SL__PEER_##name] = { #name, next },
    SL__PEER_STATES(PEER_STATE_ROW)
#undef PEER_STATE_ROW
};
#undef GO

static bool peer_is_open(const struct sl__peer *p)
{
    return p->lanes[SL_LANE_EVENT].is_open && p->lanes[SL_LANE_COMMAND].is_open;
}

static bool peer_has_any(const struct sl__peer *p)
{
    return p->dialled != NULL || p->lanes[SL_LANE_EVENT].stream != NULL || p->lanes[SL_LANE_COMMAND].stream != NULL;
}

static void peer_check(const struct sl__peer *p)
{
    SL_REQUIRE((p->state == SL__PEER_CONNECTED) == peer_is_open(p));
    SL_REQUIRE((p->state == SL__PEER_IDLE) == !peer_has_any(p));
    for (uint32_t i = 0; i < SL__PEER_LANES; i++) {
        const struct sl__peer_lane *lane = &p->lanes[i];
        SL_REQUIRE(!lane->is_open || lane->stream != NULL);
        SL_REQUIRE((lane->count == 0) == (lane->head == NULL));
    }
}

static void peer_set_state(struct sl__peer *p, enum sl__peer_state next)
{
    SL_REQUIRE((peer_states[p->state].next & 1u << next) != 0);
    p->state = next;
}

static void peer_on_connected(struct sl__peer *p)
{
    p->attempt_count = 0;
    p->redial_ns = p->t->limits.redial_ns;
    p->t->stats.connected_count++;
    sl__transport_event(p->t, SL_TRANSPORT_PEER_CONNECTED, &p->id, p->address, "%s",
                        p->role == SL__ROLE_DIAL ? "dialled" : "accepted");
    sl__peer_pump(p, SL_LANE_EVENT);
    sl__peer_pump(p, SL_LANE_COMMAND);
    sl_turn_wake(p->t->turn); /* messages that came too early are offered again */
}

/* After lanes or the link changed. */
static void peer_update(struct sl__peer *p, const char *why)
{
    enum sl__peer_state next = peer_has_any(p) ? SL__PEER_OPENING : SL__PEER_IDLE;
    next = peer_is_open(p) ? SL__PEER_CONNECTED : next;
    enum sl__peer_state last = p->state;
    if (next == last) {
        return;
    }
    peer_set_state(p, next);
    peer_check(p);
    if (next == SL__PEER_CONNECTED) {
        peer_on_connected(p);
    } else if (last == SL__PEER_CONNECTED) {
        p->t->stats.connected_count--;
        sl__transport_event(p->t, SL_TRANSPORT_PEER_DISCONNECTED, &p->id, p->address, "%s", why);
    }
}

/* ---- lanes ---- */

void sl__peer_bind(struct sl__peer *p, struct sl__peer_stream *s)
{
    struct sl__peer_lane *lane = &p->lanes[s->lane];
    struct sl__peer_stream *old = lane->stream;
    lane->stream = s;
    lane->is_open = false;
    s->peer = p;
    s->state = SL__STREAM_BOUND;
    s->deadline = SL_NEVER;
    if (old != NULL) { /* reference behaviour: the newer stream counts */
        struct sl_grpc_link *link = old->link->link;
        sl_grpc_conn_finish(sl_grpc_link_conn(link), old->id, SL_GRPC_CANCELLED, "replaced by a newer stream");
        sl_grpc_link_wake(link);
        sl__peer_stream_free(old);
    }
    peer_update(p, "replaced by a newer stream");
}

void sl__peer_set_dialled(struct sl__peer *p, struct sl__peer_link *l)
{
    p->dialled = l;
    peer_update(p, "");
}

void sl__peer_open_lane(struct sl__peer *p, enum sl_lane lane)
{
    if (p->lanes[lane].stream != NULL && !p->lanes[lane].is_open) {
        p->lanes[lane].is_open = true;
        peer_update(p, "");
    }
}

void sl__peer_unbind(struct sl__peer *p, enum sl_lane lane, const char *why)
{
    p->lanes[lane].stream = NULL;
    p->lanes[lane].is_open = false;
    peer_update(p, why);
    if (p->role == SL__ROLE_DIAL) {
        sl__peer_dial_later(p, why);
    }
}

enum sl_code sl__peer_queue(struct sl__peer *p, enum sl_lane lane, struct sl_grpc_block *b)
{
    const struct sl_transport_limits *limits = &p->t->limits;
    struct sl__peer_lane *l = &p->lanes[lane];
    bool is_over = l->count >= limits->queue_count_max || l->bytes + b->size > limits->queue_bytes_max;
    if (is_over && l->count > 0) {
        p->t->stats.lanes[lane].congested_count++;
        return SL_BUSY;
    }
    b->next = NULL;
    if (l->tail == NULL) {
        l->head = b;
    } else {
        l->tail->next = b;
    }
    l->tail = b;
    l->count++;
    l->bytes += b->size;
    return SL_OK;
}

void sl__peer_pump(struct sl__peer *p, enum sl_lane lane)
{
    struct sl__peer_lane *l = &p->lanes[lane];
    if (p->state != SL__PEER_CONNECTED || l->head == NULL) {
        return;
    }
    struct sl_grpc_conn *conn = sl_grpc_link_conn(l->stream->link->link);
    while (l->head != NULL && sl_grpc_conn_queued_bytes(conn, l->stream->id) < PEER_PUMP_BYTES) {
        struct sl_grpc_block *b = l->head;
        l->head = b->next;
        l->tail = l->head == NULL ? NULL : l->tail;
        l->count--;
        l->bytes -= b->size;
        if (sl_grpc_conn_send(conn, l->stream->id, b) == SL_OK) {
            p->t->stats.lanes[lane].sent_count++;
        } else {
            p->t->stats.lanes[lane].lost_count++;
        }
    }
    sl_grpc_link_wake(l->stream->link->link);
}

/* ---- receiving ---- */

static bool peer_is_sender(const struct sl__peer *p, struct sl_bytes message)
{
    struct sl_envelope envelope;
    const struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    /* What cannot be read is for the node to refuse and count. */
    enum sl_refusal refusal = sl_envelope_decode(&envelope, message, &limits);
    (void)refusal;
    return envelope.from.len == 0 || sl_str_eq(envelope.from, sl_node_id_str(&p->id));
}

bool sl__peer_receive(struct sl__peer *p, struct sl__peer_stream *s, struct sl_bytes message)
{
    struct sl_transport *t = p->t;
    if (p->state != SL__PEER_CONNECTED && p->role == SL__ROLE_DIAL) {
        /* An acceptor writes only after both handshakes, so this is its answer. */
        sl__peer_open_lane(p, SL_LANE_EVENT);
        sl__peer_open_lane(p, SL_LANE_COMMAND);
    }
    if (p->state != SL__PEER_CONNECTED || t->closing) {
        return false;
    }
    if (!peer_is_sender(p, message)) {
        t->stats.message_refused_count++;
        sl__transport_event(t, SL_TRANSPORT_MESSAGE_REFUSED, &p->id, p->address, "the sender named is another node");
        return true;
    }
    uint64_t *received_count = &t->stats.lanes[s->lane].received_count; /* the message may end its own stream */
    bool is_taken = t->client.on_message(t->client.ctx, &p->id, message);
    *received_count += is_taken ? 1 : 0;
    return is_taken;
}

void sl__peer_resume(struct sl__peer *p)
{
    for (uint32_t i = 0; i < SL__PEER_LANES && p->state == SL__PEER_CONNECTED; i++) {
        struct sl__peer_stream *s = p->lanes[i].stream;
        if (sl_grpc_conn_resume(sl_grpc_link_conn(s->link->link), s->id)) {
            sl_grpc_link_wake(s->link->link);
        }
    }
}

/* ---- life ---- */

static enum sl__peer_role peer_role(const struct sl_transport *t, const struct sl__peer *p)
{
    char host[SL_ADDRESS_MAX + 1];
    uint16_t port;
    int order = sl_str_cmp(sl_str_of(t->address), sl_str_of(p->address));
    if (order == 0) {
        sl__transport_event(p->t, SL_TRANSPORT_SAME_ADDRESS, &p->id, p->address,
                            "give each node an advertise address of its own");
        return SL__ROLE_NONE;
    }
    if (order > 0) {
        return SL__ROLE_ACCEPT;
    }
    if (!sl_address_split(sl_str_of(p->address), host, sizeof host, &port)) {
        sl__transport_event(p->t, SL_TRANSPORT_BAD_ADDRESS, &p->id, p->address,
                            "correct the advertise address of that node");
        return SL__ROLE_NONE;
    }
    return SL__ROLE_DIAL;
}

struct sl__peer *sl__peer_new(struct sl_transport *t, const struct sl_peer *from)
{
    struct sl__peer *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->t = t;
    p->id = from->id;
    memcpy(p->address, from->address.ptr, from->address.len);
    p->redial_ns = t->limits.redial_ns;
    p->kept = true;
    p->timer = sl_timer_new(t->loop, sl__peer_on_timer, p);
    if (p->timer == NULL) {
        free(p);
        return NULL;
    }
    return p;
}

void sl__peer_begin(struct sl__peer *p)
{
    p->role = peer_role(p->t, p);
    if (p->role == SL__ROLE_DIAL) {
        sl_timer_arm(p->timer, sl_loop_now());
    }
}

static void peer_drop_queue(struct sl__peer_lane *lane)
{
    while (lane->head != NULL) {
        struct sl_grpc_block *b = lane->head;
        lane->head = b->next;
        sl_grpc_block_free(b);
    }
    lane->tail = NULL;
    lane->count = 0;
    lane->bytes = 0;
}

void sl__peer_disconnect(struct sl__peer *p, enum sl_grpc_code code, const char *why)
{
    for (uint32_t i = 0; i < SL__PEER_LANES; i++) {
        struct sl__peer_stream *s = p->lanes[i].stream;
        p->lanes[i].stream = NULL;
        p->lanes[i].is_open = false;
        if (s == NULL) {
            continue;
        }
        struct sl_grpc_link *link = s->link->link;
        if (p->role == SL__ROLE_ACCEPT && link != NULL) {
            sl_grpc_conn_finish(sl_grpc_link_conn(link), s->id, code, why);
            sl_grpc_link_wake(link);
        }
        sl__peer_stream_free(s);
    }
    struct sl__peer_link *dialled = p->dialled;
    p->dialled = NULL;
    if (dialled != NULL) {
        sl__peer_link_close(dialled);
    }
    peer_update(p, why);
}

void sl__peer_free(struct sl__peer *p, const char *why)
{
    sl__peer_disconnect(p, SL_GRPC_UNAVAILABLE, why);
    sl_timer_free(p->timer);
    for (uint32_t i = 0; i < SL__PEER_LANES; i++) {
        peer_drop_queue(&p->lanes[i]);
    }
    free(p);
}
