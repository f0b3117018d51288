/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/api_driver.h"

#include "base/check.h"
#include "tests/support/sl_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DRIVER_WAIT_TURNS_MAX = 10000, DRIVER_ANSWER_BYTES_MAX = 32 << 20 };

static struct api_answer driver_answer; /* of the last call of this test program */

/* ---- the made-up node ---- */

static void driver_copy(char *to, size_t size, struct sl_str from)
{
    struct sl_text t;
    sl_text_init(&t, to, size);
    sl_text_str(&t, from);
}

static struct sl_str driver_bytes(struct sl_secret s)
{
    struct sl_bytes b = sl_secret_reveal(s);
    return (struct sl_str){ (const char *)b.ptr, b.len };
}

static void driver_note(struct api_request *to, const struct sl_request *r)
{
    *to = (struct api_request){ .verb = r->verb,
                                .ticket = r->ticket,
                                .deadline_ms = r->deadline_ms,
                                .lag_budget_ms = r->lag_budget_ms,
                                .dry_run = r->dry_run,
                                .stop_node = r->stop_node,
                                .cancel_at_deadline = r->cancel_at_deadline,
                                .cancel = r->cancel,
                                .checkpoint = r->checkpoint,
                                .table_id = r->table_id,
                                .table_after = r->table_after };
    driver_copy(to->node, sizeof to->node, r->node);
    driver_copy(to->drain, sizeof to->drain, r->drain);
    driver_copy(to->feed, sizeof to->feed, r->feed);
    driver_copy(to->reason, sizeof to->reason, r->reason);
    driver_copy(to->actor, sizeof to->actor, r->actor);
    driver_copy(to->config, sizeof to->config, driver_bytes(r->config));
    driver_copy(to->source, sizeof to->source, driver_bytes(r->source));
}

static void driver_submit(void *ctx, const struct sl_request *request)
{
    struct api_driver *d = ctx;
    struct api_request *r = &d->requests[d->request_count % API_REQUESTS_MAX];
    driver_note(r, request);
    d->request_count++;
    if (d->hold)
        return;
    struct sl_reply reply = d->reply;
    if (d->answer)
        d->answer(d, r, &reply);
    reply.ticket = request->ticket;
    sl_api_on_reply(d->api, &reply);
}

static void driver_status(void *ctx, struct sl_api_status *status)
{
    struct api_driver *d = ctx;
    const struct sl_capture *self = &d->members[d->self];
    *status = (struct sl_api_status){ .id = sl_node_id_str(&self->id),
                                      .name = sl_str_of(self->name),
                                      .address = sl_str_of(self->address),
                                      .cluster = SL_STR("default"),
                                      .is_owner = d->owner == (int)d->self,
                                      .is_fenced = d->is_fenced,
                                      .liveness = d->liveness,
                                      .node_epoch = self->node_epoch,
                                      .members = d->members,
                                      .member_count = d->member_count };
    if (d->owner >= 0)
        status->owner = d->members[d->owner].id;
}

static void driver_audit(void *ctx, const struct sl_api_audit *a)
{
    struct api_driver *d = ctx;
    struct api_audit *to = &d->audits[d->audit_count++ % API_AUDITS_MAX];
    *to = (struct api_audit){ .http_status = a->http_status };
    driver_copy(to->action, sizeof to->action, sl_str_of(a->action));
    driver_copy(to->actor, sizeof to->actor, a->actor);
    driver_copy(to->remote, sizeof to->remote, a->remote);
    driver_copy(to->object, sizeof to->object, a->object);
    driver_copy(to->reason, sizeof to->reason, a->reason);
}

static void driver_collect(void *ctx, struct sl_metrics *m)
{
    struct api_driver *d = ctx;
    if (d->on_collect)
        d->on_collect(m);
}

static bool driver_set_log_level(void *ctx, struct sl_str level)
{
    struct api_driver *d = ctx;
    driver_copy(d->log_level, sizeof d->log_level, level);
    return sl_str_eq(level, SL_STR("debug")) || sl_str_eq(level, SL_STR("info"));
}

static void driver_config(void *ctx, struct sl_text *json)
{
    (void)ctx;
    sl_text_cstr(json, "{\"addr\":\"127.0.0.1:0\"}");
}

static void driver_debug_info(void *ctx, struct sl_text *text)
{
    (void)ctx;
    sl_text_cstr(text, "all is well\n");
}

