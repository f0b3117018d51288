/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/mem_tags.h"
#include "port/store_model.h"

#include <string.h>

#define CLIENT_OPS_MAX 1024u
#define CLIENT_WATCHES_MAX 64u

struct client_op {
    struct sl_store_op op; /* what it points to is memory of size bytes */
    void *memory;
    size_t size;
};

struct client_watch {
    sl_op_id id; /* 0 = free */
    char *prefix;
    size_t prefix_size;
    sl_revision next; /* first revision not delivered */
};

struct sl_store_model_client {
    struct sl_store store;
    struct sl_store_model *model;
    struct sl_mem *mem;
    struct client_op ops[CLIENT_OPS_MAX]; /* a ring */
    uint32_t op_first, op_count;
    struct client_watch watches[CLIENT_WATCHES_MAX];
    void (*on_closed)(void *ctx); /* not null: closing */
    void *closed_ctx;
};

static struct sl_store_model_client *client_of(struct sl_store *s)
{
    return (struct sl_store_model_client *)(void *)s;
}

static bool client_submit(struct sl_store *s, const struct sl_store_op *op)
{
    struct sl_store_model_client *c = client_of(s);
    SL_REQUIRE(!c->on_closed);
    size_t size = sl_store_op_bytes(op);
    if (c->op_count == CLIENT_OPS_MAX)
        return false;
    struct client_op *slot = &c->ops[(c->op_first + c->op_count) % CLIENT_OPS_MAX];
    slot->memory = size > 0 ? sl_mem_alloc(c->mem, SL_TAG_STORE, size) : NULL;
    if (size > 0 && !slot->memory)
        return false;
    slot->size = size;
    sl_store_op_copy(&slot->op, op, slot->memory);
    c->op_count++;
    return true;
}

static void client_close(struct sl_store *s, void (*on_closed)(void *ctx), void *ctx)
{
    struct sl_store_model_client *c = client_of(s);
    SL_REQUIRE(!c->on_closed && on_closed);
    c->on_closed = on_closed;
    c->closed_ctx = ctx;
}

static const struct sl_store_backend client_backend = { .name = "model",
                                                        .submit = client_submit,
                                                        .close = client_close };

enum sl_code sl_store_model_client_new(struct sl_store_model_client **out, struct sl_store_model *m, struct sl_mem *mem,
                                       const struct sl_store_client *client)
{
    *out = sl_mem_alloc(mem, SL_TAG_STORE, sizeof **out);
    if (!*out)
        return SL_NOMEM;
    (*out)->store = (struct sl_store){ &client_backend, *client };
    (*out)->model = m;
    (*out)->mem = mem;
    return SL_OK;
}

static void client_free_op(struct sl_store_model_client *c, const struct client_op *op)
{
    sl_mem_free(c->mem, SL_TAG_STORE, op->memory, op->size);
}

static void client_unwatch(struct sl_store_model_client *c, struct client_watch *w)
{
    sl_mem_free(c->mem, SL_TAG_STORE, w->prefix, w->prefix_size);
    *w = (struct client_watch){ 0 };
}

void sl_store_model_client_free(struct sl_store_model_client *c)
{
    if (!c)
        return;
    for (; c->op_count > 0; c->op_count--, c->op_first = (c->op_first + 1) % CLIENT_OPS_MAX)
        client_free_op(c, &c->ops[c->op_first]);
    for (uint32_t i = 0; i < CLIENT_WATCHES_MAX; i++)
        client_unwatch(c, &c->watches[i]);
    sl_mem_free(c->mem, SL_TAG_STORE, c, sizeof *c);
}

struct sl_store *sl_store_model_client_store(struct sl_store_model_client *c)
{
    return &c->store;
}

/* The watch of this id, or null; id 0 finds a free slot. */
static struct client_watch *client_find(struct sl_store_model_client *c, sl_op_id id)
{
    for (uint32_t i = 0; i < CLIENT_WATCHES_MAX; i++) {
        if (c->watches[i].id == id)
            return &c->watches[i];
    }
    return NULL;
}

/* False: no room for it. */
static bool client_watch(struct sl_store_model_client *c, const struct sl_store_op *op, sl_revision now)
{
    struct client_watch *w = client_find(c, 0);
    size_t size = op->key.len + 1; /* never empty */
    char *prefix = w ? sl_mem_alloc(c->mem, SL_TAG_STORE, size) : NULL;
    if (!prefix)
        return false;
    if (op->key.len > 0)
        memcpy(prefix, op->key.ptr, op->key.len);
    *w = (struct client_watch){ op->id, prefix, size, op->from_revision > 0 ? op->from_revision : now + 1 };
    return true;
}

static void client_perform(struct sl_store_model_client *c, sl_ns now, const struct sl_store_op *op)
{
    struct sl_store_result result;
    sl_store_model_perform(c->model, now, op, &result);
    struct client_watch *unwanted = op->verb == SL_STORE_UNWATCH && op->watch != 0 ? client_find(c, op->watch) : NULL;
    if (unwanted)
        client_unwatch(c, unwanted);
    if (op->verb == SL_STORE_WATCH && result.outcome == SL_STORE_OK && !client_watch(c, op, result.revision))
        result.outcome = SL_STORE_REFUSED;
    c->store.client.on_result(c->store.client.ctx, &result);
}

static void client_deliver(struct sl_store_model_client *c, struct client_watch *w)
{
    struct sl_store_watch_batch batch;
    struct sl_str prefix = { w->prefix, w->prefix_size - 1 };
    if (sl_store_model_revision(c->model) < w->next || !sl_store_model_changes(c->model, prefix, w->next, &batch))
        return;
    batch.watch = w->id;
    w->next = batch.revision + 1;
    if (batch.ended)
        client_unwatch(c, w);
    if (batch.ended || batch.event_count > 0)
        c->store.client.on_watch(c->store.client.ctx, &batch);
}

void sl_store_model_client_run(struct sl_store_model_client *c, sl_ns now)
{
    sl_store_model_advance(c->model, now);
    while (c->op_count > 0 && !c->on_closed) {
        struct client_op op = c->ops[c->op_first];
        c->op_first = (c->op_first + 1) % CLIENT_OPS_MAX;
        c->op_count--;
        client_perform(c, now, &op.op);
        client_free_op(c, &op);
    }
    for (uint32_t i = 0; i < CLIENT_WATCHES_MAX && !c->on_closed; i++) {
        if (c->watches[i].id != 0)
            client_deliver(c, &c->watches[i]);
    }
    if (c->on_closed) {
        void (*on_closed)(void *ctx) = c->on_closed;
        c->on_closed = NULL;
        on_closed(c->closed_ctx);
    }
}
