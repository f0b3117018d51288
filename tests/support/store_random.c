/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/store_random.h"

#include "base/prng.h"
#include "core/common/mem_tags.h"
#include "port/store_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 14, LEASES_MAX = 24, ACTIONS = 4, COMPARES = 3, AT_ONCE_MAX = 32, WAITS_MAX = 2000, KEY_SIZE = 96 };
#define TTL_NS (3600 * SL_S) /* leases end by revoking alone: time is not compared here */

static const char *const random_names[KEYS] = { "a", "a/1",    "a/1/x", "a/2", "a/\xff", "a/\xff\xff", "a0",
                                                "b", "b/\x01", "b/1",   "c",   "c/c/c",  "d",          "\xff" };

struct event {
    bool deleted;
    uint8_t value;
    char key[KEY_SIZE];
    sl_revision create_revision, mod_revision;
    sl_lease_id lease;
};

struct step { /* one operation with the memory it points to, for both sides */
    struct sl_store_op op, model_op;
    struct sl_store_compare compares[COMPARES];
    struct sl_store_action lists[2][2][ACTIONS]; /* of the backend, of the model; then, otherwise */
    uint8_t values[2][ACTIONS], compared[COMPARES];
    struct sl_store_result result, expected; /* copies */
    void *memory, *expected_memory;
    bool is_answered;
};

struct random {
    const struct sl_store_harness *h;
    struct sl_prng prng;
    struct sl_mem mem;
    struct sl_store_model *model;
    struct sl_store *store;
    sl_op_id id_next;
    sl_revision base; /* of the backend when the model was new */
    char keys[KEYS][KEY_SIZE];
    struct {
        sl_lease_id id, model_id;
    } leases[LEASES_MAX];
    uint32_t lease_count;
    struct step steps[AT_ONCE_MAX];
    uint32_t step_count, answer_count;
    struct event *events;
    uint32_t event_count, event_cap;
    bool has_watch_ended;
};

/* ---- what the backend says ---- */

static void random_on_result(void *ctx, const struct sl_store_result *r)
{
    struct random *x = ctx;
    for (uint32_t i = 0; i < x->step_count; i++) {
        struct step *s = &x->steps[i];
        if (s->op.id != r->id)
            continue;
        assert_false(s->is_answered);
        s->is_answered = true;
        s->memory = malloc(sl_store_result_bytes(r) + 1);
        assert_non_null(s->memory);
        sl_store_result_copy(&s->result, r, s->memory);
        x->answer_count++;
        return;
    }
    fail_msg("a result that nobody waits for");
}

static void random_note_event(struct random *x, const struct sl_store_event *e)
{
    if (x->event_count == x->event_cap) {
        x->event_cap = x->event_cap > 0 ? x->event_cap * 2 : 64;
        struct event *grown = realloc(x->events, x->event_cap * sizeof *grown);
        assert_non_null(grown);
        x->events = grown;
    }
    struct event *to = &x->events[x->event_count++];
    *to = (struct event){ .deleted = e->deleted,
                          .create_revision = e->pair.create_revision,
                          .mod_revision = e->pair.mod_revision,
                          .lease = e->pair.lease };
    assert_true(e->pair.key.len < KEY_SIZE && e->pair.value.len <= 1);
    memcpy(to->key, e->pair.key.ptr, e->pair.key.len);
    to->value = e->pair.value.len > 0 ? e->pair.value.ptr[0] : 0;
}

static void random_on_watch(void *ctx, const struct sl_store_watch_batch *b)
{
    struct random *x = ctx;
    for (uint32_t i = 0; i < b->event_count; i++)
        random_note_event(x, &b->events[i]);
    x->has_watch_ended = x->has_watch_ended || b->ended;
}

static void random_await(struct random *x)
{
    for (int i = 0; i < WAITS_MAX && x->answer_count < x->step_count; i++) {
        if (x->h->poll && i > 0)
            x->h->poll(x->h->ctx, 20 * SL_MS);
        else
            x->h->wait(x->h->ctx, 0);
    }
    sl_assert_u64(x->answer_count, x->step_count);
}

