/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_CLUSTER_H
#define SL_SIM_CLUSTER_H

#include "core/drain/target_set.h"
#include "sim/client.h"
#include "sim/store_sim.h"
#include "wire/message.h"

#include <stdio.h>

/*
 * The cluster: nodes, each with its own membership and coordinator, over the simulated metadata store. The only outsider
 * is an operator (client.h).
 *
 *     node --SL_OUT_STORE--> store_sim --STORE event--> what waited for the operation is sent, then SL_IN_STORE / WATCH
 *     node --SL_OUT_REPLY--> client    --REQUEST event--> SL_IN_REQUEST
 *
 * Invariants:
 *   C1  an output that waits for an operation leaves after it was answered OK (a TXN: succeeded) and before the node is
 *       given the answer; in every other case it never leaves.
 *   C2  what a dead process submitted may still be performed; what it waited for is gone.
 *   C3  the judge (oracle_cluster.c) has seen each state of the store before anybody is told of it.
 */
#define SL_SIM_CLUSTER_ID "sim"

struct sl_sim_waiting { /* a message that waits for an operation */
    sl_op_id op;
    struct sl_node_id to;
    enum sl_msg_type type;
    enum sl_topic topic;
    uint8_t *bytes;
    size_t size;
};

/* A message on its way, kept so that it can come once more: the last requests of all, the last heartbeats of each host. */
#define SL_SIM_ECHOES_MAX 16u
#define SL_SIM_BEATS_MAX 16u
#define SL_SIM_BLOCKS_MAX 64u
struct sl_sim_echo {
    uint16_t from, to;
    uint32_t from_process, to_process;
    enum sl_msg_type type;
    uint8_t *bytes;
    uint32_t size;
};

struct sl_sim_cluster_host {
    struct sl_sim_waiting *waiting; /* in the order in which they were emitted */
    uint32_t waiting_count, waiting_cap;
    sl_lease_id lease;                          /* of the last grant its process was told of */
    struct sl_target_set targets;               /* as its process last said */
    struct sl_sim_echo beats[SL_SIM_BEATS_MAX]; /* a ring: what dispatchers reported from here */
    uint64_t beat_count;
};

/* One (target, epoch) that was durable in an intent. */
struct sl_sim_durable_target {
    struct sl_node_id node;
    uint64_t epoch;
};

/* A drain as the store last showed it; kept when it is forgotten there. */
struct sl_sim_seen_drain {
    char id[SL_DRAIN_ID_MAX + 1];
    sl_revision mod_revision;
    struct sl_node_id target;
    uint64_t epoch;      /* of the drain; 0 until it is given out */
    uint64_t node_epoch; /* when it was safe */
    enum sl_drain_phase phase;
    bool was_safe;
    sl_ns begun_at, safe_at; /* when the store first had it, and had it so */
};

/* A feed as the store shows it. */
struct sl_sim_seen_feed {
    sl_revision info_revision, status_revision; /* 0: there is no such key */
    enum sl_feed_state state;
    sl_ts checkpoint;
};

struct sl_sim_cluster_judge { /* oracle_cluster.c */
    sl_revision revision;     /* of the last look */
    struct sl_sim_durable_target *targets;
    struct sl_sim_seen_drain *drains;
    struct sl_sim_seen_feed *feeds; /* by feed number */
    uint32_t target_count, target_cap, drain_count, drain_cap, feed_cap;
    uint64_t leader_version_max;
    uint32_t leader_process; /* which leads with it */
    uint64_t elections;
};

struct sl_sim_cluster {
    struct sl_store_sim *store;
    struct sl_sim_echo echoes[SL_SIM_ECHOES_MAX]; /* a ring */
    struct sl_sim_echo blocks[SL_SIM_BLOCKS_MAX]; /* likewise, of what is said about barriers */
    uint64_t echo_count, block_count;
    uint32_t spared_host; /* is never drained; SL_SIM_HOST_NONE */
    uint32_t planted;     /* bit i: nonsense i was written into the store */
    struct sl_slab deliveries;
    struct sl_sim_cluster_host *hosts; /* by host number */
    uint32_t host_cap;
    sl_ns due_at; /* of the timer that counts; SL_NEVER */
    uint32_t due_serial;
    struct sl_sim_cluster_judge judge;
    struct sl_sim_client client;
};

struct sl_sim;
struct sl_sim_host;
struct sl_node_opts;
struct sl_output;
struct sl_sim_fault;

/* sim->cluster is set from here on. */
void sl_sim_cluster_init(struct sl_sim *sim, uint32_t host_cap);
void sl_sim_cluster_deinit(struct sl_sim *sim);

/* ---- for a host ---- */

