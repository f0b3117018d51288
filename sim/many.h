/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_MANY_H
#define SL_SIM_MANY_H

#include "sim/scenario.h"

/* Many runs in worker processes, so that an assertion of the core ends one run and not all. */
#define SL_SIM_MANY_WORKERS_MAX 64

struct sl_sim_many {
    struct sl_sim_request request; /* but for the seed */
    uint64_t first, last;
    sl_ns minutes; /* no run begins after so many; 0 = all seeds are run */
    uint32_t worker_count;
    bool as_json;
};

/* Prints failures as they come, in the order of seeds, then the table. Returns how many failed; UINT64_MAX: there is no
 * such scenario, or no process could be started. */
uint64_t sl_sim_run_many(const struct sl_sim_many *opts);

/* The result of a run whose process died; status as waitpid gives it. */
void sl_sim_result_of_death(struct sl_sim_result *result, uint64_t seed, int status);

/*
 * Reduces a failing run: looks for the least part of what was drawn for the seed (faults, circumstances, deeds of the
 * operator) with which the same oracle still fails, at the same draws of chance or at others, and prints it with the
 * command that runs it. Returns the exit status: 0 it was reduced, 1 the run does not fail, 2 wrong arguments.
 */
int sl_sim_shrink(const struct sl_sim_request *request);

#endif
