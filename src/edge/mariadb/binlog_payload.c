/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/mariadb/binlog_payload.h"

#include "edge/mariadb/binlog_event.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PAYLOAD_ROOM_MIN ((size_t)1 << 16)
#define PAYLOAD_ROOM_KEPT ((size_t)1 << 22) /* from transaction to transaction */
#define PAYLOAD_WINDOW_LOG_MIN 10           /* zstd knows no smaller one */
#define EVENT_SIZE_AT 9u

enum payload_field { PAYLOAD_END = 0, PAYLOAD_SIZE = 1, PAYLOAD_COMPRESSION = 2, PAYLOAD_PLAIN_SIZE = 3 };
enum payload_compression { PAYLOAD_ZSTD = 0, PAYLOAD_NONE = 255 };
#define PAYLOAD_FIELD_COUNT 4u

struct payload_header {
    uint64_t fields[PAYLOAD_FIELD_COUNT];
    bool is_said[PAYLOAD_FIELD_COUNT];
};

static enum sl_code payload_broken(struct sl_err *err, const char *how)
{
    return sl_err_set(err, SL_MALFORMED, "binlog: a compressed transaction %s", how);
}

static void payload_free_room(struct sl_payload *p)
{
    free(p->ptr);
    p->ptr = NULL;
    p->cap = 0;
}

void sl_payload_deinit(struct sl_payload *p)
{
    payload_free_room(p);
    ZSTD_freeDCtx(p->zstd);
    *p = (struct sl_payload){ .event_bytes_max = p->event_bytes_max };
}

/* ---- header ---- */

/* A type, a length, and as many bytes with one number; newer types may be added to those that are known. */
static bool payload_read_field(struct payload_header *h, struct sl_cursor *c, uint64_t type)
{
    struct sl_cursor value = sl_cursor_of(sl_cursor_bytes(c, (size_t)sl_binlog_lenenc(c)));
    if (c->failed || type >= PAYLOAD_FIELD_COUNT)
        return !c->failed;
    h->fields[type] = sl_binlog_lenenc(&value);
    h->is_said[type] = true;
    return !value.failed && sl_cursor_left(&value) == 0;
}

static enum sl_code payload_read_header(struct payload_header *h, struct sl_cursor *c, struct sl_err *err)
{
    uint64_t type;
    while ((type = sl_binlog_lenenc(c)) != PAYLOAD_END) {
        if (!payload_read_field(h, c, type) && !c->failed)
            return payload_broken(err, "has a field that is no number");
    }
    if (c->failed)
        return sl_err_set(err, SL_TRUNCATED, "binlog: the header of a compressed transaction ends too early");
    if (!h->is_said[PAYLOAD_COMPRESSION])
        h->fields[PAYLOAD_COMPRESSION] = PAYLOAD_NONE;
    bool is_plain = h->fields[PAYLOAD_COMPRESSION] == PAYLOAD_NONE;
    if (!is_plain && h->fields[PAYLOAD_COMPRESSION] != PAYLOAD_ZSTD)
        return sl_err_set(err, SL_UNKNOWN_TYPE, "binlog: a transaction is compressed in a way (%llu) that is not known",
                          (unsigned long long)h->fields[PAYLOAD_COMPRESSION]);
    if (is_plain && !h->is_said[PAYLOAD_PLAIN_SIZE]) {
        h->fields[PAYLOAD_PLAIN_SIZE] = h->fields[PAYLOAD_SIZE];
        h->is_said[PAYLOAD_PLAIN_SIZE] = true;
    }
    if (!h->is_said[PAYLOAD_SIZE] || !h->is_said[PAYLOAD_PLAIN_SIZE])
        return payload_broken(err, "does not say how large it is");
    return h->fields[PAYLOAD_SIZE] == sl_cursor_left(c) ? SL_OK : payload_broken(err, "is not as large as it says");
}

static enum sl_code payload_begin_zstd(struct sl_payload *p, struct sl_err *err)
{
    int window_log = SL_PAYLOAD_WINDOW_LOG;
    if (!p->zstd)
        p->zstd = ZSTD_createDCtx();
    if (!p->zstd)
        return sl_err_set(err, SL_NOMEM, "binlog: no memory to decompress");
    while (window_log > PAYLOAD_WINDOW_LOG_MIN && (UINT64_C(1) << window_log) > p->event_bytes_max)
        window_log--;
    size_t result = ZSTD_DCtx_reset(p->zstd, ZSTD_reset_session_and_parameters);
    if (!ZSTD_isError(result))
        result = ZSTD_DCtx_setParameter(p->zstd, ZSTD_d_windowLogMax, window_log);
    SL_REQUIRE(!ZSTD_isError(result));
    return SL_OK;
}

enum sl_code sl_payload_open(struct sl_payload *p, struct sl_bytes body, struct sl_err *err)
{
    struct payload_header h = { 0 };
    struct sl_cursor c = sl_cursor_of(body);
    enum sl_code code = payload_read_header(&h, &c, err);
    if (code != SL_OK)
        return code;
    if (p->cap > PAYLOAD_ROOM_KEPT)
        payload_free_room(p);
    p->is_open = true;
    p->is_plain = h.fields[PAYLOAD_COMPRESSION] == PAYLOAD_NONE;
    p->is_frame_over = p->is_plain;
    p->packed = (struct sl_bytes){ c.at, sl_cursor_left(&c) };
    p->left = h.fields[PAYLOAD_PLAIN_SIZE];
    p->start = p->end = 0;
    return p->is_plain ? SL_OK : payload_begin_zstd(p, err);
}

