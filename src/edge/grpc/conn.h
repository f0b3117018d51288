/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_GRPC_CONN_H
#define SL_EDGE_GRPC_CONN_H

#include "base/err.h"
#include "base/units.h"
#include "edge/grpc/status.h"

/*
 * One gRPC connection, either side, without a socket or a clock: bytes in, bytes out, events. The same calls give the same
 * results, so it can be fuzzed and simulated.
 *
 * Invariants:
 *   1. Of a stream nothing is heard after its on_end, nor after cancel or finish.
 *   2. Memory grows with what has arrived, not with what a length announces; a stream holds at most one message of
 *      message_bytes_max, or one window of messages that were not taken; all of them together keep to the budget.
 *   3. The peer's window opens only by what was taken (or belongs to a message that is still incomplete).
 *   4. Whatever the peer sends ends a stream or the connection at worst.
 *
 * Events are made inside receive, output, tick, resume and fail. Inside an event all functions of streams may be called,
 * but not those five, and not free.
 */
struct sl_grpc_conn;
typedef int32_t sl_grpc_stream; /* the number on the wire, never used twice in a connection; 0 = none */

enum sl_grpc_role { SL_GRPC_CLIENT, SL_GRPC_SERVER };

struct sl_grpc_request {
    struct sl_str path; /* valid during the call */
};

struct sl_grpc_conn_events {
    /* The peer speaks HTTP/2: its settings came. */
    void (*on_ready)(void *ctx);
    /* Server: a call begins. Accept it by sl_grpc_conn_accept, refuse it by sl_grpc_conn_finish. */
    void (*on_request)(void *ctx, sl_grpc_stream stream, const struct sl_grpc_request *request);
    /* Client: the peer began to answer, before any message. May be null. */
    void (*on_answer)(void *ctx, uint64_t tag);
    /* A whole message, valid during the call. False: not now; the stream's messages wait for sl_grpc_conn_resume. */
    bool (*on_message)(void *ctx, uint64_t tag, struct sl_bytes message);
    /* The peer sends no more messages; all were taken. May be null. */
    void (*on_peer_end)(void *ctx, uint64_t tag);
    /* The unsent bytes of the stream fell below queue_bytes_low after they had been at or above it. May be null. */
    void (*on_writable)(void *ctx, uint64_t tag);
    void (*on_end)(void *ctx, uint64_t tag, const struct sl_grpc_status *status);
    /* The peer takes no new streams. text is what it said, printable. May be null. */
    void (*on_goaway)(void *ctx, struct sl_str text);
};

/* Memory of all partly received messages of several connections. */
struct sl_grpc_budget {
    size_t used_bytes, bytes_max;
};

/* Zero means the default. */
struct sl_grpc_limits {
    size_t message_bytes_max;   /* received: 256 MiB */
    size_t queue_bytes_low;     /* 64 KiB */
    size_t output_bytes_max;    /* what one call of output produces, about: 64 KiB */
    uint32_t header_bytes_max;  /* of one header list: 16 KiB */
    uint32_t stream_count_max;  /* that the peer may have open: 100 */
    uint32_t stream_window;     /* 1 MiB */
    uint32_t conn_window;       /* 8 MiB */
    sl_ns keepalive_ns;         /* silence before a ping: client 20 s, server 60 s */
    sl_ns keepalive_timeout_ns; /* for its answer: client 30 s, server 60 s */
    sl_ns ping_ns_min;          /* server: closer pings of the peer are counted; the third without an answer of ours
                                   between ends the connection: 20 s */
};

struct sl_grpc_conn_opts {
    enum sl_grpc_role role;
    struct sl_grpc_limits limits;
    struct sl_grpc_budget *budget; /* shared, outlives the connection; null: none */
    const struct sl_grpc_conn_events *events;
    void *ctx;
    const char *authority; /* client: for :authority; copied */
    bool tls;              /* client: for :scheme */
    sl_ns now;
};

/* SL_NOMEM. */
SL_CHECKED enum sl_code sl_grpc_conn_new(struct sl_grpc_conn **out, const struct sl_grpc_conn_opts *opts);
/* No events. Null allowed. */
void sl_grpc_conn_free(struct sl_grpc_conn *c);

/* Takes bytes of the peer, all of them. An error is final: all streams have ended; an explanation for the peer may wait in
 * the output. */
SL_CHECKED enum sl_code sl_grpc_conn_receive(struct sl_grpc_conn *c, sl_ns now, struct sl_bytes bytes,
                                             struct sl_err *e);
