/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_FAULTS_H
#define SL_SIM_FAULTS_H

#include "sim/engine.h"

/*
 * What is done to a cluster from outside: faults, and the deeds of an operator. Each is planned at a time, or aimed at a
 * moment of the protocol ("crash n2 a few milliseconds after it reports a dispatcher stopped"), because what comes at
 * random times hardly ever hits the narrow places.
 *
 * A row: name, text, the function that does it (actions.c, deeds.c), the action that takes it back after a while.
 */
#define SL_SIM_ACTIONS(X)                                                                                             \
    X(CRASH, "crash", crash, START)                  /* host */                                                       \
    X(PAUSE, "pause", pause, RESUME)                 /* host, for */                                                  \
    X(RESTART_SAME, "restart", restart_same, NONE)   /* host: crash if needed, start with the same id */              \
    X(RESTART_NEW, "restart-new", restart_new, NONE) /* with a new id */                                              \
    X(CUT, "cut", cut, HEAL)                         /* host -> peer, for; one direction */                           \
    X(STALL, "stall", stall, NONE)                   /* host -> peer, for */                                          \
    X(HANG_OPEN, "hang-open", hang_open, RELEASE)    /* host, for */                                                  \
    X(HANG_CLOSE, "hang-close", hang_close, RELEASE) /* host, for */                                                  \
    X(SLOW, "slow", slow, RELEASE)                   /* host, for: opens and closes take seconds */                   \
    X(KILL_COORDINATOR, "kill-coordinator", kill_coordinator, NONE) /* whoever coordinates */                         \
    X(LOSE_LEASE, "lose-lease", lose_lease, START)                  /* host: while it runs */                         \
    X(STORE_AWAY, "store-away", store_away, NONE)                   /* for: nobody reaches the store */               \
    X(SINK_AWAY, "sink-away", sink_away, NONE)                      /* for: the sink refuses everything */            \
    X(CLOCK_JUMP, "clock-jump", clock_jump, NONE)                   /* host, for: its clock goes ahead by so much */  \
    X(FREEZE, "freeze", freeze, NONE)                               /* host: never wakes up again */                  \
    X(WEDGE, "wedge", wedge, NONE)                                  /* host: what closes there hangs for good */      \
    X(ECHO, "echo", echo, NONE)                                     /* host: an earlier request reaches it again */   \
    X(LATE_BEAT, "late-beat", late_beat, NONE)                   /* host: an earlier heartbeat from it comes again */ \
    X(RESTART_UNHEARD, "restart-unheard", restart_unheard, NONE) /* host: as restart; then answers get lost */        \
    X(HASTE, "haste", haste, NONE)                               /* host: is asked to stop, whatever runs there */    \
    X(LATE_ADD, "late-add", late_add, NONE)                      /* host: a feed is added there, if it is STOPPING */ \
    X(BAD_VALUE, "bad-value", bad_value, NONE)                   /* somebody writes nonsense into the store */        \
    X(START, "start", start, NONE)                               /* host, if it is down, with a new id */             \
    X(RESUME, "resume", resume, NONE)                                                                                 \
    X(HEAL, "heal", heal, NONE)          /* host -> peer */                                                           \
    X(RELEASE, "release", release, NONE) /* host: hanging and slow dispatchers go on */                               \
    /* deeds of the operator */                                                                                       \
    X(DRAIN, "drain", drain, NONE)             /* count hosts from host on, with options */                           \
    X(OLD_DRAIN, "old-drain", old_drain, NONE) /* host, by a client that knows DrainNode alone */                     \
    X(DRY_RUN, "dry-run", dry_run, NONE)       /* host */                                                             \
    X(UNDRAIN, "undrain", undrain, NONE)       /* host */                                                             \
    X(RESIGN, "resign", resign, NONE)                                                                                 \
    X(LEAVE, "leave", leave, START)                  /* host ends in an orderly way */                                \
    X(JOIN, "join", join, NONE)                      /* one more host */                                              \
    X(START_ALL, "start-all", start_all, NONE)       /* whoever is down */                                            \
    X(CREATE_FEED, "create-feed", create_feed, NONE) /* with count tables */                                          \
    X(PAUSE_FEED, "pause-feed", pause_feed, NONE)    /* feed */                                                       \
    X(RESUME_FEED, "resume-feed", resume_feed, NONE)                                                                  \
    X(REMOVE_FEED, "remove-feed", remove_feed, NONE)                                                                  \
    X(UPDATE_FEED, "update-feed", update_feed, NONE)                                                                  \
    X(MOVE_FEED, "move-feed", move_feed, NONE)    /* feed, to host */                                                 \
    X(ADD_TABLES, "add-tables", add_tables, NONE) /* feed, count */                                                   \
    X(DROP_TABLES, "drop-tables", drop_tables, NONE)                                                                  \
    X(LOOK, "look", look, NONE)                      /* every list and view there is */                               \
    X(BAD_REQUEST, "bad-request", bad_request, NONE) /* what has to be refused */                                     \
    X(DDL, "ddl", ddl, NONE)                         /* feed, options: enum sl_sim_ddl_kind, count */                 \
    X(MOVE_TABLE, "move-table", move_table, NONE)    /* feed, count: which of its tables, to host */                  \
    X(LOSE_BLOCKS, "lose-blocks", lose_blocks, NONE) /* host: the next count words about a barrier, both ways */      \
    X(LATE_BLOCK, "late-block", late_block, NONE)    /* host: an earlier word about a barrier reaches it again */

