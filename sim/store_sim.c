/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/store_sim.h"

#include "base/heap.h"
#include "base/prng.h"
#include "base/slab.h"
#include "core/common/mem_tags.h"

#include <string.h>

#define SIM_ITEMS_MAX (1u << 22)
#define SIM_WATCHES_MAX (1u << 16)

/* What one seed is split into; the order is part of every seed's meaning: add at the end. */
enum draw {
    DRAW_THERE,
    DRAW_BACK,
    DRAW_SLOW_THERE,
    DRAW_SLOW_BACK,
    DRAW_REFUSE,
    DRAW_LOSE_REQUEST,
    DRAW_LOSE_ANSWER,
    DRAW_OUTAGE,
    DRAW_OUTAGE_TIME,
    DRAW_OUTAGE_REFUSES,
    DRAW_BREAK,
    DRAW_COMPACT,
    DRAW_COMPACT_AT,
    DRAW_LEADER,
    DRAW_READ,
    DRAW_BATCH,
    DRAW_SLOW_BATCH,
};

enum item_kind {
    ITEM_ARRIVE, /* an operation at the store */
    ITEM_RESULT, /* an answer at the host */
    ITEM_READ,   /* a watch looks what has changed */
    ITEM_BATCH,  /* a batch at the host */
};

struct item {
    enum item_kind kind;
    uint32_t host, life;
    uint64_t number;     /* of the operation of this host */
    sl_ns timeout_at;    /* ARRIVE, RESULT: a lost one is answered then */
    uint32_t watch;      /* READ, BATCH: handle */
    uint64_t watch_uses; /* of the handle, so that a later watch in it is not meant */
    bool is_local;       /* RESULT: said by the host's own side of the connection */
    void *memory;        /* of what u points to */
    size_t memory_size;
    union {
        struct sl_store_op op;
        struct sl_store_result result;
        struct sl_store_watch_batch batch;
    } u;
};

struct watch {
    sl_op_id id;
    uint32_t host, life;
    uint64_t uses;
    char *prefix;
    size_t prefix_size;
    sl_revision next;   /* first revision not read */
    sl_ns delivered_at; /* of the last batch or of the result: nothing comes before it */
    uint64_t batches;
    bool is_reading; /* a READ is queued */
    bool is_ending;  /* its last batch is queued */
};

struct host {
    uint32_t life_dead; /* the last process that is gone */
    uint64_t ops;
    sl_ns outage_until;
};

struct sl_store_sim {
    struct sl_store_sim_opts opts;
    struct sl_store_sim_counts counts;
    struct sl_store_model *model;
    struct sl_heap queue; /* of items by time */
    struct sl_slab items, watches;
    struct host *hosts;
    uint64_t watch_uses;
    sl_ns now;
    void *taken; /* memory of what take_due gave away last */
    size_t taken_size;
};

struct sl_store_sim *sl_store_sim_new(const struct sl_store_sim_opts *opts)
{
    struct sl_store_sim *s = sl_mem_alloc(opts->mem, SL_TAG_SIM, sizeof *s);
    struct sl_store_model_opts model = SL_STORE_MODEL_OPTS_DEFAULT;
    SL_REQUIRE(s != NULL && opts->host_count_max > 0);
    s->opts = *opts;
    s->now = INT64_MIN;
    model.mem = opts->mem;
    model.seed = opts->seed;
    SL_REQUIRE(sl_store_model_new(&s->model, &model) == SL_OK);
    sl_heap_init(&s->queue, opts->mem, SL_TAG_SIM, SIM_ITEMS_MAX, NULL, NULL);
    sl_slab_init(&s->items, opts->mem, SL_TAG_SIM, sizeof(struct item), SIM_ITEMS_MAX);
    sl_slab_init(&s->watches, opts->mem, SL_TAG_SIM, sizeof(struct watch), SIM_WATCHES_MAX);
    s->hosts = sl_mem_alloc(opts->mem, SL_TAG_SIM, opts->host_count_max * sizeof *s->hosts);
    SL_REQUIRE(s->hosts != NULL);
    for (uint32_t i = 0; i < opts->host_count_max; i++)
        s->hosts[i].outage_until = INT64_MIN;
    return s;
}

static void sim_free_watch(struct sl_store_sim *s, uint32_t handle)
{
    struct watch *w = sl_slab_at(&s->watches, handle);
    sl_mem_free(s->opts.mem, SL_TAG_SIM, w->prefix, w->prefix_size);
    sl_slab_free(&s->watches, handle);
}

static void sim_free_taken(struct sl_store_sim *s)
{
    sl_mem_free(s->opts.mem, SL_TAG_SIM, s->taken, s->taken_size);
    s->taken = NULL;
}

