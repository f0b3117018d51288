/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_SINK_INTERNAL_H
#define SL_SIM_SINK_INTERNAL_H

#include "sim/sink.h"

/* What the sink's journal says of a change, by the span that performed it; and what the server really does. */
struct sink_journal {
    int64_t table_id;
    sl_ns until; /* the statement runs, whether or not its client lives */
    bool is_there, is_done, is_running;
};
#define SINK_JOURNAL_MAX 4u

struct sl_sim_sink_ddl {
    sl_ts ts;
    int64_t *touched, *dropped; /* owned */
    uint32_t touched_count, dropped_count;
    bool by_trigger, is_refused, was_refused, is_performed;
    uint32_t performed_count;
    struct sink_journal journal[SINK_JOURNAL_MAX];
};

struct sl_sim_span {
    sl_ts durable; /* nothing is missing up to here */
    sl_ts stored;  /* what a successor reads of the progress of those before it */
    struct sl_placement placement;
    uint32_t session; /* of the last writer; 0 = nobody wrote */
    uint32_t process; /* likewise */
    uint32_t node;    /* likewise */
    uint32_t heap_position;
    bool is_writing, is_stopping, is_following, is_table, is_trigger, is_retired;
    sl_ts next_start; /* of its next life, whose table's drop was not performed yet; or none */
};

struct sl_sim_sink_feed {
    struct sl_sim_span *spans;    /* by table id */
    struct sl_heap detached;      /* tables that do not follow, by what is durable */
    struct sl_sim_sink_ddl *ddls; /* in order of ts */
    uint32_t span_cap, ddl_count, ddl_cap;
    uint32_t ddl_open; /* the first that was not performed */
    uint32_t session_head;
};

struct sink_session {
    sl_ts progress;
    uint32_t feed, process, node;
    uint32_t followers, refs;
    uint32_t next, prev; /* sessions of the feed */
    bool is_closed, is_robbed;
};

struct sl_sim_span *sl_sim__sink_span(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id);
struct sink_session *sl_sim__sink_session(const struct sl_sim_sink *s, uint32_t handle);
/* The table if w is its writer, or a null pointer. */
struct sl_sim_span *sl_sim__sink_owned(const struct sl_sim_sink *s, const struct sl_sim_writer *w);
sl_ts sl_sim__sink_span_durable(const struct sl_sim_sink *s, const struct sl_sim_span *span);
bool sl_sim__sink_is_dead(const struct sl_sim_sink *s, uint32_t process);
void sl_sim__sink_raise(struct sl_sim_sink_feed *f, struct sl_sim_span *span, sl_ts to);

/* ---- sink_ddl.c ---- */

/* A table's rows in (after, to] are about to be durable; of all that follow the session. */
void sl_sim__sink_judge_rows(struct sl_sim_sink *s, uint32_t feed, int64_t table_id, sl_ts after, sl_ts to);
void sl_sim__sink_judge_session(struct sl_sim_sink *s, uint32_t handle, sl_ts to);
void sl_sim__sink_free_ddls(struct sl_sim_sink *s, struct sl_sim_sink_feed *f);

#endif
