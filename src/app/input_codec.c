/* SPDX-License-Identifier: Apache-2.0 */
#include "app/input_codec.h"

#include <string.h>

/*
 * Each struct is walked by one function for both directions, so that what is written and what is read cannot differ.
 * Writing does not change what it walks over.
 */
struct codec {
    struct sl_buf *out; /* null: reading */
    struct sl_bytes in;
    size_t at;
    bool failed;
    struct sl_arena *arena;
};

static uint64_t codec_read_varint(struct codec *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (c->at == c->in.len)
            break;
        uint8_t byte = c->in.ptr[c->at++];
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    c->failed = true;
    return 0;
}

static void codec_u64(struct codec *c, uint64_t *v)
{
    if (c->out)
        sl_buf_varint(c->out, *v);
    else
        *v = codec_read_varint(c);
}

static void codec_i64(struct codec *c, int64_t *v)
{
    uint64_t zigzag = (uint64_t)*v << 1 ^ (*v < 0 ? UINT64_MAX : 0);
    codec_u64(c, &zigzag);
    if (!c->out)
        *v = (int64_t)(zigzag >> 1 ^ ((zigzag & 1) != 0 ? UINT64_MAX : 0));
}

static void codec_u32(struct codec *c, uint32_t *v)
{
    uint64_t wide = *v;
    codec_u64(c, &wide);
    c->failed = c->failed || wide > UINT32_MAX;
    if (!c->out)
        *v = (uint32_t)wide;
}

static void codec_bool(struct codec *c, bool *v)
{
    uint32_t wide = *v;
    codec_u32(c, &wide);
    if (!c->out)
        *v = wide != 0;
}

/* The value of an enum; false from knows: it is none of its values. */
static uint32_t codec_enum(struct codec *c, uint32_t value, bool (*knows)(uint32_t value))
{
    codec_u32(c, &value);
    bool is_known = knows(value);
    c->failed = c->failed || !is_known;
    return is_known ? value : 0;
}

static void codec_bytes(struct codec *c, struct sl_bytes *b)
{
    uint64_t len = b->len;
    codec_u64(c, &len);
    if (c->out) {
        sl_buf_add(c->out, b->ptr, b->len);
        return;
    }
    if (len > c->in.len - c->at) {
        c->failed = true;
        len = 0;
    }
    *b = (struct sl_bytes){ c->in.ptr + c->at, (size_t)len };
    c->at += (size_t)len;
}

static void codec_str(struct codec *c, struct sl_str *s)
{
    struct sl_bytes b = { (const uint8_t *)s->ptr, s->len };
    codec_bytes(c, &b);
    if (!c->out)
        *s = (struct sl_str){ (const char *)b.ptr, b.len };
}

static void codec_secret(struct codec *c, struct sl_secret *s)
{
    codec_bytes(c, &s->hidden);
}

/* A list: what it is when written, where it was put when read. */
static const void *codec_list(struct codec *c, const void *items, uint32_t *count, size_t size,
                              void (*each)(struct codec *c, void *item))
{
    codec_u32(c, count);
    if (!c->out) {
        /* Each element takes at least one byte, so a count from a damaged file cannot ask for much. */
        void *memory = *count <= c->in.len - c->at ? sl_arena_alloc(c->arena, *count * size) : NULL;
        if (!memory) {
            c->failed = true;
            *count = 0;
            return NULL;
        }
        memset(memory, 0, *count * size);
        items = memory;
    }
    for (uint32_t i = 0; i < *count; i++)
        each(c, (char *)items + i * size);
    return items;
}

/* ---- ids ---- */

static void codec_node_id(struct codec *c, void *item)
{
    struct sl_node_id *id = item;
    struct sl_str text = sl_node_id_str(id);
    codec_str(c, &text);
    if (!c->out && !sl_node_id_set(id, text))
        c->failed = true;
}

static void codec_text(struct codec *c, char *text, uint8_t *len, size_t max)
{
    struct sl_bytes b = { (const uint8_t *)text, *len };
    codec_bytes(c, &b);
    if (c->out)
        return;
    if (b.len > max) {
        c->failed = true;
        return;
    }
    if (b.len > 0)
        memcpy(text, b.ptr, b.len);
    *len = (uint8_t)b.len;
}

static void codec_feed_id(struct codec *c, struct sl_feed_id *id)
{
    codec_u64(c, &id->high);
    codec_u64(c, &id->low);
    codec_text(c, id->name, &id->name_len, SL_FEED_NAME_MAX);
    codec_text(c, id->keyspace, &id->keyspace_len, SL_KEYSPACE_MAX);
}

