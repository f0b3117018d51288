/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_PEER_TRANSPORT_H
#define SL_EDGE_PEER_TRANSPORT_H

#include "base/err.h"
#include "base/units.h"
#include "edge/tls/sock.h"
#include "wire/ids.h"
#include "wire/message.h"

/*
 * Messages between the nodes of a cluster: /proto.MessageService/streamMessages over gRPC, two lanes per pair of nodes
 * (docs/protocol.md). Everything happens in the loop thread. No callback is made inside a function of this header, and
 * inside a callback every function may be called.
 *
 * Delivery is at most once and in order per (peer, lane). A message that was queued survives a reconnect to the same
 * node id; one that was already given to a stream that broke is lost.
 *
 * Who dials: the node whose advertise address is smaller, byte by byte; the other one waits. A peer is connected when both
 * lanes have handshaked; messages are neither taken nor delivered before that.
 *
 *   ABSENT -set_peers-> IDLE -dial | accept-> OPENING -both lanes-> CONNECTED -any lane breaks-> IDLE (after a pause)
 */
struct sl_transport;

#define SL_ADDRESS_MAX 255 /* bytes of "host:port" */

struct sl_peer {
    struct sl_node_id id;
    struct sl_str address; /* advertise address "host:port", exactly as in the metadata store */
};

/* What happens to peers: name, level, meaning. One log line each; text says what to do where something can be done. */
#define SL_TRANSPORT_EVENTS(X)                                                                 \
    X(PEER_CONNECTED, "info", "both lanes to a peer are open")                                 \
    X(PEER_DISCONNECTED, "warn", "a peer that was connected is not any more")                  \
    X(DIAL_FAILED, "warn", "a peer cannot be reached; it is tried again")                      \
    X(SAME_ADDRESS, "error", "another node advertises the address of this one: no connection") \
    X(BAD_ADDRESS, "error", "a peer's advertise address is not host:port: no connection")      \
    X(STREAM_REFUSED, "warn", "somebody opened a stream that is not acceptable")               \
    X(MESSAGE_REFUSED, "warn", "a peer sent a message in another node's name")                 \
    X(CONNECTION_REFUSED, "warn", "a connection was closed for what it sent")

enum sl_transport_event_kind {
#define SL_TRANSPORT_EVENT_ENUM(name, level, text) SL_TRANSPORT_##name,
    SL_TRANSPORT_EVENTS(SL_TRANSPORT_EVENT_ENUM)
#undef SL_TRANSPORT_EVENT_ENUM
        SL_TRANSPORT_EVENT_COUNT
};

/* Valid during the call. */
struct sl_transport_event {
    enum sl_transport_event_kind kind;
    struct sl_node_id peer; /* none if not known */
    struct sl_str address;  /* of the peer, may be empty */
    struct sl_str text;     /* printable */
};
const char *sl_transport_event_name(enum sl_transport_event_kind kind);  /* "PEER_CONNECTED" */
const char *sl_transport_event_level(enum sl_transport_event_kind kind); /* "info", "warn", "error" */

struct sl_transport_client {
    /*
     * An envelope as it came, valid during the call; from is the peer it came from and the sender named in it. True: taken.
     * False: not now; it is kept, this lane of the peer is read no further, and it is offered again after
     * sl_transport_resume. The bytes may be anything: decoding refuses what is bad.
     */
    bool (*on_message)(void *ctx, const struct sl_node_id *from, struct sl_bytes envelope);
    void (*on_event)(void *ctx, const struct sl_transport_event *event);
    /* After sl_transport_close: the last callback; t is gone. */
    void (*on_closed)(void *ctx);
    void *ctx;
};

/* Zero means the default, which is the reference's. */
struct sl_transport_limits {
    size_t message_bytes_max;       /* received: 256 MiB */
    size_t receive_bytes_max;       /* of all partly received messages together: 1 GiB */
    uint32_t queue_count_max;       /* unsent messages per peer and lane: 16384 */
    size_t queue_bytes_max;         /* the same in bytes: 64 MiB; one message always fits an empty queue */
    uint32_t peer_count_max;        /* 1000 */
    uint32_t connection_count_max;  /* dialled and accepted: 2000 */
    sl_ns connect_timeout_ns;       /* 3 s */
    sl_ns redial_ns, redial_ns_max; /* 1 s, x 1.1 each time, up to 3 s, +-10 % */
    sl_ns member_wait_ns;           /* how long a stream of an unknown node may wait for its membership: 1 s */
    sl_ns keepalive_ns, keepalive_timeout_ns;               /* as the dialling side: 20 s, 30 s */
    sl_ns server_keepalive_ns, server_keepalive_timeout_ns; /* as the accepting side: 60 s, 60 s */
    sl_ns ping_ns_min; /* pings of a dialling peer closer than this are refused in the end: 20 s */
    sl_ns flush_ns;    /* how long a close waits for queued messages: 500 ms */
};

struct sl_transport_opts {
    uv_loop_t *loop;
    struct sl_node_id self;
    struct sl_str address; /* our advertise address; copied */
    struct sl_tls *tls;    /* null: plain. A reference is taken */
    struct sl_transport_limits limits;
    struct sl_transport_client client;
    uint64_t seed; /* of the jitter */
};

/* SL_NOMEM, SL_BAD_CONFIG (self or address empty or too long): *out is null. */
SL_CHECKED enum sl_code sl_transport_open(struct sl_transport **out, const struct sl_transport_opts *opts,
                                          struct sl_err *e);
/* Sends what is queued (flush_ns at most), closes everything, then calls on_closed. Null allowed: nothing. */
void sl_transport_close(struct sl_transport *t);

/*
 * Replaces the membership; copied. This node itself may be in it and is left out. A node that is gone, or came with another
 * address, loses its connection and its queue. SL_LIMIT or SL_NOMEM: the membership is as before.
 */
SL_CHECKED enum sl_code sl_transport_set_peers(struct sl_transport *t, const struct sl_peer *peers, uint32_t count);

/*
 * Queues one message with one payload on the lane of its type; copies. Never waits.
 *   SL_OK         queued, which does not mean it arrives
 *   SL_BUSY       congested: the queue is full
 *   SL_NOT_FOUND  no such peer (this node itself is none)
 *   SL_NOT_READY  the peer is not connected
 *   SL_LIMIT      larger than message_bytes_max
 *   SL_BAD_FIELD  the type has no such topic, or is the handshake: a foreign receiver might stop
 *   SL_NOMEM
 */
SL_CHECKED enum sl_code sl_transport_send(struct sl_transport *t, const struct sl_node_id *to, enum sl_msg_type type,
                                          enum sl_topic topic, struct sl_bytes payload);

bool sl_transport_is_connected(const struct sl_transport *t, const struct sl_node_id *peer);

/* Offers the messages again that on_message did not take; call it when there is room. */
void sl_transport_resume(struct sl_transport *t);

/* Takes a connection on which a gRPC client waits (listener.h gives them); with TLS its handshake is done. */
void sl_transport_adopt(struct sl_transport *t, struct sl_sock *sock);

struct sl_transport_stats {
    uint32_t peer_count, connected_count, connection_count; /* now */
    size_t queued_bytes, receiving_bytes;
    uint32_t queued_count;
    struct {
        uint64_t sent_count, received_count, congested_count, lost_count; /* messages since open; lost: with a stream */
    } lanes[SL_LANE_COMMAND + 1];
    uint64_t stream_refused_count, message_refused_count, dial_failed_count;
};
void sl_transport_stats_read(const struct sl_transport *t, struct sl_transport_stats *out);

#endif