/* ---- both sides speak of the same ---- */

static sl_revision random_revision(const struct random *x, sl_revision of_model)
{
    return of_model > 0 ? of_model + x->base : 0;
}

static sl_lease_id random_lease(const struct random *x, sl_lease_id of_model)
{
    for (uint32_t i = 0; i < x->lease_count; i++) {
        if (x->leases[i].model_id == of_model)
            return x->leases[i].id;
    }
    return 0;
}

static void assert_same_pair(const struct random *x, const struct sl_store_pair *mine,
                             const struct sl_store_pair *model)
{
    assert_true(sl_str_eq(mine->key, model->key));
    assert_true(sl_bytes_eq(mine->value, model->value));
    sl_assert_i64(mine->create_revision, random_revision(x, model->create_revision));
    sl_assert_i64(mine->mod_revision, random_revision(x, model->mod_revision));
    sl_assert_u64(mine->lease, random_lease(x, model->lease));
}

static void assert_same_result(const struct random *x, const struct step *s)
{
    const struct sl_store_result *mine = &s->result, *model = &s->expected;
    sl_assert_i64(mine->verb, model->verb);
    sl_assert_i64(mine->outcome, model->outcome);
    if (mine->outcome != SL_STORE_OK)
        return;
    sl_assert_i64(mine->revision, model->revision + x->base);
    sl_assert_i64(mine->succeeded, model->succeeded);
    sl_assert_u64(mine->pair_count, model->pair_count);
    for (uint32_t i = 0; i < mine->pair_count; i++)
        assert_same_pair(x, &mine->pairs[i], &model->pairs[i]);
}

/* ---- random operations ---- */

static uint32_t random_below(struct random *x, uint32_t bound)
{
    return (uint32_t)sl_prng_below(&x->prng, bound);
}

/* Index of a lease, live or not, or LEASES_MAX for none. */
static uint32_t random_some_lease(struct random *x)
{
    return x->lease_count > 0 ? random_below(x, x->lease_count) : LEASES_MAX;
}

static void random_compare(struct random *x, struct step *s, uint32_t i)
{
    struct sl_store_pair pair;
    struct sl_str key = sl_str_of(x->keys[random_below(x, KEYS)]);
    (void)sl_store_model_get(x->model, key, &pair);
    enum sl_compare_kind kind = (enum sl_compare_kind)random_below(x, 3);
    sl_revision revision = kind == SL_COMPARE_MOD_REVISION ? pair.mod_revision : pair.create_revision;
    s->compared[i] = (uint8_t)('a' + random_below(x, 2));
    if (random_below(x, 4) == 0)
        revision = revision > 0 ? 0 : 1;
    if (kind == SL_COMPARE_VALUE && pair.value.len > 0 && random_below(x, 3) > 0)
        s->compared[i] = pair.value.ptr[0];
    s->compares[i] = (struct sl_store_compare){
        .kind = kind, .key = key, .revision = random_revision(x, revision), .value = { &s->compared[i], 1 }
    };
}

static void random_action(struct random *x, struct step *s, uint32_t list, uint32_t i, uint32_t key)
{
    uint32_t lease = random_below(x, 3) == 0 ? random_some_lease(x) : LEASES_MAX;
    s->values[list][i] = (uint8_t)('a' + random_below(x, 2));
    for (uint32_t side = 0; side < 2; side++) {
        struct sl_store_action *a = &s->lists[side][list][i];
        *a = (struct sl_store_action){ SL_ACTION_PUT, sl_str_of(x->keys[key]), { &s->values[list][i], 1 }, 0 };
        if (lease < LEASES_MAX)
            a->lease = side == 0 ? x->leases[lease].id : x->leases[lease].model_id;
    }
    if (random_below(x, 3) == 0)
        s->lists[0][list][i].kind = s->lists[1][list][i].kind = SL_ACTION_DELETE;
}

