/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/etcd/etcd_codec.h"

#include "proto/etcd.pb-c.h"

#include <string.h>

static const char codec_least_key[] = "\0"; /* as a key: before all others; as the end of a range: after all others */

const char *sl__etcd_path(enum sl_store_verb verb)
{
    switch (verb) {
    case SL_STORE_RANGE:
        return "/etcdserverpb.KV/Range";
    case SL_STORE_TXN:
        return "/etcdserverpb.KV/Txn";
    case SL_STORE_GRANT:
        return "/etcdserverpb.Lease/LeaseGrant";
    case SL_STORE_KEEPALIVE:
        return "/etcdserverpb.Lease/LeaseKeepAlive";
    case SL_STORE_REVOKE:
        return "/etcdserverpb.Lease/LeaseRevoke";
    case SL_STORE_WATCH:
        return "/etcdserverpb.Watch/Watch";
    case SL_STORE_UNWATCH:
        return NULL;
    }
    SL_UNREACHABLE();
}

static bool codec_list_is_legal(const struct sl_store_action *actions, uint32_t count)
{
    if (count > SL_STORE_ACTIONS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (actions[i].key.len == 0)
            return false;
        for (uint32_t j = i + 1; j < count; j++) {
            if (sl_str_eq(actions[i].key, actions[j].key))
                return false;
        }
    }
    return true;
}

bool sl__etcd_is_legal(const struct sl_store_op *op)
{
    bool has_keys =
        op->compare_count <= SL_STORE_COMPARES_MAX && (op->verb != SL_STORE_RANGE || !op->exact || op->key.len);
    for (uint32_t i = 0; has_keys && i < op->compare_count; i++)
        has_keys = op->compares[i].key.len > 0;
    return has_keys && codec_list_is_legal(op->then, op->then_count) &&
           codec_list_is_legal(op->otherwise, op->otherwise_count) && (op->verb != SL_STORE_GRANT || op->ttl_ns > 0);
}

/* ---- requests ---- */

static ProtobufCBinaryData codec_bytes(const void *ptr, size_t len)
{
    /* protobuf-c only reads what is packed. */
    return (ProtobufCBinaryData){ .len = len, .data = (uint8_t *)(uintptr_t)ptr };
}

static enum sl_code codec_pack(const ProtobufCMessage *m, struct sl_arena *arena, struct sl_bytes *out)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = sl_arena_alloc(arena, size);
    if (!bytes)
        return SL_NOMEM;
    *out = (struct sl_bytes){ bytes, protobuf_c_message_pack(m, bytes) };
    return SL_OK;
}

/* The keys with this prefix, as etcd's range. */
static bool codec_prefix(struct sl_str prefix, struct sl_arena *arena, ProtobufCBinaryData *key,
                         ProtobufCBinaryData *end)
{
    *key = prefix.len > 0 ? codec_bytes(prefix.ptr, prefix.len) : codec_bytes(codec_least_key, 1);
    *end = codec_bytes(codec_least_key, 1);
    size_t len = prefix.len;
    while (len > 0 && (uint8_t)prefix.ptr[len - 1] == 0xff)
        len--;
    if (len == 0)
        return true;
    uint8_t *bytes = sl_arena_alloc(arena, len);
    if (!bytes)
        return false;
    memcpy(bytes, prefix.ptr, len);
    bytes[len - 1]++;
    *end = codec_bytes(bytes, len);
    return true;
}

static enum sl_code codec_range(const struct sl_store_op *op, struct sl_arena *arena, struct sl_bytes *out)
{
    Etcd__RangeRequest m = ETCD__RANGE_REQUEST__INIT;
    if (op->exact)
        m.key = codec_bytes(op->key.ptr, op->key.len);
    else if (!codec_prefix(op->key, arena, &m.key, &m.range_end))
        return SL_NOMEM;
    return codec_pack(&m.base, arena, out);
}

static void codec_compare(Etcd__Compare *m, const struct sl_store_compare *c)
{
    etcd__compare__init(m);
    m->result = ETCD__COMPARE_RESULT__EQUAL;
    m->key = codec_bytes(c->key.ptr, c->key.len);
    switch (c->kind) {
    case SL_COMPARE_MOD_REVISION:
        m->target = ETCD__COMPARE_TARGET__MOD;
        m->target_union_case = ETCD__COMPARE__TARGET_UNION_MOD_REVISION;
        m->mod_revision = c->revision;
        return;
    case SL_COMPARE_CREATE_REVISION:
        m->target = ETCD__COMPARE_TARGET__CREATE;
        m->target_union_case = ETCD__COMPARE__TARGET_UNION_CREATE_REVISION;
        m->create_revision = c->revision;
        return;
    case SL_COMPARE_VALUE:
        m->target = ETCD__COMPARE_TARGET__VALUE;
        m->target_union_case = ETCD__COMPARE__TARGET_UNION_VALUE;
        m->value = codec_bytes(c->value.ptr, c->value.len);
        return;
    }
    SL_UNREACHABLE();
}

