/* SPDX-License-Identifier: Apache-2.0 */
#include "core/common/outbox.h"

#include "base/check.h"

#include <string.h>

/*
 * Room, by what it is kept for:
 *
 *   items   [ messages ............... | events 64 | commands 64 ] + replies 64   count_max + 64 in all; commands and
 *                                                                                 replies may exceed it
 *   bytes   [ messages ............... | events, 1/16 ]                           bytes_max in all
 *
 * Messages stop first, and with them store operations and lists in replies, so that a step which has too much to say
 * can still tell so. What commands point to falls back on memory taken at init: without it a full step would have to
 * leave the data plane in a state nobody knows.
 */
#define OUTBOX_EVENTS_KEPT 64u
#define OUTBOX_CAP_MIN (2 * SL_OUTBOX_COMMANDS_MAX + SL_OUTBOX_REPLIES_MAX)
#define OUTBOX_MESSAGE_BYTES_TYPICAL 256u

enum sl_code sl_outbox_init(struct sl_outbox *o, struct sl_mem *mem, uint32_t tag, uint32_t count_max, size_t bytes_max)
{
    SL_REQUIRE(count_max > OUTBOX_EVENTS_KEPT + SL_OUTBOX_COMMANDS_MAX);
    *o = (struct sl_outbox){ .mem = mem, .tag = tag, .count_max = count_max };
    o->items = sl_mem_alloc(mem, tag, OUTBOX_CAP_MIN * sizeof *o->items);
    o->kept = sl_mem_alloc(mem, tag, SL_OUTBOX_COMMAND_BYTES_KEPT);
    if (!o->items || !o->kept) {
        sl_mem_free(mem, tag, o->items, OUTBOX_CAP_MIN * sizeof *o->items);
        sl_mem_free(mem, tag, o->kept, SL_OUTBOX_COMMAND_BYTES_KEPT);
        *o = (struct sl_outbox){ .mem = mem, .tag = tag };
        return SL_NOMEM;
    }
    o->cap = OUTBOX_CAP_MIN;
    sl_arena_init(&o->arena, mem, tag, bytes_max);
    return SL_OK;
}

void sl_outbox_deinit(struct sl_outbox *o)
{
    if (!o->items)
        return;
    sl_arena_deinit(&o->arena);
    sl_mem_free(o->mem, o->tag, o->items, o->cap * sizeof *o->items);
    sl_mem_free(o->mem, o->tag, o->kept, SL_OUTBOX_COMMAND_BYTES_KEPT);
    *o = (struct sl_outbox){ .mem = o->mem, .tag = o->tag };
}

void sl_outbox_reset(struct sl_outbox *o)
{
    o->count = o->command_count = o->reply_count = 0;
    o->kept_used = 0;
    sl_arena_reset(&o->arena);
}

static uint32_t outbox_others(const struct sl_outbox *o)
{
    return o->count - o->command_count - o->reply_count;
}

static uint32_t outbox_messages_max(const struct sl_outbox *o)
{
    return o->count_max - SL_OUTBOX_COMMANDS_MAX - OUTBOX_EVENTS_KEPT;
}

static size_t outbox_message_bytes_left(const struct sl_outbox *o)
{
    size_t most = o->arena.bytes_max - o->arena.bytes_max / 16;
    return most > o->arena.used_bytes ? most - o->arena.used_bytes : 0;
}

uint32_t sl_outbox_room(const struct sl_outbox *o)
{
    uint32_t most = outbox_messages_max(o), others = outbox_others(o);
    size_t by_bytes = outbox_message_bytes_left(o) / OUTBOX_MESSAGE_BYTES_TYPICAL;
    uint32_t by_count = most > others ? most - others : 0;
    return by_bytes < by_count ? (uint32_t)by_bytes : by_count;
}

/* Items that must still fit when so many commands and replies are in. */
static uint32_t outbox_kept(uint32_t command_count, uint32_t reply_count)
{
    return SL_OUTBOX_COMMANDS_MAX - sl_u32_min(command_count, SL_OUTBOX_COMMANDS_MAX) + SL_OUTBOX_REPLIES_MAX -
           sl_u32_min(reply_count, SL_OUTBOX_REPLIES_MAX);
}

