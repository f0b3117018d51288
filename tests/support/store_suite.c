/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/store_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 64, RESULTS_MAX = 256, WAITS_MAX = 1000, TEXT_MAX = 256 };

/* A connection that remembers what it was told. */
struct seen_event {
    bool deleted;
    char key[TEXT_MAX], value[TEXT_MAX];
    sl_revision create_revision, mod_revision, batch_revision;
    sl_lease_id lease;
};

struct conn {
    const struct sl_store_harness *h;
    struct sl_store *store;
    sl_op_id id_next;
    struct sl_store_result results[RESULTS_MAX];
    void *memory[RESULTS_MAX]; /* of the results */
    uint32_t result_count;
    struct seen_event events[EVENTS_MAX];
    uint32_t event_count;
    bool watch_ended;
    enum sl_store_outcome why;
    sl_revision compacted_revision;
};

static void conn_on_result(void *ctx, const struct sl_store_result *r)
{
    struct conn *c = ctx;
    assert_true(c->result_count < RESULTS_MAX);
    for (uint32_t i = 0; i < c->result_count; i++)
        assert_true(c->results[i].id != r->id);
    size_t size = sl_store_result_bytes(r);
    void *memory = malloc(size + 1);
    assert_non_null(memory);
    sl_store_result_copy(&c->results[c->result_count], r, memory);
    c->memory[c->result_count++] = memory;
}

static void text_of(char out[TEXT_MAX], const void *bytes, size_t size)
{
    assert_true(size < TEXT_MAX);
    if (size > 0)
        memcpy(out, bytes, size);
    out[size] = '\0';
}

static void conn_on_watch(void *ctx, const struct sl_store_watch_batch *b)
{
    struct conn *c = ctx;
    assert_false(c->watch_ended);
    for (uint32_t i = 0; i < b->event_count; i++) {
        const struct sl_store_event *from = &b->events[i];
        assert_true(c->event_count < EVENTS_MAX);
        struct seen_event *to = &c->events[c->event_count++];
        text_of(to->key, from->pair.key.ptr, from->pair.key.len);
        text_of(to->value, from->pair.value.ptr, from->pair.value.len);
        to->deleted = from->deleted;
        to->create_revision = from->pair.create_revision;
        to->mod_revision = from->pair.mod_revision;
        to->lease = from->pair.lease;
        to->batch_revision = b->revision;
        assert_true(to->mod_revision <= b->revision);
    }
    c->watch_ended = b->ended;
    c->why = b->why;
    c->compacted_revision = b->compacted_revision;
}

static struct conn *conn_open(const struct sl_store_harness *h)
{
    struct conn *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->h = h;
    c->store = h->open(h->ctx, &(struct sl_store_client){ c, conn_on_result, conn_on_watch });
    return c;
}

static void conn_close(struct conn *c)
{
    c->h->close(c->h->ctx, c->store);
    for (uint32_t i = 0; i < c->result_count; i++)
        free(c->memory[i]);
    free(c);
}

static sl_op_id conn_submit(struct conn *c, struct sl_store_op op)
{
    op.id = ++c->id_next;
    assert_true(sl_store_submit(c->store, &op));
    return op.id;
}

static const struct sl_store_result *conn_find(const struct conn *c, sl_op_id id)
{
    for (uint32_t i = 0; i < c->result_count; i++) {
        if (c->results[i].id == id)
            return &c->results[i];
    }
    return NULL;
}

/* One of WAITS_MAX steps of waiting for something; long in real time, because the machine may be busy. */
static void conn_step(struct conn *c, int step)
{
    if (c->h->poll && step > 0)
        c->h->poll(c->h->ctx, 20 * SL_MS);
    else
        c->h->wait(c->h->ctx, step == 0 ? 0 : SL_MS);
}

static struct sl_store_result conn_await(struct conn *c, sl_op_id id)
{
    for (int i = 0; i < WAITS_MAX && !conn_find(c, id); i++)
        conn_step(c, i);
    assert_non_null(conn_find(c, id));
    return *conn_find(c, id);
}