struct codec_action { /* one action and what it points to */
    Etcd__RequestOp op;
    Etcd__PutRequest put;
    Etcd__DeleteRequest erase;
};

static void codec_action(struct codec_action *m, const struct sl_store_action *a)
{
    etcd__request_op__init(&m->op);
    if (a->kind == SL_ACTION_PUT) {
        etcd__put_request__init(&m->put);
        m->put.key = codec_bytes(a->key.ptr, a->key.len);
        m->put.value = codec_bytes(a->value.ptr, a->value.len);
        m->put.lease = (int64_t)a->lease;
        m->op.request_case = ETCD__REQUEST_OP__REQUEST_PUT;
        m->op.put = &m->put;
    } else {
        etcd__delete_request__init(&m->erase);
        m->erase.key = codec_bytes(a->key.ptr, a->key.len);
        m->op.request_case = ETCD__REQUEST_OP__REQUEST_DELETE;
        m->op.delete_ = &m->erase;
    }
}

static bool codec_actions(const struct sl_store_action *actions, uint32_t count, struct sl_arena *arena,
                          Etcd__RequestOp ***out)
{
    struct codec_action *list = sl_arena_alloc(arena, count * sizeof *list);
    *out = sl_arena_alloc(arena, count * sizeof **out);
    if (!list || !*out)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        codec_action(&list[i], &actions[i]);
        (*out)[i] = &list[i].op;
    }
    return true;
}

static enum sl_code codec_txn(const struct sl_store_op *op, struct sl_arena *arena, struct sl_bytes *out)
{
    Etcd__TxnRequest m = ETCD__TXN_REQUEST__INIT;
    Etcd__Compare *compares = sl_arena_alloc(arena, op->compare_count * sizeof *compares);
    m.compare = sl_arena_alloc(arena, op->compare_count * sizeof *m.compare);
    if (!compares || !m.compare || !codec_actions(op->then, op->then_count, arena, &m.success) ||
        !codec_actions(op->otherwise, op->otherwise_count, arena, &m.failure))
        return SL_NOMEM;
    for (uint32_t i = 0; i < op->compare_count; i++) {
        codec_compare(&compares[i], &op->compares[i]);
        m.compare[i] = &compares[i];
    }
    m.n_compare = op->compare_count;
    m.n_success = op->then_count;
    m.n_failure = op->otherwise_count;
    return codec_pack(&m.base, arena, out);
}

static enum sl_code codec_watch(const struct sl_store_op *op, struct sl_arena *arena, struct sl_bytes *out)
{
    Etcd__WatchRequest m = ETCD__WATCH_REQUEST__INIT;
    Etcd__WatchCreateRequest create = ETCD__WATCH_CREATE_REQUEST__INIT;
    if (!codec_prefix(op->key, arena, &create.key, &create.range_end))
        return SL_NOMEM;
    create.start_revision = op->from_revision;
    m.request_case = ETCD__WATCH_REQUEST__REQUEST_CREATE;
    m.create = &create;
    return codec_pack(&m.base, arena, out);
}

static enum sl_code codec_lease(const struct sl_store_op *op, struct sl_arena *arena, struct sl_bytes *out)
{
    Etcd__LeaseGrantRequest grant = ETCD__LEASE_GRANT_REQUEST__INIT;
    Etcd__LeaseKeepAliveRequest keep = ETCD__LEASE_KEEP_ALIVE_REQUEST__INIT;
    Etcd__LeaseRevokeRequest revoke = ETCD__LEASE_REVOKE_REQUEST__INIT;
    if (op->verb == SL_STORE_GRANT) {
        grant.ttl = op->ttl_ns / SL_S + (op->ttl_ns % SL_S > 0 ? 1 : 0); /* never shorter than asked for */
        return codec_pack(&grant.base, arena, out);
    }
    keep.id = revoke.id = (int64_t)op->lease;
    return codec_pack(op->verb == SL_STORE_KEEPALIVE ? &keep.base : &revoke.base, arena, out);
}

enum sl_code sl__etcd_encode(const struct sl_store_op *op, struct sl_arena *arena, struct sl_bytes *out)
{
    switch (op->verb) {
    case SL_STORE_RANGE:
        return codec_range(op, arena, out);
    case SL_STORE_TXN:
        return codec_txn(op, arena, out);
    case SL_STORE_WATCH:
        return codec_watch(op, arena, out);
    case SL_STORE_GRANT:
    case SL_STORE_KEEPALIVE:
    case SL_STORE_REVOKE:
        return codec_lease(op, arena, out);
    case SL_STORE_UNWATCH:
        break;
    }
    SL_UNREACHABLE();
}

