/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_COMMON_INPUT_H
#define SL_CORE_COMMON_INPUT_H

#include "core/common/data_plane.h"
#include "core/common/request.h"
#include "core/common/store.h"
#include "wire/message.h"

/*
 * What can happen to a node. One input, one step. Everything an input points to is valid during the step only.
 */
enum sl_in_kind {
    SL_IN_TICK,          /* the deadline has come */
    SL_IN_MESSAGE,       /* an envelope arrived; from a peer or from the node itself */
    SL_IN_MEMBERS,       /* a new membership snapshot */
    SL_IN_REPORT,        /* the data plane reports */
    SL_IN_SCHEMA,        /* answer to SL_OUT_SCHEMA_LOAD */
    SL_IN_SCHEMA_CHANGE, /* tables were added to or dropped from a feed (a barrier will say this itself later) */
    SL_IN_LEASE_LOST,    /* the node's own lease is gone: fence everything, stop */
    SL_IN_STORE,         /* the answer to an SL_OUT_STORE: exactly one for each, but a WATCH also has batches */
    SL_IN_WATCH,         /* a batch of changes of a watch that stands, or its end */
    SL_IN_LEAVE,         /* a clean stop: gives up leadership, keys and lease; done when sl_node_has_left */
    SL_IN_REQUEST,       /* somebody asks; answered by one SL_OUT_REPLY with its ticket, now or later */
};

struct sl_table {
    int64_t table_id, schema_id;
    struct sl_str schema_name, table_name; /* may be empty */
};

struct sl_in_schema {
    struct sl_feed_id feed;
    uint64_t request;
    enum sl_code code; /* SL_OK, or why the tables could not be loaded (then ask again later) */
    const struct sl_table *tables;
    uint32_t table_count;
};

struct sl_in_schema_change {
    struct sl_feed_id feed;
    sl_ts commit_ts; /* new tables start at it */
    const struct sl_table *added;
    uint32_t added_count;
    const int64_t *dropped;
    uint32_t dropped_count;
};

struct sl_in_members {
    const struct sl_node_id *ids;
    uint32_t count;
};

struct sl_input {
    enum sl_in_kind kind;
    union {
        struct sl_bytes message; /* an encoded envelope, as it came */
        struct sl_in_members members;
        struct sl_report report;
        struct sl_in_schema schema;
        struct sl_in_schema_change schema_change;
        struct sl_store_result store;
        struct sl_store_watch_batch watch;
        struct sl_request request;
    } u;
};

#endif