/* What is to be sent now, valid until the next call of any function; empty when there is nothing. Then tell how much was
 * taken; what was not comes again, first. */
struct sl_bytes sl_grpc_conn_output(struct sl_grpc_conn *c, sl_ns now);
void sl_grpc_conn_output_taken(struct sl_grpc_conn *c, size_t size);
/* When tick has work, at the latest. */
sl_ns sl_grpc_conn_deadline(const struct sl_grpc_conn *c);
/* SL_NOT_READY: the peer did not answer a ping in time; the connection has ended. */
SL_CHECKED enum sl_code sl_grpc_conn_tick(struct sl_grpc_conn *c, sl_ns now, struct sl_err *e);
/* The bytes have ended: all streams end with UNAVAILABLE and this text. */
void sl_grpc_conn_fail(struct sl_grpc_conn *c, const char *text);
/* Nothing will be sent or received any more (once the output is empty). */
bool sl_grpc_conn_is_done(const struct sl_grpc_conn *c);
bool sl_grpc_conn_is_ready(const struct sl_grpc_conn *c);

/* Says GOAWAY: no new streams of the peer; those that are open go on. */
void sl_grpc_conn_goaway(struct sl_grpc_conn *c);
/* Says GOAWAY and ends everything without events. */
void sl_grpc_conn_terminate(struct sl_grpc_conn *c);

/* ---- streams ---- */

struct sl_grpc_header {
    struct sl_str name, value;
    bool secret;
};
#define SL_GRPC_HEADERS_MAX 8

struct sl_grpc_start {
    const char *path;
    const struct sl_grpc_header *headers; /* copied; at most SL_GRPC_HEADERS_MAX */
    uint32_t header_count;
    sl_ns timeout_ns; /* 0: none */
    uint64_t tag;     /* given back with each event */
};

/* Client. SL_NOT_READY: the connection takes no new streams; SL_LIMIT; SL_NOMEM. */
SL_CHECKED enum sl_code sl_grpc_conn_start(struct sl_grpc_conn *c, sl_ns now, const struct sl_grpc_start *start,
                                           sl_grpc_stream *stream);
/* Server: answers with headers. A stream that is gone: SL_NOT_FOUND. */
SL_CHECKED enum sl_code sl_grpc_conn_accept(struct sl_grpc_conn *c, sl_grpc_stream stream, uint64_t tag);
void sl_grpc_conn_set_tag(struct sl_grpc_conn *c, sl_grpc_stream stream, uint64_t tag);
/* Caps what the stream may receive below message_bytes_max. */
void sl_grpc_conn_set_message_max(struct sl_grpc_conn *c, sl_grpc_stream stream, size_t bytes_max);

/* A message with its prefix, on the heap: filled by its owner, then given away. */
struct sl_grpc_block {
    struct sl_grpc_block *next;
    size_t size, sent; /* prefix included */
    uint8_t bytes[];
};
#define SL_GRPC_PREFIX_BYTES 5u
/* Room for size bytes behind the prefix, at sl_grpc_block_body; a null pointer without memory or over 4 GiB. */
struct sl_grpc_block *sl_grpc_block_new(size_t size);
uint8_t *sl_grpc_block_body(struct sl_grpc_block *b);
void sl_grpc_block_free(struct sl_grpc_block *b); /* null allowed */

/* Takes the block in any case. SL_NOT_FOUND: the stream is gone or was ended. Bounding the queue is the caller's part. */
SL_CHECKED enum sl_code sl_grpc_conn_send(struct sl_grpc_conn *c, sl_grpc_stream stream, struct sl_grpc_block *b);
size_t sl_grpc_conn_queued_bytes(const struct sl_grpc_conn *c, sl_grpc_stream stream);
/* Client: no more messages of ours. */
void sl_grpc_conn_end(struct sl_grpc_conn *c, sl_grpc_stream stream);
/* Server: ends the call with this status, after what is queued. No further events of the stream. */
void sl_grpc_conn_finish(struct sl_grpc_conn *c, sl_grpc_stream stream, enum sl_grpc_code code, const char *message);
/* RST_STREAM(CANCEL); what is queued is dropped. No further events of the stream. */
void sl_grpc_conn_cancel(struct sl_grpc_conn *c, sl_grpc_stream stream);
/* Offers the messages again that were not taken; false: there were none. Makes events: not inside of one. */
bool sl_grpc_conn_resume(struct sl_grpc_conn *c, sl_grpc_stream stream);

#endif