enum sl_code sl__etcd_encode_login(struct sl_str user, struct sl_secret password, struct sl_arena *arena,
                                   struct sl_bytes *out)
{
    Etcd__AuthenticateRequest m = ETCD__AUTHENTICATE_REQUEST__INIT;
    struct sl_bytes hidden = sl_secret_reveal(password);
    m.name = codec_bytes(user.ptr, user.len);
    m.password = codec_bytes(hidden.ptr, hidden.len);
    return codec_pack(&m.base, arena, out);
}

/* ---- answers ---- */

struct codec_memory {
    struct sl_arena *arena;
    bool is_exhausted;
};

static void *codec_alloc(void *data, size_t size)
{
    struct codec_memory *memory = data;
    void *ptr = sl_arena_alloc(memory->arena, size);
    memory->is_exhausted = memory->is_exhausted || !ptr;
    return ptr;
}

static void codec_free(void *data, void *ptr)
{
    (void)data;
    (void)ptr; /* dies with the arena */
}

/* The message, or null with the reason in *code. */
static void *codec_unpack(const ProtobufCMessageDescriptor *d, struct sl_bytes bytes, struct sl_arena *arena,
                          enum sl_code *code)
{
    struct codec_memory memory = { arena, false };
    ProtobufCAllocator allocator = { codec_alloc, codec_free, &memory };
    void *m = protobuf_c_message_unpack(d, &allocator, bytes.len, bytes.ptr);
    *code = m ? SL_OK : SL_MALFORMED;
    if (memory.is_exhausted)
        *code = SL_LIMIT;
    return *code == SL_OK ? m : NULL;
}

static struct sl_store_pair codec_pair(const Etcd__KeyValue *kv)
{
    return (struct sl_store_pair){ .key = { (const char *)kv->key.data, kv->key.len },
                                   .value = { kv->value.data, kv->value.len },
                                   .create_revision = kv->create_revision,
                                   .mod_revision = kv->mod_revision,
                                   .lease = (sl_lease_id)kv->lease };
}

static sl_revision codec_revision(const Etcd__Header *header)
{
    return header ? header->revision : 0;
}

/* Seconds of a lease, whatever they are. */
static sl_ns codec_ttl(int64_t seconds)
{
    if (seconds <= 0)
        return 0;
    return seconds > SL_NEVER / SL_S ? SL_NEVER : seconds * SL_S;
}

static enum sl_code codec_on_range(struct sl_bytes answer, struct sl_arena *arena, struct sl_store_result *r)
{
    enum sl_code code = SL_OK;
    const Etcd__RangeResponse *m = codec_unpack(&etcd__range_response__descriptor, answer, arena, &code);
    if (!m)
        return code;
    if (m->n_kvs > UINT32_MAX || m->more)
        return SL_MALFORMED;
    struct sl_store_pair *pairs = sl_arena_alloc(arena, m->n_kvs * sizeof *pairs);
    if (!pairs)
        return SL_LIMIT;
    for (size_t i = 0; i < m->n_kvs; i++)
        pairs[i] = codec_pair(m->kvs[i]);
    r->revision = codec_revision(m->header);
    r->pairs = pairs;
    r->pair_count = (uint32_t)m->n_kvs;
    return SL_OK;
}

static enum sl_code codec_on_txn(struct sl_bytes answer, struct sl_arena *arena, struct sl_store_result *r)
{
    enum sl_code code = SL_OK;
    const Etcd__TxnResponse *m = codec_unpack(&etcd__txn_response__descriptor, answer, arena, &code);
    if (!m)
        return code;
    r->revision = codec_revision(m->header);
    r->succeeded = m->succeeded != 0;
    return SL_OK;
}

static enum sl_code codec_on_grant(struct sl_bytes answer, struct sl_arena *arena, struct sl_store_result *r)
{
    enum sl_code code = SL_OK;
    const Etcd__LeaseGrantResponse *m = codec_unpack(&etcd__lease_grant_response__descriptor, answer, arena, &code);
    if (!m)
        return code;
    r->revision = codec_revision(m->header);
    r->lease = (sl_lease_id)m->id;
    r->ttl_ns = codec_ttl(m->ttl);
    if (m->error[0] != '\0')
        r->outcome = SL_STORE_REFUSED;
    return (m->id > 0 && m->ttl > 0) || m->error[0] != '\0' ? SL_OK : SL_MALFORMED;
}

