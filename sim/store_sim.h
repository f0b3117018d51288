/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_STORE_SIM_H
#define SL_SIM_STORE_SIM_H

#include "base/mem.h"
#include "port/store_model.h"

/*
 * The metadata store of a simulated cluster: the exact model, behind connections that are slow, lose things and break.
 * Made for an event loop: what a host submits comes back by take_due, at a time that next_due tells.
 *
 *     submit --delay--> arrives, is performed --delay--> result            RESULT
 *        |  refused, lost: never performed                  | lost: UNKNOWN after timeout_ns
 *     change --delay--> the watch reads --delay--> batch                   BATCH
 *        |  compacted meanwhile, broken: the watch ends
 *
 * What may fail, and what the contract (port/store.h) leaves of it: every operation is answered once, whatever
 * happened; a watch delivers everything in order or ends. Operations of one host may overtake each other.
 *
 * Every choice is a pure function of (seed, fault, host, number of the operation or batch): switching one fault off
 * does not shift the others.
 */
struct sl_store_sim_opts {
    struct sl_mem *mem;
    uint64_t seed;
    uint32_t host_count_max;
    sl_ns delay_ns, jitter_ns; /* each way: delay .. delay + jitter */
    sl_ns slow_ns;             /* a slow way takes this much longer */
    sl_ns timeout_ns;          /* from submit until what was lost is answered UNKNOWN */
    sl_ns outage_ns;           /* length of an outage by chance: 1 .. this */
    uint32_t slow_ppm;         /* of ways */
    uint32_t refuse_ppm;       /* of operations: certainly not performed */
    uint32_t lose_request_ppm; /* of operations: not performed, UNKNOWN */
    uint32_t lose_answer_ppm;  /* of operations: performed, UNKNOWN */
    uint32_t outage_ppm;       /* of operations: begins an outage of its host; one in eight is of all hosts */
    uint32_t break_watch_ppm;  /* of batches: the watch ends instead */
    uint32_t compact_ppm;      /* of operations: history is forgotten up to some revision */
    uint32_t new_leader_ppm;   /* of operations: leases get their whole time again */
};
/* A healthy store. */
#define SL_STORE_SIM_OPTS_DEFAULT                        \
    ((struct sl_store_sim_opts){ .host_count_max = 64,   \
                                 .delay_ns = SL_MS,      \
                                 .jitter_ns = 2 * SL_MS, \
                                 .slow_ns = 500 * SL_MS, \
                                 .timeout_ns = 3 * SL_S, \
                                 .outage_ns = 5 * SL_S })

struct sl_store_sim_counts {
    uint64_t submitted, performed, refused, lost_requests, lost_answers, slow, outages, cut_by_outage, broken_watches,
        compactions, compacted_watches, new_leaders;
};

struct sl_store_sim_due { /* a result or a batch of a watch, for one process of one host */
    uint32_t host, life;
    bool is_batch;
    struct sl_store_result result;
    struct sl_store_watch_batch batch;
};

struct sl_store_sim;

/* Hosts are numbered from 0. Aborts without memory, here and below: a simulation cannot do without. */
struct sl_store_sim *sl_store_sim_new(const struct sl_store_sim_opts *opts);
void sl_store_sim_free(struct sl_store_sim *s); /* null allowed */

/* The chances and times may be changed at any time; seed, memory and host_count_max may not. */
struct sl_store_sim_opts *sl_store_sim_opts(struct sl_store_sim *s);
const struct sl_store_sim_counts *sl_store_sim_counts(const struct sl_store_sim *s);
/* For oracles: what the store really holds. */
struct sl_store_model *sl_store_sim_model(struct sl_store_sim *s);

/* Copies the operation. life: number of the host's process, growing. now never decreases from call to call. */
void sl_store_sim_submit(struct sl_store_sim *s, sl_ns now, uint32_t host, uint32_t life, const struct sl_store_op *op);

/* The process is gone, and its connection with it: nothing more is delivered to it. What it submitted may still be
 * performed. */
void sl_store_sim_drop(struct sl_store_sim *s, uint32_t host, uint32_t life);

/* Until then nothing passes between this host and the store; SL_STORE_SIM_ALL is every host. */
#define SL_STORE_SIM_ALL UINT32_MAX
void sl_store_sim_outage(struct sl_store_sim *s, uint32_t host, sl_ns until);

/* Performs an operation at once and without faults, for scripts; watches see it. Its pointers as those of take_due. */
void sl_store_sim_perform(struct sl_store_sim *s, sl_ns now, const struct sl_store_op *op,
                          struct sl_store_result *result);

/* When take_due must be called next; SL_NEVER. */
sl_ns sl_store_sim_next_due(const struct sl_store_sim *s);
/*
 * Lets everything happen that is due by now, in order of time, up to the first delivery. False: there is none. Its
 * pointers are valid until the next call of any function here.
 */
bool sl_store_sim_take_due(struct sl_store_sim *s, sl_ns now, struct sl_store_sim_due *due);

#endif
