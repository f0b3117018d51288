/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_ORACLE_INTERNAL_H
#define SL_SIM_ORACLE_INTERNAL_H

#include "sim/oracle.h"

/* A maintainer move shows two epochs at once; more than this many old ones cannot still be talking. */
#define SL_SIM_ORACLE_EPOCHS 8

struct sl_sim_oracle_process {
    uint64_t node_epoch;
    int liveness;
    bool is_known, is_safe, is_stopping;
};

struct sl_sim_oracle_feed {
    uint64_t epoch_durable;
    struct {
        uint64_t epoch;
        sl_ts checkpoint;
    } said[SL_SIM_ORACLE_EPOCHS];
    uint32_t said_next;
};

/* The record of a process or feed, made when it is first named. Valid until the next call. */
struct sl_sim_oracle_process *sl_sim_oracle_process(struct sl_sim_oracle *o, uint32_t process);
struct sl_sim_oracle_feed *sl_sim_oracle_feed(struct sl_sim_oracle *o, uint32_t feed);

void sl_sim_oracle_count(struct sl_sim_oracle *o, enum sl_sim_oracle_id id);
#define sl_sim_oracle_fail(o, id, ...) sl_sim_violate((o)->engine, sl_sim_oracle_name(id), __VA_ARGS__)

#endif
