/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_PARAMS_H
#define SL_APP_PARAMS_H

#include "app/input_codec.h"
#include "core/node/node.h"

/*
 * Everything a node of the core is made from besides its inputs. The daemon fills it in from its options, the clock and
 * the system's randomness; a journal begins with it, and a replay makes the same node from it.
 */
struct sl_params {
    struct sl_node_id id;
    uint64_t node_epoch; /* wall clock at process start, ns */
    uint64_t seed;
    uint64_t wall_offset; /* wall clock = now + this, ns */
    sl_ns now;            /* at which the node is made */
    sl_ns lease_ttl_ns;
    uint64_t memory_bytes; /* of the core; 0: no limit */
    bool interop;
    char cluster[SL_KEY_MAX + 1], name[SL_NODE_NAME_MAX + 1], address[SL_ADDRESS_MAX + 1], version[64];
};

/* A node with its memory and the outbox that its steps fill. Stays where it is: the node points into it. */
struct sl_params_node {
    struct sl_params params;
    struct sl_mem mem;
    struct sl_outbox outbox;
    struct sl_node *node;
};
/* SL_NOMEM, SL_BAD_CONFIG: *out holds nothing. */
SL_CHECKED enum sl_code sl_params_node_new(struct sl_params_node *out, const struct sl_params *p);
void sl_params_node_free(struct sl_params_node *n);

void sl_params_encode(struct sl_buf *b, const struct sl_params *p);
SL_CHECKED bool sl_params_decode(struct sl_params *p, struct sl_bytes bytes);

#endif
