/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC connection as its peer, its user and its clock can drive it. The first byte chooses the side and the limits; then
 * each operation is a byte that says which, and its arguments: raw bytes, frames (the length is made right, so that what
 * is behind it is reached), time, messages not taken, calls ended in every way.
 *
 * What must hold: no event of a stream after its end, memory within its budget and gone at the end, output within its
 * bound, and no report of a sanitizer.
 */
#include "edge/grpc/conn.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPS_MAX = 400, STREAMS_MAX = 256, BUDGET_BYTES = 1 << 20 };

enum op { OP_RAW, OP_FRAME, OP_TICK, OP_HOLD, OP_START_OR_FINISH, OP_SEND, OP_CANCEL, OP_DRAIN, OP_COUNT };

struct fuzz {
    const uint8_t *data;
    size_t size;
    struct sl_grpc_conn *conn;
    enum sl_grpc_role role;
    struct sl_grpc_budget budget;
    bool has_ended[STREAMS_MAX];
    bool refusing, answering;
    sl_ns now;
};

static uint8_t fuzz_u8(struct fuzz *f)
{
    if (f->size == 0) {
        return 0;
    }
    f->size--;
    return *f->data++;
}

static struct sl_bytes fuzz_bytes(struct fuzz *f, size_t len)
{
    struct sl_bytes b = { f->data, len < f->size ? len : f->size };
    f->data += b.len;
    f->size -= b.len;
    return b;
}

/* ---- events ---- */

static void fuzz_on_ready(void *ctx)
{
    (void)ctx;
}

static void fuzz_alive(const struct fuzz *f, uint64_t tag)
{
    SL_REQUIRE(tag >= STREAMS_MAX || !f->has_ended[tag]);
}

/* A number may have been cancelled before it was a stream. */
static void fuzz_begin(struct fuzz *f, sl_grpc_stream stream)
{
    if (stream < STREAMS_MAX) {
        f->has_ended[stream] = false;
    }
}

static void fuzz_on_request(void *ctx, sl_grpc_stream stream, const struct sl_grpc_request *request)
{
    struct fuzz *f = ctx;
    fuzz_begin(f, stream);
    if (request->path.len > 0 && request->path.ptr[request->path.len - 1] == 'x') {
        sl_grpc_conn_finish(f->conn, stream, SL_GRPC_UNIMPLEMENTED, "no \xff such");
        return;
    }
    enum sl_code code = sl_grpc_conn_accept(f->conn, stream, (uint64_t)stream);
    SL_REQUIRE(code == SL_OK);
}

static void fuzz_send(struct fuzz *f, sl_grpc_stream stream, size_t size)
{
    struct sl_grpc_block *b = sl_grpc_block_new(size);
    SL_REQUIRE(b != NULL);
    memset(sl_grpc_block_body(b), 'm', size);
    enum sl_code code = sl_grpc_conn_send(f->conn, stream, b);
    (void)code;
}

static bool fuzz_on_message(void *ctx, uint64_t tag, struct sl_bytes message)
{
    struct fuzz *f = ctx;
    uint8_t sum = 0;
    fuzz_alive(f, tag);
    for (size_t i = 0; i < message.len; i++) {
        sum = (uint8_t)(sum + message.ptr[i]);
    }
    if (f->refusing) {
        return false;
    }
    if (sum == 7) { /* a user may end a call because of what it says */
        sl_grpc_conn_cancel(f->conn, (sl_grpc_stream)tag);
        f->has_ended[tag % STREAMS_MAX] = true;
    } else if (f->answering) {
        fuzz_send(f, (sl_grpc_stream)tag, message.len);
    }
    return true;
}

static void fuzz_on_tag(void *ctx, uint64_t tag)
{
    fuzz_alive(ctx, tag);
}

static void fuzz_on_end(void *ctx, uint64_t tag, const struct sl_grpc_status *status)
{
    struct fuzz *f = ctx;
    fuzz_alive(f, tag);
    SL_REQUIRE((uint32_t)status->code < SL_GRPC_CODE_COUNT);
    SL_REQUIRE(sl_str_is_printable_utf8(sl_str_of(status->message)) || f->role == SL_GRPC_CLIENT);
    f->has_ended[tag % STREAMS_MAX] = f->has_ended[tag % STREAMS_MAX] || tag < STREAMS_MAX;
}

static void fuzz_on_goaway(void *ctx, struct sl_str text)
{
    (void)ctx;
    SL_REQUIRE(text.len == 0 || sl_str_is_printable_utf8(text));
}

static const struct sl_grpc_conn_events fuzz_events = {
    .on_ready = fuzz_on_ready,
    .on_request = fuzz_on_request,
    .on_answer = fuzz_on_tag,
    .on_message = fuzz_on_message,
    .on_peer_end = fuzz_on_tag,
    .on_writable = fuzz_on_tag,
    .on_end = fuzz_on_end,
    .on_goaway = fuzz_on_goaway,
};

/* ---- operations ---- */

static void fuzz_receive(struct fuzz *f, const uint8_t *ptr, size_t len)
{
    struct sl_err e;
    enum sl_code code = sl_grpc_conn_receive(f->conn, f->now, (struct sl_bytes){ ptr, len }, &e);
    (void)code;
    SL_REQUIRE(f->budget.used_bytes <= f->budget.bytes_max);
}

