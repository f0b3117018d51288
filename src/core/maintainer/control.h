/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_CORE_MAINTAINER_CONTROL_H
#define SL_CORE_MAINTAINER_CONTROL_H

#include "core/maintainer/maintainer.h"

/*
 * Span control: the spans of one feed, the operators that change where they run, and the schedulers that create
 * operators. Private to src/core/maintainer. The maintainer (lifecycle) owns one and feeds it; it never sees bootstrap,
 * checkpoints of nodes, or the coordinator.
 *
 *   spans.c       span table: absent / scheduling / replicating, bound node, minimum checkpoint of what is not replicating
 *   load.c        which node has least
 *   operators.c   one operator per span: add, move, remove (op_*.c); state table in operators.h; orders leave on state
 *                 change and again on a timer (operator_orders.c)
 *   schedulers.c  make operators: basic (absent -> node), drain (off the targets), balance (sched_*.c)
 *
 * Cost: every call is O(1) or O(log n) in the number of spans, plus the work it starts. There is no scan over all
 * spans.
 *
 * Placement of the three sets (transition table of the reference):
 *   add absent      -> absent, unbound            bind(node)        -> scheduling, bound to node
 *   mark absent     -> absent, unbound            mark scheduling   -> scheduling, binding unchanged
 *   mark replicating-> replicating, binding kept  drop              -> gone from every index
 */
struct sl_control;

struct sl_control_opts {
    struct sl_mem *mem;
    const struct sl_members *members;
    struct sl_pacer *pacer;
    const struct sl_feed_id *feed; /* outlives the control */
    uint64_t epoch, seed;
    struct sl_maintainer_limits limits;
};

SL_CHECKED enum sl_code sl_control_new(struct sl_control **out, const struct sl_control_opts *opts, sl_ns now);
void sl_control_free(struct sl_control *c);

/* ---- nodes ---- */

/* The node answered the bootstrap: from now on it may be a destination (while ALIVE and not a target). Again after it
 * was lost. */
void sl_control_node_ready(struct sl_control *c, sl_node_ref node);
/* What the node says of itself; ALIVE until it says otherwise. */
void sl_control_node_liveness(struct sl_control *c, sl_node_ref node, enum sl_liveness liveness);
/* The node left: its idle spans become absent, every operator is told. */
void sl_control_node_lost(struct sl_control *c, sl_ns now, sl_node_ref node, struct sl_outbox *out);
/* The drain targets, all that there are: distinct, at most SL_TARGETS_MAX; one that is no member is left out. The epoch
 * only names a target (its drain begins anew with a new one). */
struct sl_control_target {
    sl_node_ref node;
    uint64_t epoch;
};
void sl_control_set_targets(struct sl_control *c, sl_ns now, const struct sl_control_target *targets, uint32_t count,
                            struct sl_outbox *out);

/* ---- spans ---- */

/* A table without dispatcher: waits for a place. SL_EXISTS if the table has spans. start is its checkpoint;
 * SL_BAD_FIELD if 0. SL_LIMIT, SL_NOMEM. */
SL_CHECKED enum sl_code sl_control_add_table(struct sl_control *c, struct sl_table table, sl_ts start,
                                             uint32_t keyspace_id);
/* What the table is called from now on, for what is created later; it need not be there yet. add_table does it too.
 * SL_NOMEM, SL_LIMIT. */
SL_CHECKED enum sl_code sl_control_name_table(struct sl_control *c, struct sl_table table);
/* Drops every span of the table: bound ones get a Remove operator first, whatever was in flight for them is replaced.
 * False if unknown. */
bool sl_control_drop_table(struct sl_control *c, sl_ns now, int64_t table_id, struct sl_outbox *out);

