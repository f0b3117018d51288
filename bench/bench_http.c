/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the HTTP API costs: requests per second of one loop, from 32 clients that each wait for their answer, over
 * socket pairs. The node behind it is made up and answers at once, so this is the price of HTTP, routing and JSON alone.
 * One table, or with --json one object.
 */
#include "edge/http/api.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BENCH_CLIENTS = 32, BENCH_NODES = 10, BENCH_ANSWER_BYTES_MAX = 65536 };
#define BENCH_RUN_NS (3 * SL_S)

static struct sl_api *bench_api;
static uv_loop_t bench_loop;
static struct sl_node_view bench_nodes[BENCH_NODES];

/* ---- the made-up node ---- */

static void bench_submit(void *ctx, const struct sl_request *request)
{
    const struct sl_reply reply = { .ticket = request->ticket, .nodes = bench_nodes, .node_count = BENCH_NODES };
    (void)ctx;
    sl_api_on_reply(bench_api, &reply);
}

static void bench_status(void *ctx, struct sl_api_status *status)
{
    (void)ctx;
    *status = (struct sl_api_status){
        .id = SL_STR("n0"), .name = SL_STR("n0"), .cluster = SL_STR("bench"), .is_owner = true
    };
}

static void bench_audit(void *ctx, const struct sl_api_audit *audit)
{
    (void)ctx;
    (void)audit;
}

/* ---- the clients, in a thread of their own ---- */

struct bench_clients {
    int fds[BENCH_CLIENTS];
    const char *path;
    uint64_t answers, bytes;
    atomic_bool is_done;
    uv_async_t done;
};

static sl_ns bench_now(void)
{
    return (sl_ns)uv_hrtime();
}

static void bench_send(int fd, const char *path)
{
    char request[256];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path);
    if (write(fd, request, (size_t)len) != len)
        abort();
}

/* Reads one whole answer, waiting for it; its length. */
static size_t bench_receive(int fd)
{
    static char answer[BENCH_ANSWER_BYTES_MAX];
    size_t len = 0, whole = SIZE_MAX;
    while (len < whole) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n = read(fd, answer + len, sizeof answer - 1 - len);
        if (n == 0)
            abort();
        if (n < 0) {
            (void)poll(&p, 1, -1);
            continue;
        }
        len += (size_t)n;
        answer[len] = '\0';
        const char *body = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
        if (body && length)
            whole = (size_t)(body + 4 - answer) + strtoul(length + strlen("Content-Length: "), NULL, 10);
    }
    return len;
}

static void *bench_clients_run(void *ctx)
{
    struct bench_clients *c = ctx;
    sl_ns end = bench_now() + BENCH_RUN_NS;
    for (int i = 0; i < BENCH_CLIENTS; i++)
        bench_send(c->fds[i], c->path);
    while (bench_now() < end) {
        for (int i = 0; i < BENCH_CLIENTS; i++) {
            c->bytes += bench_receive(c->fds[i]);
            c->answers++;
            bench_send(c->fds[i], c->path);
        }
    }
    for (int i = 0; i < BENCH_CLIENTS; i++)
        (void)bench_receive(c->fds[i]);
    atomic_store(&c->is_done, true);
    (void)uv_async_send(&c->done);
    return NULL;
}

static void bench_on_done(uv_async_t *async)
{
    (void)async;
}

static double bench_cpu_s(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0 ? (double)t.tv_sec + (double)t.tv_nsec / 1e9 : 0;
}

static void bench_run(const char *name, const char *path, bool as_json, bool is_first)
{
    struct bench_clients c = { .path = path };
    pthread_t thread;
    if (uv_async_init(&bench_loop, &c.done, bench_on_done) != 0)
        abort();
    for (int i = 0; i < BENCH_CLIENTS; i++) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
            abort();
        c.fds[i] = fds[0];
        sl_api_adopt(bench_api, fds[1], SL_STR("bench"));
    }
    sl_ns began = bench_now();
    double cpu_s = bench_cpu_s();
    if (pthread_create(&thread, NULL, bench_clients_run, &c) != 0)
        abort();
    while (!atomic_load(&c.is_done))
        (void)uv_run(&bench_loop, UV_RUN_ONCE);
    (void)pthread_join(thread, NULL);
    double seconds = (double)(bench_now() - began) / (double)SL_S;
    double rate = (double)c.answers / seconds, cost_us = (bench_cpu_s() - cpu_s) * 1e6 / (double)c.answers;
    if (as_json)
        printf("%s\"%s_per_s\":%.0f,\"%s_cpu_us\":%.2f", is_first ? "{" : ",", name, rate, name, cost_us);
    else
        printf("%-28s %10.0f requests/s %8.2f us CPU each %8.0f bytes\n", path, rate, cost_us,
               (double)c.bytes / (double)c.answers);
    for (int i = 0; i < BENCH_CLIENTS; i++)
        (void)close(c.fds[i]);
    uv_close((uv_handle_t *)&c.done, NULL);
    for (int i = 0; i < 10; i++)
        (void)uv_run(&bench_loop, UV_RUN_NOWAIT);
}

int main(int argc, char **argv)
{
    const struct sl_api_port port = { .submit = bench_submit, .status = bench_status, .audit = bench_audit };
    bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    struct sl_api_opts opts;
    struct sl_err err;
    for (uint32_t i = 0; i < BENCH_NODES; i++) {
        bench_nodes[i] = (struct sl_node_view){ .observed = true, .has_report = true, .dispatchers = 1000 };
        (void)sl_node_id_set(&bench_nodes[i].capture.id, SL_STR("8d4a609e-ddae-480d-b675-033b18b70de7"));
        memcpy(bench_nodes[i].capture.address, "10.0.0.1:8300", sizeof "10.0.0.1:8300");
    }
    sl_api_opts_default(&opts);
    opts.loop = &bench_loop;
    opts.version = "v8.5.4-sluice.bench";
    opts.git_hash = "";
    if (uv_loop_init(&bench_loop) != 0 || sl_api_open(&bench_api, &opts, &port, &err) != SL_OK)
        return 1;
    bench_run("status", "/status", as_json, true);
    bench_run("nodes", "/api/v2/nodes", as_json, false);
    bench_run("metrics", "/metrics", as_json, false);
    if (as_json)
        printf("}\n");
    sl_api_close(bench_api, NULL, NULL);
    (void)uv_run(&bench_loop, UV_RUN_DEFAULT);
    return 0;
}
