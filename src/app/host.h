/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_HOST_H
#define SL_APP_HOST_H

#include "app/journal.h"
#include "app/params.h"

/*
 * A node of the core and the order in which its outputs are performed. Knows no loop and no socket: what an output means
 * is behind the port, and so it is the same here, in a replay and in a test.
 *
 *   input --> journal --> step --> outputs, in order --> port
 *                                     |                    ^
 *                                     '- after an op: wait-'  answered OK: performed; else dropped
 *
 * Invariants:
 *   H1  one step at a time: what comes while a step and its outputs are under way waits its turn, in order.
 *   H2  an output with "after" is performed when the store has answered that operation with success, before the core is
 *       given the answer, and in the order of emission; otherwise never.
 *   H3  messages to the node itself come back as inputs of later steps.
 *   H4  an operation that the store did not take is answered with REFUSED, as if the store had said so.
 *   H5  time never goes back from step to step.
 */
struct sl_host_port {
    void *ctx;
    sl_ns (*now)(void *ctx); /* goes on while the machine sleeps: leases do too */
    void (*send)(void *ctx, const struct sl_node_id *to, const struct sl_out_send *send); /* never to the node itself */
    bool (*store)(void *ctx, const struct sl_store_op *op);                               /* false: not taken */
    void (*command)(void *ctx, const struct sl_command *command);
    void (*schema_load)(void *ctx, const struct sl_out_schema_load *load);
    void (*event)(void *ctx, const struct sl_event *event);
    void (*reply)(void *ctx, const struct sl_reply *reply);
    void (*stepped)(void *ctx, sl_ns took); /* a step and its outputs; may be null */
};

struct sl_host_opts {
    struct sl_params params;
    struct sl_host_port port;
    struct sl_journal *journal; /* null: none; not owned */
    uint32_t loop_count_max;    /* messages to the node itself that wait; more are lost */
    size_t loop_bytes_max;
};
#define SL_HOST_LOOP_COUNT_MAX 65536u
#define SL_HOST_LOOP_BYTES_MAX ((size_t)256 << 20)

struct sl_host;

SL_CHECKED enum sl_code sl_host_new(struct sl_host **out, const struct sl_host_opts *opts);
void sl_host_free(struct sl_host *h); /* null allowed */

/* Performs the step at once, or keeps a copy of the input if a step is under way. */
void sl_host_input(struct sl_host *h, const struct sl_input *in);
/* Performs up to count_max of the inputs that wait. True: more are left. */
bool sl_host_run(struct sl_host *h, uint32_t count_max);
bool sl_host_has_waiting(const struct sl_host *h);

struct sl_node *sl_host_node(struct sl_host *h);
struct sl_mem *sl_host_mem(struct sl_host *h); /* of the core: live bytes, peak, by tag */

struct sl_host_stats {
    uint64_t step_count, looped_count, lost_count; /* lost: messages to itself without room */
    uint32_t waiting_count, held_count;            /* inputs; outputs that wait for the store */
};
void sl_host_stats_read(const struct sl_host *h, struct sl_host_stats *out);

#endif
