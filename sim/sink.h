/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_SINK_H
#define SL_SIM_SINK_H

#include "base/heap.h"
#include "sim/oracle.h"

/*
 * The sink that all nodes share: what is durable of each table of each feed, and which placement wrote it last. It
 * fences like a transactional sink does: a claim raises the placement, and whoever holds a smaller one is refused.
 *
 * A million tables cost nothing per event: a dispatcher that has caught up follows its session (one per process and
 * feed), and only the session's progress moves. A table is written out when it stops following:
 *
 *     durable(table) = following ? progress of its session : its own value
 *
 * Invariants:
 *   1. A table is in the heap of its feed iff it counts (is not retired) and does not follow.
 *   2. followers of a session = tables that follow it; a session without references and closed is gone.
 *   3. What is durable never goes back.
 */
#define SL_SIM_TABLE_MAX (1u << 24)

struct sl_sim_sink_feed;

struct sl_sim_sink {
    struct sl_sim_engine *engine;
    struct sl_sim_oracle *oracle;
    struct sl_slab sessions;
    struct sl_sim_sink_feed *feeds;
    uint8_t *processes; /* flags by process number */
    uint32_t feed_count, feed_cap, process_cap;
    uint64_t claim_count, refusal_count; /* accepted writers; refused claims and writes */
    uint64_t move_count;                 /* writers accepted after another node's had stopped */
    uint64_t change_count;               /* changes of the schema performed */
    sl_ns away_until;                    /* it refuses everything until then */
};

void sl_sim_sink_init(struct sl_sim_sink *s, struct sl_sim_engine *e, struct sl_sim_oracle *o);
void sl_sim_sink_deinit(struct sl_sim_sink *s);

/* Feeds are numbered from 0. A table is durable up to start from the beginning; its id is its number below
 * SL_SIM_TABLE_MAX. A table that was there before begins a new life, once its drop has been performed. */
uint32_t sl_sim_sink_add_feed(struct sl_sim_sink *s);
void sl_sim_sink_add_table(struct sl_sim_sink *s, uint32_t feed, int64_t table_id, sl_ts start);
/* It was dropped: it holds no checkpoint back any more. */
void sl_sim_sink_retire_table(struct sl_sim_sink *s, uint32_t feed, int64_t table_id);

/* Processes are numbered from 1. */
void sl_sim_sink_process_dies(struct sl_sim_sink *s, uint32_t process);
void sl_sim_sink_process_unleased(struct sl_sim_sink *s, uint32_t process);
void sl_sim_sink_process_leased(struct sl_sim_sink *s, uint32_t process); /* again */

/* A feed's connection of one process, which runs on this node (a host's number). Handles stay valid until closed. */
uint32_t sl_sim_sink_open_session(struct sl_sim_sink *s, uint32_t feed, uint32_t process, uint32_t node);
/* Nothing of the session is written any more (fenced, feed closed, process gone). */
void sl_sim_sink_close_session(struct sl_sim_sink *s, uint32_t handle);

/* Who writes a table. */
struct sl_sim_writer {
    uint32_t session;
    int64_t table_id;
    struct sl_placement placement;
};

static inline bool sl_sim_sink_is_away(const struct sl_sim_sink *s)
{
    return s->engine->now < s->away_until;
}

/* First write: raises the placement. False: refused, a larger one has written. start is where the dispatcher begins. */
bool sl_sim_sink_claim(struct sl_sim_sink *s, const struct sl_sim_writer *w, sl_ts start);
/* Makes the table durable up to to (if that is more than before). False: refused, somebody else claimed it. */
bool sl_sim_sink_write(struct sl_sim_sink *s, const struct sl_sim_writer *w, sl_ts to);
/* From now on the table moves with the session, whose progress is at or above what the table has. False: as above. */
bool sl_sim_sink_follow(struct sl_sim_sink *s, const struct sl_sim_writer *w);
/* It has its own value again, the session's progress. No effect on a table that is not followed by w. */
void sl_sim_sink_unfollow(struct sl_sim_sink *s, const struct sl_sim_writer *w);
/* The writer takes nothing from the source any more and flushes. No effect as below. */
void sl_sim_sink_begin_stop(struct sl_sim_sink *s, const struct sl_sim_writer *w);
/* The writer has stopped and flushed. No effect if somebody else claimed the table. */
void sl_sim_sink_stop(struct sl_sim_sink *s, const struct sl_sim_writer *w);