static enum sl_code codec_on_keepalive(struct sl_bytes answer, struct sl_arena *arena, struct sl_store_result *r)
{
    enum sl_code code = SL_OK;
    const Etcd__LeaseKeepAliveResponse *m =
        codec_unpack(&etcd__lease_keep_alive_response__descriptor, answer, arena, &code);
    if (!m)
        return code;
    r->revision = codec_revision(m->header);
    r->lease = (sl_lease_id)m->id;
    r->ttl_ns = codec_ttl(m->ttl);
    if (m->ttl <= 0)
        r->outcome = SL_STORE_LEASE_GONE;
    return SL_OK;
}

static enum sl_code codec_on_revoke(struct sl_bytes answer, struct sl_arena *arena, struct sl_store_result *r)
{
    enum sl_code code = SL_OK;
    const Etcd__LeaseRevokeResponse *m = codec_unpack(&etcd__lease_revoke_response__descriptor, answer, arena, &code);
    if (m)
        r->revision = codec_revision(m->header);
    return code;
}

enum sl_code sl__etcd_decode(const struct sl_store_op *op, struct sl_bytes answer, struct sl_arena *arena,
                             struct sl_store_result *result)
{
    *result = (struct sl_store_result){ .id = op->id, .verb = op->verb };
    switch (op->verb) {
    case SL_STORE_RANGE:
        return codec_on_range(answer, arena, result);
    case SL_STORE_TXN:
        return codec_on_txn(answer, arena, result);
    case SL_STORE_GRANT:
        return codec_on_grant(answer, arena, result);
    case SL_STORE_KEEPALIVE:
        return codec_on_keepalive(answer, arena, result);
    case SL_STORE_REVOKE:
        return codec_on_revoke(answer, arena, result);
    case SL_STORE_WATCH:
    case SL_STORE_UNWATCH:
        break;
    }
    SL_UNREACHABLE();
}

static enum sl_code codec_events(const Etcd__WatchResponse *m, struct sl_arena *arena,
                                 struct sl_store_watch_batch *batch)
{
    struct sl_store_event *events = sl_arena_alloc(arena, m->n_events * sizeof *events);
    if (!events || m->n_events > UINT32_MAX)
        return SL_LIMIT;
    for (size_t i = 0; i < m->n_events; i++) {
        const Etcd__KeyValue *kv = m->events[i]->kv;
        if (!kv || kv->mod_revision < batch->revision)
            return SL_MALFORMED;
        batch->revision = kv->mod_revision;
        events[i] = (struct sl_store_event){ .pair = codec_pair(kv) };
        if (m->events[i]->type == ETCD__EVENT_TYPE__DELETE) {
            events[i].deleted = true;
            events[i].pair = (struct sl_store_pair){ .key = events[i].pair.key, .mod_revision = kv->mod_revision };
        }
    }
    batch->events = events;
    batch->event_count = (uint32_t)m->n_events;
    return SL_OK;
}

enum sl_code sl__etcd_decode_watch(struct sl_bytes message, struct sl_arena *arena, enum sl_etcd_watch_said *said,
                                   sl_revision *revision, struct sl_store_watch_batch *batch, struct sl_str *reason)
{
    enum sl_code code = SL_OK;
    const Etcd__WatchResponse *m = codec_unpack(&etcd__watch_response__descriptor, message, arena, &code);
    *batch = (struct sl_store_watch_batch){ 0 };
    *reason = (struct sl_str){ 0 };
    *revision = 0;
    if (!m)
        return code;
    *revision = codec_revision(m->header);
    *said = SL_ETCD_WATCH_BATCH;
    /* Without permission etcd says "created", and only the id tells that it means the opposite. */
    if (m->canceled || (m->created && m->watch_id < 0)) {
        *said = SL_ETCD_WATCH_ENDED;
        *reason = sl_str_of(m->cancel_reason);
        batch->ended = true;
        batch->why = m->compact_revision > 0 ? SL_STORE_COMPACTED : SL_STORE_REFUSED;
        batch->compacted_revision = m->compact_revision;
        return SL_OK;
    }
    if (m->created) {
        *said = SL_ETCD_WATCH_STANDS;
        return SL_OK;
    }
    /* A header is of the moment at which a batch was sent, which may be later than what it holds is complete to. */
    return codec_events(m, arena, batch);
}

enum sl_code sl__etcd_decode_login(struct sl_bytes answer, struct sl_arena *arena, struct sl_secret *token)
{
    enum sl_code code = SL_OK;
    const Etcd__AuthenticateResponse *m = codec_unpack(&etcd__authenticate_response__descriptor, answer, arena, &code);
    if (!m)
        return code;
    *token = sl_secret_of((struct sl_bytes){ m->token.data, m->token.len });
    return m->token.len > 0 ? SL_OK : SL_MALFORMED;
}