enum sl_sim_action {
#define SL_SIM_ACTION_ENUM(name, text, handler, undo) SL_SIM_ACTION_##name,
    SL_SIM_ACTIONS(SL_SIM_ACTION_ENUM)
#undef SL_SIM_ACTION_ENUM
        SL_SIM_ACTION_COUNT
};
#define SL_SIM_ACTION_NONE SL_SIM_ACTION_COUNT
const char *sl_sim_action_text(enum sl_sim_action action);

/* Moments: what a node was just given or just said, what the store just got. PHASE_*: of a drain, of the target's host,
 * in the order of enum sl_drain_phase. */
#define SL_SIM_MOMENTS(X)                                                                              \
    X(TIME, "time")                                                                                    \
    X(TARGET_APPLIED, "target-applied") /* a node applied a drain target */                            \
    X(MAINTAINER_ADDED, "maintainer-added")                                                            \
    X(BOOTSTRAPPED, "bootstrapped") /* a maintainer finished bootstrap */                              \
    X(ORIGIN_CLOSES, "closes")      /* a dispatcher is told to stop */                                 \
    X(ORIGIN_STOPPED, "stopped")    /* a dispatcher stopped and said so */                             \
    X(DESTINATION_OPENS, "opens")                                                                      \
    X(DESTINATION_READY, "ready")                                                                      \
    X(HANDOVER, "handover") /* a maintainer is asked to leave */                                       \
    X(DRAINING, "draining") /* a node became DRAINING */                                               \
    X(STOPPING, "stopping")                                                                            \
    X(TARGET_CLEARED, "target-cleared")                                                                \
    X(PHASE_PENDING, "phase-pending")                                                                  \
    X(PHASE_EVACUATING, "phase-evacuating")                                                            \
    X(PHASE_STOPPING, "phase-stopping")                                                                \
    X(PHASE_SAFE, "phase-safe")                                                                        \
    X(PHASE_CLEARING, "phase-clearing")                                                                \
    X(PHASE_DONE, "phase-done")                                                                        \
    X(PHASE_CANCELLED, "phase-cancelled")                                                              \
    X(PHASE_FAILED, "phase-failed")                                                                    \
    X(PUSHED, "pushed")       /* a coordinator sends a target: its own host */                         \
    X(ELECTED, "elected")     /* a node leads that did not before */                                   \
    X(DDL_BLOCKED, "blocked") /* a dispatcher stands in front of a change of the schema and says so */ \
    X(DDL_WRITES, "told-to-write")                                                                     \
    X(DDL_PASSES, "told-to-pass")                                                                      \
    X(DDL_PERFORMED, "performed") /* at the sink; its client does not know yet */                      \
    X(DDL_BEHIND, "behind")       /* a dispatcher has it behind itself and says so */

enum sl_sim_moment {
#define SL_SIM_MOMENT_ENUM(name, text) SL_SIM_MOMENT_##name,
    SL_SIM_MOMENTS(SL_SIM_MOMENT_ENUM)
#undef SL_SIM_MOMENT_ENUM
        SL_SIM_MOMENT_COUNT
};
const char *sl_sim_moment_text(enum sl_sim_moment moment);

#define SL_SIM_HOST_NONE UINT32_MAX         /* of a fault: the host of the moment */
#define SL_SIM_HOST_LEADER (UINT32_MAX - 1) /* whoever leads when it happens; nobody: it does not */

enum {                             /* of a drain */
       SL_SIM_OPTION_DEADLINE = 1, /* after lasts_ns */
       SL_SIM_OPTION_CANCEL = 2,   /* at the deadline */
       SL_SIM_OPTION_LAG_BUDGET = 4,
       SL_SIM_OPTION_STOP_NODE = 8,
       SL_SIM_OPTION_KEPT = 16, /* the process is stopped only some seconds after it is safe */
};

struct sl_sim_fault {
    enum sl_sim_action action;
    uint32_t host, peer;
    uint32_t feed, count, options;
    sl_ns lasts_ns; /* undone after this; 0 = not undone */
    uint32_t draw;  /* names its random choices */
    /* aimed faults */
    enum sl_sim_moment moment;
    uint32_t at_host; /* the moment counts on this host only; SL_SIM_HOST_NONE = on any */
    uint32_t skip;    /* moments to let pass first */
    sl_ns delay_ns, delay_width_ns;
    bool is_armed;
};

struct sl_sim_faults {
    struct sl_sim_fault *items; /* planned ones, in the order of planning */
    uint32_t count, cap;
    uint32_t armed_counts[SL_SIM_MOMENT_COUNT]; /* so that a moment nobody waits for costs nothing */
    uint64_t done_counts[SL_SIM_ACTION_COUNT];
    bool is_over; /* no fault happens any more */
};

struct sl_sim;

void sl_sim_faults_deinit(struct sl_sim *sim);

/* Plans a fault at a time, or arms one that waits for its moment. */
void sl_sim_faults_at(struct sl_sim *sim, sl_ns at, const struct sl_sim_fault *fault);
void sl_sim_faults_aim(struct sl_sim *sim, const struct sl_sim_fault *fault);

/* Does it now. */
void sl_sim_faults_do(struct sl_sim *sim, const struct sl_sim_fault *planned);

/* FAULT events; and what observe.c calls when a moment has come. */
void sl_sim_faults_on_event(struct sl_sim *sim, uint32_t fault);
void sl_sim_faults_on_moment(struct sl_sim *sim, enum sl_sim_moment moment, uint32_t host);

/*
 * The end of trouble: links heal, what hangs goes on, sleepers wake up, who is down is started again (down_stays: it is
 * not), random faults end. What is planned is dropped. Who is frozen or wedged stays so.
 */
void sl_sim_faults_end(struct sl_sim *sim, bool down_stays);

#endif
