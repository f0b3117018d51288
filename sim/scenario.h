/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_SCENARIO_H
#define SL_SIM_SCENARIO_H

#include "sim/plan.h"
#include "sim/result.h"

/*
 * A scenario by its name: cluster-swarm, cluster-basic, drain-scale and the incidents are built in, every other one is a script of the data folder
 * (tests/data/<name>.txt).
 */
struct sl_sim_request {
    const char *scenario;
    const char *data_dir;
    uint64_t seed;
    uint32_t node_count, feed_count, dispatcher_count; /* 0 = the scenario's own */
    enum sl_sim_mode mode;                             /* cluster-swarm */
    uint64_t variant;                                  /* likewise: other draws of chance for the same plan */
    const char *keep;                                  /* likewise: numbers of the items that are kept; null: all */
    FILE *trace;
    bool reference_pacing; /* drain-scale: the reference's rule instead of feedback */
    bool prints_story;     /* scripts: the text with its output goes to standard output */
    bool stops_at_failure; /* many runs: the first one that fails is the last */
};

/* Runs it. False: there is no such scenario (said on standard error). Whether it went well is in *out. */
bool sl_sim_scenario_run(const struct sl_sim_request *request, struct sl_sim_result *out);

/*
 * A script file: compares the story with the file (check), writes it back (rewrite), or prints it. Returns the exit
 * status: 0 as written, 1 another story or a violation, 2 no such file.
 */
enum sl_sim_script_mode { SL_SIM_SCRIPT_PRINT, SL_SIM_SCRIPT_CHECK, SL_SIM_SCRIPT_REWRITE };
int sl_sim_scenario_file(const char *path, const struct sl_sim_request *request, enum sl_sim_script_mode mode);

/* Nanoseconds of processor time of this process, for rates only. */
sl_ns sl_sim_cpu_now(void);

/* The command that does a run again, into out. */
#define SL_SIM_REPEAT_TEXT 512
#define SL_SIM_EXIT_USAGE 2
const char *sl_sim_repeat_text(const struct sl_sim_request *request, uint64_t seed, char out[SL_SIM_REPEAT_TEXT]);

#endif
