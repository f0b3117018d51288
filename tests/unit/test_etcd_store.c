/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "edge/etcd/etcd_codec.h"
#include "edge/etcd/etcd_store.h"
#include "tests/support/etcd_server.h"
#include "tests/support/sl_certs.h"
#include "tests/support/store_pump.h"
#include "tests/support/store_random.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct fixture {
    struct sl_store_pump pump;
    struct sl_etcd_server server;
    struct sl_etcd_opts opts;
};

static void setup(struct fixture *f)
{
    sl_etcd_server_init(&f->server);
    sl_etcd_server_start(&f->server);
    sl_store_pump_init(&f->pump);
    f->opts = SL_ETCD_OPTS_DEFAULT;
    f->opts.endpoints = f->server.endpoint;
}

static void teardown(struct fixture *f)
{
    sl_store_pump_deinit(&f->pump);
    sl_etcd_server_deinit(&f->server);
}

static struct sl_store *open_store(struct fixture *f, const struct sl_store_client *client)
{
    struct sl_store *store = NULL;
    struct sl_err err = { 0 };
    enum sl_code code = sl_etcd_store_open(&store, &f->pump.loop, &f->opts, client, &err);
    sl_assert_str(err.text, "");
    sl_assert_i64(code, SL_OK);
    return store;
}

/* ---- the suite ---- */

static struct sl_store *harness_open(void *ctx, const struct sl_store_client *client)
{
    return open_store(ctx, client);
}

static void harness_close(void *ctx, struct sl_store *store)
{
    sl_store_pump_close(&((struct fixture *)ctx)->pump, store);
}

static void harness_wait(void *ctx, sl_ns at_most)
{
    sl_store_pump_wait(&((struct fixture *)ctx)->pump, at_most);
}

static sl_ns harness_now(void *ctx)
{
    (void)ctx;
    return (sl_ns)uv_hrtime();
}

static void harness_poll(void *ctx, sl_ns at_most)
{
    sl_store_pump_poll(&((struct fixture *)ctx)->pump, at_most);
}

static void harness_compact(void *ctx, sl_revision revision)
{
    struct fixture *f = ctx;
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, revision);
    const char *const args[] = { "compaction", text, NULL };
    sl_assert_i64(sl_etcd_server_ctl(&f->server, args), 0);
}

static struct sl_store_harness harness_of(struct fixture *f)
{
    return (struct sl_store_harness){ .ctx = f,
                                      .open = harness_open,
                                      .close = harness_close,
                                      .wait = harness_wait,
                                      .poll = harness_poll,
                                      .now = harness_now,
                                      .compact = harness_compact,
                                      .prefix = "/suite/",
                                      .ttl_ns = 2 * SL_S,
                                      .late_ns = 4 * SL_S };
}

static void run_fact(void (*fact)(const struct sl_store_harness *h))
{
    struct fixture f;
    setup(&f);
    const struct sl_store_harness h = harness_of(&f);
    fact(&h);
    teardown(&f);
}

