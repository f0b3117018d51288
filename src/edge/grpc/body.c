/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/grpc/conn_internal.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_FIRST_BYTES = 1024, BODY_KEPT_BYTES = 4096 };

/* ---- blocks ---- */

struct sl_grpc_block *sl_grpc_block_new(size_t size)
{
    if (size > UINT32_MAX) {
        return NULL;
    }
    struct sl_grpc_block *b = malloc(sizeof *b + SL_GRPC_PREFIX_BYTES + size);
    if (b == NULL) {
        return NULL;
    }
    *b = (struct sl_grpc_block){ .size = SL_GRPC_PREFIX_BYTES + size };
    b->bytes[0] = 0; /* not compressed */
    b->bytes[1] = (uint8_t)(size >> 24);
    b->bytes[2] = (uint8_t)(size >> 16);
    b->bytes[3] = (uint8_t)(size >> 8);
    b->bytes[4] = (uint8_t)size;
    return b;
}

uint8_t *sl_grpc_block_body(struct sl_grpc_block *b)
{
    return b->bytes + SL_GRPC_PREFIX_BYTES;
}

void sl_grpc_block_free(struct sl_grpc_block *b)
{
    free(b);
}

/* ---- receiving ---- */

static bool body_reserve(struct sl__grpc_stream *s, size_t cap)
{
    struct sl_grpc_budget *budget = s->conn->budget;
    if (cap <= s->cap) {
        return true;
    }
    size_t more = cap - s->cap;
    if (more > budget->bytes_max - budget->used_bytes) {
        return false;
    }
    uint8_t *buffer = realloc(s->buffer, cap);
    if (buffer == NULL) {
        return false;
    }
    budget->used_bytes += more;
    s->buffer = buffer;
    s->cap = cap;
    return true;
}

static void body_release(struct sl__grpc_stream *s)
{
    s->conn->budget->used_bytes -= s->cap;
    free(s->buffer);
    s->buffer = NULL;
    s->start = s->len = s->cap = 0;
}

/* Grows by doubling, so by what came and never by what a prefix announces. */
static bool body_append(struct sl__grpc_stream *s, struct sl_bytes data)
{
    if (s->start > 0 && s->len + data.len > s->cap) {
        memmove(s->buffer, s->buffer + s->start, s->len - s->start);
        s->len -= s->start;
        s->start = 0;
    }
    size_t wanted = s->len + data.len;
    if (wanted > s->cap) {
        size_t cap = s->cap == 0 ? BODY_FIRST_BYTES : s->cap * 2;
        if (!body_reserve(s, cap > wanted ? cap : wanted)) {
            return false;
        }
    }
    if (data.len > 0) {
        memcpy(s->buffer + s->len, data.ptr, data.len);
    }
    s->len = wanted;
    return true;
}

static size_t body_message_size(const uint8_t *prefix)
{
    return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 | prefix[4];
}

/* Whether the prefix may stand; ends the stream if not. */
static bool body_prefix_is_good(struct sl__grpc_stream *s, const uint8_t *prefix)
{
    if (prefix[0] != 0) {
        sl__grpc_stream_abort(s, prefix[0] == 1 ? SL_GRPC_UNIMPLEMENTED : SL_GRPC_INTERNAL,
                              prefix[0] == 1 ? "compressed messages are not accepted; send them uncompressed"
                                             : "malformed message prefix");
        return false;
    }
    if (body_message_size(prefix) > s->message_bytes_max) {
        sl__grpc_stream_abort(s, SL_GRPC_RESOURCE_EXHAUSTED, "the message is larger than the receiver accepts");
        return false;
    }
    return true;
}

/*
 * Offers the whole messages at the beginning of data; how many bytes are done with. Stops at a message that is not taken
 * (held) and at the end of the stream (silent).
 */
static size_t body_parse(struct sl__grpc_stream *s, struct sl_bytes data)
{
    struct sl_grpc_conn *c = s->conn;
    size_t at = 0;
    while (!s->silent && data.len - at >= SL_GRPC_PREFIX_BYTES) {
        if (!body_prefix_is_good(s, data.ptr + at)) {
            break;
        }
        size_t size = body_message_size(data.ptr + at);
        if (data.len - at - SL_GRPC_PREFIX_BYTES < size) {
            break;
        }
        struct sl_bytes message = { data.ptr + at + SL_GRPC_PREFIX_BYTES, size };
        if (!c->events->on_message(c->ctx, s->tag, message)) {
            s->held = !s->silent;
            break;
        }
        at += SL_GRPC_PREFIX_BYTES + size;
    }
    return at;
}

static void body_consume(struct sl__grpc_stream *s)
{
    if (!s->held && s->unconsumed > 0) {
        (void)nghttp2_session_consume(s->conn->session, s->id, s->unconsumed);
        s->unconsumed = 0;
    }
}

