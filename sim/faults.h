/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_FAULTS_H
#define SL_SIM_FAULTS_H

#include "sim/engine.h"

/*
 * Faults that are planned: at a time, or aimed at a moment of the protocol ("crash n2 a few milliseconds after it
 * reports a dispatcher stopped"), because faults at random times hardly ever hit the narrow places.
 */
#define SL_SIM_ACTIONS(X)                                                                      \
    X(CRASH, "crash")                 /* host */                                               \
    X(PAUSE, "pause")                 /* host, for */                                          \
    X(RESTART_SAME, "restart")        /* host: crash if needed, then start with the same id */ \
    X(RESTART_NEW, "restart-new")     /* with a new id */                                      \
    X(CUT, "cut")                     /* host -> peer, for; one direction */                   \
    X(STALL, "stall")                 /* host -> peer, for */                                  \
    X(HANG_OPEN, "hang-open")         /* host, for */                                          \
    X(HANG_CLOSE, "hang-close")       /* host, for */                                          \
    X(SLOW, "slow")                   /* host, for: opens and closes take seconds */           \
    X(KILL_DIRECTOR, "kill-director") /* the role ends; another host leads */                  \
    X(LOSE_LEASE, "lose-lease")       /* host: while it runs */                                \
    X(ECHO, "echo")                   /* host: an earlier drain target reaches it again */     \
    X(HASTE, "haste")                 /* host: is asked to stop, whatever runs there */        \
    X(LATE_ADD, "late-add")           /* host: a feed is added there, if it is STOPPING */     \
    X(START, "start")                 /* host, if it is down, with a new id */                 \
    X(RESUME, "resume")                                                                        \
    X(HEAL, "heal")       /* host -> peer */                                                   \
    X(RELEASE, "release") /* host: hanging and slow dispatchers go on */

enum sl_sim_action {
#define SL_SIM_ACTION_ENUM(name, text) SL_SIM_ACTION_##name,
    SL_SIM_ACTIONS(SL_SIM_ACTION_ENUM)
#undef SL_SIM_ACTION_ENUM
        SL_SIM_ACTION_COUNT
};
const char *sl_sim_action_text(enum sl_sim_action action);

/* Moments at which a fault can be aimed: what a node was just given or just said. */
#define SL_SIM_MOMENTS(X)                                                   \
    X(TIME, "time")                                                         \
    X(TARGET_APPLIED, "target-applied") /* a node applied a drain target */ \
    X(MAINTAINER_ADDED, "maintainer-added")                                 \
    X(BOOTSTRAPPED, "bootstrapped") /* a maintainer finished bootstrap */   \
    X(ORIGIN_CLOSES, "closes")      /* a dispatcher is told to stop */      \
    X(ORIGIN_STOPPED, "stopped")    /* a dispatcher stopped and said so */  \
    X(DESTINATION_OPENS, "opens")                                           \
    X(DESTINATION_READY, "ready")                                           \
    X(HANDOVER, "handover") /* a maintainer is asked to leave */            \
    X(DRAINING, "draining") /* a node became DRAINING */                    \
    X(STOPPING, "stopping")                                                 \
    X(TARGET_CLEARED, "target-cleared")

enum sl_sim_moment {
#define SL_SIM_MOMENT_ENUM(name, text) SL_SIM_MOMENT_##name,
    SL_SIM_MOMENTS(SL_SIM_MOMENT_ENUM)
#undef SL_SIM_MOMENT_ENUM
        SL_SIM_MOMENT_COUNT
};
const char *sl_sim_moment_text(enum sl_sim_moment moment);

struct sl_sim_fault {
    enum sl_sim_action action;
    uint32_t host, peer; /* SL_SIM_HOST_NONE: the host of the moment */
    sl_ns lasts_ns;      /* undone after this; 0 = not undone */
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
void sl_sim_faults_do(struct sl_sim *sim, const struct sl_sim_fault *fault);

/* FAULT events; and what observe.c calls when a moment has come. */
void sl_sim_faults_on_event(struct sl_sim *sim, uint32_t fault);
void sl_sim_faults_on_moment(struct sl_sim *sim, enum sl_sim_moment moment, uint32_t host);

/*
 * The end of trouble: links heal, what hangs goes on, sleepers wake up, who is down is started again (down_stays: it is
 * not), random faults end. What is planned is dropped.
 */
void sl_sim_faults_end(struct sl_sim *sim, bool down_stays);

#endif
