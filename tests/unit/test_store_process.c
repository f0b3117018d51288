/* SPDX-License-Identifier: Apache-2.0 */
/* sl:forks */
#include "edge/etcd/etcd_store.h"
#include "edge/sqlite/sqlite_store.h"
#include "tests/support/etcd_server.h"
#include "tests/support/store_pump.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Several processes on one store: what the lease of one that dies or stands still means to the others. */

enum { CONTENDERS = 4, ROUNDS = 25, EXIT_LEASE_GONE = 7 };
#define TTL_NS (3 * SL_S)
#define PATIENCE_NS (60 * SL_S) /* the machine may be busy */

enum backend { SQLITE, ETCD };

struct place { /* where the store is; the same in all processes */
    enum backend backend;
    char dir[64], path[96];
    struct sl_etcd_server server;
};

static void place_init(struct place *p, enum backend backend)
{
    memset(p, 0, sizeof *p);
    p->backend = backend;
    sl_process_make_dir(p->dir, sizeof p->dir);
    snprintf(p->path, sizeof p->path, "%s/meta.db", p->dir);
    if (backend == ETCD) {
        sl_etcd_server_init(&p->server);
        sl_etcd_server_start(&p->server);
    }
}

static void place_deinit(struct place *p)
{
    if (p->backend == ETCD)
        sl_etcd_server_deinit(&p->server);
    sl_process_remove_dir(p->dir);
}

/* ---- a node: one connection of one process ---- */

struct node {
    struct sl_store_pump pump;
    struct sl_store *store;
    sl_op_id id_next;
    struct sl_store_result result;
    bool is_answered;
    char value[32]; /* of the first pair */
    sl_revision mod_revision;
    uint32_t put_count, delete_count; /* seen by the watch */
};

static void node_on_result(void *ctx, const struct sl_store_result *r)
{
    struct node *n = ctx;
    n->result = *r;
    n->is_answered = true;
    n->mod_revision = r->pair_count > 0 ? r->pairs[0].mod_revision : 0;
    n->value[0] = '\0';
    if (r->pair_count > 0)
        snprintf(n->value, sizeof n->value, "%.*s", (int)r->pairs[0].value.len, (const char *)r->pairs[0].value.ptr);
}

static void node_on_watch(void *ctx, const struct sl_store_watch_batch *b)
{
    struct node *n = ctx;
    for (uint32_t i = 0; i < b->event_count; i++) {
        n->put_count += b->events[i].deleted ? 0 : 1;
        n->delete_count += b->events[i].deleted ? 1 : 0;
    }
}

static void node_open(struct node *n, const struct place *p)
{
    const struct sl_store_client client = { n, node_on_result, node_on_watch };
    struct sl_err err = { 0 };
    enum sl_code code = SL_OK;
    memset(n, 0, sizeof *n);
    sl_store_pump_init(&n->pump);
    if (p->backend == SQLITE) {
        struct sl_sqlite_opts opts = SL_SQLITE_OPTS_DEFAULT;
        opts.path = p->path;
        code = sl_sqlite_store_open(&n->store, &n->pump.loop, &opts, &client, &err);
    } else {
        struct sl_etcd_opts opts = SL_ETCD_OPTS_DEFAULT;
        opts.endpoints = p->server.endpoint;
        code = sl_etcd_store_open(&n->store, &n->pump.loop, &opts, &client, &err);
    }
    sl_assert_str(err.text, "");
    sl_assert_i64(code, SL_OK);
}

static void node_close(struct node *n)
{
    sl_store_pump_close(&n->pump, n->store);
    sl_store_pump_deinit(&n->pump);
}

static enum sl_store_outcome node_call(struct node *n, struct sl_store_op op)
{
    op.id = ++n->id_next;
    n->is_answered = false;
    assert_true(sl_store_submit(n->store, &op));
    for (sl_ns waited = 0; waited < PATIENCE_NS && !n->is_answered; waited += 20 * SL_MS)
        sl_store_pump_poll(&n->pump, 20 * SL_MS);
    assert_true(n->is_answered);
    sl_assert_u64(n->result.id, op.id);
    return n->result.outcome;
}

