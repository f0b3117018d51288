/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_CONTROL_DRIVER_H
#define SL_TESTS_SUPPORT_CONTROL_DRIVER_H

#include "core/common/mem_tags.h"
#include "core/maintainer/control.h"
#include "tests/support/sl_test.h"

/*
 * Span control with hands on its wires: the test is the dispatch managers, or lets well-behaved ones answer. Each call
 * is one step; the orders it sends are kept until ctl_forget. After each step everything is recounted, unless the test
 * is about large numbers. Nodes are n1 (the maintainer's own), n2 ...; a node's ref is its number as long as none left.
 */
#define CTL_NODES_MAX 16u
#define CTL_EPOCH 5u
#define CTL_KEYSPACE 6u

struct ctl_order {
    sl_node_ref to;
    bool is_create;
    Pb__OperatorType type;
    struct sl_dispatcher_id id;
    int64_t table_id; /* 0: no span in it */
    int64_t schema_id;
    uint32_t keyspace_id;
    uint8_t start_key, end_key; /* the first byte of each; 0: none */
    uint64_t epoch, seq;
    sl_ts start_ts;
    bool answered;
};

struct control_driver {
    struct sl_mem mem, order_mem; /* apart, so that the control's allocations can be counted and failed */
    struct sl_members *members;
    struct sl_pacer pacer;
    struct sl_feed_id feed;
    struct sl_outbox out;
    struct sl_control *control;
    sl_ns now;
    struct ctl_order *orders;
    uint32_t order_count, order_cap;
    uint32_t event_count[SL_EVENT_COUNT];
    bool alive[CTL_NODES_MAX + 1]; /* n<i> */
    bool skips_check;
};

struct sl_maintainer_limits ctl_limits(void); /* defaults, 20000 spans */
/* opened: members, nothing ready, not started. started: all nodes ready, started. limits null: ctl_limits(). */
void ctl_open(struct control_driver *d, uint32_t node_count, const struct sl_maintainer_limits *limits);
void ctl_start(struct control_driver *d, uint32_t node_count, const struct sl_maintainer_limits *limits);
void ctl_stop(struct control_driver *d); /* nothing may be left, the pacer included */

/* Steps. */
void ctl_ready(struct control_driver *d, uint32_t number);
sl_node_ref ctl_ref(const struct control_driver *d, uint32_t number); /* of n<number> */
void ctl_join(struct control_driver *d, uint32_t number);             /* member and ready */
void ctl_lost(struct control_driver *d, uint32_t number);
void ctl_lost_both(struct control_driver *d, uint32_t one, uint32_t other); /* in one membership change */
void ctl_target(struct control_driver *d, sl_node_ref node, uint64_t epoch);
void ctl_targets(struct control_driver *d, const struct sl_control_target *targets, uint32_t count);
void ctl_tick(struct control_driver *d, sl_ns delay);
void ctl_run(struct control_driver *d, sl_ns duration); /* ticks at each deadline on the way */
struct sl_dispatcher_id ctl_add(struct control_driver *d, int64_t table_id, sl_ts start); /* and a tick */
/* A table that runs on the node already. */
struct sl_dispatcher_id ctl_adopt(struct control_driver *d, int64_t table_id, sl_node_ref node, sl_ts checkpoint);
void ctl_adopt_many(struct control_driver *d, int64_t first_table, uint32_t count, sl_node_ref node);
/* A whole life of an adopted table to a MOVE that waits for its origin. */
struct sl_dispatcher_id ctl_moving(struct control_driver *d, int64_t table_id, sl_node_ref origin, sl_node_ref dest);
bool ctl_drop(struct control_driver *d, int64_t table_id);
enum sl_code ctl_move(struct control_driver *d, int64_t table_id, sl_node_ref dest);
enum sl_code ctl_remove(struct control_driver *d, sl_node_ref node, struct sl_dispatcher_id id, bool keep_span);
enum sl_status_effect ctl_status(struct control_driver *d, sl_node_ref from, struct sl_dispatcher_id id,
                                 Pb__ComponentState state, sl_ts checkpoint, uint64_t seq);
enum sl_status_effect ctl_working(struct control_driver *d, sl_node_ref from, struct sl_dispatcher_id id, sl_ts ts);
enum sl_status_effect ctl_stopped(struct control_driver *d, sl_node_ref from, struct sl_dispatcher_id id, sl_ts ts);
/* Well-behaved dispatch managers answer every order, and what it leads to, at once. */
void ctl_answer(struct control_driver *d);
void ctl_answer_one(struct control_driver *d, struct ctl_order *order);

/* What there is. */
struct sl_span_view ctl_view(const struct control_driver *d, struct sl_dispatcher_id id); /* must exist */
struct sl_node_counts ctl_counts(const struct control_driver *d, sl_node_ref node);
struct sl_maintainer_stats ctl_stats(const struct control_driver *d);
void ctl_assert_absent(const struct control_driver *d, struct sl_dispatcher_id id);
void ctl_assert_replicating(const struct control_driver *d, struct sl_dispatcher_id id, sl_node_ref node);
void ctl_assert_scheduling(const struct control_driver *d, struct sl_dispatcher_id id, sl_node_ref node);

/* Orders since the last ctl_forget. */
void ctl_forget(struct control_driver *d);
const struct ctl_order *ctl_last(const struct control_driver *d); /* null: none */
uint32_t ctl_creates_to(const struct control_driver *d, sl_node_ref node);
uint32_t ctl_removes_to(const struct control_driver *d, sl_node_ref node);

#endif
