/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_DISPATCH_DRIVER_H
#define SL_TESTS_SUPPORT_DISPATCH_DRIVER_H

#include "core/common/mem_tags.h"
#include "core/dispatch/dm.h"
#include "tests/support/sl_test.h"

/*
 * One orchestrator with hands on its wires: the test is the maintainers and the data plane. Each call below is one
 * step; what the step put out can be looked at until the next one. After each step all invariants are checked by a walk
 * over everything.
 */
#define DISPATCH_N1 ((sl_node_ref)1) /* the node itself */
#define DISPATCH_N2 ((sl_node_ref)2)
#define DISPATCH_N3 ((sl_node_ref)3)

struct dispatch_driver {
    struct sl_mem mem;
    struct sl_members *members;
    struct sl_orchestrator *o;
    struct sl_outbox out;
    struct sl_arena decode;
    sl_ns now;
    enum sl_refusal refusal; /* of the last message */
    /* What the next requests carry beside the arguments. */
    uint64_t placement_seq, capabilities;
    Pb__OperatorType remove_type;
    struct sl_str config;
    const char *source; /* null: none */
    bool skips_audit;   /* it costs O(dispatchers) */
    char feed_name[16];
};

struct sl_orchestrator_opts dispatch_opts(void); /* defaults, epoch 0 refused */
/* opts null: those. */
void dispatch_start(struct dispatch_driver *d, const struct sl_orchestrator_opts *opts);
void dispatch_stop(struct dispatch_driver *d); /* nothing may be left */

/* Feeds and dispatchers are small numbers; trigger 0: none. */
void dispatch_bootstrap(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch, uint64_t trigger,
                        sl_ts start_ts);
void dispatch_post_bootstrap(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch,
                             uint64_t trigger);
void dispatch_create(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch, uint64_t id,
                     sl_ts start_ts);
void dispatch_remove(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch, uint64_t id);
void dispatch_close(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch, bool removed);
void dispatch_message(struct dispatch_driver *d, sl_node_ref from, enum sl_msg_type type,
                      const ProtobufCMessage *message);
Pb__ChangefeedID dispatch_feed_pb(struct dispatch_driver *d, uint32_t feed);

void dispatch_report_feed(struct dispatch_driver *d, enum sl_report_kind kind, sl_feed_token feed, sl_ts checkpoint);
void dispatch_report(struct dispatch_driver *d, enum sl_report_kind kind, sl_dispatcher_token dispatcher,
                     sl_ts checkpoint, bool follows);
/* FAILED, because a larger placement owns the span. */
void dispatch_report_refused(struct dispatch_driver *d, sl_dispatcher_token dispatcher, sl_ts checkpoint);
void dispatch_members(struct dispatch_driver *d, const char *const *ids, uint32_t count); /* besides n1 */
void dispatch_liveness(struct dispatch_driver *d, enum sl_liveness liveness);
void dispatch_fence(struct dispatch_driver *d);
/* Time passes; one tick, whatever is due. */
void dispatch_tick(struct dispatch_driver *d, sl_ns delay);
/* To the deadline, which must be near, and tick. */
void dispatch_tick_due(struct dispatch_driver *d);

/* Bootstrap by (from, epoch) without a trigger, sink opened. The feed's token. */
sl_feed_token dispatch_open_feed(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch);
/* Create and READY at start_ts; the status was sent. */
sl_dispatcher_token dispatch_open(struct dispatch_driver *d, sl_node_ref from, uint32_t feed, uint64_t epoch,
                                  uint64_t id, sl_ts start_ts, bool follows);

/* What the last step put out; null when there is no such one. Messages are decoded anew with each call. */
uint32_t dispatch_sent_count(const struct dispatch_driver *d, enum sl_msg_type type);
sl_node_ref dispatch_sent_to(const struct dispatch_driver *d, enum sl_msg_type type, uint32_t index);
const void *dispatch_sent(struct dispatch_driver *d, enum sl_msg_type type, uint32_t index);
uint32_t dispatch_command_count(const struct dispatch_driver *d, enum sl_command_verb verb);
const struct sl_command *dispatch_command(const struct dispatch_driver *d, enum sl_command_verb verb, uint32_t index);
uint32_t dispatch_event_count(const struct dispatch_driver *d, enum sl_event_id id);
/* The last status of a dispatcher in the heartbeats sent. */
const Pb__TableSpanStatus *dispatch_status(struct dispatch_driver *d, uint64_t id);
/* How many outputs of any kind but events. */
uint32_t dispatch_output_count(const struct dispatch_driver *d);

void dispatch_audit(struct sl_orchestrator *o);

#endif
