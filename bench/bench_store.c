/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operations of the metadata store cost, on SQLite and on an etcd of one member that this program starts (it needs
 * `etcd` in PATH): rates and latencies from submit to result, in a loop as a node has it. One table, or with --json one
 * object. Files are below the current directory, so that the disk that counts can be chosen.
 */
#include "edge/etcd/etcd_store.h"
#include "edge/sqlite/sqlite_store.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

extern char **environ;

enum { SAMPLES_MAX = 200000, CONNS_MAX = 4, KEYS = 64 };
#define RUN_NS (2 * SL_S)
#define IDLE_MS 3000

static bool as_json;
static bool is_first = true;

static void report(const char *backend, const char *name, double value, const char *unit)
{
    if (as_json)
        printf("%s\"%s_%s\":%.6g", is_first ? "{" : ",", backend, name, value);
    else
        printf("%-8s %-40s %12.5g %s\n", backend, name, value, unit);
    is_first = false;
}

static sl_ns now(void)
{
    return (sl_ns)uv_hrtime();
}

/* ---- a connection that keeps so many operations in flight ---- */

enum kind { PUT, PUT_CRITICAL, READ, KEEPALIVE, KIND_COUNT };

struct bench {
    uv_loop_t loop;
    const char *backend, *place; /* path or endpoints */
    sl_ns samples[SAMPLES_MAX];
    uint32_t sample_count, failed_count;
    sl_ns end;
    uint32_t in_flight;
    sl_ns watch_submitted; /* of the put whose event is awaited */
    bool is_done;
};

struct conn {
    struct bench *b;
    struct sl_store *store;
    enum kind kind;
    sl_op_id id_next;
    sl_ns submitted[1024]; /* by id */
    char key[32];
    sl_lease_id lease;
    struct sl_store_result last;
};

static void bench_sample(struct bench *b, sl_ns time)
{
    if (b->sample_count < SAMPLES_MAX)
        b->samples[b->sample_count++] = time;
}

static void conn_submit(struct conn *c, enum kind kind)
{
    static const uint8_t value[100];
    struct sl_store_op op = { .id = ++c->id_next, .verb = SL_STORE_TXN };
    snprintf(c->key, sizeof c->key, "/bench/%u", (unsigned)(op.id % KEYS));
    const struct sl_store_action put = { SL_ACTION_PUT, sl_str_of(c->key), { value, sizeof value }, 0 };
    op.then = &put;
    op.then_count = 1;
    op.critical = kind == PUT_CRITICAL;
    if (kind == READ)
        op = (struct sl_store_op){ .id = op.id, .verb = SL_STORE_RANGE, .key = sl_str_of(c->key), .exact = true };
    if (kind == KEEPALIVE)
        op = (struct sl_store_op){ .id = op.id, .verb = SL_STORE_KEEPALIVE, .lease = c->lease };
    c->submitted[op.id % 1024] = now();
    c->b->in_flight++;
    if (!sl_store_submit(c->store, &op)) {
        fprintf(stderr, "bench_store: an operation was not taken\n");
        exit(1);
    }
}

static void conn_on_result(void *ctx, const struct sl_store_result *r)
{
    struct conn *c = ctx;
    struct bench *b = c->b;
    b->in_flight--;
    c->last = *r;
    if (b->watch_submitted != 0)
        return; /* the event counts */
    b->failed_count += r->outcome == SL_STORE_OK ? 0 : 1;
    if (r->verb == SL_STORE_GRANT || r->verb == SL_STORE_WATCH || b->end == 0)
        return;
    bench_sample(b, now() - c->submitted[r->id % 1024]);
    if (now() < b->end)
        conn_submit(c, c->kind);
}

static void conn_on_watch(void *ctx, const struct sl_store_watch_batch *batch)
{
    struct bench *b = ((struct conn *)ctx)->b;
    if (batch->event_count == 0 || b->watch_submitted == 0)
        return;
    bench_sample(b, now() - b->watch_submitted);
    b->is_done = true;
}