/* Makes cap at least count + 1 + kept. False: nothing changed. */
static bool outbox_grow(struct sl_outbox *o, uint32_t kept)
{
    uint32_t wanted = o->count + 1 + kept;
    if (wanted <= o->cap)
        return true;
    uint32_t cap = sl_u32_max(wanted, o->cap * 2);
    struct sl_output *items =
        sl_mem_resize(o->mem, o->tag, o->items, o->cap * sizeof *items, (size_t)cap * sizeof *items);
    if (!items)
        return false;
    o->items = items;
    o->cap = cap;
    return true;
}

/* The next item, zeroed, or null when there is no room for one more of those that may be others_max. */
static struct sl_output *outbox_next(struct sl_outbox *o, enum sl_out_kind kind, uint32_t others_max)
{
    if (outbox_others(o) >= others_max || !outbox_grow(o, outbox_kept(o->command_count, o->reply_count)))
        return NULL;
    struct sl_output *item = &o->items[o->count++];
    *item = (struct sl_output){ .kind = kind };
    return item;
}

static bool outbox_drop(struct sl_outbox *o)
{
    o->dropped_count++;
    return false;
}

static bool outbox_send(struct sl_outbox *o, sl_op_id after, sl_node_ref to, const struct sl_msg_row *row,
                        enum sl_topic topic, const ProtobufCMessage *message)
{
    SL_REQUIRE(to != SL_NODE_NONE && topic != SL_TOPIC_NONE);
    size_t size = sl_payload_size(row->type, message);
    if (size > outbox_message_bytes_left(o))
        return outbox_drop(o);
    uint8_t *bytes = sl_arena_alloc(&o->arena, size);
    struct sl_output *item = bytes ? outbox_next(o, SL_OUT_SEND, outbox_messages_max(o)) : NULL;
    if (!item)
        return outbox_drop(o);
    SL_REQUIRE(sl_payload_encode(row->type, message, bytes) == size);
    item->after = after;
    item->u.send = (struct sl_out_send){ .to = to, .type = row->type, .topic = topic, .payload = { bytes, size } };
    return true;
}

bool sl_out_send(struct sl_outbox *o, sl_node_ref to, enum sl_msg_type type, const ProtobufCMessage *message)
{
    const struct sl_msg_row *row = sl_msg_row((int32_t)type);
    SL_REQUIRE(row != NULL);
    return outbox_send(o, 0, to, row, row->topic, message);
}

bool sl_out_send_after(struct sl_outbox *o, sl_op_id op, sl_node_ref to, enum sl_msg_type type,
                       const ProtobufCMessage *message)
{
    const struct sl_msg_row *row = sl_msg_row((int32_t)type);
    SL_REQUIRE(row != NULL && op != 0);
    return outbox_send(o, op, to, row, row->topic, message);
}

bool sl_out_send_second(struct sl_outbox *o, sl_node_ref to, enum sl_msg_type type, const ProtobufCMessage *message)
{
    const struct sl_msg_row *row = sl_msg_row((int32_t)type);
    SL_REQUIRE(row != NULL);
    return outbox_send(o, 0, to, row, row->topic2, message);
}