void sl_store_sim_free(struct sl_store_sim *s)
{
    if (!s)
        return;
    struct sl_mem *mem = s->opts.mem;
    for (uint32_t h = sl_slab_next(&s->items, 0); h; h = sl_slab_next(&s->items, h)) {
        struct item *i = sl_slab_at(&s->items, h);
        sl_mem_free(mem, SL_TAG_SIM, i->memory, i->memory_size);
    }
    for (uint32_t h = sl_slab_next(&s->watches, 0); h; h = sl_slab_next(&s->watches, h)) {
        struct watch *w = sl_slab_at(&s->watches, h);
        sl_mem_free(mem, SL_TAG_SIM, w->prefix, w->prefix_size);
    }
    sim_free_taken(s);
    sl_heap_deinit(&s->queue);
    sl_slab_deinit(&s->items);
    sl_slab_deinit(&s->watches);
    sl_store_model_free(s->model);
    sl_mem_free(mem, SL_TAG_SIM, s->hosts, s->opts.host_count_max * sizeof *s->hosts);
    sl_mem_free(mem, SL_TAG_SIM, s, sizeof *s);
}

struct sl_store_sim_opts *sl_store_sim_opts(struct sl_store_sim *s)
{
    return &s->opts;
}

const struct sl_store_sim_counts *sl_store_sim_counts(const struct sl_store_sim *s)
{
    return &s->counts;
}

struct sl_store_model *sl_store_sim_model(struct sl_store_sim *s)
{
    return s->model;
}

/* ---- choices ---- */

static uint64_t sim_draw(const struct sl_store_sim *s, enum draw what, uint32_t host, uint64_t number)
{
    return sl_prng_at(s->opts.seed, ((uint64_t)what << 32 | host) + 1, number);
}

static bool sim_chance(const struct sl_store_sim *s, enum draw what, uint32_t host, uint64_t number, uint32_t ppm)
{
    return sim_draw(s, what, host, number) % 1000000 < ppm;
}

/* How long one way takes. */
static sl_ns sim_way(struct sl_store_sim *s, enum draw way, enum draw slow, uint32_t host, uint64_t number)
{
    sl_ns jitter = s->opts.jitter_ns + 1;
    sl_ns time = s->opts.delay_ns + (sl_ns)(sim_draw(s, way, host, number) % (uint64_t)jitter);
    if (sim_chance(s, slow, host, number, s->opts.slow_ppm)) {
        s->counts.slow++;
        time += s->opts.slow_ns;
    }
    return time;
}

/* ---- the queue ---- */

static void sim_push(struct sl_store_sim *s, sl_ns at, const struct item *item)
{
    uint32_t handle = 0;
    struct item *slot = sl_slab_new(&s->items, &handle);
    SL_REQUIRE(slot != NULL);
    *slot = *item;
    SL_REQUIRE(sl_heap_push(&s->queue, (uint64_t)at, handle));
}

static void *sim_memory(struct sl_store_sim *s, struct item *item, size_t size)
{
    item->memory = size > 0 ? sl_mem_alloc(s->opts.mem, SL_TAG_SIM, size) : NULL;
    item->memory_size = size;
    SL_REQUIRE(size == 0 || item->memory != NULL);
    return item->memory;
}

static void sim_drop_memory(struct sl_store_sim *s, struct item *item)
{
    sl_mem_free(s->opts.mem, SL_TAG_SIM, item->memory, item->memory_size);
    item->memory = NULL;
    item->memory_size = 0;
}

static struct host *sim_host(const struct sl_store_sim *s, uint32_t host)
{
    SL_REQUIRE(host < s->opts.host_count_max);
    return &s->hosts[host];
}

static bool sim_is_cut(const struct sl_store_sim *s, uint32_t host)
{
    return sim_host(s, host)->outage_until > s->now;
}

static bool sim_is_dead(const struct sl_store_sim *s, const struct item *item)
{
    return item->life <= sim_host(s, item->host)->life_dead;
}

/* The answer to an operation that was not performed, or whose answer is lost. */
static void sim_answer(struct sl_store_sim *s, sl_ns at, const struct item *op, sl_op_id id, enum sl_store_verb verb,
                       enum sl_store_outcome outcome)
{
    struct item item = { .kind = ITEM_RESULT,
                         .host = op->host,
                         .life = op->life,
                         .number = op->number,
                         .timeout_at = op->timeout_at,
                         .is_local = true,
                         .u.result = { .id = id, .verb = verb, .outcome = outcome } };
    sim_push(s, at, &item);
}

