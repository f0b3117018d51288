/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_IDS_H
#define SL_WIRE_IDS_H

#include "base/str.h"
#include "proto/heartbeat.pb-c.h"

/* Identities as values: copied, compared and hashed whole. Unused bytes are zero. */

#define SL_NODE_ID_MAX 62
#define SL_FEED_NAME_MAX 128
#define SL_KEYSPACE_MAX 64

/* A node's id: UUID text made at process start. The zero value is "no node" and equals the empty id on the wire. */
struct sl_node_id {
    uint8_t len;
    char text[SL_NODE_ID_MAX + 1];
};

/* False (out = none) if s is longer than SL_NODE_ID_MAX. The empty string gives "none" and true. */
bool sl_node_id_set(struct sl_node_id *out, struct sl_str s);
struct sl_str sl_node_id_str(const struct sl_node_id *id); /* a view into *id */
bool sl_node_id_eq(const struct sl_node_id *a, const struct sl_node_id *b);
bool sl_node_id_is_none(const struct sl_node_id *id);

/* A dispatcher's id: 128 random bits. Zero is "none". */
struct sl_dispatcher_id {
    uint64_t high, low;
};
bool sl_dispatcher_id_eq(struct sl_dispatcher_id a, struct sl_dispatcher_id b);
bool sl_dispatcher_id_is_none(struct sl_dispatcher_id id);
struct sl_dispatcher_id sl_dispatcher_id_of(const Pb__DispatcherID *pb); /* NULL gives none */
/* An initialised protobuf value for sending. */
Pb__DispatcherID sl_dispatcher_id_pb(struct sl_dispatcher_id id);

/* A feed's id. All four parts are the identity, as on the wire. */
struct sl_feed_id {
    uint64_t high, low;
    uint8_t name_len, keyspace_len;
    char name[SL_FEED_NAME_MAX + 1];
    char keyspace[SL_KEYSPACE_MAX + 1];
};
/* False (out zero) if a part is too long, the name is empty or high and low are both 0. */
bool sl_feed_id_set(struct sl_feed_id *out, const Pb__ChangefeedID *pb);
bool sl_feed_id_eq(const struct sl_feed_id *a, const struct sl_feed_id *b);
uint64_t sl_feed_id_hash(uint64_t seed, const struct sl_feed_id *id);
struct sl_str sl_feed_id_name(const struct sl_feed_id *id);
/* For sending: points into *id, which must outlive the value. */
Pb__ChangefeedID sl_feed_id_pb(const struct sl_feed_id *id);

/* Capability bits, proto/extensions.md. */
#define SL_CAP_EXT_REPORTS (UINT64_C(1) << 0)
#define SL_CAP_CLOSE_OUTCOME (UINT64_C(1) << 1)
#define SL_CAP_TARGET_SET (UINT64_C(1) << 2)
#define SL_CAP_STANDBY (UINT64_C(1) << 3)
#define SL_CAP_STOP_ORDER (UINT64_C(1) << 4)
#define SL_CAP_CLOSE_SCOPE (UINT64_C(1) << 5)
#define SL_PROTOCOL_VERSION 1u
#define SL_DRAIN_PROTOCOL_VERSION 1u /* what CoordinatorBootstrapResponse carries; 0 = legacy */

#endif
