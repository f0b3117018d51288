/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_SIM_H
#define SL_SIM_SIM_H

#include "sim/cluster.h"
#include "sim/faults.h"
#include "sim/host.h"
#include "sim/log.h"
#include "sim/members.h"
#include "sim/net.h"

/*
 * A whole cluster in one thread and in virtual time. Everything is decided by the options and by what is done to the
 * cluster from outside (a script, the swarm): the same calls give the same run, to the bit.
 */
struct sl_sim_opts {
    uint64_t seed;
    uint32_t host_count;
    struct sl_sim_net_opts net;
    struct sl_sim_plane_opts plane;
    sl_ns tick_late_ns; /* ticks come up to this late */
    sl_ns schema_ns;    /* a schema load takes this long */
    uint32_t schema_fail_ppm;
    uint32_t drift_ppm;            /* clocks are up to this much too fast or too slow */
    sl_ns skew_ns;                 /* wall clocks are up to this far apart */
    uint32_t feed_count_max;       /* the operator creates no more than so many */
    uint32_t foreign_hosts;        /* bit i: host i speaks the protocol without extensions (strip.h) */
    bool balances;                 /* nodes balance spans after 15 s; off keeps long scripts readable */
    bool reference_pacing;         /* max(10, 1 %) and rounds of 200 ms instead of feedback: for comparison */
    bool keeps_log;                /* of events, for scripts */
    FILE *trace;                   /* or null */
    struct sl_store_sim_opts meta; /* of that store; memory, seed and host_count_max are filled in */
};

struct sl_sim_stats {
    uint64_t moves_done, drains_done, drains_safe, drains_begun, drains_ended;
    uint64_t moves_in_flight, wave_left, waves; /* a wave of moves ends when what was in flight at its start arrived */
    size_t maintainer_bytes_peak;               /* spans, indexes, operators of all nodes */
    size_t control_bytes_peak;                  /* the same and the dispatchers */
};

struct sl_sim {
    struct sl_sim_opts opts;
    struct sl_sim_engine engine;
    struct sl_sim_log log;
    struct sl_sim_oracle oracle;
    struct sl_sim_sink sink;
    struct sl_sim_catalog catalog;
    struct sl_sim_net net;
    struct sl_sim_members members;
    struct sl_sim_faults faults;
    struct sl_sim_host *hosts;
    uint32_t host_count, process_count;
    struct sl_slab schema_loads;
    struct sl_outbox outbox; /* of the step that runs */
    struct sl_arena arena;   /* for what one event needs */
    struct sl_sim_cluster *cluster;
    uint64_t knobs; /* bit i: the circumstance was set when the run began (plan.h) */
    sl_ns sample_at;
    struct sl_sim_stats stats;
};

void sl_sim_opts_default(struct sl_sim_opts *opts);

/* All hosts are started. Host i is "n<i+1>". */
void sl_sim_init(struct sl_sim *sim, const struct sl_sim_opts *opts);
void sl_sim_deinit(struct sl_sim *sim);

/* One more host, started; its number. */
uint32_t sl_sim_add_host(struct sl_sim *sim);

/* Runs until the time, or until a violation (then false). */
bool sl_sim_run_until(struct sl_sim *sim, sl_ns at);

/* The host whose process has this id, or whose name it is; SL_SIM_HOST_NONE if there is none. */
uint32_t sl_sim_find_host(const struct sl_sim *sim, struct sl_str id);

/* A feed of the source, not yet of the cluster (SL_SIM_WISH_CREATE); its number. */
uint32_t sl_sim_create_feed(struct sl_sim *sim, struct sl_str name, uint32_t table_count);

/* ---- for the parts of the simulator ---- */

#define SL_SIM_PAYLOAD_BYTES 8192                   /* of a message of the coordinator */
#define SL_SIM_PAYLOAD_BYTES_MAX ((size_t)64 << 20) /* of any */

/* Sends one encoded payload from a host's process to a node id. */
void sl_sim_post(struct sl_sim *sim, const struct sl_sim_host *from, const struct sl_node_id *to, uint32_t to_member,
                 enum sl_msg_type type, enum sl_topic topic, struct sl_bytes payload);
/* The same for a message that is still to be encoded, to the type's first topic. */
void sl_sim_post_message(struct sl_sim *sim, const struct sl_sim_host *from, uint32_t to_member, enum sl_msg_type type,
                         const ProtobufCMessage *message);

/* Asks for a feed's tables; the host's process is answered later. */
void sl_sim_load_schema(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_out_schema_load *load);
/* SCHEMA event. */
void sl_sim_answer_schema(struct sl_sim *sim, struct sl_sim_host *h, uint32_t handle);

/* Judges what leaves a node (observe.c). */
void sl_sim_observe_send(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_out_send *send);
void sl_sim_observe_event(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_event *event);
void sl_sim_observe_input(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_input *in);
void sl_sim_observe_command(struct sl_sim *sim, const struct sl_sim_host *h, const struct sl_command *c);

#endif