static struct sl_store_result conn_call(struct conn *c, struct sl_store_op op)
{
    struct sl_store_result r = conn_await(c, conn_submit(c, op));
    sl_assert_i64(r.verb, op.verb);
    return r;
}

static void conn_await_events(struct conn *c, uint32_t count)
{
    for (int i = 0; i < WAITS_MAX && c->event_count < count; i++)
        conn_step(c, i);
    sl_assert_u64(c->event_count, count);
}

static sl_ns clock_of(const struct conn *c)
{
    return c->h->now ? c->h->now(c->h->ctx) : 0;
}

/* Waits this long on the store's clock, whatever is delivered. */
static void conn_sleep(struct conn *c, sl_ns time)
{
    for (sl_ns step = time / 20; time > 0; time -= step)
        c->h->wait(c->h->ctx, sl_ns_min(step, time));
}

/* ---- operations by short names; keys are below the harness's prefix ---- */

struct key {
    char text[TEXT_MAX];
};

static struct key key_of(const struct conn *c, const char *name)
{
    struct key k;
    int len = snprintf(k.text, sizeof k.text, "%s%s", c->h->prefix, name);
    assert_true(len > 0 && (size_t)len < sizeof k.text);
    return k;
}

static struct sl_bytes bytes_of(const char *text)
{
    return (struct sl_bytes){ (const uint8_t *)text, strlen(text) };
}

static struct sl_store_action put_of(const struct key *k, const char *value, sl_lease_id lease)
{
    return (struct sl_store_action){ SL_ACTION_PUT, sl_str_of(k->text), bytes_of(value), lease };
}

static struct sl_store_action delete_of(const struct key *k)
{
    return (struct sl_store_action){ .kind = SL_ACTION_DELETE, .key = sl_str_of(k->text) };
}

static struct sl_store_result do_actions(struct conn *c, const struct sl_store_action *actions, uint32_t count)
{
    return conn_call(c, (struct sl_store_op){ .verb = SL_STORE_TXN, .then = actions, .then_count = count });
}

static struct sl_store_result put_leased(struct conn *c, const char *name, const char *value, sl_lease_id lease)
{
    struct key k = key_of(c, name);
    struct sl_store_action action = put_of(&k, value, lease);
    return do_actions(c, &action, 1);
}

static sl_revision put(struct conn *c, const char *name, const char *value)
{
    struct sl_store_result r = put_leased(c, name, value, 0);
    sl_assert_i64(r.outcome, SL_STORE_OK);
    assert_true(r.succeeded);
    return r.revision;
}

static struct sl_store_result erase(struct conn *c, const char *name)
{
    struct key k = key_of(c, name);
    struct sl_store_action action = delete_of(&k);
    return do_actions(c, &action, 1);
}

/* Puts value into name if the compare holds; else puts "else". */
static struct sl_store_result put_if(struct conn *c, struct sl_store_compare compare, const char *name,
                                     const char *value)
{
    struct key k = key_of(c, name);
    struct sl_store_action then = put_of(&k, value, 0), otherwise = put_of(&k, "else", 0);
    if (compare.key.len == 0)
        compare.key = sl_str_of(k.text);
    return conn_call(c, (struct sl_store_op){ .verb = SL_STORE_TXN,
                                              .compares = &compare,
                                              .compare_count = 1,
                                              .then = &then,
                                              .then_count = 1,
                                              .otherwise = &otherwise,
                                              .otherwise_count = 1 });
}

static struct sl_store_result range(struct conn *c, const char *name, bool exact)
{
    struct key k = key_of(c, name);
    struct sl_store_result r =
        conn_call(c, (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = sl_str_of(k.text), .exact = exact });
    sl_assert_i64(r.outcome, SL_STORE_OK);
    return r;
}

/* The pair of a key that is there. */
static struct sl_store_pair get(struct conn *c, const char *name)
{
    struct sl_store_result r = range(c, name, true);
    sl_assert_u64(r.pair_count, 1);
    return r.pairs[0];
}

