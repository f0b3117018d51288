/* SPDX-License-Identifier: Apache-2.0 */
#include "app/host.h"

#include "app/exits.h"
#include "core/common/mem_tags.h"

#include <stdlib.h>
#include <string.h>

#define HOST_INPUT_BYTES_MAX ((size_t)1 << 30)

struct host_input { /* encoded */
    struct host_input *next;
    bool is_message;
    size_t len;
    uint8_t bytes[];
};

struct host_held { /* a message that waits for a store operation */
    struct host_held *next;
    sl_op_id op;
    struct sl_node_id to;
    enum sl_msg_type type;
    enum sl_topic topic;
    size_t len;
    uint8_t payload[];
};

struct sl_host {
    struct sl_host_opts opts;
    struct sl_params_node node;
    struct sl_mem mem; /* of decoded inputs */
    struct sl_arena arena;
    struct sl_buf encoded;  /* of the input of this step */
    struct sl_buf envelope; /* of a message to the node itself */
    struct host_input *first, **last;
    struct host_held *held_first, **held_last;
    uint32_t loop_count;
    size_t loop_bytes;
    bool is_stepping;
    sl_ns now;
    struct sl_host_stats stats;
};

/* ---- inputs that wait ---- */

static bool host_queue_bytes(struct sl_host *h, struct sl_bytes bytes, bool is_message)
{
    struct host_input *i = malloc(sizeof *i + bytes.len);
    if (!i)
        return false;
    *i = (struct host_input){ .is_message = is_message, .len = bytes.len };
    memcpy(i->bytes, bytes.ptr, bytes.len);
    *h->last = i;
    h->last = &i->next;
    h->stats.waiting_count++;
    h->loop_count += is_message ? 1 : 0;
    h->loop_bytes += is_message ? bytes.len : 0;
    return true;
}

/* What is not a message is owed to the core or to a client: without memory for it the process cannot go on. */
static void host_queue(struct sl_host *h, const struct sl_input *in)
{
    struct sl_buf b = { 0 };
    sl_input_encode(&b, in);
    bool ok = !b.failed && host_queue_bytes(h, sl_buf_bytes(&b), in->kind == SL_IN_MESSAGE);
    if (!ok && in->kind != SL_IN_MESSAGE)
        sl_exit_no_memory("an input of the control plane");
    h->stats.lost_count += ok ? 0 : 1;
    sl_buf_deinit(&b);
}

static struct host_input *host_take(struct sl_host *h)
{
    struct host_input *i = h->first;
    if (!i)
        return NULL;
    h->first = i->next;
    if (!h->first)
        h->last = &h->first;
    h->stats.waiting_count--;
    h->loop_count -= i->is_message ? 1 : 0;
    h->loop_bytes -= i->is_message ? i->len : 0;
    return i;
}

/* ---- messages ---- */

/* H3. */
static void host_loop_back(struct sl_host *h, const struct sl_out_send *send)
{
    struct sl_str self = sl_node_id_str(&h->opts.params.id);
    struct sl_envelope e = {
        .type = send->type, .from = self, .to = self, .topic = sl_str_of(sl_topic_text(send->topic)), .payload_count = 1
    };
    e.payload[0] = send->payload;
    size_t size = sl_envelope_size(&e);
    if (h->loop_count >= h->opts.loop_count_max || size > h->opts.loop_bytes_max - h->loop_bytes) {
        h->stats.lost_count++;
        return;
    }
    sl_buf_reset(&h->envelope);
    sl_buf_reserve(&h->envelope, size);
    if (h->envelope.failed) {
        h->stats.lost_count++;
        return;
    }
    sl_envelope_encode(&e, h->envelope.ptr);
    struct sl_input in = { .kind = SL_IN_MESSAGE, .u.message = { h->envelope.ptr, size } };
    host_queue(h, &in);
    h->stats.looped_count++;
}

static void host_send(struct sl_host *h, const struct sl_node_id *to, const struct sl_out_send *send)
{
    if (sl_node_id_eq(to, &h->opts.params.id))
        host_loop_back(h, send);
    else
        h->opts.port.send(h->opts.port.ctx, to, send);
}

/* The core lets nothing but messages wait; one for which there is no memory is a lost message. */
static void host_hold(struct sl_host *h, const struct sl_output *out)
{
    SL_REQUIRE(out->kind == SL_OUT_SEND);
    const struct sl_out_send *send = &out->u.send;
    struct host_held *w = malloc(sizeof *w + send->payload.len);
    if (!w) {
        h->stats.lost_count++;
        return;
    }
    *w = (struct host_held){ .op = out->after,
                             .to = *sl_members_id(sl_node_members(h->node.node), send->to),
                             .type = send->type,
                             .topic = send->topic,
                             .len = send->payload.len };
    if (w->len > 0)
        memcpy(w->payload, send->payload.ptr, w->len);
    *h->held_last = w;
    h->held_last = &w->next;
    h->stats.held_count++;
}

/* H2. */
static void host_release(struct sl_host *h, const struct sl_store_result *r)
{
    bool is_done = r->outcome == SL_STORE_OK && (r->verb != SL_STORE_TXN || r->succeeded);
    struct host_held **at = &h->held_first;
    while (*at) {
        struct host_held *w = *at;
        if (w->op != r->id) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        struct sl_out_send send = { .type = w->type, .topic = w->topic, .payload = { w->payload, w->len } };
        if (is_done)
            host_send(h, &w->to, &send);
        h->stats.held_count--;
        free(w);
    }
    h->held_last = at;
}