/* ---- from a host to the store ---- */

void sl_store_sim_outage(struct sl_store_sim *s, uint32_t host, sl_ns until)
{
    s->counts.outages++;
    for (uint32_t i = 0; i < s->opts.host_count_max; i++) {
        if ((host == SL_STORE_SIM_ALL || host == i) && s->hosts[i].outage_until < until)
            s->hosts[i].outage_until = until;
    }
}

static void sim_maybe_outage(struct sl_store_sim *s, uint32_t host, uint64_t number)
{
    if (!sim_chance(s, DRAW_OUTAGE, host, number, s->opts.outage_ppm))
        return;
    uint64_t draw = sim_draw(s, DRAW_OUTAGE_TIME, host, number);
    sl_ns length = 1 + (sl_ns)(draw / 8 % (uint64_t)s->opts.outage_ns);
    sl_store_sim_outage(s, draw % 8 == 0 ? SL_STORE_SIM_ALL : host, s->now + length);
}

void sl_store_sim_submit(struct sl_store_sim *s, sl_ns now, uint32_t host, uint32_t life, const struct sl_store_op *op)
{
    SL_REQUIRE(now >= s->now && op->id != 0);
    struct item item = { .kind = ITEM_ARRIVE,
                         .host = host,
                         .life = life,
                         .number = sim_host(s, host)->ops++,
                         .timeout_at = now + s->opts.timeout_ns };
    s->now = now;
    s->counts.submitted++;
    sim_maybe_outage(s, host, item.number);
    sl_ns arrives_at = now + sim_way(s, DRAW_THERE, DRAW_SLOW_THERE, host, item.number);
    if (sim_chance(s, DRAW_REFUSE, host, item.number, s->opts.refuse_ppm)) {
        s->counts.refused++;
        sim_answer(s, arrives_at, &item, op->id, op->verb, SL_STORE_REFUSED);
    } else if (sim_chance(s, DRAW_LOSE_REQUEST, host, item.number, s->opts.lose_request_ppm)) {
        s->counts.lost_requests++;
        sim_answer(s, item.timeout_at, &item, op->id, op->verb, SL_STORE_UNKNOWN);
    } else {
        sl_store_op_copy(&item.u.op, op, sim_memory(s, &item, sl_store_op_bytes(op)));
        sim_push(s, arrives_at, &item);
    }
}

/* ---- watches ---- */

static struct watch *sim_watch_of(const struct sl_store_sim *s, const struct item *item)
{
    if (!sl_slab_is_live(&s->watches, item->watch))
        return NULL;
    struct watch *w = sl_slab_at(&s->watches, item->watch);
    return w->uses == item->watch_uses ? w : NULL;
}

static void sim_open_watch(struct sl_store_sim *s, const struct item *item, sl_ns delivered_at)
{
    uint32_t handle = 0;
    struct watch *w = sl_slab_new(&s->watches, &handle);
    const struct sl_store_op *op = &item->u.op;
    SL_REQUIRE(w != NULL);
    w->id = op->id;
    w->host = item->host;
    w->life = item->life;
    w->uses = ++s->watch_uses;
    w->prefix_size = op->key.len + 1; /* never empty */
    w->prefix = sl_mem_alloc(s->opts.mem, SL_TAG_SIM, w->prefix_size);
    SL_REQUIRE(w->prefix != NULL);
    if (op->key.len > 0)
        memcpy(w->prefix, op->key.ptr, op->key.len);
    w->next = op->from_revision > 0 ? op->from_revision : sl_store_model_revision(s->model) + 1;
    w->delivered_at = delivered_at;
}

static void sim_close_watch(struct sl_store_sim *s, uint32_t host, uint32_t life, sl_op_id id)
{
    for (uint32_t h = sl_slab_next(&s->watches, 0); h; h = sl_slab_next(&s->watches, h)) {
        struct watch *w = sl_slab_at(&s->watches, h);
        if (w->host == host && w->life == life && w->id == id)
            sim_free_watch(s, h);
    }
}

/* Each watch that has something to read will. */
static void sim_wake_watches(struct sl_store_sim *s)
{
    sl_revision revision = sl_store_model_revision(s->model);
    for (uint32_t h = sl_slab_next(&s->watches, 0); h; h = sl_slab_next(&s->watches, h)) {
        struct watch *w = sl_slab_at(&s->watches, h);
        if (w->is_reading || w->is_ending || w->next > revision)
            continue;
        struct item item = { .kind = ITEM_READ, .host = w->host, .life = w->life, .watch = h, .watch_uses = w->uses };
        w->is_reading = true;
        sl_ns late =
            (sl_ns)(sim_draw(s, DRAW_READ, w->host, w->uses << 32 | w->batches) % (uint64_t)(s->opts.jitter_ns + 1));
        sim_push(s, s->now + late, &item);
    }
}