static void conn_open(struct conn *c, struct bench *b)
{
    const struct sl_store_client client = { c, conn_on_result, conn_on_watch };
    struct sl_sqlite_opts sqlite = SL_SQLITE_OPTS_DEFAULT;
    struct sl_etcd_opts etcd = SL_ETCD_OPTS_DEFAULT;
    struct sl_err err = { 0 };
    memset(c, 0, sizeof *c);
    c->b = b;
    sqlite.path = b->place;
    etcd.endpoints = b->place;
    enum sl_code code = strcmp(b->backend, "sqlite") == 0
                            ? sl_sqlite_store_open(&c->store, &b->loop, &sqlite, &client, &err)
                            : sl_etcd_store_open(&c->store, &b->loop, &etcd, &client, &err);
    if (code == SL_OK)
        return;
    fprintf(stderr, "bench_store: %s\n", err.text);
    exit(1);
}

static void conn_on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static void conn_close(struct conn *c)
{
    bool closed = false;
    sl_store_close(c->store, conn_on_closed, &closed);
    while (!closed)
        uv_run(&c->b->loop, UV_RUN_ONCE);
}

/* One operation, waited for. */
static struct sl_store_result conn_call(struct conn *c, struct sl_store_op op)
{
    op.id = ++c->id_next;
    c->last.id = 0;
    c->b->in_flight++;
    if (!sl_store_submit(c->store, &op))
        exit(1);
    while (c->last.id != op.id)
        uv_run(&c->b->loop, UV_RUN_ONCE);
    return c->last;
}

/* ---- what is measured ---- */

static int compare_ns(const void *a, const void *b)
{
    sl_ns x = *(const sl_ns *)a, y = *(const sl_ns *)b;
    return x < y ? -1 : x > y;
}

static double bench_quantile_us(struct bench *b, double q)
{
    qsort(b->samples, b->sample_count, sizeof b->samples[0], compare_ns);
    return b->sample_count == 0 ? 0 : (double)b->samples[(uint32_t)(q * (b->sample_count - 1))] / 1000;
}

static void bench_report(struct bench *b, const char *name, double rate)
{
    char text[80];
    if (rate > 0) {
        snprintf(text, sizeof text, "%s_per_s", name);
        report(b->backend, text, rate, "/s");
    }
    snprintf(text, sizeof text, "%s_p50_us", name);
    report(b->backend, text, bench_quantile_us(b, 0.5), "us");
    snprintf(text, sizeof text, "%s_p99_us", name);
    report(b->backend, text, bench_quantile_us(b, 0.99), "us");
    if (b->failed_count > 0)
        fprintf(stderr, "bench_store: %s: %u operations were not OK\n", name, b->failed_count);
}

static void bench_run(struct bench *b, const char *name, enum kind kind, int conn_count, int in_flight)
{
    struct conn *conns = calloc(CONNS_MAX, sizeof *conns);
    if (!conns)
        exit(1);
    b->end = 0;
    for (int i = 0; i < conn_count; i++) {
        conn_open(&conns[i], b);
        conns[i].kind = kind;
        (void)conn_call(&conns[i], (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = SL_STR("/") });
        conns[i].lease =
            conn_call(&conns[i], (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = 60 * SL_S }).lease;
    }
    b->sample_count = b->failed_count = 0;
    sl_ns start = now();
    b->end = start + RUN_NS;
    for (int i = 0; i < conn_count; i++) {
        for (int n = 0; n < in_flight; n++)
            conn_submit(&conns[i], kind);
    }
    while (b->in_flight > 0)
        uv_run(&b->loop, UV_RUN_ONCE);
    bench_report(b, name, (double)b->sample_count * (double)SL_S / (double)(now() - start));
    for (int i = 0; i < conn_count; i++)
        conn_close(&conns[i]);
    free(conns);
}

