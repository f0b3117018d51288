/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_ORACLE_H
#define SL_SIM_ORACLE_H

#include "core/common/data_plane.h"
#include "sim/engine.h"

/*
 * The judges. They know nothing of the core's bookkeeping: they are told facts (a writer came, a checkpoint was said, a
 * node reported itself) by the models of sink, network and host, keep the least state needed to compare one fact with
 * those before, and are asked at every such event. A breach is a violation, which ends the run.
 *
 * Each row: name, number of the invariant (docs/invariants.md), what must hold.
 */
#define SL_SIM_ORACLES(X)                                                                                      \
    X(WRITER, 1, "one writer per span and placement; a smaller placement never writes after a larger")         \
    X(CHECKPOINT, 2, "a feed's checkpoint never passes what is durable and never goes back in one epoch")      \
    X(HOLE, 3, "a dispatcher starts at or below what is durable of its span")                                  \
    X(TARGET, 4, "a node's drain target follows the monotonic rule; a cleared epoch stays cleared")            \
    X(LIVENESS, 5, "the liveness of a node epoch moves forward one step at a time")                            \
    X(HANDOVER, 6, "the origin has stopped, is fenced or has lost its lease before another dispatcher writes") \
    X(EPOCH, 7, "an epoch is durable before it is used")                                                       \
    X(SAFE, 8, "a node said to be safe to stop has no work, then and later")                                   \
    X(STOPPING, 8, "a node that agrees to stop has no work then, and gets none later")                         \
    X(PROGRESS, 9, "after the faults every drain ends or names what blocks it, and every feed advances")       \
    X(SECRET, 10, "no password in an event or in a message that is not a configuration")                       \
    X(LEADER, 7, "at no instant two nodes believe in leadership; versions of leaderships grow")                \
    X(CONTRACT, 8, "old clients: 0 only after STOPPING and the proof, and for good; every doubt is a number")  \
    X(WISHED, 9, "a feed is paused or gone only if somebody asked for it")                                     \
    X(INPUT, 10, "bad requests are refused, bad values in the store left alone")                               \
    X(SCHEMA, 11, "each row is written under the schema of its ts: before a change, or behind it")             \
    X(ONCE, 11, "each change of a schema is performed once, and in order")

enum sl_sim_oracle_id {
#define SL_SIM_ORACLE_ENUM(name, invariant, text) SL_SIM_ORACLE_##name,
    SL_SIM_ORACLES(SL_SIM_ORACLE_ENUM)
#undef SL_SIM_ORACLE_ENUM
        SL_SIM_ORACLE_COUNT
};

/* The password in every simulated sink URI: whoever prints it gives away a real one. */
#define SL_SIM_CANARY "canary-7Kq2"

struct sl_sim_oracle_process; /* what one process (life of a node) has said of itself */
struct sl_sim_oracle_feed;    /* what maintainers have said of one feed */

struct sl_sim_oracle {
    struct sl_sim_engine *engine;
    uint64_t check_counts[SL_SIM_ORACLE_COUNT];
    struct sl_sim_oracle_process *processes; /* by process number */
    struct sl_sim_oracle_feed *feeds;        /* by feed number */
    uint32_t process_cap, feed_cap;
    uint64_t drain_epoch_durable;
    bool has_foreign; /* peers without extensions: placements may lack their sequence */
};

void sl_sim_oracle_init(struct sl_sim_oracle *o, struct sl_sim_engine *e);
void sl_sim_oracle_deinit(struct sl_sim_oracle *o);
const char *sl_sim_oracle_name(enum sl_sim_oracle_id id);

/* ---- writers: oracle_write.c ---- */

/* What became of the dispatcher that wrote a span before. */
enum sl_sim_writer_state {
    SL_SIM_WRITER_NONE,     /* nobody has written yet */
    SL_SIM_WRITER_STOPPED,  /* the data plane really closed it */
    SL_SIM_WRITER_FENCED,   /* its dispatch manager was fenced or closed */
    SL_SIM_WRITER_DEAD,     /* its process is gone */
    SL_SIM_WRITER_UNLEASED, /* its process lives on without a lease, which is the case fencing at the sink is for */
    SL_SIM_WRITER_RUNNING,
};