static void sim_send_batch(struct sl_store_sim *s, const struct item *read, struct watch *w,
                           const struct sl_store_watch_batch *batch)
{
    struct item item = {
        .kind = ITEM_BATCH, .host = w->host, .life = w->life, .watch = read->watch, .watch_uses = w->uses
    };
    uint64_t number = w->uses << 32 | w->batches++;
    sl_ns at = s->now + sim_way(s, DRAW_BATCH, DRAW_SLOW_BATCH, w->host, number);
    sl_store_batch_copy(&item.u.batch, batch, sim_memory(s, &item, sl_store_batch_bytes(batch)));
    item.u.batch.watch = w->id;
    w->is_ending = batch->ended;
    w->delivered_at = at > w->delivered_at ? at : w->delivered_at;
    sim_push(s, w->delivered_at, &item);
}

static void sim_on_read(struct sl_store_sim *s, const struct item *item)
{
    struct watch *w = sim_watch_of(s, item);
    struct sl_store_watch_batch batch;
    if (!w)
        return;
    w->is_reading = false;
    SL_REQUIRE(sl_store_model_changes(s->model, (struct sl_str){ w->prefix, w->prefix_size - 1 }, w->next, &batch));
    w->next = batch.revision + 1;
    if (batch.ended) {
        s->counts.compacted_watches++;
    } else if (batch.event_count == 0) {
        return;
    } else if (sim_chance(s, DRAW_BREAK, w->host, w->uses << 32 | w->batches, s->opts.break_watch_ppm)) {
        s->counts.broken_watches++;
        batch = (struct sl_store_watch_batch){ .ended = true, .why = SL_STORE_REFUSED };
    }
    sim_send_batch(s, item, w, &batch);
}

/* ---- at the store ---- */

static void sim_shake_store(struct sl_store_sim *s, const struct item *item)
{
    if (sim_chance(s, DRAW_LEADER, item->host, item->number, s->opts.new_leader_ppm)) {
        s->counts.new_leaders++;
        sl_store_model_extend_leases(s->model, s->now);
    }
    sl_revision low = sl_store_model_compacted(s->model), high = sl_store_model_revision(s->model);
    if (high > low && sim_chance(s, DRAW_COMPACT, item->host, item->number, s->opts.compact_ppm)) {
        uint64_t draw = sim_draw(s, DRAW_COMPACT_AT, item->host, item->number);
        s->counts.compactions++;
        sl_store_model_compact(s->model, low + 1 + (sl_revision)(draw % (uint64_t)(high - low)));
    }
}

static void sim_send_result(struct sl_store_sim *s, const struct item *op, const struct sl_store_result *result)
{
    struct item item = {
        .kind = ITEM_RESULT, .host = op->host, .life = op->life, .number = op->number, .timeout_at = op->timeout_at
    };
    sl_ns at = s->now + sim_way(s, DRAW_BACK, DRAW_SLOW_BACK, op->host, op->number);
    bool is_late = at >= op->timeout_at;
    if (is_late || sim_chance(s, DRAW_LOSE_ANSWER, op->host, op->number, s->opts.lose_answer_ppm)) {
        s->counts.lost_answers++;
        sim_answer(s, op->timeout_at > s->now ? op->timeout_at : s->now, op, result->id, result->verb,
                   SL_STORE_UNKNOWN);
        return;
    }
    sl_store_result_copy(&item.u.result, result, sim_memory(s, &item, sl_store_result_bytes(result)));
    sim_push(s, at, &item);
    if (result->verb == SL_STORE_WATCH && result->outcome == SL_STORE_OK && !sim_is_dead(s, op))
        sim_open_watch(s, op, at);
}

static void sim_on_arrive(struct sl_store_sim *s, struct item *item)
{
    const struct sl_store_op *op = &item->u.op;
    struct sl_store_result result;
    if (sim_is_cut(s, item->host)) {
        bool refuses = sim_draw(s, DRAW_OUTAGE_REFUSES, item->host, item->number) % 2 == 0;
        s->counts.cut_by_outage++;
        sim_answer(s, refuses || item->timeout_at < s->now ? s->now : item->timeout_at, item, op->id, op->verb,
                   refuses ? SL_STORE_REFUSED : SL_STORE_UNKNOWN);
    } else {
        s->counts.performed++;
        sl_store_model_perform(s->model, s->now, op, &result);
        sim_send_result(s, item, &result);
        if (op->verb == SL_STORE_UNWATCH)
            sim_close_watch(s, item->host, item->life, op->watch);
        sim_shake_store(s, item);
        sim_wake_watches(s);
    }
    sim_drop_memory(s, item);
}

