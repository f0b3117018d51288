/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_PEER_TRANSPORT_INTERNAL_H
#define SL_EDGE_PEER_TRANSPORT_INTERNAL_H

#include "base/prng.h"
#include "edge/grpc/link.h"
#include "edge/loop/handles.h"
#include "edge/loop/timer.h"
#include "edge/peer/transport.h"

/*
 * transport.c: membership, sending, life. peer.c: one peer, its state and its lanes. dial.c: links that we open.
 * accept.c: links and streams that come to us.
 *
 * Who owns what: the transport its peers; a link its libuv part, while struct peer_link, which the events carry, is freed
 * when the link is gone; a peer_stream lives from its request or start to its end, and is named in tags by its handle.
 */
#define SL__PEER_METHOD "/proto.MessageService/streamMessages"
#define SL__PEER_LANES 2

struct sl__peer_link {
    struct sl_transport *t;
    struct sl_grpc_link *link; /* null once closed */
    struct sl__peer *peer;     /* dialled ones only */
    struct sl__peer_link *next, *prev;
    uint32_t stream_count;
    sl_ns idle_deadline; /* accepted ones without a stream */
};

enum sl__stream_state {
    SL__STREAM_HANDSHAKE, /* accepted: its first message has not come */
    SL__STREAM_MEMBER,    /* accepted: waits until its sender is a member */
    SL__STREAM_BOUND      /* a lane of a peer */
};

struct sl__peer_stream {
    struct sl__peer_link *link;
    sl_grpc_stream id;
    uint64_t name;
    enum sl__stream_state state;
    enum sl_lane lane;
    struct sl__peer *peer; /* BOUND */
    struct sl_node_id from;
    sl_ns deadline; /* not BOUND */
};

struct sl__peer_lane {
    struct sl__peer_stream *stream; /* null: none */
    bool is_open;                   /* the stream has handshaked */
    struct sl_grpc_block *head, *tail;
    uint32_t count;
    size_t bytes;
};

/* name, legal next states */
#define SL__PEER_STATES(X)               \
    X(IDLE, GO(OPENING))                 \
    X(OPENING, GO(IDLE) | GO(CONNECTED)) \
    X(CONNECTED, GO(OPENING) | GO(IDLE))

enum sl__peer_state {
#define SL__PEER_STATE_ENUM(name, next) SL__PEER_##name,
    SL__PEER_STATES(SL__PEER_STATE_ENUM)
#undef SL__PEER_STATE_ENUM
};

enum sl__peer_role { SL__ROLE_DIAL, SL__ROLE_ACCEPT, SL__ROLE_NONE };

struct sl__peer {
    struct sl_transport *t;
    struct sl_node_id id;
    char address[SL_ADDRESS_MAX + 1];
    enum sl__peer_role role;
    enum sl__peer_state state;
    struct sl__peer_lane lanes[SL__PEER_LANES];
    bool kept; /* during set_peers */

    /* SL__ROLE_DIAL */
    struct sl__peer_link *dialled;
    struct sl_timer *timer; /* the next dial, or the end of the wait for an answer */
    uint32_t attempt_count; /* since it was last connected */
    sl_ns redial_ns;
};

struct sl_transport {
    uv_loop_t *loop;
    struct sl_node_id self;
    char address[SL_ADDRESS_MAX + 1];
    struct sl_tls *tls;
    struct sl_transport_limits limits;
    struct sl_transport_client client;
    struct sl_prng prng;
    struct sl_grpc_budget budget;

    struct sl__peer **peers; /* ordered by id */
    uint32_t peer_count;
    struct sl_handles streams;
    struct sl__peer_link *links; /* newest first, closed ones too until they are gone */
    uint32_t link_count;
    struct sl_turn *turn;
    struct sl_timer *sweep; /* streams that have not handshaked, links without streams; the end of a flush */
    bool sweep_armed;
    bool closing, torn_down;
    sl_ns flush_deadline;
    struct sl__transport_note *note_first, *note_last; /* events to be told */
    uint32_t note_count;
    struct sl_transport_stats stats;
};

/* event.c */
/* Told from the turn. peer may be null. */
void sl__transport_event(struct sl_transport *t, enum sl_transport_event_kind kind, const struct sl_node_id *peer,
                         const char *address, const char *fmt, ...) SL_PRINTF(5, 6);
void sl__transport_say_events(struct sl_transport *t);
void sl__transport_drop_events(struct sl_transport *t);

/* transport.c */
struct sl__peer *sl__transport_find(const struct sl_transport *t, const struct sl_node_id *id);
void sl__transport_sweep_soon(struct sl_transport *t);

/* peer.c */
struct sl__peer *sl__peer_new(struct sl_transport *t, const struct sl_peer *from);
/* Decides who dials, and dials if it is us. */
void sl__peer_begin(struct sl__peer *p);
/* Its streams and its link end; the queues stay. code and why are for the peer, if it dialled. */
void sl__peer_disconnect(struct sl__peer *p, enum sl_grpc_code code, const char *why);
/* The same, and its queues are lost. */
void sl__peer_free(struct sl__peer *p, const char *why);
void sl__peer_set_dialled(struct sl__peer *p, struct sl__peer_link *l);
/* The lane has this stream now; an older one of the lane is cancelled. */
void sl__peer_bind(struct sl__peer *p, struct sl__peer_stream *s);
/* The stream of the lane, if there is one, has handshaked. */
void sl__peer_open_lane(struct sl__peer *p, enum sl_lane lane);
/* The stream of the lane is gone. */
void sl__peer_unbind(struct sl__peer *p, enum sl_lane lane, const char *why);
SL_CHECKED enum sl_code sl__peer_queue(struct sl__peer *p, enum sl_lane lane, struct sl_grpc_block *b);
void sl__peer_pump(struct sl__peer *p, enum sl_lane lane);
/* A message on a bound stream; as on_message of the connection. */
bool sl__peer_receive(struct sl__peer *p, struct sl__peer_stream *s, struct sl_bytes message);
void sl__peer_resume(struct sl__peer *p);

/* link.c */
struct sl_grpc_link_opts sl__peer_link_opts(struct sl_transport *t, struct sl__peer_link *ctx, bool dialling);
struct sl__peer_link *sl__peer_link_new(struct sl_transport *t);
void sl__peer_link_free(struct sl__peer_link *l); /* one that never got its link */
void sl__peer_link_close(struct sl__peer_link *l);
struct sl__peer_stream *sl__peer_stream_new(struct sl__peer_link *l, sl_grpc_stream id);
/* Nothing is heard of it any more; its peer is not told. */
void sl__peer_stream_free(struct sl__peer_stream *s);

/* dial.c */
void sl__peer_dial(struct sl__peer *p);
void sl__peer_dial_later(struct sl__peer *p, const char *why);
void sl__peer_start_streams(struct sl__peer *p);
void sl__peer_on_timer(void *ctx);

/* accept.c */
void sl__accept_request(struct sl__peer_link *l, sl_grpc_stream id, struct sl_str path);
void sl__accept_handshake(struct sl__peer_stream *s, struct sl_bytes message);
/* Streams that wait for the membership look again; late ones and idle links are ended. */
void sl__accept_sweep(struct sl_transport *t);
bool sl__accept_is_waiting(const struct sl_transport *t);

#endif