/* What was parsed of the buffer goes; a big one that is empty too. */
static void body_tidy(struct sl__grpc_stream *s, size_t parsed)
{
    s->start += parsed;
    if (s->start == s->len) {
        s->start = s->len = 0;
        if (s->cap > BODY_KEPT_BYTES) {
            body_release(s);
        }
    }
}

static void body_parse_buffer(struct sl__grpc_stream *s)
{
    struct sl_bytes data = { s->buffer + s->start, s->len - s->start };
    size_t parsed = body_parse(s, data);
    body_tidy(s, parsed);
}

void sl__grpc_body_receive(struct sl__grpc_stream *s, struct sl_bytes data)
{
    s->unconsumed += data.len;
    size_t parsed = 0;
    if (s->len == s->start && !s->held) {
        parsed = body_parse(s, data); /* the usual case: without a copy */
    }
    if (!s->silent && parsed < data.len) {
        bool was_empty = s->len == s->start;
        if (!body_append(s, (struct sl_bytes){ data.ptr + parsed, data.len - parsed })) {
            sl__grpc_stream_abort(s, SL_GRPC_RESOURCE_EXHAUSTED, "the receiver has no memory for the message");
        } else if (!s->held && !was_empty) {
            body_parse_buffer(s);
        }
    }
    body_consume(s);
}

void sl__grpc_body_resume(struct sl__grpc_stream *s)
{
    s->held = false;
    body_parse_buffer(s);
    body_consume(s);
    if (!s->held && !s->silent && s->peer_ended) {
        sl__grpc_stream_peer_ended(s);
    }
}

/* ---- sending ---- */

static void body_queue_clear(struct sl__grpc_stream *s)
{
    while (s->head != NULL) {
        struct sl_grpc_block *b = s->head;
        s->head = b->next;
        sl_grpc_block_free(b);
    }
    s->tail = NULL;
    s->queued_bytes = 0;
}

void sl__grpc_body_free(struct sl__grpc_stream *s)
{
    body_release(s);
    body_queue_clear(s);
}

void sl__grpc_body_queue(struct sl__grpc_stream *s, struct sl_grpc_block *b)
{
    b->next = NULL;
    if (s->tail == NULL) {
        s->head = b;
    } else {
        s->tail->next = b;
    }
    s->tail = b;
    s->queued_bytes += b->size - b->sent;
    s->was_high = s->was_high || s->queued_bytes >= s->conn->limits.queue_bytes_low;
    sl__grpc_stream_wake_sender(s);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is nghttp2's */
static ssize_t body_on_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length, uint32_t *flags,
                            nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)id;
    (void)buffer;
    (void)user;
    struct sl__grpc_stream *s = source->ptr;
    if (s->cancelled || (s->queued_bytes == 0 && !s->ending)) {
        s->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t size = s->queued_bytes < length ? s->queued_bytes : length;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (s->ending && size == s->queued_bytes) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (s->conn->role == SL_GRPC_SERVER) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (sl__grpc_submit_trailers(s) != 0) {
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
            }
        }
    }
    return (ssize_t)size;
}

nghttp2_data_provider sl__grpc_body_provider(struct sl__grpc_stream *s)
{
    return (nghttp2_data_provider){ .source.ptr = s, .read_callback = body_on_read };
}

static void body_dequeue(struct sl__grpc_stream *s, uint8_t *to, size_t length)
{
    SL_REQUIRE(length <= s->queued_bytes);
    s->queued_bytes -= length;
    while (length > 0) {
        struct sl_grpc_block *b = s->head;
        SL_REQUIRE(b != NULL);
        size_t size = b->size - b->sent < length ? b->size - b->sent : length;
        memcpy(to, b->bytes + b->sent, size);
        b->sent += size;
        to += size;
        length -= size;
        if (b->sent == b->size) {
            s->head = b->next;
            s->tail = s->head == NULL ? NULL : s->tail;
            sl_grpc_block_free(b);
        }
    }
}

int sl__grpc_body_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
                            nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)frame;
    enum { FRAME_HEAD_BYTES = 9 };
    struct sl_grpc_conn *c = user;
    struct sl__grpc_stream *s = source->ptr;
    if (sl__grpc_out_is_full(c)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    uint8_t *to = sl__grpc_out_room(c, FRAME_HEAD_BYTES + length);
    if (to == NULL) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    memcpy(to, head, FRAME_HEAD_BYTES);
    body_dequeue(s, to + FRAME_HEAD_BYTES, length);
    if (s->was_high && s->queued_bytes < c->limits.queue_bytes_low) {
        c->any_writable = true;
    }
    return 0;
}
