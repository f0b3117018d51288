/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/grpc/client.h"

#include "edge/grpc/link.h"
#include "edge/loop/handles.h"
#include "edge/loop/timer.h"

#include <stdlib.h>
#include <string.h>

/* A call waits here until the connection is ready; then it is a stream. */
struct client_call {
    struct sl_grpc_client *c;
    uint64_t name;
    sl_grpc_stream stream; /* 0: not started */
    const struct sl_grpc_call_events *events;
    void *ctx;
    sl_ns deadline;
    char *path;
    struct sl_grpc_header headers[SL_GRPC_METADATA_MAX];
    char *header_text; /* what headers point to */
    uint32_t header_count;
    struct sl_grpc_block *first, *last; /* sent before the start */
    size_t queued_bytes;
    bool ended, was_busy;
};

struct sl_grpc_client {
    const struct sl_grpc_client_events *events;
    void *ctx;
    struct sl_grpc_link *link; /* null once down */
    struct sl_handles calls;
    size_t queue_bytes_max;
    struct sl_timer *timer; /* deadlines of calls that are not started */
    struct sl_turn *turn;   /* what may not be said inside a call */
    bool ready, down, down_said, closing;
    struct sl_err why;
};

/* ---- calls ---- */

static void call_free(struct client_call *call)
{
    sl_handles_remove(&call->c->calls, call->name);
    while (call->first != NULL) {
        struct sl_grpc_block *b = call->first;
        call->first = b->next;
        sl_grpc_block_free(b);
    }
    free(call->header_text);
    free(call->path);
    free(call);
}

static void call_end(struct client_call *call, const struct sl_grpc_status *status)
{
    const struct sl_grpc_call_events *events = call->events;
    void *ctx = call->ctx;
    call_free(call);
    events->on_end(ctx, status);
}

static struct client_call *client_find(const struct sl_grpc_client *c, sl_grpc_call call)
{
    return sl_handles_get(&c->calls, call);
}

/* ---- events of the connection ---- */

static bool client_on_message(void *ctx, uint64_t tag, struct sl_bytes message)
{
    struct client_call *call = client_find(ctx, tag);
    if (call != NULL && call->events->on_message != NULL) {
        call->events->on_message(call->ctx, message);
    }
    return true;
}

static void client_on_writable(void *ctx, uint64_t tag)
{
    struct client_call *call = client_find(ctx, tag);
    if (call != NULL && call->was_busy) {
        call->was_busy = false;
        if (call->events->on_writable != NULL) {
            call->events->on_writable(call->ctx);
        }
    }
}

static void client_on_end(void *ctx, uint64_t tag, const struct sl_grpc_status *status)
{
    struct client_call *call = client_find(ctx, tag);
    if (call != NULL) {
        call_end(call, status);
    }
}

/* False: it could not be started, and has ended. */
static bool client_start(struct sl_grpc_client *c, struct client_call *call)
{
    struct sl_grpc_conn *conn = sl_grpc_link_conn(c->link);
    sl_ns now = sl_loop_now();
    struct sl_grpc_start start = { .path = call->path,
                                   .headers = call->headers,
                                   .header_count = call->header_count,
                                   .timeout_ns = call->deadline == SL_NEVER ? 0 : call->deadline - now,
                                   .tag = call->name };
    if (call->deadline <= now) {
        struct sl_grpc_status late =
            sl_grpc_status_of(SL_GRPC_DEADLINE_EXCEEDED, "the deadline of the call has passed");
        call_end(call, &late);
        return false;
    }
    if (sl_grpc_conn_start(conn, now, &start, &call->stream) != SL_OK) {
        struct sl_grpc_status status = sl_grpc_status_of(SL_GRPC_UNAVAILABLE, "the connection takes no more calls");
        status.never_processed = true;
        call_end(call, &status);
        return false;
    }
    while (call->first != NULL) {
        struct sl_grpc_block *b = call->first;
        call->first = b->next;
        SL_REQUIRE(sl_grpc_conn_send(conn, call->stream, b) == SL_OK); /* it was started just now */
    }
    if (call->ended) {
        sl_grpc_conn_end(conn, call->stream);
    }
    return true;
}

static void client_start_waiting(struct sl_grpc_client *c)
{
    for (uint64_t name = sl_handles_next(&c->calls, 0); name != 0 && c->ready && !c->closing;
         name = sl_handles_next(&c->calls, name)) {
        struct client_call *call = sl_handles_get(&c->calls, name);
        if (call->stream == 0) {
            (void)client_start(c, call);
        }
    }
}

static void client_on_ready(void *ctx)
{
    struct sl_grpc_client *c = ctx;
    c->ready = true;
    if (c->events->on_connected != NULL) {
        c->events->on_connected(c->ctx);
    }
    sl_turn_wake(c->turn);
}

static const struct sl_grpc_conn_events client_conn_events = {
    .on_ready = client_on_ready,
    .on_message = client_on_message,
    .on_writable = client_on_writable,
    .on_end = client_on_end,
};