static void random_txn(struct random *x, struct step *s)
{
    uint32_t counts[2] = { random_below(x, ACTIONS + 1), random_below(x, ACTIONS + 1) };
    s->op.verb = SL_STORE_TXN;
    s->op.compare_count = random_below(x, COMPARES + 1);
    for (uint32_t i = 0; i < s->op.compare_count; i++)
        random_compare(x, s, i);
    for (uint32_t list = 0; list < 2; list++) {
        uint32_t key = random_below(x, KEYS);
        for (uint32_t i = 0; i < counts[list]; i++, key = (key + 1 + random_below(x, 2)) % KEYS)
            random_action(x, s, list, i, key);
    }
    s->op.then_count = counts[0];
    s->op.otherwise_count = counts[1];
    s->op.compares = s->compares;
}

static void random_step(struct random *x, struct step *s)
{
    *s = (struct step){ .op.id = ++x->id_next };
    uint32_t kind = random_below(x, 20), lease = random_some_lease(x);
    if (kind < 3) {
        s->op.verb = SL_STORE_RANGE;
        s->op.key = sl_str_of(x->keys[random_below(x, KEYS)]);
        s->op.exact = random_below(x, 2) == 0;
    } else if (kind == 3 && x->lease_count < LEASES_MAX && x->step_count == 0) {
        s->op.verb = SL_STORE_GRANT;
        s->op.ttl_ns = TTL_NS;
    } else if (kind == 4 && lease < LEASES_MAX) {
        s->op.verb = SL_STORE_REVOKE;
    } else if (kind == 5 && lease < LEASES_MAX) {
        s->op.verb = SL_STORE_KEEPALIVE;
    } else {
        random_txn(x, s);
    }
    s->model_op = s->op;
    s->op.critical = random_below(x, 8) == 0;
    if (lease < LEASES_MAX) {
        s->op.lease = x->leases[lease].id;
        s->model_op.lease = x->leases[lease].model_id;
    }
}

/* The compares of a model have revisions of their own. */
static void random_perform_on_model(struct random *x, struct step *s)
{
    struct sl_store_compare compares[COMPARES];
    struct sl_store_result r;
    for (uint32_t i = 0; i < s->op.compare_count; i++) {
        compares[i] = s->compares[i];
        compares[i].revision -= compares[i].revision > 0 ? x->base : 0;
    }
    s->model_op.compares = compares;
    s->model_op.then = s->lists[1][0];
    s->model_op.otherwise = s->lists[1][1];
    sl_store_model_perform(x->model, 0, &s->model_op, &r);
    s->expected_memory = malloc(sl_store_result_bytes(&r) + 1);
    assert_non_null(s->expected_memory);
    sl_store_result_copy(&s->expected, &r, s->expected_memory);
}

static void random_submit(struct random *x, struct step *s)
{
    s->op.then = s->lists[0][0];
    s->op.otherwise = s->lists[0][1];
    assert_true(sl_store_submit(x->store, &s->op));
}

/* Several at once, in the order of submit; a grant comes alone, because the ones after it may want its id. */
static void random_round(struct random *x, uint32_t count)
{
    x->step_count = x->answer_count = 0;
    while (x->step_count < count && (x->step_count == 0 || x->steps[0].op.verb != SL_STORE_GRANT)) {
        struct step *s = &x->steps[x->step_count];
        random_step(x, s);
        x->step_count++;
        random_perform_on_model(x, s);
        random_submit(x, s);
    }
    random_await(x);
    if (x->steps[0].op.verb == SL_STORE_GRANT) {
        x->leases[x->lease_count].id = x->steps[0].result.lease;
        x->leases[x->lease_count++].model_id = x->steps[0].expected.lease;
    }
    for (uint32_t i = 0; i < x->step_count; i++) {
        assert_same_result(x, &x->steps[i]);
        free(x->steps[i].memory);
        free(x->steps[i].expected_memory);
    }
}

/* ---- the whole ---- */