/* Puts it if it is as it was; false: it was not, or the store is not there now. */
static bool node_put_if(struct node *n, const char *key, sl_revision mod_revision, const char *value, sl_lease_id lease)
{
    const struct sl_store_compare compare = { SL_COMPARE_MOD_REVISION, sl_str_of(key), mod_revision, { 0 } };
    const struct sl_store_action then = {
        SL_ACTION_PUT, sl_str_of(key), { (const uint8_t *)value, strlen(value) }, lease
    };
    const struct sl_store_op op = {
        .verb = SL_STORE_TXN, .compares = &compare, .compare_count = 1, .then = &then, .then_count = 1
    };
    return node_call(n, op) == SL_STORE_OK && n->result.succeeded;
}

static void node_read(struct node *n, const char *key)
{
    const struct sl_store_op op = { .verb = SL_STORE_RANGE, .key = sl_str_of(key), .exact = true };
    while (node_call(n, op) != SL_STORE_OK)
        sl_store_pump_wait(&n->pump, 20 * SL_MS);
}

static sl_lease_id node_grant(struct node *n, sl_ns ttl_ns)
{
    while (node_call(n, (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = ttl_ns }) != SL_STORE_OK)
        sl_store_pump_wait(&n->pump, 20 * SL_MS);
    return n->result.lease;
}

static void node_await(struct node *n, const uint32_t *what, uint32_t wanted)
{
    for (sl_ns waited = 0; waited < PATIENCE_NS && *what < wanted; waited += 20 * SL_MS)
        sl_store_pump_poll(&n->pump, 20 * SL_MS);
    sl_assert_u64(*what, wanted);
}

/* ---- a process that lives as long as its lease ---- */

static int live(void *ctx)
{
    struct node n;
    node_open(&n, ctx);
    sl_lease_id lease = node_grant(&n, TTL_NS);
    while (!node_put_if(&n, "/node", 0, "alive", lease))
        sl_store_pump_wait(&n.pump, 20 * SL_MS);
    for (;;) {
        sl_store_pump_wait(&n.pump, TTL_NS / 4);
        if (node_call(&n, (struct sl_store_op){ .verb = SL_STORE_KEEPALIVE, .lease = lease }) == SL_STORE_LEASE_GONE)
            return EXIT_LEASE_GONE;
    }
}

/* Watches until the other process has put its key and has kept it for longer than a lease. */
static pid_t watch_somebody(struct place *p, struct node *n)
{
    pid_t pid = sl_process_fork(live, p);
    node_open(n, p);
    node_read(n, "/");
    const struct sl_store_op watch = { .verb = SL_STORE_WATCH, .key = SL_STR("/node"), .from_revision = 1 };
    while (node_call(n, watch) != SL_STORE_OK)
        sl_store_pump_wait(&n->pump, 20 * SL_MS);
    node_await(n, &n->put_count, 1);
    sl_store_pump_wait(&n->pump, TTL_NS + TTL_NS / 2);
    sl_assert_u64(n->delete_count, 0);
    return pid;
}

static void killed(enum backend backend)
{
    struct place p;
    struct node n;
    place_init(&p, backend);
    pid_t pid = watch_somebody(&p, &n);
    sl_process_kill(pid);
    node_await(&n, &n.delete_count, 1);
    node_close(&n);
    place_deinit(&p);
}

/* Stops it at a moment when it holds no lock of the file, or nobody could write until it goes on. */
static void stop_between_writes(struct node *n, pid_t pid)
{
    sl_assert_i64(kill(pid, SIGSTOP), 0);
    const struct sl_store_action put = { SL_ACTION_PUT, SL_STR("/other"), { 0 }, 0 };
    while (node_call(n, (struct sl_store_op){ .verb = SL_STORE_TXN, .then = &put, .then_count = 1 }) != SL_STORE_OK) {
        sl_assert_i64(kill(pid, SIGCONT), 0);
        sl_store_pump_wait(&n->pump, 10 * SL_MS);
        sl_assert_i64(kill(pid, SIGSTOP), 0);
    }
}