/* A copy for a command, or null when neither the arena nor the memory kept for commands can hold it. */
static void *outbox_copy(struct sl_outbox *o, const void *bytes, size_t size)
{
    void *copy = sl_arena_alloc(&o->arena, size);
    if (!copy && size <= SL_OUTBOX_COMMAND_BYTES_KEPT - o->kept_used) {
        copy = o->kept + o->kept_used;
        /* Whatever is copied next must be aligned as well. */
        o->kept_used += sl_u32_min((uint32_t)((size + 15) & ~(size_t)15), SL_OUTBOX_COMMAND_BYTES_KEPT - o->kept_used);
    }
    if (copy && size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

static bool outbox_copy_bytes(struct sl_outbox *o, struct sl_bytes *b)
{
    if (b->len == 0)
        return true;
    b->ptr = outbox_copy(o, b->ptr, b->len);
    return b->ptr != NULL;
}

static bool outbox_copy_str(struct sl_outbox *o, struct sl_str *s)
{
    struct sl_bytes b = { (const uint8_t *)s->ptr, s->len };
    bool ok = outbox_copy_bytes(o, &b);
    s->ptr = (const char *)b.ptr;
    return ok;
}

static bool outbox_copy_command(struct sl_outbox *o, struct sl_command *c)
{
    struct sl_bytes config = sl_secret_reveal(c->config), source = sl_secret_reveal(c->source);
    if (c->feed_id)
        c->feed_id = outbox_copy(o, c->feed_id, sizeof *c->feed_id);
    bool ok = c->verb != SL_COMMAND_OPEN_FEED || c->feed_id;
    ok = ok && outbox_copy_bytes(o, &config) && outbox_copy_bytes(o, &source);
    ok = ok && outbox_copy_str(o, &c->schema_name) && outbox_copy_str(o, &c->table_name);
    ok = ok && outbox_copy_bytes(o, &c->span.start_key) && outbox_copy_bytes(o, &c->span.end_key);
    c->config = sl_secret_of(config);
    c->source = sl_secret_of(source);
    return ok;
}

bool sl_out_command(struct sl_outbox *o, const struct sl_command *c)
{
    struct sl_command copy = *c;
    bool begins = c->verb == SL_COMMAND_OPEN_FEED || c->verb == SL_COMMAND_OPEN;
    bool ok = outbox_copy_command(o, &copy) && outbox_grow(o, outbox_kept(o->command_count + 1, o->reply_count));
    SL_REQUIRE(ok || begins);
    if (!ok)
        return outbox_drop(o);
    o->items[o->count++] = (struct sl_output){ .kind = SL_OUT_COMMAND, .u.command = copy };
    o->command_count++;
    return true;
}

/* Null when it does not fit: nothing is kept for what can be given back or cut. */
static void *outbox_clone(struct sl_outbox *o, const void *bytes, size_t size)
{
    void *copy = size <= outbox_message_bytes_left(o) ? sl_arena_alloc(&o->arena, size) : NULL;
    if (copy && size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* The copy of a secret for what may be dropped. */
static bool outbox_keep_secret(struct sl_outbox *o, struct sl_secret *s)
{
    struct sl_bytes b = sl_secret_reveal(*s);
    if (b.len > 0)
        b.ptr = outbox_clone(o, b.ptr, b.len);
    *s = sl_secret_of(b);
    return b.len == 0 || b.ptr;
}

bool sl_out_schema_load(struct sl_outbox *o, const struct sl_out_schema_load *load)
{
    struct sl_out_schema_load copy = *load;
    bool kept = outbox_keep_secret(o, &copy.source) && outbox_keep_secret(o, &copy.config);
    struct sl_output *item = kept ? outbox_next(o, SL_OUT_SCHEMA_LOAD, outbox_messages_max(o)) : NULL;
    if (!item)
        return outbox_drop(o);
    item->u.schema_load = copy;
    return true;
}

static bool outbox_copy_fields(struct sl_outbox *o, struct sl_field *to, const struct sl_field *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = from[i];
        if (from[i].kind != SL_FIELD_STR || from[i].str.len == 0)
            continue;
        char *text = sl_arena_alloc(&o->arena, from[i].str.len);
        if (!text)
            return false;
        memcpy(text, from[i].str.ptr, from[i].str.len);
        to[i].str.ptr = text;
    }
    return true;
}

void sl_out_event_fields(struct sl_outbox *o, enum sl_event_id id, const struct sl_field *fields, uint32_t count)
{
    SL_REQUIRE(count > 0 && count <= SL_FIELDS_MAX);
    struct sl_field *copy = sl_arena_alloc(&o->arena, count * sizeof *copy);
    struct sl_output *item = NULL;
    if (copy && outbox_copy_fields(o, copy, fields, count))
        item = outbox_next(o, SL_OUT_EVENT, o->count_max - SL_OUTBOX_COMMANDS_MAX);
    if (item)
        item->u.event = (struct sl_event){ .id = id, .field_count = count, .fields = copy };
    else
        o->dropped_count++;
}

/* ---- store operations ---- */

bool sl_out_store(struct sl_outbox *o, const struct sl_store_op *op)
{
    SL_REQUIRE(op->id != 0 && op->compare_count <= SL_STORE_COMPARES_MAX);
    SL_REQUIRE(op->then_count <= SL_STORE_ACTIONS_MAX && op->otherwise_count <= SL_STORE_ACTIONS_MAX);
    size_t size = sl_store_op_bytes(op);
    void *memory = size <= outbox_message_bytes_left(o) ? sl_arena_alloc(&o->arena, size) : NULL;
    struct sl_output *item = memory ? outbox_next(o, SL_OUT_STORE, outbox_messages_max(o)) : NULL;
    if (item)
        sl_store_op_copy(&item->u.store, op, memory);
    return item != NULL;
}

/* ---- replies ---- */

/* As many rows as fit; *count becomes that number. */
static void *outbox_clone_rows(struct sl_outbox *o, const void *rows, uint32_t *count, size_t row_size)
{
    size_t fit = outbox_message_bytes_left(o) / row_size;
    *count = fit < *count ? (uint32_t)fit : *count;
    void *copy = outbox_clone(o, rows, *count * row_size);
    *count = copy ? *count : 0;
    return copy;
}

static void outbox_clone_feeds(struct sl_outbox *o, struct sl_reply *r)
{
    struct sl_feed_view *feeds = outbox_clone_rows(o, r->feeds, &r->feed_count, sizeof *feeds);
    for (uint32_t i = 0; i < r->feed_count; i++) {
        if (!outbox_keep_secret(o, &feeds[i].info) || !outbox_keep_secret(o, &feeds[i].source))
            r->feed_count = i;
    }
    r->feeds = feeds;
}

static bool outbox_keep_str(struct sl_outbox *o, struct sl_str *s)
{
    if (s->len > 0)
        s->ptr = outbox_clone(o, s->ptr, s->len);
    return s->len == 0 || s->ptr;
}

static void outbox_clone_tables(struct sl_outbox *o, struct sl_reply *r)
{
    struct sl_table_view *tables = outbox_clone_rows(o, r->tables, &r->table_count, sizeof *tables);
    for (uint32_t i = 0; i < r->table_count; i++) {
        if (!outbox_keep_str(o, &tables[i].schema_name) || !outbox_keep_str(o, &tables[i].table_name))
            r->table_count = i;
    }
    r->tables = tables;
}

static uint64_t outbox_rows(const struct sl_reply *r)
{
    return (uint64_t)r->drain_count + r->plan_count + r->node_count + r->feed_count + r->table_count;
}

void sl_out_reply(struct sl_outbox *o, const struct sl_reply *reply)
{
    SL_REQUIRE(reply->ticket != 0 && (unsigned)reply->code < SL_CODE_COUNT);
    struct sl_reply copy = *reply;
    copy.drains = outbox_clone_rows(o, copy.drains, &copy.drain_count, sizeof *copy.drains);
    copy.plan = outbox_clone_rows(o, copy.plan, &copy.plan_count, sizeof *copy.plan);
    copy.nodes = outbox_clone_rows(o, copy.nodes, &copy.node_count, sizeof *copy.nodes);
    outbox_clone_feeds(o, &copy);
    outbox_clone_tables(o, &copy);
    if (outbox_rows(&copy) < outbox_rows(reply) && copy.code == SL_OK) {
        struct sl_text detail;
        copy.code = SL_LIMIT;
        sl_text_init(&detail, copy.detail, sizeof copy.detail);
        sl_text_cstr(&detail, "the list is cut to what one answer can hold: ask for one of them by its name");
    }
    SL_REQUIRE(outbox_grow(o, outbox_kept(o->command_count, o->reply_count + 1)));
    o->items[o->count++] = (struct sl_output){ .kind = SL_OUT_REPLY, .u.reply = copy };
    o->reply_count++;
}
