/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_GRPC_CONN_INTERNAL_H
#define SL_EDGE_GRPC_CONN_INTERNAL_H

#include "edge/grpc/conn.h"

#include <nghttp2/nghttp2.h>

/*
 * conn.c: life of a connection, output, keepalive. stream.c: streams, their ends. headers.c: what headers say.
 * body.c: messages in and out of DATA.
 */
#define SL__GRPC_STATUS_TEXT_MAX 3 /* digits of grpc-status worth reading */
#define SL__GRPC_TAG_NONE UINT64_MAX

struct sl__grpc_stream {
    struct sl__grpc_stream *next, *prev;
    struct sl_grpc_conn *conn;
    int32_t id;
    uint64_t tag;
    sl_ns deadline;

    /* Headers of the peer. */
    uint32_t header_bytes;
    uint32_t http_status;
    struct sl_grpc_status status; /* of grpc-status and grpc-message */
    char *path;                   /* server, until on_request */
    bool has_status, has_grpc_type, has_encoding, is_post, bad_timeout, headers_done;

    /* Receiving: bytes start..len of buffer are not parsed or not taken. */
    uint8_t *buffer;
    size_t start, len, cap;
    size_t message_bytes_max;
    size_t unconsumed; /* of the peer's window */
    bool held;         /* the message at start was not taken */
    bool peer_ended;

    /* Sending. */
    struct sl_grpc_block *head, *tail;
    size_t queued_bytes;
    bool was_high, answered, ending, deferred, finish_sent, cancelled;
    enum sl_grpc_code finish_code;
    char *finish_message;

    bool silent; /* no events any more */
};

struct sl_grpc_conn {
    nghttp2_session *session;
    enum sl_grpc_role role;
    struct sl_grpc_limits limits;
    struct sl_grpc_budget *budget, own_budget;
    const struct sl_grpc_conn_events *events;
    void *ctx;
    char *authority;
    bool tls;
    sl_ns now;

    struct sl__grpc_stream *streams; /* newest first */
    uint32_t stream_count;
    bool any_writable; /* some stream's on_writable is due */

    uint8_t *out; /* out_start..out_len is not taken yet */
    size_t out_start, out_len, out_cap;

    bool ready, failed, is_goaway_received, is_goaway_sent, muted;
    uint32_t events_depth; /* inside of how many of the five */

    sl_ns last_receive, last_ping, ping_deadline, last_peer_ping;
    uint32_t ping_strikes;
    bool has_peer_ping;
    struct sl_err why; /* of failed */
};

/* stream.c */
struct sl__grpc_stream *sl__grpc_stream_new(struct sl_grpc_conn *c, int32_t id);
struct sl__grpc_stream *sl__grpc_stream_find(const struct sl_grpc_conn *c, sl_grpc_stream id);
void sl__grpc_stream_free(struct sl__grpc_stream *s);
/* on_end, once; the stream is silent after it. */
void sl__grpc_stream_say_end(struct sl__grpc_stream *s, const struct sl_grpc_status *status);
/* Ends a stream for a reason of ours: the peer gets a status (server) or RST_STREAM, the user on_end. */
void sl__grpc_stream_abort(struct sl__grpc_stream *s, enum sl_grpc_code code, const char *text);
/* HTTP/2 closed the stream: the status is what the peer said, or what the error means. Frees it. */
void sl__grpc_stream_closed(struct sl__grpc_stream *s, uint32_t http2_error);
/* There is something to send, or an end to say. */
void sl__grpc_stream_wake_sender(struct sl__grpc_stream *s);
void sl__grpc_stream_peer_ended(struct sl__grpc_stream *s);

/* headers.c */
int sl__grpc_header(struct sl__grpc_stream *s, const uint8_t *name, size_t name_len, const uint8_t *value,
                    size_t value_len);
/* The first block of headers is complete. */
void sl__grpc_headers_done(struct sl__grpc_stream *s);
int sl__grpc_submit_request(struct sl_grpc_conn *c, const struct sl_grpc_start *start);
int sl__grpc_submit_answer(struct sl__grpc_stream *s);
int sl__grpc_submit_trailers(struct sl__grpc_stream *s);
/* An answer that consists of a status alone. */
int sl__grpc_submit_status_only(struct sl__grpc_stream *s);
int sl__grpc_submit_http_status(struct sl__grpc_stream *s, const char *http_status);

/* body.c */
void sl__grpc_body_receive(struct sl__grpc_stream *s, struct sl_bytes data);
void sl__grpc_body_resume(struct sl__grpc_stream *s);
void sl__grpc_body_free(struct sl__grpc_stream *s);
void sl__grpc_body_queue(struct sl__grpc_stream *s, struct sl_grpc_block *b);
nghttp2_data_provider sl__grpc_body_provider(struct sl__grpc_stream *s);
int sl__grpc_body_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
                            nghttp2_data_source *source, void *user);

/* conn.c */
bool sl__grpc_out_is_full(const struct sl_grpc_conn *c);
uint8_t *sl__grpc_out_room(struct sl_grpc_conn *c, size_t size);

#endif