/* Its place in the cluster, and the coordinator it may become. */
void sl_sim_cluster_node_opts(const struct sl_sim_host *h, struct sl_node_opts *opts);
/* The process is gone. */
void sl_sim_cluster_host_dies(struct sl_sim_host *h);
/* SL_OUT_STORE. */
void sl_sim_cluster_submit(struct sl_sim_host *h, const struct sl_store_op *op);
/* An output with "after". */
void sl_sim_cluster_wait(struct sl_sim_host *h, const struct sl_output *out);
/* The outputs of a step are about to be performed. */
void sl_sim_cluster_before_outputs(struct sl_sim_host *h);
/* STORE event: gives the delivery to the host's node. Or drops it. */
void sl_sim_cluster_deliver(struct sl_sim_host *h, uint32_t delivery);
void sl_sim_cluster_drop(struct sl_sim *sim, uint32_t delivery);

/* ---- for the engine ---- */

/* STORE_DUE event: what is due at the store happens. */
void sl_sim_cluster_on_due(struct sl_sim *sim, uint32_t serial);

/* The store is healthy from now on. */
void sl_sim_cluster_faults_end(struct sl_sim *sim);

/* ---- mischief: cluster_mischief.c ---- */

/* Keeps a copy of what may come late. */
void sl_sim_cluster_keep_echo(struct sl_sim *sim, const struct sl_sim_echo *message);
/* One of them reaches the process that it was for once more, if that still runs on this host. */
void sl_sim_cluster_echo(struct sl_sim *sim, uint32_t host, uint64_t draw);
/* One of the last heartbeats from this host reaches its maintainer once more, if both processes still run. */
void sl_sim_cluster_late_beat(struct sl_sim *sim, uint32_t host, uint64_t draw);
/* One of the last words about a barrier reaches this host once more, if the process that it was for still runs. */
void sl_sim_cluster_late_block(struct sl_sim *sim, uint32_t host, uint64_t draw);
/* What a hasty coordinator would send from where the present one is: stop, whatever you host; and, if the host is
 * STOPPING, add this feed. */
void sl_sim_cluster_haste(struct sl_sim *sim, uint32_t host);
void sl_sim_cluster_late_add(struct sl_sim *sim, uint32_t host, uint32_t feed);
/* A drain target, or that there is none, as a coordinator says it that knows one at a time. False: nobody leads. */
bool sl_sim_cluster_send_target(struct sl_sim *sim, uint32_t host, const struct sl_drain_target *target);
/* Writes a value that means nothing into the store. */
#define SL_SIM_PLANTED "planted"
void sl_sim_cluster_plant(struct sl_sim *sim, uint32_t which);
/* They are still as they were written. */
void sl_sim_judge_planted(struct sl_sim *sim);
/* h refused the value under this key: it must be a planted one, not what a node wrote. */
void sl_sim_judge_refused_value(struct sl_sim *sim, const struct sl_sim_host *h, struct sl_str key);

/* ---- views ---- */

/* Host of the feed's bootstrapped maintainer with the highest epoch; SL_SIM_HOST_NONE. */
uint32_t sl_sim_cluster_owner(struct sl_sim *sim, uint32_t feed);
/* Its view, and whether its process believes in its lease now, by its own clock. */
struct sl_membership_view;
bool sl_sim_cluster_believes(const struct sl_sim_host *h, struct sl_membership_view *view);
/* Host whose node believes it leads; SL_SIM_HOST_NONE. */
uint32_t sl_sim_cluster_leader(const struct sl_sim *sim);
/* Coordinator RUNNING there. */
bool sl_sim_cluster_is_led(const struct sl_sim *sim);

/* ---- the judge: oracle_cluster.c ---- */

/* Looks at the store if it changed; who lost a lease there is unleased from now on. */
void sl_sim_judge_store(struct sl_sim *sim);
/* A coordinator pushes a target. */
void sl_sim_judge_target(struct sl_sim *sim, const struct sl_node_id *node, uint64_t epoch);
/* What a process says of its drain targets: invariant 4, for sets. */
void sl_sim_judge_set(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_target_set *set);
/* Somebody was told that this process life is safe to stop. */
void sl_sim_judge_safe(struct sl_sim *sim, const struct sl_node_id *node, uint64_t node_epoch);
/* The last drain of this node in the store, or a null pointer. Valid until the store changes. */
const struct sl_sim_seen_drain *sl_sim_judge_drain(const struct sl_sim *sim, const struct sl_node_id *node);
/* Its phase. False: there is none. */
bool sl_sim_judge_phase(struct sl_sim *sim, const struct sl_node_id *node, enum sl_drain_phase *phase);
/* The answer to an old client's DrainNode. is_zero_final: 0 was said before of the same process. */
void sl_sim_judge_old_answer(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_node_id *node,
                             const struct sl_reply *reply, bool is_zero_final);
/* A bad request was performed. */
void sl_sim_judge_refusal(struct sl_sim *sim, const struct sl_sim_host *h, uint32_t which);
/* A feed as the store shows it. */
const struct sl_sim_seen_feed *sl_sim_judge_feed(struct sl_sim *sim, uint32_t feed);
/* After a step of this host. */
void sl_sim_judge_leader(struct sl_sim *sim, const struct sl_sim_host *h);

/* ---- cluster_scenarios.c ---- */

/* Initialises sim and runs. */
void sl_sim_cluster_basic(struct sl_sim *sim, uint64_t seed, FILE *trace);

#endif
