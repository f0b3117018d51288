/* SPDX-License-Identifier: Apache-2.0 */
#include "app/input_codec.h"
#include "base/hash.h"

/* By value and in order, never over the memory of a struct: its padding says nothing. */
struct digest {
    uint64_t sum;
};

static void digest_u64(struct digest *d, uint64_t v)
{
    d->sum = sl_hash_u64(d->sum, v);
}

static void digest_bytes(struct digest *d, const void *ptr, size_t len)
{
    d->sum = sl_hash_bytes(sl_hash_u64(d->sum, len), len > 0 ? ptr : "", len);
}

static void digest_str(struct digest *d, struct sl_str s)
{
    digest_bytes(d, s.ptr, s.len);
}

static void digest_secret(struct digest *d, struct sl_secret s)
{
    struct sl_bytes b = sl_secret_reveal(s);
    digest_bytes(d, b.ptr, b.len);
}

static void digest_feed_id(struct digest *d, const struct sl_feed_id *id)
{
    digest_u64(d, id->high);
    digest_u64(d, id->low);
    digest_bytes(d, id->name, id->name_len);
    digest_bytes(d, id->keyspace, id->keyspace_len);
}

static void digest_send(struct digest *d, const struct sl_out_send *s)
{
    digest_u64(d, s->to);
    digest_u64(d, (uint64_t)s->type);
    digest_u64(d, (uint64_t)s->topic);
    digest_bytes(d, s->payload.ptr, s->payload.len);
}

static void digest_command(struct digest *d, const struct sl_command *c)
{
    digest_u64(d, (uint64_t)c->verb);
    digest_u64(d, c->feed);
    digest_u64(d, c->dispatcher);
    if (c->feed_id)
        digest_feed_id(d, c->feed_id);
    digest_secret(d, c->config);
    digest_secret(d, c->source);
    digest_u64(d, c->id.high);
    digest_u64(d, c->id.low);
    digest_u64(d, (uint64_t)c->span.table_id);
    digest_u64(d, c->span.keyspace_id);
    digest_bytes(d, c->span.start_key.ptr, c->span.start_key.len);
    digest_bytes(d, c->span.end_key.ptr, c->span.end_key.len);
    digest_str(d, c->schema_name);
    digest_str(d, c->table_name);
    digest_u64(d, c->placement.maintainer_epoch);
    digest_u64(d, c->placement.seq);
    digest_u64(d, c->start_ts);
    digest_u64(d, (uint64_t)c->schema_id);
    digest_u64(d, (uint64_t)c->skip_dml_at_start_ts << 2 | (uint64_t)c->is_table_trigger << 1 | c->cleanup_downstream);
}

static void digest_event(struct digest *d, const struct sl_event *e)
{
    digest_u64(d, (uint64_t)e->id);
    for (uint32_t i = 0; i < e->field_count; i++) {
        const struct sl_field *f = &e->fields[i];
        digest_str(d, sl_str_of(f->key));
        digest_u64(d, (uint64_t)f->kind);
        if (f->kind == SL_FIELD_STR)
            digest_str(d, f->str);
        else
            digest_u64(d, sl_hash_u64x2(0, f->u64, f->u64_low));
    }
}

static void digest_actions(struct digest *d, const struct sl_store_action *actions, uint32_t count)
{
    digest_u64(d, count);
    for (uint32_t i = 0; i < count; i++) {
        digest_u64(d, (uint64_t)actions[i].kind);
        digest_str(d, actions[i].key);
        digest_bytes(d, actions[i].value.ptr, actions[i].value.len);
        digest_u64(d, actions[i].lease);
    }
}

static void digest_store(struct digest *d, const struct sl_store_op *op)
{
    digest_u64(d, op->id);
    digest_u64(d, (uint64_t)op->verb << 2 | (uint64_t)op->critical << 1 | op->exact);
    digest_str(d, op->key);
    digest_u64(d, (uint64_t)op->from_revision);
    digest_u64(d, op->watch);
    digest_u64(d, op->lease);
    digest_u64(d, (uint64_t)op->ttl_ns);
    for (uint32_t i = 0; i < op->compare_count; i++) {
        const struct sl_store_compare *c = &op->compares[i];
        digest_u64(d, (uint64_t)c->kind);
        digest_str(d, c->key);
        digest_u64(d, (uint64_t)c->revision);
        digest_bytes(d, c->value.ptr, c->value.len);
    }
    digest_actions(d, op->then, op->then_count);
    digest_actions(d, op->otherwise, op->otherwise_count);
}

/* What lists of an answer show is what other outputs said before, so of them the numbers are enough. */
static void digest_reply(struct digest *d, const struct sl_reply *r)
{
    digest_u64(d, r->ticket);
    digest_u64(d, (uint64_t)r->code);
    digest_str(d, sl_str_of(r->detail));
    digest_u64(d, r->remaining);
    for (uint32_t i = 0; i < r->drain_count; i++) {
        const struct sl_drain_view *v = &r->drains[i];
        digest_str(d, sl_str_of(v->intent.id));
        digest_u64(d, v->intent.epoch);
        digest_u64(d, (uint64_t)v->intent.phase << 1 | v->safe_to_stop);
        digest_u64(d, (uint64_t)v->blocker);
        digest_u64(d, (uint64_t)v->dispatchers << 32 | v->moves);
    }
    for (uint32_t i = 0; i < r->node_count; i++) {
        digest_str(d, sl_node_id_str(&r->nodes[i].capture.id));
        digest_u64(d, (uint64_t)r->nodes[i].maintainers << 32 | r->nodes[i].dispatchers);
    }
    for (uint32_t i = 0; i < r->feed_count; i++) {
        digest_feed_id(d, &r->feeds[i].record.id);
        digest_u64(d, r->feeds[i].checkpoint);
    }
    digest_u64(d, (uint64_t)r->plan_count << 32 | r->table_count);
    digest_u64(d, (uint64_t)r->dispatcher_count << 1 | r->has_more);
}

static void digest_output(struct digest *d, const struct sl_output *out)
{
    digest_u64(d, (uint64_t)out->kind);
    digest_u64(d, out->after);
    switch (out->kind) {
    case SL_OUT_SEND:
        digest_send(d, &out->u.send);
        return;
    case SL_OUT_COMMAND:
        digest_command(d, &out->u.command);
        return;
    case SL_OUT_SCHEMA_LOAD:
        digest_feed_id(d, &out->u.schema_load.feed);
        digest_u64(d, out->u.schema_load.request);
        digest_u64(d, out->u.schema_load.ts);
        digest_secret(d, out->u.schema_load.source);
        digest_secret(d, out->u.schema_load.config);
        digest_secret(d, out->u.schema_load.config);
        return;
    case SL_OUT_EVENT:
        digest_event(d, &out->u.event);
        return;
    case SL_OUT_STORE:
        digest_store(d, &out->u.store);
        return;
    case SL_OUT_REPLY:
        digest_reply(d, &out->u.reply);
        return;
    }
    SL_UNREACHABLE();
}

uint64_t sl_outbox_digest(const struct sl_outbox *o)
{
    struct digest d = { .sum = o->count };
    for (uint32_t i = 0; i < o->count; i++)
        digest_output(&d, &o->items[i]);
    return d.sum;
}