static bool is_there(struct conn *c, const char *name)
{
    return range(c, name, true).pair_count == 1;
}

static void assert_value(struct conn *c, const char *name, const char *value)
{
    char text[TEXT_MAX];
    struct sl_store_pair pair = get(c, name);
    text_of(text, pair.value.ptr, pair.value.len);
    sl_assert_str(text, value);
}

static sl_lease_id grant(struct conn *c)
{
    struct sl_store_result r = conn_call(c, (struct sl_store_op){ .verb = SL_STORE_GRANT, .ttl_ns = c->h->ttl_ns });
    sl_assert_i64(r.outcome, SL_STORE_OK);
    assert_true(r.lease != 0);
    assert_true(r.ttl_ns > 0 && r.ttl_ns <= c->h->ttl_ns);
    return r.lease;
}

static struct sl_store_result of_lease(struct conn *c, enum sl_store_verb verb, sl_lease_id lease)
{
    return conn_call(c, (struct sl_store_op){ .verb = verb, .lease = lease });
}

static struct sl_store_result watch(struct conn *c, const char *name, sl_revision from)
{
    struct key k = key_of(c, name);
    return conn_call(c,
                     (struct sl_store_op){ .verb = SL_STORE_WATCH, .key = sl_str_of(k.text), .from_revision = from });
}

static void assert_event(const struct conn *c, uint32_t index, const char *name, const char *value)
{
    struct key k = key_of(c, name);
    assert_true(index < c->event_count);
    const struct seen_event *e = &c->events[index];
    sl_assert_str(e->key, k.text);
    sl_assert_i64(e->deleted, value == NULL);
    if (value)
        sl_assert_str(e->value, value);
}

/* ---- keys and revisions ---- */

void sl_store_fact_a_key_that_is_not_there_has_revision_zero(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    assert_false(is_there(c, "zero/a"));
    assert_true(put_if(c, (struct sl_store_compare){ .kind = SL_COMPARE_MOD_REVISION }, "zero/a", "1").succeeded);
    assert_value(c, "zero/a", "1");
    assert_true(put_if(c, (struct sl_store_compare){ .kind = SL_COMPARE_CREATE_REVISION }, "zero/b", "1").succeeded);
    assert_false(put_if(c, (struct sl_store_compare){ .kind = SL_COMPARE_CREATE_REVISION }, "zero/b", "2").succeeded);
    assert_value(c, "zero/b", "else");
    conn_close(c);
}

void sl_store_fact_a_put_is_one_revision(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_revision first = put(c, "put/a", "1"), second = put(c, "put/a", "2");
    sl_assert_i64(second, first + 1);
    struct sl_store_pair pair = get(c, "put/a");
    sl_assert_i64(pair.create_revision, first);
    sl_assert_i64(pair.mod_revision, second);
    sl_assert_u64(pair.lease, 0);
    sl_assert_i64(put(c, "put/a", "2"), second + 1);
    sl_assert_i64(range(c, "put/", false).revision, second + 1);
    conn_close(c);
}

void sl_store_fact_a_transaction_is_one_revision_for_all_its_keys(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    struct key a = key_of(c, "txn/a"), b = key_of(c, "txn/b"), d = key_of(c, "txn/d");
    sl_revision before = put(c, "txn/d", "x");
    const struct sl_store_action actions[] = { put_of(&b, "2", 0), delete_of(&d), put_of(&a, "1", 0) };
    sl_assert_i64(do_actions(c, actions, 3).revision, before + 1);
    sl_assert_i64(get(c, "txn/a").mod_revision, before + 1);
    sl_assert_i64(get(c, "txn/b").create_revision, before + 1);
    assert_false(is_there(c, "txn/d"));
    conn_close(c);
}