/* ---- events ---- */

static enum sl_code payload_zstd_error(size_t result, struct sl_err *err)
{
    ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    if (code == ZSTD_error_memory_allocation)
        return sl_err_set(err, SL_NOMEM, "binlog: no memory to decompress");
    if (code == ZSTD_error_frameParameter_windowTooLarge)
        return sl_err_set(err, SL_LIMIT, "binlog: a compressed transaction needs more memory than is allowed");
    return sl_err_set(err, SL_MALFORMED, "binlog: a compressed transaction is broken (%s)", ZSTD_getErrorName(result));
}

/* Up to room bytes to at; *done of them. A step that takes and gives nothing would be the first of many. */
static enum sl_code payload_step(struct sl_payload *p, uint8_t *at, size_t room, size_t *done, struct sl_err *err)
{
    ZSTD_outBuffer out = { at, room, 0 };
    ZSTD_inBuffer in = { p->packed.ptr, p->packed.len, 0 };
    size_t result = ZSTD_decompressStream(p->zstd, &out, &in);
    if (ZSTD_isError(result))
        return payload_zstd_error(result, err);
    p->is_frame_over = result == 0;
    p->packed = (struct sl_bytes){ p->packed.ptr + in.pos, p->packed.len - in.pos };
    *done = out.pos;
    if (in.pos == 0 && out.pos == 0)
        return payload_broken(err, "is not as large as it says");
    return SL_OK;
}

static enum sl_code payload_copy(struct sl_payload *p, uint8_t *at, size_t room, size_t *done, struct sl_err *err)
{
    size_t size = room < p->packed.len ? room : p->packed.len;
    if (size == 0)
        return payload_broken(err, "is not as large as it says");
    memcpy(at, p->packed.ptr, size);
    p->packed = (struct sl_bytes){ p->packed.ptr + size, p->packed.len - size };
    *done = size;
    return SL_OK;
}

static enum sl_code payload_fill(struct sl_payload *p, struct sl_err *err)
{
    size_t room = p->cap - p->end, done = 0;
    if (room > p->left)
        room = (size_t)p->left;
    enum sl_code code = p->is_plain ? payload_copy(p, p->ptr + p->end, room, &done, err)
                                    : payload_step(p, p->ptr + p->end, room, &done, err);
    p->end += done;
    p->left -= done;
    return code;
}

/* Doubled when it is full: an event that only says that it is large gets no memory for it. */
static enum sl_code payload_make_room(struct sl_payload *p, struct sl_err *err)
{
    if (p->start > 0) {
        memmove(p->ptr, p->ptr + p->start, p->end - p->start);
        p->end -= p->start;
        p->start = 0;
    }
    if (p->end < p->cap)
        return SL_OK;
    size_t cap = p->cap > 0 ? 2 * p->cap : PAYLOAD_ROOM_MIN;
    if (cap > p->event_bytes_max)
        cap = p->event_bytes_max;
    uint8_t *grown = realloc(p->ptr, cap);
    if (!grown)
        return sl_err_set(err, SL_NOMEM, "binlog: no memory to decompress");
    p->ptr = grown;
    p->cap = cap;
    return SL_OK;
}

/* Of the next event as far as it came out; that of a header while even this is not whole. */
static size_t payload_event_size(const struct sl_payload *p)
{
    if (p->end - p->start < SL_BINLOG_HEADER_BYTES)
        return SL_BINLOG_HEADER_BYTES;
    struct sl_cursor c = sl_cursor_of((struct sl_bytes){ p->ptr + p->start + EVENT_SIZE_AT, 4 });
    return sl_cursor_le32(&c);
}

enum sl_code sl_payload_next(struct sl_payload *p, struct sl_bytes *out, struct sl_err *err)
{
    for (;;) {
        size_t have = p->end - p->start, size = payload_event_size(p);
        if (size < SL_BINLOG_HEADER_BYTES)
            return payload_broken(err, "has an event without a header");
        if (size > p->event_bytes_max)
            return sl_err_set(err, SL_LIMIT, "binlog: an event of %zu bytes in a compressed transaction (at most %zu)",
                              size, p->event_bytes_max);
        if (have >= size) {
            *out = (struct sl_bytes){ p->ptr + p->start, size };
            p->start += size;
            return SL_OK;
        }
        if (size - have > p->left)
            return sl_err_set(err, SL_TRUNCATED, "binlog: a compressed transaction ends too early");
        enum sl_code code = payload_make_room(p, err);
        if (code == SL_OK)
            code = payload_fill(p, err);
        if (code != SL_OK)
            return code;
    }
}

/* The end of a stream may still be in it when all of its bytes are out. */
enum sl_code sl_payload_close(struct sl_payload *p, struct sl_err *err)
{
    if (p->start < p->end || p->left > 0 || (p->is_plain && p->packed.len > 0))
        return payload_broken(err, "goes on behind its end");
    while (!p->is_plain && (p->packed.len > 0 || !p->is_frame_over)) {
        uint8_t nothing;
        size_t done;
        enum sl_code code = payload_step(p, &nothing, 0, &done, err);
        if (code != SL_OK)
            return code;
    }
    p->is_open = false;
    return SL_OK;
}
