/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_CONTROL_MODEL_H
#define SL_TESTS_SUPPORT_CONTROL_MODEL_H

#include "base/prng.h"
#include "tests/support/control_driver.h"

/*
 * Span control among dispatch managers and a network that are models, for random histories. Both directions of each
 * node are a FIFO that may lose and double what enters it. Dispatchers take their time to start and to stop, fail by
 * themselves, and die with their node.
 *
 * What must hold is asserted where it happens: no Create to a node that is not eligible; a placement number that only
 * grows; no start after what is durable; nothing committed that is not durable; and
 *
 *   strict       dispatchers end only when they are told to: at most one per id exists.
 *   not strict   they also fail by themselves. Then a Create that was sent twice may make one anew after the first has
 *                failed and was reported, while another node is told to go on. It has the smaller placement number, so
 *                the sink refuses it: at most one per id can write.
 */
#define MODEL_TABLES 40u
#define MODEL_DISPATCHERS 256u
#define MODEL_QUEUE 512u

enum model_phase { MODEL_NONE, MODEL_STARTING, MODEL_RUNNING, MODEL_CLOSING };

struct model_dispatcher {
    enum model_phase phase;
    uint32_t node; /* number */
    struct sl_dispatcher_id id;
    uint64_t seq;
    sl_ts checkpoint;
};

struct model_span { /* what was true of an id at any time */
    struct sl_dispatcher_id id;
    sl_ts durable;
    uint64_t seq;
};

struct model_status {
    bool is_list; /* the answer to a bootstrap request: every dispatcher of the node; else one status */
    struct sl_dispatcher_id id;
    Pb__ComponentState state;
    sl_ts checkpoint;
    uint64_t seq;
    uint32_t listed_count;
    struct sl_dispatcher_id listed[MODEL_TABLES];
};

struct model_node {
    struct ctl_order orders[MODEL_QUEUE];
    struct model_status statuses[MODEL_QUEUE];
    uint32_t order_head, order_count, status_head, status_count;
    enum sl_liveness liveness;
    bool ready;
};

struct control_model {
    struct control_driver d;
    struct sl_prng prng;
    struct model_node nodes[CTL_NODES_MAX + 1]; /* by number */
    struct model_dispatcher dispatchers[MODEL_DISPATCHERS];
    struct model_span *spans;
    uint32_t span_count, span_cap;
    uint32_t target; /* number; 0 = none */
    uint64_t target_epoch;
    bool strict;
    bool faulty; /* the network loses and doubles, memory fails */
};

void model_start(struct control_model *m, uint64_t seed, uint32_t node_count, bool strict);
void model_stop(struct control_model *m);
void model_random_step(struct control_model *m);
/* Faults end, time passes; then everything must have come to rest where it belongs. */
void model_converge(struct control_model *m);

#endif