void sl_store_fact_what_changes_nothing_is_no_revision(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_revision before = put(c, "none/a", "1");
    struct sl_store_result r = erase(c, "none/b");
    sl_assert_i64(r.outcome, SL_STORE_OK);
    assert_true(r.succeeded);
    sl_assert_i64(r.revision, before);
    sl_assert_i64(do_actions(c, NULL, 0).revision, before);
    sl_lease_id lease = grant(c);
    sl_assert_i64(of_lease(c, SL_STORE_KEEPALIVE, lease).outcome, SL_STORE_OK);
    sl_assert_i64(of_lease(c, SL_STORE_REVOKE, lease).outcome, SL_STORE_OK);
    sl_assert_i64(range(c, "none/", false).revision, before);
    conn_close(c);
}

void sl_store_fact_a_compare_that_fails_does_the_other_list(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_revision at = put(c, "cmp/a", "1");
    struct sl_store_compare compare = { .kind = SL_COMPARE_MOD_REVISION, .revision = at };
    struct sl_store_result r = put_if(c, compare, "cmp/a", "2");
    assert_true(r.succeeded);
    sl_assert_i64(r.revision, at + 1);
    r = put_if(c, compare, "cmp/a", "3");
    sl_assert_i64(r.outcome, SL_STORE_OK);
    assert_false(r.succeeded);
    assert_value(c, "cmp/a", "else");
    compare = (struct sl_store_compare){ .kind = SL_COMPARE_CREATE_REVISION, .revision = at };
    assert_true(put_if(c, compare, "cmp/a", "4").succeeded);
    compare = (struct sl_store_compare){ .kind = SL_COMPARE_VALUE, .value = bytes_of("4") };
    assert_true(put_if(c, compare, "cmp/a", "5").succeeded);
    assert_false(put_if(c, compare, "cmp/a", "6").succeeded);
    conn_close(c);
}

void sl_store_fact_all_compares_must_hold(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    struct key a = key_of(c, "all/a"), b = key_of(c, "all/b"), out = key_of(c, "all/out");
    sl_revision at = put(c, "all/a", "1");
    struct sl_store_action then = put_of(&out, "then", 0);
    struct sl_store_compare compares[] = {
        { .kind = SL_COMPARE_MOD_REVISION, .key = sl_str_of(a.text), .revision = at },
        { .kind = SL_COMPARE_MOD_REVISION, .key = sl_str_of(b.text), .revision = 0 },
    };
    struct sl_store_op op = {
        .verb = SL_STORE_TXN, .compares = compares, .compare_count = 2, .then = &then, .then_count = 1
    };
    assert_true(conn_call(c, op).succeeded);
    put(c, "all/b", "1");
    assert_false(conn_call(c, op).succeeded);
    conn_close(c);
}

void sl_store_fact_a_missing_key_equals_no_value(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    struct sl_store_compare compare = { .kind = SL_COMPARE_VALUE };
    assert_false(put_if(c, compare, "novalue/a", "1").succeeded);
    put(c, "novalue/b", "");
    assert_true(put_if(c, compare, "novalue/b", "1").succeeded);
    conn_close(c);
}

void sl_store_fact_a_key_made_again_has_a_new_create_revision(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_revision first = put(c, "again/a", "1");
    sl_assert_i64(erase(c, "again/a").revision, first + 1);
    sl_assert_i64(put(c, "again/a", "2"), first + 2);
    sl_assert_i64(get(c, "again/a").create_revision, first + 2);
    conn_close(c);
}

void sl_store_fact_a_list_that_names_a_key_twice_is_refused(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    struct key a = key_of(c, "twice/a");
    sl_revision before = put(c, "twice/b", "1");
    const struct sl_store_action actions[] = { put_of(&a, "1", 0), put_of(&a, "2", 0) };
    sl_assert_i64(do_actions(c, actions, 2).outcome, SL_STORE_REFUSED);
    assert_false(is_there(c, "twice/a"));
    sl_assert_i64(range(c, "twice/", false).revision, before);
    conn_close(c);
}