static void stopped(enum backend backend)
{
    struct place p;
    struct node n;
    place_init(&p, backend);
    pid_t pid = watch_somebody(&p, &n);
    stop_between_writes(&n, pid);
    node_await(&n, &n.delete_count, 1);
    sl_assert_i64(kill(pid, SIGCONT), 0);
    sl_assert_i64(sl_process_wait(pid), EXIT_LEASE_GONE);
    sl_assert_u64(n.put_count, 1);
    node_close(&n);
    place_deinit(&p);
}

/* ---- processes that want the same ---- */

/* Takes the lock, adds one to the number without any condition, gives the lock back. Without the lock numbers would be lost. */
static void add_one(struct node *n)
{
    char next[32];
    const struct sl_store_action erase = { .kind = SL_ACTION_DELETE, .key = SL_STR("/lock") };
    sl_lease_id lease = node_grant(n, PATIENCE_NS);
    while (!node_put_if(n, "/lock", 0, "mine", lease))
        sl_store_pump_wait(&n->pump, 1 * SL_MS);
    node_read(n, "/number");
    snprintf(next, sizeof next, "%" PRId64, (int64_t)strtol(n->value, NULL, 10) + 1);
    sl_store_pump_wait(&n->pump, 1 * SL_MS);
    const struct sl_store_action both[] = {
        { SL_ACTION_PUT, SL_STR("/number"), { (const uint8_t *)next, strlen(next) }, 0 }, erase
    };
    sl_assert_i64(node_call(n, (struct sl_store_op){ .verb = SL_STORE_TXN, .then = both, .then_count = 2 }),
                  SL_STORE_OK);
    sl_assert_i64(node_call(n, (struct sl_store_op){ .verb = SL_STORE_REVOKE, .lease = lease }), SL_STORE_OK);
}

static int contend(void *ctx)
{
    struct node n;
    node_open(&n, ctx);
    for (int i = 0; i < ROUNDS; i++)
        add_one(&n);
    node_close(&n);
    return 0;
}

static void contended(enum backend backend)
{
    struct place p;
    struct node n;
    pid_t pids[CONTENDERS];
    char wanted[32];
    place_init(&p, backend);
    for (int i = 0; i < CONTENDERS; i++)
        pids[i] = sl_process_fork(contend, &p);
    for (int i = 0; i < CONTENDERS; i++)
        sl_assert_i64(sl_process_wait(pids[i]), 0);
    node_open(&n, &p);
    node_read(&n, "/number");
    snprintf(wanted, sizeof wanted, "%d", CONTENDERS * ROUNDS);
    sl_assert_str(n.value, wanted);
    node_read(&n, "/lock");
    sl_assert_i64(n.mod_revision, 0);
    node_close(&n);
    place_deinit(&p);
}

static void sqlite_the_lease_of_a_killed_process_ends_and_others_see_it(void **state)
{
    (void)state;
    killed(SQLITE);
}

static void etcd_the_lease_of_a_killed_process_ends_and_others_see_it(void **state)
{
    (void)state;
    killed(ETCD);
}

static void sqlite_a_process_that_stood_still_hears_that_its_lease_is_gone(void **state)
{
    (void)state;
    stopped(SQLITE);
}

static void etcd_a_process_that_stood_still_hears_that_its_lease_is_gone(void **state)
{
    (void)state;
    stopped(ETCD);
}

static void sqlite_a_lock_is_held_by_one_process_at_a_time(void **state)
{
    (void)state;
    contended(SQLITE);
}

static void etcd_a_lock_is_held_by_one_process_at_a_time(void **state)
{
    (void)state;
    contended(ETCD);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlite_the_lease_of_a_killed_process_ends_and_others_see_it),
        cmocka_unit_test(etcd_the_lease_of_a_killed_process_ends_and_others_see_it),
        cmocka_unit_test(sqlite_a_process_that_stood_still_hears_that_its_lease_is_gone),
        cmocka_unit_test(etcd_a_process_that_stood_still_hears_that_its_lease_is_gone),
        cmocka_unit_test(sqlite_a_lock_is_held_by_one_process_at_a_time),
        cmocka_unit_test(etcd_a_lock_is_held_by_one_process_at_a_time),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