#define FACT_DEFINE(name)               \
    static void name(void **state)      \
    {                                   \
        (void)state;                    \
        run_fact(sl_store_fact_##name); \
    }
SL_STORE_FACTS(FACT_DEFINE)
#undef FACT_DEFINE

static void random_operations_agree_with_the_model(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    const struct sl_store_harness h = harness_of(&f);
    sl_ns began = h.now(h.ctx);
    for (uint64_t seed = 1; sl_store_random_goes_on(&h, seed, 4, began); seed++)
        sl_store_random_compare(&h, seed, 1000, 1);
    teardown(&f);
}

/* ---- what only etcd has ---- */

struct told { /* what a connection was told */
    struct sl_store_result result;
    uint32_t result_count, pair_count, event_count;
    bool has_watch_ended;
    enum sl_store_outcome why;
    enum sl_code health;
    char health_text[200];
};

static void on_result(void *ctx, const struct sl_store_result *r)
{
    struct told *t = ctx;
    t->result = *r;
    t->result.pairs = NULL;
    t->result_count++;
}

static void on_watch(void *ctx, const struct sl_store_watch_batch *b)
{
    struct told *t = ctx;
    t->event_count += b->event_count;
    t->has_watch_ended = t->has_watch_ended || b->ended;
    t->why = b->why;
}

static void on_health(void *ctx, const struct sl_err *e)
{
    struct told *t = ctx;
    t->health = e->code;
    snprintf(t->health_text, sizeof t->health_text, "%s", e->text);
}

static struct sl_store *open_told(struct fixture *f, struct told *t)
{
    *t = (struct told){ 0 };
    f->opts.on_health = on_health;
    f->opts.health_ctx = t;
    return open_store(f, &(struct sl_store_client){ t, on_result, on_watch });
}

static struct sl_store_result call(struct fixture *f, struct sl_store *store, struct told *t, struct sl_store_op op)
{
    uint32_t before = t->result_count;
    op.id = before + 1;
    assert_true(sl_store_submit(store, &op));
    for (int i = 0; i < 1000 && t->result_count == before; i++)
        sl_store_pump_poll(&f->pump, 20 * SL_MS);
    sl_assert_u64(t->result_count, before + 1);
    sl_assert_u64(t->result.id, op.id);
    return t->result;
}

static struct sl_store_result put(struct fixture *f, struct sl_store *store, struct told *t, const char *key)
{
    struct sl_store_action action = { SL_ACTION_PUT, sl_str_of(key), { (const uint8_t *)"1", 1 }, 0 };
    return call(f, store, t, (struct sl_store_op){ .verb = SL_STORE_TXN, .then = &action, .then_count = 1 });
}

static struct sl_store_result range(struct fixture *f, struct sl_store *store, struct told *t, const char *key)
{
    return call(f, store, t, (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = sl_str_of(key) });
}

/* Until it is OK: the server may still be electing itself. */
static void range_until_ok(struct fixture *f, struct sl_store *store, struct told *t, const char *key)
{
    for (int i = 0; i < 50 && range(f, store, t, key).outcome != SL_STORE_OK; i++)
        sl_store_pump_wait(&f->pump, 50 * SL_MS);
    sl_assert_i64(t->result.outcome, SL_STORE_OK);
}

static void a_restart_ends_watches_and_operations_come_back(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    setup(&f);
    struct sl_store *store = open_told(&f, &t);
    sl_revision revision = put(&f, store, &t, "a").revision;
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .key = SL_STR("a") };
    sl_assert_i64(call(&f, store, &t, watch).outcome, SL_STORE_OK);
    sl_etcd_server_stop(&f.server);
    for (int i = 0; i < 500 && !t.has_watch_ended; i++)
        sl_store_pump_poll(&f.pump, 20 * SL_MS);
    assert_true(t.has_watch_ended);
    sl_assert_i64(t.why, SL_STORE_REFUSED);
    sl_etcd_server_start(&f.server);
    range_until_ok(&f, store, &t, "a");
    sl_assert_u64(t.result.pair_count, 1);
    sl_assert_i64(t.result.revision, revision);
    watch.from_revision = revision;
    sl_assert_i64(call(&f, store, &t, watch).outcome, SL_STORE_OK);
    for (int i = 0; i < 500 && t.event_count == 0; i++)
        sl_store_pump_poll(&f.pump, 20 * SL_MS);
    sl_assert_u64(t.event_count, 1);
    sl_assert_i64(t.health, SL_OK);
    sl_store_pump_close(&f.pump, store);
    teardown(&f);
}

static void a_server_that_hangs_leaves_writes_in_doubt(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    setup(&f);
    f.opts.op_ns = 3 * SL_S;
    struct sl_store *store = open_told(&f, &t);
    range_until_ok(&f, store, &t, "a");
    kill(f.server.pid, SIGSTOP);
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_UNKNOWN);
    sl_assert_i64(range(&f, store, &t, "a").outcome, SL_STORE_REFUSED);
    kill(f.server.pid, SIGCONT);
    range_until_ok(&f, store, &t, "a"); /* and the put that was in doubt has arrived, or has not */
    assert_true(t.result.pair_count <= 1);
    sl_store_pump_close(&f.pump, store);
    teardown(&f);
}