void sl_store_fact_a_range_is_ascending_and_stays_in_its_prefix(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    const char *const names[] = { "range/b", "range/a/x", "range/a", "range/a/", "range0", "range/a\xff", "rang" };
    const char *const sorted[] = { "range/a", "range/a/", "range/a/x", "range/a\xff", "range/b" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put(c, names[i], names[i]);
    struct sl_store_result r = range(c, "range/", false);
    sl_assert_u64(r.pair_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        struct key k = key_of(c, sorted[i]);
        assert_true(sl_str_eq(r.pairs[i].key, sl_str_of(k.text)));
        assert_true(sl_bytes_eq(r.pairs[i].value, bytes_of(sorted[i])));
    }
    sl_assert_u64(range(c, "range/a\xff", false).pair_count, 1);
    sl_assert_u64(range(c, "range/a", false).pair_count, 4);
    sl_assert_u64(range(c, "range/a", true).pair_count, 1);
    sl_assert_u64(range(c, "range/c", false).pair_count, 0);
    conn_close(c);
}

void sl_store_fact_values_are_bytes(const struct sl_store_harness *h)
{
    enum { SIZE = 200000 };
    struct conn *c = conn_open(h);
    struct key k = key_of(c, "bytes/a");
    uint8_t *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7);
    struct sl_store_action action = { SL_ACTION_PUT, sl_str_of(k.text), { bytes, SIZE }, 0 };
    sl_assert_i64(do_actions(c, &action, 1).outcome, SL_STORE_OK);
    struct sl_store_pair pair = get(c, "bytes/a");
    sl_assert_u64(pair.value.len, SIZE);
    sl_assert_mem(pair.value.ptr, bytes, SIZE);
    put(c, "bytes/a", "");
    sl_assert_u64(get(c, "bytes/a").value.len, 0);
    free(bytes);
    conn_close(c);
}

/* ---- leases ---- */

void sl_store_fact_a_lease_ends_after_its_time_and_takes_its_keys(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_ns start = clock_of(c);
    sl_lease_id lease = grant(c), other = grant(c);
    assert_true(lease != other);
    put_leased(c, "lease/b", "1", lease);
    sl_revision before = put_leased(c, "lease/a", "1", lease).revision;
    sl_assert_u64(get(c, "lease/a").lease, lease);
    conn_sleep(c, h->ttl_ns / 2);
    bool is_alive = is_there(c, "lease/a");
    assert_true(is_alive || clock_of(c) - start >= h->ttl_ns);
    conn_sleep(c, h->ttl_ns / 2 + h->late_ns + SL_MS);
    assert_false(is_there(c, "lease/a"));
    assert_false(is_there(c, "lease/b"));
    sl_assert_i64(range(c, "lease/", false).revision, before + 1);
    conn_close(c);
}

/* False: the machine was so slow that the lease was not kept. */
static bool keeps_alive(struct conn *c)
{
    sl_ns renewed = clock_of(c);
    sl_lease_id lease = grant(c);
    struct sl_store_result r = put_leased(c, "keep/a", "1", lease);
    for (int i = 0; i < 6 && r.outcome == SL_STORE_OK; i++) {
        conn_sleep(c, c->h->ttl_ns / 2);
        sl_ns before = clock_of(c);
        r = of_lease(c, SL_STORE_KEEPALIVE, lease);
        if (clock_of(c) - renewed >= c->h->ttl_ns)
            return false;
        sl_assert_i64(r.outcome, SL_STORE_OK);
        assert_true(r.ttl_ns > 0 && r.ttl_ns <= c->h->ttl_ns);
        renewed = before;
    }
    bool is_alive = is_there(c, "keep/a");
    if (clock_of(c) - renewed >= c->h->ttl_ns)
        return false;
    assert_true(is_alive);
    return true;
}

void sl_store_fact_a_lease_kept_alive_does_not_end(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    int tries = 1;
    while (!keeps_alive(c) && tries < 10)
        tries++;
    assert_true(tries < 10);
    conn_close(c);
}