static void driver_range(void *ctx, uint64_t ticket, struct sl_str prefix)
{
    struct api_driver *d = ctx;
    d->range_ticket = ticket;
    driver_copy(d->range_prefix, sizeof d->range_prefix, prefix);
}

static void driver_stop(void *ctx, bool without_drain)
{
    struct api_driver *d = ctx;
    d->stopped = true;
    d->stopped_without_drain = without_drain;
}

const struct api_request *api_asked(const struct api_driver *d, enum sl_request_verb verb)
{
    for (uint32_t i = d->request_count; i > 0 && d->request_count - i < API_REQUESTS_MAX; i--) {
        const struct api_request *r = &d->requests[(i - 1) % API_REQUESTS_MAX];
        if (r->verb == verb)
            return r;
    }
    return NULL;
}

void api_forget(struct api_driver *d)
{
    d->request_count = 0;
    d->audit_count = 0;
}

void api_answer_held(struct api_driver *d, const struct sl_reply *reply)
{
    uint32_t count = d->request_count < API_REQUESTS_MAX ? d->request_count : API_REQUESTS_MAX;
    d->request_count = 0;
    d->hold = false;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_reply one = *reply;
        one.ticket = d->requests[i].ticket;
        sl_api_on_reply(d->api, &one);
    }
}

/* ---- opening and closing ---- */

static void driver_member(struct sl_capture *m, const char *id, const char *name, const char *address)
{
    *m = (struct sl_capture){
        .start_timestamp_s = 1700000000, .node_epoch = 42, .is_new_arch = true, .is_sluice = true
    };
    SL_REQUIRE(sl_node_id_set(&m->id, sl_str_of(id)));
    driver_copy(m->name, sizeof m->name, sl_str_of(name));
    driver_copy(m->address, sizeof m->address, sl_str_of(address));
    driver_copy(m->version, sizeof m->version, SL_STR("v8.5.4-sluice.0.1.0"));
}

static void driver_fill(struct api_driver *d)
{
    driver_member(&d->members[0], "aaaa1111-0000-4000-8000-000000000001", "n1", "127.0.0.1:8301");
    driver_member(&d->members[1], "aabb2222-0000-4000-8000-000000000002", "n2", "127.0.0.1:8302");
    driver_member(&d->members[2], "cccc3333-0000-4000-8000-000000000003", "n3", "127.0.0.1:8303");
    d->member_count = 3;
    d->reply.code = SL_OK;
    d->listen_fd = -1;
}