void sl_store_sim_perform(struct sl_store_sim *s, sl_ns now, const struct sl_store_op *op,
                          struct sl_store_result *result)
{
    SL_REQUIRE(now >= s->now);
    s->now = now;
    sl_store_model_perform(s->model, now, op, result);
    sim_wake_watches(s);
}

/* ---- from the store to a host ---- */

static bool sim_give(struct sl_store_sim *s, struct item *item, struct sl_store_sim_due *due)
{
    s->taken = item->memory;
    s->taken_size = item->memory_size;
    *due = (struct sl_store_sim_due){ .host = item->host, .life = item->life, .is_batch = item->kind == ITEM_BATCH };
    if (due->is_batch)
        due->batch = item->u.batch;
    else
        due->result = item->u.result;
    return true;
}

static bool sim_on_result(struct sl_store_sim *s, struct item *item, struct sl_store_sim_due *due)
{
    if (!sim_is_dead(s, item) && (item->is_local || !sim_is_cut(s, item->host)))
        return sim_give(s, item, due);
    if (!sim_is_dead(s, item)) {
        const struct sl_store_result *r = &item->u.result;
        s->counts.cut_by_outage++;
        if (r->verb == SL_STORE_WATCH)
            sim_close_watch(s, item->host, item->life, r->id);
        sim_answer(s, item->timeout_at > s->now ? item->timeout_at : s->now, item, r->id, r->verb, SL_STORE_UNKNOWN);
    }
    sim_drop_memory(s, item);
    return false;
}

static bool sim_on_batch(struct sl_store_sim *s, struct item *item, struct sl_store_sim_due *due)
{
    struct watch *w = sim_watch_of(s, item);
    if (!w || sim_is_dead(s, item)) {
        sim_drop_memory(s, item);
        return false;
    }
    if (sim_is_cut(s, item->host)) {
        s->counts.cut_by_outage++;
        sim_drop_memory(s, item);
        item->u.batch = (struct sl_store_watch_batch){ .watch = w->id, .ended = true, .why = SL_STORE_REFUSED };
    }
    if (item->u.batch.ended)
        sim_free_watch(s, item->watch);
    return sim_give(s, item, due);
}

void sl_store_sim_drop(struct sl_store_sim *s, uint32_t host, uint32_t life)
{
    struct host *h = sim_host(s, host);
    h->life_dead = sl_u32_max(h->life_dead, life);
    for (uint32_t w = sl_slab_next(&s->watches, 0); w; w = sl_slab_next(&s->watches, w)) {
        const struct watch *watch = sl_slab_at(&s->watches, w);
        if (watch->host == host && watch->life <= life)
            sim_free_watch(s, w);
    }
}

/* ---- time ---- */

sl_ns sl_store_sim_next_due(const struct sl_store_sim *s)
{
    const struct sl_heap_item *first = sl_heap_peek(&s->queue);
    sl_ns lease = sl_store_model_deadline(s->model);
    return first ? sl_ns_min((sl_ns)first->key, lease) : lease;
}

/* The item is the caller's. */
static bool sim_step(struct sl_store_sim *s, struct item *item, struct sl_store_sim_due *due)
{
    switch (item->kind) {
    case ITEM_ARRIVE:
        sim_on_arrive(s, item);
        return false;
    case ITEM_RESULT:
        return sim_on_result(s, item, due);
    case ITEM_READ:
        sim_on_read(s, item);
        return false;
    case ITEM_BATCH:
        return sim_on_batch(s, item, due);
    }
    SL_UNREACHABLE();
}

bool sl_store_sim_take_due(struct sl_store_sim *s, sl_ns now, struct sl_store_sim_due *due)
{
    SL_REQUIRE(now >= s->now);
    sim_free_taken(s);
    for (sl_ns at = sl_store_sim_next_due(s); at <= now; at = sl_store_sim_next_due(s)) {
        s->now = at > s->now ? at : s->now;
        if (sl_store_model_deadline(s->model) <= s->now) {
            sl_store_model_advance(s->model, s->now);
            sim_wake_watches(s);
            continue;
        }
        uint32_t handle = sl_heap_peek(&s->queue)->value;
        struct item item = *(const struct item *)sl_slab_at(&s->items, handle);
        sl_heap_pop(&s->queue);
        sl_slab_free(&s->items, handle);
        if (sim_step(s, &item, due))
            return true;
    }
    s->now = now;
    return false;
}