/*
 * ---- what may be written and read ----
 *
 * Switches instead of a largest value: the compiler names what was added and is not known here. For the same reason
 * sizes are compared; who changes one of these structs adds the new member to its walk below, and the new size here.
 */

#define CODEC_WALKS(type, size)                                                                                    \
    _Static_assert(sizeof(void *) != 8 || sizeof(type) == (size), #type " has other members than are walked over " \
                                                                        "here")

CODEC_WALKS(struct sl_report, 128);
CODEC_WALKS(struct sl_block, 64);
CODEC_WALKS(struct sl_added_table, 48);
CODEC_WALKS(struct sl_table, 48);
CODEC_WALKS(struct sl_in_schema, 248);
CODEC_WALKS(struct sl_in_schema_change, 256);
CODEC_WALKS(struct sl_store_result, 72);
CODEC_WALKS(struct sl_store_watch_batch, 48);
CODEC_WALKS(struct sl_request, 200);

static bool codec_knows_input(uint32_t value)
{
    switch ((enum sl_in_kind)value) {
    case SL_IN_TICK:
    case SL_IN_MESSAGE:
    case SL_IN_MEMBERS:
    case SL_IN_REPORT:
    case SL_IN_SCHEMA:
    case SL_IN_SCHEMA_CHANGE:
    case SL_IN_LEASE_LOST:
    case SL_IN_STORE:
    case SL_IN_WATCH:
    case SL_IN_LEAVE:
    case SL_IN_REQUEST:
        return true;
    }
    return false;
}

static bool codec_knows_report(uint32_t value)
{
    switch ((enum sl_report_kind)value) {
    case SL_REPORT_FEED_OPENED:
    case SL_REPORT_FEED_FAILED:
    case SL_REPORT_FEED_PROGRESS:
    case SL_REPORT_FEED_CLOSED:
    case SL_REPORT_READY:
    case SL_REPORT_PROGRESS:
    case SL_REPORT_CLOSED:
    case SL_REPORT_FAILED:
    case SL_REPORT_HOSTED:
    case SL_REPORT_BLOCKED:
    case SL_REPORT_UNBLOCKED:
    case SL_REPORT_COPY:
        return true;
    }
    return false;
}

static bool codec_knows_influence(uint32_t value)
{
    switch ((enum sl_influence)value) {
    case SL_INFLUENCE_NORMAL:
    case SL_INFLUENCE_DB:
    case SL_INFLUENCE_ALL:
        return true;
    }
    return false;
}

static bool codec_knows_code(uint32_t value)
{
    return value < SL_CODE_COUNT;
}

static bool codec_knows_store_verb(uint32_t value)
{
    switch ((enum sl_store_verb)value) {
    case SL_STORE_RANGE:
    case SL_STORE_TXN:
    case SL_STORE_GRANT:
    case SL_STORE_KEEPALIVE:
    case SL_STORE_REVOKE:
    case SL_STORE_WATCH:
    case SL_STORE_UNWATCH:
        return true;
    }
    return false;
}

static bool codec_knows_outcome(uint32_t value)
{
    switch ((enum sl_store_outcome)value) {
    case SL_STORE_OK:
    case SL_STORE_REFUSED:
    case SL_STORE_UNKNOWN:
    case SL_STORE_COMPACTED:
    case SL_STORE_LEASE_GONE:
        return true;
    }
    return false;
}

static bool codec_knows_request(uint32_t value)
{
    switch ((enum sl_request_verb)value) {
    case SL_REQUEST_DRAIN_NODE:
    case SL_REQUEST_DRAIN:
    case SL_REQUEST_DRAIN_SHOW:
    case SL_REQUEST_DRAIN_LIST:
    case SL_REQUEST_UNDRAIN:
    case SL_REQUEST_NODE_LIST:
    case SL_REQUEST_FEED_CREATE:
    case SL_REQUEST_FEED_PAUSE:
    case SL_REQUEST_FEED_RESUME:
    case SL_REQUEST_FEED_REMOVE:
    case SL_REQUEST_FEED_UPDATE:
    case SL_REQUEST_FEED_SHOW:
    case SL_REQUEST_FEED_LIST:
    case SL_REQUEST_FEED_MOVE:
    case SL_REQUEST_RESIGN:
    case SL_REQUEST_TABLE_LIST:
    case SL_REQUEST_TABLE_MOVE:
    case SL_REQUEST_DISPATCHER_COUNT:
    case SL_REQUEST_CLUSTER_STOP:
    case SL_REQUEST_NODE_REMOVE:
        return true;
    }
    return false;
}