static void without_a_server_operations_are_refused_and_it_is_said_why(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    char endpoints[64];
    memset(&f, 0, sizeof f);
    sl_store_pump_init(&f.pump);
    f.opts = SL_ETCD_OPTS_DEFAULT;
    f.opts.op_ns = 300 * SL_MS;
    snprintf(endpoints, sizeof endpoints, "http://127.0.0.1:%u/", sl_process_free_port());
    f.opts.endpoints = endpoints;
    struct sl_store *store = open_told(&f, &t);
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_REFUSED);
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .key = SL_STR("a") };
    sl_assert_i64(call(&f, store, &t, watch).outcome, SL_STORE_REFUSED);
    sl_assert_i64(t.health, SL_NOT_READY);
    assert_non_null(strstr(t.health_text, "no etcd answers"));
    sl_store_pump_close(&f.pump, store);
    sl_store_pump_deinit(&f.pump);
}

static void an_endpoint_that_is_gone_is_passed_over(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    char endpoints[160];
    setup(&f);
    snprintf(endpoints, sizeof endpoints, "etcd://127.0.0.1:%u,127.0.0.1:%u,%s", sl_process_free_port(),
             sl_process_free_port(), f.server.endpoint);
    f.opts.endpoints = endpoints;
    struct sl_store *store = open_told(&f, &t);
    range_until_ok(&f, store, &t, "a");
    sl_assert_i64(t.health, SL_OK);
    sl_store_pump_close(&f.pump, store);
    teardown(&f);
}

static void another_member_takes_over_and_a_minority_answers_nothing(void **state)
{
    (void)state;
    enum { MEMBERS = 3 };
    struct fixture f;
    struct told t;
    struct sl_etcd_server members[MEMBERS];
    char endpoints[200];
    memset(&f, 0, sizeof f);
    for (int i = 0; i < MEMBERS; i++)
        sl_etcd_server_init(&members[i]);
    sl_etcd_server_start_cluster(members, MEMBERS);
    sl_store_pump_init(&f.pump);
    f.opts = SL_ETCD_OPTS_DEFAULT;
    f.opts.op_ns = 1 * SL_S;
    snprintf(endpoints, sizeof endpoints, "%s,%s,%s", members[0].endpoint, members[1].endpoint, members[2].endpoint);
    f.opts.endpoints = endpoints;
    struct sl_store *store = open_told(&f, &t);
    range_until_ok(&f, store, &t, "a");
    while (put(&f, store, &t, "a").outcome != SL_STORE_OK)
        sl_store_pump_wait(&f.pump, 50 * SL_MS);
    sl_store_pump_close(&f.pump, store);
    store = open_told(&f, &t); /* now that all are well, the first of the list is used */
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .key = SL_STR("a") };
    sl_assert_i64(call(&f, store, &t, watch).outcome, SL_STORE_OK);

    sl_etcd_server_stop(&members[0]);
    range_until_ok(&f, store, &t, "a");
    sl_assert_u64(t.result.pair_count, 1);
    assert_true(t.has_watch_ended);

    t.has_watch_ended = false;
    while (call(&f, store, &t, watch).outcome != SL_STORE_OK)
        sl_store_pump_wait(&f.pump, 50 * SL_MS);
    kill(members[1].pid, SIGSTOP); /* one of three is left, whichever is in use */
    sl_store_pump_wait(&f.pump, 1 * SL_S);
    for (int i = 0; i < 8 && !t.has_watch_ended; i++)
        assert_true(put(&f, store, &t, "b").outcome != SL_STORE_OK);
    assert_true(t.has_watch_ended);
    sl_assert_i64(t.why, SL_STORE_REFUSED);
    assert_true(range(&f, store, &t, "a").outcome == SL_STORE_REFUSED);
    kill(members[1].pid, SIGCONT);
    range_until_ok(&f, store, &t, "a");
    sl_store_pump_close(&f.pump, store);
    sl_store_pump_deinit(&f.pump);
    for (int i = 0; i < MEMBERS; i++)
        sl_etcd_server_deinit(&members[i]);
}