/* From the submit of a put on one connection to its event on another. */
static void bench_watch(struct bench *b)
{
    struct conn *conns = calloc(2, sizeof *conns);
    if (!conns)
        exit(1);
    b->sample_count = b->failed_count = 0;
    conn_open(&conns[0], b);
    conn_open(&conns[1], b);
    (void)conn_call(&conns[1], (struct sl_store_op){ .verb = SL_STORE_WATCH, .key = SL_STR("/bench/") });
    for (int i = 0; i < 300; i++) {
        b->is_done = false;
        b->watch_submitted = now();
        conn_submit(&conns[0], PUT);
        while (!b->is_done || b->in_flight > 0)
            uv_run(&b->loop, UV_RUN_ONCE);
    }
    b->watch_submitted = 0;
    bench_report(b, "watch_latency", 0);
    conn_close(&conns[0]);
    conn_close(&conns[1]);
    free(conns);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void bench_on_time(uv_timer_t *timer)
{
    ((struct bench *)timer->data)->is_done = true;
}

/* What a node pays for a watch while nothing happens. */
static void bench_idle(struct bench *b)
{
    struct conn *c = calloc(1, sizeof *c);
    uv_timer_t timer;
    if (!c)
        exit(1);
    conn_open(c, b);
    (void)conn_call(c, (struct sl_store_op){ .verb = SL_STORE_WATCH, .key = SL_STR("/bench/") });
    double before = cpu_seconds();
    b->is_done = false;
    timer.data = b;
    uv_timer_init(&b->loop, &timer);
    uv_timer_start(&timer, bench_on_time, IDLE_MS, 0);
    while (!b->is_done)
        uv_run(&b->loop, UV_RUN_ONCE);
    report(b->backend, "idle_watch_cpu_percent", (cpu_seconds() - before) * 100 * 1000 / IDLE_MS, "%");
    uv_close((uv_handle_t *)&timer, NULL);
    conn_close(c);
    free(c);
}

static void bench_all(struct bench *b)
{
    bench_idle(b);
    bench_run(b, "put", PUT, 1, 1);
    bench_run(b, "put_critical", PUT_CRITICAL, 1, 1);
    bench_run(b, "put_critical_64_in_flight", PUT_CRITICAL, 1, 64);
    bench_run(b, "put_critical_4_connections", PUT_CRITICAL, 4, 1);
    bench_run(b, "read", READ, 1, 1);
    bench_run(b, "read_64_in_flight", READ, 1, 64);
    bench_run(b, "keepalive", KEEPALIVE, 1, 1);
    bench_watch(b);
}

/* ---- an etcd to measure ---- */

static uint16_t free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t size = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &size) != 0)
        exit(1);
    close(fd);
    return ntohs(a.sin_port);
}

static pid_t etcd_start(const char *dir, char *endpoint, size_t size)
{
    char client[64], peer[64], cluster[80];
    uint16_t port = free_port();
    pid_t pid = 0;
    snprintf(endpoint, size, "127.0.0.1:%u", port);
    snprintf(client, sizeof client, "http://%s", endpoint);
    snprintf(peer, sizeof peer, "http://127.0.0.1:%u", free_port());
    snprintf(cluster, sizeof cluster, "m=%s", peer);
    const char *const argv[] = { "etcd",  "--name",
                                 "m",     "--data-dir",
                                 dir,     "--log-level",
                                 "error", "--listen-client-urls",
                                 client,  "--advertise-client-urls",
                                 client,  "--listen-peer-urls",
                                 peer,    "--initial-advertise-peer-urls",
                                 peer,    "--initial-cluster",
                                 cluster, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, "etcd", &actions, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
        pid = 0;
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void remove_dir(const char *dir)
{
    const char *const argv[] = { "rm", "-rf", dir, NULL };
    pid_t pid = 0;
    if (posix_spawnp(&pid, "rm", NULL, NULL, (char *const *)(uintptr_t)argv, environ) == 0)
        waitpid(pid, NULL, 0);
}

static void bench_etcd(struct bench *b, const char *dir)
{
    char data[96], endpoint[48];
    struct conn *c = calloc(1, sizeof *c);
    snprintf(data, sizeof data, "%s/etcd", dir);
    pid_t pid = etcd_start(data, endpoint, sizeof endpoint);
    if (pid == 0 || !c) {
        fprintf(stderr, "bench_store: etcd cannot be started: install etcd-server\n");
        free(c);
        return;
    }
    b->backend = "etcd";
    b->place = endpoint;
    b->end = 0;
    conn_open(c, b);
    for (int i = 0; i < 10; i++) {
        if (conn_call(c, (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = SL_STR("/") }).outcome == SL_STORE_OK)
            break;
    }
    conn_close(c);
    free(c);
    bench_all(b);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
    char dir[] = "bench-store-XXXXXX", path[64];
    struct bench *b = calloc(1, sizeof *b);
    as_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    signal(SIGPIPE, SIG_IGN);
    if (!b || uv_loop_init(&b->loop) != 0 || !mkdtemp(dir)) {
        fprintf(stderr, "bench_store: no memory, or the current directory cannot be written\n");
        return 1;
    }
    snprintf(path, sizeof path, "%s/meta.db", dir);
    b->backend = "sqlite";
    b->place = path;
    bench_all(b);
    bench_etcd(b, dir);
    if (as_json)
        printf("}\n");
    remove_dir(dir);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    uv_loop_close(&b->loop);
    free(b);
    return 0;
}