/* ---- the kinds of input ---- */

static void codec_members(struct codec *c, struct sl_in_members *m)
{
    m->ids = codec_list(c, m->ids, &m->count, sizeof *m->ids, codec_node_id);
}

static void codec_table(struct codec *c, void *item)
{
    struct sl_table *t = item;
    codec_i64(c, &t->table_id);
    codec_i64(c, &t->schema_id);
    codec_str(c, &t->schema_name);
    codec_str(c, &t->table_name);
}

static void codec_table_id(struct codec *c, void *item)
{
    codec_i64(c, item);
}

static void codec_added_table(struct codec *c, void *item)
{
    struct sl_added_table *t = item;
    codec_i64(c, &t->table_id);
    codec_i64(c, &t->schema_id);
    codec_str(c, &t->schema_name);
    codec_str(c, &t->table_name);
}

static void codec_block_at(struct codec *c, void *item)
{
    struct sl_block *b = item;
    codec_u64(c, &b->commit_ts);
    codec_bool(c, &b->is_blocking);
    codec_bool(c, &b->is_done);
    b->influence = (enum sl_influence)codec_enum(c, b->influence, codec_knows_influence);
    codec_i64(c, &b->schema_id);
    b->tables = codec_list(c, b->tables, &b->table_count, sizeof *b->tables, codec_table_id);
    b->dropped = codec_list(c, b->dropped, &b->dropped_count, sizeof *b->dropped, codec_table_id);
    b->added = codec_list(c, b->added, &b->added_count, sizeof *b->added, codec_added_table);
    codec_bool(c, &b->drops_schema);
}

/* A list of one, or of none. */
static void codec_block(struct codec *c, struct sl_report *r)
{
    uint32_t count = r->block ? 1 : 0;
    const struct sl_block *block = codec_list(c, r->block, &count, sizeof *r->block, codec_block_at);
    c->failed = c->failed || count > 1;
    r->block = count == 1 ? block : NULL;
}

static void codec_report(struct codec *c, struct sl_report *r)
{
    r->kind = (enum sl_report_kind)codec_enum(c, r->kind, codec_knows_report);
    codec_u64(c, &r->feed);
    codec_u64(c, &r->dispatcher);
    codec_u64(c, &r->checkpoint);
    codec_u64(c, &r->resolved);
    codec_bool(c, &r->follows);
    codec_u32(c, &r->readers);
    codec_u64(c, &r->unflushed_rows);
    codec_i64(c, &r->age_ns);
    if (r->kind == SL_REPORT_COPY) {
        codec_u32(c, &r->copy.tables);
        codec_u64(c, &r->copy.rows);
        codec_u64(c, &r->copy.rows_about);
    }
    codec_block(c, r);
    codec_str(c, &r->code);
    codec_str(c, &r->text);
}

static void codec_schema(struct codec *c, struct sl_in_schema *s)
{
    codec_feed_id(c, &s->feed);
    codec_u64(c, &s->request);
    s->code = (enum sl_code)codec_enum(c, s->code, codec_knows_code);
    s->tables = codec_list(c, s->tables, &s->table_count, sizeof *s->tables, codec_table);
}

static void codec_schema_change(struct codec *c, struct sl_in_schema_change *s)
{
    codec_feed_id(c, &s->feed);
    codec_u64(c, &s->commit_ts);
    s->added = codec_list(c, s->added, &s->added_count, sizeof *s->added, codec_table);
    s->dropped = codec_list(c, s->dropped, &s->dropped_count, sizeof *s->dropped, codec_table_id);
}

static void codec_pair(struct codec *c, void *item)
{
    struct sl_store_pair *p = item;
    codec_str(c, &p->key);
    codec_bytes(c, &p->value);
    codec_i64(c, &p->create_revision);
    codec_i64(c, &p->mod_revision);
    codec_u64(c, &p->lease);
}