/* Everything that follows is durable up to to. */
void sl_sim_sink_progress(struct sl_sim_sink *s, uint32_t handle, sl_ts to);
/* Somebody else claimed a table that follows: the next write of the session is refused, so it makes no progress. */
bool sl_sim_sink_is_robbed(const struct sl_sim_sink *s, uint32_t session);
sl_ts sl_sim_sink_session_progress(const struct sl_sim_sink *s, uint32_t handle);

sl_ts sl_sim_sink_durable(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id);
/* What its writers have stored of their progress: a table that is made again begins there, not at its new life. */
sl_ts sl_sim_sink_stored(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id);
/* Minimum over the feed's tables that count. */
sl_ts sl_sim_sink_feed_durable(const struct sl_sim_sink *s, uint32_t feed);

/* The table that holds the feed back, or -1 if those that follow a session do. */
int64_t sl_sim_sink_laggard(const struct sl_sim_sink *s, uint32_t feed);

/* Who writes a table now: its process, or 0. For status pages and the progress check. */
uint32_t sl_sim_sink_writer(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id);

/* ---- changes of the schema: sink_ddl.c ---- */

/*
 * The sink performs them as edge/mariadb does (sink_ddl.h): whoever performs one proves its placement and writes "begun"
 * into a journal, the statement runs at the server even if its client is gone meanwhile, and "done" is written together
 * with the progress of the span. A successor finds in the journal, and by looking at the tables, what has become of it.
 *
 * What must hold is judged against what the source said, whoever performs or passes it.
 */
struct sl_sim_sink_change {
    sl_ts ts;
    const int64_t *touched; /* tables with rows on both sides of it, or before it */
    const int64_t *dropped; /* those that end with it */
    uint32_t touched_count, dropped_count;
    bool by_trigger; /* not by a table's own dispatcher */
    bool is_refused; /* the sink cannot perform it */
};
/* Numbers from 0 in order of ts; the lists are copied. */
void sl_sim_sink_add_change(struct sl_sim_sink *s, uint32_t feed, const struct sl_sim_sink_change *change);
bool sl_sim_sink_has_next_life(const struct sl_sim_sink *s, uint32_t feed, int64_t table_id);
/* Somebody met one that cannot be replicated; begin_change says so itself of what the sink refuses. */
void sl_sim_sink_refuse_change(struct sl_sim_sink *s, uint32_t feed, uint32_t change);
/* The operator sees to one that was refused. False: it was not, or was seen to. */
bool sl_sim_sink_perform_by_hand(struct sl_sim_sink *s, uint32_t feed, uint32_t change);

enum sl_sim_verdict {
    SL_SIM_VERDICT_DONE, /* it was performed; to be ended */
    SL_SIM_VERDICT_RUNS, /* until *until; then ask again */
    SL_SIM_VERDICT_FENCED,
    SL_SIM_VERDICT_REFUSED,
};
enum sl_sim_verdict sl_sim_sink_begin_change(struct sl_sim_sink *s, const struct sl_sim_writer *w, uint32_t change,
                                             sl_ns takes_ns, sl_ns *until);
/* False: refused, somebody else claimed the span. */
bool sl_sim_sink_end_change(struct sl_sim_sink *s, const struct sl_sim_writer *w, uint32_t change);
bool sl_sim_sink_is_performed(const struct sl_sim_sink *s, uint32_t feed, uint32_t change);
/* What the journal says of the table trigger's. */
bool sl_sim_sink_was_performed(const struct sl_sim_sink *s, uint32_t feed, uint32_t change);
/* SINK event. True: a change was performed now. */
bool sl_sim_sink_on_event(struct sl_sim_sink *s, const struct sl_sim_event *event);
/* The ts of the first change that was not performed; SL_TS_MAX. */
sl_ts sl_sim_sink_first_open(const struct sl_sim_sink *s, uint32_t feed);

#endif
