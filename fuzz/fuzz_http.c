/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP API with a made-up node behind it. The first byte says how the rest is sent: as it is, or as the body of a
 * route; the second one what the core answers. Whatever comes: no crash, no leak, no secret, and the next request is
 * served.
 */
#include "edge/http/api.h"
#include "edge/http/feed_record.h"
#include "edge/http/mask.h"
#include "edge/http/router.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FUZZ_TURNS = 6, FUZZ_INPUT_BYTES_MAX = 16384 };

static struct sl_api *fuzz_api;
static uv_loop_t fuzz_loop;
static uint8_t fuzz_code;
static struct sl_capture fuzz_member;

static void fuzz_submit(void *ctx, const struct sl_request *request)
{
    static struct sl_drain_view drain;
    static struct sl_node_view node;
    static struct sl_feed_view feed;
    static struct sl_table_view table;
    struct sl_reply reply = { .ticket = request->ticket, .code = (enum sl_code)(fuzz_code % SL_CODE_COUNT) };
    (void)ctx;
    memcpy(drain.intent.id, "d1", 3);
    drain.intent.phase = SL_DRAIN_DONE;
    node.capture = fuzz_member;
    memcpy(feed.record.id.name, "f", 2);
    feed.record.state = SL_FEED_STOPPED;
    feed.info = request->config;
    if (fuzz_code % 3 != 0) {
        reply.drains = &drain;
        reply.nodes = &node;
        reply.feeds = &feed;
        reply.tables = &table;
        reply.drain_count = reply.node_count = reply.feed_count = reply.table_count = 1;
    }
    if (fuzz_code < 250)
        sl_api_on_reply(fuzz_api, &reply);
}

static void fuzz_status(void *ctx, struct sl_api_status *status)
{
    (void)ctx;
    *status = (struct sl_api_status){ .id = sl_node_id_str(&fuzz_member.id),
                                      .cluster = SL_STR("c"),
                                      .is_owner = true,
                                      .owner = fuzz_member.id,
                                      .members = &fuzz_member,
                                      .member_count = 1 };
}

static void fuzz_audit(void *ctx, const struct sl_api_audit *audit)
{
    (void)ctx;
    if (!sl_str_is_printable_utf8(audit->object) || !sl_str_is_printable_utf8(audit->reason))
        abort();
}

static void fuzz_open(void)
{
    const struct sl_api_port port = { .submit = fuzz_submit, .status = fuzz_status, .audit = fuzz_audit };
    struct sl_api_opts opts;
    struct sl_err err;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sl_node_id_set(&fuzz_member.id, SL_STR("node-1"));
    if (uv_loop_init(&fuzz_loop) != 0)
        abort();
    sl_api_opts_default(&opts);
    opts.loop = &fuzz_loop;
    opts.version = "v";
    opts.git_hash = "";
    opts.body_bytes_max = FUZZ_INPUT_BYTES_MAX;
    if (sl_api_open(&fuzz_api, &opts, &port, &err) != SL_OK)
        abort();
}

static void fuzz_send(const char *bytes, size_t len)
{
    char drop[4096];
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        abort();
    sl_api_adopt(fuzz_api, fds[1], SL_STR("fuzz"));
    (void)send(fds[0], bytes, len, MSG_NOSIGNAL);
    for (int i = 0; i < FUZZ_TURNS; i++) {
        (void)uv_run(&fuzz_loop, UV_RUN_NOWAIT);
        while (recv(fds[0], drop, sizeof drop, 0) > 0) {
        }
    }
    (void)close(fds[0]);
    (void)uv_run(&fuzz_loop, UV_RUN_NOWAIT);
    (void)uv_run(&fuzz_loop, UV_RUN_NOWAIT);
}

static void fuzz_route(uint8_t which, const char *body, size_t len)
{
    char *request = malloc(len + 512);
    const struct sl__route *r = sl__route_at(which % SL__ROUTE_COUNT);
    if (!request)
        return;
    int head =
        snprintf(request, 512, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", r->method, r->path, len);
    memcpy(request + head, body, len);
    fuzz_send(request, (size_t)head + len);
    free(request);
}

static bool fuzz_has(const struct sl__buf *b, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= b->len; i++) {
        if (memcmp(b->ptr + i, text, len) == 0)
            return true;
    }
    return false;
}

/* A password never shows, wherever it is put. */
static void fuzz_mask(const char *text, size_t len)
{
    static const char secret[] = "CaNaRy";
    struct sl__buf uri = { .bytes_max = FUZZ_INPUT_BYTES_MAX * 2 }, shown = { .bytes_max = FUZZ_INPUT_BYTES_MAX * 3 };
    if (memchr(text, '/', len) || memchr(text, '@', len) || memchr(text, '?', len) || memchr(text, '#', len))
        return;
    bool ok = sl__buf_add(&uri, "x://u:", 6) && sl__buf_add(&uri, text, len) &&
              sl__buf_add(&uri, secret, sizeof secret - 1) && sl__buf_add(&uri, "@h/", 3);
    struct sl_secret whole = sl_secret_of((struct sl_bytes){ (const uint8_t *)uri.ptr, uri.len });
    if (ok && sl__mask_uri(&shown, whole) && fuzz_has(&shown, secret))
        abort();
    sl__buf_deinit(&uri);
    sl__buf_deinit(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > FUZZ_INPUT_BYTES_MAX)
        return 0;
    if (!fuzz_api)
        fuzz_open();
    fuzz_code = data[1];
    const char *rest = (const char *)data + 2;
    if (data[0] == 0)
        fuzz_send(rest, size - 2);
    else if (data[0] == 1)
        fuzz_mask(rest, size - 2);
    else
        fuzz_route(data[0], rest, size - 2);
    return 0;
}