static void codec_store_result(struct codec *c, struct sl_store_result *r)
{
    codec_u64(c, &r->id);
    r->verb = (enum sl_store_verb)codec_enum(c, r->verb, codec_knows_store_verb);
    r->outcome = (enum sl_store_outcome)codec_enum(c, r->outcome, codec_knows_outcome);
    codec_i64(c, &r->revision);
    codec_bool(c, &r->succeeded);
    codec_u64(c, &r->lease);
    codec_i64(c, &r->ttl_ns);
    codec_i64(c, &r->compacted_revision);
    r->pairs = codec_list(c, r->pairs, &r->pair_count, sizeof *r->pairs, codec_pair);
}

static void codec_store_event(struct codec *c, void *item)
{
    struct sl_store_event *e = item;
    codec_bool(c, &e->deleted);
    codec_pair(c, &e->pair);
}

static void codec_watch(struct codec *c, struct sl_store_watch_batch *b)
{
    codec_u64(c, &b->watch);
    codec_i64(c, &b->revision);
    codec_bool(c, &b->ended);
    b->why = (enum sl_store_outcome)codec_enum(c, b->why, codec_knows_outcome);
    codec_i64(c, &b->compacted_revision);
    b->events = codec_list(c, b->events, &b->event_count, sizeof *b->events, codec_store_event);
}

static void codec_request(struct codec *c, struct sl_request *r)
{
    r->verb = (enum sl_request_verb)codec_enum(c, r->verb, codec_knows_request);
    codec_u64(c, &r->ticket);
    struct sl_str *texts[] = { &r->node, &r->drain, &r->feed, &r->keyspace, &r->reason, &r->actor };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        codec_str(c, texts[i]);
    codec_secret(c, &r->config);
    codec_secret(c, &r->source);
    codec_u64(c, &r->deadline_ms);
    codec_u64(c, &r->lag_budget_ms);
    codec_bool(c, &r->dry_run);
    codec_bool(c, &r->stop_node);
    codec_bool(c, &r->cancel_at_deadline);
    codec_u64(c, &r->checkpoint);
    codec_i64(c, &r->table_id);
    codec_i64(c, &r->table_after);
    codec_u32(c, &r->table_max);
    codec_bool(c, &r->cancel);
}

static void codec_input(struct codec *c, struct sl_input *in)
{
    in->kind = (enum sl_in_kind)codec_enum(c, in->kind, codec_knows_input);
    switch (in->kind) {
    case SL_IN_TICK:
    case SL_IN_LEASE_LOST:
    case SL_IN_LEAVE:
        return;
    case SL_IN_MESSAGE:
        codec_bytes(c, &in->u.message);
        return;
    case SL_IN_MEMBERS:
        codec_members(c, &in->u.members);
        return;
    case SL_IN_REPORT:
        codec_report(c, &in->u.report);
        return;
    case SL_IN_SCHEMA:
        codec_schema(c, &in->u.schema);
        return;
    case SL_IN_SCHEMA_CHANGE:
        codec_schema_change(c, &in->u.schema_change);
        return;
    case SL_IN_STORE:
        codec_store_result(c, &in->u.store);
        return;
    case SL_IN_WATCH:
        codec_watch(c, &in->u.watch);
        return;
    case SL_IN_REQUEST:
        codec_request(c, &in->u.request);
        return;
    }
    SL_UNREACHABLE();
}

void sl_input_encode(struct sl_buf *b, const struct sl_input *in)
{
    struct codec c = { .out = b };
    struct sl_input copy = *in;
    codec_input(&c, &copy);
    b->failed = b->failed || c.failed;
}

bool sl_input_decode(struct sl_input *in, struct sl_bytes bytes, struct sl_arena *arena)
{
    struct codec c = { .in = bytes, .arena = arena };
    *in = (struct sl_input){ 0 };
    codec_input(&c, in);
    return !c.failed && c.at == bytes.len;
}

const char *sl_input_kind_name(enum sl_in_kind kind)
{
    switch (kind) {
    case SL_IN_TICK:
        return "TICK";
    case SL_IN_MESSAGE:
        return "MESSAGE";
    case SL_IN_MEMBERS:
        return "MEMBERS";
    case SL_IN_REPORT:
        return "REPORT";
    case SL_IN_SCHEMA:
        return "SCHEMA";
    case SL_IN_SCHEMA_CHANGE:
        return "SCHEMA_CHANGE";
    case SL_IN_LEASE_LOST:
        return "LEASE_LOST";
    case SL_IN_STORE:
        return "STORE";
    case SL_IN_WATCH:
        return "WATCH";
    case SL_IN_LEAVE:
        return "LEAVE";
    case SL_IN_REQUEST:
        return "REQUEST";
    }
    SL_UNREACHABLE();
}
