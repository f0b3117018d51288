/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_HOST_H
#define SL_SIM_HOST_H

#include "core/node/node.h"
#include "sim/plane.h"

/*
 * A host runs at most one process: a node of the core with its own memory, and its data plane. What can happen to it:
 *
 *              start                    pause
 *     DOWN -----------------> UP --------------------> PAUSED     a paused process receives nothing and does nothing;
 *       ^--- crash, exit ---- | <------ resume --------- |         what was meant for it waits, time passes, and its
 *       ^------------------------------ crash -----------+         lease may expire
 *
 * A process has a number (from 1, never reused). Its node id is kept over a restart or is new; its node epoch is new.
 */
enum sl_sim_host_state { SL_SIM_HOST_DOWN, SL_SIM_HOST_UP, SL_SIM_HOST_PAUSED };

struct sl_sim;

/* A machine's clock: it counts on while the process sleeps, is off by a rate, and may jump ahead. */
struct sl_sim_clock {
    sl_ns base, local; /* it read local at base, in time of the simulation */
    int32_t drift_ppm;
    sl_ns wall_skew_ns; /* of the wall clock */
};

struct sl_sim_host {
    struct sl_sim *sim;
    uint16_t index;
    enum sl_sim_host_state state;
    char name[16]; /* "n1": the id of its first process */
    struct sl_node_id id;
    uint32_t member, process, lives;
    uint64_t node_epoch;
    struct sl_mem mem;
    struct sl_node *node;
    struct sl_sim_plane plane;
    uint32_t *peers; /* member by node ref, as it was last looked up */
    uint32_t peer_cap;
    sl_ns tick_at; /* SL_NEVER: no timer */
    uint32_t tick_serial;
    struct sl_sim_event *held; /* while paused */
    uint32_t held_count, held_cap;
    bool is_unleased; /* its process lives without a lease */
    bool is_exiting;  /* it noticed, and ends soon */
    bool is_leaving;  /* it was asked to end, and ends as soon as it has left */
    bool is_frozen;   /* it never wakes up again */
    bool is_foreign;  /* its messages lose their extension fields on the way (strip.h) */
    struct sl_sim_clock clock;
};

void sl_sim_host_init(struct sl_sim_host *h, struct sl_sim *sim, uint16_t index);
void sl_sim_host_deinit(struct sl_sim_host *h);

/* Starts a process with the host's last id, or a new one. It must be down. sl_sim_host_meet comes next. */
void sl_sim_host_start(struct sl_sim_host *h, bool with_new_id);
/* The process is asked to end in an orderly way: it ends when it has left the cluster. No effect unless it is up. */
void sl_sim_host_leave(struct sl_sim_host *h);
/* Its clock goes ahead. */
void sl_sim_host_jump(struct sl_sim_host *h, sl_ns by);
/* What its clock reads now. */
sl_ns sl_sim_host_now(const struct sl_sim_host *h);
/* Ends the process at once: memory and what was not flushed are gone. No effect when down. */
void sl_sim_host_kill(struct sl_sim_host *h);
void sl_sim_host_pause(struct sl_sim_host *h);
void sl_sim_host_resume(struct sl_sim_host *h);

/* An event for this host's process. The host holds it if it is paused, and drops it if it is for another process. */
void sl_sim_host_on_event(struct sl_sim_host *h, const struct sl_sim_event *event);

/* One input, and everything that follows from it. */
void sl_sim_host_step(struct sl_sim_host *h, const struct sl_input *in);

/* What the process really works on, by the models: maintainers, dispatchers, readers. */
uint64_t sl_sim_host_work(const struct sl_sim_host *h);

/* The first thing a process does. Its node finds the others by itself. */
void sl_sim_host_meet(struct sl_sim_host *h);

static inline bool sl_sim_host_is_up(const struct sl_sim_host *h)
{
    return h->state == SL_SIM_HOST_UP;
}

#endif