static void enable_auth(struct fixture *f)
{
    const char *const add[] = { "user", "add", "root:secret", NULL };
    const char *const grant[] = { "user", "grant-role", "root", "root", NULL };
    const char *const enable[] = { "auth", "enable", NULL };
    for (int i = 0; i < 50 && sl_etcd_server_ctl(&f->server, add) != 0; i++)
        sl_store_pump_wait(&f->pump, 50 * SL_MS);
    sl_assert_i64(sl_etcd_server_ctl(&f->server, grant), 0);
    sl_assert_i64(sl_etcd_server_ctl(&f->server, enable), 0);
}

static struct sl_secret secret_of(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static void with_a_user_a_token_is_fetched_and_renewed(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    char passwd[200];
    const char *const shell[] = { "sh", "-c", passwd, NULL };
    setup(&f);
    enable_auth(&f);
    f.opts.user = "root";
    f.opts.password = secret_of("secret");
    struct sl_store *store = open_told(&f, &t);
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_OK);
    sl_assert_i64(call(&f, store, &t, (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = SL_S }).outcome,
                  SL_STORE_OK);
    /* A new password, be it the same, ends the user's tokens; any change of roles makes the others old. */
    snprintf(passwd, sizeof passwd, "echo secret | etcdctl --endpoints %s --user root:secret user passwd root %s",
             f.server.endpoint, "--interactive=false");
    sl_assert_i64(sl_process_run(shell), 0);
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_OK);
    const char *const role[] = { "--user", "root:secret", "role", "add", "r", NULL };
    sl_assert_i64(sl_etcd_server_ctl(&f.server, role), 0);
    const char *const permission[] = {
        "--user", "root:secret", "role", "grant-permission", "r", "readwrite", "x", NULL
    };
    sl_assert_i64(sl_etcd_server_ctl(&f.server, permission), 0);
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_OK);
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .key = SL_STR("a") };
    sl_assert_i64(call(&f, store, &t, watch).outcome, SL_STORE_OK);
    sl_etcd_server_stop(&f.server); /* tokens live in its memory */
    sl_etcd_server_start(&f.server);
    range_until_ok(&f, store, &t, "a");
    sl_assert_i64(call(&f, store, &t, watch).outcome, SL_STORE_OK);
    sl_store_pump_close(&f.pump, store);
    teardown(&f);
}

static void a_wrong_password_is_refused_and_said(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    setup(&f);
    enable_auth(&f);
    f.opts.user = "root";
    f.opts.password = secret_of("CANARY");
    struct sl_store *store = open_told(&f, &t);
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_REFUSED);
    sl_assert_i64(t.health, SL_BAD_CONFIG);
    assert_non_null(strstr(t.health_text, "check name and password"));
    assert_null(strstr(t.health_text, "CANARY"));
    sl_store_pump_close(&f.pump, store);
    f.opts.user = NULL;
    store = open_told(&f, &t);
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_REFUSED);
    sl_assert_i64(t.health, SL_BAD_CONFIG);
    assert_non_null(strstr(t.health_text, "etcd refuses: etcdserver: user name is empty"));
    sl_assert_i64(range(&f, store, &t, "a").outcome, SL_STORE_REFUSED);
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .key = SL_STR("a") };
    sl_assert_i64(call(&f, store, &t, watch).outcome, SL_STORE_REFUSED);
    sl_store_pump_close(&f.pump, store);
    teardown(&f);
}

static void a_user_is_no_harm_where_nobody_asks_for_one(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    setup(&f);
    f.opts.user = "root";
    f.opts.password = secret_of("secret");
    struct sl_store *store = open_told(&f, &t);
    range_until_ok(&f, store, &t, "a");
    sl_store_pump_close(&f.pump, store);
    teardown(&f);
}