/* ---- ends ---- */

static void client_free(struct sl_grpc_client *c)
{
    for (uint64_t name = sl_handles_next(&c->calls, 0); name != 0; name = sl_handles_next(&c->calls, name)) {
        call_free(sl_handles_get(&c->calls, name));
    }
    sl_handles_deinit(&c->calls);
    sl_timer_free(c->timer);
    sl_turn_free(c->turn);
    free(c);
}

static void client_on_freed(void *ctx)
{
    struct sl_grpc_client *c = ctx;
    if (c->closing) {
        client_free(c);
    }
}

static void client_on_down(void *ctx, const struct sl_err *why)
{
    struct sl_grpc_client *c = ctx;
    c->down = true;
    c->ready = false;
    c->why = *why;
    sl_turn_wake(c->turn);
}

static void client_say_down(struct sl_grpc_client *c)
{
    struct sl_grpc_status status = sl_grpc_status_of(SL_GRPC_UNAVAILABLE, c->why.text);
    status.never_processed = true; /* only calls that never started are left */
    for (uint64_t name = sl_handles_next(&c->calls, 0); name != 0 && !c->closing;
         name = sl_handles_next(&c->calls, name)) {
        call_end(sl_handles_get(&c->calls, name), &status);
    }
    if (!c->closing && !c->down_said) {
        c->down_said = true;
        if (c->events->on_disconnected != NULL) {
            c->events->on_disconnected(c->ctx, &c->why);
        }
    }
}

static void client_on_turn(void *ctx)
{
    struct sl_grpc_client *c = ctx;
    if (c->closing) {
        return;
    }
    if (c->down) {
        client_say_down(c);
        return;
    }
    client_start_waiting(c);
    if (!c->closing) {
        sl_grpc_link_wake(c->link);
    }
}

/* Deadlines of calls that wait for the connection; those of streams are the connection's business. */
static void client_on_timer(void *ctx)
{
    struct sl_grpc_client *c = ctx;
    struct sl_grpc_status status =
        sl_grpc_status_of(SL_GRPC_DEADLINE_EXCEEDED, "no connection before the call's deadline");
    sl_ns now = sl_loop_now(), next = SL_NEVER;
    status.never_processed = true;
    for (uint64_t name = sl_handles_next(&c->calls, 0); name != 0 && !c->closing;
         name = sl_handles_next(&c->calls, name)) {
        struct client_call *call = sl_handles_get(&c->calls, name);
        if (call->stream == 0 && call->deadline <= now) {
            call_end(call, &status);
        } else if (call->stream == 0) {
            next = sl_ns_min(next, call->deadline);
        }
    }
    if (!c->closing) {
        sl_timer_arm(c->timer, next);
    }
}

/* ---- life ---- */

