/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream of heartbeats: messages per second from one transport to another over a loopback TCP connection, encoded,
 * framed, flow-controlled and their envelopes decoded at the other end. Both ends share one loop, so a rate is that of one
 * core for both. One table, or with --json one object.
 */
#include "edge/loop/timer.h"
#include "edge/peer/listener.h"
#include "edge/peer/transport.h"
#include "wire/message.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BENCH_RUN_NS (3 * SL_S)

struct bench_end {
    struct sl_node_id id;
    char address[SL_ADDRESS_MAX + 1];
    struct sl_transport *transport;
    struct sl_listener *listener;
    uint64_t count, bytes;
};

static uv_loop_t bench_loop;
static struct bench_end bench_from, bench_to;

static bool bench_on_message(void *ctx, const struct sl_node_id *from, struct sl_bytes bytes)
{
    struct bench_end *end = ctx;
    struct sl_wire_limits limits = SL_WIRE_LIMITS_DEFAULT;
    struct sl_envelope e;
    (void)from;
    if (sl_envelope_decode(&e, bytes, &limits) != SL_REFUSE_NONE)
        abort();
    end->count++;
    end->bytes += bytes.len;
    return true;
}

static void bench_on_event(void *ctx, const struct sl_transport_event *event)
{
    (void)ctx;
    (void)event;
}

static void bench_on_listener_event(void *ctx, enum sl_listener_event_kind kind, const char *address, const char *text)
{
    (void)ctx;
    (void)kind;
    (void)address;
    (void)text;
}

static void bench_on_closed(void *ctx)
{
    (void)ctx;
}

static void bench_on_grpc(void *ctx, struct sl_sock *sock)
{
    struct bench_end *end = ctx;
    sl_transport_adopt(end->transport, sock);
}

static void bench_on_http(void *ctx, const struct sl_http_conn *conn)
{
    (void)ctx;
    (void)conn;
    abort();
}

static void bench_open(struct bench_end *end, const char *id)
{
    struct sl_err e = { 0 };
    const struct sl_listener_opts listener = {
        .loop = &bench_loop,
        .host = "127.0.0.1",
        .connection_count_max = 4,
        .client = { bench_on_grpc, bench_on_http, bench_on_listener_event, end },
    };
    if (!sl_node_id_set(&end->id, sl_str_of(id)) || sl_listener_open(&end->listener, &listener, &e) != SL_OK)
        abort();
    (void)snprintf(end->address, sizeof end->address, "127.0.0.1:%u", (unsigned)sl_listener_port(end->listener));
    const struct sl_transport_opts transport = { .loop = &bench_loop,
                                                 .self = end->id,
                                                 .address = sl_str_of(end->address),
                                                 .limits = { .redial_ns = 20 * SL_MS, .redial_ns_max = 50 * SL_MS },
                                                 .client = { bench_on_message, bench_on_event, bench_on_closed, end },
                                                 .seed = 1 };
    if (sl_transport_open(&end->transport, &transport, &e) != SL_OK)
        abort();
}

static double bench_cpu_s(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void bench_run(const char *name, size_t size, bool as_json, bool is_first)
{
    uint8_t *payload = calloc(1, size);
    sl_ns began = sl_loop_now(), end = began + BENCH_RUN_NS;
    double cpu_s = bench_cpu_s();
    uint64_t count = bench_to.count, bytes = bench_to.bytes;
    while (payload && sl_loop_now() < end) {
        while (sl_transport_send(bench_from.transport, &bench_to.id, SL_MSG_HEART_BEAT_REQUEST, SL_TOPIC_MM,
                                 (struct sl_bytes){ payload, size }) == SL_OK)
            continue;
        (void)uv_run(&bench_loop, UV_RUN_ONCE);
    }
    double seconds = (double)(sl_loop_now() - began) / (double)SL_S;
    double messages = (double)(bench_to.count - count), used_s = bench_cpu_s() - cpu_s;
    double megabytes = (double)(bench_to.bytes - bytes) / 1e6;
    if (as_json)
        printf("%s\"%s_per_s\":%.0f,\"%s_cpu_us\":%.2f", is_first ? "{" : ",", name, messages / seconds, name,
               used_s * 1e6 / messages);
    else
        printf("heartbeats of %5zu bytes %12.0f messages/s %10.0f per CPU second %8.0f MB/s\n", size,
               messages / seconds, messages / used_s, megabytes / seconds);
    free(payload);
}

int main(int argc, char **argv)
{
    bool as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    (void)signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&bench_loop) != 0)
        return 1;
    bench_open(&bench_from, "node-a");
    bench_open(&bench_to, "node-b");
    const struct sl_peer peers[] = { { bench_from.id, sl_str_of(bench_from.address) },
                                     { bench_to.id, sl_str_of(bench_to.address) } };
    if (sl_transport_set_peers(bench_from.transport, peers, 2) != SL_OK ||
        sl_transport_set_peers(bench_to.transport, peers, 2) != SL_OK)
        return 1;
    while (!sl_transport_is_connected(bench_from.transport, &bench_to.id))
        (void)uv_run(&bench_loop, UV_RUN_ONCE);
    bench_run("watermark", 100, as_json, true);
    bench_run("statuses", 4096, as_json, false);
    if (as_json)
        printf("}\n");
    sl_listener_close(bench_from.listener);
    sl_listener_close(bench_to.listener);
    sl_transport_close(bench_from.transport);
    sl_transport_close(bench_to.transport);
    (void)uv_run(&bench_loop, UV_RUN_DEFAULT);
    return 0;
}