static struct api_driver *driver_open(uv_loop_t *loop, void (*set_up)(struct sl_api_opts *opts))
{
    struct api_driver *d = calloc(1, sizeof *d);
    struct sl_err err = { 0 };
    SL_REQUIRE(d != NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    driver_fill(d);
    const struct sl_api_port port = { .ctx = d,
                                      .submit = driver_submit,
                                      .status = driver_status,
                                      .audit = driver_audit,
                                      .collect = driver_collect,
                                      .set_log_level = driver_set_log_level,
                                      .config = driver_config,
                                      .debug_info = driver_debug_info,
                                      .range = driver_range,
                                      .stop = driver_stop };
    if (!loop)
        SL_REQUIRE(uv_loop_init(&d->loop) == 0);
    sl_api_opts_default(&d->opts);
    d->opts.loop = loop ? loop : &d->loop;
    d->opts.version = "v8.5.4-sluice.0.1.0";
    d->opts.git_hash = "abcdef";
    d->opts.seed = 7;
    if (set_up)
        set_up(&d->opts);
    if (sl_api_open(&d->api, &d->opts, &port, &err) != SL_OK)
        fail_msg("the API did not open: %s", err.text);
    return d;
}

struct api_driver *api_driver_new(void (*set_up)(struct sl_api_opts *opts))
{
    return driver_open(NULL, set_up);
}

struct api_driver *api_driver_new_beside(struct api_driver *other, void (*set_up)(struct sl_api_opts *opts))
{
    return driver_open(other->opts.loop, set_up);
}

static void driver_on_closed(void *ctx)
{
    struct api_driver *d = ctx;
    d->closed = true;
}

static void driver_answer_free(void)
{
    free(driver_answer.head);
    free(driver_answer.body);
    driver_answer = (struct api_answer){ .status = 0 };
}

void api_driver_free(struct api_driver *d)
{
    uv_loop_t *loop = d->opts.loop;
    if (d->listen_fd >= 0) {
        uv_close((uv_handle_t *)&d->listen_poll, NULL);
        (void)uv_run(loop, UV_RUN_NOWAIT);
        (void)close(d->listen_fd);
    }
    sl_api_close(d->api, driver_on_closed, d);
    for (int i = 0; !d->closed && i < DRIVER_WAIT_TURNS_MAX; i++)
        (void)uv_run(loop, UV_RUN_ONCE);
    assert_true(d->closed);
    if (loop == &d->loop) {
        (void)uv_run(loop, UV_RUN_DEFAULT);
        sl_assert_i64(uv_loop_close(loop), 0);
    }
    driver_answer_free();
    free(d);
}

static void driver_on_accept(uv_poll_t *poll, int status, int events)
{
    struct api_driver *d = poll->data;
    (void)status;
    (void)events;
    int fd = accept(d->listen_fd, NULL, NULL);
    if (fd >= 0) {
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        sl_api_adopt(d->api, fd, SL_STR("peer"));
    }
}

void api_driver_listen(struct api_driver *d)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    d->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    SL_REQUIRE(d->listen_fd >= 0 && bind(d->listen_fd, (struct sockaddr *)&at, sizeof at) == 0);
    SL_REQUIRE(listen(d->listen_fd, 16) == 0 && getsockname(d->listen_fd, (struct sockaddr *)&at, &len) == 0);
    d->port = ntohs(at.sin_port);
    (void)snprintf(d->address, sizeof d->address, "127.0.0.1:%u", d->port);
    SL_REQUIRE(uv_poll_init(d->opts.loop, &d->listen_poll, d->listen_fd) == 0);
    d->listen_poll.data = d;
    SL_REQUIRE(uv_poll_start(&d->listen_poll, UV_READABLE, driver_on_accept) == 0);
}

/* ---- the client ---- */

/* Turns the loop once, and leaves the processor to the threads of the pool. */
static void driver_turn(struct api_driver *d)
{
    const struct timespec moment = { .tv_nsec = 100000 };
    (void)uv_run(d->opts.loop, UV_RUN_NOWAIT);
    (void)nanosleep(&moment, NULL);
}

int api_connect(struct api_driver *d)
{
    int fds[2];
    SL_REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    sl_api_adopt(d->api, fds[1], SL_STR("10.0.0.9"));
    return fds[0];
}

void api_send(struct api_driver *d, int fd, const char *bytes, size_t len)
{
    for (int i = 0; len > 0 && i < DRIVER_WAIT_TURNS_MAX; i++) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN) {
            return; /* it was closed: the reader will see */
        }
        driver_turn(d);
    }
}

/* 1: something came, 0: nothing yet, -1: the end. */
static int driver_receive(int fd, char **bytes, size_t *len, size_t *cap)
{
    if (*cap - *len < 65536) {
        *cap = *cap * 2 + 131072;
        SL_REQUIRE(*cap < DRIVER_ANSWER_BYTES_MAX * 2);
        *bytes = realloc(*bytes, *cap);
        SL_REQUIRE(*bytes != NULL);
        (*bytes)[*len] = '\0';
    }
    ssize_t n = recv(fd, *bytes + *len, *cap - *len - 1, 0);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    *len += (size_t)n;
    (*bytes)[*len] = '\0';
    return n > 0 ? 1 : -1;
}

bool api_read_until(struct api_driver *d, int fd, const char *text, char *got, size_t got_size)
{
    size_t len = strlen(got);
    for (int i = 0; i < DRIVER_WAIT_TURNS_MAX * 5; i++) {
        driver_turn(d);
        ssize_t n = recv(fd, got + len, got_size - len - 1, 0);
        if (n > 0) {
            len += (size_t)n;
            got[len] = '\0';
        }
        if (strstr(got, text))
            return true;
        if (n == 0)
            return false;
    }
    return false;
}