enum sl_code sl_grpc_client_open(struct sl_grpc_client **out, const struct sl_grpc_client_opts *opts, struct sl_err *e)
{
    enum { CALLS_DEFAULT = 100 };
    struct sl_grpc_client *c = calloc(1, sizeof *c);
    *out = NULL;
    if (c == NULL) {
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    c->events = opts->events;
    c->ctx = opts->ctx;
    c->queue_bytes_max = opts->queue_bytes_max == 0 ? (size_t)8 << 20 : opts->queue_bytes_max;
    sl_handles_init(&c->calls, opts->call_count_max == 0 ? CALLS_DEFAULT : opts->call_count_max);
    c->timer = sl_timer_new(opts->loop, client_on_timer, c);
    c->turn = sl_turn_new(opts->loop, client_on_turn, c);
    struct sl_grpc_link_opts link = {
        .loop = opts->loop,
        .limits = { .message_bytes_max = opts->message_bytes_max,
                    .keepalive_ns = opts->keepalive_ns,
                    .keepalive_timeout_ns = opts->keepalive_timeout_ns },
        .ready_timeout_ns = opts->connect_timeout_ns == 0 ? 3 * SL_S : opts->connect_timeout_ns,
        .conn_events = &client_conn_events,
        .on_down = client_on_down,
        .on_freed = client_on_freed,
        .ctx = c,
    };
    enum sl_code code = c->timer == NULL || c->turn == NULL
                            ? sl_err_set(e, SL_NOMEM, "out of memory")
                            : sl_grpc_link_dial(&c->link, &link, opts->tls, opts->host, opts->port, e);
    if (code != SL_OK) {
        client_free(c);
        return code;
    }
    *out = c;
    return SL_OK;
}

void sl_grpc_client_close(struct sl_grpc_client *c)
{
    if (c != NULL && !c->closing) {
        c->closing = true;
        sl_grpc_link_close(c->link); /* the rest goes with it */
    }
}

bool sl_grpc_client_is_connected(const struct sl_grpc_client *c)
{
    return c->ready;
}

/* ---- starting a call ---- */

static bool call_copy_metadata(struct client_call *call, const struct sl_grpc_call_opts *opts)
{
    size_t size = 1;
    for (uint32_t i = 0; i < opts->metadata_count; i++) {
        size += opts->metadata[i].name.len + opts->metadata[i].value.len;
    }
    call->header_text = malloc(size);
    char *at = call->header_text;
    for (uint32_t i = 0; at != NULL && i < opts->metadata_count; i++) {
        const struct sl_grpc_metadata *m = &opts->metadata[i];
        memcpy(at, m->name.ptr, m->name.len);
        memcpy(at + m->name.len, m->value.ptr, m->value.len);
        call->headers[i] =
            (struct sl_grpc_header){ { at, m->name.len }, { at + m->name.len, m->value.len }, m->secret };
        at += m->name.len + m->value.len;
    }
    call->header_count = opts->metadata_count;
    return call->header_text != NULL;
}

enum sl_code sl_grpc_client_call(struct sl_grpc_client *c, sl_grpc_call *out, const struct sl_grpc_call_opts *opts,
                                 struct sl_err *e)
{
    *out = 0;
    if (c->down || c->closing) {
        return sl_err_set(e, SL_NOT_READY, "the connection has ended");
    }
    if (opts->metadata_count > SL_GRPC_METADATA_MAX) {
        return sl_err_set(e, SL_LIMIT, "at most %d metadata entries", SL_GRPC_METADATA_MAX);
    }
    struct client_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    call->c = c;
    call->events = opts->events;
    call->ctx = opts->ctx;
    call->deadline = opts->timeout_ns > 0 ? sl_ns_after(sl_loop_now(), opts->timeout_ns) : SL_NEVER;
    call->path = strdup(opts->path);
    call->name = sl_handles_add(&c->calls, call);
    if (call->name == 0) {
        free(call->path);
        free(call);
        return sl_err_set(e, SL_LIMIT, "too many open calls");
    }
    if (call->path == NULL || !call_copy_metadata(call, opts)) {
        call_free(call);
        return sl_err_set(e, SL_NOMEM, "out of memory");
    }
    *out = call->name;
    if (!c->ready && call->deadline != SL_NEVER) {
        sl_timer_arm(c->timer, sl_loop_now()); /* it finds the nearest deadline */
    }
    sl_turn_wake(c->turn);
    return SL_OK;
}

static void call_queue(struct client_call *call, struct sl_grpc_block *b)
{
    b->next = NULL;
    if (call->first == NULL) {
        call->first = b;
    } else {
        call->last->next = b;
    }
    call->last = b;
    call->queued_bytes += b->size;
}

enum sl_code sl_grpc_client_send(struct sl_grpc_client *c, sl_grpc_call call, struct sl_bytes message)
{
    struct client_call *found = client_find(c, call);
    if (found == NULL || found->ended || c->down) {
        return SL_NOT_FOUND;
    }
    size_t queued =
        found->stream == 0 ? found->queued_bytes : sl_grpc_conn_queued_bytes(sl_grpc_link_conn(c->link), found->stream);
    if (queued > 0 && queued + message.len > c->queue_bytes_max) {
        found->was_busy = true;
        return SL_BUSY;
    }
    struct sl_grpc_block *b = sl_grpc_block_new(message.len);
    if (b == NULL) {
        return SL_NOMEM;
    }
    if (message.len > 0) {
        memcpy(sl_grpc_block_body(b), message.ptr, message.len);
    }
    if (found->stream == 0) {
        call_queue(found, b);
        return SL_OK;
    }
    sl_grpc_link_wake(c->link);
    return sl_grpc_conn_send(sl_grpc_link_conn(c->link), found->stream, b);
}

void sl_grpc_client_end(struct sl_grpc_client *c, sl_grpc_call call)
{
    struct client_call *found = client_find(c, call);
    if (found == NULL || c->down) {
        return;
    }
    found->ended = true;
    if (found->stream != 0) {
        sl_grpc_conn_end(sl_grpc_link_conn(c->link), found->stream);
        sl_grpc_link_wake(c->link);
    }
}

void sl_grpc_client_cancel(struct sl_grpc_client *c, sl_grpc_call call)
{
    struct client_call *found = client_find(c, call);
    if (found == NULL) {
        return;
    }
    if (found->stream != 0 && !c->down) {
        sl_grpc_conn_cancel(sl_grpc_link_conn(c->link), found->stream);
        sl_grpc_link_wake(c->link);
    }
    call_free(found);
}

enum sl_code sl_grpc_client_unary(struct sl_grpc_client *c, sl_grpc_call *out, const struct sl_grpc_call_opts *opts,
                                  struct sl_bytes request, struct sl_err *e)
{
    enum sl_code code = sl_grpc_client_call(c, out, opts, e);
    if (code != SL_OK) {
        return code;
    }
    code = sl_grpc_client_send(c, *out, request);
    if (code != SL_OK) {
        sl_grpc_client_cancel(c, *out);
        *out = 0;
        return sl_err_set(e, code, "out of memory");
    }
    sl_grpc_client_end(c, *out);
    return SL_OK;
}