/* What a dispatch manager said of one dispatcher, in a bootstrap answer or a heartbeat. */
struct sl_span_report {
    struct sl_dispatcher_id id;
    struct sl_span_key span; /* bootstrap only */
    int64_t schema_id;       /* bootstrap only */
    Pb__ComponentState state;
    sl_ts checkpoint;       /* 0 = not known */
    uint64_t placement_seq; /* 0 = not known */
};

/*
 * Bootstrap: takes over a running dispatcher as a replicating span. SL_EXISTS: the id is known or another span of the
 * table covers it (then nothing changed; the caller removes the dispatcher with sl_control_remove_dispatcher).
 * SL_BAD_FIELD: no id. SL_LIMIT (spans, or keys too long), SL_NOMEM. An unknown checkpoint counts as the committed one.
 */
SL_CHECKED enum sl_code sl_control_adopt(struct sl_control *c, sl_node_ref node, const struct sl_span_report *report);

/*
 * Bootstrap: an unfinished Create of a predecessor: a span with this id and an Add operator to that node. Codes as
 * above. If the node is not eligible (ready, ALIVE, no target: said before), what may have been created is removed and
 * the span placed elsewhere.
 */
SL_CHECKED enum sl_code sl_control_resume_create(struct sl_control *c, sl_ns now, sl_node_ref node,
                                                 const struct sl_span_report *report, struct sl_outbox *out);

/*
 * Removes a dispatcher on a node: an orphan, an overlap, or an unfinished Remove of a predecessor. If a span has this
 * id and is bound to the node, it is given up when the removal ends: with keep_span it becomes absent (a new place is
 * found), otherwise it is dropped. One that is bound elsewhere is not concerned. SL_EXISTS: it is being removed there
 * already. SL_NOT_READY: frozen. SL_NOMEM. Nothing changed then.
 * Of the report the id counts, and what is known of table and placement: the Remove concerns that placement alone, so that
 * an answer to it that comes late says nothing of a later one.
 */
SL_CHECKED enum sl_code sl_control_remove_dispatcher(struct sl_control *c, sl_ns now, sl_node_ref node,
                                                     const struct sl_span_report *report, bool keep_span,
                                                     struct sl_outbox *out);

/* A status of a heartbeat. */
enum sl_status_effect {
    SL_STATUS_IGNORED, /* not from the bound node, or says nothing new */
    SL_STATUS_APPLIED,
    SL_STATUS_UNKNOWN, /* no such span, or Working on a node it is not bound to; and no operator: an orphan if it is
                          Working */
    SL_STATUS_LOST,    /* stopped without an operator: the span is absent now (or only noted, when frozen) */
};
enum sl_status_effect sl_control_on_status(struct sl_control *c, sl_ns now, sl_node_ref from,
                                           const struct sl_span_report *report, struct sl_outbox *out);

/*
 * A node was asked again and listed its dispatchers: begin, one call per listed one, end. Bound spans that were not listed
 * and have no operator are given up at end: a Remove first, and only when the node has answered that, a new place. A
 * list may be older than a span that is not in it, and then its dispatcher runs (T3).
 */
void sl_control_audit_begin(struct sl_control *c, sl_node_ref node);
void sl_control_audit_seen(struct sl_control *c, sl_node_ref node, struct sl_dispatcher_id id);
void sl_control_audit_end(struct sl_control *c, sl_ns now, sl_node_ref node, struct sl_outbox *out);

/* An administrator's move of one table to a node. SL_NOT_FOUND, SL_BUSY (has an operator), SL_NOT_READY (node not
 * eligible). */
SL_CHECKED enum sl_code sl_control_move_table(struct sl_control *c, sl_ns now, int64_t table_id, sl_node_ref node,
                                              struct sl_outbox *out);

/* ---- time, closing ---- */

/* Floor for every start ts: the feed's committed checkpoint. Never decreases. */
void sl_control_set_committed(struct sl_control *c, sl_ts committed);
/* Minimum checkpoint over absent and scheduling spans; SL_TS_MAX if there is none. Limits the feed's checkpoint. */
sl_ts sl_control_checkpoint_limit(const struct sl_control *c);