static void with_tls_both_sides_show_a_certificate(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    struct sl_certs certs;
    char endpoint[80];
    sl_certs_open(&certs);
    sl_certs_make_ca(&certs, "ca");
    sl_certs_issue(&certs, "server", "ca", "etcd");
    sl_certs_issue(&certs, "client", "ca", "n1");
    const struct sl_certs_path ca = sl_certs_path(&certs, "ca", ".pem");
    const struct sl_certs_path server_cert = sl_certs_path(&certs, "server", ".pem");
    const struct sl_certs_path server_key = sl_certs_path(&certs, "server", ".key");
    const struct sl_certs_path cert = sl_certs_path(&certs, "client", ".pem");
    const struct sl_certs_path key = sl_certs_path(&certs, "client", ".key");
    sl_etcd_server_init(&f.server);
    f.server.ca = ca.text;
    f.server.cert = server_cert.text;
    f.server.key = server_key.text;
    sl_etcd_server_start(&f.server);
    sl_store_pump_init(&f.pump);
    f.opts = SL_ETCD_OPTS_DEFAULT;
    snprintf(endpoint, sizeof endpoint, "https://%s", f.server.endpoint);
    f.opts.endpoints = endpoint;
    f.opts.ca_file = ca.text;
    f.opts.cert_file = cert.text;
    f.opts.key_file = key.text;
    struct sl_store *store = open_told(&f, &t);
    range_until_ok(&f, store, &t, "a");
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_OK);
    struct sl_store_op watch = { .verb = SL_STORE_WATCH, .key = SL_STR("a") };
    sl_assert_i64(call(&f, store, &t, watch).outcome, SL_STORE_OK);
    sl_store_pump_close(&f.pump, store);

    f.opts = SL_ETCD_OPTS_DEFAULT; /* without TLS all that is seen is an end */
    f.opts.op_ns = 500 * SL_MS;
    f.opts.endpoints = f.server.endpoint;
    store = open_told(&f, &t);
    sl_assert_i64(put(&f, store, &t, "a").outcome, SL_STORE_REFUSED);
    sl_assert_i64(t.health, SL_NOT_READY);
    assert_non_null(strstr(t.health_text, "a TLS port needs https://"));
    sl_store_pump_close(&f.pump, store);
    teardown(&f);
    sl_certs_close(&certs);
}

static void what_etcd_would_not_take_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct told t;
    static uint8_t large[2 << 20];
    setup(&f);
    struct sl_store *store = open_told(&f, &t);
    range_until_ok(&f, store, &t, "a");
    struct sl_store_action action = { SL_ACTION_PUT, SL_STR("a"), { large, sizeof large }, 0 };
    struct sl_store_op op = { .verb = SL_STORE_TXN, .then = &action, .then_count = 1 };
    sl_assert_i64(call(&f, store, &t, op).outcome, SL_STORE_REFUSED);
    action.value.len = 1 << 20;
    sl_assert_i64(call(&f, store, &t, op).outcome, SL_STORE_OK);
    action = (struct sl_store_action){ SL_ACTION_PUT, { 0 }, { large, 1 }, 0 };
    sl_assert_i64(call(&f, store, &t, op).outcome, SL_STORE_REFUSED);
    sl_store_pump_close(&f.pump, store);
    teardown(&f);
}

static void a_lease_is_never_asked_for_shorter_than_wanted(void **state)
{
    (void)state;
    static const struct {
        sl_ns ttl_ns;
        uint8_t seconds;
    } rows[] = { { 1, 1 }, { SL_S - 1, 1 }, { SL_S, 1 }, { SL_S + 1, 2 }, { 10 * SL_S, 10 } };
    const struct sl_mem_opts opts = sl_mem_opts_of(0);
    struct sl_mem mem;
    struct sl_arena arena;
    sl_mem_init(&mem, &opts);
    sl_arena_init(&arena, &mem, SL_TAG_STORE, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct sl_store_op op = { .verb = SL_STORE_GRANT, .ttl_ns = rows[i].ttl_ns };
        const uint8_t wanted[] = { 0x08, rows[i].seconds }; /* field 1, a varint */
        struct sl_bytes bytes = { 0 };
        sl_assert_i64(sl__etcd_encode(&op, &arena, &bytes), SL_OK);
        sl_assert_u64(bytes.len, sizeof wanted);
        sl_assert_mem(bytes.ptr, wanted, sizeof wanted);
    }
    sl_arena_deinit(&arena);
    sl_mem_deinit(&mem);
}

