/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_WIRE_FEED_CONFIG_H
#define SL_WIRE_FEED_CONFIG_H

#include "base/secret.h"
#include "base/units.h"
#include "wire/message.h"

/*
 * The two JSON documents that travel inside control messages. They hold the sink URI with its password, so they are
 * handled as sl_secret; only the numbers and switches that the control plane needs come out.
 */

/* AddMaintainerRequest.config: the feed's whole record, dash-case keys. */
struct sl_feed_info {
    uint64_t id_high, id_low;
    sl_ts start_ts, target_ts;
    uint64_t epoch;
    bool low_latency;        /* config.performance-mode == "low-latency" */
    bool names_needed;       /* the sink wants table names at post-bootstrap: every scheme but blackhole */
    bool across_nodes;       /* config.scheduler.enable-table-across-nodes */
    uint32_t tasks_per_node; /* config.scheduler.scheduling-task-count-per-node; 1 if unset */
};

/*
 * Parses and checks a record: an object of at most json_bytes_max bytes and SL_JSON_DEPTH_MAX levels, with config,
 * config.consistent, config.scheduler, config.sink and config.filter present and not null, and each field that the
 * control plane reads or passes on of its right type. SL_REFUSE_BAD_CONFIG otherwise (then *out is zero); never says
 * which bytes. Uses json-c (its heap lives only during the call).
 *
 * Integers are exact up to 2^64-1; larger ones are refused. Unknown keys are ignored; of a key that comes twice the
 * last one counts. An absent field is zero, id_high and id_low too: the caller compares them with the id in the
 * message.
 */
#define SL_JSON_DEPTH_MAX 32
SL_CHECKED enum sl_refusal sl_feed_info_parse(struct sl_feed_info *out, struct sl_secret json, size_t json_bytes_max);

/*
 * Builds MaintainerBootstrapRequest.config (flattened, snake_case outside, dash-case inside) from a record that
 * sl_feed_info_parse accepted. Fields that the record leaves out get their defaults, because a receiver fills in hardly
 * any. The result lives in the arena. SL_REFUSE_OUT_OF_MEMORY if it does not fit (then *out is empty).
 */
SL_CHECKED enum sl_refusal sl_feed_bootstrap_config(struct sl_secret *out, struct sl_secret json,
                                                    struct sl_str timezone, struct sl_arena *arena);

/* What a dispatcher manager needs of the flattened document; same checks and refusals. */
struct sl_bootstrap_config {
    uint64_t epoch;
    sl_ts start_ts, target_ts;
    bool low_latency;
};
SL_CHECKED enum sl_refusal sl_bootstrap_config_parse(struct sl_bootstrap_config *out, struct sl_secret json,
                                                     size_t json_bytes_max);

#endif