bool api_wait_closed(struct api_driver *d, int fd, int seconds)
{
    char drop[4096];
    uint64_t until = uv_hrtime() + (uint64_t)seconds * 1000000000u;
    while (uv_hrtime() < until) {
        driver_turn(d);
        ssize_t n = recv(fd, drop, sizeof drop, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
    }
    return false;
}

void api_turn(struct api_driver *d, int ms)
{
    uint64_t until = uv_hrtime() + (uint64_t)ms * 1000000u;
    while (uv_hrtime() < until)
        driver_turn(d);
}

/* Joins the chunks of a chunked body in place; its length. */
static size_t driver_dechunk(char *body, size_t len)
{
    size_t from = 0, to = 0;
    while (from < len) {
        char *end;
        size_t size = strtoul(body + from, &end, 16);
        char *start = strstr(end, "\r\n");
        if (!start || size == 0 || start + 2 + size > body + len)
            break;
        memmove(body + to, start + 2, size);
        to += size;
        from = (size_t)(start + 2 - body) + size + 2;
    }
    body[to] = '\0';
    return to;
}

static struct api_answer *driver_read_answer(struct api_driver *d, int fd)
{
    char *bytes = NULL;
    size_t len = 0, cap = 0;
    int got = 0;
    driver_answer_free();
    for (int i = 0; got >= 0 && i < DRIVER_WAIT_TURNS_MAX * 6; i++) {
        driver_turn(d);
        do {
            got = driver_receive(fd, &bytes, &len, &cap);
        } while (got > 0);
    }
    (void)close(fd);
    char *split = strstr(bytes, "\r\n\r\n");
    if (!split) {
        driver_answer = (struct api_answer){ .head = bytes, .body = strdup(""), .was_closed = true };
        bytes[len] = '\0';
        return &driver_answer;
    }
    *split = '\0';
    driver_answer.head = strdup(bytes);
    driver_answer.body_len = len - (size_t)(split + 4 - bytes);
    driver_answer.body = malloc(driver_answer.body_len + 1);
    SL_REQUIRE(driver_answer.head && driver_answer.body);
    memcpy(driver_answer.body, split + 4, driver_answer.body_len);
    driver_answer.body[driver_answer.body_len] = '\0';
    driver_answer.status = strlen(driver_answer.head) > 9 ? (int)strtol(driver_answer.head + 9, NULL, 10) : 0;
    if (strstr(driver_answer.head, "Transfer-Encoding: chunked"))
        driver_answer.body_len = driver_dechunk(driver_answer.body, driver_answer.body_len);
    free(bytes);
    return &driver_answer;
}

struct api_answer *api_raw(struct api_driver *d, const char *bytes, size_t len)
{
    int fd = api_connect(d);
    api_send(d, fd, bytes, len);
    return driver_read_answer(d, fd);
}

struct api_answer *api_call(struct api_driver *d, const char *method, const char *path, const char *headers,
                            const char *body)
{
    size_t body_len = body ? strlen(body) : 0, size = strlen(path) + body_len + (headers ? strlen(headers) : 0) + 256;
    char *request = malloc(size);
    SL_REQUIRE(request != NULL);
    int len = body ? snprintf(request, size,
                              "%s %s HTTP/1.1\r\nHost: node\r\nConnection: close\r\n%sContent-Type: "
                              "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                              method, path, headers ? headers : "", body_len, body)
                   : snprintf(request, size, "%s %s HTTP/1.1\r\nHost: node\r\nConnection: close\r\n%s\r\n", method,
                              path, headers ? headers : "");
    struct api_answer *a = api_raw(d, request, (size_t)len);
    free(request);
    return a;
}

/* ---- JSON ---- */

const char *api_at(const struct api_answer *a, const char *path)
{
    static char text[8192];
    char part[128];
    struct json_object *root = json_tokener_parse(a->body), *at = root;
    while (at && *path != '\0') {
        size_t len = strcspn(path, ".");
        SL_REQUIRE(len < sizeof part);
        memcpy(part, path, len);
        part[len] = '\0';
        path += len + (path[len] == '.' ? 1 : 0);
        if (json_object_is_type(at, json_type_array)) {
            at = json_object_array_get_idx(at, strtoul(part, NULL, 10));
        } else {
            struct json_object *member = NULL;
            bool has = json_object_object_get_ex(at, part, &member);
            if (has && !member) {
                json_object_put(root);
                return "null";
            }
            at = has ? member : NULL;
        }
    }
    (void)snprintf(text, sizeof text, "%s", at ? json_object_get_string(at) : "");
    json_object_put(root);
    return text;
}