/* Schedulers run only between start and quiesce. */
void sl_control_start(struct sl_control *c, sl_ns now, struct sl_outbox *out);
/* No new operators (hand-over). Those in flight go on. */
void sl_control_quiesce(struct sl_control *c);
/* No operator sends, changes or is told anything any more, but their checkpoints still limit (cascade close). */
void sl_control_freeze(struct sl_control *c);

void sl_control_on_tick(struct sl_control *c, sl_ns now, struct sl_outbox *out);
sl_ns sl_control_deadline(const struct sl_control *c);

/* The feed's lag left its budget: if spans of it are being moved off a target, fewer shall be at a time. */
void sl_control_over_budget(struct sl_control *c, sl_ns now);

/* ---- what there is ---- */

struct sl_node_counts {
    uint32_t bound;      /* spans bound to the node, any set: what the protocol counts */
    uint32_t idle;       /* of these: replicating without operator */
    uint32_t stopping;   /* moves and removes that still wait for this node to stop a dispatcher */
    uint32_t starting;   /* adds and moves that wait for this node to start one */
    uint32_t moves_from; /* unfinished moves whose origin is the node */
    uint32_t stuck;      /* of its moves, past their time limit */
};
void sl_control_node_counts(const struct sl_control *c, sl_node_ref node, struct sl_node_counts *counts);

/* The oldest stuck moves away from the node, at most max; returns how many. phase is static; since: start of the move.
 */
struct sl_stuck {
    struct sl_dispatcher_id id;
    const char *phase;
    sl_node_ref waits_for;
    sl_ns since;
};
uint32_t sl_control_stuck(const struct sl_control *c, sl_node_ref node, struct sl_stuck *out, uint32_t max);
/* The same of all moves, those that are stuck first. */
uint32_t sl_control_oldest_moves(const struct sl_control *c, sl_node_ref node, struct sl_stuck *out, uint32_t max);

uint32_t sl_control_span_count(const struct sl_control *c);
uint32_t sl_control_operator_count(const struct sl_control *c);
uint32_t sl_control_move_count(const struct sl_control *c);
/* Whether the node hosts or may host a dispatcher of this feed, by what is known here. */
bool sl_control_node_is_used(const struct sl_control *c, sl_node_ref node);
void sl_control_stats(const struct sl_control *c, struct sl_maintainer_stats *stats);

/* Recounts every counter, list and index and aborts if one is wrong: for tests and debugging, O(spans * nodes). */
void sl__control_check(const struct sl_control *c);

/* One span by its id, for tests and status pages. SL_NOT_FOUND leaves *view unchanged. */
enum sl_span_state { SL_SPAN_ABSENT, SL_SPAN_SCHEDULING, SL_SPAN_REPLICATING };
struct sl_span_view {
    enum sl_span_state state;
    sl_node_ref node;
    int64_t table_id;
    sl_ts checkpoint;
    uint64_t placement_seq;
    bool has_operator;
};
enum sl_code sl_control_view(const struct sl_control *c, struct sl_dispatcher_id id, struct sl_span_view *view);
/* Rows in order of table id, after one (INT64_MIN: from the start), whole tables unless one alone has more than max
 * spans. Names are views valid until the next call that changes something. O(spans). SL_NOMEM. */
SL_CHECKED enum sl_code sl_control_list_tables(const struct sl_control *c, int64_t after, struct sl_table_view *rows,
                                               uint32_t max, uint32_t *count, bool *has_more);
/* Ids of the spans of a table, in order of creation; returns how many there are (may exceed max). */
uint32_t sl_control_table_spans(const struct sl_control *c, int64_t table_id, struct sl_dispatcher_id *ids,
                                uint32_t max);
/* A dispatcher of the table, which was dropped, is being removed and may still write. O(operators). */
bool sl_control_table_leaves(const struct sl_control *c, int64_t table_id);

#endif