static void fuzz_frame(struct fuzz *f)
{
    uint8_t frame[9 + 255];
    uint8_t type = fuzz_u8(f), flags = fuzz_u8(f), stream = fuzz_u8(f);
    struct sl_bytes payload = fuzz_bytes(f, fuzz_u8(f));
    const uint8_t head[9] = { 0, 0, (uint8_t)payload.len, type, flags, 0, 0, 0, stream };
    memcpy(frame, head, sizeof head);
    if (payload.len > 0) {
        memcpy(frame + sizeof head, payload.ptr, payload.len);
    }
    fuzz_receive(f, frame, sizeof head + payload.len);
}

static void fuzz_drain(struct fuzz *f)
{
    struct sl_bytes out;
    while ((out = sl_grpc_conn_output(f->conn, f->now)).len > 0) {
        SL_REQUIRE(out.len < (2u << 20));
        sl_grpc_conn_output_taken(f->conn, out.len);
    }
}

static void fuzz_start_or_finish(struct fuzz *f)
{
    uint8_t argument = fuzz_u8(f);
    sl_grpc_stream stream = 0;
    if (f->role == SL_GRPC_SERVER) {
        sl_grpc_conn_finish(f->conn, argument, (enum sl_grpc_code)(argument % SL_GRPC_CODE_COUNT), "done: 100 %");
        f->has_ended[argument] = true;
        return;
    }
    struct sl_grpc_start start = { .path = "/t.S/M", .timeout_ns = argument % 4 == 0 ? argument * SL_S : 0 };
    if (sl_grpc_conn_start(f->conn, f->now, &start, &stream) == SL_OK) {
        sl_grpc_conn_set_tag(f->conn, stream, (uint64_t)stream);
        fuzz_begin(f, stream);
    }
}

static void fuzz_cancel(struct fuzz *f)
{
    uint8_t stream = fuzz_u8(f), how = fuzz_u8(f);
    if (f->role == SL_GRPC_CLIENT && how % 2 == 0) {
        sl_grpc_conn_end(f->conn, stream);
    } else if (how % 8 == 7) {
        sl_grpc_conn_goaway(f->conn);
    } else {
        sl_grpc_conn_cancel(f->conn, stream);
        f->has_ended[stream] = true;
    }
}

static void fuzz_tick(struct fuzz *f)
{
    struct sl_err e;
    f->now += fuzz_u8(f) * (SL_S / 4);
    enum sl_code code = sl_grpc_conn_tick(f->conn, f->now, &e);
    (void)code;
    SL_REQUIRE(sl_grpc_conn_deadline(f->conn) >= 0);
}

static void fuzz_hold(struct fuzz *f)
{
    f->refusing = !f->refusing;
    for (sl_grpc_stream stream = 1; !f->refusing && stream < STREAMS_MAX; stream++) {
        (void)sl_grpc_conn_resume(f->conn, stream);
    }
}

static void fuzz_step(struct fuzz *f)
{
    switch ((enum op)(fuzz_u8(f) % OP_COUNT)) {
    case OP_RAW: {
        struct sl_bytes raw = fuzz_bytes(f, fuzz_u8(f));
        fuzz_receive(f, raw.ptr, raw.len);
        break;
    }
    case OP_FRAME:
        fuzz_frame(f);
        break;
    case OP_TICK:
        fuzz_tick(f);
        break;
    case OP_HOLD:
        fuzz_hold(f);
        break;
    case OP_START_OR_FINISH:
        fuzz_start_or_finish(f);
        break;
    case OP_SEND: {
        uint8_t stream = fuzz_u8(f);
        fuzz_send(f, stream, (size_t)fuzz_u8(f) * 300);
        break;
    }
    case OP_CANCEL:
        fuzz_cancel(f);
        break;
    case OP_DRAIN:
        fuzz_drain(f);
        break;
    case OP_COUNT:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = { .data = data, .size = size, .budget = { .bytes_max = BUDGET_BYTES }, .now = SL_S };
    uint8_t choice = fuzz_u8(&f);
    f.role = (choice & 1) != 0 ? SL_GRPC_CLIENT : SL_GRPC_SERVER;
    f.refusing = (choice & 2) != 0;
    f.answering = (choice & 8) != 0;
    struct sl_grpc_conn_opts opts = {
        .role = f.role, .budget = &f.budget, .events = &fuzz_events, .ctx = &f, .now = f.now
    };
    if ((choice & 4) != 0) {
        opts.limits =
            (struct sl_grpc_limits){ .message_bytes_max = 300, .stream_count_max = 3, .header_bytes_max = 400 };
    }
    enum sl_code code = sl_grpc_conn_new(&f.conn, &opts);
    SL_REQUIRE(code == SL_OK);
    if ((choice & 16) == 0 && f.role == SL_GRPC_SERVER) {
        static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
        fuzz_receive(&f, (const uint8_t *)preface, sizeof preface);
    }
    for (int i = 0; i < OPS_MAX && f.size > 0; i++) {
        fuzz_step(&f);
    }
    if ((choice & 32) != 0) {
        sl_grpc_conn_fail(f.conn, "the end");
    }
    sl_grpc_conn_free(f.conn);
    SL_REQUIRE(f.budget.used_bytes == 0);
    return 0;
}