/* ---- a step ---- */

/* H4. */
static void host_store(struct sl_host *h, const struct sl_store_op *op)
{
    if (h->opts.port.store(h->opts.port.ctx, op))
        return;
    struct sl_input in = { .kind = SL_IN_STORE };
    in.u.store = (struct sl_store_result){ .id = op->id, .verb = op->verb, .outcome = SL_STORE_REFUSED };
    host_queue(h, &in);
}

static void host_perform(struct sl_host *h, const struct sl_output *out)
{
    const struct sl_host_port *port = &h->opts.port;
    if (out->after != 0) {
        host_hold(h, out);
        return;
    }
    switch (out->kind) {
    case SL_OUT_SEND:
        host_send(h, sl_members_id(sl_node_members(h->node.node), out->u.send.to), &out->u.send);
        return;
    case SL_OUT_COMMAND:
        port->command(port->ctx, &out->u.command);
        return;
    case SL_OUT_SCHEMA_LOAD:
        port->schema_load(port->ctx, &out->u.schema_load);
        return;
    case SL_OUT_EVENT:
        port->event(port->ctx, &out->u.event);
        return;
    case SL_OUT_STORE:
        host_store(h, &out->u.store);
        return;
    case SL_OUT_REPLY:
        port->reply(port->ctx, &out->u.reply);
        return;
    }
    SL_UNREACHABLE();
}

/* encoded: the input as bytes, if somebody has them already. */
static void host_step(struct sl_host *h, const struct sl_input *in, struct sl_bytes encoded)
{
    struct sl_outbox *out = &h->node.outbox;
    h->is_stepping = true;
    if (in->kind == SL_IN_STORE)
        host_release(h, &in->u.store);
    sl_ns now = h->opts.port.now(h->opts.port.ctx);
    h->now = now > h->now ? now : h->now;
    if (h->opts.journal) {
        if (encoded.len == 0) {
            sl_buf_reset(&h->encoded);
            sl_input_encode(&h->encoded, in);
            encoded = sl_buf_bytes(&h->encoded);
        }
        sl_journal_step(h->opts.journal, h->now, encoded);
    }
    sl_outbox_reset(out);
    sl_node_step(h->node.node, h->now, in, out);
    h->stats.step_count++;
    if (h->opts.journal)
        sl_journal_done(h->opts.journal, sl_outbox_digest(out));
    for (uint32_t i = 0; i < out->count; i++)
        host_perform(h, &out->items[i]);
    if (h->opts.port.stepped)
        h->opts.port.stepped(h->opts.port.ctx, h->opts.port.now(h->opts.port.ctx) - now);
    h->is_stepping = false;
}

void sl_host_input(struct sl_host *h, const struct sl_input *in)
{
    if (h->is_stepping)
        host_queue(h, in);
    else
        host_step(h, in, (struct sl_bytes){ 0 });
}

bool sl_host_run(struct sl_host *h, uint32_t count_max)
{
    for (uint32_t i = 0; i < count_max && !h->is_stepping; i++) {
        struct sl_input in;
        struct host_input *waiting = host_take(h);
        if (!waiting)
            return false;
        sl_arena_reset(&h->arena);
        /* Only memory can be short: the bytes are our own. */
        bool ok = sl_input_decode(&in, (struct sl_bytes){ waiting->bytes, waiting->len }, &h->arena);
        if (!ok && !waiting->is_message)
            sl_exit_no_memory("an input of the control plane");
        if (ok)
            host_step(h, &in, (struct sl_bytes){ waiting->bytes, waiting->len });
        free(waiting);
    }
    return h->first != NULL;
}

bool sl_host_has_waiting(const struct sl_host *h)
{
    return h->first != NULL;
}

/* ---- life ---- */

enum sl_code sl_host_new(struct sl_host **out, const struct sl_host_opts *opts)
{
    *out = NULL;
    struct sl_host *h = calloc(1, sizeof *h);
    if (!h)
        return SL_NOMEM;
    struct sl_mem_opts mem = sl_mem_opts_of(0);
    h->opts = *opts;
    h->last = &h->first;
    h->held_last = &h->held_first;
    h->now = opts->params.now;
    sl_mem_init(&h->mem, &mem);
    sl_arena_init(&h->arena, &h->mem, SL_TAG_DECODE, HOST_INPUT_BYTES_MAX);
    enum sl_code code = sl_params_node_new(&h->node, &h->opts.params);
    if (code != SL_OK) {
        sl_mem_deinit(&h->mem);
        free(h);
        return code;
    }
    *out = h;
    return SL_OK;
}

void sl_host_free(struct sl_host *h)
{
    if (!h)
        return;
    struct host_input *waiting;
    while ((waiting = host_take(h)) != NULL)
        free(waiting);
    while (h->held_first) {
        struct host_held *next = h->held_first->next;
        free(h->held_first);
        h->held_first = next;
    }
    sl_params_node_free(&h->node);
    sl_buf_deinit(&h->encoded);
    sl_buf_deinit(&h->envelope);
    sl_arena_deinit(&h->arena);
    sl_mem_deinit(&h->mem);
    free(h);
}

struct sl_node *sl_host_node(struct sl_host *h)
{
    return h->node.node;
}

struct sl_mem *sl_host_mem(struct sl_host *h)
{
    return &h->node.mem;
}

void sl_host_stats_read(const struct sl_host *h, struct sl_host_stats *out)
{
    *out = h->stats;
}
