/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_SPANS_H
#define SL_CORE_MAINTAINER_SPANS_H

#include "base/list.h"
#include "base/map.h"
#include "core/maintainer/control.h"
#include "core/maintainer/key_ranges.h"
#include "core/maintainer/load.h"

/*
 * The span table of one feed. Private to src/core/maintainer.
 *
 *                add                    bind(node)
 *     (none) ----------> ABSENT -------------------------> SCHEDULING <----+
 *                          ^  ^                              |  |  |       | bind(node), mark scheduling
 *                          |  +------- mark absent ----------+  |  +-------+
 *                          |                                    | mark replicating
 *                          +---------- mark absent ------- REPLICATING ---------> SCHEDULING
 *                                                                   bind(node), mark scheduling
 *
 * Trust: ABSENT       no dispatcher is known; checkpoint limits the feed.
 *        SCHEDULING   an operator is at work; node is where the dispatcher is or is being made; checkpoint limits the feed.
 *        REPLICATING  node runs the dispatcher; its node's watermark limits the feed, the span's own checkpoint does not.
 *
 * Invariants (sl_spans_check recounts them):
 *   S1  a span is ABSENT iff it is bound to no node (T2).
 *   S2  the limit heap holds exactly the spans that are not REPLICATING, by checkpoint.
 *   S3  the absent list holds exactly the ABSENT spans without operator; the idle list of a node exactly its REPLICATING
 *       spans without operator.
 *   S4  bound and the load of a node change with every binding.
 *   S5  spans of one table do not overlap; they are chained in order of creation.
 *   S6  a new span begins above the placements of all that are gone: a table that is dropped and made again may have the
 *       same id, and the sink refuses a placement that is smaller than that of its first life.
 *
 * Everything but adding a span is free of allocation and cannot fail: what a lost node causes must not depend on
 * memory.
 */
struct sl_span {
    struct sl_dispatcher_id id;
    int64_t table_id, schema_id;
    sl_ts checkpoint;         /* of what is known durable; never 0, never decreases */
    uint64_t placement_seq;   /* of the newest placement; 0 = not known; of one that has none yet: what it is above */
    struct sl_link in_list;   /* the absent list, or the idle list of its node */
    struct sl_link of_table;  /* the first one's prev is the last one */
    uint32_t operator_handle; /* 0 = none */
    sl_node_ref node;
    uint32_t limit_position; /* in the limit heap, or SL_HEAP_NOWHERE */
    uint32_t keyspace_id;
    uint32_t range; /* key_ranges.h; 0 = the whole table */
    uint32_t avoid; /* incarnation of a node that failed to start it; 0 = none */
    uint32_t audit_round;
    uint8_t state; /* enum sl_span_state */
};
_Static_assert(sizeof(struct sl_span) <= 96, "a million spans and their indexes shall fit 180 bytes each");

struct sl_span_node {
    struct sl_list idle;
    uint32_t bound;
};

struct sl_spans {
    struct sl_mem *mem;
    struct sl_slab slab;
    struct sl_map by_id, by_table; /* by_table: the first span of each table */
    struct sl_heap limits;
    struct sl_key_ranges ranges;
    struct sl_list absent;
    struct sl_load *load;
    struct sl_span_node *nodes; /* by ref */
    uint32_t ref_max;
    uint32_t scheduling_count, replicating_count; /* absent ones: the rest of slab.count */
    uint64_t seed;
    uint64_t dropped_seq; /* the newest placement of all spans that are gone (S6) */
};

/* load outlives the table and has its ref_max. SL_NOMEM leaves nothing to deinit. */
SL_CHECKED enum sl_code sl_spans_init(struct sl_spans *s, struct sl_mem *mem, struct sl_load *load, uint32_t count_max,
                                      uint64_t seed);
void sl_spans_deinit(struct sl_spans *s);

/*
 * A new ABSENT span at the end of its table's chain. checkpoint is not 0. SL_EXISTS: the id is known or a span of the
 * table overlaps. SL_LIMIT, SL_NOMEM. Nothing changes unless SL_OK, and *handle is 0 then.
 */
struct sl_span_desc {
    struct sl_dispatcher_id id;
    struct sl_span_key key; /* copied */
    int64_t schema_id;
    sl_ts checkpoint;
};
SL_CHECKED enum sl_code sl_spans_add(struct sl_spans *s, const struct sl_span_desc *desc, uint32_t *handle);
/* The span must have no operator. */
void sl_spans_drop(struct sl_spans *s, uint32_t handle);

/* Valid until the span is dropped. Fields are written by spans.c alone, but for placement_seq, avoid and audit_round.
 */
struct sl_span *sl_spans_at(const struct sl_spans *s, uint32_t handle);
uint32_t sl_spans_find(const struct sl_spans *s, struct sl_dispatcher_id id); /* 0 = none */
uint32_t sl_spans_of_table(const struct sl_spans *s, int64_t table_id);       /* the oldest one; 0 = none */
uint32_t sl_spans_next_of_table(const struct sl_spans *s, uint32_t handle);   /* 0 at the end */
/* Views valid as long as the span. */
struct sl_span_key sl_spans_key(const struct sl_spans *s, const struct sl_span *span);

void sl_spans_mark_absent(struct sl_spans *s, uint32_t handle);
void sl_spans_mark_scheduling(struct sl_spans *s, uint32_t handle);  /* bound */
void sl_spans_mark_replicating(struct sl_spans *s, uint32_t handle); /* bound */
void sl_spans_bind(struct sl_spans *s, uint32_t handle, sl_node_ref node);
void sl_spans_set_operator(struct sl_spans *s, uint32_t handle, uint32_t operator_handle);
/* Puts an absent or idle span behind the others of its list. */
void sl_spans_move_back(struct sl_spans *s, uint32_t handle);
/* 0, SL_TS_MAX (both mean: not known) and what is not higher change nothing; true if it rose. */
bool sl_spans_raise_checkpoint(struct sl_spans *s, uint32_t handle, sl_ts checkpoint);

/* Minimum checkpoint of what is not REPLICATING; SL_TS_MAX if there is none. */
sl_ts sl_spans_limit(const struct sl_spans *s);
uint32_t sl_spans_first_idle(const struct sl_spans *s, sl_node_ref node); /* 0 = none */
uint32_t sl_spans_next_idle(const struct sl_spans *s, uint32_t handle);   /* 0 at the end */
uint32_t sl_spans_idle_count(const struct sl_spans *s, sl_node_ref node);
uint32_t sl_spans_bound_count(const struct sl_spans *s, sl_node_ref node);
uint32_t sl_spans_absent_count(const struct sl_spans *s);
size_t sl_spans_bytes(const struct sl_spans *s);

/* Aborts unless S1 to S5 hold, by looking at every span. For tests and debugging: O(spans * nodes). */
void sl_spans_check(const struct sl_spans *s);

#endif