void sl_store_fact_a_lease_that_is_gone_is_said_to_be(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_lease_id lease = grant(c);
    sl_assert_i64(of_lease(c, SL_STORE_REVOKE, lease).outcome, SL_STORE_OK);
    sl_assert_i64(of_lease(c, SL_STORE_REVOKE, lease).outcome, SL_STORE_LEASE_GONE);
    sl_assert_i64(of_lease(c, SL_STORE_KEEPALIVE, lease).outcome, SL_STORE_LEASE_GONE);
    sl_revision before = put(c, "gone/b", "1");
    sl_assert_i64(put_leased(c, "gone/a", "1", lease).outcome, SL_STORE_LEASE_GONE);
    assert_false(is_there(c, "gone/a"));
    sl_assert_i64(range(c, "gone/", false).revision, before);
    lease = grant(c);
    conn_sleep(c, h->ttl_ns + h->late_ns + SL_MS);
    sl_assert_i64(of_lease(c, SL_STORE_KEEPALIVE, lease).outcome, SL_STORE_LEASE_GONE);
    conn_close(c);
}

void sl_store_fact_a_revoke_takes_the_keys_at_once(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_lease_id lease = grant(c);
    put_leased(c, "revoke/a", "1", lease);
    sl_revision before = put_leased(c, "revoke/b", "1", lease).revision;
    sl_assert_i64(of_lease(c, SL_STORE_REVOKE, lease).revision, before + 1);
    sl_assert_u64(range(c, "revoke/", false).pair_count, 0);
    conn_close(c);
}

void sl_store_fact_a_put_moves_a_key_between_leases(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_lease_id one = grant(c), two = grant(c);
    put_leased(c, "move/a", "1", one);
    put_leased(c, "move/b", "1", one);
    put_leased(c, "move/a", "1", two);
    put(c, "move/b", "1");
    sl_assert_i64(of_lease(c, SL_STORE_REVOKE, one).outcome, SL_STORE_OK);
    assert_true(is_there(c, "move/a"));
    assert_true(is_there(c, "move/b"));
    sl_assert_i64(of_lease(c, SL_STORE_REVOKE, two).outcome, SL_STORE_OK);
    assert_false(is_there(c, "move/a"));
    assert_true(is_there(c, "move/b"));
    conn_close(c);
}

/* ---- watches ---- */

void sl_store_fact_a_watch_delivers_what_was_and_what_comes(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_revision first = put(c, "watch/a", "1");
    put(c, "watch/b", "2");
    put(c, "watc", "no");
    put(c, "watch/a", "3");
    struct sl_store_result r = watch(c, "watch/", first + 1);
    sl_assert_i64(r.outcome, SL_STORE_OK);
    conn_await_events(c, 2);
    assert_event(c, 0, "watch/b", "2");
    sl_assert_i64(c->events[0].create_revision, first + 1);
    assert_event(c, 1, "watch/a", "3");
    sl_assert_i64(c->events[1].create_revision, first);
    sl_assert_i64(c->events[1].mod_revision, first + 3);
    erase(c, "watch/a");
    put(c, "watch/c", "4");
    conn_await_events(c, 4);
    assert_event(c, 2, "watch/a", NULL);
    sl_assert_i64(c->events[2].mod_revision, first + 4);
    assert_event(c, 3, "watch/c", "4");
    conn_close(c);
}

void sl_store_fact_a_watch_from_zero_begins_with_the_next_change(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    put(c, "next/a", "1");
    sl_assert_i64(watch(c, "next/", 0).outcome, SL_STORE_OK);
    put(c, "next/b", "2");
    conn_await_events(c, 1);
    assert_event(c, 0, "next/b", "2");
    conn_close(c);
}

void sl_store_fact_a_watch_sees_leases_end(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_lease_id lease = grant(c);
    put_leased(c, "ends/a", "1", lease);
    put_leased(c, "ends/b", "1", lease);
    sl_assert_i64(watch(c, "ends/", 0).outcome, SL_STORE_OK);
    conn_sleep(c, h->ttl_ns + h->late_ns + SL_MS);
    conn_await_events(c, 2);
    assert_event(c, 0, "ends/a", NULL);
    assert_event(c, 1, "ends/b", NULL);
    sl_assert_i64(c->events[0].mod_revision, c->events[1].mod_revision);
    conn_close(c);
}

