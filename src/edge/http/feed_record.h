/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_FEED_RECORD_H
#define SL_EDGE_HTTP_FEED_RECORD_H

#include "base/secret.h"
#include "base/units.h"
#include "edge/http/buf.h"

#include <json-c/json.h>

/*
 * The stored record of a feed (the info value), made from what a client sent, and back. Every member that a node of the
 * protocol reads without looking is there, with its default.
 */
struct sl__feed_new {
    struct sl_str name, keyspace, version;
    uint64_t id_high, id_low, upstream_id, create_wall_ms;
    struct sl_secret sink_uri;
    sl_ts start_ts, target_ts;
    struct json_object *replica_config; /* of the client, underscores; null: all defaults */
};
/* Writes the record. Null: done; otherwise what is wrong with the request, a static text. */
SL_CHECKED const char *sl__feed_record_new(struct sl__buf *out, const struct sl__feed_new *feed);

struct sl__feed_change {
    struct sl_secret sink_uri; /* empty: as it is */
    bool set_target;
    sl_ts target_ts;
    struct json_object *replica_config; /* null: as it is */
};
/* The record old with the changes. Secrets that come back masked, as we showed them, stay what they were. */
SL_CHECKED const char *sl__feed_record_change(struct sl__buf *out, struct sl_secret old,
                                              const struct sl__feed_change *change);

#define SL__FEED_PATH_BYTES_MAX 128u
/* Whether it has a member that no node reads; path is then the first of them, cut if it is long, such as sink.protocoll. */
bool sl__feed_config_unknown(struct json_object *replica_config, char path[SL__FEED_PATH_BYTES_MAX]);

/* The configuration of a client of the old API (flat) as replica_config. Null without memory. Owned by the caller. */
struct json_object *sl__feed_config_of_v1(struct json_object *body);

#endif
