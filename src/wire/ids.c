/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/ids.h"

#include "base/hash.h"

#include <string.h>

bool sl_node_id_set(struct sl_node_id *out, struct sl_str s)
{
    *out = (struct sl_node_id){ 0 };
    if (s.len > SL_NODE_ID_MAX) {
        return false;
    }
    if (s.len > 0) {
        memcpy(out->text, s.ptr, s.len);
        out->len = (uint8_t)s.len;
    }
    return true;
}

struct sl_str sl_node_id_str(const struct sl_node_id *id)
{
    return (struct sl_str){ id->text, id->len };
}

bool sl_node_id_eq(const struct sl_node_id *a, const struct sl_node_id *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

bool sl_node_id_is_none(const struct sl_node_id *id)
{
    return id->len == 0;
}

bool sl_dispatcher_id_eq(struct sl_dispatcher_id a, struct sl_dispatcher_id b)
{
    return a.high == b.high && a.low == b.low;
}

bool sl_dispatcher_id_is_none(struct sl_dispatcher_id id)
{
    return id.high == 0 && id.low == 0;
}

struct sl_dispatcher_id sl_dispatcher_id_of(const Pb__DispatcherID *pb)
{
    return pb == NULL ? (struct sl_dispatcher_id){ 0, 0 } : (struct sl_dispatcher_id){ pb->high, pb->low };
}

Pb__DispatcherID sl_dispatcher_id_pb(struct sl_dispatcher_id id)
{
    Pb__DispatcherID pb = PB__DISPATCHER_ID__INIT;
    pb.high = id.high;
    pb.low = id.low;
    return pb;
}

/* Copies a protobuf string into a zeroed field of max + 1 bytes. */
static bool feed_id_set_part(char *out, uint8_t *out_len, size_t max, const char *pb)
{
    struct sl_str s = sl_str_of(pb);
    if (s.len > max) {
        return false;
    }
    if (s.len > 0) {
        memcpy(out, s.ptr, s.len);
    }
    *out_len = (uint8_t)s.len;
    return true;
}

bool sl_feed_id_set(struct sl_feed_id *out, const Pb__ChangefeedID *pb)
{
    memset(out, 0, sizeof *out); /* the padding too: ids are hashed and compared whole */
    out->high = pb->high;
    out->low = pb->low;
    bool fits = feed_id_set_part(out->name, &out->name_len, SL_FEED_NAME_MAX, pb->name) &&
                feed_id_set_part(out->keyspace, &out->keyspace_len, SL_KEYSPACE_MAX, pb->keyspace);
    bool valid = fits && out->name_len > 0 && (out->high != 0 || out->low != 0);
    if (!valid) {
        memset(out, 0, sizeof *out);
    }
    return valid;
}

bool sl_feed_id_eq(const struct sl_feed_id *a, const struct sl_feed_id *b)
{
    return a->high == b->high && a->low == b->low && a->name_len == b->name_len && a->keyspace_len == b->keyspace_len &&
           memcmp(a->name, b->name, a->name_len) == 0 && memcmp(a->keyspace, b->keyspace, a->keyspace_len) == 0;
}

uint64_t sl_feed_id_hash(uint64_t seed, const struct sl_feed_id *id)
{
    uint64_t hash = sl_hash_u64x2(seed, id->high, id->low);
    hash = sl_hash_bytes(hash, id->name, id->name_len);
    return sl_hash_bytes(hash, id->keyspace, id->keyspace_len);
}

struct sl_str sl_feed_id_name(const struct sl_feed_id *id)
{
    return (struct sl_str){ id->name, id->name_len };
}

Pb__ChangefeedID sl_feed_id_pb(const struct sl_feed_id *id)
{
    Pb__ChangefeedID pb = PB__CHANGEFEED_ID__INIT;
    pb.high = id->high;
    pb.low = id->low;
    /* protobuf-c declares strings writable, but packing only reads them. */
    pb.name = (char *)(uintptr_t)id->name;
    pb.keyspace = (char *)(uintptr_t)id->keyspace;
    return pb;
}
