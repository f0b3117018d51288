/* SPDX-License-Identifier: Apache-2.0 */
#include "app/self_call.h"

#include "app/buf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALL_ANSWER_BYTES_MAX = 1 << 20, CALL_CHUNK_BYTES = 16384, CALL_HEAD_BYTES = 512 };

struct sl_self_call {
    uv_pipe_t pipe;
    uv_write_t write;
    struct sl_buf request, answer;
    sl_self_call_done *done; /* null: nobody waits any more */
    void *ctx;
    char chunk[CALL_CHUNK_BYTES];
};

static void call_on_closed(uv_handle_t *handle)
{
    struct sl_self_call *call = handle->data;
    if (call->request.len > 0)
        OPENSSL_cleanse(call->request.ptr, call->request.len);
    sl_buf_deinit(&call->request);
    sl_buf_deinit(&call->answer);
    free(call);
}

void sl_self_call_close(struct sl_self_call *call)
{
    if (!call)
        return;
    call->done = NULL;
    if (!uv_is_closing((uv_handle_t *)&call->pipe))
        uv_close((uv_handle_t *)&call->pipe, call_on_closed);
}

/* "HTTP/1.1 202 Accepted": 202; 0 if it is nothing of that kind. */
static int call_status(struct sl_str head)
{
    int status = 0;
    if (head.len < 12 || memcmp(head.ptr, "HTTP/1.", 7) != 0)
        return 0;
    for (size_t i = 9; i < 12; i++) {
        if (head.ptr[i] < '0' || head.ptr[i] > '9')
            return 0;
        status = status * 10 + (head.ptr[i] - '0');
    }
    return status;
}

/* The answer is whole when the other side has closed: "Connection: close" was asked for. */
static void call_finish(struct sl_self_call *call)
{
    static const char gap[] = "\r\n\r\n";
    const char *text = (const char *)call->answer.ptr;
    size_t len = call->answer.failed ? 0 : call->answer.len, at = 0;
    while (at + 4 <= len && memcmp(text + at, gap, 4) != 0)
        at++;
    bool has_head = at + 4 <= len;
    struct sl_str head = { text, has_head ? at : 0 };
    struct sl_str body = { has_head ? text + at + 4 : "", has_head ? len - at - 4 : 0 };
    if (call->done)
        call->done(call->ctx, call_status(head), body);
    sl_self_call_close(call);
}

static void call_on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct sl_self_call *call = handle->data;
    (void)size;
    *buf = uv_buf_init(call->chunk, sizeof call->chunk);
}

static void call_on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct sl_self_call *call = stream->data;
    if (len > 0)
        sl_buf_add(&call->answer, buf->base, (size_t)len);
    if (len < 0 || call->answer.failed)
        call_finish(call);
}

static void call_on_written(uv_write_t *write, int status)
{
    struct sl_self_call *call = write->data;
    if (status < 0 && !uv_is_closing((uv_handle_t *)&call->pipe))
        call_finish(call);
}

/* Basic, RFC 7617. */
static void call_add_credentials(struct sl_buf *request, struct sl_secret credentials)
{
    struct sl_bytes plain = sl_secret_reveal(credentials);
    unsigned char coded[4 * ((SL_SELF_CALL_CREDENTIALS_MAX + 2) / 3) + 1];
    if (plain.len == 0 || plain.len > SL_SELF_CALL_CREDENTIALS_MAX)
        return;
    int len = EVP_EncodeBlock(coded, plain.ptr, (int)plain.len);
    sl_buf_add(request, "Authorization: Basic ", 21);
    sl_buf_add(request, coded, (size_t)len);
    sl_buf_add(request, "\r\n", 2);
    OPENSSL_cleanse(coded, sizeof coded);
}

static void call_make_request(struct sl_self_call *call, const struct sl_self_call_opts *opts)
{
    char head[CALL_HEAD_BYTES];
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n",
                       opts->method, opts->path, opts->body.len);
    SL_REQUIRE(len > 0 && (size_t)len < sizeof head);
    sl_buf_add(&call->request, head, (size_t)len);
    call_add_credentials(&call->request, opts->credentials);
    sl_buf_add(&call->request, "\r\n", 2);
    sl_buf_add(&call->request, opts->body.ptr, opts->body.len);
}

static bool call_start(struct sl_self_call *call, int fd)
{
    if (uv_pipe_open(&call->pipe, fd) != 0) {
        close(fd);
        return false;
    }
    uv_buf_t buf = uv_buf_init((char *)call->request.ptr, (unsigned)call->request.len);
    call->write.data = call;
    return uv_read_start((uv_stream_t *)&call->pipe, call_on_alloc, call_on_read) == 0 &&
           uv_write(&call->write, (uv_stream_t *)&call->pipe, &buf, 1, call_on_written) == 0;
}

struct sl_self_call *sl_self_call_open(uv_loop_t *loop, struct sl_api *api, const struct sl_self_call_opts *opts,
                                       sl_self_call_done *done, void *ctx)
{
    int fds[2];
    struct sl_self_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->answer.bytes_max = CALL_ANSWER_BYTES_MAX;
    call_make_request(call, opts);
    if (call->request.failed || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        sl_buf_deinit(&call->request);
        free(call);
        return NULL;
    }
    SL_REQUIRE(uv_pipe_init(loop, &call->pipe, 0) == 0);
    call->pipe.data = call;
    if (!call_start(call, fds[0])) {
        close(fds[1]);
        sl_self_call_close(call);
        return NULL;
    }
    call->done = done;
    call->ctx = ctx;
    sl_api_adopt(api, fds[1], SL_STR("self"));
    return call;
}