/* A dispatcher wants to write a span for the first time. */
struct sl_sim_claim {
    uint32_t feed;
    int64_t table_id;
    uint32_t process, previous_process;
    struct sl_placement placement, previous_placement; /* previous: the largest that wrote */
    enum sl_sim_writer_state previous;
    bool is_same_node; /* both processes ran on one host, one after the other */
    bool is_leased;    /* the claimant's process holds its lease */
    bool is_retired;   /* the table trigger has passed its drop, and all before that is durable */
    sl_ts start_ts, durable;
};

/* Whether the sink accepts the claim; also judges WRITER, HANDOVER and HOLE. */
bool sl_sim_oracle_claim(struct sl_sim_oracle *o, const struct sl_sim_claim *c);

/* ---- checkpoints and secrets: oracle_checkpoint.c ---- */

/* A maintainer of this epoch reports the checkpoint; durable = minimum over the feed's tables at the sink, which
 * table laggard has (for the message). */
void sl_sim_oracle_checkpoint(struct sl_sim_oracle *o, uint32_t feed, uint64_t maintainer_epoch, sl_ts checkpoint,
                              sl_ts durable, int64_t laggard);

/* Text or bytes that leave a node where no configuration travels. what is static. */
void sl_sim_oracle_secret(struct sl_sim_oracle *o, struct sl_bytes bytes, const char *what);

/* ---- changes of the schema: oracle_ddl.c ---- */

/* Rows of a table up to to are written, and the change of ts, which is not behind to, was not performed. */
void sl_sim_oracle_rows(struct sl_sim_oracle *o, uint32_t feed, int64_t table_id, sl_ts to, sl_ts ts);
/* Somebody begins to perform a change of a table of which this much is durable. */
void sl_sim_oracle_begins(struct sl_sim_oracle *o, uint32_t feed, sl_ts ts, int64_t table_id, sl_ts durable);
/* A change was performed for the times-th time; missing: one that should have been before, or none. */
void sl_sim_oracle_performed(struct sl_sim_oracle *o, uint32_t feed, sl_ts ts, uint32_t times, sl_ts missing);
/* A checkpoint is said or stored; first_open: the first change that was not performed. */
void sl_sim_oracle_covers(struct sl_sim_oracle *o, uint32_t feed, sl_ts checkpoint, sl_ts first_open);

/* ---- nodes and epochs: oracle_node.c ---- */

/* What a process says of itself in a node heartbeat, a liveness answer or a bootstrap answer. */
struct sl_sim_self_image {
    uint32_t process;
    uint64_t node_epoch; /* 0 = not said */
    int liveness;        /* negative = not said */
    bool is_unleased;    /* a node that lost its lease goes to STOPPING without being asked */
};
/* After an undrain a process takes a new node epoch and begins anew, unless it is STOPPING. */
void sl_sim_oracle_self(struct sl_sim_oracle *o, const struct sl_sim_self_image *s);

/* Epochs: durable is told by the store model, used by whoever sees one in a message. */
void sl_sim_oracle_drain_epoch_durable(struct sl_sim_oracle *o, uint64_t epoch);
void sl_sim_oracle_drain_epoch_used(struct sl_sim_oracle *o, uint64_t epoch);
void sl_sim_oracle_feed_epoch_durable(struct sl_sim_oracle *o, uint32_t feed, uint64_t epoch);
void sl_sim_oracle_feed_epoch_used(struct sl_sim_oracle *o, uint32_t feed, uint64_t epoch);

/* The coordinator says a process is safe to stop; work = what its models really hold at that moment. */
void sl_sim_oracle_safe(struct sl_sim_oracle *o, uint32_t process, uint64_t work);
/* A process agreed to be STOPPING (not because it lost its lease); work as above. */
void sl_sim_oracle_stopping(struct sl_sim_oracle *o, uint32_t process, uint64_t work);
/* A process starts work (a feed, a dispatcher, a maintainer). what is static. */
void sl_sim_oracle_work(struct sl_sim_oracle *o, uint32_t process, const char *what);

#endif