static void options_that_are_wrong_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *endpoints, *cert_file, *words;
    } rows[] = {
        { "", NULL, "'' is not an endpoint of etcd: write host:port" },
        { "h:1,,h:2", NULL, "'' is not an endpoint" },
        { "h:0", NULL, "'h:0' is not an endpoint" },
        { "h:65536", NULL, "'h:65536' is not" },
        { "h:12x", NULL, "'h:12x' is not" },
        { "[::1", NULL, "'[::1' is not" },
        { "h/x:1", NULL, "is not an endpoint" },
        { "root:CANARY@h:1", NULL, "holds an @: give user and password by their options" },
        { "http://h:1,https://h:2", NULL, "some endpoints of etcd are http:// and some https://" },
        { "h:1", "/nowhere/cert.pem", "needs its key" },
    };
    struct sl_store_pump pump;
    sl_store_pump_init(&pump);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sl_etcd_opts opts = SL_ETCD_OPTS_DEFAULT;
        struct sl_store *store = NULL;
        struct sl_err err = { 0 };
        opts.endpoints = rows[i].endpoints;
        opts.cert_file = rows[i].cert_file;
        const struct sl_store_client client = { NULL, on_result, on_watch };
        sl_assert_i64(sl_etcd_store_open(&store, &pump.loop, &opts, &client, &err), SL_BAD_CONFIG);
        assert_null(store);
        if (!strstr(err.text, rows[i].words))
            sl_assert_str(err.text, rows[i].words);
        assert_null(strstr(err.text, "CANARY"));
    }
    sl_store_pump_deinit(&pump);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_not_there_has_revision_zero),
        cmocka_unit_test(a_put_is_one_revision),
        cmocka_unit_test(a_transaction_is_one_revision_for_all_its_keys),
        cmocka_unit_test(what_changes_nothing_is_no_revision),
        cmocka_unit_test(a_compare_that_fails_does_the_other_list),
        cmocka_unit_test(all_compares_must_hold),
        cmocka_unit_test(a_missing_key_equals_no_value),
        cmocka_unit_test(a_key_made_again_has_a_new_create_revision),
        cmocka_unit_test(a_list_that_names_a_key_twice_is_refused),
        cmocka_unit_test(a_range_is_ascending_and_stays_in_its_prefix),
        cmocka_unit_test(values_are_bytes),
        cmocka_unit_test(a_lease_ends_after_its_time_and_takes_its_keys),
        cmocka_unit_test(a_lease_kept_alive_does_not_end),
        cmocka_unit_test(a_lease_that_is_gone_is_said_to_be),
        cmocka_unit_test(a_revoke_takes_the_keys_at_once),
        cmocka_unit_test(a_put_moves_a_key_between_leases),
        cmocka_unit_test(a_watch_delivers_what_was_and_what_comes),
        cmocka_unit_test(a_watch_from_zero_begins_with_the_next_change),
        cmocka_unit_test(a_watch_sees_leases_end),
        cmocka_unit_test(a_transaction_is_never_split_over_batches),
        cmocka_unit_test(no_batch_comes_after_unwatch),
        cmocka_unit_test(a_compacted_watch_says_where_history_begins),
        cmocka_unit_test(connections_see_each_other),
        cmocka_unit_test(every_operation_is_answered_once),
        cmocka_unit_test(nothing_is_delivered_after_close),
        cmocka_unit_test(racing_transactions_have_one_winner),
        cmocka_unit_test(writes_at_once_get_a_revision_each),
        cmocka_unit_test(random_operations_agree_with_the_model),
        cmocka_unit_test(a_restart_ends_watches_and_operations_come_back),
        cmocka_unit_test(a_server_that_hangs_leaves_writes_in_doubt),
        cmocka_unit_test(without_a_server_operations_are_refused_and_it_is_said_why),
        cmocka_unit_test(an_endpoint_that_is_gone_is_passed_over),
        cmocka_unit_test(another_member_takes_over_and_a_minority_answers_nothing),
        cmocka_unit_test(with_a_user_a_token_is_fetched_and_renewed),
        cmocka_unit_test(a_wrong_password_is_refused_and_said),
        cmocka_unit_test(a_user_is_no_harm_where_nobody_asks_for_one),
        cmocka_unit_test(with_tls_both_sides_show_a_certificate),
        cmocka_unit_test(what_etcd_would_not_take_is_refused),
        cmocka_unit_test(a_lease_is_never_asked_for_shorter_than_wanted),
        cmocka_unit_test(options_that_are_wrong_are_named),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