void sl_store_fact_a_transaction_is_never_split_over_batches(const struct sl_store_harness *h)
{
    enum { KEYS = 20 };
    struct conn *c = conn_open(h);
    struct key keys[KEYS];
    struct sl_store_action actions[KEYS];
    sl_assert_i64(watch(c, "whole/", 0).outcome, SL_STORE_OK);
    for (int i = 0; i < KEYS; i++) {
        char name[32];
        snprintf(name, sizeof name, "whole/%02d", i);
        keys[i] = key_of(c, name);
        actions[i] = put_of(&keys[i], "v", 0);
    }
    sl_revision at = do_actions(c, actions, KEYS).revision;
    conn_await_events(c, KEYS);
    for (int i = 0; i < KEYS; i++) {
        sl_assert_str(c->events[i].key, keys[i].text);
        sl_assert_i64(c->events[i].mod_revision, at);
        sl_assert_i64(c->events[i].batch_revision, c->events[0].batch_revision);
    }
    conn_close(c);
}

void sl_store_fact_no_batch_comes_after_unwatch(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    struct sl_store_result stands = watch(c, "un/", 0);
    put(c, "un/a", "1");
    conn_await_events(c, 1);
    struct sl_store_result r = conn_call(c, (struct sl_store_op){ .verb = SL_STORE_UNWATCH, .watch = stands.id });
    sl_assert_i64(r.outcome, SL_STORE_OK);
    put(c, "un/b", "1");
    conn_sleep(c, 20 * SL_MS);
    sl_assert_u64(c->event_count, 1);
    conn_close(c);
}

void sl_store_fact_a_compacted_watch_says_where_history_begins(const struct sl_store_harness *h)
{
    if (!h->compact)
        skip();
    struct conn *c = conn_open(h);
    sl_revision first = put(c, "old/a", "1");
    put(c, "old/a", "2");
    sl_revision last = put(c, "old/a", "3");
    h->compact(h->ctx, last);
    struct sl_store_result r = watch(c, "old/", first);
    for (int i = 0; i < WAITS_MAX && r.outcome == SL_STORE_OK && !c->watch_ended; i++)
        conn_step(c, i);
    bool by_result = r.outcome == SL_STORE_COMPACTED;
    assert_true(by_result || (c->watch_ended && c->why == SL_STORE_COMPACTED));
    sl_assert_i64(by_result ? r.compacted_revision : c->compacted_revision, last);
    sl_assert_u64(c->event_count, 0);
    conn_close(c);
    c = conn_open(h);
    sl_assert_i64(watch(c, "old/", last + 1).outcome, SL_STORE_OK);
    put(c, "old/a", "4");
    conn_await_events(c, 1);
    assert_value(c, "old/a", "4");
    conn_close(c);
}

/* ---- connections ---- */

void sl_store_fact_connections_see_each_other(const struct sl_store_harness *h)
{
    struct conn *one = conn_open(h), *two = conn_open(h);
    sl_lease_id lease = grant(one);
    sl_assert_i64(watch(two, "conn/", 0).outcome, SL_STORE_OK);
    put_leased(one, "conn/a", "1", lease);
    assert_value(two, "conn/a", "1");
    conn_close(one);
    sl_assert_i64(of_lease(two, SL_STORE_KEEPALIVE, lease).outcome, SL_STORE_OK);
    assert_value(two, "conn/a", "1");
    conn_await_events(two, 1);
    sl_assert_u64(two->events[0].lease, lease);
    conn_close(two);
}