/* One operation of the test's own; its result without what it points to. */
static struct sl_store_result random_call(struct random *x, struct sl_store_op op)
{
    x->step_count = 1;
    x->answer_count = 0;
    x->steps[0] = (struct step){ .op = op };
    x->steps[0].op.id = ++x->id_next;
    assert_true(sl_store_submit(x->store, &x->steps[0].op));
    random_await(x);
    free(x->steps[0].memory);
    sl_assert_i64(x->steps[0].result.outcome, SL_STORE_OK);
    return x->steps[0].result;
}

static void random_compare_events(struct random *x)
{
    struct sl_store_watch_batch batch;
    assert_true(sl_store_model_changes(x->model, (struct sl_str){ 0 }, 1, &batch));
    assert_false(batch.ended);
    for (int i = 0; i < WAITS_MAX && x->event_count < batch.event_count; i++) {
        if (x->h->poll)
            x->h->poll(x->h->ctx, 20 * SL_MS);
        else
            x->h->wait(x->h->ctx, SL_MS);
    }
    sl_assert_u64(x->event_count, batch.event_count);
    assert_false(x->has_watch_ended);
    for (uint32_t i = 0; i < x->event_count; i++) {
        const struct event *mine = &x->events[i];
        const struct sl_store_event *model = &batch.events[i];
        sl_assert_i64(mine->deleted, model->deleted);
        assert_true(sl_str_eq(sl_str_of(mine->key), model->pair.key));
        sl_assert_i64(mine->create_revision, random_revision(x, model->pair.create_revision));
        sl_assert_i64(mine->mod_revision, random_revision(x, model->pair.mod_revision));
        sl_assert_u64(mine->lease, random_lease(x, model->pair.lease));
        sl_assert_u64(mine->value, model->pair.value.len > 0 ? model->pair.value.ptr[0] : 0);
    }
}

void sl_store_random_compare(const struct sl_store_harness *h, uint64_t seed, uint32_t op_count, uint32_t at_once)
{
    struct random *x = calloc(1, sizeof *x);
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    struct sl_store_model_opts model = SL_STORE_MODEL_OPTS_DEFAULT;
    assert_non_null(x);
    assert_true(at_once > 0 && at_once <= AT_ONCE_MAX);
    x->h = h;
    sl_prng_init(&x->prng, seed);
    sl_mem_init(&x->mem, &mem);
    model.mem = &x->mem;
    model.history_count_max = 1 << 16;
    sl_assert_i64(sl_store_model_new(&x->model, &model), SL_OK);
    for (uint32_t i = 0; i < KEYS; i++)
        snprintf(x->keys[i], KEY_SIZE, "%srandom%llu/%s", h->prefix, (unsigned long long)seed, random_names[i]);
    x->store = h->open(h->ctx, &(struct sl_store_client){ x, random_on_result, random_on_watch });
    struct sl_str all = { x->keys[0], strlen(x->keys[0]) - 1 };
    x->base = random_call(x, (struct sl_store_op){ .verb = SL_STORE_RANGE, .key = all }).revision;
    (void)random_call(x, (struct sl_store_op){ .verb = SL_STORE_WATCH, .key = all, .from_revision = x->base + 1 });
    while (x->id_next < op_count)
        random_round(x, 1 + random_below(x, at_once));
    random_compare_events(x);
    h->close(h->ctx, x->store);
    sl_store_model_check(x->model);
    sl_store_model_free(x->model);
    sl_mem_deinit(&x->mem);
    free(x->events);
    free(x);
}

bool sl_store_random_goes_on(const struct sl_store_harness *h, uint64_t seed, uint64_t seed_count, sl_ns began)
{
    const char *text = getenv("SL_STORE_SECONDS");
    sl_ns wanted = text ? (sl_ns)strtoul(text, NULL, 10) * SL_S : 0;
    if (seed <= seed_count || h->now(h->ctx) - began < wanted)
        return true;
    if (text)
        printf("%llu seeds agree, %lld s\n", (unsigned long long)(seed - 1),
               (long long)((h->now(h->ctx) - began) / SL_S));
    return false;
}