void sl_store_fact_every_operation_is_answered_once(const struct sl_store_harness *h)
{
    enum { OPS = 200 };
    struct conn *c = conn_open(h);
    struct key k = key_of(c, "many/a");
    sl_op_id ids[OPS];
    for (int i = 0; i < OPS; i++) {
        struct sl_store_action action = put_of(&k, "x", 0);
        struct sl_store_op op = { .verb = SL_STORE_RANGE, .key = sl_str_of(k.text) };
        if (i % 2 == 0)
            op = (struct sl_store_op){ .verb = SL_STORE_TXN, .then = &action, .then_count = 1 };
        ids[i] = conn_submit(c, op);
    }
    sl_assert_u64(c->result_count, 0);
    for (int i = 0; i < OPS; i++)
        sl_assert_i64(conn_await(c, ids[i]).outcome, SL_STORE_OK);
    conn_sleep(c, 20 * SL_MS);
    sl_assert_u64(c->result_count, OPS);
    struct sl_store_pair pair = get(c, "many/a");
    sl_assert_i64(pair.mod_revision - pair.create_revision, OPS / 2 - 1);
    conn_close(c);
}

void sl_store_fact_nothing_is_delivered_after_close(const struct sl_store_harness *h)
{
    struct conn *c = conn_open(h);
    sl_assert_i64(watch(c, "close/", 0).outcome, SL_STORE_OK);
    struct conn *other = conn_open(h);
    uint32_t results = c->result_count;
    struct key k = key_of(c, "close/a");
    conn_submit(c, (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = sl_str_of(k.text) });
    h->close(h->ctx, c->store);
    put(other, "close/b", "1");
    sl_assert_u64(c->result_count, results);
    sl_assert_u64(c->event_count, 0);
    for (uint32_t i = 0; i < c->result_count; i++)
        free(c->memory[i]);
    free(c);
    conn_close(other);
}

void sl_store_fact_racing_transactions_have_one_winner(const struct sl_store_harness *h)
{
    enum { RACERS = 8 };
    struct conn *conns[RACERS];
    sl_op_id ids[RACERS];
    uint32_t winners = 0;
    for (int i = 0; i < RACERS; i++)
        conns[i] = conn_open(h);
    struct key k = key_of(conns[0], "race/a");
    for (int i = 0; i < RACERS; i++) {
        struct sl_store_compare compare = { .kind = SL_COMPARE_CREATE_REVISION, .key = sl_str_of(k.text) };
        struct sl_store_action action = put_of(&k, "x", 0);
        ids[i] = conn_submit(
            conns[i],
            (struct sl_store_op){
                .verb = SL_STORE_TXN, .compares = &compare, .compare_count = 1, .then = &action, .then_count = 1 });
    }
    for (int i = 0; i < RACERS; i++) {
        struct sl_store_result r = conn_await(conns[i], ids[i]);
        sl_assert_i64(r.outcome, SL_STORE_OK);
        winners += r.succeeded ? 1 : 0;
    }
    sl_assert_u64(winners, 1);
    for (int i = 0; i < RACERS; i++)
        conn_close(conns[i]);
}

void sl_store_fact_writes_at_once_get_a_revision_each(const struct sl_store_harness *h)
{
    enum { WRITERS = 4, WRITES = 50 };
    struct conn *conns[WRITERS];
    sl_op_id ids[WRITERS][WRITES];
    bool taken[WRITERS * WRITES] = { false };
    for (int i = 0; i < WRITERS; i++)
        conns[i] = conn_open(h);
    sl_revision base = put(conns[0], "once/a", "0");
    struct key k = key_of(conns[0], "once/a");
    const struct sl_store_action action = put_of(&k, "x", 0);
    for (int n = 0; n < WRITES; n++) {
        for (int i = 0; i < WRITERS; i++)
            ids[i][n] = conn_submit(
                conns[i],
                (struct sl_store_op){ .verb = SL_STORE_TXN, .then = &action, .then_count = 1, .critical = n % 8 == 0 });
    }
    for (int i = 0; i < WRITERS; i++) {
        for (int n = 0; n < WRITES; n++) {
            struct sl_store_result r = conn_await(conns[i], ids[i][n]);
            sl_assert_i64(r.outcome, SL_STORE_OK);
            assert_true(r.revision > base && r.revision <= base + WRITERS * WRITES);
            assert_false(taken[r.revision - base - 1]);
            taken[r.revision - base - 1] = true;
        }
    }
    for (int i = 0; i < WRITERS; i++)
        conn_close(conns[i]);
}
